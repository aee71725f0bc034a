/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine, see vm.h.
 */
#include "vm/vm.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "block/aio.h"
#include "block/block.h"
#include "common/clock.h"
#include "common/confine.h"
#include "common/error.h"
#include "common/log.h"
#include "config/identity.h"
#include "config/limits.h"
#include "machine/virtio/balloon.h"
#include "vm/disks.h"
#include "vm/gdb_server.h"
#include "vm/network.h"
#include "vm/report.h"
#include "vm/save.h"
#include "vm/screen.h"
#include "vm/stream.h"
#include "vm/terminal.h"

_Static_assert((int)CONFIG_CPUS_MAX == (int)ENGINE_MAX_CPUS, "config/limits.h says the same");

/* A vCPU leaves vcpu_run within microseconds of a kick; one that needs longer has hung. */
enum { PARK_SECONDS = 10, DISK_NAME_MAX = 32 };
/* Moves of trays that wait to be told: a guest can make them faster than anybody listens. */
enum { TRAY_MOVES_MAX = 64 };

/* Of each machine: what a guest sees of it never changes under the same number. */
enum { BOARD_VERSION = 1 };

/* Network links of a restored machine are down for some time, and longer until the guest has seen
 * it, if it looks at all. */
enum { LINK_DOWN_MS = 200, LINK_DOWN_TIMES = 150 };

typedef enum EventKind {
    EVENT_NONE,
    EVENT_POWER_OFF,
    EVENT_RESET,
    EVENT_TEST_EXIT,
    EVENT_PANIC, /* the guest's kernel says so */
    EVENT_WATCHDOG,
    EVENT_CRASH,      /* triple fault */
    EVENT_ERROR,      /* an engine can't go on */
    EVENT_DIFFERENCE, /* an engine found that it does something wrong */
    EVENT_DEBUG,      /* a point, the end of a step, or vm_halt() */
    EVENT_END,        /* vm_end() */
} EventKind;

typedef struct Event {
    EventKind kind;
    uint8_t value; /* of EVENT_TEST_EXIT */
    Status status; /* of EVENT_END */
    int signal;    /* of EVENT_END: that asked for it, or 0 */
    VmCause cause; /* of EVENT_RESET and EVENT_END */
    GdbStop stop;  /* of EVENT_DEBUG; .cpu of the others */
    char message[sizeof(((VcpuExit *)NULL)->message)];
    const char *report; /* of EVENT_DIFFERENCE */
} Event;

typedef struct VmCpu {
    /* fixed after create */
    Vm *vm;
    unsigned index;
    EngineVcpu *vcpu;
    GThread *thread;
    int thread_id; /* atomic; as this process knows it, 0 before it runs */
    /* lock: vm->mutex */
    GdbResume wanted; /* by the debugger, or whoever else lets it run */
    GdbResume order;  /* that, unless the machine is paused or an event waits to be acted on */
    bool standing;
} VmCpu;

struct Vm {
    /* fixed after create */
    char *name;
    bool no_reboot;
    WatchdogAction watchdog;
    const Engine *engine;
    Outside *outside; /* NULL: the process has no keeper */
    GdbConfig gdb_config;
    StateIdentity identity;
    bool deferred;   /* the machine waits for its state, or has waited */
    char *save_path; /* of --save, or NULL */
    Log log;
    Clock *clock;
    BlkAio *aio;         /* of all disks */
    GPtrArray *disks;    /* of Blk */
    GHashTable *plugged; /* of Blk, by the names of disks that were plugged in */
    GPtrArray *networks; /* of Network */
    GPtrArray *forwards; /* of ForwardConfig */
    Stream *serial, *console;
    Display *display;
    Input *input;
    ScreenConfig screen_config; /* its strings are ours */
    int raw_fd;                 /* the terminal that the guest gets, or -1 */
    Machine *machine;
    unsigned n_cpus;
    VmCpu cpus[ENGINE_MAX_CPUS];
    GMainLoop *loop;
    /* main thread only */
    StateFile *restored;      /* that the machine goes on from, or NULL */
    VmState before;           /* it was saved */
    bool go_later;            /* when its state has come */
    unsigned link_down_times; /* LINK_DOWN_MS that the cables are out */
    GdbServer *gdb;
    Screen *screen;
    VmDebugger debugger;
    bool debugged; /* .debugger is set */
    bool crashed;  /* a debugger looks at a machine that can't go on */
    VmObserver observer;
    VmState told_state;   /* what .observer knows */
    uint64_t told_actual; /* the same, of the balloon */
    Status status;        /* of the end */
    int end_signal;
    /* lock: mutex */
    GMutex mutex;
    GCond order_changed, stands;
    bool quit; /* threads end */
    Event event;
    bool ballooned;   /* atomic: the main thread will tell of it */
    bool event_told;  /* the main thread will look */
    VmState state;    /* VM_RUNNING, or why it is paused */
    bool disk_failed; /* the main thread will tell of .disk_error */
    DiskError disk_error;
    char disk_name[DISK_NAME_MAX];
    GPtrArray *trays; /* "+NAME" has opened, "-NAME" closed; NULL: nothing is to be told */
};

/* ---- orders and events; any thread ---- */

/* Called with the lock held. */
static void order_all(Vm *vm, GdbResume order)
{
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        vm->cpus[i].order = order;
        if (order == GDB_STAY) {
            vm->engine->vcpu_kick(vm->cpus[i].vcpu);
        }
    }
    g_cond_broadcast(&vm->order_changed);
}

static gboolean act(gpointer data);

/* Note what happened, or that the machine shall be paused, stop all vCPUs, and have the main
 * thread act.  The first event counts, but an end is stronger; so does the first state. */
static void note_both(Vm *vm, const Event *event, VmState state)
{
    g_mutex_lock(&vm->mutex);
    if (vm->event.kind == EVENT_NONE || event->kind == EVENT_END) {
        vm->event = *event;
    }
    if (vm->state == VM_RUNNING) {
        vm->state = state;
    }
    order_all(vm, GDB_STAY);
    bool tell = !vm->event_told;
    vm->event_told = true;
    g_mutex_unlock(&vm->mutex);
    if (tell) {
        g_idle_add_full(G_PRIORITY_HIGH, act, vm, NULL);
    }
}

static void note(Vm *vm, const Event *event)
{
    note_both(vm, event, VM_RUNNING);
}

