/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes of devices that carry data: disks, controllers, networks, see domain_tables.h.
 *
 * Threads: constant.
 */
#include "config/domain_tables.h"

#include "config/domain.h"

static bool check_disk(const XmlNode *node, const void *what, GError **error);
static bool check_interface(const XmlNode *node, const void *what, GError **error);
static bool check_range(const XmlNode *node, const void *what, GError **error);

/* --- what any device has --- */

static const XmlRow domain_order_rows[] = {
    { ROW_ATTRIBUTE, "order", ROW_NUMBER, offsetof(DomainOrder, order), .flags = ROW_REQUIRED,
      .min = 1, .max = 999 },
    { ROW_ATTRIBUTE, "loadparm", ROW_KEPT, 0 },
    { 0 },
};
const XmlShape domain_order_shape = { sizeof(DomainOrder), domain_order_rows };

static const XmlRow domain_alias_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainAlias, name), .flags = ROW_REQUIRED },
    { 0 },
};
const XmlShape domain_alias_shape = { sizeof(DomainAlias), domain_alias_rows };

/* --- disks --- */

static const char *const disk_types[] = { "", "file", "volume", NULL };
static const char *const disk_kinds[] = { "", "disk", "cdrom", NULL };
static const char *const disk_buses[] = { "", "virtio", "sata", NULL };
static const char *const disk_caches[] = { "",          "default",    "none",   "writethrough",
                                           "writeback", "directsync", "unsafe", NULL };
static const char *const disk_discards[] = { "", "unmap", "ignore", NULL };
static const char *const disk_zeroes[] = { "", "off", "on", "unmap", NULL };
static const char *const disk_errors[] = { "", "stop", "report", "ignore", "enospace", NULL };
static const char *const disk_snapshots[] = { "", "no", "internal", "external", NULL };
static const char *const disk_trays[] = { "", "closed", "open", NULL };

