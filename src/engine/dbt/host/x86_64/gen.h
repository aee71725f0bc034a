/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generation of code from IR: what the gen_*.c files share.
 *
 * One pass over the block, each node through its rule.  A value lives in a host register, in a
 * slot of the native stack, or nowhere yet: constants, addresses of the block's own page and reads
 * of CPU state are made where they are used, often as an operand of the instruction that uses
 * them; what only one node can use as part of itself (a comparison under a branch, a sum under an
 * address) is "sunk" into that node (gen_analyse.c).  Values flow straight through the block, so
 * there is nothing to merge; what takes long stands behind the block's end and comes back with all
 * registers as they were.
 *
 * Registers: RBP the CPU (biased), R15 its TLB, R14 counts instructions, RSP the frame; RAX, RCX,
 * RDX are scratch inside each rule; the others hold values.  Guest registers live in CPU state.
 *
 * Threads: one compilation at a time for each Code.
 */
#pragma once

#include "engine/dbt/host/x86_64/code.h"
#include "engine/dbt/host/x86_64/emit.h"
#include "engine/dbt/ir/ir.h"
#include "engine/dbt/run/cache.h"
#include "engine/dbt/run/cpu.h"

enum {
    REG_CPU = RBP,
    REG_TLB = R15,
    REG_COUNT = R14,
    CALLEE_SAVED = 1 << RBX | 1 << R12 | 1 << R13,
    CALLER_SAVED = 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R11,
    ALLOCATABLE = CALLEE_SAVED | CALLER_SAVED,
    NO_VALUE = 0xffff,
    NO_SLOT = 0xffff,
    MAX_PENDING = 16,
    MAX_BOUND = 24,
    MAX_PARKED = 8192,
    LOOP_MAX_NODES = IR_MAX_NODES / 2 - 64,
    LOOP_MAX_CARRIED = 6,
    MAX_GROUPS = 64,
    NO_GROUP = 0xff,
};

typedef enum ValueKind {
    VALUE_PLAIN, /* in .reg or .slot or both, once its node was passed */
    VALUE_CONST, /* perhaps in .reg, too */
    VALUE_PC,    /* the same */
    VALUE_GET,   /* still in CPU state; VALUE_PLAIN once it was loaded */
    VALUE_SUNK,  /* part of the one node that uses it */
} ValueKind;

typedef struct Value {
    uint16_t uses;
    uint16_t last_use; /* node */
    uint16_t slot;
    uint8_t reg;
    uint8_t kind;
    uint8_t holds; /* bindings of state to it */
} Value;

/* CPU state whose value is known but not stored yet (gen_state.c). */
typedef struct Binding {
    uint32_t offset;
    IrVal v;
    bool immediate; /* .imm instead of a value */
    int32_t imm;
} Binding;

typedef struct Parked {
    uint32_t offset;
    IrVal v;
    uint16_t slot;
    uint8_t reg;
    bool immediate;
    int32_t imm;
} Parked;

/* What was bound at some point: a part of g->parked. */
typedef struct Park {
    uint16_t first, n;
} Park;

/* Where an operand can be taken from by an instruction. */
typedef struct Src {
    enum { SRC_REG, SRC_MEM, SRC_IMM, SRC_LANE } kind;
    unsigned reg; /* SRC_LANE: of vectors; .imm is the byte in it */
    Mem mem;
    int32_t imm;
} Src;

/* A block that jumps back to its head (gen_loop.c). */
typedef struct Agreed {
    Binding binding;
    uint8_t carried; /* number of the register that has it, instead of .binding's value */
} Agreed;

typedef struct Loop {
    unsigned back;       /* node that jumps back; NO_VALUE: none */
    const uint8_t *body; /* where the second copy begins; NULL: it does not exist yet */
    unsigned n, n_carried;
    Agreed contract[MAX_BOUND];
    IrVal from[LOOP_MAX_CARRIED]; /* values of the first copy */
    uint8_t reg[LOOP_MAX_CARRIED];
    int vectors, stack;
} Loop;

/* Accesses that share one check of the TLB (gen_merge.c). */
typedef struct Group {
    uint16_t first, last; /* nodes; the same: none but the first */
    int from, to;         /* bytes touched, relative to the first's address */
    unsigned align;       /* to which the first is checked, or 0; then all lie in its own bytes */
    bool write;           /* the entry must be good for writes */
    bool lost;            /* nobody may follow from here on */
} Group;

/* A vector instruction but for its source. */
typedef struct VectorInsn {
    unsigned op;
    unsigned reg, v;
    bool vex; /* with .v */
    int imm;  /* -1: none */
} VectorInsn;

