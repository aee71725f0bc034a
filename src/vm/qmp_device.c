/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that put devices into slots of the running machine and take them out: device_add and
 * device_del.
 *
 * device_del only asks.  The guest lets go when it is done, and then DEVICE_DELETED is told.
 *
 * Threads: main.
 * Read first: vm/qmp_plug.h, machine/machine.h (machine_plug).
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "block/chain.h"
#include "common/error.h"
#include "config/limits.h"
#include "vm/fdset.h"
#include "vm/qmp_plug.h"
#include "vm/qmp_server.h"

/* ---- drivers and their properties ---- */

/* What a client said, by property. */
typedef struct Properties {
    const char *drive, *serial, *netdev, *mac, *rng, *addr;
    unsigned queues; /* 0: not said */
} Properties;

typedef struct Property {
    const char *name; /* NULL behind the last */
    size_t member;    /* of Properties */
    bool required;
    unsigned most; /* 0: it is a text; else a number from 1 on */
} Property;

#define PROPERTY(name, required)                                                                   \
    {                                                                                              \
#name, offsetof(Properties, name), required                                                \
    }

static const Property disk_properties[] = {
    PROPERTY(drive, true),
    PROPERTY(serial, false),
    PROPERTY(addr, false),
    { "num-queues", offsetof(Properties, queues), false, CONFIG_DISK_QUEUES_MAX },
    { 0 },
};
static const Property net_properties[] = {
    PROPERTY(netdev, true), PROPERTY(mac, false), PROPERTY(addr, false), { 0 }
};
static const Property rng_properties[] = { PROPERTY(rng, false), PROPERTY(addr, false), { 0 } };

static const struct Driver {
    const char *name;
    MachinePlugKind kind;
    const Property *properties;
} drivers[] = {
    { "virtio-blk-pci", MACHINE_PLUG_DISK, disk_properties },
    { "virtio-net-pci", MACHINE_PLUG_NET, net_properties },
    { "virtio-rng-pci", MACHINE_PLUG_RNG, rng_properties },
};

static const QmpType add_args = {
    .meta = QMP_OBJECT,
    .open = true,
    .members =
        (const QmpMember[]){
            { "driver", &qmp_str }, { "bus", &qmp_str, true }, { "id", &qmp_str }, { 0 } },
};

static const struct Driver *driver_named(const char *name, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (!strcmp(drivers[i].name, name)) {
            return &drivers[i];
        }
    }
    set_error(error, "'%s' is not a valid device model name", name);
    return NULL;
}

static const Property *property_named(const struct Driver *driver, const char *name)
{
    for (const Property *property = driver->properties; property->name; property++) {
        if (!strcmp(property->name, name)) {
            return property;
        }
    }
    return NULL;
}

static bool take_value(const struct Driver *driver, const Property *property, JsonNode *value,
                       Properties *ret, GError **error)
{
    void *member = (char *)ret + property->member;
    GType type = JSON_NODE_HOLDS_VALUE(value) ? json_node_get_value_type(value) : G_TYPE_INVALID;

    if (type != (property->most ? G_TYPE_INT64 : G_TYPE_STRING)) {
        set_error(error, "Invalid parameter type for '%s', expected: %s", property->name,
                  property->most ? "integer" : "string");
        return false;
    }
    if (!property->most) {
        *(const char **)member = json_node_get_string(value);
        return true;
    }
    if (json_node_get_int(value) < 1 || json_node_get_int(value) > property->most) {
        set_error(error, "Property '%s.%s' must be from 1 to %u", driver->name, property->name,
                  property->most);
        return false;
    }
    *(unsigned *)member = (unsigned)json_node_get_int(value);
    return true;
}

/* What isn't for every device must be a property of this one. */
static bool take_properties(const struct Driver *driver, JsonObject *args, Properties *ret,
                            GError **error)
{
    g_autoptr(GList) names = json_object_get_members(args);

    for (GList *at = names; at; at = at->next) {
        const char *name = at->data;
        const Property *property = property_named(driver, name);
        JsonNode *value = json_object_get_member(args, name);
        if (g_strv_contains((const char *const[]){ "driver", "id", "bus", NULL }, name)) {
            continue;
        }
        if (!property) {
            set_error(error, "Property '%s.%s' not found", driver->name, name);
            return false;
        }
        if (!take_value(driver, property, value, ret, error)) {
            return false;
        }
    }
    for (const Property *property = driver->properties; property->name; property++) {
        if (property->required && !json_object_has_member(args, property->name)) {
            set_error(error, "Device needs property '%s'", property->name);
            return false;
        }
    }
    return true;
}

