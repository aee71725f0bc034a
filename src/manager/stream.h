/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams: data beside calls, in packets with the serial of the call that began them (consoles,
 * upload, download, screenshots).
 *
 * A stream has a thread of its own that runs StreamOps.run: plain blocking code.  At most one
 * packet waits to be sent and STREAM_IN_BYTES bytes to be read, then whoever fills it waits: a slow
 * reader holds no memory.
 * When .run returns, the stream ends: with @error set the client is told that; else, if it hasn't
 * ended the stream itself, it is told that there is no more.
 *
 * Threads: stream_read(), _write() and _relay() from .run alone; the rest of a stream is the main
 * thread's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Stream Stream;

typedef struct StreamOps {
    /* Move the data.  False, and @error set: it went wrong. */
    bool (*run)(Stream *stream, void *opaque, GError **error);
    /* Once, after .run or instead of it. */
    void (*free)(void *opaque);
} StreamOps;

/* Wait for data from the client and take at most @len bytes of it.  0: the client has finished;
 * -1: it has aborted the stream or gone (return true or false, nobody reads it).  A hole that the
 * client sent is that many zeros, unless @ret_hole is given: then its length is there, and a result
 * of 0 with *@ret_hole 0 is the end. */
ssize_t stream_read(Stream *stream, void *buffer, size_t len, uint64_t *ret_hole);
/* Send data, in packets.  False: the client has ended the stream, aborted it or gone: stop. */
bool stream_write(Stream *stream, const void *data, size_t len);
/* Send @len bytes of nothing, if the client asked for it (its flag "sparse"). */
bool stream_write_hole(Stream *stream, uint64_t len);
/* Both ways between the client and descriptor @fd (of a socket, a pty, a pipe) until either ends.
 * @fd stays the caller's, and is made non-blocking. */
bool stream_relay(Stream *stream, int fd, GError **error);
/* True once the client has aborted or gone: for .run that is busy with something else. */
bool stream_is_over(Stream *stream);
