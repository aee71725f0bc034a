/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio 1.2 devices: what a device sees of the core, its queues, and the chains on them.
 *
 *     guest:  puts buffers into a queue and notifies
 *     device: virtq_pop() -> VirtqChain, copied out of the ring and checked
 *             ... serves it ...
 *             virtq_push(): the guest finds the chain used, and how many bytes were written
 *
 * Whether the queue's ring is a split or a packed one (queue_split.c, queue_packed.c) a device
 * never learns, nor which transport (transport.h) carries its registers.  A device is a struct
 * that begins with a VirtioDev, and a VirtioClass with a function per queue; absent members mean
 * "the usual".
 *
 * A guest is hostile: each descriptor is read once into our memory and only the copy is used;
 * buffers are RAM; loops, jumps, wrong directions and unaligned or misplaced rings set
 * DEVICE_NEEDS_RESET, and the device is dead until the guest resets it.
 *
 * Threads: registers on vCPU threads, queues on the machine's I/O thread, both under the device's
 * lock.  A device that does slow work on a chain opens the lock around it with virtq_begin_io()
 * and virtq_end_io(), or keeps chains while work goes on elsewhere with virtq_hold() and
 * virtq_release(); a reset waits until such work is done.
 */
#pragma once

#include <sys/uio.h>

#include "machine/core/device.h"
#include "machine/core/io_thread.h"
#include "machine/core/irq.h"
#include "machine/limits.h"

typedef struct VirtioClass VirtioClass;
typedef struct VirtioDev VirtioDev;
typedef struct VirtioTransport VirtioTransport;
typedef struct Virtq Virtq;
typedef struct VirtqRing VirtqRing;

/* Feature bits that the core itself offers (virtio 1.2, 6). */
enum {
    VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_RING_PACKED = 34,
    VIRTIO_F_IN_ORDER = 35,
    VIRTIO_F_RING_RESET = 40,
};
#define VIRTIO_FEATURE(bit) (UINT64_C(1) << (bit))

enum { VIRTIO_MAX_CONFIG = 0x100, VIRTIO_NO_VECTOR = 0xffff };

/* What is needed to give a chain back. */
typedef struct VirtqTicket {
    uint16_t id;    /* the chain's name */
    uint16_t slots; /* of the ring that it takes; of a split one always 1 */
    /* of a packed ring: its indirect table; 0: none */
    uint32_t table_len;
    uint64_t table_gpa;
} VirtqTicket;

/* A buffer of a chain, for a saved state. */
typedef struct VirtqBuffer {
    uint64_t gpa;
    uint32_t len;
    bool writable;
} VirtqBuffer;

/* Those that the ring itself may have lost by the time that its chain is wanted again. */
typedef struct VirtqKept {
    const VirtqBuffer *buffers;
    unsigned n;
} VirtqKept;

/* A chain of buffers: first those that the device reads, then those that it writes.  The iovecs
 * point into guest RAM, which the guest may change at any time: read each byte once. */
typedef struct VirtqChain {
    VirtqTicket ticket;
    unsigned n_out, n_in;
    size_t out_len, in_len; /* sums */
    struct iovec out[VIRTQ_MAX_SIZE], in[VIRTQ_MAX_SIZE];
    uint64_t out_gpa[VIRTQ_MAX_SIZE], in_gpa[VIRTQ_MAX_SIZE];
} VirtqChain;

struct Virtq {
    /* fixed after create */
    VirtioDev *dev;
    unsigned index;
    /* lock: device.lock; set by the guest */
    uint16_t size;
    uint16_t vector; /* of an MSI-X interrupt, for transports that have them */
    bool ready;
    uint64_t desc_gpa, driver_gpa, device_gpa; /* the ring's three areas */
    /* lock: device.lock; our own */
    uint16_t next_available, next_used;
    bool available_wrap, used_wrap; /* of a packed ring */
    bool kicked;
    uint16_t outstanding; /* slots of the ring that were popped and not given back */
    uint16_t filled;      /* slots between fill and flush */
    uint16_t first;       /* flags of a packed ring's first filled descriptor, until flush */
    unsigned budget;      /* chains that may still be popped in this round */
    unsigned in_flight;   /* chains held while work on them goes on */
    unsigned draining;    /* somebody waits until none is in flight */
    const VirtqRing *ring;
    uint8_t *desc, *driver, *device; /* the areas in our memory; valid while .ready */
};

struct VirtioDev {
    Device device;
    /* fixed after create */
    const VirtioTransport *transport;
    void *transport_opaque;
    IrqLine irq; /* of the MMIO transport */
    IoTask *task;
    uint64_t features; /* offered */
    unsigned n_queues;
    unsigned config_size;
    /* lock: device.lock */
    uint8_t config[VIRTIO_MAX_CONFIG];
    uint8_t status;
    uint8_t isr;      /* VIRTIO_INTERRUPT_: what the guest has not acknowledged */
    bool resetting;   /* a reset waits for work in flight: registers take no writes */
    bool paused;      /* no chain is popped */
    bool config_news; /* the driver has not looked at .config since it was told of a change */
    uint16_t config_vector;
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
    bool in_order; /* chains come back in the order in which they were popped */
    VirtqClass queues[VIRTIO_MAX_QUEUES]; /* NULL name behind the last */
    /* All with the lock held, and NULL where there is nothing to do. */
    void (*started)(VirtioDev *dev); /* DRIVER_OK: features are negotiated, queues run */
    void (*reset)(VirtioDev *dev);   /* of what is the device's own */
    bool (*loaded)(VirtioDev *dev, GError **error); /* after the core's own check */
    /* @q was stopped: chains of it that were popped and not given back mean nothing any more. */
    void (*stopped)(VirtioDev *dev, Virtq *q);
    /* The guest wrote to the configuration space; the bytes lie inside it. */
    void (*write_config)(VirtioDev *dev, unsigned offset, uint32_t value, unsigned size);
    void (*destroy)(VirtioDev *dev); /* without lock */
};

