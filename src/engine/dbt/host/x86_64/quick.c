/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slow paths that need little: RAM that the TLB knows, in another place of it or on two pages.
 *
 * Compiled code calls this with the guest's vectors and its stack of floating point registers in
 * the host's registers, so nothing here may touch those: the file is compiled without them, calls
 * nothing, and copies no more than a word at a time.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/host/x86_64/code.h"
#include "engine/dbt/run/banks.h"
#include "engine/dbt/run/ram.h"

/* An access: @n_a bytes at @a, then @n_b at @b on another page. */
typedef struct Pieces {
    uint8_t *a, *b;
    unsigned n_a, n_b;
} Pieces;

/* The entry for @gva, brought back if others pushed it out; NULL: the TLB doesn't know it. */
static const TlbEntry *find(DbtCpu *cpu, uint64_t gva, unsigned mmu, bool write)
{
    TlbEntry *entry = tlb_entry(cpu, gva, mmu);
    uint64_t tag = align_down(gva, PAGE_SIZE);

    if ((write ? entry->write : entry->read) != tag) {
        bank_recall(cpu, entry, gva, mmu);
    }
    return (write ? entry->write : entry->read) == tag ? entry : NULL;
}

static uint8_t *at(const TlbEntry *entry, uint64_t gva)
{
    return (uint8_t *)(uintptr_t)(gva + entry->addend);
}

static void copy(uint8_t *to, const uint8_t *from, unsigned n)
{
    ram_store(to, ram_load(from, n), n);
}

static void copy_bytes(uint8_t *to, const uint8_t *from, unsigned n)
{
    unsigned i = 0;

    for (; i + 8 <= n; i += 8) {
        copy(to + i, from + i, 8);
    }
    for (unsigned size = 4; size; size /= 2) {
        if (n & size) {
            copy(to + i, from + i, size);
            i += size;
        }
    }
}

/* False: not all of it is fast. */
static bool locate(DbtCpu *cpu, uint64_t gva, uint32_t info, Pieces *ret)
{
    unsigned size = 1U << (info >> SLOW_SIZE & 7), mmu = info >> SLOW_MMU & 63;
    bool write = info >> SLOW_KIND == SLOW_STORE || (mmu & MMU_RMW);

    if ((mmu & MMU_ALIGN) && gva % size) {
        return false;
    }
    const TlbEntry *entry = find(cpu, gva, mmu, write);
    if (!entry) {
        return false;
    }
    ret->a = at(entry, gva);
    ret->n_a = MIN(size, PAGE_SIZE - (unsigned)(gva % PAGE_SIZE));
    ret->n_b = size - ret->n_a;
    if (ret->n_b) {
        entry = find(cpu, gva + ret->n_a, mmu, write);
        ret->b = entry ? at(entry, gva + ret->n_a) : NULL;
    }
    return entry;
}

static void load(const Pieces *pieces, uint8_t *to)
{
    copy_bytes(to, pieces->a, pieces->n_a);
    copy_bytes(to + pieces->n_a, pieces->b, pieces->n_b);
}

static void store(const Pieces *pieces, uint64_t value)
{
    const uint8_t *from = (const uint8_t *)&value;

    if (!pieces->n_b) {
        ram_store(pieces->a, value, pieces->n_a);
        return;
    }
    copy_bytes(pieces->a, from, pieces->n_a);
    copy_bytes(pieces->b, from + pieces->n_a, pieces->n_b);
}

SlowResult quick_access(DbtCpu *cpu, uint64_t gva, uint64_t operand, uint32_t info)
{
    unsigned kind = info >> SLOW_KIND;
    uint64_t value = 0;
    Pieces pieces = { 0 };

    if (kind > SLOW_LOAD_VECTOR || !locate(cpu, gva, info, &pieces)) {
        return (SlowResult){ 0, 0 };
    }
    if (kind == SLOW_STORE) {
        store(&pieces, operand);
    } else if (kind == SLOW_LOAD_VECTOR) {
        load(&pieces, (uint8_t *)cpu + operand);
    } else if (!pieces.n_b) {
        value = ram_load(pieces.a, pieces.n_a);
    } else {
        load(&pieces, (uint8_t *)&value);
    }
    return (SlowResult){ value, 1 };
}
_Static_assert(SLOW_LOAD < SLOW_LOAD_VECTOR && SLOW_STORE < SLOW_LOAD_VECTOR, "the kinds it knows");
