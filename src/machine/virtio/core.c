/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all virtio devices have in common, behind any transport (virtio 1.2, 2 and 3): status,
 * feature bits, configuration space, interrupts, starting and stopping of queues, reset.
 *
 * Threads: see virtio.h and transport.h.
 */
#include <string.h>

#include "common/error.h"
#include "machine/virtio/ring.h"
#include "machine/virtio/transport.h"

static const VirtioClass *class_of(const VirtioDev *dev)
{
    return container_of(dev->device.class, VirtioClass, device);
}

bool virtio_dev_has_feature(const VirtioDev *dev, unsigned bit)
{
    return bit_test(dev->driver_features, bit);
}

bool virtio_dev_runs(const VirtioDev *dev)
{
    return (dev->status & VIRTIO_STATUS_DRIVER_OK) && !(dev->status & VIRTIO_STATUS_NEEDS_RESET) &&
           !dev->resetting;
}

uint32_t virtio_core_device_id(const VirtioDev *dev)
{
    return class_of(dev)->device_id;
}

/* --- interrupts --- */

void virtio_dev_interrupt(VirtioDev *dev, const Virtq *q)
{
    dev->isr |= q ? VIRTIO_INTERRUPT_QUEUE : VIRTIO_INTERRUPT_CONFIG;
    dev->transport->interrupt(dev, q);
}

void virtio_core_acknowledge(VirtioDev *dev, uint8_t bits)
{
    dev->isr &= ~bits;
    if (!dev->isr) {
        dev->transport->quiet(dev);
    }
}

void virtio_dev_broken(VirtioDev *dev, const char *why)
{
    guest_error(&dev->device, "%s: needs a reset", why);
    dev->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (dev->status & VIRTIO_STATUS_DRIVER_OK) {
        virtio_dev_interrupt(dev, NULL);
    }
}

void virtio_dev_config_changed(VirtioDev *dev)
{
    dev->config_generation++;
    dev->config_news = virtio_dev_runs(dev);
    if (dev->config_news) {
        virtio_dev_interrupt(dev, NULL);
    }
}

bool virtio_dev_config_known(VirtioDev *dev)
{
    g_mutex_lock(&dev->device.lock);
    bool known = !dev->config_news || !virtio_dev_runs(dev);
    g_mutex_unlock(&dev->device.lock);
    return known;
}

/* --- queues --- */

/* Serve the queues that were kicked. */
static void run_queues(void *opaque)
{
    VirtioDev *dev = opaque;

    g_mutex_lock(&dev->device.lock);
    for (unsigned i = 0; i < dev->n_queues; i++) {
        Virtq *q = &dev->queues[i];
        if (q->kicked && q->ready && !q->draining && !dev->paused && virtio_dev_runs(dev)) {
            q->kicked = false;
            virtq_begin_round(q);
            class_of(dev)->queues[i].on_kick(dev, q);
        }
    }
    g_mutex_unlock(&dev->device.lock);
}

Virtq *virtio_core_selected(VirtioDev *dev)
{
    return dev->queue_sel < dev->n_queues ? &dev->queues[dev->queue_sel] : NULL;
}

uint16_t virtio_core_queue_max(const Virtq *q)
{
    return class_of(q->dev)->queues[q->index].size;
}

/* The selected queue, if the guest may set it up now. */
static Virtq *changeable(VirtioDev *dev)
{
    Virtq *q = virtio_core_selected(dev);

    if (!q) {
        guest_error(&dev->device, "there is no queue %u", dev->queue_sel);
    } else if (q->ready) {
        guest_error(&dev->device, "queue %u changed while it runs", q->index);
        q = NULL;
    }
    return q;
}

void virtio_core_set_queue_size(VirtioDev *dev, uint32_t size)
{
    Virtq *q = changeable(dev);

    if (q) {
        q->size = (uint16_t)MIN(size, UINT16_MAX);
    }
}

void virtio_core_set_queue_area(VirtioDev *dev, VirtqArea area, bool high, uint32_t half)
{
    Virtq *q = changeable(dev);
    unsigned shift = high ? 32 : 0;

    if (!q) {
        return;
    }
    uint64_t *const areas[] = {
        [VIRTQ_DESC] = &q->desc_gpa,
        [VIRTQ_DRIVER] = &q->driver_gpa,
        [VIRTQ_DEVICE] = &q->device_gpa,
    };
    uint64_t *gpa = areas[area];
    *gpa = (*gpa & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)half << shift;
}

/* As if the guest had not touched it yet. */
static void forget_queue(Virtq *q)
{
    q->size = virtio_core_queue_max(q);
    q->vector = VIRTIO_NO_VECTOR;
    q->desc_gpa = q->driver_gpa = q->device_gpa = 0;
    virtq_rewind(q);
}

