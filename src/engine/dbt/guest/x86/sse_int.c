/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer arithmetic on packed lanes: MMX, SSE2, SSSE3, SSE4 (Intel SDM volume 2).
 *
 * Plain loops over lanes, which compilers turn into vector code.  Each operation exists on 16
 * bytes and, if MMX has it, on 8.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/vectors.h"

#include "common/bits.h"

#define BOTH(name, lane, expression)                                                               \
    LANES(name, 16, lane, expression)                                                              \
    LANES(mmx_##name, 8, lane, expression)

static inline int saturate_i8(int value)
{
    return saturate(value, INT8_MIN, INT8_MAX);
}

static inline int saturate_u8(int value)
{
    return saturate(value, 0, UINT8_MAX);
}

static inline int saturate_i16(int value)
{
    return saturate(value, INT16_MIN, INT16_MAX);
}

static inline int saturate_u16(int value)
{
    return saturate(value, 0, UINT16_MAX);
}

BOTH(paddb, u8, a.u8[i] + b.u8[i])
BOTH(paddw, u16, a.u16[i] + b.u16[i])
BOTH(paddd, u32, a.u32[i] + b.u32[i])
BOTH(paddq, u64, a.u64[i] + b.u64[i])
BOTH(psubb, u8, a.u8[i] - b.u8[i])
BOTH(psubw, u16, a.u16[i] - b.u16[i])
BOTH(psubd, u32, a.u32[i] - b.u32[i])
BOTH(psubq, u64, a.u64[i] - b.u64[i])
BOTH(paddsb, i8, saturate_i8(a.i8[i] + b.i8[i]))
BOTH(paddsw, i16, saturate_i16(a.i16[i] + b.i16[i]))
BOTH(paddusb, u8, saturate_u8(a.u8[i] + b.u8[i]))
BOTH(paddusw, u16, saturate_u16(a.u16[i] + b.u16[i]))
BOTH(psubsb, i8, saturate_i8(a.i8[i] - b.i8[i]))
BOTH(psubsw, i16, saturate_i16(a.i16[i] - b.i16[i]))
BOTH(psubusb, u8, saturate_u8(a.u8[i] - b.u8[i]))
BOTH(psubusw, u16, saturate_u16(a.u16[i] - b.u16[i]))
BOTH(pavgb, u8, (a.u8[i] + b.u8[i] + 1) >> 1)
BOTH(pavgw, u16, (a.u16[i] + b.u16[i] + 1) >> 1)

BOTH(pminub, u8, a.u8[i] < b.u8[i] ? a.u8[i] : b.u8[i])
BOTH(pmaxub, u8, a.u8[i] > b.u8[i] ? a.u8[i] : b.u8[i])
BOTH(pminsw, i16, a.i16[i] < b.i16[i] ? a.i16[i] : b.i16[i])
BOTH(pmaxsw, i16, a.i16[i] > b.i16[i] ? a.i16[i] : b.i16[i])
LANES(pminsb, 16, i8, a.i8[i] < b.i8[i] ? a.i8[i] : b.i8[i])
LANES(pmaxsb, 16, i8, a.i8[i] > b.i8[i] ? a.i8[i] : b.i8[i])
LANES(pminuw, 16, u16, a.u16[i] < b.u16[i] ? a.u16[i] : b.u16[i])
LANES(pmaxuw, 16, u16, a.u16[i] > b.u16[i] ? a.u16[i] : b.u16[i])
LANES(pminsd, 16, i32, a.i32[i] < b.i32[i] ? a.i32[i] : b.i32[i])
LANES(pmaxsd, 16, i32, a.i32[i] > b.i32[i] ? a.i32[i] : b.i32[i])
LANES(pminud, 16, u32, a.u32[i] < b.u32[i] ? a.u32[i] : b.u32[i])
LANES(pmaxud, 16, u32, a.u32[i] > b.u32[i] ? a.u32[i] : b.u32[i])

BOTH(pcmpeqb, i8, -(a.i8[i] == b.i8[i]))
BOTH(pcmpeqw, i16, -(a.i16[i] == b.i16[i]))
BOTH(pcmpeqd, i32, -(a.i32[i] == b.i32[i]))
LANES(pcmpeqq, 16, i64, -(int64_t)(a.i64[i] == b.i64[i]))
BOTH(pcmpgtb, i8, -(a.i8[i] > b.i8[i]))
BOTH(pcmpgtw, i16, -(a.i16[i] > b.i16[i]))
BOTH(pcmpgtd, i32, -(a.i32[i] > b.i32[i]))
LANES(pcmpgtq, 16, i64, -(int64_t)(a.i64[i] > b.i64[i]))

BOTH(pand, u64, a.u64[i] & b.u64[i])
BOTH(pandn, u64, ~a.u64[i] & b.u64[i])
BOTH(por, u64, a.u64[i] | b.u64[i])
BOTH(pxor, u64, a.u64[i] ^ b.u64[i])

BOTH(pmullw, u16, (unsigned)a.u16[i] * b.u16[i])
BOTH(pmulhw, i16, (a.i16[i] * b.i16[i]) >> 16)
BOTH(pmulhuw, u16, ((unsigned)a.u16[i] * b.u16[i]) >> 16)
BOTH(pmulhrsw, i16, (((a.i16[i] * b.i16[i]) >> 14) + 1) >> 1)
LANES(pmulld, 16, u32, a.u32[i] * b.u32[i])
BOTH(pmuludq, u64, (uint64_t)a.u32[2 * i] * b.u32[2 * i])
LANES(pmuldq, 16, i64, (int64_t)a.i32[2 * i] * b.i32[2 * i])
/* Only 8000h * 8000h twice overflows, to 80000000h: unsigned arithmetic does that. */
BOTH(pmaddwd, u32,
     (uint32_t)(a.i16[2 * i] * b.i16[2 * i]) + (uint32_t)(a.i16[2 * i + 1] * b.i16[2 * i + 1]))
BOTH(pmaddubsw, i16, saturate_i16(a.u8[2 * i] * b.i8[2 * i] + a.u8[2 * i + 1] * b.i8[2 * i + 1]))

BOTH(psignb, i8, b.i8[i] < 0 ? -a.i8[i] : b.i8[i] ? a.i8[i] : 0)
BOTH(psignw, i16, b.i16[i] < 0 ? -a.i16[i] : b.i16[i] ? a.i16[i] : 0)
BOTH(psignd, u32, b.i32[i] < 0 ? -a.u32[i] : b.i32[i] ? a.u32[i] : 0)
BOTH(pabsb, u8, b.i8[i] < 0 ? -b.i8[i] : b.i8[i])
BOTH(pabsw, u16, b.i16[i] < 0 ? -b.i16[i] : b.i16[i])
BOTH(pabsd, u32, b.i32[i] < 0 ? -b.u32[i] : b.u32[i])

/* Lane i of the pairs of a, then of b: each pair's first and second element. */
#define PAIR(lane, n, second)                                                                      \
    (i < (n) / 2 ? a.lane[2 * i + (second)] : b.lane[2 * i - (n) + (second)])
#define PAIRS(name, lane, n, expression)                                                           \
    LANES(name, 16, lane, expression(PAIR(lane, n, 0), PAIR(lane, n, 1)))                          \
    LANES(mmx_##name, 8, lane, expression(PAIR(lane, (n) / 2, 0), PAIR(lane, (n) / 2, 1)))

static inline uint32_t sum(uint32_t x, uint32_t y)
{
    return x + y;
}

static inline uint32_t difference(uint32_t x, uint32_t y)
{
    return x - y;
}

static inline int saturated_sum(int x, int y)
{
    return saturate_i16(x + y);
}

static inline int saturated_difference(int x, int y)
{
    return saturate_i16(x - y);
}

PAIRS(phaddw, u16, 8, sum)
PAIRS(phaddd, u32, 4, sum)
PAIRS(phaddsw, i16, 8, saturated_sum)
PAIRS(phsubw, u16, 8, difference)
PAIRS(phsubd, u32, 4, difference)
PAIRS(phsubsw, i16, 8, saturated_difference)

/* A shift by the low 64 bits of the second operand, and by the immediate. */
#define SHIFT(name, lane, expression)                                                              \
    SHIFT_BY(name, 16, lane, expression, load_le64(from2))                                         \
    SHIFT_BY(mmx_##name, 8, lane, expression, load_le64(from2))                                    \
    SHIFT_BY(name##_imm, 16, lane, expression, immediate)                                          \
    SHIFT_BY(mmx_##name##_imm, 8, lane, expression, immediate)
#define SHIFT_BY(name, bytes, lane, expression, by)                                                \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        uint64_t count = (by);                                                                     \
        Lanes a;                                                                                   \
        memcpy(&a, from1, bytes);                                                                  \
        for (unsigned i = 0; i < (bytes) / sizeof(a.lane[0]); i++) {                               \
            a.lane[i] = (typeof(a.lane[0]))(expression);                                           \
        }                                                                                          \
        memcpy(to, &a, bytes);                                                                     \
    }

SHIFT(psrlw, u16, count > 15 ? 0 : a.u16[i] >> count)
SHIFT(psrld, u32, count > 31 ? 0 : a.u32[i] >> count)
SHIFT(psrlq, u64, count > 63 ? 0 : a.u64[i] >> count)
SHIFT(psraw, i16, a.i16[i] >> (count > 15 ? 15 : count))
SHIFT(psrad, i32, a.i32[i] >> (count > 31 ? 31 : count))
SHIFT(psllw, u16, count > 15 ? 0 : a.u16[i] << count)
SHIFT(pslld, u32, count > 31 ? 0 : a.u32[i] << count)
SHIFT(psllq, u64, count > 63 ? 0 : a.u64[i] << count)

static inline unsigned byte_distance(uint8_t x, uint8_t y)
{
    return x > y ? x - y : y - x;
}

static void sum_of_distances(void *to, const void *from1, const void *from2, unsigned bytes)
{
    Lanes a, b, r;

    memcpy(&a, from1, bytes);
    memcpy(&b, from2, bytes);
    for (unsigned q = 0; q < bytes / 8; q++) {
        unsigned total = 0;
        for (unsigned i = 0; i < 8; i++) {
            total += byte_distance(a.u8[8 * q + i], b.u8[8 * q + i]);
        }
        r.u64[q] = total;
    }
    memcpy(to, &r, bytes);
}

VECTOR_FN(psadbw)
{
    sum_of_distances(to, from1, from2, 16);
}

VECTOR_FN(mmx_psadbw)
{
    sum_of_distances(to, from1, from2, 8);
}

/* Eight sums of four distances: a window that slides over the first operand against one block of
 * the second. */
VECTOR_FN(mpsadbw)
{
    unsigned window = (immediate & 4) ? 4 : 0;
    unsigned block = (immediate & 3) * 4;
    Lanes a, b, r;

    memcpy(&a, from1, 16);
    memcpy(&b, from2, 16);
    for (unsigned i = 0; i < 8; i++) {
        unsigned total = 0;
        for (unsigned j = 0; j < 4; j++) {
            total += byte_distance(a.u8[window + i + j], b.u8[block + j]);
        }
        r.u16[i] = (uint16_t)total;
    }
    memcpy(to, &r, 16);
}

/* The smallest word and its index. */
VECTOR_FN(phminposuw)
{
    Lanes b, r = { 0 };
    unsigned at = 0;

    memcpy(&b, from2, 16);
    for (unsigned i = 1; i < 8; i++) {
        at = b.u16[i] < b.u16[at] ? i : at;
    }
    r.u16[0] = b.u16[at];
    r.u16[1] = (uint16_t)at;
    memcpy(to, &r, 16);
}

VECTOR_FN(ptest)
{
    Lanes a, b;
    uint64_t flags = 0;

    memcpy(&a, from1, 16);
    memcpy(&b, from2, 16);
    if (!((a.u64[0] & b.u64[0]) | (a.u64[1] & b.u64[1]))) {
        flags |= FLAG_ZF;
    }
    if (!((~a.u64[0] & b.u64[0]) | (~a.u64[1] & b.u64[1]))) {
        flags |= FLAG_CF;
    }
    store_le64(to, flags);
}
