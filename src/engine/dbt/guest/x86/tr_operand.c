/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers, memory and the stack for the rules: operands to values and back.
 *
 * A register's value is read from CPU state once in a block and written back at once; in between
 * it is kept as a value.  Addresses are offsets in a segment first, then linear: in 64-bit mode
 * and where all segments are flat that is the same, else a helper checks and adds the base.
 *
 * Threads: a translation belongs to one thread.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"

/* --- widths ----------------------------------------------------------------------------------- */

/* Bits of values that these operations can have set, by group; 64 if unknown. */
static unsigned bits_of_binary(const IrNode *node)
{
    unsigned form = (node->op - IR_ADD32) % 4; /* order of IR_BINARY: 32, 64, 32I, 64I */

    if (node->op >= IR_EQ32) {
        return 1;
    }
    if (node->op == IR_AND32I || node->op == IR_AND64I) {
        unsigned bits = node->imm ? 64 - (unsigned)__builtin_clzll(node->imm) : 0;
        return node->op == IR_AND32I && bits > 32 ? 32 : bits;
    }
    return form == 0 || form == 2 ? 32 : 64;
}

/* How many low bits of @value can be other than 0. */
static unsigned bits_of(const IrBlock *ir, IrVal value)
{
    const IrNode *node = &ir->nodes[value];

    if (node->op >= IR_ADD32 && node->op <= IR_LES64I) {
        return bits_of_binary(node);
    }
    switch (node->op) {
    case IR_CONST:
        return node->imm ? 64 - (unsigned)__builtin_clzll(node->imm) : 0;
    case IR_GET8:
    case IR_LD8:
    case IR_ZX8:
        return 8;
    case IR_GET16:
    case IR_LD16:
    case IR_ZX16:
        return 16;
    case IR_GET32:
    case IR_LD32:
    case IR_ZX32:
    case IR_NEG32:
    case IR_NOT32:
    case IR_BSWAP32:
        return 32;
    case IR_EXTRACT:
        return (unsigned)(node->imm >> 8);
    default:
        return 64;
    }
}

IrVal tr_zero_extend(X86Tr *t, IrVal value, unsigned size)
{
    static const uint8_t op[9] = { [1] = IR_ZX8, [2] = IR_ZX16, [4] = IR_ZX32 };

    if (size == 8 || bits_of(t->ir, value) <= 8 * size) {
        return value;
    }
    return ir_unary(t->ir, (IrOp)op[size], value);
}

IrVal tr_sign_extend(X86Tr *t, IrVal value, unsigned size)
{
    static const uint8_t op[9] = { [1] = IR_SX8, [2] = IR_SX16, [4] = IR_SX32 };

    return size == 8 ? value : ir_unary(t->ir, (IrOp)op[size], value);
}

/* --- registers -------------------------------------------------------------------------------- */

static unsigned offset_of_reg(unsigned reg, bool high)
{
    return X86_OFFSET(gpr) + 8 * reg + high;
}

IrVal tr_reg(X86Tr *t, unsigned reg)
{
    if (!t->gpr[reg]) {
        t->gpr[reg] = ir_get(t->ir, offset_of_reg(reg, false), 8);
    }
    return t->gpr[reg];
}

/* The register's part with anything above it. */
static IrVal reg_raw(X86Tr *t, unsigned reg, bool high)
{
    IrVal value = tr_reg(t, reg);

    return high ? ir_extract(t->ir, value, 8, 8) : value;
}

IrVal tr_reg_part(X86Tr *t, unsigned reg, unsigned size, bool high)
{
    if (!t->gpr[reg] && (size < 4 || high)) {
        return ir_get(t->ir, offset_of_reg(reg, high), size);
    }
    IrVal value = reg_raw(t, reg, high);
    return tr_zero_extend(t, value, size);
}

void tr_set_reg(X86Tr *t, unsigned reg, unsigned size, bool high, IrVal value)
{
    if (size >= 4) {
        t->gpr[reg] = tr_zero_extend(t, value, size);
        ir_put(t->ir, offset_of_reg(reg, false), 8, t->gpr[reg]);
        return;
    }
    ir_put(t->ir, offset_of_reg(reg, high), size, value);
    if (t->gpr[reg]) {
        t->gpr[reg] = ir_deposit(t->ir, t->gpr[reg], value, high ? 8 : 0, 8 * size);
    }
}

void tr_forget_regs(X86Tr *t)
{
    for (unsigned i = 0; i < 16; i++) {
        t->gpr[i] = 0;
    }
}

/* --- addresses -------------------------------------------------------------------------------- */

