/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC: priorities, IPIs in every form, messages, the 8259s' line, EOI, errors, the
 * timer's three modes, xAPIC and x2APIC registers, saved state.
 */
#include "engine/dbt/guest/x86/lapic_internal.h"
#include "engine/dbt/guest/x86/system_bench.h"

#define APIC UINT64_C(0xfee00000)

static void write_reg(SystemBench *bench, unsigned cpu, unsigned reg, uint32_t value)
{
    uint64_t wide = value;

    g_assert_true(x86_mmio(&bench->cpus[cpu]->base, APIC + reg * 16, 4, true, &wide));
}

static uint32_t read_reg(SystemBench *bench, unsigned cpu, unsigned reg)
{
    uint64_t value = 0;

    g_assert_true(x86_mmio(&bench->cpus[cpu]->base, APIC + reg * 16, 4, false, &value));
    return (uint32_t)value;
}

static SystemBench *new_enabled(unsigned cpus)
{
    SystemBench *bench = system_bench_new(cpus);

    for (unsigned i = 0; i < cpus; i++) {
        write_reg(bench, i, REG_SVR, 0x1ff);
        bench->cpus[i]->base.attention = 0;
    }
    return bench;
}

static bool pending(SystemBench *bench, unsigned cpu, unsigned vector)
{
    return read_reg(bench, cpu, REG_IRR + vector / 32) >> (vector % 32) & 1;
}

static bool told(SystemBench *bench, unsigned cpu)
{
    bool was = bench->cpus[cpu]->base.attention & ATTENTION_INTERRUPT;

    bench->cpus[cpu]->base.attention = 0;
    return was;
}

/* --- priorities ------------------------------------------------------------------------------- */

static void test_priorities(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);
    Lapic *lapic = bench->cpu->lapic;

    g_assert_cmpint(lapic_ack(lapic), ==, -1);
    lapic_interrupt(lapic, 0x31, false);
    lapic_interrupt(lapic, 0x52, false);
    g_assert_true(told(bench, 0));
    g_assert_cmphex(lapic_ack(lapic), ==, 0x52);
    g_assert_cmphex(read_reg(bench, 0, REG_PPR), ==, 0x50);
    g_assert_false(lapic_waiting(lapic)); /* 31h must wait */
    lapic_interrupt(lapic, 0x5f, false);  /* same class */
    g_assert_false(lapic_waiting(lapic));
    lapic_interrupt(lapic, 0x60, false);
    g_assert_cmphex(lapic_ack(lapic), ==, 0x60); /* nested */
    write_reg(bench, 0, REG_EOI, 0);
    write_reg(bench, 0, REG_EOI, 0);
    g_assert_true(told(bench, 0));
    g_assert_cmphex(lapic_ack(lapic), ==, 0x5f);
    write_reg(bench, 0, REG_EOI, 0);
    lapic_set_tpr(lapic, 0x30);
    g_assert_cmpint(lapic_ack(lapic), ==, -1);
    lapic_set_tpr(lapic, 0x2f);
    g_assert_cmphex(lapic_ack(lapic), ==, 0x31);
}

static void test_disabled_takes_nothing(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);

    lapic_interrupt(bench->cpu->lapic, 0x40, false);
    g_assert_false(lapic_waiting(bench->cpu->lapic));
    write_reg(bench, 0, REG_SVR, 0x1ff);
    g_assert_cmpint(lapic_ack(bench->cpu->lapic), ==, -1);
}

static void test_end_of_level(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);

    x86_msi(bench->vm, APIC, 0x8041); /* level */
    g_assert_cmphex(lapic_ack(bench->cpu->lapic), ==, 0x41);
    write_reg(bench, 0, REG_EOI, 0);
    g_assert_cmphex(bench->eoi, ==, 0x41);
    bench->eoi = -1;
    x86_msi(bench->vm, APIC, 0x41); /* edge: TMR is cleared */
    lapic_ack(bench->cpu->lapic);
    write_reg(bench, 0, REG_EOI, 0);
    g_assert_cmpint(bench->eoi, ==, -1);
}

static void test_extint(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    Lapic *lapic = bench->cpu->lapic;

    bench->extint = 0x08;
    x86_extint(bench->vm, true); /* open after reset, even while the LAPIC is off */
    g_assert_true(lapic_waiting(lapic));
    g_assert_cmphex(lapic_ack(lapic), ==, 0x08);
    g_assert_cmpuint(bench->extints, ==, 1);
    write_reg(bench, 0, REG_SVR, 0x1ff);
    write_reg(bench, 0, REG_LVT_LINT0, 0x10700);
    g_assert_false(lapic_waiting(lapic));
    write_reg(bench, 0, REG_LVT_LINT0, 0x700);
    g_assert_true(lapic_waiting(lapic));
    x86_extint(bench->vm, false);
    g_assert_false(lapic_waiting(lapic));
}

