/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of gdb's remote serial protocol (gdb manual, appendix E): "$payload#checksum", with
 * acknowledgements and the interrupt byte between them.
 *
 * The parser takes one byte at a time from a peer that may send anything.  Its memory is fixed: a
 * packet that is too long is skipped to its end and reported as broken.
 *
 * Threads: a parser belongs to one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most bytes of a payload, after unescaping; told to gdb as PacketSize. */
enum { GDB_PACKET_MAX = 16384 };

typedef enum GdbEvent {
    GDB_EVENT_NONE,      /* more bytes are needed */
    GDB_EVENT_PACKET,    /* .data and .len hold a payload, until the next byte */
    GDB_EVENT_BROKEN,    /* a packet with a wrong checksum, or too long */
    GDB_EVENT_INTERRUPT, /* Ctrl-C */
    GDB_EVENT_ACK,
    GDB_EVENT_NAK,
} GdbEvent;

typedef enum GdbParserState {
    GDB_BETWEEN,
    GDB_PAYLOAD,
    GDB_ESCAPED,
    GDB_SUM_HIGH,
    GDB_SUM_LOW,
} GdbParserState;

/* All zero is a parser between packets. */
typedef struct GdbParser {
    GdbParserState state;
    bool broken;   /* too long */
    uint8_t sum;   /* of the payload so far, as on the wire */
    uint8_t given; /* first digit of the checksum */
    size_t len;
    char data[GDB_PACKET_MAX + 1]; /* unescaped; a 0 behind the payload of a whole packet */
} GdbParser;

GdbEvent gdb_parser_byte(GdbParser *parser, uint8_t byte);

/* Append the packet of @payload to @out, escaped where needed. */
void gdb_frame(GString *out, const char *payload, size_t len);

/* Append @len bytes of @data as hexadecimal digits. */
void gdb_append_hex(GString *out, const void *data, size_t len);
/* Value of a hexadecimal digit, or -1. */
int gdb_digit(char c);
/* Take a hexadecimal number of 1 to 16 digits from *@text, which moves behind it. */
bool gdb_take_number(const char **text, uint64_t *ret_number);
/* Take exactly @len bytes, two digits each, from *@text; all or nothing. */
bool gdb_take_bytes(const char **text, void *ret_data, size_t len);
