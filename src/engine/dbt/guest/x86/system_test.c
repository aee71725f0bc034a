/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control registers, MSRs, CPUID, time and kvmclock, ports and their permissions, flags and
 * privilege, saved state.
 */
#include "engine/dbt/guest/x86/system_bench.h"

enum { NONE = -1 };

/* --- control registers ------------------------------------------------------------------------ */

typedef struct CrCase {
    const char *name;
    BenchMode mode;
    unsigned number;
    uint64_t value;
    int vector;
} CrCase;

#define CR0_BASE (CR0_PE | CR0_ET | CR0_NE)
#define CR0_LONG (CR0_BASE | CR0_PG)
#define HIGH     (UINT64_C(1) << 32)

static const CrCase cr_cases[] = {
    { "cr0", MODE_PROTECTED, 0, CR0_BASE | CR0_WP | CR0_TS, NONE },
    { "cr0-high", MODE_LONG, 0, CR0_LONG | HIGH, EXC_GP },
    { "cr0-paging-unprotected", MODE_PROTECTED, 0, CR0_PG | CR0_ET, EXC_GP },
    { "cr0-nw-without-cd", MODE_PROTECTED, 0, CR0_BASE | CR0_NW, EXC_GP },
    { "cr0-paging-off-in-long-mode", MODE_LONG, 0, CR0_BASE, EXC_GP },
    { "cr0-paging-off-in-compat-mode", MODE_COMPAT, 0, CR0_BASE, NONE },
    { "cr1", MODE_PROTECTED, 1, 0, EXC_UD },
    { "cr3-reserved", MODE_LONG, 3, UINT64_C(1) << 40, EXC_GP },
    { "cr3-keep-without-pcide", MODE_LONG, 3, BENCH_TABLES | UINT64_C(1) << 63, EXC_GP },
    { "cr4-unknown", MODE_LONG, 4, CR4_PAE | 1 << 12, EXC_GP },
    { "cr4-high", MODE_LONG, 4, CR4_PAE | HIGH, EXC_GP },
    { "cr4-pae-off-in-long-mode", MODE_LONG, 4, 0, EXC_GP },
    { "cr4-pcide", MODE_LONG, 4, CR4_PAE | CR4_PCIDE, NONE },
    { "cr4-pcide-outside", MODE_PROTECTED, 4, CR4_PCIDE, EXC_GP },
    { "cr4-all", MODE_LONG, 4,
      CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_OSFXSR,
      NONE },
    { "cr8", MODE_LONG, 8, 15, NONE },
    { "cr8-reserved", MODE_LONG, 8, 16, EXC_GP },
    { "cr9", MODE_LONG, 9, 0, EXC_UD },
};

static void test_cr(gconstpointer data)
{
    const CrCase *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    DbtCpu *cpu = &bench->cpu->base;

    bench_enter(bench, c->mode, 0);
    uint64_t before =
        c->number == 1 || c->number == 9 ? 0 : x86_helper_read_cr(cpu, c->number, 0, 0);
    x86_helper_write_cr(cpu, c->number, c->value, 0);
    bench_expect(bench, c->vector, NONE);
    if (c->vector != EXC_UD) {
        uint64_t after = x86_helper_read_cr(cpu, c->number, 0, 0);
        g_assert_cmphex(after, ==, c->vector == NONE ? c->value : before);
    }
}

static void test_pcid(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 0);
    cpu->cr3 = BENCH_TABLES | 5;
    x86_helper_write_cr(&cpu->base, 4, CR4_PAE | CR4_PCIDE, 0);
    bench_expect(bench, EXC_GP, 0); /* CR3[11:0] isn't 0 */
    cpu->cr3 = BENCH_TABLES;
    x86_helper_write_cr(&cpu->base, 4, CR4_PAE | CR4_PCIDE, 0);
    x86_helper_write_cr(&cpu->base, 3, BENCH_TABLES | 7 | UINT64_C(1) << 63, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(cpu->cr3, ==, BENCH_TABLES | 7); /* bit 63 isn't kept */
}

