/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of config/: command lines that are taken, and those that are refused with the words that a
 * person needs.
 */
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "config/config.h"
#include "config/limits.h"
#include "config/options.h"
#include "config/size.h"
#include "config/words.h"

static VmConfig *parse(const char *line, GError **error)
{
    g_autoptr(VmConfig) config = vm_config_new();
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    OptionAction action;

    if (!options_parse((const char *const *)(*line ? words : words + g_strv_length(words)), config,
                       &action, error) ||
        !vm_config_check(config, error)) {
        return NULL;
    }
    vm_config_settle(config);
    g_assert_cmpint(action, ==, ACTION_RUN);
    return g_steal_pointer(&config);
}

static const struct {
    const char *line, *message; /* a part of it */
} refused[] = {
    { "--append x d.raw", "--initrd and --append are for a kernel: name it with --kernel FILE" },
    { "--firmware uefi,vars=", "--firmware: vars needs a value that isn't empty" },
    { "--kernal x", "unknown option '--kernal'; did you mean '--kernel'?" },
    { "--frobnicate", "unknown option '--frobnicate'; --help lists them all" },
    { "-kernel x", "unknown word '-kernel'; did you mean '--kernel'?" },
    { "", "there is nothing to start: name a disk, or a kernel with --kernel FILE" },
    { "-x", "unknown word '-x': options start with two dashes" },
    { "a.raw,size=3", "--disk: unknown setting 'size'" },
    { "--", "unknown word '--'" },
    { "--kernel", "option '--kernel' needs a value: FILE" },
    { "--kernel=", "--kernel needs a value that isn't empty" },
    { "--kernel a --kernel b", "option '--kernel' is given twice" },
    { "--no-reboot=1", "option '--no-reboot' takes no value; drop '=1'" },
    { "--memory 0", "--memory '0' must be from 1M to 512G" },
    { "--memory 1P", "--memory '1P' must be from 1M to 512G" },
    { "--memory 512", "--memory '512' must be from 1M to 512G; write a unit, such as 512M" },
    { "--memory 99999P", "--memory '99999P' is beyond 64 bits" },
    { "--memory 1048577", "must be a multiple of 4K" },
    { "--memory lots", "--memory 'lots' is not a size" },
    { "--memory -1", "--memory '-1' is not a size" },
    { "--memory 1MB", "--memory '1MB' has an unknown unit 'MB'" },
    { "--memory 1Mi", "has an unknown unit 'Mi'" },
    { "--memory 18446744073709551616", "is not a size" },
    { "--code-cache 1023K", "--code-cache '1023K' must be from 1M to 1G; write a unit" },
    { "--code-cache 2G", "--code-cache '2G' must be from 1M to 1G" },
    { "--code-cache big", "--code-cache 'big' is not a size" },
    { "--check=0", "--check '0' must be a number from 1 to" },
    { "--check=often", "--check 'often' must be a number" },
    { "--cpus 0", "--cpus '0' must be a number from 1 to 64" },
    { "--cpus 65", "--cpus '65' must be a number from 1 to 64" },
    { "--cpus 2x", "--cpus '2x' must be a number" },
    { "--cpus +2", "--cpus '+2' must be a number" },
    { "--disk ,format=raw", "--disk ',format=raw' names no file" },
    { "--disk a,fromat=raw", "--disk: unknown setting 'fromat'; did you mean 'format'?" },
    { "--disk a,readonly", "--disk: setting 'readonly' needs a value: write readonly=on|off" },
    { "--disk a,readonly=yes", "--disk: readonly 'yes' must be on or off" },
    { "--disk a,format=", "--disk: format needs a value that isn't empty" },
    { "--disk a,readonly=on,readonly=on", "setting 'readonly' is given twice" },
    { "--disk a,b", "unknown setting 'b'" },
    { "--disk a,cache=no", "cache 'no' can't be: it is one of writeback|none|writethrough" },
    { "--disk a,discard=1", "discard '1' must be on or off" },
    { "--disk a,detect-zeroes=", "detect-zeroes '' can't be: it is one of off|on|unmap" },
    { "--disk a,rerror=halt", "rerror 'halt' can't be: it is one of report|ignore|stop|enospc" },
    { "--disk a,werror=0", "werror '0' can't be" },
    { "--disk a,queues=0", "--disk: queues '0'" },
    { "--disk a,queues=9", "--disk: queues '9'" },
    { "--disk a,", "unknown setting ''" },
    { "--serial stdoi", "--serial 'stdoi' must be stdio, none, unix:PATH or file:PATH" },
    { "--serial unix:", "--serial 'unix:' names no path" },
    { "--serial file:", "must be stdio, none" },
    { "--kernel k --console stdio", "the terminal is taken by --serial" },
    { "--net foo", "--net 'foo' must be user, tap or none" },
    { "--net userx", "must be user, tap or none" },
    { "--net user,fd=3", "--net: unknown setting 'fd'" },
    { "--net none,mac=52:54:00:12:34:56", "--net: unknown setting 'mac'" },
    { "--net tap", "--net tap needs an open tap device: write tap,fd=N" },
    { "--net tap,fd=2", "--net: fd '2' must be a number from 3" },
    { "--net tap,fd=3,host=on", "unknown setting 'host'" },
    { "--net user,mac=52:54:00:12:34", "--net: mac '52:54:00:12:34' must be six bytes" },
    { "--net user,mac=52:54:00:12:34:5g", "must be six bytes" },
    { "--net user,mac=52-54-00-12-34-56", "must be six bytes" },
    { "--net user,mac=53:54:00:12:34:56", "is a group's address" },
    { "--net user,mtu=67", "--net: mtu '67' must be a number from 68 to 65535" },
    { "--net user,queues=5", "--net: queues '5' must be a number from 1 to 4" },
    { "--net user,host=maybe", "--net: host 'maybe' must be on or off" },
    { "--kernel k --net none --net user", "--net none and another --net: keep one" },
    { "--kernel k --net none -p 1:1", "--forward needs a user network to lead into" },
    { "--kernel k --net tap,fd=3 -p 1:1", "--forward needs a user network to lead into" },
    { "-p", "option '--forward' needs a value" },
    { "-p 22", "--forward '22' must be [ADDRESS:]PORT:[ADDRESS:]PORT[/udp]" },
    { "-p 22:", "--forward '22:' must be" },
    { "-p 0:22", "--forward '0:22' must be" },
    { "-p 65536:22", "must be" },
    { "-p 8022:22/sctp", "must be" },
    { "-p 8022:22x", "must be" },
    { "-p localhost:8022:22", "must be" },
    { "-p 127.0.0:8022:22", "--forward '127.0.0:8022:22': its addresses must be numbers" },
    { "-p 1.2.3.4:8022:[fec0::1]:22", "its addresses must be numbers of IPv4, or both of IPv6" },
    { "-p [::1:8022:22", "must be" },
    { "-p [::g]:8022:22", "its addresses must be numbers" },
    { "-p ::1:8022:22", "must be" },
    { "-x 1", "unknown word '-x'" },
    { "--name a/b", "--name 'a/b' must be 1 to 128 letters" },
    { "--name ..", "--name '..' must be" },
    { "--log exec,irk", "--log: unknown log category 'irk'" },
    { "--video cga", "--video 'cga' must be vga or virtio" },
    { "--vnc 5900", "--vnc '5900' must be unix:PATH, tcp:PORT or fd:N" },
    { "--vnc tcp:0", "--vnc: port '0' must be a number from 1 to 65535" },
    { "--vnc fd:2", "--vnc: fd '2' must be a number from 3" },
    { "--vnc unix:", "names no path" },
    { "--vnc tcp:1,password=", "--vnc: password needs a value" },
    { "--gdb 1234", "--gdb '1234' must be unix:PATH or tcp:PORT" },
    { "--gdb tcp:0", "--gdb: port '0' must be a number from 1 to 65535" },
    { "--gdb tcp:65536", "must be a number from 1 to 65535" },
    { "--gdb tcp:1,wait=maybe", "--gdb: wait 'maybe' must be on or off" },
};

