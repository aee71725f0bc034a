/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk has done, counted: see blk_counters() in block.h.
 *
 * Threads: from any; numbers are read one by one, while others may grow.
 */
#include <errno.h>
#include <time.h>

#include "block/driver.h"

uint64_t blk_count_begin(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add(uint64_t *counter, uint64_t n)
{
    __atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

void blk_count_end(Blk *blk, BlkCountKind kind, uint64_t bytes, int result, uint64_t begun_ns)
{
    BlkCount *count = &blk->counters.kinds[kind];

    if (result == -EINVAL || result == -EROFS) {
        add(&count->invalid, 1);
    } else if (result < 0) {
        add(&count->failed, 1);
    } else {
        add(&count->requests, 1);
        add(&count->bytes, bytes);
        add(&count->time_ns, blk_count_begin() - begun_ns);
    }
}

void blk_counters(const Blk *blk, BlkCounters *ret)
{
    for (unsigned i = 0; i < BLK_COUNT_KINDS; i++) {
        const BlkCount *from = &blk->counters.kinds[i];
        ret->kinds[i] = (BlkCount){
            .requests = __atomic_load_n(&from->requests, __ATOMIC_RELAXED),
            .bytes = __atomic_load_n(&from->bytes, __ATOMIC_RELAXED),
            .time_ns = __atomic_load_n(&from->time_ns, __ATOMIC_RELAXED),
            .failed = __atomic_load_n(&from->failed, __ATOMIC_RELAXED),
            .invalid = __atomic_load_n(&from->invalid, __ATOMIC_RELAXED),
        };
    }
}
