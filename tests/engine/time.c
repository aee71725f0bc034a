/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time model (decisions.md 17): a guest's TSC has one frequency, agrees with the machine's
 * clock, stands still with it, and never runs backwards, not between vCPUs either.
 */
#include "bench.h"
#include "guests.h"

static uint64_t read_tsc(Bench *bench)
{
    bench_run_to_stop(bench, 0);
    return bench_peek(bench, BENCH_DATA);
}

static void frequency(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    uint64_t khz = engine->vm_tsc_khz(bench->vm);

    g_assert_cmpuint(khz, >=, 100000);
    g_assert_cmpuint(khz, <=, 10000000);
    g_assert_cmpuint(engine->vm_tsc_khz(bench->vm), ==, khz);
}

/* Over a stretch of the machine's clock the TSC advances by that many ticks, give or take the
 * time that the readings take. */
static void agrees_with_clock(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    uint64_t khz = engine->vm_tsc_khz(bench->vm);
    VcpuExit exit;

    BENCH_LOAD(bench, tsc_once);
    bench_start(bench, 0, BENCH_LONG, 0);
    uint64_t before_ns = clock_now_ns(bench->clock);
    uint64_t first = read_tsc(bench);
    BENCH_LOAD(bench, spin);
    bench_start(bench, 0, BENCH_LONG, 0); /* sets the TSC to what it was when that was asked for */
    uint64_t begun_ns = clock_now_ns(bench->clock);
    bench_run_for(bench, 0, NS_PER_SECOND / 5, &exit);
    uint64_t ending_ns = clock_now_ns(bench->clock);
    BENCH_LOAD(bench, tsc_once);
    bench_start(bench, 0, BENCH_LONG, 0);
    uint64_t last = read_tsc(bench);
    uint64_t after_ns = clock_now_ns(bench->clock);
    double ns = (double)(last - first) * 1e6 / (double)khz;
    g_assert_cmpfloat(ns, >=, (double)(ending_ns - begun_ns) * 0.99);
    g_assert_cmpfloat(ns, <=, (double)(after_ns - before_ns) * 1.01);
}

/* With a clock driven by hand RDTSC says exactly what that clock says. */
static void follows_manual_clock(const Engine *engine)
{
    const BenchOptions options = { .manual_clock = true, .tsc_khz = 2000000 };

    if (bench_is_kvm(engine)) {
        g_test_skip("the host's CPU doesn't know a clock driven by hand");
        return;
    }
    g_autoptr(Bench) bench = bench_new(engine, &options);
    g_assert_cmpuint(engine->vm_tsc_khz(bench->vm), ==, 2000000);
    BENCH_LOAD(bench, tsc_once);
    bench_start(bench, 0, BENCH_LONG, 0);
    uint64_t first = read_tsc(bench);
    g_assert_cmpuint(read_tsc(bench), ==, first);
    clock_advance(bench->clock, 1500);
    g_assert_cmpuint(read_tsc(bench), ==, first + 3000);
    clock_advance(bench->clock, 3600 * NS_PER_SECOND);
    g_assert_cmpuint(read_tsc(bench), ==, first + 3000 + UINT64_C(7200000000000));
}

/* While the clock is paused the TSC stands still; afterwards it goes on, never backwards. */
static void stands_still(const Engine *engine)
{
    const uint64_t pause_ns = NS_PER_SECOND / 2;
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    uint64_t khz = engine->vm_tsc_khz(bench->vm);
    X86State state;

    BENCH_LOAD(bench, tsc_once);
    bench_start(bench, 0, BENCH_LONG, 0);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t before = read_tsc(bench);
        uint64_t begun_ns = clock_now_ns(bench->clock);
        clock_pause(bench->clock);
        bench_get(bench, 0, &state);
        uint64_t paused = state.msr.tsc;
        uint64_t until_ns = clock_now_ns(bench->host) + pause_ns;
        while (clock_now_ns(bench->host) < until_ns) {
            g_thread_yield();
        }
        bench_get(bench, 0, &state);
        g_assert_cmpuint(state.msr.tsc - paused, <, khz * 10); /* 10 ms of 500 */
        clock_resume(bench->clock);
        uint64_t after = read_tsc(bench);
        double ran_ns = (double)(clock_now_ns(bench->clock) - begun_ns);
        g_assert_cmpuint(after, >, before);
        g_assert_cmpuint(after, >=, paused);
        /* the readings around it are machine time too */
        g_assert_cmpfloat((double)(after - before) * 1e6 / (double)khz, <, ran_ns * 1.01 + 5e7);
    }
}