/* What is done with a loaded value at once, by nodes behind: as part of the load. */
typedef struct VectorUse {
    enum { VECTOR_USE_NONE, VECTOR_USE_FILL, VECTOR_USE_OPERATE } kind;
    unsigned vector;    /* FILL: the register, zeros above */
    uint64_t scratch;   /* OPERATE: where the value would have gone */
    const IrNode *node; /* and the operation */
    unsigned skip_to;
} VectorUse;

/* A memory access whose slow path stands behind the block. */
typedef struct Slow {
    uint8_t *from;      /* displacement of the jump that leads there */
    uint8_t *back;      /* where it goes on */
    uint32_t info;      /* SLOW_ bits, code.h */
    uint8_t gva;        /* register */
    int32_t disp;       /* to be added to it */
    uint8_t to;         /* register of the result, or NO_REG */
    uint8_t vector;     /* of IR_LD128Z: vector register, or NO_REG */
    uint8_t addend;     /* a leader's register to fill; NO_REG: leads nobody */
    const Group *group; /* and those whom it leads */
    uint16_t others;    /* registers with addends that a store to a device makes wrong */
    uint16_t node;
    Src value;     /* what is stored, or the atomic's operand */
    Src value2;    /* CAS: the new value */
    VectorUse use; /* of what was loaded */
    Park park;     /* to be written if it faults */
} Slow;

/* The same for an instruction of the stack's: its helper is called (gen_x87.c). */
typedef struct StackSlow {
    uint8_t *from, *back;
    uint32_t info;
    uint8_t gva; /* register */
    const IrNode *node;
    Park park;
} StackSlow;

/* A jump that leaves the block by a place behind its end. */
typedef struct Leave {
    enum {
        LEAVE_CHAIN,
        LEAVE_FAR,
        LEAVE_HEAD,
        LEAVE_FAULT,
        LEAVE_ATTENTION,
        LEAVE_UNKNOWN, /* the jump cache has no entry for the address in .reg */
        LEAVE_HELPER,  /* it will fault; what is parked is written by these two alone */
        LEAVE_CHECK,   /* .reg is not canonical, or has no entry: then on at .back */
    } kind;
    uint8_t *from, *back;
    uint8_t reg, entry; /* registers */
    uint32_t info;
    int64_t delta; /* of the exit */
    Park park;     /* to be written first */
    bool parked;
    const Helper *helper;
    Parked arguments[3];
} Leave;

enum { MAX_SLOTS_USED = IR_MAX_NODES, MAX_LEAVES = IR_MAX_NODES };

typedef struct Gen {
    Emit e;
    Code *code;
    const IrBlock *ir;
    Block *block;
    unsigned now;       /* the node at work */
    unsigned insn;      /* the guest instruction it belongs to */
    unsigned next_call; /* the next node that calls C, at or behind .now */
    unsigned skip_to;   /* nodes in front of this one were made along with others */
    enum { VECTORS_UNKNOWN, VECTORS_LIVE, VECTORS_IN_STATE } vectors;
    bool wide; /* live vectors of this block have 32 bytes: some operation is about them */
    enum { STACK_UNKNOWN, STACK_LIVE, STACK_IN_STATE } stack;
    uint8_t *head;
    /* registers */
    uint16_t owner[16]; /* value, or NO_VALUE */
    uint32_t used;      /* registers with an owner */
    uint32_t pinned;    /* those that the node at work needs */
    /* slots of the frame */
    unsigned n_slots; /* ever used in this block */
    unsigned n_free;
    uint16_t free_slots[IR_MAX_NODES];
    unsigned n_spilled; /* values with a slot */
    uint16_t spilled[IR_MAX_NODES];
    /* reads of state that did not happen yet */
    unsigned n_pending;
    IrVal pending[MAX_PENDING];
    /* stores to state that did not happen yet */
    unsigned n_bound;
    Binding bound[MAX_BOUND];
    unsigned n_parked;
    Park last_park;
    Parked parked[MAX_PARKED];
    unsigned slot_uses[IR_EXIT_SLOTS]; /* exits by slot */
    bool looked_up; /* a value is the jump cache's entry for the exit at the end */
    Loop loop;
    unsigned n_groups;
    Group groups[MAX_GROUPS];
    uint8_t group_of[IR_MAX_NODES]; /* by node */
    unsigned n_slow, n_stack_slow, n_leaves;
    Value value[IR_MAX_NODES]; /* behind the nodes': carried around a loop, and groups' addends */
    Slow slow[IR_MAX_NODES];
    StackSlow stack_slow[IR_MAX_NODES];
    Leave leaves[MAX_LEAVES];
} Gen;

/* CPU state at byte @offset. */
static inline Mem state_mem(uint64_t offset)
{
    return mem_at(REG_CPU, (int32_t)offset - STATE_BIAS);
}
#define CPU_MEM(member) state_mem(offsetof(DbtCpu, member))

static inline Mem slot_mem(unsigned slot)
{
    return mem_at(RSP, (int32_t)(FRAME_SLOTS + slot * 8));
}

