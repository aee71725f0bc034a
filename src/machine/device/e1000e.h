/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e1000e: Intel's 82574L network card (Intel 317694), which most systems have a driver for.
 *
 * What of it is here: both forms of descriptors, sums and TCP segmentation done for the guest,
 * VLAN tags, filters, INTx, MSI and MSI-X.  Not: packet split, receive-side scaling (all frames
 * come in queue 0), wake-up, time stamps, management.
 *
 * Threads: made on the machine's thread; the functions here from any thread.
 */
#pragma once

#include "machine/core/io_thread.h"
#include "machine/pci/pci.h"
#include "net/port.h"

typedef struct E1000e E1000e;

typedef struct E1000eConfig {
    IoThread *io;
    NetPort *port;  /* stays the caller's, outlives the device, and is the device's alone */
    uint8_t mac[6]; /* the address in its EEPROM */
} E1000eConfig;

enum { E1000E_VENDOR = 0x8086, E1000E_ID = 0x10d3 };

extern const PciClass e1000e_class;

E1000e *e1000e_new(const PciSlot *slot, const E1000eConfig *config);
/* Plug the cable in, or pull it. */
void e1000e_set_link(E1000e *dev, bool up);
/* No driver has still to look at a change of the link that it was told of. */
bool e1000e_link_known(E1000e *dev);
