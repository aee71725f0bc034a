/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of PCI: configuration space, BARs, bridges, interrupts, and the Q35 host bridge.
 */
#include "machine/pci/pci.h"

#include <string.h>

#include "machine/core/bench.h"
#include "machine/pci/q35.h"
#include "machine/pci/root_port.h"

enum { MIB = 1 << 20, RAM_SIZE = 2 * MIB, BIOS_SIZE = 256 * 1024 };

/* --- a function with everything --- */

typedef struct Toy {
    PciDevice pci;
    uint32_t last_write;
    unsigned resets, written;
} Toy;

static uint64_t toy_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x11223300 + offset;
}

static void toy_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((Toy *)opaque)->last_write = (uint32_t)value;
}

static const IoOps toy_ops = { toy_read, toy_write, 1 | 2 | 4 };

static void toy_reset(Device *device)
{
    pci_reset(device);
    container_of(device, Toy, pci.device)->resets++;
}

static void toy_written(PciDevice *pci, unsigned offset, unsigned size)
{
    container_of(pci, Toy, pci)->written++;
}

static const PciRegister toy_registers[] = {
    { 0xe0, 4, 0x12345678, 0x0000ff00, 0x00ff0000 },
    { 0 },
};
static const SavedField toy_saved[] = { PCI_SAVED(Toy), { 0 } };

static const PciClass toy_class = {
    .device = { .name = "toy",
                .instance_size = sizeof(Toy),
                .saved = toy_saved,
                .reset = toy_reset,
                .loaded = pci_loaded,
                .destroy = pci_destroy },
    .vendor = 0x1234,
    .id = 0x5678,
    .class_code = 0xff0000,
    .express = true,
    .interrupt = true,
    .registers = toy_registers,
    .config_written = toy_written,
};

typedef struct Rig {
    Bench bench;
    PciRoot *root;
    RamBlock *ram, *bios;
    Q35 *q35;
    PciDevice *port;
    Toy *near, *far; /* on bus 0, device 3; behind the root port, which is device 1 */
    uint64_t msi_address;
    uint32_t msi_data;
    unsigned msis;
} Rig;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return (device + pin) % 4 + 4;
}

static void take_msi(void *opaque, uint64_t address, uint32_t data)
{
    Rig *rig = opaque;

    rig->msi_address = address;
    rig->msi_data = data;
    rig->msis++;
}

static Toy *add_toy(Rig *rig, PciBus *bus, uint8_t devfn)
{
    PciSlot slot = { .env = rig->bench.env, .bus = bus, .devfn = devfn, .name = "toy" };
    Toy *toy = pci_new(&toy_class, &slot);

    pci_add_bar(&toy->pci, 0, &(PciBarConfig){ .size = 0x1000, .ops = &toy_ops });
    pci_add_bar(&toy->pci, 1, &(PciBarConfig){ .size = 0x20, .ops = &toy_ops, .ports = true });
    pci_add_bar(&toy->pci, 2,
                &(PciBarConfig){ .size = MIB, .ops = &toy_ops, .wide = true, .prefetch = true });
    pci_add_msix(&toy->pci, 4, 3);
    pci_add_msi(&toy->pci, 4);
    pci_add_express(&toy->pci, PCIE_ENDPOINT, 0);
    g_assert_true(pci_add_rom(&toy->pci, (const uint8_t *)"U\xaa-a-rom", 9, NULL));
    return toy;
}

