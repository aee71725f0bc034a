/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: every virtio device with a back end that needs nothing of the host, and for each of
 * its queues how a chain there is served.  Tests that every device must pass loop over the table.
 *
 * Threads: one.
 */
#pragma once

#include "block/block.h"
#include "display/display.h"
#include "display/input.h"
#include "machine/virtio/bench.h"
#include "net/port.h"

typedef struct VirtioSubject VirtioSubject;

typedef struct VirtioRig {
    const VirtioSubject *subject;
    VirtioBench *b;
    /* back ends, as the device needs them */
    BenchChar character;
    Blk *blk;
    char *path;
    NetPort *port;
    int world; /* the other end of .port */
    Display *display;
    Input *input;
} VirtioRig;

/* A device and a queue of it. */
struct VirtioSubject {
    const char *name;
    uint32_t device_id;
    unsigned queue;
    VirtioDev *(*make)(const VirtioSlot *slot, void *rig);
    void (*close)(VirtioRig *rig); /* the back end, after the device; or NULL */
    /* Something happens in the world that the device has a chain of this queue for; NULL: a kick
     * is all it needs. */
    void (*feed)(VirtioRig *rig);
};

/* NULL name behind the last. */
extern const VirtioSubject virtio_subjects[];

void virtio_rig_init(VirtioRig *rig, const VirtioSubject *subject);
/* The same on PCI. */
void virtio_rig_init_pci(VirtioRig *rig, const VirtioSubject *subject);
void virtio_rig_clear(VirtioRig *rig);
/* Kick the queue, feed the device, and let the I/O thread run. */
void virtio_rig_serve(VirtioRig *rig);
/* Start the device, post a good chain and see it used. */
void virtio_rig_check_works(VirtioRig *rig);
/* Post a chain that any device takes; returns its name. */
uint16_t virtio_rig_post(VirtioRig *rig);
