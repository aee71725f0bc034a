/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile driver, whose lies are tables: chains and rings that can't be, on each queue of every
 * virtio device, in both forms of ring.  After each lie the device is dead until reset, and works
 * after it.
 */
#include "machine/virtio/subjects.h"

enum { INDIRECT_TABLE = 0x70000, MAX_LIES = 3 };
/* Stands for the queue's size: the first number beyond its table. */
enum { BEYOND = 0x7fff };

#define GOOD VIRTIO_BENCH_BUFFERS
#define RAM  VIRTIO_BENCH_RAM
#define OURS VIRTIO_BENCH_BASE /* registers */

/* A descriptor as the guest writes it. */
typedef struct Lie {
    uint64_t gpa;
    uint32_t len;
    uint16_t flags, next; /* .next of split rings only */
} Lie;

/* One row of one of the tables below, on one queue, in one form of ring. */
typedef struct Case {
    const VirtioSubject *subject;
    bool packed, pci;
    size_t index;
} Case;

static void init(VirtioRig *rig, const Case *c)
{
    (c->pci ? virtio_rig_init_pci : virtio_rig_init)(rig, c->subject);
    rig->b->packed = c->packed;
}

#define INDIRECT16                                                                                 \
    {                                                                                              \
        INDIRECT_TABLE, 16, VB_INDIRECT, 0                                                         \
    }

typedef struct LieRow {
    const char *name;
    Lie ring[MAX_LIES];     /* the queue's first descriptors */
    Lie indirect[MAX_LIES]; /* the first of INDIRECT_TABLE */
    uint64_t without;       /* features */
    /* split */
    uint16_t head;
    uint16_t jump; /* added to the available index */
    /* packed */
    bool all_next; /* each descriptor of the ring is like the first */
} LieRow;

/* --- chains --- */

static const LieRow split_lies[] = {
    { "head-beyond-table", { { 0 } }, { { 0 } }, .head = BEYOND },
    { "head-ffff", { { 0 } }, { { 0 } }, .head = 0xffff },
    { "next-beyond-table", { { GOOD, 16, VB_NEXT, BEYOND } } },
    { "next-ffff", { { GOOD, 16, VB_NEXT, 0xffff } } },
    { "loop-on-itself", { { GOOD, 16, VB_NEXT, 0 } } },
    { "loop-of-two", { { GOOD, 16, VB_NEXT, 1 }, { GOOD, 16, VB_NEXT, 0 } } },
    { "loop-of-writable", { { GOOD, 16, VB_NEXT, 1 }, { GOOD, 16, VB_NEXT | VB_WRITE, 1 } } },
    { "loop-of-empty", { { GOOD, 0, VB_NEXT, 0 } } },
    { "buffer-outside", { { RAM, 16, 0, 0 } } },
    { "buffer-across-end", { { RAM - 8, 16, 0, 0 } } },
    { "buffer-wraps", { { UINT64_MAX - 7, 16, 0, 0 } } },
    { "buffer-length-wraps", { { GOOD, UINT32_MAX, 0, 0 } } },
    { "buffer-is-our-registers", { { OURS, 16, 0, 0 } } },
    { "writable-registers", { { GOOD, 16, VB_NEXT, 1 }, { OURS, 16, VB_WRITE, 0 } } },
    { "writable-across-end", { { GOOD, 16, VB_NEXT, 1 }, { RAM - 1, 2, VB_WRITE, 0 } } },
    { "readable-behind-writable", { { GOOD, 16, VB_NEXT | VB_WRITE, 1 }, { GOOD, 16, 0, 0 } } },
    { "index-jumped", { { GOOD, 16, 0, 0 } }, { { 0 } }, .jump = 0x1000 },
    { "index-went-back", { { GOOD, 16, 0, 0 } }, { { 0 } }, .jump = 0xfff0 },
    { "indirect-empty", { { INDIRECT_TABLE, 0, VB_INDIRECT, 0 } } },
    { "indirect-odd-length", { { INDIRECT_TABLE, 24, VB_INDIRECT, 0 } } },
    { "indirect-and-next", { { INDIRECT_TABLE, 16, VB_INDIRECT | VB_NEXT, 1 } } },
    { "indirect-outside", { { RAM, 16, VB_INDIRECT, 0 } } },
    { "indirect-across-end", { { RAM - 16, 32, VB_INDIRECT, 0 } } },
    { "indirect-in-registers", { { OURS, 16, VB_INDIRECT, 0 } } },
    { "indirect-huge", { { INDIRECT_TABLE, 0xfffffff0, VB_INDIRECT, 0 } } },
    { "indirect-in-indirect", { INDIRECT16 }, { INDIRECT16 } },
    { "indirect-loop", { INDIRECT16 }, { { GOOD, 16, VB_NEXT, 0 } } },
    { "indirect-next-beyond", { INDIRECT16 }, { { GOOD, 16, VB_NEXT, 1 } } },
    { "indirect-buffer-outside", { INDIRECT16 }, { { RAM, 1, 0, 0 } } },
    { "indirect-behind-buffer-outside",
      { { GOOD, 16, VB_NEXT, 1 }, INDIRECT16 },
      { { RAM, 1, 0, 0 } } },
    { "indirect-not-negotiated",
      { INDIRECT16 },
      { { GOOD, 16, 0, 0 } },
      .without = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) },
};

