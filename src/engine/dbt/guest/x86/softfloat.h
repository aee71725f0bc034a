/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exact floating point in portable C, for x87 (80 bits) and SSE (32 and 64 bits), with the flags,
 * NaN rules and rounding of x86 (Intel SDM volume 1, 4.8, 8.5 and 11.5).
 *
 * A number is unpacked from its bits, computed with, and rounded to a format; packing it again
 * loses nothing.  Operations raise flags in FpEnv and give the masked response; the caller looks
 * at .flags and drops the result if one is unmasked.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exception flags; FSW, FCW (masks) and MXCSR agree on them. */
enum {
    FLOAT_INVALID = 1 << 0,
    FLOAT_DENORMAL = 1 << 1,
    FLOAT_DIVIDE = 1 << 2,
    FLOAT_OVERFLOW = 1 << 3,
    FLOAT_UNDERFLOW = 1 << 4,
    FLOAT_INEXACT = 1 << 5,
    FLOAT_EXCEPTIONS = 0x3f,
    FLOAT_BEFORE =
        FLOAT_INVALID | FLOAT_DENORMAL | FLOAT_DIVIDE, /* found before the result is computed */
};

/* As the RC fields of FCW and MXCSR have it. */
typedef enum FpRounding { FLOAT_NEAREST, FLOAT_DOWN, FLOAT_UP, FLOAT_TO_ZERO } FpRounding;

typedef enum FpKind {
    FLOAT_ZERO,
    FLOAT_FINITE,
    FLOAT_INFINITE,
    FLOAT_QUIET,
    FLOAT_SIGNALING,
    FLOAT_UNSUPPORTED, /* 80 bits only: unnormals, pseudo-NaN, pseudo-infinity */
} FpKind;

/* Finite: sig / 2^63 * 2^exp, the highest bit of sig set, unless it is a denormal that rounding
 * made (then exp is the format's least).  NaN: the fraction below a set highest bit. */
typedef struct FpNumber {
    uint64_t sig;
    int32_t exp;
    uint8_t kind; /* FpKind */
    bool sign;
    bool denormal; /* its encoding was a denormal's */
} FpNumber;

typedef struct FpFormat {
    int precision, least, greatest; /* exponents of normal numbers */
} FpFormat;
extern const FpFormat fp_format16, fp_format32, fp_format64, fp_format80;
/* 80-bit registers with the precision that FCW.PC asks for (0 single, 2 double, else 64 bits). */
extern const FpFormat fp_format_x87[4];

typedef struct FpEnv {
    FpRounding rounding;
    uint8_t masked; /* exceptions, by flag */
    bool x87;       /* NaN rules of x87, not of SSE */
    bool daz, ftz;  /* MXCSR's, .ftz only while underflow is masked */
    bool host;      /* rounding is to nearest and inexact was raised before: where nothing else can
                       happen, the caller may use the host's arithmetic */
    uint8_t flags;  /* raised */
    bool up;        /* the last rounding made the magnitude greater */
} FpEnv;

typedef enum FpOrder { FLOAT_LESS, FLOAT_EQUAL, FLOAT_GREATER, FLOAT_UNORDERED } FpOrder;

/* Whatever .daz says. */
FpNumber fp_unpack16(uint16_t bits);
FpNumber fp_unpack32(const FpEnv *env, uint32_t bits);
FpNumber fp_unpack64(const FpEnv *env, uint64_t bits);
FpNumber fp_unpack80(uint64_t mantissa, uint16_t sign_exponent);
uint16_t fp_pack16(FpNumber n);
uint32_t fp_pack32(FpNumber n);
uint64_t fp_pack64(FpNumber n);
/* Gives the mantissa. */
uint64_t fp_pack80(FpNumber n, uint16_t *ret_sign_exponent);

bool fp_is_nan(FpNumber n);
FpNumber fp_zero(bool sign);
FpNumber fp_infinity(bool sign);
/* The NaN of a masked invalid operation. */
FpNumber fp_default_nan(void);
/* Raise FLOAT_INVALID and give the default NaN. */
FpNumber fp_invalid(FpEnv *env);
/* Raise FLOAT_DENORMAL if one of them is. */
void fp_note_denormals(FpEnv *env, FpNumber a, FpNumber b);
/* @n's NaN as a result. */
FpNumber fp_quieted(FpNumber n);
/* If an operand is a NaN or unsupported: raise what that raises, give the result, true. */
bool fp_nan_operand(FpEnv *env, FpNumber a, FpNumber b, FpNumber *ret_result);
/* Round sig:lo * 2^exp, the highest bit of @sig set, @lo's lowest bit standing for all below. */
FpNumber fp_round(FpEnv *env, const FpFormat *format, bool sign, int32_t exp, uint64_t sig,
                  uint64_t lo);

FpNumber fp_add(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b);
FpNumber fp_sub(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b);
FpNumber fp_mul(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b);
FpNumber fp_div(FpEnv *env, const FpFormat *format, FpNumber a, FpNumber b);
/* v[0] * v[1] + v[2], rounded once. */
enum { FMA_NEGATE_PRODUCT = 1, FMA_NEGATE_ADDEND = 2 };
FpNumber fp_fma(FpEnv *env, const FpFormat *format, const FpNumber v[3], unsigned negate);
FpNumber fp_sqrt(FpEnv *env, const FpFormat *format, FpNumber a);
/* To another format; a NaN keeps the upper bits of its fraction. */
FpNumber fp_convert(FpEnv *env, const FpFormat *format, FpNumber a);
/* To an integral value. */
FpNumber fp_round_to_int(FpEnv *env, FpNumber a);
FpNumber fp_from_int(FpEnv *env, const FpFormat *format, int64_t value);
/* @width is 16, 32 or 64; invalid gives the integer indefinite. */
int64_t fp_to_int(FpEnv *env, FpNumber a, unsigned width, FpRounding rounding);
/* @quiet: a quiet NaN is not invalid. */
FpOrder fp_compare(FpEnv *env, FpNumber a, FpNumber b, bool quiet);
