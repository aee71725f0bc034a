/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What devices of a domain are called and where they are: aliases and addresses.
 *
 * Board pc puts devices of virtio on its bus in a fixed order from slot 3 on: random numbers, a
 * console, disks, networks, the balloon (src/machine/board/pc.c).  Addresses that wasn't said
 * follow it.
 *
 * Threads: no state.
 */
#include <string.h>

#include "config/domain_address.h"
#include "config/domain_device.h"
#include "config/domain_machine.h"

/* Slots of bus 0, as src/machine/board/pc.c has them. */
enum {
    SLOT_SCREEN = 1,
    SLOT_RNG = 3,
    SLOT_WATCHDOG = 24,
    SLOT_KEYBOARD = 25,
    SLOT_TABLET = 26,
    SLOT_ROOT_PORTS = 28,
    SLOT_LPC = 31,
    FUNCTION_SATA = 2,
    SLOTS = 32,
};

/* --- addresses --- */

typedef struct Places {
    bool taken[SLOTS];
    unsigned next;
} Places;

static void put(DomainDevice *device, unsigned slot, unsigned function)
{
    if (!device->address.type) {
        device->address = (DomainAddress){
            .type = DOMAIN_ADDRESS_PCI,
            .slot = slot,
            .function = function,
        };
    }
}

/* Into the next slot that nobody has. */
static void put_next(Places *places, DomainDevice *device)
{
    if (device->address.type) {
        return;
    }
    while (places->next < SLOT_WATCHDOG && places->taken[places->next]) {
        places->next++;
    }
    if (places->next < SLOT_WATCHDOG) {
        places->taken[places->next] = true;
        put(device, places->next, 0);
    }
}

static void note_taken(Places *places, const DomainConfig *config)
{
    for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
        for (unsigned i = 0; i < domain_config_count(config, kind); i++) {
            const DomainAddress *at = &domain_config_device(config, kind, i)->address;
            if (at->type == DOMAIN_ADDRESS_PCI && at->bus == 0 && at->slot < SLOTS) {
                places->taken[at->slot] = true;
            }
        }
    }
}

static void put_controllers(const DomainConfig *config)
{
    for (unsigned i = 0; i < config->controllers->len; i++) {
        DomainController *controller = g_ptr_array_index(config->controllers, i);
        int64_t index = controller->index.value;
        if (controller->type == DOMAIN_CONTROLLER_SATA && index == 0) {
            put(&controller->device, SLOT_LPC, FUNCTION_SATA);
        } else if (controller->type == DOMAIN_CONTROLLER_PCI && index >= 1 && index <= ROOT_PORTS) {
            bool said = controller->device.address.type;
            put(&controller->device, SLOT_ROOT_PORTS, (unsigned)index - 1);
            controller->device.address.multifunction =
                !said && index == 1 ? SWITCH_ON : controller->device.address.multifunction;
        }
    }
}

static void put_inputs(const DomainConfig *config)
{
    for (unsigned i = 0; i < config->inputs->len; i++) {
        DomainInput *input = g_ptr_array_index(config->inputs, i);
        if (input->bus == DOMAIN_INPUT_BUS_VIRTIO) {
            put(&input->device, input->type == DOMAIN_INPUT_TABLET ? SLOT_TABLET : SLOT_KEYBOARD,
                0);
        }
    }
}

/* Those whose slots nothing moves. */
static void put_fixed(const DomainConfig *config)
{
    put_controllers(config);
    put_inputs(config);
    for (unsigned i = 0; i < config->videos->len; i++) {
        DomainVideo *video = g_ptr_array_index(config->videos, i);
        if (video->model->type != DOMAIN_VIDEO_NONE) {
            put(&video->device, SLOT_SCREEN, 0);
        }
    }
    for (unsigned i = 0; i < config->watchdogs->len; i++) {
        put(g_ptr_array_index(config->watchdogs, i), SLOT_WATCHDOG, 0);
    }
    for (unsigned i = 0; i < config->rngs->len; i++) {
        put(g_ptr_array_index(config->rngs, i), SLOT_RNG, 0);
    }
}

/* Those that stand in a row. */
static void put_row(const DomainConfig *config)
{
    Places places = { .next = SLOT_RNG + 1 };

    note_taken(&places, config);
    for (unsigned i = 0; i < config->consoles->len; i++) {
        DomainChar *console = g_ptr_array_index(config->consoles, i);
        if (!strcmp(console->target->type, "virtio")) {
            put_next(&places, &console->device);
        }
    }
    for (unsigned i = 0; i < config->disks->len; i++) {
        DomainDisk *disk = g_ptr_array_index(config->disks, i);
        if (disk->target->bus == DOMAIN_DISK_BUS_VIRTIO) {
            put_next(&places, &disk->device);
        }
    }
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        put_next(&places, g_ptr_array_index(config->interfaces, i));
    }
    if (config->balloon->model == DOMAIN_BALLOON_VIRTIO) {
        put_next(&places, &config->balloon->device);
    }
}

