/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SYSCALL, SYSRET, SYSENTER and SYSEXIT as AMD's CPUs have them (APM volume 3): SYSCALL works in
 * every mode, SYSENTER not in long mode, and SYSRET leaves a bad RIP to the next fetch.
 *
 * They load flat segments without looking at descriptors.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

enum {
    FLAT_CODE = SEG_G | SEG_P | SEG_S | SEG_CODE | SEG_WRITABLE | SEG_ACCESSED,
    FLAT_DATA = SEG_G | SEG_DB | SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED,
    SYSRET_FLAGS = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC |
                   FLAG_VIF | FLAG_VIP | FLAG_ID,
};

static X86Segment flat(unsigned selector, unsigned cpl, unsigned attributes)
{
    return (X86Segment){
        .selector = (uint16_t)((selector & ~3U) | cpl),
        .limit = UINT32_MAX,
        .attributes = (uint16_t)(attributes | cpl << SEG_DPL_SHIFT),
    };
}

/* CS and SS for ring @cpl, 64-bit code if @wide; continue at @rip. */
static void enter(X86Cpu *cpu, unsigned cs, unsigned ss, unsigned cpl, bool wide)
{
    X86Segment code = flat(cs, cpl, FLAT_CODE | (wide ? SEG_L : SEG_DB));
    X86Segment stack = flat(ss, cpl, FLAT_DATA);

    x86_set_segment(cpu, X86_SS, &stack);
    x86_set_segment(cpu, X86_CS, &code);
    cpu->cpl = (uint8_t)cpl;
}

static bool has_syscall(X86Cpu *cpu)
{
    return (cpu->msr.efer & EFER_SCE) || x86_raise(cpu, EXC_UD);
}

/* pc of the next instruction. */
uint64_t x86_helper_syscall(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned cs = (unsigned)bits_get(cpu->msr.star, 32, 16);

    if (!has_syscall(cpu)) {
        return 0;
    }
    cpu->gpr[X86_RCX] = x86_offset_of(cpu, a);
    if (x86_long_mode(cpu)) {
        base->pc = x86_code64(cpu) ? cpu->msr.lstar : cpu->msr.cstar;
        cpu->gpr[11] = x86_get_rflags(cpu) & ~(uint64_t)FLAG_RF;
        x86_set_rflags(cpu, 0, cpu->msr.fmask | FLAG_RF);
        if (cpu->msr.fmask & FLAG_TF) {
            cpu->debug_pending &= ~(uint64_t)DR6_BS; /* the mask comes before the trap */
        }
        enter(cpu, cs, cs + 8, 0, true);
    } else {
        base->pc = (uint32_t)cpu->msr.star;
        x86_set_rflags(cpu, 0, FLAG_VM | FLAG_IF | FLAG_RF);
        enter(cpu, cs, cs + 8, 0, false);
    }
    return 0;
}

/* Operand size. */
uint64_t x86_helper_sysret(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned cs = (unsigned)bits_get(cpu->msr.star, 48, 16);
    bool wide = a == 8;

    if (!has_syscall(cpu)) {
        return 0;
    }
    if (!x86_protected(cpu) || cpu->cpl) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    base->pc = wide ? cpu->gpr[X86_RCX] : (uint32_t)cpu->gpr[X86_RCX];
    if (x86_long_mode(cpu)) {
        x86_set_rflags(cpu, cpu->gpr[11], SYSRET_FLAGS | FLAG_RF);
    } else {
        x86_set_rflags(cpu, FLAG_IF, FLAG_IF);
    }
    enter(cpu, wide ? cs + 16 : cs, cs + 8, 3, wide);
    x86_recheck(cpu);
    return 0;
}

/* Both need legacy protected mode and an operating system that set them up. */
static bool has_sysenter(X86Cpu *cpu)
{
    if (x86_long_mode(cpu)) {
        return x86_raise(cpu, EXC_UD);
    }
    if (!(cpu->cr0 & CR0_PE) || !(cpu->msr.sysenter_cs & 0xfffc)) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    return true;
}

uint64_t x86_helper_sysenter(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned cs = cpu->msr.sysenter_cs & 0xfffc;

    if (!has_sysenter(cpu)) {
        return 0;
    }
    x86_set_rflags(cpu, 0, FLAG_VM | FLAG_IF | FLAG_RF);
    enter(cpu, cs, cs + 8, 0, false);
    cpu->gpr[X86_RSP] = (uint32_t)cpu->msr.sysenter_esp;
    base->pc = (uint32_t)cpu->msr.sysenter_eip;
    return 0;
}

uint64_t x86_helper_sysexit(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    unsigned cs = cpu->msr.sysenter_cs & 0xfffc;

    if (!has_sysenter(cpu)) {
        return 0;
    }
    if (cpu->cpl || x86_v8086(cpu)) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    enter(cpu, cs + 16, cs + 24, 3, false);
    cpu->gpr[X86_RSP] = (uint32_t)cpu->gpr[X86_RCX];
    base->pc = (uint32_t)cpu->gpr[X86_RDX];
    return 0;
}
