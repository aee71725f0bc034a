/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: ACPI power management.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/acpi_pm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)acpi_pm_new(&rig->bench.env, bench_line(&rig->bench, 0),
                                        bench_power(&rig->bench));
}

/* The power button. */
static void poke(FuzzRig *rig, uint8_t what)
{
    acpi_pm_power_button((AcpiPm *)rig->device);
}

static const FuzzTarget target = {
    .windows = { { false, ACPI_PM_EVENT_PORT, 12 }, { false, ACPI_PM_RESET_PORT, 1 } },
    .make = make,
    .poke = poke,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
