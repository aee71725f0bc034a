/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a guest ends or restarts its machine: what devices tell the machine's owner.
 *
 * Threads: see MachineEvents.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "machine/core/disk_error.h"

typedef enum MachinePower {
    MACHINE_POWER_OFF,
    MACHINE_POWER_RESET,
    MACHINE_POWER_PANIC,     /* its kernel says that it can't go on */
    MACHINE_POWER_WATCHDOG,  /* it has not been heard of in time */
    MACHINE_POWER_TEST_EXIT, /* the guest wrote a byte to the test-exit port (device/test_exit.h) */
} MachinePower;

/* What the guest asks of the machine's owner.  Called on a vCPU's thread with a device's lock
 * held: note it, kick all vCPUs (vcpu_kick), return; act on it elsewhere.  May come again before
 * the owner has acted; the first one counts. */
typedef struct MachineEvents {
    void *opaque;
    void (*power)(void *opaque, MachinePower what, uint8_t value); /* @value of TEST_EXIT */
    /* It has let go of a card that it was asked for: machine_take_away().  No lock held. */
    void (*released)(void *opaque);
    /* Its balloon has another size. */
    void (*ballooned)(void *opaque);
    /* On the I/O thread, with the disk's lock held; NULL: nobody listens, and nothing is paused.
     * For DISK_ON_ERROR_STOP: pause the machine, and call machine_retry_disks() when it goes on. */
    void (*disk_error)(void *opaque, const DiskError *error);
    /* The tray of CD-ROM @drive is open now, or closed.  With its lock held; NULL: as above. */
    void (*tray)(void *opaque, const char *drive, bool open);
} MachineEvents;
