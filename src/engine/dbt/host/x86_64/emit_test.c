/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoder against an independent decoder: each form with each combination of registers, and
 * memory operands of every shape.
 */
#include "engine/dbt/host/x86_64/emit.h"

#include <Zydis/Zydis.h>
#include <glib.h>
#include <string.h>

typedef struct Bench {
    uint8_t bytes[64];
    Emit e;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
} Bench;

static void begin(Bench *b)
{
    emit_init(&b->e, b->bytes, sizeof(b->bytes));
}

/* What was written is one instruction @mnemonic, and nothing behind it. */
static void check(Bench *b, const char *mnemonic)
{
    ZydisDecoder decoder;
    size_t length = (size_t)(b->e.at - b->bytes);

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    g_assert_true(
        ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, b->bytes, length, &b->insn, b->operands)));
    g_assert_cmpuint(b->insn.length, ==, length);
    g_assert_cmpstr(ZydisMnemonicGetString(b->insn.mnemonic), ==, mnemonic);
}

static ZydisRegister reg_of(unsigned width, unsigned number)
{
    ZydisRegisterClass class = width == 8     ? ZYDIS_REGCLASS_GPR8
                               : width == 16  ? ZYDIS_REGCLASS_GPR16
                               : width == 32  ? ZYDIS_REGCLASS_GPR32
                               : width == 64  ? ZYDIS_REGCLASS_GPR64
                               : width == 128 ? ZYDIS_REGCLASS_XMM
                                              : ZYDIS_REGCLASS_YMM;

    /* AH to BH stand between BL and SPL */
    return ZydisRegisterEncode(class, (ZyanU8)(width == 8 && number >= 4 ? number + 4 : number));
}

static void check_reg(const Bench *b, unsigned operand, unsigned width, unsigned number)
{
    g_assert_cmpint(b->operands[operand].type, ==, ZYDIS_OPERAND_TYPE_REGISTER);
    g_assert_cmpint(b->operands[operand].reg.value, ==, reg_of(width, number));
}

static void check_mem(const Bench *b, unsigned operand, unsigned width, Mem mem)
{
    const ZydisDecodedOperand *o = &b->operands[operand];

    g_assert_cmpint(o->type, ==, ZYDIS_OPERAND_TYPE_MEMORY);
    g_assert_cmpint(o->mem.base, ==, reg_of(64, mem.base));
    if (mem.index == NO_REG) {
        g_assert_cmpint(o->mem.index, ==, ZYDIS_REGISTER_NONE);
    } else {
        g_assert_cmpint(o->mem.index, ==, reg_of(64, mem.index));
        g_assert_cmpint(o->mem.scale, ==, 1 << mem.shift);
    }
    g_assert_cmpint(o->mem.disp.value, ==, mem.disp);
    if (width) {
        g_assert_cmpuint(o->size, ==, width);
    }
}

static void check_imm(const Bench *b, unsigned operand, uint64_t value, unsigned width)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;

    g_assert_cmpint(b->operands[operand].type, ==, ZYDIS_OPERAND_TYPE_IMMEDIATE);
    g_assert_cmphex(b->operands[operand].imm.value.u & mask, ==, value & mask);
}

