/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the log shows of a translation: the guest's code, its IR, and the host's code, as the
 * categories code, ir and host ask for.
 *
 * Bytes are in hexadecimal, in the order of addresses: a disassembler takes them as they are.
 *
 * Threads: the translating vCPU's.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

/* The instructions of @code that @ir was made of, and @ir; the block begins at @pc. */
void dump_translation(const DbtCpu *cpu, const GuestCode *code, const IrBlock *ir, uint64_t pc);
/* What the back end made of it, @block->host_bytes from @block->code on. */
void dump_host_code(const DbtCpu *cpu, const Block *block, uint64_t pc);
