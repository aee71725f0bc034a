/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain: what it is, its job, its state and how that is told and kept; see domain.h.
 */
#include "manager/domain.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/identity.h"
#include "manager/domain_live.h"
#include "manager/domain_snapshot.h"
#include "manager/domains.h"
#include "manager/process.h"
#include "manager/report.h"
#include "manager/store.h"

enum { JOB_WAIT_S = 30 };

/* ---- life of the object ---- */

Domain *domain_ref(Domain *domain)
{
    g_atomic_int_inc(&domain->refs);
    return domain;
}

void domain_unref(Domain *domain)
{
    if (!domain || !g_atomic_int_dec_and_test(&domain->refs)) {
        return;
    }
    domain_free_snapshots(domain);
    domain_config_free(domain->config);
    domain_config_free(domain->live);
    monitor_unref(domain->monitor);
    g_clear_pointer(&domain->plugged, g_ptr_array_unref);
    g_clear_pointer(&domain->disk_errors, g_ptr_array_unref);
    g_mutex_clear(&domain->mutex);
    g_cond_clear(&domain->changed);
    g_free(domain->name);
    g_free(domain);
}

RemoteDomain domain_remote(const Domain *domain)
{
    RemoteDomain remote = { .name = domain->name, .id = domain->id };

    memcpy(remote.uuid, domain->uuid, sizeof(remote.uuid));
    return remote;
}

void domain_reply(Domain *domain, RemoteDomain *ret)
{
    g_mutex_lock(&domain->mutex);
    *ret = domain_remote(domain);
    ret->name = g_strdup(ret->name);
    g_mutex_unlock(&domain->mutex);
}

bool domain_is_active(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    bool active = domain->live != NULL;
    g_mutex_unlock(&domain->mutex);
    return active;
}

char *domain_name(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    char *name = g_strdup(domain->name);
    g_mutex_unlock(&domain->mutex);
    return name;
}

/* ---- jobs ---- */

bool domain_begin(Domain *domain, GError **error)
{
    int64_t until_us = g_get_monotonic_time() + JOB_WAIT_S * G_TIME_SPAN_SECOND;
    bool got = true;

    g_mutex_lock(&domain->mutex);
    while (domain->busy && got) {
        got = g_cond_wait_until(&domain->changed, &domain->mutex, until_us) || !domain->busy;
    }
    if (got && domain->removed) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN,
                         "Domain not found: domain '%s' was removed meanwhile", domain->name);
        got = false;
    } else if (got) {
        domain->busy = true;
    } else {
        remote_error_set(error, REMOTE_ERR_OPERATION_TIMEOUT,
                         "Timed out during operation: domain '%s' is busy with another change",
                         domain->name);
    }
    g_mutex_unlock(&domain->mutex);
    return got;
}

void domain_end(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    domain->busy = false;
    domain->job = (DomainJob){ 0 };
    g_cond_broadcast(&domain->changed);
    g_mutex_unlock(&domain->mutex);
}

static bool begin_if(Domain *domain, bool active, GError **error)
{
    if (!domain_begin(domain, error)) {
        return false;
    }
    if (domain_is_active(domain) == active) {
        return true;
    }
    domain_end(domain);
    remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                     active ? "Requested operation is not valid: domain is not running"
                            : "Requested operation is not valid: domain is already running");
    return false;
}

bool domain_begin_active(Domain *domain, GError **error)
{
    return begin_if(domain, true, error);
}

bool domain_begin_inactive(Domain *domain, GError **error)
{
    return begin_if(domain, false, error);
}

/* ---- its VM ---- */

Monitor *domain_monitor(Domain *domain, GError **error)
{
    Monitor *monitor = NULL;

    g_mutex_lock(&domain->mutex);
    if (!domain->live) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
    } else if (!domain->monitor) {
        remote_error_set(error, REMOTE_ERR_OPERATION_UNSUPPORTED,
                         "Operation not supported: domain '%s' runs without a virtual machine",
                         domain->name);
    } else {
        monitor = monitor_ref(domain->monitor);
    }
    g_mutex_unlock(&domain->mutex);
    return monitor;
}

/* What of a VM's refusal a client is told. */
static void explain(Domain *domain, GError *why, GError **error)
{
    g_autofree char *name = domain_name(domain);

    if (why->domain == REMOTE_ERROR) {
        g_propagate_error(error, why);
        return;
    }
    remote_error_set(error, REMOTE_ERR_OPERATION_FAILED, "operation failed: domain '%s': %s", name,
                     why->message);
    g_error_free(why);
}

