/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations that came with AVX and AVX2: permutations, broadcasts, inserts, shifts by
 * variable counts, blends by any register (SDM volume 2).
 *
 * Those on 16 bytes are done twice for 32 (vectors_wide.c); the others say so.
 *
 * Threads: no state.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/vectors.h"

LANES(copy_zero4, 16, u32, i ? 0 : b.u32[i])
LANES(load_low8, 16, u64, i ? a.u64[i] : b.u64[i])
LANES(load_high8, 16, u64, i ? b.u64[0] : a.u64[i])

/* An element of the second operand's low part in place of the one that the immediate names. */
#define INSERT(name, lane)                                                                         \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes a, b;                                                                                \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, sizeof(b.lane[0]));                                                      \
        a.lane[immediate % (16 / sizeof(a.lane[0]))] = b.lane[0];                                  \
        memcpy(to, &a, 16);                                                                        \
    }

INSERT(pinsrb, u8)
INSERT(pinsrw, u16)
INSERT(pinsrd, u32)
INSERT(pinsrq, u64)

/* Inside 16 bytes. */
LANES(vpermilps, 16, u32, a.u32[b.u32[i] & 3])
LANES(vpermilpd, 16, u64, a.u64[(b.u64[i] >> 1) & 1])
LANES(vpermilps_imm, 16, u32, b.u32[(immediate >> (2 * i)) & 3])
LANES(vpermilpd_imm, 16, u64, b.u64[(immediate >> i) & 1])

/* Across all 32: the first operand has the indexes. */
VECTOR_FN(vpermd)
{
    X86Vector a, b, r;

    memcpy(&a, from1, 32);
    memcpy(&b, from2, 32);
    for (unsigned i = 0; i < 8; i++) {
        r.u32[i] = b.u32[a.u32[i] & 7];
    }
    memcpy(to, &r, 32);
}

VECTOR_FN(vpermq_imm)
{
    X86Vector b, r;

    memcpy(&b, from2, 32);
    for (unsigned i = 0; i < 4; i++) {
        r.u64[i] = b.u64[(immediate >> (2 * i)) & 3];
    }
    memcpy(to, &r, 32);
}

/* The half that bits 1:0 of @choice name, of first operand : second operand; bit 3: zeros. */
static void choose_half(uint8_t *to, const X86Vector *a, const X86Vector *b, unsigned choice)
{
    if (choice & 8) {
        memset(to, 0, 16);
    } else {
        memcpy(to, (choice & 2 ? b : a)->u8 + 16 * (choice & 1), 16);
    }
}

VECTOR_FN(vperm2f128)
{
    X86Vector a, b, r;

    memcpy(&a, from1, 32);
    memcpy(&b, from2, 32);
    choose_half(r.u8, &a, &b, immediate);
    choose_half(r.u8 + 16, &a, &b, immediate >> 4);
    memcpy(to, &r, 32);
}

/* 32 bytes, of which one half is the second operand's low 16. */
VECTOR_FN(vinsertf128)
{
    X86Vector a;
    uint8_t b[16];

    memcpy(&a, from1, 32);
    memcpy(b, from2, 16);
    memcpy(a.u8 + 16 * (immediate & 1), b, 16);
    memcpy(to, &a, 32);
}

/* 16 bytes of a register of 32. */
VECTOR_FN(vextractf128)
{
    uint8_t half[16];

    memcpy(half, (const uint8_t *)from2 + 16 * (immediate & 1), 16);
    memcpy(to, half, 16);
}

#define BROADCAST(name, lane)                                                                      \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes b, r;                                                                                \
        memcpy(&b, from2, sizeof(b.lane[0]));                                                      \
        for (unsigned i = 0; i < 16 / sizeof(r.lane[0]); i++) {                                    \
            r.lane[i] = b.lane[0];                                                                 \
        }                                                                                          \
        memcpy(to, &r, 16);                                                                        \
    }

BROADCAST(vpbroadcastb, u8)
BROADCAST(vpbroadcastw, u16)
BROADCAST(vpbroadcastd, u32)
BROADCAST(vpbroadcastq, u64)
LANES(vbroadcastf128, 16, u64, b.u64[i])

/* Each lane by its own count. */
LANES(vpsllvd, 16, u32, b.u32[i] > 31 ? 0 : a.u32[i] << b.u32[i])
LANES(vpsllvq, 16, u64, b.u64[i] > 63 ? 0 : a.u64[i] << b.u64[i])
LANES(vpsrlvd, 16, u32, b.u32[i] > 31 ? 0 : a.u32[i] >> b.u32[i])
LANES(vpsrlvq, 16, u64, b.u64[i] > 63 ? 0 : a.u64[i] >> b.u64[i])
LANES(vpsravd, 16, i32, a.i32[i] >> (b.u32[i] > 31 ? 31 : b.u32[i]))

/* ZF: no sign is set in both, CF: none in the second alone. */
#define TEST_SIGNS(name, lane)                                                                     \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes a, b;                                                                                \
        bool both = false, second = false;                                                         \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, 16);                                                                     \
        for (unsigned i = 0; i < 16 / sizeof(a.lane[0]); i++) {                                    \
            both |= (a.lane[i] & b.lane[i]) < 0;                                                   \
            second |= (~a.lane[i] & b.lane[i]) < 0;                                                \
        }                                                                                          \
        store_le64(to, (both ? 0 : FLAG_ZF) | (second ? 0 : FLAG_CF));                             \
    }

TEST_SIGNS(vtestps, i32)
TEST_SIGNS(vtestpd, i64)

/* The half of a mask register that @immediate names: bits 3:0 the register, 4 the half. */
static Lanes mask_of(DbtCpu *cpu, unsigned immediate)
{
    Lanes mask;

    memcpy(&mask, x86_cpu(cpu)->vector[immediate & 15].u8 + (immediate & 16), 16);
    return mask;
}

#define BLEND(name, lane)                                                                          \
    VECTOR_FN(name)                                                                                \
    {                                                                                              \
        Lanes a, b, mask = mask_of(cpu, immediate);                                                \
        memcpy(&a, from1, 16);                                                                     \
        memcpy(&b, from2, 16);                                                                     \
        for (unsigned i = 0; i < 16 / sizeof(a.lane[0]); i++) {                                    \
            a.lane[i] = mask.lane[i] < 0 ? b.lane[i] : a.lane[i];                                  \
        }                                                                                          \
        memcpy(to, &a, 16);                                                                        \
    }

BLEND(vpblendvb, i8)
BLEND(vblendvps, i32)
BLEND(vblendvpd, i64)

VECTOR_FN(vzeroupper)
{
    for (unsigned i = 0; i < immediate; i++) {
        memset(x86_cpu(cpu)->vector[i].u8 + 16, 0, 16);
    }
}

VECTOR_FN(vzeroall)
{
    for (unsigned i = 0; i < immediate; i++) {
        memset(&x86_cpu(cpu)->vector[i], 0, sizeof(X86Vector));
    }
}
