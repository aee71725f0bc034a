/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opcode rows of VEX-coded instructions: AVX, AVX2, FMA, F16C, BMI1, BMI2, and AES and PCLMULQDQ in
 * that form (SDM volume 2, appendix A; columns: no prefix, 66, F3, F2).
 *
 * Deviations from the manual's operand words: as in tables_sse.c, parts of a source that are not
 * used are not read.
 *
 * Threads: constants.
 */
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/tr_avx.h"
#include "engine/dbt/guest/x86/tr_sse.h"

#define ROW(mnemonic, set, rule_, arg, vex_, ...)                                                  \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .argument = arg,              \
        .flags = OPCODE_AVX, .vex = vex_, .feature = X86_FEATURE_##set                             \
    }
/* Memory must be aligned. */
#define ALIGNED(mnemonic, rule_, ...)                                                              \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_,                               \
        .flags = OPCODE_AVX | OPCODE_ALIGN, .feature = X86_FEATURE_AVX                             \
    }
#define GENERAL(mnemonic, set, rule_, arg, ...)                                                    \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .argument = arg,              \
        .vex = VEX_L0, .feature = X86_FEATURE_##set                                                \
    }
#define GROUP(rows, how)                                                                           \
    {                                                                                              \
        .group = rows, .select = how                                                               \
    }
#define ONLY_66(...)                                                                               \
    {                                                                                              \
        [PREFIX_66] = __VA_ARGS__                                                                  \
    }
