/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk images as a whole, see image.h: what all formats share, and the raw one's part.
 */
#include "block/image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/driver.h"
#include "common/bits.h"
#include "common/error.h"

/* --- progress --- */

void blk_set_progress(Blk *blk, const BlkProgress *progress)
{
    blk->progress = progress;
}

bool blk_go_on(const BlkProgress *progress, uint64_t done, uint64_t total)
{
    return !progress || progress->fn(progress->opaque, done, total);
}

/* --- making --- */

bool blk_create_file(const BlkCreate *create, BlkFile *ret_file, GError **error)
{
    BlkFileOptions options = { .host = create->host,
                               .path = create->path,
                               .may_be_empty = true,
                               .create = true,
                               .exclusive = !create->replace };

    if (!blk_file_open(ret_file, &options, error)) {
        return false;
    }
    if (!blk_lock(ret_file, BLK_LOCK_USUAL, error)) {
        blk_file_close(ret_file);
        return false;
    }
    int result = create->replace && !ret_file->is_device ? blk_file_truncate(ret_file, 0) : 0;
    if (result) {
        set_error_errno(error, -result, "cannot empty disk '%s'", create->path);
        blk_file_close(ret_file);
        return false;
    }
    return true;
}

bool blk_create(const BlkCreate *create, GError **error)
{
    const BlkDriver *driver = blk_driver_find(create->format, error);

    if (!driver) {
        return false;
    }
    bool existed = create->host || access(create->path, F_OK) == 0;
    if (driver->maintenance->create(create, error)) {
        return true;
    }
    if (!existed) {
        unlink(create->path); /* half an image is none */
    }
    return false;
}

static bool unsupported(const Blk *blk, const char *what, GError **error)
{
    set_error_code(error, INSULA_ERROR_UNSUPPORTED,
                   "cannot %s disk '%s': format %s has no such thing", what, blk->file.path,
                   blk->driver->name);
    return false;
}

static bool writable(const Blk *blk, const char *what, GError **error)
{
    if (blk->read_only) {
        set_error(error, "cannot %s disk '%s': it is open to be read only", what, blk->file.path);
    }
    return !blk->read_only;
}

/* --- what is done while no request runs --- */

uint64_t blk_room(Blk *blk)
{
    struct stat st = { 0 };

    return blk->file.host->stat(blk->file.host->opaque, blk->file.fd, &st) == 0
               ? (uint64_t)st.st_blocks * BLK_SECTOR
               : 0;
}

void blk_info(Blk *blk, BlkInfo *ret)
{
    *ret = (BlkInfo){ .file_size = blk_file_size(&blk->file), .file_allocated = blk_room(blk) };
    ret->backing = g_strdup(blk->backing_name);
    ret->backing_format = g_strdup(blk->backing_format);
    ret->snapshots = g_ptr_array_new();
    if (blk->driver->maintenance->info) {
        blk->driver->maintenance->info(blk, ret);
    }
}

void blk_info_clear(BlkInfo *info)
{
    for (guint i = 0; i < info->snapshots->len; i++) {
        BlkSnapshot *snapshot = g_ptr_array_index(info->snapshots, i);
        g_free(snapshot->id);
        g_free(snapshot->name);
        g_free(snapshot);
    }
    g_ptr_array_unref(info->snapshots);
    g_free(info->backing);
    g_free(info->backing_format);
}

bool blk_check(Blk *blk, BlkRepair repair, BlkCheck *check, GError **error)
{
    if (!blk->driver->maintenance->check) {
        return unsupported(blk, "check", error);
    }
    if (repair != BLK_REPAIR_NOTHING && !writable(blk, "repair", error)) {
        return false;
    }
    blk_gate_close(&blk->gate);
    bool good = blk->driver->maintenance->check(blk, repair, check, error);
    blk_gate_open(&blk->gate);
    return good;
}

bool blk_resize(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error)
{
    if (!writable(blk, "resize", error)) {
        return false;
    }
    if (size % BLK_SECTOR) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "a disk can't have %" G_GUINT64_FORMAT
                       " bytes: its size is a multiple of %d",
                       size, BLK_SECTOR);
        return false;
    }
    blk_gate_close(&blk->gate);
    bool good = blk->driver->maintenance->resize(blk, size, preallocation, error);
    blk_gate_open(&blk->gate);
    return good;
}

/* What is done with snapshots. */
typedef bool (*SnapshotFn)(Blk *blk, const char *name, GError **error);

static bool snapshot(Blk *blk, SnapshotFn fn, const char *name, GError **error)
{
    if (!fn) {
        return unsupported(blk, "keep snapshots in", error);
    }
    if (!writable(blk, "change the snapshots of", error)) {
        return false;
    }
    blk_gate_close(&blk->gate);
    bool good = fn(blk, name, error);
    blk_gate_open(&blk->gate);
    return good;
}

