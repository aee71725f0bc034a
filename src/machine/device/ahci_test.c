/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the AHCI controller, its disk and its CD-ROM: commands as tables, what is said of errors
 * of guest and host, trays, and what a guest that lies is answered.
 */
#include <errno.h>
#include <string.h>

#include "common/error.h"
#include "machine/device/ahci_bench.h"

enum { DISK = AHCI_BENCH_DISK_PORT, CD = AHCI_BENCH_CD_PORT, DATA = AHCI_BENCH_DATA };
enum { GOOD = 0x50, ABORTED = 0x451, NO_SECTOR = 0x1051, UNREADABLE = 0x4051 };
enum { IS_TASK_FILE = 0x40000000, IS_HOST_FATAL = 0x20000000, IS_INTERFACE = 0x8000000 };
enum { NOT_READY = 0x2451, MEDIUM_ERROR = 0x3451, ILLEGAL = 0x5451, ATTENTION = 0x6451 };

static AhciBench *new_bench(DiskOnError policy)
{
    AhciBench *b = g_new(AhciBench, 1);

    ahci_bench_init(b, policy);
    return b;
}

static void free_bench(AhciBench *b)
{
    ahci_bench_clear(b);
    g_free(b);
}

/* --- registers --- */

static void test_registers(void)
{
    static const struct {
        unsigned reg;
        uint32_t value;
    } hba[] = { { 0x00, 0xc1241f05 }, { 0x04, 0x80000002 }, { 0x0c, 0x3f }, { 0x10, 0x10301 } };
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);

    for (size_t i = 0; i < G_N_ELEMENTS(hba); i++) {
        uint64_t value = gm_mmio_read(b->bench.env.memory, AHCI_BENCH_BAR + hba[i].reg, 4);
        g_assert_cmphex(value, ==, hba[i].value);
    }
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SIG), ==, 0x101);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_TFD), ==, 0x150);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SSTS), ==, 0x123);
    g_assert_cmphex(ahci_bench_get(b, CD, AB_SIG), ==, 0xeb140101);
    g_assert_cmphex(ahci_bench_get(b, CD, AB_TFD), ==, 0x100);
    g_assert_cmphex(ahci_bench_get(b, 1, AB_SSTS), ==, 0);
    g_assert_cmphex(ahci_bench_get(b, 1, AB_TFD), ==, 0x7f);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CMD), ==, 0xdf17);
    free_bench(b);
}

/* The FIS that a reset ends with: by the link, by the control register, by the controller. */
static void test_resets(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    GuestMemory *memory = b->bench.env.memory;
    uint8_t *fis = gm_ram(memory, ahci_bench_fises(DISK) + 0x40, 20);
    uint8_t *table = gm_ram(memory, ahci_bench_table(DISK, 0), 64);

    g_assert_cmphex(load_le32(fis), ==, 0x01500034);
    memset(fis, 0, 20);
    ahci_bench_put(b, DISK, AB_SCTL, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SSTS), ==, 0);
    ahci_bench_put(b, DISK, AB_SCTL, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SSTS), ==, 0x123);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SERR), ==, 1 << 26);
    g_assert_cmphex(load_le32(fis), ==, 0x01500034);
    for (unsigned i = 0; i < 2; i++) { /* set the bit, and clear it */
        memset(fis, 0, 20);
        ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ 0 });
        table[1] = 0;
        table[15] = i ? 0 : 4;
        ahci_bench_issue(b, DISK, 1);
        g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
        g_assert_cmphex(load_le32(fis), ==, i ? 0x01500034 : 0);
    }
    gm_mmio_write(memory, AHCI_BENCH_BAR + 4, 0x80000001, 4);
    g_assert_cmphex(gm_mmio_read(memory, AHCI_BENCH_BAR + 4, 4), ==, 0x80000000);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CMD), ==, 6);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IE), ==, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SIG), ==, 0x101);
    free_bench(b);
}

/* The line follows what is enabled and not yet acknowledged. */
static void test_interrupts(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    GuestMemory *memory = b->bench.env.memory;

    g_assert_false(b->bench.level[0]);
    ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xe7 });
    g_assert_true(b->bench.level[0]);
    g_assert_cmphex(gm_mmio_read(memory, AHCI_BENCH_BAR + 8, 4), ==, 1 << DISK);
    gm_mmio_write(memory, AHCI_BENCH_BAR + 8, 1 << DISK, 4); /* the port still has it */
    g_assert_true(b->bench.level[0]);
    ahci_bench_put(b, DISK, AB_IS, UINT32_MAX);
    gm_mmio_write(memory, AHCI_BENCH_BAR + 8, 1 << DISK, 4);
    g_assert_false(b->bench.level[0]);
    ahci_bench_start(b, DISK);
    ahci_bench_put(b, DISK, AB_IE, 0);
    ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ .code = 0xe7 });
    ahci_bench_issue(b, DISK, 1);
    g_assert_false(b->bench.level[0]);
    ahci_bench_put(b, DISK, AB_IE, 1);
    g_assert_true(b->bench.level[0]);
    gm_mmio_write(memory, AHCI_BENCH_BAR + 4, 0, 4); /* all of them off */
    g_assert_false(b->bench.level[0]);
    free_bench(b);
}

