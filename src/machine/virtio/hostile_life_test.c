/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile driver that gives good chains, but treats the device as no driver may: it changes what
 * is agreed, resets in the middle, notifies what isn't there, writes what can only be read.  Each
 * act is done to each queue of every virtio device, on MMIO and on PCI, in both forms of ring.
 *
 * What must happen is the row's: the device takes no notice and goes on, or it asks for a reset, or
 * it stands still until it is started anew.  Whatever happens, it works after a reset, and RAM that
 * no chain has named is as it was.
 */
#include <string.h>

#include "machine/virtio/mmio.h"
#include "machine/virtio/subjects.h"

typedef enum Verdict {
    GOES_ON,     /* nothing of it matters */
    STANDS,      /* what was posted isn't served, nor anything else, until it is started anew */
    NEEDS_RESET, /* it says so */
} Verdict;

typedef struct Act {
    const char *name;
    Verdict verdict;
    void (*do_it)(VirtioRig *rig);
    enum { ANYWHERE, PCI_ALONE, MMIO_ALONE } where;
} Act;

typedef struct Case {
    const VirtioSubject *subject;
    const Act *act;
    bool packed, pci;
} Case;

enum { PLANTED = 0x84000, ROM = 0x300000, ROM_SIZE = 0x10000, OURS = VIRTIO_BENCH_BASE };

static void select_own(VirtioRig *rig)
{
    virtio_bench_write(rig->b, VB_QUEUE_SEL, rig->subject->queue);
}

static void set_areas(VirtioRig *rig, uint64_t gpa)
{
    for (unsigned i = 0; i < 3; i++) {
        virtio_bench_write(rig->b, VB_QUEUE_DESC + 0x10 * i, (uint32_t)gpa);
        virtio_bench_write(rig->b, VB_QUEUE_DESC + 0x10 * i + 4, (uint32_t)(gpa >> 32));
    }
}

/* --- a queue that runs is changed --- */

static void resize_live(VirtioRig *rig)
{
    static const uint32_t sizes[] = { 0, 1, 2, 3, 0x8000, UINT32_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        select_own(rig);
        virtio_bench_write(rig->b, VB_QUEUE_NUM, sizes[i]);
    }
}

static void move_live(VirtioRig *rig)
{
    select_own(rig);
    set_areas(rig, PLANTED);
}

static void move_live_to_registers(VirtioRig *rig)
{
    select_own(rig);
    set_areas(rig, OURS);
}

static void move_live_beyond(VirtioRig *rig)
{
    select_own(rig);
    set_areas(rig, UINT64_MAX - 0xfff);
}

static void enable_again(VirtioRig *rig)
{
    for (unsigned i = 0; i < 3; i++) {
        select_own(rig);
        virtio_bench_write(rig->b, VB_QUEUE_READY, 1);
    }
}

static void enable_with_rubbish(VirtioRig *rig)
{
    static const uint32_t values[] = { 0xfffe, 0x8000, 2 };

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        select_own(rig);
        virtio_bench_write(rig->b, VB_QUEUE_READY, values[i] | (rig->b->root ? 0 : 1));
    }
}

static void stop_queue(VirtioRig *rig)
{
    select_own(rig);
    virtio_bench_write(rig->b, VB_QUEUE_READY, 0);
}

/* A chain waits when its queue is reset. */
static void reset_queue(VirtioRig *rig)
{
    virtio_rig_post(rig);
    select_own(rig);
    virtio_bench_write(rig->b, VB_QUEUE_RESET, 1);
    virtio_bench_kick(rig->b, rig->subject->queue);
}

static void reset_queue_twice(VirtioRig *rig)
{
    reset_queue(rig);
    reset_queue(rig);
}

/* After that it is started where nothing can be. */
static void restart_queue_at(VirtioRig *rig, uint64_t gpa)
{
    select_own(rig);
    virtio_bench_write(rig->b, VB_QUEUE_RESET, 1);
    set_areas(rig, gpa);
    virtio_bench_write(rig->b, VB_QUEUE_READY, 1);
}

static void restart_in_registers(VirtioRig *rig)
{
    restart_queue_at(rig, OURS);
}

static void restart_across_end(VirtioRig *rig)
{
    restart_queue_at(rig, VIRTIO_BENCH_RAM - 16);
}

static void restart_nowhere(VirtioRig *rig)
{
    restart_queue_at(rig, VIRTIO_BENCH_RAM + 0x10000);
}

/* ROM is memory, too, but a device can't tell there what it has used. */
static void restart_in_rom(VirtioRig *rig)
{
    restart_queue_at(rig, ROM);
}

