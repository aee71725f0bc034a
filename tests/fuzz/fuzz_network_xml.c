/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the XML of networks and forwards of ports.
 *
 * What is taken, is written; what was written is taken again, and written the same.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/network_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *xml = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(NetworkConfig) config = network_config_parse(xml, &error);
    g_autoptr(NetworkForward) forward = network_forward_parse(xml, NULL);

    g_assert_true(!config == (error != NULL));
    if (forward) {
        g_assert_cmpuint(forward->to + (forward->end - forward->start), <=, UINT16_MAX);
    }
    if (config) {
        g_autofree char *once = network_config_format(config);
        g_autoptr(NetworkConfig) read = network_config_parse(once, &error);
        g_assert_no_error(error);
        g_autofree char *twice = network_config_format(read);
        g_assert_cmpstr(once, ==, twice);
    }
    return 0;
}
