/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoder, see emit.h.
 */
#include "engine/dbt/host/x86_64/emit.h"

#include <string.h>

enum { REX = 0x40, REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

void emit_init(Emit *e, void *start, size_t size)
{
    *e = (Emit){ .at = start, .start = start, .end = (uint8_t *)start + size };
}

/* Room for one more instruction; a full buffer is begun anew and marked. */
static void need(Emit *e)
{
    if (e->end - e->at < EMIT_MAX_INSN) {
        e->full = true;
        e->at = e->start;
    }
}

static void byte(Emit *e, unsigned value)
{
    *e->at++ = (uint8_t)value;
}

static void word32(Emit *e, uint32_t value)
{
    memcpy(e->at, &value, sizeof(value));
    e->at += sizeof(value);
}

static bool fits8(int32_t value)
{
    return value == (int8_t)value;
}

/* Prefixes, REX and opcode; @rex holds the R, X and B bits. */
static void opcode(Emit *e, unsigned op, unsigned rex)
{
    static const uint8_t prefixes[4] = { 0, 0x66, 0xf3, 0xf2 };
    unsigned prefix = (op & X_PREFIX) / X_66;

    if (prefix) {
        byte(e, prefixes[prefix]);
    }
    rex |= op & X_W ? REX | REX_W : 0;
    if (rex) {
        byte(e, rex | REX);
    }
    if (op & X_MAP) {
        byte(e, 0x0f);
    }
    if ((op & X_MAP) == X_0F38) {
        byte(e, 0x38);
    } else if ((op & X_MAP) == X_0F3A) {
        byte(e, 0x3a);
    }
    byte(e, op & 0xff);
}

/* SPL, BPL, SIL and DIL are reached by a REX prefix only. */
static unsigned byte_rex(unsigned reg)
{
    return reg >= RSP && reg <= RDI ? REX : 0;
}

static void direct(Emit *e, unsigned op, unsigned reg, unsigned rm)
{
    unsigned rex = (reg >= 8 ? REX_R : 0) | (rm >= 8 ? REX_B : 0);

    rex |= op & X_BYTE_REG ? byte_rex(reg) : 0;
    rex |= op & X_BYTE_RM ? byte_rex(rm) : 0;
    opcode(e, op, rex);
    byte(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* ModRM, SIB and displacement of a memory operand. */
static void operand(Emit *e, unsigned reg, Mem rm)
{
    bool sib = rm.index != NO_REG || (rm.base & 7) == RSP;
    unsigned mod = rm.disp == 0 && (rm.base & 7) != RBP ? 0 : fits8(rm.disp) ? 1 : 2;

    byte(e, mod << 6 | (reg & 7) << 3 | (sib ? RSP : (rm.base & 7)));
    if (sib) {
        unsigned index = rm.index == NO_REG ? RSP : rm.index & 7;
        byte(e, (unsigned)rm.shift << 6 | index << 3 | (rm.base & 7));
    }
    if (mod == 1) {
        byte(e, (unsigned)rm.disp);
    } else if (mod == 2) {
        word32(e, (uint32_t)rm.disp);
    }
}

static void indirect(Emit *e, unsigned op, unsigned reg, Mem rm)
{
    unsigned rex = (reg >= 8 ? REX_R : 0) | (rm.base >= 8 ? REX_B : 0);

    if (rm.index != NO_REG && rm.index >= 8) {
        rex |= REX_X;
    }
    rex |= op & X_BYTE_REG ? byte_rex(reg) : 0;
    opcode(e, op, rex);
    operand(e, reg, rm);
}

void emit_rr(Emit *e, unsigned op, unsigned reg, unsigned rm)
{
    need(e);
    direct(e, op, reg, rm);
}

void emit_rm(Emit *e, unsigned op, unsigned reg, Mem rm)
{
    need(e);
    indirect(e, op, reg, rm);
}

void emit_rr_imm8(Emit *e, unsigned op, unsigned reg, unsigned rm, unsigned imm)
{
    need(e);
    direct(e, op, reg, rm);
    byte(e, imm);
}

void emit_rm_imm8(Emit *e, unsigned op, unsigned reg, Mem rm, unsigned imm)
{
    need(e);
    indirect(e, op, reg, rm);
    byte(e, imm);
}

/* --- moves ------------------------------------------------------------------------------------ */

static unsigned wide_bit(bool wide)
{
    return wide ? X_W : 0;
}

void emit_mov(Emit *e, bool wide, unsigned to, unsigned from)
{
    emit_rr(e, X_LOAD32 | wide_bit(wide), to, from);
}

void emit_mov_imm(Emit *e, unsigned to, uint64_t value)
{
    unsigned rex = to >= 8 ? REX_B : 0;

    need(e);
    if (value <= UINT32_MAX) {
        opcode(e, 0xb8 + (to & 7), rex);
        word32(e, (uint32_t)value);
    } else if ((int64_t)value == (int32_t)value) {
        direct(e, 0xc7 | X_W, 0, to);
        word32(e, (uint32_t)value);
    } else {
        opcode(e, (0xb8 + (to & 7)) | X_W, rex);
        memcpy(e->at, &value, sizeof(value));
        e->at += sizeof(value);
    }
}

void emit_store_imm(Emit *e, unsigned size, Mem to, int32_t value)
{
    need(e);
    switch (size) {
    case 1:
        indirect(e, 0xc6, 0, to);
        byte(e, (unsigned)value);
        break;
    case 2:
        indirect(e, 0xc7 | X_66, 0, to);
        byte(e, (unsigned)value);
        byte(e, (unsigned)value >> 8);
        break;
    default:
        indirect(e, 0xc7 | wide_bit(size == 8), 0, to);
        word32(e, (uint32_t)value);
    }
}

void emit_store(Emit *e, unsigned size, Mem to, unsigned from)
{
    static const unsigned ops[9] = {
        [1] = X_STORE8, [2] = X_STORE16, [4] = X_STORE32, [8] = X_STORE64
    };

    emit_rm(e, ops[size], from, to);
}

void emit_load(Emit *e, unsigned size, unsigned to, Mem from)
{
    static const unsigned ops[9] = {
        [1] = X_MOVZX8, [2] = X_MOVZX16, [4] = X_LOAD32, [8] = X_LOAD64
    };

    emit_rm(e, ops[size], to, from);
}

void emit_load_signed(Emit *e, unsigned size, unsigned to, Mem from)
{
    static const unsigned ops[9] = {
        [1] = X_MOVSX8, [2] = X_MOVSX16, [4] = X_MOVSX32, [8] = X_LOAD64
    };

    emit_rm(e, ops[size], to, from);
}

/* --- arithmetic ------------------------------------------------------------------------------- */

void emit_alu_rr(Emit *e, Alu alu, bool wide, unsigned to, unsigned from)
{
    emit_rr(e, (alu * 8U + 3) | wide_bit(wide), to, from);
}

void emit_alu_rm(Emit *e, Alu alu, bool wide, unsigned to, Mem from)
{
    emit_rm(e, (alu * 8U + 3) | wide_bit(wide), to, from);
}

void emit_alu_mr(Emit *e, Alu alu, bool wide, Mem to, unsigned from)
{
    emit_rm(e, (alu * 8U + 1) | wide_bit(wide), from, to);
}

void emit_alu_ri(Emit *e, Alu alu, bool wide, unsigned to, int32_t imm)
{
    need(e);
    if (fits8(imm)) {
        direct(e, 0x83 | wide_bit(wide), alu, to);
        byte(e, (unsigned)imm);
    } else {
        direct(e, 0x81 | wide_bit(wide), alu, to);
        word32(e, (uint32_t)imm);
    }
}

void emit_alu_mi(Emit *e, Alu alu, unsigned size, Mem to, int32_t imm)
{
    unsigned bits = size == 2 ? X_66 : wide_bit(size == 8);

    need(e);
    if (size == 1) {
        indirect(e, 0x80, alu, to);
        byte(e, (unsigned)imm);
    } else if (fits8(size == 2 ? (int16_t)imm : imm)) {
        indirect(e, 0x83 | bits, alu, to);
        byte(e, (unsigned)imm);
    } else {
        indirect(e, 0x81 | bits, alu, to);
        byte(e, (unsigned)imm);
        byte(e, (unsigned)imm >> 8);
        if (size > 2) {
            byte(e, (unsigned)imm >> 16);
            byte(e, (unsigned)imm >> 24);
        }
    }
}

void emit_test_ri(Emit *e, bool wide, unsigned a, int32_t imm)
{
    need(e);
    if (imm >= 0 && imm <= 0x7f) { /* SF is the same, too */
        direct(e, X_GROUP3_8, 0, a);
        byte(e, (unsigned)imm);
    } else {
        direct(e, X_GROUP3_32 | wide_bit(wide && imm < 0), 0, a);
        word32(e, (uint32_t)imm);
    }
}

void emit_imul_ri(Emit *e, bool wide, unsigned to, unsigned from, int32_t imm)
{
    need(e);
    if (fits8(imm)) {
        direct(e, X_IMUL32_IMM8 | wide_bit(wide), to, from);
        byte(e, (unsigned)imm);
    } else {
        direct(e, X_IMUL32_IMM32 | wide_bit(wide), to, from);
        word32(e, (uint32_t)imm);
    }
}

void emit_shift_imm(Emit *e, Shift shift, bool wide, unsigned to, unsigned count)
{
    need(e);
    if (count == 1) {
        direct(e, 0xd1 | wide_bit(wide), shift, to);
    } else {
        direct(e, 0xc1 | wide_bit(wide), shift, to);
        byte(e, count);
    }
}

void emit_shift_cl(Emit *e, Shift shift, bool wide, unsigned to)
{
    emit_rr(e, 0xd3 | wide_bit(wide), shift, to);
}

/* A three-byte VEX prefix and the opcode, with register operands. */
/* VEX prefix and opcode; @rxb as in a REX prefix. */
static void vex(Emit *e, unsigned op, unsigned v, unsigned rxb)
{
    /* X_PREFIX counts as VEX.pp does */
    unsigned tail = (~v & 15) << 3 | (op & X_L ? 4 : 0) | (op & X_PREFIX) / X_66;

    if ((op & (X_MAP | X_W)) == X_0F && !(rxb & (REX_X | REX_B))) {
        byte(e, 0xc5);
        byte(e, (rxb & REX_R ? 0 : 0x80) | tail);
    } else {
        byte(e, 0xc4);
        byte(e, (~rxb & 7) << 5 | (op & X_MAP) / X_0F);
        byte(e, (op & X_W ? 0x80 : 0) | tail);
    }
    byte(e, op & 0xff);
}

void emit_vex_rr(Emit *e, unsigned op, unsigned reg, unsigned v, unsigned rm)
{
    need(e);
    vex(e, op, v, (reg >= 8 ? REX_R : 0) | (rm >= 8 ? REX_B : 0));
    byte(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

void emit_vex_rm(Emit *e, unsigned op, unsigned reg, unsigned v, Mem rm)
{
    bool index = rm.index != NO_REG && rm.index >= 8;

    need(e);
    vex(e, op, v, (reg >= 8 ? REX_R : 0) | (index ? REX_X : 0) | (rm.base >= 8 ? REX_B : 0));
    operand(e, reg, rm);
}

void emit_vex_imm8(Emit *e, unsigned imm)
{
    byte(e, imm);
}

void emit_vzeroupper(Emit *e)
{
    need(e);
    vex(e, 0x77 | X_0F, 0, 0);
}

void emit_shiftx(Emit *e, Shift shift, bool wide, const unsigned to_from_count[3])
{
    unsigned prefix = shift == SHIFT_SHL ? X_66 : shift == SHIFT_SHR ? X_F2 : X_F3;

    emit_vex_rr(e, 0xf7 | X_0F38 | prefix | wide_bit(wide), to_from_count[0], to_from_count[2],
                to_from_count[1]);
}

void emit_rorx(Emit *e, bool wide, unsigned to, unsigned from, unsigned count)
{
    emit_vex_rr(e, 0xf0 | X_0F3A | X_F2 | wide_bit(wide), to, 0, from);
    byte(e, count);
}

void emit_bswap(Emit *e, bool wide, unsigned reg)
{
    need(e);
    opcode(e, (0xc8 + (reg & 7)) | X_0F | wide_bit(wide), reg >= 8 ? REX_B : 0);
}

void emit_setcc(Emit *e, Condition cc, unsigned reg)
{
    emit_rr(e, (0x90 + cc) | X_0F | X_BYTE_RM, 0, reg);
}

void emit_cmov(Emit *e, Condition cc, bool wide, unsigned to, unsigned from)
{
    emit_rr(e, (X_CMOV32 + cc) | wide_bit(wide), to, from);
}

void emit_bt_imm(Emit *e, bool wide, unsigned reg, unsigned bit)
{
    emit_rr_imm8(e, 0xba | X_0F | wide_bit(wide), 4, reg, bit);
}

/* --- the rest --------------------------------------------------------------------------------- */

void emit_lock(Emit *e)
{
    need(e);
    byte(e, 0xf0);
}

void emit_push(Emit *e, unsigned reg)
{
    need(e);
    opcode(e, 0x50 + (reg & 7), reg >= 8 ? REX_B : 0);
}

void emit_pop(Emit *e, unsigned reg)
{
    need(e);
    opcode(e, 0x58 + (reg & 7), reg >= 8 ? REX_B : 0);
}

void emit_flags_to_rax(Emit *e)
{
    need(e);
    byte(e, 0x9f); /* lahf */
    opcode(e, 0xb6 | X_0F, 0);
    byte(e, 0xc4); /* movzx eax, ah */
}

void emit_ret(Emit *e)
{
    need(e);
    byte(e, 0xc3);
}

void emit_nop(Emit *e, unsigned bytes)
{
    /* the recommended forms, SDM 2B, NOP */
    static const uint8_t forms[9][9] = {
        { 0x90 },
        { 0x66, 0x90 },
        { 0x0f, 0x1f, 0x00 },
        { 0x0f, 0x1f, 0x40, 0x00 },
        { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
        { 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
        { 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
        { 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
        { 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
    };

    while (bytes) {
        unsigned n = bytes < 9 ? bytes : 9;
        need(e);
        memcpy(e->at, forms[n - 1], n);
        e->at += n;
        bytes -= n;
    }
}

void emit_patch(uint8_t *site, const uint8_t *target)
{
    int32_t displacement = (int32_t)(target - (site + 4));

    memcpy(site, &displacement, sizeof(displacement));
}

static uint8_t *displacement(Emit *e, const uint8_t *target)
{
    uint8_t *site = e->at;

    word32(e, 0);
    if (target) {
        emit_patch(site, target);
    }
    return site;
}

uint8_t *emit_jmp(Emit *e, const uint8_t *target)
{
    need(e);
    byte(e, 0xe9);
    return displacement(e, target);
}

uint8_t *emit_jcc(Emit *e, Condition cc, const uint8_t *target)
{
    need(e);
    byte(e, 0x0f);
    byte(e, 0x80 + cc);
    return displacement(e, target);
}

uint8_t *emit_call(Emit *e, const uint8_t *target)
{
    need(e);
    byte(e, 0xe8);
    return displacement(e, target);
}

void emit_jmp_reg(Emit *e, unsigned reg)
{
    emit_rr(e, X_GROUP5, X_JMP_RM, reg);
}

void emit_jmp_mem(Emit *e, Mem target)
{
    emit_rm(e, X_GROUP5, X_JMP_RM, target);
}

void emit_call_reg(Emit *e, unsigned reg)
{
    emit_rr(e, X_GROUP5, X_CALL_RM, reg);
}
