/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A back end: what runs blocks of IR.  host/interp runs them as they stand, on any host; the others
 * turn them into the host's code first.
 *
 * Threads: code_new, code_free and code_flush while no vCPU runs; compile by one thread at a time
 * (inside cache_translate_begin()); link and kill under the cache's lock, while other vCPUs run
 * the very code; run on the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

typedef enum RunResult {
    RUN_NEXT,  /* cpu->pc is set, context is the same */
    RUN_LINK,  /* the same, and cpu->block's exit *ret_slot could lead there directly */
    RUN_STOP,  /* cpu->pc is set; context, interrupts or mappings may have changed */
    RUN_FAULT, /* cpu->fault says what; cpu->pc is the instruction's */
} RunResult;

typedef struct CodeOptions {
    unsigned cpus; /* vCPUs there are */
    size_t limit;  /* bytes of code at most */
    bool check;    /* code calls helpers by check_call(), and nothing is made in line whose result
                      isn't always the same */
} CodeOptions;

struct Backend {
    const char *name;
    /* Whether vector operations on 32 bytes are quick on this host; NULL: no. */
    bool (*has_wide_vectors)(void);
    /* The VM's code memory; the members up to kill are NULL if there is none. */
    void *(*code_new)(const GuestIsa *isa, const CodeOptions *options, GError **error);
    void (*code_free)(void *code);
    /* It may take so many bytes from now on, at most CodeOptions.limit. */
    void (*code_resize)(void *code, size_t size);
    /* Forget all code. */
    void (*code_flush)(void *code);
    /* Make block->code; the IR is not needed afterwards.  False: no room. */
    bool (*compile)(void *code, const IrBlock *ir, Block *block);
    /* Exit @slot of @from leads to @to from now on; NULL: back to the dispatch loop. */
    void (*link)(void *code, Block *from, unsigned slot, const Block *to);
    /* Whoever enters @block from now on comes back at once with RUN_STOP. */
    void (*kill)(void *code, Block *block);
    /* Run @block at cpu->pc, and the blocks it leads to, until something needs the dispatch loop.
     * After RUN_LINK cpu->block is the last one that ran. */
    RunResult (*run)(DbtCpu *cpu, Block *block, unsigned *ret_slot);
    /* --- for check.c; NULL: can't be checked.
     * As .run, but enters @block although it is armed or cpu->attention is set; RUN_NEXT when that
     * ended it at the head of another, or of itself. */
    RunResult (*run_once)(DbtCpu *cpu, Block *block, unsigned *ret_slot);
    /* Whoever enters @block but by run_once comes back at once with RUN_STOP; or no longer. */
    void (*arm)(void *code, Block *block, bool armed);
};
typedef struct Backend Backend;
