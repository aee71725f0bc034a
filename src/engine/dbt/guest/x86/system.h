/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the x86 guest's system part share: segments, far transfers, exceptions,
 * tasks, control registers.
 *
 * A function that returns bool and may raise returns false after recording the exception
 * (x86_raise): nothing of the CPU's state has changed then, unless it says so.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include <inttypes.h>
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/run/mmu.h"

/* The CPU's own accesses to descriptor tables and task state segments. */
enum { X86_SYSTEM = MMU_KERNEL | MMU_IMPLICIT };

/* Types of system descriptors. */
enum {
    GATE_TSS16 = 1,
    GATE_LDT = 2,
    GATE_TSS16_BUSY = 3,
    GATE_CALL16 = 4,
    GATE_TASK = 5,
    GATE_INT16 = 6,
    GATE_TRAP16 = 7,
    GATE_TSS = 9, /* 32-bit, and the only one in long mode */
    GATE_TSS_BUSY = 11,
    GATE_CALL = 12,
    GATE_INT = 14,
    GATE_TRAP = 15,
};

/* Bits of DR6 and DR7. */
#define DR6_FIXED    UINT64_C(0xffff0ff0)
#define DR6_BD       (1U << 13)
#define DR6_BS       (1U << 14)
#define DR6_BT       (1U << 15)
#define DR7_FIXED    (1U << 10)
#define DR7_GD       (1U << 13)
#define DR7_LOCAL    0x155U
#define DR7_WRITABLE UINT64_C(0xffff23ff)

/* A descriptor as it stands in GDT or LDT. */
typedef struct X86Descriptor {
    uint32_t low, high;
    uint64_t gva; /* of its first byte */
} X86Descriptor;

static inline bool x86_canonical(uint64_t address)
{
    return (uint64_t)sign_extend(address, 48) == address;
}

/* Something that blocks belong to (X86 KEY_ bits) may have changed. */
static inline void x86_context_changed(X86Cpu *cpu)
{
    cpu->base.key_stale = true;
}

static inline unsigned selector_rpl(uint16_t selector)
{
    return selector & 3;
}

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & ~3) == 0;
}

/* Error codes name a selector without its RPL. */
static inline uint32_t selector_error(uint16_t selector)
{
    return selector & 0xfffc;
}

static inline unsigned segment_dpl(const X86Segment *segment)
{
    return (segment->attributes >> SEG_DPL_SHIFT) & 3;
}

static inline unsigned segment_type(const X86Segment *segment)
{
    return segment->attributes & SEG_TYPE;
}

