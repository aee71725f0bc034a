/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that change what a domain consists of: devices, memory, vCPUs, metadata; and that ask for
 * what there is no way to change.
 *
 * Each change is of what runs, of what is defined, or of both, as the call's flags say.
 *
 * Threads: workers.
 * Read first: manager/domain_plug.h.
 */
#include <string.h>

#include "config/identity.h"
#include "manager/domain_devices.h"
#include "manager/domain_find.h"
#include "manager/domain_plug.h"
#include "manager/domain_start.h"
#include "manager/domains.h"

enum { AFFECT_LIVE = 1, AFFECT_CONFIG = 2, AFFECT_MAXIMUM = 4 };

/* What a change is of: *@ret_flags are AFFECT_LIVE, AFFECT_CONFIG or both, with the job. */
static bool begin_change(Domain *domain, unsigned flags, unsigned *ret_flags, GError **error)
{
    if (!domain_begin(domain, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool active = domain->live != NULL, persistent = domain->config != NULL;
    g_mutex_unlock(&domain->mutex);
    unsigned affected = flags & (AFFECT_LIVE | AFFECT_CONFIG);
    affected = affected ? affected : active ? AFFECT_LIVE : AFFECT_CONFIG;
    const char *problem = affected & AFFECT_LIVE && !active ? "domain is not running"
                          : affected & AFFECT_CONFIG && !persistent
                              ? "transient domains do not have any persistent config"
                              : NULL;
    if (problem) {
        domain_end(domain);
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: %s", problem);
        return false;
    }
    *ret_flags = affected;
    return true;
}

/* Make @config (takes ownership) the definition of @domain. */
static bool redefine(Domain *domain, DomainConfig *config, GError **error)
{
    g_mutex_lock(&domain->mutex);
    bool good = domain_keep_config(domain, config, error);
    if (good) {
        DomainConfig *old = domain->config;
        domain->config = config;
        config = old;
    }
    g_mutex_unlock(&domain->mutex);
    domain_config_free(config);
    return good;
}

/* ---- devices ---- */

/* One device, and what is done with it. */
typedef struct Change {
    Domain *domain;
    DomainDeviceKind kind;
    DomainDevice *device; /* as the client says it */
} Change;

static bool no_device(const Change *change, GError **error)
{
    remote_error_set(error, REMOTE_ERR_DEVICE_MISSING, "device not found: no such %s in the domain",
                     domain_device_name(change->kind));
    return false;
}

/* A definition with the change in it is checked as a whole. */
static bool complete(Change *change, DomainConfig *config, GError **error)
{
    return domain_complete(change->domain->domains, config, error);
}

static bool attach_config(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, true);
    DomainDevice *copy = domain_device_copy(change->kind, change->device);

    if (!domain_config_add(config, change->kind, copy, error) || !complete(change, config, error)) {
        return false;
    }
    return redefine(change->domain, g_steal_pointer(&config), error);
}

static bool detach_config(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, true);
    int index = domain_config_find(config, change->kind, change->device);

    if (index < 0) {
        return no_device(change, error);
    }
    domain_config_remove(config, change->kind, (unsigned)index);
    return redefine(change->domain, g_steal_pointer(&config), error);
}

static bool update_config(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, true);
    int index = domain_config_find(config, change->kind, change->device);

    if (index < 0) {
        return no_device(change, error);
    }
    domain_config_replace(config, change->kind, (unsigned)index,
                          domain_device_copy(change->kind, change->device));
    return complete(change, config, error) &&
           redefine(change->domain, g_steal_pointer(&config), error);
}

/* @config (takes ownership) is what runs now; @added is a device that came (NULL: none). */
static void note_live(Domain *domain, DomainConfig *config, const char *added)
{
    g_mutex_lock(&domain->mutex);
    if (domain->live) {
        DomainConfig *old = domain->live;
        domain->live = config;
        config = old;
        if (added) {
            const RemoteDomainDeviceAddedMsg message = { .dom = domain_remote(domain),
                                                         .dev_alias = (char *)(uintptr_t)added };
            g_ptr_array_add(domain->plugged, g_strdup(added));
            domain_raise(domain, REMOTE_EVENT_DOMAIN_DEVICE_ADDED, &message);
        }
        domain_keep_live(domain);
    }
    g_mutex_unlock(&domain->mutex);
    domain_config_free(config);
}

