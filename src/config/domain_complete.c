/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What wasn't said of a domain, as libvirt would fill it in, and what no single element shows.
 *
 * Threads: no state.
 * Read first: config/domain.h.
 */
#include <string.h>

#include "common/error.h"
#include "config/domain_address.h"
#include "config/domain_device.h"
#include "config/domain_machine.h"
#include "config/identity.h"
#include "config/limits.h"

enum { SATA_PORTS = 6, VGA_VRAM_KIB = 16384, ROOT_PORT_DEVICE = 0x1c };

/* Fail because of element @name, which was read at @base. */
G_GNUC_PRINTF(5, 6)
static bool fail(const XmlBase *base, const char *name, InsulaError code, GError **error,
                 const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (base->line) {
        set_error_code(error, code, "element '%s' on line %u: %s", name, base->line, message);
    } else {
        set_error_code(error, code, "element '%s': %s", name, message);
    }
    return false;
}

/* --- the machine --- */

static bool complete_type(DomainConfig *config, const DomainDefaults *defaults, GError **error)
{
    DomainOsType *type = config->os->type;
    const DomainMachine *machine = domain_machine_find(type->machine);

    if (config->type == DOMAIN_TYPE_KVM && !defaults->kvm) {
        return fail(&config->base, "domain", INSULA_ERROR_UNSUPPORTED, error,
                    "there is no KVM on this host: say type='qemu'");
    }
    if (type->arch && strcmp(type->arch, "x86_64") != 0) {
        return fail(&type->base, "type", INSULA_ERROR_UNSUPPORTED, error,
                    "attribute 'arch' '%s' can't be: there is x86_64", type->arch);
    }
    if (!machine) {
        return fail(&type->base, "type", INSULA_ERROR_UNSUPPORTED, error,
                    "attribute 'machine' '%s' is no machine: there are q35 and micro",
                    type->machine);
    }
    g_free(type->arch);
    g_free(type->machine);
    type->arch = g_strdup("x86_64");
    type->machine = g_strdup(machine->canonical);
    if (!config->uuid.said) {
        uuid_make(config->uuid.bytes);
        config->uuid.said = true;
    }
    if (!config->emulator) {
        config->emulator = g_strdup(defaults->emulator);
    }
    return true;
}

static bool complete_memory(DomainConfig *config, const DomainDefaults *defaults, GError **error)
{
    uint64_t max = defaults->max_memory ? defaults->max_memory : CONFIG_MEMORY_MAX;

    if (config->memory < CONFIG_MEMORY_MIN || config->memory > max) {
        return fail(&config->base, "domain", INSULA_ERROR_XML, error,
                    "<memory> must be from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " KiB",
                    CONFIG_MEMORY_MIN / 1024, max / 1024);
    }
    config->memory =
        (config->memory + CONFIG_MEMORY_UNIT - 1) / CONFIG_MEMORY_UNIT * CONFIG_MEMORY_UNIT;
    /* a balloon can't make a machine larger than it was built */
    if (!config->current_memory || config->current_memory > config->memory) {
        config->current_memory = config->memory;
    }
    return true;
}

static bool complete_cpus(DomainConfig *config, const DomainDefaults *defaults, GError **error)
{
    unsigned max = defaults->max_vcpus ? defaults->max_vcpus : CONFIG_CPUS_MAX;
    const DomainCpuModel *model = config->cpu ? config->cpu->model : NULL;

    if (!config->vcpu) {
        config->vcpu = g_new0(DomainVcpu, 1);
        config->vcpu->count = (XmlNumber){ true, 1 };
    }
    config->vcpu->placement = DOMAIN_PLACEMENT_STATIC;
    if (config->vcpu->count.value > max) {
        return fail(&config->vcpu->base, "vcpu", INSULA_ERROR_UNSUPPORTED, error,
                    "there are at most %u vCPUs", max);
    }
    if (model && model->name && config->cpu->mode <= DOMAIN_CPU_CUSTOM && defaults->cpu_models &&
        !g_strv_contains(defaults->cpu_models, model->name)) {
        g_autofree char *list = g_strjoinv(", ", (char **)defaults->cpu_models);
        return fail(&model->base, "model", INSULA_ERROR_UNSUPPORTED, error,
                    "there is no CPU model '%s'; there are %s", model->name, list);
    }
    return true;
}

