/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block on both back ends, see check.h.
 */
#include "engine/dbt/run/check.h"

#include <stdarg.h>
#include <string.h>

#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/run/check_internal.h"
#include "engine/dbt/run/exec.h"

/* --- state ------------------------------------------------------------------------------------ */

void check_save(const DbtCpu *cpu, uint8_t *to, bool access_only)
{
    for (const StateField *field = cpu->isa->fields; field->name; field++) {
        if (field->access || !access_only) {
            size_t size = (size_t)field->size * field->count;
            memcpy(to, (const uint8_t *)cpu + field->offset, size);
            to += size;
        }
    }
}

void check_restore(DbtCpu *cpu, const uint8_t *from, bool access_only)
{
    for (const StateField *field = cpu->isa->fields; field->name; field++) {
        if (field->access || !access_only) {
            size_t size = (size_t)field->size * field->count;
            memcpy((uint8_t *)cpu + field->offset, from, size);
            from += size;
        }
    }
}

void check_save_core(const DbtCpu *cpu, CoreState *to)
{
    *to = (CoreState){ .pc = cpu->pc,
                       .instructions = cpu->instructions,
                       .flags = cpu->flags,
                       .fault = cpu->fault,
                       .key_stale = cpu->key_stale,
                       .halted = cpu->halted,
                       .shutdown = cpu->shutdown };
}

void check_restore_core(DbtCpu *cpu, const CoreState *from)
{
    cpu->pc = from->pc;
    cpu->instructions = from->instructions;
    cpu->flags = from->flags;
    cpu->fault = from->fault;
    cpu->key_stale = from->key_stale;
    cpu->halted = from->halted;
    cpu->shutdown = from->shutdown;
}

/* --- what differs ----------------------------------------------------------------------------- */

static const char *const run_names[] = {
    [CHECK_STRICT] = "by slow paths", [CHECK_FAST] = "by fast paths"
};

void check_differs(Check *check, const char *format, ...)
{
    va_list args;

    if (check->lines++ < CHECK_TEXT_LINES) {
        va_start(args, format);
        g_string_append(check->difference, "  ");
        g_string_append_vprintf(check->difference, format, args);
        g_string_append_c(check->difference, '\n');
        va_end(args);
    }
}

/* Most significant byte first, as numbers are read. */
static void print_bytes(GString *text, const uint8_t *bytes, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        g_string_append_printf(text, "%02x", bytes[i]);
    }
}

static void differing_element(DbtCpu *cpu, const StateField *field, unsigned i,
                              const uint8_t *expected, const char *where)
{
    g_autoptr(GString) text = g_string_new(NULL);
    uint32_t offset = field->offset + i * field->size;
    const char *name = cpu->isa->names.state ? cpu->isa->names.state(offset) : NULL;

    if (name) {
        g_string_append(text, name);
    } else if (field->count > 1) {
        g_string_append_printf(text, "%s[%u]", field->name, i);
    } else {
        g_string_append(text, field->name);
    }
    if (where) {
        g_string_append_printf(text, " at helper %s", where);
    } else {
        g_string_append(text, ": began as ");
        print_bytes(text, cpu->check->start + (expected - cpu->check->end), field->size);
    }
    g_string_append(text, ", interpreter ");
    print_bytes(text, expected, field->size);
    g_string_append(text, ", compiled ");
    print_bytes(text, (const uint8_t *)cpu + offset, field->size);
    check_differs(cpu->check, "%s", text->str);
}

bool check_compare_state(DbtCpu *cpu, const uint8_t *expected, const char *where)
{
    bool same = true;

    for (const StateField *field = cpu->isa->fields; field->name; field++) {
        const uint8_t *now = (const uint8_t *)cpu + field->offset;
        for (unsigned i = 0; i < field->count; i++) {
            if (memcmp(now + i * field->size, expected, field->size)) {
                differing_element(cpu, field, i, expected, where);
                same = false;
            }
            expected += field->size;
        }
    }
    return same;
}

static void compare_number(Check *check, const char *name, uint64_t first, uint64_t second)
{
    if (first != second) {
        check_differs(check,
                      "%s: interpreter %" G_GINT64_MODIFIER "x, compiled %" G_GINT64_MODIFIER "x",
                      name, first, second);
    }
}

/* An exit that can't be linked comes back as RUN_NEXT from one side only. */
static RunResult comparable(RunResult result)
{
    return result == RUN_LINK ? RUN_NEXT : result;
}

