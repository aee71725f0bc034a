/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the LPC bridge with power management, behind the host bridge.  The input is a
 * program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "fuzz_pci.h"
#include "machine/device/ich9_lpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    Ich9LpcConfig config = { .slot = fuzz_pci_slot(rig) };
    FuzzPci *pci = rig->extra;

    config.pm =
        acpi_pm_new_ich9(&rig->bench.env, bench_line(&rig->bench, 0), bench_power(&rig->bench));
    pci->other = (Device *)config.pm;
    rig->device = (Device *)ich9_lpc_new(&config);
}

static void poke(FuzzRig *rig, uint8_t what)
{
    const FuzzPci *pci = rig->extra;
    IrqLine line = ich9_lpc_pirq((Ich9Lpc *)rig->device, what % PCI_PIRQS);

    irq_set(&line, what & 8);
    acpi_pm_gpe((AcpiPm *)pci->other, what % 64);
    pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, 0x40, 0x601, 4);
    pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, 0x44, 0x80, 1);
    pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, 0xf0, 0xfed1c001, 4);
}

static const FuzzTarget target = {
    .windows = { { false, 0xcf8, 8 },
                 { false, 0x600, 0x80 },
                 { true, 0xfed1c000, 0x4000 },
                 { false, 0xb2, 2 } },
    .make = make,
    .poke = poke,
    .done = fuzz_pci_done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