void vm_pause(Vm *vm, VmState reason)
{
    const Event none = { .kind = EVENT_NONE };

    note_both(vm, &none, reason);
}

void vm_reset(Vm *vm)
{
    const Event event = { .kind = EVENT_RESET, .cause = VM_CAUSE_ASKED_RESET };

    note(vm, &event);
}

static void on_power(void *opaque, MachinePower what, uint8_t value)
{
    static const EventKind kinds[] = {
        [MACHINE_POWER_OFF] = EVENT_POWER_OFF,       [MACHINE_POWER_RESET] = EVENT_RESET,
        [MACHINE_POWER_PANIC] = EVENT_PANIC,         [MACHINE_POWER_WATCHDOG] = EVENT_WATCHDOG,
        [MACHINE_POWER_TEST_EXIT] = EVENT_TEST_EXIT,
    };
    Event event = { .kind = kinds[what], .value = value, .cause = VM_CAUSE_GUEST_RESET };

    note(opaque, &event);
}

static gboolean act_released(gpointer data);

static void on_released(void *opaque)
{
    g_idle_add_full(G_PRIORITY_HIGH, act_released, opaque, NULL);
}

static gboolean act_ballooned(gpointer data);

/* With a device's lock held: the guest may do so as often as it likes, the main thread is told of
 * it once. */
static void on_ballooned(void *opaque)
{
    Vm *vm = opaque;

    if (!__atomic_exchange_n(&vm->ballooned, true, __ATOMIC_SEQ_CST)) {
        g_idle_add(act_ballooned, vm);
    }
}

void vm_quit(Vm *vm)
{
    Event event = { .kind = EVENT_END, .status = STATUS_DONE, .cause = VM_CAUSE_ASKED_QUIT };

    note(vm, &event);
}

void vm_end(Vm *vm, Status status)
{
    Event event = { .kind = EVENT_END, .status = status, .cause = VM_CAUSE_PERSON };

    note(vm, &event);
}

void vm_end_by_signal(Vm *vm, int number)
{
    Event event = {
        .kind = EVENT_END, .status = STATUS_FAILED, .signal = number, .cause = VM_CAUSE_SIGNAL
    };

    note(vm, &event);
}

void vm_halt(Vm *vm)
{
    Event event = { .kind = EVENT_DEBUG, .stop = { .signal = GDB_SIGINT } };

    note(vm, &event);
}

/* ---- vCPU threads ---- */

static void on_exit_of_run(VmCpu *cpu, const VcpuExit *exit)
{
    Event event = { .stop = { .cpu = cpu->index, .signal = GDB_SIGTRAP } };

    switch (exit->reason) {
    case VCPU_EXIT_KICKED:
        return;
    case VCPU_EXIT_SHUTDOWN:
        event.kind = EVENT_CRASH;
        event.stop.signal = GDB_SIGSEGV;
        break;
    case VCPU_EXIT_DEBUG:
        event.kind = EVENT_DEBUG;
        event.stop.debug = true;
        event.stop.reason = exit->debug;
        event.stop.address = exit->address;
        break;
    case VCPU_EXIT_ERROR:
        event.kind = EVENT_ERROR;
        g_strlcpy(event.message, exit->message, sizeof(event.message));
        break;
    case VCPU_EXIT_DIFFERENCE:
        event.kind = EVENT_DIFFERENCE;
        event.report = exit->report;
        break;
    }
    note(cpu->vm, &event);
}

/* Wait for an order to run; false: the thread shall end. */
static bool wait_for_order(VmCpu *cpu)
{
    Vm *vm = cpu->vm;

    g_mutex_lock(&vm->mutex);
    while (!vm->quit && cpu->order == GDB_STAY) {
        cpu->standing = true;
        g_cond_broadcast(&vm->stands);
        g_cond_wait(&vm->order_changed, &vm->mutex);
    }
    bool run = !vm->quit;
    cpu->standing = !run;
    g_cond_broadcast(&vm->stands);
    g_mutex_unlock(&vm->mutex);
    return run;
}

static gpointer cpu_main(gpointer data)
{
    VmCpu *cpu = data;

    confine_thread(THREAD_VCPU);
    __atomic_store_n(&cpu->thread_id, (int)gettid(), __ATOMIC_RELAXED);
    while (wait_for_order(cpu)) {
        VcpuExit exit = { 0 };
        cpu->vm->engine->vcpu_run(cpu->vcpu, &exit);
        on_exit_of_run(cpu, &exit);
    }
    return NULL;
}

/* ---- the main thread: standing and going ---- */

/* Wait until all vCPUs stand, as they were told to. */
static bool wait_for_stand(Vm *vm)
{
    int64_t until_us = g_get_monotonic_time() + PARK_SECONDS * G_TIME_SPAN_SECOND;
    bool all = true;

    g_mutex_lock(&vm->mutex);
    for (unsigned i = 0; i < vm->n_cpus && all; i++) {
        while (!vm->cpus[i].standing && all) {
            all = g_cond_wait_until(&vm->stands, &vm->mutex, until_us);
        }
    }
    g_mutex_unlock(&vm->mutex);
    if (all) {
        clock_pause(vm->clock);
    }
    return all;
}

static bool halt_all(Vm *vm)
{
    g_mutex_lock(&vm->mutex);
    order_all(vm, GDB_STAY);
    g_mutex_unlock(&vm->mutex);
    return wait_for_stand(vm);
}

static void stand_or_die(Vm *vm)
{
    if (!halt_all(vm)) {
        report("a vCPU doesn't stop: this is a defect of engine %s; ending", vm->engine->name);
        terminal_restore();
        _exit(STATUS_FAILED); /* its thread can't be joined, nor its memory freed */
    }
}

/* Whether any vCPU is to run now.  Called with the lock held. */
static bool may_go(const Vm *vm)
{
    bool wanted = false;

    for (unsigned i = 0; i < vm->n_cpus; i++) {
        wanted |= vm->cpus[i].wanted != GDB_STAY;
    }
    return wanted && vm->state == VM_RUNNING && vm->event.kind == EVENT_NONE;
}

