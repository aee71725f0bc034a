/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls to the host itself, see host.h.
 */
#include "block/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

static int host_open(void *opaque, const char *path, int flags)
{
    int fd = open(path, flags, 0644);

    return fd < 0 ? -errno : fd;
}

static int host_stat(void *opaque, int fd, struct stat *st)
{
    return fstat(fd, st) < 0 ? -errno : 0;
}

static int64_t host_size(void *opaque, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);

    return size < 0 ? -errno : size;
}

static ssize_t host_preadv(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    ssize_t done = preadv(fd, iov, n, offset);

    return done < 0 ? -errno : done;
}

static ssize_t host_preadv_now(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    ssize_t done = preadv2(fd, iov, n, offset, RWF_NOWAIT);

    return done < 0 ? -errno : done;
}

static ssize_t host_pwritev(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    ssize_t done = pwritev(fd, iov, n, offset);

    return done < 0 ? -errno : done;
}

static int host_fdatasync(void *opaque, int fd)
{
    return fdatasync(fd) < 0 ? -errno : 0;
}

static void host_close(void *opaque, int fd)
{
    close(fd);
}

static int host_lock(void *opaque, int fd, int64_t byte)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static int host_is_locked(void *opaque, int fd, int64_t byte)
{
    /* no lock that anybody holds would let us have this one */
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
}

static int host_truncate(void *opaque, int fd, int64_t size)
{
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static int host_range(void *opaque, int fd, BlkHostRange how, int64_t offset, int64_t len)
{
    static const int modes[] = {
        [BLK_HOST_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        [BLK_HOST_ZERO] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
        [BLK_HOST_KEEP] = 0,
    };

    return fallocate(fd, modes[how], offset, len) < 0 ? -errno : 0;
}

static int64_t host_seek(void *opaque, int fd, int64_t offset, int data)
{
    off_t found = lseek(fd, offset, data ? SEEK_DATA : SEEK_HOLE);

    return found < 0 ? -errno : found;
}

static unsigned host_direct_align(void *opaque, int fd)
{
    unsigned align = 0;
#ifdef STATX_DIOALIGN
    struct statx info;
    if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info)) {
        align = info.stx_dio_mem_align > info.stx_dio_offset_align ? info.stx_dio_mem_align
                                                                   : info.stx_dio_offset_align;
    }
#endif
    return align;
}

const BlkHost blk_host_system = {
    .open = host_open,
    .stat = host_stat,
    .size = host_size,
    .preadv = host_preadv,
    .pwritev = host_pwritev,
    .fdatasync = host_fdatasync,
    .close = host_close,
    .lock = host_lock,
    .is_locked = host_is_locked,
    .truncate = host_truncate,
    .range = host_range,
    .seek = host_seek,
    .direct_align = host_direct_align,
    .preadv_now = host_preadv_now,
    .has_rings = true,
};
