/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's transcendental instructions on a host that isn't x86-64: the C library's functions on
 * long double, within the error that the manual allows where the host's long double has 64 bits of
 * precision, and to the host's own precision elsewhere.
 *
 * Threads: the vCPU's own.
 */
#include <math.h>

#include "engine/dbt/guest/x86/x87.h"

typedef struct Transcendental {
    X86Cpu *cpu;
    X87Op op;
    unsigned flags; /* of the status word */
} Transcendental;

static long double to_host(FpNumber n)
{
    long double value;

    switch (n.kind) {
    case FLOAT_ZERO:
        value = 0;
        break;
    case FLOAT_FINITE:
        value = ldexpl((long double)n.sig, n.exp - 63);
        break;
    case FLOAT_INFINITE:
        value = HUGE_VALL;
        break;
    default:
        value = nanl("");
        break;
    }
    return n.sign ? -value : value;
}

static X87Reg from_host(Transcendental *t, long double value)
{
    FpEnv env = { .masked = FLOAT_EXCEPTIONS, .x87 = true };
    bool sign = signbit(value);
    int exp;

    if (isnan(value)) {
        t->flags |= FLOAT_INVALID;
        return x87_pack(fp_default_nan());
    }
    if (isinf(value) || value == 0) {
        return x87_pack(isinf(value) ? fp_infinity(sign) : fp_zero(sign));
    }
    long double fraction = frexpl(fabsl(value), &exp);
    uint64_t sig = (uint64_t)ldexpl(fraction, 64);
    t->flags |= FLOAT_INEXACT;
    X87Reg reg = x87_pack(fp_round(&env, &fp_format80, sign, exp - 1, sig, 0));
    t->flags |= env.flags;
    return reg;
}

static long double one_operand(Transcendental *t, long double a)
{
    switch (t->op) {
    case X87_F2XM1:
        return expm1l(a * logl(2.0L));
    case X87_FPTAN:
        return tanl(a);
    case X87_FCOS:
        return cosl(a);
    default:
        return sinl(a);
    }
}

static long double two_operands(Transcendental *t, long double a, long double b)
{
    switch (t->op) {
    case X87_FYL2X:
        t->flags |= a == 0 && b != 0 ? FLOAT_DIVIDE : 0;
        return b * log2l(a);
    case X87_FYL2XP1:
        return b * (log1pl(a) / logl(2.0L));
    default:
        return atan2l(b, a);
    }
}

static void set_st(X86Cpu *cpu, unsigned i, X87Reg value)
{
    *x87_st(cpu, i) = value;
    cpu->tags |= 1 << ((cpu->top + i) & 7);
}

static void push(Transcendental *t, X87Reg value)
{
    t->cpu->top = (t->cpu->top - 1) & 7;
    set_st(t->cpu, 0, value);
}

static void stack_fault(Transcendental *t, bool overflow)
{
    t->flags |= FLOAT_INVALID | FSW_STACK | (overflow ? FSW_C1 : 0);
}

/* If an operand is a NaN or unsupported: what that raises and gives. */
static bool nan_operand(Transcendental *t, FpNumber a, FpNumber b, X87Reg *ret_result)
{
    FpEnv env = { .masked = FLOAT_EXCEPTIONS, .x87 = true };
    FpNumber nan;

    if (fp_nan_operand(&env, a, b, &nan)) {
        *ret_result = x87_pack(nan);
        t->flags |= env.flags;
        return true;
    }
    t->flags |= a.denormal || b.denormal ? FLOAT_DENORMAL : 0;
    return false;
}

/* FPATAN, FYL2X, FYL2XP1: the result replaces ST(1), ST(0) is popped. */
static void run_two(Transcendental *t)
{
    X86Cpu *cpu = t->cpu;
    X87Reg result = x87_pack(fp_default_nan());

    if (x87_is_empty(cpu, 0) || x87_is_empty(cpu, 1)) {
        stack_fault(t, false);
    } else {
        FpNumber a = x87_unpack(*x87_st(cpu, 0)), b = x87_unpack(*x87_st(cpu, 1));
        if (!nan_operand(t, a, b, &result)) {
            result = from_host(t, two_operands(t, to_host(a), to_host(b)));
        }
    }
    if (t->flags & ~cpu->fcw & FLOAT_BEFORE) {
        return;
    }
    set_st(cpu, 1, result);
    cpu->tags &= (uint8_t) ~(1 << cpu->top);
    cpu->top = (cpu->top + 1) & 7;
}

/* The others replace ST(0); FPTAN pushes 1, FSINCOS the cosine. */
static void run_one(Transcendental *t)
{
    X86Cpu *cpu = t->cpu;
    bool pushes = t->op == X87_FPTAN || t->op == X87_FSINCOS;
    FpNumber a = x87_unpack(*x87_st(cpu, 0));
    X87Reg nan = x87_pack(fp_default_nan()), result = nan, second = nan;

    if (x87_is_empty(cpu, 0)) {
        stack_fault(t, false);
    } else if (pushes && !x87_is_empty(cpu, 7)) {
        stack_fault(t, true);
    } else if (t->op != X87_F2XM1 && a.kind == FLOAT_FINITE && a.exp >= 63) {
        t->flags |= FSW_C2; /* out of range: nothing changes */
        return;
    } else if (nan_operand(t, a, a, &result)) {
        second = result;
    } else {
        long double x = to_host(a);
        result = from_host(t, one_operand(t, x));
        second = from_host(t, t->op == X87_FPTAN && !isnan(x) && !isinf(x) ? 1 : cosl(x));
    }
    if (t->flags & ~cpu->fcw & FLOAT_BEFORE) {
        return;
    }
    set_st(cpu, 0, result);
    if (pushes) {
        push(t, second);
    }
}

void x87_transcendental(X86Cpu *cpu, X87Op op)
{
    Transcendental t = { .cpu = cpu, .op = op };

    if (op == X87_FYL2X || op == X87_FYL2XP1 || op == X87_FPATAN) {
        run_two(&t);
    } else {
        run_one(&t);
    }
    cpu->fsw = (uint16_t)((cpu->fsw & ~(FSW_C1 | FSW_C2)) | t.flags);
    x87_update_summary(cpu);
}