/* Opcodes with reg and rm: widths in bits, XMM is 128; the store forms have rm first. */
static const struct {
    unsigned op;
    const char *mnemonic;
    unsigned reg, rm;
    bool rm_first, only_mem, only_reg;
} forms[] = {
    { X_STORE8, "mov", 8, 8, true, .only_mem = true },
    { X_STORE16, "mov", 16, 16, true },
    { X_STORE32, "mov", 32, 32, true },
    { X_STORE64, "mov", 64, 64, true },
    { X_LOAD32, "mov", 32, 32 },
    { X_LOAD64, "mov", 64, 64 },
    { X_MOV8, "mov", 8, 8 },
    { X_MOV16, "mov", 16, 16 },
    { X_MOVZX8, "movzx", 32, 8 },
    { X_MOVZX16, "movzx", 32, 16 },
    { X_MOVSX8, "movsx", 64, 8 },
    { X_MOVSX16, "movsx", 64, 16 },
    { X_MOVSX32, "movsxd", 64, 32 },
    { X_LEA32, "lea", 32, 0, .only_mem = true },
    { X_LEA64, "lea", 64, 0, .only_mem = true },
    { X_TEST32, "test", 32, 32, true },
    { X_TEST32 | X_W, "test", 64, 64, true },
    { X_IMUL32, "imul", 32, 32 },
    { X_IMUL32 | X_W, "imul", 64, 64 },
    { X_BSF32 | X_W, "bsf", 64, 64 },
    { X_BSR32 | X_W, "bsr", 64, 64 },
    { X_TZCNT32 | X_W, "tzcnt", 64, 64 },
    { X_LZCNT32 | X_W, "lzcnt", 64, 64 },
    { X_POPCNT32 | X_W, "popcnt", 64, 64 },
    { X_XCHG8, "xchg", 8, 8, true, .only_mem = true },
    { X_XCHG16, "xchg", 16, 16, true },
    { X_XCHG32, "xchg", 32, 32, true },
    { X_XCHG32 | X_W, "xchg", 64, 64, true },
    { X_XADD8, "xadd", 8, 8, true, .only_mem = true },
    { X_XADD16, "xadd", 16, 16, true },
    { X_XADD32, "xadd", 32, 32, true },
    { X_XADD32 | X_W, "xadd", 64, 64, true },
    { X_CMPXCHG8, "cmpxchg", 8, 8, true, .only_mem = true },
    { X_CMPXCHG16, "cmpxchg", 16, 16, true },
    { X_CMPXCHG32, "cmpxchg", 32, 32, true },
    { X_CMPXCHG32 | X_W, "cmpxchg", 64, 64, true },
    { X_CMOV32 + CC_B, "cmovb", 32, 32 },
    { (X_CMOV32 + CC_G) | X_W, "cmovnle", 64, 64 },
    { X_MOVUPS_LOAD, "movups", 128, 128 },
    { X_MOVUPS_STORE, "movups", 128, 128, true },
    { X_MOVAPS, "movaps", 128, 128 },
};

static void test_registers(void)
{
    for (size_t f = 0; f < G_N_ELEMENTS(forms); f++) {
        for (unsigned n = 0; n < 256 && !forms[f].only_mem; n++) {
            Bench b;
            unsigned reg = n & 15, rm = n >> 4;
            bool rm_first = forms[f].rm_first;
            begin(&b);
            emit_rr(&b.e, forms[f].op, reg, rm);
            check(&b, forms[f].mnemonic);
            check_reg(&b, rm_first, forms[f].reg, reg);
            check_reg(&b, !rm_first, forms[f].rm, rm);
        }
    }
}

static const int32_t displacements[] = { 0, 1, -1, 127, -128, 128, -129, INT32_MAX, INT32_MIN };

static void check_form(size_t f, unsigned reg, Mem mem)
{
    Bench b;
    bool rm_first = forms[f].rm_first;

    begin(&b);
    emit_rm(&b.e, forms[f].op, reg, mem);
    check(&b, forms[f].mnemonic);
    check_reg(&b, rm_first, forms[f].reg, reg);
    check_mem(&b, !rm_first, forms[f].rm, mem);
}

static void test_memory(void)
{
    for (size_t f = 0; f < G_N_ELEMENTS(forms); f++) {
        for (unsigned n = 0; n < 16 * 17 * 16; n++) {
            unsigned reg = n % 16, base = n / 16 % 16, index = n / 256;
            int32_t disp = displacements[n % G_N_ELEMENTS(displacements)];
            if (index == RSP) {
                continue;
            }
            check_form(f, reg,
                       index == 16 ? mem_at(base, disp)
                                   : mem_indexed(base, index, n / 7 % 4, disp));
        }
    }
}

static void test_displacements(void)
{
    for (unsigned base = 0; base < 16; base++) {
        for (size_t d = 0; d < G_N_ELEMENTS(displacements); d++) {
            check_form(5, RCX, mem_at(base, displacements[d]));
            check_form(5, RCX, mem_indexed(base, R12, 2, displacements[d]));
        }
    }
}

static const int32_t immediates[] = { 0, 1, -1, 0x7f, -0x80, 0x80, 0x1234, -0x12345, INT32_MIN };
static const char *const alus[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };

static void check_alu(Alu alu, unsigned reg, unsigned other, bool wide)
{
    unsigned width = wide ? 64 : 32;
    Mem mem = mem_at(other, 8);
    Bench b;

    begin(&b);
    emit_alu_rr(&b.e, alu, wide, reg, other);
    check(&b, alus[alu]);
    check_reg(&b, 0, width, reg);
    check_reg(&b, 1, width, other);
    begin(&b);
    emit_alu_rm(&b.e, alu, wide, reg, mem);
    check(&b, alus[alu]);
    check_reg(&b, 0, width, reg);
    check_mem(&b, 1, width, mem);
    begin(&b);
    emit_alu_mr(&b.e, alu, wide, mem, reg);
    check(&b, alus[alu]);
    check_mem(&b, 0, width, mem);
    check_reg(&b, 1, width, reg);
}

