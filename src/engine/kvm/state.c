/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole state of a vCPU between X86State and KVM.
 *
 * A list of parts, each with a function to get it and one to set it; set goes through the list in
 * order, because the kernel reads some parts in the light of others (the LAPIC after APIC_BASE,
 * the TSC deadline after TSC and LAPIC, events last: setting registers drops them).
 *
 * Software events (INT n, INT3, INTO) that were interrupted on their way are not saved: rip still
 * stands at the instruction, which simply runs again.
 *
 * Threads: the vCPU's own, or while it stands still.
 */
#include <errno.h>
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"
#include "engine/x86/registers.h"
#include "engine/x86/x86.h"

enum { MSR_TSC_ADJUST = 0x3b, MSR_TSC_DEADLINE = 0x6e0 };

enum { LVT_TIMER_DEADLINE = 2, LVT_TIMER_MODE_SHIFT = 17 };

/* A part of the state; get and set return 0 or -errno. */
typedef struct Part {
    const char *name;
    int (*get)(EngineVcpu *vcpu, X86State *state);
    int (*set)(EngineVcpu *vcpu, const X86State *state);
} Part;

/* ---- general registers ---- */

/* Where X86State.gpr[i] stands in struct kvm_regs. */
static const size_t gpr_offset[16] = {
    offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx),
    offsetof(struct kvm_regs, rbx), offsetof(struct kvm_regs, rsp), offsetof(struct kvm_regs, rbp),
    offsetof(struct kvm_regs, rsi), offsetof(struct kvm_regs, rdi), offsetof(struct kvm_regs, r8),
    offsetof(struct kvm_regs, r9),  offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
    offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13), offsetof(struct kvm_regs, r14),
    offsetof(struct kvm_regs, r15),
};

static int get_registers(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_regs regs;
    int result = kvm_ioctl(vcpu->fd, KVM_GET_REGS, &regs);

    for (unsigned i = 0; i < 16 && result >= 0; i++) {
        memcpy(&state->gpr[i], (char *)&regs + gpr_offset[i], sizeof(uint64_t));
    }
    state->rip = regs.rip;
    state->rflags = regs.rflags;
    return result;
}

/* Faults push RFLAGS with RF set; the kernel sees to that only before it has injected them. */
static bool pushes_rf(const X86Event *exception)
{
    const uint32_t traps_aborts = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 8 | 1U << 18;

    return exception->valid && !exception->has_payload && !exception->soft &&
           !bit_test(traps_aborts, exception->vector);
}

static int set_registers(EngineVcpu *vcpu, const X86State *state)
{
    struct kvm_regs regs = { .rip = state->rip, .rflags = state->rflags };

    for (unsigned i = 0; i < 16; i++) {
        memcpy((char *)&regs + gpr_offset[i], &state->gpr[i], sizeof(uint64_t));
    }
    if (pushes_rf(&state->exception)) {
        regs.rflags |= X86_RFLAGS_RF;
    }
    return kvm_ioctl(vcpu->fd, KVM_SET_REGS, &regs);
}

/* ---- segments, control registers ---- */

static X86Segment from_segment(const struct kvm_segment *from)
{
    bool present = from->present && !from->unusable;

    return (X86Segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .attributes = (uint16_t)(from->type | from->s << 4 | from->dpl << 5 | present << 7 |
                                 from->avl << 12 | from->l << 13 | from->db << 14 | from->g << 15),
    };
}

static struct kvm_segment to_segment(const X86Segment *from)
{
    uint16_t a = from->attributes;

    return (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .type = a & 0xf,
        .s = bit_test(a, 4),
        .dpl = (a >> X86_SEG_DPL_SHIFT) & 3,
        .present = bit_test(a, 7),
        .avl = bit_test(a, 12),
        .l = bit_test(a, 13),
        .db = bit_test(a, 14),
        .g = bit_test(a, 15),
        .unusable = !(a & X86_SEG_P),
    };
}

/* PAE paging outside long mode: the only one that has PDPTRs. */
static bool has_pdptrs(const X86State *state)
{
    return (state->cr0 & X86_CR0_PG) && (state->cr4 & X86_CR4_PAE) &&
           !(state->msr.efer & X86_EFER_LMA);
}