static void rig_init(Rig *rig)
{
    *rig = (Rig){ 0 };
    bench_init(&rig->bench);
    GuestMemory *memory = rig->bench.env.memory;
    PciRootConfig config = { .memory = memory, .route = route, .msi = { take_msi, rig } };
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        config.pirqs[i] = bench_line(&rig->bench, i);
    }
    rig->root = pci_root_new(&config);
    rig->ram = gm_add_block(memory, "ram", RAM_SIZE, NULL);
    rig->bios = gm_add_block(memory, "bios", BIOS_SIZE, NULL);
    gm_add_window(
        memory,
        &(GmWindowConfig){ .io = { "ram", 0, RAM_SIZE }, .block = rig->ram, .priority = GM_RAM });
    memcpy(rig->bios->hva + BIOS_SIZE - 16, "reset", 5);
    Q35Config q35 = {
        .slot = { rig->bench.env, pci_root_bus(rig->root), PCI_DEVFN(0, 0), "q35", false },
        .root = rig->root,
        .ram = rig->ram,
        .bios = rig->bios,
        .events = bench_power(&rig->bench),
    };
    rig->q35 = q35_new(&q35);
    rig->port = pci_root_port_new(
        &(PciSlot){ rig->bench.env, pci_root_bus(rig->root), PCI_DEVFN(1, 0), "port", false }, 1);
    pci_root_port_set_card(rig->port, true);
    rig->near = add_toy(rig, pci_root_bus(rig->root), PCI_DEVFN(3, 0));
    rig->far = add_toy(rig, pci_root_port_bus(rig->port), PCI_DEVFN(0, 0));
    Device *all[] = { (Device *)rig->q35, &rig->port->device, &rig->near->pci.device,
                      &rig->far->pci.device };
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        device_reset(all[i]);
    }
}

static void rig_clear(Rig *rig)
{
    device_free(&rig->far->pci.device);
    device_free(&rig->near->pci.device);
    device_free(&rig->port->device);
    device_free((Device *)rig->q35);
    pci_root_free(rig->root);
    bench_clear(&rig->bench);
}

/* As a guest does it, by CF8h. */
static void put(Rig *rig, unsigned bus, unsigned devfn, unsigned offset, uint32_t value,
                unsigned size)
{
    gm_pio_write(rig->bench.env.memory, 0xcf8,
                 0x80000000 | bus << 16 | devfn << 8 | (offset & 0xfc), 4);
    gm_pio_write(rig->bench.env.memory, (uint16_t)(0xcfc + offset % 4), value, size);
}

static uint32_t get(Rig *rig, unsigned bus, unsigned devfn, unsigned offset, unsigned size)
{
    gm_pio_write(rig->bench.env.memory, 0xcf8,
                 0x80000000 | bus << 16 | devfn << 8 | (offset & 0xfc), 4);
    return (uint32_t)gm_pio_read(rig->bench.env.memory, (uint16_t)(0xcfc + offset % 4), size);
}

enum { NEAR = PCI_DEVFN(3, 0), PORT = PCI_DEVFN(1, 0), FAR = PCI_DEVFN(0, 0) };

/* Bus 1 behind the port, with memory, prefetchable memory beyond 4 GiB, and ports. */
static void open_bridge(Rig *rig)
{
    put(rig, 0, PORT, PCI_PRIMARY_BUS, 0x010100, 4);
    put(rig, 0, PORT, PCI_MEMORY_BASE, 0xc010c000, 4);
    put(rig, 0, PORT, PCI_PREFETCH_BASE, 0x00300000, 4);
    put(rig, 0, PORT, PCI_PREFETCH_BASE_HIGH, 0x10, 4);
    put(rig, 0, PORT, PCI_PREFETCH_LIMIT_HIGH, 0x10, 4);
    put(rig, 0, PORT, PCI_IO_BASE, 0xd0d0, 2);
    put(rig, 0, PORT, PCI_COMMAND, 7, 2);
}

/* --- tests --- */

