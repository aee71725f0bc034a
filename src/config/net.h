/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks of a virtual machine, and the words that describe them.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum NetKind {
    NET_USER, /* a network of its own behind the host's, by insula-net */
    NET_TAP,  /* a tap device that somebody opened */
} NetKind;

enum { NET_MAC_SIZE = 6 }; /* as MAC_SIZE */

typedef enum NetModel { NET_VIRTIO, NET_E1000E } NetModel;

typedef struct NetConfig {
    NetKind kind;
    NetModel model;
    bool has_mac; /* .mac was said */
    uint8_t mac[NET_MAC_SIZE];
    unsigned mtu;    /* 0: not said */
    unsigned queues; /* pairs of them */
    unsigned boot;   /* its place in the boot order, from 1 on; 0: not said */
    int fd;          /* of NET_TAP; -1: not said */
    bool host;       /* of NET_USER: the guest reaches the host's loopback interface */
    bool no_ipv6;    /* of NET_USER */
} NetConfig;

/* A port of the host's that leads into the guest.  Addresses are numbers as text, of one family. */
typedef struct ForwardConfig {
    bool udp;
    bool ipv6;
    char *host; /* never NULL */
    uint16_t host_port;
    char *guest; /* NULL: the address that the guest was given */
    uint16_t guest_port;
} ForwardConfig;

/* KIND[,SETTING=VALUE]...; a new one, or NULL and *@ret_none for "none". */
NetConfig *net_config_parse(const char *text, bool *ret_none, GError **error);
void net_config_free(NetConfig *net);

/* [ADDRESS:]PORT:[ADDRESS:]PORT[/tcp|/udp]; an IPv6 address stands in brackets. */
ForwardConfig *forward_config_parse(const char *text, GError **error);
void forward_config_free(ForwardConfig *forward);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ForwardConfig, forward_config_free)
