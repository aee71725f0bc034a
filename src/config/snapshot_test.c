/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of snapshot XML.  Inputs are the corpus of fuzz_snapshot_xml.
 */
#include "config/snapshot.h"

#include <string.h>

#include "common/error.h"

static char *read_fixture(const char *name)
{
    g_autofree char *path = g_build_filename(g_getenv("SNAPSHOT_FIXTURES"), name, NULL);
    char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* All that a snapshot can say is read, and written as it was. */
static void test_full(void)
{
    g_autofree char *xml = read_fixture("full.xml");
    g_autoptr(GError) error = NULL;
    g_autoptr(SnapshotConfig) snapshot = snapshot_config_parse(xml, DOMAIN_PARSE_LIVE, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(snapshot->name, ==, "before-upgrade");
    g_assert_cmpint(snapshot->state, ==, SNAPSHOT_RUNNING);
    g_assert_cmpint(snapshot->created.value, ==, 1700000000);
    g_assert_cmpstr(snapshot->parent->name, ==, "clean");
    g_assert_cmpint(snapshot->memory->where, ==, DOMAIN_DISK_SNAPSHOT_INTERNAL);
    g_assert_cmpuint(snapshot->disks->len, ==, 3);
    const SnapshotDisk *disk = g_ptr_array_index(snapshot->disks, 1);
    g_assert_cmpstr(disk->source->file, ==, "/images/vdb.overlay");
    g_assert_cmpstr(snapshot->domain->metadata, ==, "<a:b xmlns:a='urn:a'>kept</a:b>");
    g_assert_cmpuint(snapshot->inactive->memory, ==, UINT64_C(256) << 20);
    g_assert_true(snapshot->active.said);
    g_autofree char *all = snapshot_config_format(snapshot, DOMAIN_FORMAT_SECURE);
    g_assert_cmpstr(all, ==, xml);

    g_autofree char *open = snapshot_config_format(snapshot, DOMAIN_FORMAT_INACTIVE);
    g_assert_null(strstr(open, "secret"));
    g_assert_null(strstr(open, "<active>"));
    g_assert_nonnull(strstr(all, "<alias name='net0'/>"));
    g_assert_null(strstr(open, "<alias"));
    g_assert_nonnull(strstr(open, "  <domain type='qemu'>\n    <name>small</name>\n"));
}

/* What a client gives that wants one made. */
static void test_request(void)
{
    g_autofree char *xml = read_fixture("wizard.xml");
    g_autoptr(GError) error = NULL;
    g_autoptr(SnapshotConfig) snapshot = snapshot_config_parse(xml, DOMAIN_PARSE_INACTIVE, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(snapshot->description, ==, "a\ndescription");
    g_assert_null(snapshot->domain);
    g_autoptr(SnapshotConfig) empty =
        snapshot_config_parse("<domainsnapshot/>", DOMAIN_PARSE_INACTIVE, &error);
    g_assert_no_error(error);
    g_assert_null(empty->name);
    g_autofree char *text = snapshot_config_format(empty, 0);
    g_assert_cmpstr(text, ==, "<domainsnapshot/>\n");
}

static const struct {
    const char *inside, *message;
} refused[] = {
    { "<name>../x</name>", "element 'name' on line 1: its text '../x' must be 1 to 128 letters" },
    { "<name>..</name>", "its text '..' must be" },
    { "<state>flying</state>", "its text 'flying' can't be" },
    { "<creationTime>-1</creationTime>", "must be a number from 0" },
    { "<parent/>", "element 'name' is missing in it" },
    { "<memory snapshot='cloud'/>", "attribute 'snapshot' 'cloud' can't be" },
    { "<disks><disk/></disks>", "attribute 'name' is missing" },
    { "<disks><disk name='vda' snapshot='internal'><source file='/x'/></disk></disks>",
      "an internal snapshot has no file of its own" },
    { "<domain/>", "attribute 'type' is missing" },
    { "<domain type='qemu'><devices><hostdev/></devices></domain>", "element 'hostdev' on line 1" },
    { "<other/>", "element 'other' on line 1" },
};

static void test_refused(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domainsnapshot>%s</domainsnapshot>", refused[i].inside);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", xml);
        g_assert_null(snapshot_config_parse(xml, DOMAIN_PARSE_INACTIVE, &error));
        g_assert_true(error->domain == INSULA_ERROR);
        if (!strstr(error->message, refused[i].message)) {
            g_error("'%s' is not in '%s'", refused[i].message, error->message);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/snapshot/all that can be said", test_full);
    g_test_add_func("/snapshot/what a client asks for", test_request);
    g_test_add_func("/snapshot/refused", test_refused);
    return g_test_run();
}
