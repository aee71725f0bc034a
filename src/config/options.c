/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of insula-vm, see options.h.
 *
 * A new option is a row of the table and a function that parses its value.
 */
#include "config/options.h"

#include <stdarg.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/suggest.h"
#include "config/disk.h"
#include "config/identity.h"
#include "config/limits.h"
#include "config/size.h"
#include "config/words.h"

enum { OPTIONS_MAX = 64, HELP_COLUMN = 30 };

/* Set *@error to a usage error; false, for the caller to return. */
G_GNUC_PRINTF(2, 3)
static bool usage(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    set_error_code(error, INSULA_ERROR_USAGE, "%s", message);
    return false;
}

/* A value that may not be empty replaces *@field. */
static bool set_text(char **field, const char *option, const char *value, GError **error)
{
    if (!*value) {
        return usage(error, "%s needs a value that isn't empty", option);
    }
    g_free(*field);
    *field = g_strdup(value);
    return true;
}

static bool parse_machine(VmConfig *config, const char *value, GError **error)
{
    config->said |= CONFIG_SAID_MACHINE;
    return set_text(&config->machine, "--machine", value, error);
}

static bool parse_engine(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->engine, "--engine", value, error);
}

static bool parse_cpu(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->cpu_model, "--cpu", value, error);
}

static bool firmware_vars(void *target, const char *value, GError **error)
{
    VmConfig *config = target;

    return set_text(&config->firmware_variables, "--firmware: vars", value, error);
}

static const WordSetting firmware_settings[] = { { "vars", "FILE", firmware_vars }, { 0 } };

static bool parse_firmware(VmConfig *config, const char *value, GError **error)
{
    g_autofree char *what = NULL;

    return words_parse(value, "--firmware", firmware_settings, config, &what, error) &&
           set_text(&config->firmware, "--firmware", what, error);
}

static bool parse_kernel(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->kernel, "--kernel", value, error);
}

static bool parse_initrd(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->initrd, "--initrd", value, error);
}

static bool parse_append(VmConfig *config, const char *value, GError **error)
{
    if (strlen(value) > CONFIG_APPEND_MAX) {
        return usage(error, "--append: %zu bytes are more than a kernel takes; keep it below %d",
                     strlen(value), CONFIG_APPEND_MAX + 1);
    }
    g_free(config->append);
    config->append = g_strdup(value);
    return true;
}

static bool parse_cpus(VmConfig *config, const char *value, GError **error)
{
    uint64_t cpus = 0;

    if (!number_parse(value, "--cpus", 1, CONFIG_CPUS_MAX, &cpus, error)) {
        return false;
    }
    config->cpus = (unsigned)cpus;
    config->said |= CONFIG_SAID_CPUS;
    return true;
}

static bool parse_memory(VmConfig *config, const char *value, GError **error)
{
    uint64_t size = 0;

    if (!size_parse(value, "--memory", &size, error)) {
        return false;
    }
    if (size < CONFIG_MEMORY_MIN || size > CONFIG_MEMORY_MAX) {
        g_autofree char *min = size_format(CONFIG_MEMORY_MIN);
        g_autofree char *max = size_format(CONFIG_MEMORY_MAX);
        return usage(error, "--memory '%s' must be from %s to %s; write a unit, such as 512M",
                     value, min, max);
    }
    if (size % CONFIG_MEMORY_UNIT) {
        return usage(error, "--memory '%s' must be a multiple of 4K", value);
    }
    config->memory = size;
    config->said |= CONFIG_SAID_MEMORY;
    return true;
}

static bool add_disk(VmConfig *config, const char *value,
                     DiskConfig *(*parse)(const char *text, GError **error), GError **error)
{
    if (config->disks->len >= CONFIG_DISKS_MAX) {
        return usage(error, "disk '%s' is one too many: %d is the most", value, CONFIG_DISKS_MAX);
    }
    DiskConfig *disk = parse(value, error);
    if (disk) {
        g_ptr_array_add(config->disks, disk);
    }
    return disk != NULL;
}

static bool parse_disk(VmConfig *config, const char *value, GError **error)
{
    return add_disk(config, value, disk_config_parse, error);
}

