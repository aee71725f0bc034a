/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector state in memory: FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XRSTOR, LDMXCSR, MASKMOV
 * (SDM volume 1, 10.5 and 13; APM volume 2, 11.5).
 *
 * As AMD: the x87 instruction and data pointers are saved as 0 unless an exception is pending, and
 * always restored.  A component counts as in use if it isn't in its initial state.
 * Saving probes the whole area before it writes any of it; as AMD the first and then the last
 * byte are touched before the others, which shows in CR2.
 *
 * Threads: the vCPU's own.
 */
#include "common/bits.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/guest/x86/x87.h"
#include "engine/dbt/run/mmu.h"

#define XSTATE_X87  (1U << 0)
#define XSTATE_SSE  (1U << 1)
#define XSTATE_AVX  (1U << 2)
#define XCOMP_BIT63 (UINT64_C(1) << 63)
#define EFER_FFXSR  (1U << 14)

enum {
    LEGACY_SIZE = 512,
    LEGACY_X87 = 24, /* FCW to FDS */
    LEGACY_MXCSR = 24,
    LEGACY_ST = 32,
    LEGACY_XMM = 160,
    LEGACY_END = 416, /* of what FXSAVE writes */
    HEADER = 512,
    HEADER_SIZE = 64,
    AVX = 576, /* the upper halves of YMM registers, in both formats while nothing else exists */
    AVX_SIZE = 256,
};

static unsigned n_vectors(const X86Cpu *cpu)
{
    return x86_code64(cpu) ? 16 : 8;
}

static bool set_mxcsr(X86Cpu *cpu, uint32_t value)
{
    if (value & ~(uint32_t)MXCSR_WRITABLE) {
        return x86_raise_error(cpu, EXC_GP, 0);
    }
    cpu->mxcsr = value;
    cpu->base.key_stale = true;
    return true;
}

uint64_t x86_helper_ldmxcsr(DbtCpu *base, uint64_t value, uint64_t b, uint64_t c)
{
    set_mxcsr(x86_cpu(base), (uint32_t)value);
    return 0;
}

/* --- the legacy area */