static inline bool fits32(uint64_t value)
{
    return (int64_t)value == (int32_t)value;
}

static inline bool dies(const Gen *g, IrVal v)
{
    return g->value[v].last_use <= g->now && !g->value[v].holds;
}

/* --- gen_analyse.c ----------------------------------------------------------------------------
 * Count uses, find last uses, decide what is sunk. */
void gen_analyse(Gen *g);
/* True if @node calls C. */
bool gen_calls_c(const Gen *g, const IrNode *node);
/* True if @op is one of the comparisons, in any form. */
bool gen_is_compare(unsigned op);

/* --- gen_alloc.c ------------------------------------------------------------------------------ */
void gen_alloc_begin(Gen *g);
/* No value lives anywhere. */
void gen_alloc_reset(Gen *g);
void gen_own(Gen *g, unsigned reg, IrVal v);
/* The register that holds @v from now on; leaves the flags alone, as all functions here do. */
unsigned gen_reg(Gen *g, IrVal v);
/* @v as an operand of 64 or 32 bits, whatever is cheapest; _no_imm: never a constant. */
Src gen_src(Gen *g, IrVal v, bool wide);
Src gen_src_no_imm(Gen *g, IrVal v, bool wide);
/* Put @v into the scratch register @to; it stays where it is. */
void gen_load_to(Gen *g, unsigned to, IrVal v);
void gen_move_src(Gen *g, unsigned to, bool wide, Src src);
/* A register for the current node's result; RAX if nobody uses that. */
unsigned gen_def(Gen *g);
/* The same, with @a's value (its low half if not @wide) in it: @a's own if it dies here. */
unsigned gen_def_from(Gen *g, IrVal a, bool wide);
/* The registers of operands that die here may be the result's. */
void gen_release(Gen *g);
/* The node is done: their slots are free, too. */
void gen_end_node(Gen *g);
/* Give every value that lives on and is in a register that C may clobber a slot; then, once the
 * arguments were taken, forget those registers. */
void gen_save_for_call(Gen *g);
void gen_forget_for_call(Gen *g);
/* The bytes of state are about to change: reads of them that wait happen now. */
void gen_state_changes(Gen *g, uint64_t offset, unsigned size);
void gen_all_state_changes(Gen *g);
void gen_add_pending(Gen *g, IrVal v);

/* Registers for the result of another node than the current one. */
unsigned gen_def_of(Gen *g, IrVal v);

/* @to = the page's address + @imm */
void gen_load_pc(Gen *g, unsigned to, uint64_t imm);

/* --- gen_state.c ------------------------------------------------------------------------------
 * The 8 bytes of state at @offset are @v from now on.  False: that must be stored now. */
bool gen_bind(Gen *g, uint64_t offset, IrVal v);
bool gen_bind_imm(Gen *g, uint64_t offset, int32_t imm);
/* Store what is bound of these bytes; all that is bound; what is bound to @v. */
void gen_flush_state(Gen *g, uint64_t offset, unsigned size);
void gen_flush_all_state(Gen *g);
bool gen_flush_value(Gen *g, IrVal v);
/* What is bound now, to be written behind the block. */
Park gen_park(Gen *g);
/* Where one value is now, and to fetch it from there behind the block. */
Parked gen_park_value(Gen *g, IrVal v);
void gen_load_parked(Gen *g, unsigned to, const Parked *p);
void gen_write_parked(Gen *g, Park park);

/* --- gen_merge.c ------------------------------------------------------------------------------
 * Once for a block; and before each pass over it. */
void gen_find_groups(Gen *g);
void gen_begin_groups(Gen *g);
/* The group that the node at work leads (NULL: none), or whether it follows; and the value of the
 * addend. */
const Group *gen_leads(Gen *g, IrVal *ret_addend);
bool gen_follows(Gen *g, IrVal *ret_addend);
/* The registers of all addends that are still wanted; those that are in the frame are lost. */
uint16_t gen_addends(Gen *g);
/* True if the access must find a page that can be written. */
bool gen_checks_write(const IrNode *node);

/* --- gen_loop.c -------------------------------------------------------------------------------
 * Does the block jump back to its head? */
void gen_find_loop(Gen *g);
/* The jump back; the first copy falls through to the second. */
void gen_loop_back(Gen *g);
void gen_begin_loop_body(Gen *g);
/* A read of state that a carried register holds: that is the value.  False: it is not so. */
bool gen_take_carried(Gen *g, const IrNode *get);

/* --- gen_vector.c -----------------------------------------------------------------------------
 * The host's vector register that has [@offset, @offset + @size) of CPU state now, or NO_REG: it
 * is in memory.  Makes one of both true. */
