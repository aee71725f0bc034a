/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where values live: registers, handed out as the block is passed once from front to back, and
 * slots of the frame for what does not fit or must survive a call.
 *
 * Nothing here changes the flags, so that operands may be fetched behind a comparison.
 */
#include "common/bits.h"
#include "engine/dbt/host/x86_64/gen.h"

static void drop_reg(Gen *g, unsigned reg)
{
    if (g->owner[reg] != NO_VALUE) {
        g->value[g->owner[reg]].reg = NO_REG;
        g->owner[reg] = NO_VALUE;
    }
    g->used &= ~(1U << reg);
}

void gen_alloc_reset(Gen *g)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(g->owner); i++) {
        drop_reg(g, i);
    }
    g->used = g->pinned = 0;
    g->n_slots = g->n_free = g->n_spilled = g->n_pending = 0;
    g->n_bound = 0;
    g->looked_up = false;
}

void gen_alloc_begin(Gen *g)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(g->owner); i++) {
        g->owner[i] = NO_VALUE;
    }
    gen_alloc_reset(g);
    g->n_parked = 0;
    g->last_park = (Park){ 0 };
}

void gen_own(Gen *g, unsigned reg, IrVal v)
{
    g->owner[reg] = v;
    g->used |= 1U << reg;
    g->pinned |= 1U << reg;
    g->value[v].reg = (uint8_t)reg;
}

/* True if the value can be made again from nothing. */
static bool is_free(const Value *value)
{
    return value->kind == VALUE_CONST || value->kind == VALUE_PC;
}

static void store_to_slot(Gen *g, IrVal v)
{
    Value *value = &g->value[v];

    if (value->slot == NO_SLOT) {
        value->slot = (uint16_t)(g->n_free ? g->free_slots[--g->n_free] : g->n_slots++);
        g->spilled[g->n_spilled++] = v;
        emit_store(&g->e, 8, slot_mem(value->slot), value->reg);
    }
}

/* The register whose value is needed last; one that is only bound to state is best. */
static unsigned choose_victim(const Gen *g)
{
    unsigned victim = NO_REG, latest = 0;

    for (uint32_t left = g->used & ~g->pinned; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);
        const Value *value = &g->value[g->owner[reg]];
        if (value->last_use < g->now && value->holds) {
            return reg;
        }
        if (victim == NO_REG || value->last_use > latest) {
            victim = reg;
            latest = value->last_use;
        }
    }
    g_assert(victim != NO_REG); /* a rule pins a few registers, never all */
    return victim;
}

static void evict(Gen *g, unsigned reg)
{
    IrVal v = g->owner[reg];
    const Value *value = &g->value[v];

    if (value->last_use < g->now && value->holds && value->slot == NO_SLOT) {
        gen_flush_value(g, v); /* to where it would have to go anyway */
    } else if (!is_free(value)) {
        store_to_slot(g, v);
    }
    drop_reg(g, reg);
}

/* A register for @v, whatever it holds. */
static unsigned take_reg(Gen *g, IrVal v)
{
    uint32_t free = ALLOCATABLE & ~g->used & ~g->pinned;
    unsigned reg;

    if (free) {
        uint32_t better =
            free & (g->value[v].last_use > g->next_call ? CALLEE_SAVED : CALLER_SAVED);
        reg = (unsigned)__builtin_ctz(better ? better : free);
    } else {
        reg = choose_victim(g);
        evict(g, reg);
    }
    gen_own(g, reg, v);
    return reg;
}

void gen_load_pc(Gen *g, unsigned to, uint64_t imm)
{
    uint64_t offset = g->block->gpa % PAGE_SIZE + imm;

    emit_load(&g->e, 8, to, CPU_MEM(code_page));
    if (!fits32(offset)) {
        unsigned other = to == RBX ? RSI : RBX;
        emit_store(&g->e, 8, mem_at(RSP, FRAME_SAVE), other);
        emit_mov_imm(&g->e, other, offset);
        emit_rm(&g->e, X_LEA64, to, mem_indexed(to, other, 0, 0));
        emit_load(&g->e, 8, other, mem_at(RSP, FRAME_SAVE));
    } else if (offset) {
        emit_rm(&g->e, X_LEA64, to, mem_at(to, (int32_t)offset));
    }
}

static unsigned get_size(const IrNode *node)
{
    return 1U << (node->op - IR_GET8);
}

void gen_load_to(Gen *g, unsigned to, IrVal v)
{
    const Value *value = &g->value[v];
    const IrNode *node = &g->ir->nodes[v];
    unsigned vector, within;

    if (value->reg != NO_REG) {
        emit_mov(&g->e, true, to, value->reg);
    } else if (value->kind == VALUE_CONST) {
        emit_mov_imm(&g->e, to, node->imm);
    } else if (value->kind == VALUE_PC) {
        gen_load_pc(g, to, node->imm);
    } else if (value->kind == VALUE_GET) {
        vector = gen_lane_now(g, node->imm, get_size(node), &within);
        if (vector != NO_REG) {
            gen_read_lane(g, to, vector, within, get_size(node));
        } else {
            emit_load(&g->e, get_size(node), to, state_mem(node->imm));
        }
    } else {
        g_assert(value->kind == VALUE_PLAIN && value->slot != NO_SLOT);
        emit_load(&g->e, 8, to, slot_mem(value->slot));
    }
}

