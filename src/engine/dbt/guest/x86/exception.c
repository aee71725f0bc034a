/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions and interrupts: recording, double and triple faults, delivery through the IDT (SDM
 * volume 3, chapter 6).
 *
 * An instruction that faults records the exception (x86_raise); the core then calls x86_deliver()
 * with pc at that instruction.  Delivery itself may fault: then the two are combined, and a fault
 * while #DF is delivered ends the VM.  Nothing of the CPU's state changes before a delivery has
 * made its last check and pushed its frame, but for task gates (task.c).
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

/* Vectors that push an error code. */
enum {
    WITH_ERROR = 1 << EXC_DF | 1 << EXC_TS | 1 << EXC_NP | 1 << EXC_SS | 1 << EXC_GP | 1 << EXC_PF |
                 1 << EXC_AC
};

/* Traps: the pushed rip is behind the instruction and RF isn't set. */
enum { TRAPS = 1 << EXC_DB | 1 << EXC_BP | 1 << EXC_OF | 1 << EXC_NMI | 1 << EXC_DF | 1 << EXC_MC };

enum { ERROR_EXT = 1, ERROR_IDT = 2 };

/* --- recording -------------------------------------------------------------------------------- */

static bool record(X86Cpu *cpu, const X86Exception *exception)
{
    cpu->exception = *exception;
    cpu->base.fault = FAULT_EXCEPTION;
    return false;
}

bool x86_raise_error(X86Cpu *cpu, unsigned vector, uint32_t error_code)
{
    return record(cpu, &(X86Exception){ .vector = (uint8_t)vector,
                                        .has_error = bit_test(WITH_ERROR, vector),
                                        .error_code = error_code });
}

bool x86_raise(X86Cpu *cpu, unsigned vector)
{
    return x86_raise_error(cpu, vector, 0);
}

bool x86_raise_page_fault(X86Cpu *cpu, uint64_t gva, uint32_t error_code)
{
    if (log_on(cpu->base.log, LOG_MMU)) {
        log_line(cpu->base.log, LOG_MMU, "cpu %u page fault at %" PRIx64 " error %x",
                 cpu->base.index, gva, error_code);
    }
    cpu->cr2 = gva;
    return x86_raise_error(cpu, EXC_PF, error_code);
}

/* --- combining -------------------------------------------------------------------------------- */

typedef enum FaultClass { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT } FaultClass;

static FaultClass class_of(const X86Exception *exception)
{
    const uint32_t contributory =
        1 << EXC_DE | 1 << EXC_TS | 1 << EXC_NP | 1 << EXC_SS | 1 << EXC_GP;

    if (exception->external || exception->soft || exception->vector >= 32) {
        return BENIGN;
    }
    if (exception->vector == EXC_PF) {
        return PAGE_FAULT;
    }
    if (exception->vector == EXC_DF) {
        return DOUBLE_FAULT;
    }
    return bit_test(contributory, exception->vector) ? CONTRIBUTORY : BENIGN;
}

/* What @second, raised while @first was delivered, comes to (SDM table 6-5).  False: shutdown. */
static bool combine(const X86Exception *first, X86Exception *second)
{
    FaultClass a = class_of(first), b = class_of(second);

    if (b == BENIGN || a == BENIGN || (a == CONTRIBUTORY && b == PAGE_FAULT)) {
        return true;
    }
    if (a == DOUBLE_FAULT) {
        return false;
    }
    *second = (X86Exception){ .vector = EXC_DF, .has_error = true };
    return true;
}

static void shut_down(X86Cpu *cpu, const X86Exception *first, const X86Exception *second)
{
    if (log_on(cpu->base.log, LOG_INT)) {
        log_line(cpu->base.log, LOG_INT,
                 "cpu %u triple fault: vector %u while delivering %u, pc %" PRIx64, cpu->base.index,
                 second->vector, first->vector, cpu->base.pc);
    }
    cpu->base.shutdown = true;
}

/* --- the IDT ---------------------------------------------------------------------------------- */

/* A gate and the event that goes through it. */
typedef struct Delivery {
    const X86Exception *event;
    uint64_t rip;   /* to be pushed */
    uint64_t flags; /* to be pushed */
    uint16_t selector;
    uint64_t offset;
    bool clears_if;
    unsigned size; /* of pushed values: 2, 4 or 8 bytes */
    unsigned ist;
} Delivery;

static uint32_t idt_error(const X86Exception *event)
{
    return event->vector * 8U | ERROR_IDT;
}

/* EXT is set in error codes for what goes wrong while an event is delivered that the program
 * didn't ask for. */
