/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the run loop: how a machine ends, restarts, stops and goes on.
 *
 * The machine is a real one, on an engine that runs no instructions: the "CPU model" names a
 * script, a C function that does what a guest would, by the machine's own ports.
 */
#include "vm/vm.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "machine/device/acpi_pm.h"
#include "machine/device/test_exit.h"
#include "memory/memory.h"

struct EngineVm {
    GuestMemory *memory;
    void (*script)(EngineVcpu *vcpu, VcpuExit *exit);
    unsigned runs; /* atomic: calls of vcpu_run so far */
};

struct EngineVcpu {
    EngineVm *vm;
    unsigned index;
    X86State state;
    unsigned runs; /* of this vCPU; its thread only */
    DebugConfig debug;
    GMutex mutex;
    GCond cond;
    bool kicked;
};

/* ---- scripts ---- */

static void out(EngineVcpu *vcpu, uint16_t port, uint8_t value)
{
    gm_pio_write(vcpu->vm->memory, port, value, 1);
}

static void spin(EngineVcpu *vcpu, VcpuExit *exit)
{
    g_mutex_lock(&vcpu->mutex);
    while (!vcpu->kicked) {
        g_cond_wait(&vcpu->cond, &vcpu->mutex);
    }
    vcpu->kicked = false;
    g_mutex_unlock(&vcpu->mutex);
    exit->reason = VCPU_EXIT_KICKED;
}

/* Do something once, on vCPU 0, and then nothing. */
static bool first(EngineVcpu *vcpu)
{
    return vcpu->index == 0 && vcpu->runs == 1;
}

static void power_off(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (first(vcpu)) {
        gm_pio_write(vcpu->vm->memory, ACPI_PM_CONTROL_PORT, 1U << 13 | ACPI_PM_S5_TYPE << 10, 2);
    }
    spin(vcpu, exit);
}

static void reset_for_ever(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (vcpu->index == 0) {
        out(vcpu, ACPI_PM_RESET_PORT, ACPI_PM_RESET_VALUE);
    }
    spin(vcpu, exit);
}

/* Resets, three times; then leaves by the test-exit port. */
static void reset_thrice(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (vcpu->index == 0 && vcpu->state.gpr[X86_RDI] == 0) {
        vcpu->state.gpr[X86_RDI] = 1; /* machine_reset() must undo it */
        if (__atomic_add_fetch(&vcpu->vm->runs, 1, __ATOMIC_RELAXED) <= 3) {
            out(vcpu, ACPI_PM_RESET_PORT, ACPI_PM_RESET_VALUE);
        } else {
            out(vcpu, TEST_EXIT_PORT, 4);
        }
    }
    spin(vcpu, exit);
}

static void test_exit_7(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (first(vcpu)) {
        out(vcpu, TEST_EXIT_PORT, 7);
        out(vcpu, TEST_EXIT_PORT, 8); /* the first counts */
    }
    spin(vcpu, exit);
}

static void test_exit_255(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (first(vcpu)) {
        out(vcpu, TEST_EXIT_PORT, 255);
    }
    spin(vcpu, exit);
}

static void triple_fault(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (first(vcpu)) {
        exit->reason = VCPU_EXIT_SHUTDOWN;
    } else {
        spin(vcpu, exit);
    }
}

static void defect(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (first(vcpu)) {
        *exit = (VcpuExit){ .reason = VCPU_EXIT_ERROR, .message = "of the script" };
    } else {
        spin(vcpu, exit);
    }
}

/* Hits each breakpoint that is set as often as it runs; without one it spins. */
static void hit_breakpoints(EngineVcpu *vcpu, VcpuExit *exit)
{
    if (vcpu->index == 0 && (vcpu->debug.n_points || vcpu->debug.step)) {
        *exit = (VcpuExit){ .reason = VCPU_EXIT_DEBUG,
                            .debug = vcpu->debug.step ? DEBUG_STEP : DEBUG_BREAKPOINT,
                            .address = vcpu->debug.points[0].gva };
    } else {
        spin(vcpu, exit);
    }
}

static const struct {
    const char *name;
    void (*script)(EngineVcpu *vcpu, VcpuExit *exit);
} scripts[] = {
    { "spin", spin },
    { "power-off", power_off },
    { "reset-for-ever", reset_for_ever },
    { "reset-thrice", reset_thrice },
    { "test-exit-7", test_exit_7 },
    { "test-exit-255", test_exit_255 },
    { "triple-fault", triple_fault },
    { "defect", defect },
    { "breakpoints", hit_breakpoints },
};

/* ---- the engine ---- */

