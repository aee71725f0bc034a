/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference counts of a qcow2 image: how many entries refer to each cluster of the file.  0 is
 * free.  A table names the clusters ("blocks") that hold the counts; it and they are counted too.
 *
 * A block for clusters that had none is put into the first of them, so it counts itself.
 *
 * Room that is given back waits in .frees: first for the tables on the disk to forget it, then for
 * the requests that may be using it.  Until then its count stands.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/qcow2.h"
#include "common/bits.h"

uint64_t qcow2_count_load(const Qcow2 *q, const uint8_t *block, uint64_t index)
{
    switch (q->count_bits) {
    case 8:
        return block[index];
    case 16:
        return load_be16(block + index * 2);
    case 32:
        return load_be32(block + index * 4);
    case 64:
        return load_be64(block + index * 8);
    default: {
        unsigned per_byte = 8 / q->count_bits;
        return block[index / per_byte] >> index % per_byte * q->count_bits & q->count_max;
    }
    }
}

void qcow2_count_store(const Qcow2 *q, uint8_t *block, uint64_t index, uint64_t count)
{
    switch (q->count_bits) {
    case 8:
        block[index] = (uint8_t)count;
        break;
    case 16:
        store_be16(block + index * 2, (uint16_t)count);
        break;
    case 32:
        store_be32(block + index * 4, (uint32_t)count);
        break;
    case 64:
        store_be64(block + index * 8, count);
        break;
    default: {
        unsigned per_byte = 8 / q->count_bits;
        unsigned shift = (unsigned)(index % per_byte) * q->count_bits;
        uint8_t *byte = &block[index / per_byte];
        *byte = (uint8_t)((*byte & ~(q->count_max << shift)) | count << shift);
    }
    }
}

/* Load a slice of a block; when the cache is full of changes, all are written first. */
static int get_slice(Qcow2 *q, uint64_t offset, uint8_t **ret_bytes)
{
    int result = qcow2_cache_get(&q->counts, &q->blk.file, offset, ret_bytes);

    if (result != -ENOBUFS) {
        return result;
    }
    result = qcow2_write_out(q, false);
    return result ? result : qcow2_cache_get(&q->counts, &q->blk.file, offset, ret_bytes);
}

/* The slice that counts @cluster; *@ret_bytes NULL: there is no block for it yet. */
static int find_count(Qcow2 *q, uint64_t cluster, uint64_t *ret_slice, uint8_t **ret_bytes,
                      uint64_t *ret_index)
{
    uint64_t number = cluster / q->counts_per_block;
    uint64_t in_slice = (uint64_t)q->counts.slice * 8 / q->count_bits;
    uint64_t block = number < q->reftable_entries ? q->reftable[number] : 0;

    *ret_bytes = NULL;
    if (!block) {
        return 0;
    }
    if (block % q->cluster || block >= blk_file_size(&q->blk.file)) {
        return qcow2_corrupt(q, "block %" G_GUINT64_FORMAT " of reference counts is misplaced",
                             number);
    }
    uint64_t index = cluster % q->counts_per_block;
    *ret_slice = block + index / in_slice * q->counts.slice;
    *ret_index = index % in_slice;
    return get_slice(q, *ret_slice, ret_bytes);
}

int qcow2_count_get(Qcow2 *q, uint64_t cluster, uint64_t *ret)
{
    uint64_t slice, index;
    uint8_t *bytes;
    int result = find_count(q, cluster, &slice, &bytes, &index);

    if (!result) {
        *ret = bytes ? qcow2_count_load(q, bytes, index) : 0;
    }
    return result;
}

/* Change one count, whose block is there. */
static int change(Qcow2 *q, uint64_t cluster, int by)
{
    uint64_t slice, index;
    uint8_t *bytes;
    int result = find_count(q, cluster, &slice, &bytes, &index);

    if (result) {
        return result;
    }
    uint64_t count = bytes ? qcow2_count_load(q, bytes, index) : 0;
    if (!bytes || (by < 0 && count < (uint64_t)-by)) {
        return qcow2_corrupt(q, "cluster %" G_GUINT64_FORMAT " of the file has too low a count",
                             cluster);
    }
    if (by > 0 && q->count_max - count < (uint64_t)by) {
        return -ERANGE;
    }
    count += (uint64_t)(int64_t)by;
    /* no reader looks at counts without our lock, so it may change in place */
    qcow2_count_store(q, bytes, index, count);
    qcow2_cache_store(&q->counts, slice, 0, bytes, 0);
    if (!count) {
        q->first_free = MIN(q->first_free, cluster);
    }
    return 0;
}

