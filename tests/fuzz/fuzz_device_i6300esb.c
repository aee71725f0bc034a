/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the watchdog.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "fuzz_pci.h"
#include "machine/device/i6300esb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    PciSlot slot = fuzz_pci_slot(rig);

    rig->device = (Device *)i6300esb_new(&slot, bench_power(&rig->bench));
}

static const FuzzTarget target = {
    .windows = { { false, 0xcf8, 8 }, { true, FUZZ_PCI_BAR, 0x10 } },
    .make = make,
    .poke = fuzz_pci_poke,
    .done = fuzz_pci_done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
