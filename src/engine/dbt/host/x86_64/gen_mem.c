/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of guest memory accesses: the check of the TLB entry stands in line, everything that it does
 * not cover in slow_access(), called from behind the block.
 *
 * The page of the access's last byte is compared with the tag of the entry that the first byte's
 * page chose: equal only if both are one page, and the entry's.  Where alignment is asked for, the
 * low bits of the address, which must be 0, are compared along with the page.
 */
#include "engine/dbt/host/x86_64/gen.h"
#include "engine/dbt/run/mmu.h"

enum { TLB_SHIFT = 7 };
#define NEAR (UINT64_C(1) << 30) /* a displacement to which more can be added */
_Static_assert(PAGE_SIZE >> TLB_SHIFT == sizeof(TlbEntry), "a gva becomes an entry's offset");

/* What an access needs of the TLB. */
typedef struct Access {
    const IrNode *node;
    uint64_t displacement;
    unsigned size, mmu;
    bool write;
    bool aligned;   /* the fast path takes only aligned addresses */
    bool no_result; /* in a general register */
    SlowKind kind;
} Access;

/* Room of a TLB entry's members, from the one that RAX is an offset to. */
static Mem entry_mem(unsigned mmu, size_t member)
{
    return mem_indexed(REG_TLB, RAX, 0,
                       (int32_t)((mmu & MMU_INDEX) * TLB_ENTRIES * sizeof(TlbEntry) + member));
}

/* --- addresses -------------------------------------------------------------------------------- */

/* RCX += @imm */
static void add_to_rcx(Gen *g, uint64_t imm)
{
    if (fits32(imm)) {
        if (imm) {
            emit_alu_ri(&g->e, ALU_ADD, true, RCX, (int32_t)imm);
        }
    } else {
        emit_mov_imm(&g->e, RAX, imm);
        emit_alu_rr(&g->e, ALU_ADD, true, RCX, RAX);
    }
}

/* RCX = the sum that a sunk node stands for, + @displacement. */
static void sum_to_rcx(Gen *g, const IrNode *sum, uint64_t displacement)
{
    uint64_t imm = displacement + (sum->op == IR_ADD64 ? 0 : sum->imm);
    unsigned base = gen_reg(g, sum->a);
    int32_t near = fits32(imm) ? (int32_t)imm : 0;

    if (sum->op == IR_ADD64I) {
        emit_rm(&g->e, X_LEA64, RCX, mem_at(base, near));
    } else {
        unsigned index = gen_reg(g, sum->b);
        unsigned shift = sum->op == IR_LEA ? sum->c : 0;
        emit_rm(&g->e, X_LEA64, RCX, mem_indexed(base, index, shift, near));
    }
    if (!fits32(imm)) {
        add_to_rcx(g, imm);
    }
}

/* The register that holds the access's gva: the value's own, or RCX. */
static unsigned address(Gen *g, const Access *access)
{
    IrVal v = access->node->a;
    const IrNode *node = &g->ir->nodes[v];
    const Value *value = &g->value[v];
    uint64_t displacement = access->displacement;

    if (value->kind == VALUE_SUNK) {
        sum_to_rcx(g, node, displacement);
        return RCX;
    }
    if (value->reg == NO_REG && value->kind == VALUE_CONST) {
        emit_mov_imm(&g->e, RCX, node->imm + displacement);
        return RCX;
    }
    if (value->reg == NO_REG && dies(g, v)) {
        gen_load_to(g, RCX, v);
        add_to_rcx(g, displacement);
        return RCX;
    }
    unsigned reg = gen_reg(g, v);
    if (!displacement) {
        return reg;
    }
    if (fits32(displacement)) {
        emit_rm(&g->e, X_LEA64, RCX, mem_at(reg, (int32_t)displacement));
    } else {
        emit_mov(&g->e, true, RCX, reg);
        add_to_rcx(g, displacement);
    }
    return RCX;
}

/* --- the access ------------------------------------------------------------------------------- */

