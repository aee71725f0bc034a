/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RCPPS and RSQRTPS on an x86-64 host: what its own instruction gives, so that a guest sees the
 * approximation of the CPU it runs on.
 *
 * Neither instruction depends on MXCSR.
 *
 * Threads: no state.
 */
#include <immintrin.h>

#include "engine/dbt/guest/x86/sse_fp.h"

uint32_t x86_approximate_reciprocal(uint32_t bits)
{
    __m128 x = _mm_castsi128_ps(_mm_cvtsi32_si128((int)bits));

    return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(_mm_rcp_ss(x)));
}

uint32_t x86_approximate_reciprocal_root(uint32_t bits)
{
    __m128 x = _mm_castsi128_ps(_mm_cvtsi32_si128((int)bits));

    return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(_mm_rsqrt_ss(x)));
}
