/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The portable back end: runs IR as it stands.  It is the oracle for every other back end, and so
 * stays plain C that any host compiles.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cache.h"
#include "engine/dbt/run/cpu.h"

typedef enum InterpResult {
    INTERP_NEXT,  /* cpu->pc is set, context is the same */
    INTERP_LINK,  /* the same, and cpu->block's exit *ret_slot could lead there directly */
    INTERP_STOP,  /* cpu->pc is set; context, interrupts or mappings may have changed */
    INTERP_FAULT, /* cpu->fault says what; cpu->pc is the instruction's */
} InterpResult;

/* Run @block at cpu->pc, and the blocks it leads to, until something needs the dispatch loop.
 * cpu->block is the last one that ran. */
InterpResult interp_run(DbtCpu *cpu, Block *block, unsigned *ret_slot);
