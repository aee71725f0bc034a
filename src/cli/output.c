/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What program insula says, see output.h.
 */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/sheet.h"
#include "client/connection.h"
#include "common/text.h"

enum { BAR_WIDTH = 30, STEP_US = 100000 };

bool output_text(const char *text, GError **error)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) || ferror(stdout)) {
        set_error_errno(error, errno, "cannot write to standard output");
        return false;
    }
    return true;
}

bool output_json(JsonNode *node, GError **error)
{
    g_autofree char *text = json_to_string(node, TRUE);
    g_autofree char *line = g_strdup_printf("%s\n", text);

    json_node_unref(node);
    return output_text(line, error);
}

bool output_done(const CliArgs *args, const char *verb, const char *name, GError **error)
{
    static const SheetColumn columns[] = { { "done", "Done", SHEET_TEXT },
                                           { "name", "Name", SHEET_TEXT },
                                           { 0 } };

    if (args->json) {
        g_autoptr(Sheet) sheet = sheet_new(columns);
        sheet_row(sheet);
        sheet_text(sheet, verb);
        sheet_text(sheet, name);
        return sheet_print(sheet, true, true, error);
    }
    if (args->quiet) {
        return true;
    }
    g_autofree char *visible = text_visible(name);
    g_autofree char *line = g_strdup_printf("%s %s\n", visible, verb);
    return output_text(line, error);
}

static void complain(const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);
    g_autofree char *visible = text_visible(text);

    fprintf(stderr, "insula: %s\n", visible);
}

void output_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
}

void output_note(const CliArgs *words, const char *format, ...)
{
    va_list args;

    if (words->quiet || words->json) {
        return;
    }
    va_start(args, format);
    complain(format, args);
    va_end(args);
}

CliStatus output_status(const GError *error)
{
    static const struct {
        int code;
        CliStatus status;
    } ours[] = {
        { INSULA_ERROR_USAGE, CLI_USAGE },
        { INSULA_ERROR_HOST, CLI_HOST },
    }, remote[] = {
        { REMOTE_ERR_NO_CONNECT, CLI_HOST },
        { REMOTE_ERR_INVALID_ARG, CLI_USAGE },
        { REMOTE_ERR_NO_DOMAIN, CLI_NOT_FOUND },
        { REMOTE_ERR_NO_NETWORK, CLI_NOT_FOUND },
        { REMOTE_ERR_NO_STORAGE_POOL, CLI_NOT_FOUND },
        { REMOTE_ERR_NO_STORAGE_VOL, CLI_NOT_FOUND },
        { REMOTE_ERR_NO_DOMAIN_SNAPSHOT, CLI_NOT_FOUND },
        { REMOTE_ERR_OPERATION_INVALID, CLI_WRONG_STATE },
        { REMOTE_ERR_DOM_EXIST, CLI_WRONG_STATE },
        { REMOTE_ERR_OPERATION_TIMEOUT, CLI_TIMEOUT },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ours); i++) {
        if (g_error_matches(error, INSULA_ERROR, ours[i].code)) {
            return ours[i].status;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(remote); i++) {
        if (g_error_matches(error, REMOTE_ERROR, remote[i].code)) {
            return remote[i].status;
        }
    }
    return CLI_FAILED;
}

CliStatus output_error(const GError *error, bool json)
{
    static const SheetColumn columns[] = { { "error", "Error", SHEET_TEXT },
                                           { "status", "Status", SHEET_NUMBER },
                                           { 0 } };
    CliStatus status = output_status(error);

    if (!json) {
        output_complain("%s", error->message);
        return status;
    }
    g_autoptr(Sheet) sheet = sheet_new(columns);
    sheet_row(sheet);
    sheet_text(sheet, error->message);
    sheet_number(sheet, status);
    JsonNode *node = sheet_json(sheet, true);
    g_autofree char *text = json_to_string(node, FALSE);
    json_node_unref(node);
    fprintf(stderr, "%s\n", text);
    return status;
}

bool output_ask(const CliArgs *args, const char *question)
{
    char answer[16] = "";

    if (args->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return false;
    }
    g_autofree char *visible = text_visible(question);
    fprintf(stderr, "%s [y/N] ", visible);
    return fgets(answer, sizeof(answer), stdin) && strchr("yY", answer[0]) && answer[0];
}

/* ---- progress ---- */

void progress_begin(Progress *progress, const CliArgs *args, const char *what)
{
    *progress = (Progress){
        .what = what,
        .show = isatty(STDERR_FILENO) && !args->quiet && !args->json,
        .last = -1,
    };
}

void progress_step(Progress *progress, uint64_t done, uint64_t total)
{
    char bar[BAR_WIDTH + 1] = "";
    int64_t now_us = g_get_monotonic_time();
    int now = total ? (int)((double)MIN(done, total) / (double)total * 1000) : 0;

    if (!progress->show || (progress->last >= 0 && now_us - progress->last_time < STEP_US)) {
        return;
    }
    progress->last = now;
    progress->last_time = now_us;
    if (!total) {
        g_autofree char *bytes = sheet_bytes_text(done);
        fprintf(stderr, "\r\033[K%s: %s", progress->what, bytes);
        return;
    }
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)(now * BAR_WIDTH / 1000));
    fprintf(stderr, "\r\033[K%s [%s] %5.1f %%", progress->what, bar, now / 10.0);
}

void progress_end(Progress *progress)
{
    if (progress->last >= 0) {
        fprintf(stderr, "\r\033[K");
        progress->last = -1;
    }
}