static void complete_life(DomainConfig *config)
{
    config->on_poweroff = config->on_poweroff ? config->on_poweroff : DOMAIN_ACTION_DESTROY;
    config->on_reboot = config->on_reboot ? config->on_reboot : DOMAIN_ACTION_RESTART;
    config->on_crash = config->on_crash ? config->on_crash : DOMAIN_ACTION_DESTROY;
    if (!config->clock) {
        config->clock = g_new0(DomainClock, 1);
    }
    config->clock->offset = DOMAIN_CLOCK_UTC;
}

/* --- disks --- */

/* Whether a disk before the one at @index has its place on bus SATA. */
static bool is_place_taken(const DomainConfig *config, unsigned index)
{
    const DomainDisk *disk = g_ptr_array_index(config->disks, index);
    const DomainAddress *mine = &disk->device.address;

    for (unsigned i = 0; i < index && mine->type == DOMAIN_ADDRESS_DRIVE; i++) {
        const DomainDisk *other = g_ptr_array_index(config->disks, i);
        const DomainAddress *at = &other->device.address;
        if (at->type == mine->type && at->controller == mine->controller && at->bus == mine->bus &&
            at->target == mine->target && at->unit == mine->unit) {
            return true;
        }
    }
    return false;
}

/* The place that a name such as "vdb" stands for, from 0 on; -1: it is no such name. */
static int disk_index(const char *dev)
{
    enum { LETTERS = 26, MOST = 26 * 27 };
    int index = 0;

    if (strlen(dev) < 3 || strlen(dev) > 4 || dev[1] != 'd') {
        return -1;
    }
    for (const char *at = dev + 2; *at; at++) {
        if (!g_ascii_islower(*at)) {
            return -1;
        }
        index = index * LETTERS + (*at - 'a' + 1);
    }
    return index <= MOST ? index - 1 : -1;
}

static DomainDiskBus bus_of(const DomainDisk *disk)
{
    bool sata = disk->kind == DOMAIN_DISK_KIND_CDROM || disk->target->dev[0] == 's';

    return disk->target->bus ? disk->target->bus
           : sata            ? DOMAIN_DISK_BUS_SATA
                             : DOMAIN_DISK_BUS_VIRTIO;
}

static bool complete_disk_driver(DomainDisk *disk, const DomainDefaults *defaults, GError **error)
{
    if (!disk->driver) {
        disk->driver = g_new0(DomainDiskDriver, 1);
    }
    if (!disk->driver->name) {
        disk->driver->name = g_strdup("qemu");
    }
    if (!disk->driver->type) {
        disk->driver->type = g_strdup("raw");
    }
    if (defaults->disk_formats && !g_strv_contains(defaults->disk_formats, disk->driver->type)) {
        g_autofree char *list = g_strjoinv(", ", (char **)defaults->disk_formats);
        return fail(&disk->driver->base, "driver", INSULA_ERROR_UNSUPPORTED, error,
                    "there is no disk format '%s'; there are %s", disk->driver->type, list);
    }
    return true;
}

static bool complete_disk(DomainDisk *disk, const DomainDefaults *defaults, GError **error)
{
    DomainDiskTarget *target = disk->target;
    int index = disk_index(target->dev);
    bool said = target->bus;

    disk->type = disk->type ? disk->type : DOMAIN_DISK_TYPE_FILE;
    disk->kind = disk->kind ? disk->kind : DOMAIN_DISK_KIND_DISK;
    target->bus = bus_of(disk);
    if (index < 0) {
        return fail(&target->base, "target", INSULA_ERROR_XML, error,
                    "attribute 'dev' '%s' must be a name such as vda or sdb", target->dev);
    }
    if (!said && target->dev[0] != 'v' && target->dev[0] != 's') {
        return fail(&target->base, "target", INSULA_ERROR_UNSUPPORTED, error,
                    "attribute 'dev' '%s' names no bus that there is: say vda or sda", target->dev);
    }
    if (target->bus == DOMAIN_DISK_BUS_SATA) {
        if (index >= SATA_PORTS) {
            return fail(&target->base, "target", INSULA_ERROR_UNSUPPORTED, error,
                        "there are %d places on bus 'sata': sda to sdf", SATA_PORTS);
        }
        if (!disk->device.address.type) {
            disk->device.address =
                (DomainAddress){ .type = DOMAIN_ADDRESS_DRIVE, .unit = (unsigned)index };
        }
    }
    if (disk->kind == DOMAIN_DISK_KIND_CDROM) {
        disk->readonly = true;
    }
    return complete_disk_driver(disk, defaults, error);
}

