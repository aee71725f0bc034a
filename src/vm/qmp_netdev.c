/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about networks that NICs can be plugged into: netdev_add and netdev_del, and what went
 * over the NICs.
 *
 * A user network's process begins when a NIC is plugged in, for it must know the NIC's address.
 *
 * Threads: main.
 * Read first: vm/qmp_plug.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "vm/qmp_plug.h"

enum { NETDEVS_MAX = 64 };

static const char *const kind_words[] = { "tap", "user", NULL };
static const QmpType kind_type = { .meta = QMP_ENUM, .words = kind_words };

static const QmpType tap_options = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "fd", &qmp_str }, { 0 } },
};

static const QmpType user_options = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "ipv6", &qmp_bool, true }, { 0 } },
};

static const QmpType netdev_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "type", &kind_type }, { "id", &qmp_str }, { 0 } },
    .tag = "type",
    .variants = (const QmpVariant[]){ { "tap", &tap_options }, { "user", &user_options }, { 0 } },
};

void qmp_netdev_free(QmpNetdev *netdev)
{
    if (netdev) {
        if (netdev->config.kind == NET_TAP) {
            close(netdev->config.fd);
        }
        g_free(netdev->id);
        g_free(netdev->user);
        g_free(netdev);
    }
}

static QmpNetdev *lookup(const QmpPlug *plug, const char *id)
{
    for (unsigned i = 0; i < plug->netdevs->len; i++) {
        QmpNetdev *netdev = g_ptr_array_index(plug->netdevs, i);
        if (!strcmp(netdev->id, id)) {
            return netdev;
        }
    }
    return NULL;
}

QmpNetdev *qmp_netdev_find(const QmpPlug *plug, const char *id, GError **error)
{
    QmpNetdev *netdev = lookup(plug, id);

    if (!netdev) {
        set_error(error, "Property 'virtio-net-pci.netdev' can't find value '%s'", id);
    }
    return netdev;
}

/* Whether @fd is a tap device that works; it stays the caller's. */
static bool try_tap(int fd, GError **error)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    NetPort *port = copy < 0 ? NULL : net_port_new(NET_PORT_TAP, copy, "netdev_add", error);

    if (copy < 0) {
        set_error_errno(error, errno, "netdev_add: cannot keep the descriptor");
    } else if (!port) {
        close(copy);
    }
    net_port_free(port);
    return port != NULL;
}

static bool take_tap(QmpCall *call, NetConfig *config, GError **error)
{
    const char *name = json_object_get_string_member(call->args, "fd");

    config->fd = qmp_session_named_fd(call->session, name);
    if (config->fd < 0) {
        set_error(error, "File descriptor named '%s' has not been found", name);
        return false;
    }
    if (!try_tap(config->fd, error)) {
        close(config->fd);
        return false;
    }
    return true;
}

static JsonNode *netdev_add(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *id = json_object_get_string_member(call->args, "id");
    bool tap = !strcmp(json_object_get_string_member(call->args, "type"), "tap");
    NetConfig config = { .kind = tap ? NET_TAP : NET_USER, .queues = 1, .fd = -1 };

    if (!qmp_is_id(id)) {
        set_error(error, "Parameter 'id' expects an identifier");
    } else if (lookup(qmp->plug, id)) {
        set_error(error, "Duplicate ID '%s' for netdev", id);
    } else if (qmp->plug->netdevs->len >= NETDEVS_MAX) {
        set_error(error, "%d netdevs are the most; delete one first", NETDEVS_MAX);
    } else if (!tap || take_tap(call, &config, error)) {
        QmpNetdev *netdev = g_new0(QmpNetdev, 1);
        config.no_ipv6 = !json_object_get_boolean_member_with_default(call->args, "ipv6", TRUE);
        netdev->id = g_strdup(id);
        netdev->config = config;
        g_ptr_array_add(qmp->plug->netdevs, netdev);
    }
    return NULL;
}

static const QmpType del_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "id", &qmp_str }, { 0 } },
};

static JsonNode *netdev_del(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    const char *id = json_object_get_string_member(call->args, "id");
    QmpNetdev *netdev = lookup(qmp->plug, id);

    if (!netdev) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    } else if (netdev->user) {
        set_error(error, "netdev '%s' is in use by '%s'", id, netdev->user);
    } else {
        g_ptr_array_remove(qmp->plug->netdevs, netdev);
    }
    return NULL;
}

/* ---- what went over NICs: QEMU has no command for it, so the name is marked as ours ---- */

static const QmpType stats_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str },
                                    { "rx-packets", &qmp_int },
                                    { "rx-bytes", &qmp_int },
                                    { "rx-dropped", &qmp_int },
                                    { "tx-packets", &qmp_int },
                                    { "tx-bytes", &qmp_int },
                                    { "tx-dropped", &qmp_int },
                                    { 0 } },
};

static void tell_stats(void *opaque, const char *name, const MachineNetStats *stats)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "device", name);
    json_object_set_int_member(object, "rx-packets", (gint64)stats->received);
    json_object_set_int_member(object, "rx-bytes", (gint64)stats->received_bytes);
    json_object_set_int_member(object, "rx-dropped", (gint64)stats->receive_dropped);
    json_object_set_int_member(object, "tx-packets", (gint64)stats->sent);
    json_object_set_int_member(object, "tx-bytes", (gint64)stats->sent_bytes);
    json_object_set_int_member(object, "tx-dropped", (gint64)stats->send_dropped);
    json_array_add_object_element(opaque, object);
}

static JsonNode *query_netstats(QmpCall *call, GError **error)
{
    JsonArray *array = json_array_new();

    machine_net_stats(vm_machine(((const Qmp *)call->opaque)->vm), tell_stats, array);
    return qmp_array_node(array);
}

const QmpCommand qmp_netdev_commands[] = {
    { "__insula_query-netstats", NULL, &stats_info, true, query_netstats },
    { "netdev_add", &netdev_args, NULL, false, netdev_add },
    { "netdev_del", &del_args, NULL, false, netdev_del },
    { 0 },
};