static void test_refused(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VmConfig) config = parse(refused[i].line, &error);

        g_test_message("%s: %s", refused[i].line, error ? error->message : "taken");
        g_assert_null(config);
        g_assert_error(error, INSULA_ERROR, INSULA_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, refused[i].message));
        g_assert_null(strchr(error->message, '\n'));
    }
}

static void test_too_long(void)
{
    g_autofree char *name = g_strnfill(CONFIG_NAME_MAX + 1, 'n');
    g_autofree char *append = g_strnfill(CONFIG_APPEND_MAX + 1, 'a');
    const struct {
        const char *option, *value;
    } too_long[] = { { "--name ", name }, { "--append ", append }, { "--gdb unix:/", name } };

    for (unsigned i = 0; i < G_N_ELEMENTS(too_long); i++) {
        g_autofree char *line = g_strconcat(too_long[i].option, too_long[i].value, NULL);
        g_autoptr(GError) error = NULL;
        g_assert_null(parse(line, &error));
        g_assert_error(error, INSULA_ERROR, INSULA_ERROR_USAGE);
    }
}

static void test_defaults(void)
{
    g_autoptr(VmConfig) config = parse("--kernel k", NULL);

    g_assert_cmpstr(config->machine, ==, "micro");
    g_assert_cmpstr(config->engine, ==, "auto");
    g_assert_null(config->cpu_model);
    g_assert_null(config->name);
    g_assert_cmpuint(config->cpus, ==, 1);
    g_assert_cmpuint(config->memory, ==, 512 << 20);
    g_assert_cmpstr(config->kernel, ==, "k");
    g_assert_null(config->initrd);
    g_assert_null(config->append);
    g_assert_cmpuint(config->disks->len, ==, 0);
    g_assert_cmpint(config->serial.kind, ==, SERIAL_STDIO);
    g_assert_cmpint(config->console.kind, ==, SERIAL_NONE);
    g_assert_cmpint(config->screen.kind, ==, SCREEN_OFF);
    g_assert_cmpint(config->gdb.kind, ==, GDB_OFF);
    g_assert_false(config->no_reboot);
    g_assert_cmpuint(config->log_mask, ==, 0);
    g_assert_false(config->check);
    g_assert_cmpuint(config->code_cache, ==, 0);
}

