/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for integer arithmetic and logic (SDM volume 1, 7.3.2 and 7.3.3).
 *
 * Operands are taken with anything above their size where the operation doesn't look there; 8 and
 * 16 bits are computed in 32.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/rules.h"

/* FOP_ number with the size of operand @n. */
static unsigned sized(unsigned flag_op, unsigned size)
{
    return flag_op + (unsigned)__builtin_ctz(size);
}

/* The operation's form for @size; @op is the 32-bit one. */
static IrOp form(IrOp op, unsigned size)
{
    return size == 8 ? (IrOp)(op + 1) : op;
}

static const struct {
    IrOp op, atomic;
    unsigned flags;
} alu_ops[] = {
    [ALU_ADD] = { IR_ADD32, IR_XADD8, FOP_ADD },     [ALU_OR] = { IR_OR32, IR_RMWOR8, FOP_LOGIC },
    [ALU_ADC] = { IR_ADD32, IR_XADD8, FOP_ADC },     [ALU_SBB] = { IR_SUB32, IR_XADD8, FOP_SBB },
    [ALU_AND] = { IR_AND32, IR_RMWAND8, FOP_LOGIC }, [ALU_SUB] = { IR_SUB32, IR_XADD8, FOP_SUB },
    [ALU_XOR] = { IR_XOR32, IR_RMWXOR8, FOP_LOGIC }, [ALU_CMP] = { IR_SUB32, IR_XADD8, FOP_SUB },
};

/* a op b, with the carry of ADC and SBB (else 0). */
static IrVal alu_result(X86Tr *t, unsigned alu, unsigned size, IrVal a, IrVal b, IrVal carry)
{
    IrOp op = form(alu_ops[alu].op, size);
    IrVal result = ir_binary(t->ir, op, a, b);

    return carry ? ir_binary(t->ir, op, result, carry) : result;
}

static void alu_flags(X86Tr *t, unsigned alu, unsigned size, const IrVal v[3], IrVal result)
{
    unsigned flag_op = sized(alu_ops[alu].flags, size);

    if (alu_ops[alu].flags == FOP_LOGIC) {
        tr_set_flags(t, flag_op, result, 0, 0);
    } else {
        tr_set_flags(t, flag_op, v[0], v[1], v[2]);
    }
    t->flags.result = result;
}

/* One atomic addition does for ADC and SBB, too: of the operand plus carry. */
static IrVal locked_alu(X86Tr *t, const X86Insn *insn, unsigned alu, IrVal b, IrVal carry)
{
    IrVal operand = b;

    if (carry) {
        operand = ir_binary(t->ir, IR_ADD64, b, carry);
    }
    if (alu == ALU_SUB || alu == ALU_SBB) {
        operand = ir_unary(t->ir, IR_NEG64, operand);
    }
    return tr_atomic(t, insn, 0, alu_ops[alu].atomic, operand);
}

/* XOR and SUB of a register with itself. */
static bool is_zeroing(const X86Insn *insn, unsigned alu)
{
    const X86Operand *a = &insn->op[0], *b = &insn->op[1];

    return (alu == ALU_XOR || alu == ALU_SUB) && a->kind == OPERAND_REG && b->kind == OPERAND_REG &&
           a->reg == b->reg && a->high == b->high;
}

