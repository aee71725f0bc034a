/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing structs by their tables, and the reference of them, see shape.h.
 *
 * Threads: no state.
 */
#include "config/shape.h"

#include <inttypes.h>
#include <string.h>

#include "config/identity.h"

/* The text of a simple value; NULL: it wasn't said.  Newly allocated. */
static char *value_text(const XmlRow *row, const void *value)
{
    const XmlNumber *number = value;
    const XmlUuid *uuid = value;
    const XmlMac *mac = value;

    switch (row->kind) {
    case ROW_TEXT:
    case ROW_NAME:
        return g_strdup(*(char *const *)value);
    case ROW_NUMBER:
        return number->said ? g_strdup_printf("%" PRId64, number->value) : NULL;
    case ROW_WORD:
        return *(const unsigned *)value ? g_strdup(row->words[*(const unsigned *)value]) : NULL;
    case ROW_YES:
        return *(const Switch *)value ? g_strdup(*(const Switch *)value == SWITCH_ON ? "yes" : "no")
                                      : NULL;
    case ROW_ON:
        return *(const Switch *)value ? g_strdup(*(const Switch *)value == SWITCH_ON ? "on" : "off")
                                      : NULL;
    case ROW_UUID:
        return uuid->said ? uuid_format(uuid->bytes) : NULL;
    case ROW_MAC:
        return mac->said ? mac_format(mac->bytes) : NULL;
    default:
        g_assert_not_reached();
    }
}

static void format_attribute(const XmlRow *row, XmlWriter *writer, const void *what)
{
    const XmlBase *base = what;

    if (row->kind == ROW_KEPT) {
        for (unsigned i = 0; base->attributes && i < base->attributes->len; i++) {
            const XmlAttribute *kept = &g_array_index(base->attributes, XmlAttribute, i);
            if (!strcmp(kept->name, row->name)) {
                xml_put(writer, kept->name, kept->value);
            }
        }
    } else if (row->kind != ROW_REFUSED) {
        g_autofree char *text = value_text(row, (const char *)what + row->offset);
        xml_put(writer, row->name, text);
    }
}

static void format_kept(const XmlRow *row, XmlWriter *writer, const XmlBase *base)
{
    for (unsigned i = 0; base->nodes && i < base->nodes->len; i++) {
        const XmlNode *node = g_ptr_array_index(base->nodes, i);
        if (!strcmp(node->name, row->name)) {
            xml_put_node(writer, node);
        }
    }
}

static void format_many(const XmlRow *row, const XmlContext *context, XmlWriter *writer,
                        const GPtrArray *array)
{
    for (unsigned i = 0; i < array->len; i++) {
        xml_shape_format(row->shape, context, writer, row->name, g_ptr_array_index(array, i));
    }
}

/* A value that is an element of its own. */
static void format_leaf(const XmlRow *row, XmlWriter *writer, const void *value)
{
    if (row->kind == ROW_FLAG) {
        if (*(const bool *)value) {
            xml_open(writer, row->name);
            xml_close(writer, row->name);
        }
    } else if (row->kind == ROW_SIZE) {
        if (*(const uint64_t *)value || row->flags & ROW_REQUIRED) {
            xml_put_element_size(writer, row->name, "KiB", *(const uint64_t *)value / 1024);
        }
    } else {
        g_autofree char *text = value_text(row, value);
        xml_put_element(writer, row->name, text);
    }
}

/* Whether an element that only holds arrays holds nothing. */
static bool is_empty(const XmlShape *shape, const void *what)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        const void *value = (const char *)what + row->offset;
        if (row->kind == ROW_MANY && (*(GPtrArray *const *)value)->len > 0) {
            return false;
        }
    }
    return true;
}

static bool is_shown(const XmlRow *row, const XmlContext *context)
{
    return !(row->flags & ROW_LIVE && !(context->flags & SHAPE_LIVE)) &&
           !(row->flags & ROW_SECRET && !(context->flags & SHAPE_SECRET));
}

static void format_attributes(const XmlShape *shape, const XmlContext *context, XmlWriter *writer,
                              const void *what)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        if (row->place == ROW_ATTRIBUTE && is_shown(row, context)) {
            format_attribute(row, writer, what);
        }
    }
}

static void format_namespaces(XmlWriter *writer, const XmlBase *base)
{
    for (unsigned i = 0; base->attributes && i < base->attributes->len; i++) {
        const XmlAttribute *kept = &g_array_index(base->attributes, XmlAttribute, i);
        if (g_str_has_prefix(kept->name, "xmlns")) {
            xml_put(writer, kept->name, kept->value);
        }
    }
}

