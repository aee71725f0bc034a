/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict reader of XML, see xml.h.
 *
 * libxml2 reads the text and calls on_begin(), on_text() and on_end(), which build the tree and
 * count; so no limit is noticed only after the memory is gone.  A DOCTYPE stops it at once.
 *
 * Threads: no state.  libxml2 initialises itself under a lock of its own.
 */
#include "config/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "config/limits.h"

typedef struct Reader {
    xmlParserCtxtPtr parser;
    const char *source;
    size_t size;
    XmlNode *root;
    XmlNode *open[XML_DEPTH_MAX]; /* the elements that the reader stands in; ends at .depth */
    unsigned depth;
    unsigned elements;
    GError *error; /* the first one; the parser has been told to stop */
} Reader;

static void clear_attribute(void *data)
{
    XmlAttribute *attribute = data;

    g_free(attribute->name);
    g_free(attribute->value);
}

static XmlNode *new_node(void)
{
    XmlNode *node = g_new0(XmlNode, 1);

    node->attributes = g_array_new(FALSE, FALSE, sizeof(XmlAttribute));
    g_array_set_clear_func(node->attributes, clear_attribute);
    node->children = g_ptr_array_new_with_free_func((GDestroyNotify)xml_node_free);
    node->text = g_string_new(NULL);
    return node;
}

void xml_node_free(XmlNode *node)
{
    if (node) {
        g_free(node->name);
        g_free(node->uri);
        g_array_unref(node->attributes);
        g_ptr_array_unref(node->children);
        g_string_free(node->text, TRUE);
        g_free(node);
    }
}

XmlNode *xml_node_copy(const XmlNode *node)
{
    XmlNode *copy = new_node();

    copy->name = g_strdup(node->name);
    copy->uri = g_strdup(node->uri);
    copy->line = node->line;
    copy->begin = node->begin;
    copy->inside = node->inside;
    copy->end = node->end;
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const XmlAttribute *from = &g_array_index(node->attributes, XmlAttribute, i);
        XmlAttribute to = { g_strdup(from->name), g_strdup(from->value) };
        g_array_append_val(copy->attributes, to);
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        g_ptr_array_add(copy->children, xml_node_copy(g_ptr_array_index(node->children, i)));
    }
    g_string_append_len(copy->text, node->text->str, (gssize)node->text->len);
    return copy;
}

/* --- what the parser calls --- */

static size_t position(const Reader *reader)
{
    long at = xmlByteConsumed(reader->parser);

    return at < 0 ? 0 : MIN((size_t)at, reader->size);
}

static unsigned line_of(const Reader *reader)
{
    return reader->parser->input ? (unsigned)MAX(reader->parser->input->line, 1) : 1;
}

G_GNUC_PRINTF(2, 3)
static void stop(Reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    if (!reader->error) {
        set_error_code(&reader->error, INSULA_ERROR_XML, "%s", message);
    }
    xmlStopParser(reader->parser);
}

static char *full_name(const xmlChar *prefix, const xmlChar *name)
{
    return prefix ? g_strdup_printf("%s:%s", prefix, name) : g_strdup((const char *)name);
}

/* An attribute's value as libxml2 hands it over: all is replaced but &, which stands as "&#38;". */
static char *attribute_value(const xmlChar *begin, const xmlChar *end)
{
    static const char ampersand[] = "&#38;";
    g_autofree char *raw = g_strndup((const char *)begin, (gsize)(end - begin));
    GString *value = g_string_new(NULL);

    for (const char *at = raw; *at;) {
        bool escaped = g_str_has_prefix(at, ampersand);
        g_string_append_c(value, *at);
        at += escaped ? strlen(ampersand) : 1;
    }
    return g_string_free(value, FALSE);
}

static void add_attribute(Reader *reader, XmlNode *node, char *name, char *value)
{
    XmlAttribute attribute = { name, value };

    g_array_append_val(node->attributes, attribute);
    if (strlen(value) > XML_ATTRIBUTE_MAX) {
        stop(reader, "element '%s' on line %u: attribute '%s' has more than %d bytes", node->name,
             node->line, name, XML_ATTRIBUTE_MAX);
    }
}

/* The parser stands before the > or /> of the element; note where it begins, and its line. */
static void locate(const Reader *reader, XmlNode *node)
{
    size_t at = position(reader);

    node->line = line_of(reader);
    node->begin = at;
    while (node->begin > 0 && reader->source[node->begin] != '<') {
        node->line -= reader->source[node->begin] == '\n';
        node->begin--;
    }
    const char *close = memchr(reader->source + at, '>', reader->size - at);
    node->inside = close ? (size_t)(close - reader->source) + 1 : reader->size;
}

