/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program says to its user, see report.h.
 */
#include "vm/report.h"

#include <stdarg.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "vm/terminal.h"

void report(const char *format, ...)
{
    g_autoptr(GString) line = g_string_new("insula: ");
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *visible = text_visible(text);
    g_string_append(line, visible);
    g_string_append(line, terminal_is_raw() ? "\r\n" : "\n");
    /* whoever closed standard error doesn't want to know */
    ssize_t ignored = write(STDERR_FILENO, line->str, line->len);
    (void)ignored;
}

void report_lines(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (unsigned i = 0; lines[i]; i++) {
        if (*lines[i]) {
            report("%s", lines[i]);
        }
    }
}

Status report_error(const GError *error)
{
    report("%s", error->message);
    if (error->domain != INSULA_ERROR) {
        return STATUS_FAILED;
    }
    switch ((InsulaError)error->code) {
    case INSULA_ERROR_USAGE:
        return STATUS_USAGE;
    case INSULA_ERROR_HOST:
        return STATUS_HOST;
    case INSULA_ERROR_FAILED:
    case INSULA_ERROR_UNSUPPORTED:
    case INSULA_ERROR_XML:
        break;
    }
    return STATUS_FAILED;
}
