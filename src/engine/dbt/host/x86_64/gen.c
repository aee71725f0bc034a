/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of pure operations and of CPU state, and the pass over a block, see gen.h.
 */
#include "engine/dbt/host/x86_64/gen.h"

#include "common/bits.h"

/* --- operations by form ----------------------------------------------------------------------- */

/* The order of IR_BINARY in ops.def: 32, 64, 32I, 64I. */
static bool is_wide(const IrNode *node)
{
    return (node->op - IR_ADD32) & 1;
}

static bool has_imm(const IrNode *node)
{
    return (node->op - IR_ADD32) & 2;
}

/* The 32-bit form of a binary operation in any form. */
static IrOp family(unsigned op)
{
    return (IrOp)(op - ((op - IR_ADD32) & 3));
}

/* The second operand of a binary operation; a constant that is no immediate goes to RAX. */
static Src second(Gen *g, const IrNode *node, bool wide)
{
    if (!has_imm(node)) {
        return gen_src(g, node->b, wide);
    }
    if (!wide || fits32(node->imm)) {
        return (Src){ .kind = SRC_IMM, .imm = (int32_t)node->imm };
    }
    emit_mov_imm(&g->e, RAX, node->imm);
    return (Src){ .kind = SRC_REG, .reg = RAX };
}

static void alu(Gen *g, Alu op, bool wide, unsigned to, Src from)
{
    switch (from.kind) {
    case SRC_REG:
        emit_alu_rr(&g->e, op, wide, to, from.reg);
        break;
    case SRC_MEM:
        emit_alu_rm(&g->e, op, wide, to, from.mem);
        break;
    default:
        emit_alu_ri(&g->e, op, wide, to, from.imm);
    }
}

static Alu alu_of(IrOp op32)
{
    switch (op32) {
    case IR_ADD32:
        return ALU_ADD;
    case IR_SUB32:
        return ALU_SUB;
    case IR_AND32:
        return ALU_AND;
    case IR_OR32:
        return ALU_OR;
    default:
        return ALU_XOR;
    }
}

/* True if the operation is better begun with its second operand: that one's register can be the
 * result's. */
static bool better_swapped(const Gen *g, const IrNode *node)
{
    if (has_imm(node) || !dies(g, node->b) || g->value[node->b].reg == NO_REG) {
        return false;
    }
    return !dies(g, node->a) || g->value[node->a].reg == NO_REG;
}

static void gen_alu(Gen *g, const IrNode *node)
{
    bool wide = is_wide(node);
    IrVal a = node->a;
    Alu op = alu_of(family(node->op));
    Src b;

    if (op != ALU_SUB && better_swapped(g, node)) {
        a = node->b;
        b = gen_src(g, node->a, wide);
    } else {
        b = second(g, node, wide);
    }
    /* a sum whose first operand lives on */
    if (op == ALU_ADD && !dies(g, a) && b.kind != SRC_MEM) {
        unsigned base = gen_reg(g, a);
        gen_release(g);
        unsigned to = gen_def(g);
        Mem sum = b.kind == SRC_IMM ? mem_at(base, b.imm) : mem_indexed(base, b.reg, 0, 0);
        emit_rm(&g->e, wide ? X_LEA64 : X_LEA32, to, sum);
        return;
    }
    unsigned to = gen_def_from(g, a, wide);
    alu(g, op, wide, to, b);
}

static void gen_mul(Gen *g, const IrNode *node)
{
    bool wide = is_wide(node);
    Src b = second(g, node, wide);

    if (b.kind == SRC_IMM) {
        unsigned a = gen_reg(g, node->a);
        gen_release(g);
        unsigned to = gen_def(g);
        emit_imul_ri(&g->e, wide, to, a, b.imm);
        return;
    }
    unsigned to = gen_def_from(g, node->a, wide);
    unsigned op = X_IMUL32 | (wide ? X_W : 0);
    if (b.kind == SRC_REG) {
        emit_rr(&g->e, op, to, b.reg);
    } else {
        emit_rm(&g->e, op, to, b.mem);
    }
}

static Shift shift_of(IrOp op32)
{
    switch (op32) {
    case IR_SHL32:
        return SHIFT_SHL;
    case IR_SHR32:
        return SHIFT_SHR;
    case IR_SAR32:
        return SHIFT_SAR;
    case IR_ROL32:
        return SHIFT_ROL;
    default:
        return SHIFT_ROR;
    }
}