/* --- the disk: reading and writing --- */

static const struct Move {
    const char *name;
    uint8_t code;
    bool write, queued, multiple, durable;
    uint8_t device; /* more bits of it */
} moves[] = {
    { "read-sectors", 0x20 },
    { "read-sectors-ext", 0x24 },
    { "read-dma", 0xc8 },
    { "read-dma-ext", 0x25 },
    { "read-multiple", 0xc4, .multiple = true },
    { "read-multiple-ext", 0x29, .multiple = true },
    { "read-queued", 0x60, .queued = true },
    { "write-sectors", 0x30, .write = true },
    { "write-sectors-ext", 0x34, .write = true },
    { "write-dma", 0xca, .write = true },
    { "write-dma-ext", 0x35, .write = true },
    { "write-dma-fua-ext", 0x3d, .write = true, .durable = true },
    { "write-multiple", 0xc5, .write = true, .multiple = true },
    { "write-multiple-ext", 0x39, .write = true, .multiple = true },
    { "write-multiple-fua-ext", 0xce, .write = true, .multiple = true, .durable = true },
    { "write-queued", 0x61, .write = true, .queued = true },
    { "write-queued-fua", 0x61, .write = true, .queued = true, .durable = true, .device = 0x80 },
};

enum { MOVED_SECTORS = 5, MOVED_AT = 300, MOVED_BYTES = MOVED_SECTORS * 512 };

static AhciBenchCommand move_command(const struct Move *m, unsigned slot, uint32_t piece)
{
    return (AhciBenchCommand){ .code = m->code,
                               .lba = MOVED_AT,
                               .count = m->queued ? (uint16_t)(slot << 3) : MOVED_SECTORS,
                               .features = m->queued ? MOVED_SECTORS : 0,
                               .device = 0x40 | m->device,
                               .len = MOVED_BYTES,
                               .piece = piece };
}

static void check_moved(AhciBench *b, const struct Move *m)
{
    const uint8_t *disk = blk_bench_file(&b->host, "disk")->bytes + MOVED_AT * 512;

    for (unsigned i = 0; i < MOVED_BYTES; i++) {
        uint8_t want = m->write ? 0xa0 + i % 3 : (uint8_t)(MOVED_AT + i / 512 + 1);
        g_assert_cmphex(m->write ? disk[i] : ahci_bench_data(b)[i], ==, want);
    }
    g_assert_cmphex(disk[-1], ==, (uint8_t)MOVED_AT);
    g_assert_cmphex(disk[MOVED_BYTES], ==, (uint8_t)(MOVED_AT + MOVED_SECTORS + 1));
    if (!m->write) {
        g_assert_cmphex(ahci_bench_data(b)[MOVED_BYTES], ==, 0xa0 + MOVED_BYTES % 3);
    }
}

/* In pieces that end where they like, from a slot that isn't the first. */
static void test_move(gconstpointer data)
{
    static const uint32_t pieces[] = { 0, 512, 130, 1026 };
    const struct Move *m = data;

    for (size_t p = 0; p < G_N_ELEMENTS(pieces); p++) {
        AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
        uint8_t *header = gm_ram(b->bench.env.memory, ahci_bench_list(DISK) + 32 * 7, 32);
        AhciBenchCommand c = move_command(m, 7, pieces[p]);

        for (unsigned i = 0; i < 2 * MOVED_BYTES; i++) {
            ahci_bench_data(b)[i] = (uint8_t)(0xa0 + i % 3);
        }
        ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xc6, .count = m->multiple ? 4 : 0 });
        ahci_bench_start(b, DISK);
        b->host.syncs = 0;
        ahci_bench_write(b, DISK, 7, &c);
        ahci_bench_put(b, DISK, AB_SACT, m->queued ? 1 << 7 : 0);
        ahci_bench_issue(b, DISK, 1 << 7);
        g_assert_cmphex(ahci_bench_get(b, DISK, AB_TFD), ==, GOOD);
        g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
        g_assert_cmphex(ahci_bench_get(b, DISK, AB_SACT), ==, 0);
        g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & IS_TASK_FILE, ==, 0);
        g_assert_cmpuint(load_le32(header + 4), ==, m->queued ? 0 : MOVED_BYTES);
        g_assert_cmpuint(b->host.syncs != 0, ==, m->durable);
        check_moved(b, m);
        free_bench(b);
    }
}