int qcow2_count_add(Qcow2 *q, uint64_t cluster, uint64_t n, int by)
{
    int result = 0;
    uint64_t done = 0;

    while (done < n && !result) {
        result = change(q, cluster + done, by);
        done += !result;
    }
    while (result && done) {
        /* back to what it was: the blocks have just been there */
        done--;
        if (change(q, cluster + done, -by)) {
            break;
        }
    }
    return result;
}

/* --- taking room --- */

/* A table of reference counts with room for @entries, in clusters that have never had counts,
 * from @cluster on, with the blocks that count itself.  Its clusters are counted when it is in
 * use. */
static int grow_table(Qcow2 *q, uint64_t cluster)
{
    uint64_t old_clusters = q->header.reftable_clusters, old_offset = q->header.reftable_offset;
    uint64_t per_cluster = q->cluster / 8, first = cluster / q->counts_per_block;
    uint64_t clusters =
        MAX(old_clusters + (old_clusters + 1) / 2, (first + 2 + per_cluster - 1) / per_cluster + 1);
    uint64_t limit = QCOW2_REFTABLE_BYTES_MAX >> q->cluster_bits;
    uint64_t blocks = 1;

    clusters = MIN(clusters, limit);
    while ((cluster + clusters + blocks - 1) / q->counts_per_block - first + 1 > blocks) {
        blocks++;
    }
    if (first + blocks > clusters * per_cluster || clusters <= old_clusters) {
        return -EFBIG;
    }
    g_autofree uint64_t *table = g_try_malloc0(clusters * q->cluster);
    g_autofree uint8_t *bytes = g_try_malloc0((clusters + blocks) * q->cluster);
    if (!table || !bytes) {
        return -ENOMEM;
    }
    memcpy(table, q->reftable, q->reftable_entries * 8);
    for (uint64_t i = 0; i < blocks; i++) {
        table[first + i] = (cluster + clusters + i) << q->cluster_bits;
    }
    for (uint64_t i = 0; i < clusters * per_cluster; i++) {
        store_be64(bytes + i * 8, table[i]);
    }
    for (uint64_t i = 0; i < clusters + blocks; i++) {
        uint64_t index = cluster + i - first * q->counts_per_block;
        qcow2_count_store(q, bytes + clusters * q->cluster, index, 1);
    }
    uint64_t offset = cluster << q->cluster_bits;
    int result = blk_file_write(&q->blk.file, offset, bytes, (clusters + blocks) * q->cluster);
    result = result ? result : qcow2_write_out(q, true); /* blocks that the table names */
    if (result) {
        return result;
    }
    Qcow2Header old = q->header;
    q->header.reftable_offset = offset;
    q->header.reftable_clusters = (uint32_t)clusters;
    result = qcow2_header_write(q);
    if (result) {
        q->header = old;
        return result;
    }
    g_free(q->reftable);
    q->reftable = g_steal_pointer(&table);
    q->reftable_entries = clusters * per_cluster;
    qcow2_cache_drop(&q->counts, offset, (clusters + blocks) << q->cluster_bits);
    qcow2_cache_drop(&q->l2, offset, (clusters + blocks) << q->cluster_bits);
    qcow2_metadata_remove(q, old_offset, old_clusters << q->cluster_bits);
    qcow2_metadata_add(q, offset, (clusters + blocks) << q->cluster_bits);
    q->never_used = MAX(q->never_used, offset + ((clusters + blocks) << q->cluster_bits));
    qcow2_untake(q, old_offset >> q->cluster_bits, old_clusters);
    return 0;
}