/* base + index * scale + displacement in 64 bits. */
static IrVal sum_address(X86Tr *t, const X86Mem *mem)
{
    uint64_t displacement = (uint64_t)mem->displacement;

    if (mem->rip_relative) {
        return ir_pc(t->ir, t->next + (int64_t)mem->displacement);
    }
    if (mem->base == X86_NO_REG && mem->index == X86_NO_REG) {
        return ir_const(t->ir, displacement);
    }
    if (mem->index == X86_NO_REG) {
        IrVal base = tr_reg(t, mem->base);
        return ir_binary_imm(t->ir, IR_ADD64, base, displacement);
    }
    IrVal index = tr_reg(t, mem->index);
    if (mem->base == X86_NO_REG) {
        IrVal scaled = ir_binary_imm(t->ir, IR_SHL64, index, mem->scale);
        return ir_binary_imm(t->ir, IR_ADD64, scaled, displacement);
    }
    IrVal base = tr_reg(t, mem->base);
    return ir_lea(t->ir, base, index, mem->scale, mem->displacement);
}

IrVal tr_effective_address(X86Tr *t, const X86Insn *insn)
{
    const X86Mem *mem = &insn->mem;

    if (mem->address_size == 4 && mem->base != X86_NO_REG && mem->index == X86_NO_REG) {
        IrVal base = tr_reg(t, mem->base);
        IrVal sum = ir_binary_imm(t->ir, IR_ADD32, base, (uint32_t)mem->displacement);
        return tr_zero_extend(t, sum, 4);
    }
    IrVal sum = sum_address(t, mem);
    return tr_zero_extend(t, sum, mem->address_size);
}

/* True if a segment's offset is the linear address, without checks. */
static bool is_plain(const X86Tr *t, unsigned segment, bool write)
{
    if (tr_mode(t) == X86_MODE64) {
        return segment != X86_FS && segment != X86_GS;
    }
    return (t->key & KEY_FLAT) && segment < X86_FS && segment != X86_CS;
}

IrVal tr_segment_address(X86Tr *t, unsigned segment, IrVal offset, unsigned size, bool write)
{
    if (is_plain(t, segment, write)) {
        return offset;
    }
    if (tr_mode(t) == X86_MODE64) {
        unsigned base_at = X86_OFFSET(segment) + segment * (unsigned)sizeof(X86Segment) +
                           offsetof(X86Segment, base);
        IrVal base = ir_get(t->ir, base_at, 8);
        return ir_binary(t->ir, IR_ADD64, base, offset);
    }
    tr_sync_flags(t);
    IrVal which = ir_const(t->ir, segment);
    IrVal how = ir_const(t->ir, size | (unsigned)write << 8);
    return ir_call(t->ir, X86_CALL_seg_check, which, offset, how);
}

IrVal tr_linear_address(X86Tr *t, const X86Insn *insn, unsigned size, bool write)
{
    if (t->linear && (t->linear_write || !write)) {
        return t->linear;
    }
    IrVal offset = tr_effective_address(t, insn);
    t->linear = tr_segment_address(t, insn->mem.segment, offset, size, write);
    t->linear_write = write || is_plain(t, insn->mem.segment, true);
    return t->linear;
}

unsigned tr_mmu(const X86Tr *t, unsigned segment)
{
    unsigned index = (t->key & KEY_CPL) == KEY_CPL ? MMU_USER
                     : t->key & KEY_AC             ? MMU_KERNEL_AC
                                                   : MMU_KERNEL;

    return index | (segment == X86_SS ? MMU_STACK : 0);
}

static void check_alignment(X86Tr *t, IrVal linear, unsigned size)
{
    if ((t->key & KEY_ALIGN) && size > 1) {
        IrVal bytes = ir_const(t->ir, size);
        ir_call(t->ir, X86_CALL_check_alignment, linear, bytes, 0);
    }
}

static IrVal load(X86Tr *t, IrVal linear, unsigned size, unsigned mmu)
{
    tr_sync_flags(t);
    check_alignment(t, linear, size);
    return ir_load(t->ir, linear, size, mmu);
}

IrVal tr_load(X86Tr *t, IrVal linear, unsigned size, unsigned segment)
{
    return load(t, linear, size, tr_mmu(t, segment));
}

IrVal tr_load_rmw(X86Tr *t, IrVal linear, unsigned size, unsigned segment)
{
    return load(t, linear, size, tr_mmu(t, segment) | MMU_RMW);
}

void tr_store(X86Tr *t, IrVal linear, IrVal value, unsigned size, unsigned segment)
{
    tr_sync_flags(t);
    check_alignment(t, linear, size);
    ir_store(t->ir, linear, value, size, tr_mmu(t, segment));
}

IrVal tr_atomic(X86Tr *t, const X86Insn *insn, unsigned n, IrOp op, IrVal value)
{
    unsigned size = insn->op[n].size;
    IrVal linear = tr_linear_address(t, insn, size, true);

    tr_sync_flags(t);
    check_alignment(t, linear, size);
    return ir_atomic(t->ir, op, linear, value, size, tr_mmu(t, insn->mem.segment));
}

/* --- operands --------------------------------------------------------------------------------- */

