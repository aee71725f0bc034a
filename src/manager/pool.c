/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage pools: the list, and what each of them goes through; see pool.h.
 */
#include "manager/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/error.h"
#include "config/identity.h"
#include "manager/event.h"
#include "manager/folder.h"
#include "manager/pool_object.h"
#include "manager/report.h"
#include "manager/storage_limits.h"
#include "manager/store.h"

#define SUFFIX_XML  ".xml"
#define SUFFIX_AUTO ".autostart"
/* That the default pool was made once. */
#define MARK_DEFAULT "default.made"

enum { LIST_PERSISTENT = 4, LIST_TRANSIENT = 8, LIST_AUTOSTART = 16, LIST_NO_AUTOSTART = 32 };
enum { LIST_DIR = 64, LIST_TYPES = 0xfffc0 };

/* --- one pool --- */

static Pool *pool_new(Pools *pools, const PoolConfig *config)
{
    Pool *pool = g_new0(Pool, 1);

    g_atomic_ref_count_init(&pool->refs);
    g_mutex_init(&pool->lock);
    pool->pools = pools;
    pool->config = pool_config_copy(config);
    pool->folder = -1;
    pool->volumes =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)volume_unref);
    return pool;
}

Pool *pool_ref(Pool *pool)
{
    g_atomic_ref_count_inc(&pool->refs);
    return pool;
}

void pool_unref(Pool *pool)
{
    if (g_atomic_ref_count_dec(&pool->refs)) {
        if (pool->folder >= 0) {
            close(pool->folder);
        }
        g_hash_table_unref(pool->volumes);
        pool_config_free(pool->config);
        pool_config_free(pool->next);
        g_mutex_clear(&pool->lock);
        g_free(pool);
    }
}

/* The file of @pool in @folder. */
static char *file_of(const Pool *pool, const char *folder, const char *suffix)
{
    return g_strdup_printf("%s/%s%s", folder, pool->config->name, suffix);
}

static void fill_handle(const Pool *pool, RemotePool *ret)
{
    ret->name = g_strdup(pool->config->name);
    memcpy(ret->uuid, pool->config->uuid, sizeof(ret->uuid));
}

/* libvirt's numbers of what happens to a pool. */
typedef enum PoolEvent {
    POOL_DEFINED,
    POOL_UNDEFINED,
    POOL_STARTED,
    POOL_STOPPED,
    POOL_CREATED,
    POOL_DELETED,
} PoolEvent;

static void tell(const Pool *pool, PoolEvent event)
{
    RemotePoolLifecycleMsg msg = { .event = event };

    if (pool->pools->events) {
        fill_handle(pool, &msg.pool);
        events_pool(pool->pools->events, &msg.pool, REMOTE_EVENT_POOL_LIFECYCLE, &msg);
        g_free(msg.pool.name);
    }
}

void pool_tell_refresh(const Pool *pool)
{
    RemotePoolRefreshMsg msg = { 0 };

    if (pool->pools->events) {
        fill_handle(pool, &msg.pool);
        events_pool(pool->pools->events, &msg.pool, REMOTE_EVENT_POOL_REFRESH, &msg);
        g_free(msg.pool.name);
    }
}

bool pool_must_be_active(const Pool *pool, GError **error)
{
    if (pool->folder < 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: storage pool '%s' is not active",
                         pool->config->name);
    }
    return pool->folder >= 0;
}

static bool must_be_stopped(const Pool *pool, const char *word, GError **error)
{
    if (pool->folder >= 0) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: storage pool '%s' is %s active",
                         pool->config->name, word);
    }
    return pool->folder < 0;
}

