/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating-point arithmetic on packed and scalar lanes, exact in result and MXCSR (Intel SDM
 * volume 1, chapters 10, 11 and 12).
 *
 * Each lane goes through softfloat.c, but where the host's own arithmetic can't differ.  The flags
 * of all lanes go to MXCSR together; an unmasked one raises #XM and nothing is written.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/sse_fp.h"

#include <math.h>

#include "common/bits.h"

enum { MXCSR_DAZ = 1 << 6, MXCSR_MASKS_SHIFT = 7, MXCSR_ROUNDING_SHIFT = 13, MXCSR_FTZ = 1 << 15 };

FpEnv sse_env(const X86Cpu *cpu)
{
    uint32_t mxcsr = cpu->mxcsr;
    unsigned masked = (mxcsr >> MXCSR_MASKS_SHIFT) & FLOAT_EXCEPTIONS;
    FpRounding rounding = (mxcsr >> MXCSR_ROUNDING_SHIFT) & 3;

    return (FpEnv){
        .rounding = rounding,
        .masked = (uint8_t)masked,
        .daz = mxcsr & MXCSR_DAZ,
        .ftz = (mxcsr & MXCSR_FTZ) && (masked & FLOAT_UNDERFLOW),
        .host = rounding == FLOAT_NEAREST && (mxcsr & masked & FLOAT_INEXACT),
    };
}

/* What counts of the flags of one step: an unmasked exception that is found before the result keeps
 * those of the result from being. */
static unsigned step_flags(const FpEnv *env)
{
    unsigned unmasked = env->flags & ~(unsigned)env->masked;

    return unmasked & FLOAT_BEFORE ? env->flags & FLOAT_BEFORE : env->flags;
}

static bool record(X86Cpu *cpu, unsigned flags, unsigned masked)
{
    cpu->mxcsr |= flags;
    if (flags & ~masked) {
        return x86_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
    }
    return true;
}

bool sse_finish(X86Cpu *cpu, const FpEnv *env)
{
    return !env->flags || record(cpu, step_flags(env), env->masked);
}

/* --- one lane */

typedef uint64_t (*LaneOp)(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate);

/* Arithmetic by @soft of softfloat.c, or by @host's expression in x and y. */
#define ARITHMETIC(name, soft, host_operator)                                                      \
    static uint64_t name##32(FpEnv * env, uint64_t x, uint64_t y, unsigned immediate)              \
    {                                                                                              \
        if (env->host && ordinary32((uint32_t)x) && ordinary32((uint32_t)y)) {                     \
            uint32_t bits = float_bits(as_float(x) host_operator as_float(y));                     \
            if (plain32(bits)) {                                                                   \
                return bits;                                                                       \
            }                                                                                      \
        }                                                                                          \
        FpNumber a = fp_unpack32(env, (uint32_t)x);                                                \
        FpNumber b = fp_unpack32(env, (uint32_t)y);                                                \
        return fp_pack32(soft(env, &fp_format32, a, b));                                           \
    }                                                                                              \
    static uint64_t name##64(FpEnv * env, uint64_t x, uint64_t y, unsigned immediate)              \
    {                                                                                              \
        if (env->host && ordinary64(x) && ordinary64(y)) {                                         \
            uint64_t bits = double_bits(as_double(x) host_operator as_double(y));                  \
            if (plain64(bits)) {                                                                   \
                return bits;                                                                       \
            }                                                                                      \
        }                                                                                          \
        FpNumber a = fp_unpack64(env, x);                                                          \
        FpNumber b = fp_unpack64(env, y);                                                          \
        return fp_pack64(soft(env, &fp_format64, a, b));                                           \
    }

ARITHMETIC(add, fp_add, +)
ARITHMETIC(sub, fp_sub, -)
ARITHMETIC(mul, fp_mul, *)
ARITHMETIC(div, fp_div, /)

static uint64_t sqrt32(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    if (env->host && plain32((uint32_t)y) && !(y >> 31)) {
        return float_bits(sqrtf(as_float(y)));
    }
    return fp_pack32(fp_sqrt(env, &fp_format32, fp_unpack32(env, (uint32_t)y)));
}

static uint64_t sqrt64(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    if (env->host && plain64(y) && !(y >> 63)) {
        return double_bits(sqrt(as_double(y)));
    }
    return fp_pack64(fp_sqrt(env, &fp_format64, fp_unpack64(env, y)));
}

/* The second operand wins unless the first is really less (or greater): NaNs, equal zeros.  It is
 * given as it is, but for a denormal that counts as zero. */
