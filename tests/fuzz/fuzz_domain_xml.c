/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: domain XML, and the XML of one device.
 *
 * Whatever a client sends is a configuration or one line of error.  What was taken and written is
 * taken again and written the same (parse -> format -> parse is a fixpoint), a copy is written the
 * same, and so is what was completed twice.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdint.h>
#include <string.h>

#include "config/domain.h"
#include "config/domain_device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const GError *error)
{
    g_assert_nonnull(error);
    g_assert_cmpuint(strlen(error->message), >, 0);
    g_assert_null(strchr(error->message, '\n'));
}

static char *check_fixpoint(const DomainConfig *config)
{
    g_autofree char *once = domain_config_format(config, DOMAIN_FORMAT_SECURE);
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainConfig) again = domain_config_parse(once, DOMAIN_PARSE_LIVE, &error);

    /* escaping may make a text longer than what is let in */
    if (!again) {
        g_assert_nonnull(strstr(error->message, "more than"));
        return NULL;
    }
    g_autofree char *twice = domain_config_format(again, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(once, ==, twice);
    g_autoptr(DomainConfig) copy = domain_config_copy(config);
    g_autofree char *copied = domain_config_format(copy, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(once, ==, copied);
    return g_steal_pointer(&once);
}

static void try_domain(const char *text, DomainParseFlags flags)
{
    static const DomainDefaults defaults = { .emulator = "/usr/bin/insula-vm", .kvm = true };
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainConfig) config = domain_config_parse(text, flags, &error);

    if (!config) {
        check_error(error);
        return;
    }
    g_free(check_fixpoint(config));
    if (!domain_config_complete(config, &defaults, &error)) {
        check_error(error);
        return;
    }
    domain_config_enliven(config);
    g_autofree char *live = check_fixpoint(config);
    g_assert_true(domain_config_complete(config, &defaults, NULL));
    domain_config_enliven(config);
    g_autofree char *again = check_fixpoint(config);
    g_assert_cmpstr(live, ==, again);
    g_autofree char *inactive = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
    g_assert_nonnull(inactive);
}

static void try_device(const char *text)
{
    g_autoptr(GError) error = NULL;
    DomainDeviceKind kind;
    DomainDevice *device = domain_device_parse(text, DOMAIN_PARSE_INACTIVE, &kind, &error);

    if (!device) {
        check_error(error);
        return;
    }
    g_autofree char *once = domain_device_format(kind, device, DOMAIN_FORMAT_SECURE);
    g_assert_nonnull(once);
    domain_device_free(kind, device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    try_domain(text, DOMAIN_PARSE_LIVE);
    try_domain(text, DOMAIN_PARSE_INACTIVE);
    try_device(text);
    return 0;
}
