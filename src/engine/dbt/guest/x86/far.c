/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Far jumps, calls and returns, also through call gates (SDM volume 3, 5.8).
 *
 * Each function makes all its checks and memory accesses first, and then changes registers.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

uint64_t x86_offset_of(const X86Cpu *cpu, uint64_t pc)
{
    return x86_code64(cpu) ? pc : (uint32_t)(pc - cpu->segment[X86_CS].base);
}

/* --- code segments ---------------------------------------------------------------------------- */

static bool is_long_code(const X86Cpu *cpu, const X86Segment *code)
{
    return x86_long_mode(cpu) && (code->attributes & SEG_L);
}

static bool may_transfer(const X86Cpu *cpu, const X86Segment *code, X86Transfer transfer)
{
    unsigned dpl = segment_dpl(code), rpl = selector_rpl(code->selector), cpl = cpu->cpl;
    bool conforming = segment_is_conforming(code);

    switch (transfer) {
    case TRANSFER_JUMP:
        return conforming ? dpl <= cpl : rpl <= cpl && dpl == cpl;
    case TRANSFER_GATE:
        return dpl <= cpl;
    default:
        return rpl >= cpl && (conforming ? dpl <= rpl : dpl == rpl);
    }
}

bool x86_check_code(X86Cpu *cpu, uint16_t selector, X86Transfer transfer, X86Segment *ret_segment)
{
    X86Descriptor descriptor;

    if (selector_is_null(selector)) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!x86_fetch_descriptor(cpu, selector, EXC_GP, &descriptor)) {
        return false;
    }
    X86Segment code = x86_segment_of(selector, &descriptor);
    bool both = (code.attributes & (SEG_L | SEG_DB)) == (SEG_L | SEG_DB) && x86_long_mode(cpu);
    if (!segment_is_code(&code) || both || !may_transfer(cpu, &code, transfer)) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!(code.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, selector_error(selector));
    }
    if (!x86_mark_accessed(cpu, &descriptor, &code)) {
        return false;
    }
    *ret_segment = code;
    return true;
}

bool x86_check_target(X86Cpu *cpu, const X86Segment *code, uint64_t offset)
{
    bool good = is_long_code(cpu, code) ? x86_canonical(offset) : offset <= code->limit;

    return good || x86_raise_error(cpu, EXC_GP, 0);
}

void x86_enter_code(X86Cpu *cpu, X86Segment code, unsigned cpl, uint64_t offset)
{
    bool wide = is_long_code(cpu, &code);

    code.selector = (uint16_t)((code.selector & ~3U) | cpl);
    x86_set_segment(cpu, X86_CS, &code);
    cpu->cpl = (uint8_t)cpl;
    cpu->base.pc = wide ? offset : (uint32_t)(code.base + offset);
}

bool x86_enter_real(X86Cpu *cpu, uint16_t selector, uint64_t offset)
{
    X86Segment code = cpu->segment[X86_CS];

    if (offset > code.limit) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    code.selector = selector;
    code.base = (uint64_t)selector << 4;
    x86_set_segment(cpu, X86_CS, &code);
    cpu->base.pc = (uint32_t)(code.base + offset);
    return true;
}

/* --- call gates ------------------------------------------------------------------------------- */

typedef struct Gate {
    uint16_t selector;
    uint64_t offset;
    unsigned size; /* of what is pushed: 2, 4 or 8 bytes */
    unsigned parameters;
} Gate;

