/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 image is opened and closed.
 *
 * What the header names is checked before it is believed: all tables lie inside of the file, and
 * none is larger than limits.h says.  An image that is marked corrupt is only read; one whose
 * counts may be wrong is repaired before it is written.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "block/qcow2/qcow2.h"
#include "common/bits.h"
#include "common/error.h"

enum { FIRST_READ = 4096 };

static bool read_header(Qcow2 *q, GError **error)
{
    BlkFile *file = &q->blk.file;
    g_autofree uint8_t *bytes = g_malloc0(FIRST_READ);
    uint64_t size = blk_file_size(file);
    int result = blk_file_read_padded(file, 0, bytes, FIRST_READ);
    uint64_t len =
        UINT64_C(1) << CLAMP(load_be32(bytes + 20), QCOW2_CLUSTER_BITS_MIN, QCOW2_CLUSTER_BITS_MAX);

    len = MIN(len, size);
    if (!result && len > FIRST_READ && qcow2_header_is(bytes, FIRST_READ)) {
        bytes = g_realloc(bytes, len);
        result = blk_file_read(file, 0, bytes, len);
    }
    if (result) {
        set_error_errno(error, -result, "cannot read disk '%s'", file->path);
        return false;
    }
    memcpy(q->sector, bytes, BLK_SECTOR);
    return qcow2_header_parse(&q->header, file->path, bytes, len, error);
}

static void derive(Qcow2 *q)
{
    const Qcow2Header *h = &q->header;

    q->cluster_bits = h->cluster_bits;
    q->cluster = UINT64_C(1) << h->cluster_bits;
    q->entry_bits = h->incompatible & QCOW2_SUBCLUSTERS ? 4 : 3;
    q->l2_bits = h->cluster_bits - q->entry_bits;
    q->subclusters = h->incompatible & QCOW2_SUBCLUSTERS ? QCOW2_SUBCLUSTERS_MAX : 1;
    q->subcluster = q->cluster / q->subclusters;
    q->all_subclusters = (uint32_t)bits_mask(q->subclusters);
    q->packed_shift = 62 - (h->cluster_bits - 8);
    q->count_bits = 1U << h->refcount_order;
    q->count_max = h->refcount_order == 6 ? INT64_MAX : bits_mask(q->count_bits);
    q->counts_per_block = q->cluster * 8 / q->count_bits;
    q->blk.unit = (uint32_t)q->cluster;
    q->blk.size = h->size;
}

uint64_t qcow2_l1_needed(const Qcow2 *q, uint64_t size)
{
    unsigned bits = q->cluster_bits + q->l2_bits;

    return (size >> bits) + ((size & bits_mask(bits)) != 0);
}

/* Read a table of @n numbers, which must lie inside of the file. */
static uint64_t *read_table(Qcow2 *q, uint64_t offset, uint64_t n, const char *what, GError **error)
{
    BlkFile *file = &q->blk.file;
    int result = -ENOMEM;

    if (!range_inside(offset, n * 8, 0, blk_file_size(file))) {
        set_error(error, "cannot use disk '%s' as qcow2: its %s goes beyond the end of the file",
                  file->path, what);
        return NULL;
    }
    g_autofree uint64_t *table = g_try_malloc(MAX(n, 1) * 8);
    if (table) {
        result = blk_file_read(file, offset, table, n * 8);
    }
    if (result) {
        set_error_errno(error, -result, "cannot read the %s of disk '%s'", what, file->path);
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++) {
        table[i] = load_be64(&table[i]);
    }
    return g_steal_pointer(&table);
}

static bool load_l1(Qcow2 *q, GError **error)
{
    const Qcow2Header *h = &q->header;
    uint64_t needed = qcow2_l1_needed(q, h->size);

    if (needed > h->l1_entries) {
        set_error(error,
                  "cannot use disk '%s' as qcow2: its table of tables (L1) has %u entries, and a "
                  "disk of its size needs %" G_GUINT64_FORMAT,
                  q->blk.file.path, h->l1_entries, needed);
        return false;
    }
    uint64_t *l1 = read_table(q, h->l1_offset, h->l1_entries, "table of tables (L1)", error);
    if (!l1) {
        return false;
    }
    g_free(q->l1);
    g_free(q->l1_dirty);
    q->l1 = l1;
    q->l1_entries = h->l1_entries;
    q->l1_dirty = g_malloc0((uint64_t)h->l1_entries * 8 / BLK_SECTOR + 1);
    q->any_l1_dirty = false;
    return true;
}

bool qcow2_load_counts(Qcow2 *q, GError **error)
{
    uint64_t entries = (uint64_t)q->header.reftable_clusters << (q->cluster_bits - 3);
    uint64_t *table =
        read_table(q, q->header.reftable_offset, entries, "table of reference counts", error);

    if (!table) {
        return false;
    }
    for (uint64_t i = 0; i < entries; i++) {
        table[i] &= ~UINT64_C(0x1ff);
    }
    g_free(q->reftable);
    q->reftable = table;
    q->reftable_entries = entries;
    q->reftable_dirty = false;
    return true;
}

/* Which clusters hold tables. */
static void list_metadata(Qcow2 *q)
{
    const Qcow2Header *h = &q->header;

    g_hash_table_remove_all(q->metadata);
    qcow2_metadata_add(q, 0, q->cluster);
    qcow2_metadata_add(q, h->l1_offset, (uint64_t)h->l1_entries * 8);
    qcow2_metadata_add(q, h->reftable_offset, (uint64_t)h->reftable_clusters << q->cluster_bits);
    for (uint64_t i = 0; i < q->reftable_entries; i++) {
        if (q->reftable[i]) {
            qcow2_metadata_add(q, q->reftable[i], q->cluster);
        }
    }
    for (uint32_t i = 0; i < q->l1_entries; i++) {
        if (q->l1[i] & QCOW2_OFFSET) {
            qcow2_metadata_add(q, q->l1[i] & QCOW2_OFFSET, q->cluster);
        }
    }
    for (guint i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, i);
        qcow2_metadata_add(q, snapshot->l1_offset, (uint64_t)snapshot->l1_entries * 8);
    }
    qcow2_metadata_add(q, h->snapshots_offset, q->snapshots_len);
}

