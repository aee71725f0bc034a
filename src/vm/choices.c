/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine is made of, see choices.h.
 */
#include "vm/choices.h"

#include "block/block.h"
#include "config/size.h"

static void add_disk(GString *text, unsigned number, const DiskConfig *disk)
{
    const char *named = disk->empty ? "empty" : blk_format_of_name(disk->file);
    const char *why = disk->format ? "as said" : named ? "by its name" : "as its name says nothing";

    g_string_append_printf(text, "%s %u: '%s', %s (%s)%s%s\n", disk->cdrom ? "cdrom" : "disk",
                           number, disk->file,
                           disk->format ? disk->format
                           : named      ? named
                                        : "raw",
                           why, disk->bus == DISK_SATA ? ", sata" : "",
                           disk->read_only && !disk->cdrom ? ", read-only" : "");
}

static void add_start(GString *text, const VmConfig *config)
{
    const char *usual = config->kernel ? "none" : "bios";

    g_string_append_printf(text, "firmware: %s\n", config->firmware ? config->firmware : usual);
    if (config->firmware_variables) {
        g_string_append_printf(text, "its variables: '%s'\n", config->firmware_variables);
    }
    if (config->kernel) {
        g_string_append_printf(text, "kernel: '%s'\n", config->kernel);
    }
}

static void add_nets(GString *text, const VmConfig *config)
{
    if (!config->nets->len) {
        g_string_append(text, config->no_net ? "network: none\n" : "network 0: user, virtio\n");
    }
    for (guint i = 0; i < config->nets->len; i++) {
        const NetConfig *net = g_ptr_array_index(config->nets, i);
        g_string_append_printf(text, "network %u: %s, %s\n", i,
                               net->kind == NET_USER ? "user" : "tap",
                               net->model == NET_E1000E ? "e1000e" : "virtio");
    }
    for (guint i = 0; i < config->forwards->len; i++) {
        const ForwardConfig *forward = g_ptr_array_index(config->forwards, i);
        g_string_append_printf(text, "forward: port %u of %s to port %u of the guest\n",
                               forward->host_port, forward->host, forward->guest_port);
    }
}

static void add_stream(GString *text, const char *name, const SerialConfig *stream)
{
    static const char *const kinds[] = {
        [SERIAL_STDIO] = "the terminal",
        [SERIAL_UNIX] = "socket",
        [SERIAL_FILE] = "file",
        [SERIAL_NONE] = "nowhere",
    };

    g_string_append_printf(text, "%s: %s%s%s\n", name, kinds[stream->kind], stream->path ? " " : "",
                           stream->path ? stream->path : "");
}

char *choices_text(const VmConfig *config)
{
    GString *text = g_string_new(NULL);
    g_autofree char *memory = size_format(config->memory);

    g_string_append_printf(text, "machine: %s, %u CPU%s, %s of memory\n", config->machine,
                           config->cpus, config->cpus == 1 ? "" : "s", memory);
    add_start(text, config);
    for (guint i = 0; i < config->disks->len; i++) {
        add_disk(text, i, g_ptr_array_index(config->disks, i));
    }
    add_nets(text, config);
    add_stream(text, "serial port", &config->serial);
    if (config->console.kind != SERIAL_NONE) {
        add_stream(text, "virtio console", &config->console);
    }
    return g_string_free(text, FALSE);
}
