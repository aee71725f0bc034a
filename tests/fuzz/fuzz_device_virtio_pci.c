/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a virtio device over PCI: configuration space, MSI-X, the BAR.  The input is a
 * program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "fuzz_pci.h"
#include "machine/virtio/pci.h"
#include "machine/virtio/rng.h"
#include "machine/virtio/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    PciSlot slot = fuzz_pci_slot(rig);
    FuzzPci *pci = rig->extra;
    VirtioPci *function = virtio_pci_new(&slot);

    pci->other = (Device *)function;
    rig->device = (Device *)virtio_rng_new(&(VirtioSlot){ .env = rig->bench.env,
                                                          .io = rig->io,
                                                          .name = "fuzz",
                                                          .transport = &virtio_pci,
                                                          .transport_opaque = function });
    device_reset(pci->other);
}

static const FuzzTarget target = {
    .windows = { { false, 0xcf8, 8 },
                 { true, FUZZ_PCI_BAR + 0x400000, 0x40 },
                 { true, FUZZ_PCI_BAR + 0x401000, 0x3000 },
                 { true, FUZZ_PCI_BAR + 0x100000, 0x40 } },
    .make = make,
    .poke = fuzz_pci_poke,
    .done = fuzz_pci_done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
