/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the keyboard controller.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/i8042.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)i8042_new(&rig->bench.env, bench_power(&rig->bench));
}

static const FuzzTarget target = {
    .windows = { { false, 0x60, 5 }, { false, 0x92, 1 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
