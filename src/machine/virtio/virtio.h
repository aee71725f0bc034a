/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio 1.2 devices with split queues, behind the MMIO transport.
 *
 * A queue is three arrays in guest RAM, all of the queue's size:
 *
 *   descriptors  buffers: gpa, length, "the device may write it", "there is a next"
 *   available    the guest writes: a ring of numbers, each of a chain's first descriptor
 *   used         we write: a ring of (first descriptor, bytes written)
 *
 *     guest: descriptor 5 -> 6;  available[idx++ % size] = 5;  QueueNotify
 *     we:    virtq_pop() -> VirtqChain with what 5 and 6 describe, copied and checked
 *            ... serve it ...
 *            virtq_push(): used[idx++ % size] = (5, written); interrupt unless not wanted
 *
 * The core here does registers, feature bits, the rings, interrupts, reset.  A device is a struct
 * that begins with a VirtioDev, and a VirtioClass with a function per queue; absent members mean
 * "the usual".
 *
 * A guest is hostile: each descriptor is read once into our memory and only the copy is used;
 * buffers are RAM; loops, jumps, wrong directions and unaligned or misplaced rings set
 * DEVICE_NEEDS_RESET, and the device is dead until the guest resets it.
 *
 * Threads: registers on vCPU threads, queues on the machine's I/O thread, both under the device's
 * lock.  A device that does slow work on a chain opens the lock around it with virtq_begin_io()
 * and virtq_end_io(); a reset waits until such work is done.
 */
#pragma once

#include <sys/uio.h>

#include "machine/core/device.h"
#include "machine/core/io_thread.h"
#include "machine/core/irq.h"
#include "machine/limits.h"

typedef struct VirtioClass VirtioClass;
typedef struct VirtioDev VirtioDev;
typedef struct Virtq Virtq;

/* Feature bits that the core itself offers. */
enum {
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
};

enum { VIRTIO_MMIO_SIZE = 0x200, VIRTIO_MAX_CONFIG = 0x100 };

/* A chain of buffers: first those that the device reads, then those that it writes.  The iovecs
 * point into guest RAM, which the guest may change at any time: read each byte once. */
typedef struct VirtqChain {
    uint16_t head; /* first descriptor: the chain's name in the used ring */
    unsigned n_out, n_in;
    size_t out_len, in_len; /* sums */
    struct iovec out[VIRTQ_MAX_SIZE], in[VIRTQ_MAX_SIZE];
    uint64_t in_gpa[VIRTQ_MAX_SIZE];
} VirtqChain;

struct Virtq {
    /* fixed after create */
    VirtioDev *dev;
    unsigned index;
    /* lock: device.lock; set by the guest */
    uint16_t size;
    bool ready;
    uint64_t descriptors, available, used; /* gpa */
    /* lock: device.lock; our own */
    uint16_t next_available, next_used;
    bool kicked;
    unsigned budget;    /* chains that may still be popped in this round */
    unsigned in_flight; /* between virtq_begin_io() and virtq_end_io() */
    unsigned draining;  /* somebody waits until none is in flight */
    uint8_t *descriptors_hva, *available_hva, *used_hva; /* valid while .ready */
};

struct VirtioDev {
    Device device;
    /* fixed after create */
    IrqLine irq;
    IoTask *task;
    uint64_t features; /* offered */
    uint8_t config[VIRTIO_MAX_CONFIG];
    unsigned config_size;
    /* lock: device.lock */
    uint8_t status;
    uint8_t interrupt; /* InterruptStatus */
    bool resetting;    /* a reset waits for work in flight: registers take no writes */
    uint32_t device_features_sel, driver_features_sel;
    uint64_t driver_features;
    uint32_t queue_sel;
    uint32_t config_generation;
    Virtq queues[VIRTIO_MAX_QUEUES];
    GCond drained;
};

typedef struct VirtqClass {
    const char *name;
    uint16_t size;                             /* the most that the guest may choose */
    void (*on_kick)(VirtioDev *dev, Virtq *q); /* lock held, on the I/O thread */
} VirtqClass;

struct VirtioClass {
    DeviceClass device; /* .reset, .loaded, .destroy: virtio_dev_reset and so on */
    uint32_t device_id;
    VirtqClass queues[VIRTIO_MAX_QUEUES]; /* NULL name: absent */
    void (*reset)(VirtioDev *dev);        /* of what is the device's own; lock held; or NULL */
    void (*destroy)(VirtioDev *dev);      /* or NULL */
};

