/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding instructions for another mode, see twins.h.
 *
 * In 32-bit code the bytes stay.  In 16-bit code 67 is added for the address size, and 66 is added
 * or taken away, whichever makes the decoder see the same instruction with the same operands.
 */
#include "twins.h"

#include <string.h>

#include "engine/dbt/guest/x86/tables.h"
#include "engine/x86/state.h"

static bool has_segment_register(const X86Insn *insn)
{
    return insn->op[0].kind == OPERAND_SEG || insn->op[1].kind == OPERAND_SEG;
}

bool twin_possible(const X86Insn *insn)
{
    unsigned flags = insn->opcode->flags;
    bool jumps = insn->op[0].kind == OPERAND_REL;

    if (insn->has_rex || insn->mem.rip_relative || has_segment_register(insn) ||
        insn->address_size != 8 || insn->segment_override != X86_NO_REG) {
        return false;
    }
    if ((flags & (OPCODE_DEFAULT64 | OPCODE_FORCE64)) && (!jumps || insn->operand_override)) {
        return false; /* another size of stack or branch */
    }
    return !(flags & (OPCODE_NO64 | OPCODE_ONLY64)) && strcmp(insn->opcode->name, "call");
}

static bool same_operand(const X86Operand *a, const X86Operand *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == OPERAND_REL) {
        return true; /* set later */
    }
    return a->reg == b->reg && a->high == b->high && a->imm == b->imm &&
           (a->size == b->size || a->kind == OPERAND_CR || a->kind == OPERAND_DR ||
            b->kind == OPERAND_REG);
}

static bool same_insn(const X86Insn *a, const X86Insn *b)
{
    bool jumps = a->op[0].kind == OPERAND_REL;

    if (a->opcode != b->opcode || b->address_size != 4 || a->rep != b->rep ||
        a->repne != b->repne || a->lock != b->lock ||
        (jumps ? b->operand_size != 4 : a->operand_size != b->operand_size)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!same_operand(&a->op[i], &b->op[i])) {
            return false;
        }
    }
    return a->mem.base == b->mem.base && a->mem.index == b->mem.index &&
           a->mem.scale == b->mem.scale && a->mem.displacement == b->mem.displacement &&
           a->mem.segment == b->mem.segment;
}

/* @bytes with 67 in front, and with 66 added or its first one left out (@toggle). */
static unsigned with_prefixes(const uint8_t *bytes, unsigned n, bool toggle, uint8_t *out)
{
    const uint8_t *found = memchr(bytes, 0x66, n);
    unsigned to = 0;

    out[to++] = 0x67;
    if (toggle && !found) {
        out[to++] = 0x66;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!(toggle && found == bytes + i)) {
            out[to++] = bytes[i];
        }
    }
    return to;
}

/* Encode one instruction for @mode; its length, 0 if that is impossible. */
static unsigned encode(const uint8_t *bytes, unsigned n, X86Mode mode, uint8_t *out)
{
    X86Insn original, twin;

    x86_decode(bytes, n, X86_MODE64, &original);
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        unsigned length = n;
        if (mode == X86_MODE32) {
            memcpy(out, bytes, n);
        } else {
            length = with_prefixes(bytes, n, attempt == 0, out);
        }
        if (length <= X86_MAX_LENGTH && x86_decode(out, length, mode, &twin) == DECODE_OK &&
            twin.length == length && same_insn(&original, &twin)) {
            return length;
        }
    }
    return 0;
}

/* Jumps of the twin go where those of the original go. */
static void aim(DiffSequence *sequence, DiffTwin *twin, X86Mode mode)
{
    for (unsigned i = 0; i < sequence->n_insns; i++) {
        unsigned start = sequence->starts[i], end = sequence->starts[i + 1], target = 0;
        X86Insn insn, ours;
        x86_decode(sequence->code + start, end - start, X86_MODE64, &insn);
        if (insn.op[0].kind != OPERAND_REL) {
            continue;
        }
        while (sequence->starts[target] != end + insn.op[0].imm) {
            target++;
        }
        x86_decode(twin->code + twin->starts[i], DIFF_SLOT - twin->starts[i], mode, &ours);
        int32_t displacement = twin->starts[target] - twin->starts[i + 1];
        unsigned size = ours.op[0].size;
        memcpy(twin->code + twin->starts[i + 1] - size, &displacement, size);
    }
}

static bool make_twin(DiffSequence *sequence, DiffTwin *twin, X86Mode mode)
{
    unsigned n = 0;

    memset(twin->code, DIFF_END, DIFF_SLOT);
    for (unsigned i = 0; i < sequence->n_insns; i++) {
        unsigned start = sequence->starts[i], end = sequence->starts[i + 1];
        uint8_t bytes[DIFF_SLOT];
        unsigned length = encode(sequence->code + start, end - start, mode, bytes);
        if (length == 0 || n + length >= DIFF_SLOT) {
            return false;
        }
        twin->starts[i] = (uint8_t)n;
        memcpy(twin->code + n, bytes, length);
        n += length;
    }
    twin->starts[sequence->n_insns] = (uint8_t)n;
    aim(sequence, twin, mode);
    return true;
}

void make_twins(DiffSequence *sequence)
{
    for (X86Mode mode = X86_MODE16; mode <= X86_MODE32; mode++) {
        sequence->twin[mode].valid = make_twin(sequence, &sequence->twin[mode], mode);
    }
}
