/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of an x86-64 vCPU as gdb sees them, see gdb_registers.h (gdb manual, G.5.6).
 */
#include "vm/gdb_registers.h"

#include <stddef.h>
#include <string.h>

#include "common/bits.h"

typedef enum Feature {
    FEATURE_CORE,
    FEATURE_SSE,
    FEATURE_SEGMENTS,
    FEATURE_AVX,
    FEATURE_SYSTEM,
    FEATURES
} Feature;

static const struct {
    const char *name, *types;
} features[FEATURES] = {
    [FEATURE_CORE] = { "org.gnu.gdb.i386.core", "<flags id=\"i386_eflags\" size=\"4\">"
                                                "<field name=\"CF\" start=\"0\" end=\"0\"/>"
                                                "<field name=\"\" start=\"1\" end=\"1\"/>"
                                                "<field name=\"PF\" start=\"2\" end=\"2\"/>"
                                                "<field name=\"AF\" start=\"4\" end=\"4\"/>"
                                                "<field name=\"ZF\" start=\"6\" end=\"6\"/>"
                                                "<field name=\"SF\" start=\"7\" end=\"7\"/>"
                                                "<field name=\"TF\" start=\"8\" end=\"8\"/>"
                                                "<field name=\"IF\" start=\"9\" end=\"9\"/>"
                                                "<field name=\"DF\" start=\"10\" end=\"10\"/>"
                                                "<field name=\"OF\" start=\"11\" end=\"11\"/>"
                                                "<field name=\"NT\" start=\"14\" end=\"14\"/>"
                                                "<field name=\"RF\" start=\"16\" end=\"16\"/>"
                                                "<field name=\"VM\" start=\"17\" end=\"17\"/>"
                                                "<field name=\"AC\" start=\"18\" end=\"18\"/>"
                                                "<field name=\"VIF\" start=\"19\" end=\"19\"/>"
                                                "<field name=\"VIP\" start=\"20\" end=\"20\"/>"
                                                "<field name=\"ID\" start=\"21\" end=\"21\"/>"
                                                "</flags>\n" },
    [FEATURE_SSE] = { "org.gnu.gdb.i386.sse",
                      "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
                      "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
                      "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
                      "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
                      "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
                      "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
                      "<union id=\"vec128\">"
                      "<field name=\"v4_float\" type=\"v4f\"/>"
                      "<field name=\"v2_double\" type=\"v2d\"/>"
                      "<field name=\"v16_int8\" type=\"v16i8\"/>"
                      "<field name=\"v8_int16\" type=\"v8i16\"/>"
                      "<field name=\"v4_int32\" type=\"v4i32\"/>"
                      "<field name=\"v2_int64\" type=\"v2i64\"/>"
                      "<field name=\"uint128\" type=\"uint128\"/>"
                      "</union>\n" },
    [FEATURE_SEGMENTS] = { "org.gnu.gdb.i386.segments", "" },
    [FEATURE_AVX] = { "org.gnu.gdb.i386.avx", "" },
    [FEATURE_SYSTEM] = { "org.insula.x86.system", "" },
};

typedef struct Register {
    const char *name, *type, *group;
    Feature feature;
    uint8_t size;    /* in bytes on the wire */
    uint8_t held;    /* in bytes in X86State: the rest reads as 0 and isn't written */
    uint16_t offset; /* in X86State */
    /* where it isn't simply held: */
    uint64_t (*get)(const X86State *state);
    void (*set)(X86State *state, uint64_t value);
} Register;

#define HELD(member)                                                                               \
    .held = sizeof(((X86State *)NULL)->member), .offset = offsetof(X86State, member)

/* The tag word with two bits a register (SDM volume 1, 8.1.7) out of the abridged one. */
static uint64_t full_tags(const X86State *state)
{
    unsigned top = (unsigned)bits_get(state->fsw, 11, 3);
    uint64_t tags = 0;

    for (unsigned physical = 0; physical < 8; physical++) {
        const uint8_t *st = state->st[(physical - top) & 7];
        uint64_t mantissa = load_le64(st);
        unsigned exponent = load_le16(st + 8) & 0x7fff;
        unsigned tag = 3; /* empty */
        if (bit_test(state->ftw, physical)) {
            bool zero = !exponent && !mantissa;
            bool normal = exponent && exponent != 0x7fff && mantissa >> 63;
            tag = zero ? 1 : normal ? 0 : 2;
        }
        tags |= (uint64_t)tag << (2 * physical);
    }
    return tags;
}

static void set_full_tags(X86State *state, uint64_t tags)
{
    state->ftw = 0;
    for (unsigned physical = 0; physical < 8; physical++) {
        if (bits_get(tags, 2 * physical, 2) != 3) {
            state->ftw |= (uint8_t)(1U << physical);
        }
    }
}

