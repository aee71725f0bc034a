/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations as an x86-64 host does them, see vectors_host.h: mostly by the very instruction
 * that the guest used (SDM volume 2).
 *
 * All may be emitted on any host with SSE4.2 (with VEX prefix: AVX2), but where .needs says
 * otherwise.  An operation that
 * has an unmasked floating-point exception to raise is called instead (KEY_MXCSR).
 *
 * Threads: constant.
 */
#include "engine/dbt/guest/x86/vectors_host.h"

#include "engine/dbt/guest/x86/translate.h"

enum { NP = 0, P66 = 0x66, PF2 = 0xf2, PF3 = 0xf3 };
enum { FLAGS_COMPARED = FLAG_ZF | FLAG_PF | FLAG_CF, FLAGS_TESTED = FLAG_ZF | FLAG_CF };

/* clang-format off */
#define ROW(name, form_, prefix_, map_, op, ...)                                                   \
    [X86_VECTOR_##name] = { .form = VECTOR_##form_, .prefix = prefix_, .map = map_, .opcode = op,  \
                            __VA_ARGS__ }
/* to = from1 op from2, all 16 bytes, in the three maps */
#define INT(name, op)       ROW(name, BINARY, P66, 1, op, .bytes = 16)
#define COUNT(name, op)     ROW(name, BINARY, P66, 1, op, .bytes = 16, .bytes_wide = 16)
#define INT38(name, op)     ROW(name, BINARY, P66, 2, op, .bytes = 16)
#define INT3A(name, op)     ROW(name, BINARY, P66, 3, op, .bytes = 16, .immediate = true)
/* to = op from2, of which @size bytes are read */
#define ONE38(name, op, size) ROW(name, UNARY, P66, 2, op, .bytes = size)
#define SHIFT(name, op, reg)                                                                       \
    ROW(name##_imm, SHIFT, P66, 1, op, .digit = reg, .immediate = true)
/* packed single and double, scalar single and double */
#define FLOATS(name, packed, op, ...)                                                              \
    ROW(name##ps, packed, NP, 1, op, .bytes = 16, __VA_ARGS__),                                    \
    ROW(name##pd, packed, P66, 1, op, .bytes = 16, __VA_ARGS__),                                   \
    ROW(name##ss, BINARY, PF3, 1, op, .bytes = 4, __VA_ARGS__),                                    \
    ROW(name##sd, BINARY, PF2, 1, op, .bytes = 8, __VA_ARGS__)
/* a number in memory to the low lane, and the low lane to a number; 32 and 64 bits */
#define FROM_INT(name, prefix_)                                                                    \
    ROW(name##32, BINARY, prefix_, 1, 0x2a, .bytes = 4, .from_memory = true),                      \
    ROW(name##64, BINARY, prefix_, 1, 0x2a, .bytes = 8, .wide = true, .from_memory = true)
#define TO_INT(name, prefix_, op, size)                                                            \
    ROW(name##32, NUMBER, prefix_, 1, op, .bytes = size),                                          \
    ROW(name##64, NUMBER, prefix_, 1, op, .bytes = size, .wide = true)

#define FMA(name, op, size, ...)                                                                   \
    ROW(name, TERNARY, P66, 2, op, .bytes = size, .needs = VECTOR_NEEDS_FMA, __VA_ARGS__)
/* the three orders of operands, single and double */
#define FMA_PACKED(name, op)                                                                       \
    FMA(name##132ps, 0x90 + (op), 16), FMA(name##132pd, 0x90 + (op), 16, .wide = true),            \
    FMA(name##213ps, 0xa0 + (op), 16), FMA(name##213pd, 0xa0 + (op), 16, .wide = true),            \
    FMA(name##231ps, 0xb0 + (op), 16), FMA(name##231pd, 0xb0 + (op), 16, .wide = true)
#define FMA_ALL(name, op)                                                                          \
    FMA_PACKED(name, op),                                                                          \
    FMA(name##132ss, 0x91 + (op), 4), FMA(name##132sd, 0x91 + (op), 8, .wide = true),              \
    FMA(name##213ss, 0xa1 + (op), 4), FMA(name##213sd, 0xa1 + (op), 8, .wide = true),              \
    FMA(name##231ss, 0xb1 + (op), 4), FMA(name##231sd, 0xb1 + (op), 8, .wide = true)

const VectorHost x86_vectors_host[X86_VECTOR_OPS] = {
    /* moves */
    ROW(copy, UNARY, NP, 1, 0x10, .bytes = 16),
    ROW(copy_low4, BINARY, PF3, 1, 0x10),
    ROW(copy_low8, BINARY, PF2, 1, 0x10),
    ROW(copy_zero4, UNARY, P66, 1, 0x6e, .bytes = 4, .from_memory = true),
    ROW(copy_zero8, UNARY, PF3, 1, 0x7e, .bytes = 8),
    ROW(movhlps, BINARY, NP, 1, 0x12),
    ROW(movlhps, BINARY, NP, 1, 0x16),
    ROW(movddup, UNARY, PF2, 1, 0x12, .bytes = 8, .bytes_wide = 32),
    /* sse_int.c */
    INT(paddb, 0xfc), INT(paddw, 0xfd), INT(paddd, 0xfe), INT(paddq, 0xd4),
    INT(psubb, 0xf8), INT(psubw, 0xf9), INT(psubd, 0xfa), INT(psubq, 0xfb),
    INT(paddsb, 0xec), INT(paddsw, 0xed), INT(paddusb, 0xdc), INT(paddusw, 0xdd),
    INT(psubsb, 0xe8), INT(psubsw, 0xe9), INT(psubusb, 0xd8), INT(psubusw, 0xd9),
    INT(pavgb, 0xe0), INT(pavgw, 0xe3),
    INT(pminub, 0xda), INT(pmaxub, 0xde), INT(pminsw, 0xea), INT(pmaxsw, 0xee),
    INT38(pminsb, 0x38), INT38(pmaxsb, 0x3c), INT38(pminuw, 0x3a), INT38(pmaxuw, 0x3e),
    INT38(pminsd, 0x39), INT38(pmaxsd, 0x3d), INT38(pminud, 0x3b), INT38(pmaxud, 0x3f),
    INT(pcmpeqb, 0x74), INT(pcmpeqw, 0x75), INT(pcmpeqd, 0x76), INT38(pcmpeqq, 0x29),
    INT(pcmpgtb, 0x64), INT(pcmpgtw, 0x65), INT(pcmpgtd, 0x66), INT38(pcmpgtq, 0x37),
    INT(pand, 0xdb), INT(pandn, 0xdf), INT(por, 0xeb), INT(pxor, 0xef),
    INT(pmullw, 0xd5), INT(pmulhw, 0xe5), INT(pmulhuw, 0xe4), INT38(pmulhrsw, 0x0b),
    INT38(pmulld, 0x40), INT(pmuludq, 0xf4), INT38(pmuldq, 0x28),
    INT(pmaddwd, 0xf5), INT38(pmaddubsw, 0x04), INT(psadbw, 0xf6),
    INT38(psignb, 0x08), INT38(psignw, 0x09), INT38(psignd, 0x0a),
    ONE38(pabsb, 0x1c, 16), ONE38(pabsw, 0x1d, 16), ONE38(pabsd, 0x1e, 16),
    INT38(phaddw, 0x01), INT38(phaddd, 0x02), INT38(phaddsw, 0x03),
    INT38(phsubw, 0x05), INT38(phsubd, 0x06), INT38(phsubsw, 0x07),
    COUNT(psrlw, 0xd1), COUNT(psrld, 0xd2), COUNT(psrlq, 0xd3), COUNT(psraw, 0xe1),
    COUNT(psrad, 0xe2), COUNT(psllw, 0xf1), COUNT(pslld, 0xf2), COUNT(psllq, 0xf3),
    SHIFT(psrlw, 0x71, 2), SHIFT(psraw, 0x71, 4), SHIFT(psllw, 0x71, 6),
    SHIFT(psrld, 0x72, 2), SHIFT(psrad, 0x72, 4), SHIFT(pslld, 0x72, 6),
    SHIFT(psrlq, 0x73, 2), SHIFT(psrldq, 0x73, 3), SHIFT(psllq, 0x73, 6), SHIFT(pslldq, 0x73, 7),
    INT3A(mpsadbw, 0x42), ONE38(phminposuw, 0x41, 16),
    ROW(ptest, FLAGS, P66, 2, 0x17, .digit = FLAGS_TESTED, .bytes = 16),
    /* sse_shuffle.c */
    INT(packsswb, 0x63), INT(packssdw, 0x6b), INT(packuswb, 0x67), INT38(packusdw, 0x2b),
    INT(punpcklbw, 0x60), INT(punpcklwd, 0x61), INT(punpckldq, 0x62), INT(punpcklqdq, 0x6c),
    INT(punpckhbw, 0x68), INT(punpckhwd, 0x69), INT(punpckhdq, 0x6a), INT(punpckhqdq, 0x6d),
    INT38(pshufb, 0x00), INT3A(palignr, 0x0f),
    ROW(pshufd, UNARY, P66, 1, 0x70, .bytes = 16, .immediate = true),
    ROW(pshufhw, UNARY, PF3, 1, 0x70, .bytes = 16, .immediate = true),
    ROW(pshuflw, UNARY, PF2, 1, 0x70, .bytes = 16, .immediate = true),
    ROW(shufps, BINARY, NP, 1, 0xc6, .bytes = 16, .immediate = true),
    ROW(shufpd, BINARY, P66, 1, 0xc6, .bytes = 16, .immediate = true),
    ROW(pmovmskb, NUMBER, P66, 1, 0xd7),
    ROW(movmskps, NUMBER, NP, 1, 0x50),
    ROW(movmskpd, NUMBER, P66, 1, 0x50),
    ONE38(pmovsxbw, 0x20, 8), ONE38(pmovsxbd, 0x21, 4), ONE38(pmovsxbq, 0x22, 2),
    ONE38(pmovsxwd, 0x23, 8), ONE38(pmovsxwq, 0x24, 4), ONE38(pmovsxdq, 0x25, 8),
    ONE38(pmovzxbw, 0x30, 8), ONE38(pmovzxbd, 0x31, 4), ONE38(pmovzxbq, 0x32, 2),
    ONE38(pmovzxwd, 0x33, 8), ONE38(pmovzxwq, 0x34, 4), ONE38(pmovzxdq, 0x35, 8),
    INT3A(pblendw, 0x0e), INT3A(blendps, 0x0c), INT3A(blendpd, 0x0d),
    /* the mask is XMM0, on the host as in the guest */
    INT38(pblendvb, 0x10), INT38(blendvps, 0x14), INT38(blendvpd, 0x15),
    ROW(movsldup, UNARY, PF3, 1, 0x12, .bytes = 16),
    ROW(movshdup, UNARY, PF3, 1, 0x16, .bytes = 16),
    /* aes.c */
    ROW(aesenc, BINARY, P66, 2, 0xdc, .bytes = 16, .needs = VECTOR_NEEDS_AES),
    ROW(aesenclast, BINARY, P66, 2, 0xdd, .bytes = 16, .needs = VECTOR_NEEDS_AES),
    ROW(aesdec, BINARY, P66, 2, 0xde, .bytes = 16, .needs = VECTOR_NEEDS_AES),
    ROW(aesdeclast, BINARY, P66, 2, 0xdf, .bytes = 16, .needs = VECTOR_NEEDS_AES),
    ROW(aesimc, UNARY, P66, 2, 0xdb, .bytes = 16, .needs = VECTOR_NEEDS_AES),
    ROW(aeskeygenassist, UNARY, P66, 3, 0xdf, .bytes = 16, .immediate = true,
        .needs = VECTOR_NEEDS_AES),
    ROW(pclmulqdq, BINARY, P66, 3, 0x44, .bytes = 16, .immediate = true,
        .needs = VECTOR_NEEDS_PCLMUL),
    /* sse_fp.c */
    FLOATS(add, BINARY, 0x58), FLOATS(mul, BINARY, 0x59), FLOATS(sub, BINARY, 0x5c),
    FLOATS(min, BINARY, 0x5d), FLOATS(div, BINARY, 0x5e), FLOATS(max, BINARY, 0x5f),
    FLOATS(sqrt, UNARY, 0x51), FLOATS(cmp, BINARY, 0xc2, .immediate = true),
    ROW(roundps, UNARY, P66, 3, 0x08, .bytes = 16, .immediate = true),
    ROW(roundpd, UNARY, P66, 3, 0x09, .bytes = 16, .immediate = true),
    ROW(roundss, BINARY, P66, 3, 0x0a, .bytes = 4, .immediate = true),
    ROW(roundsd, BINARY, P66, 3, 0x0b, .bytes = 8, .immediate = true),
    ROW(haddps, BINARY, PF2, 1, 0x7c, .bytes = 16), ROW(haddpd, BINARY, P66, 1, 0x7c, .bytes = 16),
    ROW(hsubps, BINARY, PF2, 1, 0x7d, .bytes = 16), ROW(hsubpd, BINARY, P66, 1, 0x7d, .bytes = 16),
    ROW(addsubps, BINARY, PF2, 1, 0xd0, .bytes = 16),
    ROW(addsubpd, BINARY, P66, 1, 0xd0, .bytes = 16),
    INT3A(dpps, 0x40), INT3A(dppd, 0x41),
    ROW(ucomiss, FLAGS, NP, 1, 0x2e, .digit = FLAGS_COMPARED, .bytes = 4),
    ROW(ucomisd, FLAGS, P66, 1, 0x2e, .digit = FLAGS_COMPARED, .bytes = 8),
    ROW(comiss, FLAGS, NP, 1, 0x2f, .digit = FLAGS_COMPARED, .bytes = 4),
    ROW(comisd, FLAGS, P66, 1, 0x2f, .digit = FLAGS_COMPARED, .bytes = 8),
    ROW(rcpps, UNARY, NP, 1, 0x53, .bytes = 16), ROW(rcpss, BINARY, PF3, 1, 0x53, .bytes = 4),
    ROW(rsqrtps, UNARY, NP, 1, 0x52, .bytes = 16), ROW(rsqrtss, BINARY, PF3, 1, 0x52, .bytes = 4),
    /* sse_convert.c */
    ROW(cvtps2pd, UNARY, NP, 1, 0x5a, .bytes = 8), ROW(cvtpd2ps, UNARY, P66, 1, 0x5a, .bytes = 16),
    ROW(cvtss2sd, BINARY, PF3, 1, 0x5a, .bytes = 4),
    ROW(cvtsd2ss, BINARY, PF2, 1, 0x5a, .bytes = 8),
    ROW(cvtdq2ps, UNARY, NP, 1, 0x5b, .bytes = 16), ROW(cvtdq2pd, UNARY, PF3, 1, 0xe6, .bytes = 8),
    ROW(cvtps2dq, UNARY, P66, 1, 0x5b, .bytes = 16),
    ROW(cvttps2dq, UNARY, PF3, 1, 0x5b, .bytes = 16),
    ROW(cvtpd2dq, UNARY, PF2, 1, 0xe6, .bytes = 16),
    ROW(cvttpd2dq, UNARY, P66, 1, 0xe6, .bytes = 16),
    FROM_INT(cvtsi2ss, PF3), FROM_INT(cvtsi2sd, PF2),
    TO_INT(cvtss2si, PF3, 0x2d, 4), TO_INT(cvttss2si, PF3, 0x2c, 4),
    TO_INT(cvtsd2si, PF2, 0x2d, 8), TO_INT(cvttsd2si, PF2, 0x2c, 8),
    /* avx.c and the other operations that have a VEX prefix alone */
    ROW(load_low8, BINARY, P66, 1, 0x12, .bytes = 8, .from_memory = true),
    ROW(load_high8, BINARY, P66, 1, 0x16, .bytes = 8, .from_memory = true),
    ROW(pinsrb, BINARY, P66, 3, 0x20, .bytes = 1, .from_memory = true, .immediate = true),
    ROW(pinsrw, BINARY, P66, 1, 0xc4, .bytes = 2, .from_memory = true, .immediate = true),
    ROW(pinsrd, BINARY, P66, 3, 0x22, .bytes = 4, .from_memory = true, .immediate = true),
    ROW(pinsrq, BINARY, P66, 3, 0x22, .bytes = 8, .from_memory = true, .immediate = true,
        .wide = true),
    INT38(vpermilps, 0x0c), INT38(vpermilpd, 0x0d),
    ROW(vpermilps_imm, UNARY, P66, 3, 0x04, .bytes = 16, .immediate = true),
    ROW(vpermilpd_imm, UNARY, P66, 3, 0x05, .bytes = 16, .immediate = true),
    INT38(vpermd, 0x36),
    ROW(vpermq_imm, UNARY, P66, 3, 0x00, .bytes = 16, .immediate = true, .wide = true),
    ROW(vperm2f128, BINARY, P66, 3, 0x06, .bytes = 16, .immediate = true),
    ROW(vinsertf128, BINARY, P66, 3, 0x18, .bytes = 16, .bytes_wide = 16, .immediate = true),
    ROW(vextractf128, STORE, P66, 3, 0x19, .immediate = true, .whole = true),
    ROW(vpbroadcastb, UNARY, P66, 2, 0x78, .bytes = 1, .bytes_wide = 1),
    ROW(vpbroadcastw, UNARY, P66, 2, 0x79, .bytes = 2, .bytes_wide = 2),
    ROW(vpbroadcastd, UNARY, P66, 2, 0x58, .bytes = 4, .bytes_wide = 4),
    ROW(vpbroadcastq, UNARY, P66, 2, 0x59, .bytes = 8, .bytes_wide = 8),
    ROW(vbroadcastf128, UNARY, P66, 2, 0x1a, .bytes = 16, .bytes_wide = 16, .from_memory = true),
    INT38(vpsllvd, 0x47), INT38(vpsrlvd, 0x45), INT38(vpsravd, 0x46),
    ROW(vpsllvq, BINARY, P66, 2, 0x47, .bytes = 16, .wide = true),
    ROW(vpsrlvq, BINARY, P66, 2, 0x45, .bytes = 16, .wide = true),
    ROW(vtestps, FLAGS, P66, 2, 0x0e, .digit = FLAGS_TESTED, .bytes = 16),
    ROW(vtestpd, FLAGS, P66, 2, 0x0f, .digit = FLAGS_TESTED, .bytes = 16),
    ROW(vblendvps, BLEND, P66, 3, 0x4a, .bytes = 16),
    ROW(vblendvpd, BLEND, P66, 3, 0x4b, .bytes = 16),
    ROW(vpblendvb, BLEND, P66, 3, 0x4c, .bytes = 16),
    ROW(vzeroupper, ZERO, NP, 1, 0x77),
    FLOATS(vcmp, BINARY, 0xc2, .immediate = true),
    ROW(vcvtph2ps, UNARY, P66, 2, 0x13, .bytes = 8, .needs = VECTOR_NEEDS_F16C),
    ROW(vcvtps2ph, STORE, P66, 3, 0x1d, .immediate = true, .needs = VECTOR_NEEDS_F16C),
    FMA_ALL(vfmadd, 0x08), FMA_ALL(vfmsub, 0x0a), FMA_ALL(vfnmadd, 0x0c), FMA_ALL(vfnmsub, 0x0e),
    FMA_PACKED(vfmaddsub, 0x06), FMA_PACKED(vfmsubadd, 0x07),
};
/* clang-format on */
