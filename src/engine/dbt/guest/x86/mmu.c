/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page walks (SDM volume 3, chapter 4): 32-bit paging with PSE-36, PAE, and 4 levels.
 *
 * One loop serves all three: a const Paging says how many levels there are and how wide entries
 * and indexes are.  The walk goes down without writing; when the access is allowed, accessed and
 * dirty bits are set by compare-and-swap, and a race starts it anew.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/system.h"

enum {
    PTE_P = 1 << 0,
    PTE_W = 1 << 1,
    PTE_U = 1 << 2,
    PTE_A = 1 << 5,
    PTE_D = 1 << 6,
    PTE_PS = 1 << 7,
    PTE_G = 1 << 8,
};
#define PTE_NX      (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

/* Error code of #PF. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

enum { MAX_LEVELS = 4 };

typedef struct Paging {
    unsigned levels, index_bits, entry_size;
} Paging;

static const Paging paging_32 = { 2, 10, 4 };
static const Paging paging_pae = { 2, 9, 8 };
static const Paging paging_long = { 4, 9, 8 };

typedef struct Walk {
    const Paging *paging;
    unsigned depth; /* entries read */
    struct {
        uint64_t gpa, value;
    } entry[MAX_LEVELS];
    unsigned shift;   /* of the leaf: its page has 1 << shift bytes */
    uint64_t allowed; /* PTE_W, PTE_U of all entries and-ed; PTE_NX or-ed */
    uint32_t error;   /* PF_P, PF_RSVD of a failed walk */
} Walk;

static const Paging *current_paging(const X86Cpu *cpu)
{
    if (x86_long_mode(cpu)) {
        return &paging_long;
    }
    return cpu->cr4 & CR4_PAE ? &paging_pae : &paging_32;
}

/* Where the walk begins; false: a PDPTR isn't present. */
static bool root(const X86Cpu *cpu, const Paging *paging, uint64_t gva, uint64_t *ret_table)
{
    if (paging == &paging_pae) {
        uint64_t entry = cpu->pdptr[(gva >> 30) & 3];
        *ret_table = entry & PTE_ADDRESS;
        return entry & PTE_P;
    }
    *ret_table = paging == &paging_long ? cpu->cr3 & PTE_ADDRESS : cpu->cr3 & 0xfffff000;
    return true;
}

static bool read_entry(X86Cpu *cpu, uint64_t gpa, unsigned size, uint64_t *ret_value)
{
    uint32_t narrow = UINT32_MAX;

    if (size == 8) {
        *ret_value = UINT64_MAX; /* where no RAM is, the bus reads ones */
        return mmu_phys_read64(&cpu->base, gpa, ret_value);
    }
    bool ram = mmu_phys_read32(&cpu->base, gpa, &narrow);
    *ret_value = narrow;
    return ram;
}

/* Bits that must be 0 in @entry, which maps a page if @leaf, with @shift address bits below. */
static uint64_t reserved_bits(const X86Cpu *cpu, const Walk *walk, uint64_t entry, unsigned shift,
                              bool leaf)
{
    const uint64_t wide = PTE_ADDRESS & ~bits_mask(X86_PHYS_BITS);
    uint64_t bits;

    if (walk->paging->entry_size == 4) {
        return leaf && shift == 22 ? 1U << 21 : 0; /* PSE-36: address bits 39:32 in 20:13 */
    }
    bits = wide | (cpu->msr.efer & EFER_NXE ? 0 : PTE_NX);
    if (walk->paging == &paging_pae) {
        bits |= UINT64_C(0x7ff) << 52;
    }
    if (leaf && shift > 12) {
        bits |= bits_mask(shift) & ~bits_mask(13); /* bit 12 is PAT */
    } else if (shift == 39) {
        bits |= PTE_PS;
    }
    return bits;
}

static bool maps_large_page(const X86Cpu *cpu, const Walk *walk, uint64_t entry, unsigned shift)
{
    if (!(entry & PTE_PS) || shift == 12 || shift == 39) {
        return false;
    }
    return walk->paging != &paging_32 || (cpu->cr4 & CR4_PSE);
}

