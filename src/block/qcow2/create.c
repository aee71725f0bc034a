/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qcow2 image is made: header, L1, the table of reference counts and its blocks, behind each
 * other.
 *
 * Threads: from any; the file is nobody else's yet.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "common/bits.h"
#include "common/error.h"

enum { USUAL_CLUSTER = 65536, USUAL_COUNT_BITS = 16 };

/* What goes where, in clusters. */
typedef struct Layout {
    uint64_t l1, l1_clusters, l1_entries;
    uint64_t reftable, reftable_clusters;
    uint64_t blocks, n_blocks;
    uint64_t end;
} Layout;

G_GNUC_PRINTF(2, 3)
static bool usage(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    set_error_code(error, INSULA_ERROR_USAGE, "%s", message);
    return false;
}

static bool set_compression(Qcow2Header *h, const char *name, GError **error)
{
    if (!name || !strcmp(name, "zlib")) {
        h->compression = QCOW2_ZLIB;
        return true;
    }
    if (strcmp(name, "zstd")) {
        return usage(error, "unknown compression '%s': there are zlib, zstd", name);
    }
    h->compression = QCOW2_ZSTD;
    h->incompatible |= QCOW2_COMPRESSION;
    return true;
}

/* What was asked for, as a header; it must fit together. */
static bool make_header(const BlkCreate *create, Qcow2Header *h, GError **error)
{
    uint64_t cluster = create->cluster ? create->cluster : USUAL_CLUSTER;
    unsigned count_bits = create->count_bits ? create->count_bits : USUAL_COUNT_BITS;

    *h = (Qcow2Header){ .version = create->version ? create->version : 3,
                        .size = align_up(create->size, BLK_SECTOR),
                        .unknown = g_array_new(FALSE, TRUE, sizeof(Qcow2Extension)) };
    h->length = h->version == 2 ? QCOW2_V2_LENGTH : QCOW2_LENGTH;
    if (h->version != 2 && h->version != 3) {
        return usage(error, "there is no version %u of qcow2, only 2 and 3", h->version);
    }
    if (!is_power_of_two(cluster) || cluster < 512 || cluster > 2 << 20) {
        return usage(error,
                     "clusters can't be of %" G_GUINT64_FORMAT " bytes: a power of two from "
                     "512 to 2M is needed",
                     cluster);
    }
    if (!is_power_of_two(count_bits) || count_bits > 64) {
        return usage(error, "reference counts can't be of %u bits: 1, 2, 4, 8, 16, 32 or 64",
                     count_bits);
    }
    h->cluster_bits = (uint32_t)__builtin_ctzll(cluster);
    h->refcount_order = (uint32_t)__builtin_ctz(count_bits);
    if (h->version == 2 && (count_bits != 16 || create->subclusters || create->lazy_refcounts ||
                            (create->compression && strcmp(create->compression, "zlib")))) {
        return usage(error, "version 2 has no subclusters, no lazy reference counts, no other "
                            "compression than zlib, and counts of 16 bits: choose version 3");
    }
    if (create->subclusters && cluster < 1 << QCOW2_SUBCLUSTER_BITS_MIN) {
        return usage(error, "subclusters need clusters of at least 16K");
    }
    h->incompatible |= create->subclusters ? QCOW2_SUBCLUSTERS : 0;
    h->compatible |= create->lazy_refcounts ? QCOW2_LAZY_REFCOUNTS : 0;
    h->backing = g_strdup(create->backing);
    h->backing_format = g_strdup(create->backing_format);
    return set_compression(h, create->compression, error);
}