static void test_everything(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmConfig) config = parse(
        "--kernel k --initrd=i --append= --machine m --engine e --cpu c --cpus 64 --memory 1GiB "
        "--disk a,,b,readonly=on --disk c,format=raw,readonly=off --serial unix:/s --console "
        "file:f --name A.b_1 --no-reboot --log exec --log irq,io --gdb tcp:1234,wait=off "
        "--check=7 --code-cache 64M --vnc unix:/v,password=/p",
        &error);

    g_assert_no_error(error);
    g_assert_cmpstr(config->initrd, ==, "i");
    g_assert_cmpstr(config->append, ==, "");
    g_assert_cmpstr(config->machine, ==, "m");
    g_assert_cmpstr(config->engine, ==, "e");
    g_assert_cmpstr(config->cpu_model, ==, "c");
    g_assert_cmpuint(config->cpus, ==, 64);
    g_assert_cmpuint(config->memory, ==, 1 << 30);
    g_assert_cmpuint(config->disks->len, ==, 2);
    const DiskConfig *first = g_ptr_array_index(config->disks, 0);
    g_assert_cmpstr(first->file, ==, "a,b");
    g_assert_null(first->format);
    g_assert_true(first->read_only);
    const DiskConfig *second = g_ptr_array_index(config->disks, 1);
    g_assert_cmpstr(second->format, ==, "raw");
    g_assert_false(second->read_only);
    g_assert_cmpint(config->serial.kind, ==, SERIAL_UNIX);
    g_assert_cmpstr(config->serial.path, ==, "/s");
    g_assert_cmpint(config->console.kind, ==, SERIAL_FILE);
    g_assert_cmpstr(config->name, ==, "A.b_1");
    g_assert_true(config->no_reboot);
    g_assert_cmpuint(config->log_mask, ==, 1U << LOG_EXEC | 1U << LOG_IRQ | 1U << LOG_IO);
    g_assert_cmpint(config->screen.kind, ==, SCREEN_UNIX);
    g_assert_cmpstr(config->screen.path, ==, "/v");
    g_assert_cmpstr(config->screen.password_file, ==, "/p");
    g_assert_cmpint(config->gdb.kind, ==, GDB_TCP);
    g_assert_cmpuint(config->gdb.port, ==, 1234);
    g_assert_false(config->gdb.wait);
    g_assert_true(config->check);
    g_assert_cmpuint(config->check_every, ==, 7);
    g_assert_cmpuint(config->code_cache, ==, 64 << 20);
}

