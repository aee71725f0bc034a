/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the VM generation ID: the number stays until the machine has been loaded, and then the
 * guest hears of another.  Line 0 is the SCI.
 */
#include "machine/device/vmgenid.h"

#include "machine/core/bench.h"

typedef struct Rig {
    Bench bench;
    AcpiPm *pm;
    Vmgenid *dev;
} Rig;

/* Power management as board pc has it, at its port. */
static void rig_init(Rig *rig)
{
    bench_init(&rig->bench);
    rig->pm =
        acpi_pm_new_ich9(&rig->bench.env, bench_line(&rig->bench, 0), bench_power(&rig->bench));
    rig->dev = vmgenid_new(&rig->bench.env, rig->pm);
    device_reset((Device *)rig->pm);
    device_reset((Device *)rig->dev);
    acpi_pm_place(rig->pm, true, ACPI_PM_ICH9_PORT);
}

static void rig_clear(Rig *rig)
{
    device_free((Device *)rig->dev);
    device_free((Device *)rig->pm);
    bench_clear(&rig->bench);
}

static uint64_t load(Rig *rig, unsigned offset, unsigned size)
{
    return gm_mmio_read(rig->bench.env.memory, VMGENID_BASE + offset, size);
}

static void test_number_stays(void)
{
    Rig rig;

    rig_init(&rig);
    uint64_t low = load(&rig, 0, 8), high = load(&rig, 8, 8);
    g_assert_true(low != 0 || high != 0);
    gm_mmio_write(rig.bench.env.memory, VMGENID_BASE, ~low, 8);
    device_reset((Device *)rig.dev);
    g_assert_cmphex(load(&rig, 0, 8), ==, low);
    g_assert_cmphex(load(&rig, 8, 8), ==, high);
    for (unsigned i = 0; i < VMGENID_SIZE; i++) { /* as a guest copies it byte by byte */
        g_assert_cmphex(load(&rig, i, 1), ==, (i < 8 ? low : high) >> i % 8 * 8 & 0xff);
    }
    g_assert_cmphex(load(&rig, VMGENID_SIZE, 8), ==, 0);
    g_assert_cmphex(load(&rig, VMGENID_PAGE - 4, 4), ==, 0);
    bench_run(&rig.bench, "i 620 0 l 0 0");
    rig_clear(&rig);
}

static void test_new_number_is_told(void)
{
    Rig rig;

    rig_init(&rig);
    uint64_t low = load(&rig, 0, 8), high = load(&rig, 8, 8);
    bench_run(&rig.bench, "o 628 20 l 0 0"); /* the event is enabled */
    vmgenid_renew(rig.dev);
    g_assert_true(load(&rig, 0, 8) != low);
    g_assert_true(load(&rig, 8, 8) != high);
    bench_run(&rig.bench, "i 620 20 l 0 1 o 620 20 l 0 0");
    rig_clear(&rig);
}

static void test_two_machines_differ(void)
{
    Rig a, b;

    rig_init(&a);
    rig_init(&b);
    g_assert_true(load(&a, 0, 8) != load(&b, 0, 8));
    rig_clear(&b);
    rig_clear(&a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmgenid/number-stays", test_number_stays);
    g_test_add_func("/vmgenid/new-number-is-told", test_new_number_is_told);
    g_test_add_func("/vmgenid/two-machines-differ", test_two_machines_differ);
    return g_test_run();
}
