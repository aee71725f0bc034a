/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a virtio disk that fly: several queues, landings in any order, resets and saved
 * states while some are on their way, or parked.
 *
 * The disk is on a host in memory, where moves end when the test says so.
 */
#include "machine/virtio/blk.h"

#include <errno.h>

#include "block/bench.h"
#include "block/image.h"
#include "machine/virtio/bench.h"

enum { QUEUES = 3, SECTORS = 64, AREA = 0x1000, TABLE = VIRTIO_BENCH_BUFFERS - 0x1000 };

typedef struct Rig {
    BlkBench host;
    BlkAio *aio;
    Blk *blk;
    VirtioBench *b;
    IoWatch *watch;
    GRand *random;
    unsigned errors; /* that were told of */
} Rig;

static VirtioDev *make(const VirtioSlot *slot, void *opaque)
{
    return virtio_blk_new(slot, opaque, "serial", QUEUES);
}

static void on_ended(void *opaque, unsigned events)
{
    blk_aio_run(((Rig *)opaque)->aio);
}

static void on_disk_error(void *opaque, const DiskError *error)
{
    ((Rig *)opaque)->errors++;
}

static uint8_t *ram(const Rig *rig, uint64_t gpa, uint64_t len)
{
    return gm_ram(rig->b->bench.env.memory, gpa, len);
}

static Rig *rig_new(bool packed)
{
    Rig *rig = g_new0(Rig, 1);
    g_autofree uint8_t *bytes = g_malloc(SECTORS * BLK_SECTOR);
    g_autoptr(GError) error = NULL;
    int fds[BLK_AIO_FDS];

    blk_bench_init(&rig->host);
    for (unsigned i = 0; i < SECTORS * BLK_SECTOR; i++) {
        bytes[i] = (uint8_t)(i / BLK_SECTOR + 1);
    }
    blk_bench_put(&rig->host, "disk", bytes, SECTORS * BLK_SECTOR);
    rig->aio = blk_aio_new(BLK_AIO_MANUAL);
    blk_aio_start(rig->aio);
    BlkOptions options = { .path = "disk", .host = &rig->host.host, .aio = rig->aio };
    rig->blk = blk_open(&options, &error);
    g_assert_no_error(error);
    rig->b = virtio_bench_new(make, rig->blk);
    rig->b->packed = packed;
    g_assert_cmpuint(blk_aio_fds(rig->aio, fds), ==, 1);
    rig->watch = io_watch_new(rig->b->io, fds[0], on_ended, rig);
    io_watch_set(rig->watch, IO_READ);
    rig->random = g_rand_new();
    return rig;
}

static void rig_free(Rig *rig)
{
    io_watch_free(rig->watch);
    virtio_bench_free(rig->b);
    blk_close(rig->blk);
    blk_aio_free(rig->aio);
    g_rand_free(rig->random);
    blk_bench_clear(&rig->host);
    g_free(rig);
}

static uint64_t area(unsigned number)
{
    return VIRTIO_BENCH_BUFFERS + (uint64_t)number * AREA;
}

static void put_header(Rig *rig, unsigned number, uint32_t type, uint64_t sector)
{
    uint8_t *header = ram(rig, area(number), AREA);

    memset(header, 0, AREA);
    store_le32(header, type);
    store_le64(header + 8, sector);
    header[0x800] = 0xee; /* the status */
}

static void get_parts(unsigned number, bool write, VirtioBenchPart parts[3])
{
    parts[0] = (VirtioBenchPart){ area(number), 16, false };
    parts[1] = (VirtioBenchPart){ area(number) + 0x200, BLK_SECTOR, !write };
    parts[2] = (VirtioBenchPart){ area(number) + 0x800, 1, true };
}

/* Ask queue @q for, or give it, a sector; the request has number @number. */
static void ask(Rig *rig, unsigned q, unsigned number, bool write, uint64_t sector)
{
    VirtioBenchPart parts[3];

    put_header(rig, number, write, sector);
    get_parts(number, write, parts);
    memset(ram(rig, area(number) + 0x200, BLK_SECTOR), write ? 0xa0 + (int)number : 0, BLK_SECTOR);
    virtio_bench_post(rig->b, q, parts, 3);
}

static uint8_t status_of(const Rig *rig, unsigned number)
{
    return *ram(rig, area(number) + 0x800, 1);
}

static void end_moves(Rig *rig)
{
    blk_bench_end_moves(&rig->host, rig->random, false);
    io_thread_run_all(rig->b->io);
}