static uint64_t get_fip_high(const X86State *state)
{
    return state->fip >> 32;
}

static void set_fip_high(X86State *state, uint64_t value)
{
    state->fip = bits_get(state->fip, 0, 32) | value << 32;
}

static uint64_t get_fdp_high(const X86State *state)
{
    return state->fdp >> 32;
}

static void set_fdp_high(X86State *state, uint64_t value)
{
    state->fdp = bits_get(state->fdp, 0, 32) | value << 32;
}

static uint64_t get_fip_low(const X86State *state)
{
    return bits_get(state->fip, 0, 32);
}

static void set_fip_low(X86State *state, uint64_t value)
{
    state->fip = (state->fip & ~bits_mask(32)) | value;
}

static uint64_t get_fdp_low(const X86State *state)
{
    return bits_get(state->fdp, 0, 32);
}

static void set_fdp_low(X86State *state, uint64_t value)
{
    state->fdp = (state->fdp & ~bits_mask(32)) | value;
}

static uint64_t get_flags(const X86State *state)
{
    return bits_get(state->rflags, 0, 32);
}

static void set_flags(X86State *state, uint64_t value)
{
    state->rflags = value;
}

static const Register registers[] = {
    { "rax", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RAX]) },
    { "rbx", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RBX]) },
    { "rcx", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RCX]) },
    { "rdx", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RDX]) },
    { "rsi", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RSI]) },
    { "rdi", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RDI]) },
    { "rbp", "data_ptr", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RBP]) },
    { "rsp", "data_ptr", NULL, FEATURE_CORE, 8, HELD(gpr[X86_RSP]) },
    { "r8", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[8]) },
    { "r9", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[9]) },
    { "r10", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[10]) },
    { "r11", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[11]) },
    { "r12", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[12]) },
    { "r13", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[13]) },
    { "r14", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[14]) },
    { "r15", "int64", NULL, FEATURE_CORE, 8, HELD(gpr[15]) },
    { "rip", "code_ptr", NULL, FEATURE_CORE, 8, HELD(rip) },
    { "eflags", "i386_eflags", NULL, FEATURE_CORE, 4, .get = get_flags, .set = set_flags },
    { "cs", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_CS].selector) },
    { "ss", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_SS].selector) },
    { "ds", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_DS].selector) },
    { "es", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_ES].selector) },
    { "fs", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_FS].selector) },
    { "gs", "int32", NULL, FEATURE_CORE, 4, HELD(segment[X86_GS].selector) },
    { "st0", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[0]) },
    { "st1", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[1]) },
    { "st2", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[2]) },
    { "st3", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[3]) },
    { "st4", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[4]) },
    { "st5", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[5]) },
    { "st6", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[6]) },
    { "st7", "i387_ext", NULL, FEATURE_CORE, 10, HELD(st[7]) },
    { "fctrl", "int", "float", FEATURE_CORE, 4, HELD(fcw) },
    { "fstat", "int", "float", FEATURE_CORE, 4, HELD(fsw) },
    { "ftag", "int", "float", FEATURE_CORE, 4, .get = full_tags, .set = set_full_tags },
    { "fiseg", "int", "float", FEATURE_CORE, 4, .get = get_fip_high, .set = set_fip_high },
    { "fioff", "int", "float", FEATURE_CORE, 4, .get = get_fip_low, .set = set_fip_low },
    { "foseg", "int", "float", FEATURE_CORE, 4, .get = get_fdp_high, .set = set_fdp_high },
    { "fooff", "int", "float", FEATURE_CORE, 4, .get = get_fdp_low, .set = set_fdp_low },
    { "fop", "int", "float", FEATURE_CORE, 4, HELD(fop) },
    { "xmm0", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[0]) },
    { "xmm1", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[1]) },
    { "xmm2", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[2]) },
    { "xmm3", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[3]) },
    { "xmm4", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[4]) },
    { "xmm5", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[5]) },
    { "xmm6", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[6]) },
    { "xmm7", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[7]) },
    { "xmm8", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[8]) },
    { "xmm9", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[9]) },
    { "xmm10", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[10]) },
    { "xmm11", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[11]) },
    { "xmm12", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[12]) },
    { "xmm13", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[13]) },
    { "xmm14", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[14]) },
    { "xmm15", "vec128", NULL, FEATURE_SSE, 16, .held = 16,
      .offset = offsetof(X86State, vector[15]) },
    { "mxcsr", "int", "vector", FEATURE_SSE, 4, HELD(mxcsr) },
    { "fs_base", "int64", NULL, FEATURE_SEGMENTS, 8, HELD(segment[X86_FS].base) },
    { "gs_base", "int64", NULL, FEATURE_SEGMENTS, 8, HELD(segment[X86_GS].base) },
    { "ymm0h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[0][16]) },
    { "ymm1h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[1][16]) },
    { "ymm2h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[2][16]) },
    { "ymm3h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[3][16]) },
    { "ymm4h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[4][16]) },
    { "ymm5h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[5][16]) },
    { "ymm6h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[6][16]) },
    { "ymm7h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[7][16]) },
    { "ymm8h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[8][16]) },
    { "ymm9h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[9][16]) },
    { "ymm10h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[10][16]) },
    { "ymm11h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[11][16]) },
    { "ymm12h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[12][16]) },
    { "ymm13h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[13][16]) },
    { "ymm14h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[14][16]) },
    { "ymm15h", "uint128", NULL, FEATURE_AVX, 16, .held = 16,
      .offset = offsetof(X86State, vector[15][16]) },
    { "cr0", "int64", "system", FEATURE_SYSTEM, 8, HELD(cr0) },
    { "cr2", "int64", "system", FEATURE_SYSTEM, 8, HELD(cr2) },
    { "cr3", "int64", "system", FEATURE_SYSTEM, 8, HELD(cr3) },
    { "cr4", "int64", "system", FEATURE_SYSTEM, 8, HELD(cr4) },
    { "cr8", "int64", "system", FEATURE_SYSTEM, 8, HELD(cr8) },
    { "efer", "int64", "system", FEATURE_SYSTEM, 8, HELD(msr.efer) },
    { "k_gs_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(msr.kernel_gs_base) },
    { "xcr0", "int64", "system", FEATURE_SYSTEM, 8, HELD(xcr0) },
    { "dr0", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr[0]) },
    { "dr1", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr[1]) },
    { "dr2", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr[2]) },
    { "dr3", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr[3]) },
    { "dr6", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr6) },
    { "dr7", "int64", "system", FEATURE_SYSTEM, 8, HELD(dr7) },
    { "gdtr_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(gdtr.base) },
    { "gdtr_limit", "int", "system", FEATURE_SYSTEM, 4, HELD(gdtr.limit) },
    { "idtr_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(idtr.base) },
    { "idtr_limit", "int", "system", FEATURE_SYSTEM, 4, HELD(idtr.limit) },
    { "ldtr", "int", "system", FEATURE_SYSTEM, 4, HELD(ldtr.selector) },
    { "ldtr_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(ldtr.base) },
    { "tr", "int", "system", FEATURE_SYSTEM, 4, HELD(tr.selector) },
    { "tr_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(tr.base) },
    { "cs_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(segment[X86_CS].base) },
    { "ss_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(segment[X86_SS].base) },
    { "ds_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(segment[X86_DS].base) },
    { "es_base", "int64", "system", FEATURE_SYSTEM, 8, HELD(segment[X86_ES].base) },
};

unsigned gdb_registers(void)
{
    return G_N_ELEMENTS(registers);
}

const char *gdb_register_name(unsigned number)
{
    return registers[number].name;
}

unsigned gdb_register_size(unsigned number)
{
    return registers[number].size;
}

unsigned gdb_register_get(const X86State *state, unsigned number,
                          uint8_t ret_bytes[GDB_REGISTER_BYTES_MAX])
{
    const Register *reg = &registers[number];

    memset(ret_bytes, 0, GDB_REGISTER_BYTES_MAX);
    if (reg->get) {
        uint64_t value = reg->get(state);
        memcpy(ret_bytes, &value, reg->size);
    } else {
        memcpy(ret_bytes, (const uint8_t *)state + reg->offset, MIN(reg->held, reg->size));
    }
    return reg->size;
}

void gdb_register_set(X86State *state, unsigned number, const uint8_t *bytes)
{
    const Register *reg = &registers[number];

    if (reg->set) {
        uint64_t value = 0;
        memcpy(&value, bytes, reg->size);
        reg->set(state, value);
    } else {
        memcpy((uint8_t *)state + reg->offset, bytes, MIN(reg->held, reg->size));
    }
}

char *gdb_registers_xml(void)
{
    GString *xml = g_string_new("<?xml version=\"1.0\"?>\n"
                                "<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                                "<target><architecture>i386:x86-64</architecture>\n");

    for (unsigned feature = 0; feature < FEATURES; feature++) {
        g_string_append_printf(xml, "<feature name=\"%s\">\n%s", features[feature].name,
                               features[feature].types);
        for (unsigned i = 0; i < G_N_ELEMENTS(registers); i++) {
            const Register *reg = &registers[i];
            if (reg->feature != feature) {
                continue;
            }
            g_string_append_printf(
                xml, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"%s%s%s/>\n",
                reg->name, 8U * reg->size, reg->type, i, reg->group ? " group=\"" : "",
                reg->group ? reg->group : "", reg->group ? "\"" : "");
        }
        g_string_append(xml, "</feature>\n");
    }
    g_string_append(xml, "</target>\n");
    return g_string_free(xml, FALSE);
}