/* Go down to the entry that maps @gva.  False: .error says why there is none. */
static bool descend(X86Cpu *cpu, uint64_t gva, Walk *walk)
{
    const Paging *paging = walk->paging;
    uint64_t table;

    walk->depth = 0;
    walk->allowed = PTE_W | PTE_U;
    walk->error = 0;
    if (!root(cpu, paging, gva, &table)) {
        return false;
    }
    for (unsigned level = paging->levels;; level--) {
        unsigned shift = 12 + (level - 1) * paging->index_bits;
        uint64_t index = bits_get(gva, shift, paging->index_bits);
        uint64_t gpa = table + index * paging->entry_size;
        uint64_t entry;
        read_entry(cpu, gpa, paging->entry_size, &entry);
        if (!(entry & PTE_P)) {
            return false;
        }
        bool leaf = level == 1 || maps_large_page(cpu, walk, entry, shift);
        if (entry & reserved_bits(cpu, walk, entry, shift, leaf)) {
            walk->error = PF_P | PF_RSVD;
            return false;
        }
        walk->entry[walk->depth].gpa = gpa;
        walk->entry[walk->depth++].value = entry;
        walk->allowed &= entry | ~(uint64_t)(PTE_W | PTE_U);
        walk->allowed |= entry & PTE_NX;
        if (leaf) {
            walk->shift = shift;
            return true;
        }
        table = entry & (paging->entry_size == 4 ? 0xfffff000 : PTE_ADDRESS);
    }
}

/* May a data access of this kind write / read / may code be fetched, by the walk's rights? */
static bool may_read(const X86Cpu *cpu, const Walk *walk, unsigned mmu)
{
    bool user = walk->allowed & PTE_U;

    if ((mmu & MMU_INDEX) == MMU_USER) {
        return user;
    }
    return !user || !(cpu->cr4 & CR4_SMAP) || (mmu & MMU_INDEX) == MMU_KERNEL_AC;
}

static bool may_write(const X86Cpu *cpu, const Walk *walk, unsigned mmu)
{
    bool read_only_counts = (mmu & MMU_INDEX) == MMU_USER || (cpu->cr0 & CR0_WP);

    return may_read(cpu, walk, mmu) && (!read_only_counts || (walk->allowed & PTE_W));
}

static bool may_fetch(const X86Cpu *cpu, const Walk *walk, unsigned mmu)
{
    bool user = walk->allowed & PTE_U;

    if (walk->allowed & PTE_NX) {
        return false;
    }
    return (mmu & MMU_INDEX) == MMU_USER ? user : !user || !(cpu->cr4 & CR4_SMEP);
}

static bool may_access(const X86Cpu *cpu, const Walk *walk, MmuAccess access, unsigned mmu)
{
    switch (access) {
    case MMU_WRITE:
        return may_write(cpu, walk, mmu);
    case MMU_FETCH:
        return may_fetch(cpu, walk, mmu);
    default:
        return may_read(cpu, walk, mmu);
    }
}

/* Set accessed bits, and the leaf's dirty bit for a write.  False: an entry changed meanwhile. */
static bool mark_used(X86Cpu *cpu, Walk *walk, MmuAccess access)
{
    for (unsigned i = 0; i < walk->depth; i++) {
        uint64_t old = walk->entry[i].value;
        uint64_t used = old | PTE_A;
        bool done;
        if (i == walk->depth - 1 && access == MMU_WRITE) {
            used |= PTE_D;
        }
        if (used == old) {
            continue;
        }
        if (walk->paging->entry_size == 8) {
            done = mmu_phys_cas64(&cpu->base, walk->entry[i].gpa, old, used);
        } else {
            done = mmu_phys_cas32(&cpu->base, walk->entry[i].gpa, (uint32_t)old, (uint32_t)used);
        }
        if (!done) {
            return false;
        }
        walk->entry[i].value = used;
    }
    return true;
}

