/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host is, see host.h.
 */
#include "manager/host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "config/xml.h"

/* CPUs and nodes that we look at: more than any kernel has. */
enum { CPUS_MAX = 8192, NODES_MAX = 1024 };

/* All of @path, which the kernel makes. */
static char *read_all(const char *root, const char *path)
{
    g_autofree char *full = g_strconcat(root, path, NULL);
    char *text = NULL;

    return g_file_get_contents(full, &text, NULL, NULL) ? text : NULL;
}

char *host_line(const char *root, const char *path)
{
    g_autofree char *text = read_all(root, path);
    g_autofree char *line = text ? g_utf8_make_valid(text, (gssize)strcspn(text, "\n")) : NULL;

    return line && *g_strstrip(line) ? text_visible(line) : NULL;
}

bool host_number(const char *root, const char *path, uint64_t *ret)
{
    g_autofree char *line = host_line(root, path);
    guint64 value = 0;

    if (!line || !g_ascii_string_to_unsigned(line, 10, 0, UINT64_MAX, &value, NULL)) {
        return false;
    }
    *ret = value;
    return true;
}

/* --- CPUs --- */

/* Set the bits of a list such as "0-3,8"; how many, and one more than the highest (*@ret_end). */
static unsigned parse_list(const char *list, uint8_t *map, unsigned *ret_end)
{
    unsigned n = 0, end = 0;

    while (*list) {
        char *rest = NULL;
        guint64 first = g_ascii_strtoull(list, &rest, 10);
        guint64 last = first;
        if (*rest == '-') {
            last = g_ascii_strtoull(rest + 1, &rest, 10);
        }
        if (rest == list || last < first || last >= CPUS_MAX) {
            break;
        }
        for (unsigned i = (unsigned)first; i <= last; i++) {
            n += !(map[i / 8] & 1U << i % 8);
            map[i / 8] |= (uint8_t)(1U << i % 8);
            end = MAX(end, i + 1);
        }
        list = rest + strspn(rest, ",\n ");
    }
    *ret_end = end;
    return n;
}

static unsigned read_mhz(const char *root)
{
    g_autofree char *text = read_all(root, "/proc/cpuinfo");
    const char *line = text ? strstr(text, "cpu MHz") : NULL;
    const char *colon = line ? strchr(line, ':') : NULL;

    return colon ? (unsigned)CLAMP(g_ascii_strtod(colon + 1, NULL), 0, 1e6) : 0;
}

static uint64_t topology(const char *root, unsigned cpu, const char *what)
{
    g_autofree char *path = g_strdup_printf("/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
    uint64_t value = 0;

    host_number(root, path, &value);
    return value;
}

/* How the online CPUs are spread; if that isn't even, they are all cores of one socket. */
static void read_topology(const char *root, HostCpus *cpus)
{
    g_autoptr(GHashTable) sockets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) cores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; i < cpus->present; i++) {
        if (cpus->map[i / 8] & 1U << i % 8) {
            uint64_t socket = topology(root, i, "physical_package_id");
            uint64_t core = topology(root, i, "core_id");
            g_hash_table_add(sockets, g_strdup_printf("%" G_GUINT64_FORMAT, socket));
            g_hash_table_add(
                cores, g_strdup_printf("%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT, socket, core));
        }
    }
    unsigned n_sockets = MAX(g_hash_table_size(sockets), 1);
    unsigned n_cores = MAX(g_hash_table_size(cores), 1);
    cpus->nodes = host_nodes(root);
    cpus->sockets = n_sockets / cpus->nodes;
    cpus->cores = n_cores / n_sockets;
    cpus->threads = cpus->online / n_cores;
    if (cpus->nodes * cpus->sockets * cpus->cores * cpus->threads != cpus->online) {
        cpus->nodes = cpus->sockets = cpus->threads = 1;
        cpus->cores = cpus->online;
    }
}

void host_cpus(const char *root, HostCpus *ret)
{
    g_autofree char *present = host_line(root, "/sys/devices/system/cpu/present");
    g_autofree char *online = host_line(root, "/sys/devices/system/cpu/online");
    g_autofree uint8_t *all = g_malloc0(CPUS_MAX / 8);
    unsigned end = 0;

    *ret = (HostCpus){ .map = g_malloc0(CPUS_MAX / 8) };
    ret->online = online ? parse_list(online, ret->map, &end) : 0;
    if (!ret->online) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        g_autofree char *list = g_strdup_printf("0-%ld", MAX(n, 1) - 1);
        ret->online = parse_list(list, ret->map, &end);
    }
    ret->present = end;
    if (present) {
        parse_list(present, all, &end);
        ret->present = MAX(ret->present, end);
    }
    ret->mhz = read_mhz(root);
    read_topology(root, ret);
}

void host_cpus_clear(HostCpus *cpus)
{
    g_clear_pointer(&cpus->map, g_free);
}

