/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware task switches outside long mode, with 32-bit and 16-bit TSSs (SDM volume 3, 7.3).
 *
 * Up to the point of no return an exception belongs to the old task and nothing has changed.
 * Behind it registers hold the new task's values, task_switched is set, and what goes wrong with
 * its segments is a fault of the new task at its first instruction.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"

/* Order of registers in a TSS. */
static const uint8_t segment_order[] = { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS };

/* Where things stand in a TSS. */
typedef struct Layout {
    unsigned size; /* of eip, eflags and general registers: 4 or 2 bytes */
    unsigned minimum_limit, cr3, eip, eflags, registers, segments, n_segments, ldt, trap;
    unsigned segment_step;
} Layout;

static const Layout layout_32 = {
    .size = 4,
    .minimum_limit = 0x67,
    .cr3 = 0x1c,
    .eip = 0x20,
    .eflags = 0x24,
    .registers = 0x28,
    .segments = 0x48,
    .n_segments = 6,
    .segment_step = 4,
    .ldt = 0x60,
    .trap = 0x64,
};

static const Layout layout_16 = {
    .size = 2,
    .minimum_limit = 0x2b,
    .eip = 0x0e,
    .eflags = 0x10,
    .registers = 0x12,
    .segments = 0x22,
    .n_segments = 4, /* no FS and GS */
    .segment_step = 2,
    .ldt = 0x2a,
};

/* What a TSS holds. */
typedef struct Task {
    uint64_t cr3, eip, eflags, gpr[8];
    uint64_t selector[X86_SEGMENTS], ldt, trap;
} Task;

typedef struct Switch {
    uint16_t selector;
    X86TaskCause cause;
    X86Segment tss;
    X86Descriptor descriptor;
    const Layout *layout;
    Task task;
} Switch;

static const Layout *layout_of(const X86Segment *tss)
{
    return segment_type(tss) & 8 ? &layout_32 : &layout_16;
}

static bool load(X86Cpu *cpu, const X86Segment *tss, unsigned offset, unsigned size,
                 uint64_t *ret_value)
{
    return mmu_load(&cpu->base, tss->base + offset, size, X86_SYSTEM, ret_value);
}

/* The new TSS's descriptor: not busy, or busy when IRET goes back to it. */
static bool find_tss(X86Cpu *cpu, Switch *s)
{
    bool returns = s->cause == TASK_RETURN;
    unsigned vector = returns ? EXC_TS : EXC_GP;
    uint32_t error = selector_error(s->selector);

    if (selector_is_null(s->selector) || (s->selector & 4)) {
        return x86_raise_error(cpu, vector, error);
    }
    if (!x86_fetch_descriptor(cpu, s->selector, vector, &s->descriptor)) {
        return false;
    }
    s->tss = x86_segment_of(s->selector, &s->descriptor);
    unsigned type = s->tss.attributes & (SEG_S | SEG_TYPE), busy = returns ? 2 : 0;
    if (type != (GATE_TSS | busy) && type != (GATE_TSS16 | busy)) {
        return x86_raise_error(cpu, vector, error);
    }
    if (!(s->tss.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, error);
    }
    s->layout = layout_of(&s->tss);
    if (s->tss.limit < s->layout->minimum_limit) {
        return x86_raise_error(cpu, EXC_TS, error);
    }
    return true;
}

