/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI Express slots of board pc: root ports behind each of which a card can be put, and from which
 * it is taken when the guest has let go of it.
 *
 *   plug     devices are made behind the port; the port shows a card, the guest's driver comes
 *   unplug   the port's button is pressed; the guest lets go and switches the slot off;
 *            events.released; the owner takes the card away by machine_take_away()
 *
 * A card is two Devices, function and virtio device, among the machine's others: reset and saved
 * as they are.  Whoever loads a state has put the same cards into the same slots before.
 *
 * Threads: main, while no vCPU runs, but for the port's own registers.
 * Read first: machine/pci/root_port.h.
 */
#include "machine/board/hotplug.h"

#include <string.h>

#include "common/error.h"
#include "machine/device/ahci.h"
#include "machine/pci/root_port.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/net.h"
#include "machine/virtio/pci.h"
#include "machine/virtio/rng.h"

enum { PORTS = 4, FIRST_SLOT = 1 };

typedef struct Port {
    /* fixed after create */
    Machine *machine;
    PciDevice *port;
    /* main thread only; NULL: the slot is empty */
    char *id;
    MachinePlugKind kind;
    VirtioPci *function;
    VirtioDev *dev;
} Port;

struct Hotplug {
    Port ports[PORTS];
};

/* The guest has switched the slot off.  On a vCPU's thread. */
static void on_released(void *opaque)
{
    const Port *port = opaque;
    const MachineEvents *events = &port->machine->events;

    if (events->released) {
        events->released(events->opaque);
    }
}

void hotplug_build(Machine *m, unsigned device)
{
    m->hotplug = g_new0(Hotplug, 1);
    for (unsigned i = 0; i < PORTS; i++) {
        Port *port = &m->hotplug->ports[i];
        g_autofree char *name = g_strdup_printf("rp%u", FIRST_SLOT + i);
        PciSlot slot = { m->env, pci_root_bus(m->pci), PCI_DEVFN(device, i), name, true };
        *port = (Port){ .machine = m, .port = pci_root_port_new(&slot, FIRST_SLOT + i) };
        pci_root_port_on_released(port->port, on_released, port);
        board_add(m, port->port);
    }
}

static Port *find(const Machine *m, const char *id)
{
    for (unsigned i = 0; m->hotplug && i < PORTS; i++) {
        Port *port = &m->hotplug->ports[i];
        if (port->id && !strcmp(port->id, id)) {
            return port;
        }
    }
    return NULL;
}

/* The empty slot called @bus, or (NULL) the first one. */
static Port *choose(const Machine *m, const char *bus, GError **error)
{
    bool known = false;

    for (unsigned i = 0; m->hotplug && i < PORTS; i++) {
        Port *port = &m->hotplug->ports[i];
        bool meant = !bus || !strcmp(port->port->device.name, bus);
        known |= meant;
        if (meant && !port->id) {
            return port;
        }
    }
    if (!m->hotplug) {
        set_error(error, "machine '%s' has no slots to plug into; machine 'pc' has",
                  m->board->name);
    } else if (!known) {
        set_error(error, "Bus '%s' not found; there are rp%d to rp%d", bus, FIRST_SLOT,
                  FIRST_SLOT + PORTS - 1);
    } else {
        set_error(error, "%s has a card already", bus ? bus : "each slot");
    }
    return NULL;
}

static VirtioDev *make(Machine *m, const VirtioSlot *slot, const MachinePlug *plug)
{
    VirtioNetConfig card;

    switch (plug->kind) {
    case MACHINE_PLUG_DISK:
        return board_add_disk(m, slot, &plug->disk, plug->id);
    case MACHINE_PLUG_NET:
        card = (VirtioNetConfig){ .port = plug->net.port,
                                  .mtu = plug->net.mtu,
                                  .pairs = plug->net.queues };
        memcpy(card.mac, plug->net.mac, sizeof(card.mac));
        return board_add(m, virtio_net_new(slot, &card));
    case MACHINE_PLUG_RNG:
        break;
    }
    return board_add(m, virtio_rng_new(slot));
}

/* Both devices of a card stand behind the board's own, in the order of the slots: a saved state
 * doesn't depend on what was plugged in first.  They have just been added, and stand last. */
