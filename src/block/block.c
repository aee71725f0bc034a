/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core of the disks, see block.h: opening, bounds, and the moving of data.
 */
#include "block/block.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "block/driver.h"
#include "common/bits.h"
#include "common/error.h"

static const BlkDriver *const drivers[] = { &raw_driver, NULL };

const BlkDriver *const *blk_drivers(void)
{
    return drivers;
}

const char *blk_driver_name(const BlkDriver *driver)
{
    return driver->name;
}

const char *blk_driver_summary(const BlkDriver *driver)
{
    return driver->summary;
}

static const BlkDriver *find_driver(const char *name, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);

    for (const BlkDriver *const *driver = drivers; *driver; driver++) {
        if (!strcmp((*driver)->name, name)) {
            return *driver;
        }
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", (*driver)->name);
    }
    set_error_code(error, INSULA_ERROR_USAGE, "unknown disk format '%s': there are %s", name,
                   known->str);
    return NULL;
}

/* Open the file; on success .fd is open. */
static bool open_file(Blk *blk, GError **error)
{
    int mode = (blk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
    int fd = blk->host->open(blk->host->opaque, blk->path, mode);

    if (fd < 0) {
        bool may_be_read = !blk->read_only && (fd == -EACCES || fd == -EROFS || fd == -EPERM);
        set_error(error, "cannot open disk '%s'%s: %s%s", blk->path,
                  blk->read_only ? "" : " for writing", g_strerror(-fd),
                  may_be_read ? " (a disk that is only read takes readonly=on)" : "");
        return false;
    }
    blk->fd = fd;
    return true;
}

/* What kind of file it is, and its size. */
static bool check_file(Blk *blk, GError **error)
{
    struct stat st;
    int result = blk->host->stat(blk->host->opaque, blk->fd, &st);

    if (result < 0) {
        set_error_errno(error, -result, "cannot look at disk '%s'", blk->path);
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        set_error(error, "cannot use disk '%s': it is %s, not a file or block device", blk->path,
                  S_ISDIR(st.st_mode) ? "a directory" : "something special");
        return false;
    }
    int64_t size = blk->host->size(blk->host->opaque, blk->fd);
    if (size < 0) {
        set_error_errno(error, (int)-size, "cannot find the size of disk '%s'", blk->path);
        return false;
    }
    if (size == 0) {
        set_error(error, "cannot use disk '%s': it is empty: give it a size with 'truncate -s 1G'",
                  blk->path);
        return false;
    }
    blk->file_size = (uint64_t)size;
    return true;
}

Blk *blk_open(const BlkOptions *options, GError **error)
{
    const BlkDriver *driver = find_driver(options->format ? options->format : "raw", error);

    if (!driver) {
        return NULL;
    }
    Blk *blk = g_malloc0(driver->instance_size);
    blk->driver = driver;
    blk->host = options->host ? options->host : &blk_host_system;
    blk->path = g_strdup(options->path);
    blk->read_only = options->read_only;
    if (!open_file(blk, error)) {
        g_free(blk->path);
        g_free(blk);
        return NULL;
    }
    if (!check_file(blk, error) || !blk_lock(blk, error) || !driver->open(blk, error)) {
        blk->host->close(blk->host->opaque, blk->fd);
        g_free(blk->path);
        g_free(blk);
        return NULL;
    }
    return blk;
}

void blk_close(Blk *blk)
{
    if (!blk) {
        return;
    }
    if (blk->driver->close) {
        blk->driver->close(blk);
    }
    blk->host->close(blk->host->opaque, blk->fd);
    g_free(blk->path);
    g_free(blk);
}

const char *blk_path(const Blk *blk)
{
    return blk->path;
}

const char *blk_format(const Blk *blk)
{
    return blk->driver->name;
}

uint64_t blk_size(const Blk *blk)
{
    return blk->size;
}

bool blk_read_only(const Blk *blk)
{
    return blk->read_only;
}

/* What is left of a request: a copy of its iovecs, used up from the front. */
typedef struct Cursor {
    struct iovec iov[BLK_MAX_IOV];
    unsigned first, n;
} Cursor;

static void advance(Cursor *cursor, size_t len)
{
    while (len) {
        struct iovec *iov = &cursor->iov[cursor->first];
        size_t part = MIN(len, iov->iov_len);
        iov->iov_base = (uint8_t *)iov->iov_base + part;
        iov->iov_len -= part;
        len -= part;
        if (!iov->iov_len) {
            cursor->first++;
        }
    }
}

/* The iovecs that make up the next @len bytes, in @ret; returns how many. */
static unsigned head(const Cursor *cursor, uint64_t len, struct iovec *ret)
{
    unsigned count = 0;

    for (unsigned i = cursor->first; i < cursor->n && len; i++) {
        ret[count] = cursor->iov[i];
        ret[count].iov_len = MIN(ret[count].iov_len, len);
        len -= ret[count].iov_len;
        count++;
    }
    return count;
}

/* Move the next bytes of @cursor, at most an extent of the file: how many, or -errno. */
static ssize_t move_some(Blk *blk, Cursor *cursor, const BlkExtent *extent, bool write)
{
    struct iovec iov[BLK_MAX_IOV];
    unsigned n = head(cursor, extent->len, iov);
    ssize_t done;

    if (extent->place == BLK_ZERO) {
        done = 0;
        for (unsigned i = 0; i < n; i++) {
            memset(iov[i].iov_base, 0, iov[i].iov_len);
            done += (ssize_t)iov[i].iov_len;
        }
        return done;
    }
    do {
        done = write ? blk->host->pwritev(blk->host->opaque, blk->fd, iov, (int)n,
                                          (int64_t)extent->offset)
                     : blk->host->preadv(blk->host->opaque, blk->fd, iov, (int)n,
                                         (int64_t)extent->offset);
    } while (done == -EINTR);
    return done ? done : -EIO; /* the file shrank under us, or takes no more */
}

static int move(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n, bool write)
{
    Cursor cursor = { .n = n };
    uint64_t left = 0;

    if (n > BLK_MAX_IOV) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < n; i++) {
        cursor.iov[i] = iov[i];
        if (iov[i].iov_len > SIZE_MAX / 2 - left) {
            return -EINVAL;
        }
        left += iov[i].iov_len;
    }
    if (!range_inside(offset, left, 0, blk->size)) {
        return -EINVAL;
    }
    while (left) {
        BlkExtent extent;
        int result = blk->driver->map(blk, offset, left, write, &extent);
        if (result < 0) {
            return result;
        }
        ssize_t done = move_some(blk, &cursor, &extent, write);
        if (done < 0) {
            return (int)done;
        }
        advance(&cursor, (size_t)done);
        offset += (uint64_t)done;
        left -= (uint64_t)done;
    }
    return 0;
}

int blk_readv(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return move(blk, offset, iov, n, false);
}

int blk_writev(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return blk->read_only ? -EROFS : move(blk, offset, iov, n, true);
}

int blk_flush(Blk *blk)
{
    int result = blk->flush_error;

    if (result || blk->read_only) {
        return result;
    }
    result = blk->driver->flush ? blk->driver->flush(blk) : 0;
    if (!result) {
        result = blk->host->fdatasync(blk->host->opaque, blk->fd);
    }
    /* after a failed sync the host forgets which pages were not written: nothing we could say
     * later about them would be true */
    blk->flush_error = result;
    return result;
}
