/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the command line.  The input is words with a line end behind each.
 *
 * Whatever a person types, the parser fills a VmConfig or gives one line of error.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) words = g_strsplit(text, "\n", 0);
    g_autoptr(VmConfig) config = vm_config_new();
    g_autoptr(GError) error = NULL;
    OptionAction action = ACTION_RUN;

    bool good = options_parse((const char *const *)words, config, &action, &error) &&
                vm_config_check(config, &error);
    g_assert_true(good == !error);
    if (error) {
        g_assert_null(strchr(error->message, '\n'));
        g_assert_cmpuint(strlen(error->message), >, 0);
    }
    return 0;
}
