/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs that look at images: info, check, map, measure.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "block/chain.h"
#include "common/bits.h"
#include "common/error.h"
#include "common/text.h"
#include "disk/disk.h"

/* --- info --- */

void disk_json_snapshots(JsonBuilder *json, const BlkInfo *info)
{
    for (guint i = 0; i < info->snapshots->len; i++) {
        const BlkSnapshot *s = g_ptr_array_index(info->snapshots, i);
        json_builder_begin_object(json);
        disk_json_text(json, "id", s->id);
        disk_json_text(json, "name", s->name);
        disk_json_number(json, "vm-state-size", s->state_size);
        disk_json_number(json, "date-sec", s->seconds);
        disk_json_number(json, "date-nsec", s->nanoseconds);
        disk_json_number(json, "vm-clock-sec", s->clock_ns / 1000000000);
        disk_json_number(json, "vm-clock-nsec", s->clock_ns % 1000000000);
        disk_json_number(json, "virtual-size", s->disk_size);
        json_builder_end_object(json);
    }
}

void disk_print_snapshots(const BlkInfo *info)
{
    if (info->snapshots->len) {
        printf("%-6s %-20s %-20s %s\n", "id", "name", "made", "disk size");
    }
    for (guint i = 0; i < info->snapshots->len; i++) {
        const BlkSnapshot *s = g_ptr_array_index(info->snapshots, i);
        g_autofree char *id = text_visible(s->id), *name = text_visible(s->name);
        g_autofree char *size = disk_size_text(s->disk_size);
        g_autoptr(GDateTime) made = g_date_time_new_from_unix_local((gint64)s->seconds);
        g_autofree char *when = made ? g_date_time_format(made, "%Y-%m-%d %H:%M:%S") : NULL;
        printf("%-6s %-20s %-20s %s\n", id, name, when ? when : "?", size);
    }
}

static void json_details(JsonBuilder *json, const Blk *blk, const BlkInfo *info)
{
    json_builder_set_member_name(json, "format-specific");
    json_builder_begin_object(json);
    disk_json_text(json, "type", blk_format(blk));
    json_builder_set_member_name(json, "data");
    json_builder_begin_object(json);
    disk_json_text(json, "compat", info->version == 2 ? "0.10" : "1.1");
    disk_json_text(json, "compression-type", info->compression);
    disk_json_flag(json, "lazy-refcounts", info->lazy_refcounts);
    disk_json_number(json, "refcount-bits", info->count_bits);
    disk_json_flag(json, "corrupt", info->corrupt);
    disk_json_flag(json, "extended-l2", info->subclusters);
    disk_json_number(json, "bitmaps", info->n_bitmaps);
    json_builder_end_object(json);
    json_builder_end_object(json);
}

static void json_info(JsonBuilder *json, Blk *blk, const BlkInfo *info, const char *holder)
{
    json_builder_begin_object(json);
    disk_json_text(json, "filename", blk_path(blk));
    disk_json_text(json, "format", blk_format(blk));
    disk_json_number(json, "virtual-size", blk_size(blk));
    disk_json_number(json, "actual-size", info->file_allocated);
    disk_json_number(json, "file-size", info->file_size);
    if (info->has_details) {
        disk_json_number(json, "cluster-size", info->cluster);
        disk_json_flag(json, "dirty-flag", info->dirty);
    }
    if (info->backing) {
        g_autofree char *full = blk_chain_join(blk_path(blk), info->backing);
        disk_json_text(json, "backing-filename", info->backing);
        disk_json_text(json, "full-backing-filename", full);
    }
    if (info->backing_format) {
        disk_json_text(json, "backing-filename-format", info->backing_format);
    }
    if (info->snapshots->len) {
        json_builder_set_member_name(json, "snapshots");
        json_builder_begin_array(json);
        disk_json_snapshots(json, info);
        json_builder_end_array(json);
    }
    if (info->has_details) {
        json_details(json, blk, info);
    }
    if (holder) {
        disk_json_text(json, "used-by", holder);
    }
    json_builder_end_object(json);
}

static void print_line(const char *name, const char *value)
{
    g_autofree char *visible = text_visible(value);

    printf("%-16s %s\n", name, visible);
}

