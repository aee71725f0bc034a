/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Node devices, see nodedev.h (libvirt's formatnode; sysfs).
 */
#include "manager/nodedev.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "config/xml.h"
#include "manager/host.h"
#include "wire/remote.h"

#define COMPUTER "computer"

enum { DEVICES_MAX = 4096 }; /* of a kind: more than any host has */

struct NodeDevices {
    char *root;
};

typedef struct NodeDevice {
    char *name;
    const char *kernel; /* its name in sysfs, owned by the caller's list */
} NodeDevice;

/* A kind of devices: where they are listed, and what is told of one. */
typedef struct NodeKind {
    const char *cap;
    uint32_t flag; /* libvirt's */
    const char *folder;
    const char *prefix;
    const char *address; /* a file whose content stands in the name, too; NULL: none */
    void (*format)(const NodeDevices *devices, const char *kernel, XmlWriter *writer);
} NodeKind;

NodeDevices *node_devices_new(const char *root)
{
    NodeDevices *devices = g_new0(NodeDevices, 1);

    devices->root = g_strdup(root);
    return devices;
}

void node_devices_free(NodeDevices *devices)
{
    if (devices) {
        g_free(devices->root);
        g_free(devices);
    }
}

/* --- what is told --- */

/* Line @file of the device's folder. */
static char *line_of(const NodeDevices *devices, const char *folder, const char *kernel,
                     const char *file)
{
    g_autofree char *path = g_strdup_printf("%s/%s/%s", folder, kernel, file);

    return host_line(devices->root, path);
}

static void put_file(const NodeDevices *devices, XmlWriter *writer, const char *element,
                     const char *path)
{
    g_autofree char *value = host_line(devices->root, path);

    xml_put_element(writer, element, value);
}

static void format_computer(const NodeDevices *devices, const char *kernel, XmlWriter *writer)
{
    put_file(devices, writer, "product", "/sys/class/dmi/id/product_name");
    xml_open(writer, "hardware");
    put_file(devices, writer, "vendor", "/sys/class/dmi/id/sys_vendor");
    put_file(devices, writer, "version", "/sys/class/dmi/id/product_version");
    put_file(devices, writer, "serial", "/sys/class/dmi/id/product_serial");
    put_file(devices, writer, "uuid", "/sys/class/dmi/id/product_uuid");
    xml_close(writer, "hardware");
    xml_open(writer, "firmware");
    put_file(devices, writer, "vendor", "/sys/class/dmi/id/bios_vendor");
    put_file(devices, writer, "version", "/sys/class/dmi/id/bios_version");
    put_file(devices, writer, "release_date", "/sys/class/dmi/id/bios_date");
    xml_close(writer, "firmware");
}

#define NET_FOLDER   "/sys/class/net"
#define BLOCK_FOLDER "/sys/block"

static void format_net(const NodeDevices *devices, const char *kernel, XmlWriter *writer)
{
    g_autofree char *address = line_of(devices, NET_FOLDER, kernel, "address");
    g_autofree char *state = line_of(devices, NET_FOLDER, kernel, "operstate");
    g_autofree char *speed = line_of(devices, NET_FOLDER, kernel, "speed");

    xml_put_element(writer, "interface", kernel);
    xml_put_element(writer, "address", address);
    xml_open(writer, "link");
    xml_put(writer, "speed", speed && *speed != '-' ? speed : NULL);
    xml_put(writer, "state", state);
    xml_close(writer, "link");
    xml_open(writer, "capability");
    xml_put(writer, "type", "80203");
    xml_close(writer, "capability");
}

static void format_storage(const NodeDevices *devices, const char *kernel, XmlWriter *writer)
{
    g_autofree char *node = g_strdup_printf("/dev/%s", kernel);
    g_autofree char *vendor = line_of(devices, BLOCK_FOLDER, kernel, "device/vendor");
    g_autofree char *model = line_of(devices, BLOCK_FOLDER, kernel, "device/model");
    g_autofree char *serial = line_of(devices, BLOCK_FOLDER, kernel, "serial");
    g_autofree char *size_path = g_strdup_printf("%s/%s/size", BLOCK_FOLDER, kernel);
    g_autofree char *unit_path =
        g_strdup_printf("%s/%s/queue/logical_block_size", BLOCK_FOLDER, kernel);
    uint64_t sectors = 0, unit = 0;

    xml_put_element(writer, "block", node);
    xml_put_element(writer, "drive_type", g_str_has_prefix(kernel, "sr") ? "cdrom" : "disk");
    xml_put_element(writer, "model", model);
    xml_put_element(writer, "vendor", vendor);
    xml_put_element(writer, "serial", serial);
    if (host_number(devices->root, size_path, &sectors) && sectors < UINT64_MAX / 512) {
        xml_put_element_number(writer, "size", sectors * 512);
        if (host_number(devices->root, unit_path, &unit) && unit) {
            xml_put_element_number(writer, "logical_block_size", unit);
            xml_put_element_number(writer, "num_blocks", sectors * 512 / unit);
        }
    }
}

/* --- what there is --- */

static const NodeKind kinds[] = {
    { "system", 1 << 0, NULL, COMPUTER, NULL, format_computer },
    { "net", 1 << 4, NET_FOLDER, "net_", "address", format_net },
    { "storage", 1 << 8, BLOCK_FOLDER, "block_", NULL, format_storage },
};

enum { FLAG_CAPS = 0x3fffffff, FLAG_INACTIVE = 1 << 30 };

/* Where the device is in the tree of devices; NULL: it isn't one.  Newly allocated. */
static char *real_path(const NodeDevices *devices, const NodeKind *kind, const char *kernel)
{
    g_autofree char *path = g_strdup_printf("%s%s/%s", devices->root, kind->folder, kernel);
    g_autofree char *real = realpath(path, NULL);

    return real ? g_strdup(real) : NULL;
}

/* Loops, RAM disks and the like are none of the host's disks. */
static bool counts(const NodeDevices *devices, const NodeKind *kind, const char *kernel)
{
    g_autofree char *path = kind->address ? NULL : real_path(devices, kind, kernel);

    return kind->address || (path && !strstr(path, "/devices/virtual/"));
}

/* "net_eth0_52_54_00_00_00_01": what isn't a letter or digit is a line.  Newly allocated. */
static char *name_of(const NodeDevices *devices, const NodeKind *kind, const char *kernel)
{
    g_autofree char *address =
        kind->address ? line_of(devices, kind->folder, kernel, kind->address) : NULL;
    char *name = g_strconcat(kind->prefix, kernel, address ? "_" : NULL, address, NULL);

    for (char *c = name; *c; c++) {
        *c = g_ascii_isalnum(*c) ? *c : '_';
    }
    return name;
}

/* For each device of @kind: its name, and what the kernel calls it; both newly allocated.  True:
 * that's enough. */
typedef bool (*NodeSeen)(void *opaque, const NodeKind *kind, char *name, const char *kernel);

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool walk(const NodeDevices *devices, const NodeKind *kind, NodeSeen seen, void *opaque)
{
    g_autofree char *folder = kind->folder ? g_strconcat(devices->root, kind->folder, NULL) : NULL;
    g_autoptr(GDir) dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
    g_autoptr(GPtrArray) kernels = g_ptr_array_new_with_free_func(g_free);
    bool enough = false;

    if (!kind->folder) {
        return seen(opaque, kind, g_strdup(kind->prefix), "");
    }
    for (const char *kernel = dir ? g_dir_read_name(dir) : NULL;
         kernel && kernels->len < DEVICES_MAX; kernel = g_dir_read_name(dir)) {
        if (g_utf8_validate(kernel, -1, NULL) && counts(devices, kind, kernel)) {
            g_ptr_array_add(kernels, g_strdup(kernel));
        }
    }
    g_ptr_array_sort(kernels, by_text);
    for (unsigned i = 0; i < kernels->len && !enough; i++) {
        const char *kernel = g_ptr_array_index(kernels, i);
        enough = seen(opaque, kind, name_of(devices, kind, kernel), kernel);
    }
    return enough;
}

static bool collect(void *opaque, const NodeKind *kind, char *name, const char *kernel)
{
    g_ptr_array_add(opaque, name);
    return false;
}

GStrv node_devices_list(const NodeDevices *devices, const char *cap)
{
    GPtrArray *names = g_ptr_array_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!cap || !strcmp(cap, kinds[i].cap)) {
            walk(devices, &kinds[i], collect, names);
        }
    }
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(names, FALSE);
}

