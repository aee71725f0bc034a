/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread rules (decisions.md 18): kicks are never lost, and kick, NMI, messages and the 8259s'
 * line never wait for a vCPU, whatever locks the caller holds.
 */
#include "bench.h"
#include "common/bits.h"
#include "guests.h"

enum { KICKS = 10000, HANDLER = 0xa000 };

/* ---- kicks ---- */

typedef struct Kicker {
    Bench *bench;
    /* atomic */
    unsigned seen; /* kicks that ended a run */
    unsigned failed;
} Kicker;

static void *run_until_all_seen(void *opaque)
{
    Kicker *kicker = opaque;
    VcpuExit exit;

    for (unsigned i = 0; i < KICKS; i++) {
        kicker->bench->engine->vcpu_run(kicker->bench->vcpu[0], &exit);
        if (exit.reason != VCPU_EXIT_KICKED) {
            __atomic_fetch_add(&kicker->failed, 1, __ATOMIC_SEQ_CST);
        }
        __atomic_fetch_add(&kicker->seen, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* One kick, one return, 10,000 times: each kick is sent when the last one has been seen, at a
 * moment that wanders over the whole loop. */
static void kick_race(const Engine *engine, const uint8_t *start, const uint8_t *end)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    Kicker kicker = { bench, 0, 0 };
    uint64_t stuck_ns;
    bool stuck = false;

    bench_load(bench, start, end);
    bench_start(bench, 0, BENCH_LONG, 0);
    GThread *thread = g_thread_new("vcpu", run_until_all_seen, &kicker);
    for (unsigned i = 0; i < KICKS && !stuck; i++) {
        for (volatile unsigned wait = 0; wait < i % 97 * 4; wait++) {
        }
        engine->vcpu_kick(bench->vcpu[0]);
        stuck_ns = clock_now_ns(bench->host) + 5 * NS_PER_SECOND;
        while (__atomic_load_n(&kicker.seen, __ATOMIC_SEQ_CST) <= i && !stuck) {
            stuck = clock_now_ns(bench->host) > stuck_ns;
        }
    }
    if (stuck) {
        g_test_message("kick %u was lost", kicker.seen);
        g_test_fail();
        while (__atomic_load_n(&kicker.seen, __ATOMIC_SEQ_CST) < KICKS) {
            engine->vcpu_kick(bench->vcpu[0]);
        }
    }
    g_thread_join(thread);
    g_assert_cmpuint(kicker.failed, ==, 0);
}

static void no_kick_lost_spinning(const Engine *engine)
{
    kick_race(engine, guest_spin, guest_spin_end);
}

static void no_kick_lost_halted(const Engine *engine)
{
    kick_race(engine, guest_halt, guest_halt_end);
}

static void no_kick_lost_in_mmio(const Engine *engine)
{
    kick_race(engine, guest_mmio_spin, guest_mmio_spin_end);
}

/* A kick before the run ends the run; one run, not two. */
static void kick_before_run(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, stop64);
    bench_start(bench, 0, BENCH_LONG, 0);
    engine->vcpu_kick(bench->vcpu[0]);
    engine->vcpu_kick(bench->vcpu[0]);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_KICKED);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.rip, ==, BENCH_CODE); /* nothing ran */
    bench_run_to_stop(bench, 0);
}

/* Nudges (messages, NMIs) are no kicks: vcpu_run goes on. */
static void message_is_no_kick(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuExit exit;

    BENCH_LOAD(bench, spin);
    bench_start(bench, 0, BENCH_LONG, 0);
    engine->vm_msi(bench->vm, 0xfee00000, 0x45); /* interrupts are closed */
    uint64_t start_ns = clock_now_ns(bench->host);
    bench_run_for(bench, 0, NS_PER_SECOND / 20, &exit);
    g_assert_cmpuint(clock_now_ns(bench->host) - start_ns, >=, NS_PER_SECOND / 20);
}

/* ---- locks ---- */

typedef struct Held {
    Bench *bench;
    GMutex lock; /* the device's */
} Held;

static void *hammer(void *opaque)
{
    Held *held = opaque;
    Bench *bench = held->bench;

    /* with the lock of the device that the vCPU may be waiting for */
    for (unsigned i = 0; i < 1000; i++) {
        g_mutex_lock(&held->lock);
        bench->engine->vcpu_kick(bench->vcpu[0]);
        bench->engine->vm_msi(bench->vm, 0xfee00000, 0x45);
        bench->engine->vm_msi(bench->vm, 0xfee00000, 0x46 | 1 << 15 | 1 << 14);
        bench->engine->vm_extint(bench->vm, i & 1);
        bench->engine->vcpu_nmi(bench->vcpu[0]);
        g_mutex_unlock(&held->lock);
    }
    return NULL;
}