static void test_config_space(void)
{
    Rig rig;

    rig_init(&rig);
    g_assert_cmphex(get(&rig, 0, NEAR, 0, 4), ==, 0x56781234);
    g_assert_cmphex(get(&rig, 0, NEAR, 8, 4), ==, 0xff000000);
    g_assert_cmphex(get(&rig, 0, NEAR, PCI_SUBSYSTEM_VENDOR, 4), ==, 0x56781234);
    g_assert_cmphex(get(&rig, 0, NEAR, PCI_INTERRUPT_PIN, 1), ==, 1);
    put(&rig, 0, NEAR, 0, 0, 4);
    g_assert_cmphex(get(&rig, 0, NEAR, 0, 4), ==, 0x56781234);
    /* fixed, writable, and cleared by ones */
    put(&rig, 0, NEAR, 0xe0, 0xffffffff, 4);
    g_assert_cmphex(get(&rig, 0, NEAR, 0xe0, 4), ==, 0x1200ff78);
    put(&rig, 0, NEAR, 0xe1, 0x5a, 1);
    g_assert_cmphex(get(&rig, 0, NEAR, 0xe0, 4), ==, 0x12005a78);
    g_assert_cmphex(get(&rig, 0, NEAR, 0xe2, 2), ==, 0x1200);
    g_assert_cmpuint(rig.near->written, ==, 3);
    put(&rig, 0, NEAR, PCI_COMMAND, 0xffff, 2);
    g_assert_cmphex(get(&rig, 0, NEAR, PCI_COMMAND, 2), ==, 0x547);
    /* nothing there */
    g_assert_cmphex(get(&rig, 0, PCI_DEVFN(3, 1), 0, 4), ==, UINT32_MAX);
    g_assert_cmphex(get(&rig, 0, PCI_DEVFN(4, 0), 0, 2), ==, 0xffff);
    g_assert_cmphex(get(&rig, 1, FAR, 0, 4), ==, UINT32_MAX); /* the bridge has no numbers yet */
    gm_pio_write(rig.bench.env.memory, 0xcf8, NEAR << 8, 4);  /* not enabled */
    g_assert_cmphex(gm_pio_read(rig.bench.env.memory, 0xcfc, 4), ==, UINT32_MAX);
    g_assert_cmphex(gm_pio_read(rig.bench.env.memory, 0xcf8, 4), ==, NEAR << 8);
    device_reset(&rig.near->pci.device);
    g_assert_cmphex(get(&rig, 0, NEAR, 0xe0, 4), ==, 0x12345678);
    rig_clear(&rig);
}

/* The list of capabilities leads through all of them, and ends. */
static void test_capabilities(void)
{
    static const uint8_t want[] = { PCI_CAP_MSIX, PCI_CAP_MSI, PCI_CAP_EXPRESS };
    Rig rig;
    unsigned n = 0;

    rig_init(&rig);
    g_assert_cmphex(get(&rig, 0, NEAR, PCI_STATUS, 2) & 0x10, ==, 0x10);
    for (unsigned at = get(&rig, 0, NEAR, PCI_CAPABILITIES, 1); at;
         at = get(&rig, 0, NEAR, at + 1, 1)) {
        g_assert_cmpuint(n, <, G_N_ELEMENTS(want));
        g_assert_cmphex(get(&rig, 0, NEAR, at, 1), ==, want[n++]);
    }
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(want));
    unsigned first = pci_add_extended_capability(&rig.near->pci, 3, 1, 12);
    unsigned second = pci_add_extended_capability(&rig.near->pci, 1, 2, 0x40);
    g_assert_cmphex(first, ==, 0x100);
    g_assert_cmphex(load_le32(rig.near->pci.config + first), ==, 3 | 1 << 16 | second << 20);
    g_assert_cmphex(load_le32(rig.near->pci.config + second), ==, 1 | 2 << 16);
    rig_clear(&rig);
}