static bool lay_out(const Qcow2Header *h, Layout *l, GError **error)
{
    uint64_t cluster = UINT64_C(1) << h->cluster_bits;
    unsigned entry_bits = h->incompatible & QCOW2_SUBCLUSTERS ? 4 : 3;
    unsigned table_bits = 2 * h->cluster_bits - entry_bits;
    uint64_t per_block = (cluster * 8) >> h->refcount_order;
    uint64_t end = 0;

    *l = (Layout){ .l1 = 1 };
    l->l1_entries = (h->size >> table_bits) + ((h->size & bits_mask(table_bits)) != 0);
    if (l->l1_entries > QCOW2_L1_BYTES_MAX / 8) {
        return usage(error,
                     "the disk is too large for clusters of %" G_GUINT64_FORMAT " bytes: "
                     "choose larger ones",
                     cluster);
    }
    l->l1_clusters = MAX((l->l1_entries * 8 + cluster - 1) / cluster, 1);
    do {
        end = l->end;
        l->n_blocks = MAX((end + per_block - 1) / per_block, 1);
        l->reftable_clusters = (l->n_blocks * 8 + cluster - 1) / cluster;
        l->reftable = l->l1 + l->l1_clusters;
        l->blocks = l->reftable + l->reftable_clusters;
        l->end = l->blocks + l->n_blocks;
    } while (end != l->end);
    return true;
}

static int write_tables(BlkFile *file, const Qcow2Header *h, const Layout *l)
{
    uint64_t cluster = UINT64_C(1) << h->cluster_bits;
    Qcow2 counts = { .count_bits = 1U << h->refcount_order,
                     .count_max = bits_mask(1U << h->refcount_order) };
    g_autofree uint8_t *table = g_malloc0(l->reftable_clusters * cluster);
    g_autofree uint8_t *blocks = g_malloc0(l->n_blocks * cluster);
    g_autofree uint8_t *l1 = g_malloc0(l->l1_clusters * cluster);

    for (uint64_t i = 0; i < l->n_blocks; i++) {
        store_be64(table + i * 8, (l->blocks + i) * cluster);
    }
    for (uint64_t i = 0; i < l->end; i++) {
        qcow2_count_store(&counts, blocks, i, 1);
    }
    int result = blk_file_write(file, l->l1 * cluster, l1, l->l1_clusters * cluster);
    result =
        result ? result
               : blk_file_write(file, l->reftable * cluster, table, l->reftable_clusters * cluster);
    return result ? result
                  : blk_file_write(file, l->blocks * cluster, blocks, l->n_blocks * cluster);
}

/* Fill the empty @file. */
static bool write_image(BlkFile *file, Qcow2Header *h, const Layout *l, GError **error)
{
    uint64_t cluster = UINT64_C(1) << h->cluster_bits;
    g_autofree uint8_t *bytes = g_malloc0(cluster);

    h->l1_offset = l->l1 * cluster;
    h->l1_entries = (uint32_t)l->l1_entries;
    h->reftable_offset = l->reftable * cluster;
    h->reftable_clusters = (uint32_t)l->reftable_clusters;
    if (!qcow2_header_format(h, bytes, cluster, 0, error)) {
        g_prefix_error(error, "cannot make disk '%s': ", file->path);
        return false;
    }
    int result = write_tables(file, h, l);
    result = result ? result : blk_file_write(file, 0, bytes, cluster);
    result = result ? result : blk_file_sync(file);
    if (result) {
        set_error_errno(error, -result, "cannot write disk '%s'", file->path);
    }
    return result == 0;
}

static bool make_file(const BlkCreate *create, Qcow2Header *h, GError **error)
{
    BlkFile file;
    Layout layout;

    if (!lay_out(h, &layout, error) || !blk_create_file(create, &file, error)) {
        return false;
    }
    bool good = write_image(&file, h, &layout, error);
    blk_file_close(&file);
    return good;
}

static bool preallocate(const BlkCreate *create, uint64_t size, GError **error)
{
    BlkOptions options = {
        .path = create->path, .format = create->format, .host = create->host, .no_backing = true
    };

    if (create->preallocation == BLK_PREALLOCATE_OFF) {
        return true;
    }
    if (create->backing && create->preallocation != BLK_PREALLOCATE_OFF) {
        return usage(error, "an image that is based on another can't have its room set aside");
    }
    g_autoptr(Blk) blk = blk_open(&options, error);
    if (blk) {
        blk_set_progress(blk, create->progress);
    }
    return blk && qcow2_preallocate(blk, 0, size, create->preallocation, error);
}

