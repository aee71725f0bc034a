/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A standard VGA with Bochs' extensions, as a PCI function: see vga.c.
 */
#pragma once

#include "machine/pci/pci.h"

typedef struct Display Display;
typedef struct Vga Vga;

extern const PciClass vga_class;

typedef struct VgaConfig {
    PciSlot slot;
    Display *display; /* stays the caller's, outlives the device; NULL: nobody looks */
    const uint8_t *rom;
    size_t rom_size; /* 0: without */
} VgaConfig;

Vga *vga_new(const VgaConfig *config, GError **error);
