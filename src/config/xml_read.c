/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an element says: its words, numbers and names, see xml.h.
 *
 * Threads: no state.
 */
#include "config/xml.h"

#include <inttypes.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "config/identity.h"

/* --- errors --- */

static void fail(const XmlNode *node, GError **error, InsulaError code, const char *format,
                 va_list args)
{
    g_autofree char *message = g_strdup_vprintf(format, args);
    g_autofree char *visible = text_visible(message);

    if (node->line) {
        set_error_code(error, code, "element '%s' on line %u: %s", node->name, node->line, visible);
    } else {
        set_error_code(error, code, "element '%s': %s", node->name, visible);
    }
}

bool xml_error(const XmlNode *node, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(node, error, INSULA_ERROR_XML, format, args);
    va_end(args);
    return false;
}

bool xml_unsupported(const XmlNode *node, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(node, error, INSULA_ERROR_UNSUPPORTED, format, args);
    va_end(args);
    return false;
}

/* "attribute 'x'" or "its text".  Newly allocated. */
static char *place(const char *name)
{
    return name ? g_strdup_printf("attribute '%s'", name) : g_strdup("its text");
}

/* --- finding --- */

XmlNode *xml_child(const XmlNode *node, const char *name)
{
    for (unsigned i = 0; i < node->children->len; i++) {
        XmlNode *child = g_ptr_array_index(node->children, i);
        if (!strcmp(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

XmlNode *xml_descend(const XmlNode *node, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", 0);
    XmlNode *found = NULL;

    for (unsigned i = 0; names[i]; i++) {
        found = xml_child(i ? found : node, names[i]);
        if (!found) {
            return NULL;
        }
    }
    return found;
}

const char *xml_attribute(const XmlNode *node, const char *name)
{
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const XmlAttribute *attribute = &g_array_index(node->attributes, XmlAttribute, i);
        if (!strcmp(attribute->name, name)) {
            return attribute->value;
        }
    }
    return NULL;
}

char *xml_text(const XmlNode *node)
{
    return g_strstrip(g_strdup(node->text->str));
}

bool xml_has_text(const XmlNode *node)
{
    return node->text->str[strspn(node->text->str, " \t\r\n")] != '\0';
}

/* *@ret_value: what attribute @name, or the text, says; NULL: nothing.  Newly allocated.  Only
 * what is required and missing fails. */
static bool look(const XmlNode *node, const char *name, bool required, char **ret_value,
                 GError **error)
{
    g_autofree char *value = name ? g_strdup(xml_attribute(node, name)) : xml_text(node);

    if (!name && value && !*value) {
        g_clear_pointer(&value, g_free);
    }
    if (!value && required) {
        g_autofree char *where = place(name);
        return xml_error(node, error, "%s is missing", where);
    }
    *ret_value = g_steal_pointer(&value);
    return true;
}

/* --- values --- */

bool xml_number(const char *text, uint64_t max, uint64_t *ret)
{
    bool hexadecimal = g_str_has_prefix(text, "0x");
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, 0, max,
                                    &number, NULL)) {
        return false;
    }
    *ret = number;
    return true;
}

bool xml_get_text(const XmlNode *node, const char *name, bool required, char **ret, GError **error)
{
    char *value = NULL;

    if (!look(node, name, required, &value, error)) {
        return false;
    }
    if (value) {
        *ret = value;
    }
    return true;
}

bool xml_get_number(const XmlNode *node, const char *name, bool required, uint64_t min,
                    uint64_t max, uint64_t *ret, GError **error)
{
    g_autofree char *value = NULL;
    guint64 number = 0;

    if (!look(node, name, required, &value, error)) {
        return false;
    }
    if (value && !g_ascii_string_to_unsigned(value, 10, min, max, &number, NULL)) {
        g_autofree char *where = place(name);
        return xml_error(node, error, "%s '%s' must be a number from %" PRIu64 " to %" PRIu64,
                         where, value, min, max);
    }
    *ret = value ? number : *ret;
    return true;
}

bool xml_get_integer(const XmlNode *node, const char *name, bool required, int64_t min, int64_t max,
                     int64_t *ret, GError **error)
{
    g_autofree char *value = NULL;
    gint64 number = 0;

    if (!look(node, name, required, &value, error)) {
        return false;
    }
    if (value && !g_ascii_string_to_signed(value, 10, min, max, &number, NULL)) {
        g_autofree char *where = place(name);
        return xml_error(node, error, "%s '%s' must be a number from %" PRId64 " to %" PRId64,
                         where, value, min, max);
    }
    *ret = value ? number : *ret;
    return true;
}

bool xml_get_word(const XmlNode *node, const char *name, bool required, const char *const *words,
                  unsigned *ret, GError **error)
{
    g_autofree char *value = NULL;

    if (!look(node, name, required, &value, error) || !value) {
        return !value && !required;
    }
    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(value, words[i])) {
            *ret = i;
            return true;
        }
    }
    g_autofree char *where = place(name);
    g_autofree char *list = g_strjoinv(", ", (char **)words);
    return xml_error(node, error, "%s '%s' must be one of %s", where, value, list);
}

