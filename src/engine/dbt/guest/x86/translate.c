/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of one block: decode, check what the opcode's row asks for, let its rule emit IR,
 * until the code jumps, the block is full or the page ends.
 *
 * A block under KEY_TF, KEY_SHADOW, KEY_DEBUG or KEY_RF holds one instruction.  What these keys
 * ask for is done in front of it; KEY_SHADOW and KEY_RF end with it, so such a block always goes
 * back to the dispatch loop, which then makes a new key.
 *
 * Near jumps inside one flat code segment are exits to an offset from the block's own address; in
 * 16-bit code, with a CS base or a narrower operand size the target is computed.
 *
 * Threads: a translation belongs to one thread.
 */
#include "engine/dbt/guest/x86/translate.h"

#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/isa.h"

enum { KEY_ALONE = KEY_TF | KEY_SHADOW | KEY_DEBUG | KEY_RF, KEY_ONCE = KEY_SHADOW | KEY_RF };
enum { MAX_JUMPS = 2, JUMP_DISTANCE = 256 };

/* --- calls ------------------------------------------------------------------------------------ */

IrVal tr_call(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    tr_sync_flags(t);
    IrVal result = ir_call(t->ir, helper, a, b, c);
    tr_forget_regs(t);
    tr_forget_flags(t);
    return result;
}

IrVal tr_call_keep(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    tr_sync_flags(t);
    return ir_call(t->ir, helper, a, b, c);
}

IrVal tr_call_pure(X86Tr *t, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    return ir_call(t->ir, helper, a, b, c);
}

static void raise_here(X86Tr *t, unsigned vector, bool has_error, uint32_t error_code)
{
    IrVal number = ir_const(t->ir, vector);
    IrVal with = ir_const(t->ir, has_error);
    IrVal error = ir_const(t->ir, error_code);

    tr_call(t, X86_CALL_raise, number, with, error);
    ir_exit_stop(t->ir, t->delta); /* never reached: the helper faults */
    t->ended = true;
}

void tr_raise(X86Tr *t, unsigned vector)
{
    raise_here(t, vector, false, 0);
}

void tr_raise_error(X86Tr *t, unsigned vector, uint32_t error_code)
{
    raise_here(t, vector, true, error_code);
}

/* --- ends of blocks --------------------------------------------------------------------------- */

static void put_pc(X86Tr *t, IrVal linear)
{
    ir_put(t->ir, X86_OFFSET(base.pc), 8, linear);
}

/* To the block's address + @delta. */
static void exit_direct(X86Tr *t, int64_t delta)
{
    tr_sync_flags(t);
    if (t->key & KEY_ONCE) {
        ir_exit_stop(t->ir, delta);
    } else {
        ir_exit(t->ir, t->exits++, delta);
    }
    t->ended = true;
}

void tr_exit_next(X86Tr *t)
{
    exit_direct(t, t->next);
}

void tr_exit_stop(X86Tr *t)
{
    tr_sync_flags(t);
    ir_exit_stop(t->ir, t->next);
    t->ended = true;
}

void tr_exit_state(X86Tr *t)
{
    tr_sync_flags(t);
    ir_exit_state(t->ir);
    t->ended = true;
}

void tr_exit_to(X86Tr *t, IrVal linear)
{
    tr_sync_flags(t);
    if (t->key & KEY_ONCE) {
        put_pc(t, linear);
        ir_exit_state(t->ir);
    } else {
        ir_exit_indirect(t->ir, linear);
    }
    t->ended = true;
}

IrVal tr_next_pc(X86Tr *t)
{
    return ir_pc(t->ir, t->next);
}

IrVal tr_this_pc(X86Tr *t)
{
    return ir_pc(t->ir, t->delta);
}

static IrVal cs_base(X86Tr *t)
{
    return ir_get(t->ir,
                  X86_OFFSET(segment) + X86_CS * (unsigned)sizeof(X86Segment) +
                      (unsigned)offsetof(X86Segment, base),
                  8);
}

/* Linear pc -> offset in CS. */
static IrVal offset_in_cs(X86Tr *t, IrVal pc)
{
    if (tr_mode(t) == X86_MODE64) {
        return pc;
    }
    if (t->key & KEY_CS_BASE) {
        IrVal base = cs_base(t);
        pc = ir_binary(t->ir, IR_SUB64, pc, base);
    }
    return ir_unary(t->ir, IR_ZX32, pc);
}

IrVal tr_next_rip(X86Tr *t)
{
    IrVal pc = tr_next_pc(t);

    return offset_in_cs(t, pc);
}

IrVal tr_relative(X86Tr *t, uint64_t displacement)
{
    IrVal pc = ir_pc(t->ir, t->next + (int64_t)displacement);

    return offset_in_cs(t, pc);
}