_Static_assert(offsetof(struct kvm_sregs2, flags) == offsetof(struct kvm_sregs, interrupt_bitmap),
               "both begin alike");

/* KVM_GET_SREGS2, made from KVM_GET_SREGS where the kernel has only that. */
static int read_special(EngineVcpu *vcpu, struct kvm_sregs2 *ret_special)
{
    struct kvm_sregs old;

    if (vcpu->vm->option[KVM_OPTION_SREGS2]) {
        return kvm_ioctl(vcpu->fd, KVM_GET_SREGS2, ret_special);
    }
    int result = kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &old);
    memset(ret_special, 0, sizeof(*ret_special));
    memcpy(ret_special, &old, offsetof(struct kvm_sregs2, flags));
    return result;
}

static int write_special(EngineVcpu *vcpu, struct kvm_sregs2 *special)
{
    struct kvm_sregs old = { 0 };

    if (vcpu->vm->option[KVM_OPTION_SREGS2]) {
        return kvm_ioctl(vcpu->fd, KVM_SET_SREGS2, special);
    }
    memcpy(&old, special, offsetof(struct kvm_sregs2, flags));
    return kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &old);
}

static int get_special(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_sregs2 special;
    int result = read_special(vcpu, &special);

    if (result < 0) {
        return result;
    }
    state->segment[X86_ES] = from_segment(&special.es);
    state->segment[X86_CS] = from_segment(&special.cs);
    state->segment[X86_SS] = from_segment(&special.ss);
    state->segment[X86_DS] = from_segment(&special.ds);
    state->segment[X86_FS] = from_segment(&special.fs);
    state->segment[X86_GS] = from_segment(&special.gs);
    state->ldtr = from_segment(&special.ldt);
    state->tr = from_segment(&special.tr);
    state->gdtr = (X86Table){ special.gdt.base, special.gdt.limit };
    state->idtr = (X86Table){ special.idt.base, special.idt.limit };
    state->cr0 = special.cr0;
    state->cr2 = special.cr2;
    state->cr3 = special.cr3;
    state->cr4 = special.cr4;
    state->cr8 = special.cr8;
    state->msr.efer = special.efer;
    state->msr.apic_base = special.apic_base;
    if (!has_pdptrs(state)) {
        memset(state->pdptr, 0, sizeof(state->pdptr));
    } else if (special.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) {
        memcpy(state->pdptr, special.pdptrs, sizeof(state->pdptr));
    } else {
        gm_read(vcpu->vm->config.memory, state->cr3 & 0xffffffe0, state->pdptr,
                sizeof(state->pdptr));
    }
    return 0;
}

static int set_special(EngineVcpu *vcpu, const X86State *state)
{
    struct kvm_sregs2 special = {
        .es = to_segment(&state->segment[X86_ES]),
        .cs = to_segment(&state->segment[X86_CS]),
        .ss = to_segment(&state->segment[X86_SS]),
        .ds = to_segment(&state->segment[X86_DS]),
        .fs = to_segment(&state->segment[X86_FS]),
        .gs = to_segment(&state->segment[X86_GS]),
        .ldt = to_segment(&state->ldtr),
        .tr = to_segment(&state->tr),
        .gdt = { .base = state->gdtr.base, .limit = state->gdtr.limit },
        .idt = { .base = state->idtr.base, .limit = state->idtr.limit },
        .cr0 = state->cr0,
        .cr2 = state->cr2,
        .cr3 = state->cr3,
        .cr4 = state->cr4,
        .cr8 = state->cr8,
        .efer = state->msr.efer,
        .apic_base = state->msr.apic_base,
    };

    if (has_pdptrs(state)) {
        special.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
        memcpy(special.pdptrs, state->pdptr, sizeof(state->pdptr));
    }
    return write_special(vcpu, &special);
}

static int get_debug_registers(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_debugregs regs;
    int result = kvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &regs);

    if (result >= 0) {
        for (unsigned i = 0; i < 4; i++) {
            state->dr[i] = regs.db[i];
        }
        state->dr6 = regs.dr6;
        state->dr7 = regs.dr7;
    }
    return result;
}

