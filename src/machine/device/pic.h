/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pair of 8259A interrupt controllers of a PC, see pic.c.
 *
 * Threads: pic_set_line and pic_ack from any thread.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

typedef struct Pic Pic;

extern const DeviceClass pic_class;

/* @intr is the INTR output. */
Pic *pic_new(const DeviceEnv *env, IrqLine intr);
/* An input pin, 0 to 15; pin 2 is the cascade and ignored. */
void pic_set_line(Pic *pic, unsigned pin, bool level);
/* The CPU acknowledges INTR: the vector it shall take. */
uint8_t pic_ack(Pic *pic);
