/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what clients of insulad may take, each with its reason.
 */
#pragma once

enum {
    CLIENTS_MAX = 5000,           /* connections at once: libvirt's */
    CLIENTS_READ_ONLY_MAX = 2500, /* of the read-only socket, which is everybody's: half */
    STRANGERS_MAX = 20,           /* of a socket, that have not opened their connection yet */
    STRANGER_SECONDS = 10,        /* to do so */
    CALLS_MAX = 5,                /* of one client, that are being worked on */
    CALLS_HELD_MAX = 32,          /* more of them, read but not begun, so that pings pass */
    CALLS_HELD_BYTES = 1 << 20,   /* and their bytes */
    WORKERS_MAX = 20,
    WORKERS_PRIORITY_MAX = 5,
    OUT_HELD_BYTES = 1 << 20,    /* unsent: then nothing more is read from who doesn't read */
    OUT_MAX_BYTES = 64 << 20,    /* unsent: then who doesn't read his events is cut off */
    READ_ONLY_MESSAGE = 1 << 20, /* bytes of a message by the read-only socket: nothing is longer */
    UNREAD_MAX = 256 << 20,      /* bytes of messages that aren't whole, of all clients together */
    REGISTRATIONS_MAX = 256,   /* events that one client has registered for: eight times virsh's */
    STREAMS_MAX = 16,          /* of one client: each has a thread */
    STREAMS_ALL_MAX = 256,     /* of all clients */
    STREAMS_ENDED_MAX = 16,    /* that ended here and whose end the client may still answer */
    STREAM_IN_BYTES = 1 << 20, /* of a stream, unread: then its client waits */
    KEEPALIVE_SECONDS = 5,     /* between pings of who is silent: libvirt's */
    KEEPALIVE_MISSES = 5,      /* pings without an answer, then he has gone */
    FEATURE_KEEPALIVE = 10,    /* asking for it says that one answers pings */
};
