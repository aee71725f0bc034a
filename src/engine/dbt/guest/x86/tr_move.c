/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for moves, the stack, and the flags as a whole (SDM volume 1, 7.3.1 and 7.3.14).
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/rules.h"

void tr_mov(X86Tr *t, const X86Insn *insn)
{
    bool widens = insn->op[1].size < insn->op[0].size;
    IrVal value = widens ? tr_operand(t, insn, 1) : tr_operand_raw(t, insn, 1);

    tr_set_operand(t, insn, 0, value);
}

void tr_movsx(X86Tr *t, const X86Insn *insn)
{
    IrVal value = insn->op[1].size < insn->op[0].size ? tr_operand_signed(t, insn, 1)
                                                      : tr_operand_raw(t, insn, 1);

    tr_set_operand(t, insn, 0, value);
}

static IrVal swapped(X86Tr *t, IrVal value, unsigned size)
{
    if (size == 8) {
        return ir_unary(t->ir, IR_BSWAP64, value);
    }
    value = ir_unary(t->ir, IR_BSWAP32, value);
    return size == 2 ? ir_binary_imm(t->ir, IR_SHR32, value, 16) : value;
}

void tr_movbe(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_operand_raw(t, insn, 1);

    value = swapped(t, value, insn->op[0].size);
    tr_set_operand(t, insn, 0, value);
}

/* Of 16 bits: undefined, 0 on the CPUs we know. */
void tr_bswap(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->op[0].size;
    IrVal value = tr_operand_raw(t, insn, 0);

    value = size == 2 ? ir_const(t->ir, 0) : swapped(t, value, size);
    tr_set_operand(t, insn, 0, value);
}

void tr_xchg(X86Tr *t, const X86Insn *insn)
{
    const X86Operand *a = &insn->op[0];

    if (insn->code == 0x90 && a->reg == X86_RAX) {
        if (insn->rep) { /* PAUSE */
            tr_call_keep(t, X86_CALL_pause, 0, 0, 0);
        }
        return;
    }
    IrVal second = tr_operand_raw(t, insn, 1);
    if (a->kind == OPERAND_MEM) {
        IrVal old = tr_atomic(t, insn, 0, IR_XCHG8, second);
        tr_set_operand(t, insn, 1, old);
        return;
    }
    IrVal first = tr_operand_raw(t, insn, 0);
    tr_set_operand(t, insn, 0, second);
    tr_set_operand(t, insn, 1, first);
}

void tr_lea(X86Tr *t, const X86Insn *insn)
{
    IrVal address = tr_effective_address(t, insn);

    tr_set_operand(t, insn, 0, address);
}

void tr_cmov(X86Tr *t, const X86Insn *insn)
{
    unsigned cc = insn->code & 15;
    IrVal source = tr_operand_raw(t, insn, 1);
    IrVal condition = tr_condition(t, cc & 14);
    IrVal old = tr_reg(t, insn->op[0].reg);
    IrVal value = cc & 1 ? ir_select(t->ir, condition, old, source)
                         : ir_select(t->ir, condition, source, old);

    tr_set_operand(t, insn, 0, value);
}

void tr_setcc(X86Tr *t, const X86Insn *insn)
{
    tr_will_write(t, insn, 0);
    IrVal condition = tr_condition(t, insn->code & 15);
    tr_set_operand(t, insn, 0, condition);
}

void tr_extend_acc(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal value = tr_reg(t, X86_RAX);

    value = tr_sign_extend(t, value, size / 2);
    tr_set_reg(t, X86_RAX, size, false, value);
}

void tr_extend_pair(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal value = tr_reg(t, X86_RAX);

    value = tr_sign_extend(t, value, size);
    value = ir_binary_imm(t->ir, IR_SAR64, value, 63);
    tr_set_reg(t, X86_RDX, size, false, value);
}

/* --- the stack -------------------------------------------------------------------------------- */

void tr_push(X86Tr *t, const X86Insn *insn)
{
    IrVal value = tr_operand_raw(t, insn, 0);
    IrVal sp = tr_push_value(t, value, insn->operand_size, 0);

    tr_set_sp(t, sp);
}

/* An address with rSP in it uses the new rSP. */
static void pop_to_memory(X86Tr *t, const X86Insn *insn, IrVal value, IrVal sp)
{
    IrVal old = tr_reg(t, X86_RSP);

    t->gpr[X86_RSP] = tr_stack_size(t) == 2 ? ir_deposit(t->ir, old, sp, 0, 16) : sp;
    tr_set_operand(t, insn, 0, value);
    t->gpr[X86_RSP] = old;
    tr_set_sp(t, sp);
}

void tr_pop(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    IrVal value = tr_stack_load(t, size, 0);
    IrVal sp = tr_sp_plus(t, (int)size);

    if (insn->op[0].kind == OPERAND_MEM) {
        pop_to_memory(t, insn, value, sp);
    } else {
        tr_set_sp(t, sp);
        tr_set_operand(t, insn, 0, value);
    }
}

