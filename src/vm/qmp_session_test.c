/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of QMP's conversation: what a client says, and what it hears.
 */
#include "vm/qmp_session.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"

/* ---- a table of commands to talk about ---- */

static const char *const colours[] = { "red", "green", NULL };
static const QmpType colour = { .meta = QMP_ENUM, .words = colours };

static const QmpType red_more = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "depth", &qmp_int }, { 0 } },
};

static const QmpType paint = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "colour", &colour }, { "wet", &qmp_bool, true }, { 0 } },
    .tag = "colour",
    .variants = (const QmpVariant[]){ { "red", &red_more }, { 0 } },
};

static const QmpType paint_or_name = {
    .meta = QMP_ALTERNATE,
    .members = (const QmpMember[]){ { "definition", &paint }, { "name", &qmp_str }, { 0 } },
};

static const QmpType mix_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "with", &paint_or_name },
                                    { "parts", &qmp_number, true, true },
                                    { 0 } },
};

static const QmpType open_args = {
    .meta = QMP_OBJECT,
    .open = true,
    .members = (const QmpMember[]){ { "driver", &qmp_str }, { 0 } },
};

static JsonNode *nothing(QmpCall *call, GError **error)
{
    return NULL;
}

static JsonNode *fail(QmpCall *call, GError **error)
{
    set_error(error, "the paint is dry");
    return NULL;
}

static JsonNode *missing(QmpCall *call, GError **error)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device 'x' not found");
    return NULL;
}

static const QmpCommand paint_commands[] = {
    { "paint", &paint, NULL, false, nothing },    { "mix", &mix_args, &paint, true, nothing },
    { "open", &open_args, NULL, false, nothing }, { "fail", NULL, NULL, false, fail },
    { "missing", NULL, NULL, false, missing },    { 0 },
};

static const QmpEvent events[] = { { "DRIED", &paint }, { 0 } };
static const QmpCommand *const groups[] = { qmp_session_commands, paint_commands, NULL };
static const QmpTable table = { groups, events };

/* ---- conversations ---- */

/* Say @text; what is heard must be @expected (a part of it, if that ends with "..."). */
static void say(QmpSession *session, const char *text, const char *expected)
{
    GString *out = qmp_session_output(session);

    g_string_truncate(out, 0);
    g_test_message("%s", text);
    qmp_session_input(session, (const uint8_t *)text, strlen(text));
    size_t len = strlen(expected);
    if (g_str_has_suffix(expected, "...")) {
        g_assert_cmpuint(out->len, >, len);
        g_string_truncate(out, len - 3);
        g_string_append(out, "...");
    } else if (out->len) {
        g_assert_true(g_str_has_suffix(out->str, "\r\n"));
        g_string_truncate(out, out->len - 2);
    }
    g_assert_cmpstr(out->str, ==, expected);
}

static QmpSession *begin(void)
{
    QmpSession *session = qmp_session_new(&table, NULL);

    say(session, "{\"execute\":\"qmp_capabilities\"}", "{\"return\":{}}");
    return session;
}

#define GENERIC(desc)   "{\"error\":{\"class\":\"GenericError\",\"desc\":\"" desc "\"}}"
#define NOT_FOUND(desc) "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"" desc "\"}}"

