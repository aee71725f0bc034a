/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a Machine, for the boards and machine.c only.
 *
 * Threads: built on one thread; after that only .vm's target changes hands (see machine.c).
 */
#pragma once

#include "block/aio.h"
#include "engine/engine.h"
#include "machine/boot/acpi.h"
#include "machine/boot/boot.h"
#include "machine/core/io_thread.h"
#include "machine/core/irq.h"
#include "machine/device/acpi_pm.h"
#include "machine/device/ioapic.h"
#include "machine/device/pic.h"
#include "machine/device/vmgenid.h"
#include "machine/machine.h"
#include "machine/virtio/virtio.h"

enum { BOARD_SHARED_LINES = 8 };

typedef struct Ahci Ahci;
typedef struct Hotplug Hotplug;
typedef struct Ich9Lpc Ich9Lpc;
typedef struct PcBoard PcBoard;
typedef struct PciRoot PciRoot;

/* What differs between boards. */
typedef struct BoardOps {
    /* Build everything but engine and vCPUs into the machine, whose .env, .power and .io are set;
     * @config is checked, and its .firmware is never NULL. */
    bool (*build)(Machine *machine, const MachineConfig *config, GError **error);
    /* After reset: what stands in memory and registers before the first instruction, beyond what
     * machine.c does.  NULL: nothing. */
    void (*prepare)(Machine *machine);
    void (*destroy)(Machine *machine); /* after the devices; NULL: nothing to do */
} BoardOps;

extern const BoardOps micro_board, pc_board;

struct Machine {
    /* fixed after create */
    const MachineBoard *board;
    const BoardOps *ops;
    const Engine *engine;
    EngineVm *vm; /* atomic: NULL until the devices are complete */
    EngineVcpu *vcpus[ENGINE_MAX_CPUS];
    X86State *reset_states; /* one per vCPU */
    unsigned cpus;
    GuestMemory *memory;
    DeviceEnv env;
    MachineEvents events; /* the owner's; .power may be NULL */
    MachineEvents power;  /* what devices are given: passes on to .events */
    IoThread *io;
    BlkAio *aio;                        /* NULL: disks wait for their requests */
    unsigned disk_queues;               /* of a disk that says no other number */
    IoWatch *disk_watches[BLK_AIO_FDS]; /* of requests that have ended; NULL: none */
    GPtrArray *devices;                 /* Device *, in order of creation */
    Pic *pic;
    Ioapic *ioapic;
    AcpiPm *pm;
    /* of pc only */
    Vmgenid *generation;
    PciRoot *pci;
    Ich9Lpc *lpc;
    Ahci *ahci; /* NULL: there are no SATA drives */
    unsigned n_sata;
    PcBoard *pc;
    VirtioDev *balloon;                  /* NULL: there is none */
    Hotplug *hotplug;                    /* NULL: the board has no slots */
    IrqMerge shared[BOARD_SHARED_LINES]; /* of I/O APIC pins 16 to 23 */
    BootImage *boot;                     /* NULL: the first CPU begins at its reset vector */
    bool kernel_unknown; /* restored without naming the kernel: it can't be started again */
    BootMap map;
    GByteArray *acpi; /* the tables, for .map.rsdp */
};

/* Keep @device for reset and free; returns it.  It begins with a Device. */
void *board_add(Machine *machine, void *device);
/* A virtio disk at @slot; @serial if it has none of its own. */
VirtioDev *board_add_disk(Machine *machine, const VirtioSlot *slot, const MachineDisk *disk,
                          const char *serial);
/* ISA interrupt @irq: a pin of the 8259s and its I/O APIC pin. */
IrqLine board_isa_irq(Machine *machine, unsigned irq);
/* INTR of the 8259s, and the I/O APIC's messages: to the engine. */
IrqLine board_intr(Machine *machine);
MsiTarget board_msi_target(Machine *machine);

/* How @cpu enters a kernel, from its state at reset. */
void board_enter(X86State *cpu, const BootEntry *entry);
/* The MTRRs as firmware leaves them on every CPU. */
void board_set_memory_types(X86State *cpu);
