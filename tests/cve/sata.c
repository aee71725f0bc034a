/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known flaws of IDE and AHCI.
 */
#include <string.h>

#include "cve.h"
#include "machine/device/ahci_bench.h"

enum { DISK = AHCI_BENCH_DISK_PORT, GOOD = 0x50, ABORTED = 0x451, ILLEGAL = 0x5451 };
enum { HOST_FATAL = 0x20000000, SECTORS = AHCI_BENCH_DISK / 512 };

/* After whatever happened a good command is done as ever, and the disk holds what it held. */
static void check_works(AhciBench *b)
{
    const uint8_t *disk = blk_bench_file(&b->host, "disk")->bytes;
    AhciBenchCommand read = { .code = 0x25, .lba = 8, .count = 1, .len = 512 };

    b->on_read = NULL;
    g_assert_cmphex(ahci_bench_do(b, DISK, &read), ==, GOOD);
    g_assert_cmphex(ahci_bench_data(b)[0], ==, 9);
    for (unsigned i = 0; i < SECTORS; i++) {
        g_assert_cmphex(disk[i * 512], ==, (uint8_t)(i + 1));
    }
}

/* --- one command --- */

static const struct Command {
    const char *cve, *what;
    const char *packet; /* for the CD-ROM, else .command for the disk */
    AhciBenchCommand command;
    uint32_t tfd, len; /* the answer; bytes of data that the guest has room for */
} commands[] = {
    { "2014-9718",
      "regions shorter than the command",
      NULL,
      { .code = 0x25, .count = 8, .len = 1024, .piece = 256 },
      ABORTED,
      0 },
    { "2014-9718", "no regions at all", NULL, { .code = 0x25, .count = 1 }, ABORTED, 0 },
    { "2020-29443", "block FFFFFFFFh of a CD", "28 0 ff ff ff ff 0 0 1", { 0 }, ILLEGAL, 2048 },
    { "2020-29443",
      "read wraps around 32 bits",
      "a8 0 ff ff ff f0 0 0 0 20",
      { 0 },
      ILLEGAL,
      65536 },
    { "2020-29443", "raw read beyond the end", "be 0 0 0 0 3f 0 0 2 10", { 0 }, ILLEGAL, 4096 },
    { "2015-5154", "a packet with more memory than data", "25", { 0 }, GOOD, 65536 },
    { "2015-5154", "mode pages into one byte", "5a 0 3f 0 0 0 0 ff ff", { 0 }, GOOD, 1 },
    { "2008-0928",
      "more sectors than the disk has",
      NULL,
      { .code = 0x25, .lba = SECTORS - 1, .count = 0, .len = 512 },
      0x1051,
      0 },
    { "2008-0928",
      "sectors behind the end are written",
      NULL,
      { .code = 0x35, .lba = SECTORS, .count = 8, .len = 4096 },
      0x1051,
      0 },
};

static void test_command(gconstpointer data)
{
    const struct Command *c = data;
    AhciBench *b = g_new(AhciBench, 1);

    ahci_bench_init(b, DISK_ON_ERROR_REPORT);
    memset(ahci_bench_data(b), 0xee, 0x20000);
    uint32_t tfd =
        c->packet ? ahci_bench_packet(b, c->packet, c->len) : ahci_bench_do(b, DISK, &c->command);
    g_assert_cmphex(tfd, ==, c->tfd);
    for (unsigned i = MAX(c->len, c->command.len); i < 0x20000; i++) {
        g_assert_cmphex(ahci_bench_data(b)[i], ==, 0xee);
    }
    check_works(b);
    ahci_bench_clear(b);
    g_free(b);
}

/* --- stories --- */

static void reset_port(AhciBench *b)
{
    ahci_bench_put(b, DISK, AB_CMD, 0x10);
    ahci_bench_put(b, DISK, AB_SCTL, 1);
    ahci_bench_put(b, DISK, AB_SCTL, 0);
}

/* The port is reset while a queued command reads. */
static void queued_and_reset(AhciBench *b)
{
    AhciBenchCommand read = { .code = 0x60, .features = 8, .count = 5 << 3, .len = 4096 };

    b->on_read = reset_port;
    ahci_bench_write(b, DISK, 5, &read);
    ahci_bench_put(b, DISK, AB_SACT, 1 << 5);
    ahci_bench_issue(b, DISK, 1 << 5);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_SACT), ==, 0);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & 8, ==, 0);
}

