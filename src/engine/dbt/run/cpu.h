/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the translator's core knows of a vCPU and of a guest architecture.
 *
 * DbtCpu is the first member of each guest's own CPU struct; GuestIsa is what a guest provides.
 * The core (ir/, run/, host/) includes no guest's header.
 *
 * Addresses: gva as the guest's code computes them after segmentation ("linear" on x86), gpa after
 * paging.  cpu->pc is a gva.
 *
 * Threads: a DbtCpu belongs to its vCPU's thread, but for the members marked atomic.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"
#include "engine/dbt/ir/ir.h"
#include "engine/engine.h"
#include "memory/memory.h"

typedef struct DbtCpu DbtCpu;
typedef struct DbtVm DbtVm;
typedef struct GuestIsa GuestIsa;
typedef struct Block Block;
typedef struct MmuBank MmuBank;

enum {
    PAGE_SIZE = 4096,
    TLB_ENTRIES = 1024, /* per mmu index */
    MMU_INDEXES = 3,    /* the guest gives them meaning: user, kernel, ... */
    JUMP_CACHE_BITS = 12,
    JUMP_CACHE_ENTRIES = 1 << JUMP_CACHE_BITS, /* per address space */
    JUMP_CACHE_FACTOR = 0x61c88647,
    JUMP_HINT_BITS = 14,
    STACK_IMAGE_BYTES = 112, /* FNSAVE's 108 */
};

/* Flags beside the mmu index in an access. */
enum {
    MMU_INDEX = 3,     /* mask of the index */
    MMU_STACK = 4,     /* through the stack segment: x86 raises another exception */
    MMU_ALIGN = 8,     /* must be aligned to its size */
    MMU_IMPLICIT = 16, /* by the CPU itself (descriptor tables), not by an instruction's operand */
    MMU_RMW = 32,      /* a read that a write to the same place follows: faults as one */
};

typedef enum MmuAccess { MMU_READ, MMU_WRITE, MMU_FETCH } MmuAccess;

/* What a page walk found. */
typedef struct MmuPage {
    uint64_t gpa;  /* of the 4 KiB page */
    uint64_t size; /* of the mapping it is part of */
    bool writable; /* a write needs no further walk (dirty already set, allowed) */
    bool executable;
    bool global; /* survives a change of address space */
} MmuPage;

/* A TLB entry.  A tag is the page's gva; with TAG_SLOW flipped the fast compare fails and the slow
 * path finds the page without a walk; TAG_NONE matches nothing.  Both have bits of the offset set,
 * above those of an alignment: the compare is with a gva whose offset was cleared, so no address
 * that a guest may try can match them. */
#define TAG_NONE UINT64_MAX
#define TAG_SLOW UINT64_C(0x800)

typedef struct TlbEntry {
    uint64_t read, write;
    uint64_t addend; /* hva - gva, of RAM */
    uint64_t page;   /* gpa | PAGE_ flags */
} TlbEntry;

enum {
    PAGE_RAM = 1,
    PAGE_EXEC = 2,
    PAGE_WRITE = 4,
    PAGE_CODE = 8,
    PAGE_WATCH = 16,
    PAGE_LARGE = 32,
    PAGE_GLOBAL = 64
};

typedef struct JumpCacheEntry {
    uint64_t pc, key;
    Block *block;
    const void *code; /* block->code: compiled code looks nowhere else */
} JumpCacheEntry;

/* The only entry that may be for @pc, in a table of 1 << @bits. */
static inline unsigned jump_index(uint64_t pc, unsigned bits)
{
    return (uint32_t)pc * JUMP_CACHE_FACTOR >> (32 - bits);
}

/* The result of the last operation that set flags, unevaluated: the guest gives .op meaning. */
typedef struct FlagRecord {
    uint64_t op, a, b, c;
} FlagRecord;

/* Bits of cpu->attention: reasons to come back to the dispatch loop at the next block head. */
enum {
    ATTENTION_KICK = 1,       /* leave vcpu_run */
    ATTENTION_INTERRUPT = 2,  /* the guest's isa->poll has something to look at */
    ATTENTION_INVALIDATE = 4, /* vm->written ranges wait to be dropped */
    ATTENTION_EXCLUSIVE = 8,  /* another vCPU wants to be alone */
    ATTENTION_FLUSH = 16,     /* forget translations: RAM came or went */
    ATTENTION_CHECK = 32,     /* check.c: come back at the next block head */
};

