/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for VEX-coded vector instructions: see tr_avx.h.
 *
 * With VEX.L an instruction is about 32 bytes; without, the upper half of its destination becomes 0
 * (SDM volume 1, 14.1.3).  Both are a vector operation's shape.  Memory need not be aligned.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/tr_avx.h"

#include "engine/dbt/guest/x86/tr_sse.h"
#include "engine/dbt/guest/x86/vectors.h"

enum { RESULT = X86_XMM_SCRATCH + 1 }; /* where an operation leaves a number */

static bool is_wide(const X86Insn *insn)
{
    return insn->vex_l && !(insn->opcode->vex & VEX_SCALAR);
}

/* Of an operation that writes a register. */
static IrShape shape_of(const X86Insn *insn)
{
    return is_wide(insn) ? IR_SHAPE_WIDE : IR_SHAPE_ZERO;
}

static bool is_vector(const X86Operand *op)
{
    return op->kind == OPERAND_XMM || op->kind == OPERAND_MEM || op->kind == OPERAND_REG;
}

/* The last operand: an immediate, or a register by number. */
static unsigned immediate_of(const X86Insn *insn)
{
    for (unsigned i = 4; i-- > 2;) {
        if (insn->op[i].kind == OPERAND_IMM) {
            return (unsigned)insn->op[i].imm & 0xff;
        }
    }
    return insn->op[3].reg;
}

typedef struct Places {
    unsigned to, from1, from2;
} Places;

static void emit(X86Tr *t, unsigned number, unsigned immediate, IrShape shape, Places at)
{
    if (x86_vectors[number].may_fault && (t->key & KEY_MXCSR)) {
        tr_sync_flags(t);
    }
    ir_vector_op(t->ir, ir_vector_what(number, immediate, shape), at.to, at.from1, at.from2);
}

static unsigned operand(X86Tr *t, const X86Insn *insn, unsigned n)
{
    return tr_vector_operand(t, insn, n, insn->op[n].size, 0);
}

/* --- operations */

void tr_vex(X86Tr *t, const X86Insn *insn)
{
    unsigned last = is_vector(&insn->op[2]) ? 2 : 1;
    Places at = { .to = tr_vector_offset(insn->op[0].reg) };

    at.from1 = last == 2 ? tr_vector_offset(insn->op[1].reg) : at.to;
    at.from2 = operand(t, insn, last);
    emit(t, insn->opcode->argument, immediate_of(insn), shape_of(insn), at);
}

void tr_vex_shift(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg);
    const Places at = { tr_vector_offset(insn->op[0].reg), from, from };

    emit(t, insn->opcode->argument, immediate_of(insn), shape_of(insn), at);
}

/* One that writes no vector register. */
static void emit_result(X86Tr *t, const X86Insn *insn, unsigned from1, unsigned from2)
{
    const Places at = { tr_vector_offset(RESULT), from1, from2 };

    emit(t, insn->opcode->argument, 0, shape_of(insn), at);
}

void tr_vex_to_reg(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg);

    emit_result(t, insn, from, from);
    IrVal value = ir_get(t->ir, tr_vector_offset(RESULT), 4);
    tr_set_operand(t, insn, 0, value);
}

void tr_vex_flags(X86Tr *t, const X86Insn *insn)
{
    unsigned from = operand(t, insn, 1);

    emit_result(t, insn, tr_vector_offset(insn->op[0].reg), from);
    IrVal flags = ir_get(t->ir, tr_vector_offset(RESULT), 8);
    IrVal zero = ir_const(t->ir, 0);
    tr_set_flags(t, FOP_FLAGS, flags, zero, zero);
}

void tr_vex_string(X86Tr *t, const X86Insn *insn)
{
    unsigned number = insn->opcode->argument;

    tr_sse_string(t, insn);
    if (number == X86_VECTOR_pcmpestrm || number == X86_VECTOR_pcmpistrm) {
        const Places at = { tr_vector_offset(0), tr_vector_offset(0), tr_vector_offset(0) };
        emit(t, X86_VECTOR_copy, 0, IR_SHAPE_ZERO, at);
    }
}

