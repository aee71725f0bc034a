/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which the metadata of a qcow2 image reaches the disk.
 *
 *   1. reference counts; a sync; the table that names new blocks of them
 *   2. a sync: so the counts, the data and the content of new tables are there
 *   3. entries of L2 and L1
 *   4. a sync: so what the entries no longer refer to may be given back (refcount.c)
 *
 * Steps with nothing to do are left out; overwriting data in place costs one sync.
 *
 * After an error all that was not written is still marked as changed, and is tried again.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/qcow2.h"
#include "common/bits.h"

/* The header could not be written: whatever is there now, no more may be built on it, unless it is
 * what was there before. */
static void doubt_header(Qcow2 *q)
{
    uint8_t bytes[BLK_SECTOR];

    if (blk_file_read(&q->blk.file, 0, bytes, sizeof(bytes)) ||
        memcmp(bytes, q->sector, sizeof(bytes)) != 0) {
        q->corrupt = true;
        if (!q->reason) {
            q->reason =
                g_strdup_printf("the header of image '%s' could not be written", q->blk.file.path);
            __atomic_store_n(&q->blk.broken, q->reason, __ATOMIC_RELEASE);
        }
    }
}

int qcow2_header_write(Qcow2 *q)
{
    uint8_t bytes[BLK_SECTOR];

    memcpy(bytes, q->sector, sizeof(bytes));
    qcow2_header_store(&q->header, bytes);
    int result = blk_file_write(&q->blk.file, 0, bytes, sizeof(bytes));
    if (result) {
        doubt_header(q);
        return result;
    }
    memcpy(q->sector, bytes, sizeof(bytes));
    return blk_file_sync(&q->blk.file);
}

/* All that is dirty of the counts, and what names their blocks. */
static int write_counts(Qcow2 *q)
{
    int result = qcow2_cache_write(&q->counts, &q->blk.file);

    if (result || !q->reftable_dirty) {
        return result;
    }
    uint64_t len = q->reftable_entries * 8;
    g_autofree uint8_t *bytes = g_try_malloc(len);
    result = bytes ? blk_file_sync(&q->blk.file) : -ENOMEM;
    if (result) {
        return result;
    }
    for (uint64_t i = 0; i < q->reftable_entries; i++) {
        store_be64(bytes + i * 8, q->reftable[i]);
    }
    result = blk_file_write(&q->blk.file, q->header.reftable_offset, bytes, len);
    q->reftable_dirty = result != 0;
    return result;
}

static int write_l1(Qcow2 *q)
{
    enum { PER_SECTOR = BLK_SECTOR / 8 };
    uint32_t sectors = (q->l1_entries + PER_SECTOR - 1) / PER_SECTOR;
    int result = 0;

    for (uint32_t i = 0; q->any_l1_dirty && i < sectors && !result; i++) {
        uint32_t n = MIN(PER_SECTOR, q->l1_entries - i * PER_SECTOR);
        uint8_t bytes[BLK_SECTOR];
        if (!q->l1_dirty[i]) {
            continue;
        }
        for (uint32_t k = 0; k < n; k++) {
            store_be64(bytes + k * 8, q->l1[i * PER_SECTOR + k]);
        }
        result = blk_file_write(&q->blk.file, q->header.l1_offset + (uint64_t)i * BLK_SECTOR, bytes,
                                n * 8);
        q->l1_dirty[i] = result != 0;
    }
    q->any_l1_dirty = q->any_l1_dirty && result;
    return result;
}

int qcow2_write_out(Qcow2 *q, bool durable)
{
    bool tables = q->l2.n_dirty || q->any_l1_dirty;
    int result = q->corrupt ? -EIO : write_counts(q);

    if (!result && tables) {
        result = blk_file_sync(&q->blk.file);
        result = result ? result : qcow2_cache_write(&q->l2, &q->blk.file);
        result = result ? result : write_l1(q);
    }
    if (result || !durable) {
        return result;
    }
    result = blk_file_sync(&q->blk.file);
    for (guint i = 0; i < q->frees->len && !result; i++) {
        g_array_index(q->frees, Qcow2Free, i).gone = true;
    }
    return result;
}

static int flush_locked(Qcow2 *q)
{
    int result = qcow2_write_out(q, true);

    if (!result) {
        (void)qcow2_reap(q); /* what can't be given back now waits */
    }
    return result;
}

int qcow2_flush(Blk *blk)
{
    Qcow2 *q = qcow2_of(blk);

    g_mutex_lock(&q->lock);
    bool nothing = !q->corrupt && !q->l2.n_dirty && !q->counts.n_dirty && !q->any_l1_dirty &&
                   !q->reftable_dirty && !q->frees->len;
    int result = nothing ? 0 : flush_locked(q);
    g_mutex_unlock(&q->lock);
    return nothing ? blk_file_sync(&blk->file) : result;
}

int qcow2_relieve(Qcow2 *q)
{
    return q->frees->len > QCOW2_FREES_MAX ? flush_locked(q) : 0;
}
