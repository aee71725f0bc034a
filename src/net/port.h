/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A NIC's plug into a network: a descriptor over which Ethernet frames go, one per message, each
 * behind a NetHeader, which says what the other side still has to do to the frame.
 *
 *   tap      a tap device that somebody opened for us; the host's bridge and routes are behind it
 *   socket   one end of a pair of sequenced-packet sockets; at the other is insula-net
 *
 * A tap device without headers (IFF_VNET_HDR) works too, but then every frame must be whole.
 *
 * Threads: a port is used by one thread at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "net/limits.h"

/* What stands before each frame (virtio 1.2, 5.1.6, little-endian): virtio_net_hdr. */
typedef struct NetHeader {
    uint8_t flags;    /* NET_HEADER_ */
    uint8_t gso_type; /* NET_GSO_ */
    uint16_t header_len;
    uint16_t gso_size; /* bytes of payload per packet */
    uint16_t csum_start, csum_offset;
    uint16_t buffers; /* of a receiving NIC's; to insula-net: NET_OFFLOAD_ that may come back */
} NetHeader;
_Static_assert(sizeof(NetHeader) == 12, "virtio 1.2, 5.1.6");

enum {
    NET_HEADER_NEEDS_CSUM = 1, /* sum from .csum_start on, into .csum_start + .csum_offset */
    NET_HEADER_DATA_VALID = 2, /* the sums were looked at, or nobody could have broken them */
};
enum { NET_GSO_NONE = 0, NET_GSO_TCP4 = 1, NET_GSO_TCP6 = 4, NET_GSO_ECN = 0x80 };

/* What one side can leave to the other, as a set. */
enum { NET_OFFLOAD_CSUM = 1, NET_OFFLOAD_TSO4 = 2, NET_OFFLOAD_TSO6 = 4, NET_OFFLOAD_ALL = 7 };

typedef enum NetPortKind { NET_PORT_TAP, NET_PORT_SOCKET } NetPortKind;

typedef struct NetPort NetPort;

/* Takes ownership of @fd, which it checks to be what @kind says and makes non-blocking; on failure
 * it stays the caller's.  @what names it in messages ("--net"). */
NetPort *net_port_new(NetPortKind kind, int fd, const char *what, GError **error);
/* Closes the descriptor.  @port may be NULL. */
void net_port_free(NetPort *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetPort, net_port_free)

/* For waiting on. */
int net_port_fd(const NetPort *port);
/* Offloads that the network takes from us (and may be told to send). */
unsigned net_port_offloads(const NetPort *port);
/* What the network may leave to us from now on.  A port begins with none. */
void net_port_set_offloads(NetPort *port, unsigned offloads);

/* Send the frame in @iov behind @header, which is checked here to fit @offloads and the frame.
 * 0; -EAGAIN: later; else the frame is lost: -EINVAL for a header or a length that can't be,
 * others as the host says. */
int net_port_send(NetPort *port, const NetHeader *header, const struct iovec *iov, unsigned n);
/* Receive a frame of at most @size bytes.  Its length; -EAGAIN: there is none; -EPIPE: there never
 * will be again; -EMSGSIZE: it was longer and is lost. */
ssize_t net_port_receive(NetPort *port, NetHeader *header, void *frame, size_t size);

/* Whether @header can stand before a frame of @len bytes. */
bool net_header_ok(const NetHeader *header, size_t len);
