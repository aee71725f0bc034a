/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data of disks is moved here, see block.h.
 *
 * A read asks the image, then the one that it is based on, and so on, where a piece is, and moves
 * it from there.  A write asks whether it may go where the piece is; if not, driver.h tells how a
 * new place is found.  Every request passes the gate, so that the format knows who may still be
 * using room that was given back.
 */
#include <errno.h>
#include <string.h>

#include "block/driver.h"
#include "block/iov.h"
#include "common/bits.h"

enum { ZERO_CHUNK = 1 << 16 };
static const uint8_t zero_bytes[ZERO_CHUNK];

int blk_resolve(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkWhere *ret)
{
    unsigned depth = 0;

    for (Blk *layer = blk; layer; layer = layer->backing, depth++) {
        uint64_t size = blk_size(layer);
        if (offset >= size) {
            break; /* an image behind whose end another goes on reads as zeros there */
        }
        len = MIN(len, size - offset);
        int result = layer->driver->map(layer, offset, len, flags, &ret->extent);
        if (result < 0) {
            return result;
        }
        len = ret->extent.len;
        if (ret->extent.place != BLK_UNALLOCATED) {
            ret->layer = layer;
            ret->depth = depth;
            return 0;
        }
    }
    *ret =
        (BlkWhere){ .depth = depth ? depth - 1 : 0, .extent = { .place = BLK_ZERO, .len = len } };
    return 0;
}

/* --- reading --- */

static int read_file(BlkFile *file, const BlkExtent *extent, BlkCursor *cursor)
{
    struct iovec iov[BLK_CURSOR_IOV];
    uint64_t size = blk_file_size(file);
    uint64_t there = extent->offset < size ? MIN(extent->len, size - extent->offset) : 0;
    unsigned n = blk_cursor_peek(cursor, there, iov);
    int result = there ? blk_file_readv(file, extent->offset, iov, n) : 0;

    if (!result) {
        blk_cursor_skip(cursor, there);
        /* a file may end inside of its last unit */
        blk_cursor_zero(cursor, extent->len - there);
    }
    return result;
}

static bool is_unpacked(const Blk *blk, const BlkExtent *extent)
{
    return blk->unpacked_valid && blk->unpacked_extent.offset == extent->offset &&
           blk->unpacked_extent.packed == extent->packed;
}

/* Into the one buffer that is kept, so that a unit which is read in pieces is unpacked once. */
static int read_kept(Blk *blk, const BlkExtent *extent, BlkCursor *cursor)
{
    int result = 0;

    if (!is_unpacked(blk, extent)) {
        blk->unpacked = blk->unpacked ? blk->unpacked : g_try_malloc(blk->unit);
        blk->unpacked_valid = false;
        result = blk->unpacked ? blk->driver->inflate(blk, extent, blk->unpacked) : -ENOMEM;
        blk->unpacked_valid = !result;
        blk->unpacked_extent = *extent;
    }
    if (!result) {
        blk_cursor_put(cursor, blk->unpacked + extent->skip, extent->len);
    }
    return result;
}

static int read_compressed(Blk *blk, const BlkExtent *extent, BlkCursor *cursor)
{
    if (g_mutex_trylock(&blk->unpacked_lock)) {
        int result = read_kept(blk, extent, cursor);
        g_mutex_unlock(&blk->unpacked_lock);
        return result;
    }
    g_autofree uint8_t *own = g_try_malloc(blk->unit);
    int result = own ? blk->driver->inflate(blk, extent, own) : -ENOMEM;
    if (!result) {
        blk_cursor_put(cursor, own + extent->skip, extent->len);
    }
    return result;
}

void blk_forget_unpacked(Blk *blk)
{
    g_mutex_lock(&blk->unpacked_lock);
    blk->unpacked_valid = false;
    g_mutex_unlock(&blk->unpacked_lock);
}

static int read_all(Blk *blk, uint64_t offset, BlkCursor *cursor)
{
    int result = 0;

    while (cursor->left && !result) {
        BlkWhere where;
        result = blk_resolve(blk, offset, cursor->left, 0, &where);
        if (result) {
            break;
        }
        offset += where.extent.len;
        switch (where.extent.place) {
        case BLK_UNALLOCATED:
        case BLK_ZERO:
            blk_cursor_zero(cursor, where.extent.len);
            break;
        case BLK_HERE:
            result = read_file(&where.layer->file, &where.extent, cursor);
            break;
        case BLK_COMPRESSED:
            result = read_compressed(where.layer, &where.extent, cursor);
            break;
        }
    }
    return result;
}