/* With the write cache off, what is answered is there. */
static void test_write_cache(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    AhciBenchCommand write = move_command(&moves[9], 0, 0);

    ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xef, .features = 0x82 });
    b->host.syncs = 0;
    g_assert_cmphex(ahci_bench_do(b, DISK, &write), ==, GOOD);
    g_assert_cmpuint(b->host.syncs, ==, 1);
    ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xef, .features = 0x02 });
    b->host.syncs = 0;
    g_assert_cmphex(ahci_bench_do(b, DISK, &write), ==, GOOD);
    g_assert_cmpuint(b->host.syncs, ==, 0);
    g_assert_cmphex(ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xea }), ==, GOOD);
    g_assert_cmpuint(b->host.syncs, ==, 1);
    free_bench(b);
}

/* --- the disk: other commands, and what can't be --- */

enum { SECTORS = AHCI_BENCH_DISK / 512 };

static const struct {
    const char *name;
    AhciBenchCommand command;
    uint32_t tfd;
} answers[] = {
    { "verify", { .code = 0x42, .lba = SECTORS - 4, .count = 4 }, GOOD },
    { "verify-beyond", { .code = 0x42, .lba = SECTORS - 3, .count = 4 }, NO_SECTOR },
    { "read-last", { .code = 0x25, .lba = SECTORS - 1, .count = 1, .len = 512 }, GOOD },
    { "read-beyond", { .code = 0x25, .lba = SECTORS, .count = 1, .len = 512 }, NO_SECTOR },
    { "read-across-end", { .code = 0x25, .lba = SECTORS - 1, .count = 2, .len = 1024 }, NO_SECTOR },
    { "read-far", { .code = 0x25, .lba = 0xffffffffffff, .count = 1, .len = 512 }, NO_SECTOR },
    { "count-0-is-65536", { .code = 0x25, .count = 0, .len = 512 }, NO_SECTOR },
    { "count-0-is-256", { .code = 0x42 - 2, .lba = SECTORS - 256 }, GOOD },
    { "write-beyond", { .code = 0x35, .lba = SECTORS, .count = 1, .len = 512 }, NO_SECTOR },
    { "queued-beyond", { .code = 0x60, .lba = SECTORS, .features = 1, .len = 512 }, NO_SECTOR },
    { "by-cylinders", { .code = 0x20, .count = 1, .device = 0xa0, .len = 512 }, ABORTED },
    { "memory-too-short", { .code = 0x25, .count = 2, .len = 512 }, ABORTED },
    { "no-memory-at-all", { .code = 0x25, .count = 1 }, ABORTED },
    { "multiple-not-set", { .code = 0xc4, .count = 1, .len = 512 }, ABORTED },
    { "multiple-of-3", { .code = 0xc6, .count = 3 }, ABORTED },
    { "multiple-of-32", { .code = 0xc6, .count = 32 }, ABORTED },
    { "unknown", { .code = 0xfe }, ABORTED },
    { "smart", { .code = 0xb0 }, ABORTED },
    { "security", { .code = 0xf6 }, ABORTED },
    { "packet-for-a-disk", { .code = 0xa0 }, ABORTED },
    { "identify-packet-of-a-disk", { .code = 0xa1, .len = 512 }, ABORTED },
    { "identify-into-256-bytes", { .code = 0xec, .len = 256 }, ABORTED },
    { "unknown-feature", { .code = 0xef, .features = 0x5d }, ABORTED },
    { "transfer-mode", { .code = 0xef, .features = 0x03, .count = 0x45 }, GOOD },
    { "log-directory", { .code = 0x2f, .count = 1, .len = 512 }, GOOD },
    { "log-unknown", { .code = 0x2f, .lba = 0x30, .count = 1, .len = 512 }, ABORTED },
    { "log-of-two-pages", { .code = 0x2f, .lba = 0x10, .count = 2, .len = 1024 }, ABORTED },
    { "sleep", { .code = 0xe6 }, GOOD },
    { "trim-nothing", { .code = 0x06, .features = 1, .len = 512 }, ABORTED },
    { "trim-too-much", { .code = 0x06, .features = 1, .count = 9, .len = 9 * 512 }, ABORTED },
    { "trim-otherwise", { .code = 0x06, .features = 2, .count = 1, .len = 512 }, ABORTED },
};

static void test_answer(gconstpointer data)
{
    const typeof(answers[0]) *c = data;
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);

    g_assert_cmphex(ahci_bench_do(b, DISK, &c->command), ==, c->tfd);
    bool failed = c->tfd != GOOD;
    g_assert_cmpuint(!!(ahci_bench_get(b, DISK, AB_IS) & IS_TASK_FILE), ==, failed);
    /* a port that has failed stands until it is started anew */
    ahci_bench_write(b, DISK, 1, &(AhciBenchCommand){ .code = 0xe5 });
    ahci_bench_issue(b, DISK, 2);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI) & 2, ==, failed ? 2 : 0);
    ahci_bench_put(b, DISK, AB_CMD, 0x10);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
    g_assert_cmphex(ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xe5 }), ==, GOOD);
    free_bench(b);
}

