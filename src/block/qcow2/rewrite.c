/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All tables of a qcow2 image are made anew, and it changes over to them at once.
 *
 * What is in use, by the image as it is, is counted; so is what the image shall refer to.  The new
 * tables go to room that neither uses, with counts that hold for the image as it shall be.  When
 * they are durable the header's first sector is written: before that the image is what it was,
 * after it what it shall be, and what it was made of is free by the new counts.
 *
 * So snapshots are taken and dropped, disks change their size, and damage is repaired.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "common/bits.h"
#include "common/error.h"

/* A tree of tables that is made anew. */
typedef struct Tree {
    Qcow2Root root; /* of the old one */
    uint64_t *l1;   /* the new one, with 0 where there is no table */
    uint64_t l1_offset;
    uint64_t *owned; /* root.l1, if it is ours */
    bool marks;      /* entries say what may be written in place */
} Tree;

typedef struct Builder {
    Qcow2 *q;
    const Qcow2Rewrite *to;
    Qcow2Work work;
    Qcow2Census used;   /* by the image as it is */
    Qcow2Census counts; /* of the image as it shall be */
    uint64_t next;      /* no room below it */
    Tree *trees;        /* [0]: of the disk */
    guint n_trees;
    GArray *snapshots;
    uint64_t snapshots_offset;
    GByteArray *list; /* of snapshots */
    uint64_t *reftable;
    uint64_t reftable_offset, reftable_clusters;
} Builder;

Qcow2Rewrite qcow2_rewrite_same(Qcow2 *q)
{
    return (Qcow2Rewrite){
        .l1 = q->l1,
        .l1_entries = q->l1_entries,
        .size = q->header.size,
        .snapshots = q->snapshots,
        .incompatible = q->header.incompatible,
        .compatible = q->header.compatible,
    };
}

/* --- room --- */

/* Take @n clusters that follow each other and that nothing uses; each is referred to once. */
static int place(Builder *b, uint64_t n, uint64_t *ret_offset)
{
    uint64_t cluster = b->next, run = 0;

    for (; run < n; cluster++) {
        bool taken = qcow2_census_get(&b->used, cluster) || qcow2_census_get(&b->counts, cluster);
        run = taken ? 0 : run + 1;
        if (taken && cluster == b->next) {
            b->next++;
        }
    }
    *ret_offset = (cluster - n) << b->q->cluster_bits;
    return qcow2_census_add(&b->counts, *ret_offset, n << b->q->cluster_bits);
}

static uint64_t clusters_for(const Qcow2 *q, uint64_t bytes)
{
    return MAX((bytes + q->cluster - 1) >> q->cluster_bits, 1);
}

/* --- what shall be --- */

/* Count what @root refers to.  Only a repair leaves out what is damaged. */
static int count_root(Builder *b, Qcow2Root *root)
{
    int result = qcow2_census_root(&b->counts, root);

    result = result ? result : b->counts.read_error;
    if (!result && root->n_bad && !b->to->leave_out) {
        result = qcow2_corrupt(b->q, "the tables of %s have impossible entries",
                               root->name ? root->name : "the disk");
    }
    return result;
}

/* Room for the tables of a tree. */
static int place_tree(Builder *b, Tree *tree)
{
    Qcow2 *q = b->q;
    const Qcow2Root *root = &tree->root;
    uint64_t needed =
        qcow2_l1_needed(q, root->clusters == UINT64_MAX ? 0 : root->clusters << q->cluster_bits);
    int result;

    tree->l1 = g_try_malloc0(MAX(root->l1_entries, 1) * sizeof(uint64_t));
    result = tree->l1 ? place(b, clusters_for(q, root->l1_entries * 8), &tree->l1_offset) : -ENOMEM;
    for (uint32_t i = 0; i < root->l1_entries && !result; i++) {
        uint64_t offset;
        if ((root->clusters != UINT64_MAX && i >= needed) ||
            !qcow2_census_table(&b->counts, root->l1[i] & QCOW2_OFFSET)) {
            continue;
        }
        result = place(b, 1, &offset);
        tree->l1[i] = offset | QCOW2_COPIED;
    }
    return result ? result : b->counts.read_error;
}

/* The snapshots' trees: kept as they are, or made anew. */
static int add_snapshots(Builder *b)
{
    int result = 0;

    for (guint i = 0; i < b->snapshots->len && !result; i++) {
        const Qcow2Snapshot *snapshot = &g_array_index(b->snapshots, Qcow2Snapshot, i);
        uint64_t *l1 = qcow2_census_l1(b->q, snapshot);
        bool remake = b->to->remake_snapshots;
        Qcow2Root root = {
            l1, snapshot->l1_entries, remake ? 0 : snapshot->l1_offset, snapshot->name, UINT64_MAX,
            0
        };
        if (!l1) {
            return -EIO;
        }
        if (remake) {
            b->trees[b->n_trees++] = (Tree){ .root = root, .owned = l1 };
        } else {
            result = count_root(b, &root);
            g_free(l1);
        }
    }
    return result;
}

