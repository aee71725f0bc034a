/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 disk becomes larger or smaller; room is set aside; the header says other things.
 *
 * What a disk gains reads as zeros, whatever is in the rest of its last cluster, or in the image
 * below: that is made so before the header says the new size.
 *
 * Threads: as maintenance.h.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "common/bits.h"
#include "common/error.h"

/* All tables anew for a disk of @size bytes, with room in L1 for one of @l1_size. */
static bool renew(Qcow2 *q, uint64_t size, uint64_t l1_size, GError **error)
{
    uint64_t entries = MAX(qcow2_l1_needed(q, l1_size), q->l1_entries);
    g_autofree uint64_t *l1 = NULL;

    if (!qcow2_settle(q, error)) {
        return false;
    }
    if (entries > QCOW2_L1_BYTES_MAX / 8) {
        set_error(error,
                  "cannot make disk '%s' so large: with clusters of %" G_GUINT64_FORMAT " bytes "
                  "its tables would be too large; copy it with 'insula disk convert'",
                  q->blk.file.path, q->cluster);
        return false;
    }
    l1 = g_malloc0(MAX(entries, 1) * sizeof(uint64_t));
    memcpy(l1, q->l1, q->l1_entries * sizeof(uint64_t));
    Qcow2Rewrite to = qcow2_rewrite_same(q);
    to.l1 = l1;
    to.l1_entries = (uint32_t)entries;
    to.size = size;
    return qcow2_rewrite(q, &to, error);
}

/* How far behind its old end the disk has something that is not zeros. */
static uint64_t dirty_end(const Qcow2 *q, uint64_t old_size, uint64_t size)
{
    uint64_t end = align_up(old_size, q->cluster);

    if (q->blk.backing_name) {
        /* as it is not open, we can't know that it is shorter */
        end = q->blk.backing ? MAX(end, blk_size(q->blk.backing)) : size;
    }
    return MIN(end, size);
}

static bool grow(Qcow2 *q, uint64_t size, GError **error)
{
    uint64_t old_size = q->header.size;

    if (!renew(q, old_size, size, error)) {
        return false;
    }
    uint64_t end = dirty_end(q, old_size, size);
    g_mutex_unlock(&q->lock);
    int result = blk_zero_inside(&q->blk, old_size, end - old_size, BLK_ZERO_UNMAP);
    g_mutex_lock(&q->lock);
    result = result ? result : qcow2_write_out(q, true);
    if (!result) {
        q->header.size = size;
        result = qcow2_header_write(q);
        q->header.size = result ? old_size : size;
    }
    if (result) {
        set_error_errno(error, -result, "cannot make disk '%s' larger", q->blk.file.path);
        return false;
    }
    __atomic_store_n(&q->blk.size, size, __ATOMIC_RELAXED);
    return true;
}

/* What a smaller disk keeps of its last cluster reads as zeros behind the disk's end, so that
 * whoever makes it larger again, by whatever program, finds no old data there. */
static bool shrink(Qcow2 *q, uint64_t size, GError **error)
{
    if (!renew(q, size, size, error)) {
        return false;
    }
    g_mutex_unlock(&q->lock);
    int result = blk_zero_inside(&q->blk, size, align_up(size, q->cluster) - size, BLK_ZERO_UNMAP);
    g_mutex_lock(&q->lock);
    result = result ? result : qcow2_write_out(q, true);
    if (result) {
        set_error_errno(error, -result, "disk '%s' is smaller now, but not clean at its end",
                        q->blk.file.path);
    }
    return result == 0;
}

bool qcow2_resize(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error)
{
    Qcow2 *q = qcow2_of(blk);
    uint64_t old_size = blk_size(blk);
    bool good = true;

    if (size > INT64_MAX - q->cluster) {
        set_error(error, "cannot make disk '%s' so large", blk->file.path);
        return false;
    }
    g_mutex_lock(&q->lock);
    if (size != old_size) {
        good = size > old_size ? grow(q, size, error) : shrink(q, size, error);
    }
    g_mutex_unlock(&q->lock);
    if (good && size > old_size && preallocation != BLK_PREALLOCATE_OFF) {
        good = qcow2_preallocate(blk, old_size, size, preallocation, error);
    }
    return good;
}

bool qcow2_empty(Blk *blk, GError **error)
{
    Qcow2 *q = qcow2_of(blk);
    g_autofree uint64_t *l1 = NULL;

    g_mutex_lock(&q->lock);
    bool good = qcow2_settle(q, error);
    if (good) {
        Qcow2Rewrite to = qcow2_rewrite_same(q);
        l1 = g_malloc0(MAX(q->l1_entries, 1) * sizeof(uint64_t));
        to.l1 = l1;
        good = qcow2_rewrite(q, &to, error);
    }
    g_mutex_unlock(&q->lock);
    return good;
}

/* --- room set aside --- */

