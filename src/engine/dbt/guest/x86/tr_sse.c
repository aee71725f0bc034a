/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for MMX and SSE instructions: see tr_sse.h.
 *
 * Legacy SSE leaves the upper half of a YMM register alone: only the low 16 bytes are written.
 * An MMX register n is the mantissa of physical x87 register n; each MMX instruction makes TOP 0
 * and all registers valid, and writing one sets the exponent above it to ones (SDM volume 1, 9.6).
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/tr_sse.h"

#include "engine/dbt/guest/x86/tr_x87.h"
#include "engine/dbt/guest/x86/vectors.h"

enum { RESULT = X86_XMM_SCRATCH + 1 }; /* where an operation leaves a number */

static unsigned immediate_of(const X86Insn *insn)
{
    for (unsigned i = 1; i < 4; i++) {
        if (insn->op[i].kind == OPERAND_IMM) {
            return (unsigned)insn->op[i].imm & 0xff;
        }
    }
    return 0;
}

/* Emit vector operation @number.  State is the instruction's start: nothing was written yet. */
static void emit(X86Tr *t, const X86Insn *insn, unsigned number, unsigned to, unsigned from1,
                 unsigned from2)
{
    if (x86_vectors[number].may_fault && (t->key & KEY_MXCSR)) {
        tr_sync_flags(t);
    }
    ir_vector(t->ir, number, immediate_of(insn), to, from1, from2);
}

/* --- operands */

static unsigned mmx_offset(unsigned reg)
{
    return X86_OFFSET(st) + (reg & 7) * (unsigned)sizeof(X87Reg) +
           (unsigned)offsetof(X87Reg, mantissa);
}

/* From x87 to MMX: TOP 0, all valid. */
static void mmx_enter(X86Tr *t)
{
    IrVal zero = ir_const(t->ir, 0);
    IrVal all = ir_const(t->ir, 0xff);

    ir_put(t->ir, X86_OFFSET(top), 1, zero);
    ir_put(t->ir, X86_OFFSET(tags), 1, all);
}

/* MMX register @reg was written. */
static void mmx_written(X86Tr *t, unsigned reg)
{
    unsigned offset = mmx_offset(reg) - (unsigned)offsetof(X87Reg, mantissa);
    IrVal ones = ir_const(t->ir, 0xffff);

    ir_put(t->ir, offset + (unsigned)offsetof(X87Reg, sign_exponent), 2, ones);
}

/* Load the memory operand of @size bytes, 1 to 8. */
static IrVal load_memory(X86Tr *t, const X86Insn *insn, unsigned size)
{
    IrVal address = tr_linear_address(t, insn, size, false);

    return tr_load(t, address, size, insn->mem.segment);
}

static void store_memory(X86Tr *t, const X86Insn *insn, IrVal value, unsigned size)
{
    IrVal address = tr_linear_address(t, insn, size, true);

    tr_store(t, address, value, size, insn->mem.segment);
}

/* Where operand @n, MMX or memory, can be read. */
static unsigned mmx_operand(X86Tr *t, const X86Insn *insn, unsigned n)
{
    if (insn->op[n].kind != OPERAND_MEM) {
        return mmx_offset(insn->op[n].reg);
    }
    IrVal value = load_memory(t, insn, insn->op[n].size);
    unsigned offset = tr_vector_offset(X86_XMM_SCRATCH);
    ir_put(t->ir, offset, 8, value);
    return offset;
}

static unsigned sse_operand(X86Tr *t, const X86Insn *insn, unsigned n)
{
    return tr_vector_operand(t, insn, n, insn->op[n].size, 0);
}

/* --- operations */

void tr_sse(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);
    unsigned from = sse_operand(t, insn, 1);

    emit(t, insn, insn->opcode->argument, to, to, from);
}

void tr_sse_shift(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);

    emit(t, insn, insn->opcode->argument, to, to, to);
}

