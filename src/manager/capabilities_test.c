/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of capabilities: what clients look for is there, made of what insula-vm says.
 *
 * What virt-install makes of them is tried by tests/manager/virt_install.
 */
#include "manager/capabilities.h"

#include <string.h>

#include "common/error.h"
#include "config/xml.h"
#include "manager/describe.h"

static const char small[] =
    "{\"machines\": [{\"name\": \"pc\", \"max-cpus\": 8, \"max-memory\": 1073741824}],"
    " \"cpu-models\": [{\"name\": \"max\"}, {\"name\": \"x86-64-v2\"}],"
    " \"disk-formats\": [{\"name\": \"raw\"}]}";

static Capabilities *make(const char *describe, bool kvm, GError **error)
{
    CapabilitiesHost host = {
        .emulator = "/usr/libexec/insula/insula-vm",
        .describe = describe,
        .kvm = kvm,
        .uuid = { 0x11 },
        .cpus = 2,
        .memory_kib = 1024,
        .page_kib = 4,
    };

    return capabilities_new(&host, error);
}

static void test_host(void)
{
    g_autoptr(Capabilities) caps = make(small, false, NULL);
    g_autofree char *text = capabilities_format(caps);

    g_assert_cmpstr(text, ==,
                    "<capabilities>\n"
                    "  <host>\n"
                    "    <uuid>11000000-0000-0000-0000-000000000000</uuid>\n"
                    "    <cpu>\n"
                    "      <arch>x86_64</arch>\n"
                    "      <topology sockets='1' dies='1' cores='2' threads='1'/>\n"
                    "      <pages unit='KiB' size='4'/>\n"
                    "    </cpu>\n"
                    "    <power_management/>\n"
                    "    <topology>\n"
                    "      <cells num='1'>\n"
                    "        <cell id='0'>\n"
                    "          <memory unit='KiB'>1024</memory>\n"
                    "          <pages unit='KiB' size='4'>256</pages>\n"
                    "          <cpus num='2'>\n"
                    "            <cpu id='0'/>\n"
                    "            <cpu id='1'/>\n"
                    "          </cpus>\n"
                    "        </cell>\n"
                    "      </cells>\n"
                    "    </topology>\n"
                    "  </host>\n"
                    "  <guest>\n"
                    "    <os_type>hvm</os_type>\n"
                    "    <arch name='x86_64'>\n"
                    "      <wordsize>64</wordsize>\n"
                    "      <emulator>/usr/libexec/insula/insula-vm</emulator>\n"
                    "      <machine canonical='pc-q35-1' maxCpus='8'>q35</machine>\n"
                    "      <machine canonical='pc-q35-1' maxCpus='8'>pc</machine>\n"
                    "      <machine canonical='pc-q35-1' maxCpus='8'>pc-1</machine>\n"
                    "      <machine maxCpus='8'>pc-q35-1</machine>\n"
                    "      <domain type='qemu'/>\n"
                    "    </arch>\n"
                    "    <features>\n"
                    "      <acpi default='on' toggle='no'/>\n"
                    "      <apic default='on' toggle='no'/>\n"
                    "      <cpuselection/>\n"
                    "      <deviceboot/>\n"
                    "      <disksnapshot default='on' toggle='no'/>\n"
                    "    </features>\n"
                    "  </guest>\n"
                    "</capabilities>\n");
}

/* The value of <enum name=@name> in element @path. */
static GStrv values_of(const XmlNode *root, const char *path, const char *name)
{
    const XmlNode *node = xml_descend(root, path);
    g_autoptr(GStrvBuilder) values = g_strv_builder_new();

    g_assert_nonnull(node);
    for (unsigned i = 0; i < node->children->len; i++) {
        const XmlNode *list = g_ptr_array_index(node->children, i);
        const char *called = xml_attribute(list, "name");
        for (unsigned j = 0; !g_strcmp0(called, name) && j < list->children->len; j++) {
            const XmlNode *value = g_ptr_array_index(list->children, j);
            g_strv_builder_add(values, value->text->str);
        }
    }
    return g_strv_builder_end(values);
}

static void check_values(const XmlNode *root, const char *path, const char *name,
                         const char *wanted)
{
    g_auto(GStrv) values = values_of(root, path, name);
    g_autofree char *text = g_strjoinv(" ", values);

    g_assert_cmpstr(text, ==, wanted);
}

