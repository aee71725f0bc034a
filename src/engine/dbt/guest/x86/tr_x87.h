/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for x87 instructions, for the opcode rows of tables_x87.c.  .argument is X87_DO() of x87.h
 * unless it says otherwise.
 *
 * Threads: see translate.h.
 */
#pragma once

#include "engine/dbt/guest/x86/translate.h"

/* Register operands, or a memory operand. */
void tr_x87(X86Tr *t, const X86Insn *insn);
/* FCOMI and kin: EFLAGS. */
void tr_x87_flags(X86Tr *t, const X86Insn *insn);
/* FCMOVcc: the condition code is in the upper byte. */
void tr_x87_cmov(X86Tr *t, const X86Insn *insn);
/* FNCLEX, FNINIT; FLDCW. */
void tr_x87_control(X86Tr *t, const X86Insn *insn);
void tr_x87_load_control(X86Tr *t, const X86Insn *insn);
/* FNSTCW, FNSTSW: no argument. */
void tr_x87_store_control(X86Tr *t, const X86Insn *insn);
void tr_x87_store_status(X86Tr *t, const X86Insn *insn);
/* FNSTENV, FLDENV, FNSAVE, FRSTOR: the helper. */
void tr_x87_state(X86Tr *t, const X86Insn *insn);
void tr_fwait(X86Tr *t, const X86Insn *insn);
/* #MF if an exception waits: in front of waiting instructions that fault otherwise, and MMX. */
void tr_x87_pending(X86Tr *t);
