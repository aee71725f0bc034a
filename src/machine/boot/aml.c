/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AML writer, see aml.h.
 */
#include "machine/boot/aml.h"

#include <string.h>

#include "common/bits.h"

enum {
    OP_ZERO = 0x00,
    OP_ONE = 0x01,
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_STRING = 0x0d,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_ARGUMENT = 0x68,
    OP_STORE = 0x70,
    OP_NOTIFY = 0x86,
    OP_IF = 0xa0,
    OP_RETURN = 0xa4,
    OP_EXTENDED = 0x5b,
    EXTENDED_DEVICE = 0x82,
};

enum { NAME_LEN = 4 };

static void put(GByteArray *aml, uint8_t byte)
{
    g_byte_array_append(aml, &byte, 1);
}

static void put_le(GByteArray *aml, uint32_t value, unsigned size)
{
    uint8_t bytes[4];

    store_le32(bytes, value);
    g_byte_array_append(aml, bytes, size);
}

static void put_name(GByteArray *aml, const char *name)
{
    g_assert(strlen(name) == NAME_LEN + (name[0] == '\\'));
    g_byte_array_append(aml, (const guint8 *)name, (guint)strlen(name));
}

static void put_integer(GByteArray *aml, uint32_t value)
{
    if (value <= 1) {
        put(aml, value ? OP_ONE : OP_ZERO);
    } else if (value <= 0xff) {
        put(aml, OP_BYTE);
        put_le(aml, value, 1);
    } else if (value <= 0xffff) {
        put(aml, OP_WORD);
        put_le(aml, value, 2);
    } else {
        put(aml, OP_DWORD);
        put_le(aml, value, 4);
    }
}

/* A package length goes in front of what it measures, and counts its own bytes: one byte up to
 * 63, else the low 4 bits in the first byte and 8 in each that follows (20.2.4). */
void aml_end(GByteArray *aml, size_t begun)
{
    size_t body = aml->len - begun;
    size_t own = body + 1 <= 0x3f ? 1 : body + 2 <= 0xfff ? 2 : 3;
    size_t total = body + own;
    uint8_t bytes[3];

    g_assert(total <= 0xfffff);
    if (own == 1) {
        bytes[0] = (uint8_t)total;
    } else {
        bytes[0] = (uint8_t)((own - 1) << 6 | (total & 0xf));
        bytes[1] = (uint8_t)(total >> 4);
        bytes[2] = (uint8_t)(total >> 12);
    }
    g_byte_array_set_size(aml, (guint)(aml->len + own));
    memmove(aml->data + begun + own, aml->data + begun, body);
    memcpy(aml->data + begun, bytes, own);
}

size_t aml_begin_scope(GByteArray *aml, const char *name)
{
    put(aml, OP_SCOPE);
    size_t begun = aml->len;
    put_name(aml, name);
    return begun;
}

size_t aml_begin_device(GByteArray *aml, const char *name)
{
    put(aml, OP_EXTENDED);
    put(aml, EXTENDED_DEVICE);
    size_t begun = aml->len;
    put_name(aml, name);
    return begun;
}

static void begin_name(GByteArray *aml, const char *name)
{
    put(aml, OP_NAME);
    put_name(aml, name);
}

void aml_name_integer(GByteArray *aml, const char *name, uint32_t value)
{
    begin_name(aml, name);
    put_integer(aml, value);
}

void aml_name_string(GByteArray *aml, const char *name, const char *value)
{
    begin_name(aml, name);
    put(aml, OP_STRING);
    g_byte_array_append(aml, (const guint8 *)value, (guint)strlen(value) + 1);
}

/* Three letters of 5 bits and four hexadecimal digits, big-endian (19.3.4). */
void aml_name_eisa(GByteArray *aml, const char *name, const char *id)
{
    uint32_t value = 0;

    g_assert(strlen(id) == 7);
    for (unsigned i = 0; i < 3; i++) {
        value = value << 5 | (uint32_t)(id[i] - '@');
    }
    for (unsigned i = 3; i < 7; i++) {
        value = value << 4 | (uint32_t)g_ascii_xdigit_value(id[i]);
    }
    begin_name(aml, name);
    put(aml, OP_DWORD);
    put_le(aml, GUINT32_SWAP_LE_BE(value), 4);
}

void aml_name_package(GByteArray *aml, const char *name, const uint8_t *values, uint8_t n)
{
    begin_name(aml, name);
    put(aml, OP_PACKAGE);
    size_t begun = aml->len;
    put(aml, n);
    for (unsigned i = 0; i < n; i++) {
        put_integer(aml, values[i]);
    }
    aml_end(aml, begun);
}

size_t aml_begin_package(GByteArray *aml, uint8_t n)
{
    put(aml, OP_PACKAGE);
    size_t begun = aml->len;
    put(aml, n);
    return begun;
}

void aml_integer(GByteArray *aml, uint32_t value)
{
    put_integer(aml, value);
}

