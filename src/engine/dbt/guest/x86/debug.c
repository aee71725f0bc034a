/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug registers, break- and watchpoints, single steps (SDM volume 3, chapter 17), and the
 * points of a debugger outside the guest.
 *
 * A code breakpoint is a fault in front of its instruction, found by the code_breakpoint helper.
 * All else is a trap behind an instruction: its DR6 bits are collected in debug_pending, and the
 * next x86_poll() delivers #DB.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

/* R/W field of a breakpoint in DR7. */
typedef enum PointKind { POINT_CODE, POINT_WRITE, POINT_IO, POINT_ACCESS } PointKind;

enum { POINTS = 4 };

static bool point_enabled(const X86Cpu *cpu, unsigned n)
{
    return cpu->dr7 >> (n * 2) & 3;
}

static PointKind point_kind(const X86Cpu *cpu, unsigned n)
{
    PointKind kind = (PointKind)bits_get(cpu->dr7, 16 + n * 4, 2);

    /* without CR4.DE there are no I/O breakpoints; the encoding is undefined then */
    return kind == POINT_IO && !(cpu->cr4 & CR4_DE) ? POINT_CODE : kind;
}

static unsigned point_length(const X86Cpu *cpu, unsigned n)
{
    static const uint8_t lengths[] = { 1, 2, 8, 4 };

    return lengths[bits_get(cpu->dr7, 18 + n * 4, 2)];
}

static bool point_is_data(const X86Cpu *cpu, unsigned n)
{
    PointKind kind = point_kind(cpu, n);

    return point_enabled(cpu, n) && (kind == POINT_WRITE || kind == POINT_ACCESS);
}

static bool point_overlaps(const X86Cpu *cpu, unsigned n, uint64_t address, unsigned size)
{
    unsigned length = point_length(cpu, n);

    return ranges_overlap(align_down(cpu->dr[n], length), length, address, size);
}

/* --- traps ------------------------------------------------------------------------------------ */

