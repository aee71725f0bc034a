/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for shifts, rotates, and instructions on single bits (SDM volume 1, 7.3.5 to 7.3.7).
 *
 * A count is taken modulo 32, or 64 for 64-bit operands; with count 0 flags stay.  With a constant
 * count everything is emitted in place; with CL the flags are left to helpers, which run only if
 * somebody needs them.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/rules.h"

static unsigned sized(unsigned flag_op, unsigned size)
{
    return flag_op + (unsigned)__builtin_ctz(size);
}

static IrOp form(IrOp op, unsigned size)
{
    return size == 8 ? (IrOp)(op + 1) : op;
}

/* The count, masked; a constant value where it is one. */
static IrVal shift_count(X86Tr *t, const X86Insn *insn, unsigned n, unsigned size)
{
    IrVal count = tr_operand_raw(t, insn, n);

    return ir_binary_imm(t->ir, IR_AND32, count, size == 8 ? 63 : 31);
}

/* --- SHL, SHR, SAR ---------------------------------------------------------------------------- */

static const struct {
    IrOp op;
    unsigned flags;
} shift_ops[] = {
    [SHIFT_SHL] = { IR_SHL32, FOP_SHL },
    [SHIFT_SAL] = { IR_SHL32, FOP_SHL },
    [SHIFT_SHR] = { IR_SHR32, FOP_SHR },
    [SHIFT_SAR] = { IR_SAR32, FOP_SAR },
};

static IrVal shifted(X86Tr *t, unsigned shift, unsigned size, IrVal a, IrVal count)
{
    if (shift == SHIFT_SHR && size < 4) {
        a = tr_zero_extend(t, a, size);
    } else if (shift == SHIFT_SAR && size < 4) {
        a = tr_sign_extend(t, a, size);
    }
    return ir_binary(t->ir, form(shift_ops[shift].op, size), a, count);
}

static void set_shift_flags(X86Tr *t, unsigned flag_op, IrVal a, IrVal count, IrVal result)
{
    uint64_t n;

    if (!ir_is_const(t->ir, count, &n)) {
        tr_set_shift_flags(t, flag_op, a, count, result);
    } else if (n != 0) {
        tr_set_flags(t, flag_op, a, count, result);
    }
}

/* --- rotates ---------------------------------------------------------------------------------- */

/* A value that, rotated in 32 bits, has in its low part what rotating @size bytes gives. */
static IrVal repeated(X86Tr *t, IrVal a, unsigned size)
{
    if (size >= 4) {
        return a;
    }
    a = tr_zero_extend(t, a, size);
    return ir_binary_imm(t->ir, IR_MUL32, a, size == 1 ? 0x01010101 : 0x00010001);
}

/* CF, and OF as for a count of 1. */
static void set_rotate_flags(X86Tr *t, bool right, unsigned size, IrVal result)
{
    unsigned top = 8 * size - 1;
    IrVal msb = ir_extract(t->ir, result, top, 1);
    IrVal other =
        right ? ir_extract(t->ir, result, top - 1, 1) : ir_binary_imm(t->ir, IR_AND32, result, 1);
    IrVal overflow = ir_binary(t->ir, IR_XOR32, msb, other);

    tr_set_carry(t, right ? msb : other, overflow);
}

static IrVal rotate_description(X86Tr *t, IrVal count, unsigned size, bool right)
{
    return ir_binary_imm(t->ir, IR_OR64, count, size << 8 | (unsigned)right << 16);
}

static void rotate(X86Tr *t, const X86Insn *insn, bool right)
{
    unsigned size = insn->op[0].size;
    uint64_t n;

    IrVal a = tr_operand_raw(t, insn, 0);
    IrVal count = shift_count(t, insn, 1, size);
    a = repeated(t, a, size);
    IrVal result = ir_binary(t->ir, form(right ? IR_ROR32 : IR_ROL32, size), a, count);
    tr_set_operand(t, insn, 0, result);
    if (!ir_is_const(t->ir, count, &n)) {
        IrVal how = rotate_description(t, count, size, right);
        tr_call_keep(t, X86_CALL_rotate_flags, result, how, 0);
        tr_forget_flags(t);
    } else if (n != 0) {
        set_rotate_flags(t, right, size, result);
    }
}

/* RCL and RCR by one. */
static void rotate_carry_once(X86Tr *t, const X86Insn *insn, bool right)
{
    unsigned size = insn->op[0].size, top = 8 * size - 1;
    IrVal carry = tr_carry(t);
    IrVal a = tr_operand(t, insn, 0);
    IrVal result, out, second;

    if (right) {
        result = ir_binary_imm(t->ir, IR_SHR64, a, 1);
        result = ir_deposit(t->ir, result, carry, top, 1);
        out = ir_binary_imm(t->ir, IR_AND32, a, 1);
        second = ir_extract(t->ir, result, top - 1, 1);
    } else {
        result = ir_lea(t->ir, carry, a, 1, 0);
        out = ir_extract(t->ir, a, top, 1);
        second = out;
    }
    tr_set_operand(t, insn, 0, result);
    IrVal msb = ir_extract(t->ir, result, top, 1);
    IrVal overflow = ir_binary(t->ir, IR_XOR32, msb, second);
    tr_set_carry(t, out, overflow);
}

