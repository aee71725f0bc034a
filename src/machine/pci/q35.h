/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge of Intel's Q35 chipset, see q35.c.
 */
#pragma once

#include "machine/core/power.h"
#include "machine/pci/pci.h"

typedef struct Q35 Q35;

extern const PciClass q35_class;

typedef struct Q35Config {
    PciSlot slot; /* device 0 of bus 0 */
    PciRoot *root;
    const RamBlock *ram;  /* from address 0 on */
    uint64_t high_ram;    /* bytes of RAM from 4 GiB on */
    const RamBlock *bios; /* whose last 128 KiB stand at E0000h while RAM is off; NULL: nothing */
    MachineEvents events; /* the reset register, CF9h */
} Q35Config;

Q35 *q35_new(const Q35Config *config);