/* With its lock held. */
static bool start(Pool *pool, GError **error)
{
    g_autofree char *live = file_of(pool, pool->pools->live, SUFFIX_XML);
    g_autofree char *xml = pool_config_format(pool->config, NULL, NULL);

    if (!must_be_stopped(pool, "already", error)) {
        return false;
    }
    pool->folder = folder_open(pool->config->path, error);
    if (pool->folder < 0) {
        return false;
    }
    if (!pool_scan(pool, error) || !store_write(live, xml, error)) {
        g_hash_table_remove_all(pool->volumes);
        close(pool->folder);
        pool->folder = -1;
        return false;
    }
    tell(pool, POOL_STARTED);
    return true;
}

/* --- the list; functions of this part are called with its lock held --- */

static Pool *find(Pools *pools, const char *name, const uint8_t *uuid, const char *path)
{
    for (unsigned i = 0; i < pools->pools->len; i++) {
        Pool *pool = g_ptr_array_index(pools->pools, i);
        if ((!name || !strcmp(pool->config->name, name)) &&
            (!uuid || !memcmp(pool->config->uuid, uuid, sizeof(pool->config->uuid))) &&
            (!path || !strcmp(pool->config->path, path))) {
            return pool;
        }
    }
    return NULL;
}

/* The pool that @config means, or NULL and *@ret_fits: none, and there may be one. */
static Pool *match(Pools *pools, const PoolConfig *config, bool *ret_fits, GError **error)
{
    Pool *named = find(pools, config->name, NULL, NULL);
    Pool *same = config->has_uuid ? find(pools, NULL, config->uuid, NULL) : NULL;
    Pool *there = find(pools, NULL, NULL, config->path);

    *ret_fits = false;
    if (named && config->has_uuid && named != same) {
        g_autofree char *uuid = uuid_format(named->config->uuid);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: pool '%s' already exists with uuid %s", config->name,
                         uuid);
        return NULL;
    }
    if (same && !named) {
        g_autofree char *uuid = uuid_format(config->uuid);
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: pool '%s' is already defined with uuid %s",
                         same->config->name, uuid);
        return NULL;
    }
    if (there && there != named) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: Storage source conflict with pool: '%s'",
                         there->config->name);
        return NULL;
    }
    if (!named && pools->pools->len >= POOLS_MAX) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: there are %d storage pools, which is all there may be",
                         POOLS_MAX);
        return NULL;
    }
    *ret_fits = true;
    return named;
}

/* A new one for @config, with a UUID, in the list. */
static Pool *add(Pools *pools, const PoolConfig *config)
{
    Pool *pool = pool_new(pools, config);

    if (!config->has_uuid) {
        uuid_make(pool->config->uuid);
        pool->config->has_uuid = true;
    }
    g_ptr_array_add(pools->pools, pool);
    return pool;
}

static void take_out(Pools *pools, Pool *pool)
{
    pool->gone = true;
    g_ptr_array_remove(pools->pools, pool);
}

/* --- looking up --- */

static Pool *found(Pools *pools, Pool *pool)
{
    if (pool) {
        pool_ref(pool);
    }
    g_mutex_unlock(&pools->lock);
    return pool;
}

Pool *pools_by_name(Pools *pools, const char *name, GError **error)
{
    g_mutex_lock(&pools->lock);
    Pool *pool = found(pools, find(pools, name, NULL, NULL));
    if (!pool) {
        remote_error_set(error, REMOTE_ERR_NO_STORAGE_POOL,
                         "Storage pool not found: no storage pool with matching name '%s'", name);
    }
    return pool;
}

Pool *pools_by_uuid(Pools *pools, const uint8_t uuid[16], const char *name, GError **error)
{
    g_mutex_lock(&pools->lock);
    Pool *pool = found(pools, find(pools, NULL, uuid, NULL));
    if (!pool) {
        g_autofree char *text = uuid_format(uuid);
        g_autofree char *of = name ? g_strdup_printf(" (%s)", name) : g_strdup("");
        remote_error_set(error, REMOTE_ERR_NO_STORAGE_POOL,
                         "Storage pool not found: no storage pool with matching uuid '%s'%s", text,
                         of);
    }
    return pool;
}

