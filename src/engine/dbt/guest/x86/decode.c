/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 decoder (SDM volume 2, chapter 2 and appendix A; APM volume 3, chapter 1).
 *
 * In the order of the bytes: prefixes, opcode and its row (groups look at the ModRM byte), the
 * ModRM byte with SIB and displacement, then the operands from left to right, which read what
 * immediates they have.  Bytes come through next_byte() and its kin, which remember in .result
 * when there are too few or too many; everything goes on with zeros then, and x86_decode() looks
 * once at the end.
 *
 * Where vendors differ we do as AMD: 66 makes near branches 16 bits wide in 64-bit mode too.
 *
 * Threads: no state.
 */
#include "engine/dbt/guest/x86/decode.h"

#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/tables.h"
#include "engine/x86/state.h"

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

typedef struct Decoder {
    const uint8_t *bytes;
    size_t n;
    unsigned at;
    X86Mode mode;
    DecodeResult result;
    uint8_t rex;
    uint8_t vvvv; /* of VEX */
    bool bad;     /* an operand that doesn't exist: undefined */
    bool vsib;    /* the index is a vector */
    uint8_t grow; /* shift of the memory operand's size */
    bool address_override;
    X86Insn *insn;
} Decoder;

static uint8_t next_byte(Decoder *d)
{
    if (d->at >= X86_MAX_LENGTH) {
        d->result = DECODE_TOO_LONG;
        return 0;
    }
    if (d->at >= d->n) {
        if (d->result == DECODE_OK) {
            d->result = DECODE_MORE;
        }
        d->at++;
        return 0;
    }
    return d->bytes[d->at++];
}

/* @size bytes, little-endian, zero-extended. */
static uint64_t next_value(Decoder *d, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = next_byte(d);
        value |= byte << (8 * i);
    }
    return value;
}

static int64_t next_signed(Decoder *d, unsigned size)
{
    return sign_extend(next_value(d, size), 8 * size);
}

/* --- prefixes --------------------------------------------------------------------------------- */

static void segment_prefix(Decoder *d, unsigned segment)
{
    /* 64-bit mode has no other segments to choose. */
    if (d->mode != X86_MODE64 || segment == X86_FS || segment == X86_GS) {
        d->insn->segment_override = (uint8_t)segment;
    }
}

/* True if @byte is a legacy prefix, which then has been noted. */
static bool take_prefix(Decoder *d, uint8_t byte)
{
    X86Insn *insn = d->insn;

    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        segment_prefix(d, (byte >> 3) & 3);
        return true;
    case 0x64:
    case 0x65:
        segment_prefix(d, byte == 0x64 ? X86_FS : X86_GS);
        return true;
    case 0x66:
        insn->operand_override = true;
        return true;
    case 0x67:
        d->address_override = true;
        return true;
    case 0xf0:
        insn->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        insn->repne = byte == 0xf2;
        insn->rep = byte == 0xf3;
        return true;
    default:
        return false;
    }
}

/* The first byte that is no prefix.  A REX prefix counts only directly in front of it. */
static uint8_t read_prefixes(Decoder *d)
{
    uint8_t byte = next_byte(d);

    while (d->result == DECODE_OK) {
        if (take_prefix(d, byte)) {
            d->rex = 0;
        } else if (d->mode == X86_MODE64 && (byte & 0xf0) == 0x40) {
            d->rex = byte;
        } else {
            break;
        }
        byte = next_byte(d);
    }
    d->insn->has_rex = d->rex != 0;
    d->insn->rex_w = d->rex & REX_W;
    return byte;
}

/* The last F2 or F3 decides; 66 only without them. */
static X86Prefix mandatory_prefix(const X86Insn *insn)
{
    return insn->rep                ? PREFIX_F3
           : insn->repne            ? PREFIX_F2
           : insn->operand_override ? PREFIX_66
                                    : PREFIX_NONE;
}

static unsigned address_size(const Decoder *d)
{
    switch (d->mode) {
    case X86_MODE64:
        return d->address_override ? 4 : 8;
    case X86_MODE32:
        return d->address_override ? 2 : 4;
    default:
        return d->address_override ? 4 : 2;
    }
}

