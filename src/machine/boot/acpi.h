/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables of a machine: RSDP, RSDT and XSDT, FADT, FACS, MADT, DSDT, and for board pc HPET
 * and MCFG.
 *
 * Where there is no firmware they are built for the place where they will stand.  Firmware gets
 * them as files, with a script that says how to put them together (QEMU's table loader).
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

/* What board pc has besides. */
typedef struct AcpiPc {
    uint64_t ecam;                          /* 256 MiB of configuration space; 0: off */
    uint64_t memory_first, memory_last;     /* for BARs, below 4 GiB */
    uint64_t memory64_first, memory64_last; /* and beyond */
} AcpiPc;

typedef struct AcpiConfig {
    unsigned cpus;    /* local APIC ids 0 to cpus - 1 */
    const AcpiPc *pc; /* NULL: board micro */
    AcpiMmioDevice virtio[MICRO_MAX_VIRTIO];
    unsigned n_virtio;
} AcpiConfig;

enum { ACPI_SCI_IRQ = 9 };

/* For firmware: files whose pointers are offsets, and the script that makes addresses of them.  The
 * sizes depend on nothing but the number of CPUs. */
typedef struct AcpiFiles {
    GByteArray *tables, *rsdp, *loader;
} AcpiFiles;

#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"
#define ACPI_LOADER_FILE "etc/table-loader"

void acpi_build_files(const AcpiConfig *config, AcpiFiles *ret_files);
void acpi_files_clear(AcpiFiles *files);

/* All tables, as they must stand at @base (a multiple of 64, below 4 GiB); the RSDP comes first. */
GByteArray *acpi_build(const AcpiConfig *config, uint32_t base);
