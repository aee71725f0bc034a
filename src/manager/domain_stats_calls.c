/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that ask how a domain does: times, memory, disks, networks, all of it at once.
 *
 * Threads: workers.
 * Read first: manager/domain_usage.h.
 */
#include <string.h>

#include "manager/domain_devices.h"
#include "manager/domain_find.h"
#include "manager/domain_usage.h"
#include "manager/domains.h"

static bool not_running(GError **error)
{
    remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                     "Requested operation is not valid: domain is not running");
    return false;
}

/* The domain of @args, which must run; a reference. */
static Domain *running(const Call *call, const void *args, GError **error)
{
    Domain *domain = call_domain(call, args, error);

    if (domain && !domain_is_active(domain)) {
        not_running(error);
        g_clear_pointer(&domain, domain_unref);
    }
    return domain;
}

/* ---- one at a time ---- */

static bool get_info(Call *call, const void *args, void *ret, GError **error)
{
    RemoteDomainGetInfoRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    DomainUsage usage;

    if (!domain) {
        return false;
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    domain_usage(domain, &usage);
    g_mutex_lock(&domain->mutex);
    out->state = (uint8_t)domain->state;
    g_mutex_unlock(&domain->mutex);
    out->max_mem = config->memory / 1024;
    out->memory = config->current_memory / 1024;
    out->nr_virt_cpu = (uint16_t)domain_vcpus(config, false);
    out->cpu_time = usage.user_ns + usage.system_ns;
    return true;
}

static bool get_vcpus(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetVcpusArgs *in = args;
    RemoteDomainGetVcpusRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    DomainUsage usage;

    if (!domain) {
        return false;
    }
    if (in->maxinfo < 0 || in->maplen < 0 || in->maxinfo > 4096 || in->maplen > 4096) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG, "invalid argument: too many vCPUs");
        return false;
    }
    domain_usage(domain, &usage);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    unsigned n = (unsigned)MIN((int32_t)domain_vcpus(config, false), in->maxinfo);
    unsigned host = (unsigned)g_get_num_processors();
    out->info = g_new0(RemoteVcpuInfo, n);
    out->n_info = n;
    out->n_cpumaps = n * (unsigned)in->maplen;
    out->cpumaps = g_malloc0(MAX(out->n_cpumaps, 1U));
    for (unsigned i = 0; i < n; i++) {
        out->info[i] = (RemoteVcpuInfo){ .number = i, .state = 1 };
        if (i < USAGE_CPUS_MAX) {
            out->info[i].cpu_time = usage.vcpu_ns[i];
            out->info[i].cpu = usage.vcpu_on[i];
        }
        for (unsigned cpu = 0; cpu < host && cpu / 8 < (unsigned)in->maplen; cpu++) {
            out->cpumaps[i * (unsigned)in->maplen + cpu / 8] |= (uint8_t)(1U << (cpu % 8));
        }
    }
    return true;
}

static bool memory_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainMemoryStatsArgs *in = args;
    RemoteDomainMemoryStatsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    unsigned n = 0;

    if (!domain) {
        return false;
    }
    out->stats = domain_memory_usage(domain, &n);
    out->n_stats = MIN(n, in->max_stats);
    return true;
}

/* What is known of the disk that a client calls @path; an empty path means all. */
static bool one_disk(Domain *domain, const char *path, DomainDiskUsage *ret, GError **error)
{
    unsigned n = 0, index = 0;
    g_autofree DomainDiskUsage *all = domain_disk_usage(domain, &n, error);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);

    if (!all) {
        return false;
    }
    *ret = (DomainDiskUsage){ 0 };
    if (!*path) {
        for (unsigned i = 0; i < n; i++) {
            ret->rd_bytes += all[i].rd_bytes;
            ret->rd_requests += all[i].rd_requests;
            ret->wr_bytes += all[i].wr_bytes;
            ret->wr_requests += all[i].wr_requests;
        }
        return true;
    }
    if (!domain_disk_named(config, path, &index) || index >= n) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG, "invalid argument: invalid path: %s", path);
        return false;
    }
    *ret = all[index];
    return true;
}

static bool block_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainBlockStatsArgs *in = args;
    RemoteDomainBlockStatsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    DomainDiskUsage usage;

    if (!domain || !one_disk(domain, in->path, &usage, error)) {
        return false;
    }
    out->rd_req = (int64_t)usage.rd_requests;
    out->rd_bytes = (int64_t)usage.rd_bytes;
    out->wr_req = (int64_t)usage.wr_requests;
    out->wr_bytes = (int64_t)usage.wr_bytes;
    out->errs = -1; /* not counted as libvirt would */
    return true;
}