void tr_alu(X86Tr *t, const X86Insn *insn)
{
    unsigned alu = insn->opcode->argument, size = insn->op[0].size;
    IrVal v[3] = { 0 };

    if (is_zeroing(insn, alu)) {
        IrVal zero = ir_const(t->ir, 0);
        tr_set_operand(t, insn, 0, zero);
        tr_set_flags(t, sized(FOP_LOGIC, size), zero, 0, 0);
        return;
    }
    if (alu == ALU_ADC || alu == ALU_SBB) {
        v[2] = tr_carry(t);
    }
    if (insn->lock) {
        v[1] = tr_operand_raw(t, insn, 1);
        v[0] = locked_alu(t, insn, alu, v[1], v[2]);
        IrVal result = alu_result(t, alu, size, v[0], v[1], v[2]);
        alu_flags(t, alu, size, v, result);
        return;
    }
    if (alu == ALU_CMP) {
        v[0] = tr_operand_raw(t, insn, 0);
        v[1] = tr_operand_raw(t, insn, 1);
        tr_set_flags(t, sized(FOP_SUB, size), v[0], v[1], 0);
        return;
    }
    tr_will_write(t, insn, 0);
    v[0] = tr_operand_raw(t, insn, 0);
    v[1] = tr_operand_raw(t, insn, 1);
    IrVal result = alu_result(t, alu, size, v[0], v[1], v[2]);
    tr_set_operand(t, insn, 0, result);
    alu_flags(t, alu, size, v, result);
}

void tr_test(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal a = tr_operand_raw(t, insn, 0);
    IrVal b = tr_operand_raw(t, insn, 1);
    IrVal result = a == b ? a : ir_binary(t->ir, form(IR_AND32, size), a, b);

    tr_set_flags(t, sized(FOP_LOGIC, size), result, 0, 0);
}

void tr_inc(X86Tr *t, const X86Insn *insn)
{
    bool dec = insn->opcode->argument;
    unsigned size = insn->op[0].size;
    uint64_t step = dec ? UINT64_MAX : 1;
    IrVal old;

    if (insn->lock) {
        IrVal operand = ir_const(t->ir, step);
        old = tr_atomic(t, insn, 0, IR_XADD8, operand);
    } else {
        tr_will_write(t, insn, 0);
        old = tr_operand_raw(t, insn, 0);
    }
    IrVal result =
        ir_binary_imm(t->ir, form(IR_ADD32, size), old, size == 8 ? step : (uint32_t)step);
    if (!insn->lock) {
        tr_set_operand(t, insn, 0, result);
    }
    tr_set_inc_flags(t, sized(dec ? FOP_DEC : FOP_INC, size), result);
}

void tr_not(X86Tr *t, const X86Insn *insn)
{
    if (insn->lock) {
        IrVal ones = ir_const(t->ir, UINT64_MAX);
        tr_atomic(t, insn, 0, IR_RMWXOR8, ones);
        return;
    }
    tr_will_write(t, insn, 0);
    IrVal value = tr_operand_raw(t, insn, 0);
    value = ir_unary(t->ir, insn->op[0].size == 8 ? IR_NOT64 : IR_NOT32, value);
    tr_set_operand(t, insn, 0, value);
}

void tr_neg(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal zero = ir_const(t->ir, 0);
    IrVal old;

    if (insn->lock) {
        IrVal linear = tr_linear_address(t, insn, size, true);
        IrVal bytes = ir_const(t->ir, size);
        IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
        old = tr_call_keep(t, X86_CALL_locked_neg, linear, bytes, mmu);
    } else {
        tr_will_write(t, insn, 0);
        old = tr_operand_raw(t, insn, 0);
        IrVal result = ir_unary(t->ir, size == 8 ? IR_NEG64 : IR_NEG32, old);
        tr_set_operand(t, insn, 0, result);
    }
    tr_set_flags(t, sized(FOP_SUB, size), zero, old, 0);
}

/* --- multiplication and division -------------------------------------------------------------- */

/* The product of two operands of @size bytes; *ret_high is its upper half, *ret_over is not 0 if
 * that is more than an extension of the lower one. */
