/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All domains, see domains.h.
 */
#include "manager/domains.h"

#include <string.h>
#include <unistd.h>

#include "config/identity.h"
#include "manager/domain_life.h"
#include "manager/domain_snapshot.h"
#include "manager/domain_start.h"
#include "manager/report.h"
#include "manager/store.h"

enum { ADOPT_THREADS = 16 };

/* ---- the list ---- */

static guint hash_uuid(gconstpointer key)
{
    guint hash;

    memcpy(&hash, key, sizeof(hash)); /* as good as random */
    return hash;
}

static gboolean same_uuid(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, UUID_SIZE) == 0;
}

/* A domain that does not run, in the list.  With the list's lock.  A borrowed reference. */
static Domain *add(Domains *domains, const DomainConfig *config)
{
    Domain *domain = g_new0(Domain, 1);

    domain->refs = 1;
    domain->domains = domains;
    memcpy(domain->uuid, config->uuid.bytes, sizeof(domain->uuid));
    domain->name = g_strdup(config->name);
    domain->id = -1;
    domain->process = -1;
    domain->state = DOMAIN_SHUTOFF;
    domain->state_us = g_get_monotonic_time();
    g_mutex_init(&domain->mutex);
    g_cond_init(&domain->changed);
    g_ptr_array_add(domains->all, domain);
    g_hash_table_insert(domains->by_uuid, domain->uuid, domain);
    g_hash_table_insert(domains->by_name, domain->name, domain);
    return domain;
}

/* With the list's lock and the domain's; drops the list's reference. */
static void take_out(Domains *domains, Domain *domain)
{
    domain->removed = true;
    g_cond_broadcast(&domain->changed);
    g_hash_table_remove(domains->by_uuid, domain->uuid);
    g_hash_table_remove(domains->by_name, domain->name);
    g_ptr_array_remove(domains->all, domain);
}

void domains_drop(Domains *domains, Domain *domain)
{
    domain_ref(domain); /* the list's may be the last one */
    g_mutex_lock(&domains->mutex);
    g_mutex_lock(&domain->mutex);
    if (!domain->removed && !domain->config && !domain->live) {
        take_out(domains, domain);
    }
    g_mutex_unlock(&domain->mutex);
    g_mutex_unlock(&domains->mutex);
    domain_unref(domain);
}

int32_t domains_take_id(Domains *domains)
{
    g_mutex_lock(&domains->mutex);
    int32_t id = domains->next_id;
    domains->next_id = id == G_MAXINT32 ? 1 : id + 1;
    g_mutex_unlock(&domains->mutex);
    return id;
}

/* ---- looking up ---- */

Domain *domains_find_uuid(Domains *domains, const uint8_t uuid[16], GError **error)
{
    g_mutex_lock(&domains->mutex);
    Domain *domain = g_hash_table_lookup(domains->by_uuid, uuid);
    domain = domain ? domain_ref(domain) : NULL;
    g_mutex_unlock(&domains->mutex);
    if (!domain) {
        g_autofree char *text = uuid_format(uuid);
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN,
                         "Domain not found: no domain with matching uuid '%s'", text);
    }
    return domain;
}

Domain *domains_find(Domains *domains, const RemoteDomain *named, GError **error)
{
    Domain *domain = domains_find_uuid(domains, named->uuid, NULL);

    if (!domain) {
        g_autofree char *text = uuid_format(named->uuid);
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN,
                         "Domain not found: no domain with matching uuid '%s' (%s)", text,
                         named->name);
    }
    return domain;
}

Domain *domains_find_name(Domains *domains, const char *name, GError **error)
{
    g_mutex_lock(&domains->mutex);
    Domain *domain = g_hash_table_lookup(domains->by_name, name);
    domain = domain ? domain_ref(domain) : NULL;
    g_mutex_unlock(&domains->mutex);
    if (!domain) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN,
                         "Domain not found: no domain with matching name '%s'", name);
    }
    return domain;
}

Domain *domains_find_id(Domains *domains, int32_t id, GError **error)
{
    Domain *found = NULL;

    g_mutex_lock(&domains->mutex);
    for (unsigned i = 0; id >= 0 && !found && i < domains->all->len; i++) {
        Domain *domain = domains->all->pdata[i];
        g_mutex_lock(&domain->mutex);
        found = domain->id == id ? domain_ref(domain) : NULL;
        g_mutex_unlock(&domain->mutex);
    }
    g_mutex_unlock(&domains->mutex);
    if (!found) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN,
                         "Domain not found: no domain with matching id %d", (int)id);
    }
    return found;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Domain *const *)a)->name, (*(const Domain *const *)b)->name);
}