static void check_alu_imm(Alu alu, unsigned reg, int32_t imm)
{
    Bench b;

    for (unsigned wide = 0; wide < 2; wide++) {
        begin(&b);
        emit_alu_ri(&b.e, alu, wide, reg, imm);
        check(&b, alus[alu]);
        check_reg(&b, 0, wide ? 64 : 32, reg);
        check_imm(&b, 1, (uint64_t)(int64_t)imm, wide ? 64 : 32);
    }
    for (unsigned size = 1; size <= 8; size *= 2) {
        begin(&b);
        emit_alu_mi(&b.e, alu, size, mem_at(reg, -4), imm);
        check(&b, alus[alu]);
        check_mem(&b, 0, size * 8, mem_at(reg, -4));
        check_imm(&b, 1, (uint64_t)(int64_t)imm, size * 8);
    }
}

static void test_alu(void)
{
    for (Alu alu = ALU_ADD; alu <= ALU_CMP; alu++) {
        for (unsigned n = 0; n < 512; n++) {
            check_alu(alu, n & 15, n >> 4 & 15, n >> 8);
        }
        for (unsigned n = 0; n < 16 * G_N_ELEMENTS(immediates); n++) {
            check_alu_imm(alu, n & 15, immediates[n >> 4]);
        }
    }
}

static void test_immediates(void)
{
    static const uint64_t values[] = { 0,
                                       1,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       0xffffffff80000000,
                                       UINT64_MAX,
                                       UINT64_C(0x123456789abcdef0) };
    Bench b;

    for (unsigned reg = 0; reg < 16; reg++) {
        for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
            begin(&b);
            emit_mov_imm(&b.e, reg, values[i]);
            check(&b, "mov");
            check_reg(&b, 0, values[i] <= UINT32_MAX ? 32 : 64, reg);
            check_imm(&b, 1, values[i], values[i] <= UINT32_MAX ? 32 : 64);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(immediates); i++) {
            for (unsigned size = 1; size <= 8; size *= 2) {
                begin(&b);
                emit_store_imm(&b.e, size, mem_at(reg, 0), immediates[i]);
                check(&b, "mov");
                check_mem(&b, 0, size * 8, mem_at(reg, 0));
                check_imm(&b, 1, (uint64_t)(int64_t)immediates[i], size * 8);
            }
            begin(&b);
            emit_imul_ri(&b.e, reg & 1, reg, 15 - reg, immediates[i]);
            check(&b, "imul");
            check_reg(&b, 0, reg & 1 ? 64 : 32, reg);
            check_reg(&b, 1, reg & 1 ? 64 : 32, 15 - reg);
            check_imm(&b, 2, (uint64_t)(int64_t)immediates[i], reg & 1 ? 64 : 32);
        }
    }
}

/* test may be narrower than asked, but must give the same ZF and SF. */
static void test_test(void)
{
    for (unsigned reg = 0; reg < 16; reg++) {
        for (size_t i = 0; i < G_N_ELEMENTS(immediates); i++) {
            Bench b;
            begin(&b);
            emit_test_ri(&b.e, true, reg, immediates[i]);
            check(&b, "test");
            unsigned width = b.operands[0].size;
            check_reg(&b, 0, width, reg);
            check_imm(&b, 1, (uint64_t)(int64_t)immediates[i], width);
            g_assert_true(width == 64 || immediates[i] >= 0);
        }
    }
}

static const struct {
    Shift shift;
    const char *name, *extended;
} shifts[] = {
    { SHIFT_ROL, "rol", NULL },   { SHIFT_ROR, "ror", NULL },   { SHIFT_SHL, "shl", "shlx" },
    { SHIFT_SHR, "shr", "shrx" }, { SHIFT_SAR, "sar", "sarx" },
};

