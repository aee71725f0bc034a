/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: snapshot XML.  It is a snapshot or one line of error; what was written is taken
 * again and written the same.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_flags(const char *text, DomainParseFlags flags)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SnapshotConfig) snapshot = snapshot_config_parse(text, flags, &error);

    if (!snapshot) {
        g_assert_cmpuint(strlen(error->message), >, 0);
        g_assert_null(strchr(error->message, '\n'));
        return;
    }
    g_autofree char *once = snapshot_config_format(snapshot, DOMAIN_FORMAT_SECURE);
    g_autoptr(SnapshotConfig) again = snapshot_config_parse(once, DOMAIN_PARSE_LIVE, &error);
    if (!again) {
        g_assert_nonnull(strstr(error->message, "more than"));
        return;
    }
    g_autofree char *twice = snapshot_config_format(again, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(once, ==, twice);
    g_autofree char *open = snapshot_config_format(again, DOMAIN_FORMAT_INACTIVE);
    g_assert_nonnull(open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    try_flags(text, DOMAIN_PARSE_LIVE);
    try_flags(text, DOMAIN_PARSE_INACTIVE);
    return 0;
}
