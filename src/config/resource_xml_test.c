/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the XML of pools, volumes, networks and secrets: what is taken becomes libvirt's form
 * of it, and that again itself; what isn't is refused with line and name.
 */
#include <string.h>

#include "common/error.h"
#include "config/network_xml.h"
#include "config/secret_xml.h"
#include "config/storage_xml.h"

#define UUID_1 "11111111-2222-3333-4444-555555555555"

/* Parse and write again; NULL: @error. */
static char *pool_again(const char *xml, GError **error)
{
    g_autoptr(PoolConfig) config = pool_config_parse(xml, error);
    g_autoptr(PoolConfig) copy = config ? pool_config_copy(config) : NULL;

    return copy ? pool_config_format(copy, NULL, NULL) : NULL;
}

static char *volume_again(const char *xml, GError **error)
{
    g_autoptr(VolumeConfig) config = volume_config_parse(xml, error);

    return config ? volume_config_format(config) : NULL;
}

static char *network_again(const char *xml, GError **error)
{
    g_autoptr(NetworkConfig) config = network_config_parse(xml, error);
    g_autoptr(NetworkConfig) copy = config ? network_config_copy(config) : NULL;

    return copy ? network_config_format(copy) : NULL;
}

static char *secret_again(const char *xml, GError **error)
{
    g_autoptr(SecretConfig) config = secret_config_parse(xml, error);

    return config ? secret_config_format(config) : NULL;
}

typedef char *(*Again)(const char *xml, GError **error);