uint32_t gen_info(const Gen *g)
{
    unsigned offset = (unsigned)((int)(g->block->gpa % PAGE_SIZE) + g->ir->insns[g->insn].delta);

    return offset << SLOW_PC | (g->ir->n_insns - 1 - g->insn) << SLOW_BACK;
}

static unsigned log2_of(unsigned size)
{
    return (unsigned)__builtin_ctz(size);
}

static Slow *add_slow(Gen *g, const Access *access, unsigned gva, uint8_t *from)
{
    Slow *slow = &g->slow[g->n_slow++];
    unsigned step = access->kind == SLOW_PROBE ? 0 : log2_of(access->size);

    *slow = (Slow){ .from = from,
                    .addend = NO_REG,
                    .info = gen_info(g) | access->mmu << SLOW_MMU | step << SLOW_SIZE |
                            (uint32_t)access->kind << SLOW_KIND,
                    .gva = (uint8_t)gva,
                    .to = NO_REG,
                    .vector = NO_REG,
                    .others = access->write ? gen_addends(g) : 0,
                    .node = (uint16_t)g->now };
    return slow;
}

/* RAX = offset of the TLB entry for @page in the bank. */
static void entry_to(Gen *g, unsigned to, unsigned page)
{
    if (g->code->host.bmi2) {
        emit_rorx(&g->e, false, to, page, TLB_SHIFT);
    } else {
        emit_mov(&g->e, false, to, page);
        emit_shift_imm(&g->e, SHIFT_SHR, false, to, TLB_SHIFT);
    }
    emit_alu_ri(&g->e, ALU_AND, false, to, (TLB_ENTRIES - 1) * (int)sizeof(TlbEntry));
}

static size_t tag_of(const Access *access)
{
    bool write = access->write || (access->mmu & MMU_RMW);

    return write ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read);
}

/* Room of the result, if it goes to a general register. */
static unsigned define_result(Gen *g, const Access *access)
{
    if (!ir_ops[access->node->op].has_result || access->no_result) {
        return NO_REG;
    }
    gen_release(g);
    return gen_def(g);
}

/* As address(), but a constant that fits is not added: the gva is the register + *ret_disp. */
static unsigned base_of(Gen *g, const Access *access, int32_t *ret_disp)
{
    IrVal v = access->node->a;
    const IrNode *sum = &g->ir->nodes[v];
    bool sunk = g->value[v].kind == VALUE_SUNK;
    uint64_t disp = access->displacement + (sunk ? sum->imm : 0);

    *ret_disp = 0;
    if ((sunk && sum->op != IR_ADD64I) || disp + NEAR >= 2 * NEAR) {
        return address(g, access);
    }
    *ret_disp = (int32_t)disp;
    return gen_reg(g, sunk ? sum->a : v);
}

/* A follower's access: by its leader's addend, if that is any good. */
static Slow *emit_follower(Gen *g, const Access *access, IrVal addend, Mem *ret_mem)
{
    int32_t disp;
    unsigned by = gen_reg(g, addend), gva = base_of(g, access, &disp);
    unsigned to = define_result(g, access);
    Park park = gen_park(g);

    emit_rr(&g->e, X_TEST32 | X_W, by, by);
    uint8_t *from = emit_jcc(&g->e, CC_E, NULL);
    *ret_mem = mem_indexed(by, gva, 0, disp);
    Slow *slow = add_slow(g, access, gva, from);
    slow->disp = disp;
    slow->to = (uint8_t)to;
    slow->park = park;
    return slow;
}

/* @to = @from + @disp */
static void add_disp(Gen *g, unsigned to, unsigned from, int32_t disp)
{
    if (disp) {
        emit_rm(&g->e, X_LEA64, to, mem_at(from, disp));
    } else {
        emit_mov(&g->e, true, to, from);
    }
}

/* ZF: all bytes that @group touches are in the page of one entry, chosen by the first: @to + the
 * bank.  Its leader is at @gva + @disp.  @to may not be @gva; RDX changes. */
