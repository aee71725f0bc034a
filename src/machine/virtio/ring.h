/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a queue: what queue.c wants of the two forms of a ring, and the core of queue.c.
 *
 * Threads: all with the device's lock held.
 */
#pragma once

#include "machine/virtio/virtio.h"

enum {
    DESC_SIZE = 16,
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    DESC_INDIRECT = 4,
};

/* A form of ring. */
struct VirtqRing {
    /* Check what the guest has set up, and map the areas.  NULL, or what is wrong. */
    const char *(*start)(Virtq *q);
    /* Whether nothing is available; if so, ask the guest to tell us of more. */
    bool (*is_empty)(Virtq *q);
    /* Copy the next chain, which is there, and go on behind it.  NULL, or what is wrong. */
    const char *(*fetch)(Virtq *q, VirtqChain *chain);
    void (*put_back)(Virtq *q, VirtqTicket ticket);
    /* Whether a chain that was fetched, and not given back, can be fetched by its ticket alone. */
    bool (*keeps)(VirtqTicket ticket);
    /* Copy a chain that was fetched before; NULL, or what is wrong. */
    const char *(*fetch_again)(Virtq *q, VirtqTicket ticket, VirtqKept kept, VirtqChain *chain);
    /* Mark a chain used; the guest sees it no earlier than flush. */
    void (*fill)(Virtq *q, VirtqTicket ticket, uint32_t written);
    /* Show what was filled; whether the guest wants to hear of it. */
    bool (*flush)(Virtq *q);
};

extern const VirtqRing virtq_split, virtq_packed;

/* Back to the beginning of the ring. */
void virtq_rewind(Virtq *q);
/* Check what the guest has set up; true: the queue runs. */
bool virtq_start(Virtq *q);
/* Stop the queue; waits for work in flight, with the lock open meanwhile. */
void virtq_stop(Virtq *q);
/* .isr and the interrupt: @q has used buffers, or (NULL) the configuration is another.  In
 * core.c. */
void virtio_dev_interrupt(VirtioDev *dev, const Virtq *q);

/* RAM of the guest's, which the device may also write if @write; NULL: there is none. */
void *virtq_map(const Virtq *q, uint64_t gpa, uint64_t len, bool write);

/* For the rings: an empty chain. */
static inline void virtq_chain_clear(VirtqChain *chain)
{
    chain->n_out = chain->n_in = 0;
    chain->out_len = chain->in_len = 0;
}

/* Add the buffer that a descriptor describes; an empty one is nothing.  NULL, or what is wrong. */
const char *virtq_add_buffer(const Virtq *q, VirtqChain *chain, const void *desc);
/* Whether the descriptor may lead to an indirect table; sets where that is, and how many
 * descriptors it has.  NULL, or what is wrong. */
const char *virtq_indirect(const Virtq *q, const void *desc, const uint8_t **ret_table,
                           uint32_t *ret_n);