static EngineVm *fake_vm_new(const EngineConfig *config, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(scripts); i++) {
        if (!g_strcmp0(scripts[i].name, config->cpu_model)) {
            EngineVm *vm = g_new0(EngineVm, 1);
            vm->memory = config->memory;
            vm->script = scripts[i].script;
            return vm;
        }
    }
    set_error_code(error, INSULA_ERROR_USAGE, "no such script");
    return NULL;
}

static void fake_vm_free(EngineVm *vm)
{
    g_free(vm);
}

static uint64_t fake_tsc_khz(EngineVm *vm)
{
    return 1000000;
}

static void fake_msi(EngineVm *vm, uint64_t address, uint32_t data)
{
}

static void fake_extint(EngineVm *vm, bool raised)
{
}

static EngineVcpu *fake_vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    EngineVcpu *vcpu = g_new0(EngineVcpu, 1);

    vcpu->vm = vm;
    vcpu->index = index;
    g_mutex_init(&vcpu->mutex);
    g_cond_init(&vcpu->cond);
    return vcpu;
}

static void fake_vcpu_free(EngineVcpu *vcpu)
{
    g_mutex_clear(&vcpu->mutex);
    g_cond_clear(&vcpu->cond);
    g_free(vcpu);
}

static void fake_run(EngineVcpu *vcpu, VcpuExit *exit)
{
    vcpu->runs++;
    vcpu->vm->script(vcpu, exit);
}

static void fake_kick(EngineVcpu *vcpu)
{
    g_mutex_lock(&vcpu->mutex);
    vcpu->kicked = true;
    g_cond_signal(&vcpu->cond);
    g_mutex_unlock(&vcpu->mutex);
}

static bool fake_get(EngineVcpu *vcpu, X86State *ret_state, GError **error)
{
    *ret_state = vcpu->state;
    return true;
}

static bool fake_set(EngineVcpu *vcpu, const X86State *state, GError **error)
{
    vcpu->state = *state;
    return true;
}

static bool fake_debug(EngineVcpu *vcpu, const DebugConfig *config, GError **error)
{
    vcpu->debug = config ? *config : (DebugConfig){ 0 };
    return true;
}

static bool fake_translate(EngineVcpu *vcpu, uint64_t gva, uint64_t *ret_gpa)
{
    *ret_gpa = gva;
    return true;
}

static void fake_stats(EngineVcpu *vcpu, VcpuStats *ret_stats)
{
    *ret_stats = (VcpuStats){ .instructions = 5 };
}

static void fake_cpuid(EngineVcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4])
{
    memset(ret_regs, 0, 4 * sizeof(ret_regs[0]));
}

static const Engine fake_engine = {
    .name = "fake",
    .vm_new = fake_vm_new,
    .vm_free = fake_vm_free,
    .vm_tsc_khz = fake_tsc_khz,
    .vm_msi = fake_msi,
    .vm_extint = fake_extint,
    .vcpu_new = fake_vcpu_new,
    .vcpu_free = fake_vcpu_free,
    .vcpu_run = fake_run,
    .vcpu_kick = fake_kick,
    .vcpu_get_state = fake_get,
    .vcpu_set_state = fake_set,
    .vcpu_set_debug = fake_debug,
    .vcpu_translate = fake_translate,
    .vcpu_cpuid = fake_cpuid,
    .vcpu_stats = fake_stats,
};

/* ---- machines ---- */

