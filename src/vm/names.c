/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names in a configuration, see names.h.
 */
#include "vm/names.h"

#include <string.h>

#include "block/block.h"
#include "common/error.h"
#include "common/suggest.h"
#include "engine/engine.h"
#include "machine/machine.h"

/* Takes ownership of @known, an array of strings that aren't. */
static bool check(const char *option, const char *name, GPtrArray *known, GError **error)
{
    g_autoptr(GPtrArray) names = known;

    g_ptr_array_add(names, NULL);
    if (!name || g_strv_contains((const char *const *)names->pdata, name)) {
        return true;
    }
    g_autofree char *hint = suggest_text(name, (const char *const *)names->pdata);
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    set_error_code(error, INSULA_ERROR_USAGE, "%s: unknown name '%s'%s%s", option, name,
                   *hint ? hint : "; there is: ", *hint ? "" : all);
    return false;
}

static GPtrArray *machines(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (const MachineBoard *board = machine_boards(); board->name; board++) {
        g_ptr_array_add(names, (char *)board->name);
    }
    return names;
}

static GPtrArray *engines(void)
{
    GPtrArray *names = g_ptr_array_new();

    g_ptr_array_add(names, (char *)"auto");
    for (const Engine *const *engine = engine_list(); *engine; engine++) {
        g_ptr_array_add(names, (char *)(*engine)->name);
    }
    return names;
}

static GPtrArray *cpu_models(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (const EngineCpuModel *model = engine_cpu_models(); model->name; model++) {
        g_ptr_array_add(names, (char *)model->name);
    }
    return names;
}

static GPtrArray *formats(void)
{
    GPtrArray *names = g_ptr_array_new();

    for (const BlkDriver *const *driver = blk_drivers(); *driver; driver++) {
        g_ptr_array_add(names, (char *)blk_driver_name(*driver));
    }
    return names;
}

bool names_check(const VmConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DiskConfig *disk = g_ptr_array_index(config->disks, i);
        if (!check("--disk format", disk->format, formats(), error)) {
            return false;
        }
    }
    return check("--machine", config->machine, machines(), error) &&
           check("--engine", config->engine, engines(), error) &&
           check("--cpu", config->cpu_model, cpu_models(), error);
}
