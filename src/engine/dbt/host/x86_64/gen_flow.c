/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of control flow: the block's head, its exits, and calls of C.
 *
 * An exit inside the page is one jump, which leads to a stub behind the block until cache_link()
 * makes it lead to the next block.  All other exits know their target's address only while they
 * run, and look it up in the jump cache in line.  A jump back to the block's own head is final.
 */
#include "engine/dbt/host/x86_64/gen.h"

#include "common/bits.h"
#include "engine/dbt/run/check.h"

enum { ENTRY_SHIFT = 5 };

/* --- the head --------------------------------------------------------------------------------- */

void gen_add_leave(Gen *g, Leave leave)
{
    g->leaves[g->n_leaves++] = leave;
}

static unsigned page_offset(const Gen *g)
{
    return (unsigned)(g->block->gpa % PAGE_SIZE);
}

void gen_head(Gen *g)
{
    g->head = g->e.at;
    emit_alu_mi(&g->e, ALU_CMP, 4, CPU_MEM(attention), 0);
    g_assert(g->e.at == g->head + HEAD_KILL + 1 || g->e.full);
    uint8_t *from = emit_jcc(&g->e, CC_NE, NULL);
    gen_add_leave(g, (Leave){ .kind = LEAVE_ATTENTION, .from = from });
    g_assert(g->e.at == g->head + HEAD_BYTES || g->e.full);
    emit_alu_ri(&g->e, ALU_ADD, true, REG_COUNT, (int32_t)g->ir->n_insns);
}

void gen_set_block(Gen *g)
{
    uintptr_t block = (uintptr_t)g->block;

    if (fits32(block)) { /* cache.c tries to have it so */
        emit_store_imm(&g->e, 8, CPU_MEM(block), (int32_t)block);
        return;
    }
    emit_push(&g->e, RAX);
    emit_mov_imm(&g->e, RAX, block);
    emit_store(&g->e, 8, CPU_MEM(block), RAX);
    emit_pop(&g->e, RAX);
}

/* --- jumps to other blocks -------------------------------------------------------------------- */

/* @to = the jump cache's entry for the address in @pc; the jump that is returned is taken if it is
 * for another one.  RDX changes. */
static uint8_t *find_entry(Gen *g, unsigned to, unsigned pc)
{
    Emit *e = &g->e;

    emit_imul_ri(e, false, to, pc, JUMP_CACHE_FACTOR);
    emit_shift_imm(e, SHIFT_SHR, false, to, 32 - JUMP_CACHE_BITS - ENTRY_SHIFT);
    emit_alu_ri(e, ALU_AND, false, to, (JUMP_CACHE_ENTRIES - 1) << ENTRY_SHIFT);
    emit_alu_rm(e, ALU_ADD, true, to, CPU_MEM(jumps));
    emit_load(e, 8, RDX, CPU_MEM(key));
    emit_alu_rm(e, ALU_CMP, true, pc, mem_at(to, offsetof(JumpCacheEntry, pc)));
    uint8_t *other = emit_jcc(e, CC_NE, NULL);
    emit_alu_rm(e, ALU_CMP, true, RDX, mem_at(to, offsetof(JumpCacheEntry, key)));
    emit_patch(other, e->at);
    return emit_jcc(e, CC_NE, NULL);
}
_Static_assert(sizeof(JumpCacheEntry) == 1 << ENTRY_SHIFT, "an index becomes an offset");

/* To the block of @entry, which is for the address in @pc, a register that changes. */
static void jump_by_entry(Gen *g, unsigned entry, unsigned pc)
{
    emit_alu_ri(&g->e, ALU_AND, true, pc, -PAGE_SIZE);
    emit_store(&g->e, 8, CPU_MEM(code_page), pc);
    emit_jmp_mem(&g->e, mem_at(entry, offsetof(JumpCacheEntry, code)));
}

/* To the block at the address in @pc, which changes, if the jump cache knows it, else back to C. */
static void jump_to(Gen *g, unsigned pc)
{
    uint8_t *from = find_entry(g, RAX, pc);

    gen_add_leave(g, (Leave){ .kind = LEAVE_UNKNOWN, .from = from, .reg = (uint8_t)pc });
    jump_by_entry(g, RAX, pc);
}

/* The value that is the jump cache's entry: behind those of groups. */
static IrVal entry_value(const Gen *g)
{
    return (IrVal)(g->ir->n_nodes + LOOP_MAX_CARRIED + MAX_GROUPS);
}

/* RCX = the block's first instruction + @delta */
static void target_to_rcx(Gen *g, int64_t delta)
{
    uint64_t offset = page_offset(g) + (uint64_t)delta;

    emit_load(&g->e, 8, RCX, CPU_MEM(code_page));
    if (fits32(offset)) {
        emit_alu_ri(&g->e, ALU_ADD, true, RCX, (int32_t)offset);
    } else {
        emit_mov_imm(&g->e, RAX, offset);
        emit_alu_rr(&g->e, ALU_ADD, true, RCX, RAX);
    }
}

