/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making, copying and reading structs by their tables, see shape.h.
 *
 * Threads: no state.
 */
#include "config/shape.h"

#include <string.h>

#include "common/suggest.h"
#include "config/identity.h"

enum {
    KNOWN_MAX = 128, /* rows of one shape, for suggestions */
    KIB = 1024,
};

static void *member(void *what, const XmlRow *row)
{
    return (char *)what + row->offset;
}

static const void *member_const(const void *what, const XmlRow *row)
{
    return (const char *)what + row->offset;
}

/* --- making, copying, freeing --- */

/* The arrays of @what, also of elements whose members are its own. */
static void init_rows(const XmlShape *shape, void *what)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        if (row->kind == ROW_MANY) {
            *(GPtrArray **)member(what, row) = g_ptr_array_new();
        } else if (row->kind == ROW_SAME) {
            init_rows(row->shape, what);
        }
    }
}

void *xml_shape_new(const XmlShape *shape)
{
    void *what = g_malloc0(shape->size);

    init_rows(shape, what);
    return what;
}

static void clear_row(const XmlRow *row, void *what);

static void clear_rows(const XmlShape *shape, void *what)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        clear_row(row, what);
    }
}

static void clear_row(const XmlRow *row, void *what)
{
    if (row->kind == ROW_TEXT || row->kind == ROW_NAME || row->kind == ROW_RAW) {
        g_clear_pointer((char **)member(what, row), g_free);
    } else if (row->kind == ROW_ONE) {
        xml_shape_free(row->shape, *(void **)member(what, row));
    } else if (row->kind == ROW_MANY) {
        GPtrArray *array = *(GPtrArray **)member(what, row);
        for (unsigned i = 0; i < array->len; i++) {
            xml_shape_free(row->shape, g_ptr_array_index(array, i));
        }
        g_ptr_array_unref(array);
    } else if (row->kind == ROW_SAME) {
        clear_rows(row->shape, what);
    }
}

void xml_shape_free(const XmlShape *shape, void *what)
{
    if (what) {
        XmlBase *base = what;
        clear_rows(shape, what);
        g_clear_pointer(&base->attributes, g_array_unref);
        g_clear_pointer(&base->nodes, g_ptr_array_unref);
        g_free(what);
    }
}

static void clear_attribute(void *data)
{
    XmlAttribute *attribute = data;

    g_free(attribute->name);
    g_free(attribute->value);
}

static void keep_attribute(XmlBase *base, const char *name, const char *value)
{
    XmlAttribute attribute = { g_strdup(name), g_strdup(value) };

    if (!base->attributes) {
        base->attributes = g_array_new(FALSE, FALSE, sizeof(XmlAttribute));
        g_array_set_clear_func(base->attributes, clear_attribute);
    }
    g_array_append_val(base->attributes, attribute);
}

static void keep_node(XmlBase *base, const XmlNode *node)
{
    if (!base->nodes) {
        base->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)xml_node_free);
    }
    g_ptr_array_add(base->nodes, xml_node_copy(node));
}

static void copy_row(const XmlRow *row, void *to, const void *from);

static void copy_rows(const XmlShape *shape, void *to, const void *from)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        copy_row(row, to, from);
    }
}

