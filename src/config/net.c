/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks of a virtual machine, see net.h.
 */
#include "config/net.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/error.h"
#include "config/identity.h"
#include "config/limits.h"
#include "config/size.h"
#include "config/words.h"

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

/* --- --net --- */

static bool parse_mac(void *target, const char *value, GError **error)
{
    NetConfig *net = target;

    if (!mac_parse(value, net->mac)) {
        return usage(error, "--net: mac '%s' must be six bytes, such as 52:54:00:12:34:56", value);
    }
    if (mac_is_group(net->mac)) {
        return usage(error, "--net: mac '%s' is a group's address; make its first byte even",
                     value);
    }
    net->has_mac = true;
    return true;
}

static bool parse_mtu(void *target, const char *value, GError **error)
{
    uint64_t mtu = 0;

    if (!number_parse(value, "--net: mtu", CONFIG_MTU_MIN, CONFIG_MTU_MAX, &mtu, error)) {
        return false;
    }
    ((NetConfig *)target)->mtu = (unsigned)mtu;
    return true;
}

static bool parse_queues(void *target, const char *value, GError **error)
{
    uint64_t queues = 0;

    if (!number_parse(value, "--net: queues", 1, CONFIG_NET_QUEUES_MAX, &queues, error)) {
        return false;
    }
    ((NetConfig *)target)->queues = (unsigned)queues;
    return true;
}

static bool parse_model(void *target, const char *value, GError **error)
{
    NetConfig *net = target;

    if (strcmp(value, "virtio") != 0 && strcmp(value, "e1000e") != 0) {
        return usage(error, "--net: model '%s' must be virtio or e1000e", value);
    }
    net->model = value[0] == 'e' ? NET_E1000E : NET_VIRTIO;
    return true;
}

static bool parse_boot(void *target, const char *value, GError **error)
{
    uint64_t boot = 0;

    if (!number_parse(value, "--net: boot", 1, CONFIG_BOOT_MAX, &boot, error)) {
        return false;
    }
    ((NetConfig *)target)->boot = (unsigned)boot;
    return true;
}

static bool parse_fd(void *target, const char *value, GError **error)
{
    uint64_t fd = 0;

    if (!number_parse(value, "--net: fd", 3, G_MAXINT, &fd, error)) {
        return false;
    }
    ((NetConfig *)target)->fd = (int)fd;
    return true;
}

static bool parse_host(void *target, const char *value, GError **error)
{
    return words_switch(value, "--net: host", &((NetConfig *)target)->host, error);
}

static bool parse_ipv6(void *target, const char *value, GError **error)
{
    bool on = true;
    bool good = words_switch(value, "--net: ipv6", &on, error);

    ((NetConfig *)target)->no_ipv6 = !on;
    return good;
}

static const WordSetting user_settings[] = {
    { "mac", "52:54:00:...", parse_mac },      { "mtu", "N", parse_mtu },
    { "queues", "N", parse_queues },           { "host", "on|off", parse_host },
    { "ipv6", "on|off", parse_ipv6 },          { "boot", "N", parse_boot },
    { "model", "virtio|e1000e", parse_model }, { 0 },
};

static const WordSetting tap_settings[] = {
    { "fd", "N", parse_fd },
    { "mac", "52:54:00:...", parse_mac },
    { "mtu", "N", parse_mtu },
    { "queues", "N", parse_queues },
    { "boot", "N", parse_boot },
    { "model", "virtio|e1000e", parse_model },
    { 0 },
};

static const WordSetting no_settings[] = { { 0 } };

static const struct {
    const char *name;
    NetKind kind;
    const WordSetting *settings;
} kinds[] = {
    { "user", NET_USER, user_settings },
    { "tap", NET_TAP, tap_settings },
    { "none", NET_USER, no_settings },
};

NetConfig *net_config_parse(const char *text, bool *ret_none, GError **error)
{
    g_autofree NetConfig *net = g_new0(NetConfig, 1);
    g_autofree char *name = NULL;
    size_t len = strcspn(text, ",");

    *net = (NetConfig){ .queues = 1, .fd = -1 };
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, text, len) != 0) {
            continue;
        }
        if (!words_parse(text, "--net", kinds[i].settings, net, &name, error)) {
            return NULL;
        }
        net->kind = kinds[i].kind;
        if (net->kind == NET_TAP && net->fd < 0) {
            usage(error, "--net tap needs an open tap device: write tap,fd=N");
            return NULL;
        }
        *ret_none = !strcmp(name, "none");
        return *ret_none ? NULL : g_steal_pointer(&net);
    }
    usage(error, "--net '%.*s' must be user, tap or none", (int)len, text);
    return NULL;
}

void net_config_free(NetConfig *net)
{
    g_free(net);
}

/* --- --forward --- */

/* An address, in brackets or not, and the colon behind it, at *@at; NULL where there is none. */
static char *take_address(const char **at)
{
    const char *begin = *at;

    if (*begin == '[') {
        const char *end = strchr(begin, ']');
        if (!end || end[1] != ':') {
            return NULL;
        }
        *at = end + 2;
        return g_strndup(begin + 1, (gsize)(end - begin - 1));
    }
    size_t len = strspn(begin, G_CSET_DIGITS ".");
    if (begin[len] != ':' || !memchr(begin, '.', len)) {
        return NULL;
    }
    *at = begin + len + 1;
    return g_strndup(begin, len);
}

static bool take_port(const char **at, uint16_t *ret)
{
    size_t len = strspn(*at, G_CSET_DIGITS);
    g_autofree char *digits = g_strndup(*at, len);
    guint64 port = 0;

    if (!g_ascii_string_to_unsigned(digits, 10, 1, UINT16_MAX, &port, NULL)) {
        return false;
    }
    *at += len;
    *ret = (uint16_t)port;
    return true;
}

static bool parse_protocol(const char *text, bool *ret_udp)
{
    *ret_udp = !strcmp(text, "/udp");
    return *ret_udp || !*text || !strcmp(text, "/tcp");
}

static bool is_address(const char *text, bool ipv6)
{
    uint8_t bytes[16];

    return !text || inet_pton(ipv6 ? AF_INET6 : AF_INET, text, bytes) == 1;
}

ForwardConfig *forward_config_parse(const char *text, GError **error)
{
    g_autoptr(ForwardConfig) forward = g_new0(ForwardConfig, 1);
    const char *at = text;

    forward->host = take_address(&at);
    bool good = take_port(&at, &forward->host_port) && *at++ == ':';
    if (good) {
        forward->guest = take_address(&at);
        good = take_port(&at, &forward->guest_port) && parse_protocol(at, &forward->udp);
    }
    if (!good) {
        usage(error,
              "--forward '%s' must be [ADDRESS:]PORT:[ADDRESS:]PORT[/udp], the host's first, such "
              "as 8022:22 or [::1]:8022:22",
              text);
        return NULL;
    }
    const char *first = forward->host ? forward->host : forward->guest;
    forward->ipv6 = first && strchr(first, ':');
    if (!is_address(forward->host, forward->ipv6) || !is_address(forward->guest, forward->ipv6)) {
        usage(error, "--forward '%s': its addresses must be numbers of IPv4, or both of IPv6",
              text);
        return NULL;
    }
    if (!forward->host) {
        forward->host = g_strdup(forward->ipv6 ? "::1" : "127.0.0.1");
    }
    return g_steal_pointer(&forward);
}

void forward_config_free(ForwardConfig *forward)
{
    if (forward) {
        g_free(forward->host);
        g_free(forward->guest);
        g_free(forward);
    }
}