/* A state from long ago and elsewhere: the TSC goes on from there. */
static void goes_on_after_restore(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, tsc_once);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_get(bench, 0, &state);
    state.msr.tsc += UINT64_C(1) << 50;
    uint64_t saved = state.msr.tsc;
    bench_set(bench, 0, &state);
    uint64_t tsc = read_tsc(bench);
    g_assert_cmpuint(tsc, >=, saved);
    g_assert_cmpuint(tsc, <, saved + engine->vm_tsc_khz(bench->vm) * 5000);
}

typedef struct Runner {
    Bench *bench;
    unsigned index;
} Runner;

static void *run_vcpu(void *opaque)
{
    const Runner *runner = opaque;

    bench_run_to_stop(runner->bench, runner->index);
    return NULL;
}

/* Two vCPUs hand each other the turn and compare what they read. */
static void take_turns(Bench *bench, uint64_t adjust_tsc)
{
    const Runner runners[2] = { { bench, 0 }, { bench, 1 } };
    GThread *threads[2];
    X86State state;

    BENCH_LOAD(bench, tsc_turns);
    bench_poke(bench, BENCH_DATA, 0);
    bench_poke(bench, BENCH_DATA + 0x80, 0);
    bench_clear_log(bench);
    for (unsigned i = 0; i < 2; i++) {
        bench_fill_state(bench, i, BENCH_LONG, &state);
        state.gpr[X86_RDI] = i;
        state.gpr[X86_RCX] = 100;
        state.gpr[X86_RSP] -= i * 0x1000;
        state.msr.tsc += adjust_tsc;
        bench_set(bench, i, &state);
    }
    for (unsigned i = 0; i < 2; i++) {
        threads[i] = g_thread_new("vcpu", run_vcpu, (void *)&runners[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA + 8), ==, 0);
}

static void same_on_all_vcpus(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);

    take_turns(bench, 0);
    clock_pause(bench->clock);
    uint64_t until_ns = clock_now_ns(bench->host) + NS_PER_SECOND / 20;
    while (clock_now_ns(bench->host) < until_ns) {
        g_thread_yield();
    }
    clock_resume(bench->clock);
    take_turns(bench, 0);
    take_turns(bench, UINT64_C(1) << 45); /* as after a restore */
}

/* The TSC read by the guest again and again, kicked in between: never smaller. */
static void never_backwards(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, tsc_spin);
    bench_start(bench, 0, BENCH_LONG, 0);
    for (unsigned i = 0; i < 50; i++) {
        bench_run_for(bench, 0, 500000, &exit);
        if (i % 3 == 1) {
            clock_pause(bench->clock);
        }
        if (i % 5 == 2) {
            bench_get(bench, 0, &state);
            bench_set(bench, 0, &state);
        }
        clock_resume(bench->clock);
    }
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA), >, 0);
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA + 8), ==, 0);
}

const BenchCase time_cases[] = {
    { "time/one-frequency", frequency },
    { "time/tsc-agrees-with-the-clock", agrees_with_clock },
    { "time/tsc-follows-a-manual-clock", follows_manual_clock },
    { "time/tsc-stands-still-while-paused", stands_still },
    { "time/tsc-goes-on-after-restore", goes_on_after_restore },
    { "time/tsc-is-the-same-on-all-vcpus", same_on_all_vcpus },
    { "time/tsc-never-backwards", never_backwards },
    { 0 },
};
