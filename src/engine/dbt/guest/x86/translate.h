/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From decoded x86 instructions to IR: what the tr_*.c files share.
 *
 * A rule (tr_add, ...) gets the translation state and the instruction, and emits IR.  It never
 * nests one emitting call in another's arguments (style: the order would be the compiler's).
 * It writes guest registers and flags after its last operation that may fault.
 *
 * Threads: a translation belongs to one thread.
 */
#pragma once

#include "engine/dbt/guest/x86/decode.h"
#include "engine/dbt/guest/x86/x86.h"

/* Bits of the context key: all that translation depends on (isa->context_key). */
enum {
    KEY_MODE = 3,           /* X86Mode */
    KEY_PROTECTED = 1 << 2, /* protected mode and not virtual-8086 */
    KEY_V8086 = 1 << 3,
    KEY_CPL = 3 << 4,
    KEY_CPL_SHIFT = 4,
    KEY_STACK32 = 1 << 6,   /* SS.B (outside 64-bit mode) */
    KEY_CS_BASE = 1 << 7,   /* CS.base != 0 */
    KEY_FLAT = 1 << 8,      /* CS, DS, ES, SS: base 0, limit 4 GiB, usable and writable */
    KEY_AC = 1 << 9,        /* supervisor with EFLAGS.AC: SMAP off */
    KEY_ALIGN = 1 << 10,    /* CR0.AM and EFLAGS.AC at CPL 3: #AC */
    KEY_TF = 1 << 11,       /* single step: one instruction a block */
    KEY_SHADOW = 1 << 12,   /* after STI or MOV SS: one instruction, then clear the shadow */
    KEY_DEBUG = 1 << 13,    /* a debugger or DR7 watches: one instruction a block */
    KEY_TS = 1 << 14,       /* CR0.TS */
    KEY_EM = 1 << 15,       /* CR0.EM */
    KEY_MP = 1 << 16,       /* CR0.MP */
    KEY_OSFXSR = 1 << 17,   /* CR4.OSFXSR */
    KEY_OSXSAVE = 1 << 18,  /* CR4.OSXSAVE with XCR0.AVX */
    KEY_FSGSBASE = 1 << 19, /* CR4.FSGSBASE */
    KEY_LONG = 1 << 20,     /* EFER.LMA: 64-bit or compatibility mode */
    KEY_MXCSR = 1 << 21,    /* some MXCSR exception is unmasked */
    KEY_RF = 1 << 22,       /* RF set: no code breakpoint on this instruction; it clears RF */
    KEY_UMIP = 1 << 23,
    KEY_X87 = 1 << 24, /* some x87 exception is unmasked: its instructions are calls */
};

/* Where the arithmetic flags are while a block is translated (tr_flags.c). */
typedef enum TrFlagsKind {
    FLAGS_STATE,  /* in CPU state, by an earlier block or a helper */
    FLAGS_RECORD, /* the record of the next members */
    FLAGS_SHIFT,  /* a shift by a variable count: those before, if the count is 0 */
} TrFlagsKind;

typedef struct TrRecord {
    uint16_t op; /* FOP_ + size step */
    IrVal a, b, c;
} TrRecord;

typedef struct TrFlags {
    TrFlagsKind kind;
    bool dirty; /* not in CPU state yet */
    TrRecord now;
    IrVal result; /* of the operation, where it is at hand; else 0 */
    /* INC, DEC: now.b, the carry before, is not computed yet; it is that of .before, or in CPU
     * state if .before_known is false */
    bool lazy_carry, before_known;
    TrRecord before;
    /* CF and OF set by a later instruction that left the others alone; 0 = not */
    IrVal carry, overflow;
    bool over_dirty;
} TrFlags;

typedef struct X86Tr {
    IrBlock *ir;
    X86Cpu *cpu; /* for what can't change under a block: model; everything else is in .key */
    uint32_t key;
    uint64_t start;    /* pc of the block; only for logs and page arithmetic */
    int delta;         /* of the current instruction */
    int next;          /* delta of the next one */
    bool ended;        /* an exit was emitted */
    unsigned exits;    /* slots of exits that were given out */
    unsigned jumps;    /* that were followed */
    int64_t page_left; /* bytes from the block's first instruction to the end of its page */
    int64_t before;    /* and so many in front of it are known */
    /* guest registers already in values; 0 = not (value 0 is never a register) */
    IrVal gpr[16];
    /* the current instruction's memory operand, once its address was made; 0 = not */
    IrVal linear;
    bool linear_write; /* and checked for writing */
    bool rmw;          /* it is read and then written */
    /* whose selectors the x87's last instruction has already: bits by segment.  Loading a segment
     * ends a block */
    uint8_t x87_code, x87_data;
    TrFlags flags;
} X86Tr;