static void rotate_carry(X86Tr *t, const X86Insn *insn, bool right)
{
    unsigned size = insn->op[0].size;
    uint64_t n;

    IrVal count = shift_count(t, insn, 1, size);
    if (ir_is_const(t->ir, count, &n) && n == 1) {
        rotate_carry_once(t, insn, right);
        return;
    }
    IrVal carry = tr_carry(t);
    IrVal a = tr_operand(t, insn, 0);
    IrVal how = rotate_description(t, count, size, right);
    IrVal result = tr_call_pure(t, X86_CALL_rotate_carry, a, how, carry);
    tr_set_operand(t, insn, 0, result);
    tr_call_keep(t, X86_CALL_rotate_carry_flags, a, how, carry);
    tr_forget_flags(t);
}

void tr_shift(X86Tr *t, const X86Insn *insn)
{
    unsigned shift = insn->opcode->argument, size = insn->op[0].size;

    tr_will_write(t, insn, 0);
    if (shift == SHIFT_ROL || shift == SHIFT_ROR) {
        rotate(t, insn, shift == SHIFT_ROR);
        return;
    }
    if (shift == SHIFT_RCL || shift == SHIFT_RCR) {
        rotate_carry(t, insn, shift == SHIFT_RCR);
        return;
    }
    IrVal a = tr_operand_raw(t, insn, 0);
    IrVal count = shift_count(t, insn, 1, size);
    IrVal result = shifted(t, shift, size, a, count);
    tr_set_operand(t, insn, 0, result);
    set_shift_flags(t, sized(shift_ops[shift].flags, size), a, count, result);
}

/* --- SHLD, SHRD ------------------------------------------------------------------------------- */

/* 64 bits: the count may be 0, so the other operand moves in two steps. */
static IrVal double64(X86Tr *t, bool right, IrVal a, IrVal b, IrVal count)
{
    IrVal main = ir_binary(t->ir, right ? IR_SHR64 : IR_SHL64, a, count);
    IrVal rest = ir_binary_imm(t->ir, right ? IR_SHL64 : IR_SHR64, b, 1);
    IrVal back = ir_binary_imm(t->ir, IR_XOR64, count, 63);

    rest = ir_binary(t->ir, right ? IR_SHL64 : IR_SHR64, rest, back);
    return ir_binary(t->ir, IR_OR64, main, rest);
}

/* 32 bits in one shift of both; 16 bits with the first operand once more behind the second, as
 * counts above 16 (undefined) show it. */
static IrVal double32(X86Tr *t, bool right, unsigned size, const IrVal v[2], IrVal count)
{
    IrVal a = tr_zero_extend(t, v[0], size);
    IrVal b = tr_zero_extend(t, v[1], size);
    IrVal both;

    if (size == 2) {
        both = ir_deposit(t->ir, a, b, 16, 16);
        both = ir_deposit(t->ir, both, a, 32, 16);
    } else {
        both = ir_deposit(t->ir, right ? a : b, right ? b : a, 32, 32);
    }
    both = ir_binary(t->ir, right ? IR_SHR64 : IR_SHL64, both, count);
    return right ? both : ir_binary_imm(t->ir, IR_SHR64, both, 32);
}

void tr_shift_double(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    bool right = insn->opcode->argument;
    IrVal v[2];

    tr_will_write(t, insn, 0);
    v[0] = tr_operand_raw(t, insn, 0);
    v[1] = tr_operand_raw(t, insn, 1);
    IrVal count = shift_count(t, insn, 2, size);
    IrVal result =
        size == 8 ? double64(t, right, v[0], v[1], count) : double32(t, right, size, v, count);
    tr_set_operand(t, insn, 0, result);
    set_shift_flags(t, sized(right ? FOP_SHR : FOP_SHL, size), v[0], count, result);
}

/* --- single bits ------------------------------------------------------------------------------ */

/* Linear address of the word that holds the bit at a signed offset from the memory operand. */
static IrVal bit_address(X86Tr *t, const X86Insn *insn, bool write)
{
    unsigned size = insn->op[0].size, log = (unsigned)__builtin_ctz(size);
    IrVal offset = tr_effective_address(t, insn);

    if (insn->op[1].kind == OPERAND_REG) {
        IrVal bit = tr_reg(t, insn->op[1].reg);
        bit = tr_sign_extend(t, bit, size);
        bit = ir_binary_imm(t->ir, IR_SAR64, bit, 3 + log);
        offset = ir_lea(t->ir, offset, bit, log, 0);
        offset = tr_zero_extend(t, offset, insn->mem.address_size);
    }
    return tr_segment_address(t, insn->mem.segment, offset, size, write);
}

