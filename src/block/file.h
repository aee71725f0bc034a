/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An open file of the host that holds a disk image: whole reads and writes of it, whatever the
 * host interrupts or cuts short, and its direct I/O, which wants everything aligned.
 *
 * Errors are -errno.  Reading behind the end is -EIO.
 *
 * Threads: open and close on one; the rest from any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "block/block.h"
#include "block/host.h"
#include "block/iov.h"

typedef struct BlkFile {
    /* fixed after open */
    const BlkHost *host;
    char *path;
    int fd;
    bool read_only;
    bool is_device;
    bool never_sync;
    unsigned align; /* of positions, lengths and addresses; 1 with the page cache */
    uint64_t limit; /* no write leaves the file longer than this; 0: any may */
    /* atomic */
    uint64_t size;    /* at least so long: when it was opened, and what was written */
    int sync_error;   /* of the first sync that failed */
    bool cannot_zero; /* the host knows no such call */
    bool cannot_punch;
    GMutex bounce_lock; /* writes of pieces of aligned blocks */
} BlkFile;

typedef struct BlkFileOptions {
    const BlkHost *host; /* NULL: the host itself */
    const char *path;
    bool read_only;
    bool direct;     /* past the page cache */
    bool never_sync; /* blk_file_sync() does nothing */
    bool may_be_empty;
    bool create;    /* if it is not there yet */
    bool exclusive; /* it must not be */
} BlkFileOptions;

/* Fails with object, cause and remedy; then @file needs no close. */
bool blk_file_open(BlkFile *file, const BlkFileOptions *options, GError **error);
void blk_file_close(BlkFile *file);

/* As long as it is known to be. */
uint64_t blk_file_size(BlkFile *file);

int blk_file_readv(BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n);
int blk_file_writev(BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n);
int blk_file_read(BlkFile *file, uint64_t offset, void *buf, size_t len);
/* The same, with zeros where the file has ended. */
int blk_file_read_padded(BlkFile *file, uint64_t offset, void *buf, size_t len);
int blk_file_write(BlkFile *file, uint64_t offset, const void *buf, size_t len);
/* Whether the host can move this as it is, with nothing before and behind it. */
bool blk_file_is_plain(const BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n);
/* The host was told to write up to byte @end, and said @result: bytes, or -errno. */
void blk_file_wrote(BlkFile *file, uint64_t end, ssize_t result);
/* All that was written before is durable.  Once it has failed it fails until the file is opened
 * again: the host may have dropped the data that it could not write. */
int blk_file_sync(BlkFile *file);

int blk_file_truncate(BlkFile *file, uint64_t size);
/* Make a range read as zeros, at need by writing them. */
int blk_file_zero(BlkFile *file, uint64_t offset, uint64_t len);
/* Write zeros to it, so that the host has room for it. */
int blk_file_fill(BlkFile *file, uint64_t offset, uint64_t len);
/* Let the host have room for it; if it can't do that alone, by writing zeros. */
int blk_file_reserve(BlkFile *file, uint64_t offset, uint64_t len);
/* Give a range's room back to the host; it reads as zeros.  -EOPNOTSUPP: the host can't. */
int blk_file_punch(BlkFile *file, uint64_t offset, uint64_t len);
/* Whether data or a hole is at @offset, and how far, at most @len. */
bool blk_file_is_hole(BlkFile *file, uint64_t offset, uint64_t len, uint64_t *ret_len);
