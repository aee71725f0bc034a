/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk format consists of, and the calls to the host that it may make.  For the drivers,
 * block.c and tests; everybody else includes block.h.
 *
 * Threads: as block.h.
 */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "block/block.h"

/* Calls to the host, as the system calls of the same names; -errno on failure.  Tests put their
 * own in to make the Nth call fail. */
struct BlkHost {
    void *opaque;
    int (*open)(void *opaque, const char *path, int flags); /* a descriptor */
    int (*stat)(void *opaque, int fd, struct stat *st);
    int64_t (*size)(void *opaque, int fd); /* of a file or block device, in bytes */
    ssize_t (*preadv)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    ssize_t (*pwritev)(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset);
    int (*fdatasync)(void *opaque, int fd);
    void (*close)(void *opaque, int fd);
    /* Open-file-description locks (fcntl(2)) of one byte; NULL: no locking.  Take a shared one: 0
     * or -errno.  Whether another holds one: 1, 0 or -errno. */
    int (*lock)(void *opaque, int fd, int64_t byte);
    int (*is_locked)(void *opaque, int fd, int64_t byte);
};

extern const BlkHost blk_host_system;

/* Where a piece of a disk is. */
typedef enum BlkPlace {
    BLK_HERE, /* in the file, at .offset */
    BLK_ZERO, /* nowhere: it reads as zeros */
} BlkPlace;

typedef struct BlkExtent {
    BlkPlace place;
    uint64_t offset; /* in the file */
    uint64_t len;    /* how far this holds, 1 to what was asked for */
} BlkExtent;

struct BlkDriver {
    const char *name;
    const char *summary;
    size_t instance_size; /* of a struct that begins with a Blk */
    /* With .fd open: sets .size, or fails. */
    bool (*open)(Blk *blk, GError **error);
    void (*close)(Blk *blk); /* or NULL; .fd is closed after it */
    /* Where [@offset, @offset + @len) begins; @for_write: it is about to be written, so make room.
     * 0 or -errno. */
    int (*map)(Blk *blk, uint64_t offset, uint64_t len, bool for_write, BlkExtent *ret_extent);
    int (*flush)(Blk *blk); /* or NULL: metadata needs nothing before fdatasync */
};

struct Blk {
    /* fixed after open */
    const BlkDriver *driver;
    const BlkHost *host;
    char *path;
    int fd;
    bool read_only;
    uint64_t file_size; /* when it was opened */
    uint64_t size;
    /* the I/O thread's */
    int flush_error; /* of the first flush that failed */
};

extern const BlkDriver raw_driver;

/* Claim the open file against other programs, ours and QEMU's (lock.c). */
bool blk_lock(Blk *blk, GError **error);