static unsigned operand_size(const Decoder *d, unsigned flags)
{
    bool override = d->insn->operand_override;

    if (d->mode == X86_MODE64) {
        if (d->insn->rex_w || (flags & OPCODE_FORCE64)) {
            return 8;
        }
        return override ? 2 : flags & OPCODE_DEFAULT64 ? 8 : 4;
    }
    return (d->mode == X86_MODE32) != override ? 4 : 2;
}

/* --- opcode rows ------------------------------------------------------------------------------ */

/* The ModRM byte, read once. */
static void need_modrm(Decoder *d)
{
    X86Insn *insn = d->insn;

    if (!insn->has_modrm) {
        insn->has_modrm = true;
        insn->modrm = next_byte(d);
        insn->modrm_mod = insn->modrm >> 6;
        insn->modrm_reg = (insn->modrm >> 3) & 7;
        insn->modrm_rm = insn->modrm & 7;
    }
}

static unsigned group_index(Decoder *d, unsigned select)
{
    const X86Insn *insn = d->insn;

    switch (select) {
    case SELECT_PREFIX:
        return mandatory_prefix(insn);
    case SELECT_MODE64:
        return d->mode == X86_MODE64;
    case SELECT_W:
        return insn->rex_w;
    case SELECT_L:
        return insn->vex_l;
    case SELECT_NONE:
        return 0;
    default:
        need_modrm(d);
        break;
    }
    switch (select) {
    case SELECT_REG:
        return insn->modrm_reg;
    case SELECT_RM:
        return insn->modrm_rm;
    case SELECT_MOD:
        return insn->modrm_mod == 3;
    default:
        return insn->modrm & 63;
    }
}

/* Follow groups from @row; NULL for an empty row. */
static const X86Opcode *resolve(Decoder *d, const X86Opcode *row)
{
    while (row->group) {
        row = &row->group[group_index(d, row->select)];
    }
    return row->name ? row : NULL;
}

/* A row of the maps behind 0F: integer rows first. */
static const X86Opcode *find_in(Decoder *d, const X86Opcode *map, const X86Opcode (*vectors)[4])
{
    const X86Opcode *row = resolve(d, &map[d->insn->code]);

    if (!row) {
        d->insn->prefix = mandatory_prefix(d->insn);
        row = resolve(d, &vectors[d->insn->code][d->insn->prefix]);
    }
    return row;
}

static const X86Opcode *find_0f(Decoder *d)
{
    X86Insn *insn = d->insn;

    insn->code = next_byte(d);
    switch (insn->code) {
    case 0x38:
        insn->code = next_byte(d);
        return find_in(d, x86_map_0f38, x86_map_0f38_vector);
    case 0x3a:
        insn->code = next_byte(d);
        return find_in(d, x86_map_0f3a, x86_map_0f3a_vector);
    default:
        return find_in(d, x86_map_0f, x86_map_0f_vector);
    }
}

/* C4 and C5 are LES and LDS outside 64-bit mode, unless a register form follows. */
static bool is_vex(const Decoder *d, uint8_t byte)
{
    if (byte != 0xc4 && byte != 0xc5) {
        return false;
    }
    return d->mode == X86_MODE64 || (d->at < d->n && d->bytes[d->at] >= 0xc0);
}

/* No row: read the instruction to its end for its length. */
static void skip_vex(Decoder *d, unsigned map)
{
    X86Insn *insn = d->insn;

    if (map == 1 && insn->code == 0x77) {
        return; /* VZEROUPPER: no ModRM */
    }
    need_modrm(d);
    bool immediate = map == 3 || (map == 1 && ((insn->code & 0xfc) == 0x70 || insn->code == 0xc2 ||
                                               (insn->code >= 0xc4 && insn->code <= 0xc6)));
    if (immediate) {
        insn->op[3].kind = OPERAND_IMM;
    }
}

