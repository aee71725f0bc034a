/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDR by tables, see xdr.h.
 *
 * The depth of recursion is that of the tables, which name each other but never themselves.
 */
#include "wire/xdr.h"

#include <string.h>

#include "common/error.h"
#include "wire/limits.h"

/* What is left to decode. */
typedef struct Reader {
    const uint8_t *bytes;
    size_t left;
    const char *problem; /* set once: nothing is read any more */
} Reader;

static void decode_struct(Reader *reader, const XdrType *type, uint8_t *out);
static void encode_struct(GByteArray *bytes, const XdrType *type, const uint8_t *value);

static uint32_t be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The next @len bytes and the zeros behind them, or NULL. */
static const uint8_t *take(Reader *reader, size_t len)
{
    const size_t padded = (len + 3) & ~(size_t)3;
    const uint8_t *bytes = reader->bytes;

    if (reader->problem) {
        return NULL;
    }
    if (padded > reader->left) {
        reader->problem = "it ends too early";
        return NULL;
    }
    reader->bytes += padded;
    reader->left -= padded;
    return bytes;
}

static uint32_t take32(Reader *reader)
{
    const uint8_t *bytes = take(reader, 4);
    return bytes ? be32(bytes) : 0;
}

static uint64_t take64(Reader *reader)
{
    const uint64_t high = take32(reader);
    return high << 32 | take32(reader);
}

/* A count of things of at least @each bytes, of which there may be @most. */
static uint32_t take_count(Reader *reader, size_t each, uint32_t most)
{
    const uint32_t count = take32(reader);

    if (reader->problem) {
        return 0;
    }
    if (count > most) {
        reader->problem = "a count is larger than it may be";
        return 0;
    }
    if (count > reader->left / each) {
        reader->problem = "a count is larger than what follows";
        return 0;
    }
    return count;
}

static char *take_text(Reader *reader)
{
    const uint32_t len = take_count(reader, 1, WIRE_TEXT_MAX);
    const uint8_t *bytes = take(reader, len);

    if (bytes && memchr(bytes, 0, len)) {
        reader->problem = "a text holds a NUL";
    }
    return reader->problem ? NULL : g_strndup((const char *)bytes, len);
}

static void take_opaque(Reader *reader, const XdrField *field, uint8_t *out)
{
    const uint32_t len = take_count(reader, 1, WIRE_TEXT_MAX);
    const uint8_t *bytes = take(reader, len);

    if (bytes && len) {
        *(uint8_t **)(out + field->offset) = g_memdup2(bytes, len);
        *(uint32_t *)(out + field->count) = len;
    }
}

static void take_row(Reader *reader, const XdrField *field, uint8_t *out)
{
    const XdrType *type = field->type;
    const uint32_t count = take_count(reader, type->least, WIRE_ROW_MAX);

    if (count == 0) {
        return;
    }
    uint8_t *row = g_malloc0_n(count, type->size);
    *(uint8_t **)(out + field->offset) = row;
    *(uint32_t *)(out + field->count) = count;
    for (uint32_t i = 0; i < count && !reader->problem; i++) {
        decode_struct(reader, type, row + (size_t)i * type->size);
    }
}

static void take_chars(Reader *reader, const XdrField *field, char *out)
{
    for (uint32_t i = 0; i < field->fixed; i++) {
        out[i] = (char)take32(reader);
    }
    out[field->fixed - 1] = '\0';
}

static void decode_field(Reader *reader, const XdrField *field, uint8_t *out);

static void take_union(Reader *reader, const XdrField *field, uint8_t *out)
{
    const uint32_t arm = take32(reader);

    if (reader->problem) {
        return;
    }
    if (arm < 1 || arm > field->type->n_fields) {
        reader->problem = "a value is of no known type";
        return;
    }
    *(int32_t *)(out + field->offset) = (int32_t)arm;
    decode_field(reader, &field->type->fields[arm - 1], out + field->count);
}

static void take_or(Reader *reader, const XdrField *field, uint8_t *out)
{
    if (take32(reader) == 0 || reader->problem) {
        return;
    }
    uint8_t *value = g_malloc0(field->type->size);
    *(uint8_t **)(out + field->offset) = value;
    decode_struct(reader, field->type, value);
}

