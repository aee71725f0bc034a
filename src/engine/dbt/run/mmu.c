/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soft MMU, see mmu.h.
 *
 * resolve() answers where a page is: first from the TLB, whose slow entries (devices, pages with
 * code, watched pages) only this file understands, else by the guest's own walk.
 */
#include "engine/dbt/run/mmu.h"

#include <string.h>

#include "common/bits.h"
#include "engine/dbt/run/banks.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/ram.h"

/* Where a guest byte is. */
typedef struct Place {
    uint64_t gpa;
    uint8_t *hva;   /* NULL: not RAM */
    uint64_t flags; /* PAGE_ flags */
} Place;

/* PAGE_ flags of the page that a walk found. */
static uint64_t classify(DbtCpu *cpu, uint64_t gva, const MmuPage *page, const RamRange *ram)
{
    uint64_t flags = 0;

    if (ram) {
        flags |= PAGE_RAM;
        flags |= ram->read_only ? 0 : PAGE_WRITE;
    }
    if (ram && cache_is_code(cpu->vm->cache, page->gpa)) {
        flags |= PAGE_CODE;
    }
    if (cpu->watch_active && cpu->isa->watches_page(cpu, align_down(gva, PAGE_SIZE))) {
        flags |= PAGE_WATCH;
    }
    if (page->global) {
        flags |= PAGE_GLOBAL;
    }
    if (page->size > PAGE_SIZE) {
        flags |= PAGE_LARGE;
        bank_note_large(cpu->bank, gva, page->size);
    }
    return flags;
}

/* @entry is about to be another page's: keep what it says among the victims. */
static void push_out(DbtCpu *cpu, const TlbEntry *entry, unsigned mmu)
{
    MmuBank *bank = cpu->bank;
    uint8_t *next = &bank->next_victim[mmu & MMU_INDEX];
    unsigned at = victim_index(mmu, *next);

    if (bank->data[at].read == TAG_NONE) {
        bank_note_filled(bank, at);
    }
    bank->data[at] = *entry;
    note_victim(bank, entry->read);
    *next = (uint8_t)((*next + 1) % VICTIMS);
}

/* Enter a walk's result.  Tags are fast only where the access needs nothing but the memory. */
static TlbEntry *fill(DbtCpu *cpu, uint64_t gva, unsigned mmu, const MmuPage *page)
{
    TlbEntry *entry = tlb_entry(cpu, gva, mmu);
    RamRange range;
    const RamRange *ram = gm_find_ram(cpu->memory, page->gpa, &range) ? &range : NULL;
    uint64_t flags = classify(cpu, gva, page, ram);
    uint64_t tag = align_down(gva, PAGE_SIZE);
    bool fast_read = (flags & PAGE_RAM) && !(flags & PAGE_WATCH);
    bool fast_write = fast_read && (flags & PAGE_WRITE) && !(flags & PAGE_CODE);

    if (entry->read == TAG_NONE) {
        bank_note_filled(cpu->bank, entry_index(gva, mmu));
    } else if (!tag_matches(entry->read, gva) && cpu->tlb == cpu->bank->data) {
        push_out(cpu, entry, mmu);
    }
    entry->page = page->gpa | flags;
    entry->addend = ram ? (uint64_t)(uintptr_t)(ram->hva + (page->gpa - ram->gpa)) - tag : 0;
    entry->read = fast_read ? tag : tag ^ TAG_SLOW;
    entry->write = !page->writable ? TAG_NONE : fast_write ? tag : tag ^ TAG_SLOW;
    return entry;
}

static void place_of(const TlbEntry *entry, uint64_t gva, Place *ret_place)
{
    ret_place->gpa = align_down(entry->page, PAGE_SIZE) | gva % PAGE_SIZE;
    ret_place->flags = entry->page % PAGE_SIZE;
    ret_place->hva =
        ret_place->flags & PAGE_RAM ? (uint8_t *)(uintptr_t)(gva + entry->addend) : NULL;
}

/* A page that counted as code when @entry was filled may hold data now: stores to it are fast. */
static void renew(DbtCpu *cpu, TlbEntry *entry)
{
    if ((entry->page & PAGE_CODE) && !cache_is_code(cpu->vm->cache, entry->page)) {
        entry->page &= ~(uint64_t)PAGE_CODE;
        if ((entry->page & PAGE_WRITE) && !(entry->page & PAGE_WATCH)) {
            entry->write ^= TAG_SLOW;
        }
    }
}

