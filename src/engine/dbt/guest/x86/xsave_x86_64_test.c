/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State in memory against an x86-64 host's own instructions: FXSAVE, XSAVE, XSAVEOPT, XSAVEC and
 * what restores them, FNSTENV, FNSAVE and theirs; and what is refused.
 *
 * One piece of code restores a random state, restores another over part of it and saves; each
 * byte that was saved must be the same as ours.  INSULA_TEST_ROUNDS and INSULA_TEST_SEED as in the
 * other tests.
 *
 * Threads: one.
 */
#include <glib.h>
#include <sys/mman.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/x87.h"

enum { ROUNDS = 2000, AREA = 832, HEADER = 512, COMPACT_BYTE = 527 };

/* Images of the first state, the second one, and the result. */
typedef struct Areas {
    _Alignas(64) uint8_t first[AREA], second[AREA], out[AREA];
} Areas;

typedef struct Bench {
    X86Cpu *cpu;
    Areas *areas; /* in guest memory, at the same gva */
    GRand *rand;
    unsigned rounds;
} Bench;

static unsigned number_from(const char *variable, unsigned otherwise)
{
    const char *text = g_getenv(variable);

    return text ? (unsigned)g_ascii_strtoull(text, NULL, 0) : otherwise;
}

static void map_page(X86Cpu *cpu, uint8_t *page)
{
    uint64_t gva = (uint64_t)(uintptr_t)page;
    TlbEntry *entry = tlb_entry(&cpu->base, gva, MMU_KERNEL);

    *entry = (TlbEntry){ .read = gva, .write = gva, .page = PAGE_RAM | PAGE_WRITE };
}

static const X86CpuModel with_xsavec = { .name = "test", .has = { [X86_FEATURE_XSAVEC] = true } };

static Bench make_bench(void)
{
    Bench b = { .cpu = g_new0(X86Cpu, 1), .rounds = ROUNDS * number_from("INSULA_TEST_ROUNDS", 1) };
    uint8_t *page =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    G_STATIC_ASSERT(sizeof(Areas) <= PAGE_SIZE);
    g_assert(page != MAP_FAILED);
    b.areas = (Areas *)(void *)page;
    b.rand = g_rand_new_with_seed(number_from("INSULA_TEST_SEED", 1));
    b.cpu->base.tlb = g_new0(TlbEntry, MMU_INDEXES * TLB_ENTRIES);
    b.cpu->model = &with_xsavec;
    b.cpu->cr0 = CR0_PE | CR0_NE;
    b.cpu->cr4 = CR4_OSXSAVE;
    b.cpu->xcr0 = 7;
    b.cpu->msr.efer = EFER_LMA;
    b.cpu->segment[X86_CS].attributes = SEG_P | SEG_L;
    map_page(b.cpu, page);
    return b;
}

static void bench_free(Bench *b)
{
    munmap(b->areas, PAGE_SIZE);
    g_free(b->cpu->base.tlb);
    g_free(b->cpu);
    g_rand_free(b->rand);
}

static void fill(GRand *rand, uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bytes[i] = (uint8_t)g_rand_int(rand);
    }
}

/* A random image that can be restored in the standard form. */
static void random_area(GRand *rand, uint8_t *area)
{
    fill(rand, area, AREA);
    store_le16(area + 6, load_le16(area + 6) & 0x7ff);
    store_le64(area + 8, load_le64(area + 8) & UINT64_C(0x7fffffffffff));
    store_le64(area + 16, load_le64(area + 16) & UINT64_C(0x7fffffffffff));
    store_le32(area + 24, g_rand_int(rand) & 0xffff);
    for (unsigned i = 0; i < 8; i++) {
        memset(area + 32 + 16 * i + 10, 0, 6);
    }
    if (g_rand_boolean(rand)) {
        memset(area + 160, 0, 256);
    }
    if (g_rand_boolean(rand)) {
        memset(area + 576, 0, 256);
    }
    memset(area + HEADER, 0, 64);
    store_le64(area + HEADER, g_rand_int(rand) & 7);
}

/* Where they differ, or AREA.  MXCSR_MASK is the CPU model's: left out. */
static unsigned difference(const Areas *native, const Areas *ours)
{
    unsigned i = 0;

    while (i < AREA && (i / 4 == 7 || native->out[i] == ours->out[i])) {
        i++;
    }
    return i;
}

/* --- one instruction after another, natively */

#define NATIVE(name, restore, save)                                                                \
    static void name(Areas *a, unsigned restored, unsigned saved)                                  \
    {                                                                                              \
        static const unsigned all = 7;                                                             \
        unsigned mxcsr;                                                                            \
        __asm__ volatile("stmxcsr %[mxcsr]\n\txor %%edx, %%edx\n\tmov %[all], %%eax\n\t"           \
                         "movq $7, 512(%[first])\n\txrstor64 (%[first])\n\t"                       \
                         "mov %[restored], %%eax\n\t" restore " (%[second])\n\t"                   \
                         "mov %[saved], %%eax\n\t" save " (%[out])\n\t"                            \
                         "fninit\n\tldmxcsr %[mxcsr]"                                              \
                         : [mxcsr] "=m"(mxcsr), "+m"(*a)                                           \
                         : [all] "m"(all), [first] "r"(a->first), [second] "r"(a->second),         \
                           [out] "r"(a->out), [restored] "r"(restored), [saved] "r"(saved)         \
                         : "eax", "edx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",     \
                           "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",     \
                           "xmm14", "xmm15");                                                      \
    }

