/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues (virtio 1.2, 2.6), see virtio.h: what both forms of ring have in common.
 *
 * Threads: see virtio.h.
 */
#include <string.h>

#include "machine/virtio/ring.h"
#include "machine/virtio/transport.h"

void virtq_rewind(Virtq *q)
{
    q->next_available = q->next_used = 0;
    q->available_wrap = q->used_wrap = true;
    q->filled = q->outstanding = 0;
}

bool virtq_start(Virtq *q)
{
    q->ring = virtio_dev_has_feature(q->dev, VIRTIO_F_RING_PACKED) ? &virtq_packed : &virtq_split;
    const char *wrong = !q->size || q->size > virtio_core_queue_max(q) ? "queue size" : NULL;
    if (!wrong) {
        wrong = q->ring->start(q);
    }
    if (wrong) {
        virtio_dev_broken(q->dev, wrong);
        return false;
    }
    q->filled = q->outstanding = 0;
    q->ready = true;
    return true;
}

void virtq_stop(Virtq *q)
{
    const VirtioClass *class = container_of(q->dev->device.class, VirtioClass, device);

    q->draining++;
    while (q->in_flight) {
        g_cond_wait(&q->dev->drained, &q->dev->device.lock);
    }
    q->draining--;
    q->ready = false;
    q->kicked = false;
    q->desc = q->driver = q->device = NULL;
    if (class->stopped) {
        class->stopped(q->dev, q);
    }
}

/* --- chains in work --- */

void virtq_hold(Virtq *q)
{
    q->in_flight++;
}

bool virtq_release(Virtq *q)
{
    g_assert(q->in_flight);
    q->in_flight--;
    g_cond_broadcast(&q->dev->drained);
    return !q->draining && q->ready && virtio_dev_runs(q->dev);
}

void virtq_begin_io(Virtq *q)
{
    virtq_hold(q);
    g_mutex_unlock(&q->dev->device.lock);
}

bool virtq_end_io(Virtq *q)
{
    g_mutex_lock(&q->dev->device.lock);
    return virtq_release(q);
}

void virtq_kick(Virtq *q)
{
    q->kicked = true;
    io_task_schedule(q->dev->task);
}

/* --- chains --- */

/* A descriptor of either form of ring, as far as they agree. */
typedef struct Buffer {
    uint64_t gpa;
    uint32_t len;
} Buffer;

/* Where the flags stand: in a split ring's descriptor, and in a packed one's. */
static uint16_t flags_of(const Virtq *q, const uint8_t *desc)
{
    return load_le16(desc + (q->ring == &virtq_packed ? 14 : 12));
}

void *virtq_map(const Virtq *q, uint64_t gpa, uint64_t len, bool write)
{
    const GuestMemory *memory = q->dev->device.env.memory;

    return write ? gm_ram(memory, gpa, len) : (void *)(uintptr_t)gm_rom(memory, gpa, len);
}

const char *virtq_add_buffer(const Virtq *q, VirtqChain *chain, const void *desc)
{
    Buffer buffer;

    memcpy(&buffer, desc, sizeof(buffer));
    bool writable = flags_of(q, desc) & DESC_WRITE;
    if (!writable && chain->n_in) {
        return "readable buffer behind a writable one";
    }
    if (!buffer.len) {
        return NULL;
    }
    void *hva = virtq_map(q, buffer.gpa, buffer.len, writable);
    if (!hva) {
        return "buffer outside memory";
    }
    struct iovec part = { .iov_base = hva, .iov_len = buffer.len };
    if (writable) {
        chain->in_gpa[chain->n_in] = buffer.gpa;
        chain->in[chain->n_in++] = part;
        chain->in_len += buffer.len;
    } else {
        chain->out_gpa[chain->n_out] = buffer.gpa;
        chain->out[chain->n_out++] = part;
        chain->out_len += buffer.len;
    }
    return NULL;
}

const char *virtq_indirect(const Virtq *q, const void *desc, const uint8_t **ret_table,
                           uint32_t *ret_n)
{
    Buffer buffer;

    memcpy(&buffer, desc, sizeof(buffer));
    if (!virtio_dev_has_feature(q->dev, VIRTIO_F_INDIRECT_DESC)) {
        return "indirect descriptor not allowed";
    }
    if ((flags_of(q, desc) & DESC_NEXT) || !buffer.len || buffer.len % DESC_SIZE) {
        return "malformed indirect descriptor";
    }
    *ret_table = virtq_map(q, buffer.gpa, buffer.len, false);
    *ret_n = buffer.len / DESC_SIZE;
    return *ret_table ? NULL : "indirect table outside memory";
}

void virtq_begin_round(Virtq *q)
{
    q->budget = q->size;
}

