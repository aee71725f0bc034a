/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact floating point in portable C: see softfloat.h.
 *
 * Each operation computes 128 bits of the result, the lowest standing for all below, and
 * fp_round() does the rest for every format.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/softfloat.h"

#include <math.h>

typedef unsigned __int128 Wide;

#define TOP_BIT   (UINT64_C(1) << 63)
#define QUIET_BIT (UINT64_C(1) << 62)

enum { WRAP = 24576 }; /* what an unmasked overflow takes off the exponent (SDM 1, 8.5.4) */

const FpFormat fp_format16 = { 11, -14, 15 };
const FpFormat fp_format32 = { 24, -126, 127 };
const FpFormat fp_format64 = { 53, -1022, 1023 };
const FpFormat fp_format80 = { 64, -16382, 16383 };
const FpFormat fp_format_x87[4] = {
    { 24, -16382, 16383 },
    { 64, -16382, 16383 },
    { 53, -16382, 16383 },
    { 64, -16382, 16383 },
};

/* --- bits */

static unsigned leading_zeros(Wide x)
{
    uint64_t high = (uint64_t)(x >> 64);

    return (unsigned)(high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)x));
}

/* A number with @fraction_bits below the point and a biased exponent of @exponent_bits. */
static FpNumber unpack(const FpEnv *env, uint64_t bits, unsigned fraction_bits,
                       unsigned exponent_bits)
{
    unsigned all_ones = (1U << exponent_bits) - 1;
    int bias = (int)(all_ones >> 1);
    unsigned exponent = (unsigned)(bits >> fraction_bits) & all_ones;
    uint64_t fraction = bits << (64 - fraction_bits) >> 1; /* below the integer bit */
    FpNumber n = { .sign = (bits >> (fraction_bits + exponent_bits)) & 1 };

    if (exponent == all_ones) {
        n.kind = !fraction ? FLOAT_INFINITE : fraction & QUIET_BIT ? FLOAT_QUIET : FLOAT_SIGNALING;
        n.sig = TOP_BIT | fraction;
    } else if (exponent) {
        n.kind = FLOAT_FINITE;
        n.sig = TOP_BIT | fraction;
        n.exp = (int32_t)exponent - bias;
    } else if (fraction && !env->daz) {
        unsigned shift = (unsigned)__builtin_clzll(fraction);
        n.kind = FLOAT_FINITE;
        n.denormal = true;
        n.sig = fraction << shift;
        n.exp = 1 - bias - (int32_t)shift;
    }
    return n;
}

FpNumber fp_unpack16(uint16_t bits)
{
    const FpEnv all = { .daz = false };

    return unpack(&all, bits, 10, 5);
}

FpNumber fp_unpack32(const FpEnv *env, uint32_t bits)
{
    return unpack(env, bits, 23, 8);
}

FpNumber fp_unpack64(const FpEnv *env, uint64_t bits)
{
    return unpack(env, bits, 52, 11);
}

FpNumber fp_unpack80(uint64_t mantissa, uint16_t sign_exponent)
{
    unsigned exponent = sign_exponent & 0x7fff;
    FpNumber n = { .sign = sign_exponent >> 15, .sig = mantissa };

    if (!exponent) {
        if (mantissa) {
            unsigned shift = (unsigned)__builtin_clzll(mantissa);
            n.kind = FLOAT_FINITE;
            n.denormal = true; /* pseudo-denormals too */
            n.sig = mantissa << shift;
            n.exp = fp_format80.least - (int32_t)shift;
        }
    } else if (!(mantissa & TOP_BIT)) {
        n.kind = FLOAT_UNSUPPORTED;
    } else if (exponent == 0x7fff) {
        n.kind = mantissa == TOP_BIT    ? FLOAT_INFINITE
                 : mantissa & QUIET_BIT ? FLOAT_QUIET
                                        : FLOAT_SIGNALING;
    } else {
        n.kind = FLOAT_FINITE;
        n.exp = (int32_t)exponent - 16383;
    }
    return n;
}

static uint64_t pack(FpNumber n, unsigned fraction_bits, unsigned exponent_bits)
{
    unsigned all_ones = (1U << exponent_bits) - 1;
    uint64_t sign = (uint64_t)n.sign << (fraction_bits + exponent_bits);
    uint64_t fraction = n.sig << 1 >> (64 - fraction_bits);
    uint64_t exponent = 0;

    switch (n.kind) {
    case FLOAT_ZERO:
        return sign;
    case FLOAT_FINITE:
        exponent = n.sig & TOP_BIT ? (unsigned)n.exp + (all_ones >> 1) : 0;
        break;
    default:
        exponent = all_ones;
        break;
    }
    return sign | exponent << fraction_bits | fraction;
}

