/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for MMX and SSE instructions, for the opcode rows of tables_sse.c.
 *
 * Most operations are one node: a vector operation of vectors.def, whose number the row carries in
 * .argument.  Moves are loads, stores and copies of CPU state, so that a back end sees through
 * them.
 *
 * Threads: see translate.h.
 */
#pragma once

#include "engine/dbt/guest/x86/translate.h"

/* V, W [, immediate] or V, U, immediate: .argument is the vector operation. */
void tr_sse(X86Tr *t, const X86Insn *insn);
/* U, immediate: shifts. */
void tr_sse_shift(X86Tr *t, const X86Insn *insn);
/* G, U: the operation gives a number. */
void tr_sse_to_reg(X86Tr *t, const X86Insn *insn);
/* V, W: the operation gives EFLAGS. */
void tr_sse_flags(X86Tr *t, const X86Insn *insn);
/* V, W, immediate: PCMPxSTRx. */
void tr_sse_string(X86Tr *t, const X86Insn *insn);
/* The same on MMX registers. */
void tr_mmx(X86Tr *t, const X86Insn *insn);
void tr_mmx_shift(X86Tr *t, const X86Insn *insn);
void tr_mmx_to_reg(X86Tr *t, const X86Insn *insn);
void tr_emms(X86Tr *t, const X86Insn *insn);

/* Conversions between vectors, general registers (.argument: the 32-bit operation; the 64-bit one
 * is the next) and MMX. */
void tr_cvt_from_reg(X86Tr *t, const X86Insn *insn);
void tr_cvt_to_reg(X86Tr *t, const X86Insn *insn);
void tr_cvt_from_mmx(X86Tr *t, const X86Insn *insn);
void tr_cvt_to_mmx(X86Tr *t, const X86Insn *insn);

/* Whole vectors: V, W and W, V. */
void tr_mov_load(X86Tr *t, const X86Insn *insn);
void tr_mov_store(X86Tr *t, const X86Insn *insn);
/* Scalars of .size: V, W (memory: the rest becomes 0; register: stays) and W, V. */
void tr_movs_load(X86Tr *t, const X86Insn *insn);
void tr_movs_store(X86Tr *t, const X86Insn *insn);
/* V, Wq or Ey: zero-extended to the whole register; and back. */
void tr_movq_load(X86Tr *t, const X86Insn *insn);
void tr_movq_store(X86Tr *t, const X86Insn *insn);
void tr_movd_from_reg(X86Tr *t, const X86Insn *insn);
void tr_movd_to_reg(X86Tr *t, const X86Insn *insn);
/* Halves: .argument is the half (0 or 8) of the vector that V, Mq or Mq, V means; the register
 * form takes the other half of its source. */
void tr_movh_load(X86Tr *t, const X86Insn *insn);
void tr_movh_store(X86Tr *t, const X86Insn *insn);
void tr_movddup(X86Tr *t, const X86Insn *insn);
void tr_mmx_mov_load(X86Tr *t, const X86Insn *insn);
void tr_mmx_mov_store(X86Tr *t, const X86Insn *insn);
void tr_mmx_movd_load(X86Tr *t, const X86Insn *insn);
void tr_mmx_movd_store(X86Tr *t, const X86Insn *insn);
void tr_movq2dq(X86Tr *t, const X86Insn *insn);
void tr_movdq2q(X86Tr *t, const X86Insn *insn);
void tr_maskmov(X86Tr *t, const X86Insn *insn);
/* One lane of .argument bytes: E to V or P, and back. */
void tr_insert(X86Tr *t, const X86Insn *insn);
void tr_extract(X86Tr *t, const X86Insn *insn);
void tr_mmx_insert(X86Tr *t, const X86Insn *insn);
void tr_mmx_extract(X86Tr *t, const X86Insn *insn);
void tr_insertps(X86Tr *t, const X86Insn *insn);

/* State in memory: .argument is the helper. */
void tr_ldmxcsr(X86Tr *t, const X86Insn *insn);
void tr_stmxcsr(X86Tr *t, const X86Insn *insn);
void tr_state_save(X86Tr *t, const X86Insn *insn);
void tr_state_restore(X86Tr *t, const X86Insn *insn);