bool blk_snapshot_create(Blk *blk, const char *name, GError **error)
{
    return snapshot(blk, blk->driver->maintenance->snapshot_create, name, error);
}

bool blk_snapshot_delete(Blk *blk, const char *name, GError **error)
{
    return snapshot(blk, blk->driver->maintenance->snapshot_delete, name, error);
}

bool blk_snapshot_apply(Blk *blk, const char *name, GError **error)
{
    return snapshot(blk, blk->driver->maintenance->snapshot_apply, name, error);
}

bool blk_empty(Blk *blk, GError **error)
{
    if (!blk->driver->maintenance->empty) {
        return unsupported(blk, "empty", error);
    }
    if (!writable(blk, "empty", error)) {
        return false;
    }
    blk_gate_close(&blk->gate);
    bool good = blk->driver->maintenance->empty(blk, error);
    blk_gate_open(&blk->gate);
    return good;
}

bool blk_set_backing(Blk *blk, const char *name, const char *format, GError **error)
{
    if (!blk->driver->maintenance->set_backing) {
        return unsupported(blk, "base", error);
    }
    if (!writable(blk, "rebase", error)) {
        return false;
    }
    blk_gate_close(&blk->gate);
    bool good = blk->driver->maintenance->set_backing(blk, name, format, error);
    blk_gate_open(&blk->gate);
    return good;
}

int blk_write_compressed(Blk *blk, uint64_t offset, const void *buf, size_t len)
{
    BlkPass pass;
    int result = -EINVAL;

    if (blk->read_only) {
        return -EROFS;
    }
    if (!blk->driver->maintenance->write_compressed) {
        return -ENOTSUP;
    }
    blk_gate_enter(&blk->gate, &pass);
    if (range_inside(offset, len, 0, blk_size(blk))) {
        result = blk->driver->maintenance->write_compressed(blk, offset, buf, len);
    }
    blk_gate_leave(&blk->gate, &pass);
    return result > 0 ? blk_write(blk, offset, buf, len) : result;
}

/* --- raw --- */

static int fill(BlkFile *file, uint64_t start, uint64_t end, const BlkProgress *progress)
{
    enum { STEP = 16 << 20 };
    int result = 0;

    for (uint64_t at = start; at < end && !result; at += MIN(STEP, end - at)) {
        result = blk_go_on(progress, at - start, end - start)
                     ? blk_file_fill(file, at, MIN(STEP, end - at))
                     : -EINTR;
    }
    return result;
}

static int set_room_aside(BlkFile *file, uint64_t start, uint64_t end, BlkPreallocation how,
                          const BlkProgress *progress)
{
    switch (how) {
    case BLK_PREALLOCATE_OFF:
    case BLK_PREALLOCATE_METADATA:
        return 0;
    case BLK_PREALLOCATE_FALLOC:
        return blk_file_reserve(file, start, end - start);
    case BLK_PREALLOCATE_FULL:
        return fill(file, start, end, progress);
    }
    return 0;
}

static bool raw_create(const BlkCreate *create, GError **error)
{
    uint64_t size = align_up(create->size, BLK_SECTOR);
    BlkFile file;

    if (create->backing || create->version || create->cluster || create->count_bits ||
        create->compression || create->subclusters || create->lazy_refcounts) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "a raw image has a size and nothing else: choose format qcow2");
        return false;
    }
    if (!blk_create_file(create, &file, error)) {
        return false;
    }
    int result = 0;
    if (!file.is_device) {
        result = blk_file_truncate(&file, size);
        result = result ? result
                        : set_room_aside(&file, 0, size, create->preallocation, create->progress);
    } else if (blk_file_size(&file) < size) {
        result = -ENOSPC;
    }
    result = result ? result : blk_file_sync(&file);
    blk_file_close(&file);
    if (result) {
        set_error_errno(error, -result, "cannot make disk '%s'", create->path);
    }
    return result == 0;
}

static bool raw_resize(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error)
{
    uint64_t old_size = blk_size(blk);
    int result = blk_file_truncate(&blk->file, size);

    if (!result && size > old_size) {
        result = set_room_aside(&blk->file, old_size, size, preallocation, blk->progress);
        if (result == -EINTR) {
            blk_file_truncate(&blk->file, old_size);
        }
    }
    result = result ? result : blk_file_sync(&blk->file);
    if (result) {
        set_error_errno(error, -result, "cannot resize disk '%s'", blk->file.path);
        return false;
    }
    blk->file.limit = size;
    __atomic_store_n(&blk->size, size, __ATOMIC_RELAXED);
    return true;
}

const BlkMaintenance raw_maintenance = { .create = raw_create, .resize = raw_resize };
