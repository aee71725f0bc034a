/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the PCI transport: what a driver finds by capabilities, a queue at work, its interrupts,
 * and the way through configuration space.
 */
#include "machine/virtio/pci.h"

#include <string.h>

#include "machine/core/bench.h"
#include "machine/virtio/rng.h"
#include "machine/virtio/virtio.h"

enum { RAM = 0x10000, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, BUFFER = 0x4000 };
enum { WIRE = 4 };
#define BAR  UINT64_C(0xc0000000)
#define MSIX UINT64_C(0xc0100000)

typedef struct Rig {
    Bench bench;
    IoThread *io;
    PciRoot *root;
    VirtioPci *function;
    VirtioDev *dev;
    uint32_t msi_data;
    unsigned msis;
} Rig;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return WIRE;
}

static void take_msi(void *opaque, uint64_t address, uint32_t data)
{
    Rig *rig = opaque;

    rig->msi_data = data;
    rig->msis++;
}

static void config_put(Rig *rig, unsigned offset, uint32_t value, unsigned size)
{
    pci_root_write(rig->root, 0, 0, offset, value, size);
}

static uint32_t config_get(Rig *rig, unsigned offset, unsigned size)
{
    return pci_root_read(rig->root, 0, 0, offset, size);
}

static void put(Rig *rig, uint64_t offset, uint64_t value, unsigned size)
{
    gm_mmio_write(rig->bench.env.memory, BAR + offset, value, size);
}

static uint64_t get(Rig *rig, uint64_t offset, unsigned size)
{
    return gm_mmio_read(rig->bench.env.memory, BAR + offset, size);
}

