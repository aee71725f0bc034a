/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opcode rows of MMX and SSE to SSE4.2, AES, PCLMULQDQ and the state in memory (SDM volume 2,
 * appendix A; columns: no prefix, 66, F3, F2).
 *
 * Deviations from the manual's operand words: a conversion's or shuffle's unused part of a source
 * is not read (CVTDQ2PD has Wq), as the processor does.
 *
 * Threads: constants.
 */
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/tr_sse.h"

#define FEATURE(set) .feature = X86_FEATURE_##set
#define ALIGNED      .flags = OPCODE_SSE | OPCODE_ALIGN

/* A row for a rule of its own. */
#define MMX_ROW(mnemonic, set, rule_, arg, ...)                                                    \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .flags = OPCODE_MMX,          \
        .argument = arg, FEATURE(set)                                                              \
    }
#define SSE_ROW(mnemonic, set, rule_, arg, ...)                                                    \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .argument = arg, ALIGNED,     \
        FEATURE(set)                                                                               \
    }
/* Both register files. */
#define MIXED_ROW(mnemonic, set, rule_, arg, ...)                                                  \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_,                               \
        .flags = OPCODE_MMX | OPCODE_SSE | OPCODE_ALIGN, .argument = arg, FEATURE(set)             \
    }
/* Without an alignment fault. */
#define SSE_ANY(mnemonic, set, rule_, arg, ...)                                                    \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .flags = OPCODE_SSE,          \
        .argument = arg, FEATURE(set)                                                              \
    }
/* A vector operation. */
#define MMX(name, set, ...) MMX_ROW(#name, set, tr_mmx, X86_VECTOR_mmx_##name, __VA_ARGS__)
#define SSE(name, set, ...) SSE_ROW(#name, set, tr_sse, X86_VECTOR_##name, __VA_ARGS__)
#define PAIR(name)                                                                                 \
    {                                                                                              \
        MMX(name, MMX, Pq, Qq), SSE(name, SSE2, Vx, Wx)                                            \
    }
#define PAIR_SSE(name)                                                                             \
    {                                                                                              \
        MMX(name, SSE, Pq, Qq), SSE(name, SSE2, Vx, Wx)                                            \
    }
#define PAIR_SSE2(name)                                                                            \
    {                                                                                              \
        MMX(name, SSE2, Pq, Qq), SSE(name, SSE2, Vx, Wx)                                           \
    }
#define PAIR_SSSE3(name)                                                                           \
    {                                                                                              \
        MMX(name, SSSE3, Pq, Qq), SSE(name, SSSE3, Vx, Wx)                                         \
    }
#define ONLY_66(...)                                                                               \
    {                                                                                              \
        [PREFIX_66] = __VA_ARGS__                                                                  \
    }
