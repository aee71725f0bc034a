/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an x86-64 host's own instructions are for the vector operations of vectors.def.
 *
 * Threads: constant.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

/* In the order of enum X86_VECTOR_; those without an entry are called. */
extern const VectorHost x86_vectors_host[];
