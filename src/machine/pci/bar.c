/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BARs: where a function's memory and ports are seen (PCI 3.0, 6.2.5; bridges: PCI-to-PCI bridge
 * 1.2, 3.2.5).
 *
 * What decoding depends on stands in configuration space, under each function's lock.  From there
 * it is copied to the BARs and buses, under the root's lock, and only these copies decide what is
 * shown: so a bridge can look after the functions below it without their locks.
 *
 * Threads: see pci.h.
 */
#include <string.h>

#include "machine/pci/pci.h"

enum { BAR_PORTS = 1, BAR_WIDE = 4, BAR_PREFETCH = 8, ROM_ENABLE = 1, SMALLEST_ROM = 4096 };

static unsigned bar_offset(const PciDevice *pci, unsigned index)
{
    if (index == PCI_ROM_BAR) {
        return pci->secondary ? PCI_BRIDGE_ROM : PCI_ROM;
    }
    return PCI_BAR0 + 4 * index;
}

static void add_registers(PciDevice *pci, unsigned index, const PciBarConfig *config)
{
    unsigned offset = bar_offset(pci, index);
    uint64_t mask = ~(config->size - 1);
    uint32_t kind = (config->ports ? BAR_PORTS : 0) | (config->wide ? BAR_WIDE : 0) |
                    (config->prefetch ? BAR_PREFETCH : 0);
    uint32_t enable = index == PCI_ROM_BAR ? ROM_ENABLE : 0;

    pci_add_register(pci, &(PciRegister){ (uint16_t)offset, 4, kind, (uint32_t)mask | enable, 0 });
    if (config->wide) {
        pci_add_register(pci,
                         &(PciRegister){ (uint16_t)(offset + 4), 4, 0, (uint32_t)(mask >> 32), 0 });
    }
}

void pci_add_bar(PciDevice *pci, unsigned index, const PciBarConfig *config)
{
    PciBar *bar = &pci->bars[index];
    GmWindowConfig window = {
        .io = { .name = pci->device.class->name,
                .size = config->size,
                .ops = config->ops,
                .opaque = config->opaque ? config->opaque : pci,
                .lock = config->lock ? config->lock : &pci->device.lock },
        .block = config->block,
        .read_only = config->read_only,
        .ports = config->ports,
        .hidden = true,
        .priority = GM_BAR,
    };

    g_assert(index < PCI_BARS && !bar->window && is_power_of_two(config->size));
    g_assert(config->size >= (config->ports ? 4 : 4096));
    bar->size = config->size;
    bar->ports = config->ports;
    bar->wide = config->wide;
    bar->window = gm_add_window(pci->device.env.memory, &window);
    add_registers(pci, index, config);
}

bool pci_add_rom(PciDevice *pci, const uint8_t *image, size_t size, GError **error)
{
    uint64_t room = SMALLEST_ROM;

    while (room < size) {
        room *= 2;
    }
    RamBlock *block = gm_add_block(pci->device.env.memory, "option-rom", room, error);
    if (!block) {
        return false;
    }
    memcpy(block->hva, image, size);
    pci_add_bar(pci, PCI_ROM_BAR,
                &(PciBarConfig){ .size = room, .block = block, .read_only = true });
    return true;
}

static bool range_holds(const PciRange *range, uint64_t address, uint64_t size)
{
    return range->first <= address && address + (size - 1) <= range->last;
}

/* Every bridge from @bus upwards forwards the place.  root.lock held. */
static bool is_forwarded(const PciBus *bus, bool ports, uint64_t address, uint64_t size)
{
    for (; bus->bridge; bus = bus->bridge->bus) {
        bool through = ports ? range_holds(&bus->ports, address, size)
                             : range_holds(&bus->memory, address, size) ||
                                   range_holds(&bus->prefetch, address, size);
        if (!through) {
            return false;
        }
    }
    return true;
}

/* root.lock held. */
static void show_bars(PciDevice *pci)
{
    GuestMemory *memory = pci->device.env.memory;

    for (unsigned i = 0; i < PCI_BARS; i++) {
        const PciBar *bar = &pci->bars[i];
        if (!bar->window) {
            continue;
        }
        if (bar->enabled && is_forwarded(pci->bus, bar->ports, bar->address, bar->size)) {
            gm_window_show(memory, bar->window, bar->address);
        } else {
            gm_window_hide(memory, bar->window);
        }
    }
}