/* A block of counts for @cluster, which has none: put it into that cluster. */
static int add_block(Qcow2 *q, uint64_t cluster)
{
    uint64_t number = cluster / q->counts_per_block;
    uint64_t offset = cluster << q->cluster_bits;

    if (number >= q->reftable_entries) {
        return grow_table(q, cluster);
    }
    g_autofree uint8_t *bytes = g_try_malloc0(q->cluster);
    if (!bytes) {
        return -ENOMEM;
    }
    qcow2_count_store(q, bytes, cluster % q->counts_per_block, 1);
    int result = blk_file_write(&q->blk.file, offset, bytes, q->cluster);
    if (result) {
        return result;
    }
    qcow2_cache_drop(&q->counts, offset, q->cluster);
    qcow2_cache_drop(&q->l2, offset, q->cluster);
    q->reftable[number] = offset;
    q->reftable_dirty = true;
    q->never_used = MAX(q->never_used, offset + q->cluster);
    qcow2_metadata_add(q, offset, q->cluster);
    return 0;
}

/* Whether @cluster is free, in a block that is there: 1, 0 or -errno. */
static int is_free(Qcow2 *q, uint64_t cluster)
{
    uint64_t slice, index;
    uint8_t *bytes;
    int result = find_count(q, cluster, &slice, &bytes, &index);

    if (!result && !bytes) {
        result = add_block(q, cluster);
        return result ? result : 0;
    }
    return result ? result : !qcow2_count_load(q, bytes, index);
}

/* Find up to @n free clusters that follow each other.  */
static int find_free(Qcow2 *q, uint64_t n, bool all, uint64_t *ret_cluster, uint64_t *ret_n)
{
    uint64_t run = 0, cluster = q->first_free, last = INT64_MAX >> q->cluster_bits;
    bool first = true;

    for (; run < n; cluster++) {
        int result =
            cluster < MIN(last, QCOW2_OFFSET >> q->cluster_bits) ? is_free(q, cluster) : -EFBIG;
        if (result < 0) {
            return result;
        }
        run = result ? run + 1 : 0;
        if (result && first) {
            q->first_free = cluster;
            first = false;
        }
        if (run && !all && run < n) {
            /* what follows, as far as it is free */
            uint64_t next = cluster + 1;
            result = next / q->counts_per_block < q->reftable_entries &&
                             q->reftable[next / q->counts_per_block]
                         ? is_free(q, next)
                         : 0;
            if (result < 0) {
                return result;
            }
            if (!result) {
                n = run;
            }
        }
    }
    *ret_cluster = cluster - n;
    *ret_n = n;
    return 0;
}

int qcow2_take(Qcow2 *q, uint64_t n, bool all, uint64_t *ret_cluster, uint64_t *ret_n)
{
    uint64_t cluster = 0, got = 0;
    int result = q->corrupt ? -EIO : find_free(q, n, all, &cluster, &got);

    if (result) {
        return result;
    }
    for (uint64_t i = 0; i < got; i++) {
        if (qcow2_is_metadata(q, (cluster + i) << q->cluster_bits)) {
            return qcow2_corrupt(q,
                                 "cluster %" G_GUINT64_FORMAT " of the file holds a table, but "
                                 "has a count of 0",
                                 cluster + i);
        }
    }
    result = qcow2_count_add(q, cluster, got, 1);
    if (result) {
        return result;
    }
    qcow2_cache_drop(&q->l2, cluster << q->cluster_bits, got << q->cluster_bits);
    qcow2_cache_drop(&q->counts, cluster << q->cluster_bits, got << q->cluster_bits);
    if (cluster == q->first_free) {
        q->first_free = cluster + got;
    }
    q->took_fresh = cluster << q->cluster_bits >= q->never_used;
    q->never_used = MAX(q->never_used, (cluster + got) << q->cluster_bits);
    *ret_cluster = cluster;
    *ret_n = got;
    return 0;
}

int qcow2_take_packed(Qcow2 *q, uint32_t len, uint64_t *ret_offset)
{
    uint64_t left = q->packed_at ? q->cluster - (q->packed_at & (q->cluster - 1)) : 0;
    uint64_t current = q->packed_at >> q->cluster_bits, cluster = 0, n = 0;

    left = left == q->cluster ? 0 : left;
    if (left >= len && !qcow2_count_add(q, current, 1, 1)) {
        *ret_offset = q->packed_at;
        q->packed_at += len;
        return 0;
    }
    int result = qcow2_take(q, 1, true, &cluster, &n);
    if (result) {
        return result;
    }
    *ret_offset = cluster << q->cluster_bits;
    if (left && cluster == current + 1 && left < len && !qcow2_count_add(q, current, 1, 1)) {
        *ret_offset = q->packed_at;
    }
    q->packed_at = *ret_offset + len;
    return 0;
}

