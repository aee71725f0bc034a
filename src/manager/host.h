/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host is, as the kernel tells: CPUs, memory, firmware (proc(5), sysfs, SMBIOS 3 by way of
 * /sys/class/dmi).
 *
 * @root stands before each path: "" for this host; tests have trees of their own.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The first line of @path, without white space around it; NULL: it can't be read, or is empty.
 * Newly allocated. */
char *host_line(const char *root, const char *path);
/* The same as a number, in decimal. */
bool host_number(const char *root, const char *path, uint64_t *ret);

typedef struct HostCpus {
    unsigned online, present; /* how many */
    uint8_t *map;             /* a bit for each that is online, of .present */
    unsigned mhz;             /* 0: not told */
    unsigned nodes, sockets, cores,
        threads; /* sockets of a node, cores of those, threads of these */
} HostCpus;

void host_cpus(const char *root, HostCpus *ret);
void host_cpus_clear(HostCpus *cpus);

/* Times of a CPU, or (@cpu -1) of all, in nanoseconds. */
typedef struct HostTimes {
    uint64_t kernel, user, idle, iowait;
} HostTimes;
bool host_times(const char *root, int cpu, HostTimes *ret);

/* Memory in KiB. */
typedef struct HostMemory {
    uint64_t total, free, buffers, cached;
} HostMemory;
bool host_memory(const char *root, HostMemory *ret);
/* Of one NUMA node; .buffers and .cached are not told.  A host without nodes has node 0. */
bool host_node_memory(const char *root, unsigned node, HostMemory *ret);
/* How many NUMA nodes there are; at least 1. */
unsigned host_nodes(const char *root);
/* How many free pages of @kib KiB a node has; false: there are no such pages. */
bool host_free_pages(const char *root, unsigned node, unsigned kib, uint64_t *ret);

/* <sysinfo>; NULL: the firmware tells nothing.  Newly allocated. */
char *host_sysinfo(const char *root);
