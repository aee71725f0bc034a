/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a call: access, a worker, arguments decoded, handler, reply.
 *
 * Threads: call_begin() any; call_is_inline() and call_run_inline() main.
 */
#pragma once

#include <stdbool.h>

#include "manager/client.h"
#include "wire/rpc.h"

typedef struct Workers Workers;

/* Threads that run calls.  Freeing them waits for what runs. */
Workers *workers_new(void);
void workers_free(Workers *workers);

/* True if @packet's procedure is one that the main thread runs. */
bool call_is_inline(const Client *client, const RpcPacket *packet);
/* Both take @packet, a call of @client. */
void call_run_inline(Client *client, RpcPacket *packet);
/* ... which must have counted it in .calls. */
void call_begin(Client *client, RpcPacket *packet);
