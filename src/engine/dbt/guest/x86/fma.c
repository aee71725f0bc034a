/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fused multiplication and addition, exact in result and MXCSR (SDM volume 1, 14.5; volume 2).
 *
 * One rounding: fp_fma() adds the whole product.  The number in a name says which operands are
 * multiplied, counted from the destination: 132, 213, 231; the last digit is what is added.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/sse_fp.h"

/* What is negated, and whether it depends on the lane. */
enum {
    EVEN_SUB = 1 << 4, /* lanes 0, 2, ... subtract */
    ODD_SUB = 1 << 5,
};

typedef struct Fma {
    const void *x, *y, *z; /* x * y + z */
    unsigned negate;       /* FMA_NEGATE_ and the above */
    unsigned n;            /* lanes */
    bool wide;             /* of 64 bits */
} Fma;

static unsigned negate_of(unsigned negate, unsigned lane)
{
    unsigned by_lane = lane & 1 ? ODD_SUB : EVEN_SUB;

    return negate & by_lane ? FMA_NEGATE_ADDEND : negate & 3;
}

static void fma_lanes(DbtCpu *base, void *to, const Fma *f)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    size_t bytes = f->n == 1 ? (f->wide ? 8 : 4) : 16;
    Lanes x, y, z;

    memcpy(&x, f->x, bytes);
    memcpy(&y, f->y, bytes);
    memcpy(&z, f->z, bytes);
    for (unsigned i = 0; i < f->n; i++) {
        unsigned negate = negate_of(f->negate, i);
        if (f->wide) {
            const FpNumber v[3] = { fp_unpack64(&env, x.u64[i]), fp_unpack64(&env, y.u64[i]),
                                    fp_unpack64(&env, z.u64[i]) };
            x.u64[i] = fp_pack64(fp_fma(&env, &fp_format64, v, negate));
        } else {
            const FpNumber v[3] = { fp_unpack32(&env, x.u32[i]), fp_unpack32(&env, y.u32[i]),
                                    fp_unpack32(&env, z.u32[i]) };
            x.u32[i] = fp_pack32(fp_fma(&env, &fp_format32, v, negate));
        }
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &x, bytes);
    }
}

/* The destination's other lanes stay, except that the caller clears what is above 16 bytes. */
#define LANE_KIND(name, x_, y_, z_, negate_, n_, wide_)                                            \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        const Fma f = { x_, y_, z_, negate_, n_, wide_ };                                          \
        fma_lanes(cpu, to, &f);                                                                    \
    }
#define PACKED(name, negate, ...)                                                                  \
    LANE_KIND(name##ps, __VA_ARGS__, negate, 4, false)                                             \
    LANE_KIND(name##pd, __VA_ARGS__, negate, 2, true)
#define SCALAR(name, negate, ...)                                                                  \
    LANE_KIND(name##ss, __VA_ARGS__, negate, 1, false)                                             \
    LANE_KIND(name##sd, __VA_ARGS__, negate, 1, true)
#define ORDERS(name, negate, kind)                                                                 \
    kind(name##132, negate, to, from2, from1) kind(name##213, negate, from1, to, from2)            \
        kind(name##231, negate, from1, from2, to)
#define ALL(name, negate)                                                                          \
    ORDERS(name, negate, PACKED)                                                                   \
    ORDERS(name, negate, SCALAR)

ALL(vfmadd, 0)
ALL(vfmsub, FMA_NEGATE_ADDEND)
ALL(vfnmadd, FMA_NEGATE_PRODUCT)
ALL(vfnmsub, FMA_NEGATE_PRODUCT | FMA_NEGATE_ADDEND)
ORDERS(vfmaddsub, EVEN_SUB, PACKED)
ORDERS(vfmsubadd, ODD_SUB, PACKED)
