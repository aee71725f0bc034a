/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this program can build, see describe.h.
 */
#include "vm/describe.h"

#include <json-glib/json-glib.h>

#include "block/block.h"
#include "common/log.h"
#include "engine/engine.h"
#include "machine/core/device.h"
#include "machine/machine.h"

static void add_text(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value);
}

static void add_number(JsonBuilder *json, const char *name, uint64_t value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, (gint64)value);
}

static void begin_list(JsonBuilder *json, const char *name)
{
    json_builder_set_member_name(json, name);
    json_builder_begin_array(json);
}

static void begin_entry(JsonBuilder *json, const char *name, const char *summary)
{
    json_builder_begin_object(json);
    add_text(json, "name", name);
    add_text(json, "summary", summary);
}

static void add_machines(JsonBuilder *json)
{
    begin_list(json, "machines");
    for (const MachineBoard *board = machine_boards(); board->name; board++) {
        begin_entry(json, board->name, board->summary);
        add_number(json, "min-memory", board->min_memory);
        add_number(json, "max-memory", board->max_memory);
        add_number(json, "max-cpus", board->max_cpus);
        add_number(json, "max-disks", board->max_disks);
        add_number(json, "max-nets", board->max_nets);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_devices(JsonBuilder *json)
{
    begin_list(json, "devices");
    for (const DeviceClass *const *class = machine_device_classes(); *class; class ++) {
        begin_entry(json, (*class)->name, (*class)->summary);
        add_number(json, "state-version", (*class)->version);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_cpus(JsonBuilder *json)
{
    begin_list(json, "cpu-models");
    for (const EngineCpuModel *model = engine_cpu_models(); model->name; model++) {
        begin_entry(json, model->name, model->summary);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_engines(JsonBuilder *json)
{
    begin_list(json, "engines");
    for (const Engine *const *engine = engine_list(); *engine; engine++) {
        begin_entry(json, (*engine)->name, (*engine)->summary);
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_formats(JsonBuilder *json)
{
    begin_list(json, "disk-formats");
    for (const BlkDriver *const *driver = blk_drivers(); *driver; driver++) {
        begin_entry(json, blk_driver_name(*driver), blk_driver_summary(*driver));
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

static void add_categories(JsonBuilder *json)
{
    begin_list(json, "log-categories");
    for (unsigned i = 0; i < LOG_CATEGORIES; i++) {
        begin_entry(json, log_category_name(i), log_category_summary(i));
        json_builder_end_object(json);
    }
    json_builder_end_array(json);
}

char *describe(void)
{
    g_autoptr(JsonBuilder) json = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();

    json_builder_begin_object(json);
    add_text(json, "version", INSULA_VERSION);
    add_machines(json);
    add_devices(json);
    add_cpus(json);
    add_engines(json);
    add_formats(json);
    add_categories(json);
    json_builder_end_object(json);
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    return g_strconcat(text, "\n", NULL);
}
