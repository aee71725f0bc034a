/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The port by which firmware says what it does: 402h.  Lines go to the log, category firmware.
 */
#pragma once

#include "machine/core/device.h"

typedef struct DebugPort DebugPort;

extern const DeviceClass debug_port_class;

enum { DEBUG_PORT = 0x402 };

DebugPort *debug_port_new(const DeviceEnv *env);