static bool get_switch(const XmlNode *node, const char *name, bool required,
                       const char *const words[3], bool *ret, GError **error)
{
    unsigned which = *ret;

    if (!xml_get_word(node, name, required, words, &which, error)) {
        return false;
    }
    *ret = which;
    return true;
}

bool xml_get_yes(const XmlNode *node, const char *name, bool required, bool *ret, GError **error)
{
    static const char *const words[] = { "no", "yes", NULL };

    return get_switch(node, name, required, words, ret, error);
}

bool xml_get_on(const XmlNode *node, const char *name, bool required, bool *ret, GError **error)
{
    static const char *const words[] = { "off", "on", NULL };

    return get_switch(node, name, required, words, ret, error);
}

/* How many bytes @unit has; 0: there is no such unit.  1000 and 1024 as libvirt counts them. */
static uint64_t unit_size(const char *unit)
{
    static const char letters[] = "kmgtpe";
    const char *letter = *unit ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
    bool binary = letter && (!unit[1] || !g_ascii_strcasecmp(unit + 1, "ib"));
    uint64_t size = 1;

    if (!g_ascii_strcasecmp(unit, "b") || !strcmp(unit, "byte") || !strcmp(unit, "bytes")) {
        return 1;
    }
    if (!letter || !(binary || !g_ascii_strcasecmp(unit + 1, "b"))) {
        return 0;
    }
    for (long i = 0; i <= letter - letters; i++) {
        size *= binary ? 1024 : 1000;
    }
    return size;
}

bool xml_get_size(const XmlNode *node, const char *unit, uint64_t max, uint64_t *ret,
                  GError **error)
{
    const char *said = xml_attribute(node, "unit");
    uint64_t bytes = unit_size(said ? said : unit);
    uint64_t number = 0;

    if (!bytes) {
        return xml_error(node, error, "attribute 'unit' '%s' is no unit: KiB, MiB, GiB, bytes are",
                         said);
    }
    if (!xml_get_number(node, NULL, XML_REQUIRED, 0, max / bytes, &number, error)) {
        return false;
    }
    *ret = number * bytes;
    return true;
}

bool xml_get_name(const XmlNode *node, const char *name, bool required, char **ret, GError **error)
{
    g_autofree char *value = NULL;

    if (!look(node, name, required, &value, error)) {
        return false;
    }
    if (value && !name_valid(value)) {
        g_autofree char *where = place(name);
        return xml_error(node, error, "%s '%s' must be " NAME_RULE, where, value);
    }
    if (value) {
        *ret = g_steal_pointer(&value);
    }
    return true;
}

bool xml_get_uuid(const XmlNode *node, const char *name, bool required, uint8_t ret[UUID_SIZE],
                  GError **error)
{
    g_autofree char *value = NULL;

    if (!look(node, name, required, &value, error)) {
        return false;
    }
    if (value && !uuid_parse(value, ret)) {
        g_autofree char *where = place(name);
        return xml_error(node, error, "%s '%s' must be a UUID: 8-4-4-4-12 hexadecimal digits",
                         where, value);
    }
    return true;
}

bool xml_get_mac(const XmlNode *node, const char *name, bool required, uint8_t ret[MAC_SIZE],
                 GError **error)
{
    g_autofree char *value = NULL;
    uint8_t mac[MAC_SIZE];

    if (!look(node, name, required, &value, error) || !value) {
        return !value && !required;
    }
    g_autofree char *where = place(name);
    if (!mac_parse(value, mac)) {
        return xml_error(node, error, "%s '%s' must be six bytes, such as 52:54:00:12:34:56", where,
                         value);
    }
    if (mac_is_group(mac)) {
        return xml_error(node, error, "%s '%s' is a group's address; make its first byte even",
                         where, value);
    }
    memcpy(ret, mac, MAC_SIZE);
    return true;
}
