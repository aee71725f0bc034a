/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's time: TSC and kvmclock, both made from the machine's Clock.
 *
 *     TSC = clock * tsc_khz / 10^6 + tsc_offset
 *
 * kvmclock's page says "at TSC tsc_offset the time was 0", with multiplier and shift for the TSC's
 * frequency and the flag that it may be trusted across vCPUs; it is written once, and again when
 * the offset moves (layout: Linux, Documentation/virt/kvm/x86/msr.rst).
 *
 * Threads: the vCPU's own; x86_tsc_to_ns() also on the clock's, under the LAPIC's lock.
 */
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/exec.h"

enum { KHZ_PER_GHZ = 1000 * 1000 };

uint64_t x86_tsc(X86Cpu *cpu)
{
    uint64_t ticks = clock_now_ns(cpu->base.clock);
    uint64_t khz = dbt_vm_tsc_khz(cpu->base.vm);

    if (khz != KHZ_PER_GHZ) { /* a division that takes as long as all the rest */
        ticks = mul_div(ticks, khz, KHZ_PER_GHZ);
    }
    return ticks + cpu->tsc_offset;
}

void x86_set_tsc(X86Cpu *cpu, uint64_t value)
{
    x86_move_tsc(cpu, value - x86_tsc(cpu));
}

void x86_move_tsc(X86Cpu *cpu, uint64_t delta)
{
    __atomic_store_n(&cpu->tsc_offset, cpu->tsc_offset + delta, __ATOMIC_RELAXED);
    lapic_tsc_moved(cpu->lapic);
    x86_write_system_time(cpu);
}

/* The TSC's offset but for what TSC_ADJUST added: the same on all vCPUs unless a guest moves it. */
static uint64_t common_offset(const X86Cpu *cpu)
{
    return __atomic_load_n(&cpu->tsc_offset, __ATOMIC_RELAXED) - cpu->msr.tsc_adjust;
}

void x86_restore_tsc(X86Cpu *cpu, uint64_t value)
{
    const DbtVm *vm = cpu->base.vm;
    uint64_t delta = value - x86_tsc(cpu);
    int64_t near = (int64_t)dbt_vm_tsc_khz(vm) * 1000; /* a second */

    for (unsigned i = 0; i < dbt_vm_cpus(vm); i++) {
        const X86Cpu *other = (const X86Cpu *)dbt_vm_cpu(vm, i);
        if (!other || other == cpu) {
            continue;
        }
        uint64_t step = common_offset(other) - common_offset(cpu);
        int64_t apart = (int64_t)(step - delta);
        if (apart > -near && apart < near) {
            delta = step;
            break;
        }
    }
    x86_move_tsc(cpu, delta);
}

uint64_t x86_tsc_to_ns(const X86Cpu *cpu, uint64_t tsc)
{
    uint64_t khz = dbt_vm_tsc_khz(cpu->base.vm);
    uint64_t ticks = tsc - __atomic_load_n(&cpu->tsc_offset, __ATOMIC_RELAXED);
    unsigned __int128 ns;

    if ((int64_t)ticks < 0) {
        return 0; /* before the clock began */
    }
    ns = ((unsigned __int128)ticks * KHZ_PER_GHZ + khz - 1) / khz;
    return ns >= TIMER_NEVER ? TIMER_NEVER - 1 : (uint64_t)ns;
}

/* --- kvmclock --------------------------------------------------------------------------------- */

typedef struct WallClock {
    uint32_t version, seconds, nanoseconds;
} WallClock;
_Static_assert(sizeof(WallClock) == 12, "as the guest reads it");

typedef struct SystemTime {
    uint32_t version, pad;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad2[2];
} SystemTime;
_Static_assert(sizeof(SystemTime) == 32, "as the guest reads it");

enum { SYSTEM_TIME_ENABLE = 1, TSC_STABLE = 1 };

/* Wall time at which the machine's clock showed 0. */
void x86_write_wall_clock(X86Cpu *cpu)
{
    uint64_t gpa = cpu->msr.kvm_wall_clock;
    uint64_t ns = clock_wall_ns(cpu->base.clock) - clock_now_ns(cpu->base.clock);
    uint32_t version = 0;

    gm_read(cpu->base.memory, gpa, &version, sizeof(version));
    version = (version | 1) + 1; /* odd while it is written: nobody sees that here */
    const WallClock clock = { .version = version,
                              .seconds = (uint32_t)(ns / NS_PER_SECOND),
                              .nanoseconds = (uint32_t)(ns % NS_PER_SECOND) };
    gm_write(cpu->base.memory, gpa, &clock, sizeof(clock));
}

/* Nanoseconds = (ticks << shift) * multiplier >> 32, with a multiplier of 32 significant bits. */
static void scale_of(uint64_t tsc_khz, uint32_t *ret_multiplier, int8_t *ret_shift)
{
    unsigned __int128 scaled = ((unsigned __int128)KHZ_PER_GHZ << 64) / tsc_khz; /* * 2^64 */
    int shift = 32;

    while (scaled >> 64) {
        scaled >>= 1;
        shift++;
    }
    while (!(scaled >> 63)) {
        scaled <<= 1;
        shift--;
    }
    *ret_multiplier = (uint32_t)(scaled >> 32);
    *ret_shift = (int8_t)(shift - 32);
}

void x86_write_system_time(X86Cpu *cpu)
{
    uint64_t gpa = cpu->msr.kvm_system_time & ~UINT64_C(1);
    SystemTime page;

    if (!(cpu->msr.kvm_system_time & SYSTEM_TIME_ENABLE) ||
        !gm_read(cpu->base.memory, gpa, &page, sizeof(page))) {
        return;
    }
    uint32_t version = page.version | 1;
    page =
        (SystemTime){ .version = version, .tsc_timestamp = cpu->tsc_offset, .flags = TSC_STABLE };
    scale_of(dbt_vm_tsc_khz(cpu->base.vm), &page.tsc_to_system_mul, &page.tsc_shift);
    /* other vCPUs may read it: the version is odd until the rest is there */
    gm_write(cpu->base.memory, gpa, &version, sizeof(version));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    gm_write(cpu->base.memory, gpa + 4, (uint8_t *)&page + 4, sizeof(page) - 4);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    version++;
    gm_write(cpu->base.memory, gpa, &version, sizeof(version));
}

/* --- the instructions ------------------------------------------------------------------------- */

uint64_t x86_helper_rdtsc(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if ((cpu->cr4 & CR4_TSD) && cpu->cpl) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    return x86_tsc(cpu);
}

uint64_t x86_helper_tsc_aux(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return (uint32_t)x86_cpu(cpu)->msr.tsc_aux;
}

uint64_t x86_helper_rdpmc(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_raise_error(x86_cpu(cpu), EXC_GP, 0);
    return 0;
}