void tr_sse_to_reg(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(RESULT);
    unsigned from = sse_operand(t, insn, 1);

    emit(t, insn, insn->opcode->argument, to, from, from);
    IrVal value = ir_get(t->ir, to, 4);
    tr_set_operand(t, insn, 0, value);
}

void tr_sse_flags(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(RESULT);
    unsigned from = sse_operand(t, insn, 1);

    emit(t, insn, insn->opcode->argument, to, tr_vector_offset(insn->op[0].reg), from);
    IrVal flags = ir_get(t->ir, to, 8);
    IrVal zero = ir_const(t->ir, 0);
    tr_set_flags(t, FOP_FLAGS, flags, zero, zero);
}

/* The lengths of the explicit forms, from EAX and EDX (RAX and RDX by REX.W), as signed numbers
 * in the operation's in-and-out vector. */
static void put_lengths(X86Tr *t, const X86Insn *insn, unsigned at)
{
    static const uint8_t regs[] = { X86_RAX, X86_RDX };

    for (unsigned i = 0; i < 2; i++) {
        IrVal length = tr_reg(t, regs[i]);
        if (!insn->rex_w) {
            length = ir_unary(t->ir, IR_SX32, length);
        }
        ir_put(t->ir, at + 8 * i, 8, length);
    }
}

void tr_sse_string(X86Tr *t, const X86Insn *insn)
{
    unsigned number = insn->opcode->argument;
    unsigned at = tr_vector_offset(RESULT);
    unsigned from = sse_operand(t, insn, 1);

    if (number == X86_VECTOR_pcmpestri || number == X86_VECTOR_pcmpestrm) {
        put_lengths(t, insn, at);
    }
    emit(t, insn, number, at, tr_vector_offset(insn->op[0].reg), from);
    if (number == X86_VECTOR_pcmpestri || number == X86_VECTOR_pcmpistri) {
        IrVal index = ir_get(t->ir, at, 4);
        tr_set_reg(t, X86_RCX, 4, false, index);
    } else {
        for (unsigned i = 0; i < 2; i++) {
            IrVal half = ir_get(t->ir, at + 8 * i, 8);
            ir_put(t->ir, tr_vector_offset(0) + 8 * i, 8, half);
        }
    }
    IrVal flags = ir_get(t->ir, at + 16, 8);
    IrVal zero = ir_const(t->ir, 0);
    tr_set_flags(t, FOP_FLAGS, flags, zero, zero);
}

void tr_mmx(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned to = mmx_offset(insn->op[0].reg);
    unsigned from = mmx_operand(t, insn, 1);

    emit(t, insn, insn->opcode->argument, to, to, from);
    mmx_enter(t);
    mmx_written(t, insn->op[0].reg);
}

void tr_mmx_shift(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned to = mmx_offset(insn->op[0].reg);

    emit(t, insn, insn->opcode->argument, to, to, to);
    mmx_enter(t);
    mmx_written(t, insn->op[0].reg);
}

void tr_mmx_to_reg(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned to = tr_vector_offset(RESULT);
    unsigned from = mmx_offset(insn->op[1].reg);

    emit(t, insn, insn->opcode->argument, to, from, from);
    IrVal value = ir_get(t->ir, to, 4);
    mmx_enter(t);
    tr_set_operand(t, insn, 0, value);
}

void tr_emms(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal zero = ir_const(t->ir, 0);

    ir_put(t->ir, X86_OFFSET(top), 1, zero);
    ir_put(t->ir, X86_OFFSET(tags), 1, zero);
}

/* --- conversions */

void tr_cvt_from_reg(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);
    unsigned from = tr_vector_offset(X86_XMM_SCRATCH);
    IrVal value = tr_operand(t, insn, 1);

    ir_put(t->ir, from, 8, value);
    emit(t, insn, insn->opcode->argument + insn->rex_w, to, to, from);
}

