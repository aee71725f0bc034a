/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the soft MMU: what it remembers of which address space, and for how long.
 *
 * The toy guest maps TOY_SWAP to one of two pages as .straight says: a translation that is still
 * remembered shows as the page of before.
 */
#include "engine/dbt/run/mmu.h"

#include "engine/dbt/run/banks.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/toy.h"

enum { RAM = 1 << 20, SWAPPED = 2, STRAIGHT = 1 };

typedef struct Bench {
    GuestMemory *memory;
    Clock *clock;
    DbtVm *vm;
    ToyCpu *toy;
    DbtCpu *cpu;
} Bench;

static Bench bench_new(void)
{
    Bench b = { .memory = gm_new(), .clock = clock_new_manual() };

    g_assert_true(gm_add_ram(b.memory, 0, RAM, NULL));
    *(uint8_t *)gm_ram(b.memory, TOY_SWAP, 1) = STRAIGHT;
    *(uint8_t *)gm_ram(b.memory, TOY_SWAP + PAGE_SIZE, 1) = SWAPPED;
    EngineConfig config = { .memory = b.memory, .clock = b.clock, .cpus = 1 };
    b.vm = dbt_vm_new(&toy_isa, &config, NULL);
    b.cpu = dbt_cpu_new(b.vm, 0);
    b.toy = (ToyCpu *)b.cpu;
    return b;
}

static void bench_free(Bench *b)
{
    dbt_cpu_free(b->cpu);
    dbt_vm_free(b->vm);
    gm_free(b->memory);
    clock_free(b->clock);
}

/* Which page a load at TOY_SWAP finds, with mmu index @mmu. */
static unsigned seen(Bench *b, unsigned mmu)
{
    uint64_t value = 0;

    g_assert_true(mmu_load(b->cpu, TOY_SWAP, 1, mmu, &value));
    return (unsigned)value;
}

/* What is done between two loads with the mapping changed, and which page the second finds. */
static const struct {
    const char *name;
    enum {
        NOTHING,
        FLUSH,
        NON_GLOBAL,
        TWICE,
        PAGE,
        OTHER_PAGE,
        SWITCH_AWAY,
        AND_BACK,
        BACK_FLUSHED,
        SPACE,
        OTHER_SPACE,
        SPACE_FROM_AFAR
    } what;
    bool global;
    unsigned want;
} cases[] = {
    { "/mmu/remembered until told", NOTHING, false, SWAPPED },
    { "/mmu/forgotten by a flush", FLUSH, false, STRAIGHT },
    { "/mmu/forgotten by a flush, global", FLUSH, true, STRAIGHT },
    { "/mmu/forgotten if not global", NON_GLOBAL, false, STRAIGHT },
    { "/mmu/kept if global", NON_GLOBAL, true, SWAPPED },
    { "/mmu/kept if global, then forgotten", TWICE, true, STRAIGHT },
    { "/mmu/forgotten for its page", PAGE, false, STRAIGHT },
    { "/mmu/forgotten for its page, global", PAGE, true, STRAIGHT },
    { "/mmu/kept for another page", OTHER_PAGE, false, SWAPPED },
    { "/mmu/not seen in another space", SWITCH_AWAY, false, STRAIGHT },
    { "/mmu/still there back in its space", AND_BACK, false, SWAPPED },
    { "/mmu/forgotten back in a flushed space", BACK_FLUSHED, false, STRAIGHT },
    { "/mmu/forgotten with its space", SPACE, false, STRAIGHT },
    { "/mmu/kept if global, with its space", SPACE, true, SWAPPED },
    { "/mmu/kept with another space", OTHER_SPACE, false, SWAPPED },
    { "/mmu/forgotten with its space, from another", SPACE_FROM_AFAR, false, STRAIGHT },
};

static void act(DbtCpu *cpu, int what)
{
    switch (what) {
    case FLUSH:
        mmu_flush(cpu);
        break;
    case NON_GLOBAL:
        mmu_flush_non_global(cpu);
        break;
    case TWICE:
        mmu_flush_non_global(cpu);
        mmu_flush(cpu);
        break;
    case PAGE:
        mmu_flush_page(cpu, TOY_SWAP + 5);
        break;
    case OTHER_PAGE:
        mmu_flush_page(cpu, TOY_SWAP + PAGE_SIZE);
        break;
    case SWITCH_AWAY:
        mmu_switch(cpu, 7, false);
        break;
    case SPACE:
        mmu_flush_space(cpu, 0);
        break;
    case OTHER_SPACE:
        mmu_flush_space(cpu, 7);
        break;
    case SPACE_FROM_AFAR:
        mmu_switch(cpu, 7, false);
        mmu_flush_space(cpu, 0);
        mmu_switch(cpu, 0, false);
        break;
    case AND_BACK:
        mmu_switch(cpu, 7, false);
        mmu_switch(cpu, 0, false);
        break;
    case BACK_FLUSHED:
        mmu_switch(cpu, 7, false);
        mmu_switch(cpu, 0, true);
        break;
    default:
        break;
    }
}

