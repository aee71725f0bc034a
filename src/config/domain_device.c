/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of a domain, one at a time, see domain_device.h.
 *
 * Threads: no state.
 */
#include "config/domain_device.h"

#include <string.h>

#include "common/error.h"
#include "config/domain_tables.h"

typedef struct Kind {
    const char *name;
    const XmlShape *shape;
    size_t offset; /* of the array in a DomainConfig */
} Kind;

static const Kind kinds[DOMAIN_DEVICE_KINDS] = {
    [DOMAIN_DEVICE_DISK] = { "disk", &domain_disk_shape, offsetof(DomainConfig, disks) },
    [DOMAIN_DEVICE_CONTROLLER] = { "controller", &domain_controller_shape,
                                   offsetof(DomainConfig, controllers) },
    [DOMAIN_DEVICE_INTERFACE] = { "interface", &domain_interface_shape,
                                  offsetof(DomainConfig, interfaces) },
    [DOMAIN_DEVICE_SERIAL] = { "serial", &domain_serial_shape, offsetof(DomainConfig, serials) },
    [DOMAIN_DEVICE_CONSOLE] = { "console", &domain_console_shape,
                                offsetof(DomainConfig, consoles) },
    [DOMAIN_DEVICE_CHANNEL] = { "channel", &domain_channel_shape,
                                offsetof(DomainConfig, channels) },
    [DOMAIN_DEVICE_INPUT] = { "input", &domain_input_shape, offsetof(DomainConfig, inputs) },
    [DOMAIN_DEVICE_GRAPHICS] = { "graphics", &domain_graphics_shape,
                                 offsetof(DomainConfig, graphics) },
    [DOMAIN_DEVICE_SOUND] = { "sound", &domain_sound_shape, offsetof(DomainConfig, sounds) },
    [DOMAIN_DEVICE_VIDEO] = { "video", &domain_video_shape, offsetof(DomainConfig, videos) },
    [DOMAIN_DEVICE_REDIRDEV] = { "redirdev", &domain_redirdev_shape,
                                 offsetof(DomainConfig, redirdevs) },
    [DOMAIN_DEVICE_HUB] = { "hub", &domain_hub_shape, offsetof(DomainConfig, hubs) },
    [DOMAIN_DEVICE_WATCHDOG] = { "watchdog", &domain_watchdog_shape,
                                 offsetof(DomainConfig, watchdogs) },
    [DOMAIN_DEVICE_BALLOON] = { "memballoon", &domain_balloon_shape, 0 },
    [DOMAIN_DEVICE_RNG] = { "rng", &domain_rng_shape, offsetof(DomainConfig, rngs) },
    [DOMAIN_DEVICE_PANIC] = { "panic", &domain_panic_shape, offsetof(DomainConfig, panics) },
};

const char *domain_device_name(DomainDeviceKind kind)
{
    return kinds[kind].name;
}

/* NULL: of this kind there is one at most. */
static GPtrArray *array_of(const DomainConfig *config, DomainDeviceKind kind)
{
    return kinds[kind].offset ? *(GPtrArray *const *)((const char *)config + kinds[kind].offset)
                              : NULL;
}

/* --- one device --- */

static bool find_kind(const XmlNode *node, DomainDeviceKind *ret_kind, GError **error)
{
    for (unsigned i = 0; i < DOMAIN_DEVICE_KINDS; i++) {
        if (!strcmp(kinds[i].name, node->name)) {
            *ret_kind = (DomainDeviceKind)i;
            return true;
        }
    }
    return xml_unsupported(node, error, "it is no device that there is");
}

DomainDevice *domain_device_parse(const char *xml, DomainParseFlags flags,
                                  DomainDeviceKind *ret_kind, GError **error)
{
    g_autoptr(XmlNode) node = xml_parse(xml, NULL, error);
    XmlContext context = { xml, flags & DOMAIN_PARSE_LIVE ? SHAPE_ALL : SHAPE_SECRET };
    DomainDeviceKind kind = DOMAIN_DEVICE_DISK;

    if (!node || !find_kind(node, &kind, error)) {
        return NULL;
    }
    DomainDevice *device = xml_shape_new(kinds[kind].shape);
    if (!xml_shape_parse(kinds[kind].shape, &context, node, device, error)) {
        domain_device_free(kind, device);
        return NULL;
    }
    *ret_kind = kind;
    return device;
}

char *domain_device_format(DomainDeviceKind kind, const DomainDevice *device, unsigned flags)
{
    bool live = !(flags & (DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_MIGRATABLE));
    XmlContext context = { NULL, (live ? SHAPE_LIVE : 0U) |
                                     (flags & DOMAIN_FORMAT_SECURE ? SHAPE_SECRET : 0U) };
    XmlWriter *writer = xml_writer_new();

    xml_shape_format(kinds[kind].shape, &context, writer, kinds[kind].name, device);
    return xml_writer_end(writer);
}

DomainDevice *domain_device_copy(DomainDeviceKind kind, const DomainDevice *device)
{
    return xml_shape_copy(kinds[kind].shape, device);
}

void domain_device_free(DomainDeviceKind kind, DomainDevice *device)
{
    xml_shape_free(kinds[kind].shape, device);
}

/* --- those of a domain --- */