void tr_vex_from_reg(X86Tr *t, const X86Insn *insn)
{
    bool merges = is_vector(&insn->op[2]);
    unsigned last = merges ? 2 : 1;
    bool wide = (insn->opcode->vex & VEX_BY_SIZE) && insn->op[last].size == 8;
    Places at = { .to = tr_vector_offset(insn->op[0].reg),
                  .from2 = tr_vector_offset(X86_XMM_SCRATCH) };

    at.from1 = merges ? tr_vector_offset(insn->op[1].reg) : at.to;
    IrVal value = tr_operand(t, insn, last);
    ir_put(t->ir, at.from2, 8, value);
    emit(t, insn->opcode->argument + wide, immediate_of(insn), IR_SHAPE_ZERO, at);
}

void tr_vex_extract(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size, lane = immediate_of(insn) & (16 / size - 1);
    IrVal value = ir_get(t->ir, tr_vector_offset(insn->op[1].reg) + lane * size, size);

    tr_set_operand(t, insn, 0, value);
}

void tr_vex_insertps(X86Tr *t, const X86Insn *insn)
{
    unsigned immediate = immediate_of(insn);
    Places at = { tr_vector_offset(insn->op[0].reg), tr_vector_offset(insn->op[1].reg), 0 };

    at.from2 = operand(t, insn, 2);
    if (insn->op[2].kind == OPERAND_MEM) {
        immediate &= 0x3f; /* memory has one element only */
    }
    emit(t, X86_VECTOR_insertps, immediate, IR_SHAPE_ZERO, at);
}

void tr_vzero(X86Tr *t, const X86Insn *insn)
{
    unsigned n = tr_mode(t) == X86_MODE64 ? 16 : 8, first = tr_vector_offset(0);

    emit(t, insn->opcode->argument, n, IR_SHAPE_WIDE, (Places){ first, first, first });
}

/* --- moves */

/* The mmu index and flags of a whole register's access. */
static unsigned mmu_of(X86Tr *t, const X86Insn *insn)
{
    bool align = insn->opcode->vex & VEX_ALIGN;

    return tr_mmu(t, insn->mem.segment) | (align ? MMU_ALIGN : 0);
}

static void copy(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);

    emit(t, X86_VECTOR_copy, 0, shape_of(insn),
         (Places){ to, to, tr_vector_offset(insn->op[1].reg) });
}

void tr_vex_mov_load(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);

    if (insn->op[1].kind != OPERAND_MEM) {
        copy(t, insn);
        return;
    }
    IrVal address = tr_linear_address(t, insn, insn->op[1].size, false);
    tr_sync_flags(t);
    if (is_wide(insn)) {
        ir_load_vector(t->ir, address, to, 32, mmu_of(t, insn));
    } else {
        ir_load_vector_zero(t->ir, address, to, mmu_of(t, insn));
    }
}

void tr_vex_mov_store(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;

    if (insn->op[0].kind != OPERAND_MEM) {
        copy(t, insn);
        return;
    }
    IrVal address = tr_linear_address(t, insn, size, true);
    tr_sync_flags(t);
    ir_store_vector(t->ir, address, tr_vector_offset(insn->op[1].reg), size, mmu_of(t, insn));
}

void tr_vex_extended(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);
    unsigned from = operand(t, insn, 1);

    emit(t, insn->op[1].size == 4 ? X86_VECTOR_copy_zero4 : X86_VECTOR_copy_zero8, 0, IR_SHAPE_ZERO,
         (Places){ to, to, from });
}

/* The register form of a store: W, H, V, where W is written. */
void tr_vex_merge(X86Tr *t, const X86Insn *insn)
{
    const Places at = { tr_vector_offset(insn->op[0].reg), tr_vector_offset(insn->op[1].reg),
                        tr_vector_offset(insn->op[2].reg) };

    emit(t, insn->opcode->argument, 0, IR_SHAPE_ZERO, at);
}

void tr_vex_movq_store(X86Tr *t, const X86Insn *insn)
{
    if (insn->op[0].kind == OPERAND_MEM) {
        tr_movq_store(t, insn);
    } else {
        unsigned to = tr_vector_offset(insn->op[0].reg);
        emit(t, X86_VECTOR_copy_zero8, 0, IR_SHAPE_ZERO,
             (Places){ to, to, tr_vector_offset(insn->op[1].reg) });
    }
}

