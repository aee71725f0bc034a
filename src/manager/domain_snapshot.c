/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of domains, see domain_snapshot.h.
 */
#include "manager/domain_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/program.h"
#include "config/identity.h"
#include "manager/domain_devices.h"
#include "manager/domain_life.h"
#include "manager/domain_save.h"
#include "manager/domain_start.h"
#include "manager/domains.h"
#include "manager/report.h"
#include "manager/store.h"

enum { VARIABLES_MAX = 64 << 20 }; /* bytes: sixteen times what firmware has */

/* lock: the domain's */
typedef struct Snapshots {
    GHashTable *by_name; /* to SnapshotConfig; owns them */
    char *current;       /* NULL: none */
} Snapshots;

/* ---- files ---- */

static char *folder_of(const Domain *domain)
{
    return domain_path_data(domain, "snapshots", "");
}

static char *file_of(const Domain *domain, const char *name, const char *suffix)
{
    g_autofree char *folder = folder_of(domain);

    return g_strdup_printf("%s/%s%s", folder, name, suffix);
}

static char *journal_of(const Domain *domain)
{
    return file_of(domain, "journal", "");
}

/* Copy a file of a few megabytes, whole or not at all. */
static bool copy_file(const char *from, const char *to, GError **error)
{
    g_autofree char *bytes = NULL;
    g_autofree char *beside = g_strconcat(to, ".new", NULL);
    g_autoptr(GError) why = NULL;
    struct stat st;
    gsize len;

    if (stat(from, &st) || st.st_size > VARIABLES_MAX) {
        set_error(error, "cannot copy '%s': it is no file of firmware's variables", from);
        return false;
    }
    if (!g_file_get_contents(from, &bytes, &len, &why) ||
        !g_file_set_contents_full(beside, bytes, (gssize)len, G_FILE_SET_CONTENTS_DURABLE, 0600,
                                  &why)) {
        set_error(error, "cannot copy '%s': %s", from, why->message);
        return false;
    }
    return store_rename(beside, to, error);
}

/* ---- the list ---- */

static Snapshots *list_new(void)
{
    Snapshots *list = g_new0(Snapshots, 1);

    list->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify)snapshot_config_free);
    return list;
}

void domain_free_snapshots(Domain *domain)
{
    if (domain->snapshots) {
        g_hash_table_unref(domain->snapshots->by_name);
        g_free(domain->snapshots->current);
        g_clear_pointer(&domain->snapshots, g_free);
    }
}

unsigned domain_n_snapshots(Domain *domain)
{
    g_mutex_lock(&domain->mutex);
    unsigned n = domain->snapshots ? g_hash_table_size(domain->snapshots->by_name) : 0;
    g_mutex_unlock(&domain->mutex);
    return n;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const SnapshotConfig *const *)a)->name,
                  (*(const SnapshotConfig *const *)b)->name);
}

GPtrArray *domain_snapshots(Domain *domain)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_config_free);
    GHashTableIter iter;
    gpointer value;

    g_mutex_lock(&domain->mutex);
    if (domain->snapshots) {
        g_hash_table_iter_init(&iter, domain->snapshots->by_name);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            g_ptr_array_add(all, snapshot_config_copy(value));
        }
    }
    g_mutex_unlock(&domain->mutex);
    g_ptr_array_sort(all, by_name);
    return all;
}

SnapshotConfig *domain_snapshot_find(Domain *domain, const char *name, GError **error)
{
    SnapshotConfig *found = NULL;

    g_mutex_lock(&domain->mutex);
    const Snapshots *list = domain->snapshots;
    const char *wanted = name ? name : list ? list->current : NULL;
    if (list && wanted) {
        found = g_hash_table_lookup(list->by_name, wanted);
        found = found ? snapshot_config_copy(found) : NULL;
    }
    g_mutex_unlock(&domain->mutex);
    if (!found) {
        remote_error_set(error, REMOTE_ERR_NO_DOMAIN_SNAPSHOT,
                         name ? "Domain snapshot not found: no domain snapshot with matching name "
                                "'%s'"
                              : "Domain snapshot not found: the domain does not have a current "
                                "snapshot%s",
                         name ? name : "");
    }
    return found;
}

