/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer of XML, see xml.h.
 *
 * Threads: no state.
 */
#include "config/xml.h"

#include <inttypes.h>

/* What stands behind what was opened last. */
typedef enum Content {
    CONTENT_NONE, /* its start tag is still open */
    CONTENT_TEXT,
    CONTENT_ELEMENTS,
} Content;

struct XmlWriter {
    GString *text;
    unsigned depth;
    Content content; /* of the element that is open */
};

XmlWriter *xml_writer_new(void)
{
    XmlWriter *writer = g_new0(XmlWriter, 1);

    writer->text = g_string_new(NULL);
    writer->content = CONTENT_ELEMENTS;
    return writer;
}

char *xml_writer_end(XmlWriter *writer)
{
    char *text = g_string_free(writer->text, FALSE);

    g_free(writer);
    return text;
}

/* @text so that it reads back as it is.  A line end in an attribute would become a space, and a
 * carriage return a line end (XML 1.0, 2.11 and 3.3.3); other control characters can't be said. */
static void escape(GString *to, const char *text, bool attribute)
{
    for (; *text; text++) {
        const char *name = *text == '<'    ? "&lt;"
                           : *text == '>'  ? "&gt;"
                           : *text == '&'  ? "&amp;"
                           : *text == '\'' ? "&apos;"
                           : *text == '"'  ? "&quot;"
                                           : NULL;
        bool number = *text == '\r' || (attribute && (*text == '\n' || *text == '\t'));
        if (name) {
            g_string_append(to, name);
        } else if (number) {
            g_string_append_printf(to, "&#%d;", *text);
        } else if ((unsigned char)*text >= ' ' || *text == '\n' || *text == '\t') {
            g_string_append_c(to, *text);
        }
    }
}

/* End the start tag before what is in the element, unless that was done. */
static void begin_content(XmlWriter *writer, Content content)
{
    if (writer->content == CONTENT_NONE) {
        g_string_append(writer->text, content == CONTENT_ELEMENTS ? ">\n" : ">");
    }
    writer->content = content;
}

static void indent(XmlWriter *writer)
{
    for (unsigned i = 0; i < writer->depth; i++) {
        g_string_append(writer->text, "  ");
    }
}

void xml_open(XmlWriter *writer, const char *name)
{
    begin_content(writer, CONTENT_ELEMENTS);
    indent(writer);
    g_string_append_printf(writer->text, "<%s", name);
    writer->depth++;
    writer->content = CONTENT_NONE;
}

void xml_close(XmlWriter *writer, const char *name)
{
    writer->depth--;
    if (writer->content == CONTENT_NONE) {
        g_string_append(writer->text, "/>\n");
    } else {
        if (writer->content == CONTENT_ELEMENTS) {
            indent(writer);
        }
        g_string_append_printf(writer->text, "</%s>\n", name);
    }
    writer->content = CONTENT_ELEMENTS;
}

void xml_put(XmlWriter *writer, const char *name, const char *value)
{
    if (value) {
        g_string_append_printf(writer->text, " %s='", name);
        escape(writer->text, value, true);
        g_string_append_c(writer->text, '\'');
    }
}

void xml_put_number(XmlWriter *writer, const char *name, uint64_t value)
{
    g_string_append_printf(writer->text, " %s='%" PRIu64 "'", name, value);
}

void xml_put_format(XmlWriter *writer, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *value = g_strdup_vprintf(format, args);
    va_end(args);
    xml_put(writer, name, value);
}

void xml_put_text(XmlWriter *writer, const char *text)
{
    begin_content(writer, CONTENT_TEXT);
    escape(writer->text, text, false);
}

void xml_put_raw(XmlWriter *writer, const char *xml)
{
    begin_content(writer, CONTENT_TEXT);
    g_string_append(writer->text, xml);
}

void xml_put_element(XmlWriter *writer, const char *name, const char *text)
{
    if (text) {
        xml_open(writer, name);
        xml_put_text(writer, text);
        xml_close(writer, name);
    }
}

void xml_put_element_number(XmlWriter *writer, const char *name, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);

    xml_put_element(writer, name, text);
}

void xml_put_element_size(XmlWriter *writer, const char *name, const char *unit, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("%" PRIu64, value);

    xml_open(writer, name);
    xml_put(writer, "unit", unit);
    xml_put_text(writer, text);
    xml_close(writer, name);
}

void xml_put_node(XmlWriter *writer, const XmlNode *node)
{
    xml_open(writer, node->name);
    for (unsigned i = 0; i < node->attributes->len; i++) {
        const XmlAttribute *attribute = &g_array_index(node->attributes, XmlAttribute, i);
        xml_put(writer, attribute->name, attribute->value);
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        xml_put_node(writer, g_ptr_array_index(node->children, i));
    }
    if (node->children->len == 0 && xml_has_text(node)) {
        xml_put_text(writer, node->text->str);
    }
    xml_close(writer, node->name);
}