void qcow2_untake(Qcow2 *q, uint64_t cluster, uint64_t n)
{
    /* what can't be counted down now is only lost room, and check finds it */
    (void)qcow2_count_add(q, cluster, n, -1);
}

/* --- giving room back --- */

void qcow2_give_back(Qcow2 *q, uint64_t cluster, uint64_t n, bool punch)
{
    Qcow2Free entry = { cluster, n, blk_gate_now(&q->blk.gate), false, punch };
    Qcow2Free *last = q->frees->len ? &g_array_index(q->frees, Qcow2Free, q->frees->len - 1) : NULL;

    if (last && !last->gone && last->number == entry.number && last->punch == punch &&
        last->cluster + last->n == cluster) {
        last->n += n;
    } else {
        g_array_append_val(q->frees, entry);
    }
}

void qcow2_give_back_entry(Qcow2 *q, const Qcow2Entry *entry, bool punch)
{
    if (entry->compressed) {
        uint64_t first = entry->host >> q->cluster_bits;
        uint64_t last = (entry->host + entry->packed - 1) >> q->cluster_bits;
        qcow2_give_back(q, first, last - first + 1, false);
    } else if (entry->host) {
        qcow2_give_back(q, entry->host >> q->cluster_bits, 1, punch);
    }
}

/* Give clusters back to the host, of those that nothing else refers to. */
static void punch(Qcow2 *q, const Qcow2Free *entry)
{
    uint64_t start = 0, run = 0;

    for (uint64_t i = 0; i <= entry->n; i++) {
        uint64_t count = 0;
        bool only = i < entry->n && !qcow2_count_get(q, entry->cluster + i, &count) && count == 1;
        if (only) {
            start = run ? start : entry->cluster + i;
            run++;
        } else if (run) {
            (void)blk_file_punch(&q->blk.file, start << q->cluster_bits, run << q->cluster_bits);
            run = 0;
        }
    }
}

int qcow2_reap(Qcow2 *q)
{
    uint64_t oldest = blk_gate_oldest(&q->blk.gate);
    bool forget = false;
    guint kept = 0;
    int result = 0;

    for (guint i = 0; i < q->frees->len; i++) {
        Qcow2Free entry = g_array_index(q->frees, Qcow2Free, i);
        if (!entry.gone || entry.number > oldest || result) {
            g_array_index(q->frees, Qcow2Free, kept++) = entry;
            continue;
        }
        if (entry.punch) {
            punch(q, &entry);
        }
        result = qcow2_count_add(q, entry.cluster, entry.n, -1);
        forget = true;
        if (result) {
            g_array_index(q->frees, Qcow2Free, kept++) = entry;
        }
    }
    g_array_set_size(q->frees, kept);
    if (forget) {
        q->packed_at = 0; /* its cluster may be among them */
        blk_forget_unpacked(&q->blk);
    }
    return result;
}

/* --- the set of tables --- */

void qcow2_metadata_add(Qcow2 *q, uint64_t offset, uint64_t len)
{
    g_mutex_lock(&q->l2.lock);
    for (uint64_t at = 0; at < len; at += q->cluster) {
        g_hash_table_add(q->metadata, GSIZE_TO_POINTER((offset + at) >> q->cluster_bits));
    }
    g_mutex_unlock(&q->l2.lock);
}

void qcow2_metadata_remove(Qcow2 *q, uint64_t offset, uint64_t len)
{
    g_mutex_lock(&q->l2.lock);
    for (uint64_t at = 0; at < len; at += q->cluster) {
        g_hash_table_remove(q->metadata, GSIZE_TO_POINTER((offset + at) >> q->cluster_bits));
    }
    g_mutex_unlock(&q->l2.lock);
}

bool qcow2_is_metadata(const Qcow2 *q, uint64_t offset)
{
    uint64_t cluster = offset >> q->cluster_bits;

    return cluster == 0 || g_hash_table_contains(q->metadata, GSIZE_TO_POINTER(cluster));
}
