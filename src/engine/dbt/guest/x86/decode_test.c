/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder on instructions chosen for their corners: prefixes, REX, sizes, lengths.
 * (tests/cpu/zydis_test.c compares it with another decoder on random bytes.)
 */
#include "engine/dbt/guest/x86/decode.h"

#include <glib.h>
#include <string.h>

#include "engine/x86/state.h"

static unsigned parse_code(const char *hex, uint8_t *code)
{
    unsigned n = 0;
    char *end = NULL;

    for (const char *at = hex; *at; at = end) {
        code[n++] = (uint8_t)g_ascii_strtoull(at, &end, 16);
        end += strspn(end, " ");
    }
    return n;
}

/* --- what it is ------------------------------------------------------------------------------- */

typedef struct Case {
    const char *name;
    unsigned bits;
    const char *code;
    const char *mnemonic; /* NULL: undefined */
    unsigned operand_size, address_size;
} Case;

static const Case cases[] = {
    { "nop", 64, "90", "xchg", 4, 8 },
    { "rex-w", 64, "48 01 d8", "add", 8, 8 },
    { "66", 64, "66 01 d8", "add", 2, 8 },
    { "rex-w-wins-against-66", 64, "66 48 01 d8", "add", 8, 8 },
    { "rex-before-66-is-void", 64, "48 66 01 d8", "add", 2, 8 },
    { "inc-in-32-is-rex-in-64", 32, "48", "dec", 4, 4 },
    { "67-in-64", 64, "67 8b 00", "mov", 4, 4 },
    { "67-in-16", 16, "67 8b 00", "mov", 2, 4 },
    { "push-is-64", 64, "50", "push", 8, 8 },
    { "push-66-is-16", 64, "66 50", "push", 2, 8 },
    { "near-branch-66-is-16", 64, "66 e9 00 00", "jmp", 2, 8 },
    { "movbe-or-crc32", 64, "f2 66 0f 38 f0 c1", "crc32", 2, 8 },
    { "f3-wins-over-66", 64, "66 f3 0f b8 c1", "popcnt", 2, 8 },
    { "last-of-f2-f3-counts", 64, "f2 f3 0f bc c1", "tzcnt", 4, 8 },
    { "bsf-with-f2", 64, "f3 f2 0f bc c1", "bsf", 4, 8 },
    { "movsxd", 64, "63 c1", "movsxd", 4, 8 },
    { "arpl", 32, "63 c1", "arpl", 4, 4 },
    { "les-or-vex", 32, "c4 06", "les", 4, 4 },
    { "vex-in-32", 32, "c4 e1 78 58 c1", "vaddps", 4, 4 },
    { "vex-in-64", 64, "c5 f8 58 c1", "vaddps", 4, 8 },
    { "vex-memory", 64, "c5 f8 5a 44 24 10", "vcvtps2pd", 4, 8 },
    { "vex-behind-lock", 64, "f0 c5 f8 58 c1", NULL, 4, 8 },
    { "vex-behind-66", 64, "66 c5 f8 58 c1", NULL, 2, 8 },
    { "vex-behind-f2", 64, "f2 c5 f8 58 c1", NULL, 4, 8 },
    { "vex-behind-f3", 64, "f3 c5 f8 58 c1", NULL, 4, 8 },
    { "vex-behind-rex", 64, "40 c5 f8 58 c1", NULL, 4, 8 },
    { "vex-behind-67-and-segment", 64, "65 67 c5 f8 58 01", "vaddps", 4, 4 },
    { "vex-vvvv-unused", 64, "c5 e8 28 c1", NULL, 4, 8 },
    { "vex-l-must-be-0", 64, "c5 fd 6e c1", NULL, 4, 8 },
    { "vex-l-must-be-1", 64, "c4 e3 79 19 c1 00", NULL, 4, 8 },
    { "vex-l-of-a-scalar", 64, "c5 fe 58 c1", "vaddss", 4, 8 },
    { "vex-w-must-be-0", 64, "c4 e2 f9 18 c1", NULL, 8, 8 },
    { "vex-w-must-be-1", 64, "c4 e3 7d 00 c1 00", NULL, 4, 8 },
    { "vex-no-such-map", 64, "c4 e4 78 58 c1", NULL, 4, 8 },
    { "vzeroupper", 64, "c5 f8 77", "vzeroupper", 4, 8 },
    { "vzeroall", 64, "c5 fc 77", "vzeroall", 4, 8 },
    { "gather", 64, "c4 e2 71 90 14 05 00 00 00 00", "vpgatherdd", 4, 8 },
    { "gather-needs-sib", 64, "c4 e2 71 90 11", NULL, 4, 8 },
    { "gather-needs-three-registers", 64, "c4 e2 71 90 0c 05 00 00 00 00", NULL, 4, 8 },
    { "blsr", 64, "c4 e2 f0 f3 ca", "blsr", 8, 8 },
    { "no-pusha-in-64", 64, "60", NULL, 4, 8 },
    { "no-swapgs-in-32", 32, "0f 01 f8", NULL, 4, 4 },
    { "lea-of-register", 64, "8d c0", NULL, 4, 8 },
    { "cmpxchg16b", 64, "48 0f c7 08", "cmpxchg16b", 8, 8 },
    { "rdrand-with-f3", 64, "f3 0f c7 f0", NULL, 4, 8 },
    { "xgetbv-with-66", 64, "66 0f 01 d0", NULL, 2, 8 },
    { "mov-to-cs", 64, "8e c8", NULL, 4, 8 },
    { "mov-from-cr1", 64, "0f 20 c8", NULL, 4, 8 },
    { "mov-cr-ignores-mod", 64, "0f 20 00", "mov", 4, 8 },
    { "ud2", 64, "0f 0b", "ud2", 4, 8 },
    { "salc", 32, "d6", "salc", 4, 4 },
    { "salc-in-64", 64, "d6", NULL, 4, 8 },
};