#define EXTREME(name, size, wanted)                                                                \
    static uint64_t name(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)                   \
    {                                                                                              \
        FpNumber a = fp_unpack##size(env, (uint##size##_t)x);                                      \
        FpNumber b = fp_unpack##size(env, (uint##size##_t)y);                                      \
        bool first = fp_compare(env, a, b, false) == (wanted);                                     \
        if ((first ? a : b).kind == FLOAT_ZERO) {                                                  \
            return fp_pack##size(first ? a : b);                                                   \
        }                                                                                          \
        return first ? x : y;                                                                      \
    }

EXTREME(min32, 32, FLOAT_LESS)
EXTREME(min64, 64, FLOAT_LESS)
EXTREME(max32, 32, FLOAT_GREATER)
EXTREME(max64, 64, FLOAT_GREATER)

/* The predicates of CMPPS and their kin: which orders they accept, and whether a quiet NaN is
 * invalid (SDM volume 2, table 3-1). */
static const struct {
    uint8_t orders; /* bit per FpOrder */
    bool signaling;
} predicates[16] = {
    { 1 << FLOAT_EQUAL, false },
    { 1 << FLOAT_LESS, true },
    { 1 << FLOAT_LESS | 1 << FLOAT_EQUAL, true },
    { 1 << FLOAT_UNORDERED, false },
    { 1 << FLOAT_LESS | 1 << FLOAT_GREATER | 1 << FLOAT_UNORDERED, false },
    { 1 << FLOAT_EQUAL | 1 << FLOAT_GREATER | 1 << FLOAT_UNORDERED, true },
    { 1 << FLOAT_GREATER | 1 << FLOAT_UNORDERED, true },
    { 1 << FLOAT_LESS | 1 << FLOAT_EQUAL | 1 << FLOAT_GREATER, false },
    /* VEX only, as are these with the other behaviour for quiet NaNs */
    { 1 << FLOAT_EQUAL | 1 << FLOAT_UNORDERED, false },
    { 1 << FLOAT_LESS | 1 << FLOAT_UNORDERED, true },
    { 1 << FLOAT_LESS | 1 << FLOAT_EQUAL | 1 << FLOAT_UNORDERED, true },
    { 0, false },
    { 1 << FLOAT_LESS | 1 << FLOAT_GREATER, false },
    { 1 << FLOAT_EQUAL | 1 << FLOAT_GREATER, true },
    { 1 << FLOAT_GREATER, true },
    { 1 << FLOAT_LESS | 1 << FLOAT_EQUAL | 1 << FLOAT_GREATER | 1 << FLOAT_UNORDERED, false },
};

static uint64_t cmp(FpEnv *env, FpNumber a, FpNumber b, unsigned immediate)
{
    unsigned predicate = immediate & 15;
    bool signaling = predicates[predicate].signaling != ((immediate & 16) != 0);
    FpOrder order = fp_compare(env, a, b, !signaling);

    return (predicates[predicate].orders >> order) & 1 ? UINT64_MAX : 0;
}

static uint64_t vcmp32(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    FpNumber a = fp_unpack32(env, (uint32_t)x);
    FpNumber b = fp_unpack32(env, (uint32_t)y);

    return cmp(env, a, b, immediate);
}

static uint64_t vcmp64(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    FpNumber a = fp_unpack64(env, x);
    FpNumber b = fp_unpack64(env, y);

    return cmp(env, a, b, immediate);
}

static uint64_t cmp32(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    return vcmp32(env, x, y, immediate & 7);
}

static uint64_t cmp64(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    return vcmp64(env, x, y, immediate & 7);
}

/* ROUNDPS and kin: immediate bits 1:0 the rounding, 2 MXCSR's instead, 3 inexact is not raised. */
static FpNumber round_lane(FpEnv *env, FpNumber a, unsigned immediate)
{
    FpEnv own = *env;

    own.flags = 0;
    if (!(immediate & 4)) {
        own.rounding = immediate & 3;
    }
    FpNumber result = fp_round_to_int(&own, a);
    env->flags |= own.flags & (immediate & 8 ? (uint8_t)~FLOAT_INEXACT : 0xff);
    return result;
}

static uint64_t round32(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    return fp_pack32(round_lane(env, fp_unpack32(env, (uint32_t)y), immediate));
}

static uint64_t round64(FpEnv *env, uint64_t x, uint64_t y, unsigned immediate)
{
    return fp_pack64(round_lane(env, fp_unpack64(env, y), immediate));
}

/* --- whole vectors */

typedef struct Operands {
    const void *from1, *from2;
    unsigned immediate;
} Operands;