static inline X86Mode tr_mode(const X86Tr *t)
{
    return (X86Mode)(t->key & KEY_MODE);
}

/* Registers: the full 64 bits, and parts.  A 32-bit write clears the upper half. */
IrVal tr_reg(X86Tr *t, unsigned reg);
IrVal tr_reg_part(X86Tr *t, unsigned reg, unsigned size, bool high); /* zero-extended */
void tr_set_reg(X86Tr *t, unsigned reg, unsigned size, bool high, IrVal value);
/* A helper changed general registers in CPU state: read them again. */
void tr_forget_regs(X86Tr *t);

/* The low @size bytes of @value, zero-extended; no node where it is so already. */
IrVal tr_zero_extend(X86Tr *t, IrVal value, unsigned size);
IrVal tr_sign_extend(X86Tr *t, IrVal value, unsigned size);
/* Operand @n of the instruction: value zero-extended to 64 bits; .size 1 to 8. */
IrVal tr_operand(X86Tr *t, const X86Insn *insn, unsigned n);
/* The same with anything above its size: for operations that don't look there. */
IrVal tr_operand_raw(X86Tr *t, const X86Insn *insn, unsigned n);
/* The same, sign-extended to 64 bits. */
IrVal tr_operand_signed(X86Tr *t, const X86Insn *insn, unsigned n);
/* A memory operand that will be written later: its address, checked for writing. */
void tr_will_write(X86Tr *t, const X86Insn *insn, unsigned n);
void tr_set_operand(X86Tr *t, const X86Insn *insn, unsigned n, IrVal value);
/* Offset of the memory operand in its segment, wrapped to the address size (as LEA gives it). */
IrVal tr_effective_address(X86Tr *t, const X86Insn *insn);
/* Its linear address, with the segment's base; @size bytes are checked against the segment's limit
 * and type where segments are not flat (it may then fault). */
IrVal tr_linear_address(X86Tr *t, const X86Insn *insn, unsigned size, bool write);
/* The same for an offset that is not the ModRM operand. */
IrVal tr_segment_address(X86Tr *t, unsigned segment, IrVal offset, unsigned size, bool write);
/* mmu index and flags for a data access through @segment. */
unsigned tr_mmu(const X86Tr *t, unsigned segment);
/* Loads and stores by linear address; sync flags first, check alignment when KEY_ALIGN. */
IrVal tr_load(X86Tr *t, IrVal linear, unsigned size, unsigned segment);
/* A load that a store to the same place follows. */
IrVal tr_load_rmw(X86Tr *t, IrVal linear, unsigned size, unsigned segment);
void tr_store(X86Tr *t, IrVal linear, IrVal value, unsigned size, unsigned segment);
/* Atomic operation (IR_XADD8, ...) on the memory operand @n: the old value. */
IrVal tr_atomic(X86Tr *t, const X86Insn *insn, unsigned n, IrOp op, IrVal value);

/* The XMM register @n's offset in CPU state, and the offset at which operand @n (XMM or memory)
 * can be read: memory of @size bytes is first loaded to the scratch vector @scratch (0 to 3). */
unsigned tr_vector_offset(unsigned reg);
unsigned tr_vector_operand(X86Tr *t, const X86Insn *insn, unsigned n, unsigned size,
                           unsigned scratch);

/* Flags. */
void tr_set_flags(X86Tr *t, unsigned flag_op, IrVal a, IrVal b, IrVal c);
/* Put pending flags into CPU state: before anything that may fault or looks at base.flags. */
void tr_sync_flags(X86Tr *t);
/* A helper changed base.flags. */
void tr_forget_flags(X86Tr *t);
/* Condition code @cc (0 to 15, as in Jcc) as 0 or 1. */
IrVal tr_condition(X86Tr *t, unsigned cc);
/* Set CF and OF, unless 0, and leave the other flags alone. */
void tr_set_carry(X86Tr *t, IrVal carry, IrVal overflow);
/* Flags of a shift by a count known at run time only (FOP_SHL, FOP_SHR, FOP_SAR with size). */
void tr_set_shift_flags(X86Tr *t, unsigned flag_op, IrVal operand, IrVal count, IrVal result);
/* Flags of INC (FOP_INC) and DEC: all but CF. */
void tr_set_inc_flags(X86Tr *t, unsigned flag_op, IrVal result);
/* CF as 0 or 1; all arithmetic flags as a word. */
IrVal tr_carry(X86Tr *t);
IrVal tr_flags(X86Tr *t);