static void gen_shift_imm(Gen *g, const IrNode *node, Shift shift, bool wide)
{
    unsigned bits = wide ? 64 : 32, count = (unsigned)node->imm & (bits - 1);
    bool rotates = shift == SHIFT_ROL || shift == SHIFT_ROR;

    if (rotates && g->code->host.bmi2 && !dies(g, node->a) && count) {
        unsigned from = gen_reg(g, node->a);
        unsigned to = gen_def(g);
        emit_rorx(&g->e, wide, to, from, shift == SHIFT_ROR ? count : bits - count);
        return;
    }
    unsigned to = gen_def_from(g, node->a, wide);
    if (count) {
        emit_shift_imm(&g->e, shift, wide, to, count);
    } else if (!wide) {
        emit_mov(&g->e, false, to, to); /* the upper half goes */
    }
}

static void gen_shift(Gen *g, const IrNode *node)
{
    bool wide = is_wide(node);
    Shift shift = shift_of(family(node->op));
    bool rotates = shift == SHIFT_ROL || shift == SHIFT_ROR;

    if (has_imm(node)) {
        gen_shift_imm(g, node, shift, wide);
        return;
    }
    if (!rotates && g->code->host.bmi2) {
        unsigned from = gen_reg(g, node->a);
        unsigned count = gen_reg(g, node->b);
        gen_release(g);
        const unsigned operands[3] = { gen_def(g), from, count };
        emit_shiftx(&g->e, shift, wide, operands);
        return;
    }
    Src count = gen_src(g, node->b, false);
    gen_move_src(g, RCX, false, count);
    unsigned to = gen_def_from(g, node->a, wide);
    emit_shift_cl(&g->e, shift, wide, to);
}

/* --- conditions ------------------------------------------------------------------------------- */

static Condition invert(Condition cc)
{
    return (Condition)(cc ^ 1);
}

static Condition condition_of(IrOp op32)
{
    switch (op32) {
    case IR_EQ32:
        return CC_E;
    case IR_NE32:
        return CC_NE;
    case IR_LTU32:
        return CC_B;
    case IR_LEU32:
        return CC_BE;
    case IR_LTS32:
        return CC_L;
    default:
        return CC_LE;
    }
}

/* cmp of @node's operands */
static void compare(Gen *g, const IrNode *node)
{
    bool wide = is_wide(node);
    Src b = second(g, node, wide);
    Src a = gen_src_no_imm(g, node->a, wide);

    if (a.kind == SRC_MEM && b.kind == SRC_MEM) {
        emit_load(&g->e, wide ? 8 : 4, RAX, a.mem);
        a = (Src){ .kind = SRC_REG, .reg = RAX };
    }
    if (a.kind == SRC_REG && b.kind == SRC_IMM && b.imm == 0) {
        emit_rr(&g->e, X_TEST32 | (wide ? X_W : 0), a.reg, a.reg);
    } else if (a.kind == SRC_REG) {
        alu(g, ALU_CMP, wide, a.reg, b);
    } else if (b.kind == SRC_IMM) {
        emit_alu_mi(&g->e, ALU_CMP, wide ? 8 : 4, a.mem, b.imm);
    } else {
        emit_alu_mr(&g->e, ALU_CMP, wide, a.mem, b.reg);
    }
}

static Condition compare_condition(Gen *g, const IrNode *node)
{
    /* EQ or NE to 0 of something that makes flags itself */
    if (has_imm(node) && g->value[node->a].kind == VALUE_SUNK) {
        Condition cc = gen_condition(g, node->a);
        return family(node->op) == IR_EQ32 ? invert(cc) : cc;
    }
    compare(g, node);
    return condition_of(family(node->op));
}

static Condition test_condition(Gen *g, const IrNode *node)
{
    bool wide = is_wide(node);
    Src b = second(g, node, wide);
    unsigned a = gen_reg(g, node->a);

    if (b.kind == SRC_IMM) {
        emit_test_ri(&g->e, wide, a, b.imm);
    } else if (b.kind == SRC_REG) {
        emit_rr(&g->e, X_TEST32 | (wide ? X_W : 0), a, b.reg);
    } else {
        emit_rm(&g->e, X_TEST32 | (wide ? X_W : 0), a, b.mem);
    }
    return CC_NE;
}

