/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk: an array of bytes that keeps what was flushed, whatever format its file has.
 *
 * A driver (raw, qcow2) answers where in the file a piece of the disk lies; the core here checks
 * bounds and moves the data itself.  All calls to the host go through a BlkHost, which tests
 * replace to make any of them fail.
 *
 * Threads: open and close on one thread; reads, writes, discards and flushes from any, at the same
 * time too; what has "alone" in its description waits until no request runs, and keeps new ones
 * out.  The rest is fixed after open.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct Blk Blk;
typedef struct BlkDriver BlkDriver;
typedef struct BlkHost BlkHost;
typedef struct BlkAio BlkAio;

enum { BLK_SECTOR = 512, BLK_MAX_IOV = 128 };

/* What becomes of a write before and after it is answered. */
typedef enum BlkCache {
    BLK_CACHE_WRITEBACK,    /* the host's page cache; durable when flushed */
    BLK_CACHE_NONE,         /* direct I/O; durable when flushed */
    BLK_CACHE_WRITETHROUGH, /* the host's page cache; durable when answered */
    BLK_CACHE_DIRECTSYNC,   /* direct I/O; durable when answered */
    BLK_CACHE_UNSAFE,       /* flushes do nothing: for what may be lost */
} BlkCache;

/* What becomes of writes of zeros. */
typedef enum BlkDetect {
    BLK_DETECT_OFF,
    BLK_DETECT_KEEP,  /* they take no writing */
    BLK_DETECT_UNMAP, /* nor room */
} BlkDetect;

/* Other programs that have the image open. */
typedef enum BlkLock {
    BLK_LOCK_USUAL, /* none may write while we have it open, none may have it if we write */
    BLK_LOCK_NONE,  /* don't look: for a glance at the header */
} BlkLock;

typedef struct BlkOptions {
    const char *path;   /* a regular file or a block device */
    const char *format; /* a name that blk_drivers() lists; NULL: "raw" (never guessed) */
    bool read_only;
    BlkCache cache;
    BlkLock lock;
    bool keep_discard;     /* discarded room is not given back to the host */
    BlkDetect detect;      /* writes of zeros */
    bool no_backing;       /* leave the backing file alone: what is in it, reads as zeros */
    bool ignore_corrupt;   /* open for writing though marked corrupt: for repair */
    bool may_be_empty;     /* a raw file of no bytes is a disk of none */
    const char *snapshot;  /* its content rather than the disk's; only to be read */
    size_t metadata_cache; /* bytes; 0: the usual */
    const struct BlkOptions *backing; /* the image that this one is based on */
    const BlkHost *host;              /* NULL: the host itself */
    BlkAio *aio; /* for requests that don't wait (aio.h); NULL: there are none */
} BlkOptions;

/* Open a disk.  An image that is based on another needs .backing, which must be what it names
 * (chain.h finds that out).  Fails with object, cause and remedy; an unknown format is
 * INSULA_ERROR_USAGE. */
Blk *blk_open(const BlkOptions *options, GError **error);
/* Writes metadata out, without waiting for it to be durable.  @blk may be NULL. */
void blk_close(Blk *blk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blk, blk_close)

const char *blk_path(const Blk *blk);
const char *blk_format(const Blk *blk);
/* In bytes.  Changes only by blk_resize(). */
uint64_t blk_size(const Blk *blk);
bool blk_read_only(const Blk *blk);
/* The image that this one is based on, or NULL. */
Blk *blk_backing(const Blk *blk);
/* What was found wrong with the image since it was opened, in words; NULL: nothing. */
const char *blk_broken(const Blk *blk);

/* What to make of a range. */
typedef enum BlkZero {
    BLK_ZERO_KEEP,    /* zeros, and room for later writes is kept */
    BLK_ZERO_UNMAP,   /* zeros, and room is given back */
    BLK_ZERO_DISCARD, /* content is of no interest any more; may do nothing */
} BlkZero;

/* Data path: 0 or -errno.  @offset and the sum of lengths (at most SIZE_MAX / 2) must lie inside
 * the disk, else -EINVAL; @n is at most BLK_MAX_IOV.  Writing to a read-only disk is -EROFS. */
int blk_readv(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int blk_writev(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int blk_read(Blk *blk, uint64_t offset, void *buf, size_t len);
int blk_write(Blk *blk, uint64_t offset, const void *buf, size_t len);
int blk_zero(Blk *blk, uint64_t offset, uint64_t len, BlkZero how);
/* 0 when all that was written before is durable.  Once it has failed it fails until the disk is
 * opened again: the host may have dropped the data that it could not write. */
int blk_flush(Blk *blk);

/* What a disk has done since it was opened. */
typedef enum BlkCountKind {
    BLK_COUNT_READ,
    BLK_COUNT_WRITE,
    BLK_COUNT_ZERO,
    BLK_COUNT_FLUSH,
    BLK_COUNT_KINDS,
} BlkCountKind;

typedef struct BlkCount {
    uint64_t requests, bytes, time_ns; /* that were done */
    uint64_t failed;                   /* the host refused */
    uint64_t invalid;                  /* we did */
} BlkCount;

typedef struct BlkCounters {
    BlkCount kinds[BLK_COUNT_KINDS];
} BlkCounters;

void blk_counters(const Blk *blk, BlkCounters *ret);

/* What the disk has somewhere. */
typedef struct BlkStatus {
    uint64_t len;    /* how far this holds, 1 to what was asked for */
    bool zero;       /* reads as zeros */
    bool allocated;  /* said by .depth's image, not by default */
    bool in_file;    /* .offset is where */
    bool compressed; /* packed inside of the file */
    unsigned depth;  /* 0: this image; 1: the one that it is based on, ... */
    uint64_t offset;
} BlkStatus;

/* What is at @offset, looking down the chain.  0 or -errno. */
int blk_status(Blk *blk, uint64_t offset, uint64_t len, BlkStatus *ret_status);

/* Drivers there are, NULL behind the last. */
const BlkDriver *const *blk_drivers(void);
const char *blk_driver_name(const BlkDriver *driver);
const char *blk_driver_summary(const BlkDriver *driver);
/* The driver of format @name, or NULL and INSULA_ERROR_USAGE. */
const BlkDriver *blk_driver_find(const char *name, GError **error);
/* The format that a file of this name has by its suffix, or NULL. */
const char *blk_format_of_name(const char *path);