static bool read_gate(X86Cpu *cpu, uint16_t selector, const X86Descriptor *descriptor,
                      Gate *ret_gate)
{
    X86Segment gate = x86_segment_of(selector, descriptor);
    bool wide = segment_type(&gate) == GATE_CALL;
    uint64_t upper = 0;

    if (segment_dpl(&gate) < MAX(cpu->cpl, selector_rpl(selector))) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (!(gate.attributes & SEG_P)) {
        return x86_raise_error(cpu, EXC_NP, selector_error(selector));
    }
    if (x86_long_mode(cpu) && !x86_upper_base(cpu, descriptor, selector, &upper)) {
        return false;
    }
    *ret_gate = (Gate){
        .selector = (uint16_t)(descriptor->low >> 16),
        .offset =
            upper << 32 | (wide ? descriptor->high & 0xffff0000 : 0) | (descriptor->low & 0xffff),
        .size = x86_long_mode(cpu) ? 8
                : wide             ? 4
                                   : 2,
        .parameters = x86_long_mode(cpu) ? 0 : descriptor->high & 31,
    };
    return true;
}

/* The code segment behind a gate. */
static bool check_gate_code(X86Cpu *cpu, const Gate *gate, X86Segment *ret_code)
{
    if (!x86_check_code(cpu, gate->selector, TRANSFER_GATE, ret_code)) {
        return false;
    }
    if (x86_long_mode(cpu) && !(ret_code->attributes & SEG_L)) {
        return x86_raise_error(cpu, EXC_GP, selector_error(gate->selector));
    }
    return x86_check_target(cpu, ret_code, gate->offset);
}

static bool gate_jump(X86Cpu *cpu, const Gate *gate)
{
    X86Segment code;

    if (!check_gate_code(cpu, gate, &code)) {
        return false;
    }
    if (!segment_is_conforming(&code) && segment_dpl(&code) != cpu->cpl) {
        return x86_raise_error(cpu, EXC_GP, selector_error(gate->selector));
    }
    x86_enter_code(cpu, code, cpu->cpl, gate->offset);
    return true;
}

/* The stack of inner ring @cpl that a call gate switches to. */
static bool inner_stack(X86Cpu *cpu, unsigned cpl, X86Stack *ret_stack)
{
    X86Segment segment;
    uint16_t selector;
    uint64_t sp;

    if (x86_long_mode(cpu)) {
        segment = x86_null_stack(cpl);
        if (!x86_tss_rsp(cpu, cpl, 0, &sp)) {
            return false;
        }
    } else if (!x86_tss_stack(cpu, cpl, &selector, &sp) ||
               !x86_check_stack_segment(cpu, selector, cpl, EXC_TS, &segment)) {
        return false;
    }
    x86_stack_at(cpu, &segment, sp, cpl, ret_stack, x86_long_mode(cpu));
    ret_stack->error = selector_error(segment.selector);
    return true;
}

static bool gate_call_inner(X86Cpu *cpu, const Gate *gate, const X86Segment *code, uint64_t rip)
{
    unsigned cpl = segment_dpl(code), n = 0;
    uint64_t frame[35], parameter[31];
    X86Stack from, to;

    if (!inner_stack(cpu, cpl, &to)) {
        return false;
    }
    x86_stack_current(cpu, &from);
    frame[n++] = cpu->segment[X86_SS].selector;
    frame[n++] = cpu->gpr[X86_RSP];
    for (unsigned i = 0; i < gate->parameters; i++) {
        if (!x86_stack_pop(cpu, &from, gate->size, &parameter[i])) {
            return false;
        }
    }
    for (unsigned i = gate->parameters; i-- > 0;) {
        frame[n++] = parameter[i];
    }
    frame[n++] = cpu->segment[X86_CS].selector;
    frame[n++] = rip;
    if (!x86_stack_push(cpu, &to, frame, n, gate->size)) {
        return false;
    }
    x86_enter_code(cpu, *code, cpl, gate->offset);
    x86_stack_switch(cpu, &to);
    return true;
}

static bool push_return(X86Cpu *cpu, unsigned size, uint64_t rip, X86Stack *ret_stack)
{
    const uint64_t frame[] = { cpu->segment[X86_CS].selector, rip };

    x86_stack_current(cpu, ret_stack);
    return x86_stack_push(cpu, ret_stack, frame, G_N_ELEMENTS(frame), size);
}

