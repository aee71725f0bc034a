/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of queued commands of the AHCI controller: many at the same time that end in any order,
 * among others that can't run beside them; errors, resets and pauses while they are on their way.
 *
 * The disk is on a host in memory, where moves end when the test says so.
 */
#include <errno.h>
#include <string.h>

#include "machine/device/ahci_bench.h"
#include "machine/device/ahci_state.h"

enum {
    DISK = AHCI_BENCH_DISK_PORT,
    DATA = AHCI_BENCH_DATA,
    AREA = 0x1000,
    GOOD = 0x50,
    BUSY = 0x80
};
enum { READ_QUEUED = 0x60, WRITE_QUEUED = 0x61, FLUSH = 0xea, FORCED = 0x80, RUNS = 0x8000 };
enum { IS_BITS = 8, IS_TASK_FILE = 0x40000000 };

typedef struct Rig {
    AhciBench b;
    GRand *random;
} Rig;

static Rig *rig_new(DiskOnError policy)
{
    Rig *rig = g_new0(Rig, 1);

    ahci_bench_init_flying(&rig->b, policy);
    rig->random = g_rand_new();
    return rig;
}

static void rig_free(Rig *rig)
{
    ahci_bench_clear(&rig->b);
    g_rand_free(rig->random);
    g_free(rig);
}

static uint8_t *data_of(Rig *rig, unsigned slot)
{
    return ahci_bench_data(&rig->b) + (size_t)slot * AREA;
}

static uint8_t *sector(Rig *rig, unsigned lba)
{
    return blk_bench_file(&rig->b.host, "disk")->bytes + (size_t)lba * 512;
}

/* A sector's command in a slot, with data of its own, in two regions. */
static void put(Rig *rig, unsigned slot, uint8_t code, unsigned lba, uint8_t device)
{
    GuestMemory *memory = rig->b.bench.env.memory;
    const AhciBenchCommand command = { .code = code,
                                       .lba = lba,
                                       .count = (uint16_t)(slot << 3),
                                       .features = 1,
                                       .device = 0x40 | device,
                                       .len = 512,
                                       .piece = 256 };

    memset(data_of(rig, slot), code == WRITE_QUEUED ? (int)(0xa0 + slot) : 0, 512);
    ahci_bench_write(&rig->b, DISK, slot, &command);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t gpa = DATA + slot * AREA + i * 256U;
        gm_write(memory, ahci_bench_table(DISK, slot) + 0x80 + i * 16U, &gpa, sizeof(gpa));
    }
}

static void issue(Rig *rig, uint32_t slots, uint32_t queued)
{
    ahci_bench_put(&rig->b, DISK, AB_SACT, queued);
    ahci_bench_issue(&rig->b, DISK, slots);
}

static void end_moves(Rig *rig)
{
    blk_bench_end_moves(&rig->b.host, rig->random, false);
    io_thread_run_all(rig->b.io);
}

static uint32_t get(Rig *rig, unsigned reg)
{
    return ahci_bench_get(&rig->b, DISK, reg);
}

/* --- */

static void test_order(void)
{
    enum { MANY = 32 };
    Rig *rig = rig_new(DISK_ON_ERROR_REPORT);

    for (unsigned i = 0; i < MANY; i++) {
        put(rig, i, i % 2 ? WRITE_QUEUED : READ_QUEUED, 100 + i, 0);
    }
    issue(rig, UINT32_MAX, UINT32_MAX);
    g_assert_cmpuint(rig->b.host.begun->len, ==, MANY);
    g_assert_cmphex(get(rig, AB_SACT), ==, UINT32_MAX);
    g_assert_cmphex(get(rig, AB_TFD) & BUSY, ==, 0);
    end_moves(rig);
    g_assert_cmphex(get(rig, AB_TFD), ==, GOOD);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmphex(get(rig, AB_CI), ==, 0);
    g_assert_cmphex(get(rig, AB_IS) & (IS_BITS | IS_TASK_FILE), ==, IS_BITS);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t want = (uint8_t)(i % 2 ? 0xa0 + i : 100 + i + 1);
        g_assert_cmphex(sector(rig, 100 + i)[511], ==, want);
        g_assert_cmphex(data_of(rig, i)[0], ==, want);
        g_assert_cmphex(data_of(rig, i)[511], ==, want);
    }
    rig_free(rig);
}