uint16_t fp_pack16(FpNumber n)
{
    return (uint16_t)pack(n, 10, 5);
}

uint32_t fp_pack32(FpNumber n)
{
    return (uint32_t)pack(n, 23, 8);
}

uint64_t fp_pack64(FpNumber n)
{
    return pack(n, 52, 11);
}

uint64_t fp_pack80(FpNumber n, uint16_t *ret_sign_exponent)
{
    unsigned exponent = 0;

    if (n.kind == FLOAT_FINITE) {
        exponent = n.sig & TOP_BIT ? (unsigned)(n.exp + 16383) : 0;
    } else if (n.kind != FLOAT_ZERO) {
        exponent = 0x7fff;
    }
    *ret_sign_exponent = (uint16_t)(n.sign << 15 | exponent);
    return n.kind == FLOAT_ZERO ? 0 : n.sig;
}

/* --- special values */

bool fp_is_nan(FpNumber n)
{
    return n.kind == FLOAT_QUIET || n.kind == FLOAT_SIGNALING;
}

FpNumber fp_zero(bool sign)
{
    return (FpNumber){ .kind = FLOAT_ZERO, .sign = sign };
}

FpNumber fp_infinity(bool sign)
{
    return (FpNumber){ .kind = FLOAT_INFINITE, .sign = sign, .sig = TOP_BIT };
}

FpNumber fp_default_nan(void)
{
    return (FpNumber){ .kind = FLOAT_QUIET, .sign = true, .sig = TOP_BIT | QUIET_BIT };
}

FpNumber fp_invalid(FpEnv *env)
{
    env->flags |= FLOAT_INVALID;
    return fp_default_nan();
}

FpNumber fp_quieted(FpNumber n)
{
    n.kind = FLOAT_QUIET;
    n.sig |= QUIET_BIT;
    return n;
}

/* Which of two NaNs x87 gives: a quiet one before a signaling one, then the one with the greater
 * fraction, then the positive one (SDM volume 1, table 4-7). */
static FpNumber x87_nan(FpNumber a, FpNumber b)
{
    if (a.kind != b.kind) {
        return a.kind == FLOAT_QUIET ? a : fp_quieted(b);
    }
    uint64_t a_sig = a.sig | QUIET_BIT, b_sig = b.sig | QUIET_BIT;
    if (a_sig != b_sig) {
        return fp_quieted(a_sig > b_sig ? a : b);
    }
    return fp_quieted(a.sign ? b : a);
}

bool fp_nan_operand(FpEnv *env, FpNumber a, FpNumber b, FpNumber *ret_result)
{
    if (a.kind < FLOAT_QUIET && b.kind < FLOAT_QUIET) {
        return false;
    }
    if (a.kind == FLOAT_UNSUPPORTED || b.kind == FLOAT_UNSUPPORTED) {
        *ret_result = fp_invalid(env);
        return true;
    }
    if (a.kind == FLOAT_SIGNALING || b.kind == FLOAT_SIGNALING) {
        env->flags |= FLOAT_INVALID;
    }
    if (!fp_is_nan(b)) {
        *ret_result = fp_quieted(a);
    } else if (!fp_is_nan(a)) {
        *ret_result = fp_quieted(b);
    } else {
        *ret_result = env->x87 ? x87_nan(a, b) : fp_quieted(a);
    }
    return true;
}

void fp_note_denormals(FpEnv *env, FpNumber a, FpNumber b)
{
    if (a.denormal || b.denormal) {
        env->flags |= FLOAT_DENORMAL;
    }
}

/* --- rounding */

typedef struct Cut {
    uint64_t kept;
    bool inexact, up;
} Cut;

/* Drop the @n lowest bits of @sig, and @lo below them, by rounding. */
static Cut cut(FpRounding rounding, bool sign, uint64_t sig, uint64_t lo, unsigned n)
{
    const uint64_t half = TOP_BIT;
    uint64_t dropped;
    Cut r = { 0 };

    if (n == 0) {
        r.kept = sig;
        dropped = lo;
    } else if (n < 64) {
        r.kept = sig >> n;
        dropped = sig << (64 - n) | (lo != 0);
    } else {
        dropped = n == 64 ? sig | (lo != 0) : 1;
    }
    r.inexact = dropped != 0;
    switch (rounding) {
    case FLOAT_NEAREST:
        r.up = dropped > half || (dropped == half && (r.kept & 1));
        break;
    case FLOAT_DOWN:
        r.up = sign && r.inexact;
        break;
    case FLOAT_UP:
        r.up = !sign && r.inexact;
        break;
    case FLOAT_TO_ZERO:
        break;
    }
    r.kept += r.up;
    return r;
}

