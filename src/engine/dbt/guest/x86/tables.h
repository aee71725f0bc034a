/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an opcode row is written: the operand words of the manual's opcode maps (SDM volume 2,
 * appendix A), groups, and who contributes rows to which map.
 *
 * A row:    [0x01] = { "add", { Ev, Gv }, tr_alu, .argument = ALU_ADD, .flags = OPCODE_LOCK },
 * A group:  [0x80] = { .group = group1, .select = SELECT_REG },
 * An operand word's first letter says where the operand is (X86Address), the rest its size.
 * An empty row (no name, no group) is no instruction.
 *
 * Maps and their order, for an opcode byte of the 0F, 0F38 and 0F3A maps: the row of the integer
 * array [256]; if that is empty, or its groups end in an empty row, the row of the vector array
 * [256][4], whose second index is the mandatory prefix: none, 66, F3, F2.  F3 and F2 (the last one
 * counts) win against 66.  A row that several prefixes share stands there several times; without
 * a row for its prefix an instruction is undefined.  Rows of the vector arrays may be groups too.
 *
 * In the integer arrays prefixes select only through a group with SELECT_PREFIX; otherwise 66 is
 * the operand size and F3/F2 are for the rule to look at (insn->rep, insn->repne) or ignored.
 * VEX-coded instructions only ever use the vex array; VEX_ bits say what the prefix must be.
 *
 * Threads: no state.
 */
#pragma once

#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/decode.h"

/* Size of an operand. */
typedef enum X86Size {
    SIZE_NONE, /* memory without a size: LEA, INVLPG, FXSAVE */
    SIZE_B,    /* 1 */
    SIZE_W,    /* 2 */
    SIZE_D,    /* 4 */
    SIZE_Q,    /* 8 */
    SIZE_T,    /* 10 */
    SIZE_DQ,   /* 16 */
    SIZE_QQ,   /* 32 */
    SIZE_X,    /* 16, or 32 by VEX.L */
    SIZE_V,    /* operand size: 2, 4, 8 */
    SIZE_Z,    /* 2 for 16-bit operand size, else 4 */
    SIZE_Y,    /* 4, or 8 by REX.W; 66 has no influence */
    SIZE_P,    /* far pointer: 2 + operand size */
    SIZE_S,    /* pseudo-descriptor: 6, in 64-bit mode 10 */
    SIZE_A,    /* pair of BOUND: 2 * operand size */
    SIZE_64,   /* 8 in 64-bit mode, else 4: MOV CR, DR and their like */
} X86Size;

/* How .group is indexed. */
typedef enum X86Select {
    SELECT_NONE,
    SELECT_REG,    /* 8 rows by modrm.reg */
    SELECT_RM,     /* 8 rows by modrm.rm */
    SELECT_MOD,    /* 2 rows: memory, register form */
    SELECT_REG_RM, /* 64 rows by modrm.reg * 8 + modrm.rm (x87 register forms) */
    SELECT_PREFIX, /* 4 rows by X86Prefix */
    SELECT_MODE64, /* 2 rows: other modes, 64-bit mode */
    SELECT_W,      /* 2 rows by REX.W */
    SELECT_L,      /* 2 rows by VEX.L */
} X86Select;

