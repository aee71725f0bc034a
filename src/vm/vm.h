/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running machine: its vCPU threads, what they are told, and how it all ends.
 *
 *   vm_new     nothing runs; files are open, sockets are not
 *   vm_open    sockets and files of streams, gdb's socket
 *   vm_run     threads begin and vCPUs run; the caller's thread serves the main loop until the end
 *
 * A vCPU thread is "vcpu-N".  It runs while its order says so, and stands otherwise.  What it
 * meets (power-off, reset, triple fault, a breakpoint) is noted as the machine's event, the first
 * one counts; all vCPUs are then told to stand, and the main thread acts on it when they do.
 *
 * Threads: all functions on the main thread, unless they say otherwise.
 * Locks: vm->mutex is taken last of all, and nothing is called under it but vcpu_kick().
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "config/config.h"
#include "display/display.h"
#include "display/input.h"
#include "engine/engine.h"
#include "machine/machine.h"
#include "vm/gdb.h"
#include "vm/outside.h"
#include "vm/state_file.h"
#include "vm/status.h"

typedef struct Vm Vm;

/* Build the machine of @config with @engine.  @config is needed only now; @outside outlives the
 * machine, NULL: the process has no keeper. */
Vm *vm_new(const VmConfig *config, const Engine *engine, Outside *outside, GError **error);
Outside *vm_outside(const Vm *vm);
/* The name of the CPU model that the guest sees. */
const char *vm_cpu_model(const Vm *vm);
bool vm_open(Vm *vm, GError **error);
/* Run the machine to its end; returns the exit status.  *@ret_signal is the signal that ended it,
 * or 0. */
Status vm_run(Vm *vm, int *ret_signal);
/* @vm may be NULL. */
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

/* End the machine soon with @status; from any thread. */
void vm_end(Vm *vm, Status status);
/* The same with STATUS_DONE, because a client of the control socket asked for it. */
void vm_quit(Vm *vm);
/* The same, because of signal @number. */
void vm_end_by_signal(Vm *vm, int number);
/* What Ctrl-Z is to other programs (SIGTSTP): give the terminal back and stop the process; when it
 * continues, so does the machine, for whose clock no time has passed. */
void vm_stop_job(Vm *vm);
/* Reset the machine soon; one that is paused stays so.  From any thread. */
void vm_reset(Vm *vm);
/* Press the power button (ACPI). */
void vm_power_button(Vm *vm);
/* One line on what the machine does now.  Newly allocated. */
char *vm_status_line(Vm *vm);

/* ---- pause and resume ---- */

/* What the machine does, or why it is paused: no vCPU runs, and its clock stands. */
typedef enum VmState {
    VM_RUNNING,
    VM_PAUSED,    /* somebody asked for it */
    VM_PRELAUNCH, /* it was started so */
    VM_IO_ERROR,  /* a disk failed, and it may be mended */
    VM_GUEST_PANICKED,
    VM_INTERNAL_ERROR,
    VM_WATCHDOG,
    VM_SAVING,
    VM_SAVED,     /* it may go on all the same */
    VM_RESTORING, /* it waits for vm_restore() */
    VM_DEBUG,     /* a debugger holds all vCPUs; only an answer of vm_state() */
} VmState;

/* Pause the machine soon, from any thread, with any lock held; vm_run() tells the observer when
 * it stands.  One that is paused already keeps its reason.  A debugger's orders hold on: they
 * are followed when the machine is resumed. */
void vm_pause(Vm *vm, VmState reason);
/* The same, and wait for it (microseconds): after return no vCPU runs. */
void vm_pause_now(Vm *vm, VmState reason);
/* Let the machine go on, whatever it was paused for; for its clock no time has passed.  One that is
 * being saved stays paused, and one that waits for its state goes on when that has come. */
void vm_resume(Vm *vm);
VmState vm_state(Vm *vm);
/* As QMP's RunState has it. */
const char *vm_state_name(VmState state);

/* What happens to the machine. */
typedef enum VmNoticeKind {
    VM_NOTICE_PAUSED,
    VM_NOTICE_RESUMED,
    VM_NOTICE_RESET,
    VM_NOTICE_POWER_BUTTON,
    VM_NOTICE_CRASHED,
    VM_NOTICE_DISK_ERROR,
    VM_NOTICE_WATCHDOG,
    VM_NOTICE_ENDED,
    VM_NOTICE_BALLOON,   /* the guest has given back, or taken, memory */
    VM_NOTICE_UNPLUGGED, /* the guest has let go of a card, and it is out */
    VM_NOTICE_TRAY,      /* a CD-ROM's has moved */
} VmNoticeKind;