void x86_trap(X86Cpu *cpu, uint64_t dr6_bits)
{
    cpu->debug_pending |= dr6_bits;
    __atomic_or_fetch(&cpu->base.attention, ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
}

uint64_t x86_helper_step(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_trap(x86_cpu(cpu), DR6_BS);
    return 0;
}

uint64_t x86_helper_end_shadow(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    cpu->shadow_sti = cpu->shadow_mov_ss = false;
    x86_context_changed(cpu);
    x86_recheck(cpu);
    return 0;
}

void x86_io_breakpoint(X86Cpu *cpu, uint16_t port, unsigned size)
{
    if (G_LIKELY(!(cpu->dr7 & 0xff))) {
        return;
    }
    for (unsigned n = 0; n < POINTS; n++) {
        if (point_enabled(cpu, n) && point_kind(cpu, n) == POINT_IO &&
            point_overlaps(cpu, n, port, size)) {
            x86_trap(cpu, 1U << n);
        }
    }
}

/* --- code ------------------------------------------------------------------------------------- */

bool x86_watches(const X86Cpu *cpu)
{
    return cpu->base.debug_active || (cpu->dr7 & 0xff);
}

static void tell_debugger(DbtCpu *cpu, DebugReason reason, unsigned point)
{
    cpu->debug_exit = (VcpuExit){ .reason = VCPU_EXIT_DEBUG,
                                  .debug = reason,
                                  .address = cpu->debug.points[point].gva,
                                  .point = point };
}

/* pc. */
uint64_t x86_helper_code_breakpoint(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t hit = 0;

    for (unsigned i = 0; base->debug_active && i < base->debug.n_points; i++) {
        if (base->debug.points[i].execute && base->debug.points[i].gva == a) {
            tell_debugger(base, DEBUG_BREAKPOINT, i);
            base->fault = FAULT_DEBUG;
            return 0;
        }
    }
    for (unsigned n = 0; n < POINTS; n++) {
        bool here = point_enabled(cpu, n) && point_kind(cpu, n) == POINT_CODE && cpu->dr[n] == a;
        hit |= here ? 1U << n : 0;
    }
    if (hit && !(cpu->eflags & FLAG_RF)) {
        x86_raise(cpu, EXC_DB);
        cpu->exception.dr6 = hit;
    }
    return 0;
}

/* --- data ------------------------------------------------------------------------------------- */

static bool is_watchpoint(const DebugPoint *point, MmuAccess access)
{
    return access == MMU_WRITE ? point->write : point->read;
}

/* Of several points that one instruction hits the first is told, but rather one of a write: what
 * was written can be missed, what was read is still there. */
static bool tells_more(const DbtCpu *cpu, unsigned point)
{
    return !cpu->debug_hit ||
           (cpu->debug.points[point].write && !cpu->debug.points[cpu->debug_exit.point].write);
}

void x86_watch(DbtCpu *base, uint64_t gva, unsigned size, MmuAccess access)
{
    X86Cpu *cpu = x86_cpu(base);

    for (unsigned n = 0; n < POINTS; n++) {
        if (point_is_data(cpu, n) && point_overlaps(cpu, n, gva, size) &&
            (access == MMU_WRITE || point_kind(cpu, n) == POINT_ACCESS)) {
            x86_trap(cpu, 1U << n);
        }
    }
    for (unsigned i = 0; base->debug_watches && i < base->debug.n_points; i++) {
        const DebugPoint *point = &base->debug.points[i];
        if (is_watchpoint(point, access) && ranges_overlap(point->gva, point->size, gva, size)) {
            if (tells_more(base, i)) {
                tell_debugger(base, DEBUG_WATCHPOINT, i);
            }
            base->debug_hit = true;
            __atomic_or_fetch(&base->attention, ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
        }
    }
}

bool x86_watches_page(const DbtCpu *base, uint64_t gva_page)
{
    const X86Cpu *cpu = (const X86Cpu *)base;

    for (unsigned n = 0; n < POINTS; n++) {
        if (point_is_data(cpu, n) && point_overlaps(cpu, n, gva_page, PAGE_SIZE)) {
            return true;
        }
    }
    for (unsigned i = 0; base->debug_watches && i < base->debug.n_points; i++) {
        const DebugPoint *point = &base->debug.points[i];
        if ((point->read || point->write) &&
            ranges_overlap(point->gva, point->size, gva_page, PAGE_SIZE)) {
            return true;
        }
    }
    return false;
}

void x86_debug_changed(DbtCpu *base)
{
    X86Cpu *cpu = x86_cpu(base);
    bool watches = base->debug_watches;

    for (unsigned n = 0; n < POINTS; n++) {
        watches |= point_is_data(cpu, n);
    }
    if (watches || base->watch_active) {
        base->watch_active = watches;
        mmu_flush(base); /* pages are slow or fast by whether they are watched */
    }
    x86_context_changed(cpu);
}

/* --- the registers ---------------------------------------------------------------------------- */

/* Which register @number is; false: an exception was raised. */
static bool check_access(X86Cpu *cpu, unsigned number, unsigned *ret_number)
{
    if (number > 7 || ((number == 4 || number == 5) && (cpu->cr4 & CR4_DE))) {
        return x86_raise(cpu, EXC_UD);
    }
    if (cpu->dr7 & DR7_GD) {
        x86_raise(cpu, EXC_DB);
        cpu->exception.dr6 = DR6_BD;
        return false;
    }
    *ret_number = number == 4 || number == 5 ? number + 2 : number;
    return true;
}

/* Number -> value. */
uint64_t x86_helper_read_dr(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned number = 0;

    if (!check_access(cpu, (unsigned)a, &number)) {
        return 0;
    }
    return number < POINTS ? cpu->dr[number] : number == 6 ? cpu->dr6 : cpu->dr7;
}

/* Number, value. */
uint64_t x86_helper_write_dr(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned number = 0;

    if (!check_access(cpu, (unsigned)a, &number)) {
        return 0;
    }
    if (number >= 6 && b >> 32) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    if (number < POINTS) {
        cpu->dr[number] = b;
    } else if (number == 6) {
        cpu->dr6 = (b & 0xe00f) | DR6_FIXED;
        return 0;
    } else {
        cpu->dr7 = (b & DR7_WRITABLE) | DR7_FIXED;
    }
    x86_debug_changed(base);
    return 0;
}