static const struct {
    const char *name;
    Again again;
    const char *in, *out;
} taken[] = {
    { "pool/smallest", pool_again,
      "<pool type='dir'><name>a</name><target><path>/b//c/</path></target></pool>",
      "<pool type='dir'>\n"
      "  <name>a</name>\n"
      "  <capacity unit='bytes'>0</capacity>\n"
      "  <allocation unit='bytes'>0</allocation>\n"
      "  <available unit='bytes'>0</available>\n"
      "  <source/>\n"
      "  <target>\n"
      "    <path>/b/c</path>\n"
      "  </target>\n"
      "</pool>\n" },
    { "pool/all", pool_again,
      "<pool type='dir'><uuid>" UUID_1
      "</uuid><name>a.b-c_d+e</name><capacity unit='G'>1</capacity>"
      "<source/><target><permissions><group>-1</group><mode>0711</mode><owner>7</owner>"
      "<label>x</label></permissions><path>/b/../c&amp;d</path></target></pool>",
      "<pool type='dir'>\n"
      "  <name>a.b-c_d+e</name>\n"
      "  <uuid>" UUID_1 "</uuid>\n"
      "  <capacity unit='bytes'>0</capacity>\n"
      "  <allocation unit='bytes'>0</allocation>\n"
      "  <available unit='bytes'>0</available>\n"
      "  <source/>\n"
      "  <target>\n"
      "    <path>/c&amp;d</path>\n"
      "    <permissions>\n"
      "      <mode>0711</mode>\n"
      "      <owner>7</owner>\n"
      "    </permissions>\n"
      "  </target>\n"
      "</pool>\n" },
    { "volume/smallest", volume_again,
      "<volume><name>a b.img</name><capacity>4096</capacity></volume>",
      "<volume type='file'>\n"
      "  <name>a b.img</name>\n"
      "  <capacity unit='bytes'>4096</capacity>\n"
      "  <target/>\n"
      "</volume>\n" },
    { "volume/all", volume_again,
      "<volume type='file'><name>a</name><key>/x</key><source/><capacity unit='GiB'>2</capacity>"
      "<allocation unit='KB'>3</allocation><physical>1</physical><target><path>/x</path>"
      "<format type='qcow2'/><permissions><mode>0640</mode><owner>-1</owner></permissions>"
      "<timestamps><atime>1.2</atime></timestamps><compat>1.1</compat>"
      "<clusterSize unit='KiB'>128</clusterSize><features><lazy_refcounts/></features></target>"
      "<backingStore><path>/b</path><format type='raw'/></backingStore></volume>",
      "<volume type='file'>\n"
      "  <name>a</name>\n"
      "  <capacity unit='bytes'>2147483648</capacity>\n"
      "  <allocation unit='bytes'>3000</allocation>\n"
      "  <target>\n"
      "    <format type='qcow2'/>\n"
      "    <permissions>\n"
      "      <mode>0640</mode>\n"
      "    </permissions>\n"
      "    <compat>1.1</compat>\n"
      "    <clusterSize unit='B'>131072</clusterSize>\n"
      "    <features>\n"
      "      <lazy_refcounts/>\n"
      "    </features>\n"
      "  </target>\n"
      "  <backingStore>\n"
      "    <path>/b</path>\n"
      "    <format type='raw'/>\n"
      "  </backingStore>\n"
      "</volume>\n" },
    { "volume/empty-backing", volume_again,
      "<volume><name>a</name><capacity>0</capacity><backingStore/></volume>",
      "<volume type='file'>\n"
      "  <name>a</name>\n"
      "  <capacity unit='bytes'>0</capacity>\n"
      "  <target/>\n"
      "</volume>\n" },
    { "network/smallest", network_again, "<network><name>n</name><forward/></network>",
      "<network>\n"
      "  <name>n</name>\n"
      "  <forward mode='nat'/>\n"
      "  <ip address='10.0.2.2' netmask='255.255.255.0'>\n"
      "    <dhcp>\n"
      "      <range start='10.0.2.15' end='10.0.2.15'/>\n"
      "    </dhcp>\n"
      "  </ip>\n"
      "</network>\n" },
    { "network/all", network_again,
      "<network connections='1'><name>n</name><uuid>" UUID_1 "</uuid>"
      "<metadata><a:b xmlns:a='c'  d=\"e\"/></metadata><forward mode='nat'><nat>"
      "<port start='1024' end='65535'/></nat></forward><bridge name='virbr0' stp='on'/>"
      "<mac address='52:54:00:AA:bb:cc'/><ip address='10.0.2.2' prefix='24'><dhcp>"
      "<range start='10.0.2.15' end='10.0.2.15'/></dhcp></ip>"
      "<portForward proto='tcp' domain='web' address='127.0.0.1'><range start='80' end='90'/>"
      "</portForward><portForward proto='udp' domain='web'><range start='80' to='1'/></portForward>"
      "</network>",
      "<network>\n"
      "  <name>n</name>\n"
      "  <uuid>" UUID_1 "</uuid>\n"
      "  <metadata><a:b xmlns:a='c'  d=\"e\"/></metadata>\n"
      "  <forward mode='nat'/>\n"
      "  <mac address='52:54:00:aa:bb:cc'/>\n"
      "  <ip address='10.0.2.2' netmask='255.255.255.0'>\n"
      "    <dhcp>\n"
      "      <range start='10.0.2.15' end='10.0.2.15'/>\n"
      "    </dhcp>\n"
      "  </ip>\n"
      "  <portForward proto='tcp' address='127.0.0.1' domain='web'>\n"
      "    <range start='80' end='90' to='80'/>\n"
      "  </portForward>\n"
      "  <portForward proto='udp' domain='web'>\n"
      "    <range start='80' to='1'/>\n"
      "  </portForward>\n"
      "</network>\n" },
    { "secret/smallest", secret_again, "<secret/>", "<secret ephemeral='no' private='no'/>\n" },
    { "secret/all", secret_again,
      "<secret private='yes' ephemeral='yes'><usage type='ceph'><name>a b</name></usage>"
      "<description>&lt;d&gt;</description><uuid>" UUID_1 "</uuid></secret>",
      "<secret ephemeral='yes' private='yes'>\n"
      "  <uuid>" UUID_1 "</uuid>\n"
      "  <description>&lt;d&gt;</description>\n"
      "  <usage type='ceph'>\n"
      "    <name>a b</name>\n"
      "  </usage>\n"
      "</secret>\n" },
};

static void test_taken(gconstpointer data)
{
    const typeof(taken[0]) *c = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *once = c->again(c->in, &error);
    g_autofree char *twice = once ? c->again(once, &error) : NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(once, ==, c->out);
    g_assert_cmpstr(twice, ==, c->out);
}