/* Where a board plugs a device in. */
typedef struct VirtioSlot {
    DeviceEnv env;
    IoThread *io;
    const char *name;
    uint64_t hidden; /* features that shall not be offered */
    /* NULL: virtio-mmio, with registers at .base and its interrupt, level-triggered, at .irq */
    const VirtioTransport *transport;
    void *transport_opaque;
    uint64_t base;
    IrqLine irq;
} VirtioSlot;

/* A device of @class at @slot, offering @features besides the core's own. */
void *virtio_dev_new(const VirtioClass *class, const VirtioSlot *slot, uint64_t features);
/* The configuration space; called by the device's maker, and with virtio_dev_config_changed(). */
void virtio_dev_set_config(VirtioDev *dev, const void *config, unsigned size);
/* Fewer queues than the class has; called by the device's maker. */
void virtio_dev_set_queues(VirtioDev *dev, unsigned n);
/* .config is another now: tell the guest.  Lock held. */
void virtio_dev_config_changed(VirtioDev *dev);
/* No driver runs that has still to look at a change it was told of. */
bool virtio_dev_config_known(VirtioDev *dev);
bool virtio_dev_has_feature(const VirtioDev *dev, unsigned bit); /* negotiated */
/* The driver runs and the device works.  Lock held. */
bool virtio_dev_runs(const VirtioDev *dev);
/* The guest has broken the rules: the device stops until reset. */
void virtio_dev_broken(VirtioDev *dev, const char *why);

/* For VirtioClass.device; all of them. */
void virtio_dev_reset(Device *device);
bool virtio_dev_loaded(Device *device, GError **error);
void virtio_dev_pause(Device *device, bool on);
void virtio_dev_destroy(Device *device);

/* Take the next chain that the guest has made available; false: there is none, or it broke the
 * rules, or this round has served enough (the rest follows in another). */
bool virtq_pop(Virtq *q, VirtqChain *chain);
/* Put the chain back that was popped last: the next virtq_pop() finds it again. */
void virtq_unpop(Virtq *q, VirtqTicket ticket);
/* What of @chain must be saved besides its ticket: at most as many buffers as it has slots; none,
 * where it can be read again.  Returns how many. */
unsigned virtq_keep(const Virtq *q, const VirtqChain *chain, VirtqBuffer *ret);
/* Take a chain again that was popped before the machine was saved, by its ticket and @kept from
 * then, which are checked like any descriptor; false: it is lost. */
bool virtq_pop_again(Virtq *q, VirtqTicket ticket, VirtqKept kept, VirtqChain *chain);
/* Begin a round outside on_kick: as many chains as the queue has may be popped. */
void virtq_begin_round(Virtq *q);
/* Give a chain back; @written bytes at its writable buffers' beginning are filled. */
void virtq_push(Virtq *q, const VirtqChain *chain, size_t written);
/* The same in two steps: what was filled the guest sees at once, when it is flushed.  Between them
 * nothing is pushed.  A caller that fills by ticket has told of its writes with gm_written(). */
void virtq_fill(Virtq *q, const VirtqChain *chain, size_t written);
void virtq_fill_ticket(Virtq *q, VirtqTicket ticket, size_t written);
void virtq_flush(Virtq *q);
/* Keep a popped chain while work on it goes on; the queue isn't stopped before it is released.
 * Lock held.  If release says false, the queue has gone meanwhile: forget the chain. */
void virtq_hold(Virtq *q);
bool virtq_release(Virtq *q);
/* The same, with the device's lock open between them, for slow work inside on_kick; if end says
 * false, return from on_kick. */
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

enum { VIRTIO_INTERRUPT_QUEUE = 1, VIRTIO_INTERRUPT_CONFIG = 2 };
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* The core's rows for the saved table of @Type, whose first member is VirtioDev virtio. */
#define VIRTIO_SAVED(Type)                                                                         \
    SAVED(Type, virtio.status), SAVED_RANGE(Type, virtio.isr, 0, 3),                               \
        SAVED(Type, virtio.config_vector), SAVED(Type, virtio.device_features_sel),                \
        SAVED(Type, virtio.driver_features_sel), SAVED(Type, virtio.driver_features),              \
        SAVED(Type, virtio.queue_sel), SAVED(Type, virtio.config_generation),                      \
        SAVED_EACH(Type, virtio.queues, size), /* checked when it starts */                        \
        SAVED_EACH(Type, virtio.queues, vector), SAVED_EACH(Type, virtio.queues, ready),           \
        SAVED_EACH(Type, virtio.queues, desc_gpa), SAVED_EACH(Type, virtio.queues, driver_gpa),    \
        SAVED_EACH(Type, virtio.queues, device_gpa),                                               \
        SAVED_EACH(Type, virtio.queues, next_available),                                           \
        SAVED_EACH(Type, virtio.queues, next_used),                                                \
        SAVED_EACH(Type, virtio.queues, available_wrap),                                           \
        SAVED_EACH(Type, virtio.queues, used_wrap), SAVED_EACH(Type, virtio.queues, kicked)