static const XmlRow driver_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainDiskDriver, name),
      .note = "any; the program is Insula's" },
    { ROW_ATTRIBUTE, "type", ROW_TEXT, offsetof(DomainDiskDriver, type), .note = "the format" },
    { ROW_ATTRIBUTE, "cache", ROW_WORD, offsetof(DomainDiskDriver, cache), .words = disk_caches },
    { ROW_ATTRIBUTE, "error_policy", ROW_WORD, offsetof(DomainDiskDriver, error_policy),
      .words = disk_errors },
    { ROW_ATTRIBUTE, "rerror_policy", ROW_WORD, offsetof(DomainDiskDriver, rerror_policy),
      .words = disk_errors },
    { ROW_ATTRIBUTE, "io", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "ioeventfd", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "event_idx", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "copy_on_read", ROW_REFUSED, 0,
      .note = "there is no copying into an overlay while reading" },
    { ROW_ATTRIBUTE, "discard", ROW_WORD, offsetof(DomainDiskDriver, discard),
      .words = disk_discards },
    { ROW_ATTRIBUTE, "detect_zeroes", ROW_WORD, offsetof(DomainDiskDriver, detect_zeroes),
      .words = disk_zeroes },
    { ROW_ATTRIBUTE, "iothread", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "queues", ROW_NUMBER, offsetof(DomainDiskDriver, queues), .min = 1,
      .max = 256 },
    { ROW_ATTRIBUTE, "queue_size", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "discard_no_unref", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "iommu", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "ats", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "packed", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "page_per_vq", ROW_KEPT, 0 },
    { ROW_ELEMENT, "metadata_cache", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape driver_shape = { sizeof(DomainDiskDriver), driver_rows };

static const XmlRow source_rows[] = {
    { ROW_ATTRIBUTE, "file", ROW_TEXT, offsetof(DomainDiskSource, file) },
    { ROW_ATTRIBUTE, "pool", ROW_TEXT, offsetof(DomainDiskSource, pool) },
    { ROW_ATTRIBUTE, "volume", ROW_TEXT, offsetof(DomainDiskSource, volume) },
    { ROW_ATTRIBUTE, "startupPolicy", ROW_TEXT, offsetof(DomainDiskSource, startup_policy) },
    { ROW_ATTRIBUTE, "index", ROW_NUMBER, offsetof(DomainDiskSource, index), .flags = ROW_LIVE },
    { ROW_ATTRIBUTE, "mode", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "dev", ROW_REFUSED, 0, .note = "disks are files or volumes" },
    { ROW_ATTRIBUTE, "dir", ROW_REFUSED, 0, .note = "disks are files or volumes" },
    { ROW_ATTRIBUTE, "protocol", ROW_REFUSED, 0, .note = "disks are files or volumes" },
    { ROW_ATTRIBUTE, "name", ROW_REFUSED, 0, .note = "disks are files or volumes" },
    { ROW_ELEMENT, "seclabel", ROW_KEPT, 0 },
    { ROW_ELEMENT, "encryption", ROW_REFUSED, 0, .note = "there are no encrypted disks" },
    { ROW_ELEMENT, "reservations", ROW_REFUSED, 0,
      .note = "there are no locks beside Insula's own" },
    { ROW_ELEMENT, "slices", ROW_REFUSED, 0, .note = "there is no part of an image" },
    { 0 },
};
static const XmlShape source_shape = { sizeof(DomainDiskSource), source_rows };

static const XmlRow target_rows[] = {
    { ROW_ATTRIBUTE, "dev", ROW_TEXT, offsetof(DomainDiskTarget, dev), .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "bus", ROW_WORD, offsetof(DomainDiskTarget, bus), .words = disk_buses },
    { ROW_ATTRIBUTE, "tray", ROW_WORD, offsetof(DomainDiskTarget, tray), .words = disk_trays },
    { ROW_ATTRIBUTE, "removable", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "rotation_rate", ROW_REFUSED, 0, .note = "there are no such disks" },
    { 0 },
};
static const XmlShape target_shape = { sizeof(DomainDiskTarget), target_rows };

static const XmlRow domain_disk_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainDisk, type), .words = disk_types },
    { ROW_ATTRIBUTE, "device", ROW_WORD, offsetof(DomainDisk, kind), .words = disk_kinds },
    { ROW_ATTRIBUTE, "model", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "rawio", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "sgio", ROW_REFUSED, 0, .note = "there is no SCSI" },
    { ROW_ATTRIBUTE, "snapshot", ROW_WORD, offsetof(DomainDisk, snapshot),
      .words = disk_snapshots },
    { ROW_ELEMENT, "driver", ROW_ONE, offsetof(DomainDisk, driver), .shape = &driver_shape },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(DomainDisk, source), .shape = &source_shape },
    { ROW_ELEMENT, "auth", ROW_REFUSED, 0, .note = "disks are files" },
    { ROW_ELEMENT, "backingStore", ROW_KEPT, 0, .note = "the chain is read from the images" },
    { ROW_ELEMENT, "geometry", ROW_REFUSED, 0,
      .note = "disks have one geometry, and sectors of their format" },
    { ROW_ELEMENT, "blockio", ROW_REFUSED, 0,
      .note = "disks have one geometry, and sectors of their format" },
    { ROW_ELEMENT, "mirror", ROW_KEPT, 0, .flags = ROW_LIVE },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainDisk, target), .shape = &target_shape,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "iotune", ROW_REFUSED, 0, .note = "there are no limits of disks yet" },
    { ROW_ELEMENT, "throttlefilters", ROW_REFUSED, 0, .note = "there are no limits of disks yet" },
    { ROW_ELEMENT, "readonly", ROW_FLAG, offsetof(DomainDisk, readonly) },
    { ROW_ELEMENT, "shareable", ROW_FLAG, offsetof(DomainDisk, shareable) },
    { ROW_ELEMENT, "transient", ROW_REFUSED, 0, .note = "make an overlay instead" },
    { ROW_ELEMENT, "serial", ROW_REFUSED, 0, .note = "disks have serial numbers of their own" },
    { ROW_ELEMENT, "wwn", ROW_REFUSED, 0, .note = "disks have serial numbers of their own" },
    { ROW_ELEMENT, "vendor", ROW_REFUSED, 0, .note = "disks have serial numbers of their own" },
    { ROW_ELEMENT, "product", ROW_REFUSED, 0, .note = "disks have serial numbers of their own" },
    { ROW_ELEMENT, "encryption", ROW_REFUSED, 0, .note = "there are no encrypted disks" },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_disk_shape = { sizeof(DomainDisk), domain_disk_rows, .check = check_disk };

