/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New places for the data of a qcow2 disk.
 *
 * A plan is for a run of clusters that all need one, or for pieces of one cluster that has its
 * place already.  Nothing refers to the new clusters until the data is in them, so a crash, or an
 * error, leaves the disk as it was.  A cluster that is shared with a snapshot, or compressed, is
 * copied whole; of an empty one only the subclusters that are written.
 *
 * Threads: those that may wait.  While a plan runs, its clusters are guarded: other plans for
 * them wait.
 */
#include <errno.h>

#include "block/limits.h"
#include "block/qcow2/qcow2.h"
#include "common/bits.h"

/* --- guards --- */

void qcow2_guard(Qcow2 *q, uint64_t start, uint64_t end, BlkPlan *plan)
{
    g_mutex_lock(&q->guard_lock);
    for (const BlkPlan *other = q->plans; other;) {
        if (ranges_overlap(start, end - start, other->guard_start,
                           other->guard_end - other->guard_start)) {
            g_cond_wait(&q->guard_changed, &q->guard_lock);
            other = q->plans;
        } else {
            other = other->next;
        }
    }
    plan->guard_start = start;
    plan->guard_end = end;
    plan->next = q->plans;
    q->plans = plan;
    g_mutex_unlock(&q->guard_lock);
}

void qcow2_unguard(Qcow2 *q, BlkPlan *plan)
{
    g_mutex_lock(&q->guard_lock);
    BlkPlan **at = &q->plans;
    while (*at != plan) {
        at = &(*at)->next;
    }
    *at = plan->next;
    g_cond_broadcast(&q->guard_changed);
    g_mutex_unlock(&q->guard_lock);
}

/* --- tables --- */

void qcow2_l1_set(Qcow2 *q, uint64_t index, uint64_t word)
{
    g_mutex_lock(&q->l2.lock);
    q->l1[index] = word;
    g_mutex_unlock(&q->l2.lock);
    q->l1_dirty[index * 8 / BLK_SECTOR] = 1;
    q->any_l1_dirty = true;
}

/* A new table for entry @index of L1: empty, or a copy of the one at @old, which others share. */
static int new_table(Qcow2 *q, uint64_t index, uint64_t old)
{
    uint64_t cluster, n;
    g_autofree uint8_t *bytes = g_try_malloc0(q->cluster);
    int result = bytes ? 0 : -ENOMEM;

    if (!result && old) {
        result = blk_file_read_padded(&q->blk.file, old, bytes, q->cluster);
    }
    result = result ? result : qcow2_take(q, 1, true, &cluster, &n);
    if (result) {
        return result;
    }
    result = blk_file_write(&q->blk.file, cluster << q->cluster_bits, bytes, q->cluster);
    if (result) {
        qcow2_untake(q, cluster, 1);
        return result;
    }
    qcow2_metadata_add(q, cluster << q->cluster_bits, q->cluster);
    qcow2_l1_set(q, index, cluster << q->cluster_bits | QCOW2_COPIED);
    if (old) {
        qcow2_metadata_remove(q, old, q->cluster);
        qcow2_give_back(q, old >> q->cluster_bits, 1, false);
    }
    return 0;
}

int qcow2_table_prepare(Qcow2 *q, uint64_t offset)
{
    uint64_t index = offset >> (q->cluster_bits + q->l2_bits);

    if (index >= q->l1_entries) {
        return qcow2_corrupt(q, "L1 has only %u entries", q->l1_entries);
    }
    uint64_t table = q->l1[index] & QCOW2_OFFSET;
    if (table && q->l1[index] & QCOW2_COPIED) {
        return 0;
    }
    if (table % q->cluster || table >= blk_file_size(&q->blk.file)) {
        return qcow2_corrupt(q, "an L2 table is misplaced, at %" G_GINT64_MODIFIER "x", table);
    }
    return new_table(q, index, table);
}

