/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of libinsula: data beside calls, for consoles, upload, download, screenshots.
 *
 * A stream is begun by a call whose row says so.  It either waits (insula_stream_read(),
 * insula_stream_write()), or tells from the main loop when there is something to read
 * (insula_stream_on_data()).
 *
 * Threads: the connection's.
 */
#pragma once

#include <sys/types.h>

#include "client/connection.h"

typedef struct InsulaStream InsulaStream;

/* Call @procedure, as insula_call(), and begin its stream. */
InsulaStream *insula_stream_open(InsulaConnection *connection, uint32_t procedure, const void *args,
                                 void *ret, GError **error);
/* End it, whatever state it is in, and free it. */
void insula_stream_close(InsulaStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InsulaStream, insula_stream_close)

/* Take at most @len bytes, waiting for one at least.  0: there is no more; -1: @error says why. */
ssize_t insula_stream_read(InsulaStream *stream, void *buffer, size_t len, GError **error);
/* True if insula_stream_read() would not wait. */
bool insula_stream_ready(const InsulaStream *stream);
/* Send all of it. */
bool insula_stream_write(InsulaStream *stream, const void *bytes, size_t len, GError **error);
/* Say that all was sent, and wait until the daemon has it. */
bool insula_stream_finish(InsulaStream *stream, GError **error);

/* Have @told called, from the main loop, whenever insula_stream_read() would not wait. */
typedef void (*InsulaStreamTold)(InsulaStream *stream, void *opaque);
void insula_stream_on_data(InsulaStream *stream, InsulaStreamTold told, void *opaque);
