/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of vector operations that the core calls by number.
 *
 * Threads: constant.
 */
#include "engine/dbt/guest/x86/vectors.h"

const VectorOp x86_vectors[] = {
#define X86_VECTOR(name, may_fault) { #name, x86_vector_##name, may_fault },
#include "engine/dbt/guest/x86/vectors.def"
#undef X86_VECTOR
};
