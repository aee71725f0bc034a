/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differential test of the x86 guest: random instruction sequences run on this host's CPU and
 * in the translator, and everything user mode can see must be the same afterwards.
 *
 *   generate.c  makes sequences from the decoder's own opcode tables
 *   native.c    runs a batch of them in a child process
 *   guest.c     runs one in the translator
 *   diff_test.c compares, and says what differed
 *
 * Both sides have the same two mappings: CODE, a slot for each sequence, and DATA, a window with
 * nothing mapped around it.
 *
 * Threads: one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/decode.h"
#include "engine/dbt/run/backend.h"

#define DIFF_CODE UINT64_C(0x10000000)
#define DIFF_DATA UINT64_C(0x20000000)
/* of twins, in the guest only */
#define DIFF_TWIN_CODE UINT64_C(0x18000000)
/* where segments begin, if not at 0: all is mapped there once more */
#define DIFF_BASE UINT64_C(0x9abcd000)

enum {
    DIFF_SLOT = 128,       /* bytes for a sequence */
    DIFF_BATCH = 256,      /* sequences that run in one go */
    DIFF_DATA_SIZE = 8192, /* of the window */
    DIFF_MAX_INSNS = 6,    /* in a sequence */
    DIFF_GS_BASE = 0x40,   /* of GS in 64-bit mode */
    DIFF_END = 0xcc,       /* INT3 ends a sequence */
    DIFF_CS64 = 0x33,      /* Linux's selectors */
    DIFF_CS32 = 0x07,      /* made for the test, in the LDT */
    DIFF_DS = 0x2b,
    DIFF_FXSAVE = 416, /* bytes of the FXSAVE image that hold state */
    DIFF_UPPER = 256,  /* and of the upper halves of YMM registers */
};

typedef struct DiffState {
    uint64_t gpr[16]; /* in the order of their numbers */
    uint64_t rip, rflags;
    uint32_t vector; /* of the exception that ended it */
    uint32_t error_code;
    uint64_t cr2;                /* of #PF */
    uint8_t fxsave[DIFF_FXSAVE]; /* x87, MMX, XMM */
    uint8_t upper[DIFF_UPPER];   /* YMM, where the CPU has that */
} DiffState;

/* The same instructions for another mode: 32 bits, or 16 bits with prefixes for 32-bit operands. */
typedef struct DiffTwin {
    bool valid;
    unsigned runs;
    uint8_t code[DIFF_SLOT];
    uint8_t starts[2 * DIFF_MAX_INSNS + 2]; /* of each instruction, and the end */
} DiffTwin;

enum { DIFF_TWINS = 2 }; /* by X86Mode: X86_MODE16, X86_MODE32 */

typedef struct DiffSequence {
    uint8_t code[DIFF_SLOT];
    X86Mode mode; /* 64 or 32 */
    unsigned n_insns;
    uint8_t starts[2 * DIFF_MAX_INSNS + 2]; /* of each instruction, and the end */
    bool plain; /* nothing in it is special to 64-bit mode: there may be twins */
    DiffTwin twin[DIFF_TWINS];
    uint64_t undefined_flags;
    DiffState in, native, guest;
    uint8_t native_data[DIFF_DATA_SIZE];
} DiffSequence;

typedef struct DiffBatch {
    unsigned n;
    uint8_t data[DIFF_DATA_SIZE]; /* what each sequence finds in the window */
    unsigned done;                /* by the native side */
    DiffSequence sequence[DIFF_BATCH];
} DiffBatch;

static inline uint64_t diff_address(unsigned slot)
{
    return DIFF_CODE + (uint64_t)slot * DIFF_SLOT;
}

static inline uint64_t diff_twin_address(unsigned slot, X86Mode mode)
{
    return DIFF_TWIN_CODE + ((uint64_t)slot * DIFF_TWINS + mode) * DIFF_SLOT;
}

/* --- generate.c */
typedef struct Generator Generator;
typedef struct GeneratorOptions {
    uint64_t seed;
    const char *only; /* a comma-separated list of instruction names, or NULL for all */
    bool code32;      /* 32-bit code, too */
    const X86CpuModel *model;
} GeneratorOptions;
Generator *generator_new(const GeneratorOptions *options);
void generator_free(Generator *generator);
void generator_fill(Generator *generator, DiffBatch *batch);
/* How often each instruction was used, and which were never. */
void generator_report(const Generator *generator);

/* --- native.c: a batch in memory that is shared with a child */
DiffBatch *native_batch_new(void);
void native_batch_free(DiffBatch *batch);
/* Whether 32-bit code can run here. */
bool native_has_code32(DiffBatch *batch);
/* Run it in a child; false: the child died, batch->done says where. */
bool native_run(DiffBatch *batch);

/* --- guest.c */
typedef struct Guest Guest;
/* @check: each block runs in the interpreter, too, and is compared (run/check.h). */
Guest *guest_new(const Backend *backend, const X86CpuModel *model, bool check);
/* The two back ends disagreed: what was said then; NULL: they did not.  Nothing runs any more. */
const char *guest_difference(const Guest *guest);
void guest_free(Guest *guest);
/* A new batch: its code goes to guest memory. */
void guest_load(Guest *guest, const DiffBatch *batch);
/* Run one as it is, or (@mode not X86_MODE64) its twin, with segments that begin at @base (0 or
 * DIFF_BASE); its data window afterwards is *@ret_data until the next call.  Addresses in
 * .guest are offsets. */
typedef struct GuestRun {
    unsigned index;
    X86Mode mode;
    uint64_t base;      /* of CS, and of the others if .data_base is 0 */
    uint64_t data_base; /* of DS, ES and SS */
    bool stack16;
} GuestRun;
void guest_run(Guest *guest, DiffBatch *batch, const GuestRun *run, const uint8_t **ret_data);