bool domain_do(Domain *domain, const char *name, JsonObject *args, GError **error)
{
    GError *why = NULL;

    if (domain->domains->fake) {
        g_clear_pointer(&args, json_object_unref);
        return true;
    }
    g_autoptr(Monitor) monitor = domain_monitor(domain, &why);
    if (!monitor) {
        g_clear_pointer(&args, json_object_unref);
    }
    if (!monitor || !monitor_do(monitor, name, args, &why)) {
        explain(domain, why, error);
        return false;
    }
    return true;
}

JsonNode *domain_query(Domain *domain, const char *name, JsonObject *args, GError **error)
{
    GError *why = NULL;
    g_autoptr(Monitor) monitor = domain_monitor(domain, &why);
    JsonNode *node =
        monitor ? monitor_command(monitor, name, args, -1, MONITOR_QUICK_MS, &why) : NULL;

    if (!monitor) {
        g_clear_pointer(&args, json_object_unref);
    }
    if (!node) {
        explain(domain, why, error);
    }
    return node;
}

/* ---- state ---- */

void domain_raise(Domain *domain, RemoteEventId id, const void *message)
{
    const RemoteDomain remote = domain_remote(domain);

    events_domain(domain->domains->events, &remote, id, message);
}

void domain_tell(Domain *domain, LifecycleEvent event, int detail)
{
    const RemoteDomainLifecycleMsg message = { .dom = domain_remote(domain),
                                               .event = (int32_t)event,
                                               .detail = detail };

    domain_raise(domain, REMOTE_EVENT_DOMAIN_LIFECYCLE, &message);
}

void domain_set_state(Domain *domain, DomainState state, int reason)
{
    domain->state = state;
    domain->reason = reason;
    domain->state_us = g_get_monotonic_time();
    g_cond_broadcast(&domain->changed);
    domain_keep_live(domain);
}

/* ---- what is kept on the disk ---- */

char *domain_path_config(const Domain *domain)
{
    return g_strdup_printf("%s/%s.xml", domain->domains->definitions, domain->name);
}

char *domain_path_autostart(const Domain *domain)
{
    return g_strdup_printf("%s/%s.xml", domain->domains->autostart, domain->name);
}

char *domain_path_live(const Domain *domain, const char *suffix)
{
    g_autofree char *uuid = uuid_format(domain->uuid);

    return g_strdup_printf("%s/%s%s", domain->domains->live, uuid, suffix);
}

char *domain_path_data(const Domain *domain, const char *folder, const char *suffix)
{
    g_autofree char *uuid = uuid_format(domain->uuid);

    return g_strdup_printf("%s/%s/%s%s", domain->domains->data, folder, uuid, suffix);
}

char *domain_path_managed_save(const Domain *domain)
{
    return domain_path_data(domain, "save", ".save");
}

char *domain_path_log(const Domain *domain)
{
    return g_strdup_printf("%s/%s.log", domain->domains->logs, domain->name);
}

bool domain_keep_config(Domain *domain, const DomainConfig *config, GError **error)
{
    g_autofree char *xml =
        domain_config_format(config, DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_SECURE);
    g_autofree char *path = domain_path_config(domain);

    return store_write(path, xml, error);
}

/* A row of them that ends with NULL; the texts stay the domain's. */
static char **plugged_aliases(const Domain *domain)
{
    unsigned n = domain->plugged ? domain->plugged->len : 0;
    char **row = g_new0(char *, n + 1);

    for (unsigned i = 0; i < n; i++) {
        row[i] = domain->plugged->pdata[i];
    }
    return row;
}

void domain_keep_live(Domain *domain)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = domain_path_live(domain, ".live");

    if (!domain->live || domain->domains->fake) {
        return;
    }
    g_autofree char *xml = domain_config_format(domain->live, DOMAIN_FORMAT_SECURE);
    g_autofree char **plugged = plugged_aliases(domain);
    const DomainLive live = { .id = domain->id,
                              .pid = domain->pid,
                              .state = domain->state,
                              .reason = domain->reason,
                              .log_end = domain->log_end,
                              .persistent = domain->config != NULL,
                              .plugged = plugged,
                              .xml = xml };
    g_autofree char *text = domain_live_format(&live);
    if (!store_write(path, text, &error)) {
        report("%s", error->message); /* the VM runs on; a later daemon finds an older state */
    }
}
