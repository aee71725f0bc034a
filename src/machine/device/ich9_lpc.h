/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LPC bridge of Intel's ICH9: where old devices, power management and interrupt wires hang,
 * see ich9_lpc.c.
 */
#pragma once

#include "machine/device/acpi_pm.h"
#include "machine/pci/pci.h"

typedef struct Ich9Lpc Ich9Lpc;

extern const PciClass ich9_lpc_class;

typedef struct Ich9LpcConfig {
    PciSlot slot; /* device 31, function 0 */
    AcpiPm *pm;
    IrqLine apic[PCI_PIRQS]; /* PIRQA to PIRQH at the I/O APIC */
    IrqLine isa[16];         /* interrupts of the 8259s that a PIRQ may be routed to */
} Ich9LpcConfig;

Ich9Lpc *ich9_lpc_new(const Ich9LpcConfig *config);
/* For PciRootConfig, whose opaque the Ich9Lpc is: a wire changes; where a pin's wire is. */
IrqLine ich9_lpc_pirq(Ich9Lpc *lpc, unsigned pirq);
unsigned ich9_lpc_route(void *lpc, unsigned device, unsigned pin);