static void check_group(Gen *g, const Group *group, unsigned to, unsigned gva, int32_t disp,
                        unsigned mmu)
{
    size_t tag = group->write ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read);
    unsigned page = gva;

    if (disp + group->from) {
        emit_rm(&g->e, X_LEA64, to, mem_at(gva, disp + group->from));
        page = to;
    }
    entry_to(g, to, page);
    if (group->align) { /* bits below it must be 0, and then no byte is in another page */
        add_disp(g, RDX, gva, disp);
        emit_alu_ri(&g->e, ALU_AND, true, RDX, -PAGE_SIZE | (int)(group->align - 1));
    } else {
        add_disp(g, RDX, gva, disp + group->to - 1);
        emit_alu_ri(&g->e, ALU_AND, true, RDX, -PAGE_SIZE);
    }
    Mem entry = entry_mem(mmu, tag);
    entry.index = (uint8_t)to;
    emit_alu_rm(&g->e, ALU_CMP, true, RDX, entry);
}

static Slow *emit_leader(Gen *g, const Access *access, const Group *group, Mem *ret_mem)
{
    IrVal addend = NO_VALUE;
    int32_t disp;

    gen_leads(g, &addend);
    unsigned gva = base_of(g, access, &disp);
    unsigned by = gen_def_of(g, addend);
    unsigned to = define_result(g, access);
    Park park = gen_park(g);
    check_group(g, group, RAX, gva, disp, access->mmu);
    uint8_t *from = emit_jcc(&g->e, CC_NE, NULL);
    emit_load(&g->e, 8, by, entry_mem(access->mmu, offsetof(TlbEntry, addend)));
    *ret_mem = mem_indexed(by, gva, 0, disp);
    Slow *slow = add_slow(g, access, gva, from);
    slow->disp = disp;
    slow->to = (uint8_t)to;
    slow->park = park;
    slow->addend = (uint8_t)by;
    slow->group = group;
    return slow;
}

/* The last byte's page, where the entry was chosen by the first's. */
static void last_page_to_rdx(Gen *g, unsigned gva, unsigned size)
{
    emit_rm(&g->e, X_LEA64, RDX, mem_at(gva, (int)size - 1));
    emit_alu_ri(&g->e, ALU_AND, true, RDX, -PAGE_SIZE);
}

Mem gen_check_tlb(Gen *g, unsigned gva, unsigned size, unsigned mmu, bool write, uint8_t **ret_from)
{
    size_t tag = write ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read);

    entry_to(g, RAX, gva);
    last_page_to_rdx(g, gva, size);
    emit_alu_rm(&g->e, ALU_CMP, true, RDX, entry_mem(mmu, tag));
    *ret_from = emit_jcc(&g->e, CC_NE, NULL);
    emit_load(&g->e, 8, RAX, entry_mem(mmu, offsetof(TlbEntry, addend)));
    return mem_indexed(RAX, gva, 0, 0);
}

/* The check: behind it, *ret_mem is the host's memory.  The operands must have been fetched before.
 * The result's register is found here (.to): it may be an operand's, so it is written last. */
static Slow *emit_mem(Gen *g, const Access *access, Mem *ret_mem)
{
    Emit *e = &g->e;
    IrVal addend;
    const Group *group = gen_leads(g, &addend);

    if (group) {
        return emit_leader(g, access, group, ret_mem);
    }
    if (gen_follows(g, &addend)) {
        return emit_follower(g, access, addend, ret_mem);
    }
    unsigned gva = address(g, access);
    unsigned to = define_result(g, access);
    Park park = gen_park(g);
    entry_to(g, RAX, gva);
    if (access->aligned) {
        emit_mov(e, true, RDX, gva);
        emit_alu_ri(e, ALU_AND, true, RDX, -PAGE_SIZE | (int)(access->size - 1));
    } else {
        last_page_to_rdx(g, gva, access->size);
    }
    emit_alu_rm(e, ALU_CMP, true, RDX, entry_mem(access->mmu, tag_of(access)));
    uint8_t *from = emit_jcc(e, CC_NE, NULL);
    emit_load(e, 8, RAX, entry_mem(access->mmu, offsetof(TlbEntry, addend)));
    *ret_mem = mem_indexed(RAX, gva, 0, 0);
    Slow *slow = add_slow(g, access, gva, from);
    slow->to = (uint8_t)to;
    slow->park = park;
    return slow;
}

