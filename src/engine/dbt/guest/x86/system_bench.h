/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bench for the system part: vCPUs over a little RAM and a clock driven by hand.  No guest code
 * runs: tests call the helpers that translated code would.
 *
 *   gpa 1000h GDT   2000h IDT   3000h TSS   4000h second TSS   5000h LDT
 *   8000h stack of ring 0 (grows down)   A000h stack of ring 3   10000h code   100000h tables
 *
 * Threads: one.
 */
#pragma once

#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/exec.h"

enum {
    BENCH_RAM = 4 << 20,
    BENCH_GDT = 0x1000,
    BENCH_IDT = 0x2000,
    BENCH_TSS = 0x3000,
    BENCH_TSS2 = 0x4000,
    BENCH_LDT = 0x5000,
    BENCH_STACK0 = 0x8000,
    BENCH_STACK3 = 0xa000,
    BENCH_IST1 = 0xc000,
    BENCH_PC = 0x10000,
    BENCH_HANDLER = 0x20000, /* of vector n: + n * 16 */
    BENCH_TABLES = 0x100000,
    BENCH_CPUS = 4,
};

/* Selectors in the GDT. */
enum {
    SEL_CODE32 = 0x08,
    SEL_DATA = 0x10,
    SEL_CODE64 = 0x18,
    SEL_USER_CODE32 = 0x20,
    SEL_USER_DATA = 0x28,
    SEL_USER_CODE64 = 0x30,
    SEL_CONFORMING = 0x38, /* 32-bit, DPL 0 */
    SEL_ABSENT_DATA = 0x40,
    SEL_READ_ONLY = 0x48,
    SEL_EXECUTE_ONLY = 0x50,
    SEL_DOWN = 0x58, /* expand-down above FFFh, DPL 0 */
    SEL_CODE16 = 0x60,
    SEL_DATA16 = 0x68,
    SEL_TSS = 0x70,  /* 16 bytes */
    SEL_TSS2 = 0x80, /* 16 bytes; 32-bit, available */
    SEL_LDT = 0x90,  /* 16 bytes */
    SEL_GATE = 0xa0, /* 16 bytes: for call gates */
    SEL_TASK = 0xb0, /* for a task gate */
    SEL_ABSENT_CODE = 0xb8,
    SEL_CONFORMING64 = 0xc0,
    SEL_OUTSIDE = 0x1000,
    BENCH_GDT_LIMIT = 0xff,
};

typedef enum BenchMode { MODE_REAL, MODE_V8086, MODE_PROTECTED, MODE_COMPAT, MODE_LONG } BenchMode;

typedef struct SystemBench {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    X86Cpu *cpu; /* vCPU 0 */
    X86Cpu *cpus[BENCH_CPUS];
    unsigned n_cpus;
    int eoi;          /* the last vector that the hook saw, or -1 */
    int extint;       /* what the hook for the 8259s gives */
    unsigned extints; /* how often it was asked */
} SystemBench;

SystemBench *system_bench_new(unsigned cpus);
void system_bench_free(SystemBench *bench);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SystemBench, system_bench_free)

/* vCPU 0 at BENCH_PC in @mode and ring @cpl with the tables above, flat, with identity-mapped
 * paging where the mode needs it. */
void bench_enter(SystemBench *bench, BenchMode mode, unsigned cpl);

uint64_t bench_peek(SystemBench *bench, uint64_t gpa, unsigned size);
void bench_poke(SystemBench *bench, uint64_t gpa, uint64_t value, unsigned size);
/* A descriptor with byte-granular @limit; @attributes as in X86Segment. */
void bench_descriptor(SystemBench *bench, uint16_t selector, uint32_t base, uint32_t limit,
                      unsigned attributes);
/* A gate in the IDT; @type is the access byte (8Eh: present 32-bit interrupt gate, DPL 0). */
void bench_gate(SystemBench *bench, unsigned vector, uint16_t selector, unsigned type,
                unsigned ist);
/* The exception that the last call raised is @vector with @error (-1: no matter); clears it. */
void bench_expect(SystemBench *bench, int vector, int64_t error);
/* Value at the top of the stack + @index, @size bytes each. */
uint64_t bench_stack(SystemBench *bench, unsigned index, unsigned size);
