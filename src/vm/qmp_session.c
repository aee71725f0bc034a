/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the control channel, see qmp_session.h.
 */
#include "vm/qmp_session.h"

#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "wire/json.h"
#include "wire/qmp.h"

enum {
    FDS_MAX = 16,   /* that wait for their command; the kernel passes up to 253 at a time */
    NAMED_MAX = 64, /* that a client may park */
};

/* The release of QEMU whose protocol this follows. */
enum { QEMU_MAJOR = 10, QEMU_MINOR = 0, QEMU_MICRO = 0 };

struct QmpSession {
    /* fixed after create */
    const QmpTable *table;
    void *opaque;
    QmpFramer framer;
    GString *output;
    bool negotiated;
    unsigned n_fds;
    int fds[FDS_MAX];
    GHashTable *named; /* name -> descriptor + 1 */
};

GQuark qmp_error_quark(void)
{
    return g_quark_from_static_string("qmp-error-quark");
}

/* ---- output ---- */

/* Send @object, which is freed. */
static void send_object(QmpSession *s, JsonObject *object)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, object);
    g_autofree char *line = wire_json_line(node);
    g_string_append(s->output, line);
    g_string_append(s->output, "\r\n");
}

static JsonObject *version(void)
{
    JsonObject *triple = json_object_new(), *object = json_object_new();

    json_object_set_int_member(triple, "micro", QEMU_MICRO);
    json_object_set_int_member(triple, "minor", QEMU_MINOR);
    json_object_set_int_member(triple, "major", QEMU_MAJOR);
    json_object_set_object_member(object, "qemu", triple);
    json_object_set_string_member(object, "package", "insula-" INSULA_VERSION);
    return object;
}

static void greet(QmpSession *s)
{
    JsonObject *qmp = json_object_new(), *object = json_object_new();

    json_object_set_object_member(qmp, "version", version());
    json_object_set_array_member(qmp, "capabilities", json_array_new());
    json_object_set_object_member(object, "QMP", qmp);
    send_object(s, object);
}

void qmp_session_event(QmpSession *s, const char *name, JsonNode *data)
{
    if (!s->negotiated) {
        return;
    }
    JsonObject *stamp = json_object_new(), *object = json_object_new();
    gint64 now_us = g_get_real_time();

    json_object_set_int_member(stamp, "seconds", now_us / G_USEC_PER_SEC);
    json_object_set_int_member(stamp, "microseconds", now_us % G_USEC_PER_SEC);
    json_object_set_object_member(object, "timestamp", stamp);
    json_object_set_string_member(object, "event", name);
    if (data) {
        json_object_set_member(object, "data", json_node_copy(data));
    }
    send_object(s, object);
}

static const char *error_class(const GError *error)
{
    static const char *const names[] = {
        [QMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
        [QMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
        [QMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
    };

    return error->domain == QMP_ERROR ? names[error->code] : "GenericError";
}

/* Answer with @result, which is freed, or @error.  @id may be NULL. */
static void answer(QmpSession *s, JsonNode *result, const GError *error, JsonNode *id)
{
    JsonObject *object = json_object_new();

    if (error) {
        JsonObject *told = json_object_new();
        json_object_set_string_member(told, "class", error_class(error));
        json_object_set_string_member(told, "desc", error->message);
        json_object_set_object_member(object, "error", told);
    } else if (result) {
        json_object_set_member(object, "return", result);
    } else {
        json_object_set_object_member(object, "return", json_object_new());
    }
    if (id) {
        json_object_set_member(object, "id", json_node_copy(id));
    }
    send_object(s, object);
}

/* ---- input ---- */

/* The parts of a message. */
typedef struct Request {
    const char *execute;
    JsonObject *arguments; /* NULL: none */
    JsonNode *id;          /* NULL: none */
} Request;

static bool take_request(JsonObject *object, Request *ret, GError **error)
{
    g_autoptr(GList) names = json_object_get_members(object);

    ret->id = json_object_get_member(object, "id"); /* errors have it too */
    for (GList *at = names; at; at = at->next) {
        const char *name = at->data;
        JsonNode *value = json_object_get_member(object, name);
        if (!strcmp(name, "execute")) {
            if (!JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_STRING) {
                set_error(error, "QMP input member 'execute' must be a string");
                return false;
            }
            ret->execute = json_node_get_string(value);
        } else if (!strcmp(name, "arguments")) {
            if (!JSON_NODE_HOLDS_OBJECT(value)) {
                set_error(error, "QMP input member 'arguments' must be an object");
                return false;
            }
            ret->arguments = json_node_get_object(value);
        } else if (strcmp(name, "id") != 0) {
            set_error(error, "QMP input member '%s' is unexpected", name);
            return false;
        }
    }
    if (!ret->execute) {
        set_error(error, "QMP input lacks member 'execute'");
    }
    return ret->execute != NULL;
}

/* The command that @name names, if it may be called now. */
static const QmpCommand *choose(const QmpSession *s, const char *name, GError **error)
{
    bool negotiates = !strcmp(name, "qmp_capabilities");

    if (!s->negotiated && !negotiates) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "Expecting capabilities negotiation with 'qmp_capabilities'");
        return NULL;
    }
    if (s->negotiated && negotiates) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "Capabilities negotiation is already complete, command ignored");
        return NULL;
    }
    const QmpCommand *command = qmp_find_command(s->table, name);
    if (!command) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND,
                    "The command %s has not been found", name);
    }
    return command;
}