static bool gate_call(X86Cpu *cpu, const Gate *gate, uint64_t rip)
{
    X86Segment code;
    X86Stack stack;

    if (!check_gate_code(cpu, gate, &code)) {
        return false;
    }
    if (!segment_is_conforming(&code) && segment_dpl(&code) < cpu->cpl) {
        return gate_call_inner(cpu, gate, &code, rip);
    }
    if (!push_return(cpu, gate->size, rip, &stack)) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    x86_enter_code(cpu, code, cpu->cpl, gate->offset);
    return true;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static bool task_transfer(X86Cpu *cpu, uint16_t selector, const X86Descriptor *descriptor,
                          X86TaskCause cause, uint64_t rip)
{
    X86Segment segment = x86_segment_of(selector, descriptor);
    uint16_t task = selector;

    if (segment_dpl(&segment) < MAX(cpu->cpl, selector_rpl(selector))) {
        return x86_raise_error(cpu, EXC_GP, selector_error(selector));
    }
    if (segment_type(&segment) == GATE_TASK) {
        if (!(segment.attributes & SEG_P)) {
            return x86_raise_error(cpu, EXC_NP, selector_error(selector));
        }
        task = (uint16_t)(descriptor->low >> 16);
    }
    if (!x86_task_switch(cpu, task, cause, rip, NULL) && !cpu->task_switched) {
        return false;
    }
    x86_deliver_in_task(cpu);
    return true;
}

/* Through a system descriptor: a gate or a task. */
static bool system_transfer(X86Cpu *cpu, uint16_t selector, const X86Descriptor *descriptor,
                            X86TaskCause cause, uint64_t rip)
{
    X86Segment segment = x86_segment_of(selector, descriptor);
    unsigned type = segment_type(&segment);
    Gate gate;

    if (type == GATE_CALL || (type == GATE_CALL16 && !x86_long_mode(cpu))) {
        if (!read_gate(cpu, selector, descriptor, &gate)) {
            return false;
        }
        return cause == TASK_CALL ? gate_call(cpu, &gate, rip) : gate_jump(cpu, &gate);
    }
    if (!x86_long_mode(cpu) && (type == GATE_TASK || type == GATE_TSS || type == GATE_TSS16)) {
        return task_transfer(cpu, selector, descriptor, cause, rip);
    }
    return x86_raise_error(cpu, EXC_GP, selector_error(selector));
}

/* The descriptor of @selector; *ret_system: a gate or a task. */
static bool look_up(X86Cpu *cpu, uint16_t selector, X86Descriptor *ret_descriptor, bool *ret_system)
{
    if (selector_is_null(selector)) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!x86_fetch_descriptor(cpu, selector, EXC_GP, ret_descriptor)) {
        return false;
    }
    *ret_system = !(x86_segment_of(selector, ret_descriptor).attributes & SEG_S);
    return true;
}

/* --- the instructions ------------------------------------------------------------------------- */

static bool far_jump(X86Cpu *cpu, uint16_t selector, uint64_t offset, uint64_t rip)
{
    X86Descriptor descriptor;
    X86Segment code;
    bool system;

    if (!x86_protected(cpu)) {
        return x86_enter_real(cpu, selector, offset);
    }
    if (!look_up(cpu, selector, &descriptor, &system)) {
        return false;
    }
    if (system) {
        return system_transfer(cpu, selector, &descriptor, TASK_JUMP, rip);
    }
    if (!x86_check_code(cpu, selector, TRANSFER_JUMP, &code) ||
        !x86_check_target(cpu, &code, offset)) {
        return false;
    }
    x86_enter_code(cpu, code, cpu->cpl, offset);
    return true;
}

/* Selector, offset, pc of the next instruction. */
uint64_t x86_helper_far_jump(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    far_jump(cpu, (uint16_t)a, b, x86_offset_of(cpu, c));
    return 0;
}

