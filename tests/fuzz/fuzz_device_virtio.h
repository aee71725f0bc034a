/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets of virtio devices share: where the device is, and a shortcut that sets it
 * up as a good driver would, so that programs get to the queues.
 *
 * Threads: one.
 */
#pragma once

#include "device_fuzz.h"
#include "machine/virtio/mmio.h"
#include "machine/virtio/virtio.h"

enum { FUZZ_VIRTIO_BASE = 0x100000, FUZZ_VIRTIO_RAM = 0x14000 };

#define FUZZ_VIRTIO_WINDOW                                                                         \
    {                                                                                              \
        true, FUZZ_VIRTIO_BASE, VIRTIO_MMIO_SIZE                                                   \
    }

VirtioSlot fuzz_virtio_slot(FuzzRig *rig);
/* Bit 0: set the device up, bit 6: with packed rings.  Bit 1: make as many entries of the rings
 * available as bits 2 to 5 say.  Then kick. */
void fuzz_virtio_poke(FuzzRig *rig, uint8_t what);