void tr_cvt_to_reg(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(RESULT);
    unsigned from = sse_operand(t, insn, 1);

    bool wide = insn->op[0].size == 8;
    emit(t, insn, insn->opcode->argument + wide, to, from, from);
    IrVal value = ir_get(t->ir, to, wide ? 8 : 4);
    tr_set_operand(t, insn, 0, value);
}

/* As on AMD only a register operand touches the x87; Intel enters MMX with memory too. */
void tr_cvt_from_mmx(X86Tr *t, const X86Insn *insn)
{
    bool mmx = insn->op[1].kind != OPERAND_MEM;
    unsigned to = tr_vector_offset(insn->op[0].reg);

    if (mmx) {
        tr_x87_pending(t);
    }
    unsigned from = mmx_operand(t, insn, 1);
    if (mmx) {
        mmx_enter(t); /* even if the conversion raises an exception */
    }
    emit(t, insn, insn->opcode->argument, to, to, from);
}

void tr_cvt_to_mmx(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned to = mmx_offset(insn->op[0].reg);
    unsigned from = sse_operand(t, insn, 1);

    mmx_enter(t); /* even if the conversion raises an exception */
    emit(t, insn, insn->opcode->argument, to, from, from);
    mmx_written(t, insn->op[0].reg);
}

/* --- moves */

/* @number is one of the moves: @to from @from. */
static void move(X86Tr *t, unsigned number, unsigned to, unsigned from)
{
    ir_vector(t->ir, number, 0, to, to, from);
}

/* The mmu index and flags of a 16-byte access by @insn. */
static unsigned vector_mmu(X86Tr *t, const X86Insn *insn)
{
    bool align = insn->opcode->flags & OPCODE_ALIGN;

    return tr_mmu(t, insn->mem.segment) | (align ? MMU_ALIGN : 0);
}

void tr_mov_load(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);

    if (insn->op[1].kind != OPERAND_MEM) {
        move(t, X86_VECTOR_copy, to, tr_vector_offset(insn->op[1].reg));
        return;
    }
    IrVal address = tr_linear_address(t, insn, 16, false);
    tr_sync_flags(t);
    ir_load_vector(t->ir, address, to, 16, vector_mmu(t, insn));
}

void tr_mov_store(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg);

    if (insn->op[0].kind != OPERAND_MEM) {
        move(t, X86_VECTOR_copy, tr_vector_offset(insn->op[0].reg), from);
        return;
    }
    IrVal address = tr_linear_address(t, insn, 16, true);
    tr_sync_flags(t);
    ir_store_vector(t->ir, address, from, 16, vector_mmu(t, insn));
}

/* Write the low @size bytes of a vector and zeros above. */
static void put_extended(X86Tr *t, unsigned to, IrVal value)
{
    IrVal zero = ir_const(t->ir, 0);

    ir_put(t->ir, to, 8, value);
    ir_put(t->ir, to + 8, 8, zero);
}

void tr_movs_load(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);
    unsigned size = insn->op[1].size;

    if (insn->op[1].kind == OPERAND_MEM) {
        IrVal value = load_memory(t, insn, size);
        put_extended(t, to, value);
    } else {
        move(t, size == 4 ? X86_VECTOR_copy_low4 : X86_VECTOR_copy_low8, to,
             tr_vector_offset(insn->op[1].reg));
    }
}

void tr_movs_store(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size, from = tr_vector_offset(insn->op[1].reg);

    if (insn->op[0].kind == OPERAND_MEM) {
        IrVal value = ir_get(t->ir, from, size);
        store_memory(t, insn, value, size);
    } else {
        move(t, size == 4 ? X86_VECTOR_copy_low4 : X86_VECTOR_copy_low8,
             tr_vector_offset(insn->op[0].reg), from);
    }
}