static void restart_at_top(VirtioRig *rig)
{
    restart_queue_at(rig, UINT64_MAX - 0xfff);
}

/* --- what isn't there --- */

static void notify_absent(VirtioRig *rig)
{
    for (unsigned q = rig->b->dev->n_queues; q < 64; q++) {
        virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, q);
    }
    virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, UINT32_MAX);
    virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, 0x80000000);
}

static void notify_storm(VirtioRig *rig)
{
    for (unsigned i = 0; i < 500; i++) {
        virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, i % (rig->b->dev->n_queues + 1));
    }
}

static void select_absent(VirtioRig *rig)
{
    static const uint32_t queues[] = { VIRTIO_MAX_QUEUES, 255, 0xffff, UINT32_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(queues); i++) {
        virtio_bench_write(rig->b, VB_QUEUE_SEL, queues[i]);
        g_assert_cmpuint(virtio_bench_read(rig->b, VB_QUEUE_NUM_MAX), ==, 0);
        g_assert_cmpuint(virtio_bench_read(rig->b, VB_QUEUE_READY), ==, 0);
        virtio_bench_write(rig->b, VB_QUEUE_NUM, 16);
        set_areas(rig, PLANTED);
        virtio_bench_write(rig->b, VB_QUEUE_READY, 1);
        virtio_bench_write(rig->b, VB_QUEUE_RESET, 1);
    }
}

/* --- what was agreed is taken back --- */

static void change_features(VirtioRig *rig, uint32_t value)
{
    for (unsigned half = 0; half < 2; half++) {
        virtio_bench_write(rig->b, VB_DRIVER_FEATURES_SEL, half);
        virtio_bench_write(rig->b, VB_DRIVER_FEATURES, value);
    }
}

static void no_features(VirtioRig *rig)
{
    change_features(rig, 0);
}

static void all_features(VirtioRig *rig)
{
    change_features(rig, UINT32_MAX);
}

static void features_beyond(VirtioRig *rig)
{
    static const uint32_t halves[] = { 2, 3, 31, 0x80000000, UINT32_MAX };

    for (size_t i = 0; i < G_N_ELEMENTS(halves); i++) {
        virtio_bench_write(rig->b, VB_DRIVER_FEATURES_SEL, halves[i]);
        virtio_bench_write(rig->b, VB_DRIVER_FEATURES, UINT32_MAX);
        virtio_bench_write(rig->b, VB_DEVICE_FEATURES_SEL, halves[i]);
        g_assert_cmphex(virtio_bench_read(rig->b, VB_DEVICE_FEATURES), ==, 0);
    }
}

static void clear_status_bits(VirtioRig *rig)
{
    static const uint8_t values[] = { 1, 2, 4, 8, 0x0b };

    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        virtio_bench_write(rig->b, VB_STATUS, values[i]);
    }
}

static void claim_needs_reset(VirtioRig *rig)
{
    virtio_bench_write(rig->b, VB_STATUS, 0x4f);
}

static void unknown_status_bits(VirtioRig *rig)
{
    virtio_bench_write(rig->b, VB_STATUS, 0x3f);
}

/* --- resets --- */

static void reset_with_chain(VirtioRig *rig)
{
    virtio_rig_post(rig);
    virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, rig->subject->queue);
    virtio_bench_write(rig->b, VB_STATUS, 0);
}

static void reset_often(VirtioRig *rig)
{
    for (unsigned i = 0; i < 20; i++) {
        virtio_bench_write(rig->b, VB_STATUS, 0);
    }
}

static void run_without_features(VirtioRig *rig)
{
    virtio_bench_write(rig->b, VB_STATUS, 0);
    virtio_bench_write(rig->b, VB_STATUS, 0x07);
    virtio_bench_write(rig->b, VB_STATUS, 0x0f);
    select_own(rig);
    virtio_bench_write(rig->b, VB_QUEUE_NUM, rig->b->queues[rig->subject->queue].size);
    set_areas(rig, virtio_bench_desc_gpa(rig->subject->queue));
    virtio_bench_write(rig->b, VB_QUEUE_READY, 1);
    g_assert_cmpuint(virtio_bench_read(rig->b, VB_QUEUE_READY), ==, 0);
}

static void refused_features(VirtioRig *rig)
{
    g_assert_false(virtio_bench_negotiate(rig->b, UINT64_MAX));
    virtio_bench_write(rig->b, VB_STATUS, 0x0f);
}

static void without_version_1(VirtioRig *rig)
{
    g_assert_false(virtio_bench_negotiate(rig->b, 0));
    virtio_bench_write(rig->b, VB_STATUS, 0x0f);
}

