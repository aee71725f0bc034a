/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI Express root port (PCI Express 3.0, 7.1), with the identity of the one port in Intel's
 * 5520 chipset that every guest knows.  It forwards what its windows say, and has MSI for the
 * events of a slot; the card in its slot is there from the beginning.
 *
 * Threads: see pci.h.
 */
#include "machine/pci/root_port.h"

typedef struct RootPort {
    PciDevice pci;
} RootPort;

static const SavedField saved[] = { PCI_SAVED(RootPort), { 0 } };

const PciClass pci_root_port_class = {
    .device = {
        .name = "pcie-root-port",
        .summary = "PCI Express root port",
        .instance_size = sizeof(RootPort),
        .saved = saved,
        .reset = pci_reset,
        .loaded = pci_loaded,
        .destroy = pci_destroy,
    },
    .vendor = 0x8086,
    .id = 0x3420,
    .class_code = 0x060400,
    .revision = 2,
    .express = true,
    .bridge = true,
    .interrupt = true,
};

PciDevice *pci_root_port_new(const PciSlot *slot, unsigned number)
{
    RootPort *port = pci_new(&pci_root_port_class, slot);

    pci_add_msi(&port->pci, 1);
    pci_add_express(&port->pci, PCIE_ROOT_PORT, number);
    return &port->pci;
}

PciBus *pci_root_port_bus(PciDevice *port)
{
    return port->secondary;
}
