/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI Express root port: a bridge on bus 0 with a slot in which one card can stand, see
 * root_port.c.
 */
#pragma once

#include "machine/pci/pci.h"

extern const PciClass pci_root_port_class;

/* How far the guest is with letting go of a card. */
typedef enum PciEject {
    PCI_EJECT_NONE,
    PCI_EJECT_ASKED, /* the button was pressed */
    PCI_EJECT_RELEASED,
} PciEject;

/* An empty slot; @number names it to people, from 1. */
PciDevice *pci_root_port_new(const PciSlot *slot, unsigned number);
/* The bus behind it. */
PciBus *pci_root_port_bus(PciDevice *port);
/* Who is told, on a vCPU's thread without locks, that the guest has let go of a card that it was
 * asked for. */
void pci_root_port_on_released(PciDevice *port, void (*released)(void *opaque), void *opaque);

/* A card stands in the slot, or none any more; the guest is told. */
void pci_root_port_set_card(PciDevice *port, bool there);
/* Press the button beside the slot: the guest shall let go of the card.  False: it was asked
 * already.  (A second press would take the first back, by 6.7.1.5.) */
bool pci_root_port_press(PciDevice *port);
PciEject pci_root_port_eject(PciDevice *port);
