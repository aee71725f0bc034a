/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain takes of the host, and what it does; see domain_usage.h.
 */
#include "manager/domain_usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/program.h"
#include "manager/domain_devices.h"
#include "manager/domains.h"
#include "wire/json.h"

/* ---- the host's view ---- */

/* What a stat file of /proc says. */
typedef struct Times {
    char name[32];
    uint64_t user_ns, system_ns;
    int cpu;
} Times;

static bool read_times(const char *path, Times *ret)
{
    g_autofree char *text = NULL;
    uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    unsigned long user, system;
    int cpu = 0;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return false;
    }
    const char *begin = strchr(text, '('), *end = strrchr(text, ')');
    /* fields 14, 15 and 39; the name before them may hold anything */
    if (!begin || !end ||
        sscanf(end + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d "
               "%*u %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
               &user, &system, &cpu) != 3) {
        return false;
    }
    g_strlcpy(ret->name, begin + 1, MIN(sizeof(ret->name), (size_t)(end - begin)));
    ret->user_ns = user * tick_ns;
    ret->system_ns = system * tick_ns;
    ret->cpu = cpu;
    return true;
}

static uint64_t read_rss(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/statm", pid);
    g_autofree char *text = NULL;
    unsigned long pages = 0;

    if (g_file_get_contents(path, &text, NULL, NULL)) {
        sscanf(text, "%*u %lu", &pages);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The threads that are vCPUs. */
static void add_threads(int pid, DomainUsage *ret)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/task", pid);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        g_autofree char *path = g_strdup_printf("%s/%s/stat", folder, name);
        Times times;

        if (!read_times(path, &times) || !g_str_has_prefix(times.name, "vcpu-")) {
            continue;
        }
        unsigned long index = strtoul(times.name + strlen("vcpu-"), NULL, 10);
        if (index < USAGE_CPUS_MAX) {
            ret->vcpu_ns[index] = times.user_ns + times.system_ns;
            ret->vcpu_on[index] = times.cpu;
            ret->n_vcpus = MAX(ret->n_vcpus, (unsigned)index + 1);
        }
    }
}

static void add_process(int pid, DomainUsage *ret)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    Times times;

    if (read_times(path, &times)) {
        ret->user_ns += times.user_ns;
        ret->system_ns += times.system_ns;
        ret->rss += read_rss(pid);
        add_threads(pid, ret);
    }
}

void domain_usage(Domain *domain, DomainUsage *ret)
{
    *ret = (DomainUsage){ 0 };
    g_mutex_lock(&domain->mutex);
    int pid = domain->process >= 0 ? (int)domain->pid : 0;
    g_mutex_unlock(&domain->mutex);
    if (!pid) {
        return;
    }
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
    g_autofree char *text = NULL;
    add_process(pid, ret);
    if (g_file_get_contents(path, &text, NULL, NULL)) {
        g_auto(GStrv) children = g_strsplit(text, " ", 16);
        for (char **child = children; *child; child++) {
            if (atoi(*child) > 0) {
                add_process(atoi(*child), ret);
            }
        }
    }
}

/* ---- the VM's view ---- */

static uint64_t count(JsonObject *object, const char *name)
{
    int64_t value = monitor_number(object, name, 0);

    return value > 0 ? (uint64_t)value : 0;
}

static void take_disk(JsonObject *element, DomainDiskUsage *ret)
{
    JsonObject *stats = monitor_object(element, "stats");
    JsonObject *image = monitor_object(monitor_object(element, "inserted"), "image");

    if (stats) {
        ret->rd_bytes = count(stats, "rd_bytes");
        ret->rd_requests = count(stats, "rd_operations");
        ret->rd_ns = count(stats, "rd_total_time_ns");
        ret->wr_bytes = count(stats, "wr_bytes");
        ret->wr_requests = count(stats, "wr_operations");
        ret->wr_ns = count(stats, "wr_total_time_ns");
        ret->flushes = count(stats, "flush_operations");
        ret->flush_ns = count(stats, "flush_total_time_ns");
    }
    if (image) {
        ret->capacity = count(image, "virtual-size");
        ret->allocation = count(image, "actual-size");
    }
}

