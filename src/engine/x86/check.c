/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a vCPU can be in a given state (SDM 3, 27.3.1 "Checks on the Guest State Area", less
 * what only concerns VMX), see x86.h.  A saved state is hostile: this stands before every use.
 *
 * Threads: no state.
 */
#include "common/bits.h"
#include "common/error.h"
#include "engine/x86/registers.h"
#include "engine/x86/x86.h"

/* A rule: what it is about, and whether the state keeps it. */
typedef struct Rule {
    const char *what;
    bool (*holds)(const X86State *state);
} Rule;

static bool canonical(uint64_t gva)
{
    /* 57 bits: 5-level paging may be on; the engine's own check is as strict as its model */
    return (uint64_t)sign_extend(gva, 57) == gva;
}

static bool long_mode(const X86State *state)
{
    return state->msr.efer & X86_EFER_LMA;
}

static bool cr0_holds(const X86State *state)
{
    if (state->cr0 >> 32) {
        return false;
    }
    if ((state->cr0 & X86_CR0_PG) && !(state->cr0 & X86_CR0_PE)) {
        return false;
    }
    return (state->cr0 & X86_CR0_CD) || !(state->cr0 & X86_CR0_NW);
}

static bool cr3_holds(const X86State *state)
{
    return state->cr3 >> 52 == 0;
}

static bool cr4_holds(const X86State *state)
{
    return state->cr4 >> 33 == 0 && (!(state->cr4 & X86_CR4_PCIDE) || long_mode(state));
}

static bool cr8_holds(const X86State *state)
{
    return state->cr8 <= 15;
}

static bool efer_holds(const X86State *state)
{
    uint64_t efer = state->msr.efer;
    bool active = (efer & X86_EFER_LME) && (state->cr0 & X86_CR0_PG);

    if (efer >> 22) {
        return false;
    }
    return active == !!(efer & X86_EFER_LMA) && (!active || (state->cr4 & X86_CR4_PAE));
}

static bool rflags_holds(const X86State *state)
{
    const uint64_t reserved = ~UINT64_C(0x3f7fd7) | 0x28;

    if ((state->rflags & reserved) || !(state->rflags & X86_RFLAGS_FIXED)) {
        return false;
    }
    return !(state->rflags & X86_RFLAGS_VM) || (!long_mode(state) && (state->cr0 & X86_CR0_PE));
}

static bool rip_holds(const X86State *state)
{
    if (long_mode(state) && (state->segment[X86_CS].attributes & X86_SEG_L)) {
        return canonical(state->rip);
    }
    return state->rip >> 32 == 0;
}

static bool cs_holds(const X86State *state)
{
    const uint16_t both = X86_SEG_L | X86_SEG_DB;
    uint16_t attributes = state->segment[X86_CS].attributes;

    return !long_mode(state) || (attributes & both) != both;
}

/* A usable segment of protected mode has its base in 32 bits, but for FS and GS. */
static bool segments_hold(const X86State *state)
{
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        const X86Segment *segment = &state->segment[i];
        bool wide = i == X86_FS || i == X86_GS;
        if (segment->attributes & ~X86_SEG_ALL) {
            return false;
        }
        if (wide ? !canonical(segment->base)
                 : (segment->attributes & X86_SEG_P) && segment->base >> 32) {
            return false;
        }
    }
    return true;
}

static bool tables_hold(const X86State *state)
{
    return canonical(state->gdtr.base) && canonical(state->idtr.base) &&
           canonical(state->tr.base) && canonical(state->ldtr.base) &&
           !(state->tr.attributes & (~X86_SEG_ALL | X86_SEG_S)) &&
           !(state->ldtr.attributes & (~X86_SEG_ALL | X86_SEG_S));
}

static bool debug_holds(const X86State *state)
{
    return state->dr6 >> 32 == 0 && state->dr7 >> 32 == 0;
}

static bool xcr0_holds(const X86State *state)
{
    bool sse = state->xcr0 & 2, avx = state->xcr0 & 4;

    return (state->xcr0 & 1) && (state->xcr0 & ~UINT64_C(7)) == 0 && (sse || !avx);
}

