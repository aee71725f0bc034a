/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of domain XML: what clients send is taken, completed as it should be and written again;
 * what can't be honoured is refused by name and line.
 *
 * Inputs are the corpus of fuzz_domain_xml (in the shape that libvirt's clients make), and what
 * must become of them stands in expected/NAME.live and expected/NAME.inactive.  With
 * UPDATE_EXPECTED=1 these and the table of docs/domain-xml.md are written anew: look at the
 * difference before it is committed.
 */
#include "config/domain.h"

#include <string.h>

#include "common/error.h"
#include "config/domain_device.h"
#include "config/domain_machine.h"
#include "config/domain_tables.h"

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

    g_assert(config);
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

/* --- what is refused --- */

/* What stands in the domain, or in its devices, on line 3, and what must be said of it. */
static const struct {
    const char *top, *device, *message;
} refused[] = {
    { "<frobnicate/>", "", "element 'frobnicate' on line 3: there is no such element here" },
    { "<featurs/>", "", "there is no such element here; did you mean 'features'?" },
    { "<vcpu cpuset='0-3'>2</vcpu>", "", "attribute 'cpuset' is not supported: vCPUs are not" },
    { "<vcpu>0</vcpu>", "", "element 'vcpu' on line 3: its text '0' must be a number from 1" },
    { "<vcpu>65</vcpu>", "", "there are at most 64 vCPUs" },
    { "<vcpu current='3'>2</vcpu>", "", "attribute 'current' is more than there are" },
    { "<vcpu/><vcpu/>", "", "element 'vcpu' on line 3: its text is missing" },
    { "<vcpu>1</vcpu><vcpu>1</vcpu>", "", "it is given twice" },
    { "<uuid>12</uuid>", "", "its text '12' must be a UUID" },
    { "<genid/>", "", "element 'genid' on line 3: it is not supported" },
    { "<cputune/>", "", "element 'cputune' on line 3: it is not supported" },
    { "<memoryBacking><hugepages/></memoryBacking>", "", "element 'hugepages' on line 3" },
    { "<memoryBacking><locked/></memoryBacking>", "", "memory is not locked" },
    { "<maxMemory slots='2'>1</maxMemory>", "", "memory is not plugged in" },
    { "<cpu><numa/></cpu>", "", "element 'numa' on line 3" },
    { "<cpu><feature policy='require' name='vmx'/></cpu>", "", "choose a model" },
    { "<cpu mode='custom'/>", "", "mode 'custom' needs a <model>" },
    { "<cpu mode='custom'><model>Skylake</model></cpu>", "", "no CPU model 'Skylake'; there are" },
    { "<cpu mode='turbo'/>", "", "attribute 'mode' 'turbo' can't be: there are custom, host-" },
    { "<features><smm/></features>", "", "element 'smm' on line 3: there is no SMM" },
    { "<features><gic/></features>", "", "an x86 PC has no such thing" },
    { "<clock offset='localtime'/>", "", "attribute 'offset' 'localtime' can't be: there are utc" },
    { "<on_crash>explode</on_crash>", "", "its text 'explode' can't be" },
    { "<qemu:commandline xmlns:qemu='u'/>", "", "there is no QEMU here" },
    { "<launchSecurity type='sev'/>", "", "element 'launchSecurity' on line 3" },
    { "text", "", "element 'domain' on line 1: it takes no text" },
    { "", "<disk type='file'><target dev='vda'/></disk>", "it has no source" },
    { "", "<disk><source file='/d'/></disk>", "element 'target' is missing in it" },
    { "", "<disk><source file='/d'/><target/></disk>", "attribute 'dev' is missing" },
    { "", "<disk><source file='/d'/><target dev='../x'/></disk>", "must be a name such as vda" },
    { "", "<disk><source file='/d'/><target dev='hda' bus='ide'/></disk>",
      "element 'target' on line 3: attribute 'bus' 'ide' can't be: there are virtio, sata" },
    { "", "<disk type='network'/>", "attribute 'type' 'network' can't be" },
    { "", "<disk type='block'/>", "attribute 'type' 'block' can't be: there are file, volume" },
    { "", "<disk type='volume'><source pool='p'/><target dev='vda'/></disk>",
      "must have a pool and a volume" },
    { "", "<disk type='file'><source pool='p'/><target dev='vda'/></disk>", "must be a file" },
    { "", "<disk device='cdrom'><target dev='vda' bus='virtio'/></disk>", "on bus 'sata'" },
    { "", "<disk device='floppy'/>", "attribute 'device' 'floppy' can't be" },
    { "", "<disk><source file='/d'/><target dev='sdg' bus='sata'/></disk>", "sda to sdf" },
    { "",
      "<disk><source file='/d'/><target dev='vda'/></disk>"
      "<disk><source file='/e'/><target dev='vda'/></disk>",
      "target 'vda' is another disk's, too" },
    { "",
      "<disk><source file='/d'/><target dev='sda'/></disk>"
      "<disk><source file='/e'/><target dev='vda' bus='sata'/></disk>",
      "its place on the bus is another disk's, too" },
    { "", "<disk><source file='/d'/><target dev='hda'/></disk>", "names no bus that there is" },
    { "", "<disk><driver type='vmdk'/><source file='/d'/><target dev='vda'/></disk>",
      "there is no disk format 'vmdk'; there are raw, qcow2" },
    { "", "<disk><source file='/d'/><target dev='vda'/><iotune/></disk>", "element 'iotune'" },
    { "", "<disk><source file='/d'/><target dev='vda'/><serial>1</serial></disk>", "'serial'" },
    { "", "<disk><source file='/d'/><target dev='vda'/><boot order='0'/></disk>", "from 1 to" },
    { "", "<disk><source file='/d'/><target dev='vda'/><address type='pci' slot='32'/></disk>",
      "attribute 'slot' '32' must be a number up to 31" },
    { "", "<disk><source file='/d'/><target dev='vda'/><address type='pci' unit='1'/></disk>",
      "unknown attribute 'unit'" },
    { "", "<disk><source file='/d'/><target dev='vda'/><address type='ccw'/></disk>",
      "attribute 'type' 'ccw' must be one of pci, drive" },
    { "", "<interface type='bridge'/>", "attribute 'type' 'bridge' can't be: there are network" },
    { "", "<interface type='network'/>", "it names no network" },
    { "", "<interface type='user'><model type='rtl8139'/></interface>", "'rtl8139' can't be" },
    { "", "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>", "a group's" },
    { "",
      "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
      "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>",
      "its MAC address is another interface's, too" },
    { "", "<interface type='user'><filterref filter='f'/></interface>", "no network filters" },
    { "", "<interface type='user'><vlan/></interface>", "element 'vlan' on line 3" },
    { "",
      "<interface type='user'><portForward proto='tcp'><range start='9' end='8'/></portForward>"
      "</interface>",
      "its ports end before they start" },
    { "",
      "<interface type='user'><portForward proto='tcp'><range start='65535' to='65535' "
      "end='65536'/></portForward></interface>",
      "must be a number from 1 to 65535" },
    { "", "<serial type='tcp'/>", "attribute 'type' 'tcp' can't be" },
    { "", "<serial type='file'/>", "it names no file" },
    { "", "<serial type='pty'/><serial type='pty'/>", "there is room for 1 of these" },
    { "", "<serial type='pty'><target type='usb-serial'/></serial>", "of type 'isa-serial'" },
    { "", "<console type='spicevmc'/>", "there is no SPICE" },
    { "", "<graphics type='spice'/>", "attribute 'type' 'spice' can't be: there are vnc" },
    { "", "<graphics type='vnc' websocket='1'/>", "no web sockets" },
    { "", "<graphics type='vnc'/><graphics type='vnc'/>", "there is room for 1" },
    { "", "<graphics type='vnc' port='65536'/>", "must be a number from -1 to 65535" },
    { "", "<graphics type='vnc' listen='::1'><listen type='address' address='::2'/></graphics>",
      "name two addresses" },
    { "", "<video><model type='qxl'/></video>", "attribute 'type' 'qxl' can't be" },
    { "", "<hostdev mode='subsystem' type='pci'/>", "are not passed through" },
    { "", "<tpm model='tpm-crb'/>", "there is no TPM yet" },
    { "", "<filesystem type='mount'/>", "there is no such device yet" },
    { "", "<memballoon model='virtio'/><memballoon model='none'/>", "it is given twice" },
    { "", "<rng model='virtio'><backend model='random'>/etc/passwd</backend></rng>",
      "its text '/etc/passwd' must be /dev/urandom" },
    { "", "<rng model='virtio'><backend model='egd'/></rng>", "'egd' can't be" },
    { "", "<watchdog model='ib700'/>", "'ib700' can't be: there are i6300esb" },
    { "", "<sound model='ich9'>text<codec/></sound>", "element 'sound' on line 3: it takes no" },
    { "", "<sound><codec>a<b/></codec></sound>", "it has text beside its elements" },
    { "", "<controller type='scsi'/>", "attribute 'type' 'scsi' can't be" },
    { "", "<controller type='pci' index='1'/><controller type='pci' index='1'/>",
      "index 1 is another controller's, too" },
    { "", "<emulator a='b'/>", "unknown attribute 'a'" },
};

static void test_refused(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain type='qemu'><name>a</name><memory>65536</memory>\n"
                            "<os><type>hvm</type></os>\n%s<devices>%s</devices></domain>",
                            refused[i].top, refused[i].device);
        g_autoptr(GError) error = NULL;

        g_test_message("%s%s", refused[i].top, refused[i].device);
        g_assert_null(parse(xml, &error));
        g_assert_nonnull(error);
        g_assert_true(error->domain == INSULA_ERROR);
        if (!strstr(error->message, refused[i].message)) {
            g_error("'%s' is not in '%s'", refused[i].message, error->message);
        }
    }
}

