/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the virtio core (core.c) and a transport, which shows a device's registers to the guest:
 * virtio-mmio (mmio.c) or virtio over PCI.
 *
 * What both transports have (status, features, selectors, queues, interrupt status, MSI-X vectors
 * of queues and configuration) stands in VirtioDev and Virtq, is saved from there, and is reset by
 * the core.  A transport reads the plain members directly, and writes these: device_features_sel,
 * driver_features_sel, queue_sel, config_vector, Virtq.vector.  Everything else goes through the
 * functions here.
 *
 * Threads: all with the device's lock held.  Some functions wait for work in flight and open the
 * lock meanwhile; until they return .resetting says that registers take no writes.
 */
#pragma once

#include "machine/virtio/virtio.h"

struct VirtioTransport {
    const char *name;
    /* Show @dev's registers; called last by virtio_dev_new(), without lock. */
    void (*plug)(VirtioDev *dev, const VirtioSlot *slot);
    /* Tell the guest that @q has used buffers, or (NULL) that .config or .status has changed; the
     * bit of .isr is set already. */
    void (*interrupt)(VirtioDev *dev, const Virtq *q);
    /* .isr has become 0, by reset or acknowledgement: nothing is pending any more. */
    void (*quiet)(VirtioDev *dev);
    /* A state was loaded: bring what derives from .isr up to date.  NULL: nothing to do. */
    void (*loaded)(VirtioDev *dev);
    /* Before the device is freed, without lock.  NULL: nothing to do. */
    void (*unplug)(VirtioDev *dev);
};

extern const VirtioTransport virtio_mmio;

uint32_t virtio_core_device_id(const VirtioDev *dev);
/* The half of the offered, or accepted, features that the selector names; 0 beyond 64 bits. */
uint32_t virtio_core_offered(const VirtioDev *dev);
uint32_t virtio_core_accepted(const VirtioDev *dev);
void virtio_core_accept(VirtioDev *dev, uint32_t half);
/* The guest writes the status; 0 resets the device. */
void virtio_core_set_status(VirtioDev *dev, uint8_t value);
/* The queue that .queue_sel names, or NULL. */
Virtq *virtio_core_selected(VirtioDev *dev);
/* The most that the guest may choose as size of @q. */
uint16_t virtio_core_queue_max(const Virtq *q);
/* The guest sets up the selected queue; refused while it runs. */
void virtio_core_set_queue_size(VirtioDev *dev, uint32_t size);
typedef enum VirtqArea { VIRTQ_DESC, VIRTQ_DRIVER, VIRTQ_DEVICE } VirtqArea;
void virtio_core_set_queue_area(VirtioDev *dev, VirtqArea area, bool high, uint32_t half);
/* Start or stop the selected queue (MMIO knows how to stop one, PCI only resets it). */
void virtio_core_enable_queue(VirtioDev *dev, bool on);
/* Stop it, and forget how it was set up (virtio 1.2, 2.6.1). */
void virtio_core_reset_queue(VirtioDev *dev);
void virtio_core_notify(VirtioDev *dev, uint32_t index);
/* @size is 1, 2 or 4; what lies beyond the configuration reads as 0. */
uint32_t virtio_core_read_config(VirtioDev *dev, uint64_t offset, unsigned size);
void virtio_core_write_config(VirtioDev *dev, uint64_t offset, uint32_t value, unsigned size);
/* The guest has seen these bits of .isr. */
void virtio_core_acknowledge(VirtioDev *dev, uint8_t bits);
