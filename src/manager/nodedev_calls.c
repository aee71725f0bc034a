/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of node devices.
 *
 * Threads: workers.
 */
#include "manager/dispatch.h"
#include "manager/nodedev.h"
#include "manager/storage_reply.h"

static bool num_of_devices(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeNumOfDevicesArgs *in = args;
    g_auto(GStrv) names = node_devices_list(call_daemon(call)->node_devices, in->cap);

    ((RemoteNodeNumOfDevicesRet *)ret)->num = (int32_t)g_strv_length(names);
    return true;
}

static bool list_devices(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeListDevicesArgs *in = args;
    RemoteNodeListDevicesRet *out = ret;

    reply_names(node_devices_list(call_daemon(call)->node_devices, in->cap), in->maxnames,
                &out->names, &out->n_names);
    return true;
}

static bool list_all_devices(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectListAllNodeDevicesArgs *in = args;
    RemoteConnectListAllNodeDevicesRet *out = ret;
    g_auto(GStrv) names = node_devices_list_flags(call_daemon(call)->node_devices, in->flags);

    out->ret = g_strv_length(names);
    if (in->need_results) {
        out->n_devices = out->ret;
        out->devices = g_new0(RemoteNodeDevice, out->ret);
        for (uint32_t i = 0; i < out->ret; i++) {
            out->devices[i].name = g_strdup(names[i]);
        }
    }
    return true;
}

/* Whether there is the device whose name is the first member of @args. */
static const char *name_of(const Call *call, const void *args, GError **error)
{
    const RemoteNodeDeviceLookupByNameArgs *in = args;

    return node_devices_cap(call_daemon(call)->node_devices, in->name, error) ? in->name : NULL;
}

static bool lookup_by_name(Call *call, const void *args, void *ret, GError **error)
{
    const char *name = name_of(call, args, error);

    ((RemoteNodeDeviceLookupByNameRet *)ret)->dev.name = g_strdup(name);
    return name != NULL;
}

static bool get_xml(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeDeviceGetXmlDescArgs *in = args;
    RemoteNodeDeviceGetXmlDescRet *out = ret;

    return reply_text(node_devices_xml(call_daemon(call)->node_devices, in->name, error),
                      &out->xml);
}

static bool get_parent(Call *call, const void *args, void *ret, GError **error)
{
    const char *name = name_of(call, args, error);

    ((RemoteNodeDeviceGetParentRet *)ret)->parent_name =
        name ? g_strdup(node_devices_parent(name)) : NULL;
    return name != NULL;
}

static bool num_of_caps(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteNodeDeviceNumOfCapsRet *)ret)->num = 1;
    return name_of(call, args, error) != NULL;
}

static bool list_caps(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteNodeDeviceListCapsArgs *in = args;
    RemoteNodeDeviceListCapsRet *out = ret;
    const char *cap = node_devices_cap(call_daemon(call)->node_devices, in->name, error);
    const char *caps[] = { cap, NULL };

    if (cap) {
        reply_names(g_strdupv((char **)caps), in->maxnames, &out->names, &out->n_names);
    }
    return cap != NULL;
}

static bool is_active(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteNodeDeviceIsActiveRet *)ret)->active = 1;
    return name_of(call, args, error) != NULL;
}

const CallRow node_device_calls[] = {
    { REMOTE_PROC_NODE_NUM_OF_DEVICES, num_of_devices },
    { REMOTE_PROC_NODE_LIST_DEVICES, list_devices },
    { REMOTE_PROC_CONNECT_LIST_ALL_NODE_DEVICES, list_all_devices },
    { REMOTE_PROC_NODE_DEVICE_LOOKUP_BY_NAME, lookup_by_name },
    { REMOTE_PROC_NODE_DEVICE_GET_XML_DESC, get_xml },
    { REMOTE_PROC_NODE_DEVICE_GET_PARENT, get_parent },
    { REMOTE_PROC_NODE_DEVICE_NUM_OF_CAPS, num_of_caps },
    { REMOTE_PROC_NODE_DEVICE_LIST_CAPS, list_caps },
    { REMOTE_PROC_NODE_DEVICE_IS_ACTIVE, is_active },
    { 0 },
};

/* --- the part of the daemon --- */

static bool start(Daemon *daemon, GError **error)
{
    daemon->node_devices = node_devices_new("");
    return true;
}

static void stop(Daemon *daemon)
{
    g_clear_pointer(&daemon->node_devices, node_devices_free);
}

const DaemonPart node_devices_part = { .name = "node devices", .start = start, .stop = stop };
