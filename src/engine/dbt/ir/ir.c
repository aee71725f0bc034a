/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building, shrinking, checking and printing blocks of IR, see ir.h.
 *
 * The builder folds constants and picks immediate forms as it goes, so that front ends may write
 * the plain form always.
 */
#include "engine/dbt/ir/ir.h"

#include <string.h>

#include "common/bits.h"
#include "common/error.h"

enum {
    STATE = IR_EFFECT_STATE,
    FAULT = IR_EFFECT_FAULT,
    EXIT = IR_EFFECT_EXIT,
    MEM = IR_EFFECT_MEM
};

const IrOpInfo ir_ops[IR_OPS] = {
#define IR_OP(name, operands, result, effects) [IR_##name] = { #name, operands, result, effects },
#include "engine/dbt/ir/ops.def"
#undef IR_OP
};

static bool uses(IrOp op, char operand)
{
    const char *o = ir_ops[op].operands; /* a few characters: no call for these */

    while (*o && *o != operand) {
        o++;
    }
    return *o;
}

void ir_block_clear(IrBlock *ir)
{
    ir->n_nodes = 0;
    ir->n_insns = 0;
    ir->guest_before = ir->guest_bytes = 0;
    /* value 0 is nobody's, so that 0 can stand for "none" */
    ir_emit(ir, IR_NOP, 0, 0, 0, 0);
}

bool ir_has_room(const IrBlock *ir)
{
    return ir->n_insns < IR_MAX_INSNS && ir->n_nodes + 2 * IR_INSN_NODES < IR_MAX_NODES;
}

void ir_insn(IrBlock *ir, int delta)
{
    g_assert(ir->n_insns < IR_MAX_INSNS);
    ir->insns[ir->n_insns++] = (IrInsn){ (uint16_t)ir->n_nodes, (int16_t)delta };
}

IrVal ir_emit(IrBlock *ir, IrOp op, IrVal a, IrVal b, IrVal c, uint64_t imm)
{
    g_assert(ir->n_nodes < IR_MAX_NODES);
    ir->nodes[ir->n_nodes] = (IrNode){ (uint16_t)op, a, b, c, imm };
    return (IrVal)ir->n_nodes++;
}

IrVal ir_const(IrBlock *ir, uint64_t value)
{
    return ir_emit(ir, IR_CONST, 0, 0, 0, value);
}

bool ir_is_const(const IrBlock *ir, IrVal v, uint64_t *ret_value)
{
    if (ir->nodes[v].op != IR_CONST) {
        return false;
    }
    *ret_value = ir->nodes[v].imm;
    return true;
}

IrVal ir_pc(IrBlock *ir, int64_t delta)
{
    return ir_emit(ir, IR_PC, 0, 0, 0, (uint64_t)delta);
}

static uint32_t rotate32(uint32_t x, unsigned n)
{
    return n & 31 ? x << (n & 31) | x >> (32 - (n & 31)) : x;
}

static uint64_t rotate64(uint64_t x, unsigned n)
{
    return n & 63 ? x << (n & 63) | x >> (64 - (n & 63)) : x;
}

/* The value of a binary operation on constants, for the operations worth folding. */
static bool fold(IrOp op, uint64_t a, uint64_t b, uint64_t *ret_value)
{
    uint32_t x = (uint32_t)a, y = (uint32_t)b;

    /* clang-format off */
    switch (op) {
    case IR_ADD32: *ret_value = x + y; return true;
    case IR_ADD64: *ret_value = a + b; return true;
    case IR_SUB32: *ret_value = x - y; return true;
    case IR_SUB64: *ret_value = a - b; return true;
    case IR_AND32: *ret_value = x & y; return true;
    case IR_AND64: *ret_value = a & b; return true;
    case IR_OR32: *ret_value = x | y; return true;
    case IR_OR64: *ret_value = a | b; return true;
    case IR_XOR32: *ret_value = x ^ y; return true;
    case IR_XOR64: *ret_value = a ^ b; return true;
    case IR_SHL32: *ret_value = x << (y & 31); return true;
    case IR_SHL64: *ret_value = a << (b & 63); return true;
    case IR_SHR32: *ret_value = x >> (y & 31); return true;
    case IR_SHR64: *ret_value = a >> (b & 63); return true;
    case IR_SAR32: *ret_value = (uint32_t)((int32_t)x >> (y & 31)); return true;
    case IR_SAR64: *ret_value = (uint64_t)((int64_t)a >> (b & 63)); return true;
    case IR_ROL32: *ret_value = rotate32(x, y); return true;
    case IR_ROL64: *ret_value = rotate64(a, (unsigned)b & 63); return true;
    case IR_EQ32: *ret_value = x == y; return true;
    case IR_EQ64: *ret_value = a == b; return true;
    case IR_NE32: *ret_value = x != y; return true;
    case IR_NE64: *ret_value = a != b; return true;
    case IR_LTU32: *ret_value = x < y; return true;
    case IR_LTU64: *ret_value = a < b; return true;
    default: return false;
    }
    /* clang-format on */
}

