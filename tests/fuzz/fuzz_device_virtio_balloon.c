/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-balloon.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "fuzz_device_virtio.h"
#include "machine/virtio/balloon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);

    rig->device =
        &virtio_balloon_new(&slot, &(VirtioBalloonConfig){ .ram_size = FUZZ_VIRTIO_RAM })->device;
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
