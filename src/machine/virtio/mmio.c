/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MMIO transport of virtio devices (virtio 1.2, 4.2), version 2, and what all devices have in
 * common behind it: status, feature bits, configuration space, interrupts, reset.
 *
 * Registers are 32 bits wide and aligned; the configuration space from 100h on takes any width.
 *
 * Threads: see virtio.h.
 */
#include <string.h>

#include "common/error.h"
#include "machine/virtio/virtio.h"

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
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100,
};

enum { MAGIC = 0x74726976, TRANSPORT_VERSION = 2, VENDOR = 0x554c5349 }; /* "ISLU" */

static const VirtioClass *class_of(const VirtioDev *dev)
{
    return container_of(dev->device.class, VirtioClass, device);
}

bool virtio_dev_has_feature(const VirtioDev *dev, unsigned bit)
{
    return bit_test(dev->driver_features, bit);
}

void virtio_dev_interrupt(VirtioDev *dev, uint8_t bits)
{
    dev->interrupt |= bits;
    irq_set(&dev->irq, dev->interrupt != 0);
}

void virtio_dev_broken(VirtioDev *dev, const char *why)
{
    guest_error(&dev->device, "%s: needs a reset", why);
    dev->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (dev->status & VIRTIO_STATUS_DRIVER_OK) {
        virtio_dev_interrupt(dev, VIRTIO_INTERRUPT_CONFIG);
    }
}

/* The queue that QueueSel names, or NULL. */
static Virtq *selected(VirtioDev *dev)
{
    if (dev->queue_sel >= VIRTIO_MAX_QUEUES || !class_of(dev)->queues[dev->queue_sel].name) {
        return NULL;
    }
    return &dev->queues[dev->queue_sel];
}

/* Serve the queues that were kicked. */
static void run_queues(void *opaque)
{
    VirtioDev *dev = opaque;

    g_mutex_lock(&dev->device.lock);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        Virtq *q = &dev->queues[i];
        if (!q->kicked || !q->ready || q->draining || !(dev->status & VIRTIO_STATUS_DRIVER_OK) ||
            (dev->status & VIRTIO_STATUS_NEEDS_RESET)) {
            continue;
        }
        q->kicked = false;
        q->budget = q->size;
        class_of(dev)->queues[i].on_kick(dev, q);
    }
    g_mutex_unlock(&dev->device.lock);
}

static void reset_transport(VirtioDev *dev)
{
    dev->resetting = true;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        virtq_stop(&dev->queues[i]);
    }
    dev->resetting = false;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        Virtq *q = &dev->queues[i];
        q->size = 0;
        q->descriptors = q->available = q->used = 0;
        q->next_available = q->next_used = 0;
    }
    dev->status = 0;
    dev->interrupt = 0;
    dev->device_features_sel = dev->driver_features_sel = 0;
    dev->driver_features = 0;
    dev->queue_sel = 0;
    irq_set(&dev->irq, false);
    if (class_of(dev)->reset) {
        class_of(dev)->reset(dev);
    }
}

void virtio_dev_reset(Device *device)
{
    reset_transport(container_of(device, VirtioDev, device));
}

bool virtio_dev_loaded(Device *device, GError **error)
{
    VirtioDev *dev = container_of(device, VirtioDev, device);

    if (dev->driver_features & ~dev->features) {
        set_error(error, "cannot load the state of '%s': it has features this device lacks",
                  device->name);
        return false;
    }
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        Virtq *q = &dev->queues[i];
        if (q->ready && (!class_of(dev)->queues[i].name || !virtq_start(q))) {
            q->ready = false;
            set_error(error, "cannot load the state of '%s': queue %u can't be", device->name, i);
            return false;
        }
        virtq_kick(q);
    }
    irq_set(&dev->irq, dev->interrupt != 0);
    return true;
}

void virtio_dev_destroy(Device *device)
{
    VirtioDev *dev = container_of(device, VirtioDev, device);

    if (class_of(dev)->destroy) {
        class_of(dev)->destroy(dev);
    }
    io_task_free(dev->task);
    g_cond_clear(&dev->drained);
}

static uint32_t read_device_features(const VirtioDev *dev)
{
    return dev->device_features_sel > 1
               ? 0
               : (uint32_t)(dev->features >> (dev->device_features_sel * 32));
}