/* --- loads and stores ------------------------------------------------------------------------- */

static Access plain_access(const IrNode *node, unsigned size, bool write)
{
    return (Access){ .node = node,
                     .displacement = node->imm,
                     .size = size,
                     .mmu = node->c,
                     .write = write,
                     .aligned = node->c & MMU_ALIGN,
                     .kind = write ? SLOW_STORE : SLOW_LOAD };
}

/* A load that fills a vector register, or is the source of the operation behind it. */
static void load_for_vector(Gen *g, Access access, VectorUse use)
{
    VectorInsn insn = { 0 };
    Mem from;

    if (use.kind == VECTOR_USE_OPERATE) {
        insn = gen_begin_operation(g, use.node);
    }
    access.no_result = true;
    Slow *slow = emit_mem(g, &access, &from);
    if (use.kind == VECTOR_USE_OPERATE) {
        gen_vector_insn(g, insn, from);
    } else {
        gen_fill_vector_mem(g, use.vector, access.size, from);
    }
    slow->use = use;
    slow->back = g->e.at;
    g->skip_to = use.skip_to;
    if (use.kind == VECTOR_USE_OPERATE) {
        gen_end_operation(g, use.node, insn);
    }
}

void gen_load(Gen *g, const IrNode *node)
{
    bool is_signed = node->op >= IR_LDS8;
    unsigned size = 1U << (node->op - (is_signed ? IR_LDS8 : IR_LD8));
    Access access = plain_access(node, size, false);
    Mem from;

    if (!is_signed) {
        VectorUse use = gen_find_use(g, node, size);
        if (use.kind != VECTOR_USE_NONE) {
            load_for_vector(g, access, use);
            return;
        }
    }
    Slow *slow = emit_mem(g, &access, &from);
    if (is_signed) {
        emit_load_signed(&g->e, size, slow->to, from);
    } else {
        emit_load(&g->e, size, slow->to, from);
    }
    slow->back = g->e.at;
}

/* What is stored; a lane of a vector goes from there. */
static Src stored(Gen *g, IrVal v, unsigned size)
{
    const IrNode *node = &g->ir->nodes[v];
    const Value *value = &g->value[v];
    unsigned within;

    if (value->kind == VALUE_GET && value->reg == NO_REG && dies(g, v) && size >= 4 &&
        1U << (node->op - IR_GET8) >= size) {
        unsigned vector = gen_lane_now(g, node->imm, size, &within);
        if (vector != NO_REG) {
            return (Src){ .kind = SRC_LANE, .reg = vector, .imm = (int32_t)within };
        }
    }
    return gen_src(g, v, size == 8);
}

void gen_store(Gen *g, const IrNode *node)
{
    unsigned size = 1U << (node->op - IR_ST8);
    Access access = plain_access(node, size, true);
    Src value = stored(g, node->b, size);
    Mem to;
    Slow *slow = emit_mem(g, &access, &to);

    if (value.kind == SRC_IMM) {
        emit_store_imm(&g->e, size, to, value.imm);
    } else if (value.kind == SRC_LANE) {
        gen_store_lane(g, to, value.reg, (unsigned)value.imm, size);
    } else if (value.kind == SRC_MEM) {
        emit_load(&g->e, size == 8 ? 8 : 4, RDX, value.mem);
        emit_store(&g->e, size, to, RDX);
    } else {
        emit_store(&g->e, size, to, value.reg);
    }
    slow->value = value;
    slow->back = g->e.at;
}

/* --- vectors ---------------------------------------------------------------------------------- */

static Access vector_access(const IrNode *node, bool write)
{
    unsigned size = node->op == IR_LD256 || node->op == IR_ST256 ? 32 : 16;

    return (Access){ .node = node,
                     .size = size,
                     .mmu = node->c,
                     .write = write,
                     .aligned = node->c & MMU_ALIGN,
                     .kind = write ? SLOW_STORE_VECTOR : SLOW_LOAD_VECTOR };
}