static void check_shift(size_t s, bool wide, unsigned reg)
{
    unsigned width = wide ? 64 : 32;
    Bench b;

    for (unsigned count = 1; count < width; count += 10) {
        begin(&b);
        emit_shift_imm(&b.e, shifts[s].shift, wide, reg, count);
        check(&b, shifts[s].name);
        check_reg(&b, 0, width, reg);
        check_imm(&b, 1, count, 8);
    }
    begin(&b);
    emit_shift_cl(&b.e, shifts[s].shift, wide, reg);
    check(&b, shifts[s].name);
    check_reg(&b, 0, width, reg);
    check_reg(&b, 1, 8, RCX);
    for (unsigned n = 0; n < 256 && shifts[s].extended; n++) {
        const unsigned operands[3] = { reg, n & 15, n >> 4 };
        begin(&b);
        emit_shiftx(&b.e, shifts[s].shift, wide, operands);
        check(&b, shifts[s].extended);
        check_reg(&b, 0, width, reg);
        check_reg(&b, 1, width, n & 15);
        check_reg(&b, 2, width, n >> 4);
    }
}

static void test_shifts(void)
{
    for (size_t s = 0; s < G_N_ELEMENTS(shifts); s++) {
        for (unsigned n = 0; n < 32; n++) {
            check_shift(s, n & 16, n & 15);
        }
    }
}

static void test_bits(void)
{
    Bench b;

    for (unsigned n = 0; n < 512; n++) {
        unsigned reg = n & 15, other = n >> 4 & 15;
        bool wide = n >> 8;
        unsigned width = wide ? 64 : 32;
        begin(&b);
        emit_rorx(&b.e, wide, reg, other, 13);
        check(&b, "rorx");
        check_reg(&b, 0, width, reg);
        check_reg(&b, 1, width, other);
        check_imm(&b, 2, 13, 8);
        begin(&b);
        emit_bswap(&b.e, wide, reg);
        check(&b, "bswap");
        check_reg(&b, 0, width, reg);
        begin(&b);
        emit_bt_imm(&b.e, wide, reg, 31);
        check(&b, "bt");
        check_reg(&b, 0, width, reg);
        check_imm(&b, 1, 31, 8);
        begin(&b);
        emit_mov(&b.e, wide, reg, other);
        check(&b, "mov");
        check_reg(&b, 0, width, reg);
        check_reg(&b, 1, width, other);
    }
}

/* With a VEX prefix, in each map, with two and three bytes. */
static void test_vex(void)
{
    static const struct {
        unsigned op;
        const char *mnemonic;
    } operations[] = {
        { 0x58 | X_0F, "vaddps" },
        { 0x58 | X_0F | X_66, "vaddpd" },
        { 0x00 | X_0F38 | X_66, "vpshufb" },
        { 0xb8 | X_0F38 | X_66 | X_W, "vfmadd231pd" },
    };
    Bench b;

    for (unsigned n = 0; n < 8 * 4096; n++) {
        unsigned reg = n & 15, v = n >> 4 & 15, rm = n >> 8 & 15, which = n >> 12 & 3;
        unsigned width = n >> 14 ? 256 : 128;
        unsigned op = operations[which].op | (n >> 14 ? X_L : 0);
        Mem mem = mem_indexed(rm, (v == RSP ? RAX : v), 2, 0x40);
        begin(&b);
        emit_vex_rr(&b.e, op, reg, v, rm);
        check(&b, operations[which].mnemonic);
        check_reg(&b, 0, width, reg);
        check_reg(&b, 1, width, v);
        check_reg(&b, 2, width, rm);
        begin(&b);
        emit_vex_rm(&b.e, op, reg, v, mem);
        check(&b, operations[which].mnemonic);
        check_reg(&b, 1, width, v);
        check_mem(&b, 2, width, mem);
    }
    begin(&b);
    emit_vex_rr(&b.e, X_VINSERTF128 | X_L, 9, 10, 11);
    emit_vex_imm8(&b.e, 1);
    check(&b, "vinsertf128");
    check_reg(&b, 2, 128, 11);
    check_imm(&b, 3, 1, 8);
    begin(&b);
    emit_vzeroupper(&b.e);
    check(&b, "vzeroupper");
}

static void test_groups(void)
{
    static const struct {
        unsigned digit;
        const char *name;
    } groups[] = { { X_NOT, "not" }, { X_NEG, "neg" }, { X_MUL, "mul" }, { X_IMUL, "imul" } };

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        for (unsigned reg = 0; reg < 16; reg++) {
            Bench b;
            begin(&b);
            emit_rr(&b.e, X_GROUP3_32 | X_W, groups[i].digit, reg);
            check(&b, groups[i].name);
            check_reg(&b, 0, 64, reg);
        }
    }
}

