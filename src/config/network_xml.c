/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of networks, see network_xml.h (libvirt's formatnetwork).
 */
#include "config/network_xml.h"

#include <arpa/inet.h>
#include <string.h>

#include "config/identity.h"
#include "config/limits.h"
#include "config/xml.h"
#include "config/xml_known.h"

static const char *const protocols[] = { "tcp", "udp", NULL };

/* --- forwards --- */

static bool parse_address(const XmlNode *node, char **ret, GError **error)
{
    const char *text = xml_attribute(node, "address");
    uint8_t bytes[sizeof(struct in6_addr)];

    if (text && inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1) {
        return xml_error(node, error, "address '%s' is not one of IPv4 or IPv6", text);
    }
    *ret = g_strdup(text);
    return true;
}

static bool parse_range(const XmlNode *node, NetworkForward *forward, GError **error)
{
    uint64_t start = 0, end = 0, to = 0;

    if (!xml_get_number(node, "start", XML_REQUIRED, 1, UINT16_MAX, &start, error)) {
        return false;
    }
    end = to = start;
    if (!xml_get_number(node, "end", XML_OPTIONAL, start, UINT16_MAX, &end, error) ||
        !xml_get_number(node, "to", XML_OPTIONAL, 1, UINT16_MAX - (end - start), &to, error)) {
        return false;
    }
    if (end - start >= CONFIG_FORWARDS_MAX) {
        return xml_error(node, error, "a range has at most %d ports", CONFIG_FORWARDS_MAX);
    }
    forward->start = (uint16_t)start;
    forward->end = (uint16_t)end;
    forward->to = (uint16_t)to;
    return true;
}

static NetworkForward *parse_forward(const XmlNode *node, GError **error)
{
    static const char *const known[] = { "range", NULL };
    g_autoptr(NetworkForward) forward = g_new0(NetworkForward, 1);
    const XmlNode *range = xml_child(node, "range");
    unsigned protocol = 0;

    if (!range || node->children->len != 1) {
        (void)(xml_only(node, known, error) &&
               xml_error(node, error, "it must have one element 'range'"));
        return NULL;
    }
    if (!xml_get_name(node, "domain", XML_REQUIRED, &forward->domain, error) ||
        !xml_get_word(node, "proto", XML_REQUIRED, protocols, &protocol, error) ||
        !parse_address(node, &forward->address, error) || !parse_range(range, forward, error)) {
        return NULL;
    }
    forward->udp = protocol == 1;
    return g_steal_pointer(&forward);
}

NetworkForward *network_forward_parse(const char *xml, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "portForward", error);

    return root ? parse_forward(root, error) : NULL;
}

bool network_forward_equal(const NetworkForward *a, const NetworkForward *b)
{
    return a->udp == b->udp && a->start == b->start && a->end == b->end && a->to == b->to &&
           !g_strcmp0(a->domain, b->domain) && !g_strcmp0(a->address, b->address);
}

bool network_forward_overlaps(const NetworkForward *a, const NetworkForward *b)
{
    bool same_place = !a->address || !b->address || !strcmp(a->address, b->address);

    return a->udp == b->udp && same_place && a->start <= b->end && b->start <= a->end;
}

void network_forward_free(NetworkForward *forward)
{
    if (forward) {
        g_free(forward->domain);
        g_free(forward->address);
        g_free(forward);
    }
}

static void format_forward(XmlWriter *writer, const NetworkForward *forward)
{
    xml_open(writer, "portForward");
    xml_put(writer, "proto", protocols[forward->udp]);
    xml_put(writer, "address", forward->address);
    xml_put(writer, "domain", forward->domain);
    xml_open(writer, "range");
    xml_put_number(writer, "start", forward->start);
    if (forward->end != forward->start) {
        xml_put_number(writer, "end", forward->end);
    }
    xml_put_number(writer, "to", forward->to);
    xml_close(writer, "range");
    xml_close(writer, "portForward");
}

