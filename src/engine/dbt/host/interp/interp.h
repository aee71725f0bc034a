/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The portable back end: runs IR as it stands.  It is the oracle for every other back end, and so
 * stays plain C that any host compiles.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/backend.h"
#include "engine/dbt/run/cache.h"

extern const Backend interp_backend;

/* Run @block at cpu->pc, and the blocks it leads to, until something needs the dispatch loop.
 * cpu->block is the last one that ran. */
RunResult interp_run(DbtCpu *cpu, Block *block, unsigned *ret_slot);