static void test_bars(void)
{
    Rig rig;

    rig_init(&rig);
    GuestMemory *memory = rig.bench.env.memory;
    static const struct {
        unsigned offset;
        uint32_t sized;
    } sizes[] = { { 0x10, 0xfffff000 }, { 0x14, 0xffffffe1 }, { 0x18, 0xfff0000c },
                  { 0x1c, 0xffffffff }, { 0x20, 0xfffff000 }, { 0x24, 0 },
                  { 0x30, 0xfffff001 } };
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        put(&rig, 0, NEAR, sizes[i].offset, 0xffffffff, 4);
        g_assert_cmphex(get(&rig, 0, NEAR, sizes[i].offset, 4), ==, sizes[i].sized);
    }
    put(&rig, 0, NEAR, 0x10, 0xc0000000, 4);
    put(&rig, 0, NEAR, 0x14, 0xd000, 4);
    put(&rig, 0, NEAR, 0x18, 0x00000000, 4);
    put(&rig, 0, NEAR, 0x1c, 0x00000080, 4);
    g_assert_cmphex(gm_mmio_read(memory, 0xc0000004, 4), ==, UINT32_MAX); /* no decoding yet */
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(gm_mmio_read(memory, 0xc0000004, 4), ==, 0x11223304);
    g_assert_cmphex(gm_mmio_read(memory, UINT64_C(0x8000000010), 4), ==, 0x11223310);
    g_assert_cmphex(gm_pio_read(memory, 0xd004, 4), ==, UINT32_MAX);
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_IO, 2);
    gm_pio_write(memory, 0xd01c, 0x55667788, 4);
    g_assert_cmphex(rig.near->last_write, ==, 0x55667788);
    g_assert_cmphex(gm_mmio_read(memory, 0xc0000004, 4), ==, UINT32_MAX);
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    put(&rig, 0, NEAR, 0x10, 0xc0800000, 4); /* moves while it is on */
    g_assert_cmphex(gm_mmio_read(memory, 0xc0000004, 4), ==, UINT32_MAX);
    g_assert_cmphex(gm_mmio_read(memory, 0xc0800008, 4), ==, 0x11223308);
    /* the ROM has a switch of its own */
    put(&rig, 0, NEAR, PCI_ROM, 0xc0900000, 4);
    g_assert_null(gm_rom(memory, 0xc0900000, 4));
    put(&rig, 0, NEAR, PCI_ROM, 0xc0900001, 4);
    g_assert_cmpmem(gm_rom(memory, 0xc0900000, 9), 9, "U\xaa-a-rom", 9);
    g_assert_null(gm_ram(memory, 0xc0900000, 9));
    /* over RAM: RAM is seen */
    put(&rig, 0, NEAR, 0x10, 0x00100000, 4);
    g_assert_nonnull(gm_ram(memory, 0x00100000, 0x1000));
    device_reset(&rig.near->pci.device);
    g_assert_null(gm_rom(memory, 0xc0900000, 4));
    rig_clear(&rig);
}

static void test_bridge(void)
{
    Rig rig;

    rig_init(&rig);
    GuestMemory *memory = rig.bench.env.memory;
    open_bridge(&rig);
    g_assert_cmphex(get(&rig, 1, FAR, 0, 4), ==, 0x56781234);
    g_assert_cmphex(get(&rig, 1, PCI_DEVFN(1, 0), 0, 4), ==, UINT32_MAX);
    put(&rig, 1, FAR, PCI_COMMAND, 7, 2);
    static const struct {
        uint32_t bar0, bar1, bar2, bar3;
        bool memory, ports, prefetch;
    } cases[] = {
        { 0xc0000000, 0xd000, 0x00000000, 0x10, true, true, true },
        { 0xc01ff000, 0xdfe0, 0x00200000, 0x10, true, true, true },
        { 0xc0200000, 0xe000, 0x00400000, 0x10, false, false, false },
        { 0xbffff000, 0xcfe0, 0x00000000, 0x11, false, false, false },
        { 0xc0001000, 0xd100, 0xc0100000, 0x00, true, true, true }, /* in the other window */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t wide = cases[i].bar2 | (uint64_t)cases[i].bar3 << 32;
        put(&rig, 1, FAR, 0x10, cases[i].bar0, 4);
        put(&rig, 1, FAR, 0x14, cases[i].bar1, 4);
        put(&rig, 1, FAR, 0x18, cases[i].bar2, 4);
        put(&rig, 1, FAR, 0x1c, cases[i].bar3, 4);
        g_assert_cmpint(gm_find_mmio(memory, cases[i].bar0) != NULL, ==, cases[i].memory);
        g_assert_cmpint(gm_find_pio(memory, (uint16_t)cases[i].bar1) != NULL, ==, cases[i].ports);
        g_assert_cmpint(gm_find_mmio(memory, wide) != NULL, ==, cases[i].prefetch);
    }
    put(&rig, 0, PORT, PCI_COMMAND, 0, 2); /* closed */
    g_assert_null(gm_find_mmio(memory, 0xc0001000));
    put(&rig, 0, PORT, PCI_COMMAND, 7, 2);
    g_assert_nonnull(gm_find_mmio(memory, 0xc0001000));
    /* a reset of the secondary bus, once per rise */
    unsigned resets = rig.far->resets;
    put(&rig, 0, PORT, PCI_BRIDGE_CONTROL, PCI_BRIDGE_RESET, 2);
    put(&rig, 0, PORT, PCI_BRIDGE_CONTROL, PCI_BRIDGE_RESET, 2);
    g_assert_cmpuint(rig.far->resets, ==, resets + 1);
    g_assert_null(gm_find_mmio(memory, 0xc0001000));
    rig_clear(&rig);
}