static void test_identify(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    const uint8_t *words = ahci_bench_data(b);
    uint8_t sum = 0;

    g_assert_cmphex(ahci_bench_do(b, DISK, &(AhciBenchCommand){ .code = 0xec, .len = 512 }), ==,
                    GOOD);
    for (unsigned i = 0; i < 512; i++) {
        sum = (uint8_t)(sum + words[i]);
    }
    g_assert_cmphex(sum, ==, 0);
    g_assert_cmphex(words[510], ==, 0xa5);
    g_assert_cmpmem(words + 20, 6, "ba c  ", 6); /* serial number, bytes swapped */
    g_assert_cmpmem(words + 54, 12, "nIusald si k", 12);
    g_assert_cmpuint(load_le32(words + 120), ==, SECTORS);
    g_assert_cmpuint(load_le64(words + 200), ==, SECTORS);
    g_assert_cmphex(load_le16(words + 2 * 75), ==, 31);
    g_assert_cmphex(load_le16(words + 2 * 169), ==, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & 2, ==, 2); /* by a PIO set-up */
    free_bench(b);
}

/* Two ranges in two blocks: their room is given back, what is beside them stays. */
static void test_trim(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    AhciBenchCommand trim = { .code = 0x06, .features = 1, .count = 2, .len = 1024 };

    memset(ahci_bench_data(b), 0, 1024);
    store_le64(ahci_bench_data(b), 16 | UINT64_C(8) << 48);
    store_le64(ahci_bench_data(b) + 512 + 8, 32 | UINT64_C(16) << 48);
    g_assert_cmphex(ahci_bench_do(b, DISK, &trim), ==, GOOD);
    const uint8_t *disk = blk_bench_file(&b->host, "disk")->bytes;
    for (unsigned i = 0; i < 64; i++) {
        bool gone = (i >= 16 && i < 24) || (i >= 32 && i < 48);
        g_assert_cmphex(disk[i * 512 + 511], ==, gone ? 0 : i + 1);
    }
    store_le64(ahci_bench_data(b), (SECTORS - 1) | UINT64_C(2) << 48);
    g_assert_cmphex(ahci_bench_do(b, DISK, &trim), ==, NO_SECTOR);
    free_bench(b);
}

/* Of two queued commands one fails: which, the log says; the other is still to be done. */
static void test_queued_error(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    const uint8_t *log = ahci_bench_data(b);
    AhciBenchCommand bad = { .code = 0x60, .lba = SECTORS + 5, .count = 3 << 3, .features = 1 };
    AhciBenchCommand good = { .code = 0x60, .lba = 1, .count = 9 << 3, .features = 1, .len = 512 };

    ahci_bench_write(b, DISK, 3, &bad);
    ahci_bench_write(b, DISK, 9, &good);
    ahci_bench_put(b, DISK, AB_SACT, 1 << 3 | 1 << 9);
    ahci_bench_issue(b, DISK, 1 << 3 | 1 << 9);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_TFD), ==, NO_SECTOR);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SACT), ==, 1 << 3 | 1 << 9);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 1 << 9);
    AhciBenchCommand read_log = { .code = 0x2f, .lba = 0x10, .count = 1, .len = 512 };
    g_assert_cmphex(ahci_bench_do(b, DISK, &read_log), ==, GOOD);
    g_assert_cmphex(log[0], ==, 3);
    g_assert_cmphex(log[2], ==, 0x51);
    g_assert_cmphex(log[3], ==, 0x10);
    g_assert_cmpuint(load_le32(log + 4) & 0xffffff, ==, SECTORS + 5);
    free_bench(b);
}

/* --- the host's errors --- */

static const struct {
    const char *name;
    uint8_t code;
    int error;
    DiskOnError policy, action;
    uint32_t tfd;
} faults[] = {
    { "report-read", 0x25, -EIO, DISK_ON_ERROR_REPORT, DISK_ON_ERROR_REPORT, UNREADABLE },
    { "report-write", 0x35, -EIO, DISK_ON_ERROR_REPORT, DISK_ON_ERROR_REPORT, ABORTED },
    { "report-flush", 0xea, -EIO, DISK_ON_ERROR_REPORT, DISK_ON_ERROR_REPORT, ABORTED },
    { "ignore", 0x35, -EIO, DISK_ON_ERROR_IGNORE, DISK_ON_ERROR_IGNORE, GOOD },
    { "stop-read", 0x25, -EIO, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, GOOD },
    { "stop-write", 0x35, -EIO, DISK_ON_ERROR_STOP, DISK_ON_ERROR_STOP, GOOD },
    { "full-stops", 0x35, -ENOSPC, DISK_ON_ERROR_STOP_IF_FULL, DISK_ON_ERROR_STOP, GOOD },
    { "other-reports", 0x35, -EIO, DISK_ON_ERROR_STOP_IF_FULL, DISK_ON_ERROR_REPORT, ABORTED },
};

static void fail_from_now(AhciBench *b, int error)
{
    b->host.fail_at = error ? b->host.calls + 1 : 0;
    b->host.fail_from_then = true;
    b->host.result = error;
}