void tr_vex_extract_half(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg), half = immediate_of(insn) & 1;

    if (insn->op[0].kind == OPERAND_MEM) {
        IrVal address = tr_linear_address(t, insn, 16, true);
        tr_sync_flags(t);
        ir_store_vector(t->ir, address, from + 16 * half, 16, tr_mmu(t, insn->mem.segment));
    } else {
        unsigned to = tr_vector_offset(insn->op[0].reg);
        emit(t, X86_VECTOR_vextractf128, half, IR_SHAPE_ZERO, (Places){ to, to, from });
    }
}

/* The result has half of the source's bytes: 8 or 16. */
void tr_vex_to_half(X86Tr *t, const X86Insn *insn)
{
    bool memory = insn->op[0].kind == OPERAND_MEM;
    unsigned to = tr_vector_offset(memory ? X86_XMM_SCRATCH : insn->op[0].reg);
    unsigned from = tr_vector_offset(insn->op[1].reg), size = insn->op[0].size;
    IrVal address = 0;

    if (memory) { /* a page fault comes before what the conversion raises */
        address = tr_linear_address(t, insn, size, true);
        tr_sync_flags(t);
        ir_probe_write(t->ir, address, size, tr_mmu(t, insn->mem.segment));
    }
    emit(t, insn->opcode->argument, immediate_of(insn), shape_of(insn), (Places){ to, from, from });
    if (memory && size == 8) {
        IrVal value = ir_get(t->ir, to, 8);
        tr_store(t, address, value, 8, insn->mem.segment);
    } else if (memory) {
        ir_store_vector(t->ir, address, to, 16, tr_mmu(t, insn->mem.segment));
    }
}

/* --- elements by mask and by index: helpers in avx_memory.c */

/* V or memory, H, memory or V: the helper with address, places and the rest. */
static void masked(X86Tr *t, const X86Insn *insn, unsigned memory)
{
    bool store = memory == 0;
    unsigned size = insn->op[memory].size;
    unsigned data = insn->op[store ? 2 : 0].reg;
    IrVal address = tr_linear_address(t, insn, size, store);
    IrVal places = ir_const(t->ir, data | (unsigned)insn->op[1].reg << 8);
    IrVal how = ir_const(t->ir, tr_mmu(t, insn->mem.segment) | size << 8 |
                                    (unsigned)insn->opcode->argument << 16);

    tr_call_keep(t, store ? X86_CALL_mask_store : X86_CALL_mask_load, address, places, how);
}

void tr_vex_mask_load(X86Tr *t, const X86Insn *insn)
{
    masked(t, insn, 2);
}

void tr_vex_mask_store(X86Tr *t, const X86Insn *insn)
{
    masked(t, insn, 0);
}

/* Base and displacement, without the vector of indexes. */
static IrVal gather_base(X86Tr *t, const X86Mem *mem)
{
    IrVal displacement = ir_const(t->ir, (uint64_t)mem->displacement);

    if (mem->base == X86_NO_REG) {
        return displacement;
    }
    IrVal base = tr_reg(t, mem->base);
    return ir_binary(t->ir, IR_ADD64, base, displacement);
}

/* V, memory, H: three registers, as the decoder has checked. */
void tr_vex_gather(X86Tr *t, const X86Insn *insn)
{
    const X86Mem *mem = &insn->mem;
    unsigned to = insn->op[0].reg, mask = insn->op[2].reg, index = mem->index;
    IrVal base = gather_base(t, mem);
    IrVal places = ir_const(t->ir, to | mask << 8 | index << 16);
    IrVal how = ir_const(t->ir, tr_mmu(t, mem->segment) | (unsigned)mem->segment << 8 |
                                    (unsigned)mem->scale << 12 | (unsigned)insn->vex_l << 15 |
                                    (unsigned)insn->opcode->argument << 16 |
                                    (uint64_t)mem->address_size << 32);
    tr_call_keep(t, X86_CALL_gather, base, places, how);
}