static bool complete_disks(DomainConfig *config, const DomainDefaults *defaults, GError **error)
{
    const DomainMachine *machine = domain_machine_find(config->os->type->machine);

    for (unsigned i = 0; i < config->disks->len; i++) {
        DomainDisk *disk = g_ptr_array_index(config->disks, i);
        if (!complete_disk(disk, defaults, error)) {
            return false;
        }
        if (!machine->pci && disk->target->bus == DOMAIN_DISK_BUS_SATA) {
            return fail(&disk->device.base, "disk", INSULA_ERROR_UNSUPPORTED, error,
                        "machine '%s' has no bus 'sata'", machine->name);
        }
        if (is_place_taken(config, i)) {
            return fail(&disk->device.base, "disk", INSULA_ERROR_XML, error,
                        "its place on the bus is another disk's, too");
        }
        int other = domain_config_find(config, DOMAIN_DEVICE_DISK, &disk->device);
        if (other >= 0 && other < (int)i) {
            return fail(&disk->device.base, "disk", INSULA_ERROR_XML, error,
                        "target '%s' is another disk's, too", disk->target->dev);
        }
    }
    return true;
}

/* --- the order of booting --- */

static bool check_order(const DomainDevice *device, const char *name, GHashTable *taken,
                        GError **error)
{
    if (device->boot && !g_hash_table_add(taken, GINT_TO_POINTER(device->boot->order.value))) {
        return fail(&device->boot->base, "boot", INSULA_ERROR_XML, error,
                    "order %d of <%s> is another device's, too", (int)device->boot->order.value,
                    name);
    }
    return true;
}

static bool complete_boot(DomainConfig *config, GError **error)
{
    static const DomainDeviceKind from[] = { DOMAIN_DEVICE_DISK, DOMAIN_DEVICE_INTERFACE };
    g_autoptr(GHashTable) taken = g_hash_table_new(NULL, NULL);

    for (unsigned k = 0; k < G_N_ELEMENTS(from); k++) {
        for (unsigned i = 0; i < domain_config_count(config, from[k]); i++) {
            if (!check_order(domain_config_device(config, from[k], i), domain_device_name(from[k]),
                             taken, error)) {
                return false;
            }
        }
    }
    if (g_hash_table_size(taken) > 0 && config->os->boot->len > 0) {
        return fail(&config->os->base, "os", INSULA_ERROR_UNSUPPORTED, error,
                    "<boot dev='...'/> and <boot order='...'/> of devices: keep one kind");
    }
    if (!g_hash_table_size(taken) && !config->os->boot->len && !config->os->kernel) {
        DomainBoot *boot = g_new0(DomainBoot, 1);
        boot->dev = DOMAIN_BOOT_HD;
        g_ptr_array_add(config->os->boot, boot);
    }
    return true;
}

/* --- controllers --- */

static DomainController *find_controller(const DomainConfig *config, DomainControllerType type,
                                         int64_t index)
{
    for (unsigned i = 0; i < config->controllers->len; i++) {
        DomainController *controller = g_ptr_array_index(config->controllers, i);
        if (controller->type == type && controller->index.said &&
            controller->index.value == index) {
            return controller;
        }
    }
    return NULL;
}

static void add_controller(DomainConfig *config, DomainControllerType type, int64_t index,
                           const char *model)
{
    DomainController *controller = g_new0(DomainController, 1);

    controller->type = type;
    controller->index = (XmlNumber){ true, index };
    controller->model = g_strdup(model);
    g_ptr_array_add(config->controllers, controller);
}

/* Controllers of the USB that are companions share an index. */
static bool is_companion(const DomainController *controller)
{
    return controller->model && g_str_has_prefix(controller->model, "ich9-uhci");
}

static bool number_controllers(DomainConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->controllers->len; i++) {
        DomainController *controller = g_ptr_array_index(config->controllers, i);
        int64_t index = 0;
        if (controller->index.said) {
            DomainController *first =
                find_controller(config, controller->type, controller->index.value);
            if (first != controller && !is_companion(controller)) {
                return fail(&controller->device.base, "controller", INSULA_ERROR_XML, error,
                            "index %d is another controller's, too", (int)controller->index.value);
            }
            continue;
        }
        while (!is_companion(controller) && find_controller(config, controller->type, index)) {
            index++;
        }
        controller->index = (XmlNumber){ true, index };
    }
    return true;
}

