/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the 8254 timer.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/pit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)pit_new(&rig->bench.env, bench_line(&rig->bench, 0));
}

static const FuzzTarget target = {
    .windows = { { false, 0x40, 4 }, { false, 0x61, 1 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