static bool commutes(IrOp op)
{
    switch (op) {
    case IR_ADD32:
    case IR_ADD64:
    case IR_MUL32:
    case IR_MUL64:
    case IR_AND32:
    case IR_AND64:
    case IR_OR32:
    case IR_OR64:
    case IR_XOR32:
    case IR_XOR64:
    case IR_EQ32:
    case IR_EQ64:
    case IR_NE32:
    case IR_NE64:
        return true;
    default:
        return false;
    }
}

/* True if @op with the immediate 0 gives back its 64-bit operand. */
static bool zero_is_neutral(IrOp op)
{
    switch (op) {
    case IR_ADD64:
    case IR_SUB64:
    case IR_OR64:
    case IR_XOR64:
    case IR_SHL64:
    case IR_SHR64:
    case IR_SAR64:
    case IR_ROL64:
    case IR_ROR64:
        return true;
    default:
        return false;
    }
}

static bool has_immediate_form(IrOp op)
{
    return op >= IR_ADD32 && op <= IR_LES64I;
}

IrVal ir_binary_imm(IrBlock *ir, IrOp op, IrVal a, uint64_t imm)
{
    uint64_t x, value;

    g_assert(has_immediate_form(op));
    if (ir_is_const(ir, a, &x) && fold(op, x, imm, &value)) {
        return ir_const(ir, value);
    }
    if (imm == 0 && zero_is_neutral(op)) {
        return a;
    }
    return ir_emit(ir, (IrOp)(op + 2), a, 0, 0, imm); /* order of IR_BINARY in ops.def */
}

IrVal ir_binary(IrBlock *ir, IrOp op, IrVal a, IrVal b)
{
    uint64_t x;

    if (has_immediate_form(op)) {
        if (ir_is_const(ir, b, &x)) {
            return ir_binary_imm(ir, op, a, x);
        }
        if (commutes(op) && ir_is_const(ir, a, &x)) {
            return ir_binary_imm(ir, op, b, x);
        }
    }
    return ir_emit(ir, op, a, b, 0, 0);
}

IrVal ir_unary(IrBlock *ir, IrOp op, IrVal a)
{
    uint64_t x;

    if (ir_is_const(ir, a, &x)) {
        switch (op) {
        case IR_ZX8:
            return ir_const(ir, (uint8_t)x);
        case IR_ZX16:
            return ir_const(ir, (uint16_t)x);
        case IR_ZX32:
            return ir_const(ir, (uint32_t)x);
        case IR_SX8:
            return ir_const(ir, (uint64_t)(int8_t)x);
        case IR_SX16:
            return ir_const(ir, (uint64_t)(int16_t)x);
        case IR_SX32:
            return ir_const(ir, (uint64_t)(int32_t)x);
        default:
            break;
        }
    }
    return ir_emit(ir, op, a, 0, 0, 0);
}

IrVal ir_extract(IrBlock *ir, IrVal a, unsigned position, unsigned length)
{
    return ir_emit(ir, IR_EXTRACT, a, 0, 0, position | length << 8);
}

IrVal ir_deposit(IrBlock *ir, IrVal a, IrVal b, unsigned position, unsigned length)
{
    return ir_emit(ir, IR_DEPOSIT, a, b, 0, position | length << 8);
}

IrVal ir_select(IrBlock *ir, IrVal condition, IrVal yes, IrVal no)
{
    uint64_t x;

    if (ir_is_const(ir, condition, &x)) {
        return x ? yes : no;
    }
    return ir_emit(ir, IR_SELECT, yes, no, condition, 0);
}

IrVal ir_lea(IrBlock *ir, IrVal base, IrVal index, unsigned shift, int64_t displacement)
{
    return ir_emit(ir, IR_LEA, base, index, (IrVal)shift, (uint64_t)displacement);
}

