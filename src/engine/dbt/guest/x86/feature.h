/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU features that make an instruction defined (opcode rows name them) or change what one does.
 *
 * What the x86-64 baseline has (FPU, CX8, CMOV, FXSR, MMX, SSE, SSE2, SYSCALL, NX) is not listed:
 * every model has it.  cpuid.c says which of these a model has.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>

typedef enum X86Feature {
    FEATURE_NONE,
    FEATURE_SSE3,
    FEATURE_SSSE3,
    FEATURE_SSE41,
    FEATURE_SSE42,
    FEATURE_SSE4A,
    FEATURE_POPCNT,
    FEATURE_CX16,
    FEATURE_MOVBE,
    FEATURE_LZCNT,
    FEATURE_BMI1,
    FEATURE_BMI2,
    FEATURE_ADX,
    FEATURE_AES,
    FEATURE_PCLMUL,
    FEATURE_SHA,
    FEATURE_RDRAND,
    FEATURE_RDSEED,
    FEATURE_FSGSBASE,
    FEATURE_INVPCID,
    FEATURE_RDTSCP,
    FEATURE_RDPID,
    FEATURE_XSAVE,
    FEATURE_XSAVEOPT,
    FEATURE_XSAVEC,
    FEATURE_CLFLUSHOPT,
    FEATURE_CLWB,
    FEATURE_PREFETCHW, /* 3DNow! prefetch */
    FEATURE_MONITOR,
    FEATURE_SMAP, /* CLAC, STAC */
    FEATURE_SVM,
    FEATURE_AVX,
    FEATURE_AVX2,
    FEATURE_F16C,
    FEATURE_FMA,
    FEATURES
} X86Feature;

typedef struct X86Cpu X86Cpu;

/* Whether the CPU's model has @feature; true for FEATURE_NONE.  (cpuid.c) */
bool x86_has_feature(const X86Cpu *cpu, X86Feature feature);