static bool attach_live(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, false);
    DomainDevice *copy = domain_device_copy(change->kind, change->device);

    if (!domain_config_add(config, change->kind, copy, error) || !complete(change, config, error)) {
        return false;
    }
    domain_config_enliven(config);
    domain_name_interfaces(config, change->domain->id);
    int index = domain_config_find(config, change->kind, change->device);
    DomainDevice *device =
        index < 0 ? NULL : domain_config_device(config, change->kind, (unsigned)index);
    if (!device || !domain_plug(change->domain, change->kind, device, error)) {
        return false;
    }
    g_autofree char *alias = g_strdup(domain_alias(device));
    note_live(change->domain, g_steal_pointer(&config), alias);
    return true;
}

static bool detach_live(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, false);
    int index = domain_config_find(config, change->kind, change->device);

    return index < 0
               ? no_device(change, error)
               : domain_unplug(change->domain, change->kind,
                               domain_config_device(config, change->kind, (unsigned)index), error);
}

/* Of what runs, the disc in a drive can be another. */
static bool update_live(Change *change, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(change->domain, false);
    int index = domain_config_find(config, change->kind, change->device);
    const DomainDisk *disk = (const DomainDisk *)change->device;

    if (index < 0) {
        return no_device(change, error);
    }
    const DomainDisk *old =
        (const DomainDisk *)domain_config_device(config, change->kind, (unsigned)index);
    if (change->kind != DOMAIN_DEVICE_DISK || old->kind != DOMAIN_DISK_KIND_CDROM) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: live update of device '%s' is not supported; "
                         "use --config",
                         domain_device_name(change->kind));
        return false;
    }
    g_mutex_lock(&change->domain->mutex);
    g_autofree char *drive =
        change->domain->live ? domain_disk_vm_name(change->domain, (unsigned)index) : g_strdup("");
    g_mutex_unlock(&change->domain->mutex);
    const char *format = disk->driver && disk->driver->type ? disk->driver->type : "raw";
    if (!domain_change_medium(change->domain, drive, domain_disk_file(disk), format, error)) {
        return false;
    }
    domain_config_replace(config, change->kind, (unsigned)index,
                          domain_device_copy(change->kind, change->device));
    note_live(change->domain, g_steal_pointer(&config), NULL);
    return true;
}

typedef bool (*ChangeFn)(Change *change, GError **error);

/* The live part first: it can fail for more reasons. */
static bool change_device(Call *call, const void *args, const char *xml, unsigned flags,
                          const ChangeFn run[2], GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    Change change = { .domain = domain };
    unsigned affected = 0;

    change.device =
        domain ? domain_device_parse(xml, DOMAIN_PARSE_INACTIVE, &change.kind, error) : NULL;
    if (!change.device) {
        return false;
    }
    bool good = begin_change(domain, flags, &affected, error);
    if (good) {
        good = (!(affected & AFFECT_LIVE) || run[0](&change, error)) &&
               (!(affected & AFFECT_CONFIG) || run[1](&change, error));
        domain_end(domain);
    }
    domain_device_free(change.kind, change.device);
    return good;
}

static const ChangeFn attaching[] = { attach_live, attach_config };
static const ChangeFn detaching[] = { detach_live, detach_config };
static const ChangeFn updating[] = { update_live, update_config };

static bool attach(Call *call, const void *args, void *ret, GError **error)
{
    return change_device(call, args, ((const RemoteDomainAttachDeviceArgs *)args)->xml, AFFECT_LIVE,
                         attaching, error);
}

static bool attach_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainAttachDeviceFlagsArgs *in = args;

    return call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG, error) &&
           change_device(call, args, in->xml, in->flags, attaching, error);
}

static bool detach(Call *call, const void *args, void *ret, GError **error)
{
    return change_device(call, args, ((const RemoteDomainDetachDeviceArgs *)args)->xml, AFFECT_LIVE,
                         detaching, error);
}

static bool detach_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainDetachDeviceFlagsArgs *in = args;

    return call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG, error) &&
           change_device(call, args, in->xml, in->flags, detaching, error);
}

static bool update_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainUpdateDeviceFlagsArgs *in = args;
    enum { FORCE = 4 };

    return call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG | FORCE, error) &&
           change_device(call, args, in->xml, in->flags, updating, error);
}

