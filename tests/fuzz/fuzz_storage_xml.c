/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the XML of pools and volumes.
 *
 * What is taken, is written; what was written is taken again, and written the same.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/storage_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *pool_again(const char *xml, GError **error)
{
    g_autoptr(PoolConfig) config = pool_config_parse(xml, error);

    return config ? pool_config_format(config, NULL, NULL) : NULL;
}

static char *volume_again(const char *xml, GError **error)
{
    g_autoptr(VolumeConfig) config = volume_config_parse(xml, error);

    if (config) {
        g_assert_null(strchr(config->name, '/'));
    }
    return config ? volume_config_format(config) : NULL;
}

static void check(const char *xml, char *(*again)(const char *, GError **))
{
    g_autoptr(GError) error = NULL;
    g_autofree char *once = again(xml, &error);

    g_assert_true(!once == (error != NULL));
    if (once) {
        g_autofree char *twice = again(once, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(once, ==, twice);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *xml = g_strndup((const char *)data, size);

    check(xml, pool_again);
    check(xml, volume_again);
    return 0;
}
