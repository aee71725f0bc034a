/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a domain takes of the host, and what it does: times, memory, requests, packets.
 *
 * Times and memory come from the host's /proc; what the VM counts comes from the VM, and is numbers
 * that nobody decides anything by.
 *
 * Threads: any.
 */
#pragma once

#include "manager/domain.h"

enum { USAGE_CPUS_MAX = 64 };

typedef struct DomainUsage {
    uint64_t user_ns, system_ns; /* of the VM's processes */
    uint64_t rss;                /* bytes */
    unsigned n_vcpus;
    uint64_t vcpu_ns[USAGE_CPUS_MAX];
    int vcpu_on[USAGE_CPUS_MAX]; /* the host's CPU that it ran on last */
} DomainUsage;

typedef struct DomainDiskUsage {
    uint64_t rd_bytes, rd_requests, rd_ns, wr_bytes, wr_requests, wr_ns, flushes, flush_ns;
    uint64_t capacity, allocation, physical;
} DomainDiskUsage;

typedef struct DomainNetUsage {
    uint64_t rx_bytes, rx_packets, rx_dropped, tx_bytes, tx_packets, tx_dropped;
} DomainNetUsage;

/* All zeros when it doesn't run. */
void domain_usage(Domain *domain, DomainUsage *ret);
/* Of each disk (interface) of .live, in its order: *@ret_n of them, newly allocated.  NULL and an
 * error: it doesn't answer. */
DomainDiskUsage *domain_disk_usage(Domain *domain, unsigned *ret_n, GError **error);
DomainNetUsage *domain_net_usage(Domain *domain, unsigned *ret_n, GError **error);
/* Of the disk with target or file @path, also of a domain that doesn't run: how large it is. */
bool domain_image_usage(Domain *domain, const char *path, DomainDiskUsage *ret, GError **error);
/* What the guest's balloon driver says: pairs of libvirt's tags and values, newly allocated. */
RemoteMemoryStat *domain_memory_usage(Domain *domain, unsigned *ret_n);