/* A kernel that the loader takes: one segment at 1 MiB, and the note with the PVH entry. */
static char *make_kernel(void)
{
    enum { SEGMENT = 0x1000, NOTE = 0x800, GPA = 0x100000 };
    uint8_t image[SEGMENT + 64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
    g_autoptr(GError) error = NULL;
    char *path = NULL;
    int fd = g_file_open_tmp("insula-kernel-XXXXXX", &path, &error);

    g_assert_no_error(error);
    g_close(fd, NULL);
    store_le32(image + 16, 62 << 16 | 2);
    store_le32(image + 20, 1);
    store_le64(image + 24, GPA);
    store_le64(image + 32, 64);
    store_le32(image + 52, 56 << 16 | 64);
    store_le16(image + 56, 2);
    uint8_t *load = image + 64, *note = load + 56;
    store_le32(load, 1);
    store_le32(load + 4, 7);
    store_le64(load + 8, SEGMENT);
    store_le64(load + 16, GPA);
    store_le64(load + 24, GPA);
    store_le64(load + 32, 64);
    store_le64(load + 40, 64);
    store_le32(note, 4);
    store_le64(note + 8, NOTE);
    store_le64(note + 32, 20);
    store_le64(note + 40, 20);
    store_le32(image + NOTE, 4);
    store_le32(image + NOTE + 4, 4);
    store_le32(image + NOTE + 8, 18);
    memcpy(image + NOTE + 12, "Xen", 4);
    store_le32(image + NOTE + 16, GPA);
    g_file_set_contents(path, (const char *)image, sizeof(image), &error);
    g_assert_no_error(error);
    return path;
}

static Vm *make_config(const char *script, unsigned cpus, bool no_reboot, bool paused)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *kernel = make_kernel();

    config->kernel = g_strdup(kernel);
    config->cpu_model = g_strdup(script);
    config->cpus = cpus;
    config->machine = g_strdup("micro");
    config->memory = UINT64_C(32) << 20;
    config->no_reboot = no_reboot;
    config->paused = paused;
    config->serial.kind = SERIAL_NONE;
    Vm *vm = vm_new(config, &fake_engine, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(vm_open(vm, &error));
    g_unlink(kernel);
    return vm;
}

static Vm *make(const char *script, unsigned cpus, bool no_reboot)
{
    return make_config(script, cpus, no_reboot, false);
}

static const struct {
    const char *script;
    unsigned cpus;
    bool no_reboot;
    Status status;
} ends[] = {
    { "power-off", 1, false, STATUS_DONE },        { "power-off", 4, true, STATUS_DONE },
    { "reset-for-ever", 1, true, STATUS_DONE },    { "reset-thrice", 1, false, STATUS_TEST + 4 },
    { "reset-thrice", 3, false, STATUS_TEST + 4 }, { "test-exit-7", 1, false, STATUS_TEST + 7 },
    { "test-exit-7", 2, true, STATUS_TEST + 7 },   { "test-exit-255", 1, false, 255 },
    { "triple-fault", 1, false, STATUS_CRASHED },  { "triple-fault", 2, false, STATUS_CRASHED },
    { "defect", 2, false, STATUS_FAILED },
};

static void test_ends(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autoptr(Vm) vm = make(ends[i].script, ends[i].cpus, ends[i].no_reboot);
        int number = -1;
        g_test_message("%s, %u vCPUs", ends[i].script, ends[i].cpus);
        Status status = vm_run(vm, &number);
        g_assert_cmpint(status, ==, ends[i].status);
        g_assert_cmpint(number, ==, 0);
    }
}

static gboolean send_signal(gpointer data)
{
    vm_end_by_signal(data, SIGTERM);
    return G_SOURCE_REMOVE;
}

static void test_signal(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    int number = 0;

    g_idle_add(send_signal, vm);
    vm_run(vm, &number);
    g_assert_cmpint(number, ==, SIGTERM);
}

/* ---- a debugger ---- */

typedef struct Watcher {
    Vm *vm;
    GString *seen;
    unsigned stops;
} Watcher;

static void on_ended(void *opaque, int status)
{
    Watcher *watcher = opaque;

    g_string_append_printf(watcher->seen, "ended %d;", status);
}

static gboolean halt(gpointer data)
{
    vm_halt(data);
    return G_SOURCE_REMOVE;
}

/* A breakpoint, a step, on and halt, and the end. */
static void on_stopped(void *opaque, const GdbStop *stop)
{
    const GdbResume step[2] = { GDB_STEP, GDB_STAY };
    const GdbResume go[2] = { GDB_GO, GDB_GO };
    Watcher *watcher = opaque;

    g_string_append_printf(watcher->seen, "cpu %u signal %d debug %d reason %d at %x;", stop->cpu,
                           stop->signal, stop->debug, stop->reason, (unsigned)stop->address);
    switch (watcher->stops++) {
    case 0:
        vm_debug_go(watcher->vm, step, NULL, 0);
        break;
    case 1:
        g_idle_add(halt, watcher->vm);
        vm_debug_go(watcher->vm, go, NULL, 0);
        break;
    default:
        vm_end(watcher->vm, STATUS_DONE);
        break;
    }
}

static gboolean attach(gpointer data)
{
    static const DebugPoint point = { .gva = 0x1234, .size = 1, .execute = true };
    const GdbResume go[2] = { GDB_GO, GDB_GO };
    Watcher *watcher = data;
    const VmDebugger debugger = { watcher, on_stopped, on_ended };

    g_assert_true(vm_halt_now(watcher->vm));
    vm_set_debugger(watcher->vm, &debugger);
    vm_debug_go(watcher->vm, go, &point, 1);
    return G_SOURCE_REMOVE;
}