static bool read_task(X86Cpu *cpu, Switch *s)
{
    const Layout *l = s->layout;
    Task *task = &s->task;

    for (unsigned i = 0; i < 8; i++) {
        if (!load(cpu, &s->tss, l->registers + i * l->size, l->size, &task->gpr[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < l->n_segments; i++) {
        if (!load(cpu, &s->tss, l->segments + i * l->segment_step, 2,
                  &task->selector[segment_order[i]])) {
            return false;
        }
    }
    if (l->cr3 && (!load(cpu, &s->tss, l->cr3, 4, &task->cr3) ||
                   !load(cpu, &s->tss, l->trap, 2, &task->trap))) {
        return false;
    }
    return load(cpu, &s->tss, l->eip, l->size, &task->eip) &&
           load(cpu, &s->tss, l->eflags, l->size, &task->eflags) &&
           load(cpu, &s->tss, l->ldt, 2, &task->ldt);
}

/* Put the old task's registers into its TSS. */
static bool save_task(X86Cpu *cpu, const Switch *s, uint64_t rip)
{
    const X86Segment *tss = &cpu->tr;
    const Layout *l = layout_of(tss);
    uint64_t flags = x86_get_rflags(cpu);
    uint8_t image[0x68];
    unsigned end = l->segments + l->n_segments * l->segment_step, start = l->eip;

    if (tss->limit < l->minimum_limit) {
        return x86_raise_error(cpu, EXC_TS, selector_error(tss->selector));
    }
    flags &= s->cause == TASK_RETURN ? ~(uint64_t)FLAG_NT : UINT64_MAX;
    memset(image, 0, sizeof(image));
    memcpy(image + l->eip, &rip, l->size);
    memcpy(image + l->eflags, &flags, l->size);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + l->registers + i * l->size, &cpu->gpr[i], l->size);
    }
    for (unsigned i = 0; i < l->n_segments; i++) {
        store_le16(image + l->segments + i * l->segment_step,
                   cpu->segment[segment_order[i]].selector);
    }
    return mmu_store_bytes(&cpu->base, tss->base + start, image + start, end - start, X86_SYSTEM);
}

/* Busy bits and back link: the last that may fault in the old task. */
static bool relink(X86Cpu *cpu, const Switch *s)
{
    bool nests = s->cause == TASK_CALL || s->cause == TASK_EVENT;
    X86Descriptor old;

    if (!nests) {
        if (!x86_fetch_descriptor(cpu, cpu->tr.selector, EXC_TS, &old) ||
            !x86_mark_busy(cpu, &old, false)) {
            return false;
        }
    } else if (!mmu_store(&cpu->base, s->tss.base, cpu->tr.selector, 2, X86_SYSTEM)) {
        return false;
    }
    return s->cause == TASK_RETURN || x86_mark_busy(cpu, &s->descriptor, true);
}

/* --- the new task ----------------------------------------------------------------------------- */

static void load_flags(X86Cpu *cpu, const Switch *s)
{
    const uint64_t known = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT |
                           FLAG_RF | FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID;
    uint64_t flags = s->task.eflags;

    if (s->cause == TASK_CALL || s->cause == TASK_EVENT) {
        flags |= FLAG_NT;
    }
    x86_set_rflags(cpu, flags, known);
}

/* Registers without checks; segments get selectors only, as their descriptors may be bad. */
static bool load_registers(X86Cpu *cpu, const Switch *s)
{
    uint64_t high = s->layout->size == 2 ? 0xffff0000 : 0;

    cpu->tr = s->tss;
    cpu->tr.attributes |= 2;
    cpu->cr0 |= CR0_TS;
    cpu->dr7 &= ~(uint64_t)DR7_LOCAL;
    x86_debug_changed(&cpu->base);
    load_flags(cpu, s);
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i] = s->task.gpr[i] | high;
    }
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        cpu->segment[i] = (X86Segment){ .selector = (uint16_t)s->task.selector[i] };
    }
    cpu->ldtr = (X86Segment){ .selector = (uint16_t)s->task.ldt };
    cpu->base.pc = (uint32_t)s->task.eip;
    cpu->cpl = x86_v8086(cpu) ? 3 : selector_rpl((uint16_t)s->task.selector[X86_CS]);
    x86_context_changed(cpu);
    return s->layout->size == 2 || !(cpu->cr0 & CR0_PG) || x86_load_cr3(cpu, s->task.cr3, true);
}