Pool *pools_by_path(Pools *pools, const char *path, GError **error)
{
    g_autofree char *clean = g_canonicalize_filename(path, "/");

    g_mutex_lock(&pools->lock);
    Pool *pool = found(pools, find(pools, NULL, NULL, clean));
    if (!pool) {
        remote_error_set(error, REMOTE_ERR_NO_STORAGE_POOL,
                         "Storage pool not found: no storage pool with matching target path '%s'",
                         path);
    }
    return pool;
}

/* Whether a bit of the group says so, or none of the group is set. */
static bool group_fits(uint32_t flags, uint32_t yes, uint32_t no, bool is)
{
    return !(flags & (yes | no)) || (flags & (is ? yes : no));
}

static bool fits(const Pool *pool, uint32_t flags)
{
    return group_fits(flags, POOLS_ACTIVE, POOLS_INACTIVE, pool->folder >= 0) &&
           group_fits(flags, LIST_PERSISTENT, LIST_TRANSIENT, pool->persistent) &&
           group_fits(flags, LIST_AUTOSTART, LIST_NO_AUTOSTART, pool->autostart) &&
           (!(flags & LIST_TYPES) || (flags & LIST_DIR));
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const Pool *const *left = a, *const *right = b;

    return strcmp((*left)->config->name, (*right)->config->name);
}

GPtrArray *pools_list(Pools *pools, uint32_t flags)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)pool_unref);

    g_mutex_lock(&pools->lock);
    for (unsigned i = 0; i < pools->pools->len; i++) {
        Pool *pool = g_ptr_array_index(pools->pools, i);
        g_mutex_lock(&pool->lock);
        if (fits(pool, flags)) {
            g_ptr_array_add(list, pool_ref(pool));
        }
        g_mutex_unlock(&pool->lock);
    }
    g_ptr_array_sort(list, by_name);
    g_mutex_unlock(&pools->lock);
    return list;
}

/* --- defining --- */

/* With its lock held: @config is what it is defined as. */
static bool redefine(Pool *pool, const PoolConfig *config, GError **error)
{
    g_autofree char *path = file_of(pool, pool->pools->definitions, SUFFIX_XML);
    PoolConfig *next = pool_config_copy(config);

    memcpy(next->uuid, pool->config->uuid, sizeof(next->uuid));
    next->has_uuid = true;
    g_autofree char *xml = pool_config_format(next, NULL, NULL);
    if (!store_write(path, xml, error)) {
        pool_config_free(next);
        return false;
    }
    g_clear_pointer(&pool->next, pool_config_free);
    if (pool->folder >= 0) {
        pool->next = next;
    } else {
        pool_config_free(pool->config);
        pool->config = next;
    }
    pool->persistent = true;
    tell(pool, POOL_DEFINED);
    return true;
}

Pool *pools_define(Pools *pools, const PoolConfig *config, GError **error)
{
    bool may_be = false;

    g_mutex_lock(&pools->lock);
    Pool *pool = match(pools, config, &may_be, error);
    bool is_new = may_be && !pool;
    if (is_new) {
        pool = add(pools, config);
    }
    bool done = false;
    if (pool) {
        g_mutex_lock(&pool->lock);
        done = redefine(pool, config, error);
        g_mutex_unlock(&pool->lock);
    }
    if (done) {
        pool_ref(pool);
    } else if (is_new) {
        take_out(pools, pool);
    }
    g_mutex_unlock(&pools->lock);
    return done ? pool : NULL;
}

static bool build(Pool *pool, GError **error)
{
    return folder_make(pool->config->path, &pool->config->rights, error);
}

Pool *pools_create(Pools *pools, const PoolConfig *config, bool with_build, GError **error)
{
    bool may_be = false, done = false;

    g_mutex_lock(&pools->lock);
    Pool *pool = match(pools, config, &may_be, error);
    bool is_new = may_be && !pool;
    if (is_new) {
        pool = add(pools, config);
    }
    if (pool) {
        g_mutex_lock(&pool->lock);
        done = must_be_stopped(pool, "already", error) && (!with_build || build(pool, error)) &&
               start(pool, error);
        g_mutex_unlock(&pool->lock);
    }
    if (done) {
        pool_ref(pool);
    } else if (is_new) {
        take_out(pools, pool);
    }
    g_mutex_unlock(&pools->lock);
    return done ? pool : NULL;
}

