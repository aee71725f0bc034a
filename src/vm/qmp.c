/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel, see qmp.h: which commands there are, and events.
 */
#include "vm/qmp.h"

#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "machine/virtio/balloon.h"
#include "vm/fdset.h"
#include "vm/qmp_plug.h"
#include "vm/qmp_server.h"

JsonNode *qmp_object_node(JsonObject *object)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, object);
    return node;
}

JsonNode *qmp_array_node(JsonArray *array)
{
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    json_node_take_array(node, array);
    return node;
}

void qmp_refuse_name(const char *path, GError **error)
{
    set_error(error,
              "Could not open '%s': the machine is in its sandbox; pass a descriptor (add-fd) and "
              "say /dev/fdset/N, or start it with --sandbox off",
              path);
}

bool qmp_is_id(const char *id)
{
    enum { ID_MAX = 64 };
    size_t len = strspn(id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._");

    return g_ascii_isalpha(*id) && !id[len] && len <= ID_MAX;
}

/* ---- events ---- */

/* The words of QEMU's ShutdownCause, by VmCause. */
static const char *const causes[] = {
    "none",    "host-error",     "host-qmp-quit", "host-qmp-system-reset", "host-signal",
    "host-ui", "guest-shutdown", "guest-reset",   "guest-panic",           NULL,
};
static const QmpType cause_type = { .meta = QMP_ENUM, .words = causes };

static const QmpType cause_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "guest", &qmp_bool }, { "reason", &cause_type }, { 0 } },
};

static const char *const panic_words[] = { "pause", "poweroff", "run", NULL };
static const QmpType panic_action = { .meta = QMP_ENUM, .words = panic_words };
static const QmpType panic_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "action", &panic_action }, { 0 } },
};

/* As WatchdogAction has them. */
static const char *const watchdog_words[] = { "none", "reset", "poweroff", "pause", "none", NULL };
static const char *const watchdog_known[] = { "reset", "poweroff", "pause", "none", NULL };
static const QmpType watchdog_action = { .meta = QMP_ENUM, .words = watchdog_known };
static const QmpType watchdog_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "action", &watchdog_action }, { 0 } },
};

static JsonNode *tell_watchdog(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "action", watchdog_words[notice->watchdog]);
    return qmp_object_node(data);
}

static JsonNode *tell_cause(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();

    json_object_set_boolean_member(data, "guest", notice->cause >= VM_CAUSE_GUEST_SHUTDOWN);
    json_object_set_string_member(data, "reason", causes[notice->cause]);
    return qmp_object_node(data);
}

static JsonNode *tell_panic(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "action", "poweroff");
    return qmp_object_node(data);
}

static JsonNode *tell_balloon(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();
    VirtioDev *balloon = machine_balloon(vm_machine(qmp->vm));

    json_object_set_int_member(data, "actual", (gint64)virtio_balloon_actual(balloon));
    return qmp_object_node(data);
}

/* The words of QEMU's BlockErrorAction, by DiskOnError. */
static const char *const actions[] = { "report", "ignore", "stop", NULL };
static const char *const operations[] = { "read", "write", NULL };
static const QmpType action_type = { .meta = QMP_ENUM, .words = actions };
static const QmpType operation_type = { .meta = QMP_ENUM, .words = operations };

static const QmpType disk_error_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str },
                                    { "operation", &operation_type },
                                    { "action", &action_type },
                                    { "nospace", &qmp_bool, true },
                                    { "reason", &qmp_str },
                                    { 0 } },
};

static JsonNode *tell_disk_error(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "device", notice->disk->device);
    json_object_set_string_member(data, "operation", operations[notice->disk->is_write]);
    json_object_set_string_member(data, "action", actions[notice->disk->action]);
    json_object_set_boolean_member(data, "nospace", notice->disk->error == ENOSPC);
    json_object_set_string_member(data, "reason", g_strerror(notice->disk->error));
    return qmp_object_node(data);
}

static const QmpType tray_data = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){
            { "device", &qmp_str }, { "id", &qmp_str }, { "tray-open", &qmp_bool }, { 0 } },
};