static bool block_resize(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainBlockResizeArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    enum { IN_BYTES = 1 };
    unsigned index = 0;

    if (!domain || !call_flags(in->flags, IN_BYTES, error) || !domain_begin_active(domain, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool known = domain->live && domain_disk_named(domain->live, in->disk, &index);
    g_autofree char *name = known ? domain_disk_vm_name(domain, index) : NULL;
    g_mutex_unlock(&domain->mutex);
    uint64_t size = in->flags & IN_BYTES ? in->size : in->size * 1024;
    bool good = false;
    if (!known || size > INT64_MAX) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: disk '%s' was not found in the domain config",
                         in->disk);
    } else {
        JsonObject *words = json_object_new();
        json_object_set_string_member(words, "node-name", name);
        json_object_set_int_member(words, "size", (gint64)size);
        good = domain_do(domain, "block_resize", words, error);
    }
    domain_end(domain);
    return good;
}

/* ---- memory and vCPUs ---- */

static bool set_balloon(Domain *domain, uint64_t bytes, GError **error)
{
    JsonObject *words = json_object_new();

    json_object_set_int_member(words, "value", (gint64)bytes);
    return domain_do(domain, "balloon", words, error);
}

static bool memory_config(Domain *domain, uint64_t bytes, bool maximum, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(domain, true);

    if (maximum) {
        config->memory = bytes;
        config->current_memory = MIN(config->current_memory, bytes);
    } else {
        config->current_memory = bytes;
    }
    return domain_complete(domain->domains, config, error) &&
           redefine(domain, g_steal_pointer(&config), error);
}

static bool memory_live(Domain *domain, uint64_t bytes, bool maximum, GError **error)
{
    if (maximum) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: cannot resize the maximum memory on an "
                         "active domain");
        return false;
    }
    return set_balloon(domain, bytes, error);
}

static bool set_memory(Call *call, const void *args, uint64_t kib, unsigned flags, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    bool maximum = flags & AFFECT_MAXIMUM;
    unsigned affected = 0;

    if (!domain || !call_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | AFFECT_MAXIMUM, error)) {
        return false;
    }
    if (kib == 0 || kib > (UINT64_C(1) << 40)) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: so much memory can't be");
        return false;
    }
    if (!begin_change(domain, flags, &affected, error)) {
        return false;
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, !(affected & AFFECT_LIVE));
    bool good = maximum || kib <= config->memory / 1024;
    if (!good) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: cannot set memory higher than max memory");
    }
    good = good && (!(affected & AFFECT_LIVE) || memory_live(domain, kib * 1024, maximum, error)) &&
           (!(affected & AFFECT_CONFIG) || memory_config(domain, kib * 1024, maximum, error));
    domain_end(domain);
    return good;
}

static bool set_memory_plain(Call *call, const void *args, void *ret, GError **error)
{
    return set_memory(call, args, ((const RemoteDomainSetMemoryArgs *)args)->memory, AFFECT_LIVE,
                      error);
}

static bool set_max_memory(Call *call, const void *args, void *ret, GError **error)
{
    return set_memory(call, args, ((const RemoteDomainSetMaxMemoryArgs *)args)->memory,
                      AFFECT_MAXIMUM, error);
}

static bool set_memory_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSetMemoryFlagsArgs *in = args;

    return set_memory(call, args, in->memory, in->flags, error);
}

static bool get_max_memory(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_autoptr(DomainConfig) config = domain_config_now(domain, false);
        ((RemoteDomainGetMaxMemoryRet *)ret)->memory = config->memory / 1024;
    }
    return domain != NULL;
}

static bool stats_period(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSetMemoryStatsPeriodArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    JsonObject *words;
    unsigned affected = 0;
    bool good = true;

    if (!domain || !call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG, error) ||
        !begin_change(domain, in->flags, &affected, error)) {
        return false;
    }
    if (affected & AFFECT_LIVE) {
        words = json_object_new();
        json_object_set_string_member(words, "path", "/machine/peripheral/balloon0");
        json_object_set_string_member(words, "property", "guest-stats-polling-interval");
        json_object_set_int_member(words, "value", in->period);
        good = domain_do(domain, "qom-set", words, error);
    }
    domain_end(domain);
    return good;
}