/* What virtinst reads, of the machine that it will choose. */
static void test_domain(void)
{
    g_autoptr(Capabilities) caps = make(describe_text, false, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = capabilities_format_domain(caps, NULL, NULL, NULL, NULL, &error);

    g_assert_no_error(error);
    g_autoptr(XmlNode) root = xml_parse(text, "domainCapabilities", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(xml_child(root, "machine")->text->str, ==, "pc-q35-1");
    g_assert_cmpstr(xml_child(root, "domain")->text->str, ==, "qemu");
    g_assert_cmpstr(xml_attribute(xml_child(root, "vcpu"), "max"), ==, "64");
    check_values(root, "os", "firmware", "efi");
    check_values(root, "os/loader", "readonly", "yes no");
    check_values(root, "os/loader", "secure", "no");
    check_values(root, "devices/graphics", "type", "vnc");
    check_values(root, "devices/video", "modelType", "vga bochs none");
    check_values(root, "devices/disk", "bus", "virtio sata");
    g_assert_cmpstr(xml_attribute(xml_descend(root, "devices/tpm"), "supported"), ==, "no");
    g_assert_nonnull(strstr(text, "<mode name='host-passthrough' supported='no'/>"));
    g_assert_nonnull(strstr(text, "<model usable='yes'>x86-64-v2</model>"));
    g_assert_null(strstr(text, ">max<"));

    g_autofree char *micro =
        capabilities_format_domain(caps, "/e", "x86_64", "micro", "qemu", &error);
    g_assert_nonnull(strstr(micro, "<path>/e</path>"));
    g_assert_nonnull(strstr(micro, "<machine>micro</machine>"));
    g_assert_nonnull(strstr(micro, "<graphics supported='no'/>"));
    g_assert_null(strstr(micro, "efi"));
}

static void test_kvm(void)
{
    g_autoptr(Capabilities) without = make(describe_text, false, NULL);
    g_autoptr(Capabilities) with = make(describe_text, true, NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *poor = capabilities_format(without);
    g_autofree char *rich = capabilities_format(with);

    g_assert_null(strstr(poor, "kvm"));
    g_assert_nonnull(strstr(rich, "<domain type='kvm'/>"));
    g_assert_null(capabilities_format_domain(without, NULL, NULL, NULL, "kvm", &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_UNSUPPORTED);
    g_autofree char *text = capabilities_format_domain(with, NULL, NULL, "q35", NULL, NULL);
    g_assert_nonnull(strstr(text, "<domain>kvm</domain>"));
    g_assert_nonnull(strstr(text, "<mode name='host-passthrough' supported='yes'>"));
    g_assert_true(capabilities_defaults(with)->kvm);
    g_assert_false(capabilities_defaults(without)->kvm);
}

static void test_answers(void)
{
    g_autoptr(Capabilities) caps = make(describe_text, false, NULL);
    g_autoptr(GError) error = NULL;
    const char *const *models = capabilities_cpu_models(caps, "x86_64", &error);
    unsigned max = 0;

    g_assert_true(g_strv_contains(models, "x86-64-v3"));
    g_assert_false(g_strv_contains(models, "host"));
    g_assert_null(capabilities_cpu_models(caps, "riscv64", &error));
    g_clear_error(&error);
    g_assert_true(capabilities_max_vcpus(caps, NULL, &max, &error));
    g_assert_cmpuint(max, ==, 64);
    g_assert_false(capabilities_max_vcpus(caps, "xen", &max, &error));
    g_clear_error(&error);
    g_assert_null(capabilities_format_domain(caps, NULL, NULL, "isapc", NULL, &error));
    g_assert_cmpstr(error->message, ==, "there is no machine 'isapc'");
    const DomainDefaults *defaults = capabilities_defaults(caps);
    g_assert_true(g_strv_contains(defaults->disk_formats, "qcow2"));
    g_assert_true(g_strv_contains(defaults->cpu_models, "max"));
}

static void test_nonsense(void)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"machines\": 1}",
        "{\"machines\": []}",
        "{\"machines\": [1], \"cpu-models\": [], \"disk-formats\": []}",
        "{\"machines\": [{\"name\": \"pc\"}], \"cpu-models\": []}",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", texts[i]);
        g_assert_null(make(texts[i], false, &error));
        g_assert_nonnull(error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capabilities/of the host", test_host);
    g_test_add_func("/capabilities/of domains", test_domain);
    g_test_add_func("/capabilities/KVM only where it is", test_kvm);
    g_test_add_func("/capabilities/answers", test_answers);
    g_test_add_func("/capabilities/what insula-vm doesn't say", test_nonsense);
    return g_test_run();
}
