/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From windows to a flat map, see map.h.
 */
#include "memory/map.h"

#include "common/bits.h"

void map_init(Map *map)
{
    *map = (Map){ .old = g_ptr_array_new_with_free_func(g_free) };
    map_reserve(map, 0);
}

void map_clear(Map *map)
{
    g_free(map->tables[0]);
    g_free(map->tables[1]);
    g_ptr_array_free(map->old, TRUE);
}

void map_reserve(Map *map, size_t windows)
{
    size_t needed = 2 * windows + 1; /* each window's edges make at most two parts more */

    if (needed <= map->capacity) {
        return;
    }
    needed *= 2;
    for (unsigned i = 0; i < 2; i++) {
        MapTable *old = map->tables[i];
        MapTable *table = g_malloc0(sizeof(MapTable) + needed * sizeof(MapPart));
        if (old) {
            table->n = old->n;
            memcpy(table->parts, old->parts, old->n * sizeof(MapPart));
            g_ptr_array_add(map->old, old);
        }
        __atomic_store_n(&map->tables[i], table, __ATOMIC_RELEASE);
    }
    map->capacity = needed;
}

/* --- building --- */

static gint by_value(gconstpointer a, gconstpointer b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The window that is seen at @address, or NULL. */
static const GmWindow *seen_at(const GPtrArray *windows, bool ports, uint64_t address)
{
    const GmWindow *best = NULL;

    for (guint i = 0; i < windows->len; i++) {
        const GmWindow *window = g_ptr_array_index(windows, i);
        if (window->shown && window->config.ports == ports &&
            address - window->base < window->config.io.size &&
            (!best || window->config.priority > best->config.priority)) {
            best = window;
        }
    }
    return best;
}

static MapPart part_of(const GmWindow *window, uint64_t start, uint64_t size)
{
    const RamBlock *block = window->config.block;

    return (MapPart){
        .start = start,
        .size = size,
        .origin = window->base,
        .hva = block ? block->hva + window->config.offset + (start - window->base) : NULL,
        .window = window,
    };
}

/* Whether @next goes on where @part ends, so that both are one. */
static bool continues(const MapPart *part, const MapPart *next)
{
    if (part->start + part->size != next->start) {
        return false;
    }
    if (part->window == next->window) {
        return true;
    }
    return part->hva && next->hva == part->hva + part->size && window_is_writable(part->window) &&
           window_is_writable(next->window);
}

/* Where windows begin and end, sorted. */
static GArray *edges_of(const GPtrArray *windows, bool ports)
{
    GArray *edges = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (guint i = 0; i < windows->len; i++) {
        const GmWindow *window = g_ptr_array_index(windows, i);
        if (window->shown && window->config.ports == ports) {
            uint64_t end = window->base + window->config.io.size;
            g_array_append_val(edges, window->base);
            g_array_append_val(edges, end);
        }
    }
    g_array_sort(edges, by_value);
    return edges;
}

/* An element that readers may look at meanwhile: whoever sees a new field also sees, when it looks
 * for it, that the version has changed. */
static void publish(MapPart *to, const MapPart *from)
{
    __atomic_store_n(&to->start, from->start, __ATOMIC_RELEASE);
    __atomic_store_n(&to->size, from->size, __ATOMIC_RELEASE);
    __atomic_store_n(&to->origin, from->origin, __ATOMIC_RELEASE);
    __atomic_store_n(&to->hva, from->hva, __ATOMIC_RELEASE);
    __atomic_store_n(&to->window, from->window, __ATOMIC_RELEASE);
}

static void fill(MapTable *table, const GPtrArray *windows, bool ports)
{
    g_autoptr(GArray) edges = edges_of(windows, ports);
    MapPart last = { 0 };
    size_t n = 0, largest = 0;

    for (guint i = 0; i + 1 < edges->len; i++) {
        uint64_t start = g_array_index(edges, uint64_t, i);
        uint64_t size = g_array_index(edges, uint64_t, i + 1) - start;
        const GmWindow *window = size ? seen_at(windows, ports, start) : NULL;
        if (!window) {
            continue;
        }
        MapPart part = part_of(window, start, size);
        if (n && continues(&last, &part)) {
            last.size += size;
        } else {
            last = part;
            n++;
        }
        publish(&table->parts[n - 1], &last);
        largest = last.size > table->parts[largest].size ? n - 1 : largest;
    }
    __atomic_store_n(&table->largest, largest, __ATOMIC_RELEASE);
    __atomic_store_n(&table->n, n, __ATOMIC_RELEASE);
}

/* --- comparing --- */

/* A walk along a version. */
typedef struct Walk {
    const MapTable *table;
    size_t at;
} Walk;

/* What RAM is at @address, and up to where that holds. */
typedef struct Ground {
    const uint8_t *hva; /* NULL: none */
    bool writable;
    uint64_t end;
} Ground;

static Ground ground_at(Walk *walk, uint64_t address)
{
    const MapPart *part = &walk->table->parts[walk->at];

    while (walk->at < walk->table->n && part->start + part->size <= address) {
        walk->at++;
        part++;
    }
    if (walk->at == walk->table->n) {
        return (Ground){ .end = MAP_END };
    }
    if (part->start > address) {
        return (Ground){ .end = part->start };
    }
    return (Ground){
        .hva = part->hva ? part->hva + (address - part->start) : NULL,
        .writable = part->hva && window_is_writable(part->window),
        .end = part->start + part->size,
    };
}

static void compare(Walk a, Walk b, GmChangedFn changed, void *opaque)
{
    uint64_t from = 0, end = 0; /* a difference that waits for its end */

    for (uint64_t at = 0; at < MAP_END;) {
        Ground x = ground_at(&a, at), y = ground_at(&b, at);
        uint64_t next = MIN(x.end, y.end);
        if (x.hva != y.hva || x.writable != y.writable) {
            if (end != at && end > from) {
                changed(opaque, from, end - from);
            }
            from = end == at && end > from ? from : at;
            end = next;
        }
        at = next;
    }
    if (end > from) {
        changed(opaque, from, end - from);
    }
}

void map_build(Map *map, const GPtrArray *windows, bool ports, GmChangedFn changed, void *opaque)
{
    const MapTable *old = map->tables[map->version & 1];
    MapTable *new = map->tables[~map->version & 1];

    fill(new, windows, ports);
    __atomic_store_n(&map->version, map->version + 1, __ATOMIC_RELEASE);
    if (changed) {
        compare((Walk){ old, 0 }, (Walk){ new, 0 }, changed, opaque);
    }
}

/* --- finding --- */

static MapPart load(const MapPart *part)
{
    return (MapPart){
        .start = __atomic_load_n(&part->start, __ATOMIC_ACQUIRE),
        .size = __atomic_load_n(&part->size, __ATOMIC_ACQUIRE),
        .origin = __atomic_load_n(&part->origin, __ATOMIC_ACQUIRE),
        .hva = __atomic_load_n(&part->hva, __ATOMIC_ACQUIRE),
        .window = __atomic_load_n(&part->window, __ATOMIC_ACQUIRE),
    };
}

/* The index of the first part that begins above @address. */
static size_t search(const MapTable *table, size_t n, uint64_t address)
{
    size_t low = 0;

    while (low < n) {
        size_t middle = (low + n) / 2;
        if (__atomic_load_n(&table->parts[middle].start, __ATOMIC_ACQUIRE) <= address) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

/* Most addresses are in the part that most of the memory is in. */
static bool is_in_largest(const MapTable *table, uint64_t address, MapPart *ret_part)
{
    *ret_part = load(&table->parts[__atomic_load_n(&table->largest, __ATOMIC_ACQUIRE)]);
    return address - ret_part->start < ret_part->size;
}

/* The part that holds @address; else, if @or_next, the one behind it. */
static bool look(const Map *map, uint64_t address, bool or_next, MapPart *ret_part)
{
    for (;;) {
        uint64_t version = __atomic_load_n(&map->version, __ATOMIC_ACQUIRE);
        const MapTable *table = __atomic_load_n(&map->tables[version & 1], __ATOMIC_ACQUIRE);
        size_t n = __atomic_load_n(&table->n, __ATOMIC_ACQUIRE);
        MapPart part = { 0 };
        bool found = n && is_in_largest(table, address, &part);
        if (!found) {
            size_t behind = search(table, n, address);
            if (behind) {
                part = load(&table->parts[behind - 1]);
            }
            found = behind && address - part.start < part.size;
            if (!found && or_next && behind < n) {
                part = load(&table->parts[behind]);
                found = true;
            }
        }
        if (__atomic_load_n(&map->version, __ATOMIC_ACQUIRE) == version) {
            *ret_part = part;
            return found;
        }
    }
}

bool map_find(const Map *map, uint64_t address, MapPart *ret_part)
{
    return look(map, address, false, ret_part);
}

bool map_next(const Map *map, uint64_t address, MapPart *ret_part)
{
    return look(map, address, true, ret_part);
}