GPtrArray *domains_list(Domains *domains)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)domain_unref);

    g_mutex_lock(&domains->mutex);
    for (unsigned i = 0; i < domains->all->len; i++) {
        g_ptr_array_add(list, domain_ref(domains->all->pdata[i]));
    }
    g_ptr_array_sort(list, by_name); /* names change with this lock alone */
    g_mutex_unlock(&domains->mutex);
    return list;
}

/* ---- defining ---- */

/* The domain that @config is about, or NULL: there is none, or (*@ret_clash) its name or UUID is
 * another's.  With the list's lock. */
static Domain *meant(Domains *domains, const DomainConfig *config, bool *ret_clash, GError **error)
{
    Domain *same = g_hash_table_lookup(domains->by_uuid, config->uuid.bytes);
    Domain *named = g_hash_table_lookup(domains->by_name, config->name);

    *ret_clash = same != named;
    if (same && same != named) {
        g_autofree char *uuid = uuid_format(config->uuid.bytes);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: domain '%s' is already defined with uuid %s",
                         same->name, uuid);
        return NULL;
    }
    if (named && same != named) {
        g_autofree char *uuid = uuid_format(named->uuid);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: domain '%s' already exists with uuid %s", named->name,
                         uuid);
        return NULL;
    }
    return same;
}

/* @config becomes what @domain is when it is started next.  With both locks. */
static bool define(Domain *domain, DomainConfig *config, GError **error)
{
    if (!domain_keep_config(domain, config, error)) {
        return false;
    }
    int detail = domain->config ? 1 : 0;
    domain_config_free(domain->config);
    domain->config = config;
    domain_keep_live(domain); /* it is persistent now */
    domain_tell(domain, LIFECYCLE_DEFINED, detail);
    return true;
}

Domain *domains_define(Domains *domains, DomainConfig *config, GError **error)
{
    bool clash = false;

    g_mutex_lock(&domains->mutex);
    Domain *domain = meant(domains, config, &clash, error);
    bool fresh = !domain && !clash;
    if (fresh) {
        domain = add(domains, config);
    }
    bool good = false;
    if (domain) {
        g_mutex_lock(&domain->mutex);
        good = define(domain, config, error);
        domain_ref(domain);
        if (!good && fresh) {
            take_out(domains, domain);
        }
        g_mutex_unlock(&domain->mutex);
    }
    g_mutex_unlock(&domains->mutex);
    if (!good) {
        domain_config_free(config);
        domain_unref(domain);
        return NULL;
    }
    return domain;
}

Domain *domains_transient(Domains *domains, const DomainConfig *config, GError **error)
{
    bool clash = false;

    g_mutex_lock(&domains->mutex);
    Domain *domain = meant(domains, config, &clash, error);
    bool fresh = !domain && !clash;
    if (fresh) {
        domain = add(domains, config);
        domain->busy = true;
    }
    domain = domain ? domain_ref(domain) : NULL;
    g_mutex_unlock(&domains->mutex);
    if (!domain || fresh) {
        return domain;
    }
    if (!domain_begin(domain, error)) {
        domain_unref(domain);
        return NULL;
    }
    if (domain_is_active(domain)) {
        domain_end(domain);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: domain '%s' is already active with this uuid",
                         config->name);
        domain_unref(domain);
        return NULL;
    }
    return domain;
}

/* Remove what is kept of the definition under its present name. */
static bool remove_files(Domain *domain, GError **error)
{
    g_autofree char *config = domain_path_config(domain);
    g_autofree char *autostart = domain_path_autostart(domain);

    return store_remove(autostart, error) && store_remove(config, error);
}

bool domains_undefine(Domains *domains, Domain *domain, GError **error)
{
    g_mutex_lock(&domains->mutex);
    g_mutex_lock(&domain->mutex);
    bool good = remove_files(domain, error);
    if (good) {
        g_clear_pointer(&domain->config, domain_config_free);
        domain->autostart = false;
        domain_keep_live(domain);
        domain_tell(domain, LIFECYCLE_UNDEFINED, 0);
        if (!domain->live) {
            take_out(domains, domain);
        }
    }
    g_mutex_unlock(&domain->mutex);
    g_mutex_unlock(&domains->mutex);
    return good;
}

