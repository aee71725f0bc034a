/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vector operations against an x86-64 host's own instructions.
 *
 * Each row of the opcode tables that stands for a vector operation is encoded into a piece of code
 * that runs it on the host, with random and special operands and every immediate; results and
 * MXCSR must be the same.  With exceptions unmasked the host's SIGFPE is compared with #XM.
 * INSULA_TEST_ROUNDS multiplies the number of rounds, INSULA_TEST_SEED chooses another sequence.
 *
 * Threads: one; the signal handler uses file-scope state.
 */
#include <glib.h>
#include <immintrin.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "engine/dbt/guest/x86/softfloat.h"
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/tr_sse.h"
#include "engine/dbt/guest/x86/vectors.h"

enum { ROUNDS = 300, MXCSR_MASKS = 0x1f80, CODE_SIZE = 256 };

/* What the code works on. */
typedef struct Frame {
    Lanes implicit, to, from; /* XMM0, XMM2 and XMM1, or MM2 and MM1 */
    uint64_t rax, rdx;        /* in; RAX out: number or EFLAGS, RDX: ECX */
    uint32_t mxcsr;
    uint32_t faulted;
} Frame;

static struct {
    Frame *frame;
    uint8_t *code;
    unsigned insn_at, insn_len; /* of the instruction under test */
} bench;

/* --- random operands */

static const uint32_t special32[] = {
    0x00000000, 0x00000001, 0x00000002, 0x00400000, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff,
    0x01000000, 0x33800000, 0x34000000, 0x3effffff, 0x3f000000, 0x3f7fffff, 0x3f800000, 0x3f800001,
    0x3fc00000, 0x40000000, 0x40200000, 0x4b000000, 0x4b7fffff, 0x4b800000, 0x4effffff, 0x4f000000,
    0x5effffff, 0x5f000000, 0x7e7fffff, 0x7effffff, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001,
    0x7fbfffff, 0x7fc00000, 0x7fc12345, 0x7fffffff,
};

static uint64_t special64(unsigned i)
{
    /* the same places in double's range */
    uint32_t s = special32[i];
    uint64_t exponent = (s >> 23) & 0xff, fraction = s & 0x7fffff;

    exponent = exponent == 0xff  ? 0x7ff
               : exponent < 8    ? exponent
               : exponent > 0xf8 ? exponent + 0x700
                                 : exponent + 896;
    fraction = (fraction & 1) ? fraction << 29 | 0x1fffffff : fraction << 29;
    fraction = s == 1 ? 1 : fraction;
    return exponent << 52 | fraction;
}

static uint32_t random32(GRand *rand)
{
    uint32_t sign = g_rand_boolean(rand) ? 0x80000000 : 0;
    uint32_t bits = g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
        return sign | special32[g_rand_int_range(rand, 0, G_N_ELEMENTS(special32))];
    case 1: /* near 1 */
        return (bits & 0x83ffffff) | 0x3c000000;
    case 2: /* few bits set */
        return bits & 0xfff80000;
    case 3: /* tiny or huge */
        return (bits & 0x83ffffff) | (g_rand_boolean(rand) ? 0x7c000000 : 0);
    case 4: /* an integer in the fraction's reach */
        return (bits & 0x80ffffff) | 0x4a000000;
    default:
        return bits;
    }
}

static uint64_t random64(GRand *rand)
{
    uint64_t sign = g_rand_boolean(rand) ? UINT64_C(1) << 63 : 0;
    uint64_t bits = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    uint64_t low = bits & UINT64_C(0x801fffffffffffff);

    switch (g_rand_int_range(rand, 0, 7)) {
    case 0:
        return sign | special64((unsigned)g_rand_int_range(rand, 0, G_N_ELEMENTS(special32)));
    case 1:
        return low | UINT64_C(0x3fe0000000000000);
    case 2:
        return bits & UINT64_C(0xfffff80000000000);
    case 3:
        return low | (g_rand_boolean(rand) ? UINT64_C(0x7fc0000000000000) : 0);
    case 4:
        return low | UINT64_C(0x41c0000000000000);
    case 5: /* in float's range, near its edges */
        return low | (g_rand_boolean(rand) ? UINT64_C(0x47e0000000000000)
                                           : UINT64_C(0x3800000000000000) - (bits % 30 << 52));
    default:
        return bits;
    }
}

