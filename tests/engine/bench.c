/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bench, see bench.h.
 */
#include "bench.h"

#include <string.h>

#include "common/bits.h"

enum { WATCHDOG_SECONDS = 20 };

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_LARGE = 0x80 };

static void record(Bench *bench, BenchAccess access)
{
    g_mutex_lock(&bench->mutex);
    if (bench->n_log < BENCH_MAX_LOG) {
        bench->log[bench->n_log++] = access;
    }
    g_mutex_unlock(&bench->mutex);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    Bench *bench = opaque;
    uint64_t value = bench->read_value & bits_mask(size * 8);

    record(bench, (BenchAccess){ false, false, BENCH_PORT + offset, value, size });
    return value;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Bench *bench = opaque;
    uint64_t port = BENCH_PORT + offset;

    record(bench, (BenchAccess){ false, true, port, value, size });
    if (port >= BENCH_STOP && port < BENCH_STOP + bench->cpus) {
        bench->engine->vcpu_kick(bench->vcpu[port - BENCH_STOP]);
    }
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    Bench *bench = opaque;
    uint64_t value = bench->read_value & bits_mask(size * 8);

    record(bench, (BenchAccess){ true, false, BENCH_MMIO + offset, value, size });
    return value;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    record(opaque, (BenchAccess){ true, true, BENCH_MMIO + offset, value, size });
}

static uint64_t console_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0xe9; /* as Bochs and QEMU say: there is one */
}

static void console_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Bench *bench = opaque;

    g_string_append_c(bench->text, (char)value);
}

static void end_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Bench *bench = opaque;

    bench->ended = true;
    bench->engine->vcpu_kick(bench->vcpu[0]);
}

static const IoOps console_ops = { console_read, console_write, 1 };
static const IoOps end_ops = { console_read, end_write, 1 | 2 | 4 };
static const IoOps port_ops = { port_read, port_write, 1 | 2 | 4 };
static const IoOps mmio_ops = { mmio_read, mmio_write, 1 | 2 | 4 | 8 };

static int extint_ack(void *opaque)
{
    Bench *bench = opaque;

    g_mutex_lock(&bench->mutex);
    int vector = bench->extint_vector;
    bench->extint_vector = -1;
    bench->acks++;
    g_mutex_unlock(&bench->mutex);
    bench->engine->vm_extint(bench->vm, false);
    return vector;
}

static void ioapic_eoi(void *opaque, uint8_t vector)
{
    Bench *bench = opaque;

    __atomic_store_n(&bench->eoi_vector, vector, __ATOMIC_SEQ_CST);
}

/* The first 4 GiB one to one in 2 MiB pages, in the 4-level form at BENCH_TABLES, and in the
 * PAE form with the table of four at BENCH_TABLES + 1000h (the third level is the same). */
static void build_tables(Bench *bench)
{
    const uint64_t flags = PTE_P | PTE_W | PTE_U;
    const uint64_t directories = BENCH_TABLES + 0x2000;

    bench_poke(bench, BENCH_TABLES, (BENCH_TABLES + 0x1000) | flags);
    for (uint64_t i = 0; i < 4; i++) {
        bench_poke(bench, BENCH_TABLES + 0x1000 + i * 8, (directories + i * 0x1000) | flags);
        bench_poke(bench, BENCH_TABLES + 0x6000 + i * 8, (directories + i * 0x1000) | PTE_P);
    }
    for (uint64_t i = 0; i < 2048; i++) {
        bench_poke(bench, directories + i * 8, i << 21 | flags | PTE_LARGE);
    }
}

static void build_gdt(Bench *bench)
{
    static const uint64_t gdt[] = {
        0,
        UINT64_C(0x00cf9b000000ffff), /* 32-bit code */
        UINT64_C(0x00cf93000000ffff), /* data */
        UINT64_C(0x00af9b000000ffff), /* 64-bit code */
        UINT64_C(0x008f9b000000ffff), /* 16-bit code */
        UINT64_C(0x00008b0050000067), /* TSS at 5000h */
        0,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(gdt); i++) {
        bench_poke(bench, BENCH_GDT + i * 8, gdt[i]);
    }
}

static void add_regions(Bench *bench)
{
    const IoRegion ports[] = {
        { "text", 0xe9, 1, &console_ops, bench, NULL },
        { "end", 0xf4, 4, &end_ops, bench, NULL },
        { "test ports", BENCH_PORT, BENCH_PORTS, &port_ops, bench, NULL },
    };
    const IoRegion registers = { "test registers", BENCH_MMIO, 0x1000, &mmio_ops, bench, NULL };

    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++) {
        gm_add_pio(bench->memory, &ports[i]);
    }
    gm_add_mmio(bench->memory, &registers);
}

