/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-input.  The input is a program of device_fuzz.h; a poke may move the pointer.
 *
 * Threads: one.
 */
#include "display/input.h"
#include "fuzz_device_virtio.h"
#include "machine/virtio/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);

    rig->extra = input_new();
    rig->device = &virtio_input_new(&slot, VIRTIO_TABLET, rig->extra)->device;
}

static void poke(FuzzRig *rig, uint8_t what)
{
    const InputPosition at = { what * 5, what * 3, 640, 480 };

    fuzz_virtio_poke(rig, what);
    if (what & 0x80) {
        input_pointer_at(rig->extra, &at, what >> 2, what & 1);
    }
}

static void done(FuzzRig *rig)
{
    input_free(rig->extra);
}

static const FuzzTarget target = {
    .windows = { FUZZ_VIRTIO_WINDOW },
    .ram = FUZZ_VIRTIO_RAM,
    .make = make,
    .poke = poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