bool domain_snapshot_is_current(Domain *domain, const char *name)
{
    g_mutex_lock(&domain->mutex);
    bool is = domain->snapshots && !g_strcmp0(domain->snapshots->current, name);
    g_mutex_unlock(&domain->mutex);
    return is;
}

/* @name (NULL: none) is the current one from now on. */
static bool set_current(Domain *domain, const char *name, GError **error)
{
    g_autofree char *path = file_of(domain, "current", "");
    bool good = name ? store_write(path, name, error) : store_remove(path, error);

    if (good) {
        g_mutex_lock(&domain->mutex);
        g_free(domain->snapshots->current);
        domain->snapshots->current = g_strdup(name);
        g_mutex_unlock(&domain->mutex);
    }
    return good;
}

/* Write @snapshot (takes ownership) and have it in the list: it is whole from then on. */
static bool keep(Domain *domain, SnapshotConfig *snapshot, GError **error)
{
    g_autofree char *xml =
        snapshot_config_format(snapshot, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE);
    g_autofree char *path = file_of(domain, snapshot->name, ".xml");

    if (!store_write(path, xml, error)) {
        snapshot_config_free(snapshot);
        return false;
    }
    g_mutex_lock(&domain->mutex);
    g_hash_table_replace(domain->snapshots->by_name, g_strdup(snapshot->name), snapshot);
    g_mutex_unlock(&domain->mutex);
    return true;
}

/* ---- images ---- */

/* Whether a snapshot has what is in @disk: what can be written, but no CD. */
static bool is_taken(const DomainDisk *disk)
{
    return disk->kind != DOMAIN_DISK_KIND_CDROM && !disk->readonly && domain_disk_file(disk) &&
           disk->snapshot != DOMAIN_DISK_SNAPSHOT_NO;
}

static bool check_images(const DomainConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DomainDisk *disk = config->disks->pdata[i];
        const char *format = disk->driver ? disk->driver->type : NULL;

        if (is_taken(disk) && g_strcmp0(format, "qcow2") != 0) {
            remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                             "Requested operation is not valid: internal snapshot for disk %s "
                             "unsupported for storage type %s; make it a qcow2 image",
                             disk->target->dev, format ? format : "raw");
            return false;
        }
    }
    return true;
}

/* Have program insula-disk do @verb (create, delete, apply) with snapshot @name of an image that
 * nobody has open. */
static bool run_disk(const char *verb, const DomainDisk *disk, const char *name, GError **error)
{
    g_autofree char *program = program_find("insula-disk", "disk");
    g_autofree char *said = NULL;
    g_autoptr(GError) why = NULL;
    const char *words[] = { program,    "snapshot",
                            "--format", disk->driver->type,
                            verb,       domain_disk_file(disk),
                            name,       NULL };
    int status = 0;

    if (!program || !g_spawn_sync(NULL, (char **)(uintptr_t)words, NULL, G_SPAWN_STDOUT_TO_DEV_NULL,
                                  NULL, NULL, NULL, &said, &status, &why)) {
        set_error(error, "cannot start insula-disk: %s", why ? why->message : "it isn't there");
        return false;
    }
    if (!g_spawn_check_wait_status(status, NULL)) {
        set_error(error, "disk '%s': %s", disk->target->dev, g_strstrip(said));
        return false;
    }
    return true;
}

/* The same, by the VM that has it open. */
static bool ask_vm(Domain *domain, const char *command, unsigned index, const char *name,
                   GError **error)
{
    JsonObject *args = json_object_new();

    g_mutex_lock(&domain->mutex);
    g_autofree char *device = domain->live && index < domain->live->disks->len
                                  ? domain_disk_vm_name(domain, index)
                                  : NULL;
    g_mutex_unlock(&domain->mutex);
    json_object_set_string_member(args, "device", device ? device : "");
    json_object_set_string_member(args, "name", name);
    return domain_do(domain, command, args, error);
}

static bool change_image(Domain *domain, const DomainConfig *config, unsigned index, bool create,
                         const char *name, GError **error)
{
    return domain_is_active(domain)
               ? ask_vm(domain,
                        create ? "blockdev-snapshot-internal-sync" : "__insula_snapshot-delete",
                        index, name, error)
               : run_disk(create ? "create" : "delete", config->disks->pdata[index], name, error);
}

/* Delete snapshot @name in the first @n images of @config; those that haven't got it are passed
 * over. */
