/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keyboard controller of a PC without a keyboard, see i8042.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/power.h"

typedef struct I8042 I8042;

extern const DeviceClass i8042_class;

I8042 *i8042_new(const DeviceEnv *env, MachineEvents events);
