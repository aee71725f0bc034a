/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The elements in a domain's <metadata>, one per application, told apart by their namespaces.
 *
 * The text itself is what is kept; it is read anew for each question, and a change cuts out one
 * element and leaves every other byte as it is.
 *
 * Threads: no state.
 */
#include <string.h>

#include "common/error.h"
#include "config/domain.h"

/* The metadata as an element of its own, with the namespaces that it stood in. */
static char *wrap(const DomainConfig *config)
{
    GString *text = g_string_new("<metadata");
    const GArray *kept = config->base.attributes;

    for (unsigned i = 0; kept && i < kept->len; i++) {
        const XmlAttribute *attribute = &g_array_index(kept, XmlAttribute, i);
        if (g_str_has_prefix(attribute->name, "xmlns")) {
            g_autofree char *value = g_markup_escape_text(attribute->value, -1);
            g_string_append_printf(text, " %s=\"%s\"", attribute->name, value);
        }
    }
    g_string_append_printf(text, ">%s</metadata>", config->metadata ? config->metadata : "");
    return g_string_free(text, FALSE);
}

static const XmlNode *find(const XmlNode *metadata, const char *uri)
{
    for (unsigned i = 0; i < metadata->children->len; i++) {
        const XmlNode *node = g_ptr_array_index(metadata->children, i);
        if (node->uri && !strcmp(node->uri, uri)) {
            return node;
        }
    }
    return NULL;
}

static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? colon + 1 : name;
}

/* Take @node and what is in it out of namespace @uri, as those ask for it who know it. */
static void leave_namespace(XmlNode *node, const char *uri)
{
    if (node->uri && !strcmp(node->uri, uri)) {
        char *name = g_strdup(local_name(node->name));
        g_free(node->name);
        node->name = name;
    }
    for (unsigned i = node->attributes->len; i-- > 0;) {
        const XmlAttribute *attribute = &g_array_index(node->attributes, XmlAttribute, i);
        if (g_str_has_prefix(attribute->name, "xmlns") && !strcmp(attribute->value, uri)) {
            g_array_remove_index(node->attributes, i);
        }
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        leave_namespace(g_ptr_array_index(node->children, i), uri);
    }
}

char *domain_config_metadata(const DomainConfig *config, const char *uri)
{
    g_autofree char *text = wrap(config);
    g_autoptr(XmlNode) root = xml_parse(text, "metadata", NULL);
    const XmlNode *node = root ? find(root, uri) : NULL;

    if (!node) {
        return NULL;
    }
    g_autoptr(XmlNode) copy = xml_node_copy(node);
    leave_namespace(copy, uri);
    XmlWriter *writer = xml_writer_new();
    xml_put_node(writer, copy);
    return g_strchomp(xml_writer_end(writer));
}

static bool is_key(const char *key)
{
    size_t length = strspn(key, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-.");

    return length > 0 && !key[length] && (g_ascii_isalpha(*key) || *key == '_');
}

/* @xml with its root in namespace @uri by prefix @key.  Newly allocated. */
static char *enter_namespace(const char *xml, const char *key, const char *uri, GError **error)
{
    g_autoptr(XmlNode) node = xml_parse(xml, NULL, error);

    if (!node) {
        return NULL;
    }
    g_autofree char *binding = g_strdup_printf("xmlns:%s", key);
    g_autofree char *space = g_markup_escape_text(uri, -1);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "<%s:%s %s=\"%s\"", key, local_name(node->name), binding, space);
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const XmlAttribute *attribute = &g_array_index(node->attributes, XmlAttribute, i);
        g_autofree char *value = g_markup_escape_text(attribute->value, -1);
        if (strcmp(attribute->name, binding) != 0) {
            g_string_append_printf(text, " %s=\"%s\"", attribute->name, value);
        }
    }
    if (node->inside == node->end) {
        g_string_append(text, "/>");
    } else {
        const char *close =
            g_strrstr_len(xml + node->inside, (gssize)(node->end - node->inside), "</");
        g_string_append_printf(text, ">%.*s</%s:%s>", (int)(close - (xml + node->inside)),
                               xml + node->inside, key, local_name(node->name));
    }
    return g_string_free(text, FALSE);
}

/* The metadata without the element of @uri.  Newly allocated. */
static char *without(const DomainConfig *config, const char *uri)
{
    g_autofree char *text = wrap(config);
    g_autoptr(XmlNode) root = xml_parse(text, "metadata", NULL);
    const XmlNode *node = root ? find(root, uri) : NULL;

    if (!node) {
        return g_strdup(config->metadata ? config->metadata : "");
    }
    size_t begin = node->begin;
    while (begin > root->inside && g_ascii_isspace(text[begin - 1])) {
        begin--;
    }
    const char *close = g_strrstr(text, "</");
    return g_strdup_printf("%.*s%.*s", (int)(begin - root->inside), text + root->inside,
                           (int)(close - (text + node->end)), text + node->end);
}

bool domain_config_set_metadata(DomainConfig *config, const char *key, const char *uri,
                                const char *xml, GError **error)
{
    g_autofree char *element = NULL;

    if (xml && !is_key(key)) {
        set_error_code(error, INSULA_ERROR_XML,
                       "key '%s' of the metadata must be a letter, then letters and digits", key);
        return false;
    }
    if (xml && !(element = enter_namespace(xml, key, uri, error))) {
        return false;
    }
    g_autofree char *rest = g_strchomp(without(config, uri));
    g_autofree char *all = element ? g_strdup_printf("%s\n    %s\n  ", rest, element)
                                   : g_strdup_printf("%s\n  ", rest);
    g_autofree char *trimmed = g_strstrip(g_strdup(all));
    g_free(config->metadata);
    config->metadata = *trimmed ? g_steal_pointer(&all) : NULL;
    return true;
}