static void test_entering_long_mode(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    g_assert_true(x86_write_msr(cpu, 0xc0000080, EFER_LME));
    g_assert_false(x86_write_cr(cpu, 0, CR0_LONG)); /* without PAE */
    bench_expect(bench, EXC_GP, 0);
    g_assert_true(x86_write_cr(cpu, 4, CR4_PAE));
    g_assert_true(x86_write_cr(cpu, 0, CR0_LONG));
    g_assert_true(x86_long_mode(cpu));
    g_assert_false(x86_write_msr(cpu, 0xc0000080, 0)); /* LME, with paging on */
    g_assert_true(x86_write_cr(cpu, 0, CR0_BASE));
    g_assert_false(x86_long_mode(cpu));
}

static void test_pdptrs(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    cpu->cr3 = 0x6020; /* 32-byte aligned */
    cpu->cr4 = CR4_PAE;
    bench_poke(bench, 0x6028, 0x7001, 8);
    g_assert_true(x86_write_cr(cpu, 0, CR0_LONG));
    g_assert_cmphex(cpu->pdptr[1], ==, 0x7001);
    bench_poke(bench, 0x6028, 0x8003, 8); /* W is reserved there */
    g_assert_cmphex(cpu->pdptr[1], ==, 0x7001);
    g_assert_false(x86_write_cr(cpu, 3, 0x6020));
    bench_expect(bench, EXC_GP, 0);
    g_assert_cmphex(cpu->pdptr[1], ==, 0x7001);
}

static void test_lmsw_and_umip(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_PROTECTED, 0);
    x86_helper_lmsw(&cpu->base, CR0_TS, 0, 0); /* can't leave protected mode */
    g_assert_cmphex(cpu->cr0, ==, CR0_BASE | CR0_TS);
    x86_helper_clts(&cpu->base, 0, 0, 0);
    g_assert_cmphex(x86_helper_smsw(&cpu->base, 0, 0, 0), ==, CR0_BASE);
    x86_helper_sgdt(&cpu->base, 0x7000, 4, MMU_KERNEL);
    g_assert_cmphex(bench_peek(bench, 0x7000, 6), ==, (uint64_t)BENCH_GDT << 16 | BENCH_GDT_LIMIT);
    cpu->cr4 |= CR4_UMIP;
    cpu->cpl = 3;
    x86_helper_sidt(&cpu->base, 0x7000, 4, MMU_USER);
    bench_expect(bench, EXC_GP, 0);
    x86_helper_str(&cpu->base, 0, 0, 0);
    bench_expect(bench, EXC_GP, 0);
    bench_poke(bench, 0x7000, UINT64_C(0x1234567800ff), 8);
    cpu->cpl = 0;
    x86_helper_lgdt(&cpu->base, 0x7000, 2, MMU_KERNEL); /* 16-bit: 24 bits of base */
    g_assert_cmphex(cpu->gdtr.base, ==, 0x345678);
    g_assert_cmphex(cpu->gdtr.limit, ==, 0xff);
}

/* --- flags and privilege ---------------------------------------------------------------------- */

typedef struct FlagCase {
    const char *name;
    BenchMode mode;
    unsigned cpl, iopl;
    uint64_t cr4;
    uint64_t sti;          /* which flag STI sets; 0: #GP */
    uint64_t popf_changes; /* by a 32-bit POPF of all ones (16-bit in virtual-8086 mode) */
} FlagCase;

#define PLAIN (FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_TF)
#define WIDE  (PLAIN | FLAG_AC | FLAG_ID)

static const FlagCase flag_cases[] = {
    { "ring-0", MODE_PROTECTED, 0, 0, 0, FLAG_IF, WIDE | FLAG_IF | FLAG_IOPL },
    { "ring-3", MODE_PROTECTED, 3, 0, 0, 0, WIDE },
    { "ring-3-iopl-3", MODE_PROTECTED, 3, 3, 0, FLAG_IF, WIDE | FLAG_IF },
    { "ring-3-pvi", MODE_PROTECTED, 3, 0, CR4_PVI, FLAG_VIF, WIDE },
    { "v8086-iopl-3", MODE_V8086, 3, 3, 0, FLAG_IF, PLAIN | FLAG_IF },
    { "v8086", MODE_V8086, 3, 0, 0, 0, 0 },
    { "real", MODE_REAL, 0, 0, 0, FLAG_IF, WIDE | FLAG_IF | FLAG_IOPL },
};