int blk_read_inside(Blk *blk, uint64_t offset, void *buf, size_t len)
{
    uint64_t size = blk_size(blk);
    size_t there = offset < size ? MIN(len, size - offset) : 0;
    struct iovec iov = { buf, there };
    BlkCursor cursor;

    memset((uint8_t *)buf + there, 0, len - there);
    return blk_cursor_init(&cursor, &iov, 1) ? read_all(blk, offset, &cursor) : -EINVAL;
}

/* --- writing --- */

/* What a plan covers besides the request's data. */
typedef struct Edges {
    size_t head, tail;
    uint8_t *bytes; /* of both; NULL: there are none */
} Edges;

/* Read them.  What is zero and never was written need not be written. */
static int read_edges(Blk *blk, const BlkPlan *plan, Edges *ret)
{
    uint64_t data_end = plan->offset + plan->len;
    size_t head = plan->offset - plan->start, tail = plan->end - data_end;
    int result = 0;

    *ret = (Edges){ head, tail, NULL };
    if (!head && !tail) {
        return 0;
    }
    g_autofree uint8_t *bytes = g_try_malloc(head + tail);
    if (!bytes) {
        return -ENOMEM;
    }
    result = head ? blk_read_inside(blk, plan->start, bytes, head) : 0;
    result = result || !tail ? result : blk_read_inside(blk, data_end, bytes + head, tail);
    if (result) {
        return result;
    }
    if (plan->fresh && blk_is_zero(bytes + head, tail)) {
        ret->tail = 0;
    }
    if (plan->fresh && blk_is_zero(bytes, head)) {
        ret->head = 0;
        memmove(bytes, bytes + head, ret->tail);
    }
    ret->bytes = g_steal_pointer(&bytes);
    return 0;
}

static int write_plan(Blk *blk, const BlkPlan *plan, const BlkCursor *cursor)
{
    struct iovec iov[BLK_CURSOR_IOV];
    unsigned n = 0;
    Edges edges;
    int result = read_edges(blk, plan, &edges);

    if (result) {
        return result;
    }
    if (edges.head) {
        iov[n++] = (struct iovec){ edges.bytes, edges.head };
    }
    n += blk_cursor_peek(cursor, plan->len, iov + n);
    if (edges.tail) {
        iov[n++] = (struct iovec){ edges.bytes + edges.head, edges.tail };
    }
    uint64_t at = plan->host + (plan->offset - plan->start - edges.head);
    result = blk_file_writev(&blk->file, at, iov, n);
    g_free(edges.bytes);
    return result;
}

static int write_new(Blk *blk, uint64_t offset, BlkCursor *cursor)
{
    BlkPlan plan = { 0 };
    int result = blk->driver->allocate(blk, offset, cursor->left, &plan);

    if (result) {
        return result > 0 ? 0 : result;
    }
    result = write_plan(blk, &plan, cursor);
    int linked = blk->driver->link(blk, &plan, result);
    result = result ? result : linked;
    if (!result) {
        blk_cursor_skip(cursor, plan.len);
    }
    return result;
}

static int write_all(Blk *blk, uint64_t offset, BlkCursor *cursor)
{
    uint64_t end = offset + cursor->left;
    int result = 0;

    while (cursor->left && !result) {
        struct iovec iov[BLK_CURSOR_IOV];
        BlkExtent extent;
        uint64_t at = end - cursor->left;
        result = blk->driver->map(blk, at, cursor->left, 0, &extent);
        if (result) {
            break;
        }
        if (extent.place != BLK_HERE || !extent.in_place) {
            result = write_new(blk, at, cursor);
            continue;
        }
        unsigned n = blk_cursor_peek(cursor, extent.len, iov);
        result = blk_file_writev(&blk->file, extent.offset, iov, n);
        if (!result) {
            blk_cursor_skip(cursor, extent.len);
        }
    }
    return result;
}

/* Write what is all zeros as such, if that is wanted. */
static int write_or_zero(Blk *blk, uint64_t offset, BlkCursor *cursor)
{
    bool zero = blk->detect != BLK_DETECT_OFF && cursor->left;

    for (unsigned i = 0; i < cursor->n && zero; i++) {
        zero = blk_is_zero(cursor->iov[i].iov_base, cursor->iov[i].iov_len);
    }
    if (!zero) {
        return write_all(blk, offset, cursor);
    }
    return blk_zero_inside(blk, offset, cursor->left,
                           blk->detect == BLK_DETECT_UNMAP ? BLK_ZERO_UNMAP : BLK_ZERO_KEEP);
}

static int flush_inside(Blk *blk)
{
    if (blk->read_only) {
        return 0;
    }
    return blk->driver->flush ? blk->driver->flush(blk) : blk_file_sync(&blk->file);
}

/* --- zeros and discards --- */

