/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of networks, secrets, node devices and what is read of the host: on folders of their own.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/identity.h"
#include "manager/event.h"
#include "manager/host.h"
#include "manager/network.h"
#include "manager/nodedev.h"
#include "manager/secret.h"

#define UUID_1 "11111111-2222-3333-4444-555555555555"
#define UUID_2 "11111111-2222-3333-4444-666666666666"

typedef struct Bench {
    char *root, *definitions, *live;
    GString *told; /* what events said: "network 0, ..." */
    Networks *networks;
    Secrets *secrets;
} Bench;

/* The fixture is what tests pass for Events. */
void events_network(Events *events, const RemoteNetwork *network, RemoteEventId event,
                    const void *msg)
{
    const RemoteNetworkLifecycleMsg *lifecycle = msg;

    g_string_append_printf(((Bench *)events)->told, "%s %d, ", network->name, lifecycle->event);
}

void events_secret(Events *events, const RemoteSecret *secret, RemoteEventId event, const void *msg)
{
    const RemoteSecretLifecycleMsg *lifecycle = msg;
    bool value = event == REMOTE_EVENT_SECRET_VALUE_CHANGED;

    g_string_append_printf(((Bench *)events)->told, "%s %d, ", secret->usage_id,
                           value ? 9 : lifecycle->event);
}

static void begin(Bench *bench)
{
    NetworksSetup setup = { bench->definitions, bench->live, (Events *)bench };
    g_autofree char *secrets = g_build_filename(bench->root, "secrets", NULL);
    g_autoptr(GError) error = NULL;

    bench->networks = networks_new(&setup, &error);
    g_assert_no_error(error);
    bench->secrets = secrets_new(secrets, (Events *)bench, &error);
    g_assert_no_error(error);
    g_string_truncate(bench->told, 0);
}

static void end(Bench *bench)
{
    networks_free(bench->networks);
    secrets_free(bench->secrets);
}

static void set_up(Bench *bench, gconstpointer data)
{
    bench->root = g_dir_make_tmp("insula-resource-XXXXXX", NULL);
    bench->definitions = g_build_filename(bench->root, "networks", NULL);
    bench->live = g_build_filename(bench->root, "live", NULL);
    bench->told = g_string_new(NULL);
    begin(bench);
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);

    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        remove_tree(inside);
    }
    remove(path);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    end(bench);
    remove_tree(bench->root);
    g_free(bench->root);
    g_free(bench->definitions);
    g_free(bench->live);
    g_string_free(bench->told, TRUE);
}

static void again(Bench *bench)
{
    end(bench);
    begin(bench);
}

static void assert_fails(bool done, GError **error, int code, const char *words)
{
    g_assert_false(done);
    g_assert_error(*error, REMOTE_ERROR, code);
    g_test_message("%s", (*error)->message);
    g_assert_nonnull(strstr((*error)->message, words));
    g_clear_error(error);
}

/* --- networks --- */

static RemoteNetwork named(Bench *bench, const char *name)
{
    RemoteNetwork handle = { 0 };
    g_autoptr(GError) error = NULL;

    networks_by_name(bench->networks, name, &handle, &error);
    g_assert_no_error(error);
    return handle;
}

static void assert_state(Bench *bench, const RemoteNetwork *handle, const char *state)
{
    NetworkState s = { 0 };
    g_autoptr(GError) error = NULL;

    networks_state(bench->networks, handle, &s, &error);
    g_assert_no_error(error);
    g_autofree char *text =
        g_strdup_printf("%s%s%s", s.active ? "active " : "", s.persistent ? "persistent " : "",
                        s.autostart ? "autostart " : "");
    g_assert_cmpstr(text, ==, state);
}