static void copy_row(const XmlRow *row, void *to, const void *from)
{
    static const size_t plain[] = {
        [ROW_NUMBER] = sizeof(XmlNumber), [ROW_WORD] = sizeof(unsigned), [ROW_YES] = sizeof(Switch),
        [ROW_ON] = sizeof(Switch),        [ROW_UUID] = sizeof(XmlUuid),  [ROW_MAC] = sizeof(XmlMac),
        [ROW_SIZE] = sizeof(uint64_t),    [ROW_FLAG] = sizeof(bool),
    };
    const void *source = member_const(from, row);
    void *target = member(to, row);

    if (row->kind == ROW_TEXT || row->kind == ROW_NAME || row->kind == ROW_RAW) {
        *(char **)target = g_strdup(*(char *const *)source);
    } else if (row->kind == ROW_ONE) {
        const void *inner = *(void *const *)source;
        *(void **)target = inner ? xml_shape_copy(row->shape, inner) : NULL;
    } else if (row->kind == ROW_MANY) {
        const GPtrArray *array = *(GPtrArray *const *)source;
        for (unsigned i = 0; i < array->len; i++) {
            g_ptr_array_add(*(GPtrArray **)target,
                            xml_shape_copy(row->shape, g_ptr_array_index(array, i)));
        }
    } else if (row->kind == ROW_SAME) {
        copy_rows(row->shape, to, from);
    } else if (row->kind == ROW_CUSTOM) {
        memcpy(target, source, row->custom->size);
    } else if (row->kind < G_N_ELEMENTS(plain)) {
        memcpy(target, source, plain[row->kind]);
    }
}

void *xml_shape_copy(const XmlShape *shape, const void *what)
{
    const XmlBase *from = what;
    void *copy = xml_shape_new(shape);
    XmlBase *base = copy;

    copy_rows(shape, copy, what);
    base->line = from->line;
    for (unsigned i = 0; from->attributes && i < from->attributes->len; i++) {
        const XmlAttribute *attribute = &g_array_index(from->attributes, XmlAttribute, i);
        keep_attribute(base, attribute->name, attribute->value);
    }
    for (unsigned i = 0; from->nodes && i < from->nodes->len; i++) {
        keep_node(base, g_ptr_array_index(from->nodes, i));
    }
    return copy;
}

/* --- reading --- */

static bool parse_word(const XmlNode *node, const char *name, const XmlRow *row, unsigned *ret,
                       GError **error)
{
    g_autofree char *value = NULL;

    if (!xml_get_text(node, name, row->flags & ROW_REQUIRED, &value, error)) {
        return false;
    }
    for (unsigned i = 1; value && row->words[i]; i++) {
        if (!strcmp(value, row->words[i])) {
            *ret = i;
            return true;
        }
    }
    if (!value) {
        return true;
    }
    g_autofree char *list = g_strjoinv(", ", (char **)row->words + 1);
    g_autofree char *where = name ? g_strdup_printf("attribute '%s'", name) : g_strdup("its text");
    return xml_unsupported(node, error, "%s '%s' can't be: there are %s", where, value, list);
}

static bool parse_switch(const XmlNode *node, const char *name, const XmlRow *row, Switch *ret,
                         GError **error)
{
    bool on = false;
    bool required = row->flags & ROW_REQUIRED;
    bool there = name ? xml_attribute(node, name) != NULL : true;
    bool good = row->kind == ROW_YES ? xml_get_yes(node, name, required, &on, error)
                                     : xml_get_on(node, name, required, &on, error);

    if (good && there) {
        *ret = on ? SWITCH_ON : SWITCH_OFF;
    }
    return good;
}

static bool parse_number(const XmlNode *node, const char *name, const XmlRow *row, XmlNumber *ret,
                         GError **error)
{
    int64_t max = row->max ? row->max : INT64_MAX;

    if (name ? !xml_attribute(node, name) : !xml_has_text(node)) {
        return !(row->flags & ROW_REQUIRED) ||
               xml_get_integer(node, name, true, row->min, max, &ret->value, error);
    }
    ret->said = xml_get_integer(node, name, true, row->min, max, &ret->value, error);
    return ret->said;
}

