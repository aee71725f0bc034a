/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and pointer movements on their way to devices, see input.h.
 */
#include "display/input.h"

#include <string.h>

struct Input {
    GMutex lock;
    /* lock: lock */
    GPtrArray *sinks; /* of const InputSink, in the order in which they were added */
    bool down[INPUT_KEYS];
    unsigned buttons;
    int x, y; /* the last position: 0 to INPUT_AXIS_MAX */
    int pixel_x, pixel_y;
    bool has_pixel; /* .pixel_x, .pixel_y hold the last position in pixels */
    unsigned width, height;
};

Input *input_new(void)
{
    Input *input = g_new0(Input, 1);

    g_mutex_init(&input->lock);
    input->sinks = g_ptr_array_new();
    input->x = input->y = INPUT_AXIS_MAX / 2;
    input->width = 640;
    input->height = 480;
    return input;
}

void input_free(Input *input)
{
    if (!input) {
        return;
    }
    g_assert(input->sinks->len == 0);
    g_ptr_array_free(input->sinks, TRUE);
    g_mutex_clear(&input->lock);
    g_free(input);
}

void input_add(Input *input, const InputSink *sink)
{
    g_mutex_lock(&input->lock);
    g_ptr_array_add(input->sinks, (gpointer)sink);
    g_mutex_unlock(&input->lock);
}

void input_remove(Input *input, const InputSink *sink)
{
    g_mutex_lock(&input->lock);
    g_ptr_array_remove(input->sinks, (gpointer)sink);
    g_mutex_unlock(&input->lock);
}

/* The sink for keys, or for the pointer; NULL: none.  Lock: held. */
static const InputSink *find(const Input *input, bool keyboard)
{
    for (guint i = input->sinks->len; i > 0; i--) {
        const InputSink *sink = g_ptr_array_index(input->sinks, i - 1);
        bool takes = keyboard ? sink->key != NULL : sink->pointer != NULL;
        if (takes && (!sink->ready || sink->ready(sink->opaque))) {
            return sink;
        }
    }
    return NULL;
}

/* Lock: held. */
static void send_key(Input *input, unsigned code, bool down)
{
    const InputSink *sink = find(input, true);

    input->down[code] = down;
    if (sink) {
        sink->key(sink->opaque, code, down);
    }
}

void input_key(Input *input, unsigned code, bool down)
{
    if (code == 0 || code >= INPUT_KEYS) {
        return;
    }
    g_mutex_lock(&input->lock);
    if (down || input->down[code]) {
        send_key(input, code, down);
    }
    g_mutex_unlock(&input->lock);
}

static int scale(int at, unsigned size)
{
    return size > 1 ? (int)((int64_t)at * INPUT_AXIS_MAX / (int64_t)(size - 1)) : 0;
}

/* Lock: held. */
static void send_pointer(Input *input, const InputSink *sink, int dx, int dy, int wheel)
{
    InputPointer pointer = {
        .absolute = sink->absolute,
        .x = sink->absolute ? input->x : dx,
        .y = sink->absolute ? input->y : dy,
        .wheel = wheel,
        .buttons = input->buttons,
    };

    sink->pointer(sink->opaque, &pointer);
}

void input_pointer_at(Input *input, const InputPosition *at, unsigned buttons, int wheel)
{
    unsigned width = CLAMP(at->width, 1, INT16_MAX), height = CLAMP(at->height, 1, INT16_MAX);
    int x = CLAMP(at->x, 0, (int)width - 1), y = CLAMP(at->y, 0, (int)height - 1);

    g_mutex_lock(&input->lock);
    int dx = input->has_pixel ? x - input->pixel_x : 0;
    int dy = input->has_pixel ? y - input->pixel_y : 0;
    input->pixel_x = x;
    input->pixel_y = y;
    input->has_pixel = true;
    input->width = width;
    input->height = height;
    input->x = scale(x, width);
    input->y = scale(y, height);
    input->buttons = buttons;
    const InputSink *sink = find(input, false);
    if (sink) {
        send_pointer(input, sink, dx, dy, wheel);
    }
    g_mutex_unlock(&input->lock);
}

void input_pointer_by(Input *input, int dx, int dy, unsigned buttons, int wheel)
{
    dx = CLAMP(dx, -INT16_MAX, INT16_MAX);
    dy = CLAMP(dy, -INT16_MAX, INT16_MAX);
    g_mutex_lock(&input->lock);
    input->x = CLAMP(input->x + scale(dx, input->width), 0, INPUT_AXIS_MAX);
    input->y = CLAMP(input->y + scale(dy, input->height), 0, INPUT_AXIS_MAX);
    input->has_pixel = false;
    input->buttons = buttons;
    const InputSink *sink = find(input, false);
    if (sink) {
        send_pointer(input, sink, dx, dy, wheel);
    }
    g_mutex_unlock(&input->lock);
}

void input_release_all(Input *input)
{
    g_mutex_lock(&input->lock);
    for (unsigned code = 0; code < INPUT_KEYS; code++) {
        if (input->down[code]) {
            send_key(input, code, false);
        }
    }
    const InputSink *sink = find(input, false);
    if (input->buttons) {
        input->buttons = 0;
        if (sink) {
            send_pointer(input, sink, 0, 0, 0);
        }
    }
    g_mutex_unlock(&input->lock);
}

bool input_is_absolute(Input *input)
{
    g_mutex_lock(&input->lock);
    const InputSink *sink = find(input, false);
    bool absolute = sink && sink->absolute;
    g_mutex_unlock(&input->lock);
    return absolute;
}
