/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP's framing: where in a stream of bytes a message ends.
 *
 * A message is a JSON object and ends with its last brace; most clients send a line for each, but
 * the protocol doesn't ask for it.  What can't be a message is broken once, and then skipped to
 * the end of its line.  The byte FFh, which JSON never has, drops what came before: a client that
 * doesn't know where it is sends it first.
 *
 * Threads: a framer belongs to one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct QmpFramer {
    GString *text; /* of the message so far; whole after QMP_FRAME_MESSAGE */
    unsigned depth;
    bool in_string, escaped, skipping, whole;
} QmpFramer;

typedef enum QmpFrame {
    QMP_FRAME_NONE,    /* more bytes are needed */
    QMP_FRAME_MESSAGE, /* .text is one, until the next byte */
    QMP_FRAME_BROKEN,  /* too long, too deep, or dropped by the client */
} QmpFrame;

void qmp_framer_init(QmpFramer *framer);
void qmp_framer_clear(QmpFramer *framer);
QmpFrame qmp_framer_byte(QmpFramer *framer, uint8_t byte);