void virtio_core_enable_queue(VirtioDev *dev, bool on)
{
    Virtq *q = virtio_core_selected(dev);

    if (!q) {
        guest_error(&dev->device, "there is no queue %u", dev->queue_sel);
    } else if (on && !(dev->status & VIRTIO_STATUS_FEATURES_OK)) {
        guest_error(&dev->device, "queue %u started before FEATURES_OK", q->index);
    } else if (on && !q->ready && !q->draining && !(dev->status & VIRTIO_STATUS_NEEDS_RESET)) {
        virtq_rewind(q);
        virtq_start(q);
    } else if (!on && q->ready) {
        virtq_stop(q);
        virtq_rewind(q);
    }
}

void virtio_core_reset_queue(VirtioDev *dev)
{
    Virtq *q = virtio_core_selected(dev);

    if (!q || !virtio_dev_has_feature(dev, VIRTIO_F_RING_RESET)) {
        guest_error(&dev->device, "reset of queue %u, which can't be", dev->queue_sel);
        return;
    }
    virtq_stop(q);
    forget_queue(q);
}

void virtio_core_notify(VirtioDev *dev, uint32_t index)
{
    if (index >= dev->n_queues || !dev->queues[index].ready ||
        !(dev->status & VIRTIO_STATUS_DRIVER_OK)) {
        guest_error(&dev->device, "notification of queue %u, which doesn't run", index);
        return;
    }
    virtq_kick(&dev->queues[index]);
}

/* --- features and status --- */

uint32_t virtio_core_offered(const VirtioDev *dev)
{
    unsigned half = dev->device_features_sel;

    return half > 1 ? 0 : (uint32_t)(dev->features >> (half * 32));
}

uint32_t virtio_core_accepted(const VirtioDev *dev)
{
    unsigned half = dev->driver_features_sel;

    return half > 1 ? 0 : (uint32_t)(dev->driver_features >> (half * 32));
}

void virtio_core_accept(VirtioDev *dev, uint32_t half)
{
    unsigned shift = dev->driver_features_sel * 32;

    if (dev->status & VIRTIO_STATUS_FEATURES_OK) {
        guest_error(&dev->device, "features written after FEATURES_OK");
    } else if (dev->driver_features_sel <= 1) { /* there are no more bits */
        dev->driver_features =
            (dev->driver_features & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)half << shift;
    }
}

static bool features_are_sane(const VirtioDev *dev)
{
    return !(dev->driver_features & ~dev->features) &&
           virtio_dev_has_feature(dev, VIRTIO_F_VERSION_1);
}

static void reset(VirtioDev *dev)
{
    dev->resetting = true;
    for (unsigned i = 0; i < dev->n_queues; i++) {
        virtq_stop(&dev->queues[i]);
    }
    dev->resetting = false;
    for (unsigned i = 0; i < dev->n_queues; i++) {
        forget_queue(&dev->queues[i]);
    }
    dev->status = 0;
    dev->config_vector = VIRTIO_NO_VECTOR;
    dev->device_features_sel = dev->driver_features_sel = 0;
    dev->driver_features = 0;
    dev->queue_sel = 0;
    virtio_core_acknowledge(dev, UINT8_MAX);
    if (class_of(dev)->reset) {
        class_of(dev)->reset(dev);
    }
}

void virtio_core_set_status(VirtioDev *dev, uint8_t value)
{
    uint8_t set = value & ~dev->status & ~VIRTIO_STATUS_NEEDS_RESET;

    if (value == 0) {
        reset(dev);
        return;
    }
    if (dev->status & ~value & ~VIRTIO_STATUS_NEEDS_RESET) {
        guest_error(&dev->device, "status bits cleared without reset");
    }
    if ((set & VIRTIO_STATUS_FEATURES_OK) && !features_are_sane(dev)) {
        guest_error(&dev->device, "features %" G_GINT64_MODIFIER "x refused", dev->driver_features);
        set &= ~VIRTIO_STATUS_FEATURES_OK;
    }
    if ((set & VIRTIO_STATUS_DRIVER_OK) && !((dev->status | set) & VIRTIO_STATUS_FEATURES_OK)) {
        guest_error(&dev->device, "DRIVER_OK before FEATURES_OK");
        set &= ~VIRTIO_STATUS_DRIVER_OK;
    }
    dev->status |= set;
    if ((set & VIRTIO_STATUS_DRIVER_OK) && class_of(dev)->started) {
        class_of(dev)->started(dev);
    }
}

/* --- configuration space --- */