static bool set_vcpus(Call *call, const void *args, unsigned n, unsigned flags, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);
    unsigned affected = 0;

    if (!domain || !call_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | AFFECT_MAXIMUM, error) ||
        !begin_change(domain, flags, &affected, error)) {
        return false;
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, !(affected & AFFECT_LIVE));
    bool good = false;
    if (affected & AFFECT_LIVE && n != domain_vcpus(config, flags & AFFECT_MAXIMUM)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: vCPUs cannot be plugged in; use --config");
    } else if (!n || (!(flags & AFFECT_MAXIMUM) && n > domain_vcpus(config, true))) {
        remote_error_set(
            error, REMOTE_ERR_INVALID_ARG,
            "invalid argument: requested vcpus is greater than max allowable vcpus for "
            "the domain: %u > %u",
            n, domain_vcpus(config, true));
    } else if (affected & AFFECT_CONFIG) {
        g_autoptr(DomainConfig) defined = domain_config_now(domain, true);
        if (flags & AFFECT_MAXIMUM) {
            defined->vcpu->count.value = n;
            defined->vcpu->current.value = MIN(defined->vcpu->current.value, (int64_t)n);
        } else {
            defined->vcpu->current = (XmlNumber){ true, n };
        }
        good = domain_complete(domain->domains, defined, error) &&
               redefine(domain, g_steal_pointer(&defined), error);
    } else {
        good = true;
    }
    domain_end(domain);
    return good;
}

static bool set_vcpus_plain(Call *call, const void *args, void *ret, GError **error)
{
    return set_vcpus(call, args, ((const RemoteDomainSetVcpusArgs *)args)->nvcpus, AFFECT_LIVE,
                     error);
}

static bool set_vcpus_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSetVcpusFlagsArgs *in = args;

    return set_vcpus(call, args, in->nvcpus, in->flags, error);
}

static bool get_vcpus_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetVcpusFlagsArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG | AFFECT_MAXIMUM, error)) {
        return false;
    }
    if (in->flags & AFFECT_LIVE && !domain_is_active(domain)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
        return false;
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, in->flags & AFFECT_CONFIG);
    ((RemoteDomainGetVcpusFlagsRet *)ret)->num =
        (int32_t)domain_vcpus(config, in->flags & AFFECT_MAXIMUM);
    return true;
}

static bool get_max_vcpus(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_autoptr(DomainConfig) config = domain_config_now(domain, false);
        ((RemoteDomainGetMaxVcpusRet *)ret)->num = (int32_t)domain_vcpus(config, true);
    }
    return domain != NULL;
}

/* ---- metadata ---- */

enum { METADATA_DESCRIPTION, METADATA_TITLE, METADATA_ELEMENT };

static void replace_text(char **field, const char *value)
{
    g_free(*field);
    *field = value && *value ? g_strdup(value) : NULL;
}

static bool change_metadata(DomainConfig *config, const RemoteDomainSetMetadataArgs *in,
                            GError **error)
{
    switch (in->type) {
    case METADATA_DESCRIPTION:
        replace_text(&config->description, in->metadata);
        return true;
    case METADATA_TITLE:
        if (in->metadata && strchr(in->metadata, '\n')) {
            remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                             "invalid argument: Domain title can't contain newlines");
            return false;
        }
        replace_text(&config->title, in->metadata);
        return true;
    case METADATA_ELEMENT:
        if (!in->uri || (in->metadata && !in->key)) {
            break;
        }
        return domain_config_set_metadata(config, in->key, in->uri, in->metadata, error);
    }
    remote_error_set(error, REMOTE_ERR_INVALID_ARG, "invalid argument: unknown metadata type");
    return false;
}

static void tell_metadata(Domain *domain, const RemoteDomainSetMetadataArgs *in)
{
    g_mutex_lock(&domain->mutex);
    const RemoteDomainMetadataChangeMsg message = { .dom = domain_remote(domain),
                                                    .type = in->type,
                                                    .nsuri = in->uri };
    domain_raise(domain, REMOTE_EVENT_DOMAIN_METADATA_CHANGE, &message);
    g_mutex_unlock(&domain->mutex);
}

