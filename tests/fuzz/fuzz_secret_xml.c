/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the XML of secrets.
 *
 * What is taken, is written; what was written is taken again, and written the same.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/secret_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *xml = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(SecretConfig) config = secret_config_parse(xml, &error);

    g_assert_true(!config == (error != NULL));
    if (config) {
        g_autofree char *once = secret_config_format(config);
        g_autoptr(SecretConfig) read = secret_config_parse(once, &error);
        g_assert_no_error(error);
        g_autofree char *twice = secret_config_format(read);
        g_assert_cmpstr(once, ==, twice);
    }
    return 0;
}
