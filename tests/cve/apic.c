/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of local APICs (KVM's and Xen's among them), tried on the translator's: registers of
 * four vCPUs, without guest code.
 */
#include "cve.h"
#include "engine/dbt/guest/x86/lapic_internal.h"
#include "engine/dbt/guest/x86/system_bench.h"

#define APIC UINT64_C(0xfee00000)

enum { CPUS = 4, APIC_BASE_MSR = 0x1b, X2APIC = 0x800, X2APIC_END = 0xc00, LAST_X2APIC = 0x83f };

static void store(SystemBench *bench, unsigned reg, uint32_t value)
{
    uint64_t wide = value;

    x86_mmio(&bench->cpu->base, APIC + reg * 16, 4, true, &wide);
}

static uint32_t load(SystemBench *bench, unsigned reg)
{
    uint64_t value = 0;

    x86_mmio(&bench->cpu->base, APIC + reg * 16, 4, false, &value);
    return (uint32_t)value;
}

static SystemBench *new_bench(bool x2apic)
{
    SystemBench *bench = system_bench_new(CPUS);

    store(bench, REG_SVR, 0x1ff);
    for (unsigned i = 0; i < CPUS && x2apic; i++) {
        g_assert_true(x86_write_msr(bench->cpus[i], APIC_BASE_MSR, APIC | 0xc00 | (i ? 0 : 0x100)));
    }
    return bench;
}

/* The timer counts, whatever it was divided by. */
static void test_timer(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(false);

    for (unsigned divide = 0; divide < 16; divide++) {
        store(bench, REG_TIMER_DIVIDE, divide);
        store(bench, REG_TIMER_INITIAL, 0);
        load(bench, REG_TIMER_CURRENT);
        store(bench, REG_TIMER_INITIAL, 1);
        clock_advance(bench->clock, 1000000000);
        load(bench, REG_TIMER_CURRENT);
        store(bench, REG_LVT_TIMER, 0x20040); /* again and again, each tick */
        store(bench, REG_TIMER_INITIAL, 1);
        clock_advance(bench->clock, 1000000000);
        g_assert_cmphex(load(bench, REG_TIMER_CURRENT), <=, 1);
        store(bench, REG_LVT_TIMER, 0x10040);
        store(bench, REG_TIMER_INITIAL, 0);
    }
}

/* Registers that begin in the page, or in an MSR, and end behind it. */
static void test_page_end(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(false);
    uint64_t value = UINT64_MAX;

    for (unsigned at = 0xff0; at < 0x1000; at++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            x86_mmio(&bench->cpu->base, APIC + at, size, true, &value);
            x86_mmio(&bench->cpu->base, APIC + at, size, false, &value);
        }
    }
    g_assert_cmphex(load(bench, REG_SVR), ==, 0x1ff);
}

/* MSRs behind those of x2APIC: none of them is anybody's memory. */
static void test_msr_range(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(true);

    for (uint32_t index = LAST_X2APIC + 1; index < X2APIC_END; index++) {
        uint64_t value = 0;
        g_assert_false(x86_read_msr(bench->cpu, index, &value));
        g_assert_false(x86_write_msr(bench->cpu, index, value));
    }
}

/* x2APIC's registers while the APIC isn't in that mode. */
static void test_msrs_without_x2apic(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(false);

    for (uint32_t index = X2APIC; index < X2APIC_END; index++) {
        uint64_t value = 0;
        g_assert_false(x86_read_msr(bench->cpu, index, &value));
        g_assert_false(x86_write_msr(bench->cpu, index, 0));
    }
}

/* IPIs and messages of every kind to everybody, and to many that aren't there. */
static void send_to(SystemBench *bench, uint64_t icr)
{
    uint64_t ignored = icr;

    if (lapic_x2apic(bench->cpu->lapic)) {
        x86_write_msr(bench->cpu, 0x830, icr);
        return;
    }
    x86_mmio(&bench->cpu->base, APIC + REG_ICR_HIGH * 16, 4, true, &(uint64_t){ icr >> 32 });
    x86_mmio(&bench->cpu->base, APIC + REG_ICR_LOW * 16, 4, true, &ignored);
}