static bool parse_cdrom(VmConfig *config, const char *value, GError **error)
{
    return add_disk(config, value, cdrom_config_parse, error);
}

static bool parse_net(VmConfig *config, const char *value, GError **error)
{
    bool none = false;

    if (config->nets->len >= CONFIG_NETS_MAX) {
        return usage(error, "--net '%s' is one too many: %d is the most", value, CONFIG_NETS_MAX);
    }
    NetConfig *net = net_config_parse(value, &none, error);
    if (net) {
        g_ptr_array_add(config->nets, net);
    }
    config->no_net |= none;
    return net || none;
}

static bool parse_forward(VmConfig *config, const char *value, GError **error)
{
    if (config->forwards->len >= CONFIG_FORWARDS_MAX) {
        return usage(error, "--forward '%s' is one too many: %d is the most", value,
                     CONFIG_FORWARDS_MAX);
    }
    ForwardConfig *forward = forward_config_parse(value, error);
    if (forward) {
        g_ptr_array_add(config->forwards, forward);
    }
    return forward != NULL;
}

/* What stands behind @prefix in @value, or NULL. */
static const char *after(const char *value, const char *prefix)
{
    return g_str_has_prefix(value, prefix) ? value + strlen(prefix) : NULL;
}

static bool check_socket(const char *path, const char *option, GError **error)
{
    if (!*path) {
        return usage(error, "%s 'unix:' names no path: write unix:PATH", option);
    }
    if (strlen(path) > CONFIG_SOCKET_MAX) {
        return usage(error, "%s: socket path '%s' is longer than 107 bytes; use a shorter one",
                     option, path);
    }
    return true;
}

static bool parse_stream(SerialConfig *serial, const char *option, const char *value,
                         GError **error)
{
    const char *socket = after(value, "unix:"), *file = after(value, "file:");

    if (!strcmp(value, "stdio")) {
        serial->kind = SERIAL_STDIO;
    } else if (!strcmp(value, "none")) {
        serial->kind = SERIAL_NONE;
    } else if (socket) {
        serial->kind = SERIAL_UNIX;
        return check_socket(socket, option, error) &&
               set_text(&serial->path, option, socket, error);
    } else if (file && *file) {
        serial->kind = SERIAL_FILE;
        return set_text(&serial->path, option, file, error);
    } else {
        return usage(error, "%s '%s' must be stdio, none, unix:PATH or file:PATH", option, value);
    }
    return true;
}

static bool parse_serial(VmConfig *config, const char *value, GError **error)
{
    return parse_stream(&config->serial, "--serial", value, error);
}

static bool parse_console(VmConfig *config, const char *value, GError **error)
{
    return parse_stream(&config->console, "--console", value, error);
}

static bool parse_video(VmConfig *config, const char *value, GError **error)
{
    if (strcmp(value, "vga") && strcmp(value, "virtio")) {
        return usage(error, "--video '%s' must be vga or virtio", value);
    }
    config->virtio_gpu = !strcmp(value, "virtio");
    return true;
}

static bool vnc_password(void *target, const char *value, GError **error)
{
    ScreenConfig *screen = target;

    return set_text(&screen->password_file, "--vnc: password", value, error);
}

static const WordSetting vnc_settings[] = { { "password", "FILE", vnc_password }, { 0 } };

static bool parse_vnc(VmConfig *config, const char *value, GError **error)
{
    ScreenConfig *screen = &config->screen;
    g_autofree char *where = NULL;
    uint64_t number = 0;

    if (!words_parse(value, "--vnc", vnc_settings, screen, &where, error)) {
        return false;
    }
    const char *socket = after(where, "unix:"), *tcp = after(where, "tcp:");
    const char *fd = after(where, "fd:");
    if (socket) {
        screen->kind = SCREEN_UNIX;
        return check_socket(socket, "--vnc", error) &&
               set_text(&screen->path, "--vnc", socket, error);
    }
    if (tcp && number_parse(tcp, "--vnc: port", 1, UINT16_MAX, &number, error)) {
        screen->kind = SCREEN_TCP;
        screen->port = (uint16_t)number;
        return true;
    }
    if (fd && number_parse(fd, "--vnc: fd", 3, INT_MAX, &number, error)) {
        screen->kind = SCREEN_FD;
        screen->fd = (int)number;
        return true;
    }
    return tcp || fd ? false
                     : usage(error, "--vnc '%s' must be unix:PATH, tcp:PORT or fd:N", where);
}

