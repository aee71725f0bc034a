/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's operations: its register stack, arithmetic, loads and stores (Intel SDM volume 1,
 * chapter 8; volume 2).
 *
 * One helper runs them all through a table by X87Op.  As on the processor an unmasked exception
 * sets ES and is delivered as #MF by the next waiting instruction.  Without CR0.NE it would be an
 * interrupt from the chipset, which the boards don't have: then it is as if IGNNE# were asserted.
 *
 * Where all exceptions are masked, compiled code doesn't come here on an x86-64 host (x87_stack.c).
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/x87.h"

#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/check.h"

/* --- registers */

FpNumber x87_unpack(X87Reg reg)
{
    return fp_unpack80(reg.mantissa, reg.sign_exponent);
}

X87Reg x87_pack(FpNumber n)
{
    X87Reg reg = { 0 };

    reg.mantissa = fp_pack80(n, &reg.sign_exponent);
    return reg;
}

FpNumber x87_read(X87Insn *x, unsigned i)
{
    return x87_unpack(*x87_st(x->cpu, i));
}

bool x87_stopped(const X87Insn *x)
{
    return x->env.flags & ~x->env.masked & FLOAT_BEFORE;
}

bool x87_underflows(X87Insn *x, unsigned i)
{
    if (!x87_is_empty(x->cpu, i)) {
        return false;
    }
    x->env.flags |= FLOAT_INVALID;
    x->status |= FSW_STACK;
    return true;
}

bool x87_overflows(X87Insn *x)
{
    if (x87_is_empty(x->cpu, 7)) {
        return false;
    }
    x->env.flags |= FLOAT_INVALID;
    x->status |= FSW_STACK | FSW_C1;
    return true;
}

static void put(X87Insn *x, unsigned i, X87Reg value)
{
    *x87_st(x->cpu, i) = value;
    x->cpu->tags |= 1 << ((x->cpu->top + i) & 7);
}

void x87_write(X87Insn *x, unsigned i, FpNumber value)
{
    put(x, i, x87_pack(value));
    x->status |= x->env.up ? FSW_C1 : 0;
}

void x87_push(X87Insn *x, X87Reg value)
{
    x->cpu->top = (x->cpu->top - 1) & 7;
    put(x, 0, value);
}

void x87_pop(X87Insn *x)
{
    x->cpu->tags &= (uint8_t) ~(1 << x->cpu->top);
    x->cpu->top = (x->cpu->top + 1) & 7;
}

static void pop_all(X87Insn *x)
{
    for (unsigned i = 0; i < x->pops; i++) {
        x87_pop(x);
    }
}

/* --- the life of an instruction */

static bool pending(X86Cpu *cpu)
{
    if (!(cpu->fsw & FSW_ES) || !(cpu->cr0 & CR0_NE)) {
        return false;
    }
    x86_raise(cpu, EXC_MF);
    return true;
}

static X87Insn begin(X86Cpu *cpu, uint64_t what)
{
    return (X87Insn){
        .cpu = cpu,
        .env = {
            .rounding = (cpu->fcw >> FCW_ROUNDING_SHIFT) & 3,
            .masked = cpu->fcw & FLOAT_EXCEPTIONS,
            .x87 = true,
        },
        .op = what & 0x3f,
        .from = (what >> X87_FROM_SHIFT) & 7,
        .pops = (what >> X87_POP_SHIFT) & 3,
        .to_i = what & X87_TO_I,
        .quick = what & X87_QUICK,
        .i = (what >> X87_I_SHIFT) & 7,
        .replaced = FSW_C1,
    };
}

static void finish(X87Insn *x)
{
    X86Cpu *cpu = x->cpu;
    unsigned flags = x->env.flags;

    if (x87_stopped(x)) {
        flags &= FLOAT_BEFORE;
    }
    cpu->fsw = (uint16_t)((cpu->fsw & ~x->replaced) | x->status | flags);
    x87_update_summary(cpu);
}

static const FpFormat *precision(const X87Insn *x)
{
    return &fp_format_x87[(x->cpu->fcw >> FCW_PRECISION_SHIFT) & 3];
}

/* The second operand: ST(i), or the value from memory. */
static FpNumber operand(X87Insn *x)
{
    switch (x->from) {
    case X87_F32:
        return fp_unpack32(&x->env, (uint32_t)x->value);
    case X87_F64:
        return fp_unpack64(&x->env, x->value);
    case X87_I16:
        return fp_from_int(&x->env, &fp_format80, (int16_t)x->value);
    case X87_I32:
        return fp_from_int(&x->env, &fp_format80, (int32_t)x->value);
    case X87_I64:
        return fp_from_int(&x->env, &fp_format80, (int64_t)x->value);
    default:
        return x87_read(x, x->i);
    }
}

