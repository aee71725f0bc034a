/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-rng.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "fuzz_device_virtio.h"
#include "machine/virtio/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);

    rig->device = &virtio_rng_new(&slot)->device;
}

static const FuzzTarget target = {
    .windows = { FUZZ_VIRTIO_WINDOW },
    .ram = FUZZ_VIRTIO_RAM,
    .make = make,
    .poke = fuzz_virtio_poke,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
