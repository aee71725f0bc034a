/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a vCPU does to the outside: ports, registers in memory, memory itself, and how it ends.
 */
#include <string.h>

#include "bench.h"
#include "guests.h"

static void assert_access(BenchAccess a, bool write, uint64_t address, unsigned size,
                          uint64_t value)
{
    g_assert_cmpint(a.write, ==, write);
    g_assert_cmphex(a.address, ==, address);
    g_assert_cmpuint(a.size, ==, size);
    g_assert_cmphex(a.value, ==, value);
}

static void stops(const Engine *engine, BenchMode mode, const uint8_t *start, const uint8_t *end,
                  uint64_t value)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    X86State state;

    bench_load(bench, start, end);
    bench_start(bench, 0, mode, 0);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_log(bench, 0).value, ==, value);
    bench_get(bench, 0, &state);
    g_assert_cmphex(state.rip, ==, BENCH_CODE + (uint64_t)(end - start) - 1); /* at the HLT */
    g_assert_cmpint(state.activity, ==, X86_RUNNING);
}

static void stops_real(const Engine *engine)
{
    stops(engine, BENCH_REAL, guest_stop16, guest_stop16_end, 0x1234);
}

static void stops_flat(const Engine *engine)
{
    stops(engine, BENCH_FLAT32, guest_stop32, guest_stop32_end, 0x12345678);
}

static void stops_long(const Engine *engine)
{
    stops(engine, BENCH_LONG, guest_stop64, guest_stop64_end, 0x12345678);
}

static void port_sizes(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, ports);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    assert_access(bench_log(bench, 0), true, 0x100, 1, 0xdd);
    assert_access(bench_log(bench, 1), true, 0x100, 2, 0xccdd);
    assert_access(bench_log(bench, 2), true, 0x100, 4, 0xaabbccdd);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA), ==, 0xaabbcc11);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 8), ==, 0xaabb2211);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 16), ==, 0x44332211);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 24), ==, 0xffffffff); /* nobody there */
}

static void port_strings(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, string_ports);
    bench_poke(bench, BENCH_DATA, UINT64_C(0x0807060504030201));
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    for (unsigned i = 0; i < 5; i++) {
        assert_access(bench_log(bench, i), true, 0x104, 1, i + 1);
    }
    for (unsigned i = 5; i < 8; i++) {
        assert_access(bench_log(bench, i), false, 0x104, 2, 0x2211);
    }
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x100), ==, UINT64_C(0x0000221122112211));
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x200), ==, BENCH_DATA + 5);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x208), ==, BENCH_DATA + 0x106);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x210), ==, 0);
}

static void mmio_sizes(const Engine *engine)
{
    static const struct {
        bool write;
        unsigned offset, size;
        uint64_t value;
    } want[] = {
        { true, 0, 1, 0x88 },         { true, 2, 2, 0x7788 },
        { true, 4, 4, 0x55667788 },   { true, 8, 8, UINT64_C(0x1122334455667788) },
        { false, 16, 1, 0x11 },       { false, 18, 2, 0x2211 },
        { false, 20, 4, 0x44332211 }, { false, 24, 8, UINT64_C(0x8877665544332211) },
        { false, 32, 4, 0x44332211 }, { true, 32, 4, 0x44332212 },
        { false, 0, 4, 0x44332211 },  { false, 4, 4, 0x44332211 },
    };
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, mmio);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        assert_access(bench_log(bench, i), want[i].write, BENCH_MMIO + want[i].offset, want[i].size,
                      want[i].value);
    }
    g_assert_cmphex(bench_peek(bench, BENCH_DATA), ==, 0x44332211);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 8), ==, UINT64_C(0x8877665544332211));
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 0x100), ==, UINT64_C(0x4433221144332211));
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 16), ==, UINT64_MAX); /* nobody there */
}

/* ROM that can cover RAM. */
typedef struct Cover {
    GuestMemory *memory;
    GmWindow *window;
    unsigned stores;
} Cover;

enum { COVER_GPA = 0x50000, COVER_SIZE = 0x1000, COVER_PORT = 0x180 };