static inline bool segment_is_code(const X86Segment *segment)
{
    return (segment->attributes & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}

static inline bool segment_is_conforming(const X86Segment *segment)
{
    return segment_is_code(segment) && (segment->attributes & SEG_DOWN);
}

static inline bool segment_is_writable_data(const X86Segment *segment)
{
    return (segment->attributes & (SEG_S | SEG_CODE | SEG_WRITABLE)) == (SEG_S | SEG_WRITABLE);
}

/* --- segment.c -------------------------------------------------------------------------------- */
/* The descriptor of @selector; raises @vector (#GP, #TS) if it lies outside its table. */
bool x86_fetch_descriptor(X86Cpu *cpu, uint16_t selector, unsigned vector,
                          X86Descriptor *ret_descriptor);
/* The segment that it describes. */
X86Segment x86_segment_of(uint16_t selector, const X86Descriptor *descriptor);
/* A system descriptor of long mode has its base's upper half in the next 8 bytes. */
bool x86_upper_base(X86Cpu *cpu, const X86Descriptor *descriptor, uint16_t selector,
                    uint64_t *ret_upper);
/* Set its accessed bit, in memory and in @segment. */
bool x86_mark_accessed(X86Cpu *cpu, const X86Descriptor *descriptor, X86Segment *segment);
/* Set or clear the busy bit of a TSS descriptor in memory. */
bool x86_mark_busy(X86Cpu *cpu, const X86Descriptor *descriptor, bool busy);
/* Whether @size bytes at @offset lie in @segment (not for 64-bit mode). */
bool x86_in_limit(const X86Segment *segment, uint64_t offset, unsigned size);
/* SS for CPL @cpl; errors with @vector but #SS if it isn't present. */
bool x86_check_stack_segment(X86Cpu *cpu, uint16_t selector, unsigned cpl, unsigned vector,
                             X86Segment *ret_segment);
/* A null SS of 64-bit mode. */
X86Segment x86_null_stack(unsigned cpl);
/* After a change to an outer ring: data segments that it may not see become null. */
void x86_drop_inner_segments(X86Cpu *cpu);
/* LDTR with checks; @vector #GP (LLDT) or #TS (task switch). */
bool x86_load_ldt(X86Cpu *cpu, uint16_t selector, unsigned vector);

/* --- stack.c -----------------------------------------------------------------------------------
 * A stack to push to or pop from, whose pointer moves only when x86_stack_commit() is called. */
typedef struct X86Stack {
    X86Segment segment;
    uint64_t sp;
    uint64_t mask; /* of the pointer: 16, 32 or 64 bits */
    bool flat;     /* 64-bit mode: no base, no limit */
    unsigned mmu;
    uint32_t error; /* of a #SS by the limit */
} X86Stack;

/* The current stack as the current code sees it. */
void x86_stack_current(X86Cpu *cpu, X86Stack *ret_stack);
/* A stack at @sp in @segment for ring @cpl; @flat: 64-bit mode. */
void x86_stack_at(X86Cpu *cpu, const X86Segment *segment, uint64_t sp, unsigned cpl,
                  X86Stack *ret_stack, bool flat);
/* Push @n values of @size bytes, the first one first: all or nothing. */
bool x86_stack_push(X86Cpu *cpu, X86Stack *stack, const uint64_t *values, unsigned n,
                    unsigned size);
bool x86_stack_pop(X86Cpu *cpu, X86Stack *stack, unsigned size, uint64_t *ret_value);
/* Set rSP; or SS too. */
void x86_stack_commit(X86Cpu *cpu, const X86Stack *stack);
void x86_stack_switch(X86Cpu *cpu, const X86Stack *stack);
/* SS:SP for ring @cpl from the TSS (outside long mode). */
bool x86_tss_stack(X86Cpu *cpu, unsigned cpl, uint16_t *ret_ss, uint64_t *ret_sp);
/* RSP for ring @cpl (@ist 0) or interrupt stack @ist (1 to 7) from the long mode TSS. */
bool x86_tss_rsp(X86Cpu *cpu, unsigned cpl, unsigned ist, uint64_t *ret_rsp);

/* --- far.c --------------------------------------------------------------------------------------
 * The checks of code segment @selector for a transfer by far JMP or CALL; through a gate; by RET
 * or IRET.  Sets its accessed bit. */
typedef enum X86Transfer { TRANSFER_JUMP, TRANSFER_GATE, TRANSFER_RETURN } X86Transfer;
bool x86_check_code(X86Cpu *cpu, uint16_t selector, X86Transfer transfer, X86Segment *ret_segment);
/* Whether @offset may be executed in @code: #GP(0) if not. */
bool x86_check_target(X86Cpu *cpu, const X86Segment *code, uint64_t offset);
/* Continue at @offset in @code with CPL @cpl. */
void x86_enter_code(X86Cpu *cpu, X86Segment code, unsigned cpl, uint64_t offset);
/* The same in real and virtual-8086 mode. */
bool x86_enter_real(X86Cpu *cpu, uint16_t selector, uint64_t offset);
/* The stack that a return to ring @cpl in @code pops from @stack: SS:rSP. */
bool x86_pop_outer_stack(X86Cpu *cpu, X86Stack *stack, const X86Segment *code, unsigned size,
                         X86Stack *ret_outer);
/* Offset in CS of linear address @pc. */
uint64_t x86_offset_of(const X86Cpu *cpu, uint64_t pc);

/* --- exception.c ------------------------------------------------------------------------------ */
/* #PF: CR2 and the error code. */
bool x86_raise_page_fault(X86Cpu *cpu, uint64_t gva, uint32_t error_code);
/* Deliver @event, return address @rip, at once; false: another exception was raised. */
bool x86_deliver_event(X86Cpu *cpu, const X86Exception *event, uint64_t rip);
/* A fault behind a committed task switch: deliver it here, at base.pc. */
void x86_deliver_in_task(X86Cpu *cpu);
/* Look at pending events before the next block: something that blocked them may be gone. */
void x86_recheck(X86Cpu *cpu);

/* --- task.c -------------------------------------------------------------------------------------
 * Switch to the task whose TSS is @selector.  @next_rip goes into the old TSS.  An exception
 * behind the point of no return belongs to the new task: task_switched is set then. */
typedef enum X86TaskCause { TASK_JUMP, TASK_CALL, TASK_EVENT, TASK_RETURN } X86TaskCause;
bool x86_task_switch(X86Cpu *cpu, uint16_t selector, X86TaskCause cause, uint64_t next_rip,
                     const X86Exception *event);

/* --- system.c --------------------------------------------------------------------------------- */
/* Set CR3 and load PDPTRs as a task switch does; no flush is kept back. */
bool x86_load_cr3(X86Cpu *cpu, uint64_t value, bool flush);
/* Let the TLB's current address space be the one that CR3 names. */
void x86_select_space(X86Cpu *cpu, bool flush);
/* Which bits of CR4 the model has. */
uint64_t x86_cr4_valid(const X86Cpu *cpu);

/* --- debug.c ---------------------------------------------------------------------------------- */
/* Set the pending #DB trap's DR6 bits. */
void x86_trap(X86Cpu *cpu, uint64_t dr6_bits);
/* An access to @port: I/O breakpoints. */
void x86_io_breakpoint(X86Cpu *cpu, uint16_t port, unsigned size);

/* --- time.c ----------------------------------------------------------------------------------- */
/* Make RDTSC read @value from now on. */
void x86_set_tsc(X86Cpu *cpu, uint64_t value);
/* The same for a restored vCPU, keeping in step with the others if it nearly is: their values were
 * saved, and are set, a little apart. */
void x86_restore_tsc(X86Cpu *cpu, uint64_t value);
/* Add @delta to it. */
void x86_move_tsc(X86Cpu *cpu, uint64_t delta);
/* When the guest's TSC reads @tsc, on the machine's clock; rounded up. */
uint64_t x86_tsc_to_ns(const X86Cpu *cpu, uint64_t tsc);
void x86_write_wall_clock(X86Cpu *cpu);
/* Write the page of kvmclock again: it was set, or the TSC's offset moved. */
void x86_write_system_time(X86Cpu *cpu);