static bool set_metadata(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSetMetadataArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    unsigned affected = 0;

    if (!domain || !call_flags(in->flags, AFFECT_LIVE | AFFECT_CONFIG, error) ||
        !begin_change(domain, in->flags, &affected, error)) {
        return false;
    }
    bool good = true;
    if (affected & AFFECT_LIVE) {
        g_autoptr(DomainConfig) live = domain_config_now(domain, false);
        good = change_metadata(live, in, error);
        if (good) {
            note_live(domain, g_steal_pointer(&live), NULL);
        }
    }
    if (good && affected & AFFECT_CONFIG) {
        g_autoptr(DomainConfig) config = domain_config_now(domain, true);
        good =
            change_metadata(config, in, error) && redefine(domain, g_steal_pointer(&config), error);
    }
    domain_end(domain);
    if (good) {
        tell_metadata(domain, in);
    }
    return good;
}

static bool get_metadata(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetMetadataArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    char *text = NULL;

    if (!domain) {
        return false;
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, in->flags & AFFECT_CONFIG);
    if (in->type == METADATA_DESCRIPTION) {
        text = g_strdup(config->description);
    } else if (in->type == METADATA_TITLE) {
        text = g_strdup(config->title);
    } else if (in->type == METADATA_ELEMENT && in->uri) {
        text = domain_config_metadata(config, in->uri);
    }
    if (!text) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN_METADATA,
                         "metadata not found: Requested metadata element is not present");
        return false;
    }
    ((RemoteDomainGetMetadataRet *)ret)->metadata = text;
    return true;
}

/* ---- addresses ---- */

enum { ADDRESSES_LEASE, ADDRESSES_AGENT, ADDRESSES_ARP };

/* A user network has one guest, to which its DHCP server gives one address. */
static void fill_interface(const DomainInterface *card, RemoteDomainInterface *ret)
{
    ret->name = g_strdup(card->target && card->target->dev ? card->target->dev : "");
    ret->hwaddr = mac_format(card->mac->address.bytes);
    ret->addrs = g_new0(RemoteInterfaceAddress, 1);
    ret->n_addrs = 1;
    ret->addrs[0] = (RemoteInterfaceAddress){ .addr = g_strdup("10.0.2.15"), .prefix = 24 };
}

static bool interface_addresses(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainInterfaceAddressesArgs *in = args;
    RemoteDomainInterfaceAddressesRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(in->flags, 0, error)) {
        return false;
    }
    if (!domain_is_active(domain)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
        return false;
    }
    if (in->source == ADDRESSES_AGENT) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                         "argument unsupported: QEMU guest agent is not configured");
        return false;
    }
    if (in->source != ADDRESSES_LEASE) {
        return true; /* no guest is the host's neighbour */
    }
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    out->ifaces = g_new0(RemoteDomainInterface, config->interfaces->len);
    out->n_ifaces = config->interfaces->len;
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        fill_interface(config->interfaces->pdata[i], &out->ifaces[i]);
    }
    return true;
}

const CallRow domain_device_calls[] = {
    { REMOTE_PROC_DOMAIN_ATTACH_DEVICE, attach },
    { REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, attach_flags },
    { REMOTE_PROC_DOMAIN_BLOCK_RESIZE, block_resize },
    { REMOTE_PROC_DOMAIN_DETACH_DEVICE, detach },
    { REMOTE_PROC_DOMAIN_DETACH_DEVICE_FLAGS, detach_flags },
    { REMOTE_PROC_DOMAIN_GET_MAX_MEMORY, get_max_memory },
    { REMOTE_PROC_DOMAIN_GET_MAX_VCPUS, get_max_vcpus },
    { REMOTE_PROC_DOMAIN_GET_METADATA, get_metadata },
    { REMOTE_PROC_DOMAIN_GET_VCPUS_FLAGS, get_vcpus_flags },
    { REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES, interface_addresses },
    { REMOTE_PROC_DOMAIN_SET_MAX_MEMORY, set_max_memory },
    { REMOTE_PROC_DOMAIN_SET_MEMORY, set_memory_plain },
    { REMOTE_PROC_DOMAIN_SET_MEMORY_FLAGS, set_memory_flags },
    { REMOTE_PROC_DOMAIN_SET_MEMORY_STATS_PERIOD, stats_period },
    { REMOTE_PROC_DOMAIN_SET_METADATA, set_metadata },
    { REMOTE_PROC_DOMAIN_SET_VCPUS, set_vcpus_plain },
    { REMOTE_PROC_DOMAIN_SET_VCPUS_FLAGS, set_vcpus_flags },
    { REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, update_flags },
    { 0 },
};