static Condition bit_condition(Gen *g, const IrNode *node)
{
    unsigned a = gen_reg(g, node->a), bit = node->imm & 63;

    if (bit < 31) {
        emit_test_ri(&g->e, false, a, (int32_t)(1U << bit));
        return CC_NE;
    }
    emit_bt_imm(&g->e, true, a, bit);
    return CC_B;
}

Condition gen_condition(Gen *g, IrVal v)
{
    const IrNode *node = &g->ir->nodes[v];

    if (g->value[v].kind != VALUE_SUNK) {
        Src src = gen_src_no_imm(g, v, true);
        if (src.kind == SRC_MEM) {
            emit_alu_mi(&g->e, ALU_CMP, 8, src.mem, 0);
        } else {
            emit_rr(&g->e, X_TEST32 | X_W, src.reg, src.reg);
        }
        return CC_NE;
    }
    switch (node->op) {
    case IR_XOR32I:
    case IR_XOR64I:
        return invert(gen_condition(g, node->a));
    case IR_EXTRACT:
        return bit_condition(g, node);
    case IR_AND32:
    case IR_AND64:
    case IR_AND32I:
    case IR_AND64I:
        return test_condition(g, node);
    default:
        return compare_condition(g, node);
    }
}

/* A comparison whose result is a value. */
static void gen_compare(Gen *g, const IrNode *node)
{
    compare(g, node);
    emit_setcc(&g->e, condition_of(family(node->op)), RAX);
    gen_release(g);
    unsigned to = gen_def(g);
    emit_rr(&g->e, X_MOVZX8, to, RAX);
}

static void gen_select(Gen *g, const IrNode *node)
{
    Condition cc = gen_condition(g, node->c);
    IrVal from = node->b, other = node->a;

    if (!dies(g, from) && dies(g, other) && g->value[other].reg != NO_REG) {
        from = node->a;
        other = node->b;
        cc = invert(cc);
    }
    Src src = gen_src_no_imm(g, other, true);
    unsigned to = gen_def_from(g, from, true);
    if (src.kind == SRC_REG) {
        emit_cmov(&g->e, cc, true, to, src.reg);
    } else {
        emit_rm(&g->e, (X_CMOV32 + cc) | X_W, to, src.mem);
    }
}

/* --- one operand ------------------------------------------------------------------------------ */

static void gen_mul_high(Gen *g, const IrNode *node)
{
    Src b = gen_src_no_imm(g, node->b, true);
    unsigned digit = node->op == IR_MULHU64 ? X_MUL : X_IMUL;

    gen_load_to(g, RAX, node->a);
    if (b.kind == SRC_REG) {
        emit_rr(&g->e, X_GROUP3_32 | X_W, digit, b.reg);
    } else {
        emit_rm(&g->e, X_GROUP3_32 | X_W, digit, b.mem);
    }
    gen_release(g);
    unsigned to = gen_def(g);
    emit_mov(&g->e, true, to, RDX);
}

static void gen_negate(Gen *g, const IrNode *node)
{
    bool wide = node->op == IR_NEG64 || node->op == IR_NOT64;
    unsigned digit = node->op == IR_NEG32 || node->op == IR_NEG64 ? X_NEG : X_NOT;
    unsigned to = gen_def_from(g, node->a, wide);

    emit_rr(&g->e, X_GROUP3_32 | (wide ? X_W : 0), digit, to);
}

/* The result is @op of the operand, of which it reads 64 bits or fewer than 33. */
static void transform(Gen *g, const IrNode *node, unsigned op, bool wide)
{
    Src a = gen_src_no_imm(g, node->a, wide);

    gen_release(g);
    unsigned to = gen_def(g);
    if (a.kind == SRC_REG) {
        emit_rr(&g->e, op, to, a.reg);
    } else {
        emit_rm(&g->e, op, to, a.mem);
    }
}

