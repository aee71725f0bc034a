/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a vCPU is saved: all of X86State, by tables, in one form for every engine.
 *
 * Threads: no state.
 */
#include "machine/board/state.h"

#define SAVED_SEGMENT(field)                                                                       \
    SAVED(X86State, field.base), SAVED(X86State, field.limit), SAVED(X86State, field.selector),    \
        SAVED(X86State, field.attributes)
#define SAVED_EVENT(field)                                                                         \
    SAVED(X86State, field.valid), SAVED(X86State, field.has_error), SAVED(X86State, field.soft),   \
        SAVED(X86State, field.vector), SAVED(X86State, field.length),                              \
        SAVED(X86State, field.error_code), SAVED(X86State, field.has_payload),                     \
        SAVED(X86State, field.payload)

const SavedField cpu_saved[] = {
    SAVED_ARRAY(X86State, gpr),
    SAVED(X86State, rip),
    SAVED(X86State, rflags),
    SAVED_EACH(X86State, segment, base),
    SAVED_EACH(X86State, segment, limit),
    SAVED_EACH(X86State, segment, selector),
    SAVED_EACH(X86State, segment, attributes),
    SAVED_SEGMENT(ldtr),
    SAVED_SEGMENT(tr),
    SAVED(X86State, gdtr.base),
    SAVED(X86State, gdtr.limit),
    SAVED(X86State, idtr.base),
    SAVED(X86State, idtr.limit),
    SAVED(X86State, cr0),
    SAVED(X86State, cr2),
    SAVED(X86State, cr3),
    SAVED(X86State, cr4),
    SAVED(X86State, cr8),
    SAVED(X86State, xcr0),
    SAVED_ARRAY(X86State, dr),
    SAVED(X86State, dr6),
    SAVED(X86State, dr7),
    SAVED_ARRAY(X86State, pdptr),
    SAVED_BYTES(X86State, st),
    SAVED(X86State, fcw),
    SAVED(X86State, fsw),
    SAVED(X86State, fop),
    SAVED(X86State, ftw),
    SAVED(X86State, fip),
    SAVED(X86State, fdp),
    SAVED(X86State, mxcsr),
    SAVED_BYTES(X86State, vector),
    SAVED(X86State, msr.efer),
    SAVED(X86State, msr.star),
    SAVED(X86State, msr.lstar),
    SAVED(X86State, msr.cstar),
    SAVED(X86State, msr.fmask),
    SAVED(X86State, msr.kernel_gs_base),
    SAVED(X86State, msr.sysenter_cs),
    SAVED(X86State, msr.sysenter_esp),
    SAVED(X86State, msr.sysenter_eip),
    SAVED(X86State, msr.tsc),
    SAVED(X86State, msr.tsc_adjust),
    SAVED(X86State, msr.tsc_aux),
    SAVED(X86State, msr.tsc_deadline),
    SAVED(X86State, msr.apic_base),
    SAVED(X86State, msr.pat),
    SAVED(X86State, msr.misc_enable),
    SAVED(X86State, msr.spec_ctrl),
    SAVED(X86State, msr.mtrr_def_type),
    SAVED_ARRAY(X86State, msr.mtrr_fixed),
    SAVED_ARRAY(X86State, msr.mtrr_base),
    SAVED_ARRAY(X86State, msr.mtrr_mask),
    SAVED(X86State, msr.mcg_status),
    SAVED(X86State, msr.mcg_ctl),
    SAVED(X86State, msr.kvm_wall_clock),
    SAVED(X86State, msr.kvm_system_time),
    SAVED_EVENT(exception),
    SAVED_EVENT(interrupt),
    SAVED(X86State, shadow_sti),
    SAVED(X86State, shadow_mov_ss),
    SAVED(X86State, nmi_pending),
    SAVED(X86State, nmi_blocked),
    SAVED_RANGE(X86State, activity, 0, X86_WAIT_FOR_SIPI),
    SAVED(X86State, init_pending),
    SAVED(X86State, sipi_pending),
    SAVED(X86State, sipi_vector),
    SAVED_BYTES(X86State, lapic.regs),
    SAVED(X86State, lapic.timer_deadline_ns),
    { 0 },
};