static int set_debug_registers(EngineVcpu *vcpu, const X86State *state)
{
    struct kvm_debugregs regs = {
        .db = { state->dr[0], state->dr[1], state->dr[2], state->dr[3] },
        .dr6 = state->dr6,
        .dr7 = state->dr7,
    };

    return kvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &regs);
}

/* ---- x87 and vectors: the XSAVE area (SDM 1, 13.4) ---- */

enum { XSAVE_SIZE = 4096, XSAVE_ST = 32, XSAVE_XMM = 160, XSAVE_BV = 512, XSAVE_YMM = 576 };

enum { XSAVE_X87 = 1, XSAVE_SSE = 2, XSAVE_AVX = 4 };

static int get_xcr0(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_xcrs xcrs = { 0 };
    int result = kvm_ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs);

    state->xcr0 = result >= 0 && xcrs.nr_xcrs ? xcrs.xcrs[0].value : 1;
    return 0;
}

static int set_xcr0(EngineVcpu *vcpu, const X86State *state)
{
    struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = state->xcr0 } } };

    if (!vcpu->vm->xcr0) {
        return state->xcr0 == 1 ? 0 : -EINVAL;
    }
    if (state->xcr0 & ~(uint64_t)vcpu->vm->xcr0) {
        return -EINVAL;
    }
    return kvm_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs);
}

/* A part whose bit in XSTATE_BV is clear is in its initial state, whatever stands in memory. */
static int get_vectors(EngineVcpu *vcpu, X86State *state)
{
    g_autofree uint8_t *area = g_malloc0(XSAVE_SIZE);
    int result = kvm_ioctl(vcpu->fd, KVM_GET_XSAVE, area);

    if (result < 0) {
        return result;
    }
    uint64_t present = load_le64(area + XSAVE_BV);
    state->mxcsr = load_le32(area + 24);
    if (!(present & XSAVE_X87)) {
        memset(area, 0, 24);
        memset(area + XSAVE_ST, 0, XSAVE_XMM - XSAVE_ST);
        store_le16(area, 0x37f);
    }
    if (!(present & XSAVE_SSE)) {
        memset(area + XSAVE_XMM, 0, sizeof(state->vector) / 2);
    }
    if (!(present & XSAVE_AVX)) {
        memset(area + XSAVE_YMM, 0, sizeof(state->vector) / 2);
    }
    state->fcw = load_le16(area);
    state->fsw = load_le16(area + 2);
    state->ftw = area[4];
    state->fop = load_le16(area + 6);
    state->fip = load_le64(area + 8);
    state->fdp = load_le64(area + 16);
    memset(state->st, 0, sizeof(state->st));
    for (unsigned i = 0; i < 8; i++) {
        memcpy(state->st[i], area + XSAVE_ST + i * 16, 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(state->vector[i], area + XSAVE_XMM + i * 16, 16);
        memcpy(state->vector[i] + 16, area + XSAVE_YMM + i * 16, 16);
    }
    return 0;
}

static int set_vectors(EngineVcpu *vcpu, const X86State *state)
{
    g_autofree uint8_t *area = g_malloc0(XSAVE_SIZE);
    uint64_t present = XSAVE_X87 | XSAVE_SSE | (vcpu->vm->xcr0 & XSAVE_AVX);

    store_le16(area, state->fcw);
    store_le16(area + 2, state->fsw);
    area[4] = state->ftw;
    store_le16(area + 6, state->fop);
    store_le64(area + 8, state->fip);
    store_le64(area + 16, state->fdp);
    store_le32(area + 24, state->mxcsr);
    store_le64(area + XSAVE_BV, present);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(area + XSAVE_ST + i * 16, state->st[i], 10);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(area + XSAVE_XMM + i * 16, state->vector[i], 16);
        if (present & XSAVE_AVX) {
            memcpy(area + XSAVE_YMM + i * 16, state->vector[i] + 16, 16);
        }
    }
    return kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, area);
}

/* ---- the local APIC ---- */

/* Its timer counts once in this many ticks. */
static uint64_t timer_divider(const X86Lapic *lapic)
{
    uint32_t code = load_le32(lapic->regs + X86_LAPIC_TIMER_DIVIDE);

    return UINT64_C(1) << ((((code & 3) | (code & 8) >> 1) + 1) & 7);
}

