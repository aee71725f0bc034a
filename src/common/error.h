/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors of set-up and control paths: a GError whose message names the object, the cause and,
 * where there is one, the remedy: "cannot open disk '/x': No such file or directory".
 * Lower case, no full stop, one line.
 *
 * Threads: no state; call from anywhere.
 */
#pragma once

#include <glib.h>

/* What kind of failure it is; a program turns it into its exit status. */
typedef enum InsulaError {
    INSULA_ERROR_FAILED,      /* ours, or an input's: exit status 1 */
    INSULA_ERROR_USAGE,       /* the words of the command line: exit status 2 */
    INSULA_ERROR_HOST,        /* the host or KVM refused: exit status 4 */
    INSULA_ERROR_UNSUPPORTED, /* understood, and not built here: exit status 1 */
    INSULA_ERROR_XML,         /* XML that isn't, or says what can't be: exit status 1 */
} InsulaError;

#define INSULA_ERROR (insula_error_quark())
GQuark insula_error_quark(void);

/* Set *@error (when @error is not NULL) to kind @code with a printf-style message. */
void set_error_code(GError **error, InsulaError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same with INSULA_ERROR_FAILED. */
void set_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same, with ": " and the text of errno value @err (positive) behind the message. */
void set_error_errno(GError **error, int err, const char *format, ...) G_GNUC_PRINTF(3, 4);