static bool parse_name(VmConfig *config, const char *value, GError **error)
{
    if (!name_valid(value)) {
        return usage(error, "--name '%s' must be " NAME_RULE, value);
    }
    return set_text(&config->name, "--name", value, error);
}

static bool parse_uuid(VmConfig *config, const char *value, GError **error)
{
    uint8_t uuid[UUID_SIZE];

    if (!uuid_parse(value, uuid)) {
        return usage(error,
                     "--uuid '%s' must be like 6c1bd6d2-4c47-4b0b-9d4f-0a1b2c3d4e5f, hexadecimal",
                     value);
    }
    return set_text(&config->uuid, "--uuid", value, error);
}

static bool parse_qmp(VmConfig *config, const char *value, GError **error)
{
    const char *socket = after(value, "unix:"), *passed = after(value, "fd:");
    uint64_t fd = 0;

    if (!socket && !passed) {
        return usage(error, "--qmp '%s' must be unix:PATH or fd:N", value);
    }
    if (passed && !number_parse(passed, "--qmp fd:", 3, CONFIG_FD_MAX, &fd, error)) {
        return false;
    }
    config->qmp.on = true;
    config->qmp.fd = (int)fd;
    return !socket || (check_socket(socket, "--qmp", error) &&
                       set_text(&config->qmp.path, "--qmp", socket, error));
}

static bool parse_paused(VmConfig *config, const char *value, GError **error)
{
    config->paused = true;
    return true;
}

static bool parse_lock(VmConfig *config, const char *value, GError **error)
{
    uint64_t fd = 0;

    if (!number_parse(value, "--lock", 3, CONFIG_FD_MAX, &fd, error)) {
        return false;
    }
    config->lock_fd = (int)fd;
    return true;
}

static bool parse_restore(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->restore, "--restore", value, error);
}

static bool parse_save(VmConfig *config, const char *value, GError **error)
{
    return set_text(&config->save, "--save", value, error);
}

static bool sandbox_net(void *opaque, const char *value, GError **error)
{
    return words_switch(value, "--sandbox: net", &((SandboxConfig *)opaque)->net, error);
}

static const WordSetting sandbox_settings[] = { { "net", "on|off", sandbox_net }, { 0 } };

static bool parse_sandbox(VmConfig *config, const char *value, GError **error)
{
    g_autofree char *word = NULL;

    return words_parse(value, "--sandbox", sandbox_settings, &config->sandbox, &word, error) &&
           words_switch(word, "--sandbox", &config->sandbox.on, error);
}

static bool parse_no_reboot(VmConfig *config, const char *value, GError **error)
{
    config->no_reboot = true;
    return true;
}

static bool parse_watchdog(VmConfig *config, const char *value, GError **error)
{
    static const char *const actions[] = {
        [WATCHDOG_RESET] = "reset",
        [WATCHDOG_POWEROFF] = "poweroff",
        [WATCHDOG_PAUSE] = "pause",
        [WATCHDOG_NONE] = "none",
    };

    for (unsigned i = WATCHDOG_RESET; i < G_N_ELEMENTS(actions); i++) {
        if (!strcmp(actions[i], value)) {
            config->watchdog = (WatchdogAction)i;
            return true;
        }
    }
    return usage(error, "--watchdog '%s' must be reset, poweroff, pause or none", value);
}

static bool parse_verbose(VmConfig *config, const char *value, GError **error)
{
    config->verbose = true;
    return true;
}

static bool parse_log(VmConfig *config, const char *value, GError **error)
{
    uint32_t mask = 0;

    if (!log_parse(value, &mask, error)) {
        g_prefix_error(error, "--log: ");
        return false;
    }
    config->log_mask |= mask;
    return true;
}