/* A port of PCI Express shows where it is, as libvirt's does. */
static void complete_root_port(DomainController *port)
{
    if (!port->model_name) {
        port->model_name = g_new0(DomainControllerModel, 1);
        port->model_name->name = g_strdup("pcie-root-port");
    }
    if (!port->target) {
        port->target = g_new0(DomainControllerTarget, 1);
    }
    if (!port->target->chassis.said) {
        port->target->chassis = (XmlNumber){ true, port->index.value };
    }
    if (!port->target->port && port->index.value >= 1 && port->index.value <= ROOT_PORTS) {
        port->target->port =
            g_strdup_printf("0x%x", ROOT_PORT_DEVICE << 3 | ((unsigned)port->index.value - 1));
    }
}

static bool complete_controllers(DomainConfig *config, GError **error)
{
    if (!domain_machine_find(config->os->type->machine)->pci) {
        return number_controllers(config, error);
    }
    if (!number_controllers(config, error)) {
        return false;
    }
    if (!find_controller(config, DOMAIN_CONTROLLER_SATA, 0)) {
        add_controller(config, DOMAIN_CONTROLLER_SATA, 0, NULL);
    }
    if (!find_controller(config, DOMAIN_CONTROLLER_PCI, 0)) {
        add_controller(config, DOMAIN_CONTROLLER_PCI, 0, "pcie-root");
    }
    for (int64_t i = 1; i <= ROOT_PORTS; i++) {
        if (!find_controller(config, DOMAIN_CONTROLLER_PCI, i)) {
            add_controller(config, DOMAIN_CONTROLLER_PCI, i, "pcie-root-port");
        }
    }
    for (unsigned i = 0; i < config->controllers->len; i++) {
        DomainController *controller = g_ptr_array_index(config->controllers, i);
        if (controller->model && !strcmp(controller->model, "pcie-root-port")) {
            complete_root_port(controller);
        }
    }
    return true;
}

/* --- networks --- */

static bool complete_interface(DomainConfig *config, unsigned index, GError **error)
{
    DomainInterface *nic = g_ptr_array_index(config->interfaces, index);

    if (!nic->mac) {
        nic->mac = g_new0(DomainInterfaceMac, 1);
        nic->mac->address.said = true;
        mac_make(nic->mac->address.bytes);
    }
    if (!nic->model) {
        nic->model = g_new0(DomainInterfaceModel, 1);
    }
    nic->model->type = nic->model->type ? nic->model->type : DOMAIN_NIC_VIRTIO;
    for (unsigned i = 0; i < index; i++) {
        const DomainInterface *other = g_ptr_array_index(config->interfaces, i);
        if (!memcmp(other->mac->address.bytes, nic->mac->address.bytes, MAC_SIZE)) {
            return fail(&nic->device.base, "interface", INSULA_ERROR_XML, error,
                        "its MAC address is another interface's, too");
        }
    }
    return true;
}

static bool complete_interfaces(DomainConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        if (!complete_interface(config, i, error)) {
            return false;
        }
    }
    return true;
}

/* --- consoles --- */

static DomainChar *new_char(DomainCharType type)
{
    DomainChar *device = g_new0(DomainChar, 1);

    device->type = type;
    return device;
}

static bool is_virtio(const DomainChar *console)
{
    return console->target && console->target->type && !strcmp(console->target->type, "virtio");
}

static void complete_target(DomainChar *device, const char *type, int64_t port)
{
    if (!device->target) {
        device->target = g_new0(DomainCharTarget, 1);
    }
    if (!device->target->type) {
        device->target->type = g_strdup(type);
    }
    if (!device->target->port.said) {
        device->target->port = (XmlNumber){ true, port };
    }
}