/* The jump at the buffer's end, @opcode bytes long without its displacement, will be patched while
 * others run it: its displacement must be written at once. */
static void align_site(Gen *g, unsigned opcode)
{
    unsigned at = (unsigned)((uintptr_t)g->e.at + opcode) % 8;

    if (at > 4) {
        emit_nop(&g->e, 8 - at);
    }
}

/* How an exit leaves. */
typedef enum Way { WAY_HEAD, WAY_CHAIN, WAY_FAR } Way;

static Way way_of(const Gen *g, const IrNode *node)
{
    uint64_t target = page_offset(g) + node->imm;

    if (target >= PAGE_SIZE || g->block->gpa2 != GPA_NONE) {
        return WAY_FAR;
    }
    if (node->imm == 0) {
        return WAY_HEAD;
    }
    /* an exit of its own for each slot */
    return g->slot_uses[node->c % IR_EXIT_SLOTS] == 1 ? WAY_CHAIN : WAY_FAR;
}

static Leave chain_leave(const IrNode *node, uint8_t *site)
{
    return (Leave){ .kind = LEAVE_CHAIN,
                    .from = site,
                    .info = node->c % IR_EXIT_SLOTS,
                    .delta = (int64_t)node->imm };
}

void gen_exit(Gen *g, const IrNode *node)
{
    if (g->loop.back == g->now) {
        gen_loop_back(g);
        return;
    }
    gen_flush_all_state(g);
    switch (way_of(g, node)) {
    case WAY_HEAD:
        emit_jmp(&g->e, g->head);
        break;
    case WAY_CHAIN:
        align_site(g, 1);
        gen_add_leave(g, chain_leave(node, emit_jmp(&g->e, NULL)));
        g->leaves[g->n_leaves - 1].parked = g->loop.back != NO_VALUE; /* two jumps for one exit */
        break;
    default:
        target_to_rcx(g, (int64_t)node->imm);
        jump_to(g, RCX);
    }
}

/* The node behind @i that makes code. */
static bool leaves_next(const Gen *g, unsigned i)
{
    const IrBlock *ir = g->ir;

    do {
        i++;
    } while (i < ir->n_nodes && (ir->nodes[i].op == IR_CONST || ir->nodes[i].op == IR_NOP));
    return i + 1 == ir->n_nodes;
}

/* The branch goes to a place behind the block that writes what is bound first. */
static void exit_if_parked(Gen *g, const IrNode *node, Condition cc)
{
    Way way = way_of(g, node);
    Park park = gen_park(g);
    Leave leave = chain_leave(node, emit_jcc(&g->e, cc, NULL));

    leave.kind = way == WAY_HEAD ? LEAVE_HEAD : way == WAY_CHAIN ? LEAVE_CHAIN : LEAVE_FAR;
    leave.park = park;
    leave.parked = true;
    gen_add_leave(g, leave);
}

/* The branch back to the head of a loop: its other way is the last node. */
static void branch_back(Gen *g, const IrNode *node)
{
    unsigned last = g->ir->n_nodes - 1;
    Condition cc = gen_condition(g, node->a);

    exit_if_parked(g, &g->ir->nodes[last], (Condition)(cc ^ 1));
    g->skip_to = last + 1;
    gen_loop_back(g);
}

void gen_exit_if(Gen *g, const IrNode *node)
{
    bool loops = g->loop.back != NO_VALUE;

    if (g->loop.back == g->now) {
        branch_back(g, node);
        return;
    }
    if (leaves_next(g, g->now) && !loops) {
        gen_flush_all_state(g); /* both ways need it */
    }
    Condition cc = gen_condition(g, node->a);
    uint8_t *from;
    if (g->n_bound || loops) {
        exit_if_parked(g, node, cc);
        return;
    }
    switch (way_of(g, node)) {
    case WAY_HEAD:
        emit_jcc(&g->e, cc, g->head);
        break;
    case WAY_CHAIN:
        align_site(g, 2);
        gen_add_leave(g, chain_leave(node, emit_jcc(&g->e, cc, NULL)));
        break;
    default:
        from = emit_jcc(&g->e, cc, NULL);
        gen_add_leave(g, (Leave){ .kind = LEAVE_FAR, .from = from, .delta = (int64_t)node->imm });
    }
}

void gen_exit_indirect(Gen *g, const IrNode *node)
{
    unsigned pc = gen_reg(g, node->a);

    if (g->looked_up) { /* when the address was checked */
        unsigned entry = gen_reg(g, entry_value(g));
        gen_flush_all_state(g);
        jump_by_entry(g, entry, pc);
    } else {
        gen_flush_all_state(g);
        jump_to(g, pc);
    }
}

