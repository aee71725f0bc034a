/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that hold disk images, see file.h.
 *
 * Direct I/O: what isn't aligned goes through a buffer that is; a write of a piece of a block
 * reads the block first, and one lock keeps two such writes from undoing each other.
 */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/bits.h"
#include "common/error.h"

enum { DIRECT_ALIGN_MAX = 4096, BOUNCE = 1 << 20, ZEROS = 1 << 16 };

static bool open_fd(BlkFile *file, const BlkFileOptions *options, GError **error)
{
    int mode = (file->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;

    mode |= options->direct ? O_DIRECT : 0;
    mode |= options->create ? O_CREAT : 0;
    mode |= options->exclusive ? O_EXCL : 0;
    int fd = file->host->open(file->host->opaque, file->path, mode);
    if (fd == -EINVAL && options->direct) {
        set_error(error,
                  "cannot open disk '%s' past the host's cache: its file system can't (choose "
                  "another cache mode, such as cache=writeback)",
                  file->path);
        return false;
    }
    if (fd < 0 && options->create) {
        set_error_errno(error, -fd, "cannot make disk '%s'", file->path);
        return false;
    }
    if (fd < 0) {
        bool may_be_read = !file->read_only && (fd == -EACCES || fd == -EROFS || fd == -EPERM);
        set_error(error, "cannot open disk '%s'%s: %s%s", file->path,
                  file->read_only ? "" : " for writing", g_strerror(-fd),
                  may_be_read ? " (a disk that is only read takes readonly=on)" : "");
        return false;
    }
    file->fd = fd;
    return true;
}

/* What kind of file it is, and its size. */
static bool check(BlkFile *file, const BlkFileOptions *options, GError **error)
{
    struct stat st;
    int result = file->host->stat(file->host->opaque, file->fd, &st);

    if (result < 0) {
        set_error_errno(error, -result, "cannot look at disk '%s'", file->path);
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        set_error(error, "cannot use disk '%s': it is %s, not a file or block device", file->path,
                  S_ISDIR(st.st_mode) ? "a directory" : "something special");
        return false;
    }
    file->is_device = S_ISBLK(st.st_mode);
    int64_t size = file->host->size(file->host->opaque, file->fd);
    if (size < 0) {
        set_error_errno(error, (int)-size, "cannot find the size of disk '%s'", file->path);
        return false;
    }
    if (size == 0 && !options->may_be_empty) {
        set_error(error, "cannot use disk '%s': it is empty: give it a size with 'truncate -s 1G'",
                  file->path);
        return false;
    }
    file->size = (uint64_t)size;
    return true;
}

bool blk_file_open(BlkFile *file, const BlkFileOptions *options, GError **error)
{
    *file = (BlkFile){
        .host = options->host ? options->host : &blk_host_system,
        .path = g_strdup(options->path),
        .read_only = options->read_only,
        .never_sync = options->never_sync,
        .align = 1,
    };
    if (!open_fd(file, options, error)) {
        g_free(file->path);
        return false;
    }
    if (!check(file, options, error)) {
        file->host->close(file->host->opaque, file->fd);
        g_free(file->path);
        return false;
    }
    if (options->direct) {
        unsigned align =
            file->host->direct_align ? file->host->direct_align(file->host->opaque, file->fd) : 0;
        file->align =
            is_power_of_two(align) && align <= DIRECT_ALIGN_MAX ? align : DIRECT_ALIGN_MAX;
    }
    g_mutex_init(&file->bounce_lock);
    return true;
}

void blk_file_close(BlkFile *file)
{
    file->host->close(file->host->opaque, file->fd);
    g_free(file->path);
    g_mutex_clear(&file->bounce_lock);
}

uint64_t blk_file_size(BlkFile *file)
{
    return __atomic_load_n(&file->size, __ATOMIC_ACQUIRE);
}

static void grown_to(BlkFile *file, uint64_t size)
{
    uint64_t known = blk_file_size(file);

    while (known < size && !__atomic_compare_exchange_n(&file->size, &known, size, false,
                                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

/* A write that failed may have made the file longer. */
static void look_at_size(BlkFile *file)
{
    int64_t size = file->is_device ? 0 : file->host->size(file->host->opaque, file->fd);

    if (size > 0) {
        grown_to(file, (uint64_t)size);
    }
}

/* Move all of @cursor, aligned as the file wants it.  What is missing at the end of the file is
 * -EIO, or (@pad) zeros. */
static int move_aligned(BlkFile *file, uint64_t offset, BlkCursor *cursor, bool write, bool pad)
{
    const BlkHost *host = file->host;
    struct iovec iov[BLK_CURSOR_IOV];

    while (cursor->left) {
        unsigned n = blk_cursor_peek(cursor, cursor->left, iov);
        ssize_t done = write ? host->pwritev(host->opaque, file->fd, iov, (int)n, (int64_t)offset)
                             : host->preadv(host->opaque, file->fd, iov, (int)n, (int64_t)offset);
        if (done == -EINTR) {
            continue;
        }
        if (done == 0 && pad) {
            blk_cursor_zero(cursor, cursor->left);
            break;
        }
        if (done <= 0) {
            if (write) {
                look_at_size(file);
            }
            return done < 0 ? (int)done : -EIO; /* the file shrank under us, or takes no more */
        }
        blk_cursor_skip(cursor, (size_t)done);
        offset += (uint64_t)done;
        if (write) {
            grown_to(file, offset);
        }
    }
    return 0;
}

static int move_buffer(BlkFile *file, uint64_t offset, void *buf, size_t len, bool write)
{
    struct iovec iov = { buf, len };
    BlkCursor cursor;

    return blk_cursor_init(&cursor, &iov, 1) ? move_aligned(file, offset, &cursor, write, true)
                                             : -EINVAL;
}

static bool is_aligned(const BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n)
{
    uint64_t all = offset;

    for (unsigned i = 0; i < n && file->align > 1; i++) {
        all |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
    }
    return file->align == 1 || all % file->align == 0;
}

bool blk_file_is_plain(const BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n)
{
    return offset <= INT64_MAX / 2 && is_aligned(file, offset, iov, n);
}

void blk_file_wrote(BlkFile *file, uint64_t end, ssize_t result)
{
    if (result < 0) {
        look_at_size(file);
    } else {
        grown_to(file, end);
    }
}

/* Write @len bytes of @cursor at @offset by way of the aligned @buf, which has room for the blocks
 * around them.  Lock: bounce_lock. */
static int bounce_write(BlkFile *file, uint64_t offset, BlkCursor *cursor, uint8_t *buf, size_t len)
{
    uint64_t start = align_down(offset, file->align);
    uint64_t end = align_up(offset + len, file->align);
    int result = 0;

    if (start != offset || end != offset + len) {
        result = move_buffer(file, start, buf, end - start, false);
    }
    if (result) {
        return result;
    }
    blk_cursor_get(cursor, buf + (offset - start), len);
    result = move_buffer(file, start, buf, end - start, true);
    if (!result && file->limit && end > file->limit && !file->is_device) {
        result = blk_file_truncate(file, file->limit);
    }
    return result;
}

static int bounce_read(BlkFile *file, uint64_t offset, BlkCursor *cursor, uint8_t *buf, size_t len)
{
    uint64_t start = align_down(offset, file->align);
    uint64_t end = align_up(offset + len, file->align);
    int result = move_buffer(file, start, buf, end - start, false);

    if (!result) {
        blk_cursor_put(cursor, buf + (offset - start), len);
    }
    return result;
}

static int bounce(BlkFile *file, uint64_t offset, BlkCursor *cursor, bool write)
{
    uint8_t *buf = NULL;
    int result = 0;

    if (posix_memalign((void **)&buf, file->align, BOUNCE)) {
        return -ENOMEM;
    }
    if (write) {
        g_mutex_lock(&file->bounce_lock);
    }
    while (cursor->left && !result) {
        size_t len = MIN(cursor->left, BOUNCE - 2 * (size_t)file->align);
        result = write ? bounce_write(file, offset, cursor, buf, len)
                       : bounce_read(file, offset, cursor, buf, len);
        offset += len;
    }
    if (write) {
        g_mutex_unlock(&file->bounce_lock);
    }
    free(buf);
    return result;
}

static int move(BlkFile *file, uint64_t offset, BlkCursor *cursor, bool write, bool pad)
{
    if (cursor->left > INT64_MAX || offset > INT64_MAX - cursor->left) {
        return -EFBIG;
    }
    if (is_aligned(file, offset, cursor->iov, cursor->n)) {
        return move_aligned(file, offset, cursor, write, pad);
    }
    if (!write && !pad && offset + cursor->left > blk_file_size(file)) {
        return -EIO;
    }
    return bounce(file, offset, cursor, write);
}

int blk_file_readv(BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n)
{
    BlkCursor cursor;

    return blk_cursor_init(&cursor, iov, n) ? move(file, offset, &cursor, false, false) : -EINVAL;
}

int blk_file_writev(BlkFile *file, uint64_t offset, const struct iovec *iov, unsigned n)
{
    BlkCursor cursor;

    return blk_cursor_init(&cursor, iov, n) ? move(file, offset, &cursor, true, false) : -EINVAL;
}

int blk_file_read(BlkFile *file, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return blk_file_readv(file, offset, &iov, 1);
}

int blk_file_read_padded(BlkFile *file, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };
    BlkCursor cursor;

    return blk_cursor_init(&cursor, &iov, 1) ? move(file, offset, &cursor, false, true) : -EINVAL;
}

int blk_file_write(BlkFile *file, uint64_t offset, const void *buf, size_t len)
{
    struct iovec iov = { (void *)(uintptr_t)buf, len };

    return blk_file_writev(file, offset, &iov, 1);
}

int blk_file_sync(BlkFile *file)
{
    int result = __atomic_load_n(&file->sync_error, __ATOMIC_ACQUIRE);

    if (result || file->read_only || file->never_sync) {
        return result;
    }
    result = file->host->fdatasync(file->host->opaque, file->fd);
    if (result) {
        __atomic_store_n(&file->sync_error, result, __ATOMIC_RELEASE);
    }
    return result;
}

int blk_file_truncate(BlkFile *file, uint64_t size)
{
    if (!file->host->truncate || file->is_device) {
        return -EOPNOTSUPP;
    }
    if (size > INT64_MAX) {
        return -EFBIG;
    }
    int result = file->host->truncate(file->host->opaque, file->fd, (int64_t)size);
    if (!result) {
        __atomic_store_n(&file->size, size, __ATOMIC_RELEASE);
    }
    return result;
}

int blk_file_fill(BlkFile *file, uint64_t offset, uint64_t len)
{
    g_autofree uint8_t *zeros = g_malloc0(ZEROS);
    int result = 0;

    for (; len && !result; len -= MIN(len, ZEROS), offset += ZEROS) {
        result = blk_file_write(file, offset, zeros, MIN(len, ZEROS));
    }
    return result;
}

/* Whether the host will never do what it answered @result to. */
static bool is_unsupported(int result)
{
    return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENOTTY || result == -EINVAL ||
           result == -ENODEV;
}

static int range(BlkFile *file, BlkHostRange how, uint64_t offset, uint64_t len)
{
    int result;

    if (!file->host->range) {
        return -EOPNOTSUPP;
    }
    if (len > INT64_MAX || offset > INT64_MAX - len) {
        return -EFBIG;
    }
    do {
        result =
            file->host->range(file->host->opaque, file->fd, how, (int64_t)offset, (int64_t)len);
    } while (result == -EINTR);
    return is_unsupported(result) ? -EOPNOTSUPP : result;
}

int blk_file_zero(BlkFile *file, uint64_t offset, uint64_t len)
{
    if (!len) {
        return 0;
    }
    /* the call does not make a file longer, and what it has only as zeros need not be said */
    if (!__atomic_load_n(&file->cannot_zero, __ATOMIC_RELAXED) &&
        range_inside(offset, len, 0, blk_file_size(file))) {
        int result = range(file, BLK_HOST_ZERO, offset, len);
        if (result != -EOPNOTSUPP) {
            return result;
        }
        __atomic_store_n(&file->cannot_zero, true, __ATOMIC_RELAXED);
    }
    return blk_file_fill(file, offset, len);
}

int blk_file_reserve(BlkFile *file, uint64_t offset, uint64_t len)
{
    int result = len ? range(file, BLK_HOST_KEEP, offset, len) : 0;

    if (!result) {
        grown_to(file, offset + len);
    }
    return result == -EOPNOTSUPP ? blk_file_fill(file, offset, len) : result;
}

int blk_file_punch(BlkFile *file, uint64_t offset, uint64_t len)
{
    if (__atomic_load_n(&file->cannot_punch, __ATOMIC_RELAXED)) {
        return -EOPNOTSUPP;
    }
    int result = len ? range(file, BLK_HOST_PUNCH, offset, len) : 0;
    if (result == -EOPNOTSUPP) {
        __atomic_store_n(&file->cannot_punch, true, __ATOMIC_RELAXED);
    }
    return result;
}

bool blk_file_is_hole(BlkFile *file, uint64_t offset, uint64_t len, uint64_t *ret_len)
{
    const BlkHost *host = file->host;

    *ret_len = len;
    if (!host->seek || file->is_device || offset > INT64_MAX) {
        return false;
    }
    int64_t data = host->seek(host->opaque, file->fd, (int64_t)offset, 1);
    if (data == -ENXIO) {
        return true;
    }
    if (data < 0) {
        return false;
    }
    if ((uint64_t)data > offset) {
        *ret_len = MIN(len, (uint64_t)data - offset);
        return true;
    }
    int64_t hole = host->seek(host->opaque, file->fd, (int64_t)offset, 0);
    if (hole > 0 && (uint64_t)hole > offset) {
        *ret_len = MIN(len, (uint64_t)hole - offset);
    }
    return false;
}
