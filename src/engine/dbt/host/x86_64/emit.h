/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoder: x86-64 machine code into a buffer, one instruction a call (Intel SDM volume 2).
 *
 * An opcode is a number with bits for its map, prefix and width (X_ constants below), so that a
 * handful of functions writes all forms.  Registers are their hardware numbers.  Writing past the
 * buffer's end sets .full and goes nowhere: the caller looks once, in the end.
 *
 * Threads: a buffer belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    NO_REG = 0xff
};

/* Memory: base + index << shift + disp; index may be NO_REG, and is never RSP. */
typedef struct Mem {
    uint8_t base, index, shift;
    int32_t disp;
} Mem;

static inline Mem mem_at(unsigned base, int32_t disp)
{
    return (Mem){ (uint8_t)base, NO_REG, 0, disp };
}

static inline Mem mem_indexed(unsigned base, unsigned index, unsigned shift, int32_t disp)
{
    return (Mem){ (uint8_t)base, (uint8_t)index, (uint8_t)shift, disp };
}

typedef struct Emit {
    uint8_t *at;    /* where the next byte goes */
    uint8_t *start; /* of the buffer */
    uint8_t *end;
    bool full; /* something did not fit: the code is useless */
} Emit;

enum { EMIT_MAX_INSN = 16 }; /* room that each instruction asks for */

/* Bits of an opcode beside its last byte. */
enum {
    X_0F = 1 << 8,
    X_0F38 = 2 << 8,
    X_0F3A = 3 << 8,
    X_MAP = 3 << 8,
    X_66 = 1 << 10,
    X_F3 = 2 << 10,
    X_F2 = 3 << 10,
    X_PREFIX = 3 << 10,
    X_W = 1 << 12,        /* 64-bit operands */
    X_BYTE_REG = 1 << 13, /* the reg operand is a byte register: SPL.. need a REX prefix */
    X_BYTE_RM = 1 << 14,  /* the same for a register as rm operand */
    X_IMM8 = 1 << 15,     /* one byte follows, written by the caller's function */
    X_L = 1 << 16,        /* VEX: 256 bits */
};

/* Opcodes with a reg and an rm operand.  "64" forms are the others with X_W. */
enum {
    X_STORE8 = 0x88 | X_BYTE_REG,
    X_STORE16 = 0x89 | X_66,
    X_STORE32 = 0x89,
    X_STORE64 = 0x89 | X_W,
    X_LOAD32 = 0x8b,
    X_LOAD64 = 0x8b | X_W,
    X_MOV8 = 0x8a | X_BYTE_REG | X_BYTE_RM, /* register to register; the upper bits stay */
    X_MOV16 = 0x8b | X_66,
    X_MOVZX8 = 0xb6 | X_0F | X_BYTE_RM,
    X_MOVZX16 = 0xb7 | X_0F,
    X_MOVSX8 = 0xbe | X_0F | X_W | X_BYTE_RM,
    X_MOVSX16 = 0xbf | X_0F | X_W,
    X_MOVSX32 = 0x63 | X_W,
    X_LEA32 = 0x8d,
    X_LEA64 = 0x8d | X_W,
    X_TEST32 = 0x85,
    X_IMUL32 = 0xaf | X_0F,
    X_IMUL32_IMM8 = 0x6b,
    X_IMUL32_IMM32 = 0x69,
    X_BSF32 = 0xbc | X_0F,
    X_BSR32 = 0xbd | X_0F,
    X_TZCNT32 = 0xbc | X_0F | X_F3,
    X_LZCNT32 = 0xbd | X_0F | X_F3,
    X_POPCNT32 = 0xb8 | X_0F | X_F3,
    X_XCHG8 = 0x86 | X_BYTE_REG,
    X_XCHG16 = 0x87 | X_66,
    X_XCHG32 = 0x87,
    X_XADD8 = 0xc0 | X_0F | X_BYTE_REG,
    X_XADD16 = 0xc1 | X_0F | X_66,
    X_XADD32 = 0xc1 | X_0F,
    X_CMPXCHG8 = 0xb0 | X_0F | X_BYTE_REG,
    X_CMPXCHG16 = 0xb1 | X_0F | X_66,
    X_CMPXCHG32 = 0xb1 | X_0F,
    X_CMOV32 = 0x40 | X_0F, /* + condition */
    /* vectors: reg is an XMM register */
    X_MOVUPS_LOAD = 0x10 | X_0F,
    X_MOVUPS_STORE = 0x11 | X_0F,
    X_MOVAPS = 0x28 | X_0F,
    X_VINSERTF128 = 0x18 | X_0F3A | X_66,
    X_VEXTRACTF128 = 0x19 | X_0F3A | X_66,
};

/* Opcodes with one rm operand: the digit stands where reg would. */
enum {
    X_GROUP3_8 = 0xf6 | X_BYTE_RM,
    X_GROUP3_32 = 0xf7,
    X_NOT = 2,
    X_NEG = 3,
    X_MUL = 4,
    X_IMUL = 5,
    X_GROUP5 = 0xff,
    X_CALL_RM = 2,
    X_JMP_RM = 4,
    X_GROUP15 = 0xae | X_0F,
    X_LDMXCSR = 2,
    X_STMXCSR = 3,
};

