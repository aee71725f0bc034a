/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of domains: looking them up, listing and defining them, their life and state.
 *
 * Threads: workers.
 * Read first: manager/domain.h, manager/dispatch.h.
 */
#include <string.h>
#include <unistd.h>

#include "config/identity.h"
#include "manager/dispatch.h"
#include "manager/domain_devices.h"
#include "manager/domain_find.h"
#include "manager/domain_life.h"
#include "manager/domain_save.h"
#include "manager/domain_snapshot.h"
#include "manager/domain_start.h"
#include "manager/domains.h"
#include "manager/store.h"

static Domains *domains_of(const Call *call)
{
    return call_daemon(call)->domains;
}

Domain *call_domain(const Call *call, const void *args, GError **error)
{
    return domains_find(domains_of(call), args, error); /* whose first member it is */
}

bool call_flags(unsigned flags, unsigned known, GError **error)
{
    if (flags & ~known) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED, "unsupported flags (0x%x)",
                         flags & ~known);
    }
    return !(flags & ~known);
}

/* ---- looking up ---- */

static bool reply_domain(Domain *domain, RemoteDomain *ret)
{
    if (domain) {
        domain_reply(domain, ret);
        domain_unref(domain);
    }
    return domain != NULL;
}

static bool lookup_by_name(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainLookupByNameArgs *in = args;
    RemoteDomainLookupByNameRet *out = ret;

    return reply_domain(domains_find_name(domains_of(call), in->name, error), &out->dom);
}

static bool lookup_by_uuid(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainLookupByUuidArgs *in = args;
    RemoteDomainLookupByUuidRet *out = ret;

    return reply_domain(domains_find_uuid(domains_of(call), in->uuid, error), &out->dom);
}

static bool lookup_by_id(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainLookupByIdArgs *in = args;
    RemoteDomainLookupByIdRet *out = ret;

    return reply_domain(domains_find_id(domains_of(call), in->id, error), &out->dom);
}

/* ---- lists ---- */

/* Pairs of flags of a list: a domain has one bit of each group. */
static unsigned bits_of(Domain *domain)
{
    g_autofree char *save = domain_path_managed_save(domain);
    bool saved = access(save, F_OK) == 0, snapshots = domain_n_snapshots(domain) > 0;
    unsigned state;

    g_mutex_lock(&domain->mutex);
    switch (domain->state) {
    case DOMAIN_RUNNING:
        state = 16;
        break;
    case DOMAIN_PAUSED:
        state = 32;
        break;
    case DOMAIN_SHUTOFF:
        state = 64;
        break;
    default:
        state = 128;
        break;
    }
    unsigned bits = state | (domain->live ? 1 : 2) | (domain->config ? 4 : 8) |
                    (saved ? 256 : 512) | (domain->autostart ? 1024 : 2048) |
                    (snapshots ? 4096 : 8192) | 32768; /* and no checkpoint */
    g_mutex_unlock(&domain->mutex);
    return bits;
}

bool domain_matches(Domain *domain, unsigned flags)
{
    static const unsigned groups[] = { 1 | 2,       4 | 8,       16 | 32 | 64 | 128, 256 | 512,
                                       1024 | 2048, 4096 | 8192, 16384 | 32768 };
    unsigned bits = bits_of(domain);

    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        if ((flags & groups[i]) && !(flags & groups[i] & bits)) {
            return false;
        }
    }
    return true;
}

/* Those that match, and whose objects the caller frees. */
static GPtrArray *matching(const Call *call, unsigned flags)
{
    GPtrArray *list = domains_list(domains_of(call));

    for (unsigned i = list->len; flags && i > 0; i--) {
        if (!domain_matches(list->pdata[i - 1], flags)) {
            g_ptr_array_remove_index(list, i - 1);
        }
    }
    return list;
}

static bool list_all(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListAllDomainsArgs *in = args;
    RemoteConnectListAllDomainsRet *out = ret;
    g_autoptr(GPtrArray) list = matching(call, in->flags);

    out->ret = list->len;
    if (in->need_results) {
        out->domains = g_new0(RemoteDomain, list->len);
        out->n_domains = list->len;
        for (unsigned i = 0; i < list->len; i++) {
            domain_reply(list->pdata[i], &out->domains[i]);
        }
    }
    return true;
}