/* Values of cpu->fault. */
enum {
    FAULT_NONE,
    FAULT_EXCEPTION, /* recorded in the guest's CPU: isa->deliver */
    FAULT_ALONE,     /* run this one instruction while every other vCPU stands still */
    FAULT_SINGLE,    /* run this one instruction in a block of its own: it writes its own block */
    FAULT_DEBUG,     /* a debugger's watch- or breakpoint: vcpu_run returns */
};

struct DbtCpu {
    uint8_t checking;    /* CHECK_ value: what this run of a block is for (check.h) */
    uint64_t exits;      /* device accesses and halts */
    uint64_t translated; /* instructions translated */

    const GuestIsa *isa; /* fixed after create, and so are the next */
    DbtVm *vm;
    GuestMemory *memory;
    Clock *clock;
    Log *log;
    unsigned index;

    MmuBank *bank, *banks;   /* of mmu.c: translations by address space */
    uint32_t tlb_generation; /* the current bank's: changes when translations are forgotten */
    uint32_t generations;    /* how many were given out */
    uint64_t switches;       /* of address spaces */
    bool alone;              /* runs in an exclusive section: atomics need no care */
    bool sleeping;           /* atomic; waits on .wake */
    JumpCacheEntry *hints;   /* [1 << JUMP_HINT_BITS] of all address spaces: must be checked */
    uint64_t cache_flushes;  /* vm->cache's count when these and .jumps were last right */
    bool running;            /* atomic; inside guest code */
    uint64_t contest_ns;     /* when .contested was found out */
    long preempted;          /* how often the host had taken its CPU from this thread then */
    unsigned pauses;         /* the guest said that it spins */
    bool contested;          /* others want the CPUs that we would spin on */
    bool halted;             /* waits for isa->poll to wake it */
    bool shutdown;           /* triple fault: vcpu_run returns */
    DebugConfig debug;       /* what a debugger wants */
    bool debug_active;       /* .debug has something to do: part of the guest's context key */
    bool debug_watches;      /* some of .debug's points are watchpoints */
    bool watch_active;       /* some data watchpoint: TLB entries of its page are slow */
    bool debug_hit;          /* vcpu_run returns debug_exit, before an interrupt comes */
    VcpuExit debug_exit;
    struct Check *check; /* NULL: blocks are not compared (check.h) */
    pthread_cond_t wake; /* lock: vm->lock */
    /* compiled code: .stack_live comes and goes by this image, which FNSAVE wrote */
    uint8_t stack_image[STACK_IMAGE_BYTES] __attribute__((aligned(8)));
    /* What compiled code looks at most stands last, so that it and the guest's first registers,
     * which follow, are in reach of one byte from the border between them. */
    uint64_t block_pc;     /* interpreter: address of the running block's first instruction */
    Block *block;          /* the one that runs */
    uint64_t instructions; /* run so far */
    uint64_t code_page;    /* compiled code: gva of the page that the running block begins in */
    TlbEntry *tlb;         /* [MMU_INDEXES][TLB_ENTRIES] of the current bank */
    JumpCacheEntry *jumps; /* [JUMP_CACHE_ENTRIES] of the current bank */
    uint64_t key;          /* isa->context_key, with the TLB generation in its upper half */
    uint32_t host_control; /* the control word of vectors that is C's while the guest's are live */
    int32_t rounds;        /* code with CodeOptions.check: of loops in a block, before it leaves */
    uint8_t fault;         /* FAULT_ value: leave the block in front of this instruction */
    uint8_t key_stale;     /* context may have changed */
    uint8_t vectors_live;  /* compiled code: the guest's vectors are in the host's registers */
    uint8_t stack_live;    /* and its stack of floating point registers; behind .vectors_live */
    uint32_t attention;    /* atomic */
    FlagRecord flags;
    uint64_t pc; /* of the next instruction; inside a block: stale, see block_pc */
};

/* The only entry of the current bank that may be for @gva. */
static inline TlbEntry *tlb_entry(const DbtCpu *cpu, uint64_t gva, unsigned mmu)
{
    return &cpu->tlb[(mmu & MMU_INDEX) * TLB_ENTRIES + (gva / PAGE_SIZE) % TLB_ENTRIES];
}

/* A helper in C that IR calls.  On an exception it records it, sets cpu->fault and returns
 * anything: the block is then left with pc at the instruction's start. */
typedef uint64_t (*HelperFn)(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c);