static const LieRow packed_lies[] = {
    { "chain-of-all-and-more", { { GOOD, 16, VB_NEXT, 0 } }, { { 0 } }, .all_next = true },
    { "chain-of-empty", { { GOOD, 0, VB_NEXT, 0 } }, { { 0 } }, .all_next = true },
    { "chain-of-writable", { { GOOD, 1, VB_NEXT | VB_WRITE, 0 } }, { { 0 } }, .all_next = true },
    { "buffer-outside", { { RAM, 16, 0, 0 } } },
    { "buffer-across-end", { { RAM - 8, 16, 0, 0 } } },
    { "buffer-wraps", { { UINT64_MAX - 7, 16, 0, 0 } } },
    { "buffer-length-wraps", { { GOOD, UINT32_MAX, 0, 0 } } },
    { "buffer-is-our-registers", { { OURS, 16, 0, 0 } } },
    { "second-buffer-outside", { { GOOD, 16, VB_NEXT, 0 }, { RAM, 16, 0, 0 } } },
    { "writable-registers", { { GOOD, 16, VB_NEXT, 0 }, { OURS, 16, VB_WRITE, 0 } } },
    { "writable-across-end", { { GOOD, 16, VB_NEXT, 0 }, { RAM - 1, 2, VB_WRITE, 0 } } },
    { "readable-behind-writable", { { GOOD, 16, VB_NEXT | VB_WRITE, 0 }, { GOOD, 16, 0, 0 } } },
    { "indirect-empty", { { INDIRECT_TABLE, 0, VB_INDIRECT, 0 } } },
    { "indirect-odd-length", { { INDIRECT_TABLE, 24, VB_INDIRECT, 0 } } },
    { "indirect-and-next", { { INDIRECT_TABLE, 16, VB_INDIRECT | VB_NEXT, 0 } } },
    { "indirect-in-chain",
      { { GOOD, 16, VB_NEXT, 0 }, { INDIRECT_TABLE, 16, VB_INDIRECT, 0 } },
      { { GOOD, 16, 0, 0 } } },
    { "indirect-outside", { { RAM, 16, VB_INDIRECT, 0 } } },
    { "indirect-across-end", { { RAM - 16, 32, VB_INDIRECT, 0 } } },
    { "indirect-in-registers", { { OURS, 16, VB_INDIRECT, 0 } } },
    { "indirect-longer-than-queue", { { INDIRECT_TABLE, 0x8000, VB_INDIRECT, 0 } } },
    { "indirect-huge", { { INDIRECT_TABLE, 0xfffffff0, VB_INDIRECT, 0 } } },
    { "indirect-in-indirect", { INDIRECT16 }, { INDIRECT16 } },
    { "indirect-buffer-outside", { INDIRECT16 }, { { RAM, 1, 0, 0 } } },
    { "indirect-readable-behind-writable",
      { { INDIRECT_TABLE, 32, VB_INDIRECT, 0 } },
      { { GOOD, 1, VB_WRITE, 0 }, { GOOD, 1, 0, 0 } } },
    { "indirect-not-negotiated",
      { INDIRECT16 },
      { { GOOD, 16, 0, 0 } },
      .without = VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) },
};

static void write_split(VirtioBench *b, unsigned q, uint64_t table, const Lie *all)
{
    for (uint16_t i = 0; i < MAX_LIES; i++) {
        uint16_t next = all[i].next == BEYOND ? b->queues[q].size : all[i].next;
        VirtioBenchPart part = { all[i].gpa, all[i].len, false };
        virtio_bench_descriptor(b, table, i, &part, all[i].flags | (uint32_t)next << 16);
    }
}

