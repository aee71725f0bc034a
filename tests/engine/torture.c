/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Torture: guests that change code and page tables under each other's feet, again and again, on
 * each kind of engine and with each of its tunings, until the time is over.
 *
 *   engine-torture [--seconds N] [--seed N] [--only WORD]
 *
 * A job is a case on a tuning.  Which tuning a case begins with depends on the seed; seven passes
 * run all of them.  What a job finds wrong is said with the seed that shows it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "torture/guest.h"
#include "torture_image.h"

enum {
    STILL_SECONDS = 60,   /* a run that comes no further for so long has hung */
    INTERRUPTED_RUNS = 4, /* of one program, in a case */
};

/* How the engine is tuned. */
static const struct {
    const char *name, *engine;
    EngineTuning tuning;
} tunings[] = {
    { "plain", "translator", { 0 } },
    { "checked", "translator", { .check = true } },
    { "small-cache", "translator", { .code_limit = 1 << 20 } },
    { "small-cache-checked", "translator", { .code_limit = 1 << 20, .check = true } },
    { "short-blocks", "translator", { .block_insns = 1 } },
    { "odd-blocks", "translator", { .block_insns = 3, .check = true } },
    { "interpreter", "interpreter", { 0 } },
};

typedef struct Job Job;
typedef struct Case {
    const char *name;
    void (*run)(Job *job, const struct Case *c);
    Op op;
    unsigned cpus;
    uint64_t rounds;
} Case;

struct Job {
    const Case *c;
    unsigned tuning;
    uint64_t seed; /* of this run */
    unsigned runs;
    bool failed;
    uint64_t flushes, interrupts; /* in all runs: shows that something happened */
};

/* ---- a run ---- */

typedef struct Run {
    Bench *bench;
    unsigned cpus;
    GMutex mutex;
    GCond changed;
    /* lock: mutex */
    unsigned ended;
    char *report; /* of the first that went wrong */
} Run;

typedef struct RunCpu {
    Run *run;
    unsigned index;
} RunCpu;

static void shared_read(Bench *bench, Shared *ret)
{
    g_assert_true(gm_read(bench->memory, SHARED, ret, sizeof(*ret)));
}

G_GNUC_PRINTF(2, 3)
static void complain(Job *job, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autofree char *joined = g_strjoinv("\n#   ", lines);
    printf("# %s/%s: --seed %" PRIu64 ": %s\n", tunings[job->tuning].name, job->c->name, job->seed,
           joined);
    fflush(stdout);
    job->failed = true;
}

static Bench *start(const Job *job, Op op, uint64_t rounds)
{
    const Engine *engine = engine_choose(tunings[job->tuning].engine, NULL, NULL);
    const BenchOptions options = { .cpus = job->c->cpus, .tuning = tunings[job->tuning].tuning };
    Bench *bench = bench_new(engine, &options);
    const Shared shared = { .op = op, .cpus = job->c->cpus, .seed = job->seed, .rounds = rounds };

    g_assert_true(gm_write(bench->memory, IMAGE, torture_image, sizeof(torture_image)));
    g_assert_true(gm_write(bench->memory, SHARED, &shared, sizeof(shared)));
    for (unsigned i = 0; i < options.cpus; i++) {
        X86State state;
        bench_fill_state(bench, i, BENCH_LONG, &state);
        state.rip = IMAGE;
        state.gpr[X86_RSP] = STACKS - i * 0x10000;
        state.gpr[X86_RDI] = i;
        bench_set(bench, i, &state);
    }
    return bench;
}

/* What was wrong at the end; NULL: nothing.  Newly allocated. */
static char *verdict(Bench *bench, const VcpuExit *exit, unsigned index)
{
    if (exit->reason == VCPU_EXIT_DIFFERENCE) {
        return g_strdup(exit->report);
    }
    if (exit->reason != VCPU_EXIT_KICKED) {
        return g_strdup_printf("vCPU %u left with %d %s", index, exit->reason, exit->message);
    }
    return NULL;
}

static char *guest_verdict(Bench *bench)
{
    Shared s;

    shared_read(bench, &s);
    return s.failed ? g_strdup_printf("guest: line %u, vCPU %u, round %" PRIu64
                                      ": expected %" PRIx64 ", found %" PRIx64,
                                      s.line, s.vcpu, s.round, s.expected, s.found)
                    : NULL;
}

