/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger does to a vCPU: steps, breakpoints, watchpoints; unseen by the guest.
 */
#include "bench.h"
#include "guests.h"

static void set_debug(Bench *bench, const DebugConfig *config)
{
    GError *error = NULL;

    bench->engine->vcpu_set_debug(bench->vcpu[0], config, &error);
    g_assert_no_error(error);
}

static uint64_t rip_of(Bench *bench)
{
    X86State state;

    bench_get(bench, 0, &state);
    return state.rip;
}

static void steps(const Engine *engine)
{
    const DebugConfig step = { .step = true };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuExit exit;

    BENCH_LOAD(bench, steps); /* four INCs of 3 bytes */
    bench_start(bench, 0, BENCH_LONG, 0);
    set_debug(bench, &step);
    for (uint64_t i = 1; i <= 4; i++) {
        bench_run(bench, 0, &exit);
        g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
        g_assert_cmpint(exit.debug, ==, DEBUG_STEP);
        g_assert_cmphex(rip_of(bench), ==, BENCH_CODE + i * 3);
    }
    set_debug(bench, NULL);
    bench_run_to_stop(bench, 0);
}

static void step_is_unseen(const Engine *engine)
{
    const DebugConfig step = { .step = true };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuExit exit;

    BENCH_LOAD(bench, flags);
    bench_start(bench, 0, BENCH_LONG, 0);
    set_debug(bench, &step);
    for (unsigned i = 0; i < 4; i++) {
        bench_run(bench, 0, &exit);
        g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    }
    X86State state;
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.rflags & X86_RFLAGS_TF, ==, 0);
    /* PUSHF under a hardware step shows TF on KVM: the one thing a guest can see there */
    if (!bench_is_kvm(engine)) {
        g_assert_cmphex(bench_peek(bench, BENCH_DATA), ==, 2);
    }
}

static void breakpoint(const Engine *engine)
{
    const DebugConfig config = {
        .n_points = 1, .points = { { .gva = BENCH_CODE + 6, .size = 1, .execute = true } }
    };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, steps);
    bench_start(bench, 0, BENCH_LONG, 0);
    set_debug(bench, &config);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    g_assert_cmpint(exit.debug, ==, DEBUG_BREAKPOINT);
    g_assert_cmphex(exit.address, ==, BENCH_CODE + 6);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.rip, ==, BENCH_CODE + 6); /* before it */
    g_assert_cmphex(state.gpr[X86_RBX], ==, 2);
    set_debug(bench, NULL);
    bench_run_to_stop(bench, 0);
}

static void watchpoint(const Engine *engine, const DebugPoint *point, uint64_t rip)
{
    DebugConfig config = { .n_points = 1, .points = { *point } };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuExit exit;

    BENCH_LOAD(bench, watched);
    bench_start(bench, 0, BENCH_LONG, 0);
    set_debug(bench, &config);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    g_assert_cmpint(exit.debug, ==, DEBUG_WATCHPOINT);
    g_assert_cmphex(exit.address, ==, point->gva);
    g_assert_cmphex(rip_of(bench), ==, BENCH_CODE + rip); /* behind the access */
    set_debug(bench, NULL);
    bench_run_to_stop(bench, 0);
}

/* The guest: mov eax (5), store (7), nop, load (7), nop, byte store (8). */
static void watch_write(const Engine *engine)
{
    const DebugPoint point = { .gva = BENCH_DATA, .size = 4, .write = true };

    watchpoint(engine, &point, 12);
}

static void watch_read(const Engine *engine)
{
    const DebugPoint point = { .gva = BENCH_DATA + 8, .size = 8, .read = true, .write = true };

    watchpoint(engine, &point, 20);
}

static void watch_byte(const Engine *engine)
{
    const DebugPoint point = { .gva = BENCH_DATA + 16, .size = 1, .write = true };

    watchpoint(engine, &point, 29);
}

/* A neighbour of the watched bytes is not watched. */
static void watch_neighbour(const Engine *engine)
{
    const DebugConfig config = {
        .n_points = 1, .points = { { .gva = BENCH_DATA + 4, .size = 4, .write = true } }
    };
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, watched);
    bench_start(bench, 0, BENCH_LONG, 0);
    set_debug(bench, &config);
    bench_run_to_stop(bench, 0);
}

/* All points, or an error that says how many there are; never some of them in silence. */
static void many_points(const Engine *engine)
{
    DebugConfig config = { .n_points = 10 };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    g_autoptr(GError) error = NULL;
    VcpuExit exit;

    for (unsigned i = 0; i < config.n_points; i++) {
        config.points[i] = (DebugPoint){ .gva = 0x50000 + i * 8, .size = 1, .execute = true };
    }
    config.points[9].gva = BENCH_CODE + 3;
    if (!engine->vcpu_set_debug(bench->vcpu[0], &config, &error)) {
        g_assert_nonnull(error);
        return;
    }
    BENCH_LOAD(bench, steps);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    g_assert_cmphex(rip_of(bench), ==, BENCH_CODE + 3);
}

const BenchCase debug_cases[] = {
    { "debug/steps-one-instruction", steps },
    { "debug/step-is-unseen", step_is_unseen },
    { "debug/breakpoint", breakpoint },
    { "debug/watch-a-write", watch_write },
    { "debug/watch-a-read", watch_read },
    { "debug/watch-a-byte", watch_byte },
    { "debug/neighbours-are-not-watched", watch_neighbour },
    { "debug/many-points-or-an-error", many_points },
    { 0 },
};
