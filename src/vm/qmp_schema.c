/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of QMP, see qmp_schema.h.
 */
#include "vm/qmp_schema.h"

#include <string.h>

#include "common/error.h"

const QmpType qmp_str = { .meta = QMP_STR };
const QmpType qmp_int = { .meta = QMP_INT };
const QmpType qmp_number = { .meta = QMP_NUMBER };
const QmpType qmp_bool = { .meta = QMP_BOOL };
const QmpType qmp_null = { .meta = QMP_NULL };
const QmpType qmp_any = { .meta = QMP_ANY };

/* How the protocol's errors and the schema call them: {in messages, schema name, JSON kind}. */
static const struct {
    const char *kind, *name, *json;
} builtins[] = {
    [QMP_STR] = { "string", "str", "string" },       [QMP_INT] = { "integer", "int", "int" },
    [QMP_NUMBER] = { "number", "number", "number" }, [QMP_BOOL] = { "boolean", "bool", "boolean" },
    [QMP_NULL] = { "null", "null", "null" },         [QMP_ANY] = { "any", "any", "value" },
    [QMP_ENUM] = { "string", NULL, NULL },           [QMP_OBJECT] = { "object", NULL, NULL },
    [QMP_ALTERNATE] = { "alternate", NULL, NULL },
};

const QmpCommand *qmp_find_command(const QmpTable *table, const char *name)
{
    for (unsigned i = 0; table->commands[i]; i++) {
        for (const QmpCommand *command = table->commands[i]; command->name; command++) {
            if (!strcmp(command->name, name)) {
                return command;
            }
        }
    }
    return NULL;
}

/* ---- what a client sends ---- */

static bool check_value(const QmpType *type, JsonNode *node, const char *path, GError **error);

/* Whether @node is of the JSON kind that @type has. */
static bool is_kind(const QmpType *type, JsonNode *node)
{
    GType held = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;

    switch (type->meta) {
    case QMP_STR:
    case QMP_ENUM:
        return held == G_TYPE_STRING;
    case QMP_INT:
        return held == G_TYPE_INT64;
    case QMP_NUMBER:
        return held == G_TYPE_INT64 || held == G_TYPE_DOUBLE;
    case QMP_BOOL:
        return held == G_TYPE_BOOLEAN;
    case QMP_NULL:
        return JSON_NODE_HOLDS_NULL(node);
    case QMP_OBJECT:
        return JSON_NODE_HOLDS_OBJECT(node);
    case QMP_ANY:
        return true;
    case QMP_ALTERNATE:
        break;
    }
    for (const QmpMember *member = type->members; member->name; member++) {
        if (is_kind(member->type, node)) {
            return true;
        }
    }
    return false;
}

static bool check_word(const QmpType *type, const char *word, const char *path, GError **error)
{
    if (!g_strv_contains(type->words, word)) {
        set_error(error, "Parameter '%s' does not accept value '%s'", path, word);
        return false;
    }
    return true;
}

static bool check_list(const QmpType *type, JsonNode *node, const char *path, GError **error)
{
    if (!JSON_NODE_HOLDS_ARRAY(node)) {
        set_error(error, "Invalid parameter type for '%s', expected: array", path);
        return false;
    }
    JsonArray *array = json_node_get_array(node);
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *inner = g_strdup_printf("%s[%u]", path, i);
        if (!check_value(type, json_array_get_element(array, i), inner, error)) {
            return false;
        }
    }
    return true;
}

static char *join(const char *path, const char *name)
{
    return *path ? g_strconcat(path, ".", name, NULL) : g_strdup(name);
}

/* Those of @type's members that are there are right, the others optional; *@left loses them. */
static bool check_members(const QmpType *type, JsonObject *object, const char *path,
                          unsigned *ret_known, GError **error)
{
    for (const QmpMember *member = type->members; member && member->name; member++) {
        g_autofree char *inner = join(path, member->name);
        JsonNode *value = json_object_get_member(object, member->name);
        if (!value && !member->optional) {
            set_error(error, "Parameter '%s' is missing", inner);
            return false;
        }
        if (value &&
            !(member->list ? check_list : check_value)(member->type, value, inner, error)) {
            return false;
        }
        *ret_known += value != NULL;
    }
    return true;
}

