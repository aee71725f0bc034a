/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests that every virtio device must pass: the transport's registers, and a hostile guest, whose
 * lies are a table.  After each lie the device is dead until reset, and works after it.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "machine/virtio/bench.h"
#include "machine/virtio/blk.h"
#include "machine/virtio/console.h"
#include "machine/virtio/rng.h"

/* --- the devices --- */

static VirtioDev *make_rng(const VirtioSlot *slot, void *opaque)
{
    return virtio_rng_new(slot);
}

static VirtioDev *make_console(const VirtioSlot *slot, void *opaque)
{
    return virtio_console_new(slot, opaque);
}

static VirtioDev *make_blk(const VirtioSlot *slot, void *opaque)
{
    return virtio_blk_new(slot, opaque, "serial");
}

/* A device and a queue of it that serves chains of the guest's. */
typedef struct Subject {
    const char *name;
    VirtioBenchMake make;
    unsigned queue;
    uint32_t device_id;
    bool needs_char, needs_blk;
} Subject;

static const Subject subjects[] = {
    { "rng", make_rng, 0, 4, false, false },
    { "console-transmit", make_console, 1, 3, true, false },
    { "blk", make_blk, 0, 2, false, true },
};

/* One row of one of the tables below, on one device. */
typedef struct Case {
    const Subject *subject;
    size_t index;
} Case;

typedef struct Rig {
    VirtioBench *b;
    const Subject *subject;
    BenchChar character;
    Blk *blk;
    char *path;
} Rig;

static void rig_init(Rig *rig, const Subject *subject)
{
    void *opaque = NULL;

    *rig = (Rig){ .subject = subject };
    bench_char_init(&rig->character);
    if (subject->needs_char) {
        opaque = &rig->character.backend;
    }
    if (subject->needs_blk) {
        int fd = g_file_open_tmp("insula-disk-XXXXXX", &rig->path, NULL);
        g_assert(fd >= 0 && ftruncate(fd, 65536) == 0);
        close(fd);
        opaque = rig->blk = blk_open(&(BlkOptions){ .path = rig->path }, NULL);
        g_assert_nonnull(rig->blk);
    }
    rig->b = virtio_bench_new(subject->make, opaque);
}

static void rig_clear(Rig *rig)
{
    virtio_bench_free(rig->b);
    bench_char_clear(&rig->character);
    if (rig->blk) {
        blk_close(rig->blk);
        g_remove(rig->path);
        g_free(rig->path);
    }
}

/* Post a good request and see it served. */
static void check_works(Rig *rig)
{
    static const VirtioBenchPart parts[] = {
        { VIRTIO_BENCH_BUFFERS, 16, false },
        { VIRTIO_BENCH_BUFFERS + 0x1000, 512, true },
        { VIRTIO_BENCH_BUFFERS + 0x2000, 1, true },
    };
    static const uint8_t zeros[16];
    VirtioBench *b = rig->b;

    virtio_bench_start(b, 0);
    gm_write(b->bench.env.memory, VIRTIO_BENCH_BUFFERS, zeros, sizeof(zeros));
    uint16_t head = virtio_bench_post(b, rig->subject->queue, parts, 3);
    virtio_bench_kick(b, rig->subject->queue);
    uint16_t used = 0xffff;
    g_assert_cmpint(virtio_bench_next_used(b, rig->subject->queue, &used), >=, 0);
    g_assert_cmpuint(used, ==, head);
    g_assert_false(virtio_bench_is_broken(b));
}

/* --- a hostile guest's chains --- */

enum { INDIRECT_TABLE = 0x30000, MAX_LIES = 3 };

/* A descriptor as the guest writes it. */
typedef struct Lie {
    uint64_t gpa;
    uint32_t len;
    uint16_t flags, next;
} Lie;

#define GOOD VIRTIO_BENCH_BUFFERS
#define INDIRECT16                                                                                 \
    {                                                                                              \
        INDIRECT_TABLE, 16, VB_INDIRECT, 0                                                         \
    }