static uint64_t leaf_gpa(const Walk *walk, uint64_t gva)
{
    uint64_t entry = walk->entry[walk->depth - 1].value;
    uint64_t base = entry & PTE_ADDRESS & ~bits_mask(walk->shift);

    if (walk->paging->entry_size == 4) {
        base = entry & 0xffffffff & ~bits_mask(walk->shift);
        base |= walk->shift == 22 ? bits_get(entry, 13, 8) << 32 : 0;
    }
    return base | (gva & bits_mask(walk->shift) & ~bits_mask(12));
}

static bool fault(X86Cpu *cpu, const Walk *walk, uint64_t gva, MmuAccess access, unsigned mmu)
{
    bool fetch_shows =
        (cpu->cr4 & CR4_SMEP) || ((cpu->msr.efer & EFER_NXE) && walk->paging != &paging_32);
    uint32_t error = walk->error;

    error |= access == MMU_WRITE ? PF_W : 0;
    error |= access == MMU_FETCH && fetch_shows ? PF_I : 0;
    error |= (mmu & MMU_INDEX) == MMU_USER ? PF_U : 0;
    return x86_raise_page_fault(cpu, gva, error);
}

static bool walk_tables(X86Cpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu,
                        MmuPage *ret_page)
{
    Walk walk = { .paging = current_paging(cpu) };
    bool present;

    do {
        present = descend(cpu, gva, &walk);
        if (!present || !may_access(cpu, &walk, access, mmu)) {
            walk.error |= present ? PF_P : 0;
            return fault(cpu, &walk, gva, access, mmu);
        }
    } while (!mark_used(cpu, &walk, access));

    uint64_t leaf = walk.entry[walk.depth - 1].value;
    *ret_page = (MmuPage){
        .gpa = leaf_gpa(&walk, gva),
        .size = UINT64_C(1) << walk.shift,
        .writable = (leaf & PTE_D) && may_write(cpu, &walk, mmu),
        .executable = may_fetch(cpu, &walk, mmu),
        .global = (leaf & PTE_G) && (cpu->cr4 & CR4_PGE),
    };
    return true;
}

/* A debugger's look: permissions don't matter. */
static bool probe_tables(X86Cpu *cpu, uint64_t gva, MmuPage *ret_page)
{
    Walk walk = { .paging = current_paging(cpu) };

    if (!descend(cpu, gva, &walk)) {
        return false;
    }
    *ret_page = (MmuPage){ .gpa = leaf_gpa(&walk, gva), .size = UINT64_C(1) << walk.shift };
    return true;
}

bool x86_page_walk(DbtCpu *base, uint64_t gva, MmuAccess access, unsigned mmu, bool probe,
                   MmuPage *ret_page)
{
    X86Cpu *cpu = x86_cpu(base);

    if (!x86_long_mode(cpu)) {
        gva &= UINT32_MAX;
    } else if (!x86_canonical(gva)) {
        return !probe && x86_raise_error(cpu, mmu & MMU_STACK ? EXC_SS : EXC_GP, 0);
    }
    if (!(cpu->cr0 & CR0_PG)) {
        *ret_page = (MmuPage){ .gpa = align_down(gva, PAGE_SIZE),
                               .size = PAGE_SIZE,
                               .writable = true,
                               .executable = true };
        return true;
    }
    if (access == MMU_FETCH) {
        mmu = cpu->cpl == 3 ? MMU_USER : MMU_KERNEL;
    } else if (access == MMU_READ && (mmu & MMU_RMW)) {
        access = MMU_WRITE;
    }
    if (probe) {
        return probe_tables(cpu, gva, ret_page);
    }
    return walk_tables(cpu, gva, access, mmu, ret_page);
}

void x86_misaligned(DbtCpu *cpu, uint64_t gva, unsigned mmu)
{
    x86_raise_error(x86_cpu(cpu), EXC_GP, 0); /* SSE operands; #AC is check_alignment's */
}