static void print_details(const BlkInfo *info)
{
    g_autofree char *cluster = disk_size_text(info->cluster);

    print_line("version", info->version == 2 ? "2" : "3");
    print_line("cluster size", cluster);
    printf("%-16s %u bits%s\n", "counts", info->count_bits, info->lazy_refcounts ? ", lazy" : "");
    print_line("compression", info->compression);
    if (info->subclusters) {
        print_line("subclusters", "32 in each cluster");
    }
    if (info->n_bitmaps) {
        printf("%-16s %u (a write by Insula makes them invalid)\n", "bitmaps", info->n_bitmaps);
    }
    if (info->dirty) {
        print_line("state", "not closed properly: it is repaired when it is written next");
    }
    if (info->corrupt) {
        print_line("state", "damaged: repair it with 'insula disk check --repair all'");
    }
}

static void print_info(Blk *blk, const BlkInfo *info, const char *holder)
{
    g_autofree char *size = disk_size_text(blk_size(blk));
    g_autofree char *room = disk_size_text(info->file_allocated);

    print_line("image", blk_path(blk));
    print_line("format", blk_format(blk));
    print_line("disk size", size);
    print_line("room on host", room);
    if (info->has_details) {
        print_details(info);
    }
    if (info->backing) {
        g_autofree char *full = blk_chain_join(blk_path(blk), info->backing);
        print_line("based on", full);
        print_line("its format", info->backing_format ? info->backing_format : "not said");
    }
    if (holder) {
        print_line("used by", holder);
    }
    if (info->snapshots->len) {
        printf("\n");
        disk_print_snapshots(info);
    }
}

static bool show_one(const DiskArgs *args, const BlkOptions *options, JsonBuilder *json, bool first,
                     GError **error)
{
    BlkInfo info;
    g_autoptr(Blk) blk = blk_open(options, error);

    if (!blk) {
        return false;
    }
    g_autofree char *holder = blk_holder(blk);
    blk_info(blk, &info);
    if (json) {
        json_info(json, blk, &info, holder);
    } else {
        printf("%s", first ? "" : "\n");
        print_info(blk, &info, holder);
    }
    blk_info_clear(&info);
    return true;
}

int disk_info(const DiskArgs *args, GError **error)
{
    BlkOptions options = { .path = args->operands[0],
                           .read_only = true,
                           .no_backing = !args->chain,
                           .may_be_empty = true,
                           .lock = BLK_LOCK_NONE };

    options.format = disk_format(options.path, args->format, error);
    g_autoptr(BlkChain) chain = options.format ? blk_chain_resolve(&options, error) : NULL;
    if (!chain) {
        return DISK_FAILED;
    }
    JsonBuilder *json = args->json ? json_builder_new() : NULL;
    if (json && args->chain) {
        json_builder_begin_array(json);
    }
    for (unsigned i = 0; i < chain->n; i++) {
        BlkOptions one = chain->images[i];
        one.no_backing = true;
        if (!show_one(args, &one, json, i == 0, error)) {
            g_clear_object(&json);
            return DISK_FAILED;
        }
    }
    if (json && args->chain) {
        json_builder_end_array(json);
    }
    return (json ? disk_json_print(json, error) : disk_flush_output(error)) ? DISK_DONE
                                                                            : DISK_FAILED;
}

/* --- check --- */

/* Findings are told, but not by the million. */
typedef struct Findings {
    unsigned n;
    bool quiet;
} Findings;

enum { FINDINGS_SHOWN = 50 };

static void tell_finding(void *opaque, const char *text)
{
    Findings *findings = opaque;

    if (findings->n++ < FINDINGS_SHOWN && !findings->quiet) {
        g_autofree char *visible = text_visible(text);
        printf("%s\n", visible);
    } else if (findings->n == FINDINGS_SHOWN + 1 && !findings->quiet) {
        printf("... and more\n");
    }
}

static bool json_check(const DiskArgs *args, const char *format, const BlkCheck *check,
                       GError **error)
{
    JsonBuilder *json = json_builder_new();

    json_builder_begin_object(json);
    disk_json_text(json, "filename", args->operands[0]);
    disk_json_text(json, "format", format);
    disk_json_number(json, "check-errors", 0);
    disk_json_number(json, "corruptions", check->corruptions);
    disk_json_number(json, "leaks", check->leaks);
    disk_json_number(json, "corruptions-fixed", check->corruptions_fixed);
    disk_json_number(json, "leaks-fixed", check->leaks_fixed);
    disk_json_number(json, "image-end-offset", check->end);
    disk_json_number(json, "total-clusters", check->total);
    disk_json_number(json, "allocated-clusters", check->allocated);
    disk_json_number(json, "compressed-clusters", check->compressed);
    disk_json_number(json, "fragmented-clusters", check->fragmented);
    json_builder_end_object(json);
    return disk_json_print(json, error);
}

