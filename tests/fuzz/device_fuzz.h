/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets of devices share: the input is a program of register accesses, steps of
 * the clock, inputs from outside, resets, and loads of saved states, run on a fresh device.
 *
 * Threads: one.
 */
#pragma once

#include "machine/core/bench.h"
#include "machine/core/io_thread.h"

enum { FUZZ_WINDOWS = 4 };

/* Where the device's registers are. */
typedef struct FuzzWindow {
    bool mmio; /* else ports */
    uint64_t base, size;
} FuzzWindow;

typedef struct FuzzRig {
    Bench bench;
    BenchChar character;
    IoThread *io;
    Device *device;
    void *extra; /* the target's own */
} FuzzRig;

typedef struct FuzzTarget {
    FuzzWindow windows[FUZZ_WINDOWS]; /* size 0 behind the last */
    uint64_t ram;                     /* bytes of guest RAM at 0, or 0 */
    void (*make)(FuzzRig *rig);       /* sets .device */
    /* Something else happens, that only this device knows; or NULL. */
    void (*poke)(FuzzRig *rig, uint8_t what);
    void (*done)(FuzzRig *rig); /* after the device is freed; or NULL */
} FuzzTarget;

int fuzz_device(const FuzzTarget *target, const uint8_t *data, size_t size);
