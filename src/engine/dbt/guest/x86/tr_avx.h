/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for VEX-coded instructions, for the opcode rows of tables_avx.c.  Where a legacy rule
 * leaves no vector register half written, the rows use that one (tr_sse.h).
 *
 * Threads: see translate.h.
 */
#pragma once

#include "engine/dbt/guest/x86/translate.h"

/* V, [H,] W [, immediate or register]: .argument is the vector operation. */
void tr_vex(X86Tr *t, const X86Insn *insn);
/* H, U, immediate: shifts; H is written. */
void tr_vex_shift(X86Tr *t, const X86Insn *insn);
/* G, U: the operation gives a number; V, W: EFLAGS. */
void tr_vex_to_reg(X86Tr *t, const X86Insn *insn);
void tr_vex_flags(X86Tr *t, const X86Insn *insn);
/* V, W, immediate: PCMPxSTRx, which may write XMM0. */
void tr_vex_string(X86Tr *t, const X86Insn *insn);
/* W, V, immediate to memory or a register: VEXTRACTF128 and VCVTPS2PH (.argument). */
void tr_vex_extract_half(X86Tr *t, const X86Insn *insn);
void tr_vex_to_half(X86Tr *t, const X86Insn *insn);
/* Moves: see tr_sse.h. */
void tr_vex_mov_load(X86Tr *t, const X86Insn *insn);
void tr_vex_mov_store(X86Tr *t, const X86Insn *insn);
/* V, M and V, H, U with .argument the operation; W, H, V. */
void tr_vex_extended(X86Tr *t, const X86Insn *insn);
void tr_vex_merge(X86Tr *t, const X86Insn *insn);
void tr_vex_movq_store(X86Tr *t, const X86Insn *insn);
/* V, [H,] E [, immediate]: a general register or as many bytes of memory are the source; .argument
 * is the operation (VEX_BY_SIZE). */
void tr_vex_from_reg(X86Tr *t, const X86Insn *insn);
/* E, V, immediate: an element of E's size. */
void tr_vex_extract(X86Tr *t, const X86Insn *insn);
void tr_vex_insertps(X86Tr *t, const X86Insn *insn);
void tr_vzero(X86Tr *t, const X86Insn *insn);
/* Elements by mask: .argument is their size; VSIB: .argument is that of an element's, and in the
 * next byte that of an index. */
void tr_vex_mask_load(X86Tr *t, const X86Insn *insn);
void tr_vex_mask_store(X86Tr *t, const X86Insn *insn);
void tr_vex_gather(X86Tr *t, const X86Insn *insn);

/* tr_bmi.c */
void tr_andn(X86Tr *t, const X86Insn *insn);
void tr_bextr(X86Tr *t, const X86Insn *insn);
void tr_bzhi(X86Tr *t, const X86Insn *insn);
void tr_bls(X86Tr *t, const X86Insn *insn);  /* 1 BLSR, 2 BLSMSK, 3 BLSI */
void tr_pdep(X86Tr *t, const X86Insn *insn); /* the helper */
void tr_mulx(X86Tr *t, const X86Insn *insn);
void tr_rorx(X86Tr *t, const X86Insn *insn);
void tr_shiftx(X86Tr *t, const X86Insn *insn); /* the operation's 32-bit form */
