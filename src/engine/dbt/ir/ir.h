/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IR: what a block of guest instructions means, in operations that know no guest.
 *
 * A block is one array of 16-byte nodes in the order of execution.  A node's index is its value
 * (SSA: written once, by that node).  Control only runs forward; a block is left by an exit node,
 * or in front of an instruction whose node faults.  All values are 64 bits wide; ops.def lists the
 * operations with their operands and effects.
 *
 * Rules for a front end (docs/architecture.md, "Translator"):
 *  - ir_insn() begins each guest instruction.  At each node that may fault, CPU state must be that
 *    at the instruction's start: write registers and flags behind the last such node.
 *  - Code is position-independent: an instruction's own address is ir_pc(), never a constant.
 *  - The last node is an exit that always leaves.
 *
 * Threads: a block belongs to one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    IR_MAX_NODES = 1536, /* a block's nodes; a front end stops long before */
    IR_MAX_INSNS = 64,   /* guest instructions in a block: bounds interrupt latency */
    IR_EXIT_SLOTS = 4,   /* exits of a block that can lead to another directly */
    IR_INSN_NODES = 96,  /* the most nodes that one guest instruction may take */
};

typedef enum IrOp {
#define IR_OP(name, operands, result, effects) IR_##name,
#include "engine/dbt/ir/ops.def"
#undef IR_OP
    IR_OPS
} IrOp;

/* Bits of an operation's effects. */
enum { IR_EFFECT_STATE = 1, IR_EFFECT_FAULT = 2, IR_EFFECT_EXIT = 4, IR_EFFECT_MEM = 8 };

/* What of 32-byte vector registers a vector operation is about. */
typedef enum IrShape {
    IR_SHAPE_LOW,  /* the low 16 bytes; those above stay, or there are none */
    IR_SHAPE_ZERO, /* the same, and those above become 0 */
    IR_SHAPE_WIDE, /* all 32 */
} IrShape;

typedef uint16_t IrVal; /* index of the node that made it */

typedef struct IrNode {
    uint16_t op;
    IrVal a, b, c;
    uint64_t imm;
} IrNode;
_Static_assert(sizeof(IrNode) == 16, "nodes are dense");

/* Where a guest instruction begins. */
typedef struct IrInsn {
    uint16_t node; /* its first node */
    int16_t delta; /* its address - the block's */
} IrInsn;

typedef struct IrBlock {
    unsigned n_nodes, n_insns;
    /* covered by the instructions: from the block's address - .guest_before to it + .guest_bytes */
    unsigned guest_before, guest_bytes;
    IrNode nodes[IR_MAX_NODES];
    IrInsn insns[IR_MAX_INSNS];
} IrBlock;

typedef struct IrOpInfo {
    const char *name;
    const char *operands;
    bool has_result;
    uint8_t effects;
} IrOpInfo;
extern const IrOpInfo ir_ops[IR_OPS];

/* Names for a printed block; any member may be NULL. */
typedef struct IrNames {
    const char *(*helper)(unsigned id);
    const char *(*vector)(unsigned id);
    const char *(*state)(unsigned offset);
} IrNames;

void ir_block_clear(IrBlock *ir);
/* True if there is room for one more instruction. */
bool ir_has_room(const IrBlock *ir);
/* The next guest instruction begins at the block's address + @delta. */
void ir_insn(IrBlock *ir, int delta);

/* Append a node; the general form.  Prefer the functions below. */
IrVal ir_emit(IrBlock *ir, IrOp op, IrVal a, IrVal b, IrVal c, uint64_t imm);

