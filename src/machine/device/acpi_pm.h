/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI fixed hardware: power-off, reset, power button and the PM timer, see acpi_pm.c.
 */
#pragma once

#include "machine/core/device.h"
#include "machine/core/irq.h"
#include "machine/core/power.h"

/* Ports, which the FADT (boot/acpi.c) names too. */
enum {
    ACPI_PM_EVENT_PORT = 0x600,
    ACPI_PM_CONTROL_PORT = 0x604,
    ACPI_PM_TIMER_PORT = 0x608,
    ACPI_PM_RESET_PORT = 0xcf9,
    ACPI_PM_RESET_VALUE = 6,
    ACPI_PM_S5_TYPE = 5, /* SLP_TYP of power-off, in \_S5 */
    ACPI_PM_TIMER_HZ = 3579545,
    /* of ICH9, as firmware places it */
    ACPI_PM_ICH9_PORT = 0x600,
    ACPI_PM_ICH9_GPE = 0x20,     /* offset: status, then enable */
    ACPI_PM_ICH9_GPE_BYTES = 16, /* of both */
    ACPI_PM_ICH9_S5_TYPE = 0,    /* what firmware writes when it switches off */
};

typedef struct AcpiPm AcpiPm;

extern const DeviceClass acpi_pm_class;

/* @sci is level-triggered. */
AcpiPm *acpi_pm_new(const DeviceEnv *env, IrqLine sci, MachineEvents events);
/* As the ICH9 has it: nowhere, until it is placed.  Resets are another part's. */
AcpiPm *acpi_pm_new_ich9(const DeviceEnv *env, IrqLine sci, MachineEvents events);
void acpi_pm_place(AcpiPm *pm, bool shown, uint16_t base);
/* General-purpose event @event (0 to 63) has happened.  Any thread. */
void acpi_pm_gpe(AcpiPm *pm, unsigned event);
/* Any thread. */
void acpi_pm_power_button(AcpiPm *pm);