/* The low half of the sum that @node stands for. */
static void narrow_sum(Gen *g, const IrNode *node)
{
    int32_t imm = node->op == IR_ADD64 ? 0 : (int32_t)node->imm;
    unsigned a = gen_reg(g, node->a);
    Mem sum = mem_at(a, imm);

    if (node->op != IR_ADD64I) {
        unsigned b = gen_reg(g, node->b);
        sum = mem_indexed(a, b, node->op == IR_LEA ? node->c : 0, imm);
    }
    gen_release(g);
    unsigned to = gen_def(g);
    emit_rm(&g->e, X_LEA32, to, sum);
}

static void gen_extend(Gen *g, const IrNode *node)
{
    static const unsigned ops[] = { X_MOVZX8, X_MOVZX16, X_LOAD32, X_MOVSX8, X_MOVSX16, X_MOVSX32 };

    if (g->value[node->a].kind == VALUE_SUNK) {
        narrow_sum(g, &g->ir->nodes[node->a]);
        return;
    }
    transform(g, node, ops[node->op - IR_ZX8], false);
}

static void gen_bswap(Gen *g, const IrNode *node)
{
    bool wide = node->op == IR_BSWAP64;
    unsigned to = gen_def_from(g, node->a, wide);

    emit_bswap(&g->e, wide, to);
}

/* One instruction if the host has it, else a scan and a fix for 0. */
static void gen_count(Gen *g, const IrNode *node)
{
    bool leading = node->op == IR_CLZ64;

    if (leading ? g->code->host.lzcnt : g->code->host.tzcnt) {
        transform(g, node, (leading ? X_LZCNT32 : X_TZCNT32) | X_W, true);
        return;
    }
    unsigned from = gen_reg(g, node->a);
    emit_rr(&g->e, (leading ? X_BSR32 : X_BSF32) | X_W, RAX, from);
    emit_mov_imm(&g->e, RCX, leading ? 127 : 64);
    emit_cmov(&g->e, CC_E, false, RAX, RCX);
    if (leading) {
        emit_alu_ri(&g->e, ALU_XOR, false, RAX, 63);
    }
    gen_release(g);
    unsigned to = gen_def(g);
    emit_mov(&g->e, false, to, RAX);
}

static void gen_popcount(Gen *g, const IrNode *node)
{
    if (g->code->host.popcnt) {
        transform(g, node, X_POPCNT32 | X_W, true);
        return;
    }
    gen_ready_for_c(g);
    gen_save_for_call(g);
    gen_load_to(g, RDI, node->a);
    gen_forget_for_call(g);
    gen_release(g);
    gen_call_c(g, (const void *)(uintptr_t)slow_popcount);
    unsigned to = gen_def(g);
    emit_mov(&g->e, true, to, RAX);
}

/* --- bit fields ------------------------------------------------------------------------------- */

/* Clear all bits of @reg from @length on. */
static void mask(Gen *g, unsigned reg, unsigned length)
{
    if (length == 8) {
        emit_rr(&g->e, X_MOVZX8, reg, reg);
    } else if (length == 16) {
        emit_rr(&g->e, X_MOVZX16, reg, reg);
    } else if (length == 32) {
        emit_mov(&g->e, false, reg, reg);
    } else if (length < 32) {
        emit_alu_ri(&g->e, ALU_AND, false, reg, (int32_t)bits_mask(length));
    } else if (length < 64) {
        emit_shift_imm(&g->e, SHIFT_SHL, true, reg, 64 - length);
        emit_shift_imm(&g->e, SHIFT_SHR, true, reg, 64 - length);
    }
}

static void gen_extract(Gen *g, const IrNode *node)
{
    unsigned position = node->imm & 0xff, length = (unsigned)(node->imm >> 8);
    bool narrow = position + length <= 32;
    unsigned to = gen_def_from(g, node->a, !narrow);

    if (position) {
        emit_shift_imm(&g->e, SHIFT_SHR, !narrow, to, position);
    }
    if (position + length != (narrow ? 32 : 64)) {
        mask(g, to, length);
    } else if (!position) {
        mask(g, to, length); /* 32: the register may be the operand's own */
    }
}

/* RAX = the low @length bits of @b at @position. */
static void field_to_rax(Gen *g, IrVal b, unsigned position, unsigned length)
{
    gen_load_to(g, RAX, b);
    if (length < 64) {
        emit_shift_imm(&g->e, SHIFT_SHL, true, RAX, 64 - length);
        if (64 - length - position) {
            emit_shift_imm(&g->e, SHIFT_SHR, true, RAX, 64 - length - position);
        }
    }
}