/* Let the vCPUs run that are wanted to, unless the machine is paused. */
static void go_as_wanted(Vm *vm)
{
    g_mutex_lock(&vm->mutex);
    bool go = may_go(vm);
    g_mutex_unlock(&vm->mutex);
    if (!go) {
        return;
    }
    clock_resume(vm->clock);
    g_mutex_lock(&vm->mutex);
    /* if something came in between, act() is on its way and stops the clock again */
    for (unsigned i = 0; i < vm->n_cpus && may_go(vm); i++) {
        vm->cpus[i].order = vm->cpus[i].wanted;
        /* from now on it counts as running, or a stop that comes at once would take it for
         * standing before its thread has seen the order */
        vm->cpus[i].standing &= vm->cpus[i].order == GDB_STAY;
    }
    g_cond_broadcast(&vm->order_changed);
    g_mutex_unlock(&vm->mutex);
}

/* What each vCPU is wanted to do from now on; @how NULL: @all of them the same. */
static void want(Vm *vm, const GdbResume *how, GdbResume all)
{
    g_mutex_lock(&vm->mutex);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        vm->cpus[i].wanted = how ? how[i] : all;
    }
    g_mutex_unlock(&vm->mutex);
}

bool vm_halt_now(Vm *vm)
{
    want(vm, NULL, GDB_STAY);
    return halt_all(vm);
}

static void order_go(Vm *vm, const GdbResume *how)
{
    want(vm, how, GDB_GO);
    go_as_wanted(vm);
}

/* ---- pause and resume ---- */

static void tell(Vm *vm, VmNoticeKind kind, VmCause cause)
{
    const VmNotice notice = { .kind = kind, .cause = cause, .watchdog = vm->watchdog };

    if (vm->observer.notice) {
        vm->observer.notice(vm->observer.opaque, &notice);
    }
}

/* Tell the observer if the machine is paused now and wasn't, or the other way round. */
static void tell_state_is(Vm *vm, VmState now)
{
    VmState before = vm->told_state;

    vm->told_state = now;
    if ((before == VM_RUNNING) != (now == VM_RUNNING)) {
        tell(vm, now == VM_RUNNING ? VM_NOTICE_RESUMED : VM_NOTICE_PAUSED, VM_CAUSE_NONE);
    }
}

static void tell_state(Vm *vm)
{
    g_mutex_lock(&vm->mutex);
    VmState now = vm->state;
    g_mutex_unlock(&vm->mutex);
    tell_state_is(vm, now);
}

void vm_pause_now(Vm *vm, VmState reason)
{
    vm_pause(vm, reason);
    stand_or_die(vm);
    tell_state(vm);
}

static void set_state(Vm *vm, VmState state)
{
    g_mutex_lock(&vm->mutex);
    vm->state = state;
    g_mutex_unlock(&vm->mutex);
    tell_state_is(vm, state); /* even if a disk has just paused it again: that is told next */
    go_as_wanted(vm);
}

void vm_resume(Vm *vm)
{
    VmState state = vm_state(vm);

    vm->go_later |= state == VM_RESTORING;
    if (state != VM_RESTORING && state != VM_SAVING) {
        set_state(vm, VM_RUNNING);
        machine_retry_disks(vm->machine);
    }
}

/* Tell of the disk that has failed. */
static gboolean tell_disk_error(gpointer data)
{
    Vm *vm = data;
    char name[DISK_NAME_MAX];

    g_mutex_lock(&vm->mutex);
    DiskError error = vm->disk_error;
    memcpy(name, vm->disk_name, sizeof(name));
    vm->disk_failed = false;
    g_mutex_unlock(&vm->mutex);
    error.device = name;
    disks_report(&error);
    const VmNotice notice = { .kind = VM_NOTICE_DISK_ERROR, .disk = &error };
    if (vm->observer.notice) {
        vm->observer.notice(vm->observer.opaque, &notice);
    }
    return G_SOURCE_REMOVE;
}

/* On the I/O thread.  While one error waits to be told, others are not. */
static void on_disk_error(void *opaque, const DiskError *error)
{
    Vm *vm = opaque;

    g_mutex_lock(&vm->mutex);
    bool tell_it = !vm->disk_failed;
    if (tell_it || error->action == DISK_ON_ERROR_STOP) {
        vm->disk_error = *error;
        g_strlcpy(vm->disk_name, error->device, sizeof(vm->disk_name));
    }
    vm->disk_failed = true;
    g_mutex_unlock(&vm->mutex);
    /* the cause is told before the pause, as QEMU does */
    if (tell_it) {
        g_idle_add_full(G_PRIORITY_HIGH, tell_disk_error, vm, NULL);
    }
    if (error->action == DISK_ON_ERROR_STOP) {
        vm_pause(vm, VM_IO_ERROR);
    }
}

/* Tell of trays that have moved. */
static gboolean tell_trays(gpointer data)
{
    Vm *vm = data;

    g_mutex_lock(&vm->mutex);
    g_autoptr(GPtrArray) moves = g_steal_pointer(&vm->trays);
    g_mutex_unlock(&vm->mutex);
    for (guint i = 0; moves && i < moves->len; i++) {
        const char *move = g_ptr_array_index(moves, i);
        const VmNotice notice = { .kind = VM_NOTICE_TRAY,
                                  .device = move + 1,
                                  .tray_open = *move == '+' };
        if (vm->observer.notice) {
            vm->observer.notice(vm->observer.opaque, &notice);
        }
    }
    return G_SOURCE_REMOVE;
}

/* On the I/O thread, or the main thread; with the drive's lock held. */
static void on_tray(void *opaque, const char *drive, bool open)
{
    Vm *vm = opaque;

    g_mutex_lock(&vm->mutex);
    if (!vm->trays) {
        vm->trays = g_ptr_array_new_with_free_func(g_free);
        g_idle_add_full(G_PRIORITY_HIGH, tell_trays, vm, NULL);
    }
    if (vm->trays->len < TRAY_MOVES_MAX) {
        g_ptr_array_add(vm->trays, g_strconcat(open ? "+" : "-", drive, NULL));
    }
    g_mutex_unlock(&vm->mutex);
}

VmState vm_state(Vm *vm)
{
    bool wanted = false;

    g_mutex_lock(&vm->mutex);
    VmState state = vm->state;
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        wanted |= vm->cpus[i].wanted != GDB_STAY;
    }
    g_mutex_unlock(&vm->mutex);
    return state == VM_RUNNING && !wanted ? VM_DEBUG : state;
}

