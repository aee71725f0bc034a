/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting how often each cluster of a qcow2 image is referred to.
 *
 * The counts are in chunks that are made when something in them is referred to: a file may be
 * sparse, and an image may claim anything.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "common/bits.h"

void qcow2_census_init(Qcow2Census *census, Qcow2 *q, Qcow2Work *work, BlkCheck *check)
{
    *census = (Qcow2Census){
        .q = q,
        .chunks = g_hash_table_new_full(NULL, NULL, NULL, g_free),
        .last_number = UINT64_MAX,
        .check = check,
        .work = work,
        .table = g_malloc(q->cluster),
    };
}

void qcow2_census_clear(Qcow2Census *census)
{
    g_hash_table_unref(census->chunks);
    g_free(census->table);
}

void qcow2_census_report(Qcow2Census *census, const char *format, ...)
{
    va_list args;

    if (!census->check) {
        return;
    }
    census->check->corruptions++;
    if (census->check->report) {
        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        census->check->report(census->check->opaque, text);
    }
}

static uint32_t *find_chunk(Qcow2Census *census, uint64_t number)
{
    if (number != census->last_number) {
        census->last = g_hash_table_lookup(census->chunks, GSIZE_TO_POINTER(number));
        census->last_number = number;
    }
    return census->last;
}

uint32_t qcow2_census_get(Qcow2Census *census, uint64_t cluster)
{
    const uint32_t *chunk = find_chunk(census, cluster / QCOW2_CHUNK);

    return chunk ? chunk[cluster % QCOW2_CHUNK] : 0;
}

int qcow2_census_add(Qcow2Census *census, uint64_t offset, uint64_t len)
{
    unsigned bits = census->q->cluster_bits;
    enum { CHUNK_BYTES = QCOW2_CHUNK * sizeof(uint32_t) };

    if (!len) {
        return 0;
    }
    for (uint64_t at = offset >> bits; at <= (offset + len - 1) >> bits; at++) {
        uint32_t *chunk = find_chunk(census, at / QCOW2_CHUNK);
        if (!chunk) {
            if (g_hash_table_size(census->chunks) >= QCOW2_COUNT_BYTES_MAX / CHUNK_BYTES) {
                return -ENOMEM;
            }
            chunk = g_new0(uint32_t, QCOW2_CHUNK);
            g_hash_table_insert(census->chunks, GSIZE_TO_POINTER(at / QCOW2_CHUNK), chunk);
            census->last = chunk;
        }
        chunk[at % QCOW2_CHUNK] += chunk[at % QCOW2_CHUNK] < UINT32_MAX;
        census->end = MAX(census->end, at + 1);
    }
    return 0;
}

bool qcow2_census_table(Qcow2Census *census, uint64_t offset)
{
    Qcow2 *q = census->q;

    if (!offset || offset % q->cluster || offset >= blk_file_size(&q->blk.file)) {
        return false;
    }
    int result = blk_file_read_padded(&q->blk.file, offset, census->table, q->cluster);
    census->read_error = census->read_error ? census->read_error : result;
    return !result;
}

/* --- a tree of tables --- */

static const char *name_of(const Qcow2Root *root)
{
    return root->name ? root->name : "the disk";
}

/* For people: how much of the disk is where. */
static void note(Qcow2Census *census, const Qcow2Entry *entry, uint64_t *next)
{
    BlkCheck *check = census->check;

    if (entry->compressed) {
        check->compressed++;
        check->allocated++;
        check->fragmented++;
    } else if (entry->host) {
        check->allocated++;
        check->fragmented += *next && entry->host != *next;
        *next = entry->host + census->q->cluster;
    }
}