static const struct {
    const char *said, *heard;
} cases[] = {
    { "{\"execute\":\"qmp_capabilities\"}",
      NOT_FOUND("Capabilities negotiation is already complete, command ignored") },
    { "{\"execute\":\"query-version\",\"id\":7}", "{\"return\":{\"qemu\":{\"micro\":0,..." },
    { "{\"execute\":\"query-commands\"}", "{\"return\":[{\"name\":\"qmp_capabilities\"},..." },
    { "{\"execute\":\"sleep\"}", NOT_FOUND("The command sleep has not been found") },
    { "[]", GENERIC("QMP input must be a JSON object") },
    { "{}", GENERIC("QMP input lacks member 'execute'") },
    { "{\"execute\":1}", GENERIC("QMP input member 'execute' must be a string") },
    { "{\"execute\":\"paint\",\"arguments\":[]}",
      GENERIC("QMP input member 'arguments' must be an object") },
    { "{\"execute\":\"paint\",\"exec\":1}", GENERIC("QMP input member 'exec' is unexpected") },
    { "{\"id\":{\"a\":[1]},\"execute\":\"fail\"}",
      "{\"error\":{\"class\":\"GenericError\",\"desc\":\"the paint is dry\"},\"id\":{\"a\":[1]}}" },
    { "{\"execute\":\"missing\"}",
      "{\"error\":{\"class\":\"DeviceNotFound\",\"desc\":\"Device 'x' not found\"}}" },
    { "{\"execute\":\"fail\",\"arguments\":{\"a\":1}}", GENERIC("Parameter 'a' is unexpected") },
    { "{\"execute\":\"paint\"}", GENERIC("Parameter 'colour' is missing") },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"green\"}}", "{\"return\":{}}" },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"green\",\"depth\":1}}",
      GENERIC("Parameter 'depth' is unexpected") },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"red\",\"depth\":1}}", "{\"return\":{}}" },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"red\"}}",
      GENERIC("Parameter 'depth' is missing") },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"red\",\"depth\":1.5}}",
      GENERIC("Invalid parameter type for 'depth', expected: integer") },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":\"blue\"}}",
      GENERIC("Parameter 'colour' does not accept value 'blue'") },
    { "{\"execute\":\"paint\",\"arguments\":{\"colour\":3}}",
      GENERIC("Invalid parameter type for 'colour', expected: string") },
    { "{\"execute\":\"mix\",\"arguments\":{\"with\":\"x\"}}", "{\"return\":{}}" },
    { "{\"execute\":\"mix\",\"arguments\":{\"with\":{\"colour\":\"red\",\"depth\":true}}}",
      GENERIC("Invalid parameter type for 'with.depth', expected: integer") },
    { "{\"execute\":\"mix\",\"arguments\":{\"with\":3}}",
      GENERIC("Invalid parameter type for 'with', expected: alternate") },
    { "{\"execute\":\"mix\",\"arguments\":{\"with\":\"x\",\"parts\":[1,0.5,\"a\"]}}",
      GENERIC("Invalid parameter type for 'parts[2]', expected: number") },
    { "{\"execute\":\"mix\",\"arguments\":{\"with\":\"x\",\"parts\":1}}",
      GENERIC("Invalid parameter type for 'parts', expected: array") },
    { "{\"execute\":\"open\",\"arguments\":{\"driver\":\"d\",\"more\":[]}}", "{\"return\":{}}" },
    { "{\"execute\":\"open\",\"arguments\":{\"more\":[]}}",
      GENERIC("Parameter 'driver' is missing") },
    { "rubbish\n",
      "{\"error\":{\"class\":\"GenericError\",\"desc\":\"JSON parse error at byte..." },
    { "{\"execute\":\"fail\"}{}", "{\"error\":{\"class\":\"GenericError\",\"desc\":\"the paint is "
                                  "dry\"}}\r\n{\"error\":{\"class\":\"GenericError\",..." },
    { "  \n", "" },
};

static void test_cases(void)
{
    g_autoptr(QmpSession) session = begin();

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        say(session, cases[i].said, cases[i].heard);
    }
}

static void test_negotiation(void)
{
    g_autoptr(QmpSession) session = qmp_session_new(&table, NULL);

    g_assert_true(g_str_has_prefix(qmp_session_output(session)->str, "{\"QMP\":{\"version\":"));
    qmp_session_event(session, "DRIED", NULL); /* nobody listens yet */
    say(session, "{\"execute\":\"paint\"}",
        NOT_FOUND("Expecting capabilities negotiation with 'qmp_capabilities'"));
    say(session, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}",
        GENERIC("Capability 'oob' is not available"));
    say(session, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}",
        "{\"return\":{}}");
    qmp_session_event(session, "DRIED", NULL);
    say(session, " ", "");
}