static void test_flags(gconstpointer data)
{
    const FlagCase *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    unsigned size = c->mode == MODE_V8086 ? 2 : 4;

    bench_enter(bench, c->mode, c->cpl);
    cpu->cr4 |= c->cr4;
    x86_set_rflags(cpu, c->iopl << 12, FLAG_IOPL);
    x86_helper_sti(&cpu->base, 0, 0, 0);
    bench_expect(bench, c->sti ? NONE : EXC_GP, c->sti ? NONE : 0);
    g_assert_cmphex(cpu->eflags & (FLAG_IF | FLAG_VIF), ==, c->sti);
    g_assert_cmpint(cpu->shadow_sti, ==, c->sti == FLAG_IF);
    x86_helper_cli(&cpu->base, 0, 0, 0);
    bench_expect(bench, c->sti ? NONE : EXC_GP, c->sti ? NONE : 0);
    g_assert_cmphex(cpu->eflags & (FLAG_IF | FLAG_VIF), ==, 0);
    uint64_t before = x86_get_rflags(cpu);
    x86_helper_popf(&cpu->base, size == 2 ? 0xffff : 0xffffffff, size, 0);
    bench_expect(bench, c->popf_changes ? NONE : EXC_GP, c->popf_changes ? NONE : 0);
    uint64_t changed = x86_get_rflags(cpu) ^ before;
    g_assert_cmphex(changed, ==, c->popf_changes & ~(uint64_t)(c->iopl << 12));
    x86_helper_pushf(&cpu->base, size, 0, 0);
    bench_expect(bench, c->popf_changes ? NONE : EXC_GP, c->popf_changes ? NONE : 0);
}

static void test_vme_flags(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_V8086, 3);
    cpu->cr4 |= CR4_VME;
    x86_helper_sti(&cpu->base, 0, 0, 0);
    bench_expect(bench, NONE, 0);
    g_assert_cmphex(x86_helper_pushf(&cpu->base, 2, 0, 0) & (FLAG_IF | FLAG_IOPL), ==,
                    FLAG_IF | FLAG_IOPL);
    x86_helper_popf(&cpu->base, FLAG_FIXED, 2, 0);
    g_assert_cmphex(cpu->eflags & FLAG_VIF, ==, 0);
    x86_set_rflags(cpu, FLAG_VIP, FLAG_VIP);
    x86_helper_popf(&cpu->base, FLAG_IF, 2, 0); /* the monitor has something for it */
    bench_expect(bench, EXC_GP, 0);
    x86_helper_sti(&cpu->base, 0, 0, 0);
    bench_expect(bench, EXC_GP, 0);
}

/* --- ports ------------------------------------------------------------------------------------ */

typedef struct PortCase {
    const char *name;
    BenchMode mode;
    unsigned cpl, iopl, port, size;
    bool permitted;
} PortCase;

/* The bitmap at 68h of the TSS permits 10h to 17h and 1Fh to 20h; it ends with port 87h's byte. */
static const PortCase port_cases[] = {
    { "ring-0", MODE_PROTECTED, 0, 0, 0x80, 4, true },
    { "real", MODE_REAL, 0, 0, 0x80, 4, true },
    { "iopl-3", MODE_PROTECTED, 3, 3, 0x80, 4, true },
    { "permitted", MODE_PROTECTED, 3, 0, 0x14, 4, true },
    { "one-too-far", MODE_PROTECTED, 3, 0, 0x15, 4, false },
    { "over-two-bytes", MODE_PROTECTED, 3, 0, 0x1f, 2, true },
    { "forbidden", MODE_PROTECTED, 3, 0, 0x21, 1, false },
    { "v8086-ignores-iopl", MODE_V8086, 3, 3, 0x21, 1, false },
    { "v8086-permitted", MODE_V8086, 3, 0, 0x10, 1, true },
    { "long", MODE_LONG, 3, 0, 0x17, 1, true },
    { "beyond-the-tss", MODE_PROTECTED, 3, 0, 0xffff, 1, false },
};

