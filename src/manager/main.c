/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insulad: the daemon that keeps virtual machines.
 *
 *   command line (options.h) -> Daemon (daemon.h) -> until a signal, or until nobody needs it
 *
 * Threads: main; see daemon.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "common/error.h"
#include "common/program.h"
#include "manager/daemon.h"
#include "manager/options.h"
#include "manager/procedures.h"

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static int report(const GError *error)
{
    fprintf(stderr, "insulad: %s\n", error->message);
    return g_error_matches(error, INSULA_ERROR, INSULA_ERROR_USAGE) ? STATUS_USAGE : STATUS_FAILED;
}

/* Takes ownership of @text. */
static int print(char *text)
{
    const bool done = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

    g_free(text);
    if (!done) {
        fprintf(stderr, "insulad: cannot write to standard output: %s\n", g_strerror(errno));
    }
    return done ? STATUS_DONE : STATUS_FAILED;
}

static int run(const DaemonOptions *options)
{
    g_autoptr(GError) error = NULL;

    signal(SIGPIPE, SIG_IGN);
    g_autoptr(Daemon) daemon = daemon_new(options, &error);
    if (!daemon) {
        return report(error);
    }
    daemon_run(daemon);
    return STATUS_DONE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    DaemonOptions options;
    DaemonAction action;

    if (!program_fill_standard_fds()) {
        return STATUS_FAILED;
    }
    if (!daemon_options_parse(argv + (argc > 0), &options, &action, &error)) {
        return report(error);
    }
    g_autofree char *program = g_path_get_basename(argc > 0 ? argv[0] : "insulad");
    switch (action) {
    case DAEMON_HELP:
        return print(daemon_options_help(program));
    case DAEMON_VERSION:
        return print(g_strdup("insula " INSULA_VERSION "\n"));
    case DAEMON_DUMP_OPTIONS:
        return print(daemon_options_dump());
    case DAEMON_DUMP_PROCEDURES:
        return print(procedures_text());
    case DAEMON_RUN:
        break;
    }
    return run(&options);
}