static void put_x87(const X86Cpu *cpu, uint8_t *area, bool wide)
{
    uint16_t status = x87_status(cpu);

    memset(area, 0, LEGACY_X87);
    store_le16(area, cpu->fcw);
    store_le16(area + 2, status);
    area[4] = cpu->tags;
    if (status & FSW_ES) {
        store_le16(area + 6, cpu->fop);
        if (wide) {
            store_le64(area + 8, cpu->fip);
            store_le64(area + 16, cpu->fdp);
        } else {
            store_le32(area + 8, (uint32_t)cpu->fip);
            store_le16(area + 12, cpu->fcs);
            store_le32(area + 16, (uint32_t)cpu->fdp);
            store_le16(area + 20, cpu->fds);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        const X87Reg *st = &cpu->st[(cpu->top + i) & 7];
        store_le64(area + LEGACY_ST + 16 * i, st->mantissa);
        store_le64(area + LEGACY_ST + 16 * i + 8, st->sign_exponent);
    }
}

static void get_x87(X86Cpu *cpu, const uint8_t *area, bool wide)
{
    x87_set_control(cpu, load_le16(area));
    x87_set_status(cpu, load_le16(area + 2));
    cpu->tags = area[4];
    cpu->fop = load_le16(area + 6) & 0x7ff;
    if (wide) {
        cpu->fip = load_le64(area + 8);
        cpu->fdp = load_le64(area + 16);
        cpu->fcs = cpu->fds = 0;
    } else {
        cpu->fip = load_le32(area + 8);
        cpu->fcs = load_le16(area + 12);
        cpu->fdp = load_le32(area + 16);
        cpu->fds = load_le16(area + 20);
    }
    for (unsigned i = 0; i < 8; i++) {
        X87Reg *st = x87_st(cpu, i);
        st->mantissa = load_le64(area + LEGACY_ST + 16 * i);
        st->sign_exponent = load_le16(area + LEGACY_ST + 16 * i + 8);
    }
}

static void put_mxcsr(const X86Cpu *cpu, uint8_t *area)
{
    store_le32(area + LEGACY_MXCSR, cpu->mxcsr);
    store_le32(area + LEGACY_MXCSR + 4, MXCSR_WRITABLE);
}

static void put_xmm(const X86Cpu *cpu, uint8_t *area)
{
    for (unsigned i = 0; i < n_vectors(cpu); i++) {
        memcpy(area + LEGACY_XMM + 16 * i, &cpu->vector[i], 16);
    }
}

static void get_xmm(X86Cpu *cpu, const uint8_t *area)
{
    for (unsigned i = 0; i < n_vectors(cpu); i++) {
        memcpy(&cpu->vector[i], area + LEGACY_XMM + 16 * i, 16);
    }
}

/* True if FXSAVE and FXRSTOR leave the XMM registers out (APM volume 2, 3.1.7). */
static bool fast_fxsave(const X86Cpu *cpu)
{
    return (cpu->msr.efer & EFER_FFXSR) && x86_code64(cpu) && cpu->cpl == 0;
}

static bool probe_ends(X86Cpu *cpu, uint64_t gva, unsigned size, MmuAccess access, unsigned mmu)
{
    return mmu_probe(&cpu->base, gva, 1, access, mmu) &&
           mmu_probe(&cpu->base, gva + size - 1, 1, access, mmu);
}

static bool check_aligned(X86Cpu *cpu, uint64_t gva, unsigned align)
{
    return !(gva & (align - 1)) || x86_raise_error(cpu, EXC_GP, 0);
}

uint64_t x86_helper_fxsave(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t area[LEGACY_SIZE];
    unsigned size = fast_fxsave(cpu) ? LEGACY_XMM : LEGACY_XMM + 16 * n_vectors(cpu);

    if (!check_aligned(cpu, gva, 16) ||
        !probe_ends(cpu, gva, LEGACY_SIZE, MMU_WRITE, (unsigned)mmu)) {
        return 0;
    }
    put_x87(cpu, area, wide);
    put_mxcsr(cpu, area);
    put_xmm(cpu, area);
    mmu_store_bytes(base, gva, area, size, (unsigned)mmu);
    return 0;
}

uint64_t x86_helper_fxrstor(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t area[LEGACY_SIZE];

    if (!check_aligned(cpu, gva, 16) ||
        !probe_ends(cpu, gva, LEGACY_SIZE, MMU_READ, (unsigned)mmu) ||
        !mmu_load_bytes(base, gva, area, sizeof(area), (unsigned)mmu) ||
        !set_mxcsr(cpu, load_le32(area + LEGACY_MXCSR))) {
        return 0;
    }
    get_x87(cpu, area, wide);
    if (!fast_fxsave(cpu)) {
        get_xmm(cpu, area);
    }
    return 0;
}

/* --- XSAVE */

/* The components that an instruction is asked for; false after an exception. */
static bool xsave_begin(X86Cpu *cpu, uint64_t gva, uint64_t *ret_mask)
{
    if (!(cpu->cr4 & CR4_OSXSAVE)) {
        return x86_raise(cpu, EXC_UD);
    }
    if (cpu->cr0 & CR0_TS) {
        return x86_raise(cpu, EXC_NM);
    }
    if (!check_aligned(cpu, gva, 64)) {
        return false;
    }
    *ret_mask = cpu->xcr0 & ((cpu->gpr[X86_RDX] << 32) | (uint32_t)cpu->gpr[X86_RAX]);
    return true;
}

static bool x87_in_use(const X86Cpu *cpu)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        bits |= cpu->st[i].mantissa | cpu->st[i].sign_exponent;
    }
    return bits || cpu->fcw != FCW_INITIAL || cpu->fsw || cpu->top || cpu->tags || cpu->fop ||
           cpu->fip || cpu->fdp;
}