static bool block_stats_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainBlockStatsFlagsArgs *in = args;
    RemoteDomainBlockStatsFlagsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    DomainDiskUsage usage;

    if (!domain || !one_disk(domain, in->path, &usage, error)) {
        return false;
    }
    GArray *params = remote_params_new();
    remote_params_llong(params, "rd_operations", (int64_t)usage.rd_requests);
    remote_params_llong(params, "rd_bytes", (int64_t)usage.rd_bytes);
    remote_params_llong(params, "rd_total_times", (int64_t)usage.rd_ns);
    remote_params_llong(params, "wr_operations", (int64_t)usage.wr_requests);
    remote_params_llong(params, "wr_bytes", (int64_t)usage.wr_bytes);
    remote_params_llong(params, "wr_total_times", (int64_t)usage.wr_ns);
    remote_params_llong(params, "flush_operations", (int64_t)usage.flushes);
    remote_params_llong(params, "flush_total_times", (int64_t)usage.flush_ns);
    remote_params_answer(params, in->nparams, &out->params, &out->n_params, &out->nparams);
    return true;
}

static bool block_info(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetBlockInfoArgs *in = args;
    RemoteDomainGetBlockInfoRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    DomainDiskUsage usage;

    if (!domain || !domain_image_usage(domain, in->path, &usage, error)) {
        return false;
    }
    out->capacity = usage.capacity;
    out->allocation = usage.allocation;
    out->physical = usage.physical;
    return true;
}

static bool interface_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainInterfaceStatsArgs *in = args;
    RemoteDomainInterfaceStatsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    unsigned n = 0, index = 0;

    if (!domain) {
        return false;
    }
    g_autofree DomainNetUsage *all = domain_net_usage(domain, &n, error);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    if (!all) {
        return false;
    }
    if (!domain_interface_named(config, in->device, &index) || index >= n) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: invalid path, '%s' is not a known interface",
                         in->device);
        return false;
    }
    out->rx_bytes = (int64_t)all[index].rx_bytes;
    out->rx_packets = (int64_t)all[index].rx_packets;
    out->rx_drop = (int64_t)all[index].rx_dropped;
    out->tx_bytes = (int64_t)all[index].tx_bytes;
    out->tx_packets = (int64_t)all[index].tx_packets;
    out->tx_drop = (int64_t)all[index].tx_dropped;
    return true;
}

static bool cpu_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetCpuStatsArgs *in = args;
    RemoteDomainGetCpuStatsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);
    DomainUsage usage;

    if (!domain) {
        return false;
    }
    if (in->start_cpu != -1) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                         "argument unsupported: times aren't counted by the host's CPUs; "
                         "use --total");
        return false;
    }
    domain_usage(domain, &usage);
    GArray *params = remote_params_new();
    remote_params_ullong(params, "cpu_time", usage.user_ns + usage.system_ns);
    remote_params_ullong(params, "user_time", usage.user_ns);
    remote_params_ullong(params, "system_time", usage.system_ns);
    remote_params_answer(params, (int32_t)in->nparams, &out->params, &out->n_params, &out->nparams);
    return true;
}

static bool disk_errors(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetDiskErrorsArgs *in = args;
    RemoteDomainGetDiskErrorsRet *out = ret;
    g_autoptr(Domain) domain = running(call, args, error);

    if (!domain) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    unsigned n = domain->disk_errors ? domain->disk_errors->len : 0;
    out->nerrors = (int32_t)n;
    out->errors = g_new0(RemoteDiskError, n);
    for (unsigned i = 0; i < MIN(n, in->maxerrors); i++) {
        out->errors[i].disk = g_strdup(domain->disk_errors->pdata[i]);
        out->errors[i].error = 1; /* not for want of room, as far as is known */
    }
    out->n_errors = MIN(n, in->maxerrors);
    g_mutex_unlock(&domain->mutex);
    return true;
}

/* ---- all at once ---- */

enum {
    STATS_STATE = 1,
    STATS_CPU = 2,
    STATS_BALLOON = 4,
    STATS_VCPU = 8,
    STATS_INTERFACE = 16,
    STATS_BLOCK = 32,
};

static void add_state(Domain *domain, GArray *params)
{
    g_mutex_lock(&domain->mutex);
    remote_params_int(params, "state.state", (int32_t)domain->state);
    remote_params_int(params, "state.reason", domain->reason);
    g_mutex_unlock(&domain->mutex);
}

