/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a domain's configuration to the words of insula-vm's command line, see domain_words.h.
 */
#include "manager/domain_words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "config/domain_machine.h"
#include "config/identity.h"

enum { VNC_PORT_FIRST = 5900, VNC_PORT_LAST = 65535 };

static void add(GPtrArray *words, const char *option, const char *value)
{
    g_ptr_array_add(words, g_strdup(option));
    if (value) {
        g_ptr_array_add(words, g_strdup(value));
    }
}

G_GNUC_PRINTF(3, 4)
static void add_format(GPtrArray *words, const char *option, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(words, g_strdup(option));
    g_ptr_array_add(words, g_strdup_vprintf(format, args));
    va_end(args);
}

/* ---- the boot order ---- */

/* The place of a device of kind @dev, number @index among its kind; 0: not said. */
static int64_t boot_place(const DomainConfig *config, const DomainDevice *device, DomainBootDev dev,
                          unsigned index)
{
    if (device->boot && device->boot->order.said) {
        return device->boot->order.value;
    }
    for (unsigned i = 0; i < config->os->boot->len; i++) {
        const DomainBoot *boot = config->os->boot->pdata[i];
        if (boot->dev == dev) {
            return (int64_t)MIN(1 + i * 32 + index, 99U); /* all of one kind, then the next kind */
        }
    }
    return 0;
}

static unsigned index_of_kind(const DomainConfig *config, unsigned disk)
{
    const DomainDisk *self = config->disks->pdata[disk];
    unsigned n = 0;

    for (unsigned i = 0; i < disk; i++) {
        n += ((const DomainDisk *)config->disks->pdata[i])->kind == self->kind;
    }
    return n;
}

/* ---- disks ---- */

static const char *const caches[] = {
    [DOMAIN_DISK_CACHE_NONE] = "none",           [DOMAIN_DISK_CACHE_WRITETHROUGH] = "writethrough",
    [DOMAIN_DISK_CACHE_WRITEBACK] = "writeback", [DOMAIN_DISK_CACHE_DIRECTSYNC] = "directsync",
    [DOMAIN_DISK_CACHE_UNSAFE] = "unsafe",
};
static const char *const discards[] = {
    [DOMAIN_DISK_DISCARD_UNMAP] = "on",
    [DOMAIN_DISK_DISCARD_IGNORE] = "off",
};
static const char *const zeroes[] = {
    [DOMAIN_DISK_ZEROES_OFF] = "off",
    [DOMAIN_DISK_ZEROES_ON] = "on",
    [DOMAIN_DISK_ZEROES_UNMAP] = "unmap",
};
static const char *const faults[] = {
    [DOMAIN_DISK_ERROR_STOP] = "stop",
    [DOMAIN_DISK_ERROR_REPORT] = "report",
    [DOMAIN_DISK_ERROR_IGNORE] = "ignore",
    [DOMAIN_DISK_ERROR_ENOSPACE] = "enospc",
};

static void setting(GString *word, const char *name, const char *value)
{
    if (value) {
        g_string_append_printf(word, ",%s=%s", name, value);
    }
}

static void setting_number(GString *word, const char *name, int64_t value)
{
    if (value > 0) {
        g_string_append_printf(word, ",%s=%" G_GINT64_FORMAT, name, value);
    }
}

/* @path, in which a comma is written twice. */
static GString *quoted(const char *path)
{
    GString *word = g_string_new(path);

    g_string_replace(word, ",", ",,", 0);
    return word;
}

/* What only a hard disk has. */
static void add_driver(GString *word, const DomainDisk *disk)
{
    const DomainDiskDriver *driver = disk->driver;

    setting(word, "readonly", disk->readonly ? "on" : NULL);
    setting(word, "bus", disk->target->bus == DOMAIN_DISK_BUS_SATA ? "sata" : NULL);
    if (driver) {
        setting(word, "cache", caches[driver->cache]);
        setting(word, "discard", discards[driver->discard]);
        setting(word, "detect-zeroes", zeroes[driver->detect_zeroes]);
        setting(word, "werror", faults[driver->error_policy]);
        setting_number(word, "queues", driver->queues.said ? driver->queues.value : 0);
    }
}

