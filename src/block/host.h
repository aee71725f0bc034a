/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls to the host's files that the block layer makes, all of them, as one struct of
 * functions: tests put their own in, to make the Nth call fail, to reorder and to record.
 *
 * Threads: from any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "block/pool.h"

typedef enum BlkHostRange {
    BLK_HOST_PUNCH, /* give the room back; reads as zeros */
    BLK_HOST_ZERO,  /* reads as zeros, and keeps its room if it has any */
    BLK_HOST_KEEP,  /* has room; keeps what it reads as */
} BlkHostRange;

/* A read or write that begins now and ends later. */
typedef struct BlkMove {
    BlkJob job; /* first */
    int file;   /* a descriptor */
    bool write;
    int n;
    const struct iovec *iov;
    int64_t offset;
    ssize_t result; /* bytes that were moved, or -errno */
    /* of those who began it */
    const struct BlkHost *host;
    struct BlkFile *target;
    struct BlkRequest *request;
    BlkPool *pool; /* a host's .begin() ends the move with blk_pool_end() */
} BlkMove;

/* As the system calls of the same names; -errno on failure.  From .lock on a member may be NULL:
 * the host can't do that. */
typedef struct BlkHost {
    void *opaque;
    int (*open)(void *opaque, const char *path, int flags); /* a descriptor */
    int (*stat)(void *opaque, int fd, struct stat *st);
    int64_t (*size)(void *opaque, int fd); /* of a file or block device, in bytes */
    ssize_t (*preadv)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    ssize_t (*pwritev)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    int (*fdatasync)(void *opaque, int fd);
    void (*close)(void *opaque, int fd);
    /* Open-file-description locks (fcntl(2)) of one byte.  Take a shared one: 0 or -errno.
     * Whether another holds one: 1, 0 or -errno. */
    int (*lock)(void *opaque, int fd, int64_t byte);
    int (*is_locked)(void *opaque, int fd, int64_t byte);
    int (*truncate)(void *opaque, int fd, int64_t size);
    int (*range)(void *opaque, int fd, BlkHostRange how, int64_t offset, int64_t len);
    /* Where the next data (@data), or the next hole, from @offset on is; -ENXIO: nowhere. */
    int64_t (*seek)(void *opaque, int fd, int64_t offset, int data);
    /* What positions, lengths and addresses of direct I/O must be multiples of. */
    unsigned (*direct_align)(void *opaque, int fd);
    /* What the host has at hand, at once; -EAGAIN: it would have to wait. */
    ssize_t (*preadv_now)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    /* Begin a move; instead of the ring, and of threads that call .preadv and .pwritev. */
    void (*begin)(void *opaque, BlkMove *move);
    bool has_rings; /* descriptors are the kernel's own, and what a ring does need not be seen */
} BlkHost;

extern const BlkHost blk_host_system;
