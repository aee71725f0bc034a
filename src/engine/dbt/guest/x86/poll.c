/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between two instructions: what waits is taken in the order of SDM table 6-2.  INIT and SIPI
 * first, then the traps of the last instruction, NMI, and interrupts.
 *
 * poll is called when attention is set, and looks once.  What it may not take yet stays pending,
 * and whoever removes the obstacle (STI's shadow ends, IRET, POPF, TPR) calls x86_recheck().
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/x86/x86.h"

static bool init_or_sipi(const X86Cpu *cpu)
{
    return __atomic_load_n(&cpu->init_pending, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&cpu->sipi_pending, __ATOMIC_ACQUIRE);
}

static bool nmi_waits(const X86Cpu *cpu)
{
    return __atomic_load_n(&cpu->nmi_pending, __ATOMIC_ACQUIRE) && !cpu->nmi_blocked;
}

void x86_recheck(X86Cpu *cpu)
{
    bool interrupt = (cpu->eflags & FLAG_IF) && lapic_waiting(cpu->lapic);

    if (interrupt || cpu->debug_pending || nmi_waits(cpu)) {
        __atomic_or_fetch(&cpu->base.attention, ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
    }
}

void x86_reset(X86Cpu *cpu, bool init)
{
    uint32_t signature = x86_model_signature(cpu->model);
    g_autofree X86State *state = g_new0(X86State, 1);

    if (init) {
        x86_get_state(&cpu->base, state);
        state->init_pending = true;
        x86_state_settle(state, signature);
    } else {
        x86_state_reset(state, cpu->base.index, signature);
        cpu->tsc_offset = 0;
        state->msr.tsc = x86_tsc(cpu);
    }
    x86_set_state(&cpu->base, state, NULL);
}

/* INIT, then SIPI, as far as they are pending. */
static void settle(X86Cpu *cpu)
{
    g_autofree X86State *state = g_new0(X86State, 1);

    x86_get_state(&cpu->base, state);
    state->init_pending = __atomic_exchange_n(&cpu->init_pending, 0, __ATOMIC_ACQ_REL);
    state->sipi_pending = __atomic_exchange_n(&cpu->sipi_pending, 0, __ATOMIC_ACQ_REL);
    state->sipi_vector = __atomic_load_n(&cpu->sipi_vector, __ATOMIC_RELAXED);
    if (log_on(cpu->base.log, LOG_CPU)) {
        log_line(cpu->base.log, LOG_CPU, "cpu %u%s%s, vector %02x", cpu->base.index,
                 state->init_pending ? " INIT" : "", state->sipi_pending ? " SIPI" : "",
                 state->sipi_vector);
    }
    x86_state_settle(state, x86_model_signature(cpu->model));
    x86_set_state(&cpu->base, state, NULL);
}

/* Deliver @event now; a fault on the way is delivered in its place. */
static void take(X86Cpu *cpu, const X86Exception *event)
{
    cpu->base.halted = false;
    if (!x86_deliver_event(cpu, event, x86_rip(cpu))) {
        x86_deliver(&cpu->base);
    }
}

/* An event that a restored state brought along. */
static void take_injected(X86Cpu *cpu)
{
    const X86Event *from = &cpu->injected;
    X86Exception event = {
        .vector = from->vector,
        .has_error = from->has_error,
        .error_code = from->error_code,
        .soft = from->soft,
        .external = cpu->injected_interrupt && !from->soft,
    };
    uint64_t rip = x86_rip(cpu) + (from->soft ? from->length : 0);

    if (from->has_payload && from->vector == EXC_PF) {
        cpu->cr2 = from->payload;
    }
    if (from->has_payload && from->vector == EXC_DB) {
        event.dr6 = from->payload;
    }
    cpu->injected.valid = false;
    cpu->base.halted = false;
    if (!x86_deliver_event(cpu, &event, rip)) {
        x86_deliver(&cpu->base);
    }
}

static void take_trap(X86Cpu *cpu)
{
    X86Exception event = { .vector = EXC_DB, .dr6 = cpu->debug_pending };

    cpu->debug_pending = 0;
    take(cpu, &event);
}

static void take_nmi(X86Cpu *cpu)
{
    const X86Exception event = { .vector = EXC_NMI, .external = true };

    __atomic_store_n(&cpu->nmi_pending, false, __ATOMIC_RELEASE);
    cpu->nmi_blocked = true;
    take(cpu, &event);
}

static void take_interrupt(X86Cpu *cpu)
{
    int vector = lapic_ack(cpu->lapic);

    if (vector >= 0) {
        const X86Exception event = { .vector = (uint8_t)vector, .external = true };
        take(cpu, &event);
    }
}

void x86_poll(DbtCpu *base)
{
    X86Cpu *cpu = x86_cpu(base);

    if (init_or_sipi(cpu)) {
        settle(cpu);
    }
    if (cpu->wait_for_sipi || base->shutdown) {
        return;
    }
    if (cpu->injected.valid) {
        take_injected(cpu);
    } else if (cpu->shadow_mov_ss) {
        cpu->debug_pending &= ~(uint64_t)DR6_BS; /* no single step behind MOV SS */
    } else if (cpu->debug_pending) {
        take_trap(cpu);
    } else if (nmi_waits(cpu)) {
        take_nmi(cpu);
    } else if ((cpu->eflags & FLAG_IF) && !cpu->shadow_sti && lapic_waiting(cpu->lapic)) {
        take_interrupt(cpu);
    } else {
        return;
    }
    if (!cpu->shadow_mov_ss && !cpu->shadow_sti) {
        x86_recheck(cpu); /* the handler itself may be interrupted at once */
    }
}
