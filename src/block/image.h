/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to disk images as a whole: they are made, checked, resized; snapshots are taken.
 *
 * All is all or nothing: whenever the host dies, the image is as it was before, or as it is
 * after; at most some room in it is lost, which a check finds and a repair gives back.
 *
 * Threads: from any that may wait.  All but blk_create() are alone (block.h).
 */
#pragma once

#include "block/block.h"

/* Told now and then how far long work has come; false: stop it, it fails. */
typedef struct BlkProgress {
    bool (*fn)(void *opaque, uint64_t done, uint64_t total);
    void *opaque;
} BlkProgress;

/* Who is told of work on the disk as a whole from now on; outlives the disk.  Work that is stopped
 * fails with EINTR, and the image is as it was. */
void blk_set_progress(Blk *blk, const BlkProgress *progress);

typedef enum BlkPreallocation {
    BLK_PREALLOCATE_OFF,
    BLK_PREALLOCATE_METADATA, /* tables for all of the disk, in a sparse file */
    BLK_PREALLOCATE_FALLOC,   /* and room on the host */
    BLK_PREALLOCATE_FULL,     /* and zeros written to it */
} BlkPreallocation;

/* A new image; what is 0 or NULL is the usual. */
typedef struct BlkCreate {
    const char *path, *format;
    const BlkHost *host;
    uint64_t size;
    bool replace; /* a file that is there already */
    const BlkProgress *progress;
    BlkPreallocation preallocation;
    /* not of a raw image */
    const char *backing, *backing_format;
    unsigned version;        /* 2 or 3 */
    uint64_t cluster;        /* bytes */
    unsigned count_bits;     /* of a reference count */
    const char *compression; /* "zlib" or "zstd" */
    bool subclusters, lazy_refcounts;
} BlkCreate;

bool blk_create(const BlkCreate *create, GError **error);

/* --- what an image says of itself --- */

typedef struct BlkSnapshot {
    char *id, *name;
    uint64_t seconds; /* since 1970 */
    uint32_t nanoseconds;
    uint64_t state_size, disk_size;
    uint64_t clock_ns;
} BlkSnapshot;

typedef struct BlkInfo {
    uint64_t file_size, file_allocated;
    /* not of a raw image */
    bool has_details;
    unsigned version;
    uint64_t cluster;
    unsigned count_bits;
    const char *compression;
    bool subclusters, lazy_refcounts, dirty, corrupt;
    unsigned n_bitmaps;
    char *backing, *backing_format; /* as the image says it; or NULL */
    GPtrArray *snapshots;           /* of BlkSnapshot */
} BlkInfo;

void blk_info(Blk *blk, BlkInfo *ret);
/* Bytes that its file takes; while requests run, too. */
uint64_t blk_room(Blk *blk);
void blk_info_clear(BlkInfo *info);
/* Who else has the image open, in words; NULL: nobody.  Newly allocated. */
char *blk_holder(Blk *blk);

/* --- checking --- */

typedef enum BlkRepair { BLK_REPAIR_NOTHING, BLK_REPAIR_LEAKS, BLK_REPAIR_ALL } BlkRepair;

typedef struct BlkCheck {
    uint64_t leaks;       /* clusters that nothing refers to, and are not free */
    uint64_t corruptions; /* what will lose data, or has lost it */
    uint64_t leaks_fixed, corruptions_fixed;
    uint64_t end;                                      /* behind the last byte of the file in use */
    uint64_t total, allocated, compressed, fragmented; /* clusters of the disk */
    /* Called for each finding; may be NULL. */
    void (*report)(void *opaque, const char *text);
    void *opaque;
} BlkCheck;

/* Compare what the image says of its room with what is used, and put it right.  *@check has .report
 * set by the caller.  False: it could not be done; what is wrong with the image is no error. */
bool blk_check(Blk *blk, BlkRepair repair, BlkCheck *check, GError **error);

/* --- changing --- */

/* Make the disk larger (what is new reads as zeros) or smaller. */
bool blk_resize(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error);

bool blk_snapshot_create(Blk *blk, const char *name, GError **error);
/* @name: a name or, there being none, an id. */
bool blk_snapshot_delete(Blk *blk, const char *name, GError **error);
bool blk_snapshot_apply(Blk *blk, const char *name, GError **error);

/* Say that the image is based on another, or (@name NULL) on none.  The content is not looked
 * at. */
bool blk_set_backing(Blk *blk, const char *name, const char *format, GError **error);

/* Forget all that the image has itself: its disk is what that below has. */
bool blk_empty(Blk *blk, GError **error);

/* Write a whole cluster at @offset, compressed if that makes it smaller.  0 or -errno; the disk's
 * last cluster may be shorter.  -ENOTSUP: the format knows no compression. */
int blk_write_compressed(Blk *blk, uint64_t offset, const void *buf, size_t len);