void gen_exit_stop(Gen *g, const IrNode *node)
{
    gen_flush_all_state(g);
    target_to_rcx(g, (int64_t)node->imm);
    emit_store(&g->e, 8, CPU_MEM(pc), RCX);
    emit_jmp(&g->e, g->code->exit_stop);
}

void gen_exit_state(Gen *g, const IrNode *node)
{
    gen_flush_all_state(g);
    emit_jmp(&g->e, g->code->exit_stop);
}

/* --- calls of C ------------------------------------------------------------------------------- */

void gen_call_c(Gen *g, const void *function)
{
    const uint8_t *next = (const uint8_t *)code_to_rx(g->code, g->e.at) + 5;
    int64_t distance = (const uint8_t *)function - next;

    if (fits32((uint64_t)distance)) {
        emit_call(&g->e, g->e.at + 5 + distance);
    } else {
        emit_mov_imm(&g->e, RAX, (uintptr_t)function);
        emit_call_reg(&g->e, RAX);
    }
}

/* Of the guest's table; the arguments are in place. */
static void call_helper(Gen *g, const Helper *helper)
{
    if (g->code->check && !(helper->flags & HELPER_PURE)) {
        emit_mov_imm(&g->e, R8, (uint64_t)(helper - g->code->isa->helpers));
        gen_call_c(g, (const void *)(uintptr_t)check_call);
    } else {
        gen_call_c(g, (const void *)(uintptr_t)helper->fn);
    }
}

void gen_check_fault(Gen *g)
{
    emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(fault), 0);
    uint8_t *from = emit_jcc(&g->e, CC_NE, NULL);
    gen_add_leave(g, (Leave){ .kind = LEAVE_FAULT, .from = from, .info = gen_info(g) });
}

static void load_cpu(Gen *g, unsigned to)
{
    emit_rm(&g->e, X_LEA64, to, mem_at(REG_CPU, -STATE_BIAS));
}

/* The block leaves for the address that the node at work checks, and no C comes between. */
static bool is_checked_for_exit(const Gen *g, const IrNode *node)
{
    const IrBlock *ir = g->ir;
    const IrNode *last = &ir->nodes[ir->n_nodes - 1];

    if (g->looked_up || last->op != IR_EXIT_INDIRECT || last->a != node->a ||
        entry_value(g) >= IR_MAX_NODES) {
        return false;
    }
    for (unsigned i = g->now + 1; i < ir->n_nodes; i++) {
        if (gen_calls_c(g, &ir->nodes[i])) {
            return false;
        }
    }
    return true;
}

/* The jump that is taken if the value in @reg is not canonical.  RAX changes. */
static uint8_t *jump_unless_canonical(Gen *g, unsigned reg)
{
    enum { BITS = 48 };

    emit_mov(&g->e, true, RAX, reg);
    emit_shift_imm(&g->e, SHIFT_SAR, true, RAX, BITS - 1);
    emit_alu_ri(&g->e, ALU_ADD, false, RAX, 1);
    emit_alu_ri(&g->e, ALU_CMP, false, RAX, 1);
    return emit_jcc(&g->e, CC_A, NULL);
}

/* The helper is called, from behind the block, only if the address is not canonical.  What the jump
 * cache knows is: if the block leaves for it, one look serves both. */
static void call_unless_canonical(Gen *g, const IrNode *node, const Helper *helper)
{
    Leave leave = { .kind = LEAVE_HELPER, .info = gen_info(g), .helper = helper };
    unsigned reg = gen_reg(g, node->a);

    if (is_checked_for_exit(g, node)) {
        IrVal entry = entry_value(g);
        g->value[entry] = (Value){
            .slot = NO_SLOT, .reg = NO_REG, .uses = 1, .last_use = (uint16_t)(g->ir->n_nodes - 1)
        };
        leave.kind = LEAVE_CHECK;
        leave.entry = (uint8_t)gen_def_of(g, entry);
        leave.reg = (uint8_t)reg;
        g->looked_up = true;
    }
    leave.arguments[0] = gen_park_value(g, node->a);
    leave.arguments[1] = gen_park_value(g, node->b);
    leave.arguments[2] = gen_park_value(g, node->c);
    leave.park = gen_park(g);
    leave.from =
        leave.kind == LEAVE_CHECK ? find_entry(g, leave.entry, reg) : jump_unless_canonical(g, reg);
    leave.back = g->e.at;
    gen_add_leave(g, leave);
    if (g->value[g->now].uses) {
        emit_mov_imm(&g->e, gen_def(g), 0);
    }
}

