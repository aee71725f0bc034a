/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What generation must know of the whole block before it begins: how often and where last each
 * value is used, and which nodes are made inside the node that uses them, see gen.h.
 *
 * A node is sunk if only one node uses it and that node has a form for it: a comparison or a bit
 * test under a branch or select, a sum under a memory access.  All that can be sunk is pure, so it
 * may move; its operands live until the node it went to.
 */
#include <string.h>

#include "engine/dbt/host/x86_64/gen.h"

typedef void OnOperand(Gen *g, IrVal v, unsigned at);

static void each_operand(Gen *g, const IrNode *node, unsigned at, OnOperand *visit)
{
    for (const char *o = ir_ops[node->op].operands; *o; o++) {
        if (*o == 'a') {
            visit(g, node->a, at);
        } else if (*o == 'b') {
            visit(g, node->b, at);
        } else if (*o == 'c') {
            visit(g, node->c, at);
        }
    }
}

static void count_use(Gen *g, IrVal v, unsigned at)
{
    g->value[v].uses++;
}

static void lives_until(Gen *g, IrVal v, unsigned at)
{
    if (g->value[v].last_use < at) {
        g->value[v].last_use = (uint16_t)at;
    }
}

bool gen_is_compare(unsigned op)
{
    return op >= IR_EQ32 && op <= IR_LES64I;
}

/* True if gen_condition() knows how to make flags of the node directly. */
static bool is_condition(const IrNode *node)
{
    switch (node->op) {
    case IR_AND32:
    case IR_AND64:
    case IR_AND32I:
    case IR_AND64I:
        return true;
    case IR_XOR32I:
    case IR_XOR64I:
        return node->imm == 1;
    case IR_EXTRACT:
        return node->imm >> 8 == 1;
    default:
        return gen_is_compare(node->op);
    }
}

static bool is_sum(const IrNode *node)
{
    return node->op == IR_ADD64 || node->op == IR_ADD64I || (node->op == IR_LEA && node->c <= 3);
}

static bool takes_address(unsigned op)
{
    return (ir_ops[op].effects & IR_EFFECT_MEM) && op != IR_FENCE && op != IR_CALL;
}

/* The operand of @node, at work at @at, that can be sunk into it; 0: none. */
static IrVal sinkable(const Gen *g, const IrNode *node, const IrBlock *ir)
{
    IrVal v = 0;
    bool fits = false;

    switch (node->op) {
    case IR_EXIT_IF:
        v = node->a;
        fits = is_condition(&ir->nodes[v]);
        break;
    case IR_SELECT:
        v = node->c;
        fits = is_condition(&ir->nodes[v]);
        break;
    case IR_EQ32I:
    case IR_EQ64I:
    case IR_NE32I:
    case IR_NE64I:
        v = node->a;
        /* the upper half of a 64-bit AND would not be looked at */
        fits = node->imm == 0 && is_condition(&ir->nodes[v]) &&
               !((node->op == IR_EQ32I || node->op == IR_NE32I) &&
                 (ir->nodes[v].op == IR_AND64 || ir->nodes[v].op == IR_AND64I));
        break;
    case IR_XOR32I:
    case IR_XOR64I:
        v = node->a;
        /* only of what is 0 or 1 */
        fits = node->imm == 1 &&
               (gen_is_compare(ir->nodes[v].op) || ir->nodes[v].op == IR_EXTRACT) &&
               is_condition(&ir->nodes[v]);
        break;
    case IR_ZX32:
        v = node->a;
        fits = is_sum(&ir->nodes[v]);
        break;
    default:
        if (takes_address(node->op)) {
            v = node->a;
            fits = is_sum(&ir->nodes[v]);
        }
    }
    return v && fits && g->value[v].uses == 1 ? v : 0;
}

/* XOR with 1 is "not" only of what is 0 or 1; sunk under a condition it must have such an operand,
 * and itself be sunk. */
static bool is_negation(const IrBlock *ir, const IrNode *node)
{
    const IrNode *of = &ir->nodes[node->a];

    return gen_is_compare(of->op) || (of->op == IR_EXTRACT && of->imm >> 8 == 1);
}

static bool may_sink(const Gen *g, IrVal v)
{
    const IrNode *node = &g->ir->nodes[v];

    if (node->op == IR_XOR32I || node->op == IR_XOR64I) {
        return is_negation(g->ir, node);
    }
    return true;
}

static void begin_value(Gen *g, unsigned i)
{
    const IrNode *node = &g->ir->nodes[i];
    ValueKind kind = node->op == IR_CONST || node->op == IR_NOP    ? VALUE_CONST
                     : node->op == IR_PC                           ? VALUE_PC
                     : node->op >= IR_GET8 && node->op <= IR_GET64 ? VALUE_GET
                                                                   : VALUE_PLAIN;

    g->value[i] = (Value){ .slot = NO_SLOT, .reg = NO_REG, .kind = (uint8_t)kind };
}

void gen_analyse(Gen *g)
{
    const IrBlock *ir = g->ir;

    memset(g->slot_uses, 0, sizeof(g->slot_uses));
    for (unsigned i = 0; i < ir->n_nodes; i++) {
        begin_value(g, i);
    }
    for (unsigned i = 0; i < ir->n_nodes; i++) {
        const IrNode *node = &ir->nodes[i];
        each_operand(g, node, i, count_use);
        if (node->op == IR_EXIT || node->op == IR_EXIT_IF) {
            g->slot_uses[node->c % IR_EXIT_SLOTS]++;
        }
    }
    /* backwards, so that a node knows where it is made before its operands are asked */
    for (unsigned i = ir->n_nodes; i-- > 0;) {
        const IrNode *node = &ir->nodes[i];
        const Value *value = &g->value[i];
        unsigned at = value->kind == VALUE_SUNK ? value->last_use : i;
        bool pure = ir_ops[node->op].effects == 0;
        if (pure && !value->uses) {
            each_operand(g, node, at, lives_until); /* not made at all; ir_optimise() drops these */
            continue;
        }
        each_operand(g, node, at, lives_until);
        /* a comparison that becomes a value has no use for sunk operands but a test's */
        bool takes = node->op == IR_EXIT_IF || node->op == IR_SELECT || node->op == IR_ZX32 ||
                     value->kind == VALUE_SUNK || takes_address(node->op);
        IrVal v = takes ? sinkable(g, node, ir) : 0;
        if (v && may_sink(g, v)) {
            g->value[v].kind = VALUE_SUNK;
            g->value[v].last_use = (uint16_t)at;
        }
    }
}
