/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for jumps, calls, returns and interrupts (SDM volume 1, 7.3.8).
 *
 * A near transfer checks its target first (tr_target), then touches the stack, then moves rSP and
 * leaves.  Far ones are helpers.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/rules.h"

void tr_jmp(X86Tr *t, const X86Insn *insn)
{
    tr_jump(t, insn, insn->op[0].imm);
}

void tr_jmp_near(X86Tr *t, const X86Insn *insn)
{
    IrVal offset = tr_operand_raw(t, insn, 0);

    tr_jump_to(t, insn, offset);
}

/* An odd condition is the opposite of an even one: the exits change places instead. */
void tr_jcc(X86Tr *t, const X86Insn *insn)
{
    unsigned cc = insn->code & 15;

    if ((cc & 1) && tr_is_simple_jump(t, insn, insn->op[0].imm)) {
        IrVal condition = tr_condition(t, cc & 14);
        tr_exit_choice(t, condition, t->next, t->next + (int64_t)insn->op[0].imm);
        return;
    }
    IrVal condition = tr_condition(t, cc);
    tr_jump_if(t, insn, condition, insn->op[0].imm);
}

void tr_jcxz(X86Tr *t, const X86Insn *insn)
{
    IrVal count = tr_reg_part(t, X86_RCX, insn->address_size, false);
    IrVal condition = ir_binary_imm(t->ir, IR_EQ64, count, 0);

    tr_jump_if(t, insn, condition, insn->op[0].imm);
}

/* Measured on AMD: F3 makes LOOPNE a LOOPE, and F2 the other way round. */
static unsigned loop_kind(const X86Insn *insn)
{
    unsigned kind = insn->opcode->argument;

    if (kind == 2 || (!insn->rep && !insn->repne)) {
        return kind;
    }
    return insn->rep ? 1 : 0;
}

void tr_loop(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->address_size, kind = loop_kind(insn);
    IrVal count = tr_reg(t, X86_RCX);

    count = ir_binary_imm(t->ir, IR_SUB64, count, 1);
    count = tr_zero_extend(t, count, size);
    IrVal condition = ir_binary_imm(t->ir, IR_NE64, count, 0);
    if (kind != 2) {
        IrVal zero = tr_condition(t, kind == 1 ? 4 : 5);
        condition = ir_binary(t->ir, IR_AND32, condition, zero);
    }
    if (!(t->key & KEY_FLAT) && tr_mode(t) != X86_MODE64) {
        /* the limit of CS must be checked before rCX changes */
        IrVal offset = tr_relative(t, insn->op[0].imm);
        IrVal none = ir_const(t->ir, 0);
        offset = ir_select(t->ir, condition, offset, none);
        tr_target(t, insn, offset);
    }
    tr_set_reg(t, X86_RCX, size, false, count);
    tr_jump_if(t, insn, condition, insn->op[0].imm);
}

static void push_return(X86Tr *t, const X86Insn *insn)
{
    IrVal rip = tr_next_rip(t);
    IrVal sp = tr_push_value(t, rip, insn->operand_size, 0);

    tr_set_sp(t, sp);
}

/* In 64-bit mode a fault of the push comes before that of a target that isn't canonical. */
static IrVal call_target64(X86Tr *t, IrVal offset)
{
    IrVal sp = tr_sp_plus(t, -8);
    IrVal mmu = ir_const(t->ir, tr_mmu(t, X86_SS));

    tr_call_keep(t, X86_CALL_check_call, offset, sp, mmu);
    return offset;
}

void tr_call_near(X86Tr *t, const X86Insn *insn)
{
    bool relative = insn->op[0].kind == OPERAND_REL;
    bool wide = tr_mode(t) == X86_MODE64 && insn->operand_size == 8;

    if (relative && ((t->key & KEY_FLAT) || tr_mode(t) == X86_MODE64)) {
        push_return(t, insn);
        tr_jump(t, insn, insn->op[0].imm);
        return;
    }
    IrVal offset = relative ? tr_relative(t, insn->op[0].imm) : tr_operand_raw(t, insn, 0);
    IrVal target = wide ? call_target64(t, offset) : tr_target(t, insn, offset);
    push_return(t, insn);
    tr_exit_to(t, target);
}

void tr_ret(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal offset = tr_stack_load(t, size, 0);
    IrVal target = tr_target(t, insn, offset);
    IrVal sp = tr_sp_plus(t, (int)(size + insn->op[0].imm));

    tr_set_sp(t, sp);
    tr_exit_to(t, target);
}