static void delete_in_images(Domain *domain, const DomainConfig *config, unsigned n,
                             const char *name)
{
    for (unsigned i = 0; i < MIN(n, config->disks->len); i++) {
        g_autoptr(GError) why = NULL;

        if (is_taken(config->disks->pdata[i]) &&
            !change_image(domain, config, i, false, name, &why)) {
            report("snapshot '%s' of domain '%s': %s", name, domain->name, why->message);
        }
    }
}

/* ---- the journal ---- */

/* "take 2 NAME": the third image may have it, the two before it have. */
static bool write_journal(Domain *domain, const char *verb, unsigned step, const char *name,
                          GError **error)
{
    g_autofree char *path = journal_of(domain);
    g_autofree char *text = g_strdup_printf("%s %u %s", verb, step, name);

    return store_write(path, text, error);
}

static bool end_journal(Domain *domain, GError **error)
{
    g_autofree char *path = journal_of(domain);

    return store_remove(path, error);
}

static void remove_files(Domain *domain, const char *name)
{
    static const char *const suffixes[] = { ".xml", ".state", ".state.new", ".vars", ".vars.new" };

    for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = file_of(domain, name, suffixes[i]);
        store_remove(path, NULL);
    }
}

/* ---- taking ---- */

static void undo_take(Domain *domain, const DomainConfig *config, unsigned n, const char *name)
{
    delete_in_images(domain, config, n, name);
    remove_files(domain, name);
    end_journal(domain, NULL);
}

static bool take_images(Domain *domain, const DomainConfig *config, const char *name,
                        unsigned *ret_n, GError **error)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        *ret_n = i; /* of those before it we know that they have it */
        if (is_taken(config->disks->pdata[i]) &&
            (!write_journal(domain, "take", i, name, error) ||
             !change_image(domain, config, i, true, name, error))) {
            return false;
        }
    }
    *ret_n = config->disks->len;
    return true;
}

static bool take_state(Domain *domain, const char *name, bool ran, GError **error)
{
    g_autofree char *path = file_of(domain, name, ".state");
    g_auto(DomainLive) tail = { 0 };

    domain_describe(domain, NULL, ran, &tail);
    return domain_write_state(domain, path, &tail, error);
}

static bool take_variables(Domain *domain, const char *name, GError **error)
{
    g_autofree char *nvram = domain_nvram(domain);
    g_autofree char *path = file_of(domain, name, ".vars");

    return !nvram || access(nvram, F_OK) || copy_file(nvram, path, error);
}

/* All steps; *@ret_n: how many images have it. */
static bool take_all(Domain *domain, const DomainConfig *config, SnapshotConfig *snapshot, bool ram,
                     unsigned *ret_n, GError **error)
{
    const char *name = snapshot->name;
    bool ran = snapshot->state == SNAPSHOT_RUNNING;

    return write_journal(domain, "take", 0, name, error) &&
           (!ram || take_state(domain, name, ran, error)) &&
           take_images(domain, config, name, ret_n, error) && take_variables(domain, name, error);
}

/* What is written of it besides what the client has said. */
static void fill(Domain *domain, SnapshotConfig *snapshot, bool ram)
{
    g_mutex_lock(&domain->mutex);
    bool active = domain->live != NULL, running = domain->state == DOMAIN_RUNNING;
    const char *parent = domain->snapshots->current;
    snapshot->domain = domain_config_copy(active ? domain->live : domain->config);
    snapshot->inactive = active && domain->config ? domain_config_copy(domain->config) : NULL;
    if (parent) {
        snapshot->parent = g_new0(SnapshotParent, 1);
        snapshot->parent->name = g_strdup(parent);
    }
    g_mutex_unlock(&domain->mutex);
    snapshot->state = !active   ? SNAPSHOT_SHUTOFF
                      : !ram    ? SNAPSHOT_DISK
                      : running ? SNAPSHOT_RUNNING
                                : SNAPSHOT_PAUSED;
    snapshot->created = (XmlNumber){ true, g_get_real_time() / G_USEC_PER_SEC };
    snapshot->memory = g_new0(SnapshotMemory, 1);
    snapshot->memory->where = ram ? DOMAIN_DISK_SNAPSHOT_INTERNAL : DOMAIN_DISK_SNAPSHOT_NO;
    for (unsigned i = 0; i < snapshot->domain->disks->len; i++) {
        const DomainDisk *disk = snapshot->domain->disks->pdata[i];
        SnapshotDisk *taken = g_new0(SnapshotDisk, 1);
        taken->name = g_strdup(disk->target->dev);
        taken->where = is_taken(disk) ? DOMAIN_DISK_SNAPSHOT_INTERNAL : DOMAIN_DISK_SNAPSHOT_NO;
        g_ptr_array_add(snapshot->disks, taken);
    }
}