static void randomise(GRand *rand, Lanes *v)
{
    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        for (unsigned i = 0; i < 4; i++) {
            v->u32[i] = random32(rand);
        }
        break;
    case 1:
    case 2:
        for (unsigned i = 0; i < 2; i++) {
            v->u64[i] = random64(rand);
        }
        break;
    default: /* small bytes: text, and equal elements */
        for (unsigned i = 0; i < 16; i++) {
            v->u8[i] = (uint8_t)g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 4 : 256);
        }
        break;
    }
}

/* --- code */

typedef enum Kind { KIND_XMM, KIND_MMX, KIND_NUMBER, KIND_FLAGS, KIND_FROM_REG, KIND_STRING } Kind;

typedef struct Case {
    const X86Opcode *row;
    Kind kind;
    unsigned number;                 /* vector operation */
    unsigned prefix, map, code, reg; /* of the opcode; .reg: ModRM.reg of a group, or 8 */
    bool from_mmx, to_mmx, wide, has_immediate;
    unsigned immediates; /* how many are worth trying */
} Case;

static void put(GByteArray *code, const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2) {
        uint8_t byte = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(code, &byte, 1);
    }
}

static void put_byte(GByteArray *code, unsigned byte)
{
    uint8_t b = (uint8_t)byte;

    g_byte_array_append(code, &b, 1);
}

/* Destination register 2 (RAX for numbers), source 1 (RAX from a general register). */
static void put_insn(GByteArray *code, const Case *c, unsigned immediate)
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
    unsigned reg = c->kind == KIND_NUMBER ? 0 : 2, rm = c->kind == KIND_FROM_REG ? 0 : 1;

    if (c->reg < 8) { /* a shift group: its operand is in rm */
        reg = c->reg;
        rm = 2;
    }
    if (c->prefix) {
        put_byte(code, prefixes[c->prefix]);
    }
    if (c->wide) {
        put(code, "48");
    }
    put(code, c->map == 0 ? "0f" : c->map == 1 ? "0f38" : "0f3a");
    put_byte(code, c->code);
    put_byte(code, 0xc0 | reg << 3 | rm);
    if (c->has_immediate) {
        put_byte(code, immediate);
    }
}

/* RDI: the frame. */
static void make_code(const Case *c, unsigned immediate)
{
    g_autoptr(GByteArray) code = g_byte_array_new();

    G_STATIC_ASSERT(offsetof(Frame, rax) == 48 && offsetof(Frame, mxcsr) == 64);
    put(code, c->kind == KIND_MMX || c->to_mmx ? "0f6f5710" : "0f105710");   /* mov 16(%rdi), 2 */
    put(code, c->kind == KIND_MMX || c->from_mmx ? "0f6f4f20" : "0f104f20"); /* mov 32(%rdi), 1 */
    put(code, "0f1007488b4730488b5738"); /* movups (%rdi), %xmm0; mov 48(%rdi), %rax; %rdx */
    put(code, "0fae5740");               /* ldmxcsr 64(%rdi) */
    bench.insn_at = code->len;
    put_insn(code, c, immediate);
    bench.insn_len = code->len - bench.insn_at;
    if (c->kind == KIND_FLAGS || c->kind == KIND_STRING) {
        put(code, "9c58"); /* pushf; pop %rax */
    }
    put(code, "4889473048894f38"); /* mov %rax, 48(%rdi); mov %rcx, 56(%rdi) */
    put(code, "0fae5f40");         /* stmxcsr 64(%rdi) */
    put(code, c->kind == KIND_MMX || c->to_mmx ? "0f7f5710" : "0f115710");
    put(code, "0f1107"); /* movups %xmm0, (%rdi) */
    put(code, "0f77c3"); /* emms; ret */
    g_assert_cmpuint(code->len, <=, CODE_SIZE);
    memcpy(bench.code, code->data, code->len);
}

static void on_fpe(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    bench.frame->faulted = 1;
    uc->uc_mcontext.gregs[REG_RIP] += bench.insn_len;
}

static void run_native(Frame *frame)
{
    unsigned own = _mm_getcsr();

    bench.frame = frame;
    ((void (*)(Frame *))(void *)bench.code)(frame);
    _mm_setcsr(own);
}

/* --- ours */

static bool reads_only_source(const Case *c)
{
    return c->kind == KIND_NUMBER || c->to_mmx;
}