/* Features are agreed, queues are set up, but the driver never says that it is ready. */
static void never_ready(VirtioRig *rig)
{
    uint64_t without = rig->b->packed ? 0 : VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);

    g_assert_true(virtio_bench_negotiate(rig->b, virtio_bench_features(rig->b) & ~without));
    virtio_bench_queue(rig->b, rig->subject->queue, 16);
}

/* --- registers --- */

static void write_all_config(VirtioRig *rig)
{
    for (unsigned i = 0; i < VIRTIO_MAX_CONFIG + 64; i += 4) {
        virtio_bench_write(rig->b, VB_CONFIG + i, UINT32_MAX);
        virtio_bench_write(rig->b, VB_CONFIG + i, 0);
    }
}

static void read_beyond_config(VirtioRig *rig)
{
    GuestMemory *memory = rig->b->bench.env.memory;
    uint64_t base = rig->b->root ? VIRTIO_BENCH_BAR + 0x2000 : OURS + VB_CONFIG;
    unsigned end = rig->b->root ? 0x1000 : VIRTIO_MMIO_SIZE - VB_CONFIG;

    for (unsigned i = 0; i + 8 < end; i++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint64_t value = gm_mmio_read(memory, base + i, size);
            g_assert_true(i < VIRTIO_MAX_CONFIG || value == 0);
        }
    }
}

/* All of the window in sizes and at places that registers don't have; but for the status, which
 * such a write could set to 0, and notifications. */
static void odd_accesses(VirtioRig *rig)
{
    GuestMemory *memory = rig->b->bench.env.memory;
    uint64_t base = rig->b->root ? VIRTIO_BENCH_BAR + 0x38 : OURS;
    unsigned end = rig->b->root ? 0xf00 : VB_CONFIG;

    for (unsigned i = rig->b->root ? 4 : 1; i < end; i += 2) {
        gm_mmio_read(memory, base + i, 1);
        gm_mmio_read(memory, base + i, 2);
        gm_mmio_write(memory, base + i, 0xff, 1);
        gm_mmio_write(memory, base + i, 0xffff, 2);
    }
}

static void acknowledge_nothing(VirtioRig *rig)
{
    for (unsigned i = 0; i < 256; i++) {
        virtio_bench_write(rig->b, VB_INTERRUPT_ACK, i);
        virtio_bench_read(rig->b, VB_INTERRUPT_STATUS);
    }
}

static void write_read_only(VirtioRig *rig)
{
    static const unsigned registers[] = { 0x00,
                                          0x04,
                                          VB_DEVICE_ID,
                                          0x0c,
                                          VB_DEVICE_FEATURES,
                                          VB_QUEUE_NUM_MAX,
                                          VB_INTERRUPT_STATUS,
                                          VB_CONFIG_GENERATION,
                                          0xb0,
                                          0xbc };

    for (size_t i = 0; i < G_N_ELEMENTS(registers); i++) {
        virtio_bench_write(rig->b, registers[i], UINT32_MAX);
        virtio_bench_write(rig->b, registers[i], 0);
    }
}

/* No interrupts are wanted, by a word that can't be. */
static void suppress_with_rubbish(VirtioRig *rig)
{
    uint32_t rubbish = rig->b->packed ? 0xffffffff : 0x0000ffff;
    uint64_t gpa = virtio_bench_available_gpa(rig->subject->queue);

    gm_write(rig->b->bench.env.memory, gpa, &rubbish, rig->b->packed ? 4 : 2);
}

/* --- PCI --- */

static void put(VirtioRig *rig, unsigned offset, uint32_t value, unsigned size)
{
    pci_root_write(rig->b->root, 0, VIRTIO_BENCH_DEVFN, offset, value, size);
}

static void vectors_beyond(VirtioRig *rig)
{
    GuestMemory *memory = rig->b->bench.env.memory;

    for (unsigned vector = 0; vector < 0x10000; vector += 0x101) {
        select_own(rig);
        gm_mmio_write(memory, VIRTIO_BENCH_BAR + 0x10, vector, 2);
        gm_mmio_write(memory, VIRTIO_BENCH_BAR + 0x1a, vector, 2);
    }
    gm_mmio_write(memory, VIRTIO_BENCH_BAR + 0x1a, 0xfffe, 2);
    g_assert_cmphex(gm_mmio_read(memory, VIRTIO_BENCH_BAR + 0x1a, 2), ==, 0xffff);
}

