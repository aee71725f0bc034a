/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls to the host itself, see driver.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "block/driver.h"

static int host_open(void *opaque, const char *path, int flags)
{
    int fd = open(path, flags);

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
};
