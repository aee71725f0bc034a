/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for string instructions (SDM volume 1, 7.3.9).
 *
 * A single MOVS, STOS or LODS is emitted in place; the rest, and all with REP, are helpers of
 * string.c, which do a bounded part of the work and say whether it is done: if not, the block is
 * left to the same instruction again, so that interrupts are seen in between.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/rules.h"

/* rSI or rDI: the linear address of the element there. */
static IrVal element(X86Tr *t, const X86Insn *insn, unsigned reg, unsigned size, bool write)
{
    unsigned segment = reg == X86_RDI ? X86_ES : insn->mem.segment;
    IrVal offset = tr_reg_part(t, reg, insn->address_size, false);

    return tr_segment_address(t, segment, offset, size, write);
}

/* @size, or -@size if DF is set. */
static IrVal element_step(X86Tr *t, unsigned size)
{
    IrVal eflags = ir_get(t->ir, X86_OFFSET(eflags), 8);
    IrVal down = ir_extract(t->ir, eflags, 10, 1);
    IrVal twice = ir_binary_imm(t->ir, IR_SHL64, down, 1 + (unsigned)__builtin_ctz(size));
    IrVal up = ir_const(t->ir, size);

    return ir_binary(t->ir, IR_SUB64, up, twice);
}

static void advance(X86Tr *t, const X86Insn *insn, unsigned reg, IrVal step)
{
    IrVal value = tr_reg(t, reg);

    value = ir_binary(t->ir, IR_ADD64, value, step);
    tr_set_reg(t, reg, insn->address_size, false, value);
}

/* The helper; @only_rep: F2 means REP, too. */
static void by_helper(X86Tr *t, const X86Insn *insn, unsigned helper, unsigned size, bool only_rep)
{
    unsigned rep = insn->rep      ? REP_WHILE_EQUAL
                   : !insn->repne ? REP_ONCE
                   : only_rep     ? REP_WHILE_EQUAL
                                  : REP_WHILE_NOT_EQUAL;

    if (t->key & KEY_TF) {
        rep |= REP_STEP;
    }
    IrVal how = ir_const(t->ir, size | (unsigned)insn->address_size << 8 |
                                    (unsigned)insn->mem.segment << 16 | rep << 24);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, X86_DS));
    IrVal done = tr_call(t, helper, how, mmu, 0);
    if (rep & REP_MASK) {
        tr_exit_choice(t, done, t->next, t->delta);
    }
}

static bool repeats(const X86Insn *insn)
{
    return insn->rep || insn->repne;
}

void tr_movs(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;

    if (repeats(insn)) {
        by_helper(t, insn, X86_CALL_movs, size, true);
        return;
    }
    IrVal from = element(t, insn, X86_RSI, size, false);
    IrVal to = element(t, insn, X86_RDI, size, true);
    IrVal value = tr_load(t, from, size, insn->mem.segment);
    tr_store(t, to, value, size, X86_ES);
    IrVal step = element_step(t, size);
    advance(t, insn, X86_RSI, step);
    advance(t, insn, X86_RDI, step);
}

void tr_stos(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;

    if (repeats(insn)) {
        by_helper(t, insn, X86_CALL_stos, size, true);
        return;
    }
    IrVal to = element(t, insn, X86_RDI, size, true);
    IrVal value = tr_reg(t, X86_RAX);
    tr_store(t, to, value, size, X86_ES);
    IrVal step = element_step(t, size);
    advance(t, insn, X86_RDI, step);
}

void tr_lods(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;

    if (repeats(insn)) {
        by_helper(t, insn, X86_CALL_lods, size, true);
        return;
    }
    IrVal from = element(t, insn, X86_RSI, size, false);
    IrVal value = tr_load(t, from, size, insn->mem.segment);
    IrVal step = element_step(t, size);
    advance(t, insn, X86_RSI, step);
    tr_set_reg(t, X86_RAX, size, false, value);
}

void tr_cmps(X86Tr *t, const X86Insn *insn)
{
    by_helper(t, insn, X86_CALL_cmps, insn->op[0].size, false);
}

void tr_scas(X86Tr *t, const X86Insn *insn)
{
    by_helper(t, insn, X86_CALL_scas, insn->op[0].size, false);
}

void tr_ins(X86Tr *t, const X86Insn *insn)
{
    by_helper(t, insn, X86_CALL_ins, insn->op[0].size, true);
}

void tr_outs(X86Tr *t, const X86Insn *insn)
{
    by_helper(t, insn, X86_CALL_outs, insn->op[1].size, true);
}