/* A field that holds its number in place.  False: it is of another kind. */
static bool decode_number(Reader *reader, const XdrField *field, uint8_t *at)
{
    switch (field->kind) {
    case XDR_I32:
    case XDR_U32:
        *(uint32_t *)at = take32(reader);
        return true;
    case XDR_I64:
    case XDR_U64:
    case XDR_F64:
        *(uint64_t *)at = take64(reader);
        return true;
    case XDR_CHAR:
    case XDR_U8:
        *at = (uint8_t)take32(reader);
        return true;
    case XDR_U16:
        *(uint16_t *)at = (uint16_t)take32(reader);
        return true;
    default:
        return false;
    }
}

static void decode_field(Reader *reader, const XdrField *field, uint8_t *out)
{
    uint8_t *at = out + field->offset;
    const uint8_t *bytes;

    if (decode_number(reader, field, at)) {
        return;
    }
    switch (field->kind) {
    case XDR_CHARS:
        take_chars(reader, field, (char *)at);
        break;
    case XDR_BYTES:
        bytes = take(reader, field->fixed);
        if (bytes) {
            memcpy(at, bytes, field->fixed);
        }
        break;
    case XDR_TEXT:
        *(char **)at = take_text(reader);
        break;
    case XDR_TEXT_OR:
        *(char **)at = take32(reader) ? take_text(reader) : NULL;
        break;
    case XDR_OPAQUE:
        take_opaque(reader, field, out);
        break;
    case XDR_ROW:
        take_row(reader, field, out);
        break;
    case XDR_OR:
        take_or(reader, field, out);
        break;
    case XDR_STRUCT:
        decode_struct(reader, field->type, at);
        break;
    default:
        take_union(reader, field, out);
        break;
    }
}

static void decode_struct(Reader *reader, const XdrType *type, uint8_t *out)
{
    for (uint32_t i = 0; i < type->n_fields && !reader->problem; i++) {
        decode_field(reader, &type->fields[i], out);
    }
}

bool xdr_decode(const uint8_t *bytes, size_t len, const XdrType *type, void *out, GError **error)
{
    Reader reader = { .bytes = bytes, .left = len };

    memset(out, 0, type->size);
    decode_struct(&reader, type, out);
    if (reader.problem) {
        xdr_clear(type, out);
        set_error(error, "cannot decode %s: %s", type->name, reader.problem);
        return false;
    }
    return true;
}

static void put32(GByteArray *bytes, uint32_t value)
{
    const uint32_t be = GUINT32_TO_BE(value);
    g_byte_array_append(bytes, (const uint8_t *)&be, sizeof(be));
}

static void put64(GByteArray *bytes, uint64_t value)
{
    const uint64_t be = GUINT64_TO_BE(value);
    g_byte_array_append(bytes, (const uint8_t *)&be, sizeof(be));
}

static void put_bytes(GByteArray *bytes, const void *value, size_t len)
{
    static const uint8_t zeros[4] = { 0 };

    if (len) {
        g_byte_array_append(bytes, value, (guint)len);
    }
    if (len % 4) {
        g_byte_array_append(bytes, zeros, 4 - (guint)len % 4);
    }
}

static void put_text(GByteArray *bytes, const char *text)
{
    const size_t len = text ? strlen(text) : 0;

    put32(bytes, (uint32_t)len);
    put_bytes(bytes, text, len);
}

static void put_row(GByteArray *bytes, const XdrField *field, const uint8_t *value)
{
    const uint8_t *row = *(uint8_t *const *)(value + field->offset);
    const uint32_t count = *(const uint32_t *)(value + field->count);

    put32(bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        encode_struct(bytes, field->type, row + (size_t)i * field->type->size);
    }
}

static void put_chars(GByteArray *bytes, const XdrField *field, const char *text)
{
    for (uint32_t i = 0; i < field->fixed; i++) {
        put32(bytes, (uint32_t)(int32_t)text[i]);
    }
}