/* 0 to 3 for 1 to 8 bytes: the order of sized operations in ops.def. */
static unsigned size_step(unsigned size)
{
    g_assert(size == 1 || size == 2 || size == 4 || size == 8);
    return (unsigned)__builtin_ctz(size);
}

IrVal ir_get(IrBlock *ir, unsigned offset, unsigned size)
{
    return ir_emit(ir, (IrOp)(IR_GET8 + size_step(size)), 0, 0, 0, offset);
}

void ir_put(IrBlock *ir, unsigned offset, unsigned size, IrVal value)
{
    ir_emit(ir, (IrOp)(IR_PUT8 + size_step(size)), value, 0, 0, offset);
}

void ir_put_flags(IrBlock *ir, unsigned flag_op, IrVal a, IrVal b, IrVal c)
{
    ir_emit(ir, IR_PUTFLAGS, a, b, c, flag_op);
}

/* Fold "base + constant" into an access's displacement.  A LEA with no index is such a sum too. */
static IrVal split_address(const IrBlock *ir, IrVal address, uint64_t *ret_displacement)
{
    const IrNode *node = &ir->nodes[address];

    *ret_displacement = 0;
    if (node->op == IR_ADD64I) {
        *ret_displacement = node->imm;
        return node->a;
    }
    return address;
}

IrVal ir_load(IrBlock *ir, IrVal address, unsigned size, unsigned mmu)
{
    uint64_t displacement;
    IrVal base = split_address(ir, address, &displacement);

    return ir_emit(ir, (IrOp)(IR_LD8 + size_step(size)), base, 0, (IrVal)mmu, displacement);
}

IrVal ir_load_signed(IrBlock *ir, IrVal address, unsigned size, unsigned mmu)
{
    uint64_t displacement;

    if (size == 8) {
        return ir_load(ir, address, size, mmu);
    }
    IrVal base = split_address(ir, address, &displacement);
    return ir_emit(ir, (IrOp)(IR_LDS8 + size_step(size)), base, 0, (IrVal)mmu, displacement);
}

void ir_store(IrBlock *ir, IrVal address, IrVal value, unsigned size, unsigned mmu)
{
    uint64_t displacement;
    IrVal base = split_address(ir, address, &displacement);

    ir_emit(ir, (IrOp)(IR_ST8 + size_step(size)), base, value, (IrVal)mmu, displacement);
}

void ir_load_vector(IrBlock *ir, IrVal address, unsigned offset, unsigned size, unsigned mmu)
{
    ir_emit(ir, size == 16 ? IR_LD128 : IR_LD256, address, 0, (IrVal)mmu, offset);
}

void ir_load_vector_zero(IrBlock *ir, IrVal address, unsigned offset, unsigned mmu)
{
    ir_emit(ir, IR_LD128Z, address, 0, (IrVal)mmu, offset);
}

void ir_store_vector(IrBlock *ir, IrVal address, unsigned offset, unsigned size, unsigned mmu)
{
    ir_emit(ir, size == 16 ? IR_ST128 : IR_ST256, address, 0, (IrVal)mmu, offset);
}

void ir_probe_write(IrBlock *ir, IrVal address, unsigned size, unsigned mmu)
{
    ir_emit(ir, IR_PROBEW, address, 0, (IrVal)mmu, size);
}

IrVal ir_atomic(IrBlock *ir, IrOp op, IrVal address, IrVal value, unsigned size, unsigned mmu)
{
    uint64_t displacement;
    IrVal base = split_address(ir, address, &displacement);

    return ir_emit(ir, (IrOp)(op + size_step(size)), base, value, (IrVal)mmu, displacement);
}

IrVal ir_cas(IrBlock *ir, IrVal address, IrVal expected, IrVal value, unsigned size, unsigned mmu)
{
    return ir_emit(ir, (IrOp)(IR_CAS8 + size_step(size)), address, expected, value, mmu);
}

IrVal ir_call(IrBlock *ir, unsigned helper, IrVal a, IrVal b, IrVal c)
{
    return ir_emit(ir, IR_CALL, a, b, c, helper);
}

void ir_vector(IrBlock *ir, unsigned number, unsigned immediate, unsigned to, unsigned from1,
               unsigned from2)
{
    ir_vector_op(ir, ir_vector_what(number, immediate, IR_SHAPE_LOW), to, from1, from2);
}

void ir_vector_op(IrBlock *ir, uint64_t what, unsigned to, unsigned from1, unsigned from2)
{
    ir_emit(ir, IR_VOP, (IrVal)to, (IrVal)from1, (IrVal)from2, what);
}