static const X86Opcode *find_vex(Decoder *d, uint8_t byte)
{
    static const uint8_t prefixes[4] = { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };
    X86Insn *insn = d->insn;
    const X86Opcode *row = NULL;
    unsigned map = 1;
    uint8_t payload = next_byte(d);

    /* legacy prefixes that VEX has bits for, and REX, may not stand in front of it */
    d->bad = insn->lock || insn->rep || insn->repne || insn->operand_override || insn->has_rex;
    insn->vex = true;
    d->rex = payload & 0x80 ? 0 : REX_R;
    if (byte == 0xc4) {
        map = payload & 31;
        d->rex |= (payload & 0x40 ? 0 : REX_X) | (payload & 0x20 ? 0 : REX_B);
        payload = next_byte(d);
        d->rex |= payload & 0x80 ? REX_W : 0;
    }
    insn->rex_w = d->rex & REX_W;
    insn->prefix = prefixes[payload & 3];
    d->vvvv = (~payload >> 3) & 15;
    insn->vex_l = payload & 4;
    insn->code = next_byte(d);
    if (d->mode != X86_MODE64) { /* there are no more than eight registers */
        d->rex &= REX_W;
    }
    if (map >= 1 && map <= 3) {
        row = resolve(d, &x86_map_vex[map - 1][insn->code][insn->prefix]);
    }
    if (!row) {
        skip_vex(d, map);
    }
    return row;
}

