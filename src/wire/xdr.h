/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDR (RFC 4506) as libvirt's protocol uses it: C structs to bytes and back, by tables.
 *
 * All is big-endian and takes a multiple of 4 bytes.  A struct is described by an XdrType, which is
 * a row of XdrField; tools/generate-wire makes them from remote.table.  What a struct holds is
 * allocated with GLib and goes with xdr_clear().
 *
 * Decoding bounds each count by the bytes that are left before it allocates, and by limits.h; text
 * holds no NUL.  An optional value is there if its flag isn't 0, whatever else it is: go-libvirt
 * writes 0x01000000.  Bytes behind what the table names are ignored, as libvirtd does.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum XdrKind {
    XDR_I32,
    XDR_U32,
    XDR_I64,
    XDR_U64,
    XDR_F64,
    XDR_CHAR,    /* char in a struct; 4 bytes on the wire */
    XDR_U8,      /* uint8_t, likewise */
    XDR_U16,     /* uint16_t, likewise */
    XDR_CHARS,   /* char[.fixed] in a struct, 4 bytes each on the wire; ends with a NUL */
    XDR_BYTES,   /* uint8_t[.fixed], packed */
    XDR_TEXT,    /* char *, never NULL after decoding; NULL is encoded as "" */
    XDR_TEXT_OR, /* char *, NULL if it isn't there */
    XDR_OPAQUE,  /* uint8_t * and a count */
    XDR_ROW,     /* T * and a count: .type describes one */
    XDR_OR,      /* T *, NULL if it isn't there */
    XDR_STRUCT,  /* T in place */
    XDR_UNION,   /* int32_t and a union behind it, at .count: arm N is field N - 1 of .type */
} XdrKind;

typedef struct XdrType XdrType;

typedef struct XdrField {
    const char *name;
    XdrKind kind;
    uint32_t offset; /* in the struct */
    uint32_t count;  /* offset of what belongs to it: a uint32_t count, or the union */
    uint32_t fixed;  /* how many */
    const XdrType *type;
} XdrField;

struct XdrType {
    const char *name;
    uint32_t size;  /* of the struct */
    uint32_t least; /* bytes on the wire, whatever it holds */
    uint32_t n_fields;
    const XdrField *fields;
};

/* Fill @out, .size bytes of anything, from @bytes.  False: they're no @type (too short, a count too
 * large, text with a NUL), and @out holds nothing. */
bool xdr_decode(const uint8_t *bytes, size_t len, const XdrType *type, void *out, GError **error);
/* Append what @value holds. */
void xdr_encode(GByteArray *bytes, const XdrType *type, const void *value);
/* Free what @value holds and zero it. */
void xdr_clear(const XdrType *type, void *value);
