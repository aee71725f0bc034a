/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code of floating point on a stack of registers: the guest's is in the host's x87.
 *
 * An operation that has a host form (StackHost) is one instruction of the host's, which does all of
 * it: registers, tags, TOP, status word, masked stack faults.  The stack is loaded by the first
 * block that needs it, and goes back to CPU state when C is called or compiled code is left, as
 * vectors do; cpu->stack_live tells which.  g->stack is what the block knows of that.
 *
 * A memory operand is the host instruction's own, behind a check of the TLB.  What that does not
 * cover goes to the operation's function in C, from behind the block.
 *
 * Host forms stand in contexts whose exceptions are all masked; so nothing here ever traps.
 */
#include "engine/dbt/host/x86_64/gen.h"

#include "common/bits.h"

enum { STACK_REGISTERS = 8, STACK_BYTES = 10 };

/* Instructions of the x87 that stand here on their own account. */
enum {
    X_FLDCW = 0xd9,
    FLDCW = 5,
    X_FNSTSW_AX = 0xdf,
    FNSTSW_AX = 4,
    EXCEPTION_MASKS = 0x3f, /* of the control word */
    CONTROL_WRITABLE = 0x1f3f,
    CONTROL_FIXED = 0x40,
    STATUS_TOP = 11,
    COMPARED = 0x45, /* ZF, PF, CF */
};

static const StackFile *file_of(const Gen *g)
{
    return &g->code->isa->stack;
}

/* --- where it is ------------------------------------------------------------------------------ */

bool gen_meets_stack(const Gen *g, uint64_t offset, unsigned size, bool write)
{
    const StackFile *file = file_of(g);

    return g->code->stack &&
           (ranges_overlap(offset, size, file->offset, (uint64_t)file->stride * STACK_REGISTERS) ||
            ranges_overlap(offset, size, file->status, 2) ||
            ranges_overlap(offset, size, file->top, 1) ||
            ranges_overlap(offset, size, file->tags, 1) ||
            (write && ranges_overlap(offset, size, file->control, 2)));
}

/* Jump over what follows unless the stack is live; to be patched. */
static uint8_t *unless_live(Gen *g)
{
    emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(stack_live), 0);
    return emit_jcc(&g->e, CC_E, NULL);
}

/* Reads and writes of these bytes of CPU state that wait happen now. */
static void settle(Gen *g, unsigned offset, unsigned size)
{
    gen_state_changes(g, offset, size);
    gen_flush_state(g, offset, size);
}

static void settle_all(Gen *g)
{
    const StackFile *file = file_of(g);

    settle(g, file->offset, file->stride * STACK_REGISTERS);
    settle(g, file->control, 2);
    settle(g, file->status, 2);
    settle(g, file->top, 1);
    settle(g, file->tags, 1);
}

void gen_stack_live(Gen *g)
{
    if (g->stack == STACK_LIVE) {
        return;
    }
    settle_all(g);
    if (g->stack == STACK_UNKNOWN) {
        emit_alu_mi(&g->e, ALU_CMP, 1, CPU_MEM(stack_live), 0);
        uint8_t *done = emit_jcc(&g->e, CC_NE, NULL);
        emit_call(&g->e, g->code->load_stack);
        emit_patch(done, g->e.at);
    } else {
        emit_call(&g->e, g->code->load_stack);
    }
    g->stack = STACK_LIVE;
}

void gen_stack_to_state(Gen *g)
{
    if (g->stack == STACK_UNKNOWN) {
        uint8_t *none = unless_live(g);
        emit_call(&g->e, g->code->save_stack);
        emit_patch(none, g->e.at);
    } else if (g->stack == STACK_LIVE) {
        emit_call(&g->e, g->code->save_stack);
    }
    g->stack = STACK_IN_STATE;
}

