/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a flash chip.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/flash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GPA = 0xff000000, SIZE = 0x4000 };

static void make(FuzzRig *rig)
{
    RamBlock *block = gm_add_block(rig->bench.env.memory, "flash", SIZE, NULL);

    rig->device =
        (Device *)flash_new(&(FlashConfig){ rig->bench.env, "fuzz", GPA, block, false, -1 });
}

static const FuzzTarget target = {
    .windows = { { true, GPA, SIZE } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