static void print_check(const BlkCheck *check)
{
    if (check->corruptions_fixed || check->leaks_fixed) {
        printf("repaired: %" G_GUINT64_FORMAT " faults, %" G_GUINT64_FORMAT " lost clusters\n",
               check->corruptions_fixed, check->leaks_fixed);
    }
    if (check->corruptions || check->leaks) {
        printf("found: %" G_GUINT64_FORMAT " faults, %" G_GUINT64_FORMAT " lost clusters\n",
               check->corruptions, check->leaks);
    } else {
        printf("no faults\n");
    }
    printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
           " clusters have a place, %" G_GUINT64_FORMAT " of these compressed, %" G_GUINT64_FORMAT
           " not behind the one before\n",
           check->allocated, check->total, check->compressed, check->fragmented);
}

int disk_check(const DiskArgs *args, GError **error)
{
    Findings findings = { .quiet = args->json || args->quiet };
    BlkCheck check = { .report = tell_finding, .opaque = &findings };
    DiskProgress progress;
    BlkOptions options = { .read_only = args->repair == BLK_REPAIR_NOTHING,
                           .no_backing = true,
                           .ignore_corrupt = true };

    disk_block_signals();
    disk_progress_init(&progress, args);
    g_autoptr(Blk) blk = disk_open(args->operands[0], args->format, options, error);
    if (blk) {
        blk_set_progress(blk, &progress.progress);
    }
    bool good = blk && blk_check(blk, args->repair, &check, error);
    disk_progress_end(&progress);
    if (!good) {
        return DISK_FAILED;
    }
    if (args->json) {
        good = json_check(args, blk_format(blk), &check, error);
    } else if (!args->quiet) {
        print_check(&check);
        good = disk_flush_output(error);
    }
    return !good               ? DISK_FAILED
           : check.corruptions ? DISK_WRONG
           : check.leaks       ? DISK_LEAKS
                               : DISK_DONE;
}

/* --- map --- */

static bool alike(const BlkStatus *a, const BlkStatus *b)
{
    return a->zero == b->zero && a->allocated == b->allocated && a->in_file == b->in_file &&
           a->compressed == b->compressed && a->depth == b->depth &&
           (!a->in_file || a->offset + a->len == b->offset);
}

static void show_extent(JsonBuilder *json, uint64_t start, const BlkStatus *s)
{
    if (!json) {
        g_autofree char *where = s->in_file ? g_strdup_printf("%" G_GUINT64_FORMAT, s->offset)
                                            : g_strdup(s->compressed ? "packed" : "-");
        printf("%16" G_GUINT64_FORMAT " %16" G_GUINT64_FORMAT " %-6s %5u  %s\n", start, s->len,
               s->zero ? "zeros" : "data", s->depth, where);
        return;
    }
    json_builder_begin_object(json);
    disk_json_number(json, "start", start);
    disk_json_number(json, "length", s->len);
    disk_json_number(json, "depth", s->depth);
    disk_json_flag(json, "present", s->allocated);
    disk_json_flag(json, "zero", s->zero);
    disk_json_flag(json, "data", !s->zero);
    disk_json_flag(json, "compressed", s->compressed);
    if (s->in_file) {
        disk_json_number(json, "offset", s->offset);
    }
    json_builder_end_object(json);
}

int disk_map(const DiskArgs *args, GError **error)
{
    g_autoptr(Blk) blk =
        disk_open(args->operands[0], args->format, (BlkOptions){ .read_only = true }, error);
    JsonBuilder *json = blk && args->json ? json_builder_new() : NULL;
    uint64_t size = blk ? blk_size(blk) : 0, start = 0;
    BlkStatus run = { 0 };
    int result = 0;

    if (!blk) {
        return DISK_FAILED;
    }
    if (json) {
        json_builder_begin_array(json);
    } else {
        printf("%16s %16s %-6s %5s  %s\n", "start", "length", "what", "depth", "in file at");
    }
    for (uint64_t at = 0; at < size && !result;) {
        BlkStatus status;
        result = blk_status(blk, at, size - at, &status);
        if (result) {
            break;
        }
        if (run.len && !alike(&run, &status)) {
            show_extent(json, start, &run);
            run.len = 0;
        }
        start = run.len ? start : at;
        status.offset = run.len ? run.offset : status.offset;
        at += status.len;
        status.len += run.len;
        run = status;
    }
    if (run.len) {
        show_extent(json, start, &run);
    }
    if (json) {
        json_builder_end_array(json);
    }
    if (result) {
        g_clear_object(&json);
        set_error_errno(error, -result, "cannot look at disk '%s'", blk_path(blk));
        return DISK_FAILED;
    }
    return (json ? disk_json_print(json, error) : disk_flush_output(error)) ? DISK_DONE
                                                                            : DISK_FAILED;
}

