/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams as clients and calls see them; handlers see stream.h.
 *
 * All of a stream is under its client's lock.
 */
#pragma once

#include "manager/client.h"
#include "manager/stream.h"

/* The stream of @call, with @flags of its row.  Takes @opaque, also if it fails: NULL, @error. */
Stream *stream_new(Client *client, const RpcHeader *call, unsigned flags, const StreamOps *ops,
                   void *opaque, GError **error);
void stream_unref(Stream *stream);
/* Send @reply, which it takes, and let the stream run. */
void stream_begin(Stream *stream, RpcPacket *reply);
/* A packet for a stream of @client.  Takes it.  Main thread. */
void stream_take(Client *client, RpcPacket *packet);
/* The client has gone. */
void stream_abandon_locked(Client *client);