void ir_exit(IrBlock *ir, unsigned slot, int64_t delta)
{
    ir_emit(ir, IR_EXIT, 0, 0, (IrVal)slot, (uint64_t)delta);
}

void ir_exit_if(IrBlock *ir, IrVal condition, unsigned slot, int64_t delta)
{
    ir_emit(ir, IR_EXIT_IF, condition, 0, (IrVal)slot, (uint64_t)delta);
}

void ir_exit_indirect(IrBlock *ir, IrVal address)
{
    ir_emit(ir, IR_EXIT_INDIRECT, address, 0, 0, 0);
}

void ir_exit_stop(IrBlock *ir, int64_t delta)
{
    ir_emit(ir, IR_EXIT_STOP, 0, 0, 0, (uint64_t)delta);
}

void ir_exit_state(IrBlock *ir)
{
    ir_emit(ir, IR_EXIT_STATE, 0, 0, 0, 0);
}

/* --- optimisation ----------------------------------------------------------------------------- */

/* Stores to CPU state that lie ahead and nobody can look at before them. */
typedef struct Overwritten {
    unsigned n;
    struct {
        unsigned offset, size;
    } range[32];
    bool flags;
} Overwritten;

static void overwritten_add(Overwritten *o, unsigned offset, unsigned size)
{
    if (o->n < G_N_ELEMENTS(o->range)) {
        o->range[o->n].offset = offset;
        o->range[o->n].size = size;
        o->n++;
    }
}

static bool overwritten_covers(const Overwritten *o, unsigned offset, unsigned size)
{
    for (unsigned i = 0; i < o->n; i++) {
        if (range_inside(offset, size, o->range[i].offset, o->range[i].size)) {
            return true;
        }
    }
    return false;
}

/* A read of state: what it touches is seen. */
static void overwritten_seen(Overwritten *o, unsigned offset, unsigned size)
{
    for (unsigned i = 0; i < o->n;) {
        if (ranges_overlap(offset, size, o->range[i].offset, o->range[i].size)) {
            o->range[i] = o->range[--o->n];
        } else {
            i++;
        }
    }
}

/* Going backwards over @node: is it a store that nobody sees?  Keeps @o up to date. */
static bool is_dead_store(const IrNode *node, Overwritten *o)
{
    if (node->op >= IR_PUT8 && node->op <= IR_PUT64) {
        unsigned size = 1U << (node->op - IR_PUT8);
        if (overwritten_covers(o, (unsigned)node->imm, size)) {
            return true;
        }
        overwritten_add(o, (unsigned)node->imm, size);
    } else if (node->op == IR_PUTFLAGS) {
        if (o->flags) {
            return true;
        }
        o->flags = true;
    } else if (node->op >= IR_GET8 && node->op <= IR_GET64) {
        overwritten_seen(o, (unsigned)node->imm, 1U << (node->op - IR_GET8));
    } else if (ir_ops[node->op].effects) {
        o->n = 0;
        o->flags = false;
    }
    return false;
}

static void mark_operands(const IrNode *node, bool *used)
{
    IrOp op = (IrOp)node->op;

    if (uses(op, 'a')) {
        used[node->a] = true;
    }
    if (uses(op, 'b')) {
        used[node->b] = true;
    }
    if (uses(op, 'c')) {
        used[node->c] = true;
    }
}

/* Make dead nodes NOPs; used[] is left true for the others. */
static void mark(IrBlock *ir, bool *used)
{
    Overwritten overwritten = { 0 };

    for (unsigned i = ir->n_nodes; i-- > 0;) {
        IrNode *node = &ir->nodes[i];
        uint8_t effects = ir_ops[node->op].effects;
        bool is_get = node->op >= IR_GET8 && node->op <= IR_GET64;
        bool needed = used[i] || (effects && !is_get);

        if (needed && is_dead_store(node, &overwritten)) {
            needed = false;
        }
        used[i] = needed;
        if (needed) {
            mark_operands(node, used);
        }
    }
    used[0] = true; /* keeps its place: 0 means none */
}