int qcow2_entry_put(Qcow2 *q, uint64_t offset, const Qcow2Entry *entry)
{
    uint8_t stored[16], *bytes;
    uint32_t at;
    uint64_t slice = qcow2_slice_of(q, offset, &at);
    int result = qcow2_slice_get(q, slice, &bytes);

    if (!result) {
        uint32_t len = qcow2_entry_store(q, entry, stored);
        qcow2_cache_store(&q->l2, slice, at, stored, len);
    }
    return result;
}

/* --- planning --- */

/* Bits of the subclusters from byte @start to @end, which are of one cluster. */
static uint32_t bits_of(const Qcow2 *q, uint64_t start, uint64_t end)
{
    uint64_t first = (start & (q->cluster - 1)) / q->subcluster;
    uint64_t n = (end - start + q->subcluster - 1) / q->subcluster;

    return (uint32_t)(bits_mask((unsigned)n) << first);
}

/* Whether @entry's cluster may take more data where it is. */
static bool has_place(const Qcow2Entry *entry)
{
    return !entry->compressed && entry->host && entry->copied;
}

/* Whether a new place needs all of the old content. */
static bool needs_copy(const Qcow2Entry *entry)
{
    return entry->compressed || entry->data;
}

/* The rest of a cluster that has its place, as far as no data is in it. */
static int plan_in_cluster(Qcow2 *q, uint64_t offset, uint64_t len, const Qcow2Entry *entry,
                           BlkPlan *plan)
{
    uint64_t start = align_down(offset, q->subcluster), end = start;
    uint64_t cluster_end = align_down(offset, q->cluster) + q->cluster;

    if (qcow2_is_metadata(q, entry->host)) {
        return qcow2_corrupt(q, "the L2 entry for byte %" G_GUINT64_FORMAT " refers to a table",
                             offset);
    }
    while (end < MIN(offset + len, cluster_end) &&
           !(entry->data & bits_of(q, end, end + q->subcluster))) {
        end += q->subcluster;
    }
    if (end == start) {
        return 1; /* there is data in the meantime, and it can be overwritten */
    }
    plan->start = start;
    plan->end = end;
    plan->len = MIN(offset + len, end) - offset;
    plan->host = entry->host + (start & (q->cluster - 1));
    plan->reuses = true;
    plan->fresh = false;
    return 0;
}

/* How many clusters from @offset on, of those that @len touches, need a new place; the last one's
 * entry in *@ret_last.  The first does. */
static int count_new(Qcow2 *q, uint64_t offset, uint64_t len, uint64_t max, uint64_t *ret_n)
{
    uint64_t start = align_down(offset, q->cluster);
    Qcow2Entry entry;
    uint64_t n = 1;
    int result = 0;

    while (n < max && start + n * q->cluster < offset + len) {
        result = qcow2_entry_get(q, start + n * q->cluster, &entry);
        if (result || has_place(&entry)) {
            break;
        }
        n++;
    }
    *ret_n = n;
    return result;
}

static int plan_new(Qcow2 *q, uint64_t offset, uint64_t len, const Qcow2Entry *first, BlkPlan *plan)
{
    uint64_t start = align_down(offset, q->cluster);
    uint64_t cluster = 0, n = 0;
    Qcow2Entry last = *first;
    int result = qcow2_table_prepare(q, offset);

    result = result ? result
                    : count_new(q, offset, len, (plan->guard_end - start) >> q->cluster_bits, &n);
    result = result ? result : qcow2_take(q, n, false, &cluster, &n);
    if (result) {
        return result;
    }
    uint64_t end = start + (n << q->cluster_bits);
    uint64_t data_end = MIN(offset + len, end);
    if (n > 1) {
        result = qcow2_entry_get(q, end - q->cluster, &last);
    }
    if (result) {
        qcow2_untake(q, cluster, n);
        return result;
    }
    plan->start = needs_copy(first) ? start : align_down(offset, q->subcluster);
    plan->end = needs_copy(&last) ? end : align_up(data_end, q->subcluster);
    plan->len = data_end - offset;
    plan->host = (cluster << q->cluster_bits) + (plan->start - start);
    plan->fresh = q->took_fresh;
    plan->reuses = false;
    return 0;
}