static const struct {
    const char *name;
    Lie ring[MAX_LIES];     /* the queue's first descriptors */
    Lie indirect[MAX_LIES]; /* the first of INDIRECT_TABLE */
    uint16_t head;
    uint16_t jump;    /* added to the available index */
    uint64_t without; /* features */
} lies[] = {
    { "head-beyond-table", { { 0 } }, { { 0 } }, .head = 0x80 },
    { "head-ffff", { { 0 } }, { { 0 } }, .head = 0xffff },
    { "next-beyond-table", { { GOOD, 16, VB_NEXT, 0x80 } } },
    { "next-ffff", { { GOOD, 16, VB_NEXT, 0xffff } } },
    { "loop-on-itself", { { GOOD, 16, VB_NEXT, 0 } } },
    { "loop-of-two", { { GOOD, 16, VB_NEXT, 1 }, { GOOD, 16, VB_NEXT, 0 } } },
    { "loop-of-writable", { { GOOD, 16, VB_NEXT, 1 }, { GOOD, 16, VB_NEXT | VB_WRITE, 1 } } },
    { "loop-of-empty", { { GOOD, 0, VB_NEXT, 0 } } },
    { "buffer-outside", { { VIRTIO_BENCH_RAM, 16, 0, 0 } } },
    { "buffer-across-end", { { VIRTIO_BENCH_RAM - 8, 16, 0, 0 } } },
    { "buffer-wraps", { { UINT64_MAX - 7, 16, 0, 0 } } },
    { "buffer-length-wraps", { { GOOD, UINT32_MAX, 0, 0 } } },
    { "buffer-is-our-registers", { { VIRTIO_BENCH_BASE, 16, 0, 0 } } },
    { "writable-registers", { { GOOD, 16, VB_NEXT, 1 }, { VIRTIO_BENCH_BASE, 16, VB_WRITE, 0 } } },
    { "readable-behind-writable", { { GOOD, 16, VB_NEXT | VB_WRITE, 1 }, { GOOD, 16, 0, 0 } } },
    { "index-jumped", { { GOOD, 16, 0, 0 } }, { { 0 } }, .jump = 0x1000 },
    { "index-went-back", { { GOOD, 16, 0, 0 } }, { { 0 } }, .jump = 0xfff0 },
    { "indirect-empty", { { INDIRECT_TABLE, 0, VB_INDIRECT, 0 } } },
    { "indirect-odd-length", { { INDIRECT_TABLE, 24, VB_INDIRECT, 0 } } },
    { "indirect-and-next", { { INDIRECT_TABLE, 16, VB_INDIRECT | VB_NEXT, 1 } } },
    { "indirect-outside", { { VIRTIO_BENCH_RAM, 16, VB_INDIRECT, 0 } } },
    { "indirect-across-end", { { VIRTIO_BENCH_RAM - 16, 32, VB_INDIRECT, 0 } } },
    { "indirect-huge", { { INDIRECT_TABLE, 0xfffffff0, VB_INDIRECT, 0 } } },
    { "indirect-in-indirect", { INDIRECT16 }, { INDIRECT16 } },
    { "indirect-loop", { INDIRECT16 }, { { GOOD, 16, VB_NEXT, 0 } } },
    { "indirect-next-beyond", { INDIRECT16 }, { { GOOD, 16, VB_NEXT, 1 } } },
    { "indirect-buffer-outside", { INDIRECT16 }, { { VIRTIO_BENCH_RAM, 1, 0, 0 } } },
    { "indirect-not-negotiated",
      { INDIRECT16 },
      { { GOOD, 16, 0, 0 } },
      .without = 1U << VIRTIO_F_INDIRECT_DESC },
};

static void write_lies(VirtioBench *b, uint64_t table, const Lie *all)
{
    for (uint16_t i = 0; i < MAX_LIES; i++) {
        VirtioBenchPart part = { all[i].gpa, all[i].len, false };
        virtio_bench_descriptor(b, table, i, &part, all[i].flags | (uint32_t)all[i].next << 16);
    }
}

