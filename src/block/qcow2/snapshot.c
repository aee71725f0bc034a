/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots of a qcow2 image.
 *
 * A snapshot is an L1 table and what it refers to.  When one is made it takes over the tables in
 * use, and the disk gets new ones; dropping one, or going back to it, makes new tables too
 * (rewrite.c).  So an image has a snapshot or it has not, whatever happens meanwhile.
 *
 * Threads: as maintenance.h.
 */
#include <errno.h>
#include <string.h>

#include "block/limits.h"
#include "block/qcow2/maintenance.h"
#include "common/bits.h"
#include "common/error.h"

enum { FIXED = 40, EXTRA_KNOWN = 24 };

static bool bad(const Qcow2 *q, guint number, const char *what, GError **error)
{
    set_error(error, "cannot use disk '%s' as qcow2: its snapshot %u %s", q->blk.file.path,
              number + 1, what);
    return false;
}

/* Read one entry at *@at of the table, which is moved behind it. */
static bool load_one(Qcow2 *q, uint64_t *at, guint number, GError **error)
{
    BlkFile *file = &q->blk.file;
    uint8_t fixed[FIXED];
    Qcow2Snapshot s = { 0 };

    if (!range_inside(*at, FIXED, 0, blk_file_size(file)) ||
        blk_file_read(file, *at, fixed, FIXED)) {
        return bad(q, number, "can't be read", error);
    }
    uint64_t id_len = load_be16(fixed + 12), name_len = load_be16(fixed + 14);
    s.extra_len = load_be32(fixed + 36);
    uint64_t rest = s.extra_len + id_len + name_len;
    if (s.extra_len > QCOW2_SNAPSHOT_EXTRA_MAX) {
        return bad(q, number, "has more than 1024 bytes of extra data", error);
    }
    g_autofree uint8_t *bytes = g_malloc0(rest + 1 + EXTRA_KNOWN);
    if (!range_inside(*at + FIXED, rest, 0, blk_file_size(file)) ||
        blk_file_read(file, *at + FIXED, bytes, rest)) {
        return bad(q, number, "can't be read", error);
    }
    s.l1_offset = load_be64(fixed);
    s.l1_entries = load_be32(fixed + 8);
    s.seconds = load_be32(fixed + 16);
    s.nanoseconds = load_be32(fixed + 20);
    s.clock_ns = load_be64(fixed + 24);
    s.state_size = s.extra_len >= 8 ? load_be64(bytes) : load_be32(fixed + 32);
    s.disk_size = s.extra_len >= 16 ? load_be64(bytes + 8) : q->header.size;
    s.icount = s.extra_len >= 24 ? load_be64(bytes + 16) : UINT64_MAX;
    if (s.l1_entries > QCOW2_L1_BYTES_MAX / 8 || s.l1_offset % q->cluster ||
        !range_inside(s.l1_offset, (uint64_t)s.l1_entries * 8, 0, blk_file_size(file))) {
        return bad(q, number, "has its table of tables (L1) outside of the file", error);
    }
    s.extra = s.extra_len > EXTRA_KNOWN ? g_memdup2(bytes + EXTRA_KNOWN, s.extra_len - EXTRA_KNOWN)
                                        : NULL;
    s.id = g_strndup((char *)bytes + s.extra_len, id_len);
    s.name = g_strndup((char *)bytes + s.extra_len + id_len, name_len);
    g_array_append_val(q->snapshots, s);
    *at += align_up(FIXED + rest, 8);
    return true;
}

bool qcow2_snapshots_load(Qcow2 *q, GError **error)
{
    uint64_t at = q->header.snapshots_offset;

    g_array_set_size(q->snapshots, 0);
    for (guint i = 0; i < q->header.n_snapshots; i++) {
        if (!load_one(q, &at, i, error)) {
            return false;
        }
        if (at - q->header.snapshots_offset > QCOW2_SNAPSHOT_BYTES_MAX) {
            return bad(q, i, "makes their table larger than 64 MiB", error);
        }
    }
    q->snapshots_len = at - q->header.snapshots_offset;
    return true;
}

Qcow2Snapshot qcow2_snapshot_copy(const Qcow2Snapshot *snapshot)
{
    Qcow2Snapshot copy = *snapshot;
    uint32_t known = MIN(snapshot->extra_len, EXTRA_KNOWN);

    copy.id = g_strdup(snapshot->id);
    copy.name = g_strdup(snapshot->name);
    copy.extra = g_memdup2(snapshot->extra, snapshot->extra_len - known);
    return copy;
}

