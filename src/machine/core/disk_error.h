/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a disk request that the host could not do, and who is told.
 *
 * Threads: see MachineEvents.
 */
#pragma once

#include <stdbool.h>

typedef enum DiskOnError {
    DISK_ON_ERROR_REPORT,       /* the guest is told */
    DISK_ON_ERROR_IGNORE,       /* the guest is told that it was done */
    DISK_ON_ERROR_STOP,         /* the machine is paused; once it goes on, it is tried again */
    DISK_ON_ERROR_STOP_IF_FULL, /* that if the host has no room, else the guest is told */
} DiskOnError;

typedef struct DiskError {
    const char *device; /* its name */
    bool is_write;      /* or a flush, or a discard */
    DiskOnError action; /* what was done: never STOP_IF_FULL */
    int error;          /* an errno */
} DiskError;