static void test_intx(void)
{
    Rig rig;

    rig_init(&rig);
    /* device 3: wire 7; behind the port, which is device 1: wire 5 */
    pci_set_intx(&rig.near->pci, true);
    g_assert_true(rig.bench.level[7]);
    g_assert_cmphex(get(&rig, 0, NEAR, PCI_STATUS, 2) & PCI_STATUS_INTX, ==, PCI_STATUS_INTX);
    pci_set_intx(&rig.far->pci, true);
    g_assert_true(rig.bench.level[5]);
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_NO_INTX, 2);
    g_assert_false(rig.bench.level[7]);
    put(&rig, 0, NEAR, PCI_COMMAND, 0, 2);
    g_assert_true(rig.bench.level[7]);
    device_reset(&rig.near->pci.device);
    g_assert_false(rig.bench.level[7]);
    g_assert_true(rig.bench.level[5]);
    pci_set_intx(&rig.far->pci, false);
    g_assert_false(rig.bench.level[5]);
    rig_clear(&rig);
}

/* Two functions on a wire: it stays up until both have let go. */
static void test_shared_intx(void)
{
    Rig rig;

    rig_init(&rig);
    Toy *other = add_toy(&rig, pci_root_bus(rig.root), PCI_DEVFN(7, 0));
    pci_set_intx(&rig.near->pci, true);
    pci_set_intx(&other->pci, true);
    pci_set_intx(&rig.near->pci, false);
    g_assert_true(rig.bench.level[7]);
    g_assert_cmpuint(rig.bench.rises[7], ==, 1);
    device_free(&other->pci.device); /* goes away with its wire up */
    g_assert_false(rig.bench.level[7]);
    rig_clear(&rig);
}

static void test_msi(void)
{
    Rig rig;

    rig_init(&rig);
    unsigned cap = rig.near->pci.msi.cap;
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
    put(&rig, 0, NEAR, cap + 4, 0xfee01000, 4);
    put(&rig, 0, NEAR, cap + 12, 0x41, 2);
    pci_set_irq(&rig.near->pci, true);
    g_assert_true(rig.bench.level[7]);    /* not enabled: by wire */
    put(&rig, 0, NEAR, cap + 2, 0x21, 2); /* enabled, four vectors */
    g_assert_false(rig.bench.level[7]);
    pci_notify(&rig.near->pci, 3);
    g_assert_cmpuint(rig.msis, ==, 1);
    g_assert_cmphex(rig.msi_address, ==, 0xfee01000);
    g_assert_cmphex(rig.msi_data, ==, 0x43);
    pci_notify(&rig.near->pci, 50);
    g_assert_cmphex(rig.msi_data, ==, 0x43);
    put(&rig, 0, NEAR, cap + 2, 0x01, 2); /* one vector: all are it */
    pci_notify(&rig.near->pci, 2);
    g_assert_cmphex(rig.msi_data, ==, 0x41);
    /* masked: pending until it is not */
    put(&rig, 0, NEAR, cap + 16, 4, 4);
    pci_notify(&rig.near->pci, 2);
    g_assert_cmpuint(rig.msis, ==, 3);
    g_assert_cmphex(get(&rig, 0, NEAR, cap + 20, 4), ==, 4);
    put(&rig, 0, NEAR, cap + 16, 0, 4);
    g_assert_cmpuint(rig.msis, ==, 4);
    g_assert_cmphex(get(&rig, 0, NEAR, cap + 20, 4), ==, 0);
    put(&rig, 0, NEAR, PCI_COMMAND, 0, 2); /* may not write to memory: no messages either */
    pci_notify(&rig.near->pci, 0);
    g_assert_cmpuint(rig.msis, ==, 4);
    rig_clear(&rig);
}