/* Where @gva is, for @access (not MMU_FETCH), faulting if need be. */
static bool resolve(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, Place *ret_place)
{
    TlbEntry *entry = tlb_entry(cpu, gva, mmu);
    bool write = access == MMU_WRITE || (mmu & MMU_RMW);
    MmuPage page;

    if (!tag_matches(entry->read, gva)) {
        bank_recall(cpu, entry, gva, mmu);
    }
    if (!tag_matches(write ? entry->write : entry->read, gva)) {
        if (!cpu->isa->walk(cpu, gva, access, mmu, false, &page)) {
            return false;
        }
        entry = fill(cpu, gva, mmu, &page);
    } else if (access == MMU_WRITE) {
        renew(cpu, entry);
    }
    place_of(entry, gva, ret_place);
    return true;
}

static bool crosses_page(uint64_t gva, unsigned size)
{
    return gva % PAGE_SIZE + size > PAGE_SIZE;
}

static bool check_alignment(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu)
{
    if ((mmu & MMU_ALIGN) && gva % size) {
        cpu->isa->misaligned(cpu, gva, mmu);
        return false;
    }
    return true;
}

static void tell_watch(DbtCpu *cpu, uint64_t gva, unsigned size, MmuAccess access,
                       const Place *place)
{
    if (place->flags & PAGE_WATCH) {
        cpu->isa->watch(cpu, gva, size, access);
    }
}

static uint64_t device_read(DbtCpu *cpu, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;

    cpu->exits++;
    if (cpu->isa->mmio(cpu, gpa, size, false, &value)) {
        return value;
    }
    value = gm_mmio_read(cpu->memory, gpa, size);
    if (log_on(cpu->log, LOG_IO)) {
        log_line(cpu->log, LOG_IO,
                 "cpu %u mmio read %u at %" G_GINT64_MODIFIER "x: %" G_GINT64_MODIFIER "x",
                 cpu->index, size, gpa, value);
    }
    return value;
}

static void device_write(DbtCpu *cpu, uint64_t gpa, uint64_t value, unsigned size)
{
    cpu->exits++;
    if (cpu->isa->mmio(cpu, gpa, size, true, &value)) {
        return;
    }
    if (log_on(cpu->log, LOG_IO)) {
        log_line(cpu->log, LOG_IO,
                 "cpu %u mmio write %u at %" G_GINT64_MODIFIER "x: %" G_GINT64_MODIFIER "x",
                 cpu->index, size, gpa, value);
    }
    gm_mmio_write(cpu->memory, gpa, value, size);
    dbt_map_changed(cpu);
}

static uint64_t place_load(DbtCpu *cpu, const Place *place, unsigned size)
{
    return place->hva ? ram_load(place->hva, size) : device_read(cpu, place->gpa, size);
}

/* A page with code is about to change at @gpa: may the store be done in place?  Not if it changes
 * the running block behind its first instruction: that instruction then runs alone. */
static bool may_store_code(DbtCpu *cpu, uint64_t gpa, unsigned size)
{
    const Block *block = cpu->block;

    if (block && block->n_insns > 1 && block_covers(block, gpa, size)) {
        cpu->fault = FAULT_SINGLE;
        return false;
    }
    return true;
}

/* RAM at @place has changed: so does code that was made of it, or is just being. */
static void after_store(DbtCpu *cpu, const Place *place, unsigned size)
{
    if (place->flags & PAGE_CODE) {
        cache_stored(cpu->vm->cache, place->gpa, size);
    }
}

static bool needs_drop(const DbtCpu *cpu, const Place *place, unsigned size)
{
    return (place->flags & PAGE_CODE) && cache_store_hits(cpu->vm->cache, place->gpa, size);
}

/* Store inside one page; false only for FAULT_SINGLE. */
static bool place_store(DbtCpu *cpu, const Place *place, uint64_t value, unsigned size)
{
    if (!place->hva) {
        device_write(cpu, place->gpa, value, size);
    } else if (!(place->flags & PAGE_WRITE)) {
        device_write(cpu, place->gpa, value, size); /* ROM, which may take commands */
    } else {
        if (needs_drop(cpu, place, size) && !may_store_code(cpu, place->gpa, size)) {
            return false;
        }
        ram_store(place->hva, value, size);
        after_store(cpu, place, size);
    }
    return true;
}

bool mmu_load_bytes(DbtCpu *cpu, uint64_t gva, void *buf, unsigned len, unsigned mmu)
{
    uint8_t *to = buf;

    while (len) {
        Place place;
        unsigned part = MIN(len, PAGE_SIZE - (unsigned)(gva % PAGE_SIZE));
        if (!resolve(cpu, gva, MMU_READ, mmu, &place)) {
            return false;
        }
        tell_watch(cpu, gva, part, MMU_READ, &place);
        for (unsigned i = 0; i < part && !place.hva; i++) {
            to[i] = (uint8_t)device_read(cpu, place.gpa + i, 1);
        }
        if (place.hva) {
            memcpy(to, place.hva, part);
        }
        to += part;
        gva += part;
        len -= part;
    }
    return true;
}