/* @result and the state now, with what the first run left. */
static void compare_ends(DbtCpu *cpu, RunResult result)
{
    Check *check = cpu->check;
    const CoreState *end = &check->core_end;

    compare_number(check, "result", comparable(check->result), comparable(result));
    compare_number(check, "pc", end->pc, cpu->pc);
    compare_number(check, "instructions run", end->instructions - check->core_start.instructions,
                   cpu->instructions - check->core_start.instructions);
    compare_number(check, "flags.op", end->flags.op, cpu->flags.op);
    compare_number(check, "flags.a", end->flags.a, cpu->flags.a);
    compare_number(check, "flags.b", end->flags.b, cpu->flags.b);
    compare_number(check, "flags.c", end->flags.c, cpu->flags.c);
    compare_number(check, "fault", end->fault, cpu->fault);
    compare_number(check, "context changed", end->key_stale, cpu->key_stale);
    compare_number(check, "halted", end->halted, cpu->halted);
    compare_number(check, "shut down", end->shutdown, cpu->shutdown);
    check_compare_state(cpu, check->end, NULL);
}

/* All of the log was used; by a fast run, all helpers. */
static void compare_rest(DbtCpu *cpu)
{
    Check *check = cpu->check;

    for (unsigned i = check->next; i < check->log->len; i++) {
        if (cpu->checking == CHECK_STRICT ||
            g_array_index(check->log, LogEntry, i).kind == LOG_CALL) {
            check_differs(check, "compiled code ended before access %u of %u", i, check->log->len);
            return;
        }
    }
}

/* --- the report ------------------------------------------------------------------------------- */

static void print_guest_bytes(const DbtCpu *cpu, const Block *block, GString *text)
{
    uint32_t first = MIN(block->guest_bytes, PAGE_SIZE - (uint32_t)(block->gpa % PAGE_SIZE));

    g_string_append(text, "guest code now:");
    for (uint32_t i = 0; i < block->guest_bytes; i++) {
        uint64_t gpa = i < first ? block->gpa + i : block->gpa2 + (i - first);
        const uint8_t *byte = gm_rom(cpu->memory, gpa, 1);
        g_string_append_printf(text, byte ? " %02x" : " ??", byte ? *byte : 0);
    }
    g_string_append_c(text, '\n');
}

static void print_ir(const DbtCpu *cpu, const Block *block, GString *text)
{
    g_autofree IrBlock *ir = g_new0(IrBlock, 1);

    ir->n_nodes = block->n_nodes;
    ir->n_insns = block->n_insns;
    memcpy(ir->nodes, block->nodes, block->n_nodes * sizeof(IrNode));
    memcpy(ir->insns, block->insns, block->n_insns * sizeof(IrInsn));
    ir_print(ir, &cpu->isa->names, text);
}

/* Around the differences: which block it is. */
static void complete_report(DbtCpu *cpu, const Block *block)
{
    Check *check = cpu->check;
    g_autoptr(GString) head = g_string_new(NULL);

    g_string_append_printf(head,
                           "block at %" G_GINT64_MODIFIER "x (gpa %" G_GINT64_MODIFIER
                           "x), key %x, %u instructions, on vCPU %u\n",
                           check->core_start.pc, block->gpa, block->key, block->n_insns,
                           cpu->index);
    print_guest_bytes(cpu, block, head);
    g_string_prepend(check->difference, head->str);
    if (check->lines > CHECK_TEXT_LINES) {
        g_string_append_printf(check->difference, "  and %u more\n",
                               check->lines - CHECK_TEXT_LINES);
    }
    print_ir(cpu, block, check->difference);
}

