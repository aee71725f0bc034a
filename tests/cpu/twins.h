/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Twins of 64-bit sequences: the same instructions encoded for 32-bit and for 16-bit code, where
 * the CPU at hand may not run such code.  In the guest they must end as the original did here.
 *
 * Threads: no state.
 */
#pragma once

#include "diff.h"

/* Whether a 64-bit instruction does the same in other modes. */
bool twin_possible(const X86Insn *insn);
/* Fill @sequence's twins; one that can't be made stays invalid. */
void make_twins(DiffSequence *sequence);
