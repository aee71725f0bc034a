/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split virtqueues (virtio 1.2, 2.7), see virtio.h.
 *
 * Ring indices are free-running 16-bit numbers.  The guest's are read before what they announce,
 * ours are written after it.  Each side also writes its index and then reads when the other wants
 * to be told: that needs sequential consistency, so all of these accesses have it.
 *
 * Threads: see virtio.h.
 */
#include <string.h>

#include "machine/virtio/virtio.h"

enum { DESC_SIZE = 16, DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAILABLE_NO_INTERRUPT = 1 };

/* A descriptor, copied out of guest RAM. */
typedef struct Descriptor {
    uint64_t gpa;
    uint32_t len;
    uint16_t flags, next;
} Descriptor;
_Static_assert(sizeof(Descriptor) == DESC_SIZE, "virtio 1.2, 2.7.5");

/* The two rings begin with flags and index, then elements, then the other side's event index. */
enum { RING_FLAGS = 0, RING_INDEX = 2, RING_ELEMENTS = 4, USED_ELEMENT = 8 };

static size_t available_size(unsigned size)
{
    return RING_ELEMENTS + 2 * (size_t)size + 2;
}

static size_t used_size(unsigned size)
{
    return RING_ELEMENTS + USED_ELEMENT * (size_t)size + 2;
}

static uint16_t ring_load(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_SEQ_CST);
}

static void ring_store(Virtq *q, size_t offset, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)(q->used_hva + offset), value, __ATOMIC_SEQ_CST);
    gm_written(q->dev->device.env.memory, q->used + offset, sizeof(value));
}

bool virtq_start(Virtq *q)
{
    const VirtioClass *class = container_of(q->dev->device.class, VirtioClass, device);
    const GuestMemory *memory = q->dev->device.env.memory;

    if (!is_power_of_two(q->size) || q->size > class->queues[q->index].size) {
        virtio_dev_broken(q->dev, "queue size");
        return false;
    }
    if (q->descriptors % 16 || q->available % 2 || q->used % 4) {
        virtio_dev_broken(q->dev, "unaligned ring");
        return false;
    }
    q->descriptors_hva = gm_ram(memory, q->descriptors, (uint64_t)q->size * DESC_SIZE);
    q->available_hva = gm_ram(memory, q->available, available_size(q->size));
    q->used_hva = gm_ram(memory, q->used, used_size(q->size));
    if (!q->descriptors_hva || !q->available_hva || !q->used_hva) {
        virtio_dev_broken(q->dev, "ring outside memory");
        return false;
    }
    q->ready = true;
    return true;
}

void virtq_stop(Virtq *q)
{
    q->draining++;
    while (q->in_flight) {
        g_cond_wait(&q->dev->drained, &q->dev->device.lock);
    }
    q->draining--;
    q->ready = false;
    q->kicked = false;
    q->descriptors_hva = q->available_hva = q->used_hva = NULL;
}

void virtq_begin_io(Virtq *q)
{
    q->in_flight++;
    g_mutex_unlock(&q->dev->device.lock);
}

bool virtq_end_io(Virtq *q)
{
    g_mutex_lock(&q->dev->device.lock);
    q->in_flight--;
    g_cond_broadcast(&q->dev->drained);
    return !q->draining && q->ready && !(q->dev->status & VIRTIO_STATUS_NEEDS_RESET);
}

void virtq_kick(Virtq *q)
{
    q->kicked = true;
    io_task_schedule(q->dev->task);
}

/* Add one buffer to the chain; an empty one is nothing.  NULL, or what is wrong. */
static const char *add_buffer(const Virtq *q, VirtqChain *chain, const Descriptor *d)
{
    bool writable = d->flags & DESC_WRITE;

    if (!writable && chain->n_in) {
        return "readable buffer behind a writable one";
    }
    if (!d->len) {
        return NULL;
    }
    void *hva = gm_ram(q->dev->device.env.memory, d->gpa, d->len);
    if (!hva) {
        return "buffer outside memory";
    }
    struct iovec part = { .iov_base = hva, .iov_len = d->len };
    if (writable) {
        chain->in_gpa[chain->n_in] = d->gpa;
        chain->in[chain->n_in++] = part;
        chain->in_len += d->len;
    } else {
        chain->out[chain->n_out++] = part;
        chain->out_len += d->len;
    }
    return NULL;
}

/* A table of descriptors: the queue's own, or an indirect one. */
typedef struct DescTable {
    const uint8_t *hva;
    uint32_t n;
    bool indirect;
} DescTable;

