/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses and helpers of a checked block: the first run does and logs them, the second is answered
 * from the log, see check.h.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/run/check_internal.h"

/* --- snapshots -------------------------------------------------------------------------------- */

/* Keep the state as it is now; its place in check->snapshots. */
static ssize_t keep(DbtCpu *cpu, bool access_only)
{
    Check *check = cpu->check;
    guint at = check->snapshots->len;
    size_t size = access_only ? check->access_size : check->state_size;

    g_byte_array_set_size(check->snapshots, at + (guint)size);
    check_save(cpu, check->snapshots->data + at, access_only);
    return (ssize_t)at;
}

static const uint8_t *kept(const Check *check, ssize_t at)
{
    return check->snapshots->data + at;
}

/* --- accesses --------------------------------------------------------------------------------- */

static bool perform(DbtCpu *cpu, const Access *a, uint64_t *value)
{
    switch (a->kind) {
    case ACCESS_LOAD:
        return mmu_load(cpu, a->gva, a->size, a->mmu, value);
    case ACCESS_STORE:
        return mmu_store(cpu, a->gva, a->operand, a->size, a->mmu);
    case ACCESS_LOAD_BYTES:
        return mmu_load_bytes(cpu, a->gva, a->bytes, a->size, a->mmu);
    case ACCESS_STORE_BYTES:
        return mmu_store_bytes(cpu, a->gva, a->bytes, a->size, a->mmu);
    case ACCESS_PROBE:
        return mmu_probe(cpu, a->gva, a->size, MMU_WRITE, a->mmu);
    case ACCESS_ATOMIC:
        return mmu_atomic(cpu, a->op, a->gva, a->operand, a->size, a->mmu, value);
    default:
        return mmu_cas(cpu, a->gva, a->operand, a->operand2, a->size, a->mmu, value);
    }
}

static bool moves_bytes(const Access *access)
{
    return access->kind == ACCESS_LOAD_BYTES || access->kind == ACCESS_STORE_BYTES;
}

static bool record_access(DbtCpu *cpu, const Access *access, uint64_t *ret_value)
{
    Check *check = cpu->check;
    LogEntry entry = { .kind = LOG_ACCESS, .access = *access, .after = CHECK_NO_SNAPSHOT };
    ssize_t before = keep(cpu, true);

    cpu->tlb = cpu->bank->data;
    bool ok = perform(cpu, access, &entry.result);
    cpu->tlb = check->tlb;
    entry.fault = cpu->fault;
    entry.stale = cpu->key_stale;
    if (ok && moves_bytes(access)) {
        memcpy(entry.bytes, access->bytes, access->size);
    }
    entry.after = keep(cpu, true);
    if (!memcmp(kept(check, before), kept(check, entry.after), check->access_size)) {
        entry.after = CHECK_NO_SNAPSHOT;
        g_byte_array_set_size(check->snapshots, (guint)before);
    }
    g_array_append_val(check->log, entry);
    if (ok && ret_value) {
        *ret_value = entry.result;
    }
    return ok;
}

static uint64_t operand_mask(const Access *access)
{
    return access->size >= 8 ? UINT64_MAX : bits_mask(access->size * 8);
}

static bool same_place(const Access *a, const Access *b)
{
    return a->kind == b->kind && a->op == b->op && a->gva == b->gva && a->size == b->size &&
           a->mmu == b->mmu;
}

static bool same_operands(const LogEntry *entry, const Access *access)
{
    uint64_t mask = operand_mask(access);

    if (access->kind == ACCESS_STORE_BYTES) {
        return entry->fault || !memcmp(entry->bytes, access->bytes, access->size);
    }
    return !((entry->access.operand ^ access->operand) & mask) &&
           !((entry->access.operand2 ^ access->operand2) & mask);
}

