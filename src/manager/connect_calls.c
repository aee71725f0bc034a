/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of the connection itself: opening it, what it can do, what it is.
 *
 * All are inline: on the main thread, in the order in which they came.
 */
#include <inttypes.h>
#include <string.h>

#include "manager/client.h"
#include "manager/dispatch.h"
#include "manager/limits.h"
#include "manager/server.h"

enum {
    OPEN_READ_ONLY = 1, /* of OPEN's flags */
    AUTH_NONE = 0,
    /* Versions (major * 1000000 + minor * 1000 + micro) by which clients choose what to ask for: of
     * the QEMU and the libvirt whose behaviour theirs is. */
    HYPERVISOR_VERSION = 7002000,
    LIBRARY_VERSION = 9000000,
};

/* libvirt's numbers of features, and what we have of them. */
static const int32_t features[] = {
    8,                 /* descriptors are passed */
    9,                 /* typed parameters may be strings */
    FEATURE_KEEPALIVE, /* pings are answered */
    14,                /* events have callback ids */
    15,                /* close callbacks */
    16,                /* arguments of a network's update are in order */
};

static bool auth_list(Call *call, const void *args, void *ret, GError **error)
{
    RemoteAuthListRet *r = ret;

    r->types = g_new0(int32_t, 1);
    r->types[0] = AUTH_NONE;
    r->n_types = 1;
    return true;
}

/* @name without the query: is it ours? */
static bool is_ours(const char *name)
{
    static const char *const ours[] = { "", "qemu:///system", "qemu:///session", "insula:///system",
                                        "insula:///session" };
    const size_t len = strcspn(name, "?#");

    for (unsigned i = 0; i < G_N_ELEMENTS(ours); i++) {
        if (strlen(ours[i]) == len && strncmp(ours[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool open_connection(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectOpenArgs *a = args;
    const char *name = a->name ? a->name : "";
    const char *usual = call_daemon(call)->privileged ? "qemu:///system" : "qemu:///session";
    Client *client = call_client(call);

    if (client->who.opened) {
        remote_error_set(error, REMOTE_ERR_INTERNAL, "internal error: connection already open");
        return false;
    }
    if (!is_ours(name)) {
        remote_error_set(error, REMOTE_ERR_INTERNAL, "internal error: unexpected URI '%s', try %s",
                         name, usual);
        return false;
    }
    g_mutex_lock(&client->lock);
    client->who.read_only |= (a->flags & OPEN_READ_ONLY) != 0;
    client->who.opened = true;
    g_mutex_unlock(&client->lock);
    client->uri = name[0] ? g_strndup(name, strcspn(name, "?#")) : g_strdup(usual);
    server_welcome(call_daemon(call)->server, client);
    return true;
}

static bool close_connection(Call *call, const void *args, void *ret, GError **error)
{
    client_close_when_sent(call_client(call));
    return true;
}

static bool supports_feature(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteConnectSupportsFeatureArgs *a = args;
    RemoteConnectSupportsFeatureRet *r = ret;

    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        r->supported |= features[i] == a->feature;
    }
    if (a->feature == FEATURE_KEEPALIVE) {
        call_client(call)->pings = true;
    }
    return true;
}

static bool get_type(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetTypeRet *)ret)->type = g_strdup("QEMU"); /* what clients know */
    return true;
}

static bool get_version(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetVersionRet *)ret)->hv_ver = HYPERVISOR_VERSION;
    return true;
}

static bool get_lib_version(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetLibVersionRet *)ret)->lib_ver = LIBRARY_VERSION;
    return true;
}

static bool get_uri(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectGetUriRet *)ret)->uri = g_strdup(call_client(call)->uri);
    return true;
}

/* A local socket is as good as encryption. */
static bool is_secure(Call *call, const void *args, void *ret, GError **error)
{
    ((RemoteConnectIsSecureRet *)ret)->secure = 1;
    return true;
}

static bool register_close(Call *call, const void *args, void *ret, GError **error)
{
    Client *client = call_client(call);

    if (client->close_callback) {
        remote_error_set(
            error, REMOTE_ERR_OPERATION_INVALID,
            "Requested operation is not valid: a close callback is already registered");
        return false;
    }
    client->close_callback = true;
    return true;
}

static bool unregister_close(Call *call, const void *args, void *ret, GError **error)
{
    Client *client = call_client(call);

    if (!client->close_callback) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: no close callback is registered");
        return false;
    }
    client->close_callback = false;
    return true;
}

const CallRow connect_calls[] = {
    { REMOTE_PROC_AUTH_LIST, auth_list },
    { REMOTE_PROC_CONNECT_OPEN, open_connection },
    { REMOTE_PROC_CONNECT_CLOSE, close_connection },
    { REMOTE_PROC_CONNECT_SUPPORTS_FEATURE, supports_feature },
    { REMOTE_PROC_CONNECT_GET_TYPE, get_type },
    { REMOTE_PROC_CONNECT_GET_VERSION, get_version },
    { REMOTE_PROC_CONNECT_GET_LIB_VERSION, get_lib_version },
    { REMOTE_PROC_CONNECT_GET_URI, get_uri },
    { REMOTE_PROC_CONNECT_IS_SECURE, is_secure },
    { REMOTE_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, register_close },
    { REMOTE_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, unregister_close },
    { 0 },
};
