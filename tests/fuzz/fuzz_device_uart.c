/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the 16550A serial port.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/uart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    rig->device = (Device *)uart_new(&rig->bench.env, 0x3f8, bench_line(&rig->bench, 0),
                                     &rig->character.backend);
}

static const FuzzTarget target = {
    .windows = { { false, 0x3f8, 8 } },
    .make = make,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
