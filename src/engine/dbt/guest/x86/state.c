/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X86State to and from X86Cpu, and the life of a vCPU.
 *
 * Threads: while the vCPU stands still, or on its own thread.
 */
#include "common/error.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/x87.h"
#include "engine/x86/x86.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void get_x87(const X86Cpu *cpu, X86State *state)
{
    for (unsigned i = 0; i < 8; i++) {
        const X87Reg *reg = &cpu->st[(cpu->top + i) & 7];
        memset(state->st[i], 0, sizeof(state->st[i]));
        store_le64(state->st[i], reg->mantissa);
        store_le16(state->st[i] + 8, reg->sign_exponent);
    }
    state->fcw = cpu->fcw;
    state->fsw = x87_status(cpu);
    state->ftw = cpu->tags;
    state->fop = cpu->fop;
    state->fip = cpu->fip;
    state->fdp = cpu->fdp;
    state->mxcsr = cpu->mxcsr;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(state->vector[i], &cpu->vector[i], sizeof(state->vector[i]));
    }
}

/* An event that waits: what a state brought, or the trap of the last instruction. */
static void get_events(const X86Cpu *cpu, X86State *state)
{
    if (cpu->injected.valid) {
        *(cpu->injected_interrupt ? &state->interrupt : &state->exception) = cpu->injected;
    } else if (cpu->debug_pending) {
        state->exception = (X86Event){
            .valid = true, .vector = EXC_DB, .has_payload = true, .payload = cpu->debug_pending
        };
    }
    state->shadow_sti = cpu->shadow_sti;
    state->shadow_mov_ss = cpu->shadow_mov_ss;
    state->nmi_pending = __atomic_load_n(&cpu->nmi_pending, __ATOMIC_ACQUIRE);
    state->nmi_blocked = cpu->nmi_blocked;
    state->activity = cpu->wait_for_sipi ? X86_WAIT_FOR_SIPI
                      : cpu->base.halted ? X86_HALTED
                                         : X86_RUNNING;
    state->init_pending = __atomic_load_n(&cpu->init_pending, __ATOMIC_ACQUIRE);
    state->sipi_pending = __atomic_load_n(&cpu->sipi_pending, __ATOMIC_ACQUIRE);
    state->sipi_vector = cpu->sipi_vector;
}

void x86_get_state(DbtCpu *base, X86State *ret_state)
{
    X86Cpu *cpu = x86_cpu(base);
    X86State *state = ret_state;

    memset(state, 0, sizeof(*state));
    memcpy(state->gpr, cpu->gpr, sizeof(state->gpr));
    state->rip = x86_rip(cpu);
    state->rflags = x86_get_rflags(cpu);
    memcpy(state->segment, cpu->segment, sizeof(state->segment));
    state->ldtr = cpu->ldtr;
    state->tr = cpu->tr;
    state->gdtr = cpu->gdtr;
    state->idtr = cpu->idtr;
    state->cr0 = cpu->cr0;
    state->cr2 = cpu->cr2;
    state->cr3 = cpu->cr3;
    state->cr4 = cpu->cr4;
    state->cr8 = lapic_tpr(cpu->lapic) >> 4;
    state->xcr0 = cpu->xcr0;
    memcpy(state->dr, cpu->dr, sizeof(state->dr));
    state->dr6 = cpu->dr6;
    state->dr7 = cpu->dr7;
    memcpy(state->pdptr, cpu->pdptr, sizeof(state->pdptr));
    get_x87(cpu, state);
    state->msr = cpu->msr;
    state->msr.tsc = x86_tsc(cpu);
    lapic_get(cpu->lapic, &state->lapic, &state->msr.tsc_deadline);
    get_events(cpu, state);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What of a state this CPU model doesn't have; NULL: nothing. */
static const char *unsupported(const X86Cpu *cpu, const X86State *state)
{
    uint64_t xcr0 = cpu->model->has[X86_FEATURE_AVX] ? 7 : 3;

    if (state->cr4 & ~x86_cr4_valid(cpu)) {
        return "CR4";
    }
    if (state->xcr0 & ~xcr0) {
        return "XCR0";
    }
    if (state->cr3 & ~bits_mask(X86_PHYS_BITS)) {
        return "CR3";
    }
    if (state->msr.spec_ctrl) {
        return "SPEC_CTRL";
    }
    return NULL;
}

static void set_x87(X86Cpu *cpu, const X86State *state)
{
    x87_set_control(cpu, state->fcw);
    x87_set_status(cpu, state->fsw);
    cpu->tags = state->ftw;
    cpu->fop = state->fop;
    cpu->fip = state->fip;
    cpu->fdp = state->fdp;
    for (unsigned i = 0; i < 8; i++) {
        X87Reg *reg = &cpu->st[(cpu->top + i) & 7];
        reg->mantissa = load_le64(state->st[i]);
        reg->sign_exponent = load_le16(state->st[i] + 8);
    }
    cpu->mxcsr = state->mxcsr;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(&cpu->vector[i], state->vector[i], sizeof(state->vector[i]));
    }
}