static int add_entries(Qcow2Census *census, Qcow2Root *root, uint64_t index)
{
    Qcow2 *q = census->q;
    uint64_t next = 0;
    int result = 0;

    for (uint64_t i = 0; i < UINT64_C(1) << q->l2_bits && !result; i++) {
        Qcow2Entry entry;
        if ((index << q->l2_bits) + i >= root->clusters) {
            break;
        }
        qcow2_entry_load(q, census->table + (i << q->entry_bits), &entry);
        const char *problem =
            entry.word || entry.zero || entry.data ? qcow2_entry_problem(q, &entry) : NULL;
        if (problem) {
            root->n_bad++;
            qcow2_census_report(census, "%s: the entry for cluster %" G_GUINT64_FORMAT " %s",
                                name_of(root), (index << q->l2_bits) + i, problem);
            continue;
        }
        if (census->check && !root->name) {
            note(census, &entry, &next);
        }
        if (entry.compressed) {
            result = qcow2_census_add(census, entry.host, entry.packed);
        } else if (entry.host) {
            result = qcow2_census_add(census, entry.host, q->cluster);
        }
    }
    return result;
}

int qcow2_work_step(Qcow2Work *work)
{
    return blk_go_on(work->progress, work->done++, work->total) ? 0 : -EINTR;
}

uint64_t qcow2_census_steps(const Qcow2 *q)
{
    uint64_t steps = q->l1_entries;

    for (guint i = 0; i < q->snapshots->len; i++) {
        steps += g_array_index(q->snapshots, Qcow2Snapshot, i).l1_entries;
    }
    return steps;
}

int qcow2_census_root(Qcow2Census *census, Qcow2Root *root)
{
    Qcow2 *q = census->q;
    int result = 0;

    root->n_bad = 0;
    if (root->l1_offset) {
        result = qcow2_census_add(census, root->l1_offset, (uint64_t)root->l1_entries * 8);
    }
    for (uint32_t i = 0; i < root->l1_entries && !result; i++) {
        uint64_t table = root->l1[i] & QCOW2_OFFSET;
        result = qcow2_work_step(census->work);
        if (result || !root->l1[i]) {
            continue;
        }
        if (!qcow2_census_table(census, table)) {
            root->n_bad++;
            qcow2_census_report(census, "%s: L2 table %u is misplaced or can't be read",
                                name_of(root), i);
            continue;
        }
        if (root->l1_offset) {
            result = qcow2_census_add(census, table, q->cluster);
        }
        result = result ? result : add_entries(census, root, i);
    }
    return result;
}

uint64_t *qcow2_census_l1(Qcow2 *q, const Qcow2Snapshot *snapshot)
{
    uint64_t n = snapshot->l1_entries;
    g_autofree uint64_t *l1 = g_try_malloc(MAX(n, 1) * 8);

    if (!l1 || blk_file_read(&q->blk.file, snapshot->l1_offset, l1, n * 8)) {
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++) {
        l1[i] = load_be64(&l1[i]);
    }
    return g_steal_pointer(&l1);
}

/* --- bitmaps --- */

/* One entry of the directory, at *@at of the @len bytes at @directory; -EINVAL: it can't be. */
static int add_bitmap(Qcow2Census *census, const uint8_t *directory, uint64_t len, uint64_t *at)
{
    enum { FIXED = 24 };
    Qcow2 *q = census->q;

    if (!range_inside(*at, FIXED, 0, len)) {
        return -EINVAL;
    }
    const uint8_t *entry = directory + *at;
    uint64_t table = load_be64(entry), n = load_be32(entry + 8);
    uint64_t extra = load_be32(entry + 20), name = load_be16(entry + 18);
    g_autofree uint8_t *words = g_try_malloc(MAX(n, 1) * 8);
    if (!words || table % q->cluster ||
        !range_inside(table, n * 8, 0, blk_file_size(&q->blk.file)) ||
        !range_inside(*at + FIXED, extra + name, 0, len)) {
        return -EINVAL;
    }
    int result = blk_file_read(&q->blk.file, table, words, n * 8);
    result = result ? result : qcow2_census_add(census, table, n * 8);
    for (uint64_t i = 0; i < n && !result; i++) {
        uint64_t cluster = load_be64(words + i * 8) & QCOW2_OFFSET;
        if (cluster % q->cluster || cluster >= blk_file_size(&q->blk.file)) {
            result = -EINVAL;
        } else if (cluster) {
            result = qcow2_census_add(census, cluster, q->cluster);
        }
    }
    *at += align_up(FIXED + extra + name, 8);
    return result;
}