static bool num_active(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(GPtrArray) list = matching(call, 1);

    ((RemoteConnectNumOfDomainsRet *)ret)->num = (int32_t)list->len;
    return true;
}

static bool num_inactive(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(GPtrArray) list = matching(call, 2);

    ((RemoteConnectNumOfDefinedDomainsRet *)ret)->num = (int32_t)list->len;
    return true;
}

static bool list_ids(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListDomainsArgs *in = args;
    RemoteConnectListDomainsRet *out = ret;
    g_autoptr(GPtrArray) list = matching(call, 1);

    out->ids = g_new0(int32_t, list->len);
    for (unsigned i = 0; i < list->len && (int32_t)i < in->maxids; i++) {
        RemoteDomain remote;
        domain_reply(list->pdata[i], &remote);
        out->ids[out->n_ids++] = remote.id;
        g_free(remote.name);
    }
    return true;
}

static bool list_inactive(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListDefinedDomainsArgs *in = args;
    RemoteConnectListDefinedDomainsRet *out = ret;
    g_autoptr(GPtrArray) list = matching(call, 2);

    out->names = g_new0(char *, list->len);
    for (unsigned i = 0; i < list->len && (int32_t)i < in->maxnames; i++) {
        out->names[out->n_names++] = domain_name(list->pdata[i]);
    }
    return true;
}

/* ---- definitions ---- */

static bool define(Call *call, const char *xml, RemoteDomain *ret, GError **error)
{
    DomainConfig *config = domain_read_xml(domains_of(call), xml, error);

    return config && reply_domain(domains_define(domains_of(call), config, error), ret);
}

static bool define_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainDefineXmlArgs *in = args;

    return define(call, in->xml, &((RemoteDomainDefineXmlRet *)ret)->dom, error);
}

static bool define_xml_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainDefineXmlFlagsArgs *in = args;

    return call_flags(in->flags, 1, error) && /* validate: what isn't known is always refused */
           define(call, in->xml, &((RemoteDomainDefineXmlFlagsRet *)ret)->dom, error);
}

enum {
    UNDEFINE_MANAGED_SAVE = 1,
    UNDEFINE_SNAPSHOTS = 2,
    UNDEFINE_NVRAM = 4,
    UNDEFINE_KEEP_NVRAM = 8,
    UNDEFINE_CHECKPOINTS = 16,
    UNDEFINE_TPM = 32,
    UNDEFINE_KEEP_TPM = 64,
    UNDEFINE_ALL = 127,
};

static bool refuse_undefine(const char *what, const char *remedy, GError **error)
{
    remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                     "Requested operation is not valid: %s; %s", what, remedy);
    return false;
}

/* What is in the way of undefining is removed, if @flags say so. */
static bool clear_way(Domain *domain, unsigned flags, GError **error)
{
    g_autofree char *save = domain_path_managed_save(domain);
    g_autofree char *nvram = domain_nvram(domain);
    bool has_nvram = nvram && access(nvram, F_OK) == 0;

    if (access(save, F_OK) == 0 && !(flags & UNDEFINE_MANAGED_SAVE)) {
        return refuse_undefine("domain has a managed save image", "remove it with --managed-save",
                               error);
    }
    if (!domain_is_active(domain) && domain_n_snapshots(domain) && !(flags & UNDEFINE_SNAPSHOTS)) {
        return refuse_undefine("cannot delete inactive domain with snapshots",
                               "say --snapshots-metadata", error);
    }
    if (has_nvram && !(flags & (UNDEFINE_NVRAM | UNDEFINE_KEEP_NVRAM))) {
        return refuse_undefine("cannot undefine domain with nvram",
                               "say --nvram to delete it or --keep-nvram", error);
    }
    return store_remove(save, error) &&
           (!(flags & UNDEFINE_SNAPSHOTS) || domain_forget_snapshots(domain, error)) &&
           (!has_nvram || !(flags & UNDEFINE_NVRAM) || store_remove(nvram, error));
}

