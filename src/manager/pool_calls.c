/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of storage pools.
 *
 * Threads: workers.
 */
#include "common/program.h"
#include "manager/dispatch.h"
#include "manager/pool.h"
#include "manager/storage_reply.h"
#include "manager/volume.h"

enum { STATE_INACTIVE = 0, STATE_RUNNING = 2 };
enum { XML_INACTIVE = 1, CREATE_WITH_BUILD = 1 };

/* The pool that @args, whose first member is a RemotePool, names. */
static Pool *pool_of(const Call *call, const void *args, GError **error)
{
    const RemotePool *handle = args;

    return pools_by_uuid(call_daemon(call)->pools, handle->uuid, handle->name, error);
}

static bool give(Pool *pool, RemotePool *ret)
{
    if (pool) {
        pool_handle(pool, ret);
        pool_unref(pool);
    }
    return pool != NULL;
}

/* --- lists --- */

static GStrv names_of(const Call *call, uint32_t flags)
{
    g_autoptr(GPtrArray) list = pools_list(call_daemon(call)->pools, flags);
    GStrv names = g_new0(char *, list->len + 1);

    for (unsigned i = 0; i < list->len; i++) {
        names[i] = pool_name(g_ptr_array_index(list, i));
    }
    return names;
}

static int32_t count(const Call *call, uint32_t flags)
{
    g_autoptr(GPtrArray) list = pools_list(call_daemon(call)->pools, flags);

    return (int32_t)list->len;
}

static bool num_of_pools(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectNumOfStoragePoolsRet *)ret)->num = count(call, POOLS_ACTIVE);
    return true;
}

static bool list_pools(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListStoragePoolsArgs *in = args;
    RemoteConnectListStoragePoolsRet *out = ret;

    reply_names(names_of(call, POOLS_ACTIVE), in->maxnames, &out->names, &out->n_names);
    return true;
}

static bool num_of_defined_pools(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectNumOfDefinedStoragePoolsRet *)ret)->num = count(call, POOLS_INACTIVE);
    return true;
}

static bool list_defined_pools(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListDefinedStoragePoolsArgs *in = args;
    RemoteConnectListDefinedStoragePoolsRet *out = ret;

    reply_names(names_of(call, POOLS_INACTIVE), in->maxnames, &out->names, &out->n_names);
    return true;
}

static bool list_all_pools(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListAllStoragePoolsArgs *in = args;
    RemoteConnectListAllStoragePoolsRet *out = ret;
    g_autoptr(GPtrArray) list = pools_list(call_daemon(call)->pools, in->flags);

    out->ret = list->len;
    if (in->need_results) {
        out->pools = g_new0(RemotePool, list->len);
        out->n_pools = list->len;
        for (unsigned i = 0; i < list->len; i++) {
            pool_handle(g_ptr_array_index(list, i), &out->pools[i]);
        }
    }
    return true;
}

/* --- looking up --- */

static bool lookup_by_name(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolLookupByNameArgs *in = args;
    RemoteStoragePoolLookupByNameRet *out = ret;

    return give(pools_by_name(call_daemon(call)->pools, in->name, error), &out->pool);
}

static bool lookup_by_uuid(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolLookupByUuidArgs *in = args;
    RemoteStoragePoolLookupByUuidRet *out = ret;

    return give(pools_by_uuid(call_daemon(call)->pools, in->uuid, NULL, error), &out->pool);
}

static bool lookup_by_volume(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolLookupByVolumeArgs *in = args;
    RemoteStoragePoolLookupByVolumeRet *out = ret;

    return give(pools_by_name(call_daemon(call)->pools, in->vol.pool, error), &out->pool);
}

static bool lookup_by_path(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolLookupByTargetPathArgs *in = args;
    RemoteStoragePoolLookupByTargetPathRet *out = ret;

    return give(pools_by_path(call_daemon(call)->pools, in->path, error), &out->pool);
}

/* --- defining --- */

static bool define_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolDefineXmlArgs *in = args;
    RemoteStoragePoolDefineXmlRet *out = ret;
    g_autoptr(PoolConfig) config = pool_config_parse(in->xml, error);

    return config && give(pools_define(call_daemon(call)->pools, config, error), &out->pool);
}

static bool create_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolCreateXmlArgs *in = args;
    RemoteStoragePoolCreateXmlRet *out = ret;
    g_autoptr(PoolConfig) config = pool_config_parse(in->xml, error);

    return config && give(pools_create(call_daemon(call)->pools, config,
                                       in->flags & CREATE_WITH_BUILD, error),
                          &out->pool);
}

