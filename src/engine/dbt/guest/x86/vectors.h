/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vector operations of vectors.def: their table, and the view of a vector that their C code
 * shares.
 *
 * Each is a pure function of its operands, but for MXCSR and an exception.  It reads its sources
 * before it writes @to, which may be one of them.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include <string.h>

#include "engine/dbt/guest/x86/translate.h"

/* 16 bytes (or, for MMX, the low 8) as lanes. */
typedef union Lanes {
    int8_t i8[16];
    uint8_t u8[16];
    int16_t i16[8];
    uint16_t u16[8];
    int32_t i32[4];
    uint32_t u32[4];
    int64_t i64[2];
    uint64_t u64[2];
} Lanes;

/* The head of a vector operation. */
#define VECTOR_FN(name)                                                                            \
    void x86_vector_##name(DbtCpu *cpu, void *to, const void *from1, const void *from2,            \
                           unsigned immediate)

/* r.lane[i] = expression, of a and b, for each lane of the first @bytes. */
#define LANES(name, bytes, lane, expression)                                                       \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes a, b, r;                                                                             \
        memcpy(&a, from1, bytes);                                                                  \
        memcpy(&b, from2, bytes);                                                                  \
        for (unsigned i = 0; i < (bytes) / sizeof(r.lane[0]); i++) {                               \
            r.lane[i] = (typeof(r.lane[0]))(expression);                                           \
        }                                                                                          \
        memcpy(to, &r, bytes);                                                                     \
    }

static inline int saturate(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* In the order of enum X86_VECTOR_ (translate.h). */
extern const VectorOp x86_vectors[];

/* vectors_wide.c: isa->wide_vector. */
void x86_vector_wide(DbtCpu *cpu, void *to, const void *from1, const void *from2, uint64_t what);