unsigned gen_reg(Gen *g, IrVal v)
{
    Value *value = &g->value[v];

    if (value->reg != NO_REG) {
        g->pinned |= 1U << value->reg;
        return value->reg;
    }
    unsigned reg = take_reg(g, v);
    value->reg = NO_REG; /* not yet: load */
    gen_load_to(g, reg, v);
    value->reg = (uint8_t)reg;
    if (value->kind == VALUE_GET) {
        value->kind = VALUE_PLAIN;
    }
    return reg;
}

Src gen_src_no_imm(Gen *g, IrVal v, bool wide)
{
    const Value *value = &g->value[v];
    const IrNode *node = &g->ir->nodes[v];

    if (value->reg == NO_REG && dies(g, v)) {
        unsigned within;
        if (value->kind == VALUE_GET && get_size(node) >= (wide ? 8 : 4) &&
            gen_lane_now(g, node->imm, get_size(node), &within) == NO_REG) {
            return (Src){ .kind = SRC_MEM, .mem = state_mem(node->imm) };
        }
        if (value->kind == VALUE_PLAIN) {
            return (Src){ .kind = SRC_MEM, .mem = slot_mem(value->slot) };
        }
    }
    return (Src){ .kind = SRC_REG, .reg = gen_reg(g, v) };
}

Src gen_src(Gen *g, IrVal v, bool wide)
{
    const IrNode *node = &g->ir->nodes[v];

    if (g->value[v].kind == VALUE_CONST && (!wide || fits32(node->imm))) {
        return (Src){ .kind = SRC_IMM, .imm = (int32_t)node->imm };
    }
    return gen_src_no_imm(g, v, wide);
}

void gen_move_src(Gen *g, unsigned to, bool wide, Src src)
{
    switch (src.kind) {
    case SRC_REG:
        emit_mov(&g->e, wide, to, src.reg);
        break;
    case SRC_MEM:
        emit_load(&g->e, wide ? 8 : 4, to, src.mem);
        break;
    case SRC_LANE:
        gen_read_lane(g, to, src.reg, (unsigned)src.imm, wide ? 8 : 4);
        break;
    default:
        emit_mov_imm(&g->e, to, wide ? (uint64_t)(int64_t)src.imm : (uint32_t)src.imm);
    }
}

unsigned gen_def_of(Gen *g, IrVal v)
{
    if (g->value[v].kind == VALUE_GET) {
        g->value[v].kind = VALUE_PLAIN;
    }
    return g->value[v].uses ? take_reg(g, v) : RAX;
}

unsigned gen_def(Gen *g)
{
    return gen_def_of(g, (IrVal)g->now);
}

unsigned gen_def_from(Gen *g, IrVal a, bool wide)
{
    Value *value = &g->value[a];
    unsigned reg = value->reg;

    if (reg != NO_REG && dies(g, a) && g->value[g->now].uses) {
        /* pinned by now or not: nobody needs @a's value behind this node */
        value->reg = NO_REG;
        gen_own(g, reg, (IrVal)g->now);
        return reg;
    }
    Src from = gen_src(g, a, wide);
    reg = gen_def(g);
    gen_move_src(g, reg, wide, from);
    return reg;
}

void gen_release(Gen *g)
{
    for (uint32_t left = g->used; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);
        IrVal v = g->owner[reg];
        if (v != g->now && dies(g, v)) {
            drop_reg(g, reg);
            g->pinned &= ~(1U << reg);
        }
    }
}

void gen_end_node(Gen *g)
{
    gen_release(g);
    for (unsigned i = 0; i < g->n_spilled;) {
        Value *value = &g->value[g->spilled[i]];
        if (dies(g, g->spilled[i])) {
            g->free_slots[g->n_free++] = value->slot;
            value->slot = NO_SLOT;
            g->spilled[i] = g->spilled[--g->n_spilled];
        } else {
            i++;
        }
    }
}

void gen_save_for_call(Gen *g)
{
    for (uint32_t left = g->used & CALLER_SAVED; left; left &= left - 1) {
        IrVal v = g->owner[__builtin_ctz(left)];
        if (!dies(g, v) && !is_free(&g->value[v])) {
            store_to_slot(g, v);
        }
    }
}

void gen_forget_for_call(Gen *g)
{
    for (uint32_t left = g->used & CALLER_SAVED; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);
        drop_reg(g, reg);
        g->pinned &= ~(1U << reg);
    }
}

/* --- reads of state that wait ----------------------------------------------------------------- */

void gen_add_pending(Gen *g, IrVal v)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->n_pending; i++) {
        IrVal other = g->pending[i];
        if (g->value[other].kind == VALUE_GET && !dies(g, other)) {
            g->pending[n++] = other;
        }
    }
    g->n_pending = n;
    if (n == MAX_PENDING) {
        gen_reg(g, v); /* no room to wait */
    } else {
        g->pending[g->n_pending++] = v;
    }
}

void gen_state_changes(Gen *g, uint64_t offset, unsigned size)
{
    for (unsigned i = 0; i < g->n_pending;) {
        IrVal v = g->pending[i];
        const IrNode *node = &g->ir->nodes[v];
        bool waits = g->value[v].kind == VALUE_GET && !dies(g, v);
        if (waits && !ranges_overlap(offset, size, node->imm, get_size(node))) {
            i++;
            continue;
        }
        if (waits) {
            uint32_t pinned = g->pinned;
            gen_reg(g, v);
            g->pinned = pinned; /* this node has no need of it */
        }
        g->pending[i] = g->pending[--g->n_pending];
    }
}

void gen_all_state_changes(Gen *g)
{
    gen_state_changes(g, 0, UINT32_MAX);
}