static bool add_disk(GPtrArray *words, const DomainConfig *config, unsigned index, GError **error)
{
    const DomainDisk *disk = config->disks->pdata[index];
    const DomainDiskDriver *driver = disk->driver;
    bool cdrom = disk->kind == DOMAIN_DISK_KIND_CDROM;
    const char *file = disk->source ? disk->source->file : NULL;

    if (!file && !(cdrom && !disk->source)) {
        set_error(error, "disk '%s' names no file", disk->target->dev);
        return false;
    }
    g_autoptr(GString) word = quoted(file ? file : "none");
    if (file) {
        setting(word, "format", driver && driver->type ? driver->type : "raw");
    }
    if (driver) {
        DomainDiskError fault =
            driver->rerror_policy ? driver->rerror_policy : driver->error_policy;
        setting(word, "rerror", faults[fault]);
    }
    setting_number(word, "boot",
                   boot_place(config, &disk->device, cdrom ? DOMAIN_BOOT_CDROM : DOMAIN_BOOT_HD,
                              index_of_kind(config, index)));
    if (!cdrom) {
        add_driver(word, disk);
    }
    add(words, cdrom ? "--cdrom" : "--disk", word->str);
    return true;
}

/* ---- networks ---- */

static void add_interface(GPtrArray *words, const DomainConfig *config, unsigned index)
{
    const DomainInterface *card = config->interfaces->pdata[index];
    g_autofree char *mac = mac_format(card->mac->address.bytes);
    g_autoptr(GString) word = g_string_new("user");

    setting(word, "mac", mac);
    setting(word, "model", card->model && card->model->type == DOMAIN_NIC_E1000E ? "e1000e" : NULL);
    setting_number(word, "mtu", card->mtu ? card->mtu->size.value : 0);
    setting_number(word, "queues", card->driver ? card->driver->queues.value : 0);
    setting_number(word, "boot", boot_place(config, &card->device, DOMAIN_BOOT_NETWORK, index));
    add(words, "--net", word->str);
}

static void add_range(GPtrArray *words, const DomainPortForward *forward,
                      const DomainPortRange *range)
{
    int64_t last = range->end.said ? range->end.value : range->start.value;
    int64_t to = range->to.said ? range->to.value : range->start.value;
    const char *address = forward->address ? forward->address : "0.0.0.0";
    bool ipv6 = strchr(address, ':') != NULL;

    for (int64_t port = range->start.value; port <= last; port++, to++) {
        add_format(words, "--forward", "%s%s%s:%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT "%s",
                   ipv6 ? "[" : "", address, ipv6 ? "]" : "", port, to,
                   forward->protocol == DOMAIN_UDP ? "/udp" : "");
    }
}

static bool add_forwards(GPtrArray *words, const DomainConfig *config, GError **error)
{
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        const DomainInterface *card = config->interfaces->pdata[i];

        if (card->forwards->len && i > 0) {
            set_error(error, "interface %u has a portForward: only the first interface can", i + 1);
            return false;
        }
        for (unsigned k = 0; k < card->forwards->len; k++) {
            const DomainPortForward *forward = card->forwards->pdata[k];
            for (unsigned r = 0; r < forward->ranges->len; r++) {
                add_range(words, forward, forward->ranges->pdata[r]);
            }
        }
    }
    return true;
}

/* ---- character devices ---- */

static bool add_stream(GPtrArray *words, const char *option, const DomainChar *device,
                       const char *socket, GError **error)
{
    const char *path = device->source ? device->source->path : NULL;

    switch (device->type) {
    case DOMAIN_CHAR_UNSAID:
    case DOMAIN_CHAR_PTY:
        add_format(words, option, "unix:%s", socket);
        return true;
    case DOMAIN_CHAR_NULL:
        add(words, option, "none");
        return true;
    case DOMAIN_CHAR_UNIX:
        if (path && device->source->mode != DOMAIN_CHAR_CONNECT) {
            add_format(words, option, "unix:%s", path);
            return true;
        }
        break;
    case DOMAIN_CHAR_FILE:
        if (path) {
            add_format(words, option, "file:%s", path);
            return true;
        }
        break;
    case DOMAIN_CHAR_SPICEVMC:
        break;
    }
    set_error(error, "a serial port or console must be a pty, a file, null, or a unix socket on "
                     "which the virtual machine listens");
    return false;
}

