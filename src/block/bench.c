/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host in memory for tests, see bench.h.
 */
#include "block/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/bits.h"

/* A descriptor is the file's number and this. */
enum { FD_BASE = 1000 };

/* Whether this call fails.  Lock: held. */
static bool fails(BlkBench *bench)
{
    unsigned call = ++bench->calls;

    return bench->fail_at && (call == bench->fail_at || call == bench->fail_again ||
                              (bench->fail_from_then && call > bench->fail_at));
}

/* Whether this call is only said to have been done.  Lock: held. */
static bool is_lost(const BlkBench *bench)
{
    return bench->lose_at && bench->calls == bench->lose_at;
}

static BenchFile *file_of(BlkBench *bench, int fd)
{
    g_assert(fd >= FD_BASE && fd < FD_BASE + BENCH_FILES && bench->files[fd - FD_BASE].path);
    return &bench->files[fd - FD_BASE];
}

static void set_size(BenchFile *file, uint64_t size)
{
    if (size > file->room) {
        uint64_t room = MAX(size, file->room * 2);
        file->bytes = g_realloc(file->bytes, room);
        memset(file->bytes + file->room, 0, room - file->room);
        file->room = room;
    }
    if (size < file->size) {
        memset(file->bytes + size, 0, file->size - size);
    }
    file->size = size;
}

static void record(BlkBench *bench, BenchRecord entry, const void *bytes)
{
    if (bench->recording) {
        entry.bytes = bytes ? g_memdup2(bytes, entry.len) : NULL;
        g_array_append_val(bench->log, entry);
    }
}

static int add_file(BlkBench *bench, const char *path)
{
    for (unsigned i = 0; i < BENCH_FILES; i++) {
        if (!bench->files[i].path) {
            bench->files[i].path = g_strdup(path);
            return (int)i;
        }
    }
    g_assert_not_reached();
}

static int find_file(const BlkBench *bench, const char *path)
{
    for (unsigned i = 0; i < BENCH_FILES; i++) {
        if (bench->files[i].path && !strcmp(bench->files[i].path, path)) {
            return (int)i;
        }
    }
    return -1;
}

static int bench_open(void *opaque, const char *path, int flags)
{
    BlkBench *bench = opaque;

    g_mutex_lock(&bench->lock);
    int number = find_file(bench, path);
    bench->flags = flags;
    if (fails(bench)) {
        number = bench->result ? bench->result : -EIO;
    } else if (flags & O_EXCL && number >= 0) {
        number = -EEXIST;
    } else if (number < 0) {
        number = flags & O_CREAT ? add_file(bench, path) : -ENOENT;
    }
    g_mutex_unlock(&bench->lock);
    return number < 0 ? number : number + FD_BASE;
}

static int bench_stat(void *opaque, int fd, struct stat *st)
{
    *st = (struct stat){ .st_mode = S_IFREG | 0600, .st_ino = (ino_t)fd };
    return 0;
}

static int64_t bench_size(void *opaque, int fd)
{
    BlkBench *bench = opaque;

    g_mutex_lock(&bench->lock);
    int64_t size = (int64_t)file_of(bench, fd)->size;
    g_mutex_unlock(&bench->lock);
    return size;
}

static size_t half(size_t len)
{
    return align_down(len / 2, BLK_SECTOR);
}

/* What a move may move: all of @iov, less, or an error.  Lock: held. */
static ssize_t allowed(BlkBench *bench, const BenchFile *file, const struct iovec *iov, int n,
                       int64_t offset)
{
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        len += iov[i].iov_len;
    }
    g_assert(offset >= 0);
    if (bench->interrupt_at && ++bench->calls % bench->interrupt_at == 0) {
        return -EINTR;
    }
    if (fails(bench)) {
        /* a host that moves less moves whole sectors */
        return bench->result ? bench->result : (ssize_t)(len < BLK_SECTOR * 2 ? len : half(len));
    }
    return (ssize_t)len;
}

static ssize_t bench_preadv(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    BlkBench *bench = opaque;

    g_mutex_lock(&bench->lock);
    const BenchFile *file = file_of(bench, fd);
    ssize_t len = allowed(bench, file, iov, n, offset);
    uint64_t at = (uint64_t)offset;
    if (len > 0) {
        len = at < file->size ? (ssize_t)MIN((uint64_t)len, file->size - at) : 0;
    }
    ssize_t left = len;
    for (int i = 0; i < n && left > 0; i++) {
        size_t part = MIN(iov[i].iov_len, (size_t)left);
        memcpy(iov[i].iov_base, file->bytes + at, part);
        at += part;
        left -= (ssize_t)part;
    }
    g_mutex_unlock(&bench->lock);
    return len;
}

