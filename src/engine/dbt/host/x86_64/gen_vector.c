/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of vector operations: the guest's vector registers stay in the host's.
 *
 * Guest register n is host XMM n for n below PINNED; XMM15 is scratch, and guest registers from
 * there on live in CPU state, as do temporaries.  All of them are loaded at once, along with MXCSR,
 * by the first block that needs them, and go back to CPU state when C is called or compiled code
 * is left; cpu->vectors_live tells which.  A block knows by itself once it has made sure
 * (g->vectors), so that chained blocks pay one comparison.
 *
 * Where the host has AVX2, a block with some operation on 32 bytes (g->wide) works on YMM
 * registers, and with VEX encodings wherever they mean the same; other blocks leave upper halves
 * alone, in the host's registers or in CPU state.  As the guest's VZEROUPPER is one of the host's,
 * both are as quick as the guest's author meant them to be.
 *
 * What a load brings for one operation alone is that operation's own memory operand.
 */
#include "engine/dbt/host/x86_64/gen.h"

enum { XMM_SCRATCH = PINNED };

/* Opcodes between vector and general registers: reg is the vector, rm the other. */
enum {
    X_MOVD_FROM = 0x7e | X_0F | X_66,
    X_MOVD_TO = 0x6e | X_0F | X_66,
    X_PEXTRB = 0x14 | X_0F3A | X_66,
    X_PEXTRW = 0xc5 | X_0F | X_66, /* here reg is the general one */
    X_PEXTRD = 0x16 | X_0F3A | X_66,
    X_PINSRB = 0x20 | X_0F3A | X_66,
    X_PINSRW = 0xc4 | X_0F | X_66,
    X_PINSRD = 0x22 | X_0F3A | X_66,
    X_MOVQ_STORE = 0xd6 | X_0F | X_66,
    X_MOVHPS_STORE = 0x17 | X_0F,
    X_PXOR = 0xef | X_0F | X_66,
};

static const VectorFile *file_of(const Gen *g)
{
    return &g->code->isa->vector_file;
}

/* --- where they are --------------------------------------------------------------------------- */

void gen_make_live(Gen *g)
{
    const uint8_t *load = g->wide ? g->code->load_wide : g->code->load_vectors;

    if (g->vectors == VECTORS_UNKNOWN) {
        int32_t live = g->wide ? LIVE_WIDE : LIVE_NONE;
        emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(vectors_live), live);
        uint8_t *done = emit_jcc(&g->e, g->wide ? CC_E : CC_NE, NULL);
        emit_call(&g->e, load);
        emit_patch(done, g->e.at);
    } else if (g->vectors == VECTORS_IN_STATE) {
        emit_call(&g->e, load);
    }
    g->vectors = VECTORS_LIVE;
}

bool gen_is_wide(const Gen *g)
{
    for (unsigned i = 0; g->code->wide && i < g->ir->n_nodes; i++) {
        const IrNode *node = &g->ir->nodes[i];
        if (node->op == IR_LD256 || node->op == IR_ST256 || node->op == IR_LD128Z ||
            (node->op == IR_VOP && ir_vector_shape(node->imm) != IR_SHAPE_LOW)) {
            return true;
        }
    }
    return false;
}

void gen_vectors_to_state(Gen *g)
{
    if (g->vectors == VECTORS_UNKNOWN) {
        emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(vectors_live), 0);
        uint8_t *none = emit_jcc(&g->e, CC_E, NULL);
        emit_call(&g->e, g->code->save_vectors);
        emit_patch(none, g->e.at);
    } else if (g->vectors == VECTORS_LIVE) {
        emit_call(&g->e, g->code->save_vectors);
    }
    g->vectors = VECTORS_IN_STATE;
}

/* What bytes of CPU state are to the vector registers. */
typedef enum Meeting {
    MEETS_NOTHING, /* in memory always */
    MEETS_LANE,    /* inside one that can be in a host register */
    MEETS_MORE,    /* something else of the vectors or their control word */
} Meeting;

