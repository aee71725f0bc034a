/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slices of an image's tables in memory, in a bounded number: L2 tables in one cache, reference
 * counts in another.
 *
 * Who changes metadata holds the image's lock, and alone loads, changes and writes slices.
 * Readers hold the cache's lock only, for as long as they look; so they never wait for I/O.
 *
 * A slice that was changed stays until it is written.  When no other is left to make room, the
 * image writes all of them, in the order that its format needs (flush.c).
 *
 * Threads: as each function says.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/file.h"

typedef struct Qcow2Slot {
    uint64_t offset; /* in the file; 0: empty */
    uint8_t *bytes;
    int next;    /* of the same bucket; -1: none */
    bool dirty;  /* the image's lock */
    bool recent; /* atomic: was used since the hand passed */
} Qcow2Slot;

typedef struct Qcow2Cache {
    /* fixed after init */
    uint32_t slice; /* bytes of a slot, a power of two */
    unsigned n_slots, n_buckets;
    GMutex lock;
    /* written with the image's lock and .lock held, read with either */
    Qcow2Slot *slots;
    int *buckets; /* -1: empty */
    /* the image's lock */
    unsigned hand, n_used, n_dirty;
} Qcow2Cache;

/* @bytes: how much memory the slots may take. */
void qcow2_cache_init(Qcow2Cache *cache, uint32_t slice, size_t bytes);
void qcow2_cache_clear(Qcow2Cache *cache);

/* The slice at @offset if it is there, else NULL.  Lock: cache->lock, while it is looked at. */
const uint8_t *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset);
/* The same, loaded if it is not there.  Lock: the image's.  0 or -errno; -ENOBUFS: all others are
 * dirty, write them first.  *@ret_bytes holds until the next call. */
int qcow2_cache_get(Qcow2Cache *cache, BlkFile *file, uint64_t offset, uint8_t **ret_bytes);
/* The slice at @offset, which is there, changes: @len bytes at @at become @bytes.  Lock: the
 * image's. */
void qcow2_cache_store(Qcow2Cache *cache, uint64_t offset, uint32_t at, const void *bytes,
                       uint32_t len);
/* Forget what is cached of a range, changed or not.  Lock: the image's. */
void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t len);
/* The same for all of it. */
void qcow2_cache_forget(Qcow2Cache *cache);
/* Write all that was changed.  Lock: the image's.  0 or -errno; what is not written stays
 * dirty. */
int qcow2_cache_write(Qcow2Cache *cache, BlkFile *file);
