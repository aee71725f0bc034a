/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's less common operations: FSCALE, FXTRACT, FPREM, FPREM1, FXAM, constants and packed BCD
 * (SDM volume 2).
 *
 * Threads: the vCPU's own.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/x87.h"

static void give(X87Insn *x, FpNumber result)
{
    if (!x87_stopped(x)) {
        x87_write(x, 0, result);
    }
}

static void note_denormals(X87Insn *x, FpNumber a, FpNumber b)
{
    x->env.flags |= a.denormal || b.denormal ? FLOAT_DENORMAL : 0;
}

/* ST(0) and ST(1) are there. */
static bool two_operands(X87Insn *x)
{
    bool first = x87_underflows(x, 0);
    bool second = x87_underflows(x, 1);

    return !first && !second;
}

/* --- FSCALE: ST(0) * 2^truncated ST(1) */

static FpNumber scaled_by_infinity(X87Insn *x, FpNumber a, bool negative)
{
    if (a.kind == (negative ? FLOAT_INFINITE : FLOAT_ZERO)) {
        return fp_invalid(&x->env);
    }
    return negative ? fp_zero(a.sign) : fp_infinity(a.sign);
}

static FpNumber scaled(X87Insn *x, FpNumber a, FpNumber by)
{
    FpNumber result;

    if (fp_nan_operand(&x->env, a, by, &result)) {
        return result;
    }
    if (by.kind == FLOAT_INFINITE) {
        result = scaled_by_infinity(x, a, by.sign);
        if (!(x->env.flags & FLOAT_INVALID)) {
            note_denormals(x, a, by);
        }
        return result;
    }
    note_denormals(x, a, by);
    if (a.kind != FLOAT_FINITE) {
        return a;
    }
    int32_t n = 0;
    if (by.kind == FLOAT_FINITE && by.exp >= 0) {
        n = by.exp > 16 ? 1 << 17 : (int32_t)(by.sig >> (63 - by.exp));
    }
    return fp_round(&x->env, &fp_format80, a.sign, a.exp + (by.sign ? -n : n), a.sig, 0);
}

void x87_scale(X87Insn *x)
{
    FpNumber result = fp_default_nan();

    if (two_operands(x)) {
        result = scaled(x, x87_read(x, 0), x87_read(x, 1));
    }
    give(x, result);
}

/* --- FXTRACT: ST(0) becomes its exponent, its significand is pushed */

void x87_extract(X87Insn *x)
{
    FpNumber exponent = fp_default_nan(), significand = exponent, a;

    if (!x87_underflows(x, 0) && !x87_overflows(x)) {
        a = x87_read(x, 0);
        significand = a;
        if (fp_nan_operand(&x->env, a, a, &significand)) {
            exponent = significand;
        } else if (a.kind == FLOAT_ZERO) {
            x->env.flags |= FLOAT_DIVIDE;
            exponent = fp_infinity(true);
        } else if (a.kind == FLOAT_INFINITE) {
            exponent = fp_infinity(false);
        } else {
            note_denormals(x, a, a);
            exponent = fp_from_int(&x->env, &fp_format80, a.exp);
            significand.exp = 0;
        }
    }
    if (!x87_stopped(x)) {
        x87_write(x, 0, exponent);
        x87_push(x, x87_pack(significand));
    }
}

/* --- FPREM, FPREM1 */

typedef struct Division {
    uint64_t rest, quotient; /* the quotient's low bits */
} Division;

/* Long division of @a * 2^@n by @b. */
static Division divide(uint64_t a, uint64_t b, unsigned n)
{
    unsigned __int128 rest = a;
    uint64_t quotient = 0;

    for (unsigned i = 0;; i++) {
        quotient <<= 1;
        if (rest >= b) {
            rest -= b;
            quotient |= 1;
        }
        if (i == n) {
            return (Division){ (uint64_t)rest, quotient };
        }
        rest <<= 1;
    }
}