/* A flush waits for those before it, and those behind it wait for the flush. */
static void test_flush_waits(void)
{
    Rig *rig = rig_new(DISK_ON_ERROR_REPORT);

    for (unsigned i = 0; i < 3; i++) {
        put(rig, i, WRITE_QUEUED, 10 + i, 0);
    }
    ahci_bench_write(&rig->b, DISK, 3, &(AhciBenchCommand){ .code = FLUSH });
    put(rig, 4, WRITE_QUEUED, 14, 0);
    issue(rig, 7, 7);
    rig->b.host.syncs = 0;
    issue(rig, 1 << 3, 0);
    issue(rig, 1 << 4, 1 << 4);
    g_assert_cmpuint(rig->b.host.syncs, ==, 0);
    g_assert_cmphex(get(rig, AB_CI) & 1 << 3, ==, 1 << 3);
    end_moves(rig);
    g_assert_cmpuint(rig->b.host.syncs, ==, 1);
    end_moves(rig);
    g_assert_cmphex(get(rig, AB_CI), ==, 0);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmphex(sector(rig, 14)[0], ==, 0xa4);
    rig_free(rig);
}

/* What is to be durable is flushed before its end is told. */
static void test_forced(void)
{
    Rig *rig = rig_new(DISK_ON_ERROR_REPORT);

    put(rig, 0, WRITE_QUEUED, 10, FORCED);
    issue(rig, 1, 1);
    rig->b.host.syncs = 0;
    for (unsigned i = 0; i < 10 && get(rig, AB_SACT); i++) {
        end_moves(rig);
    }
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmpuint(rig->b.host.syncs, ==, 1);
    rig_free(rig);
}

/* One fails: the port stands, and what ends behind it is the guest's to ask for again. */
static void test_error(gconstpointer data)
{
    const bool stop = data != NULL;
    Rig *rig = rig_new(stop ? DISK_ON_ERROR_STOP : DISK_ON_ERROR_REPORT);

    for (unsigned i = 0; i < 4; i++) {
        put(rig, i, WRITE_QUEUED, 10 + i, 0);
    }
    issue(rig, 15, 15);
    rig->b.host.calls = 0;
    rig->b.host.fail_at = 1;
    rig->b.host.result = -EIO;
    end_moves(rig);
    g_assert_cmpuint(rig->b.errors, ==, 1);
    if (stop) {
        g_assert_cmpuint((unsigned)__builtin_popcount(get(rig, AB_SACT)), ==, 1);
        g_assert_cmphex(get(rig, AB_CI), ==, get(rig, AB_SACT));
        ahci_retry(rig->b.ahci);
        io_thread_run_all(rig->b.io);
    } else {
        g_assert_cmphex(get(rig, AB_SACT), ==, 15); /* it was the first that ended */
        g_assert_cmphex(get(rig, AB_IS) & IS_TASK_FILE, ==, IS_TASK_FILE);
        ahci_bench_start(&rig->b, DISK);
        g_assert_cmphex(get(rig, AB_CMD) & RUNS, ==, RUNS);
        issue(rig, 15, 15);
    }
    end_moves(rig);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmphex(get(rig, AB_CI), ==, 0);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(sector(rig, 10 + i)[0], ==, 0xa0 + i);
    }
    rig_free(rig);
}

/* --- taken back, and paused --- */

static void stop_port(Rig *rig)
{
    ahci_bench_put(&rig->b, DISK, AB_CMD, 0x10);
    g_assert_cmphex(get(rig, AB_CMD) & RUNS, ==, RUNS); /* not yet */
}

static void reset_link(Rig *rig)
{
    ahci_bench_put(&rig->b, DISK, AB_SCTL, 1);
    ahci_bench_put(&rig->b, DISK, AB_SCTL, 0);
    g_assert_cmphex(get(rig, AB_SSTS), ==, 0);
}