static void set_events(X86Cpu *cpu, const X86State *state)
{
    cpu->injected_interrupt = !state->exception.valid && state->interrupt.valid;
    cpu->injected = cpu->injected_interrupt ? state->interrupt : state->exception;
    cpu->debug_pending = 0;
    cpu->repeating = false;
    cpu->shadow_sti = state->shadow_sti;
    cpu->shadow_mov_ss = state->shadow_mov_ss;
    __atomic_store_n(&cpu->nmi_pending, state->nmi_pending, __ATOMIC_RELEASE);
    cpu->nmi_blocked = state->nmi_blocked;
    cpu->wait_for_sipi = state->activity == X86_WAIT_FOR_SIPI;
    cpu->base.halted = state->activity != X86_RUNNING;
    if (state->init_pending) {
        __atomic_store_n(&cpu->init_pending, 1, __ATOMIC_RELEASE);
    }
    if (state->sipi_pending) {
        __atomic_store_n(&cpu->sipi_vector, state->sipi_vector, __ATOMIC_RELAXED);
        __atomic_store_n(&cpu->sipi_pending, 1, __ATOMIC_RELEASE);
    }
}

static void set_ring(X86Cpu *cpu)
{
    if (x86_v8086(cpu)) {
        cpu->cpl = 3;
    } else {
        cpu->cpl = cpu->cr0 & CR0_PE ? (uint8_t)segment_dpl(&cpu->segment[X86_SS]) : 0;
    }
}

static void set_registers(X86Cpu *cpu, const X86State *state)
{
    memcpy(cpu->gpr, state->gpr, sizeof(cpu->gpr));
    x86_set_rflags(cpu, state->rflags, UINT64_MAX);
    memcpy(cpu->segment, state->segment, sizeof(cpu->segment));
    cpu->ldtr = state->ldtr;
    cpu->tr = state->tr;
    cpu->gdtr = state->gdtr;
    cpu->idtr = state->idtr;
    cpu->cr0 = state->cr0 | CR0_ET;
    cpu->cr2 = state->cr2;
    cpu->cr3 = state->cr3;
    cpu->cr4 = state->cr4;
    cpu->xcr0 = state->xcr0;
    memcpy(cpu->dr, state->dr, sizeof(cpu->dr));
    cpu->dr6 = (state->dr6 & 0xe00f) | DR6_FIXED;
    cpu->dr7 = (state->dr7 & DR7_WRITABLE) | DR7_FIXED;
    memcpy(cpu->pdptr, state->pdptr, sizeof(cpu->pdptr));
    cpu->msr = state->msr;
}

bool x86_set_state(DbtCpu *base, const X86State *state, GError **error)
{
    X86Cpu *cpu = x86_cpu(base);

    if (!x86_state_check(state, error)) {
        return false;
    }
    const char *what = unsupported(cpu, state);
    if (what) {
        set_error(error, "CPU model '%s' can't be in this state: %s", cpu->model->name, what);
        return false;
    }
    set_registers(cpu, state);
    set_ring(cpu);
    base->pc = x86_code64(cpu) ? state->rip : (uint32_t)(cpu->segment[X86_CS].base + state->rip);
    set_x87(cpu, state);
    lapic_set(cpu->lapic, &state->lapic, state->msr.tsc_deadline);
    lapic_set_tpr(cpu->lapic, (uint8_t)(state->cr8 << 4 | (lapic_tpr(cpu->lapic) & 0xf)));
    x86_restore_tsc(cpu, state->msr.tsc);
    set_events(cpu, state);
    x86_debug_changed(base);
    mmu_flush(base);
    x86_select_space(cpu, true);
    x86_context_changed(cpu);
    __atomic_or_fetch(&base->attention, ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
    return true;
}

/* --- life ------------------------------------------------------------------------------------- */

void x86_vcpu_init(DbtCpu *base, const X86CpuModel *model)
{
    X86Cpu *cpu = x86_cpu(base);

    cpu->model = model;
    cpu->lapic = lapic_new(cpu);
    x86_reset(cpu, false);
}

void x86_vcpu_free(DbtCpu *base)
{
    X86Cpu *cpu = x86_cpu(base);

    lapic_free(cpu->lapic);
    cpu->lapic = NULL;
}
