/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of text.h.
 */
#include "common/text.h"

#include <glib.h>

static const struct {
    const char *text, *visible;
} cases[] = {
    { "", "" },
    { "plain words", "plain words" },
    { "two\nlines", "two\\x0alines" },
    { "\x1b[31mred\x7f", "\\x1b[31mred\\x7f" },
    { "größe", "größe" },
};

static void test_visible(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *visible = text_visible(cases[i].text);
        g_assert_cmpstr(visible, ==, cases[i].visible);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/text/visible", test_visible);
    return g_test_run();
}