enum {
    HELPER_PURE = 1,    /* result depends on the arguments alone; reads and writes nothing else */
    HELPER_NOFAULT = 2, /* never sets cpu->fault */
    /* does nothing and gives 0 if a is its own low 48 bits, sign-extended, so that it need not be
     * called then; else it always sets cpu->fault */
    HELPER_CANONICAL = 4,
    /* floating point on a stack of registers: a, if it is a constant, is what isa->stack.host()
     * understands.  Depends on state and on memory that it accesses by run/check.h alone, so that
     * --check lets it run on both sides */
    HELPER_STACK = 8
};

typedef struct Helper {
    const char *name;
    HelperFn fn;
    uint8_t flags;
} Helper;

/* A vector operation: @to, @from1, @from2 point into CPU state; may overlap exactly or not. */
typedef void (*VectorFn)(DbtCpu *cpu, void *to, const void *from1, const void *from2,
                         unsigned immediate);

typedef struct VectorOp {
    const char *name;
    VectorFn fn;    /* of IR_SHAPE_LOW; others: isa->wide_vector */
    bool may_fault; /* floating point: an unmasked exception sets cpu->fault */
} VectorOp;

/* How an x86-64 host does a vector operation: by one instruction, in its legacy encoding for
 * IR_SHAPE_LOW, with a VEX prefix for the others, which may have an operand more. */
typedef enum VectorForm {
    VECTOR_CALL,   /* it does not: call the function */
    VECTOR_BINARY, /* to = from1 op from2 */
    VECTOR_UNARY,  /* to = op from2 */
    VECTOR_SHIFT,  /* to = from1 op the immediate; .digit selects the operation */
    VECTOR_NUMBER, /* a general register = op from2; as 64 bits to @to */
    VECTOR_FLAGS,  /* EFLAGS of from1 op from2, as 64 bits to @to */
    /* VEX alone */
    VECTOR_TERNARY, /* to = to op from1 op from2 */
    VECTOR_BLEND,   /* to = from1 op from2, by the register that the immediate names */
    VECTOR_STORE,   /* to = op from2; the destination is the operand that can be memory */
    VECTOR_ZERO,    /* the upper halves of all 16 registers become 0, if the immediate says so */
} VectorForm;

enum { VECTOR_NEEDS_AES = 1, VECTOR_NEEDS_PCLMUL = 2, VECTOR_NEEDS_FMA = 4, VECTOR_NEEDS_F16C = 8 };

typedef struct VectorHost {
    uint8_t form;   /* VectorForm */
    uint8_t prefix; /* 0, 0x66, 0xf3 or 0xf2 */
    uint8_t map;    /* 1: 0F, 2: 0F 38, 3: 0F 3A */
    uint8_t opcode;
    uint8_t digit;      /* ModRM.reg of VECTOR_SHIFT; of VECTOR_FLAGS: which flags can be set */
    uint8_t bytes;      /* of from2 that are read from memory; 0: it must be a register */
    uint8_t needs;      /* VECTOR_NEEDS_ */
    bool immediate;     /* a byte of it follows */
    bool wide;          /* REX.W, VEX.W */
    bool whole;         /* VEX.L, whatever the shape */
    uint8_t bytes_wide; /* as .bytes, for IR_SHAPE_WIDE; 0: twice as many */
    bool from_memory;   /* from2 is not a vector register: a number in CPU state */
} VectorHost;

/* Where CPU state has its vector registers, of 16 bytes each, for a back end that keeps them in
 * the host's while it can. */
typedef struct VectorFile {
    unsigned offset, stride; /* stride 0: there are none */
    unsigned count;          /* registers; the same shape goes on behind them with temporaries */
    unsigned control;        /* offset of the control word, in the host's form */
    uint32_t key_exact;      /* contexts in which operations with .may_fault must be called */
    const VectorHost *host;  /* [n_vectors] */
} VectorFile;

/* How an x86-64 host does what a HELPER_STACK does: by one instruction of its own x87, which then
 * has the guest's stack, status and control word. */
typedef enum StackForm {
    STACK_CALL,    /* it does not: call the function */
    STACK_PLAIN,   /* the instruction, about the stack alone */
    STACK_LOAD,    /* it reads .bytes of memory at b, with mmu index and flags c, a constant */
    STACK_STORE,   /* it writes them */
    STACK_FLAGS,   /* it gives EFLAGS' ZF, PF and CF */
    STACK_MOVE_IF, /* if b is not 0: an FCMOVNE */
    STACK_STATUS,  /* gives the status word */
    /* b becomes the control word.  A context is that of quick code only while all exceptions are
     * masked: if b unmasks one, the function is called, changes nothing and sets cpu->fault. */
    STACK_CONTROL,
} StackForm;