const char *vm_state_name(VmState state)
{
    static const char *const names[] = {
        [VM_RUNNING] = "running",
        [VM_PAUSED] = "paused",
        [VM_PRELAUNCH] = "prelaunch",
        [VM_IO_ERROR] = "io-error",
        [VM_GUEST_PANICKED] = "guest-panicked",
        [VM_INTERNAL_ERROR] = "internal-error",
        [VM_WATCHDOG] = "watchdog",
        [VM_SAVING] = "finish-migrate",
        [VM_SAVED] = "postmigrate",
        [VM_RESTORING] = "inmigrate",
        [VM_DEBUG] = "debug",
    };

    return names[state];
}

void vm_observe(Vm *vm, const VmObserver *observer)
{
    vm->observer = observer ? *observer : (VmObserver){ 0 };
}

void vm_power_button(Vm *vm)
{
    tell(vm, VM_NOTICE_POWER_BUTTON, VM_CAUSE_NONE);
    machine_power_button(vm->machine);
}

/* ---- cards that come and go ---- */

bool vm_plug(Vm *vm, const MachinePlug *plug, GError **error)
{
    stand_or_die(vm);
    bool done = machine_plug(vm->machine, plug, error);
    if (done && plug->kind == MACHINE_PLUG_DISK) {
        g_hash_table_insert(vm->plugged, g_strdup(plug->id), plug->disk.blk);
    }
    go_as_wanted(vm);
    return done;
}

/* All stand.  Take out what the guest has let go of, or (@asked) was asked to. */
static void take_away(Vm *vm, bool asked)
{
    char *id;

    while ((id = machine_take_away(vm->machine, asked))) {
        const VmNotice notice = { .kind = VM_NOTICE_UNPLUGGED, .device = id };
        g_hash_table_remove(vm->plugged, id);
        if (vm->observer.notice) {
            vm->observer.notice(vm->observer.opaque, &notice);
        }
        g_free(id);
    }
}

static gboolean act_released(gpointer data)
{
    Vm *vm = data;

    stand_or_die(vm);
    take_away(vm, false);
    go_as_wanted(vm);
    return G_SOURCE_REMOVE;
}

/* Tell of the balloon's size now, and then no sooner than in a second again, whatever the guest
 * does. */
static gboolean act_ballooned(gpointer data)
{
    enum { PAUSE_MS = 1000 };
    Vm *vm = data;

    __atomic_store_n(&vm->ballooned, false, __ATOMIC_SEQ_CST);
    uint64_t actual = virtio_balloon_actual(machine_balloon(vm->machine));
    if (actual != vm->told_actual) {
        vm->told_actual = actual;
        tell(vm, VM_NOTICE_BALLOON, VM_CAUSE_NONE);
        __atomic_store_n(&vm->ballooned, true, __ATOMIC_SEQ_CST);
        g_timeout_add(PAUSE_MS, act_ballooned, vm);
    }
    return G_SOURCE_REMOVE;
}

/* ---- what came of events ---- */

static void finish(Vm *vm, Status status, VmCause cause)
{
    vm->status = status;
    tell(vm, VM_NOTICE_ENDED, cause);
    if (vm->debugged) {
        vm->debugger.ended(vm->debugger.opaque, status);
    }
    g_main_loop_quit(vm->loop);
}

static void restart(Vm *vm, VmCause cause)
{
    g_autoptr(GError) error = NULL;

    take_away(vm, true);
    if (vm->no_reboot) {
        finish(vm, STATUS_DONE, cause);
    } else if (!machine_reset(vm->machine, &error)) {
        finish(vm, report_error(error), VM_CAUSE_ERROR);
    } else {
        tell(vm, VM_NOTICE_RESET, cause);
        order_go(vm, NULL);
    }
}

/* Let the debugger have the machine, which stands. */
static void show_debugger(Vm *vm, const GdbStop *stop)
{
    want(vm, NULL, GDB_STAY);
    vm->debugger.stopped(vm->debugger.opaque, stop);
}

/* A triple fault: say where, for the person who has to find out why. */
static void crash(Vm *vm, const GdbStop *stop)
{
    X86State state;

    if (vm->engine->vcpu_get_state(vm->cpus[stop->cpu].vcpu, &state, NULL)) {
        report("the guest crashed: triple fault on vCPU %u at %04x:%016" PRIx64 " (cr2 %016" PRIx64
               "); --log int,cpu shows how it came to it",
               stop->cpu, state.segment[X86_CS].selector, state.rip, state.cr2);
    } else {
        report("the guest crashed: triple fault on vCPU %u; --log int,cpu shows how it came to it",
               stop->cpu);
    }
    if (vm->debugged) {
        vm->crashed = true;
        show_debugger(vm, stop);
    } else {
        tell(vm, VM_NOTICE_CRASHED, VM_CAUSE_NONE);
        finish(vm, STATUS_CRASHED, VM_CAUSE_GUEST_PANIC);
    }
}

static void debug_stop(Vm *vm, const GdbStop *stop)
{
    if (vm->debugged) {
        show_debugger(vm, stop);
    } else {
        order_go(vm, NULL); /* the debugger left while this was on its way */
    }
}

static void act_on_watchdog(Vm *vm)
{
    static const char *const words[] = {
        [WATCHDOG_RESET] = "reset",
        [WATCHDOG_POWEROFF] = "ended",
        [WATCHDOG_PAUSE] = "paused",
    };

    const char *word = vm->watchdog < G_N_ELEMENTS(words) ? words[vm->watchdog] : NULL;
    report("the watchdog has not heard of the guest in time%s%s", word ? ": the machine is " : "",
           word ? word : "");
    tell(vm, VM_NOTICE_WATCHDOG, VM_CAUSE_NONE);
    switch (vm->watchdog) {
    case WATCHDOG_RESET:
        restart(vm, VM_CAUSE_GUEST_RESET);
        break;
    case WATCHDOG_POWEROFF:
        finish(vm, STATUS_DONE, VM_CAUSE_GUEST_SHUTDOWN);
        break;
    case WATCHDOG_PAUSE:
        vm_pause(vm, VM_WATCHDOG);
        go_as_wanted(vm);
        break;
    case WATCHDOG_ABSENT:
    case WATCHDOG_NONE:
        go_as_wanted(vm);
        break;
    }
}

