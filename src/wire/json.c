/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict JSON, see json.h.
 */
#include "wire/json.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/error.h"
#include "wire/limits.h"

/* A place in the text, and what was met so far. */
typedef struct Scan {
    const char *at, *end;
    size_t members; /* of all objects */
    const char *why;
} Scan;

static bool refuse(Scan *s, const char *why)
{
    if (!s->why) {
        s->why = why;
    }
    return false;
}

static void skip_space(Scan *s)
{
    while (s->at < s->end && strchr(" \t\r\n", *s->at)) {
        s->at++;
    }
}

/* The next character that isn't space is @c: take it. */
static bool take(Scan *s, char c)
{
    skip_space(s);
    if (s->at < s->end && *s->at == c) {
        s->at++;
        return true;
    }
    return false;
}

static bool take_hex(Scan *s, unsigned *ret)
{
    unsigned value = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (s->at == s->end || !g_ascii_isxdigit(*s->at)) {
            return refuse(s, "an escape \\u without four digits");
        }
        value = value << 4 | (unsigned)g_ascii_xdigit_value(*s->at++);
    }
    *ret = value;
    return true;
}

/* Behind \u. */
static bool check_unicode(Scan *s)
{
    unsigned first = 0, second = 0;

    if (!take_hex(s, &first)) {
        return false;
    }
    if (first == 0 || (first & 0xfc00) == 0xdc00) {
        return refuse(s, "an escape \\u that is no character");
    }
    if ((first & 0xfc00) != 0xd800) {
        return true;
    }
    if (s->end - s->at < 2 || s->at[0] != '\\' || s->at[1] != 'u') {
        return refuse(s, "half a surrogate pair");
    }
    s->at += 2;
    return take_hex(s, &second) &&
           ((second & 0xfc00) == 0xdc00 || refuse(s, "half a surrogate pair"));
}

static bool check_string(Scan *s)
{
    if (!take(s, '"')) {
        return refuse(s, "a name or string must stand here");
    }
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at++;
        if (c == '"') {
            return true;
        }
        if (c < 0x20) {
            return refuse(s, "a control character in a string");
        }
        if (c != '\\') {
            continue;
        }
        char escape = s->at < s->end ? *s->at++ : '\0';
        if (escape == 'u' ? !check_unicode(s) : !escape || !strchr("\"\\/bfnrt", escape)) {
            return refuse(s, "an unknown escape in a string");
        }
    }
    return refuse(s, "a string without end");
}

static bool take_digits(Scan *s)
{
    const char *start = s->at;

    while (s->at < s->end && g_ascii_isdigit(*s->at)) {
        s->at++;
    }
    return s->at > start;
}

static bool take_now(Scan *s, const char *set)
{
    if (s->at < s->end && *s->at && strchr(set, *s->at)) {
        s->at++;
        return true;
    }
    return false;
}

static bool check_number(Scan *s)
{
    const char *start = s->at;
    bool whole = true;

    take_now(s, "-");
    if (!take_now(s, "0") && !take_digits(s)) {
        return refuse(s, "a value must stand here");
    }
    if (take_now(s, ".")) {
        whole = false;
        if (!take_digits(s)) {
            return refuse(s, "a number without digits behind its point");
        }
    }
    if (take_now(s, "eE")) {
        whole = false;
        take_now(s, "+-");
        if (!take_digits(s)) {
            return refuse(s, "a number without digits in its exponent");
        }
    }
    char text[32] = { 0 };
    if (!whole) {
        return true;
    }
    if (s->at - start >= (ptrdiff_t)sizeof(text)) {
        return refuse(s, "an integer beyond 64 bits");
    }
    memcpy(text, start, (size_t)(s->at - start));
    errno = 0;
    g_ascii_strtoll(text, NULL, 10);
    return errno != ERANGE || refuse(s, "an integer beyond 64 bits");
}

static bool check_word(Scan *s)
{
    static const char *const words[] = { "true", "false", "null" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(s->end - s->at) >= len && !memcmp(s->at, words[i], len)) {
            s->at += len;
            return true;
        }
    }
    return refuse(s, "a value must stand here");
}

static bool check_value(Scan *s, unsigned depth);

static bool check_object(Scan *s, unsigned depth)
{
    if (take(s, '}')) {
        return true;
    }
    do {
        s->members++;
        if (!check_string(s)) {
            return false;
        }
        if (!take(s, ':')) {
            return refuse(s, "a colon must stand behind a name");
        }
        if (!check_value(s, depth)) {
            return false;
        }
    } while (take(s, ','));
    return take(s, '}') || refuse(s, "an object without end");
}

static bool check_array(Scan *s, unsigned depth)
{
    if (take(s, ']')) {
        return true;
    }
    do {
        if (!check_value(s, depth)) {
            return false;
        }
    } while (take(s, ','));
    return take(s, ']') || refuse(s, "an array without end");
}

static bool check_value(Scan *s, unsigned depth)
{
    if (depth >= WIRE_JSON_DEPTH) {
        return refuse(s, "nested too deep");
    }
    if (take(s, '{')) {
        return check_object(s, depth + 1);
    }
    if (take(s, '[')) {
        return check_array(s, depth + 1);
    }
    if (s->at < s->end && *s->at == '"') {
        return check_string(s);
    }
    if (s->at < s->end && (*s->at == '-' || g_ascii_isdigit(*s->at))) {
        return check_number(s);
    }
    return check_word(s);
}

static size_t count_members(JsonNode *node);

static void count_one(JsonObject *object, const char *name, JsonNode *value, gpointer data)
{
    *(size_t *)data += 1 + count_members(value);
}

/* How many names the tree has kept: json-glib drops all but the last of the same. */
static size_t count_members(JsonNode *node)
{
    size_t n = 0;

    if (JSON_NODE_HOLDS_OBJECT(node)) {
        json_object_foreach_member(json_node_get_object(node), count_one, &n);
    } else if (JSON_NODE_HOLDS_ARRAY(node)) {
        JsonArray *array = json_node_get_array(node);
        for (unsigned i = 0; i < json_array_get_length(array); i++) {
            n += count_members(json_array_get_element(array, i));
        }
    }
    return n;
}

JsonNode *wire_json_parse(const char *text, size_t len, GError **error)
{
    Scan scan = { .at = text, .end = text + len };

    if (len > WIRE_JSON_MAX) {
        set_error(error, "JSON parse error: longer than %d bytes", WIRE_JSON_MAX);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)len, NULL)) {
        set_error(error, "JSON parse error: not UTF-8");
        return NULL;
    }
    bool good = check_value(&scan, 0);
    skip_space(&scan);
    if (good && scan.at < scan.end) {
        good = refuse(&scan, "something behind the end");
    }
    if (!good) {
        set_error(error, "JSON parse error at byte %zu: %s", (size_t)(scan.at - text), scan.why);
        return NULL;
    }
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) inner = NULL;
    if (!json_parser_load_from_data(parser, text, (gssize)len, &inner)) {
        set_error(error, "JSON parse error: %s", inner->message);
        return NULL;
    }
    g_autoptr(JsonNode) root = json_parser_steal_root(parser);
    if (!root || count_members(root) != scan.members) {
        set_error(error, "JSON parse error: a name stands twice in an object");
        return NULL;
    }
    return g_steal_pointer(&root);
}

char *wire_json_line(JsonNode *node)
{
    return json_to_string(node, FALSE);
}