typedef enum Alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP } Alu;

typedef enum Shift { SHIFT_ROL, SHIFT_ROR, SHIFT_SHL = 4, SHIFT_SHR, SHIFT_SAR = 7 } Shift;

typedef enum Condition {
    CC_O,
    CC_NO,
    CC_B,
    CC_AE,
    CC_E,
    CC_NE,
    CC_BE,
    CC_A,
    CC_S,
    CC_NS,
    CC_P,
    CC_NP,
    CC_L,
    CC_GE,
    CC_LE,
    CC_G
} Condition;

void emit_init(Emit *e, void *start, size_t size);

/* The general forms.  @wide below means 64 bits, else 32. */
void emit_rr(Emit *e, unsigned op, unsigned reg, unsigned rm);
void emit_rm(Emit *e, unsigned op, unsigned reg, Mem rm);
void emit_rr_imm8(Emit *e, unsigned op, unsigned reg, unsigned rm, unsigned imm);
void emit_rm_imm8(Emit *e, unsigned op, unsigned reg, Mem rm, unsigned imm);

/* The same with a VEX prefix: @v is its register, 0 if the instruction has none; an immediate byte
 * is written behind. */
void emit_vex_rr(Emit *e, unsigned op, unsigned reg, unsigned v, unsigned rm);
void emit_vex_rm(Emit *e, unsigned op, unsigned reg, unsigned v, Mem rm);
void emit_vex_imm8(Emit *e, unsigned imm);
void emit_vzeroupper(Emit *e);

void emit_mov(Emit *e, bool wide, unsigned to, unsigned from);
/* The shortest form; leaves the flags alone. */
void emit_mov_imm(Emit *e, unsigned to, uint64_t value);
/* Store the low @size bytes of @value, which must be its own sign-extended low 32 bits if 8. */
void emit_store_imm(Emit *e, unsigned size, Mem to, int32_t value);
/* Store the low @size (1, 2, 4, 8) bytes of @from. */
void emit_store(Emit *e, unsigned size, Mem to, unsigned from);
/* Load @size bytes, zero-extended. */
void emit_load(Emit *e, unsigned size, unsigned to, Mem from);
void emit_load_signed(Emit *e, unsigned size, unsigned to, Mem from);

void emit_alu_rr(Emit *e, Alu alu, bool wide, unsigned to, unsigned from);
void emit_alu_rm(Emit *e, Alu alu, bool wide, unsigned to, Mem from);
void emit_alu_mr(Emit *e, Alu alu, bool wide, Mem to, unsigned from);
void emit_alu_ri(Emit *e, Alu alu, bool wide, unsigned to, int32_t imm);
/* @size 1, 2, 4 or 8; the immediate is cut to the size */
void emit_alu_mi(Emit *e, Alu alu, unsigned size, Mem to, int32_t imm);
void emit_test_ri(Emit *e, bool wide, unsigned a, int32_t imm);
void emit_imul_ri(Emit *e, bool wide, unsigned to, unsigned from, int32_t imm);

void emit_shift_imm(Emit *e, Shift shift, bool wide, unsigned to, unsigned count);
void emit_shift_cl(Emit *e, Shift shift, bool wide, unsigned to);
/* BMI2: @to = @from shifted by register @count; flags stay. */
void emit_shiftx(Emit *e, Shift shift, bool wide, const unsigned to_from_count[3]);
void emit_rorx(Emit *e, bool wide, unsigned to, unsigned from, unsigned count);
void emit_bswap(Emit *e, bool wide, unsigned reg);
void emit_setcc(Emit *e, Condition cc, unsigned reg);
void emit_cmov(Emit *e, Condition cc, bool wide, unsigned to, unsigned from);
void emit_bt_imm(Emit *e, bool wide, unsigned reg, unsigned bit);

/* The lock prefix, for the next instruction. */
void emit_lock(Emit *e);
void emit_push(Emit *e, unsigned reg);
void emit_pop(Emit *e, unsigned reg);
void emit_ret(Emit *e);
/* RAX = SF, ZF, AF, PF and CF where EFLAGS has them, and other bits. */
void emit_flags_to_rax(Emit *e);
/* @bytes (any number) of no operation. */
void emit_nop(Emit *e, unsigned bytes);

/* Jumps to @target in the same buffer; NULL: patched later, by the returned place of its
 * 32-bit displacement.  Always the long form. */
uint8_t *emit_jmp(Emit *e, const uint8_t *target);
uint8_t *emit_jcc(Emit *e, Condition cc, const uint8_t *target);
uint8_t *emit_call(Emit *e, const uint8_t *target);
void emit_jmp_reg(Emit *e, unsigned reg);
void emit_jmp_mem(Emit *e, Mem target);
void emit_call_reg(Emit *e, unsigned reg);
/* Let the jump whose displacement is at @site lead to @target. */
void emit_patch(uint8_t *site, const uint8_t *target);
