/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against Zydis: what is an instruction, how long it is, and its operands, on random
 * bytes in 16-, 32- and 64-bit mode.
 *
 *   zydis_test [--strings N] [--seed N] [--show N]
 *
 * Prints TAP.  Differences that are right as they are stand in tables here, by name and with the
 * reason; any other fails.
 *
 * Threads: one.
 */
#include <Zydis/Zydis.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/decode.h"
#include "engine/x86/state.h"

enum { STRING = 16 };

/* Extensions that Zydis knows and the decoder does not; nor any with EVEX or XOP prefix. */
static const char *const not_ours[] = {
    "AMD3DNOW",
    "AMD_INVLPGB",
    "AMX_BF16",
    "AMX_FP16",
    "AMX_INT8",
    "AMX_TILE",
    "AVX512VEX",
    "AVX_IFMA",
    "AVX_NE_CONVERT",
    "AVX_VNNI",
    "AVX_VNNI_INT8",
    "CET",
    "CLZERO",
    "ENQCMD",
    "FMA4",
    "GFNI",
    "HRESET",
    "KNC",
    "KNCV",
    "KEYLOCKER",
    "KEYLOCKER_WIDE",
    "MCOMMIT",
    "MONITORX",
    "MOVDIR",
    "PADLOCK",
    "PBNDKB",
    "PCONFIG",
    "PKU",
    "PT",
    "RDPRU",
    "RTM",
    "SERIALIZE",
    "SGX",
    "SGX_ENCLV",
    "SHA",
    "SMX",
    "SNP",
    "SSE4A",
    "SVM",
    "TDX",
    "TSX_LDTRK",
    "UINTR",
    "VAES",
    "VMFUNC",
    "VPCLMULQDQ",
    "VTX",
    "WAITPKG",
    "XOP",
    "XSAVES",
};

typedef struct Listed {
    const char *name, *reason;
} Listed;

/* Instructions of Zydis that are none here. */
static const Listed only_zydis[] = {
    { "nop", "0F 0D with a register: undefined on AMD" },
};

/* Instructions here that are none for Zydis. */
static const Listed only_ours[] = {
    { "mov", "LOCK with CR0: CR8, on AMD" },
};

/* Operands that differ in how they are named, not in what is done. */
static const Listed other_operands[] = {
    { "call", "AMD: 66 makes the operand 16 bits wide" },
    { "jmp", "AMD: 66 makes the operand 16 bits wide" },
    { "clflush", "a byte of the cache line" },
    { "clflushopt", "a byte of the cache line" },
    { "clwb", "a byte of the cache line" },
    { "lar", "a register's low 16 bits" },
    { "lsl", "a register's low 16 bits" },
    { "lea", "a segment that doesn't matter" },
    { "invlpg", "a segment that doesn't matter in 64-bit mode" },
    { "movsxd", "66: reads 32 bits" },
    { "movmskps", "writes 32 bits, which is all of the register" },
    { "vmovmskps", "writes 32 bits, which is all of the register" },
    { "movmskpd", "writes 32 bits, which is all of the register" },
    { "vmovmskpd", "writes 32 bits, which is all of the register" },
    { "pmovmskb", "writes 32 bits, which is all of the register" },
    { "vpmovmskb", "writes 32 bits, which is all of the register" },
    { "extractps", "writes 32 bits, which is all of the register" },
    { "vextractps", "writes 32 bits, which is all of the register" },
    { "pextrw", "writes 32 bits, which is all of the register" },
    { "vpextrw", "writes 32 bits, which is all of the register" },
    { "pextrb", "writes 32 bits, which is all of the register" },
    { "vpextrb", "writes 32 bits, which is all of the register" },
    { "pinsrw", "a register's low 16 bits" },
    { "vpinsrw", "a register's low 16 bits" },
    { "pinsrb", "a register's low 8 bits" },
    { "vpinsrb", "a register's low 8 bits" },
    { "fucomp", "ST(0) is implied" },
    { "nop", "operands of no meaning" },
    { "ud0", "undefined" },
    { "ud1", "undefined" },
};

typedef struct Test {
    GRand *random;
    ZydisDecoder decoder[3]; /* by X86Mode */
    GHashTable *seen;        /* differences not in a table: text -> count */
    int show;
    uint64_t both, undefined, explained;
} Test;

/* --- differences ------------------------------------------------------------------------------ */

typedef struct Case {
    Test *test;
    X86Mode mode;
    uint8_t bytes[STRING];
    X86Insn ours;
    ZydisDecodedInstruction zydis;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
} Case;

static void differs(const Case *c, const char *what, const char *name)
{
    char *text = g_strdup_printf("%s: %s", what, name);
    intptr_t count = (intptr_t)g_hash_table_lookup(c->test->seen, text) + 1;

    if (count <= c->test->show) {
        static const char *const modes[] = { "16", "32", "64" };
        printf("# %s (%s bits):", text, modes[c->mode]);
        for (unsigned i = 0; i < STRING - 1; i++) {
            printf(" %02x", c->bytes[i]);
        }
        printf("\n");
    }
    g_hash_table_insert(c->test->seen, text, (gpointer)count);
}

