/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula doctor: checks this host, see doctor.h.
 */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/sheet.h"
#include "common/text.h"

static const char *const level_words[] = {
    [FINDING_OK] = "ok",
    [FINDING_WARN] = "warn",
    [FINDING_FAIL] = "fail",
};

static const SheetColumn columns[] = {
    { "check", "Check", SHEET_TEXT },   { "level", "Level", SHEET_TEXT },
    { "about", "About", SHEET_TEXT },   { "found", "Found", SHEET_TEXT },
    { "remedy", "Remedy", SHEET_TEXT }, { 0 },
};

void finding_set(Finding *finding, FindingLevel level, const char *remedy, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(finding->text);
    g_free(finding->remedy);
    finding->level = level;
    finding->text = g_strdup_vprintf(format, args);
    finding->remedy = g_strdup(remedy);
    va_end(args);
}

static void add_row(Sheet *sheet, const DoctorCheck *check, const Finding *finding)
{
    sheet_row(sheet);
    sheet_text(sheet, check->name);
    sheet_text(sheet, level_words[finding->level]);
    sheet_text(sheet, check->about);
    sheet_text(sheet, finding->text);
    sheet_text(sheet, finding->remedy);
}

/* The line for people, coloured where a terminal shows it. */
static char *line_of(const DoctorCheck *check, const Finding *finding)
{
    static const char *const colours[] = {
        [FINDING_OK] = "\033[32m", [FINDING_WARN] = "\033[33m", [FINDING_FAIL] = "\033[31m"
    };
    bool colour = isatty(STDOUT_FILENO) && !g_getenv("NO_COLOR");
    g_autofree char *all =
        g_strconcat(finding->text, finding->remedy ? "; " : "", finding->remedy, NULL);
    g_autofree char *visible = text_visible(all);

    return g_strdup_printf("%s%-4s%s  %-12s %s\n", colour ? colours[finding->level] : "",
                           level_words[finding->level], colour ? "\033[0m" : "", check->name,
                           visible);
}

int command_doctor(const CliArgs *args, GError **error)
{
    static const DoctorCheck *const tables[] = { doctor_host_checks, doctor_files_checks };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    FindingLevel worst = FINDING_OK;
    bool said = true;

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        for (const DoctorCheck *check = tables[i]; check->name && said; check++) {
            Finding finding = { 0 };
            check->look(args, &finding);
            worst = MAX(worst, finding.level);
            add_row(sheet, check, &finding);
            g_autofree char *line = line_of(check, &finding);
            bool wanted = !args->json && !(args->quiet && finding.level == FINDING_OK);
            said = !wanted || output_text(line, error);
            g_free(finding.text);
            g_free(finding.remedy);
        }
    }
    if (!said || (args->json && !sheet_print(sheet, true, false, error))) {
        return CLI_FAILED;
    }
    return worst == FINDING_FAIL ? CLI_HOST : CLI_DONE;
}