static void test_msix(void)
{
    const uint64_t table = 0xc0000000;
    Rig rig;

    rig_init(&rig);
    GuestMemory *memory = rig.bench.env.memory;
    unsigned cap = rig.near->pci.msix.cap;
    put(&rig, 0, NEAR, 0x20, (uint32_t)table, 4);
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(get(&rig, 0, NEAR, cap + 2, 2), ==, 2);      /* three entries */
    g_assert_cmphex(gm_mmio_read(memory, table + 12, 4), ==, 1); /* masked */
    gm_mmio_write(memory, table + 16, 0xfee02000, 4);
    gm_mmio_write(memory, table + 24, 0x51, 4);
    put(&rig, 0, NEAR, cap + 2, 0x8000, 2);
    pci_notify(&rig.near->pci, 1);
    g_assert_cmpuint(rig.msis, ==, 0);
    g_assert_cmphex(gm_mmio_read(memory, table + 0x800, 4), ==, 2);
    put(&rig, 0, NEAR, cap + 2, 0xc000, 2);
    gm_mmio_write(memory, table + 28, 0, 4); /* unmasked, but all are masked */
    g_assert_cmpuint(rig.msis, ==, 0);
    put(&rig, 0, NEAR, cap + 2, 0x8000, 2);
    g_assert_cmpuint(rig.msis, ==, 1);
    g_assert_cmphex(rig.msi_address, ==, 0xfee02000);
    g_assert_cmphex(rig.msi_data, ==, 0x51);
    g_assert_cmphex(gm_mmio_read(memory, table + 0x800, 8), ==, 0);
    pci_notify(&rig.near->pci, 1);
    g_assert_cmpuint(rig.msis, ==, 2);
    gm_mmio_write(memory, table + 48, 0xdead, 4); /* behind the last entry */
    gm_mmio_write(memory, table + 0x800, UINT64_MAX, 8);
    g_assert_cmphex(gm_mmio_read(memory, table + 48, 4), ==, 0);
    g_assert_cmphex(gm_mmio_read(memory, table + 0x800, 8), ==, 0);
    rig_clear(&rig);
}

/* --- Q35 --- */

static void test_ecam(void)
{
    Rig rig;

    rig_init(&rig);
    GuestMemory *memory = rig.bench.env.memory;
    open_bridge(&rig);
    g_assert_null(gm_find_mmio(memory, 0xb0000000));
    put(&rig, 0, 0, 0x60, 0xb0000001, 4);
    g_assert_cmphex(gm_mmio_read(memory, 0xb0000000 + (NEAR << 12), 4), ==, 0x56781234);
    g_assert_cmphex(gm_mmio_read(memory, 0xb0100000 + (FAR << 12) + 2, 2), ==, 0x5678);
    gm_mmio_write(memory, 0xb0000000 + (NEAR << 12) + 0xe1, 0x77, 1);
    g_assert_cmphex(get(&rig, 0, NEAR, 0xe1, 1), ==, 0x77);
    g_assert_cmphex(gm_mmio_read(memory, 0xb0000000 + 0x400, 4), ==, UINT32_MAX); /* 256 bytes */
    g_assert_cmphex(gm_mmio_read(memory, 0xb0000000 + (NEAR << 12) + 0xffc, 4), ==, 0);
    g_assert_nonnull(gm_find_mmio(memory, 0xbfffffff));
    put(&rig, 0, 0, 0x60, 0xb0000005, 4); /* 64 buses */
    g_assert_nonnull(gm_find_mmio(memory, 0xb3ffffff));
    g_assert_null(gm_find_mmio(memory, 0xb4000000));
    put(&rig, 0, 0, 0x60, 0xb0000000, 4);
    g_assert_null(gm_find_mmio(memory, 0xb0000000));
    rig_clear(&rig);
}

/* What is read and written at @gpa: 'r' RAM, 'b' the bus (BIOS), '-' nothing. */
static char reads_from(Rig *rig, uint32_t gpa)
{
    const uint8_t *hva = gm_rom(rig->bench.env.memory, gpa, 1);

    if (!hva) {
        return '-';
    }
    return hva == rig->ram->hva + gpa ? 'r' : 'b';
}

static bool writes_to_ram(Rig *rig, uint32_t gpa)
{
    uint8_t *ram = rig->ram->hva + gpa;

    *ram = 0;
    gm_mmio_write(rig->bench.env.memory, gpa, 0x5a, 1);
    return *ram == 0x5a;
}

