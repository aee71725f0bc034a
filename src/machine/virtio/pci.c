/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio over PCI (virtio 1.2, 4.1), without the legacy interface: four structures in BAR 4, which
 * capabilities point at, and MSI-X in BAR 1.
 *
 *   0000h  common configuration     1000h  interrupt status
 *   2000h  device's configuration   3000h  notifications, 4 bytes per queue
 *
 * A fifth capability lets firmware reach all of that through configuration space.
 *
 * Threads: registers under the virtio device's lock, configuration space under the function's.
 * Lock order: virtio device -> function.
 */
#include "machine/virtio/pci.h"

#include <string.h>

#include "machine/virtio/transport.h"

enum { COMMON = 0x0000, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, PART = 0x1000 };
enum { BAR = 4, BAR_SIZE = 0x4000, MSIX_BAR = 1, NOTIFY_STEP = 4, FIRST_ID = 0x1040 };

/* Offsets in the common configuration (4.1.4.3). */
enum {
    DEVICE_FEATURE_SELECT = 0x00,
    DEVICE_FEATURE = 0x04,
    DRIVER_FEATURE_SELECT = 0x08,
    DRIVER_FEATURE = 0x0c,
    CONFIG_VECTOR = 0x10,
    NUM_QUEUES = 0x12,
    DEVICE_STATUS = 0x14,
    CONFIG_GENERATION = 0x15,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFFSET = 0x1e,
    QUEUE_DESC = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30,
    QUEUE_NOTIFY_DATA = 0x38,
    QUEUE_RESET = 0x3a,
};

/* Kinds of capability, and their fields (4.1.4). */
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI = 5 };
enum { CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_SIZE = 16, CAP_DATA = 16 };

struct VirtioPci {
    PciDevice pci;
    /* fixed after create */
    VirtioDev *dev;  /* NULL before and after its life */
    unsigned window; /* offset of the capability CAP_PCI */
};

/* --- interrupts; device's lock held --- */

static void interrupt(VirtioDev *dev, const Virtq *q)
{
    VirtioPci *function = dev->transport_opaque;
    unsigned vector = q ? q->vector : dev->config_vector;

    g_mutex_lock(&function->pci.device.lock);
    if (!pci_has_msix(&function->pci)) {
        pci_set_intx(&function->pci, dev->isr != 0);
    } else if (vector != VIRTIO_NO_VECTOR) {
        pci_notify(&function->pci, vector);
    }
    g_mutex_unlock(&function->pci.device.lock);
}

static void quiet(VirtioDev *dev)
{
    VirtioPci *function = dev->transport_opaque;

    g_mutex_lock(&function->pci.device.lock);
    pci_set_intx(&function->pci, dev->isr != 0 && !pci_has_msix(&function->pci));
    g_mutex_unlock(&function->pci.device.lock);
}

/* --- common configuration --- */

static uint64_t read_queue(const VirtioDev *dev, uint64_t offset)
{
    const Virtq *q = virtio_core_selected((VirtioDev *)dev);

    if (!q) {
        return offset == QUEUE_VECTOR ? VIRTIO_NO_VECTOR : 0;
    }
    switch (offset) {
    case QUEUE_SIZE:
        return q->size;
    case QUEUE_VECTOR:
        return q->vector;
    case QUEUE_ENABLE:
        return q->ready;
    case QUEUE_NOTIFY_OFFSET:
    case QUEUE_NOTIFY_DATA:
        return q->index;
    case QUEUE_DESC:
    case QUEUE_DESC + 4:
        return q->desc_gpa >> (offset % 8 * 8);
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        return q->driver_gpa >> (offset % 8 * 8);
    case QUEUE_DEVICE:
    case QUEUE_DEVICE + 4:
        return q->device_gpa >> (offset % 8 * 8);
    default:
        return 0;
    }
}

static uint64_t read_common(VirtioDev *dev, uint64_t offset)
{
    switch (offset) {
    case DEVICE_FEATURE_SELECT:
        return dev->device_features_sel;
    case DEVICE_FEATURE:
        return virtio_core_offered(dev);
    case DRIVER_FEATURE_SELECT:
        return dev->driver_features_sel;
    case DRIVER_FEATURE:
        return virtio_core_accepted(dev);
    case CONFIG_VECTOR:
        return dev->config_vector;
    case NUM_QUEUES:
        return dev->n_queues;
    case DEVICE_STATUS:
        return dev->status;
    case CONFIG_GENERATION:
        return (uint8_t)dev->config_generation;
    case QUEUE_SELECT:
        return dev->queue_sel;
    default:
        return read_queue(dev, offset);
    }
}

