/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: plays the guest of one virtio device.  It sets the device up as a driver would, posts
 * chains, kicks, looks at what comes back, and can lie at each step.  Rings are split ones, unless
 * .packed is set before the device is started, or INSULA_TEST_PACKED is in the environment.  The
 * device is on MMIO, or (virtio_bench_new_pci) a PCI function, whose registers are found by the
 * names that they have on MMIO.
 *
 * Guest RAM is 1 MiB at 0.  Queue n has its rings at 8000h * (n + 1); buffers are free from
 * VIRTIO_BENCH_BUFFERS on.  The I/O thread is a manual one: a kick is served before it returns.
 *
 * Threads: one.
 */
#pragma once

#include "machine/core/bench.h"
#include "machine/pci/pci.h"
#include "machine/virtio/virtio.h"

enum {
    VIRTIO_BENCH_RAM = 0x100000,
    VIRTIO_BENCH_BASE = 0x200000, /* of the registers */
    VIRTIO_BENCH_BUFFERS = 0x80000,
    VIRTIO_BENCH_BAR = 0x400000, /* of PCI: the registers; other BARs are below */
    VIRTIO_BENCH_DEVFN = PCI_DEVFN(3, 0),
};

/* Registers, as a driver knows them. */
enum {
    VB_DEVICE_ID = 0x008,
    VB_DEVICE_FEATURES = 0x010,
    VB_DEVICE_FEATURES_SEL = 0x014,
    VB_DRIVER_FEATURES = 0x020,
    VB_DRIVER_FEATURES_SEL = 0x024,
    VB_QUEUE_SEL = 0x030,
    VB_QUEUE_NUM_MAX = 0x034,
    VB_QUEUE_NUM = 0x038,
    VB_QUEUE_READY = 0x044,
    VB_QUEUE_NOTIFY = 0x050,
    VB_INTERRUPT_STATUS = 0x060,
    VB_INTERRUPT_ACK = 0x064,
    VB_STATUS = 0x070,
    VB_QUEUE_DESC = 0x080,
    VB_QUEUE_DRIVER = 0x090,
    VB_QUEUE_DEVICE = 0x0a0,
    VB_QUEUE_RESET = 0x0c0,
    VB_CONFIG_GENERATION = 0x0fc,
    VB_CONFIG = 0x100,
};

/* Of descriptors; the last two in packed rings only. */
enum { VB_NEXT = 1, VB_WRITE = 2, VB_INDIRECT = 4, VB_AVAIL = 0x80, VB_USED = 0x8000 };

typedef struct VirtioBenchQueue {
    uint16_t size, available, used; /* the guest's own indices */
    bool available_wrap, used_wrap; /* of a packed ring */
    uint16_t slots[VIRTQ_MAX_SIZE]; /* of a packed ring: that the chain of this id takes */
    uint16_t next_id;
} VirtioBenchQueue;

typedef struct VirtioBench {
    Bench bench;
    IoThread *io;
    VirtioDev *dev;
    VirtioBenchQueue queues[VIRTIO_MAX_QUEUES];
    uint16_t next_descriptor;
    bool packed;
    PciRoot *root; /* NULL: the device is on MMIO */
    struct VirtioPci *function;
} VirtioBench;

/* One buffer of a chain. */
typedef struct VirtioBenchPart {
    uint64_t gpa;
    uint32_t len;
    bool writable;
} VirtioBenchPart;

typedef VirtioDev *(*VirtioBenchMake)(const VirtioSlot *slot, void *opaque);

/* Line 0 of the bench is the device's interrupt. */
VirtioBench *virtio_bench_new(VirtioBenchMake make, void *opaque);
VirtioBench *virtio_bench_new_pci(VirtioBenchMake make, void *opaque);
void virtio_bench_free(VirtioBench *b);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtioBench, virtio_bench_free)

uint32_t virtio_bench_read(VirtioBench *b, unsigned reg);
void virtio_bench_write(VirtioBench *b, unsigned reg, uint32_t value);

/* What the device offers. */
uint64_t virtio_bench_features(VirtioBench *b);
/* From reset to FEATURES_OK with @features; whether the device agreed. */
bool virtio_bench_negotiate(VirtioBench *b, uint64_t features);
/* Set up queue @q with @size elements and start it. */
void virtio_bench_queue(VirtioBench *b, unsigned q, uint16_t size);
/* All of it, with all that is offered except @without, up to DRIVER_OK. */
void virtio_bench_start(VirtioBench *b, uint64_t without);

uint64_t virtio_bench_desc_gpa(unsigned q);
uint64_t virtio_bench_available_gpa(unsigned q);
uint64_t virtio_bench_used_gpa(unsigned q);

/* Write descriptor @index of @table: of a split ring, flags and then the next one's number; of a
 * packed one, id and then flags. */
void virtio_bench_descriptor(VirtioBench *b, uint64_t table, uint16_t index,
                             const VirtioBenchPart *part, uint32_t tail);
/* Split rings: make the chain at @head available. */
void virtio_bench_offer(VirtioBench *b, unsigned q, uint16_t head);
/* Write a chain of @n parts and offer it; returns its head, or its id. */
uint16_t virtio_bench_post(VirtioBench *b, unsigned q, const VirtioBenchPart *parts, unsigned n);
/* Notify, and let the I/O thread run. */
void virtio_bench_kick(VirtioBench *b, unsigned q);
/* Take the next chain that was used: its length, or -1 if there is none; *@ret_head may be NULL. */
int64_t virtio_bench_next_used(VirtioBench *b, unsigned q, uint16_t *ret_head);
/* Whether the device asks for a reset. */
bool virtio_bench_is_broken(VirtioBench *b);