static void add_cpu(Domain *domain, GArray *params)
{
    DomainUsage usage;

    if (domain_is_active(domain)) {
        domain_usage(domain, &usage);
        remote_params_ullong(params, "cpu.time", usage.user_ns + usage.system_ns);
        remote_params_ullong(params, "cpu.user", usage.user_ns);
        remote_params_ullong(params, "cpu.system", usage.system_ns);
    }
}

static void add_balloon(Domain *domain, GArray *params)
{
    static const char *const names[] = {
        "balloon.swap_in",
        "balloon.swap_out",
        "balloon.major_fault",
        "balloon.minor_fault",
        "balloon.unused",
        "balloon.available",
        NULL,
        "balloon.rss",
        "balloon.usable",
        "balloon.last-update",
        "balloon.disk_caches",
        "balloon.hugetlb_pgalloc",
        "balloon.hugetlb_pgfail",
    };
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    unsigned n = 0;

    remote_params_ullong(params, "balloon.current", config->current_memory / 1024);
    remote_params_ullong(params, "balloon.maximum", config->memory / 1024);
    if (domain_is_active(domain)) {
        g_autofree RemoteMemoryStat *stats = domain_memory_usage(domain, &n);
        for (unsigned i = 0; i < n; i++) {
            if ((unsigned)stats[i].tag < G_N_ELEMENTS(names) && names[stats[i].tag]) {
                remote_params_ullong(params, names[stats[i].tag], stats[i].val);
            }
        }
    }
}

static void add_vcpus(Domain *domain, GArray *params)
{
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    unsigned n = domain_vcpus(config, false);
    DomainUsage usage;

    remote_params_uint(params, "vcpu.current", n);
    remote_params_uint(params, "vcpu.maximum", domain_vcpus(config, true));
    domain_usage(domain, &usage);
    for (unsigned i = 0; domain_is_active(domain) && i < MIN(n, USAGE_CPUS_MAX); i++) {
        g_autofree char *state = g_strdup_printf("vcpu.%u.state", i);
        g_autofree char *time = g_strdup_printf("vcpu.%u.time", i);
        remote_params_int(params, state, 1);
        remote_params_ullong(params, time, usage.vcpu_ns[i]);
    }
}

static void add_number(GArray *params, const char *group, unsigned index, const char *name,
                       uint64_t value)
{
    g_autofree char *field = g_strdup_printf("%s.%u.%s", group, index, name);

    remote_params_ullong(params, field, value);
}

static void add_text(GArray *params, const char *group, unsigned index, const char *name,
                     const char *value)
{
    g_autofree char *field = g_strdup_printf("%s.%u.%s", group, index, name);

    remote_params_string(params, field, value);
}

static void add_interfaces(Domain *domain, GArray *params)
{
    unsigned n = 0;
    g_autofree DomainNetUsage *all = domain_net_usage(domain, &n, NULL);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);

    n = all && domain_is_active(domain) ? MIN(n, config->interfaces->len) : 0;
    if (n) {
        remote_params_uint(params, "net.count", n);
    }
    for (unsigned i = 0; i < n; i++) {
        const DomainInterface *card = config->interfaces->pdata[i];
        add_text(params, "net", i, "name",
                 card->target && card->target->dev ? card->target->dev : "");
        add_number(params, "net", i, "rx.bytes", all[i].rx_bytes);
        add_number(params, "net", i, "rx.pkts", all[i].rx_packets);
        add_number(params, "net", i, "rx.errs", 0);
        add_number(params, "net", i, "rx.drop", all[i].rx_dropped);
        add_number(params, "net", i, "tx.bytes", all[i].tx_bytes);
        add_number(params, "net", i, "tx.pkts", all[i].tx_packets);
        add_number(params, "net", i, "tx.errs", 0);
        add_number(params, "net", i, "tx.drop", all[i].tx_dropped);
    }
}

static void add_disk(GArray *params, unsigned i, const DomainDiskUsage *usage)
{
    add_number(params, "block", i, "rd.reqs", usage->rd_requests);
    add_number(params, "block", i, "rd.bytes", usage->rd_bytes);
    add_number(params, "block", i, "rd.times", usage->rd_ns);
    add_number(params, "block", i, "wr.reqs", usage->wr_requests);
    add_number(params, "block", i, "wr.bytes", usage->wr_bytes);
    add_number(params, "block", i, "wr.times", usage->wr_ns);
    add_number(params, "block", i, "fl.reqs", usage->flushes);
    add_number(params, "block", i, "fl.times", usage->flush_ns);
    add_number(params, "block", i, "allocation", usage->allocation);
    add_number(params, "block", i, "capacity", usage->capacity);
    add_number(params, "block", i, "physical", usage->physical);
}