static void test_lie(gconstpointer data)
{
    const Case *c = data;
    const typeof(lies[0]) *lie = &lies[c->index];
    unsigned q = c->subject->queue;
    Rig rig;

    rig_init(&rig, c->subject);
    VirtioBench *b = rig.b;
    virtio_bench_start(b, lie->without);
    write_lies(b, virtio_bench_desc_gpa(q), lie->ring);
    write_lies(b, INDIRECT_TABLE, lie->indirect);
    b->queues[q].available += lie->jump;
    virtio_bench_offer(b, q, lie->head);
    virtio_bench_kick(b, q);
    g_assert_true(virtio_bench_is_broken(b));
    g_assert_cmpuint(virtio_bench_read(b, VB_INTERRUPT_STATUS) & VIRTIO_INTERRUPT_CONFIG, !=, 0);
    g_assert_true(b->bench.level[0]);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), ==, -1);
    /* dead: a good chain is not served */
    VirtioBenchPart good = { GOOD, 16, false };
    b->queues[q].available = 0;
    virtio_bench_post(b, q, &good, 1);
    virtio_bench_kick(b, q);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), ==, -1);
    g_assert_cmpuint(b->bench.log.guest_errors, >, 0);
    check_works(&rig);
    rig_clear(&rig);
}

/* --- a hostile guest's rings --- */

static const struct {
    const char *name;
    uint32_t size;
    uint64_t desc, available, used; /* added to where they belong */
} rings[] = {
    { "size-0", 0, 0, 0, 0 },
    { "size-3", 3, 0, 0, 0 },
    { "size-above-max", 256, 0, 0, 0 },
    { "size-65536", 65536, 0, 0, 0 },
    { "size-all-ones", UINT32_MAX, 0, 0, 0 },
    { "descriptors-unaligned", 16, 8, 0, 0 },
    { "available-unaligned", 16, 0, 1, 0 },
    { "used-unaligned", 16, 0, 0, 2 },
    { "descriptors-outside", 16, VIRTIO_BENCH_RAM, 0, 0 },
    { "available-outside", 16, 0, VIRTIO_BENCH_RAM, 0 },
    { "used-outside", 16, 0, 0, VIRTIO_BENCH_RAM },
    { "used-wraps", 16, 0, 0, UINT64_MAX - 0xfffff },
};

static void test_ring(gconstpointer data)
{
    const Case *c = data;
    const typeof(rings[0]) *ring = &rings[c->index];
    unsigned q = c->subject->queue;
    const uint64_t places[3] = { virtio_bench_desc_gpa(q) + ring->desc,
                                 virtio_bench_available_gpa(q) + ring->available,
                                 virtio_bench_used_gpa(q) + ring->used };
    Rig rig;

    rig_init(&rig, c->subject);
    VirtioBench *b = rig.b;
    g_assert(virtio_bench_negotiate(b, virtio_bench_features(b)));
    virtio_bench_write(b, VB_QUEUE_SEL, q);
    virtio_bench_write(b, VB_QUEUE_NUM, ring->size);
    for (unsigned i = 0; i < 3; i++) {
        virtio_bench_write(b, VB_QUEUE_DESC + 0x10 * i, (uint32_t)places[i]);
        virtio_bench_write(b, VB_QUEUE_DESC + 0x10 * i + 4, (uint32_t)(places[i] >> 32));
    }
    virtio_bench_write(b, VB_QUEUE_READY, 1);
    g_assert_true(virtio_bench_is_broken(b));
    g_assert_cmpuint(virtio_bench_read(b, VB_QUEUE_READY), ==, 0);
    virtio_bench_kick(b, q);
    check_works(&rig);
    rig_clear(&rig);
}

/* --- registers --- */