static void test_conditions(void)
{
    static const char *const names[] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe",
                                         "s", "ns", "p", "np", "l", "nl", "le", "nle" };

    for (Condition cc = CC_O; cc <= CC_G; cc++) {
        g_autofree char *set = g_strconcat("set", names[cc], NULL);
        g_autofree char *cmov = g_strconcat("cmov", names[cc], NULL);
        g_autofree char *jump = g_strconcat("j", names[cc], NULL);
        for (unsigned reg = 0; reg < 16; reg++) {
            Bench b;
            begin(&b);
            emit_setcc(&b.e, cc, reg);
            check(&b, set);
            check_reg(&b, 0, 8, reg);
            begin(&b);
            emit_cmov(&b.e, cc, true, reg, 15 - reg);
            check(&b, cmov);
            check_reg(&b, 0, 64, reg);
            check_reg(&b, 1, 64, 15 - reg);
        }
        Bench b;
        begin(&b);
        emit_jcc(&b.e, cc, b.bytes + 40);
        check(&b, jump);
        g_assert_cmpint(b.operands[0].imm.value.s, ==, 40 - 6);
    }
}

static void test_jumps(void)
{
    Bench b;

    begin(&b);
    uint8_t *site = emit_jmp(&b.e, NULL);
    emit_patch(site, b.bytes);
    check(&b, "jmp");
    g_assert_cmpint(b.operands[0].imm.value.s, ==, -5);
    begin(&b);
    emit_call(&b.e, b.bytes + 50);
    check(&b, "call");
    g_assert_cmpint(b.operands[0].imm.value.s, ==, 45);
    begin(&b);
    emit_ret(&b.e);
    check(&b, "ret");
    for (unsigned reg = 0; reg < 16; reg++) {
        begin(&b);
        emit_push(&b.e, reg);
        check(&b, "push");
        check_reg(&b, 0, 64, reg);
        begin(&b);
        emit_pop(&b.e, reg);
        check(&b, "pop");
        check_reg(&b, 0, 64, reg);
        begin(&b);
        emit_jmp_reg(&b.e, reg);
        check(&b, "jmp");
        check_reg(&b, 0, 64, reg);
        begin(&b);
        emit_call_reg(&b.e, reg);
        check(&b, "call");
        check_reg(&b, 0, 64, reg);
        begin(&b);
        emit_jmp_mem(&b.e, mem_at(reg, 24));
        check(&b, "jmp");
        check_mem(&b, 0, 64, mem_at(reg, 24));
    }
}

static void test_nops(void)
{
    for (unsigned bytes = 1; bytes <= 9; bytes++) {
        Bench b;
        begin(&b);
        emit_nop(&b.e, bytes);
        g_assert_cmpint(b.e.at - b.bytes, ==, bytes);
        check(&b, "nop");
    }
}

static void test_lock(void)
{
    Bench b;

    begin(&b);
    emit_lock(&b.e);
    emit_alu_mi(&b.e, ALU_OR, 4, mem_at(RSP, 0), 0);
    check(&b, "or");
    g_assert_true(b.insn.attributes & ZYDIS_ATTRIB_HAS_LOCK);
}

/* Nothing is written behind the end, and the caller learns of it. */
static void test_full(void)
{
    uint8_t bytes[64];
    Emit e;

    memset(bytes, 0xee, sizeof(bytes));
    emit_init(&e, bytes, 40);
    for (unsigned i = 0; i < 100; i++) {
        emit_mov_imm(&e, R9, UINT64_C(0x123456789abcdef0));
    }
    g_assert_true(e.full);
    for (unsigned i = 40; i < sizeof(bytes); i++) {
        g_assert_cmphex(bytes[i], ==, 0xee);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/emit/registers", test_registers);
    g_test_add_func("/emit/memory", test_memory);
    g_test_add_func("/emit/displacements", test_displacements);
    g_test_add_func("/emit/alu", test_alu);
    g_test_add_func("/emit/immediates", test_immediates);
    g_test_add_func("/emit/test", test_test);
    g_test_add_func("/emit/shifts", test_shifts);
    g_test_add_func("/emit/bits", test_bits);
    g_test_add_func("/emit/vex", test_vex);
    g_test_add_func("/emit/groups", test_groups);
    g_test_add_func("/emit/conditions", test_conditions);
    g_test_add_func("/emit/jumps", test_jumps);
    g_test_add_func("/emit/nops", test_nops);
    g_test_add_func("/emit/lock", test_lock);
    g_test_add_func("/emit/full", test_full);
    return g_test_run();
}