bool host_times(const char *root, int cpu, HostTimes *ret)
{
    g_autofree char *text = read_all(root, "/proc/stat");
    g_autofree char *name = cpu < 0 ? g_strdup("cpu ") : g_strdup_printf("cpu%d ", cpu);
    const char *line = text && g_str_has_prefix(text, name) ? text : NULL;
    g_autofree char *inside = g_strconcat("\n", name, NULL);
    unsigned long long t[7] = { 0 };
    uint64_t tick = UINT64_C(1000000000) / (uint64_t)MAX(sysconf(_SC_CLK_TCK), 1);

    if (!line && text) {
        line = strstr(text, inside);
        line = line ? line + 1 : NULL;
    }
    if (!line || sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1],
                        &t[2], &t[3], &t[4], &t[5], &t[6]) < 4) {
        return false;
    }
    *ret = (HostTimes){ .user = (t[0] + t[1]) * tick,
                        .kernel = (t[2] + t[5] + t[6]) * tick,
                        .idle = t[3] * tick,
                        .iowait = t[4] * tick };
    return true;
}

/* --- memory --- */

/* The number behind @name in lines of "NAME: N kB". */
static bool find_kib(const char *text, const char *name, uint64_t *ret)
{
    const char *at = text ? strstr(text, name) : NULL;

    if (at) {
        *ret = g_ascii_strtoull(at + strlen(name), NULL, 10);
    }
    return at != NULL;
}

bool host_memory(const char *root, HostMemory *ret)
{
    g_autofree char *text = read_all(root, "/proc/meminfo");
    HostMemory memory = { 0 };

    if (!find_kib(text, "MemTotal:", &memory.total) || !find_kib(text, "MemFree:", &memory.free)) {
        return false;
    }
    find_kib(text, "Buffers:", &memory.buffers);
    find_kib(text, "\nCached:", &memory.cached);
    *ret = memory;
    return true;
}

bool host_node_memory(const char *root, unsigned node, HostMemory *ret)
{
    g_autofree char *path = g_strdup_printf("/sys/devices/system/node/node%u/meminfo", node);
    g_autofree char *text = read_all(root, path);
    HostMemory memory = { 0 };

    if (!text) {
        return node == 0 && host_memory(root, ret);
    }
    if (!find_kib(text, "MemTotal:", &memory.total) || !find_kib(text, "MemFree:", &memory.free)) {
        return false;
    }
    *ret = memory;
    return true;
}

unsigned host_nodes(const char *root)
{
    g_autofree char *online = host_line(root, "/sys/devices/system/node/online");
    g_autofree uint8_t *map = g_malloc0(CPUS_MAX / 8);
    unsigned end = 0, n = online ? parse_list(online, map, &end) : 0;

    return CLAMP(n, 1, NODES_MAX);
}

bool host_free_pages(const char *root, unsigned node, unsigned kib, uint64_t *ret)
{
    g_autofree char *path = g_strdup_printf(
        "/sys/devices/system/node/node%u/hugepages/hugepages-%ukB/free_hugepages", node, kib);
    g_autofree char *whole =
        g_strdup_printf("/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", kib);
    unsigned usual = (unsigned)(sysconf(_SC_PAGESIZE) / 1024);
    HostMemory memory;

    if (kib == usual) {
        if (!host_node_memory(root, node, &memory)) {
            return false;
        }
        *ret = memory.free / usual;
        return true;
    }
    return host_number(root, path, ret) || (node == 0 && host_number(root, whole, ret));
}

/* --- firmware --- */

typedef struct SysEntry {
    const char *element; /* NULL: as above */
    const char *name;
    const char *file; /* in /sys/class/dmi/id */
} SysEntry;

static const SysEntry sys_entries[] = {
    { "bios", "vendor", "bios_vendor" },
    { NULL, "version", "bios_version" },
    { NULL, "date", "bios_date" },
    { NULL, "release", "bios_release" },
    { "system", "manufacturer", "sys_vendor" },
    { NULL, "product", "product_name" },
    { NULL, "version", "product_version" },
    { NULL, "serial", "product_serial" },
    { NULL, "uuid", "product_uuid" },
    { NULL, "sku", "product_sku" },
    { NULL, "family", "product_family" },
    { "baseBoard", "manufacturer", "board_vendor" },
    { NULL, "product", "board_name" },
    { NULL, "version", "board_version" },
    { NULL, "serial", "board_serial" },
    { NULL, "asset", "board_asset_tag" },
    { "chassis", "manufacturer", "chassis_vendor" },
    { NULL, "version", "chassis_version" },
    { NULL, "serial", "chassis_serial" },
    { NULL, "asset", "chassis_asset_tag" },
};

char *host_sysinfo(const char *root)
{
    XmlWriter *writer = xml_writer_new();
    const char *open = NULL, *element = NULL;
    bool any = false;

    xml_open(writer, "sysinfo");
    xml_put(writer, "type", "smbios");
    for (unsigned i = 0; i < G_N_ELEMENTS(sys_entries); i++) {
        const SysEntry *entry = &sys_entries[i];
        g_autofree char *path = g_strconcat("/sys/class/dmi/id/", entry->file, NULL);
        g_autofree char *value = host_line(root, path);
        element = entry->element ? entry->element : element;
        if (!value) {
            continue;
        }
        if (open != element) {
            if (open) {
                xml_close(writer, open);
            }
            xml_open(writer, element);
            open = element;
        }
        xml_open(writer, "entry");
        xml_put(writer, "name", entry->name);
        xml_put_text(writer, value);
        xml_close(writer, "entry");
        any = true;
    }
    if (open) {
        xml_close(writer, open);
    }
    xml_close(writer, "sysinfo");
    g_autofree char *xml = xml_writer_end(writer);
    return any ? g_steal_pointer(&xml) : NULL;
}
