/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the pieces of a qcow2 disk are: entries of the tables, and the look-up.
 *
 * A look-up takes the lock of the L2 cache only, and finds nearly all it needs in memory.  When a
 * slice is missing it is loaded under the image's lock, and the look-up begins again.
 *
 * Every entry is checked before its offset is used: an image may have been made to hurt.
 */
#include <errno.h>
#include <string.h>

#include "block/qcow2/qcow2.h"
#include "common/bits.h"

static void load_compressed(const Qcow2 *q, Qcow2Entry *entry)
{
    uint64_t descriptor = entry->word & ~(QCOW2_COPIED | QCOW2_COMPRESSED);

    entry->compressed = true;
    entry->host = descriptor & bits_mask(q->packed_shift);
    entry->packed = (uint32_t)(((descriptor >> q->packed_shift) + 1) * BLK_SECTOR -
                               (entry->host & (BLK_SECTOR - 1)));
}

void qcow2_entry_load(const Qcow2 *q, const uint8_t *bytes, Qcow2Entry *ret)
{
    *ret = (Qcow2Entry){ .word = load_be64(bytes) };
    ret->copied = ret->word & QCOW2_COPIED;
    if (ret->word & QCOW2_COMPRESSED) {
        load_compressed(q, ret);
        return;
    }
    ret->host = ret->word & QCOW2_OFFSET;
    if (q->subclusters > 1) {
        uint64_t bitmap = load_be64(bytes + 8);
        ret->data = (uint32_t)bitmap;
        ret->zero = (uint32_t)(bitmap >> 32);
    } else if (ret->word & QCOW2_ZERO && q->header.version >= 3) {
        ret->zero = 1;
    } else {
        ret->data = ret->host != 0;
    }
}

uint32_t qcow2_entry_store(const Qcow2 *q, const Qcow2Entry *entry, uint8_t *bytes)
{
    uint64_t word = entry->host | (entry->copied && entry->host ? QCOW2_COPIED : 0);

    if (entry->compressed) {
        uint64_t sectors =
            (entry->host + entry->packed - 1) / BLK_SECTOR - entry->host / BLK_SECTOR;
        word = QCOW2_COMPRESSED | sectors << q->packed_shift | entry->host;
    } else if (q->subclusters == 1 && entry->zero) {
        word |= QCOW2_ZERO;
    }
    store_be64(bytes, word);
    if (q->subclusters == 1) {
        return 8;
    }
    store_be64(bytes + 8, entry->compressed ? 0 : (uint64_t)entry->zero << 32 | entry->data);
    return 16;
}

const char *qcow2_entry_problem(Qcow2 *q, const Qcow2Entry *entry)
{
    uint64_t size = blk_file_size(&q->blk.file);

    if (entry->compressed) {
        if (entry->copied) {
            return "is compressed, and marked to be written in place";
        }
        return entry->host < size ? NULL : "refers to compressed data behind the end of the file";
    }
    if (entry->data & entry->zero) {
        return "says of a subcluster that it is data and zeros";
    }
    if (entry->data && !entry->host) {
        return "says that there is data, but not where";
    }
    if (entry->host % q->cluster) {
        return "refers to the middle of a cluster";
    }
    /* room that was set aside may lie behind the end as long as there is no data in it */
    if (entry->data && entry->host >= size) {
        return "refers to data behind the end of the file";
    }
    return NULL;
}

uint64_t qcow2_slice_of(const Qcow2 *q, uint64_t offset, uint32_t *ret_at)
{
    uint64_t number = offset >> q->cluster_bits;
    uint64_t index = number >> q->l2_bits;
    uint64_t table = index < q->l1_entries ? q->l1[index] & QCOW2_OFFSET : 0;
    uint64_t at = (number & bits_mask(q->l2_bits)) << q->entry_bits;

    *ret_at = (uint32_t)(at & (q->l2.slice - 1));
    return table ? table + (at - *ret_at) : 0;
}

/* Whether the entries of L1 may be followed.  Lock: lock or l2.lock. */
static bool is_table_sane(Qcow2 *q, uint64_t slice)
{
    uint64_t table = align_down(slice, q->cluster);

    return slice % q->l2.slice == 0 && table < blk_file_size(&q->blk.file) && table != 0;
}

int qcow2_slice_get(Qcow2 *q, uint64_t slice, uint8_t **ret_bytes)
{
    if (!is_table_sane(q, slice)) {
        return qcow2_corrupt(q, "an L2 table is misplaced, at %" G_GINT64_MODIFIER "x", slice);
    }
    int result = qcow2_cache_get(&q->l2, &q->blk.file, slice, ret_bytes);
    if (result != -ENOBUFS) {
        return result;
    }
    result = qcow2_write_out(q, false);
    return result ? result : qcow2_cache_get(&q->l2, &q->blk.file, slice, ret_bytes);
}

int qcow2_entry_get(Qcow2 *q, uint64_t offset, Qcow2Entry *ret)
{
    uint32_t at;
    uint64_t slice = qcow2_slice_of(q, offset, &at);
    uint8_t *bytes;

    if (!slice) {
        *ret = (Qcow2Entry){ 0 };
        return 0;
    }
    int result = qcow2_slice_get(q, slice, &bytes);
    if (result) {
        return result;
    }
    qcow2_entry_load(q, bytes + at, ret);
    const char *problem = qcow2_entry_problem(q, ret);
    return problem
               ? qcow2_corrupt(q, "the L2 entry for byte %" G_GUINT64_FORMAT " %s", offset, problem)
               : 0;
}