static void test_identity(Rig *rig)
{
    VirtioBench *b = rig->b;

    g_assert_cmphex(virtio_bench_read(b, 0), ==, 0x74726976);
    g_assert_cmpuint(virtio_bench_read(b, 4), ==, 2);
    g_assert_cmpuint(virtio_bench_read(b, VB_DEVICE_ID), ==, rig->subject->device_id);
    virtio_bench_write(b, VB_QUEUE_SEL, 7);
    g_assert_cmpuint(virtio_bench_read(b, VB_QUEUE_NUM_MAX), ==, 0);
    g_assert_cmphex(virtio_bench_read(b, 0xb0), ==, UINT32_MAX); /* no shared memory */
}

static void test_features(Rig *rig)
{
    VirtioBench *b = rig->b;
    uint64_t offered = virtio_bench_features(b);
    uint64_t version_1 = UINT64_C(1) << VIRTIO_F_VERSION_1;

    g_assert_true(offered & version_1);
    g_assert_true(virtio_bench_negotiate(b, offered));
    g_assert_true(virtio_bench_negotiate(b, version_1));
    g_assert_false(virtio_bench_negotiate(b, offered & ~version_1));
    g_assert_false(virtio_bench_negotiate(b, offered | UINT64_C(1) << 63));
    g_assert_false(virtio_bench_negotiate(b, 0));
    virtio_bench_write(b, VB_DEVICE_FEATURES_SEL, 2);
    g_assert_cmpuint(virtio_bench_read(b, VB_DEVICE_FEATURES), ==, 0);
}

static void test_features_are_fixed_after_ok(Rig *rig)
{
    VirtioBench *b = rig->b;

    g_assert(virtio_bench_negotiate(b, UINT64_C(1) << VIRTIO_F_VERSION_1));
    virtio_bench_write(b, VB_DRIVER_FEATURES_SEL, 0);
    virtio_bench_write(b, VB_DRIVER_FEATURES, UINT32_MAX);
    g_assert_cmphex(b->dev->driver_features, ==, UINT64_C(1) << VIRTIO_F_VERSION_1);
}

static void test_status_order(Rig *rig)
{
    VirtioBench *b = rig->b;

    virtio_bench_write(b, VB_STATUS, 0);
    virtio_bench_write(b, VB_STATUS, VIRTIO_STATUS_DRIVER_OK);
    g_assert_cmpuint(virtio_bench_read(b, VB_STATUS), ==, 0);
    virtio_bench_write(b, VB_STATUS, 3);
    virtio_bench_write(b, VB_STATUS, 1); /* bits don't go without reset */
    g_assert_cmpuint(virtio_bench_read(b, VB_STATUS), ==, 3);
    virtio_bench_write(b, VB_STATUS, 0xff); /* NEEDS_RESET is ours to set */
    g_assert_cmpuint(virtio_bench_read(b, VB_STATUS) & VIRTIO_STATUS_NEEDS_RESET, ==, 0);
}

static void test_interrupt_and_ack(Rig *rig)
{
    VirtioBench *b = rig->b;

    check_works(rig);
    g_assert_true(b->bench.level[0]);
    g_assert_cmpuint(virtio_bench_read(b, VB_INTERRUPT_STATUS), ==, 1);
    virtio_bench_write(b, VB_INTERRUPT_ACK, 2);
    g_assert_true(b->bench.level[0]);
    virtio_bench_write(b, VB_INTERRUPT_ACK, 1);
    g_assert_false(b->bench.level[0]);
}

static void test_reset_stops_all(Rig *rig)
{
    VirtioBench *b = rig->b;

    check_works(rig);
    virtio_bench_write(b, VB_STATUS, 0);
    g_assert_false(b->bench.level[0]);
    g_assert_cmpuint(virtio_bench_read(b, VB_STATUS), ==, 0);
    g_assert_cmpuint(virtio_bench_read(b, VB_INTERRUPT_STATUS), ==, 0);
    virtio_bench_write(b, VB_QUEUE_SEL, rig->subject->queue);
    g_assert_cmpuint(virtio_bench_read(b, VB_QUEUE_READY), ==, 0);
    virtio_bench_kick(b, rig->subject->queue);
    check_works(rig);
}