/* A write whose port is reset before it has begun goes nowhere: not to sector 0 either. */
static void write_and_reset(AhciBench *b)
{
    AhciBenchCommand write = { .code = 0x35, .lba = 77, .count = 8, .len = 4096 };

    ahci_bench_write(b, DISK, 0, &write);
    ahci_bench_put(b, DISK, AB_CI, 1);
    reset_port(b);
    io_thread_run_all(b->io);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CI), ==, 0);
}

/* The table of a command is nowhere. */
static void no_table(AhciBench *b)
{
    uint64_t nowhere = UINT64_C(0xfffffffffff00000);

    ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ .code = 0xec, .len = 512 });
    gm_write(b->bench.env.memory, ahci_bench_list(DISK) + 8, &nowhere, 8);
    ahci_bench_issue(b, DISK, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & HOST_FATAL, ==, HOST_FATAL);
}

/* Commands for a port that has no drive. */
static void no_drive(AhciBench *b)
{
    for (unsigned port = 0; port < 32; port++) {
        if (port != DISK && port != AHCI_BENCH_CD_PORT) {
            ahci_bench_put(b, port, AB_CLB, (uint32_t)ahci_bench_list(DISK));
            ahci_bench_put(b, port, AB_FB, (uint32_t)ahci_bench_fises(DISK));
            ahci_bench_put(b, port, AB_CMD, 0x11);
            ahci_bench_issue(b, port, UINT32_MAX);
            ahci_bench_put(b, port, AB_CMD, 0);
        }
    }
    g_assert_cmphex(ahci_bench_get(b, 1, AB_TFD), ==, 0x7f);
}

/* Data are to go into the controller's own registers. */
static void into_registers(AhciBench *b)
{
    uint64_t registers = AHCI_BENCH_BAR + 0x118;

    ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ .code = 0x25, .count = 1, .len = 512 });
    gm_write(b->bench.env.memory, ahci_bench_table(DISK, 0) + 0x80, &registers, 8);
    ahci_bench_issue(b, DISK, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & HOST_FATAL, ==, HOST_FATAL);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_CMD) & 1, ==, 1);
}

/* So are the FISes. */
static void answers_into_registers(AhciBench *b)
{
    ahci_bench_put(b, DISK, AB_FB, (uint32_t)AHCI_BENCH_BAR);
    ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ .code = 0xe7 });
    ahci_bench_issue(b, DISK, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_IS) & HOST_FATAL, ==, HOST_FATAL);
}

/* A table of 65535 regions for one sector costs one region. */
static void many_regions(AhciBench *b)
{
    uint32_t flags = 5 | 0xffffU << 16;

    ahci_bench_write(b, DISK, 0, &(AhciBenchCommand){ .code = 0x25, .count = 1, .len = 512 });
    gm_write(b->bench.env.memory, ahci_bench_list(DISK), &flags, 4);
    ahci_bench_issue(b, DISK, 1);
    g_assert_cmphex(ahci_bench_get(b, DISK, AB_TFD), ==, GOOD);
}

static const struct Story {
    const char *cve, *what;
    void (*tell)(AhciBench *b);
} stories[] = {
    { "2016-1568", "reset while a queued command reads", queued_and_reset },
    { "2023-5088", "reset before a write has begun", write_and_reset },
    { "2019-12067", "a command table that is nowhere", no_table },
    { "2020-25743", "commands without a drive", no_drive },
    { "2021-3929", "DMA into the device's own registers", into_registers },
    { "2021-3611", "answers into the device's own registers", answers_into_registers },
    { "2021-20257", "65535 regions", many_regions },
};

static void test_story(gconstpointer data)
{
    const struct Story *c = data;
    AhciBench *b = g_new(AhciBench, 1);

    ahci_bench_init(b, DISK_ON_ERROR_REPORT);
    c->tell(b);
    check_works(b);
    ahci_bench_clear(b);
    g_free(b);
}

void cve_add_sata(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        cve_add(commands[i].cve, commands[i].what, &commands[i], test_command);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(stories); i++) {
        cve_add(stories[i].cve, stories[i].what, &stories[i], test_story);
    }
}
