/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores to CPU state that did not happen yet.
 *
 * A PUT of 8 bytes only notes which value belongs there ("binding"): a later PUT takes its place,
 * so that what nobody sees is never stored.  Bindings are written when C is called that may look,
 * when the block is left, and when an access faults: the places that do so behind the block write
 * what was bound at the time ("parked"), from where it was then.
 *
 * Nothing here changes the flags.
 */
#include "common/bits.h"
#include "engine/dbt/host/x86_64/gen.h"

/* State that may be bound: what no instruction uses as its memory operand. */
static bool can_bind(const Gen *g, uint64_t offset)
{
    const VectorFile *file = &g->code->isa->vector_file;

    return offset % 8 == 0 && (file->stride == 0 || offset + 8 <= file->offset);
}

/* Where a value is, for a store that happens later. */
static Parked park_one(const Gen *g, const Binding *binding)
{
    const Value *value = &g->value[binding->v];

    return (Parked){ .offset = binding->offset,
                     .v = binding->v,
                     .slot = value->slot,
                     .reg = value->reg,
                     .immediate = binding->immediate,
                     .imm = binding->imm };
}

/* Write one binding's value, by way of RCX if need be. */
static void write_one(Gen *g, const Parked *p)
{
    Mem to = state_mem(p->offset);
    const IrNode *node = &g->ir->nodes[p->v];
    const Value *value = &g->value[p->v];

    if (p->immediate) {
        emit_store_imm(&g->e, 8, to, p->imm);
    } else if (p->reg != NO_REG) {
        emit_store(&g->e, 8, to, p->reg);
    } else if (value->kind == VALUE_CONST && fits32(node->imm)) {
        emit_store_imm(&g->e, 8, to, (int32_t)node->imm);
    } else if (value->kind == VALUE_CONST) {
        emit_mov_imm(&g->e, RCX, node->imm);
        emit_store(&g->e, 8, to, RCX);
    } else if (value->kind == VALUE_PC) {
        gen_load_pc(g, RCX, node->imm);
        emit_store(&g->e, 8, to, RCX);
    } else {
        emit_load(&g->e, 8, RCX, slot_mem(p->slot));
        emit_store(&g->e, 8, to, RCX);
    }
}

static void unbind(Gen *g, unsigned i)
{
    g->value[g->bound[i].v].holds--;
    g->bound[i] = g->bound[--g->n_bound];
}

static void flush(Gen *g, unsigned i)
{
    Parked p = park_one(g, &g->bound[i]);

    write_one(g, &p);
    unbind(g, i);
}

void gen_flush_state(Gen *g, uint64_t offset, unsigned size)
{
    for (unsigned i = g->n_bound; i-- > 0;) {
        if (ranges_overlap(offset, size, g->bound[i].offset, 8)) {
            flush(g, i);
        }
    }
}

void gen_flush_all_state(Gen *g)
{
    while (g->n_bound) {
        flush(g, g->n_bound - 1);
    }
}

bool gen_flush_value(Gen *g, IrVal v)
{
    for (unsigned i = g->n_bound; i-- > 0;) {
        if (g->bound[i].v == v && !g->bound[i].immediate) {
            flush(g, i);
        }
    }
    return g->value[v].holds == 0;
}

static bool bind(Gen *g, Binding binding)
{
    if (!can_bind(g, binding.offset)) {
        gen_flush_state(g, binding.offset, 8);
        return false;
    }
    for (unsigned i = 0; i < g->n_bound; i++) {
        if (g->bound[i].offset == binding.offset) {
            unbind(g, i);
            break;
        }
    }
    if (g->n_bound == MAX_BOUND) {
        flush(g, 0);
    }
    g->bound[g->n_bound++] = binding;
    g->value[binding.v].holds++;
    return true;
}

bool gen_bind(Gen *g, uint64_t offset, IrVal v)
{
    if (g->value[v].kind == VALUE_GET) {
        gen_reg(g, v); /* what it reads may be written before this is */
    }
    return bind(g, (Binding){ .offset = (uint32_t)offset, .v = v });
}

bool gen_bind_imm(Gen *g, uint64_t offset, int32_t imm)
{
    return bind(g, (Binding){ .offset = (uint32_t)offset, .immediate = true, .imm = imm });
}

static bool same_as_before(const Gen *g, Park before)
{
    if (before.n != g->n_bound) {
        return false;
    }
    for (unsigned i = 0; i < before.n; i++) {
        Parked now = park_one(g, &g->bound[i]);
        const Parked *then = &g->parked[before.first + i];
        if (now.offset != then->offset || now.v != then->v || now.reg != then->reg ||
            now.slot != then->slot || now.immediate != then->immediate || now.imm != then->imm) {
            return false;
        }
    }
    return true;
}

Park gen_park(Gen *g)
{
    if (g->n_parked + MAX_BOUND > MAX_PARKED) {
        gen_flush_all_state(g);
    }
    if (same_as_before(g, g->last_park)) {
        return g->last_park;
    }
    Park park = { (uint16_t)g->n_parked, (uint16_t)g->n_bound };
    for (unsigned i = 0; i < g->n_bound; i++) {
        g->parked[g->n_parked++] = park_one(g, &g->bound[i]);
    }
    g->last_park = park;
    return park;
}

Parked gen_park_value(Gen *g, IrVal v)
{
    if (g->value[v].kind == VALUE_GET || g->value[v].reg != NO_REG) {
        gen_reg(g, v); /* pinned: it stays there while others are parked */
    }
    Binding binding = { .v = v };
    return park_one(g, &binding);
}

void gen_load_parked(Gen *g, unsigned to, const Parked *p)
{
    const IrNode *node = &g->ir->nodes[p->v];

    if (p->reg != NO_REG) {
        emit_mov(&g->e, true, to, p->reg);
    } else if (g->value[p->v].kind == VALUE_CONST) {
        emit_mov_imm(&g->e, to, node->imm);
    } else if (g->value[p->v].kind == VALUE_PC) {
        gen_load_pc(g, to, node->imm);
    } else {
        emit_load(&g->e, 8, to, slot_mem(p->slot));
    }
}

void gen_write_parked(Gen *g, Park park)
{
    for (unsigned i = 0; i < park.n; i++) {
        write_one(g, &g->parked[park.first + i]);
    }
}
