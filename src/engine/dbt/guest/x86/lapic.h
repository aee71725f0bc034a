/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC of one vCPU: xAPIC page and x2APIC MSRs, timer, IPIs (SDM volume 3, chapter 11).
 *
 * Its registers are kept in the saved form, X86Lapic.regs, under one mutex; whether an interrupt
 * can be delivered is kept beside them as an atomic byte, so that the vCPU looks without locking.
 * Whoever makes an interrupt pending sets the vCPU's attention afterwards.
 *
 * The timer's function runs on the clock's thread.
 *
 * Lock order: device locks -> lapic -> clock.  At most one LAPIC is locked at a time.
 *
 * Threads: lapic_ack, lapic_set_tpr and registers: the vCPU's own; lapic_interrupt, lapic_send:
 * any; get and set: while the vCPU stands still.
 */
#pragma once

#include "engine/dbt/guest/x86/x86.h"

typedef struct X86Lapic_ Lapic;

Lapic *lapic_new(X86Cpu *cpu);
void lapic_free(Lapic *lapic);

/* An interrupt message (SDM 11.6, 11.11). */
typedef enum LapicMode {
    LAPIC_FIXED,
    LAPIC_LOWEST,
    LAPIC_SMI,
    LAPIC_NMI = 4,
    LAPIC_INIT,
    LAPIC_SIPI,
    LAPIC_EXTINT,
} LapicMode;

typedef struct LapicMessage {
    uint32_t destination;
    bool logical;
    bool wide; /* destination has 32 bits: from an x2APIC; else 8, and FFh is all */
    bool level;
    uint8_t mode; /* LapicMode */
    uint8_t vector;
} LapicMessage;

/* Deliver @message to the vCPUs that it names. */
void lapic_send(DbtVm *vm, const LapicMessage *message);
/* Make @vector pending. */
void lapic_interrupt(Lapic *lapic, uint8_t vector, bool level);
/* The 8259s' INTR, on LINT0. */
void lapic_set_extint(Lapic *lapic, bool raised);

/* Whether an interrupt waits that TPR and ISR let through. */
bool lapic_waiting(Lapic *lapic);
/* Accept the highest one: its vector, or -1 for none (a spurious call). */
int lapic_ack(Lapic *lapic);

uint8_t lapic_tpr(Lapic *lapic);
void lapic_set_tpr(Lapic *lapic, uint8_t tpr);

/* APIC_BASE; false: #GP. */
bool lapic_write_base(Lapic *lapic, uint64_t value);
/* An x2APIC register; false: #GP. */
bool lapic_read_msr(Lapic *lapic, uint32_t index, uint64_t *ret_value);
bool lapic_write_msr(Lapic *lapic, uint32_t index, uint64_t value);
/* TSC_DEADLINE. */
uint64_t lapic_tsc_deadline(Lapic *lapic);
void lapic_set_tsc_deadline(Lapic *lapic, uint64_t tsc);
/* The TSC's offset moved: set the timer anew. */
void lapic_tsc_moved(Lapic *lapic);

/* Saved form.  @tsc_deadline is MSR 6E0h. */
void lapic_get(Lapic *lapic, X86Lapic *ret_state, uint64_t *ret_tsc_deadline);
void lapic_set(Lapic *lapic, const X86Lapic *state, uint64_t tsc_deadline);