static void test_queue_is_fixed_while_ready(Rig *rig)
{
    VirtioBench *b = rig->b;

    virtio_bench_start(b, 0);
    virtio_bench_write(b, VB_QUEUE_SEL, rig->subject->queue);
    virtio_bench_write(b, VB_QUEUE_NUM, 1);
    virtio_bench_write(b, VB_QUEUE_DEVICE, 0x1234);
    g_assert_cmpuint(b->dev->queues[rig->subject->queue].size, >, 1);
    g_assert_cmphex(b->dev->queues[rig->subject->queue].used, ==,
                    virtio_bench_used_gpa(rig->subject->queue));
    virtio_bench_write(b, VB_QUEUE_READY, 0);
    g_assert_cmpuint(virtio_bench_read(b, VB_QUEUE_READY), ==, 0);
}

static void test_narrow_registers(Rig *rig)
{
    VirtioBench *b = rig->b;
    GuestMemory *memory = b->bench.env.memory;

    virtio_bench_write(b, VB_STATUS, 0);
    gm_mmio_write(memory, VIRTIO_BENCH_BASE + VB_STATUS, 1, 1);
    gm_mmio_write(memory, VIRTIO_BENCH_BASE + VB_STATUS, 1, 2);
    gm_mmio_write(memory, VIRTIO_BENCH_BASE + VB_STATUS + 2, 1, 4);
    g_assert_cmpuint(virtio_bench_read(b, VB_STATUS), ==, 0);
    g_assert_cmpuint(gm_mmio_read(memory, VIRTIO_BENCH_BASE, 1), ==, 0);
    /* the configuration space takes any width, to its end and not beyond */
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned at = 0; at < 0x100; at++) {
            gm_mmio_write(memory, VIRTIO_BENCH_BASE + VB_CONFIG + at, 0xff, size);
            gm_mmio_read(memory, VIRTIO_BENCH_BASE + VB_CONFIG + at, size);
        }
    }
}

static void test_kicks_out_of_turn(Rig *rig)
{
    VirtioBench *b = rig->b;

    virtio_bench_kick(b, 0);
    virtio_bench_kick(b, 9);
    virtio_bench_kick(b, UINT32_MAX);
    g_assert(virtio_bench_negotiate(b, virtio_bench_features(b)));
    virtio_bench_kick(b, rig->subject->queue);
    virtio_bench_queue(b, rig->subject->queue, 16);
    virtio_bench_kick(b, rig->subject->queue); /* before DRIVER_OK */
    check_works(rig);
}

/* With event indices the guest names the used index at which it wants to be told. */
static void test_event_index(Rig *rig)
{
    VirtioBench *b = rig->b;
    unsigned q = rig->subject->queue;
    uint64_t event = virtio_bench_available_gpa(q) + 4;

    check_works(rig);
    uint16_t size = b->queues[q].size, wanted = 5, available;
    virtio_bench_write(b, VB_INTERRUPT_ACK, 1);
    gm_write(b->bench.env.memory, event + 2 * (uint64_t)size, &wanted, 2);
    for (unsigned i = 1; i <= 6; i++) {
        VirtioBenchPart parts[] = { { GOOD, 16, false }, { GOOD + 4096, 513, true } };
        virtio_bench_post(b, q, parts, 2);
        virtio_bench_kick(b, q);
        g_assert_cmpint(b->bench.level[0], ==, i >= 5);
    }
    /* and we name the available index at which we want to be kicked */
    gm_read(b->bench.env.memory, virtio_bench_used_gpa(q) + 4 + 8 * (uint64_t)size, &available, 2);
    g_assert_cmpuint(available, ==, b->queues[q].available);
}

static void test_no_interrupt_flag(Rig *rig)
{
    VirtioBench *b = rig->b;
    unsigned q = rig->subject->queue;
    uint16_t flags = 1;
    VirtioBenchPart parts[] = { { GOOD, 16, false }, { GOOD + 4096, 513, true } };

    virtio_bench_start(b, UINT64_C(1) << VIRTIO_F_EVENT_IDX);
    gm_write(b->bench.env.memory, virtio_bench_available_gpa(q), &flags, 2);
    virtio_bench_post(b, q, parts, 2);
    virtio_bench_kick(b, q);
    g_assert_false(b->bench.level[0]);
    flags = 0;
    gm_write(b->bench.env.memory, virtio_bench_available_gpa(q), &flags, 2);
    virtio_bench_post(b, q, parts, 2);
    virtio_bench_kick(b, q);
    g_assert_true(b->bench.level[0]);
}

