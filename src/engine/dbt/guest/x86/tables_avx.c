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
/* On general registers. */
#define GENERAL(mnemonic, set, rule_, arg, ...)                                                    \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .argument = arg,              \
        .vex = VEX_L0, .feature = X86_FEATURE_##set                                                \
    }
#define ONLY_66(...)                                                                               \
    {                                                                                              \
        [PREFIX_66] = __VA_ARGS__                                                                  \
    }
/* A vector operation of the same name: on floats, on integers. */
#define OP(name, vex_, ...) ROW("v" #name, AVX, tr_vex, X86_VECTOR_##name, vex_, __VA_ARGS__)
#define INT(name)           ONLY_66(OP(name, VEX_INT, Vx, Hx, Wx))
/* Packed and scalar, single and double. */
#define FLOATS(name)                                                                               \
    {                                                                                              \
        OP(name##ps, 0, Vx, Hx, Wx), OP(name##pd, 0, Vx, Hx, Wx),                                  \
            OP(name##ss, VEX_SCALAR, Vss, Hss, Wss), OP(name##sd, VEX_SCALAR, Vsd, Hsd, Wsd)       \
    }

/* --- 0F */

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
    ROW("vmovhlps", AVX, tr_vex, X86_VECTOR_movhlps, VEX_L0, Vq, Hq, Uq),
};
static const X86Opcode movhps[2] = {
    ROW("vmovhps", AVX, tr_vex, X86_VECTOR_load_high8, VEX_L0, Vq, Hq, Wq),
    ROW("vmovlhps", AVX, tr_vex, X86_VECTOR_movlhps, VEX_L0, Vq, Hq, Uq),
};
static const X86Opcode movddup[2] = { OP(movddup, 0, Vdq, Wq), OP(movddup, 0, Vqq, Wqq) };
static const X86Opcode group12[8] = {
    [2] = ROW("vpsrlw", AVX, tr_vex_shift, X86_VECTOR_psrlw_imm, VEX_INT, Hx, Ux, Ib),
    [4] = ROW("vpsraw", AVX, tr_vex_shift, X86_VECTOR_psraw_imm, VEX_INT, Hx, Ux, Ib),
    [6] = ROW("vpsllw", AVX, tr_vex_shift, X86_VECTOR_psllw_imm, VEX_INT, Hx, Ux, Ib)
};
static const X86Opcode group13[8] = {
    [2] = ROW("vpsrld", AVX, tr_vex_shift, X86_VECTOR_psrld_imm, VEX_INT, Hx, Ux, Ib),
    [4] = ROW("vpsrad", AVX, tr_vex_shift, X86_VECTOR_psrad_imm, VEX_INT, Hx, Ux, Ib),
    [6] = ROW("vpslld", AVX, tr_vex_shift, X86_VECTOR_pslld_imm, VEX_INT, Hx, Ux, Ib)
};
static const X86Opcode group14[8] = {
    [2] = ROW("vpsrlq", AVX, tr_vex_shift, X86_VECTOR_psrlq_imm, VEX_INT, Hx, Ux, Ib),
    [3] = ROW("vpsrldq", AVX, tr_vex_shift, X86_VECTOR_psrldq_imm, VEX_INT, Hx, Ux, Ib),
    [6] = ROW("vpsllq", AVX, tr_vex_shift, X86_VECTOR_psllq_imm, VEX_INT, Hx, Ux, Ib),
    [7] = ROW("vpslldq", AVX, tr_vex_shift, X86_VECTOR_pslldq_imm, VEX_INT, Hx, Ux, Ib),
};
static const X86Opcode group15_memory[8] = {
    [2] = ROW("vldmxcsr", AVX, tr_ldmxcsr, 0, VEX_L0, Md),
    [3] = ROW("vstmxcsr", AVX, tr_stmxcsr, 0, VEX_L0, Md),
};
static const X86Opcode group15[2] = { [0] = { .group = group15_memory, .select = SELECT_REG } };
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
static const X86Opcode sllv[2] = { ROW("vpsllvd", AVX2, tr_vex, X86_VECTOR_vpsllvd, 0, Vx, Hx, Wx),
                                   ROW("vpsllvq", AVX2, tr_vex, X86_VECTOR_vpsllvq, 0, Vx, Hx,
                                       Wx) };
static const X86Opcode srlv[2] = { ROW("vpsrlvd", AVX2, tr_vex, X86_VECTOR_vpsrlvd, 0, Vx, Hx, Wx),
                                   ROW("vpsrlvq", AVX2, tr_vex, X86_VECTOR_vpsrlvq, 0, Vx, Hx,
                                       Wx) };
static const X86Opcode mask_load[2] = {
    ROW("vpmaskmovd", AVX2, tr_vex_mask_load, 4, 0, Vx, Hx, Mx),
    ROW("vpmaskmovq", AVX2, tr_vex_mask_load, 8, 0, Vx, Hx, Mx),
};
static const X86Opcode mask_store[2] = {
    ROW("vpmaskmovd", AVX2, tr_vex_mask_store, 4, 0, Mx, Hx, Vx),
    ROW("vpmaskmovq", AVX2, tr_vex_mask_store, 8, 0, Mx, Hx, Vx),
};
/* sizes of an element and of an index */
static const X86Opcode gather_dd[2] = {
    ROW("vpgatherdd", AVX2, tr_vex_gather, 4 | 4 << 8, VEX_SIB, Vx, M0, Hx),
    ROW("vpgatherdq", AVX2, tr_vex_gather, 8 | 4 << 8, VEX_SIB, Vx, M0, Hx)
};
static const X86Opcode gather_qd[2] = {
    ROW("vpgatherqd", AVX2, tr_vex_gather, 4 | 8 << 8, VEX_SIB, Vx, M0, Hx),
    ROW("vpgatherqq", AVX2, tr_vex_gather, 8 | 8 << 8, VEX_SIB, Vx, M0, Hx)
};
static const X86Opcode gather_dps[2] = {
    ROW("vgatherdps", AVX2, tr_vex_gather, 4 | 4 << 8, VEX_SIB, Vx, M0, Hx),
    ROW("vgatherdpd", AVX2, tr_vex_gather, 8 | 4 << 8, VEX_SIB, Vx, M0, Hx)
};
static const X86Opcode gather_qps[2] = {
    ROW("vgatherqps", AVX2, tr_vex_gather, 4 | 8 << 8, VEX_SIB, Vx, M0, Hx),
    ROW("vgatherqpd", AVX2, tr_vex_gather, 8 | 8 << 8, VEX_SIB, Vx, M0, Hx)
};
#define FMA_OP(name, vex_, ...) ROW(#name, FMA, tr_vex, X86_VECTOR_##name, vex_, __VA_ARGS__)
#define FMA_PACKED(name)                                                                           \
    static const X86Opcode name[2] = { FMA_OP(name##ps, 0, Vx, Hx, Wx),                            \
                                       FMA_OP(name##pd, 0, Vx, Hx, Wx) };
#define FMA_BOTH(name)                                                                             \
    FMA_PACKED(name)                                                                               \
    static const X86Opcode name##_scalar[2] = { FMA_OP(name##ss, VEX_SCALAR, Vss, Hss, Wss),       \
                                                FMA_OP(name##sd, VEX_SCALAR, Vsd, Hsd, Wsd) };
#define FMA_ORDERS(kind, name) kind(name##132) kind(name##213) kind(name##231)
FMA_ORDERS(FMA_BOTH, vfmadd)
FMA_ORDERS(FMA_BOTH, vfmsub)
FMA_ORDERS(FMA_BOTH, vfnmadd)
FMA_ORDERS(FMA_BOTH, vfnmsub)
FMA_ORDERS(FMA_PACKED, vfmaddsub)
FMA_ORDERS(FMA_PACKED, vfmsubadd)

/* --- 0F3A */

static const X86Opcode pextrd[2] = {
    ROW("vpextrd", AVX, tr_vex_extract, 0, VEX_L0, Ey, Vdq, Ib),
    ROW("vpextrq", AVX, tr_vex_extract, 0, VEX_L0, Ey, Vdq, Ib),
};
static const X86Opcode pinsrd[2] = {
    ROW("vpinsrd", AVX, tr_vex_from_reg, X86_VECTOR_pinsrd, VEX_L0 | VEX_BY_SIZE, Vdq, Hdq, Ey, Ib),
    ROW("vpinsrq", AVX, tr_vex_from_reg, X86_VECTOR_pinsrd, VEX_L0 | VEX_BY_SIZE, Vdq, Hdq, Ey, Ib),
};

const X86Opcode x86_map_vex[3][256][4] = {
    {
        [0x10] = { ROW("vmovups", AVX, tr_vex_mov_load, 0, 0, Vx, Wx),
                   ROW("vmovupd", AVX, tr_vex_mov_load, 0, 0, Vx, Wx),
                   { .group = movss_load, .select = SELECT_MOD },
                   { .group = movsd_load, .select = SELECT_MOD } },
        [0x11] = { ROW("vmovups", AVX, tr_vex_mov_store, 0, 0, Wx, Vx),
                   ROW("vmovupd", AVX, tr_vex_mov_store, 0, 0, Wx, Vx),
                   { .group = movss_store, .select = SELECT_MOD },
                   { .group = movsd_store, .select = SELECT_MOD } },
        [0x12] = { { .group = movlps, .select = SELECT_MOD },
                   ROW("vmovlpd", AVX, tr_vex, X86_VECTOR_load_low8, VEX_L0, Vq, Hq, Mq),
                   OP(movsldup, 0, Vx, Wx),
                   { .group = movddup, .select = SELECT_L } },
        [0x13] = { ROW("vmovlps", AVX, tr_movh_store, 0, VEX_L0, Mq, Vq),
                   ROW("vmovlpd", AVX, tr_movh_store, 0, VEX_L0, Mq, Vq) },
        [0x14] = { ROW("vunpcklps", AVX, tr_vex, X86_VECTOR_punpckldq, 0, Vx, Hx, Wx),
                   ROW("vunpcklpd", AVX, tr_vex, X86_VECTOR_punpcklqdq, 0, Vx, Hx, Wx) },
        [0x15] = { ROW("vunpckhps", AVX, tr_vex, X86_VECTOR_punpckhdq, 0, Vx, Hx, Wx),
                   ROW("vunpckhpd", AVX, tr_vex, X86_VECTOR_punpckhqdq, 0, Vx, Hx, Wx) },
        [0x16] = { { .group = movhps, .select = SELECT_MOD },
                   ROW("vmovhpd", AVX, tr_vex, X86_VECTOR_load_high8, VEX_L0, Vq, Hq, Mq),
                   OP(movshdup, 0, Vx, Wx) },
        [0x17] = { ROW("vmovhps", AVX, tr_movh_store, 8, VEX_L0, Mq, Vq),
                   ROW("vmovhpd", AVX, tr_movh_store, 8, VEX_L0, Mq, Vq) },
        [0x28] = { ROW("vmovaps", AVX, tr_vex_mov_load, 0, VEX_ALIGN, Vx, Wx),
                   ROW("vmovapd", AVX, tr_vex_mov_load, 0, VEX_ALIGN, Vx, Wx) },
        [0x29] = { ROW("vmovaps", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Wx, Vx),
                   ROW("vmovapd", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Wx, Vx) },
        [0x2a] = { [PREFIX_F3] = ROW("vcvtsi2ss", AVX, tr_vex_from_reg, X86_VECTOR_cvtsi2ss32,
                                     VEX_SCALAR | VEX_BY_SIZE, Vss, Hss, Ey),
                   [PREFIX_F2] = ROW("vcvtsi2sd", AVX, tr_vex_from_reg, X86_VECTOR_cvtsi2sd32,
                                     VEX_SCALAR | VEX_BY_SIZE, Vsd, Hsd, Ey) },
        [0x2b] = { ROW("vmovntps", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Mx, Vx),
                   ROW("vmovntpd", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Mx, Vx) },
        [0x2c] = { [PREFIX_F3] = ROW("vcvttss2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvttss2si32,
                                     VEX_SCALAR, Gy, Wss),
                   [PREFIX_F2] = ROW("vcvttsd2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvttsd2si32,
                                     VEX_SCALAR, Gy, Wsd) },
        [0x2d] = { [PREFIX_F3] = ROW("vcvtss2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvtss2si32,
                                     VEX_SCALAR, Gy, Wss),
                   [PREFIX_F2] = ROW("vcvtsd2si", AVX, tr_cvt_to_reg, X86_VECTOR_cvtsd2si32,
                                     VEX_SCALAR, Gy, Wsd) },
        [0x2e] = { ROW("vucomiss", AVX, tr_vex_flags, X86_VECTOR_ucomiss, VEX_SCALAR, Vss, Wss),
                   ROW("vucomisd", AVX, tr_vex_flags, X86_VECTOR_ucomisd, VEX_SCALAR, Vsd, Wsd) },
        [0x2f] = { ROW("vcomiss", AVX, tr_vex_flags, X86_VECTOR_comiss, VEX_SCALAR, Vss, Wss),
                   ROW("vcomisd", AVX, tr_vex_flags, X86_VECTOR_comisd, VEX_SCALAR, Vsd, Wsd) },
        [0x50] = { ROW("vmovmskps", AVX, tr_vex_to_reg, X86_VECTOR_movmskps, 0, Gd, Ux),
                   ROW("vmovmskpd", AVX, tr_vex_to_reg, X86_VECTOR_movmskpd, 0, Gd, Ux) },
        [0x51] = { OP(sqrtps, 0, Vx, Wx), OP(sqrtpd, 0, Vx, Wx),
                   OP(sqrtss, VEX_SCALAR, Vss, Hss, Wss), OP(sqrtsd, VEX_SCALAR, Vsd, Hsd, Wsd) },
        [0x52] = { [PREFIX_NONE] = OP(rsqrtps, 0, Vx, Wx),
                   [PREFIX_F3] = OP(rsqrtss, VEX_SCALAR, Vss, Hss, Wss) },
        [0x53] = { [PREFIX_NONE] = OP(rcpps, 0, Vx, Wx),
                   [PREFIX_F3] = OP(rcpss, VEX_SCALAR, Vss, Hss, Wss) },
        [0x54] = { ROW("vandps", AVX, tr_vex, X86_VECTOR_pand, 0, Vx, Hx, Wx),
                   ROW("vandpd", AVX, tr_vex, X86_VECTOR_pand, 0, Vx, Hx, Wx) },
        [0x55] = { ROW("vandnps", AVX, tr_vex, X86_VECTOR_pandn, 0, Vx, Hx, Wx),
                   ROW("vandnpd", AVX, tr_vex, X86_VECTOR_pandn, 0, Vx, Hx, Wx) },
        [0x56] = { ROW("vorps", AVX, tr_vex, X86_VECTOR_por, 0, Vx, Hx, Wx),
                   ROW("vorpd", AVX, tr_vex, X86_VECTOR_por, 0, Vx, Hx, Wx) },
        [0x57] = { ROW("vxorps", AVX, tr_vex, X86_VECTOR_pxor, 0, Vx, Hx, Wx),
                   ROW("vxorpd", AVX, tr_vex, X86_VECTOR_pxor, 0, Vx, Hx, Wx) },
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
        [0x6f] = { [PREFIX_66] = ROW("vmovdqa", AVX, tr_vex_mov_load, 0, VEX_ALIGN, Vx, Wx),
                   [PREFIX_F3] = ROW("vmovdqu", AVX, tr_vex_mov_load, 0, 0, Vx, Wx) },
        [0x70] = { [PREFIX_66] = OP(pshufd, VEX_INT, Vx, Wx, Ib),
                   [PREFIX_F3] = OP(pshufhw, VEX_INT, Vx, Wx, Ib),
                   [PREFIX_F2] = OP(pshuflw, VEX_INT, Vx, Wx, Ib) },
        [0x71] = ONLY_66({ .group = group12, .select = SELECT_REG }),
        [0x72] = ONLY_66({ .group = group13, .select = SELECT_REG }),
        [0x73] = ONLY_66({ .group = group14, .select = SELECT_REG }),
        [0x74] = INT(pcmpeqb),
        [0x75] = INT(pcmpeqw),
        [0x76] = INT(pcmpeqd),
        [0x77] = { { .group = zero, .select = SELECT_L } },
        [0x7c] = { [PREFIX_66] = OP(haddpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(haddps, 0, Vx, Hx, Wx) },
        [0x7d] = { [PREFIX_66] = OP(hsubpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(hsubps, 0, Vx, Hx, Wx) },
        [0x7e] = { [PREFIX_66] = ROW("vmovd", AVX, tr_movd_to_reg, 0, VEX_L0, Ey, Vdq),
                   [PREFIX_F3] = ROW("vmovq", AVX, tr_vex_extended, 0, VEX_L0, Vdq, Wq) },
        [0x7f] = { [PREFIX_66] = ROW("vmovdqa", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Wx, Vx),
                   [PREFIX_F3] = ROW("vmovdqu", AVX, tr_vex_mov_store, 0, 0, Wx, Vx) },
        [0xae] = { { .group = group15, .select = SELECT_MOD } },
        [0xc2] = { ROW("vcmpps", AVX, tr_vex, X86_VECTOR_vcmpps, 0, Vx, Hx, Wx, Ib),
                   ROW("vcmppd", AVX, tr_vex, X86_VECTOR_vcmppd, 0, Vx, Hx, Wx, Ib),
                   ROW("vcmpss", AVX, tr_vex, X86_VECTOR_vcmpss, VEX_SCALAR, Vss, Hss, Wss, Ib),
                   ROW("vcmpsd", AVX, tr_vex, X86_VECTOR_vcmpsd, VEX_SCALAR, Vsd, Hsd, Wsd, Ib) },
        [0xc4] = ONLY_66(
            ROW("vpinsrw", AVX, tr_vex_from_reg, X86_VECTOR_pinsrw, VEX_L0, Vdq, Hdq, EdMw, Ib)),
        [0xc5] = ONLY_66(ROW("vpextrw", AVX, tr_extract, 2, VEX_L0, Gd, Udq, Ib)),
        [0xc6] = { OP(shufps, 0, Vx, Hx, Wx, Ib), OP(shufpd, 0, Vx, Hx, Wx, Ib) },
        [0xd0] = { [PREFIX_66] = OP(addsubpd, 0, Vx, Hx, Wx),
                   [PREFIX_F2] = OP(addsubps, 0, Vx, Hx, Wx) },
        [0xd1] = ONLY_66(OP(psrlw, VEX_INT, Vx, Hx, Wdq)),
        [0xd2] = ONLY_66(OP(psrld, VEX_INT, Vx, Hx, Wdq)),
        [0xd3] = ONLY_66(OP(psrlq, VEX_INT, Vx, Hx, Wdq)),
        [0xd4] = INT(paddq),
        [0xd5] = INT(pmullw),
        [0xd6] = ONLY_66(ROW("vmovq", AVX, tr_vex_movq_store, 0, VEX_L0, Wq, Vdq)),
        [0xd7] =
            ONLY_66(ROW("vpmovmskb", AVX, tr_vex_to_reg, X86_VECTOR_pmovmskb, VEX_INT, Gd, Ux)),
        [0xd8] = INT(psubusb),
        [0xd9] = INT(psubusw),
        [0xda] = INT(pminub),
        [0xdb] = INT(pand),
        [0xdc] = INT(paddusb),
        [0xdd] = INT(paddusw),
        [0xde] = INT(pmaxub),
        [0xdf] = INT(pandn),
        [0xe0] = INT(pavgb),
        [0xe1] = ONLY_66(OP(psraw, VEX_INT, Vx, Hx, Wdq)),
        [0xe2] = ONLY_66(OP(psrad, VEX_INT, Vx, Hx, Wdq)),
        [0xe3] = INT(pavgw),
        [0xe4] = INT(pmulhuw),
        [0xe5] = INT(pmulhw),
        [0xe6] = { [PREFIX_66] = OP(cvttpd2dq, 0, Vx, Wx),
                   [PREFIX_F3] = OP(cvtdq2pd, VEX_DOUBLE, Vx, Wq),
                   [PREFIX_F2] = OP(cvtpd2dq, 0, Vx, Wx) },
        [0xe7] = ONLY_66(ROW("vmovntdq", AVX, tr_vex_mov_store, 0, VEX_ALIGN, Mx, Vx)),
        [0xe8] = INT(psubsb),
        [0xe9] = INT(psubsw),
        [0xea] = INT(pminsw),
        [0xeb] = INT(por),
        [0xec] = INT(paddsb),
        [0xed] = INT(paddsw),
        [0xee] = INT(pmaxsw),
        [0xef] = INT(pxor),
        [0xf0] = { [PREFIX_F2] = ROW("vlddqu", AVX, tr_vex_mov_load, 0, 0, Vx, Mx) },
        [0xf1] = ONLY_66(OP(psllw, VEX_INT, Vx, Hx, Wdq)),
        [0xf2] = ONLY_66(OP(pslld, VEX_INT, Vx, Hx, Wdq)),
        [0xf3] = ONLY_66(OP(psllq, VEX_INT, Vx, Hx, Wdq)),
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
        [0x13] = ONLY_66(
            ROW("vcvtph2ps", F16C, tr_vex, X86_VECTOR_vcvtph2ps, VEX_W0 | VEX_DOUBLE, Vx, Wq)),
        [0x16] = ONLY_66(ROW("vpermd", AVX2, tr_vex, X86_VECTOR_vpermd, VEX_L1 | VEX_W0, Vqq, Hqq,
                             Wqq)), /* VPERMPS */
        [0x17] = ONLY_66(ROW("vptest", AVX, tr_vex_flags, X86_VECTOR_ptest, 0, Vx, Wx)),
        [0x18] = ONLY_66(
            ROW("vbroadcastss", AVX, tr_vex, X86_VECTOR_vpbroadcastd, VEX_W0 | (0), Vx, Wd)),
        [0x19] = ONLY_66(
            ROW("vbroadcastsd", AVX, tr_vex, X86_VECTOR_vpbroadcastq, VEX_W0 | (VEX_L1), Vx, Wq)),
        [0x1a] = ONLY_66(ROW("vbroadcastf128", AVX, tr_vex, X86_VECTOR_vbroadcastf128,
                             VEX_W0 | (VEX_L1), Vx, Mdq)),
        [0x1c] = ONLY_66(OP(pabsb, VEX_INT, Vx, Wx)),
        [0x1d] = ONLY_66(OP(pabsw, VEX_INT, Vx, Wx)),
        [0x1e] = ONLY_66(OP(pabsd, VEX_INT, Vx, Wx)),
        [0x20] = ONLY_66(OP(pmovsxbw, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x21] = ONLY_66(OP(pmovsxbd, VEX_INT | VEX_DOUBLE, Vx, Wd)),
        [0x22] = ONLY_66(OP(pmovsxbq, VEX_INT | VEX_DOUBLE, Vx, Ww)),
        [0x23] = ONLY_66(OP(pmovsxwd, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x24] = ONLY_66(OP(pmovsxwq, VEX_INT | VEX_DOUBLE, Vx, Wd)),
        [0x25] = ONLY_66(OP(pmovsxdq, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x28] = INT(pmuldq),
        [0x29] = INT(pcmpeqq),
        [0x2a] = ONLY_66(ROW("vmovntdqa", AVX, tr_vex_mov_load, 0, VEX_ALIGN | VEX_INT, Vx, Mx)),
        [0x2b] = INT(packusdw),
        [0x2c] = ONLY_66(ROW("vmaskmovps", AVX, tr_vex_mask_load, 4, VEX_W0, Vx, Hx, Mx)),
        [0x2d] = ONLY_66(ROW("vmaskmovpd", AVX, tr_vex_mask_load, 8, VEX_W0, Vx, Hx, Mx)),
        [0x2e] = ONLY_66(ROW("vmaskmovps", AVX, tr_vex_mask_store, 4, VEX_W0, Mx, Hx, Vx)),
        [0x2f] = ONLY_66(ROW("vmaskmovpd", AVX, tr_vex_mask_store, 8, VEX_W0, Mx, Hx, Vx)),
        [0x30] = ONLY_66(OP(pmovzxbw, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x31] = ONLY_66(OP(pmovzxbd, VEX_INT | VEX_DOUBLE, Vx, Wd)),
        [0x32] = ONLY_66(OP(pmovzxbq, VEX_INT | VEX_DOUBLE, Vx, Ww)),
        [0x33] = ONLY_66(OP(pmovzxwd, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x34] = ONLY_66(OP(pmovzxwq, VEX_INT | VEX_DOUBLE, Vx, Wd)),
        [0x35] = ONLY_66(OP(pmovzxdq, VEX_INT | VEX_DOUBLE, Vx, Wq)),
        [0x36] =
            ONLY_66(ROW("vpermd", AVX2, tr_vex, X86_VECTOR_vpermd, VEX_L1 | VEX_W0, Vqq, Hqq, Wqq)),
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
        [0x45] = ONLY_66({ .group = srlv, .select = SELECT_W }),
        [0x46] = ONLY_66(ROW("vpsravd", AVX2, tr_vex, X86_VECTOR_vpsravd, VEX_W0, Vx, Hx, Wx)),
        [0x47] = ONLY_66({ .group = sllv, .select = SELECT_W }),
        [0x58] = ONLY_66(
            ROW("vpbroadcastd", AVX2, tr_vex, X86_VECTOR_vpbroadcastd, VEX_W0 | (0), Vx, Wd)),
        [0x59] = ONLY_66(
            ROW("vpbroadcastq", AVX2, tr_vex, X86_VECTOR_vpbroadcastq, VEX_W0 | (0), Vx, Wq)),
        [0x5a] = ONLY_66(ROW("vbroadcasti128", AVX2, tr_vex, X86_VECTOR_vbroadcastf128,
                             VEX_W0 | (VEX_L1), Vx, Mdq)),
        [0x78] = ONLY_66(
            ROW("vpbroadcastb", AVX2, tr_vex, X86_VECTOR_vpbroadcastb, VEX_W0 | (0), Vx, Wb)),
        [0x79] = ONLY_66(
            ROW("vpbroadcastw", AVX2, tr_vex, X86_VECTOR_vpbroadcastw, VEX_W0 | (0), Vx, Ww)),
        [0x8c] = ONLY_66({ .group = mask_load, .select = SELECT_W }),
        [0x8e] = ONLY_66({ .group = mask_store, .select = SELECT_W }),
        [0x90] = ONLY_66({ .group = gather_dd, .select = SELECT_W }),
        [0x91] = ONLY_66({ .group = gather_qd, .select = SELECT_W }),
        [0x92] = ONLY_66({ .group = gather_dps, .select = SELECT_W }),
        [0x93] = ONLY_66({ .group = gather_qps, .select = SELECT_W }),
        [0x96] = ONLY_66({ .group = vfmaddsub132, .select = SELECT_W }),
        [0x97] = ONLY_66({ .group = vfmsubadd132, .select = SELECT_W }),
        [0x98] = ONLY_66({ .group = vfmadd132, .select = SELECT_W }),
        [0x99] = ONLY_66({ .group = vfmadd132_scalar, .select = SELECT_W }),
        [0x9a] = ONLY_66({ .group = vfmsub132, .select = SELECT_W }),
        [0x9b] = ONLY_66({ .group = vfmsub132_scalar, .select = SELECT_W }),
        [0x9c] = ONLY_66({ .group = vfnmadd132, .select = SELECT_W }),
        [0x9d] = ONLY_66({ .group = vfnmadd132_scalar, .select = SELECT_W }),
        [0x9e] = ONLY_66({ .group = vfnmsub132, .select = SELECT_W }),
        [0x9f] = ONLY_66({ .group = vfnmsub132_scalar, .select = SELECT_W }),
        [0xa6] = ONLY_66({ .group = vfmaddsub213, .select = SELECT_W }),
        [0xa7] = ONLY_66({ .group = vfmsubadd213, .select = SELECT_W }),
        [0xa8] = ONLY_66({ .group = vfmadd213, .select = SELECT_W }),
        [0xa9] = ONLY_66({ .group = vfmadd213_scalar, .select = SELECT_W }),
        [0xaa] = ONLY_66({ .group = vfmsub213, .select = SELECT_W }),
        [0xab] = ONLY_66({ .group = vfmsub213_scalar, .select = SELECT_W }),
        [0xac] = ONLY_66({ .group = vfnmadd213, .select = SELECT_W }),
        [0xad] = ONLY_66({ .group = vfnmadd213_scalar, .select = SELECT_W }),
        [0xae] = ONLY_66({ .group = vfnmsub213, .select = SELECT_W }),
        [0xaf] = ONLY_66({ .group = vfnmsub213_scalar, .select = SELECT_W }),
        [0xb6] = ONLY_66({ .group = vfmaddsub231, .select = SELECT_W }),
        [0xb7] = ONLY_66({ .group = vfmsubadd231, .select = SELECT_W }),
        [0xb8] = ONLY_66({ .group = vfmadd231, .select = SELECT_W }),
        [0xb9] = ONLY_66({ .group = vfmadd231_scalar, .select = SELECT_W }),
        [0xba] = ONLY_66({ .group = vfmsub231, .select = SELECT_W }),
        [0xbb] = ONLY_66({ .group = vfmsub231_scalar, .select = SELECT_W }),
        [0xbc] = ONLY_66({ .group = vfnmadd231, .select = SELECT_W }),
        [0xbd] = ONLY_66({ .group = vfnmadd231_scalar, .select = SELECT_W }),
        [0xbe] = ONLY_66({ .group = vfnmsub231, .select = SELECT_W }),
        [0xbf] = ONLY_66({ .group = vfnmsub231_scalar, .select = SELECT_W }),
        [0xdb] = ONLY_66(ROW("vaesimc", AES, tr_vex, X86_VECTOR_aesimc, VEX_L0, Vdq, Wdq)),
        [0xdc] = ONLY_66(ROW("vaesenc", AES, tr_vex, X86_VECTOR_aesenc, VEX_L0, Vdq, Hdq, Wdq)),
        [0xdd] =
            ONLY_66(ROW("vaesenclast", AES, tr_vex, X86_VECTOR_aesenclast, VEX_L0, Vdq, Hdq, Wdq)),
        [0xde] = ONLY_66(ROW("vaesdec", AES, tr_vex, X86_VECTOR_aesdec, VEX_L0, Vdq, Hdq, Wdq)),
        [0xdf] =
            ONLY_66(ROW("vaesdeclast", AES, tr_vex, X86_VECTOR_aesdeclast, VEX_L0, Vdq, Hdq, Wdq)),
        [0xf2] = { GENERAL("andn", BMI1, tr_andn, 0, Gy, By, Ey) },
        [0xf3] = { { .group = group17, .select = SELECT_REG } },
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
        [0x00] = ONLY_66(
            ROW("vpermq", AVX2, tr_vex, X86_VECTOR_vpermq_imm, VEX_L1 | VEX_W1, Vqq, Wqq, Ib)),
        [0x01] = ONLY_66(
            ROW("vpermpd", AVX2, tr_vex, X86_VECTOR_vpermq_imm, VEX_L1 | VEX_W1, Vqq, Wqq, Ib)),
        [0x02] = ONLY_66(ROW("vpblendd", AVX2, tr_vex, X86_VECTOR_blendps, VEX_W0, Vx, Hx, Wx, Ib)),
        [0x04] =
            ONLY_66(ROW("vpermilps", AVX, tr_vex, X86_VECTOR_vpermilps_imm, VEX_W0, Vx, Wx, Ib)),
        [0x05] =
            ONLY_66(ROW("vpermilpd", AVX, tr_vex, X86_VECTOR_vpermilpd_imm, VEX_W0, Vx, Wx, Ib)),
        [0x06] = ONLY_66(ROW("vperm2f128", AVX, tr_vex, X86_VECTOR_vperm2f128, VEX_L1 | VEX_W0, Vqq,
                             Hqq, Wqq, Ib)),
        [0x08] = ONLY_66(OP(roundps, 0, Vx, Wx, Ib)),
        [0x09] = ONLY_66(OP(roundpd, 0, Vx, Wx, Ib)),
        [0x0a] = ONLY_66(OP(roundss, VEX_SCALAR, Vss, Hss, Wss, Ib)),
        [0x0b] = ONLY_66(OP(roundsd, VEX_SCALAR, Vsd, Hsd, Wsd, Ib)),
        [0x0c] = ONLY_66(OP(blendps, 0, Vx, Hx, Wx, Ib)),
        [0x0d] = ONLY_66(OP(blendpd, 0, Vx, Hx, Wx, Ib)),
        [0x0e] = ONLY_66(OP(pblendw, VEX_INT, Vx, Hx, Wx, Ib)),
        [0x0f] = ONLY_66(OP(palignr, VEX_INT, Vx, Hx, Wx, Ib)),
        [0x14] = ONLY_66(ROW("vpextrb", AVX, tr_extract, 1, VEX_L0, EdMb, Vdq, Ib)),
        [0x15] = ONLY_66(ROW("vpextrw", AVX, tr_extract, 2, VEX_L0, EdMw, Vdq, Ib)),
        [0x16] = ONLY_66({ .group = pextrd, .select = SELECT_W }),
        [0x17] = ONLY_66(ROW("vextractps", AVX, tr_extract, 4, VEX_L0, EdMd, Vdq, Ib)),
        [0x18] = ONLY_66(ROW("vinsertf128", AVX, tr_vex, X86_VECTOR_vinsertf128, VEX_L1 | VEX_W0,
                             Vqq, Hqq, Wdq, Ib)),
        [0x19] = ONLY_66(
            ROW("vextractf128", AVX, tr_vex_extract_half, 0, VEX_L1 | VEX_W0, Wdq, Vqq, Ib)),
        [0x1d] = ONLY_66(ROW("vcvtps2ph", F16C, tr_vex_to_half, X86_VECTOR_vcvtps2ph,
                             VEX_W0 | VEX_DOUBLE, Wq, Vx, Ib)),
        [0x20] = ONLY_66(
            ROW("vpinsrb", AVX, tr_vex_from_reg, X86_VECTOR_pinsrb, VEX_L0, Vdq, Hdq, EdMb, Ib)),
        [0x21] = ONLY_66(ROW("vinsertps", AVX, tr_vex_insertps, 0, VEX_L0, Vdq, Hdq, Wd, Ib)),
        [0x22] = ONLY_66({ .group = pinsrd, .select = SELECT_W }),
        [0x38] = ONLY_66(ROW("vinserti128", AVX2, tr_vex, X86_VECTOR_vinsertf128, VEX_L1 | VEX_W0,
                             Vqq, Hqq, Wdq, Ib)),
        [0x39] = ONLY_66(
            ROW("vextracti128", AVX2, tr_vex_extract_half, 0, VEX_L1 | VEX_W0, Wdq, Vqq, Ib)),
        [0x40] = ONLY_66(OP(dpps, 0, Vx, Hx, Wx, Ib)),
        [0x41] = ONLY_66(OP(dppd, VEX_L0, Vdq, Hdq, Wdq, Ib)),
        [0x42] = ONLY_66(OP(mpsadbw, VEX_INT, Vx, Hx, Wx, Ib)),
        [0x44] = ONLY_66(
            ROW("vpclmulqdq", PCLMUL, tr_vex, X86_VECTOR_pclmulqdq, VEX_L0, Vdq, Hdq, Wdq, Ib)),
        [0x46] = ONLY_66(ROW("vperm2i128", AVX2, tr_vex, X86_VECTOR_vperm2f128, VEX_L1 | VEX_W0,
                             Vqq, Hqq, Wqq, Ib)),
        [0x4a] =
            ONLY_66(ROW("vblendvps", AVX, tr_vex, X86_VECTOR_vblendvps, VEX_W0, Vx, Hx, Wx, Lx)),
        [0x4b] =
            ONLY_66(ROW("vblendvpd", AVX, tr_vex, X86_VECTOR_vblendvpd, VEX_W0, Vx, Hx, Wx, Lx)),
        [0x4c] =
            ONLY_66(ROW("vpblendvb", AVX, tr_vex, X86_VECTOR_vpblendvb, VEX_W0, Vx, Hx, Wx, Lx)),
        [0x60] = ONLY_66(
            ROW("vpcmpestrm", AVX, tr_vex_string, X86_VECTOR_pcmpestrm, VEX_L0, Vdq, Wdq, Ib)),
        [0x61] = ONLY_66(
            ROW("vpcmpestri", AVX, tr_vex_string, X86_VECTOR_pcmpestri, VEX_L0, Vdq, Wdq, Ib)),
        [0x62] = ONLY_66(
            ROW("vpcmpistrm", AVX, tr_vex_string, X86_VECTOR_pcmpistrm, VEX_L0, Vdq, Wdq, Ib)),
        [0x63] = ONLY_66(
            ROW("vpcmpistri", AVX, tr_vex_string, X86_VECTOR_pcmpistri, VEX_L0, Vdq, Wdq, Ib)),
        [0xdf] = ONLY_66(
            ROW("vaeskeygenassist", AES, tr_vex, X86_VECTOR_aeskeygenassist, VEX_L0, Vdq, Wdq, Ib)),
        [0xf0] = { [PREFIX_F2] = GENERAL("rorx", BMI2, tr_rorx, 0, Gy, Ey, Ib) },
    },
};
