/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One device of a domain at a time: reading the XML of one, and finding, adding and taking away
 * those of a DomainConfig.
 *
 * Threads: no state.
 * Read first: config/domain.h.
 */
#pragma once

#include "config/domain.h"

typedef enum DomainDeviceKind {
    DOMAIN_DEVICE_DISK, /* a DomainDisk, and so on */
    DOMAIN_DEVICE_CONTROLLER,
    DOMAIN_DEVICE_INTERFACE,
    DOMAIN_DEVICE_SERIAL, /* a DomainChar */
    DOMAIN_DEVICE_CONSOLE,
    DOMAIN_DEVICE_CHANNEL,
    DOMAIN_DEVICE_INPUT,
    DOMAIN_DEVICE_GRAPHICS,
    DOMAIN_DEVICE_SOUND, /* a DomainOther */
    DOMAIN_DEVICE_VIDEO,
    DOMAIN_DEVICE_REDIRDEV,
    DOMAIN_DEVICE_HUB,
    DOMAIN_DEVICE_WATCHDOG,
    DOMAIN_DEVICE_BALLOON, /* there is one at most */
    DOMAIN_DEVICE_RNG,
    DOMAIN_DEVICE_PANIC,
    DOMAIN_DEVICE_KINDS,
} DomainDeviceKind;

/* The element that says such a device: "disk". */
const char *domain_device_name(DomainDeviceKind kind);

/* Read the XML of one device, as it is given for attaching, detaching and updating.  Its struct
 * begins with the DomainDevice; free with domain_device_free().  Fails as domain_config_parse(). */
DomainDevice *domain_device_parse(const char *xml, DomainParseFlags flags,
                                  DomainDeviceKind *ret_kind, GError **error);
char *domain_device_format(DomainDeviceKind kind, const DomainDevice *device, unsigned flags);
DomainDevice *domain_device_copy(DomainDeviceKind kind, const DomainDevice *device);
void domain_device_free(DomainDeviceKind kind, DomainDevice *device);

/* How many devices of a kind there are, and the one at @index. */
unsigned domain_config_count(const DomainConfig *config, DomainDeviceKind kind);
DomainDevice *domain_config_device(const DomainConfig *config, DomainDeviceKind kind,
                                   unsigned index);

/* The place of the device that @like means: a disk by its target, an interface by its MAC address
 * (or by its address, if it says that alone), others by alias, address or all that they say.
 * -1: there is none. */
int domain_config_find(const DomainConfig *config, DomainDeviceKind kind, const DomainDevice *like);
/* The device of alias @alias; NULL: there is none. */
DomainDevice *domain_config_find_alias(const DomainConfig *config, const char *alias,
                                       DomainDeviceKind *ret_kind);

/* Add @device (takes ownership, also on failure), which must not be there yet.  Call
 * domain_config_complete() behind it. */
bool domain_config_add(DomainConfig *config, DomainDeviceKind kind, DomainDevice *device,
                       GError **error);
/* Put @device (takes ownership) in the place of the one at @index, whose alias and address it gets
 * if it says none. */
void domain_config_replace(DomainConfig *config, DomainDeviceKind kind, unsigned index,
                           DomainDevice *device);
/* Take away and free the device at @index. */
void domain_config_remove(DomainConfig *config, DomainDeviceKind kind, unsigned index);