typedef struct StackHost {
    uint8_t form;   /* StackForm */
    uint8_t opcode; /* D8 to DF */
    uint8_t modrm;  /* of memory forms only .reg counts */
    uint8_t bytes;
} StackHost;

/* Where CPU state has a stack of floating point registers as the x87's: for a back end that keeps
 * it in the host's while it can.  The control word in CPU state is always right. */
typedef struct StackFile {
    unsigned offset, stride; /* of the physical registers, 8 of 10 bytes each; stride 0: none */
    unsigned control;        /* uint16_t */
    unsigned status;         /* uint16_t, with 0 for TOP */
    unsigned top, tags;      /* uint8_t; a tag is a bit per physical register, 1: not empty */
    StackHost (*host)(uint64_t what);
} StackFile;

/* A part of a guest's CPU state that code may change: @count elements of @size bytes. */
typedef struct StateField {
    const char *name;
    uint32_t offset, size, count;
    bool access; /* an access to memory may change it: what its exception or watchpoint leaves */
} StateField;

/* Guest code that a front end reads: bytes around the block's first instruction, which is that at
 * .bytes[.before]. */
typedef struct GuestCode {
    uint8_t bytes[PAGE_SIZE + 16];
    unsigned before;    /* how many there are in front of it, of the same page */
    unsigned length;    /* how many from there on: of the next page, too, if that was asked for */
    unsigned page_left; /* bytes up to the end of the first page */
    unsigned max_insns; /* end the block after this many instructions */
} GuestCode;

/* The bytes at the block's first instruction + @delta. */
static inline const uint8_t *guest_code_at(const GuestCode *code, int delta)
{
    return code->bytes + (int)code->before + delta;
}

/* What isa->translate answers. */
typedef enum TranslateResult {
    TRANSLATE_OK,
    TRANSLATE_MORE, /* the first instruction needs bytes of the next page: call again with them */
} TranslateResult;

struct GuestIsa {
    const char *name;
    size_t cpu_size; /* of the guest's CPU struct; DbtCpu is its first member */
    const Helper *helpers;
    unsigned n_helpers;
    const VectorOp *vectors;
    unsigned n_vectors;
    /* A vector operation of another shape than IR_SHAPE_LOW; @what as in the node. */
    void (*wide_vector)(DbtCpu *cpu, void *to, const void *from1, const void *from2, uint64_t what);
    VectorFile vector_file;
    StackFile stack;
    IrNames names;
    /* All state that blocks and helpers change, but for the core's part and what other threads
     * write; a NULL name is behind the last.  NULL: blocks of this guest can't be checked. */
    const StateField *fields;

    /* 32 bits that say all that translation depends on, besides the code itself. */
    uint32_t (*context_key)(const DbtCpu *cpu);
    /* Translate from cpu->pc on into the empty @ir.  Ends before an instruction that reaches into
     * the next page, unless that is the first. */
    TranslateResult (*translate)(DbtCpu *cpu, const GuestCode *code, IrBlock *ir);
    /* Translate @gva; for MMU_FETCH the privilege is the CPU's own, not @mmu's.  On a fault: record
     * the exception, set cpu->fault, return false.  @probe: no exception, no accessed or dirty
     * bits (debugger). */
    bool (*walk)(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, bool probe,
                 MmuPage *ret_page);
    /* An access that must be aligned (MMU_ALIGN) is not: record the exception, set cpu->fault. */
    void (*misaligned)(DbtCpu *cpu, uint64_t gva, unsigned mmu);
    /* Deliver the recorded exception: pc is at the instruction that faulted. */
    void (*deliver)(DbtCpu *cpu);
    /* Between two instructions: take what is pending (INIT, NMI, interrupts).  Clears cpu->halted
     * when something wakes it. */
    void (*poll)(DbtCpu *cpu);
    /* cpu->debug was set anew: bring cpu->watch_active up to date with it and the guest's own. */
    void (*debug_changed)(DbtCpu *cpu);
    /* A debugger's watchpoint or the guest's own may be hit by an access to a PAGE_WATCH page. */
    void (*watch)(DbtCpu *cpu, uint64_t gva, unsigned size, MmuAccess access);
    /* Registers that belong to the vCPU itself (the local APIC's page).  True if @gpa is one. */
    bool (*mmio)(DbtCpu *cpu, uint64_t gpa, unsigned size, bool write, uint64_t *value);
    /* True if a data watchpoint of the guest's or the debugger's lies in the page at @gva. */
    bool (*watches_page)(const DbtCpu *cpu, uint64_t gva_page);
};