static void lie_split(VirtioBench *b, unsigned q, const LieRow *lie)
{
    write_split(b, q, virtio_bench_desc_gpa(q), lie->ring);
    write_split(b, q, INDIRECT_TABLE, lie->indirect);
    b->queues[q].available += lie->jump;
    virtio_bench_offer(b, q, lie->head == BEYOND ? b->queues[q].size : lie->head);
}

static void lie_packed(VirtioBench *b, unsigned q, const LieRow *lie)
{
    unsigned n = lie->all_next ? b->queues[q].size : MAX_LIES;

    for (uint16_t i = 0; i < n; i++) {
        const Lie *l = &lie->ring[lie->all_next ? 0 : i];
        VirtioBenchPart part = { l->gpa, l->len, false };
        uint16_t flags = l->flags | (l->len || l->flags ? VB_AVAIL : 0);
        virtio_bench_descriptor(b, virtio_bench_desc_gpa(q), i, &part, (uint32_t)flags << 16);
    }
    for (uint16_t i = 0; i < MAX_LIES; i++) {
        const Lie *l = &lie->indirect[i];
        VirtioBenchPart part = { l->gpa, l->len, false };
        virtio_bench_descriptor(b, INDIRECT_TABLE, i, &part, (uint32_t)l->flags << 16);
    }
}

static void test_lie(gconstpointer data)
{
    const Case *c = data;
    const LieRow *lie = c->packed ? &packed_lies[c->index] : &split_lies[c->index];
    unsigned q = c->subject->queue;
    VirtioRig rig;

    init(&rig, c);
    VirtioBench *b = rig.b;
    virtio_bench_start(b, lie->without);
    (c->packed ? lie_packed : lie_split)(b, q, lie);
    virtio_rig_serve(&rig);
    g_assert_true(virtio_bench_is_broken(b));
    g_assert_true(b->bench.level[0]);
    g_assert_cmpuint(virtio_bench_read(b, VB_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG, !=, 0);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), ==, -1);
    /* dead: a good chain is not served */
    b->queues[q].available = 0;
    virtio_rig_post(&rig);
    virtio_rig_serve(&rig);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), ==, -1);
    g_assert_cmpuint(b->bench.log.guest_errors, >, 0);
    virtio_rig_check_works(&rig);
    virtio_rig_clear(&rig);
}

/* --- rings --- */

typedef struct RingRow {
    const char *name;
    uint32_t size;
    uint64_t places[3]; /* descriptors, driver's and device's area: added to where they belong */
} RingRow;

static const RingRow split_rings[] = {
    { "size-0", 0, { 0 } },
    { "size-3", 3, { 0 } },
    { "size-above-max", 512, { 0 } },
    { "size-65536", 65536, { 0 } },
    { "size-all-ones", UINT32_MAX, { 0 } },
    { "descriptors-unaligned", 16, { 8, 0, 0 } },
    { "available-unaligned", 16, { 0, 1, 0 } },
    { "used-unaligned", 16, { 0, 0, 2 } },
    { "descriptors-outside", 16, { RAM, 0, 0 } },
    { "available-outside", 16, { 0, RAM, 0 } },
    { "used-outside", 16, { 0, 0, RAM } },
    { "used-in-registers", 16, { 0, 0, OURS } },
    { "used-wraps", 16, { 0, 0, UINT64_MAX - 0xfffff } },
};

static const RingRow packed_rings[] = {
    { "size-0", 0, { 0 } },
    { "size-above-max", 257, { 0 } },
    { "size-32768", 32768, { 0 } },
    { "size-65536", 65536, { 0 } },
    { "size-all-ones", UINT32_MAX, { 0 } },
    { "descriptors-unaligned", 16, { 8, 0, 0 } },
    { "driver-unaligned", 16, { 0, 2, 0 } },
    { "device-unaligned", 16, { 0, 0, 1 } },
    { "descriptors-outside", 16, { RAM, 0, 0 } },
    { "driver-outside", 16, { 0, RAM, 0 } },
    { "device-outside", 16, { 0, 0, RAM } },
    { "descriptors-in-registers", 16, { OURS, 0, 0 } },
    { "device-wraps", 16, { 0, 0, UINT64_MAX - 0xfffff } },
};

