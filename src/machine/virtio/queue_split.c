/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split rings (virtio 1.2, 2.7): three arrays in guest RAM, each of the queue's size.
 *
 *   descriptors  buffers: gpa, length, "the device may write it", "there is a next"
 *   available    the guest writes: a ring of numbers, each of a chain's first descriptor
 *   used         we write: a ring of (first descriptor, bytes written)
 *
 * Indices are free-running 16-bit numbers.  The guest's are read before what they announce, ours
 * are written after it.  Each side also writes its index and then reads when the other wants to be
 * told: that needs sequential consistency, so all of these accesses have it.
 *
 * Threads: see virtio.h.
 */
#include <string.h>

#include "machine/virtio/ring.h"

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
    __atomic_store_n((uint16_t *)(void *)(q->device + offset), value, __ATOMIC_SEQ_CST);
    gm_written(q->dev->device.env.memory, q->device_gpa + offset, sizeof(value));
}

static const char *start(Virtq *q)
{
    if (!is_power_of_two(q->size)) {
        return "queue size";
    }
    if (q->desc_gpa % 16 || q->driver_gpa % 2 || q->device_gpa % 4) {
        return "unaligned ring";
    }
    q->desc = virtq_map(q, q->desc_gpa, (uint64_t)q->size * DESC_SIZE, false);
    q->driver = virtq_map(q, q->driver_gpa, available_size(q->size), false);
    q->device = virtq_map(q, q->device_gpa, used_size(q->size), true);
    return q->desc && q->driver && q->device ? NULL : "ring outside memory";
}

static bool is_empty(Virtq *q)
{
    if (ring_load(q->driver + RING_INDEX) != q->next_available) {
        return false;
    }
    if (virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX)) {
        ring_store(q, RING_ELEMENTS + USED_ELEMENT * (size_t)q->size, q->next_available);
    }
    /* a chain may have come before the guest could see that we want to be told */
    return ring_load(q->driver + RING_INDEX) == q->next_available;
}

/* A table of descriptors: the queue's own, or an indirect one. */
typedef struct DescTable {
    const uint8_t *hva;
    uint32_t n;
    bool indirect;
} DescTable;

/* Collect the chain that begins at descriptor @head.  NULL, or what is wrong. */
static const char *collect(const Virtq *q, uint16_t head, VirtqChain *chain)
{
    DescTable table = { .hva = q->desc, .n = q->size };
    uint32_t index = head;
    const char *wrong = NULL;

    for (unsigned step = 0; step < q->size && !wrong; step++) {
        Descriptor d;
        if (index >= table.n) {
            return "descriptor number beyond the table";
        }
        memcpy(&d, table.hva + (size_t)index * DESC_SIZE, sizeof(d));
        if (d.flags & DESC_INDIRECT) {
            wrong = table.indirect ? "indirect descriptor not allowed"
                                   : virtq_indirect(q, &d, &table.hva, &table.n);
            table.indirect = true;
            index = 0;
            step--; /* the descriptor that leads there is not one of the chain */
            continue;
        }
        wrong = virtq_add_buffer(q, chain, &d);
        if (!(d.flags & DESC_NEXT)) {
            return wrong;
        }
        index = d.next;
    }
    return wrong ? wrong : "chain longer than the queue";
}

static const char *fetch(Virtq *q, VirtqChain *chain)
{
    uint16_t waiting = ring_load(q->driver + RING_INDEX) - q->next_available;

    if (waiting > q->size) {
        return "available index jumped";
    }
    size_t slot = q->next_available % q->size;
    virtq_chain_clear(chain);
    chain->ticket =
        (VirtqTicket){ .id = ring_load(q->driver + RING_ELEMENTS + 2 * slot), .slots = 1 };
    const char *wrong = collect(q, chain->ticket.id, chain);
    if (!wrong) {
        q->next_available++;
    }
    return wrong;
}

static void put_back(Virtq *q, VirtqTicket ticket)
{
    q->next_available--;
}

/* Its descriptors are the device's until it is given back. */
static bool keeps(VirtqTicket ticket)
{
    return true;
}

static const char *fetch_again(Virtq *q, VirtqTicket ticket, VirtqKept kept, VirtqChain *chain)
{
    return collect(q, ticket.id, chain);
}

static void fill(Virtq *q, VirtqTicket ticket, uint32_t written)
{
    uint16_t index = q->next_used + q->filled++;
    size_t offset = RING_ELEMENTS + USED_ELEMENT * (size_t)(index % q->size);

    store_le32(q->device + offset, ticket.id);
    store_le32(q->device + offset + 4, written);
    gm_written(q->dev->device.env.memory, q->device_gpa + offset, USED_ELEMENT);
}

/* Whether the guest wants an interrupt now that the used index went from @old to @new. */
static bool wants_interrupt(const Virtq *q, uint16_t old, uint16_t new)
{
    if (!virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX)) {
        return !(ring_load(q->driver + RING_FLAGS) & AVAILABLE_NO_INTERRUPT);
    }
    uint16_t event = ring_load(q->driver + RING_ELEMENTS + 2 * (size_t)q->size);
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static bool flush(Virtq *q)
{
    uint16_t old = q->next_used;

    q->next_used += q->filled;
    q->filled = 0;
    ring_store(q, RING_INDEX, q->next_used);
    return wants_interrupt(q, old, q->next_used);
}

const VirtqRing virtq_split = {
    .start = start,
    .is_empty = is_empty,
    .fetch = fetch,
    .put_back = put_back,
    .keeps = keeps,
    .fetch_again = fetch_again,
    .fill = fill,
    .flush = flush,
};
