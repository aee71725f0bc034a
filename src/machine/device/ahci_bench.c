/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest of an AHCI controller in tests, see ahci_bench.h.
 */
#include "machine/device/ahci_bench.h"

#include <stdlib.h>
#include <string.h>

enum { DEVFN = PCI_DEVFN(31, 2), PORT_SPACE = 0x10000, TABLE_SPACE = 0x800, BAR5 = 0x24 };
enum { LISTS = 0x1000, FISES = 0x800, TABLES = 0x1000, PORT_REGISTERS = 0x100, GHC = 4 };
enum { START = 0x11, INTERRUPTS = (int)0x80000002 };

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

static void on_error(void *opaque, const DiskError *error)
{
    AhciBench *b = opaque;

    b->told = *error;
    b->errors++;
}

static void on_tray(void *opaque, const char *drive, bool open)
{
    AhciBench *b = opaque;

    b->trays++;
    b->tray_open = open;
}

static ssize_t read_wrapped(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    AhciBench *b = container_of(opaque, AhciBench, host);

    if (b->on_read) {
        b->on_read(b);
    }
    return b->read(opaque, fd, iov, n, offset);
}

/* Sector n of the disk, and block n of the disc, are full of n + 1. */
static Blk *make_image(AhciBench *b, const char *path, uint64_t size, unsigned unit, bool read_only)
{
    g_autofree uint8_t *bytes = g_malloc(size);
    g_autoptr(GError) error = NULL;

    for (uint64_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i / unit + 1);
    }
    blk_bench_put(&b->host, path, bytes, size);
    const BlkOptions options = {
        .path = path,
        .format = "raw",
        .read_only = read_only,
        .host = &b->host.host,
        .aio = read_only ? NULL : b->aio,
    };
    Blk *blk = blk_open(&options, &error);
    g_assert_no_error(error);
    return blk;
}

static void on_ended(void *opaque, unsigned events)
{
    blk_aio_run(((AhciBench *)opaque)->aio);
}

static void let_fly(AhciBench *b)
{
    int fds[BLK_AIO_FDS];

    b->aio = blk_aio_new(BLK_AIO_MANUAL);
    blk_aio_start(b->aio);
    g_assert_cmpuint(blk_aio_fds(b->aio, fds), ==, 1);
    b->watch = io_watch_new(b->io, fds[0], on_ended, b);
    io_watch_set(b->watch, IO_READ);
}