static bool parse_code_cache(VmConfig *config, const char *value, GError **error)
{
    uint64_t size = 0;

    if (!size_parse(value, "--code-cache", &size, error)) {
        return false;
    }
    if (size < CONFIG_CODE_CACHE_MIN || size > CONFIG_CODE_CACHE_MAX) {
        g_autofree char *min = size_format(CONFIG_CODE_CACHE_MIN);
        g_autofree char *max = size_format(CONFIG_CODE_CACHE_MAX);
        return usage(error, "--code-cache '%s' must be from %s to %s; write a unit, such as 64M",
                     value, min, max);
    }
    config->code_cache = size;
    return true;
}

static bool parse_check(VmConfig *config, const char *value, GError **error)
{
    config->check = true;
    return !value || number_parse(value, "--check", 1, UINT64_MAX, &config->check_every, error);
}

static bool gdb_wait(void *target, const char *value, GError **error)
{
    GdbConfig *gdb = target;

    return words_switch(value, "--gdb: wait", &gdb->wait, error);
}

static const WordSetting gdb_settings[] = { { "wait", "on|off", gdb_wait }, { 0 } };

static bool parse_gdb(VmConfig *config, const char *value, GError **error)
{
    g_autofree char *where = NULL;
    uint64_t port = 0;

    if (!words_parse(value, "--gdb", gdb_settings, &config->gdb, &where, error)) {
        return false;
    }
    const char *socket = after(where, "unix:"), *tcp = after(where, "tcp:");
    if (socket) {
        config->gdb.kind = GDB_UNIX;
        return check_socket(socket, "--gdb", error) &&
               set_text(&config->gdb.path, "--gdb", socket, error);
    }
    if (!tcp) {
        return usage(error, "--gdb '%s' must be unix:PATH or tcp:PORT", where);
    }
    if (!number_parse(tcp, "--gdb: port", 1, UINT16_MAX, &port, error)) {
        return false;
    }
    config->gdb.kind = GDB_TCP;
    config->gdb.port = (uint16_t)port;
    return true;
}

