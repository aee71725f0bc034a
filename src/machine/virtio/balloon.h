/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon, see balloon.c.
 *
 * Threads: any, but for making one.
 */
#pragma once

#include "machine/virtio/virtio.h"

/* What a guest says about its memory (virtio 1.2, 5.5.6.3), by tag. */
typedef enum BalloonStat {
    BALLOON_SWAP_IN,
    BALLOON_SWAP_OUT,
    BALLOON_MAJOR_FAULTS,
    BALLOON_MINOR_FAULTS,
    BALLOON_FREE,
    BALLOON_TOTAL,
    BALLOON_AVAILABLE,
    BALLOON_CACHES,
    BALLOON_HUGE_ALLOCATIONS,
    BALLOON_HUGE_FAILURES,
    BALLOON_STATS,
} BalloonStat;

typedef struct BalloonStats {
    uint64_t values[BALLOON_STATS]; /* all ones: the guest hasn't said */
    uint64_t time_s;                /* of the host's clock, since 1970; 0: never */
} BalloonStats;

extern const VirtioClass virtio_balloon_class;

typedef struct VirtioBalloonConfig {
    uint64_t ram_size;
    /* The guest has another size now; with the device's lock held, on a vCPU's thread.  NULL:
     * nobody wants to know. */
    void (*changed)(void *opaque);
    void *opaque;
} VirtioBalloonConfig;

VirtioDev *virtio_balloon_new(const VirtioSlot *slot, const VirtioBalloonConfig *config);
/* Ask the guest to make do with @size bytes: more than its RAM is as much. */
void virtio_balloon_set_target(VirtioDev *dev, uint64_t size);
/* What it has, by its own account. */
uint64_t virtio_balloon_actual(VirtioDev *dev);
/* A guest drives it. */
bool virtio_balloon_is_active(VirtioDev *dev);
/* Have the guest tell of its memory every @seconds; 0: no longer. */
void virtio_balloon_poll(VirtioDev *dev, unsigned seconds);
unsigned virtio_balloon_interval(VirtioDev *dev);
BalloonStats virtio_balloon_stats(VirtioDev *dev);
