/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the 8259 pair.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/pic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)pic_new(&rig->bench.env, bench_line(&rig->bench, 0));
}

/* A line moves, or the CPU acknowledges. */
static void poke(FuzzRig *rig, uint8_t what)
{
    if (what & 0x80) {
        pic_ack((Pic *)rig->device);
    } else {
        pic_set_line((Pic *)rig->device, what & 0x1f, what & 0x40);
    }
}

static const FuzzTarget target = {
    .windows = { { false, 0x20, 2 }, { false, 0xa0, 2 }, { false, 0x4d0, 2 } },
    .make = make,
    .poke = poke,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
