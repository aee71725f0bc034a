/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address spaces of the soft MMU: which translations are remembered and when they are forgotten,
 * see mmu.h.
 *
 * A flush costs as much as was filled in since the last one, up to FILLED entries; then it looks
 * at all.  Jump cache entries name the generation they were checked against; a new one makes
 * them go through mmu_fetch_known() once.
 */
#include "engine/dbt/run/banks.h"

#include <string.h>

void bank_note_large(MmuBank *bank, uint64_t gva, uint64_t size)
{
    if (size == PAGE_SIZE) {
        return;
    }
    uint64_t from = align_down(gva, size), to = from + (size - 1);
    if (!bank->has_large_pages || from < bank->large_from) {
        bank->large_from = from;
    }
    if (!bank->has_large_pages || to > bank->large_to) {
        bank->large_to = to;
    }
    bank->has_large_pages = true;
}

/* --- address spaces --------------------------------------------------------------------------- */

static void clear(TlbEntry *entry)
{
    entry->read = TAG_NONE;
    entry->write = TAG_NONE;
}

/* Generations name what jump cache entries were checked against; the filter is of those that are
 * good in this one. */
static void new_generation(DbtCpu *cpu, MmuBank *bank)
{
    memset(bank->code_filter, 0, sizeof(bank->code_filter));
    bank->generation = ++cpu->generations;
    if (bank == cpu->bank) {
        cpu->tlb_generation = bank->generation;
        cpu->key_stale = true;
    }
}

/* How many entries to look at for all that @bank holds: *ret_all says whether these are simply
 * all, or those in .filled. */
static unsigned n_held(const MmuBank *bank, bool *ret_all)
{
    *ret_all = bank->n_filled > FILLED;
    return *ret_all ? BANK_ENTRIES : bank->n_filled;
}

/* After entries were forgotten: which places have pages among the victims. */
static void renew_victim_filter(MmuBank *bank)
{
    memset(bank->victim_filter, 0, sizeof(bank->victim_filter));
    for (unsigned i = MMU_INDEXES * TLB_ENTRIES; i < BANK_ENTRIES; i++) {
        if (bank->data[i].read != TAG_NONE) {
            note_victim(bank, bank->data[i].read);
        }
    }
}

/* Forget all of @bank, or all but global translations. */
static void flush_bank(DbtCpu *cpu, MmuBank *bank, bool global)
{
    bool all;
    unsigned n = n_held(bank, &all), kept = 0;

    if (!bank->used) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned at = all ? i : bank->filled[i];
        if (global || !(bank->data[at].page & PAGE_GLOBAL)) {
            clear(&bank->data[at]);
        } else if (!all) {
            bank->filled[kept++] = (uint16_t)at;
        }
    }
    if (!all || global) {
        bank->n_filled = kept;
    }
    renew_victim_filter(bank);
    for (unsigned i = 0; i < CODE_ENTRIES; i++) {
        if (global || !bank->code[i].global) {
            bank->code[i].page = TAG_NONE;
        }
    }
    bank->has_large_pages &= !global;
    new_generation(cpu, bank);
}

/* Banks are made ready when they are first used: most guests that begin need one, and pages that
 * are never touched cost neither time nor memory. */
static void use(DbtCpu *cpu, MmuBank *bank)
{
    if (!bank->used) {
        bank->used = true;
        bank->n_filled = FILLED + 1;
        flush_bank(cpu, bank, true);
    }
    cpu->bank = bank;
    cpu->tlb = bank->data;
    cpu->jumps = bank->jumps;
}

void mmu_init(DbtCpu *cpu)
{
    cpu->banks = g_new0(MmuBank, MMU_BANKS);
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        cpu->banks[i].tag = i; /* distinct; whose they are doesn't matter while they are empty */
    }
    use(cpu, &cpu->banks[0]);
    new_generation(cpu, cpu->bank);
}

void mmu_fini(DbtCpu *cpu)
{
    g_free(cpu->banks);
}

void mmu_forget_jumps(DbtCpu *cpu)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        if (cpu->banks[i].used) {
            memset(cpu->banks[i].jumps, 0, sizeof(cpu->banks[i].jumps));
        }
    }
}

static MmuBank *find_bank(DbtCpu *cpu, uint64_t tag)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        if (cpu->banks[i].tag == tag) {
            return &cpu->banks[i];
        }
    }
    /* the one that was left longest ago */
    MmuBank *bank = cpu->bank == &cpu->banks[0] ? &cpu->banks[1] : &cpu->banks[0];
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        if (&cpu->banks[i] != cpu->bank && cpu->banks[i].left < bank->left) {
            bank = &cpu->banks[i];
        }
    }
    flush_bank(cpu, bank, true);
    bank->tag = tag;
    return bank;
}

void mmu_switch(DbtCpu *cpu, uint64_t tag, bool flush)
{
    MmuBank *bank = find_bank(cpu, tag);

    if (bank != cpu->bank) {
        cpu->bank->left = ++cpu->switches;
        use(cpu, bank);
        cpu->tlb_generation = bank->generation;
        cpu->key_stale = true;
    }
    if (flush) {
        flush_bank(cpu, bank, false);
    }
}