/* What is chosen where nothing was said. */
static void test_settled(void)
{
    static const struct {
        const char *line, *machine;
        uint64_t memory_mib;
        unsigned disks;
        bool sata, cdrom; /* the first one */
    } cases[] = {
        { "x.iso", "pc", 1024, 1, true, true },
        { "--disk x.iso", "pc", 1024, 1 },
        { "x.iso,format=raw", "pc", 1024, 1 },
        { "--cdrom x.img,boot=1,format=raw d.raw", "pc", 1024, 2, true, true },
        { "--kernel k --cdrom x", "pc", 1024, 1, true, true },
        { "--kernel k --disk a.raw,bus=sata", "pc", 1024, 1, true },
        { "--kernel k --disk a.raw,bus=virtio", "micro", 512, 1 },
        { "--kernel k", "micro", 512, 0 },
        { "disk.qcow2", "pc", 1024, 1 },
        { "a.raw b.raw", "pc", 1024, 2 },
        { "--kernel k a.raw", "micro", 512, 1 },
        { "--firmware uefi", "pc", 1024, 0 },
        { "--kernel k --firmware bios", "pc", 1024, 0 },
        { "--machine micro d.raw", "micro", 1024, 1 },
        { "d --memory 64M", "pc", 64, 1 },
        { "d,format=qcow2 --disk e", "pc", 1024, 2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VmConfig) config = parse(cases[i].line, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(config->machine, ==, cases[i].machine);
        g_assert_cmpuint(config->memory, ==, cases[i].memory_mib << 20);
        g_assert_cmpuint(config->disks->len, ==, cases[i].disks);
        const DiskConfig *disk = config->disks->len ? g_ptr_array_index(config->disks, 0) : NULL;
        g_assert_true(!disk || (disk->bus == DISK_SATA) == cases[i].sata);
        g_assert_true(!disk ||
                      (disk->cdrom == cases[i].cdrom && (!disk->cdrom || disk->read_only)));
    }
}

static void test_optional_value(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmConfig) config = parse("--check --kernel k --lock 7", &error);

    g_assert_no_error(error);
    g_assert_cmpint(config->lock_fd, ==, 7);
    g_assert_true(config->check);
    g_assert_cmpuint(config->check_every, ==, 0);
    g_assert_cmpstr(config->kernel, ==, "k");
}

static void test_nets(void)
{
    static const uint8_t mac[] = { 0x52, 0x54, 0x00, 0xaB, 0xCd, 0x01 };
    g_autoptr(GError) error = NULL;
    g_autoptr(VmConfig) none = parse("--kernel k --net none", NULL);
    g_autoptr(VmConfig) config = parse(
        "--kernel k --net user,host=on,ipv6=off,mtu=9000 --net tap,fd=7,mac=52:54:00:aB:Cd:01,"
        "queues=4 --net user",
        &error);

    g_assert_true(none->no_net);
    g_assert_cmpuint(none->nets->len, ==, 0);
    g_assert_no_error(error);
    g_assert_false(config->no_net);
    g_assert_cmpuint(config->nets->len, ==, 3);
    const NetConfig *net = g_ptr_array_index(config->nets, 0);
    g_assert_cmpint(net->kind, ==, NET_USER);
    g_assert_true(net->host && net->no_ipv6 && !net->has_mac);
    g_assert_cmpuint(net->mtu, ==, 9000);
    g_assert_cmpuint(net->queues, ==, 1);
    net = g_ptr_array_index(config->nets, 1);
    g_assert_cmpint(net->kind, ==, NET_TAP);
    g_assert_cmpint(net->fd, ==, 7);
    g_assert_true(net->has_mac);
    g_assert_cmpmem(net->mac, 6, mac, 6);
    g_assert_cmpuint(net->queues, ==, 4);
    net = g_ptr_array_index(config->nets, 2);
    g_assert_true(!net->host && !net->no_ipv6);
}

static const struct {
    const char *text, *host, *guest;
    uint16_t host_port, guest_port;
    bool udp, ipv6;
} forwards[] = {
    { "8022:22", "127.0.0.1", NULL, 8022, 22, false, false },
    { "8022:22/tcp", "127.0.0.1", NULL, 8022, 22, false, false },
    { "65535:1/udp", "127.0.0.1", NULL, 65535, 1, true, false },
    { "0.0.0.0:80:8080", "0.0.0.0", NULL, 80, 8080, false, false },
    { "80:10.0.2.20:8080", "127.0.0.1", "10.0.2.20", 80, 8080, false, false },
    { "[::1]:80:8080", "::1", NULL, 80, 8080, false, true },
    { "80:[fec0::9]:8080/udp", "::1", "fec0::9", 80, 8080, true, true },
    { "[::]:80:[fec0::9]:8080", "::", "fec0::9", 80, 8080, false, true },
};

