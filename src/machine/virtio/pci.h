/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport of virtio devices, as far as a board must know it.
 *
 *   VirtioPci *function = virtio_pci_new(&pci_slot);
 *   virtio_blk_new(&(VirtioSlot){ ..., .transport = &virtio_pci, .transport_opaque = function });
 *
 * The function is a device of its own beside the virtio device, and outlives it.
 *
 * Threads: no state.
 */
#pragma once

#include "machine/pci/pci.h"

typedef struct VirtioPci VirtioPci;
typedef struct VirtioTransport VirtioTransport;

extern const VirtioTransport virtio_pci;
extern const PciClass virtio_pci_class;

/* A function without a device yet. */
VirtioPci *virtio_pci_new(const PciSlot *slot);