static bool undefine(Call *call, const void *args, unsigned flags, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !call_flags(flags, UNDEFINE_ALL, error) || !domain_begin(domain, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool transient = !domain->config;
    g_mutex_unlock(&domain->mutex);
    bool good = false;
    if (transient) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: cannot undefine transient domain");
    } else {
        good = clear_way(domain, flags, error) && domains_undefine(domains_of(call), domain, error);
    }
    domain_end(domain);
    return good;
}

static bool undefine_plain(Call *call, const void *args, void *ret, GError **error)
{
    return undefine(call, args, 0, error);
}

static bool undefine_flags(Call *call, const void *args, void *ret, GError **error)
{
    return undefine(call, args, ((const RemoteDomainUndefineFlagsArgs *)args)->flags, error);
}

static bool rename_domain(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainRenameArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    bool good = false;

    if (!domain || !call_flags(in->flags, 0, error) || !domain_begin_inactive(domain, error)) {
        return false;
    }
    if (!in->new_name) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG, "invalid argument: a name is missing");
    } else if (domain_n_snapshots(domain)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: cannot rename domain with snapshots");
    } else {
        good = domains_rename(domains_of(call), domain, in->new_name, error);
    }
    domain_end(domain);
    return good;
}

static bool get_autostart(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_mutex_lock(&domain->mutex);
        ((RemoteDomainGetAutostartRet *)ret)->autostart = domain->autostart;
        g_mutex_unlock(&domain->mutex);
    }
    return domain != NULL;
}

/* With the lock. */
static bool change_autostart(Domain *domain, bool on, GError **error)
{
    g_autofree char *path = domain_path_autostart(domain);
    g_autofree char *config = domain_path_config(domain);

    if (!domain->config) {
        remote_error_set(
            error, REMOTE_ERR_OPERATION_INVALID,
            "Requested operation is not valid: cannot set autostart for transient domain");
        return false;
    }
    bool good = on ? store_write(path, config, error) : store_remove(path, error);
    domain->autostart = good ? on : domain->autostart;
    return good;
}

static bool set_autostart(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSetAutostartArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !domain_begin(domain, error)) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool good = change_autostart(domain, in->autostart != 0, error);
    g_mutex_unlock(&domain->mutex);
    domain_end(domain);
    return good;
}

/* ---- begin and end ---- */

static bool create(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    return domain && domain_start(domain, 0, error);
}

static bool create_with_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainCreateWithFlagsArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !domain_start(domain, in->flags, error)) {
        return false;
    }
    domain_reply(domain, &((RemoteDomainCreateWithFlagsRet *)ret)->dom);
    return true;
}

static bool create_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainCreateXmlArgs *in = args;
    const DomainStart start = { .paused = in->flags & DOMAIN_START_PAUSED,
                                .state = -1,
                                .reason = RUNNING_BOOTED };

    if (!call_flags(in->flags, DOMAIN_START_PAUSED | DOMAIN_START_VALIDATE, error)) {
        return false;
    }
    DomainConfig *config = domain_read_xml(domains_of(call), in->xml_desc, error);
    g_autoptr(Domain) domain = config ? domains_transient(domains_of(call), config, error) : NULL;
    if (!domain) {
        domain_config_free(config);
        return false;
    }
    domain_config_enliven(config);
    bool good = domain_launch(domain, config, &start, error);
    domain_end(domain);
    if (good) {
        domain_reply(domain, &((RemoteDomainCreateXmlRet *)ret)->dom);
    } else {
        domains_drop(domains_of(call), domain);
    }
    return good;
}

enum { DESTROY_GRACEFUL = 1, DESTROY_REMOVE_LOGS = 2 };

static bool destroy(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    return domain && domain_kill(domain, SHUTOFF_DESTROYED, true, error);
}

static bool destroy_flags(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainDestroyFlagsArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    return domain && call_flags(in->flags, DESTROY_GRACEFUL | DESTROY_REMOVE_LOGS, error) &&
           domain_kill(domain, SHUTOFF_DESTROYED, !(in->flags & DESTROY_GRACEFUL), error);
}

