/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng: hands host randomness to the guest (virtio 1.2, section 5.4).
 *
 * One queue.  The guest posts empty buffers; we fill them and hand them back.  No configuration
 * space, no feature bits.
 *
 * Threads: the queue on the I/O thread.
 * Read first: machine/virtio/virtio.h (what a queue and a chain are).
 */
#include "machine/virtio/rng.h"

#include <sys/random.h>

typedef struct Rng {
    VirtioDev virtio;
    uint64_t bytes_given; /* since reset */
} Rng;

/* Fills the writable part of @chain and returns how many bytes it wrote.  A short answer is legal,
 * so one request never costs more than RNG_MAX_REPLY bytes, however large a buffer the guest
 * posts. */
static size_t fill(const VirtqChain *chain)
{
    size_t done = 0;

    for (unsigned i = 0; i < chain->n_in && done < RNG_MAX_REPLY; i++) {
        size_t want = MIN(chain->in[i].iov_len, RNG_MAX_REPLY - done);
        ssize_t got = getrandom(chain->in[i].iov_base, want, 0);
        if (got > 0) {
            done += (size_t)got;
        }
        if (got != (ssize_t)want) {
            break; /* the guest will ask again */
        }
    }
    return done;
}

static void on_kick(VirtioDev *virtio, Virtq *q)
{
    Rng *dev = container_of(virtio, Rng, virtio);
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        size_t written = fill(&chain);
        dev->bytes_given += written;
        virtq_push(q, &chain, written);
    }
}

static void reset(VirtioDev *virtio)
{
    container_of(virtio, Rng, virtio)->bytes_given = 0;
}

static const SavedField saved[] = { VIRTIO_SAVED(Rng), SAVED(Rng, bytes_given), { 0 } };

const VirtioClass virtio_rng_class = {
    .device = {
        .name = "virtio-rng",
        .summary = "random numbers from the host",
        .instance_size = sizeof(Rng),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = virtio_dev_pause,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 4,
    .in_order = true,
    .queues = { { .name = "requests", .size = 64, .on_kick = on_kick } },
    .reset = reset,
};

VirtioDev *virtio_rng_new(const VirtioSlot *slot)
{
    return virtio_dev_new(&virtio_rng_class, slot, 0);
}