/* What translated code does with the operation; false: it raised. */
static bool run_ours(X86Cpu *cpu, const Case *c, unsigned immediate, Frame *f)
{
    X86Vector result = { 0 };
    const void *from1 = reads_only_source(c) ? &f->from : &f->to;
    const void *from2 = c->kind == KIND_FROM_REG ? (void *)&f->rax : (void *)&f->from;

    if (c->reg < 8) {
        from2 = from1;
    }
    memcpy(&cpu->vector[0], &f->implicit, 16);
    memcpy(&result, &f->to, 16);
    if (c->kind == KIND_STRING) {
        result.u64[0] = c->wide ? f->rax : (uint64_t)(int32_t)f->rax;
        result.u64[1] = c->wide ? f->rdx : (uint64_t)(int32_t)f->rdx;
    }
    cpu->mxcsr = f->mxcsr;
    cpu->base.fault = 0;
    x86_vectors[c->number].fn(&cpu->base, &result, from1, from2, immediate);
    f->mxcsr = cpu->mxcsr;
    f->faulted = cpu->base.fault;
    switch (c->kind) {
    case KIND_NUMBER:
    case KIND_FLAGS:
        f->rax = result.u64[0];
        break;
    case KIND_STRING:
        f->rax = result.u64[2];
        memcpy(&f->implicit, &result, 16);
        f->rdx = result.u64[0];
        break;
    default:
        memcpy(&f->to, &result, 16);
        break;
    }
    return !f->faulted;
}

/* --- comparison */

static bool same(const Case *c, const Frame *native, const Frame *ours)
{
    bool mask = c->number == X86_VECTOR_pcmpestrm || c->number == X86_VECTOR_pcmpistrm;

    if (native->mxcsr != ours->mxcsr || native->faulted != ours->faulted) {
        return false;
    }
    if (native->faulted) {
        return true;
    }
    switch (c->kind) {
    case KIND_NUMBER:
        return c->wide ? native->rax == ours->rax : (uint32_t)native->rax == (uint32_t)ours->rax;
    case KIND_FLAGS:
        return (native->rax & FLAGS_ARITH) == ours->rax;
    case KIND_STRING:
        return (native->rax & FLAGS_ARITH) == ours->rax &&
               (mask ? !memcmp(&native->implicit, &ours->implicit, 16)
                     : (uint32_t)native->rdx == (uint32_t)ours->rdx);
    default:
        return !memcmp(&native->to, &ours->to, c->kind == KIND_MMX || c->to_mmx ? 8 : 16);
    }
}

static void describe(GString *s, const char *who, const Frame *f)
{
    g_string_append_printf(s, "%-7s to %016lx:%016lx rax %lx rdx %lx mxcsr %x fault %u\n", who,
                           f->to.u64[1], f->to.u64[0], f->rax, f->rdx, f->mxcsr, f->faulted);
}

static void check(X86Cpu *cpu, const Case *c, unsigned immediate, const Frame *start)
{
    Frame native = *start, ours = *start;

    run_native(&native);
    run_ours(cpu, c, immediate, &ours);
    if (same(c, &native, &ours)) {
        return;
    }
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_printf(s, "%s%s immediate %x from %016lx:%016lx implicit %016lx:%016lx\n",
                           c->row->name, c->wide ? " (W)" : "", immediate, start->from.u64[1],
                           start->from.u64[0], start->implicit.u64[1], start->implicit.u64[0]);
    describe(s, "start", start);
    describe(s, "native", &native);
    describe(s, "ours", &ours);
    g_printerr("%s", s->str);
    g_test_fail();
}

static unsigned rounds_factor(void)
{
    const char *text = g_getenv("INSULA_TEST_ROUNDS");

    return text ? (unsigned)g_ascii_strtoull(text, NULL, 10) : 1;
}

static void randomise_frame(GRand *rand, const Case *c, bool unmasked, Frame *f)
{
    *f = (Frame){ 0 };
    randomise(rand, &f->implicit);
    randomise(rand, &f->to);
    randomise(rand, &f->from);
    f->rax = random64(rand);
    f->rdx = (uint64_t)(int64_t)g_rand_int_range(rand, -20, 20);
    if (c->kind == KIND_STRING && g_rand_boolean(rand)) {
        f->rax = (uint64_t)(int64_t)g_rand_int_range(rand, -20, 20);
    }
    f->mxcsr = (g_rand_int(rand) & 0xe040) | MXCSR_MASKS;
    if (g_rand_boolean(rand)) {
        f->mxcsr |= g_rand_int(rand) & FLOAT_EXCEPTIONS;
    }
    if (unmasked) {
        f->mxcsr &= ~(g_rand_int(rand) & MXCSR_MASKS);
    }
}

