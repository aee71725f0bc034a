/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SATA disks and CD-ROMs of board pc, at ports of its AHCI controller, in the order given.
 *
 * Threads: main, while no vCPU runs; trays at any time, see machine.h.
 */
#pragma once

#include "machine/board/board.h"
#include "machine/board/pc_firmware.h"
#include "machine/pci/pci.h"

/* @disk, which is the config's at @index and isn't virtio, at the next port of the controller; that
 * is made at @slot for the first one.  And into the order of booting. */
void board_add_sata(Machine *machine, const PciSlot *slot, const MachineDisk *disk, size_t index,
                    PcBootList *boot);
/* As machine_retry_disks(). */
void board_retry_sata(Machine *machine);