static void test_debugger(void)
{
    g_autoptr(Vm) vm = make("breakpoints", 2, false);
    Watcher watcher = { .vm = vm, .seen = g_string_new(NULL) };
    int number = 0;

    g_idle_add(attach, &watcher);
    vm_run(vm, &number);
    g_assert_cmpstr(watcher.seen->str, ==,
                    "cpu 0 signal 5 debug 1 reason 1 at 1234;"
                    "cpu 0 signal 5 debug 1 reason 0 at 0;"
                    "cpu 0 signal 2 debug 0 reason 0 at 0;"
                    "ended 0;");
    g_string_free(watcher.seen, TRUE);
}

/* A debugger that hangs up while the stop it asked for is on its way. */
static gboolean halt_and_leave(gpointer data)
{
    Watcher *watcher = data;
    const VmDebugger debugger = { watcher, on_stopped, on_ended };

    vm_set_debugger(watcher->vm, &debugger);
    vm_halt(watcher->vm);
    vm_set_debugger(watcher->vm, NULL);
    g_assert_true(vm_halt_now(watcher->vm));
    vm_debug_go_all(watcher->vm);
    g_idle_add(send_signal, watcher->vm);
    return G_SOURCE_REMOVE;
}

static void test_debugger_leaves(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    Watcher watcher = { .vm = vm, .seen = g_string_new(NULL) };
    int number = 0;

    g_idle_add(halt_and_leave, &watcher);
    vm_run(vm, &number);
    g_assert_cmpint(number, ==, SIGTERM);
    g_assert_cmpstr(watcher.seen->str, ==, "");
    g_string_free(watcher.seen, TRUE);
}

static void on_crash_stopped(void *opaque, const GdbStop *stop)
{
    Watcher *watcher = opaque;

    g_string_append_printf(watcher->seen, "signal %d;", stop->signal);
    vm_debug_go_all(watcher->vm);
}

static gboolean attach_for_crash(gpointer data)
{
    Watcher *watcher = data;
    const VmDebugger debugger = { watcher, on_crash_stopped, on_ended };

    vm_set_debugger(watcher->vm, &debugger);
    return G_SOURCE_REMOVE;
}

/* A debugger sees the crash first; the machine ends when it lets go. */
static void test_debugger_crash(void)
{
    g_autoptr(Vm) vm = make("triple-fault", 1, false);
    Watcher watcher = { .vm = vm, .seen = g_string_new(NULL) };
    int number = 0;

    attach_for_crash(&watcher);
    g_assert_cmpint(vm_run(vm, &number), ==, STATUS_CRASHED);
    g_assert_cmpstr(watcher.seen->str, ==, "signal 11;ended 3;");
    g_string_free(watcher.seen, TRUE);
}

/* ---- pause and resume ---- */

typedef struct PauseRun {
    Vm *vm;
    GString *seen;
    unsigned paused;
} PauseRun;

/* What it is told; after the first pause it looks whether time stands, resets, and goes on. */
static void on_notice(void *opaque, const VmNotice *notice)
{
    static const char *const names[] = {
        [VM_NOTICE_PAUSED] = "paused", [VM_NOTICE_RESUMED] = "resumed",
        [VM_NOTICE_RESET] = "reset",   [VM_NOTICE_POWER_BUTTON] = "button",
        [VM_NOTICE_ENDED] = "ended",
    };
    PauseRun *run = opaque;

    g_string_append_printf(run->seen, "%s %s;", names[notice->kind],
                           vm_state_name(vm_state(run->vm)));
    if (notice->kind == VM_NOTICE_PAUSED && !run->paused++) {
        g_autofree char *before = vm_status_line(run->vm);
        g_usleep(150000); /* longer than the line's unit of time */
        g_autofree char *after = vm_status_line(run->vm);
        g_assert_cmpstr(before, ==, after);
        g_assert_nonnull(strstr(after, "0 of 2 vCPUs run"));
        vm_reset(run->vm);
    } else if (notice->kind == VM_NOTICE_RESET) {
        vm_resume(run->vm);
        vm_power_button(run->vm);
        vm_pause_now(run->vm, VM_PAUSED);
        vm_resume(run->vm);
        vm_end(run->vm, STATUS_DONE);
    }
}

static gboolean pause_twice(gpointer data)
{
    vm_pause(data, VM_IO_ERROR);
    vm_pause(data, VM_PAUSED); /* the first reason holds */
    return G_SOURCE_REMOVE;
}

