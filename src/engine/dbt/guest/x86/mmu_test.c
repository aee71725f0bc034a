/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page walks: rights, error codes, reserved bits, accessed and dirty bits, large pages, in all
 * three paging modes.
 */
#include "engine/dbt/guest/x86/system_bench.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define NX (UINT64_C(1) << 63)

/* Physical address of the table of each level below the root, and of what is mapped. */
enum { LEVEL_STEP = 0x1000, TARGET = 0x200000 };

typedef enum Paging { PAGING_32, PAGING_PAE, PAGING_LONG } Paging;
#define R  MMU_READ
#define WR MMU_WRITE
#define X  MMU_FETCH
enum { USER = MMU_USER, KERN = MMU_KERNEL, KERN_AC = MMU_KERNEL_AC };

#define WP     CR0_WP
#define NXE    1
#define ABSENT (-1)

typedef struct Case {
    const char *name;
    Paging paging;
    uint64_t flags[4]; /* of the entries from the root on; 0 behind the leaf */
    uint64_t cr0, cr4, nxe;
    MmuAccess access;
    unsigned mmu;
    int error;           /* code of #PF; ABSENT: no fault */
    uint64_t leaf_after; /* bits A and D of the leaf */
} Case;

#define OK  ABSENT
#define RWU (P | W | U)