bool virtq_pop(Virtq *q, VirtqChain *chain)
{
    if (!q->ready || q->draining || q->dev->paused || !virtio_dev_runs(q->dev) ||
        q->ring->is_empty(q)) {
        return false;
    }
    if (!q->budget) {
        virtq_kick(q);
        return false;
    }
    q->budget--;
    const char *wrong = q->ring->fetch(q, chain);
    if (!wrong && chain->ticket.slots > q->size - q->outstanding) {
        wrong = "more chains than the ring holds";
    }
    if (wrong) {
        virtio_dev_broken(q->dev, wrong);
        return false;
    }
    q->outstanding += chain->ticket.slots;
    return true;
}

void virtq_unpop(Virtq *q, VirtqTicket ticket)
{
    if (q->ready) {
        q->ring->put_back(q, ticket);
        q->outstanding -= ticket.slots;
        q->budget++;
    }
}

unsigned virtq_keep(const Virtq *q, const VirtqChain *chain, VirtqBuffer *ret)
{
    unsigned n = 0;

    if (q->ring->keeps(chain->ticket)) {
        return 0;
    }
    for (unsigned i = 0; i < chain->n_out; i++) {
        ret[n++] = (VirtqBuffer){ chain->out_gpa[i], (uint32_t)chain->out[i].iov_len, false };
    }
    for (unsigned i = 0; i < chain->n_in; i++) {
        ret[n++] = (VirtqBuffer){ chain->in_gpa[i], (uint32_t)chain->in[i].iov_len, true };
    }
    return n;
}

bool virtq_pop_again(Virtq *q, VirtqTicket ticket, VirtqKept kept, VirtqChain *chain)
{
    virtq_chain_clear(chain);
    if (!q->ready || !ticket.slots || ticket.slots > q->size - q->outstanding ||
        q->ring->fetch_again(q, ticket, kept, chain)) {
        return false;
    }
    chain->ticket = ticket;
    q->outstanding += ticket.slots;
    return true;
}

void virtq_fill_ticket(Virtq *q, VirtqTicket ticket, size_t written)
{
    if (q->ready) {
        q->ring->fill(q, ticket, (uint32_t)MIN(written, UINT32_MAX));
        q->outstanding -= ticket.slots;
    }
}

void virtq_fill(Virtq *q, const VirtqChain *chain, size_t written)
{
    size_t left = written;

    for (unsigned i = 0; i < chain->n_in && left; i++) {
        size_t len = MIN(left, chain->in[i].iov_len);
        gm_written(q->dev->device.env.memory, chain->in_gpa[i], len);
        left -= len;
    }
    virtq_fill_ticket(q, chain->ticket, written);
}

void virtq_flush(Virtq *q)
{
    if (q->ready && q->filled && q->ring->flush(q)) {
        virtio_dev_interrupt(q->dev, q);
    }
}

void virtq_push(Virtq *q, const VirtqChain *chain, size_t written)
{
    virtq_fill(q, chain, written);
    virtq_flush(q);
}

/* Where @offset lies in @iov: sets the element and the offset in it; false: behind the end. */
static bool seek(const struct iovec *iov, unsigned n, unsigned *i, size_t *offset)
{
    for (*i = 0; *i < n; ++*i) {
        if (*offset < iov[*i].iov_len) {
            return true;
        }
        *offset -= iov[*i].iov_len;
    }
    return false;
}

unsigned virtq_slice(const struct iovec *iov, unsigned n, size_t offset, size_t len,
                     struct iovec *ret)
{
    unsigned count = 0, i;

    if (!seek(iov, n, &i, &offset)) {
        return 0;
    }
    for (; i < n && len; i++, offset = 0) {
        size_t part = MIN(len, iov[i].iov_len - offset);
        ret[count++] = (struct iovec){ (uint8_t *)iov[i].iov_base + offset, part };
        len -= part;
    }
    return count;
}

/* Copy between @buf and @iov at @offset; returns the bytes copied. */
static size_t copy(const struct iovec *iov, unsigned n, size_t offset, uint8_t *buf, size_t len,
                   bool to_iov)
{
    size_t done = 0;
    unsigned i;

    if (!seek(iov, n, &i, &offset)) {
        return 0;
    }
    for (; i < n && done < len; i++, offset = 0) {
        size_t part = MIN(len - done, iov[i].iov_len - offset);
        uint8_t *at = (uint8_t *)iov[i].iov_base + offset;
        memcpy(to_iov ? at : buf + done, to_iov ? buf + done : at, part);
        done += part;
    }
    return done;
}

size_t virtq_chain_read(const VirtqChain *chain, size_t offset, void *buf, size_t len)
{
    return copy(chain->out, chain->n_out, offset, buf, len, false);
}

size_t virtq_chain_write(const VirtqChain *chain, size_t offset, const void *buf, size_t len)
{
    return copy(chain->in, chain->n_in, offset, (uint8_t *)(uintptr_t)buf, len, true);
}
