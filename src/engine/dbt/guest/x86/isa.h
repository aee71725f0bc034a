/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What isa.c wires together that no other header declares.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

/* translate.c: isa->translate */
TranslateResult x86_translate(DbtCpu *base, const GuestCode *code, IrBlock *ir);

/* helpers.c: the table in the order of enum X86_CALL_ (translate.h) */
extern const Helper x86_helpers[];

/* fields.c: isa->fields */
extern const StateField x86_fields[];