static void gen_deposit(Gen *g, const IrNode *node)
{
    unsigned position = node->imm & 0xff, length = (unsigned)(node->imm >> 8);
    uint64_t keep = ~(bits_mask(length) << position);

    if (position == 0 && (length == 8 || length == 16)) {
        unsigned from = gen_reg(g, node->b);
        unsigned to = gen_def_from(g, node->a, true);
        emit_rr(&g->e, length == 8 ? X_MOV8 : X_MOV16, to, from);
        return;
    }
    field_to_rax(g, node->b, position, length);
    unsigned to = gen_def_from(g, node->a, true);
    if (fits32(keep)) {
        emit_alu_ri(&g->e, ALU_AND, true, to, (int32_t)keep);
    } else {
        emit_mov_imm(&g->e, RCX, keep);
        emit_alu_rr(&g->e, ALU_AND, true, to, RCX);
    }
    emit_alu_rr(&g->e, ALU_OR, true, to, RAX);
}

static void gen_lea(Gen *g, const IrNode *node)
{
    unsigned a = gen_reg(g, node->a), b = gen_reg(g, node->b);
    unsigned shift = node->c;

    if (shift > 3) {
        emit_mov(&g->e, true, RAX, b);
        emit_shift_imm(&g->e, SHIFT_SHL, true, RAX, shift);
        b = RAX;
        shift = 0;
    }
    gen_release(g);
    unsigned to = gen_def(g);
    if (fits32(node->imm)) {
        emit_rm(&g->e, X_LEA64, to, mem_indexed(a, b, shift, (int32_t)node->imm));
    } else {
        emit_mov_imm(&g->e, RCX, node->imm);
        emit_rm(&g->e, X_LEA64, to, mem_indexed(a, b, shift, 0));
        emit_alu_rr(&g->e, ALU_ADD, true, to, RCX);
    }
}

/* --- CPU state -------------------------------------------------------------------------------- */

static void put(Gen *g, Mem to, unsigned size, Src from)
{
    if (from.kind == SRC_IMM) {
        emit_store_imm(&g->e, size, to, from.imm);
        return;
    }
    if (from.kind == SRC_MEM) {
        emit_load(&g->e, size == 8 ? 8 : 4, RAX, from.mem);
        from.reg = RAX;
    }
    emit_store(&g->e, size, to, from.reg);
}

static void gen_get(Gen *g, const IrNode *node)
{
    unsigned within;

    unsigned size = 1U << (node->op - IR_GET8);

    if (size == 8 && gen_take_carried(g, node)) {
        return;
    }
    if (gen_meets_stack(g, node->imm, size, false)) {
        gen_stack_to_state(g);
    }
    gen_flush_state(g, node->imm, size);
    if (gen_lane(g, node->imm, size, &within) == NO_REG && gen_meets_vectors(g, node->imm, size)) {
        gen_reg(g, (IrVal)g->now); /* right in memory now; who knows later */
    } else {
        gen_add_pending(g, (IrVal)g->now);
    }
}

typedef struct Lane {
    unsigned vector, within, size;
} Lane;

/* Write a lane of a vector that is in a host register; with the next node, perhaps, all of it. */
static void put_lane(Gen *g, const IrNode *node, Lane lane, Src from)
{
    unsigned vector, skip_to;
    bool fills = gen_fills_vector(g, g->now, &vector, &skip_to);

    gen_state_changes(g, node->imm, fills ? 16 : lane.size);
    if (fills) {
        g->skip_to = skip_to;
    }
    if (fills && from.kind == SRC_IMM && from.imm == 0) {
        gen_clear_vector(g, vector);
        return;
    }
    if (from.kind != SRC_REG) {
        gen_move_src(g, RAX, lane.size == 8, from);
        from.reg = RAX;
    }
    if (fills) {
        gen_fill_vector(g, vector, from.reg);
    } else {
        gen_write_lane(g, lane.vector, lane.within, lane.size, from.reg);
    }
}

