/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for BMI1 and BMI2: VEX-coded instructions on general registers (SDM volume 1, 7.3.9).
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/tr_avx.h"

static IrOp form(IrOp op, unsigned size)
{
    return size == 8 ? (IrOp)(op + 1) : op;
}

/* The destination, and SF and ZF by it; OF becomes 0. */
static void finish(X86Tr *t, const X86Insn *insn, IrVal result, IrVal carry)
{
    unsigned size = insn->op[0].size;

    tr_set_operand(t, insn, 0, result);
    tr_set_flags(t, FOP_BMI + (size == 8 ? 3 : 2), result, carry, 0);
}

void tr_andn(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal inverted = tr_operand(t, insn, 1);
    IrVal b = tr_operand(t, insn, 2);
    IrVal zero = ir_const(t->ir, 0);

    inverted = ir_unary(t->ir, size == 8 ? IR_NOT64 : IR_NOT32, inverted);
    IrVal result = ir_binary(t->ir, form(IR_AND32, size), inverted, b);
    finish(t, insn, result, zero);
}

/* @n ones from bit 0 on, @n at most 63 and else all that the size has. */
static IrVal low_bits(X86Tr *t, IrVal n, IrVal fits)
{
    IrVal one = ir_const(t->ir, 1);
    IrVal all = ir_const(t->ir, UINT64_MAX);
    IrVal bit = ir_binary(t->ir, IR_SHL64, one, n);
    IrVal mask = ir_binary_imm(t->ir, IR_SUB64, bit, 1);

    return ir_select(t->ir, fits, mask, all);
}

void tr_bextr(X86Tr *t, const X86Insn *insn)
{
    IrVal source = tr_operand(t, insn, 1);
    IrVal control = tr_operand(t, insn, 2);
    IrVal zero = ir_const(t->ir, 0);
    IrVal start = ir_extract(t->ir, control, 0, 8);
    IrVal length = ir_extract(t->ir, control, 8, 8);
    IrVal inside = ir_binary_imm(t->ir, IR_LTU64, start, 64);
    IrVal fits = ir_binary_imm(t->ir, IR_LTU64, length, 64);
    IrVal shifted = ir_binary(t->ir, IR_SHR64, source, start);

    shifted = ir_select(t->ir, inside, shifted, zero);
    IrVal mask = low_bits(t, length, fits);
    IrVal result = ir_binary(t->ir, IR_AND64, shifted, mask);
    finish(t, insn, result, zero);
}

void tr_bzhi(X86Tr *t, const X86Insn *insn)
{
    unsigned width = 8 * insn->op[0].size;
    IrVal source = tr_operand(t, insn, 1);
    IrVal index = tr_operand(t, insn, 2);

    index = ir_unary(t->ir, IR_ZX8, index);
    IrVal fits = ir_binary_imm(t->ir, IR_LTU64, index, width);
    IrVal mask = low_bits(t, index, fits);
    IrVal result = ir_binary(t->ir, IR_AND64, source, mask);
    IrVal carry = ir_binary_imm(t->ir, IR_EQ64, fits, 0);
    finish(t, insn, result, carry);
}

void tr_bls(X86Tr *t, const X86Insn *insn)
{
    enum { BLSR = 1, BLSMSK, BLSI };
    unsigned size = insn->op[0].size, which = insn->opcode->argument;
    IrVal source = tr_operand(t, insn, 1);
    IrVal result;

    if (which == BLSI) {
        IrVal negative = ir_unary(t->ir, size == 8 ? IR_NEG64 : IR_NEG32, source);
        result = ir_binary(t->ir, form(IR_AND32, size), source, negative);
    } else {
        IrVal less = ir_binary_imm(t->ir, form(IR_SUB32, size), source, 1);
        IrOp op = which == BLSR ? IR_AND32 : IR_XOR32;
        result = ir_binary(t->ir, form(op, size), source, less);
    }
    IrVal carry = ir_binary_imm(t->ir, which == BLSI ? IR_NE64 : IR_EQ64, source, 0);
    finish(t, insn, result, carry);
}

void tr_pdep(X86Tr *t, const X86Insn *insn)
{
    IrVal source = tr_operand(t, insn, 1);
    IrVal mask = tr_operand(t, insn, 2);
    IrVal result = tr_call_pure(t, insn->opcode->argument, source, mask, 0);

    tr_set_operand(t, insn, 0, result);
}

/* The upper half goes to the first operand, also if both are the same register. */
void tr_mulx(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal a = tr_reg_part(t, X86_RDX, size, false);
    IrVal b = tr_operand(t, insn, 2);
    IrVal low = ir_binary(t->ir, IR_MUL64, a, b);
    IrVal high =
        size == 8 ? ir_binary(t->ir, IR_MULHU64, a, b) : ir_binary_imm(t->ir, IR_SHR64, low, 32);

    tr_set_operand(t, insn, 1, low);
    tr_set_operand(t, insn, 0, high);
}

void tr_rorx(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal source = tr_operand(t, insn, 1);
    uint64_t count = insn->op[2].imm & (8 * size - 1);
    IrVal result = ir_binary_imm(t->ir, form(IR_ROR32, size), source, count);

    tr_set_operand(t, insn, 0, result);
}

void tr_shiftx(X86Tr *t, const X86Insn *insn)
{
    IrOp op = form((IrOp)insn->opcode->argument, insn->op[0].size);
    IrVal source = tr_operand(t, insn, 1);
    IrVal count = tr_operand(t, insn, 2);
    IrVal result = ir_binary(t->ir, op, source, count);

    tr_set_operand(t, insn, 0, result);
}