/* Bytes of CPU state that a vector load writes. */
static unsigned state_size(const IrNode *node)
{
    return node->op == IR_LD128 ? 16 : 32;
}

/* Where in CPU state the other end of a vector access is. */
typedef struct VectorPlace {
    unsigned reg;   /* or NO_REG: CPU state is right */
    bool upper;     /* the register's upper half */
    unsigned whole; /* X_L if it is 32 bytes */
} VectorPlace;

static VectorPlace place_of(Gen *g, const IrNode *node)
{
    VectorPlace place = { .reg = NO_REG };

    if (node->op == IR_LD256 || node->op == IR_ST256 || node->op == IR_LD128Z) {
        if (g->wide) {
            place.reg = gen_wide_at(g, node->imm);
            place.whole = node->op == IR_LD128Z ? 0 : X_L;
        } else if (gen_meets_vectors(g, node->imm, 32)) {
            gen_vectors_to_state(g);
        }
        return place;
    }
    if (node->op == IR_ST128) {
        place.reg = gen_upper_at(g, node->imm);
        place.upper = place.reg != NO_REG;
    }
    if (place.reg == NO_REG) {
        place.reg = gen_vector_at(g, node->imm);
    }
    return place;
}

/* Between memory and CPU state. */
static void move_memory(Gen *g, const IrNode *node, Mem to, Mem from)
{
    bool all = node->op == IR_LD256 || node->op == IR_ST256;

    if (g->wide && all) {
        gen_move_wide(g, to, from);
    } else if (g->wide && node->op == IR_LD128Z) {
        gen_move_zero(g, to, from);
    } else {
        gen_move_vector(g, to, from);
        from.disp += 16;
        to.disp += 16;
        if (all) {
            gen_move_vector(g, to, from);
        }
    }
}

/* The zeros above 16 bytes, in CPU state. */
static void clear_upper(Gen *g, const IrNode *node)
{
    emit_store_imm(&g->e, 8, state_mem(node->imm + 16), 0);
    emit_store_imm(&g->e, 8, state_mem(node->imm + 24), 0);
}

static void load_register(Gen *g, const IrNode *node, VectorPlace place, Mem from)
{
    if (node->op == IR_LD128) {
        emit_rm(&g->e, X_MOVUPS_LOAD, place.reg, from);
    } else {
        emit_vex_rm(&g->e, X_MOVUPS_LOAD | place.whole, place.reg, 0, from);
    }
}

void gen_vector_load(Gen *g, const IrNode *node)
{
    Access access = vector_access(node, false);
    Mem from;

    gen_state_changes(g, node->imm, state_size(node));
    gen_flush_state(g, node->imm, state_size(node));
    if (node->op != IR_LD128Z) {
        VectorUse use = gen_find_use(g, node, access.size);
        if (use.kind != VECTOR_USE_NONE) {
            load_for_vector(g, access, use);
            g->slow[g->n_slow - 1].value = (Src){ .kind = SRC_IMM, .imm = (int32_t)node->imm };
            return;
        }
    }
    VectorPlace place = place_of(g, node);
    Slow *slow = emit_mem(g, &access, &from);
    if (place.reg != NO_REG) {
        load_register(g, node, place, from);
    } else {
        move_memory(g, node, state_mem(node->imm), from);
    }
    slow->value = (Src){ .kind = SRC_IMM, .imm = (int32_t)node->imm };
    slow->vector = (uint8_t)place.reg;
    slow->back = g->e.at;
    if (node->op == IR_LD128Z && !g->wide) {
        clear_upper(g, node);
    }
}

static void store_register(Gen *g, VectorPlace place, Mem to)
{
    if (place.upper) {
        emit_vex_rm(&g->e, X_VEXTRACTF128 | X_L, place.reg, 0, to);
        emit_vex_imm8(&g->e, 1);
    } else if (g->wide) {
        emit_vex_rm(&g->e, X_MOVUPS_STORE | place.whole, place.reg, 0, to);
    } else {
        emit_rm(&g->e, X_MOVUPS_STORE, place.reg, to);
    }
}