static void run_case(const Case *c, bool unmasked)
{
    const char *seed = g_getenv("INSULA_TEST_SEED");
    g_autoptr(GRand) rand =
        g_rand_new_with_seed(seed ? (guint32)g_ascii_strtoull(seed, NULL, 0) : 1);
    unsigned immediates = c->has_immediate ? 256 : 1;
    unsigned rounds = MAX(ROUNDS / immediates, 3) * rounds_factor();
    X86Cpu *cpu = g_new0(X86Cpu, 1);

    cpu->cr4 = CR4_OSXMMEXCPT;
    for (unsigned immediate = 0; immediate < immediates && !g_test_failed(); immediate++) {
        make_code(c, immediate);
        for (unsigned i = 0; i < rounds && !g_test_failed(); i++) {
            Frame start;
            randomise_frame(rand, c, unmasked, &start);
            check(cpu, c, immediate, &start);
        }
    }
    g_free(cpu);
}

static void test_masked(gconstpointer data)
{
    run_case(data, false);
}

static void test_unmasked(gconstpointer data)
{
    run_case(data, true);
}

/* --- the rows */

static const struct {
    X86Rule rule;
    Kind kind;
    bool from_mmx, to_mmx;
} kinds[] = {
    { tr_sse, KIND_XMM, false, false },
    { tr_sse_shift, KIND_XMM, false, false },
    { tr_sse_to_reg, KIND_NUMBER, false, false },
    { tr_sse_flags, KIND_FLAGS, false, false },
    { tr_sse_string, KIND_STRING, false, false },
    { tr_mmx, KIND_MMX, false, false },
    { tr_mmx_shift, KIND_MMX, false, false },
    { tr_mmx_to_reg, KIND_NUMBER, true, false },
    { tr_cvt_from_reg, KIND_FROM_REG, false, false },
    { tr_cvt_to_reg, KIND_NUMBER, false, false },
    { tr_cvt_from_mmx, KIND_XMM, true, false },
    { tr_cvt_to_mmx, KIND_XMM, false, true },
    { tr_insertps, KIND_XMM, false, false },
};

static void add_test(const Case *made, const char *suffix)
{
    Case *c = g_memdup2(made, sizeof(*made)); /* lives as long as the tests */
    g_autofree char *name =
        g_strdup_printf("%s%s%s", made->row->name, made->wide ? "-w" : "", suffix);
    g_autofree char *path = g_strdup_printf("/vectors/%s/%u", name, made->number);
    g_autofree char *unmasked = g_strdup_printf("/vectors-unmasked/%s/%u", name, made->number);

    g_test_add_data_func(path, c, test_masked);
    if (x86_vectors[c->number].may_fault) {
        g_test_add_data_func(unmasked, c, test_unmasked);
    }
}

static void add_row(const X86Opcode *row, Case c)
{
    c.row = row;
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (row->rule != kinds[i].rule) {
            continue;
        }
        c.kind = kinds[i].kind;
        c.from_mmx = kinds[i].from_mmx;
        c.to_mmx = kinds[i].to_mmx;
        c.number = row->rule == tr_insertps ? X86_VECTOR_insertps : row->argument;
        for (unsigned n = 0; n < 4; n++) {
            c.has_immediate |= row->operand[n] == Ib;
        }
        add_test(&c, "");
        bool converts = row->rule == tr_cvt_from_reg || row->rule == tr_cvt_to_reg;
        if (converts || c.number == X86_VECTOR_pcmpestri || c.number == X86_VECTOR_pcmpestrm) {
            c.wide = true;
            c.number += converts;
            add_test(&c, "");
        }
    }
}

/* A row, or those of its groups. */
static void add_rows(const X86Opcode *row, Case c)
{
    if (!row->group) {
        add_row(row, c);
        return;
    }
    if (row->select == SELECT_REG) {
        for (c.reg = 0; c.reg < 8; c.reg++) {
            add_rows(&row->group[c.reg], c);
        }
    } else if (row->select == SELECT_PREFIX) {
        add_rows(&row->group[c.prefix], c);
    }
}

int main(int argc, char **argv)
{
    static const X86Opcode(*const maps[])[4] = { x86_map_0f_vector, x86_map_0f38_vector,
                                                 x86_map_0f3a_vector };
    struct sigaction action = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO };

    g_test_init(&argc, &argv, NULL);
    bench.code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert(bench.code != MAP_FAILED);
    sigaction(SIGFPE, &action, NULL);
    for (unsigned map = 0; map < G_N_ELEMENTS(maps); map++) {
        for (unsigned code = 0; code < 256; code++) {
            for (unsigned prefix = 0; prefix < 4; prefix++) {
                Case c = { .map = map, .code = code, .prefix = prefix, .reg = 8 };
                add_rows(&maps[map][code][prefix], c);
            }
        }
    }
    return g_test_run();
}
