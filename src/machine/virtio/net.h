/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net: a network card (virtio 1.2, section 5.1).
 *
 * Threads: made on the machine's thread; the functions here from any thread.
 */
#pragma once

#include "machine/virtio/virtio.h"
#include "net/port.h"

enum { VIRTIO_NET_MAX_PAIRS = (VIRTIO_MAX_QUEUES - 1) / 2 };

typedef struct VirtioNetConfig {
    NetPort *port;  /* stays the caller's, outlives the device, and is the device's alone */
    uint8_t mac[6]; /* the address that the card was made with */
    unsigned mtu;   /* that the guest is told; 0: nothing is said, which is 1500 */
    unsigned pairs; /* of queues, 1 to VIRTIO_NET_MAX_PAIRS; 0 is 1 */
} VirtioNetConfig;

typedef struct VirtioNetStats {
    uint64_t received, received_bytes; /* by the guest */
    uint64_t sent, sent_bytes;
    uint64_t receive_dropped; /* not for the guest, or it had no room that they fit in */
    uint64_t send_dropped;    /* made no sense, or the network refused them */
} VirtioNetStats;

extern const VirtioClass virtio_net_class;

VirtioDev *virtio_net_new(const VirtioSlot *slot, const VirtioNetConfig *config);
/* Plug the cable in, or pull it. */
void virtio_net_set_link(VirtioDev *dev, bool up);
/* Have the guest say to the network where it is now, as after a move to another host. */
void virtio_net_announce(VirtioDev *dev);
VirtioNetStats virtio_net_stats(VirtioDev *dev);