static void format_rows(const XmlShape *shape, const XmlContext *context, XmlWriter *writer,
                        const void *what);

static void format_child(const XmlRow *row, const XmlContext *context, XmlWriter *writer,
                         const void *what)
{
    const void *value = (const char *)what + row->offset;

    switch (row->kind) {
    case ROW_REFUSED:
        break;
    case ROW_KEPT:
        format_kept(row, writer, what);
        break;
    case ROW_ONE:
        if (*(void *const *)value) {
            xml_shape_format(row->shape, context, writer, row->name, *(void *const *)value);
        }
        break;
    case ROW_MANY:
        format_many(row, context, writer, *(GPtrArray *const *)value);
        break;
    case ROW_SAME:
        if (!(row->flags & ROW_ALWAYS) && is_empty(row->shape, what)) {
            break;
        }
        xml_open(writer, row->name);
        format_attributes(row->shape, context, writer, what);
        format_rows(row->shape, context, writer, what);
        xml_close(writer, row->name);
        break;
    case ROW_RAW:
        if (*(char *const *)value) {
            xml_open(writer, row->name);
            xml_put_raw(writer, *(char *const *)value);
            xml_close(writer, row->name);
        }
        break;
    case ROW_CUSTOM:
        row->custom->format(context, writer, row->name, value);
        break;
    default:
        format_leaf(row, writer, value);
    }
}

static void format_rows(const XmlShape *shape, const XmlContext *context, XmlWriter *writer,
                        const void *what)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        if (row->place == ROW_CONTENT) {
            g_autofree char *text = value_text(row, (const char *)what + row->offset);
            if (text) {
                xml_put_text(writer, text);
            }
        } else if (row->place == ROW_ELEMENT && is_shown(row, context)) {
            format_child(row, context, writer, what);
        }
    }
}

void xml_shape_format(const XmlShape *shape, const XmlContext *context, XmlWriter *writer,
                      const char *name, const void *what)
{
    xml_open(writer, name);
    format_attributes(shape, context, writer, what);
    format_namespaces(writer, what);
    format_rows(shape, context, writer, what);
    xml_close(writer, name);
}

/* --- the reference --- */

/* What a row takes, for people.  Newly allocated. */
static char *takes(const XmlRow *row)
{
    static const char *const kinds[] = {
        [ROW_TEXT] = "text",  [ROW_NAME] = "name", [ROW_NUMBER] = "number",   [ROW_YES] = "yes, no",
        [ROW_ON] = "on, off", [ROW_UUID] = "UUID", [ROW_MAC] = "MAC address", [ROW_SIZE] = "size",
    };

    if (row->kind == ROW_WORD) {
        return g_strjoinv(", ", (char **)row->words + 1);
    }
    return g_strdup(row->kind < G_N_ELEMENTS(kinds) && kinds[row->kind] ? kinds[row->kind] : "");
}

static void describe_row(const XmlRow *row, const char *path, GString *to)
{
    g_autofree char *values = takes(row);
    const char *fate = row->kind == ROW_KEPT      ? "kept"
                       : row->kind == ROW_REFUSED ? "refused"
                                                  : "taken";
    const char *live = row->flags & ROW_LIVE ? "; shown of a running VM only" : "";

    g_string_append_printf(to, "| `%s%s%s` | %s%s%s%s | %s |\n", path,
                           row->place == ROW_ATTRIBUTE ? "@"
                           : row->place == ROW_CONTENT ? ""
                                                       : "/",
                           row->name ? row->name : "", fate, live, row->note ? ": " : "",
                           row->note ? row->note : "", values);
}

/* Shapes that stand in several places are described in the first. */
static void describe_rows(const XmlShape *shape, const char *path, GHashTable *done, GString *to)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        describe_row(row, path, to);
        if (row->shape && g_hash_table_add(done, (gpointer)row->shape)) {
            g_autofree char *inner = g_strdup_printf("%s/%s", path, row->name);
            describe_rows(row->shape, inner, done, to);
        }
    }
}

char *xml_shape_describe(const XmlShape *shape, const char *path)
{
    g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
    GString *to = g_string_new("| where | what becomes of it | values |\n|---|---|---|\n");

    describe_rows(shape, path, done, to);
    return g_string_free(to, FALSE);
}