/* Operand words.  Where a name would be a fixed register: its size letter, then REG_. */
enum {
    Eb = ADDR_E | SIZE_B << 8,
    Ew = ADDR_E | SIZE_W << 8,
    Ed = ADDR_E | SIZE_D << 8,
    Ev = ADDR_E | SIZE_V << 8,
    Ey = ADDR_E | SIZE_Y << 8,
    Eq = ADDR_E | SIZE_Q << 8,
    Ep = ADDR_M | SIZE_P << 8,    /* memory only */
    EvMw = ADDR_EV | SIZE_W << 8, /* register v or memory w: MOV from segment, SLDT, SMSW */
    EdMb = ADDR_ED | SIZE_B << 8, /* register d (y) or memory b: PEXTRB, PINSRB */
    EdMw = ADDR_ED | SIZE_W << 8, /* PEXTRW, PINSRW */
    EdMd = ADDR_ED | SIZE_D << 8, /* EXTRACTPS */
    Gb = ADDR_G | SIZE_B << 8,
    Gw = ADDR_G | SIZE_W << 8,
    Gd = ADDR_G | SIZE_D << 8,
    Gv = ADDR_G | SIZE_V << 8,
    Gz = ADDR_G | SIZE_Z << 8,
    Gy = ADDR_G | SIZE_Y << 8,
    Gq = ADDR_G | SIZE_Q << 8,
    G64 = ADDR_G | SIZE_64 << 8,
    M0 = ADDR_M, /* address only */
    Mb = ADDR_M | SIZE_B << 8,
    Mw = ADDR_M | SIZE_W << 8,
    Md = ADDR_M | SIZE_D << 8,
    Mq = ADDR_M | SIZE_Q << 8,
    Mt = ADDR_M | SIZE_T << 8,
    Mdq = ADDR_M | SIZE_DQ << 8,
    Mqq = ADDR_M | SIZE_QQ << 8,
    Mx = ADDR_M | SIZE_X << 8,
    Mv = ADDR_M | SIZE_V << 8,
    My = ADDR_M | SIZE_Y << 8,
    Mp = ADDR_M | SIZE_P << 8,
    Ms = ADDR_M | SIZE_S << 8,
    Ma = ADDR_M | SIZE_A << 8,
    Rd = ADDR_R | SIZE_D << 8,
    Rv = ADDR_R | SIZE_V << 8,
    Ry = ADDR_R | SIZE_Y << 8,
    Rq = ADDR_R | SIZE_Q << 8,
    R64 = ADDR_R | SIZE_64 << 8,
    /* vectors: the size of a memory operand, and what the rule may touch of a register */
    Wd = ADDR_W | SIZE_D << 8,
    Wq = ADDR_W | SIZE_Q << 8,
    Ww = ADDR_W | SIZE_W << 8,
    Wdq = ADDR_W | SIZE_DQ << 8,
    Wx = ADDR_W | SIZE_X << 8,
    Wps = Wx,
    Wpd = Wx,
    Wss = Wd,
    Wsd = Wq,
    Vd = ADDR_V | SIZE_D << 8,
    Vq = ADDR_V | SIZE_Q << 8,
    Vdq = ADDR_V | SIZE_DQ << 8,
    Vx = ADDR_V | SIZE_X << 8,
    Vps = Vx,
    Vpd = Vx,
    Vss = Vd,
    Vsd = Vq,
    Ud = ADDR_U | SIZE_D << 8,
    Uq = ADDR_U | SIZE_Q << 8,
    Udq = ADDR_U | SIZE_DQ << 8,
    Ux = ADDR_U | SIZE_X << 8,
    Ups = Ux,
    Upd = Ux,
    Hd = ADDR_H | SIZE_D << 8,
    Hq = ADDR_H | SIZE_Q << 8,
    Hx = ADDR_H | SIZE_X << 8,
    Hdq = ADDR_H | SIZE_DQ << 8,
    Hqq = ADDR_H | SIZE_QQ << 8,
    Hps = Hx,
    Hpd = Hx,
    Hss = Hd,
    Hsd = Hq,
    Vqq = ADDR_V | SIZE_QQ << 8,
    Wqq = ADDR_W | SIZE_QQ << 8,
    Wb = ADDR_W | SIZE_B << 8,
    By = ADDR_B | SIZE_Y << 8,
    Lx = ADDR_L | SIZE_X << 8,
    Pd = ADDR_P | SIZE_D << 8,
    Pq = ADDR_P | SIZE_Q << 8,
    Qd = ADDR_Q | SIZE_D << 8,
    Qq = ADDR_Q | SIZE_Q << 8,
    Nq = ADDR_N | SIZE_Q << 8,
    Sw = ADDR_S | SIZE_W << 8,
    Cr = ADDR_C | SIZE_64 << 8,
    Dr = ADDR_D | SIZE_64 << 8,
    Ib = ADDR_I | SIZE_B << 8,   /* zero-extended */
    IbS = ADDR_IS | SIZE_V << 8, /* a byte, sign-extended to the operand size */
    Iw = ADDR_I | SIZE_W << 8,
    Iz = ADDR_IS | SIZE_Z << 8, /* 2 or 4 bytes, sign-extended */
    Iv = ADDR_I | SIZE_V << 8,  /* up to 8 bytes: MOV to register */
    Jb = ADDR_J | SIZE_B << 8,
    Jz = ADDR_J | SIZE_Z << 8,
    Ap = ADDR_A | SIZE_P << 8,
    Ob = ADDR_O | SIZE_B << 8,
    Ov = ADDR_O | SIZE_V << 8,
    Xb = ADDR_X | SIZE_B << 8,
    Xv = ADDR_X | SIZE_V << 8,
    Xz = ADDR_X | SIZE_Z << 8,
    Yb = ADDR_Y | SIZE_B << 8,
    Yv = ADDR_Y | SIZE_V << 8,
    Yz = ADDR_Y | SIZE_Z << 8,
    Zb = ADDR_Z | SIZE_B << 8, /* register in the opcode */
    Zv = ADDR_Z | SIZE_V << 8,
    ONE = ADDR_ONE | SIZE_B << 8,
    AL = ADDR_REG | SIZE_B << 8 | 0 << 12,
    CL = ADDR_REG | SIZE_B << 8 | 1 << 12,
    AX = ADDR_REG | SIZE_W << 8 | 0 << 12,
    DX = ADDR_REG | SIZE_W << 8 | 2 << 12,
    rAX = ADDR_REG | SIZE_V << 8 | 0 << 12,
    zAX = ADDR_REG | SIZE_Z << 8 | 0 << 12, /* AX or EAX: IN, OUT */
    sES = ADDR_SEG | SIZE_W << 8 | 0 << 12,
    sCS = ADDR_SEG | SIZE_W << 8 | 1 << 12,
    sSS = ADDR_SEG | SIZE_W << 8 | 2 << 12,
    sDS = ADDR_SEG | SIZE_W << 8 | 3 << 12,
    sFS = ADDR_SEG | SIZE_W << 8 | 4 << 12,
    sGS = ADDR_SEG | SIZE_W << 8 | 5 << 12,
    STi = ADDR_ST | SIZE_T << 8,
    ST0 = ADDR_ST0 | SIZE_T << 8,
};

/* tables_int.c: integer, control and system instructions */
extern const X86Opcode x86_map_one[256]; /* D8 to DF are groups from x86_map_x87 */
extern const X86Opcode x86_map_0f[256];
extern const X86Opcode x86_map_0f38[256];
extern const X86Opcode x86_map_0f3a[256];
/* tables_sse.c: MMX and SSE, with their moves to and from general registers and memory, FXSAVE,
 * LDMXCSR, XSAVE and their like of 0F AE and 0F C7, EMMS */
extern const X86Opcode x86_map_0f_vector[256][4];
extern const X86Opcode x86_map_0f38_vector[256][4];
extern const X86Opcode x86_map_0f3a_vector[256][4];
/* tables_x87.c: the rows (groups) of D8 to DF; 9B (FWAIT) is x86_map_fwait */
extern const X86Opcode x86_map_x87[8];
extern const X86Opcode x86_row_fwait;
/* tables_avx.c: what a VEX prefix introduces, by map - 1, opcode and X86Prefix */
extern const X86Opcode x86_map_vex[3][256][4];
