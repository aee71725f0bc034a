/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts program insula-net: for the VM process, which can't once it has locked itself in, or in
 * it, if it doesn't.
 *
 * Threads: main.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/net.h"

/* What insula-net is told.  It comes from a process that a guest may have taken over. */
typedef struct NetHelper {
    uint8_t mac[NET_MAC_SIZE];
    uint16_t mtu; /* 0: the usual */
    bool host;    /* the host's own services can be reached */
    bool no_ipv6;
} NetHelper;

/* Start it with two sockets, which stay the caller's.  Its number, or a negative errno: ENOENT, it
 * isn't installed. */
pid_t net_helper_start(const NetHelper *helper, int frames, int control);
/* Wait for its end, which is near since its sockets are closed; not for ever. */
void net_helper_end(pid_t pid);