const char *check_difference(const DbtCpu *cpu)
{
    return cpu->check && cpu->check->difference->len ? cpu->check->difference->str : NULL;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool back_at_head(const DbtCpu *cpu, RunResult result)
{
    return (result == RUN_NEXT || result == RUN_LINK) && cpu->pc == cpu->check->core_start.pc;
}

/* The interpreter, for real, with all accesses logged.  False: attention was there first. */
static bool run_first(DbtCpu *cpu, const Block *block, unsigned *ret_slot)
{
    Check *check = cpu->check;
    /* not all of it: what the lock guards may change now */
    Block alone = { .gpa = block->gpa,
                    .gpa2 = block->gpa2,
                    .key = block->key,
                    .guest_before = block->guest_before,
                    .guest_bytes = block->guest_bytes,
                    .n_nodes = block->n_nodes,
                    .n_insns = block->n_insns,
                    .uncached = true,
                    .insns = block->insns,
                    .nodes = block->nodes };
    uint64_t before;

    check->rounds = 0;
    cpu->checking = CHECK_RECORD;
    cpu->tlb = check->tlb;
    do {
        before = cpu->instructions;
        RunResult result = interp_run(cpu, &alone, ret_slot);
        if (cpu->instructions == before && result == RUN_STOP) {
            break; /* attention */
        }
        check->result = result;
        check->rounds++;
    } while (check->rounds < CHECK_ROUNDS && back_at_head(cpu, check->result));
    cpu->tlb = cpu->bank->data;
    cpu->checking = CHECK_OFF;
    return check->rounds > 0;
}

static unsigned rounds_done(const DbtCpu *cpu, const Block *block)
{
    uint64_t run = cpu->instructions - cpu->check->core_start.instructions;

    return (unsigned)(run / block->n_insns);
}

/* What was compiled, from the same state, as many rounds as the interpreter made. */
static void run_again(DbtCpu *cpu, Block *block, unsigned how)
{
    Check *check = cpu->check;
    RunResult result;
    unsigned slot;
    guint length = check->difference->len;

    check_restore(cpu, check->start, false);
    check_restore_core(cpu, &check->core_start);
    check->next = 0;
    check->lost = false;
    cpu->checking = (uint8_t)how;
    if (how == CHECK_FAST) {
        check_pages_make(cpu);
    }
    cpu->tlb = check->tlb;
    __atomic_or_fetch(&cpu->attention, ATTENTION_CHECK, __ATOMIC_SEQ_CST);
    do {
        cpu->rounds = (int32_t)(check->rounds - rounds_done(cpu, block)) - 1;
        result = cpu->vm->backend->run_once(cpu, block, &slot);
    } while (back_at_head(cpu, result) && !check->lost && rounds_done(cpu, block) < check->rounds);
    __atomic_and_fetch(&cpu->attention, ~(uint32_t)ATTENTION_CHECK, __ATOMIC_SEQ_CST);
    cpu->tlb = cpu->bank->data;
    if (how == CHECK_FAST) {
        check_pages_end(cpu);
    }
    if (!check->lost) {
        compare_ends(cpu, result);
        compare_rest(cpu);
    }
    cpu->checking = CHECK_OFF;
    if (check->difference->len > length) {
        g_autofree char *title = g_strdup_printf("compiled code, %s:\n", run_names[how]);
        g_string_insert(check->difference, (gssize)length, title);
    }
}

RunResult check_run(DbtCpu *cpu, Block *block, unsigned *ret_slot)
{
    Check *check = cpu->check;

    g_array_set_size(check->log, 0);
    g_byte_array_set_size(check->snapshots, 0);
    check_save(cpu, check->start, false);
    check_save_core(cpu, &check->core_start);
    if (!run_first(cpu, block, ret_slot)) {
        return RUN_STOP;
    }
    check_save(cpu, check->end, false);
    check_save_core(cpu, &check->core_end);
    run_again(cpu, block, CHECK_STRICT);
    run_again(cpu, block, CHECK_FAST);
    if (check->difference->len) {
        complete_report(cpu, block);
    }
    check_restore(cpu, check->end, false);
    check_restore_core(cpu, &check->core_end);
    cpu->block = block;
    cache_checked(cpu->vm->cache, block);
    return check->result;
}

bool check_wants(DbtCpu *cpu, const Block *block)
{
    uint64_t every = cpu->vm->check_every;

    return !__atomic_load_n(&block->checked, __ATOMIC_ACQUIRE) ||
           (every && ++cpu->check->executions % every == 0);
}

/* --- life ------------------------------------------------------------------------------------- */

Check *check_new(const GuestIsa *isa)
{
    Check *check = g_new0(Check, 1);

    check->isa = isa;
    for (const StateField *field = isa->fields; field->name; field++) {
        size_t size = (size_t)field->size * field->count;
        check->state_size += size;
        check->access_size += field->access ? size : 0;
    }
    check->tlb = g_new(TlbEntry, MMU_INDEXES * TLB_ENTRIES);
    for (unsigned i = 0; i < MMU_INDEXES * TLB_ENTRIES; i++) {
        check->tlb[i] = (TlbEntry){ .read = TAG_NONE, .write = TAG_NONE };
    }
    check->log = g_array_new(FALSE, FALSE, sizeof(LogEntry));
    check->snapshots = g_byte_array_new();
    check->start = g_malloc(check->state_size);
    check->end = g_malloc(check->state_size);
    check->difference = g_string_new(NULL);
    return check;
}

void check_free(Check *check)
{
    if (!check) {
        return;
    }
    for (unsigned i = 0; i < CHECK_PAGES; i++) {
        g_free(check->pages[i].data);
        g_free(check->pages[i].expected);
    }
    g_array_unref(check->log);
    g_byte_array_unref(check->snapshots);
    g_string_free(check->difference, TRUE);
    g_free(check->start);
    g_free(check->end);
    g_free(check->tlb);
    g_free(check);
}