void gen_ready_for_c(Gen *g)
{
    _Static_assert(offsetof(DbtCpu, stack_live) == offsetof(DbtCpu, vectors_live) + 1 &&
                       offsetof(DbtCpu, vectors_live) % 2 == 0,
                   "both are looked at as one word");

    if (g->vectors == VECTORS_UNKNOWN && g->stack == STACK_UNKNOWN) {
        emit_alu_mi(&g->e, ALU_CMP, 2, CPU_MEM(vectors_live), 0);
        uint8_t *none = emit_jcc(&g->e, CC_E, NULL);
        emit_call(&g->e, g->code->save_all);
        emit_patch(none, g->e.at);
        g->vectors = VECTORS_IN_STATE;
        g->stack = STACK_IN_STATE;
        return;
    }
    gen_vectors_to_state(g);
    gen_stack_to_state(g);
}

/* --- operations ------------------------------------------------------------------------------- */

StackHost gen_stack_host(const Gen *g, const IrNode *node)
{
    const Helper *helper = &g->code->isa->helpers[node->imm];
    const IrNode *what = &g->ir->nodes[node->a], *mmu = &g->ir->nodes[node->c];

    if (!(helper->flags & HELPER_STACK) || !g->code->stack || what->op != IR_CONST) {
        return (StackHost){ .form = STACK_CALL };
    }
    StackHost host = file_of(g)->host(what->imm);
    bool memory = host.form == STACK_LOAD || host.form == STACK_STORE;
    if (memory && (mmu->op != IR_CONST || (mmu->imm & MMU_ALIGN))) {
        host.form = STACK_CALL;
    }
    return host;
}

static void instruction(Gen *g, StackHost host)
{
    emit_rr(&g->e, host.opcode, host.modrm >> 3 & 7, host.modrm & 7);
}

static void access_memory(Gen *g, const IrNode *node, StackHost host)
{
    StackSlow *slow = &g->stack_slow[g->n_stack_slow++];
    unsigned mmu = (unsigned)g->ir->nodes[node->c].imm;
    unsigned gva = gen_reg(g, node->b);

    gen_stack_live(g);
    *slow = (StackSlow){ .info = gen_info(g), .gva = (uint8_t)gva, .node = node };
    slow->park = gen_park(g);
    Mem memory = gen_check_tlb(g, gva, host.bytes, mmu, host.form == STACK_STORE, &slow->from);
    emit_rm(&g->e, host.opcode, host.modrm >> 3 & 7, memory);
    slow->back = g->e.at;
}

/* RAX = EFLAGS' ZF, PF and CF as the instruction leaves them. */
static void compare(Gen *g, StackHost host)
{
    gen_stack_live(g);
    instruction(g, host);
    emit_flags_to_rax(&g->e);
    emit_alu_ri(&g->e, ALU_AND, false, RAX, COMPARED);
}

static void move_if(Gen *g, const IrNode *node, StackHost host)
{
    unsigned condition = gen_reg(g, node->b);

    gen_stack_live(g);
    emit_rr(&g->e, X_TEST32, condition, condition);
    instruction(g, host);
}

/* RAX = the status word as CPU state has it. */
static void status_from_state(Gen *g)
{
    emit_load(&g->e, 1, RAX, state_mem(file_of(g)->top));
    emit_shift_imm(&g->e, SHIFT_SHL, false, RAX, STATUS_TOP);
    emit_load(&g->e, 2, RCX, state_mem(file_of(g)->status));
    emit_alu_rr(&g->e, ALU_OR, false, RAX, RCX);
}

static void status(Gen *g)
{
    uint8_t *none = NULL, *done = NULL;

    if (g->stack != STACK_LIVE) {
        settle_all(g);
    }
    if (g->stack == STACK_UNKNOWN) {
        none = unless_live(g);
    }
    if (g->stack != STACK_IN_STATE) {
        emit_rr(&g->e, X_FNSTSW_AX, FNSTSW_AX, RAX);
        emit_rr(&g->e, X_MOVZX16, RAX, RAX);
    }
    if (g->stack == STACK_UNKNOWN) {
        done = emit_jmp(&g->e, NULL);
        emit_patch(none, g->e.at);
    }
    if (g->stack != STACK_LIVE) {
        status_from_state(g);
    }
    if (done) {
        emit_patch(done, g->e.at);
    }
}

