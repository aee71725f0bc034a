/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes: tables that say what an element may hold and which member of a struct takes it.
 *
 * From one table come reading, writing, copying and freeing, and the reference in the documents.
 * Rows stand in the order in which they are written.  What no row names is refused, so nothing that
 * a client asks for is dropped silently; what is harmless and not ours has a row of kind ROW_KEPT
 * and is written again as it was read (as declarations of namespaces are).
 * A shape's struct begins with an XmlBase.
 *
 * Threads: no state.
 * Read first: config/xml.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/xml.h"

/* What each struct begins with. */
typedef struct XmlBase {
    unsigned line;      /* where it was read; 0: it wasn't */
    GArray *attributes; /* of XmlAttribute: the kept ones; NULL: none */
    GPtrArray *nodes;   /* of XmlNode: the kept ones; NULL: none */
} XmlBase;

/* A number that need not be said. */
typedef struct XmlNumber {
    bool said;
    int64_t value;
} XmlNumber;

/* on and off, yes and no. */
typedef enum Switch { SWITCH_UNSAID, SWITCH_OFF, SWITCH_ON } Switch;

typedef enum RowPlace {
    ROW_ATTRIBUTE = 1,
    ROW_CONTENT, /* the element's own text */
    ROW_ELEMENT, /* a child; for kinds up to ROW_MAC its text */
} RowPlace;

typedef enum RowKind {
    ROW_TEXT,    /* char *; NULL: not said */
    ROW_NAME,    /* the same, by name_valid() */
    ROW_NUMBER,  /* XmlNumber, from .min to .max */
    ROW_WORD,    /* an enum: a place in .words, whose first stands for what wasn't said */
    ROW_YES,     /* Switch: yes, no */
    ROW_ON,      /* Switch: on, off */
    ROW_UUID,    /* XmlUuid */
    ROW_MAC,     /* XmlMac */
    ROW_SIZE,    /* uint64_t, bytes up to .max, in whole KiB; 0: not said.  Elements only */
    ROW_FLAG,    /* bool: whether there is such an element */
    ROW_RAW,     /* char *: what stands in the element, byte for byte; NULL: nothing */
    ROW_ONE,     /* a pointer to a struct of .shape; NULL: there is none */
    ROW_MANY,    /* GPtrArray of such structs, never NULL */
    ROW_SAME,    /* an element whose rows are .shape's and whose members this struct's */
    ROW_CUSTOM,  /* a plain struct, by the functions of .custom */
    ROW_KEPT,    /* in the XmlBase */
    ROW_REFUSED, /* fails; .note says why */
} RowKind;

typedef struct XmlUuid {
    bool said;
    uint8_t bytes[16];
} XmlUuid;

typedef struct XmlMac {
    bool said;
    uint8_t bytes[6];
} XmlMac;

enum {
    ROW_REQUIRED = 1 << 0,
    ROW_LIVE = 1 << 1,   /* only of what runs: else neither read nor written */
    ROW_SECRET = 1 << 2, /* written only for those who may see secrets */
    ROW_ALWAYS = 1 << 3, /* an element of ROW_SAME that is written even if empty */
};

/* How a text is read and written: SHAPE_ flags. */
enum { SHAPE_LIVE = 1, SHAPE_SECRET = 2, SHAPE_ALL = SHAPE_LIVE | SHAPE_SECRET };

typedef struct XmlContext {
    const char *source; /* the text that is read; NULL when writing */
    unsigned flags;
} XmlContext;

typedef struct XmlCustom {
    size_t size; /* of the member, which is copied as it is and holds no pointers */
    bool (*parse)(const XmlContext *context, const XmlNode *node, void *member, GError **error);
    void (*format)(const XmlContext *context, XmlWriter *writer, const char *name,
                   const void *member);
} XmlCustom;

typedef struct XmlShape XmlShape;

typedef struct XmlRow {
    RowPlace place;
    const char *name; /* NULL for ROW_CONTENT */
    RowKind kind;
    size_t offset; /* of the member */
    unsigned flags;
    const char *const *words;
    const XmlShape *shape;
    const XmlCustom *custom;
    int64_t min, max; /* max 0: INT64_MAX */
    const char *note; /* for the reference, and why it is refused */
} XmlRow;

struct XmlShape {
    size_t size;        /* of the struct */
    const XmlRow *rows; /* .place 0 behind the last */
    /* What one row can't say; NULL: nothing.  After the rows were read. */
    bool (*check)(const XmlNode *node, const void *what, GError **error);
};

/* A struct of @shape with nothing said.  Free with xml_shape_free(). */
void *xml_shape_new(const XmlShape *shape);
void xml_shape_free(const XmlShape *shape, void *what);
void *xml_shape_copy(const XmlShape *shape, const void *what);

/* Read @node into @what, which is new.  On failure (INSULA_ERROR_XML, or _UNSUPPORTED for what
 * isn't built) @what may have been written. */
bool xml_shape_parse(const XmlShape *shape, const XmlContext *context, const XmlNode *node,
                     void *what, GError **error);
/* Write @what as an element called @name. */
void xml_shape_format(const XmlShape *shape, const XmlContext *context, XmlWriter *writer,
                      const char *name, const void *what);

/* The reference: a row of a Markdown table for each row of @shape and of those below it, with
 * @path before each name.  Newly allocated. */
char *xml_shape_describe(const XmlShape *shape, const char *path);