#define POOL(rest)    "<pool type='dir'>\n" rest "</pool>"
#define TARGET        "<target><path>/a</path></target>"
#define VOLUME(rest)  "<volume>\n" rest "</volume>"
#define NETWORK(rest) "<network><name>n</name>\n" rest "</network>"
#define NAT           "<forward mode='nat'/>"
#define FORWARD(port) "<portForward proto='tcp' domain='d'><range start='" port "'/></portForward>"

static const struct {
    const char *name;
    Again again;
    const char *xml, *message; /* a part of it */
} refused[] = {
    { "pool/no-type", pool_again, "<pool><name>a</name>" TARGET "</pool>", "'type' is missing" },
    { "pool/other-type", pool_again, "<pool type='iscsi'/>", "a pool of type 'iscsi'" },
    { "pool/no-name", pool_again, POOL(TARGET), "'name' is missing" },
    { "pool/no-path", pool_again, POOL("<name>a</name>"), "'target/path' is missing" },
    { "pool/name-leads-away", pool_again, POOL("<name>../a</name>" TARGET),
      "element 'name' on line 2" },
    { "pool/name-is-dots", pool_again, POOL("<name>..</name>" TARGET), "element 'name'" },
    { "pool/relative-path", pool_again, POOL("<name>a</name>\n<target>\n<path>b</path></target>"),
      "element 'path' on line 4" },
    { "pool/path-of-two-lines", pool_again,
      POOL("<name>a</name><target><path>/b\nc</path></target>"), "control characters" },
    { "pool/bad-uuid", pool_again, POOL("<name>a</name><uuid>1</uuid>" TARGET), "element 'uuid'" },
    { "pool/bad-mode", pool_again,
      POOL("<name>a</name><target><path>/a</path><permissions><mode>0999</mode></permissions>"
           "</target>"),
      "'0999' is not an octal mode" },
    { "pool/bad-owner", pool_again,
      POOL("<name>a</name><target><path>/a</path><permissions><owner>4294967295</owner>"
           "</permissions></target>"),
      "element 'owner'" },
    { "pool/unknown", pool_again, POOL("<name>a</name>\n<refresh/>" TARGET),
      "'refresh' on line 3" },
    { "pool/source-of-others", pool_again,
      POOL("<name>a</name><source><host name='h'/></source>" TARGET), "element 'host'" },
    { "volume/no-name", volume_again, VOLUME("<capacity>1</capacity>"), "'name' is missing" },
    { "volume/name-leads-away", volume_again, VOLUME("<name>../../etc/passwd</name>"),
      "cannot be the name of a file" },
    { "volume/name-is-dots", volume_again, VOLUME("<name>..</name>"), "cannot be the name" },
    { "volume/name-of-two-lines", volume_again, VOLUME("<name>a\nb</name>"), "control characters" },
    { "volume/negative", volume_again, VOLUME("<name>a</name><capacity>-1</capacity>"),
      "element 'capacity' on line 2" },
    { "volume/too-large", volume_again, VOLUME("<name>a</name><capacity unit='EiB'>8</capacity>"),
      "element 'capacity'" },
    { "volume/other-format", volume_again,
      VOLUME("<name>a</name><target><format type='vmdk'/></target>"), "format 'vmdk'" },
    { "volume/encrypted", volume_again,
      VOLUME("<name>a</name><target>\n<encryption format='luks'/></target>"),
      "'encryption' on line 3" },
    { "volume/backing-nowhere", volume_again,
      VOLUME("<name>a</name><backingStore><format type='raw'/></backingStore>"),
      "'path' is missing" },
    { "volume/backing-json", volume_again,
      VOLUME("<name>a</name><backingStore><path>json:{}</path></backingStore>"),
      "not the absolute path" },
    { "volume/cluster", volume_again,
      VOLUME("<name>a</name><target><clusterSize unit='MiB'>4</clusterSize></target>"),
      "element 'clusterSize'" },
    { "network/isolated", network_again, NETWORK(""), "an isolated network" },
    { "network/bridge", network_again, NETWORK("<forward mode='bridge'/>"), "mode 'bridge'" },
    { "network/dev", network_again, NETWORK("<forward mode='nat' dev='eth0'/>"),
      "attribute 'dev'" },
    { "network/other-address", network_again, NETWORK(NAT "<ip address='192.168.122.1'/>"),
      "address '192.168.122.1'; in user mode it is 10.0.2.2" },
    { "network/other-range", network_again,
      NETWORK(NAT "<ip><dhcp><range start='10.0.2.1' end='10.0.2.15'/></dhcp></ip>"), "start" },
    { "network/hosts", network_again,
      NETWORK(NAT "<ip><dhcp><host mac='52:54:00:00:00:01' ip='10.0.2.15'/></dhcp></ip>"),
      "element 'host'" },
    { "network/two-addresses", network_again, NETWORK(NAT "<ip/><ip/>"), "a second address" },
    { "network/dns", network_again, NETWORK(NAT "<dns/>"), "element 'dns' on line 2" },
    { "network/foreign-prefix", network_again,
      "<network xmlns:a='b'><name>n</name>" NAT "<metadata><a:c/></metadata></network>",
      "must be declared in it" },
    { "network/name", network_again, "<network><name>a/b</name>" NAT "</network>",
      "element 'name'" },
    { "network/forward-twice", network_again, NETWORK(NAT FORWARD("80") FORWARD("80")),
      "forwarded already" },
    { "network/forward-port", network_again, NETWORK(NAT FORWARD("65536")), "element 'range'" },
    { "network/forward-wide", network_again,
      NETWORK(NAT
              "<portForward proto='tcp' domain='d'><range start='1' end='60000'/></portForward>"),
      "at most" },
    { "network/forward-past-the-end", network_again,
      NETWORK(NAT "<portForward proto='tcp' domain='d'><range start='1' end='9' to='65530'/>"
                  "</portForward>"),
      "element 'range'" },
    { "network/forward-address", network_again,
      NETWORK(NAT "<portForward proto='tcp' domain='d' address='host'><range start='1'/>"
                  "</portForward>"),
      "address 'host'" },
    { "secret/usage", secret_again, "<secret><usage type='disk'/></secret>", "element 'usage'" },
    { "secret/no-volume", secret_again, "<secret><usage type='volume'/></secret>",
      "'volume' is missing" },
    { "secret/unknown", secret_again, "<secret><value>x</value></secret>", "element 'value'" },
    { "secret/maybe", secret_again, "<secret private='maybe'/>", "private" },
};

