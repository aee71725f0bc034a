/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-console with one port (virtio 1.2, section 5.3): a character stream each way.
 *
 * Nothing is kept here.  Input goes straight into buffers that the guest has posted, and the back
 * end holds what finds none.  Output that the back end doesn't take stays in the guest's queue:
 * the chain is put back and goes on where it stopped when there is room again.
 *
 * Threads: queues on the I/O thread; input and writable on the back end's; all under the device's
 * lock.
 */
#include "machine/virtio/console.h"

enum { RECEIVE = 0, TRANSMIT = 1 };

typedef struct Console {
    VirtioDev virtio;
    /* fixed after create */
    CharBackend *backend;
    CharListener listener;
    /* lock: virtio.device.lock */
    uint32_t sent;      /* bytes of the next chain to transmit that the back end already took */
    bool input_stopped; /* the back end waits for resume */
} Console;

/* Send what is left of @chain; whether all of it went. */
static bool send(Console *dev, const VirtqChain *chain)
{
    struct iovec left[VIRTQ_MAX_SIZE];
    size_t sent = MIN(dev->sent, chain->out_len);
    unsigned n = virtq_slice(chain->out, chain->n_out, sent, chain->out_len - sent, left);

    for (unsigned i = 0; i < n; i++) {
        size_t took = dev->backend->write(dev->backend->opaque, left[i].iov_base, left[i].iov_len);
        dev->sent += (uint32_t)took;
        if (took < left[i].iov_len) {
            return false;
        }
    }
    return true;
}

static void on_transmit(VirtioDev *virtio, Virtq *q)
{
    Console *dev = container_of(virtio, Console, virtio);
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        if (chain.out_len > UINT32_MAX) {
            virtio_dev_broken(virtio, "chain of over 4 GiB");
            return;
        }
        if (!send(dev, &chain)) {
            virtq_unpop(q, chain.ticket);
            return;
        }
        dev->sent = 0;
        virtq_push(q, &chain, 0);
    }
}

/* The guest has posted buffers: the back end may go on. */
static void on_receive(VirtioDev *virtio, Virtq *q)
{
    Console *dev = container_of(virtio, Console, virtio);

    if (dev->input_stopped) {
        dev->input_stopped = false;
        dev->backend->resume(dev->backend->opaque);
    }
}

static size_t on_input(void *opaque, const uint8_t *data, size_t len)
{
    Console *dev = opaque;
    Virtq *q = &dev->virtio.queues[RECEIVE];
    VirtqChain chain;
    size_t taken = 0;

    g_mutex_lock(&dev->virtio.device.lock);
    virtq_begin_round(q);
    while (taken < len && virtq_pop(q, &chain)) {
        size_t written = virtq_chain_write(&chain, 0, data + taken, len - taken);
        virtq_push(q, &chain, written);
        taken += written;
    }
    dev->input_stopped = taken < len;
    g_mutex_unlock(&dev->virtio.device.lock);
    return taken;
}

static void on_writable(void *opaque)
{
    Console *dev = opaque;

    g_mutex_lock(&dev->virtio.device.lock);
    virtq_kick(&dev->virtio.queues[TRANSMIT]);
    g_mutex_unlock(&dev->virtio.device.lock);
}

static void reset(VirtioDev *virtio)
{
    container_of(virtio, Console, virtio)->sent = 0;
}

static void destroy(VirtioDev *virtio)
{
    Console *dev = container_of(virtio, Console, virtio);

    dev->backend->attach(dev->backend->opaque, NULL);
}

static const SavedField saved[] = { VIRTIO_SAVED(Console), SAVED(Console, sent), { 0 } };

const VirtioClass virtio_console_class = {
    .device = {
        .name = "virtio-console",
        .summary = "console with one port",
        .instance_size = sizeof(Console),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = virtio_dev_pause,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 3,
    .in_order = true,
    .queues = {
        [RECEIVE] = { .name = "receive", .size = 64, .on_kick = on_receive },
        [TRANSMIT] = { .name = "transmit", .size = 64, .on_kick = on_transmit },
    },
    .reset = reset,
    .destroy = destroy,
};

VirtioDev *virtio_console_new(const VirtioSlot *slot, CharBackend *backend)
{
    Console *dev = virtio_dev_new(&virtio_console_class, slot, 0);

    dev->backend = backend;
    dev->listener = (CharListener){ .opaque = dev, .input = on_input, .writable = on_writable };
    backend->attach(backend->opaque, &dev->listener);
    return &dev->virtio;
}
