/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lapic.c, lapic_timer.c and lapic_send.c share; outside them only lapic.h counts.
 *
 * Threads: fields say which lock.
 */
#pragma once

#include "common/bits.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"

/* Registers by number: offset in the page / 16 = x2APIC MSR - 800h. */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT_TIMER = 0x32,
    REG_LVT_THERMAL = 0x33,
    REG_LVT_COUNTER = 0x34,
    REG_LVT_LINT0 = 0x35,
    REG_LVT_LINT1 = 0x36,
    REG_LVT_ERROR = 0x37,
    REG_TIMER_INITIAL = 0x38,
    REG_TIMER_CURRENT = 0x39,
    REG_TIMER_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
    REGISTERS = 0x40,
};

enum {
    SVR_ENABLE = 1 << 8,
    LVT_MASKED = 1 << 16,
    ICR_BUSY = 1 << 12, /* delivery status: never seen set */
    ESR_SEND_VECTOR = 1 << 5,
    ESR_RECEIVED_VECTOR = 1 << 6,
    ESR_REGISTER = 1 << 7,
    LAPIC_VERSION = 0x50014, /* version 14h, 6 LVT entries */
};

#define APIC_BASE_BSP     UINT64_C(0x100)
#define APIC_BASE_X2APIC  UINT64_C(0x400)
#define APIC_BASE_ENABLE  UINT64_C(0x800)
#define APIC_BASE_ADDRESS (bits_mask(X86_PHYS_BITS) & ~UINT64_C(0xfff))

struct X86Lapic_ {
    X86Cpu *cpu;   /* fixed after create */
    Timer *timer;  /* fixed after create */
    uint64_t base; /* atomic: APIC_BASE */
    bool waiting;  /* atomic: something can be delivered */
    /* lock: mutex */
    GMutex mutex;
    uint32_t reg[REGISTERS]; /* TPR is read without it by the vCPU, its only writer */
    uint32_t errors;         /* since ESR was last written */
    bool extint;             /* level of LINT0 */
    uint64_t deadline_ns;    /* when the timer fires, or TIMER_NEVER */
    uint64_t tsc_deadline;   /* MSR 6E0h; 0: not armed */
};

static inline bool lapic_x2apic(const Lapic *lapic)
{
    return __atomic_load_n(&lapic->base, __ATOMIC_ACQUIRE) & APIC_BASE_X2APIC;
}

/* lapic.c */
bool lapic_enabled(const Lapic *lapic);
/* As lapic_interrupt(), with the mutex held. */
void lapic_raise_locked(Lapic *lapic, uint8_t vector, bool level);
void lapic_report_error(Lapic *lapic, uint32_t esr_bit);

/* lapic_timer.c */
void lapic_on_timer(void *opaque);
void lapic_timer_mode(Lapic *lapic, uint32_t lvt);
void lapic_timer_start(Lapic *lapic, uint32_t count);
void lapic_timer_divide(Lapic *lapic, uint32_t divide);
uint32_t lapic_timer_current(Lapic *lapic);
/* True if it counts down, false if it waits for a TSC. */
bool lapic_timer_counts(const Lapic *lapic);
void lapic_timer_stop_locked(Lapic *lapic);
void lapic_timer_restore_locked(Lapic *lapic, uint64_t deadline_ns, uint64_t tsc_deadline);

/* lapic_send.c */
void lapic_send_ipi(Lapic *lapic, uint32_t low, uint32_t high);