/* --- IPIs ------------------------------------------------------------------------------------- */

typedef struct Ipi {
    const char *name;
    bool x2apic;
    uint32_t dfr, high, low; /* sent by vCPU 1 of 4; logical IDs are 1 << n (flat) */
    unsigned reaches;        /* a bit per vCPU */
} Ipi;

#define VECTOR   0x45
#define LOGICAL  0x800
#define TO_SELF  0x40000
#define TO_ALL   0x80000
#define TO_OTHER 0xc0000

static const Ipi ipis[] = {
    { "physical", false, 0xf0000000, 2 << 24, VECTOR, 4 },
    { "physical-self", false, 0xf0000000, 1 << 24, VECTOR, 2 },
    { "physical-all", false, 0xf0000000, 0xffU << 24, VECTOR, 15 },
    { "physical-nobody", false, 0xf0000000, 9 << 24, VECTOR, 0 },
    { "logical-flat", false, 0xf0000000, 5 << 24, VECTOR | LOGICAL, 5 },
    { "logical-flat-all", false, 0xf0000000, 0xffU << 24, VECTOR | LOGICAL, 15 },
    { "logical-cluster", false, 0, 0x13U << 24, VECTOR | LOGICAL, 0x4 },
    { "logical-cluster-other", false, 0, 0x23U << 24, VECTOR | LOGICAL, 0 },
    { "self", false, 0xf0000000, 0, VECTOR | TO_SELF, 2 },
    { "all", false, 0xf0000000, 0, VECTOR | TO_ALL, 15 },
    { "all-but-self", false, 0xf0000000, 0, VECTOR | TO_OTHER, 13 },
    { "x2apic-physical", true, 0, 3, VECTOR, 8 },
    { "x2apic-physical-all", true, 0, UINT32_MAX, VECTOR, 15 },
    { "x2apic-ff-is-nobody", true, 0, 0xff, VECTOR, 0 },
    { "x2apic-logical", true, 0, 0x9, VECTOR | LOGICAL, 9 },
    { "x2apic-logical-cluster", true, 0, 0x10009, VECTOR | LOGICAL, 0 },
    { "x2apic-all-but-self", true, 0, 0, VECTOR | TO_OTHER, 13 },
};

static bool irr_has(SystemBench *bench, unsigned cpu, unsigned vector)
{
    return bench->cpus[cpu]->lapic->reg[REG_IRR + vector / 32] >> (vector % 32) & 1;
}

static void set_up_ids(SystemBench *bench, const Ipi *c)
{
    for (unsigned i = 0; i < 4; i++) {
        if (c->x2apic) {
            g_assert_true(x86_write_msr(bench->cpus[i], 0x1b, APIC | 0xc00 | (i ? 0 : 0x100)));
            continue;
        }
        write_reg(bench, i, REG_DFR, c->dfr);
        /* clusters: vCPU 2 is cluster 1, member 1; the others are members of cluster 0 */
        uint32_t cluster = i == 2 ? 0x11 : 1 << i;
        write_reg(bench, i, REG_LDR, (c->dfr ? 1U << i : cluster) << 24);
    }
}

static void test_ipi(gconstpointer data)
{
    const Ipi *c = data;
    g_autoptr(SystemBench) bench = new_enabled(4);

    set_up_ids(bench, c);
    if (c->x2apic) {
        g_assert_true(x86_write_msr(bench->cpus[1], 0x830, (uint64_t)c->high << 32 | c->low));
    } else {
        write_reg(bench, 1, REG_ICR_HIGH, c->high);
        write_reg(bench, 1, REG_ICR_LOW, c->low);
    }
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpint(irr_has(bench, i, VECTOR), ==, bit_test(c->reaches, i));
        g_assert_cmpint(told(bench, i), ==, bit_test(c->reaches, i));
    }
}

