/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every limit of networking on what a guest, a peer or a person chooses, and its reason.
 */
#pragma once

/* An Ethernet header with a VLAN tag, and the longest IPv4 or IPv6 packet that isn't a jumbogram
 * (40 + 65535); what is longer no network takes. */
enum { NET_MAX_FRAME = 18 + 40 + 65535 };
/* Without padding: an Ethernet header, nothing in it. */
enum { NET_MIN_FRAME = 14 };

/* MTUs that a NIC may have: IPv4 can't do with less than 68, IPv6 needs 1280, and longer than the
 * longest IP packet means nothing. */
enum { NET_MIN_MTU = 68, NET_MAX_MTU = 65535, NET_USUAL_MTU = 1500 };

/* Forwarded ports of one network: each is a descriptor of insula-net. */
enum { NET_MAX_FORWARDS = 256 };

/* Senders of datagrams to forwarded ports whose answers are let through: with more at once, the
 * oldest are forgotten until they send again. */
enum { NET_MAX_ASKERS = 256 };

/* Frames and bytes that insula-net keeps for a guest that doesn't take them.  Beyond that they are
 * dropped, as a switch would; TCP's windows keep well-behaved flows far below it. */
enum { NET_QUEUE_FRAMES = 4096, NET_QUEUE_BYTES = 8 << 20 };

/* Descriptors of insula-net: a socket per connection of the guest's.  A guest that opens more gets
 * its connections refused. */
enum { NET_MAX_DESCRIPTORS = 1024 };

/* Address space of insula-net: libslirp takes 128 KiB for each direction of a connection, so that
 * no number of them gets there; only an error of ours would. */
#define NET_MAX_MEMORY (UINT64_C(2) << 30)

/* Name servers of the host's that are used, and bytes of resolv.conf that are read for them. */
enum { NET_MAX_NAME_SERVERS = 8, NET_MAX_RESOLV_CONF = 65536 };
