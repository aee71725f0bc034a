/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls about the host, and about what this daemon can do.
 *
 * Threads: workers; rows with "inline" on the main thread.
 */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/program.h"
#include "config/identity.h"
#include "manager/capabilities.h"
#include "manager/describe.h"
#include "manager/dispatch.h"
#include "manager/host.h"
#include "manager/storage_reply.h"

enum { CELLS_MAX = 1024 };

static bool get_hostname(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetHostnameRet *)ret)->hostname = g_strdup(g_get_host_name());
    return true;
}

static bool get_max_vcpus(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectGetMaxVcpusArgs *in = args;
    unsigned max = 0;
    bool done = capabilities_max_vcpus(call_daemon(call)->capabilities, in->type, &max, error);

    ((RemoteConnectGetMaxVcpusRet *)ret)->max_vcpus = (int32_t)max;
    return done;
}

/* --- what VMs can be made of --- */

static bool get_capabilities(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetCapabilitiesRet *)ret)->capabilities =
        capabilities_format(call_daemon(call)->capabilities);
    return true;
}

static bool get_domain_capabilities(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectGetDomainCapabilitiesArgs *in = args;
    RemoteConnectGetDomainCapabilitiesRet *out = ret;

    return reply_text(capabilities_format_domain(call_daemon(call)->capabilities, in->emulatorbin,
                                                 in->arch, in->machine, in->virttype, error),
                      &out->capabilities);
}

static bool get_cpu_models(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectGetCpuModelNamesArgs *in = args;
    RemoteConnectGetCpuModelNamesRet *out = ret;
    const char *const *models =
        capabilities_cpu_models(call_daemon(call)->capabilities, in->arch, error);

    if (!models) {
        return false;
    }
    out->ret = (int32_t)g_strv_length((GStrv)models);
    if (in->need_results) {
        reply_names(g_strdupv((GStrv)models), out->ret, &out->models, &out->n_models);
    }
    return true;
}

/* --- CPUs --- */

static bool cannot_tell(GError **error, const char *what)
{
    remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                     "operation failed: the host's kernel does not tell %s", what);
    return false;
}

static bool get_info(Call *call, const void *args, void *ret, GError **error)
{
    RemoteNodeGetInfoRet *out = ret;
    HostMemory memory;
    HostCpus cpus;
    struct utsname name;

    if (!host_memory("", &memory) || uname(&name) < 0) {
        return cannot_tell(error, "its memory");
    }
    host_cpus("", &cpus);
    g_strlcpy(out->model, name.machine, sizeof(out->model));
    out->memory = memory.total;
    out->cpus = (int32_t)cpus.online;
    out->mhz = (int32_t)cpus.mhz;
    out->nodes = (int32_t)cpus.nodes;
    out->sockets = (int32_t)cpus.sockets;
    out->cores = (int32_t)cpus.cores;
    out->threads = (int32_t)cpus.threads;
    host_cpus_clear(&cpus);
    return true;
}

static bool get_cpu_map(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeGetCpuMapArgs *in = args;
    RemoteNodeGetCpuMapRet *out = ret;
    HostCpus cpus;

    host_cpus("", &cpus);
    out->ret = (int32_t)cpus.present;
    out->online = in->need_online ? cpus.online : 0;
    if (in->need_map) {
        out->n_cpumap = (cpus.present + 7) / 8;
        out->cpumap = g_steal_pointer(&cpus.map);
    }
    host_cpus_clear(&cpus);
    return true;
}

static bool get_cpu_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeGetCpuStatsArgs *in = args;
    RemoteNodeGetCpuStatsRet *out = ret;
    HostTimes times;

    if (in->cpu_num < -1 || !host_times("", in->cpu_num, &times)) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: Invalid cpuNum in virNodeGetCPUStats");
        return false;
    }
    const struct {
        const char *field;
        uint64_t value;
    } rows[] = { { "kernel", times.kernel },
                 { "user", times.user },
                 { "idle", times.idle },
                 { "iowait", times.iowait } };
    out->nparams = in->nparams ? 0 : G_N_ELEMENTS(rows);
    out->n_params = (uint32_t)CLAMP(in->nparams, 0, (int32_t)G_N_ELEMENTS(rows));
    out->params = g_new0(RemoteNodeCpuStat, out->n_params);
    for (uint32_t i = 0; i < out->n_params; i++) {
        out->params[i] = (RemoteNodeCpuStat){ g_strdup(rows[i].field), rows[i].value };
    }
    return true;
}

/* --- memory --- */

static bool get_memory_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeGetMemoryStatsArgs *in = args;
    RemoteNodeGetMemoryStatsRet *out = ret;
    bool all = in->cell_num == -1;
    HostMemory memory;

    if (in->cell_num < -1 ||
        !(all ? host_memory("", &memory) : host_node_memory("", (unsigned)in->cell_num, &memory))) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: cellNum in virNodeGetMemoryStats must be less than or "
                         "equal to %u",
                         host_nodes("") - 1);
        return false;
    }
    const struct {
        const char *field;
        uint64_t value;
    } rows[] = { { "total", memory.total },
                 { "free", memory.free },
                 { "buffers", memory.buffers },
                 { "cached", memory.cached } };
    int32_t n = all ? 4 : 2;
    out->nparams = in->nparams ? 0 : n;
    out->n_params = (uint32_t)CLAMP(in->nparams, 0, n);
    out->params = g_new0(RemoteNodeMemoryStat, out->n_params);
    for (uint32_t i = 0; i < out->n_params; i++) {
        out->params[i] = (RemoteNodeMemoryStat){ g_strdup(rows[i].field), rows[i].value };
    }
    return true;
}

