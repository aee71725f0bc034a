/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of suggest.h.
 */
#include "common/suggest.h"

#include <glib.h>

static const char *const verbs[] = { "run", "help", "version", "kernel", "kernels", NULL };

static const struct {
    const char *word, *expected;
} cases[] = {
    { "run", "run" },
    { "rum", "run" },
    { "urn", "run" }, /* swapped neighbours */
    { "rn", "run" },
    { "kernal", "kernel" },
    { "kernell", "kernel" }, /* of equals the first */
    { "kernelss", "kernels" },
    { "verison", "version" },
    { "frobnicate", NULL },
    { "x", NULL },
    { "", NULL },
    { "kernelkernelkernelkernelkernelkernelkernel", NULL },
};

static void test_suggest(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].word);
        g_assert_cmpstr(suggest(cases[i].word, verbs), ==, cases[i].expected);
    }
}

static void test_text(void)
{
    g_autofree char *near = suggest_text("hlep", verbs);
    g_autofree char *far = suggest_text("zzzz", verbs);

    g_assert_cmpstr(near, ==, "; did you mean 'help'?");
    g_assert_cmpstr(far, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suggest/nearest", test_suggest);
    g_test_add_func("/suggest/text", test_text);
    return g_test_run();
}