/* --- controllers --- */

static const char *const controller_types[] = { "", "pci", "sata", "usb", "virtio-serial", NULL };

static const XmlRow controller_model_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainControllerModel, name) },
    { 0 },
};
static const XmlShape controller_model_shape = { sizeof(DomainControllerModel),
                                                 controller_model_rows };

static const XmlRow controller_target_rows[] = {
    { ROW_ATTRIBUTE, "chassisNr", ROW_KEPT },
    { ROW_ATTRIBUTE, "chassis", ROW_NUMBER, offsetof(DomainControllerTarget, chassis), .max = 255 },
    { ROW_ATTRIBUTE, "port", ROW_TEXT, offsetof(DomainControllerTarget, port) },
    { ROW_ATTRIBUTE, "busNr", ROW_KEPT },
    { ROW_ATTRIBUTE, "hotplug", ROW_KEPT },
    { ROW_ELEMENT, "node", ROW_REFUSED, 0, .note = "there is one node of memory" },
    { 0 },
};
static const XmlShape controller_target_shape = { sizeof(DomainControllerTarget),
                                                  controller_target_rows };

static const XmlRow domain_controller_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainController, type), .words = controller_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "index", ROW_NUMBER, offsetof(DomainController, index), .min = 0, .max = 255 },
    { ROW_ATTRIBUTE, "model", ROW_TEXT, offsetof(DomainController, model) },
    { ROW_ATTRIBUTE, "ports", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "vectors", ROW_KEPT, 0 },
    { ROW_ELEMENT, "driver", ROW_KEPT, 0, .note = "the board has its own" },
    { ROW_ELEMENT, "model", ROW_ONE, offsetof(DomainController, model_name),
      .shape = &controller_model_shape },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainController, target),
      .shape = &controller_target_shape, .note = "kept: the board has four ports" },
    { ROW_ELEMENT, "pcihole64", ROW_KEPT, 0, .note = "the board has its own" },
    { ROW_ELEMENT, "master", ROW_KEPT, 0, .note = "the board has its own" },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_controller_shape = { sizeof(DomainController), domain_controller_rows };

/* --- network interfaces --- */

static const char *const interface_types[] = { "", "network", "user", NULL };
static const char *const nic_models[] = { "", "virtio", "e1000e", NULL };
static const char *const link_states[] = { "", "up", "down", NULL };
static const char *const protocols[] = { "", "tcp", "udp", NULL };