void aml_name(GByteArray *aml, const char *name)
{
    begin_name(aml, name);
}

size_t aml_begin_method(GByteArray *aml, const char *name, unsigned args)
{
    put(aml, OP_METHOD);
    size_t begun = aml->len;
    put_name(aml, name);
    put(aml, (uint8_t)args);
    return begun;
}

void aml_return_name(GByteArray *aml, const char *name)
{
    put(aml, OP_RETURN);
    put_name(aml, name);
}

void aml_return_argument(GByteArray *aml, unsigned argument)
{
    put(aml, OP_RETURN);
    put(aml, (uint8_t)(OP_ARGUMENT + argument));
}

void aml_store_argument(GByteArray *aml, unsigned argument, const char *name)
{
    put(aml, OP_STORE);
    put(aml, (uint8_t)(OP_ARGUMENT + argument));
    put_name(aml, name);
}

void aml_notify(GByteArray *aml, const char *name, uint32_t value)
{
    enum { ROOT = '\\', TWO_NAMES = '.' };

    put(aml, OP_NOTIFY);
    put(aml, ROOT);
    put(aml, TWO_NAMES);
    put_name(aml, "_SB_");
    put_name(aml, name);
    put_integer(aml, value);
}

size_t aml_begin_if(GByteArray *aml, const char *name)
{
    put(aml, OP_IF);
    size_t begun = aml->len;
    put_name(aml, name);
    return begun;
}

AmlResources aml_begin_resources(void)
{
    return (AmlResources){ .bytes = g_byte_array_new() };
}

/* Small descriptors: a byte with type and length; large ones: a type byte and two of length
 * (6.4.2, 6.4.3). */
void aml_resource_io(AmlResources *r, uint16_t port, uint8_t len)
{
    put(r->bytes, 0x47);
    put(r->bytes, 1); /* decodes 16 bits */
    put_le(r->bytes, port, 2);
    put_le(r->bytes, port, 2);
    put(r->bytes, 1);
    put(r->bytes, len);
}

void aml_resource_irq(AmlResources *r, unsigned irq)
{
    put(r->bytes, 0x22);
    put_le(r->bytes, 1U << irq, 2);
}

void aml_resource_memory32(AmlResources *r, uint32_t base, uint32_t len)
{
    put(r->bytes, 0x86);
    put_le(r->bytes, 9, 2);
    put(r->bytes, 1); /* writable */
    put_le(r->bytes, base, 4);
    put_le(r->bytes, len, 4);
}

void aml_resource_interrupt(AmlResources *r, uint32_t gsi)
{
    enum { CONSUMER = 1, SHARED = 8 };

    put(r->bytes, 0x89);
    put_le(r->bytes, 6, 2);
    put(r->bytes, CONSUMER | SHARED);
    put(r->bytes, 1);
    put_le(r->bytes, gsi, 4);
}

/* Address space descriptors (6.4.3.5): granularity, first, last, translation, length, each of
 * @width bytes. */
typedef struct AddressSpace {
    uint8_t tag, width, type, flags;
    uint64_t first, last;
} AddressSpace;

static void put_address_space(AmlResources *r, const AddressSpace *space)
{
    enum { FIXED = 0xc }; /* both ends */
    const uint64_t fields[] = { 0, space->first, space->last, 0, space->last - space->first + 1 };

    put(r->bytes, space->tag);
    put_le(r->bytes, 3 + 5U * space->width, 2);
    put(r->bytes, space->type);
    put(r->bytes, FIXED);
    put(r->bytes, space->flags);
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_byte_array_append(r->bytes, (const guint8 *)&fields[i], space->width);
    }
}

void aml_resource_buses(AmlResources *r, uint16_t first, uint16_t last)
{
    put_address_space(r, &(AddressSpace){ 0x88, 2, 2, 0, first, last });
}

void aml_resource_port_window(AmlResources *r, uint16_t first, uint16_t last)
{
    enum { WHOLE_RANGE = 3 };

    put_address_space(r, &(AddressSpace){ 0x88, 2, 1, WHOLE_RANGE, first, last });
}

void aml_resource_memory_window(AmlResources *r, uint64_t first, uint64_t last)
{
    enum { WRITABLE = 1 };

    if (last >> 32) {
        put_address_space(r, &(AddressSpace){ 0x8a, 8, 0, WRITABLE, first, last });
    } else {
        put_address_space(r, &(AddressSpace){ 0x87, 4, 0, WRITABLE, first, last });
    }
}

void aml_end_resources(GByteArray *aml, AmlResources *r)
{
    put(r->bytes, 0x79);
    put(r->bytes, 0); /* no checksum */
    begin_name(aml, "_CRS");
    put(aml, OP_BUFFER);
    size_t begun = aml->len;
    put_integer(aml, r->bytes->len);
    g_byte_array_append(aml, r->bytes->data, r->bytes->len);
    aml_end(aml, begun);
    g_byte_array_free(r->bytes, TRUE);
    r->bytes = NULL;
}
