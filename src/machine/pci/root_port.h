/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI Express root port: a bridge on bus 0 behind which one device stands, see root_port.c.
 */
#pragma once

#include "machine/pci/pci.h"

extern const PciClass pci_root_port_class;

/* @number names its slot to people, from 1. */
PciDevice *pci_root_port_new(const PciSlot *slot, unsigned number);
/* The bus behind it. */
PciBus *pci_root_port_bus(PciDevice *port);
