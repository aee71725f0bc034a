/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SATA controller of the ICH9 in its AHCI form (AHCI 1.3.1; Intel 316972, chapter 16), with
 * disks and CD-ROMs at its ports.
 *
 * What of it is here: native queuing, 64-bit addresses, command lists of 32, MSI.  Not: port
 * multipliers, hot-plug of drives, power states of the link, the registers' second door by ports.
 *
 * Threads: made on the machine's thread; the functions here from any, none of which holds the lock.
 * Read first: sata.h.
 */
#pragma once

#include "block/block.h"
#include "machine/core/io_thread.h"
#include "machine/core/power.h"
#include "machine/pci/pci.h"

typedef struct Ahci Ahci;

enum { AHCI_PORTS = 6, AHCI_VENDOR = 0x8086, AHCI_ID = 0x2922 };

/* What is at a port. */
typedef struct AhciDrive {
    const char *name;   /* in events, and for who looks for it */
    const char *serial; /* up to 20 characters */
    Blk *blk;           /* stays the caller's, outlives the device; NULL: a CD-ROM without medium */
    bool cdrom;
    DiskOnError on_read_error, on_write_error;
    const MachineEvents *events; /* who is told; NULL: nobody */
} AhciDrive;

extern const PciClass ahci_class;

Ahci *ahci_new(const PciSlot *slot, IoThread *io);
/* Before the machine runs. */
void ahci_add_drive(Ahci *ahci, unsigned port, const AhciDrive *drive);
/* Go on with requests that stopped the machine. */
void ahci_retry(Ahci *ahci);

/* --- CD-ROM drives --- */

typedef struct AhciTray {
    bool open, locked;
    Blk *medium;
} AhciTray;

/* The name of CD-ROM @index of those there are, or NULL. */
const char *ahci_cdrom_name(const Ahci *ahci, unsigned index);
/* The port of the drive called @name, or -1. */
int ahci_find_drive(const Ahci *ahci, const char *name);
/* The port of the CD-ROM called @name, or -1. */
int ahci_find_cdrom(const Ahci *ahci, const char *name);
void ahci_tray(Ahci *ahci, unsigned port, AhciTray *ret);
/* Open the tray; a guest that has locked it is asked to, unless @force.  Whether it is open. */
bool ahci_open_tray(Ahci *ahci, unsigned port, bool force);
void ahci_close_tray(Ahci *ahci, unsigned port);
/* @blk stays the caller's; NULL: take the medium out.  Waits for what is being read. */
void ahci_set_medium(Ahci *ahci, unsigned port, Blk *blk);