void gen_vector_store(Gen *g, const IrNode *node)
{
    Access access = vector_access(node, true);
    Mem to;
    gen_flush_state(g, node->imm, access.size);
    VectorPlace place = place_of(g, node);
    Slow *slow = emit_mem(g, &access, &to);

    if (place.reg != NO_REG) {
        store_register(g, place, to);
    } else {
        move_memory(g, node, to, state_mem(node->imm));
    }
    slow->value = (Src){ .kind = SRC_IMM, .imm = (int32_t)node->imm };
    slow->back = g->e.at;
}

void gen_probe(Gen *g, const IrNode *node)
{
    unsigned bytes = (unsigned)MIN(node->imm, PAGE_SIZE);
    Access access = {
        .node = node, .size = bytes, .mmu = node->c, .write = true, .kind = SLOW_PROBE
    };
    Mem mem;
    Slow *slow = emit_mem(g, &access, &mem);

    slow->value = (Src){ .kind = SRC_IMM, .imm = (int32_t)bytes };
    slow->back = g->e.at;
}

/* --- atomics ---------------------------------------------------------------------------------- */

/* Operations by size: the 8-bit one's number, log2 of bytes added. */
static Access atomic_access(const IrNode *node, unsigned step, SlowKind kind)
{
    return (Access){ .node = node,
                     .displacement = node->imm,
                     .size = 1U << step,
                     .mmu = node->c,
                     .write = true,
                     .aligned = true,
                     .kind = kind };
}

static const unsigned by_step[3][4] = {
    { X_XCHG8, X_XCHG16, X_XCHG32, X_XCHG32 | X_W },
    { X_XADD8, X_XADD16, X_XADD32, X_XADD32 | X_W },
    { X_CMPXCHG8, X_CMPXCHG16, X_CMPXCHG32, X_CMPXCHG32 | X_W },
};

/* @to = the low bytes of @from, zero-extended. */
static void zero_extend(Gen *g, unsigned step, unsigned to, unsigned from)
{
    static const unsigned ops[4] = { X_MOVZX8, X_MOVZX16, X_LOAD32, X_LOAD64 };

    emit_rr(&g->e, ops[step], to, from);
}

/* The next instruction must be atomic to other vCPUs, and a fence to devices.  With one vCPU any
 * single instruction is atomic; guests that want the fence alone lock an operation on their stack
 * (decision 7). */
static void lock(Gen *g, const Access *access)
{
    if (!g->code->single || (access->mmu & MMU_STACK)) {
        emit_lock(&g->e);
    }
}

/* XCHG and XADD: the host's own, with the operand in RDX. */
static void exchange(Gen *g, const IrNode *node, unsigned step, bool add)
{
    Access access = atomic_access(node, step, SLOW_ATOMIC + (add ? ATOMIC_ADD : ATOMIC_XCHG));
    Src operand = gen_src(g, node->b, true);
    Mem mem;
    Slow *slow = emit_mem(g, &access, &mem);

    slow->value = operand;
    gen_move_src(g, RDX, true, operand);
    if (add) {
        lock(g, &access);
    }
    emit_rm(&g->e, by_step[add][step], RDX, mem);
    zero_extend(g, step, slow->to, RDX);
    slow->back = g->e.at;
}

void gen_xchg(Gen *g, const IrNode *node)
{
    exchange(g, node, node->op - IR_XCHG8, false);
}

void gen_xadd(Gen *g, const IrNode *node)
{
    exchange(g, node, node->op - IR_XADD8, true);
}

/* What an operation of the rmw family is. */
static const struct {
    IrOp first;
    Alu alu;
    AtomicOp atomic;
} rmws[] = {
    { IR_RMWAND8, ALU_AND, ATOMIC_AND },
    { IR_RMWOR8, ALU_OR, ATOMIC_OR },
    { IR_RMWXOR8, ALU_XOR, ATOMIC_XOR },
};

