/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the cache's room: it begins small, grows only for code that comes again, and never
 * beyond its limit.
 */
#include "engine/dbt/run/cache.h"

enum { RAM = 64 << 20, LIMIT = CACHE_FIRST + CACHE_STEP + CACHE_STEP / 2, NODES = 200 };

typedef struct Bench {
    GuestMemory *memory;
    BlockCache *cache;
    IrBlock *ir;
} Bench;

static Bench bench_new(size_t limit)
{
    Bench b = { .memory = gm_new(), .ir = g_new0(IrBlock, 1) };

    g_assert_true(gm_add_ram(b.memory, 0, RAM, NULL));
    b.cache = cache_new(b.memory, limit, NULL);
    g_assert_nonnull(b.cache);
    b.ir->n_nodes = NODES;
    b.ir->n_insns = 1;
    b.ir->guest_bytes = 4;
    return b;
}

static void bench_free(Bench *b)
{
    cache_free(b->cache);
    gm_free(b->memory);
    g_free(b->ir);
}

static bool add(Bench *b, uint64_t gpa)
{
    cache_make_code(b->cache, gpa);
    g_assert_true(cache_translate_begin(b->cache, gpa, GPA_NONE));
    bool done = cache_add(b->cache, b->ir, gpa, GPA_NONE, 0);
    cache_translate_end(b->cache);
    return done;
}

/* Blocks from @gpa on, @step apart, until there is no room for one; that one's number. */
static unsigned fill(Bench *b, uint64_t gpa, unsigned step)
{
    unsigned n = 0;

    while (add(b, gpa + (uint64_t)n * step)) {
        n++;
    }
    return n;
}

static void test_begins_small(void)
{
    Bench b = bench_new(0);

    g_assert_cmpuint(cache_limit(b.cache), ==, CACHE_LIMIT);
    g_assert_cmpuint(cache_size(b.cache), ==, CACHE_FIRST);
    unsigned n = fill(&b, 0, 16);
    g_assert_cmpuint(n, >, CACHE_FIRST / (NODES * sizeof(IrNode) + 2 * sizeof(Block)));
    g_assert_cmpuint(cache_used(b.cache), <=, CACHE_FIRST);
    g_assert_false(cache_grow(b.cache)); /* nothing comes again yet */
    cache_flush(b.cache);
    g_assert_cmpuint(cache_used(b.cache), ==, 0);
    g_assert_true(cache_grow(b.cache)); /* another vCPU that comes later finds room */
    g_assert_cmpuint(cache_size(b.cache), ==, CACHE_FIRST);
    bench_free(&b);
}

/* The second time the same blocks fill it, it grows; and so on to the limit. */
static void test_grows_for_what_comes_again(void)
{
    static const size_t sizes[] = { CACHE_FIRST + CACHE_STEP, LIMIT };
    Bench b = bench_new(LIMIT);

    fill(&b, 0, 16);
    g_assert_false(cache_grow(b.cache));
    cache_flush(b.cache);
    unsigned before = fill(&b, 0, 16);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_assert_true(cache_grow(b.cache));
        g_assert_cmpuint(cache_size(b.cache), ==, sizes[i]);
        unsigned more = fill(&b, (uint64_t)before * 16, 16);
        g_assert_cmpuint(more, >, 0);
        before += more;
        g_assert_cmpuint(cache_used(b.cache), <=, sizes[i]);
    }
    g_assert_false(cache_grow(b.cache));
    cache_flush(b.cache);
    g_assert_cmpuint(cache_size(b.cache), ==, LIMIT);
    bench_free(&b);
}

/* Other code, and code that the guest writes again and again, are no reason. */
static void test_stays_for_what_is_new(void)
{
    static const struct {
        uint64_t first, second;
        unsigned step;
    } cases[] = { { 0, RAM / 2, 16 }, { 0, 0, 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        Bench b = bench_new(0);
        fill(&b, cases[i].first, cases[i].step);
        g_assert_false(cache_grow(b.cache));
        cache_flush(b.cache);
        fill(&b, cases[i].second, cases[i].step);
        g_assert_false(cache_grow(b.cache));
        g_assert_cmpuint(cache_size(b.cache), ==, CACHE_FIRST);
        bench_free(&b);
    }
}

static void test_small_limit(void)
{
    Bench b = bench_new(1);

    g_assert_cmpuint(cache_limit(b.cache), ==, CACHE_LIMIT_MIN);
    g_assert_cmpuint(cache_size(b.cache), ==, CACHE_LIMIT_MIN);
    fill(&b, 0, 16);
    cache_flush(b.cache);
    fill(&b, 0, 16);
    g_assert_false(cache_grow(b.cache));
    bench_free(&b);
}

/* Only what was translated and what goes on to be stored to. */
static void test_data_again(void)
{
    enum { CODE = 3 * PAGE_SIZE, STORES = 1000, STORES_BESIDE = 10000 };
    Bench b = bench_new(0);

    g_assert_false(cache_is_code(b.cache, CODE));
    g_assert_false(cache_translate_begin(b.cache, CODE, GPA_NONE));
    g_assert_true(add(&b, CODE));
    for (unsigned i = 0; i < STORES; i++) {
        cache_stored(b.cache, CODE + 0x800, 8); /* beside the code */
    }
    g_assert_true(cache_is_code(b.cache, CODE));
    g_assert_nonnull(cache_find(b.cache, CODE, 0));
    cache_stored(b.cache, CODE + 3, 1);
    g_assert_null(cache_find(b.cache, CODE, 0));
    g_assert_true(cache_is_code(b.cache, CODE)); /* it may well be translated again */
    for (unsigned i = 0; i < STORES; i++) {
        cache_stored(b.cache, CODE + i % 512 * 8, 8);
    }
    g_assert_false(cache_is_code(b.cache, CODE));
    g_assert_false(cache_translate_begin(b.cache, CODE, GPA_NONE));
    g_assert_true(add(&b, CODE));
    g_assert_true(cache_is_code(b.cache, CODE));
    for (unsigned i = 0; i < STORES_BESIDE; i++) { /* nobody overwrites it, nobody runs it */
        cache_stored(b.cache, CODE + 0x800, 8);
    }
    g_assert_false(cache_is_code(b.cache, CODE));
    g_assert_null(cache_find(b.cache, CODE, 0));
    bench_free(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/begins small", test_begins_small);
    g_test_add_func("/cache/grows for what comes again", test_grows_for_what_comes_again);
    g_test_add_func("/cache/stays for what is new", test_stays_for_what_is_new);
    g_test_add_func("/cache/a small limit", test_small_limit);
    g_test_add_func("/cache/data again", test_data_again);
    return g_test_run();
}