/* A value of attribute @name of @node, or (NULL) of its text. */
static bool parse_value(const XmlNode *node, const char *name, const XmlRow *row, void *to,
                        GError **error)
{
    bool required = row->flags & ROW_REQUIRED;
    bool there = name ? xml_attribute(node, name) != NULL : xml_has_text(node);

    switch (row->kind) {
    case ROW_TEXT:
        return xml_get_text(node, name, required, to, error);
    case ROW_NAME:
        return xml_get_name(node, name, required, to, error);
    case ROW_NUMBER:
        return parse_number(node, name, row, to, error);
    case ROW_WORD:
        return parse_word(node, name, row, to, error);
    case ROW_YES:
    case ROW_ON:
        return parse_switch(node, name, row, to, error);
    case ROW_UUID:
        ((XmlUuid *)to)->said = there;
        return xml_get_uuid(node, name, required, ((XmlUuid *)to)->bytes, error);
    case ROW_MAC:
        ((XmlMac *)to)->said = there;
        return xml_get_mac(node, name, required, ((XmlMac *)to)->bytes, error);
    default:
        g_assert_not_reached();
    }
}

static const XmlRow *find_row(const XmlShape *shape, RowPlace place, const char *name)
{
    for (const XmlRow *row = shape->rows; row->place; row++) {
        if (row->place == place && (!row->name || !strcmp(row->name, name))) {
            return row;
        }
    }
    return NULL;
}

static bool unknown(const XmlShape *shape, RowPlace place, const char *name, const XmlNode *node,
                    GError **error)
{
    const char *known[KNOWN_MAX + 1] = { NULL };
    unsigned n = 0;

    for (const XmlRow *row = shape->rows; row->place && n < KNOWN_MAX; row++) {
        if (row->place == place && row->kind != ROW_REFUSED) {
            known[n++] = row->name;
        }
    }
    g_autofree char *hint = suggest_text(name, known);
    return place == ROW_ATTRIBUTE
               ? xml_unsupported(node, error, "unknown attribute '%s'%s", name, hint)
               : xml_unsupported(node, error, "there is no such element here%s", hint);
}

static bool refused(const XmlRow *row, const XmlNode *node, GError **error)
{
    return row->place == ROW_ATTRIBUTE
               ? xml_unsupported(node, error, "attribute '%s' is not supported: %s", row->name,
                                 row->note)
               : xml_unsupported(node, error, "it is not supported: %s", row->note);
}

static bool parse_attributes(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                             void *what, GError **error)
{
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const XmlAttribute *attribute = &g_array_index(node->attributes, XmlAttribute, i);
        const XmlRow *row = find_row(shape, ROW_ATTRIBUTE, attribute->name);
        if (g_str_has_prefix(attribute->name, "xmlns")) {
            keep_attribute(what, attribute->name, attribute->value);
            continue;
        }
        if (!row) {
            return unknown(shape, ROW_ATTRIBUTE, attribute->name, node, error);
        }
        if (row->flags & ROW_LIVE && !(context->flags & SHAPE_LIVE)) {
            continue;
        }
        if (row->kind == ROW_REFUSED) {
            return refused(row, node, error);
        }
        if (row->kind == ROW_KEPT) {
            keep_attribute(what, attribute->name, attribute->value);
        } else if (!parse_value(node, row->name, row, member(what, row), error)) {
            return false;
        }
    }
    return true;
}

/* What is kept must be what we can write again. */
static bool check_kept(const XmlNode *node, GError **error)
{
    if (node->children->len > 0 && xml_has_text(node)) {
        return xml_error(node, error, "it has text beside its elements");
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        if (!check_kept(g_ptr_array_index(node->children, i), error)) {
            return false;
        }
    }
    return true;
}

/* The text between the tags of @node; NULL: nothing. */
static char *inside(const XmlContext *context, const XmlNode *node)
{
    const char *begin = context->source + node->inside;
    const char *end = context->source + node->end;

    do {
        end--;
    } while (end > begin && *end != '<');
    return end > begin ? g_strndup(begin, (gsize)(end - begin)) : NULL;
}