/* Why it was reset or has ended. */
typedef enum VmCause {
    VM_CAUSE_NONE,
    VM_CAUSE_ERROR, /* ours, or the host's */
    VM_CAUSE_ASKED_QUIT,
    VM_CAUSE_ASKED_RESET,
    VM_CAUSE_SIGNAL,
    VM_CAUSE_PERSON, /* at the terminal, or at a debugger */
    VM_CAUSE_GUEST_SHUTDOWN,
    VM_CAUSE_GUEST_RESET,
    VM_CAUSE_GUEST_PANIC,
} VmCause;

typedef struct VmNotice {
    VmNoticeKind kind;
    VmCause cause;           /* of VM_NOTICE_RESET and VM_NOTICE_ENDED */
    const DiskError *disk;   /* of VM_NOTICE_DISK_ERROR */
    WatchdogAction watchdog; /* of VM_NOTICE_WATCHDOG */
    const char *device;      /* of VM_NOTICE_UNPLUGGED and VM_NOTICE_TRAY */
    bool tray_open;          /* of VM_NOTICE_TRAY */
} VmNotice;

/* Who is told of it, on the main thread. */
typedef struct VmObserver {
    void *opaque;
    void (*notice)(void *opaque, const VmNotice *notice);
} VmObserver;

/* @observer is copied; NULL: nobody is told. */
void vm_observe(Vm *vm, const VmObserver *observer);

/* ---- for saving (vm/save.h) ---- */

/* What the machine is. */
void vm_identity(const Vm *vm, StateIdentity *ret_identity);
Clock *vm_clock(Vm *vm);
/* Make durable what the guest has written to its disks. */
bool vm_flush(Vm *vm, GError **error);
/* Pause the machine until vm_end_saving(): after a @good end it stays so, as VM_SAVED, and else it
 * is what it was.  Fails if it can't be saved now. */
bool vm_begin_saving(Vm *vm, GError **error);
void vm_end_saving(Vm *vm, bool good);
/* A machine that waits for its state (VM_RESTORING) gets that of @file, of which this takes
 * ownership in any case, and runs, unless it was started paused.  After a failure it waits on, or
 * ends. */
bool vm_restore(Vm *vm, StateFile *file, GError **error);
/* Where SIGUSR1 saves the machine; NULL: nowhere. */
const char *vm_save_path(const Vm *vm);

/* ---- for the debugger ---- */

/* What it is told; on the main thread. */
typedef struct VmDebugger {
    void *opaque;
    /* All vCPUs stand because of a point, a step, vm_halt() or a triple fault. */
    void (*stopped)(void *opaque, const GdbStop *stop);
    void (*ended)(void *opaque, int status);
} VmDebugger;

/* @debugger is told of stops from now on; NULL: nobody, and points are gone. */
void vm_set_debugger(Vm *vm, const VmDebugger *debugger);
/* Stop all vCPUs; the debugger is told when they stand. */
void vm_halt(Vm *vm);
/* Stop all vCPUs and wait for it; false: one doesn't stop. */
bool vm_halt_now(Vm *vm);
/* Let vCPU i go on as @how[i] says, with @n points.  All stand now. */
void vm_debug_go(Vm *vm, const GdbResume *how, const DebugPoint *points, unsigned n);
/* Let all of them run, without points. */
void vm_debug_go_all(Vm *vm);

/* ---- what it consists of ---- */

/* Put a card into a slot (machine_plug()), while all vCPUs stand for a moment. */
bool vm_plug(Vm *vm, const MachinePlug *plug, GError **error);

const char *vm_name(const Vm *vm);
/* The host's id of the thread that runs vCPU @cpu; 0 before vm_run(). */
int vm_cpu_thread(const Vm *vm, unsigned cpu);
/* Of Blk, in the order of the configuration. */
const GPtrArray *vm_disks(const Vm *vm);
/* The errno for which disk @device has paused the machine; 0: it hasn't. */
int vm_disk_failed(Vm *vm, const char *device);
/* What serves requests of all disks, also of those that come later. */
struct BlkAio *vm_aio(Vm *vm);
Machine *vm_machine(Vm *vm);
/* What it shows, and where keys and movements go. */
Display *vm_display(Vm *vm);
Input *vm_input(Vm *vm);
const Log *vm_log(Vm *vm);
