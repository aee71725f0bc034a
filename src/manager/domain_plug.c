/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that come and go while a domain runs, see domain_plug.h.
 */
#include "manager/domain_plug.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config/identity.h"
#include "manager/domain_devices.h"

enum { UNPLUG_WAIT_S = 5 }; /* as long as libvirt's clients expect */

static JsonObject *with_text(JsonObject *object, const char *name, const char *value)
{
    json_object_set_string_member(object, name, value);
    return object;
}

/* ---- files ---- */

/* Pass @file; the name by which the VM can open it (newly allocated), and the number of its set. */
static char *pass_file(Domain *domain, const char *file, bool read_only, int64_t *ret_set,
                       GError **error)
{
    g_autoptr(Monitor) monitor = domain_monitor(domain, error);
    int fd = monitor ? open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK) : -1;

    if (monitor && fd < 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: cannot open '%s': %s", file, g_strerror(errno));
    }
    if (fd < 0) {
        return NULL;
    }
    g_autoptr(JsonNode) node =
        monitor_command(monitor, "add-fd", NULL, fd, MONITOR_COMMAND_MS, error);
    close(fd); /* a copy here would keep the image's lock */
    int64_t set = node && JSON_NODE_HOLDS_OBJECT(node)
                      ? monitor_number(json_node_get_object(node), "fdset-id", -1)
                      : -1;
    if (set < 0) {
        return NULL;
    }
    *ret_set = set;
    return g_strdup_printf("/dev/fdset/%" G_GINT64_FORMAT, set);
}

/* The VM keeps what it has opened of the set. */
static void forget_file(Domain *domain, int64_t set)
{
    JsonObject *args = json_object_new();

    json_object_set_int_member(args, "fdset-id", set);
    domain_do(domain, "remove-fd", args, NULL);
}

/* ---- disks ---- */

static bool add_node(Domain *domain, const DomainDisk *disk, const char *name, GError **error)
{
    const char *format = disk->driver && disk->driver->type ? disk->driver->type : "raw";
    JsonObject *file = with_text(json_object_new(), "driver", "file");
    JsonObject *node = with_text(json_object_new(), "driver", format);

    with_text(file, "filename", name);
    with_text(node, "node-name", domain_alias(&disk->device));
    json_object_set_boolean_member(node, "read-only", disk->readonly);
    json_object_set_object_member(node, "file", file);
    if (disk->driver && disk->driver->discard == DOMAIN_DISK_DISCARD_UNMAP) {
        with_text(node, "discard", "unmap");
    }
    return domain_do(domain, "blockdev-add", node, error);
}

static void delete_node(Domain *domain, const char *alias)
{
    domain_do(domain, "blockdev-del", with_text(json_object_new(), "node-name", alias), NULL);
}

static JsonObject *device_args(const char *driver, const DomainDevice *device)
{
    return with_text(with_text(json_object_new(), "driver", driver), "id", domain_alias(device));
}

static bool plug_disk(Domain *domain, const DomainDisk *disk, GError **error)
{
    const char *file = domain_disk_file(disk);
    int64_t set = -1;

    if (disk->kind == DOMAIN_DISK_KIND_CDROM || disk->target->bus != DOMAIN_DISK_BUS_VIRTIO ||
        !file) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: disk bus of '%s' cannot be hotplugged; use bus "
                         "virtio",
                         disk->target->dev);
        return false;
    }
    g_autofree char *name = pass_file(domain, file, disk->readonly, &set, error);
    if (!name) {
        return false;
    }
    bool good = add_node(domain, disk, name, error);
    forget_file(domain, set);
    if (!good) {
        return false;
    }
    JsonObject *args = device_args("virtio-blk-pci", &disk->device);
    good = domain_do(domain, "device_add", with_text(args, "drive", domain_alias(&disk->device)),
                     error);
    if (!good) {
        delete_node(domain, domain_alias(&disk->device));
    }
    return good;
}

/* ---- the others ---- */

static char *netdev_name(const DomainDevice *device)
{
    return g_strconcat("host", domain_alias(device), NULL);
}

static void delete_netdev(Domain *domain, const DomainDevice *device)
{
    g_autofree char *id = netdev_name(device);

    domain_do(domain, "netdev_del", with_text(json_object_new(), "id", id), NULL);
}