static void test_default(Bench *bench, gconstpointer data)
{
    RemoteNetwork net = named(bench, "default"), same = { 0 };
    g_autoptr(GError) error = NULL;

    assert_state(bench, &net, "active persistent autostart ");
    again(bench);
    assert_state(bench, &net, "active persistent autostart ");
    g_assert_true(networks_by_uuid(bench->networks, net.uuid, &same, &error));
    g_assert_cmpstr(same.name, ==, "default");
    g_free(same.name);
    assert_fails(networks_start(bench->networks, &net, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "network 'default' is already active");
    /* undefined while it is active: it goes when it is stopped, and doesn't come again */
    g_assert_true(networks_undefine(bench->networks, &net, &error));
    assert_state(bench, &net, "active ");
    g_assert_true(networks_stop(bench->networks, &net, &error));
    g_assert_cmpstr(bench->told->str, ==, "default 1, default 3, ");
    again(bench);
    assert_fails(networks_stop(bench->networks, &net, &error), &error, REMOTE_ERR_NO_NETWORK,
                 "no network with matching uuid");
    assert_fails(networks_by_name(bench->networks, "default", &same, &error), &error,
                 REMOTE_ERR_NO_NETWORK,
                 "Network not found: no network with matching name 'default'");
    g_free(net.name);
}

static void test_network_life(Bench *bench, gconstpointer data)
{
    RemoteNetwork net = { 0 }, passing = { 0 };
    g_autoptr(GError) error = NULL;
    static const char *const xml = "<network><name>n</name><forward mode='nat'/></network>";

    g_assert_true(networks_define(bench->networks, xml, &net, &error));
    assert_state(bench, &net, "persistent ");
    g_assert_true(networks_start(bench->networks, &net, &error));
    g_assert_true(networks_create(bench->networks,
                                  "<network><name>p</name><forward mode='nat'/></network>",
                                  &passing, &error));
    assert_state(bench, &passing, "active ");
    assert_fails(networks_set_autostart(bench->networks, &passing, true, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "transient");
    assert_fails(networks_undefine(bench->networks, &passing, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "no definition");
    assert_fails(networks_create(bench->networks, xml, &passing, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "already active");
    again(bench);
    assert_state(bench, &net, "active persistent ");
    assert_state(bench, &passing, "active ");
    g_assert_true(networks_stop(bench->networks, &net, &error));
    g_assert_true(networks_stop(bench->networks, &passing, &error));
    g_assert_true(networks_set_autostart(bench->networks, &net, true, &error));
    again(bench);
    assert_state(bench, &net, "active persistent autostart ");
    assert_fails(networks_define(bench->networks,
                                 "<network><name>n</name><uuid>" UUID_1
                                 "</uuid><forward/></network>",
                                 &passing, &error),
                 &error, REMOTE_ERR_OPERATION_FAILED, "network 'n' already exists with uuid");
    g_free(net.name);
    g_free(passing.name);
}

static void test_network_list(Bench *bench, gconstpointer data)
{
    static const struct {
        uint32_t flags, n;
    } cases[] = {
        { 0, 2 }, { 1, 1 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 8, 0 }, { 16, 1 }, { 32, 1 }
    };
    RemoteNetwork net = { 0 };

    g_assert_true(networks_define(bench->networks, "<network><name>a</name><forward/></network>",
                                  &net, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint32_t n = 0;
        RemoteNetwork *list = networks_list(bench->networks, cases[i].flags, &n);
        g_test_message("flags %u", cases[i].flags);
        g_assert_cmpuint(n, ==, cases[i].n);
        for (uint32_t k = 0; k < n; k++) {
            g_free(list[k].name);
        }
        g_free(list);
    }
    g_free(net.name);
}

#define FORWARD(ports) "<portForward proto='tcp' domain='web'>" ports "</portForward>"

static void test_forwards(Bench *bench, gconstpointer data)
{
    RemoteNetwork net = named(bench, "default");
    NetworkUpdate update = { 3, 6, 0, FORWARD("<range start='8080' to='80'/>") };
    g_autoptr(GError) error = NULL;

    g_assert_true(networks_update(bench->networks, &net, &update, &error));
    assert_fails(networks_update(bench->networks, &net, &update, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "forwarded already");
    g_autoptr(GPtrArray) mine = networks_forwards(bench->networks, "default", "web", &error);
    g_autoptr(GPtrArray) other = networks_forwards(bench->networks, "default", "db", &error);
    g_assert_cmpuint(mine->len, ==, 1);
    g_assert_cmpuint(other->len, ==, 0);
    /* of what is active alone: the definition is as it was */
    g_autofree char *live = networks_xml(bench->networks, &net, false, NULL);
    g_autofree char *defined = networks_xml(bench->networks, &net, true, NULL);
    g_assert_nonnull(strstr(live, "start='8080'"));
    g_assert_null(strstr(defined, "start='8080'"));
    update.flags = 2;
    update.command = 4;
    g_assert_true(networks_update(bench->networks, &net, &update, &error));
    again(bench);
    g_autofree char *kept = networks_xml(bench->networks, &net, true, NULL);
    g_assert_nonnull(strstr(kept, "start='8080'"));
    update.command = 2;
    update.flags = 3;
    g_assert_true(networks_update(bench->networks, &net, &update, &error));
    assert_fails(networks_update(bench->networks, &net, &update, &error), &error,
                 REMOTE_ERR_OPERATION_INVALID, "no such forward");
    update.section = 4;
    assert_fails(networks_update(bench->networks, &net, &update, &error), &error,
                 REMOTE_ERR_OPERATION_UNSUPPORTED, "nothing else");
    g_assert_true(networks_stop(bench->networks, &net, NULL));
    g_assert_null(networks_forwards(bench->networks, "default", "web", &error));
    assert_fails(false, &error, REMOTE_ERR_OPERATION_INVALID, "network 'default' is not active");
    g_free(net.name);
}

/* Files that are damaged, or say another's name, are told of and left alone. */
static void test_damaged(Bench *bench, gconstpointer data)
{
    static const struct {
        const char *file, *text;
    } files[] = {
        { "torn.xml", "<network><name>torn</na" },
        { "other.xml", "<network><name>default</name><uuid>" UUID_1 "</uuid><forward/></network>" },
        { "nouuid.xml", "<network><name>nouuid</name><forward/></network>" },
    };
    uint32_t n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(bench->definitions, files[i].file, NULL);
        g_assert_true(g_file_set_contents(path, files[i].text, -1, NULL));
        g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*is left out*");
    }
    again(bench);
    g_test_assert_expected_messages();
    RemoteNetwork *list = networks_list(bench->networks, 0, &n);
    g_assert_cmpuint(n, ==, 1);
    g_free(list[0].name);
    g_free(list);
    g_autofree char *torn = g_build_filename(bench->definitions, "torn.xml", NULL);
    g_assert_true(g_file_test(torn, G_FILE_TEST_EXISTS));
}

/* --- secrets --- */

#define SECRET(uuid, attributes, name)                                                             \
    "<secret " attributes "><uuid>" uuid "</uuid><usage type='ceph'><name>" name                   \
    "</name></usage></secret>"

static void test_secret(Bench *bench, gconstpointer data)
{
    RemoteSecret secret = { 0 }, found = { 0 };
    static const uint8_t value[] = { 0, 1, 2, 0xff };
    g_autoptr(GError) error = NULL;
    uint32_t n = 0;

    g_assert_true(secrets_define(bench->secrets, SECRET(UUID_1, "", "a"), &secret, &error));
    g_assert_null(secrets_get_value(bench->secrets, &secret, &n, &error));
    assert_fails(false, &error, REMOTE_ERR_NO_SECRET, "does not have a value");
    g_assert_true(secrets_set_value(bench->secrets, &secret, value, sizeof(value), &error));
    g_assert_cmpstr(bench->told->str, ==, "a 0, a 9, ");
    again(bench);
    g_autofree uint8_t *got = secrets_get_value(bench->secrets, &secret, &n, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(got, n, value, sizeof(value));
    g_assert_true(secrets_by_usage(bench->secrets, 2, "a", &found, &error));
    g_assert_cmpmem(found.uuid, 16, secret.uuid, 16);
    g_free(found.usage_id);
    assert_fails(secrets_by_usage(bench->secrets, 1, "a", &found, &error), &error,
                 REMOTE_ERR_NO_SECRET, "no secret with matching usage 'a'");
    assert_fails(secrets_define(bench->secrets, SECRET(UUID_2, "", "a"), &found, &error), &error,
                 REMOTE_ERR_INTERNAL, "already defined for use with a");
    assert_fails(secrets_define(bench->secrets, SECRET(UUID_1, "", "b"), &found, &error), &error,
                 REMOTE_ERR_INTERNAL, "is already defined for use with a");
    g_autofree uint8_t *large = g_malloc0(65537);
    assert_fails(secrets_set_value(bench->secrets, &secret, large, 65537, &error), &error,
                 REMOTE_ERR_INVALID_ARG, "at most");
    g_assert_true(secrets_undefine(bench->secrets, &secret, &error));
    assert_fails(secrets_undefine(bench->secrets, &secret, &error), &error, REMOTE_ERR_NO_SECRET,
                 "no secret with matching uuid '" UUID_1 "'");
    g_autofree char *file = g_build_filename(bench->root, "secrets", UUID_1 ".value", NULL);
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
    g_free(secret.usage_id);
}

/* The value's file is for its owner; a private one is told to nobody; an ephemeral one has none. */
static void test_secret_kinds(Bench *bench, gconstpointer data)
{
    g_autofree char *one = g_build_filename(bench->root, "secrets", UUID_1 ".value", NULL);
    g_autofree char *two = g_build_filename(bench->root, "secrets", UUID_2 ".value", NULL);
    RemoteSecret private = { 0 }, passing = { 0 }, dropped = { 0 };
    g_autoptr(GError) error = NULL;
    struct stat st;
    uint32_t n = 0;

    g_assert_true(
        secrets_define(bench->secrets, SECRET(UUID_1, "private='yes'", "a"), &private, &error));
    g_assert_true(
        secrets_define(bench->secrets, SECRET(UUID_2, "ephemeral='yes'", "b"), &passing, &error));
    g_assert_true(secrets_set_value(bench->secrets, &private, (const uint8_t *)"x", 1, &error));
    g_assert_true(secrets_set_value(bench->secrets, &passing, (const uint8_t *)"y", 1, &error));
    g_assert_cmpint(stat(one, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    g_assert_false(g_file_test(two, G_FILE_TEST_EXISTS));
    g_assert_null(secrets_get_value(bench->secrets, &private, &n, &error));
    assert_fails(false, &error, REMOTE_ERR_INVALID_SECRET, "secret is private");
    assert_fails(secrets_define(bench->secrets, SECRET(UUID_1, "", "a"), &dropped, &error), &error,
                 REMOTE_ERR_OPERATION_DENIED, "cannot change private flag");
    again(bench);
    assert_fails(secrets_by_uuid(bench->secrets, passing.uuid, &dropped, &error), &error,
                 REMOTE_ERR_NO_SECRET, UUID_2);
    RemoteSecret *list = secrets_list(bench->secrets, 4 | 2, &n);
    g_assert_cmpuint(n, ==, 1);
    g_free(list[0].usage_id);
    g_free(list);
    g_free(secrets_list(bench->secrets, 8, &n));
    g_assert_cmpuint(n, ==, 0);
    g_free(private.usage_id);
    g_free(passing.usage_id);
}

/* --- the host --- */

static void put(const char *root, const char *path, const char *text)
{
    g_autofree char *full = g_strconcat(root, path, NULL);
    g_autofree char *folder = g_path_get_dirname(full);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(full, text, -1, NULL));
}

static void test_host(Bench *bench, gconstpointer data)
{
    HostCpus cpus;
    HostTimes times;
    HostMemory memory;
    uint64_t pages = 0;
    uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    const char *root = bench->root;

    put(root, "/sys/devices/system/cpu/present", "0-7\n");
    put(root, "/sys/devices/system/cpu/online", "0-2,5\n");
    put(root, "/proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2399.998\n");
    for (unsigned i = 0; i < 6; i++) {
        g_autofree char *core =
            g_strdup_printf("/sys/devices/system/cpu/cpu%u/topology/core_id", i);
        put(root, core, i < 2 ? "0" : "1");
    }
    put(root, "/proc/stat", "cpu  10 1 3 4 5 6 7 0 0 0\ncpu0 1 0 0 0\ncpu5 1 2 3 4 5\nintr 1\n");
    put(root, "/proc/meminfo",
        "MemTotal: 1000 kB\nMemFree: 400 kB\nBuffers: 5 kB\nSwapCached: 9 kB\n"
        "Cached: 7 kB\n");
    put(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "3\n");
    host_cpus(root, &cpus);
    g_assert_cmpuint(cpus.online, ==, 4);
    g_assert_cmpuint(cpus.present, ==, 8);
    g_assert_cmpuint(cpus.map[0], ==, 0x27);
    g_assert_cmpuint(cpus.mhz, ==, 2399);
    g_assert_cmpuint(cpus.sockets * cpus.cores * cpus.threads * cpus.nodes, ==, 4);
    g_assert_cmpuint(cpus.cores, ==, 2);
    g_assert_cmpuint(cpus.threads, ==, 2);
    host_cpus_clear(&cpus);
    g_assert_true(host_times(root, -1, &times));
    g_assert_cmpuint(times.user, ==, 11 * tick);
    g_assert_cmpuint(times.kernel, ==, 16 * tick);
    g_assert_true(host_times(root, 5, &times));
    g_assert_cmpuint(times.iowait, ==, 5 * tick);
    g_assert_false(host_times(root, 1, &times));
    g_assert_true(host_memory(root, &memory));
    g_assert_cmpuint(memory.cached, ==, 7);
    g_assert_true(host_node_memory(root, 0, &memory));
    g_assert_false(host_node_memory(root, 1, &memory));
    g_assert_true(host_free_pages(root, 0, 2048, &pages));
    g_assert_cmpuint(pages, ==, 3);
    g_assert_false(host_free_pages(root, 0, 1024, &pages));
}

static void test_firmware(Bench *bench, gconstpointer data)
{
    g_assert_null(host_sysinfo(bench->root));
    put(bench->root, "/sys/class/dmi/id/bios_version", "1 <2>\n");
    put(bench->root, "/sys/class/dmi/id/board_name", "B\xff\x1b\n");
    g_autofree char *xml = host_sysinfo(bench->root);
    g_assert_cmpstr(xml, ==,
                    "<sysinfo type='smbios'>\n"
                    "  <bios>\n"
                    "    <entry name='version'>1 &lt;2&gt;</entry>\n"
                    "  </bios>\n"
                    "  <baseBoard>\n"
                    "    <entry name='product'>B\xef\xbf\xbd\\x1b</entry>\n"
                    "  </baseBoard>\n"
                    "</sysinfo>\n");
}

static void test_node_devices(Bench *bench, gconstpointer data)
{
    g_autofree char *disk = g_strconcat(bench->root, "/sys/devices/pci/vda", NULL);
    g_autofree char *loop = g_strconcat(bench->root, "/sys/devices/virtual/block/loop0", NULL);
    g_autofree char *disk_link = g_strconcat(bench->root, "/sys/block/vda", NULL);
    g_autofree char *loop_link = g_strconcat(bench->root, "/sys/block/loop0", NULL);
    NodeDevices *devices = node_devices_new(bench->root);
    g_autoptr(GError) error = NULL;

    put(bench->root, "/sys/class/net/eth0/address", "52:54:00:00:00:01\n");
    put(bench->root, "/sys/devices/pci/vda/size", "8\n");
    put(bench->root, "/sys/devices/pci/vda/queue/logical_block_size", "512\n");
    put(bench->root, "/sys/block/none", "");
    put(bench->root, "/sys/devices/virtual/block/loop0/size", "8\n");
    g_assert_cmpint(symlink(disk, disk_link), ==, 0);
    g_assert_cmpint(symlink(loop, loop_link), ==, 0);
    static const struct {
        uint32_t flags;
        const char *names;
    } cases[] = {
        { 0, "computer net_eth0_52_54_00_00_00_01 block_none block_vda" },
        { 1U << 31, "computer net_eth0_52_54_00_00_00_01 block_none block_vda" },
        { 1 << 4, "net_eth0_52_54_00_00_00_01" },
        { 1 << 1, "" },
        { 1 << 30, "" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) names = node_devices_list_flags(devices, cases[i].flags);
        g_autofree char *joined = g_strjoinv(" ", names);
        g_assert_cmpstr(joined, ==, cases[i].names);
    }
    g_autofree char *xml = node_devices_xml(devices, "block_vda", &error);
    g_assert_nonnull(strstr(xml, "<parent>computer</parent>"));
    g_assert_nonnull(strstr(xml, "<size>4096</size>"));
    g_autofree char *net = node_devices_xml(devices, "net_eth0_52_54_00_00_00_01", &error);
    g_assert_nonnull(strstr(net, "<address>52:54:00:00:00:01</address>"));
    g_assert_null(node_devices_xml(devices, "block_loop0", &error));
    assert_fails(false, &error, REMOTE_ERR_NO_NODE_DEVICE,
                 "Node device not found: no node device with matching name 'block_loop0'");
    node_devices_free(devices);
}

typedef void (*BenchTest)(Bench *bench, gconstpointer data);
static const struct {
    const char *path;
    BenchTest test;
} tests[] = {
    { "/network/default-is-there-until-undefined", test_default },
    { "/network/life", test_network_life },
    { "/network/list", test_network_list },
    { "/network/forwards", test_forwards },
    { "/network/damaged-files", test_damaged },
    { "/secret/life", test_secret },
    { "/secret/kinds", test_secret_kinds },
    { "/host/cpus-and-memory", test_host },
    { "/host/firmware", test_firmware },
    { "/node-devices/list", test_node_devices },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].path, Bench, NULL, set_up, tests[i].test, tear_down);
    }
    return g_test_run();
}
