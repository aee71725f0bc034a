/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller of a PC, see i8042.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"
#include "machine/core/power.h"

typedef struct I8042 I8042;
typedef struct Input Input;

extern const DeviceClass i8042_class;

typedef struct I8042Config {
    DeviceEnv env;
    MachineEvents events;
    IrqLine keyboard, mouse; /* interrupts 1 and 12 */
    Input *input; /* what is plugged in listens to; stays the caller's, outlives the device.  NULL:
                     both sockets are empty */
} I8042Config;

I8042 *i8042_new(const I8042Config *config);
