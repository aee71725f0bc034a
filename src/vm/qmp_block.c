/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about disks.
 *
 * Threads: main.
 * Read first: vm/qmp.h.
 */
#include <errno.h>

#include "block/block.h"
#include "block/image.h"
#include "vm/qmp_plug.h"

/* ---- query-block ---- */

static const QmpType image_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "filename", &qmp_str },
                                    { "format", &qmp_str },
                                    { "virtual-size", &qmp_int },
                                    { "actual-size", &qmp_int, true },
                                    { "backing-filename", &qmp_str, true },
                                    { 0 } },
};

static const QmpType cache_info = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){
            { "writeback", &qmp_bool }, { "direct", &qmp_bool }, { "no-flush", &qmp_bool }, { 0 } },
};

static const char *const detect_words[] = { "off", "on", "unmap", NULL };
static const QmpType detect_zeroes = { .meta = QMP_ENUM, .words = detect_words };

static const QmpType inserted_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "file", &qmp_str },
                                    { "node-name", &qmp_str, true },
                                    { "ro", &qmp_bool },
                                    { "drv", &qmp_str },
                                    { "backing_file", &qmp_str, true },
                                    { "backing_file_depth", &qmp_int },
                                    { "encrypted", &qmp_bool },
                                    { "detect_zeroes", &detect_zeroes },
                                    { "bps", &qmp_int },
                                    { "bps_rd", &qmp_int },
                                    { "bps_wr", &qmp_int },
                                    { "iops", &qmp_int },
                                    { "iops_rd", &qmp_int },
                                    { "iops_wr", &qmp_int },
                                    { "image", &image_info },
                                    { "cache", &cache_info },
                                    { "write_threshold", &qmp_int },
                                    { 0 } },
};

static const char *const io_words[] = { "ok", "failed", "nospace", NULL };
static const QmpType io_status = { .meta = QMP_ENUM, .words = io_words };

static const QmpType block_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str },
                                    { "qdev", &qmp_str, true },
                                    { "type", &qmp_str },
                                    { "removable", &qmp_bool },
                                    { "locked", &qmp_bool },
                                    { "inserted", &inserted_info, true },
                                    { "tray_open", &qmp_bool, true },
                                    { "io-status", &io_status, true },
                                    { 0 } },
};

static JsonObject *tell_image(Blk *blk)
{
    JsonObject *image = json_object_new();

    json_object_set_string_member(image, "filename", blk_path(blk));
    json_object_set_string_member(image, "format", blk_format(blk));
    json_object_set_int_member(image, "virtual-size", (gint64)blk_size(blk));
    json_object_set_int_member(image, "actual-size", (gint64)blk_room(blk));
    if (blk_backing(blk)) {
        json_object_set_string_member(image, "backing-filename", blk_path(blk_backing(blk)));
    }
    return image;
}

static JsonObject *tell_cache(void)
{
    JsonObject *cache = json_object_new();

    json_object_set_boolean_member(cache, "writeback", TRUE);
    json_object_set_boolean_member(cache, "direct", FALSE);
    json_object_set_boolean_member(cache, "no-flush", FALSE);
    return cache;
}

static JsonObject *tell_inserted(Blk *blk, const char *node)
{
    static const char *const unlimited[] = { "bps",     "bps_rd",  "bps_wr",         "iops",
                                             "iops_rd", "iops_wr", "write_threshold" };
    JsonObject *object = json_object_new();
    unsigned depth = 0;

    for (const Blk *layer = blk_backing(blk); layer; layer = blk_backing(layer)) {
        depth++;
    }
    json_object_set_string_member(object, "file", blk_path(blk));
    json_object_set_string_member(object, "node-name", node);
    json_object_set_boolean_member(object, "ro", blk_read_only(blk));
    json_object_set_string_member(object, "drv", blk_format(blk));
    if (depth) {
        json_object_set_string_member(object, "backing_file", blk_path(blk_backing(blk)));
    }
    json_object_set_int_member(object, "backing_file_depth", depth);
    json_object_set_boolean_member(object, "encrypted", FALSE);
    json_object_set_string_member(object, "detect_zeroes", "off");
    for (unsigned i = 0; i < G_N_ELEMENTS(unlimited); i++) {
        json_object_set_int_member(object, unlimited[i], 0);
    }
    json_object_set_object_member(object, "image", tell_image(blk));
    json_object_set_object_member(object, "cache", tell_cache());
    return object;
}

/* Whether the machine stands because of @device. */
static const char *io_status_of(const Qmp *qmp, const char *device)
{
    int error = vm_disk_failed(qmp->vm, device);

    return io_words[!error ? 0 : error == ENOSPC ? 2 : 1];
}

/* A CD-ROM drive, with a medium or without. */
static JsonObject *tell_cdrom(const Qmp *qmp, const char *drive)
{
    JsonObject *object = json_object_new();
    MachineTray tray = { 0 };

    machine_tray(vm_machine(qmp->vm), drive, &tray);
    const QmpNode *node = tray.medium ? qmp_node_of(qmp->plug, tray.medium) : NULL;
    json_object_set_string_member(object, "device", drive);
    json_object_set_string_member(object, "qdev", drive);
    json_object_set_string_member(object, "type", "unknown");
    json_object_set_boolean_member(object, "removable", TRUE);
    json_object_set_boolean_member(object, "locked", tray.locked);
    if (node) {
        json_object_set_object_member(object, "inserted", tell_inserted(node->blk, node->name));
    }
    json_object_set_boolean_member(object, "tray_open", tray.open);
    json_object_set_string_member(object, "io-status", io_status_of(qmp, drive));
    return object;
}

