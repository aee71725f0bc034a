/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The good driver inside the fuzz targets of virtio devices, see fuzz_device_virtio.h.  Queue n
 * has its rings at 2000h * n: descriptors, then available at +800h, then used at +1000h.
 */
#include "fuzz_device_virtio.h"

#include "machine/virtio/bench.h"

enum { RINGS = 0x2000, QUEUE_SIZE = 16 };

VirtioSlot fuzz_virtio_slot(FuzzRig *rig)
{
    return (VirtioSlot){
        .env = rig->bench.env,
        .io = rig->io,
        .base = FUZZ_VIRTIO_BASE,
        .irq = bench_line(&rig->bench, 0),
        .name = "fuzz",
    };
}

static void put(FuzzRig *rig, unsigned reg, uint32_t value)
{
    gm_mmio_write(rig->bench.env.memory, FUZZ_VIRTIO_BASE + reg, value, 4);
}

static void set_up(FuzzRig *rig)
{
    const VirtioDev *dev = (const VirtioDev *)(const void *)rig->device;

    put(rig, VB_STATUS, 0);
    put(rig, VB_STATUS, 3);
    put(rig, VB_DRIVER_FEATURES_SEL, 0);
    put(rig, VB_DRIVER_FEATURES, (uint32_t)dev->features);
    put(rig, VB_DRIVER_FEATURES_SEL, 1);
    put(rig, VB_DRIVER_FEATURES, (uint32_t)(dev->features >> 32));
    put(rig, VB_STATUS, 11);
    for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
        put(rig, VB_QUEUE_SEL, q);
        put(rig, VB_QUEUE_NUM, QUEUE_SIZE);
        put(rig, VB_QUEUE_DESC, RINGS * q);
        put(rig, VB_QUEUE_DRIVER, RINGS * q + 0x800);
        put(rig, VB_QUEUE_DEVICE, RINGS * q + 0x1000);
        put(rig, VB_QUEUE_READY, 1);
    }
    put(rig, VB_STATUS, 15);
}

void fuzz_virtio_poke(FuzzRig *rig, uint8_t what)
{
    GuestMemory *memory = rig->bench.env.memory;

    if (what & 1) {
        set_up(rig);
    }
    for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
        uint16_t index;
        if (what & 2 && gm_read(memory, RINGS * q + 0x802, &index, 2)) {
            index += what >> 2 & 15;
            gm_write(memory, RINGS * q + 0x802, &index, 2);
        }
        put(rig, VB_QUEUE_NOTIFY, q);
    }
}