void tr_movq_load(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg);

    if (insn->op[1].kind == OPERAND_MEM) {
        IrVal value = load_memory(t, insn, 8);
        put_extended(t, to, value);
    } else {
        move(t, X86_VECTOR_copy_zero8, to, tr_vector_offset(insn->op[1].reg));
    }
}

void tr_movq_store(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg);

    if (insn->op[0].kind == OPERAND_MEM) {
        IrVal value = ir_get(t->ir, from, 8);
        store_memory(t, insn, value, 8);
    } else {
        move(t, X86_VECTOR_copy_zero8, tr_vector_offset(insn->op[0].reg), from);
    }
}

void tr_movd_from_reg(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_operand(t, insn, 1);

    put_extended(t, tr_vector_offset(insn->op[0].reg), value);
}

void tr_movd_to_reg(X86Tr *t, const X86Insn *insn)
{
    IrVal value = ir_get(t->ir, tr_vector_offset(insn->op[1].reg), insn->op[0].size);

    tr_set_operand(t, insn, 0, value);
}

void tr_movh_load(X86Tr *t, const X86Insn *insn)
{
    unsigned half = insn->opcode->argument, to = tr_vector_offset(insn->op[0].reg);

    if (insn->op[1].kind == OPERAND_MEM) {
        IrVal value = load_memory(t, insn, 8);
        ir_put(t->ir, to + half, 8, value);
    } else {
        move(t, half ? X86_VECTOR_movlhps : X86_VECTOR_movhlps, to,
             tr_vector_offset(insn->op[1].reg));
    }
}

void tr_movh_store(X86Tr *t, const X86Insn *insn)
{
    unsigned half = insn->opcode->argument;
    IrVal value = ir_get(t->ir, tr_vector_offset(insn->op[1].reg) + half, 8);

    store_memory(t, insn, value, 8);
}

void tr_movddup(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_operand(t, insn, 1, 8, 0);

    move(t, X86_VECTOR_movddup, tr_vector_offset(insn->op[0].reg), from);
}

/* Write MMX register @reg. */
static void put_mmx(X86Tr *t, unsigned reg, IrVal value)
{
    ir_put(t->ir, mmx_offset(reg), 8, value);
    mmx_enter(t);
    mmx_written(t, reg);
}

void tr_mmx_mov_load(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = insn->op[1].kind == OPERAND_MEM ? load_memory(t, insn, 8)
                                                  : ir_get(t->ir, mmx_offset(insn->op[1].reg), 8);

    put_mmx(t, insn->op[0].reg, value);
}

void tr_mmx_mov_store(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = ir_get(t->ir, mmx_offset(insn->op[1].reg), 8);

    if (insn->op[0].kind == OPERAND_MEM) {
        store_memory(t, insn, value, 8);
        mmx_enter(t);
    } else {
        put_mmx(t, insn->op[0].reg, value);
    }
}

void tr_mmx_movd_load(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = tr_operand(t, insn, 1);

    put_mmx(t, insn->op[0].reg, value);
}

void tr_mmx_movd_store(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = ir_get(t->ir, mmx_offset(insn->op[1].reg), insn->op[0].size);

    tr_set_operand(t, insn, 0, value);
    mmx_enter(t);
}

void tr_movq2dq(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = ir_get(t->ir, mmx_offset(insn->op[1].reg), 8);

    put_extended(t, tr_vector_offset(insn->op[0].reg), value);
    mmx_enter(t);
}

void tr_movdq2q(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal value = ir_get(t->ir, tr_vector_offset(insn->op[1].reg), 8);

    put_mmx(t, insn->op[0].reg, value);
}

