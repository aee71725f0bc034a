/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting, as the dispatch loop needs it; what others may call stands in exec.h.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

/* CPUs of the host that this process may run on. */
unsigned wait_host_cpus(void);

/* Enter guest code, unless somebody is alone: wait for the end of that first. */
void wait_start_running(DbtCpu *cpu);
void wait_stop_running(DbtCpu *cpu);

/* Wait until something wants this halted vCPU: cpu->attention is set. */
void wait_halted(DbtCpu *cpu);