int qcow2_census_bitmaps(Qcow2Census *census)
{
    Qcow2 *q = census->q;
    const Qcow2Header *h = &q->header;
    uint64_t len = h->bitmaps_size, at = 0;

    if (!h->has_bitmaps || !(h->autoclear & QCOW2_BITMAPS)) {
        return 0;
    }
    g_autofree uint8_t *directory =
        len <= QCOW2_BITMAP_DIRECTORY_MAX ? g_try_malloc(MAX(len, 1)) : NULL;
    int result = -EINVAL;
    if (directory && h->n_bitmaps <= QCOW2_BITMAPS_MAX && h->bitmaps_offset % q->cluster == 0 &&
        range_inside(h->bitmaps_offset, len, 0, blk_file_size(&q->blk.file))) {
        result = blk_file_read(&q->blk.file, h->bitmaps_offset, directory, len);
        result = result ? result : qcow2_census_add(census, h->bitmaps_offset, len);
    }
    for (uint32_t i = 0; i < h->n_bitmaps && !result; i++) {
        result = add_bitmap(census, directory, len, &at);
    }
    if (result == -EINVAL) {
        qcow2_census_report(census, "the directory of bitmaps can't be right");
        return 0;
    }
    return result;
}

/* --- all of an image --- */

/* All that refers to something: the table in use and the snapshots'.  An array of Qcow2Root. */
static GArray *list_roots(Qcow2 *q, Qcow2Census *census)
{
    GArray *roots = g_array_new(FALSE, TRUE, sizeof(Qcow2Root));
    Qcow2Root active = { q->l1, q->l1_entries, q->header.l1_offset, NULL, UINT64_MAX, 0 };

    g_array_append_val(roots, active);
    for (guint i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, i);
        Qcow2Root root = { qcow2_census_l1(q, snapshot),
                           snapshot->l1_entries,
                           snapshot->l1_offset,
                           snapshot->name,
                           UINT64_MAX,
                           0 };
        if (root.l1) {
            g_array_append_val(roots, root);
        } else {
            qcow2_census_report(census, "snapshot '%s' can't be read", snapshot->name);
            if (range_inside(root.l1_offset, (uint64_t)root.l1_entries * 8, 0,
                             blk_file_size(&q->blk.file))) {
                census->read_error = -EIO;
            }
        }
    }
    return roots;
}

static void free_roots(GArray *roots)
{
    for (guint i = 1; i < roots->len; i++) {
        g_free((void *)(uintptr_t)g_array_index(roots, Qcow2Root, i).l1);
    }
    g_array_unref(roots);
}

int qcow2_census_all(Qcow2Census *census)
{
    Qcow2 *q = census->q;
    const Qcow2Header *h = &q->header;
    GArray *roots = list_roots(q, census);
    int result = qcow2_census_add(census, 0, q->cluster);

    for (guint i = 0; i < roots->len && !result; i++) {
        result = qcow2_census_root(census, &g_array_index(roots, Qcow2Root, i));
    }
    free_roots(roots);
    result = result ? result : qcow2_census_add(census, h->snapshots_offset, q->snapshots_len);
    result = result ? result : qcow2_census_bitmaps(census);
    result = result ? result
                    : qcow2_census_add(census, h->reftable_offset,
                                       (uint64_t)h->reftable_clusters << q->cluster_bits);
    for (uint64_t i = 0; i < q->reftable_entries && !result; i++) {
        uint64_t block = q->reftable[i];
        if (block % q->cluster || block >= blk_file_size(&q->blk.file)) {
            qcow2_census_report(census, "block %" G_GUINT64_FORMAT " of counts is misplaced", i);
        } else if (block) {
            result = qcow2_census_add(census, block, q->cluster);
        }
    }
    return result ? result : census->read_error;
}
