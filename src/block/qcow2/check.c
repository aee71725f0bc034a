/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 image is compared with what it says of itself: all references are counted, and the counts
 * that the image keeps are looked at beside them.
 *
 * Higher than counted is room that is lost ("leak"); lower will be given away though it is used.
 * A cluster that is marked to be written in place must have a count of exactly one.
 *
 * Repairing makes all tables anew (rewrite.c).
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/maintenance.h"
#include "common/bits.h"
#include "common/error.h"

/* --- comparing --- */

static void compare_one(Qcow2Census *census, uint64_t cluster, uint64_t says)
{
    BlkCheck *check = census->check;
    uint32_t is = qcow2_census_get(census, cluster);

    if (says > is) {
        check->leaks++;
        if (check->report) {
            g_autofree char *text =
                g_strdup_printf("cluster %" G_GUINT64_FORMAT " of the file is lost: its count is "
                                "%" G_GUINT64_FORMAT ", and %u refer to it",
                                cluster, says, is);
            check->report(check->opaque, text);
        }
    } else if (says < is) {
        qcow2_census_report(census,
                            "cluster %" G_GUINT64_FORMAT " of the file has a count of "
                            "%" G_GUINT64_FORMAT ", but %u refer to it",
                            cluster, says, is);
    }
}

/* Compare a block of counts that is there. */
static void compare_block(Qcow2Census *census, uint64_t number)
{
    Qcow2 *q = census->q;
    uint64_t first = number * q->counts_per_block;

    if (!qcow2_census_table(census, q->reftable[number])) {
        return; /* the census has told */
    }
    for (uint64_t i = 0; i < q->counts_per_block; i++) {
        compare_one(census, first + i, qcow2_count_load(q, census->table, i));
    }
}

static void compare_counts(Qcow2Census *census)
{
    Qcow2 *q = census->q;
    GHashTableIter iter;
    gpointer key, value;

    for (uint64_t i = 0; i < q->reftable_entries; i++) {
        if (q->reftable[i]) {
            compare_block(census, i);
        }
    }
    g_hash_table_iter_init(&iter, census->chunks);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const uint32_t *counts = value;
        for (uint64_t i = 0; i < QCOW2_CHUNK; i++) {
            uint64_t cluster = GPOINTER_TO_SIZE(key) * QCOW2_CHUNK + i;
            uint64_t block = cluster / q->counts_per_block;
            if (counts[i] && (block >= q->reftable_entries || !q->reftable[block])) {
                compare_one(census, cluster, 0);
            }
        }
    }
}

/* Marks to write in place, of the tables in use. */
static void compare_marks(Qcow2Census *census)
{
    Qcow2 *q = census->q;
    unsigned bits = q->cluster_bits;

    for (uint32_t i = 0; i < q->l1_entries; i++) {
        uint64_t table = q->l1[i] & QCOW2_OFFSET;
        if (!q->l1[i] || !qcow2_census_table(census, table)) {
            continue;
        }
        if ((qcow2_census_get(census, table >> bits) == 1) != !!(q->l1[i] & QCOW2_COPIED)) {
            qcow2_census_report(census, "L2 table %u is wrongly marked as shared or not", i);
        }
        for (uint64_t k = 0; k < UINT64_C(1) << q->l2_bits; k++) {
            Qcow2Entry entry;
            qcow2_entry_load(q, census->table + (k << q->entry_bits), &entry);
            if (entry.compressed || !entry.host || qcow2_entry_problem(q, &entry)) {
                continue;
            }
            if ((qcow2_census_get(census, entry.host >> bits) == 1) != entry.copied) {
                qcow2_census_report(census,
                                    "cluster %" G_GUINT64_FORMAT " is wrongly marked as shared or "
                                    "not",
                                    ((uint64_t)i << q->l2_bits) + k);
            }
        }
    }
}

static bool look(Qcow2 *q, BlkCheck *check, GError **error)
{
    Qcow2Work work = { q->blk.progress, 0, qcow2_census_steps(q) };
    Qcow2Census census;

    check->leaks = check->corruptions = 0;
    check->allocated = check->compressed = check->fragmented = 0;
    check->total = (blk_size(&q->blk) + q->cluster - 1) >> q->cluster_bits;
    qcow2_census_init(&census, q, &work, check);
    int result = qcow2_census_all(&census);
    if (!result) {
        compare_counts(&census);
        compare_marks(&census);
        check->end = census.end << q->cluster_bits;
        result = census.read_error;
        if (q->header.incompatible & QCOW2_CORRUPT) {
            qcow2_census_report(&census, "the image is marked as damaged");
        }
    }
    qcow2_census_clear(&census);
    if (result) {
        set_error_errno(error, -result, "cannot check disk '%s'", q->blk.file.path);
    }
    return result == 0;
}

/* --- repairing --- */

static bool repair_it(Qcow2 *q, BlkCheck *check, GError **error)
{
    Qcow2Rewrite to = qcow2_rewrite_same(q);
    BlkCheck found = *check;

    to.incompatible &= ~(uint64_t)(QCOW2_CORRUPT | QCOW2_DIRTY);
    to.leave_out = true;
    if (!qcow2_rewrite(q, &to, error)) {
        return false;
    }
    q->corrupt = false;
    __atomic_store_n(&q->blk.broken, NULL, __ATOMIC_RELEASE);
    g_clear_pointer(&q->reason, g_free);
    if (!look(q, check, error)) {
        return false;
    }
    check->leaks_fixed = found.leaks - MIN(check->leaks, found.leaks);
    check->corruptions_fixed = found.corruptions - MIN(check->corruptions, found.corruptions);
    return true;
}

bool qcow2_check(Blk *blk, BlkRepair repair, BlkCheck *check, GError **error)
{
    Qcow2 *q = qcow2_of(blk);
    bool good = true;

    g_mutex_lock(&q->lock);
    if (blk->read_only && !q->reftable) {
        good = qcow2_load_counts(q, error);
    }
    if (!blk->read_only && !q->corrupt) {
        good = qcow2_settle(q, error);
    }
    good = good && look(q, check, error);
    if (good && ((repair == BLK_REPAIR_ALL && check->corruptions) ||
                 (repair != BLK_REPAIR_NOTHING && check->leaks && !check->corruptions))) {
        good = repair_it(q, check, error);
    }
    g_mutex_unlock(&q->lock);
    return good;
}
