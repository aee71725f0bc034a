/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VEX-coded instructions that touch memory element by element: VMASKMOV, VPMASKMOV, VGATHER,
 * VPGATHER; and PDEP and PEXT (SDM volume 2).
 *
 * What the mask leaves out is not touched and cannot fault.  A gather that faults keeps what it
 * had: elements that are done are in the destination and out of the mask.
 *
 * Threads: the vCPU's own.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/mmu.h"
#include "engine/dbt/run/ram.h"

/* Whether the sign of element @i is set. */
static bool is_chosen(const X86Vector *mask, unsigned i, unsigned size)
{
    return mask->u8[(i + 1) * size - 1] >> 7;
}

/* An element of 4 or 8 bytes, as a rule by its TLB entry, which is found by the first byte and
 * compared with the last one's page. */
static inline bool load_element(DbtCpu *cpu, uint64_t gva, unsigned size, unsigned mmu,
                                uint64_t *ret)
{
    const TlbEntry *entry = tlb_entry(cpu, gva, mmu);

    if (align_down(gva + size - 1, PAGE_SIZE) == entry->read) {
        *ret = ram_load((const void *)(uintptr_t)(gva + entry->addend), size);
        return true;
    }
    return mmu_load(cpu, gva, size, mmu, ret);
}

static void put_element(X86Vector *to, unsigned i, unsigned size, uint64_t value)
{
    if (size == 4) {
        to->u32[i] = (uint32_t)value;
    } else {
        to->u64[i] = value;
    }
}

/* @places: the data's register | mask's << 8.  @how: mmu index and flags | bytes of all << 8 |
 * bytes of an element << 16. */
uint64_t x86_helper_mask_load(DbtCpu *base, uint64_t gva, uint64_t places, uint64_t how)
{
    X86Cpu *cpu = x86_cpu(base);
    const X86Vector *mask = &cpu->vector[places >> 8 & 15];
    unsigned mmu = how & 0xff, bytes = how >> 8 & 0xff, size = how >> 16 & 0xff;
    X86Vector result = { 0 };

    for (unsigned i = 0; i < bytes / size; i++) {
        uint64_t value = 0;
        if (is_chosen(mask, i, size) && !load_element(base, gva + i * size, size, mmu, &value)) {
            return 0;
        }
        put_element(&result, i, size, value);
    }
    cpu->vector[places & 15] = result;
    return 0;
}

uint64_t x86_helper_mask_store(DbtCpu *base, uint64_t gva, uint64_t places, uint64_t how)
{
    X86Cpu *cpu = x86_cpu(base);
    const X86Vector *mask = &cpu->vector[places >> 8 & 15], *data = &cpu->vector[places & 15];
    unsigned mmu = how & 0xff, bytes = how >> 8 & 0xff, size = how >> 16 & 0xff;

    for (unsigned i = 0; i < bytes / size; i++) {
        if (is_chosen(mask, i, size) && !mmu_probe(base, gva + i * size, size, MMU_WRITE, mmu)) {
            return 0;
        }
    }
    for (unsigned i = 0; i < bytes / size; i++) {
        if (is_chosen(mask, i, size)) {
            uint64_t value = size == 4 ? data->u32[i] : data->u64[i];
            mmu_store(base, gva + i * size, value, size, mmu);
        }
    }
    return 0;
}

/* --- gather */

typedef struct Gather {
    X86Cpu *cpu;
    uint64_t base;
    const X86Vector *index;
    unsigned mmu, segment, scale, size, index_size, address_size;
} Gather;

/* Element @i's linear address; false: a segment's fault. */
static bool element_address(const Gather *g, unsigned i, uint64_t *ret)
{
    int64_t index = g->index_size == 4 ? (int32_t)g->index->u32[i] : (int64_t)g->index->u64[i];
    uint64_t offset = g->base + ((uint64_t)index << g->scale);
    DbtCpu *base = &g->cpu->base;

    offset &= bits_mask(8 * g->address_size);
    if (x86_code64(g->cpu)) {
        bool has_base = g->segment == X86_FS || g->segment == X86_GS;
        *ret = offset + (has_base ? g->cpu->segment[g->segment].base : 0);
        return true;
    }
    *ret = x86_helper_seg_check(base, g->segment, offset, g->size);
    return !base->fault;
}

static bool one_element(const Gather *g, unsigned i, X86Vector *to)
{
    uint64_t gva, value;

    if (!element_address(g, i, &gva) ||
        !load_element(&g->cpu->base, gva, g->size, g->mmu, &value)) {
        return false;
    }
    put_element(to, i, g->size, value);
    return true;
}

/* @offset: base and displacement.  @places: destination | mask << 8 | indexes << 16.  @how: mmu |
 * segment << 8 | scale << 12 | L << 15 | element size << 16 | index size << 24 | address
 * size << 32. */
uint64_t x86_helper_gather(DbtCpu *base, uint64_t offset, uint64_t places, uint64_t how)
{
    X86Cpu *cpu = x86_cpu(base);
    X86Vector *to = &cpu->vector[places & 15], *mask = &cpu->vector[places >> 8 & 15];
    const Gather g = { .cpu = cpu,
                       .base = offset,
                       .index = &cpu->vector[places >> 16 & 15],
                       .mmu = how & 0xff,
                       .segment = how >> 8 & 15,
                       .scale = how >> 12 & 3,
                       .size = how >> 16 & 0xff,
                       .index_size = how >> 24 & 0xff,
                       .address_size = (unsigned)(how >> 32) };
    unsigned n = (how >> 15 & 1 ? 32 : 16) / MAX(g.size, g.index_size);

    for (unsigned i = 0; i < n; i++) {
        if (is_chosen(mask, i, g.size) && !one_element(&g, i, to)) {
            return 0;
        }
        memset(mask->u8 + i * g.size, 0, g.size);
    }
    memset(mask, 0, sizeof(*mask));
    memset(to->u8 + n * g.size, 0, sizeof(*to) - n * g.size);
    return 0;
}

/* --- bits */

uint64_t x86_helper_pdep(DbtCpu *cpu, uint64_t source, uint64_t mask, uint64_t c)
{
    uint64_t result = 0;

    for (; mask; mask &= mask - 1, source >>= 1) {
        result |= source & 1 ? mask & -mask : 0;
    }
    return result;
}

uint64_t x86_helper_pext(DbtCpu *cpu, uint64_t source, uint64_t mask, uint64_t c)
{
    uint64_t result = 0;

    for (unsigned to = 0; mask; mask &= mask - 1, to++) {
        result |= (uint64_t)((source & mask & -mask) != 0) << to;
    }
    return result;
}