NATIVE(native_fx, "fxrstor", "fxsave")
NATIVE(native_fx64, "fxrstor64", "fxsave64")
NATIVE(native_x, "xrstor", "xsave")
NATIVE(native_x64, "xrstor64", "xsave64")
NATIVE(native_xopt, "xrstor64", "xsaveopt64")
NATIVE(native_xc, "xrstor64", "xsavec64")
NATIVE(native_environment, "fldenv", "fnstenv")
NATIVE(native_environment16, "data16 fldenv", "data16 fnstenv")
NATIVE(native_state, "frstor", "fnsave")
NATIVE(native_state16, "data16 frstor", "data16 fnsave")

typedef struct Case {
    const char *path;
    void (*native)(Areas *a, unsigned restored, unsigned saved);
    HelperFn restore, save;
    unsigned last; /* argument of both: REX.W or operand size */
    bool compact;  /* the second image is compacted */
} Case;

static const Case cases[] = {
    { "/state/fxsave", native_fx, x86_helper_fxrstor, x86_helper_fxsave, 0, false },
    { "/state/fxsave64", native_fx64, x86_helper_fxrstor, x86_helper_fxsave, 1, false },
    { "/state/xsave", native_x, x86_helper_xrstor, x86_helper_xsave, 0, false },
    { "/state/xsave64", native_x64, x86_helper_xrstor, x86_helper_xsave, 1, false },
    { "/state/xsave64-from-compact", native_x64, x86_helper_xrstor, x86_helper_xsave, 1, true },
    { "/state/xsaveopt", native_xopt, x86_helper_xrstor, x86_helper_xsaveopt, 1, false },
    { "/state/xsavec", native_xc, x86_helper_xrstor, x86_helper_xsavec, 1, false },
    { "/state/xsavec-from-compact", native_xc, x86_helper_xrstor, x86_helper_xsavec, 1, true },
    { "/state/fnstenv", native_environment, x86_helper_fldenv, x86_helper_fnstenv, 4, false },
    { "/state/fnstenv16", native_environment16, x86_helper_fldenv, x86_helper_fnstenv, 2, false },
    { "/state/fnsave", native_state, x86_helper_frstor, x86_helper_fnsave, 4, false },
    { "/state/fnsave16", native_state16, x86_helper_frstor, x86_helper_fnsave, 2, false },
};

static void call(X86Cpu *cpu, HelperFn helper, const void *area, unsigned mask, unsigned last)
{
    cpu->gpr[X86_RAX] = mask;
    cpu->gpr[X86_RDX] = 0;
    helper(&cpu->base, (uint64_t)(uintptr_t)area, MMU_KERNEL, last);
    g_assert(!cpu->base.fault);
}

static void randomise_areas(GRand *rand, const Case *c, Areas *a)
{
    random_area(rand, a->first);
    random_area(rand, a->second);
    fill(rand, a->out, AREA);
    memset(a->out + HEADER, 0, 64);
    store_le64(a->out + HEADER, g_rand_int(rand) & 7);
    if (c->last > 1) { /* FLDENV and FRSTOR wait for exceptions */
        a->first[0] |= FLOAT_EXCEPTIONS;
    }
    if (c->compact) {
        unsigned present = (unsigned)load_le64(a->second + HEADER);
        store_le64(a->second + HEADER + 8, present | (g_rand_int(rand) & 7));
        a->second[COMPACT_BYTE] = 0x80;
    }
}

/* The host's kernel loses the x87's pointers when it switches tasks in between: again then. */
static void check(const Case *c, const Areas *start, const Areas *ours, const unsigned masks[2])
{
    Areas native;
    unsigned at = 0;

    for (unsigned tries = 0; tries < 3 && at < AREA; tries++) {
        native = *start;
        c->native(&native, masks[0], masks[1]);
        at = difference(&native, ours);
    }
    if (at < AREA) {
        g_printerr("byte %u is %02x, ours %02x\n", at, native.out[at], ours->out[at]);
        g_test_fail();
    }
}

static void test_case(gconstpointer data)
{
    const Case *c = data;
    Bench b = make_bench();

    for (unsigned i = 0; i < b.rounds && !g_test_failed(); i++) {
        Areas start;
        unsigned masks[2] = { g_rand_int(b.rand) & 7, g_rand_int(b.rand) & 7 };
        randomise_areas(b.rand, c, &start);
        store_le64(start.first + HEADER, 7);
        *b.areas = start;
        call(b.cpu, x86_helper_xrstor, b.areas->first, 7, 1);
        call(b.cpu, c->restore, b.areas->second, masks[0], c->last);
        call(b.cpu, c->save, b.areas->out, masks[1], c->last);
        check(c, &start, b.areas, masks);
    }
    bench_free(&b);
}

