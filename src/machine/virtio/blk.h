/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk, see blk.c.
 */
#pragma once

#include "block/aio.h"
#include "machine/core/power.h"
#include "machine/virtio/virtio.h"

enum { VIRTIO_BLK_ID_LEN = 20 };

extern const VirtioClass virtio_blk_class;

/* @serial: up to VIRTIO_BLK_ID_LEN characters, the rest is cut off.  @queues: as many, but at least
 * one and at most VIRTIO_BLK_MAX_QUEUES. */
VirtioDev *virtio_blk_new(const VirtioSlot *slot, Blk *blk, const char *serial, unsigned queues);
/* If @blk is the device's disk: it has another size now, tell the guest. */
void virtio_blk_resized(VirtioDev *dev, const Blk *blk);

/* What becomes of requests that the host can't do; else the guest is told of them.  Called by the
 * device's maker. */
void virtio_blk_on_errors(VirtioDev *virtio, DiskOnError read, DiskOnError write,
                          const MachineEvents *events);
/* Go on with the requests that stopped the machine, if some did.  From any thread. */
void virtio_blk_retry(VirtioDev *virtio);