static void test_forwards(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(forwards); i++) {
        g_autofree char *by_letter = g_strconcat("--kernel k -p ", forwards[i].text, NULL);
        g_autofree char *by_name = g_strconcat("--kernel k --forward=", forwards[i].text, NULL);
        const char *lines[] = { by_letter, by_name };
        for (unsigned j = 0; j < G_N_ELEMENTS(lines); j++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(VmConfig) config = parse(lines[j], &error);
            g_assert_no_error(error);
            g_assert_cmpuint(config->forwards->len, ==, 1);
            const ForwardConfig *forward = g_ptr_array_index(config->forwards, 0);
            g_assert_cmpstr(forward->host, ==, forwards[i].host);
            g_assert_cmpstr(forward->guest, ==, forwards[i].guest);
            g_assert_cmpuint(forward->host_port, ==, forwards[i].host_port);
            g_assert_cmpuint(forward->guest_port, ==, forwards[i].guest_port);
            g_assert_cmpint(forward->udp, ==, forwards[i].udp);
            g_assert_cmpint(forward->ipv6, ==, forwards[i].ipv6);
        }
    }
}

static const struct {
    const char *text;
    uint64_t size;
    const char *format;
} sizes[] = {
    { "0", 0, "0" },
    { "1", 1, "1" },
    { "1023K", 1023 << 10, "1023K" },
    { "1024k", 1 << 20, "1M" },
    { "512M", 512 << 20, "512M" },
    { "2G", UINT64_C(2) << 30, "2G" },
    { "1gib", 1 << 30, "1G" },
    { "3T", UINT64_C(3) << 40, "3T" },
    { "1P", UINT64_C(1) << 50, "1P" },
    { "4096P", UINT64_C(1) << 62, "4096P" },
    { "1048577", 1048577, "1048577" },
};

static void test_sizes(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint64_t size = 0;
        g_assert_true(size_parse(sizes[i].text, "size", &size, NULL));
        g_autofree char *format = size_format(size);
        g_assert_cmpuint(size, ==, sizes[i].size);
        g_assert_cmpstr(format, ==, sizes[i].format);
    }
}

static const struct {
    const char *word;
    OptionAction action;
} actions[] = {
    { "--help", ACTION_HELP },
    { "-h", ACTION_HELP },
    { "--version", ACTION_VERSION },
    { "--describe", ACTION_DESCRIBE },
    { "--help-options", ACTION_HELP_OPTIONS },
};

static void test_actions(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        g_autoptr(VmConfig) config = vm_config_new();
        const char *words[] = { "--cpus", "2", actions[i].word, "--not-looked-at", NULL };
        OptionAction action;

        g_assert_true(options_parse(words, config, &action, NULL));
        g_assert_cmpint(action, ==, actions[i].action);
    }
}

/* Each row is whole, fits a line of help, and can be cut out of the dump again. */
static void test_table(void)
{
    g_autofree char *help = options_help("insula-vm");
    g_autofree char *dump = options_dump();
    g_auto(GStrv) help_lines = g_strsplit(help, "\n", -1);
    g_auto(GStrv) dump_lines = g_strsplit(dump, "\n", -1);
    unsigned line = 0;

    for (unsigned i = 0; help_lines[i]; i++) {
        g_test_message("%s", help_lines[i]);
        g_assert_cmpint(g_utf8_strlen(help_lines[i], -1), <=, 80);
    }
    for (const Option *option = options_table(); option->name; option++) {
        g_assert_true((option->parse != NULL) == (option->action == ACTION_RUN));
        if (!option->hidden) {
            g_auto(GStrv) fields = g_strsplit(dump_lines[line++], "\t", -1);
            g_assert_cmpuint(g_strv_length(fields), ==, 8);
            g_assert_cmpstr(fields[0], ==, option->name);
        }
    }
    g_assert_cmpstr(dump_lines[line], ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/refused", test_refused);
    g_test_add_func("/config/too-long", test_too_long);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/everything", test_everything);
    g_test_add_func("/config/a value may be left out", test_optional_value);
    g_test_add_func("/config/nets", test_nets);
    g_test_add_func("/config/forwards", test_forwards);
    g_test_add_func("/config/sizes", test_sizes);
    g_test_add_func("/config/actions", test_actions);
    g_test_add_func("/config/settled", test_settled);
    g_test_add_func("/config/table", test_table);
    return g_test_run();
}
