/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the AHCI controller with a disk and a CD-ROM.  The input is a program of
 * device_fuzz.h; what happens in the world is that a good command is written into a slot, of which
 * the program may spoil any byte, that trays move, and that the host fails.
 *
 * Threads: one.
 */
#include <errno.h>
#include <string.h>

#include "block/bench.h"
#include "fuzz_pci.h"
#include "machine/device/ahci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIST = 0x1000, FISES = 0x1400, TABLES = 0x2000, DISK_SIZE = 64 << 10, CD = 1 };
#define BAR (FUZZ_PCI_BAR + 0x500000) /* the sixth */

/* The images, as a device that is freed behind the controller. */
typedef struct World {
    Device device;
    BlkBench host;
    Blk *blks[2];
} World;

static void destroy(Device *device)
{
    World *world = container_of(device, World, device);

    blk_close(world->blks[0]);
    blk_close(world->blks[1]);
    blk_bench_clear(&world->host);
}

static const DeviceClass world_class = {
    .name = "world",
    .instance_size = sizeof(World),
    .destroy = destroy,
};

static Blk *make_image(World *world, const char *path, bool read_only)
{
    static const uint8_t zeros[DISK_SIZE];
    const BlkOptions options = {
        .path = path, .format = "raw", .read_only = read_only, .host = &world->host.host
    };

    blk_bench_put(&world->host, path, zeros, sizeof(zeros));
    return blk_open(&options, NULL);
}

static void make(FuzzRig *rig)
{
    PciSlot slot = fuzz_pci_slot(rig);
    World *world = device_new(&world_class, &rig->bench.env, "world");

    blk_bench_init(&world->host);
    ((FuzzPci *)rig->extra)->other = &world->device;
    Ahci *ahci = ahci_new(&slot, rig->io);
    for (unsigned i = 0; i < 2; i++) {
        world->blks[i] = make_image(world, i ? "disc" : "disk", i == CD);
        ahci_add_drive(ahci, i,
                       &(AhciDrive){ .name = i ? "cd" : "disk",
                                     .serial = "fuzz",
                                     .blk = world->blks[i],
                                     .cdrom = i == CD,
                                     .on_write_error = DISK_ON_ERROR_IGNORE });
    }
    rig->device = (Device *)ahci;
}

/* A port runs, and has a command in its slot 0. */
static void set_up(FuzzRig *rig, uint8_t what)
{
    static const uint8_t codes[] = { 0x25, 0x35, 0x60, 0x61, 0x06, 0xec, 0x2f, 0xa0,
                                     0xc8, 0xca, 0xea, 0x3d, 0xa1, 0xef, 0xc6, 0xc4 };
    static const uint8_t packets[] = { 0x28, 0x43, 0x12, 0x03, 0x46, 0x4a, 0x5a, 0xbe,
                                       0x1b, 0x1e, 0x25, 0xa8, 0x51, 0x42, 0xbd, 0x00 };
    GuestMemory *memory = rig->bench.env.memory;
    unsigned which = what >> 3 & 15, port = what & CD;
    uint64_t registers = BAR + 0x100 + 0x80ULL * port;
    uint8_t header[32] = { 5 }, table[0xa0] = { 0x27, 0x80, port ? 0xa0 : codes[which], 1 };

    fuzz_pci_poke(rig, what);
    table[4] = 1;
    table[7] = 0x40;
    table[12] = 2;
    table[0x40] = packets[which];
    table[0x48] = 8; /* a length, in many packets */
    store_le64(table + 0x80, TABLES + 0x1000);
    store_le32(table + 0x8c, 0x1ff);
    store_le64(table + 0x90, TABLES + 0x1801);
    store_le32(table + 0x9c, 0x3fff);
    store_le32(header, 5 | 2 << 16);
    store_le64(header + 8, TABLES);
    gm_write(memory, LIST, header, sizeof(header));
    gm_write(memory, TABLES, table, sizeof(table));
    gm_mmio_write(memory, registers, LIST, 4);
    gm_mmio_write(memory, registers + 8, FISES, 4);
    gm_mmio_write(memory, registers + 0x18, 0x11, 4);
    if (what & 4) {
        gm_mmio_write(memory, registers + 0x38, 1, 4);
    }
}

static void poke(FuzzRig *rig, uint8_t what)
{
    World *world = container_of(((FuzzPci *)rig->extra)->other, World, device);
    Ahci *ahci = (Ahci *)rig->device;

    if (what < 0xc0) {
        set_up(rig, what);
        return;
    }
    switch (what & 7) {
    case 0:
    case 1:
        ahci_open_tray(ahci, CD, what & 1);
        break;
    case 2:
        ahci_close_tray(ahci, CD);
        break;
    case 3:
        ahci_set_medium(ahci, CD, what & 8 ? world->blks[CD] : NULL);
        break;
    case 4:
    case 5:
        world->host.fail_at = what & 1 ? world->host.calls + 1 : 0;
        world->host.fail_from_then = true;
        world->host.result = what & 8 ? -ENOSPC : -EIO;
        break;
    default:
        ahci_retry(ahci);
        break;
    }
}

static const FuzzTarget target = {
    .windows = { { false, 0xcf8, 8 }, { true, BAR, 0x200 } },
    .ram = 0x8000,
    .make = make,
    .poke = poke,
    .done = fuzz_pci_done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