static void test_init_and_sipi(void)
{
    g_autoptr(SystemBench) bench = new_enabled(2);
    X86Cpu *ap = bench->cpus[1];

    x86_poll(&ap->base);
    g_assert_true(ap->wait_for_sipi);
    g_assert_true(ap->base.halted);
    write_reg(bench, 0, REG_ICR_HIGH, 1 << 24);
    write_reg(bench, 0, REG_ICR_LOW, 0x4600 | 0x12); /* SIPI without INIT: it waits anyway */
    x86_poll(&ap->base);
    g_assert_false(ap->base.halted);
    g_assert_cmphex(ap->base.pc, ==, 0x12000);
    write_reg(bench, 0, REG_ICR_LOW, 0x4600 | 0x34); /* it runs: dropped */
    x86_poll(&ap->base);
    g_assert_cmphex(ap->base.pc, ==, 0x12000);
    write_reg(bench, 0, REG_ICR_LOW, 0x8500); /* INIT, de-asserted: nothing */
    x86_poll(&ap->base);
    g_assert_false(ap->base.halted);
    write_reg(bench, 0, REG_ICR_LOW, 0xc500);
    write_reg(bench, 0, REG_ICR_LOW, 0x4600 | 0x9a); /* both before it looks */
    ap->cr0 |= CR0_PE;
    x86_poll(&ap->base);
    g_assert_cmphex(ap->base.pc, ==, 0x9a000);
    g_assert_false(ap->cr0 & CR0_PE);
    write_reg(bench, 0, REG_ICR_LOW, 0x4600 | 0x9a);
    write_reg(bench, 0, REG_ICR_LOW, 0xc500); /* INIT forgets a SIPI in front of it */
    x86_poll(&ap->base);
    g_assert_true(ap->wait_for_sipi);
}

static void test_nmi_and_lowest(void)
{
    g_autoptr(SystemBench) bench = new_enabled(3);

    write_reg(bench, 0, REG_ICR_HIGH, 1 << 24);
    write_reg(bench, 0, REG_ICR_LOW, 0x400);
    g_assert_true(bench->cpus[1]->nmi_pending);
    for (unsigned i = 0; i < 3; i++) {
        write_reg(bench, i, REG_LDR, 1U << (24 + i));
        lapic_set_tpr(bench->cpus[i]->lapic, (uint8_t)(i == 2 ? 0 : 0x20));
    }
    x86_msi(bench->vm, APIC | 7 << 12 | 4, 0x161); /* lowest priority, logical, to all */
    g_assert_false(pending(bench, 0, 0x61));
    g_assert_false(pending(bench, 1, 0x61));
    g_assert_true(pending(bench, 2, 0x61));
}

static void test_errors(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);

    write_reg(bench, 0, REG_LVT_ERROR, 0x70);
    write_reg(bench, 0, REG_ICR_LOW, 0x08 | TO_SELF);
    g_assert_true(pending(bench, 0, 0x70));
    g_assert_cmphex(read_reg(bench, 0, REG_ESR), ==, 0);
    write_reg(bench, 0, REG_ESR, 0);
    g_assert_cmphex(read_reg(bench, 0, REG_ESR), ==, ESR_SEND_VECTOR);
    x86_msi(bench->vm, APIC, 0x05);
    write_reg(bench, 0, REG_ESR, 0);
    g_assert_cmphex(read_reg(bench, 0, REG_ESR), ==, ESR_RECEIVED_VECTOR);
}

/* --- the timer -------------------------------------------------------------------------------- */

static bool fired(SystemBench *bench)
{
    int vector = lapic_ack(bench->cpu->lapic);

    write_reg(bench, 0, REG_EOI, 0);
    return vector == 0x80;
}

static void test_one_shot(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);

    write_reg(bench, 0, REG_TIMER_DIVIDE, 0x3); /* by 16 */
    write_reg(bench, 0, REG_LVT_TIMER, 0x80);
    write_reg(bench, 0, REG_TIMER_INITIAL, 1000);
    clock_advance(bench->clock, 4000);
    g_assert_cmpuint(read_reg(bench, 0, REG_TIMER_CURRENT), ==, 750);
    clock_advance(bench->clock, 11999);
    g_assert_false(fired(bench));
    clock_advance(bench->clock, 1);
    g_assert_true(fired(bench));
    g_assert_cmpuint(read_reg(bench, 0, REG_TIMER_CURRENT), ==, 0);
    clock_advance(bench->clock, 100000);
    g_assert_false(fired(bench));
    write_reg(bench, 0, REG_TIMER_INITIAL, 1000);
    write_reg(bench, 0, REG_TIMER_INITIAL, 0); /* stops */
    clock_advance(bench->clock, 100000);
    g_assert_false(fired(bench));
    write_reg(bench, 0, REG_LVT_TIMER, 0x10080); /* masked: it counts, and says nothing */
    write_reg(bench, 0, REG_TIMER_INITIAL, 1000);
    clock_advance(bench->clock, 100000);
    g_assert_false(fired(bench));
}

