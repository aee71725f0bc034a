/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vCPU's state that code changes, member by member, for comparisons (run/check.h).
 *
 * Not here: temporaries of vectors, which no block leaves to another; padding; what other threads
 * write (pending NMI, INIT, SIPI, the TSC's offset); the LAPIC, which only helpers touch.
 *
 * Threads: constants only.
 */
#include "engine/dbt/guest/x86/isa.h"
#include "engine/dbt/guest/x86/x86.h"

/* Elements; changed by accesses, too. */
#define FIELD(member, count, access)                                                               \
    {                                                                                              \
#member, X86_OFFSET(member), sizeof(((X86Cpu *)NULL)->member) / (count), count, access     \
    }

const StateField x86_fields[] = {
    FIELD(gpr, 16, false),
    { "vector", X86_OFFSET(vector), sizeof(X86Vector), X86_XMM_SCRATCH, false },
    FIELD(mxcsr, 1, false),
    FIELD(eflags, 1, false),
    FIELD(segment, X86_SEGMENTS, false),
    FIELD(ldtr, 1, false),
    FIELD(tr, 1, false),
    FIELD(gdtr.base, 1, false),
    FIELD(gdtr.limit, 1, false),
    FIELD(idtr.base, 1, false),
    FIELD(idtr.limit, 1, false),
    FIELD(cr0, 1, false),
    FIELD(cr2, 1, true),
    FIELD(cr3, 1, false),
    FIELD(cr4, 1, false),
    FIELD(xcr0, 1, false),
    FIELD(dr, 4, false),
    FIELD(dr6, 1, false),
    FIELD(dr7, 1, false),
    FIELD(pdptr, 4, false),
    FIELD(cpl, 1, false),
    FIELD(st, 8, false),
    FIELD(fcw, 1, false),
    FIELD(fsw, 1, false),
    FIELD(top, 1, false),
    FIELD(tags, 1, false),
    FIELD(fop, 1, false),
    FIELD(fip, 1, false),
    FIELD(fdp, 1, false),
    FIELD(fcs, 1, false),
    FIELD(fds, 1, false),
    FIELD(msr, 1, false),
    FIELD(exception.vector, 1, true),
    FIELD(exception.has_error, 1, true),
    FIELD(exception.soft, 1, true),
    FIELD(exception.external, 1, true),
    FIELD(exception.error_code, 1, true),
    FIELD(exception.dr6, 1, true),
    FIELD(shadow_sti, 1, false),
    FIELD(shadow_mov_ss, 1, false),
    FIELD(nmi_blocked, 1, false),
    FIELD(debug_pending, 1, true),
    FIELD(task_switched, 1, false),
    { 0 },
};
