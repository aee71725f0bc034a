/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of characters between a device (UART, virtio-console port) and the world outside the
 * machine (terminal, socket, file).  Neither side ever waits for the other: each takes what it has
 * room for, says how much that was, and tells the other when there is room again.
 *
 *   device -> world   backend->write(...)  short?   later: listener->writable(...)
 *   world -> device   listener->input(...) short?   later: backend->resume(...)
 *
 * Threads: the device calls write and resume with its lock held, on any thread; the back end must
 * not call the listener from inside them.  The back end calls input and writable on a thread of
 * its own, with no lock held that write, resume or attach take; the device takes its own lock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The device's side: who gets the input. */
typedef struct CharListener {
    void *opaque;
    /* Takes as many of @len bytes as there is room for, and returns how many.  After a short
     * answer the back end keeps the rest and waits for resume. */
    size_t (*input)(void *opaque, const uint8_t *data, size_t len);
    /* There is room again after a short write. */
    void (*writable)(void *opaque);
} CharListener;

/* The world's side; embed it, or fill it in.  It outlives the device. */
typedef struct CharBackend {
    void *opaque;
    /* Takes as many of @len bytes as there is room for, and returns how many; never blocks. */
    size_t (*write)(void *opaque, const uint8_t *data, size_t len);
    /* The device has room for input again, after a short answer of input. */
    void (*resume)(void *opaque);
    /* Who listens from now on; NULL: nobody (the device goes away): after return neither function
     * of the former listener runs or will run.  @listener stays valid until then.  Called with no
     * lock held. */
    void (*attach)(void *opaque, const CharListener *listener);
} CharBackend;
