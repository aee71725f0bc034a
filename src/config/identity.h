/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What things are told apart by: names, UUIDs (RFC 4122) and MAC addresses, and their one spelling.
 *
 * Threads: no state; call from anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 36, MAC_SIZE = 6 };

/* What a name must be, for messages: "... must be " NAME_RULE. */
#define NAME_RULE "1 to 128 letters, digits and . _ + -, not . or .."

/* 1 to CONFIG_NAME_MAX letters, digits and . _ + -, but neither "." nor "..": it becomes part of
 * file names. */
bool name_valid(const char *name);

/* 8-4-4-4-12 hexadecimal digits and nothing else. */
bool uuid_parse(const char *text, uint8_t ret_uuid[UUID_SIZE]);
/* In small letters.  Newly allocated. */
char *uuid_format(const uint8_t uuid[UUID_SIZE]);
/* A random one (version 4). */
void uuid_make(uint8_t ret_uuid[UUID_SIZE]);

/* Six bytes of two hexadecimal digits with colons between. */
bool mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE]);
/* In small letters.  Newly allocated. */
char *mac_format(const uint8_t mac[MAC_SIZE]);
/* Whether it is a group's address, which no card can have. */
bool mac_is_group(const uint8_t mac[MAC_SIZE]);
/* A random one of the range that virtual machines have: 52:54:00:.... */
void mac_make(uint8_t ret_mac[MAC_SIZE]);