int blk_fill_inside(Blk *blk, uint64_t offset, uint64_t len)
{
    int result = 0;

    while (len && !result) {
        uint64_t part = MIN(len, ZERO_CHUNK);
        struct iovec iov = { (void *)(uintptr_t)zero_bytes, part };
        BlkCursor cursor;
        blk_cursor_init(&cursor, &iov, 1);
        result = write_all(blk, offset, &cursor);
        offset += part;
        len -= part;
    }
    return result;
}

int blk_zero_inside(Blk *blk, uint64_t offset, uint64_t len, BlkZero how)
{
    int result = 0;

    while (len && result >= 0) {
        uint64_t done = 0;
        result = blk->driver->zero(blk, offset, len, how, &done);
        if (result > 0) {
            result = blk_fill_inside(blk, offset, done);
        }
        offset += done;
        len -= done;
    }
    return MIN(result, 0);
}

/* --- requests --- */

/* Whether a request is inside of the disk, with @cursor over its buffers. */
static bool prepare(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n,
                    BlkCursor *cursor)
{
    return n <= BLK_MAX_IOV && blk_cursor_init(cursor, iov, n) &&
           range_inside(offset, cursor->left, 0, blk_size(blk));
}

int blk_readv(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    BlkPass pass;
    BlkCursor cursor;
    uint64_t begun_ns = blk_count_begin();

    blk_gate_enter(&blk->gate, &pass);
    bool inside = prepare(blk, offset, iov, n, &cursor);
    uint64_t len = inside ? cursor.left : 0;
    int result = inside ? read_all(blk, offset, &cursor) : -EINVAL;
    blk_gate_leave(&blk->gate, &pass);
    blk_count_end(blk, BLK_COUNT_READ, len, result, begun_ns);
    return result;
}

int blk_writev(Blk *blk, uint64_t offset, const struct iovec *iov, unsigned n)
{
    BlkPass pass;
    BlkCursor cursor;
    uint64_t begun_ns = blk_count_begin();

    if (blk->read_only) {
        return -EROFS;
    }
    blk_gate_enter(&blk->gate, &pass);
    bool inside = prepare(blk, offset, iov, n, &cursor);
    uint64_t len = inside ? cursor.left : 0;
    int result = inside ? write_or_zero(blk, offset, &cursor) : -EINVAL;
    if (!result && blk->sync_writes) {
        result = flush_inside(blk);
    }
    blk_gate_leave(&blk->gate, &pass);
    blk_count_end(blk, BLK_COUNT_WRITE, len, result, begun_ns);
    return result;
}

int blk_read(Blk *blk, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { buf, len };

    return blk_readv(blk, offset, &iov, 1);
}

int blk_write(Blk *blk, uint64_t offset, const void *buf, size_t len)
{
    struct iovec iov = { (void *)(uintptr_t)buf, len };

    return blk_writev(blk, offset, &iov, 1);
}

int blk_zero(Blk *blk, uint64_t offset, uint64_t len, BlkZero how)
{
    BlkPass pass;
    uint64_t begun_ns = blk_count_begin();

    if (blk->read_only) {
        return -EROFS;
    }
    blk_gate_enter(&blk->gate, &pass);
    int result = range_inside(offset, len, 0, blk_size(blk))
                     ? blk_zero_inside(blk, offset, len, how)
                     : -EINVAL;
    if (!result && blk->sync_writes) {
        result = flush_inside(blk);
    }
    blk_gate_leave(&blk->gate, &pass);
    blk_count_end(blk, BLK_COUNT_ZERO, len, result, begun_ns);
    return result;
}

int blk_flush(Blk *blk)
{
    BlkPass pass;
    uint64_t begun_ns = blk_count_begin();

    blk_gate_enter(&blk->gate, &pass);
    int result = flush_inside(blk);
    blk_gate_leave(&blk->gate, &pass);
    blk_count_end(blk, BLK_COUNT_FLUSH, 0, result, begun_ns);
    return result;
}

int blk_status(Blk *blk, uint64_t offset, uint64_t len, BlkStatus *ret_status)
{
    BlkPass pass;
    BlkWhere where;
    int result = -EINVAL;

    blk_gate_enter(&blk->gate, &pass);
    if (len && range_inside(offset, len, 0, blk_size(blk))) {
        result = blk_resolve(blk, offset, len, BLK_MAP_EXACT, &where);
    }
    blk_gate_leave(&blk->gate, &pass);
    if (result) {
        return result;
    }
    *ret_status = (BlkStatus){
        .len = where.extent.len,
        .zero = where.extent.place == BLK_ZERO,
        .allocated = where.layer != NULL,
        .in_file = where.extent.place == BLK_HERE,
        .compressed = where.extent.place == BLK_COMPRESSED,
        .depth = where.depth,
        .offset = where.extent.place == BLK_HERE ? where.extent.offset : 0,
    };
    return 0;
}
