/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the VM generation ID.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/vmgenid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    AcpiPm *pm = acpi_pm_new(&rig->bench.env, bench_line(&rig->bench, 0), bench_power(&rig->bench));

    rig->extra = pm;
    rig->device = (Device *)vmgenid_new(&rig->bench.env, pm);
}

/* The machine has been loaded. */
static void poke(FuzzRig *rig, uint8_t what)
{
    vmgenid_renew((Vmgenid *)rig->device);
}

static void done(FuzzRig *rig)
{
    device_free(rig->extra);
}

static const FuzzTarget target = {
    .windows = { { true, VMGENID_BASE, VMGENID_PAGE } },
    .make = make,
    .poke = poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