/* A change of a running domain that takes no more than the job. */
static bool change(Call *call, const void *args, bool (*run)(Domain *domain, GError **error),
                   GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain || !domain_begin_active(domain, error)) {
        return false;
    }
    bool good = run(domain, error);
    domain_end(domain);
    return good;
}

static bool power_button(Domain *domain, GError **error)
{
    return domain_power_button(domain, false, error);
}

static bool power_button_again(Domain *domain, GError **error)
{
    return domain_power_button(domain, true, error);
}

static bool reset_machine(Domain *domain, GError **error)
{
    return domain_do(domain, "system_reset", NULL, error);
}

static bool inject_nmi(Domain *domain, GError **error)
{
    return domain_do(domain, "inject-nmi", NULL, error);
}

static bool pause_machine(Domain *domain, GError **error)
{
    return domain_pause(domain, PAUSED_USER, error);
}

static bool resume_machine(Domain *domain, GError **error)
{
    g_mutex_lock(&domain->mutex);
    bool runs = domain->state == DOMAIN_RUNNING;
    g_mutex_unlock(&domain->mutex);
    if (runs) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is already running");
        return false;
    }
    return domain_go_on(domain, RUNNING_UNPAUSED, error);
}

enum { POWER_BY_ACPI = 1, POWER_KNOWN = 1 | 2 | 4 | 8 | 16 };

static bool shutdown_plain(Call *call, const void *args, void *ret, GError **error)
{
    return change(call, args, power_button, error);
}

/* Of several ways, one that there is must be among those asked for. */
static bool by_acpi(unsigned flags, GError **error)
{
    if (!call_flags(flags, POWER_KNOWN, error)) {
        return false;
    }
    if (flags && !(flags & POWER_BY_ACPI)) {
        remote_error_set(error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                         "argument unsupported: there is no guest agent; use --mode acpi");
        return false;
    }
    return true;
}

static bool shutdown_flags(Call *call, const void *args, void *ret, GError **error)
{
    return by_acpi(((const RemoteDomainShutdownFlagsArgs *)args)->flags, error) &&
           change(call, args, power_button, error);
}

static bool reboot(Call *call, const void *args, void *ret, GError **error)
{
    return by_acpi(((const RemoteDomainRebootArgs *)args)->flags, error) &&
           change(call, args, power_button_again, error);
}

static bool reset(Call *call, const void *args, void *ret, GError **error)
{
    return call_flags(((const RemoteDomainResetArgs *)args)->flags, 0, error) &&
           change(call, args, reset_machine, error);
}

static bool nmi(Call *call, const void *args, void *ret, GError **error)
{
    return call_flags(((const RemoteDomainInjectNmiArgs *)args)->flags, 0, error) &&
           change(call, args, inject_nmi, error);
}

static bool suspend(Call *call, const void *args, void *ret, GError **error)
{
    return change(call, args, pause_machine, error);
}

static bool resume(Call *call, const void *args, void *ret, GError **error)
{
    return change(call, args, resume_machine, error);
}

/* ---- state ---- */

static bool get_state(Call *call, const void *args, void *ret, GError **error)
{
    RemoteDomainGetStateRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_mutex_lock(&domain->mutex);
        out->state = (int32_t)domain->state;
        out->reason = domain->reason;
        g_mutex_unlock(&domain->mutex);
    }
    return domain != NULL;
}

static bool is_active(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        ((RemoteDomainIsActiveRet *)ret)->active = domain_is_active(domain);
    }
    return domain != NULL;
}

static bool is_persistent(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        g_mutex_lock(&domain->mutex);
        ((RemoteDomainIsPersistentRet *)ret)->persistent = domain->config != NULL;
        g_mutex_unlock(&domain->mutex);
    }
    return domain != NULL;
}

static bool is_updated(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    return domain != NULL; /* .updated 0: a definition is never older than what was asked for */
}

static bool get_os_type(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (domain) {
        ((RemoteDomainGetOsTypeRet *)ret)->type = g_strdup("hvm");
    }
    return domain != NULL;
}