static Meeting meet(const Gen *g, uint64_t offset, unsigned size, unsigned *ret_vector,
                    unsigned *ret_within)
{
    const VectorFile *file = file_of(g);
    uint64_t relative = offset - file->offset;
    unsigned stride = file->stride;

    if (!g->code->vectors) {
        return MEETS_NOTHING;
    }
    if (offset < file->control + 4U && offset + size > file->control) {
        return MEETS_MORE;
    }
    if (offset + size <= file->offset || offset >= file->offset + PINNED * stride) {
        return MEETS_NOTHING;
    }
    if (offset < file->offset) {
        return MEETS_MORE;
    }
    *ret_vector = (unsigned)(relative / stride);
    *ret_within = (unsigned)(relative % stride);
    if (*ret_within + size <= 16) {
        return MEETS_LANE;
    }
    bool above = *ret_within >= 16 && *ret_within + size <= stride;
    return above && !g->code->wide ? MEETS_NOTHING : MEETS_MORE;
}

unsigned gen_lane_now(const Gen *g, uint64_t offset, unsigned size, unsigned *ret_within)
{
    unsigned vector;

    if (g->vectors != VECTORS_LIVE || meet(g, offset, size, &vector, ret_within) != MEETS_LANE) {
        return NO_REG;
    }
    return vector;
}

unsigned gen_lane(Gen *g, uint64_t offset, unsigned size, unsigned *ret_within)
{
    unsigned vector;
    Meeting meeting = meet(g, offset, size, &vector, ret_within);

    if (meeting == MEETS_NOTHING || g->vectors == VECTORS_IN_STATE) {
        return NO_REG;
    }
    /* a lane is reached by an instruction only if it is aligned to its size */
    if (meeting == MEETS_MORE || (*ret_within & (size - 1))) {
        gen_vectors_to_state(g);
        return NO_REG;
    }
    gen_make_live(g);
    return vector;
}

bool gen_meets_vectors(const Gen *g, uint64_t offset, unsigned size)
{
    unsigned vector, within;

    return meet(g, offset, size, &vector, &within) != MEETS_NOTHING;
}

unsigned gen_vector_at(Gen *g, uint64_t offset)
{
    unsigned vector, within;
    Meeting meeting = meet(g, offset, 16, &vector, &within);

    if (meeting == MEETS_NOTHING) {
        return NO_REG;
    }
    if (meeting == MEETS_MORE) {
        gen_vectors_to_state(g);
        return NO_REG;
    }
    gen_make_live(g);
    return vector;
}

unsigned gen_wide_at(Gen *g, uint64_t offset)
{
    unsigned vector, within;
    Meeting meeting = meet(g, offset, 16, &vector, &within);

    if (meeting == MEETS_LANE && within == 0) {
        gen_make_live(g);
        return vector;
    }
    if (gen_meets_vectors(g, offset, 32)) {
        gen_vectors_to_state(g);
    }
    return NO_REG;
}

