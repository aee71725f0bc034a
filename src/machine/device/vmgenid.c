/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM generation ID, see vmgenid.h.
 *
 * 128 random bits at the beginning of a page that can only be read.  They stay over resets, and are
 * never saved: whatever goes on from a state is somebody new, whose random numbers shall not be
 * those of the others that go on from the same one.
 *
 * Threads: read on vCPU threads, under the lock.
 */
#include "machine/device/vmgenid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "common/bits.h"

struct Vmgenid {
    Device device;
    AcpiPm *pm; /* fixed after create */
    /* lock: device.lock */
    uint8_t number[VMGENID_SIZE];
};

static uint64_t read_page(void *opaque, uint64_t offset, unsigned size)
{
    const Vmgenid *dev = opaque;
    uint8_t bytes[8] = { 0 };

    if (offset + size <= VMGENID_SIZE) {
        memcpy(bytes, dev->number + offset, size);
    }
    return load_le64(bytes);
}

static void write_page(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Vmgenid *dev = opaque;

    guest_error(&dev->device, "a write to %03x, which can only be read", (unsigned)offset);
}

static const IoOps ops = { .read = read_page, .write = write_page, .sizes = 1 | 2 | 4 | 8 };

/* Without chance we don't go on: clones would be alike, and take themselves for different. */
static void draw(Vmgenid *dev)
{
    if (getrandom(dev->number, sizeof(dev->number), 0) != sizeof(dev->number)) {
        g_error("cannot get random numbers: %s", g_strerror(errno));
    }
}

void vmgenid_renew(Vmgenid *dev)
{
    g_mutex_lock(&dev->device.lock);
    draw(dev);
    g_mutex_unlock(&dev->device.lock);
    acpi_pm_gpe(dev->pm, VMGENID_GPE);
}

const DeviceClass vmgenid_class = {
    .name = "vmgenid",
    .summary = "VM generation ID: tells a guest that it goes on from a saved state",
    .instance_size = sizeof(Vmgenid),
};

Vmgenid *vmgenid_new(const DeviceEnv *env, AcpiPm *pm)
{
    Vmgenid *dev = device_new(&vmgenid_class, env, "vmgenid");

    dev->pm = pm;
    draw(dev);
    device_add_mmio(&dev->device, &ops, VMGENID_BASE, VMGENID_PAGE);
    return dev;
}
