/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations in the log, see dump.h.
 */
#include "engine/dbt/run/dump.h"

#include <inttypes.h>

#include "engine/dbt/run/cache.h"

static void append_bytes(GString *text, const uint8_t *bytes, int n)
{
    for (int i = 0; i < n; i++) {
        g_string_append_printf(text, " %02x", bytes[i]);
    }
}

/* A line per instruction: its address and bytes. */
static void dump_guest_code(const DbtCpu *cpu, const GuestCode *code, const IrBlock *ir,
                            uint64_t pc)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < ir->n_insns; i++) {
        int from = ir->insns[i].delta;
        int to = i + 1 < ir->n_insns ? ir->insns[i + 1].delta : (int)ir->guest_bytes;
        g_string_append_printf(text, "\n%" PRIx64 ":", pc + (uint64_t)(int64_t)from);
        /* behind a jump that the block follows something else comes next */
        append_bytes(text, guest_code_at(code, from), to > from && to - from < 15 ? to - from : 15);
    }
    log_line(cpu->log, LOG_CODE, "code at %" PRIx64 ", key %x%s", pc, (uint32_t)cpu->key,
             text->str);
}

void dump_translation(const DbtCpu *cpu, const GuestCode *code, const IrBlock *ir, uint64_t pc)
{
    if (log_on(cpu->log, LOG_CODE)) {
        dump_guest_code(cpu, code, ir, pc);
    }
    if (log_on(cpu->log, LOG_IR)) {
        g_autoptr(GString) text = g_string_new(NULL);
        ir_print(ir, &cpu->isa->names, text);
        log_line(cpu->log, LOG_IR, "block at %" PRIx64 ", key %x\n%s", pc, (uint32_t)cpu->key,
                 text->str);
    }
}

void dump_host_code(const DbtCpu *cpu, const Block *block, uint64_t pc)
{
    if (block->code && log_on(cpu->log, LOG_HOST)) {
        g_autoptr(GString) text = g_string_new(NULL);
        append_bytes(text, block->code, (int)block->host_bytes);
        log_line(cpu->log, LOG_HOST, "host code of %" PRIx64 ", key %x, at %p:%s", pc, block->key,
                 block->code, text->str);
    }
}