static bool plug_interface(Domain *domain, const DomainInterface *card, GError **error)
{
    g_autofree char *id = netdev_name(&card->device);
    g_autofree char *mac = mac_format(card->mac->address.bytes);

    if (card->model && card->model->type == DOMAIN_NIC_E1000E) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: interface model e1000e cannot be hotplugged; "
                         "use virtio");
        return false;
    }
    if (card->forwards->len) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: portForward cannot be hotplugged");
        return false;
    }
    JsonObject *netdev = with_text(with_text(json_object_new(), "type", "user"), "id", id);
    if (!domain_do(domain, "netdev_add", netdev, error)) {
        return false;
    }
    JsonObject *args = device_args("virtio-net-pci", &card->device);
    bool good = domain_do(domain, "device_add",
                          with_text(with_text(args, "netdev", id), "mac", mac), error);
    if (!good) {
        delete_netdev(domain, &card->device);
    }
    return good;
}

static bool unsupported(DomainDeviceKind kind, const char *what, GError **error)
{
    remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                     "Operation not supported: live %s of device '%s' is not supported", what,
                     domain_device_name(kind));
    return false;
}

bool domain_plug(Domain *domain, DomainDeviceKind kind, const DomainDevice *device, GError **error)
{
    switch (kind) {
    case DOMAIN_DEVICE_DISK:
        return plug_disk(domain, (const DomainDisk *)device, error);
    case DOMAIN_DEVICE_INTERFACE:
        return plug_interface(domain, (const DomainInterface *)device, error);
    case DOMAIN_DEVICE_RNG:
        return domain_do(domain, "device_add", device_args("virtio-rng-pci", device), error);
    default:
        return unsupported(kind, "attach", error);
    }
}

/* Wait until the guest has let go of @alias. */
static bool wait_gone(Domain *domain, const char *alias)
{
    int64_t until_us = g_get_monotonic_time() + UNPLUG_WAIT_S * G_TIME_SPAN_SECOND;
    bool there = true, late = false;

    g_mutex_lock(&domain->mutex);
    while (there && !late) {
        there = domain->live &&
                g_ptr_array_find_with_equal_func(domain->plugged, alias, g_str_equal, NULL);
        late = there && !g_cond_wait_until(&domain->changed, &domain->mutex, until_us);
    }
    g_mutex_unlock(&domain->mutex);
    return !there;
}

bool domain_unplug(Domain *domain, DomainDeviceKind kind, const DomainDevice *device,
                   GError **error)
{
    g_autofree char *alias = g_strdup(domain_alias(device));

    if (kind != DOMAIN_DEVICE_DISK && kind != DOMAIN_DEVICE_INTERFACE &&
        kind != DOMAIN_DEVICE_RNG) {
        return unsupported(kind, "detach", error);
    }
    g_mutex_lock(&domain->mutex);
    bool plugged = domain_is_plugged(domain, device);
    g_mutex_unlock(&domain->mutex);
    if (!plugged) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: device '%s' has been there since the start and "
                         "cannot be unplugged; use --config",
                         alias);
        return false;
    }
    if (!domain_do(domain, "device_del", with_text(json_object_new(), "id", alias), error)) {
        return false;
    }
    if (wait_gone(domain, alias)) { /* else its back end stays until the VM ends */
        if (kind == DOMAIN_DEVICE_DISK) {
            delete_node(domain, alias);
        } else if (kind == DOMAIN_DEVICE_INTERFACE) {
            delete_netdev(domain, device);
        }
    }
    return true;
}

bool domain_change_medium(Domain *domain, const char *drive, const char *file, const char *format,
                          GError **error)
{
    JsonObject *args = with_text(json_object_new(), "id", drive);
    int64_t set = -1;

    if (!file) {
        json_object_set_boolean_member(args, "force", TRUE);
        return domain_do(domain, "eject", args, error);
    }
    g_autofree char *name = pass_file(domain, file, true, &set, error);
    if (!name) {
        json_object_unref(args);
        return false;
    }
    with_text(args, "filename", name);
    with_text(args, "format", format);
    json_object_set_boolean_member(args, "force", TRUE);
    bool good = domain_do(domain, "blockdev-change-medium", args, error);
    forget_file(domain, set);
    return good;
}