static gpointer cpu_main(gpointer data)
{
    RunCpu *cpu = data;
    Run *run = cpu->run;
    VcpuExit exit;

    run->bench->engine->vcpu_run(run->bench->vcpu[cpu->index], &exit);
    char *wrong = verdict(run->bench, &exit, cpu->index);
    g_mutex_lock(&run->mutex);
    run->ended++;
    if (wrong && !run->report) {
        run->report = g_steal_pointer(&wrong);
        run->ended = run->cpus; /* the others may wait for this one: it is over */
    }
    g_cond_broadcast(&run->changed);
    g_mutex_unlock(&run->mutex);
    g_free(wrong);
    return NULL;
}

static void describe_hang(Run *run)
{
    g_autoptr(GString) text = g_string_new("hangs:");
    Shared s;

    shared_read(run->bench, &s);
    for (unsigned i = 0; i < run->cpus; i++) {
        X86State state;
        bench_get(run->bench, i, &state);
        g_string_append_printf(text, " vCPU %u at %" PRIx64 ",", i, state.rip);
    }
    g_string_append_printf(text, " round %" PRIu64 " phase %u arrived %u acknowledged %u", s.round,
                           s.phase, s.arrived, s.acknowledged);
    run->report = g_string_free(g_steal_pointer(&text), FALSE);
}

/* Another number if the guest has come any further, by more than interrupts. */
static uint64_t progress(Bench *bench)
{
    Shared s;

    shared_read(bench, &s);
    return 1 + s.round * 1000 + s.phase + s.begun + s.done + s.arrived + s.acknowledged;
}

/* All vCPUs until they have ended. */
static void run_all(Job *job, Bench *bench)
{
    Run run = { .bench = bench, .cpus = job->c->cpus };
    RunCpu cpus[MAX_CPUS];
    GThread *threads[MAX_CPUS];
    int64_t until_us = g_get_monotonic_time() + STILL_SECONDS * G_TIME_SPAN_SECOND;
    uint64_t last = 0;
    bool in_time = true;

    g_mutex_init(&run.mutex);
    g_cond_init(&run.changed);
    for (unsigned i = 0; i < run.cpus; i++) {
        cpus[i] = (RunCpu){ &run, i };
        threads[i] = g_thread_new("vcpu", cpu_main, &cpus[i]);
    }
    g_mutex_lock(&run.mutex);
    while (run.ended < run.cpus && in_time) {
        if (!g_cond_wait_until(&run.changed, &run.mutex, until_us)) {
            uint64_t now = progress(bench); /* on a busy host it may take long */
            in_time = now != last;
            last = now;
            until_us += STILL_SECONDS * G_TIME_SPAN_SECOND;
        }
    }
    bool over_early = run.report || !in_time;
    g_mutex_unlock(&run.mutex);
    for (unsigned i = 0; i < run.cpus; i++) {
        if (over_early) {
            bench->engine->vcpu_kick(bench->vcpu[i]);
        }
        g_thread_join(threads[i]);
    }
    if (!in_time) {
        describe_hang(&run);
    }
    g_autofree char *guest = guest_verdict(bench);
    if (run.report || guest) {
        complain(job, "%s", run.report ? run.report : guest);
    }
    g_free(run.report);
    g_mutex_clear(&run.mutex);
    g_cond_clear(&run.changed);
}

static void count(Job *job, Bench *bench)
{
    VcpuStats stats;
    Shared s;

    bench->engine->vcpu_stats(bench->vcpu[0], &stats);
    shared_read(bench, &s);
    job->flushes += stats.flushes;
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        job->interrupts += s.ticks[i] + s.nmis[i] + s.traps[i] + s.faults[i];
    }
}

/* ---- cases that check themselves ---- */

static void run_case(Job *job, const Case *c)
{
    g_autoptr(Bench) bench = start(job, c->op, c->rounds);

    run_all(job, bench);
    count(job, bench);
}

/* ---- one program, undisturbed and disturbed ---- */

static uint64_t result_of(Bench *bench)
{
    Shared s;

    shared_read(bench, &s);
    return s.value[0];
}

static bool has_ended(Bench *bench)
{
    bool ended = false;

    g_mutex_lock(&bench->mutex);
    for (unsigned i = 0; i < bench->n_log; i++) {
        ended |= bench->log[i].address == STOP_PORT;
    }
    g_mutex_unlock(&bench->mutex);
    return ended;
}

/* The result of the program when nothing disturbs it. */
static uint64_t undisturbed(Job *job, const Case *c)
{
    g_autoptr(Bench) bench = start(job, c->op, c->rounds);

    run_all(job, bench);
    return result_of(bench);
}

static void compare_result(Job *job, Bench *bench, uint64_t expected)
{
    if (!job->failed && result_of(bench) != expected) {
        complain(job, "undisturbed the result is %" PRIx64 ", now %" PRIx64, expected,
                 result_of(bench));
    }
    count(job, bench);
}

