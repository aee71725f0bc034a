/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the keyboard controller with keyboard and mouse.  The input is a program of
 * device_fuzz.h; a poke presses keys and moves the pointer.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "display/input.h"
#include "machine/device/i8042.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->extra = input_new();
    rig->device = (Device *)i8042_new(&(I8042Config){ .env = rig->bench.env,
                                                      .events = bench_power(&rig->bench),
                                                      .keyboard = bench_line(&rig->bench, 1),
                                                      .mouse = bench_line(&rig->bench, 12),
                                                      .input = rig->extra });
}

static void poke(FuzzRig *rig, uint8_t what)
{
    Input *input = rig->extra;

    if (what & 1) {
        input_key(input, what >> 2, what & 2);
    } else {
        input_pointer_by(input, (what >> 4) * 100 - 800, (what >> 2) - 20, what >> 3, what & 2);
    }
}

static void done(FuzzRig *rig)
{
    input_free(rig->extra);
}

static const FuzzTarget target = {
    .windows = { { false, 0x60, 5 }, { false, 0x92, 1 } },
    .make = make,
    .poke = poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