unsigned domain_config_count(const DomainConfig *config, DomainDeviceKind kind)
{
    const GPtrArray *array = array_of(config, kind);

    return array ? array->len : config->balloon != NULL;
}

DomainDevice *domain_config_device(const DomainConfig *config, DomainDeviceKind kind,
                                   unsigned index)
{
    const GPtrArray *array = array_of(config, kind);

    return array ? g_ptr_array_index(array, index) : (DomainDevice *)config->balloon;
}

static bool same_address(const DomainAddress *a, const DomainAddress *b)
{
    return a->type == b->type && a->domain == b->domain && a->bus == b->bus && a->slot == b->slot &&
           a->function == b->function && a->controller == b->controller && a->target == b->target &&
           a->unit == b->unit && !strcmp(a->port, b->port);
}

static bool same_disk(const DomainDevice *a, const DomainDevice *b)
{
    return !strcmp(((const DomainDisk *)a)->target->dev, ((const DomainDisk *)b)->target->dev);
}

/* By MAC address if @like has one, and by the address if it has that. */
static bool same_interface(const DomainDevice *like, const DomainDevice *device)
{
    const DomainInterfaceMac *wanted = ((const DomainInterface *)like)->mac;
    const DomainInterfaceMac *has = ((const DomainInterface *)device)->mac;

    if (!wanted && !like->address.type) {
        return false;
    }
    return (!wanted || (has && !memcmp(wanted->address.bytes, has->address.bytes,
                                       sizeof(has->address.bytes)))) &&
           (!like->address.type || same_address(&like->address, &device->address));
}

/* What both say, but for where the device was put. */
static bool same_text(DomainDeviceKind kind, const DomainDevice *a, const DomainDevice *b)
{
    DomainDevice *copies[2] = { domain_device_copy(kind, a), domain_device_copy(kind, b) };
    char *texts[2] = { NULL, NULL };

    for (unsigned i = 0; i < 2; i++) {
        copies[i]->address = (DomainAddress){ 0 };
        texts[i] =
            domain_device_format(kind, copies[i], DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE);
        domain_device_free(kind, copies[i]);
    }
    bool same = !strcmp(texts[0], texts[1]);
    g_free(texts[0]);
    g_free(texts[1]);
    return same;
}

static bool is_like(DomainDeviceKind kind, const DomainDevice *like, const DomainDevice *device)
{
    if (kind == DOMAIN_DEVICE_DISK) {
        return same_disk(like, device);
    }
    if (kind == DOMAIN_DEVICE_INTERFACE) {
        return same_interface(like, device);
    }
    if (like->alias && device->alias) {
        return !strcmp(like->alias->name, device->alias->name);
    }
    if (like->address.type) {
        return same_address(&like->address, &device->address);
    }
    return kind == DOMAIN_DEVICE_BALLOON || kind == DOMAIN_DEVICE_WATCHDOG ||
           kind == DOMAIN_DEVICE_GRAPHICS || same_text(kind, like, device);
}

int domain_config_find(const DomainConfig *config, DomainDeviceKind kind, const DomainDevice *like)
{
    for (unsigned i = 0; i < domain_config_count(config, kind); i++) {
        if (is_like(kind, like, domain_config_device(config, kind, i))) {
            return (int)i;
        }
    }
    return -1;
}

DomainDevice *domain_config_find_alias(const DomainConfig *config, const char *alias,
                                       DomainDeviceKind *ret_kind)
{
    for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
        for (unsigned i = 0; i < domain_config_count(config, kind); i++) {
            DomainDevice *device = domain_config_device(config, kind, i);
            if (device->alias && !strcmp(device->alias->name, alias)) {
                *ret_kind = (DomainDeviceKind)kind;
                return device;
            }
        }
    }
    return NULL;
}

bool domain_config_add(DomainConfig *config, DomainDeviceKind kind, DomainDevice *device,
                       GError **error)
{
    bool told_apart = kind == DOMAIN_DEVICE_DISK || kind == DOMAIN_DEVICE_INTERFACE ||
                      kind == DOMAIN_DEVICE_BALLOON;
    GPtrArray *array = array_of(config, kind);

    if (told_apart && domain_config_find(config, kind, device) >= 0) {
        set_error_code(error, INSULA_ERROR_XML, "the domain has such a %s already",
                       kinds[kind].name);
        domain_device_free(kind, device);
        return false;
    }
    if (array) {
        g_ptr_array_add(array, device);
    } else {
        config->balloon = (DomainBalloon *)device;
    }
    return true;
}

void domain_config_replace(DomainConfig *config, DomainDeviceKind kind, unsigned index,
                           DomainDevice *device)
{
    GPtrArray *array = array_of(config, kind);
    DomainDevice *old = domain_config_device(config, kind, index);

    if (!device->alias) {
        device->alias = g_steal_pointer(&old->alias);
    }
    if (!device->address.type) {
        device->address = old->address;
    }
    domain_device_free(kind, old);
    if (array) {
        array->pdata[index] = device;
    } else {
        config->balloon = (DomainBalloon *)device;
    }
}

void domain_config_remove(DomainConfig *config, DomainDeviceKind kind, unsigned index)
{
    GPtrArray *array = array_of(config, kind);

    domain_device_free(kind, domain_config_device(config, kind, index));
    if (array) {
        g_ptr_array_remove_index(array, index);
    } else {
        config->balloon = NULL;
    }
}
