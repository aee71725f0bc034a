/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of gdb's remote serial protocol, see gdb_packet.h.
 */
#include "vm/gdb_packet.h"

#include <string.h>

enum { INTERRUPT_BYTE = 0x03, ESCAPE_BYTE = '}', ESCAPE_XOR = 0x20 };

static void start(GdbParser *parser)
{
    parser->state = GDB_PAYLOAD;
    parser->broken = false;
    parser->sum = 0;
    parser->len = 0;
}

static void store(GdbParser *parser, uint8_t byte)
{
    if (parser->len < GDB_PACKET_MAX) {
        parser->data[parser->len++] = (char)byte;
    } else {
        parser->broken = true;
    }
}

static GdbEvent between(GdbParser *parser, uint8_t byte)
{
    switch (byte) {
    case '$':
        start(parser);
        return GDB_EVENT_NONE;
    case INTERRUPT_BYTE:
        return GDB_EVENT_INTERRUPT;
    case '+':
        return GDB_EVENT_ACK;
    case '-':
        return GDB_EVENT_NAK;
    default:
        return GDB_EVENT_NONE;
    }
}

static void payload(GdbParser *parser, uint8_t byte)
{
    if (byte == '#') {
        parser->state = GDB_SUM_HIGH;
        return;
    }
    if (byte == '$') {
        start(parser); /* the end of the one before was lost */
        return;
    }
    parser->sum = (uint8_t)(parser->sum + byte);
    if (byte == ESCAPE_BYTE) {
        parser->state = GDB_ESCAPED;
    } else {
        store(parser, byte);
    }
}

static GdbEvent finish(GdbParser *parser, uint8_t byte)
{
    int high = gdb_digit((char)parser->given), low = gdb_digit((char)byte);

    parser->state = GDB_BETWEEN;
    parser->data[parser->len] = 0;
    if (parser->broken || high < 0 || low < 0 || (high << 4 | low) != parser->sum) {
        return GDB_EVENT_BROKEN;
    }
    return GDB_EVENT_PACKET;
}

GdbEvent gdb_parser_byte(GdbParser *parser, uint8_t byte)
{
    switch (parser->state) {
    case GDB_BETWEEN:
        return between(parser, byte);
    case GDB_PAYLOAD:
        payload(parser, byte);
        return GDB_EVENT_NONE;
    case GDB_ESCAPED:
        parser->sum = (uint8_t)(parser->sum + byte);
        store(parser, byte ^ ESCAPE_XOR);
        parser->state = GDB_PAYLOAD;
        return GDB_EVENT_NONE;
    case GDB_SUM_HIGH:
        parser->given = byte;
        parser->state = GDB_SUM_LOW;
        return GDB_EVENT_NONE;
    case GDB_SUM_LOW:
        return finish(parser, byte);
    }
    return GDB_EVENT_NONE;
}

void gdb_frame(GString *out, const char *text, size_t len)
{
    uint8_t sum = 0;

    g_string_append_c(out, '$');
    size_t begin = out->len;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '#' || text[i] == '$' || text[i] == ESCAPE_BYTE || text[i] == '*') {
            g_string_append_c(out, ESCAPE_BYTE);
            g_string_append_c(out, (char)(text[i] ^ ESCAPE_XOR));
        } else {
            g_string_append_c(out, text[i]);
        }
    }
    for (size_t i = begin; i < out->len; i++) {
        sum = (uint8_t)(sum + (uint8_t)out->str[i]);
    }
    g_string_append_printf(out, "#%02x", sum);
}

void gdb_append_hex(GString *out, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        g_string_append_c(out, digits[bytes[i] >> 4]);
        g_string_append_c(out, digits[bytes[i] & 15]);
    }
}

int gdb_digit(char c)
{
    return g_ascii_xdigit_value(c);
}

bool gdb_take_number(const char **text, uint64_t *ret_number)
{
    uint64_t number = 0;
    unsigned n = 0;

    for (; n < 16 && gdb_digit((*text)[n]) >= 0; n++) {
        number = number << 4 | (unsigned)gdb_digit((*text)[n]);
    }
    if (!n || gdb_digit((*text)[n]) >= 0) {
        return false;
    }
    *text += n;
    *ret_number = number;
    return true;
}

bool gdb_take_bytes(const char **text, void *ret_data, size_t len)
{
    uint8_t *bytes = ret_data;
    const char *p = *text;

    for (size_t i = 0; i < 2 * len; i++) {
        if (gdb_digit(p[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(gdb_digit(p[2 * i]) << 4 | gdb_digit(p[2 * i + 1]));
    }
    *text += 2 * len;
    return true;
}
