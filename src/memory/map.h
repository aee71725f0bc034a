/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One flat address space, made from windows: for memory.c alone.
 *
 * A map is a sorted table of parts that don't overlap.  Readers take no lock: there are two tables
 * and a count of versions, whose lowest bit says which of the two is good.  The writer fills the
 * other and then counts up; a reader that finds the count changed behind its back looks again.
 *
 * Threads: map_find and map_next from any; the rest under the owner's lock.
 */
#pragma once

#include "memory/memory.h"

/* Addresses end here: more than any CPU has, and sums don't overflow. */
#define MAP_END (UINT64_C(1) << 52)

struct GmWindow {
    /* fixed after create */
    GmWindowConfig config;
    uint64_t limit; /* the first address that isn't in its space */
    /* lock: the GuestMemory's */
    uint64_t base;
    bool shown;
};

/* What stands at [start, start + size). */
typedef struct MapPart {
    uint64_t start, size;
    uint64_t origin; /* where its window begins */
    uint8_t *hva;    /* of start; NULL: registers */
    const GmWindow *window;
} MapPart;

/* An array of them with its length; everything in it is atomic. */
typedef struct MapTable {
    size_t n, largest;
    MapPart parts[];
} MapTable;

typedef struct Map {
    MapTable *tables[2]; /* atomic; each has room for .capacity parts */
    size_t capacity;
    GPtrArray *old;   /* tables that were too small, which a reader may still look at */
    uint64_t version; /* atomic */
} Map;

void map_init(Map *map);
void map_clear(Map *map);
/* Make room for @windows of them. */
void map_reserve(Map *map, size_t windows);
/* Make a new version from those of @windows (of GmWindow *) that are shown and have .ports as
 * @ports says; calls @changed for each range where RAM differs from before. */
void map_build(Map *map, const GPtrArray *windows, bool ports, GmChangedFn changed, void *opaque);
/* The part that holds @address; false: there is none. */
bool map_find(const Map *map, uint64_t address, MapPart *ret_part);
/* The first part that ends above @address. */
bool map_next(const Map *map, uint64_t address, MapPart *ret_part);

static inline bool window_is_writable(const GmWindow *window)
{
    return window->config.block && !window->config.read_only;
}
