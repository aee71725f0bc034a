/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: messages, the 8259s' line, NMI, the local APIC and its timer, ends of interrupts.
 */
#include "bench.h"
#include "common/bits.h"
#include "guests.h"

enum { HANDLER = 0xa000, MSI_LEVEL = 1 << 15 | 1 << 14 };

#define MSI_TO(id) (UINT64_C(0xfee00000) | (uint64_t)(id) << 12)

/* A vCPU at a guest with the LAPIC on, interrupts open, and a handler for @vector. */
static void prepare(Bench *bench, unsigned vector, bool open, X86State *state)
{
    bench_fill_state(bench, 0, BENCH_LONG, state);
    gm_write(bench->memory, HANDLER, guest_handler, (size_t)(guest_handler_end - guest_handler));
    bench_handler(bench, BENCH_LONG, vector, HANDLER);
    store_le32(state->lapic.regs + X86_LAPIC_SVR, 0x1ff);
    if (open) {
        state->rflags |= X86_RFLAGS_IF;
    }
}

static uint64_t interrupts_taken(Bench *bench)
{
    return bench_peek(bench, BENCH_DATA + 0x120);
}

static void message_to_running(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, spin);
    prepare(bench, 0x45, true, &state);
    bench_set(bench, 0, &state);
    bench_run_for(bench, 0, NS_PER_SECOND / 50, &exit);
    engine->vm_msi(bench->vm, MSI_TO(0), 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
    bench_get(bench, 0, &state);
    /* the handler wrote EOI: nothing is in service, nothing requested */
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(load_le32(state.lapic.regs + X86_LAPIC_ISR + i * 16), ==, 0);
    }
}

typedef struct Later {
    Bench *bench;
    uint64_t address;
    uint32_t data;
} Later;

static void send_later(void *opaque)
{
    const Later *later = opaque;

    later->bench->engine->vm_msi(later->bench->vm, later->address, later->data);
}

static void message_wakes(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    Later later = { bench, MSI_TO(0), 0x46 };
    X86State state;

    BENCH_LOAD(bench, halt);
    prepare(bench, 0x46, true, &state);
    bench_set(bench, 0, &state);
    Timer *timer = timer_new(bench->host, send_later, &later);
    for (unsigned i = 1; i <= 3; i++) {
        bench_clear_log(bench);
        timer_set(timer, clock_now_ns(bench->host) + NS_PER_SECOND / 50);
        bench_run_to_stop(bench, 0);
        g_assert_cmpuint(interrupts_taken(bench), ==, i);
    }
    timer_free(timer);
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA), <=, 2); /* how often it went on behind HLT */
}

static void closed_waits(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 0x45, false, &state);
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, MSI_TO(0), 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 0);
    bench_get(bench, 0, &state);
    g_assert_cmphex(load_le32(state.lapic.regs + 0x200 + 0x20), ==, 1 << 5); /* IRR */
}

/* The higher vector first; the lower only after EOI. */
static void priority(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, halt);
    prepare(bench, 0x41, true, &state);
    bench_handler(bench, BENCH_LONG, 0x81, HANDLER);
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, MSI_TO(0), 0x41);
    engine->vm_msi(bench->vm, MSI_TO(0), 0x81);
    bench_run_to_stop(bench, 0);
    bench_get(bench, 0, &state);
    g_assert_cmphex(load_le32(state.lapic.regs + 0x200 + 0x20), ==, 1 << 1); /* 41h waits */
    bench_clear_log(bench);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 2);
}

/* A task priority above the interrupt's holds it back; CR8 lets it in. */
static void task_priority(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, tpr);
    prepare(bench, 0x45, false, &state);
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, MSI_TO(0), 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA), ==, 1000);
    g_assert_cmpuint(bench_peek(bench, BENCH_DATA + 0x118), >=, 1000);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

/* A message to the wrong id reaches nobody. */
static void wrong_destination(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 0x45, true, &state);
    bench_set(bench, 0, &state);
    engine->vm_msi(bench->vm, MSI_TO(9), 0x45);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 0);
}

/* Only the vCPU that a message is for gets it. */
static void right_destination(const Engine *engine)
{
    const BenchOptions options = { .cpus = 2 };
    g_autoptr(Bench) bench = bench_new(engine, &options);
    X86State state;

    BENCH_LOAD(bench, steps);
    for (unsigned i = 0; i < 2; i++) {
        bench_fill_state(bench, i, BENCH_LONG, &state);
        store_le32(state.lapic.regs + X86_LAPIC_SVR, 0x1ff);
        bench_set(bench, i, &state);
    }
    engine->vm_msi(bench->vm, MSI_TO(1), 0x45);
    for (unsigned i = 0; i < 2; i++) {
        bench_get(bench, i, &state);
        g_assert_cmphex(load_le32(state.lapic.regs + 0x200 + 0x20), ==, i ? 1 << 5 : 0);
    }
    engine->vm_msi(bench->vm, MSI_TO(0xff), 0x46); /* to all */
    for (unsigned i = 0; i < 2; i++) {
        bench_get(bench, i, &state);
        g_assert_cmphex(load_le32(state.lapic.regs + 0x200 + 0x20), ==, (i ? 1 << 5 : 0) | 1 << 6);
    }
}