bool qcow2_load_tables(Qcow2 *q, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!load_l1(q, error)) {
        return false;
    }
    q->blk.size = q->header.size;
    if (!qcow2_snapshots_load(q, &problem) && !q->blk.read_only) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (q->blk.read_only) {
        return true; /* an image whose snapshots can't be read can still be */
    }
    if (!qcow2_load_counts(q, error)) {
        return false;
    }
    q->first_free = 1;
    q->never_used = align_up(blk_file_size(&q->blk.file), q->cluster);
    q->packed_at = 0;
    g_array_set_size(q->frees, 0);
    list_metadata(q);
    return true;
}

static void clear_snapshot(gpointer data)
{
    Qcow2Snapshot *snapshot = data;

    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot->extra);
}

static void init(Qcow2 *q, size_t cache)
{
    uint32_t slice = (uint32_t)MIN(q->cluster, QCOW2_SLICE_MAX);
    uint64_t l2 = ((q->header.size >> q->cluster_bits) + 1) << q->entry_bits;

    cache = cache ? cache : QCOW2_L2_CACHE;
    qcow2_cache_init(&q->l2, slice, MIN(cache, l2 + slice));
    qcow2_cache_init(&q->counts, slice, q->blk.read_only ? 0 : MIN(cache, QCOW2_REFCOUNT_CACHE));
    q->frees = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    q->snapshots = g_array_new(FALSE, TRUE, sizeof(Qcow2Snapshot));
    g_array_set_clear_func(q->snapshots, clear_snapshot);
    q->metadata = g_hash_table_new(NULL, NULL);
    g_mutex_init(&q->lock);
    g_mutex_init(&q->guard_lock);
    g_cond_init(&q->guard_changed);
}

static void clear(Qcow2 *q)
{
    qcow2_cache_clear(&q->l2);
    qcow2_cache_clear(&q->counts);
    g_array_unref(q->frees);
    g_array_unref(q->snapshots);
    g_hash_table_unref(q->metadata);
    g_mutex_clear(&q->lock);
    g_mutex_clear(&q->guard_lock);
    g_cond_clear(&q->guard_changed);
    g_free(q->reftable);
    g_free(q->l1);
    g_free(q->l1_dirty);
    g_free(q->reason);
    qcow2_header_clear(&q->header);
}

/* What must be so before the image is written. */
static bool prepare_writing(Qcow2 *q, const BlkOptions *options, GError **error)
{
    Qcow2Header *h = &q->header;

    if (h->incompatible & QCOW2_CORRUPT && !options->ignore_corrupt) {
        set_error(error,
                  "cannot write to disk '%s': it is marked as damaged: repair it with 'insula disk "
                  "check --repair all', or open it read-only",
                  q->blk.file.path);
        return false;
    }
    if (h->incompatible & QCOW2_DIRTY && !options->ignore_corrupt &&
        !qcow2_repair_counts(q, error)) {
        return false;
    }
    if (h->autoclear) {
        /* others keep there what they must hear of each write; we say that we didn't tell */
        h->autoclear = 0;
        int result = qcow2_header_write(q);
        if (result) {
            set_error_errno(error, -result, "cannot write the header of disk '%s'",
                            q->blk.file.path);
            return false;
        }
    }
    return true;
}

bool qcow2_open(Blk *blk, const BlkOptions *options, GError **error)
{
    Qcow2 *q = qcow2_of(blk);

    if (!read_header(q, error)) {
        return false;
    }
    derive(q);
    init(q, options->metadata_cache);
    blk->backing_name = g_strdup(q->header.backing);
    blk->backing_format = g_strdup(q->header.backing_format);
    if (!qcow2_load_tables(q, error) || (!blk->read_only && !prepare_writing(q, options, error))) {
        clear(q);
        return false;
    }
    if (options->snapshot && !qcow2_snapshot_use(q, options->snapshot, error)) {
        clear(q);
        return false;
    }
    return true;
}

void qcow2_close(Blk *blk)
{
    Qcow2 *q = qcow2_of(blk);

    if (!blk->read_only && !q->corrupt && !qcow2_write_out(q, true) && !qcow2_reap(q)) {
        (void)qcow2_write_out(q, false); /* what failed is what flushes have reported, or room */
    }
    clear(q);
}

static const BlkMaintenance maintenance = {
    .create = qcow2_create,
    .info = qcow2_info,
    .check = qcow2_check,
    .resize = qcow2_resize,
    .snapshot_create = qcow2_snapshot_create,
    .snapshot_delete = qcow2_snapshot_delete,
    .snapshot_apply = qcow2_snapshot_apply,
    .empty = qcow2_empty,
    .set_backing = qcow2_set_backing,
    .write_compressed = qcow2_write_compressed,
};

const BlkDriver qcow2_driver = {
    .name = "qcow2",
    .summary = "grows as it is written; snapshots, compression, images based on others",
    .suffix = ".qcow2 .qcow2c",
    .instance_size = sizeof(Qcow2),
    .open = qcow2_open,
    .close = qcow2_close,
    .map = qcow2_map,
    .inflate = qcow2_inflate,
    .allocate = qcow2_allocate,
    .link = qcow2_link,
    .zero = qcow2_zero,
    .flush = qcow2_flush,
    .maintenance = &maintenance,
};
