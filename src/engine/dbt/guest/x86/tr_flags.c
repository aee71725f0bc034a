/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flags while a block is translated.
 *
 * The last operation that set flags is kept as a record of values and not computed: a condition
 * right behind it becomes one comparison, and a record that the next operation replaces costs
 * nothing.  Three kinds of instruction change only some flags and are kept lazily, too:
 *  - INC and DEC: a record of their own, whose old carry is computed when somebody needs it;
 *  - BT, rotates, CLC and their like: CF and perhaps OF on top of whatever is below;
 *  - shifts by CL: all or, for count 0, nothing; a helper decides when somebody needs them.
 * tr_sync_flags() brings CPU state up to date.
 *
 * In CPU state the word .op of the record is a FOP_ number, its size, and FLAGOP_ bits for CF and
 * OF on top (flags.h).
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/flags.h"
#include "engine/dbt/guest/x86/translate.h"

static unsigned record_size(const TrRecord *record)
{
    return 1U << (record->op & 3);
}

static unsigned record_kind(const TrRecord *record)
{
    return record->op & ~3U;
}

/* --- conditions from a record ----------------------------------------------------------------- */

/* A comparison of two operands of @size bytes; @op is the 32-bit form. */
static IrVal compare(X86Tr *t, IrOp op, unsigned size, IrVal a, IrVal b)
{
    if (size == 8) {
        return ir_binary(t->ir, (IrOp)(op + 1), a, b);
    }
    if (size == 4) {
        return ir_binary(t->ir, op, a, b);
    }
    bool is_signed = op == IR_LTS32 || op == IR_LES32;
    IrVal x = is_signed ? tr_sign_extend(t, a, size) : tr_zero_extend(t, a, size);
    IrVal y = is_signed ? tr_sign_extend(t, b, size) : tr_zero_extend(t, b, size);
    return ir_binary(t->ir, (IrOp)(op + 1), x, y);
}

static IrVal compare_zero(X86Tr *t, IrOp op, unsigned size, IrVal a)
{
    IrVal zero = ir_const(t->ir, 0);

    return compare(t, op, size, a, zero);
}

static IrVal negate(X86Tr *t, IrVal bit)
{
    return ir_binary_imm(t->ir, IR_XOR32, bit, 1);
}

/* @value's bit @bit as 0 or 1. */
static IrVal bit_of(X86Tr *t, IrVal value, unsigned bit)
{
    return bit == 0 ? ir_binary_imm(t->ir, IR_AND32, value, 1) : ir_extract(t->ir, value, bit, 1);
}

/* The result of the record's operation, with anything above its size. */
static IrVal result_of(X86Tr *t)
{
    const TrRecord *record = &t->flags.now;

    if (t->flags.result) {
        return t->flags.result;
    }
    switch (record_kind(record)) {
    case FOP_ADD:
    case FOP_ADC:
        t->flags.result = ir_binary(t->ir, IR_ADD64, record->a, record->b);
        break;
    case FOP_SUB:
    case FOP_SBB:
        t->flags.result = ir_binary(t->ir, IR_SUB64, record->a, record->b);
        break;
    case FOP_SHL:
    case FOP_SHR:
    case FOP_SAR:
        return record->c;
    default:
        return record->a;
    }
    if (record_kind(record) == FOP_ADC) {
        t->flags.result = ir_binary(t->ir, IR_ADD64, t->flags.result, record->c);
    } else if (record_kind(record) == FOP_SBB) {
        t->flags.result = ir_binary(t->ir, IR_SUB64, t->flags.result, record->c);
    }
    return t->flags.result;
}

/* CF of a sum with carry in. */
static IrVal carry_of_adc(X86Tr *t, const TrRecord *record)
{
    unsigned size = record_size(record);
    IrVal sum = ir_binary(t->ir, IR_ADD64, record->a, record->b);
    sum = ir_binary(t->ir, IR_ADD64, sum, record->c);
    IrVal with = compare(t, IR_LEU32, size, sum, record->a);
    IrVal without = compare(t, IR_LTU32, size, sum, record->a);

    return ir_select(t->ir, record->c, with, without);
}

static IrVal carry_of_sbb(X86Tr *t, const TrRecord *record)
{
    unsigned size = record_size(record);
    IrVal with = compare(t, IR_LEU32, size, record->a, record->b);
    IrVal without = compare(t, IR_LTU32, size, record->a, record->b);

    return ir_select(t->ir, record->c, with, without);
}