/* Counts and room for all but the counts themselves. */
static int lay_out(Builder *b)
{
    Qcow2 *q = b->q;
    uint64_t clusters = (b->to->size + q->cluster - 1) >> q->cluster_bits;
    int result = qcow2_census_add(&b->counts, 0, q->cluster);

    result = result ? result : qcow2_census_bitmaps(&b->counts);
    b->trees = g_new0(Tree, b->snapshots->len + 1);
    b->trees[b->n_trees++] = (Tree){
        .root = { b->to->l1, b->to->l1_entries, 0, NULL, clusters, 0 },
        .marks = true,
    };
    result = result ? result : add_snapshots(b);
    for (guint i = 0; i < b->n_trees && !result; i++) {
        result = count_root(b, &b->trees[i].root);
    }
    for (guint i = 0; i < b->n_trees && !result; i++) {
        result = place_tree(b, &b->trees[i]);
    }
    for (guint i = 1; i < b->n_trees && !result; i++) {
        g_array_index(b->snapshots, Qcow2Snapshot, i - 1).l1_offset = b->trees[i].l1_offset;
    }
    b->list = qcow2_snapshots_store(b->snapshots);
    if (!result && b->list->len) {
        result = place(b, clusters_for(q, b->list->len), &b->snapshots_offset);
    }
    return result;
}

/* A block of counts for each range of clusters that has any; 1: there are new ones. */
static int place_blocks(Builder *b, uint64_t entries)
{
    Qcow2 *q = b->q;
    int more = 0;

    for (uint64_t cluster = 0; cluster < b->counts.end; cluster++) {
        uint64_t number = cluster / q->counts_per_block, offset;
        if (!qcow2_census_get(&b->counts, cluster)) {
            continue;
        }
        if (number >= entries) {
            return -EFBIG;
        }
        if (!b->reftable[number]) {
            int result = place(b, 1, &offset);
            if (result) {
                return result;
            }
            b->reftable[number] = offset;
            more = 1;
        }
    }
    return more;
}

static int lay_out_counts(Builder *b)
{
    Qcow2 *q = b->q;
    uint64_t end = MAX(b->counts.end, b->used.end), blocks = 0, n = 0, needed = 1;
    int result;

    /* blocks and table are counted themselves */
    while (needed > blocks) {
        blocks = needed;
        n = clusters_for(q, blocks * 8);
        needed = (end + blocks + n) / q->counts_per_block + 1;
    }
    if (n << q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX) {
        return -EFBIG;
    }
    b->reftable_clusters = n;
    b->reftable = g_try_malloc0(n << q->cluster_bits);
    result = b->reftable ? place(b, n, &b->reftable_offset) : -ENOMEM;
    do {
        result = result < 0 ? result : place_blocks(b, n << (q->cluster_bits - 3));
    } while (result > 0);
    return result;
}

/* --- writing --- */

/* The table in b->counts.table as it shall be: table @index of @tree. */
static void renew_entries(Builder *b, const Tree *tree, uint64_t index)
{
    Qcow2 *q = b->q;
    uint8_t *table = b->counts.table;

    for (uint64_t i = 0; i < UINT64_C(1) << q->l2_bits;
         i++, table += UINT64_C(1) << q->entry_bits) {
        Qcow2Entry entry;
        qcow2_entry_load(q, table, &entry);
        if ((index << q->l2_bits) + i >= tree->root.clusters || qcow2_entry_problem(q, &entry)) {
            entry = (Qcow2Entry){ 0 };
        }
        entry.copied = tree->marks && !entry.compressed && entry.host &&
                       qcow2_census_get(&b->counts, entry.host >> q->cluster_bits) == 1;
        qcow2_entry_store(q, &entry, table);
    }
}

static int write_table(Builder *b, uint64_t offset, const uint64_t *words, uint64_t n)
{
    g_autofree uint8_t *bytes = g_try_malloc(MAX(n, 1) * 8);

    for (uint64_t i = 0; bytes && i < n; i++) {
        store_be64(bytes + i * 8, words[i]);
    }
    return bytes ? blk_file_write(&b->q->blk.file, offset, bytes, n * 8) : -ENOMEM;
}

static int write_tree(Builder *b, const Tree *tree)
{
    Qcow2 *q = b->q;
    int result = 0;

    for (uint32_t i = 0; i < tree->root.l1_entries && !result; i++) {
        result = qcow2_work_step(&b->work);
        if (result || !tree->l1[i]) {
            continue;
        }
        if (!qcow2_census_table(&b->counts, tree->root.l1[i] & QCOW2_OFFSET)) {
            return -EIO;
        }
        renew_entries(b, tree, i);
        result =
            blk_file_write(&q->blk.file, tree->l1[i] & QCOW2_OFFSET, b->counts.table, q->cluster);
    }
    return result ? result : write_table(b, tree->l1_offset, tree->l1, tree->root.l1_entries);
}

static int write_block(Builder *b, uint64_t number)
{
    Qcow2 *q = b->q;
    uint64_t first = number * q->counts_per_block;

    for (uint64_t i = 0; i < q->counts_per_block; i++) {
        uint64_t count = qcow2_census_get(&b->counts, first + i);
        if (count > q->count_max) {
            return -ERANGE;
        }
        qcow2_count_store(q, b->counts.table, i, count);
    }
    return blk_file_write(&q->blk.file, b->reftable[number], b->counts.table, q->cluster);
}