GStrv node_devices_list_flags(const NodeDevices *devices, uint32_t flags)
{
    GPtrArray *names = g_ptr_array_new();
    uint32_t caps = flags & FLAG_CAPS;
    bool active = !(flags & ~(uint32_t)FLAG_CAPS) || (flags & 1U << 31);

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds) && active; i++) {
        if (!caps || (caps & kinds[i].flag)) {
            walk(devices, &kinds[i], collect, names);
        }
    }
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(names, FALSE);
}

typedef struct Search {
    const char *name;
    const NodeKind *kind; /* NULL: not found */
    char *kernel;
} Search;

static bool compare(void *opaque, const NodeKind *kind, char *name, const char *kernel)
{
    Search *search = opaque;
    bool same = !strcmp(name, search->name);

    if (same) {
        search->kind = kind;
        search->kernel = g_strdup(kernel);
    }
    g_free(name);
    return same;
}

static bool find(const NodeDevices *devices, const char *name, Search *search, GError **error)
{
    search->name = name;
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds) && !search->kind; i++) {
        walk(devices, &kinds[i], compare, search);
    }
    if (!search->kind) {
        g_autofree char *visible = text_visible(name);
        remote_error_set(error, REMOTE_ERR_NO_NODE_DEVICE,
                         "Node device not found: no node device with matching name '%s'", visible);
    }
    return search->kind != NULL;
}

const char *node_devices_cap(const NodeDevices *devices, const char *name, GError **error)
{
    Search search = { 0 };
    bool found = find(devices, name, &search, error);

    g_free(search.kernel);
    return found ? search.kind->cap : NULL;
}

const char *node_devices_parent(const char *name)
{
    return strcmp(name, COMPUTER) ? COMPUTER : NULL;
}

char *node_devices_xml(const NodeDevices *devices, const char *name, GError **error)
{
    Search search = { 0 };

    if (!find(devices, name, &search, error)) {
        return NULL;
    }
    XmlWriter *writer = xml_writer_new();
    g_autofree char *kernel = search.kernel;
    g_autofree char *path = search.kind->folder ? real_path(devices, search.kind, kernel) : NULL;
    xml_open(writer, "device");
    xml_put_element(writer, "name", name);
    xml_put_element(writer, "path", path);
    xml_put_element(writer, "parent", node_devices_parent(name));
    xml_open(writer, "capability");
    xml_put(writer, "type", search.kind->cap);
    search.kind->format(devices, kernel, writer);
    xml_close(writer, "capability");
    xml_close(writer, "device");
    return xml_writer_end(writer);
}