/* @op on the first @n lanes; the others are the first operand's. */
static void lanes32(DbtCpu *base, void *to, Operands from, unsigned n, LaneOp op)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a, b;

    memcpy(&a, from.from1, 16);
    memcpy(&b, from.from2, n == 1 ? 4 : 16);
    for (unsigned i = 0; i < n; i++) {
        a.u32[i] = (uint32_t)op(&env, a.u32[i], b.u32[i], from.immediate);
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &a, 16);
    }
}

static void lanes64(DbtCpu *base, void *to, Operands from, unsigned n, LaneOp op)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a, b;

    memcpy(&a, from.from1, 16);
    memcpy(&b, from.from2, n == 1 ? 8 : 16);
    for (unsigned i = 0; i < n; i++) {
        a.u64[i] = op(&env, a.u64[i], b.u64[i], from.immediate);
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &a, 16);
    }
}

#define FLOATS(name)                                                                               \
    VECTOR_FN(name##ps)                                                                            \
    {                                                                                              \
        lanes32(cpu, to, (Operands){ from1, from2, immediate }, 4, name##32);                      \
    }                                                                                              \
    VECTOR_FN(name##pd)                                                                            \
    {                                                                                              \
        lanes64(cpu, to, (Operands){ from1, from2, immediate }, 2, name##64);                      \
    }                                                                                              \
    VECTOR_FN(name##ss)                                                                            \
    {                                                                                              \
        lanes32(cpu, to, (Operands){ from1, from2, immediate }, 1, name##32);                      \
    }                                                                                              \
    VECTOR_FN(name##sd)                                                                            \
    {                                                                                              \
        lanes64(cpu, to, (Operands){ from1, from2, immediate }, 1, name##64);                      \
    }

FLOATS(add)
FLOATS(sub)
FLOATS(mul)
FLOATS(div)
FLOATS(min)
FLOATS(max)
FLOATS(sqrt)
FLOATS(cmp)
FLOATS(vcmp)
FLOATS(round)

/* Even lanes are subtracted, odd ones added. */
static void add_sub(DbtCpu *base, void *to, Operands from, bool wide)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a, b;

    memcpy(&a, from.from1, 16);
    memcpy(&b, from.from2, 16);
    for (unsigned i = 0; wide && i < 2; i++) {
        a.u64[i] = (i ? add64 : sub64)(&env, a.u64[i], b.u64[i], 0);
    }
    for (unsigned i = 0; !wide && i < 4; i++) {
        a.u32[i] = (uint32_t)(i & 1 ? add32 : sub32)(&env, a.u32[i], b.u32[i], 0);
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &a, 16);
    }
}

VECTOR_FN(addsubps)
{
    add_sub(cpu, to, (Operands){ from1, from2, 0 }, false);
}

VECTOR_FN(addsubpd)
{
    add_sub(cpu, to, (Operands){ from1, from2, 0 }, true);
}

/* Neighbours of the first operand, then of the second. */
static void horizontal32(DbtCpu *base, void *to, Operands from, LaneOp op)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a, b, r;

    memcpy(&a, from.from1, 16);
    memcpy(&b, from.from2, 16);
    for (unsigned i = 0; i < 2; i++) {
        r.u32[i] = (uint32_t)op(&env, a.u32[2 * i], a.u32[2 * i + 1], 0);
        r.u32[2 + i] = (uint32_t)op(&env, b.u32[2 * i], b.u32[2 * i + 1], 0);
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &r, 16);
    }
}

static void horizontal64(DbtCpu *base, void *to, Operands from, LaneOp op)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a, b, r;

    memcpy(&a, from.from1, 16);
    memcpy(&b, from.from2, 16);
    r.u64[0] = op(&env, a.u64[0], a.u64[1], 0);
    r.u64[1] = op(&env, b.u64[0], b.u64[1], 0);
    if (sse_finish(cpu, &env)) {
        memcpy(to, &r, 16);
    }
}

VECTOR_FN(haddps)
{
    horizontal32(cpu, to, (Operands){ from1, from2, 0 }, add32);
}

VECTOR_FN(haddpd)
{
    horizontal64(cpu, to, (Operands){ from1, from2, 0 }, add64);
}

VECTOR_FN(hsubps)
{
    horizontal32(cpu, to, (Operands){ from1, from2, 0 }, sub32);
}

VECTOR_FN(hsubpd)
{
    horizontal64(cpu, to, (Operands){ from1, from2, 0 }, sub64);
}

/* The next step of a dot product, which sees no flags of those before; false after an exception:
 * later steps don't happen. */
static bool next_step(X86Cpu *cpu, FpEnv *env)
{
    bool go_on = sse_finish(cpu, env);

    env->flags = 0;
    return go_on;
}

/* Dot products: immediate bits 7:4 choose the products, 3:0 where the sum goes. */
VECTOR_FN(dpps)
{
    FpEnv env = sse_env(x86_cpu(cpu));
    Lanes a, b;

    memcpy(&a, from1, 16);
    memcpy(&b, from2, 16);
    for (unsigned i = 0; i < 4; i++) {
        bool used = (immediate >> (4 + i)) & 1;
        a.u32[i] = used ? (uint32_t)mul32(&env, a.u32[i], b.u32[i], 0) : 0;
    }
    if (!next_step(x86_cpu(cpu), &env)) {
        return;
    }
    uint64_t low = add32(&env, a.u32[0], a.u32[1], 0);
    uint64_t high = add32(&env, a.u32[2], a.u32[3], 0);
    if (!next_step(x86_cpu(cpu), &env)) {
        return;
    }
    uint32_t sum = (uint32_t)add32(&env, low, high, 0);
    for (unsigned i = 0; i < 4; i++) {
        a.u32[i] = (immediate >> i) & 1 ? sum : 0;
    }
    if (sse_finish(x86_cpu(cpu), &env)) {
        memcpy(to, &a, 16);
    }
}

VECTOR_FN(dppd)
{
    FpEnv env = sse_env(x86_cpu(cpu));
    Lanes a, b;

    memcpy(&a, from1, 16);
    memcpy(&b, from2, 16);
    for (unsigned i = 0; i < 2; i++) {
        bool used = (immediate >> (4 + i)) & 1;
        a.u64[i] = used ? mul64(&env, a.u64[i], b.u64[i], 0) : 0;
    }
    if (!next_step(x86_cpu(cpu), &env)) {
        return;
    }
    uint64_t sum = add64(&env, a.u64[0], a.u64[1], 0);
    for (unsigned i = 0; i < 2; i++) {
        a.u64[i] = (immediate >> i) & 1 ? sum : 0;
    }
    if (sse_finish(x86_cpu(cpu), &env)) {
        memcpy(to, &a, 16);
    }
}

/* --- comparisons that set EFLAGS */

static void compare(DbtCpu *base, void *to, Operands from, bool wide, bool quiet)
{
    static const uint8_t flags[] = {
        [FLOAT_LESS] = FLAG_CF,
        [FLOAT_EQUAL] = FLAG_ZF,
        [FLOAT_GREATER] = 0,
        [FLOAT_UNORDERED] = FLAG_ZF | FLAG_PF | FLAG_CF,
    };
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    FpNumber a, b;

    if (wide) {
        uint64_t x = load_le64(from.from1), y = load_le64(from.from2);
        if (ordinary64(x) && ordinary64(y)) { /* nothing to raise */
            double p = as_double(x), q = as_double(y);
            store_le64(to, flags[p < q ? FLOAT_LESS : p > q ? FLOAT_GREATER : FLOAT_EQUAL]);
            return;
        }
        a = fp_unpack64(&env, x);
        b = fp_unpack64(&env, y);
    } else {
        a = fp_unpack32(&env, load_le32(from.from1));
        b = fp_unpack32(&env, load_le32(from.from2));
    }
    FpOrder order = fp_compare(&env, a, b, quiet);
    if (sse_finish(cpu, &env)) {
        store_le64(to, flags[order]);
    }
}

VECTOR_FN(ucomiss)
{
    compare(cpu, to, (Operands){ from1, from2, 0 }, false, true);
}

VECTOR_FN(ucomisd)
{
    compare(cpu, to, (Operands){ from1, from2, 0 }, true, true);
}

VECTOR_FN(comiss)
{
    compare(cpu, to, (Operands){ from1, from2, 0 }, false, false);
}

VECTOR_FN(comisd)
{
    compare(cpu, to, (Operands){ from1, from2, 0 }, true, false);
}

/* --- approximations */

#define APPROXIMATE(name, n, function)                                                             \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes a, b;                                                                                \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, 4 * (n));                                                                \
        for (unsigned i = 0; i < (n); i++) {                                                       \
            a.u32[i] = function(b.u32[i]);                                                         \
        }                                                                                          \
        memcpy(to, &a, 16);                                                                        \
    }

APPROXIMATE(rcpps, 4, x86_approximate_reciprocal)
APPROXIMATE(rcpss, 1, x86_approximate_reciprocal)
APPROXIMATE(rsqrtps, 4, x86_approximate_reciprocal_root)
APPROXIMATE(rsqrtss, 1, x86_approximate_reciprocal_root)