/* A vector operation of the same name: on floats, on integers. */
#define OP(name, vex_, ...) ROW("v" #name, AVX, tr_vex, X86_VECTOR_##name, vex_, __VA_ARGS__)
#define INT(name)           ONLY_66(OP(name, VEX_INT, Vx, Hx, Wx))
#define INT_IMM(name)       ONLY_66(OP(name, VEX_INT, Vx, Hx, Wx, Ib))
#define INT_ONE(name)       ONLY_66(OP(name, VEX_INT, Vx, Wx))
#define COUNT(name)         ONLY_66(OP(name, VEX_INT, Vx, Hx, Wdq))
#define WIDEN(name, size)   ONLY_66(OP(name, VEX_INT | VEX_DOUBLE, Vx, size))
/* Packed and scalar, single and double. */
#define FLOATS(name)                                                                               \
    {                                                                                              \
        OP(name##ps, 0, Vx, Hx, Wx), OP(name##pd, 0, Vx, Hx, Wx),                                  \
            OP(name##ss, VEX_SCALAR, Vss, Hss, Wss), OP(name##sd, VEX_SCALAR, Vsd, Hsd, Wsd)       \
    }
#define BITWISE(mnemonic, name)                                                                    \
    {                                                                                              \
        ROW(mnemonic "ps", AVX, tr_vex, X86_VECTOR_##name, 0, Vx, Hx, Wx),                         \
            ROW(mnemonic "pd", AVX, tr_vex, X86_VECTOR_##name, 0, Vx, Hx, Wx)                      \
    }
#define UNPACK(mnemonic, single, double_)                                                          \
    {                                                                                              \
        ROW(mnemonic "ps", AVX, tr_vex, X86_VECTOR_##single, 0, Vx, Hx, Wx),                       \
            ROW(mnemonic "pd", AVX, tr_vex, X86_VECTOR_##double_, 0, Vx, Hx, Wx)                   \
    }
#define SHIFT(name) ROW("v" #name, AVX, tr_vex_shift, X86_VECTOR_##name##_imm, VEX_INT, Hx, Ux, Ib)
#define FLAGS(name, vex_, ...)                                                                     \
    ROW("v" #name, AVX, tr_vex_flags, X86_VECTOR_##name, vex_, __VA_ARGS__)

/* clang-format off */

/* --- 0F */

#define MERGE(mnemonic, arg, vex_) ROW(mnemonic, AVX, tr_vex, X86_VECTOR_##arg, vex_, Vq, Hq, Uq)
/* by ModRM.mod: memory, register */
static const X86Opcode movss_load[2] = {
    ROW("vmovss", AVX, tr_vex_extended, 0, VEX_SCALAR, Vss, Wss),
    ROW("vmovss", AVX, tr_vex, X86_VECTOR_copy_low4, VEX_SCALAR, Vss, Hss, Ud),
};
static const X86Opcode movsd_load[2] = {
    ROW("vmovsd", AVX, tr_vex_extended, 0, VEX_SCALAR, Vsd, Wsd),
    ROW("vmovsd", AVX, tr_vex, X86_VECTOR_copy_low8, VEX_SCALAR, Vsd, Hsd, Uq),
};
static const X86Opcode movss_store[2] = {
    ROW("vmovss", AVX, tr_movs_store, 0, VEX_SCALAR, Wss, Vss),
    ROW("vmovss", AVX, tr_vex_merge, X86_VECTOR_copy_low4, VEX_SCALAR, Wss, Hss, Vss),
};
static const X86Opcode movsd_store[2] = {
    ROW("vmovsd", AVX, tr_movs_store, 0, VEX_SCALAR, Wsd, Vsd),
    ROW("vmovsd", AVX, tr_vex_merge, X86_VECTOR_copy_low8, VEX_SCALAR, Wsd, Hsd, Vsd),
};
static const X86Opcode movlps[2] = {
    ROW("vmovlps", AVX, tr_vex, X86_VECTOR_load_low8, VEX_L0, Vq, Hq, Wq),
    MERGE("vmovhlps", movhlps, VEX_L0),
};
static const X86Opcode movhps[2] = {
    ROW("vmovhps", AVX, tr_vex, X86_VECTOR_load_high8, VEX_L0, Vq, Hq, Wq),
    MERGE("vmovlhps", movlhps, VEX_L0),
};
static const X86Opcode movddup[2] = { OP(movddup, 0, Vdq, Wq), OP(movddup, 0, Vqq, Wqq) };
static const X86Opcode group12[8] = { [2] = SHIFT(psrlw), [4] = SHIFT(psraw), [6] = SHIFT(psllw) };
static const X86Opcode group13[8] = { [2] = SHIFT(psrld), [4] = SHIFT(psrad), [6] = SHIFT(pslld) };
static const X86Opcode group14[8] = {
    [2] = SHIFT(psrlq), [3] = SHIFT(psrldq), [6] = SHIFT(psllq), [7] = SHIFT(pslldq),
};
static const X86Opcode group15_memory[8] = {
    [2] = ROW("vldmxcsr", AVX, tr_ldmxcsr, 0, VEX_L0, Md),
    [3] = ROW("vstmxcsr", AVX, tr_stmxcsr, 0, VEX_L0, Md),
};
static const X86Opcode group15[2] = { [0] = GROUP(group15_memory, SELECT_REG) };
static const X86Opcode zero[2] = {
    ROW("vzeroupper", AVX, tr_vzero, X86_VECTOR_vzeroupper, 0),
    ROW("vzeroall", AVX, tr_vzero, X86_VECTOR_vzeroall, 0),
};

/* --- 0F38: by W */

static const X86Opcode group17[8] = {
    [1] = GENERAL("blsr", BMI1, tr_bls, 1, By, Ey),
    [2] = GENERAL("blsmsk", BMI1, tr_bls, 2, By, Ey),
    [3] = GENERAL("blsi", BMI1, tr_bls, 3, By, Ey),
};
#define BY_W(a, b) { a, b }
#define AVX2_OP(name, vex_, ...) ROW(#name, AVX2, tr_vex, X86_VECTOR_##name, vex_, __VA_ARGS__)
static const X86Opcode sllv[2] = BY_W(AVX2_OP(vpsllvd, 0, Vx, Hx, Wx),
                                      AVX2_OP(vpsllvq, 0, Vx, Hx, Wx));
static const X86Opcode srlv[2] = BY_W(AVX2_OP(vpsrlvd, 0, Vx, Hx, Wx),
                                      AVX2_OP(vpsrlvq, 0, Vx, Hx, Wx));
#define MASKED(mnemonic, set, rule_, size, vex_, ...)                                              \
    ROW(mnemonic, set, rule_, size, vex_, __VA_ARGS__)
static const X86Opcode mask_load[2] = {
    MASKED("vpmaskmovd", AVX2, tr_vex_mask_load, 4, 0, Vx, Hx, Mx),
    MASKED("vpmaskmovq", AVX2, tr_vex_mask_load, 8, 0, Vx, Hx, Mx),
};
static const X86Opcode mask_store[2] = {
    MASKED("vpmaskmovd", AVX2, tr_vex_mask_store, 4, 0, Mx, Hx, Vx),
    MASKED("vpmaskmovq", AVX2, tr_vex_mask_store, 8, 0, Mx, Hx, Vx),
};
/* sizes of an element and of an index */
#define GATHER(mnemonic, size, index)                                                              \
    ROW(mnemonic, AVX2, tr_vex_gather, (size) | (index) << 8, VEX_SIB, Vx, M0, Hx)
static const X86Opcode gather_dd[2] = { GATHER("vpgatherdd", 4, 4), GATHER("vpgatherdq", 8, 4) };
static const X86Opcode gather_qd[2] = { GATHER("vpgatherqd", 4, 8), GATHER("vpgatherqq", 8, 8) };
static const X86Opcode gather_dps[2] = { GATHER("vgatherdps", 4, 4), GATHER("vgatherdpd", 8, 4) };
static const X86Opcode gather_qps[2] = { GATHER("vgatherqps", 4, 8), GATHER("vgatherqpd", 8, 8) };
#define FMA_OP(name, vex_, ...) ROW(#name, FMA, tr_vex, X86_VECTOR_##name, vex_, __VA_ARGS__)
#define FMA_PACKED(name)                                                                           \
    static const X86Opcode name[2] = BY_W(FMA_OP(name##ps, 0, Vx, Hx, Wx),                         \
                                          FMA_OP(name##pd, 0, Vx, Hx, Wx));
#define FMA_BOTH(name)                                                                             \
    FMA_PACKED(name)                                                                               \
    static const X86Opcode name##_scalar[2] = BY_W(FMA_OP(name##ss, VEX_SCALAR, Vss, Hss, Wss),    \
                                                   FMA_OP(name##sd, VEX_SCALAR, Vsd, Hsd, Wsd));
#define FMA_ORDERS(kind, name) kind(name##132) kind(name##213) kind(name##231)
FMA_ORDERS(FMA_BOTH, vfmadd)
FMA_ORDERS(FMA_BOTH, vfmsub)
FMA_ORDERS(FMA_BOTH, vfnmadd)
FMA_ORDERS(FMA_BOTH, vfnmsub)
FMA_ORDERS(FMA_PACKED, vfmaddsub)
FMA_ORDERS(FMA_PACKED, vfmsubadd)
#define W(rows) ONLY_66(GROUP(rows, SELECT_W))

/* --- 0F3A */

static const X86Opcode pextrd[2] = {
    ROW("vpextrd", AVX, tr_vex_extract, 0, VEX_L0, Ey, Vdq, Ib),
    ROW("vpextrq", AVX, tr_vex_extract, 0, VEX_L0, Ey, Vdq, Ib),
};
static const X86Opcode pinsrd[2] = {
    ROW("vpinsrd", AVX, tr_vex_from_reg, X86_VECTOR_pinsrd, VEX_L0 | VEX_BY_SIZE, Vdq, Hdq, Ey, Ib),
    ROW("vpinsrq", AVX, tr_vex_from_reg, X86_VECTOR_pinsrd, VEX_L0 | VEX_BY_SIZE, Vdq, Hdq, Ey, Ib),
};
#define STRING(name)                                                                               \
    ONLY_66(ROW("v" #name, AVX, tr_vex_string, X86_VECTOR_##name, VEX_L0, Vdq, Wdq, Ib))
/* Halves of 32 bytes. */
#define INSERT(mnemonic, set)                                                                      \
    ONLY_66(ROW(mnemonic, set, tr_vex, X86_VECTOR_vinsertf128, VEX_L1 | VEX_W0, Vqq, Hqq, Wdq, Ib))
#define EXTRACT(mnemonic, set)                                                                     \
    ONLY_66(ROW(mnemonic, set, tr_vex_extract_half, 0, VEX_L1 | VEX_W0, Wdq, Vqq, Ib))
#define PERMUTE2(mnemonic, set)                                                                    \
    ONLY_66(ROW(mnemonic, set, tr_vex, X86_VECTOR_vperm2f128, VEX_L1 | VEX_W0, Vqq, Hqq, Wqq, Ib))
#define BROADCAST(mnemonic, set, name, vex_, size)                                                 \
    ONLY_66(ROW(mnemonic, set, tr_vex, X86_VECTOR_##name, VEX_W0 | (vex_), Vx, size))
#define BLEND(name)                                                                                \
    ONLY_66(ROW(#name, AVX, tr_vex, X86_VECTOR_##name, VEX_W0, Vx, Hx, Wx, Lx))
#define AES(name, ...)                                                                             \
    ONLY_66(ROW("v" #name, AES, tr_vex, X86_VECTOR_##name, VEX_L0, Vdq, __VA_ARGS__))

const X86Opcode x86_map_vex[3][256][4] = {
    {
        [0x10] = { ROW("vmovups", AVX, tr_vex_mov_load, 0, 0, Vx, Wx),
                   ROW("vmovupd", AVX, tr_vex_mov_load, 0, 0, Vx, Wx),
                   GROUP(movss_load, SELECT_MOD), GROUP(movsd_load, SELECT_MOD) },
        [0x11] = { ROW("vmovups", AVX, tr_vex_mov_store, 0, 0, Wx, Vx),
                   ROW("vmovupd", AVX, tr_vex_mov_store, 0, 0, Wx, Vx),
                   GROUP(movss_store, SELECT_MOD), GROUP(movsd_store, SELECT_MOD) },
        [0x12] = { GROUP(movlps, SELECT_MOD),
                   ROW("vmovlpd", AVX, tr_vex, X86_VECTOR_load_low8, VEX_L0, Vq, Hq, Mq),
                   OP(movsldup, 0, Vx, Wx), GROUP(movddup, SELECT_L) },
        [0x13] = { ROW("vmovlps", AVX, tr_movh_store, 0, VEX_L0, Mq, Vq),
                   ROW("vmovlpd", AVX, tr_movh_store, 0, VEX_L0, Mq, Vq) },
        [0x14] = UNPACK("vunpckl", punpckldq, punpcklqdq),
        [0x15] = UNPACK("vunpckh", punpckhdq, punpckhqdq),
        [0x16] = { GROUP(movhps, SELECT_MOD),
                   ROW("vmovhpd", AVX, tr_vex, X86_VECTOR_load_high8, VEX_L0, Vq, Hq, Mq),
                   OP(movshdup, 0, Vx, Wx) },
        [0x17] = { ROW("vmovhps", AVX, tr_movh_store, 8, VEX_L0, Mq, Vq),
                   ROW("vmovhpd", AVX, tr_movh_store, 8, VEX_L0, Mq, Vq) },
        [0x28] = { ALIGNED("vmovaps", tr_vex_mov_load, Vx, Wx),
                   ALIGNED("vmovapd", tr_vex_mov_load, Vx, Wx) },
        [0x29] = { ALIGNED("vmovaps", tr_vex_mov_store, Wx, Vx),
                   ALIGNED("vmovapd", tr_vex_mov_store, Wx, Vx) },
        [0x2a] = { [PREFIX_F3] = ROW("vcvtsi2ss", AVX, tr_vex_from_reg, X86_VECTOR_cvtsi2ss32,
                                     VEX_SCALAR | VEX_BY_SIZE, Vss, Hss, Ey),
                   [PREFIX_F2] = ROW("vcvtsi2sd", AVX, tr_vex_from_reg, X86_VECTOR_cvtsi2sd32,
                                     VEX_SCALAR | VEX_BY_SIZE, Vsd, Hsd, Ey) },
        [0x2b] = { ALIGNED("vmovntps", tr_vex_mov_store, Mx, Vx),
                   ALIGNED("vmovntpd", tr_vex_mov_store, Mx, Vx) },
        [0x2c] = { [PREFIX_F3] = ROW("vcvttss2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvttss2si32,
                                     VEX_SCALAR, Gy, Wss),
                   [PREFIX_F2] = ROW("vcvttsd2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvttsd2si32,
                                     VEX_SCALAR, Gy, Wsd) },
        [0x2d] = { [PREFIX_F3] = ROW("vcvtss2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvtss2si32,
                                     VEX_SCALAR, Gy, Wss),
                   [PREFIX_F2] = ROW("vcvtsd2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvtsd2si32,
                                     VEX_SCALAR, Gy, Wsd) },
        [0x2e] = { FLAGS(ucomiss, VEX_SCALAR, Vss, Wss), FLAGS(ucomisd, VEX_SCALAR, Vsd, Wsd) },
        [0x2f] = { FLAGS(comiss, VEX_SCALAR, Vss, Wss), FLAGS(comisd, VEX_SCALAR, Vsd, Wsd) },
        [0x50] = { ROW("vmovmskps", AVX, tr_vex_to_reg, X86_VECTOR_movmskps, 0, Gd, Ux),
                   ROW("vmovmskpd", AVX, tr_vex_to_reg, X86_VECTOR_movmskpd, 0, Gd, Ux) },
        [0x51] = { OP(sqrtps, 0, Vx, Wx), OP(sqrtpd, 0, Vx, Wx),
                   OP(sqrtss, VEX_SCALAR, Vss, Hss, Wss), OP(sqrtsd, VEX_SCALAR, Vsd, Hsd, Wsd) },
        [0x52] = { [PREFIX_NONE] = OP(rsqrtps, 0, Vx, Wx),
                   [PREFIX_F3] = OP(rsqrtss, VEX_SCALAR, Vss, Hss, Wss) },
        [0x53] = { [PREFIX_NONE] = OP(rcpps, 0, Vx, Wx),
                   [PREFIX_F3] = OP(rcpss, VEX_SCALAR, Vss, Hss, Wss) },
        [0x54] = BITWISE("vand", pand),
        [0x55] = BITWISE("vandn", pandn),
        [0x56] = BITWISE("vor", por),
        [0x57] = BITWISE("vxor", pxor),
        [0x58] = FLOATS(add),
        [0x59] = FLOATS(mul),
        [0x5a] = { OP(cvtps2pd, VEX_DOUBLE, Vx, Wq), OP(cvtpd2ps, 0, Vx, Wx),
                   OP(cvtss2sd, VEX_SCALAR, Vsd, Hsd, Wss),
                   OP(cvtsd2ss, VEX_SCALAR, Vss, Hss, Wsd) },
        [0x5b] = { OP(cvtdq2ps, 0, Vx, Wx), OP(cvtps2dq, 0, Vx, Wx), OP(cvttps2dq, 0, Vx, Wx) },
        [0x5c] = FLOATS(sub),
        [0x5d] = FLOATS(min),
        [0x5e] = FLOATS(div),
        [0x5f] = FLOATS(max),
        [0x60] = INT(punpcklbw),
        [0x61] = INT(punpcklwd),
        [0x62] = INT(punpckldq),
        [0x63] = INT(packsswb),
        [0x64] = INT(pcmpgtb),
        [0x65] = INT(pcmpgtw),
        [0x66] = INT(pcmpgtd),
        [0x67] = INT(packuswb),
        [0x68] = INT(punpckhbw),
        [0x69] = INT(punpckhwd),
        [0x6a] = INT(punpckhdq),
        [0x6b] = INT(packssdw),
        [0x6c] = INT(punpcklqdq),
        [0x6d] = INT(punpckhqdq),
        [0x6e] = ONLY_66(ROW("vmovd", AVX, tr_vex_from_reg, X86_VECTOR_copy_zero4,
                             VEX_L0 | VEX_BY_SIZE, Vdq, Ey)),
        [0x6f] = { [PREFIX_66] = ALIGNED("vmovdqa", tr_vex_mov_load, Vx, Wx),
                   [PREFIX_F3] = ROW("vmovdqu", AVX, tr_vex_mov_load, 0, 0, Vx, Wx) },
        [0x70] = { [PREFIX_66] = OP(pshufd, VEX_INT, Vx, Wx, Ib),
                   [PREFIX_F3] = OP(pshufhw, VEX_INT, Vx, Wx, Ib),
                   [PREFIX_F2] = OP(pshuflw, VEX_INT, Vx, Wx, Ib) },
        [0x71] = ONLY_66(GROUP(group12, SELECT_REG)),
        [0x72] = ONLY_66(GROUP(group13, SELECT_REG)),
        [0x73] = ONLY_66(GROUP(group14, SELECT_REG)),
        [0x74] = INT(pcmpeqb),
        [0x75] = INT(pcmpeqw),
        [0x76] = INT(pcmpeqd),
        [0x77] = { GROUP(zero, SELECT_L) },
        [0x7c] = { [PREFIX_66] = OP(haddpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(haddps, 0, Vx, Hx, Wx) },
        [0x7d] = { [PREFIX_66] = OP(hsubpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(hsubps, 0, Vx, Hx, Wx) },
        [0x7e] = { [PREFIX_66] = ROW("vmovd", AVX, tr_movd_to_reg, 0, VEX_L0, Ey, Vdq),
                   [PREFIX_F3] = ROW("vmovq", AVX, tr_vex_extended, 0, VEX_L0, Vdq, Wq) },
        [0x7f] = { [PREFIX_66] = ALIGNED("vmovdqa", tr_vex_mov_store, Wx, Vx),
                   [PREFIX_F3] = ROW("vmovdqu", AVX, tr_vex_mov_store, 0, 0, Wx, Vx) },
        [0xae] = { GROUP(group15, SELECT_MOD) },
        [0xc2] = { ROW("vcmpps", AVX, tr_vex, X86_VECTOR_vcmpps, 0, Vx, Hx, Wx, Ib),
                   ROW("vcmppd", AVX, tr_vex, X86_VECTOR_vcmppd, 0, Vx, Hx, Wx, Ib),
                   ROW("vcmpss", AVX, tr_vex, X86_VECTOR_vcmpss, VEX_SCALAR, Vss, Hss, Wss, Ib),
                   ROW("vcmpsd", AVX, tr_vex, X86_VECTOR_vcmpsd, VEX_SCALAR, Vsd, Hsd, Wsd, Ib) },
        [0xc4] = ONLY_66(ROW("vpinsrw", AVX, tr_vex_from_reg, X86_VECTOR_pinsrw, VEX_L0, Vdq, Hdq,
                             EdMw, Ib)),
        [0xc5] = ONLY_66(ROW("vpextrw", AVX, tr_extract, 2, VEX_L0, Gd, Udq, Ib)),
        [0xc6] = { OP(shufps, 0, Vx, Hx, Wx, Ib), OP(shufpd, 0, Vx, Hx, Wx, Ib) },
        [0xd0] = { [PREFIX_66] = OP(addsubpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(addsubps, 0, Vx, Hx, Wx) },
        [0xd1] = COUNT(psrlw),
        [0xd2] = COUNT(psrld),
        [0xd3] = COUNT(psrlq),
        [0xd4] = INT(paddq),
        [0xd5] = INT(pmullw),
        [0xd6] = ONLY_66(ROW("vmovq", AVX, tr_vex_movq_store, 0, VEX_L0, Wq, Vdq)),
        [0xd7] = ONLY_66(ROW("vpmovmskb", AVX, tr_vex_to_reg, X86_VECTOR_pmovmskb, VEX_INT, Gd,
                             Ux)),
        [0xd8] = INT(psubusb),
        [0xd9] = INT(psubusw),
        [0xda] = INT(pminub),
        [0xdb] = INT(pand),
        [0xdc] = INT(paddusb),
        [0xdd] = INT(paddusw),
        [0xde] = INT(pmaxub),
        [0xdf] = INT(pandn),
        [0xe0] = INT(pavgb),
        [0xe1] = COUNT(psraw),
        [0xe2] = COUNT(psrad),
        [0xe3] = INT(pavgw),
        [0xe4] = INT(pmulhuw),
        [0xe5] = INT(pmulhw),
        [0xe6] = { [PREFIX_66] = OP(cvttpd2dq, 0, Vx, Wx),
                   [PREFIX_F3] = OP(cvtdq2pd, VEX_DOUBLE, Vx, Wq),
                   [PREFIX_F2] = OP(cvtpd2dq, 0, Vx, Wx) },
        [0xe7] = ONLY_66(ALIGNED("vmovntdq", tr_vex_mov_store, Mx, Vx)),
        [0xe8] = INT(psubsb),
        [0xe9] = INT(psubsw),
        [0xea] = INT(pminsw),
        [0xeb] = INT(por),
        [0xec] = INT(paddsb),
        [0xed] = INT(paddsw),
        [0xee] = INT(pmaxsw),
        [0xef] = INT(pxor),
        [0xf0] = { [PREFIX_F2] = ROW("vlddqu", AVX, tr_vex_mov_load, 0, 0, Vx, Mx) },
        [0xf1] = COUNT(psllw),
        [0xf2] = COUNT(pslld),
        [0xf3] = COUNT(psllq),
        [0xf4] = INT(pmuludq),
        [0xf5] = INT(pmaddwd),
        [0xf6] = INT(psadbw),
        [0xf7] = ONLY_66(ROW("vmaskmovdqu", AVX, tr_maskmov, 0, VEX_L0, Vdq, Udq)),
        [0xf8] = INT(psubb),
        [0xf9] = INT(psubw),
        [0xfa] = INT(psubd),
        [0xfb] = INT(psubq),
        [0xfc] = INT(paddb),
        [0xfd] = INT(paddw),
        [0xfe] = INT(paddd),
    },
    {
        [0x00] = INT(pshufb),
        [0x01] = INT(phaddw),
        [0x02] = INT(phaddd),
        [0x03] = INT(phaddsw),
        [0x04] = INT(pmaddubsw),
        [0x05] = INT(phsubw),
        [0x06] = INT(phsubd),
        [0x07] = INT(phsubsw),
        [0x08] = INT(psignb),
        [0x09] = INT(psignw),
        [0x0a] = INT(psignd),
        [0x0b] = INT(pmulhrsw),
        [0x0c] = ONLY_66(ROW("vpermilps", AVX, tr_vex, X86_VECTOR_vpermilps, VEX_W0, Vx, Hx, Wx)),
        [0x0d] = ONLY_66(ROW("vpermilpd", AVX, tr_vex, X86_VECTOR_vpermilpd, VEX_W0, Vx, Hx, Wx)),
        [0x0e] = ONLY_66(ROW("vtestps", AVX, tr_vex_flags, X86_VECTOR_vtestps, VEX_W0, Vx, Wx)),
        [0x0f] = ONLY_66(ROW("vtestpd", AVX, tr_vex_flags, X86_VECTOR_vtestpd, VEX_W0, Vx, Wx)),
        [0x13] = ONLY_66(ROW("vcvtph2ps", F16C, tr_vex, X86_VECTOR_vcvtph2ps, VEX_W0 | VEX_DOUBLE,
                             Vx, Wq)),
        [0x16] = ONLY_66(AVX2_OP(vpermd, VEX_L1 | VEX_W0, Vqq, Hqq, Wqq)), /* VPERMPS */
        [0x17] = ONLY_66(FLAGS(ptest, 0, Vx, Wx)),
        [0x18] = BROADCAST("vbroadcastss", AVX, vpbroadcastd, 0, Wd),
        [0x19] = BROADCAST("vbroadcastsd", AVX, vpbroadcastq, VEX_L1, Wq),
        [0x1a] = BROADCAST("vbroadcastf128", AVX, vbroadcastf128, VEX_L1, Mdq),
        [0x1c] = INT_ONE(pabsb),
        [0x1d] = INT_ONE(pabsw),
        [0x1e] = INT_ONE(pabsd),
        [0x20] = WIDEN(pmovsxbw, Wq),
        [0x21] = WIDEN(pmovsxbd, Wd),
        [0x22] = WIDEN(pmovsxbq, Ww),
        [0x23] = WIDEN(pmovsxwd, Wq),
        [0x24] = WIDEN(pmovsxwq, Wd),
        [0x25] = WIDEN(pmovsxdq, Wq),
        [0x28] = INT(pmuldq),
        [0x29] = INT(pcmpeqq),
        [0x2a] = ONLY_66({ .name = "vmovntdqa", .operand = { Vx, Mx }, .rule = tr_vex_mov_load,
                           .flags = OPCODE_AVX | OPCODE_ALIGN, .vex = VEX_INT,
                           .feature = X86_FEATURE_AVX }),
        [0x2b] = INT(packusdw),
        [0x2c] = ONLY_66(MASKED("vmaskmovps", AVX, tr_vex_mask_load, 4, VEX_W0, Vx, Hx, Mx)),
        [0x2d] = ONLY_66(MASKED("vmaskmovpd", AVX, tr_vex_mask_load, 8, VEX_W0, Vx, Hx, Mx)),
        [0x2e] = ONLY_66(MASKED("vmaskmovps", AVX, tr_vex_mask_store, 4, VEX_W0, Mx, Hx, Vx)),
        [0x2f] = ONLY_66(MASKED("vmaskmovpd", AVX, tr_vex_mask_store, 8, VEX_W0, Mx, Hx, Vx)),
        [0x30] = WIDEN(pmovzxbw, Wq),
        [0x31] = WIDEN(pmovzxbd, Wd),
        [0x32] = WIDEN(pmovzxbq, Ww),
        [0x33] = WIDEN(pmovzxwd, Wq),
        [0x34] = WIDEN(pmovzxwq, Wd),
        [0x35] = WIDEN(pmovzxdq, Wq),
        [0x36] = ONLY_66(AVX2_OP(vpermd, VEX_L1 | VEX_W0, Vqq, Hqq, Wqq)),
        [0x37] = INT(pcmpgtq),
        [0x38] = INT(pminsb),
        [0x39] = INT(pminsd),
        [0x3a] = INT(pminuw),
        [0x3b] = INT(pminud),
        [0x3c] = INT(pmaxsb),
        [0x3d] = INT(pmaxsd),
        [0x3e] = INT(pmaxuw),
        [0x3f] = INT(pmaxud),
        [0x40] = INT(pmulld),
        [0x41] = ONLY_66(OP(phminposuw, VEX_L0, Vdq, Wdq)),
        [0x45] = W(srlv),
        [0x46] = ONLY_66(AVX2_OP(vpsravd, VEX_W0, Vx, Hx, Wx)),
        [0x47] = W(sllv),
        [0x58] = BROADCAST("vpbroadcastd", AVX2, vpbroadcastd, 0, Wd),
        [0x59] = BROADCAST("vpbroadcastq", AVX2, vpbroadcastq, 0, Wq),
        [0x5a] = BROADCAST("vbroadcasti128", AVX2, vbroadcastf128, VEX_L1, Mdq),
        [0x78] = BROADCAST("vpbroadcastb", AVX2, vpbroadcastb, 0, Wb),
        [0x79] = BROADCAST("vpbroadcastw", AVX2, vpbroadcastw, 0, Ww),
        [0x8c] = W(mask_load),
        [0x8e] = W(mask_store),
        [0x90] = W(gather_dd),
        [0x91] = W(gather_qd),
        [0x92] = W(gather_dps),
        [0x93] = W(gather_qps),
        [0x96] = W(vfmaddsub132),
        [0x97] = W(vfmsubadd132),
        [0x98] = W(vfmadd132),
        [0x99] = W(vfmadd132_scalar),
        [0x9a] = W(vfmsub132),
        [0x9b] = W(vfmsub132_scalar),
        [0x9c] = W(vfnmadd132),
        [0x9d] = W(vfnmadd132_scalar),
        [0x9e] = W(vfnmsub132),
        [0x9f] = W(vfnmsub132_scalar),
        [0xa6] = W(vfmaddsub213),
        [0xa7] = W(vfmsubadd213),
        [0xa8] = W(vfmadd213),
        [0xa9] = W(vfmadd213_scalar),
        [0xaa] = W(vfmsub213),
        [0xab] = W(vfmsub213_scalar),
        [0xac] = W(vfnmadd213),
        [0xad] = W(vfnmadd213_scalar),
        [0xae] = W(vfnmsub213),
        [0xaf] = W(vfnmsub213_scalar),
        [0xb6] = W(vfmaddsub231),
        [0xb7] = W(vfmsubadd231),
        [0xb8] = W(vfmadd231),
        [0xb9] = W(vfmadd231_scalar),
        [0xba] = W(vfmsub231),
        [0xbb] = W(vfmsub231_scalar),
        [0xbc] = W(vfnmadd231),
        [0xbd] = W(vfnmadd231_scalar),
        [0xbe] = W(vfnmsub231),
        [0xbf] = W(vfnmsub231_scalar),
        [0xdb] = AES(aesimc, Wdq),
        [0xdc] = AES(aesenc, Hdq, Wdq),
        [0xdd] = AES(aesenclast, Hdq, Wdq),
        [0xde] = AES(aesdec, Hdq, Wdq),
        [0xdf] = AES(aesdeclast, Hdq, Wdq),
        [0xf2] = { GENERAL("andn", BMI1, tr_andn, 0, Gy, By, Ey) },
        [0xf3] = { GROUP(group17, SELECT_REG) },
        [0xf5] = { [PREFIX_NONE] = GENERAL("bzhi", BMI2, tr_bzhi, 0, Gy, Ey, By),
                   [PREFIX_F3] = GENERAL("pext", BMI2, tr_pdep, X86_CALL_pext, Gy, By, Ey),
                   [PREFIX_F2] = GENERAL("pdep", BMI2, tr_pdep, X86_CALL_pdep, Gy, By, Ey) },
        [0xf6] = { [PREFIX_F2] = GENERAL("mulx", BMI2, tr_mulx, 0, Gy, By, Ey) },
        [0xf7] = { GENERAL("bextr", BMI1, tr_bextr, 0, Gy, Ey, By),
                   GENERAL("shlx", BMI2, tr_shiftx, IR_SHL32, Gy, Ey, By),
                   GENERAL("sarx", BMI2, tr_shiftx, IR_SAR32, Gy, Ey, By),
                   GENERAL("shrx", BMI2, tr_shiftx, IR_SHR32, Gy, Ey, By) },
    },
    {
        [0x00] = ONLY_66(ROW("vpermq", AVX2, tr_vex, X86_VECTOR_vpermq_imm, VEX_L1 | VEX_W1, Vqq,
                             Wqq, Ib)),
        [0x01] = ONLY_66(ROW("vpermpd", AVX2, tr_vex, X86_VECTOR_vpermq_imm, VEX_L1 | VEX_W1, Vqq,
                             Wqq, Ib)),
        [0x02] = ONLY_66(ROW("vpblendd", AVX2, tr_vex, X86_VECTOR_blendps, VEX_W0, Vx, Hx, Wx,
                             Ib)),
        [0x04] = ONLY_66(ROW("vpermilps", AVX, tr_vex, X86_VECTOR_vpermilps_imm, VEX_W0, Vx, Wx,
                             Ib)),
        [0x05] = ONLY_66(ROW("vpermilpd", AVX, tr_vex, X86_VECTOR_vpermilpd_imm, VEX_W0, Vx, Wx,
                             Ib)),
        [0x06] = PERMUTE2("vperm2f128", AVX),
        [0x08] = ONLY_66(OP(roundps, 0, Vx, Wx, Ib)),
        [0x09] = ONLY_66(OP(roundpd, 0, Vx, Wx, Ib)),
        [0x0a] = ONLY_66(OP(roundss, VEX_SCALAR, Vss, Hss, Wss, Ib)),
        [0x0b] = ONLY_66(OP(roundsd, VEX_SCALAR, Vsd, Hsd, Wsd, Ib)),
        [0x0c] = ONLY_66(OP(blendps, 0, Vx, Hx, Wx, Ib)),
        [0x0d] = ONLY_66(OP(blendpd, 0, Vx, Hx, Wx, Ib)),
        [0x0e] = INT_IMM(pblendw),
        [0x0f] = INT_IMM(palignr),
        [0x14] = ONLY_66(ROW("vpextrb", AVX, tr_extract, 1, VEX_L0, EdMb, Vdq, Ib)),
        [0x15] = ONLY_66(ROW("vpextrw", AVX, tr_extract, 2, VEX_L0, EdMw, Vdq, Ib)),
        [0x16] = ONLY_66(GROUP(pextrd, SELECT_W)),
        [0x17] = ONLY_66(ROW("vextractps", AVX, tr_extract, 4, VEX_L0, EdMd, Vdq, Ib)),
        [0x18] = INSERT("vinsertf128", AVX),
        [0x19] = EXTRACT("vextractf128", AVX),
        [0x1d] = ONLY_66(ROW("vcvtps2ph", F16C, tr_vex_to_half, X86_VECTOR_vcvtps2ph,
                             VEX_W0 | VEX_DOUBLE, Wq, Vx, Ib)),
        [0x20] = ONLY_66(ROW("vpinsrb", AVX, tr_vex_from_reg, X86_VECTOR_pinsrb, VEX_L0, Vdq, Hdq,
                             EdMb, Ib)),
        [0x21] = ONLY_66(ROW("vinsertps", AVX, tr_vex_insertps, 0, VEX_L0, Vdq, Hdq, Wd, Ib)),
        [0x22] = ONLY_66(GROUP(pinsrd, SELECT_W)),
        [0x38] = INSERT("vinserti128", AVX2),
        [0x39] = EXTRACT("vextracti128", AVX2),
        [0x40] = ONLY_66(OP(dpps, 0, Vx, Hx, Wx, Ib)),
        [0x41] = ONLY_66(OP(dppd, VEX_L0, Vdq, Hdq, Wdq, Ib)),
        [0x42] = INT_IMM(mpsadbw),
        [0x44] = ONLY_66(ROW("vpclmulqdq", PCLMUL, tr_vex, X86_VECTOR_pclmulqdq, VEX_L0, Vdq, Hdq,
                             Wdq, Ib)),
        [0x46] = PERMUTE2("vperm2i128", AVX2),
        [0x4a] = BLEND(vblendvps),
        [0x4b] = BLEND(vblendvpd),
        [0x4c] = BLEND(vpblendvb),
        [0x60] = STRING(pcmpestrm),
        [0x61] = STRING(pcmpestri),
        [0x62] = STRING(pcmpistrm),
        [0x63] = STRING(pcmpistri),
        [0xdf] = AES(aeskeygenassist, Wdq, Ib),
        [0xf0] = { [PREFIX_F2] = GENERAL("rorx", BMI2, tr_rorx, 0, Gy, Ey, Ib) },
    },
};
/* clang-format on */
