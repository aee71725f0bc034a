/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The panic port: a guest's kernel says that it can't go on (QEMU's docs/specs/pvpanic), see
 * pvpanic.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/power.h"

enum { PVPANIC_PORT = 0x505 };

typedef struct Pvpanic Pvpanic;

extern const DeviceClass pvpanic_class;

Pvpanic *pvpanic_new(const DeviceEnv *env, MachineEvents events);
