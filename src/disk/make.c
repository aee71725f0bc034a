/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that make images and change their size or snapshots.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "block/chain.h"
#include "common/error.h"
#include "common/suggest.h"
#include "config/size.h"
#include "disk/disk.h"

/* The format of the image below, from its option or its name. */
static const char *backing_format(const DiskArgs *args, const char *path, GError **error)
{
    g_autofree char *full = blk_chain_join(path, args->backing);
    const char *format = args->backing_format ? args->backing_format : blk_format_of_name(full);

    if (!format) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "the name of '%s' does not tell its format: say --backing-format", full);
        return NULL;
    }
    return blk_driver_find(format, error) ? format : NULL;
}

bool disk_make(const DiskArgs *args, const char *path, const char *format, uint64_t size,
               GError **error)
{
    DiskProgress progress;
    BlkCreate create = {
        .path = path,
        .format = format,
        .size = size,
        .replace = args->replace,
        .preallocation = args->preallocation,
        .backing = args->backing,
        .version = args->version,
        .cluster = args->cluster,
        .count_bits = args->count_bits,
        .compression = args->compression,
        .subclusters = args->subclusters,
        .lazy_refcounts = args->lazy_refcounts,
        .progress = &progress.progress,
    };

    if (args->backing) {
        create.backing_format = backing_format(args, path, error);
        if (!create.backing_format) {
            return false;
        }
    }
    disk_block_signals();
    disk_progress_init(&progress, args);
    bool good = blk_create(&create, error);
    disk_progress_end(&progress);
    if (good) {
        return true;
    }
    if (!args->replace && g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_prefix_error(error, "with --replace what is in the file is lost; without: ");
    }
    return false;
}

/* The image that a new one is to be based on can be used, and has this size. */
static bool look_at_backing(const DiskArgs *args, const char *path, uint64_t *ret_size,
                            GError **error)
{
    g_autofree char *full = blk_chain_join(path, args->backing);
    BlkOptions options = { .path = full, .read_only = true };

    options.format = backing_format(args, path, error);
    g_autoptr(Blk) blk = options.format ? blk_chain_open(&options, error) : NULL;
    if (!blk) {
        return false;
    }
    *ret_size = blk_size(blk);
    return true;
}

int disk_create(const DiskArgs *args, GError **error)
{
    const char *path = args->operands[0];
    const char *format = disk_new_format(path, args->format, "--format", error);
    uint64_t size = 0;

    if (!format || (args->backing && !look_at_backing(args, path, &size, error))) {
        return DISK_FAILED;
    }
    if (args->n_operands > 1 && !size_parse(args->operands[1], "size", &size, error)) {
        return DISK_USAGE;
    }
    if (args->n_operands == 1 && !args->backing) {
        set_error_code(error, INSULA_ERROR_USAGE, "create needs a size: write 'create %s 20G'",
                       path);
        return DISK_USAGE;
    }
    if (!disk_make(args, path, format, size, error)) {
        return DISK_FAILED;
    }
    if (args->json) {
        JsonBuilder *json = json_builder_new();
        json_builder_begin_object(json);
        disk_json_text(json, "filename", path);
        disk_json_text(json, "format", format);
        disk_json_number(json, "virtual-size", (size + 511) & ~UINT64_C(511));
        json_builder_end_object(json);
        return disk_json_print(json, error) ? DISK_DONE : DISK_FAILED;
    }
    return DISK_DONE;
}

/* --- size --- */

static bool new_size(const char *text, uint64_t old, uint64_t *ret, GError **error)
{
    bool more = *text == '+', less = *text == '-';
    uint64_t size = 0;

    if (!size_parse(text + (more || less), "size", &size, error)) {
        return false;
    }
    if ((more && size > UINT64_MAX - old) || (less && size > old)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "size '%s' can't be: the disk has %" G_GUINT64_FORMAT " bytes", text, old);
        return false;
    }
    *ret = more ? old + size : less ? old - size : size;
    return true;
}

int disk_resize(const DiskArgs *args, GError **error)
{
    uint64_t size = 0;
    DiskProgress progress;
    g_autoptr(Blk) blk =
        disk_open(args->operands[0], args->format, (BlkOptions){ .may_be_empty = true }, error);

    if (!blk || !new_size(args->operands[1], blk_size(blk), &size, error)) {
        return DISK_FAILED;
    }
    if (size < blk_size(blk) && !args->shrink) {
        g_autofree char *old = disk_size_text(blk_size(blk));
        set_error_code(error, INSULA_ERROR_USAGE,
                       "disk '%s' has %s, and would lose what is behind its new end: say --shrink "
                       "if it is empty there",
                       args->operands[0], old);
        return DISK_USAGE;
    }
    disk_block_signals();
    disk_progress_init(&progress, args);
    blk_set_progress(blk, &progress.progress);
    bool good = blk_resize(blk, size, args->preallocation, error);
    disk_progress_end(&progress);
    return good ? disk_tell(args, blk, disk_base(blk), error) : DISK_FAILED;
}

/* --- snapshots --- */

static int list_snapshots(const DiskArgs *args, const char *path, GError **error)
{
    BlkInfo info;
    g_autoptr(Blk) blk =
        disk_open(path, args->format, (BlkOptions){ .read_only = true, .no_backing = true }, error);

    if (!blk) {
        return DISK_FAILED;
    }
    blk_info(blk, &info);
    if (args->json) {
        JsonBuilder *json = json_builder_new();
        json_builder_begin_array(json);
        disk_json_snapshots(json, &info);
        json_builder_end_array(json);
        blk_info_clear(&info);
        return disk_json_print(json, error) ? DISK_DONE : DISK_FAILED;
    }
    disk_print_snapshots(&info);
    blk_info_clear(&info);
    return disk_flush_output(error) ? DISK_DONE : DISK_FAILED;
}

int disk_snapshot(const DiskArgs *args, GError **error)
{
    static const struct {
        const char *name;
        bool (*act)(Blk *blk, const char *name, GError **error);
    } acts[] = {
        { "create", blk_snapshot_create },
        { "delete", blk_snapshot_delete },
        { "apply", blk_snapshot_apply },
    };
    static const char *const names[] = { "list", "create", "delete", "apply", NULL };
    const char *what = args->operands[0], *path = args->operands[1], *name = args->operands[2];

    if (!strcmp(what, "list") && !name) {
        return list_snapshots(args, path, error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(acts); i++) {
        if (strcmp(acts[i].name, what) || !name) {
            continue;
        }
        DiskProgress progress;
        g_autoptr(Blk) blk = disk_open(path, args->format, (BlkOptions){ 0 }, error);
        if (!blk) {
            return DISK_FAILED;
        }
        disk_block_signals();
        disk_progress_init(&progress, args);
        blk_set_progress(blk, &progress.progress);
        bool good = acts[i].act(blk, name, error);
        disk_progress_end(&progress);
        return good ? DISK_DONE : DISK_FAILED;
    }
    g_autofree char *hint = suggest_text(what, names);
    if (g_strv_contains(names, what)) {
        set_error_code(error, INSULA_ERROR_USAGE, "snapshot %s %s", what,
                       name ? "takes a FILE and nothing else" : "needs a FILE and a NAME");
    } else {
        set_error_code(error, INSULA_ERROR_USAGE, "unknown word '%s'%s%s", what, hint,
                       *hint ? "" : ": write snapshot list, create, delete or apply");
    }
    return DISK_USAGE;
}