static bool check_wanted(Domain *domain, SnapshotConfig *wanted, GError **error)
{
    if (!wanted->name) {
        wanted->name = g_strdup_printf("%" G_GINT64_FORMAT, g_get_real_time() / G_USEC_PER_SEC);
    }
    if (!name_valid(wanted->name) || !strcmp(wanted->name, "current") ||
        !strcmp(wanted->name, "journal")) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: a snapshot's name must be " NAME_RULE);
        return false;
    }
    g_mutex_lock(&domain->mutex);
    bool there = g_hash_table_contains(domain->snapshots->by_name, wanted->name);
    g_mutex_unlock(&domain->mutex);
    if (there) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: domain snapshot %s already exists", wanted->name);
        return false;
    }
    for (unsigned i = 0; i < wanted->disks->len; i++) {
        const SnapshotDisk *disk = wanted->disks->pdata[i];
        if (disk->where == DOMAIN_DISK_SNAPSHOT_EXTERNAL) {
            remote_error_set(error, REMOTE_ERR_CONFIG_UNSUPPORTED,
                             "unsupported configuration: external snapshots are not supported; "
                             "leave out the disk '%s' or say snapshot='internal'",
                             disk->name);
            return false;
        }
    }
    return true;
}

char *domain_snapshot_take(Domain *domain, SnapshotConfig *wanted, unsigned flags, GError **error)
{
    g_autoptr(SnapshotConfig) said = wanted;
    g_autoptr(SnapshotConfig) snapshot = NULL;
    g_autofree char *folder = folder_of(domain);
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    bool active = domain_is_active(domain), ram = active && !(flags & SNAPSHOT_DISK_ONLY);
    unsigned n = 0;

    if (!store_folder(folder, error) || !check_images(config, error)) {
        return NULL;
    }
    domain_load_snapshots(domain);
    if (!check_wanted(domain, said, error)) {
        return NULL;
    }
    snapshot = snapshot_config_new();
    snapshot->name = g_strdup(said->name);
    snapshot->description = g_strdup(said->description);
    fill(domain, snapshot, ram);
    g_autofree char *name = g_strdup(snapshot->name);
    bool ran = active && snapshot->state != SNAPSHOT_PAUSED;
    bool good = (!active || domain_pause(domain, PAUSED_SNAPSHOT, error)) &&
                take_all(domain, config, snapshot, ram, &n, error) &&
                keep(domain, g_steal_pointer(&snapshot), error);
    if (good) {
        good = end_journal(domain, error) && set_current(domain, name, error);
    } else {
        undo_take(domain, config, n, name);
    }
    if (active && good && flags & SNAPSHOT_HALT) {
        domain_kill(domain, SHUTOFF_FROM_SNAPSHOT, true, NULL);
    } else if (ran) {
        domain_go_on(domain, RUNNING_UNPAUSED, NULL);
    }
    return good ? g_steal_pointer(&name) : NULL;
}

/* ---- going back ---- */

static bool apply_images(const DomainConfig *config, const char *name, GError **error)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DomainDisk *disk = config->disks->pdata[i];

        if (is_taken(disk) && !run_disk("apply", disk, name, error)) {
            return false;
        }
    }
    return true;
}

/* What of going back can be done again from its begin, while nothing runs. */
static bool go_back(Domain *domain, const SnapshotConfig *snapshot, GError **error)
{
    const DomainConfig *was = snapshot->inactive ? snapshot->inactive : snapshot->domain;
    const DomainNvram *nvram = snapshot->domain->os->nvram;
    g_autofree char *vars = file_of(domain, snapshot->name, ".vars");
    bool good =
        apply_images(snapshot->domain, snapshot->name, error) &&
        (!nvram || !nvram->path || access(vars, F_OK) || copy_file(vars, nvram->path, error));

    g_mutex_lock(&domain->mutex);
    if (good && domain->config) {
        DomainConfig *config = domain_config_copy(was);
        g_free(config->name); /* it may have been renamed since */
        config->name = g_strdup(domain->name);
        good = domain_keep_config(domain, config, error);
        DomainConfig *old = good ? domain->config : config;
        domain->config = good ? config : domain->config;
        domain_config_free(old);
    }
    g_mutex_unlock(&domain->mutex);
    return good && set_current(domain, snapshot->name, error);
}