static int make_plan(Qcow2 *q, uint64_t offset, uint64_t len, BlkPlan *plan)
{
    Qcow2Entry entry;
    int result = q->corrupt ? -EIO : qcow2_entry_get(q, offset, &entry);

    if (result) {
        return result;
    }
    plan->offset = offset;
    return has_place(&entry) ? plan_in_cluster(q, offset, len, &entry, plan)
                             : plan_new(q, offset, len, &entry, plan);
}

int qcow2_allocate(Blk *blk, uint64_t offset, uint64_t len, BlkPlan *ret_plan)
{
    Qcow2 *q = qcow2_of(blk);
    uint64_t start = align_down(offset, q->cluster);
    /* a plan's entries are of one slice, so that they are there together, or not */
    uint64_t end = align_down(offset, (uint64_t)q->l2.slice >> q->entry_bits << q->cluster_bits) +
                   ((uint64_t)q->l2.slice >> q->entry_bits << q->cluster_bits);

    end = MIN(end, start + MAX(QCOW2_PLAN_MAX, q->cluster));
    end = MIN(end, align_up(offset + len, q->cluster));
    qcow2_guard(q, start, end, ret_plan);
    g_mutex_lock(&q->lock);
    int result = make_plan(q, offset, MIN(len, end - offset), ret_plan);
    g_mutex_unlock(&q->lock);
    if (result) {
        qcow2_unguard(q, ret_plan);
    }
    return result;
}

/* --- linking --- */

/* The entry of the cluster at @start when the plan's data is in it. */
static Qcow2Entry linked_entry(const Qcow2 *q, const BlkPlan *plan, uint64_t start,
                               const Qcow2Entry *old)
{
    uint64_t from = MAX(start, plan->start), to = MIN(start + q->cluster, plan->end);
    uint32_t bits = bits_of(q, from, to);
    Qcow2Entry entry = *old;

    if (!plan->reuses) {
        entry = (Qcow2Entry){
            .host = plan->host + from - plan->start - (from - start),
            .copied = true,
            .zero = old->zero,
        };
    }
    entry.data |= bits;
    entry.zero &= ~bits;
    return entry;
}

/* All entries are looked at before one is changed. */
static int link_entries(Qcow2 *q, const BlkPlan *plan)
{
    uint64_t first = align_down(plan->start, q->cluster);
    Qcow2Entry old;
    int result = q->corrupt ? -EIO : 0;

    for (uint64_t at = first; at < plan->end && !result; at += q->cluster) {
        result = qcow2_entry_get(q, at, &old);
    }
    for (uint64_t at = first; at < plan->end && !result; at += q->cluster) {
        result = qcow2_entry_get(q, at, &old);
        Qcow2Entry entry = linked_entry(q, plan, at, &old);
        result = result ? result : qcow2_entry_put(q, at, &entry);
        if (!result && !plan->reuses) {
            qcow2_give_back_entry(q, &old, false);
        }
    }
    return result;
}

int qcow2_link(Blk *blk, BlkPlan *plan, int result)
{
    Qcow2 *q = qcow2_of(blk);
    uint64_t first = align_down(plan->start, q->cluster);

    g_mutex_lock(&q->lock);
    result = result ? result : link_entries(q, plan);
    if (result && !plan->reuses) {
        qcow2_untake(q, plan->host >> q->cluster_bits,
                     (align_up(plan->end, q->cluster) - first) >> q->cluster_bits);
    }
    int relieved = result ? 0 : qcow2_relieve(q);
    g_mutex_unlock(&q->lock);
    qcow2_unguard(q, plan);
    return result ? result : relieved;
}