/* --- what is refused, with #GP(0), before anything changes */

static const struct {
    const char *path;
    HelperFn helper;
    unsigned at; /* place of a byte of an otherwise fine image */
    uint8_t value;
    unsigned misaligned;
} refused[] = {
    { "/state/fxsave-misaligned", x86_helper_fxsave, 0, 0, 8 },
    { "/state/fxrstor-misaligned", x86_helper_fxrstor, 0, 0, 8 },
    { "/state/fxrstor-reserved-mxcsr", x86_helper_fxrstor, 26, 1, 0 },
    { "/state/xsave-misaligned", x86_helper_xsave, 0, 0, 16 },
    { "/state/xrstor-misaligned", x86_helper_xrstor, 0, 0, 32 },
    { "/state/xrstor-reserved-mxcsr", x86_helper_xrstor, 27, 0x80, 0 },
    { "/state/xrstor-unknown-component", x86_helper_xrstor, HEADER, 8, 0 },
    { "/state/xrstor-reserved-header", x86_helper_xrstor, HEADER + 16, 1, 0 },
    { "/state/xrstor-compact-without-bit", x86_helper_xrstor, HEADER + 8, 1, 0 },
    { "/state/xrstor-compact-present-not-in-it", x86_helper_xrstor, COMPACT_BYTE, 0x80, 0 },
};

static void test_refused(gconstpointer data)
{
    const typeof(refused[0]) *c = data;
    Bench b = make_bench();

    random_area(b.rand, b.areas->first);
    store_le64(b.areas->first + HEADER, 7);
    b.areas->first[c->at] = c->value ? c->value : b.areas->first[c->at];
    uint64_t gva = (uint64_t)(uintptr_t)b.areas->first + c->misaligned;
    b.cpu->gpr[X86_RAX] = 7;
    c->helper(&b.cpu->base, gva, MMU_KERNEL, 1);
    g_assert_true(b.cpu->base.fault);
    g_assert_cmpint(b.cpu->exception.vector, ==, EXC_GP);
    g_assert_cmpint(b.cpu->exception.error_code, ==, 0);
    g_assert_cmpint(b.cpu->fcw, ==, 0);
    bench_free(&b);
}

/* --- the environment in real mode (SDM volume 1, figures 8-10 and 8-12), which no process sees */

static const struct {
    const char *path;
    unsigned operand_size;
    uint32_t words[7];
} real_images[] = {
    { "/state/fnstenv-real-32",
      4,
      { 0xffff037f, 0xffff3800, 0xffffbfff, 0xffff7890, 0x00013123, 0xffff6780, 0x0000f000 } },
    { "/state/fnstenv-real-16",
      2,
      { 0x037f, 0x3800, 0xbfff, 0x7890, 0x3123 - 0x2000, 0x6780, 0xf000 } },
};

static void test_real_mode(gconstpointer data)
{
    const typeof(real_images[0]) *c = data;
    uint64_t code = c->operand_size == 4 ? 0x137890 : 0x17890;
    Bench b = make_bench();

    b.cpu->cr0 = 0;
    b.cpu->msr.efer = 0;
    x87_init(b.cpu);
    b.cpu->top = 7;
    b.cpu->tags = 0x80;
    b.cpu->st[7] = (X87Reg){ 1, 0x7fff };
    b.cpu->fcs = 0x1000;
    b.cpu->fip = code - 0x10000;
    b.cpu->fop = 0x123;
    b.cpu->fds = 0xf000;
    b.cpu->fdp = 0x6780;
    call(b.cpu, x86_helper_fnstenv, b.areas->out, 0, c->operand_size);
    for (unsigned i = 0; i < 7; i++) {
        uint32_t word = c->operand_size == 4 ? load_le32(b.areas->out + 4 * i)
                                             : load_le16(b.areas->out + 2 * i);
        g_assert_cmphex(word, ==, c->words[i]);
    }
    x87_init(b.cpu);
    call(b.cpu, x86_helper_fldenv, b.areas->out, 0, c->operand_size);
    g_assert_cmphex(b.cpu->fip, ==, code);
    g_assert_cmphex(b.cpu->fdp, ==, 0xf6780);
    g_assert_cmphex(b.cpu->fop, ==, 0x123);
    g_assert_cmphex(x87_status(b.cpu), ==, 0x3800);
    g_assert_cmphex(b.cpu->tags, ==, 0x80);
    bench_free(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].path, &cases[i], test_case);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_test_add_data_func(refused[i].path, &refused[i], test_refused);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(real_images); i++) {
        g_test_add_data_func(real_images[i].path, &real_images[i], test_real_mode);
    }
    return g_test_run();
}
