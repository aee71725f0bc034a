/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain XML in and out, see domain.h.
 *
 * Threads: no state.
 * Read first: domain_tables.c.
 */
#include "config/domain.h"

#include "common/error.h"
#include "config/domain_device.h"
#include "config/domain_tables.h"

/* An alias that a person chose stays with the device. */
static const char user_alias[] = "ua-";

/* --- what only a running domain has --- */

static void forget_device(DomainDeviceKind kind, DomainDevice *device)
{
    if (device->alias && !g_str_has_prefix(device->alias->name, user_alias)) {
        xml_shape_free(&domain_alias_shape, g_steal_pointer(&device->alias));
    }
    if (kind == DOMAIN_DEVICE_GRAPHICS) {
        DomainGraphics *screen = (DomainGraphics *)device;
        screen->port.value = screen->autoport == SWITCH_ON ? -1 : screen->port.value;
    }
    if (kind == DOMAIN_DEVICE_SERIAL || kind == DOMAIN_DEVICE_CONSOLE) {
        DomainChar *port = (DomainChar *)device;
        if (port->type == DOMAIN_CHAR_PTY) {
            xml_shape_free(&domain_char_source_shape, g_steal_pointer(&port->source));
        }
    }
}

void domain_config_forget_life(DomainConfig *config)
{
    for (unsigned kind = 0; kind < DOMAIN_DEVICE_KINDS; kind++) {
        for (unsigned i = 0; i < domain_config_count(config, kind); i++) {
            forget_device((DomainDeviceKind)kind, domain_config_device(config, kind, i));
        }
    }
}

/* --- in and out --- */

DomainConfig *domain_config_parse(const char *xml, DomainParseFlags flags, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "domain", error);
    XmlContext context = { xml, flags & DOMAIN_PARSE_LIVE ? SHAPE_ALL : SHAPE_SECRET };
    g_autoptr(DomainConfig) config = xml_shape_new(&domain_shape);

    if (!root || !xml_shape_parse(&domain_shape, &context, root, config, error)) {
        return NULL;
    }
    if (!(flags & DOMAIN_PARSE_LIVE)) {
        domain_config_forget_life(config);
    }
    return g_steal_pointer(&config);
}

char *domain_config_format(const DomainConfig *config, unsigned flags)
{
    bool live = !(flags & (DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_MIGRATABLE));
    XmlContext context = { NULL, (live ? SHAPE_LIVE : 0U) |
                                     (flags & DOMAIN_FORMAT_SECURE ? SHAPE_SECRET : 0U) };
    g_autoptr(DomainConfig) copy = live ? NULL : domain_config_copy(config);
    XmlWriter *writer = xml_writer_new();

    if (copy) {
        domain_config_forget_life(copy);
    }
    xml_shape_format(&domain_shape, &context, writer, "domain", copy ? copy : config);
    return xml_writer_end(writer);
}

DomainConfig *domain_config_copy(const DomainConfig *config)
{
    return xml_shape_copy(&domain_shape, config);
}

void domain_config_free(DomainConfig *config)
{
    xml_shape_free(&domain_shape, config);
}
