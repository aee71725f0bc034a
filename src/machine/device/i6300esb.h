/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog of Intel's 6300ESB, a PCI function, see i6300esb.c.
 */
#pragma once

#include "machine/core/power.h"
#include "machine/pci/pci.h"

typedef struct I6300esb I6300esb;

extern const PciClass i6300esb_class;

/* Tells @events of MACHINE_POWER_WATCHDOG when the guest has not been heard of in time. */
I6300esb *i6300esb_new(const PciSlot *slot, MachineEvents events);