/* CS of the new task, with #TS instead of #GP. */
static bool load_code(X86Cpu *cpu, uint16_t selector)
{
    X86Descriptor descriptor;
    uint32_t error = selector_error(selector);

    if (selector_is_null(selector)) {
        return x86_raise_error(cpu, EXC_TS, error);
    }
    if (!x86_fetch_descriptor(cpu, selector, EXC_TS, &descriptor)) {
        return false;
    }
    X86Segment code = x86_segment_of(selector, &descriptor);
    unsigned dpl = segment_dpl(&code), rpl = selector_rpl(selector);
    if (!segment_is_code(&code) || (segment_is_conforming(&code) ? dpl > rpl : dpl != rpl)) {
        return x86_raise_error(cpu, EXC_TS, error);
    }
    if (!(code.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, error);
    }
    if (!x86_mark_accessed(cpu, &descriptor, &code)) {
        return false;
    }
    x86_set_segment(cpu, X86_CS, &code);
    return true;
}

/* A data segment: #GP becomes #TS. */
static bool load_data(X86Cpu *cpu, unsigned index, uint16_t selector)
{
    if (x86_load_segment(cpu, index, selector)) {
        return true;
    }
    if (cpu->base.fault == FAULT_EXCEPTION && cpu->exception.vector == EXC_GP) {
        cpu->exception.vector = EXC_TS;
    }
    return false;
}

/* SS comes before all else if it can, so that whatever is wrong with the rest finds a stack. */
static void load_stack_early(X86Cpu *cpu, uint16_t selector)
{
    X86Segment segment;

    if (x86_v8086(cpu)) {
        x86_load_segment(cpu, X86_SS, selector);
    } else if (x86_check_stack_segment(cpu, selector, cpu->cpl, EXC_TS, &segment)) {
        x86_set_segment(cpu, X86_SS, &segment);
    }
    cpu->base.fault = FAULT_NONE;
}

static bool load_segments(X86Cpu *cpu, const Switch *s)
{
    static const uint8_t order[] = { X86_SS, X86_DS, X86_ES, X86_FS, X86_GS };
    const uint64_t *selector = s->task.selector;

    load_stack_early(cpu, (uint16_t)selector[X86_SS]);
    if (!x86_load_ldt(cpu, (uint16_t)s->task.ldt, EXC_TS)) {
        return false;
    }
    if (x86_v8086(cpu)) {
        x86_load_segment(cpu, X86_CS, (uint16_t)selector[X86_CS]);
    } else if (!load_code(cpu, (uint16_t)selector[X86_CS])) {
        return false;
    }
    cpu->base.pc = (uint32_t)(cpu->segment[X86_CS].base + s->task.eip);
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        if (!load_data(cpu, order[i], (uint16_t)selector[order[i]])) {
            return false;
        }
    }
    return x86_check_target(cpu, &cpu->segment[X86_CS], s->task.eip);
}

static bool push_error(X86Cpu *cpu, const Switch *s, uint64_t error_code)
{
    X86Stack stack;

    x86_stack_current(cpu, &stack);
    if (!x86_stack_push(cpu, &stack, &error_code, 1, s->layout->size)) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    return true;
}

bool x86_task_switch(X86Cpu *cpu, uint16_t selector, X86TaskCause cause, uint64_t next_rip,
                     const X86Exception *event)
{
    Switch s = { .selector = selector, .cause = cause };

    cpu->task_switched = false;
    if (!find_tss(cpu, &s) || !read_task(cpu, &s) || !save_task(cpu, &s, next_rip) ||
        !relink(cpu, &s)) {
        return false;
    }
    if (log_on(cpu->base.log, LOG_CPU)) {
        log_line(cpu->base.log, LOG_CPU, "cpu %u task switch %04x -> %04x, eip %" PRIx64,
                 cpu->base.index, cpu->tr.selector, selector, s.task.eip);
    }
    cpu->task_switched = true;
    if (!load_registers(cpu, &s) || !load_segments(cpu, &s)) {
        return false;
    }
    if (event && event->has_error && !push_error(cpu, &s, event->error_code)) {
        return false;
    }
    if (s.task.trap & 1) {
        x86_trap(cpu, DR6_BT);
    }
    return true;
}
