/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: bytes from a client of the control channel (vm/qmp_session.h).
 *
 * The session begins negotiated, so that mutations reach arguments; the table has a type of each
 * kind.  Commands look at all that they were promised: what the check lets through must be so.
 *
 * Threads: one.
 */
#include <string.h>

#include "vm/qmp_session.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = { "file", "raw", NULL };
static const QmpType word = { .meta = QMP_ENUM, .words = words };

static const QmpType file_more = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "filename", &qmp_str }, { "size", &qmp_int, true }, { 0 } },
};

static const QmpType node;
static const QmpType node_or_name = {
    .meta = QMP_ALTERNATE,
    .members = (const QmpMember[]){ { "definition", &node }, { "reference", &qmp_str }, { 0 } },
};

static const QmpType raw_more = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "file", &node_or_name }, { 0 } },
};

static const QmpType node = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "driver", &word },
                                    { "read-only", &qmp_bool, true },
                                    { "weights", &qmp_number, true, true },
                                    { 0 } },
    .tag = "driver",
    .variants = (const QmpVariant[]){ { "file", &file_more }, { "raw", &raw_more }, { 0 } },
};

static const QmpType open_type = {
    .meta = QMP_OBJECT,
    .open = true,
    .members = (const QmpMember[]){ { "driver", &qmp_str }, { "any", &qmp_any, true }, { 0 } },
};

static void look(JsonObject *object, unsigned depth)
{
    const char *driver = json_object_get_string_member(object, "driver");

    g_assert(driver && depth < 64);
    if (!strcmp(driver, "file")) {
        g_assert_nonnull(json_object_get_string_member(object, "filename"));
        return;
    }
    JsonNode *file = json_object_get_member(object, "file");
    g_assert_nonnull(file);
    if (JSON_NODE_HOLDS_OBJECT(file)) {
        look(json_node_get_object(file), depth + 1);
    } else {
        g_assert_nonnull(json_node_get_string(file));
    }
}

static JsonNode *add(QmpCall *call, GError **error)
{
    look(call->args, 0);
    return NULL;
}

static JsonNode *take(QmpCall *call, GError **error)
{
    g_assert_nonnull(json_object_get_string_member(call->args, "driver"));
    return NULL;
}

static const QmpCommand commands[] = {
    { "add", &node, NULL, false, add },
    { "open", &open_type, &node, true, take },
    { 0 },
};
static const QmpCommand *const groups[] = { qmp_session_commands, commands, NULL };
static const QmpEvent events[] = { { 0 } };
static const QmpTable table = { groups, events };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char hello[] = "{\"execute\":\"qmp_capabilities\"}";
    g_autoptr(QmpSession) session = qmp_session_new(&table, NULL);

    qmp_session_input(session, (const uint8_t *)hello, sizeof(hello) - 1);
    while (size) {
        size_t part = MIN(size, 4096);
        qmp_session_input(session, data, part);
        GString *out = qmp_session_output(session);
        for (char *line = out->str, *end; (end = strstr(line, "\r\n")); line = end + 2) {
            g_autoptr(JsonNode) said = wire_json_parse(line, (size_t)(end - line), NULL);
            g_assert_nonnull(said); /* what we say is JSON */
        }
        g_string_truncate(out, 0);
        data += part;
        size -= part;
    }
    return 0;
}