/* ---- the 8259s' line ---- */

static void extint_running(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, spin);
    prepare(bench, 0x30, true, &state);
    bench_set(bench, 0, &state);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1); /* the 8259 has its own EOI */
    bench->extint_vector = 0x30;
    engine->vm_extint(bench->vm, true);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench->acks, ==, 1);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

static void raise_line(void *opaque)
{
    Bench *bench = opaque;

    g_mutex_lock(&bench->mutex);
    bench->extint_vector = 0x30;
    g_mutex_unlock(&bench->mutex);
    bench->engine->vm_extint(bench->vm, true);
}

static void extint_wakes(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, halt);
    prepare(bench, 0x30, true, &state);
    bench_set(bench, 0, &state);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1);
    Timer *timer = timer_new(bench->host, raise_line, bench);
    for (unsigned i = 1; i <= 3; i++) {
        bench_clear_log(bench);
        timer_set(timer, clock_now_ns(bench->host) + NS_PER_SECOND / 50);
        bench_run_to_stop(bench, 0);
        g_assert_cmpuint(interrupts_taken(bench), ==, i);
        g_assert_cmpuint(bench->acks, ==, i);
    }
    timer_free(timer);
}

/* Raised at a vCPU that was set to be halted: nothing else wakes it. */
static void extint_at_halted_state(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 0x30, true, &state);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1);
    state.activity = X86_HALTED;
    raise_line(bench);
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

static void extint_closed(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 0x30, false, &state);
    bench_set(bench, 0, &state);
    raise_line(bench);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench->acks, ==, 0); /* not even asked */
    /* LINT0 masked: not asked either */
    prepare(bench, 0x30, true, &state);
    store_le32(state.lapic.regs + X86_LAPIC_LVT_LINT0, 0x10700);
    bench_set(bench, 0, &state);
    bench_clear_log(bench);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench->acks, ==, 0);
}

/* The 8259s change their mind: no vector, no interrupt. */
static void extint_spurious(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 0x30, true, &state);
    bench_set(bench, 0, &state);
    engine->vm_extint(bench->vm, true); /* extint_vector is -1 */
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(bench->acks, ==, 1);
    g_assert_cmpuint(interrupts_taken(bench), ==, 0);
}

/* ---- ends ---- */

static void eoi(const Engine *engine, bool level)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, spin);
    prepare(bench, 0x51, true, &state);
    bench_set(bench, 0, &state);
    for (unsigned i = 1; i <= 3; i++) {
        bench_clear_log(bench);
        bench->eoi_vector = -1;
        engine->vm_msi(bench->vm, MSI_TO(0), 0x51 | (level ? MSI_LEVEL : 0));
        bench_run_to_stop(bench, 0);
        g_assert_cmpuint(interrupts_taken(bench), ==, i);
        g_assert_cmpint(bench->eoi_vector, ==, level ? 0x51 : -1);
    }
}

static void eoi_of_level(const Engine *engine)
{
    eoi(engine, true);
}

static void eoi_of_edge(const Engine *engine)
{
    eoi(engine, false);
}

/* More level-triggered messages than there are pins: each end is still heard. */
static void eoi_of_many(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, spin);
    prepare(bench, 0x40, true, &state);
    for (unsigned vector = 0x40; vector < 0x70; vector++) {
        bench_handler(bench, BENCH_LONG, vector, HANDLER);
    }
    bench_set(bench, 0, &state);
    for (unsigned vector = 0x40; vector < 0x70; vector++) {
        bench_clear_log(bench);
        engine->vm_msi(bench->vm, MSI_TO(0), vector | MSI_LEVEL);
        bench_run_to_stop(bench, 0);
        g_assert_cmpint(bench->eoi_vector, ==, vector);
    }
}

/* ---- NMI ---- */

static void send_nmi(void *opaque)
{
    Bench *bench = opaque;

    bench->engine->vcpu_nmi(bench->vcpu[0]);
}

static void nmi_wakes(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, stop64);
    prepare(bench, 2, false, &state);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1);
    state.activity = X86_HALTED;
    bench_set(bench, 0, &state);
    Timer *timer = timer_new(bench->host, send_nmi, bench);
    timer_set(timer, clock_now_ns(bench->host) + NS_PER_SECOND / 50);
    bench_run_to_stop(bench, 0);
    timer_free(timer);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

static void nmi_is_saved(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, steps);
    prepare(bench, 2, false, &state);
    bench_poke(bench, BENCH_DATA + 0x1f8, 1);
    bench_set(bench, 0, &state);
    engine->vcpu_nmi(bench->vcpu[0]);
    bench_get(bench, 0, &state);
    g_assert_true(state.nmi_pending);
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

/* ---- the timer ---- */