static uint64_t components_in_use(const X86Cpu *cpu)
{
    uint64_t low = 0, high = 0;

    for (unsigned i = 0; i < 16; i++) {
        low |= cpu->vector[i].u64[0] | cpu->vector[i].u64[1];
        high |= cpu->vector[i].u64[2] | cpu->vector[i].u64[3];
    }
    return (x87_in_use(cpu) ? XSTATE_X87 : 0) | (low ? XSTATE_SSE : 0) | (high ? XSTATE_AVX : 0);
}

static unsigned area_size(uint64_t mask)
{
    return mask & XSTATE_AVX ? AVX + AVX_SIZE : HEADER + HEADER_SIZE;
}

/* Write the parts of @area that @components have; the area was probed. */
static void store_components(X86Cpu *cpu, uint64_t gva, unsigned mmu, uint64_t components,
                             bool mxcsr, bool wide)
{
    DbtCpu *base = &cpu->base;
    uint8_t area[AVX + AVX_SIZE];

    if (components & XSTATE_X87) {
        put_x87(cpu, area, wide);
        mmu_store_bytes(base, gva, area, LEGACY_X87, mmu);
        mmu_store_bytes(base, gva + LEGACY_ST, area + LEGACY_ST, LEGACY_XMM - LEGACY_ST, mmu);
    }
    if (mxcsr) {
        put_mxcsr(cpu, area);
        mmu_store_bytes(base, gva + LEGACY_MXCSR, area + LEGACY_MXCSR, 8, mmu);
    }
    if (components & XSTATE_SSE) {
        put_xmm(cpu, area);
        mmu_store_bytes(base, gva + LEGACY_XMM, area + LEGACY_XMM, 16 * n_vectors(cpu), mmu);
    }
    if (components & XSTATE_AVX) {
        for (unsigned i = 0; i < n_vectors(cpu); i++) {
            memcpy(area + AVX + 16 * i, cpu->vector[i].u8 + 16, 16);
        }
        mmu_store_bytes(base, gva + AVX, area + AVX, 16 * n_vectors(cpu), mmu);
    }
}

/* XSAVE writes all it is asked for; XSAVEOPT (@optimised) leaves out what is in its initial
 * state. */
static void xsave(X86Cpu *cpu, uint64_t gva, unsigned mmu, bool wide, bool optimised)
{
    uint64_t mask, present;

    if (!xsave_begin(cpu, gva, &mask) || !probe_ends(cpu, gva, area_size(mask), MMU_WRITE, mmu) ||
        !mmu_probe(&cpu->base, gva, area_size(mask), MMU_WRITE, mmu) ||
        !mmu_load(&cpu->base, gva + HEADER, 8, mmu, &present)) {
        return;
    }
    uint64_t in_use = components_in_use(cpu) & mask;
    store_components(cpu, gva, mmu, optimised ? in_use : mask, mask & (XSTATE_SSE | XSTATE_AVX),
                     wide);
    mmu_store(&cpu->base, gva + HEADER, (present & ~mask) | in_use, 8, mmu);
}

uint64_t x86_helper_xsave(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    xsave(x86_cpu(base), gva, (unsigned)mmu, wide, false);
    return 0;
}

uint64_t x86_helper_xsaveopt(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    xsave(x86_cpu(base), gva, (unsigned)mmu, wide, true);
    return 0;
}

uint64_t x86_helper_xsavec(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t mask;

    if (!xsave_begin(cpu, gva, &mask) ||
        !probe_ends(cpu, gva, area_size(mask), MMU_WRITE, (unsigned)mmu) ||
        !mmu_probe(base, gva, area_size(mask), MMU_WRITE, (unsigned)mmu)) {
        return 0;
    }
    /* MXCSR is part of SSE here, which is in use too if MXCSR isn't as at reset */
    uint64_t in_use = components_in_use(cpu) | (cpu->mxcsr != MXCSR_INITIAL ? XSTATE_SSE : 0);
    uint64_t header[2] = { in_use & mask, mask | XCOMP_BIT63 };
    store_components(cpu, gva, (unsigned)mmu, header[0], header[0] & XSTATE_SSE, wide);
    mmu_store_bytes(base, gva + HEADER, header, sizeof(header), (unsigned)mmu);
    return 0;
}