/* The last bit that a shift by a constant pushed out; 0 if the count is no constant. */
static IrVal carry_of_shift(X86Tr *t, const TrRecord *record)
{
    unsigned width = 8 * record_size(record);
    uint64_t count;

    if (!ir_is_const(t->ir, record->b, &count)) {
        return 0;
    }
    if (record_kind(record) == FOP_SHL) {
        return count > width ? ir_const(t->ir, 0) : bit_of(t, record->a, width - (unsigned)count);
    }
    if (count > width) {
        return record_kind(record) == FOP_SHR ? ir_const(t->ir, 0)
                                              : bit_of(t, record->a, width - 1);
    }
    return bit_of(t, record->a, (unsigned)count - 1);
}

/* CF of a record (its .b valid), or 0 if that isn't simple. */
static IrVal carry_of(X86Tr *t, const TrRecord *record)
{
    IrVal sum;

    switch (record_kind(record)) {
    case FOP_FLAGS:
        return ir_binary_imm(t->ir, IR_AND32, record->a, 1);
    case FOP_ADD:
        sum = ir_binary(t->ir, IR_ADD64, record->a, record->b);
        return compare(t, IR_LTU32, record_size(record), sum, record->a);
    case FOP_ADC:
        return carry_of_adc(t, record);
    case FOP_SUB:
        return compare(t, IR_LTU32, record_size(record), record->a, record->b);
    case FOP_SBB:
        return carry_of_sbb(t, record);
    case FOP_LOGIC:
        return ir_const(t->ir, 0);
    case FOP_INC:
    case FOP_DEC:
    case FOP_BMI:
        return record->b;
    case FOP_MUL:
        return ir_binary_imm(t->ir, IR_NE64, record->b, 0);
    default:
        return carry_of_shift(t, record);
    }
}

/* Compute INC's and DEC's old carry now. */
static void settle_carry(X86Tr *t)
{
    TrFlags *f = &t->flags;
    IrVal carry = 0;

    if (!f->lazy_carry) {
        return;
    }
    if (f->before_known) {
        carry = carry_of(t, &f->before);
    }
    if (!carry) {
        carry = ir_call(t->ir, X86_CALL_carry, 0, 0, 0);
    }
    f->now.b = carry;
    f->lazy_carry = false;
}

/* SF != OF of a record, or that or ZF (@or_equal); 0 if not simple. */
static IrVal less_of(X86Tr *t, bool or_equal)
{
    const TrRecord *record = &t->flags.now;
    unsigned size = record_size(record);
    IrOp op = or_equal ? IR_LES32 : IR_LTS32;
    IrVal before, one;

    switch (record_kind(record)) {
    case FOP_SUB:
        return compare(t, op, size, record->a, record->b);
    case FOP_LOGIC:
        return compare_zero(t, op, size, record->a);
    case FOP_DEC: /* the value before, against 1 */
        before = ir_binary_imm(t->ir, IR_ADD64, record->a, 1);
        one = ir_const(t->ir, 1);
        return compare(t, op, size, before, one);
    default:
        return 0;
    }
}

/* ZF, SF: from the result. */
static IrVal by_result(X86Tr *t, IrOp op)
{
    unsigned kind = record_kind(&t->flags.now);

    if (kind == FOP_FLAGS) {
        return bit_of(t, t->flags.now.a, op == IR_EQ32 ? 6 : 7);
    }
    if (kind == FOP_SUB && op == IR_EQ32) {
        return compare(t, IR_EQ32, record_size(&t->flags.now), t->flags.now.a, t->flags.now.b);
    }
    IrVal result = result_of(t);
    return compare_zero(t, op, record_size(&t->flags.now), result);
}

static IrVal parity_of(X86Tr *t)
{
    if (record_kind(&t->flags.now) == FOP_FLAGS) {
        return bit_of(t, t->flags.now.a, 2);
    }
    IrVal result = result_of(t);
    IrVal low = ir_binary_imm(t->ir, IR_AND32, result, 0xff);
    IrVal ones = ir_unary(t->ir, IR_POPCNT64, low);
    IrVal odd = ir_binary_imm(t->ir, IR_AND32, ones, 1);

    return negate(t, odd);
}