unsigned gen_upper_at(Gen *g, uint64_t offset)
{
    unsigned vector, within;

    if (!g->wide || meet(g, offset - 16, 16, &vector, &within) != MEETS_LANE || within) {
        return NO_REG;
    }
    gen_make_live(g);
    return vector;
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* An instruction that writes no vector register, or scratch alone; @imm -1: none. */
static void plain_rr(Gen *g, unsigned op, unsigned reg, unsigned rm, int imm)
{
    if (g->wide) {
        emit_vex_rr(&g->e, op, reg, 0, rm);
    } else {
        emit_rr(&g->e, op, reg, rm);
    }
    if (imm >= 0) {
        emit_vex_imm8(&g->e, (unsigned)imm);
    }
}

static void plain_rm(Gen *g, unsigned op, unsigned reg, Mem rm, int imm)
{
    if (g->wide) {
        emit_vex_rm(&g->e, op, reg, 0, rm);
    } else {
        emit_rm(&g->e, op, reg, rm);
    }
    if (imm >= 0) {
        emit_vex_imm8(&g->e, (unsigned)imm);
    }
}

void gen_read_lane(Gen *g, unsigned to, unsigned vector, unsigned within, unsigned size)
{
    unsigned wide = size == 8 ? X_W : 0;

    if (size == 1) {
        plain_rr(g, X_PEXTRB, vector, to, (int)within);
    } else if (size == 2) {
        plain_rr(g, X_PEXTRW, to, vector, (int)within / 2);
    } else if (within == 0) {
        plain_rr(g, X_MOVD_FROM | wide, vector, to, -1);
    } else {
        plain_rr(g, X_PEXTRD | wide, vector, to, (int)(within / size));
    }
}

void gen_write_lane(Gen *g, unsigned vector, unsigned within, unsigned size, unsigned from)
{
    Emit *e = &g->e;
    unsigned wide = size == 8 ? X_W : 0;

    if (size == 1) {
        emit_rr_imm8(e, X_PINSRB, vector, from, within);
    } else if (size == 2) {
        emit_rr_imm8(e, X_PINSRW, vector, from, within / 2);
    } else {
        emit_rr_imm8(e, X_PINSRD | wide, vector, from, within / size);
    }
}

void gen_store_lane(Gen *g, Mem to, unsigned vector, unsigned within, unsigned size)
{
    if (size == 8) {
        plain_rm(g, within ? X_MOVHPS_STORE : X_MOVQ_STORE, vector, to, -1);
    } else if (within == 0) {
        plain_rm(g, X_MOVD_FROM, vector, to, -1);
    } else {
        plain_rm(g, X_PEXTRD, vector, to, (int)within / 4);
    }
}

void gen_fill_vector(Gen *g, unsigned vector, unsigned from)
{
    emit_rr(&g->e, X_MOVD_TO | X_W, vector, from);
}

void gen_fill_vector_mem(Gen *g, unsigned vector, unsigned size, Mem from)
{
    emit_rm(&g->e, X_MOVD_TO | (size == 8 ? X_W : 0), vector, from);
}

void gen_clear_vector(Gen *g, unsigned vector)
{
    emit_rr(&g->e, X_PXOR, vector, vector);
}

void gen_move_vector(Gen *g, Mem to, Mem from)
{
    plain_rm(g, X_MOVUPS_LOAD, XMM_SCRATCH, from, -1);
    plain_rm(g, X_MOVUPS_STORE, XMM_SCRATCH, to, -1);
}

void gen_move_wide(Gen *g, Mem to, Mem from)
{
    emit_vex_rm(&g->e, X_MOVUPS_LOAD | X_L, XMM_SCRATCH, 0, from);
    emit_vex_rm(&g->e, X_MOVUPS_STORE | X_L, XMM_SCRATCH, 0, to);
}

void gen_move_zero(Gen *g, Mem to, Mem from)
{
    emit_vex_rm(&g->e, X_MOVUPS_LOAD, XMM_SCRATCH, 0, from);
    emit_vex_rm(&g->e, X_MOVUPS_STORE | X_L, XMM_SCRATCH, 0, to);
}

/* --- operations ------------------------------------------------------------------------------- */

static const VectorHost *host_of(const Gen *g, const IrNode *node)
{
    return &file_of(g)->host[ir_vector_number(node->imm)];
}

/* The vector register at @offset or NO_REG, where all are live. */
static unsigned live_vector(const Gen *g, uint64_t offset)
{
    unsigned vector, within;

    return meet(g, offset, 16, &vector, &within) == MEETS_LANE ? vector : NO_REG;
}

/* Memory that can be an operand of 16 bytes: a whole register's or temporary's. */
static bool is_vector(const Gen *g, uint64_t offset)
{
    const VectorFile *file = file_of(g);
    uint64_t relative = offset - file->offset;

    return offset >= file->offset && relative % file->stride == 0;
}

static bool has_needed(const HostFeatures *host, unsigned needs)
{
    return (host->aes || !(needs & VECTOR_NEEDS_AES)) &&
           (host->pclmul || !(needs & VECTOR_NEEDS_PCLMUL)) &&
           (host->fma || !(needs & VECTOR_NEEDS_FMA)) &&
           (host->f16c || !(needs & VECTOR_NEEDS_F16C));
}

/* Whether the operation writes more than 16 bytes of its destination: with a VEX prefix. */
static bool is_vex(const IrNode *node)
{
    return ir_vector_shape(node->imm) != IR_SHAPE_LOW;
}

/* Bytes of its second source that the operation can take from memory. */
static unsigned source_bytes(const Gen *g, const IrNode *node)
{
    const VectorHost *host = host_of(g, node);

    if (ir_vector_shape(node->imm) != IR_SHAPE_WIDE) {
        return host->bytes;
    }
    return host->bytes_wide ? host->bytes_wide : 2U * host->bytes;
}

static bool can_operate(const Gen *g, const IrNode *node)
{
    if (!g->code->vectors || gen_meets_stack(g, node->a, 16, true) ||
        gen_meets_stack(g, node->b, 16, false) || gen_meets_stack(g, node->c, 16, false)) {
        return false;
    }
    const VectorHost *host = host_of(g, node);
    const VectorOp *op = &g->code->isa->vectors[ir_vector_number(node->imm)];
    unsigned form = host->form;

    if (form == VECTOR_CALL || (is_vex(node) ? !g->wide : form > VECTOR_FLAGS) ||
        (op->may_fault && (g->block->key & file_of(g)->key_exact)) ||
        !has_needed(&g->code->host, host->needs)) {
        return false;
    }
    if (form == VECTOR_ZERO) {
        return ir_vector_immediate(node->imm) == file_of(g)->count;
    }
    if (!is_vector(g, node->a) || !is_vector(g, node->b) || !is_vector(g, node->c)) {
        return false;
    }
    if (form == VECTOR_NUMBER || form == VECTOR_FLAGS) {
        return live_vector(g, node->a) == NO_REG;
    }
    return !host->from_memory || live_vector(g, node->c) == NO_REG;
}

static unsigned opcode_of(const VectorHost *host)
{
    unsigned prefix = host->prefix == 0x66   ? X_66
                      : host->prefix == 0xf3 ? X_F3
                      : host->prefix == 0xf2 ? X_F2
                                             : 0;

    return host->opcode | host->map * (unsigned)X_0F | prefix | (host->wide ? X_W : 0);
}

static void load_scratch(Gen *g, uint64_t offset)
{
    unsigned vector = live_vector(g, offset);

    if (vector == NO_REG) {
        plain_rm(g, X_MOVUPS_LOAD, XMM_SCRATCH, state_mem(offset), -1);
    } else {
        plain_rr(g, X_MOVAPS, XMM_SCRATCH, vector, -1);
    }
}

/* The register at @offset; one that is in CPU state comes to scratch.  Only one of the guest's
 * registers is there, so that an instruction's operands which share scratch are the same. */
static unsigned vex_source(Gen *g, uint64_t offset)
{
    unsigned vector = live_vector(g, offset);

    if (vector == NO_REG) {
        emit_vex_rm(&g->e, X_MOVUPS_LOAD | X_L, XMM_SCRATCH, 0, state_mem(offset));
        return XMM_SCRATCH;
    }
    return vector;
}

/* For VECTOR_STORE .reg is the source. */
static VectorInsn begin_vex(Gen *g, const IrNode *node)
{
    const VectorHost *host = host_of(g, node);
    bool whole = host->whole || ir_vector_shape(node->imm) == IR_SHAPE_WIDE;
    unsigned to = live_vector(g, node->a), immediate = ir_vector_immediate(node->imm);
    VectorInsn insn = { .op = opcode_of(host) | (whole ? X_L : 0),
                        .vex = true,
                        .reg = to == NO_REG ? XMM_SCRATCH : to,
                        .imm = host->immediate ? (int)immediate : -1 };

    switch (host->form) {
    case VECTOR_NUMBER:
        insn.reg = RAX;
        break;
    case VECTOR_FLAGS:
        insn.reg = vex_source(g, node->b);
        break;
    case VECTOR_STORE:
        insn.reg = vex_source(g, node->c);
        break;
    case VECTOR_BINARY:
        insn.v = vex_source(g, node->b);
        break;
    case VECTOR_BLEND:
        insn.v = vex_source(g, node->b);
        insn.imm =
            (int)vex_source(g, file_of(g)->offset + (uint64_t)(immediate & 15) * file_of(g)->stride)
            << 4;
        break;
    case VECTOR_TERNARY:
        vex_source(g, node->a);
        insn.v = vex_source(g, node->b);
        break;
    default: /* VECTOR_UNARY, VECTOR_SHIFT */
        break;
    }
    return insn;
}

VectorInsn gen_begin_operation(Gen *g, const IrNode *node)
{
    const VectorHost *host = host_of(g, node);
    VectorInsn insn = { .op = opcode_of(host),
                        .reg = XMM_SCRATCH,
                        .imm = host->immediate ? (int)ir_vector_immediate(node->imm) : -1 };
    unsigned to = live_vector(g, node->a);

    if (is_vex(node) || (g->wide && (host->form == VECTOR_NUMBER || host->form == VECTOR_FLAGS))) {
        return begin_vex(g, node);
    }
    switch (host->form) {
    case VECTOR_NUMBER:
        insn.reg = RAX;
        return insn;
    case VECTOR_FLAGS:
        insn.reg = live_vector(g, node->b);
        if (insn.reg == NO_REG) {
            insn.reg = XMM_SCRATCH;
            load_scratch(g, node->b);
        }
        return insn;
    case VECTOR_UNARY:
        insn.reg = to == NO_REG ? XMM_SCRATCH : to;
        return insn;
    default:
        if (to != NO_REG && node->a == node->b) {
            insn.reg = to;
        } else {
            load_scratch(g, node->b);
        }
        return insn;
    }
}

void gen_vector_insn(Gen *g, VectorInsn insn, Mem from)
{
    if (insn.vex) {
        emit_vex_rm(&g->e, insn.op, insn.reg, insn.v, from);
    } else {
        emit_rm(&g->e, insn.op, insn.reg, from);
    }
    if (insn.imm >= 0) {
        emit_vex_imm8(&g->e, (unsigned)insn.imm);
    }
}

static void vector_insn_rr(Gen *g, VectorInsn insn, unsigned rm)
{
    if (insn.vex) {
        emit_vex_rr(&g->e, insn.op, insn.reg, insn.v, rm);
    } else {
        emit_rr(&g->e, insn.op, insn.reg, rm);
    }
    if (insn.imm >= 0) {
        emit_vex_imm8(&g->e, (unsigned)insn.imm);
    }
}

/* RAX is what @node gives: the value of the read that follows, or it goes to CPU state. */
static void number_result(Gen *g, const IrNode *node)
{
    unsigned at = (unsigned)(node - g->ir->nodes) + 1;
    const IrNode *next = node + 1;

    if ((next->op == IR_GET32 || next->op == IR_GET64) && next->imm == node->a &&
        g->value[at].kind == VALUE_GET) {
        g->skip_to = at + 1;
        if (g->value[at].uses) {
            emit_mov(&g->e, next->op == IR_GET64, gen_def_of(g, (IrVal)at), RAX);
        }
        return;
    }
    emit_store(&g->e, 8, state_mem(node->a), RAX);
}

void gen_end_operation(Gen *g, const IrNode *node, VectorInsn insn)
{
    const VectorHost *host = host_of(g, node);

    if (host->form == VECTOR_FLAGS) {
        emit_flags_to_rax(&g->e);
        emit_alu_ri(&g->e, ALU_AND, false, RAX, host->digit);
        number_result(g, node);
    } else if (host->form == VECTOR_NUMBER) {
        number_result(g, node);
    } else if (insn.vex) {
        if (live_vector(g, node->a) == NO_REG) { /* with the zeros above, if there are */
            emit_vex_rm(&g->e, X_MOVUPS_STORE | X_L, XMM_SCRATCH, 0, state_mem(node->a));
        }
    } else if (insn.reg == XMM_SCRATCH) {
        unsigned to = live_vector(g, node->a);
        if (to == NO_REG) {
            emit_rm(&g->e, X_MOVUPS_STORE, XMM_SCRATCH, state_mem(node->a));
        } else {
            emit_rr(&g->e, X_MOVAPS, to, XMM_SCRATCH);
        }
    }
}

/* A shift by the immediate: the register stands where the source does. */
static void shift(Gen *g, const IrNode *node, VectorInsn insn)
{
    unsigned digit = host_of(g, node)->digit;

    if (insn.vex) {
        emit_vex_rr(&g->e, insn.op, digit, insn.reg, vex_source(g, node->b));
    } else {
        emit_rr(&g->e, insn.op, digit, insn.reg);
    }
    emit_vex_imm8(&g->e, ir_vector_immediate(node->imm));
}

/* VZEROUPPER, and the same for registers in CPU state. */
static void zero_upper(Gen *g)
{
    const VectorFile *file = file_of(g);

    emit_vzeroupper(&g->e);
    emit_vex_rr(&g->e, X_PXOR, XMM_SCRATCH, XMM_SCRATCH, XMM_SCRATCH);
    for (unsigned i = PINNED; i < file->count; i++) {
        Mem upper = state_mem(file->offset + (uint64_t)i * file->stride + 16);
        emit_vex_rm(&g->e, X_MOVUPS_STORE, XMM_SCRATCH, 0, upper);
    }
}

static void call(Gen *g, const IrNode *node)
{
    const VectorOp *op = &g->code->isa->vectors[ir_vector_number(node->imm)];

    gen_all_state_changes(g);
    gen_flush_all_state(g);
    gen_ready_for_c(g);
    gen_save_for_call(g);
    gen_forget_for_call(g);
    emit_rm(&g->e, X_LEA64, RDI, mem_at(REG_CPU, -STATE_BIAS));
    emit_rm(&g->e, X_LEA64, RSI, state_mem(node->a));
    emit_rm(&g->e, X_LEA64, RDX, state_mem(node->b));
    emit_rm(&g->e, X_LEA64, RCX, state_mem(node->c));
    if (ir_vector_shape(node->imm) == IR_SHAPE_LOW) {
        emit_mov_imm(&g->e, R8, ir_vector_immediate(node->imm));
        gen_call_c(g, (const void *)(uintptr_t)op->fn);
    } else {
        emit_mov_imm(&g->e, R8, node->imm);
        gen_call_c(g, (const void *)(uintptr_t)g->code->isa->wide_vector);
    }
    if (op->may_fault) {
        gen_check_fault(g);
    }
}

void gen_vector_op(Gen *g, const IrNode *node)
{
    unsigned form = host_of(g, node)->form;

    if (!can_operate(g, node)) {
        call(g, node);
        return;
    }
    gen_state_changes(g, node->a, is_vex(node) ? 32 : 16);
    gen_make_live(g);
    if (form == VECTOR_ZERO) {
        zero_upper(g);
        return;
    }
    VectorInsn insn = gen_begin_operation(g, node);
    unsigned from = live_vector(g, node->c);
    if (from == NO_REG && form != VECTOR_STORE && host_of(g, node)->bytes == 0) {
        from = XMM_SCRATCH; /* takes no memory operand */
        if (insn.vex) {
            vex_source(g, node->c);
        } else {
            load_scratch(g, node->c);
        }
    }
    if (form == VECTOR_SHIFT) {
        shift(g, node, insn);
    } else if (form == VECTOR_STORE) {
        unsigned to = live_vector(g, node->a);
        vector_insn_rr(g, insn, to == NO_REG ? XMM_SCRATCH : to);
    } else if (from == NO_REG) {
        gen_vector_insn(g, insn, state_mem(node->c));
    } else {
        vector_insn_rr(g, insn, from);
    }
    gen_end_operation(g, node, insn);
}

/* --- loads for one operation ------------------------------------------------------------------ */

static unsigned next_node(const Gen *g, unsigned i)
{
    const IrBlock *ir = g->ir;

    do {
        i++;
    } while (i < ir->n_nodes && (ir->nodes[i].op == IR_CONST || ir->nodes[i].op == IR_NOP));
    return i;
}

static bool is_zero(const Gen *g, IrVal v)
{
    return g->value[v].kind == VALUE_CONST && g->ir->nodes[v].imm == 0;
}

bool gen_fills_vector(Gen *g, unsigned put, unsigned *ret_vector, unsigned *ret_skip_to)
{
    const IrNode *low = &g->ir->nodes[put];
    unsigned next = next_node(g, put), within;

    if (low->op != IR_PUT64 || next >= g->ir->n_nodes || !g->code->vectors) {
        return false;
    }
    const IrNode *high = &g->ir->nodes[next];
    if (high->op != IR_PUT64 || high->imm != low->imm + 8 || !is_zero(g, high->a) ||
        meet(g, low->imm, 16, ret_vector, &within) != MEETS_LANE) {
        return false;
    }
    *ret_skip_to = next + 1;
    return true;
}

/* The operation at node @i takes what was loaded to @scratch as its source, and nothing else
 * does. */
static bool operates_on(const Gen *g, unsigned i, uint64_t scratch, unsigned size)
{
    const VectorFile *file = file_of(g);
    const IrNode *node = &g->ir->nodes[i];

    if (i >= g->ir->n_nodes || node->op != IR_VOP ||
        scratch < file->offset + file->count * file->stride) {
        return false;
    }
    unsigned form = host_of(g, node)->form;
    return node->c == scratch && can_operate(g, node) && source_bytes(g, node) == size &&
           form != VECTOR_SHIFT && form != VECTOR_STORE && node->b != scratch;
}

/* Memory operands need not be aligned. */
static bool takes_unaligned(const Gen *g, unsigned i)
{
    return i < g->ir->n_nodes && g->ir->nodes[i].op == IR_VOP && is_vex(&g->ir->nodes[i]);
}

static VectorUse use_in_operation(Gen *g, unsigned i, uint64_t scratch)
{
    const IrNode *node = &g->ir->nodes[i];

    gen_state_changes(g, node->a, is_vex(node) ? 32 : 16);
    gen_make_live(g);
    return (VectorUse){
        .kind = VECTOR_USE_OPERATE, .scratch = scratch, .node = node, .skip_to = i + 1
    };
}

VectorUse gen_find_use(Gen *g, const IrNode *load, unsigned size)
{
    const VectorUse none = { .kind = VECTOR_USE_NONE };
    unsigned at = (unsigned)(load - g->ir->nodes), next = next_node(g, at), skip_to, vector;

    if (!g->code->vectors || next >= g->ir->n_nodes) {
        return none;
    }
    if (size >= 16) {
        bool fits = ((load->c & MMU_ALIGN) || takes_unaligned(g, next)) &&
                    operates_on(g, next, load->imm, size);
        return fits ? use_in_operation(g, next, load->imm) : none;
    }
    const IrNode *put = &g->ir->nodes[next];
    if (g->value[at].uses != 1 || put->op < IR_PUT8 || put->op > IR_PUT64 || put->a != at) {
        return none;
    }
    if (size >= 4 && gen_fills_vector(g, next, &vector, &skip_to)) {
        gen_state_changes(g, put->imm, 16);
        gen_make_live(g);
        return (VectorUse){ .kind = VECTOR_USE_FILL, .vector = vector, .skip_to = skip_to };
    }
    unsigned operation = next_node(g, next);
    if (1U << (put->op - IR_PUT8) == size && operates_on(g, operation, put->imm, size)) {
        return use_in_operation(g, operation, put->imm);
    }
    return none;
}
