/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables of a machine without PCI: RSDP, RSDT and XSDT, FADT, FACS, MADT, DSDT.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "machine/limits.h"

/* A device with registers in memory and an interrupt, which the DSDT names. */
typedef struct AcpiMmioDevice {
    uint32_t base, size;
    uint32_t gsi;
} AcpiMmioDevice;

typedef struct AcpiConfig {
    unsigned cpus; /* local APIC ids 0 to cpus - 1 */
    AcpiMmioDevice virtio[MICRO_MAX_VIRTIO];
    unsigned n_virtio;
} AcpiConfig;

enum { ACPI_SCI_IRQ = 9 };

/* All tables, as they must stand at @base (a multiple of 64, below 4 GiB); the RSDP comes first. */
GByteArray *acpi_build(const AcpiConfig *config, uint32_t base);
