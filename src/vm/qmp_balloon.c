/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about memory that the guest gives back.
 *
 * Statistics are properties of the device, as clients know them from QEMU: of its object tree,
 * qom-get and qom-set reach these two here, and nothing else.
 *
 * Threads: main.
 * Read first: machine/virtio/balloon.h.
 */
#include <string.h>

#include "common/error.h"
#include "machine/virtio/balloon.h"
#include "vm/qmp.h"

static VirtioDev *balloon_of(const QmpCall *call, GError **error)
{
    VirtioDev *balloon = machine_balloon(vm_machine(((const Qmp *)call->opaque)->vm));

    if (!balloon) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_ACTIVE,
                    "No balloon device has been activated");
    }
    return balloon;
}

static const QmpType balloon_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "value", &qmp_int }, { 0 } },
};

static JsonNode *balloon(QmpCall *call, GError **error)
{
    VirtioDev *dev = balloon_of(call, error);
    int64_t value = json_object_get_int_member(call->args, "value");

    if (dev && value <= 0) {
        set_error(error, "Parameter 'target' expects a size");
    } else if (dev) {
        virtio_balloon_set_target(dev, (uint64_t)value);
    }
    return NULL;
}

static JsonNode *query_balloon(QmpCall *call, GError **error)
{
    VirtioDev *dev = balloon_of(call, error);

    if (!dev) {
        return NULL;
    }
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "actual", (gint64)virtio_balloon_actual(dev));
    return qmp_object_node(object);
}

/* ---- properties ---- */

enum { INTERVAL_MAX = 86400 };

static const QmpType get_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "path", &qmp_str }, { "property", &qmp_str }, { 0 } },
};

static const QmpType set_args = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){
            { "path", &qmp_str }, { "property", &qmp_str }, { "value", &qmp_any }, { 0 } },
};

/* The balloon, if that is what the path means. */
static VirtioDev *find(const QmpCall *call, GError **error)
{
    const char *path = json_object_get_string_member(call->args, "path");

    if (strcmp(path, "/machine/peripheral/balloon0") != 0) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", path);
        return NULL;
    }
    return balloon_of(call, error);
}

static JsonNode *tell_stats(VirtioDev *dev)
{
    static const char *const names[BALLOON_STATS] = {
        [BALLOON_SWAP_IN] = "stat-swap-in",
        [BALLOON_SWAP_OUT] = "stat-swap-out",
        [BALLOON_MAJOR_FAULTS] = "stat-major-faults",
        [BALLOON_MINOR_FAULTS] = "stat-minor-faults",
        [BALLOON_FREE] = "stat-free-memory",
        [BALLOON_TOTAL] = "stat-total-memory",
        [BALLOON_AVAILABLE] = "stat-available-memory",
        [BALLOON_CACHES] = "stat-disk-caches",
        [BALLOON_HUGE_ALLOCATIONS] = "stat-htlb-pgalloc",
        [BALLOON_HUGE_FAILURES] = "stat-htlb-pgfail",
    };
    BalloonStats stats = virtio_balloon_stats(dev);
    JsonObject *object = json_object_new(), *values = json_object_new();

    for (unsigned i = 0; i < BALLOON_STATS; i++) {
        json_object_set_int_member(values, names[i], (gint64)stats.values[i]); /* -1: not said */
    }
    json_object_set_object_member(object, "stats", values);
    json_object_set_int_member(object, "last-update", (gint64)stats.time_s);
    return qmp_object_node(object);
}

static bool no_property(const char *name, GError **error)
{
    set_error(error, "Property 'virtio-balloon-pci.%s' not found", name);
    return false;
}

static JsonNode *qom_get(QmpCall *call, GError **error)
{
    const char *name = json_object_get_string_member(call->args, "property");
    VirtioDev *dev = find(call, error);

    if (!dev) {
        return NULL;
    }
    if (!strcmp(name, "guest-stats")) {
        return tell_stats(dev);
    }
    if (!strcmp(name, "guest-stats-polling-interval")) {
        JsonNode *node = json_node_new(JSON_NODE_VALUE);
        json_node_set_int(node, virtio_balloon_interval(dev));
        return node;
    }
    no_property(name, error);
    return NULL;
}

static JsonNode *qom_set(QmpCall *call, GError **error)
{
    const char *name = json_object_get_string_member(call->args, "property");
    JsonNode *value = json_object_get_member(call->args, "value");
    VirtioDev *dev = find(call, error);

    if (!dev || (strcmp(name, "guest-stats-polling-interval") != 0 && !no_property(name, error))) {
        return NULL;
    }
    bool number = JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_INT64;
    int64_t seconds = number ? json_node_get_int(value) : -1;
    if (seconds < 0 || seconds > INTERVAL_MAX) {
        set_error(error, "Parameter '%s' expects a number of seconds from 0 to %d", name,
                  INTERVAL_MAX);
    } else {
        virtio_balloon_poll(dev, (unsigned)seconds);
    }
    return NULL;
}

static const QmpType balloon_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "actual", &qmp_int }, { 0 } },
};

const QmpCommand qmp_balloon_commands[] = {
    { "balloon", &balloon_args, NULL, false, balloon },
    { "qom-get", &get_args, &qmp_any, false, qom_get },
    { "qom-set", &set_args, NULL, false, qom_set },
    { "query-balloon", NULL, &balloon_info, false, query_balloon },
    { 0 },
};