/* With both locks; @name is nobody's. */
static bool give_name(Domains *domains, Domain *domain, const char *name, GError **error)
{
    g_autofree char *old_config = domain_path_config(domain);
    g_autofree char *old_autostart = domain_path_autostart(domain);
    g_autofree char *old = domain->name;
    DomainConfig *config = domain_config_copy(domain->config);

    g_free(config->name);
    config->name = g_strdup(name);
    domain->name = g_strdup(name);
    g_autofree char *new_autostart = domain_path_autostart(domain);
    if (!domain_keep_config(domain, config, error) ||
        (domain->autostart && !store_rename(old_autostart, new_autostart, error))) {
        g_free(domain->name);
        domain->name = g_steal_pointer(&old);
        domain_config_free(config);
        return false;
    }
    g_hash_table_remove(domains->by_name, old);
    g_hash_table_insert(domains->by_name, domain->name, domain);
    domain_config_free(domain->config);
    domain->config = config;
    if (!store_remove(old_config, error)) { /* it would come back with the next daemon */
        return false;
    }
    g_autofree char *now = g_steal_pointer(&domain->name);
    domain->name = old;
    domain_tell(domain, LIFECYCLE_UNDEFINED, 1);
    domain->name = g_steal_pointer(&now);
    domain_tell(domain, LIFECYCLE_DEFINED, 2);
    return true;
}

bool domains_rename(Domains *domains, Domain *domain, const char *name, GError **error)
{
    bool good = false;

    if (!name_valid(name)) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: a domain's name must be " NAME_RULE);
        return false;
    }
    g_mutex_lock(&domains->mutex);
    g_mutex_lock(&domain->mutex);
    if (g_hash_table_contains(domains->by_name, name)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain with name '%s' already exists",
                         name);
    } else {
        good = give_name(domains, domain, name, error);
    }
    g_mutex_unlock(&domain->mutex);
    g_mutex_unlock(&domains->mutex);
    return good;
}

/* ---- the begin of the daemon ---- */

/* Definitions of earlier daemons. */
static bool load_definitions(Domains *domains, GError **error)
{
    g_autoptr(GPtrArray) files = store_read_all(domains->definitions, ".xml", error);

    for (unsigned i = 0; files && i < files->len; i++) {
        const StoreFile *file = files->pdata[i];
        g_autoptr(GError) why = NULL;
        DomainConfig *config =
            file->text ? domain_config_parse(file->text, DOMAIN_PARSE_INACTIVE, &why) : NULL;

        if (!config || strcmp(config->name, file->name) != 0) {
            report("domain '%s' is left alone: %s", file->name,
                   file->why ? file->why
                   : why     ? why->message
                             : "its file has another name than it");
            domain_config_free(config);
            continue;
        }
        Domain *domain = add(domains, config);
        g_autofree char *autostart = domain_path_autostart(domain);
        domain->config = config;
        domain->autostart = access(autostart, F_OK) == 0;
    }
    return files != NULL;
}

/* The domain of a live file of an earlier daemon. */
static Domain *find_or_add(Domains *domains, const StoreFile *file)
{
    DomainConfig named = { .name = file->name };

    if (!file->text || !uuid_parse(file->name, named.uuid.bytes)) {
        report("live file '%s' is left alone: %s", file->name,
               file->why ? file->why : "its name is no UUID");
        return NULL;
    }
    Domain *domain = g_hash_table_lookup(domains->by_uuid, named.uuid.bytes);
    return domain ? domain : add(domains, &named); /* a transient one, whose name is in the file */
}

/* One that is looked for. */
typedef struct Adoption {
    Domain *domain; /* NULL: none */
    const StoreFile *file;
    bool found;
    GError *why;
} Adoption;

static void adopt(gpointer data, gpointer unused)
{
    Adoption *adoption = data;

    adoption->found = domain_adopt(adoption->domain, adoption->file->text, &adoption->why);
}

/* What has become of it. */
static void note_adoption(Domains *domains, Adoption *adoption)
{
    Domain *domain = adoption->domain;
    const char *name = adoption->found ? domain->live->name : NULL;

    if (!adoption->found) {
        report("domain '%s' has ended meanwhile: %s", domain->name, adoption->why->message);
        g_clear_error(&adoption->why);
        domains_drop(domains, domain);
        return;
    }
    if (!domain->config && strcmp(name, domain->name) != 0) {
        g_hash_table_remove(domains->by_name, domain->name);
        g_free(domain->name);
        domain->name = g_strdup(name);
        g_hash_table_insert(domains->by_name, domain->name, domain);
    }
    domains->next_id = MAX(domains->next_id, domain->id + 1);
}