IrVal tr_target(X86Tr *t, const X86Insn *insn, IrVal offset)
{
    offset = tr_zero_extend(t, offset, insn->operand_size);
    if (tr_mode(t) == X86_MODE64) {
        if (insn->operand_size == 8) {
            tr_call_keep(t, X86_CALL_check_canonical, offset, 0, 0);
        }
        return offset;
    }
    if (!(t->key & KEY_FLAT) && (insn->operand_size > 2 || (t->key & KEY_PROTECTED))) {
        tr_call_keep(t, X86_CALL_check_branch, offset, 0, 0);
    }
    if (t->key & KEY_CS_BASE) {
        IrVal base = cs_base(t);
        offset = ir_binary(t->ir, IR_ADD32, offset, base);
    }
    return offset;
}

void tr_jump_to(X86Tr *t, const X86Insn *insn, IrVal offset)
{
    IrVal linear = tr_target(t, insn, offset);

    tr_exit_to(t, linear);
}

/* Whether a relative jump is simply an offset from the block's address. */
static bool is_simple(const X86Tr *t, const X86Insn *insn, int64_t delta)
{
    if (tr_mode(t) == X86_MODE64) {
        return insn->operand_size == 8;
    }
    /* the sum must not wrap */
    return tr_mode(t) == X86_MODE32 && insn->operand_size == 4 && !(t->key & KEY_CS_BASE) &&
           (t->key & KEY_FLAT) && t->start + (uint64_t)delta <= UINT32_MAX;
}

bool tr_is_simple_jump(const X86Tr *t, const X86Insn *insn, uint64_t displacement)
{
    return is_simple(t, insn, t->next + (int64_t)displacement);
}

/* A jump not far: the block goes on there.  Not to where it was before: that is a loop, which is
 * better off with a block of its own. */
static bool follows(const X86Tr *t, int64_t delta)
{
    if ((t->key & KEY_ALONE) || t->jumps == MAX_JUMPS) {
        return false;
    }
    return delta < 0 ? delta >= -t->before && delta < -(int64_t)t->ir->guest_before
                     : delta >= (int64_t)t->ir->guest_bytes && delta < t->page_left &&
                           delta < t->next + JUMP_DISTANCE;
}

/* A branch forward is mostly not taken: the block goes on behind it, if then two exits are left for
 * its end. */
static bool goes_on(const X86Tr *t, int64_t delta)
{
    return !(t->key & KEY_ALONE) && delta > t->next && t->exits + 3 <= IR_EXIT_SLOTS;
}

void tr_jump(X86Tr *t, const X86Insn *insn, uint64_t displacement)
{
    int64_t delta = t->next + (int64_t)displacement;

    if (is_simple(t, insn, delta)) {
        if (follows(t, delta)) {
            t->jumps++;
            t->next = (int)delta;
        } else {
            exit_direct(t, delta);
        }
    } else {
        IrVal offset = tr_relative(t, displacement);
        tr_jump_to(t, insn, offset);
    }
}

void tr_exit_choice(X86Tr *t, IrVal condition, int64_t yes, int64_t no)
{
    tr_sync_flags(t);
    if (t->key & KEY_ONCE) {
        IrVal there = ir_pc(t->ir, yes);
        IrVal here = ir_pc(t->ir, no);
        IrVal pc = ir_select(t->ir, condition, there, here);
        put_pc(t, pc);
        ir_exit_state(t->ir);
    } else {
        ir_exit_if(t->ir, condition, t->exits++, yes);
        ir_exit(t->ir, t->exits++, no);
    }
    t->ended = true;
}

void tr_jump_if(X86Tr *t, const X86Insn *insn, IrVal condition, uint64_t displacement)
{
    int64_t delta = t->next + (int64_t)displacement;

    if (is_simple(t, insn, delta)) {
        if (goes_on(t, delta)) {
            tr_sync_flags(t);
            ir_exit_if(t->ir, condition, t->exits++, delta);
        } else {
            tr_exit_choice(t, condition, delta, t->next);
        }
        return;
    }
    /* not taken: the next instruction, whatever the operand size, and no check */
    IrVal next = tr_next_pc(t);
    IrVal offset = tr_relative(t, displacement);
    IrVal zero = ir_const(t->ir, 0);
    offset = ir_select(t->ir, condition, offset, zero);
    IrVal taken = tr_target(t, insn, offset);
    IrVal pc = ir_select(t->ir, condition, taken, next);
    tr_exit_to(t, pc);
}

/* --- checks ----------------------------------------------------------------------------------- */

/* CR0.EM, CR0.TS and CR4.OSFXSR: EXC_UD, EXC_NM, or -1 if the instruction may run. */
static int check_fpu(const X86Tr *t, unsigned flags)
{
    if (flags & OPCODE_AVX) {
        return !(t->key & KEY_OSXSAVE) ? EXC_UD : t->key & KEY_TS ? EXC_NM : -1;
    }
    if (flags & OPCODE_SSE) {
        return (t->key & KEY_EM) || !(t->key & KEY_OSFXSR) ? EXC_UD : t->key & KEY_TS ? EXC_NM : -1;
    }
    if (flags & OPCODE_MMX) {
        return t->key & KEY_EM ? EXC_UD : t->key & KEY_TS ? EXC_NM : -1;
    }
    if (flags & OPCODE_X87) {
        return t->key & (KEY_EM | KEY_TS) ? EXC_NM : -1;
    }
    return -1;
}