unsigned gen_lane(Gen *g, uint64_t offset, unsigned size, unsigned *ret_within);
/* The same, but only if it is so already. */
unsigned gen_lane_now(const Gen *g, uint64_t offset, unsigned size, unsigned *ret_within);
/* All vectors to host registers; to CPU state: C is called. */
void gen_make_live(Gen *g);
void gen_vectors_to_state(Gen *g);
void gen_read_lane(Gen *g, unsigned to, unsigned vector, unsigned within, unsigned size);
void gen_write_lane(Gen *g, unsigned vector, unsigned within, unsigned size, unsigned from);
void gen_store_lane(Gen *g, Mem to, unsigned vector, unsigned within, unsigned size);
/* All of a vector: @from in the low lane and zeros above; zeros; memory to memory. */
void gen_fill_vector(Gen *g, unsigned vector, unsigned from);
void gen_fill_vector_mem(Gen *g, unsigned vector, unsigned size, Mem from);
void gen_clear_vector(Gen *g, unsigned vector);
void gen_move_vector(Gen *g, Mem to, Mem from);
/* All 32 bytes; 16 bytes and zeros above. */
void gen_move_wide(Gen *g, Mem to, Mem from);
void gen_move_zero(Gen *g, Mem to, Mem from);
/* Node @put is a store of the low half whose upper half the next one clears. */
bool gen_fills_vector(Gen *g, unsigned put, unsigned *ret_vector, unsigned *ret_skip_to);
/* Some of these bytes of CPU state are of registers that can be in the host's. */
bool gen_meets_vectors(const Gen *g, uint64_t offset, unsigned size);
/* The vector register at @offset, to read or write whole; NO_REG: in memory.  _wide: 32 bytes, or
 * 16 bytes whose store clears what is above; _upper: the one whose upper half that is. */
unsigned gen_vector_at(Gen *g, uint64_t offset);
unsigned gen_wide_at(Gen *g, uint64_t offset);
unsigned gen_upper_at(Gen *g, uint64_t offset);
/* Some operation of the block is about 32 bytes. */
bool gen_is_wide(const Gen *g);
/* The use of what @load brings, @size bytes, if it can be part of that. */
VectorUse gen_find_use(Gen *g, const IrNode *load, unsigned size);
/* The parts of an operation around the one instruction that takes the source. */
VectorInsn gen_begin_operation(Gen *g, const IrNode *node);
void gen_vector_insn(Gen *g, VectorInsn insn, Mem from);
void gen_end_operation(Gen *g, const IrNode *node, VectorInsn insn);

/* --- gen_x87.c --------------------------------------------------------------------------------
 * How the host does what @node, a call, does with the stack: .form STACK_CALL if it does not. */
StackHost gen_stack_host(const Gen *g, const IrNode *node);
void gen_stack(Gen *g, const IrNode *node, StackHost host);
void gen_stack_live(Gen *g);
void gen_stack_to_state(Gen *g);
/* Some of these bytes of CPU state can be in the host's stack instead; or, for a write, are there,
 * too. */
bool gen_meets_stack(const Gen *g, uint64_t offset, unsigned size, bool write);
/* Vectors and stack are in CPU state, and the host's own as C wants them: C is called. */
void gen_ready_for_c(Gen *g);
void gen_stack_slow_paths(Gen *g);

/* --- gen.c, gen_mem.c, gen_flow.c: rules ------------------------------------------------------ */
/* Find the TLB entry for @size bytes at register @gva: *ret_from is the jump that is taken if it is
 * not fast, else they are at what is returned.  RAX and RDX change. */
Mem gen_check_tlb(Gen *g, unsigned gva, unsigned size, unsigned mmu, bool write,
                  uint8_t **ret_from);

typedef void GenRule(Gen *g, const IrNode *node);
GenRule gen_load, gen_store, gen_vector_load, gen_vector_store, gen_probe;
GenRule gen_xchg, gen_xadd, gen_rmw, gen_cas;
GenRule gen_exit, gen_exit_if, gen_exit_indirect, gen_exit_stop, gen_exit_state;
GenRule gen_call, gen_vector_op;
/* Set the flags by @v; the condition that holds if it is not 0. */
Condition gen_condition(Gen *g, IrVal v);
/* Where the block begins; what stands behind its end. */
void gen_head(Gen *g);
void gen_slow_paths(Gen *g);
void gen_leaves(Gen *g);
/* SLOW_ bits of the instruction at work. */
uint32_t gen_info(const Gen *g);
/* cpu->block = the block. */
void gen_set_block(Gen *g);
void gen_add_leave(Gen *g, Leave leave);
/* Leave the block if cpu->fault is set. */
void gen_check_fault(Gen *g);
/* Call @function of C. */
void gen_call_c(Gen *g, const void *function);

/* Compile @ir: true, with .code, .site and .stub of @block set; false: no room. */
bool gen_block(Gen *g, Code *code, const IrBlock *ir, Block *block);