static bool mxcsr_holds(const X86State *state)
{
    return state->mxcsr >> 16 == 0;
}

/* Each byte of PAT is a memory type: 0, 1, 4 to 7. */
static bool pat_holds(const X86State *state)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = bits_get(state->msr.pat, i, 8);
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

static bool addresses_hold(const X86State *state)
{
    const X86Msrs *msr = &state->msr;

    return canonical(msr->lstar) && canonical(msr->cstar) && canonical(msr->kernel_gs_base) &&
           canonical(msr->sysenter_esp) && canonical(msr->sysenter_eip);
}

static bool apic_base_holds(const X86State *state)
{
    uint64_t base = state->msr.apic_base;

    if (base >> 52 || (base & 0x2ff)) {
        return false;
    }
    return !(base & X86_APIC_EXTD) || (base & X86_APIC_ENABLE);
}

/* The CPU reads PDPTRs only with PAE paging outside long mode. */
static bool pdptrs_hold(const X86State *state)
{
    if (!(state->cr0 & X86_CR0_PG) || !(state->cr4 & X86_CR4_PAE) || long_mode(state)) {
        return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        uint64_t entry = state->pdptr[i];
        if ((entry & 1) && ((entry & 0x1e6) || entry >> 52)) {
            return false;
        }
    }
    return true;
}

static bool error_code_fits(const X86Event *event)
{
    const uint32_t with_error = 1U << 8 | 1U << 10 | 1U << 11 | 1U << 12 | 1U << 13 | 1U << 14 |
                                1U << 17 | 1U << 21 | 1U << 29 | 1U << 30;

    return !event->has_error || bit_test(with_error, event->vector);
}

static bool exception_holds(const X86State *state)
{
    const X86Event *event = &state->exception;

    if (!event->valid) {
        return true;
    }
    if (event->vector > 31 || event->vector == X86_VECTOR_NMI || !error_code_fits(event)) {
        return false;
    }
    if (event->has_payload && event->vector != X86_VECTOR_PF && event->vector != X86_VECTOR_DB) {
        return false;
    }
    return !event->soft || (event->length >= 1 && event->length <= 15);
}

static bool interrupt_holds(const X86State *state)
{
    const X86Event *event = &state->interrupt;

    return !event->valid || (!event->has_error && !event->has_payload &&
                             (!event->soft || (event->length >= 1 && event->length <= 15)));
}

static bool shadows_hold(const X86State *state)
{
    if (state->shadow_sti && state->shadow_mov_ss) {
        return false;
    }
    return !state->shadow_sti || (state->rflags & X86_RFLAGS_IF);
}

static bool activity_holds(const X86State *state)
{
    if ((unsigned)state->activity > X86_WAIT_FOR_SIPI) {
        return false;
    }
    if (state->activity == X86_HALTED) {
        return !state->shadow_sti && !state->shadow_mov_ss;
    }
    return state->activity == X86_RUNNING || !(state->msr.apic_base & X86_APIC_BSP);
}

static const Rule rules[] = {
    { "CR0", cr0_holds },
    { "CR3", cr3_holds },
    { "CR4", cr4_holds },
    { "CR8", cr8_holds },
    { "EFER", efer_holds },
    { "RFLAGS", rflags_holds },
    { "RIP", rip_holds },
    { "CS", cs_holds },
    { "a segment register", segments_hold },
    { "GDTR, IDTR, TR or LDTR", tables_hold },
    { "DR6 or DR7", debug_holds },
    { "XCR0", xcr0_holds },
    { "MXCSR", mxcsr_holds },
    { "PAT", pat_holds },
    { "an MSR with an address", addresses_hold },
    { "APIC_BASE", apic_base_holds },
    { "a PDPTR", pdptrs_hold },
    { "the pending exception", exception_holds },
    { "the pending interrupt", interrupt_holds },
    { "the interrupt shadow", shadows_hold },
    { "the activity state", activity_holds },
};

bool x86_state_check(const X86State *state, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (!rules[i].holds(state)) {
            set_error(error, "no CPU can be in this state: %s", rules[i].what);
            return false;
        }
    }
    return true;
}