/* On a machine without PCI. */
static void put_mmio(const DomainConfig *config)
{
    static const DomainDeviceKind kinds[] = { DOMAIN_DEVICE_DISK, DOMAIN_DEVICE_INTERFACE,
                                              DOMAIN_DEVICE_RNG };

    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned i = 0; i < domain_config_count(config, kinds[k]); i++) {
            DomainDevice *device = domain_config_device(config, kinds[k], i);
            if (!device->address.type) {
                device->address.type = DOMAIN_ADDRESS_VIRTIO_MMIO;
            }
        }
    }
}

void domain_address_assign(DomainConfig *config)
{
    if (!domain_machine_find(config->os->type->machine)->pci) {
        put_mmio(config);
        return;
    }
    put_fixed(config);
    put_row(config);
}

/* --- aliases --- */

static char *disk_alias(const DomainDisk *disk)
{
    const DomainAddress *at = &disk->device.address;
    const char *dev = disk->target->dev;
    unsigned index = 0;

    if (disk->target->bus == DOMAIN_DISK_BUS_SATA) {
        return g_strdup_printf("sata%u-%u-%u", at->controller, at->bus, at->unit);
    }
    for (const char *letter = dev + 2; *letter; letter++) {
        index = index * 26 + (unsigned)(*letter - 'a' + 1);
    }
    return g_strdup_printf("virtio-disk%u", index - 1);
}

static char *controller_alias(const DomainController *controller)
{
    unsigned index = (unsigned)controller->index.value;

    switch (controller->type) {
    case DOMAIN_CONTROLLER_PCI:
        return g_strdup_printf(index ? "pci.%u" : "pcie.%u", index);
    case DOMAIN_CONTROLLER_SATA:
        return index ? g_strdup_printf("sata%u", index) : g_strdup("ide");
    case DOMAIN_CONTROLLER_USB:
        return index ? g_strdup_printf("usb%u", index) : g_strdup("usb");
    case DOMAIN_CONTROLLER_VIRTIO_SERIAL:
    case DOMAIN_CONTROLLER_UNSAID:
        break;
    }
    return g_strdup_printf("virtio-serial%u", index);
}

/* Newly allocated; NULL: such a device has none. */
static char *make_alias(DomainDeviceKind kind, const DomainDevice *device, unsigned index)
{
    static const char *const forms[DOMAIN_DEVICE_KINDS] = {
        [DOMAIN_DEVICE_INTERFACE] = "net",   [DOMAIN_DEVICE_SERIAL] = "serial",
        [DOMAIN_DEVICE_CONSOLE] = "console", [DOMAIN_DEVICE_CHANNEL] = "channel",
        [DOMAIN_DEVICE_INPUT] = "input",     [DOMAIN_DEVICE_SOUND] = "sound",
        [DOMAIN_DEVICE_VIDEO] = "video",     [DOMAIN_DEVICE_REDIRDEV] = "redir",
        [DOMAIN_DEVICE_HUB] = "hub",         [DOMAIN_DEVICE_WATCHDOG] = "watchdog",
        [DOMAIN_DEVICE_BALLOON] = "balloon", [DOMAIN_DEVICE_RNG] = "rng",
        [DOMAIN_DEVICE_PANIC] = "panic",
    };

    if (kind == DOMAIN_DEVICE_DISK) {
        return disk_alias((const DomainDisk *)device);
    }
    if (kind == DOMAIN_DEVICE_CONTROLLER) {
        return controller_alias((const DomainController *)device);
    }
    return forms[kind] ? g_strdup_printf("%s%u", forms[kind], index) : NULL;
}

static void name_device(DomainConfig *config, DomainDeviceKind kind, unsigned index)
{
    DomainDevice *device = domain_config_device(config, kind, index);
    DomainDeviceKind other = kind;
    unsigned number = index;

    if (device->alias) {
        return;
    }
    char *name = make_alias(kind, device, number);
    /* another one may have kept a name that was free when it came; disks' names can't meet */
    while (name && kind != DOMAIN_DEVICE_DISK && kind != DOMAIN_DEVICE_CONTROLLER &&
           domain_config_find_alias(config, name, &other)) {
        g_free(name);
        name = make_alias(kind, device, ++number);
    }
    if (name) {
        device->alias = g_new0(DomainAlias, 1);
        device->alias->name = name;
    }
}

void domain_config_enliven(DomainConfig *config)
{
    for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
        for (unsigned i = 0; i < domain_config_count(config, kind); i++) {
            name_device(config, (DomainDeviceKind)kind, i);
        }
    }
    domain_config_mirror_console(config);
}