static bool add_streams(GPtrArray *words, const DomainConfig *config, const DomainWords *extra,
                        GError **error)
{
    const DomainChar *serial = config->serials->len ? config->serials->pdata[0] : NULL;

    if (!serial) {
        add(words, "--serial", "none");
    } else if (!add_stream(words, "--serial", serial, extra->serial, error)) {
        return false;
    }
    for (unsigned i = 0; i < config->consoles->len; i++) {
        const DomainChar *console = config->consoles->pdata[i];
        if (console->target && !g_strcmp0(console->target->type, "virtio")) {
            return add_stream(words, "--console", console, extra->console, error);
        }
    }
    return true;
}

/* ---- the machine ---- */

/* A whole PC begins with its BIOS, also where there is no disk to go on from. */
static void add_firmware(GPtrArray *words, const DomainOs *os, bool whole)
{
    const char *vars = os->nvram ? os->nvram->path : NULL;
    bool efi = os->firmware == DOMAIN_FIRMWARE_EFI ||
               (os->loader && os->loader->type == DOMAIN_LOADER_PFLASH);

    if (efi) {
        g_autoptr(GString) quoted_vars = vars ? quoted(vars) : NULL;
        add_format(words, "--firmware", "uefi%s%s", vars ? ",vars=" : "",
                   vars ? quoted_vars->str : "");
    } else if (os->loader && os->loader->path) {
        g_autoptr(GString) path = quoted(os->loader->path);
        add(words, "--firmware", path->str);
    } else if (whole && !os->kernel) {
        add(words, "--firmware", "bios");
    }
    if (os->kernel) {
        add(words, "--kernel", os->kernel);
    }
    if (os->initrd) {
        add(words, "--initrd", os->initrd);
    }
    if (os->cmdline) {
        add(words, "--append", os->cmdline);
    }
}

static const char *const watchdogs[] = {
    [DOMAIN_WATCHDOG_ACTION_UNSAID] = "reset", [DOMAIN_WATCHDOG_RESET] = "reset",
    [DOMAIN_WATCHDOG_POWEROFF] = "poweroff",   [DOMAIN_WATCHDOG_PAUSE] = "pause",
    [DOMAIN_WATCHDOG_NONE] = "none",           [DOMAIN_WATCHDOG_SHUTDOWN] = "poweroff",
};

static void add_machine(GPtrArray *words, const DomainConfig *config)
{
    const DomainMachine *machine = domain_machine_find(config->os->type->machine);
    g_autofree char *uuid = uuid_format(config->uuid.bytes);

    add(words, "--name", config->name);
    add(words, "--uuid", uuid);
    add(words, "--machine", machine ? machine->board : "pc");
    add(words, "--engine", config->type == DOMAIN_TYPE_KVM ? "kvm" : "translator");
    if (config->cpu && config->cpu->mode == DOMAIN_CPU_CUSTOM && config->cpu->model) {
        add(words, "--cpu", config->cpu->model->name);
    }
    add_format(words, "--cpus", "%" G_GINT64_FORMAT,
               config->vcpu->current.said ? config->vcpu->current.value
                                          : config->vcpu->count.value);
    add_format(words, "--memory", "%" G_GUINT64_FORMAT "K", config->memory / 1024);
    add_firmware(words, config->os, !machine || !strcmp(machine->board, "pc"));
    if (config->on_reboot == DOMAIN_ACTION_DESTROY) {
        add(words, "--no-reboot", NULL);
    }
    if (config->watchdogs->len) {
        const DomainWatchdog *watchdog = config->watchdogs->pdata[0];
        add(words, "--watchdog", watchdogs[watchdog->action]);
    }
}

static const DomainGraphics *graphics_of(const DomainConfig *config)
{
    return config->graphics->len ? config->graphics->pdata[0] : NULL;
}

/* The path of the socket that viewers come by; NULL: there is none. */
static const char *viewers_path(const DomainGraphics *graphics)
{
    const DomainListen *listen = graphics->listens->len ? graphics->listens->pdata[0] : NULL;

    return graphics->socket                                 ? graphics->socket
           : listen && listen->type == DOMAIN_LISTEN_SOCKET ? listen->socket
                                                            : NULL;
}

