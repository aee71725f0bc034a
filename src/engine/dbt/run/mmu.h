/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soft MMU: guest virtual addresses to host pointers, through a TLB per vCPU and mmu index.
 *
 * @mmu is an index with MMU_ flags (run/cpu.h).  Each function that returns bool returns false
 * after recording the guest's exception (cpu->fault is set): just return then.
 *
 * An access inside one naturally aligned unit is one atomic access to RAM.  One that crosses a
 * page is checked on both pages before anything is written.
 *
 * Threads: the vCPU's own.
 */
#pragma once

#include "engine/dbt/run/cpu.h"

/* @size is 1, 2, 4 or 8; values are zero-extended. */
bool mmu_load(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu, uint64_t *ret_value);
bool mmu_store(DbtCpu *cpu, uint64_t gva, uint64_t value, unsigned size, unsigned mmu);
/* Any length up to a page; not atomic.  A store checks all of it before it writes any. */
bool mmu_load_bytes(DbtCpu *cpu, uint64_t gva, void *buf, unsigned len, unsigned mmu);
bool mmu_store_bytes(DbtCpu *cpu, uint64_t gva, const void *buf, unsigned len, unsigned mmu);
/* Fault now if a later access of @len bytes (up to a page) would. */
bool mmu_probe(DbtCpu *cpu, uint64_t gva, unsigned len, MmuAccess access, unsigned mmu);

typedef enum AtomicOp {
    ATOMIC_XCHG,
    ATOMIC_ADD,
    ATOMIC_AND,
    ATOMIC_OR,
    ATOMIC_XOR,
} AtomicOp;
/* What an operation stores over @old. */
uint64_t mmu_atomic_result(AtomicOp op, uint64_t old, uint64_t operand);
/* Read-modify-write as one step; @size 1 to 8. */
bool mmu_atomic(DbtCpu *cpu, AtomicOp op, uint64_t gva, uint64_t operand, unsigned size,
                unsigned mmu, uint64_t *ret_old);
bool mmu_cas(DbtCpu *cpu, uint64_t gva, uint64_t expected, uint64_t value, unsigned size,
             unsigned mmu, uint64_t *ret_old);
/* The same for 16 bytes at an aligned address: @expected is replaced by the old value;
 * *ret_equal says whether it was stored. */
bool mmu_cas16(DbtCpu *cpu, uint64_t gva, uint64_t expected[2], const uint64_t value[2],
               unsigned mmu, bool *ret_equal);

/* For string instructions: the hva of @gva for @access and how many bytes follow it in its page.
 * *ret_hva is NULL if the page isn't plain RAM (device, code being written, watched): go byte by
 * byte through mmu_load() and mmu_store() then.  False: fault. */
bool mmu_span(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, uint8_t **ret_hva,
              unsigned *ret_len);

/* The same if the TLB knows the page as one that needs nothing but the memory; else NULL. */
static inline uint8_t *mmu_fast_span(const DbtCpu *cpu, uint64_t gva, MmuAccess access,
                                     unsigned mmu)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, mmu);
    uint64_t tag = access == MMU_WRITE ? entry->write : entry->read;

    return tag == gva - gva % PAGE_SIZE ? (uint8_t *)(uintptr_t)(gva + entry->addend) : NULL;
}

/* Physical memory, for page tables: RAM only; false: not RAM (the walk reads ones then). */
bool mmu_phys_read64(DbtCpu *cpu, uint64_t gpa, uint64_t *ret_value);
bool mmu_phys_read32(DbtCpu *cpu, uint64_t gpa, uint32_t *ret_value);
/* Set bits atomically if the entry still is @old; false: it changed, walk again. */
bool mmu_phys_cas64(DbtCpu *cpu, uint64_t gpa, uint64_t old, uint64_t value);
bool mmu_phys_cas32(DbtCpu *cpu, uint64_t gpa, uint32_t old, uint32_t value);

/* --- address spaces ---------------------------------------------------------------------------
 * Translations are kept in banks, one for each of the last MMU_BANKS address spaces, named by a
 * tag of the guest's (x86: PCID).  Global ones count in every space. */

void mmu_init(DbtCpu *cpu);
void mmu_fini(DbtCpu *cpu);
/* Space @tag is the current one from now on; @flush: forget its translations, but global ones. */
void mmu_switch(DbtCpu *cpu, uint64_t tag, bool flush);
/* Forget translations: all; all but global ones; those of one page in every space. */
void mmu_flush(DbtCpu *cpu);
void mmu_flush_non_global(DbtCpu *cpu);
/* Those of space @tag alone, but global ones. */
void mmu_flush_space(DbtCpu *cpu, uint64_t tag);
void mmu_flush_page(DbtCpu *cpu, uint64_t gva);

/* The jump caches of all spaces are wrong: blocks are gone. */
void mmu_forget_jumps(DbtCpu *cpu);

/* Where code at @gva is, for cpu->key's context.  False: fault.  mmu_fetch_known() asks only what
 * is remembered, and never faults. */
bool mmu_fetch(DbtCpu *cpu, uint64_t gva, uint64_t *ret_gpa);
bool mmu_fetch_known(DbtCpu *cpu, uint64_t gva, uint64_t *ret_gpa);
/* The page at @gpa became code: accesses to it take the slow path.  The vCPU stands still. */
void mmu_slow_page(DbtCpu *cpu, uint64_t gpa);
