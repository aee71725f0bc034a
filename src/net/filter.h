/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest may send into its user network.  libslirp makes sockets of the host's of what it
 * gets, and takes addresses of the guest's network for the host's loopback interface; so what may
 * lead there is looked at before libslirp sees it.
 *
 *   to the loopback interface itself   nothing
 *   into the guest's network           what libslirp answers by itself (ARP, ping, DHCP), questions
 *                                      to the name server, and answers: TCP that doesn't open a
 *                                      connection, UDP to who asked before
 *   to groups                          neighbour discovery and DHCP
 *   fragments to any of these          nothing: their ports can't be seen
 *   anywhere else                      anything
 *
 * Threads: one.
 */
#pragma once

#include "net/frame.h"

/* The guest's network: 10.0.2.0/24 and fec0::/64, and who is in it. */
enum { FILTER_NETWORK = 0x0a000200, FILTER_NETMASK = 0xffffff00 };
enum { FILTER_ROUTER = 2, FILTER_NAMES = 3, FILTER_GUEST = 15 };
extern const uint8_t filter_prefix6[8];

/* Somebody on the host who sent a datagram to a port of the guest's. */
typedef struct FilterAsker {
    uint8_t version; /* of IP; 0: unused */
    uint16_t guest_port, port;
} FilterAsker;

typedef struct Filter {
    FilterAsker askers[NET_MAX_ASKERS]; /* the newest replaces the oldest */
    unsigned next;
} Filter;

/* Whether the guest may send this frame. */
bool filter_allows(const Filter *filter, const uint8_t *frame, const FrameInfo *info);
/* The frame goes to the guest: if it is a question, its answer will be let through. */
void filter_note(Filter *filter, const uint8_t *frame, size_t len);

/* The answer to a refused frame that opens a TCP connection, so that nobody waits: "refused".  Its
 * length, at most FRAME_MAX_HEADERS; 0: there is no answer. */
size_t filter_refusal(const uint8_t *frame, const FrameInfo *info, uint8_t *ret_frame);
