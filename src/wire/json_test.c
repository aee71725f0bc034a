/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of strict JSON: what is taken comes back as it was, what is none is refused with a reason.
 */
#include "wire/json.h"

#include <string.h>

#include "wire/limits.h"

static const char *const good[] = {
    "{}",
    "[]",
    "\"\"",
    "{\"a\":1,\"b\":[true,false,null,-1,0,1.5]}",
    "{\"a\":{\"a\":{\"a\":[]}}}",
    "[9223372036854775807,-9223372036854775808]",
    "{\"text\":\"\\\"\\\\ / \\n\"}",
    "[\"\xc3\xa4\"]",
};

static void test_good(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = wire_json_parse(good[i], strlen(good[i]), &error);
        g_assert_no_error(error);
        g_autofree char *line = wire_json_line(node);
        g_assert_cmpstr(line, ==, good[i]);
    }
}

static const struct {
    const char *text, *why;
} bad[] = {
    { "", "a value must stand here" },
    { "{", "a name or string must stand here" },
    { "{\"a\":1", "an object without end" },
    { "{\"a\":1,}", "a name or string must stand here" },
    { "{\"a\" 1}", "a colon must stand" },
    { "{a:1}", "a name or string must stand here" },
    { "{'a':1}", "a name or string must stand here" },
    { "[1,]", "a value must stand here" },
    { "[1 2]", "an array without end" },
    { "[01]", "an array without end" },
    { "[+1]", "a value must stand here" },
    { "[.5]", "a value must stand here" },
    { "[1.]", "behind its point" },
    { "[1e]", "in its exponent" },
    { "[0x10]", "an array without end" },
    { "[9223372036854775808]", "beyond 64 bits" },
    { "[99999999999999999999999999999999999999999]", "beyond 64 bits" },
    { "[NaN]", "a value must stand here" },
    { "/* no */ {}", "a value must stand here" },
    { "{} {}", "something behind the end" },
    { "[\"\\x\"]", "unknown escape" },
    { "[\"\\u12\"]", "without four digits" },
    { "[\"\\u0000\"]", "no character" },
    { "[\"\\ud800\"]", "surrogate" },
    { "[\"\\ud800\\u0041\"]", "surrogate" },
    { "[\"\\udc00\"]", "no character" },
    { "[\"\t\"]", "control character" },
    { "[\"a", "without end" },
    { "[\"a\\", "unknown escape" },
    { "[\"\xff\"]", "not UTF-8" },
    { "[\"\xc0\x80\"]", "not UTF-8" },
    { "{\"a\":1,\"a\":1}", "stands twice" },
    { "{\"b\":{\"a\":1,\"\\u0061\":2}}", "stands twice" },
};

static void test_bad(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", bad[i].text);
        g_assert_null(wire_json_parse(bad[i].text, strlen(bad[i].text), &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, bad[i].why));
    }
}

static void test_depth(void)
{
    for (unsigned depth = WIRE_JSON_DEPTH - 1; depth <= WIRE_JSON_DEPTH + 1; depth++) {
        g_autofree char *open = g_strnfill(depth, '['), *close = g_strnfill(depth, ']');
        g_autofree char *text = g_strconcat(open, close, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = wire_json_parse(text, strlen(text), &error);
        g_assert_true((node != NULL) == (depth <= WIRE_JSON_DEPTH));
    }
}

static void test_embedded_zero(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(wire_json_parse("{}\0{}", 5, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/good", test_good);
    g_test_add_func("/json/bad", test_bad);
    g_test_add_func("/json/depth", test_depth);
    g_test_add_func("/json/embedded-zero", test_embedded_zero);
    return g_test_run();
}
