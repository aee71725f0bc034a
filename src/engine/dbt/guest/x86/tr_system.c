/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for segment registers, control registers, I/O and the other system instructions: nearly
 * all are a helper (helpers.def says what each takes) and an end of the block that suits it.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/rules.h"

/* --- segment registers ------------------------------------------------------------------------ */

static void load_segment(X86Tr *t, unsigned segment, IrVal selector, bool shadow)
{
    IrVal which = ir_const(t->ir, segment);
    IrVal moves = ir_const(t->ir, shadow);

    tr_call_keep(t, X86_CALL_load_segment, which, selector, moves);
}

void tr_mov_segment(X86Tr *t, const X86Insn *insn)
{
    IrVal selector = tr_operand(t, insn, 1);
    load_segment(t, insn->op[0].reg, selector, true);
    tr_exit_stop(t);
}

void tr_pop_segment(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_stack_load(t, insn->operand_size, 0);
    IrVal selector = tr_zero_extend(t, value, 2);
    IrVal sp = tr_sp_plus(t, insn->operand_size);

    load_segment(t, insn->op[0].reg, selector, true);
    tr_set_sp(t, sp);
    tr_exit_stop(t);
}

void tr_load_far(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal linear = tr_linear_address(t, insn, size + 2, false);
    IrVal offset = tr_load(t, linear, size, insn->mem.segment);
    IrVal behind = ir_binary_imm(t->ir, IR_ADD64, linear, size);
    IrVal selector = tr_load(t, behind, 2, insn->mem.segment);

    load_segment(t, insn->opcode->argument, selector, false);
    tr_set_reg(t, insn->op[0].reg, size, false, offset);
    tr_exit_stop(t);
}

/* RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE. */
void tr_segment_base(X86Tr *t, const X86Insn *insn)
{
    unsigned which = insn->opcode->argument;
    unsigned segment = which & 1 ? X86_GS : X86_FS;
    IrVal value;

    if (!(t->key & KEY_FSGSBASE)) {
        tr_raise(t, EXC_UD);
        return;
    }
    if (which < 2) {
        value = ir_get(t->ir,
                       X86_OFFSET(segment) + segment * (unsigned)sizeof(X86Segment) +
                           (unsigned)offsetof(X86Segment, base),
                       8);
        tr_set_operand(t, insn, 0, value);
        return;
    }
    value = tr_operand(t, insn, 0);
    IrVal number = ir_const(t->ir, segment);
    tr_call_keep(t, X86_CALL_wr_seg_base, number, value, 0);
}

void tr_swapgs(X86Tr *t, const X86Insn *insn)
{
    tr_call_keep(t, X86_CALL_swapgs, 0, 0, 0);
}

/* --- control and debug registers -------------------------------------------------------------- */

void tr_mov_control(X86Tr *t, const X86Insn *insn)
{
    bool write = insn->op[0].kind != OPERAND_REG;
    const X86Operand *special = &insn->op[write ? 0 : 1];
    bool debug = special->kind == OPERAND_DR;
    IrVal number = ir_const(t->ir, special->reg);
    IrVal value;

    if (!write) {
        value = tr_call_keep(t, debug ? X86_CALL_read_dr : X86_CALL_read_cr, number, 0, 0);
        tr_set_operand(t, insn, 0, value);
        return;
    }
    value = tr_operand(t, insn, 1);
    tr_call_keep(t, debug ? X86_CALL_write_dr : X86_CALL_write_cr, number, value, 0);
    tr_exit_stop(t);
}

void tr_table(X86Tr *t, const X86Insn *insn)
{
    unsigned helper = insn->opcode->argument;
    bool write = helper == X86_CALL_sgdt || helper == X86_CALL_sidt;
    unsigned size = tr_mode(t) == X86_MODE64 ? 8 : insn->operand_size;
    IrVal linear = tr_linear_address(t, insn, insn->op[0].size, write);
    IrVal bytes = ir_const(t->ir, size);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));

    tr_call_keep(t, helper, linear, bytes, mmu);
}

void tr_store_selector(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_call_keep(t, insn->opcode->argument, 0, 0, 0);

    tr_set_operand(t, insn, 0, value);
}

void tr_load_selector(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_operand(t, insn, 0);

    tr_call(t, insn->opcode->argument, value, 0, 0);
    if (insn->opcode->argument == X86_CALL_lmsw) {
        tr_exit_stop(t);
    }
}

void tr_lar(X86Tr *t, const X86Insn *insn)
{
    IrVal selector = tr_operand(t, insn, 1);
    IrVal old = tr_reg(t, insn->op[0].reg);
    IrVal value = tr_call(t, insn->opcode->argument, selector, old, 0);

    /* the old value of all 64 bits comes back where the selector may not be seen */
    if (insn->op[0].size == 4) {
        tr_set_reg(t, insn->op[0].reg, 8, false, value);
    } else {
        tr_set_operand(t, insn, 0, value);
    }
}

void tr_arpl(X86Tr *t, const X86Insn *insn)
{
    tr_will_write(t, insn, 0);
    IrVal destination = tr_operand(t, insn, 0);
    IrVal source = tr_operand(t, insn, 1);
    if (insn->op[0].kind == OPERAND_MEM) {
        tr_sync_flags(t);
        ir_probe_write(t->ir, t->linear, 2, tr_mmu(t, insn->mem.segment));
    }
    IrVal value = tr_call_keep(t, X86_CALL_arpl, destination, source, 0);
    tr_forget_flags(t);
    tr_set_operand(t, insn, 0, value);
}

