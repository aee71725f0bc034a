/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings (virtio 1.2, 2.8): one array of descriptors that both sides write, and a word each
 * by which they say when they want to be told.
 *
 *   descriptor   gpa, length, id, flags; AVAIL and USED among the flags
 *
 * Each side goes round the ring and keeps a wrap counter, a bit that changes with each lap.  A
 * descriptor is available when AVAIL equals the guest's counter and USED does not; we make it used
 * by setting both to ours.  A chain is neighbours in the ring, with NEXT in all but the last,
 * which has its id; back comes one descriptor with that id, in the place of the first one that
 * wasn't given back yet, and we skip as many as the chain had.
 *
 * Several chains that shall be seen at once are written in order, but for the flags of the first:
 * the guest stops there.
 *
 * Threads: see virtio.h.
 */
#include <string.h>

#include "machine/virtio/ring.h"

enum { DESC_AVAIL = 0x80, DESC_USED = 0x8000 };

/* A descriptor, copied out of guest RAM. */
typedef struct Descriptor {
    uint64_t gpa;
    uint32_t len;
    uint16_t id, flags;
} Descriptor;
_Static_assert(sizeof(Descriptor) == DESC_SIZE, "virtio 1.2, 2.8.13");
enum { DESC_FLAGS = offsetof(Descriptor, flags) };

/* Event suppression (2.8.10): a ring position, its lap in the highest bit; then what it means. */
enum { EVENT_SIZE = 4, EVENT_WRAP = 0x8000 };
enum { EVENT_ALWAYS = 0, EVENT_NEVER = 1, EVENT_AT = 2 };

static const char *start(Virtq *q)
{
    if (q->desc_gpa % 16 || q->driver_gpa % 4 || q->device_gpa % 4) {
        return "unaligned ring";
    }
    if (q->next_available >= q->size || q->next_used >= q->size) {
        return "index beyond the ring"; /* of a loaded state */
    }
    q->desc = virtq_map(q, q->desc_gpa, (uint64_t)q->size * DESC_SIZE, true);
    q->driver = virtq_map(q, q->driver_gpa, EVENT_SIZE, false);
    q->device = virtq_map(q, q->device_gpa, EVENT_SIZE, true);
    return q->desc && q->driver && q->device ? NULL : "ring outside memory";
}

/* Go @slots on from *@at, and round. */
static void advance(const Virtq *q, uint16_t *at, bool *wrap, unsigned slots)
{
    unsigned next = *at + slots;

    if (next >= q->size) {
        next -= q->size;
        *wrap = !*wrap;
    }
    *at = (uint16_t)next;
}

static uint16_t load_flags(const Virtq *q, unsigned at)
{
    const void *flags = q->desc + (size_t)at * DESC_SIZE + DESC_FLAGS;

    return __atomic_load_n((const uint16_t *)flags, __ATOMIC_SEQ_CST);
}

static bool is_available(const Virtq *q)
{
    uint16_t flags = load_flags(q, q->next_available);

    return !!(flags & DESC_AVAIL) == q->available_wrap &&
           !!(flags & DESC_USED) != q->available_wrap;
}

static bool is_empty(Virtq *q)
{
    bool indexed = virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX);
    uint32_t event = EVENT_ALWAYS;

    if (is_available(q)) {
        return false;
    }
    if (indexed) {
        event = (uint32_t)q->next_available | (q->available_wrap ? EVENT_WRAP : 0) | EVENT_AT << 16;
    }
    __atomic_store_n((uint32_t *)(void *)q->device, event, __ATOMIC_SEQ_CST);
    gm_written(q->dev->device.env.memory, q->device_gpa, EVENT_SIZE);
    /* a chain may have come before the guest could see that we want to be told */
    return !is_available(q);
}

/* The buffers of an indirect table: neighbours, as many as there are. */
static const char *collect_indirect(const Virtq *q, const Descriptor *d, VirtqChain *chain)
{
    const uint8_t *table = NULL;
    uint32_t n = 0;
    const char *wrong = virtq_indirect(q, d, &table, &n);

    chain->ticket.table_gpa = d->gpa;
    chain->ticket.table_len = d->len;
    if (!wrong && n > q->size) {
        return "chain longer than the queue";
    }
    for (uint32_t i = 0; i < n && !wrong; i++) {
        Descriptor entry;
        memcpy(&entry, table + (size_t)i * DESC_SIZE, sizeof(entry));
        wrong = entry.flags & DESC_INDIRECT ? "indirect descriptor not allowed"
                                            : virtq_add_buffer(q, chain, &entry);
    }
    return wrong;
}

