/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both engines know about an x86 vCPU's state: how it looks after reset and INIT, whether it
 * can be, how to print it, and where its page tables lead.
 *
 * Threads: no state; the vCPU stands still while its state is looked at.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/x86/state.h"
#include "memory/memory.h"

/* The state after power-on (SDM 3 table 10-1): @index 0 runs from FFFFFFF0h, the others wait for
 * a SIPI.  @signature is what CPUID leaf 1 gives in EAX.  LINT0 of vCPU 0 is open for the 8259s
 * (ExtINT), as a PC's firmware sets it. */
void x86_state_reset(X86State *state, unsigned index, uint32_t signature);

/* Take a pending INIT, then a pending SIPI, as the CPU does between two instructions; a SIPI is
 * dropped unless the vCPU waits for one.  @signature as above. */
void x86_state_settle(X86State *state, uint32_t signature);

/* Whether a vCPU can be in @state (SDM 3, 27.3.1).  What features the CPU model has is the
 * engine's to check.  On false, @error names the register. */
bool x86_state_check(const X86State *state, GError **error);

/* The state as text for logs and crash reports, several lines; newly allocated. */
char *x86_state_print(const X86State *state);

/* Name of exception @vector as the manual has it ("#PF"), or NULL for a vector without a name. */
const char *x86_exception_name(unsigned vector);

/* Walk the page tables of @state for @gva as the CPU would for a read by ring 0, changing
 * nothing.  Returns false where no translation is, or a table lies outside RAM. */
bool x86_walk(const GuestMemory *memory, const X86State *state, uint64_t gva, uint64_t *ret_gpa);