/* Run on from its RAM; or just start, where the client wants that of a snapshot without. */
static bool run_again(Domain *domain, const SnapshotConfig *snapshot, unsigned flags,
                      GError **error)
{
    bool ram = snapshot->state == SNAPSHOT_RUNNING || snapshot->state == SNAPSHOT_PAUSED;
    g_autofree char *path = file_of(domain, snapshot->name, ".state");
    g_auto(DomainLive) tail = { 0 };

    if (!ram && !(flags & (REVERT_RUNNING | REVERT_PAUSED))) {
        return true;
    }
    int state = ram ? domain_open_state(path, &tail, error) : -1;
    if (ram && state < 0) {
        return false;
    }
    DomainConfig *config = ram ? domain_config_parse(tail.xml, DOMAIN_PARSE_LIVE, error)
                               : domain_live_copy(snapshot->domain);
    const DomainStart start = {
        .paused = flags & REVERT_RUNNING  ? false
                  : flags & REVERT_PAUSED ? true
                                          : snapshot->state == SNAPSHOT_PAUSED,
        .state = state,
        .reason = RUNNING_FROM_SNAPSHOT,
        .plugged = tail.plugged,
    };
    bool good = config && domain_launch(domain, config, &start, error);
    if (state >= 0) {
        close(state);
    }
    return good;
}

bool domain_snapshot_revert(Domain *domain, const char *name, unsigned flags, GError **error)
{
    g_autoptr(SnapshotConfig) snapshot = domain_snapshot_find(domain, name, error);

    if (!snapshot ||
        (domain_is_active(domain) && !domain_kill(domain, SHUTOFF_FROM_SNAPSHOT, true, error))) {
        return false;
    }
    return write_journal(domain, "revert", 0, name, error) && go_back(domain, snapshot, error) &&
           end_journal(domain, error) && run_again(domain, snapshot, flags, error);
}

/* ---- deleting ---- */

/* Children of @name are those of its parent from now on. */
static bool give_children(Domain *domain, const SnapshotConfig *gone, GError **error)
{
    g_autoptr(GPtrArray) all = domain_snapshots(domain);

    for (unsigned i = 0; i < all->len; i++) {
        SnapshotConfig *child = all->pdata[i];
        if (!child->parent || strcmp(child->parent->name, gone->name) != 0) {
            continue;
        }
        SnapshotConfig *changed = snapshot_config_copy(child);
        if (gone->parent) {
            g_free(changed->parent->name);
            changed->parent->name = g_strdup(gone->parent->name);
        } else {
            g_free(changed->parent->name);
            g_clear_pointer(&changed->parent, g_free);
        }
        if (!keep(domain, changed, error)) {
            return false;
        }
    }
    return true;
}

/* Can be done again from its begin. */
static bool delete_one(Domain *domain, const SnapshotConfig *snapshot, bool images, GError **error)
{
    bool current = domain_snapshot_is_current(domain, snapshot->name);

    if (images) {
        delete_in_images(domain, snapshot->domain, G_MAXUINT, snapshot->name);
    }
    if (!give_children(domain, snapshot, error) ||
        (current &&
         !set_current(domain, snapshot->parent ? snapshot->parent->name : NULL, error))) {
        return false;
    }
    remove_files(domain, snapshot->name);
    g_mutex_lock(&domain->mutex);
    g_hash_table_remove(domain->snapshots->by_name, snapshot->name);
    g_mutex_unlock(&domain->mutex);
    return end_journal(domain, error);
}

static bool delete_children(Domain *domain, const char *name, unsigned flags, GError **error)
{
    g_autoptr(GPtrArray) all = domain_snapshots(domain);

    for (unsigned i = 0; i < all->len; i++) {
        const SnapshotConfig *child = all->pdata[i];
        if (child->parent && !strcmp(child->parent->name, name) &&
            !domain_snapshot_delete(domain, child->name,
                                    (flags & DELETE_METADATA_ONLY) | DELETE_CHILDREN, error)) {
            return false;
        }
    }
    return true;
}

