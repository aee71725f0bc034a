/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 decoder: bytes to X86Insn, by tables that look like the manual's opcode maps.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct X86Insn X86Insn;
typedef struct X86Tr X86Tr; /* translate.h */
typedef void (*X86Rule)(X86Tr *t, const X86Insn *insn);

enum { X86_MAX_LENGTH = 15 };

typedef enum X86Mode { X86_MODE16, X86_MODE32, X86_MODE64 } X86Mode;

typedef enum X86Prefix { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 } X86Prefix;

/* How an operand is found (SDM volume 2, A.2.1). */
typedef enum X86Address {
    ADDR_NONE,
    ADDR_E,   /* ModRM r/m: general register or memory */
    ADDR_EV,  /* the same; a register has the operand size, memory the size of the row */
    ADDR_ED,  /* the same; a register has 4 bytes (8 with REX.W), memory the size of the row */
    ADDR_G,   /* ModRM reg: general register */
    ADDR_M,   /* ModRM r/m: memory only */
    ADDR_R,   /* ModRM r/m: general register only */
    ADDR_W,   /* ModRM r/m: XMM or memory */
    ADDR_V,   /* ModRM reg: XMM */
    ADDR_U,   /* ModRM r/m: XMM only */
    ADDR_H,   /* VEX.vvvv: XMM */
    ADDR_B,   /* VEX.vvvv: general register */
    ADDR_L,   /* imm8[7:4]: XMM */
    ADDR_Q,   /* ModRM r/m: MMX or memory */
    ADDR_P,   /* ModRM reg: MMX */
    ADDR_N,   /* ModRM r/m: MMX only */
    ADDR_S,   /* ModRM reg: segment register */
    ADDR_C,   /* ModRM reg: control register */
    ADDR_D,   /* ModRM reg: debug register */
    ADDR_I,   /* immediate */
    ADDR_IS,  /* immediate byte, sign-extended */
    ADDR_J,   /* immediate relative to the next instruction */
    ADDR_A,   /* far pointer in the instruction */
    ADDR_O,   /* memory at an offset in the instruction */
    ADDR_X,   /* DS:rSI */
    ADDR_Y,   /* ES:rDI */
    ADDR_Z,   /* register in the opcode's low bits, with REX.B */
    ADDR_REG, /* a fixed general register */
    ADDR_SEG, /* a fixed segment register */
    ADDR_ONE, /* the constant 1 */
    ADDR_ST,  /* x87 stack register by ModRM rm */
    ADDR_ST0, /* x87 stack top */
} X86Address;

/* An operand as decoded. */
typedef enum X86OperandKind {
    OPERAND_NONE,
    OPERAND_REG, /* general register .reg of .size bytes (.high: AH, CH, DH, BH) */
    OPERAND_MEM, /* memory at insn->mem, .size bytes (0: none of its own, as LEA, INVLPG) */
    OPERAND_IMM, /* .imm, sign-extended to 64 bits where the manual says so */
    OPERAND_REL, /* .imm relative to the next instruction */
    OPERAND_FAR, /* selector insn->far_selector, offset .imm */
    OPERAND_XMM,
    OPERAND_MMX,
    OPERAND_SEG,
    OPERAND_CR,
    OPERAND_DR,
    OPERAND_ST,     /* x87 ST(.reg) */
    OPERAND_STRING, /* memory at rSI (.reg X86_RSI) or rDI */
} X86OperandKind;

typedef struct X86Operand {
    uint8_t kind;
    uint8_t reg;
    uint8_t size; /* bytes */
    bool high;
    uint64_t imm;
} X86Operand;

/* A memory operand: [base + index * scale + displacement], or rip-relative. */
enum { X86_NO_REG = 0xff };
typedef struct X86Mem {
    uint8_t segment;      /* after overrides and defaults */
    uint8_t base, index;  /* X86_NO_REG: none */
    uint8_t scale;        /* as a shift: 0 to 3 */
    uint8_t address_size; /* 2, 4 or 8 bytes */
    bool rip_relative;
    int64_t displacement;
} X86Mem;

typedef struct X86Opcode X86Opcode;