static void write_driver_features(VirtioDev *dev, uint32_t value)
{
    unsigned shift = dev->driver_features_sel * 32;

    if (dev->status & VIRTIO_STATUS_FEATURES_OK) {
        guest_error(&dev->device, "features written after FEATURES_OK");
        return;
    }
    if (dev->driver_features_sel > 1) {
        return; /* there are no such bits */
    }
    dev->driver_features =
        (dev->driver_features & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

static void write_status(VirtioDev *dev, uint32_t value)
{
    uint8_t set = (uint8_t)value & ~dev->status;

    if (value == 0) {
        reset_transport(dev);
        return;
    }
    if (dev->status & ~value & ~(uint32_t)VIRTIO_STATUS_NEEDS_RESET) {
        guest_error(&dev->device, "status bits cleared without reset");
    }
    set &= ~VIRTIO_STATUS_NEEDS_RESET;
    if (set & VIRTIO_STATUS_FEATURES_OK) {
        bool sane = !(dev->driver_features & ~dev->features) &&
                    virtio_dev_has_feature(dev, VIRTIO_F_VERSION_1);
        if (!sane) {
            guest_error(&dev->device, "features %" G_GINT64_MODIFIER "x refused",
                        dev->driver_features);
            set &= ~VIRTIO_STATUS_FEATURES_OK;
        }
    }
    if ((set & VIRTIO_STATUS_DRIVER_OK) && !((dev->status | set) & VIRTIO_STATUS_FEATURES_OK)) {
        guest_error(&dev->device, "DRIVER_OK before FEATURES_OK");
        set &= ~VIRTIO_STATUS_DRIVER_OK;
    }
    dev->status |= set;
}

static void write_queue_ready(VirtioDev *dev, Virtq *q, uint32_t value)
{
    if (value == 1 && !q->ready && !q->draining) {
        if (!(dev->status & VIRTIO_STATUS_NEEDS_RESET)) {
            virtq_start(q);
        }
    } else if (value == 0 && q->ready) {
        virtq_stop(q);
        q->next_available = q->next_used = 0;
    }
}

static void set_half(uint64_t *value, unsigned shift, uint32_t half)
{
    *value = (*value & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)half << shift;
}

/* Registers of the selected queue. */
static void write_queue(VirtioDev *dev, uint64_t offset, uint32_t value)
{
    Virtq *q = selected(dev);

    if (!q) {
        guest_error(&dev->device, "there is no queue %u", dev->queue_sel);
        return;
    }
    if (offset == QUEUE_READY) {
        write_queue_ready(dev, q, value);
        return;
    }
    if (q->ready) {
        guest_error(&dev->device, "queue %u changed while it runs", q->index);
        return;
    }
    switch (offset) {
    case QUEUE_NUM:
        q->size = (uint16_t)MIN(value, UINT16_MAX);
        break;
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_HIGH:
        set_half(&q->descriptors, offset == QUEUE_DESC_HIGH ? 32 : 0, value);
        break;
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_HIGH:
        set_half(&q->available, offset == QUEUE_DRIVER_HIGH ? 32 : 0, value);
        break;
    default:
        set_half(&q->used, offset == QUEUE_DEVICE_HIGH ? 32 : 0, value);
        break;
    }
}

static void notify(VirtioDev *dev, uint32_t index)
{
    if (index >= VIRTIO_MAX_QUEUES || !dev->queues[index].ready ||
        !(dev->status & VIRTIO_STATUS_DRIVER_OK)) {
        guest_error(&dev->device, "notification of queue %u, which doesn't run", index);
        return;
    }
    virtq_kick(&dev->queues[index]);
}

static uint32_t read_config(const VirtioDev *dev, uint64_t offset, unsigned size)
{
    uint32_t value = 0;

    if (range_inside(offset, size, 0, VIRTIO_MAX_CONFIG)) {
        memcpy(&value, dev->config + offset, size); /* zero behind .config_size */
    }
    return value;
}

static uint32_t read_register(VirtioDev *dev, uint64_t offset)
{
    const Virtq *q = selected(dev);

    switch (offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION:
        return TRANSPORT_VERSION;
    case DEVICE_ID:
        return class_of(dev)->device_id;
    case VENDOR_ID:
        return VENDOR;
    case DEVICE_FEATURES:
        return read_device_features(dev);
    case QUEUE_NUM_MAX:
        return q ? class_of(dev)->queues[q->index].size : 0;
    case QUEUE_READY:
        return q && q->ready;
    case INTERRUPT_STATUS:
        return dev->interrupt;
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
        write_driver_features(dev, value);
        break;
    case DRIVER_FEATURES_SEL:
        dev->driver_features_sel = value;
        break;
    case QUEUE_SEL:
        dev->queue_sel = value;
        break;
    case QUEUE_NUM:
    case QUEUE_READY:
    case QUEUE_DESC_LOW:
    case QUEUE_DESC_HIGH:
    case QUEUE_DRIVER_LOW:
    case QUEUE_DRIVER_HIGH:
    case QUEUE_DEVICE_LOW:
    case QUEUE_DEVICE_HIGH:
        write_queue(dev, offset, value);
        break;
    case QUEUE_NOTIFY:
        notify(dev, value);
        break;
    case INTERRUPT_ACK:
        dev->interrupt &= ~(uint8_t)value;
        irq_set(&dev->irq, dev->interrupt != 0);
        break;
    case STATUS:
        write_status(dev, value);
        break;
    default:
        break; /* read-only, or of no meaning here */
    }
}

static uint64_t on_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioDev *dev = opaque;

    if (offset >= CONFIG) {
        return read_config(dev, offset - CONFIG, size);
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

    if (offset >= CONFIG || size != 4 || offset % 4) {
        guest_error(&dev->device, "write of %u bytes at %x", size, (unsigned)offset);
        return;
    }
    if (!dev->resetting) {
        write_register(dev, offset, (uint32_t)value);
    }
}

const IoOps virtio_mmio_ops = { .read = on_read, .write = on_write, .sizes = 1 | 2 | 4 };

void *virtio_dev_new(const VirtioClass *class, const VirtioSlot *slot, uint64_t features)
{
    VirtioDev *dev = device_new(&class->device, &slot->env, slot->name);

    dev->irq = slot->irq;
    dev->features = features | UINT64_C(1) << VIRTIO_F_INDIRECT_DESC |
                    UINT64_C(1) << VIRTIO_F_EVENT_IDX | UINT64_C(1) << VIRTIO_F_VERSION_1;
    dev->task = io_task_new(slot->io, run_queues, dev);
    g_cond_init(&dev->drained);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        dev->queues[i].dev = dev;
        dev->queues[i].index = i;
        g_assert(class->queues[i].size <= VIRTQ_MAX_SIZE);
    }
    device_add_mmio(&dev->device, &virtio_mmio_ops, slot->base, VIRTIO_MMIO_SIZE);
    return dev;
}

void virtio_dev_set_config(VirtioDev *dev, const void *config, unsigned size)
{
    g_assert(size <= VIRTIO_MAX_CONFIG);
    memcpy(dev->config, config, size);
    dev->config_size = size;
}