/* --- measure --- */

/* How many units of @unit bytes have data. */
static int count_data(Blk *blk, uint64_t unit, uint64_t *ret)
{
    uint64_t size = blk_size(blk), counted = 0, n = 0;
    int result = 0;

    for (uint64_t at = 0; at < size && !result;) {
        BlkStatus status;
        result = blk_status(blk, at, size - at, &status);
        if (!result && !status.zero) {
            uint64_t first = MAX(at / unit, counted);
            uint64_t end = (at + status.len + unit - 1) / unit;
            n += end > first ? end - first : 0;
            counted = MAX(counted, end);
        }
        at += result ? 0 : status.len;
    }
    *ret = n;
    return result;
}

/* The size of a qcow2 image whose disk of @size bytes has @data clusters of data. */
static uint64_t qcow2_size(const DiskArgs *args, uint64_t size, uint64_t data)
{
    uint64_t cluster = args->cluster ? args->cluster : 65536;
    uint64_t per_table = cluster / (args->subclusters ? 16 : 8);
    uint64_t per_block = cluster * 8 / (args->count_bits ? args->count_bits : 16);
    uint64_t clusters = (size + cluster - 1) / cluster;
    uint64_t tables = (clusters + per_table - 1) / per_table;
    uint64_t l1 = MAX((tables * 8 + cluster - 1) / cluster, 1);
    uint64_t fixed = 1 + l1 + tables + data, blocks = 0, reftable = 0, before;

    do {
        before = blocks + reftable;
        blocks = (fixed + before + per_block - 1) / per_block;
        reftable = (blocks * 8 + cluster - 1) / cluster;
    } while (blocks + reftable != before);
    return (fixed + before) * cluster;
}

static bool check_measure(const DiskArgs *args, GError **error)
{
    if (args->cluster &&
        (!is_power_of_two(args->cluster) || args->cluster < 512 || args->cluster > 2 << 20)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--cluster-size must be a power of two from 512 to 2M");
        return false;
    }
    if ((args->n_operands == 1) == args->has_size) {
        set_error_code(error, INSULA_ERROR_USAGE, "measure needs a FILE, or --size");
        return false;
    }
    return true;
}

int disk_measure(const DiskArgs *args, GError **error)
{
    const char *to = args->to ? args->to : "qcow2";
    uint64_t unit = args->cluster ? args->cluster : 65536, size = args->size, data = 0;
    bool raw = !strcmp(to, "raw");

    if (!blk_driver_find(to, error) || !check_measure(args, error)) {
        return DISK_USAGE;
    }
    if (args->n_operands) {
        g_autoptr(Blk) blk =
            disk_open(args->operands[0], args->format, (BlkOptions){ .read_only = true }, error);
        if (!blk) {
            return DISK_FAILED;
        }
        size = blk_size(blk);
        int result = count_data(blk, raw ? 4096 : unit, &data);
        if (result) {
            set_error_errno(error, -result, "cannot look at disk '%s'", blk_path(blk));
            return DISK_FAILED;
        }
    }
    uint64_t required = raw ? size : qcow2_size(args, size, data);
    uint64_t full = raw ? size : qcow2_size(args, size, (size + unit - 1) / unit);
    if (args->json) {
        JsonBuilder *json = json_builder_new();
        json_builder_begin_object(json);
        disk_json_number(json, "required", required);
        disk_json_number(json, "fully-allocated", full);
        json_builder_end_object(json);
        return disk_json_print(json, error) ? DISK_DONE : DISK_FAILED;
    }
    g_autofree char *a = disk_size_text(required), *b = disk_size_text(full);
    printf("as it is:     %s\nwhen full:    %s\n", a, b);
    return disk_flush_output(error) ? DISK_DONE : DISK_FAILED;
}