struct X86Insn {
    const X86Opcode *opcode; /* NULL: undefined, #UD */
    uint8_t length;
    uint8_t mode;         /* X86Mode */
    uint8_t operand_size; /* 2, 4 or 8: what "v" operands have */
    uint8_t address_size;
    uint8_t prefix;        /* X86Prefix: the mandatory one that selected the row */
    bool lock, rep, repne; /* F0, F3, F2 present */
    bool operand_override; /* 66 present */
    bool rex_w, has_rex;
    bool has_modrm, vex, vex_l;
    uint8_t segment_override;                      /* or X86_NO_REG */
    uint8_t modrm, modrm_mod, modrm_reg, modrm_rm; /* reg and rm without REX bits */
    uint8_t code;                                  /* the opcode byte that selected the row */
    uint16_t far_selector;
    X86Mem mem;
    X86Operand op[4];
};

/* What an opcode row says besides its operands. */
enum {
    OPCODE_LOCK = 1 << 0,   /* LOCK is allowed with a memory destination */
    OPCODE_NO64 = 1 << 1,   /* #UD in 64-bit mode */
    OPCODE_ONLY64 = 1 << 2, /* #UD outside it */
    OPCODE_DEFAULT64 =
        1 << 3, /* operand size is 64 bits by default in 64-bit mode (push, near jumps) */
    OPCODE_FORCE64 = 1 << 4, /* and can't be changed */
    OPCODE_SSE = 1 << 5,     /* #UD or #NM as CR0.EM, CR4.OSFXSR, CR0.TS say */
    OPCODE_MMX = 1 << 6,     /* #UD or #NM as CR0.EM, CR0.TS say; pending x87 faults */
    OPCODE_X87 = 1 << 7,
    OPCODE_ALIGN = 1 << 8,     /* 16-byte memory operand must be aligned (not with VEX) */
    OPCODE_PROTECTED = 1 << 9, /* #UD in real and virtual-8086 mode */
    OPCODE_RING0 = 1 << 10,    /* #GP(0) unless CPL is 0 */
    OPCODE_REGFORM = 1 << 11,  /* ModRM names a register whatever its mod says (MOV CR, DR) */
    OPCODE_AVX = 1 << 12,      /* #UD or #NM as CR4.OSXSAVE, XCR0, CR0.TS say */
};

/* What a VEX-coded row says of the prefix (SDM volume 2, 2.3).  Without any: VEX.L chooses between
 * 16 and 32 bytes, and W is ignored. */
enum {
    VEX_SCALAR = 1 << 0,  /* L is ignored */
    VEX_L0 = 1 << 1,      /* #UD unless L is 0 */
    VEX_L1 = 1 << 2,      /* #UD unless L is 1 */
    VEX_W0 = 1 << 3,      /* #UD unless W is 0 */
    VEX_W1 = 1 << 4,      /* #UD unless W is 1 */
    VEX_DOUBLE = 1 << 5,  /* L doubles a memory operand of the row's size */
    VEX_INT = 1 << 6,     /* with L the feature is AVX2 */
    VEX_SIB = 1 << 7,     /* the memory operand's index is a vector */
    VEX_ALIGN = 1 << 9,   /* memory must be aligned */
    VEX_BY_SIZE = 1 << 8, /* with a source of 8 bytes, the next .argument */
};

struct X86Opcode {
    const char *name;    /* as the manual writes it, lower case; NULL: no row, or a group */
    uint16_t operand[4]; /* X86Address | X86Size << 8 | register << 12; see tables.h */
    X86Rule rule;
    const X86Opcode *group; /* the row is one of these, chosen by .select (tables.h) */
    uint8_t select;
    uint16_t flags;
    uint16_t argument; /* for the rule: what tells this row from others with the same rule */
    uint8_t feature;   /* X86Feature that must be in the CPU model, 0: none */
    uint16_t vex;      /* VEX_ bits, of rows of the vex array */
};

typedef enum DecodeResult {
    DECODE_OK,       /* also for undefined instructions: insn->opcode is NULL, .length is set */
    DECODE_MORE,     /* @n bytes are too few to tell */
    DECODE_TOO_LONG, /* over 15 bytes: #GP(0) */
} DecodeResult;

/* Decode the instruction at @bytes, of which @n may be read. */
DecodeResult x86_decode(const uint8_t *bytes, size_t n, X86Mode mode, X86Insn *ret_insn);