static IrVal multiply(X86Tr *t, unsigned size, bool is_signed, const IrVal v[2], IrVal ret[2])
{
    IrVal a, b, low, high;

    if (size == 8) {
        low = ir_binary(t->ir, IR_MUL64, v[0], v[1]);
        high = ir_binary(t->ir, is_signed ? IR_MULHS64 : IR_MULHU64, v[0], v[1]);
        ret[0] = high;
        ret[1] = high;
        if (is_signed) {
            IrVal sign = ir_binary_imm(t->ir, IR_SAR64, low, 63);
            ret[1] = ir_binary(t->ir, IR_NE64, high, sign);
        }
        return low;
    }
    if (is_signed) {
        a = tr_sign_extend(t, v[0], size);
        b = tr_sign_extend(t, v[1], size);
    } else {
        a = tr_zero_extend(t, v[0], size);
        b = tr_zero_extend(t, v[1], size);
    }
    low = ir_binary(t->ir, IR_MUL64, a, b);
    high = ir_binary_imm(t->ir, IR_SHR64, low, 8 * size);
    ret[0] = high;
    ret[1] = high;
    if (is_signed) {
        IrVal again = tr_sign_extend(t, low, size);
        ret[1] = ir_binary(t->ir, IR_NE64, low, again);
    }
    return low;
}

void tr_mul(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal ret[2], v[2];

    v[1] = tr_operand_raw(t, insn, 0);
    v[0] = tr_reg(t, X86_RAX);
    IrVal low = multiply(t, size, insn->opcode->argument, v, ret);
    if (size == 1) {
        tr_set_reg(t, X86_RAX, 2, false, low);
    } else {
        tr_set_reg(t, X86_RAX, size, false, low);
        tr_set_reg(t, X86_RDX, size, false, ret[0]);
    }
    tr_set_flags(t, sized(FOP_MUL, size), low, ret[1], 0);
}

void tr_imul(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    bool three = insn->op[2].kind != OPERAND_NONE;
    IrVal ret[2], v[2];

    v[0] = tr_operand_raw(t, insn, three ? 1 : 0);
    v[1] = tr_operand_raw(t, insn, three ? 2 : 1);
    IrVal low = multiply(t, size, true, v, ret);
    tr_set_reg(t, insn->op[0].reg, size, false, low);
    tr_set_flags(t, sized(FOP_MUL, size), low, ret[1], 0);
}

void tr_div(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal divisor = tr_operand(t, insn, 0);
    IrVal how = ir_const(t->ir, size | (unsigned)insn->opcode->argument << 8);

    tr_call_keep(t, X86_CALL_divide, divisor, how, 0);
    t->gpr[X86_RAX] = 0;
    t->gpr[X86_RDX] = 0;
}

void tr_adx(X86Tr *t, const X86Insn *insn)
{
    bool overflow = insn->opcode->argument;
    unsigned size = insn->op[0].size;
    IrVal a = tr_operand(t, insn, 0);
    IrVal b = tr_operand(t, insn, 1);
    IrVal old = overflow ? tr_condition(t, 0) : tr_carry(t);
    IrVal sum = ir_binary(t->ir, IR_ADD64, a, b);
    IrVal total = ir_binary(t->ir, IR_ADD64, sum, old);
    IrVal carry;

    if (size == 8) {
        IrVal first = ir_binary(t->ir, IR_LTU64, sum, a);
        IrVal second = ir_binary(t->ir, IR_LTU64, total, sum);
        carry = ir_binary(t->ir, IR_OR32, first, second);
    } else {
        carry = ir_extract(t->ir, total, 32, 1);
    }
    tr_set_operand(t, insn, 0, total);
    tr_set_carry(t, overflow ? 0 : carry, overflow ? carry : 0);
}

void tr_ascii(X86Tr *t, const X86Insn *insn)
{
    IrVal which = ir_const(t->ir, insn->opcode->argument);
    IrVal immediate = ir_const(t->ir, insn->op[0].imm);

    tr_call(t, X86_CALL_ascii, which, immediate, 0);
}

/* --- compare and exchange --------------------------------------------------------------------- */

/* The register becomes @value unless @keep.  A write of 32 bits that doesn't happen leaves the
 * upper half alone. */
static void set_unless(X86Tr *t, const X86Operand *op, IrVal keep, IrVal value)
{
    IrVal full = tr_reg(t, op->reg);

    if (op->size < 4) {
        value = ir_deposit(t->ir, full, value, op->high ? 8 : 0, 8 * op->size);
    }
    value = ir_select(t->ir, keep, full, value);
    tr_set_reg(t, op->reg, 8, false, value);
}

