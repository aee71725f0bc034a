/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: any bytes as x86 code, in any mode: the decoder stays inside them and below 15
 * bytes an instruction, and what the translator makes of them is well-formed IR.
 *
 * The first 4 bytes are the context key, the next two where in its page the code stands.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/isa.h"
#include "engine/dbt/guest/x86/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *bytes, size_t n)
{
    for (X86Mode mode = X86_MODE16; mode <= X86_MODE64; mode++) {
        X86Insn insn;
        if (x86_decode(bytes, n, mode, &insn) == DECODE_OK) {
            g_assert_cmpuint(insn.length, >, 0);
            g_assert_cmpuint(insn.length, <=, X86_MAX_LENGTH);
            g_assert_cmpuint(insn.length, <=, n);
        }
    }
}

/* No key has a fourth mode, and 64-bit code is flat. */
static uint32_t possible_key(uint32_t key)
{
    if ((key & KEY_MODE) > X86_MODE64) {
        key &= ~(uint32_t)1;
    }
    if ((key & KEY_MODE) == X86_MODE64) {
        key = (key | KEY_LONG | KEY_PROTECTED) & ~(uint32_t)(KEY_CS_BASE | KEY_V8086 | KEY_FLAT);
    }
    return key;
}

/* One instruction takes no more nodes than the builder keeps room for. */
static void check_nodes(const IrBlock *ir)
{
    for (unsigned i = 0; i < ir->n_insns; i++) {
        unsigned end = i + 1 < ir->n_insns ? ir->insns[i + 1].node : ir->n_nodes;
        g_assert_cmpuint(end - ir->insns[i].node, <=, IR_INSN_NODES);
    }
}

static void translate(const uint8_t *bytes, size_t n, uint32_t key, unsigned offset)
{
    g_autofree X86Cpu *cpu = g_new0(X86Cpu, 1);
    g_autofree IrBlock *ir = g_new(IrBlock, 1);
    g_autofree GuestCode *code = g_new0(GuestCode, 1);
    g_autoptr(GError) error = NULL;

    cpu->model = x86_cpu_model_find(NULL, false);
    cpu->base.isa = &x86_isa;
    cpu->base.key = possible_key(key);
    cpu->base.pc = UINT64_C(0x400000) + offset;
    code->page_left = 4096 - offset;
    code->length = (unsigned)MIN(n, code->page_left + 16);
    code->max_insns = IR_MAX_INSNS;
    memcpy(code->bytes, bytes, code->length);
    ir_block_clear(ir);
    if (x86_translate(&cpu->base, code, ir) == TRANSLATE_MORE) {
        return;
    }
    check_nodes(ir);
    bool good = ir_verify(ir, &error);
    g_assert_no_error(error);
    g_assert_true(good);
    ir_optimise(ir);
    good = ir_verify(ir, &error);
    g_assert_no_error(error);
    g_assert_true(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 7) {
        return 0;
    }
    decode(data + 6, size - 6);
    translate(data + 6, size - 6, load_le32(data), load_le16(data + 4) % 4096);
    return 0;
}