static void test_ring(gconstpointer data)
{
    const Case *c = data;
    const RingRow *ring = c->packed ? &packed_rings[c->index] : &split_rings[c->index];
    unsigned q = c->subject->queue;
    const uint64_t usual[3] = { virtio_bench_desc_gpa(q), virtio_bench_available_gpa(q),
                                virtio_bench_used_gpa(q) };
    uint64_t without = c->packed ? 0 : VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
    VirtioRig rig;

    init(&rig, c);
    VirtioBench *b = rig.b;
    g_assert(virtio_bench_negotiate(b, virtio_bench_features(b) & ~without));
    virtio_bench_write(b, VB_QUEUE_SEL, q);
    virtio_bench_write(b, VB_QUEUE_NUM, ring->size);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t place = usual[i] + ring->places[i];
        virtio_bench_write(b, VB_QUEUE_DESC + 0x10 * i, (uint32_t)place);
        virtio_bench_write(b, VB_QUEUE_DESC + 0x10 * i + 4, (uint32_t)(place >> 32));
    }
    virtio_bench_write(b, VB_QUEUE_READY, 1);
    g_assert_true(virtio_bench_is_broken(b));
    g_assert_cmpuint(virtio_bench_read(b, VB_QUEUE_READY), ==, 0);
    virtio_rig_serve(&rig);
    virtio_rig_check_works(&rig);
    virtio_rig_clear(&rig);
}

/* --- what is no lie, but odd --- */

/* Packed: flags of a descriptor that was already used, or of the other lap, offer nothing. */
static void test_not_available(gconstpointer data)
{
    static const uint16_t flags[] = { 0, VB_USED, VB_AVAIL | VB_USED };
    const Case *c = data;
    VirtioRig rig;

    init(&rig, c);
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        VirtioBenchPart part = { RAM, 16, false };
        virtio_bench_start(rig.b, 0);
        virtio_bench_descriptor(rig.b, virtio_bench_desc_gpa(c->subject->queue), 0, &part,
                                (uint32_t)flags[i] << 16);
        virtio_rig_serve(&rig);
        g_assert_false(virtio_bench_is_broken(rig.b));
    }
    virtio_rig_check_works(&rig);
    virtio_rig_clear(&rig);
}

/* Rings that lie over each other, and over the buffers: only the guest's own business. */
static void test_rings_overlap(gconstpointer data)
{
    const Case *c = data;
    VirtioRig rig;

    init(&rig, c);
    VirtioBench *b = rig.b;
    virtio_bench_start(b, 0);
    virtio_bench_write(b, VB_QUEUE_SEL, c->subject->queue);
    virtio_bench_write(b, VB_QUEUE_RESET, 1);
    for (unsigned i = 0; i < 3; i++) {
        virtio_bench_write(b, VB_QUEUE_DESC + 0x10 * i, VIRTIO_BENCH_BUFFERS);
    }
    virtio_bench_write(b, VB_QUEUE_READY, 1);
    for (unsigned i = 0; i < 20; i++) {
        uint32_t noise = 0x10001 * i;
        gm_write(b->bench.env.memory, VIRTIO_BENCH_BUFFERS + 4 * i, &noise, 4);
        virtio_rig_serve(&rig);
    }
    virtio_rig_check_works(&rig);
    virtio_rig_clear(&rig);
}

static void add(const Case *at, const char *name, size_t index, GTestDataFunc fn)
{
    g_autofree char *path =
        g_strdup_printf("/hostile/%s/%s/%s/%s", at->subject->name, at->pci ? "pci" : "mmio",
                        at->packed ? "packed" : "split", name);
    Case *c = g_new(Case, 1);

    *c = *at;
    c->index = index;
    g_test_add_data_func_full(path, c, fn, g_free);
}

static void add_subject(const VirtioSubject *s, bool pci)
{
    const Case split = { .subject = s, .pci = pci }, packed = { s, true, pci, 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(split_lies); i++) {
        add(&split, split_lies[i].name, i, test_lie);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(packed_lies); i++) {
        add(&packed, packed_lies[i].name, i, test_lie);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(split_rings); i++) {
        add(&split, split_rings[i].name, i, test_ring);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(packed_rings); i++) {
        add(&packed, packed_rings[i].name, i, test_ring);
    }
    add(&packed, "not-available", 0, test_not_available);
    add(&split, "rings-overlap", 0, test_rings_overlap);
    add(&packed, "rings-overlap", 0, test_rings_overlap);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (const VirtioSubject *s = virtio_subjects; s->name; s++) {
        add_subject(s, false);
        add_subject(s, true);
    }
    return g_test_run();
}
