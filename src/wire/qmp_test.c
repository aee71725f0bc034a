/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of QMP's framing: what messages a stream of bytes has.
 */
#include "wire/qmp.h"

#include <string.h>

#include "wire/limits.h"

/* The messages of @text, a bar behind each, ! for what is broken. */
static char *frame(const char *text, size_t len)
{
    GString *seen = g_string_new(NULL);
    QmpFramer framer;

    qmp_framer_init(&framer);
    for (size_t i = 0; i < len; i++) {
        switch (qmp_framer_byte(&framer, (uint8_t)text[i])) {
        case QMP_FRAME_NONE:
            break;
        case QMP_FRAME_MESSAGE:
            g_string_append_printf(seen, "%s|", framer.text->str);
            break;
        case QMP_FRAME_BROKEN:
            g_string_append_c(seen, '!');
            break;
        }
    }
    qmp_framer_clear(&framer);
    return g_string_free(seen, FALSE);
}

static const struct {
    const char *name, *text, *seen;
} cases[] = {
    { "a line each", "{\"a\":1}\n{}\r\n", "{\"a\":1}|{}|" },
    { "no lines at all", "{\"a\":{}}{\"b\":[]}", "{\"a\":{}}|{\"b\":[]}|" },
    { "over lines", "{\n\"a\":\n1}", "{\n\"a\":\n1}|" },
    { "braces in strings", "{\"}\":\"\\\"}{\"}{}", "{\"}\":\"\\\"}{\"}|{}|" },
    { "not finished", "{\"a\":", "" },
    { "no object", "hello\n{}", "hello\n|{}|" },
    { "a brace too much", "}{}", "}|{}|" },
    { "dropped", "{\"a\xff{}", "!{}|" },
    { "dropped without need", "\xff\xff{}", "{}|" },
};

static void test_cases(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *seen = frame(cases[i].text, strlen(cases[i].text));
        g_test_message("%s", cases[i].name);
        g_assert_cmpstr(seen, ==, cases[i].seen);
    }
}

/* Too long or too deep: refused once, and the next line is a message again. */
static void test_limits(void)
{
    g_autofree char *deep = g_strnfill(WIRE_JSON_DEPTH + 9, '[');
    g_autofree char *deep_line = g_strconcat(deep, "\n{}", NULL);
    g_autofree char *seen = frame(deep_line, strlen(deep_line));
    g_assert_cmpstr(seen, ==, "!{}|");

    g_autofree char *fits = g_strnfill(WIRE_JSON_MAX - 4, 'x');
    g_autofree char *longest = g_strconcat("{\"", fits, "\"}{}", NULL);
    g_autofree char *both = frame(longest, strlen(longest));
    g_assert_cmpuint(strlen(both), ==, WIRE_JSON_MAX + 4);

    g_autofree char *more = g_strconcat("{\"x", fits, "\"}\n{}", NULL);
    g_autofree char *broken = frame(more, strlen(more));
    g_assert_cmpstr(broken, ==, "!{}|");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/cases", test_cases);
    g_test_add_func("/qmp/limits", test_limits);
    return g_test_run();
}