void tr_push_all(X86Tr *t, const X86Insn *insn)
{
    int size = insn->operand_size;
    IrVal sp = 0;

    for (int i = 0; i < 8; i++) {
        IrVal value = tr_reg(t, (unsigned)i);
        sp = tr_push_value(t, value, (unsigned)size, -i * size);
    }
    tr_set_sp(t, sp);
}

void tr_pop_all(X86Tr *t, const X86Insn *insn)
{
    int size = insn->operand_size;
    IrVal values[8];

    for (int i = 0; i < 8; i++) {
        values[i] = tr_stack_load(t, (unsigned)size, i * size);
    }
    IrVal sp = tr_sp_plus(t, 8 * size);
    for (unsigned i = 0; i < 8; i++) {
        if (7 - i != X86_RSP) {
            tr_set_reg(t, 7 - i, (unsigned)size, false, values[i]);
        }
    }
    tr_set_sp(t, sp);
}

void tr_enter(X86Tr *t, const X86Insn *insn)
{
    IrVal frame = ir_const(t->ir, insn->op[0].imm);
    IrVal level = ir_const(t->ir, insn->op[1].imm & 31);
    IrVal sizes =
        ir_const(t->ir, insn->operand_size | tr_stack_size(t) << 8 | tr_mmu(t, X86_SS) << 16);

    tr_call(t, X86_CALL_enter, frame, level, sizes);
}

void tr_leave(X86Tr *t, const X86Insn *insn)
{
    unsigned size = insn->operand_size, stack = tr_stack_size(t);
    IrVal frame = tr_reg_part(t, X86_RBP, stack, false);
    IrVal linear = tr_segment_address(t, X86_SS, frame, size, false);
    IrVal value = tr_load(t, linear, size, X86_SS);
    IrVal sp = ir_binary_imm(t->ir, IR_ADD64, frame, size);

    tr_set_reg(t, X86_RSP, stack, false, sp);
    tr_set_reg(t, X86_RBP, size, false, value);
}

void tr_xlat(X86Tr *t, const X86Insn *insn)
{
    IrVal al = tr_reg_part(t, X86_RAX, 1, false);
    IrVal table = tr_reg(t, X86_RBX);
    IrVal offset = ir_binary(t->ir, IR_ADD64, table, al);
    offset = tr_zero_extend(t, offset, insn->address_size);
    IrVal linear = tr_segment_address(t, insn->mem.segment, offset, 1, false);
    IrVal value = tr_load(t, linear, 1, insn->mem.segment);

    tr_set_reg(t, X86_RAX, 1, false, value);
}

/* --- flags ------------------------------------------------------------------------------------ */

void tr_lahf(X86Tr *t, const X86Insn *insn)
{
    IrVal flags = tr_flags(t);

    flags = ir_binary_imm(t->ir, IR_OR32, flags, FLAG_FIXED);
    tr_set_reg(t, X86_RAX, 1, true, flags);
}

void tr_sahf(X86Tr *t, const X86Insn *insn)
{
    IrVal overflow = tr_condition(t, 0);
    IrVal ah = tr_reg_part(t, X86_RAX, 1, true);

    ah = ir_binary_imm(t->ir, IR_AND32, ah, FLAGS_ARITH & 0xff);
    IrVal flags = ir_deposit(t->ir, ah, overflow, 11, 1);
    tr_set_flags(t, FOP_FLAGS, flags, 0, 0);
}

void tr_flag(X86Tr *t, const X86Insn *insn)
{
    unsigned which = insn->opcode->argument;
    IrVal value;

    if (which >= 3) { /* CLD, STD */
        value = ir_get(t->ir, X86_OFFSET(eflags), 8);
        value = which == 3 ? ir_binary_imm(t->ir, IR_AND64, value, ~(uint64_t)FLAG_DF)
                           : ir_binary_imm(t->ir, IR_OR64, value, FLAG_DF);
        ir_put(t->ir, X86_OFFSET(eflags), 8, value);
        return;
    }
    if (which == 2) {
        value = tr_carry(t);
        value = ir_binary_imm(t->ir, IR_XOR32, value, 1);
    } else {
        value = ir_const(t->ir, which);
    }
    tr_set_carry(t, value, 0);
}

void tr_salc(X86Tr *t, const X86Insn *insn)
{
    IrVal carry = tr_carry(t);

    carry = ir_unary(t->ir, IR_NEG32, carry);
    tr_set_reg(t, X86_RAX, 1, false, carry);
}

/* With .argument 1 the operand's page must be there (CLFLUSH). */
void tr_nop(X86Tr *t, const X86Insn *insn)
{
    if (insn->opcode->argument) {
        tr_operand_raw(t, insn, 0);
    }
}

void tr_fence(X86Tr *t, const X86Insn *insn)
{
    ir_emit(t->ir, IR_FENCE, 0, 0, 0, 0);
}
