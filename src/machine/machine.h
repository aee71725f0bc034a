/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine: vCPUs, RAM and devices of one board, built from a MachineConfig.  The owner (the
 * program insula-vm, or a test) runs the vCPUs; everything between them happens in here.
 *
 *   build   clock (paused) + engine + MachineConfig -> machine_new() -> clock_resume()
 *   run     per vCPU a thread of the owner's: engine->vcpu_run(machine_vcpu(m, i), &exit)
 *   events  the guest powers off, resets, or leaves by the test-exit port: events.power()
 *   reset   all vCPUs out of vcpu_run, clock paused -> machine_reset() -> clock_resume()
 *   end     all vCPUs out of vcpu_run -> machine_free()
 *
 * Threads: machine_new, machine_reset, machine_free on the owner's main thread, while no vCPU
 * runs.  Others from any thread.  The machine has one thread of its own, "io-0", for disk and
 * queue work; timers of devices run on the clock's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/core/char.h"
#include "machine/core/power.h"

typedef struct Blk Blk;
typedef struct BlkAio BlkAio;
typedef struct Clock Clock;
typedef struct DeviceClass DeviceClass;
typedef struct Display Display;
typedef struct Engine Engine;
typedef struct EngineTuning EngineTuning;
typedef struct EngineVcpu EngineVcpu;
typedef struct EngineVm EngineVm;
typedef struct GuestMemory GuestMemory;
typedef struct Input Input;
typedef struct Log Log;
typedef struct Machine Machine;
typedef struct NetPort NetPort;
typedef struct VirtioDev VirtioDev;

typedef enum MachineDiskKind {
    MACHINE_DISK_VIRTIO,
    MACHINE_DISK_SATA,
    MACHINE_CDROM
} MachineDiskKind;

typedef struct MachineDisk {
    Blk *blk;           /* from blk_open(); stays the caller's, outlives the machine; of a CD-ROM
                           it may be NULL: no medium */
    const char *serial; /* what the guest reads as its id, up to 20 characters; NULL: "insula-N" */
    MachineDiskKind kind; /* pc: SATA and CD-ROM, too, as many as MachineBoard.max_sata */
    DiskOnError on_read_error, on_write_error;
    unsigned queues; /* 0: one per vCPU */
    unsigned boot;   /* pc: its place in the boot order, from 1 on; 0: not said */
} MachineDisk;

typedef struct MachineNet {
    NetPort *port; /* stays the caller's, outlives the machine */
    uint8_t mac[6];
    unsigned mtu;    /* 0: the guest isn't told */
    unsigned queues; /* pairs of them */
    unsigned boot;   /* as of MachineDisk */
    bool e1000e;     /* pc: an Intel 82574L, not virtio */
} MachineNet;

/* A card for a slot of the running machine. */
typedef enum MachinePlugKind {
    MACHINE_PLUG_DISK,
    MACHINE_PLUG_NET,
    MACHINE_PLUG_RNG
} MachinePlugKind;

typedef struct MachinePlug {
    const char *id;  /* no other device's name */
    const char *bus; /* the slot's name; NULL: the first empty one */
    MachinePlugKind kind;
    MachineDisk disk; /* of MACHINE_PLUG_DISK */
    MachineNet net;   /* of MACHINE_PLUG_NET */
} MachinePlug;

typedef struct MachineNetStats {
    uint64_t received, received_bytes; /* by the guest */
    uint64_t sent, sent_bytes;
    uint64_t receive_dropped, send_dropped;
} MachineNetStats;

/* What draws the picture. */
typedef enum MachineVideo {
    MACHINE_VGA,
    MACHINE_VIRTIO_GPU,
} MachineVideo;

typedef struct MachineConfig {
    const char *name;    /* of the VM, which the guest may read; NULL: none */
    const uint8_t *uuid; /* 16 bytes in their order as text; NULL: made of the name */
    const char *board;   /* a name that machine_boards() lists; NULL: the first */
    const Engine *engine;
    const EngineTuning *tuning; /* NULL: as usual */
    const char *cpu_model;      /* NULL: the engine's default */
    uint64_t tsc_khz;           /* of the guest's TSC; 0: the engine chooses */
    unsigned cpus;
    uint64_t memory_size; /* in bytes; machine_boards() has the limits */
    /* pc: "bios", "uefi", "none", or a path; NULL: "none" if there is a kernel, else "bios" */
    const char *firmware;
    const char *firmware_variables; /* path of the file that keeps them; NULL: they are forgotten */
    const char *kernel;  /* path of a bzImage or ELF (PVH) kernel; required without firmware */
    const char *initrd;  /* path, or NULL */
    const char *cmdline; /* the kernel's command line; NULL: empty */
    bool restore;        /* machine_load() follows: nothing is loaded, a kernel need not be named */
    const MachineDisk *disks;
    size_t n_disks;
    BlkAio *aio; /* of all disks, also of those that come later; outlives the machine; or NULL */
    const MachineNet *nets;
    size_t n_nets;
    bool watchdog; /* pc: it has one */
    /* of pc: what it shows, and who types; both outlive the machine.  NULL: no screen, no keyboard
     * and mouse */
    Display *display;
    MachineVideo video; /* with .display */
    Input *input;
    CharBackend *serial;  /* of the UART; NULL: nothing attached */
    CharBackend *console; /* of virtio-console; NULL: the machine has no such device */
    Clock *clock;         /* paused or manual; outlives the machine */
    Log *log;             /* may be NULL; outlives the machine */
    MachineEvents events;
} MachineConfig;