static const struct {
    const char *xml, *message;
} refused_whole[] = {
    { "<network/>", "the root must be element 'domain'" },
    { "<domain/>", "attribute 'type' is missing" },
    { "<domain type='qemu'/>", "element 'name' is missing in it" },
    { "<domain type='xen'/>", "attribute 'type' 'xen' can't be: there are qemu, kvm" },
    { "<domain type='qemu'><name>a/b</name></domain>", "its text 'a/b' must be 1 to 128" },
    { "<domain type='qemu'><name>a</name><memory>1</memory></domain>", "element 'os' is missing" },
    { "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os></domain>",
      "<memory> must be from 1024 to 536870912 KiB" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory><os><type>exe</type></os></domain>",
      "its text 'exe' can't be: there are hvm" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type machine='pc-i440fx-7.2'>hvm</type></os></domain>",
      "attribute 'machine' 'pc-i440fx-7.2' is no machine: there are q35 and micro" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type arch='aarch64'>hvm</type></os></domain>",
      "attribute 'arch' 'aarch64' can't be" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type>hvm</type><loader secure='yes'>/f</loader></os></domain>",
      "there is no Secure Boot" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type>hvm</type><cmdline>x</cmdline></os></domain>",
      "are for a <kernel>" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os firmware='efi'><type>hvm</type><firmware><feature enabled='yes' name='secure-boot'/>"
      "</firmware></os></domain>",
      "there is no Secure Boot" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type>hvm</type><boot dev='hd'/></os><devices><interface type='user'>"
      "<boot order='1'/></interface></devices></domain>",
      "keep one kind" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os><devices>"
      "<interface type='user'><boot order='1'/></interface>"
      "<interface type='user'><boot order='1'/></interface></devices></domain>",
      "order 1 of <interface> is another device's, too" },
    { "<domain type='qemu'><name>a</name><memory>65536</memory>"
      "<os><type machine='micro'>hvm</type></os><devices><disk device='cdrom'>"
      "<target dev='sda'/></disk></devices></domain>",
      "machine 'micro' has no bus 'sata'" },
};