static FpNumber rest_number(X87Insn *x, bool sign, int32_t exp, uint64_t rest)
{
    if (!rest) {
        return fp_zero(sign);
    }
    unsigned shift = (unsigned)__builtin_clzll(rest);
    return fp_round(&x->env, &fp_format80, sign, exp - (int32_t)shift, rest << shift, 0);
}

static void give_quotient(X87Insn *x, uint64_t quotient)
{
    x->status |=
        (quotient & 1 ? FSW_C1 : 0) | (quotient & 2 ? FSW_C3 : 0) | (quotient & 4 ? FSW_C0 : 0);
}

/* FPREM1 rounds the quotient to nearest: perhaps one more, the remainder then has the other sign.
 * @d.rest is below @b, in the same unit. */
static FpNumber nearest_rest(X87Insn *x, FpNumber a, FpNumber b, Division d)
{
    uint64_t other = b.sig - d.rest;
    bool more = d.rest > other || (d.rest == other && (d.quotient & 1));

    give_quotient(x, d.quotient + more);
    return rest_number(x, a.sign != more, b.exp, more ? other : d.rest);
}

/* |@a| is less than |@b|: the quotient is 0, or for FPREM1 perhaps 1. */
static FpNumber small_dividend(X87Insn *x, FpNumber a, FpNumber b)
{
    unsigned __int128 twice_a = (unsigned __int128)a.sig << 1;

    if (x->op == X87_PREM1 && a.exp == b.exp - 1 && a.sig > b.sig) {
        /* more than half of b: b - a, in a's unit */
        uint64_t rest = (uint64_t)(((unsigned __int128)b.sig << 1) - a.sig);
        give_quotient(x, 1);
        return rest_number(x, !a.sign, a.exp, rest);
    }
    if (x->op == X87_PREM1 && a.exp == b.exp && twice_a > b.sig) {
        give_quotient(x, 1);
        return rest_number(x, !a.sign, a.exp, b.sig - a.sig);
    }
    return rest_number(x, a.sign, a.exp, a.sig);
}

static FpNumber remainder_of(X87Insn *x, FpNumber a, FpNumber b)
{
    FpNumber result;

    if (fp_nan_operand(&x->env, a, b, &result)) {
        return result;
    }
    if (a.kind == FLOAT_INFINITE || b.kind == FLOAT_ZERO) {
        return fp_invalid(&x->env);
    }
    x->replaced = FSW_CONDITIONS;
    note_denormals(x, a, b);
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_INFINITE) {
        return a.kind == FLOAT_ZERO ? a : rest_number(x, a.sign, a.exp, a.sig);
    }
    int32_t distance = a.exp - b.exp;
    if (distance < 0 || (distance == 0 && a.sig < b.sig)) {
        return small_dividend(x, a, b);
    }
    if (distance < 64) {
        Division d = divide(a.sig, b.sig, (unsigned)distance);
        if (x->op == X87_PREM1) {
            return nearest_rest(x, a, b, d);
        }
        give_quotient(x, d.quotient);
        return rest_number(x, a.sign, b.exp, d.rest);
    }
    unsigned n = ((unsigned)distance & 31) | 32; /* this much at once */
    Division d = divide(a.sig, b.sig, n);
    x->status |= FSW_C2; /* not done yet */
    return rest_number(x, a.sign, b.exp + distance - (int32_t)n, d.rest);
}

void x87_remainder(X87Insn *x)
{
    FpNumber result = fp_default_nan();

    x->replaced = FSW_C1 | FSW_C2;
    if (two_operands(x)) {
        result = remainder_of(x, x87_read(x, 0), x87_read(x, 1));
    }
    if (x87_stopped(x)) {
        x->replaced = FSW_C1 | FSW_C2;
        x->status &= FSW_STACK;
    }
    x->env.up = false;
    give(x, result);
}

