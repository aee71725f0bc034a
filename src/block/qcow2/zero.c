/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zeros and discards of a qcow2 disk.
 *
 * Whole clusters (subclusters, where there are any) are marked in their entries; what lies beyond
 * is left to the core, which writes zeros.  Version 2 has no mark for zeros: there a cluster can
 * only lose its place, and only in an image that is based on no other.
 *
 * A discard never brings back what is in the image below.
 *
 * Threads: those that may wait.
 */
#include <errno.h>

#include "block/limits.h"
#include "block/qcow2/qcow2.h"
#include "common/bits.h"

/* What is done to a range of one cluster. */
typedef enum Outcome { DONE, WRITE_ZEROS } Outcome;

static bool reads_as_zeros(const Qcow2 *q, const Qcow2Entry *entry, uint32_t bits)
{
    if (entry->compressed || entry->data & bits) {
        return false;
    }
    return !q->blk.backing_name || (entry->zero & bits) == bits;
}

/* The entry that a cluster has when the subclusters in @bits are zeros. */
static Qcow2Entry zeroed_entry(const Qcow2 *q, const Qcow2Entry *old, uint32_t bits, BlkZero how)
{
    Qcow2Entry entry = *old;

    if (bits != q->all_subclusters) {
        entry.data &= ~bits;
        entry.zero |= bits;
        if (entry.data || entry.zero != q->all_subclusters || how == BLK_ZERO_KEEP) {
            return entry;
        }
    }
    bool keep = how == BLK_ZERO_KEEP && !old->compressed && old->copied && old->host;
    return (Qcow2Entry){
        .host = keep ? old->host : 0,
        .copied = keep,
        .zero = how == BLK_ZERO_DISCARD && !q->blk.backing_name ? 0 : q->all_subclusters,
    };
}

static bool same(const Qcow2Entry *a, const Qcow2Entry *b)
{
    return a->host == b->host && a->data == b->data && a->zero == b->zero &&
           a->compressed == b->compressed;
}

/* Zero the subclusters in @bits of the cluster at @offset.  Lock: lock. */
static int zero_cluster(Qcow2 *q, uint64_t offset, uint32_t bits, BlkZero how, Outcome *ret)
{
    Qcow2Entry old, entry;
    int result = qcow2_entry_get(q, offset, &old);

    *ret = DONE;
    if (result || (reads_as_zeros(q, &old, bits) && !old.host)) {
        return result;
    }
    if (old.compressed && bits != q->all_subclusters) {
        *ret = how == BLK_ZERO_DISCARD ? DONE : WRITE_ZEROS;
        return 0;
    }
    if (q->header.version < 3) {
        if (q->blk.backing_name || how == BLK_ZERO_KEEP) {
            *ret = how == BLK_ZERO_DISCARD ? DONE : WRITE_ZEROS;
            return 0;
        }
        entry = (Qcow2Entry){ 0 };
    } else {
        entry = zeroed_entry(q, &old, bits, how);
    }
    if (same(&old, &entry)) {
        return 0;
    }
    result = qcow2_table_prepare(q, offset);
    result = result ? result : qcow2_entry_put(q, offset, &entry);
    if (!result && entry.host != old.host) {
        qcow2_give_back_entry(q, &old, !q->blk.keep_discard);
    }
    return result;
}

/* How many bytes from @offset on have no L2 table, and so nothing to be zeroed, if that is so. */
static uint64_t untouched(const Qcow2 *q, uint64_t offset, uint64_t len)
{
    uint64_t index = offset >> (q->cluster_bits + q->l2_bits);
    uint64_t end = (index + 1) << (q->cluster_bits + q->l2_bits);

    if (q->blk.backing_name || (index < q->l1_entries && q->l1[index])) {
        return 0;
    }
    return MIN(len, end - offset);
}

/* Zero what is whole from @offset on, a slice of entries at most.  0; 1: the first *@ret_done
 * bytes take writing; -errno. */
static int zero_some(Qcow2 *q, uint64_t offset, uint64_t len, BlkZero how, uint64_t *ret_done)
{
    uint64_t most = (uint64_t)q->l2.slice >> q->entry_bits << q->cluster_bits;
    uint64_t done = untouched(q, offset, len);
    int result = 0;

    if (done) {
        *ret_done = done;
        return 0;
    }
    while (done < len && done < most && !result) {
        uint64_t at = offset + done, inside = at & (q->cluster - 1);
        uint64_t part = MIN(len - done, q->cluster - inside);
        unsigned first = (unsigned)(inside / q->subcluster);
        Outcome outcome;
        uint32_t bits = (uint32_t)(bits_mask((unsigned)(part / q->subcluster)) << first);
        result = zero_cluster(q, at - inside, bits, how, &outcome);
        if (!result && outcome == WRITE_ZEROS) {
            *ret_done = done ? done : part;
            return done ? 0 : 1;
        }
        done += part;
    }
    *ret_done = done;
    return result;
}

/* A range that is not of whole subclusters. */
static int zero_part(Qcow2 *q, uint64_t offset, uint64_t len, BlkZero how)
{
    Qcow2Entry entry;
    uint32_t bits = UINT32_C(1) << (offset & (q->cluster - 1)) / q->subcluster;
    int result = qcow2_entry_get(q, offset, &entry);

    if (result || how == BLK_ZERO_DISCARD) {
        return result;
    }
    return reads_as_zeros(q, &entry, bits) ? 0 : 1;
}

int qcow2_zero(Blk *blk, uint64_t offset, uint64_t len, BlkZero how, uint64_t *ret_done)
{
    Qcow2 *q = qcow2_of(blk);
    uint64_t start = align_up(offset, q->subcluster);
    uint64_t last = blk_size(blk) == offset + len ? align_up(offset + len, q->subcluster)
                                                  : align_down(offset + len, q->subcluster);
    BlkPlan guard;
    int result;

    /* the disk's last cluster is whole wherever the disk ends */
    bool whole = start == offset && last > start;
    uint64_t end =
        whole ? last : MIN(offset + len, align_down(offset, q->subcluster) + q->subcluster);
    qcow2_guard(q, align_down(offset, q->cluster), align_up(end, q->cluster), &guard);
    g_mutex_lock(&q->lock);
    if (q->corrupt) {
        result = -EIO;
    } else if (whole) {
        result = zero_some(q, offset, end - offset, how, ret_done);
        *ret_done = MIN(*ret_done, len);
    } else {
        result = zero_part(q, offset, end - offset, how);
        *ret_done = end - offset;
    }
    if (result >= 0 && qcow2_relieve(q)) {
        result = -EIO;
    }
    g_mutex_unlock(&q->lock);
    qcow2_unguard(q, &guard);
    return result;
}
