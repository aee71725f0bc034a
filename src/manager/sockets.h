/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets to listen on: handed over by systemd, or made.
 *
 * Threads: main.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "manager/paths.h"

typedef struct Socket {
    int fd;
    bool read_only;
    char *path; /* of one that was made; NULL: handed over */
} Socket;

/* At most @most of them, into @ret.  Returns how many; 0, and @error set: none. */
unsigned sockets_open(const DaemonPaths *paths, bool privileged, Socket *ret, unsigned most,
                      GError **error);
/* Tell systemd, if it wants to know, "READY=1" or the like. */
void sockets_notify(const char *state);