void domain_config_mirror_console(DomainConfig *config)
{
    DomainChar *serial = config->serials->len > 0 ? g_ptr_array_index(config->serials, 0) : NULL;
    DomainChar *console = config->consoles->len > 0 ? g_ptr_array_index(config->consoles, 0) : NULL;

    if (!serial || !console || is_virtio(console)) {
        return;
    }
    DomainChar *twin = (DomainChar *)domain_device_copy(DOMAIN_DEVICE_SERIAL, &serial->device);
    g_clear_pointer(&twin->tty, g_free);
    DomainCharTarget *target = twin->target;
    twin->target = console->target;
    console->target = target;
    twin->device.address = (DomainAddress){ 0 };
    if (twin->type == DOMAIN_CHAR_PTY && twin->source) {
        twin->tty = g_strdup(twin->source->path);
    }
    domain_device_free(DOMAIN_DEVICE_CONSOLE, &console->device);
    config->consoles->pdata[0] = twin;
}

/* A console on the serial port and that port are one thing, said twice. */
static void pair_consoles(DomainConfig *config)
{
    const DomainChar *console =
        config->consoles->len > 0 ? g_ptr_array_index(config->consoles, 0) : NULL;

    if (console && !config->serials->len && !is_virtio(console)) {
        DomainChar *serial =
            (DomainChar *)domain_device_copy(DOMAIN_DEVICE_CONSOLE, &console->device);
        g_clear_pointer(&serial->tty, g_free);
        DomainChar *made = new_char(serial->type);
        made->source = g_steal_pointer(&serial->source);
        domain_device_free(DOMAIN_DEVICE_CONSOLE, &serial->device);
        g_ptr_array_add(config->serials, made);
    } else if (!console && config->serials->len > 0) {
        const DomainChar *serial = g_ptr_array_index(config->serials, 0);
        g_ptr_array_add(config->consoles, new_char(serial->type));
    }
}

static bool complete_consoles(DomainConfig *config, GError **error)
{
    pair_consoles(config);
    for (unsigned i = 0; i < config->serials->len; i++) {
        DomainChar *serial = g_ptr_array_index(config->serials, i);
        complete_target(serial, "isa-serial", i);
        if (strcmp(serial->target->type, "isa-serial") != 0) {
            return fail(&serial->device.base, "serial", INSULA_ERROR_UNSUPPORTED, error,
                        "its target must be of type 'isa-serial'");
        }
        if (!serial->target->model) {
            serial->target->model = g_new0(DomainCharModel, 1);
            serial->target->model->name = g_strdup("isa-serial");
        }
    }
    for (unsigned i = 0; i < config->consoles->len; i++) {
        DomainChar *console = g_ptr_array_index(config->consoles, i);
        complete_target(console, "serial", i);
        if (strcmp(console->target->type, "serial") != 0 && !is_virtio(console)) {
            return fail(&console->device.base, "console", INSULA_ERROR_UNSUPPORTED, error,
                        "its target must be of type 'serial' or 'virtio'");
        }
    }
    domain_config_mirror_console(config);
    return true;
}

/* --- screen, keyboard, mouse --- */

static bool has_input(const DomainConfig *config, DomainInputType type, DomainInputBus bus)
{
    for (unsigned i = 0; i < config->inputs->len; i++) {
        const DomainInput *input = g_ptr_array_index(config->inputs, i);
        if (input->type == type && input->bus == bus) {
            return true;
        }
    }
    return false;
}

static void add_input(DomainConfig *config, DomainInputType type)
{
    DomainInput *input = g_new0(DomainInput, 1);

    input->type = type;
    input->bus = DOMAIN_INPUT_BUS_PS2;
    g_ptr_array_add(config->inputs, input);
}

static void complete_inputs(DomainConfig *config)
{
    for (unsigned i = 0; i < config->inputs->len; i++) {
        DomainInput *input = g_ptr_array_index(config->inputs, i);
        if (!input->bus) {
            input->bus =
                input->type == DOMAIN_INPUT_TABLET ? DOMAIN_INPUT_BUS_VIRTIO : DOMAIN_INPUT_BUS_PS2;
        }
    }
    for (DomainInputType type = DOMAIN_INPUT_MOUSE;
         config->graphics->len > 0 && type <= DOMAIN_INPUT_KEYBOARD; type++) {
        if (type != DOMAIN_INPUT_TABLET && !has_input(config, type, DOMAIN_INPUT_BUS_PS2)) {
            add_input(config, type);
        }
    }
}