static const Case cases[] = {
    { "long/user-reads", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, 0, 0, R, USER, OK, A },
    { "long/user-writes", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, 0, 0, WR, USER, OK, A | D },
    { "long/user-fetches", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, 0, 0, X, USER, OK, A },
    { "long/root-absent", PAGING_LONG, { 0 }, WP, 0, 0, R, KERN, 0, 0 },
    { "long/root-absent-write-user", PAGING_LONG, { W }, WP, 0, 0, WR, USER, 6, 0 },
    { "long/pdpt-absent", PAGING_LONG, { RWU, W | U }, WP, 0, 0, R, USER, 4, 0 },
    { "long/pd-absent", PAGING_LONG, { RWU, RWU, W }, WP, 0, 0, WR, KERN, 2, 0 },
    { "long/leaf-absent", PAGING_LONG, { RWU, RWU, RWU, W | U }, WP, 0, 0, R, USER, 4, 0 },
    { "long/absent-fetch-shows-i-with-nxe",
      PAGING_LONG,
      { RWU, RWU, RWU, 0 },
      WP,
      0,
      NXE,
      X,
      USER,
      0x14,
      0 },
    { "long/absent-fetch-without-nxe", PAGING_LONG, { RWU, RWU, RWU, 0 }, WP, 0, 0, X, USER, 4, 0 },
    { "long/user-on-supervisor-leaf",
      PAGING_LONG,
      { RWU, RWU, RWU, P | W },
      WP,
      0,
      0,
      R,
      USER,
      5,
      0 },
    { "long/user-on-supervisor-root",
      PAGING_LONG,
      { P | W, RWU, RWU, RWU },
      WP,
      0,
      0,
      R,
      USER,
      5,
      0 },
    { "long/user-writes-read-only",
      PAGING_LONG,
      { RWU, RWU, RWU, P | U },
      0,
      0,
      0,
      WR,
      USER,
      7,
      0 },
    { "long/read-only-in-the-middle",
      PAGING_LONG,
      { RWU, P | U, RWU, RWU },
      WP,
      0,
      0,
      WR,
      USER,
      7,
      0 },
    { "long/kernel-writes-read-only-wp",
      PAGING_LONG,
      { RWU, RWU, RWU, P },
      WP,
      0,
      0,
      WR,
      KERN,
      3,
      0 },
    { "long/kernel-writes-read-only",
      PAGING_LONG,
      { RWU, RWU, RWU, P },
      0,
      0,
      0,
      WR,
      KERN,
      OK,
      A | D },
    { "long/nx-leaf", PAGING_LONG, { RWU, RWU, RWU, RWU | NX }, WP, 0, NXE, X, USER, 0x15, 0 },
    { "long/nx-root", PAGING_LONG, { RWU | NX, RWU, RWU, RWU }, WP, 0, NXE, X, KERN, 0x11, 0 },
    { "long/nx-is-reserved-without-nxe",
      PAGING_LONG,
      { RWU, RWU, RWU, RWU | NX },
      WP,
      0,
      0,
      R,
      USER,
      0xd,
      0 },
    { "long/nx-may-be-read", PAGING_LONG, { RWU, RWU, RWU, RWU | NX }, WP, 0, NXE, R, USER, OK, A },
    { "long/smep", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, CR4_SMEP, 0, X, KERN, 0x11, 0 },
    { "long/smep-supervisor-page",
      PAGING_LONG,
      { RWU, RWU, RWU, P | W },
      WP,
      CR4_SMEP,
      0,
      X,
      KERN,
      OK,
      A },
    { "long/smap-read", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, CR4_SMAP, 0, R, KERN, 1, 0 },
    { "long/smap-write", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, CR4_SMAP, 0, WR, KERN, 3, 0 },
    { "long/smap-with-ac",
      PAGING_LONG,
      { RWU, RWU, RWU, RWU },
      WP,
      CR4_SMAP,
      0,
      WR,
      KERN_AC,
      OK,
      A | D },
    { "long/smap-and-user", PAGING_LONG, { RWU, RWU, RWU, RWU }, WP, CR4_SMAP, 0, R, USER, OK, A },
    { "long/smap-supervisor-page",
      PAGING_LONG,
      { RWU, RWU, RWU, P | W },
      WP,
      CR4_SMAP,
      0,
      R,
      KERN,
      OK,
      A },
    { "long/reserved-in-root",
      PAGING_LONG,
      { RWU | PS, RWU, RWU, RWU },
      WP,
      0,
      0,
      R,
      USER,
      0xd,
      0 },
    { "long/reserved-address",
      PAGING_LONG,
      { RWU, RWU | UINT64_C(1) << 46, RWU, RWU },
      WP,
      0,
      0,
      R,
      KERN,
      9,
      0 },
    { "long/ignored-bits",
      PAGING_LONG,
      { RWU, RWU, RWU, RWU | UINT64_C(0x7ff) << 52 | 0xe00 },
      WP,
      0,
      0,
      R,
      USER,
      OK,
      A },
    { "long/2m", PAGING_LONG, { RWU, RWU, RWU | PS }, WP, 0, 0, WR, USER, OK, A | D },
    { "long/2m-reserved", PAGING_LONG, { RWU, RWU, RWU | PS | 0x2000 }, WP, 0, 0, R, USER, 0xd, 0 },
    { "long/2m-pat-is-allowed",
      PAGING_LONG,
      { RWU, RWU, RWU | PS | 0x1000 },
      WP,
      0,
      0,
      R,
      USER,
      OK,
      A },
    { "long/1g-reserved", PAGING_LONG, { RWU, RWU | PS | 0x200000 }, WP, 0, 0, R, USER, 0xd, 0 },
    { "pae/user-writes", PAGING_PAE, { RWU, RWU }, WP, 0, 0, WR, USER, OK, A | D },
    { "pae/leaf-absent", PAGING_PAE, { RWU, 0 }, WP, 0, 0, WR, USER, 6, 0 },
    { "pae/high-bits-reserved",
      PAGING_PAE,
      { RWU, RWU | UINT64_C(1) << 52 },
      WP,
      0,
      0,
      R,
      USER,
      0xd,
      0 },
    { "pae/nx", PAGING_PAE, { RWU, RWU | NX }, WP, 0, NXE, X, USER, 0x15, 0 },
    { "pae/2m", PAGING_PAE, { RWU | PS }, WP, 0, 0, WR, USER, OK, A | D },
    { "32/user-writes", PAGING_32, { RWU, RWU }, WP, 0, 0, WR, USER, OK, A | D },
    { "32/user-reads-supervisor", PAGING_32, { P | W, RWU }, WP, 0, 0, R, USER, 5, 0 },
    { "32/absent-fetch-shows-no-i", PAGING_32, { RWU, 0 }, WP, 0, NXE, X, USER, 4, 0 },
    { "32/smep-shows-i", PAGING_32, { RWU, RWU }, WP, CR4_SMEP, 0, X, KERN, 0x11, 0 },
    { "32/4m", PAGING_32, { RWU | PS }, WP, CR4_PSE, 0, WR, USER, OK, A | D },
    { "32/4m-reserved", PAGING_32, { RWU | PS | 1 << 21 }, WP, CR4_PSE, 0, R, USER, 0xd, 0 },
    { "32/ps-ignored-without-pse", PAGING_32, { RWU | PS, RWU }, WP, 0, 0, R, USER, OK, A },
};

/* Write entries for gva 0; the last one maps TARGET.  Returns the leaf's gpa. */
static uint64_t build(SystemBench *bench, const Case *c)
{
    unsigned levels = c->paging == PAGING_LONG ? 4 : 2;
    unsigned size = c->paging == PAGING_32 ? 4 : 8;
    uint64_t table = BENCH_TABLES;

    for (unsigned i = 0; i < levels; i++) {
        bool large = (c->flags[i] & PS) && (i == levels - 2 || i == levels - 3) &&
                     (c->paging != PAGING_32 || (c->cr4 & CR4_PSE));
        bool leaf = i == levels - 1 || large;
        uint64_t to = !leaf ? table + LEVEL_STEP : large ? 0 : TARGET;
        bench_poke(bench, table, to | c->flags[i], size);
        if (leaf) {
            return table;
        }
        table += LEVEL_STEP;
    }
    return 0;
}