static bool timer_uses_tsc(const X86Lapic *lapic)
{
    uint32_t lvt = load_le32(lapic->regs + X86_LAPIC_LVT_TIMER);

    return bits_get(lvt, LVT_TIMER_MODE_SHIFT, 2) == LVT_TIMER_DEADLINE;
}

static int get_lapic(EngineVcpu *vcpu, X86State *state)
{
    X86Lapic *lapic = &state->lapic;
    int result = kvm_ioctl(vcpu->fd, KVM_GET_LAPIC, lapic->regs);
    uint64_t count = load_le32(lapic->regs + X86_LAPIC_TIMER_CURRENT);

    if (result < 0) {
        return result;
    }
    lapic->timer_deadline_ns = 0;
    if (count && !timer_uses_tsc(lapic)) {
        lapic->timer_deadline_ns =
            clock_now_ns(vcpu->vm->config.clock) +
            mul_div(count * timer_divider(lapic), NS_PER_SECOND, X86_LAPIC_TIMER_HZ);
    }
    store_le32(lapic->regs + X86_LAPIC_TIMER_CURRENT, 0);
    state->msr.tsc_deadline = 0;
    if (vcpu->vm->option[KVM_OPTION_TSC_DEADLINE]) {
        kvm_msr_read(vcpu, MSR_TSC_DEADLINE, &state->msr.tsc_deadline);
    }
    return 0;
}

static int set_lapic(EngineVcpu *vcpu, const X86State *state)
{
    uint64_t now_ns = clock_now_ns(vcpu->vm->config.clock);
    X86Lapic lapic = state->lapic;
    uint64_t initial = load_le32(lapic.regs + X86_LAPIC_TIMER_INITIAL);
    uint64_t count = 0;

    if (lapic.timer_deadline_ns) {
        uint64_t left_ns = lapic.timer_deadline_ns > now_ns ? lapic.timer_deadline_ns - now_ns : 0;
        count = mul_div(left_ns, X86_LAPIC_TIMER_HZ, NS_PER_SECOND) / timer_divider(&lapic);
        count = CLAMP(count, 1, MAX(initial, 1));
    } else {
        /* the kernel would start a one-shot that has run out once more */
        store_le32(lapic.regs + X86_LAPIC_TIMER_INITIAL, 0);
    }
    store_le32(lapic.regs + X86_LAPIC_TIMER_CURRENT, (uint32_t)count);
    int result = kvm_ioctl(vcpu->fd, KVM_SET_LAPIC, lapic.regs);
    if (result >= 0 && timer_uses_tsc(&lapic) && vcpu->vm->option[KVM_OPTION_TSC_DEADLINE]) {
        result = kvm_msr_write(vcpu, MSR_TSC_DEADLINE, state->msr.tsc_deadline);
    }
    return result;
}

/* ---- MSRs and time ---- */

static int get_msrs(EngineVcpu *vcpu, X86State *state)
{
    if (!kvm_msrs_get(vcpu, &state->msr, NULL)) {
        return -EINVAL;
    }
    state->msr.tsc_adjust = 0;
    kvm_msr_read(vcpu, MSR_TSC_ADJUST, &state->msr.tsc_adjust);
    state->msr.tsc = kvm_time_get_tsc(vcpu);
    return 0;
}

static int set_msrs(EngineVcpu *vcpu, const X86State *state)
{
    return kvm_msrs_set(vcpu, &state->msr, NULL) ? 0 : -EINVAL;
}

static int set_time(EngineVcpu *vcpu, const X86State *state)
{
    kvm_time_set_tsc(vcpu, state->msr.tsc, state->msr.tsc_adjust);
    return 0;
}

/* ---- what lies between two instructions ---- */

static X86Activity from_activity(uint32_t mp_state)
{
    switch (mp_state) {
    case KVM_MP_STATE_HALTED:
    case KVM_MP_STATE_AP_RESET_HOLD:
        return X86_HALTED;
    case KVM_MP_STATE_UNINITIALIZED:
    case KVM_MP_STATE_INIT_RECEIVED:
        return X86_WAIT_FOR_SIPI;
    default:
        return X86_RUNNING;
    }
}