uint32_t virtio_core_read_config(VirtioDev *dev, uint64_t offset, unsigned size)
{
    uint32_t value = 0;

    dev->config_news = false;
    if (range_inside(offset, size, 0, VIRTIO_MAX_CONFIG)) {
        memcpy(&value, dev->config + offset, size); /* zero behind .config_size */
    }
    return value;
}

void virtio_core_write_config(VirtioDev *dev, uint64_t offset, uint32_t value, unsigned size)
{
    if (class_of(dev)->write_config && range_inside(offset, size, 0, dev->config_size)) {
        class_of(dev)->write_config(dev, (unsigned)offset, value, size);
    } else {
        guest_error(&dev->device, "write of %u bytes at %x of the configuration", size,
                    (unsigned)offset);
    }
}

void virtio_dev_set_config(VirtioDev *dev, const void *config, unsigned size)
{
    g_assert(size <= VIRTIO_MAX_CONFIG);
    memcpy(dev->config, config, size);
    dev->config_size = size;
}

/* --- life --- */

void virtio_dev_reset(Device *device)
{
    reset(container_of(device, VirtioDev, device));
}

static bool load_queue(Virtq *q, GError **error)
{
    bool agreed = q->dev->status & VIRTIO_STATUS_FEATURES_OK;

    if (q->ready && (!agreed || q->index >= q->dev->n_queues || !virtq_start(q))) {
        q->ready = false;
        set_error(error, "cannot load the state of '%s': queue %u can't be", q->dev->device.name,
                  q->index);
        return false;
    }
    if (q->ready) {
        virtq_kick(q);
    }
    return true;
}

bool virtio_dev_loaded(Device *device, GError **error)
{
    VirtioDev *dev = container_of(device, VirtioDev, device);

    bool agreed = dev->status & VIRTIO_STATUS_FEATURES_OK;
    if (agreed ? !features_are_sane(dev) : (dev->status & VIRTIO_STATUS_DRIVER_OK) != 0) {
        set_error(error, "cannot load the state of '%s': it has features this device lacks",
                  device->name);
        return false;
    }
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        if (!load_queue(&dev->queues[i], error)) {
            return false;
        }
    }
    if (class_of(dev)->loaded && !class_of(dev)->loaded(dev, error)) {
        return false;
    }
    if (dev->transport->loaded) {
        dev->transport->loaded(dev);
    }
    return true;
}

void virtio_dev_pause(Device *device, bool on)
{
    VirtioDev *dev = container_of(device, VirtioDev, device);

    g_mutex_lock(&device->lock);
    dev->paused = on;
    for (unsigned i = 0; i < dev->n_queues; i++) {
        while (on && dev->queues[i].in_flight) {
            g_cond_wait(&dev->drained, &device->lock);
        }
        if (!on && dev->queues[i].ready) {
            virtq_kick(&dev->queues[i]); /* it may have been refused a chain meanwhile */
        }
    }
    g_mutex_unlock(&device->lock);
}

void virtio_dev_destroy(Device *device)
{
    VirtioDev *dev = container_of(device, VirtioDev, device);

    if (dev->transport->unplug) {
        dev->transport->unplug(dev);
    }
    /* the task finds no queue to serve from here on, and may be scheduled until nobody can */
    g_mutex_lock(&device->lock);
    for (unsigned i = 0; i < dev->n_queues; i++) {
        virtq_stop(&dev->queues[i]);
    }
    g_mutex_unlock(&device->lock);
    if (class_of(dev)->destroy) {
        class_of(dev)->destroy(dev);
    }
    io_task_free(dev->task);
    g_cond_clear(&dev->drained);
}

void virtio_dev_set_queues(VirtioDev *dev, unsigned n)
{
    g_assert(n <= dev->n_queues);
    dev->n_queues = n;
}

void *virtio_dev_new(const VirtioClass *class, const VirtioSlot *slot, uint64_t features)
{
    VirtioDev *dev = device_new(&class->device, &slot->env, slot->name);

    dev->transport = slot->transport ? slot->transport : &virtio_mmio;
    dev->transport_opaque = slot->transport_opaque;
    features |= VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) |
                VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) | VIRTIO_FEATURE(VIRTIO_F_RING_RESET);
    if (class->in_order) {
        features |= VIRTIO_FEATURE(VIRTIO_F_IN_ORDER);
    }
    dev->features = (features & ~slot->hidden) | VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
    dev->task = io_task_new(slot->io, run_queues, dev);
    g_cond_init(&dev->drained);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        dev->queues[i].dev = dev;
        dev->queues[i].index = i;
        dev->queues[i].vector = VIRTIO_NO_VECTOR;
        g_assert(class->queues[i].size <= VIRTQ_MAX_SIZE);
        dev->n_queues += class->queues[i].name != NULL;
    }
    dev->transport->plug(dev, slot);
    return dev;
}