static void test_pam(void)
{
    static const struct {
        unsigned offset;
        uint8_t value;
        uint32_t gpa;
        char reads;
        bool writes;
    } cases[] = {
        { 0x90, 0x00, 0xf0000, 'b', false }, { 0x90, 0x10, 0xf0000, 'r', false },
        { 0x90, 0x20, 0xfffff, 'b', true },  { 0x90, 0x30, 0xf8000, 'r', true },
        { 0x91, 0x00, 0xc0000, '-', false }, { 0x91, 0x01, 0xc0000, 'r', false },
        { 0x91, 0x02, 0xc3fff, '-', true },  { 0x91, 0x03, 0xc0000, 'r', true },
        { 0x91, 0x30, 0xc4000, 'r', true },  { 0x94, 0x30, 0xdc000, 'r', true },
        { 0x95, 0x00, 0xe0000, 'b', false }, { 0x96, 0x30, 0xec000, 'r', true },
        { 0x96, 0x03, 0xec000, 'b', false }, { 0x96, 0x03, 0xebfff, 'r', true },
    };
    Rig rig;

    rig_init(&rig);
    g_assert_cmpmem(gm_rom(rig.bench.env.memory, 0xffff0, 5), 5, "reset", 5);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        put(&rig, 0, 0, cases[i].offset, cases[i].value, 1);
        g_assert_cmpint(reads_from(&rig, cases[i].gpa), ==, cases[i].reads);
        g_assert_cmpint(writes_to_ram(&rig, cases[i].gpa), ==, cases[i].writes);
    }
    /* what a machine looks like once its BIOS has set up all of it */
    put(&rig, 0, 0, 0x90, 0x33333330, 4);
    put(&rig, 0, 0, 0x94, 0x00333333, 4);
    g_assert_nonnull(gm_ram(rig.bench.env.memory, 0xc0000, RAM_SIZE - 0xc0000));
    g_assert_null(gm_ram(rig.bench.env.memory, 0xa0000, 1)); /* the bus's: SMRAM is closed */
    g_assert_cmphex(gm_mmio_read(rig.bench.env.memory, 0xa0000, 4), ==, UINT32_MAX);
    put(&rig, 0, 0, 0x9d, 0x42, 1);
    g_assert_null(gm_ram(rig.bench.env.memory, 0xa0000, 1));
    device_reset((Device *)rig.q35);
    g_assert_cmpmem(gm_rom(rig.bench.env.memory, 0xffff0, 5), 5, "reset", 5);
    rig_clear(&rig);
}

static void test_reset_register(void)
{
    Rig rig;

    rig_init(&rig);
    bench_run(&rig.bench, "# a doubleword at CF8h is an address; p none"
                          " o cf9 2 i cf9 2 p none o cf9 6 p reset o cf9 4 p reset");
    gm_pio_write(rig.bench.env.memory, 0xcf8, 0x80000600, 4);
    bench_run(&rig.bench, "p none");
    rig_clear(&rig);
}