static void reset_controller(Rig *rig)
{
    GuestMemory *memory = rig->b.bench.env.memory;

    gm_mmio_write(memory, AHCI_BENCH_BAR + 4, 1, 4);
    g_assert_cmphex(gm_mmio_read(memory, AHCI_BENCH_BAR + 4, 4) & 1, ==, 1);
}

static const struct {
    const char *name;
    void (*take_back)(Rig *rig);
} takes[] = {
    { "stop", stop_port },
    { "link", reset_link },
    { "controller", reset_controller },
};

/* New commands in the same slots wait until the old ones have ended; nobody hears of these. */
static void test_take_back(gconstpointer data)
{
    const typeof(takes[0]) *c = data;
    Rig *rig = rig_new(DISK_ON_ERROR_REPORT);

    put(rig, 0, READ_QUEUED, 10, 0);
    put(rig, 1, WRITE_QUEUED, 11, 0);
    issue(rig, 3, 3);
    c->take_back(rig);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    ahci_bench_start(&rig->b, DISK);
    ahci_bench_put(&rig->b, DISK, AB_IS, UINT32_MAX);
    put(rig, 0, READ_QUEUED, 20, 0);
    issue(rig, 1, 1);
    g_assert_cmpuint(rig->b.host.begun->len, ==, 2);
    blk_bench_end_moves(&rig->b.host, rig->random, false);
    io_thread_run_all(rig->b.io);
    g_assert_cmphex(get(rig, AB_IS) & IS_BITS, ==, 0);
    g_assert_cmphex(get(rig, AB_SACT), ==, 1);
    g_assert_cmphex(get(rig, AB_SSTS), ==, 0x123);
    end_moves(rig);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmphex(data_of(rig, 0)[0], ==, 21);
    g_assert_cmphex(sector(rig, 11)[0], ==, 0xa1);
    rig_free(rig);
}

static gpointer pause_it(gpointer data)
{
    device_pause((Device *)((Rig *)data)->b.ahci, true);
    return NULL;
}

static void test_pause(void)
{
    Rig *rig = rig_new(DISK_ON_ERROR_REPORT);
    Ahci *ahci = rig->b.ahci;
    bool paused = false;

    put(rig, 0, WRITE_QUEUED, 10, 0);
    put(rig, 1, WRITE_QUEUED, 11, 0);
    issue(rig, 1, 1);
    GThread *thread = g_thread_new("pause", pause_it, rig);
    while (!paused) {
        g_usleep(100);
        g_mutex_lock(&ahci->pci.device.lock);
        paused = ahci->paused;
        g_mutex_unlock(&ahci->pci.device.lock);
    }
    issue(rig, 2, 2);
    end_moves(rig);
    g_thread_join(thread);
    g_assert_cmphex(get(rig, AB_SACT), ==, 2);
    g_assert_cmphex(sector(rig, 10)[0], ==, 0xa0);
    device_pause((Device *)ahci, false);
    io_thread_run_all(rig->b.io);
    end_moves(rig);
    g_assert_cmphex(get(rig, AB_SACT), ==, 0);
    g_assert_cmphex(sector(rig, 11)[0], ==, 0xa1);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ahci-queue/order", test_order);
    g_test_add_func("/ahci-queue/flush-waits", test_flush_waits);
    g_test_add_func("/ahci-queue/forced", test_forced);
    g_test_add_data_func("/ahci-queue/error/report", NULL, test_error);
    g_test_add_data_func("/ahci-queue/error/stop", GUINT_TO_POINTER(1), test_error);
    for (size_t i = 0; i < G_N_ELEMENTS(takes); i++) {
        g_autofree char *path = g_strconcat("/ahci-queue/take-back/", takes[i].name, NULL);
        g_test_add_data_func(path, &takes[i], test_take_back);
    }
    g_test_add_func("/ahci-queue/pause", test_pause);
    return g_test_run();
}
