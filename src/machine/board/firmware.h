/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware of a machine: found among Debian's packages, put into flash chips below 4 GiB.
 *
 * Threads: building, on one thread.
 */
#pragma once

#include "machine/board/board.h"

/* What "bios", "uefi" or a path means, its bytes in memory. */
typedef struct Firmware {
    RamBlock *code;      /* owned by the GuestMemory; NULL: no firmware */
    RamBlock *variables; /* the same; NULL: none */
    int variables_fd;    /* where changes go; -1: nowhere */
} Firmware;

/* Read what @config asks for; "none": *@ret without code. */
bool firmware_read(GuestMemory *memory, const MachineConfig *config, Firmware *ret, GError **error);
/* The contents of a file that firmware packages bring (an option ROM), newly allocated; NULL: it
 * is not installed. */
uint8_t *firmware_find(const char *name, size_t *ret_size);