/* A vector that the table has, or none. */
static uint16_t vector_of(const VirtioDev *dev, uint64_t value)
{
    const VirtioPci *function = dev->transport_opaque;

    return value < function->pci.msix.vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void write_queue(VirtioDev *dev, uint64_t offset, uint32_t value)
{
    Virtq *q = virtio_core_selected(dev);

    switch (offset) {
    case QUEUE_SIZE:
        virtio_core_set_queue_size(dev, value);
        break;
    case QUEUE_VECTOR:
        if (q) {
            q->vector = vector_of(dev, value);
        }
        break;
    case QUEUE_ENABLE:
        if (value == 1) {
            virtio_core_enable_queue(dev, true);
        }
        break;
    case QUEUE_RESET:
        if (value == 1) {
            virtio_core_reset_queue(dev);
        }
        break;
    case QUEUE_DESC:
    case QUEUE_DESC + 4:
        virtio_core_set_queue_area(dev, VIRTQ_DESC, offset % 8, value);
        break;
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        virtio_core_set_queue_area(dev, VIRTQ_DRIVER, offset % 8, value);
        break;
    case QUEUE_DEVICE:
    case QUEUE_DEVICE + 4:
        virtio_core_set_queue_area(dev, VIRTQ_DEVICE, offset % 8, value);
        break;
    default:
        break;
    }
}

static void write_common(VirtioDev *dev, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case DEVICE_FEATURE_SELECT:
        dev->device_features_sel = value;
        break;
    case DRIVER_FEATURE_SELECT:
        dev->driver_features_sel = value;
        break;
    case DRIVER_FEATURE:
        virtio_core_accept(dev, value);
        break;
    case CONFIG_VECTOR:
        dev->config_vector = vector_of(dev, value);
        break;
    case DEVICE_STATUS:
        virtio_core_set_status(dev, (uint8_t)value);
        break;
    case QUEUE_SELECT:
        dev->queue_sel = value & 0xffff;
        break;
    default:
        write_queue(dev, offset, value);
        break;
    }
}

/* --- the BAR; device's lock held --- */

static uint64_t read_bar(void *opaque, uint64_t offset, unsigned size)
{
    VirtioDev *dev = opaque;
    uint64_t inside = offset % PART;

    switch (offset - inside) {
    case COMMON:
        return read_common(dev, inside) & bits_mask(size * 8);
    case DEVICE:
        return virtio_core_read_config(dev, inside, size);
    case ISR: {
        uint8_t isr = dev->isr;
        if (inside == 0) {
            virtio_core_acknowledge(dev, isr);
        }
        return inside == 0 ? isr : 0;
    }
    default:
        return 0;
    }
}

static void write_bar(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioDev *dev = opaque;
    uint64_t inside = offset % PART;

    if (dev->resetting) {
        return;
    }
    switch (offset - inside) {
    case COMMON:
        write_common(dev, inside, (uint32_t)value);
        break;
    case DEVICE:
        virtio_core_write_config(dev, inside, (uint32_t)value, size);
        break;
    case NOTIFY:
        virtio_core_notify(dev, (uint32_t)(inside / NOTIFY_STEP));
        break;
    default:
        break;
    }
}

static const IoOps ops = { .read = read_bar, .write = write_bar, .sizes = 1 | 2 | 4 };

/* --- through configuration space --- */

/* Where the window looks: offset in the BAR and a size; false: nowhere sensible. */
static bool window_at(VirtioPci *function, unsigned offset, unsigned size, uint32_t *ret_at,
                      uint32_t *ret_size)
{
    unsigned cap = function->window;

    if (!cap || offset >= cap + CAP_DATA + 4 || offset + size <= cap + CAP_DATA) {
        return false;
    }
    g_mutex_lock(&function->pci.device.lock);
    unsigned bar = pci_get(&function->pci, cap + CAP_BAR, 1);
    *ret_at = pci_get(&function->pci, cap + CAP_OFFSET, 4);
    *ret_size = pci_get(&function->pci, cap + CAP_LENGTH, 4);
    g_mutex_unlock(&function->pci.device.lock);
    return bar == BAR && (*ret_size == 1 || *ret_size == 2 || *ret_size == 4) &&
           range_inside(*ret_at, *ret_size, 0, BAR_SIZE);
}

static void config_reading(PciDevice *pci, unsigned offset, unsigned size)
{
    VirtioPci *function = container_of(pci, VirtioPci, pci);
    uint32_t at, len;

    if (!function->dev || !window_at(function, offset, size, &at, &len)) {
        return;
    }
    g_mutex_lock(&function->dev->device.lock);
    uint32_t value = (uint32_t)read_bar(function->dev, at, len);
    g_mutex_unlock(&function->dev->device.lock);
    g_mutex_lock(&pci->device.lock);
    pci_set(pci, function->window + CAP_DATA, value, 4);
    g_mutex_unlock(&pci->device.lock);
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    VirtioPci *function = container_of(pci, VirtioPci, pci);
    uint32_t at, len;

    if (!function->dev || !window_at(function, offset, size, &at, &len)) {
        return;
    }
    g_mutex_lock(&pci->device.lock);
    uint32_t value = pci_get(pci, function->window + CAP_DATA, 4);
    g_mutex_unlock(&pci->device.lock);
    g_mutex_lock(&function->dev->device.lock);
    write_bar(function->dev, at, value & bits_mask(len * 8), len);
    g_mutex_unlock(&function->dev->device.lock);
}

