/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that save the machine and let it go on from a state: migrate, migrate-incoming and what
 * goes with them, as QEMU has them for a move through a file.
 *
 *   file:PATH   a file that the program opens; /dev/fdset/N: one that was passed
 *   fd:NAME     a descriptor that came by getfd
 *
 * A state file is a regular one in either case; there is no stream between two machines.  Memory
 * always has its own place in it (QEMU's mapped-ram), and each event is told to those who asked for
 * the capability "events".
 *
 * Threads: main.
 * Read first: vm/save.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "vm/fdset.h"
#include "vm/qmp.h"
#include "vm/qmp_server.h"
#include "vm/save.h"

enum { PAGE = 4096 };

/* ---- status ---- */

/* The words of QEMU's MigrationStatus: by VmSaveStatus, and then that of a beginning. */
enum { STATUS_SETUP = VM_SAVE_CANCELLED + 1 };
static const char *const status_words[] = {
    "active", "completed", "failed", "cancelling", "cancelled", "setup", NULL,
};
static const QmpType status_type = { .meta = QMP_ENUM, .words = status_words };
const QmpType qmp_migration_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "status", &status_type }, { 0 } },
};

static void tell(const Qmp *qmp, unsigned status)
{
    if (qmp->migrate.events) {
        JsonObject *data = json_object_new();
        json_object_set_string_member(data, "status", status_words[status]);
        qmp_server_event(qmp->server, "MIGRATION", qmp_object_node(data));
    }
}

static const QmpType ram_stats = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "transferred", &qmp_int },
                                    { "remaining", &qmp_int },
                                    { "total", &qmp_int },
                                    { "duplicate", &qmp_int },
                                    { "normal", &qmp_int },
                                    { "normal-bytes", &qmp_int },
                                    { "page-size", &qmp_int },
                                    { "dirty-sync-count", &qmp_int },
                                    { "mbps", &qmp_number },
                                    { 0 } },
};
static const QmpType migrate_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "status", &status_type, true },
                                    { "ram", &ram_stats, true },
                                    { "total-time", &qmp_int, true },
                                    { "downtime", &qmp_int, true },
                                    { "setup-time", &qmp_int, true },
                                    { "error-desc", &qmp_str, true },
                                    { 0 } },
};

static JsonObject *ram_of(const VmSaveInfo *info)
{
    JsonObject *ram = json_object_new();
    double seconds = (double)MAX(info->total_ms, 1) / 1000;

    json_object_set_int_member(ram, "transferred", (gint64)info->written);
    json_object_set_int_member(ram, "remaining", (gint64)(info->total - info->passed));
    json_object_set_int_member(ram, "total", (gint64)info->total);
    json_object_set_int_member(ram, "duplicate", (gint64)((info->passed - info->written) / PAGE));
    json_object_set_int_member(ram, "normal", (gint64)(info->written / PAGE));
    json_object_set_int_member(ram, "normal-bytes", (gint64)info->written);
    json_object_set_int_member(ram, "page-size", PAGE);
    json_object_set_int_member(ram, "dirty-sync-count", 1);
    json_object_set_double_member(ram, "mbps", (double)info->written * 8 / 1e6 / seconds);
    return ram;
}

static JsonNode *query_migrate(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    JsonObject *object = json_object_new();
    VmSaveInfo info;

    if (qmp->migrate.save) {
        vm_save_info(qmp->migrate.save, &info);
        json_object_set_string_member(object, "status", status_words[info.status]);
        json_object_set_object_member(object, "ram", ram_of(&info));
        json_object_set_int_member(object, "total-time", info.total_ms);
        json_object_set_int_member(object, "downtime", info.total_ms); /* it stands all the time */
        json_object_set_int_member(object, "setup-time", info.setup_ms);
        if (info.problem && info.status == VM_SAVE_FAILED) {
            json_object_set_string_member(object, "error-desc", info.problem);
        }
    } else if (qmp->migrate.incoming) {
        json_object_set_string_member(object, "status", status_words[VM_SAVE_COMPLETED]);
    }
    return qmp_object_node(object);
}

/* ---- capabilities ---- */

static const char *const capability_words[] = { "events", "mapped-ram", NULL };
static const QmpType capability_type = { .meta = QMP_ENUM, .words = capability_words };
static const QmpType capability_status = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){ { "capability", &capability_type }, { "state", &qmp_bool }, { 0 } },
};
static const QmpType set_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "capabilities", &capability_status, false, true }, { 0 } },
};

static JsonNode *set_capabilities(QmpCall *call, GError **error)
{
    Qmp *qmp = call->opaque;
    JsonArray *array = json_object_get_array_member(call->args, "capabilities");

    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        JsonObject *one = json_array_get_object_element(array, i);
        bool on = json_object_get_boolean_member(one, "state");
        if (!strcmp(json_object_get_string_member(one, "capability"), "events")) {
            qmp->migrate.events = on;
        } else if (!on) {
            set_error(error, "'mapped-ram' can't be switched off: memory always has its own place "
                             "in a state file");
        }
    }
    return NULL;
}

