/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the watchdog, as Linux's driver uses it and as nobody should; and of the panic port.
 */
#include "machine/device/i6300esb.h"

#include "machine/core/bench.h"
#include "machine/device/pvpanic.h"

enum { DEVFN = PCI_DEVFN(5, 0), BAR = 0xc0000000, CONFIG = 0x60, LOCK = 0x68, RELOAD = 0xc };

typedef struct Rig {
    Bench bench;
    PciRoot *root;
    I6300esb *dev;
} Rig;

static unsigned route(void *opaque, unsigned device, unsigned pin)
{
    return 0;
}

static void rig_init(Rig *rig)
{
    *rig = (Rig){ 0 };
    bench_init(&rig->bench);
    rig->root = pci_root_new(&(PciRootConfig){ .memory = rig->bench.env.memory, .route = route });
    PciSlot slot = { rig->bench.env, pci_root_bus(rig->root), DEVFN, "watchdog", false };
    rig->dev = i6300esb_new(&slot, bench_power(&rig->bench));
    device_reset((Device *)rig->dev);
    pci_root_write(rig->root, 0, DEVFN, PCI_BAR0, BAR, 4);
    pci_root_write(rig->root, 0, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

static void rig_clear(Rig *rig)
{
    device_free((Device *)rig->dev);
    pci_root_free(rig->root);
    bench_clear(&rig->bench);
}

static void put(Rig *rig, unsigned offset, uint32_t value)
{
    gm_mmio_write(rig->bench.env.memory, BAR + offset, value, 4);
}

static void put_unlocked(Rig *rig, unsigned offset, uint32_t value)
{
    put(rig, RELOAD, 0x80);
    put(rig, RELOAD, 0x86);
    put(rig, offset, value);
}

static void lock(Rig *rig, uint32_t value)
{
    pci_root_write(rig->root, 0, DEVFN, LOCK, value, 1);
}

/* Whether it has gone off @seconds from now. */
static bool goes_off(Rig *rig, unsigned seconds)
{
    rig->bench.power = -1;
    clock_advance(rig->bench.env.clock, seconds * NS_PER_SECOND);
    return rig->bench.power == MACHINE_POWER_WATCHDOG;
}

/* 30 seconds, as Linux asks for them: twice 15 of 1024 ticks. */
static void start(Rig *rig)
{
    put_unlocked(rig, 0, 30 << 9);
    put_unlocked(rig, 4, 30 << 9);
    put_unlocked(rig, RELOAD, 0x100);
    lock(rig, 2);
}

static void test_life(void)
{
    Rig rig;

    rig_init(&rig);
    g_assert_false(goes_off(&rig, 5000)); /* nobody has started it */
    start(&rig);
    for (unsigned i = 0; i < 5; i++) {
        g_assert_false(goes_off(&rig, 29));
        put_unlocked(&rig, RELOAD, 0x100);
    }
    g_assert_true(goes_off(&rig, 32));
    g_assert_false(goes_off(&rig, 5000)); /* once */
    device_reset((Device *)rig.dev);
    pci_root_write(rig.root, 0, DEVFN, PCI_BAR0, BAR, 4);
    pci_root_write(rig.root, 0, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    g_assert_cmphex(gm_mmio_read(rig.bench.env.memory, BAR + RELOAD, 4), ==, 0x200);
    put_unlocked(&rig, RELOAD, 0x200);
    g_assert_cmphex(gm_mmio_read(rig.bench.env.memory, BAR + RELOAD, 4), ==, 0);
    rig_clear(&rig);
}

static void test_stop(void)
{
    Rig rig;

    rig_init(&rig);
    start(&rig);
    lock(&rig, 0);
    g_assert_false(goes_off(&rig, 5000));
    start(&rig);
    lock(&rig, 3); /* for good */
    lock(&rig, 0);
    g_assert_cmphex(pci_root_read(rig.root, 0, DEVFN, LOCK, 1), ==, 3);
    g_assert_true(goes_off(&rig, 32));
    rig_clear(&rig);
}

/* Registers take nothing but behind both words, and one write of it. */
static void test_locked_registers(void)
{
    Rig rig;

    rig_init(&rig);
    start(&rig);
    g_assert_false(goes_off(&rig, 20));
    put(&rig, RELOAD, 0x100);
    put(&rig, RELOAD, 0x86);
    put(&rig, RELOAD, 0x100);
    put_unlocked(&rig, 8, 0);
    put(&rig, RELOAD, 0x100);
    g_assert_true(goes_off(&rig, 12));
    rig_clear(&rig);
}

static void test_quick_and_quiet(void)
{
    Rig rig;

    rig_init(&rig);
    pci_root_write(rig.root, 0, DEVFN, CONFIG, 4, 2); /* 1 MHz */
    start(&rig);
    g_assert_true(goes_off(&rig, 1));
    pci_root_write(rig.root, 0, DEVFN, CONFIG, 0x20, 2); /* its pin is off */
    start(&rig);
    g_assert_false(goes_off(&rig, 5000));
    pci_root_write(rig.root, 0, DEVFN, CONFIG, 0, 2);
    lock(&rig, 4);
    start(&rig);
    lock(&rig, 6); /* free-running: the second stage alone */
    put_unlocked(&rig, RELOAD, 0x100);
    g_assert_true(goes_off(&rig, 17));
    rig_clear(&rig);
}

static void test_panic(void)
{
    Bench bench;

    bench_init(&bench);
    Pvpanic *dev = pvpanic_new(&bench.env, bench_power(&bench));
    bench_run(&bench, "i 505 3 o 505 2 p none o 505 4 p none");
    gm_pio_write(bench.env.memory, PVPANIC_PORT, 1, 1);
    g_assert_cmpint(bench.power, ==, MACHINE_POWER_PANIC);
    device_free((Device *)dev);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i6300esb/barks at a guest that is silent", test_life);
    g_test_add_func("/i6300esb/stops, unless it is locked", test_stop);
    g_test_add_func("/i6300esb/registers have a lock of two words", test_locked_registers);
    g_test_add_func("/i6300esb/another clock, no pin, one stage", test_quick_and_quiet);
    g_test_add_func("/pvpanic/tells of a panic", test_panic);
    return g_test_run();
}
