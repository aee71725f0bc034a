/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the bits in x86 registers and descriptors that both engines speak of.
 *
 * Reference: Intel SDM volume 3, 2.3, 2.5, 3.4.5, 2.2.1.
 */
#pragma once

#include <stdint.h>

#define X86_CR0_PE UINT64_C(0x1)
#define X86_CR0_ET UINT64_C(0x10)
#define X86_CR0_WP UINT64_C(0x10000)
#define X86_CR0_NW UINT64_C(0x20000000)
#define X86_CR0_CD UINT64_C(0x40000000)
#define X86_CR0_PG UINT64_C(0x80000000)

#define X86_CR4_PSE    UINT64_C(0x10)
#define X86_CR4_PAE    UINT64_C(0x20)
#define X86_CR4_OSFXSR UINT64_C(0x200)
#define X86_CR4_LA57   UINT64_C(0x1000)
#define X86_CR4_PCIDE  UINT64_C(0x20000)

#define X86_EFER_SCE UINT64_C(0x1)
#define X86_EFER_LME UINT64_C(0x100)
#define X86_EFER_LMA UINT64_C(0x400)
#define X86_EFER_NXE UINT64_C(0x800)

#define X86_RFLAGS_FIXED UINT64_C(0x2)
#define X86_RFLAGS_TF    UINT64_C(0x100)
#define X86_RFLAGS_IF    UINT64_C(0x200)
#define X86_RFLAGS_RF    UINT64_C(0x10000)
#define X86_RFLAGS_VM    UINT64_C(0x20000)

/* X86Segment.attributes */
#define X86_SEG_CODE      0x0008
#define X86_SEG_S         0x0010
#define X86_SEG_DPL_SHIFT 5
#define X86_SEG_P         0x0080
#define X86_SEG_L         0x2000
#define X86_SEG_DB        0x4000
#define X86_SEG_G         0x8000
#define X86_SEG_ALL       0xf0ff

/* IA32_APIC_BASE */
#define X86_APIC_BASE_DEFAULT UINT64_C(0xfee00000)
#define X86_APIC_BSP          UINT64_C(0x100)
#define X86_APIC_EXTD         UINT64_C(0x400)
#define X86_APIC_ENABLE       UINT64_C(0x800)

/* Offsets in the LAPIC's register page */
enum {
    X86_LAPIC_ID = 0x20,
    X86_LAPIC_VERSION = 0x30,
    X86_LAPIC_TPR = 0x80,
    X86_LAPIC_DFR = 0xe0,
    X86_LAPIC_SVR = 0xf0,
    X86_LAPIC_ISR = 0x100,
    X86_LAPIC_LVT_CMCI = 0x2f0,
    X86_LAPIC_LVT_TIMER = 0x320,
    X86_LAPIC_LVT_LINT0 = 0x350,
    X86_LAPIC_LVT_ERROR = 0x370,
    X86_LAPIC_TIMER_INITIAL = 0x380,
    X86_LAPIC_TIMER_CURRENT = 0x390,
    X86_LAPIC_TIMER_DIVIDE = 0x3e0,
};

/* The LAPIC timer counts this often a second, before its divider, on every engine. */
#define X86_LAPIC_TIMER_HZ UINT64_C(1000000000)

enum { X86_VECTOR_DB = 1, X86_VECTOR_NMI = 2, X86_VECTOR_DF = 8, X86_VECTOR_PF = 14 };
