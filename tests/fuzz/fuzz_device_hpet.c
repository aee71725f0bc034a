/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the HPET.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/hpet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    HpetConfig config = { .env = rig->bench.env, .irq0 = bench_line(&rig->bench, 0) };

    for (unsigned t = 0; t < HPET_TIMERS; t++) {
        for (unsigned i = 0; i < HPET_PINS; i++) {
            config.pins[t][i] = bench_line(&rig->bench, i);
        }
    }
    rig->device = (Device *)hpet_new(&config);
}

static const FuzzTarget target = {
    .windows = { { true, HPET_BASE, 0x180 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
