/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for x87 instructions: see tr_x87.h.
 *
 * An instruction is a call of one helper (x87.c), and then the stores of its own address and that
 * of its memory operand, which FNSTENV shows.  As on AMD every instruction but the control ones
 * sets them, with their selectors.
 *
 * Most code runs with all exceptions masked.  Then none can be pending, and the helper's number
 * says which instruction it is (X87_QUICK), so that a back end may use its host's.  Other code
 * (KEY_X87) looks for a waiting exception first.  What may switch from one to the other ends the
 * block.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/tr_x87.h"

#include "engine/dbt/guest/x86/x87.h"

static bool has_memory(const X86Insn *insn)
{
    return insn->has_modrm && insn->modrm_mod != 3;
}

static bool is_quick(const X86Tr *t)
{
    return !(t->key & KEY_X87);
}

static IrVal call(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    tr_sync_flags(t);
    return ir_call(t->ir, helper, a, b, c); /* no general register changes */
}

void tr_x87_pending(X86Tr *t)
{
    if (!is_quick(t)) {
        IrVal zero = ir_const(t->ir, 0);
        call(t, X86_CALL_x87_pending, zero, zero, zero);
    }
}

static unsigned opcode_of(const X86Insn *insn)
{
    return (insn->code & 7U) << 8 | insn->modrm;
}

static IrVal what(X86Tr *t, const X86Insn *insn, unsigned argument)
{
    uint64_t quick = is_quick(t) ? X87_QUICK | (uint64_t)opcode_of(insn) << X87_OPCODE_SHIFT : 0;

    return ir_const(t->ir, argument | (unsigned)insn->modrm_rm << X87_I_SHIFT | quick);
}

/* One with register operands.  If it is quick, it can't fault. */
static IrVal operate(X86Tr *t, const X86Insn *insn, unsigned argument, IrVal value)
{
    IrVal number = what(t, insn, argument);

    return is_quick(t) ? ir_call(t->ir, X86_CALL_x87, number, value, 0)
                       : call(t, X86_CALL_x87, number, value, 0);
}

/* --- where the last instruction was */

/* A helper changed them. */
static void forget_pointers(X86Tr *t)
{
    t->x87_code = t->x87_data = 0;
}

/* @known: the segments whose selector is at @offset already. */
static void put_selector(X86Tr *t, unsigned offset, unsigned segment, uint8_t *known)
{
    unsigned from = X86_OFFSET(segment) + segment * (unsigned)sizeof(X86Segment) +
                    (unsigned)offsetof(X86Segment, selector);

    if (*known != 1U << segment) {
        IrVal selector = ir_get(t->ir, from, 2);
        ir_put(t->ir, offset, 8, selector);
        *known = (uint8_t)(1U << segment);
    }
}

/* Its address, opcode and operand.  @address is the operand's offset. */
static void put_pointers(X86Tr *t, const X86Insn *insn, IrVal address)
{
    IrVal rip = tr_relative(t, -(uint64_t)insn->length);
    IrVal opcode = ir_const(t->ir, opcode_of(insn));

    ir_put(t->ir, X86_OFFSET(fip), 8, rip);
    ir_put(t->ir, X86_OFFSET(fop), 8, opcode);
    put_selector(t, X86_OFFSET(fcs), X86_CS, &t->x87_code);
    if (has_memory(insn)) {
        ir_put(t->ir, X86_OFFSET(fdp), 8, address);
        put_selector(t, X86_OFFSET(fds), insn->mem.segment, &t->x87_data);
    }
}

/* --- instructions */

static void access_memory(X86Tr *t, const X86Insn *insn)
{
    unsigned op = insn->opcode->argument & 0x3f, size = insn->op[0].size;
    bool write = op == X87_ST || op == X87_STT;

    tr_x87_pending(t);
    IrVal address = tr_effective_address(t, insn);
    IrVal linear = tr_linear_address(t, insn, size, write);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
    IrVal number = what(t, insn, insn->opcode->argument);
    if ((t->key & KEY_ALIGN) && size <= 8) {
        IrVal bytes = ir_const(t->ir, size);
        call(t, X86_CALL_check_alignment, linear, bytes, bytes);
    }
    call(t, X86_CALL_x87_memory, number, linear, mmu);
    put_pointers(t, insn, address);
}