static void gen_put(Gen *g, const IrNode *node)
{
    unsigned size = 1U << (node->op - IR_PUT8), within;
    unsigned vector = gen_lane(g, node->imm, size, &within);

    if (gen_meets_stack(g, node->imm, size, true)) {
        gen_stack_to_state(g);
    }
    if (vector != NO_REG) {
        Src lane = gen_src(g, node->a, size == 8);
        put_lane(g, node, (Lane){ vector, within, size }, lane);
        return;
    }
    gen_state_changes(g, node->imm, size);
    if (size == 8 && gen_bind(g, node->imm, node->a)) {
        return;
    }
    gen_flush_state(g, node->imm, size);
    Src from = gen_src(g, node->a, size == 8);
    put(g, state_mem(node->imm), size, from);
}

static void gen_put_flags(Gen *g, const IrNode *node)
{
    const IrVal from[3] = { node->a, node->b, node->c };
    const size_t to[3] = { offsetof(DbtCpu, flags.a), offsetof(DbtCpu, flags.b),
                           offsetof(DbtCpu, flags.c) };

    for (int i = 0; i < 3; i++) {
        if (g->value[from[i]].kind == VALUE_GET) {
            gen_reg(g, from[i]); /* may be of the record itself */
        }
    }
    gen_state_changes(g, offsetof(DbtCpu, flags), sizeof(FlagRecord));
    if (!fits32(node->imm)) { /* not in real life */
        gen_flush_state(g, offsetof(DbtCpu, flags.op), 8);
        emit_mov_imm(&g->e, RAX, node->imm);
        emit_store(&g->e, 8, CPU_MEM(flags.op), RAX);
    } else {
        gen_bind_imm(g, offsetof(DbtCpu, flags.op), (int32_t)node->imm);
    }
    for (int i = 0; i < 3; i++) {
        if (i == 0 || from[i]) { /* .a is always there */
            gen_bind(g, to[i], from[i]);
        }
    }
}

static void gen_fence(Gen *g, const IrNode *node)
{
    emit_lock(&g->e);
    emit_alu_mi(&g->e, ALU_OR, 4, mem_at(RSP, 0), 0);
}

/* Constants and addresses are made where they are used. */
static void gen_nothing(Gen *g, const IrNode *node)
{
}

/* --- the pass --------------------------------------------------------------------------------- */