/* Go from @table to the indirect one that @d names.  NULL, or what is wrong. */
static const char *enter_indirect(const Virtq *q, const Descriptor *d, DescTable *table)
{
    if (table->indirect || !virtio_dev_has_feature(q->dev, VIRTIO_F_INDIRECT_DESC)) {
        return "indirect descriptor not allowed";
    }
    if ((d->flags & DESC_NEXT) || !d->len || d->len % DESC_SIZE) {
        return "malformed indirect descriptor";
    }
    table->hva = gm_ram(q->dev->device.env.memory, d->gpa, d->len);
    table->n = d->len / DESC_SIZE;
    table->indirect = true;
    return table->hva ? NULL : "indirect table outside memory";
}

/* Collect the chain that begins at descriptor @head.  NULL, or what is wrong. */
static const char *collect(const Virtq *q, uint16_t head, VirtqChain *chain)
{
    DescTable table = { .hva = q->descriptors_hva, .n = q->size };
    uint32_t index = head;
    const char *wrong = NULL;

    chain->head = head;
    chain->n_out = chain->n_in = 0;
    chain->out_len = chain->in_len = 0;
    for (unsigned step = 0; step < q->size && !wrong; step++) {
        Descriptor d;
        if (index >= table.n) {
            return "descriptor number beyond the table";
        }
        memcpy(&d, table.hva + (size_t)index * DESC_SIZE, sizeof(d));
        if (d.flags & DESC_INDIRECT) {
            wrong = enter_indirect(q, &d, &table);
            index = 0;
            step--; /* the descriptor that leads there is not one of the chain */
            continue;
        }
        wrong = add_buffer(q, chain, &d);
        if (!(d.flags & DESC_NEXT)) {
            return wrong;
        }
        index = d.next;
    }
    return wrong ? wrong : "chain longer than the queue";
}

/* Ask to be told of the next chain, and look whether it came meanwhile. */
static bool is_empty(Virtq *q)
{
    if (ring_load(q->available_hva + RING_INDEX) != q->next_available) {
        return false;
    }
    if (virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX)) {
        ring_store(q, RING_ELEMENTS + USED_ELEMENT * (size_t)q->size, q->next_available);
    }
    return ring_load(q->available_hva + RING_INDEX) == q->next_available;
}

bool virtq_pop(Virtq *q, VirtqChain *chain)
{
    if (!q->ready || (q->dev->status & VIRTIO_STATUS_NEEDS_RESET) || is_empty(q)) {
        return false;
    }
    if (!q->budget) {
        virtq_kick(q);
        return false;
    }
    q->budget--;
    uint16_t waiting = ring_load(q->available_hva + RING_INDEX) - q->next_available;
    if (waiting > q->size) {
        virtio_dev_broken(q->dev, "available index jumped");
        return false;
    }
    size_t slot = q->next_available % q->size;
    uint16_t head = ring_load(q->available_hva + RING_ELEMENTS + 2 * slot);
    const char *wrong = collect(q, head, chain);
    if (wrong) {
        virtio_dev_broken(q->dev, wrong);
        return false;
    }
    q->next_available++;
    return true;
}

void virtq_unpop(Virtq *q)
{
    q->next_available--;
    q->budget++;
}

/* Whether the guest wants an interrupt now that the used index went from @old to @new. */
static bool wants_interrupt(const Virtq *q, uint16_t old, uint16_t new)
{
    if (!virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX)) {
        return !(ring_load(q->available_hva + RING_FLAGS) & AVAILABLE_NO_INTERRUPT);
    }
    uint16_t event = ring_load(q->available_hva + RING_ELEMENTS + 2 * (size_t)q->size);
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtq_push(Virtq *q, const VirtqChain *chain, size_t written)
{
    GuestMemory *memory = q->dev->device.env.memory;
    size_t left = written;

    if (!q->ready) {
        return;
    }
    for (unsigned i = 0; i < chain->n_in && left; i++) {
        size_t len = MIN(left, chain->in[i].iov_len);
        gm_written(memory, chain->in_gpa[i], len);
        left -= len;
    }
    size_t offset = RING_ELEMENTS + USED_ELEMENT * (size_t)(q->next_used % q->size);
    store_le32(q->used_hva + offset, chain->head);
    store_le32(q->used_hva + offset + 4, (uint32_t)MIN(written, UINT32_MAX));
    gm_written(memory, q->used + offset, USED_ELEMENT);
    uint16_t old = q->next_used++;
    ring_store(q, RING_INDEX, q->next_used);
    if (wants_interrupt(q, old, q->next_used)) {
        virtio_dev_interrupt(q->dev, VIRTIO_INTERRUPT_QUEUE);
    }
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
