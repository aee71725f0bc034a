/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the board micro over an engine that runs nothing and notes what it is told: what is
 * built, how interrupts are wired, entry, reset, and what is refused.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "common/bits.h"
#include "common/error.h"
#include "engine/engine.h"
#include "machine/core/bench.h"
#include "machine/device/acpi_pm.h"
#include "machine/device/ioapic.h"
#include "machine/machine.h"

enum { MIB = 1 << 20, CPUS = 3 };

/* --- an engine that runs nothing --- */

struct EngineVm {
    EngineConfig config;
    bool extint;
    uint64_t msi_address;
    uint32_t msi_data;
    unsigned msis;
};

struct EngineVcpu {
    EngineVm *vm;
    X86State state;
};

/* What the engine counts: what is alive, and which call shall fail. */
static unsigned alive, fail_vcpu;

static EngineVm *fake_vm_new(const EngineConfig *config, GError **error)
{
    EngineVm *vm = g_new0(EngineVm, 1);

    vm->config = *config;
    alive++;
    return vm;
}

static void fake_vm_free(EngineVm *vm)
{
    alive--;
    g_free(vm);
}

static void fake_msi(EngineVm *vm, uint64_t address, uint32_t data)
{
    vm->msi_address = address;
    vm->msi_data = data;
    vm->msis++;
}

static void fake_extint(EngineVm *vm, bool raised)
{
    vm->extint = raised;
}

static EngineVcpu *fake_vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    if (fail_vcpu && index + 1 == fail_vcpu) {
        set_error_code(error, INSULA_ERROR_HOST, "no CPU %u today", index);
        return NULL;
    }
    EngineVcpu *vcpu = g_new0(EngineVcpu, 1);
    vcpu->vm = vm;
    vcpu->state.activity = index ? X86_WAIT_FOR_SIPI : X86_RUNNING;
    vcpu->state.rip = 0xfff0;
    vcpu->state.msr.pat = 0x0007040600070406;
    alive++;
    return vcpu;
}

static void fake_vcpu_free(EngineVcpu *vcpu)
{
    alive--;
    g_free(vcpu);
}

static bool fake_get_state(EngineVcpu *vcpu, X86State *ret_state, GError **error)
{
    *ret_state = vcpu->state;
    return true;
}

static bool fake_set_state(EngineVcpu *vcpu, const X86State *state, GError **error)
{
    vcpu->state = *state;
    return true;
}

static const Engine fake_engine = {
    .name = "fake",
    .vm_new = fake_vm_new,
    .vm_free = fake_vm_free,
    .vm_msi = fake_msi,
    .vm_extint = fake_extint,
    .vcpu_new = fake_vcpu_new,
    .vcpu_free = fake_vcpu_free,
    .vcpu_get_state = fake_get_state,
    .vcpu_set_state = fake_set_state,
};

/* --- a machine on it --- */

typedef struct Rig {
    Bench bench;
    BenchChar serial, console;
    char *kernel, *disk;
    Blk *blk;
    MachineDisk disks[1];
    MachineConfig config;
} Rig;

/* The smallest bzImage with a 64-bit entry. */
static void write_kernel(const char *path)
{
    uint8_t image[2048] = { 0 };

    image[0x1f1] = 1;
    store_le32(image + 0x1f4, 64);
    store_le16(image + 0x1fe, 0xaa55);
    image[0x201] = 0x62;
    memcpy(image + 0x202, "HdrS", 4);
    store_le16(image + 0x206, 0x20f);
    image[0x211] = 1;
    store_le32(image + 0x22c, 0x7fffffff);
    store_le16(image + 0x236, 1);
    store_le32(image + 0x238, 2047);
    store_le64(image + 0x258, MIB);
    memcpy(image + 1024, "KERNEL", 6);
    g_assert(g_file_set_contents(path, (const char *)image, sizeof(image), NULL));
}

static void rig_init(Rig *rig)
{
    *rig = (Rig){ 0 };
    bench_init(&rig->bench);
    bench_char_init(&rig->serial);
    bench_char_init(&rig->console);
    int fd = g_file_open_tmp("insula-kernel-XXXXXX", &rig->kernel, NULL);
    close(fd);
    write_kernel(rig->kernel);
    fd = g_file_open_tmp("insula-disk-XXXXXX", &rig->disk, NULL);
    g_assert(ftruncate(fd, 4096) == 0);
    close(fd);
    rig->blk = blk_open(&(BlkOptions){ .path = rig->disk }, NULL);
    rig->disks[0].blk = rig->blk;
    rig->config = (MachineConfig){
        .engine = &fake_engine,
        .cpus = CPUS,
        .memory_size = 64 * MIB,
        .kernel = rig->kernel,
        .cmdline = "console=ttyS0",
        .disks = rig->disks,
        .n_disks = 1,
        .serial = &rig->serial.backend,
        .console = &rig->console.backend,
        .clock = rig->bench.env.clock,
        .log = &rig->bench.log,
        .events = bench_power(&rig->bench),
    };
}

