/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMBIOS tables of a machine (DMTF DSP0134, version 2.8): what the computer is, for people and
 * inventories in the guest.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct SmbiosConfig {
    const char *product; /* the machine's kind, such as "pc-1" */
    const char *name;    /* the VM's; NULL: it has none */
    bool uefi;           /* what it starts with */
    unsigned cpus;
    uint64_t low_memory;  /* bytes of RAM from 0 on */
    uint64_t high_memory; /* and from 4 GiB on */
    bool has_uuid;        /* else it is made of the name, if there is one */
    uint8_t uuid[16];     /* in its order as text */
} SmbiosConfig;

#define SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"
#define SMBIOS_ANCHOR_FILE "etc/smbios/smbios-anchor"

typedef struct SmbiosFiles {
    GByteArray *tables, *anchor;
} SmbiosFiles;

/* The tables, and an entry point that says that they stand at @address, below 4 GiB; firmware moves
 * them and changes that. */
void smbios_build(const SmbiosConfig *config, uint32_t address, SmbiosFiles *ret_files);
void smbios_files_clear(SmbiosFiles *files);

/* The UUID that goes with a name: always the same, and no other name's. */
void smbios_uuid(const char *name, uint8_t ret_uuid[16]);