static void test_refused_whole(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(refused_whole); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", refused_whole[i].xml);
        g_assert_null(parse(refused_whole[i].xml, &error));
        if (!strstr(error->message, refused_whole[i].message)) {
            g_error("'%s' is not in '%s'", refused_whole[i].message, error->message);
        }
    }
    g_autoptr(DomainConfig) config = domain_config_parse(
        "<domain type='kvm'><name>a</name><memory>65536</memory><os><type>hvm</type></os></domain>",
        DOMAIN_PARSE_INACTIVE, NULL);
    g_autoptr(GError) error = NULL;
    DomainDefaults without = { .emulator = "/e" };
    g_assert_false(domain_config_complete(config, &without, &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, "there is no KVM on this host"));
}

static const struct {
    const char *memory, *formatted; /* of what was read, and of what was completed */
    const char *completed;          /* NULL: it can't be */
} memories[] = {
    { "<memory>65536</memory>", ">65536<", ">65536<" },
    { "<memory>65537</memory>", ">65537<", ">65540<" },
    { "<memory unit='b'>67108865</memory>", ">65537<", ">65540<" },
    { "<memory unit='GB'>1</memory>", ">976563<", ">976564<" },
    { "<memory unit='GiB'>512</memory>", ">536870912<", ">536870912<" },
    { "<memory>0</memory>", ">0<", NULL },
    { "<memory unit='b'>1</memory>", ">1<", NULL },
};