/* ST(0) or a register operand is empty. */
static bool operands_underflow(X87Insn *x)
{
    bool first = x87_underflows(x, 0);
    bool second = x->from == X87_ST_I && x87_underflows(x, x->i);

    return first || second;
}

/* Give an operation's result, unless it was stopped. */
static void give(X87Insn *x, FpNumber result)
{
    if (!x87_stopped(x)) {
        x87_write(x, x->to_i ? x->i : 0, result);
        pop_all(x);
    }
}

/* --- operations */

static FpNumber compute(X87Insn *x, FpNumber to, FpNumber from)
{
    switch (x->op) {
    case X87_ADD:
        return fp_add(&x->env, precision(x), to, from);
    case X87_MUL:
        return fp_mul(&x->env, precision(x), to, from);
    case X87_SUB:
        return fp_sub(&x->env, precision(x), to, from);
    case X87_SUBR:
        return fp_sub(&x->env, precision(x), from, to);
    case X87_DIV:
        return fp_div(&x->env, precision(x), to, from);
    default:
        return fp_div(&x->env, precision(x), from, to);
    }
}

static void arithmetic(X87Insn *x)
{
    if (operands_underflow(x)) {
        give(x, fp_default_nan());
        return;
    }
    FpNumber a = x87_read(x, 0);
    FpNumber b = operand(x);
    give(x, x->to_i ? compute(x, b, a) : compute(x, a, b));
}

static void square_root(X87Insn *x)
{
    if (x87_underflows(x, 0)) {
        give(x, fp_default_nan());
        return;
    }
    give(x, fp_sqrt(&x->env, precision(x), x87_read(x, 0)));
}

static void round_to_int(X87Insn *x)
{
    if (x87_underflows(x, 0)) {
        give(x, fp_default_nan());
        return;
    }
    FpNumber a = x87_read(x, 0);
    FpNumber result = fp_round_to_int(&x->env, a);
    x->env.flags |= a.denormal ? FLOAT_DENORMAL : 0;
    give(x, result);
}

/* C3, C2, C0 by order; EFLAGS' ZF, PF, CF stand for the same. */
static void give_order(X87Insn *x, FpOrder order)
{
    static const struct {
        uint16_t status;
        uint8_t eflags;
    } codes[] = {
        [FLOAT_LESS] = { FSW_C0, FLAG_CF },
        [FLOAT_EQUAL] = { FSW_C3, FLAG_ZF },
        [FLOAT_GREATER] = { 0, 0 },
        [FLOAT_UNORDERED] = { FSW_C3 | FSW_C2 | FSW_C0, FLAG_ZF | FLAG_PF | FLAG_CF },
    };

    if (x->op == X87_COMI || x->op == X87_UCOMI) {
        x->result = codes[order].eflags;
        x->replaced = x->status & FSW_STACK ? FSW_C1 : 0;
    } else {
        x->replaced |= FSW_CONDITIONS;
        x->status |= codes[order].status;
    }
}

/* The order is given even if invalid is unmasked. */
static void compare(X87Insn *x)
{
    bool quiet = x->op == X87_UCOM || x->op == X87_UCOMI;
    bool empty = x->op == X87_TST ? x87_underflows(x, 0) : operands_underflow(x);
    FpOrder order = FLOAT_UNORDERED;

    if (!empty) {
        FpNumber b = x->op == X87_TST ? fp_zero(false) : operand(x);
        order = fp_compare(&x->env, x87_read(x, 0), b, quiet);
    }
    give_order(x, order);
    if (!x87_stopped(x)) {
        pop_all(x);
    }
}

static void load(X87Insn *x)
{
    X87Reg value = x87_pack(fp_default_nan());

    bool missing = x->from == X87_ST_I && x87_underflows(x, x->i);
    if (!missing && !x87_overflows(x)) {
        value = x->from == X87_ST_I ? *x87_st(x->cpu, x->i)
                                    : x87_pack(fp_convert(&x->env, &fp_format80, operand(x)));
    }
    if (!(x->env.flags & ~x->env.masked & FLOAT_INVALID)) { /* a denormal doesn't stop it */
        x87_push(x, value);
    }
}

static void store_to_register(X87Insn *x)
{
    X87Reg value = x87_pack(fp_default_nan());

    if (x->op == X87_STU && x87_is_empty(x->cpu, 0)) { /* only pops */
        pop_all(x);
        return;
    }
    if (!x87_underflows(x, 0)) {
        value = *x87_st(x->cpu, 0);
    }
    if (!x87_stopped(x)) {
        put(x, x->i, value);
        pop_all(x);
    }
}