static void print_access(GString *text, const Access *access, const uint8_t *bytes)
{
    static const char *const kinds[] = {
        "load", "store", "load", "store", "probe a write", "atomic", "compare and swap"
    };

    g_string_append_printf(text, "%s, %u bytes at %" G_GINT64_MODIFIER "x (mmu %x)",
                           kinds[access->kind], access->size, access->gva, access->mmu);
    if (access->kind == ACCESS_STORE || access->kind == ACCESS_ATOMIC) {
        g_string_append_printf(text, ", operand %" G_GINT64_MODIFIER "x",
                               access->operand & operand_mask(access));
    } else if (access->kind == ACCESS_CAS) {
        g_string_append_printf(text, ", %" G_GINT64_MODIFIER "x becomes %" G_GINT64_MODIFIER "x",
                               access->operand & operand_mask(access),
                               access->operand2 & operand_mask(access));
    } else if (access->kind == ACCESS_STORE_BYTES && bytes) {
        g_string_append(text, ", bytes");
        for (unsigned i = 0; i < access->size; i++) {
            g_string_append_printf(text, " %02x", bytes[i]);
        }
    }
}

static const char *helper_name(const DbtCpu *cpu, unsigned id)
{
    return cpu->isa->helpers[id].name;
}

static void print_entry(const DbtCpu *cpu, GString *text, const LogEntry *entry)
{
    if (!entry) {
        g_string_append(text, "nothing more");
    } else if (entry->kind == LOG_CALL) {
        g_string_append_printf(text,
                               "helper %s %" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER
                               "x %" G_GINT64_MODIFIER "x",
                               helper_name(cpu, entry->helper), entry->arguments[0],
                               entry->arguments[1], entry->arguments[2]);
    } else {
        print_access(text, &entry->access, entry->bytes);
    }
}

/* The second run does something that the first did not: say what, and make it end. */
static void lose(DbtCpu *cpu, const LogEntry *expected, const LogEntry *found)
{
    Check *check = cpu->check;
    g_autoptr(GString) first = g_string_new(NULL), second = g_string_new(NULL);

    if (!check->lost) {
        print_entry(cpu, first, expected);
        print_entry(cpu, second, found);
        check_differs(check, "access %u: interpreter %s; compiled %s", check->next, first->str,
                      second->str);
    }
    check->lost = true;
    cpu->fault = FAULT_EXCEPTION;
}

static LogEntry *entry_at(const Check *check, unsigned i)
{
    return i < check->log->len ? &g_array_index(check->log, LogEntry, i) : NULL;
}

/* The log's next entry for @access; in a fast run accesses before it went without us. */
static const LogEntry *find_entry(DbtCpu *cpu, const Access *access)
{
    Check *check = cpu->check;
    unsigned i = check->next;
    const LogEntry *entry = entry_at(check, i);

    while (cpu->checking == CHECK_FAST && entry && entry->kind == LOG_ACCESS &&
           !same_place(&entry->access, access)) {
        entry = entry_at(check, ++i);
    }
    if (!entry || entry->kind != LOG_ACCESS || !same_place(&entry->access, access) ||
        !same_operands(entry, access)) {
        LogEntry found = { .kind = LOG_ACCESS, .access = *access };
        if (access->kind == ACCESS_STORE_BYTES) {
            memcpy(found.bytes, access->bytes, access->size);
        }
        lose(cpu,
             cpu->checking == CHECK_FAST && i > check->next ? entry_at(check, check->next) : entry,
             &found);
        return NULL;
    }
    check->next = i + 1;
    return entry;
}

/* Private pages have what fast accesses find: they must see slow stores. */
static void store_to_pages(Check *check, const LogEntry *entry)
{
    const Access *access = &entry->access;
    uint64_t value = access->operand;
    uint8_t bytes[8];

    switch (access->kind) {
    case ACCESS_STORE_BYTES:
        check_pages_store(check, access->gva, entry->bytes, access->size);
        return;
    case ACCESS_STORE:
        break;
    case ACCESS_ATOMIC:
        value = mmu_atomic_result(access->op, entry->result, access->operand);
        break;
    case ACCESS_CAS:
        if (entry->result != (access->operand & operand_mask(access))) {
            return;
        }
        value = access->operand2;
        break;
    default:
        return;
    }
    store_le64(bytes, value);
    check_pages_store(check, access->gva, bytes, access->size);
}

