/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test-exit port, see test_exit.h.  It reads as 0, so that a guest can tell it is there.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/test_exit.h"

struct TestExit {
    Device device;
    MachineEvents events; /* fixed after create */
};

static uint64_t read_port(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void write_port(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    TestExit *dev = opaque;

    dev->events.power(dev->events.opaque, MACHINE_POWER_TEST_EXIT,
                      (uint8_t)MIN(value, TEST_EXIT_MAX));
}

static const IoOps ops = { .read = read_port, .write = write_port, .sizes = 1 };

const DeviceClass test_exit_class = {
    .name = "test-exit",
    .summary = "port that ends the machine with a status the guest chooses",
    .instance_size = sizeof(TestExit),
};

TestExit *test_exit_new(const DeviceEnv *env, MachineEvents events)
{
    TestExit *dev = device_new(&test_exit_class, env, "test-exit");

    dev->events = events;
    device_add_pio(&dev->device, &ops, TEST_EXIT_PORT, 1);
    return dev;
}