static JsonNode *execute(QmpSession *s, const Request *request, GError **error)
{
    const QmpCommand *command = choose(s, request->execute, error);

    if (!command) {
        return NULL;
    }
    g_autoptr(JsonObject) args =
        request->arguments ? json_object_ref(request->arguments) : json_object_new();
    QmpCall call = { s, s->opaque, args };
    return qmp_check(command->args, args, error) ? command->run(&call, error) : NULL;
}

static void on_message(QmpSession *s, const char *text, size_t len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) message = wire_json_parse(text, len, &error);
    Request request = { 0 };
    JsonNode *result = NULL;

    if (message && !JSON_NODE_HOLDS_OBJECT(message)) {
        set_error(&error, "QMP input must be a JSON object");
    } else if (message && take_request(json_node_get_object(message), &request, &error)) {
        result = execute(s, &request, &error);
    }
    answer(s, result, error, request.id);
}

void qmp_session_input(QmpSession *s, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (qmp_framer_byte(&s->framer, data[i])) {
        case QMP_FRAME_NONE:
            break;
        case QMP_FRAME_MESSAGE:
            on_message(s, s->framer.text->str, s->framer.text->len);
            break;
        case QMP_FRAME_BROKEN: {
            g_autoptr(GError) error = NULL;
            set_error(&error, "JSON parse error: not finished, too long or too deep");
            answer(s, NULL, error, NULL);
            break;
        }
        }
    }
}

GString *qmp_session_output(QmpSession *s)
{
    return s->output;
}

const QmpTable *qmp_session_table(const QmpSession *s)
{
    return s->table;
}

/* ---- descriptors ---- */

void qmp_session_add_fd(QmpSession *s, int fd)
{
    if (s->n_fds == FDS_MAX) {
        close(fd);
    } else {
        s->fds[s->n_fds++] = fd;
    }
}

int qmp_session_take_fd(QmpSession *s)
{
    if (!s->n_fds) {
        return -1;
    }
    int fd = s->fds[0];
    s->n_fds--;
    memmove(s->fds, s->fds + 1, s->n_fds * sizeof(s->fds[0]));
    return fd;
}

int qmp_session_named_fd(QmpSession *s, const char *name)
{
    int fd = GPOINTER_TO_INT(g_hash_table_lookup(s->named, name)) - 1;

    g_hash_table_remove(s->named, name);
    return fd;
}

bool qmp_session_name_fd(QmpSession *s, const char *name, int fd)
{
    int old = qmp_session_named_fd(s, name);

    if (old >= 0) {
        close(old);
    }
    if (fd < 0) {
        return old >= 0;
    }
    if (g_hash_table_size(s->named) >= NAMED_MAX) {
        close(fd);
        return false;
    }
    g_hash_table_insert(s->named, g_strdup(name), GINT_TO_POINTER(fd + 1));
    return true;
}

/* ---- life ---- */