/* An element that only holds a value. */
static bool parse_leaf(const XmlNode *node, const XmlRow *row, void *to, GError **error)
{
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const char *name = g_array_index(node->attributes, XmlAttribute, i).name;
        if (row->kind != ROW_SIZE || strcmp(name, "unit") != 0) {
            return xml_unsupported(node, error, "unknown attribute '%s'", name);
        }
    }
    if (node->children->len > 0) {
        return xml_unsupported(g_ptr_array_index(node->children, 0), error,
                               "there is no such element here");
    }
    if (row->kind == ROW_FLAG) {
        *(bool *)to = true;
        return true;
    }
    if (row->kind == ROW_SIZE) {
        uint64_t max = row->max ? (uint64_t)row->max : (uint64_t)INT64_MAX + 1 - KIB;
        uint64_t size = 0;
        bool good = xml_get_size(node, "KiB", max, &size, error);
        *(uint64_t *)to = (size + KIB - 1) / KIB * KIB;
        return good;
    }
    return parse_value(node, NULL, row, to, error);
}

static bool parse_rows(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                       void *what, GError **error);

static bool parse_child(const XmlRow *row, const XmlContext *context, const XmlNode *node,
                        void *what, GError **error)
{
    void *to = member(what, row);
    void *inner = NULL;

    switch (row->kind) {
    case ROW_REFUSED:
        return refused(row, node, error);
    case ROW_KEPT:
        keep_node(what, node);
        return check_kept(node, error);
    case ROW_ONE:
        inner = *(void **)to = xml_shape_new(row->shape);
        return xml_shape_parse(row->shape, context, node, inner, error);
    case ROW_MANY:
        inner = xml_shape_new(row->shape);
        g_ptr_array_add(*(GPtrArray **)to, inner);
        return xml_shape_parse(row->shape, context, node, inner, error);
    case ROW_SAME:
        return parse_rows(row->shape, context, node, what, error);
    case ROW_CUSTOM:
        return row->custom->parse(context, node, to, error);
    case ROW_RAW:
        *(char **)to = inside(context, node);
        return true;
    default:
        return parse_leaf(node, row, to, error);
    }
}

static bool may_repeat(const XmlRow *row)
{
    return row->kind == ROW_MANY || row->kind == ROW_KEPT || row->kind == ROW_REFUSED;
}

static bool parse_children(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                           void *what, GError **error)
{
    for (unsigned i = 0; i < node->children->len; i++) {
        const XmlNode *child = g_ptr_array_index(node->children, i);
        const XmlRow *row = find_row(shape, ROW_ELEMENT, child->name);
        if (!row) {
            return unknown(shape, ROW_ELEMENT, child->name, child, error);
        }
        if (row->flags & ROW_LIVE && !(context->flags & SHAPE_LIVE)) {
            continue;
        }
        if (!may_repeat(row) && xml_child(node, child->name) != child) {
            return xml_error(child, error, "it is given twice");
        }
        if (!parse_child(row, context, child, what, error)) {
            return false;
        }
    }
    return true;
}

/* What must be there, and the element's own text. */
static bool parse_rest(const XmlShape *shape, const XmlNode *node, void *what, GError **error)
{
    const XmlRow *content = find_row(shape, ROW_CONTENT, "");

    for (const XmlRow *row = shape->rows; row->place; row++) {
        if (!(row->flags & ROW_REQUIRED)) {
            continue;
        }
        if (row->place == ROW_ATTRIBUTE && !xml_attribute(node, row->name)) {
            return xml_error(node, error, "attribute '%s' is missing", row->name);
        }
        if (row->place == ROW_ELEMENT && !xml_child(node, row->name)) {
            return xml_error(node, error, "element '%s' is missing in it", row->name);
        }
    }
    if (!content && xml_has_text(node)) {
        return xml_error(node, error, "it takes no text");
    }
    return !content || parse_value(node, NULL, content, member(what, content), error);
}

static bool parse_rows(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                       void *what, GError **error)
{
    return parse_attributes(shape, context, node, what, error) &&
           parse_children(shape, context, node, what, error) &&
           parse_rest(shape, node, what, error) &&
           (!shape->check || shape->check(node, what, error));
}

bool xml_shape_parse(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                     void *what, GError **error)
{
    ((XmlBase *)what)->line = node->line;
    return parse_rows(shape, context, node, what, error);
}
