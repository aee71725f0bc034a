/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-gpu.  The input is a program of device_fuzz.h; a poke may have a viewer
 * look, and wish for a size.
 *
 * Threads: one.
 */
#include "display/display.h"
#include "fuzz_device_virtio.h"
#include "machine/virtio/gpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Screen {
    Display *display;
} Screen;

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);
    Screen *screen = g_new0(Screen, 1);

    screen->display = display_new();
    rig->extra = screen;
    rig->device = &virtio_gpu_new(&slot, screen->display)->device;
}

static void poke(FuzzRig *rig, uint8_t what)
{
    const Screen *screen = rig->extra;

    fuzz_virtio_poke(rig, what);
    if (what & 0x80) {
        display_refresh(screen->display);
        display_want_size(screen->display, what * 8U, 600);
    }
}

static void done(FuzzRig *rig)
{
    Screen *screen = rig->extra;

    display_free(screen->display);
    g_free(screen);
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
