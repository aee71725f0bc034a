/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page walk that changes nothing, for debuggers (SDM 3, 4.3 to 4.5), see x86.h.
 *
 * One loop over levels: what differs between the paging modes is the size of an entry, the bits
 * of the address that a level takes, and at which levels an entry may map a large page.
 *
 * Threads: no state.
 */
#include "common/bits.h"
#include "engine/x86/registers.h"
#include "engine/x86/x86.h"

enum { ENTRY_PRESENT = 1, ENTRY_LARGE = 0x80 };

#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

/* How the current mode walks. */
typedef struct Walk {
    unsigned levels;     /* tables to go through */
    unsigned entry_size; /* 4 or 8 bytes */
    unsigned index_bits; /* address bits per level */
    bool large_ok[6];    /* by level, 1 is the page table */
} Walk;

static bool read_entry(const GuestMemory *memory, uint64_t gpa, unsigned size, uint64_t *ret_entry)
{
    uint8_t bytes[8] = { 0 };

    if (!gm_read(memory, gpa, bytes, size)) {
        return false;
    }
    *ret_entry = load_le64(bytes);
    return true;
}

/* A 4 MiB page of 32-bit paging keeps address bits 39:32 in its bits 20:13 (PSE-36). */
static uint64_t large_base(const Walk *walk, uint64_t entry, unsigned shift)
{
    if (walk->entry_size == 4) {
        return (entry & 0xffc00000) | bits_get(entry, 13, 8) << 32;
    }
    return entry & ENTRY_ADDRESS & ~bits_mask(shift);
}

static bool walk_tables(const GuestMemory *memory, const Walk *walk, uint64_t table, uint64_t gva,
                        uint64_t *ret_gpa)
{
    for (unsigned level = walk->levels; level > 0; level--) {
        unsigned shift = 12 + (level - 1) * walk->index_bits;
        uint64_t index = bits_get(gva, shift, walk->index_bits);
        uint64_t entry;
        if (!read_entry(memory, table + index * walk->entry_size, walk->entry_size, &entry) ||
            !(entry & ENTRY_PRESENT)) {
            return false;
        }
        if (level > 1 && walk->large_ok[level] && (entry & ENTRY_LARGE)) {
            *ret_gpa = large_base(walk, entry, shift) | (gva & bits_mask(shift));
            return true;
        }
        table = entry & ENTRY_ADDRESS;
    }
    *ret_gpa = table | (gva & 0xfff);
    return true;
}

bool x86_walk(const GuestMemory *memory, const X86State *state, uint64_t gva, uint64_t *ret_gpa)
{
    bool pse = state->cr4 & X86_CR4_PSE;
    const Walk legacy = { 2, 4, 10, { [2] = pse } };
    const Walk pae = { 2, 8, 9, { [2] = true } };
    const Walk four = { 4, 8, 9, { [2] = true, [3] = true } };
    const Walk five = { 5, 8, 9, { [2] = true, [3] = true } };
    uint64_t cr3 = state->cr3 & ENTRY_ADDRESS;

    if (!(state->cr0 & X86_CR0_PG)) {
        *ret_gpa = gva & UINT32_MAX;
        return true;
    }
    if (state->msr.efer & X86_EFER_LMA) {
        bool la57 = state->cr4 & X86_CR4_LA57;
        if ((uint64_t)sign_extend(gva, la57 ? 57 : 48) != gva) {
            return false;
        }
        return walk_tables(memory, la57 ? &five : &four, cr3, gva, ret_gpa);
    }
    gva &= UINT32_MAX;
    if (!(state->cr4 & X86_CR4_PAE)) {
        return walk_tables(memory, &legacy, cr3 & UINT32_MAX, gva, ret_gpa);
    }
    uint64_t pdpte = state->pdptr[gva >> 30];
    return (pdpte & ENTRY_PRESENT) &&
           walk_tables(memory, &pae, pdpte & ENTRY_ADDRESS, gva, ret_gpa);
}