/* CF or ZF. */
static IrVal below_or_equal(X86Tr *t)
{
    const TrRecord *record = &t->flags.now;

    if (record_kind(record) == FOP_SUB && !t->flags.carry) {
        return compare(t, IR_LEU32, record_size(record), record->a, record->b);
    }
    IrVal carry = tr_carry(t);
    IrVal zero = by_result(t, IR_EQ32);
    return ir_binary(t->ir, IR_OR32, carry, zero);
}

/* Two operands whose signs tell, with the result's, that a sum or difference went too far. */
static IrVal overflow_of_sum(X86Tr *t, bool subtract)
{
    const TrRecord *record = &t->flags.now;
    IrVal result = result_of(t);
    IrVal first = ir_binary(t->ir, IR_XOR64, record->a, result);
    IrVal second = ir_binary(t->ir, IR_XOR64, record->b, subtract ? record->a : result);
    IrVal both = ir_binary(t->ir, IR_AND64, first, second);

    return ir_extract(t->ir, both, 8 * record_size(record) - 1, 1);
}

static IrVal overflow_of(X86Tr *t)
{
    const TrRecord *record = &t->flags.now;

    switch (record_kind(record)) {
    case FOP_FLAGS:
        return bit_of(t, record->a, 11);
    case FOP_ADD:
    case FOP_SUB:
        return overflow_of_sum(t, record_kind(record) == FOP_SUB);
    case FOP_LOGIC:
    case FOP_BMI:
        return ir_const(t->ir, 0);
    case FOP_MUL:
        return ir_binary_imm(t->ir, IR_NE64, record->b, 0);
    default:
        return 0;
    }
}

/* The even condition @cc from what is known, or 0 if a helper must look. */
static IrVal known_condition(X86Tr *t, unsigned cc)
{
    const TrFlags *f = &t->flags;

    if (cc == 0 && f->overflow) {
        return f->overflow;
    }
    if (f->kind != FLAGS_RECORD) {
        return 0;
    }
    switch (cc) {
    case 0:
        return overflow_of(t);
    case 4:
        return by_result(t, IR_EQ32);
    case 6:
        return below_or_equal(t);
    case 8:
        return by_result(t, IR_LTS32);
    case 10:
        return parity_of(t);
    default:
        return f->overflow ? 0 : less_of(t, cc == 14);
    }
}

IrVal tr_condition(X86Tr *t, unsigned cc)
{
    if ((cc & 14) == 2) {
        IrVal carry = tr_carry(t);
        return cc & 1 ? negate(t, carry) : carry;
    }
    IrVal known = known_condition(t, cc & 14);
    if (known) {
        return cc & 1 ? negate(t, known) : known;
    }
    tr_sync_flags(t);
    IrVal number = ir_const(t->ir, cc);
    return ir_call(t->ir, X86_CALL_condition, number, 0, 0);
}

IrVal tr_carry(X86Tr *t)
{
    TrFlags *f = &t->flags;

    if (f->carry) {
        return f->carry;
    }
    if (f->kind == FLAGS_RECORD) {
        settle_carry(t);
        IrVal carry = carry_of(t, &f->now);
        if (carry) {
            return carry;
        }
    }
    tr_sync_flags(t);
    return ir_call(t->ir, X86_CALL_carry, 0, 0, 0);
}

IrVal tr_flags(X86Tr *t)
{
    tr_sync_flags(t);
    return ir_call(t->ir, X86_CALL_flags, 0, 0, 0);
}

/* --- setting ---------------------------------------------------------------------------------- */

void tr_set_flags(X86Tr *t, unsigned flag_op, IrVal a, IrVal b, IrVal c)
{
    t->flags = (TrFlags){ .kind = FLAGS_RECORD,
                          .dirty = true,
                          .now = { .op = (uint16_t)flag_op, .a = a, .b = b, .c = c } };
}

void tr_set_inc_flags(X86Tr *t, unsigned flag_op, IrVal result)
{
    TrFlags *f = &t->flags;

    if (f->kind == FLAGS_SHIFT || (f->over_dirty && !f->carry)) {
        tr_sync_flags(t);
    }
    TrFlags old = *f;
    tr_set_flags(t, flag_op, result, 0, 0);
    if (old.carry) {
        f->now.b = old.carry;
    } else if (old.lazy_carry) {
        f->lazy_carry = true;
        f->before_known = old.before_known;
        f->before = old.before;
    } else {
        f->lazy_carry = true;
        f->before_known = old.kind == FLAGS_RECORD;
        f->before = old.now;
    }
}

