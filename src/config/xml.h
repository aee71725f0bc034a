/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one way in and out for XML: a strict reader and a writer in libvirt's layout.
 *
 * The reader takes UTF-8 of at most XML_SIZE_MAX bytes and makes a tree of it.  It refuses a
 * DOCTYPE and so all entities but XML's own five, fetches nothing, and keeps the limits of
 * limits.h.  Comments and processing instructions are dropped.  What it makes is plain: an XmlNode
 * per element, with its line for messages.  Functions xml_get_...() take out of it what an element
 * says; each fails with INSULA_ERROR_XML and names the element and its line.
 *
 * The writer indents by two spaces, quotes attributes with ', writes <a/> for an element without
 * content, and escapes what must be.
 *
 * Threads: no state; a tree and a writer belong to one thread at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* --- reading --- */

typedef struct XmlAttribute {
    char *name; /* with its prefix, as an element's; declarations of namespaces stand here, too */
    char *value;
} XmlAttribute;

typedef struct XmlNode {
    char *name;          /* with its prefix, as in "libosinfo:os" */
    char *uri;           /* the namespace that it is in; NULL: none */
    unsigned line;       /* on which it begins; 0: it wasn't read */
    size_t begin, end;   /* where the element stands in the text that was read */
    size_t inside;       /* where its content begins there; == end: <a/> */
    GArray *attributes;  /* of XmlAttribute, in the order read; owns them */
    GPtrArray *children; /* of XmlNode; owns them */
    GString *text;       /* what stands in it outside of its children */
} XmlNode;

/* The root of the tree that @text holds; @root is the name that it must have (NULL: any).  Fails
 * with INSULA_ERROR_XML.  Free with xml_node_free(). */
XmlNode *xml_parse(const char *text, const char *root, GError **error);
void xml_node_free(XmlNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlNode, xml_node_free)
XmlNode *xml_node_copy(const XmlNode *node);

/* Fail because of @node: "element 'disk' on line 12: " and the message.  These always return
 * false, so that "return xml_error(...)" ends a parser. */
bool xml_error(const XmlNode *node, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same with INSULA_ERROR_UNSUPPORTED: understood, but there is no such thing here. */
bool xml_unsupported(const XmlNode *node, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* The first child of that name, or NULL. */
XmlNode *xml_child(const XmlNode *node, const char *name);
/* The element that a path of names such as "target/format" leads to, or NULL. */
XmlNode *xml_descend(const XmlNode *node, const char *path);
/* The attribute's value, or NULL.  The node keeps it. */
const char *xml_attribute(const XmlNode *node, const char *name);
/* The element's text without the white space around it.  Newly allocated. */
char *xml_text(const XmlNode *node);
/* Whether it has text other than white space. */
bool xml_has_text(const XmlNode *node);

/* Below, @name is an attribute, or NULL for the element's text.  What isn't there leaves *@ret as
 * it was and succeeds, unless @required. */

enum { XML_OPTIONAL = 0, XML_REQUIRED = 1 };

/* Any text; an empty one is one.  *@ret is newly allocated. */
bool xml_get_text(const XmlNode *node, const char *name, bool required, char **ret, GError **error);
/* A whole number in decimal, from @min to @max. */
bool xml_get_number(const XmlNode *node, const char *name, bool required, uint64_t min,
                    uint64_t max, uint64_t *ret, GError **error);
/* The same, which may be negative. */
bool xml_get_integer(const XmlNode *node, const char *name, bool required, int64_t min, int64_t max,
                     int64_t *ret, GError **error);
/* The place of the word in @words (NULL behind the last). */
bool xml_get_word(const XmlNode *node, const char *name, bool required, const char *const *words,
                  unsigned *ret, GError **error);
/* yes or no. */
bool xml_get_yes(const XmlNode *node, const char *name, bool required, bool *ret, GError **error);
/* on or off. */
bool xml_get_on(const XmlNode *node, const char *name, bool required, bool *ret, GError **error);
/* The element's text as a size in bytes; its attribute "unit" says in what (as libvirt has them:
 * b, bytes, KB, k, KiB, ...; without one: @unit, such as "KiB"). */
bool xml_get_size(const XmlNode *node, const char *unit, uint64_t max, uint64_t *ret,
                  GError **error);
/* A name by name_valid().  *@ret is newly allocated. */
bool xml_get_name(const XmlNode *node, const char *name, bool required, char **ret, GError **error);
bool xml_get_uuid(const XmlNode *node, const char *name, bool required, uint8_t ret[16],
                  GError **error);
bool xml_get_mac(const XmlNode *node, const char *name, bool required, uint8_t ret[6],
                 GError **error);

/* @text as a number, decimal or (where it begins with 0x) hexadecimal.  False: it is none, or
 * beyond @max. */
bool xml_number(const char *text, uint64_t max, uint64_t *ret);

/* --- writing --- */

typedef struct XmlWriter XmlWriter;

XmlWriter *xml_writer_new(void);
/* What was written; the writer is gone.  Newly allocated. */
char *xml_writer_end(XmlWriter *writer);

/* Begin an element; its attributes follow, then what is in it. */
void xml_open(XmlWriter *writer, const char *name);
/* End it.  @name is what was opened. */
void xml_close(XmlWriter *writer, const char *name);
/* An attribute of what was opened; nothing where @value is NULL. */
void xml_put(XmlWriter *writer, const char *name, const char *value);
void xml_put_number(XmlWriter *writer, const char *name, uint64_t value);
void xml_put_format(XmlWriter *writer, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* The content of what was opened, which has no elements then. */
void xml_put_text(XmlWriter *writer, const char *text);
/* The same, but as it stands: it is XML. */
void xml_put_raw(XmlWriter *writer, const char *xml);
/* <name>text</name>; nothing where @text is NULL. */
void xml_put_element(XmlWriter *writer, const char *name, const char *text);
void xml_put_element_number(XmlWriter *writer, const char *name, uint64_t value);
/* <name unit='unit'>value</name> */
void xml_put_element_size(XmlWriter *writer, const char *name, const char *unit, uint64_t value);
/* An element that was read, with all in it. */
void xml_put_node(XmlWriter *writer, const XmlNode *node);