static bool answer_access(DbtCpu *cpu, const Access *access, uint64_t *ret_value)
{
    Check *check = cpu->check;
    const LogEntry *entry = find_entry(cpu, access);

    if (!entry) {
        return false;
    }
    if (entry->after != CHECK_NO_SNAPSHOT) {
        check_restore(cpu, kept(check, entry->after), true);
    }
    cpu->key_stale = cpu->key_stale || entry->stale;
    if (entry->fault) {
        cpu->fault = entry->fault;
        return false;
    }
    if (cpu->checking == CHECK_FAST) {
        store_to_pages(check, entry);
    }
    if (access->kind == ACCESS_LOAD_BYTES) {
        memcpy(access->bytes, entry->bytes, access->size);
    }
    if (ret_value) {
        *ret_value = entry->result;
    }
    return true;
}

bool check_access(DbtCpu *cpu, const Access *access, uint64_t *ret_value)
{
    g_assert(!moves_bytes(access) || access->size <= ACCESS_MAX_BYTES);
    return cpu->checking == CHECK_RECORD ? record_access(cpu, access, ret_value)
                                         : answer_access(cpu, access, ret_value);
}

/* --- helpers ---------------------------------------------------------------------------------- */

/* What a helper accesses isn't logged one by one: it is one entry as a whole. */
static uint64_t record_call(DbtCpu *cpu, const LogEntry *call)
{
    Check *check = cpu->check;
    const Helper *helper = &cpu->isa->helpers[call->helper];
    LogEntry entry = *call;
    guint at = check->snapshots->len;

    entry.before = keep(cpu, false);
    cpu->checking = CHECK_OFF;
    cpu->tlb = cpu->bank->data;
    entry.result = helper->fn(cpu, call->arguments[0], call->arguments[1], call->arguments[2]);
    cpu->checking = CHECK_RECORD;
    cpu->tlb = check->tlb;
    entry.fault = cpu->fault;
    if ((helper->flags & HELPER_CANONICAL) && !entry.fault) {
        g_byte_array_set_size(check->snapshots, at);
        return entry.result; /* compiled code didn't call it */
    }
    entry.after = keep(cpu, false);
    check_save_core(cpu, &entry.core);
    g_array_append_val(check->log, entry);
    return entry.result;
}

static uint64_t answer_call(DbtCpu *cpu, const LogEntry *call)
{
    Check *check = cpu->check;
    const LogEntry *entry = entry_at(check, check->next);
    uint64_t instructions = cpu->instructions;
    CoreState core;

    while (cpu->checking == CHECK_FAST && entry && entry->kind == LOG_ACCESS) {
        entry = entry_at(check, ++check->next);
    }
    if (check->lost || !entry || entry->kind != LOG_CALL || entry->helper != call->helper ||
        memcmp(entry->arguments, call->arguments, sizeof(call->arguments))) {
        lose(cpu, entry, call);
        return 0;
    }
    if (!check_compare_state(cpu, kept(check, entry->before), helper_name(cpu, call->helper))) {
        check->lost = true;
        cpu->fault = FAULT_EXCEPTION;
        return 0;
    }
    check->next++;
    check_restore(cpu, kept(check, entry->after), false);
    core = entry->core;
    core.instructions = instructions; /* compiled code counts elsewhere meanwhile */
    check_restore_core(cpu, &core);
    return entry->result;
}

uint64_t check_call(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c, unsigned id)
{
    const Helper *helper = &cpu->isa->helpers[id];
    const LogEntry call = { .kind = LOG_CALL, .helper = id, .arguments = { a, b, c } };

    if (!cpu->checking || (helper->flags & (HELPER_PURE | HELPER_STACK))) {
        return helper->fn(cpu, a, b, c);
    }
    return cpu->checking == CHECK_RECORD ? record_call(cpu, &call) : answer_call(cpu, &call);
}