/* Bytes chosen by a mask, to DS:rDI.  As on AMD, MMX is entered even if a byte can't be written. */
void tr_maskmov(X86Tr *t, const X86Insn *insn)
{
    bool mmx = insn->op[0].kind == OPERAND_MMX;
    unsigned segment = insn->segment_override == X86_NO_REG ? X86_DS : insn->segment_override;
    unsigned size = mmx ? 8 : 16;

    if (mmx) {
        tr_x87_pending(t);
    }
    IrVal offset = tr_reg_part(t, X86_RDI, insn->address_size, false);
    IrVal address = tr_segment_address(t, segment, offset, size, true);
    unsigned from = mmx ? mmx_offset(insn->op[0].reg) : tr_vector_offset(insn->op[0].reg);
    unsigned mask = mmx ? mmx_offset(insn->op[1].reg) : tr_vector_offset(insn->op[1].reg);
    IrVal places = ir_const(t->ir, from | (uint64_t)mask << 32);
    IrVal how = ir_const(t->ir, tr_mmu(t, segment) | size << 8);
    if (mmx) {
        mmx_enter(t);
    }
    tr_call(t, X86_CALL_maskmov, address, places, how);
}

/* --- single lanes */

static unsigned lane_of(const X86Insn *insn, unsigned vector_size)
{
    unsigned lane = insn->opcode->argument;

    return (immediate_of(insn) & (vector_size / lane - 1)) * lane;
}

void tr_insert(X86Tr *t, const X86Insn *insn)
{
    unsigned to = tr_vector_offset(insn->op[0].reg) + lane_of(insn, 16);
    IrVal value = tr_operand(t, insn, 1);

    ir_put(t->ir, to, insn->opcode->argument, value);
}

void tr_extract(X86Tr *t, const X86Insn *insn)
{
    unsigned from = tr_vector_offset(insn->op[1].reg) + lane_of(insn, 16);
    IrVal value = ir_get(t->ir, from, insn->opcode->argument);

    tr_set_operand(t, insn, 0, value);
}

void tr_mmx_insert(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned to = mmx_offset(insn->op[0].reg) + lane_of(insn, 8);
    IrVal value = tr_operand(t, insn, 1);

    ir_put(t->ir, to, insn->opcode->argument, value);
    mmx_enter(t);
    mmx_written(t, insn->op[0].reg);
}

void tr_mmx_extract(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    unsigned from = mmx_offset(insn->op[1].reg) + lane_of(insn, 8);
    IrVal value = ir_get(t->ir, from, insn->opcode->argument);

    mmx_enter(t);
    tr_set_operand(t, insn, 0, value);
}

void tr_insertps(X86Tr *t, const X86Insn *insn)
{
    unsigned immediate = immediate_of(insn);
    unsigned to = tr_vector_offset(insn->op[0].reg);
    unsigned from = sse_operand(t, insn, 1);

    if (insn->op[1].kind == OPERAND_MEM) {
        immediate &= 0x3f; /* memory has one element only */
    }
    ir_vector(t->ir, X86_VECTOR_insertps, immediate, to, to, from);
}

/* --- control and state */

void tr_ldmxcsr(X86Tr *t, const X86Insn *insn)
{
    IrVal value = load_memory(t, insn, 4);
    IrVal zero = ir_const(t->ir, 0);

    tr_call(t, X86_CALL_ldmxcsr, value, zero, zero);
    tr_exit_stop(t);
}

void tr_stmxcsr(X86Tr *t, const X86Insn *insn)
{
    IrVal value = ir_get(t->ir, X86_OFFSET(mxcsr), 4);

    store_memory(t, insn, value, 4);
}

/* Call the row's helper with address, mmu and 1 for REX.W. */
static void call_state_helper(X86Tr *t, const X86Insn *insn, bool write)
{
    IrVal address = tr_linear_address(t, insn, 512, write);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
    IrVal wide = ir_const(t->ir, insn->rex_w);

    tr_call(t, insn->opcode->argument, address, mmu, wide);
}

void tr_state_save(X86Tr *t, const X86Insn *insn)
{
    call_state_helper(t, insn, true);
}

void tr_state_restore(X86Tr *t, const X86Insn *insn)
{
    call_state_helper(t, insn, false);
    tr_exit_stop(t);
}