/* ---- making devices ---- */

static QmpDevice *lookup(const QmpPlug *plug, const char *id)
{
    for (unsigned i = 0; i < plug->devices->len; i++) {
        QmpDevice *device = g_ptr_array_index(plug->devices, i);
        if (!strcmp(device->id, id)) {
            return device;
        }
    }
    return NULL;
}

static void device_free(QmpDevice *device)
{
    network_free(device->network);
    if (device->node) {
        g_clear_pointer(&device->node->user, g_free);
    }
    if (device->netdev) {
        g_clear_pointer(&device->netdev->user, g_free);
    }
    g_free(device->id);
    g_free(device);
}

/* A file that nobody has opened as an image is a raw one. */
static bool open_as_raw(const Qmp *qmp, QmpNode *node, GError **error)
{
    const BlkOptions options = { .path = node->filename,
                                 .format = "raw",
                                 .read_only = node->read_only,
                                 .host = fd_sets_host(qmp->fds),
                                 .aio = vm_aio(qmp->vm) };

    if (!node->blk) {
        node->blk = blk_open(&options, error);
    }
    return node->blk != NULL;
}

static bool prepare_disk(const Qmp *qmp, QmpDevice *device, const Properties *said,
                         MachinePlug *plug, GError **error)
{
    QmpNode *node = qmp_node_find(qmp->plug, said->drive, error);

    if (node && node->user) {
        set_error(error, "Node '%s' is in use by '%s'", node->name, node->user);
        return false;
    }
    if (!node || !open_as_raw(qmp, node, error)) {
        return false;
    }
    device->node = node;
    node->user = g_strdup(device->id);
    plug->disk = (MachineDisk){ .blk = node->blk,
                                .serial = said->serial,
                                .queues = said->queues,
                                .on_write_error = DISK_ON_ERROR_STOP_IF_FULL };
    return true;
}

static bool parse_mac(const char *text, uint8_t mac[6], GError **error)
{
    unsigned bytes[6];
    int end = 0;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &bytes[0], &bytes[1], &bytes[2], &bytes[3],
               &bytes[4], &bytes[5], &end) != 6 ||
        text[end] || (bytes[0] & 1)) {
        set_error(error, "Property 'virtio-net-pci.mac' doesn't take value '%s'", text);
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)bytes[i];
    }
    return true;
}

static bool prepare_net(const Qmp *qmp, QmpDevice *device, const Properties *said,
                        MachinePlug *plug, GError **error)
{
    QmpNetdev *netdev = qmp_netdev_find(qmp->plug, said->netdev, error);
    uint32_t hash = g_str_hash(device->id);
    uint8_t mac[6] = {
        0x52, 0x54, 0x00, (uint8_t)(hash >> 16), (uint8_t)(hash >> 8), (uint8_t)hash
    };

    if (netdev && netdev->user) {
        set_error(error, "netdev '%s' is in use by '%s'", netdev->id, netdev->user);
        return false;
    }
    if (!netdev || (said->mac && !parse_mac(said->mac, mac, error))) {
        return false;
    }
    NetConfig config = netdev->config;
    if (config.kind == NET_TAP) {
        config.fd = fcntl(config.fd, F_DUPFD_CLOEXEC, 0);
    }
    device->network = network_new(&config, mac, vm_outside(qmp->vm), error);
    if (!device->network && config.kind == NET_TAP) {
        close(config.fd);
    }
    if (!device->network || !network_begin(device->network, error)) {
        return false;
    }
    device->netdev = netdev;
    netdev->user = g_strdup(device->id);
    plug->net = (MachineNet){ .port = network_port(device->network), .queues = 1 };
    memcpy(plug->net.mac, mac, sizeof(mac));
    return true;
}

static bool prepare(const Qmp *qmp, QmpDevice *device, const Properties *said, MachinePlug *plug,
                    GError **error)
{
    switch (plug->kind) {
    case MACHINE_PLUG_DISK:
        return prepare_disk(qmp, device, said, plug, error);
    case MACHINE_PLUG_NET:
        return prepare_net(qmp, device, said, plug, error);
    case MACHINE_PLUG_RNG:
        break;
    }
    return true;
}