static void spoil_msix(VirtioRig *rig)
{
    GuestMemory *memory = rig->b->bench.env.memory;

    for (unsigned i = 0; i < 0x1000; i++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            gm_mmio_write(memory, VIRTIO_BENCH_BAR - 0x10000 + i, UINT64_MAX >> (64 - 8 * size),
                          size);
            gm_mmio_read(memory, VIRTIO_BENCH_BAR - 0x10000 + i, size);
        }
    }
}

/* The window through configuration space, looking everywhere but at what a driver may do. */
static void spoil_window(VirtioRig *rig)
{
    static const uint32_t places[] = { 0x4000, 0x3fff, 0x8000, UINT32_MAX, UINT32_MAX - 3, 0xffe };
    static const uint32_t sizes[] = { 0, 3, 4, 8, 0x80000000, UINT32_MAX };

    for (unsigned cap = 0x40; cap < 0x100; cap += 4) {
        if ((pci_root_read(rig->b->root, 0, VIRTIO_BENCH_DEVFN, cap, 4) & 0xff0000ff) !=
            0x05000009) {
            continue;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(places) * G_N_ELEMENTS(sizes); i++) {
            put(rig, cap + 4, i % 2 ? 4 : 7, 1);
            put(rig, cap + 8, places[i / G_N_ELEMENTS(sizes)], 4);
            put(rig, cap + 12, sizes[i % G_N_ELEMENTS(sizes)], 4);
            put(rig, cap + 16, 0, 4);
            pci_root_read(rig->b->root, 0, VIRTIO_BENCH_DEVFN, cap + 16, 4);
        }
        return;
    }
    g_assert_not_reached(); /* there is such a capability */
}

/* Registers over RAM, and away, and back. */
static void move_bar(VirtioRig *rig)
{
    static const uint32_t places[] = { 0, VIRTIO_BENCH_BUFFERS, 0xfffff000, 0xfee00000,
                                       VIRTIO_BENCH_BAR };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        put(rig, PCI_BAR0 + 16, places[i], 4);
        virtio_bench_kick(rig->b, rig->subject->queue);
    }
}

