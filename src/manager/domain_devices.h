/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of a domain: by the names that clients use, and those that the VM uses.
 *
 * Threads: any, with the domain's lock unless they say otherwise.
 */
#pragma once

#include "manager/domain.h"

/* The alias of a live device, or "". */
const char *domain_alias(const DomainDevice *device);
/* Where a disk's file is; NULL: nowhere. */
const char *domain_disk_file(const DomainDisk *disk);
/* Whether a device came while the domain ran. */
bool domain_is_plugged(const Domain *domain, const DomainDevice *device);

/* How the VM calls disk or interface @index of .live.  Newly allocated. */
char *domain_disk_vm_name(const Domain *domain, unsigned index);
char *domain_interface_vm_name(const Domain *domain, unsigned index);
/* The live disk that the VM calls @name, or NULL. */
const DomainDisk *domain_disk_of_vm(const Domain *domain, const char *name);
/* The disk of @config with target or file @name, or NULL. */
DomainDisk *domain_disk_named(const DomainConfig *config, const char *name, unsigned *ret_index);
/* The interface of @config with target device or MAC @name, or NULL. */
DomainInterface *domain_interface_named(const DomainConfig *config, const char *name,
                                        unsigned *ret_index);
/* The VM has let go of what it calls @name: it is out of .live.  Its alias (newly allocated), or
 * NULL. */
char *domain_device_gone(Domain *domain, const char *name);

/* Without the lock. */

/* Its XML, by the flags of GET_XML_DESC.  Newly allocated. */
char *domain_xml(Domain *domain, unsigned flags);
/* The file of its UEFI variables, or NULL.  Newly allocated. */
char *domain_nvram(Domain *domain);
/* Give the interfaces of @live, of domain @id, names that clients ask for statistics by. */
void domain_name_interfaces(DomainConfig *live, int32_t id);
/* How many vCPUs it has, or may have. */
unsigned domain_vcpus(const DomainConfig *config, bool maximum);
/* A copy of what runs, or (@inactive, or it doesn't run) of what is defined. */
DomainConfig *domain_config_now(Domain *domain, bool inactive);
