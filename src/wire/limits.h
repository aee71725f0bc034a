/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a peer may send, each with its reason.
 */
#pragma once

enum {
    WIRE_JSON_MAX = 1 << 20, /* bytes of one message: a thousand times what a command needs */
    WIRE_JSON_DEPTH = 64,    /* our own answers need 8; parsers recurse */

    WIRE_MESSAGE_MAX = 32 << 20,  /* bytes of an RPC message with all that is in it: libvirt's */
    WIRE_TEXT_MAX = 4 << 20,      /* bytes of a text or of opaque data: libvirt's */
    WIRE_ROW_MAX = 1 << 16,       /* elements of a row: four times the domains libvirt lists */
    WIRE_FDS_MAX = 32,            /* descriptors with a message: libvirt's */
    WIRE_READ = 64 << 10,         /* bytes taken from a socket at once */
    WIRE_READ_FIRST = 4 << 10,    /* the same, where a message begins: most are shorter */
    WIRE_STREAM_CHUNK = 256 << 10 /* bytes of a stream that we send at once, and its header */
};
