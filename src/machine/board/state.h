/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of a machine's saved state, for state.c and its tests; machine.h has the functions.
 *
 *   record of device 0, of device 1, ..., of vCPU 0, ...     in the order in which they were made
 *   record: StateRecord, then .len bytes: the saved fields
 *
 * Threads: no state.
 */
#pragma once

#include "engine/x86/state.h"
#include "machine/core/saved.h"

enum { STATE_NAME_MAX = 48, CPU_STATE_VERSION = 0 };

#define CPU_STATE_CLASS "x86-cpu"

typedef struct StateRecord {
    uint32_t version; /* of the class's table */
    uint32_t len;
    char class[STATE_NAME_MAX], name[STATE_NAME_MAX]; /* with a 0 at the end */
} StateRecord;

/* The fields of an X86State. */
extern const SavedField cpu_saved[];