static const char *fetch(Virtq *q, VirtqChain *chain)
{
    uint16_t at = q->next_available;
    bool wrap = q->available_wrap;
    const char *wrong = NULL;

    virtq_chain_clear(chain);
    chain->ticket = (VirtqTicket){ 0 };
    for (unsigned slots = 1; slots <= q->size && !wrong; slots++) {
        Descriptor d;
        memcpy(&d, q->desc + (size_t)at * DESC_SIZE, sizeof(d));
        advance(q, &at, &wrap, 1);
        if (!(d.flags & DESC_INDIRECT)) {
            wrong = virtq_add_buffer(q, chain, &d);
        } else if (slots > 1) {
            wrong = "indirect descriptor not allowed";
        } else {
            wrong = collect_indirect(q, &d, chain);
        }
        if (!wrong && !(d.flags & DESC_NEXT)) {
            chain->ticket.id = d.id;
            chain->ticket.slots = (uint16_t)slots;
            q->next_available = at;
            q->available_wrap = wrap;
            return NULL;
        }
    }
    return wrong ? wrong : "chain longer than the queue";
}

static void put_back(Virtq *q, VirtqTicket ticket)
{
    if (q->next_available < ticket.slots) {
        q->next_available += q->size;
        q->available_wrap = !q->available_wrap;
    }
    q->next_available -= ticket.slots;
}

/* What stood in the ring itself may have been written over by chains that were given back since. */
static bool keeps(VirtqTicket ticket)
{
    return ticket.table_len != 0;
}

static const char *fetch_again(Virtq *q, VirtqTicket ticket, VirtqKept kept, VirtqChain *chain)
{
    const char *wrong = kept.n > ticket.slots ? "more buffers than slots" : NULL;

    if (keeps(ticket)) {
        const Descriptor table = { .gpa = ticket.table_gpa,
                                   .len = ticket.table_len,
                                   .flags = DESC_INDIRECT };
        return collect_indirect(q, &table, chain);
    }
    for (unsigned i = 0; i < kept.n && !wrong; i++) {
        const Descriptor d = { .gpa = kept.buffers[i].gpa,
                               .len = kept.buffers[i].len,
                               .flags = kept.buffers[i].writable ? DESC_WRITE : 0 };
        wrong = virtq_add_buffer(q, chain, &d);
    }
    return wrong;
}

static void store_flags(Virtq *q, unsigned at, uint16_t flags)
{
    size_t offset = (size_t)at * DESC_SIZE + DESC_FLAGS;

    __atomic_store_n((uint16_t *)(void *)(q->desc + offset), flags, __ATOMIC_SEQ_CST);
    gm_written(q->dev->device.env.memory, q->desc_gpa + offset, sizeof(flags));
}

static void fill(Virtq *q, VirtqTicket ticket, uint32_t written)
{
    enum { LENGTH = offsetof(Descriptor, len), ID = offsetof(Descriptor, id) };
    uint16_t at = q->next_used;
    bool wrap = q->used_wrap;

    advance(q, &at, &wrap, q->filled);
    size_t offset = (size_t)at * DESC_SIZE;
    store_le32(q->desc + offset + LENGTH, written);
    store_le16(q->desc + offset + ID, ticket.id);
    gm_written(q->dev->device.env.memory, q->desc_gpa + offset + LENGTH, DESC_FLAGS - LENGTH);
    uint16_t flags = (wrap ? DESC_AVAIL | DESC_USED : 0) | (written ? DESC_WRITE : 0);
    if (q->filled) {
        store_flags(q, at, flags);
    } else {
        q->first = flags;
    }
    q->filled += ticket.slots;
}

/* Whether the guest wants an interrupt after @slots from @old on were used, in the lap of @wrap. */
static bool wants_interrupt(const Virtq *q, unsigned old, bool wrap, unsigned slots)
{
    uint32_t word = __atomic_load_n((const uint32_t *)(const void *)q->driver, __ATOMIC_SEQ_CST);
    unsigned event = word & (EVENT_WRAP - 1);

    if (word >> 16 != EVENT_AT || !virtio_dev_has_feature(q->dev, VIRTIO_F_EVENT_IDX)) {
        return word >> 16 != EVENT_NEVER;
    }
    if (!!(word & EVENT_WRAP) != wrap) {
        event += q->size; /* of the next lap */
    }
    return event >= old && event < old + slots;
}

static bool flush(Virtq *q)
{
    uint16_t old = q->next_used, slots = q->filled;
    bool wrap = q->used_wrap;

    store_flags(q, old, q->first);
    advance(q, &q->next_used, &q->used_wrap, slots);
    q->filled = 0;
    return wants_interrupt(q, old, wrap, slots);
}

const VirtqRing virtq_packed = {
    .start = start,
    .is_empty = is_empty,
    .fetch = fetch,
    .put_back = put_back,
    .keeps = keeps,
    .fetch_again = fetch_again,
    .fill = fill,
    .flush = flush,
};