int qcow2_corrupt(Qcow2 *q, const char *format, ...)
{
    va_list args;

    if (q->reason) {
        return -EIO;
    }
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    q->reason = g_strdup_printf("image '%s' is damaged: %s", q->blk.file.path, what);
    __atomic_store_n(&q->blk.broken, q->reason, __ATOMIC_RELEASE);
    if (!q->blk.read_only) {
        q->corrupt = true;
        if (q->header.version >= 3) {
            q->header.incompatible |= QCOW2_CORRUPT;
            (void)qcow2_header_write(q); /* the reason stands, whether it can be marked or not */
        }
    }
    return -EIO;
}

/* --- the look-up --- */

/* A run of pieces that are alike. */
typedef struct Run {
    Qcow2 *q;
    uint64_t offset, len; /* what was asked for */
    uint64_t done;
    BlkExtent extent;
} Run;

static BlkPlace place_of(const Qcow2Entry *entry, unsigned subcluster)
{
    if (entry->data >> subcluster & 1) {
        return BLK_HERE;
    }
    return entry->zero >> subcluster & 1 ? BLK_ZERO : BLK_UNALLOCATED;
}

/* Add one more piece of @len bytes to the run; false: it is another kind, and ends it. */
static bool extend(Run *run, BlkPlace place, bool in_place, uint64_t host, uint64_t len)
{
    const BlkExtent *now = &run->extent;

    if (run->done) {
        if (place != now->place || in_place != now->in_place ||
            (place == BLK_HERE && host != now->offset + run->done)) {
            return false;
        }
    } else {
        run->extent = (BlkExtent){ .place = place, .in_place = in_place };
        run->extent.offset = place == BLK_HERE ? host : 0;
    }
    run->done += len;
    return true;
}

/* Add what @entry says of the cluster that the run has come to.  1: go on; 0: the run has ended;
 * -EIO: the entry is bad. */
static int extend_by_entry(Run *run, const Qcow2Entry *entry)
{
    Qcow2 *q = run->q;
    uint64_t at = run->offset + run->done;
    uint64_t inside = at & (q->cluster - 1);

    if (qcow2_entry_problem(q, entry)) {
        return run->done ? 0 : -EIO;
    }
    if (entry->compressed) {
        if (!run->done) {
            run->extent = (BlkExtent){ .place = BLK_COMPRESSED,
                                       .offset = entry->host,
                                       .packed = entry->packed,
                                       .skip = (uint32_t)inside };
            run->done = q->cluster - inside;
        }
        return 0;
    }
    bool in_place = entry->copied && !qcow2_is_metadata(q, entry->host);
    while (inside < q->cluster && run->done < run->len) {
        unsigned subcluster = (unsigned)(inside / q->subcluster);
        uint64_t len = q->subcluster - inside % q->subcluster;
        BlkPlace place = place_of(entry, subcluster);
        if (!extend(run, place, place == BLK_HERE && in_place, entry->host + inside, len)) {
            return 0;
        }
        inside += len;
    }
    return 1;
}

/* Look at entries until the run ends, with what is in memory.  0, -EIO, or -EAGAIN: *@ret_slice is
 * missing.  Lock: l2.lock. */
static int look_up(Run *run, uint64_t *ret_slice)
{
    Qcow2 *q = run->q;
    int more = 1;

    while (more > 0 && run->done < run->len) {
        uint64_t offset = run->offset + run->done;
        uint32_t at;
        uint64_t slice = qcow2_slice_of(q, offset, &at);
        if (!slice) {
            uint64_t table_bits = q->l2_bits + q->cluster_bits;
            uint64_t end = ((offset >> table_bits) + 1) << table_bits;
            more = extend(run, BLK_UNALLOCATED, false, 0, end - offset);
            continue;
        }
        const uint8_t *bytes = is_table_sane(q, slice) ? qcow2_cache_peek(&q->l2, slice) : NULL;
        if (!bytes) {
            *ret_slice = slice;
            return run->done ? 0 : -EAGAIN;
        }
        for (; more > 0 && at < q->l2.slice && run->done < run->len; at += 1U << q->entry_bits) {
            Qcow2Entry entry;
            qcow2_entry_load(q, bytes + at, &entry);
            more = extend_by_entry(run, &entry);
        }
    }
    return MIN(more, 0);
}

/* Load a slice, or report the bad entry that a look-up has met. */
static int load_missing(Qcow2 *q, uint64_t offset, uint64_t slice)
{
    Qcow2Entry entry;
    uint8_t *bytes;

    g_mutex_lock(&q->lock);
    int result = slice ? qcow2_slice_get(q, slice, &bytes) : qcow2_entry_get(q, offset, &entry);
    g_mutex_unlock(&q->lock);
    return result;
}

int qcow2_map(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkExtent *ret_extent)
{
    Qcow2 *q = qcow2_of(blk);

    for (;;) {
        Run run = { .q = q, .offset = offset, .len = len };
        uint64_t slice = 0;
        g_mutex_lock(&q->l2.lock);
        int result = look_up(&run, &slice);
        g_mutex_unlock(&q->l2.lock);
        if (!result) {
            *ret_extent = run.extent;
            ret_extent->len = MIN(run.done, len);
            return 0;
        }
        if (flags & BLK_MAP_NO_WAIT) {
            return -EAGAIN;
        }
        result = load_missing(q, offset, slice);
        if (result) {
            return result;
        }
    }
}
