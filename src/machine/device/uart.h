/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port, see uart.c.
 */
#pragma once

#include "machine/core/char.h"
#include "machine/core/device.h"
#include "machine/core/irq.h"

typedef struct Uart Uart;

extern const DeviceClass uart_class;

/* Eight ports from @base on.  @backend may be NULL: nothing is attached, output vanishes. */
Uart *uart_new(const DeviceEnv *env, uint16_t base, IrqLine irq, CharBackend *backend);