/* Memory is in whole KiB when it was read, and in whole pages when it is to be had. */
static void test_memory(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(memories); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<domain type='qemu'><name>a</name>%s<os><type>hvm</type></os></domain>",
            memories[i].memory);
        g_autoptr(DomainConfig) config = domain_config_parse(xml, DOMAIN_PARSE_INACTIVE, NULL);
        g_test_message("%s", memories[i].memory);
        g_assert(config);
        g_autofree char *text = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
        g_assert_nonnull(strstr(text, memories[i].formatted));
        bool good = domain_config_complete(config, &defaults, NULL);
        g_assert_true(good == (memories[i].completed != NULL));
        if (good) {
            g_autofree char *completed = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
            g_assert_nonnull(strstr(completed, memories[i].completed));
        }
    }
}

/* What is more than there can be becomes as much as there can be, as in libvirt. */
static void test_balloon(void)
{
    g_autoptr(DomainConfig) config =
        parse("<domain type='qemu'><name>a</name><memory>65536</memory><currentMemory>70000"
              "</currentMemory><os><type>hvm</type></os></domain>",
              NULL);

    g_assert(config);
    g_assert_cmpuint(config->current_memory, ==, config->memory);
}

/* --- secrets --- */

static void test_secrets(void)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", "installer", "xml");
    g_autoptr(DomainConfig) config = parse(xml, NULL);

    for (unsigned flags = 0; flags < 16; flags++) {
        g_autofree char *text = domain_config_format(config, flags);
        g_assert_true((strstr(text, "passwd='secret'") != NULL) ==
                      ((flags & DOMAIN_FORMAT_SECURE) != 0));
    }
}

/* --- metadata --- */

static DomainConfig *with_metadata(const char *metadata)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu' xmlns:o='urn:outer'><name>a</name>%s<memory>65536</memory>"
        "<os><type>hvm</type></os></domain>",
        metadata);

    return domain_config_parse(xml, DOMAIN_PARSE_INACTIVE, NULL);
}