/* Go on with vCPU 0 until it comes back; false: something is wrong. */
static bool go(Job *job, Bench *bench, bool step)
{
    const DebugConfig debug = { .step = step };
    VcpuExit exit = { 0 };

    bench->engine->vcpu_set_debug(bench->vcpu[0], step ? &debug : NULL, NULL);
    bench->engine->vcpu_run(bench->vcpu[0], &exit);
    if (step && exit.reason == VCPU_EXIT_DEBUG) {
        return true;
    }
    g_autofree char *wrong = verdict(bench, &exit, 0);
    if (wrong) {
        complain(job, "%s", wrong);
    }
    return !wrong;
}

/* The guest has its handlers in place. */
static bool is_ready(Bench *bench)
{
    Shared s;

    shared_read(bench, &s);
    return s.ready;
}

static void interrupt(Bench *bench, GRand *rand)
{
    if (!is_ready(bench)) {
        return;
    }
    if (g_rand_int_range(rand, 0, 4) == 0) {
        bench->engine->vcpu_nmi(bench->vcpu[0]);
    } else {
        bench->engine->vm_msi(bench->vm, 0xfee00000, TICK);
    }
}

/* An interrupt behind the n-th instruction, for random n; then on at full speed. */
static void run_with_interrupt_at(Job *job, const Case *c)
{
    uint64_t expected = undisturbed(job, c);
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)job->seed);

    for (unsigned i = 0; i < INTERRUPTED_RUNS && !job->failed; i++) {
        g_autoptr(Bench) bench = start(job, c->op, c->rounds);
        unsigned n = (unsigned)g_rand_int_range(rand, 0, 20000);
        bool good = true;
        while (good && !is_ready(bench)) {
            good = go(job, bench, true);
        }
        for (unsigned step = 0; step < n && good && !has_ended(bench); step++) {
            good = go(job, bench, true);
        }
        interrupt(bench, rand);
        while (good && !has_ended(bench)) {
            good = go(job, bench, false);
        }
        compare_result(job, bench, expected);
    }
}

/* A step or some, an interrupt, and so on to the end: each boundary gets its interrupt. */
static void run_with_interrupts_all_over(Job *job, const Case *c)
{
    uint64_t expected = undisturbed(job, c);
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)job->seed);
    g_autoptr(Bench) bench = start(job, c->op, c->rounds);
    bool good = true;

    for (unsigned i = 0; good && !has_ended(bench); i++) {
        unsigned n = (unsigned)g_rand_int_range(rand, 1, 60);
        for (unsigned step = 0; step < n && good && !has_ended(bench); step++) {
            good = go(job, bench, true);
        }
        interrupt(bench, rand);
    }
    compare_result(job, bench, expected);
}

/* Every instruction alone. */
static void run_stepped(Job *job, const Case *c)
{
    uint64_t expected = undisturbed(job, c);
    g_autoptr(Bench) bench = start(job, c->op, c->rounds);
    bool good = true;

    while (good && !has_ended(bench)) {
        good = go(job, bench, true);
        job->interrupts++;
    }
    compare_result(job, bench, expected);
}

/* The guest steps itself. */
static void run_trapped(Job *job, const Case *c)
{
    uint64_t expected = undisturbed(job, c);
    g_autoptr(Bench) bench = start(job, OP_STEPPED, c->rounds);

    run_all(job, bench);
    compare_result(job, bench, expected);
}

typedef struct Bomber {
    Bench *bench;
    uint64_t seed;
    bool stop; /* atomic */
} Bomber;

static gpointer bomb(gpointer data)
{
    Bomber *bomber = data;
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)bomber->seed);

    while (!__atomic_load_n(&bomber->stop, __ATOMIC_SEQ_CST)) {
        interrupt(bomber->bench, rand);
        g_usleep((gulong)g_rand_int_range(rand, 1, 60));
    }
    return NULL;
}

/* Interrupts from another thread, at any time, at full speed. */
static void run_bombed(Job *job, const Case *c)
{
    uint64_t expected = undisturbed(job, c);
    g_autoptr(Bench) bench = start(job, c->op, c->rounds);
    Bomber bomber = { .bench = bench, .seed = job->seed };

    GThread *thread = g_thread_new("bomber", bomb, &bomber);
    run_all(job, bench);
    __atomic_store_n(&bomber.stop, true, __ATOMIC_SEQ_CST);
    g_thread_join(thread);
    compare_result(job, bench, expected);
}

/* ---- all of it ---- */