static void exchange(X87Insn *x)
{
    operands_underflow(x);
    if (x87_stopped(x)) {
        return;
    }
    X87Reg nan = x87_pack(fp_default_nan());
    X87Reg a = x87_is_empty(x->cpu, 0) ? nan : *x87_st(x->cpu, 0);
    X87Reg b = x87_is_empty(x->cpu, x->i) ? nan : *x87_st(x->cpu, x->i);
    put(x, 0, b);
    put(x, x->i, a);
}

static void move_if(X87Insn *x)
{
    if (operands_underflow(x)) {
        give(x, fp_default_nan());
        return;
    }
    x->replaced = 0;
    if (x->value) {
        put(x, 0, *x87_st(x->cpu, x->i));
    }
}

static void change_sign(X87Insn *x)
{
    if (x87_underflows(x, 0)) {
        give(x, fp_default_nan());
        return;
    }
    X87Reg *st = x87_st(x->cpu, 0);
    st->sign_exponent = x->op == X87_ABS ? st->sign_exponent & 0x7fff : st->sign_exponent ^ 0x8000;
}

static void free_register(X87Insn *x)
{
    x->cpu->tags &= (uint8_t) ~(1 << ((x->cpu->top + x->i) & 7));
    pop_all(x);
}

static void nothing(X87Insn *x)
{
    x->replaced = 0;
}

static void turn(X87Insn *x)
{
    x->cpu->top = (x->cpu->top + (x->op == X87_INCSTP ? 1 : 7)) & 7;
}

static void transcendental(X87Insn *x)
{
    x->replaced = 0;
    x87_transcendental(x->cpu, x->op);
}

static void clear_exceptions(X87Insn *x)
{
    x->replaced = FLOAT_EXCEPTIONS | FSW_STACK | FSW_ES | FSW_BUSY;
}

static void initialise(X87Insn *x)
{
    x->replaced = 0;
    x87_init(x->cpu);
}

/* Code that runs on behind this one must not have been made for masked exceptions: if they are no
 * longer, the instruction is run anew, in a block of its own. */
static void load_control(X87Insn *x)
{
    X86Cpu *cpu = x->cpu;

    x->replaced = 0;
    if (x->quick && !x87_is_masked((unsigned)x->value)) {
        cpu->x87_exact = true;
        cpu->base.fault = FAULT_SINGLE;
        return;
    }
    cpu->x87_exact = false;
    x87_set_control(cpu, (uint16_t)x->value);
}

static void store_status(X87Insn *x)
{
    x->replaced = 0;
    x->result = x87_status(x->cpu);
}

static const X87Fn operations[X87_OPS] = {
    [X87_ADD] = arithmetic,
    [X87_MUL] = arithmetic,
    [X87_SUB] = arithmetic,
    [X87_SUBR] = arithmetic,
    [X87_DIV] = arithmetic,
    [X87_DIVR] = arithmetic,
    [X87_COM] = compare,
    [X87_UCOM] = compare,
    [X87_COMI] = compare,
    [X87_UCOMI] = compare,
    [X87_LD] = load,
    [X87_ST] = store_to_register,
    [X87_STT] = nothing, /* to memory only */
    [X87_STU] = store_to_register,
    [X87_XCH] = exchange,
    [X87_CMOV] = move_if,
    [X87_FREE] = free_register,
    [X87_NOP] = nothing,
    [X87_CHS] = change_sign,
    [X87_ABS] = change_sign,
    [X87_TST] = compare,
    [X87_XAM] = x87_examine,
    [X87_CONSTANT] = x87_constant,
    [X87_SQRT] = square_root,
    [X87_RNDINT] = round_to_int,
    [X87_SCALE] = x87_scale,
    [X87_XTRACT] = x87_extract,
    [X87_PREM] = x87_remainder,
    [X87_PREM1] = x87_remainder,
    [X87_INCSTP] = turn,
    [X87_DECSTP] = turn,
    [X87_F2XM1] = transcendental,
    [X87_FYL2X] = transcendental,
    [X87_FPTAN] = transcendental,
    [X87_FPATAN] = transcendental,
    [X87_FYL2XP1] = transcendental,
    [X87_FSINCOS] = transcendental,
    [X87_FSIN] = transcendental,
    [X87_FCOS] = transcendental,
    [X87_CLEX] = clear_exceptions,
    [X87_INIT] = initialise,
    [X87_LDCW] = load_control,
    [X87_STSW] = store_status,
};

uint64_t x86_helper_x87_pending(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    pending(x86_cpu(base));
    return 0;
}