/* Make what a plan covers read as zeros. */
static int prepare_room(Blk *blk, const BlkPlan *plan, BlkPreallocation how)
{
    BlkFile *file = &blk->file;
    uint64_t len = plan->end - plan->start;
    int result = 0;

    if (plan->host + len > blk_file_size(file)) {
        result = blk_file_truncate(file, plan->host + len);
    }
    if (!result && (!plan->fresh || how == BLK_PREALLOCATE_FULL)) {
        result = how == BLK_PREALLOCATE_FULL ? blk_file_fill(file, plan->host, len)
                                             : blk_file_zero(file, plan->host, len);
    } else if (!result && how == BLK_PREALLOCATE_FALLOC) {
        result = blk_file_reserve(file, plan->host, len);
    }
    return result;
}

bool qcow2_preallocate(Blk *blk, uint64_t start, uint64_t end, BlkPreallocation how, GError **error)
{
    int result = 0;

    for (uint64_t at = start; at < end && !result;) {
        BlkExtent extent;
        BlkPlan plan = { 0 };
        if (!blk_go_on(blk->progress, at - start, end - start)) {
            result = -EINTR;
            break;
        }
        result = blk->driver->map(blk, at, end - at, 0, &extent);
        if (!result && extent.place == BLK_HERE && extent.in_place) {
            at += extent.len;
            continue;
        }
        result = result ? result : qcow2_allocate(blk, at, end - at, &plan);
        if (!result && plan.start == plan.offset && plan.end == plan.offset + plan.len) {
            at += plan.len;
            result = qcow2_link(blk, &plan, prepare_room(blk, &plan, how));
        } else if (!result) {
            /* there is more in its clusters, which is to be copied: let it be a write */
            (void)qcow2_link(blk, &plan, -ECANCELED);
            at += plan.len;
            result = blk_fill_inside(blk, at - plan.len, plan.len);
        } else if (result > 0) {
            result = 0;
        }
    }
    result = result ? result : qcow2_flush(blk);
    if (result) {
        set_error_errno(error, -result, "cannot set room aside in disk '%s'", blk->file.path);
    }
    return result == 0;
}

/* --- the header --- */

/* Write a header whose strings have changed: these first, to where none were, then the sector that
 * refers to them. */
static int write_header(Qcow2 *q, const uint8_t *bytes)
{
    BlkFile *file = &q->blk.file;
    int result = 0;

    if (q->cluster > BLK_SECTOR) {
        result = blk_file_write(file, BLK_SECTOR, bytes + BLK_SECTOR, q->cluster - BLK_SECTOR);
        result = result ? result : blk_file_sync(file);
    }
    result = result ? result : blk_file_write(file, 0, bytes, BLK_SECTOR);
    result = result ? result : blk_file_sync(file);
    if (!result) {
        memcpy(q->sector, bytes, BLK_SECTOR);
    }
    return result;
}

/* @header is of one image, and its strings ours. */
static bool change_header(Qcow2 *q, Qcow2Header *header, GError **error)
{
    g_autofree uint8_t *bytes = g_malloc0(q->cluster);
    uint64_t old_end = q->header.backing_offset + q->header.backing_len;

    /* behind the old name, so that it stays whole; when that is the end, before it */
    memcpy(bytes, q->sector, MIN(header->length, (uint32_t)BLK_SECTOR));
    if (!qcow2_header_format(header, bytes, q->cluster, old_end, error)) {
        g_prefix_error(error, "cannot change disk '%s': ", q->blk.file.path);
        return false;
    }
    if (q->header.backing && header->backing_offset != q->header.backing_offset &&
        !ranges_overlap(header->backing_offset, header->backing_len, q->header.backing_offset,
                        q->header.backing_len) &&
        q->header.backing_offset >= BLK_SECTOR) {
        memcpy(bytes + q->header.backing_offset, q->header.backing, q->header.backing_len);
    }
    int result = write_header(q, bytes);
    if (result) {
        set_error_errno(error, -result, "cannot write the header of disk '%s'", q->blk.file.path);
    }
    return result == 0;
}

bool qcow2_set_backing(Blk *blk, const char *name, const char *format, GError **error)
{
    Qcow2 *q = qcow2_of(blk);

    g_mutex_lock(&q->lock);
    bool good = qcow2_settle(q, error);
    if (good) {
        Qcow2Header header = q->header;
        header.backing = g_strdup(name);
        header.backing_format = name ? g_strdup(format) : NULL;
        good = change_header(q, &header, error);
        char *old_name = good ? q->header.backing : header.backing;
        char *old_format = good ? q->header.backing_format : header.backing_format;
        if (good) {
            q->header = header;
            g_free(blk->backing_name);
            g_free(blk->backing_format);
            blk->backing_name = g_strdup(name);
            blk->backing_format = g_strdup(header.backing_format);
        }
        g_free(old_name);
        g_free(old_format);
    }
    g_mutex_unlock(&q->lock);
    return good;
}