static void operate(Gen *g, Alu alu, unsigned to, Src operand)
{
    if (operand.kind == SRC_IMM) {
        emit_alu_ri(&g->e, alu, true, to, operand.imm);
    } else if (operand.kind == SRC_MEM) {
        emit_alu_rm(&g->e, alu, true, to, operand.mem);
    } else {
        emit_alu_rr(&g->e, alu, true, to, operand.reg);
    }
}

void gen_rmw(Gen *g, const IrNode *node)
{
    unsigned which = (node->op - IR_RMWAND8) / 4u, step = (node->op - IR_RMWAND8) % 4u;
    Access access = atomic_access(node, step, SLOW_ATOMIC + rmws[which].atomic);
    Src operand = gen_src(g, node->b, true);
    Mem mem;
    Slow *slow = emit_mem(g, &access, &mem);

    slow->value = operand;
    /* RCX = host address; RAX = old value; RDX = new */
    emit_rm(&g->e, X_LEA64, RCX, mem);
    emit_load(&g->e, 1U << step, RAX, mem_at(RCX, 0));
    uint8_t *again = g->e.at;
    emit_mov(&g->e, true, RDX, RAX);
    operate(g, rmws[which].alu, RDX, operand);
    lock(g, &access);
    emit_rm(&g->e, by_step[2][step], RDX, mem_at(RCX, 0));
    emit_jcc(&g->e, CC_NE, again);
    zero_extend(g, step, slow->to, RAX);
    slow->back = g->e.at;
}

void gen_cas(Gen *g, const IrNode *node)
{
    unsigned step = node->op - IR_CAS8;
    Access access = { .node = node,
                      .size = 1U << step,
                      .mmu = (unsigned)node->imm,
                      .write = true,
                      .aligned = true,
                      .kind = SLOW_CAS };
    Src expected = gen_src(g, node->b, true), value = gen_src(g, node->c, true);
    Mem mem;
    Slow *slow = emit_mem(g, &access, &mem);

    slow->value = expected;
    slow->value2 = value;
    emit_rm(&g->e, X_LEA64, RCX, mem);
    gen_move_src(g, RAX, true, expected);
    gen_move_src(g, RDX, true, value);
    lock(g, &access);
    emit_rm(&g->e, by_step[2][step], RDX, mem_at(RCX, 0));
    zero_extend(g, step, slow->to, RAX);
    slow->back = g->e.at;
}

/* --- slow paths ------------------------------------------------------------------------------- */

/* What vectors do with a value that was loaded: it is in RAX, or its vector in CPU state. */
static void use_in_vectors(Gen *g, const Slow *slow)
{
    if (slow->use.kind == VECTOR_USE_FILL) {
        gen_fill_vector(g, slow->use.vector, RAX);
        return;
    }
    if (slow->info >> SLOW_KIND == SLOW_LOAD) {
        emit_store(&g->e, 8, state_mem(slow->use.scratch), RAX);
    }
    /* C changed the scratch register */
    VectorInsn insn = gen_begin_operation(g, slow->use.node);
    gen_vector_insn(g, insn, state_mem(slow->use.scratch));
}

static void result_of_slow(Gen *g, const Slow *slow)
{
    unsigned op = g->ir->nodes[slow->node].op;

    if (slow->use.kind != VECTOR_USE_NONE) {
        use_in_vectors(g, slow);
        return;
    }
    if (slow->vector != NO_REG) { /* it may be in CPU state alone */
        const IrNode *node = &g->ir->nodes[slow->node];
        VectorPlace place = { .reg = slow->vector, .whole = op == IR_LD256 ? X_L : 0 };
        load_register(g, node, place, state_mem(node->imm));
    } else if (op == IR_LD128Z && g->wide) {
        clear_upper(g, &g->ir->nodes[slow->node]);
    }
    if (slow->to == NO_REG) {
        return;
    }
    if (op == IR_LDS8) {
        emit_rr(&g->e, X_MOVSX8, slow->to, RAX);
    } else if (op == IR_LDS16) {
        emit_rr(&g->e, X_MOVSX16, slow->to, RAX);
    } else if (op == IR_LDS32) {
        emit_rr(&g->e, X_MOVSX32, slow->to, RAX);
    } else if (slow->to != RAX) {
        emit_mov(&g->e, true, slow->to, RAX);
    }
}