static void test_refused(gconstpointer data)
{
    const typeof(refused[0]) *c = data;
    g_autoptr(GError) error = NULL;

    g_assert_null(c->again(c->xml, &error));
    g_assert_nonnull(error);
    g_assert_true(error->domain == INSULA_ERROR);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, c->message));
    g_assert_null(strchr(error->message, '\n'));
}

/* A volume without <allocation> is to have all its room. */
static void test_allocation(void)
{
    g_autoptr(VolumeConfig) config =
        volume_config_parse("<volume><name>a</name><capacity unit='M'>1</capacity></volume>", NULL);

    g_assert_nonnull(config);
    g_assert_false(config->has_allocation);
    g_assert_cmpuint(config->allocation, ==, 1 << 20);
}

static void test_overlap(void)
{
    NetworkForward a = { .start = 10, .end = 20 }, b = { .start = 20, .end = 30 };
    NetworkForward other = { .start = 10, .end = 20, .address = (char *)"127.0.0.1" };
    NetworkForward third = { .start = 10, .end = 20, .address = (char *)"127.0.0.2" };

    g_assert_true(network_forward_overlaps(&a, &b));
    g_assert_true(network_forward_overlaps(&a, &other));
    g_assert_false(network_forward_overlaps(&third, &other));
    b.start = 21;
    g_assert_false(network_forward_overlaps(&a, &b));
    b.start = 10;
    b.udp = true;
    g_assert_false(network_forward_overlaps(&a, &b));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_autofree char *path = g_strdup_printf("/resource-xml/taken/%s", taken[i].name);
        g_test_add_data_func(path, &taken[i], test_taken);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autofree char *path = g_strdup_printf("/resource-xml/refused/%s", refused[i].name);
        g_test_add_data_func(path, &refused[i], test_refused);
    }
    g_test_add_func("/resource-xml/no-allocation-is-all", test_allocation);
    g_test_add_func("/resource-xml/forwards-overlap", test_overlap);
    return g_test_run();
}