static JsonNode *tell_tray(const Qmp *qmp, const VmNotice *notice)
{
    JsonObject *data = json_object_new();

    json_object_set_string_member(data, "device", notice->device);
    json_object_set_string_member(data, "id", notice->device);
    json_object_set_boolean_member(data, "tray-open", notice->tray_open);
    return qmp_object_node(data);
}

/* What becomes of the machine's notices. */
static const struct {
    const char *event;
    JsonNode *(*data)(const Qmp *qmp, const VmNotice *notice); /* NULL: none */
} told[] = {
    [VM_NOTICE_PAUSED] = { "STOP", NULL },
    [VM_NOTICE_RESUMED] = { "RESUME", NULL },
    [VM_NOTICE_RESET] = { "RESET", tell_cause },
    [VM_NOTICE_POWER_BUTTON] = { "POWERDOWN", NULL },
    [VM_NOTICE_CRASHED] = { "GUEST_PANICKED", tell_panic },
    [VM_NOTICE_WATCHDOG] = { "WATCHDOG", tell_watchdog },
    [VM_NOTICE_BALLOON] = { "BALLOON_CHANGE", tell_balloon },
    [VM_NOTICE_DISK_ERROR] = { "BLOCK_IO_ERROR", tell_disk_error },
    [VM_NOTICE_ENDED] = { "SHUTDOWN", tell_cause },
    [VM_NOTICE_TRAY] = { "DEVICE_TRAY_MOVED", tell_tray },
};

static void on_notice(void *opaque, const VmNotice *notice)
{
    Qmp *qmp = opaque;

    if (notice->kind == VM_NOTICE_UNPLUGGED) {
        qmp_device_gone(qmp, notice->device);
        return;
    }
    JsonNode *data = told[notice->kind].data ? told[notice->kind].data(qmp, notice) : NULL;
    qmp_server_event(qmp->server, told[notice->kind].event, data);
}

static const QmpType deleted_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true }, { "path", &qmp_str }, { 0 } },
};

static const QmpType balloon_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "actual", &qmp_int }, { 0 } },
};

static const QmpEvent events[] = {
    { "BALLOON_CHANGE", &balloon_data },
    { "BLOCK_IO_ERROR", &disk_error_data },
    { "DEVICE_DELETED", &deleted_data },
    { "DEVICE_TRAY_MOVED", &tray_data },
    { "GUEST_PANICKED", &panic_data },
    { "MIGRATION", &qmp_migration_data },
    { "POWERDOWN", NULL },
    { "RESET", &cause_data },
    { "RESUME", NULL },
    { "SHUTDOWN", &cause_data },
    { "STOP", NULL },
    { "WATCHDOG", &watchdog_data },
    { 0 },
};

/* ---- life ---- */

static const QmpCommand *const commands[] = {
    qmp_session_commands,
    qmp_control_commands,
    qmp_query_commands,
    qmp_block_commands,
    qmp_balloon_commands,
    qmp_node_commands,
    qmp_netdev_commands,
    qmp_device_commands,
    qmp_fd_commands,
    qmp_input_commands,
    qmp_migrate_commands,
    qmp_tray_commands,
    NULL,
};

static const QmpTable table = { .commands = commands, .events = events };

Qmp *qmp_new(Vm *vm, const VmConfig *config, GError **error)
{
    g_autoptr(Qmp) qmp = g_new0(Qmp, 1);
    const VmObserver observer = { qmp, on_notice };

    qmp->vm = vm;
    qmp->config = config;
    qmp->fds = fd_sets_new();
    qmp->plug = qmp_plug_new(qmp);
    qmp->server = qmp_server_new(&config->qmp, &table, qmp, error);
    if (!qmp->server) {
        return NULL;
    }
    vm_observe(vm, &observer);
    return g_steal_pointer(&qmp);
}

void qmp_free(Qmp *qmp)
{
    if (qmp) {
        qmp_input_release(qmp);
        qmp_migrate_end(qmp);
        vm_observe(qmp->vm, NULL);
        qmp_server_free(qmp->server);
        qmp_plug_free(qmp, qmp->plug);
        fd_sets_free(qmp->fds);
        g_free(qmp);
    }
}
