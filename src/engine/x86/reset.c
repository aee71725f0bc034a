/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a vCPU's state looks after power-on, INIT and SIPI (SDM 3, table 10-1 and 9.4), see x86.h.
 *
 * Threads: no state.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/x86/registers.h"
#include "engine/x86/x86.h"

enum {
    TYPE_DATA = 0x93,   /* present, writable, accessed */
    TYPE_CODE = 0x9b,   /* present, readable, accessed */
    TYPE_LDT = 0x82,    /* present */
    TYPE_TSS_32 = 0x8b, /* present, busy */
};

#define LVT_MASKED   0x10000
#define LVT_EXTINT   0x700
#define LAPIC_6_LVTS 0x50014 /* version 14h, 6 LVT entries */
#define PAT_DEFAULT  UINT64_C(0x0007040600070406)
#define MISC_ENABLE  UINT64_C(1) /* fast strings */

/* The LAPIC's page after reset or INIT; both leave its ID alone. */
static void reset_lapic(X86Lapic *lapic, unsigned index)
{
    uint32_t id = load_le32(lapic->regs + X86_LAPIC_ID);

    memset(lapic, 0, sizeof(*lapic));
    store_le32(lapic->regs + X86_LAPIC_ID, id);
    store_le32(lapic->regs + X86_LAPIC_VERSION, LAPIC_6_LVTS);
    store_le32(lapic->regs + X86_LAPIC_DFR, UINT32_MAX);
    store_le32(lapic->regs + X86_LAPIC_SVR, 0xff);
    for (unsigned lvt = X86_LAPIC_LVT_TIMER; lvt <= X86_LAPIC_LVT_ERROR; lvt += 0x10) {
        store_le32(lapic->regs + lvt, LVT_MASKED);
    }
    if (index == 0) {
        store_le32(lapic->regs + X86_LAPIC_LVT_LINT0, LVT_EXTINT);
    }
}

/* What power-on and INIT both set. */
static void reset_common(X86State *state, uint32_t signature)
{
    const X86Segment data = { .limit = 0xffff, .attributes = TYPE_DATA };

    memset(state->gpr, 0, sizeof(state->gpr));
    state->gpr[X86_RDX] = signature;
    state->rip = 0xfff0;
    state->rflags = X86_RFLAGS_FIXED;
    for (unsigned i = 0; i < X86_SEGMENTS; i++) {
        state->segment[i] = data;
    }
    state->segment[X86_CS] = (X86Segment){
        .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .attributes = TYPE_CODE
    };
    state->ldtr = (X86Segment){ .limit = 0xffff, .attributes = TYPE_LDT };
    state->tr = (X86Segment){ .limit = 0xffff, .attributes = TYPE_TSS_32 };
    state->gdtr = state->idtr = (X86Table){ .limit = 0xffff };
    state->cr2 = state->cr3 = state->cr4 = state->cr8 = 0;
    memset(state->dr, 0, sizeof(state->dr));
    memset(state->pdptr, 0, sizeof(state->pdptr));
    state->dr6 = 0xffff0ff0;
    state->dr7 = 0x400;
    state->msr.efer = 0;
    state->exception = state->interrupt = (X86Event){ 0 };
    state->shadow_sti = state->shadow_mov_ss = false;
    state->nmi_pending = state->nmi_blocked = false;
    state->init_pending = state->sipi_pending = false;
}

void x86_state_reset(X86State *state, unsigned index, uint32_t signature)
{
    memset(state, 0, sizeof(*state));
    reset_common(state, signature);
    state->cr0 = X86_CR0_CD | X86_CR0_NW | X86_CR0_ET;
    state->xcr0 = 1;
    state->fcw = 0x40;
    state->ftw = 0xff; /* tag word 5555h: all "zero" */
    state->mxcsr = 0x1f80;
    state->msr.apic_base =
        X86_APIC_BASE_DEFAULT | X86_APIC_ENABLE | (index == 0 ? X86_APIC_BSP : 0);
    state->msr.pat = PAT_DEFAULT;
    state->msr.misc_enable = MISC_ENABLE;
    store_le32(state->lapic.regs + X86_LAPIC_ID, (uint32_t)index << 24);
    reset_lapic(&state->lapic, index);
    state->activity = index == 0 ? X86_RUNNING : X86_WAIT_FOR_SIPI;
}

/* INIT: like reset, but x87, vectors, MSRs and the cache bits of CR0 stay. */
static void take_init(X86State *state, uint32_t signature)
{
    bool bsp = state->msr.apic_base & X86_APIC_BSP;

    reset_common(state, signature);
    state->cr0 = (state->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET;
    reset_lapic(&state->lapic, bsp ? 0 : 1);
    state->activity = bsp ? X86_RUNNING : X86_WAIT_FOR_SIPI;
}

void x86_state_settle(X86State *state, uint32_t signature)
{
    bool sipi = state->sipi_pending;

    if (state->init_pending) {
        take_init(state, signature);
    }
    if (sipi && state->activity == X86_WAIT_FOR_SIPI) {
        state->segment[X86_CS].selector = (uint16_t)(state->sipi_vector << 8);
        state->segment[X86_CS].base = (uint64_t)state->sipi_vector << 12;
        state->rip = 0;
        state->activity = X86_RUNNING;
    }
    state->sipi_pending = false;
}
