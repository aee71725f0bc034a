/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations that move lanes: pack, unpack, shuffle, blend, extend, masks.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/vectors.h"

#include "common/bits.h"

/* @n wide lanes of a, then of b, narrowed with saturation; n for 16 bytes. */
#define PACK(name, narrow, wide, n, low, high)                                                     \
    PACK_OF(name, 16, narrow, wide, n, low, high)                                                  \
    PACK_OF(mmx_##name, 8, narrow, wide, (n) / 2, low, high)
#define PACK_OF(name, bytes, narrow, wide, n, low, high)                                           \
    LANES(name, bytes, narrow, saturate(i < (n) ? a.wide[i] : b.wide[i - (n)], low, high))

PACK(packsswb, i8, i16, 8, INT8_MIN, INT8_MAX)
PACK(packssdw, i16, i32, 4, INT16_MIN, INT16_MAX)
PACK(packuswb, u8, i16, 8, 0, UINT8_MAX)
PACK_OF(packusdw, 16, u16, i32, 4, 0, UINT16_MAX)

/* Lanes of a and b in turn, from the low or the high half; n lanes in 16 bytes. */
#define UNPACK(low, high, lane, n)                                                                 \
    UNPACK_OF(low, 16, lane, 0)                                                                    \
    UNPACK_OF(mmx_##low, 8, lane, 0)                                                               \
    UNPACK_OF(high, 16, lane, (n) / 2)                                                             \
    UNPACK_OF(mmx_##high, 8, lane, (n) / 4)
#define UNPACK_OF(name, bytes, lane, start)                                                        \
    LANES(name, bytes, lane, (i & 1) ? b.lane[(start) + i / 2] : a.lane[(start) + i / 2])

UNPACK(punpcklbw, punpckhbw, u8, 16)
UNPACK(punpcklwd, punpckhwd, u16, 8)
UNPACK(punpckldq, punpckhdq, u32, 4)
UNPACK_OF(punpcklqdq, 16, u64, 0)
UNPACK_OF(punpckhqdq, 16, u64, 1)

LANES(pshufb, 16, u8, (b.u8[i] & 0x80) ? 0 : a.u8[b.u8[i] & 15])
LANES(mmx_pshufb, 8, u8, (b.u8[i] & 0x80) ? 0 : a.u8[b.u8[i] & 7])
LANES(mmx_pshufw, 8, u16, b.u16[(immediate >> (2 * i)) & 3])
LANES(pshufd, 16, u32, b.u32[(immediate >> (2 * i)) & 3])
LANES(pshufhw, 16, u16, i < 4 ? b.u16[i] : b.u16[4 + ((immediate >> (2 * (i - 4))) & 3)])
LANES(pshuflw, 16, u16, i < 4 ? b.u16[(immediate >> (2 * i)) & 3] : b.u16[i])
LANES(shufps, 16, u32, (i < 2 ? a.u32 : b.u32)[(immediate >> (2 * i)) & 3])
LANES(shufpd, 16, u64, (i ? b.u64 : a.u64)[(immediate >> i) & 1])
LANES(copy, 16, u64, b.u64[i])
LANES(copy_low4, 16, u32, i ? a.u32[i] : b.u32[i])
LANES(copy_low8, 16, u64, i ? a.u64[i] : b.u64[i])
LANES(copy_zero8, 16, u64, i ? 0 : b.u64[i])
LANES(movhlps, 16, u64, i ? a.u64[1] : b.u64[1])
LANES(movlhps, 16, u64, i ? b.u64[0] : a.u64[0])
LANES(movddup, 16, u64, b.u64[0])
LANES(movsldup, 16, u32, b.u32[i & ~1U])
LANES(movshdup, 16, u32, b.u32[i | 1])

/* The byte @at of second operand : first operand, each of @n bytes; 0 beyond. */
static inline uint8_t joined_byte(const Lanes *high, const Lanes *low, unsigned at, unsigned n)
{
    return at < n ? low->u8[at] : at < 2 * n ? high->u8[at - n] : 0;
}

LANES(palignr, 16, u8, joined_byte(&a, &b, i + (immediate & 0xff), 16))
LANES(mmx_palignr, 8, u8, joined_byte(&a, &b, i + (immediate & 0xff), 8))
LANES(pslldq_imm, 16, u8, i < (immediate & 0xff) ? 0 : a.u8[i - (immediate & 0xff)])
LANES(psrldq_imm, 16, u8, i + (immediate & 0xff) > 15 ? 0 : a.u8[i + (immediate & 0xff)])

LANES(pblendw, 16, u16, (immediate >> i) & 1 ? b.u16[i] : a.u16[i])
LANES(blendps, 16, u32, (immediate >> i) & 1 ? b.u32[i] : a.u32[i])
LANES(blendpd, 16, u64, (immediate >> i) & 1 ? b.u64[i] : a.u64[i])
LANES(pblendvb, 16, u8, x86_cpu(cpu)->vector[0].u8[i] >> 7 ? b.u8[i] : a.u8[i])
LANES(blendvps, 16, u32, x86_cpu(cpu)->vector[0].u32[i] >> 31 ? b.u32[i] : a.u32[i])
LANES(blendvpd, 16, u64, x86_cpu(cpu)->vector[0].u64[i] >> 63 ? b.u64[i] : a.u64[i])

/* Lanes of the second operand's low part, widened. */
LANES(pmovsxbw, 16, i16, b.i8[i])
LANES(pmovsxbd, 16, i32, b.i8[i])
LANES(pmovsxbq, 16, i64, b.i8[i])
LANES(pmovsxwd, 16, i32, b.i16[i])
LANES(pmovsxwq, 16, i64, b.i16[i])
LANES(pmovsxdq, 16, i64, b.i32[i])
LANES(pmovzxbw, 16, u16, b.u8[i])
LANES(pmovzxbd, 16, u32, b.u8[i])
LANES(pmovzxbq, 16, u64, b.u8[i])
LANES(pmovzxwd, 16, u32, b.u16[i])
LANES(pmovzxwq, 16, u64, b.u16[i])
LANES(pmovzxdq, 16, u64, b.u32[i])

/* One bit per lane: its sign. */
#define SIGNS(name, bytes, lane)                                                                   \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        uint64_t mask = 0;                                                                         \
        Lanes b;                                                                                   \
        memcpy(&b, from2, bytes);                                                                  \
        for (unsigned i = 0; i < (bytes) / sizeof(b.lane[0]); i++) {                               \
            mask |= (uint64_t)(b.lane[i] < 0) << i;                                                \
        }                                                                                          \
        store_le64(to, mask);                                                                      \
    }

SIGNS(movmskps, 16, i32)
SIGNS(movmskpd, 16, i64)

/* The signs of eight bytes: the product gathers bit 8 i in bit 56 + i. */
static uint64_t byte_signs(uint64_t bytes)
{
    return ((bytes >> 7) & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080) >> 56;
}

VECTOR_FN(pmovmskb)
{
    uint64_t low = byte_signs(load_le64(from2));
    uint64_t high = byte_signs(load_le64((const uint8_t *)from2 + 8));

    store_le64(to, high << 8 | low);
}

VECTOR_FN(mmx_pmovmskb)
{
    store_le64(to, byte_signs(load_le64(from2)));
}

/* A lane of the source (always lane 0 from memory: the rule says so in the immediate) to a lane of
 * the destination, then zeros by mask. */
VECTOR_FN(insertps)
{
    Lanes a, b;

    memcpy(&a, from1, 16);
    memcpy(&b, from2, 16);
    a.u32[(immediate >> 4) & 3] = b.u32[(immediate >> 6) & 3];
    for (unsigned i = 0; i < 4; i++) {
        a.u32[i] = (immediate >> i) & 1 ? 0 : a.u32[i];
    }
    memcpy(to, &a, 16);
}