/* Build a machine.  The files named are opened now and kept open for machine_reset().  Strings
 * and the config itself are needed only during the call.  On failure nothing is left behind;
 * error kinds: INSULA_ERROR_USAGE for words and numbers that can't be (board, cpus, memory),
 * others as common/error.h says. */
Machine *machine_new(const MachineConfig *config, GError **error);
/* @machine may be NULL. */
void machine_free(Machine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/* Back to the state after machine_new(): devices and vCPUs at reset, kernel loaded afresh.
 * RAM that the loader doesn't write keeps its bytes, as on a PC. */
bool machine_reset(Machine *machine, GError **error);

/* Begin the machine's own threads, before the first vCPU runs. */
void machine_start(Machine *machine);
/* On: finish what is in flight, and touch neither guest memory nor devices until off.  No vCPU
 * runs, and the clock is paused. */
void machine_pause(Machine *machine, bool on);
/* Append the state of all devices and vCPUs, while paused.  RAM isn't part of it (gm_blocks()). */
bool machine_save(Machine *machine, GByteArray *state, GError **error);
/* The reverse, into a machine of the same configuration that hasn't run (.restore), whose clock
 * shows the time of saving; then its RAM may be filled, and it may run.  @state may hold anything.
 * After a failure the machine is only good for machine_free(). */
bool machine_load(Machine *machine, const uint8_t *state, size_t len, GError **error);

/* Pull out the cables of all network cards, or put them in again. */
void machine_set_links(Machine *machine, bool up);
/* Whether each driver of a network card has looked at its link since that has changed. */
bool machine_links_known(Machine *machine);

/* Requests that failed and paused the machine (MachineEvents.disk_error) are tried again. */
void machine_retry_disks(Machine *machine);

/* The name of the device that shows disk @index of the config, newly allocated: "disk0", "cd1". */
char *machine_disk_name(MachineDiskKind kind, size_t index);

/* --- CD-ROM drives --- */

typedef struct MachineTray {
    bool open, locked;
    Blk *medium; /* NULL: none */
} MachineTray;

/* The name of CD-ROM drive @index, or NULL behind the last. */
const char *machine_cdrom_name(const Machine *machine, unsigned index);
/* The state of CD-ROM @drive; false: there is no such one. */
bool machine_tray(const Machine *machine, const char *drive, MachineTray *ret);
/* Of a drive that is there.  Open its tray; a guest that has locked it is asked to, unless @force;
 * whether it is open now. */
bool machine_open_tray(Machine *machine, const char *drive, bool force);
void machine_close_tray(Machine *machine, const char *drive);
/* @blk stays the caller's; NULL: take the medium out.  Waits for what is being read. */
void machine_set_medium(Machine *machine, const char *drive, Blk *blk);

/* Press the power button (ACPI): a guest that listens shuts down. */
void machine_power_button(Machine *machine);

/* Put a card into a slot; while no vCPU runs.  What @plug refers to stays the caller's, until the
 * card is out again. */
bool machine_plug(Machine *machine, const MachinePlug *plug, GError **error);
/* Ask the guest to let go of card @id; events.released tells when it has. */
bool machine_unplug(Machine *machine, const char *id, GError **error);
/* Take out a card that the guest has let go of (@asked: or was asked to, before a reset); its id,
 * newly allocated, or NULL: there is none.  While no vCPU runs. */
char *machine_take_away(Machine *machine, bool asked);
/* Take card @id out, whatever the guest thinks; when no vCPU will run any more. */
void machine_pull(Machine *machine, const char *id);
/* The balloon (machine/virtio/balloon.h), or NULL: the board has none. */
VirtioDev *machine_balloon(const Machine *machine);
bool machine_has_device(const Machine *machine, const char *name);
/* @blk has another size now: tell the guest. */
void machine_disk_resized(Machine *machine, const Blk *blk);
/* Call @fn for each NIC. */
void machine_net_stats(Machine *machine,
                       void (*fn)(void *opaque, const char *name, const MachineNetStats *stats),
                       void *opaque);

const Engine *machine_engine(const Machine *machine);
EngineVm *machine_engine_vm(const Machine *machine);
unsigned machine_cpus(const Machine *machine);
EngineVcpu *machine_vcpu(const Machine *machine, unsigned index); /* @index < machine_cpus() */
GuestMemory *machine_memory(const Machine *machine);

/* Boards that can be built, NULL name behind the last; the first is the default. */
typedef struct MachineBoard {
    const char *name, *summary;
    uint64_t min_memory, max_memory; /* in bytes */
    unsigned max_cpus;
    unsigned max_disks;
    unsigned max_nets;
    unsigned max_sata; /* of the disks, as many may be SATA disks and CD-ROMs */
} MachineBoard;
const MachineBoard *machine_boards(void);

/* Every device class there is (its name, summary and saved fields: machine/core/device.h), NULL
 * behind the last. */
const DeviceClass *const *machine_device_classes(void);
