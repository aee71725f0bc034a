/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Banks of translations, one for each address space that is remembered: shared by mmu.c, which
 * fills them, and banks.c, which forgets.  Others use mmu.h.
 *
 * Threads: the vCPU's own, or any while it stands still.
 */
#pragma once

#include "common/bits.h"
#include "engine/dbt/run/mmu.h"

enum {
    MMU_BANKS = 6,      /* address spaces remembered: Linux uses six PCIDs for user processes */
    CODE_ENTRIES = 256, /* per bank */
    CODE_FILTER = 4096, /* bits */
    FILLED = 512,       /* entries remembered one by one, so that forgetting them is quick */
    VICTIMS = 8,        /* entries per mmu index that others pushed out of their place */
    BANK_ENTRIES = MMU_INDEXES * (TLB_ENTRIES + VICTIMS),
};

/* Where a page of code is. */
typedef struct CodeEntry {
    uint64_t page; /* gva, or TAG_NONE */
    uint64_t gpa;
    uint32_t key; /* context: it decides who may execute */
    bool global, large;
} CodeEntry;

struct MmuBank {
    JumpCacheEntry jumps[JUMP_CACHE_ENTRIES];
    TlbEntry data[BANK_ENTRIES]; /* [MMU_INDEXES][TLB_ENTRIES], then [MMU_INDEXES][VICTIMS] */
    uint8_t next_victim[MMU_INDEXES];
    /* a bit by place: clear if no page of it can be among the victims */
    uint64_t victim_filter[TLB_ENTRIES / 64];
    CodeEntry code[CODE_ENTRIES];
    /* a bit by page: clear if no code was found there in this generation, so that no good entry of
     * the jump cache can be of that page */
    uint64_t code_filter[CODE_FILTER / 64];
    uint64_t tag;
    uint64_t left; /* when it was last switched away from */
    uint32_t generation;
    unsigned n_filled; /* above FILLED: too many to remember */
    uint16_t filled[FILLED];
    bool used; /* else all is zero but .tag, and it holds nothing */
    bool has_large_pages;
    uint64_t large_from, large_to; /* all pieces of large mappings lie in between */
};

static inline unsigned entry_index(uint64_t gva, unsigned mmu)
{
    return (mmu & MMU_INDEX) * TLB_ENTRIES + (unsigned)((gva / PAGE_SIZE) % TLB_ENTRIES);
}

static inline unsigned victim_index(unsigned mmu, unsigned i)
{
    return MMU_INDEXES * TLB_ENTRIES + (mmu & MMU_INDEX) * VICTIMS + i;
}

/* The page with tag @tag is among the victims; whether that of @gva may be. */
static inline void note_victim(MmuBank *bank, uint64_t tag)
{
    unsigned place = entry_index(tag, 0);

    bank->victim_filter[place / 64] |= UINT64_C(1) << place % 64;
}

static inline bool may_be_victim(const MmuBank *bank, uint64_t gva)
{
    unsigned place = entry_index(gva, 0);

    return bit_test(bank->victim_filter[place / 64], place % 64);
}

/* Does the tag, fast or slow, name the page of @gva? */
static inline bool tag_matches(uint64_t tag, uint64_t gva)
{
    return (tag & ~TAG_SLOW) == (align_down(gva, PAGE_SIZE) & ~TAG_SLOW) &&
           ((tag ^ gva) >> 63) == 0 && tag != TAG_NONE;
}

/* The bank holds a piece of a mapping of @size bytes at @gva. */
void bank_note_large(MmuBank *bank, uint64_t gva, uint64_t size);
/* Remember that the entry at @at holds something, for a quick flush. */
static inline void bank_note_filled(MmuBank *bank, unsigned at)
{
    if (bank->n_filled < FILLED) {
        bank->filled[bank->n_filled] = (uint16_t)at;
    }
    if (bank->n_filled <= FILLED) {
        bank->n_filled++;
    }
}

/* The page of @gva, whose place is @entry, may have been pushed out: if so, it and what is there
 * change places. */
static inline void bank_recall(DbtCpu *cpu, TlbEntry *entry, uint64_t gva, unsigned mmu)
{
    if (cpu->tlb != cpu->bank->data) { /* the one of check.c */
        return;
    }
    for (unsigned i = 0; i < VICTIMS; i++) {
        TlbEntry *victim = &cpu->bank->data[victim_index(mmu, i)], other = *entry;
        if (tag_matches(victim->read, gva)) {
            if (other.read == TAG_NONE) {
                bank_note_filled(cpu->bank, entry_index(gva, mmu));
            }
            *entry = *victim;
            *victim = other;
            return;
        }
    }
}
