/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for x87 instructions: see tr_x87.h.
 *
 * An instruction is a call of one helper (x87.c), which checks for a waiting exception, and then
 * the stores of its own address and that of its memory operand, which FNSTENV shows.  As on AMD
 * every instruction but the control ones sets them, with their selectors.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/tr_x87.h"

#include "engine/dbt/guest/x86/x87.h"

static bool has_memory(const X86Insn *insn)
{
    return insn->has_modrm && insn->modrm_mod != 3;
}

static IrVal call(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    tr_sync_flags(t);
    return ir_call(t->ir, helper, a, b, c); /* no general register changes */
}

void tr_x87_pending(X86Tr *t)
{
    IrVal zero = ir_const(t->ir, 0);

    call(t, X86_CALL_x87_pending, zero, zero, zero);
}

static IrVal what(X86Tr *t, const X86Insn *insn, unsigned argument)
{
    return ir_const(t->ir, argument | (unsigned)insn->modrm_rm << X87_I_SHIFT);
}

static void put_selector(X86Tr *t, unsigned offset, unsigned segment)
{
    unsigned from = X86_OFFSET(segment) + segment * (unsigned)sizeof(X86Segment) +
                    (unsigned)offsetof(X86Segment, selector);
    IrVal selector = ir_get(t->ir, from, 2);

    ir_put(t->ir, offset, 2, selector);
}

/* The last instruction's address, opcode and operand.  @address is the operand's offset. */
static void put_pointers(X86Tr *t, const X86Insn *insn, IrVal address)
{
    IrVal rip = tr_relative(t, -(uint64_t)insn->length);
    IrVal opcode = ir_const(t->ir, (insn->code & 7U) << 8 | insn->modrm);

    ir_put(t->ir, X86_OFFSET(fip), 8, rip);
    ir_put(t->ir, X86_OFFSET(fop), 2, opcode);
    put_selector(t, X86_OFFSET(fcs), X86_CS);
    if (has_memory(insn)) {
        ir_put(t->ir, X86_OFFSET(fdp), 8, address);
        put_selector(t, X86_OFFSET(fds), insn->mem.segment);
    }
}

static IrVal load_memory(X86Tr *t, const X86Insn *insn)
{
    tr_x87_pending(t);
    IrVal linear = tr_linear_address(t, insn, insn->op[0].size, false);
    return tr_load(t, linear, insn->op[0].size, insn->mem.segment);
}

void tr_x87(X86Tr *t, const X86Insn *insn)
{
    IrVal address = has_memory(insn) ? tr_effective_address(t, insn) : 0;
    IrVal value = has_memory(insn) ? load_memory(t, insn) : ir_const(t->ir, 0);
    IrVal number = what(t, insn, insn->opcode->argument);

    call(t, X86_CALL_x87, number, value, value);
    put_pointers(t, insn, address);
}

void tr_x87_flags(X86Tr *t, const X86Insn *insn)
{
    IrVal before = tr_flags(t);
    IrVal number = what(t, insn, insn->opcode->argument);
    IrVal flags = call(t, X86_CALL_x87, number, before, before);
    IrVal zero = ir_const(t->ir, 0);

    put_pointers(t, insn, 0);
    tr_set_flags(t, FOP_FLAGS, flags, zero, zero);
}

void tr_x87_cmov(X86Tr *t, const X86Insn *insn)
{
    IrVal condition = tr_condition(t, insn->opcode->argument >> 12);
    IrVal number = what(t, insn, insn->opcode->argument & 0xfff);

    call(t, X86_CALL_x87, number, condition, condition);
    put_pointers(t, insn, 0);
}

void tr_x87_memory(X86Tr *t, const X86Insn *insn)
{
    bool write = (insn->opcode->argument & 0x3f) != X87_LD;

    tr_x87_pending(t);
    IrVal address = tr_effective_address(t, insn);
    IrVal linear = tr_linear_address(t, insn, insn->op[0].size, write);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));
    IrVal number = what(t, insn, insn->opcode->argument);
    if ((t->key & KEY_ALIGN) && insn->op[0].size <= 8) {
        IrVal size = ir_const(t->ir, insn->op[0].size);
        call(t, X86_CALL_check_alignment, linear, size, size);
    }
    call(t, X86_CALL_x87_memory, number, linear, mmu);
    put_pointers(t, insn, address);
}

void tr_x87_control(X86Tr *t, const X86Insn *insn)
{
    if (insn->opcode->argument == X87_DO(X87_NOP, X87_ST_I, 0)) {
        return; /* doesn't even wait for exceptions */
    }
    IrVal number = what(t, insn, insn->opcode->argument);

    call(t, X86_CALL_x87, number, number, number);
}

void tr_x87_load_control(X86Tr *t, const X86Insn *insn)
{
    IrVal value = load_memory(t, insn);
    IrVal number = what(t, insn, insn->opcode->argument);

    call(t, X86_CALL_x87, number, value, value);
}

void tr_x87_store_control(X86Tr *t, const X86Insn *insn)
{
    IrVal value = ir_get(t->ir, X86_OFFSET(fcw), 2);

    tr_set_operand(t, insn, 0, value);
}

void tr_x87_store_status(X86Tr *t, const X86Insn *insn)
{
    IrVal status = ir_get(t->ir, X86_OFFSET(fsw), 2);
    IrVal top = ir_get(t->ir, X86_OFFSET(top), 1);
    IrVal value = ir_deposit(t->ir, status, top, FSW_TOP_SHIFT, 3);

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
}

void tr_fwait(X86Tr *t, const X86Insn *insn)
{
    if ((t->key & KEY_MP) && (t->key & KEY_TS)) {
        tr_raise(t, EXC_NM);
        return;
    }
    tr_x87_pending(t);
}