static const Case cases[] = {
    { "own-code-1", run_case, OP_MODIFY, 1, 3000 },
    { "own-code-2", run_case, OP_MODIFY, 2, 2000 },
    { "own-code-4", run_case, OP_MODIFY, 4, 1000 },
    { "each-others-code-2", run_case, OP_CROSS, 2, 300 },
    { "each-others-code-4", run_case, OP_CROSS, 4, 100 },
    { "code-that-runs-2", run_case, OP_POKE, 2, 100 },
    { "code-that-runs-4", run_case, OP_POKE, 4, 40 },
    { "page-tables-1", run_case, OP_PAGES, 1, 3000 },
    { "page-tables-2", run_case, OP_PAGES, 2, 400 },
    { "page-tables-4", run_case, OP_PAGES, 4, 100 },
    { "atomics-2", run_case, OP_ATOMICS, 2, 1500 },
    { "atomics-4", run_case, OP_ATOMICS, 4, 500 },
    { "much-code-1", run_case, OP_CODE, 1, 20000 },
    { "much-code-2", run_case, OP_CODE, 2, 10000 },
    { "much-code-4", run_case, OP_CODE, 4, 5000 },
    { "interrupt-at", run_with_interrupt_at, OP_WORK, 1, 2 },
    { "interrupts-all-over", run_with_interrupts_all_over, OP_WORK, 1, 2 },
    { "interrupts-any-time", run_bombed, OP_WORK, 1, 400 },
    { "stepped", run_stepped, OP_WORK, 1, 2 },
    { "trapped", run_trapped, OP_WORK, 1, 3 },
};

typedef struct Options {
    int64_t seconds, seed;
    char *only;
} Options;

static bool wanted(const Options *options, const Job *job)
{
    g_autofree char *name = g_strdup_printf("%s/%s", tunings[job->tuning].name, job->c->name);

    return !options->only || strstr(name, options->only);
}

/* Pass after pass while there is time, the first in any case: each case once, on a tuning that
 * changes from pass to pass, so that as many passes as there are tunings run all jobs. */
static void run_jobs(const Options *options, Job jobs[][G_N_ELEMENTS(tunings)])
{
    int64_t until_us = g_get_monotonic_time() + options->seconds * G_TIME_SPAN_SECOND;
    bool time_left = true;

    for (uint64_t pass = 0; pass == 0 || time_left; pass++) {
        for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
            uint64_t seed = (uint64_t)options->seed + pass;
            Job *job = &jobs[c][(seed + c) % G_N_ELEMENTS(tunings)];
            time_left = g_get_monotonic_time() < until_us;
            if (wanted(options, job) && !job->failed && (pass == 0 || time_left)) {
                job->seed = seed;
                job->c->run(job, job->c);
                job->runs++;
            }
        }
    }
}

/* The number of jobs that failed. */
static unsigned report(Job jobs[][G_N_ELEMENTS(tunings)])
{
    unsigned number = 0, failed = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(tunings); i++) {
        const Job *job = &jobs[0][i];
        if (job->runs) {
            failed += job->failed;
            printf("%sok %u - %s/%s: %u runs, %" PRIu64 " flushes, %" PRIu64 " interruptions\n",
                   job->failed ? "not " : "", ++number, tunings[job->tuning].name, job->c->name,
                   job->runs, job->flushes, job->interrupts);
        }
    }
    printf("1..%u\n", number);
    return failed;
}

int main(int argc, char **argv)
{
    Options options = { .seconds = 0, .seed = time(NULL) };
    const GOptionEntry entries[] = {
        { "seconds", 0, 0, G_OPTION_ARG_INT64, &options.seconds, "how long", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed, "of the random numbers", "N" },
        { "only", 0, 0, G_OPTION_ARG_STRING, &options.only, "jobs with this in their name",
          "WORD" },
        { NULL }
    };
    GOptionContext *context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    Job jobs[G_N_ELEMENTS(cases)][G_N_ELEMENTS(tunings)] = { 0 };

    g_option_context_add_main_entries(context, entries, NULL);
    bool parsed = g_option_context_parse(context, &argc, &argv, &error);
    g_option_context_free(context);
    if (!parsed) {
        fprintf(stderr, "torture: %s\n", error->message);
        return 2;
    }
    printf("# seed %" PRId64 "\n", options.seed);
    for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
        for (unsigned t = 0; t < G_N_ELEMENTS(tunings); t++) {
            jobs[c][t] = (Job){ .c = &cases[c], .tuning = t };
        }
    }
    run_jobs(&options, jobs);
    g_free(options.only);
    return report(jobs) ? 1 : 0;
}