void tr_cmpxchg(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    const X86Operand accumulator = { .reg = X86_RAX, .size = insn->op[0].size };
    IrVal source = tr_operand(t, insn, 1);
    IrVal expected = tr_reg_part(t, X86_RAX, size, false);
    IrVal old, equal;

    if (insn->op[0].kind == OPERAND_MEM) {
        IrVal linear = tr_linear_address(t, insn, size, true);
        tr_sync_flags(t);
        old = ir_cas(t->ir, linear, expected, source, size, tr_mmu(t, insn->mem.segment));
        equal = ir_binary(t->ir, IR_EQ64, old, expected);
        set_unless(t, &accumulator, equal, old);
    } else {
        old = tr_operand(t, insn, 0);
        equal = ir_binary(t->ir, IR_EQ64, old, expected);
        IrVal differs = ir_binary_imm(t->ir, IR_XOR32, equal, 1);
        set_unless(t, &accumulator, equal, old);
        set_unless(t, &insn->op[0], differs, source);
    }
    tr_set_flags(t, sized(FOP_SUB, size), expected, old, 0);
}

/* EDX:EAX and its like as one value. */
static IrVal join(X86Tr *t, unsigned high, unsigned low)
{
    IrVal l = tr_reg(t, low);
    IrVal h = tr_reg(t, high);

    return ir_deposit(t->ir, l, h, 32, 32);
}

void tr_cmpxchg8b(X86Tr *t, const X86Insn *insn)
{
    const X86Operand eax = { .reg = X86_RAX, .size = 4 }, edx = { .reg = X86_RDX, .size = 4 };
    unsigned size = insn->op[0].size;
    IrVal linear = tr_linear_address(t, insn, size, true);

    if (size == 16) {
        IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
        tr_call(t, X86_CALL_cmpxchg16b, linear, mmu, 0);
        return;
    }
    IrVal expected = join(t, X86_RDX, X86_RAX);
    IrVal value = join(t, X86_RCX, X86_RBX);
    tr_sync_flags(t);
    IrVal old = ir_cas(t->ir, linear, expected, value, 8, tr_mmu(t, insn->mem.segment));
    IrVal equal = ir_binary(t->ir, IR_EQ64, old, expected);
    IrVal low = ir_unary(t->ir, IR_ZX32, old);
    IrVal high = ir_binary_imm(t->ir, IR_SHR64, old, 32);
    set_unless(t, &eax, equal, low);
    set_unless(t, &edx, equal, high);
    IrVal flags = tr_flags(t);
    flags = ir_deposit(t->ir, flags, equal, 6, 1); /* ZF */
    tr_set_flags(t, FOP_FLAGS, flags, 0, 0);
}

void tr_xadd(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal source = tr_operand_raw(t, insn, 1);
    IrVal old;

    if (insn->lock) {
        old = tr_atomic(t, insn, 0, IR_XADD8, source);
        tr_set_operand(t, insn, 1, old);
    } else {
        tr_will_write(t, insn, 0);
        old = tr_operand_raw(t, insn, 0);
        IrVal sum = ir_binary(t->ir, form(IR_ADD32, size), old, source);
        if (insn->op[0].kind == OPERAND_MEM) {
            tr_set_operand(t, insn, 0, sum);
            tr_set_operand(t, insn, 1, old);
        } else {
            tr_set_operand(t, insn, 1, old);
            tr_set_operand(t, insn, 0, sum);
        }
    }
    tr_set_flags(t, sized(FOP_ADD, size), old, source, 0);
}

void tr_crc32(X86Tr *t, const X86Insn *insn)
{
    IrVal data = tr_operand(t, insn, 1);
    IrVal sum = tr_reg_part(t, insn->op[0].reg, 4, false);
    IrVal bytes = ir_const(t->ir, insn->op[1].size);

    sum = tr_call_pure(t, X86_CALL_crc32, sum, data, bytes);
    tr_set_reg(t, insn->op[0].reg, 8, false, sum);
}
