/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where insulad keeps things: per user after the XDG base directories, of the system, or all of it
 * under one folder (--root), for tests.
 *
 * Threads: fixed after create.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct DaemonPaths {
    char *runtime; /* folder of sockets and what lives no longer than the host is up */
    char *socket;  /* in it, unless --socket says otherwise */
    char *socket_read_only;
    char *live;   /* folder: state of running VMs, their sockets and locks */
    char *config; /* folder: definitions */
    char *data;   /* folder: NVRAM, saved states, snapshots, images/ */
    char *logs;   /* folder */
} DaemonPaths;

/* Fill @paths.  @root, @socket: of the options, or NULL.  False: there is no safe place for the
 * runtime folder. */
bool daemon_paths_init(DaemonPaths *paths, const char *root, const char *socket, GError **error);
/* Make the folders that aren't there, for their owner alone. */
bool daemon_paths_make(const DaemonPaths *paths, GError **error);
void daemon_paths_clear(DaemonPaths *paths);