static void set_up(SystemBench *bench, const Case *c)
{
    X86Cpu *cpu = bench->cpu;

    bench_enter(bench, c->paging == PAGING_LONG ? MODE_LONG : MODE_PROTECTED, 0);
    cpu->cr0 = CR0_PE | CR0_PG | CR0_ET | c->cr0;
    cpu->cr3 = BENCH_TABLES;
    cpu->cr4 = c->cr4 | (c->paging == PAGING_32 ? 0 : CR4_PAE);
    cpu->msr.efer |= c->nxe ? EFER_NXE : 0;
    cpu->pdptr[0] = BENCH_TABLES | P;
    cpu->cpl = c->mmu == USER ? 3 : 0;
}

static void test_walk(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(SystemBench) bench = system_bench_new(1);
    MmuPage page;

    set_up(bench, c);
    uint64_t leaf = build(bench, c);
    bool found = x86_page_walk(&bench->cpu->base, 0x123, c->access, c->mmu, false, &page);
    g_assert_cmpint(found, ==, c->error == OK);
    if (c->error != OK) {
        g_assert_cmphex(bench->cpu->cr2, ==, 0x123);
        bench_expect(bench, EXC_PF, c->error);
    } else {
        bool large = page.size > PAGE_SIZE;
        g_assert_cmphex(page.gpa, ==, large ? 0 : TARGET);
        g_assert_cmpint(page.writable, ==, c->access == WR);
    }
    if (leaf) {
        g_assert_cmphex(bench_peek(bench, leaf, 1) & (A | D), ==, c->leaf_after);
    }
}

static void test_sizes(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    X86Cpu *cpu = bench->cpu;
    MmuPage page;

    bench_enter(bench, MODE_LONG, 0);
    g_assert_true(x86_page_walk(&cpu->base, 0x3fff1234, R, KERN, false, &page));
    g_assert_cmphex(page.size, ==, 1 << 30);
    g_assert_cmphex(page.gpa, ==, 0x3fff1000);
    g_assert_false(page.global);
    bench_poke(bench, BENCH_TABLES + 0x1000, 0xe7 | G, 8);
    cpu->cr4 |= CR4_PGE;
    g_assert_true(x86_page_walk(&cpu->base, 0, R, KERN, false, &page));
    g_assert_true(page.global);
}

static void test_pse36(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    const Case c = { .paging = PAGING_32, .flags = { RWU | PS | 0xa5 << 13 }, .cr4 = CR4_PSE };
    MmuPage page;

    set_up(bench, &c);
    build(bench, &c);
    g_assert_true(x86_page_walk(&bench->cpu->base, 0x5678, R, KERN, false, &page));
    g_assert_cmphex(page.gpa, ==, UINT64_C(0xa500005000));
    g_assert_cmphex(page.size, ==, 4 << 20);
}

static void test_not_canonical(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    DbtCpu *cpu = &bench->cpu->base;
    MmuPage page;

    bench_enter(bench, MODE_LONG, 0);
    g_assert_false(x86_page_walk(cpu, UINT64_C(1) << 47, R, KERN, false, &page));
    bench_expect(bench, EXC_GP, 0);
    g_assert_false(x86_page_walk(cpu, UINT64_C(1) << 47, R, KERN | MMU_STACK, false, &page));
    bench_expect(bench, EXC_SS, 0);
    g_assert_false(x86_page_walk(cpu, UINT64_C(1) << 47, R, KERN, true, &page));
    bench_expect(bench, -1, 0);
}

static void test_probe_leaves_no_trace(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    const Case c = { .paging = PAGING_LONG, .flags = { P, P, P, P } };
    MmuPage page;

    set_up(bench, &c);
    uint64_t leaf = build(bench, &c);
    g_assert_true(x86_page_walk(&bench->cpu->base, 0x10, R, USER, true, &page));
    g_assert_cmphex(page.gpa, ==, TARGET);
    g_assert_cmphex(bench_peek(bench, leaf, 1), ==, P);
    g_assert_false(x86_page_walk(&bench->cpu->base, 0x1000, R, USER, true, &page));
    bench_expect(bench, -1, 0);
}

static void test_tables_outside_ram_read_as_ones(void)
{
    g_autoptr(SystemBench) bench = system_bench_new(1);
    MmuPage page;

    bench_enter(bench, MODE_LONG, 0);
    bench->cpu->cr3 = UINT64_C(1) << 40;
    g_assert_false(x86_page_walk(&bench->cpu->base, 0, R, KERN, false, &page));
    bench_expect(bench, EXC_PF, 9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/x86/mmu/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_walk);
    }
    g_test_add_func("/x86/mmu/sizes", test_sizes);
    g_test_add_func("/x86/mmu/pse36", test_pse36);
    g_test_add_func("/x86/mmu/not-canonical", test_not_canonical);
    g_test_add_func("/x86/mmu/probe-leaves-no-trace", test_probe_leaves_no_trace);
    g_test_add_func("/x86/mmu/tables-outside-ram-read-as-ones",
                    test_tables_outside_ram_read_as_ones);
    return g_test_run();
}