static void place_card(Machine *m, const Port *port)
{
    guint at = m->devices->len - 2;

    g_ptr_array_set_size(m->devices, (gint)at);
    for (unsigned i = 0; i < PORTS; i++) {
        const Port *other = &m->hotplug->ports[i];
        at -= other->id && other > port ? 2 : 0;
    }
    g_ptr_array_insert(m->devices, (gint)at, port->function);
    g_ptr_array_insert(m->devices, (gint)at + 1, port->dev);
}

bool machine_plug(Machine *m, const MachinePlug *plug, GError **error)
{
    Port *port = choose(m, plug->bus, error);

    if (!port) {
        return false;
    }
    g_autofree char *function = g_strconcat(plug->id, "-pci", NULL);
    PciSlot place = { m->env, pci_root_port_bus(port->port), PCI_DEVFN(0, 0), function, false };
    port->function = board_add(m, virtio_pci_new(&place));
    VirtioSlot slot = { .env = m->env,
                        .io = m->io,
                        .name = plug->id,
                        .transport = &virtio_pci,
                        .transport_opaque = port->function };
    port->dev = make(m, &slot, plug);
    place_card(m, port);
    port->id = g_strdup(plug->id);
    port->kind = plug->kind;
    device_reset(&port->dev->device);
    device_reset((Device *)port->function);
    pci_root_port_set_card(port->port, true);
    return true;
}

bool machine_unplug(Machine *m, const char *id, GError **error)
{
    Port *port = find(m, id);

    if (!port) {
        set_error(error, "Device '%s' can't be unplugged: it stands in no slot", id);
    } else if (!pci_root_port_press(port->port)) {
        set_error(error, "Device '%s' is already in the process of unplug", id);
        return false;
    }
    return port != NULL;
}

static void empty(Machine *m, Port *port)
{
    g_ptr_array_remove(m->devices, port->dev);
    g_ptr_array_remove(m->devices, port->function);
    device_free(&port->dev->device);
    device_free((Device *)port->function);
    port->dev = NULL;
    port->function = NULL;
    g_clear_pointer(&port->id, g_free);
    pci_root_port_set_card(port->port, false);
}

char *machine_take_away(Machine *m, bool asked)
{
    for (unsigned i = 0; m->hotplug && i < PORTS; i++) {
        Port *port = &m->hotplug->ports[i];
        PciEject eject = port->id ? pci_root_port_eject(port->port) : PCI_EJECT_NONE;
        if (eject == PCI_EJECT_RELEASED || (asked && eject == PCI_EJECT_ASKED)) {
            g_autofree char *id = g_strdup(port->id);
            empty(m, port);
            return g_steal_pointer(&id);
        }
    }
    return NULL;
}

void machine_pull(Machine *m, const char *id)
{
    Port *port = find(m, id);

    if (port) {
        empty(m, port);
    }
}

/* ---- devices in slots or not ---- */

VirtioDev *machine_balloon(const Machine *m)
{
    return m->balloon;
}

bool machine_has_device(const Machine *m, const char *name)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        const Device *device = g_ptr_array_index(m->devices, i);
        if (!strcmp(device->name, name)) {
            return true;
        }
    }
    return m->ahci && ahci_find_drive(m->ahci, name) >= 0;
}

void machine_disk_resized(Machine *m, const Blk *blk)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (device->class == &virtio_blk_class.device) {
            virtio_blk_resized(container_of(device, VirtioDev, device), blk);
        }
    }
}

void machine_net_stats(Machine *m,
                       void (*fn)(void *opaque, const char *name, const MachineNetStats *stats),
                       void *opaque)
{
    for (unsigned i = 0; i < m->devices->len; i++) {
        Device *device = g_ptr_array_index(m->devices, i);
        if (device->class != &virtio_net_class.device) {
            continue;
        }
        VirtioNetStats n = virtio_net_stats(container_of(device, VirtioDev, device));
        fn(opaque, device->name,
           &(MachineNetStats){ n.received, n.received_bytes, n.sent, n.sent_bytes,
                               n.receive_dropped, n.send_dropped });
    }
}

void hotplug_free(Machine *m)
{
    for (unsigned i = 0; m->hotplug && i < PORTS; i++) {
        g_free(m->hotplug->ports[i].id);
    }
    g_free(m->hotplug);
}