static void test_port(gconstpointer data)
{
    const PortCase *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);

    bench_enter(bench, c->mode, c->cpl);
    for (unsigned i = 0; i < 0x100; i++) {
        bench_poke(bench, BENCH_TSS + 0x68 + i, 0xff, 1);
    }
    bench_poke(bench, BENCH_TSS + 0x68 + 2, 0, 1);
    bench_poke(bench, BENCH_TSS + 0x68 + 3, 0x7f, 1);
    bench_poke(bench, BENCH_TSS + 0x68 + 4, 0xfe, 1);
    bench->cpu->tr.limit = 0x68 + 0x10;
    x86_set_rflags(bench->cpu, c->iopl << 12, FLAG_IOPL);
    x86_helper_in(&bench->cpu->base, c->port, c->size, 0);
    bench_expect(bench, c->permitted ? NONE : EXC_GP, c->permitted ? NONE : 0);
}

/* --- MSRs ------------------------------------------------------------------------------------- */

typedef struct MsrCase {
    const char *name;
    uint32_t index;
    uint64_t value;
    bool known, accepted; /* RDMSR and WRMSR don't raise */
    uint64_t reads;       /* afterwards, if accepted */
} MsrCase;

#define BAD_ADDRESS (UINT64_C(1) << 47)

static const MsrCase msr_cases[] = {
    { "unknown", 0x12345, 0, false, false, 0 },
    { "efer", 0xc0000080, EFER_SCE | EFER_NXE, true, true, EFER_SCE | EFER_NXE },
    { "efer-lma-is-not-written", 0xc0000080, EFER_LMA, true, true, 0 },
    { "efer-reserved", 0xc0000080, 1 << 12, true, false, 0 },
    { "star", 0xc0000081, UINT64_MAX, true, true, UINT64_MAX },
    { "lstar", 0xc0000082, 0xffff800000000000, true, true, 0xffff800000000000 },
    { "lstar-not-canonical", 0xc0000082, BAD_ADDRESS, true, false, 0 },
    { "fs-base", 0xc0000100, 0x1234, true, true, 0x1234 },
    { "gs-base-not-canonical", 0xc0000101, BAD_ADDRESS, true, false, 0 },
    { "kernel-gs-base", 0xc0000102, 0x5678, true, true, 0x5678 },
    { "tsc-aux", 0xc0000103, 7, true, true, 7 },
    { "tsc-aux-high", 0xc0000103, HIGH, true, false, 0 },
    { "pat", 0x277, 0x0007010600070106, true, true, 0x0007010600070106 },
    { "pat-type-2", 0x277, 0x0007010600070102, true, false, 0 },
    { "mtrr-cap-is-read-only", 0xfe, 0, true, false, 0 },
    { "mtrr-base", 0x200, 0x80000006, true, true, 0x80000006 },
    { "mtrr-base-type", 0x202, 0x80000002, true, false, 0 },
    { "mtrr-mask", 0x20f, UINT64_C(0xff80000800), true, true, UINT64_C(0xff80000800) },
    { "mtrr-mask-reserved", 0x201, UINT64_C(1) << 40, true, false, 0 },
    { "mtrr-fixed", 0x26f, 0x0606060606060606, true, true, 0x0606060606060606 },
    { "mtrr-fixed-type", 0x250, 0x0706060606060606, true, false, 0 },
    { "mtrr-default", 0x2ff, 0xc06, true, true, 0xc06 },
    { "mtrr-default-reserved", 0x2ff, 0x106, true, false, 0 },
    { "sysenter-esp", 0x175, 0x1000, true, true, 0x1000 },
    { "hwcr-says-p0", 0xc0010015, 0, true, true, 1 << 24 },
    { "microcode", 0x8b, 0, true, true, 0x0a0011d5 },
    { "no-machine-check-banks", 0x179, 0, true, false, 0 },
    { "x2apic-off", 0x802, 0, false, false, 0 },
    { "tsc-adjust", 0x3b, 0x1000, true, true, 0x1000 },
    { "performance-counter", 0xc0010004, 0, false, false, 0 },
};

