/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what guests, devices and time do to the local APICs of two vCPUs.
 *
 * Six bytes are one step: what to do, to which vCPU, and a value.  After each step: a vector is
 * only given when one waited, priorities hold, and saving and restoring changes nothing.
 *
 * Threads: one.
 */
#include "engine/dbt/guest/x86/lapic_internal.h"
#include "engine/dbt/guest/x86/system_bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CPUS = 2, STEP_SIZE = 6, MAX_STEPS = 500 };

typedef enum Step {
    STEP_PAGE_WRITE,
    STEP_PAGE_READ,
    STEP_MSR_WRITE,
    STEP_MSR_READ,
    STEP_BASE,
    STEP_MESSAGE,
    STEP_EXTINT,
    STEP_ACK,
    STEP_TPR,
    STEP_TIME,
    STEP_DEADLINE,
    STEP_TSC,
    STEP_POLL,
    STEP_SAVE,
    STEPS
} Step;

static void save_and_restore(X86Cpu *cpu)
{
    X86Lapic before, after;
    uint64_t before_tsc, after_tsc;

    lapic_get(cpu->lapic, &before, &before_tsc);
    lapic_set(cpu->lapic, &before, before_tsc);
    lapic_get(cpu->lapic, &after, &after_tsc);
    g_assert(!memcmp(before.regs, after.regs, sizeof(before.regs)));
    g_assert(before.timer_deadline_ns == after.timer_deadline_ns && before_tsc == after_tsc);
}

static void acknowledge(SystemBench *bench, X86Cpu *cpu)
{
    bool waited = lapic_waiting(cpu->lapic);
    unsigned asked = bench->extints;
    uint32_t ppr = cpu->lapic->reg[REG_PPR];
    int vector = lapic_ack(cpu->lapic);

    if (!waited) {
        g_assert(vector == -1);
    } else if (bench->extints == asked) {
        g_assert(vector >= 16 && (unsigned)vector >> 4 > ppr >> 4);
    }
}

static void access_page(X86Cpu *cpu, uint32_t value, bool write)
{
    /* the register's number in the upper byte leaves 24 bits of value; odd offsets too */
    uint64_t gpa = 0xfee00000 + (value >> 24) * 16 + (value & 0x800000 ? value & 15 : 0);
    uint64_t wide = value & 0xfffff;

    x86_mmio(&cpu->base, gpa, value & 0x400000 ? 1 : 4, write, &wide);
}

static void one_step(SystemBench *bench, unsigned step, X86Cpu *cpu, uint32_t value)
{
    uint64_t got;

    switch ((Step)(step % STEPS)) {
    case STEP_PAGE_WRITE:
    case STEP_PAGE_READ:
        access_page(cpu, value, step % STEPS == STEP_PAGE_WRITE);
        break;
    case STEP_MSR_WRITE:
        x86_write_msr(cpu, 0x800 | value >> 24, value & 0xffffff);
        break;
    case STEP_MSR_READ:
        x86_read_msr(cpu, 0x800 | value >> 24, &got);
        break;
    case STEP_BASE:
        x86_write_msr(cpu, 0x1b, (value & 1 ? 0xfee00000 : value) | (value & 0xd00));
        break;
    case STEP_MESSAGE:
        x86_msi(bench->vm, 0xfee00000 | value >> 12, value & 0xffff);
        break;
    case STEP_EXTINT:
        bench->extint = value >> 8 & 0xff;
        x86_extint(bench->vm, value & 1);
        break;
    case STEP_ACK:
        acknowledge(bench, cpu);
        break;
    case STEP_TPR:
        lapic_set_tpr(cpu->lapic, (uint8_t)value);
        break;
    case STEP_TIME:
        clock_advance(bench->clock, value & 0xfffff);
        break;
    case STEP_DEADLINE:
        x86_write_msr(cpu, 0x6e0, value & 1 ? x86_tsc(cpu) + (value >> 1) : value >> 1);
        break;
    case STEP_TSC:
        x86_write_msr(cpu, value & 1 ? 0x10 : 0x3b, value);
        break;
    case STEP_POLL:
        x86_poll(&cpu->base);
        break;
    default:
        save_and_restore(cpu);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(SystemBench) bench = system_bench_new(CPUS);

    bench_enter(bench, MODE_LONG, 0);
    for (unsigned i = 0; i < MAX_STEPS && size >= STEP_SIZE; i++) {
        one_step(bench, data[0], bench->cpus[data[1] % CPUS], load_le32(data + 2));
        data += STEP_SIZE;
        size -= STEP_SIZE;
    }
    return 0;
}