/* Move what is at @iov to @file, @len bytes of it.  Lock: held. */
static void move_in(BlkBench *bench, BenchFile *file, const struct iovec *iov, int64_t offset,
                    size_t len)
{
    uint64_t at = (uint64_t)offset;
    BenchRecord entry = { BENCH_WRITE, (unsigned)(file - bench->files), at, len, NULL };

    if (at + len > file->size) {
        set_size(file, at + len);
    }
    for (size_t left = len; left; iov++) {
        size_t part = MIN(iov->iov_len, left);
        memcpy(file->bytes + at, iov->iov_base, part);
        at += part;
        left -= part;
    }
    record(bench, entry, file->bytes + offset);
}

static ssize_t bench_pwritev(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    BlkBench *bench = opaque;

    g_mutex_lock(&bench->lock);
    BenchFile *file = file_of(bench, fd);
    ssize_t len = allowed(bench, file, iov, n, offset);
    uint64_t at = (uint64_t)offset;
    if (len > 0 && bench->limit && at + (uint64_t)len > bench->limit &&
        at + (uint64_t)len > file->size) {
        len = at < bench->limit ? (ssize_t)(bench->limit - at) : -ENOSPC;
    }
    if (len > 0 && !is_lost(bench)) {
        move_in(bench, file, iov, offset, (size_t)len);
    } else if (len < 0 && len != -EINTR && bench->half_done) {
        size_t all = 0;
        for (int i = 0; i < n; i++) {
            all += iov[i].iov_len;
        }
        move_in(bench, file, iov, offset, half(all));
    }
    g_mutex_unlock(&bench->lock);
    return len;
}

static void bench_begin(void *opaque, BlkMove *move)
{
    BlkBench *bench = opaque;

    g_mutex_lock(&bench->lock);
    g_ptr_array_add(bench->begun, move);
    g_mutex_unlock(&bench->lock);
}

static BlkMove *take_begun(BlkBench *bench, GRand *random)
{
    BlkMove *move = NULL;

    g_mutex_lock(&bench->lock);
    if (bench->begun->len) {
        move = g_ptr_array_remove_index(bench->begun, g_rand_int(random) % bench->begun->len);
    }
    g_mutex_unlock(&bench->lock);
    return move;
}

void blk_bench_end_moves(BlkBench *bench, GRand *random, bool some)
{
    BlkMove *move;

    while ((!some || g_rand_int(random) % 4) && (move = take_begun(bench, random))) {
        move->result = move->write
                           ? bench_pwritev(bench, move->file, move->iov, move->n, move->offset)
                           : bench_preadv(bench, move->file, move->iov, move->n, move->offset);
        blk_pool_end(move->pool, &move->job);
    }
}

static int bench_fdatasync(void *opaque, int fd)
{
    BlkBench *bench = opaque;
    BenchRecord entry = { BENCH_SYNC, (unsigned)(fd - FD_BASE), 0, 0, NULL };

    g_mutex_lock(&bench->lock);
    int result = fails(bench) ? MIN(bench->result, -1) : 0;
    if (!result && !(bench->drop_syncs >> MIN(bench->syncs, 31) & 1)) {
        record(bench, entry, NULL);
    }
    bench->syncs++;
    g_mutex_unlock(&bench->lock);
    return result;
}

static void bench_close(void *opaque, int fd)
{
}

static int bench_truncate(void *opaque, int fd, int64_t size)
{
    BlkBench *bench = opaque;
    BenchRecord entry = { BENCH_TRUNCATE, (unsigned)(fd - FD_BASE), (uint64_t)size, 0, NULL };

    g_mutex_lock(&bench->lock);
    int result = fails(bench) ? MIN(bench->result, -1) : 0;
    if (!result) {
        set_size(file_of(bench, fd), (uint64_t)size);
        record(bench, entry, NULL);
    }
    g_mutex_unlock(&bench->lock);
    return result;
}

static void zero(BenchFile *file, uint64_t offset, uint64_t len)
{
    if (offset < file->size) {
        memset(file->bytes + offset, 0, MIN(len, file->size - offset));
    }
}

static int bench_range(void *opaque, int fd, BlkHostRange how, int64_t offset, int64_t len)
{
    BlkBench *bench = opaque;
    BenchRecord entry = { how == BLK_HOST_PUNCH ? BENCH_PUNCH : BENCH_ZERO,
                          (unsigned)(fd - FD_BASE), (uint64_t)offset, (uint64_t)len, NULL };

    if (how == BLK_HOST_KEEP) {
        return -EOPNOTSUPP;
    }
    g_mutex_lock(&bench->lock);
    int result = fails(bench) ? MIN(bench->result, -1) : 0;
    if (!result && !is_lost(bench)) {
        zero(file_of(bench, fd), (uint64_t)offset, (uint64_t)len);
        record(bench, entry, NULL);
    }
    g_mutex_unlock(&bench->lock);
    return result;
}

