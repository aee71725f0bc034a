/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks are copied, see disk.h.
 *
 * Workers take pieces one after the other: what the source knows to be zeros is not read, and
 * what turns out to be zeros, or what the target has anyway, is not written.
 *
 * Threads: the caller's and its workers; .lock is held while the next piece is chosen.
 */
#include <errno.h>
#include <string.h>

#include "block/iov.h"
#include "common/bits.h"
#include "common/error.h"
#include "disk/disk.h"

enum { PIECE = 2 << 20, GRAIN = 4096, HOLE = 1 << 30 };

typedef struct Work {
    const DiskCopy *copy;
    uint64_t size;
    uint64_t unit; /* pieces begin at multiples of it */
    GMutex lock;
    /* lock: lock */
    uint64_t next;
    int result;
    const char *what; /* failed */
    uint64_t where;
    bool stopped;
} Work;

typedef struct Piece {
    uint64_t offset, len;
    bool zero;
} Piece;

/* Lock: held. */
static void fail(Work *work, int result, const char *what, uint64_t where)
{
    if (!work->result) {
        work->result = result;
        work->what = what;
        work->where = where;
    }
}

/* How far the source is zeros from @offset on, in whole units; or else how much to read. */
static int choose(Work *work, uint64_t offset, Piece *ret)
{
    uint64_t left = work->size - offset, done = 0;
    uint64_t from_size = blk_size(work->copy->from);
    BlkStatus status = { .zero = true };
    int result = 0;

    while (done < MIN(left, HOLE) && status.zero && !result) {
        if (offset + done >= from_size) {
            done = left;
            break;
        }
        result = blk_status(work->copy->from, offset + done, from_size - offset - done, &status);
        done += status.zero && !result ? status.len : 0;
    }
    done = done >= left ? left : align_down(done, work->unit);
    *ret = (Piece){ offset, done, true };
    if (!done) {
        *ret = (Piece){ offset, MIN(MAX(PIECE, work->unit), left), false };
    }
    return result;
}

/* The next piece of work; false: there is none. */
static bool take(Work *work, Piece *ret)
{
    DiskProgress *progress = work->copy->progress;

    g_mutex_lock(&work->lock);
    bool more = work->next < work->size && !work->result && !work->stopped;
    if (more && progress &&
        !progress->progress.fn(progress->progress.opaque, work->next, work->size)) {
        work->stopped = true;
        more = false;
    }
    if (more) {
        int result = choose(work, work->next, ret);
        if (result) {
            fail(work, result, "read", work->next);
            more = false;
        }
        work->next += ret->len;
    }
    g_mutex_unlock(&work->lock);
    return more;
}

/* Write what of a piece is not there already. */
static int write_run(const DiskCopy *copy, uint64_t offset, const uint8_t *bytes, uint64_t len)
{
    if (!copy->same && blk_is_zero(bytes, len)) {
        return copy->to_is_zero ? 0 : blk_zero(copy->to, offset, len, BLK_ZERO_UNMAP);
    }
    return copy->compress ? blk_write_compressed(copy->to, offset, bytes, len)
                          : blk_write(copy->to, offset, bytes, len);
}

/* Whether the target has @bytes without our writing them: @old is what it has. */
static bool is_there(const DiskCopy *copy, const uint8_t *bytes, const uint8_t *old, uint64_t len)
{
    return copy->same ? !memcmp(bytes, old, len) : blk_is_zero(bytes, len);
}

static int write_piece(Work *work, const Piece *piece, const uint8_t *bytes, const uint8_t *old)
{
    const DiskCopy *copy = work->copy;
    uint64_t grain = copy->compress ? work->unit : GRAIN;
    int result = 0;

    for (uint64_t at = 0, run; at < piece->len && !result; at += run) {
        run = MIN(grain, piece->len - at);
        bool there = is_there(copy, bytes + at, old + at, run);
        while (!copy->compress && at + run < piece->len) {
            uint64_t more = MIN(grain, piece->len - at - run);
            if (is_there(copy, bytes + at + run, old + at + run, more) != there) {
                break;
            }
            run += more;
        }
        if (there && copy->same) {
            continue;
        }
        result = write_run(copy, piece->offset + at, bytes + at, run);
    }
    return result;
}

static int read_padded(Blk *blk, uint64_t offset, uint8_t *bytes, uint64_t len)
{
    uint64_t size = blk_size(blk);
    uint64_t there = offset < size ? MIN(len, size - offset) : 0;

    memset(bytes + there, 0, len - there);
    return there ? blk_read(blk, offset, bytes, there) : 0;
}

static void do_piece(Work *work, const Piece *piece, uint8_t *bytes, uint8_t *old)
{
    const DiskCopy *copy = work->copy;
    const char *what = "write";
    int result = 0;

    if (piece->zero && !copy->same) {
        result =
            copy->to_is_zero ? 0 : blk_zero(copy->to, piece->offset, piece->len, BLK_ZERO_UNMAP);
    }
    for (uint64_t at = 0; (!piece->zero || copy->same) && at < piece->len && !result;) {
        Piece part = { piece->offset + at, MIN(piece->len - at, MAX(PIECE, work->unit)), false };
        what = "read";
        result = read_padded(copy->from, part.offset, bytes, part.len);
        if (!result && copy->same) {
            result = read_padded(copy->same, part.offset, old, part.len);
        }
        if (!result) {
            what = "write";
            result = write_piece(work, &part, bytes, old);
        }
        at += part.len;
    }
    if (result) {
        g_mutex_lock(&work->lock);
        fail(work, result, what, piece->offset);
        g_mutex_unlock(&work->lock);
    }
}

static gpointer run(gpointer opaque)
{
    Work *work = opaque;
    uint64_t room = MAX(PIECE, work->unit);
    g_autofree uint8_t *bytes = g_malloc(room), *old = g_malloc0(room);
    Piece piece;

    while (take(work, &piece)) {
        do_piece(work, &piece, bytes, old);
    }
    return NULL;
}

bool disk_copy(const DiskCopy *copy, GError **error)
{
    BlkInfo info;
    Work work = { .copy = copy, .size = blk_size(copy->to) };
    g_autoptr(GPtrArray) threads = g_ptr_array_new();

    blk_info(copy->to, &info);
    work.unit = MAX(info.cluster, GRAIN);
    blk_info_clear(&info);
    g_mutex_init(&work.lock);
    for (unsigned i = 1; i < copy->threads; i++) {
        g_ptr_array_add(threads, g_thread_new("copy", run, &work));
    }
    run(&work);
    for (guint i = 0; i < threads->len; i++) {
        g_thread_join(g_ptr_array_index(threads, i));
    }
    g_mutex_clear(&work.lock);
    if (!work.result && !work.stopped) {
        fail(&work, blk_flush(copy->to), "flush", 0);
    }
    if (work.stopped) {
        set_error(error, "interrupted; disk '%s' is not complete", blk_path(copy->to));
    } else if (work.result) {
        Blk *blk = !strcmp(work.what, "read") ? copy->from : copy->to;
        set_error_errno(error, -work.result, "cannot %s disk '%s' at byte %" G_GUINT64_FORMAT,
                        work.what, blk_path(blk), work.where);
    }
    return !work.result && !work.stopped;
}
