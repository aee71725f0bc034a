/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crashes and errors under qcow2 images, on a host in memory.
 *
 *   crash    at each flush: what may be on the disk if the host dies before it, many times
 *   error    each call to the host fails in turn, with each error, once or for good
 *   full     the host has no room, and has some again
 *   growth   a file grows no more than what is in it
 *
 * Each has its negative control: barriers left out, writes that are lost, room that never comes
 * back must be seen.  INSULA_SEED chooses the seed; INSULA_TIMES does more of it all.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/driver.h"
#include "common/bits.h"
#include "work.h"

enum { CRASH_STATES = 420, CRASHES_PER_FLUSH = 8, ERROR_OPS = 40, FULL_CYCLES = 9, PAIRS = 12 };
enum { GROWTH_FLUSHES = 10000 };

static guint32 seed;
static unsigned times = 1;

static void put_file(const char *folder, const BenchFile *file)
{
    g_autofree char *path = g_build_filename(folder, file->path, NULL);

    g_assert(g_file_set_contents_full(path, (const char *)file->bytes, (gssize)file->size,
                                      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void remove_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    unlink(path);
}

/* Whether QEMU finds no fault in the images either (lost room is none). */
static bool qemu_agrees(BlkBench *bench)
{
    g_autofree char *folder = g_dir_make_tmp("insula-crash-XXXXXX", NULL);
    g_autofree char *words =
        g_strdup_printf("qemu-img check -q -f qcow2 %s/disk >/dev/null 2>&1", folder);

    for (unsigned i = 0; i < BENCH_FILES && bench->files[i].path; i++) {
        put_file(folder, &bench->files[i]);
    }
    int status = system(words);
    remove_file(folder, "disk");
    remove_file(folder, "base");
    rmdir(folder);
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3);
}

static bool has_qemu(void)
{
    g_autofree char *program = g_find_program_in_path("qemu-img");

    return program != NULL;
}

/* --- crashes --- */

typedef struct Crash {
    BlkBench bench, base;
    Work work;
    Model model;
    guint kept; /* records at the last flush that may still be lost */
    unsigned states, wrong, leaks;
    unsigned drop; /* of .drop_syncs */
    unsigned per_flush;
    bool ask_qemu;
    char *first; /* what was wrong */
} Crash;

/* Look at what a crash at record @n of the log may leave. */
static void one_crash(Crash *crash, guint n)
{
    BlkBench after;
    BlkOptions backing = crash->work.backing, options = crash->work.options;

    blk_bench_init(&after);
    blk_bench_copy(&crash->base, &after);
    blk_bench_replay(&crash->bench, &after, n, crash->work.random);
    backing.host = options.host = &after.host;
    options.backing = options.backing ? &backing : NULL;
    bool agreed = !crash->ask_qemu || crash->states % (times > 1 ? 10 : 40) || qemu_agrees(&after);
    char *wrong = model_check_crashed(&crash->model, &options, &crash->leaks);
    wrong = wrong || agreed ? wrong : g_strdup("QEMU's tools find damage");
    crash->states++;
    crash->wrong += wrong != NULL;
    if (wrong && !crash->first) {
        crash->first = g_steal_pointer(&wrong);
    }
    g_free(wrong);
    blk_bench_clear(&after);
}

static void crash_around_flush(Work *work)
{
    Crash *crash = work->opaque;
    guint n = crash->bench.log->len;

    for (unsigned i = 0; i < crash->per_flush; i++) {
        one_crash(crash, crash->kept + g_rand_int(work->random) % (n - crash->kept + 1));
    }
    crash->kept = blk_bench_settle(&crash->bench, &crash->base);
}

static Crash *crash_new(const WorkKind *kind, const WorkMix *mix, guint32 with)
{
    Crash *crash = g_new0(Crash, 1);

    blk_bench_init(&crash->bench);
    blk_bench_init(&crash->base);
    work_init(&crash->work, kind, mix, &crash->bench.host, &crash->model, with);
    crash->work.flushed = crash_around_flush;
    crash->work.opaque = crash;
    crash->per_flush = CRASHES_PER_FLUSH;
    blk_bench_copy(&crash->bench, &crash->base);
    blk_bench_record(&crash->bench);
    return crash;
}

static void crash_free(Crash *crash)
{
    work_clear(&crash->work);
    blk_bench_clear(&crash->bench);
    blk_bench_clear(&crash->base);
    g_free(crash->first);
    g_free(crash);
}

static void crash_until(Crash *crash, unsigned states)
{
    bool good = true;

    crash->bench.drop_syncs = crash->drop;
    while (good && crash->states < states && !(crash->drop && crash->wrong)) {
        crash->bench.syncs = 0;
        good = work_step(&crash->work) == 0;
    }
    g_assert(good);
    if (crash->first) {
        g_test_message("%s", crash->first);
    }
}

static void crash_kind(const WorkKind *kind, const WorkMix *mix)
{
    Crash *crash = crash_new(kind, mix, seed);

    crash->ask_qemu = has_qemu();
    crash_until(crash, (mix->together && times == 1 ? CRASH_STATES / 4 : CRASH_STATES) * times);
    g_test_message("%u states, %u wrong, %u clusters lost", crash->states, crash->wrong,
                   crash->leaks);
    g_assert_cmpuint(crash->wrong, ==, 0);
    crash_free(crash);
}

static void test_crash(gconstpointer data)
{
    crash_kind(data, &work_usual);
}

/* The same with requests that end in any order. */
static void test_crash_together(gconstpointer data)
{
    crash_kind(data, &work_together);
}

/* A sync that is left out is seen, whichever of a flush's it is. */
static void test_missing_barrier(gconstpointer data)
{
    unsigned wrong = 0, states = 0;

    for (unsigned i = 0; i < WORK_KINDS && !wrong; i++) {
        Crash *crash = crash_new(&work_kinds[i], i % 2 ? &work_usual : &work_together, seed);
        crash->drop = GPOINTER_TO_UINT(data);
        crash_until(crash, CRASH_STATES);
        wrong += crash->wrong;
        states += crash->states;
        crash_free(crash);
    }
    g_test_message("%u of %u states wrong", wrong, states);
    g_assert_cmpuint(wrong, >, 0);
}

/* --- errors --- */

/* How a call fails. */
typedef struct Failure {
    int result; /* 0: half of what should be moved is */
    bool for_good, half_done, lost;
} Failure;

static const Failure failures[] = {
    { -EIO, false, false, false }, { -ENOSPC, true, false, false }, { -EIO, true, true, false },
    { 0, false, false, false },    { -ENOSPC, false, true, false },
};

/* What is done, and to which image. */
typedef struct Case {
    const WorkKind *kind;
    const WorkMix *mix;
    unsigned step;  /* one of so many calls fails in turn */
    unsigned again; /* so many calls after the first error comes another; 0: none */
} Case;

/* Let call @at from now on fail; 0: none. */
static void arm(BlkBench *bench, const Failure *how, unsigned at)
{
    bench->calls = 0;
    bench->fail_at = how->lost ? 0 : at;
    bench->lose_at = how->lost ? at : 0;
    bench->fail_from_then = how->for_good;
    bench->half_done = how->half_done;
    bench->result = how->result;
}

/* Do the work with call @at failing.  What is wrong then, newly allocated; *@ret_calls were made
 * that could fail. */
static char *work_with_error(const Case *c, const Failure *how, unsigned at, unsigned *ret_calls)
{
    Crash *crash = crash_new(c->kind, c->mix, seed);
    BlkBench *bench = &crash->bench;
    char *wrong = NULL;
    bool failed_flush = false;
    unsigned again = c->again;

    crash->work.flushed = NULL;
    crash->per_flush = times > 1;
    for (unsigned i = 0; i < ERROR_OPS / 2; i++) {
        g_assert_cmpint(work_step(&crash->work), ==, 0);
    }
    g_assert_cmpint(blk_flush(crash->work.blk), ==, 0);
    model_flushed(&crash->model);
    crash->kept = blk_bench_settle(bench, &crash->base);
    crash->work.flushed = crash_around_flush;
    crash->states = 1; /* QEMU is not asked */
    arm(bench, how, at);
    for (unsigned i = 0; i < ERROR_OPS && !wrong && !failed_flush; i++) {
        int result = work_step(&crash->work);
        *ret_calls = bench->calls;
        if (result) {
            unsigned calls = bench->calls;
            arm(bench, how, 0);
            wrong = model_adopt(&crash->model, crash->work.blk);
            failed_flush = blk_flush(crash->work.blk) != 0;
            if (!failed_flush) {
                crash_around_flush(&crash->work);
                model_flushed(&crash->model);
            }
            /* room comes back now and then */
            arm(bench, how, how->for_good && i % 4 ? 1 : again);
            bench->calls = bench->fail_at ? 0 : calls;
            again = 0;
        }
    }
    arm(bench, how, 0);
    /* what could not be synced never counts as synced again */
    if (failed_flush && !blk_flush(crash->work.blk)) {
        wrong = wrong ? wrong : g_strdup("a flush after one that failed is answered");
    }
    wrong = wrong ? wrong : model_compare(&crash->model, crash->work.blk);
    g_clear_pointer(&crash->work.blk, blk_close);
    one_crash(crash, bench->log->len);
    wrong = wrong ? wrong : g_steal_pointer(&crash->first);
    crash_free(crash);
    return wrong;
}

/* All calls fail in turn, each in @how, or (NULL) each in another way. */
static char *errors_of(const Case *c, const Failure *how, unsigned *runs)
{
    const Failure none = { 0, false, false, false };
    unsigned calls = 0, unused;
    char *wrong = work_with_error(c, &none, 0, &calls);

    for (unsigned at = 1; at <= calls && !wrong; at += c->step) {
        const Failure *this = how ? how : &failures[at % G_N_ELEMENTS(failures)];
        wrong = work_with_error(c, this, at, &unused);
        (*runs)++;
        if (wrong) {
            g_test_message("call %u, error %d%s: %s", at, this->result,
                           this->for_good ? " for good" : "", wrong);
        }
    }
    return wrong;
}

static void errors_of_kind(const WorkKind *kind, const WorkMix *mix)
{
    const Case c = { kind, mix, mix->together && times == 1 ? 5 : 1, 0 };
    unsigned runs = 0;

    for (size_t i = 0; i < (times > 1 ? G_N_ELEMENTS(failures) : 1); i++) {
        g_autofree char *wrong = errors_of(&c, times > 1 ? &failures[i] : NULL, &runs);
        g_assert_cmpstr(wrong, ==, NULL);
    }
    g_test_message("%u runs", runs);
}

static void test_errors(gconstpointer data)
{
    errors_of_kind(data, &work_usual);
}

static void test_errors_together(gconstpointer data)
{
    errors_of_kind(data, &work_together);
}

/* Two errors, the second soon after the first: the undoing and the trying again fail, too. */
static void test_pairs(gconstpointer data)
{
    const Failure none = { 0, false, false, false };
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    unsigned calls = 0, unused;

    for (unsigned i = 0; i < PAIRS * times; i++) {
        Case c = { data, i % 2 ? &work_usual : &work_together, 1, 0 };
        if (!calls) {
            g_autofree char *wrong = work_with_error(&c, &none, 0, &calls);
            g_assert_cmpstr(wrong, ==, NULL);
        }
        c.again = 1 + g_rand_int(random) % 16;
        unsigned at = 1 + g_rand_int(random) % calls;
        Failure how = failures[g_rand_int(random) % G_N_ELEMENTS(failures)];
        how.for_good = false;
        g_autofree char *wrong = work_with_error(&c, &how, at, &unused);
        if (wrong) {
            g_test_message("call %u and %u later, error %d", at, c.again, how.result);
        }
        g_assert_cmpstr(wrong, ==, NULL);
    }
}

/* A write that is only said to have been done is seen. */
static void test_lost_writes(void)
{
    const Failure lost = { 0, false, false, true };
    const Case c = { &work_kinds[1], &work_usual, 1, 0 };
    unsigned runs = 0;
    g_autofree char *wrong = errors_of(&c, &lost, &runs);

    g_assert_nonnull(wrong);
}

/* --- no room --- */

/* One cycle: until the host is full, and on when it has room again. */
static void fill_up(Crash *crash)
{
    BlkBench *bench = &crash->bench;
    Work *work = &crash->work;
    int result = 0;

    bench->limit = blk_bench_file(bench, "disk")->size + 512 * (g_rand_int(work->random) % 40);
    for (unsigned i = 0; i < 200 && result == 0; i++) {
        result = work_step(work);
    }
    if (result) {
        char *wrong = model_adopt(&crash->model, work->blk);
        g_assert_cmpstr(wrong, ==, NULL);
    }
    bench->limit = 0;
    result = blk_flush(work->blk);
    g_assert_cmpint(result, ==, 0);
    crash_around_flush(work);
    model_flushed(&crash->model);
}

static void test_full(gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Crash *crash = crash_new(data, &work_usual, seed);

    for (unsigned i = 0; i < FULL_CYCLES * times; i++) {
        fill_up(crash);
        if (crash->model.snapshot == MODEL_PERHAPS) {
            break; /* whether there is one is only known to who looks */
        }
        blk_close(crash->work.blk);
        crash->work.blk = blk_open(&crash->work.options, &error);
        g_assert_no_error(error);
        char *wrong = model_compare(&crash->model, crash->work.blk);
        g_assert_cmpstr(wrong, ==, NULL);
    }
    g_assert_cmpstr(crash->first, ==, NULL);
    crash_free(crash);
}

/* --- growth --- */

/* How long the file is after many flushes of work on a disk with tables and data of *@ret_live. */
static uint64_t grow(const WorkKind *kind, bool hold, unsigned flushes, uint64_t *ret_live)
{
    const WorkMix mix = { 60, 20, 20, 0, 0, 0, 0 };
    BlkBench bench;
    Work work;
    Model *model = g_new0(Model, 1);
    BlkPass pass;

    blk_bench_init(&bench);
    work_init(&work, kind, &mix, &bench.host, model, seed);
    if (hold) {
        blk_gate_enter(&work.blk->gate, &pass);
    }
    for (unsigned i = 0; i < flushes; i++) {
        g_assert_cmpint(work_step(&work), ==, 0);
        g_assert_cmpint(blk_flush(work.blk), ==, 0);
        model_flushed(model);
    }
    BlkInfo info;
    blk_info(work.blk, &info);
    /* all of the disk, a table for it and the three clusters of a new image, and counts */
    *ret_live = kind->create.size + kind->create.size / 16 + 10 * info.cluster;
    blk_info_clear(&info);
    if (hold) {
        blk_gate_leave(&work.blk->gate, &pass);
    }
    work_clear(&work);
    uint64_t size = blk_bench_file(&bench, "disk")->size;
    blk_bench_clear(&bench);
    g_free(model);
    return size;
}

static void test_growth(void)
{
    static const unsigned kinds[] = { 0, 3, 8, 10 };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        uint64_t live = 0;
        uint64_t size =
            grow(&work_kinds[kinds[i]], false, GROWTH_FLUSHES * times / G_N_ELEMENTS(kinds), &live);
        g_test_message("%s: %" G_GUINT64_FORMAT " bytes for %" G_GUINT64_FORMAT,
                       work_kinds[kinds[i]].name, size, live);
        g_assert_cmpuint(size * 10, <=, live * 11);
    }
}

