/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture that a machine shows, see display.h.
 *
 * Damage is kept by tiles: each remembers the number of the drawing that last changed it, and a
 * view the number of the last drawing that it saw.
 */
#include "display/display.h"

#include <string.h>

enum { TILE_WIDTH = 64, TILE_HEIGHT = 16, FIRST_WIDTH = 640, FIRST_HEIGHT = 480 };

struct Display {
    GMutex source_lock;
    DisplaySource source; /* lock: source_lock; .refresh NULL: none */
    GMutex lock;
    /* lock: lock */
    DisplayImage image;
    uint32_t *pixels; /* = image.pixels, writable */
    uint64_t drawing; /* number of the current or last drawing */
    unsigned columns, rows;
    uint64_t *tiles; /* [rows][columns]: the last drawing that changed it */
};

struct DisplayView {
    Display *display; /* fixed after create */
    uint64_t seen;    /* lock: display->lock; number of the last drawing that was seen */
};

static unsigned tiles_of(unsigned pixels, unsigned size)
{
    return (pixels + size - 1) / size;
}

/* A black picture of a new size, all of it damaged. */
static void resize(Display *display, unsigned width, unsigned height)
{
    g_free(display->pixels);
    g_free(display->tiles);
    display->pixels = g_new0(uint32_t, (size_t)width * height);
    display->image = (DisplayImage){ width, height, display->pixels };
    display->columns = tiles_of(width, TILE_WIDTH);
    display->rows = tiles_of(height, TILE_HEIGHT);
    display->tiles = g_new(uint64_t, (size_t)display->columns * display->rows);
    for (size_t i = 0; i < (size_t)display->columns * display->rows; i++) {
        display->tiles[i] = display->drawing;
    }
}

Display *display_new(void)
{
    Display *display = g_new0(Display, 1);

    g_mutex_init(&display->source_lock);
    g_mutex_init(&display->lock);
    display->drawing = 1;
    resize(display, FIRST_WIDTH, FIRST_HEIGHT);
    return display;
}

void display_free(Display *display)
{
    if (!display) {
        return;
    }
    g_mutex_clear(&display->source_lock);
    g_mutex_clear(&display->lock);
    g_free(display->pixels);
    g_free(display->tiles);
    g_free(display);
}

void display_attach(Display *display, const DisplaySource *source)
{
    g_mutex_lock(&display->source_lock);
    display->source = source ? *source : (DisplaySource){ 0 };
    g_mutex_unlock(&display->source_lock);
}

void display_begin(Display *display, unsigned width, unsigned height)
{
    g_assert(width > 0 && width <= DISPLAY_MAX_WIDTH && height > 0 &&
             height <= DISPLAY_MAX_HEIGHT && width * height <= DISPLAY_MAX_PIXELS);
    g_mutex_lock(&display->lock);
    display->drawing++;
    if (width != display->image.width || height != display->image.height) {
        resize(display, width, height);
    }
}

void display_put(Display *display, unsigned x, unsigned y, const uint32_t *pixels, unsigned n)
{
    const DisplayImage *image = &display->image;

    if (y >= image->height || x >= image->width) {
        return;
    }
    unsigned end = x + MIN(n, image->width - x);
    uint32_t *row = display->pixels + (size_t)y * image->width;
    uint64_t *tiles = display->tiles + (size_t)(y / TILE_HEIGHT) * display->columns;
    for (unsigned at = x, next; at < end; at = next) {
        next = MIN(end, (at / TILE_WIDTH + 1) * TILE_WIDTH);
        size_t len = (next - at) * sizeof(*row);
        if (memcmp(row + at, pixels + (at - x), len) != 0) {
            memcpy(row + at, pixels + (at - x), len);
            tiles[at / TILE_WIDTH] = display->drawing;
        }
    }
}

void display_end(Display *display)
{
    g_mutex_unlock(&display->lock);
}

void display_refresh(Display *display)
{
    g_mutex_lock(&display->source_lock);
    if (display->source.refresh) {
        display->source.refresh(display->source.opaque, display);
    }
    g_mutex_unlock(&display->source_lock);
}

bool display_want_size(Display *display, unsigned width, unsigned height)
{
    bool can_be = width > 0 && width <= DISPLAY_MAX_WIDTH && height > 0 &&
                  height <= DISPLAY_MAX_HEIGHT && width * height <= DISPLAY_MAX_PIXELS;

    g_mutex_lock(&display->source_lock);
    const DisplaySource *source = &display->source;
    bool told = can_be && source->want_size && source->want_size(source->opaque, width, height);
    g_mutex_unlock(&display->source_lock);
    return told;
}

const DisplayImage *display_lock(Display *display)
{
    g_mutex_lock(&display->lock);
    return &display->image;
}

void display_unlock(Display *display)
{
    g_mutex_unlock(&display->lock);
}

DisplayView *display_view_new(Display *display)
{
    DisplayView *view = g_new0(DisplayView, 1);

    view->display = display;
    return view;
}

void display_view_free(DisplayView *view)
{
    g_free(view);
}

/* Rectangles under construction, in tiles. */
typedef struct Damage {
    DisplayRect *rects;
    unsigned n, max;
} Damage;

static void cover(DisplayRect *rect, const DisplayRect *other)
{
    unsigned right = MAX(rect->x + rect->width, other->x + other->width);
    unsigned bottom = MAX(rect->y + rect->height, other->y + other->height);

    rect->x = MIN(rect->x, other->x);
    rect->y = MIN(rect->y, other->y);
    rect->width = right - rect->x;
    rect->height = bottom - rect->y;
}

/* Add a run of tiles of one row: below a rectangle of the same columns it makes that taller.  With
 * no room left, everything becomes one rectangle, so that none overlap. */
static void add_run(Damage *damage, const DisplayRect *run)
{
    for (unsigned i = 0; i < damage->n; i++) {
        DisplayRect *rect = &damage->rects[i];
        if (rect->x == run->x && rect->width == run->width && rect->y + rect->height == run->y) {
            rect->height++;
            return;
        }
    }
    if (damage->n < damage->max) {
        damage->rects[damage->n++] = *run;
        return;
    }
    for (unsigned i = 1; i < damage->n; i++) {
        cover(&damage->rects[0], &damage->rects[i]);
    }
    cover(&damage->rects[0], run);
    damage->n = damage->max = 1;
}

static void collect_row(const DisplayView *view, unsigned row, Damage *damage)
{
    const Display *display = view->display;
    const uint64_t *tiles = display->tiles + (size_t)row * display->columns;

    for (unsigned column = 0; column < display->columns; column++) {
        unsigned first = column;
        while (column < display->columns && tiles[column] > view->seen) {
            column++;
        }
        if (column > first) {
            add_run(damage, &(DisplayRect){ first, row, column - first, 1 });
        }
    }
}

/* From tiles to pixels, cut to the picture. */
static void scale(const DisplayImage *image, DisplayRect *rect)
{
    rect->x *= TILE_WIDTH;
    rect->y *= TILE_HEIGHT;
    rect->width = MIN(rect->width * TILE_WIDTH, image->width - rect->x);
    rect->height = MIN(rect->height * TILE_HEIGHT, image->height - rect->y);
}

unsigned display_view_damage(DisplayView *view, DisplayRect *ret_rects, unsigned max)
{
    Display *display = view->display;
    Damage damage = { .rects = ret_rects, .max = max };

    for (unsigned row = 0; row < display->rows; row++) {
        collect_row(view, row, &damage);
    }
    for (unsigned i = 0; i < damage.n; i++) {
        scale(&display->image, &ret_rects[i]);
    }
    view->seen = display->drawing;
    return damage.n;
}