/* Give what the VM says of each disk to it. */
static void take_disks(Domain *domain, JsonNode *answer, DomainDiskUsage *all, unsigned n)
{
    g_mutex_lock(&domain->mutex);
    for (unsigned i = 0; domain->live && i < MIN(n, domain->live->disks->len); i++) {
        g_autofree char *name = domain_disk_vm_name(domain, i);
        JsonObject *element;

        for (unsigned k = 0; (element = monitor_element(answer, k)); k++) {
            if (!strcmp(monitor_text(element, "qdev", ""), name)) {
                take_disk(element, &all[i]);
            }
        }
    }
    g_mutex_unlock(&domain->mutex);
}

/* How large the files are, as the host sees them. */
static void take_files(Domain *domain, DomainDiskUsage *all, unsigned n)
{
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);

    for (unsigned i = 0; i < MIN(n, config->disks->len); i++) {
        const char *file = domain_disk_file(config->disks->pdata[i]);
        struct stat st;

        if (file && !stat(file, &st)) {
            all[i].physical = (uint64_t)st.st_size;
        }
    }
}

static unsigned length_of(Domain *domain, bool disks)
{
    g_mutex_lock(&domain->mutex);
    unsigned n = !domain->live ? 0
                 : disks       ? domain->live->disks->len
                               : domain->live->interfaces->len;
    g_mutex_unlock(&domain->mutex);
    return n;
}

DomainDiskUsage *domain_disk_usage(Domain *domain, unsigned *ret_n, GError **error)
{
    unsigned n = length_of(domain, true);
    g_autofree DomainDiskUsage *all = g_new0(DomainDiskUsage, n + 1);

    if (n && !domain->domains->fake) {
        g_autoptr(JsonNode) stats = domain_query(domain, "query-blockstats", NULL, error);
        g_autoptr(JsonNode) images =
            stats ? domain_query(domain, "query-block", NULL, error) : NULL;
        if (!images) {
            return NULL;
        }
        take_disks(domain, stats, all, n);
        take_disks(domain, images, all, n);
    }
    take_files(domain, all, n);
    *ret_n = n;
    return g_steal_pointer(&all);
}

/* Of an image that nobody runs, insula-disk knows how large the disk in it is. */
static uint64_t ask_capacity(const char *file, const char *format)
{
    g_autofree char *program = program_find("insula-disk", "disk");
    g_autofree char *text = NULL;
    const char *words[] = { program, "info", "--json", "--format", format, file, NULL };

    if (!program || !g_spawn_sync(NULL, (char **)(uintptr_t)words, NULL, G_SPAWN_STDERR_TO_DEV_NULL,
                                  NULL, NULL, &text, NULL, NULL, NULL)) {
        return 0;
    }
    g_autoptr(JsonNode) node = wire_json_parse(text, strlen(text), NULL);
    JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    return count(object, "virtual-size");
}

static bool stat_image(const DomainDisk *disk, DomainDiskUsage *ret, GError **error)
{
    const char *file = domain_disk_file(disk);
    const char *format = disk->driver && disk->driver->type ? disk->driver->type : "raw";
    struct stat st;

    if (!file || stat(file, &st)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: disk '%s' has no file that can be looked at",
                         disk->target->dev);
        return false;
    }
    ret->physical = (uint64_t)st.st_size;
    ret->allocation = (uint64_t)st.st_blocks * 512;
    ret->capacity = strcmp(format, "raw") ? ask_capacity(file, format) : ret->physical;
    return true;
}

bool domain_image_usage(Domain *domain, const char *path, DomainDiskUsage *ret, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    unsigned index = 0, n = 0;
    const DomainDisk *disk = domain_disk_named(config, path, &index);

    *ret = (DomainDiskUsage){ 0 };
    if (!disk) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: invalid path %s not assigned to domain", path);
        return false;
    }
    if (!domain_is_active(domain) || domain->domains->fake) {
        return stat_image(disk, ret, error);
    }
    g_autofree DomainDiskUsage *all = domain_disk_usage(domain, &n, error);
    if (all && index < n) {
        *ret = all[index];
    }
    return all != NULL;
}

