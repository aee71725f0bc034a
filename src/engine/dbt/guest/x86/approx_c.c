/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RCPPS and RSQRTPS on a host that isn't x86-64: the true result cut to 12 bits of precision,
 * within the 1.5 * 2^-12 that the manual allows (SDM volume 2, RCPPS).
 *
 * Denormal operands count as zeros, and a tiny result is a zero.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/sse_fp.h"

static const FpFormat approximate = { 12, -126, 127 };

static FpNumber operand(FpEnv *env, uint32_t bits)
{
    *env = (FpEnv){ .masked = FLOAT_EXCEPTIONS, .daz = true, .ftz = true };
    return fp_unpack32(env, bits);
}

static FpNumber one(FpEnv *env)
{
    return fp_from_int(env, &fp_format32, 1);
}

uint32_t x86_approximate_reciprocal(uint32_t bits)
{
    FpEnv env;
    FpNumber x = operand(&env, bits);

    return fp_pack32(fp_div(&env, &approximate, one(&env), x));
}

uint32_t x86_approximate_reciprocal_root(uint32_t bits)
{
    FpEnv env;
    FpNumber x = operand(&env, bits);
    FpNumber root = fp_sqrt(&env, &fp_format80, x);

    return fp_pack32(fp_div(&env, &approximate, one(&env), root));
}
