/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines on standard error, see report.h.
 */
#include "manager/report.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"

void report(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *said = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *text = text_visible(said);
    g_autofree char *line = g_strdup_printf("insulad: %s\n", text);
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
}
