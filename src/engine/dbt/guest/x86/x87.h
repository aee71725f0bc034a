/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87's state and operations, as x87*.c and xsave.c share them.
 *
 * X86Cpu keeps the status word without TOP; ES and B follow the unmasked exceptions whenever
 * status or control word change, as the processor has it (SDM volume 1, 8.1.3.3).
 *
 * An instruction's row carries a number made of an operation, where its operand comes from and how
 * often it pops (X87_DO); translated code passes it to the helpers x87 (register operands or a
 * value from memory) and x87_memory (with an address).  An operation works on an X87Insn: it
 * raises flags in .env and changes registers only if none of them is unmasked.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/guest/x86/softfloat.h"
#include "engine/dbt/guest/x86/x86.h"

/* Bits of the status word. */
enum {
    FSW_STACK = 1 << 6,
    FSW_ES = 1 << 7,
    FSW_C0 = 1 << 8,
    FSW_C1 = 1 << 9,
    FSW_C2 = 1 << 10,
    FSW_TOP_SHIFT = 11,
    FSW_C3 = 1 << 14,
    FSW_BUSY = 1 << 15,
    FSW_CONDITIONS = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3,
};

enum {
    FCW_INITIAL = 0x37f,
    FCW_WRITABLE = 0x1f3f,
    FCW_MASKS = 0x3f,
    FCW_FIXED = 0x40,
    FCW_PRECISION_SHIFT = 8,
    FCW_ROUNDING_SHIFT = 10,
    MXCSR_INITIAL = 0x1f80,
    MXCSR_WRITABLE = 0xffff,
};

/* --- numbers in .argument of opcode rows */

typedef enum X87Op {
    /* arithmetic: the order of ModRM.reg in D8, but for the comparisons */
    X87_ADD,
    X87_MUL,
    X87_SUB,
    X87_SUBR,
    X87_DIV,
    X87_DIVR,
    X87_COM,
    X87_UCOM,
    X87_COMI, /* -> EFLAGS; the value is EFLAGS before */
    X87_UCOMI,
    X87_LD,
    X87_ST,  /* to a register; x87_memory: to memory */
    X87_STT, /* FISTTP */
    X87_STU, /* to a register, if ST(0) is not empty */
    X87_XCH,
    X87_CMOV, /* the value is the condition */
    X87_FREE,
    X87_NOP,
    X87_CHS,
    X87_ABS,
    X87_TST,
    X87_XAM,
    X87_CONSTANT, /* ModRM.rm chooses */
    X87_SQRT,
    X87_RNDINT,
    X87_SCALE,
    X87_XTRACT,
    X87_PREM,
    X87_PREM1,
    X87_INCSTP,
    X87_DECSTP,
    /* by x87_host_*.c */
    X87_F2XM1,
    X87_FYL2X,
    X87_FPTAN,
    X87_FPATAN,
    X87_FYL2XP1,
    X87_FSINCOS,
    X87_FSIN,
    X87_FCOS,
    /* control: these don't set the instruction pointer */
    X87_CLEX,
    X87_INIT,
    X87_LDCW,
    X87_STSW, /* the result is the status word */
    X87_OPS,
} X87Op;

/* Where the other operand comes from or goes to. */
typedef enum X87From {
    X87_ST_I,
    X87_F32,
    X87_F64,
    X87_F80,
    X87_I16,
    X87_I32,
    X87_I64,
    X87_BCD,
} X87From;

enum {
    X87_FROM_SHIFT = 6,
    X87_POP_SHIFT = 9,     /* 0, 1 or 2 times */
    X87_TO_I = 1 << 11,    /* the result goes to ST(i), not to ST(0) */
    X87_I_SHIFT = 16,      /* added by the rule: i of ST(i) */
    X87_OPCODE_SHIFT = 19, /* and the 11 bits that FNSTENV shows */
};
/* All exceptions are masked, by the context: an x86-64 host may do it by the same instruction. */
#define X87_QUICK (UINT64_C(1) << 32)

#define X87_DO(op, from, pops) ((op) | (from) << X87_FROM_SHIFT | (pops) << X87_POP_SHIFT)

/* --- an instruction at work */

typedef struct X87Insn {
    X86Cpu *cpu;
    FpEnv env;
    X87Op op;
    X87From from;
    unsigned i; /* of ST(i) */
    unsigned pops;
    bool to_i;
    bool quick;     /* X87_QUICK */
    uint64_t value; /* from memory, or as the operation says */
    uint64_t result;
    uint16_t status;   /* C0 to C3 and SF to set */
    uint16_t replaced; /* which of C0 to C3 are replaced by .status */
} X87Insn;

typedef void (*X87Fn)(X87Insn *x);

/* No exception of control word @fcw is unmasked. */
static inline bool x87_is_masked(unsigned fcw)
{
    return (fcw & FCW_MASKS) == FCW_MASKS;
}

/* Physical register of ST(@i). */
static inline X87Reg *x87_st(X86Cpu *cpu, unsigned i)
{
    return &cpu->st[(cpu->top + i) & 7];
}

static inline bool x87_is_empty(const X86Cpu *cpu, unsigned i)
{
    return !((cpu->tags >> ((cpu->top + i) & 7)) & 1);
}

/* x87_stack.c: isa->stack.host */
StackHost x87_stack_host(uint64_t what);

/* x87.c */
FpNumber x87_unpack(X87Reg reg);
X87Reg x87_pack(FpNumber n);
FpNumber x87_read(X87Insn *x, unsigned i);
/* True if an exception found before the result is unmasked: change nothing then. */
bool x87_stopped(const X87Insn *x);
/* If a register that is needed is empty, or one that should be is not: raise the stack fault,
 * true. */
bool x87_underflows(X87Insn *x, unsigned i);
bool x87_overflows(X87Insn *x);
/* Write ST(@i) and mark it valid.  C1 says whether the last rounding went up. */
void x87_write(X87Insn *x, unsigned i, FpNumber value);
void x87_push(X87Insn *x, X87Reg value);
void x87_pop(X87Insn *x);

/* x87_special.c */
void x87_scale(X87Insn *x);
void x87_extract(X87Insn *x);
void x87_remainder(X87Insn *x); /* FPREM, FPREM1 */
void x87_examine(X87Insn *x);
void x87_constant(X87Insn *x);
FpNumber x87_from_bcd(const uint8_t bytes[10]);
void x87_to_bcd(FpEnv *env, FpNumber value, uint8_t ret_bytes[10]);

/* x87_host_*.c: run one of X87_F2XM1 to X87_FCOS on all of the x87's state.  Only called without a
 * pending exception. */
void x87_transcendental(X86Cpu *cpu, X87Op op);

/* --- x87_state.c: words and images */

/* FNINIT. */
void x87_init(X86Cpu *cpu);
/* The status word with TOP, and loading all of it. */
uint16_t x87_status(const X86Cpu *cpu);
void x87_set_status(X86Cpu *cpu, uint16_t value);
void x87_set_control(X86Cpu *cpu, uint16_t value);
/* ES and B by the flags and masks as they are now. */
void x87_update_summary(X86Cpu *cpu);

enum { X87_ENVIRONMENT_SIZE = 28, X87_STATE_SIZE = 108 };
/* Environment and state as FNSTENV and FNSAVE write them, in the protected 32-bit format. */
void x87_put_state(const X86Cpu *cpu, uint8_t image[X87_STATE_SIZE]);
void x87_get_state(X86Cpu *cpu, const uint8_t image[X87_STATE_SIZE]);
