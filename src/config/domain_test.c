/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of domain XML: what clients send is taken, completed as it should be and written again;
 * what can't be honoured is refused by name and line.
 *
 * Inputs are the corpus of fuzz_domain_xml (in the shape that libvirt's clients make), and what
 * must become of them stands beside in NAME.live and NAME.inactive.  With UPDATE_EXPECTED=1 these
 * are written anew: look at the difference before it is committed.
 */
#include "config/domain.h"

#include <string.h>

#include "common/error.h"
#include "config/domain_device.h"
#include "config/domain_machine.h"

static const char *const cpu_models[] = { "max", "x86-64-v2", NULL };
static const char *const disk_formats[] = { "raw", "qcow2", NULL };
static const DomainDefaults defaults = {
    .emulator = "/usr/bin/insula-vm",
    .cpu_models = cpu_models,
    .disk_formats = disk_formats,
    .kvm = true,
};

static const char *const fixtures[] = {
    "minimal", "wizard", "installer", "server", "micro", "provider",
};

static char *read_file(const char *folder, const char *name, const char *suffix)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", g_getenv(folder), name, suffix);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void check_expected(const char *name, const char *suffix, const char *text)
{
    if (g_getenv("UPDATE_EXPECTED")) {
        g_autofree char *path =
            g_strdup_printf("%s/%s.%s", g_getenv("DOMAIN_EXPECTED"), name, suffix);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
    }
    g_autofree char *expected = read_file("DOMAIN_EXPECTED", name, suffix);
    g_assert_cmpstr(text, ==, expected);
}

/* Random parts made known. */
static void settle(DomainConfig *config)
{
    static const uint8_t mac[] = { 0x52, 0x54, 0x00, 0x01, 0x02, 0x03 };

    memset(config->uuid.bytes, 0x11, sizeof(config->uuid.bytes));
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        DomainInterface *nic = g_ptr_array_index(config->interfaces, i);
        memcpy(nic->mac->address.bytes, mac, sizeof(mac));
    }
}

static DomainConfig *parse(const char *xml, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_parse(xml, DOMAIN_PARSE_INACTIVE, error);

    return config && domain_config_complete(config, &defaults, error) ? g_steal_pointer(&config)
                                                                      : NULL;
}

/* What was read, formatted and read again is the same; nothing is said that wasn't. */
static void test_fixpoint(gconstpointer data)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", data, "xml");
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainConfig) config = domain_config_parse(xml, DOMAIN_PARSE_LIVE, &error);

    g_assert_no_error(error);
    g_autofree char *once = domain_config_format(config, DOMAIN_FORMAT_SECURE);
    g_autoptr(DomainConfig) again = domain_config_parse(once, DOMAIN_PARSE_LIVE, &error);
    g_assert_no_error(error);
    g_autofree char *twice = domain_config_format(again, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(twice, ==, once);
    g_autoptr(DomainConfig) copy = domain_config_copy(config);
    g_autofree char *copied = domain_config_format(copy, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(copied, ==, once);
    g_assert_cmpstr(again->metadata, ==, config->metadata);
}

static void test_expected(gconstpointer data)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", data, "xml");
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainConfig) config = parse(xml, &error);

    g_assert_no_error(error);
    if (!strstr(xml, "<uuid>")) {
        settle(config);
    }
    g_autofree char *inactive = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
    check_expected(data, "inactive", inactive);
    domain_config_enliven(config);
    config->id = (XmlNumber){ true, 3 };
    g_autofree char *live = domain_config_format(config, DOMAIN_FORMAT_SECURE);
    check_expected(data, "live", live);
    g_autofree char *resting = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
    g_assert_cmpstr(resting, ==, inactive);

    /* a live configuration that was stored is read as it was; as a definition it loses its life */
    g_autoptr(DomainConfig) stored = domain_config_parse(live, DOMAIN_PARSE_LIVE, &error);
    g_assert_no_error(error);
    g_assert_true(domain_config_complete(stored, &defaults, &error));
    g_autofree char *again = domain_config_format(stored, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(again, ==, live);
    g_autoptr(DomainConfig) defined = parse(live, &error);
    g_assert_no_error(error);
    g_autofree char *rested = domain_config_format(defined, DOMAIN_FORMAT_INACTIVE);
    g_assert_cmpstr(rested, ==, inactive);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(fixtures); i++) {
        g_autofree char *fixpoint = g_strdup_printf("/domain/fixpoint/%s", fixtures[i]);
        g_autofree char *expected = g_strdup_printf("/domain/expected/%s", fixtures[i]);
        g_test_add_data_func(fixpoint, fixtures[i], test_fixpoint);
        g_test_add_data_func(expected, fixtures[i], test_expected);
    }
    return g_test_run();
}