static uint64_t cover_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void cover_show(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Cover *cover = opaque;

    gm_window_show(cover->memory, cover->window, COVER_GPA);
}

/* What the guest stores into the ROM. */
static void cover_store(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Cover *cover = opaque;

    cover->stores++;
    if (offset == 0x100 && value == 0x55) {
        gm_window_hide(cover->memory, cover->window);
    }
}

static const IoOps cover_port_ops = { cover_read, cover_show, 1 };
static const IoOps cover_ops = { cover_read, cover_store, 1 | 2 | 4 | 8 };

/* Memory that a device takes away and gives back is seen at once, as data and as code. */
static void moved_memory(const Engine *engine)
{
    static const uint8_t in_ram[] = { 0xb0, 1, 0xc3 }; /* mov al, 1; ret */
    static const uint8_t in_rom[] = { 0xb0, 2, 0xc3 };
    static const uint8_t want[8] = { 1, 2, 2, 2, 1, 1 };
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    Cover cover = { .memory = bench->memory };
    RamBlock *rom = gm_add_block(bench->memory, "rom", COVER_SIZE, NULL);

    memcpy(rom->hva, in_rom, sizeof(in_rom));
    cover.window =
        gm_add_window(bench->memory, &(GmWindowConfig){
                                         .io = { "rom", COVER_GPA, COVER_SIZE, &cover_ops, &cover },
                                         .block = rom,
                                         .read_only = true,
                                         .hidden = true,
                                         .priority = GM_COVER,
                                     });
    gm_add_pio(bench->memory, &(IoRegion){ "cover", COVER_PORT, 1, &cover_port_ops, &cover });
    gm_write(bench->memory, COVER_GPA, in_ram, sizeof(in_ram));
    BENCH_LOAD(bench, cover);
    for (unsigned i = 1; i <= 20; i++) {
        bench_poke(bench, BENCH_DATA, 0);
        bench_start(bench, 0, BENCH_LONG, 0);
        bench_run_to_stop(bench, 0);
        g_assert_cmpmem(gm_ram(bench->memory, BENCH_DATA, 8), 8, want, 8);
        g_assert_cmpuint(cover.stores, ==, 2 * i);
    }
}

static void triple_fault(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuExit exit;

    BENCH_LOAD(bench, triple);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run(bench, 0, &exit);
    g_assert_cmpint(exit.reason, ==, VCPU_EXIT_SHUTDOWN);
    /* and a reset makes it run again */
    BENCH_LOAD(bench, stop64);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
}

/* The host replaces code that ran: the guest must run the new code. */
static void rewritten_by_host(const Engine *engine)
{
    static const uint8_t first[] = { 0xb0, 1, 0xc3 };  /* mov al, 1; ret */
    static const uint8_t second[] = { 0xb0, 2, 0xc3 }; /* mov al, 2; ret */
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, caller);
    gm_write(bench->memory, 0x9000, first, sizeof(first));
    bench_start(bench, 0, BENCH_LONG, 0);
    for (unsigned i = 0; i < 20; i++) {
        bench_run_to_stop(bench, 0);
        g_assert_cmphex(bench_peek(bench, BENCH_DATA) & 0xff, ==, i % 2 ? 2 : 1);
        /* as a device does it: through gm_ram(), then gm_written() */
        memcpy(gm_ram(bench->memory, 0x9000, 3), i % 2 ? first : second, 3);
        gm_written(bench->memory, 0x9000, 3);
    }
}

static void rewritten_by_itself(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);

    BENCH_LOAD(bench, self_modify);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench_run_to_stop(bench, 0);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA), ==, 7);
    g_assert_cmphex(bench_peek(bench, BENCH_DATA + 8), ==, 11);
}

