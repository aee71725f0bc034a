/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where gdb connects: a socket, one client at a time, and the running machine behind it.
 *
 * A client that connects stops the machine.  One that detaches, or whose connection ends, lets it
 * run on; the socket stays for the next.  A second client is turned away.
 *
 * Threads: main thread only.
 * Read first: vm/gdb.h.
 */
#pragma once

#include <glib.h>

#include "config/config.h"
#include "vm/vm.h"

typedef struct GdbServer GdbServer;

GdbServer *gdb_server_new(Vm *vm, const GdbConfig *config, GError **error);
/* Sends what waits, as far as the client takes it at once.  @server may be NULL. */
void gdb_server_free(GdbServer *server);
