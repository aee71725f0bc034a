/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the real-time clock.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/rtc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)rtc_new(&rig->bench.env, bench_line(&rig->bench, 0),
                                    (RtcMemorySizes){ .below_4g = 1 << 30 });
}

static const FuzzTarget target = {
    .windows = { { false, 0x70, 2 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