static void init(AhciBench *b, DiskOnError policy, bool flies)
{
    *b = (AhciBench){ 0 };
    bench_init(&b->bench);
    g_assert(gm_add_ram(b->bench.env.memory, 0, AHCI_BENCH_RAM, NULL));
    b->io = io_thread_new_manual();
    if (flies) {
        let_fly(b);
    }
    b->events = (MachineEvents){ .opaque = b, .disk_error = on_error, .tray = on_tray };
    blk_bench_init(&b->host);
    b->read = b->host.host.preadv;
    b->host.host.preadv = read_wrapped;
    b->disk = make_image(b, "disk", AHCI_BENCH_DISK, BLK_SECTOR, false);
    b->disc = make_image(b, "disc", AHCI_BENCH_DISC, 2048, true);
    PciRootConfig root = { .memory = b->bench.env.memory, .route = route };
    root.pirqs[0] = bench_line(&b->bench, 0);
    b->root = pci_root_new(&root);
    PciSlot slot = { b->bench.env, pci_root_bus(b->root), DEVFN, "ahci", true };
    b->ahci = ahci_new(&slot, b->io);
    AhciDrive drive = { .name = "disk0",
                        .serial = "abc",
                        .blk = b->disk,
                        .on_read_error = policy,
                        .on_write_error = policy,
                        .events = &b->events };
    ahci_add_drive(b->ahci, AHCI_BENCH_DISK_PORT, &drive);
    drive.name = "cd1";
    drive.blk = b->disc;
    drive.cdrom = true;
    ahci_add_drive(b->ahci, AHCI_BENCH_CD_PORT, &drive);
    device_reset((Device *)b->ahci);
    pci_root_write(b->root, 0, DEVFN, BAR5, (uint32_t)AHCI_BENCH_BAR, 4);
    pci_root_write(b->root, 0, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    gm_mmio_write(b->bench.env.memory, AHCI_BENCH_BAR + GHC, (uint32_t)INTERRUPTS, 4);
    ahci_bench_start(b, AHCI_BENCH_DISK_PORT);
    ahci_bench_start(b, AHCI_BENCH_CD_PORT);
}

void ahci_bench_init(AhciBench *b, DiskOnError policy)
{
    init(b, policy, false);
}

void ahci_bench_init_flying(AhciBench *b, DiskOnError policy)
{
    init(b, policy, true);
}

void ahci_bench_clear(AhciBench *b)
{
    device_free((Device *)b->ahci);
    pci_root_free(b->root);
    if (b->watch) {
        io_watch_free(b->watch);
    }
    io_thread_free(b->io);
    blk_close(b->disk);
    blk_close(b->disc);
    blk_aio_free(b->aio);
    blk_bench_clear(&b->host);
    bench_clear(&b->bench);
}

uint64_t ahci_bench_list(unsigned port)
{
    return PORT_SPACE * (uint64_t)(port + 1);
}

uint64_t ahci_bench_fises(unsigned port)
{
    return ahci_bench_list(port) + FISES;
}

uint64_t ahci_bench_table(unsigned port, unsigned slot)
{
    return ahci_bench_list(port) + TABLES + (uint64_t)TABLE_SPACE * slot;
}

uint32_t ahci_bench_get(AhciBench *b, unsigned port, unsigned reg)
{
    uint64_t at = AHCI_BENCH_BAR + PORT_REGISTERS + 0x80ULL * port + reg;

    return (uint32_t)gm_mmio_read(b->bench.env.memory, at, 4);
}

void ahci_bench_put(AhciBench *b, unsigned port, unsigned reg, uint32_t value)
{
    uint64_t at = AHCI_BENCH_BAR + PORT_REGISTERS + 0x80ULL * port + reg;

    gm_mmio_write(b->bench.env.memory, at, value, 4);
}

void ahci_bench_start(AhciBench *b, unsigned port)
{
    ahci_bench_put(b, port, AB_CMD, 0);
    ahci_bench_put(b, port, AB_CLB, (uint32_t)ahci_bench_list(port));
    ahci_bench_put(b, port, AB_FB, (uint32_t)ahci_bench_fises(port));
    ahci_bench_put(b, port, AB_SERR, UINT32_MAX);
    ahci_bench_put(b, port, AB_IS, UINT32_MAX);
    ahci_bench_put(b, port, AB_IE, UINT32_MAX);
    ahci_bench_put(b, port, AB_CMD, START);
}

/* The table of regions; how many there are. */
static unsigned write_regions(AhciBench *b, uint64_t table, const AhciBenchCommand *c)
{
    uint32_t piece = c->piece ? c->piece : c->len;
    unsigned n = 0;

    for (uint32_t at = 0; at < c->len; at += piece, n++) {
        uint8_t region[16] = { 0 };
        g_assert(n < AHCI_BENCH_REGIONS);
        store_le64(region, AHCI_BENCH_DATA + at);
        store_le32(region + 12, MIN(piece, c->len - at) - 1);
        gm_write(b->bench.env.memory, table + 0x80 + 16ULL * n, region, sizeof(region));
    }
    return n;
}

void ahci_bench_write(AhciBench *b, unsigned port, unsigned slot, const AhciBenchCommand *c)
{
    uint8_t header[32] = { 0 }, fis[0x60] = { 0x27, 0x80, c->code, (uint8_t)c->features };
    uint64_t table = ahci_bench_table(port, slot);
    unsigned regions = write_regions(b, table, c);

    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(c->lba >> (8 * i));
        fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
    }
    fis[7] = c->device ? c->device : 0x40;
    fis[11] = (uint8_t)(c->features >> 8);
    store_le16(fis + 12, c->count);
    if (c->packet) {
        memcpy(fis + 0x40, c->packet, 12);
    }
    store_le32(header, 5 | (c->packet ? 0x20U : 0) | regions << 16);
    store_le64(header + 8, table);
    gm_write(b->bench.env.memory, table, fis, sizeof(fis));
    gm_write(b->bench.env.memory, ahci_bench_list(port) + 32ULL * slot, header, sizeof(header));
}

void ahci_bench_issue(AhciBench *b, unsigned port, uint32_t slots)
{
    ahci_bench_put(b, port, AB_CI, slots);
    io_thread_run_all(b->io);
}

uint32_t ahci_bench_do(AhciBench *b, unsigned port, const AhciBenchCommand *command)
{
    ahci_bench_start(b, port);
    ahci_bench_write(b, port, 0, command);
    ahci_bench_issue(b, port, 1);
    return ahci_bench_get(b, port, AB_TFD);
}

uint32_t ahci_bench_packet(AhciBench *b, const char *packet, uint32_t len)
{
    uint8_t bytes[12] = { 0 };
    char *end = NULL;

    for (unsigned i = 0; *packet && i < sizeof(bytes); i++, packet = end) {
        bytes[i] = (uint8_t)strtoul(packet, &end, 16);
    }
    const AhciBenchCommand c = { .code = 0xa0, .features = 1, .packet = bytes, .len = len };
    return ahci_bench_do(b, AHCI_BENCH_CD_PORT, &c);
}

uint8_t *ahci_bench_data(AhciBench *b)
{
    return gm_ram(b->bench.env.memory, AHCI_BENCH_DATA, AHCI_BENCH_RAM - AHCI_BENCH_DATA);
}
