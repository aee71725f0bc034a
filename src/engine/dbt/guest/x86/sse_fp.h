/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the floating-point vector operations share: MXCSR as an FpEnv, and the exceptions.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/guest/x86/softfloat.h"
#include "engine/dbt/guest/x86/vectors.h"

FpEnv sse_env(const X86Cpu *cpu);
/* Record the flags of a whole instruction; false after #XM (or #UD): leave the destination. */
bool sse_finish(X86Cpu *cpu, const FpEnv *env);

/* The approximations of RCPPS and RSQRTPS, by approx_*.c: as this host's CPU, or computed. */
uint32_t x86_approximate_reciprocal(uint32_t bits);
uint32_t x86_approximate_reciprocal_root(uint32_t bits);