/* It goes to CPU state, and to the host's x87 if that has the guest's stack.  One that unmasks
 * something is for the function in C, which faults. */
static void control(Gen *g, const IrNode *node)
{
    Mem word = state_mem(file_of(g)->control);
    Leave leave = { .kind = LEAVE_HELPER,
                    .info = gen_info(g),
                    .helper = &g->code->isa->helpers[node->imm] };

    leave.arguments[0] = gen_park_value(g, node->a);
    leave.arguments[1] = gen_park_value(g, node->b);
    leave.arguments[2] = gen_park_value(g, node->c);
    settle(g, file_of(g)->control, 2);
    leave.park = gen_park(g);
    gen_load_to(g, RAX, node->b);
    emit_mov(&g->e, false, RCX, RAX);
    emit_alu_ri(&g->e, ALU_AND, false, RCX, EXCEPTION_MASKS);
    emit_alu_ri(&g->e, ALU_CMP, false, RCX, EXCEPTION_MASKS);
    leave.from = emit_jcc(&g->e, CC_NE, NULL);
    gen_add_leave(g, leave);
    emit_alu_ri(&g->e, ALU_AND, false, RAX, CONTROL_WRITABLE);
    emit_alu_ri(&g->e, ALU_OR, false, RAX, CONTROL_FIXED);
    emit_store(&g->e, 2, word, RAX);
    uint8_t *none = g->stack == STACK_UNKNOWN ? unless_live(g) : NULL;
    if (g->stack != STACK_IN_STATE) {
        emit_rm(&g->e, X_FLDCW, FLDCW, word);
    }
    if (none) {
        emit_patch(none, g->e.at);
    }
}

void gen_stack(Gen *g, const IrNode *node, StackHost host)
{
    bool gives = false; /* something other than 0, in RAX */

    switch (host.form) {
    case STACK_CONTROL:
        control(g, node);
        break;
    case STACK_STATUS:
        status(g);
        gives = true;
        break;
    case STACK_LOAD:
    case STACK_STORE:
        access_memory(g, node, host);
        break;
    case STACK_FLAGS:
        compare(g, host);
        gives = true;
        break;
    case STACK_MOVE_IF:
        move_if(g, node, host);
        break;
    default:
        gen_stack_live(g);
        instruction(g, host);
    }
    if (g->value[g->now].uses) {
        unsigned to = gen_def(g);
        if (gives) {
            emit_mov(&g->e, false, to, RAX);
        } else {
            emit_mov_imm(&g->e, to, 0);
        }
    }
}

/* --- behind the block ------------------------------------------------------------------------- */

void gen_stack_slow_paths(Gen *g)
{
    for (unsigned i = 0; i < g->n_stack_slow; i++) {
        const StackSlow *slow = &g->stack_slow[i];
        const IrNode *node = slow->node;
        const Helper *helper = &g->code->isa->helpers[node->imm];
        emit_patch(slow->from, g->e.at);
        emit_mov(&g->e, true, RDX, slow->gva);
        emit_mov_imm(&g->e, RAX, g->ir->nodes[node->a].imm);
        emit_store(&g->e, 8, mem_at(RSP, FRAME_ARGUMENT), RAX);
        emit_mov_imm(&g->e, RCX, g->ir->nodes[node->c].imm);
        gen_set_block(g);
        emit_mov_imm(&g->e, RAX, (uintptr_t)helper->fn);
        emit_call(&g->e, g->code->slow_stack);
        emit_jcc(&g->e, CC_NE, slow->back);
        gen_write_parked(g, slow->park);
        emit_mov_imm(&g->e, RAX, slow->info);
        emit_jmp(&g->e, g->code->exit_fault);
    }
}