static X86Mode mode_of(unsigned bits)
{
    return bits == 16 ? X86_MODE16 : bits == 32 ? X86_MODE32 : X86_MODE64;
}

static void test_case(gconstpointer data)
{
    const Case *c = data;
    uint8_t code[16] = { 0 };
    unsigned n = parse_code(c->code, code);
    X86Insn insn;

    g_assert_cmpint(x86_decode(code, n, mode_of(c->bits), &insn), ==, DECODE_OK);
    g_assert_cmpuint(insn.length, ==, n);
    g_assert_cmpstr(insn.opcode ? insn.opcode->name : NULL, ==, c->mnemonic);
    g_assert_cmpuint(insn.operand_size, ==, c->operand_size);
    g_assert_cmpuint(insn.address_size, ==, c->address_size);
}

/* --- memory operands -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned bits;
    const char *code;
    X86Mem mem;
} memory_cases[] = {
    { "sib", 64, "8b 84 b3 78 56 34 12", { X86_DS, X86_RBX, X86_RSI, 2, 8, false, 0x12345678 } },
    { "rip", 64, "8b 05 fc ff ff ff", { X86_DS, X86_NO_REG, X86_NO_REG, 0, 8, true, -4 } },
    { "absolute",
      64,
      "8b 04 25 00 10 00 00",
      { X86_DS, X86_NO_REG, X86_NO_REG, 0, 8, false, 4096 } },
    { "rsp-is-in-ss", 64, "8b 44 24 08", { X86_SS, X86_RSP, X86_NO_REG, 0, 8, false, 8 } },
    { "r12-is-in-ds", 64, "41 8b 04 24", { X86_DS, 12, X86_NO_REG, 0, 8, false, 0 } },
    { "r13-needs-a-displacement", 64, "41 8b 45 00", { X86_DS, 13, X86_NO_REG, 0, 8, false, 0 } },
    { "no-base-with-rex-b",
      64,
      "41 8b 04 65 01 00 00 00",
      { X86_DS, X86_NO_REG, X86_NO_REG, 1, 8, false, 1 } },
    { "index-r12", 64, "42 8b 04 20", { X86_DS, X86_RAX, 12, 0, 8, false, 0 } },
    { "gs", 64, "65 8b 00", { X86_GS, X86_RAX, X86_NO_REG, 0, 8, false, 0 } },
    { "ds-is-void-in-64", 64, "64 3e 8b 00", { X86_FS, X86_RAX, X86_NO_REG, 0, 8, false, 0 } },
    { "last-segment-counts", 32, "64 3e 8b 00", { X86_DS, X86_RAX, X86_NO_REG, 0, 4, false, 0 } },
    { "bp-di", 16, "8b 03", { X86_SS, X86_RBP, X86_RDI, 0, 2, false, 0 } },
    { "disp16", 16, "8b 06 34 12", { X86_DS, X86_NO_REG, X86_NO_REG, 0, 2, false, 0x1234 } },
    { "bp-disp8", 16, "8b 46 80", { X86_SS, X86_RBP, X86_NO_REG, 0, 2, false, -128 } },
    { "moffs64",
      64,
      "a1 88 77 66 55 44 33 22 11",
      { X86_DS, X86_NO_REG, X86_NO_REG, 0, 8, false, 0x1122334455667788 } },
};

static void test_memory(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(memory_cases); i++) {
        uint8_t code[16] = { 0 };
        unsigned n = parse_code(memory_cases[i].code, code);
        const X86Mem *want = &memory_cases[i].mem;
        X86Insn insn;

        g_test_message("%s", memory_cases[i].name);
        g_assert_cmpint(x86_decode(code, n, mode_of(memory_cases[i].bits), &insn), ==, DECODE_OK);
        g_assert_cmpuint(insn.length, ==, n);
        g_assert_cmpuint(insn.mem.segment, ==, want->segment);
        g_assert_cmpuint(insn.mem.base, ==, want->base);
        g_assert_cmpuint(insn.mem.index, ==, want->index);
        g_assert_cmpuint(insn.mem.address_size, ==, want->address_size);
        g_assert_cmpint(insn.mem.rip_relative, ==, want->rip_relative);
        g_assert_cmpint(insn.mem.displacement, ==, want->displacement);
        if (want->index != X86_NO_REG) {
            g_assert_cmpuint(insn.mem.scale, ==, want->scale);
        }
    }
}

/* --- operands --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned bits;
    const char *code;
    unsigned operand;
    X86Operand want;
} operand_cases[] = {
    { "ah", 64, "88 e0", 1, { OPERAND_REG, X86_RAX, 1, true, 0 } },
    { "spl-by-rex", 64, "40 88 e0", 1, { OPERAND_REG, X86_RSP, 1, false, 0 } },
    { "r9d-in-opcode", 64, "41 b9 00 00 00 80", 0, { OPERAND_REG, 9, 4, false, 0 } },
    { "imm32", 64, "41 b9 00 00 00 80", 1, { OPERAND_IMM, 0, 4, false, 0x80000000 } },
    { "imm64",
      64,
      "48 b8 88 77 66 55 44 33 22 11",
      1,
      { OPERAND_IMM, 0, 8, false, 0x1122334455667788 } },
    { "imm8-sign-extended", 64, "48 83 c0 ff", 1, { OPERAND_IMM, 0, 8, false, UINT64_MAX } },
    { "imm32-sign-extended",
      64,
      "48 81 c0 00 00 00 80",
      1,
      { OPERAND_IMM, 0, 8, false, 0xffffffff80000000 } },
    { "imm16", 64, "66 81 c0 ff 7f", 1, { OPERAND_IMM, 0, 2, false, 0x7fff } },
    { "jump-back", 64, "eb fe", 0, { OPERAND_REL, 0, 1, false, (uint64_t)-2 } },
    { "cr8", 64, "44 0f 20 c0", 1, { OPERAND_CR, 8, 8, false, 0 } },
    { "lock-cr0-is-cr8", 32, "f0 0f 20 c0", 1, { OPERAND_CR, 8, 4, false, 0 } },
    { "far-pointer", 32, "ea 78 56 34 12 08 00", 0, { OPERAND_FAR, 0, 6, false, 0x12345678 } },
    { "mov-from-segment-to-register", 64, "48 8c d8", 0, { OPERAND_REG, X86_RAX, 8, false, 0 } },
    { "mov-from-segment-to-memory", 64, "48 8c 18", 0, { OPERAND_MEM, 0, 2, false, 0 } },
    { "lgdt-of-10-bytes", 64, "0f 01 10", 0, { OPERAND_MEM, 0, 10, false, 0 } },
    { "in-from-dx", 64, "ed", 1, { OPERAND_REG, X86_RDX, 2, false, 0 } },
    { "in-has-no-64-bits", 64, "48 ed", 0, { OPERAND_REG, X86_RAX, 4, false, 0 } },
};

static void test_operands(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(operand_cases); i++) {
        uint8_t code[16] = { 0 };
        unsigned n = parse_code(operand_cases[i].code, code);
        const X86Operand *want = &operand_cases[i].want;
        X86Insn insn;

        g_test_message("%s", operand_cases[i].name);
        g_assert_cmpint(x86_decode(code, n, mode_of(operand_cases[i].bits), &insn), ==, DECODE_OK);
        g_assert_nonnull(insn.opcode);
        const X86Operand *op = &insn.op[operand_cases[i].operand];
        g_assert_cmpuint(op->kind, ==, want->kind);
        g_assert_cmpuint(op->size, ==, want->size);
        g_assert_cmphex(op->imm, ==, want->imm);
        g_assert_cmpint(op->high, ==, want->high);
        if (want->kind != OPERAND_MEM) {
            g_assert_cmpuint(op->reg, ==, want->reg);
        }
    }
}

/* --- lengths ---------------------------------------------------------------------------------- */