/* The kernel takes pending INIT and SIPI when asked for this, so it must be asked first. */
static int get_activity(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_mp_state activity;
    int result = kvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, &activity);

    if (result >= 0) {
        state->activity = from_activity(activity.mp_state);
        state->init_pending = state->sipi_pending = false;
        state->sipi_vector = 0;
    }
    return result;
}

static int set_activity(EngineVcpu *vcpu, const X86State *state)
{
    static const uint32_t to_activity[] = {
        [X86_RUNNING] = KVM_MP_STATE_RUNNABLE,
        [X86_HALTED] = KVM_MP_STATE_HALTED,
        [X86_WAIT_FOR_SIPI] = KVM_MP_STATE_INIT_RECEIVED,
    };
    struct kvm_mp_state activity = { .mp_state = to_activity[state->activity] };

    return kvm_ioctl(vcpu->fd, KVM_SET_MP_STATE, &activity);
}

static bool is_soft_exception(unsigned vector)
{
    return vector == 3 || vector == 4;
}

static X86Event from_exception(const struct kvm_vcpu_events *events)
{
    bool valid = events->exception.injected || events->exception.pending;
    bool payload = events->exception.pending && events->exception_has_payload;

    if (!valid || is_soft_exception(events->exception.nr)) {
        return (X86Event){ 0 };
    }
    return (X86Event){
        .valid = true,
        .vector = events->exception.nr,
        .has_error = events->exception.has_error_code,
        .error_code = events->exception.has_error_code ? events->exception.error_code : 0,
        .has_payload = payload,
        .payload = payload ? events->exception_payload : 0,
    };
}

static int get_events(EngineVcpu *vcpu, X86State *state)
{
    struct kvm_vcpu_events events;
    int result = kvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events);

    if (result < 0) {
        return result;
    }
    state->exception = from_exception(&events);
    state->interrupt = (X86Event){ 0 };
    if (events.interrupt.injected && !events.interrupt.soft) {
        state->interrupt = (X86Event){ .valid = true, .vector = events.interrupt.nr };
    }
    /* AMD's CPUs have one shadow for both, which the kernel reports as both */
    bool sti = events.interrupt.shadow & KVM_X86_SHADOW_INT_STI;
    bool mov_ss = events.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS;
    bool is_sti = sti && (!mov_ss || (state->rflags & X86_RFLAGS_IF));
    state->shadow_sti = is_sti;
    state->shadow_mov_ss = mov_ss && !is_sti;
    state->nmi_pending = events.nmi.pending || events.nmi.injected;
    state->nmi_blocked = events.nmi.masked && !events.nmi.injected;
    return 0;
}

static void fill_exception(const EngineVcpu *vcpu, const X86Event *exception,
                           struct kvm_vcpu_events *events)
{
    if (!exception->valid || exception->soft) {
        return;
    }
    bool payload = exception->has_payload && vcpu->vm->option[KVM_OPTION_PAYLOAD];
    events->exception.injected = !payload;
    events->exception.pending = payload;
    events->exception.nr = exception->vector;
    events->exception.has_error_code = exception->has_error;
    events->exception.error_code = exception->error_code;
    events->exception_has_payload = payload;
    events->exception_payload = payload ? exception->payload : 0;
}

static int set_events(EngineVcpu *vcpu, const X86State *state)
{
    struct kvm_vcpu_events events = {
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
        .nmi = { .pending = state->nmi_pending, .masked = state->nmi_blocked },
    };

    if (vcpu->vm->option[KVM_OPTION_PAYLOAD]) {
        events.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
    }
    fill_exception(vcpu, &state->exception, &events);
    if (state->interrupt.valid && !state->interrupt.soft) {
        events.interrupt.injected = 1;
        events.interrupt.nr = state->interrupt.vector;
    }
    events.interrupt.shadow = (state->shadow_sti ? KVM_X86_SHADOW_INT_STI : 0) |
                              (state->shadow_mov_ss ? KVM_X86_SHADOW_INT_MOV_SS : 0);
    return kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
}