/* Indices are free-running: they wrap at 65536, not at the queue's size. */
static void test_indices_wrap(Rig *rig)
{
    VirtioBench *b = rig->b;
    unsigned q = rig->subject->queue;
    VirtioBenchPart parts[] = { { GOOD, 16, false }, { GOOD + 4096, 513, true } };

    check_works(rig);
    for (unsigned i = 0; i < 0x10010; i++) {
        virtio_bench_post(b, q, parts, 2);
        if (i % 16 == 15) {
            virtio_bench_kick(b, q);
            for (unsigned n = 0; n < 16; n++) {
                g_assert_cmpint(virtio_bench_next_used(b, q, NULL), >=, 0);
            }
        }
    }
    g_assert_false(virtio_bench_is_broken(b));
}

/* A saved device goes on where it stood; a hostile state is refused. */
static void test_save_and_load(Rig *rig)
{
    VirtioBench *b = rig->b;
    Device *device = &b->dev->device;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);
    unsigned q = rig->subject->queue;
    VirtioBenchPart parts[] = { { GOOD, 16, false }, { GOOD + 4096, 513, true } };
    g_autoptr(GError) error = NULL;

    check_works(rig);
    device_save(device, state);
    device_reset(device);
    g_assert(device_load(device, state, len, &error));
    g_assert_true(b->bench.level[0]);
    virtio_bench_post(b, q, parts, 2);
    virtio_bench_kick(b, q);
    g_assert_cmpint(virtio_bench_next_used(b, q, NULL), >=, 0);
    b->dev->queues[q].used = 0x3fff0001; /* our bug, for once: a ring that can't be */
    device_save(device, state);
    g_assert(!device_load(device, state, len, &error));
    g_assert_nonnull(strstr(error->message, "cannot load the state of"));
    g_clear_error(&error);
    g_assert(!device_load(device, state, len - 1, &error));
    check_works(rig);
}

static const struct {
    const char *name;
    void (*run)(Rig *rig);
} registers[] = {
    { "identity", test_identity },
    { "features", test_features },
    { "features-are-fixed-after-ok", test_features_are_fixed_after_ok },
    { "status-order", test_status_order },
    { "interrupt-and-ack", test_interrupt_and_ack },
    { "reset-stops-all", test_reset_stops_all },
    { "queue-is-fixed-while-ready", test_queue_is_fixed_while_ready },
    { "narrow-registers", test_narrow_registers },
    { "kicks-out-of-turn", test_kicks_out_of_turn },
    { "event-index", test_event_index },
    { "no-interrupt-flag", test_no_interrupt_flag },
    { "indices-wrap", test_indices_wrap },
    { "save-and-load", test_save_and_load },
};

static void test_register(gconstpointer data)
{
    const Case *c = data;
    Rig rig;

    rig_init(&rig, c->subject);
    registers[c->index].run(&rig);
    rig_clear(&rig);
}

static void add(const Subject *subject, const char *kind, const char *name, size_t index,
                GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/virtio/%s/%s/%s", subject->name, kind, name);
    Case *c = g_new(Case, 1);

    *c = (Case){ subject, index };
    g_test_add_data_func_full(path, c, fn, g_free);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t s = 0; s < G_N_ELEMENTS(subjects); s++) {
        for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
            add(&subjects[s], "registers", registers[i].name, i, test_register);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(lies); i++) {
            add(&subjects[s], "hostile", lies[i].name, i, test_lie);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(rings); i++) {
            add(&subjects[s], "rings", rings[i].name, i, test_ring);
        }
    }
    return g_test_run();
}