/* Sets cpu->block and goes on in the fixed piece: one for all of a block's stores. */
static uint8_t *store_entry(Gen *g)
{
    uint8_t *at = g->e.at;

    gen_set_block(g);
    emit_jmp(&g->e, g->code->slow);
    return at;
}

static void slow_path(Gen *g, const Slow *slow, const uint8_t *store)
{
    SlowKind kind = slow->info >> SLOW_KIND;
    bool reads = kind == SLOW_LOAD || kind == SLOW_LOAD_VECTOR;

    emit_patch(slow->from, g->e.at);
    if (kind == SLOW_CAS) {
        gen_move_src(g, RAX, true, slow->value2);
        emit_store(&g->e, 8, mem_at(RSP, FRAME_ARGUMENT), RAX);
    }
    if (kind != SLOW_LOAD) {
        bool wide = kind != SLOW_STORE || (slow->info >> SLOW_SIZE & 7) == 3;
        gen_move_src(g, RDX, wide, slow->value);
    }
    if (slow->disp) {
        emit_rm(&g->e, X_LEA64, RCX, mem_at(slow->gva, slow->disp));
    } else if (slow->gva != RCX) {
        emit_mov(&g->e, true, RCX, slow->gva);
    }
    if (slow->addend != NO_REG) {
        emit_store(&g->e, 8, mem_at(RSP, FRAME_SAVE), RCX);
    }
    emit_mov_imm(&g->e, RAX, slow->info);
    emit_call(&g->e, reads ? g->code->slow : store);
}

/* A leader's slow path has filled in the entry, perhaps: what do the followers use? */
static void addend_of_slow(Gen *g, const Slow *slow)
{
    unsigned mmu = slow->info >> SLOW_MMU, by = slow->addend;

    emit_load(&g->e, 8, RCX, mem_at(RSP, FRAME_SAVE));
    check_group(g, slow->group, by, RCX, 0, mmu);
    Mem entry = entry_mem(mmu, offsetof(TlbEntry, addend));
    entry.index = (uint8_t)by;
    emit_load(&g->e, 8, by, entry);
    uint8_t *good = emit_jcc(&g->e, CC_E, NULL);
    emit_mov_imm(&g->e, by, 0);
    emit_patch(good, g->e.at);
}

/* Where faults with the same bindings go. */
static void fault_paths(Gen *g, uint8_t *const *faults)
{
    for (unsigned i = 0; i < g->n_slow;) {
        Park park = g->slow[i].park;
        const uint8_t *at = park.n ? g->e.at : g->code->exit_fault;
        unsigned next = i;
        while (next < g->n_slow && g->slow[next].park.first == park.first &&
               g->slow[next].park.n == park.n) {
            emit_patch(faults[next++], at);
        }
        if (park.n) {
            gen_write_parked(g, park);
            emit_jmp(&g->e, g->code->exit_fault);
        }
        i = next;
    }
}

void gen_slow_paths(Gen *g)
{
    uint8_t *faults[IR_MAX_NODES] __attribute__((uninitialized));
    uint8_t *store = NULL;

    for (unsigned i = 0; i < g->n_slow; i++) {
        const Slow *slow = &g->slow[i];
        SlowKind kind = slow->info >> SLOW_KIND;
        if (kind != SLOW_LOAD && kind != SLOW_LOAD_VECTOR && !store) {
            store = store_entry(g);
        }
        slow_path(g, slow, store);
        faults[i] = emit_jcc(&g->e, CC_E, NULL);
        for (uint32_t left = slow->others; left; left &= left - 1) {
            emit_mov_imm(&g->e, (unsigned)__builtin_ctz(left), 0);
        }
        if (slow->addend != NO_REG) {
            addend_of_slow(g, slow);
        }
        result_of_slow(g, slow);
        emit_jmp(&g->e, slow->back);
    }
    fault_paths(g, faults);
}