static void test_msr(gconstpointer data)
{
    const MsrCase *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    uint64_t before = 0, after = 0;

    bench_enter(bench, MODE_PROTECTED, 0);
    cpu->msr.efer = 0;
    g_assert_cmpint(x86_read_msr(cpu, c->index, &before), ==, c->known);
    cpu->gpr[X86_RCX] = c->index | HIGH; /* only ECX counts */
    cpu->gpr[X86_RAX] = c->value | HIGH << 3;
    cpu->gpr[X86_RDX] = c->value >> 32;
    x86_helper_wrmsr(&cpu->base, 0, 0, 0);
    bench_expect(bench, c->accepted ? NONE : EXC_GP, c->accepted ? NONE : 0);
    x86_helper_rdmsr(&cpu->base, 0, 0, 0);
    bench_expect(bench, c->known ? NONE : EXC_GP, c->known ? NONE : 0);
    if (c->known) {
        after = cpu->gpr[X86_RDX] << 32 | cpu->gpr[X86_RAX];
        g_assert_cmphex(after, ==, c->accepted ? c->reads : before);
    }
}

/* --- CPUID ------------------------------------------------------------------------------------ */

static void test_cpuid_shows_features(void)
{
    for (const X86CpuModel *model = x86_cpu_models; model->name; model++) {
        g_autoptr(SystemBench) bench = system_bench_new(2);
        bench->cpu->model = model;
        for (unsigned i = X86_FEATURE_NONE + 1; i < X86_FEATURES; i++) {
            uint32_t leaf, subleaf, out[4];
            unsigned reg, bit;
            g_assert_true(x86_feature_place(i, &leaf, &subleaf, &reg, &bit));
            x86_cpuid(bench->cpu, leaf, subleaf, out);
            g_test_message("%s: leaf %x register %u bit %u", model->name, leaf, reg, bit);
            g_assert_cmpint(out[reg] >> bit & 1, ==, model->has[i]);
        }
    }
}

static void test_cpuid_leaves(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(4);
    X86Cpu *cpu = bench->cpus[2];
    uint32_t out[4];
    char text[49] = "";

    x86_cpuid(cpu, 0, 0, out);
    memcpy(text, &out[1], 4);
    memcpy(text + 4, &out[3], 4);
    memcpy(text + 8, &out[2], 4);
    g_assert_cmpstr(text, ==, "AuthenticAMD");
    x86_cpuid(cpu, 1, 0, out);
    g_assert_cmphex(out[0], ==, 0x00a00f11);
    g_assert_cmphex(out[1], ==, 0x02040800);
    cpu->cr4 |= CR4_OSXSAVE;
    x86_cpuid(cpu, 1, 0, out);
    g_assert_true(out[2] & 1U << 27);
    x86_cpuid(cpu, 0xb, 1, out);
    g_assert_cmpuint(out[0], ==, 2);
    g_assert_cmpuint(out[1], ==, 4);
    g_assert_cmphex(out[2], ==, 0x201);
    g_assert_cmpuint(out[3], ==, 2);
    x86_cpuid(cpu, 0x15, 0, out);
    g_assert_cmpuint((uint64_t)out[2] * out[1] / out[0], ==, UINT64_C(2000000000));
    x86_cpuid(cpu, 0xd, 0, out);
    g_assert_cmpuint(out[0], ==, 3);
    g_assert_cmpuint(out[2], ==, 576);
    x86_cpuid(cpu, 0x40000000, 0, out);
    memcpy(text, &out[1], 12);
    text[12] = 0;
    g_assert_cmpstr(text, ==, "KVMKVMKVM");
    x86_cpuid(cpu, 0x40000001, 0, out);
    g_assert_cmphex(out[0], ==, 1 << 1 | 1 << 3 | 1 << 24);
    x86_cpuid(cpu, 0x40000010, 0, out);
    g_assert_cmpuint(out[0], ==, 2000000);
    for (uint32_t i = 0; i < 3; i++) {
        x86_cpuid(cpu, 0x80000002 + i, 0, (uint32_t *)(text + i * 16));
    }
    g_assert_cmpstr(text, ==, cpu->model->brand);
    x86_cpuid(cpu, 0x80000008, 0, out);
    g_assert_cmphex(out[0], ==, 48 << 8 | X86_PHYS_BITS);
    g_assert_cmphex(out[2], ==, 2 << 12 | 3);
    x86_cpuid(cpu, 0x8000001e, 0, out);
    g_assert_cmpuint(out[0], ==, 2);
    x86_cpuid(cpu, 0x16, 0, out); /* beyond the last leaf */
    g_assert_cmphex(out[0] | out[1] | out[2] | out[3], ==, 0);
}