static void rig_init(Rig *rig)
{
    *rig = (Rig){ 0 };
    bench_init(&rig->bench);
    g_assert_true(gm_add_ram(rig->bench.env.memory, 0, RAM, NULL));
    rig->io = io_thread_new_manual();
    PciRootConfig config = { .memory = rig->bench.env.memory,
                             .route = route,
                             .msi = { take_msi, rig } };
    config.pirqs[WIRE] = bench_line(&rig->bench, WIRE);
    rig->root = pci_root_new(&config);
    rig->function =
        virtio_pci_new(&(PciSlot){ rig->bench.env, pci_root_bus(rig->root), 0, "function", false });
    rig->dev = virtio_rng_new(&(VirtioSlot){ .env = rig->bench.env,
                                             .io = rig->io,
                                             .name = "rng",
                                             .transport = &virtio_pci,
                                             .transport_opaque = rig->function });
    device_reset((Device *)rig->function);
    device_reset(&rig->dev->device);
    config_put(rig, 0x20, (uint32_t)BAR, 4);
    config_put(rig, 0x14, (uint32_t)MSIX, 4);
    config_put(rig, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void rig_clear(Rig *rig)
{
    device_free(&rig->dev->device);
    device_free((Device *)rig->function);
    pci_root_free(rig->root);
    io_thread_free(rig->io);
    bench_clear(&rig->bench);
}

/* The offset of the capability of @kind, or 0. */
static unsigned find_cap(Rig *rig, unsigned kind)
{
    for (unsigned at = config_get(rig, PCI_CAPABILITIES, 1); at; at = config_get(rig, at + 1, 1)) {
        if (config_get(rig, at, 1) == PCI_CAP_VENDOR && config_get(rig, at + 3, 1) == kind) {
            return at;
        }
    }
    return 0;
}

/* Set the queue up and start the device, as a driver does. */
static void start(Rig *rig)
{
    put(rig, 0x14, 0, 1);
    put(rig, 0x14, 3, 1);
    put(rig, 0x08, 1, 4);
    put(rig, 0x0c, 1, 4); /* VERSION_1 */
    put(rig, 0x14, 11, 1);
    g_assert_cmphex(get(rig, 0x14, 1), ==, 11);
    put(rig, 0x16, 0, 2);
    put(rig, 0x18, 8, 2);
    put(rig, 0x20, DESC, 8);
    put(rig, 0x28, AVAIL, 4);
    put(rig, 0x30, USED, 4);
    put(rig, 0x1c, 1, 2);
    g_assert_cmphex(get(rig, 0x1c, 2), ==, 1);
    put(rig, 0x14, 15, 1);
}

/* Post a buffer and have it served; the number of used buffers then. */
static uint16_t serve(Rig *rig)
{
    GuestMemory *memory = rig->bench.env.memory;
    struct {
        uint64_t gpa;
        uint32_t len;
        uint16_t flags, next;
    } desc = { BUFFER, 16, 2, 0 };
    uint16_t index;

    gm_write(memory, DESC, &desc, sizeof(desc));
    gm_read(memory, AVAIL + 2, &index, 2);
    index++;
    gm_write(memory, AVAIL + 2, &index, 2);
    put(rig, 0x3000, 0, 2);
    io_thread_run_all(rig->io);
    gm_read(memory, USED + 2, &index, 2);
    return index;
}

static void test_identity(void)
{
    static const uint32_t places[] = { [1] = 0, [2] = 0x3000, [3] = 0x1000, [4] = 0x2000 };
    Rig rig;

    rig_init(&rig);
    g_assert_cmphex(config_get(&rig, 0, 4), ==, 0x10441af4);
    g_assert_cmphex(config_get(&rig, PCI_REVISION, 1), ==, 1);
    for (unsigned kind = 1; kind <= 4; kind++) {
        unsigned cap = find_cap(&rig, kind);
        g_assert_cmpuint(cap, !=, 0);
        g_assert_cmphex(config_get(&rig, cap + 4, 1), ==, 4);
        g_assert_cmphex(config_get(&rig, cap + 8, 4), ==, places[kind]);
        g_assert_cmphex(config_get(&rig, cap + 12, 4), ==, 0x1000);
    }
    g_assert_cmphex(config_get(&rig, find_cap(&rig, 2) + 16, 4), ==, 4);
    g_assert_cmphex(get(&rig, 0x12, 2), ==, 1); /* one queue */
    g_assert_cmphex(get(&rig, 0x18, 2), ==, 64);
    put(&rig, 0x16, 1, 2);
    g_assert_cmphex(get(&rig, 0x18, 2), ==, 0);
    rig_clear(&rig);
}

static void test_intx(void)
{
    Rig rig;

    rig_init(&rig);
    start(&rig);
    g_assert_cmpuint(serve(&rig), ==, 1);
    g_assert_true(rig.bench.level[WIRE]);
    g_assert_cmphex(get(&rig, 0x1000, 1), ==, 1); /* reading acknowledges */
    g_assert_false(rig.bench.level[WIRE]);
    g_assert_cmphex(get(&rig, 0x1000, 1), ==, 0);
    g_assert_cmpuint(serve(&rig), ==, 2);
    put(&rig, 0x14, 0, 1); /* reset */
    g_assert_false(rig.bench.level[WIRE]);
    g_assert_cmphex(get(&rig, 0x1c, 2), ==, 0);
    rig_clear(&rig);
}

static void test_msix(void)
{
    Rig rig;

    rig_init(&rig);
    unsigned cap = rig.function ? config_get(&rig, PCI_CAPABILITIES, 1) : 0;
    g_assert_cmphex(config_get(&rig, cap, 1), ==, PCI_CAP_MSIX);
    g_assert_cmphex(config_get(&rig, cap + 2, 2), ==, 1); /* one queue and the configuration */
    gm_mmio_write(rig.bench.env.memory, MSIX + 16, 0xfee00000, 4);
    gm_mmio_write(rig.bench.env.memory, MSIX + 24, 0x77, 4);
    gm_mmio_write(rig.bench.env.memory, MSIX + 28, 0, 4);
    config_put(&rig, cap + 2, 0x8000, 2);
    put(&rig, 0x16, 0, 2);
    put(&rig, 0x1a, 2, 2); /* there is no such vector */
    g_assert_cmphex(get(&rig, 0x1a, 2), ==, VIRTIO_NO_VECTOR);
    start(&rig);
    serve(&rig);
    g_assert_cmpuint(rig.msis, ==, 0);
    put(&rig, 0x1a, 1, 2);
    g_assert_cmphex(get(&rig, 0x1a, 2), ==, 1);
    serve(&rig);
    g_assert_cmpuint(rig.msis, ==, 1);
    g_assert_cmphex(rig.msi_data, ==, 0x77);
    g_assert_false(rig.bench.level[WIRE]);
    rig_clear(&rig);
}

/* Firmware may reach the BAR by a capability. */
static void test_window(void)
{
    Rig rig;

    rig_init(&rig);
    unsigned cap = find_cap(&rig, 5);
    config_put(&rig, cap + 4, 4, 1);
    config_put(&rig, cap + 8, 0x14, 4);
    config_put(&rig, cap + 12, 1, 4);
    config_put(&rig, cap + 16, 3, 1);
    g_assert_cmphex(get(&rig, 0x14, 1), ==, 3);
    put(&rig, 0x14, 0, 1);
    g_assert_cmphex(config_get(&rig, cap + 16, 1), ==, 0);
    config_put(&rig, cap + 12, 3, 4); /* no such size */
    config_put(&rig, cap + 16, 1, 1);
    g_assert_cmphex(get(&rig, 0x14, 1), ==, 0);
    config_put(&rig, cap + 12, 4, 4);
    config_put(&rig, cap + 8, 0x4000, 4); /* behind the BAR */
    config_put(&rig, cap + 16, 1, 4);
    config_get(&rig, cap + 16, 4);
    config_put(&rig, cap + 4, 1, 1); /* another BAR */
    config_put(&rig, cap + 8, 0x14, 4);
    config_put(&rig, cap + 16, 1, 4);
    g_assert_cmphex(get(&rig, 0x14, 1), ==, 0);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio-pci/identity", test_identity);
    g_test_add_func("/virtio-pci/intx", test_intx);
    g_test_add_func("/virtio-pci/msix", test_msix);
    g_test_add_func("/virtio-pci/window-in-configuration-space", test_window);
    return g_test_run();
}
