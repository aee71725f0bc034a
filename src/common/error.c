/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors of set-up and control paths, see error.h.
 */
#include "common/error.h"

#include <stdarg.h>

GQuark insula_error_quark(void)
{
    return g_quark_from_static_string("insula-error");
}

void set_error_code(GError **error, InsulaError code, const char *format, ...)
{
    va_list args;

    if (!error) {
        return;
    }
    va_start(args, format);
    *error = g_error_new_valist(INSULA_ERROR, (int)code, format, args);
    va_end(args);
}

void set_error(GError **error, const char *format, ...)
{
    va_list args;

    if (!error) {
        return;
    }
    va_start(args, format);
    *error = g_error_new_valist(INSULA_ERROR, INSULA_ERROR_FAILED, format, args);
    va_end(args);
}

void set_error_errno(GError **error, int err, const char *format, ...)
{
    va_list args;

    if (!error) {
        return;
    }
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    set_error(error, "%s: %s", what, g_strerror(err));
}