static bool parse_forwards(const XmlNode *root, NetworkConfig *config, GError **error)
{
    unsigned ports = 0;

    for (unsigned i = 0; i < root->children->len; i++) {
        const XmlNode *child = g_ptr_array_index(root->children, i);
        if (strcmp(child->name, "portForward")) {
            continue;
        }
        NetworkForward *forward = parse_forward(child, error);
        if (!forward) {
            return false;
        }
        g_ptr_array_add(config->forwards, forward);
        ports += (unsigned)(forward->end - forward->start) + 1;
        if (ports > CONFIG_FORWARDS_MAX) {
            return xml_error(child, error, "a network forwards at most %d ports",
                             CONFIG_FORWARDS_MAX);
        }
        for (unsigned k = 0; k + 1 < config->forwards->len; k++) {
            if (network_forward_overlaps(forward, g_ptr_array_index(config->forwards, k))) {
                return xml_error(child, error, "its port is forwarded already");
            }
        }
    }
    return true;
}

/* --- what every network of this mode has --- */

/* Mode nat, with the ports that libvirt writes there of itself. */
static bool check_mode(const XmlNode *root, GError **error)
{
    static const char *const known[] = { "nat", NULL }, *const nat_known[] = { "port", NULL };
    const XmlNode *node = xml_child(root, "forward");
    const XmlNode *nat = node ? xml_child(node, "nat") : NULL;
    const char *mode = node ? xml_attribute(node, "mode") : NULL;

    if (!node) {
        return xml_unsupported(root, error,
                               "an isolated network; there are those with <forward mode='nat'/>");
    }
    if (mode && strcmp(mode, "nat")) {
        return xml_unsupported(node, error, "mode '%s'; there is mode 'nat', in user mode", mode);
    }
    if (xml_attribute(node, "dev")) {
        return xml_unsupported(node, error, "attribute 'dev'; the host's routes decide");
    }
    return xml_only(node, known, error) && (!nat || xml_only(nat, nat_known, error));
}

static bool check_attribute(const XmlNode *node, const char *name, const char *wanted,
                            GError **error)
{
    const char *value = xml_attribute(node, name);

    return !value || !strcmp(value, wanted) ||
           xml_unsupported(node, error, "%s '%s'; in user mode it is %s", name, value, wanted);
}

static bool check_dhcp(const XmlNode *ip, GError **error)
{
    static const char *const known[] = { "range", NULL };
    const XmlNode *dhcp = xml_child(ip, "dhcp");
    const XmlNode *range = dhcp ? xml_child(dhcp, "range") : NULL;

    return !dhcp || (xml_only(dhcp, known, error) &&
                     (!range || (check_attribute(range, "start", NETWORK_GUEST, error) &&
                                 check_attribute(range, "end", NETWORK_GUEST, error))));
}

static bool check_ip(const XmlNode *root, GError **error)
{
    static const char *const known[] = { "dhcp", NULL };
    unsigned n = 0;

    for (unsigned i = 0; i < root->children->len; i++) {
        const XmlNode *ip = g_ptr_array_index(root->children, i);
        if (strcmp(ip->name, "ip")) {
            continue;
        }
        if (n++) {
            return xml_unsupported(ip, error, "a second address; in user mode there is one");
        }
        if (!check_attribute(ip, "family", "ipv4", error) ||
            !check_attribute(ip, "address", NETWORK_ROUTER, error) ||
            !check_attribute(ip, "netmask", NETWORK_NETMASK, error) ||
            !check_attribute(ip, "prefix", G_STRINGIFY(24), error) || !xml_only(ip, known, error) ||
            !check_dhcp(ip, error)) {
            return false;
        }
    }
    return true;
}

/* Kept as it stands, and so it must stand alone. */
static bool keep_metadata(const char *xml, const XmlNode *node, NetworkConfig *config,
                          GError **error)
{
    config->metadata = g_strndup(xml + node->begin, node->end - node->begin);
    g_autoptr(XmlNode) alone = xml_parse(config->metadata, "metadata", NULL);

    return alone || xml_error(node, error, "the namespaces in it must be declared in it");
}