static const Option table[] = {
    { .name = "machine",
      .form = "NAME",
      .standard = "pc; micro with --kernel",
      .words = "micro pc",
      .help = "kind of computer",
      .detail = "pc is a whole PC, micro starts a kernel at once and has no PCI. "
                "insula-vm --describe lists the machines there are.",
      .parse = parse_machine },
    { .name = "engine",
      .form = "NAME",
      .standard = "auto",
      .words = "auto kvm translator interpreter",
      .help = "what runs the guest's instructions",
      .detail = "auto takes KVM where /dev/kvm is there and fast, else the translator, else the "
                "interpreter. Which one was taken, and why, is said on standard error.",
      .parse = parse_engine },
    { .name = "cpu",
      .form = "MODEL",
      .help = "the CPU that the guest sees",
      .detail = "insula-vm --describe lists the models. The default, max, is the highest level "
                "that is quick on this host. Which one that is, is said on standard error.",
      .parse = parse_cpu },
    { .name = "cpus",
      .form = "N",
      .standard = "1",
      .help = "how many vCPUs, 1 to 64",
      .parse = parse_cpus },
    { .name = "memory",
      .form = "SIZE",
      .standard = "1G; 512M with --kernel",
      .words = "128M 256M 512M 1G 2G 4G",
      .help = "RAM, such as 2G",
      .detail = "A number and K, M, G or T. Units are powers of 1024; 1GiB is the same as 1G.",
      .parse = parse_memory },
    { .name = "firmware",
      .form = "bios|uefi|none|FILE[,vars=FILE]",
      .standard = "bios; none with --kernel",
      .words = "bios uefi none <file>",
      .help = "what a pc starts",
      .detail =
          "bios is SeaBIOS, uefi is OVMF, as the host's packages bring them; none starts the "
          "kernel directly. vars names the file that keeps the machine's UEFI variables; it is "
          "made when it is missing. Without it they are forgotten when the machine ends.",
      .parse = parse_firmware },
    { .name = "kernel",
      .form = "FILE",
      .words = "<file>",
      .help = "the kernel to start: bzImage or ELF (PVH)",
      .parse = parse_kernel },
    { .name = "initrd",
      .form = "FILE",
      .words = "<file>",
      .help = "the kernel's initial file system",
      .parse = parse_initrd },
    { .name = "append",
      .form = "TEXT",
      .help = "the kernel's command line",
      .parse = parse_append },
    { .name = "disk",
      .form = "FILE[,format=qcow2][,readonly=on]",
      .words = "<file>",
      .help = "a disk, in the order of the guest's names",
      .detail = "Firmware boots from disks and then networks, in the order given; with boot=N, "
                "which networks take too, from the lowest N first. "
                "May be given up to 24 times. The format is never guessed: the name's end tells it "
                "(.raw, .img, .iso, .qcow2), or format does. "
                "With readonly=on the guest can't write, and the file need not be writable. "
                "cache is writeback (the default: the host's cache, durable when flushed), none "
                "(past that cache), writethrough or directsync (the same, durable when written), "
                "or unsafe (flushes do nothing). What the guest discards is given back to the "
                "host, but with discard=off. With detect-zeroes=on, zeros take no writing; with "
                "unmap no room either. rerror and werror say what becomes of a read or write that "
                "the host can't do: report it to the guest (the default of rerror), ignore it, "
                "stop (the machine is paused; when it goes on, it is tried again), or enospc (stop "
                "if the host has no room, else report; the default of werror). "
                "bus=sata, on a pc, is for systems without virtio: up to 6, CD-ROMs included. "
                "queues is how many the guest may fill at the same time: 1 to 8, by default one "
                "per CPU. A comma in the file's name is written twice.",
      .repeats = true,
      .parse = parse_disk },
    { .name = "cdrom",
      .form = "FILE|none[,boot=N]",
      .words = "none <file>",
      .help = "a pc's CD-ROM drive with that disc in it",
      .detail =
          "none: with nothing in it. It is booted from as a disk is, in its turn. Takes format=, "
          "rerror= and boot= as --disk does. A word without an option that ends in .iso is the "
          "same. The disc can be changed by --qmp: blockdev-change-medium, eject.",
      .repeats = true,
      .parse = parse_cdrom },
    { .name = "net",
      .form = "user|tap,fd=N|none",
      .standard = "user",
      .words = "user tap,fd= none",
      .help = "a network, and what stands behind it",
      .detail =
          "user: the guest is behind the host as behind a router, with DHCP, names and IPv6, "
          "and needs no rights there (see insula-net); host=on lets it reach the host's loopback "
          "interface at 10.0.2.2, ipv6=off leaves it IPv4 alone. tap: a tap device that is open as "
          "descriptor N. none: no network. Both take mac=, mtu=N, queues=N and boot=N; "
          "model=e1000e, on a pc, is an Intel card for systems without virtio. May be "
          "given up to 6 times.",
      .repeats = true,
      .parse = parse_net },
    { .name = "forward",
      .letter = "p",
      .form = "[ADDRESS:]PORT:[ADDRESS:]PORT[/udp]",
      .help = "a port of the host's leads into the guest",
      .detail = "Such as 8022:22: who connects to port 8022 of the host comes to port 22 of the "
                "guest. Without an address the host's is 127.0.0.1, which only this host reaches; "
                "0.0.0.0 lets others in. IPv6 addresses stand in brackets: [::1]:8022:22.",
      .repeats = true,
      .parse = parse_forward },
    { .name = "serial",
      .form = "stdio|none|unix:PATH|file:PATH",
      .standard = "stdio",
      .words = "stdio none unix: file:",
      .help = "where the serial port goes",
      .detail = "stdio: standard input and output; see TERMINAL. unix: a socket that one client "
                "at a time may connect to; what the guest wrote last before that is shown to it. "
                "file: a file that is made anew; there is no input. When the reader is slow the "
                "guest's port is busy; after 2 s without any progress the oldest output is "
                "dropped, and how much is said on standard error.",
      .parse = parse_serial },
    { .name = "console",
      .form = "stdio|none|unix:PATH|file:PATH",
      .standard = "none",
      .words = "stdio none unix: file:",
      .help = "a virtio console, and where it goes",
      .detail = "As --serial; none: the machine has no such device.",
      .parse = parse_console },
    { .name = "video",
      .form = "vga|virtio",
      .standard = "vga",
      .words = "vga virtio",
      .help = "what machine pc draws its screen with",
      .detail = "vga is what any system knows. virtio is virtio-gpu, which takes the size that a "
                "viewer wants; firmware bios shows nothing on it, and the guest needs a driver.",
      .parse = parse_video },
    { .name = "vnc",
      .form = "unix:PATH|tcp:PORT|fd:N[,password=FILE]",
      .words = "unix: tcp: fd:",
      .help = "show the screen of machine pc to VNC viewers",
      .detail = "tcp is on the loopback address only; prefer a socket, which other users can't "
                "reach. fd is a socket that is open as descriptor N: it listens, or a viewer is at "
                "its other end. password names a file; viewers must know its first line, of which "
                "VNC takes 8 bytes at most. Up to 32 viewers see the same screen. Without this "
                "option nobody does.",
      .parse = parse_vnc },
    { .name = "name",
      .form = "NAME",
      .help = "name of the machine, for people and process lists",
      .parse = parse_name },
    { .name = "uuid",
      .form = "UUID",
      .help = "UUID that a pc's guest reads",
      .detail = "Without it, it is made of the name.",
      .parse = parse_uuid },
    { .name = "watchdog",
      .form = "ACTION",
      .words = "reset poweroff pause none",
      .help = "a pc's watchdog, and what it does: reset, ...",
      .detail =
          "The machine gets a watchdog, Intel's 6300ESB. When the guest has started it and is "
          "then not heard of in time, the machine is reset, powered off or paused; none only "
          "says so.",
      .parse = parse_watchdog },
    { .name = "verbose",
      .letter = "v",
      .help = "say what was chosen where nothing was said",
      .parse = parse_verbose },
    { .name = "save",
      .form = "FILE",
      .words = "<file>",
      .help = "SIGUSR1 saves the machine there, and ends it",
      .detail =
          "The file holds memory, devices and clock, but no disks: keep those as they are for "
          "--restore. It is replaced only when all of it is written.",
      .parse = parse_save },
    { .name = "restore",
      .form = "FILE|defer",
      .words = "<file> defer",
      .help = "go on with the machine that was saved in FILE",
      .detail = "Machine, CPU model, number of CPUs and memory are the file's; disks, networks and "
                "the rest are named again as when the machine was started. A kernel need not be: "
                "without one the guest can't reset. Memory is mapped from the file, which takes "
                "milliseconds: several machines may go on from one file, which must stay as it is "
                "as long as they run. Connections of a user network are lost; the guest sees its "
                "link go down and up. With defer the machine is built from the other options and "
                "waits for migrate-incoming on the control socket (--qmp); what was plugged in "
                "when it was saved has to be plugged in again before.",
      .parse = parse_restore },
    { .name = "sandbox",
      .form = "on[,net=on]|off",
      .standard = "on",
      .words = "on off",
      .help = "lock the process in before the guest runs",
      .detail = "It then has the files that are open, its memory, and the system calls that its "
                "threads need: no other files, no network but its own, no other processes, no "
                "privileges. A process outside of it, its keeper, passes signals on and removes "
                "sockets' names. Clients of --qmp name files by descriptor (add-fd, /dev/fdset/N). "
                "With --net none they can plug in user networks only if net=on. Walls that the "
                "host lacks are named on standard error.",
      .parse = parse_sandbox },
    { .name = "no-reboot",
      .help = "end when the guest resets the machine",
      .parse = parse_no_reboot },
    { .name = "qmp",
      .form = "unix:PATH|fd:N",
      .words = "unix: fd:",
      .help = "a control socket, which speaks QEMU's QMP",
      .detail = "unix: a socket that up to 4 clients at a time may connect to; only its owner can. "
                "fd: a socket that is open as descriptor N: one that listens, or a client's.",
      .parse = parse_qmp },
    { .name = "lock",
      .form = "N",
      .help = "keep descriptor N open, and its lock, to the end",
      .detail = "For a manager: a lock (flock) on the file that is open as descriptor N is held as "
                "long as the machine lives, and by nobody else that it starts.",
      .parse = parse_lock },
    { .name = "paused",
      .letter = "S",
      .help = "start paused, until a client of --qmp says cont",
      .parse = parse_paused },
    { .name = "log",
      .form = "LIST",
      .words = "all exec code ir int irq mmu io cpu boot virtio device guest kvm gdb firmware",
      .help = "what to log on standard error: exec,irq,... or all",
      .repeats = true,
      .parse = parse_log },
    { .name = "gdb",
      .form = "unix:PATH|tcp:PORT[,wait=off]",
      .words = "unix: tcp:",
      .help = "wait for gdb before the first instruction",
      .detail = "The port is open on the loopback address only; prefer a socket, which other "
                "users can't reach. With wait=off the machine runs, and gdb may connect at any "
                "time.",
      .parse = parse_gdb },
    { .name = "code-cache",
      .form = "SIZE",
      .standard = "128M",
      .words = "32M 64M 128M 256M 512M",
      .help = "how much translated code is kept at most",
      .detail = "The translator begins with 36M, throws all code away when that is full, and takes "
                "more, up to this, only when what it threw away is needed again. Its records take "
                "about a third of that on top. From 1M to 1G; KVM needs none.",
      .parse = parse_code_cache },
    { .name = "check",
      .form = "[=N]",
      .help = "have a second back end check the translator",
      .detail = "Each new block of guest code runs in the interpreter first and then, without any "
                "effect, as code of this host; with N, each Nth execution does, too. What differs "
                "is said on standard error, and ends the machine with status 5.",
      .parse = parse_check },
    { .name = "describe",
      .help = "print machines, devices, CPUs and engines as JSON",
      .action = ACTION_DESCRIBE },
    { .name = "version", .help = "print the version", .action = ACTION_VERSION },
    { .name = "help", .letter = "h", .help = "print this", .action = ACTION_HELP },
    { .name = "help-options",
      .help = "print the table of options for tools",
      .hidden = true,
      .action = ACTION_HELP_OPTIONS },
    { 0 },
};
_Static_assert(G_N_ELEMENTS(table) <= OPTIONS_MAX, "the set of options seen is one 64-bit word");

