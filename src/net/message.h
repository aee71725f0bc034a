/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VM and insula-net say to each other besides frames: over a control socket, of sequenced
 * packets too, requests of the VM and an answer to each, in turn.  Until NET_LOCK the two trust
 * each other; from then on insula-net takes each request for hostile.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef enum NetRequestKind {
    NET_FORWARD_ADD = 1,
    NET_FORWARD_REMOVE = 2,
    NET_LOCK = 3, /* go into the jail, and begin */
} NetRequestKind;

/* An address and a port of IPv4 or IPv6; .port in host order. */
typedef struct NetAddress {
    uint8_t family;    /* AF_INET or AF_INET6; 0: not said */
    uint8_t bytes[16]; /* in network order; of AF_INET the first four */
    uint16_t port;
} NetAddress;

/* A port of the host's that leads into the guest. */
typedef struct NetForward {
    bool udp;
    NetAddress host;
    NetAddress guest; /* .family 0: the address that the guest was given */
} NetForward;

typedef struct NetRequest {
    uint32_t kind;
    NetForward forward;
} NetRequest;

typedef struct NetReply {
    int32_t error;  /* errno value, or 0 */
    char text[252]; /* why, for people; ends with a zero byte */
} NetReply;