/* Call a helper of the guest's table that may fault, read or write any state: flags are synced
 * before; registers and flags are forgotten after. */
IrVal tr_call(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c);
/* The same for a helper that leaves general registers and arithmetic flags alone. */
IrVal tr_call_keep(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c);
/* One that neither faults nor touches registers, flags or memory. */
IrVal tr_call_pure(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c);
/* Raise here, and end the block. */
void tr_raise(X86Tr *t, unsigned vector);
void tr_raise_error(X86Tr *t, unsigned vector, uint32_t error_code);

/* Ends of blocks: flags are synced first. */
void tr_exit_next(X86Tr *t);  /* go on behind this instruction, same context */
void tr_exit_stop(X86Tr *t);  /* the same, but context or interrupts may have changed */
void tr_exit_state(X86Tr *t); /* to where a helper put base.pc */
void tr_jump(X86Tr *t, const X86Insn *insn, uint64_t displacement); /* relative */
/* Whether that jump is an exit to an offset from the block's address, as tr_exit_choice() takes. */
bool tr_is_simple_jump(const X86Tr *t, const X86Insn *insn, uint64_t displacement);
void tr_jump_if(X86Tr *t, const X86Insn *insn, IrVal condition, uint64_t displacement);
/* To the block's address + @yes if @condition holds, else + @no. */
void tr_exit_choice(X86Tr *t, IrVal condition, int64_t yes, int64_t no);
void tr_jump_to(X86Tr *t, const X86Insn *insn, IrVal offset); /* CS offset in a value */
/* The linear target of a near jump: CS offset @offset as the operand size has it, checked against
 * the limit of CS where that is not flat.  tr_exit_to() then goes there. */
IrVal tr_target(X86Tr *t, const X86Insn *insn, IrVal offset);
void tr_exit_to(X86Tr *t, IrVal linear);
/* The target in CS of a relative jump. */
IrVal tr_relative(X86Tr *t, uint64_t displacement);

/* The stack: bytes of rSP that count (2, 4, 8); push without moving rSP, the new rSP is returned
 * and set by tr_set_sp(); load at rSP + @displacement. */
unsigned tr_stack_size(const X86Tr *t);
IrVal tr_push_value(X86Tr *t, IrVal value, unsigned size, int displacement);
IrVal tr_stack_load(X86Tr *t, unsigned size, int displacement);
void tr_set_sp(X86Tr *t, IrVal value);
/* rSP + @n, wrapped to the stack's size. */
IrVal tr_sp_plus(X86Tr *t, int n);

/* Offset in CS of the next instruction, as CALL pushes it. */
IrVal tr_next_rip(X86Tr *t);
/* pc (linear) of the next and of the current instruction. */
IrVal tr_next_pc(X86Tr *t);
IrVal tr_this_pc(X86Tr *t);

/* Helpers: enum X86_CALL_x, and the table in helpers.c, from helpers.def. */
enum {
#define X86_HELPER(name, flags) X86_CALL_##name,
#include "engine/dbt/guest/x86/helpers.def"
#undef X86_HELPER
    X86_HELPERS
};

#define X86_HELPER(name, flags)                                                                    \
    uint64_t x86_helper_##name(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c);
#include "engine/dbt/guest/x86/helpers.def"
#undef X86_HELPER

/* Vector operations: enum X86_VECTOR_x from vectors.def. */
enum {
#define X86_VECTOR(name, may_fault) X86_VECTOR_##name,
#include "engine/dbt/guest/x86/vectors.def"
#undef X86_VECTOR
    X86_VECTOR_OPS
};

#define X86_VECTOR(name, may_fault)                                                                \
    void x86_vector_##name(DbtCpu *cpu, void *to, const void *from1, const void *from2,            \
                           unsigned immediate);
#include "engine/dbt/guest/x86/vectors.def"
#undef X86_VECTOR