/* --- what happens to one --- */

bool pool_build(Pool *pool, GError **error)
{
    g_mutex_lock(&pool->lock);
    bool done = must_be_stopped(pool, "already", error) && build(pool, error);
    if (done) {
        tell(pool, POOL_CREATED);
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

/* With its lock held.  One that was looked up, and then undefined, isn't there any more. */
static bool must_be_there(const Pool *pool, GError **error)
{
    if (pool->gone) {
        remote_error_set(error, REMOTE_ERR_NO_STORAGE_POOL,
                         "Storage pool not found: no storage pool with matching name '%s'",
                         pool->config->name);
    }
    return !pool->gone;
}

bool pool_start(Pool *pool, GError **error)
{
    g_mutex_lock(&pool->lock);
    bool done = must_be_there(pool, error) && start(pool, error);
    g_mutex_unlock(&pool->lock);
    return done;
}

/* With its lock held: it was active. */
static void put_out(Pool *pool)
{
    g_hash_table_remove_all(pool->volumes);
    close(pool->folder);
    pool->folder = -1;
    if (pool->next) {
        pool_config_free(pool->config);
        pool->config = g_steal_pointer(&pool->next);
    }
    tell(pool, POOL_STOPPED);
}

static bool stop(Pool *pool, GError **error)
{
    g_autofree char *live = file_of(pool, pool->pools->live, SUFFIX_XML);

    if (!pool_must_be_active(pool, error)) {
        return false;
    }
    if (pool->jobs) {
        remote_error_set(error, REMOTE_ERR_RESOURCE_BUSY,
                         "resource busy: volumes of storage pool '%s' are being worked on",
                         pool->config->name);
        return false;
    }
    if (!store_remove(live, error)) {
        return false;
    }
    put_out(pool);
    return true;
}

bool pool_stop(Pool *pool, GError **error)
{
    Pools *pools = pool->pools;

    g_mutex_lock(&pools->lock);
    g_mutex_lock(&pool->lock);
    bool done = stop(pool, error);
    g_mutex_unlock(&pool->lock);
    if (done && !pool->persistent && !pool->gone) {
        take_out(pools, pool);
    }
    g_mutex_unlock(&pools->lock);
    return done;
}

bool pool_delete(Pool *pool, GError **error)
{
    g_mutex_lock(&pool->lock);
    bool done = must_be_stopped(pool, "still", error) && folder_remove(pool->config->path, error);
    if (done) {
        tell(pool, POOL_DELETED);
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

/* With its lock held: its files go, the definition last. */
static bool forget(Pool *pool, GError **error)
{
    g_autofree char *xml = file_of(pool, pool->pools->definitions, SUFFIX_XML);
    g_autofree char *mark = file_of(pool, pool->pools->definitions, SUFFIX_AUTO);

    return must_be_there(pool, error) && must_be_stopped(pool, "still", error) &&
           store_remove(mark, error) && store_remove(xml, error);
}

bool pool_undefine(Pool *pool, GError **error)
{
    Pools *pools = pool->pools;

    g_mutex_lock(&pools->lock);
    g_mutex_lock(&pool->lock);
    bool done = forget(pool, error);
    if (done) {
        tell(pool, POOL_UNDEFINED);
    }
    g_mutex_unlock(&pool->lock);
    if (done) {
        take_out(pools, pool);
    }
    g_mutex_unlock(&pools->lock);
    return done;
}

bool pool_refresh(Pool *pool, GError **error)
{
    g_mutex_lock(&pool->lock);
    bool done = pool_must_be_active(pool, error) && pool_scan(pool, error);
    if (done) {
        pool_tell_refresh(pool);
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

bool pool_set_autostart(Pool *pool, bool on, GError **error)
{
    bool done = true;

    g_mutex_lock(&pool->lock);
    g_autofree char *mark = file_of(pool, pool->pools->definitions, SUFFIX_AUTO);
    if (!pool->persistent) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: a transient storage pool can't start by itself");
        done = false;
    } else if (on != pool->autostart) {
        done = on ? store_write(mark, "", error) : store_remove(mark, error);
    }
    if (done) {
        pool->autostart = on;
    }
    g_mutex_unlock(&pool->lock);
    return done;
}

/* --- telling --- */

void pool_handle(Pool *pool, RemotePool *ret)
{
    g_mutex_lock(&pool->lock);
    fill_handle(pool, ret);
    g_mutex_unlock(&pool->lock);
}

char *pool_name(Pool *pool)
{
    g_mutex_lock(&pool->lock);
    char *name = g_strdup(pool->config->name);
    g_mutex_unlock(&pool->lock);
    return name;
}

char *pool_path(Pool *pool)
{
    g_mutex_lock(&pool->lock);
    char *path = g_strdup(pool->config->path);
    g_mutex_unlock(&pool->lock);
    return path;
}

static bool ask(Pool *pool, const bool *what)
{
    g_mutex_lock(&pool->lock);
    bool answer = *what;
    g_mutex_unlock(&pool->lock);
    return answer;
}

bool pool_is_active(Pool *pool)
{
    g_mutex_lock(&pool->lock);
    bool active = pool->folder >= 0;
    g_mutex_unlock(&pool->lock);
    return active;
}

bool pool_is_persistent(Pool *pool)
{
    return ask(pool, &pool->persistent);
}

bool pool_has_autostart(Pool *pool)
{
    return ask(pool, &pool->autostart);
}

/* With its lock held. */
static bool measure(const Pool *pool, PoolRoom *ret_room, GError **error)
{
    struct statvfs st;
    PoolRoom room = { 0 };

    if (pool->folder >= 0) {
        if (fstatvfs(pool->folder, &st) < 0) {
            set_error_errno(error, errno, "cannot say how full '%s' is", pool->config->path);
            return false;
        }
        room.capacity = (uint64_t)st.f_blocks * st.f_frsize;
        room.available = (uint64_t)st.f_bavail * st.f_frsize;
        room.allocation = room.capacity - (uint64_t)st.f_bfree * st.f_frsize;
    }
    *ret_room = room;
    return true;
}

bool pool_room(Pool *pool, PoolRoom *ret_room, GError **error)
{
    g_mutex_lock(&pool->lock);
    bool done = measure(pool, ret_room, error);
    g_mutex_unlock(&pool->lock);
    return done;
}

char *pool_xml(Pool *pool, bool inactive, GError **error)
{
    char *xml = NULL;
    PoolRoom room = { 0 };
    struct stat st;

    g_mutex_lock(&pool->lock);
    if (inactive && pool->next) {
        xml = pool_config_format(pool->next, NULL, NULL);
    } else if (inactive || pool->folder < 0) {
        xml = pool_config_format(pool->config, NULL, NULL);
    } else if (measure(pool, &room, error) && fstat(pool->folder, &st) == 0) {
        FileRights rights = { .has_mode = true, .has_owner = true, .has_group = true };
        rights.mode = st.st_mode & 07777;
        rights.owner = st.st_uid;
        rights.group = st.st_gid;
        xml = pool_config_format(pool->config, &room, &rights);
    }
    g_mutex_unlock(&pool->lock);
    return xml;
}

/* --- the begin --- */

/* The configuration in a file, which is @file's name; NULL: it is told of. */
static PoolConfig *read_config(const StoreFile *file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PoolConfig) config = file->text ? pool_config_parse(file->text, &error) : NULL;

    if (!config) {
        g_warning("storage pool '%s' is left out: %s", file->name,
                  file->text ? error->message : file->why);
    } else if (strcmp(config->name, file->name) || !config->has_uuid) {
        g_warning("storage pool '%s' is left out: its file doesn't say that name and a UUID",
                  file->name);
        return NULL;
    }
    return g_steal_pointer(&config);
}

/* Add what is in @folder: definitions, or what was active. */
static bool read_folder(Pools *pools, const char *folder, bool live, GError **error)
{
    g_autoptr(GPtrArray) files = store_read_all(folder, SUFFIX_XML, error);

    if (!files) {
        return false;
    }
    for (unsigned i = 0; i < files->len; i++) {
        g_autoptr(PoolConfig) config = read_config(g_ptr_array_index(files, i));
        g_autoptr(GError) why = NULL;
        bool may_be = false;
        if (!config) {
            continue;
        }
        Pool *pool = match(pools, config, &may_be, &why);
        if (!pool && may_be) {
            pool = add(pools, config);
            pool->persistent = !live;
        }
        if (!pool || (live && !start(pool, &why))) {
            g_warning("storage pool '%s' is left out: %s", config->name, why->message);
        }
        if (pool && live && !pool->persistent && pool->folder < 0) {
            take_out(pools, pool);
        }
    }
    return true;
}

static void start_by_itself(Pools *pools)
{
    for (unsigned i = 0; i < pools->pools->len; i++) {
        Pool *pool = g_ptr_array_index(pools->pools, i);
        g_autofree char *mark = file_of(pool, pools->definitions, SUFFIX_AUTO);
        g_autoptr(GError) error = NULL;
        pool->autostart = pool->persistent && g_file_test(mark, G_FILE_TEST_EXISTS);
        if (pool->autostart && pool->folder < 0 && !start(pool, &error)) {
            g_warning("storage pool '%s' does not start: %s", pool->config->name, error->message);
        }
    }
}

/* At the first start there is a default pool. */
static bool make_default(Pools *pools, const char *images, GError **error)
{
    g_autofree char *mark = g_strdup_printf("%s/%s", pools->definitions, MARK_DEFAULT);
    g_autofree char *real = NULL;

    if (g_file_test(mark, G_FILE_TEST_EXISTS)) {
        return true;
    }
    if (!store_folder(images, error)) {
        return false;
    }
    real = realpath(images, NULL);
    PoolConfig config = { .name = g_strdup(POOL_DEFAULT), .path = real };
    if (!find(pools, POOL_DEFAULT, NULL, NULL) && !find(pools, NULL, NULL, real)) {
        g_autoptr(Pool) pool = pools_define(pools, &config, error);
        if (!pool || !pool_set_autostart(pool, true, error)) {
            g_free(config.name);
            return false;
        }
    }
    g_free(config.name);
    return store_write(mark, "", error);
}

Pools *pools_new(const PoolsSetup *setup, GError **error)
{
    Pools *pools = g_new0(Pools, 1);

    g_mutex_init(&pools->lock);
    pools->pools = g_ptr_array_new_with_free_func((GDestroyNotify)pool_unref);
    pools->definitions = g_strdup(setup->definitions);
    pools->live = g_strdup(setup->live);
    pools->disk_program = g_strdup(setup->disk_program);
    store_folder_later(pools->definitions);
    store_folder_later(pools->live);
    if (!read_folder(pools, pools->definitions, false, error) ||
        !read_folder(pools, pools->live, true, error)) {
        pools_free(pools);
        return NULL;
    }
    g_autoptr(GError) no_default = NULL;
    if (!make_default(pools, setup->images, &no_default)) {
        report("there is no default pool yet: %s", no_default->message);
    }
    start_by_itself(pools);
    pools->events = setup->events;
    return pools;
}

void pools_free(Pools *pools)
{
    if (pools) {
        g_ptr_array_unref(pools->pools);
        g_mutex_clear(&pools->lock);
        g_free(pools->definitions);
        g_free(pools->live);
        g_free(pools->disk_program);
        g_free(pools);
    }
}