static bool encode_number(GByteArray *bytes, const XdrField *field, const uint8_t *at)
{
    switch (field->kind) {
    case XDR_I32:
    case XDR_U32:
        put32(bytes, *(const uint32_t *)at);
        return true;
    case XDR_I64:
    case XDR_U64:
    case XDR_F64:
        put64(bytes, *(const uint64_t *)at);
        return true;
    case XDR_CHAR:
        put32(bytes, (uint32_t)(int32_t) * (const char *)at);
        return true;
    case XDR_U8:
        put32(bytes, *at);
        return true;
    case XDR_U16:
        put32(bytes, *(const uint16_t *)at);
        return true;
    default:
        return false;
    }
}

static void encode_field(GByteArray *bytes, const XdrField *field, const uint8_t *value);

static void put_union(GByteArray *bytes, const XdrField *field, const uint8_t *value)
{
    const int32_t arm = *(const int32_t *)(value + field->offset);

    g_assert(arm >= 1 && (uint32_t)arm <= field->type->n_fields);
    put32(bytes, (uint32_t)arm);
    encode_field(bytes, &field->type->fields[arm - 1], value + field->count);
}

static void encode_field(GByteArray *bytes, const XdrField *field, const uint8_t *value)
{
    const uint8_t *at = value + field->offset;
    const void *pointer;

    if (encode_number(bytes, field, at)) {
        return;
    }
    switch (field->kind) {
    case XDR_CHARS:
        put_chars(bytes, field, (const char *)at);
        break;
    case XDR_BYTES:
        put_bytes(bytes, at, field->fixed);
        break;
    case XDR_TEXT:
        put_text(bytes, *(char *const *)at);
        break;
    case XDR_TEXT_OR:
        pointer = *(void *const *)at;
        put32(bytes, pointer != NULL);
        if (pointer) {
            put_text(bytes, pointer);
        }
        break;
    case XDR_OPAQUE:
        put32(bytes, *(const uint32_t *)(value + field->count));
        put_bytes(bytes, *(void *const *)at, *(const uint32_t *)(value + field->count));
        break;
    case XDR_ROW:
        put_row(bytes, field, value);
        break;
    case XDR_OR:
        pointer = *(void *const *)at;
        put32(bytes, pointer != NULL);
        if (pointer) {
            encode_struct(bytes, field->type, pointer);
        }
        break;
    case XDR_STRUCT:
        encode_struct(bytes, field->type, at);
        break;
    default:
        put_union(bytes, field, value);
        break;
    }
}

static void encode_struct(GByteArray *bytes, const XdrType *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        encode_field(bytes, &type->fields[i], value);
    }
}

void xdr_encode(GByteArray *bytes, const XdrType *type, const void *value)
{
    encode_struct(bytes, type, value);
}

static void clear_field(const XdrField *field, uint8_t *value)
{
    uint8_t *at = value + field->offset;
    uint8_t *pointer;
    int32_t arm;

    switch (field->kind) {
    case XDR_TEXT:
    case XDR_TEXT_OR:
    case XDR_OPAQUE:
        g_free(*(void **)at);
        break;
    case XDR_ROW:
        pointer = *(uint8_t **)at;
        for (uint32_t i = 0; pointer && i < *(uint32_t *)(value + field->count); i++) {
            xdr_clear(field->type, pointer + (size_t)i * field->type->size);
        }
        g_free(pointer);
        break;
    case XDR_OR:
        pointer = *(uint8_t **)at;
        if (pointer) {
            xdr_clear(field->type, pointer);
        }
        g_free(pointer);
        break;
    case XDR_STRUCT:
        xdr_clear(field->type, at);
        break;
    case XDR_UNION:
        arm = *(int32_t *)at;
        if (arm >= 1 && (uint32_t)arm <= field->type->n_fields) {
            clear_field(&field->type->fields[arm - 1], value + field->count);
        }
        break;
    default:
        break;
    }
}

void xdr_clear(const XdrType *type, void *value)
{
    for (uint32_t i = 0; i < type->n_fields; i++) {
        clear_field(&type->fields[i], value);
    }
    memset(value, 0, type->size);
}