static FpNumber overflow(FpEnv *env, const FpFormat *format, FpNumber n, bool inexact)
{
    bool masked = env->masked & FLOAT_OVERFLOW;
    bool too_great = n.exp - WRAP > format->greatest; /* even so: FSCALE */

    if (!masked && !too_great) {
        env->flags |= FLOAT_OVERFLOW | (inexact ? FLOAT_INEXACT : 0);
        n.exp -= WRAP;
        return n;
    }
    env->flags |= FLOAT_OVERFLOW | FLOAT_INEXACT;
    env->up = !masked || env->rounding == FLOAT_NEAREST ||
              env->rounding == (n.sign ? FLOAT_DOWN : FLOAT_UP);
    if (env->up) {
        return fp_infinity(n.sign);
    }
    n.exp = format->greatest;
    n.sig = UINT64_MAX << (64 - format->precision);
    return n;
}

/* @n is the result with an unbounded exponent, from @sig and @lo. */
static FpNumber underflow(FpEnv *env, const FpFormat *format, FpNumber n, uint64_t sig, uint64_t lo,
                          int32_t exp, bool inexact)
{
    unsigned drop = 64 - (unsigned)format->precision;

    if (!(env->masked & FLOAT_UNDERFLOW)) {
        env->flags |= FLOAT_UNDERFLOW | (inexact ? FLOAT_INEXACT : 0);
        n.exp += WRAP;
        if (n.exp >= format->least) {
            return n;
        }
        env->flags |= FLOAT_INEXACT; /* too small even so: FSCALE */
        env->up = false;
        return fp_zero(n.sign);
    }
    if (env->ftz) {
        env->flags |= FLOAT_UNDERFLOW | FLOAT_INEXACT;
        env->up = false;
        return fp_zero(n.sign);
    }
    unsigned shift = (unsigned)(format->least - exp);
    Cut r = cut(env->rounding, n.sign, sig, lo, drop + (shift > 128 ? 128 : shift));
    env->flags |= r.inexact ? FLOAT_UNDERFLOW | FLOAT_INEXACT : 0;
    env->up = r.up;
    n.sig = r.kept << drop;
    n.exp = format->least;
    n.kind = n.sig ? FLOAT_FINITE : FLOAT_ZERO;
    return n;
}

FpNumber fp_round(FpEnv *env, const FpFormat *format, bool sign, int32_t exp, uint64_t sig,
                  uint64_t lo)
{
    unsigned drop = 64 - (unsigned)format->precision;
    Cut r = cut(env->rounding, sign, sig, lo, drop);
    FpNumber n = { .kind = FLOAT_FINITE, .sign = sign, .sig = r.kept << drop, .exp = exp };

    if (!(n.sig & TOP_BIT)) { /* all ones were rounded up */
        n.sig = TOP_BIT;
        n.exp++;
    }
    env->up = r.up;
    if (n.exp > format->greatest) {
        return overflow(env, format, n, r.inexact);
    }
    if (n.exp < format->least) { /* tiny after rounding */
        return underflow(env, format, n, sig, lo, exp, r.inexact);
    }
    env->flags |= r.inexact ? FLOAT_INEXACT : 0;
    return n;
}

/* --- arithmetic */

/* Two finite numbers other than zero. */
static FpNumber add_finite(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        FpNumber t = a;
        a = b;
        b = t;
    }
    unsigned distance = (unsigned)(a.exp - b.exp);
    Wide x = (Wide)a.sig << 63;
    Wide y = (Wide)b.sig << 63;
    if (distance > 126) {
        y = 1;
    } else if (distance) {
        Wide shifted = y >> distance;
        y = shifted | (shifted << distance != y);
    }
    Wide sum = a.sign == b.sign ? x + y : x - y;
    if (!sum) {
        return fp_zero(env->rounding == FLOAT_DOWN);
    }
    unsigned shift = leading_zeros(sum);
    sum <<= shift;
    return fp_round(env, format, a.sign, a.exp + 1 - (int32_t)shift, (uint64_t)(sum >> 64),
                    (uint64_t)sum);
}

