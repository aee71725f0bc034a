/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about descriptors that come with messages: kept by name for the client, or in sets for
 * all.
 *
 * Threads: main.
 * Read first: vm/fdset.h.
 */
#include <unistd.h>

#include "common/error.h"
#include "vm/fdset.h"
#include "vm/qmp_plug.h"

static FdSets *sets_of(const QmpCall *call)
{
    return ((const Qmp *)call->opaque)->fds;
}

static int take(QmpCall *call, GError **error)
{
    int fd = qmp_session_take_fd(call->session);

    if (fd < 0) {
        set_error(error, "No file descriptor supplied via SCM_RIGHTS");
    }
    return fd;
}

static const QmpType fdname_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "fdname", &qmp_str }, { 0 } },
};

static JsonNode *getfd(QmpCall *call, GError **error)
{
    const char *name = json_object_get_string_member(call->args, "fdname");
    int fd = take(call, error);

    if (fd < 0) {
        return NULL;
    }
    if (g_ascii_isdigit(*name)) { /* it could be taken for a number later */
        close(fd);
        set_error(error, "Parameter 'fdname' expects a name not starting with a digit");
    } else if (!qmp_session_name_fd(call->session, name, fd)) {
        set_error(error, "too many descriptors are kept; use closefd");
    }
    return NULL;
}

static JsonNode *closefd(QmpCall *call, GError **error)
{
    const char *name = json_object_get_string_member(call->args, "fdname");

    if (!qmp_session_name_fd(call->session, name, -1)) {
        set_error(error, "File descriptor named '%s' not found", name);
    }
    return NULL;
}

static const QmpType add_args = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){ { "fdset-id", &qmp_int, true }, { "opaque", &qmp_str, true }, { 0 } },
};

static const QmpType add_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "fdset-id", &qmp_int }, { "fd", &qmp_int }, { 0 } },
};

static JsonNode *add_fd(QmpCall *call, GError **error)
{
    int64_t id = json_object_get_int_member_with_default(call->args, "fdset-id", -1), set;
    const char *text = json_object_get_string_member_with_default(call->args, "opaque", NULL);
    int fd = take(call, error);

    if (fd < 0) {
        return NULL;
    }
    if (id < -1 || (id == -1 && json_object_has_member(call->args, "fdset-id")) || id > INT32_MAX) {
        close(fd);
        set_error(error, "Parameter 'fdset-id' expects a non-negative value");
        return NULL;
    }
    if (!fd_sets_add(sets_of(call), id, fd, text, &set, error)) {
        return NULL;
    }
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "fdset-id", set);
    json_object_set_int_member(object, "fd", fd);
    return qmp_object_node(object);
}

static const QmpType remove_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "fdset-id", &qmp_int }, { "fd", &qmp_int, true }, { 0 } },
};

static JsonNode *remove_fd(QmpCall *call, GError **error)
{
    fd_sets_remove(sets_of(call), json_object_get_int_member(call->args, "fdset-id"),
                   json_object_get_int_member_with_default(call->args, "fd", -1), error);
    return NULL;
}

static const QmpType set_fd = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "fd", &qmp_int }, { "opaque", &qmp_str, true }, { 0 } },
};

static const QmpType set_info = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){ { "fdset-id", &qmp_int }, { "fds", &set_fd, false, true }, { 0 } },
};

typedef struct SetsTold {
    JsonArray *array, *fds; /* of the last set */
    int64_t id;
} SetsTold;

static void tell_fd(void *opaque, int64_t id, int fd, const char *text)
{
    SetsTold *told = opaque;
    JsonObject *object = json_object_new();

    if (!told->fds || told->id != id) {
        JsonObject *set = json_object_new();
        told->fds = json_array_new();
        told->id = id;
        json_object_set_int_member(set, "fdset-id", id);
        json_object_set_array_member(set, "fds", told->fds);
        json_array_add_object_element(told->array, set);
    }
    json_object_set_int_member(object, "fd", fd);
    if (text) {
        json_object_set_string_member(object, "opaque", text);
    }
    json_array_add_object_element(told->fds, object);
}

static JsonNode *query_fdsets(QmpCall *call, GError **error)
{
    SetsTold told = { .array = json_array_new() };

    fd_sets_foreach(sets_of(call), tell_fd, &told);
    return qmp_array_node(told.array);
}

const QmpCommand qmp_fd_commands[] = {
    { "add-fd", &add_args, &add_info, false, add_fd },
    { "closefd", &fdname_args, NULL, false, closefd },
    { "getfd", &fdname_args, NULL, false, getfd },
    { "query-fdsets", NULL, &set_info, true, query_fdsets },
    { "remove-fd", &remove_args, NULL, false, remove_fd },
    { 0 },
};
