/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a guest's serial port or console goes: standard input and output, a socket, or a file.
 *
 *   device --write--> ring of STREAM_BUFFER bytes --thread--> terminal, client, file
 *   device <--input-- thread <-- terminal (escape keys taken out), client
 *
 * No vCPU waits.  While the ring is full the device's port is busy, so a guest that looks loses
 * nothing; after STREAM_PATIENCE_MS in which the reader took nothing the oldest bytes make room,
 * and how many were lost is said on standard error.  A socket that nobody is connected to keeps
 * the newest bytes for the next client.
 *
 * Threads: new, open and free on the main thread.  Each stream has one of its own.
 * Read first: machine/core/char.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "config/config.h"
#include "machine/core/char.h"
#include "vm/escape.h"

enum { STREAM_BUFFER = 65536, STREAM_PATIENCE_MS = 2000, STREAM_DRAIN_MS = 1000 };

/* Whom the stream tells of keys that aren't the guest's; from the stream's thread. */
typedef struct StreamKeys {
    void *opaque;
    void (*pressed)(void *opaque, EscapeKey key);
} StreamKeys;

typedef struct Stream Stream;

/* A stream that isn't open yet: output waits in the ring.  @name is for messages; @config and
 * @keys are needed only now; @keys may be NULL. */
Stream *stream_new(const SerialConfig *config, const char *name, const StreamKeys *keys);
/* Open what the configuration names. */
bool stream_open(Stream *stream, GError **error);
/* Start the thread. */
void stream_start(Stream *stream);
/* What the machine wants.  Belongs to @stream. */
CharBackend *stream_backend(Stream *stream);
/* Write out what waits, for at most STREAM_DRAIN_MS, and close.  The device has let go of it.
 * @stream may be NULL. */
void stream_free(Stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stream, stream_free)
