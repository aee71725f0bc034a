/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of insulad.  The table makes the parser, --help, the manual page and the completion.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct DaemonOptions DaemonOptions;

struct DaemonOptions {
    const char *root, *socket; /* NULL: the usual ones */
    bool fake;
    unsigned idle_seconds; /* 0: stay */
};

typedef enum DaemonAction {
    DAEMON_RUN,
    DAEMON_HELP,
    DAEMON_VERSION,
    DAEMON_DUMP_OPTIONS,
    DAEMON_DUMP_PROCEDURES,
} DaemonAction;

/* Parse @words (NULL behind the last; without the program's name), which stay the caller's.  Fails
 * with INSULA_ERROR_USAGE. */
bool daemon_options_parse(char **words, DaemonOptions *options, DaemonAction *ret_action,
                          GError **error);
/* The text of --help.  Newly allocated. */
char *daemon_options_help(const char *program);
/* The table for tools, as config/options.h has it.  Newly allocated. */
char *daemon_options_dump(void);
