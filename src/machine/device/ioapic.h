/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O APIC of a PC, see ioapic.c.
 *
 * Threads: ioapic_set_line and ioapic_eoi from any thread.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"

enum { IOAPIC_PINS = 24, IOAPIC_BASE = 0xfec00000U };

typedef struct Ioapic Ioapic;

extern const DeviceClass ioapic_class;

Ioapic *ioapic_new(const DeviceEnv *env, uint64_t base, MsiTarget target);
/* An input pin, below IOAPIC_PINS. */
void ioapic_set_line(Ioapic *ioapic, unsigned pin, bool level);
/* A local APIC has ended a level-triggered interrupt of @vector. */
void ioapic_eoi(Ioapic *ioapic, uint8_t vector);
