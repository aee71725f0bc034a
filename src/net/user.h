/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network for one VM that needs no right of the host's: libslirp answers the guest as a router,
 * a DHCP server and a name server would, and makes sockets of its connections.
 *
 *   10.0.2.0/24, fec0::/64    .2 the router, .3 the name server, .15 what DHCP gives the guest
 *
 * Frames come from and go to one end of a socket pair, see port.h.  Segments of TCP are as long as
 * an IP packet both ways, and cut to the guest's MTU only where the guest can't take them whole:
 * that is what makes it fast.
 *
 * The host's loopback interface is out of reach unless the configuration says so, whatever
 * addresses the guest makes up; ports may be forwarded into the guest.
 *
 * Threads: one.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/message.h"

typedef struct UserNetConfig {
    bool host;      /* the router's address leads to the host's loopback interface */
    bool ipv6;      /* else IPv4 alone */
    unsigned mtu;   /* of the guest's NIC */
    uint8_t mac[6]; /* of the guest's NIC */
} UserNetConfig;

typedef struct UserNet UserNet;

/* @frames stays the caller's. */
UserNet *user_net_new(const UserNetConfig *config, int frames);
/* @net may be NULL. */
void user_net_free(UserNet *net);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UserNet, user_net_free)

/* Do what @request wants; the reply says how it went.  NET_LOCK is not known here. */
void user_net_request(UserNet *net, const NetRequest *request, NetReply *ret_reply);

/* Wait for something to happen, on @control too, and serve it.  *@ret_control is whether @control
 * can be read.  False: the VM has gone. */
bool user_net_step(UserNet *net, int control, bool *ret_control);

/* For tests: what may be seen from outside. */
typedef struct UserNetStats {
    uint64_t from_guest, refused, to_guest, dropped; /* frames */
} UserNetStats;
UserNetStats user_net_stats(const UserNet *net);
