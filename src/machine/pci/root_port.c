/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI Express root port (PCI Express 3.0, 7.1), with the identity of the one port in Intel's
 * 5520 chipset that every guest knows.  It forwards what its windows say.
 *
 * Its slot (6.7, 7.8.9 to 7.8.11) takes a card while the machine runs, and gives it back when the
 * guest has let go: there is an attention button, which we press, a power controller and the two
 * indicators; commands complete at once.  The data link is active while a card is there and has
 * power.
 *
 *   plug     card there, presence changed, button pressed (guests that have one listen to nothing
 *            else) -> the guest gives power and looks
 *   unplug   button pressed -> the guest stops its driver, takes power away, and the light goes off
 *
 * Threads: registers see pci.h; the slot's functions from any thread but a device's own.
 */
#include "machine/pci/root_port.h"

#include "common/error.h"

/* Offsets in the PCI Express capability. */
enum {
    LINK_CAPABILITIES = 0x0c,
    LINK_STATUS = 0x12,
    SLOT_CAPABILITIES = 0x14,
    SLOT_CONTROL = 0x18,
    SLOT_STATUS = 0x1a,
    SLOT_END = 0x1c,
};
enum { LINK_REPORTS_ACTIVE = 1 << 20, LINK_ACTIVE = 0x2000, LINK = 0x11 };
/* button, power controller, attention and power indicator, hot-plug; no wait for commands */
enum { SLOT_HAS = 0x5b, SLOT_NO_COMPLETION = 1 << 18, SLOT_NUMBER = 19 };
enum {
    CONTROL_INTERRUPT = 0x20,
    CONTROL_ATTENTION_OFF = 0xc0,
    CONTROL_LIGHT = 0x300,
    CONTROL_LIGHT_ON = 0x100,
    CONTROL_LIGHT_OFF = 0x300,
    CONTROL_POWER_OFF = 0x400,
    CONTROL_LINK = 0x1000,
    CONTROL_WRITABLE = 0x17ff,
};
enum {
    STATUS_BUTTON = 0x01,
    STATUS_PRESENCE = 0x08,
    STATUS_CARD = 0x40,
    STATUS_LINK = 0x100,
    STATUS_CLEARS = 0x11f,
};

typedef struct RootPort {
    PciDevice pci;
    /* fixed after create */
    void (*released)(void *opaque);
    void *opaque;
    /* lock: pci.device.lock */
    uint8_t eject; /* PciEject */
    bool card;     /* for a saved state: the slot has one */
    bool raised;   /* its interrupt was sent, and the reason holds on */
} RootPort;

static uint32_t get(const RootPort *port, unsigned offset)
{
    return pci_get(&port->pci, port->pci.express + offset, 2);
}

static void set(RootPort *port, unsigned offset, uint32_t value)
{
    pci_set(&port->pci, port->pci.express + offset, value, 2);
}

static bool has_card(const RootPort *port)
{
    return get(port, SLOT_STATUS) & STATUS_CARD;
}

/* Link and interrupt follow what control and status say.  Lock held. */
static void update(RootPort *port)
{
    uint32_t control = get(port, SLOT_CONTROL), status = get(port, SLOT_STATUS);
    bool active = has_card(port) && !(control & CONTROL_POWER_OFF);
    bool wanted = (control & status & (STATUS_BUTTON | STATUS_PRESENCE)) ||
                  ((control & CONTROL_LINK) && (status & STATUS_LINK));
    bool raised = wanted && (control & CONTROL_INTERRUPT);

    set(port, LINK_STATUS, active ? LINK | LINK_ACTIVE : LINK);
    if (raised != port->raised) {
        port->raised = raised;
        pci_set_irq(&port->pci, raised);
    }
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    RootPort *port = container_of(pci, RootPort, pci);
    unsigned first = pci->express + SLOT_CONTROL, end = pci->express + SLOT_END;

    if (offset >= end || offset + size <= first) {
        return;
    }
    g_mutex_lock(&pci->device.lock);
    uint32_t control = get(port, SLOT_CONTROL);
    bool off = (control & CONTROL_POWER_OFF) && (control & CONTROL_LIGHT) == CONTROL_LIGHT_OFF;
    bool release = off && port->eject == PCI_EJECT_ASKED;
    if (release) {
        port->eject = PCI_EJECT_RELEASED;
    }
    update(port);
    g_mutex_unlock(&pci->device.lock);
    if (release && port->released) {
        port->released(port->opaque);
    }
}

