/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk: an array of bytes that keeps what was flushed, whatever format its file has.
 *
 * A driver (raw, later qcow2) answers where in the file a piece of the disk lies; the core here
 * checks bounds and moves the data itself.  All calls to the host go through a BlkHost, which
 * tests replace to make any of them fail.
 *
 * Threads: open and close on one thread; blk_readv, blk_writev and blk_flush one at a time (the
 * machine's I/O thread); the rest is fixed after open.
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

enum { BLK_SECTOR = 512, BLK_MAX_IOV = 128 };

typedef struct BlkOptions {
    const char *path;   /* a regular file or a block device */
    const char *format; /* a name that blk_drivers() lists; NULL: "raw" (never guessed) */
    bool read_only;
    const BlkHost *host; /* NULL: the host itself */
} BlkOptions;

/* Open a disk.  Fails with object, cause and remedy; an unknown format is INSULA_ERROR_USAGE. */
Blk *blk_open(const BlkOptions *options, GError **error);
/* Does not flush.  @blk may be NULL. */
void blk_close(Blk *blk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blk, blk_close)

const char *blk_path(const Blk *blk);
const char *blk_format(const Blk *blk);
/* In bytes, a multiple of BLK_SECTOR, not 0. */
uint64_t blk_size(const Blk *blk);
bool blk_read_only(const Blk *blk);

/* Data path: 0 or -errno.  @offset and the sum of lengths (at most SIZE_MAX / 2) must lie inside
 * the disk, else -EINVAL; @n is at most BLK_MAX_IOV.  Writing to a read-only disk is -EROFS. */
int blk_readv(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n);
int blk_writev(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n);
/* 0 when all that was written before is durable.  Once it has failed it fails until the disk is
 * opened again: the host may have dropped the data that it could not write. */
int blk_flush(Blk *blk);

/* Drivers there are, NULL behind the last. */
const BlkDriver *const *blk_drivers(void);
const char *blk_driver_name(const BlkDriver *driver);
const char *blk_driver_summary(const BlkDriver *driver);