/* Check that all of it can be written before any is. */
static bool probe_store(DbtCpu *cpu, uint64_t gva, unsigned len, unsigned mmu)
{
    while (len) {
        Place place;
        unsigned part = MIN(len, PAGE_SIZE - (unsigned)(gva % PAGE_SIZE));
        if (!resolve(cpu, gva, MMU_WRITE, mmu, &place)) {
            return false;
        }
        if (place.hva && needs_drop(cpu, &place, part) && !may_store_code(cpu, place.gpa, part)) {
            return false;
        }
        gva += part;
        len -= part;
    }
    return true;
}

bool mmu_store_bytes(DbtCpu *cpu, uint64_t gva, const void *buf, unsigned len, unsigned mmu)
{
    const uint8_t *from = buf;

    if (!probe_store(cpu, gva, len, mmu)) {
        return false;
    }
    while (len) {
        Place place;
        unsigned part = MIN(len, PAGE_SIZE - (unsigned)(gva % PAGE_SIZE));
        if (!resolve(cpu, gva, MMU_WRITE, mmu, &place)) {
            return false;
        }
        tell_watch(cpu, gva, part, MMU_WRITE, &place);
        if ((place.flags & PAGE_WRITE) && !(place.flags & PAGE_CODE)) {
            memcpy(place.hva, from, part);
        } else {
            for (unsigned i = 0; i < part; i++) {
                Place byte = { place.gpa + i, place.hva ? place.hva + i : NULL, place.flags };
                place_store(cpu, &byte, from[i], 1);
            }
        }
        from += part;
        gva += part;
        len -= part;
    }
    return true;
}

bool mmu_load(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu, uint64_t *ret_value)
{
    Place place;

    if (!check_alignment(cpu, gva, size, mmu)) {
        return false;
    }
    if (crosses_page(gva, size)) {
        uint64_t value = 0;
        if (!mmu_load_bytes(cpu, gva, &value, size, mmu)) {
            return false;
        }
        *ret_value = value;
        return true;
    }
    if (!resolve(cpu, gva, MMU_READ, mmu, &place)) {
        return false;
    }
    tell_watch(cpu, gva, size, MMU_READ, &place);
    *ret_value = place_load(cpu, &place, size);
    return true;
}

bool mmu_store(DbtCpu *cpu, uint64_t gva, uint64_t value, unsigned size, unsigned mmu)
{
    Place place;

    if (!check_alignment(cpu, gva, size, mmu)) {
        return false;
    }
    if (crosses_page(gva, size)) {
        return mmu_store_bytes(cpu, gva, &value, size, mmu);
    }
    if (!resolve(cpu, gva, MMU_WRITE, mmu, &place)) {
        return false;
    }
    tell_watch(cpu, gva, size, MMU_WRITE, &place);
    return place_store(cpu, &place, value, size);
}

bool mmu_probe(DbtCpu *cpu, uint64_t gva, unsigned len, MmuAccess access, unsigned mmu)
{
    Place place;

    if (access == MMU_WRITE) {
        return probe_store(cpu, gva, len, mmu);
    }
    if (!resolve(cpu, gva, access, mmu, &place)) {
        return false;
    }
    return !crosses_page(gva, len) || resolve(cpu, gva + len - 1, access, mmu, &place);
}

uint64_t mmu_atomic_result(AtomicOp op, uint64_t old, uint64_t operand)
{
    switch (op) {
    case ATOMIC_ADD:
        return old + operand;
    case ATOMIC_AND:
        return old & operand;
    case ATOMIC_OR:
        return old | operand;
    case ATOMIC_XOR:
        return old ^ operand;
    default:
        return operand;
    }
}

/* What an atomic access works on. */
typedef enum Ground {
    GROUND_FAULT, /* recorded */
    GROUND_PLAIN, /* by load and store: nobody can come between */
    GROUND_RAM,   /* place->hva, by the host's atomics; then after_store() */
} Ground;

/* Prepare a read-modify-write of @size bytes at @gva. */
static Ground atomic_ground(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu, Place *place)
{
    if (!check_alignment(cpu, gva, size, mmu) || !probe_store(cpu, gva, size, mmu)) {
        return GROUND_FAULT;
    }
    if (gva % size) {
        if (cpu->vm->n_cpus > 1 && !cpu->alone) {
            cpu->fault = FAULT_ALONE;
            return GROUND_FAULT;
        }
        return GROUND_PLAIN;
    }
    if (!resolve(cpu, gva, MMU_WRITE, mmu, place)) {
        return GROUND_FAULT;
    }
    tell_watch(cpu, gva, size, MMU_WRITE, place);
    if (!place->hva || !(place->flags & PAGE_WRITE)) {
        return GROUND_PLAIN;
    }
    return GROUND_RAM;
}