static void add_disks(Domain *domain, GArray *params)
{
    unsigned n = 0;
    g_autofree DomainDiskUsage *all = domain_disk_usage(domain, &n, NULL);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);

    remote_params_uint(params, "block.count", config->disks->len);
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DomainDisk *disk = config->disks->pdata[i];
        add_text(params, "block", i, "name", disk->target->dev);
        if (domain_disk_file(disk)) {
            add_text(params, "block", i, "path", domain_disk_file(disk));
        }
        if (all && i < n) {
            add_disk(params, i, &all[i]);
        }
    }
}

static const struct {
    unsigned bit;
    void (*add)(Domain *domain, GArray *params);
} groups[] = {
    { STATS_STATE, add_state },          { STATS_CPU, add_cpu },
    { STATS_BALLOON, add_balloon },      { STATS_VCPU, add_vcpus },
    { STATS_INTERFACE, add_interfaces }, { STATS_BLOCK, add_disks },
};

static void fill(Domain *domain, unsigned stats, RemoteDomainStats *ret)
{
    GArray *params = remote_params_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        if (!stats || stats & groups[i].bit) {
            groups[i].add(domain, params);
        }
    }
    domain_reply(domain, &ret->dom);
    ret->params = remote_params_steal(params, &ret->n_params);
}

/* The domains that a client names, or all. */
static GPtrArray *chosen(const Call *call, const RemoteConnectGetAllDomainStatsArgs *in,
                         GError **error)
{
    g_autoptr(GPtrArray) list = NULL;

    if (!in->n_doms) {
        return domains_list(call_daemon(call)->domains);
    }
    list = g_ptr_array_new_with_free_func((GDestroyNotify)domain_unref);
    for (unsigned i = 0; i < in->n_doms; i++) {
        Domain *domain = domains_find(call_daemon(call)->domains, &in->doms[i], error);
        if (!domain) {
            return NULL;
        }
        g_ptr_array_add(list, domain);
    }
    return g_steal_pointer(&list);
}

static bool all_stats(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectGetAllDomainStatsArgs *in = args;
    RemoteConnectGetAllDomainStatsRet *out = ret;
    g_autoptr(GPtrArray) list = chosen(call, in, error);
    enum { FLAGS_LIST = 0xff, FLAGS_NOWAIT = 1 << 29, FLAGS_BACKING = 1 << 30 };
    unsigned enforce = 1U << 31, known = 1 | 2 | 4 | 8 | 16 | 32;

    if (!list) {
        return false;
    }
    if (in->flags & enforce && in->stats & ~known) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                         "argument unsupported: Stats types bits 0x%x are not supported by this "
                         "daemon or QEMU",
                         in->stats & ~known);
        return false;
    }
    out->ret_stats = g_new0(RemoteDomainStats, list->len);
    for (unsigned i = 0; i < list->len; i++) {
        if (domain_matches(list->pdata[i], in->flags & FLAGS_LIST)) {
            fill(list->pdata[i], in->stats, &out->ret_stats[out->n_ret_stats++]);
        }
    }
    return true;
}

const CallRow domain_stats_calls[] = {
    { REMOTE_PROC_CONNECT_GET_ALL_DOMAIN_STATS, all_stats },
    { REMOTE_PROC_DOMAIN_BLOCK_STATS, block_stats },
    { REMOTE_PROC_DOMAIN_BLOCK_STATS_FLAGS, block_stats_flags },
    { REMOTE_PROC_DOMAIN_GET_BLOCK_INFO, block_info },
    { REMOTE_PROC_DOMAIN_GET_CPU_STATS, cpu_stats },
    { REMOTE_PROC_DOMAIN_GET_DISK_ERRORS, disk_errors },
    { REMOTE_PROC_DOMAIN_GET_INFO, get_info },
    { REMOTE_PROC_DOMAIN_GET_VCPUS, get_vcpus },
    { REMOTE_PROC_DOMAIN_INTERFACE_STATS, interface_stats },
    { REMOTE_PROC_DOMAIN_MEMORY_STATS, memory_stats },
    { 0 },
};
