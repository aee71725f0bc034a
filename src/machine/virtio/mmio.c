/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MMIO transport of virtio devices (virtio 1.2, 4.2), version 2.
 *
 * Registers are 32 bits wide and aligned; the configuration space from 100h on takes any width.
 * The interrupt is a level: up while InterruptStatus has a bit.
 *
 * Threads: see transport.h.
 */
#include "machine/virtio/mmio.h"

#include "machine/virtio/transport.h"

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    QUEUE_SEL = 0x030,
    QUEUE_NUM_MAX = 0x034,
    QUEUE_NUM = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_FIRST = 0x0b0,
    SHM_LAST = 0x0bc,
    QUEUE_RESET = 0x0c0,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};

enum { MAGIC = 0x74726976, TRANSPORT_VERSION = 2, VENDOR = 0x554c5349 }; /* "ISLU" */

static void set_line(VirtioDev *dev)
{
    irq_set(&dev->irq, dev->isr != 0);
}

static void interrupt(VirtioDev *dev, const Virtq *q)
{
    set_line(dev);
}

static uint32_t read_register(VirtioDev *dev, uint64_t offset)
{
    const Virtq *q = virtio_core_selected(dev);

    switch (offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION:
        return TRANSPORT_VERSION;
    case DEVICE_ID:
        return virtio_core_device_id(dev);
    case VENDOR_ID:
        return VENDOR;
    case DEVICE_FEATURES:
        return virtio_core_offered(dev);
    case QUEUE_NUM_MAX:
        return q ? virtio_core_queue_max(q) : 0;
    case QUEUE_READY:
        return q && q->ready;
    case QUEUE_RESET:
        return 0; /* it is done when the write is */
    case INTERRUPT_STATUS:
        return dev->isr;
    case STATUS:
        return dev->status;
    case CONFIG_GENERATION:
        return dev->config_generation;
    default:
        /* shared memory regions don't exist: length and base are all ones (4.2.2.1) */
        return offset >= SHM_FIRST && offset <= SHM_LAST ? UINT32_MAX : 0;
    }
}

static void write_register(VirtioDev *dev, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        dev->device_features_sel = value;
        break;
    case DRIVER_FEATURES:
        virtio_core_accept(dev, value);
        break;
    case DRIVER_FEATURES_SEL:
        dev->driver_features_sel = value;
        break;
    case QUEUE_SEL:
        dev->queue_sel = value;
        break;
    case QUEUE_NUM:
        virtio_core_set_queue_size(dev, value);
        break;
    case QUEUE_READY:
        virtio_core_enable_queue(dev, value & 1);
        break;
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_HIGH:
        virtio_core_set_queue_area(dev, VIRTQ_DESC, offset == QUEUE_DESC_HIGH, value);
        break;
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_HIGH:
        virtio_core_set_queue_area(dev, VIRTQ_DRIVER, offset == QUEUE_DRIVER_HIGH, value);
        break;
    case QUEUE_DEVICE_LOW:
    case QUEUE_DEVICE_HIGH:
        virtio_core_set_queue_area(dev, VIRTQ_DEVICE, offset == QUEUE_DEVICE_HIGH, value);
        break;
    case QUEUE_RESET:
        if (value & 1) {
            virtio_core_reset_queue(dev);
        }
        break;
    case QUEUE_NOTIFY:
        virtio_core_notify(dev, value);
        break;
    case INTERRUPT_ACK:
        virtio_core_acknowledge(dev, (uint8_t)value);
        break;
    case STATUS:
        virtio_core_set_status(dev, (uint8_t)value);
        break;
    default:
        break; /* read-only, or of no meaning here */
    }
}

static uint64_t on_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioDev *dev = opaque;

    if (offset >= CONFIG) {
        return virtio_core_read_config(dev, offset - CONFIG, size);
    }
    if (size != 4 || offset % 4) {
        guest_error(&dev->device, "read of %u bytes at %x", size, (unsigned)offset);
        return 0;
    }
    return read_register(dev, offset);
}

static void on_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioDev *dev = opaque;

    if (dev->resetting) {
        return;
    }
    if (offset >= CONFIG) {
        virtio_core_write_config(dev, offset - CONFIG, (uint32_t)value, size);
    } else if (size != 4 || offset % 4) {
        guest_error(&dev->device, "write of %u bytes at %x", size, (unsigned)offset);
    } else {
        write_register(dev, offset, (uint32_t)value);
    }
}

static const IoOps ops = { .read = on_read, .write = on_write, .sizes = 1 | 2 | 4 };

static void plug(VirtioDev *dev, const VirtioSlot *slot)
{
    dev->irq = slot->irq;
    device_add_mmio(&dev->device, &ops, slot->base, VIRTIO_MMIO_SIZE);
}

const VirtioTransport virtio_mmio = {
    .name = "mmio",
    .plug = plug,
    .interrupt = interrupt,
    .quiet = set_line,
    .loaded = set_line,
};