static bool get_free_memory(Call *call, const void *args, void *ret, GError **error)
{
    HostMemory memory;

    if (!host_memory("", &memory)) {
        return cannot_tell(error, "its memory");
    }
    ((RemoteNodeGetFreeMemoryRet *)ret)->free_mem = memory.free * 1024;
    return true;
}

static bool cells_fit(int64_t first, int64_t n, GError **error)
{
    if (first < 0 || n < 1 || n > CELLS_MAX || first >= (int64_t)host_nodes("")) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: start cell %d out of range (0-%u)", (int)first,
                         host_nodes("") - 1);
        return false;
    }
    return true;
}

static bool get_cells_free_memory(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeGetCellsFreeMemoryArgs *in = args;
    RemoteNodeGetCellsFreeMemoryRet *out = ret;

    if (!cells_fit(in->start_cell, in->maxcells, error)) {
        return false;
    }
    unsigned end = MIN(host_nodes(""), (unsigned)in->start_cell + (unsigned)in->maxcells);
    out->n_cells = end - (unsigned)in->start_cell;
    out->cells = g_new0(uint64_t, out->n_cells);
    for (uint32_t i = 0; i < out->n_cells; i++) {
        HostMemory memory = { 0 };
        host_node_memory("", (unsigned)in->start_cell + i, &memory);
        out->cells[i] = memory.free * 1024;
    }
    return true;
}

static bool get_free_pages(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeGetFreePagesArgs *in = args;
    RemoteNodeGetFreePagesRet *out = ret;

    if (!cells_fit(in->start_cell, in->cell_count, error)) {
        return false;
    }
    if (in->n_pages > CELLS_MAX) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: too many sizes of pages");
        return false;
    }
    unsigned first = (unsigned)in->start_cell;
    unsigned n = MIN(in->cell_count, host_nodes("") - first);
    out->counts = g_new0(uint64_t, (size_t)n * in->n_pages + 1);
    for (unsigned cell = 0; cell < n; cell++) {
        for (uint32_t i = 0; i < in->n_pages; i++) {
            if (!host_free_pages("", first + cell, in->pages[i], &out->counts[out->n_counts++])) {
                remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                                 "operation failed: page size %u is not available on node %u",
                                 in->pages[i], first + cell);
                return false;
            }
        }
    }
    return true;
}

static bool get_sysinfo(Call *call, const void *args, void *ret, GError **error)
{
    RemoteConnectGetSysinfoRet *out = ret;

    if (!reply_text(host_sysinfo(""), &out->sysinfo)) {
        remote_error_set(error, REMOTE_ERR_CONFIG_UNSUPPORTED,
                         "unsupported configuration: Host SMBIOS information is not available");
        return false;
    }
    return true;
}

const CallRow host_calls[] = {
    { REMOTE_PROC_CONNECT_GET_HOSTNAME, get_hostname },
    { REMOTE_PROC_CONNECT_GET_MAX_VCPUS, get_max_vcpus },
    { REMOTE_PROC_CONNECT_GET_SYSINFO, get_sysinfo },
    { REMOTE_PROC_CONNECT_GET_CAPABILITIES, get_capabilities },
    { REMOTE_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, get_domain_capabilities },
    { REMOTE_PROC_CONNECT_GET_CPU_MODEL_NAMES, get_cpu_models },
    { REMOTE_PROC_NODE_GET_INFO, get_info },
    { REMOTE_PROC_NODE_GET_CPU_MAP, get_cpu_map },
    { REMOTE_PROC_NODE_GET_CPU_STATS, get_cpu_stats },
    { REMOTE_PROC_NODE_GET_MEMORY_STATS, get_memory_stats },
    { REMOTE_PROC_NODE_GET_FREE_MEMORY, get_free_memory },
    { REMOTE_PROC_NODE_GET_CELLS_FREE_MEMORY, get_cells_free_memory },
    { REMOTE_PROC_NODE_GET_FREE_PAGES, get_free_pages },
    { 0 },
};

/* --- the part of the daemon --- */

/* The host's own UUID: the firmware's, or what the system was given when it was installed. */
static void read_uuid(uint8_t uuid[16])
{
    g_autofree char *firmware = host_line("", "/sys/class/dmi/id/product_uuid");
    g_autofree char *id = host_line("", "/etc/machine-id");

    if (firmware && uuid_parse(firmware, uuid)) {
        return;
    }
    if (id && strlen(id) == 32) {
        g_autofree char *text =
            g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
        uuid_parse(text, uuid);
    }
}

static bool start(Daemon *daemon, GError **error)
{
    g_autofree char *emulator = program_find("insula-vm", "vm");
    CapabilitiesHost host = { .emulator = emulator ? emulator : "insula-vm",
                              .describe = describe_text,
                              .kvm = capabilities_host_kvm(),
                              .page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024 };
    HostMemory memory = { 0 };
    HostCpus cpus;

    host_memory("", &memory);
    host_cpus("", &cpus);
    host.memory_kib = memory.total;
    host.cpus = cpus.online;
    host_cpus_clear(&cpus);
    read_uuid(host.uuid);
    daemon->capabilities = capabilities_new(&host, error);
    return daemon->capabilities != NULL;
}

static void stop(Daemon *daemon)
{
    g_clear_pointer(&daemon->capabilities, capabilities_free);
}

const DaemonPart host_part = { .name = "capabilities", .start = start, .stop = stop };
