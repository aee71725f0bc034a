/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fused multiplication and addition in portable C, see softfloat.h.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/softfloat.h"

typedef unsigned __int128 Wide;

/* A product or addend: @sig / 2^125 * 2^exp. */
typedef struct Term {
    Wide sig;
    int32_t exp;
    bool sign;
} Term;

/* The first NaN in the operands' order. */
static FpNumber nan_of(FpEnv *env, const FpNumber v[3])
{
    unsigned i = 0;

    for (unsigned k = 0; k < 3; k++) {
        env->flags |= v[k].kind == FLOAT_SIGNALING ? FLOAT_INVALID : 0;
    }
    while (!fp_is_nan(v[i])) {
        i++;
    }
    return fp_quieted(v[i]);
}

/* Shift right; what is lost shows in the lowest bit. */
static Wide shifted(Wide sig, unsigned n)
{
    if (n > 127) {
        return sig != 0;
    }
    Wide kept = sig >> n;
    return kept | (kept << n != sig);
}

static FpNumber add_terms(FpEnv *env, const FpFormat *format, Term a, Term b)
{
    if (a.exp < b.exp) {
        Term t = a;
        a = b;
        b = t;
    }
    b.sig = shifted(b.sig, (unsigned)(a.exp - b.exp));
    if (a.sign == b.sign) {
        a.sig += b.sig;
    } else if (a.sig >= b.sig) {
        a.sig -= b.sig;
    } else {
        a.sig = b.sig - a.sig;
        a.sign = b.sign;
    }
    if (!a.sig) {
        return fp_zero(env->rounding == FLOAT_DOWN);
    }
    uint64_t high = (uint64_t)(a.sig >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)a.sig);
    a.sig <<= shift;
    return fp_round(env, format, a.sign, a.exp + 2 - shift, (uint64_t)(a.sig >> 64),
                    (uint64_t)a.sig);
}

/* The product of formats up to 64 bits has 106 bits at most: two can be given away below. */
static Term product_of(FpNumber x, FpNumber y, bool sign)
{
    Wide product = (Wide)x.sig * y.sig;
    unsigned shift = !(product >> 127);

    return (Term){ .sig = product << shift >> 2, .exp = x.exp + y.exp + 1 - (int32_t)shift, sign };
}

FpNumber fp_fma(FpEnv *env, const FpFormat *format, const FpNumber v[3], unsigned negate)
{
    FpNumber x = v[0], y = v[1], z = v[2];
    bool sign = (x.sign != y.sign) != ((negate & FMA_NEGATE_PRODUCT) != 0);
    bool no_product = (x.kind == FLOAT_INFINITE && y.kind == FLOAT_ZERO) ||
                      (x.kind == FLOAT_ZERO && y.kind == FLOAT_INFINITE);

    env->up = false;
    if (fp_is_nan(x) || fp_is_nan(y) || fp_is_nan(z)) {
        return nan_of(env, v);
    }
    z.sign ^= (negate & FMA_NEGATE_ADDEND) != 0;
    bool infinite = x.kind == FLOAT_INFINITE || y.kind == FLOAT_INFINITE;
    if (no_product || (infinite && z.kind == FLOAT_INFINITE && z.sign != sign)) {
        return fp_invalid(env);
    }
    fp_note_denormals(env, x, y);
    fp_note_denormals(env, z, z);
    if (infinite || z.kind == FLOAT_INFINITE) {
        return fp_infinity(infinite ? sign : z.sign);
    }
    bool zero = x.kind == FLOAT_ZERO || y.kind == FLOAT_ZERO;
    if (zero && z.kind == FLOAT_ZERO) {
        return fp_zero(sign == z.sign ? sign : env->rounding == FLOAT_DOWN);
    }
    if (zero) {
        return fp_round(env, format, z.sign, z.exp, z.sig, 0);
    }
    Term product = product_of(x, y, sign);
    if (z.kind == FLOAT_ZERO) {
        return fp_round(env, format, sign, product.exp, (uint64_t)(product.sig >> 62),
                        (uint64_t)product.sig << 2);
    }
    return add_terms(env, format, product, (Term){ (Wide)z.sig << 62, z.exp, z.sign });
}