const Option *options_table(void)
{
    return table;
}

static bool unknown(const char *name, GError **error)
{
    const char *known[OPTIONS_MAX] = { NULL };
    unsigned n = 0;

    for (const Option *option = table; option->name; option++) {
        if (!option->hidden) {
            known[n++] = option->name;
        }
    }
    const char *near = suggest(name, known);
    if (near) {
        set_error_code(error, INSULA_ERROR_USAGE, "unknown option '--%s'; did you mean '--%s'?",
                       name, near);
    } else {
        set_error_code(error, INSULA_ERROR_USAGE, "unknown option '--%s'; --help lists them all",
                       name);
    }
    return false;
}

/* Its value may be left out; if it is there it stands behind an equals sign. */
static bool optional(const Option *option)
{
    return option->form && g_str_has_prefix(option->form, "[=");
}

/* The row of option @name (without dashes), or NULL. */
static const Option *find(const char *name)
{
    for (const Option *option = table; option->name; option++) {
        if (!strcmp(option->name, name)) {
            return option;
        }
    }
    return NULL;
}

/* The row of the option whose letter @word is, behind one dash, or NULL. */
static const Option *find_letter(const char *word)
{
    for (const Option *option = table; option->name && word[0] == '-'; option++) {
        if (option->letter && !strcmp(option->letter, word + 1)) {
            return option;
        }
    }
    return NULL;
}