static void clear_record(gpointer data)
{
    g_free(((BenchRecord *)data)->bytes);
}

void blk_bench_init(BlkBench *bench)
{
    *bench = (BlkBench){
        .host = {
            .opaque = bench,
            .open = bench_open,
            .stat = bench_stat,
            .size = bench_size,
            .preadv = bench_preadv,
            .pwritev = bench_pwritev,
            .fdatasync = bench_fdatasync,
            .close = bench_close,
            .truncate = bench_truncate,
            .range = bench_range,
            .begin = bench_begin,
        },
        .begun = g_ptr_array_new(),
        .log = g_array_new(FALSE, FALSE, sizeof(BenchRecord)),
    };
    g_array_set_clear_func(bench->log, clear_record);
    g_mutex_init(&bench->lock);
}

void blk_bench_clear(BlkBench *bench)
{
    for (unsigned i = 0; i < BENCH_FILES; i++) {
        g_free(bench->files[i].path);
        g_free(bench->files[i].bytes);
    }
    g_array_unref(bench->log);
    g_ptr_array_unref(bench->begun);
    g_mutex_clear(&bench->lock);
}

BenchFile *blk_bench_file(BlkBench *bench, const char *path)
{
    int number = find_file(bench, path);

    g_assert(number >= 0);
    return &bench->files[number];
}

void blk_bench_put(BlkBench *bench, const char *path, const void *bytes, uint64_t len)
{
    int number = find_file(bench, path);
    BenchFile *file = &bench->files[number >= 0 ? number : add_file(bench, path)];

    set_size(file, 0);
    set_size(file, len);
    if (len) {
        memcpy(file->bytes, bytes, len);
    }
}

void blk_bench_record(BlkBench *bench)
{
    g_array_set_size(bench->log, 0);
    bench->recording = true;
}

void blk_bench_copy(const BlkBench *bench, BlkBench *target)
{
    for (unsigned i = 0; i < BENCH_FILES; i++) {
        const BenchFile *file = &bench->files[i];
        if (file->path) {
            blk_bench_put(target, file->path, file->bytes, file->size);
        }
    }
}

/* Do @record again; of a write the sectors that @random says. */
static void redo(BenchFile *file, const BenchRecord *entry, GRand *random)
{
    switch (entry->op) {
    case BENCH_WRITE:
        for (uint64_t at = 0; at < entry->len;) {
            uint64_t len = MIN(BLK_SECTOR - (entry->offset + at) % BLK_SECTOR, entry->len - at);
            if (!random || g_rand_int(random) % 2) {
                if (entry->offset + at + len > file->size) {
                    set_size(file, entry->offset + at + len);
                }
                memcpy(file->bytes + entry->offset + at, entry->bytes + at, len);
            }
            at += len;
        }
        break;
    case BENCH_TRUNCATE:
        set_size(file, entry->offset);
        break;
    case BENCH_PUNCH:
    case BENCH_ZERO:
        zero(file, entry->offset, random ? entry->len / BLK_SECTOR / 2 * BLK_SECTOR : entry->len);
        break;
    case BENCH_SYNC:
        break;
    }
}

void blk_bench_replay(const BlkBench *bench, BlkBench *target, guint n, GRand *random)
{
    guint last_sync = n;

    while (random && last_sync > 0 &&
           g_array_index(bench->log, BenchRecord, last_sync - 1).op != BENCH_SYNC) {
        last_sync--;
    }
    for (guint i = 0; i < n; i++) {
        const BenchRecord *entry = &g_array_index(bench->log, BenchRecord, i);
        GRand *torn = i < last_sync ? NULL : random;
        /* whole records are lost too */
        if (!torn || g_rand_int(torn) % 4) {
            bool whole = !torn || g_rand_int(torn) % 2;
            redo(&target->files[entry->file], entry, whole ? NULL : torn);
        }
    }
}

guint blk_bench_settle(BlkBench *bench, BlkBench *base)
{
    guint n = bench->log->len;

    while (n > 0 && g_array_index(bench->log, BenchRecord, n - 1).op != BENCH_SYNC) {
        n--;
    }
    blk_bench_replay(bench, base, n, NULL);
    if (n) {
        g_array_remove_range(bench->log, 0, n);
    }
    return bench->log->len;
}