/* --- operands --------------------------------------------------------------------------------- */

static unsigned register_number(ZydisRegister reg)
{
    return reg == ZYDIS_REGISTER_NONE ? X86_NO_REG : (unsigned)ZydisRegisterGetId(reg);
}

static bool same_memory(const Case *c, const X86Operand *ours, const ZydisDecodedOperand *theirs)
{
    const X86Mem *mem = &c->ours.mem;
    bool rip = theirs->mem.base == ZYDIS_REGISTER_RIP || theirs->mem.base == ZYDIS_REGISTER_EIP;
    unsigned base = rip ? X86_NO_REG : register_number(theirs->mem.base);
    unsigned index = register_number(theirs->mem.index);
    unsigned scale = theirs->mem.scale ? (unsigned)__builtin_ctz(theirs->mem.scale) : 0;
    int64_t displacement = theirs->mem.disp.has_displacement ? theirs->mem.disp.value : 0;
    uint64_t mask = bits_mask(8U * mem->address_size);

    if (ours->kind == OPERAND_STRING) {
        return base == ours->reg;
    }
    /* a SIB byte without base, that REX.B makes R13D for Zydis */
    if (c->ours.modrm_mod == 0 && c->ours.modrm_rm == 4 && mem->base == X86_NO_REG &&
        theirs->mem.base == ZYDIS_REGISTER_R13D) {
        return true;
    }
    return rip == mem->rip_relative && base == mem->base && index == mem->index &&
           (index == X86_NO_REG || scale == mem->scale) &&
           (((uint64_t)displacement ^ (uint64_t)mem->displacement) & mask) == 0 &&
           (unsigned)ZydisRegisterGetId(theirs->mem.segment) == mem->segment;
}

static bool same_register(const X86Operand *ours, const ZydisDecodedOperand *theirs)
{
    ZydisRegister reg = theirs->reg.value;
    unsigned number = register_number(reg);

    switch (ours->kind) {
    case OPERAND_REG:
        if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
            return ours->high && ours->reg == reg - ZYDIS_REGISTER_AH;
        }
        /* Zydis counts AH to BH among the byte registers */
        if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B) {
            number = (unsigned)(reg - ZYDIS_REGISTER_SPL) + 4;
        }
        return !ours->high && ours->reg == number && ours->size * 8U == theirs->size;
    default:
        return ours->reg == number;
    }
}

static bool same_operand(const Case *c, const X86Operand *ours, const ZydisDecodedOperand *theirs)
{
    switch (theirs->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        return ours->kind != OPERAND_MEM && ours->kind != OPERAND_IMM &&
               same_register(ours, theirs);
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return (ours->kind == OPERAND_MEM || ours->kind == OPERAND_STRING) &&
               (ours->size == 0 || ours->size * 8U == theirs->size) && same_memory(c, ours, theirs);
    case ZYDIS_OPERAND_TYPE_POINTER:
        return ours->kind == OPERAND_FAR && ours->imm == theirs->ptr.offset &&
               c->ours.far_selector == theirs->ptr.segment;
    default:
        return (ours->kind == OPERAND_IMM || ours->kind == OPERAND_REL) &&
               ((ours->imm ^ theirs->imm.value.u) & bits_mask(8 * ours->size)) == 0;
    }
}

/* Operands that the manual prints; Zydis hides some fixed ones, and so these are passed over. */
static bool same_operands(const Case *c)
{
    unsigned next = 0;

    for (unsigned i = 0; i < c->zydis.operand_count; i++) {
        const ZydisDecodedOperand *theirs = &c->operands[i];
        if (theirs->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
            continue;
        }
        while (next < 4 && c->ours.op[next].kind != OPERAND_NONE &&
               !same_operand(c, &c->ours.op[next], theirs)) {
            next++;
        }
        if (next == 4 || c->ours.op[next].kind == OPERAND_NONE) {
            return false;
        }
        next++;
    }
    return true;
}

/* --- a string --------------------------------------------------------------------------------- */

static bool ours_valid(const Case *c, DecodeResult result)
{
    if (result != DECODE_OK || !c->ours.opcode) {
        return false;
    }
    return !c->ours.lock ||
           ((c->ours.opcode->flags & OPCODE_LOCK) && c->ours.op[0].kind == OPERAND_MEM);
}

