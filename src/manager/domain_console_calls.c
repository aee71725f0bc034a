/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that look at a domain's screen and talk to its ports: consoles, screenshots, viewers, keys.
 *
 * Threads: workers, and the streams' own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager/domain_devices.h"
#include "manager/domain_find.h"
#include "manager/keycodes.h"
#include "manager/process.h"

enum { CHUNK = 65536 };

static Domain *running(const Call *call, const void *args, GError **error)
{
    Domain *domain = call_domain(call, args, error);

    if (domain && !domain_is_active(domain)) {
        remote_error_set(error, REMOTE_ERR_OPERATION_INVALID,
                         "Requested operation is not valid: domain is not running");
        g_clear_pointer(&domain, domain_unref);
    }
    return domain;
}

/* A descriptor that a stream works on. */
static void *wrap_fd(int fd)
{
    return GINT_TO_POINTER(fd);
}

static void close_fd(void *opaque)
{
    close(GPOINTER_TO_INT(opaque));
}

/* ---- consoles ---- */

static bool relay(Stream *stream, void *opaque, GError **error)
{
    return stream_relay(stream, GPOINTER_TO_INT(opaque), error);
}

static const StreamOps relaying = { relay, close_fd };

static bool is_meant(const DomainChar *device, const char *name)
{
    return !name || !strcmp(domain_alias(&device->device), name);
}

/* The socket of the port or console that clients call @name (NULL: the first).  Newly allocated. */
static char *console_socket(Domain *domain, const char *name, GError **error)
{
    const DomainChar *found = NULL;
    bool virtio = false;
    char *path = NULL;

    g_mutex_lock(&domain->mutex);
    const DomainConfig *live = domain->live;
    if (live && live->serials->len && is_meant(live->serials->pdata[0], name)) {
        found = live->serials->pdata[0];
    }
    for (unsigned i = 0; live && !found && i < live->consoles->len; i++) {
        const DomainChar *console = live->consoles->pdata[i];
        virtio = console->target && !g_strcmp0(console->target->type, "virtio");
        found = is_meant(console, name) && (virtio || live->serials->len) ? console : NULL;
    }
    if (found && (found->type == DOMAIN_CHAR_PTY || found->type == DOMAIN_CHAR_UNSAID)) {
        path = domain_path_live(domain, virtio ? ".console" : ".serial");
    } else if (found && found->type == DOMAIN_CHAR_UNIX && found->source) {
        path = g_strdup(found->source->path);
    }
    g_mutex_unlock(&domain->mutex);
    if (!path) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         found ? "invalid argument: character device %s is not using a PTY"
                               : "invalid argument: cannot find character device %s",
                         name ? name : "(null)");
    }
    return path;
}

static bool open_console(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainOpenConsoleArgs *in = args;
    g_autoptr(Domain) domain = running(call, args, error);
    enum { FORCE = 1, SAFE = 2 };
    g_autofree char *path =
        domain && call_flags(in->flags, FORCE | SAFE, error)
            ? console_socket(domain, in->dev_name && *in->dev_name ? in->dev_name : NULL, error)
            : NULL;
    int fd = path ? process_connect(path, error) : -1;

    return fd >= 0 && call_stream(call, &relaying, wrap_fd(fd), error) != NULL;
}

/* ---- screenshots ---- */

static bool send_file(Stream *stream, void *opaque, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(CHUNK);
    ssize_t n;
    off_t at = 0;

    while ((n = pread(GPOINTER_TO_INT(opaque), buffer, CHUNK, at)) > 0) {
        if (!stream_write(stream, buffer, (size_t)n)) {
            return true;
        }
        at += n;
    }
    return true;
}

static const StreamOps sending = { send_file, close_fd };

/* Have the VM draw its screen into @fd. */
static bool draw(Domain *domain, int fd, GError **error)
{
    g_autoptr(Monitor) monitor = domain_monitor(domain, error);
    g_autoptr(JsonNode) node =
        monitor ? monitor_command(monitor, "add-fd", NULL, fd, MONITOR_COMMAND_MS, error) : NULL;
    int64_t set = node && JSON_NODE_HOLDS_OBJECT(node)
                      ? monitor_number(json_node_get_object(node), "fdset-id", -1)
                      : -1;

    if (!node) {
        return false;
    }
    JsonObject *args = json_object_new(), *forget = json_object_new();
    g_autofree char *name = g_strdup_printf("/dev/fdset/%" G_GINT64_FORMAT, set);
    json_object_set_string_member(args, "filename", name);
    json_object_set_string_member(args, "format", "png");
    json_object_set_int_member(forget, "fdset-id", set);
    bool good = domain_do(domain, "screendump", args, error);
    domain_do(domain, "remove-fd", forget, NULL);
    return good;
}