static void test_fault(gconstpointer data)
{
    const typeof(faults[0]) *c = data;
    AhciBench *b = new_bench(c->policy);
    AhciBenchCommand command = { .code = c->code, .lba = 8, .count = 1, .len = 512 };

    memset(ahci_bench_data(b), 0x77, 512);
    fail_from_now(b, c->error);
    uint32_t tfd = ahci_bench_do(b, DISK, &command);
    g_assert_cmpuint(b->errors, ==, 1);
    g_assert_cmpint(b->told.error, ==, -c->error);
    g_assert_cmpint(b->told.action, ==, c->action);
    g_assert_cmpint(b->told.is_write, ==, c->code != 0x25);
    g_assert_cmpstr(b->told.device, ==, "disk0");
    if (c->action != DISK_ON_ERROR_STOP) {
        g_assert_cmphex(tfd, ==, c->tfd);
        free_bench(b);
        return;
    }
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 1);
    ahci_retry(b->ahci); /* nothing is mended yet */
    io_thread_run_all(b->io);
    g_assert_cmpuint(b->errors, ==, 2);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 1);
    fail_from_now(b, 0);
    ahci_retry(b->ahci);
    io_thread_run_all(b->io);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_TFD), ==, GOOD);
    g_assert_cmphex(c->code == 0x25 ? ahci_bench_data(b)[0]
                                    : blk_bench_file(&b->host, "disk")->bytes[8 * 512],
                    ==, c->code == 0x25 ? 9 : 0x77);
    free_bench(b);
}

/* --- what is taken back while the host works --- */

static void stop_port(AhciBench *b)
{
    ahci_bench_put(b, DISK, AB_CMD, 0x10);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CMD) & 0x8000, ==, 0x8000); /* not yet */
}

static void reset_link(AhciBench *b)
{
    ahci_bench_put(b, DISK, AB_SCTL, 1);
    ahci_bench_put(b, DISK, AB_SCTL, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SSTS), ==, 0);
}

static void reset_controller(AhciBench *b)
{
    gm_mmio_write(b->bench.env.memory, AHCI_BENCH_BAR + 4, 1, 4);
    g_assert_cmphex(gm_mmio_read(b->bench.env.memory, AHCI_BENCH_BAR + 4, 4), ==, 0x80000001);
}

static const struct {
    const char *name;
    void (*take_back)(AhciBench *b);
} takes[] = {
    { "stop", stop_port },
    { "link", reset_link },
    { "controller", reset_controller },
};

static void test_take_back(gconstpointer data)
{
    const typeof(takes[0]) *c = data;
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    uint8_t *fis = gm_ram(b->bench.env.memory, ahci_bench_fises(DISK) + 0x40, 20);
    AhciBenchCommand read = { .code = 0x25, .lba = 8, .count = 1, .len = 512 };

    b->on_read = c->take_back;
    ahci_bench_write(b, DISK, 0, &read);
    fis[2] = 0x99;
    ahci_bench_issue(b, DISK, 1);
    b->on_read = NULL;
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CMD) & 0x8000, ==,
                    c->take_back == reset_link ? 0x8000 : 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & 1, ==, 0); /* its end isn't told */
    g_assert_cmphex(fis[2], ==, c->take_back == reset_link ? 0x50 : 0x99);
    g_assert_cmphex(gm_mmio_read(b->bench.env.memory, AHCI_BENCH_BAR + 4, 4) & 1, ==, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SSTS), ==, 0x123);
    g_assert_cmphex(ahci_bench_do(b, DISK, &read), ==, GOOD);
    g_assert_cmphex(ahci_bench_data(b)[0], ==, 9);
    free_bench(b);
}

/* --- lies --- */

static const struct {
    const char *name;
    unsigned where; /* 0: header, 1: table, 2: first region; 3: PxCLB; 4: PxFB */
    unsigned offset;
    uint64_t value;
    uint32_t is; /* what the port says */
} lies[] = {
    { "table-outside", 0, 8, AHCI_BENCH_RAM, IS_HOST_FATAL },
    { "table-in-registers", 0, 8, AHCI_BENCH_BAR, IS_HOST_FATAL },
    { "table-wraps", 0, 8, UINT64_MAX, IS_HOST_FATAL },
    { "regions-beyond-ram", 0, 8, AHCI_BENCH_RAM - 0x80, IS_INTERFACE },
    { "fis-of-another-kind", 1, 0, 0x34, IS_INTERFACE },
    { "fis-of-zeros", 1, 0, 0, IS_INTERFACE },
    { "region-outside", 2, 0, AHCI_BENCH_RAM, IS_HOST_FATAL },
    { "region-across-end", 2, 0, AHCI_BENCH_RAM - 256, IS_HOST_FATAL },
    { "region-in-registers", 2, 0, AHCI_BENCH_BAR, IS_HOST_FATAL },
    { "region-wraps", 2, 0, UINT64_MAX - 255, IS_HOST_FATAL },
    { "list-outside", 3, 0, AHCI_BENCH_RAM, IS_HOST_FATAL },
    { "list-in-registers", 3, 0, AHCI_BENCH_BAR, IS_HOST_FATAL },
    { "fises-outside", 4, 0, AHCI_BENCH_RAM, IS_HOST_FATAL },
};

