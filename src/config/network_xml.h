/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of networks, as libvirt has it, in and out.
 *
 * There are user-mode networks: each machine has one of its own, 10.0.2.0/24, whose router
 * translates addresses into the host's.  To clients it is one of mode 'nat'.  Ports of the host
 * lead into machines by elements of ours, which are written as those of a machine's interface are:
 *
 *   <portForward proto='tcp' address='127.0.0.1' domain='web'>
 *     <range start='8080' to='80'/>
 *   </portForward>
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What libslirp gives each machine (net/user.h). */
#define NETWORK_ROUTER  "10.0.2.2"
#define NETWORK_NETMASK "255.255.255.0"
#define NETWORK_GUEST   "10.0.2.15"
enum { NETWORK_PREFIX = 24 };

/* A range of the host's ports that lead to a machine's. */
typedef struct NetworkForward {
    char *domain;  /* the machine's name */
    bool udp;      /* else TCP */
    char *address; /* of the host's; NULL: all */
    uint16_t start, end, to;
} NetworkForward;

typedef struct NetworkConfig {
    char *name;
    bool has_uuid, has_mac;
    uint8_t uuid[16];
    uint8_t mac[6];
    char *metadata;      /* the element, byte for byte; NULL: none */
    GPtrArray *forwards; /* of NetworkForward; owns them */
} NetworkConfig;

NetworkConfig *network_config_parse(const char *xml, GError **error);
char *network_config_format(const NetworkConfig *config);
NetworkConfig *network_config_copy(const NetworkConfig *config);
void network_config_free(NetworkConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkConfig, network_config_free)

/* One <portForward>. */
NetworkForward *network_forward_parse(const char *xml, GError **error);
bool network_forward_equal(const NetworkForward *a, const NetworkForward *b);
/* Whether two would have the same port of the host. */
bool network_forward_overlaps(const NetworkForward *a, const NetworkForward *b);
void network_forward_free(NetworkForward *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetworkForward, network_forward_free)