static void test_periodic(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);

    write_reg(bench, 0, REG_TIMER_DIVIDE, 0xb); /* by 1 */
    write_reg(bench, 0, REG_LVT_TIMER, 0x20080);
    write_reg(bench, 0, REG_TIMER_INITIAL, 100000);
    for (unsigned i = 0; i < 5; i++) {
        clock_advance(bench->clock, 99999);
        g_assert_false(fired(bench));
        clock_advance(bench->clock, 1);
        g_assert_true(fired(bench));
    }
    write_reg(bench, 0, REG_TIMER_INITIAL, 1); /* absurdly short: the host survives */
    clock_advance(bench->clock, 1000000);
    g_assert_true(fired(bench));
}

static void test_deadline(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);
    X86Cpu *cpu = bench->cpu;
    uint64_t tsc, value;

    write_reg(bench, 0, REG_LVT_TIMER, 0x40080);
    tsc = x86_tsc(cpu);
    g_assert_true(x86_write_msr(cpu, 0x6e0, tsc + 2001)); /* 2 GHz: 1000.5 ns */
    clock_advance(bench->clock, 1000);
    g_assert_false(fired(bench));
    g_assert_true(x86_read_msr(cpu, 0x6e0, &value));
    g_assert_cmpuint(value, ==, tsc + 2001);
    clock_advance(bench->clock, 1);
    g_assert_true(fired(bench));
    g_assert_cmpuint(x86_tsc(cpu), >=, tsc + 2001);
    g_assert_true(x86_read_msr(cpu, 0x6e0, &value));
    g_assert_cmpuint(value, ==, 0);
    g_assert_true(x86_write_msr(cpu, 0x6e0, 1)); /* past */
    g_assert_true(fired(bench));
    g_assert_true(x86_write_msr(cpu, 0x6e0, x86_tsc(cpu) + 20000));
    g_assert_true(x86_write_msr(cpu, 0x3b, 19000)); /* the TSC jumps ahead */
    clock_advance(bench->clock, 500);
    g_assert_true(fired(bench));
    g_assert_true(x86_write_msr(cpu, 0x6e0, x86_tsc(cpu) + 2000));
    write_reg(bench, 0, REG_LVT_TIMER, 0x80); /* another mode disarms */
    clock_advance(bench->clock, 100000);
    g_assert_false(fired(bench));
}

/* --- registers -------------------------------------------------------------------------------- */

static void test_xapic_page(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(2);
    DbtCpu *cpu = &bench->cpus[1]->base;
    uint64_t value = 0;

    g_assert_cmphex(read_reg(bench, 1, REG_ID), ==, 1 << 24);
    g_assert_cmphex(read_reg(bench, 1, REG_VERSION), ==, LAPIC_VERSION);
    write_reg(bench, 1, REG_VERSION, 0);
    g_assert_cmphex(read_reg(bench, 1, REG_VERSION), ==, LAPIC_VERSION);
    g_assert_cmphex(read_reg(bench, 1, REG_SVR), ==, 0xff);
    write_reg(bench, 1, REG_LVT_LINT1, 0x400); /* stays masked while switched off */
    g_assert_cmphex(read_reg(bench, 1, REG_LVT_LINT1), ==, 0x10400);
    g_assert_true(x86_mmio(cpu, APIC + 0x23, 1, false, &value));
    g_assert_cmphex(value, ==, 1);
    g_assert_false(x86_mmio(cpu, APIC + 0x1000, 4, false, &value));
    /* somewhere else */
    g_assert_true(x86_write_msr(bench->cpus[1], 0x1b, 0xfed00000 | 0x800));
    g_assert_false(x86_mmio(cpu, APIC, 4, false, &value));
    g_assert_true(x86_mmio(cpu, 0xfed00030, 4, false, &value));
    g_assert_cmphex(value, ==, LAPIC_VERSION);
    g_assert_true(x86_write_msr(bench->cpus[1], 0x1b, 0xfed00000));
    g_assert_false(x86_mmio(cpu, 0xfed00030, 4, false, &value));
}