static const XmlRow mac_rows[] = {
    { ROW_ATTRIBUTE, "address", ROW_MAC, offsetof(DomainInterfaceMac, address),
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "type", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "check", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape mac_shape = { sizeof(DomainInterfaceMac), mac_rows };

static const XmlRow nic_source_rows[] = {
    { ROW_ATTRIBUTE, "network", ROW_TEXT, offsetof(DomainInterfaceSource, network) },
    { ROW_ATTRIBUTE, "portid", ROW_TEXT, offsetof(DomainInterfaceSource, portid),
      .flags = ROW_LIVE },
    { ROW_ATTRIBUTE, "bridge", ROW_TEXT, offsetof(DomainInterfaceSource, bridge),
      .flags = ROW_LIVE },
    { ROW_ATTRIBUTE, "portgroup", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "dev", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape nic_source_shape = { sizeof(DomainInterfaceSource), nic_source_rows };

static const XmlRow nic_target_rows[] = {
    { ROW_ATTRIBUTE, "dev", ROW_TEXT, offsetof(DomainInterfaceTarget, dev), .flags = ROW_LIVE },
    { ROW_ATTRIBUTE, "managed", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape nic_target_shape = { sizeof(DomainInterfaceTarget), nic_target_rows };

static const XmlRow nic_model_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainInterfaceModel, type), .words = nic_models },
    { 0 },
};
static const XmlShape nic_model_shape = { sizeof(DomainInterfaceModel), nic_model_rows };

static const XmlRow link_rows[] = {
    { ROW_ATTRIBUTE, "state", ROW_WORD, offsetof(DomainInterfaceLink, state), .words = link_states,
      .flags = ROW_REQUIRED },
    { 0 },
};
static const XmlShape link_shape = { sizeof(DomainInterfaceLink), link_rows };

static const XmlRow mtu_rows[] = {
    { ROW_ATTRIBUTE, "size", ROW_NUMBER, offsetof(DomainInterfaceMtu, size), .flags = ROW_REQUIRED,
      .min = 68, .max = 65535 },
    { 0 },
};
static const XmlShape mtu_shape = { sizeof(DomainInterfaceMtu), mtu_rows };

static const XmlRow nic_driver_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainInterfaceDriver, name) },
    { ROW_ATTRIBUTE, "txmode", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "ioeventfd", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "event_idx", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "queues", ROW_NUMBER, offsetof(DomainInterfaceDriver, queues), .min = 1,
      .max = 256 },
    { ROW_ATTRIBUTE, "rx_queue_size", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "tx_queue_size", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "rss", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "rss_hash_report", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "iommu", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "ats", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "packed", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "page_per_vq", ROW_KEPT, 0 },
    { ROW_ELEMENT, "host", ROW_KEPT, 0 },
    { ROW_ELEMENT, "guest", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape nic_driver_shape = { sizeof(DomainInterfaceDriver), nic_driver_rows };

static const XmlRow range_rows[] = {
    { ROW_ATTRIBUTE, "start", ROW_NUMBER, offsetof(DomainPortRange, start), .flags = ROW_REQUIRED,
      .min = 1, .max = 65535 },
    { ROW_ATTRIBUTE, "end", ROW_NUMBER, offsetof(DomainPortRange, end), .min = 1, .max = 65535 },
    { ROW_ATTRIBUTE, "to", ROW_NUMBER, offsetof(DomainPortRange, to), .min = 1, .max = 65535 },
    { ROW_ATTRIBUTE, "exclude", ROW_REFUSED, 0, .note = "leave the port out instead" },
    { 0 },
};
static const XmlShape range_shape = { sizeof(DomainPortRange), range_rows, .check = check_range };

static const XmlRow forward_rows[] = {
    { ROW_ATTRIBUTE, "proto", ROW_WORD, offsetof(DomainPortForward, protocol), .words = protocols,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "address", ROW_TEXT, offsetof(DomainPortForward, address) },
    { ROW_ATTRIBUTE, "dev", ROW_REFUSED, 0, .note = "name an address instead" },
    { ROW_ELEMENT, "range", ROW_MANY, offsetof(DomainPortForward, ranges), .shape = &range_shape },
    { 0 },
};
static const XmlShape forward_shape = { sizeof(DomainPortForward), forward_rows };

static const XmlRow domain_interface_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainInterface, type), .words = interface_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "trustGuestRxFilters", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "managed", ROW_REFUSED, 0, .note = "there is none" },
    { ROW_ELEMENT, "mac", ROW_ONE, offsetof(DomainInterface, mac), .shape = &mac_shape },
    { ROW_ELEMENT, "virtualport", ROW_REFUSED, 0, .note = "there are no such ports" },
    { ROW_ELEMENT, "vlan", ROW_REFUSED, 0, .note = "there are no such ports" },
    { ROW_ELEMENT, "teaming", ROW_REFUSED, 0, .note = "there are no such ports" },
    { ROW_ELEMENT, "bandwidth", ROW_REFUSED, 0, .note = "there are no limits of networks yet" },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(DomainInterface, source),
      .shape = &nic_source_shape },
    { ROW_ELEMENT, "ip", ROW_REFUSED, 0, .note = "the network gives the guest its addresses" },
    { ROW_ELEMENT, "route", ROW_REFUSED, 0, .note = "the network gives the guest its addresses" },
    { ROW_ELEMENT, "portForward", ROW_MANY, offsetof(DomainInterface, forwards),
      .shape = &forward_shape },
    { ROW_ELEMENT, "script", ROW_REFUSED, 0, .note = "scripts are not run" },
    { ROW_ELEMENT, "downscript", ROW_REFUSED, 0, .note = "scripts are not run" },
    { ROW_ELEMENT, "backenddomain", ROW_REFUSED, 0, .note = "there are no such domains" },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainInterface, target),
      .shape = &nic_target_shape },
    { ROW_ELEMENT, "guest", ROW_REFUSED, 0, .note = "the guest names its interfaces" },
    { ROW_ELEMENT, "model", ROW_ONE, offsetof(DomainInterface, model), .shape = &nic_model_shape },
    { ROW_ELEMENT, "driver", ROW_ONE, offsetof(DomainInterface, driver),
      .shape = &nic_driver_shape },
    { ROW_ELEMENT, "backend", ROW_KEPT, 0 },
    { ROW_ELEMENT, "filterref", ROW_REFUSED, 0, .note = "there are no network filters" },
    { ROW_ELEMENT, "tune", ROW_KEPT, 0 },
    { ROW_ELEMENT, "link", ROW_ONE, offsetof(DomainInterface, link), .shape = &link_shape },
    { ROW_ELEMENT, "mtu", ROW_ONE, offsetof(DomainInterface, mtu), .shape = &mtu_shape },
    { ROW_ELEMENT, "coalesce", ROW_KEPT, 0 },
    { ROW_ELEMENT, "port", ROW_KEPT, 0 },
    { ROW_ELEMENT, "rom", ROW_REFUSED, 0, .note = "ROMs are the board's" },
    { ROW_ELEMENT, "acpi", ROW_REFUSED, 0, .note = "there is no ACPI index" },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_interface_shape = { sizeof(DomainInterface), domain_interface_rows,
                                          .check = check_interface };