static void test_lie(gconstpointer data)
{
    const typeof(lies[0]) *c = data;
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    AhciBenchCommand read = { .code = 0x25, .lba = 8, .count = 1, .len = 512 };
    const uint64_t places[] = { ahci_bench_list(DISK), ahci_bench_table(DISK, 0),
                                ahci_bench_table(DISK, 0) + 0x80 };

    ahci_bench_write(b, DISK, 0, &read);
    if (c->where < G_N_ELEMENTS(places)) {
        gm_write(b->bench.env.memory, places[c->where] + c->offset, &c->value,
                 8 - (c->where == 1 ? 7 : 0));
    } else {
        ahci_bench_put(b, DISK, c->where == 3 ? AB_CLB : AB_FB, (uint32_t)c->value);
    }
    ahci_bench_issue(b, DISK, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & c->is, ==, c->is);
    ahci_bench_issue(b, DISK, 1); /* it stands */
    g_assert_cmphex(ahci_bench_do(b, DISK, &read), ==, GOOD);
    free_bench(b);
}

/* --- CD-ROM --- */

static const struct {
    const char *name, *packet;
    uint32_t len, tfd;
    const char *reply; /* its first bytes; NULL: don't look */
    size_t reply_len;
} packets[] = {
#define REPLY(text) text, sizeof(text) - 1
    { "ready", "0", 0, GOOD, NULL, 0 },
    { "inquiry", "12 0 0 0 24", 36, GOOD, REPLY("\x05\x80\x00\x21\x1f\0\0\0Insula  CD") },
    { "inquiry-short", "12 0 0 0 5", 36, GOOD, REPLY("\x05\x80\x00\x21\x1f\xee\xee") },
    { "inquiry-vital", "12 1 80 0 24", 36, ILLEGAL, NULL, 0 },
    { "capacity", "25", 8, GOOD, REPLY("\0\0\0\x3f\0\0\x08\0") },
    { "read-10", "28 0 0 0 0 5 0 0 1", 2048, GOOD, REPLY("\x06\x06") },
    { "read-12", "a8 0 0 0 0 3f 0 0 0 1", 2048, GOOD, REPLY("\x40\x40") },
    { "read-nothing", "28 0 0 0 0 5 0 0 0", 2048, GOOD, REPLY("\xee") },
    { "read-beyond", "28 0 0 0 0 3f 0 0 2", 4096, ILLEGAL, NULL, 0 },
    { "read-12-huge", "a8 0 0 0 0 0 ff ff ff ff", 4096, ILLEGAL, NULL, 0 },
    { "read-wraps", "28 0 ff ff ff ff 0 0 2", 4096, ILLEGAL, NULL, 0 },
    { "read-into-less", "28 0 0 0 0 0 0 0 2", 2048, ILLEGAL, NULL, 0 },
    { "read-cd", "be 0 0 0 0 2 0 0 1 10", 2048, GOOD, REPLY("\x03\x03") },
    { "read-cd-raw", "be 0 0 0 0 2 0 0 1 f8", 2352, ILLEGAL, NULL, 0 },
    { "toc", "43 0 0 0 0 0 0 0 64", 100, GOOD,
      REPLY("\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x14\xaa\0\0\0\0\x40") },
    { "toc-msf", "43 2 0 0 0 0 aa 0 64", 100, GOOD, REPLY("\0\x0a\1\1\0\x14\xaa\0\0\0\2\x40") },
    { "toc-track-2", "43 0 0 0 0 0 2 0 64", 100, ILLEGAL, NULL, 0 },
    { "toc-sessions", "43 0 1 0 0 0 0 0 64", 100, GOOD, REPLY("\0\x0a\1\1\0\x14\1") },
    { "toc-full", "43 2 2 0 0 0 0 0 ff", 255, GOOD, REPLY("\0\x2e\1\1\1\x14\0\xa0") },
    { "toc-cd-text", "43 0 5 0 0 0 0 0 64", 100, ILLEGAL, NULL, 0 },
    { "mode-sense", "5a 0 2a 0 0 0 0 0 80", 128, GOOD, REPLY("\0\x1a\1\0\0\0\0\0\x2a\x12") },
    { "mode-sense-all", "5a 0 3f 0 0 0 0 0 80", 128, GOOD, REPLY("\0\x32\1") },
    { "mode-sense-saved", "5a 0 ea 0 0 0 0 0 80", 128, ILLEGAL, NULL, 0 },
    { "mode-sense-unknown", "5a 0 9 0 0 0 0 0 80", 128, ILLEGAL, NULL, 0 },
    { "configuration", "46 0 0 0 0 0 0 0 80", 128, GOOD, REPLY("\0\0\0\x48\0\0\0\x08") },
    { "configuration-one", "46 2 0 1e 0 0 0 0 80", 128, GOOD,
      REPLY("\0\0\0\x0c\0\0\0\x08\0\x1e\1") },
    { "event", "4a 1 0 0 10 0 0 0 8", 8, GOOD, REPLY("\0\x06\x04\x10\0\2") },
    { "event-not-polled", "4a 0 0 0 10 0 0 0 8", 8, ILLEGAL, NULL, 0 },
    { "event-of-power", "4a 1 0 0 4 0 0 0 8", 8, GOOD, REPLY("\0\x02\x80\x10") },
    { "disc-information", "51 0 0 0 0 0 0 0 22", 34, GOOD, REPLY("\0\x20\x0e\1\1\1\1") },
    { "unknown", "ff", 0, ILLEGAL, NULL, 0 },
    { "write", "2a 0 0 0 0 0 0 0 1", 2048, ILLEGAL, NULL, 0 },
};