static void on_begin(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int n_namespaces, const xmlChar **namespaces, int n_attributes,
                     int n_defaulted, const xmlChar **attributes)
{
    enum { NAME, PREFIX, URI, BEGIN, END, PARTS };
    Reader *reader = data;

    if (reader->error) {
        return;
    }
    if (reader->depth >= XML_DEPTH_MAX || ++reader->elements > XML_ELEMENTS_MAX) {
        stop(reader, "element '%s' on line %u: more than %d elements, or more than %d deep", name,
             line_of(reader), XML_ELEMENTS_MAX, XML_DEPTH_MAX);
        return;
    }
    XmlNode *node = new_node();
    node->name = full_name(prefix, name);
    node->uri = g_strdup((const char *)uri);
    locate(reader, node);
    if (reader->depth > 0) {
        g_ptr_array_add(reader->open[reader->depth - 1]->children, node);
    } else {
        reader->root = node;
    }
    reader->open[reader->depth++] = node;
    for (int i = 0; i < n_namespaces; i++) {
        const xmlChar **pair = namespaces + (size_t)i * 2;
        add_attribute(reader, node,
                      pair[0] ? g_strdup_printf("xmlns:%s", pair[0]) : g_strdup("xmlns"),
                      g_strdup((const char *)(pair[1] ? pair[1] : (const xmlChar *)"")));
    }
    for (int i = 0; i < n_attributes; i++) {
        const xmlChar **part = attributes + (size_t)i * PARTS;
        add_attribute(reader, node, full_name(part[PREFIX], part[NAME]),
                      attribute_value(part[BEGIN], part[END]));
    }
}

static void on_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    Reader *reader = data;

    if (!reader->error && reader->depth > 0) {
        XmlNode *node = reader->open[--reader->depth];
        node->end = position(reader);
        node->inside = MIN(node->inside, node->end);
    }
}

static void on_text(void *data, const xmlChar *text, int length)
{
    Reader *reader = data;

    if (!reader->error && reader->depth > 0) {
        g_string_append_len(reader->open[reader->depth - 1]->text, (const char *)text, length);
    }
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *public_id,
                       const xmlChar *system_id)
{
    Reader *reader = data;

    stop(reader, "the XML has a DOCTYPE on line %u, which isn't allowed: remove it",
         line_of(reader));
}

/* Newer releases of libxml2 hand over what is const. */
static void on_error(void *data, const xmlError *problem)
{
    Reader *reader = data;

    if (!reader->error && problem && problem->level >= XML_ERR_ERROR) {
        g_autofree char *message = g_strchomp(g_strdup(problem->message ? problem->message : ""));
        g_autofree char *visible = text_visible(message);
        stop(reader, "the XML is not well-formed on line %d: %s", MAX(problem->line, 1), visible);
    }
}

/* --- reading --- */

static bool check_source(const char *text, size_t size, GError **error)
{
    if (size > XML_SIZE_MAX) {
        set_error_code(error, INSULA_ERROR_XML, "the XML has more than %d bytes", XML_SIZE_MAX);
        return false;
    }
    if (!g_utf8_validate(text, (gssize)size, NULL)) {
        set_error_code(error, INSULA_ERROR_XML, "the XML is not UTF-8");
        return false;
    }
    return true;
}

static void run(Reader *reader)
{
    const xmlSAXHandler handler = {
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_begin,
        .endElementNs = on_end,
        .characters = on_text,
        .ignorableWhitespace = on_text,
        .cdataBlock = on_text,
        .internalSubset = on_doctype,
        .serror = (xmlStructuredErrorFunc)on_error,
    };

    /* our own encoding, not the text's word for it: it was checked to be UTF-8 */
    xmlCtxtUseOptions(reader->parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    *reader->parser->sax = handler;
    reader->parser->userData = reader;
    xmlParseDocument(reader->parser);
    if (!reader->error && (!reader->parser->wellFormed || !reader->root || reader->depth > 0)) {
        set_error_code(&reader->error, INSULA_ERROR_XML, "the XML is not well-formed");
    }
}

static bool check_root(const Reader *reader, const char *root, GError **error)
{
    if (root && strcmp(reader->root->name, root) != 0) {
        set_error_code(error, INSULA_ERROR_XML,
                       "element '%s' on line %u: the root must be element '%s'", reader->root->name,
                       reader->root->line, root);
        return false;
    }
    return true;
}

XmlNode *xml_parse(const char *text, const char *root, GError **error)
{
    Reader reader = { .source = text, .size = strlen(text) };

    if (!check_source(text, reader.size, error)) {
        return NULL;
    }
    reader.parser = reader.size ? xmlCreateMemoryParserCtxt(text, (int)reader.size) : NULL;
    if (!reader.parser) {
        set_error_code(error, INSULA_ERROR_XML, "the XML is empty");
        return NULL;
    }
    run(&reader);
    if (reader.parser->myDoc) {
        xmlFreeDoc(reader.parser->myDoc);
    }
    xmlFreeParserCtxt(reader.parser);
    if (reader.error || !check_root(&reader, root, error)) {
        if (reader.error) {
            g_propagate_error(error, reader.error);
        }
        xml_node_free(reader.root);
        return NULL;
    }
    return reader.root;
}
