/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space, functions and buses, see pci.h.
 *
 * Threads: see pci.h.
 */
#include "machine/pci/pci.h"

#include <string.h>

enum { COMMAND_WRITABLE = 0x547, STATUS_CLEARS = 0xf900 };
enum { EXTENDED_FIRST = 0x100, CAP_NEXT = 1 };

static const PciClass *class_of(const PciDevice *pci)
{
    return container_of(pci->device.class, PciClass, device);
}

/* --- root and buses --- */

PciRoot *pci_root_new(const PciRootConfig *config)
{
    PciRoot *root = g_new0(PciRoot, 1);

    root->config = *config;
    root->bus.root = root;
    g_mutex_init(&root->lock);
    return root;
}

void pci_root_free(PciRoot *root)
{
    if (root) {
        g_mutex_clear(&root->lock);
        g_free(root);
    }
}

PciBus *pci_root_bus(PciRoot *root)
{
    return &root->bus;
}

PciDevice *pci_bus_device(const PciBus *bus, unsigned devfn)
{
    return devfn < PCI_FUNCTIONS ? bus->functions[devfn] : NULL;
}

/* The bus that the guest has numbered @number, from @bus downwards; or NULL. */
static const PciBus *find_bus(const PciBus *bus, unsigned number)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        const PciDevice *pci = bus->functions[i];
        if (!pci || !pci->secondary) {
            continue;
        }
        const PciBus *below = pci->secondary;
        unsigned first = __atomic_load_n(&below->number, __ATOMIC_RELAXED);
        unsigned last = __atomic_load_n(&below->last_number, __ATOMIC_RELAXED);
        if (first && first == number) {
            return below;
        }
        if (first && first < number && number <= last) {
            return find_bus(below, number);
        }
    }
    return NULL;
}

PciDevice *pci_find(const PciRoot *root, unsigned bus, unsigned devfn)
{
    const PciBus *found = bus ? find_bus(&root->bus, bus) : &root->bus;

    return found ? pci_bus_device(found, devfn) : NULL;
}

/* --- configuration space --- */

uint32_t pci_get(const PciDevice *pci, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    g_assert(offset + size <= pci->config_size && size <= 4);
    memcpy(&value, pci->config + offset, size);
    return value;
}

void pci_set(PciDevice *pci, unsigned offset, uint32_t value, unsigned size)
{
    g_assert(offset + size <= pci->config_size && size <= 4);
    memcpy(pci->config + offset, &value, size);
}

bool pci_is_master(const PciDevice *pci)
{
    return pci->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

void pci_add_register(PciDevice *pci, const PciRegister *reg)
{
    g_assert(reg->offset + reg->size <= pci->config_size);
    memcpy(pci->first + reg->offset, &reg->value, reg->size);
    memcpy(pci->config + reg->offset, &reg->value, reg->size);
    memcpy(pci->writable + reg->offset, &reg->writable, reg->size);
    memcpy(pci->clears + reg->offset, &reg->clears, reg->size);
}

void pci_add_registers(PciDevice *pci, const PciRegister *rows)
{
    for (const PciRegister *row = rows; row && row->size; row++) {
        pci_add_register(pci, row);
    }
}

static bool touches(unsigned offset, unsigned size, unsigned first, unsigned len)
{
    return offset < first + len && first < offset + size;
}

/* The secondary bus is held in reset: what stands on it begins anew. */
static void reset_secondary(const PciDevice *bridge)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        PciDevice *below = bridge->secondary->functions[i];
        if (below) {
            device_reset(&below->device);
        }
    }
}

/* What follows from a write to the header.  Lock held. */
static void header_written(PciDevice *pci, unsigned offset, unsigned size, unsigned old_control)
{
    if (pci->secondary && offset < PCI_HEADER_END) {
        bool reset = pci->config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_RESET;
        pci_update_bridge(pci);
        if (reset && !(old_control & PCI_BRIDGE_RESET)) {
            reset_secondary(pci);
        }
    }
    if (touches(offset, size, PCI_COMMAND, 2) || touches(offset, size, PCI_BAR0, 24) ||
        touches(offset, size, PCI_ROM, 4) || touches(offset, size, PCI_BRIDGE_ROM, 4)) {
        pci_update_bars(pci);
        pci_update_intx(pci);
    }
}

static void config_write(PciDevice *pci, unsigned offset, uint32_t value, unsigned size)
{
    unsigned old_control = pci->config[PCI_BRIDGE_CONTROL];

    for (unsigned i = offset; i < offset + size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * (i - offset)));
        uint8_t kept = pci->config[i] & ~pci->writable[i] & ~(pci->clears[i] & byte);
        pci->config[i] = kept | (byte & pci->writable[i]);
    }
    header_written(pci, offset, size, old_control);
    pci_msi_written(pci, offset, size);
}

