/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture that a machine shows: pixels of 32 bits (00RRGGBB), drawn by one source (a graphics
 * device), looked at by any number of viewers.
 *
 *   source   display_attach(display, &source)           once, by the device's maker
 *            .refresh(): display_begin(w, h); display_put(...) for what there is; display_end()
 *   viewer   view = display_view_new(display)
 *            display_refresh(display);                  the source draws
 *            image = display_lock(display);
 *            n = display_view_damage(view, rects, ...); what changed since this view last asked
 *            ... copy these parts of image->pixels ...
 *            display_unlock(display);
 *
 * display_put() compares with what is there, so a source may put all of its picture each time and
 * only what differs counts as damage.  A source that knows when something changes (not only when it
 * is asked) may draw at any time.
 *
 * Threads: all functions from any thread.  .refresh runs on the viewer's, without the picture's
 * lock.  Lock order: source lock (inside display_refresh) -> device -> picture (from begin to end,
 * from lock to unlock).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Display Display;
typedef struct DisplayView DisplayView;

/* More than any of our devices' modes; bounds the memory of a picture to 64 MiB. */
enum { DISPLAY_MAX_WIDTH = 8192, DISPLAY_MAX_HEIGHT = 8192, DISPLAY_MAX_PIXELS = 1 << 24 };

typedef struct DisplayRect {
    unsigned x, y, width, height;
} DisplayRect;

typedef struct DisplayImage {
    unsigned width, height;
    const uint32_t *pixels; /* .width of them in a row, rows without gaps */
} DisplayImage;

typedef struct DisplaySource {
    void *opaque;
    void (*refresh)(void *opaque, Display *display); /* draw what is shown now */
    /* The guest shall choose this size; whether it will be told.  NULL: it can't be. */
    bool (*want_size)(void *opaque, unsigned width, unsigned height);
} DisplaySource;

/* A black picture of 640 by 480 without a source. */
Display *display_new(void);
/* All views must have been freed and the source detached.  @display may be NULL. */
void display_free(Display *display);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Display, display_free)

/* --- sources --- */

/* Who draws from now on; @source is copied.  NULL: nobody, and after return .refresh of the former
 * doesn't run any more.  Not with the device's lock held. */
void display_attach(Display *display, const DisplaySource *source);
/* Begin to draw a picture of this size, 1 to the maxima; a new size makes it black first. */
void display_begin(Display *display, unsigned width, unsigned height);
/* Set @n pixels from (@x, @y) to the right; what lies outside the picture is cut off. */
void display_put(Display *display, unsigned x, unsigned y, const uint32_t *pixels, unsigned n);
void display_end(Display *display);

/* --- viewers --- */

/* Have the source bring the picture up to date. */
void display_refresh(Display *display);
/* Have the guest choose a picture of this size, if it likes; false: it can't, or the size can't
 * be. */
bool display_want_size(Display *display, unsigned width, unsigned height);
/* The picture as it is; valid until display_unlock(). */
const DisplayImage *display_lock(Display *display);
void display_unlock(Display *display);

/* A new view has seen nothing yet. */
DisplayView *display_view_new(Display *display);
void display_view_free(DisplayView *view); /* may be NULL */
/* With the picture locked: what has changed since this view's last call, as at most @max (not 0)
 * rectangles that don't overlap and lie inside the picture; more are merged.  After a change of
 * size it is all of it. */
unsigned display_view_damage(DisplayView *view, DisplayRect *ret_rects, unsigned max);
