/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that wait for a client: in the file system, or on the loopback address.
 *
 * A socket in the file system is readable and writable by its owner only.  One that nobody listens
 * on any more (left behind by a process that was killed) is replaced; anything else that stands at
 * the path is left alone.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* A listening descriptor, close-on-exec and non-blocking, or -1.  @what names the user of the
 * socket in messages ("--gdb"). */
int listen_unix(const char *path, const char *what, GError **error);
int listen_loopback(uint16_t port, const char *what, GError **error);

/* The next client, non-blocking, or -1 if there is none. */
int listen_accept(int fd);