/* A word that starts with one dash, or is nothing but dashes. */
static bool stray(const char *word, GError **error)
{
    const char *bare = word + strspn(word, "-");

    if (find(bare)) {
        return usage(error, "unknown word '%s'; did you mean '--%s'?", word, bare);
    }
    return usage(error, "unknown word '%s': options start with two dashes; --help lists them",
                 word);
}

/* The option that @word names, and the value if it stands behind an equals sign. */
static const Option *split(const char *word, const char **ret_value, GError **error)
{
    const Option *by_letter = find_letter(word);
    if (by_letter) {
        return by_letter;
    }
    if (!g_str_has_prefix(word, "--") || !word[2]) {
        stray(word, error);
        return NULL;
    }
    const char *equals = strchr(word, '=');
    g_autofree char *name =
        equals ? g_strndup(word + 2, (gsize)(equals - word - 2)) : g_strdup(word + 2);
    const Option *option = find(name);
    if (!option) {
        unknown(name, error);
        return NULL;
    }
    if (equals && !option->form) {
        usage(error, "option '--%s' takes no value; drop '=%s'", name, equals + 1);
        return NULL;
    }
    *ret_value = equals ? equals + 1 : NULL;
    return option;
}

bool options_parse(const char *const *words, VmConfig *config, OptionAction *ret_action,
                   GError **error)
{
    uint64_t seen = 0;

    for (unsigned i = 0; words[i]; i++) {
        const char *value = NULL;

        if (words[i][0] != '-') {
            if (!add_disk(config, words[i], image_config_parse, error)) {
                return false;
            }
            continue;
        }
        const Option *option = split(words[i], &value, error);
        if (!option) {
            return false;
        }
        if (option->action != ACTION_RUN) {
            *ret_action = option->action;
            return true;
        }
        uint64_t bit = UINT64_C(1) << (option - table);
        if ((seen & bit) && !option->repeats) {
            return usage(error, "option '--%s' is given twice; keep one", option->name);
        }
        seen |= bit;
        bool needs_value = option->form && !optional(option);
        if (needs_value && !value) {
            value = words[i + 1] ? words[++i] : NULL;
        }
        if (needs_value && !value) {
            return usage(error, "option '--%s' needs a value: %s", option->name, option->form);
        }
        if (!option->parse(config, value, error)) {
            return false;
        }
    }
    *ret_action = ACTION_RUN;
    return true;
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

static void help_line(GString *text, const Option *option)
{
    gsize start = text->len;

    g_string_append_printf(text, "  %s%s%s--%s%s%s", option->letter ? "-" : "",
                           or_nothing(option->letter), option->letter ? ", " : "", option->name,
                           option->form && !optional(option) ? " " : "",
                           option->form ? option->form : "");
    if (text->len - start > HELP_COLUMN - 2) {
        g_string_append_printf(text, "\n%*s", HELP_COLUMN, "");
    } else {
        g_string_append_printf(text, "%*s", (int)(HELP_COLUMN - (text->len - start)), "");
    }
    g_string_append(text, option->help);
    if (option->standard) {
        g_string_append_printf(text, " (%s)", option->standard);
    }
    g_string_append_c(text, '\n');
}

char *options_help(const char *program)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text,
                           "Usage: %s [OPTION]... [DISK]...\n"
                           "Run a virtual machine in the foreground.  A DISK is the same as --disk "
                           "DISK,\nor as --cdrom DISK if it is called *.iso.\n\n",
                           program);
    for (const Option *option = table; option->name; option++) {
        if (!option->hidden) {
            help_line(text, option);
        }
    }
    g_string_append(
        text, "\nIn the terminal, Ctrl-A h lists the keys that aren't the guest's; Ctrl-A x ends.\n"
              "Exit status: 0 the guest powered off; 1 an error; 2 wrong usage; 3 the guest\n"
              "crashed (triple fault); 4 the host or KVM refused; 5 --check found a\n"
              "difference; 16 + n test-exit port.\n");
    return g_string_free(text, FALSE);
}

char *options_dump(void)
{
    GString *text = g_string_new(NULL);

    for (const Option *option = table; option->name; option++) {
        if (!option->hidden) {
            g_string_append_printf(text, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", option->name,
                                   or_nothing(option->form), or_nothing(option->standard),
                                   or_nothing(option->words), option->repeats ? "repeats" : "",
                                   option->help, or_nothing(option->detail),
                                   or_nothing(option->letter));
        }
    }
    return g_string_free(text, FALSE);
}
