/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the VGA: ports, window, BARs, and drawing whatever they say.  The input is a program
 * of device_fuzz.h; a poke has a viewer look.
 *
 * Threads: one.
 */
#include "display/display.h"
#include "fuzz_pci.h"
#include "machine/device/vga.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Screen {
    FuzzPci pci; /* first: fuzz_pci.h's own */
    Display *display;
} Screen;

static void make(FuzzRig *rig)
{
    static const uint8_t rom[512] = { 0x55, 0xaa };
    PciSlot slot = fuzz_pci_slot(rig);
    Screen *screen = g_new0(Screen, 1);

    screen->pci = *(FuzzPci *)rig->extra;
    g_free(rig->extra);
    rig->extra = screen;
    screen->display = display_new();
    rig->device = (Device *)vga_new(
        &(VgaConfig){ .slot = slot, .display = screen->display, .rom = rom, .rom_size = 512 },
        NULL);
}

static void poke(FuzzRig *rig, uint8_t what)
{
    const Screen *screen = rig->extra;

    if (what < 64) {
        fuzz_pci_poke(rig, what);
    } else {
        display_refresh(screen->display);
    }
}

static void done(FuzzRig *rig)
{
    const Screen *screen = rig->extra;

    display_free(screen->display);
    fuzz_pci_done(rig);
}

static const FuzzTarget target = {
    .windows = { { false, 0x3b0, 0x30 },
                 { false, 0x1ce, 4 },
                 { true, 0xa0000, 0x20000 },
                 { true, FUZZ_PCI_BAR + 0x200400, 0x200 } },
    .make = make,
    .poke = poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
