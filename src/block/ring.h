/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of io_uring that can do one thing: read and write files that are open already.
 *
 * A ring does its work in the kernel, past the filters that a process puts on its own system
 * calls.  So this one is restricted before it is enabled: to vectored reads and writes, and to
 * nothing that io_uring_register(2) does.  Not even who owns the whole process opens a file or a
 * socket by it.
 *
 * Files are named by their descriptors, not registered: a registered file lives on for a while when
 * its process was killed, and so would the lock on its image.
 *
 * Threads: blk_ring_put(), blk_ring_submit() under a lock of the caller's; blk_ring_get() on one at
 * a time, without it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "block/host.h"

typedef struct BlkRing BlkRing;

/* NULL: the host refuses rings; why. */
BlkRing *blk_ring_new(GError **error);
/* No move may be in it.  @ring may be NULL. */
void blk_ring_free(BlkRing *ring);
/* Readable while moves have ended that blk_ring_get() did not give yet. */
int blk_ring_fd(const BlkRing *ring);

/* Put @move up; false: there is no room. */
bool blk_ring_put(BlkRing *ring, BlkMove *move);
/* Hand all that was put up to the kernel; false: it takes them not now. */
bool blk_ring_submit(BlkRing *ring);
/* A move that has ended, with .result; or NULL. */
BlkMove *blk_ring_get(BlkRing *ring);
