/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bench for engines: memory, a clock, a VM and its vCPUs, a few test registers, and a watchdog,
 * so that a case is a guest of a few instructions and what must come of it.
 *
 *   gpa 0         16 MiB of RAM: guests are loaded at BENCH_CODE; page tables that map the first
 *                 4 GiB one to one stand at BENCH_TABLES, a GDT and an empty IDT at BENCH_GDT
 *   gpa D0000000  4 KiB of test registers (BENCH_MMIO)
 *   port E9h      a byte of text; port F4h: the guest's end, vcpu_run of vCPU 0 ends
 *   ports 100h to 11Fh  test ports: each access is logged; BENCH_STOP + n ends vcpu_run of vCPU n
 *
 * Threads: as engine.h; the log of accesses has a lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/x86/registers.h"
#include "engine/x86/x86.h"

enum {
    BENCH_RAM = 16 << 20,
    BENCH_CODE = 0x8000,
    BENCH_STACK = 0x20000,
    BENCH_GDT = 0x2000,
    BENCH_IDT = 0x3000,
    BENCH_DATA = 0x40000,
    BENCH_TABLES = 0x100000,
    BENCH_PORT = 0x100,
    BENCH_STOP = 0x110,
    BENCH_PORTS = 0x20,
};

#define BENCH_MMIO UINT64_C(0xd0000000)

/* Selectors in the bench's GDT. */
enum { BENCH_CS32 = 0x08, BENCH_DS = 0x10, BENCH_CS64 = 0x18, BENCH_CS16 = 0x20, BENCH_TSS = 0x28 };

typedef struct BenchAccess {
    bool mmio, write;
    uint64_t address; /* of the port or register, absolute */
    uint64_t value;   /* written, or given to the guest */
    unsigned size;
} BenchAccess;

enum { BENCH_MAX_LOG = 4096 };

typedef struct Bench {
    const Engine *engine;
    GuestMemory *memory;
    Clock *clock; /* the machine's */
    Clock *host;  /* the watchdog's */
    EngineVm *vm;
    unsigned cpus;
    EngineVcpu *vcpu[8];
    GMutex mutex;
    /* lock: mutex */
    BenchAccess log[BENCH_MAX_LOG];
    unsigned n_log;
    uint64_t read_value; /* what test registers give */
    int eoi_vector;      /* the last that the hook saw, or -1 */
    int extint_vector;   /* what the 8259s would give, or -1 */
    unsigned acks;
    GString *text; /* what came to port E9h */
    bool ended;    /* port F4h was written */
    bool hung;     /* a guest did not come back: the case has failed, the rest of it is skipped */
} Bench;

typedef struct BenchOptions {
    unsigned cpus; /* 0: 1 */
    bool manual_clock;
    uint64_t tsc_khz;
    const char *cpu_model;
    EngineTuning tuning;
} BenchOptions;

/* A bench on @engine; fails the test if the engine refuses. */
Bench *bench_new(const Engine *engine, const BenchOptions *options);
void bench_free(Bench *bench);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bench, bench_free)

/* Copy guest code to BENCH_CODE. */
void bench_load(Bench *bench, const uint8_t *start, const uint8_t *end);
#define BENCH_LOAD(bench, name) bench_load(bench, guest_##name, guest_##name##_end)

/* vCPU @index at BENCH_CODE + @offset with a stack, in the mode named; nothing else changed. */
typedef enum BenchMode { BENCH_REAL, BENCH_FLAT32, BENCH_LONG } BenchMode;
void bench_start(Bench *bench, unsigned index, BenchMode mode, uint64_t offset);
/* The state that bench_start() sets, to be changed before it is set. */
void bench_fill_state(Bench *bench, unsigned index, BenchMode mode, X86State *state);

/* An IDT entry: @vector is handled at @gpa (64-bit or 32-bit gate as the mode needs). */
void bench_handler(Bench *bench, BenchMode mode, unsigned vector, uint64_t gpa);

/* Run vCPU @index until it comes back; after 10 s it is kicked and the test has failed. */
void bench_run(Bench *bench, unsigned index, VcpuExit *exit);
/* Run vCPU @index and kick it after @ns of host time. */
void bench_run_for(Bench *bench, unsigned index, uint64_t ns, VcpuExit *exit);
/* bench_run(), and it must come back because the guest wrote its stop port. */
void bench_run_to_stop(Bench *bench, unsigned index);

void bench_get(Bench *bench, unsigned index, X86State *state);
void bench_set(Bench *bench, unsigned index, const X86State *state);

/* The @n-th logged access (fails the test if there is none). */
BenchAccess bench_log(Bench *bench, unsigned n);
void bench_clear_log(Bench *bench);
uint64_t bench_peek(Bench *bench, uint64_t gpa);
void bench_poke(Bench *bench, uint64_t gpa, uint64_t value);

/* ---- the suite ---- */

/* The translator with --check, as an engine of its own; .name is "checked". */
Engine bench_checked_engine(void);

/* Engines that have a translator see a clock driven by hand in RDTSC; KVM can't. */
bool bench_is_kvm(const Engine *engine);

typedef struct BenchCase {
    const char *name;
    void (*run)(const Engine *engine);
} BenchCase;

extern const BenchCase access_cases[], state_cases[], interrupt_cases[], debug_cases[],
    time_cases[], thread_cases[];
