/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that clients come by, and all who have come.
 *
 * Clients' sockets are in one epoll, which is one source of the main loop: 5000 of them cost
 * nothing while they're silent.
 *
 * Threads: main, except where it says any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "manager/daemon.h"

typedef struct Client Client;
typedef struct Workers Workers;

Server *server_new(Daemon *daemon, GError **error);
/* Takes everybody's leave: closes all, and waits for calls and streams that run. */
void server_free(Server *server);

/* Listen on sockets that systemd hands over (those named "ro" are the read-only one), or else on
 * those of the daemon's paths. */
bool server_listen(Server *server, GError **error);
/* True if nobody has been here since @since_us, monotonic, and nobody is. */
bool server_is_idle(const Server *server, int64_t since_us);

/* Any thread: epoll's @events are wanted of @fd, the socket of @client. */
void server_watch(Server *server, Client *client, int fd, uint32_t events);
/* Any thread: let @client read on, soon, by the main thread. */
void server_resume(Server *server, Client *client);
/* @client has opened its connection: it's no stranger any more. */
void server_welcome(Server *server, Client *client);
/* Of messages that aren't whole a client holds @now bytes, and *@counted until now.  False: it's
 * too much for all together. */
bool server_count_unread(Server *server, size_t *counted, size_t now);
/* Any thread: count a stream, or (@change -1) one less.  False: there are too many. */
bool server_count_stream(Server *server, int change);
Workers *server_workers(const Server *server);