void ir_optimise(IrBlock *ir)
{
    bool used[IR_MAX_NODES] = { false };
    IrVal moved[IR_MAX_NODES];
    unsigned to = 0, insn = 0;

    mark(ir, used);
    for (unsigned i = 0; i < ir->n_nodes; i++) {
        while (insn < ir->n_insns && ir->insns[insn].node == i) {
            ir->insns[insn++].node = (uint16_t)to;
        }
        if (!used[i]) {
            moved[i] = 0;
            continue;
        }
        IrNode node = ir->nodes[i];
        IrOp op = (IrOp)node.op;
        node.a = uses(op, 'a') ? moved[node.a] : node.a;
        node.b = uses(op, 'b') ? moved[node.b] : node.b;
        node.c = uses(op, 'c') ? moved[node.c] : node.c;
        moved[i] = (IrVal)to;
        ir->nodes[to++] = node;
    }
    ir->n_nodes = to;
}

/* --- checking --------------------------------------------------------------------------------- */

static bool verify_operand(const IrBlock *ir, unsigned i, char operand, IrVal v, GError **error)
{
    if (!uses((IrOp)ir->nodes[i].op, operand)) {
        return true;
    }
    if (v >= i) {
        set_error(error, "node %u (%s): operand %c is node %u, not an earlier one", i,
                  ir_ops[ir->nodes[i].op].name, operand, v);
        return false;
    }
    if (v && !ir_ops[ir->nodes[v].op].has_result) {
        set_error(error, "node %u (%s): operand %c is %%%u, a %s, which has no value", i,
                  ir_ops[ir->nodes[i].op].name, operand, v, ir_ops[ir->nodes[v].op].name);
        return false;
    }
    return true;
}

static bool always_leaves(IrOp op)
{
    return (ir_ops[op].effects & IR_EFFECT_EXIT) && op != IR_EXIT_IF;
}

bool ir_verify(const IrBlock *ir, GError **error)
{
    for (unsigned i = 0; i < ir->n_nodes; i++) {
        const IrNode *node = &ir->nodes[i];
        if (node->op >= IR_OPS) {
            set_error(error, "node %u: no operation %u", i, node->op);
            return false;
        }
        if (!verify_operand(ir, i, 'a', node->a, error) ||
            !verify_operand(ir, i, 'b', node->b, error) ||
            !verify_operand(ir, i, 'c', node->c, error)) {
            return false;
        }
        if (always_leaves((IrOp)node->op) != (i + 1 == ir->n_nodes)) {
            set_error(error, "node %u (%s): the last node, and only that, must always leave", i,
                      ir_ops[node->op].name);
            return false;
        }
    }
    if (ir->n_insns == 0 || ir->n_nodes == 0) {
        set_error(error, "the block is empty");
        return false;
    }
    return true;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_immediate(const IrNode *node, const IrNames *names, GString *out)
{
    const char *name = NULL;

    if (node->op == IR_CALL && names && names->helper) {
        name = names->helper((unsigned)node->imm);
    } else if (node->op == IR_VOP && names && names->vector) {
        name = names->vector((uint32_t)node->imm);
    } else if (((node->op >= IR_GET8 && node->op <= IR_PUT64)) && names && names->state) {
        name = names->state((unsigned)node->imm);
    }
    if (name) {
        g_string_append_printf(out, " %s", name);
    } else {
        g_string_append_printf(out, " 0x%" G_GINT64_MODIFIER "x", node->imm);
    }
}

static void print_node(const IrBlock *ir, unsigned i, const IrNames *names, GString *out)
{
    const IrNode *node = &ir->nodes[i];
    const IrOpInfo *info = &ir_ops[node->op];

    if (info->has_result) {
        g_string_append_printf(out, "  %%%-4u = %s", i, info->name);
    } else {
        g_string_append_printf(out, "          %s", info->name);
    }
    for (const char *o = info->operands; *o; o++) {
        switch (*o) {
        case 'a':
            g_string_append_printf(out, " %%%u", node->a);
            break;
        case 'b':
            g_string_append_printf(out, " %%%u", node->b);
            break;
        case 'c':
            g_string_append_printf(out, " %%%u", node->c);
            break;
        case 's':
            g_string_append_printf(out, " #%u", node->c);
            break;
        case 'v':
            g_string_append_printf(out, " @%u @%u @%u", node->a, node->b, node->c);
            break;
        default:
            print_immediate(node, names, out);
        }
    }
    g_string_append_c(out, '\n');
}

void ir_print(const IrBlock *ir, const IrNames *names, GString *out)
{
    unsigned insn = 0;

    for (unsigned i = 0; i < ir->n_nodes; i++) {
        while (insn < ir->n_insns && ir->insns[insn].node == i) {
            g_string_append_printf(out, " +0x%x\n", ir->insns[insn++].delta);
        }
        print_node(ir, i, names, out);
    }
}