/* @b's sign is already that of the addend; no NaNs. */
static FpNumber add(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    if (a.kind == FLOAT_INFINITE && b.kind == FLOAT_INFINITE && a.sign != b.sign) {
        return fp_invalid(env);
    }
    fp_note_denormals(env, a, b);
    if (a.kind == FLOAT_INFINITE || b.kind == FLOAT_INFINITE) {
        return a.kind == FLOAT_INFINITE ? a : b;
    }
    if (a.kind == FLOAT_ZERO && b.kind == FLOAT_ZERO) {
        return fp_zero(a.sign == b.sign ? a.sign : env->rounding == FLOAT_DOWN);
    }
    if (a.kind == FLOAT_ZERO) {
        return fp_round(env, format, b.sign, b.exp, b.sig, 0);
    }
    if (b.kind == FLOAT_ZERO) {
        return fp_round(env, format, a.sign, a.exp, a.sig, 0);
    }
    return add_finite(env, format, a, b);
}

FpNumber fp_add(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    FpNumber result;

    env->up = false;
    return fp_nan_operand(env, a, b, &result) ? result : add(env, format, a, b);
}

FpNumber fp_sub(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, b, &result)) {
        return result;
    }
    b.sign = !b.sign;
    return add(env, format, a, b);
}

FpNumber fp_mul(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    bool sign = a.sign != b.sign;
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, b, &result)) {
        return result;
    }
    if ((a.kind == FLOAT_INFINITE && b.kind == FLOAT_ZERO) ||
        (a.kind == FLOAT_ZERO && b.kind == FLOAT_INFINITE)) {
        return fp_invalid(env);
    }
    fp_note_denormals(env, a, b);
    if (a.kind == FLOAT_INFINITE || b.kind == FLOAT_INFINITE) {
        return fp_infinity(sign);
    }
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_ZERO) {
        return fp_zero(sign);
    }
    Wide product = (Wide)a.sig * b.sig;
    unsigned shift = !(product >> 127);
    product <<= shift;
    return fp_round(env, format, sign, a.exp + b.exp + 1 - (int32_t)shift,
                    (uint64_t)(product >> 64), (uint64_t)product);
}

/* What stands below a quotient's or root's last bit, by @rest of @whole. */
static uint64_t below(uint64_t rest, uint64_t whole)
{
    if (!rest) {
        return 0;
    }
    return rest < whole - rest ? 1 : rest == whole - rest ? TOP_BIT : TOP_BIT | 1;
}

FpNumber fp_div(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b)
{
    bool sign = a.sign != b.sign;
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, b, &result)) {
        return result;
    }
    if (a.kind == b.kind && a.kind != FLOAT_FINITE) { /* 0/0, infinity/infinity */
        return fp_invalid(env);
    }
    if (b.kind == FLOAT_ZERO && a.kind == FLOAT_FINITE) {
        env->flags |= FLOAT_DIVIDE;
        return fp_infinity(sign);
    }
    fp_note_denormals(env, a, b);
    if (a.kind == FLOAT_INFINITE || b.kind == FLOAT_ZERO) {
        return fp_infinity(sign);
    }
    if (a.kind == FLOAT_ZERO || b.kind == FLOAT_INFINITE) {
        return fp_zero(sign);
    }
    unsigned less = a.sig < b.sig;
    Wide dividend = (Wide)a.sig << (63 + less);
    uint64_t quotient = (uint64_t)(dividend / b.sig);
    uint64_t rest = (uint64_t)(dividend - (Wide)quotient * b.sig);
    return fp_round(env, format, sign, a.exp - b.exp - (int32_t)less, quotient, below(rest, b.sig));
}

/* floor(sqrt(@n)), n at least 2^126. */
static uint64_t square_root(Wide n)
{
    double guess = sqrt((double)(uint64_t)(n >> 64)) * 0x1p32;
    Wide root = guess >= 0x1p64 ? UINT64_MAX : (uint64_t)guess;

    root = (root + n / root) >> 1;
    root = root > UINT64_MAX ? UINT64_MAX : root;
    while (root * root > n) {
        root--;
    }
    while (root < UINT64_MAX && (root + 1) * (root + 1) <= n) {
        root++;
    }
    return (uint64_t)root;
}

