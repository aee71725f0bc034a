/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slices of tables in memory, see cache.h.
 */
#include "block/qcow2/cache.h"

#include <errno.h>
#include <string.h>

#include "block/limits.h"

void qcow2_cache_init(Qcow2Cache *cache, uint32_t slice, size_t bytes)
{
    size_t n = MAX(bytes / slice, QCOW2_SLOTS_MIN);

    *cache = (Qcow2Cache){ .slice = slice, .n_slots = (unsigned)n, .n_buckets = 1 };
    while (cache->n_buckets < n) {
        cache->n_buckets *= 2;
    }
    g_mutex_init(&cache->lock);
    cache->slots = g_new0(Qcow2Slot, cache->n_slots);
    cache->buckets = g_new(int, cache->n_buckets);
    memset(cache->buckets, 0xff, cache->n_buckets * sizeof(int));
}

void qcow2_cache_clear(Qcow2Cache *cache)
{
    if (!cache->slots) {
        return;
    }
    for (unsigned i = 0; i < cache->n_slots; i++) {
        g_free(cache->slots[i].bytes);
    }
    g_free(cache->slots);
    g_free(cache->buckets);
    g_mutex_clear(&cache->lock);
}

static unsigned bucket_of(const Qcow2Cache *cache, uint64_t offset)
{
    uint64_t hash = offset / cache->slice * UINT64_C(0x9e3779b97f4a7c15);

    return (unsigned)(hash >> 32) & (cache->n_buckets - 1);
}

static Qcow2Slot *find(Qcow2Cache *cache, uint64_t offset)
{
    for (int i = cache->buckets[bucket_of(cache, offset)]; i >= 0; i = cache->slots[i].next) {
        if (cache->slots[i].offset == offset) {
            return &cache->slots[i];
        }
    }
    return NULL;
}

const uint8_t *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Slot *slot = find(cache, offset);

    if (!slot) {
        return NULL;
    }
    __atomic_store_n(&slot->recent, true, __ATOMIC_RELAXED);
    return slot->bytes;
}

/* Lock: both. */
static void unlink_slot(Qcow2Cache *cache, Qcow2Slot *slot)
{
    int number = (int)(slot - cache->slots);
    int *at = &cache->buckets[bucket_of(cache, slot->offset)];

    while (*at != number) {
        at = &cache->slots[*at].next;
    }
    *at = slot->next;
    slot->offset = 0;
    cache->n_dirty -= slot->dirty;
    slot->dirty = false;
}

/* A slot that may be filled, out of the table; NULL: all are dirty. */
static Qcow2Slot *take_slot(Qcow2Cache *cache)
{
    if (cache->n_used < cache->n_slots) {
        return &cache->slots[cache->n_used++];
    }
    if (cache->n_dirty == cache->n_slots) {
        return NULL;
    }
    for (;;) {
        Qcow2Slot *slot = &cache->slots[cache->hand];
        cache->hand = (cache->hand + 1) % cache->n_slots;
        if (!slot->offset) {
            return slot;
        }
        if (!slot->dirty && !__atomic_load_n(&slot->recent, __ATOMIC_RELAXED)) {
            g_mutex_lock(&cache->lock);
            unlink_slot(cache, slot);
            g_mutex_unlock(&cache->lock);
            return slot;
        }
        __atomic_store_n(&slot->recent, false, __ATOMIC_RELAXED);
    }
}

int qcow2_cache_get(Qcow2Cache *cache, BlkFile *file, uint64_t offset, uint8_t **ret_bytes)
{
    Qcow2Slot *slot = find(cache, offset);

    if (slot) {
        __atomic_store_n(&slot->recent, true, __ATOMIC_RELAXED);
        *ret_bytes = slot->bytes;
        return 0;
    }
    slot = take_slot(cache);
    if (!slot) {
        return -ENOBUFS;
    }
    slot->bytes = slot->bytes ? slot->bytes : g_try_malloc(cache->slice);
    int result =
        slot->bytes ? blk_file_read_padded(file, offset, slot->bytes, cache->slice) : -ENOMEM;
    if (result) {
        return result; /* the slot stays empty: take_slot() finds it */
    }
    g_mutex_lock(&cache->lock);
    unsigned bucket = bucket_of(cache, offset);
    slot->offset = offset;
    __atomic_store_n(&slot->recent, true, __ATOMIC_RELAXED);
    slot->next = cache->buckets[bucket];
    cache->buckets[bucket] = (int)(slot - cache->slots);
    g_mutex_unlock(&cache->lock);
    *ret_bytes = slot->bytes;
    return 0;
}

void qcow2_cache_store(Qcow2Cache *cache, uint64_t offset, uint32_t at, const void *bytes,
                       uint32_t len)
{
    Qcow2Slot *slot = find(cache, offset);

    g_assert(slot && len <= cache->slice - at);
    g_mutex_lock(&cache->lock);
    memcpy(slot->bytes + at, bytes, len);
    cache->n_dirty += !slot->dirty;
    slot->dirty = true;
    g_mutex_unlock(&cache->lock);
}

void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len;

    g_mutex_lock(&cache->lock);
    for (; offset < end; offset += cache->slice) {
        Qcow2Slot *slot = find(cache, offset);
        if (slot) {
            unlink_slot(cache, slot);
        }
    }
    g_mutex_unlock(&cache->lock);
}

void qcow2_cache_forget(Qcow2Cache *cache)
{
    g_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < cache->n_used; i++) {
        if (cache->slots[i].offset) {
            unlink_slot(cache, &cache->slots[i]);
        }
    }
    g_mutex_unlock(&cache->lock);
}

int qcow2_cache_write(Qcow2Cache *cache, BlkFile *file)
{
    int result = 0;

    for (unsigned i = 0; i < cache->n_used && cache->n_dirty && !result; i++) {
        Qcow2Slot *slot = &cache->slots[i];
        if (!slot->dirty) {
            continue;
        }
        result = blk_file_write(file, slot->offset, slot->bytes, cache->slice);
        if (!result) {
            slot->dirty = false;
            cache->n_dirty--;
        }
    }
    return result;
}