/* Packed and scalar, single and double. */
#define FLOATS(name)                                                                               \
    {                                                                                              \
        SSE(name##ps, SSE, Vps, Wps), SSE(name##pd, SSE2, Vpd, Wpd), SSE(name##ss, SSE, Vss, Wss), \
            SSE(name##sd, SSE2, Vsd, Wsd)                                                          \
    }
/* Bitwise operations on floats are those on integers. */
#define BITWISE(mnemonic, name)                                                                    \
    {                                                                                              \
        SSE_ROW(mnemonic "ps", SSE, tr_sse, X86_VECTOR_##name, Vps, Wps),                          \
            SSE_ROW(mnemonic "pd", SSE2, tr_sse, X86_VECTOR_##name, Vpd, Wpd)                      \
    }
#define UNPACK(mnemonic, single, double_)                                                          \
    {                                                                                              \
        SSE_ROW(mnemonic "ps", SSE, tr_sse, X86_VECTOR_##single, Vps, Wps),                        \
            SSE_ROW(mnemonic "pd", SSE2, tr_sse, X86_VECTOR_##double_, Vpd, Wpd)                   \
    }
#define SHIFT(name)                                                                                \
    {                                                                                              \
        MMX_ROW(#name, MMX, tr_mmx_shift, X86_VECTOR_mmx_##name##_imm, Nq, Ib),                    \
            SSE_ROW(#name, SSE2, tr_sse_shift, X86_VECTOR_##name##_imm, Ux, Ib)                    \
    }
#define SHIFT_BYTES(name)                                                                          \
    ONLY_66(SSE_ROW(#name, SSE2, tr_sse_shift, X86_VECTOR_##name##_imm, Ux, Ib))
#define BY_PREFIX(rows)                                                                            \
    {                                                                                              \
        .group = rows, .select = SELECT_PREFIX                                                     \
    }
#define STATE(mnemonic, set, flag, rule_, arg)                                                     \
    {                                                                                              \
        .name = mnemonic, .operand = { M0 }, .rule = rule_, .flags = flag, .argument = arg,        \
        FEATURE(set)                                                                               \
    }

/* clang-format off */

/* 0F 71 to 73: by modrm.reg; the columns of the map select the same group, whose rows select by
 * prefix again. */
static const X86Opcode psrlw[4] = SHIFT(psrlw), psraw[4] = SHIFT(psraw), psllw[4] = SHIFT(psllw);
static const X86Opcode psrld[4] = SHIFT(psrld), psrad[4] = SHIFT(psrad), pslld[4] = SHIFT(pslld);
static const X86Opcode psrlq[4] = SHIFT(psrlq), psllq[4] = SHIFT(psllq);
static const X86Opcode psrldq[4] = SHIFT_BYTES(psrldq), pslldq[4] = SHIFT_BYTES(pslldq);

static const X86Opcode group12[8] = {
    [2] = BY_PREFIX(psrlw), [4] = BY_PREFIX(psraw), [6] = BY_PREFIX(psllw),
};
static const X86Opcode group13[8] = {
    [2] = BY_PREFIX(psrld), [4] = BY_PREFIX(psrad), [6] = BY_PREFIX(pslld),
};
static const X86Opcode group14[8] = {
    [2] = BY_PREFIX(psrlq), [3] = BY_PREFIX(psrldq),
    [6] = BY_PREFIX(psllq), [7] = BY_PREFIX(pslldq),
};
#define SHIFT_GROUP(rows)                                                                          \
    {                                                                                              \
        { .group = rows, .select = SELECT_REG }, { .group = rows, .select = SELECT_REG }           \
    }

/* 0F AE and 0F C7, memory forms */
static const X86Opcode group15_memory[8] = {
    [0] = STATE("fxsave", FXSR, OPCODE_X87, tr_state_save, X86_CALL_fxsave),
    [1] = STATE("fxrstor", FXSR, OPCODE_X87, tr_state_restore, X86_CALL_fxrstor),
    [2] = SSE_ANY("ldmxcsr", SSE, tr_ldmxcsr, 0, Md),
    [3] = SSE_ANY("stmxcsr", SSE, tr_stmxcsr, 0, Md),
    [4] = STATE("xsave", XSAVE, 0, tr_state_save, X86_CALL_xsave),
    [5] = STATE("xrstor", XSAVE, 0, tr_state_restore, X86_CALL_xrstor),
    [6] = STATE("xsaveopt", XSAVEOPT, 0, tr_state_save, X86_CALL_xsaveopt),
};
static const X86Opcode group15[8] = {
    [0] = { .group = group15_memory, .select = SELECT_REG },
};
static const X86Opcode group9_memory[8] = {
    [4] = STATE("xsavec", XSAVEC, 0, tr_state_save, X86_CALL_xsavec),
};
static const X86Opcode group9[8] = {
    [0] = { .group = group9_memory, .select = SELECT_REG },
};

const X86Opcode x86_map_0f_vector[256][4] = {
    [0x10] = { SSE_ANY("movups", SSE, tr_mov_load, 0, Vps, Wps),
               SSE_ANY("movupd", SSE2, tr_mov_load, 0, Vpd, Wpd),
               SSE_ANY("movss", SSE, tr_movs_load, 0, Vss, Wss),
               SSE_ANY("movsd", SSE2, tr_movs_load, 0, Vsd, Wsd) },
    [0x11] = { SSE_ANY("movups", SSE, tr_mov_store, 0, Wps, Vps),
               SSE_ANY("movupd", SSE2, tr_mov_store, 0, Wpd, Vpd),
               SSE_ANY("movss", SSE, tr_movs_store, 0, Wss, Vss),
               SSE_ANY("movsd", SSE2, tr_movs_store, 0, Wsd, Vsd) },
    [0x12] = { SSE_ANY("movlps", SSE, tr_movh_load, 0, Vq, Wq), /* MOVHLPS */
               SSE_ANY("movlpd", SSE2, tr_movh_load, 0, Vq, Mq),
               SSE(movsldup, SSE3, Vps, Wps),
               SSE_ANY("movddup", SSE3, tr_movddup, 0, Vx, Wq) },
    [0x13] = { SSE_ANY("movlps", SSE, tr_movh_store, 0, Mq, Vq),
               SSE_ANY("movlpd", SSE2, tr_movh_store, 0, Mq, Vq) },
    [0x14] = UNPACK("unpckl", punpckldq, punpcklqdq),
    [0x15] = UNPACK("unpckh", punpckhdq, punpckhqdq),
    [0x16] = { SSE_ANY("movhps", SSE, tr_movh_load, 8, Vq, Wq), /* MOVLHPS */
               SSE_ANY("movhpd", SSE2, tr_movh_load, 8, Vq, Mq),
               SSE(movshdup, SSE3, Vps, Wps) },
    [0x17] = { SSE_ANY("movhps", SSE, tr_movh_store, 8, Mq, Vq),
               SSE_ANY("movhpd", SSE2, tr_movh_store, 8, Mq, Vq) },
    [0x28] = { SSE_ROW("movaps", SSE, tr_mov_load, 0, Vps, Wps),
               SSE_ROW("movapd", SSE2, tr_mov_load, 0, Vpd, Wpd) },
    [0x29] = { SSE_ROW("movaps", SSE, tr_mov_store, 0, Wps, Vps),
               SSE_ROW("movapd", SSE2, tr_mov_store, 0, Wpd, Vpd) },
    [0x2a] = { MIXED_ROW("cvtpi2ps", SSE, tr_cvt_from_mmx, X86_VECTOR_cvtpi2ps, Vq, Qq),
               MIXED_ROW("cvtpi2pd", SSE2, tr_cvt_from_mmx, X86_VECTOR_cvtdq2pd, Vpd, Qq),
               SSE_ROW("cvtsi2ss", SSE, tr_cvt_from_reg, X86_VECTOR_cvtsi2ss32, Vss, Ey),
               SSE_ROW("cvtsi2sd", SSE2, tr_cvt_from_reg, X86_VECTOR_cvtsi2sd32, Vsd, Ey) },
    [0x2b] = { SSE_ROW("movntps", SSE, tr_mov_store, 0, Mx, Vps),
               SSE_ROW("movntpd", SSE2, tr_mov_store, 0, Mx, Vpd) },
    [0x2c] = { MIXED_ROW("cvttps2pi", SSE, tr_cvt_to_mmx, X86_VECTOR_cvttps2pi, Pq, Wq),
               MIXED_ROW("cvttpd2pi", SSE2, tr_cvt_to_mmx, X86_VECTOR_cvttpd2pi, Pq, Wpd),
               SSE_ROW("cvttss2si", SSE, tr_cvt_to_reg, X86_VECTOR_cvttss2si32, Gy, Wss),
               SSE_ROW("cvttsd2si", SSE2, tr_cvt_to_reg, X86_VECTOR_cvttsd2si32, Gy, Wsd) },
    [0x2d] = { MIXED_ROW("cvtps2pi", SSE, tr_cvt_to_mmx, X86_VECTOR_cvtps2pi, Pq, Wq),
               MIXED_ROW("cvtpd2pi", SSE2, tr_cvt_to_mmx, X86_VECTOR_cvtpd2pi, Pq, Wpd),
               SSE_ROW("cvtss2si", SSE, tr_cvt_to_reg, X86_VECTOR_cvtss2si32, Gy, Wss),
               SSE_ROW("cvtsd2si", SSE2, tr_cvt_to_reg, X86_VECTOR_cvtsd2si32, Gy, Wsd) },
    [0x2e] = { SSE_ROW("ucomiss", SSE, tr_sse_flags, X86_VECTOR_ucomiss, Vss, Wss),
               SSE_ROW("ucomisd", SSE2, tr_sse_flags, X86_VECTOR_ucomisd, Vsd, Wsd) },
    [0x2f] = { SSE_ROW("comiss", SSE, tr_sse_flags, X86_VECTOR_comiss, Vss, Wss),
               SSE_ROW("comisd", SSE2, tr_sse_flags, X86_VECTOR_comisd, Vsd, Wsd) },
    [0x50] = { SSE_ROW("movmskps", SSE, tr_sse_to_reg, X86_VECTOR_movmskps, Gd, Ups),
               SSE_ROW("movmskpd", SSE2, tr_sse_to_reg, X86_VECTOR_movmskpd, Gd, Upd) },
    [0x51] = FLOATS(sqrt),
    [0x52] = { [PREFIX_NONE] = SSE(rsqrtps, SSE, Vps, Wps),
               [PREFIX_F3] = SSE(rsqrtss, SSE, Vss, Wss) },
    [0x53] = { [PREFIX_NONE] = SSE(rcpps, SSE, Vps, Wps), [PREFIX_F3] = SSE(rcpss, SSE, Vss, Wss) },
    [0x54] = BITWISE("and", pand),
    [0x55] = BITWISE("andn", pandn),
    [0x56] = BITWISE("or", por),
    [0x57] = BITWISE("xor", pxor),
    [0x58] = FLOATS(add),
    [0x59] = FLOATS(mul),
    [0x5a] = { SSE(cvtps2pd, SSE2, Vpd, Wq), SSE(cvtpd2ps, SSE2, Vps, Wpd),
               SSE(cvtss2sd, SSE2, Vsd, Wss), SSE(cvtsd2ss, SSE2, Vss, Wsd) },
    [0x5b] = { SSE(cvtdq2ps, SSE2, Vps, Wx), SSE(cvtps2dq, SSE2, Vx, Wps),
               SSE(cvttps2dq, SSE2, Vx, Wps) },
    [0x5c] = FLOATS(sub),
    [0x5d] = FLOATS(min),
    [0x5e] = FLOATS(div),
    [0x5f] = FLOATS(max),
    [0x60] = { MMX(punpcklbw, MMX, Pq, Qd), SSE(punpcklbw, SSE2, Vx, Wx) },
    [0x61] = { MMX(punpcklwd, MMX, Pq, Qd), SSE(punpcklwd, SSE2, Vx, Wx) },
    [0x62] = { MMX(punpckldq, MMX, Pq, Qd), SSE(punpckldq, SSE2, Vx, Wx) },
    [0x63] = PAIR(packsswb),
    [0x64] = PAIR(pcmpgtb),
    [0x65] = PAIR(pcmpgtw),
    [0x66] = PAIR(pcmpgtd),
    [0x67] = PAIR(packuswb),
    [0x68] = PAIR(punpckhbw),
    [0x69] = PAIR(punpckhwd),
    [0x6a] = PAIR(punpckhdq),
    [0x6b] = PAIR(packssdw),
    [0x6c] = ONLY_66(SSE(punpcklqdq, SSE2, Vx, Wx)),
    [0x6d] = ONLY_66(SSE(punpckhqdq, SSE2, Vx, Wx)),
    [0x6e] = { MMX_ROW("movd", MMX, tr_mmx_movd_load, 0, Pq, Ey),
               SSE_ANY("movd", SSE2, tr_movd_from_reg, 0, Vx, Ey) },
    [0x6f] = { MMX_ROW("movq", MMX, tr_mmx_mov_load, 0, Pq, Qq),
               SSE_ROW("movdqa", SSE2, tr_mov_load, 0, Vx, Wx),
               SSE_ANY("movdqu", SSE2, tr_mov_load, 0, Vx, Wx) },
    [0x70] = { MMX_ROW("pshufw", SSE, tr_mmx, X86_VECTOR_mmx_pshufw, Pq, Qq, Ib),
               SSE(pshufd, SSE2, Vx, Wx, Ib), SSE(pshufhw, SSE2, Vx, Wx, Ib),
               SSE(pshuflw, SSE2, Vx, Wx, Ib) },
    [0x71] = SHIFT_GROUP(group12),
    [0x72] = SHIFT_GROUP(group13),
    [0x73] = SHIFT_GROUP(group14),
    [0x74] = PAIR(pcmpeqb),
    [0x75] = PAIR(pcmpeqw),
    [0x76] = PAIR(pcmpeqd),
    [0x77] = { { .name = "emms", .rule = tr_emms, .flags = OPCODE_MMX, FEATURE(MMX) } },
    [0x7c] = { [PREFIX_66] = SSE(haddpd, SSE3, Vpd, Wpd),
               [PREFIX_F2] = SSE(haddps, SSE3, Vps, Wps) },
    [0x7d] = { [PREFIX_66] = SSE(hsubpd, SSE3, Vpd, Wpd),
               [PREFIX_F2] = SSE(hsubps, SSE3, Vps, Wps) },
    [0x7e] = { MMX_ROW("movd", MMX, tr_mmx_movd_store, 0, Ey, Pq),
               SSE_ANY("movd", SSE2, tr_movd_to_reg, 0, Ey, Vx),
               SSE_ANY("movq", SSE2, tr_movq_load, 0, Vx, Wq) },
    [0x7f] = { MMX_ROW("movq", MMX, tr_mmx_mov_store, 0, Qq, Pq),
               SSE_ROW("movdqa", SSE2, tr_mov_store, 0, Wx, Vx),
               SSE_ANY("movdqu", SSE2, tr_mov_store, 0, Wx, Vx) },
    [0xae] = { { .group = group15, .select = SELECT_MOD } },
    [0xc2] = { SSE(cmpps, SSE, Vps, Wps, Ib), SSE(cmppd, SSE2, Vpd, Wpd, Ib),
               SSE(cmpss, SSE, Vss, Wss, Ib), SSE(cmpsd, SSE2, Vsd, Wsd, Ib) },
    [0xc4] = { MMX_ROW("pinsrw", SSE, tr_mmx_insert, 2, Pq, EdMw, Ib),
               SSE_ANY("pinsrw", SSE2, tr_insert, 2, Vx, EdMw, Ib) },
    [0xc5] = { MMX_ROW("pextrw", SSE, tr_mmx_extract, 2, Gd, Nq, Ib),
               SSE_ANY("pextrw", SSE2, tr_extract, 2, Gd, Udq, Ib) },
    [0xc6] = { SSE(shufps, SSE, Vps, Wps, Ib), SSE(shufpd, SSE2, Vpd, Wpd, Ib) },
    [0xc7] = { { .group = group9, .select = SELECT_MOD } },
    [0xd0] = { [PREFIX_66] = SSE(addsubpd, SSE3, Vpd, Wpd),
               [PREFIX_F2] = SSE(addsubps, SSE3, Vps, Wps) },
    [0xd1] = PAIR(psrlw),
    [0xd2] = PAIR(psrld),
    [0xd3] = PAIR(psrlq),
    [0xd4] = PAIR_SSE2(paddq),
    [0xd5] = PAIR(pmullw),
    [0xd6] = { [PREFIX_66] = SSE_ANY("movq", SSE2, tr_movq_store, 0, Wq, Vq),
               [PREFIX_F3] = MIXED_ROW("movq2dq", SSE2, tr_movq2dq, 0, Vx, Nq),
               [PREFIX_F2] = MIXED_ROW("movdq2q", SSE2, tr_movdq2q, 0, Pq, Uq) },
    [0xd7] = { MMX_ROW("pmovmskb", SSE, tr_mmx_to_reg, X86_VECTOR_mmx_pmovmskb, Gd, Nq),
               SSE_ANY("pmovmskb", SSE2, tr_sse_to_reg, X86_VECTOR_pmovmskb, Gd, Ux) },
    [0xd8] = PAIR(psubusb),
    [0xd9] = PAIR(psubusw),
    [0xda] = PAIR_SSE(pminub),
    [0xdb] = PAIR(pand),
    [0xdc] = PAIR(paddusb),
    [0xdd] = PAIR(paddusw),
    [0xde] = PAIR_SSE(pmaxub),
    [0xdf] = PAIR(pandn),
    [0xe0] = PAIR_SSE(pavgb),
    [0xe1] = PAIR(psraw),
    [0xe2] = PAIR(psrad),
    [0xe3] = PAIR_SSE(pavgw),
    [0xe4] = PAIR_SSE(pmulhuw),
    [0xe5] = PAIR(pmulhw),
    [0xe6] = { [PREFIX_66] = SSE(cvttpd2dq, SSE2, Vx, Wpd),
               [PREFIX_F3] = SSE(cvtdq2pd, SSE2, Vpd, Wq),
               [PREFIX_F2] = SSE(cvtpd2dq, SSE2, Vx, Wpd) },
    [0xe7] = { MMX_ROW("movntq", SSE, tr_mmx_mov_store, 0, Mq, Pq),
               SSE_ROW("movntdq", SSE2, tr_mov_store, 0, Mx, Vx) },
    [0xe8] = PAIR(psubsb),
    [0xe9] = PAIR(psubsw),
    [0xea] = PAIR_SSE(pminsw),
    [0xeb] = PAIR(por),
    [0xec] = PAIR(paddsb),
    [0xed] = PAIR(paddsw),
    [0xee] = PAIR_SSE(pmaxsw),
    [0xef] = PAIR(pxor),
    [0xf0] = { [PREFIX_F2] = SSE_ANY("lddqu", SSE3, tr_mov_load, 0, Vx, Mx) },
    [0xf1] = PAIR(psllw),
    [0xf2] = PAIR(pslld),
    [0xf3] = PAIR(psllq),
    [0xf4] = PAIR_SSE2(pmuludq),
    [0xf5] = PAIR(pmaddwd),
    [0xf6] = PAIR_SSE(psadbw),
    [0xf7] = { MMX_ROW("maskmovq", SSE, tr_maskmov, 0, Pq, Nq),
               SSE_ANY("maskmovdqu", SSE2, tr_maskmov, 0, Vx, Ux) },
    [0xf8] = PAIR(psubb),
    [0xf9] = PAIR(psubw),
    [0xfa] = PAIR(psubd),
    [0xfb] = PAIR_SSE2(psubq),
    [0xfc] = PAIR(paddb),
    [0xfd] = PAIR(paddw),
    [0xfe] = PAIR(paddd),
};

#define SSE4(name, ...) ONLY_66(SSE(name, SSE4_1, __VA_ARGS__))

const X86Opcode x86_map_0f38_vector[256][4] = {
    [0x00] = PAIR_SSSE3(pshufb),
    [0x01] = PAIR_SSSE3(phaddw),
    [0x02] = PAIR_SSSE3(phaddd),
    [0x03] = PAIR_SSSE3(phaddsw),
    [0x04] = PAIR_SSSE3(pmaddubsw),
    [0x05] = PAIR_SSSE3(phsubw),
    [0x06] = PAIR_SSSE3(phsubd),
    [0x07] = PAIR_SSSE3(phsubsw),
    [0x08] = PAIR_SSSE3(psignb),
    [0x09] = PAIR_SSSE3(psignw),
    [0x0a] = PAIR_SSSE3(psignd),
    [0x0b] = PAIR_SSSE3(pmulhrsw),
    [0x10] = SSE4(pblendvb, Vx, Wx),
    [0x14] = SSE4(blendvps, Vx, Wx),
    [0x15] = SSE4(blendvpd, Vx, Wx),
    [0x17] = ONLY_66(SSE_ROW("ptest", SSE4_1, tr_sse_flags, X86_VECTOR_ptest, Vx, Wx)),
    [0x1c] = PAIR_SSSE3(pabsb),
    [0x1d] = PAIR_SSSE3(pabsw),
    [0x1e] = PAIR_SSSE3(pabsd),
    [0x20] = SSE4(pmovsxbw, Vx, Wq),
    [0x21] = SSE4(pmovsxbd, Vx, Wd),
    [0x22] = SSE4(pmovsxbq, Vx, Ww),
    [0x23] = SSE4(pmovsxwd, Vx, Wq),
    [0x24] = SSE4(pmovsxwq, Vx, Wd),
    [0x25] = SSE4(pmovsxdq, Vx, Wq),
    [0x28] = SSE4(pmuldq, Vx, Wx),
    [0x29] = SSE4(pcmpeqq, Vx, Wx),
    [0x2a] = ONLY_66(SSE_ROW("movntdqa", SSE4_1, tr_mov_load, 0, Vx, Mx)),
    [0x2b] = SSE4(packusdw, Vx, Wx),
    [0x30] = SSE4(pmovzxbw, Vx, Wq),
    [0x31] = SSE4(pmovzxbd, Vx, Wd),
    [0x32] = SSE4(pmovzxbq, Vx, Ww),
    [0x33] = SSE4(pmovzxwd, Vx, Wq),
    [0x34] = SSE4(pmovzxwq, Vx, Wd),
    [0x35] = SSE4(pmovzxdq, Vx, Wq),
    [0x37] = ONLY_66(SSE(pcmpgtq, SSE4_2, Vx, Wx)),
    [0x38] = SSE4(pminsb, Vx, Wx),
    [0x39] = SSE4(pminsd, Vx, Wx),
    [0x3a] = SSE4(pminuw, Vx, Wx),
    [0x3b] = SSE4(pminud, Vx, Wx),
    [0x3c] = SSE4(pmaxsb, Vx, Wx),
    [0x3d] = SSE4(pmaxsd, Vx, Wx),
    [0x3e] = SSE4(pmaxuw, Vx, Wx),
    [0x3f] = SSE4(pmaxud, Vx, Wx),
    [0x40] = SSE4(pmulld, Vx, Wx),
    [0x41] = SSE4(phminposuw, Vx, Wx),
    [0xdb] = ONLY_66(SSE(aesimc, AES, Vx, Wx)),
    [0xdc] = ONLY_66(SSE(aesenc, AES, Vx, Wx)),
    [0xdd] = ONLY_66(SSE(aesenclast, AES, Vx, Wx)),
    [0xde] = ONLY_66(SSE(aesdec, AES, Vx, Wx)),
    [0xdf] = ONLY_66(SSE(aesdeclast, AES, Vx, Wx)),
};

/* PEXTRD and PINSRD move 8 bytes with REX.W. */
static const X86Opcode pextrd[2] = {
    SSE_ANY("pextrd", SSE4_1, tr_extract, 4, Ey, Vx, Ib),
    SSE_ANY("pextrq", SSE4_1, tr_extract, 8, Ey, Vx, Ib),
};
static const X86Opcode pinsrd[2] = {
    SSE_ANY("pinsrd", SSE4_1, tr_insert, 4, Vx, Ey, Ib),
    SSE_ANY("pinsrq", SSE4_1, tr_insert, 8, Vx, Ey, Ib),
};
/* The string comparisons load unaligned. */
#define STRING(name)                                                                               \
    ONLY_66(SSE_ANY(#name, SSE4_2, tr_sse_string, X86_VECTOR_##name, Vx, Wx, Ib))

const X86Opcode x86_map_0f3a_vector[256][4] = {
    [0x08] = SSE4(roundps, Vps, Wps, Ib),
    [0x09] = SSE4(roundpd, Vpd, Wpd, Ib),
    [0x0a] = SSE4(roundss, Vss, Wss, Ib),
    [0x0b] = SSE4(roundsd, Vsd, Wsd, Ib),
    [0x0c] = SSE4(blendps, Vps, Wps, Ib),
    [0x0d] = SSE4(blendpd, Vpd, Wpd, Ib),
    [0x0e] = SSE4(pblendw, Vx, Wx, Ib),
    [0x0f] = { MMX_ROW("palignr", SSSE3, tr_mmx, X86_VECTOR_mmx_palignr, Pq, Qq, Ib),
               SSE(palignr, SSSE3, Vx, Wx, Ib) },
    [0x14] = ONLY_66(SSE_ANY("pextrb", SSE4_1, tr_extract, 1, EdMb, Vx, Ib)),
    [0x15] = ONLY_66(SSE_ANY("pextrw", SSE4_1, tr_extract, 2, EdMw, Vx, Ib)),
    [0x16] = ONLY_66({ .group = pextrd, .select = SELECT_W }),
    [0x17] = ONLY_66(SSE_ANY("extractps", SSE4_1, tr_extract, 4, EdMd, Vx, Ib)),
    [0x20] = ONLY_66(SSE_ANY("pinsrb", SSE4_1, tr_insert, 1, Vx, EdMb, Ib)),
    [0x21] = ONLY_66(SSE_ANY("insertps", SSE4_1, tr_insertps, 0, Vx, Wd, Ib)),
    [0x22] = ONLY_66({ .group = pinsrd, .select = SELECT_W }),
    [0x40] = SSE4(dpps, Vps, Wps, Ib),
    [0x41] = SSE4(dppd, Vpd, Wpd, Ib),
    [0x42] = SSE4(mpsadbw, Vx, Wx, Ib),
    [0x44] = ONLY_66(SSE(pclmulqdq, PCLMUL, Vx, Wx, Ib)),
    [0x60] = STRING(pcmpestrm),
    [0x61] = STRING(pcmpestri),
    [0x62] = STRING(pcmpistrm),
    [0x63] = STRING(pcmpistri),
    [0xdf] = ONLY_66(SSE(aeskeygenassist, AES, Vx, Wx, Ib)),
};
/* clang-format on */
