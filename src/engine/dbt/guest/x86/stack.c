/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of far transfers and exceptions: frames pushed whole or not at all, and the stacks that
 * a TSS names for inner rings (SDM volume 3, 5.8.5 and 6.14).
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"

enum { MAX_FRAME = 40 }; /* values: a call gate's 31 parameters and 4 more */

static unsigned stack_mmu(const X86Cpu *cpu, unsigned cpl)
{
    unsigned index = cpl == 3 ? MMU_USER : cpu->eflags & FLAG_AC ? MMU_KERNEL_AC : MMU_KERNEL;

    return index | MMU_STACK;
}

void x86_stack_at(X86Cpu *cpu, const X86Segment *segment, uint64_t sp, unsigned cpl,
                  X86Stack *ret_stack, bool flat)
{
    *ret_stack = (X86Stack){
        .segment = *segment,
        .sp = sp,
        .mask = flat                           ? UINT64_MAX
                : segment->attributes & SEG_DB ? UINT32_MAX
                                               : UINT16_MAX,
        .flat = flat,
        .mmu = stack_mmu(cpu, cpl),
    };
}

void x86_stack_current(X86Cpu *cpu, X86Stack *ret_stack)
{
    x86_stack_at(cpu, &cpu->segment[X86_SS], cpu->gpr[X86_RSP], cpu->cpl, ret_stack,
                 x86_code64(cpu));
}

/* The linear address of @size bytes at @sp; #SS if they are not inside the segment. */
static bool stack_gva(X86Cpu *cpu, const X86Stack *stack, uint64_t sp, unsigned size,
                      uint64_t *ret_gva)
{
    if (stack->flat) {
        *ret_gva = sp;
        return true;
    }
    sp &= stack->mask;
    if (!x86_in_limit(&stack->segment, sp, size)) {
        return x86_raise_error(cpu, EXC_SS, stack->error);
    }
    *ret_gva = (uint32_t)(stack->segment.base + sp);
    return true;
}

/* A frame that wraps around the end of its stack: value by value. */
static bool push_slowly(X86Cpu *cpu, X86Stack *stack, const uint64_t *values, unsigned n,
                        unsigned size)
{
    uint64_t gva = 0;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < n; i++) {
            uint64_t sp = stack->sp - (i + 1) * size;
            if (!stack_gva(cpu, stack, sp, size, &gva)) {
                return false;
            }
            if (pass == 0 ? !mmu_probe(&cpu->base, gva, size, MMU_WRITE, stack->mmu)
                          : !mmu_store(&cpu->base, gva, values[i], size, stack->mmu)) {
                return false;
            }
        }
    }
    stack->sp -= n * size;
    return true;
}

bool x86_stack_push(X86Cpu *cpu, X86Stack *stack, const uint64_t *values, unsigned n, unsigned size)
{
    uint8_t frame[MAX_FRAME * 8];
    unsigned length = n * size;
    uint64_t gva = 0;

    g_assert(n <= MAX_FRAME);
    if (!stack->flat && (stack->sp & stack->mask) < length) {
        return push_slowly(cpu, stack, values, n, size);
    }
    if (!stack_gva(cpu, stack, stack->sp - length, length, &gva)) {
        return false;
    }
    if (stack->flat && !x86_canonical(gva)) {
        return x86_raise_error(cpu, EXC_SS, stack->error);
    }
    for (unsigned i = 0; i < n; i++) {
        memcpy(frame + length - (i + 1) * size, &values[i], size);
    }
    if (!mmu_store_bytes(&cpu->base, gva, frame, length, stack->mmu)) {
        return false;
    }
    stack->sp -= length;
    return true;
}

bool x86_stack_pop(X86Cpu *cpu, X86Stack *stack, unsigned size, uint64_t *ret_value)
{
    uint64_t gva;

    if (!stack_gva(cpu, stack, stack->sp, size, &gva) ||
        !mmu_load(&cpu->base, gva, size, stack->mmu, ret_value)) {
        return false;
    }
    stack->sp += size;
    return true;
}

void x86_stack_commit(X86Cpu *cpu, const X86Stack *stack)
{
    uint64_t *rsp = &cpu->gpr[X86_RSP];

    if (stack->mask == UINT16_MAX) {
        *rsp = (*rsp & ~UINT64_C(0xffff)) | (stack->sp & 0xffff);
    } else {
        *rsp = stack->sp & stack->mask;
    }
}

void x86_stack_switch(X86Cpu *cpu, const X86Stack *stack)
{
    x86_set_segment(cpu, X86_SS, &stack->segment);
    x86_stack_commit(cpu, stack);
}

/* @size bytes at @offset of the TSS; #TS(TR) behind its limit. */
static bool read_tss(X86Cpu *cpu, unsigned offset, unsigned size, uint64_t *ret_value)
{
    if (offset + size - 1 > cpu->tr.limit || !(cpu->tr.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_TS, selector_error(cpu->tr.selector));
    }
    return mmu_load(&cpu->base, cpu->tr.base + offset, size, X86_SYSTEM, ret_value);
}

bool x86_tss_stack(X86Cpu *cpu, unsigned cpl, uint16_t *ret_ss, uint64_t *ret_sp)
{
    bool wide = segment_type(&cpu->tr) & 8;
    unsigned size = wide ? 4 : 2;
    unsigned offset = wide ? 4 + cpl * 8 : 2 + cpl * 4;
    uint64_t sp, ss;

    if (!read_tss(cpu, offset, size, &sp) || !read_tss(cpu, offset + size, 2, &ss)) {
        return false;
    }
    *ret_sp = sp;
    *ret_ss = (uint16_t)ss;
    return true;
}

bool x86_tss_rsp(X86Cpu *cpu, unsigned cpl, unsigned ist, uint64_t *ret_rsp)
{
    uint64_t rsp;

    if (!read_tss(cpu, ist ? 28 + ist * 8 : 4 + cpl * 8, 8, &rsp)) {
        return false;
    }
    if (!x86_canonical(rsp)) {
        return x86_raise_error(cpu, EXC_SS, 0);
    }
    *ret_rsp = rsp;
    return true;
}