static void clear(gpointer data)
{
    Qcow2Snapshot *snapshot = data;

    g_free(snapshot->id);
    g_free(snapshot->name);
    g_free(snapshot->extra);
}

GArray *qcow2_snapshots_copy(const GArray *snapshots)
{
    GArray *copy = g_array_new(FALSE, TRUE, sizeof(Qcow2Snapshot));

    g_array_set_clear_func(copy, clear);
    for (guint i = 0; i < snapshots->len; i++) {
        Qcow2Snapshot one = qcow2_snapshot_copy(&g_array_index(snapshots, Qcow2Snapshot, i));
        g_array_append_val(copy, one);
    }
    return copy;
}

static void store_one(GByteArray *list, const Qcow2Snapshot *s)
{
    /* version 3 wants the first two of the extra fields; a snapshot that had none gets them */
    uint32_t extra_len = MAX(s->extra_len, 16);
    uint32_t known = MIN(extra_len, EXTRA_KNOWN);
    uint8_t fixed[FIXED] = { 0 }, extra[EXTRA_KNOWN];

    store_be64(fixed, s->l1_offset);
    store_be32(fixed + 8, s->l1_entries);
    store_be16(fixed + 12, (uint16_t)strlen(s->id));
    store_be16(fixed + 14, (uint16_t)strlen(s->name));
    store_be32(fixed + 16, s->seconds);
    store_be32(fixed + 20, s->nanoseconds);
    store_be64(fixed + 24, s->clock_ns);
    store_be32(fixed + 32, s->state_size > UINT32_MAX ? 0 : (uint32_t)s->state_size);
    store_be32(fixed + 36, extra_len);
    store_be64(extra, s->state_size);
    store_be64(extra + 8, s->disk_size);
    store_be64(extra + 16, s->icount);
    g_byte_array_append(list, fixed, FIXED);
    g_byte_array_append(list, extra, known);
    g_byte_array_append(list, s->extra, extra_len - known);
    g_byte_array_append(list, (const uint8_t *)s->id, (guint)strlen(s->id));
    g_byte_array_append(list, (const uint8_t *)s->name, (guint)strlen(s->name));
    g_byte_array_set_size(list, (guint)align_up(list->len, 8));
}

GByteArray *qcow2_snapshots_store(const GArray *snapshots)
{
    GByteArray *list = g_byte_array_new();

    for (guint i = 0; i < snapshots->len; i++) {
        guint before = list->len;
        store_one(list, &g_array_index(snapshots, Qcow2Snapshot, i));
        g_assert(list->len % 8 == 0 && list->len > before);
    }
    return list;
}

/* --- making, dropping, going back --- */

/* The snapshot of that name or, there being none, id; -1: there is neither. */
static int find(const Qcow2 *q, const char *name)
{
    int by_id = -1;

    for (guint i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, i);
        if (!strcmp(snapshot->name, name)) {
            return (int)i;
        }
        if (!strcmp(snapshot->id, name)) {
            by_id = (int)i;
        }
    }
    return by_id;
}

static int find_or_fail(const Qcow2 *q, const char *name, GError **error)
{
    int number = find(q, name);

    if (number < 0) {
        set_error(error, "disk '%s' has no snapshot '%s': 'insula disk snapshot list' shows them",
                  q->blk.file.path, name);
    }
    return number;
}

/* An id that no snapshot has: one more than the highest. */
static char *new_id(const Qcow2 *q)
{
    uint64_t highest = 0;

    for (guint i = 0; i < q->snapshots->len; i++) {
        const char *id = g_array_index(q->snapshots, Qcow2Snapshot, i).id;
        highest = MAX(highest, MIN(g_ascii_strtoull(id, NULL, 10), INT64_MAX));
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT, highest + 1);
}

