/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of a domain, see domain_devices.h.
 */
#include "manager/domain_devices.h"

#include <string.h>

#include "config/domain_device.h"
#include "config/identity.h"
#include "manager/domain_words.h"

const char *domain_alias(const DomainDevice *device)
{
    return device->alias && device->alias->name ? device->alias->name : "";
}

const char *domain_disk_file(const DomainDisk *disk)
{
    return disk->source ? disk->source->file : NULL;
}

bool domain_is_plugged(const Domain *domain, const DomainDevice *device)
{
    return domain->plugged && g_ptr_array_find_with_equal_func(
                                  domain->plugged, domain_alias(device), g_str_equal, NULL);
}

char *domain_disk_vm_name(const Domain *domain, unsigned index)
{
    const DomainDisk *disk = domain->live->disks->pdata[index];

    return domain_is_plugged(domain, &disk->device) ? g_strdup(domain_alias(&disk->device))
                                                    : domain_words_disk(domain->live, index);
}

char *domain_interface_vm_name(const Domain *domain, unsigned index)
{
    const DomainInterface *card = domain->live->interfaces->pdata[index];

    return domain_is_plugged(domain, &card->device) ? g_strdup(domain_alias(&card->device))
                                                    : domain_words_interface(index);
}

const DomainDisk *domain_disk_of_vm(const Domain *domain, const char *name)
{
    for (unsigned i = 0; i < domain->live->disks->len; i++) {
        g_autofree char *known = domain_disk_vm_name(domain, i);
        if (!strcmp(known, name)) {
            return domain->live->disks->pdata[i];
        }
    }
    return NULL;
}

DomainDisk *domain_disk_named(const DomainConfig *config, const char *name, unsigned *ret_index)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        DomainDisk *disk = config->disks->pdata[i];
        if (!strcmp(disk->target->dev, name) || !g_strcmp0(domain_disk_file(disk), name)) {
            *ret_index = i;
            return disk;
        }
    }
    return NULL;
}

DomainInterface *domain_interface_named(const DomainConfig *config, const char *name,
                                        unsigned *ret_index)
{
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        DomainInterface *card = config->interfaces->pdata[i];
        g_autofree char *mac = mac_format(card->mac->address.bytes);
        if (!g_ascii_strcasecmp(mac, name) ||
            (card->target && !g_strcmp0(card->target->dev, name))) {
            *ret_index = i;
            return card;
        }
    }
    return NULL;
}

char *domain_device_gone(Domain *domain, const char *name)
{
    static const DomainDeviceKind kinds[] = { DOMAIN_DEVICE_DISK, DOMAIN_DEVICE_INTERFACE,
                                              DOMAIN_DEVICE_RNG };
    guint at;

    if (!g_ptr_array_find_with_equal_func(domain->plugged, name, g_str_equal, &at)) {
        return NULL; /* what was there from the start stays */
    }
    char *alias = g_strdup(domain->plugged->pdata[at]);
    g_ptr_array_remove_index(domain->plugged, at);
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (unsigned k = domain_config_count(domain->live, kinds[i]); k > 0; k--) {
            if (!strcmp(domain_alias(domain_config_device(domain->live, kinds[i], k - 1)), alias)) {
                domain_config_remove(domain->live, kinds[i], k - 1);
            }
        }
    }
    g_cond_broadcast(&domain->changed);
    domain_keep_live(domain);
    return alias;
}

DomainConfig *domain_config_now(Domain *domain, bool inactive)
{
    g_mutex_lock(&domain->mutex);
    const DomainConfig *config = inactive && domain->config ? domain->config
                                 : domain->live             ? domain->live
                                                            : domain->config;
    DomainConfig *copy = domain_config_copy(config);
    g_mutex_unlock(&domain->mutex);
    return copy;
}

void domain_name_interfaces(DomainConfig *live, int32_t id)
{
    enum { NAMES_EACH = 16 }; /* more than a machine has slots for */

    for (unsigned i = 0; i < live->interfaces->len; i++) {
        DomainInterface *card = live->interfaces->pdata[i];

        if (!card->target) {
            card->target = g_new0(DomainInterfaceTarget, 1);
        }
        if (!card->target->dev) {
            card->target->dev =
                g_strdup_printf("vnet%" G_GINT64_FORMAT, ((int64_t)id - 1) * NAMES_EACH + i);
        }
    }
}

char *domain_xml(Domain *domain, unsigned flags)
{
    g_mutex_lock(&domain->mutex);
    bool live = domain->live && !(flags & DOMAIN_FORMAT_INACTIVE && domain->config);
    if (live) {
        domain->live->id = (XmlNumber){ .said = true, .value = domain->id };
    }
    char *xml = domain_config_format(live ? domain->live : domain->config,
                                     live ? flags : flags | DOMAIN_FORMAT_INACTIVE);
    g_mutex_unlock(&domain->mutex);
    return xml;
}

char *domain_nvram(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    const DomainConfig *config = domain->config ? domain->config : domain->live;
    const DomainNvram *nvram = config ? config->os->nvram : NULL;
    char *path = nvram ? g_strdup(nvram->path) : NULL;
    g_mutex_unlock(&domain->mutex);
    return path;
}

unsigned domain_vcpus(const DomainConfig *config, bool maximum)
{
    const DomainVcpu *vcpu = config->vcpu;

    return (unsigned)(!maximum && vcpu->current.said ? vcpu->current.value : vcpu->count.value);
}