static void test_x2apic_registers(void)
{
    static const struct {
        uint32_t index;
        uint64_t value;
        bool read, write;
    } rows[] = {
        { 0x802, 0, true, false },       { 0x803, 0, true, false },
        { 0x808, 0x20, true, true },     { 0x808, 0x100, true, false },
        { 0x80a, 0, true, false },       { 0x80b, 0, false, true },
        { 0x80b, 1, false, false },      { 0x80d, 0, true, false },
        { 0x80e, 0, false, false },      { 0x80f, 0x1ff, true, true },
        { 0x810, 0, true, false },       { 0x827, 0, true, false },
        { 0x828, 0, true, true },        { 0x828, 1, true, false },
        { 0x831, 0, false, false },      { 0x832, 0x400ff, true, true },
        { 0x832, 0x80000, true, false }, { 0x837, 0x1ff, true, false },
        { 0x838, 5, true, true },        { 0x839, 0, true, false },
        { 0x83e, 0xb, true, true },      { 0x83f, 0x55, false, true },
        { 0x840, 0, false, false },      { 0x8ff, 0, false, false },
    };
    g_autoptr(SystemBench) bench = system_bench_new(2);
    X86Cpu *cpu = bench->cpus[1];
    uint64_t value;

    g_assert_false(x86_read_msr(cpu, 0x802, &value));
    g_assert_true(x86_write_msr(cpu, 0x1b, APIC | 0xc00));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%x", rows[i].index);
        g_assert_cmpint(x86_read_msr(cpu, rows[i].index, &value), ==, rows[i].read);
        g_assert_cmpint(x86_write_msr(cpu, rows[i].index, rows[i].value), ==, rows[i].write);
    }
    g_assert_true(x86_read_msr(cpu, 0x802, &value));
    g_assert_cmphex(value, ==, 1);
    g_assert_true(x86_read_msr(cpu, 0x80d, &value));
    g_assert_cmphex(value, ==, 2);
    /* only by way of "off" does it go back */
    g_assert_false(x86_write_msr(cpu, 0x1b, APIC | 0x800));
    g_assert_true(x86_write_msr(cpu, 0x1b, APIC));
    g_assert_false(x86_write_msr(cpu, 0x1b, APIC | 0xc00));
    g_assert_true(x86_write_msr(cpu, 0x1b, APIC | 0x800));
    g_assert_cmphex(read_reg(bench, 1, REG_SVR), ==, 0xff); /* all is forgotten */
    g_assert_false(x86_write_msr(cpu, 0x1b, APIC | 0x400));
    g_assert_false(x86_write_msr(cpu, 0x1b, UINT64_C(1) << 50));
}

static void test_saved_state(void)
{
    g_autoptr(SystemBench) bench = new_enabled(1);
    Lapic *lapic = bench->cpu->lapic;
    X86Lapic saved;
    uint64_t deadline;

    write_reg(bench, 0, REG_TIMER_DIVIDE, 0xb);
    write_reg(bench, 0, REG_LVT_TIMER, 0x80);
    write_reg(bench, 0, REG_TIMER_INITIAL, 5000);
    lapic_interrupt(lapic, 0x33, true);
    lapic_interrupt(lapic, 0x44, false);
    lapic_ack(lapic);
    clock_advance(bench->clock, 1000);
    lapic_get(lapic, &saved, &deadline);
    g_assert_cmpuint(saved.timer_deadline_ns, ==, 5000);
    g_assert_cmpuint(load_le32(saved.regs + 0x390), ==, 4000);
    x86_reset(bench->cpu, false);
    clock_advance(bench->clock, 500);
    g_assert_cmphex(lapic_ack(lapic), ==, -1);
    lapic_set(lapic, &saved, deadline);
    g_assert_false(lapic_waiting(lapic)); /* 44h is in service */
    write_reg(bench, 0, REG_EOI, 0);
    g_assert_cmphex(lapic_ack(lapic), ==, 0x33);
    write_reg(bench, 0, REG_EOI, 0);
    g_assert_cmphex(bench->eoi, ==, 0x33);
    clock_advance(bench->clock, 3499);
    g_assert_false(fired(bench));
    clock_advance(bench->clock, 1);
    g_assert_true(fired(bench));
}

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    { "priorities", test_priorities },
    { "disabled-takes-nothing", test_disabled_takes_nothing },
    { "end-of-level", test_end_of_level },
    { "extint", test_extint },
    { "init-and-sipi", test_init_and_sipi },
    { "nmi-and-lowest", test_nmi_and_lowest },
    { "errors", test_errors },
    { "one-shot", test_one_shot },
    { "periodic", test_periodic },
    { "deadline", test_deadline },
    { "xapic-page", test_xapic_page },
    { "x2apic-registers", test_x2apic_registers },
    { "saved-state", test_saved_state },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ipis); i++) {
        g_autofree char *path = g_strdup_printf("/x86/lapic/ipi/%s", ipis[i].name);
        g_test_add_data_func(path, &ipis[i], test_ipi);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/x86/lapic/%s", tests[i].name);
        g_test_add_func(path, tests[i].fn);
    }
    return g_test_run();
}
