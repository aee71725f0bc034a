/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of networks.
 *
 * Threads: workers.
 */
#include "manager/dispatch.h"
#include "manager/network.h"
#include "manager/storage_reply.h"

enum { XML_INACTIVE = 1 };

/* --- lists --- */

static int32_t count(const Call *call, uint32_t flags)
{
    RemoteConnectListAllNetworksRet list = { 0 };

    list.nets = networks_list(call_daemon(call)->networks, flags, &list.n_nets);
    int32_t n = (int32_t)list.n_nets;
    xdr_clear(remote_procedure(REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS)->ret, &list);
    return n;
}

static GStrv names_of(const Call *call, uint32_t flags)
{
    uint32_t n = 0;
    g_autofree RemoteNetwork *list = networks_list(call_daemon(call)->networks, flags, &n);
    GStrv names = g_new0(char *, (size_t)n + 1);

    for (uint32_t i = 0; i < n; i++) {
        names[i] = list[i].name;
    }
    return names;
}

static bool num_of_networks(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectNumOfNetworksRet *)ret)->num = count(call, NETWORKS_ACTIVE);
    return true;
}

static bool list_networks(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListNetworksArgs *in = args;
    RemoteConnectListNetworksRet *out = ret;

    reply_names(names_of(call, NETWORKS_ACTIVE), in->maxnames, &out->names, &out->n_names);
    return true;
}

static bool num_of_defined_networks(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectNumOfDefinedNetworksRet *)ret)->num = count(call, NETWORKS_INACTIVE);
    return true;
}

static bool list_defined_networks(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListDefinedNetworksArgs *in = args;
    RemoteConnectListDefinedNetworksRet *out = ret;

    reply_names(names_of(call, NETWORKS_INACTIVE), in->maxnames, &out->names, &out->n_names);
    return true;
}

static bool list_all_networks(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListAllNetworksArgs *in = args;
    RemoteConnectListAllNetworksRet *out = ret;

    if (in->need_results) {
        out->nets = networks_list(call_daemon(call)->networks, in->flags, &out->n_nets);
        out->ret = out->n_nets;
    } else {
        out->ret = (uint32_t)count(call, in->flags);
    }
    return true;
}

/* --- looking up, defining --- */

static bool lookup_by_name(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkLookupByNameArgs *in = args;
    RemoteNetworkLookupByNameRet *out = ret;

    return networks_by_name(call_daemon(call)->networks, in->name, &out->net, error);
}

static bool lookup_by_uuid(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkLookupByUuidArgs *in = args;
    RemoteNetworkLookupByUuidRet *out = ret;

    return networks_by_uuid(call_daemon(call)->networks, in->uuid, &out->net, error);
}

static bool define_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkDefineXmlArgs *in = args;
    RemoteNetworkDefineXmlRet *out = ret;

    return networks_define(call_daemon(call)->networks, in->xml, &out->net, error);
}

static bool create_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkCreateXmlArgs *in = args;
    RemoteNetworkCreateXmlRet *out = ret;

    return networks_create(call_daemon(call)->networks, in->xml, &out->net, error);
}

/* --- what happens to one; its handle is the first member of @args --- */

static bool create(Call *call, const void *args, void *ret, GError **error)
{
    return networks_start(call_daemon(call)->networks, args, error);
}

static bool destroy(Call *call, const void *args, void *ret, GError **error)
{
    return networks_stop(call_daemon(call)->networks, args, error);
}

static bool undefine(Call *call, const void *args, void *ret, GError **error)
{
    return networks_undefine(call_daemon(call)->networks, args, error);
}

static bool set_autostart(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkSetAutostartArgs *in = args;

    return networks_set_autostart(call_daemon(call)->networks, &in->net, in->autostart != 0, error);
}

static bool update(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkUpdateArgs *in = args;
    NetworkUpdate what = { in->command, in->section, in->flags, in->xml };

    return networks_update(call_daemon(call)->networks, &in->net, &what, error);
}

/* --- telling --- */

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkGetXmlDescArgs *in = args;
    RemoteNetworkGetXmlDescRet *out = ret;

    return reply_text(
        networks_xml(call_daemon(call)->networks, &in->net, in->flags & XML_INACTIVE, error),
        &out->xml);
}

static bool get_autostart(Call *call, const void *args, void *ret, GError **error)
{
    NetworkState state = { 0 };
    bool done = networks_state(call_daemon(call)->networks, args, &state, error);

    ((RemoteNetworkGetAutostartRet *)ret)->autostart = state.autostart;
    return done;
}

static bool is_active(Call *call, const void *args, void *ret, GError **error)
{
    NetworkState state = { 0 };
    bool done = networks_state(call_daemon(call)->networks, args, &state, error);

    ((RemoteNetworkIsActiveRet *)ret)->active = state.active;
    return done;
}

static bool is_persistent(Call *call, const void *args, void *ret, GError **error)
{
    NetworkState state = { 0 };
    bool done = networks_state(call_daemon(call)->networks, args, &state, error);

    ((RemoteNetworkIsPersistentRet *)ret)->persistent = state.persistent;
    return done;
}

static bool get_bridge_name(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNetworkGetBridgeNameArgs *in = args;
    NetworkState state;

    if (networks_state(call_daemon(call)->networks, &in->net, &state, error)) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: network '%s' does not have a bridge name.", in->net.name);
    }
    return false;
}

const CallRow network_calls[] = {
    { REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, num_of_networks },
    { REMOTE_PROC_CONNECT_LIST_NETWORKS, list_networks },
    { REMOTE_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, num_of_defined_networks },
    { REMOTE_PROC_CONNECT_LIST_DEFINED_NETWORKS, list_defined_networks },
    { REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS, list_all_networks },
    { REMOTE_PROC_NETWORK_LOOKUP_BY_NAME, lookup_by_name },
    { REMOTE_PROC_NETWORK_LOOKUP_BY_UUID, lookup_by_uuid },
    { REMOTE_PROC_NETWORK_DEFINE_XML, define_xml },
    { REMOTE_PROC_NETWORK_CREATE_XML, create_xml },
    { REMOTE_PROC_NETWORK_CREATE, create },
    { REMOTE_PROC_NETWORK_DESTROY, destroy },
    { REMOTE_PROC_NETWORK_UNDEFINE, undefine },
    { REMOTE_PROC_NETWORK_SET_AUTOSTART, set_autostart },
    { REMOTE_PROC_NETWORK_UPDATE, update },
    { REMOTE_PROC_NETWORK_GET_XML_DESC, get_xml },
    { REMOTE_PROC_NETWORK_GET_AUTOSTART, get_autostart },
    { REMOTE_PROC_NETWORK_GET_BRIDGE_NAME, get_bridge_name },
    { REMOTE_PROC_NETWORK_IS_ACTIVE, is_active },
    { REMOTE_PROC_NETWORK_IS_PERSISTENT, is_persistent },
    { 0 },
};

/* --- the part of the daemon --- */

static bool start(Daemon *daemon, GError **error)
{
    g_autofree char *definitions = g_build_filename(daemon->paths.config, "networks", NULL);
    g_autofree char *live = g_build_filename(daemon->paths.runtime, "networks", NULL);
    NetworksSetup setup = { definitions, live, daemon->events };

    daemon->networks = networks_new(&setup, error);
    return daemon->networks != NULL;
}

static void stop(Daemon *daemon)
{
    g_clear_pointer(&daemon->networks, networks_free);
}

const DaemonPart networks_part = { .name = "networks", .start = start, .stop = stop };