/* A saved state brings back where everything stood; what it can't have changed stays. */
static void test_saved(void)
{
    Rig rig;

    rig_init(&rig);
    Device *device = &rig.near->pci.device;
    size_t len = device_saved_size(device->class);
    g_autofree uint8_t *state = g_malloc0(len);
    put(&rig, 0, NEAR, 0x10, 0xc0000000, 4);
    put(&rig, 0, NEAR, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    pci_set_intx(&rig.near->pci, true);
    device_save(device, state);
    device_reset(device);
    state[0] = 0x99; /* another vendor */
    g_assert_true(device_load(device, state, len, NULL));
    g_assert_cmphex(get(&rig, 0, NEAR, 0, 4), ==, 0x56781234);
    g_assert_nonnull(gm_find_mmio(rig.bench.env.memory, 0xc0000000));
    g_assert_true(rig.bench.level[7]);
    rig_clear(&rig);
}

/* --- a slot --- */

enum { SLOT_CONTROL = 0x18, SLOT_STATUS = 0x1a, LINK_STATUS = 0x12 };

static void count_release(void *opaque)
{
    (*(unsigned *)opaque)++;
}

static uint32_t slot_get(Rig *rig, unsigned offset)
{
    return get(rig, 0, PORT, rig->port->express + offset, 2);
}

static void slot_put(Rig *rig, unsigned offset, uint32_t value)
{
    put(rig, 0, PORT, rig->port->express + offset, value, 2);
}

/* The whole life of a card, as a driver of slots sees it (PCI Express 3.0, 6.7). */
static void test_slot(void)
{
    Rig rig;
    unsigned released = 0;

    rig_init(&rig);
    pci_root_port_on_released(rig.port, count_release, &released);
    g_assert_cmphex(slot_get(&rig, SLOT_STATUS), ==, 0x40); /* a card, and no news of it */
    g_assert_cmphex(slot_get(&rig, SLOT_CONTROL), ==, 0x1c0);
    g_assert_cmphex(slot_get(&rig, LINK_STATUS), ==, 0x2011);
    slot_put(&rig, SLOT_CONTROL, 0x1e9); /* tell of button and presence */
    slot_put(&rig, SLOT_CONTROL, 0x7e9); /* off without being asked: the card stays */
    g_assert_cmpuint(released, ==, 0);
    g_assert_cmphex(slot_get(&rig, LINK_STATUS), ==, 0x0011);
    slot_put(&rig, SLOT_CONTROL, 0x1e9);
    g_assert_cmphex(get(&rig, 0, PORT, PCI_STATUS, 2) & PCI_STATUS_INTX, ==, 0);
    g_assert_true(pci_root_port_press(rig.port));
    g_assert_false(pci_root_port_press(rig.port));
    g_assert_cmphex(slot_get(&rig, SLOT_STATUS), ==, 0x41);
    g_assert_cmphex(get(&rig, 0, PORT, PCI_STATUS, 2) & PCI_STATUS_INTX, ==, PCI_STATUS_INTX);
    slot_put(&rig, SLOT_STATUS, 0x41);
    g_assert_cmphex(slot_get(&rig, SLOT_STATUS), ==, 0x40);
    g_assert_cmphex(get(&rig, 0, PORT, PCI_STATUS, 2) & PCI_STATUS_INTX, ==, 0);
    slot_put(&rig, SLOT_CONTROL, 0x5e9); /* power off, and the light still on */
    g_assert_cmpint(pci_root_port_eject(rig.port), ==, PCI_EJECT_ASKED);
    slot_put(&rig, SLOT_CONTROL, 0x7e9);
    g_assert_cmpint(pci_root_port_eject(rig.port), ==, PCI_EJECT_RELEASED);
    slot_put(&rig, SLOT_CONTROL, 0x7e9);
    g_assert_cmpuint(released, ==, 1);
    pci_root_port_set_card(rig.port, false);
    g_assert_cmphex(slot_get(&rig, SLOT_STATUS), ==, 0x08);
    g_assert_cmphex(get(&rig, 0, PORT, PCI_STATUS, 2) & PCI_STATUS_INTX, ==, PCI_STATUS_INTX);
    device_reset(&rig.port->device);
    g_assert_cmphex(slot_get(&rig, SLOT_STATUS), ==, 0);
    g_assert_cmphex(slot_get(&rig, SLOT_CONTROL), ==, 0x7c0); /* an empty slot has no power */
    pci_root_port_set_card(rig.port, true);
    g_assert_cmphex(slot_get(&rig, LINK_STATUS), ==, 0x0011);
    slot_put(&rig, SLOT_CONTROL, 0x1c0);
    g_assert_cmphex(slot_get(&rig, LINK_STATUS), ==, 0x2011);
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/config-space", test_config_space);
    g_test_add_func("/pci/capabilities", test_capabilities);
    g_test_add_func("/pci/bars", test_bars);
    g_test_add_func("/pci/bridge", test_bridge);
    g_test_add_func("/pci/intx", test_intx);
    g_test_add_func("/pci/intx-is-shared", test_shared_intx);
    g_test_add_func("/pci/msi", test_msi);
    g_test_add_func("/pci/msix", test_msix);
    g_test_add_func("/pci/slot", test_slot);
    g_test_add_func("/pci/saved", test_saved);
    g_test_add_func("/q35/ecam", test_ecam);
    g_test_add_func("/q35/pam", test_pam);
    g_test_add_func("/q35/reset-register", test_reset_register);
    return g_test_run();
}