static void act_on(Vm *vm, const Event *event)
{
    switch (event->kind) {
    case EVENT_NONE: /* a pause, or one that is over already */
        go_as_wanted(vm);
        break;
    case EVENT_POWER_OFF:
        finish(vm, STATUS_DONE, VM_CAUSE_GUEST_SHUTDOWN);
        break;
    case EVENT_RESET:
        restart(vm, event->cause);
        break;
    case EVENT_TEST_EXIT:
        finish(vm, (Status)MIN(STATUS_TEST + event->value, UINT8_MAX), VM_CAUSE_GUEST_SHUTDOWN);
        break;
    case EVENT_CRASH:
        crash(vm, &event->stop);
        break;
    case EVENT_PANIC:
        report("the guest's kernel has panicked; what it says last is on its console");
        tell(vm, VM_NOTICE_CRASHED, VM_CAUSE_NONE);
        finish(vm, STATUS_CRASHED, VM_CAUSE_GUEST_PANIC);
        break;
    case EVENT_WATCHDOG:
        act_on_watchdog(vm);
        break;
    case EVENT_ERROR:
        report("engine %s can't go on on vCPU %u: %s", vm->engine->name, event->stop.cpu,
               event->message);
        finish(vm, STATUS_FAILED, VM_CAUSE_ERROR);
        break;
    case EVENT_DIFFERENCE:
        report_lines(event->report);
        report("vCPU %u: compiled code does something else than its IR: this is a defect of engine "
               "%s; ending",
               event->stop.cpu, vm->engine->name);
        finish(vm, STATUS_DIFFERENCE, VM_CAUSE_ERROR);
        break;
    case EVENT_DEBUG:
        debug_stop(vm, &event->stop);
        break;
    case EVENT_END:
        vm->end_signal = event->signal;
        finish(vm, event->status, event->cause);
        break;
    }
}

static gboolean act(gpointer data)
{
    Vm *vm = data;

    /* once more: a debugger that left meanwhile may have let them go */
    stand_or_die(vm);
    g_mutex_lock(&vm->mutex);
    Event event = vm->event;
    vm->event = (Event){ 0 };
    vm->event_told = false;
    g_mutex_unlock(&vm->mutex);
    tell_state(vm);
    act_on(vm, &event);
    return G_SOURCE_REMOVE;
}

/* ---- the debugger's side ---- */

void vm_set_debugger(Vm *vm, const VmDebugger *debugger)
{
    vm->debugged = debugger != NULL;
    vm->debugger = debugger ? *debugger : (VmDebugger){ 0 };
}

void vm_debug_go(Vm *vm, const GdbResume *how, const DebugPoint *points, unsigned n)
{
    DebugConfig config = { .n_points = n };

    if (vm->crashed) {
        finish(vm, STATUS_CRASHED, VM_CAUSE_GUEST_PANIC);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        config.points[i] = points[i];
    }
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        g_autoptr(GError) error = NULL;
        config.step = how[i] == GDB_STEP;
        bool wanted = n || config.step;
        if (!vm->engine->vcpu_set_debug(vm->cpus[i].vcpu, wanted ? &config : NULL, &error)) {
            report_error(error);
        }
    }
    order_go(vm, how);
}

void vm_debug_go_all(Vm *vm)
{
    GdbResume how[ENGINE_MAX_CPUS];

    for (unsigned i = 0; i < vm->n_cpus; i++) {
        how[i] = GDB_GO;
    }
    vm_debug_go(vm, how, NULL, 0);
}

const char *vm_name(const Vm *vm)
{
    return vm->name;
}

int vm_cpu_thread(const Vm *vm, unsigned cpu)
{
    int id = __atomic_load_n(&vm->cpus[cpu].thread_id, __ATOMIC_RELAXED);

    return id ? outside_thread(vm->outside, id) : 0;
}

int vm_disk_failed(Vm *vm, const char *device)
{
    g_mutex_lock(&vm->mutex);
    bool failed = vm->state == VM_IO_ERROR && !strcmp(vm->disk_name, device);
    int error = failed ? vm->disk_error.error : 0;
    g_mutex_unlock(&vm->mutex);
    return error;
}

BlkAio *vm_aio(Vm *vm)
{
    blk_aio_start(vm->aio);
    return vm->aio;
}

const GPtrArray *vm_disks(const Vm *vm)
{
    return vm->disks;
}

Display *vm_display(Vm *vm)
{
    return vm->display;
}

Input *vm_input(Vm *vm)
{
    return vm->input;
}

Machine *vm_machine(Vm *vm)
{
    return vm->machine;
}

const Log *vm_log(Vm *vm)
{
    return &vm->log;
}

/* ---- the person at the terminal ---- */

char *vm_status_line(Vm *vm)
{
    VcpuStats sum = { 0 };
    unsigned going = 0;

    g_mutex_lock(&vm->mutex);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        going += !vm->cpus[i].standing;
    }
    g_mutex_unlock(&vm->mutex);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        VcpuStats stats = { 0 };
        vm->engine->vcpu_stats(vm->cpus[i].vcpu, &stats);
        sum.instructions += stats.instructions;
        sum.exits += stats.exits;
    }
    return g_strdup_printf(
        "%s: engine %s, %u of %u vCPUs run, %.1f s, %" PRIu64 " instructions, %" PRIu64 " exits",
        vm->name, vm->engine->name, going, vm->n_cpus,
        (double)clock_now_ns(vm->clock) / (double)NS_PER_SECOND, sum.instructions, sum.exits);
}

static gboolean act_quit(gpointer data)
{
    vm_end(data, STATUS_DONE);
    return G_SOURCE_REMOVE;
}

static gboolean act_power(gpointer data)
{
    vm_power_button(data);
    return G_SOURCE_REMOVE;
}

static gboolean act_status(gpointer data)
{
    g_autofree char *line = vm_status_line(data);

    report("%s", line);
    return G_SOURCE_REMOVE;
}

static gboolean act_help(gpointer data)
{
    escape_help(report);
    return G_SOURCE_REMOVE;
}

/* On the stream's thread. */
static void on_key(void *opaque, EscapeKey key)
{
    static const GSourceFunc acts[] = {
        [ESCAPE_QUIT] = act_quit,
        [ESCAPE_POWER] = act_power,
        [ESCAPE_STATUS] = act_status,
        [ESCAPE_HELP] = act_help,
    };

    g_idle_add_full(G_PRIORITY_HIGH, acts[key], opaque, NULL);
}

void vm_stop_job(Vm *vm)
{
    if (halt_all(vm)) {
        outside_stop(vm->outside, vm->raw_fd);
        go_as_wanted(vm);
    }
}