/* --- life --- */

static const SavedField saved[] = { PCI_SAVED(VirtioPci), { 0 } };

const PciClass virtio_pci_class = {
    .device = {
        .name = "virtio-pci",
        .summary = "PCI function of a virtio device",
        .instance_size = sizeof(VirtioPci),
        .saved = saved,
        .reset = pci_reset,
        .loaded = pci_loaded,
        .destroy = pci_destroy,
    },
    .vendor = 0x1af4,
    .id = FIRST_ID,
    .subsystem = 0x1100,
    .revision = 1,
    .express = true,
    .interrupt = true,
    .config_reading = config_reading,
    .config_written = config_written,
};

/* A capability of @size bytes that points at a structure. */
static unsigned add_cap(VirtioPci *function, uint8_t kind, uint32_t offset, unsigned size)
{
    unsigned cap = pci_add_capability(&function->pci, PCI_CAP_VENDOR, size);
    const PciRegister rows[] = {
        { (uint16_t)(cap + 2), 2, size | (uint32_t)kind << 8, 0, 0 },
        { (uint16_t)(cap + CAP_BAR), 4, kind == CAP_PCI ? 0 : BAR, 0, 0 },
        { (uint16_t)(cap + CAP_OFFSET), 4, offset, 0, 0 },
        { (uint16_t)(cap + CAP_LENGTH), 4, kind == CAP_PCI ? 0 : PART, 0, 0 },
        { 0 },
    };

    pci_add_registers(&function->pci, rows);
    return cap;
}

static void add_caps(VirtioPci *function)
{
    PciDevice *pci = &function->pci;

    add_cap(function, CAP_COMMON, COMMON, CAP_SIZE);
    add_cap(function, CAP_ISR, ISR, CAP_SIZE);
    add_cap(function, CAP_DEVICE, DEVICE, CAP_SIZE);
    unsigned notify = add_cap(function, CAP_NOTIFY, NOTIFY, CAP_SIZE + 4);
    pci_add_register(pci, &(PciRegister){ (uint16_t)(notify + CAP_SIZE), 4, NOTIFY_STEP, 0, 0 });
    unsigned window = add_cap(function, CAP_PCI, 0, CAP_SIZE + 4);
    const PciRegister writable[] = {
        { (uint16_t)(window + CAP_BAR), 1, 0, 0xff, 0 },
        { (uint16_t)(window + CAP_OFFSET), 4, 0, UINT32_MAX, 0 },
        { (uint16_t)(window + CAP_LENGTH), 4, 0, UINT32_MAX, 0 },
        { (uint16_t)(window + CAP_DATA), 4, 0, UINT32_MAX, 0 },
        { 0 },
    };
    pci_add_registers(pci, writable);
    function->window = window;
}

VirtioPci *virtio_pci_new(const PciSlot *slot)
{
    return pci_new(&virtio_pci_class, slot);
}

/* PCI's class of device @id, for guests that go by that. */
static uint32_t class_code_of(uint32_t id)
{
    static const struct {
        uint32_t id, code;
    } codes[] = {
        { 1, 0x020000 }, { 2, 0x010000 }, { 3, 0x078000 }, { 16, 0x038000 }, { 18, 0x098000 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i].id == id) {
            return codes[i].code;
        }
    }
    return 0x00ff00;
}

static void plug(VirtioDev *dev, const VirtioSlot *slot)
{
    VirtioPci *function = slot->transport_opaque;
    PciDevice *pci = &function->pci;
    uint32_t id = virtio_core_device_id(dev);
    const PciRegister identity[] = {
        { PCI_DEVICE, 2, FIRST_ID + id, 0, 0 },
        { PCI_REVISION, 4, class_code_of(id) << 8 | 1, 0, 0 },
        { 0 },
    };

    function->dev = dev;
    pci_add_registers(pci, identity);
    pci_add_msix(pci, MSIX_BAR, MIN(dev->n_queues + 1, PCI_MSIX_MAX));
    pci_add_bar(pci, BAR,
                &(PciBarConfig){ .size = BAR_SIZE,
                                 .ops = &ops,
                                 .opaque = dev,
                                 .lock = &dev->device.lock,
                                 .wide = true,
                                 .prefetch = true });
    add_caps(function);
    pci_add_express(pci, pci->bus->bridge ? PCIE_ENDPOINT : PCIE_INTEGRATED, 0);
}

static void unplug(VirtioDev *dev)
{
    VirtioPci *function = dev->transport_opaque;

    function->dev = NULL;
    gm_window_hide(dev->device.env.memory, function->pci.bars[BAR].window);
}

const VirtioTransport virtio_pci = {
    .name = "pci",
    .plug = plug,
    .interrupt = interrupt,
    .quiet = quiet,
    .loaded = quiet,
    .unplug = unplug,
};