IrVal ir_const(IrBlock *ir, uint64_t value);
/* If @v is a constant, give it. */
bool ir_is_const(const IrBlock *ir, IrVal v, uint64_t *ret_value);
IrVal ir_pc(IrBlock *ir, int64_t delta);
/* Binary operation @op (the form without I); uses the immediate form or folds where it can. */
IrVal ir_binary(IrBlock *ir, IrOp op, IrVal a, IrVal b);
IrVal ir_binary_imm(IrBlock *ir, IrOp op, IrVal a, uint64_t imm);
IrVal ir_unary(IrBlock *ir, IrOp op, IrVal a);
IrVal ir_extract(IrBlock *ir, IrVal a, unsigned position, unsigned length);
IrVal ir_deposit(IrBlock *ir, IrVal a, IrVal b, unsigned position, unsigned length);
/* @condition != 0 ? @yes : @no */
IrVal ir_select(IrBlock *ir, IrVal condition, IrVal yes, IrVal no);
/* base + (index << shift) + displacement */
IrVal ir_lea(IrBlock *ir, IrVal base, IrVal index, unsigned shift, int64_t displacement);

/* CPU state: @size is 1, 2, 4 or 8 bytes at @offset. */
IrVal ir_get(IrBlock *ir, unsigned offset, unsigned size);
void ir_put(IrBlock *ir, unsigned offset, unsigned size, IrVal value);
void ir_put_flags(IrBlock *ir, unsigned flag_op, IrVal a, IrVal b, IrVal c);

/* Guest memory: @size is 1, 2, 4 or 8; @mmu an index with MMU_ flags (run/cpu.h). */
IrVal ir_load(IrBlock *ir, IrVal address, unsigned size, unsigned mmu);
IrVal ir_load_signed(IrBlock *ir, IrVal address, unsigned size, unsigned mmu);
void ir_store(IrBlock *ir, IrVal address, IrVal value, unsigned size, unsigned mmu);
/* @size is 16 or 32; CPU state at byte @offset.  _zero: of 32 bytes the upper half becomes 0. */
void ir_load_vector_zero(IrBlock *ir, IrVal address, unsigned offset, unsigned mmu);
void ir_load_vector(IrBlock *ir, IrVal address, unsigned offset, unsigned size, unsigned mmu);
void ir_store_vector(IrBlock *ir, IrVal address, unsigned offset, unsigned size, unsigned mmu);
void ir_probe_write(IrBlock *ir, IrVal address, unsigned size, unsigned mmu);
/* @op is the 8-bit form: IR_XCHG8, IR_XADD8 ...; the old value, zero-extended. */
IrVal ir_atomic(IrBlock *ir, IrOp op, IrVal address, IrVal value, unsigned size, unsigned mmu);
IrVal ir_cas(IrBlock *ir, IrVal address, IrVal expected, IrVal value, unsigned size, unsigned mmu);

IrVal ir_call(IrBlock *ir, unsigned helper, IrVal a, IrVal b, IrVal c);
void ir_vector(IrBlock *ir, unsigned number, unsigned immediate, unsigned to, unsigned from1,
               unsigned from2);
/* @what is number | immediate << 32 | shape << 40. */
void ir_vector_op(IrBlock *ir, uint64_t what, unsigned to, unsigned from1, unsigned from2);

static inline uint64_t ir_vector_what(unsigned number, unsigned immediate, IrShape shape)
{
    return number | (uint64_t)(uint8_t)immediate << 32 | (uint64_t)shape << 40;
}

/* The parts of a vector operation's .imm. */
static inline unsigned ir_vector_number(uint64_t what)
{
    return (uint32_t)what;
}

static inline unsigned ir_vector_immediate(uint64_t what)
{
    return (uint8_t)(what >> 32);
}

static inline IrShape ir_vector_shape(uint64_t what)
{
    return (IrShape)(what >> 40 & 3);
}

void ir_exit(IrBlock *ir, unsigned slot, int64_t delta);
void ir_exit_if(IrBlock *ir, IrVal condition, unsigned slot, int64_t delta);
void ir_exit_indirect(IrBlock *ir, IrVal address);
void ir_exit_stop(IrBlock *ir, int64_t delta);
void ir_exit_state(IrBlock *ir);

/* Drop nodes whose values nobody uses and stores to state that are overwritten before anyone can
 * see them; close the gaps. */
void ir_optimise(IrBlock *ir);
/* True if the block keeps the rules; else @error says which node breaks which. */
bool ir_verify(const IrBlock *ir, GError **error);
/* Append a readable listing. */
void ir_print(const IrBlock *ir, const IrNames *names, GString *out);
