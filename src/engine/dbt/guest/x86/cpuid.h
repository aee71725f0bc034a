/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models: which features a guest's CPU has and how CPUID shows them.
 *
 * A model is one const struct.  What CPUID says is made from its feature list (features.def says
 * which bit is whose) and from the number of vCPUs; an instruction's opcode row names the feature
 * it needs, so both always agree.
 *
 * Threads: constants only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

typedef enum X86Feature {
    X86_FEATURE_NONE, /* always there */
#define X86_FEATURE(name, leaf, subleaf, reg, bit) X86_FEATURE_##name,
#include "engine/dbt/guest/x86/features.def"
#undef X86_FEATURE
    X86_FEATURES
} X86Feature;

typedef struct X86CpuModel {
    const char *name, *summary;
    char vendor[13];
    char brand[49]; /* what leaves 80000002h to 80000004h say */
    uint8_t family, model, stepping;
    bool has[X86_FEATURES]; /* by X86Feature */
} X86CpuModel;

/* All models from the highest level down, NULL name behind the last. */
extern const X86CpuModel x86_cpu_models[];
/* The model called @name; for "max", "host" and NULL the highest that a back end is quick with,
 * which may not do so with vectors of 32 bytes.  NULL if there is none. */
const X86CpuModel *x86_cpu_model_find(const char *name, bool wide_vectors);
/* What leaf 1 gives in EAX. */
uint32_t x86_model_signature(const X86CpuModel *model);
/* Where CPUID shows @feature: leaf, subleaf, register (0 EAX to 3 EDX), bit.  False for NONE. */
bool x86_feature_place(X86Feature feature, uint32_t *ret_leaf, uint32_t *ret_subleaf,
                       unsigned *ret_reg, unsigned *ret_bit);