/* --- far -------------------------------------------------------------------------------------- */

/* Selector and offset of a far pointer, in the instruction or in memory. */
static void far_pointer(X86Tr *t, const X86Insn *insn, IrVal *ret_selector, IrVal *ret_offset)
{
    unsigned size = insn->operand_size;

    if (insn->op[0].kind == OPERAND_FAR) {
        *ret_selector = ir_const(t->ir, insn->far_selector);
        *ret_offset = ir_const(t->ir, insn->op[0].imm);
        return;
    }
    IrVal linear = tr_linear_address(t, insn, size + 2, false);
    *ret_offset = tr_load(t, linear, size, insn->mem.segment);
    IrVal behind = ir_binary_imm(t->ir, IR_ADD64, linear, size);
    *ret_selector = tr_load(t, behind, 2, insn->mem.segment);
}

void tr_jmp_far(X86Tr *t, const X86Insn *insn)
{
    IrVal selector, offset;

    far_pointer(t, insn, &selector, &offset);
    IrVal next = tr_next_pc(t);
    tr_call(t, X86_CALL_far_jump, selector, offset, next);
    tr_exit_state(t);
}

void tr_call_far(X86Tr *t, const X86Insn *insn)
{
    IrVal selector, offset;

    far_pointer(t, insn, &selector, &offset);
    selector = ir_binary_imm(t->ir, IR_OR64, selector, (uint64_t)insn->operand_size << 16);
    IrVal next = tr_next_pc(t);
    tr_call(t, X86_CALL_far_call, selector, offset, next);
    tr_exit_state(t);
}

void tr_ret_far(X86Tr *t, const X86Insn *insn)
{
    IrVal size = ir_const(t->ir, insn->operand_size);
    IrVal release = ir_const(t->ir, insn->op[0].imm);

    tr_call(t, X86_CALL_far_ret, size, release, 0);
    tr_exit_state(t);
}

void tr_iret(X86Tr *t, const X86Insn *insn)
{
    IrVal size = ir_const(t->ir, insn->operand_size);
    IrVal next = tr_next_pc(t);

    tr_call(t, X86_CALL_iret, size, next, 0);
    tr_exit_state(t);
}

void tr_int(X86Tr *t, const X86Insn *insn)
{
    static const uint8_t vectors[] = { [1] = EXC_BP, [2] = EXC_DB };
    unsigned kind = insn->opcode->argument;
    IrVal vector = ir_const(t->ir, kind ? vectors[kind] : insn->op[0].imm);
    IrVal next = tr_next_pc(t);
    IrVal how = ir_const(t->ir, kind);

    tr_call(t, X86_CALL_software_int, vector, next, how);
    tr_exit_state(t);
}

void tr_into(X86Tr *t, const X86Insn *insn)
{
    IrVal overflow = tr_condition(t, 0);
    IrVal next = tr_next_pc(t);

    tr_call(t, X86_CALL_into, overflow, next, 0);
    tr_exit_state(t);
}

void tr_bound(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal linear = tr_linear_address(t, insn, 2 * size, false);
    IrVal lower = tr_load(t, linear, size, insn->mem.segment);
    IrVal behind = ir_binary_imm(t->ir, IR_ADD64, linear, size);
    IrVal upper = tr_load(t, behind, size, insn->mem.segment);
    IrVal index = tr_operand_raw(t, insn, 0);

    index = tr_sign_extend(t, index, size);
    lower = tr_sign_extend(t, lower, size);
    upper = tr_sign_extend(t, upper, size);
    IrVal below = ir_binary(t->ir, IR_LTS64, index, lower);
    IrVal above = ir_binary(t->ir, IR_LTS64, upper, index);
    IrVal outside = ir_binary(t->ir, IR_OR32, below, above);
    IrVal vector = ir_const(t->ir, EXC_BR);
    tr_call_keep(t, X86_CALL_raise_if, outside, vector, 0);
}

/* SYSCALL and SYSENTER want the pc behind them, SYSRET and SYSEXIT the operand size. */
void tr_syscall(X86Tr *t, const X86Insn *insn)
{
    unsigned helper = insn->opcode->argument;
    bool enters = helper == X86_CALL_syscall || helper == X86_CALL_sysenter;
    IrVal argument = enters ? tr_next_pc(t) : ir_const(t->ir, insn->rex_w ? 8 : 4);

    tr_call(t, helper, argument, 0, 0);
    tr_exit_state(t);
}

void tr_undefined(X86Tr *t, const X86Insn *insn)
{
    tr_raise(t, EXC_UD);
}