/* A slot with a card begins with power, and one without begins without. */
static void reset(Device *device)
{
    RootPort *port = container_of(device, RootPort, pci.device);

    pci_reset(device);
    port->raised = false;
    set(port, SLOT_CONTROL,
        CONTROL_ATTENTION_OFF |
            (has_card(port) ? CONTROL_LIGHT_ON : CONTROL_LIGHT_OFF | CONTROL_POWER_OFF));
    update(port);
}

static bool loaded(Device *device, GError **error)
{
    RootPort *port = container_of(device, RootPort, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    if (port->card != has_card(port)) {
        set_error(error, "cannot load the state of '%s': its slot %s a card when it was saved",
                  device->name, port->card ? "had" : "hadn't");
        return false;
    }
    update(port);
    return true;
}

static const SavedField saved[] = {
    PCI_SAVED(RootPort),
    SAVED_RANGE(RootPort, eject, PCI_EJECT_NONE, PCI_EJECT_RELEASED),
    SAVED(RootPort, raised),
    SAVED(RootPort, card),
    { 0 },
};

const PciClass pci_root_port_class = {
    .device = {
        .name = "pcie-root-port",
        .summary = "PCI Express root port",
        .instance_size = sizeof(RootPort),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .destroy = pci_destroy,
    },
    .vendor = 0x8086,
    .id = 0x3420,
    .class_code = 0x060400,
    .revision = 2,
    .express = true,
    .bridge = true,
    .interrupt = true,
    .config_written = config_written,
};

PciDevice *pci_root_port_new(const PciSlot *slot, unsigned number)
{
    RootPort *port = pci_new(&pci_root_port_class, slot);
    PciDevice *pci = &port->pci;

    pci_add_msi(pci, 1);
    pci_add_express(pci, PCIE_ROOT_PORT, number);
    const PciRegister rows[] = {
        { LINK_CAPABILITIES, 4, LINK | LINK_REPORTS_ACTIVE | number << 24, 0, 0 },
        { LINK_STATUS, 2, LINK, 0, 0 },
        { SLOT_CAPABILITIES, 4, SLOT_HAS | SLOT_NO_COMPLETION | number << SLOT_NUMBER, 0, 0 },
        { SLOT_CONTROL, 2, 0, CONTROL_WRITABLE, 0 },
        { SLOT_STATUS, 2, 0, 0, STATUS_CLEARS },
        { 0 },
    };
    for (const PciRegister *row = rows; row->size; row++) {
        PciRegister reg = *row;
        reg.offset = (uint16_t)(reg.offset + pci->express);
        pci_add_register(pci, &reg);
    }
    return pci;
}

void pci_root_port_on_released(PciDevice *pci, void (*released)(void *opaque), void *opaque)
{
    RootPort *port = container_of(pci, RootPort, pci);

    port->released = released;
    port->opaque = opaque;
}

PciBus *pci_root_port_bus(PciDevice *port)
{
    return port->secondary;
}

void pci_root_port_set_card(PciDevice *pci, bool there)
{
    RootPort *port = container_of(pci, RootPort, pci);
    unsigned status = pci->express + SLOT_STATUS;
    uint8_t card = there ? STATUS_CARD : 0;

    g_mutex_lock(&pci->device.lock);
    /* as it was made, too: a reset and a state that is loaded change it as little as the guest */
    pci->first[status] = card;
    port->card = there;
    uint32_t news = STATUS_PRESENCE | (there ? STATUS_BUTTON : 0);
    set(port, SLOT_STATUS, (get(port, SLOT_STATUS) & ~STATUS_CARD) | card | news);
    port->eject = PCI_EJECT_NONE;
    update(port);
    g_mutex_unlock(&pci->device.lock);
}

bool pci_root_port_press(PciDevice *pci)
{
    RootPort *port = container_of(pci, RootPort, pci);

    g_mutex_lock(&pci->device.lock);
    bool first = port->eject == PCI_EJECT_NONE;
    if (first) {
        port->eject = PCI_EJECT_ASKED;
        set(port, SLOT_STATUS, get(port, SLOT_STATUS) | STATUS_BUTTON);
        update(port);
    }
    g_mutex_unlock(&pci->device.lock);
    return first;
}

PciEject pci_root_port_eject(PciDevice *pci)
{
    RootPort *port = container_of(pci, RootPort, pci);

    g_mutex_lock(&pci->device.lock);
    PciEject eject = port->eject;
    g_mutex_unlock(&pci->device.lock);
    return eject;
}