static void test_metadata_bytes(void)
{
    static const char *const inner[] = {
        "x",
        "  \n\t",
        "<a:b xmlns:a=\"urn:a\"   c='&lt;&#10;'/>",
        "<!-- only --><?php x?>",
        "<o:x>]]&gt;<![CDATA[<metadata>]]></o:x>",
        "\xc3\xa4<a>text <b/> and more</a >\r\n",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(inner); i++) {
        g_autofree char *xml = g_strdup_printf("<metadata>%s</metadata >", inner[i]);
        g_autoptr(DomainConfig) config = with_metadata(xml);
        g_assert_cmpstr(config->metadata, ==, inner[i]);
        g_autofree char *text = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
        g_autofree char *wanted = g_strdup_printf("<metadata>%s</metadata>\n", inner[i]);
        g_assert_nonnull(strstr(text, wanted));
    }
    g_autoptr(DomainConfig) empty = with_metadata("<metadata/>");
    g_assert_null(empty->metadata);
}

static void test_metadata_changes(void)
{
    g_autoptr(DomainConfig) config =
        with_metadata("<metadata>\n    <b:c xmlns:b='urn:b'  d='1'><b:e/>t</b:c>\n"
                      "    <o:f/>\n  </metadata>");
    g_autoptr(GError) error = NULL;

    g_assert_null(domain_config_metadata(config, "urn:a"));
    g_autofree char *outer = domain_config_metadata(config, "urn:outer");
    g_assert_cmpstr(outer, ==, "<f/>");
    g_assert_true(domain_config_set_metadata(config, "a", "urn:a",
                                             "<g h='&amp;'>\n<i>x</i><!-- y --></g>", &error));
    g_assert_no_error(error);
    g_assert_cmpstr(config->metadata, ==,
                    "\n    <b:c xmlns:b='urn:b'  d='1'><b:e/>t</b:c>\n    <o:f/>\n"
                    "    <a:g xmlns:a=\"urn:a\" h=\"&amp;\">\n<i>x</i><!-- y --></a:g>\n  ");
    g_autofree char *got = domain_config_metadata(config, "urn:a");
    g_assert_cmpstr(got, ==, "<g h='&amp;'>\n  <i>x</i>\n</g>");
    g_assert_true(domain_config_set_metadata(config, "b", "urn:b", NULL, &error));
    g_assert_true(domain_config_set_metadata(config, "a", "urn:a", "<g/>", &error));
    g_assert_cmpstr(config->metadata, ==, "\n    <o:f/>\n    <a:g xmlns:a=\"urn:a\"/>\n  ");
    g_assert_true(domain_config_set_metadata(config, "o", "urn:outer", NULL, &error));
    g_assert_true(domain_config_set_metadata(config, "a", "urn:a", NULL, &error));
    g_assert_null(config->metadata);
    g_assert_false(domain_config_set_metadata(config, "a b", "urn:a", "<g/>", &error));
    g_clear_error(&error);
    g_assert_false(domain_config_set_metadata(config, "a", "urn:a", "<g>", &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_XML);
}

/* --- one device at a time --- */

static const struct {
    const char *xml; /* of a device */
    int place;       /* among those of its kind in fixture "server" */
} likes[] = {
    { "<disk><source file='/other'/><target dev='vda'/></disk>", 1 },
    { "<disk><source file='/srv/data.qcow2'/><target dev='vdc'/></disk>", -1 },
    { "<interface type='user'><mac address='52:54:00:01:02:03'/></interface>", 0 },
    { "<interface type='user'><mac address='52:54:00:01:02:04'/></interface>", -1 },
    { "<interface type='user'/>", -1 },
    { "<interface type='user'><address type='pci' slot='7'/></interface>", 0 },
    { "<interface type='user'><mac address='52:54:00:01:02:03'/><address type='pci' slot='8'/>"
      "</interface>",
      -1 },
    { "<watchdog model='i6300esb' action='pause'/>", 0 },
    { "<memballoon model='virtio'/>", 0 },
    { "<input type='mouse' bus='ps2'/>", 0 },
    { "<input type='tablet' bus='usb'/>", -1 },
    { "<controller type='pci' model='pcie-root-port'><address type='pci' slot='0x1c' "
      "function='2'/></controller>",
      4 },
    { "<panic/>", -1 },
};

static void test_find(void)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", "server", "xml");
    g_autoptr(DomainConfig) config = parse(xml, NULL);

    settle(config);
    for (unsigned i = 0; i < G_N_ELEMENTS(likes); i++) {
        g_autoptr(GError) error = NULL;
        DomainDeviceKind kind;
        DomainDevice *device =
            domain_device_parse(likes[i].xml, DOMAIN_PARSE_INACTIVE, &kind, &error);
        g_test_message("%s", likes[i].xml);
        g_assert_no_error(error);
        g_assert_cmpint(domain_config_find(config, kind, device), ==, likes[i].place);
        domain_device_free(kind, device);
    }
}

