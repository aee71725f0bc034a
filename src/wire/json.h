/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict JSON (RFC 8259): what a peer sent as a tree of json-glib's, or an error.
 *
 * json-glib takes more than JSON (comments, names twice, numbers of any length); so the text is
 * checked by a grammar of our own first.  Refused too: bytes that aren't UTF-8, U+0000, halves of
 * surrogate pairs, integers beyond 64 signed bits, and what limits.h says.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* The tree of @text, which is @len bytes. */
JsonNode *wire_json_parse(const char *text, size_t len, GError **error);
/* One line, without its end.  Newly allocated. */
char *wire_json_line(JsonNode *node);