static JsonNode *device_add(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *id = json_object_get_string_member(call->args, "id");
    const struct Driver *driver =
        driver_named(json_object_get_string_member(call->args, "driver"), error);
    Properties said = { 0 };

    if (!driver || !take_properties(driver, call->args, &said, error)) {
        return NULL;
    }
    if (!qmp_is_id(id) || lookup(qmp->plug, id) || machine_has_device(vm_machine(qmp->vm), id)) {
        set_error(error, qmp_is_id(id) ? "Duplicate device ID '%s'" : "Invalid id '%s'", id);
        return NULL;
    }
    QmpDevice *device = g_new0(QmpDevice, 1);
    device->id = g_strdup(id);
    MachinePlug plug = {
        .id = id,
        .bus = json_object_get_string_member_with_default(call->args, "bus", NULL),
        .kind = driver->kind,
    };
    if (prepare(qmp, device, &said, &plug, error) && vm_plug(qmp->vm, &plug, error)) {
        g_ptr_array_add(qmp->plug->devices, device);
    } else {
        device_free(device);
    }
    return NULL;
}

/* ---- taking them out ---- */

static const QmpType del_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "id", &qmp_str }, { 0 } },
};

static JsonNode *device_del(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *id = json_object_get_string_member(call->args, "id");
    Machine *machine = vm_machine(qmp->vm);

    if (!machine_has_device(machine, id)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    } else {
        machine_unplug(machine, id, error);
    }
    return NULL;
}

void qmp_device_gone(const Qmp *qmp, const char *id)
{
    QmpDevice *device = lookup(qmp->plug, id);
    JsonObject *data = json_object_new();
    g_autofree char *path = g_strconcat("/machine/peripheral/", id, NULL);

    if (device) {
        g_ptr_array_remove(qmp->plug->devices, device);
        device_free(device);
    }
    json_object_set_string_member(data, "device", id);
    json_object_set_string_member(data, "path", path);
    qmp_server_event(qmp->server, "DEVICE_DELETED", qmp_object_node(data));
}

const QmpCommand qmp_device_commands[] = {
    { "device_add", &add_args, NULL, false, device_add },
    { "device_del", &del_args, NULL, false, device_del },
    { 0 },
};

/* ---- life ---- */

static QmpNode *own_disk(const Qmp *qmp, unsigned index)
{
    const DiskConfig *disk = g_ptr_array_index(qmp->config->disks, index);
    QmpNode *node = g_new0(QmpNode, 1);

    node->stays = true;
    node->blk = g_ptr_array_index(vm_disks(qmp->vm), index);
    node->name = machine_disk_name(disk->cdrom ? MACHINE_CDROM : MACHINE_DISK_VIRTIO, index);
    node->user = g_strdup(node->name);
    node->filename = g_strdup(blk_path(node->blk));
    node->read_only = blk_read_only(node->blk);
    return node;
}

QmpPlug *qmp_plug_new(const Qmp *qmp)
{
    QmpPlug *plug = g_new0(QmpPlug, 1);

    plug->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)qmp_node_free);
    plug->netdevs = g_ptr_array_new_with_free_func((GDestroyNotify)qmp_netdev_free);
    plug->devices = g_ptr_array_new();
    for (unsigned i = 0; i < vm_disks(qmp->vm)->len; i++) {
        if (g_ptr_array_index(vm_disks(qmp->vm), i)) {
            g_ptr_array_add(plug->nodes, own_disk(qmp, i));
        }
    }
    return plug;
}

void qmp_plug_free(const Qmp *qmp, QmpPlug *plug)
{
    for (unsigned i = 0; i < plug->devices->len; i++) {
        QmpDevice *device = g_ptr_array_index(plug->devices, i);
        machine_pull(vm_machine(qmp->vm), device->id);
        device_free(device);
    }
    g_ptr_array_unref(plug->devices);
    qmp_tray_empty(qmp);
    /* images before the files that they are in, which were added first */
    for (unsigned i = plug->nodes->len; i > 0; i--) {
        g_ptr_array_remove_index(plug->nodes, i - 1);
    }
    g_ptr_array_unref(plug->nodes);
    g_ptr_array_unref(plug->netdevs);
    g_free(plug);
}
