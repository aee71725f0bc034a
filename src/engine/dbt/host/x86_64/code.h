/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code memory, and the fixed pieces of code in front of the blocks.
 *
 * One sealed memfd is mapped twice, for writing and for running, so that no address is ever both.
 * It is as large as it may ever be, but takes memory only where code was written.  Code is only
 * added; when it is full, everything is thrown away at once (cache_flush()).
 *
 * Fixed pieces: "enter" saves what C wants kept, makes the frame and jumps to a block; the exits
 * undo that with a result; "slow" calls slow_access() with all registers that hold values kept.
 *
 * Threads: see Backend in run/backend.h.
 */
#pragma once

#include "engine/dbt/host/x86_64/emit.h"
#include "engine/dbt/run/backend.h"

enum {
    PINNED = 15, /* guest vectors that live in the host's register of the same number */
    /* RBP - the CPU's address: what DbtCpu ends with and the guest's own state begins with is in
     * reach of one byte */
    STATE_BIAS = sizeof(DbtCpu),
    HEAD_KILL = 3,       /* byte of a block's head that says what cpu->attention should be: 0 */
    HEAD_DEAD = 0x7f,    /* its value in a dead or armed block: more bits than there are */
    HEAD_ROUNDS = 100,   /* of loops in blocks until attention is seen, where CodeOptions.check */
    HEAD_BYTES = 10,     /* of the head: behind it the block begins */
    HOST_MXCSR = 0x1f80, /* what C expects: the default */
    FRAME_ARGUMENT = 0,  /* offset of a slow path's second operand in the frame */
    FRAME_SAVE = 8,      /* of a register that gen_alloc.c borrows */
    FRAME_SLOTS = 16,
    FRAME_BYTES = FRAME_SLOTS + IR_MAX_NODES * 8 + 8, /* keeps the stack aligned to 16 */
};
_Static_assert(sizeof(DbtCpu) - offsetof(DbtCpu, attention) <= 128,
               "a head compares it by an instruction of HEAD_KILL + 1 bytes");
_Static_assert(FRAME_BYTES % 16 == 8, "with six pushes and a return address");

/* What the host's CPU has beyond x86-64 as it began. */
typedef struct HostFeatures {
    bool lzcnt, tzcnt, popcnt, bmi2;
    bool sse42, aes, pclmul, avx2, fma, f16c;
} HostFeatures;

/* Values of cpu->vectors_live: which part of the guest's vectors is in the host's registers. */
enum {
    LIVE_NONE,
    LIVE_LOW,  /* 16 bytes of each; what is above those is in CPU state, and 0 in the host */
    LIVE_WIDE, /* 32 bytes of each */
};

/* A slow path's word: what, and where the instruction is. */
enum {
    SLOW_PC = 0,    /* 13 bits: address - the page's begin of the block's first byte */
    SLOW_BACK = 13, /* 6 bits: instructions of the block behind this one */
    SLOW_MMU = 19,  /* 6 bits: mmu index and flags */
    SLOW_SIZE = 25, /* 3 bits: log2 of the bytes */
    SLOW_KIND = 28, /* 4 bits: SlowKind */
};
_Static_assert(MMU_RMW < 1 << (SLOW_SIZE - SLOW_MMU), "all flags have room");
_Static_assert(IR_MAX_INSNS <= 1 << (SLOW_MMU - SLOW_BACK), "and instructions");

typedef enum SlowKind {
    SLOW_LOAD,
    SLOW_STORE,
    SLOW_LOAD_VECTOR, /* operand: offset in CPU state */
    SLOW_STORE_VECTOR,
    SLOW_PROBE, /* operand: bytes */
    SLOW_CAS,   /* operand: expected; second operand: new */
    SLOW_ATOMIC /* + AtomicOp */
} SlowKind;

/* What comes back in RAX: a CodeResult, CODE_SLOT, and a word in the upper half. */
typedef enum CodeResult {
    CODE_NEXT,      /* cpu->pc is set */
    CODE_STOP,      /* the same */
    CODE_LINK,      /* upper half: address in the page; cpu->block is set */
    CODE_ATTENTION, /* upper half: address in the page */
    CODE_FAULT,     /* upper half: SLOW_ word */
} CodeResult;
enum { CODE_SLOT = 0x100 }; /* * the slot */

struct Gen;

struct Code {
    /* fixed after create */
    uint8_t *rw;
    const uint8_t *rx;
    size_t mapped;
    const GuestIsa *isa;
    HostFeatures host;
    bool single;  /* one vCPU: most atomics need no lock */
    bool check;   /* see CodeOptions */
    bool vectors; /* the guest's vectors live in the host's registers */
    bool wide;    /* all 32 bytes of them */
    bool stack;   /* the guest has a stack of floating point registers for the host's */
    /* fixed pieces; all but enter at their address for writing */
    uint64_t (*enter)(DbtCpu *cpu, const void *code);
    const uint8_t *slow;
    const uint8_t *save_vectors, *load_vectors; /* keep all general registers */
    const uint8_t *load_wide;                   /* the same, of LIVE_NONE or LIVE_LOW */
    const uint8_t *save_stack, *load_stack;     /* of floating point registers, the same */
    const uint8_t *save_all;                    /* what is live of both */
    const uint8_t *slow_stack;
    const uint8_t *exit_next, *exit_stop, *exit_link[IR_EXIT_SLOTS], *exit_attention, *exit_fault;
    JumpCacheEntry
        unknown;  /* of an address that the jump cache doesn't know: its .code leads to C */
    size_t fixed; /* bytes of the fixed pieces */
    /* one compilation at a time */
    size_t used, size; /* of .mapped bytes, .size may be used */
    size_t unmapped;   /* .used when code_unmap_written() last did something */
    size_t ready;      /* up to here the host has provided pages at once */
    struct Gen *gen;
};
typedef struct Code Code;

/* All that x86-64-v3 has is there as instructions of this host. */
bool code_has_wide_vectors(void);
Code *code_new(const GuestIsa *isa, const CodeOptions *options, GError **error);
void code_free(Code *code);
void code_flush(Code *code);
void code_resize(Code *code, size_t size);
/* A block is about to be written: have the host provide the next pages of both mappings at once,
 * which is quicker than a fault each. */
void code_expect_use(Code *code);
/* Code was added: now and then all of it leaves the mapping for writing, so that it counts as
 * memory of the process once and not twice.  Whoever patches it maps that page again. */
void code_unmap_written(Code *code);

static inline const void *code_to_rx(const Code *code, const uint8_t *rw)
{
    return code->rx + (rw - code->rw);
}

static inline uint8_t *code_to_rw(const Code *code, const void *rx)
{
    return code->rw + ((const uint8_t *)rx - code->rx);
}

/* --- slow.c: C that compiled code calls ------------------------------------------------------- */
typedef struct SlowResult {
    uint64_t value;
    uint64_t ok; /* 0: cpu->fault is set */
} SlowResult;

SlowResult slow_access(DbtCpu *cpu, uint64_t gva, uint64_t operand, uint32_t info,
                       uint64_t operand2);
/* quick.c: first; .ok is 0 if it takes slow_access().  Keeps vectors and the stack. */
SlowResult quick_access(DbtCpu *cpu, uint64_t gva, uint64_t operand, uint32_t info);
uint64_t slow_popcount(uint64_t value);
