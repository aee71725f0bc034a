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

static const VirtioDev *dev_of(const FuzzRig *rig)
{
    return (const VirtioDev *)(const void *)rig->device;
}

static void set_up(FuzzRig *rig, bool packed)
{
    uint64_t without = packed ? 0 : VIRTIO_FEATURE(VIRTIO_F_RING_PACKED);
    uint64_t features = dev_of(rig)->features & ~without;

    put(rig, VB_STATUS, 0);
    put(rig, VB_STATUS, 3);
    put(rig, VB_DRIVER_FEATURES_SEL, 0);
    put(rig, VB_DRIVER_FEATURES, (uint32_t)features);
    put(rig, VB_DRIVER_FEATURES_SEL, 1);
    put(rig, VB_DRIVER_FEATURES, (uint32_t)(features >> 32));
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

/* The guest's index goes on by @n. */
static void offer_split(FuzzRig *rig, unsigned q, unsigned n)
{
    GuestMemory *memory = rig->bench.env.memory;
    uint16_t index;

    if (gm_read(memory, RINGS * q + 0x802, &index, 2)) {
        index += n;
        gm_write(memory, RINGS * q + 0x802, &index, 2);
    }
}

/* The next @n descriptors are available in this lap, whatever else they say. */
static void offer_packed(FuzzRig *rig, const Virtq *q, unsigned n)
{
    GuestMemory *memory = rig->bench.env.memory;

    for (unsigned i = 0; i < n; i++) {
        unsigned at = q->next_available + i;
        bool wrap = q->available_wrap ^ (at >= QUEUE_SIZE);
        uint64_t gpa = RINGS * q->index + 16 * (uint64_t)(at % QUEUE_SIZE) + 14;
        uint16_t flags;
        if (gm_read(memory, gpa, &flags, 2)) {
            flags = (flags & ~(VB_AVAIL | VB_USED)) | (wrap ? VB_AVAIL : VB_USED);
            gm_write(memory, gpa, &flags, 2);
        }
    }
}

void fuzz_virtio_poke(FuzzRig *rig, uint8_t what)
{
    const VirtioDev *dev = dev_of(rig);

    if (what & 1) {
        set_up(rig, what & 0x40);
    }
    for (unsigned q = 0; q < VIRTIO_MAX_QUEUES; q++) {
        if ((what & 2) && virtio_dev_has_feature(dev, VIRTIO_F_RING_PACKED)) {
            offer_packed(rig, &dev->queues[q], what >> 2 & 15);
        } else if (what & 2) {
            offer_split(rig, q, what >> 2 & 15);
        }
        put(rig, VB_QUEUE_NOTIFY, q);
    }
}