/* --- what one row can't say --- */

static bool check_disk(const XmlNode *node, const void *what, GError **error)
{
    const DomainDisk *disk = what;
    const DomainDiskSource *from = disk->source;
    bool volume = disk->type == DOMAIN_DISK_TYPE_VOLUME;
    bool file = from && from->file;
    bool pool = from && (from->pool || from->volume);
    bool is_cdrom = disk->kind == DOMAIN_DISK_KIND_CDROM;

    if (is_cdrom && disk->target->bus == DOMAIN_DISK_BUS_VIRTIO) {
        return xml_unsupported(node, error, "CD-ROM drives are on bus 'sata'");
    }
    if (volume ? file || (pool && !(from->pool && from->volume)) : pool) {
        return xml_error(node, error,
                         volume ? "its source must have a pool and a volume"
                                : "its source must be a file");
    }
    if (!is_cdrom && !file && !pool) {
        return xml_error(node, error, "it has no source: name one with <source file='PATH'/>");
    }
    return true;
}

static bool check_range(const XmlNode *node, const void *what, GError **error)
{
    const DomainPortRange *range = what;
    int64_t end = range->end.said ? range->end.value : range->start.value;
    int64_t to = range->to.said ? range->to.value : range->start.value;

    if (end < range->start.value || to + end - range->start.value > UINT16_MAX) {
        return xml_error(node, error, "its ports end before they start, or beyond 65535");
    }
    return true;
}

static bool check_interface(const XmlNode *node, const void *what, GError **error)
{
    const DomainInterface *nic = what;

    if (nic->type == DOMAIN_INTERFACE_NETWORK && !(nic->source && nic->source->network)) {
        return xml_error(node, error, "it names no network: <source network='default'/>");
    }
    return true;
}