/* --- what happens to one --- */

static bool act(const Call *call, const void *args, bool (*what)(Pool *, GError **), GError **error)
{
    g_autoptr(Pool) pool = pool_of(call, args, error);

    return pool && what(pool, error);
}

static bool create(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolCreateArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, args, error);

    return pool &&
           (!(in->flags & CREATE_WITH_BUILD) || pool_is_active(pool) || pool_build(pool, error)) &&
           pool_start(pool, error);
}

static bool build(Call *call, const void *args, void *ret, GError **error)
{
    return act(call, args, pool_build, error);
}

static bool destroy(Call *call, const void *args, void *ret, GError **error)
{
    return act(call, args, pool_stop, error);
}

static bool delete (Call *call, const void *args, void *ret, GError **error)
{
    return act(call, args, pool_delete, error);
}

static bool undefine(Call *call, const void *args, void *ret, GError **error)
{
    return act(call, args, pool_undefine, error);
}

static bool refresh(Call *call, const void *args, void *ret, GError **error)
{
    return act(call, args, pool_refresh, error);
}

static bool set_autostart(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolSetAutostartArgs *in = args;
    g_autoptr(Pool) pool = pool_of(call, args, error);

    return pool && pool_set_autostart(pool, in->autostart != 0, error);
}

/* --- telling --- */

static bool get_info(Call *call, const void *args, void *ret, GError **error)
{
    RemoteStoragePoolGetInfoRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, args, error);
    PoolRoom room;

    if (!pool || !pool_room(pool, &room, error)) {
        return false;
    }
    out->state = pool_is_active(pool) ? STATE_RUNNING : STATE_INACTIVE;
    out->capacity = room.capacity;
    out->allocation = room.allocation;
    out->available = room.available;
    return true;
}

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolGetXmlDescArgs *in = args;
    RemoteStoragePoolGetXmlDescRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, args, error);

    return pool && reply_text(pool_xml(pool, in->flags & XML_INACTIVE, error), &out->xml);
}

static bool ask(const Call *call, const void *args, bool (*what)(Pool *), int32_t *ret,
                GError **error)
{
    g_autoptr(Pool) pool = pool_of(call, args, error);

    if (pool) {
        *ret = what(pool);
    }
    return pool != NULL;
}

static bool get_autostart(Call *call, const void *args, void *ret, GError **error)
{
    RemoteStoragePoolGetAutostartRet *out = ret;

    return ask(call, args, pool_has_autostart, &out->autostart, error);
}

static bool is_active(Call *call, const void *args, void *ret, GError **error)
{
    RemoteStoragePoolIsActiveRet *out = ret;

    return ask(call, args, pool_is_active, &out->active, error);
}

static bool is_persistent(Call *call, const void *args, void *ret, GError **error)
{
    RemoteStoragePoolIsPersistentRet *out = ret;

    return ask(call, args, pool_is_persistent, &out->persistent, error);
}

static bool get_capabilities(Call *call, const void *args, void *ret, GError **error)
{
    RemoteConnectGetStoragePoolCapabilitiesRet *out = ret;

    out->capabilities = g_strdup("<storagepoolCapabilities>\n"
                                 "  <pool type='dir' supported='yes'>\n"
                                 "    <volOptions>\n"
                                 "      <defaultFormat type='raw'/>\n"
                                 "      <enum name='targetFormatType'>\n"
                                 "        <value>raw</value>\n"
                                 "        <value>qcow2</value>\n"
                                 "      </enum>\n"
                                 "    </volOptions>\n"
                                 "  </pool>\n"
                                 "</storagepoolCapabilities>\n");
    return true;
}

static bool find_sources(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectFindStoragePoolSourcesArgs *in = args;

    remote_error_set(error, REMOTE_ERR_NO_SUPPORT,
                     "this function is not supported by the connection driver: pool type '%s' does "
                     "not support source discovery",
                     in->type);
    return false;
}

/* --- its volumes --- */

static bool num_of_volumes(Call *call, const void *args, void *ret, GError **error)
{
    RemoteStoragePoolNumOfVolumesRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, args, error);
    g_auto(GStrv) names = pool ? volume_names(pool, error) : NULL;

    out->num = names ? (int32_t)g_strv_length(names) : 0;
    return names != NULL;
}

