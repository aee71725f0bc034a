/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a peer may send, each with its reason.
 */
#pragma once

enum {
    WIRE_JSON_MAX = 1 << 20, /* bytes of one message: a thousand times what a command needs */
    WIRE_JSON_DEPTH = 64,    /* our own answers need 8; parsers recurse */
};