/* A disk comes, is changed, and goes, while the domain runs. */
static void test_plug(void)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", "wizard", "xml");
    g_autoptr(DomainConfig) config = parse(xml, NULL);
    g_autoptr(GError) error = NULL;
    DomainDeviceKind kind;

    domain_config_enliven(config);
    DomainDevice *disk =
        domain_device_parse("<disk><source file='/new'/><target dev='vdb'/></disk>",
                            DOMAIN_PARSE_INACTIVE, &kind, &error);
    g_assert_cmpint(kind, ==, DOMAIN_DEVICE_DISK);
    g_assert_true(domain_config_add(config, kind, disk, &error));
    g_assert_true(domain_config_complete(config, &defaults, &error));
    domain_config_enliven(config);
    g_assert_cmpstr(disk->alias->name, ==, "virtio-disk1");
    g_assert_cmpuint(disk->address.slot, ==, 7);
    g_assert_true(domain_config_find_alias(config, "virtio-disk1", &kind) == disk);
    g_assert_false(domain_config_add(config, kind, domain_device_copy(kind, disk), &error));
    g_assert_cmpstr(error->message, ==, "the domain has such a disk already");

    DomainDevice *changed = domain_device_copy(kind, disk);
    changed->address.type = DOMAIN_ADDRESS_NONE;
    domain_config_replace(config, kind, 1, changed);
    g_assert_cmpuint(changed->address.slot, ==, 7);
    g_autofree char *text = domain_device_format(kind, changed, DOMAIN_FORMAT_INACTIVE);
    g_assert_true(g_str_has_prefix(text, "<disk type='file' device='disk'>\n  <driver "));
    domain_config_remove(config, kind, 1);
    g_assert_cmpuint(domain_config_count(config, kind), ==, 1);
    g_assert_null(domain_config_find_alias(config, "virtio-disk1", &kind));
    domain_config_remove(config, DOMAIN_DEVICE_BALLOON, 0);
    g_assert_cmpuint(domain_config_count(config, DOMAIN_DEVICE_BALLOON), ==, 0);
}

/* Names that people chose stay, and nobody gets them a second time. */
static void test_aliases(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DomainConfig) config =
        parse("<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os>"
              "<devices><interface type='user'><alias name='ua-mine'/></interface>"
              "<interface type='user'><alias name='net7'/></interface>"
              "</devices></domain>",
              &error);

    g_assert_no_error(error);
    domain_config_enliven(config);
    const DomainDevice *first = domain_config_device(config, DOMAIN_DEVICE_INTERFACE, 0);
    const DomainDevice *second = domain_config_device(config, DOMAIN_DEVICE_INTERFACE, 1);
    g_assert_cmpstr(first->alias->name, ==, "ua-mine");
    g_assert_cmpstr(second->alias->name, ==, "net1");
    g_autofree char *text = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
    g_assert_nonnull(strstr(text, "ua-mine"));
    g_assert_null(strstr(text, "net1"));
    /* net0 goes, and its name is free; net1 stays what it is */
    domain_config_remove(config, DOMAIN_DEVICE_INTERFACE, 0);
    DomainDeviceKind kind;
    DomainDevice *third =
        domain_device_parse("<interface type='user'/>", DOMAIN_PARSE_INACTIVE, &kind, &error);
    g_assert_true(domain_config_add(config, kind, third, &error));
    g_assert_true(domain_config_complete(config, &defaults, &error));
    domain_config_enliven(config);
    g_assert_cmpstr(third->alias->name, ==, "net2");
}