static IrVal changed_bit(X86Tr *t, const X86Insn *insn, IrVal a, IrVal mask)
{
    IrVal inverse;

    switch (insn->opcode->argument) {
    case BIT_BTS:
        return ir_binary(t->ir, IR_OR64, a, mask);
    case BIT_BTC:
        return ir_binary(t->ir, IR_XOR64, a, mask);
    default:
        inverse = ir_unary(t->ir, IR_NOT64, mask);
        return ir_binary(t->ir, IR_AND64, a, inverse);
    }
}

static IrVal locked_bit(X86Tr *t, const X86Insn *insn, IrVal linear, IrVal mask)
{
    static const IrOp ops[] = {
        [BIT_BTS] = IR_RMWOR8, [BIT_BTR] = IR_RMWAND8, [BIT_BTC] = IR_RMWXOR8
    };
    IrOp op = ops[insn->opcode->argument];

    if (op == IR_RMWAND8) {
        mask = ir_unary(t->ir, IR_NOT64, mask);
    }
    tr_sync_flags(t);
    return ir_atomic(t->ir, op, linear, mask, insn->op[0].size, tr_mmu(t, insn->mem.segment));
}

static IrVal bit_mask(X86Tr *t, IrVal bit)
{
    IrVal one = ir_const(t->ir, 1);

    return ir_binary(t->ir, IR_SHL64, one, bit);
}

void tr_bit(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    bool write = insn->opcode->argument != BIT_BT;
    bool memory = insn->op[0].kind == OPERAND_MEM;
    IrVal bit = tr_operand_raw(t, insn, 1);
    IrVal linear = 0, a;

    bit = ir_binary_imm(t->ir, IR_AND32, bit, 8 * size - 1);
    if (memory) {
        linear = bit_address(t, insn, write);
    }
    if (insn->lock) {
        IrVal mask = bit_mask(t, bit);
        a = locked_bit(t, insn, linear, mask);
    } else {
        a = !memory ? tr_operand_raw(t, insn, 0)
            : write ? tr_load_rmw(t, linear, size, insn->mem.segment)
                    : tr_load(t, linear, size, insn->mem.segment);
        if (write) {
            IrVal mask = bit_mask(t, bit);
            IrVal result = changed_bit(t, insn, a, mask);
            if (memory) {
                tr_store(t, linear, result, size, insn->mem.segment);
            } else {
                tr_set_operand(t, insn, 0, result);
            }
        }
    }
    IrVal carry = ir_binary(t->ir, IR_SHR64, a, bit);
    carry = ir_binary_imm(t->ir, IR_AND32, carry, 1);
    tr_set_carry(t, carry, 0);
}

/* --- counting bits ---------------------------------------------------------------------------- */

/* BSF, BSR: a source of 0 leaves the destination as it is (AMD). */
void tr_scan(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal source = tr_operand(t, insn, 1);
    IrVal result;

    if (insn->opcode->argument) {
        result = ir_unary(t->ir, IR_CLZ64, source);
        result = ir_binary_imm(t->ir, IR_XOR64, result, 63);
    } else {
        result = ir_unary(t->ir, IR_CTZ64, source);
    }
    IrVal old = tr_reg(t, insn->op[0].reg);
    if (size == 2) {
        result = ir_deposit(t->ir, old, result, 0, 16);
    }
    IrVal value = ir_select(t->ir, source, result, old);
    tr_set_reg(t, insn->op[0].reg, 8, false, value);
    tr_set_flags(t, sized(FOP_LOGIC, size), source, 0, 0);
}

void tr_count(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size, width = 8 * size;
    bool leading = insn->opcode->argument;
    IrVal result;

    if (!t->cpu->model->has[leading ? X86_FEATURE_ABM : X86_FEATURE_BMI1]) {
        tr_scan(t, insn);
        return;
    }
    IrVal source = tr_operand(t, insn, 1);
    if (leading) {
        result = ir_unary(t->ir, IR_CLZ64, source);
        result = ir_binary_imm(t->ir, IR_SUB64, result, 64 - width);
    } else {
        IrVal stop =
            size == 8 ? source : ir_binary_imm(t->ir, IR_OR64, source, UINT64_C(1) << width);
        result = ir_unary(t->ir, IR_CTZ64, stop);
    }
    tr_set_reg(t, insn->op[0].reg, size, false, result);
    IrVal carry = ir_binary_imm(t->ir, IR_EQ64, source, 0);
    tr_set_flags(t, sized(FOP_BMI, size), result, carry, 0);
}

void tr_popcnt(X86Tr *t, const X86Insn *insn)
{
    IrVal source = tr_operand(t, insn, 1);
    IrVal count = ir_unary(t->ir, IR_POPCNT64, source);

    tr_set_reg(t, insn->op[0].reg, insn->op[0].size, false, count);
    IrVal zero = ir_binary_imm(t->ir, IR_EQ64, source, 0);
    zero = ir_binary_imm(t->ir, IR_SHL64, zero, 6); /* ZF; the others become 0 */
    tr_set_flags(t, FOP_FLAGS, zero, 0, 0);
}
