/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a virtual machine consists of, see config.h.
 */
#include "config/config.h"

#include "common/error.h"
#include "config/limits.h"

VmConfig *vm_config_new(void)
{
    VmConfig *config = g_new0(VmConfig, 1);

    config->engine = g_strdup("auto");
    config->cpus = 1;
    config->disks = g_ptr_array_new_with_free_func((GDestroyNotify)disk_config_free);
    config->nets = g_ptr_array_new_with_free_func((GDestroyNotify)net_config_free);
    config->forwards = g_ptr_array_new_with_free_func((GDestroyNotify)forward_config_free);
    config->serial.kind = SERIAL_STDIO;
    config->console.kind = SERIAL_NONE;
    config->gdb.wait = true;
    config->sandbox.on = true;
    return config;
}

void vm_config_free(VmConfig *config)
{
    if (!config) {
        return;
    }
    g_free(config->name);
    g_free(config->uuid);
    g_free(config->machine);
    g_free(config->engine);
    g_free(config->cpu_model);
    g_free(config->firmware);
    g_free(config->firmware_variables);
    g_free(config->kernel);
    g_free(config->initrd);
    g_free(config->append);
    g_free(config->restore);
    g_free(config->save);
    g_ptr_array_unref(config->disks);
    g_ptr_array_unref(config->nets);
    g_ptr_array_unref(config->forwards);
    g_free(config->serial.path);
    g_free(config->console.path);
    g_free(config->screen.path);
    g_free(config->screen.password_file);
    g_free(config->gdb.path);
    g_free(config->qmp.path);
    g_free(config);
}

void disk_config_free(DiskConfig *disk)
{
    if (disk) {
        g_free(disk->file);
        g_free(disk->format);
        g_free(disk);
    }
}

/* Networks and what leads into them agree. */
static bool check_nets(const VmConfig *config, GError **error)
{
    bool user = !config->nets->len && !config->no_net;

    if (config->no_net && config->nets->len) {
        set_error_code(error, INSULA_ERROR_USAGE, "--net none and another --net: keep one");
        return false;
    }
    for (guint i = 0; i < config->nets->len; i++) {
        user |= ((const NetConfig *)g_ptr_array_index(config->nets, i))->kind == NET_USER;
    }
    if (config->forwards->len && !user) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--forward needs a user network to lead into: add --net user");
        return false;
    }
    return true;
}

void vm_config_settle(VmConfig *config)
{
    bool whole = !config->kernel || config->firmware;

    for (guint i = 0; i < config->disks->len; i++) {
        whole |= ((const DiskConfig *)g_ptr_array_index(config->disks, i))->bus != DISK_VIRTIO;
    }
    if (!config->machine) {
        config->machine = g_strdup(whole ? "pc" : "micro");
    }
    if (!config->memory) {
        config->memory = whole ? CONFIG_MEMORY_WHOLE : CONFIG_MEMORY_USUAL;
    }
}

bool vm_config_check(const VmConfig *config, GError **error)
{
    if (!config->kernel && !config->firmware && !config->disks->len && !config->restore) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "there is nothing to start: name a disk, or a kernel with --kernel FILE");
        return false;
    }
    if (!config->kernel && (config->initrd || config->append)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--initrd and --append are for a kernel: name it with --kernel FILE");
        return false;
    }
    if (config->serial.kind == SERIAL_STDIO && config->console.kind == SERIAL_STDIO) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--console stdio: the terminal is taken by --serial; add --serial none");
        return false;
    }
    return check_nets(config, error);
}
