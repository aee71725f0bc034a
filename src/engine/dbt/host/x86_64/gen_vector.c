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
    if (g->vectors == VECTORS_UNKNOWN) {
        emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(vectors_live), 0);
        uint8_t *live = emit_jcc(&g->e, CC_NE, NULL);
        emit_call(&g->e, g->code->load_vectors);
        emit_patch(live, g->e.at);
    } else if (g->vectors == VECTORS_IN_STATE) {
        emit_call(&g->e, g->code->load_vectors);
    }
    g->vectors = VECTORS_LIVE;
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
    return *ret_within >= 16 && *ret_within + size <= stride ? MEETS_NOTHING : MEETS_MORE;
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

/* --- lanes ------------------------------------------------------------------------------------ */

void gen_read_lane(Gen *g, unsigned to, unsigned vector, unsigned within, unsigned size)
{
    Emit *e = &g->e;
    unsigned wide = size == 8 ? X_W : 0;

    if (size == 1) {
        emit_rr_imm8(e, X_PEXTRB, vector, to, within);
    } else if (size == 2) {
        emit_rr_imm8(e, X_PEXTRW, to, vector, within / 2);
    } else if (within == 0) {
        emit_rr(e, X_MOVD_FROM | wide, vector, to);
    } else {
        emit_rr_imm8(e, X_PEXTRD | wide, vector, to, within / size);
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
    Emit *e = &g->e;

    if (size == 8) {
        emit_rm(e, within ? X_MOVHPS_STORE : X_MOVQ_STORE, vector, to);
    } else if (within == 0) {
        emit_rm(e, X_MOVD_FROM, vector, to);
    } else {
        emit_rm_imm8(e, X_PEXTRD, vector, to, within / 4);
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
    emit_rm(&g->e, X_MOVUPS_LOAD, XMM_SCRATCH, from);
    emit_rm(&g->e, X_MOVUPS_STORE, XMM_SCRATCH, to);
}

/* --- operations ------------------------------------------------------------------------------- */

static const VectorHost *host_of(const Gen *g, const IrNode *node)
{
    return &file_of(g)->host[(uint32_t)node->imm];
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

static bool can_operate(const Gen *g, const IrNode *node)
{
    if (!g->code->vectors) {
        return false;
    }
    const VectorHost *host = host_of(g, node);
    const VectorOp *op = &g->code->isa->vectors[(uint32_t)node->imm];
    unsigned form = host->form;

    if (form == VECTOR_CALL || ir_vector_shape(node->imm) != IR_SHAPE_LOW ||
        (op->may_fault && (g->block->key & file_of(g)->key_exact)) ||
        ((host->needs & VECTOR_NEEDS_AES) && !g->code->host.aes) ||
        ((host->needs & VECTOR_NEEDS_PCLMUL) && !g->code->host.pclmul)) {
        return false;
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
        emit_rm(&g->e, X_MOVUPS_LOAD, XMM_SCRATCH, state_mem(offset));
    } else {
        emit_rr(&g->e, X_MOVAPS, XMM_SCRATCH, vector);
    }
}

VectorInsn gen_begin_operation(Gen *g, const IrNode *node)
{
    const VectorHost *host = host_of(g, node);
    VectorInsn insn = { .op = opcode_of(host),
                        .reg = XMM_SCRATCH,
                        .imm = host->immediate ? (int)(node->imm >> 32 & 0xff) : -1 };
    unsigned to = live_vector(g, node->a);

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
    if (insn.imm < 0) {
        emit_rm(&g->e, insn.op, insn.reg, from);
    } else {
        emit_rm_imm8(&g->e, insn.op, insn.reg, from, (unsigned)insn.imm);
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
    emit_rr_imm8(&g->e, insn.op, host_of(g, node)->digit, insn.reg, node->imm >> 32 & 0xff);
}

static void call(Gen *g, const IrNode *node)
{
    const VectorOp *op = &g->code->isa->vectors[(uint32_t)node->imm];

    gen_all_state_changes(g);
    gen_flush_all_state(g);
    gen_vectors_to_state(g);
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
    if (!can_operate(g, node)) {
        call(g, node);
        return;
    }
    gen_state_changes(g, node->a, 16);
    gen_make_live(g);
    VectorInsn insn = gen_begin_operation(g, node);
    unsigned from = live_vector(g, node->c);
    if (from == NO_REG && host_of(g, node)->bytes == 0) { /* takes no memory operand */
        load_scratch(g, node->c);
        from = XMM_SCRATCH;
    }
    if (host_of(g, node)->form == VECTOR_SHIFT) {
        shift(g, node, insn);
    } else if (from == NO_REG) {
        gen_vector_insn(g, insn, state_mem(node->c));
    } else if (insn.imm < 0) {
        emit_rr(&g->e, insn.op, insn.reg, from);
    } else {
        emit_rr_imm8(&g->e, insn.op, insn.reg, from, (unsigned)insn.imm);
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
    return node->c == scratch && can_operate(g, node) && host_of(g, node)->bytes == size &&
           host_of(g, node)->form != VECTOR_SHIFT && node->b != scratch;
}

static VectorUse use_in_operation(Gen *g, unsigned i, uint64_t scratch)
{
    const IrNode *node = &g->ir->nodes[i];

    gen_state_changes(g, node->a, 16);
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
    if (size == 16) {
        bool fits = (load->c & MMU_ALIGN) && operates_on(g, next, load->imm, 16);
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