static void rig_clear(Rig *rig)
{
    blk_close(rig->blk);
    g_remove(rig->kernel);
    g_remove(rig->disk);
    g_free(rig->kernel);
    g_free(rig->disk);
    bench_char_clear(&rig->serial);
    bench_char_clear(&rig->console);
    bench_clear(&rig->bench);
    g_assert_cmpuint(alive, ==, 0);
}

static Machine *build(Rig *rig)
{
    GError *error = NULL;
    Machine *m = machine_new(&rig->config, &error);

    g_assert_no_error(error);
    return m;
}

/* --- tests --- */

static void test_entry(void)
{
    Rig rig;
    X86State state;

    rig_init(&rig);
    Machine *m = build(&rig);
    g_assert_cmpuint(machine_cpus(m), ==, CPUS);
    g_assert(machine_engine(m)->vcpu_get_state(machine_vcpu(m, 0), &state, NULL));
    g_assert_cmphex(state.rip, ==, MIB + 0x200);
    g_assert_cmphex(state.cr0, ==, 0x80000011);
    g_assert_cmphex(state.cr4, ==, 0x20);
    g_assert_cmphex(state.msr.efer, ==, 0x500);
    g_assert_cmphex(state.rflags, ==, 2);
    g_assert_cmphex(state.segment[X86_CS].selector, ==, 0x10);
    g_assert_cmphex(state.segment[X86_CS].attributes, ==, 0xa09b);
    g_assert_cmphex(state.msr.pat, ==, 0x0007040600070406); /* what reset gave stays */
    g_assert_cmpmem(gm_ram(machine_memory(m), MIB, 6), 6, "KERNEL", 6);
    g_assert_cmpmem(gm_ram(machine_memory(m), 0xe0000, 8), 8, "RSD PTR ", 8);
    for (unsigned i = 1; i < CPUS; i++) {
        g_assert(machine_engine(m)->vcpu_get_state(machine_vcpu(m, i), &state, NULL));
        g_assert_cmpint(state.activity, ==, X86_WAIT_FOR_SIPI);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        g_assert(machine_engine(m)->vcpu_get_state(machine_vcpu(m, i), &state, NULL));
        g_assert_cmphex(state.msr.mtrr_def_type, ==, 0xc06);
        g_assert_cmphex(state.msr.mtrr_fixed[0], ==, 0x0606060606060606);
        g_assert_cmphex(state.msr.mtrr_fixed[2], ==, 0);
        g_assert_cmphex(state.msr.mtrr_fixed[10], ==, 0x0505050505050505);
    }
    machine_free(m);
    rig_clear(&rig);
}

static void test_reset(void)
{
    Rig rig;
    X86State state;

    rig_init(&rig);
    Machine *m = build(&rig);
    machine_vcpu(m, 0)->state.rip = 0x1234;
    machine_vcpu(m, 2)->state.activity = X86_RUNNING;
    gm_write(machine_memory(m), MIB, "broken", 6);
    gm_write(machine_memory(m), 0xe0000, "broken", 6);
    gm_pio_write(machine_memory(m), 0x3ff, 0xa5, 1);
    g_assert(machine_reset(m, NULL));
    g_assert(machine_engine(m)->vcpu_get_state(machine_vcpu(m, 0), &state, NULL));
    g_assert_cmphex(state.rip, ==, MIB + 0x200);
    g_assert_cmpint(machine_vcpu(m, 2)->state.activity, ==, X86_WAIT_FOR_SIPI);
    g_assert_cmpmem(gm_ram(machine_memory(m), MIB, 6), 6, "KERNEL", 6);
    g_assert_cmpmem(gm_ram(machine_memory(m), 0xe0000, 8), 8, "RSD PTR ", 8);
    g_assert_cmphex(gm_pio_read(machine_memory(m), 0x3ff, 1), ==, 0);
    machine_free(m);
    rig_clear(&rig);
}