static bool all_zero(const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

/* SDM volume 1, 13.8.1 and 13.8.2. */
static bool header_valid(const X86Cpu *cpu, const uint8_t *header)
{
    uint64_t present = load_le64(header);
    uint64_t compact = load_le64(header + 8);

    if (compact & XCOMP_BIT63) {
        compact &= ~XCOMP_BIT63;
        return cpu->model->has[X86_FEATURE_XSAVEC] && !(compact & ~cpu->xcr0) &&
               !(present & ~compact) && all_zero(header + 16, HEADER_SIZE - 16);
    }
    return !(present & ~cpu->xcr0) && all_zero(header + 8, 16);
}

/* Where the area has it: load it; otherwise: its initial value. */
static void restore_vectors(X86Cpu *cpu, const uint8_t *area, uint64_t mask, uint64_t present)
{
    static const uint8_t zeros[AVX + AVX_SIZE];

    if (mask & XSTATE_SSE) {
        get_xmm(cpu, present & XSTATE_SSE ? area : zeros);
    }
    if (mask & XSTATE_AVX) {
        const uint8_t *from = present & XSTATE_AVX ? area : zeros;
        for (unsigned i = 0; i < n_vectors(cpu); i++) {
            memcpy(cpu->vector[i].u8 + 16, from + AVX + 16 * i, 16);
        }
    }
}

/* MXCSR goes with SSE and AVX in the standard form, with SSE alone in the compact one. */
static bool restore_mxcsr(X86Cpu *cpu, const uint8_t *area, uint64_t mask)
{
    uint64_t present = load_le64(area + HEADER);

    if (!(load_le64(area + HEADER + 8) & XCOMP_BIT63)) {
        return !(mask & (XSTATE_SSE | XSTATE_AVX)) ||
               set_mxcsr(cpu, load_le32(area + LEGACY_MXCSR));
    }
    if (!(mask & XSTATE_SSE)) {
        return true;
    }
    return set_mxcsr(cpu, present & XSTATE_SSE ? load_le32(area + LEGACY_MXCSR) : MXCSR_INITIAL);
}

uint64_t x86_helper_xrstor(DbtCpu *base, uint64_t gva, uint64_t mmu, uint64_t wide)
{
    X86Cpu *cpu = x86_cpu(base);
    uint8_t area[AVX + AVX_SIZE];
    uint64_t mask;

    /* the header comes first here */
    if (!xsave_begin(cpu, gva, &mask) ||
        !mmu_load_bytes(base, gva + HEADER, area + HEADER, HEADER_SIZE, (unsigned)mmu) ||
        !probe_ends(cpu, gva, area_size(mask), MMU_READ, (unsigned)mmu) ||
        !mmu_load_bytes(base, gva, area, area_size(mask), (unsigned)mmu)) {
        return 0;
    }
    if (!header_valid(cpu, area + HEADER)) {
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    if (!restore_mxcsr(cpu, area, mask)) {
        return 0;
    }
    uint64_t present = load_le64(area + HEADER);
    if (mask & XSTATE_X87) {
        if (present & XSTATE_X87) {
            get_x87(cpu, area, wide);
        } else {
            x87_init(cpu);
            memset(cpu->st, 0, sizeof(cpu->st));
        }
    }
    restore_vectors(cpu, area, mask, present);
    return 0;
}

/* --- MASKMOVQ, MASKMOVDQU */

uint64_t x86_helper_maskmov(DbtCpu *base, uint64_t gva, uint64_t places, uint64_t how)
{
    const uint8_t *bytes = (const uint8_t *)base + (uint32_t)places;
    const uint8_t *mask = (const uint8_t *)base + (places >> 32);
    unsigned mmu = how & 0xff, size = (unsigned)(how >> 8);

    if (!mmu_probe(base, gva, size, MMU_WRITE, mmu)) { /* as AMD: whatever the mask */
        return 0;
    }
    for (unsigned i = 0; i < size; i++) {
        if (mask[i] & 0x80) {
            mmu_store(base, gva + i, bytes[i], 1, mmu);
        }
    }
    return 0;
}