bool domain_snapshot_delete(Domain *domain, const char *name, unsigned flags, GError **error)
{
    g_autoptr(SnapshotConfig) snapshot = domain_snapshot_find(domain, name, error);

    if (!snapshot || (flags & (DELETE_CHILDREN | DELETE_CHILDREN_ONLY) &&
                      !delete_children(domain, name, flags, error))) {
        return false;
    }
    return flags & DELETE_CHILDREN_ONLY ||
           (write_journal(domain, flags & DELETE_METADATA_ONLY ? "forget" : "delete", 0, name,
                          error) &&
            delete_one(domain, snapshot, !(flags & DELETE_METADATA_ONLY), error));
}

bool domain_forget_snapshots(Domain *domain, GError **error)
{
    g_autoptr(GPtrArray) all = domain_snapshots(domain);

    for (unsigned i = 0; i < all->len; i++) {
        const SnapshotConfig *snapshot = all->pdata[i];
        if (!domain_snapshot_delete(domain, snapshot->name, DELETE_METADATA_ONLY, error)) {
            return false;
        }
    }
    return true;
}

/* ---- the begin of the daemon ---- */

/* What an earlier daemon has begun is ended. */
static bool finish(Domain *domain, const char *verb, unsigned step, const char *name,
                   GError **error)
{
    g_autoptr(SnapshotConfig) snapshot = domain_snapshot_find(domain, name, NULL);

    if (!strcmp(verb, "take")) {
        g_autoptr(DomainConfig) config = domain_config_now(domain, false);
        if (!snapshot) {
            undo_take(domain, config, step + 1, name);
        }
    } else if (!strcmp(verb, "revert") && snapshot) {
        return go_back(domain, snapshot, error) && end_journal(domain, error);
    } else if (snapshot) {
        return delete_one(domain, snapshot, strcmp(verb, "forget") != 0, error);
    }
    return end_journal(domain, error);
}

static void read_journal(Domain *domain)
{
    g_autofree char *path = journal_of(domain);
    g_autofree char *text = access(path, F_OK) ? NULL : store_read(path, NULL);
    g_auto(GStrv) words = text ? g_strsplit(text, " ", 3) : NULL;
    g_autoptr(GError) error = NULL;

    if (words && g_strv_length(words) == 3 && name_valid(words[2])) {
        unsigned step = (unsigned)g_ascii_strtoull(words[1], NULL, 10);
        report("domain '%s': snapshot '%s' was not finished (%s), and is now", domain->name,
               words[2], words[0]);
        if (!finish(domain, words[0], step, words[2], &error)) {
            report("domain '%s', snapshot '%s': %s", domain->name, words[2], error->message);
        }
    }
}

static void read_list(Domain *domain)
{
    g_autofree char *folder = folder_of(domain);
    g_autoptr(GPtrArray) files = store_read_all(folder, ".xml", NULL);
    g_autofree char *current = file_of(domain, "current", "");
    Snapshots *list = list_new();

    for (unsigned i = 0; files && i < files->len; i++) {
        const StoreFile *file = files->pdata[i];
        g_autoptr(GError) error = NULL;
        SnapshotConfig *snapshot =
            file->text ? snapshot_config_parse(file->text, DOMAIN_PARSE_INACTIVE, &error) : NULL;

        if (!snapshot || !snapshot->domain || g_strcmp0(snapshot->name, file->name) != 0) {
            report("snapshot '%s' of domain '%s' is left alone: %s", file->name, domain->name,
                   error ? error->message : "its file is none of ours");
            snapshot_config_free(snapshot);
            continue;
        }
        g_hash_table_replace(list->by_name, g_strdup(snapshot->name), snapshot);
    }
    if (access(current, F_OK) == 0) {
        g_autofree char *name = store_read(current, NULL);
        list->current = name && g_hash_table_contains(list->by_name, name) ? g_strdup(name) : NULL;
    }
    domain->snapshots = list;
}

void domain_load_snapshots(Domain *domain)
{
    if (!domain->snapshots) {
        read_list(domain);
        read_journal(domain);
    }
}