/* ---- life ---- */

/* The address of card @index: the one said, or one that is the same at each start, and for a
 * machine with a name another than other machines have. */
static void choose_mac(const VmConfig *config, unsigned index, const NetConfig *net, uint8_t *mac)
{
    const uint8_t usual[NET_MAC_SIZE] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

    memcpy(mac, net->has_mac ? net->mac : usual, NET_MAC_SIZE);
    if (!net->has_mac) {
        uint32_t hash = config->name ? g_str_hash(config->name) : 0;
        mac[3] ^= (uint8_t)(hash >> 16);
        mac[4] ^= (uint8_t)(hash >> 8);
        mac[5] = (uint8_t)((mac[5] ^ hash) + index);
    }
}

/* Add the network of @net, with @card plugged into it. */
static bool add_network(Vm *vm, const VmConfig *config, const NetConfig *net, MachineNet *card,
                        GError **error)
{
    *card = (MachineNet){ .mtu = net->mtu,
                          .queues = net->queues,
                          .boot = net->boot,
                          .e1000e = net->model == NET_E1000E };
    choose_mac(config, vm->networks->len, net, card->mac);
    Network *network = network_new(net, card->mac, vm->outside, error);
    if (network) {
        g_ptr_array_add(vm->networks, network);
        card->port = network_port(network);
    }
    return network != NULL;
}

/* Open the networks, or without any the usual one, which is worth a warning if it can't be. */
static bool open_networks(Vm *vm, const VmConfig *config, MachineNet *cards, GError **error)
{
    const NetConfig usual = { .kind = NET_USER, .queues = 1, .fd = -1 };
    g_autoptr(GError) problem = NULL;

    for (unsigned i = 0; i < config->nets->len; i++) {
        if (!add_network(vm, config, g_ptr_array_index(config->nets, i), &cards[i], error)) {
            return false;
        }
    }
    if (!config->nets->len && !config->no_net &&
        !add_network(vm, config, &usual, &cards[0], &problem)) {
        if (config->forwards->len) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        report("the guest has no network: %s", problem->message);
    }
    return true;
}

/* Let the networks begin, with what is forwarded into the first user network. */
static bool begin_networks(Vm *vm, GError **error)
{
    bool forwarded = false;

    for (unsigned i = 0; i < vm->networks->len; i++) {
        Network *network = g_ptr_array_index(vm->networks, i);
        for (unsigned j = 0; j < vm->forwards->len && network_is_user(network) && !forwarded; j++) {
            if (!network_forward(network, g_ptr_array_index(vm->forwards, j), true, error)) {
                return false;
            }
        }
        forwarded |= network_is_user(network);
        if (!network_begin(network, error)) {
            return false;
        }
    }
    return true;
}

/* Whether what was said on the command line is what the state file says. */
static bool check_said(const VmConfig *config, const StateIdentity *identity, GError **error)
{
    const char *differs = NULL;

    if (identity->board_version != BOARD_VERSION) {
        set_error(error,
                  "cannot restore from '%s': it needs version %u of machine '%s', and this "
                  "program has version %u",
                  config->restore, identity->board_version, identity->board, BOARD_VERSION);
        return false;
    }
    if (config->said & CONFIG_SAID_MACHINE && strcmp(config->machine, identity->board) != 0) {
        differs = "--machine";
    } else if (config->said & CONFIG_SAID_CPUS && config->cpus != identity->cpus) {
        differs = "--cpus";
    } else if (config->said & CONFIG_SAID_MEMORY && config->memory != identity->memory) {
        differs = "--memory";
    } else if (config->cpu_model && strcmp(config->cpu_model, identity->cpu_model) != 0) {
        differs = "--cpu";
    } else if (!config->firmware && !strcmp(identity->firmware, "file")) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "cannot restore from '%s': name the machine's firmware with --firmware",
                       config->restore);
        return false;
    }
    if (differs) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s isn't what the machine in '%s' has; leave it out", differs,
                       config->restore);
    }
    return !differs;
}

/* What the machine is: as the configuration says, or the state file. */
static bool identify(Vm *vm, const VmConfig *config, GError **error)
{
    StateIdentity *identity = &vm->identity;
    const char *firmware = config->firmware ? config->firmware : config->kernel ? "none" : "bios";
    bool known =
        !strcmp(firmware, "none") || !strcmp(firmware, "bios") || !strcmp(firmware, "uefi");

    if (config->restore && !vm->deferred) {
        vm->restored = state_file_open(config->restore, error);
        if (!vm->restored) {
            return false;
        }
        *identity = state_file_header(vm->restored)->identity;
        save_guard_memory();
        return check_said(config, identity, error);
    }
    *identity = (StateIdentity){ .board_version = BOARD_VERSION,
                                 .cpus = config->cpus,
                                 .memory = config->memory };
    g_strlcpy(identity->board, config->machine, sizeof(identity->board));
    g_strlcpy(identity->firmware, known ? firmware : "file", sizeof(identity->firmware));
    return true;
}

/* Whether the machine of @file is this one. */
static bool check_same(Vm *vm, const StateFile *file, GError **error)
{
    const StateIdentity *there = &state_file_header(file)->identity;
    StateIdentity here;
    const char *differs = NULL;

    vm_identity(vm, &here);
    if (strcmp(there->board, here.board) != 0 || there->board_version != here.board_version) {
        differs = "board";
    } else if (there->cpus != here.cpus) {
        differs = "number of CPUs";
    } else if (there->memory != here.memory) {
        differs = "memory";
    } else if (strcmp(there->cpu_model, here.cpu_model) != 0) {
        differs = "CPU model";
    } else if (strcmp(there->firmware, here.firmware) != 0) {
        differs = "firmware";
    } else if (there->tsc_khz != here.tsc_khz) {
        differs = "frequency of the TSC";
    }
    if (differs) {
        set_error(error,
                  "cannot restore: this machine has another %s than the one that was saved; start "
                  "it with the options that that was started with",
                  differs);
    }
    return !differs;
}

/* A guest uses what CPUID has shown it. */
static bool check_features(Vm *vm, const StateFile *file, GError **error)
{
    StateIdentity here;

    vm_identity(vm, &here);
    g_autofree char *missing =
        engine_features_missing(&state_file_header(file)->identity.features, &here.features);
    if (missing) {
        set_error(error,
                  "cannot restore: the guest has seen CPU features that engine %s doesn't have "
                  "here: %s; restore it where they are, or save a machine with a lower --cpu",
                  vm->engine->name, missing);
    }
    return !missing;
}