IrVal tr_operand_raw(X86Tr *t, const X86Insn *insn, unsigned n)
{
    const X86Operand *op = &insn->op[n];
    IrVal linear;

    switch (op->kind) {
    case OPERAND_REG:
        return reg_raw(t, op->reg, op->high);
    case OPERAND_MEM:
        linear = tr_linear_address(t, insn, op->size, false);
        return t->rmw ? tr_load_rmw(t, linear, op->size, insn->mem.segment)
                      : tr_load(t, linear, op->size, insn->mem.segment);
    case OPERAND_SEG:
        return ir_get(t->ir,
                      X86_OFFSET(segment) + op->reg * (unsigned)sizeof(X86Segment) +
                          (unsigned)offsetof(X86Segment, selector),
                      2);
    default:
        return ir_const(t->ir, op->imm & bits_mask(8 * op->size));
    }
}

IrVal tr_operand_signed(X86Tr *t, const X86Insn *insn, unsigned n)
{
    const X86Operand *op = &insn->op[n];

    if (op->kind != OPERAND_MEM || t->rmw) {
        IrVal value = tr_operand_raw(t, insn, n);
        return tr_sign_extend(t, value, op->size);
    }
    IrVal linear = tr_linear_address(t, insn, op->size, false);
    tr_sync_flags(t);
    check_alignment(t, linear, op->size);
    return ir_load_signed(t->ir, linear, op->size, tr_mmu(t, insn->mem.segment));
}

IrVal tr_operand(X86Tr *t, const X86Insn *insn, unsigned n)
{
    const X86Operand *op = &insn->op[n];

    if (op->kind == OPERAND_REG) {
        return tr_reg_part(t, op->reg, op->size, op->high);
    }
    return tr_operand_raw(t, insn, n);
}

void tr_will_write(X86Tr *t, const X86Insn *insn, unsigned n)
{
    if (insn->op[n].kind == OPERAND_MEM) {
        tr_linear_address(t, insn, insn->op[n].size, true);
        t->rmw = true;
    }
}

void tr_set_operand(X86Tr *t, const X86Insn *insn, unsigned n, IrVal value)
{
    const X86Operand *op = &insn->op[n];

    if (op->kind == OPERAND_MEM) {
        IrVal linear = tr_linear_address(t, insn, op->size, true);
        tr_store(t, linear, value, op->size, insn->mem.segment);
    } else {
        tr_set_reg(t, op->reg, op->size, op->high, value);
    }
}

unsigned tr_vector_offset(unsigned reg)
{
    return X86_OFFSET(vector) + reg * (unsigned)sizeof(X86Vector);
}

unsigned tr_vector_operand(X86Tr *t, const X86Insn *insn, unsigned n, unsigned size,
                           unsigned scratch)
{
    const X86Operand *op = &insn->op[n];
    unsigned offset = tr_vector_offset(X86_XMM_SCRATCH + scratch);

    if (op->kind != OPERAND_MEM) {
        return tr_vector_offset(op->reg);
    }
    IrVal linear = tr_linear_address(t, insn, size, false);
    if (size <= 8) {
        IrVal value = tr_load(t, linear, size, insn->mem.segment);
        ir_put(t->ir, offset, size, value);
        return offset;
    }
    unsigned mmu = tr_mmu(t, insn->mem.segment);
    if ((insn->opcode->flags & OPCODE_ALIGN) && !insn->vex) {
        mmu |= MMU_ALIGN;
    }
    tr_sync_flags(t);
    ir_load_vector(t->ir, linear, offset, size, mmu);
    return offset;
}

/* --- the stack -------------------------------------------------------------------------------- */

unsigned tr_stack_size(const X86Tr *t)
{
    return tr_mode(t) == X86_MODE64 ? 8 : t->key & KEY_STACK32 ? 4 : 2;
}

IrVal tr_sp_plus(X86Tr *t, int n)
{
    unsigned size = tr_stack_size(t);
    IrVal sp = tr_reg(t, X86_RSP);

    if (size == 4) {
        IrVal sum = ir_binary_imm(t->ir, IR_ADD32, sp, (uint32_t)n);
        return tr_zero_extend(t, sum, 4);
    }
    sp = ir_binary_imm(t->ir, IR_ADD64, sp, (uint64_t)(int64_t)n);
    return tr_zero_extend(t, sp, size);
}

void tr_set_sp(X86Tr *t, IrVal value)
{
    tr_set_reg(t, X86_RSP, tr_stack_size(t), false, value);
}

IrVal tr_push_value(X86Tr *t, IrVal value, unsigned size, int displacement)
{
    IrVal sp = tr_sp_plus(t, displacement - (int)size);
    IrVal linear = tr_segment_address(t, X86_SS, sp, size, true);

    tr_store(t, linear, value, size, X86_SS);
    return sp;
}

IrVal tr_stack_load(X86Tr *t, unsigned size, int displacement)
{
    IrVal sp = tr_sp_plus(t, displacement);
    IrVal linear = tr_segment_address(t, X86_SS, sp, size, false);

    return tr_load(t, linear, size, X86_SS);
}