/* Whether two values are the same, or made in the same way of the same register. */
static bool same_value(const X86Tr *t, IrVal a, IrVal b)
{
    const IrNode *x = &t->ir->nodes[a], *y = &t->ir->nodes[b];

    return a == b || (x->op == IR_AND32I && y->op == IR_AND32I && x->a == y->a && x->imm == y->imm);
}

void tr_set_shift_flags(X86Tr *t, unsigned flag_op, IrVal operand, IrVal count, IrVal result)
{
    const TrFlags *f = &t->flags;

    /* a shift by the same count before this one: either both set flags, or none does */
    if (f->kind != FLAGS_SHIFT || !f->dirty || !same_value(t, f->now.b, count)) {
        tr_sync_flags(t);
    }
    tr_set_flags(t, flag_op, operand, count, result);
    t->flags.kind = FLAGS_SHIFT;
}

void tr_set_carry(X86Tr *t, IrVal carry, IrVal overflow)
{
    TrFlags *f = &t->flags;

    if (f->kind == FLAGS_SHIFT) {
        tr_sync_flags(t);
    }
    if (carry && f->lazy_carry) {
        f->now.b = carry;
        f->lazy_carry = false;
        carry = 0;
    }
    if (carry) {
        f->carry = carry;
        f->over_dirty = true;
    }
    if (overflow) {
        f->overflow = overflow;
        f->over_dirty = true;
    }
}

/* --- into CPU state --------------------------------------------------------------------------- */

/* Only what flags_of_number() looks at. */
static void put_record(X86Tr *t, const TrRecord *record)
{
    unsigned kind = record->op & FLAGOP_NUMBER & ~3U;
    bool has_b = kind != FOP_FLAGS && kind != FOP_LOGIC;
    bool has_c = kind == FOP_ADC || kind == FOP_SBB || (kind >= FOP_SHL && kind <= FOP_SAR);

    ir_put_flags(t->ir, record->op, record->a, has_b ? record->b : 0, has_c ? record->c : 0);
}

static void sync_record(X86Tr *t)
{
    TrFlags *f = &t->flags;

    if (f->kind == FLAGS_SHIFT) {
        IrVal op = ir_const(t->ir, (uint64_t)f->now.op << 8);
        IrVal count = ir_binary(t->ir, IR_OR64, f->now.b, op);
        ir_call(t->ir, X86_CALL_shift_flags, f->now.a, count, f->now.c);
        f->kind = FLAGS_STATE;
    } else {
        settle_carry(t);
        put_record(t, &f->now);
    }
    f->dirty = false;
}

/* One overlaid flag: its value at its bit of the record's .op word. */
static IrVal overlay(X86Tr *t, IrVal word, IrVal flag, unsigned bit)
{
    IrVal shifted = ir_binary_imm(t->ir, IR_SHL64, flag, bit);

    return ir_binary(t->ir, IR_OR64, word, shifted);
}

static void sync_overlay(X86Tr *t)
{
    TrFlags *f = &t->flags;
    uint64_t valid = (f->carry ? FLAGOP_CF_VALID : 0) | (f->overflow ? FLAGOP_OF_VALID : 0);
    uint64_t replaced = valid | (f->carry ? FLAGOP_CF : 0) | (f->overflow ? FLAGOP_OF : 0);
    IrVal word;

    if (f->kind == FLAGS_RECORD) {
        word = ir_const(t->ir, f->now.op | valid);
    } else {
        word = ir_get(t->ir, X86_OFFSET(base.flags.op), 8);
        word = ir_binary_imm(t->ir, IR_AND64, word, ~replaced);
        word = ir_binary_imm(t->ir, IR_OR64, word, valid);
    }
    if (f->carry) {
        word = overlay(t, word, f->carry, FLAGOP_CF_BIT);
    }
    if (f->overflow) {
        word = overlay(t, word, f->overflow, FLAGOP_OF_BIT);
    }
    ir_put(t->ir, X86_OFFSET(base.flags.op), 8, word);
    f->over_dirty = false;
}

void tr_sync_flags(X86Tr *t)
{
    if (t->flags.dirty) {
        sync_record(t);
    }
    if (t->flags.over_dirty) {
        sync_overlay(t);
    }
}

void tr_forget_flags(X86Tr *t)
{
    t->flags = (TrFlags){ .kind = FLAGS_STATE };
}
