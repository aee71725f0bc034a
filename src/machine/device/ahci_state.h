/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the AHCI controller, for ahci.c (registers) and ahci_command.c (commands).
 *
 * Threads: see ahci.c.
 */
#pragma once

#include "machine/device/ahci.h"
#include "machine/device/sata.h"

enum { AHCI_SLOTS = 32, AHCI_TABLE_SIZE = 0x50 };

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

/* A slot's header and table, as the guest wrote them. */
typedef struct AhciSlot {
    unsigned number;
    uint64_t header_gpa, table_gpa;
    unsigned regions;
    uint8_t fis[AHCI_TABLE_SIZE];
} AhciSlot;

/* A queued command on its way. */
typedef struct AhciFlight AhciFlight;

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
    bool running;    /* a command is being done, with the lock open now and then */
    bool forgotten;  /* nobody waits any more for the end of it, or of queued ones */
    bool stopped;    /* what failed waits for ahci_retry() */
    bool waits;      /* the next command is no queued one, and they are not all done */
    uint32_t flying; /* slots whose queued commands are on their way */
    unsigned lost;   /* flights that are forgotten */
} AhciPort;

struct Ahci {
    PciDevice pci;
    /* fixed after create */
    IoTask *task;
    /* lock: pci.device.lock */
    GCond idle; /* no command runs at some port any more */
    AhciPort ports[AHCI_PORTS];
    uint32_t ghc, is;
    /* the same, not saved */
    bool resetting; /* until nothing runs */
    bool paused;    /* nothing is begun */
    bool crowded;   /* a queued command waits for another's flight to end */
    unsigned n_flights;
    AhciFlight *flights, *free; /* all, and those that are not on their way */
    /* I/O thread only */
    SataCommand command;
};

/* --- ahci_queue.c --- */

/* A flight for a queued command of @port's, or NULL: there are too many. */
AhciFlight *ahci_flight_new(Ahci *ahci, AhciPort *port);
SataCommand *ahci_flight_command(AhciFlight *flight);
/* Begin it; @slot is what its command was read from. */
void ahci_flight_begin(AhciFlight *flight, const AhciSlot *slot);
/* Whatever is on its way at the port, nobody waits for it any more. */
void ahci_flights_forget(Ahci *ahci, AhciPort *port);
void ahci_flights_free(Ahci *ahci);

/* --- ahci_command.c --- */

/* A command has been done, with -errno @result of the host: the guest is told, or it waits. */
void ahci_land(Ahci *ahci, AhciPort *port, const AhciSlot *slot, SataCommand *command, int result);
/* Begins a command of each port that has one, and as many queued ones as there are; for .task. */
void ahci_work(void *ahci);
/* Whether one could be done. */
bool ahci_has_work(const Ahci *ahci, const AhciPort *port);
/* Show the signature of the drive: registers, and its FIS as soon as that can be received. */
void ahci_show_signature(Ahci *ahci, AhciPort *port);
void ahci_send_signature(Ahci *ahci, AhciPort *port);
/* These bits of PxIS; and the interrupt. */
void ahci_raise(Ahci *ahci, AhciPort *port, uint32_t bits);
bool ahci_has_link(const AhciPort *port);
/* Something is being done at the port. */
bool ahci_is_running(const AhciPort *port);
