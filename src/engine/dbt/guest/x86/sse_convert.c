/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversions between floating-point formats and integers, exact in result and MXCSR (SDM volume
 * 1, 11.4.1.6).
 *
 * Threads: the vCPU's own.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/sse_fp.h"

/* Shape of a conversion: @n lanes, the destination's other lanes zero or the first operand's. */
typedef uint64_t (*Convert)(FpEnv *env, uint64_t x);

typedef struct Shape {
    uint8_t n, from_size, to_size;
    bool keep;   /* lanes beyond come from the first operand; else they become 0 */
    uint8_t len; /* bytes written */
} Shape;

static void convert(DbtCpu *base, void *to, const void *const from[2], Shape shape, Convert fn)
{
    X86Cpu *cpu = x86_cpu(base);
    FpEnv env = sse_env(cpu);
    Lanes a = { 0 }, b = { 0 };

    if (shape.keep) {
        memcpy(&a, from[0], shape.len);
    }
    memcpy(&b, from[1], (size_t)shape.n * shape.from_size);
    for (unsigned i = 0; i < shape.n; i++) {
        uint64_t x = shape.from_size == 4 ? b.u32[i] : b.u64[i];
        uint64_t y = fn(&env, x);
        if (shape.to_size == 4) {
            a.u32[i] = (uint32_t)y;
        } else {
            a.u64[i] = y;
        }
    }
    if (sse_finish(cpu, &env)) {
        memcpy(to, &a, shape.len);
    }
}

/* --- one lane */

static uint64_t f32_to_f64(FpEnv *env, uint64_t x)
{
    return fp_pack64(fp_convert(env, &fp_format64, fp_unpack32(env, (uint32_t)x)));
}

static uint64_t f64_to_f32(FpEnv *env, uint64_t x)
{
    return fp_pack32(fp_convert(env, &fp_format32, fp_unpack64(env, x)));
}

static uint64_t i32_to_f32(FpEnv *env, uint64_t x)
{
    return fp_pack32(fp_from_int(env, &fp_format32, (int32_t)x));
}

static uint64_t i64_to_f32(FpEnv *env, uint64_t x)
{
    return fp_pack32(fp_from_int(env, &fp_format32, (int64_t)x));
}

static uint64_t i32_to_f64(FpEnv *env, uint64_t x)
{
    return double_bits((double)(int32_t)x); /* always exact */
}

static uint64_t i64_to_f64(FpEnv *env, uint64_t x)
{
    if (x + (UINT64_C(1) << 53) <= UINT64_C(1) << 54) { /* exact */
        return double_bits((double)(int64_t)x);
    }
    return fp_pack64(fp_from_int(env, &fp_format64, (int64_t)x));
}

/* An integer that any width holds: converts without rounding. */
static bool is_small_integer64(uint64_t x, uint64_t *ret_integer)
{
    double value = as_double(x);

    if (!(value > -0x1p31 && value < 0x1p31) || (double)(int32_t)value != value) {
        return false;
    }
    *ret_integer = (uint64_t)(int32_t)value;
    return true;
}

static bool is_small_integer32(uint64_t x, uint64_t *ret_integer)
{
    return is_small_integer64(double_bits((double)as_float(x)), ret_integer);
}

#define TO_INT(name, size, width, rounding)                                                        \
    static uint64_t name(FpEnv *env, uint64_t x)                                                   \
    {                                                                                              \
        uint64_t exact;                                                                            \
        if (is_small_integer##size(x, &exact)) {                                                   \
            return exact;                                                                          \
        }                                                                                          \
        return (uint64_t)fp_to_int(env, fp_unpack##size(env, (uint##size##_t)x), width, rounding); \
    }

TO_INT(f32_to_i32, 32, 32, env->rounding)
TO_INT(f32_to_i64, 32, 64, env->rounding)
TO_INT(f64_to_i32, 64, 32, env->rounding)
TO_INT(f64_to_i64, 64, 64, env->rounding)
TO_INT(f32_to_i32_cut, 32, 32, FLOAT_TO_ZERO)
TO_INT(f32_to_i64_cut, 32, 64, FLOAT_TO_ZERO)
TO_INT(f64_to_i32_cut, 64, 32, FLOAT_TO_ZERO)
TO_INT(f64_to_i64_cut, 64, 64, FLOAT_TO_ZERO)

/* --- instructions */

#define CONVERT(name, function, ...)                                                               \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        const void *const from[2] = { from1, from2 };                                              \
        convert(cpu, to, from, (Shape){ __VA_ARGS__ }, function);                                  \
    }

