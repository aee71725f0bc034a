/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the AHCI controller, for ahci.c (registers) and ahci_command.c (commands).
 *
 * Threads: see ahci.c.
 */
#pragma once

#include "machine/device/ahci.h"
#include "machine/device/sata.h"

enum { AHCI_SLOTS = 32 };

/* PxIS and PxIE (AHCI 1.3.1, 3.3.5). */
enum {
    AHCI_GOT_REGISTERS = 1U << 0,
    AHCI_GOT_PIO_SETUP = 1U << 1,
    AHCI_GOT_BITS = 1U << 3,
    AHCI_PORT_CHANGED = 1U << 6,
    AHCI_PHY_CHANGED = 1U << 22,
    AHCI_OVERFLOW = 1U << 24,
    AHCI_INTERFACE_FATAL = 1U << 27,
    AHCI_HOST_FATAL = 1U << 29,
    AHCI_TASK_FILE_ERROR = 1U << 30,
};

/* PxCMD (3.3.7). */
enum {
    AHCI_START = 1U << 0,
    AHCI_SPUN_UP = 1U << 1,
    AHCI_POWERED = 1U << 2,
    AHCI_OVERRIDE = 1U << 3,
    AHCI_RECEIVE = 1U << 4,
    AHCI_RECEIVES = 1U << 14,
    AHCI_RUNS = 1U << 15,
    AHCI_IS_ATAPI = 1U << 24,
};

typedef struct AhciPort {
    SataDrive drive;
    /* lock: pci.device.lock */
    uint64_t command_list, received; /* PxCLB, PxFB with their upper halves */
    uint32_t is, ie, cmd, tfd, sig, sctl, serr, sact, ci;
    uint8_t slot;       /* the last one that was begun */
    bool halted;        /* by an error, until it is started anew */
    bool soft_reset;    /* half of one was asked for */
    bool signature_due; /* its FIS is sent when there is a place for it */
    /* not saved */
    bool running;   /* a command is being done, with the lock open now and then */
    bool forgotten; /* and nobody waits for its end any more */
    bool stopped;   /* what failed waits for ahci_retry() */
} AhciPort;

struct Ahci {
    PciDevice pci;
    /* fixed after create */
    IoTask *task;
    /* lock: pci.device.lock */
    GCond idle; /* no command runs at some port any more */
    AhciPort ports[AHCI_PORTS];
    uint32_t ghc, is;
    bool resetting; /* until nothing runs; not saved */
    /* I/O thread only */
    SataCommand command;
};

/* Does a command of each port that has one; for .task. */
void ahci_work(void *ahci);
/* Whether one could be done. */
bool ahci_has_work(const Ahci *ahci, const AhciPort *port);
/* Show the signature of the drive: registers, and its FIS as soon as that can be received. */
void ahci_show_signature(Ahci *ahci, AhciPort *port);
void ahci_send_signature(Ahci *ahci, AhciPort *port);
/* These bits of PxIS; and the interrupt. */
void ahci_raise(Ahci *ahci, AhciPort *port, uint32_t bits);
bool ahci_has_link(const AhciPort *port);