static void translates(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    uint64_t gpa = 0;

    bench_start(bench, 0, BENCH_LONG, 0);
    bench_poke(bench, BENCH_TABLES + 0x2000 + 8, 0x400000 | 0x83); /* gva 200000h -> 400000h */
    bench_poke(bench, BENCH_TABLES + 0x2000 + 16, 0);
    g_assert_true(bench->engine->vcpu_translate(bench->vcpu[0], 0x212345, &gpa));
    g_assert_cmphex(gpa, ==, 0x412345);
    g_assert_cmphex(bench_peek(bench, BENCH_TABLES + 0x2000 + 8), ==, 0x400083);
    g_assert_false(bench->engine->vcpu_translate(bench->vcpu[0], 0x412345, &gpa));
    g_assert_false(
        bench->engine->vcpu_translate(bench->vcpu[0], UINT64_C(0x0000800000000000), &gpa));
    g_assert_false(bench->engine->vcpu_translate(bench->vcpu[0], UINT64_C(1) << 40, &gpa));
}

static void counts(const Engine *engine)
{
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    VcpuStats before = { 0 }, after = { 0 };

    BENCH_LOAD(bench, stop64);
    bench_start(bench, 0, BENCH_LONG, 0);
    bench->engine->vcpu_stats(bench->vcpu[0], &before);
    bench_run_to_stop(bench, 0);
    bench->engine->vcpu_stats(bench->vcpu[0], &after);
    g_assert_cmpuint(after.exits, >, before.exits);
}

/* A second VM in the same process doesn't see the first. */
static void two_vms(const Engine *engine)
{
    g_autoptr(Bench) first = bench_new(engine, NULL);
    g_autoptr(Bench) second = bench_new(engine, NULL);

    BENCH_LOAD(first, stop64);
    BENCH_LOAD(second, stop32);
    bench_start(first, 0, BENCH_LONG, 0);
    bench_start(second, 0, BENCH_FLAT32, 0);
    bench_run_to_stop(second, 0);
    bench_run_to_stop(first, 0);
    g_assert_cmpuint(first->n_log, ==, 1);
    g_assert_cmpuint(second->n_log, ==, 1);
}

/* Each model can be asked for, shows none of what it hasn't, and an unknown one is refused. */
static void cpu_models(const Engine *engine)
{
    for (const EngineCpuModel *model = engine_cpu_models(); model->name; model++) {
        const BenchOptions options = { .cpu_model = model->name };
        g_autoptr(Bench) bench = bench_new(engine, &options);
        BENCH_LOAD(bench, cpuid);
        bench_start(bench, 0, BENCH_LONG, 0);
        bench_run_to_stop(bench, 0);
        uint64_t features = bench_peek(bench, BENCH_DATA);
        uint32_t ecx = (uint32_t)features & ~(1U << 27); /* OSXSAVE follows CR4 */
        uint32_t edx = (uint32_t)(features >> 32);
        g_assert_cmphex(ecx & ~engine_cpu_model_mask(model->name, 1, 0, 2), ==, 0);
        g_assert_cmphex(edx & ~engine_cpu_model_mask(model->name, 1, 0, 3), ==, 0);
        g_assert_cmphex(edx & 0x07808111, ==, 0x07808111); /* what x86-64 is made of */
    }
    g_autoptr(Bench) bench = bench_new(engine, NULL);
    const EngineConfig config = {
        .memory = bench->memory, .clock = bench->clock, .cpus = 1, .cpu_model = "no-such-cpu"
    };
    g_autoptr(GError) error = NULL;
    g_assert_null(engine->vm_new(&config, &error));
    g_assert_nonnull(error);
}

const BenchCase access_cases[] = {
    { "access/stops-in-real-mode", stops_real },
    { "access/stops-in-protected-mode", stops_flat },
    { "access/stops-in-long-mode", stops_long },
    { "access/port-sizes", port_sizes },
    { "access/port-strings", port_strings },
    { "access/mmio-sizes", mmio_sizes },
    { "access/memory-that-moves-is-seen-at-once", moved_memory },
    { "access/triple-fault-is-shutdown", triple_fault },
    { "access/code-rewritten-by-a-device-runs", rewritten_by_host },
    { "access/code-rewritten-by-itself-runs", rewritten_by_itself },
    { "access/translate-walks-without-traces", translates },
    { "access/exits-are-counted", counts },
    { "access/cpu-models", cpu_models },
    { "access/two-vms-in-one-process", two_vms },
    { 0 },
};
