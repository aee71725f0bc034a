/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IRET in every mode: within a ring, to an outer ring, to virtual-8086 mode, to the previous task
 * (SDM volume 2, IRET).
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

/* Flags that every IRET restores. */
enum { IRET_FLAGS = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT };

/* Restore flags from an image of @size bytes; what ring and IOPL may change is decided by @cpl. */
static void restore_flags(X86Cpu *cpu, uint64_t image, unsigned size, unsigned cpl)
{
    uint64_t mask = IRET_FLAGS;

    mask |= size > 2 ? FLAG_RF | FLAG_AC | FLAG_ID : 0;
    mask |= cpl <= x86_iopl(cpu) ? FLAG_IF : 0;
    mask |= cpl == 0 ? FLAG_IOPL : 0;
    mask |= cpl == 0 && size > 2 && x86_protected(cpu) ? FLAG_VIF | FLAG_VIP : 0;
    x86_set_rflags(cpu, image, mask);
}

static bool pop_three(X86Cpu *cpu, X86Stack *stack, unsigned size, uint64_t values[3])
{
    for (unsigned i = 0; i < 3; i++) {
        if (!x86_stack_pop(cpu, stack, size, &values[i])) {
            return false;
        }
    }
    return true;
}

/* --- real and virtual-8086 mode --------------------------------------------------------------- */

static bool iret_real(X86Cpu *cpu, unsigned size)
{
    uint64_t frame[3];
    X86Stack stack;

    x86_stack_current(cpu, &stack);
    if (!pop_three(cpu, &stack, size, frame) ||
        !x86_enter_real(cpu, (uint16_t)frame[1], frame[0])) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    restore_flags(cpu, frame[2], size, 0);
    return true;
}

/* IOPL < 3 with VME: IF of the image is VIF. */
static bool iret_v8086_virtual_if(X86Cpu *cpu)
{
    uint64_t frame[3];
    X86Stack stack;

    x86_stack_current(cpu, &stack);
    if (!pop_three(cpu, &stack, 2, frame)) {
        return false;
    }
    if (((frame[2] & FLAG_IF) && (cpu->eflags & FLAG_VIP)) || (frame[2] & FLAG_TF)) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!x86_enter_real(cpu, (uint16_t)frame[1], frame[0])) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    x86_set_rflags(cpu, frame[2] | (frame[2] & FLAG_IF ? FLAG_VIF : 0), IRET_FLAGS | FLAG_VIF);
    return true;
}

static bool iret_v8086(X86Cpu *cpu, unsigned size)
{
    uint64_t frame[3];
    X86Stack stack;

    if (x86_iopl(cpu) < 3) {
        return size == 2 && (cpu->cr4 & CR4_VME) ? iret_v8086_virtual_if(cpu)
                                                 : x86_raise_error(cpu, EXC_GP, 0);
    }
    x86_stack_current(cpu, &stack);
    if (!pop_three(cpu, &stack, size, frame) ||
        !x86_enter_real(cpu, (uint16_t)frame[1], frame[0])) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    restore_flags(cpu, frame[2], size, 3);
    return true;
}

/* --- protected mode --------------------------------------------------------------------------- */

/* Back to the task that CALL or an interrupt left. */
static bool iret_task(X86Cpu *cpu, uint64_t rip)
{
    uint64_t link;

    if (x86_long_mode(cpu)) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!mmu_load(&cpu->base, cpu->tr.base, 2, X86_SYSTEM, &link)) {
        return false;
    }
    if (!x86_task_switch(cpu, (uint16_t)link, TASK_RETURN, rip, NULL) && !cpu->task_switched) {
        return false;
    }
    x86_deliver_in_task(cpu);
    return true;
}

/* From ring 0 to virtual-8086 mode: 6 more values, and segments without descriptors. */
static bool iret_to_v8086(X86Cpu *cpu, X86Stack *stack, const uint64_t frame[3])
{
    static const uint8_t order[] = { X86_SS, X86_ES, X86_DS, X86_FS, X86_GS };
    uint64_t sp, selector[G_N_ELEMENTS(order)];

    if (!x86_stack_pop(cpu, stack, 4, &sp)) {
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        if (!x86_stack_pop(cpu, stack, 4, &selector[i])) {
            return false;
        }
    }
    if (frame[0] > 0xffff) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    restore_flags(cpu, frame[2], 4, 0);
    x86_set_rflags(cpu, FLAG_VM, FLAG_VM);
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        x86_load_segment(cpu, order[i], (uint16_t)selector[i]);
    }
    x86_load_segment(cpu, X86_CS, (uint16_t)frame[1]);
    cpu->cpl = 3;
    cpu->base.pc = (uint32_t)(cpu->segment[X86_CS].base + frame[0]);
    cpu->gpr[X86_RSP] = (uint32_t)sp;
    return true;
}

static bool iret_protected(X86Cpu *cpu, unsigned size, uint64_t rip)
{
    X86Stack stack, outer;
    X86Segment code;
    uint64_t frame[3];
    unsigned old_cpl = cpu->cpl;

    if (cpu->eflags & FLAG_NT) {
        return iret_task(cpu, rip);
    }
    x86_stack_current(cpu, &stack);
    if (!pop_three(cpu, &stack, size, frame)) {
        return false;
    }
    if ((frame[2] & FLAG_VM) && size == 4 && old_cpl == 0 && !x86_long_mode(cpu)) {
        return iret_to_v8086(cpu, &stack, frame);
    }
    if (!x86_check_code(cpu, (uint16_t)frame[1], TRANSFER_RETURN, &code) ||
        !x86_check_target(cpu, &code, frame[0])) {
        return false;
    }
    unsigned cpl = selector_rpl((uint16_t)frame[1]);
    bool switches = cpl != old_cpl || x86_code64(cpu); /* 64-bit IRET always pops SS:RSP */
    if (switches && !x86_pop_outer_stack(cpu, &stack, &code, size, &outer)) {
        return false;
    }
    restore_flags(cpu, frame[2], size, old_cpl);
    x86_enter_code(cpu, code, cpl, frame[0]);
    if (!switches) {
        x86_stack_commit(cpu, &stack);
        return true;
    }
    x86_stack_switch(cpu, &outer);
    if (cpl != old_cpl) {
        x86_drop_inner_segments(cpu);
    }
    return true;
}

static bool iret(X86Cpu *cpu, unsigned size, uint64_t rip)
{
    cpu->nmi_blocked = false; /* even if IRET faults */
    if (!(cpu->cr0 & CR0_PE)) {
        return iret_real(cpu, size);
    }
    return x86_v8086(cpu) ? iret_v8086(cpu, size) : iret_protected(cpu, size, rip);
}

/* Operand size, pc of the next instruction. */
uint64_t x86_helper_iret(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (iret(cpu, (unsigned)a, x86_offset_of(cpu, b))) {
        x86_context_changed(cpu);
        x86_recheck(cpu);
    }
    return 0;
}