static void test_destinations(gconstpointer x2apic)
{
    static const uint32_t ids[] = { 4,       0xf,        0x10,       0xfe,       0x10000,
                                    0x1ffff, 0x7fffffff, 0x80000000, 0xffff0000, 0xfffffffe };
    g_autoptr(SystemBench) bench = new_bench(x2apic != NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        for (uint32_t mode = 0; mode < 8; mode++) {
            for (uint32_t logical = 0; logical < 2; logical++) {
                uint32_t low = 0x45 | mode << 8 | logical << 11;
                send_to(bench, (uint64_t)ids[i] << 32 | low);
                send_to(bench, (uint64_t)ids[i] << 56 | low);
                x86_msi(bench->vm, APIC | (ids[i] & 0xff) << 12 | logical << 2, low);
                x86_msi(bench->vm, (uint64_t)(ids[i] & 0xffffff00) << 32 | APIC, low);
            }
        }
    }
}

/* Messages to APICs that are switched off: nothing waits for when they are switched on. */
static void test_switched_off(gconstpointer data)
{
    g_autoptr(SystemBench) bench = system_bench_new(CPUS);

    g_assert_true(x86_write_msr(bench->cpus[1], APIC_BASE_MSR, APIC));
    for (uint32_t mode = 0; mode < 8; mode++) {
        x86_msi(bench->vm, APIC | 1 << 12, 0x45 | mode << 8);
        x86_msi(bench->vm, APIC | 0xff << 12, 0x45 | mode << 8);
    }
    g_assert_true(x86_write_msr(bench->cpus[1], APIC_BASE_MSR, APIC | 0x800));
    g_assert_false(bench->cpus[1]->lapic->reg[REG_IRR + 2]);
}

/* Logical names in every form, changed while messages are sent to them. */
static void test_logical_names(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(false);

    for (uint32_t ldr = 0; ldr < 256; ldr++) {
        store(bench, REG_LDR, ldr << 24 | 0xffffff);
        store(bench, REG_DFR, ldr & 1 ? UINT32_MAX : 0);
        x86_msi(bench->vm, APIC | ldr << 12 | 4, 0x845);
        x86_msi(bench->vm, APIC | 0xff << 12 | 4, 0x145); /* to the least busy */
    }
    g_assert_cmphex(load(bench, REG_LDR) & 0xffffff, ==, 0);
}

/* A level that stays: each end of interrupt brings the next one, one at a time. */
static void test_level_stays(gconstpointer data)
{
    g_autoptr(SystemBench) bench = new_bench(false);

    for (unsigned i = 0; i < 100000; i++) {
        x86_msi(bench->vm, APIC, 0x8041);
        g_assert_cmphex(lapic_ack(bench->cpu->lapic), ==, 0x41);
        store(bench, REG_EOI, 0);
    }
    g_assert_cmpint(lapic_ack(bench->cpu->lapic), ==, -1);
}

void cve_add_apic(void)
{
    cve_add("2013-6367", "local APIC: a timer divided by anything", NULL, test_timer);
    cve_add("2013-6368", "local APIC: across the page's end", NULL, test_page_end);
    cve_add("2014-7188", "local APIC: MSRs behind x2APIC's", NULL, test_msr_range);
    cve_add("2016-4440", "local APIC: x2APIC's MSRs without x2APIC", NULL,
            test_msrs_without_x2apic);
    cve_add("2016-9777", "local APIC: destinations that aren't there", NULL, test_destinations);
    cve_add("2013-6376", "x2APIC: destinations that aren't there", GUINT_TO_POINTER(1),
            test_destinations);
    cve_add("2022-2153", "local APIC: messages while it is off", NULL, test_switched_off);
    cve_add("2013-6376", "local APIC: logical names", NULL, test_logical_names);
    cve_add("2020-27152", "local APIC: a level that stays", NULL, test_level_stays);
}