static bool is_listed(const Listed *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(list[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool zydis_is_listed(const Case *c)
{
    const char *set = ZydisISAExtGetString(c->zydis.meta.isa_ext);

    if (c->zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
        c->zydis.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX) {
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(not_ours); i++) {
        if (!strcmp(not_ours[i], set)) {
            return true;
        }
    }
    return is_listed(only_zydis, G_N_ELEMENTS(only_zydis),
                     ZydisMnemonicGetString(c->zydis.mnemonic));
}

static void compare(Case *c, bool ours, bool theirs)
{
    if (!ours && !theirs) {
        c->test->undefined++;
    } else if (!ours) {
        if (zydis_is_listed(c)) {
            c->test->explained++;
        } else {
            g_autofree char *name =
                g_strdup_printf("%s (%s)", ZydisMnemonicGetString(c->zydis.mnemonic),
                                ZydisISAExtGetString(c->zydis.meta.isa_ext));
            differs(c, "only Zydis", name);
        }
    } else if (!theirs) {
        if (is_listed(only_ours, G_N_ELEMENTS(only_ours), c->ours.opcode->name)) {
            c->test->explained++;
        } else {
            differs(c, "only ours", c->ours.opcode->name);
        }
    } else if (c->ours.length != c->zydis.length) {
        differs(c, "length", c->ours.opcode->name);
    } else if (!same_operands(c)) {
        if (is_listed(other_operands, G_N_ELEMENTS(other_operands), c->ours.opcode->name)) {
            c->test->explained++;
        } else {
            differs(c, "operands", c->ours.opcode->name);
        }
    } else {
        c->test->both++;
    }
}

/* Random bytes, with prefixes and escapes more often than chance would have them. */
static void fill(Test *test, uint8_t *bytes)
{
    static const uint8_t prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e,
                                        0x64, 0x65, 0x26, 0x48, 0x4f, 0x41 };
    unsigned at = 0;

    for (unsigned i = 0; i < STRING; i++) {
        bytes[i] = (uint8_t)g_rand_int(test->random);
    }
    while (g_rand_int_range(test->random, 0, 3) == 0 && at < 14) {
        bytes[at++] = prefixes[g_rand_int_range(test->random, 0, sizeof(prefixes))];
    }
    if (g_rand_int_range(test->random, 0, 4) == 0 && at < 12) {
        bytes[at++] = g_rand_boolean(test->random) ? 0xc4 : 0xc5;
        if (bytes[at - 1] == 0xc4 && g_rand_boolean(test->random)) { /* a map that exists */
            bytes[at] = (uint8_t)((bytes[at] & 0xe0) | g_rand_int_range(test->random, 1, 4));
        }
        if (g_rand_boolean(test->random)) { /* VEX.vvvv not used */
            bytes[at + (bytes[at - 1] == 0xc4)] |= 0x78;
        }
        return;
    }
    if (g_rand_boolean(test->random) && at < 12) {
        bytes[at++] = 0x0f;
        if (g_rand_int_range(test->random, 0, 3) == 0) {
            bytes[at] = g_rand_boolean(test->random) ? 0x38 : 0x3a;
        }
    }
}

static void one_string(Test *test)
{
    uint8_t bytes[STRING];

    fill(test, bytes);
    for (X86Mode mode = X86_MODE16; mode <= X86_MODE64; mode++) {
        Case c = { .test = test, .mode = mode };
        memcpy(c.bytes, bytes, STRING);
        DecodeResult result = x86_decode(bytes, STRING, mode, &c.ours);
        bool theirs = ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&test->decoder[mode], bytes, STRING, &c.zydis, c.operands));
        g_assert_cmpint(result, !=, DECODE_MORE);
        g_assert_cmpuint(c.ours.length, <=, X86_MAX_LENGTH);
        compare(&c, ours_valid(&c, result), theirs);
    }
}

static void set_up(Test *test)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth width;
    } modes[] = {
        [X86_MODE16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
        [X86_MODE32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        [X86_MODE64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
    };

    for (unsigned i = 0; i < 3; i++) {
        ZydisDecoder *decoder = &test->decoder[i];
        ZydisDecoderInit(decoder, modes[i].mode, modes[i].width);
        ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE);
        ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
        ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
        ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
        ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    }
    test->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

int main(int argc, char **argv)
{
    gint64 strings = 300000, seed = time(NULL);
    Test test = { .show = 1 };
    const GOptionEntry entries[] = {
        { "strings", 0, 0, G_OPTION_ARG_INT64, &strings, "how many", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the random numbers", "N" },
        { "show", 0, 0, G_OPTION_ARG_INT, &test.show, "examples of each difference", "N" },
        { NULL }
    };
    GOptionContext *context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    bool parsed = g_option_context_parse(context, &argc, &argv, &error);
    g_option_context_free(context);
    if (!parsed) {
        fprintf(stderr, "zydis_test: %s\n", error->message);
        return 2;
    }
    printf("1..1\n# seed %" PRId64 "\n", seed);
    test.random = g_rand_new_with_seed((guint32)seed);
    set_up(&test);
    for (gint64 i = 0; i < strings; i++) {
        one_string(&test);
    }
    unsigned different = g_hash_table_size(test.seen);
    printf("# alike %" PRIu64 ", undefined for both %" PRIu64 ", explained %" PRIu64 "\n",
           test.both, test.undefined, test.explained);
    printf("%s 1 - %" PRId64 " strings decode as by Zydis\n", different ? "not ok" : "ok", strings);
    g_hash_table_unref(test.seen);
    g_rand_free(test.random);
    return different ? 1 : 0;
}