/* The device that shows @node to the guest, or NULL. */
static const char *device_of(const QmpNode *node)
{
    return node->blk ? node->user : NULL;
}

static JsonNode *query_block(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const Machine *machine = vm_machine(qmp->vm);
    const GPtrArray *nodes = qmp->plug->nodes;
    JsonArray *array = json_array_new();
    MachineTray tray;
    const char *drive;

    for (unsigned i = 0; i < nodes->len; i++) {
        const QmpNode *node = g_ptr_array_index(nodes, i);
        if (!device_of(node) || machine_tray(machine, node->user, &tray)) {
            continue;
        }
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "device", node->stays ? node->name : "");
        json_object_set_string_member(object, "qdev", device_of(node));
        json_object_set_string_member(object, "type", "unknown");
        json_object_set_boolean_member(object, "removable", FALSE);
        json_object_set_boolean_member(object, "locked", FALSE);
        json_object_set_object_member(object, "inserted", tell_inserted(node->blk, node->name));
        json_object_set_string_member(object, "io-status", io_status_of(qmp, device_of(node)));
        json_array_add_object_element(array, object);
    }
    for (unsigned i = 0; (drive = machine_cdrom_name(machine, i)); i++) {
        json_array_add_object_element(array, tell_cdrom(qmp, drive));
    }
    return qmp_array_node(array);
}

/* ---- query-blockstats ---- */

static const QmpType device_stats = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "rd_bytes", &qmp_int },
                                    { "wr_bytes", &qmp_int },
                                    { "unmap_bytes", &qmp_int },
                                    { "rd_operations", &qmp_int },
                                    { "wr_operations", &qmp_int },
                                    { "flush_operations", &qmp_int },
                                    { "unmap_operations", &qmp_int },
                                    { "rd_total_time_ns", &qmp_int },
                                    { "wr_total_time_ns", &qmp_int },
                                    { "flush_total_time_ns", &qmp_int },
                                    { "unmap_total_time_ns", &qmp_int },
                                    { "failed_rd_operations", &qmp_int },
                                    { "failed_wr_operations", &qmp_int },
                                    { "failed_flush_operations", &qmp_int },
                                    { "failed_unmap_operations", &qmp_int },
                                    { "invalid_rd_operations", &qmp_int },
                                    { "invalid_wr_operations", &qmp_int },
                                    { "invalid_flush_operations", &qmp_int },
                                    { "invalid_unmap_operations", &qmp_int },
                                    { 0 } },
};

static const QmpType block_stats = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true },
                                    { "qdev", &qmp_str, true },
                                    { "node-name", &qmp_str, true },
                                    { "stats", &device_stats },
                                    { 0 } },
};

static const QmpType blockstats_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "query-nodes", &qmp_bool, true }, { 0 } },
};

static void set_count(JsonObject *object, const char *format, const char *kind, uint64_t value)
{
    g_autofree char *name = g_strdup_printf(format, kind);

    json_object_set_int_member(object, name, (gint64)value);
}

static JsonObject *tell_stats(const Blk *blk)
{
    static const char *const kinds[BLK_COUNT_KINDS] = {
        [BLK_COUNT_READ] = "rd",
        [BLK_COUNT_WRITE] = "wr",
        [BLK_COUNT_ZERO] = "unmap",
        [BLK_COUNT_FLUSH] = "flush",
    };
    JsonObject *object = json_object_new();
    BlkCounters counters;

    blk_counters(blk, &counters);
    for (unsigned i = 0; i < BLK_COUNT_KINDS; i++) {
        const BlkCount *count = &counters.kinds[i];
        if (i != BLK_COUNT_FLUSH) {
            set_count(object, "%s_bytes", kinds[i], count->bytes);
        }
        set_count(object, "%s_operations", kinds[i], count->requests);
        set_count(object, "%s_total_time_ns", kinds[i], count->time_ns);
        set_count(object, "failed_%s_operations", kinds[i], count->failed);
        set_count(object, "invalid_%s_operations", kinds[i], count->invalid);
    }
    return object;
}

static JsonNode *query_blockstats(QmpCall *call, GError **error)
{
    const GPtrArray *nodes = ((const Qmp *)call->opaque)->plug->nodes;
    bool all = json_object_get_boolean_member_with_default(call->args, "query-nodes", FALSE);
    JsonArray *array = json_array_new();

    for (unsigned i = 0; i < nodes->len; i++) {
        const QmpNode *node = g_ptr_array_index(nodes, i);
        if (!node->blk || (!all && !device_of(node))) {
            continue;
        }
        JsonObject *object = json_object_new();
        if (!all) {
            json_object_set_string_member(object, "device", node->stays ? node->name : "");
            json_object_set_string_member(object, "qdev", device_of(node));
        }
        json_object_set_string_member(object, "node-name", node->name);
        json_object_set_object_member(object, "stats", tell_stats(node->blk));
        json_array_add_object_element(array, object);
    }
    return qmp_array_node(array);
}

const QmpCommand qmp_block_commands[] = {
    { "query-block", NULL, &block_info, true, query_block },
    { "query-blockstats", &blockstats_args, &block_stats, true, query_blockstats },
    { 0 },
};