static bool add_ext(X86Cpu *cpu, const X86Exception *event)
{
    const uint32_t with_selector = 1 << EXC_TS | 1 << EXC_NP | 1 << EXC_SS | 1 << EXC_GP;
    X86Exception *exception = &cpu->exception;

    if (!event->soft && bit_test(with_selector, exception->vector)) {
        exception->error_code |= ERROR_EXT;
    }
    return false;
}

/* The gate's 8 or 16 bytes. */
static bool read_gate(X86Cpu *cpu, const X86Exception *event, uint64_t gate[2])
{
    unsigned size = x86_long_mode(cpu) ? 16 : 8;
    uint64_t gva = cpu->idtr.base + event->vector * size;

    gate[1] = 0;
    if (event->vector * size + size - 1 > cpu->idtr.limit) {
        return x86_raise_error(cpu, EXC_GP, idt_error(event));
    }
    return mmu_load(&cpu->base, gva, 8, X86_SYSTEM, &gate[0]) &&
           (size == 8 || mmu_load(&cpu->base, gva + 8, 8, X86_SYSTEM, &gate[1]));
}

static bool type_is_gate(const X86Cpu *cpu, unsigned type)
{
    if (type == GATE_INT || type == GATE_TRAP) {
        return true;
    }
    return !x86_long_mode(cpu) && (type == GATE_TASK || type == GATE_INT16 || type == GATE_TRAP16);
}