static bool is_there(const PciDevice *pci, unsigned offset, unsigned size)
{
    return pci && offset + size <= pci->config_size;
}

uint32_t pci_root_read(const PciRoot *root, unsigned bus, unsigned devfn, unsigned offset,
                       unsigned size)
{
    PciDevice *pci = pci_find(root, bus, devfn);

    if (!is_there(pci, offset, size)) {
        return (uint32_t)bits_mask(size * 8);
    }
    const PciClass *class = class_of(pci);
    if (class->config_reading) {
        class->config_reading(pci, offset, size);
    }
    g_mutex_lock(&pci->device.lock);
    uint32_t value = pci_get(pci, offset, size);
    g_mutex_unlock(&pci->device.lock);
    device_log(&pci->device, "config read %u at %03x: %x", size, offset, value);
    return value;
}

void pci_root_write(const PciRoot *root, unsigned bus, unsigned devfn, unsigned offset,
                    uint32_t value, unsigned size)
{
    PciDevice *pci = pci_find(root, bus, devfn);

    if (!is_there(pci, offset, size)) {
        return;
    }
    const PciClass *class = class_of(pci);
    device_log(&pci->device, "config write %u at %03x: %x", size, offset, value);
    g_mutex_lock(&pci->device.lock);
    config_write(pci, offset, value, size);
    g_mutex_unlock(&pci->device.lock);
    if (class->config_written) {
        class->config_written(pci, offset, size);
    }
}

/* --- capabilities --- */