static void leave_by_helper(Gen *g, const Leave *leave)
{
    gen_write_parked(g, leave->park);
    g->vectors = g->code->vectors ? VECTORS_UNKNOWN : VECTORS_IN_STATE;
    g->stack = g->code->stack ? STACK_UNKNOWN : STACK_IN_STATE;
    gen_ready_for_c(g);
    gen_load_parked(g, RDX, &leave->arguments[1]);
    gen_load_parked(g, RCX, &leave->arguments[2]);
    gen_load_parked(g, RSI, &leave->arguments[0]);
    load_cpu(g, RDI);
    gen_set_block(g);
    call_helper(g, leave->helper);
    emit_mov_imm(&g->e, RAX, leave->info);
    emit_jmp(&g->e, g->code->exit_fault);
}

/* The jump cache doesn't know the address: go on to what leads to C, or to the helper. */
static void leave_by_check(Gen *g, const Leave *leave)
{
    uint8_t *bad = jump_unless_canonical(g, leave->reg);

    emit_store(&g->e, 8, CPU_MEM(pc), leave->reg);
    emit_mov_imm(&g->e, leave->entry, (uintptr_t)&g->code->unknown);
    emit_jmp(&g->e, leave->back);
    emit_patch(bad, g->e.at);
    leave_by_helper(g, leave);
}

void gen_call(Gen *g, const IrNode *node)
{
    const Helper *helper = &g->code->isa->helpers[node->imm];

    if (helper->flags & HELPER_CANONICAL) {
        call_unless_canonical(g, node, helper);
        return;
    }
    const StackHost host = gen_stack_host(g, node);
    if (host.form != STACK_CALL) {
        gen_stack(g, node, host);
        return;
    }
    if (!(helper->flags & HELPER_PURE)) {
        gen_all_state_changes(g);
        gen_flush_all_state(g);
    }
    gen_ready_for_c(g);
    gen_save_for_call(g);
    gen_load_to(g, RDX, node->b);
    gen_load_to(g, RCX, node->c);
    gen_load_to(g, RSI, node->a);
    gen_forget_for_call(g);
    load_cpu(g, RDI);
    if (!(helper->flags & (HELPER_PURE | HELPER_NOFAULT))) {
        gen_set_block(g);
    }
    call_helper(g, helper);
    if (!(helper->flags & (HELPER_PURE | HELPER_NOFAULT))) {
        gen_check_fault(g);
        emit_load(&g->e, 8, REG_TLB, CPU_MEM(tlb)); /* another address space, perhaps */
    }
    if (g->value[g->now].uses) {
        unsigned to = gen_def(g);
        emit_mov(&g->e, true, to, RAX);
    }
}

/* --- behind the block ------------------------------------------------------------------------- */

static void leave_chain(Gen *g, const Leave *leave)
{
    unsigned slot = leave->info;
    uint8_t *site = leave->from;

    if (leave->parked) { /* the jump that is patched is this one, or one that was made before */
        if (g->block->site[slot]) {
            emit_jmp(&g->e, g->code->rw + g->block->site[slot] - 1);
            return;
        }
        align_site(g, 1);
        site = emit_jmp(&g->e, NULL);
        emit_patch(site, g->e.at);
    }
    g->block->site[slot] = (uint32_t)(site - g->code->rw);
    g->block->stub[slot] = (uint32_t)(g->e.at - g->code->rw);
    gen_set_block(g);
    emit_mov_imm(&g->e, RAX, page_offset(g) + (uint64_t)leave->delta);
    emit_jmp(&g->e, g->code->exit_link[slot]);
}

void gen_leaves(Gen *g)
{
    for (unsigned i = 0; i < g->n_leaves; i++) {
        const Leave *leave = &g->leaves[i];
        emit_patch(leave->from, g->e.at);
        if (leave->kind < LEAVE_HELPER) {
            gen_write_parked(g, leave->park);
        }
        switch (leave->kind) {
        case LEAVE_HELPER:
            leave_by_helper(g, leave);
            break;
        case LEAVE_CHECK:
            leave_by_check(g, leave);
            break;
        case LEAVE_UNKNOWN:
            emit_store(&g->e, 8, CPU_MEM(pc), leave->reg);
            emit_jmp(&g->e, g->code->exit_next);
            break;
        case LEAVE_HEAD:
            emit_jmp(&g->e, g->head);
            break;
        case LEAVE_CHAIN:
            leave_chain(g, leave);
            break;
        case LEAVE_FAR:
            target_to_rcx(g, leave->delta);
            jump_to(g, RCX);
            break;
        case LEAVE_FAULT:
            emit_mov_imm(&g->e, RAX, leave->info);
            emit_jmp(&g->e, g->code->exit_fault);
            break;
        case LEAVE_ATTENTION:
            emit_mov_imm(&g->e, RAX, page_offset(g));
            emit_jmp(&g->e, g->code->exit_attention);
        }
    }
}