static JsonNode *query_capabilities(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;
    JsonArray *array = json_array_new();

    for (unsigned i = 0; capability_words[i]; i++) {
        JsonObject *one = json_object_new();
        json_object_set_string_member(one, "capability", capability_words[i]);
        json_object_set_boolean_member(one, "state", i > 0 || qmp->migrate.events);
        json_array_add_object_element(array, one);
    }
    return qmp_array_node(array);
}

/* ---- where to and where from ---- */

static const QmpType migrate_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "uri", &qmp_str }, { "detach", &qmp_bool, true }, { 0 } },
};
static const QmpType incoming_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "uri", &qmp_str }, { 0 } },
};

/* What @uri names: a descriptor in *@ret_fd that is the caller's, or (-1) a path in it. */
static const char *resolve(const QmpCall *call, int flags, int *ret_fd, GError **error)
{
    const Qmp *qmp = call->opaque;
    const BlkHost *host = fd_sets_host(qmp->fds);
    const char *uri = json_object_get_string_member(call->args, "uri");
    const char *path = strchr(uri, ':');

    *ret_fd = -1;
    if (g_str_has_prefix(uri, "fd:")) {
        *ret_fd = qmp_session_named_fd(call->session, path + 1);
        if (*ret_fd < 0) {
            set_error(error, "File descriptor named '%s' not found", path + 1);
            return NULL;
        }
        return path + 1;
    }
    if (!g_str_has_prefix(uri, "file:") || !path[1]) {
        set_error(error, "'%s' is no place for a state: there are file:PATH and fd:NAME", uri);
        return NULL;
    }
    if (strstr(path, ",offset=")) {
        set_error(error, "a state file begins at offset 0");
        return NULL;
    }
    if (fd_sets_has_name(path + 1)) {
        *ret_fd = host->open(host->opaque, path + 1, flags | O_CLOEXEC);
        if (*ret_fd < 0) {
            set_error_errno(error, -*ret_fd, "Could not open '%s'", path + 1);
            return NULL;
        }
    } else if (qmp->config->sandbox.on) {
        qmp_refuse_name(path + 1, error);
        return NULL;
    }
    return path + 1;
}

/* ---- going away ---- */

static void on_done(void *opaque)
{
    const Qmp *qmp = opaque;
    VmSaveInfo info;

    vm_save_info(qmp->migrate.save, &info);
    tell(qmp, info.status);
}

static bool is_saving(const Qmp *qmp)
{
    return vm_state(qmp->vm) == VM_SAVING;
}

static JsonNode *migrate(QmpCall *call, GError **error)
{
    Qmp *qmp = call->opaque;
    int fd;

    if (is_saving(qmp)) {
        set_error(error, "There's a migration process in progress");
        return NULL;
    }
    const char *path = resolve(call, O_WRONLY, &fd, error);
    if (!path) {
        return NULL;
    }
    g_clear_pointer(&qmp->migrate.save, vm_save_free);
    tell(qmp, STATUS_SETUP);
    qmp->migrate.save = vm_save_begin(qmp->vm, fd < 0 ? path : NULL, fd, on_done, qmp, error);
    tell(qmp, qmp->migrate.save ? VM_SAVE_ACTIVE : VM_SAVE_FAILED);
    return NULL;
}

static JsonNode *migrate_cancel(QmpCall *call, GError **error)
{
    const Qmp *qmp = call->opaque;

    if (is_saving(qmp) && qmp->migrate.save) {
        vm_save_cancel(qmp->migrate.save);
        tell(qmp, VM_SAVE_CANCELLING);
    }
    return NULL;
}

void qmp_migrate_end(Qmp *qmp)
{
    g_clear_pointer(&qmp->migrate.save, vm_save_free);
}

/* ---- coming ---- */

static JsonNode *migrate_incoming(QmpCall *call, GError **error)
{
    Qmp *qmp = call->opaque;
    int fd;
    const char *path = resolve(call, O_RDONLY, &fd, error);

    if (!path) {
        return NULL;
    }
    StateFile *file = fd < 0 ? state_file_open(path, error) : state_file_open_fd(fd, path, error);
    if (!file) {
        return NULL;
    }
    tell(qmp, STATUS_SETUP);
    qmp->migrate.incoming = vm_restore(qmp->vm, file, error);
    tell(qmp, qmp->migrate.incoming ? VM_SAVE_COMPLETED : VM_SAVE_FAILED);
    return NULL;
}

const QmpCommand qmp_migrate_commands[] = {
    { "migrate", &migrate_args, NULL, false, migrate },
    { "migrate-incoming", &incoming_args, NULL, false, migrate_incoming },
    { "migrate-set-capabilities", &set_args, NULL, false, set_capabilities },
    { "migrate_cancel", NULL, NULL, false, migrate_cancel },
    { "query-migrate", NULL, &migrate_info, false, query_migrate },
    { "query-migrate-capabilities", NULL, &capability_status, true, query_capabilities },
    { 0 },
};