/* Whatever is missing at its end, an instruction asks for more. */
static void test_short_input_asks_for_more(void)
{
    static const char *const codes[] = { "48 b8 88 77 66 55 44 33 22 11",
                                         "66 0f 38 f0 84 b3 78 56 34 12", "c8 10 00 00",
                                         "c4 e1 78 58 44 24 10" };

    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        uint8_t code[16];
        unsigned n = parse_code(codes[i], code);
        X86Insn insn;
        for (unsigned short_n = 0; short_n < n; short_n++) {
            g_assert_cmpint(x86_decode(code, short_n, X86_MODE64, &insn), ==, DECODE_MORE);
        }
        g_assert_cmpint(x86_decode(code, n, X86_MODE64, &insn), ==, DECODE_OK);
    }
}

static void test_fifteen_bytes_are_the_most(void)
{
    uint8_t code[24];
    X86Insn insn;

    memset(code, 0x66, sizeof(code));
    code[14] = 0x90;
    g_assert_cmpint(x86_decode(code, sizeof(code), X86_MODE64, &insn), ==, DECODE_OK);
    g_assert_cmpuint(insn.length, ==, 15);
    code[14] = 0x66;
    code[15] = 0x90;
    g_assert_cmpint(x86_decode(code, sizeof(code), X86_MODE64, &insn), ==, DECODE_TOO_LONG);
    g_assert_cmpint(x86_decode(code, 15, X86_MODE64, &insn), ==, DECODE_TOO_LONG);
    g_assert_cmpint(x86_decode(code, 14, X86_MODE64, &insn), ==, DECODE_MORE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/decode/", cases[i].name, NULL);
        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/decode/memory", test_memory);
    g_test_add_func("/decode/operands", test_operands);
    g_test_add_func("/decode/short-input-asks-for-more", test_short_input_asks_for_more);
    g_test_add_func("/decode/fifteen-bytes-are-the-most", test_fifteen_bytes_are_the_most);
    return g_test_run();
}
