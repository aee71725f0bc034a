/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bench of the system part's tests, see system_bench.h.
 */
#include "engine/dbt/guest/x86/system_bench.h"

static int extint_ack(void *opaque)
{
    SystemBench *bench = opaque;

    bench->extints++;
    return bench->extint;
}

static void ioapic_eoi(void *opaque, uint8_t vector)
{
    ((SystemBench *)opaque)->eoi = vector;
}

SystemBench *system_bench_new(unsigned cpus)
{
    SystemBench *bench = g_new0(SystemBench, 1);
    GError *error = NULL;

    bench->memory = gm_new();
    bench->clock = clock_new_manual();
    bench->eoi = bench->extint = -1;
    bench->n_cpus = cpus;
    gm_add_ram(bench->memory, 0, BENCH_RAM, &error);
    g_assert_no_error(error);
    const EngineConfig config = { .memory = bench->memory,
                                  .clock = bench->clock,
                                  .hooks = { bench, extint_ack, ioapic_eoi },
                                  .cpus = cpus,
                                  .tsc_khz = 2000000 };
    bench->vm = dbt_vm_new(&x86_isa, &config, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < cpus; i++) {
        bench->cpus[i] = x86_cpu(dbt_cpu_new(bench->vm, i));
        x86_vcpu_init(&bench->cpus[i]->base, x86_cpu_model_find(NULL, false));
    }
    bench->cpu = bench->cpus[0];
    return bench;
}

void system_bench_free(SystemBench *bench)
{
    for (unsigned i = 0; i < bench->n_cpus; i++) {
        x86_vcpu_free(&bench->cpus[i]->base);
        dbt_cpu_free(&bench->cpus[i]->base);
    }
    dbt_vm_free(bench->vm);
    clock_free(bench->clock);
    gm_free(bench->memory);
    g_free(bench);
}

uint64_t bench_peek(SystemBench *bench, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;

    g_assert(gm_read(bench->memory, gpa, &value, size));
    return value;
}

void bench_poke(SystemBench *bench, uint64_t gpa, uint64_t value, unsigned size)
{
    g_assert(gm_write(bench->memory, gpa, &value, size));
}

void bench_descriptor(SystemBench *bench, uint16_t selector, uint32_t base, uint32_t limit,
                      unsigned attributes)
{
    uint64_t value = limit & 0xffff;

    value |= (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(base >> 24) << 56;
    value |= (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attributes & 0xf0ff) << 40;
    bench_poke(bench, (selector & 4 ? BENCH_LDT : BENCH_GDT) + (selector & ~7U), value, 8);
}

void bench_gate(SystemBench *bench, unsigned vector, uint16_t selector, unsigned type, unsigned ist)
{
    uint32_t offset = BENCH_HANDLER + vector * 16;
    uint64_t gate = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
                    (uint64_t)type << 40 | (uint64_t)(offset >> 16) << 48;
    bool wide = x86_long_mode(bench->cpu);

    bench_poke(bench, BENCH_IDT + vector * (wide ? 16 : 8), gate, 8);
    if (wide) {
        bench_poke(bench, BENCH_IDT + vector * 16 + 8, 0, 8);
    }
}

static void fill_gdt(SystemBench *bench)
{
    static const struct {
        uint16_t selector, limit_high;
        uint16_t attributes;
    } flat[] = {
        { SEL_CODE32, 0xf, 0xc09b },      { SEL_DATA, 0xf, 0xc093 },
        { SEL_CODE64, 0xf, 0xa09b },      { SEL_USER_CODE32, 0xf, 0xc0fb },
        { SEL_USER_DATA, 0xf, 0xc0f3 },   { SEL_USER_CODE64, 0xf, 0xa0fb },
        { SEL_CONFORMING, 0xf, 0xc09f },  { SEL_ABSENT_DATA, 0xf, 0xc013 },
        { SEL_READ_ONLY, 0xf, 0xc091 },   { SEL_EXECUTE_ONLY, 0xf, 0xc099 },
        { SEL_CODE16, 0x0, 0x009b },      { SEL_DATA16, 0x0, 0x0093 },
        { SEL_ABSENT_CODE, 0xf, 0xc01b }, { SEL_CONFORMING64, 0xf, 0xa09f },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(flat); i++) {
        bench_descriptor(bench, flat[i].selector, 0, (uint32_t)flat[i].limit_high << 16 | 0xffff,
                         flat[i].attributes);
    }
    bench_descriptor(bench, SEL_DOWN, 0, 0xfff, 0x4097);
    bench_descriptor(bench, SEL_TSS, BENCH_TSS, 0x20ff, 0x8b);
    bench_descriptor(bench, SEL_TSS2, BENCH_TSS2, 0x67, 0x89);
    bench_descriptor(bench, SEL_LDT, BENCH_LDT, 0xff, 0x82);
}

static void fill_tss(SystemBench *bench, bool wide)
{
    if (wide) {
        bench_poke(bench, BENCH_TSS + 4, BENCH_STACK0, 8);
        bench_poke(bench, BENCH_TSS + 36, BENCH_IST1, 8);
    } else {
        bench_poke(bench, BENCH_TSS + 4, BENCH_STACK0, 4);
        bench_poke(bench, BENCH_TSS + 8, SEL_DATA, 4);
    }
    bench_poke(bench, BENCH_TSS + 0x66, 0x68, 2);
}

/* The first GiB as one page, for user and supervisor. */
static void fill_tables(SystemBench *bench)
{
    bench_poke(bench, BENCH_TABLES, (BENCH_TABLES + 0x1000) | 0x67, 8);
    bench_poke(bench, BENCH_TABLES + 0x1000, 0xe7, 8);
}

static X86Segment flat_segment(unsigned selector, unsigned cpl, unsigned attributes)
{
    return (X86Segment){ .selector = (uint16_t)(selector | cpl),
                         .limit = UINT32_MAX,
                         .attributes = (uint16_t)attributes };
}

static void set_flat(X86State *state, BenchMode mode, unsigned cpl)
{
    bool user = cpl == 3;
    unsigned wide = mode == MODE_LONG ? 0xa09b : 0xc09b;
    X86Segment data = flat_segment(user ? SEL_USER_DATA : SEL_DATA, cpl, user ? 0xc0f3 : 0xc093);
    unsigned code = mode == MODE_LONG ? user ? SEL_USER_CODE64 : SEL_CODE64
                    : user            ? SEL_USER_CODE32
                                      : SEL_CODE32;

    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        state->segment[i] = data;
    }
    state->segment[X86_CS] = flat_segment(code, cpl, wide | cpl << SEG_DPL_SHIFT);
}