static void test_event(void)
{
    g_autoptr(QmpSession) session = begin();
    g_autoptr(JsonNode) data = json_node_new(JSON_NODE_OBJECT);

    json_node_take_object(data, json_object_new());
    g_string_truncate(qmp_session_output(session), 0);
    qmp_session_event(session, "DRIED", data);
    const char *out = qmp_session_output(session)->str;
    g_assert_true(g_str_has_prefix(out, "{\"timestamp\":{\"seconds\":"));
    g_assert_true(g_str_has_suffix(out, "},\"event\":\"DRIED\",\"data\":{}}\r\n"));
}

/* ---- the schema ---- */

static JsonObject *entry_of(JsonArray *schema, const char *name)
{
    for (unsigned i = 0; i < json_array_get_length(schema); i++) {
        JsonObject *entry = json_array_get_object_element(schema, i);
        if (!strcmp(json_object_get_string_member(entry, "name"), name)) {
            return entry;
        }
    }
    g_test_message("%s", name);
    g_assert_not_reached();
}

/* Each type that an entry refers to is there, once. */
static void test_schema(void)
{
    static const char *const refers[] = { "arg-type", "ret-type", "element-type" };
    g_autoptr(JsonNode) node = qmp_schema(&table);
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    JsonArray *schema = json_node_get_array(node);

    for (unsigned i = 0; i < json_array_get_length(schema); i++) {
        JsonObject *entry = json_array_get_object_element(schema, i);
        const char *name = json_object_get_string_member(entry, "name");
        g_assert_true(g_hash_table_add(names, (gpointer)name));
        for (unsigned j = 0; j < G_N_ELEMENTS(refers); j++) {
            if (json_object_has_member(entry, refers[j])) {
                entry_of(schema, json_object_get_string_member(entry, refers[j]));
            }
        }
    }
    JsonObject *mix = entry_of(schema, "mix");
    JsonObject *list = entry_of(schema, json_object_get_string_member(mix, "ret-type"));
    g_assert_cmpstr(json_object_get_string_member(list, "meta-type"), ==, "array");
    JsonObject *object = entry_of(schema, json_object_get_string_member(list, "element-type"));
    g_assert_cmpstr(json_object_get_string_member(object, "tag"), ==, "colour");
    JsonArray *variants = json_object_get_array_member(object, "variants");
    g_assert_cmpuint(json_array_get_length(variants), ==, 2); /* green has one of nothing */
}

/* ---- descriptors ---- */

static void test_fds(void)
{
    g_autoptr(QmpSession) session = begin();
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int second = open("/dev/null", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(qmp_session_take_fd(session), ==, -1);
    qmp_session_add_fd(session, first);
    qmp_session_add_fd(session, second);
    g_assert_cmpint(qmp_session_take_fd(session), ==, first);
    g_assert_true(qmp_session_name_fd(session, "a", first));
    g_assert_true(qmp_session_name_fd(session, "a", qmp_session_take_fd(session)));
    g_assert_cmpint(fcntl(first, F_GETFD), ==, -1); /* the name has another now */
    g_assert_cmpint(qmp_session_named_fd(session, "b"), ==, -1);
    g_assert_cmpint(qmp_session_named_fd(session, "a"), ==, second);
    g_assert_false(qmp_session_name_fd(session, "a", -1));
    qmp_session_add_fd(session, second);
    g_clear_pointer(&session, qmp_session_free);
    g_assert_cmpint(fcntl(second, F_GETFD), ==, -1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp-session/cases", test_cases);
    g_test_add_func("/qmp-session/negotiation", test_negotiation);
    g_test_add_func("/qmp-session/event", test_event);
    g_test_add_func("/qmp-session/schema", test_schema);
    g_test_add_func("/qmp-session/fds", test_fds);
    return g_test_run();
}