Bench *bench_new(const Engine *engine, const BenchOptions *options)
{
    const BenchOptions none = { 0 };
    Bench *bench = g_new0(Bench, 1);
    GError *error = NULL;

    options = options ?: &none;
    bench->engine = engine;
    bench->cpus = MAX(options->cpus, 1);
    bench->eoi_vector = bench->extint_vector = -1;
    bench->read_value = UINT64_C(0x8877665544332211);
    g_mutex_init(&bench->mutex);
    bench->clock = options->manual_clock ? clock_new_manual() : clock_new_host();
    bench->host = clock_new_host();
    bench->memory = gm_new();
    bench->text = g_string_new(NULL);
    gm_add_ram(bench->memory, 0, BENCH_RAM, &error);
    g_assert_no_error(error);
    add_regions(bench);
    build_tables(bench);
    build_gdt(bench);
    const EngineConfig config = {
        .memory = bench->memory,
        .clock = bench->clock,
        .hooks = { bench, extint_ack, ioapic_eoi },
        .cpus = bench->cpus,
        .tsc_khz = options->tsc_khz,
        .cpu_model = options->cpu_model,
        .tuning = options->tuning,
    };
    bench->vm = engine->vm_new(&config, &error);
    for (unsigned i = 0; i < bench->cpus && !error; i++) {
        bench->vcpu[i] = engine->vcpu_new(bench->vm, i, &error);
    }
    if (error) {
        g_error("no VM on engine %s: %s", engine->name, error->message);
    }
    return bench;
}

void bench_free(Bench *bench)
{
    for (unsigned i = 0; i < bench->cpus; i++) {
        bench->engine->vcpu_free(bench->vcpu[i]);
    }
    bench->engine->vm_free(bench->vm);
    gm_free(bench->memory);
    clock_free(bench->clock);
    clock_free(bench->host);
    g_string_free(bench->text, TRUE);
    g_mutex_clear(&bench->mutex);
    g_free(bench);
}

void bench_load(Bench *bench, const uint8_t *start, const uint8_t *end)
{
    g_assert_true(gm_write(bench->memory, BENCH_CODE, start, (size_t)(end - start)));
}

uint64_t bench_peek(Bench *bench, uint64_t gpa)
{
    uint64_t value = 0;

    g_assert_true(gm_read(bench->memory, gpa, &value, sizeof(value)));
    return value;
}

void bench_poke(Bench *bench, uint64_t gpa, uint64_t value)
{
    g_assert_true(gm_write(bench->memory, gpa, &value, sizeof(value)));
}

static void set_segments(X86State *state, X86Segment code, X86Segment data)
{
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        state->segment[i] = data;
    }
    state->segment[X86_CS] = code;
}

void bench_fill_state(Bench *bench, unsigned index, BenchMode mode, X86State *state)
{
    const X86Segment data16 = { .limit = 0xffff, .attributes = 0x93 };
    const X86Segment code16 = { .limit = 0xffff, .attributes = 0x9b };
    const X86Segment data = { 0, UINT32_MAX, BENCH_DS, 0xc093 };
    const X86Segment code32 = { 0, UINT32_MAX, BENCH_CS32, 0xc09b };
    const X86Segment code64 = { 0, UINT32_MAX, BENCH_CS64, 0xa09b };

    bench_get(bench, index, state);
    memset(state->gpr, 0, sizeof(state->gpr));
    state->gpr[X86_RSP] = BENCH_STACK;
    state->rip = BENCH_CODE;
    state->rflags = X86_RFLAGS_FIXED;
    state->cr0 = X86_CR0_ET | (mode == BENCH_REAL ? 0 : X86_CR0_PE);
    state->activity = X86_RUNNING;
    state->gdtr = (X86Table){ BENCH_GDT, 0x37 };
    state->idtr = (X86Table){ mode == BENCH_REAL ? 0 : BENCH_IDT, 0xfff };
    state->tr = (X86Segment){ 0x5000, 0x67, BENCH_TSS, 0x8b };
    if (mode == BENCH_REAL) {
        set_segments(state, code16, data16);
        state->gpr[X86_RSP] = 0x7000;
    } else if (mode == BENCH_FLAT32) {
        set_segments(state, code32, data);
    } else {
        set_segments(state, code64, data);
        state->cr0 |= X86_CR0_PG | X86_CR0_WP;
        state->cr3 = BENCH_TABLES;
        state->cr4 = X86_CR4_PAE | 0x600; /* and OSFXSR, OSXMMEXCPT */
        state->msr.efer = X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE | X86_EFER_SCE;
    }
}

void bench_start(Bench *bench, unsigned index, BenchMode mode, uint64_t offset)
{
    X86State state;

    bench_fill_state(bench, index, mode, &state);
    state.rip += offset;
    bench_set(bench, index, &state);
}