/* The cables are in again: the guest asks for addresses afresh, and knows that its connections are
 * gone. */
static gboolean plug_in(gpointer data)
{
    Vm *vm = data;

    vm->link_down_times += vm_state(vm) == VM_RUNNING;
    bool up = vm->link_down_times >= LINK_DOWN_TIMES ||
              (vm->link_down_times && machine_links_known(vm->machine));
    if (up) {
        machine_set_links(vm->machine, true);
    }
    return up ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* The machine of @file is this one: go on from there. */
static bool load_state(Vm *vm, const StateFile *file, GError **error)
{
    if (!state_file_load(file, vm->machine, vm->clock, error)) {
        return false;
    }
    machine_set_links(vm->machine, false);
    return true;
}

bool vm_restore(Vm *vm, StateFile *file, GError **error)
{
    g_autoptr(StateFile) owned = file;

    if (vm_state(vm) != VM_RESTORING) {
        set_error(error, "the machine doesn't wait for a state; start it with --restore defer");
        return false;
    }
    if (!check_same(vm, file, error) || !check_features(vm, file, error)) {
        return false;
    }
    save_guard_memory();
    if (!load_state(vm, file, error)) {
        report("%s", error ? (*error)->message : "cannot restore");
        vm_end(vm, STATUS_FAILED); /* it is only good for that now */
        return false;
    }
    vm->restored = g_steal_pointer(&owned);
    g_timeout_add(LINK_DOWN_MS, plug_in, vm);
    set_state(vm, vm->go_later ? VM_RUNNING : VM_PAUSED);
    return true;
}

static bool build(Vm *vm, const VmConfig *config, GError **error)
{
    const StateIdentity *identity = &vm->identity;
    MachineDisk disks[CONFIG_DISKS_MAX] = { { 0 } };
    MachineNet cards[CONFIG_NETS_MAX] = { { 0 } };
    StreamKeys keys = { vm, on_key };
    const EngineTuning tuning = { .check = config->check,
                                  .check_every = config->check_every,
                                  .code_limit = config->code_cache };
    uint8_t uuid[UUID_SIZE];

    if (!disks_open(config, vm->aio, vm->disks, disks, error)) {
        return false;
    }
    vm->serial = stream_new(&config->serial, "serial", &keys);
    if (config->console.kind != SERIAL_NONE) {
        vm->console = stream_new(&config->console, "console", &keys);
    }
    if (!open_networks(vm, config, cards, error)) {
        return false;
    }
    const MachineConfig machine = {
        .name = config->name,
        .uuid = config->uuid && uuid_parse(config->uuid, uuid) ? uuid : NULL,
        .board = identity->board,
        .engine = vm->engine,
        .tuning = &tuning,
        .cpu_model = vm->restored ? identity->cpu_model : config->cpu_model,
        .tsc_khz = identity->tsc_khz,
        .cpus = identity->cpus,
        .memory_size = identity->memory,
        .firmware = config->firmware || !vm->restored ? config->firmware : identity->firmware,
        .firmware_variables = config->firmware_variables,
        .kernel = config->kernel,
        .initrd = config->initrd,
        .cmdline = config->append,
        .watchdog = config->watchdog != WATCHDOG_ABSENT,
        .restore = vm->restored || vm->deferred,
        .disks = disks,
        .aio = vm->aio,
        .n_disks = vm->disks->len,
        .nets = cards,
        .n_nets = vm->networks->len,
        .serial = stream_backend(vm->serial),
        .console = vm->console ? stream_backend(vm->console) : NULL,
        .display = vm->display,
        .video = config->virtio_gpu ? MACHINE_VIRTIO_GPU : MACHINE_VGA,
        .input = vm->input,
        .clock = vm->clock,
        .log = &vm->log,
        .events = { vm, on_power, on_released, on_ballooned, on_disk_error, on_tray },
    };
    vm->machine = machine_new(&machine, error);
    if (!vm->machine || (vm->restored && (!check_features(vm, vm->restored, error) ||
                                          !load_state(vm, vm->restored, error)))) {
        return false;
    }
    vm->n_cpus = machine_cpus(vm->machine);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        vm->cpus[i] =
            (VmCpu){ .vm = vm, .index = i, .vcpu = machine_vcpu(vm->machine, i), .standing = true };
    }
    return true;
}

Vm *vm_new(const VmConfig *config, const Engine *engine, Outside *outside, GError **error)
{
    g_autoptr(Vm) vm = g_new0(Vm, 1);

    vm->outside = outside;
    vm->name = g_strdup(config->name ? config->name : config->machine);
    vm->no_reboot = config->no_reboot;
    vm->watchdog = config->watchdog;
    vm->save_path = g_strdup(config->save);
    vm->deferred = config->restore && !strcmp(config->restore, CONFIG_RESTORE_DEFER);
    vm->go_later = !config->paused;
    vm->state = vm->told_state = vm->deferred     ? VM_RESTORING
                                 : config->paused ? VM_PRELAUNCH
                                                  : VM_RUNNING;
    vm->engine = engine;
    vm->gdb_config = config->gdb;
    vm->gdb_config.path = g_strdup(config->gdb.path);
    vm->screen_config = config->screen;
    vm->screen_config.path = g_strdup(config->screen.path);
    vm->screen_config.password_file = g_strdup(config->screen.password_file);
    log_init(&vm->log, config->log_mask, STDERR_FILENO);
    vm->display = display_new();
    vm->input = input_new();
    bool stdio = config->serial.kind == SERIAL_STDIO || config->console.kind == SERIAL_STDIO;
    vm->raw_fd = stdio ? STDIN_FILENO : -1;
    vm->clock = clock_new_held();
    vm->aio = blk_aio_new(BLK_AIO_USUAL);
    vm->disks = g_ptr_array_new_with_free_func((GDestroyNotify)blk_close);
    vm->plugged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    vm->networks = g_ptr_array_new_with_free_func((GDestroyNotify)network_free);
    vm->forwards = g_ptr_array_ref(config->forwards);
    vm->loop = g_main_loop_new(NULL, FALSE);
    g_mutex_init(&vm->mutex);
    g_cond_init(&vm->order_changed);
    g_cond_init(&vm->stands);
    if (!identify(vm, config, error) || !build(vm, config, error)) {
        return NULL;
    }
    return g_steal_pointer(&vm);
}