static bool list_volumes(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolListVolumesArgs *in = args;
    RemoteStoragePoolListVolumesRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, args, error);
    GStrv names = pool ? volume_names(pool, error) : NULL;

    if (names) {
        reply_names(names, in->maxnames, &out->names, &out->n_names);
    }
    return names != NULL;
}

static bool list_all_volumes(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteStoragePoolListAllVolumesArgs *in = args;
    RemoteStoragePoolListAllVolumesRet *out = ret;
    g_autoptr(Pool) pool = pool_of(call, args, error);
    g_auto(GStrv) names = pool ? volume_names(pool, error) : NULL;
    unsigned n = names ? g_strv_length(names) : 0;

    if (!names) {
        return false;
    }
    out->ret = n;
    if (in->need_results) {
        g_autofree char *folder = pool_path(pool);
        out->vols = g_new0(RemoteVolume, n);
        out->n_vols = n;
        for (unsigned i = 0; i < n; i++) {
            out->vols[i].pool = pool_name(pool);
            out->vols[i].name = g_strdup(names[i]);
            out->vols[i].key = g_build_filename(folder, names[i], NULL);
        }
    }
    return true;
}

const CallRow pool_calls[] = {
    { REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS, num_of_pools },
    { REMOTE_PROC_CONNECT_LIST_STORAGE_POOLS, list_pools },
    { REMOTE_PROC_CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, num_of_defined_pools },
    { REMOTE_PROC_CONNECT_LIST_DEFINED_STORAGE_POOLS, list_defined_pools },
    { REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, list_all_pools },
    { REMOTE_PROC_CONNECT_FIND_STORAGE_POOL_SOURCES, find_sources },
    { REMOTE_PROC_CONNECT_GET_STORAGE_POOL_CAPABILITIES, get_capabilities },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, lookup_by_name },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_UUID, lookup_by_uuid },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_VOLUME, lookup_by_volume },
    { REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_TARGET_PATH, lookup_by_path },
    { REMOTE_PROC_STORAGE_POOL_DEFINE_XML, define_xml },
    { REMOTE_PROC_STORAGE_POOL_CREATE_XML, create_xml },
    { REMOTE_PROC_STORAGE_POOL_CREATE, create },
    { REMOTE_PROC_STORAGE_POOL_BUILD, build },
    { REMOTE_PROC_STORAGE_POOL_DESTROY, destroy },
    { REMOTE_PROC_STORAGE_POOL_DELETE, delete },
    { REMOTE_PROC_STORAGE_POOL_UNDEFINE, undefine },
    { REMOTE_PROC_STORAGE_POOL_REFRESH, refresh },
    { REMOTE_PROC_STORAGE_POOL_SET_AUTOSTART, set_autostart },
    { REMOTE_PROC_STORAGE_POOL_GET_AUTOSTART, get_autostart },
    { REMOTE_PROC_STORAGE_POOL_GET_INFO, get_info },
    { REMOTE_PROC_STORAGE_POOL_GET_XML_DESC, get_xml },
    { REMOTE_PROC_STORAGE_POOL_IS_ACTIVE, is_active },
    { REMOTE_PROC_STORAGE_POOL_IS_PERSISTENT, is_persistent },
    { REMOTE_PROC_STORAGE_POOL_NUM_OF_VOLUMES, num_of_volumes },
    { REMOTE_PROC_STORAGE_POOL_LIST_VOLUMES, list_volumes },
    { REMOTE_PROC_STORAGE_POOL_LIST_ALL_VOLUMES, list_all_volumes },
    { 0 },
};

/* --- the part of the daemon --- */

static bool start(Daemon *daemon, GError **error)
{
    g_autofree char *definitions = g_build_filename(daemon->paths.config, "pools", NULL);
    g_autofree char *live = g_build_filename(daemon->paths.runtime, "pools", NULL);
    g_autofree char *images = g_build_filename(daemon->paths.data, "images", NULL);
    g_autofree char *program = program_find("insula-disk", "disk");
    PoolsSetup setup = { .definitions = definitions,
                         .live = live,
                         .images = images,
                         .disk_program = program ? program : "insula-disk",
                         .events = daemon->events };

    daemon->pools = pools_new(&setup, error);
    return daemon->pools != NULL;
}

static void stop(Daemon *daemon)
{
    g_clear_pointer(&daemon->pools, pools_free);
}

const DaemonPart pools_part = { .name = "pools", .start = start, .stop = stop };