static void test_queues(gconstpointer packed)
{
    Rig *rig = rig_new(packed != NULL);

    g_assert_cmpuint(virtio_bench_features(rig->b) >> 12 & 1, ==, 1);
    g_assert_cmpuint(virtio_bench_read(rig->b, VB_CONFIG + 32) >> 16, ==, QUEUES);
    virtio_bench_start(rig->b, 0);
    for (unsigned i = 0; i < 4 * QUEUES; i++) {
        ask(rig, i % QUEUES, i, i % 2, i);
    }
    for (unsigned q = 0; q < QUEUES; q++) {
        virtio_bench_kick(rig->b, q);
        g_assert_cmpint(virtio_bench_next_used(rig->b, q, NULL), ==, -1); /* they fly */
    }
    g_assert_cmpuint(rig->host.begun->len, ==, 4 * QUEUES);
    end_moves(rig);
    for (unsigned i = 0; i < 4 * QUEUES; i++) {
        g_assert_cmpint(virtio_bench_next_used(rig->b, i % QUEUES, NULL), >, 0);
        g_assert_cmpuint(status_of(rig, i), ==, 0);
        const uint8_t *disk = blk_bench_file(&rig->host, "disk")->bytes;
        g_assert_cmpuint(disk[i * BLK_SECTOR], ==, i % 2 ? 0xa0 + i : i + 1);
        g_assert_cmpuint(*ram(rig, area(i) + 0x200, 1), ==, disk[i * BLK_SECTOR]);
    }
    rig_free(rig);
}

/* --- while they fly --- */

typedef enum Halt { RESET, STOP_QUEUE, PAUSE } Halt;

typedef struct Guest {
    Rig *rig;
    Halt what;
} Guest;

static gpointer halt(gpointer data)
{
    const Guest *guest = data;
    VirtioBench *b = guest->rig->b;

    switch (guest->what) {
    case RESET:
        virtio_bench_write(b, VB_STATUS, 0);
        break;
    case STOP_QUEUE:
        virtio_bench_write(b, VB_QUEUE_SEL, 1);
        virtio_bench_write(b, VB_QUEUE_RESET, 1);
        break;
    case PAUSE:
        device_pause(&b->dev->device, true);
        break;
    }
    return NULL;
}

/* Whether somebody waits until nothing flies. */
static bool is_waited_for(VirtioDev *dev)
{
    g_mutex_lock(&dev->device.lock);
    bool waited = dev->paused || dev->queues[0].draining || dev->queues[1].draining;
    g_mutex_unlock(&dev->device.lock);
    return waited;
}

/* A reset, or a pause, waits for what flies; the guest gets back what a pause waited for, and no
 * more after a reset. */
static void test_halt(gconstpointer data)
{
    Guest guest = { rig_new(false), (Halt)GPOINTER_TO_UINT(data) };
    Rig *rig = guest.rig;

    virtio_bench_start(rig->b, 0);
    ask(rig, 1, 0, true, 5);
    ask(rig, 1, 1, false, 6);
    virtio_bench_kick(rig->b, 1);
    g_assert_cmpuint(rig->host.begun->len, ==, 2);
    GThread *thread = g_thread_new("guest", halt, &guest);
    while (!is_waited_for(rig->b->dev)) {
        g_usleep(100);
    }
    g_assert_cmpuint(status_of(rig, 0), ==, 0xee);
    end_moves(rig);
    g_thread_join(thread);
    g_assert_cmpuint(status_of(rig, 0), ==, guest.what == PAUSE ? 0 : 0xee);
    g_assert_cmpuint(status_of(rig, 1), ==, guest.what == PAUSE ? 0 : 0xee);
    if (guest.what == PAUSE) {
        device_pause(&rig->b->dev->device, false);
    }
    io_thread_run_all(rig->b->io);
    rig_free(rig);
}

/* --- parked --- */

static void save_and_load(Rig *rig)
{
    Device *device = &rig->b->dev->device;
    g_autoptr(GError) error = NULL;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc(len);

    device_pause(device, true);
    device_save(device, state);
    device_pause(device, false);
    device_reset(device);
    io_thread_run_all(rig->b->io);
    device_load(device, state, len, &error);
    g_assert_no_error(error);
}

static void test_saved(gconstpointer packed)
{
    Rig *rig = rig_new(packed != NULL);
    const MachineEvents events = { .opaque = rig, .disk_error = on_disk_error };

    virtio_blk_on_errors(rig->b->dev, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, &events);
    virtio_bench_start(rig->b, 0);
    ask(rig, 0, 0, true, 5);
    virtio_bench_kick(rig->b, 0);
    ask(rig, 1, 1, true, 6);
    virtio_bench_kick(rig->b, 1);
    rig->host.fail_at = 1;
    rig->host.fail_from_then = true;
    rig->host.result = -ENOSPC;
    end_moves(rig);
    g_assert_cmpuint(rig->errors, ==, 2);
    g_assert_cmpuint(status_of(rig, 0), ==, 0xee);
    save_and_load(rig);
    rig->host.fail_at = 0;
    rig->host.fail_from_then = false;
    io_thread_run_all(rig->b->io);
    end_moves(rig);
    g_assert_cmpuint(status_of(rig, 0), ==, 0);
    g_assert_cmpuint(status_of(rig, 1), ==, 0);
    g_assert_cmpuint(blk_bench_file(&rig->host, "disk")->bytes[5 * BLK_SECTOR], ==, 0xa0);
    g_assert_cmpuint(blk_bench_file(&rig->host, "disk")->bytes[6 * BLK_SECTOR], ==, 0xa1);
    g_assert_cmpint(virtio_bench_next_used(rig->b, 0, NULL), ==, 1);
    g_assert_cmpint(virtio_bench_next_used(rig->b, 1, NULL), ==, 1);
    rig_free(rig);
}