/* The console is what the serial port is, with the path that it got. */
static void test_console(void)
{
    g_autofree char *xml = read_file("DOMAIN_FIXTURES", "wizard", "xml");
    g_autoptr(DomainConfig) config = parse(xml, NULL);
    DomainChar *serial = g_ptr_array_index(config->serials, 0);

    serial->source = g_new0(DomainCharSource, 1);
    serial->source->path = g_strdup("/dev/pts/7");
    domain_config_enliven(config);
    g_autofree char *live = domain_config_format(config, 0);
    g_assert_nonnull(strstr(live, "    <console type='pty' tty='/dev/pts/7'>\n"
                                  "      <source path='/dev/pts/7'/>\n"
                                  "      <target type='serial' port='0'/>\n"
                                  "      <alias name='serial0'/>\n"));
    g_autofree char *inactive = domain_config_format(config, DOMAIN_FORMAT_INACTIVE);
    g_assert_null(strstr(inactive, "/dev/pts"));
}

/* --- machines --- */

static void test_machines(void)
{
    for (const DomainMachine *machine = domain_machines(); machine->name; machine++) {
        const DomainMachine *canonical = domain_machine_find(machine->canonical);
        g_assert_nonnull(canonical);
        g_assert_cmpstr(canonical->board, ==, machine->board);
        g_assert_true(domain_machine_find(machine->name) == machine);
    }
    g_assert_cmpstr(domain_machine_find(NULL)->board, ==, "pc");
    g_assert_cmpstr(domain_machine_find("pc-1")->canonical, ==, "pc-q35-1");
    g_assert_null(domain_machine_find("pc-q35-7.2"));
}

/* --- the reference --- */

/* The table in docs/domain-xml.md is what the shapes say. */
static void test_reference(void)
{
    static const char heading[] = "## Reference\n\n";
    const char *path = g_getenv("DOMAIN_DOCUMENT");
    g_autofree char *table = xml_shape_describe(&domain_shape, "domain");
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    char *at = strstr(text, heading);
    g_assert_nonnull(at);
    if (g_getenv("UPDATE_EXPECTED")) {
        g_autofree char *begin = g_strndup(text, (gsize)(at - text));
        g_autofree char *all = g_strconcat(begin, heading, table, NULL);
        g_assert_true(g_file_set_contents(path, all, -1, NULL));
        return;
    }
    g_assert_cmpstr(at + strlen(heading), ==, table);
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
    g_test_add_func("/domain/refused by name and line", test_refused);
    g_test_add_func("/domain/refused as a whole", test_refused_whole);
    g_test_add_func("/domain/memory", test_memory);
    g_test_add_func("/domain/a balloon is no larger than its machine", test_balloon);
    g_test_add_func("/domain/secrets are for those who may see them", test_secrets);
    g_test_add_func("/domain/metadata is kept byte for byte", test_metadata_bytes);
    g_test_add_func("/domain/metadata changes one element at a time", test_metadata_changes);
    g_test_add_func("/domain/devices are found", test_find);
    g_test_add_func("/domain/a device comes and goes", test_plug);
    g_test_add_func("/domain/aliases", test_aliases);
    g_test_add_func("/domain/console and serial port are one", test_console);
    g_test_add_func("/domain/machines", test_machines);
    g_test_add_func("/domain/the reference is up to date", test_reference);
    return g_test_run();
}