static uint64_t ram_atomic(uint8_t *hva, AtomicOp op, uint64_t operand, unsigned size)
{
    uint64_t old = ram_load(hva, size), seen;

    for (;;) {
        seen = ram_cas(hva, old, mmu_atomic_result(op, old, operand), size);
        if (seen == old) {
            return old;
        }
        old = seen;
    }
}

bool mmu_atomic(DbtCpu *cpu, AtomicOp op, uint64_t gva, uint64_t operand, unsigned size,
                unsigned mmu, uint64_t *ret_old)
{
    Place place;
    Ground ground = atomic_ground(cpu, gva, size, mmu, &place);

    switch (ground) {
    case GROUND_FAULT:
        return false;
    case GROUND_PLAIN:
        return mmu_load(cpu, gva, size, mmu, ret_old) &&
               mmu_store(cpu, gva, mmu_atomic_result(op, *ret_old, operand), size, mmu);
    case GROUND_RAM:
        *ret_old = ram_atomic(place.hva, op, operand, size);
        after_store(cpu, &place, size);
    }
    return true;
}

bool mmu_cas(DbtCpu *cpu, uint64_t gva, uint64_t expected, uint64_t value, unsigned size,
             unsigned mmu, uint64_t *ret_old)
{
    Place place;
    Ground ground = atomic_ground(cpu, gva, size, mmu, &place);

    expected &= bits_mask(size * 8);
    switch (ground) {
    case GROUND_FAULT:
        return false;
    case GROUND_PLAIN:
        return mmu_load(cpu, gva, size, mmu, ret_old) &&
               (*ret_old != expected || mmu_store(cpu, gva, value, size, mmu));
    case GROUND_RAM:
        *ret_old = ram_cas(place.hva, expected, value, size);
        after_store(cpu, &place, size);
    }
    return true;
}

bool mmu_cas16(DbtCpu *cpu, uint64_t gva, uint64_t expected[2], const uint64_t value[2],
               unsigned mmu, bool *ret_equal)
{
    uint64_t old[2];

    /* no portable 16-byte atomic: be alone.  The store comes last and was probed. */
    if (!probe_store(cpu, gva, 16, mmu)) {
        return false;
    }
    if (cpu->vm->n_cpus > 1 && !cpu->alone) {
        cpu->fault = FAULT_ALONE;
        return false;
    }
    if (!mmu_load_bytes(cpu, gva, old, 16, mmu)) {
        return false;
    }
    bool equal = old[0] == expected[0] && old[1] == expected[1];
    if (equal && !mmu_store_bytes(cpu, gva, value, 16, mmu)) {
        return false;
    }
    memcpy(expected, old, sizeof(old));
    *ret_equal = equal;
    return true;
}

bool mmu_span(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, uint8_t **ret_hva,
              unsigned *ret_len)
{
    Place place;

    if (!resolve(cpu, gva, access, mmu, &place)) {
        return false;
    }
    uint64_t slow = PAGE_WATCH | (access == MMU_WRITE ? PAGE_CODE : 0);
    bool plain =
        place.hva && !(place.flags & slow) && (access != MMU_WRITE || (place.flags & PAGE_WRITE));
    *ret_hva = plain ? place.hva : NULL;
    *ret_len = PAGE_SIZE - (unsigned)(gva % PAGE_SIZE);
    return true;
}

/* --- physical memory -------------------------------------------------------------------------- */

bool mmu_phys_read64(DbtCpu *cpu, uint64_t gpa, uint64_t *ret_value)
{
    const uint8_t *hva = gm_rom(cpu->memory, gpa, 8);

    if (!hva) {
        return false;
    }
    *ret_value = ram_load(hva, 8);
    return true;
}

bool mmu_phys_read32(DbtCpu *cpu, uint64_t gpa, uint32_t *ret_value)
{
    const uint8_t *hva = gm_rom(cpu->memory, gpa, 4);

    if (!hva) {
        return false;
    }
    *ret_value = (uint32_t)ram_load(hva, 4);
    return true;
}

static bool phys_cas(DbtCpu *cpu, uint64_t gpa, uint64_t old, uint64_t value, unsigned size)
{
    uint8_t *hva = gm_ram(cpu->memory, gpa, size);

    if (!hva && gm_rom(cpu->memory, gpa, size)) {
        return true; /* tables in ROM keep their bits as they are */
    }
    if (!hva || ram_cas(hva, old, value, size) != old) {
        return false;
    }
    cache_stored(cpu->vm->cache, gpa, size);
    return true;
}

bool mmu_phys_cas64(DbtCpu *cpu, uint64_t gpa, uint64_t old, uint64_t value)
{
    return phys_cas(cpu, gpa, old, value, 8);
}

bool mmu_phys_cas32(DbtCpu *cpu, uint64_t gpa, uint32_t old, uint32_t value)
{
    return phys_cas(cpu, gpa, old, value, 4);
}
