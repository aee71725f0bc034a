/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a device is found: <address>.
 *
 * Which attributes there are depends on the type, and the same name has another base in another
 * type; so these are functions, where all else is tables.
 *
 * Threads: no state.
 */
#include <string.h>

#include "config/domain.h"
#include "config/domain_tables.h"

static const char *const types[] = { "",    "pci",         "drive", "usb", "virtio-serial",
                                     "isa", "virtio-mmio", NULL };

/* An attribute of one type of address. */
typedef struct Part {
    DomainAddressType type;
    const char *name;
    size_t offset;
    unsigned max;
    int width; /* of hexadecimal digits; 0: it is decimal */
} Part;

static const Part parts[] = {
    { DOMAIN_ADDRESS_PCI, "domain", offsetof(DomainAddress, domain), 0xffff, 4 },
    { DOMAIN_ADDRESS_PCI, "bus", offsetof(DomainAddress, bus), 0xff, 2 },
    { DOMAIN_ADDRESS_PCI, "slot", offsetof(DomainAddress, slot), 0x1f, 2 },
    { DOMAIN_ADDRESS_PCI, "function", offsetof(DomainAddress, function), 7, 1 },
    { DOMAIN_ADDRESS_DRIVE, "controller", offsetof(DomainAddress, controller), 255, 0 },
    { DOMAIN_ADDRESS_DRIVE, "bus", offsetof(DomainAddress, bus), 255, 0 },
    { DOMAIN_ADDRESS_DRIVE, "target", offsetof(DomainAddress, target), 255, 0 },
    { DOMAIN_ADDRESS_DRIVE, "unit", offsetof(DomainAddress, unit), 255, 0 },
    { DOMAIN_ADDRESS_USB, "bus", offsetof(DomainAddress, bus), 255, 0 },
    { DOMAIN_ADDRESS_VIRTIO_SERIAL, "controller", offsetof(DomainAddress, controller), 255, 0 },
    { DOMAIN_ADDRESS_VIRTIO_SERIAL, "bus", offsetof(DomainAddress, bus), 255, 0 },
    { DOMAIN_ADDRESS_ISA, "iobase", offsetof(DomainAddress, iobase), 0xffff, 1 },
    { DOMAIN_ADDRESS_ISA, "irq", offsetof(DomainAddress, irq), 15, 1 },
    { DOMAIN_ADDRESS_NONE, NULL },
};

static const char port_name[] = "port";

static const Part *find_part(DomainAddressType type, const char *name)
{
    for (unsigned i = 0; parts[i].name; i++) {
        if (parts[i].type == type && !strcmp(parts[i].name, name)) {
            return &parts[i];
        }
    }
    return NULL;
}

static bool has_port(DomainAddressType type)
{
    return type == DOMAIN_ADDRESS_USB || type == DOMAIN_ADDRESS_VIRTIO_SERIAL;
}

/* Numbers with dots between. */
static bool parse_port(const XmlNode *node, const char *value, DomainAddress *to, GError **error)
{
    size_t length = strspn(value, "0123456789.");

    if (!*value || value[length] || length >= DOMAIN_PORT_SIZE) {
        return xml_error(node, error, "attribute 'port' '%s' must be numbers with dots between",
                         value);
    }
    memcpy(to->port, value, length + 1);
    return true;
}

static bool parse_part(const XmlNode *node, const XmlAttribute *attribute, DomainAddress *to,
                       GError **error)
{
    const Part *part = find_part(to->type, attribute->name);
    uint64_t number = 0;

    if (!strcmp(attribute->name, "type")) {
        return true;
    }
    if (!strcmp(attribute->name, port_name) && has_port(to->type)) {
        return parse_port(node, attribute->value, to, error);
    }
    if (!strcmp(attribute->name, "multifunction") && to->type == DOMAIN_ADDRESS_PCI) {
        bool on = false;
        bool good = xml_get_on(node, "multifunction", XML_REQUIRED, &on, error);
        to->multifunction = on ? SWITCH_ON : SWITCH_OFF;
        return good;
    }
    if (!part) {
        return xml_unsupported(node, error, "unknown attribute '%s'", attribute->name);
    }
    if (!xml_number(attribute->value, part->max, &number)) {
        return xml_error(node, error, "attribute '%s' '%s' must be a number up to %u", part->name,
                         attribute->value, part->max);
    }
    *(unsigned *)((char *)to + part->offset) = (unsigned)number;
    return true;
}

static bool parse_address(const XmlContext *context, const XmlNode *node, void *member,
                          GError **error)
{
    DomainAddress address = { .type = DOMAIN_ADDRESS_NONE };
    unsigned type = 0;

    if (!xml_get_word(node, "type", XML_REQUIRED, types + 1, &type, error)) {
        return false;
    }
    if (node->children->len > 0 || xml_has_text(node)) {
        return xml_error(node, error, "it takes no content");
    }
    address.type = (DomainAddressType)(type + 1);
    for (unsigned i = 0; i < node->attributes->len; i++) {
        if (!parse_part(node, &g_array_index(node->attributes, XmlAttribute, i), &address, error)) {
            return false;
        }
    }
    if (has_port(address.type) && !address.port[0]) {
        return xml_error(node, error, "attribute 'port' is missing");
    }
    *(DomainAddress *)member = address;
    return true;
}

static void format_address(const XmlContext *context, XmlWriter *writer, const char *name,
                           const void *member)
{
    const DomainAddress *address = member;

    if (!address->type) {
        return;
    }
    xml_open(writer, name);
    xml_put(writer, "type", types[address->type]);
    for (unsigned i = 0; parts[i].name; i++) {
        unsigned value = *(const unsigned *)((const char *)address + parts[i].offset);
        if (parts[i].type == address->type && (value || address->type != DOMAIN_ADDRESS_ISA)) {
            if (parts[i].width) {
                xml_put_format(writer, parts[i].name, "0x%0*x", parts[i].width, value);
            } else {
                xml_put_number(writer, parts[i].name, value);
            }
        }
    }
    if (has_port(address->type)) {
        xml_put(writer, port_name, address->port);
    }
    if (address->multifunction) {
        xml_put(writer, "multifunction", address->multifunction == SWITCH_ON ? "on" : "off");
    }
    xml_close(writer, name);
}

const XmlCustom domain_address_custom = { sizeof(DomainAddress), parse_address, format_address };