static bool far_call_real(X86Cpu *cpu, uint16_t selector, uint64_t offset, X86Stack *stack)
{
    if (!x86_enter_real(cpu, selector, offset)) {
        return false;
    }
    x86_stack_commit(cpu, stack);
    return true;
}

static bool far_call(X86Cpu *cpu, uint16_t selector, unsigned size, uint64_t offset, uint64_t rip)
{
    X86Descriptor descriptor;
    X86Segment code;
    X86Stack stack;
    bool system;

    if (!x86_protected(cpu)) {
        return push_return(cpu, size, rip, &stack) && far_call_real(cpu, selector, offset, &stack);
    }
    if (!look_up(cpu, selector, &descriptor, &system)) {
        return false;
    }
    if (system) {
        return system_transfer(cpu, selector, &descriptor, TASK_CALL, rip);
    }
    if (!x86_check_code(cpu, selector, TRANSFER_JUMP, &code) ||
        !x86_check_target(cpu, &code, offset) || !push_return(cpu, size, rip, &stack)) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    x86_enter_code(cpu, code, cpu->cpl, offset);
    return true;
}

/* Selector | operand size << 16, offset, pc of the next instruction. */
uint64_t x86_helper_far_call(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    far_call(cpu, (uint16_t)a, (unsigned)(a >> 16), b, x86_offset_of(cpu, c));
    return 0;
}

bool x86_pop_outer_stack(X86Cpu *cpu, X86Stack *stack, const X86Segment *code, unsigned size,
                         X86Stack *ret_outer)
{
    unsigned cpl = selector_rpl(code->selector);
    bool wide = is_long_code(cpu, code);
    X86Segment segment;
    uint64_t sp, selector;

    if (!x86_stack_pop(cpu, stack, size, &sp) || !x86_stack_pop(cpu, stack, size, &selector)) {
        return false;
    }
    if (wide && cpl != 3 && selector_is_null((uint16_t)selector)) {
        if (selector_rpl((uint16_t)selector) != cpl) {
            return x86_raise_error(cpu, EXC_GP, selector_error((uint16_t)selector));
        }
        segment = x86_null_stack(cpl);
    } else if (!x86_check_stack_segment(cpu, (uint16_t)selector, cpl, EXC_GP, &segment)) {
        return false;
    }
    x86_stack_at(cpu, &segment, sp, cpl, ret_outer, wide);
    return true;
}

static bool far_ret(X86Cpu *cpu, unsigned size, unsigned release)
{
    X86Stack stack, outer;
    X86Segment code;
    uint64_t offset, selector;

    x86_stack_current(cpu, &stack);
    if (!x86_stack_pop(cpu, &stack, size, &offset) ||
        !x86_stack_pop(cpu, &stack, size, &selector)) {
        return false;
    }
    stack.sp += release;
    if (!x86_protected(cpu)) {
        return far_call_real(cpu, (uint16_t)selector, offset, &stack);
    }
    if (!x86_check_code(cpu, (uint16_t)selector, TRANSFER_RETURN, &code) ||
        !x86_check_target(cpu, &code, offset)) {
        return false;
    }
    unsigned cpl = selector_rpl((uint16_t)selector);
    if (cpl == cpu->cpl) {
        x86_stack_commit(cpu, &stack);
        x86_enter_code(cpu, code, cpl, offset);
        return true;
    }
    if (!x86_pop_outer_stack(cpu, &stack, &code, size, &outer)) {
        return false;
    }
    outer.sp += release;
    x86_enter_code(cpu, code, cpl, offset);
    x86_stack_switch(cpu, &outer);
    x86_drop_inner_segments(cpu);
    return true;
}

/* Operand size, bytes to release. */
uint64_t x86_helper_far_ret(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    far_ret(x86_cpu(cpu), (unsigned)a, (unsigned)b);
    return 0;
}
