/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The panic port, see pvpanic.h.
 *
 * It reads as the set of what the guest may report; a write reports: that it panicked, or that it
 * did and goes on to dump its memory by itself.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/pvpanic.h"

enum { PANICKED = 1, CRASH_LOADED = 2, KNOWN = PANICKED | CRASH_LOADED };

struct Pvpanic {
    Device device;
    MachineEvents events; /* fixed after create */
};

static uint64_t read_port(void *opaque, uint64_t offset, unsigned size)
{
    return KNOWN;
}

static void write_port(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pvpanic *dev = opaque;

    if (value & ~(uint64_t)KNOWN) {
        guest_error(&dev->device, "unknown report %02x", (unsigned)value);
    }
    if (value & PANICKED) {
        dev->events.power(dev->events.opaque, MACHINE_POWER_PANIC, 0);
    } else if (value & CRASH_LOADED) {
        device_log(&dev->device, "the guest has panicked, and dumps its memory");
    }
}

static const IoOps ops = { .read = read_port, .write = write_port, .sizes = 1 };

const DeviceClass pvpanic_class = {
    .name = "pvpanic",
    .summary = "lets the guest's kernel say that it has panicked",
    .instance_size = sizeof(Pvpanic),
};

Pvpanic *pvpanic_new(const DeviceEnv *env, MachineEvents events)
{
    Pvpanic *dev = device_new(&pvpanic_class, env, "pvpanic");

    dev->events = events;
    device_add_pio(&dev->device, &ops, PVPANIC_PORT, 1);
    return dev;
}