DomainNetUsage *domain_net_usage(Domain *domain, unsigned *ret_n, GError **error)
{
    unsigned n = length_of(domain, false);
    g_autofree DomainNetUsage *all = g_new0(DomainNetUsage, n + 1);
    g_autoptr(JsonNode) answer = NULL;

    *ret_n = n;
    if (!n || domain->domains->fake) {
        return g_steal_pointer(&all);
    }
    answer = domain_query(domain, "__insula_query-netstats", NULL, error);
    if (!answer) {
        return NULL;
    }
    g_mutex_lock(&domain->mutex);
    for (unsigned i = 0; domain->live && i < MIN(n, domain->live->interfaces->len); i++) {
        g_autofree char *name = domain_interface_vm_name(domain, i);
        JsonObject *element;

        for (unsigned k = 0; (element = monitor_element(answer, k)); k++) {
            if (!strcmp(monitor_text(element, "device", ""), name)) {
                all[i] = (DomainNetUsage){
                    count(element, "rx-bytes"),   count(element, "rx-packets"),
                    count(element, "rx-dropped"), count(element, "tx-bytes"),
                    count(element, "tx-packets"), count(element, "tx-dropped"),
                };
            }
        }
    }
    g_mutex_unlock(&domain->mutex);
    return g_steal_pointer(&all);
}

/* The balloon's numbers, and libvirt's tags of them; bytes become KiB where .kib. */
static const struct {
    const char *name;
    int tag;
    bool kib;
} balloon_stats[] = {
    { "stat-swap-in", 0, true },          { "stat-swap-out", 1, true },
    { "stat-major-faults", 2, false },    { "stat-minor-faults", 3, false },
    { "stat-free-memory", 4, true },      { "stat-total-memory", 5, true },
    { "stat-available-memory", 8, true }, { "stat-disk-caches", 10, true },
    { "stat-htlb-pgalloc", 11, false },   { "stat-htlb-pgfail", 12, false },
};
enum { TAG_ACTUAL = 6, TAG_RSS = 7, TAG_LAST_UPDATE = 9 };

static void add_stat(GArray *stats, int tag, uint64_t value)
{
    const RemoteMemoryStat stat = { .tag = tag, .val = value };

    g_array_append_val(stats, stat);
}

static void add_balloon(Domain *domain, GArray *stats)
{
    JsonObject *args = json_object_new();

    json_object_set_string_member(args, "path", "/machine/peripheral/balloon0");
    json_object_set_string_member(args, "property", "guest-stats");
    g_autoptr(JsonNode) node = domain_query(domain, "qom-get", args, NULL);
    JsonObject *answer = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    JsonObject *values = monitor_object(answer, "stats");
    for (unsigned i = 0; values && i < G_N_ELEMENTS(balloon_stats); i++) {
        int64_t value = monitor_number(values, balloon_stats[i].name, -1);
        if (value >= 0) {
            add_stat(stats, balloon_stats[i].tag,
                     (uint64_t)value / (balloon_stats[i].kib ? 1024 : 1));
        }
    }
    if (values) {
        add_stat(stats, TAG_LAST_UPDATE, count(answer, "last-update"));
    }
}

RemoteMemoryStat *domain_memory_usage(Domain *domain, unsigned *ret_n)
{
    GArray *stats = g_array_new(FALSE, FALSE, sizeof(RemoteMemoryStat));
    DomainUsage usage;

    g_mutex_lock(&domain->mutex);
    if (domain->live) {
        add_stat(stats, TAG_ACTUAL, domain->live->current_memory / 1024);
    }
    g_mutex_unlock(&domain->mutex);
    add_balloon(domain, stats);
    domain_usage(domain, &usage);
    add_stat(stats, TAG_RSS, usage.rss / 1024);
    *ret_n = stats->len;
    return (RemoteMemoryStat *)(void *)g_array_free(stats, FALSE);
}
