/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person does at the keyboard and with the pointer, on its way from viewers (VNC, send-key)
 * to the machine's devices (PS/2, virtio-input, USB).
 *
 * Keys have the numbers of Linux's input event codes (KEY_A is 30; linux/input-event-codes.h).
 * Pointer positions are pixels of a picture of the size that comes with them.
 *
 * Of the devices that are ready, the one added last gets what it takes.  An absolute position that
 * only a relative device (a mouse) can take becomes a movement from the last one; a movement that
 * only an absolute device can take becomes a position.
 *
 * Threads: all functions from any thread.  A sink's functions run on the viewer's with the input's
 * lock held and take the device's; a device never calls in here with its lock held.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Input Input;

enum { INPUT_KEYS = 768 };       /* codes are below this */
enum { INPUT_AXIS_MAX = 32767 }; /* positions that a sink gets: 0 to this */

/* Buttons of a pointer, or-ed. */
enum {
    INPUT_LEFT = 1,
    INPUT_MIDDLE = 2,
    INPUT_RIGHT = 4,
    INPUT_SIDE = 8,
    INPUT_EXTRA = 16,
};

/* Where a pointer is now, and what it does. */
typedef struct InputPointer {
    bool absolute; /* .x, .y are a position from 0 to INPUT_AXIS_MAX; else a movement in pixels */
    int x, y;      /* right, down */
    int wheel;     /* notches since the last: up is positive */
    unsigned buttons;
} InputPointer;

/* A device that takes input. */
typedef struct InputSink {
    void *opaque;
    bool absolute;               /* .pointer wants positions, else movements */
    bool (*ready)(void *opaque); /* a guest's driver listens; NULL: always */
    void (*key)(void *opaque, unsigned code, bool down);        /* NULL: no keyboard */
    void (*pointer)(void *opaque, const InputPointer *pointer); /* NULL: no pointer */
} InputSink;

Input *input_new(void);
/* All sinks must have been removed.  @input may be NULL. */
void input_free(Input *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Input, input_free)

/* --- devices --- */

/* @sink stays valid until it is removed; after that none of its functions runs.  Not with the
 * device's lock held. */
void input_add(Input *input, const InputSink *sink);
void input_remove(Input *input, const InputSink *sink);

/* --- viewers --- */

/* A key goes down (again: it repeats) or up.  Unknown codes, and releases of what isn't down, are
 * dropped. */
void input_key(Input *input, unsigned code, bool down);
/* Everything that is down goes up, as when a viewer goes away. */
void input_release_all(Input *input);

/* The pointer at pixel (@x, @y) of a picture of @width by @height (clamped into it). */
typedef struct InputPosition {
    int x, y;
    unsigned width, height;
} InputPosition;
void input_pointer_at(Input *input, const InputPosition *at, unsigned buttons, int wheel);
/* The pointer moved by that many pixels. */
void input_pointer_by(Input *input, int dx, int dy, unsigned buttons, int wheel);
/* Whether positions are of use now: else a viewer may prefer movements. */
bool input_is_absolute(Input *input);
