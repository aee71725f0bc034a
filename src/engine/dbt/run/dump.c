/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations in the log, see dump.h.
 */
#include "engine/dbt/run/dump.h"

#include <inttypes.h>

#include "engine/dbt/run/cache.h"

static void append_bytes(GString *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(text, " %02x", bytes[i]);
    }
}

/* A line per instruction: its address and bytes. */
static void dump_guest_code(const DbtCpu *cpu, const GuestCode *code, const IrBlock *ir,
                            uint64_t pc)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < ir->n_insns; i++) {
        unsigned from = ir->insns[i].delta;
        unsigned to = i + 1 < ir->n_insns ? ir->insns[i + 1].delta : ir->guest_bytes;
        g_string_append_printf(text, "\n%" PRIx64 ":", pc + from);
        /* a jump that the block follows may leave a gap, as long as many instructions */
        append_bytes(text, code->bytes + from, MIN(to - from, 15));
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
        append_bytes(text, block->code, block->host_bytes);
        log_line(cpu->log, LOG_HOST, "host code of %" PRIx64 ", key %x, at %p:%s", pc, block->key,
                 block->code, text->str);
    }
}