/* The timer reaches both interrupt controllers, as line 0 and as pin 2. */
static void test_timer_wiring(void)
{
    static const uint8_t init[][2] = { { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
                                       { 0x43, 0x34 }, { 0x40, 0xe8 }, { 0x40, 3 } };
    Rig rig;

    rig_init(&rig);
    Machine *m = build(&rig);
    EngineVm *vm = machine_engine_vm(m);
    GuestMemory *memory = machine_memory(m);
    gm_mmio_write(memory, IOAPIC_BASE, 0x10 + 2 * 2, 4);
    gm_mmio_write(memory, IOAPIC_BASE + 0x10, 0x30, 4);
    for (size_t i = 0; i < G_N_ELEMENTS(init); i++) {
        gm_pio_write(memory, init[i][0], init[i][1], 1);
    }
    g_assert_false(vm->extint);
    clock_advance(rig.bench.env.clock, 900000);
    g_assert_true(vm->extint);
    g_assert_cmpuint(vm->msis, ==, 1);
    g_assert_cmphex(vm->msi_data, ==, 0x30);
    const EngineHooks *hooks = &vm->config.hooks;
    g_assert_cmpint(hooks->extint_ack(hooks->opaque), ==, 0x20);
    g_assert_false(vm->extint);
    machine_free(m);
    rig_clear(&rig);
}

/* A level-triggered pin: SCI by the power button, again after EOI while it is up. */
static void test_sci_wiring(void)
{
    Rig rig;

    rig_init(&rig);
    Machine *m = build(&rig);
    EngineVm *vm = machine_engine_vm(m);
    GuestMemory *memory = machine_memory(m);
    gm_mmio_write(memory, IOAPIC_BASE, 0x10 + 2 * 9, 4);
    gm_mmio_write(memory, IOAPIC_BASE + 0x10, 0x8039, 4);
    gm_pio_write(memory, ACPI_PM_EVENT_PORT + 2, 0x100, 2);
    machine_power_button(m);
    g_assert_cmpuint(vm->msis, ==, 1);
    g_assert_cmphex(vm->msi_data & 0xff, ==, 0x39);
    vm->config.hooks.ioapic_eoi(vm->config.hooks.opaque, 0x39);
    g_assert_cmpuint(vm->msis, ==, 2);
    gm_pio_write(memory, ACPI_PM_EVENT_PORT, 0x100, 2);
    vm->config.hooks.ioapic_eoi(vm->config.hooks.opaque, 0x39);
    g_assert_cmpuint(vm->msis, ==, 2);
    machine_free(m);
    rig_clear(&rig);
}

/* The virtio devices stand where the DSDT says, in the order rng, console, disks. */
static void test_virtio_window(void)
{
    static const unsigned ids[] = { 4, 3, 2 };
    Rig rig;

    rig_init(&rig);
    Machine *m = build(&rig);
    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        uint64_t base = 0xfe000000 + i * 0x1000;
        g_assert_cmphex(gm_mmio_read(machine_memory(m), base, 4), ==, 0x74726976);
        g_assert_cmpuint(gm_mmio_read(machine_memory(m), base + 8, 4), ==, ids[i]);
    }
    g_assert_cmphex(gm_mmio_read(machine_memory(m), 0xfe003000, 4), ==, UINT32_MAX);
    machine_free(m);
    rig_clear(&rig);
}

static void test_power_events(void)
{
    Rig rig;

    rig_init(&rig);
    Machine *m = build(&rig);
    gm_pio_write(machine_memory(m), ACPI_PM_CONTROL_PORT, 0x3400, 2);
    g_assert_cmpint(rig.bench.power, ==, MACHINE_POWER_OFF);
    gm_pio_write(machine_memory(m), 0x64, 0xfe, 1);
    g_assert_cmpint(rig.bench.power, ==, MACHINE_POWER_RESET);
    gm_pio_write(machine_memory(m), 0xf4, 5, 1);
    g_assert_cmpint(rig.bench.power, ==, MACHINE_POWER_TEST_EXIT);
    g_assert_cmpuint(rig.bench.power_value, ==, 5);
    machine_free(m);
    rig.config.events = (MachineEvents){ 0 };
    m = build(&rig);
    gm_pio_write(machine_memory(m), 0x64, 0xfe, 1); /* nobody listens */
    machine_free(m);
    rig_clear(&rig);
}

/* RAM beyond 3 GiB goes on at 4 GiB; the guest is told by each way there is. */
static void test_large_memory(void)
{
    Rig rig;

    rig_init(&rig);
    rig.config.memory_size = UINT64_C(5) << 30;
    Machine *m = build(&rig);
    const uint8_t *zero_page = gm_ram(machine_memory(m), 0x3000, 4096);
    g_assert_cmpuint(zero_page[0x1e8], ==, 4);
    g_assert_cmphex(load_le64(zero_page + 0x2d0 + 60), ==, UINT64_C(1) << 32);
    g_assert_cmphex(load_le64(zero_page + 0x2d0 + 68), ==, UINT64_C(2) << 30);
    g_assert_nonnull(gm_ram(machine_memory(m), (UINT64_C(6) << 30) - 1, 1));
    g_assert_null(gm_ram(machine_memory(m), 0xc0000000, 1));
    gm_pio_write(machine_memory(m), 0x70, 0x5c, 1);
    g_assert_cmphex(gm_pio_read(machine_memory(m), 0x71, 1), ==, 0x80);
    machine_free(m);
    rig_clear(&rig);
}