void bench_handler(Bench *bench, BenchMode mode, unsigned vector, uint64_t gpa)
{
    uint64_t selector = mode == BENCH_LONG ? BENCH_CS64 : BENCH_CS32;
    uint64_t gate =
        (gpa & 0xffff) | selector << 16 | UINT64_C(0x8e00) << 32 | (gpa & 0xffff0000) << 32;
    uint64_t size = mode == BENCH_LONG ? 16 : 8;

    if (mode == BENCH_REAL) {
        uint32_t far_pointer = (uint32_t)gpa;
        gm_write(bench->memory, vector * 4, &far_pointer, sizeof(far_pointer));
        return;
    }
    bench_poke(bench, BENCH_IDT + vector * size, gate);
    if (mode == BENCH_LONG) {
        bench_poke(bench, BENCH_IDT + vector * size + 8, gpa >> 32);
    }
}

/* ---- running ---- */

typedef struct Watchdog {
    Bench *bench;
    unsigned index;
    int bitten; /* atomic */
} Watchdog;

static void bite(void *opaque)
{
    Watchdog *dog = opaque;

    __atomic_store_n(&dog->bitten, 1, __ATOMIC_SEQ_CST);
    dog->bench->engine->vcpu_kick(dog->bench->vcpu[dog->index]);
}

void bench_run(Bench *bench, unsigned index, VcpuExit *exit)
{
    Watchdog dog = { bench, index, 0 };
    Timer *timer;

    memset(exit, 0, sizeof(*exit));
    if (bench->hung) {
        return; /* and the test has failed already */
    }
    timer = timer_new(bench->host, bite, &dog);
    timer_set(timer, clock_now_ns(bench->host) + WATCHDOG_SECONDS * NS_PER_SECOND);
    bench->engine->vcpu_run(bench->vcpu[index], exit);
    timer_free(timer);
    if (exit->reason == VCPU_EXIT_ERROR) {
        g_test_message("vCPU %u: %s", index, exit->message);
    }
    if (exit->reason == VCPU_EXIT_DIFFERENCE) {
        g_test_message("vCPU %u: %s", index, exit->report);
    }
    g_assert_cmpint(exit->reason, !=, VCPU_EXIT_DIFFERENCE);
    bench->hung = dog.bitten;
    g_assert_false(bench->hung);
}

void bench_run_for(Bench *bench, unsigned index, uint64_t ns, VcpuExit *exit)
{
    Watchdog dog = { bench, index, 0 };
    Timer *timer = timer_new(bench->host, bite, &dog);

    timer_set(timer, clock_now_ns(bench->host) + ns);
    bench->engine->vcpu_run(bench->vcpu[index], exit);
    timer_free(timer);
}

void bench_run_to_stop(Bench *bench, unsigned index)
{
    VcpuExit exit;

    bench_run(bench, index, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_KICKED);
    g_mutex_lock(&bench->mutex);
    bool stopped = false;
    for (unsigned i = 0; i < bench->n_log; i++) {
        stopped |= bench->log[i].address == BENCH_STOP + index && !bench->log[i].mmio;
    }
    g_mutex_unlock(&bench->mutex);
    g_assert_true(stopped);
}

void bench_get(Bench *bench, unsigned index, X86State *state)
{
    GError *error = NULL;

    bench->engine->vcpu_get_state(bench->vcpu[index], state, &error);
    g_assert_no_error(error);
}

void bench_set(Bench *bench, unsigned index, const X86State *state)
{
    GError *error = NULL;

    bench->engine->vcpu_set_state(bench->vcpu[index], state, &error);
    g_assert_no_error(error);
}

BenchAccess bench_log(Bench *bench, unsigned n)
{
    BenchAccess access = { .address = UINT64_MAX };

    g_mutex_lock(&bench->mutex);
    g_assert_cmpuint(n, <, bench->n_log);
    if (n < bench->n_log) {
        access = bench->log[n];
    }
    g_mutex_unlock(&bench->mutex);
    return access;
}

void bench_clear_log(Bench *bench)
{
    g_mutex_lock(&bench->mutex);
    bench->n_log = 0;
    g_mutex_unlock(&bench->mutex);
}

bool bench_is_kvm(const Engine *engine)
{
    return !strcmp(engine->name, "kvm");
}

static EngineVm *checked_vm_new(const EngineConfig *config, GError **error)
{
    EngineConfig checked = *config;

    checked.tuning.check = true;
    return engine_choose("translator", NULL, NULL)->vm_new(&checked, error);
}

Engine bench_checked_engine(void)
{
    Engine engine = *engine_choose("translator", NULL, NULL);

    engine.name = "checked";
    engine.vm_new = checked_vm_new;
    return engine;
}