static void test_growth_is_seen(void)
{
    uint64_t live = 0;

    g_assert_cmpuint(grow(&work_kinds[10], true, 1000, &live) * 10, >, live * 11);
}

static void add_for_kinds(const char *what, GTestDataFunc test)
{
    for (unsigned i = 0; i < WORK_KINDS; i++) {
        g_autofree char *path = g_strdup_printf("/image/%s/%s", what, work_kinds[i].name);
        g_test_add_data_func(path, &work_kinds[i], test);
    }
}

int main(int argc, char **argv)
{
    const char *said = g_getenv("INSULA_SEED"), *more = g_getenv("INSULA_TIMES");

    g_test_init(&argc, &argv, NULL);
    /* files come and go in memory all the time: don't have the kernel clear it each time */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    seed = said ? (guint32)g_ascii_strtoull(said, NULL, 10) : g_random_int();
    times = more ? (unsigned)MAX(atoi(more), 1) : 1;
    printf("# INSULA_SEED=%u\n", seed);
    add_for_kinds("crash", test_crash);
    add_for_kinds("crash-together", test_crash_together);
    add_for_kinds("error", test_errors);
    add_for_kinds("error-together", test_errors_together);
    add_for_kinds("error-pairs", test_pairs);
    add_for_kinds("full", test_full);
    g_test_add_func("/image/growth", test_growth);
    g_test_add_data_func("/image/seen/first-sync", GUINT_TO_POINTER(1), test_missing_barrier);
    g_test_add_data_func("/image/seen/second-sync", GUINT_TO_POINTER(2), test_missing_barrier);
    g_test_add_data_func("/image/seen/third-sync", GUINT_TO_POINTER(4), test_missing_barrier);
    g_test_add_data_func("/image/seen/no-sync", GUINT_TO_POINTER(~0U), test_missing_barrier);
    g_test_add_func("/image/seen/lost-writes", test_lost_writes);
    g_test_add_func("/image/seen/growth", test_growth_is_seen);
    return g_test_run();
}
