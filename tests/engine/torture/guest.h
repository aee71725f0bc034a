/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The torture guest: a flat image that all vCPUs enter in 64-bit mode, with interrupts closed and
 * the first 4 GiB mapped one to one.  The host writes what is to be done into Shared, and looks
 * there afterwards.
 *
 *   200000  the image            600000  code that changes, 64 KiB a vCPU; 680000 for all
 *   400000  Shared, 4 MiB less   700000  counters
 *           64 KiB a vCPU: stacks
 *   410000  a page table         800000  much code, 1.5 MiB a vCPU
 *   500000  pages to be mapped
 *
 * WINDOW is mapped by that page table, in pages of 4 KiB.
 */
#pragma once

#include <stdint.h>

enum {
    MAX_CPUS = 4,
    IMAGE = 0x200000,
    SHARED = 0x400000,
    STACKS = 0x3f0000, /* of vCPU 0; the others' lie below, 64 KiB apart */
    WINDOW_TABLE = 0x410000,
    POOL = 0x500000,
    MODIFIED = 0x600000,
    MODIFIED_BY_ALL = 0x680000,
    COUNTERS = 0x700000,
    MUCH_CODE = 0x800000,
    DIRECTORY = 0x103000, /* of bench.c's tables: of the second GiB */
    WINDOW = 0x40000000,
    STOP_PORT = 0x110, /* + vCPU: it has ended */
    TICK = 0x40,       /* vectors */
    SHOOTDOWN = 0x41,
};

typedef enum Op {
    OP_MODIFY,  /* each vCPU changes its own code */
    OP_CROSS,   /* one changes what all run, and all serialise */
    OP_POKE,    /* one changes what others are running, by way of INT3 */
    OP_PAGES,   /* one edits the page table under code that runs */
    OP_ATOMICS, /* all hammer the same counters, and flush each other's TLBs */
    OP_CODE,    /* more code than the cache holds */
    OP_WORK,    /* something of everything, with one result */
    OP_STEPPED, /* the same with TF set */
} Op;

typedef struct Shared {
    /* from the host */
    uint32_t op, cpus;
    uint64_t seed, rounds;
    /* to the host */
    uint32_t ready; /* interrupts may come */
    uint32_t failed, line, vcpu;
    uint64_t expected, found, round;
    uint64_t value[MAX_CPUS];
    uint64_t ticks[MAX_CPUS], nmis[MAX_CPUS], traps[MAX_CPUS], faults[MAX_CPUS];
    /* among vCPUs */
    uint32_t stop, phase, arrived, flush_lock, acknowledged;
    uint64_t flush_gva; /* 0: only be interrupted */
    uint64_t begun, done;
    uint32_t sequence[8], current[8];
} Shared;