unsigned pci_add_capability(PciDevice *pci, uint8_t id, unsigned size)
{
    unsigned cap = (unsigned)align_up(pci->cap_end, 4);

    g_assert(cap + size <= PCI_CONFIG_SIZE);
    pci->first[cap] = pci->config[cap] = id;
    pci->first[pci->last_cap] = pci->config[pci->last_cap] = (uint8_t)cap;
    pci->first[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    pci->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    pci->last_cap = cap + CAP_NEXT;
    pci->cap_end = cap + size;
    return cap;
}

unsigned pci_add_extended_capability(PciDevice *pci, uint16_t id, uint8_t version, unsigned size)
{
    unsigned cap = pci->last_extended ? pci->last_extended : EXTENDED_FIRST;

    g_assert(cap + size <= pci->config_size);
    if (pci->last_extended) { /* the last one so far leads here */
        unsigned at = EXTENDED_FIRST;
        while (load_le16(pci->first + at + 2) >> 4) {
            at = load_le16(pci->first + at + 2) >> 4;
        }
        uint16_t next = (uint16_t)(cap << 4 | (pci->first[at + 2] & 0xf));
        store_le16(pci->first + at + 2, next);
        store_le16(pci->config + at + 2, next);
    }
    pci_add_register(pci, &(PciRegister){ (uint16_t)cap, 4, id | (uint32_t)version << 16, 0, 0 });
    pci->last_extended = (unsigned)align_up(cap + size, 4);
    return cap;
}

void pci_add_express(PciDevice *pci, PciExpressType type, unsigned slot)
{
    enum { SIZE = 0x3c, VERSION = 2, LINK = 0x11, CLEARS_ERRORS = 0xf, ROLE_BASED = 0x8000 };
    bool port = type == PCIE_ROOT_PORT;
    unsigned cap = pci_add_capability(pci, PCI_CAP_EXPRESS, SIZE);
    uint32_t link = type == PCIE_INTEGRATED ? 0 : LINK; /* 2.5 GT/s, one lane */
    const PciRegister rows[] = {
        { 0x02, 2, (uint32_t)(VERSION | type << 4 | (port ? 0x100 : 0)), 0, 0 },
        { 0x04, 4, ROLE_BASED, 0, 0 },    /* device capabilities */
        { 0x08, 2, 0x2810, 0x78ef, 0 },   /* device control */
        { 0x0a, 2, 0, 0, CLEARS_ERRORS }, /* device status */
        { 0x0c, 4, link | (port ? slot << 24 : 0), 0, 0 },
        { 0x10, 2, 0, (port ? 0x0db : 0x1c3), 0 },     /* link control */
        { 0x12, 2, link | (port ? 0x2000 : 0), 0, 0 }, /* link status; the data link is up */
        { 0x14, 4, port ? slot << 19 : 0, 0, 0 }, /* slot capabilities: nothing is hot-plugged */
        { 0x18, 2, 0, port ? 0x1ff : 0, 0 },
        { 0x1a, 2, port ? 0x40 : 0, 0, 0x11f & (port ? UINT32_MAX : 0) }, /* a card is there */
        { 0x1c, 2, 0, port ? 0x1f : 0, 0 },                               /* root control */
        { 0x28, 2, 0, 0, 0 },
        { 0 },
    };

    for (const PciRegister *row = rows; row->size; row++) {
        PciRegister reg = *row;
        reg.offset = (uint16_t)(reg.offset + cap);
        pci_add_register(pci, &reg);
    }
    pci->express = cap;
}

/* --- life --- */

static void add_header(PciDevice *pci, const PciClass *class, const PciSlot *slot)
{
    const PciRegister header[] = {
        { PCI_VENDOR, 2, class->vendor, 0, 0 },
        { PCI_DEVICE, 2, class->id, 0, 0 },
        { PCI_COMMAND, 2, 0, COMMAND_WRITABLE, 0 },
        { PCI_STATUS, 2, 0, 0, STATUS_CLEARS },
        { PCI_REVISION, 4, class->class_code << 8 | class->revision, 0, 0 },
        { 0x0c, 1, 0, 0xff, 0 }, /* cache line size */
        { PCI_HEADER_TYPE, 1, (slot->multifunction ? 0x80U : 0) | class->bridge, 0, 0 },
        { PCI_INTERRUPT_LINE, 1, 0, 0xff, 0 },
        { PCI_INTERRUPT_PIN, 1, class->interrupt ? 1U + (slot->devfn & 7) % 4 : 0, 0, 0 },
        { 0 },
    };
    const PciRegister ids[] = {
        { PCI_SUBSYSTEM_VENDOR, 2,
          class->subsystem_vendor ? class->subsystem_vendor : class->vendor, 0, 0 },
        { PCI_SUBSYSTEM, 2, class->subsystem ? class->subsystem : class->id, 0, 0 },
        { 0 },
    };
    static const PciRegister bridge[] = {
        { PCI_PRIMARY_BUS, 4, 0, 0x00ffffff, 0 },
        { PCI_IO_BASE, 2, 0, 0xf0f0, 0 },
        { PCI_SECONDARY_STATUS, 2, 0, 0, STATUS_CLEARS },
        { PCI_MEMORY_BASE, 4, 0, 0xfff0fff0, 0 },
        { PCI_PREFETCH_BASE, 4, 0x00010001, 0xfff0fff0, 0 },
        { PCI_PREFETCH_BASE_HIGH, 4, 0, UINT32_MAX, 0 },
        { PCI_PREFETCH_LIMIT_HIGH, 4, 0, UINT32_MAX, 0 },
        { PCI_BRIDGE_CONTROL, 2, 0, 0x004b, 0 },
        { 0 },
    };

    pci_add_registers(pci, header);
    pci_add_registers(pci, class->bridge ? bridge : ids);
    pci_add_registers(pci, class->registers);
}

void *pci_new(const PciClass *class, const PciSlot *slot)
{
    PciDevice *pci = device_new(&class->device, &slot->env, slot->name);

    g_assert(!slot->bus->functions[slot->devfn]);
    pci->bus = slot->bus;
    pci->devfn = slot->devfn;
    pci->config_size = class->express ? PCIE_CONFIG_SIZE : PCI_CONFIG_SIZE;
    pci->first = g_malloc0(pci->config_size);
    pci->writable = g_malloc0(pci->config_size);
    pci->clears = g_malloc0(pci->config_size);
    pci->cap_end = PCI_HEADER_END;
    pci->last_cap = PCI_CAPABILITIES;
    if (class->bridge) {
        pci->secondary = g_new0(PciBus, 1);
        pci->secondary->root = slot->bus->root;
        pci->secondary->bridge = pci;
    }
    add_header(pci, class, slot);
    slot->bus->functions[slot->devfn] = pci;
    return pci;
}

void pci_reset(Device *device)
{
    PciDevice *pci = container_of(device, PciDevice, device);

    memcpy(pci->config, pci->first, pci->config_size);
    pci->intx = false;
    pci_msi_reset(pci);
    pci_update_intx(pci);
    if (pci->secondary) {
        pci_update_bridge(pci);
    }
    pci_update_bars(pci);
}

/* What neither the guest may write nor the function clears is as it was made, whatever a state
 * says. */
bool pci_loaded(Device *device, GError **error)
{
    PciDevice *pci = container_of(device, PciDevice, device);

    for (unsigned i = 0; i < pci->config_size; i++) {
        uint8_t theirs = pci->writable[i] | pci->clears[i];
        pci->config[i] = (pci->config[i] & theirs) | (pci->first[i] & ~theirs);
    }
    if (pci->secondary) {
        pci_update_bridge(pci);
    }
    pci_update_bars(pci);
    pci_update_intx(pci);
    pci_msi_loaded(pci);
    return true;
}

void pci_destroy(Device *device)
{
    PciDevice *pci = container_of(device, PciDevice, device);

    pci->bus->functions[pci->devfn] = NULL;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        if (pci->bars[i].window) {
            gm_remove_window(device->env.memory, pci->bars[i].window);
        }
    }
    pci->intx = false;
    pci_update_intx(pci);
    g_free(pci->secondary);
    g_free(pci->first);
    g_free(pci->writable);
    g_free(pci->clears);
}