/* Of three writes the first fails, and the others are done: what they are given back with stands
 * in a packed ring where the first one's descriptors were.  True: it came so. */
static bool save_written_over(unsigned seed)
{
    Rig *rig = rig_new(true);
    const MachineEvents events = { .opaque = rig, .disk_error = on_disk_error };

    g_rand_set_seed(rig->random, seed);
    virtio_blk_on_errors(rig->b->dev, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, &events);
    virtio_bench_start(rig->b, 0);
    for (unsigned i = 0; i < 3; i++) {
        ask(rig, 0, i, true, 5 + i);
    }
    virtio_bench_kick(rig->b, 0);
    rig->host.calls = 0;
    rig->host.fail_at = 1;
    rig->host.result = -ENOSPC;
    end_moves(rig);
    bool first = status_of(rig, 0) == 0xee;
    g_assert_cmpuint(rig->errors, ==, 1);
    g_assert_cmpint(virtio_bench_next_used(rig->b, 0, NULL), ==, 1);
    save_and_load(rig);
    io_thread_run_all(rig->b->io);
    end_moves(rig);
    g_assert_false(virtio_bench_is_broken(rig->b));
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(status_of(rig, i), ==, 0);
        g_assert_cmpuint(blk_bench_file(&rig->host, "disk")->bytes[(5 + i) * BLK_SECTOR], ==,
                         0xa0 + i);
    }
    rig_free(rig);
    return first;
}

static void test_saved_written_over(void)
{
    unsigned seed = 0, times = 0;

    while (times < 3 && seed < 100) {
        times += save_written_over(seed++);
    }
    g_assert_cmpuint(times, ==, 3);
}

/* The same by an indirect table in a packed ring, as Linux has it. */
static void test_saved_indirect(void)
{
    Rig *rig = rig_new(true);
    const MachineEvents events = { .opaque = rig, .disk_error = on_disk_error };
    const VirtioBenchPart table = { TABLE, 48, false };
    VirtioBenchPart parts[3];

    virtio_blk_on_errors(rig->b->dev, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, &events);
    virtio_bench_start(rig->b, 0);
    put_header(rig, 0, 1, 5);
    get_parts(0, true, parts);
    memset(ram(rig, parts[1].gpa, BLK_SECTOR), 0xa0, BLK_SECTOR);
    for (uint16_t i = 0; i < 3; i++) {
        virtio_bench_descriptor(rig->b, TABLE, i, &parts[i], 0);
    }
    virtio_bench_descriptor(rig->b, virtio_bench_desc_gpa(0), 0, &table,
                            (VB_INDIRECT | VB_AVAIL) << 16);
    virtio_bench_kick(rig->b, 0);
    rig->host.calls = 0;
    rig->host.fail_at = 1;
    rig->host.result = -ENOSPC;
    end_moves(rig);
    g_assert_cmpuint(rig->errors, ==, 1);
    save_and_load(rig);
    io_thread_run_all(rig->b->io);
    end_moves(rig);
    g_assert_cmpuint(status_of(rig, 0), ==, 0);
    g_assert_cmpuint(blk_bench_file(&rig->host, "disk")->bytes[5 * BLK_SECTOR], ==, 0xa0);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/blk/queues/split", NULL, test_queues);
    g_test_add_data_func("/blk/queues/packed", GUINT_TO_POINTER(1), test_queues);
    g_test_add_data_func("/blk/flying/reset", GUINT_TO_POINTER(RESET), test_halt);
    g_test_add_data_func("/blk/flying/queue-reset", GUINT_TO_POINTER(STOP_QUEUE), test_halt);
    g_test_add_data_func("/blk/flying/pause", GUINT_TO_POINTER(PAUSE), test_halt);
    g_test_add_data_func("/blk/parked/split", NULL, test_saved);
    g_test_add_data_func("/blk/parked/packed", GUINT_TO_POINTER(1), test_saved);
    g_test_add_func("/blk/parked/packed-indirect", test_saved_indirect);
    g_test_add_func("/blk/parked/packed-written-over", test_saved_written_over);
    return g_test_run();
}