QmpSession *qmp_session_new(const QmpTable *table, void *opaque)
{
    QmpSession *s = g_new0(QmpSession, 1);

    s->table = table;
    s->opaque = opaque;
    s->output = g_string_new(NULL);
    s->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    qmp_framer_init(&s->framer);
    greet(s);
    return s;
}

static void close_named(gpointer name, gpointer fd, gpointer data)
{
    close(GPOINTER_TO_INT(fd) - 1);
}

void qmp_session_free(QmpSession *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < s->n_fds; i++) {
        close(s->fds[i]);
    }
    g_hash_table_foreach(s->named, close_named, NULL);
    g_hash_table_unref(s->named);
    g_string_free(s->output, TRUE);
    qmp_framer_clear(&s->framer);
    g_free(s);
}

/* ---- commands about the conversation itself ---- */

static JsonNode *capabilities(QmpCall *call, GError **error)
{
    if (json_object_has_member(call->args, "enable") &&
        json_array_get_length(json_object_get_array_member(call->args, "enable"))) {
        set_error(error, "Capability 'oob' is not available");
        return NULL;
    }
    call->session->negotiated = true;
    return NULL;
}

static JsonNode *query_version(QmpCall *call, GError **error)
{
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(node, version());
    return node;
}

static JsonNode *query_commands(QmpCall *call, GError **error)
{
    return qmp_command_names(call->session->table);
}

static JsonNode *query_schema(QmpCall *call, GError **error)
{
    return qmp_schema(call->session->table);
}

static const char *const capability_words[] = { "oob", NULL };
static const QmpType capability = { .meta = QMP_ENUM, .words = capability_words };

static const QmpType capabilities_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "enable", &capability, true, true }, { 0 } },
};

static const QmpType version_triple = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){
            { "major", &qmp_int }, { "minor", &qmp_int }, { "micro", &qmp_int }, { 0 } },
};

static const QmpType version_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "qemu", &version_triple }, { "package", &qmp_str }, { 0 } },
};

static const QmpType command_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "name", &qmp_str }, { 0 } },
};

static const char *const meta_words[] = { "builtin",   "enum",    "array", "object",
                                          "alternate", "command", "event", NULL };
static const QmpType meta_type = { .meta = QMP_ENUM, .words = meta_words };

static const QmpType enum_member = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "name", &qmp_str }, { 0 } },
};

static const QmpType object_member = {
    .meta = QMP_OBJECT,
    .members =
        (const QmpMember[]){
            { "name", &qmp_str }, { "type", &qmp_str }, { "default", &qmp_any, true }, { 0 } },
};

static const QmpType object_variant = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "case", &qmp_str }, { "type", &qmp_str }, { 0 } },
};

static const QmpType alternate_member = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "type", &qmp_str }, { 0 } },
};

#define INFO(...)                                                                                  \
    &(const QmpType)                                                                               \
    {                                                                                              \
        .meta = QMP_OBJECT, .members = (const QmpMember[])                                         \
        {                                                                                          \
            __VA_ARGS__,                                                                           \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

static const QmpVariant schema_variants[] = {
    { "builtin", INFO({ "json-type", &qmp_str }) },
    { "enum", INFO({ "members", &enum_member, false, true }, { "values", &qmp_str, false, true }) },
    { "array", INFO({ "element-type", &qmp_str }) },
    { "object", INFO({ "members", &object_member, false, true }, { "tag", &qmp_str, true },
                     { "variants", &object_variant, true, true }) },
    { "alternate", INFO({ "members", &alternate_member, false, true }) },
    { "command", INFO({ "arg-type", &qmp_str }, { "ret-type", &qmp_str }) },
    { "event", INFO({ "arg-type", &qmp_str }) },
    { 0 },
};

static const QmpType schema_info = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "name", &qmp_str }, { "meta-type", &meta_type }, { 0 } },
    .tag = "meta-type",
    .variants = schema_variants,
};

const QmpCommand qmp_session_commands[] = {
    { "qmp_capabilities", &capabilities_args, NULL, false, capabilities },
    { "query-version", NULL, &version_info, false, query_version },
    { "query-commands", NULL, &command_info, true, query_commands },
    { "query-qmp-schema", NULL, &schema_info, true, query_schema },
    { 0 },
};
