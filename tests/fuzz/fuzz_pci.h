/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets of PCI functions share: a root with a host bridge, which the program
 * reaches by ports CF8h to CFFh, and the function under test as device 1.  A poke puts its BARs to
 * FUZZ_PCI_BAR + 100000h * n, ports to C000h + 100h * n, and switches decoding on.
 *
 * Threads: one.
 */
#pragma once

#include "device_fuzz.h"
#include "machine/pci/q35.h"

#define FUZZ_PCI_BAR UINT64_C(0xc0000000)

enum { FUZZ_PCI_RAM = 0x100000, FUZZ_PCI_DEVFN = PCI_DEVFN(1, 0) };

typedef struct FuzzPci {
    PciRoot *root;
    Q35 *q35;
    Device *other; /* beside rig->device, freed after it; may be NULL */
} FuzzPci;

/* Makes rig->extra, and a slot for the function. */
PciSlot fuzz_pci_slot(FuzzRig *rig);
void fuzz_pci_poke(FuzzRig *rig, uint8_t what);
void fuzz_pci_done(FuzzRig *rig);
