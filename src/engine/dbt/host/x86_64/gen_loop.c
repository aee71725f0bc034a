/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that jump back to their own head: what is bound to state at their end stays in registers
 * for the next round.
 *
 * Such a block is made twice.  The first copy is an ordinary one; its bindings at the jump back are
 * the contract of the second: which state is held by which register, or is which constant.  The
 * second copy begins with that and re-establishes it at its own end, so that round after round
 * nothing is stored that the next overwrites.  Between the rounds stands what a head has: the look
 * at cpu->attention, from where state is written if somebody wants the vCPU.
 */
#include <string.h>

#include "engine/dbt/host/x86_64/gen.h"

enum { NO_CARRIED = 0xff };

/* --- which blocks ----------------------------------------------------------------------------- */

static bool is_back(const Gen *g, unsigned i)
{
    const IrNode *node = &g->ir->nodes[i];

    return (node->op == IR_EXIT || node->op == IR_EXIT_IF) && node->imm == 0 &&
           g->block->gpa2 == GPA_NONE;
}

void gen_find_loop(Gen *g)
{
    unsigned last = g->ir->n_nodes - 1, before = last - 1;

    g->loop = (Loop){ .back = NO_VALUE };
    if (g->ir->n_nodes > LOOP_MAX_NODES) {
        return; /* two copies must have room */
    }
    while (before > 0 &&
           (g->ir->nodes[before].op == IR_CONST || g->ir->nodes[before].op == IR_NOP)) {
        before--;
    }
    if (is_back(g, last)) {
        g->loop.back = last;
    } else if (g->ir->nodes[last].op == IR_EXIT && g->ir->nodes[before].op == IR_EXIT_IF &&
               is_back(g, before)) {
        g->loop.back = before;
    }
}

/* --- the contract ----------------------------------------------------------------------------- */

static IrVal carried_value(const Gen *g, unsigned i)
{
    return (IrVal)(g->ir->n_nodes + i);
}

/* The register of @v in the contract; a new one if there is none yet. */
static unsigned carry(Gen *g, IrVal v)
{
    Loop *loop = &g->loop;

    for (unsigned i = 0; i < loop->n_carried; i++) {
        if (loop->from[i] == v) {
            return i;
        }
    }
    if (loop->n_carried == LOOP_MAX_CARRIED) {
        return NO_CARRIED;
    }
    loop->from[loop->n_carried] = v;
    loop->reg[loop->n_carried] = (uint8_t)gen_reg(g, v);
    return loop->n_carried++;
}

/* The first copy ends: what is bound becomes the contract, or is stored now. */
static void make_contract(Gen *g)
{
    Loop *loop = &g->loop;

    for (unsigned i = g->n_bound; i-- > 0;) {
        const Binding *binding = &g->bound[i];
        unsigned kind = g->value[binding->v].kind, carried = NO_CARRIED;
        if (!binding->immediate && kind == VALUE_PLAIN) {
            carried = carry(g, binding->v);
            if (carried == NO_CARRIED) {
                gen_flush_state(g, binding->offset, 8);
                continue;
            }
        }
        loop->contract[loop->n++] = (Agreed){ *binding, (uint8_t)carried };
    }
    loop->vectors = g->vectors;
    loop->stack = g->stack;
}

/* Everything is as the contract says. */
static void begin_round(Gen *g)
{
    Loop *loop = &g->loop;

    gen_alloc_reset(g);
    for (unsigned i = 0; i < loop->n_carried; i++) {
        gen_own(g, loop->reg[i], carried_value(g, i));
    }
    for (unsigned i = 0; i < loop->n; i++) {
        const Agreed *agreed = &loop->contract[i];
        Binding binding = agreed->binding;
        if (agreed->carried != NO_CARRIED) {
            binding.v = carried_value(g, agreed->carried);
        }
        g->bound[g->n_bound++] = binding;
        g->value[binding.v].holds++;
    }
    g->vectors = loop->vectors;
    g->stack = loop->stack;
}

/* --- the end of a round ----------------------------------------------------------------------- */

static const Binding *find_bound(const Gen *g, uint32_t offset)
{
    for (unsigned i = 0; i < g->n_bound; i++) {
        if (g->bound[i].offset == offset) {
            return &g->bound[i];
        }
    }
    return NULL;
}

/* Bindings that the contract does not have are stored. */
static void flush_others(Gen *g)
{
    const Loop *loop = &g->loop;

    for (unsigned i = g->n_bound; i-- > 0;) {
        bool agreed = false;
        for (unsigned c = 0; c < loop->n; c++) {
            agreed |= loop->contract[c].binding.offset == g->bound[i].offset;
        }
        if (!agreed) {
            gen_flush_state(g, g->bound[i].offset, 8);
        }
    }
}

/* Registers to be filled from others, all at once. */
typedef struct Moves {
    unsigned n;
    uint8_t to[LOOP_MAX_CARRIED], from[LOOP_MAX_CARRIED];
} Moves;

static bool is_source(const Moves *m, unsigned reg, unsigned but)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (i != but && m->from[i] == reg) {
            return true;
        }
    }
    return false;
}