Outside *vm_outside(const Vm *vm)
{
    return vm->outside;
}

void vm_identity(const Vm *vm, StateIdentity *ret_identity)
{
    *ret_identity = vm->identity;
    ret_identity->tsc_khz = vm->engine->vm_tsc_khz(machine_engine_vm(vm->machine));
    g_strlcpy(ret_identity->cpu_model, vm_cpu_model(vm), sizeof(ret_identity->cpu_model));
    engine_features(vm->engine, machine_vcpu(vm->machine, 0), &ret_identity->features);
}

Clock *vm_clock(Vm *vm)
{
    return vm->clock;
}

static bool flush_disk(Blk *blk, GError **error)
{
    int result = blk_flush(blk);

    if (result < 0) {
        set_error_errno(error, -result, "cannot flush disk '%s'", blk_path(blk));
    }
    return result >= 0;
}

bool vm_flush(Vm *vm, GError **error)
{
    bool good = true;
    GHashTableIter iter;
    gpointer plugged;

    for (unsigned i = 0; i < vm->disks->len && good; i++) {
        Blk *disk = g_ptr_array_index(vm->disks, i); /* NULL: a drive that was empty at the start */
        good = !disk || flush_disk(disk, error);
    }
    g_hash_table_iter_init(&iter, vm->plugged);
    while (good && g_hash_table_iter_next(&iter, NULL, &plugged)) {
        good = flush_disk(plugged, error);
    }
    return good;
}

bool vm_begin_saving(Vm *vm, GError **error)
{
    VmState before = vm_state(vm);

    if (before == VM_RESTORING || before == VM_SAVING) {
        set_error(error, "cannot save: the machine %s",
                  before == VM_SAVING ? "is being saved already" : "waits for its own state");
        return false;
    }
    vm_pause_now(vm, VM_SAVING);
    g_mutex_lock(&vm->mutex);
    bool good = vm->event.kind == EVENT_NONE || vm->event.kind == EVENT_DEBUG;
    vm->before = before == VM_DEBUG ? VM_RUNNING : before;
    vm->state = good ? VM_SAVING : vm->before;
    g_mutex_unlock(&vm->mutex);
    if (!good) {
        /* act() is on its way, and has to come first */
        set_error(error, "cannot save: the machine is about to reset or to end; try again");
    }
    return good;
}

void vm_end_saving(Vm *vm, bool good)
{
    set_state(vm, good ? VM_SAVED : vm->before);
}

const char *vm_save_path(const Vm *vm)
{
    return vm->save_path;
}

const char *vm_cpu_model(const Vm *vm)
{
    return vm->engine->vm_cpu_model(machine_engine_vm(vm->machine));
}

bool vm_open(Vm *vm, GError **error)
{
    if (!stream_open(vm->serial, error) || (vm->console && !stream_open(vm->console, error))) {
        return false;
    }
    if (!begin_networks(vm, error)) {
        return false;
    }
    if (vm->screen_config.kind != SCREEN_OFF) {
        vm->screen = screen_open(&vm->screen_config, vm->name, vm->display, vm->input, error);
        if (!vm->screen) {
            return false;
        }
    }
    if (vm->gdb_config.kind != GDB_OFF) {
        vm->gdb = gdb_server_new(vm, &vm->gdb_config, error);
        return vm->gdb != NULL;
    }
    return true;
}

static void end_threads(Vm *vm)
{
    g_mutex_lock(&vm->mutex);
    vm->quit = true;
    order_all(vm, GDB_STAY);
    g_mutex_unlock(&vm->mutex);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        g_clear_pointer(&vm->cpus[i].thread, g_thread_join);
    }
}

/* All threads of the machine; then this one is the main thread, which begins none but that which
 * saves. */
static void begin_threads(Vm *vm)
{
    clock_start(vm->clock);
    stream_start(vm->serial);
    if (vm->console) {
        stream_start(vm->console);
    }
    if (vm->screen) {
        screen_start(vm->screen);
    }
    if (vm->disks->len) { /* else when one comes */
        blk_aio_start(vm->aio);
    }
    machine_start(vm->machine);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        g_autofree char *name = g_strdup_printf("vcpu-%u", i);
        vm->cpus[i].thread = g_thread_new(name, cpu_main, &vm->cpus[i]);
    }
    confine_thread(THREAD_MAIN);
}

Status vm_run(Vm *vm, int *ret_signal)
{
    g_autoptr(GError) error = NULL;

    *ret_signal = 0;
    if (!outside_begin(vm->outside, vm->raw_fd, &error)) {
        return report_error(error);
    }
    begin_threads(vm);
    if (vm->gdb_config.kind == GDB_OFF || !vm->gdb_config.wait) {
        order_go(vm, NULL);
    }
    if (vm->restored) {
        g_timeout_add(LINK_DOWN_MS, plug_in, vm);
    }
    g_main_loop_run(vm->loop);
    end_threads(vm);
    *ret_signal = vm->end_signal;
    return vm->status;
}

void vm_free(Vm *vm)
{
    if (!vm) {
        return;
    }
    gdb_server_free(vm->gdb);
    screen_free(vm->screen);
    machine_free(vm->machine);
    display_free(vm->display);
    input_free(vm->input);
    stream_free(vm->serial);
    stream_free(vm->console);
    terminal_restore();
    while (g_source_remove_by_user_data(vm)) {
        /* what was still to be acted on */
    }
    g_ptr_array_unref(vm->networks);
    g_ptr_array_unref(vm->forwards);
    g_hash_table_unref(vm->plugged);
    g_ptr_array_unref(vm->disks);
    g_clear_pointer(&vm->trays, g_ptr_array_unref);
    blk_aio_free(vm->aio);
    state_file_free(vm->restored);
    clock_free(vm->clock);
    g_main_loop_unref(vm->loop);
    g_mutex_clear(&vm->mutex);
    g_cond_clear(&vm->order_changed);
    g_cond_clear(&vm->stands);
    g_free(vm->gdb_config.path);
    g_free(vm->save_path);
    g_free(vm->screen_config.path);
    g_free(vm->screen_config.password_file);
    g_free(vm->name);
    g_free(vm);
}