static int write_all(Builder *b)
{
    Qcow2 *q = b->q;
    uint64_t entries = b->reftable_clusters << (q->cluster_bits - 3);
    int result = 0;

    for (uint64_t i = 0; i < entries && !result; i++) {
        result = b->reftable[i] ? write_block(b, i) : 0;
    }
    for (guint i = 0; i < b->n_trees && !result; i++) {
        result = write_tree(b, &b->trees[i]);
    }
    if (!result && b->list->len) {
        result = blk_file_write(&q->blk.file, b->snapshots_offset, b->list->data, b->list->len);
    }
    result = result ? result : write_table(b, b->reftable_offset, b->reftable, entries);
    return result ? result : blk_file_sync(&q->blk.file);
}

/* --- changing over --- */

static int change_over(Builder *b)
{
    Qcow2 *q = b->q;
    Qcow2Header *h = &q->header;
    Qcow2Header old = *h;

    h->size = b->to->size;
    h->l1_entries = b->to->l1_entries;
    h->l1_offset = b->trees[0].l1_offset;
    h->reftable_offset = b->reftable_offset;
    h->reftable_clusters = (uint32_t)b->reftable_clusters;
    h->n_snapshots = b->snapshots->len;
    h->snapshots_offset = b->snapshots_offset;
    h->incompatible = b->to->incompatible;
    h->compatible = b->to->compatible;
    int result = qcow2_header_write(q);
    if (result) {
        *h = old;
    }
    return result;
}

static int build(Builder *b)
{
    int result = qcow2_census_all(&b->used);

    result = result ? result : lay_out(b);
    result = result ? result : lay_out_counts(b);
    result = result ? result : write_all(b);
    return result ? result : change_over(b);
}

static void clear_builder(Builder *b)
{
    for (guint i = 0; i < b->n_trees; i++) {
        g_free(b->trees[i].l1);
        g_free(b->trees[i].owned);
    }
    g_free(b->trees);
    g_free(b->reftable);
    g_array_unref(b->snapshots);
    if (b->list) {
        g_byte_array_unref(b->list);
    }
    qcow2_census_clear(&b->used);
    qcow2_census_clear(&b->counts);
}

static void explain(const Qcow2 *q, int result, GError **error)
{
    if (result == -ERANGE) {
        set_error(error,
                  "cannot change disk '%s': its reference counts of %u bits are too narrow for one "
                  "more snapshot: copy it with 'insula disk convert'",
                  q->blk.file.path, q->count_bits);
    } else {
        set_error_errno(error, -result, "cannot change the tables of disk '%s'", q->blk.file.path);
    }
}

/* What there is is counted; what shall be is counted; what is made anew is written. */
static uint64_t count_steps(const Qcow2 *q, const Qcow2Rewrite *to)
{
    uint64_t kept = 0;

    for (guint i = 0; i < to->snapshots->len; i++) {
        kept += g_array_index(to->snapshots, Qcow2Snapshot, i).l1_entries;
    }
    return qcow2_census_steps(q) + to->l1_entries + kept + to->l1_entries +
           (to->remake_snapshots ? kept : 0);
}

bool qcow2_rewrite(Qcow2 *q, const Qcow2Rewrite *to, GError **error)
{
    Builder b = { .q = q,
                  .to = to,
                  .work = { q->blk.progress, 0, count_steps(q, to) },
                  .next = 1,
                  .snapshots = qcow2_snapshots_copy(to->snapshots) };

    qcow2_census_init(&b.used, q, &b.work, NULL);
    qcow2_census_init(&b.counts, q, &b.work, NULL);
    int result = build(&b);
    /* if that failed, what was written is in room that is still free, and is no zeros */
    q->never_used = MAX(q->never_used, b.counts.end << q->cluster_bits);
    clear_builder(&b);
    if (result) {
        explain(q, result, error);
        return false;
    }
    qcow2_cache_forget(&q->l2);
    qcow2_cache_forget(&q->counts);
    blk_forget_unpacked(&q->blk); /* its place may be free now */
    if (!qcow2_load_tables(q, error)) {
        q->corrupt = true; /* the image is right, and what we have in memory isn't */
        return false;
    }
    return true;
}

bool qcow2_settle(Qcow2 *q, GError **error)
{
    int result = qcow2_write_out(q, true);

    /* what still waited for its count to fall would lose one that the new tables never gave it */
    result = result ? result : qcow2_reap(q);
    result = result ? result : qcow2_write_out(q, true);
    if (result) {
        set_error_errno(error, -result, "cannot write to disk '%s'", q->blk.file.path);
    }
    return result == 0;
}

bool qcow2_repair_counts(Qcow2 *q, GError **error)
{
    Qcow2Rewrite to = qcow2_rewrite_same(q);

    to.incompatible &= ~(uint64_t)QCOW2_DIRTY;
    to.leave_out = true;
    return qcow2_rewrite(q, &to, error);
}