FpNumber fp_sqrt(FpEnv *env, const FpFormat *format, FpNumber a)
{
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, a, &result)) {
        return result;
    }
    if (a.kind == FLOAT_ZERO) {
        return a;
    }
    if (a.sign) {
        return fp_invalid(env);
    }
    fp_note_denormals(env, a, a);
    if (a.kind == FLOAT_INFINITE) {
        return a;
    }
    unsigned odd = (unsigned)a.exp & 1;
    Wide square = (Wide)a.sig << (63 + odd);
    uint64_t root = square_root(square);
    Wide rest = square - (Wide)root * root; /* at most 2 * root */
    uint64_t lo = !rest ? 0 : rest <= root ? 1 : TOP_BIT | 1;
    return fp_round(env, format, false, (a.exp - (int32_t)odd) / 2, root, lo);
}

/* --- conversion and comparison */

FpNumber fp_convert(FpEnv *env, const FpFormat *format, FpNumber a)
{
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, a, &result)) {
        result.sig &= UINT64_MAX << (64 - format->precision);
        return result;
    }
    fp_note_denormals(env, a, a);
    return a.kind == FLOAT_FINITE ? fp_round(env, format, a.sign, a.exp, a.sig, 0) : a;
}

FpNumber fp_round_to_int(FpEnv *env, FpNumber a)
{
    FpNumber result;

    env->up = false;
    if (fp_nan_operand(env, a, a, &result)) {
        return result;
    }
    if (a.kind != FLOAT_FINITE || a.exp >= 63) {
        return a;
    }
    unsigned n = (unsigned)(63 - a.exp);
    Cut r = cut(env->rounding, a.sign, a.sig, 0, n);
    env->flags |= r.inexact ? FLOAT_INEXACT : 0;
    env->up = r.up;
    if (!r.kept) {
        return fp_zero(a.sign);
    }
    unsigned shift = (unsigned)__builtin_clzll(r.kept);
    return (FpNumber){
        .kind = FLOAT_FINITE, .sign = a.sign, .sig = r.kept << shift, .exp = 63 - (int32_t)shift
    };
}

FpNumber fp_from_int(FpEnv *env, const FpFormat *format, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

    env->up = false;
    if (!magnitude) {
        return fp_zero(false);
    }
    unsigned shift = (unsigned)__builtin_clzll(magnitude);
    return fp_round(env, format, value < 0, 63 - (int32_t)shift, magnitude << shift, 0);
}

int64_t fp_to_int(FpEnv *env, FpNumber a, unsigned width, FpRounding rounding)
{
    const int64_t indefinite = (int64_t)(UINT64_MAX << (width - 1));
    const uint64_t limit = (UINT64_C(1) << (width - 1)) - !a.sign; /* greatest magnitude */

    env->up = false;
    if (a.kind == FLOAT_ZERO) {
        return 0;
    }
    if (a.kind != FLOAT_FINITE || a.exp > 63) {
        env->flags |= FLOAT_INVALID;
        return indefinite;
    }
    Cut r = cut(rounding, a.sign, a.sig, 0, (unsigned)(63 - a.exp));
    if (r.kept > limit) {
        env->flags |= FLOAT_INVALID;
        return indefinite;
    }
    env->flags |= r.inexact ? FLOAT_INEXACT : 0;
    env->up = r.up;
    return (int64_t)(a.sign ? -r.kept : r.kept);
}

/* The order of two numbers' magnitudes. */
static FpOrder compare_magnitudes(FpNumber a, FpNumber b)
{
    if (a.kind != b.kind) { /* FLOAT_ZERO < FLOAT_FINITE < FLOAT_INFINITE */
        return a.kind < b.kind ? FLOAT_LESS : FLOAT_GREATER;
    }
    if (a.kind != FLOAT_FINITE) {
        return FLOAT_EQUAL;
    }
    if (a.exp != b.exp) {
        return a.exp < b.exp ? FLOAT_LESS : FLOAT_GREATER;
    }
    return a.sig < b.sig ? FLOAT_LESS : a.sig > b.sig ? FLOAT_GREATER : FLOAT_EQUAL;
}

FpOrder fp_compare(FpEnv *env, FpNumber a, FpNumber b, bool quiet)
{
    FpNumber nan;

    if (fp_nan_operand(env, a, b, &nan)) {
        env->flags |= quiet ? 0 : FLOAT_INVALID;
        return FLOAT_UNORDERED;
    }
    fp_note_denormals(env, a, b);
    if (a.kind == FLOAT_ZERO && b.kind == FLOAT_ZERO) {
        return FLOAT_EQUAL;
    }
    if (a.sign != b.sign) {
        return a.sign ? FLOAT_LESS : FLOAT_GREATER;
    }
    return a.sign ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}