static void test_models(void)
{
    const EngineCpuModel *listed = engine_cpu_models();

    g_assert_cmpstr(listed[0].name, ==, "max");
    g_assert_cmpstr(listed[1].name, ==, "host");
    listed += 2;
    for (unsigned i = 0; x86_cpu_models[i].name || listed[i].name; i++) {
        g_assert_cmpstr(x86_cpu_models[i].name, ==, listed[i].name);
        g_assert_cmpstr(x86_cpu_models[i].summary, ==, listed[i].summary);
        g_assert_true(x86_cpu_model_find(listed[i].name, false) == &x86_cpu_models[i]);
    }
    g_assert_null(x86_cpu_model_find("i486", true));
}

/* The highest level, but not one whose vectors the back end is slow with. */
static void test_best_model(void)
{
    static const char *const names[] = { NULL, "max", "host" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_cmpstr(x86_cpu_model_find(names[i], true)->name, ==, "x86-64-v3");
        g_assert_cmpstr(x86_cpu_model_find(names[i], false)->name, ==, "x86-64-v2");
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static void test_tsc(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    uint64_t value;

    bench_enter(bench, MODE_LONG, 0);
    uint64_t before = x86_tsc(cpu);
    clock_advance(bench->clock, 1000);
    g_assert_cmpuint(x86_helper_rdtsc(&cpu->base, 0, 0, 0), ==, before + 2000);
    g_assert_true(x86_write_msr(cpu, 0x10, 1000000));
    g_assert_cmpuint(x86_tsc(cpu), ==, 1000000);
    g_assert_true(x86_read_msr(cpu, 0x3b, &value));
    g_assert_cmpuint(value, ==, 1000000 - (before + 2000));
    g_assert_true(x86_write_msr(cpu, 0x3b, 0));
    g_assert_cmpuint(x86_tsc(cpu), ==, before + 2000);
    cpu->cr4 |= CR4_TSD;
    x86_helper_rdtsc(&cpu->base, 0, 0, 0);
    bench_expect(bench, NONE, 0);
    cpu->cpl = 3;
    x86_helper_rdtsc(&cpu->base, 0, 0, 0);
    bench_expect(bench, EXC_GP, 0);
}

/* What a guest makes of kvmclock's page. */
static uint64_t kvmclock_ns(SystemBench *bench, uint64_t gpa)
{
    uint64_t delta = x86_tsc(bench->cpu) - bench_peek(bench, gpa + 8, 8);
    uint32_t multiplier = (uint32_t)bench_peek(bench, gpa + 24, 4);
    int8_t shift = (int8_t)bench_peek(bench, gpa + 28, 1);

    delta = shift < 0 ? delta >> -shift : delta << shift;
    return bench_peek(bench, gpa + 16, 8) + (uint64_t)((unsigned __int128)delta * multiplier >> 32);
}

static void test_kvmclock(gconstpointer khz)
{
    static const uint64_t steps[] = { 1, 999, 1000000, 3600 * NS_PER_SECOND };
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;

    bench->vm->tsc_khz = GPOINTER_TO_UINT(khz);
    clock_advance(bench->clock, 12345);
    g_assert_true(x86_write_msr(cpu, 0x4b564d01, 0x7001));
    g_assert_cmpuint(bench_peek(bench, 0x7000, 4) & 1, ==, 0);
    g_assert_cmpuint(bench_peek(bench, 0x7000 + 29, 1), ==, 1); /* stable */
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        clock_advance(bench->clock, steps[i]);
        uint64_t now_ns = clock_now_ns(bench->clock), seen_ns = kvmclock_ns(bench, 0x7000);
        g_assert_cmpuint(seen_ns + 2000, >=, now_ns); /* 32 bits of multiplier */
        g_assert_cmpuint(seen_ns, <=, now_ns + 1);
    }
    uint64_t version = bench_peek(bench, 0x7000, 4);
    uint64_t before_ns = kvmclock_ns(bench, 0x7000);
    g_assert_true(x86_write_msr(cpu, 0x10, 0)); /* the TSC moves, the time doesn't */
    g_assert_cmpuint(bench_peek(bench, 0x7000, 4), ==, version + 2);
    g_assert_cmpuint(kvmclock_ns(bench, 0x7000), ==, before_ns);
    g_assert_true(x86_write_msr(cpu, 0x4b564d00, 0x7100));
    uint64_t seconds = bench_peek(bench, 0x7104, 4);
    g_assert_cmpuint(seconds + 2, >=,
                     (clock_wall_ns(bench->clock) - clock_now_ns(bench->clock)) / NS_PER_SECOND);
    g_assert_false(x86_write_msr(cpu, 0x4b564d01, 0x7003));
    g_assert_true(x86_write_msr(cpu, 0x4b564d01, UINT64_C(0xffff000001))); /* no RAM: no harm */
}

/* --- saved state ------------------------------------------------------------------------------ */

/* A state that differs from the one after reset in every member. */
static void fill_state(SystemBench *bench, X86State *state)
{
    x86_get_state(&bench->cpu->base, state);
    for (unsigned i = 0; i < 16; i++) {
        state->gpr[i] = UINT64_C(0x1111111111111111) * (i + 1);
        memset(state->vector[i], (int)(0xa0 + i), 16);
    }
    for (unsigned i = 0; i < 8; i++) {
        memset(state->st[i], (int)(0x10 + i), 10);
    }
    state->gpr[X86_RSP] = BENCH_STACK0;
    state->rflags |= FLAG_IF | FLAG_CF | FLAG_AC | FLAG_ID;
    state->fcw = 0x37f;
    state->fsw = 0x2841; /* TOP = 5 */
    state->ftw = 0x5a;
    state->fop = 0x7ff;
    state->fip = 0x1234;
    state->fdp = 0x5678;
    state->mxcsr = 0x1fa0;
    state->xcr0 = 3;
    state->cr2 = 0xdead;
    state->cr8 = 3;
    store_le32(state->lapic.regs + 0x80, 0x30);
    store_le32(state->lapic.regs + 0xa0, 0x30);
    state->dr[2] = 0x9999;
    state->dr6 = DR6_FIXED | DR6_BS;
    state->dr7 = DR7_FIXED | 1 << 4;
    state->msr.lstar = 0x4444;
    state->msr.kernel_gs_base = 0x8888;
    state->msr.tsc_aux = 5;
    state->msr.pat = 0x0606060606060606;
    state->msr.mtrr_mask[7] = 0x1800;
    state->nmi_blocked = state->nmi_pending = true;
    state->shadow_sti = true;
    state->exception = (X86Event){ .valid = true,
                                   .vector = EXC_PF,
                                   .has_error = true,
                                   .error_code = 5,
                                   .has_payload = true,
                                   .payload = 0x77 };
}

static void test_state_comes_back(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    g_autofree X86State *set = g_new0(X86State, 1);
    g_autofree X86State *got = g_new0(X86State, 1);
    GError *error = NULL;

    bench_enter(bench, MODE_LONG, 0);
    fill_state(bench, set);
    g_assert_true(x86_set_state(&bench->cpu->base, set, &error));
    g_assert_no_error(error);
    x86_get_state(&bench->cpu->base, got);
    for (size_t i = 0; i < sizeof(*set); i++) {
        if (((uint8_t *)set)[i] != ((uint8_t *)got)[i]) {
            g_test_message("byte %zu differs", i);
        }
    }
    g_assert_cmpmem(set, sizeof(*set), got, sizeof(*got));
    /* the exception is delivered first */
    bench_gate(bench, EXC_PF, SEL_CODE64, 0x8e, 0);
    x86_poll(&bench->cpu->base);
    g_assert_cmphex(bench->cpu->cr2, ==, 0x77);
    g_assert_cmphex(bench->cpu->base.pc, ==, BENCH_HANDLER + EXC_PF * 16);
}

/* What FLDCW and FLDENV do to reserved bits and the summary happens to a state's words, too. */
static void test_state_x87_words(void)
{
    static const struct {
        uint16_t fcw, fsw, fcw_got, fsw_got;
    } rows[] = {
        { 0xffff, 0x7f7f, 0x1f7f, 0x7f7f },        /* all masked */
        { 0x037e, 0x0001, 0x037e | 0x40, 0x8081 }, /* an unmasked exception: ES and B */
        { 0x037f, 0x8081, 0x037f, 0x0001 },        /* a summary of nothing */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        g_autofree X86State *state = g_new0(X86State, 1);
        bench_enter(bench, MODE_LONG, 0);
        x86_get_state(&bench->cpu->base, state);
        state->fcw = rows[i].fcw;
        state->fsw = rows[i].fsw;
        g_assert_true(x86_set_state(&bench->cpu->base, state, NULL));
        x86_get_state(&bench->cpu->base, state);
        g_assert_cmphex(state->fcw, ==, rows[i].fcw_got);
        g_assert_cmphex(state->fsw, ==, rows[i].fsw_got);
    }
}

static void test_state_refused(void)
{
    static const struct {
        const char *what;
        size_t offset;
        uint64_t value;
    } rows[] = {
        { "CR4", offsetof(X86State, cr4), CR4_PAE | 1 << 22 },
        { "CR3", offsetof(X86State, cr3), UINT64_C(1) << 47 },
        { "XCR0", offsetof(X86State, xcr0), 7 },
        { "SPEC_CTRL", offsetof(X86State, msr.spec_ctrl), 1 },
        { "CR0", offsetof(X86State, cr0), CR0_PG },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(SystemBench) bench = system_bench_new(1);
        g_autofree X86State *state = g_new0(X86State, 1);
        GError *error = NULL;
        bench_enter(bench, MODE_LONG, 0);
        x86_get_state(&bench->cpu->base, state);
        store_le64((uint8_t *)state + rows[i].offset, rows[i].value);
        state->gpr[0] = 0x5555;
        g_assert_false(x86_set_state(&bench->cpu->base, state, &error));
        g_test_message("%s: %s", rows[i].what, error->message);
        g_assert_nonnull(strstr(error->message, rows[i].what));
        g_clear_error(&error);
        g_assert_cmphex(bench->cpu->gpr[0], !=, 0x5555);
    }
}

static void test_reset_and_init(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(2);
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, MODE_LONG, 3);
    cpu->vector[3].u64[0] = 0x33;
    cpu->msr.pat = 0x0606060606060606;
    x86_reset(cpu, true);
    g_assert_cmphex(cpu->base.pc, ==, 0xfffffff0);
    g_assert_cmpint(cpu->cpl, ==, 0);
    g_assert_false(x86_long_mode(cpu));
    g_assert_cmphex(cpu->gpr[X86_RDX], ==, 0x00a00f11);
    g_assert_cmphex(cpu->vector[3].u64[0], ==, 0x33); /* INIT keeps these */
    g_assert_cmphex(cpu->msr.pat, ==, 0x0606060606060606);
    x86_reset(cpu, false);
    g_assert_cmphex(cpu->vector[3].u64[0], ==, 0);
    g_assert_cmphex(cpu->msr.pat, ==, 0x0007040600070406);
    g_assert_cmphex(cpu->msr.apic_base, ==, 0xfee00900);
    g_assert_cmphex(bench->cpus[1]->msr.apic_base, ==, 0xfee00800);
}