static void test_packet(gconstpointer data)
{
    const typeof(packets[0]) *c = data;
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);

    memset(ahci_bench_data(b), 0xee, 8192);
    g_assert_cmphex(ahci_bench_packet(b, c->packet, c->len), ==, c->tfd);
    for (size_t i = 0; i < c->reply_len; i++) {
        g_assert_cmphex(ahci_bench_data(b)[i], ==, (uint8_t)c->reply[i]);
    }
    g_assert_cmphex(ahci_bench_data(b)[c->len], ==, 0xee);
    free_bench(b);
}

static void check_sense(AhciBench *b, unsigned key, unsigned code, unsigned qualifier)
{
    const uint8_t *sense = ahci_bench_data(b);

    g_assert_cmphex(ahci_bench_packet(b, "3 0 0 0 12", 18), ==, GOOD);
    g_assert_cmphex(sense[0], ==, 0x70);
    g_assert_cmphex(sense[2], ==, key);
    g_assert_cmphex(sense[12], ==, code);
    g_assert_cmphex(sense[13], ==, qualifier);
}

/* The media event that whoever polls is told. */
static unsigned event(AhciBench *b)
{
    g_assert_cmphex(ahci_bench_packet(b, "4a 1 0 0 10 0 0 0 8", 8), ==, GOOD);
    return ahci_bench_data(b)[4];
}

/* A guest sees that its disc is gone, and that there is another. */
static void test_change(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);

    g_assert_cmpuint(event(b), ==, 0);
    g_assert_true(ahci_open_tray(b->ahci, CD, false));
    g_assert_true(b->tray_open);
    g_assert_cmpuint(event(b), ==, 3);
    g_assert_cmpuint(event(b), ==, 0);
    g_assert_cmphex(ahci_bench_packet(b, "28 0 0 0 0 0 0 0 1", 2048), ==, NOT_READY);
    check_sense(b, 2, 0x3a, 2);
    ahci_set_medium(b->ahci, CD, NULL);
    ahci_close_tray(b->ahci, CD);
    g_assert_cmphex(ahci_bench_packet(b, "0", 0), ==, NOT_READY);
    check_sense(b, 2, 0x3a, 1);
    ahci_open_tray(b->ahci, CD, false);
    ahci_set_medium(b->ahci, CD, b->disk);
    ahci_close_tray(b->ahci, CD);
    g_assert_cmpuint(b->trays, ==, 4);
    g_assert_cmphex(ahci_bench_packet(b, "12 0 0 0 24", 36), ==, GOOD); /* not told by this one */
    g_assert_cmphex(ahci_bench_packet(b, "0", 0), ==, ATTENTION);
    check_sense(b, 6, 0x28, 0);
    g_assert_cmpuint(event(b), ==, 2);
    g_assert_cmphex(ahci_bench_packet(b, "25", 8), ==, GOOD);
    g_assert_cmphex(ahci_bench_data(b)[2] << 8 | ahci_bench_data(b)[3], ==, 511);
    free_bench(b);
}

/* A locked tray: the guest is asked, and opens it itself; or force. */
static void test_lock(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);
    AhciTray tray;

    g_assert_cmphex(ahci_bench_packet(b, "1e 0 0 0 1", 0), ==, GOOD);
    g_assert_cmphex(ahci_bench_packet(b, "1b 0 0 0 2", 0), ==, ILLEGAL);
    check_sense(b, 5, 0x53, 2);
    g_assert_false(ahci_open_tray(b->ahci, CD, false));
    ahci_tray(b->ahci, CD, &tray);
    g_assert_true(tray.locked && !tray.open);
    g_assert_cmpuint(b->trays, ==, 0);
    g_assert_cmpuint(event(b), ==, 1);
    g_assert_cmphex(ahci_bench_packet(b, "1e", 0), ==, GOOD);
    g_assert_cmphex(ahci_bench_packet(b, "1b 0 0 0 2", 0), ==, GOOD);
    g_assert_true(b->tray_open);
    g_assert_cmphex(ahci_bench_packet(b, "1b 0 0 0 3", 0), ==, GOOD);
    g_assert_false(b->tray_open);
    g_assert_cmphex(ahci_bench_packet(b, "0", 0), ==, ATTENTION);
    g_assert_cmphex(ahci_bench_packet(b, "1e 0 0 0 1", 0), ==, GOOD);
    g_assert_true(ahci_open_tray(b->ahci, CD, true));
    g_assert_cmpuint(b->trays, ==, 3);
    device_reset((Device *)b->ahci); /* the lock is the guest's; the tray isn't */
    ahci_tray(b->ahci, CD, &tray);
    g_assert_true(!tray.locked && tray.open);
    free_bench(b);
}