static void add_screen(GPtrArray *words, const DomainConfig *config, const DomainWords *extra)
{
    const DomainVideo *video = config->videos->len ? config->videos->pdata[0] : NULL;
    const DomainGraphics *graphics = graphics_of(config);
    const char *path = graphics ? viewers_path(graphics) : NULL;
    g_autoptr(GString) password = extra->password ? quoted(extra->password) : NULL;

    if (video && video->model && video->model->type == DOMAIN_VIDEO_VIRTIO) {
        add(words, "--video", "virtio");
    }
    if (path || extra->viewers) {
        g_autoptr(GString) where = quoted(path ? path : "");
        add_format(words, "--vnc", "%s%s%s%s", path ? "unix:" : "fd:5", where->str,
                   password ? ",password=" : "", password ? password->str : "");
    }
}

/* Whether a device is on the command line. */
static bool is_there(const DomainWords *extra, const DomainDevice *device)
{
    const char *alias = device->alias ? device->alias->name : NULL;

    return !extra->later || !alias || !g_strv_contains((const char *const *)extra->later, alias);
}

GStrv domain_words(const DomainConfig *config, const DomainWords *extra, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    add_machine(words, config);
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DomainDisk *disk = config->disks->pdata[i];
        if (is_there(extra, &disk->device) && !add_disk(words, config, i, error)) {
            return NULL;
        }
    }
    for (unsigned i = 0; i < config->interfaces->len; i++) {
        const DomainInterface *card = config->interfaces->pdata[i];
        if (is_there(extra, &card->device)) {
            add_interface(words, config, i);
        }
    }
    if (!config->interfaces->len) {
        add(words, "--net", "none");
    }
    add(words, "--sandbox", "on,net=on"); /* an interface may be plugged in */
    if (!add_forwards(words, config, error) || !add_streams(words, config, extra, error)) {
        return NULL;
    }
    add_screen(words, config, extra);
    if (extra->waits) {
        add(words, "--restore", "defer");
    }
    add(words, "--paused", NULL);
    g_ptr_array_add(words, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* ---- the socket for viewers ---- */

/* Listen at @port of @address; -1 and errno. */
static int listen_at(const char *address, unsigned port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;

    if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *where = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd >= 0 && (bind(fd, where, is_v6 ? sizeof(v6) : sizeof(v4)) || listen(fd, 16))) {
        int err = errno;
        close(fd);
        errno = err;
        fd = -1;
    }
    return fd;
}

bool domain_words_viewers(DomainConfig *config, int *ret_fd, GError **error)
{
    DomainGraphics *graphics = config->graphics->len ? config->graphics->pdata[0] : NULL;

    *ret_fd = -1;
    if (!graphics || viewers_path(graphics)) {
        return true;
    }
    const DomainListen *listen = graphics->listens->len ? graphics->listens->pdata[0] : NULL;
    const char *address = listen && listen->address ? listen->address
                          : graphics->listen        ? graphics->listen
                                                    : "127.0.0.1";
    bool any = graphics->autoport == SWITCH_ON || !graphics->port.said || graphics->port.value <= 0;
    unsigned first = any ? VNC_PORT_FIRST : (unsigned)graphics->port.value;
    unsigned last = any ? VNC_PORT_LAST : first, port = first;
    int fd = listen_at(address, port);
    while (fd < 0 && errno == EADDRINUSE && port < last) {
        fd = listen_at(address, ++port);
    }
    if (fd < 0) {
        set_error_errno(error, errno, "cannot listen for VNC viewers at %s, port %u", address,
                        port);
        return false;
    }
    graphics->port = (XmlNumber){ .said = true, .value = port };
    if (!graphics->listen) {
        graphics->listen = g_strdup(address);
    }
    *ret_fd = fd;
    return true;
}

/* ---- names ---- */

char *domain_words_disk(const DomainConfig *config, unsigned index)
{
    const DomainDisk *disk = config->disks->pdata[index];

    return g_strdup_printf(disk->kind == DOMAIN_DISK_KIND_CDROM ? "cd%u" : "disk%u", index);
}

char *domain_words_interface(unsigned index)
{
    return g_strdup_printf("net%u", index);
}