/*      name          lane            n  from to  keep  bytes written */
CONVERT(cvtps2pd, f32_to_f64, 2, 4, 8, false, 16)
CONVERT(cvtpd2ps, f64_to_f32, 2, 8, 4, false, 16)
CONVERT(cvtss2sd, f32_to_f64, 1, 4, 8, true, 16)
CONVERT(cvtsd2ss, f64_to_f32, 1, 8, 4, true, 16)
CONVERT(cvtdq2ps, i32_to_f32, 4, 4, 4, false, 16)
CONVERT(cvtdq2pd, i32_to_f64, 2, 4, 8, false, 16)
CONVERT(cvtps2dq, f32_to_i32, 4, 4, 4, false, 16)
CONVERT(cvttps2dq, f32_to_i32_cut, 4, 4, 4, false, 16)
CONVERT(cvtpd2dq, f64_to_i32, 2, 8, 4, false, 16)
CONVERT(cvttpd2dq, f64_to_i32_cut, 2, 8, 4, false, 16)
CONVERT(cvtpi2ps, i32_to_f32, 2, 4, 4, true, 16)
CONVERT(cvtps2pi, f32_to_i32, 2, 4, 4, false, 8)
CONVERT(cvttps2pi, f32_to_i32_cut, 2, 4, 4, false, 8)
CONVERT(cvtpd2pi, f64_to_i32, 2, 8, 4, false, 8)
CONVERT(cvttpd2pi, f64_to_i32_cut, 2, 8, 4, false, 8)
CONVERT(cvtsi2ss32, i32_to_f32, 1, 4, 4, true, 16)
CONVERT(cvtsi2ss64, i64_to_f32, 1, 8, 4, true, 16)
CONVERT(cvtsi2sd32, i32_to_f64, 1, 4, 8, true, 16)
CONVERT(cvtsi2sd64, i64_to_f64, 1, 8, 8, true, 16)
CONVERT(cvtss2si32, f32_to_i32, 1, 4, 8, false, 8)
CONVERT(cvtss2si64, f32_to_i64, 1, 4, 8, false, 8)
CONVERT(cvtsd2si32, f64_to_i32, 1, 8, 8, false, 8)
CONVERT(cvtsd2si64, f64_to_i64, 1, 8, 8, false, 8)
CONVERT(cvttss2si32, f32_to_i32_cut, 1, 4, 8, false, 8)
CONVERT(cvttss2si64, f32_to_i64_cut, 1, 4, 8, false, 8)
CONVERT(cvttsd2si32, f64_to_i32_cut, 1, 8, 8, false, 8)
CONVERT(cvttsd2si64, f64_to_i64_cut, 1, 8, 8, false, 8)

/* --- half precision: DAZ and FTZ are for the other sizes */

static uint64_t f16_to_f32(FpEnv *env, uint64_t x)
{
    FpNumber a = fp_unpack16((uint16_t)x);

    a.denormal = false; /* raises nothing */
    return fp_pack32(fp_convert(env, &fp_format32, a));
}

static uint64_t f32_to_f16(FpEnv *env, uint64_t x)
{
    return fp_pack16(fp_convert(env, &fp_format16, fp_unpack32(env, (uint32_t)x)));
}

VECTOR_FN(vcvtph2ps)
{
    FpEnv env = sse_env(x86_cpu(cpu));
    Lanes b, r;

    memcpy(&b, from2, 8);
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = (uint32_t)f16_to_f32(&env, b.u16[i]);
    }
    if (sse_finish(x86_cpu(cpu), &env)) {
        memcpy(to, &r, 16);
    }
}

VECTOR_FN(vcvtps2ph)
{
    FpEnv env = sse_env(x86_cpu(cpu));
    Lanes b, r = { 0 };

    env.ftz = false;
    env.rounding = immediate & 4 ? env.rounding : (FpRounding)(immediate & 3);
    memcpy(&b, from2, 16);
    for (unsigned i = 0; i < 4; i++) {
        r.u16[i] = (uint16_t)f32_to_f16(&env, b.u32[i]);
    }
    if (sse_finish(x86_cpu(cpu), &env)) {
        memcpy(to, &r, 16);
    }
}