static bool parse_network(const char *xml, const XmlNode *root, NetworkConfig *config,
                          GError **error)
{
    static const char *const known[] = { "name", "uuid", "metadata",    "forward", "bridge",
                                         "mac",  "ip",   "portForward", NULL };
    const XmlNode *name = xml_child(root, "name"), *uuid = xml_child(root, "uuid");
    const XmlNode *mac = xml_child(root, "mac"), *metadata = xml_child(root, "metadata");

    if (!name) {
        return xml_error(root, error, "element 'name' is missing");
    }
    if (metadata && !keep_metadata(xml, metadata, config, error)) {
        return false;
    }
    config->has_uuid = uuid != NULL;
    config->has_mac = mac != NULL;
    return xml_only(root, known, error) &&
           xml_get_name(name, NULL, XML_REQUIRED, &config->name, error) &&
           (!uuid || xml_get_uuid(uuid, NULL, XML_REQUIRED, config->uuid, error)) &&
           (!mac || xml_get_mac(mac, "address", XML_REQUIRED, config->mac, error)) &&
           check_mode(root, error) && check_ip(root, error) && parse_forwards(root, config, error);
}

static NetworkConfig *config_new(void)
{
    NetworkConfig *config = g_new0(NetworkConfig, 1);

    config->forwards = g_ptr_array_new_with_free_func((GDestroyNotify)network_forward_free);
    return config;
}

NetworkConfig *network_config_parse(const char *xml, GError **error)
{
    g_autoptr(XmlNode) root = xml_parse(xml, "network", error);
    g_autoptr(NetworkConfig) config = config_new();

    return root && parse_network(xml, root, config, error) ? g_steal_pointer(&config) : NULL;
}

static void format_ip(XmlWriter *writer)
{
    xml_open(writer, "ip");
    xml_put(writer, "address", NETWORK_ROUTER);
    xml_put(writer, "netmask", NETWORK_NETMASK);
    xml_open(writer, "dhcp");
    xml_open(writer, "range");
    xml_put(writer, "start", NETWORK_GUEST);
    xml_put(writer, "end", NETWORK_GUEST);
    xml_close(writer, "range");
    xml_close(writer, "dhcp");
    xml_close(writer, "ip");
}

char *network_config_format(const NetworkConfig *config)
{
    XmlWriter *writer = xml_writer_new();
    g_autofree char *uuid = uuid_format(config->uuid), *mac = mac_format(config->mac);

    xml_open(writer, "network");
    xml_put_element(writer, "name", config->name);
    xml_put_element(writer, "uuid", config->has_uuid ? uuid : NULL);
    if (config->metadata) {
        g_autofree char *line = g_strdup_printf("  %s\n", config->metadata);
        xml_put_raw(writer, line);
    }
    xml_open(writer, "forward");
    xml_put(writer, "mode", "nat");
    xml_close(writer, "forward");
    if (config->has_mac) {
        xml_open(writer, "mac");
        xml_put(writer, "address", mac);
        xml_close(writer, "mac");
    }
    format_ip(writer);
    for (unsigned i = 0; i < config->forwards->len; i++) {
        format_forward(writer, g_ptr_array_index(config->forwards, i));
    }
    xml_close(writer, "network");
    return xml_writer_end(writer);
}

NetworkConfig *network_config_copy(const NetworkConfig *config)
{
    NetworkConfig *copy = config_new();
    GPtrArray *forwards = copy->forwards;

    *copy = *config;
    copy->name = g_strdup(config->name);
    copy->metadata = g_strdup(config->metadata);
    copy->forwards = forwards;
    for (unsigned i = 0; i < config->forwards->len; i++) {
        const NetworkForward *from = g_ptr_array_index(config->forwards, i);
        NetworkForward *forward = g_new(NetworkForward, 1);
        *forward = *from;
        forward->domain = g_strdup(from->domain);
        forward->address = g_strdup(from->address);
        g_ptr_array_add(forwards, forward);
    }
    return copy;
}

void network_config_free(NetworkConfig *config)
{
    if (config) {
        g_free(config->name);
        g_free(config->metadata);
        g_ptr_array_unref(config->forwards);
        g_free(config);
    }
}
