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
};

typedef struct AcpiPm AcpiPm;

extern const DeviceClass acpi_pm_class;

/* @sci is level-triggered. */
AcpiPm *acpi_pm_new(const DeviceEnv *env, IrqLine sci, MachineEvents events);
/* Any thread. */
void acpi_pm_power_button(AcpiPm *pm);