static uint64_t locked_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void locked_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static void never_wait_with_locks(const Engine *engine)
{
    static const IoOps ops = { locked_read, locked_write, 4 };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    Held held = { .bench = bench };
    /* in place of the bench's registers: further up, with the lock */
    const IoRegion region = { "locked", BENCH_MMIO + 0x1000, 0x1000, &ops, &held, &held.lock };
    X86State state;
    VcpuExit exit;

    g_mutex_init(&held.lock);
    gm_add_mmio(bench->memory, &region);
    BENCH_LOAD(bench, mmio_spin);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    state.rip += 5; /* behind MOV EBX */
    state.gpr[X86_RBX] = BENCH_MMIO + 0x1000;
    gm_write(bench->memory, HANDLER, guest_quiet_handler,
             (size_t)(guest_quiet_handler_end - guest_quiet_handler));
    bench_handler(bench, BENCH_LONG, 2, HANDLER);
    bench_set(bench, 0, &state);
    GThread *thread = g_thread_new("hammer", hammer, &held);
    for (unsigned i = 0; i < 200; i++) {
        bench_run(bench, 0, &exit);
        g_assert_cmpint(exit.reason, ==, VCPU_EXIT_KICKED);
        if (i >= 150) {
            engine->vcpu_kick(bench->vcpu[0]); /* the hammer may have finished */
        } else {
            bench_run_for(bench, 0, 100000, &exit);
            engine->vcpu_kick(bench->vcpu[0]);
        }
    }
    g_thread_join(thread);
    g_mutex_clear(&held.lock);
}

/* ---- floods ---- */

typedef struct Flood {
    Bench *bench;
    uint32_t vector;
} Flood;

static void *flood(void *opaque)
{
    const Flood *flood = opaque;

    for (unsigned i = 0; i < 2000; i++) {
        flood->bench->engine->vm_msi(flood->bench->vm, 0xfee00000, flood->vector);
    }
    return NULL;
}

/* Messages from two threads at a vCPU that halts in between: the last of each is never lost. */
static void message_flood(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    const Flood floods[2] = { { bench, 0x50 }, { bench, 0x51 } };
    GThread *threads[2];
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, halt);
    bench_fill_state(bench, 0, BENCH_LONG, &state);
    store_le32(state.lapic.regs + X86_LAPIC_SVR, 0x1ff);
    gm_write(bench->memory, HANDLER, guest_quiet_handler,
             (size_t)(guest_quiet_handler_end - guest_quiet_handler));
    bench_handler(bench, BENCH_LONG, 0x50, HANDLER);
    bench_handler(bench, BENCH_LONG, 0x51, HANDLER);
    bench_set(bench, 0, &state);
    for (unsigned i = 0; i < 2; i++) {
        threads[i] = g_thread_new("flood", flood, (void *)&floods[i]);
    }
    for (unsigned i = 0; i < 20; i++) {
        bench_run_for(bench, 0, NS_PER_SECOND / 100, &exit);
    }
    for (unsigned i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
    }
    uint64_t before = bench_peek(bench, BENCH_DATA + 0x120);
    g_assert_cmpuint(before, >=, 1);
    bench_run_for(bench, 0, NS_PER_SECOND / 10, &exit);
    bench_get(bench, 0, &state);
    g_assert_cmphex(load_le32(state.lapic.regs + 0x200 + 0x20), ==, 0); /* all taken */
    g_assert_cmpint(state.activity, ==, X86_HALTED);
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA + 0x120), <=, 4000);
}

const BenchCase thread_cases[] = {
    { "threads/no-kick-is-lost-at-a-spinning-vcpu", no_kick_lost_spinning },
    { "threads/no-kick-is-lost-at-a-halted-vcpu", no_kick_lost_halted },
    { "threads/no-kick-is-lost-at-a-device", no_kick_lost_in_mmio },
    { "threads/kick-before-run-ends-it", kick_before_run },
    { "threads/message-is-no-kick", message_is_no_kick },
    { "threads/nothing-waits-for-a-vcpu", never_wait_with_locks },
    { "threads/message-flood", message_flood },
    { 0 },
};