/* --- I/O -------------------------------------------------------------------------------------- */

void tr_in(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal port = tr_operand(t, insn, 1);
    IrVal bytes = ir_const(t->ir, size);
    IrVal value = tr_call_keep(t, X86_CALL_in, port, bytes, 0);

    tr_set_reg(t, X86_RAX, size, false, value);
}

void tr_out(X86Tr *t, const X86Insn *insn)
{
    IrVal port = tr_operand(t, insn, 0);
    IrVal value = tr_operand(t, insn, 1);
    IrVal bytes = ir_const(t->ir, insn->op[1].size);

    tr_call_keep(t, X86_CALL_out, port, value, bytes);
    tr_exit_stop(t);
}

/* --- flags ------------------------------------------------------------------------------------ */

void tr_pushf(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal bytes = ir_const(t->ir, size);
    IrVal value = tr_call_keep(t, X86_CALL_pushf, bytes, 0, 0);
    IrVal sp = tr_push_value(t, value, size, 0);

    tr_set_sp(t, sp);
}

void tr_popf(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal value = tr_stack_load(t, size, 0);
    IrVal sp = tr_sp_plus(t, (int)size);
    IrVal bytes = ir_const(t->ir, size);

    tr_call_keep(t, X86_CALL_popf, value, bytes, 0);
    tr_forget_flags(t);
    tr_set_sp(t, sp);
    tr_exit_stop(t);
}

void tr_cli(X86Tr *t, const X86Insn *insn)
{
    tr_call_keep(t, X86_CALL_cli, 0, 0, 0);
}

void tr_sti(X86Tr *t, const X86Insn *insn)
{
    tr_call_keep(t, X86_CALL_sti, 0, 0, 0);
    tr_exit_stop(t);
}

/* #UD, not #GP, outside ring 0. */
void tr_clac(X86Tr *t, const X86Insn *insn)
{
    if (t->key & KEY_CPL) {
        tr_raise(t, EXC_UD);
        return;
    }
    tr_call_keep(t, insn->opcode->argument, 0, 0, 0);
    tr_exit_stop(t);
}

/* --- helpers with nothing else ---------------------------------------------------------------- */

void tr_simple_call(X86Tr *t, const X86Insn *insn)
{
    tr_call(t, insn->opcode->argument, 0, 0, 0);
}

void tr_calling_stop(X86Tr *t, const X86Insn *insn)
{
    tr_call(t, insn->opcode->argument, 0, 0, 0);
    tr_exit_stop(t);
}

static void set_edx_eax(X86Tr *t, IrVal value)
{
    IrVal high = ir_binary_imm(t->ir, IR_SHR64, value, 32);

    tr_set_reg(t, X86_RAX, 4, false, value);
    tr_set_reg(t, X86_RDX, 4, false, high);
}

void tr_to_edx_eax(X86Tr *t, const X86Insn *insn)
{
    IrVal ecx = tr_reg_part(t, X86_RCX, 4, false);
    IrVal value = tr_call_keep(t, insn->opcode->argument, ecx, 0, 0);

    set_edx_eax(t, value);
}

void tr_rdtscp(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_call_keep(t, X86_CALL_rdtsc, 0, 0, 0);
    IrVal aux = tr_call_keep(t, X86_CALL_tsc_aux, 0, 0, 0);

    set_edx_eax(t, value);
    tr_set_reg(t, X86_RCX, 4, false, aux);
}

void tr_rdpid(X86Tr *t, const X86Insn *insn)
{
    IrVal aux = tr_call_keep(t, X86_CALL_tsc_aux, 0, 0, 0);

    tr_set_operand(t, insn, 0, aux);
}

void tr_xsetbv(X86Tr *t, const X86Insn *insn)
{
    IrVal ecx = tr_reg_part(t, X86_RCX, 4, false);
    IrVal low = tr_reg(t, X86_RAX);
    IrVal high = tr_reg(t, X86_RDX);
    IrVal value = ir_deposit(t->ir, low, high, 32, 32);

    tr_call_keep(t, X86_CALL_xsetbv, ecx, value, 0);
    tr_exit_stop(t);
}

void tr_rdrand(X86Tr *t, const X86Insn *insn)
{
    IrVal bytes = ir_const(t->ir, insn->op[0].size);
    IrVal value = tr_call(t, X86_CALL_rdrand, bytes, 0, 0);

    tr_set_operand(t, insn, 0, value);
}

void tr_invlpg(X86Tr *t, const X86Insn *insn)
{
    IrVal linear = tr_linear_address(t, insn, 0, false);

    tr_call_keep(t, X86_CALL_invlpg, linear, 0, 0);
    tr_exit_stop(t);
}

void tr_invpcid(X86Tr *t, const X86Insn *insn)
{
    IrVal type = tr_operand(t, insn, 0);
    IrVal linear = tr_linear_address(t, insn, 16, false);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, insn->mem.segment));

    tr_call_keep(t, X86_CALL_invpcid, type, linear, mmu);
    tr_exit_stop(t);
}

void tr_hlt(X86Tr *t, const X86Insn *insn)
{
    IrVal next = tr_next_pc(t);

    tr_call(t, X86_CALL_hlt, next, 0, 0);
    tr_exit_state(t);
}

/* MONITOR arms nothing, and MWAIT wakes at once, as it may. */
void tr_monitor(X86Tr *t, const X86Insn *insn)
{
    if (insn->opcode->argument) {
        tr_call_keep(t, X86_CALL_pause, 0, 0, 0);
        tr_exit_stop(t);
    }
}