/* @n other pages come to where TOY_SWAP's entry is. */
static void push_out(Bench *b, unsigned mmu, unsigned n)
{
    uint64_t value;

    for (unsigned i = 1; i <= n; i++) {
        g_assert_true(mmu_load(b->cpu, TOY_SWAP + i * TOY_ALIAS, 1, mmu, &value));
    }
}

static void test_case(gconstpointer data)
{
    const typeof(cases[0]) *c = data;

    for (unsigned mmu = 0; mmu < MMU_INDEXES; mmu++) {
        for (unsigned others = 0; others < TOY_ALIASES; others += TOY_ALIASES / 4) {
            Bench b = bench_new();
            mmu_switch(b.cpu, 0, true);
            b.toy->global = c->global;
            g_assert_cmpuint(seen(&b, mmu), ==, SWAPPED);
            push_out(&b, mmu, others);
            b.toy->straight = true;
            act(b.cpu, c->what);
            unsigned want = others > VICTIMS ? STRAIGHT : c->want; /* it had to go */
            g_assert_cmpuint(seen(&b, mmu), ==, want);
            bench_free(&b);
        }
    }
}

/* Pages that want the same place take turns there without a walk, with their own translations. */
static void test_victims(void)
{
    Bench b = bench_new();
    uint64_t value;

    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i <= VICTIMS; i++) {
            g_assert_true(mmu_load(b.cpu, TOY_SWAP + i * TOY_ALIAS, 1, 1, &value));
            g_assert_true(mmu_store(b.cpu, TOY_DATA + i * TOY_ALIAS, i, 1, 2));
            g_assert_true(mmu_load(b.cpu, TOY_DATA + i * TOY_ALIAS, 1, 2, &value));
            g_assert_cmpuint(value, ==, i);
        }
    }
    g_assert_cmpuint(b.toy->walks, ==, 2 * (VICTIMS + 1));
    bench_free(&b);
}

/* The same for code, and its generation: jump cache entries must not survive what forgets it. */
static void test_code(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    Bench b = bench_new();
    uint64_t gpa;

    mmu_switch(b.cpu, 0, true);
    b.toy->global = c->global;
    g_assert_true(mmu_fetch(b.cpu, TOY_SWAP, &gpa));
    g_assert_cmphex(gpa, ==, TOY_SWAP + PAGE_SIZE);
    b.toy->straight = true;
    uint32_t generation = b.cpu->tlb_generation;
    act(b.cpu, c->what);
    g_assert_true(mmu_fetch(b.cpu, TOY_SWAP, &gpa));
    g_assert_cmphex(gpa, ==, c->want == STRAIGHT ? TOY_SWAP : TOY_SWAP + PAGE_SIZE);
    if (c->want == STRAIGHT) {
        g_assert_cmpuint(b.cpu->tlb_generation, !=, generation);
    }
    bench_free(&b);
}

/* More spaces than banks: the least recently used one loses its translations, never mixes them. */
static void test_many_spaces(void)
{
    Bench b = bench_new();

    for (unsigned round = 0; round < 5; round++) {
        for (uint64_t tag = 0; tag < 20; tag++) {
            mmu_switch(b.cpu, tag, round == 0);
            b.toy->straight = tag % 4 < 2; /* another mapping than six tags before */
            g_assert_cmpuint(seen(&b, 1), ==, tag % 4 < 2 ? STRAIGHT : SWAPPED);
        }
    }
    bench_free(&b);
}

/* So many pages that single entries aren't remembered any more: a flush still forgets all. */
static void test_many_pages(void)
{
    Bench b = bench_new();
    uint64_t value;

    for (uint64_t gva = 0; gva < TOY_FAULT; gva += PAGE_SIZE) {
        for (unsigned mmu = 0; mmu < MMU_INDEXES; mmu++) {
            g_assert_true(mmu_load(b.cpu, gva, 1, mmu, &value));
        }
    }
    unsigned walks = b.toy->walks;
    mmu_flush_non_global(b.cpu);
    for (uint64_t gva = 0; gva < TOY_FAULT; gva += PAGE_SIZE) {
        g_assert_true(mmu_load(b.cpu, gva, 1, 2, &value));
    }
    g_assert_cmpuint(b.toy->walks - walks, ==, TOY_FAULT / PAGE_SIZE);
    bench_free(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *code = g_strconcat(cases[i].name, ", code", NULL);
        g_test_add_data_func(cases[i].name, &cases[i], test_case);
        g_test_add_data_func(code, &cases[i], test_code);
    }
    g_test_add_func("/mmu/victims", test_victims);
    g_test_add_func("/mmu/many spaces", test_many_spaces);
    g_test_add_func("/mmu/many pages", test_many_pages);
    return g_test_run();
}