static const QmpType *variant_of(const QmpType *type, JsonObject *object)
{
    const char *word = type->tag ? json_object_get_string_member(object, type->tag) : NULL;

    for (const QmpVariant *variant = type->variants; word && variant->word; variant++) {
        if (!strcmp(variant->word, word)) {
            return variant->type;
        }
    }
    return NULL;
}

static bool has_member(const QmpType *type, const char *name)
{
    for (const QmpMember *member = type ? type->members : NULL; member && member->name; member++) {
        if (!strcmp(member->name, name)) {
            return true;
        }
    }
    return false;
}

/* Say which member of @object is known to neither @type nor @variant. */
static bool name_unexpected(const QmpType *type, const QmpType *variant, JsonObject *object,
                            const char *path, GError **error)
{
    g_autoptr(GList) names = json_object_get_members(object);

    for (GList *at = names; at; at = at->next) {
        if (!has_member(type, at->data) && !has_member(variant, at->data)) {
            g_autofree char *inner = join(path, at->data);
            set_error(error, "Parameter '%s' is unexpected", inner);
            return false;
        }
    }
    return true;
}

static bool check_object(const QmpType *type, JsonObject *object, const char *path, GError **error)
{
    unsigned known = 0;

    if (!check_members(type, object, path, &known, error)) {
        return false;
    }
    const QmpType *variant = variant_of(type, object);
    if (variant && !check_members(variant, object, path, &known, error)) {
        return false;
    }
    return type->open || known == json_object_get_size(object) ||
           name_unexpected(type, variant, object, path, error);
}

static bool check_value(const QmpType *type, JsonNode *node, const char *path, GError **error)
{
    if (!is_kind(type, node)) {
        set_error(error, "Invalid parameter type for '%s', expected: %s", path,
                  builtins[type->meta].kind);
        return false;
    }
    switch (type->meta) {
    case QMP_ENUM:
        return check_word(type, json_node_get_string(node), path, error);
    case QMP_OBJECT:
        return check_object(type, json_node_get_object(node), path, error);
    case QMP_ALTERNATE:
        for (const QmpMember *member = type->members; member->name; member++) {
            if (is_kind(member->type, node)) {
                return check_value(member->type, node, path, error);
            }
        }
        return true;
    default:
        return true;
    }
}

bool qmp_check(const QmpType *type, JsonObject *object, GError **error)
{
    static const QmpType empty = { .meta = QMP_OBJECT };

    return check_object(type ? type : &empty, object, "", error);
}

/* ---- the schema ---- */

/* What is found on the way: each type, and each list of one, once. */
typedef struct Walk {
    GPtrArray *types; /* of const QmpType; its index is its name */
    GPtrArray *lists; /* the same, of what lists are of */
    JsonArray *out;
} Walk;

static const QmpType nothing = { .meta = QMP_OBJECT };

static bool is_builtin(const QmpType *type)
{
    return builtins[type->meta].name != NULL;
}

static unsigned place_of(GPtrArray *array, const QmpType *type)
{
    unsigned place = 0;

    if (!g_ptr_array_find(array, type, &place)) {
        g_ptr_array_add(array, (gpointer)type);
        place = array->len - 1;
    }
    return place;
}

/* The name of @type in the schema, which will have it.  Newly allocated. */
static char *name_of(Walk *walk, const QmpType *type, bool list)
{
    unsigned place = place_of(walk->types, type);
    g_autofree char *name =
        is_builtin(type) ? g_strdup(builtins[type->meta].name) : g_strdup_printf("%u", place);

    if (!list) {
        return g_steal_pointer(&name);
    }
    place_of(walk->lists, type);
    return g_strdup_printf("[%s]", name);
}

static void set_type(Walk *walk, JsonObject *object, const char *member, const QmpType *type,
                     bool list)
{
    g_autofree char *name = name_of(walk, type ? type : &nothing, list);

    json_object_set_string_member(object, member, name);
}

/* A new entry of the schema. */
static JsonObject *add_entry(Walk *walk, const char *name, const char *meta)
{
    JsonObject *entry = json_object_new();

    json_object_set_string_member(entry, "name", name);
    json_object_set_string_member(entry, "meta-type", meta);
    json_array_add_object_element(walk->out, entry);
    return entry;
}