/* From configuration space to the BAR's copy. */
static void read_bar(PciDevice *pci, unsigned index)
{
    PciBar *bar = &pci->bars[index];
    unsigned offset = bar_offset(pci, index);
    uint64_t value = pci_get(pci, offset, 4);
    unsigned decode = bar->ports ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    bool on = pci->config[PCI_COMMAND] & decode;

    if (bar->wide) {
        value |= (uint64_t)pci_get(pci, offset + 4, 4) << 32;
    }
    if (index == PCI_ROM_BAR) {
        on = on && (value & ROM_ENABLE);
    }
    bar->address = value & ~(bar->size - 1);
    bar->enabled = on && bar->address; /* at 0 it was not placed yet */
}

void pci_update_bars(PciDevice *pci)
{
    PciRoot *root = pci->bus->root;
    GuestMemory *memory = pci->device.env.memory;

    g_mutex_lock(&root->lock);
    gm_change_begin(memory);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        if (pci->bars[i].window) {
            read_bar(pci, i);
        }
    }
    show_bars(pci);
    gm_change_end(memory);
    g_mutex_unlock(&root->lock);
}

/* --- bridges --- */

static void show_below(const PciBus *bus)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        PciDevice *pci = bus->functions[i];
        if (!pci) {
            continue;
        }
        show_bars(pci);
        if (pci->secondary) {
            show_below(pci->secondary);
        }
    }
}

static void read_ranges(const PciDevice *bridge, PciBus *bus)
{
    const PciRange closed = { .first = 1, .last = 0 };
    unsigned command = pci_get(bridge, PCI_COMMAND, 2);
    uint64_t memory = pci_get(bridge, PCI_MEMORY_BASE, 4);
    uint64_t prefetch = pci_get(bridge, PCI_PREFETCH_BASE, 4);
    uint64_t low = pci_get(bridge, PCI_PREFETCH_BASE_HIGH, 4);
    uint64_t high = pci_get(bridge, PCI_PREFETCH_LIMIT_HIGH, 4);

    bus->ports = bus->memory = bus->prefetch = closed;
    if (command & PCI_COMMAND_IO) {
        bus->ports.first = (bridge->config[PCI_IO_BASE] & 0xf0U) << 8;
        bus->ports.last = (bridge->config[PCI_IO_LIMIT] & 0xf0U) << 8 | 0xfff;
    }
    if (command & PCI_COMMAND_MEMORY) {
        bus->memory.first = (memory & 0xfff0) << 16;
        bus->memory.last = (memory & 0xfff00000) | 0xfffff;
        bus->prefetch.first = (prefetch & 0xfff0) << 16 | low << 32;
        bus->prefetch.last = (prefetch & 0xfff00000) | 0xfffff | high << 32;
    }
}

void pci_update_bridge(PciDevice *bridge)
{
    PciBus *bus = bridge->secondary;
    GuestMemory *memory = bridge->device.env.memory;

    __atomic_store_n(&bus->number, bridge->config[PCI_SECONDARY_BUS], __ATOMIC_RELAXED);
    __atomic_store_n(&bus->last_number, bridge->config[PCI_SUBORDINATE_BUS], __ATOMIC_RELAXED);
    g_mutex_lock(&bus->root->lock);
    gm_change_begin(memory);
    read_ranges(bridge, bus);
    show_below(bus);
    gm_change_end(memory);
    g_mutex_unlock(&bus->root->lock);
}

/* --- what is taken --- */

static void add_range(PciRange *range, uint64_t first, uint64_t last)
{
    if (first >> 32 && first <= last) {
        range->first = MIN(range->first, first);
        range->last = MAX(range->last, last);
    }
}

static void add_bus(const PciBus *bus, PciRange *range)
{
    add_range(range, bus->prefetch.first, bus->prefetch.last);
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        const PciDevice *pci = bus->functions[i];
        for (unsigned b = 0; pci && b < PCI_BARS; b++) {
            const PciBar *bar = &pci->bars[b];
            if (bar->window && bar->wide && bar->enabled) {
                add_range(range, bar->address, bar->address + bar->size - 1);
            }
        }
        if (pci && pci->secondary) {
            add_bus(pci->secondary, range);
        }
    }
}

bool pci_root_range64(PciRoot *root, uint64_t *ret_first, uint64_t *ret_last)
{
    PciRange range = { .first = UINT64_MAX };

    g_mutex_lock(&root->lock);
    add_bus(&root->bus, &range);
    g_mutex_unlock(&root->lock);
    if (!range.last) {
        return false;
    }
    *ret_first = range.first;
    *ret_last = range.last;
    return true;
}