/* Not by KVM_INTERRUPT: that parks the vector where saving the state doesn't find it. */
void kvm_vcpu_take_extint(EngineVcpu *vcpu, uint8_t vector)
{
    struct kvm_mp_state activity;
    struct kvm_vcpu_events events;

    if (kvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0) {
        return;
    }
    events.interrupt.injected = 1;
    events.interrupt.soft = 0;
    events.interrupt.nr = vector;
    kvm_ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events);
    if (kvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, &activity) >= 0 &&
        activity.mp_state == KVM_MP_STATE_HALTED) {
        activity.mp_state = KVM_MP_STATE_RUNNABLE;
        kvm_ioctl(vcpu->fd, KVM_SET_MP_STATE, &activity);
    }
}

/* ---- all of it ---- */

/* In the order of setting; activity is also got before all others, see get_activity. */
static const Part parts[] = {
    { "general registers", get_registers, set_registers },
    { "segments and control registers", get_special, set_special },
    { "XCR0", get_xcr0, set_xcr0 },
    { "x87 and vector registers", get_vectors, set_vectors },
    { "debug registers", get_debug_registers, set_debug_registers },
    { "MSRs", get_msrs, set_msrs },
    { "TSC", NULL, set_time },
    { "local APIC", get_lapic, set_lapic },
    { "activity", NULL, set_activity },
    { "pending events", get_events, set_events },
};

static bool fail(EngineVcpu *vcpu, const char *what, const char *part, int result, GError **error)
{
    set_error_code(error, INSULA_ERROR_HOST, "KVM refuses to %s the %s of vCPU %u: %s", what, part,
                   vcpu->index, g_strerror(-result));
    return false;
}

bool kvm_vcpu_get_state(EngineVcpu *vcpu, X86State *ret_state, GError **error)
{
    X86State state = { 0 };

    kvm_vcpu_take_nmi(vcpu);
    int result = get_activity(vcpu, &state);
    if (result < 0) {
        return fail(vcpu, "get", "activity", result, error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        result = parts[i].get ? parts[i].get(vcpu, &state) : 0;
        if (result < 0) {
            return fail(vcpu, "get", parts[i].name, result, error);
        }
    }
    *ret_state = state;
    return true;
}

/* Without payloads in the kernel, what an exception will write is written now. */
static void deliver_payload(const EngineVcpu *vcpu, X86State *state)
{
    X86Event *exception = &state->exception;

    if (!exception->valid || !exception->has_payload || vcpu->vm->option[KVM_OPTION_PAYLOAD]) {
        return;
    }
    if (exception->vector == X86_VECTOR_PF) {
        state->cr2 = exception->payload;
    } else {
        state->dr6 |= exception->payload;
    }
    exception->has_payload = false;
}

static int apply(EngineVcpu *vcpu, const X86State *state, bool with_time, const char **ret_part)
{
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i].set == set_time && !with_time) {
            continue;
        }
        int result = parts[i].set(vcpu, state);
        if (result < 0) {
            *ret_part = parts[i].name;
            return result;
        }
    }
    vcpu->window_unknown = true;
    return 0;
}

bool kvm_vcpu_set_state(EngineVcpu *vcpu, const X86State *state, GError **error)
{
    X86State settled = *state, before;
    const char *part;

    if (!x86_state_check(state, error) || !kvm_vcpu_get_state(vcpu, &before, error)) {
        return false;
    }
    x86_state_settle(&settled, vcpu->vm->signature);
    deliver_payload(vcpu, &settled);
    int result = apply(vcpu, &settled, true, &part);
    if (result < 0) {
        const char *ignored;
        fail(vcpu, "set", part, result, error);
        apply(vcpu, &before, true, &ignored);
        return false;
    }
    return true;
}

bool kvm_vcpu_reset(EngineVcpu *vcpu, GError **error)
{
    X86State state;
    const char *part;

    x86_state_reset(&state, vcpu->index, vcpu->vm->signature);
    int result = apply(vcpu, &state, false, &part);
    return result >= 0 || fail(vcpu, "reset", part, result, error);
}

bool kvm_vcpu_translate(EngineVcpu *vcpu, uint64_t gva, uint64_t *ret_gpa)
{
    X86State state = { 0 };

    return get_special(vcpu, &state) >= 0 &&
           x86_walk(vcpu->vm->config.memory, &state, gva, ret_gpa);
}