uint64_t x86_helper_x87(DbtCpu *base, uint64_t what, uint64_t value, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    X87Insn x = begin(cpu, what);

    if (x.op != X87_CLEX && x.op != X87_INIT && pending(cpu)) {
        return 0;
    }
    x.value = value;
    operations[x.op](&x);
    finish(&x);
    return x.result;
}

/* --- memory operands */

static const uint8_t sizes[] = {
    [X87_F32] = 4, [X87_F64] = 8, [X87_F80] = 10, [X87_I16] = 2,
    [X87_I32] = 4, [X87_I64] = 8, [X87_BCD] = 10,
};

/* FLD m80, FBLD. */
static void load_bytes(X87Insn *x, uint64_t gva, unsigned mmu)
{
    uint8_t bytes[10];

    if (!access_load_bytes(&x->cpu->base, gva, bytes, sizeof(bytes), mmu)) {
        return;
    }
    X87Reg value = { .mantissa = load_le64(bytes), .sign_exponent = load_le16(bytes + 8) };
    if (x->from == X87_BCD) {
        value = x87_pack(x87_from_bcd(bytes));
    }
    if (x87_overflows(x)) {
        value = x87_pack(fp_default_nan());
    }
    if (!x87_stopped(x)) {
        x87_push(x, value);
    }
    finish(x);
}

/* The operand of an operation. */
static void load_operand(X87Insn *x, uint64_t gva, unsigned mmu)
{
    if (access_load(&x->cpu->base, gva, sizes[x->from], mmu, &x->value)) {
        operations[x->op](x);
        finish(x);
    }
}

static unsigned integer_width(X87From from)
{
    return from == X87_I16 ? 16 : from == X87_I32 ? 32 : 64;
}

/* ST(0) in the destination's format. */
static void convert_to_bytes(X87Insn *x, uint8_t bytes[10])
{
    bool empty = x87_underflows(x, 0);
    FpNumber n = empty ? fp_default_nan() : x87_read(x, 0);
    FpRounding rounding = x->op == X87_STT ? FLOAT_TO_ZERO : x->env.rounding;
    X87Reg raw = empty ? x87_pack(n) : *x87_st(x->cpu, 0);

    switch (x->from) {
    case X87_F32:
        store_le32(bytes, fp_pack32(fp_convert(&x->env, &fp_format32, n)));
        break;
    case X87_F64:
        store_le64(bytes, fp_pack64(fp_convert(&x->env, &fp_format64, n)));
        break;
    case X87_F80:
        store_le64(bytes, raw.mantissa);
        store_le16(bytes + 8, raw.sign_exponent);
        break;
    case X87_BCD:
        x87_to_bcd(&x->env, n, bytes);
        break;
    default:
        store_le64(bytes, (uint64_t)fp_to_int(&x->env, n, integer_width(x->from), rounding));
        break;
    }
}

/* FST, FIST and their kin.  A denormal operand is no exception here, but an unmasked overflow or
 * underflow keeps memory and stack as they are; the address must be good even so. */
static void store_bytes(X87Insn *x, uint64_t gva, unsigned mmu)
{
    const unsigned stopping = FLOAT_INVALID | FLOAT_OVERFLOW | FLOAT_UNDERFLOW;
    unsigned size = sizes[x->from];
    uint8_t bytes[10] = { 0 };

    convert_to_bytes(x, bytes);
    x->env.flags &= (uint8_t)~FLOAT_DENORMAL;
    if (x->env.flags & ~x->env.masked & stopping) {
        if (access_probe_write(&x->cpu->base, gva, size, mmu)) {
            x->env.flags &= (uint8_t)~FLOAT_INEXACT;
            finish(x);
        }
        return;
    }
    x->status |= x->env.up ? FSW_C1 : 0;
    bool stored = size > 8 ? access_store_bytes(&x->cpu->base, gva, bytes, size, mmu)
                           : access_store(&x->cpu->base, gva, load_le64(bytes), size, mmu);
    if (stored) {
        pop_all(x);
        finish(x);
    }
}

uint64_t x86_helper_x87_memory(DbtCpu *base, uint64_t what, uint64_t gva, uint64_t mmu)
{
    X86Cpu *cpu = x86_cpu(base);
    X87Insn x = begin(cpu, what);

    if (pending(cpu)) {
        return 0;
    }
    if (x.op == X87_ST || x.op == X87_STT) {
        store_bytes(&x, gva, (unsigned)mmu);
    } else if (x.from == X87_F80 || x.from == X87_BCD) {
        load_bytes(&x, gva, (unsigned)mmu);
    } else {
        load_operand(&x, gva, (unsigned)mmu);
    }
    return 0;
}
