/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger does to a vCPU: steps, breakpoints, watchpoints; unseen by the guest.
 */
#include "bench.h"
#include "common/bits.h"
#include "guests.h"

/* An interrupt's handler, its vector, and where it counts. */
enum { HANDLER = 0xa000, VECTOR = 0x45, TAKEN = BENCH_DATA + 0x120 };

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

/* Points, the guest's RIP behind the access, RCX there, and which point is told. */
static const struct {
    const char *name;
    DebugPoint points[2];
    unsigned rip, rcx, told;
} accesses[] = {
    { "REP, the middle", { { BENCH_DATA + 0x107, 1, .write = true } }, 11, 24 },
    { "REP, the last", { { BENCH_DATA + 0x11f, 1, .write = true } }, 13, 0 },
    { "many bytes", { { BENCH_DATA + 0x110, 0x1000, .write = true } }, 11, 15 },
    { "misaligned", { { BENCH_DATA + 0x200, 2, .write = true } }, 24, 0 },
    { "misaligned, last byte", { { BENCH_DATA + 0x201, 1, .write = true } }, 24, 0 },
    { "part of a vector", { { BENCH_DATA + 0x210, 4, .write = true } }, 31, 0 },
    { "beyond a page", { { BENCH_DATA + 0x1000, 2, .write = true } }, 37, 0 },
    { "atomic", { { BENCH_DATA + 0x300, 4, .write = true } }, 45, 0 },
    { "PUSH", { { BENCH_STACK - 8, 8, .write = true } }, 46, 0 },
    { "CALL", { { BENCH_STACK - 16, 8, .write = true } }, 51, 0 },
    { "from", { { BENCH_DATA + 0x400, 8, .read = true } }, 63, 0 },
    { "to", { { BENCH_DATA + 0x408, 8, .write = true } }, 63, 0 },
    { "both: rather the write",
      { { BENCH_DATA + 0x400, 8, .read = true }, { BENCH_DATA + 0x408, 8, .write = true } },
      63,
      0,
      1 },
    { "two on one place",
      { { BENCH_DATA + 0x408, 8, .read = true }, { BENCH_DATA + 0x408, 4, .write = true } },
      63,
      0,
      1 },
};

/* False: this engine refuses such points, and says so. */
static bool hit_access(const Engine *engine, unsigned n)
{
    DebugConfig config = { .points = { accesses[n].points[0], accesses[n].points[1] } };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    config.n_points = config.points[1].size ? 2 : 1;
    if (!engine->vcpu_set_debug(bench->vcpu[0], &config, NULL)) {
        return false;
    }
    BENCH_LOAD(bench, accesses);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    state.cr4 |= X86_CR4_OSFXSR;
    bench_set(bench, 0, &state);
    bench_run(bench, 0, &exit);
    g_test_message("%s", accesses[n].name);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    g_assert_cmpint(exit.debug, ==, DEBUG_WATCHPOINT);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.rip, ==, BENCH_CODE + accesses[n].rip);
    g_assert_cmpuint(state.gpr[X86_RCX], ==, accesses[n].rcx);
    g_assert_cmpuint(exit.point, ==, accesses[n].told);
    g_assert_cmphex(exit.address, ==, accesses[n].points[exit.point].gva);
    set_debug(bench, NULL);
    bench_run_to_stop(bench, 0);
    return true;
}

/* KVM has the CPU's own debug registers, which know no reads alone. */
static void watch_accesses(const Engine *engine)
{
    for (unsigned n = 0; n < G_N_ELEMENTS(accesses); n++) {
        bool reads_alone = accesses[n].points[0].read && accesses[n].points[1].size;
        if (!bench_is_kvm(engine) || !reads_alone) {
            g_assert_true(hit_access(engine, n) || bench_is_kvm(engine));
        }
    }
}

/* An interrupt that waits comes behind the debugger's stop, not before it. */
static void watch_before_interrupt(const Engine *engine)
{
    const DebugConfig config = {
        .n_points = 1, .points = { { .gva = BENCH_DATA + 0x500, .size = 4, .write = true } }
    };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, accesses);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    gm_write(bench->memory, HANDLER, guest_handler, (size_t)(guest_handler_end - guest_handler));
    bench_handler(bench, BENCH_LONG, VECTOR, HANDLER);
    store_le32(state.lapic.regs + X86_LAPIC_SVR, 0x1ff);
    state.cr4 |= X86_CR4_OSFXSR;
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, 0xfee00000, VECTOR);
    set_debug(bench, &config);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_DEBUG);
    g_assert_cmphex(rip_of(bench), ==, BENCH_CODE + 70);
    g_assert_cmpuint(bench_peek(bench, TAKEN), ==, 0);
    set_debug(bench, NULL);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench_peek(bench, TAKEN), ==, 1);
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
    { "debug/watch-all-kinds-of-accesses", watch_accesses },
    { "debug/a-watchpoint-before-an-interrupt", watch_before_interrupt },
    { "debug/many-points-or-an-error", many_points },
    { 0 },
};