static void add_enum(JsonObject *entry, const QmpType *type)
{
    JsonArray *values = json_array_new(), *members = json_array_new();

    for (unsigned i = 0; type->words[i]; i++) {
        JsonObject *member = json_object_new();
        json_object_set_string_member(member, "name", type->words[i]);
        json_array_add_object_element(members, member);
        json_array_add_string_element(values, type->words[i]);
    }
    json_object_set_array_member(entry, "members", members);
    json_object_set_array_member(entry, "values", values);
}

static void add_members(Walk *walk, JsonObject *entry, const QmpType *type)
{
    JsonArray *members = json_array_new();

    for (const QmpMember *member = type->members; member && member->name; member++) {
        JsonObject *object = json_object_new();
        if (type->meta == QMP_OBJECT) {
            json_object_set_string_member(object, "name", member->name);
        }
        set_type(walk, object, "type", member->type, member->list);
        if (member->optional) {
            json_object_set_null_member(object, "default");
        }
        json_array_add_object_element(members, object);
    }
    json_object_set_array_member(entry, "members", members);
}

/* The words of the enumeration that the tag is of. */
static const char *const *tag_words(const QmpType *type)
{
    for (const QmpMember *member = type->members; member->name; member++) {
        if (!strcmp(member->name, type->tag)) {
            return member->type->words;
        }
    }
    return NULL;
}

static const QmpType *variant_named(const QmpType *type, const char *word)
{
    for (const QmpVariant *variant = type->variants; variant->word; variant++) {
        if (!strcmp(variant->word, word)) {
            return variant->type;
        }
    }
    return &nothing;
}

static void add_variants(Walk *walk, JsonObject *entry, const QmpType *type)
{
    JsonArray *variants = json_array_new();

    for (const char *const *word = tag_words(type); word && *word; word++) {
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "case", *word);
        set_type(walk, object, "type", variant_named(type, *word), false);
        json_array_add_object_element(variants, object);
    }
    json_object_set_string_member(entry, "tag", type->tag);
    json_object_set_array_member(entry, "variants", variants);
}

static void add_type(Walk *walk, const QmpType *type)
{
    g_autofree char *name = name_of(walk, type, false);

    if (is_builtin(type)) {
        JsonObject *entry = add_entry(walk, name, "builtin");
        json_object_set_string_member(entry, "json-type", builtins[type->meta].json);
    } else if (type->meta == QMP_ENUM) {
        add_enum(add_entry(walk, name, "enum"), type);
    } else {
        bool object = type->meta == QMP_OBJECT;
        JsonObject *entry = add_entry(walk, name, object ? "object" : "alternate");
        add_members(walk, entry, type);
        if (type->tag) {
            add_variants(walk, entry, type);
        }
    }
}

static void add_list(Walk *walk, const QmpType *type)
{
    g_autofree char *name = name_of(walk, type, true);

    set_type(walk, add_entry(walk, name, "array"), "element-type", type, false);
}

JsonNode *qmp_schema(const QmpTable *table)
{
    Walk walk = { g_ptr_array_new(), g_ptr_array_new(), json_array_new() };

    for (unsigned i = 0; table->commands[i]; i++) {
        for (const QmpCommand *command = table->commands[i]; command->name; command++) {
            JsonObject *entry = add_entry(&walk, command->name, "command");
            set_type(&walk, entry, "arg-type", command->args, false);
            set_type(&walk, entry, "ret-type", command->ret, command->ret_list);
        }
    }
    for (const QmpEvent *event = table->events; event->name; event++) {
        set_type(&walk, add_entry(&walk, event->name, "event"), "arg-type", event->data, false);
    }
    /* both arrays grow while their types are told */
    for (unsigned i = 0; i < walk.types->len; i++) {
        add_type(&walk, g_ptr_array_index(walk.types, i));
    }
    for (unsigned i = 0; i < walk.lists->len; i++) {
        add_list(&walk, g_ptr_array_index(walk.lists, i));
    }
    g_ptr_array_unref(walk.types);
    g_ptr_array_unref(walk.lists);
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);
    json_node_take_array(node, walk.out);
    return node;
}

JsonNode *qmp_command_names(const QmpTable *table)
{
    JsonArray *names = json_array_new();

    for (unsigned i = 0; table->commands[i]; i++) {
        for (const QmpCommand *command = table->commands[i]; command->name; command++) {
            JsonObject *entry = json_object_new();
            json_object_set_string_member(entry, "name", command->name);
            json_array_add_object_element(names, entry);
        }
    }
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);
    json_node_take_array(node, names);
    return node;
}
