/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a disk image may ask of us, each with its reason.
 */
#pragma once

enum {
    /* Images based on each other: each is an open file and a look-up more for each read. */
    BLK_CHAIN_MAX = 200,
    /* Moves that are handed to a ring at once: as many as a guest's queue holds. */
    BLK_RING_ENTRIES = 128,
    /* Threads for what may wait: beside a ring, for metadata and syncs; alone, for all. */
    BLK_THREADS_BESIDE_RING = 4,
    BLK_THREADS_ALONE = 8,
    /* Pieces of the file that one request may be in, and buffers that these have; more, and a
     * thread does it piece by piece. */
    BLK_REQUEST_MOVES = 8,
    BLK_REQUEST_IOV = 40,
    /* The format's own: a cluster holds the header, and its offsets have room for these. */
    QCOW2_CLUSTER_BITS_MIN = 9,
    QCOW2_CLUSTER_BITS_MAX = 21,
    QCOW2_REFCOUNT_ORDER_MAX = 6,
    QCOW2_BACKING_NAME_MAX = 1023,
    /* Below this a cluster has no 32 pieces of a sector each. */
    QCOW2_SUBCLUSTER_BITS_MIN = 14,
    /* Tables that are kept in memory whole: as QEMU, which so makes no image that we refuse. */
    QCOW2_L1_BYTES_MAX = 32 << 20,
    QCOW2_REFTABLE_BYTES_MAX = 8 << 20,
    QCOW2_SNAPSHOTS_MAX = 65536,
    QCOW2_SNAPSHOT_BYTES_MAX = 64 << 20,
    QCOW2_SNAPSHOT_EXTRA_MAX = 1024,
    QCOW2_BITMAPS_MAX = 65535,
    QCOW2_BITMAP_DIRECTORY_MAX = 64 << 20,
    /* Slices of tables in memory: what covers 256 GiB at 64 KiB clusters. */
    QCOW2_L2_CACHE = 32 << 20,
    QCOW2_REFCOUNT_CACHE = 4 << 20,
    QCOW2_SLICE_MAX = 4096,
    QCOW2_SLOTS_MIN = 8, /* no change of metadata needs more at a time */
    /* A write to new clusters is planned in pieces of this size, or one cluster. */
    QCOW2_PLAN_MAX = 2 << 20,
    /* Room given back that waits for a flush; more, and one is made. */
    QCOW2_FREES_MAX = 4096,
    /* What counting all references may take of memory. */
    QCOW2_COUNT_BYTES_MAX = 1 << 30,
};
