/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what a disk image may ask of us, each with its reason.
 */
#pragma once

enum {
    /* Images based on each other: each is an open file and a look-up more for each read. */
    BLK_CHAIN_MAX = 200,
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