void tr_x87(X86Tr *t, const X86Insn *insn)
{
    if (has_memory(insn)) {
        access_memory(t, insn);
        return;
    }
    operate(t, insn, insn->opcode->argument, 0);
    put_pointers(t, insn, 0);
}

void tr_x87_flags(X86Tr *t, const X86Insn *insn)
{
    IrVal flags = operate(t, insn, insn->opcode->argument, 0);
    IrVal zero = ir_const(t->ir, 0);

    put_pointers(t, insn, 0);
    tr_set_flags(t, FOP_FLAGS, flags, zero, zero);
}

void tr_x87_cmov(X86Tr *t, const X86Insn *insn)
{
    IrVal condition = tr_condition(t, insn->opcode->argument >> 12);

    operate(t, insn, insn->opcode->argument & 0xfff, condition);
    put_pointers(t, insn, 0);
}

void tr_x87_control(X86Tr *t, const X86Insn *insn)
{
    unsigned argument = insn->opcode->argument;

    if (argument == X87_DO(X87_NOP, X87_ST_I, 0)) {
        return; /* doesn't even wait for exceptions */
    }
    operate(t, insn, argument, 0);
    if (argument == X87_DO(X87_INIT, X87_ST_I, 0)) {
        forget_pointers(t);
        if (!is_quick(t)) { /* they are masked now */
            tr_exit_stop(t);
        }
    }
}

void tr_x87_load_control(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal linear = tr_linear_address(t, insn, insn->op[0].size, false);
    IrVal value = tr_load(t, linear, insn->op[0].size, insn->mem.segment);
    IrVal number = what(t, insn, insn->opcode->argument);

    call(t, X86_CALL_x87, number, value, 0);
    if (!is_quick(t)) {
        tr_exit_stop(t);
    }
}

void tr_x87_store_control(X86Tr *t, const X86Insn *insn)
{
    IrVal value = ir_get(t->ir, X86_OFFSET(fcw), 2);

    tr_set_operand(t, insn, 0, value);
}

static IrVal status(X86Tr *t, const X86Insn *insn)
{
    if (is_quick(t)) {
        return operate(t, insn, X87_DO(X87_STSW, X87_ST_I, 0), 0);
    }
    IrVal word = ir_get(t->ir, X86_OFFSET(fsw), 2);
    IrVal top = ir_get(t->ir, X86_OFFSET(top), 1);
    return ir_deposit(t->ir, word, top, FSW_TOP_SHIFT, 3);
}

void tr_x87_store_status(X86Tr *t, const X86Insn *insn)
{
    IrVal value = status(t, insn);

    tr_set_operand(t, insn, 0, value);
}

void tr_x87_state(X86Tr *t, const X86Insn *insn)
{
    unsigned helper = insn->opcode->argument;
    bool load = helper == X86_CALL_fldenv || helper == X86_CALL_frstor;
    bool all = helper == X86_CALL_fnsave || helper == X86_CALL_frstor;
    unsigned environment = insn->operand_size == 2 ? 14 : 28;

    if (load) {
        tr_x87_pending(t);
    }
    IrVal linear = tr_linear_address(t, insn, environment + (all ? 80 : 0), !load);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
    IrVal size = ir_const(t->ir, insn->operand_size);
    call(t, helper, linear, mmu, size);
    forget_pointers(t);
    if (load || !is_quick(t)) { /* others may be masked now; those that store mask all */
        tr_exit_stop(t);
    }
}

void tr_fwait(X86Tr *t, const X86Insn *insn)
{
    if ((t->key & KEY_MP) && (t->key & KEY_TS)) {
        tr_raise(t, EXC_NM);
        return;
    }
    tr_x87_pending(t);
}