/* Check the gate and take it apart.  *ret_type is its type. */
static bool look_up(X86Cpu *cpu, Delivery *d, unsigned *ret_type)
{
    uint64_t gate[2];

    if (!read_gate(cpu, d->event, gate)) {
        return false;
    }
    unsigned type = (unsigned)bits_get(gate[0], 40, 5), dpl = (unsigned)bits_get(gate[0], 45, 2);
    if (!type_is_gate(cpu, type) || (d->event->soft && dpl < cpu->cpl)) {
        return x86_raise_error(cpu, EXC_GP, idt_error(d->event));
    }
    if (!bit_test(gate[0], 47)) {
        return x86_raise_error(cpu, EXC_NP, idt_error(d->event));
    }
    d->selector = (uint16_t)(gate[0] >> 16);
    d->offset = gate[0] & 0xffff;
    d->offset |= type & 8 ? (gate[0] >> 32) & 0xffff0000 : 0;
    d->offset |= gate[1] << 32;
    d->clears_if = type == GATE_INT || type == GATE_INT16;
    d->size = x86_long_mode(cpu) ? 8 : type & 8 ? 4 : 2;
    d->ist = x86_long_mode(cpu) ? (unsigned)bits_get(gate[0], 32, 3) : 0;
    *ret_type = type;
    return true;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* The stack for a handler in ring @cpl. */
static bool handler_stack(X86Cpu *cpu, const Delivery *d, unsigned cpl, bool inner,
                          X86Stack *ret_stack)
{
    X86Segment segment;
    uint16_t selector;
    uint64_t sp = cpu->gpr[X86_RSP];

    if (x86_long_mode(cpu)) {
        segment = inner ? x86_null_stack(cpl) : cpu->segment[X86_SS];
        if ((inner || d->ist) && !x86_tss_rsp(cpu, cpl, d->ist, &sp)) {
            return false;
        }
        x86_stack_at(cpu, &segment, align_down(sp, 16), cpl, ret_stack, true);
        return true;
    }
    if (!inner) {
        x86_stack_current(cpu, ret_stack);
        return true;
    }
    if (!x86_tss_stack(cpu, cpl, &selector, &sp) ||
        !x86_check_stack_segment(cpu, selector, cpl, EXC_TS, &segment)) {
        return false;
    }
    x86_stack_at(cpu, &segment, sp, cpl, ret_stack, false);
    ret_stack->error = selector_error(selector);
    return true;
}

static bool push_frame(X86Cpu *cpu, const Delivery *d, bool inner, X86Stack *stack)
{
    uint64_t frame[10];
    unsigned n = 0;

    if (x86_v8086(cpu)) {
        frame[n++] = cpu->segment[X86_GS].selector;
        frame[n++] = cpu->segment[X86_FS].selector;
        frame[n++] = cpu->segment[X86_DS].selector;
        frame[n++] = cpu->segment[X86_ES].selector;
    }
    if (inner || x86_long_mode(cpu)) {
        frame[n++] = cpu->segment[X86_SS].selector;
        frame[n++] = cpu->gpr[X86_RSP];
    }
    frame[n++] = d->flags;
    frame[n++] = cpu->segment[X86_CS].selector;
    frame[n++] = d->rip;
    if (d->event->has_error) {
        frame[n++] = d->event->error_code;
    }
    return x86_stack_push(cpu, stack, frame, n, d->size);
}

/* The handler's code segment and ring. */
static bool handler_code(X86Cpu *cpu, const Delivery *d, X86Segment *ret_code, unsigned *ret_cpl)
{
    if (!x86_check_code(cpu, d->selector, TRANSFER_GATE, ret_code)) {
        return false;
    }
    unsigned cpl = segment_is_conforming(ret_code) ? cpu->cpl : segment_dpl(ret_code);
    bool bad =
        (x86_long_mode(cpu) && !(ret_code->attributes & SEG_L)) || (x86_v8086(cpu) && cpl != 0);
    if (bad) {
        return x86_raise_error(cpu, EXC_GP, selector_error(d->selector));
    }
    *ret_cpl = cpl;
    return x86_check_target(cpu, ret_code, d->offset);
}

static bool deliver_protected(X86Cpu *cpu, Delivery *d)
{
    X86Segment code;
    X86Stack stack;
    unsigned type = 0, cpl = 0;

    if (!look_up(cpu, d, &type)) {
        return false;
    }
    if (type == GATE_TASK) {
        return x86_task_switch(cpu, d->selector, TASK_EVENT, d->rip, d->event);
    }
    if (!handler_code(cpu, d, &code, &cpl)) {
        return false;
    }
    bool inner = cpl < cpu->cpl, from_v8086 = x86_v8086(cpu);
    if (!handler_stack(cpu, d, cpl, inner, &stack) || !push_frame(cpu, d, inner, &stack)) {
        return false;
    }
    uint64_t cleared = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (d->clears_if ? FLAG_IF : 0);
    x86_set_rflags(cpu, 0, cleared);
    if (from_v8086) {
        cpu->segment[X86_ES] = cpu->segment[X86_DS] = (X86Segment){ 0 };
        cpu->segment[X86_FS] = cpu->segment[X86_GS] = (X86Segment){ 0 };
    }
    x86_enter_code(cpu, code, cpl, d->offset);
    x86_stack_switch(cpu, &stack);
    return true;
}

static bool deliver_real(X86Cpu *cpu, Delivery *d)
{
    const uint64_t frame[] = { d->flags, cpu->segment[X86_CS].selector, d->rip };
    unsigned vector = d->event->vector;
    uint64_t target;
    X86Stack stack;

    if (vector * 4 + 3 > cpu->idtr.limit) {
        return x86_raise(cpu, EXC_GP);
    }
    x86_stack_current(cpu, &stack);
    if (!mmu_load(&cpu->base, cpu->idtr.base + vector * 4, 4, X86_SYSTEM, &target) ||
        !x86_stack_push(cpu, &stack, frame, G_N_ELEMENTS(frame), 2) ||
        !x86_enter_real(cpu, (uint16_t)(target >> 16), target & 0xffff)) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    x86_set_rflags(cpu, 0, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
    return true;
}

static void log_event(const X86Cpu *cpu, const X86Exception *event, uint64_t rip)
{
    log_line(cpu->base.log, LOG_INT,
             "cpu %u vector %u%s error %x at %04x:%" PRIx64 " cpl %u cr2 %" PRIx64, cpu->base.index,
             event->vector,
             event->external ? " (interrupt)"
             : event->soft   ? " (int n)"
                             : "",
             event->error_code, cpu->segment[X86_CS].selector, rip, cpu->cpl, cpu->cr2);
}

bool x86_deliver_event(X86Cpu *cpu, const X86Exception *event, uint64_t rip)
{
    bool fault =
        !event->external && !event->soft && !(event->vector < 32 && bit_test(TRAPS, event->vector));
    Delivery d = { .event = event, .rip = rip, .flags = x86_get_rflags(cpu) };

    if (log_on(cpu->base.log, LOG_INT)) {
        log_event(cpu, event, rip);
    }
    d.flags |= fault || cpu->repeating ? FLAG_RF : 0; /* SDM 17.3.1.1 */
    cpu->repeating = false;
    cpu->task_switched = false;
    cpu->debug_pending = 0;
    if (!(cpu->cr0 & CR0_PE) ? !deliver_real(cpu, &d) : !deliver_protected(cpu, &d)) {
        return add_ext(cpu, event);
    }
    cpu->shadow_sti = cpu->shadow_mov_ss = false;
    if (event->vector == EXC_DB && !event->soft && event->dr6) {
        cpu->dr6 = (cpu->dr6 & ~UINT64_C(0xf)) | event->dr6;
        cpu->dr7 &= ~(uint64_t)DR7_GD;
        x86_debug_changed(&cpu->base);
    }
    x86_context_changed(cpu);
    return true;
}

/* --- entry points ----------------------------------------------------------------------------- */

void x86_deliver(DbtCpu *base)
{
    X86Cpu *cpu = x86_cpu(base);
    X86Exception event = cpu->exception;

    for (;;) {
        base->fault = FAULT_NONE;
        if (x86_deliver_event(cpu, &event, x86_rip(cpu))) {
            return;
        }
        X86Exception first = event;
        event = cpu->exception;
        base->fault = FAULT_NONE;
        if (!combine(&first, &event)) {
            shut_down(cpu, &first, &event);
            return;
        }
    }
}

void x86_deliver_in_task(X86Cpu *cpu)
{
    if (cpu->base.fault == FAULT_EXCEPTION) {
        x86_deliver(&cpu->base);
    }
}

/* --- INT n, INT3, INTO, INT1 ------------------------------------------------------------------ */

/* The virtual-8086 task's own handler of INT @vector, if the TSS's redirection bitmap (32 bytes in
 * front of the I/O bitmap) names it.  *ret_redirect: it does. */
static bool redirected(X86Cpu *cpu, unsigned vector, bool *ret_redirect)
{
    uint64_t io_base, bits;

    *ret_redirect = false;
    if (!(cpu->cr4 & CR4_VME)) {
        return true;
    }
    if (cpu->tr.limit < 0x67) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!mmu_load(&cpu->base, cpu->tr.base + 0x66, 2, X86_SYSTEM, &io_base)) {
        return false;
    }
    uint64_t offset = io_base - 32 + vector / 8;
    if (io_base < 32 || offset > cpu->tr.limit) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    if (!mmu_load(&cpu->base, cpu->tr.base + offset, 1, X86_SYSTEM, &bits)) {
        return false;
    }
    *ret_redirect = !bit_test(bits, vector % 8);
    return true;
}

/* INT n handled inside the virtual-8086 task, as in real mode: IF becomes VIF if IOPL < 3. */
static bool interrupt_v8086(X86Cpu *cpu, unsigned vector, uint64_t rip)
{
    uint64_t flags = x86_get_rflags(cpu), target;
    bool virtual_if = x86_iopl(cpu) < 3;
    X86Stack stack;

    if (virtual_if) {
        flags = (flags & ~(uint64_t)FLAG_IF) | FLAG_IOPL | (flags & FLAG_VIF ? FLAG_IF : 0);
    }
    const uint64_t frame[] = { flags, cpu->segment[X86_CS].selector, rip };
    x86_stack_current(cpu, &stack);
    if (!mmu_load(&cpu->base, vector * 4, 4, MMU_USER, &target) ||
        !x86_stack_push(cpu, &stack, frame, G_N_ELEMENTS(frame), 2) ||
        !x86_enter_real(cpu, (uint16_t)(target >> 16), target & 0xffff)) {
        return false;
    }
    x86_stack_commit(cpu, &stack);
    x86_set_rflags(cpu, 0, FLAG_TF | FLAG_NT | FLAG_RF | (virtual_if ? FLAG_VIF : FLAG_IF));
    cpu->debug_pending = 0;
    return true;
}

static bool software_interrupt(X86Cpu *cpu, const X86Exception *event, bool int_n, uint64_t rip)
{
    bool redirect = false;

    if (x86_v8086(cpu) && int_n) {
        if (!redirected(cpu, event->vector, &redirect)) {
            return false;
        }
        if (redirect) {
            return interrupt_v8086(cpu, event->vector, rip);
        }
        if (x86_iopl(cpu) < 3) {
            return x86_raise_error(cpu, EXC_GP, 0);
        }
    }
    if (x86_deliver_event(cpu, event, rip)) {
        return true;
    }
    if (cpu->task_switched) {
        x86_deliver_in_task(cpu); /* the fault is the new task's */
    }
    return false;
}

bool x86_software_interrupt(X86Cpu *cpu, unsigned vector, uint64_t next_pc)
{
    const X86Exception event = { .vector = (uint8_t)vector, .soft = true };

    return software_interrupt(cpu, &event, true, x86_offset_of(cpu, next_pc));
}

/* Vector, pc of the next instruction, kind: 0 INT n, 1 INT3 or INTO, 2 INT1. */
uint64_t x86_helper_software_int(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    /* INT1 is a #DB trap that tells DR6 nothing and doesn't ask for the gate's DPL */
    const X86Exception event = { .vector = (uint8_t)a, .soft = c != 2 };

    software_interrupt(cpu, &event, c == 0, x86_offset_of(cpu, b));
    return 0;
}
