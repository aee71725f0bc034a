/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accesses share one check of the TLB: those whose addresses differ by a constant.
 *
 * The first of them (the leader) checks that all the bytes which any of them touches lie in the
 * page of one entry, and keeps the entry's addend in a register; the others (followers) use that,
 * or, if it is 0 because the check failed, take the slow path.  A leader that writes serves reads
 * too, as fill() in mmu.c makes no entry fast for writes alone; one that reads looks for an entry
 * that is good for writes if a write is sure to follow.  One that must be aligned serves what lies
 * in the same aligned bytes.  What may change the mapping between them begins anew: calls of C,
 * each round of a loop.  A store that comes to a device may change it, too: its slow path sets all
 * addends to 0.
 */
#include <string.h>

#include "engine/dbt/host/x86_64/gen.h"
#include "engine/dbt/run/mmu.h"

enum { MAX_OPEN = 8, MAX_SPAN = 256, MAX_DEPTH = 16 };

/* An address but for a constant. */
typedef struct Root {
    IrVal a, b;
    unsigned op; /* IR_NOP: .a itself */
    unsigned shift;
    int64_t offset;
} Root;

typedef struct Open {
    Root root;
    unsigned mmu;
    unsigned group;
    bool sure; /* the block has not been left since: what comes now follows the first always */
} Open;

/* What is open while the block is looked at. */
typedef struct Merge {
    Gen *g;
    unsigned n;
    Open open[MAX_OPEN];
} Merge;

/* --- accesses --------------------------------------------------------------------------------- */

/* The bytes that @node loads or stores, 0 if it can't take part. */
static unsigned merged_size(const IrNode *node)
{
    if (node->op >= IR_LD8 && node->op <= IR_LD64) {
        return 1U << (node->op - IR_LD8);
    }
    if (node->op >= IR_LDS8 && node->op <= IR_LDS32) {
        return 1U << (node->op - IR_LDS8);
    }
    if (node->op >= IR_ST8 && node->op <= IR_ST64) {
        return 1U << (node->op - IR_ST8);
    }
    if (node->op == IR_LD128 || node->op == IR_LD128Z || node->op == IR_ST128) {
        return 16;
    }
    return node->op == IR_LD256 || node->op == IR_ST256 ? 32 : 0;
}

static bool is_vector(unsigned op)
{
    return op == IR_LD128 || op == IR_LD128Z || op == IR_ST128 || op == IR_LD256 || op == IR_ST256;
}

bool gen_checks_write(const IrNode *node)
{
    return (node->op >= IR_ST8 && node->op <= IR_ST64) || node->op == IR_ST128 ||
           node->op == IR_ST256 || (node->c & MMU_RMW);
}

static Root root_of(const Gen *g, const IrNode *node)
{
    IrVal v = node->a;
    uint64_t offset = is_vector(node->op) ? 0 : node->imm;
    const IrNode *at = &g->ir->nodes[v];

    for (unsigned i = 0; i < MAX_DEPTH && (at->op == IR_ADD64I || at->op == IR_SUB64I); i++) {
        offset += at->op == IR_ADD64I ? at->imm : -at->imm;
        v = at->a;
        at = &g->ir->nodes[v];
    }
    if (at->op == IR_LEA) {
        return (Root){ at->a, at->b, IR_LEA, at->c, (int64_t)(offset + at->imm) };
    }
    if (at->op == IR_ADD64) {
        return (Root){ at->a, at->b, IR_ADD64, 0, (int64_t)offset };
    }
    return (Root){ .a = v, .op = IR_NOP, .offset = (int64_t)offset };
}

static bool same_root(const Root *x, const Root *y)
{
    return x->a == y->a && x->b == y->b && x->op == y->op && x->shift == y->shift;
}

/* --- groups ----------------------------------------------------------------------------------- */

static Group *group_at(Merge *m, unsigned i)
{
    return &m->g->groups[m->open[i].group];
}

/* Make @group what it is with @node in it, @size bytes @offset behind its first; false: it can't
 * have it. */
static bool extend(Group *group, const IrNode *node, unsigned size, int64_t offset)
{
    bool aligned = node->c & MMU_ALIGN;

    if (offset < -MAX_SPAN || offset > MAX_SPAN ||
        (aligned && (size > group->align || offset % size))) {
        return false;
    }
    group->from = MIN((int)offset, group->from);
    group->to = MAX((int)(offset + size), group->to);
    return group->align ? group->from >= 0 && group->to <= (int)group->align
                        : group->to - group->from <= MAX_SPAN;
}