static bool screenshot(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainScreenshotArgs *in = args;
    g_autoptr(Domain) domain = running(call, args, error);

    if (!domain || !call_flags(in->flags, 0, error)) {
        return false;
    }
    if (in->screen > 0) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: currently is supported only taking screenshots of "
                         "screen ID 0");
        return false;
    }
    int fd = memfd_create("screenshot", MFD_CLOEXEC);
    if (fd < 0 || !draw(domain, fd, error)) {
        close(fd);
        return false;
    }
    if (!call_stream(call, &sending, wrap_fd(fd), error)) {
        return false;
    }
    ((RemoteDomainScreenshotRet *)ret)->mime = g_strdup("image/png");
    return true;
}

/* ---- viewers ---- */

static int connect_tcp(const char *address, unsigned port, GError **error)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;

    inet_pton(AF_INET, address, &v4.sin_addr);
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *where = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    if (fd < 0 || connect(fd, where, is_v6 ? sizeof(v6) : sizeof(v4))) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: cannot connect to the screen: %s", g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Connect to the screen as a viewer does: where insulad, not the VM, has put its socket. */
static int connect_screen(Domain *domain, unsigned index, GError **error)
{
    g_autoptr(DomainConfig) config = domain_config_now(domain, false);
    const DomainGraphics *graphics =
        index < config->graphics->len ? config->graphics->pdata[index] : NULL;

    if (!graphics || index > 0) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: No graphics backend with index %u", index);
        return -1;
    }
    const DomainListen *listen = graphics->listens->len ? graphics->listens->pdata[0] : NULL;
    const char *socket = graphics->socket ? graphics->socket : listen ? listen->socket : NULL;
    if (socket) {
        return process_connect(socket, error);
    }
    const char *address = listen && listen->address ? listen->address : "127.0.0.1";
    const char *local = !strcmp(address, "0.0.0.0") ? "127.0.0.1"
                        : !strcmp(address, "::")    ? "::1"
                                                    : address;
    return connect_tcp(local, (unsigned)graphics->port.value, error);
}

static bool open_graphics_fd(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainOpenGraphicsFdArgs *in = args;
    g_autoptr(Domain) domain = running(call, args, error);
    enum { SKIP_AUTH = 1 };
    int fd = domain && call_flags(in->flags, SKIP_AUTH, error)
                 ? connect_screen(domain, in->idx, error)
                 : -1;

    if (fd >= 0) {
        call_return_fd(call, fd);
    }
    return fd >= 0;
}

/* ---- keys ---- */

enum { KEYS_MAX = 16 };

static bool send_key(Call *call, const void *args, void *ret, GError **error)
{
    const RemoteDomainSendKeyArgs *in = args;
    g_autoptr(Domain) domain = running(call, args, error);

    if (!domain || !call_flags(in->flags, 0, error)) {
        return false;
    }
    if (in->n_keycodes == 0 || in->n_keycodes > KEYS_MAX) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: nkeycodes must be from 1 to %d", KEYS_MAX);
        return false;
    }
    g_autoptr(JsonArray) keys = json_array_new();
    for (unsigned i = 0; i < in->n_keycodes; i++) {
        unsigned code = keycode_to_set1(in->codeset, in->keycodes[i]);
        if (!code) {
            remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                             "invalid argument: cannot translate keycode %u of codeset %u",
                             in->keycodes[i], in->codeset);
            return false;
        }
        JsonObject *key = json_object_new();
        json_object_set_string_member(key, "type", "number");
        json_object_set_int_member(key, "data", code);
        json_array_add_object_element(keys, key);
    }
    JsonObject *words = json_object_new();
    json_object_set_array_member(words, "keys", json_array_ref(keys));
    if (in->holdtime) {
        json_object_set_int_member(words, "hold-time", in->holdtime);
    }
    return domain_do(domain, "send-key", words, error);
}

const CallRow domain_console_calls[] = {
    { REMOTE_PROC_DOMAIN_OPEN_CONSOLE, open_console },
    { REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD, open_graphics_fd },
    { REMOTE_PROC_DOMAIN_SCREENSHOT, screenshot },
    { REMOTE_PROC_DOMAIN_SEND_KEY, send_key },
    { 0 },
};
