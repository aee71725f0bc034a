/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where clients of the control channel connect: a socket in the file system, or one that whoever
 * started us has passed.  Up to QMP_CLIENTS at a time; others wait.
 *
 * Threads: main only.
 * Read first: vm/qmp_session.h.
 */
#pragma once

#include "config/config.h"
#include "vm/qmp_session.h"

enum { QMP_CLIENTS = 4 };

typedef struct QmpServer QmpServer;

/* @table and @opaque outlive the server.  A descriptor of @config is the server's from now on. */
QmpServer *qmp_server_new(const QmpConfig *config, const QmpTable *table, void *opaque,
                          GError **error);
/* Sends what is left, as far as clients take it within a second.  @server may be NULL. */
void qmp_server_free(QmpServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpServer, qmp_server_free)

/* Tell every client.  @data may be NULL, else it is freed. */
void qmp_server_event(QmpServer *server, const char *name, JsonNode *data);