/* All at once: each waits for its VM's answers. */
static void adopt_all(Domains *domains, const GPtrArray *files)
{
    g_autofree Adoption *adoptions = g_new0(Adoption, files->len + 1);
    GThreadPool *pool = g_thread_pool_new(adopt, NULL, ADOPT_THREADS, FALSE, NULL);

    for (unsigned i = 0; i < files->len; i++) {
        adoptions[i].file = files->pdata[i];
        adoptions[i].domain = find_or_add(domains, files->pdata[i]);
        if (adoptions[i].domain) {
            domain_ref(adoptions[i].domain);
            g_thread_pool_push(pool, &adoptions[i], NULL);
        }
    }
    g_thread_pool_free(pool, FALSE, TRUE);
    for (unsigned i = 0; i < files->len; i++) {
        if (adoptions[i].domain) {
            note_adoption(domains, &adoptions[i]);
            domain_unref(adoptions[i].domain);
        }
    }
}

bool domains_load(Domains *domains, GError **error)
{
    if (!load_definitions(domains, error)) {
        return false;
    }
    g_autoptr(GPtrArray) files = store_read_all(domains->live, ".live", error);
    if (!files) {
        return false;
    }
    adopt_all(domains, files);
    g_autoptr(GPtrArray) list = domains_list(domains);
    for (unsigned i = 0; i < list->len; i++) {
        domain_load_snapshots(list->pdata[i]);
    }
    return true;
}

void domains_autostart(Domains *domains)
{
    g_autoptr(GPtrArray) list = domains_list(domains);

    for (unsigned i = 0; i < list->len; i++) {
        Domain *domain = list->pdata[i];
        g_autoptr(GError) error = NULL;

        if (!domain->autostart || domain_is_active(domain)) {
            continue;
        }
        if (!domain_start(domain, 0, &error)) {
            report("%s", error->message);
        }
    }
}

Domains *domains_new(const DomainsConfig *config, GError **error)
{
    g_autoptr(Domains) domains = g_new0(Domains, 1);

    domains->definitions = g_strdup(config->definitions);
    domains->autostart = g_build_filename(config->definitions, "autostart", NULL);
    domains->live = g_strdup(config->live);
    domains->logs = g_strdup(config->logs);
    domains->data = g_strdup(config->data);
    domains->program = g_strdup(config->program);
    domains->daemon = config->daemon;
    domains->events = config->events;
    domains->fake = config->fake;
    g_mutex_init(&domains->mutex);
    domains->all = g_ptr_array_new_with_free_func((GDestroyNotify)domain_unref);
    domains->by_uuid = g_hash_table_new(hash_uuid, same_uuid);
    domains->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    domains->next_id = 1;
    g_autofree char *save = g_build_filename(config->data, "save", NULL);
    g_autofree char *snapshots = g_build_filename(config->data, "snapshots", NULL);
    g_autofree char *nvram = g_build_filename(config->data, "nvram", NULL);
    if (!store_folder(domains->autostart, error) || !store_folder(domains->live, error) ||
        !store_folder(domains->logs, error) || !store_folder(save, error) ||
        !store_folder(snapshots, error) || !store_folder(nvram, error)) {
        return NULL;
    }
    return g_steal_pointer(&domains);
}

void domains_free(Domains *domains)
{
    if (!domains) {
        return;
    }
    if (domains->starter) {
        g_thread_join(domains->starter);
    }
    for (unsigned i = 0; i < domains->all->len; i++) {
        domain_forget(domains->all->pdata[i]);
    }
    g_hash_table_unref(domains->by_uuid);
    g_hash_table_unref(domains->by_name);
    g_ptr_array_unref(domains->all);
    g_mutex_clear(&domains->mutex);
    g_free(domains->definitions);
    g_free(domains->autostart);
    g_free(domains->live);
    g_free(domains->logs);
    g_free(domains->data);
    g_free(domains->program);
    g_free(domains);
}

/* ---- a part of the daemon ---- */

static gpointer autostart(gpointer data)
{
    domains_autostart(data);
    return NULL;
}

static bool start_part(Daemon *daemon, GError **error)
{
    g_autofree char *definitions = g_build_filename(daemon->paths.config, "domains", NULL);
    const DomainsConfig config = {
        .definitions = definitions,
        .live = daemon->paths.live,
        .logs = daemon->paths.logs,
        .data = daemon->paths.data,
        .daemon = daemon,
        .events = daemon->events,
        .fake = daemon->fake,
    };

    daemon->domains = domains_new(&config, error);
    if (!daemon->domains || !domains_load(daemon->domains, error)) {
        return false;
    }
    /* clients need not wait for it */
    daemon->domains->starter = g_thread_new("vm-autostart", autostart, daemon->domains);
    return true;
}

static void stop_part(Daemon *daemon)
{
    g_clear_pointer(&daemon->domains, domains_free);
}

const DaemonPart domains_part = { "domains", start_part, stop_part };