bool qcow2_create(const BlkCreate *create, GError **error)
{
    Qcow2Header header;
    bool good = make_header(create, &header, error) && make_file(create, &header, error) &&
                preallocate(create, header.size, error);

    qcow2_header_clear(&header);
    return good;
}

/* --- what an image says of itself --- */

void qcow2_info(Blk *blk, BlkInfo *ret)
{
    Qcow2 *q = qcow2_of(blk);
    const Qcow2Header *h = &q->header;

    g_mutex_lock(&q->lock);
    ret->has_details = true;
    ret->version = h->version;
    ret->cluster = q->cluster;
    ret->count_bits = q->count_bits;
    ret->compression = h->compression == QCOW2_ZSTD ? "zstd" : "zlib";
    ret->subclusters = q->subclusters > 1;
    ret->lazy_refcounts = h->compatible & QCOW2_LAZY_REFCOUNTS;
    ret->dirty = h->incompatible & QCOW2_DIRTY;
    ret->corrupt = h->incompatible & QCOW2_CORRUPT;
    ret->n_bitmaps = h->autoclear & QCOW2_BITMAPS ? h->n_bitmaps : 0;
    for (guint i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = &g_array_index(q->snapshots, Qcow2Snapshot, i);
        BlkSnapshot *snapshot = g_new0(BlkSnapshot, 1);
        *snapshot = (BlkSnapshot){ g_strdup(s->id), g_strdup(s->name), s->seconds, s->nanoseconds,
                                   s->state_size,   s->disk_size,      s->clock_ns };
        g_ptr_array_add(ret->snapshots, snapshot);
    }
    g_mutex_unlock(&q->lock);
}

/* --- compressed writes --- */

/* Put @len packed bytes into the file, and let the entry for @offset refer to them.  Lock: lock. */
static int put_packed(Qcow2 *q, uint64_t offset, const uint8_t *packed, uint32_t len)
{
    Qcow2Entry old, entry = { .compressed = true, .packed = len };
    int result = qcow2_table_prepare(q, offset);

    result = result ? result : qcow2_entry_get(q, offset, &old);
    result = result ? result : qcow2_take_packed(q, len, &entry.host);
    if (result) {
        return result;
    }
    result = blk_file_write(&q->blk.file, entry.host, packed, len);
    result = result ? result : qcow2_entry_put(q, offset, &entry);
    if (result) {
        uint64_t first = entry.host >> q->cluster_bits;
        qcow2_untake(q, first, ((entry.host + len - 1) >> q->cluster_bits) - first + 1);
        q->packed_at = 0;
        return result;
    }
    qcow2_give_back_entry(q, &old, false);
    return qcow2_relieve(q);
}

int qcow2_write_compressed(Blk *blk, uint64_t offset, const void *buf, size_t len)
{
    Qcow2 *q = qcow2_of(blk);
    g_autofree uint8_t *packed = g_try_malloc(q->cluster);
    g_autofree uint8_t *padded = NULL;
    BlkPlan guard;

    if (!packed || offset % q->cluster || len > q->cluster) {
        return packed ? -EINVAL : -ENOMEM;
    }
    if (len < q->cluster) {
        padded = g_try_malloc0(q->cluster);
        if (!padded) {
            return -ENOMEM;
        }
        memcpy(padded, buf, len);
    }
    int64_t packed_len = qcow2_deflate(q, padded ? padded : buf, packed);
    if (packed_len <= 0) {
        return packed_len < 0 ? (int)packed_len : 1;
    }
    qcow2_guard(q, offset, offset + q->cluster, &guard);
    g_mutex_lock(&q->lock);
    int result = q->corrupt ? -EIO : put_packed(q, offset, packed, (uint32_t)packed_len);
    g_mutex_unlock(&q->lock);
    qcow2_unguard(q, &guard);
    return result;
}