enum { XML_SECURE = 1, XML_INACTIVE = 2, XML_UPDATE_CPU = 4, XML_MIGRATABLE = 8 };

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainGetXmlDescArgs *in = args;
    g_autoptr(Domain) domain = call_domain(call, args, error);

    if (!domain ||
        !call_flags(in->flags, XML_SECURE | XML_INACTIVE | XML_UPDATE_CPU | XML_MIGRATABLE,
                    error)) {
        return false;
    }
    if (in->flags & XML_SECURE && call_read_only(call)) {
        return call_deny(call, error);
    }
    ((RemoteDomainGetXmlDescRet *)ret)->xml = domain_xml(domain, in->flags);
    return true;
}

static bool control_info(Call *call, const void *args, void *ret, GError **error)
{
    RemoteDomainGetControlInfoRet *out = ret;
    g_autoptr(Domain) domain = call_domain(call, args, error);
    enum { OK, JOB, OCCUPIED, ERROR };

    if (!domain) {
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool runs = domain->live != NULL;
    bool good = domain->domains->fake || (domain->monitor && monitor_answers(domain->monitor));
    out->state = !good ? ERROR : domain->busy ? JOB : OK;
    out->details = good ? 0 : 2; /* the monitor is broken */
    out->state_time = (uint64_t)(g_get_monotonic_time() - domain->state_us) / 1000;
    g_mutex_unlock(&domain->mutex);
    if (!runs) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
    }
    return runs;
}

static bool get_messages(Call *call, const void *args, void *ret, GError **error)
{
    g_autoptr(Domain) domain = call_domain(call, args, error);

    return domain != NULL; /* there is nothing to warn of */
}

const CallRow domain_calls[] = {
    { REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, list_all },
    { REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, list_inactive },
    { REMOTE_PROC_CONNECT_LIST_DOMAINS, list_ids },
    { REMOTE_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, num_inactive },
    { REMOTE_PROC_CONNECT_NUM_OF_DOMAINS, num_active },
    { REMOTE_PROC_DOMAIN_CREATE, create },
    { REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS, create_with_flags },
    { REMOTE_PROC_DOMAIN_CREATE_XML, create_xml },
    { REMOTE_PROC_DOMAIN_DEFINE_XML, define_xml },
    { REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS, define_xml_flags },
    { REMOTE_PROC_DOMAIN_DESTROY, destroy },
    { REMOTE_PROC_DOMAIN_DESTROY_FLAGS, destroy_flags },
    { REMOTE_PROC_DOMAIN_GET_AUTOSTART, get_autostart },
    { REMOTE_PROC_DOMAIN_GET_CONTROL_INFO, control_info },
    { REMOTE_PROC_DOMAIN_GET_MESSAGES, get_messages },
    { REMOTE_PROC_DOMAIN_GET_OS_TYPE, get_os_type },
    { REMOTE_PROC_DOMAIN_GET_STATE, get_state },
    { REMOTE_PROC_DOMAIN_GET_XML_DESC, get_xml },
    { REMOTE_PROC_DOMAIN_INJECT_NMI, nmi },
    { REMOTE_PROC_DOMAIN_IS_ACTIVE, is_active },
    { REMOTE_PROC_DOMAIN_IS_PERSISTENT, is_persistent },
    { REMOTE_PROC_DOMAIN_IS_UPDATED, is_updated },
    { REMOTE_PROC_DOMAIN_LOOKUP_BY_ID, lookup_by_id },
    { REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, lookup_by_name },
    { REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID, lookup_by_uuid },
    { REMOTE_PROC_DOMAIN_REBOOT, reboot },
    { REMOTE_PROC_DOMAIN_RENAME, rename_domain },
    { REMOTE_PROC_DOMAIN_RESET, reset },
    { REMOTE_PROC_DOMAIN_RESUME, resume },
    { REMOTE_PROC_DOMAIN_SET_AUTOSTART, set_autostart },
    { REMOTE_PROC_DOMAIN_SHUTDOWN, shutdown_plain },
    { REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, shutdown_flags },
    { REMOTE_PROC_DOMAIN_SUSPEND, suspend },
    { REMOTE_PROC_DOMAIN_UNDEFINE, undefine_plain },
    { REMOTE_PROC_DOMAIN_UNDEFINE_FLAGS, undefine_flags },
    { 0 },
};