static const X86Opcode *find_row(Decoder *d, uint8_t byte)
{
    if (is_vex(d, byte)) {
        return find_vex(d, byte);
    }
    d->insn->code = byte;
    if (byte == 0x0f) {
        return find_0f(d);
    }
    return resolve(d, &x86_map_one[byte]);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* 16-bit addressing: what ModRM rm stands for. */
static const struct {
    uint8_t base, index;
} pairs16[8] = {
    { X86_RBX, X86_RSI },    { X86_RBX, X86_RDI },    { X86_RBP, X86_RSI },
    { X86_RBP, X86_RDI },    { X86_RSI, X86_NO_REG }, { X86_RDI, X86_NO_REG },
    { X86_RBP, X86_NO_REG }, { X86_RBX, X86_NO_REG },
};

static void read_memory16(Decoder *d, X86Mem *mem)
{
    const X86Insn *insn = d->insn;

    mem->base = pairs16[insn->modrm_rm].base;
    mem->index = pairs16[insn->modrm_rm].index;
    if (insn->modrm_mod == 0 && insn->modrm_rm == 6) {
        mem->base = X86_NO_REG;
        mem->displacement = next_signed(d, 2);
    } else if (insn->modrm_mod != 0) {
        mem->displacement = next_signed(d, insn->modrm_mod);
    }
}

/* The SIB byte; true if a 32-bit displacement takes the base's place. */
static bool read_sib(Decoder *d, X86Mem *mem)
{
    uint8_t sib = next_byte(d);
    uint8_t index = (uint8_t)(((sib >> 3) & 7) | (d->rex & REX_X ? 8 : 0));

    mem->scale = sib >> 6;
    mem->index = index == X86_RSP && !d->vsib ? X86_NO_REG : index;
    mem->base = (uint8_t)((sib & 7) | (d->rex & REX_B ? 8 : 0));
    return (sib & 7) == X86_RBP && d->insn->modrm_mod == 0;
}

static void read_memory32(Decoder *d, X86Mem *mem)
{
    const X86Insn *insn = d->insn;
    bool no_base = false;

    if (insn->modrm_rm == 4) {
        no_base = read_sib(d, mem);
    } else if (insn->modrm_rm == 5 && insn->modrm_mod == 0) {
        no_base = true;
        mem->rip_relative = d->mode == X86_MODE64;
    } else {
        mem->base = (uint8_t)(insn->modrm_rm | (d->rex & REX_B ? 8 : 0));
    }
    if (no_base) {
        mem->base = X86_NO_REG;
    }
    if (no_base || insn->modrm_mod == 2) {
        mem->displacement = next_signed(d, 4);
    } else if (insn->modrm_mod == 1) {
        mem->displacement = next_signed(d, 1);
    }
}

/* SIB and displacement of a ModRM memory operand; segment by override or base. */
static void read_memory(Decoder *d)
{
    X86Insn *insn = d->insn;
    X86Mem *mem = &insn->mem;

    if (insn->address_size == 2) {
        d->bad |= d->vsib;
        read_memory16(d, mem);
    } else {
        d->bad |= d->vsib && insn->modrm_rm != 4;
        read_memory32(d, mem);
    }
    if (insn->segment_override != X86_NO_REG) {
        mem->segment = insn->segment_override;
    } else if (mem->base == X86_RBP || mem->base == X86_RSP) {
        mem->segment = X86_SS;
    }
}

/* --- operands --------------------------------------------------------------------------------- */

static unsigned size_of(const Decoder *d, unsigned size)
{
    static const uint8_t fixed[] = {
        [SIZE_NONE] = 0, [SIZE_B] = 1,  [SIZE_W] = 2,   [SIZE_D] = 4,
        [SIZE_Q] = 8,    [SIZE_T] = 10, [SIZE_DQ] = 16, [SIZE_QQ] = 32,
    };
    unsigned operand = d->insn->operand_size;

    switch (size) {
    case SIZE_X:
        return d->insn->vex_l ? 32 : 16;
    case SIZE_V:
        return operand;
    case SIZE_Z:
        return operand == 2 ? 2 : 4;
    case SIZE_Y:
        return d->insn->rex_w && d->mode == X86_MODE64 ? 8 : 4;
    case SIZE_P:
        return 2 + operand;
    case SIZE_S:
        return d->mode == X86_MODE64 ? 10 : 6;
    case SIZE_A:
        return 2 * operand;
    case SIZE_64:
        return d->mode == X86_MODE64 ? 8 : 4;
    default:
        return fixed[size];
    }
}

/* A general register of @op->size bytes; AH to BH where there is no REX. */
static void set_register(const Decoder *d, X86Operand *op, unsigned reg)
{
    op->kind = OPERAND_REG;
    op->reg = (uint8_t)reg;
    if (op->size == 1 && !d->insn->has_rex && reg >= 4 && reg < 8) {
        op->reg = (uint8_t)(reg - 4);
        op->high = true;
    }
}

/* Operands in ModRM's rm: register or memory. */
static void read_rm(Decoder *d, X86Operand *op, unsigned where)
{
    const X86Insn *insn = d->insn;
    unsigned reg = insn->modrm_rm | (d->rex & REX_B ? 8 : 0);
    bool memory = insn->modrm_mod != 3;

    if (memory) {
        op->kind = OPERAND_MEM;
        op->size = (uint8_t)(op->size << d->grow);
        d->bad |= where == ADDR_R || where == ADDR_U || where == ADDR_N;
        return;
    }
    switch (where) {
    case ADDR_EV:
        op->size = insn->operand_size;
        set_register(d, op, reg);
        break;
    case ADDR_ED:
        op->size = insn->rex_w && d->mode == X86_MODE64 ? 8 : 4;
        set_register(d, op, reg);
        break;
    case ADDR_W:
    case ADDR_U:
        op->kind = OPERAND_XMM;
        op->reg = (uint8_t)reg;
        break;
    case ADDR_Q:
    case ADDR_N:
        op->kind = OPERAND_MMX;
        op->reg = insn->modrm_rm;
        break;
    case ADDR_ST:
        op->kind = OPERAND_ST;
        op->reg = insn->modrm_rm;
        break;
    case ADDR_M:
        d->bad = true;
        break;
    default:
        set_register(d, op, reg);
        break;
    }
}

/* A control register.  With LOCK, CR0 means CR8 (AMD's way to it outside 64-bit mode). */
static void read_control_register(Decoder *d, X86Operand *op, unsigned reg)
{
    op->kind = OPERAND_CR;
    op->reg = (uint8_t)reg;
    if (d->insn->lock && reg == 0) {
        op->reg = 8;
        d->insn->lock = false;
    }
    d->bad |= op->reg == 1 || (op->reg > 4 && op->reg != 8);
}

/* Operands in ModRM's reg and in VEX.vvvv. */
static void read_reg(Decoder *d, X86Operand *op, unsigned where)
{
    unsigned reg = d->insn->modrm_reg | (d->rex & REX_R ? 8 : 0);

    op->reg = (uint8_t)reg;
    switch (where) {
    case ADDR_G:
        set_register(d, op, reg);
        break;
    case ADDR_B:
        set_register(d, op, d->mode == X86_MODE64 ? d->vvvv : d->vvvv & 7);
        break;
    case ADDR_V:
        op->kind = OPERAND_XMM;
        break;
    case ADDR_H:
        op->kind = OPERAND_XMM;
        op->reg = d->mode == X86_MODE64 ? d->vvvv : d->vvvv & 7;
        break;
    case ADDR_P:
        op->kind = OPERAND_MMX;
        op->reg = d->insn->modrm_reg;
        break;
    case ADDR_S:
        op->kind = OPERAND_SEG;
        op->reg = d->insn->modrm_reg;
        /* CS can't be moved to */
        d->bad |= op->reg >= X86_SEGMENTS || (op == d->insn->op && op->reg == X86_CS);
        break;
    case ADDR_C:
        read_control_register(d, op, reg);
        break;
    default:
        op->kind = OPERAND_DR;
        d->bad |= reg > 7;
        break;
    }
}

/* Operands that stand in the instruction's bytes. */
static void read_immediate(Decoder *d, X86Operand *op, unsigned where, unsigned size)
{
    X86Insn *insn = d->insn;

    op->kind = OPERAND_IMM;
    switch (where) {
    case ADDR_I:
        op->imm = next_value(d, op->size);
        break;
    case ADDR_IS:
        op->imm = (uint64_t)next_signed(d, size == SIZE_V ? 1 : op->size);
        op->size = insn->operand_size;
        break;
    case ADDR_J:
        op->kind = OPERAND_REL;
        op->imm = (uint64_t)next_signed(d, op->size);
        break;
    case ADDR_A:
        op->kind = OPERAND_FAR;
        op->imm = next_value(d, insn->operand_size);
        insn->far_selector = (uint16_t)next_value(d, 2);
        break;
    case ADDR_L:
        op->kind = OPERAND_XMM;
        op->reg = (next_byte(d) >> 4) & (d->mode == X86_MODE64 ? 15 : 7);
        break;
    default: /* ADDR_O */
        op->kind = OPERAND_MEM;
        insn->mem.displacement = (int64_t)next_value(d, insn->address_size);
        break;
    }
}

/* Operands that are fixed, or named by the opcode byte. */
static void set_fixed(Decoder *d, X86Operand *op, unsigned where, unsigned reg)
{
    op->reg = (uint8_t)reg;
    switch (where) {
    case ADDR_X:
    case ADDR_Y:
        op->kind = OPERAND_STRING;
        op->reg = where == ADDR_X ? X86_RSI : X86_RDI;
        break;
    case ADDR_Z:
        set_register(d, op, (d->insn->code & 7) | (d->rex & REX_B ? 8 : 0));
        break;
    case ADDR_REG:
        op->kind = OPERAND_REG;
        break;
    case ADDR_SEG:
        op->kind = OPERAND_SEG;
        break;
    case ADDR_ONE:
        op->kind = OPERAND_IMM;
        op->imm = 1;
        break;
    default: /* ADDR_ST0 */
        op->kind = OPERAND_ST;
        op->reg = 0;
        break;
    }
}

static void read_operand(Decoder *d, X86Operand *op, uint16_t word)
{
    unsigned where = word & 0xff;
    unsigned size = (word >> 8) & 15;

    op->size = (uint8_t)size_of(d, size);
    switch (where) {
    case ADDR_NONE:
        break;
    case ADDR_E:
    case ADDR_EV:
    case ADDR_ED:
    case ADDR_M:
    case ADDR_R:
    case ADDR_W:
    case ADDR_U:
    case ADDR_Q:
    case ADDR_N:
    case ADDR_ST:
        read_rm(d, op, where);
        break;
    case ADDR_G:
    case ADDR_B:
    case ADDR_V:
    case ADDR_H:
    case ADDR_P:
    case ADDR_S:
    case ADDR_C:
    case ADDR_D:
        read_reg(d, op, where);
        break;
    case ADDR_I:
    case ADDR_IS:
    case ADDR_J:
    case ADDR_A:
    case ADDR_L:
    case ADDR_O:
        read_immediate(d, op, where, size);
        break;
    default:
        set_fixed(d, op, where, word >> 12);
        break;
    }
}

/* Whether an operand word is found by way of the ModRM byte. */
static bool wants_modrm(uint16_t word)
{
    unsigned where = word & 0xff;

    return (where >= ADDR_E && where <= ADDR_V) || where == ADDR_U || where == ADDR_Q ||
           where == ADDR_P || where == ADDR_N || where == ADDR_S || where == ADDR_C ||
           where == ADDR_D || where == ADDR_ST;
}

static void read_operands(Decoder *d, const X86Opcode *row)
{
    X86Insn *insn = d->insn;

    for (unsigned i = 0; i < 4; i++) {
        if (wants_modrm(row->operand[i])) {
            need_modrm(d);
        }
    }
    if (row->flags & OPCODE_REGFORM) {
        insn->modrm_mod = 3;
    }
    d->vsib = row->vex & VEX_SIB;
    d->grow = (row->vex & VEX_DOUBLE) && insn->vex_l;
    if (insn->has_modrm && insn->modrm_mod != 3) {
        read_memory(d);
    }
    for (unsigned i = 0; i < 4 && row->operand[i]; i++) {
        read_operand(d, &insn->op[i], row->operand[i]);
    }
}

/* Destination, indexes and mask of a gather must be three registers. */
static bool same_twice(const X86Insn *insn)
{
    unsigned to = insn->op[0].reg, mask = insn->op[2].reg, index = insn->mem.index;

    return to == mask || to == index || mask == index;
}

/* The VEX prefix is not what the row asks for. */
static bool wrong_vex(const Decoder *d, const X86Opcode *row)
{
    const X86Insn *insn = d->insn;
    bool names_vvvv = false;

    for (unsigned i = 0; i < 4; i++) {
        unsigned where = row->operand[i] & 0xff;
        names_vvvv |= where == ADDR_H || where == ADDR_B;
    }
    return (!names_vvvv && d->vvvv) || ((row->vex & VEX_SIB) && same_twice(insn)) ||
           ((row->vex & VEX_L0) && insn->vex_l) || ((row->vex & VEX_L1) && !insn->vex_l) ||
           ((row->vex & VEX_W0) && insn->rex_w) || ((row->vex & VEX_W1) && !insn->rex_w);
}

/* What makes a row no instruction here. */
static bool undefined_here(const Decoder *d, const X86Opcode *row)
{
    return d->bad || (d->insn->vex && wrong_vex(d, row)) ||
           ((row->flags & OPCODE_NO64) && d->mode == X86_MODE64) ||
           ((row->flags & OPCODE_ONLY64) && d->mode != X86_MODE64);
}

DecodeResult x86_decode(const uint8_t *bytes, size_t n, X86Mode mode, X86Insn *ret_insn)
{
    X86Insn *insn = ret_insn;
    Decoder d = { .bytes = bytes, .n = n, .mode = mode, .insn = insn };

    memset(insn, 0, sizeof(*insn));
    insn->mode = (uint8_t)mode;
    insn->segment_override = X86_NO_REG;

    uint8_t byte = read_prefixes(&d);
    insn->address_size = (uint8_t)address_size(&d);
    insn->mem =
        (X86Mem){ .segment = insn->segment_override == X86_NO_REG ? X86_DS : insn->segment_override,
                  .base = X86_NO_REG,
                  .index = X86_NO_REG,
                  .address_size = insn->address_size };
    insn->prefix = mandatory_prefix(insn);

    const X86Opcode *row = d.result == DECODE_OK ? find_row(&d, byte) : NULL;
    insn->operand_size = (uint8_t)operand_size(&d, row ? row->flags : 0);
    if (row && d.result == DECODE_OK) {
        read_operands(&d, row);
    } else if (insn->vex && !row && insn->has_modrm) {
        if (insn->modrm_mod != 3) {
            read_memory(&d);
        }
        next_value(&d, insn->op[3].kind == OPERAND_IMM);
    }
    insn->opcode = row && !undefined_here(&d, row) ? row : NULL;
    insn->length = (uint8_t)d.at;
    return d.result;
}
