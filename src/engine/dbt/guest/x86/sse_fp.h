/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the floating-point vector operations share: MXCSR as an FpEnv, and the exceptions.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/guest/x86/softfloat.h"
#include "engine/dbt/guest/x86/vectors.h"

FpEnv sse_env(const X86Cpu *cpu);
/* Record the flags of a whole instruction; false after #XM (or #UD): leave the destination. */
bool sse_finish(X86Cpu *cpu, const FpEnv *env);

/* --- the host's own numbers, for where its arithmetic can't differ */

/* Zero or a normal number. */
static inline bool ordinary32(uint32_t bits)
{
    return !(bits << 1) || ((bits >> 23) & 0xff) - 1 < 0xfe;
}

static inline bool ordinary64(uint64_t bits)
{
    return !(bits << 1) || ((bits >> 52) & 0x7ff) - 1 < 0x7fe;
}

/* Normal, and far enough from the least normal number not to have been tiny before rounding. */
static inline bool plain32(uint32_t bits)
{
    return ((bits >> 23) & 0xff) - 2 < 0xfd;
}

static inline bool plain64(uint64_t bits)
{
    return ((bits >> 52) & 0x7ff) - 2 < 0x7fd;
}

static inline float as_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof(f));
    return f;
}

static inline double as_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

static inline uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static inline uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

/* The approximations of RCPPS and RSQRTPS, by approx_*.c: as this host's CPU, or computed. */
uint32_t x86_approximate_reciprocal(uint32_t bits);
uint32_t x86_approximate_reciprocal_root(uint32_t bits);