static bool create(Qcow2 *q, const char *name, GError **error)
{
    int64_t now_us = g_get_real_time();

    if (!*name || strlen(name) > 255) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "cannot name a snapshot '%s': a name has 1 to 255 bytes", name);
        return false;
    }
    if (find(q, name) >= 0) {
        set_error(error, "disk '%s' has a snapshot '%s' already: choose another name",
                  q->blk.file.path, name);
        return false;
    }
    if (q->snapshots->len >= QCOW2_SNAPSHOTS_MAX) {
        set_error(error, "disk '%s' has %d snapshots, which is the most", q->blk.file.path,
                  QCOW2_SNAPSHOTS_MAX);
        return false;
    }
    if (!qcow2_settle(q, error)) {
        return false;
    }
    Qcow2Rewrite to = qcow2_rewrite_same(q);
    Qcow2Snapshot snapshot = {
        .l1_offset = q->header.l1_offset,
        .l1_entries = q->l1_entries,
        .id = new_id(q),
        .name = g_strdup(name),
        .seconds = (uint32_t)(now_us / G_USEC_PER_SEC),
        .nanoseconds = (uint32_t)(now_us % G_USEC_PER_SEC * 1000),
        .disk_size = q->header.size,
        .icount = UINT64_MAX,
        .extra_len = EXTRA_KNOWN,
    };
    to.snapshots = qcow2_snapshots_copy(q->snapshots);
    g_array_append_val(to.snapshots, snapshot);
    bool good = qcow2_rewrite(q, &to, error);
    g_array_unref(to.snapshots);
    return good;
}

bool qcow2_snapshot_use(Qcow2 *q, const char *name, GError **error)
{
    int number = find_or_fail(q, name, error);

    if (number < 0) {
        return false;
    }
    const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, number);
    uint64_t *l1 = qcow2_census_l1(q, snapshot);
    if (!q->blk.read_only || !l1 ||
        qcow2_l1_needed(q, snapshot->disk_size) > snapshot->l1_entries) {
        set_error(error, "cannot read snapshot '%s' of disk '%s'", name, q->blk.file.path);
        g_free(l1);
        return false;
    }
    g_free(q->l1);
    q->l1 = l1;
    q->l1_entries = snapshot->l1_entries;
    q->blk.size = snapshot->disk_size;
    return true;
}

bool qcow2_snapshot_create(Blk *blk, const char *name, GError **error)
{
    Qcow2 *q = qcow2_of(blk);

    g_mutex_lock(&q->lock);
    bool good = create(q, name, error);
    g_mutex_unlock(&q->lock);
    return good;
}

static bool drop(Qcow2 *q, const char *name, GError **error)
{
    int number = find_or_fail(q, name, error);

    if (number < 0 || !qcow2_settle(q, error)) {
        return false;
    }
    Qcow2Rewrite to = qcow2_rewrite_same(q);
    to.snapshots = qcow2_snapshots_copy(q->snapshots);
    g_array_remove_index(to.snapshots, (guint)number);
    bool good = qcow2_rewrite(q, &to, error);
    g_array_unref(to.snapshots);
    return good;
}

bool qcow2_snapshot_delete(Blk *blk, const char *name, GError **error)
{
    Qcow2 *q = qcow2_of(blk);

    g_mutex_lock(&q->lock);
    bool good = drop(q, name, error);
    g_mutex_unlock(&q->lock);
    return good;
}

static bool apply(Qcow2 *q, const char *name, GError **error)
{
    int number = find_or_fail(q, name, error);

    if (number < 0 || !qcow2_settle(q, error)) {
        return false;
    }
    const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, number);
    uint64_t needed = qcow2_l1_needed(q, snapshot->disk_size);
    if (needed > snapshot->l1_entries) {
        set_error(error, "cannot go back to snapshot '%s' of disk '%s': its table is too small",
                  name, q->blk.file.path);
        return false;
    }
    g_autofree uint64_t *l1 = qcow2_census_l1(q, snapshot);
    if (!l1) {
        set_error(error, "cannot read snapshot '%s' of disk '%s'", name, q->blk.file.path);
        return false;
    }
    Qcow2Rewrite to = qcow2_rewrite_same(q);
    to.l1 = l1;
    to.l1_entries = snapshot->l1_entries;
    to.size = snapshot->disk_size;
    return qcow2_rewrite(q, &to, error);
}

bool qcow2_snapshot_apply(Blk *blk, const char *name, GError **error)
{
    Qcow2 *q = qcow2_of(blk);

    g_mutex_lock(&q->lock);
    bool good = apply(q, name, error);
    g_mutex_unlock(&q->lock);
    return good;
}