/* One that destroys no other's source; a circle is opened by way of RAX. */
static void move_all(Gen *g, Moves *m)
{
    while (m->n) {
        unsigned i = 0;
        while (i < m->n && is_source(m, m->to[i], i)) {
            i++;
        }
        if (i == m->n) {
            emit_mov(&g->e, true, RAX, m->from[0]);
            m->from[0] = RAX;
            continue;
        }
        emit_mov(&g->e, true, m->to[i], m->from[i]);
        m->n--;
        m->to[i] = m->to[m->n];
        m->from[i] = m->from[m->n];
    }
}

/* The state that carried register @i stands for: any of its offsets. */
static uint32_t offset_of(const Loop *loop, unsigned i)
{
    unsigned c = 0;

    while (loop->contract[c].carried != i) {
        c++;
    }
    return loop->contract[c].binding.offset;
}

/* Each carried register gets its state's value: from a register first, then from elsewhere. */
static void keep_contract(Gen *g)
{
    const Loop *loop = &g->loop;
    Moves moves = { 0 };

    flush_others(g);
    for (unsigned i = 0; i < loop->n_carried; i++) {
        const Binding *binding = find_bound(g, offset_of(loop, i));
        unsigned reg = binding ? g->value[binding->v].reg : NO_REG;
        if (reg != NO_REG && reg != loop->reg[i]) {
            moves.to[moves.n] = loop->reg[i];
            moves.from[moves.n++] = (uint8_t)reg;
        }
    }
    uint32_t in_memory = 0;
    for (unsigned i = 0; i < loop->n_carried; i++) {
        const Binding *binding = find_bound(g, offset_of(loop, i));
        in_memory |= (uint32_t)(!binding || g->value[binding->v].reg == NO_REG) << i;
    }
    move_all(g, &moves);
    for (unsigned i = 0; i < loop->n_carried; i++) {
        if (in_memory >> i & 1) {
            const Binding *binding = find_bound(g, offset_of(loop, i));
            if (binding) {
                gen_load_to(g, loop->reg[i], binding->v);
            } else {
                emit_load(&g->e, 8, loop->reg[i], state_mem(offset_of(loop, i)));
            }
        }
    }
}

/* For check.c: attention but for its own bit, and no more rounds than the interpreter made. */
static void look_at_rounds(Gen *g, Leave leave)
{
    emit_load(&g->e, 4, RAX, CPU_MEM(attention));
    emit_alu_ri(&g->e, ALU_AND, false, RAX, ~ATTENTION_CHECK);
    leave.from = emit_jcc(&g->e, CC_NE, NULL);
    gen_add_leave(g, leave);
    emit_alu_mi(&g->e, ALU_SUB, 4, CPU_MEM(rounds), 1);
}

/* What a head does, with state in registers. */
static void look_around(Gen *g)
{
    Leave leave = { .kind = LEAVE_ATTENTION, .park = gen_park(g), .parked = true };
    bool check = g->code->check;

    if (check) {
        look_at_rounds(g, leave);
    } else {
        emit_alu_mi(&g->e, ALU_CMP, 4, CPU_MEM(attention), 0);
    }
    uint8_t *kill = g->e.at - 1;
    leave.from = emit_jcc(&g->e, check ? CC_S : CC_NE, NULL);
    gen_add_leave(g, leave);
    emit_alu_ri(&g->e, ALU_ADD, true, REG_COUNT, (int32_t)g->ir->n_insns);
    g->block->loop[g->loop.body != NULL] = (uint32_t)(kill - g->code->rw);
}

static void agree_on_registers(Gen *g)
{
    if (g->loop.vectors == VECTORS_LIVE) {
        gen_make_live(g);
    } else if (g->loop.vectors == VECTORS_IN_STATE) {
        gen_vectors_to_state(g);
    }
    if (g->loop.stack == STACK_LIVE) {
        gen_stack_live(g);
    } else if (g->loop.stack == STACK_IN_STATE) {
        gen_stack_to_state(g);
    }
}

void gen_loop_back(Gen *g)
{
    Loop *loop = &g->loop;

    if (!loop->body) {
        make_contract(g);
        begin_round(g);
        look_around(g);
        return; /* the second copy follows */
    }
    agree_on_registers(g);
    keep_contract(g);
    begin_round(g);
    look_around(g);
    emit_jmp(&g->e, loop->body);
}

void gen_begin_loop_body(Gen *g)
{
    gen_analyse(g);
    gen_begin_groups(g);
    for (unsigned i = 0; i < g->loop.n_carried; i++) {
        g->value[carried_value(g, i)] =
            (Value){ .slot = NO_SLOT, .reg = NO_REG, .kind = VALUE_PLAIN };
    }
    begin_round(g);
    g->insn = g->next_call = g->skip_to = 0;
    g->loop.body = g->e.at;
}

bool gen_take_carried(Gen *g, const IrNode *get)
{
    IrVal now = (IrVal)g->now;

    for (unsigned i = 0; i < g->n_bound; i++) {
        IrVal v = g->bound[i].v;
        if (g->bound[i].offset != get->imm || g->bound[i].immediate || v < g->ir->n_nodes ||
            g->value[v].reg == NO_REG) {
            continue;
        }
        unsigned reg = g->value[v].reg;
        g->value[now].kind = VALUE_PLAIN;
        g->value[now].holds = g->value[v].holds;
        g->value[v].holds = 0;
        g->value[v].reg = NO_REG;
        for (unsigned k = 0; k < g->n_bound; k++) {
            if (g->bound[k].v == v && !g->bound[k].immediate) {
                g->bound[k].v = now;
            }
        }
        gen_own(g, reg, now);
        return true;
    }
    return false;
}