/* Two machines in one process don't see each other. */
static void test_two_machines(void)
{
    Rig a, b;

    rig_init(&a);
    rig_init(&b);
    Machine *first = build(&a);
    Machine *second = build(&b);
    gm_pio_write(machine_memory(first), 0x3f8, 'x', 1);
    g_assert_cmpuint(a.serial.written->len, ==, 1);
    g_assert_cmpuint(b.serial.written->len, ==, 0);
    machine_free(first);
    machine_free(second);
    blk_close(b.blk);
    b.blk = NULL;
    rig_clear(&a);
    rig_clear(&b);
}

static const struct {
    const char *name;
    const char *board;
    unsigned cpus;
    uint64_t memory;
    const char *kernel; /* NULL: none; "": the good one */
    size_t n_disks;
    unsigned fail_vcpu;
    InsulaError code;
    const char *error;
} refusals[] = {
    { "/board/refuse/unknown-board", "mc", 1, 64 * MIB, "", 1, 0, INSULA_ERROR_USAGE,
      "unknown machine 'mc': there are micro, pc" },
    { "/board/refuse/no-cpu", NULL, 0, 64 * MIB, "", 1, 0, INSULA_ERROR_USAGE, "1 to 64 CPUs" },
    { "/board/refuse/many-cpus", NULL, 65, 64 * MIB, "", 1, 0, INSULA_ERROR_USAGE, "not 65" },
    { "/board/refuse/no-memory", NULL, 1, 0, "", 1, 0, INSULA_ERROR_USAGE, "of memory, not 0" },
    { "/board/refuse/little-memory", NULL, 1, 15 * MIB, "", 1, 0, INSULA_ERROR_USAGE, "16 MiB" },
    { "/board/refuse/1-pib", NULL, 1, UINT64_C(1) << 50, "", 1, 0, INSULA_ERROR_USAGE, "GiB" },
    { "/board/refuse/odd-memory", NULL, 1, 64 * MIB + 100, "", 1, 0, INSULA_ERROR_USAGE,
      "multiple of 4 KiB" },
    { "/board/refuse/many-disks", NULL, 1, 64 * MIB, "", 25, 0, INSULA_ERROR_USAGE, "24 disks" },
    { "/board/refuse/no-kernel", NULL, 1, 64 * MIB, NULL, 1, 0, INSULA_ERROR_USAGE, "--kernel" },
    { "/board/refuse/missing-kernel", NULL, 1, 64 * MIB, "/nonexistent/kernel", 1, 0,
      INSULA_ERROR_FAILED, "cannot open kernel '/nonexistent/kernel'" },
    { "/board/refuse/no-kernel-at-all", NULL, 1, 64 * MIB, "/proc/self/exe", 1, 0,
      INSULA_ERROR_FAILED, "no PVH entry" },
    { "/board/refuse/first-cpu-fails", NULL, 3, 64 * MIB, "", 1, 1, INSULA_ERROR_HOST, "no CPU 0" },
    { "/board/refuse/last-cpu-fails", NULL, 3, 64 * MIB, "", 1, 3, INSULA_ERROR_HOST, "no CPU 2" },
};

static void test_refusal(gconstpointer data)
{
    const typeof(refusals[0]) *c = data;
    g_autoptr(GError) error = NULL;
    Rig rig;

    rig_init(&rig);
    rig.config.board = c->board;
    rig.config.cpus = c->cpus;
    rig.config.memory_size = c->memory;
    rig.config.n_disks = c->n_disks;
    if (!c->kernel || c->kernel[0]) {
        rig.config.kernel = c->kernel;
    }
    fail_vcpu = c->fail_vcpu;
    g_assert_null(machine_new(&rig.config, &error));
    fail_vcpu = 0;
    g_assert_error(error, INSULA_ERROR, (gint)c->code);
    if (!strstr(error->message, c->error)) {
        g_error("got '%s', expected '%s'", error->message, c->error);
    }
    rig_clear(&rig); /* nothing is left of it */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/board/entry", test_entry);
    g_test_add_func("/board/reset", test_reset);
    g_test_add_func("/board/timer-reaches-both-controllers", test_timer_wiring);
    g_test_add_func("/board/sci-is-level-triggered", test_sci_wiring);
    g_test_add_func("/board/virtio-window", test_virtio_window);
    g_test_add_func("/board/power-events", test_power_events);
    g_test_add_func("/board/memory-beyond-3-gib", test_large_memory);
    g_test_add_func("/board/two-machines", test_two_machines);
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_test_add_data_func(refusals[i].name, &refusals[i], test_refusal);
    }
    return g_test_run();
}