/* Where a board plugs a device in. */
typedef struct VirtioSlot {
    DeviceEnv env;
    IoThread *io;
    uint64_t base; /* VIRTIO_MMIO_SIZE bytes of registers */
    IrqLine irq;   /* level-triggered */
    const char *name;
} VirtioSlot;

/* A device of @class at @slot, offering @features besides the core's own. */
void *virtio_dev_new(const VirtioClass *class, const VirtioSlot *slot, uint64_t features);
/* The configuration space; called once, by the device's maker. */
void virtio_dev_set_config(VirtioDev *dev, const void *config, unsigned size);
bool virtio_dev_has_feature(const VirtioDev *dev, unsigned bit); /* negotiated */
/* The guest has broken the rules: the device stops until reset. */
void virtio_dev_broken(VirtioDev *dev, const char *why);

/* For VirtioClass.device. */
void virtio_dev_reset(Device *device);
bool virtio_dev_loaded(Device *device, GError **error);
void virtio_dev_destroy(Device *device);

/* Take the next chain that the guest has made available; false: there is none, or it broke the
 * rules, or this round has served enough (the rest follows in another). */
bool virtq_pop(Virtq *q, VirtqChain *chain);
/* Put the chain back that was popped last: the next virtq_pop() finds it again. */
void virtq_unpop(Virtq *q);
/* Give a chain back; @written bytes at its writable buffers' beginning are filled. */
void virtq_push(Virtq *q, const VirtqChain *chain, size_t written);
/* Open the device's lock for slow work on a popped chain, and close it again.  If end says false,
 * the queue has gone meanwhile: forget the chain, and return from on_kick. */
void virtq_begin_io(Virtq *q);
bool virtq_end_io(Virtq *q);
/* Have the queue's on_kick called soon. */
void virtq_kick(Virtq *q);

/* Copy from the chain's readable, or to its writable, buffers at @offset; returns how many bytes
 * there were to copy, at most @len. */
size_t virtq_chain_read(const VirtqChain *chain, size_t offset, void *buf, size_t len);
size_t virtq_chain_write(const VirtqChain *chain, size_t offset, const void *buf, size_t len);
/* The part of @iov that begins at @offset and is @len long (it must be there), in @ret; returns
 * the number of elements, at most @n. */
unsigned virtq_slice(const struct iovec *iov, unsigned n, size_t offset, size_t len,
                     struct iovec *ret);

/* transport (mmio.c) and queues (queue.c) among themselves */
extern const IoOps virtio_mmio_ops;
/* Check what the guest has set up; true: the queue runs. */
bool virtq_start(Virtq *q);
/* Stop the queue; waits for work in flight, with the lock open meanwhile. */
void virtq_stop(Virtq *q);
/* InterruptStatus has changed by @bits: set the line. */
void virtio_dev_interrupt(VirtioDev *dev, uint8_t bits);

enum { VIRTIO_INTERRUPT_QUEUE = 1, VIRTIO_INTERRUPT_CONFIG = 2 };
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

#define VIRTIO_SAVED_QUEUE(Type, n)                                                                \
    SAVED_RANGE(Type, virtio.queues[n].size, 0, VIRTQ_MAX_SIZE),                                   \
        SAVED(Type, virtio.queues[n].ready), SAVED(Type, virtio.queues[n].descriptors),            \
        SAVED(Type, virtio.queues[n].available), SAVED(Type, virtio.queues[n].used),               \
        SAVED(Type, virtio.queues[n].next_available), SAVED(Type, virtio.queues[n].next_used),     \
        SAVED(Type, virtio.queues[n].kicked)
/* The core's rows for the saved table of @Type, whose first member is VirtioDev virtio. */
#define VIRTIO_SAVED(Type)                                                                         \
    SAVED(Type, virtio.status), SAVED_RANGE(Type, virtio.interrupt, 0, 3),                         \
        SAVED(Type, virtio.device_features_sel), SAVED(Type, virtio.driver_features_sel),          \
        SAVED(Type, virtio.driver_features), SAVED(Type, virtio.queue_sel),                        \
        SAVED(Type, virtio.config_generation), VIRTIO_SAVED_QUEUE(Type, 0),                        \
        VIRTIO_SAVED_QUEUE(Type, 1)
