/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 timer of a PC and its port 61h, see pit.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

enum { PIT_HZ = 1193182 };

typedef struct Pit Pit;

extern const DeviceClass pit_class;

/* @irq is channel 0's output, to edge-triggered pins. */
Pit *pit_new(const DeviceEnv *env, IrqLine irq);