static void timer_fires(const Engine *engine, uint32_t lvt, unsigned times)
{
    const uint64_t count = 20000000; /* 20 ms at 1 GHz */
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, lapic_timer);
    prepare(bench, 0x60, false, &state);
    state.gpr[X86_RBX] = lvt | 0x60;
    state.gpr[X86_RCX] = count;
    bench_set(bench, 0, &state);
    uint64_t start_ns = clock_now_ns(bench->clock);
    for (unsigned i = 1; i <= times; i++) {
        bench_clear_log(bench);
        bench_run_to_stop(bench, 0);
        g_assert_cmpuint(clock_now_ns(bench->clock) - start_ns, >=, count * i);
        g_assert_cmpuint(interrupts_taken(bench), ==, i);
    }
}

static void timer_one_shot(const Engine *engine)
{
    timer_fires(engine, 0, 1);
}

static void timer_periodic(const Engine *engine)
{
    timer_fires(engine, 1 << 17, 4);
}

/* A running one-shot is saved as its moment on the machine's clock, and goes on elsewhere. */
static void timer_is_saved(const Engine *engine)
{
    const uint64_t count = 300000000;
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, lapic_timer);
    prepare(bench, 0x60, false, &state);
    state.gpr[X86_RBX] = 0x60;
    state.gpr[X86_RCX] = count;
    bench_set(bench, 0, &state);
    uint64_t start_ns = clock_now_ns(bench->clock);
    bench_run_for(bench, 0, NS_PER_SECOND / 10, &exit);
    uint64_t armed_ns = clock_now_ns(bench->clock);
    bench_get(bench, 0, &state);
    g_assert_cmpuint(state.lapic.timer_deadline_ns, >=, start_ns + count);
    g_assert_cmpuint(state.lapic.timer_deadline_ns, <=, armed_ns + count);
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(clock_now_ns(bench->clock), >=, state.lapic.timer_deadline_ns - 1000000);
    bench_get(bench, 0, &state);
    g_assert_cmpuint(state.lapic.timer_deadline_ns, ==, 0);
}

static void deadline_fires(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, tsc_deadline);
    prepare(bench, 0x61, false, &state);
    state.gpr[X86_RBX] = 2 << 17 | 0x61;
    state.gpr[X86_RCX] = engine->vm_tsc_khz(bench->vm) * 20; /* 20 ms */
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    bench_get(bench, 0, &state);
    g_assert_cmpuint(state.msr.tsc, >=, bench_peek(bench, BENCH_DATA + 0x140));
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

/* A TSC deadline goes through a saved state. */
static void deadline_is_saved(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;
    VcpuExit exit;

    BENCH_LOAD(bench, tsc_deadline);
    prepare(bench, 0x61, false, &state);
    state.gpr[X86_RBX] = 2 << 17 | 0x61;
    state.gpr[X86_RCX] = engine->vm_tsc_khz(bench->vm) * 500; /* 500 ms */
    bench_set(bench, 0, &state);
    bench_run_for(bench, 0, NS_PER_SECOND / 5, &exit);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.msr.tsc_deadline, ==, bench_peek(bench, BENCH_DATA + 0x140));
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
}

/* ---- x2APIC ---- */

static void x2apic(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    BENCH_LOAD(bench, x2apic);
    prepare(bench, 0x45, false, &state);
    gm_write(bench->memory, HANDLER, guest_x2apic_handler,
             (size_t)(guest_x2apic_handler_end - guest_x2apic_handler));
    bench_set(bench, 0, &state);
    bench_run_to_stop(bench, 0);
    g_assert_cmpuint(interrupts_taken(bench), ==, 1);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA), ==, 0);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.msr.apic_base & 0xc00, ==, 0xc00);
    bench_set(bench, 0, &state); /* and this form can be set again */
}

const BenchCase interrupt_cases[] = {
    { "interrupt/message-to-a-running-vcpu", message_to_running },
    { "interrupt/message-wakes-a-halted-vcpu", message_wakes },
    { "interrupt/closed-flag-holds-it-back", closed_waits },
    { "interrupt/higher-vector-first", priority },
    { "interrupt/task-priority-holds-it-back", task_priority },
    { "interrupt/wrong-destination-reaches-nobody", wrong_destination },
    { "interrupt/right-destination-only", right_destination },
    { "interrupt/extint-is-acknowledged-once", extint_running },
    { "interrupt/extint-wakes", extint_wakes },
    { "interrupt/extint-finds-a-vcpu-set-halted", extint_at_halted_state },
    { "interrupt/extint-closed-is-not-asked", extint_closed },
    { "interrupt/extint-spurious", extint_spurious },
    { "interrupt/end-of-level-is-told", eoi_of_level },
    { "interrupt/end-of-edge-is-not", eoi_of_edge },
    { "interrupt/ends-of-more-than-24-are-told", eoi_of_many },
    { "interrupt/nmi-wakes", nmi_wakes },
    { "interrupt/nmi-not-yet-taken-is-saved", nmi_is_saved },
    { "interrupt/timer-one-shot", timer_one_shot },
    { "interrupt/timer-periodic", timer_periodic },
    { "interrupt/running-timer-is-saved", timer_is_saved },
    { "interrupt/tsc-deadline", deadline_fires },
    { "interrupt/tsc-deadline-is-saved", deadline_is_saved },
    { "interrupt/x2apic", x2apic },
    { 0 },
};