/* Node @i, @size bytes at @root, is in reach of an open group, and joins it. */
static bool join(Merge *m, unsigned i, unsigned size, const Root *root)
{
    const IrNode *node = &m->g->ir->nodes[i];
    bool write = gen_checks_write(node);

    for (unsigned k = 0; k < m->n; k++) {
        const Open *open = &m->open[k];
        Group *group = group_at(m, k), larger = *group;
        if (open->mmu != (node->c & MMU_INDEX) || !same_root(&open->root, root) ||
            (write && !group->write && !open->sure)) {
            continue;
        }
        int64_t offset = (int64_t)((uint64_t)root->offset - (uint64_t)open->root.offset);
        if (!extend(&larger, node, size, offset)) {
            continue;
        }
        larger.write |= write;
        larger.last = (uint16_t)i;
        *group = larger;
        m->g->group_of[i] = (uint8_t)m->open[k].group;
        return true;
    }
    return false;
}

/* Node @i is the first of what may become a group. */
static void lead(Merge *m, unsigned i, unsigned size, const Root *root)
{
    Gen *g = m->g;
    const IrNode *node = &g->ir->nodes[i];

    if (g->n_groups == MAX_GROUPS) {
        return;
    }
    if (m->n == MAX_OPEN) {
        m->open[0] = m->open[--m->n];
    }
    m->open[m->n++] = (Open){ *root, node->c & MMU_INDEX, g->n_groups, true };
    g->group_of[i] = (uint8_t)g->n_groups;
    g->groups[g->n_groups++] = (Group){ .first = (uint16_t)i,
                                        .last = (uint16_t)i,
                                        .to = (int)size,
                                        .align = node->c & MMU_ALIGN ? size : 0,
                                        .write = gen_checks_write(node) };
}

/* C that is called may change what is mapped. */
static bool ends_groups(const Gen *g, const IrNode *node)
{
    return node->op == IR_CALL &&
           !(g->code->isa->helpers[node->imm].flags & (HELPER_PURE | HELPER_CANONICAL)) &&
           gen_stack_host(g, node).form == STACK_CALL;
}

void gen_find_groups(Gen *g)
{
    Merge m = { .g = g };

    g->n_groups = 0;
    memset(g->group_of, NO_GROUP, g->ir->n_nodes);
    if (g->ir->n_nodes + LOOP_MAX_CARRIED + MAX_GROUPS > IR_MAX_NODES) {
        return; /* no room for their values */
    }
    for (unsigned i = 0; i < g->ir->n_nodes; i++) {
        const IrNode *node = &g->ir->nodes[i];
        unsigned size = merged_size(node);
        if (ends_groups(g, node)) {
            m.n = 0;
        } else if (ir_ops[node->op].effects & IR_EFFECT_EXIT) {
            for (unsigned k = 0; k < m.n; k++) {
                m.open[k].sure = false;
            }
        } else if (size) {
            Root root = root_of(g, node);
            if (!join(&m, i, size, &root)) {
                lead(&m, i, size, &root);
            }
        }
    }
}

static IrVal addend_value(const Gen *g, unsigned group)
{
    return (IrVal)(g->ir->n_nodes + LOOP_MAX_CARRIED + group);
}

void gen_begin_groups(Gen *g)
{
    for (unsigned i = 0; i < g->n_groups; i++) {
        g->groups[i].lost = false;
        g->value[addend_value(g, i)] = (Value){ .slot = NO_SLOT,
                                                .reg = NO_REG,
                                                .kind = VALUE_PLAIN,
                                                .uses = 1,
                                                .last_use = g->groups[i].last };
    }
}

const Group *gen_leads(Gen *g, IrVal *ret_addend)
{
    unsigned at = g->group_of[g->now];
    const Group *group = at == NO_GROUP ? NULL : &g->groups[at];

    if (!group || group->first != g->now || group->last == g->now) {
        return NULL;
    }
    *ret_addend = addend_value(g, at);
    return group;
}

bool gen_follows(Gen *g, IrVal *ret_addend)
{
    unsigned at = g->group_of[g->now];

    if (at == NO_GROUP || g->groups[at].first == g->now || g->groups[at].lost) {
        return false;
    }
    *ret_addend = addend_value(g, at);
    const Value *value = &g->value[*ret_addend];
    return value->reg != NO_REG || value->slot != NO_SLOT;
}

uint16_t gen_addends(Gen *g)
{
    uint16_t regs = 0;

    for (unsigned i = 0; i < g->n_groups; i++) {
        const Value *value = &g->value[addend_value(g, i)];
        if (g->groups[i].first >= g->now || g->groups[i].last <= g->now) {
            continue;
        }
        if (value->slot != NO_SLOT) {
            g->groups[i].lost = true;
        } else if (value->reg != NO_REG) {
            regs |= (uint16_t)(1U << value->reg);
        }
    }
    return regs;
}