static void test_pause(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    PauseRun run = { .vm = vm, .seen = g_string_new(NULL) };
    const VmObserver observer = { &run, on_notice };
    int number = 0;

    vm_observe(vm, &observer);
    g_idle_add(pause_twice, vm);
    g_assert_cmpint(vm_run(vm, &number), ==, STATUS_DONE);
    g_assert_cmpstr(run.seen->str, ==,
                    "paused io-error;reset io-error;resumed running;button running;"
                    "paused paused;resumed running;ended running;");
    g_string_free(run.seen, TRUE);
}

/* A machine that is taken back before the main thread has looked runs on. */
static gboolean pause_and_resume(gpointer data)
{
    PauseRun *run = data;

    vm_pause(run->vm, VM_PAUSED);
    vm_resume(run->vm);
    g_idle_add(send_signal, run->vm);
    return G_SOURCE_REMOVE;
}

static void test_pause_taken_back(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    PauseRun run = { .vm = vm, .seen = g_string_new(NULL) };
    const VmObserver observer = { &run, on_notice };
    int number = 0;

    vm_observe(vm, &observer);
    g_idle_add(pause_and_resume, &run);
    vm_run(vm, &number);
    g_assert_cmpint(number, ==, SIGTERM);
    g_assert_cmpstr(run.seen->str, ==, "ended running;");
    g_string_free(run.seen, TRUE);
}

/* What the guest does next happens after the machine was resumed, and not before. */
static gboolean resume_later(gpointer data)
{
    PauseRun *run = data;

    g_assert_cmpint(vm_state(run->vm), ==, VM_PRELAUNCH);
    run->paused = 1;
    vm_resume(run->vm);
    return G_SOURCE_REMOVE;
}

static void test_start_paused(void)
{
    g_autoptr(Vm) vm = make_config("power-off", 2, false, true);
    PauseRun run = { .vm = vm };
    int number = 0;

    g_timeout_add(20, resume_later, &run);
    g_assert_cmpint(vm_run(vm, &number), ==, STATUS_DONE);
    g_assert_cmpuint(run.paused, ==, 1);
}

/* A debugger's orders are followed when the machine is resumed, not while it is paused. */
static void on_stopped_paused(void *opaque, const GdbStop *stop)
{
    const GdbResume go[2] = { GDB_GO, GDB_GO };
    Watcher *watcher = opaque;

    g_string_append_printf(watcher->seen, "signal %d %s;", stop->signal,
                           vm_state_name(vm_state(watcher->vm)));
    if (!watcher->stops++) {
        vm_pause_now(watcher->vm, VM_PAUSED);
        g_idle_add(halt, watcher->vm);
        vm_debug_go(watcher->vm, go, NULL, 0);
        g_autofree char *line = vm_status_line(watcher->vm);
        g_assert_nonnull(strstr(line, "0 of 2 vCPUs run"));
    } else {
        vm_resume(watcher->vm);
        g_assert_cmpint(vm_state(watcher->vm), ==, VM_DEBUG);
        vm_end(watcher->vm, STATUS_DONE);
    }
}

static gboolean attach_for_pause(gpointer data)
{
    Watcher *watcher = data;
    const VmDebugger debugger = { watcher, on_stopped_paused, on_ended };

    vm_set_debugger(watcher->vm, &debugger);
    vm_halt(watcher->vm);
    return G_SOURCE_REMOVE;
}

static void test_pause_debugged(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    Watcher watcher = { .vm = vm, .seen = g_string_new(NULL) };
    int number = 0;

    g_idle_add(attach_for_pause, &watcher);
    vm_run(vm, &number);
    g_assert_cmpstr(watcher.seen->str, ==, "signal 2 debug;signal 2 paused;ended 0;");
    g_string_free(watcher.seen, TRUE);
}

static void test_status_line(void)
{
    g_autoptr(Vm) vm = make("spin", 2, false);
    g_autofree char *line = vm_status_line(vm);

    g_assert_cmpstr(line, ==,
                    "micro: engine fake, 0 of 2 vCPUs run, 0.0 s, 10 instructions, 0 exits");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vm/ends", test_ends);
    g_test_add_func("/vm/signal", test_signal);
    g_test_add_func("/vm/debugger", test_debugger);
    g_test_add_func("/vm/debugger-leaves", test_debugger_leaves);
    g_test_add_func("/vm/debugger-crash", test_debugger_crash);
    g_test_add_func("/vm/pause", test_pause);
    g_test_add_func("/vm/pause-taken-back", test_pause_taken_back);
    g_test_add_func("/vm/start-paused", test_start_paused);
    g_test_add_func("/vm/pause-debugged", test_pause_debugged);
    g_test_add_func("/vm/status-line", test_status_line);
    return g_test_run();
}
