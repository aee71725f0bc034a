/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flash chip that holds firmware or its variables, see flash.c.
 */
#pragma once

#include "machine/core/device.h"

typedef struct Flash Flash;

extern const DeviceClass flash_class;

enum { FLASH_BLOCK = 4096 }; /* what is erased at once */

typedef struct FlashConfig {
    DeviceEnv env;
    const char *name;
    uint64_t gpa;          /* a multiple of FLASH_BLOCK */
    const RamBlock *block; /* its bytes, filled by the board */
    bool read_only;        /* plain ROM: takes no commands */
    int fd;                /* where changes are written to; -1: nowhere.  Stays the caller's */
} FlashConfig;

Flash *flash_new(const FlashConfig *config);