void mmu_flush(DbtCpu *cpu)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        flush_bank(cpu, &cpu->banks[i], true);
    }
}

void mmu_flush_non_global(DbtCpu *cpu)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        flush_bank(cpu, &cpu->banks[i], false);
    }
}

void mmu_flush_space(DbtCpu *cpu, uint64_t tag)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        if (cpu->banks[i].tag == tag) {
            flush_bank(cpu, &cpu->banks[i], false);
        }
    }
}

static void flush_large_pages(MmuBank *bank)
{
    for (unsigned i = 0; i < BANK_ENTRIES; i++) {
        if (bank->data[i].page & PAGE_LARGE) {
            clear(&bank->data[i]);
        }
    }
    for (unsigned i = 0; i < CODE_ENTRIES; i++) {
        if (bank->code[i].large) {
            bank->code[i].page = TAG_NONE;
        }
    }
}

/* True if the page of @gva in @bank is, as far as anybody remembers, part of a large one. */
static bool was_large(const MmuBank *bank, uint64_t gva)
{
    return bank->has_large_pages && gva >= bank->large_from && gva <= bank->large_to;
}

static unsigned code_index(uint64_t gva)
{
    return (unsigned)((gva / PAGE_SIZE) % CODE_ENTRIES);
}

static unsigned filter_index(uint64_t gva)
{
    return (unsigned)((gva / PAGE_SIZE * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % CODE_FILTER;
}

/* The page of @gva in one bank.  The jump cache is asked anew only if code may be there. */
static void flush_code_page(DbtCpu *cpu, MmuBank *bank, uint64_t gva)
{
    CodeEntry *entry = &bank->code[code_index(gva)];
    unsigned bit = filter_index(gva);

    if (entry->page == align_down(gva, PAGE_SIZE)) {
        entry->page = TAG_NONE;
    }
    if (bit_test(bank->code_filter[bit / 64], bit % 64)) {
        new_generation(cpu, bank);
    }
}

static void clear_if(TlbEntry *entry, uint64_t gva)
{
    if (tag_matches(entry->read, gva)) {
        clear(entry);
    }
}

static void flush_page_in(DbtCpu *cpu, MmuBank *bank, uint64_t gva)
{
    for (unsigned mmu = 0; mmu < MMU_INDEXES; mmu++) {
        clear_if(&bank->data[entry_index(gva, mmu)], gva);
    }
    if (may_be_victim(bank, gva)) {
        for (unsigned i = MMU_INDEXES * TLB_ENTRIES; i < BANK_ENTRIES; i++) {
            clear_if(&bank->data[i], gva);
        }
    }
    flush_code_page(cpu, bank, gva);
    if (was_large(bank, gva)) {
        flush_large_pages(bank);
        new_generation(cpu, bank);
    }
}

void mmu_flush_page(DbtCpu *cpu, uint64_t gva)
{
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        if (cpu->banks[i].used) {
            flush_page_in(cpu, &cpu->banks[i], gva);
        }
    }
}

void mmu_slow_page(DbtCpu *cpu, uint64_t gpa)
{
    uint64_t page = align_down(gpa, PAGE_SIZE);

    for (unsigned b = 0; b < MMU_BANKS; b++) {
        MmuBank *bank = &cpu->banks[b];
        bool all;
        unsigned n = n_held(bank, &all);
        for (unsigned i = 0; i < n; i++) {
            TlbEntry *entry = &bank->data[all ? i : bank->filled[i]];
            if (align_down(entry->page, PAGE_SIZE) == page) {
                clear(entry);
            }
        }
    }
}

/* --- code ------------------------------------------------------------------------------------- */

bool mmu_fetch_known(DbtCpu *cpu, uint64_t gva, uint64_t *ret_gpa)
{
    const CodeEntry *entry = &cpu->bank->code[code_index(gva)];
    unsigned bit = filter_index(gva);

    if (entry->page != align_down(gva, PAGE_SIZE) || entry->key != (uint32_t)cpu->key) {
        return false;
    }
    cpu->bank->code_filter[bit / 64] |= UINT64_C(1) << bit % 64;
    *ret_gpa = entry->gpa | gva % PAGE_SIZE;
    return true;
}

bool mmu_fetch(DbtCpu *cpu, uint64_t gva, uint64_t *ret_gpa)
{
    unsigned bit = filter_index(gva);
    MmuPage page;

    if (mmu_fetch_known(cpu, gva, ret_gpa)) {
        return true;
    }
    if (!cpu->isa->walk(cpu, gva, MMU_FETCH, 0, false, &page)) {
        return false;
    }
    bank_note_large(cpu->bank, gva, page.size);
    cpu->bank->code[code_index(gva)] = (CodeEntry){ .page = align_down(gva, PAGE_SIZE),
                                                    .gpa = page.gpa,
                                                    .key = (uint32_t)cpu->key,
                                                    .global = page.global,
                                                    .large = page.size > PAGE_SIZE };
    cpu->bank->code_filter[bit / 64] |= UINT64_C(1) << bit % 64;
    *ret_gpa = page.gpa | gva % PAGE_SIZE;
    return true;
}