static void complete_graphics(DomainGraphics *screen)
{
    DomainListen *listen = screen->listens->len > 0 ? g_ptr_array_index(screen->listens, 0) : NULL;

    if (!listen) {
        listen = g_new0(DomainListen, 1);
        listen->type = screen->socket ? DOMAIN_LISTEN_SOCKET : DOMAIN_LISTEN_ADDRESS;
        listen->address = g_strdup(screen->listen);
        listen->socket = g_strdup(screen->socket);
        g_ptr_array_add(screen->listens, listen);
    }
    if (listen->address && !screen->listen) {
        screen->listen = g_strdup(listen->address);
    }
    if (listen->socket && !screen->socket) {
        screen->socket = g_strdup(listen->socket);
    }
    if (listen->type != DOMAIN_LISTEN_ADDRESS) {
        return;
    }
    if (!screen->port.said || screen->port.value == -1) {
        screen->port = (XmlNumber){ true, -1 };
        screen->autoport = SWITCH_ON;
    } else if (!screen->autoport) {
        screen->autoport = SWITCH_OFF;
    }
}

static void complete_video(DomainVideo *video, bool first)
{
    if (!video->model) {
        video->model = g_new0(DomainVideoModel, 1);
        video->model->type = DOMAIN_VIDEO_VGA;
    }
    DomainVideoModel *model = video->model;
    if (model->type == DOMAIN_VIDEO_NONE) {
        return;
    }
    if (model->type != DOMAIN_VIDEO_VIRTIO && !model->vram.said) {
        model->vram = (XmlNumber){ true, VGA_VRAM_KIB };
    }
    if (!model->heads.said) {
        model->heads = (XmlNumber){ true, 1 };
    }
    if (!model->primary && first) {
        model->primary = SWITCH_ON;
    }
}

static void complete_screen(DomainConfig *config)
{
    complete_inputs(config);
    for (unsigned i = 0; i < config->graphics->len; i++) {
        complete_graphics(g_ptr_array_index(config->graphics, i));
    }
    if (config->graphics->len > 0 && !config->videos->len) {
        g_ptr_array_add(config->videos, g_new0(DomainVideo, 1));
    }
    for (unsigned i = 0; i < config->videos->len; i++) {
        complete_video(g_ptr_array_index(config->videos, i), i == 0);
    }
}

/* --- the rest --- */

/* The board has room for so many. */
static bool check_counts(const DomainConfig *config, GError **error)
{
    static const struct {
        DomainDeviceKind kind;
        unsigned max;
    } counts[] = {
        { DOMAIN_DEVICE_SERIAL, 1 }, { DOMAIN_DEVICE_CONSOLE, 2 },  { DOMAIN_DEVICE_GRAPHICS, 1 },
        { DOMAIN_DEVICE_VIDEO, 1 },  { DOMAIN_DEVICE_WATCHDOG, 1 }, { DOMAIN_DEVICE_RNG, 1 },
        { DOMAIN_DEVICE_PANIC, 1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        if (domain_config_count(config, counts[i].kind) > counts[i].max) {
            const DomainDevice *device =
                domain_config_device(config, counts[i].kind, counts[i].max);
            return fail(&device->base, domain_device_name(counts[i].kind), INSULA_ERROR_UNSUPPORTED,
                        error, "there is room for %u of these", counts[i].max);
        }
    }
    return true;
}

static void complete_rest(DomainConfig *config)
{
    if (!config->balloon) {
        config->balloon = g_new0(DomainBalloon, 1);
        config->balloon->model = DOMAIN_BALLOON_VIRTIO;
    }
    for (unsigned i = 0; i < config->watchdogs->len; i++) {
        DomainWatchdog *watchdog = g_ptr_array_index(config->watchdogs, i);
        watchdog->action = watchdog->action ? watchdog->action : DOMAIN_WATCHDOG_RESET;
    }
    for (unsigned i = 0; i < config->panics->len; i++) {
        DomainPanic *panic = g_ptr_array_index(config->panics, i);
        panic->model = DOMAIN_PANIC_ISA;
    }
}

bool domain_config_complete(DomainConfig *config, const DomainDefaults *defaults, GError **error)
{
    if (!complete_type(config, defaults, error) || !complete_memory(config, defaults, error) ||
        !complete_cpus(config, defaults, error) || !check_counts(config, error) ||
        !complete_disks(config, defaults, error) || !complete_boot(config, error) ||
        !complete_controllers(config, error) || !complete_interfaces(config, error) ||
        !complete_consoles(config, error)) {
        return false;
    }
    complete_life(config);
    complete_screen(config);
    complete_rest(config);
    domain_address_assign(config);
    return true;
}
