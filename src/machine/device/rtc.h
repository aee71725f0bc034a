/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The battery-backed clock and CMOS RAM of a PC, see rtc.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

typedef struct Rtc Rtc;

/* What firmware would have left in CMOS RAM. */
typedef struct RtcMemorySizes {
    uint64_t below_4g; /* bytes of RAM that end below 4 GiB, beginning at 0 */
    uint64_t above_4g; /* bytes of RAM from 4 GiB on */
} RtcMemorySizes;

extern const DeviceClass rtc_class;

Rtc *rtc_new(const DeviceEnv *env, IrqLine irq, RtcMemorySizes sizes);
