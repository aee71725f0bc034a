/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The high precision event timer of a PC, see hpet.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

enum { HPET_BASE = 0xfed00000U, HPET_SIZE = 0x400, HPET_PINS = 24, HPET_TIMERS = 3 };

typedef struct Hpet Hpet;

extern const DeviceClass hpet_class;

typedef struct HpetConfig {
    DeviceEnv env;
    IrqLine pins[HPET_TIMERS][HPET_PINS]; /* of the I/O APIC, that each timer may be routed to */
    IrqLine irq0, irq8;                   /* timers 0 and 1 in legacy mode, edge-triggered */
    IrqLine legacy;                       /* up: timer and RTC give these interrupts to us */
} HpetConfig;

Hpet *hpet_new(const HpetConfig *config);
