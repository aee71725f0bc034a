/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk format consists of, and what the core keeps of an open disk.  For the drivers, the
 * core and tests; everybody else includes block.h.
 *
 * A driver answers where a piece of the disk lies (map) and makes room where there is none
 * (allocate, link); it moves no data of the disk.  How a write to a new place runs: allocate()
 * chooses the place and keeps others off that part of the disk; the core writes the data there,
 * with what surrounds it up to whole units; link() makes the disk refer to it.
 *
 * Threads: map() from any; allocate(), link(), zero(), flush() from any thread that may wait.  A
 * driver has its own locks.  .maintenance is called while no request runs (gate.h).
 * Read first: block.h, host.h, file.h
 */
#pragma once

#include "block/block.h"
#include "block/file.h"
#include "block/gate.h"
#include "block/image.h"

/* Where a piece of a disk is. */
typedef enum BlkPlace {
    BLK_UNALLOCATED, /* in the backing file; there being none, it reads as zeros */
    BLK_ZERO,        /* nowhere: it reads as zeros */
    BLK_HERE,        /* in the file, at .offset */
    BLK_COMPRESSED,  /* in the file, to be unpacked by the driver's inflate() */
} BlkPlace;

typedef struct BlkExtent {
    BlkPlace place;
    bool in_place;   /* HERE: may be written where it is */
    uint64_t offset; /* in the file; COMPRESSED: what inflate() needs to know */
    uint64_t len;    /* how far this holds, 1 to what was asked for */
    uint32_t skip;   /* COMPRESSED: where the piece begins inside of what is unpacked */
    uint32_t packed; /* COMPRESSED: length in the file */
} BlkExtent;

typedef enum BlkMapFlags {
    BLK_MAP_NO_WAIT = 1 << 0, /* -EAGAIN rather than I/O */
    BLK_MAP_EXACT = 1 << 1,   /* tell holes of the file from data, at the price of time */
} BlkMapFlags;

/* A write to a new place.  The disk's bytes from .start to .end go to the file at .host; those
 * that the request brings are .len from .offset. */
typedef struct BlkPlan {
    uint64_t offset, len;
    uint64_t start, end;
    uint64_t host;
    bool fresh; /* nothing was ever written there: zeros need not be */
    /* the driver's own */
    struct BlkPlan *next;
    uint64_t guard_start, guard_end;
    bool reuses; /* .host belonged to the disk before */
} BlkPlan;

struct BlkDriver {
    const char *name;
    const char *summary;
    const char *suffix;   /* of file names that mean this format */
    size_t instance_size; /* of a struct that begins with a Blk */
    /* With .file open: sets .size, or fails.  Opens no other file. */
    bool (*open)(Blk *blk, const BlkOptions *options, GError **error);
    void (*close)(Blk *blk); /* or NULL; .file is closed after it */
    /* Where [@offset, @offset + @len) begins; @flags of BlkMapFlags.  0 or -errno. */
    int (*map)(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkExtent *ret_extent);
    /* Unpack @extent into @buf, .unit bytes of it.  0 or -errno. */
    int (*inflate)(Blk *blk, const BlkExtent *extent, void *buf);
    /* Plan to write [@offset, @offset + @len), as much of it as suits.  0; 1: map() now says
     * that it can be written in place; -errno. */
    int (*allocate)(Blk *blk, uint64_t offset, uint64_t len, BlkPlan *ret_plan);
    /* The plan's end: @result is how its writing went; not 0: undo it.  0 or -errno. */
    int (*link)(Blk *blk, BlkPlan *plan, int result);
    /* Make a range read as zeros, or (@how) have any content.  *@ret_done is how far the answer
     * holds: 0: it is done; 1: it takes writing zeros; -errno. */
    int (*zero)(Blk *blk, uint64_t offset, uint64_t len, BlkZero how, uint64_t *ret_done);
    /* All that was written and linked before is durable, metadata too.  0 or -errno; NULL:
     * syncing the file does. */
    int (*flush)(Blk *blk);
    const struct BlkMaintenance *maintenance;
};

struct Blk {
    /* fixed after open */
    const BlkDriver *driver;
    BlkFile file;
    BlkAio *aio;          /* NULL: none */
    Blk *backing;         /* owned; NULL: none */
    char *backing_name;   /* as the image has it; NULL: it is not based on another */
    char *backing_format; /* the same; NULL: not said */
    bool read_only;
    bool sync_writes;            /* each write is flushed */
    BlkDetect detect;            /* writes of zeros */
    bool keep_discard;           /* discards are not passed on to the host */
    uint32_t unit;               /* what compressed data unpacks to; 0: there is none */
    const BlkProgress *progress; /* NULL: nobody is told; set before any work begins */
    /* changes while the gate is closed */
    uint64_t size;
    /* has its own lock */
    BlkGate gate;
    GMutex unpacked_lock;
    /* lock: unpacked_lock */
    uint8_t *unpacked; /* the unit that was unpacked last */
    BlkExtent unpacked_extent;
    bool unpacked_valid;
    /* atomic */
    const char *broken; /* what was found wrong with the image, in words; NULL: nothing */
    BlkCounters counters;
};

/* Count a request that began at @begun_ns, which blk_count_begin() gave (count.c). */
uint64_t blk_count_begin(void);
void blk_count_end(Blk *blk, BlkCountKind kind, uint64_t bytes, int result, uint64_t begun_ns);

/* The functions of image.h, for one format.  The gate is closed, but for create and
 * write_compressed.  NULL: the format knows no such thing. */
typedef struct BlkMaintenance {
    bool (*create)(const BlkCreate *create, GError **error);
    void (*info)(Blk *blk, BlkInfo *ret);
    bool (*check)(Blk *blk, BlkRepair repair, BlkCheck *check, GError **error);
    bool (*resize)(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error);
    bool (*snapshot_create)(Blk *blk, const char *name, GError **error);
    bool (*snapshot_delete)(Blk *blk, const char *name, GError **error);
    bool (*snapshot_apply)(Blk *blk, const char *name, GError **error);
    bool (*empty)(Blk *blk, GError **error);
    bool (*set_backing)(Blk *blk, const char *name, const char *format, GError **error);
    /* As blk_write_compressed(); 1: it does not get smaller, write it as it is. */
    int (*write_compressed)(Blk *blk, uint64_t offset, const void *buf, size_t len);
} BlkMaintenance;

extern const BlkDriver raw_driver, qcow2_driver;
extern const BlkMaintenance raw_maintenance;

/* Long work has come so far; false: stop it (image.c). */
bool blk_go_on(const BlkProgress *progress, uint64_t done, uint64_t total);

/* The new or emptied file of an image, locked. */
bool blk_create_file(const BlkCreate *create, BlkFile *ret_file, GError **error);

/* Where a piece of a disk is, down its chain (io.c). */
typedef struct BlkWhere {
    Blk *layer; /* NULL: nowhere; it reads as zeros */
    unsigned depth;
    BlkExtent extent;
} BlkWhere;
int blk_resolve(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkWhere *ret);

/* For drivers: read or write within a request that runs already. */
int blk_read_inside(Blk *blk, uint64_t offset, void *buf, size_t len);
int blk_fill_inside(Blk *blk, uint64_t offset, uint64_t len); /* zeros, as data */
int blk_zero_inside(Blk *blk, uint64_t offset, uint64_t len, BlkZero how);
/* Forget unpacked data: room in the file was given back. */
void blk_forget_unpacked(Blk *blk);

/* Claim the open file against other programs, ours and QEMU's (lock.c). */
bool blk_lock(BlkFile *file, BlkLock how, GError **error);
