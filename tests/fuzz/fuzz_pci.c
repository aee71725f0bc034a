/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus around PCI functions under test, see fuzz_pci.h.
 */
#include "fuzz_pci.h"

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return (device + pin) % PCI_PIRQS;
}

static void ignore_message(void *opaque, uint64_t address, uint32_t data)
{
}

PciSlot fuzz_pci_slot(FuzzRig *rig)
{
    FuzzPci *pci = g_new0(FuzzPci, 1);
    GuestMemory *memory = rig->bench.env.memory;
    PciRootConfig config = { .memory = memory, .route = route, .msi = { ignore_message, NULL } };

    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        config.pirqs[i] = bench_line(&rig->bench, i);
    }
    pci->root = pci_root_new(&config);
    RamBlock *ram = gm_add_block(memory, "ram", FUZZ_PCI_RAM, NULL);
    gm_add_window(memory, &(GmWindowConfig){ .io = { .name = "ram", .size = FUZZ_PCI_RAM },
                                             .block = ram,
                                             .priority = GM_RAM });
    pci->q35 =
        q35_new(&(Q35Config){ .slot = { rig->bench.env, pci_root_bus(pci->root), 0, "q35", false },
                              .root = pci->root,
                              .ram = ram,
                              .events = bench_power(&rig->bench) });
    device_reset((Device *)pci->q35);
    rig->extra = pci;
    return (PciSlot){ rig->bench.env, pci_root_bus(pci->root), FUZZ_PCI_DEVFN, "fuzz", false };
}

void fuzz_pci_poke(FuzzRig *rig, uint8_t what)
{
    const FuzzPci *pci = rig->extra;

    for (unsigned i = 0; i < 6; i++) {
        unsigned offset = PCI_BAR0 + 4 * i;
        uint32_t bar = pci_root_read(pci->root, 0, FUZZ_PCI_DEVFN, offset, 4);
        uint32_t place = (uint32_t)FUZZ_PCI_BAR + (i << 20);
        pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, offset, bar & 1 ? 0xc000 + (i << 8) : place,
                       4);
        if ((bar & 7) == 4) { /* a wide one: not beyond 4 GiB */
            pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, offset + 4, 0, 4);
            i++;
        }
    }
    pci_root_write(pci->root, 0, FUZZ_PCI_DEVFN, PCI_COMMAND, 7U | (what & 1U) << 10, 2);
}

void fuzz_pci_done(FuzzRig *rig)
{
    FuzzPci *pci = rig->extra;

    device_free(pci->other);
    device_free((Device *)pci->q35);
    pci_root_free(pci->root);
    g_free(pci);
}