static void no_memory_decoding(VirtioRig *rig)
{
    put(rig, PCI_COMMAND, 0, 2);
    virtio_bench_write(rig->b, VB_STATUS, 0);
    virtio_bench_write(rig->b, VB_QUEUE_NOTIFY, 0);
    put(rig, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void write_all_of_config_space(VirtioRig *rig)
{
    for (unsigned i = PCI_HEADER_END; i < 0x1000; i += 4) {
        put(rig, i, UINT32_MAX, 4);
        put(rig, i, 0, 4);
    }
}

/* --- */

static const Act acts[] = {
    { "resize-live", GOES_ON, resize_live, ANYWHERE },
    { "move-live", GOES_ON, move_live, ANYWHERE },
    { "move-live-to-registers", GOES_ON, move_live_to_registers, ANYWHERE },
    { "move-live-beyond", GOES_ON, move_live_beyond, ANYWHERE },
    { "enable-again", GOES_ON, enable_again, ANYWHERE },
    { "enable-with-rubbish", GOES_ON, enable_with_rubbish, ANYWHERE },
    { "stop-queue", STANDS, stop_queue, MMIO_ALONE },
    { "reset-queue", STANDS, reset_queue, ANYWHERE },
    { "reset-queue-twice", STANDS, reset_queue_twice, ANYWHERE },
    { "restart-in-registers", NEEDS_RESET, restart_in_registers, ANYWHERE },
    { "restart-across-end", NEEDS_RESET, restart_across_end, ANYWHERE },
    { "restart-nowhere", NEEDS_RESET, restart_nowhere, ANYWHERE },
    { "restart-in-rom", NEEDS_RESET, restart_in_rom, ANYWHERE },
    { "restart-at-top", NEEDS_RESET, restart_at_top, ANYWHERE },
    { "notify-absent", GOES_ON, notify_absent, ANYWHERE },
    { "notify-storm", GOES_ON, notify_storm, ANYWHERE },
    { "select-absent", GOES_ON, select_absent, ANYWHERE },
    { "no-features", GOES_ON, no_features, ANYWHERE },
    { "all-features", GOES_ON, all_features, ANYWHERE },
    { "features-beyond", GOES_ON, features_beyond, ANYWHERE },
    { "clear-status-bits", GOES_ON, clear_status_bits, ANYWHERE },
    { "claim-needs-reset", GOES_ON, claim_needs_reset, ANYWHERE },
    { "unknown-status-bits", GOES_ON, unknown_status_bits, ANYWHERE },
    { "reset-with-chain", STANDS, reset_with_chain, ANYWHERE },
    { "reset-often", STANDS, reset_often, ANYWHERE },
    { "run-without-features", STANDS, run_without_features, ANYWHERE },
    { "refused-features", STANDS, refused_features, ANYWHERE },
    { "without-version-1", STANDS, without_version_1, ANYWHERE },
    { "never-ready", STANDS, never_ready, ANYWHERE },
    { "write-all-config", GOES_ON, write_all_config, ANYWHERE },
    { "read-beyond-config", GOES_ON, read_beyond_config, ANYWHERE },
    { "odd-accesses", GOES_ON, odd_accesses, ANYWHERE },
    { "acknowledge-nothing", GOES_ON, acknowledge_nothing, ANYWHERE },
    { "write-read-only", GOES_ON, write_read_only, ANYWHERE },
    { "suppress-with-rubbish", GOES_ON, suppress_with_rubbish, ANYWHERE },
    { "vectors-beyond", GOES_ON, vectors_beyond, PCI_ALONE },
    { "spoil-msix", GOES_ON, spoil_msix, PCI_ALONE },
    { "spoil-window", GOES_ON, spoil_window, PCI_ALONE },
    { "move-bar", GOES_ON, move_bar, PCI_ALONE },
    { "no-memory-decoding", GOES_ON, no_memory_decoding, PCI_ALONE },
    { "write-all-of-config-space", GOES_ON, write_all_of_config_space, PCI_ALONE },
};

/* RAM that no chain names is full of a pattern, and there is some ROM. */
static void plant(VirtioBench *b)
{
    GuestMemory *memory = b->bench.env.memory;
    const RamBlock *rom = gm_add_block(memory, "rom", ROM_SIZE, NULL);

    gm_add_window(memory, &(GmWindowConfig){ .io = { .name = "rom", .base = ROM, .size = ROM_SIZE },
                                             .block = rom,
                                             .read_only = true,
                                             .priority = GM_FIXED });
    memset(gm_ram(memory, PLANTED, VIRTIO_BENCH_RAM - PLANTED), 0xa5, VIRTIO_BENCH_RAM - PLANTED);
}

static void check_planted(VirtioBench *b)
{
    const GuestMemory *memory = b->bench.env.memory;
    const uint8_t *rom = gm_rom(memory, ROM, ROM_SIZE);
    const uint8_t *ram = gm_ram(memory, PLANTED, VIRTIO_BENCH_RAM - PLANTED);

    for (unsigned i = 0; i < VIRTIO_BENCH_RAM - PLANTED; i++) {
        g_assert_cmphex(ram[i], ==, 0xa5);
    }
    for (unsigned i = 0; i < ROM_SIZE; i++) {
        g_assert_cmphex(rom[i], ==, 0);
    }
}

static void test_act(gconstpointer data)
{
    const Case *c = data;
    unsigned q = c->subject->queue;
    VirtioRig rig;

    (c->pci ? virtio_rig_init_pci : virtio_rig_init)(&rig, c->subject);
    VirtioBench *b = rig.b;
    b->packed = c->packed;
    plant(b);
    virtio_bench_start(b, 0);
    c->act->do_it(&rig);
    g_assert_cmpint(virtio_bench_is_broken(b), ==, c->act->verdict == NEEDS_RESET);
    virtio_rig_post(&rig);
    virtio_rig_serve(&rig);
    int64_t used = virtio_bench_next_used(b, q, NULL);
    g_assert_cmpint(used >= 0, ==, c->act->verdict == GOES_ON);
    g_assert_cmpint(virtio_bench_is_broken(b), ==, c->act->verdict == NEEDS_RESET);
    check_planted(b);
    virtio_rig_check_works(&rig);
    check_planted(b);
    virtio_rig_clear(&rig);
}

static void add(const VirtioSubject *subject, const Act *act, bool pci, bool packed)
{
    g_autofree char *path =
        g_strdup_printf("/hostile-life/%s/%s/%s/%s", subject->name, pci ? "pci" : "mmio",
                        packed ? "packed" : "split", act->name);
    Case *c = g_new(Case, 1);

    *c = (Case){ subject, act, packed, pci };
    g_test_add_data_func_full(path, c, test_act, g_free);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (const VirtioSubject *s = virtio_subjects; s->name; s++) {
        for (size_t i = 0; i < 4 * G_N_ELEMENTS(acts); i++) {
            const Act *act = &acts[i / 4];
            bool pci = i & 1, packed = i & 2;
            if (act->where == ANYWHERE || pci == (act->where == PCI_ALONE)) {
                add(s, act, pci, packed);
            }
        }
    }
    return g_test_run();
}