/* A disc that can't be read; commands that are for disks. */
static void test_cdrom_errors(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_REPORT);

    fail_from_now(b, -EIO);
    g_assert_cmphex(ahci_bench_packet(b, "28 0 0 0 0 0 0 0 1", 2048), ==, MEDIUM_ERROR);
    check_sense(b, 3, 0x11, 0);
    g_assert_cmpstr(b->told.device, ==, "cd1");
    g_assert_false(b->told.is_write);
    AhciBenchCommand identify = { .code = 0xec, .len = 512 };
    g_assert_cmphex(ahci_bench_do(b, CD, &identify), ==, ABORTED);
    const uint8_t *fis = gm_ram(b->bench.env.memory, ahci_bench_fises(CD) + 0x40, 20);
    g_assert_cmphex(fis[5], ==, 0x14);
    g_assert_cmphex(fis[6], ==, 0xeb);
    identify.code = 0xa1;
    g_assert_cmphex(ahci_bench_do(b, CD, &identify), ==, GOOD);
    g_assert_cmphex(load_le16(ahci_bench_data(b)), ==, 0x85c0);
    AhciBenchCommand write = { .code = 0x35, .count = 1, .len = 512 };
    g_assert_cmphex(ahci_bench_do(b, CD, &write), ==, ABORTED);
    free_bench(b);
}

/* --- saving --- */

/* A command that waits for the host to be mended is done where the machine goes on. */
static void test_saved(void)
{
    AhciBench *b = new_bench(DISK_ON_ERROR_STOP), *other = new_bench(DISK_ON_ERROR_STOP);
    size_t len = device_saved_size(&ahci_class.device);
    g_autofree uint8_t *state = g_malloc(len), *again = g_malloc(len);
    AhciBenchCommand read = { .code = 0x25, .lba = 8, .count = 1, .len = 512 };
    g_autoptr(GError) error = NULL;

    ahci_bench_packet(b, "1e 0 0 0 1", 0);
    fail_from_now(b, -EIO);
    ahci_bench_do(b, DISK, &read);
    device_save((Device *)b->ahci, state);
    memcpy(gm_ram(other->bench.env.memory, 0, AHCI_BENCH_RAM),
           gm_ram(b->bench.env.memory, 0, AHCI_BENCH_RAM), AHCI_BENCH_RAM);
    g_assert_true(device_load((Device *)other->ahci, state, len, &error));
    device_save((Device *)other->ahci, again);
    g_assert_cmpmem(again, len, state, len);
    io_thread_run_all(other->io);
    g_assert_cmphex(ahci_bench_get(other, DISK, AB_TFD), ==, GOOD);
    g_assert_cmphex(ahci_bench_data(other)[0], ==, 9);
    AhciTray tray;
    ahci_tray(other->ahci, CD, &tray);
    g_assert_true(tray.locked);
    free_bench(b);
    free_bench(other);
}

#define ADD(table, prefix, fn)                                                                     \
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {                                             \
        g_autofree char *path = g_strconcat(prefix, table[i].name, NULL);                          \
        g_test_add_data_func(path, &table[i], fn);                                                 \
    }

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ahci/registers", test_registers);
    g_test_add_func("/ahci/resets", test_resets);
    g_test_add_func("/ahci/interrupts", test_interrupts);
    ADD(moves, "/ahci/move/", test_move);
    g_test_add_func("/ahci/write-cache", test_write_cache);
    ADD(answers, "/ahci/answer/", test_answer);
    g_test_add_func("/ahci/identify", test_identify);
    g_test_add_func("/ahci/trim", test_trim);
    g_test_add_func("/ahci/queued-error", test_queued_error);
    ADD(faults, "/ahci/fault/", test_fault);
    ADD(takes, "/ahci/take-back/", test_take_back);
    ADD(lies, "/ahci/lie/", test_lie);
    ADD(packets, "/ahci/packet/", test_packet);
    g_test_add_func("/ahci/cdrom/change", test_change);
    g_test_add_func("/ahci/cdrom/lock", test_lock);
    g_test_add_func("/ahci/cdrom/errors", test_cdrom_errors);
    g_test_add_func("/ahci/saved", test_saved);
    return g_test_run();
}