static const unsigned frequencies[] = { 700000, 1000000, 2000000, 3456789, 5000000 };

#define ADD_TABLE(table, prefix, fn)                                                               \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strdup_printf("/x86/system/" prefix "/%s", table[i].name);       \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    { "pcid", test_pcid },
    { "entering-long-mode", test_entering_long_mode },
    { "pdptrs", test_pdptrs },
    { "lmsw-and-umip", test_lmsw_and_umip },
    { "vme-flags", test_vme_flags },
    { "cpuid-shows-features", test_cpuid_shows_features },
    { "cpuid-leaves", test_cpuid_leaves },
    { "models", test_models },
    { "best-model", test_best_model },
    { "tsc", test_tsc },
    { "state-comes-back", test_state_comes_back },
    { "state-x87-words", test_state_x87_words },
    { "state-refused", test_state_refused },
    { "reset-and-init", test_reset_and_init },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_TABLE(cr_cases, "cr", test_cr);
    ADD_TABLE(flag_cases, "flags", test_flags);
    ADD_TABLE(port_cases, "port", test_port);
    ADD_TABLE(msr_cases, "msr", test_msr);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/x86/system/%s", tests[i].name);
        g_test_add_func(path, tests[i].fn);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(frequencies); i++) {
        g_autofree char *path = g_strdup_printf("/x86/system/kvmclock/%u-khz", frequencies[i]);
        g_test_add_data_func(path, GUINT_TO_POINTER(frequencies[i]), test_kvmclock);
    }
    return g_test_run();
}
