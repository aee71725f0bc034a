/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the test-exit port.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/test_exit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)test_exit_new(&rig->bench.env, bench_power(&rig->bench));
}

static const FuzzTarget target = {
    .windows = { { false, TEST_EXIT_PORT, 1 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