static void set_real(X86State *state, bool v8086)
{
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        state->segment[i] = (X86Segment){ .limit = 0xffff, .attributes = v8086 ? 0xf3 : 0x93 };
    }
    state->segment[X86_CS].selector = BENCH_PC >> 4;
    state->segment[X86_CS].base = BENCH_PC;
    state->rip = 0;
}

void bench_enter(SystemBench *bench, BenchMode mode, unsigned cpl)
{
    bool wide = mode == MODE_LONG || mode == MODE_COMPAT;
    g_autofree X86State *state = g_new0(X86State, 1);
    GError *error = NULL;

    fill_gdt(bench);
    fill_tss(bench, wide);
    fill_tables(bench);
    x86_get_state(&bench->cpu->base, state);
    state->cr0 = CR0_ET | CR0_NE | (mode == MODE_REAL ? 0 : CR0_PE) | (wide ? CR0_PG : 0);
    state->cr3 = BENCH_TABLES;
    state->cr4 = wide ? CR4_PAE : 0;
    state->msr.efer = wide ? EFER_LME | EFER_LMA | EFER_SCE : 0;
    state->rip = BENCH_PC;
    state->rflags = FLAG_FIXED | (mode == MODE_V8086 ? FLAG_VM : 0);
    set_flat(state, mode, cpl);
    if (mode == MODE_REAL || mode == MODE_V8086) {
        set_real(state, mode == MODE_V8086);
    }
    state->gpr[X86_RSP] = cpl == 3 ? BENCH_STACK3 : BENCH_STACK0;
    state->gdtr = (X86Table){ BENCH_GDT, BENCH_GDT_LIMIT };
    state->idtr = (X86Table){ mode == MODE_REAL ? 0 : BENCH_IDT, 0xfff };
    state->tr =
        (X86Segment){ .selector = SEL_TSS, .base = BENCH_TSS, .limit = 0x20ff, .attributes = 0x8b };
    state->ldtr =
        (X86Segment){ .selector = SEL_LDT, .base = BENCH_LDT, .limit = 0xff, .attributes = 0x82 };
    g_assert(x86_set_state(&bench->cpu->base, state, &error));
    g_assert_no_error(error);
}

void bench_expect(SystemBench *bench, int vector, int64_t error)
{
    DbtCpu *base = &bench->cpu->base;

    g_assert_cmpint(base->fault ? bench->cpu->exception.vector : -1, ==, vector);
    if (vector >= 0 && error >= 0) {
        g_assert_true(bench->cpu->exception.has_error);
        g_assert_cmphex(bench->cpu->exception.error_code, ==, error);
    }
    base->fault = FAULT_NONE;
}

uint64_t bench_stack(SystemBench *bench, unsigned index, unsigned size)
{
    const X86Cpu *cpu = bench->cpu;
    uint64_t base = x86_code64(cpu) ? 0 : cpu->segment[X86_SS].base;

    return bench_peek(bench, base + cpu->gpr[X86_RSP] + index * size, size);
}