/* --- FXAM */

void x87_examine(X87Insn *x)
{
    static const uint16_t codes[] = {
        [FLOAT_ZERO] = FSW_C3,  [FLOAT_FINITE] = FSW_C2,    [FLOAT_INFINITE] = FSW_C2 | FSW_C0,
        [FLOAT_QUIET] = FSW_C0, [FLOAT_SIGNALING] = FSW_C0, [FLOAT_UNSUPPORTED] = 0,
    };
    FpNumber a = x87_read(x, 0);

    x->replaced = FSW_CONDITIONS;
    x->status = a.sign ? FSW_C1 : 0;
    if (x87_is_empty(x->cpu, 0)) {
        x->status |= FSW_C3 | FSW_C0;
    } else {
        x->status |= a.denormal ? FSW_C3 | FSW_C2 : codes[a.kind];
    }
}

/* --- constants */

void x87_constant(X87Insn *x)
{
    /* truncated, and where rounding to nearest goes up */
    static const struct {
        uint64_t mantissa;
        uint16_t exponent;
        bool up, inexact;
    } constants[8] = {
        { UINT64_C(0x8000000000000000), 0x3fff, false, false }, /* 1 */
        { UINT64_C(0xd49a784bcd1b8afe), 0x4000, false, true },  /* log2 10 */
        { UINT64_C(0xb8aa3b295c17f0bb), 0x3fff, true, true },   /* log2 e */
        { UINT64_C(0xc90fdaa22168c234), 0x4000, true, true },   /* pi */
        { UINT64_C(0x9a209a84fbcff798), 0x3ffd, true, true },   /* log10 2 */
        { UINT64_C(0xb17217f7d1cf79ab), 0x3ffe, true, true },   /* ln 2 */
        { 0, 0, false, false },
        { 0, 0, false, false },
    };
    X87Reg value = { constants[x->i].mantissa, constants[x->i].exponent };

    if (constants[x->i].inexact) {
        value.mantissa +=
            x->env.rounding == FLOAT_UP || (x->env.rounding == FLOAT_NEAREST && constants[x->i].up);
    }
    if (x87_overflows(x)) {
        value = x87_pack(fp_default_nan());
    }
    if (!x87_stopped(x)) {
        x87_push(x, value);
    }
}

/* --- packed BCD: 18 digits, the sign in the last byte's top bit */

FpNumber x87_from_bcd(const uint8_t bytes[10])
{
    FpEnv env = { .masked = FLOAT_EXCEPTIONS };
    uint64_t value = 0;

    for (unsigned i = 9; i-- > 0;) {
        value = value * 100 + (bytes[i] >> 4) * 10U + (bytes[i] & 15);
    }
    FpNumber n = fp_from_int(&env, &fp_format80, (int64_t)value);
    n.sign = bytes[9] >> 7;
    return n;
}

void x87_to_bcd(FpEnv *env, FpNumber value, uint8_t ret_bytes[10])
{
    static const uint8_t indefinite[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };
    const int64_t limit = INT64_C(999999999999999999);
    FpEnv own = *env;
    int64_t integer;

    own.flags = 0;
    integer = fp_to_int(&own, value, 64, env->rounding);
    if ((own.flags & FLOAT_INVALID) || integer > limit || integer < -limit) {
        env->flags |= FLOAT_INVALID;
        memcpy(ret_bytes, indefinite, sizeof(indefinite));
        return;
    }
    env->flags |= own.flags;
    env->up = own.up;
    uint64_t magnitude = (uint64_t)(integer < 0 ? -integer : integer);
    for (unsigned i = 0; i < 9; i++) {
        unsigned pair = (unsigned)(magnitude % 100);
        magnitude /= 100;
        ret_bytes[i] = (uint8_t)(pair / 10 << 4 | pair % 10);
    }
    ret_bytes[9] = value.sign ? 0x80 : 0;
}