static bool is_undefined(const X86Tr *t, const X86Insn *insn)
{
    const X86Opcode *row = insn->opcode;

    if (!row || (row->feature && !t->cpu->model->has[row->feature])) {
        return true;
    }
    if (insn->vex) { /* no prefix of VEX in real or virtual-8086 mode */
        bool int256 = (row->vex & VEX_INT) && insn->vex_l;
        return !(t->key & KEY_PROTECTED) || (int256 && !t->cpu->model->has[X86_FEATURE_AVX2]);
    }
    if (insn->lock && !((row->flags & OPCODE_LOCK) && insn->op[0].kind == OPERAND_MEM)) {
        return true;
    }
    return (row->flags & OPCODE_PROTECTED) && !(t->key & KEY_PROTECTED);
}

static void translate_insn(X86Tr *t, const X86Insn *insn)
{
    if (is_undefined(t, insn)) {
        tr_raise(t, EXC_UD);
        return;
    }
    int vector = check_fpu(t, insn->opcode->flags);
    if (vector >= 0) {
        tr_raise(t, (unsigned)vector);
        return;
    }
    if ((insn->opcode->flags & OPCODE_RING0) && (t->key & KEY_CPL)) {
        tr_raise_error(t, EXC_GP, 0);
        return;
    }
    insn->opcode->rule(t, insn);
}

/* What single step, debuggers, the interrupt shadow and RF want in front of an instruction. */
static void begin_alone(X86Tr *t)
{
    if ((t->key & KEY_DEBUG) && !(t->key & KEY_RF)) {
        IrVal pc = tr_this_pc(t);
        ir_call(t->ir, X86_CALL_code_breakpoint, pc, 0, 0);
    }
    if (t->key & KEY_TF) {
        ir_call(t->ir, X86_CALL_step, 0, 0, 0);
    }
    if (t->key & KEY_SHADOW) {
        ir_call(t->ir, X86_CALL_end_shadow, 0, 0, 0);
    }
    if (t->key & KEY_RF) {
        IrVal eflags = ir_get(t->ir, X86_OFFSET(eflags), 8);
        eflags = ir_binary_imm(t->ir, IR_AND64, eflags, ~(uint64_t)FLAG_RF);
        ir_put(t->ir, X86_OFFSET(eflags), 8, eflags);
    }
}

/* --- the block -------------------------------------------------------------------------------- */

static void one_insn(X86Tr *t, DecodeResult result, const X86Insn *insn)
{
    ir_insn(t->ir, t->delta);
    t->next = t->delta + (int)insn->length;
    t->linear = 0;
    t->rmw = false;
    t->ir->guest_bytes = (unsigned)MAX((int)t->ir->guest_bytes, t->next);
    t->ir->guest_before = (unsigned)MAX((int)t->ir->guest_before, -t->delta);
    if (t->key & KEY_ALONE) {
        begin_alone(t);
    }
    if (result == DECODE_TOO_LONG) {
        tr_raise_error(t, EXC_GP, 0);
    } else {
        translate_insn(t, insn);
    }
}

/* True if the block must end in front of an instruction of @length bytes at t->next. */
static bool must_end(const X86Tr *t, const GuestCode *code, unsigned max_insns, unsigned length)
{
    return t->ir->n_insns >= max_insns || !ir_has_room(t->ir) ||
           t->next + (int)length > (int)code->page_left;
}

TranslateResult x86_translate(DbtCpu *base, const GuestCode *code, IrBlock *ir)
{
    X86Tr t = { .ir = ir,
                .cpu = x86_cpu(base),
                .key = (uint32_t)base->key,
                .start = base->pc,
                .page_left = code->page_left,
                .before = code->before };
    unsigned max_insns = t.key & KEY_ALONE ? 1 : MIN(code->max_insns, IR_MAX_INSNS);
    X86Insn insn;

    while (!t.ended) {
        DecodeResult result =
            x86_decode(guest_code_at(code, t.next), (unsigned)((int)code->length - t.next),
                       tr_mode(&t), &insn);
        if (ir->n_insns == 0) {
            if (result == DECODE_MORE) {
                return TRANSLATE_MORE;
            }
        } else if (result == DECODE_MORE || must_end(&t, code, max_insns, insn.length)) {
            t.delta = t.next;
            exit_direct(&t, t.next);
            break;
        }
        t.delta = t.next;
        one_insn(&t, result, &insn);
        if (!t.ended && t.next >= (int)code->page_left) {
            exit_direct(&t, t.next);
        }
    }
    return TRANSLATE_OK;
}