/* clang-format off */
#define BINARY(NAME, rule) \
    [IR_##NAME##32] = rule, [IR_##NAME##64] = rule, [IR_##NAME##32I] = rule, [IR_##NAME##64I] = rule
#define SIZES(NAME, rule) \
    [IR_##NAME##8] = rule, [IR_##NAME##16] = rule, [IR_##NAME##32] = rule, [IR_##NAME##64] = rule
static GenRule *const rules[IR_OPS] = {
    [IR_NOP] = gen_nothing, [IR_CONST] = gen_nothing, [IR_PC] = gen_nothing,
    SIZES(GET, gen_get), SIZES(PUT, gen_put), [IR_PUTFLAGS] = gen_put_flags,
    BINARY(ADD, gen_alu), BINARY(SUB, gen_alu), BINARY(AND, gen_alu), BINARY(OR, gen_alu),
    BINARY(XOR, gen_alu), BINARY(MUL, gen_mul), BINARY(SHL, gen_shift), BINARY(SHR, gen_shift),
    BINARY(SAR, gen_shift), BINARY(ROL, gen_shift), BINARY(ROR, gen_shift),
    BINARY(EQ, gen_compare), BINARY(NE, gen_compare), BINARY(LTU, gen_compare),
    BINARY(LEU, gen_compare), BINARY(LTS, gen_compare), BINARY(LES, gen_compare),
    [IR_MULHU64] = gen_mul_high, [IR_MULHS64] = gen_mul_high,
    [IR_NEG32] = gen_negate, [IR_NEG64] = gen_negate,
    [IR_NOT32] = gen_negate, [IR_NOT64] = gen_negate,
    [IR_ZX8] = gen_extend, [IR_ZX16] = gen_extend, [IR_ZX32] = gen_extend,
    [IR_SX8] = gen_extend, [IR_SX16] = gen_extend, [IR_SX32] = gen_extend,
    [IR_BSWAP32] = gen_bswap, [IR_BSWAP64] = gen_bswap,
    [IR_CLZ64] = gen_count, [IR_CTZ64] = gen_count, [IR_POPCNT64] = gen_popcount,
    [IR_EXTRACT] = gen_extract, [IR_DEPOSIT] = gen_deposit,
    [IR_SELECT] = gen_select, [IR_LEA] = gen_lea,
    SIZES(LD, gen_load), [IR_LDS8] = gen_load, [IR_LDS16] = gen_load, [IR_LDS32] = gen_load,
    SIZES(ST, gen_store),
    [IR_LD128] = gen_vector_load, [IR_LD128Z] = gen_vector_load, [IR_LD256] = gen_vector_load,
    [IR_ST128] = gen_vector_store, [IR_ST256] = gen_vector_store,
    [IR_PROBEW] = gen_probe,
    SIZES(XCHG, gen_xchg), SIZES(XADD, gen_xadd),
    SIZES(RMWAND, gen_rmw), SIZES(RMWOR, gen_rmw), SIZES(RMWXOR, gen_rmw),
    SIZES(CAS, gen_cas), [IR_FENCE] = gen_fence,
    [IR_CALL] = gen_call, [IR_VOP] = gen_vector_op,
    [IR_EXIT] = gen_exit, [IR_EXIT_IF] = gen_exit_if, [IR_EXIT_INDIRECT] = gen_exit_indirect,
    [IR_EXIT_STOP] = gen_exit_stop, [IR_EXIT_STATE] = gen_exit_state,
};
/* clang-format on */

bool gen_calls_c(const Gen *g, const IrNode *node)
{
    unsigned op = node->op;

    if (op == IR_CALL) {
        return !(g->code->isa->helpers[node->imm].flags & HELPER_CANONICAL) &&
               gen_stack_host(g, node).form == STACK_CALL;
    }
    return op == IR_VOP || (op == IR_POPCNT64 && !g->code->host.popcnt);
}

/* Keep .insn and .next_call right for node @i. */
static void advance(Gen *g, unsigned i)
{
    const IrBlock *ir = g->ir;

    g->now = i;
    g->pinned = 0;
    while (g->insn + 1 < ir->n_insns && ir->insns[g->insn + 1].node <= i) {
        g->insn++;
    }
    while (g->next_call < ir->n_nodes &&
           (g->next_call < i || !gen_calls_c(g, &ir->nodes[g->next_call]))) {
        g->next_call++;
    }
}

static void gen_nodes(Gen *g)
{
    for (unsigned i = 0; i < g->ir->n_nodes; i++) {
        const IrNode *node = &g->ir->nodes[i];
        const Value *value = &g->value[i];
        bool pure = !(ir_ops[node->op].effects & ~IR_EFFECT_STATE) && ir_ops[node->op].has_result;
        if (i < g->skip_to || value->kind == VALUE_SUNK || (pure && !value->uses)) {
            continue;
        }
        advance(g, i);
        rules[node->op](g, node);
        gen_end_node(g);
    }
}

bool gen_block(Gen *g, Code *code, const IrBlock *ir, Block *block)
{
    size_t at = align_up(code->used, 16);

    if (at >= code->size) {
        return false;
    }
    code_expect_use(code);
    emit_init(&g->e, code->rw + at, code->size - at);
    g->code = code;
    g->ir = ir;
    g->block = block;
    g->insn = g->next_call = g->n_slow = g->n_leaves = g->skip_to = 0;
    g->n_stack_slow = 0;
    g->vectors = code->vectors ? VECTORS_UNKNOWN : VECTORS_IN_STATE;
    g->stack = code->stack ? STACK_UNKNOWN : STACK_IN_STATE;
    g->wide = gen_is_wide(g);
    gen_analyse(g);
    gen_find_groups(g);
    gen_begin_groups(g);
    gen_alloc_begin(g);
    gen_find_loop(g);
    gen_head(g);
    gen_nodes(g);
    if (g->loop.back != NO_VALUE) {
        gen_begin_loop_body(g);
        gen_nodes(g);
    }
    gen_slow_paths(g);
    gen_stack_slow_paths(g);
    gen_leaves(g);
    if (g->e.full) {
        return false;
    }
    block->code = code_to_rx(code, g->head);
    code->used = (size_t)(g->e.at - code->rw);
    block->host_bytes = (uint32_t)(g->e.at - g->head);
    return true;
}
