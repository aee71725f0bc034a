/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control registers, descriptor table registers, flags that need privilege, and small system
 * instructions (SDM volume 3, chapter 2).
 *
 * Threads: the vCPU's own.
 */
#include <sys/random.h>

#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/exec.h"

#define CR0_KNOWN                                                                                  \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
/* Bits that change what a translation means or may do. */
#define CR0_FLUSHES (CR0_PG | CR0_WP | CR0_PE)
#define CR4_FLUSHES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)
/* Bits of CR0 and CR4 whose change makes the CPU load the PDPTRs. */
#define CR0_PDPTR (CR0_PG | CR0_CD | CR0_NW)
#define CR4_PDPTR (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)

#define CR3_KEEP (UINT64_C(1) << 63) /* with PCIDE: don't flush */
enum { CR3_PCID = 0xfff };

static bool raise_gp(X86Cpu *cpu)
{
    return x86_raise_error(cpu, EXC_GP, 0);
}

static void log_cr(const X86Cpu *cpu, unsigned number, uint64_t value)
{
    if (log_on(cpu->base.log, LOG_CPU)) {
        log_line(cpu->base.log, LOG_CPU, "cpu %u cr%u = %" PRIx64, cpu->base.index, number, value);
    }
}

/* --- CR3 and PDPTRs --------------------------------------------------------------------------- */

/* Whether paging is PAE without long mode under these registers. */
static bool uses_pdptrs(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

static bool load_pdptrs(X86Cpu *cpu, uint64_t cr3)
{
    const uint64_t reserved = 0x1e6 | ~bits_mask(X86_PHYS_BITS);
    uint64_t pdptr[4];

    for (unsigned i = 0; i < 4; i++) {
        pdptr[i] = UINT64_MAX;
        mmu_phys_read64(&cpu->base, (cr3 & 0xffffffe0) + i * 8, &pdptr[i]);
        if ((pdptr[i] & 1) && (pdptr[i] & reserved)) {
            return raise_gp(cpu);
        }
    }
    memcpy(cpu->pdptr, pdptr, sizeof(pdptr));
    return true;
}

bool x86_load_cr3(X86Cpu *cpu, uint64_t value, bool flush)
{
    if (uses_pdptrs(cpu->cr0, cpu->cr4, cpu->msr.efer) && !load_pdptrs(cpu, value)) {
        return false;
    }
    cpu->cr3 = value;
    x86_select_space(cpu, flush);
    return true;
}

void x86_select_space(X86Cpu *cpu, bool flush)
{
    mmu_switch(&cpu->base, cpu->cr4 & CR4_PCIDE ? cpu->cr3 & CR3_PCID : 0, flush);
}

static bool write_cr3(X86Cpu *cpu, uint64_t value)
{
    bool keep = false;

    if (x86_long_mode(cpu)) {
        keep = (value & CR3_KEEP) && (cpu->cr4 & CR4_PCIDE);
        value &= keep ? ~CR3_KEEP : UINT64_MAX;
        if (value & ~bits_mask(X86_PHYS_BITS)) {
            return raise_gp(cpu);
        }
    }
    if (log_on(cpu->base.log, LOG_MMU)) {
        log_line(cpu->base.log, LOG_MMU, "cpu %u cr3 = %" PRIx64, cpu->base.index, value);
    }
    return x86_load_cr3(cpu, value, !keep);
}

/* --- CR0 -------------------------------------------------------------------------------------- */

static bool cr0_is_valid(const X86Cpu *cpu, uint64_t value)
{
    bool pg = value & CR0_PG;

    if (value >> 32 || (pg && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD))) {
        return false;
    }
    if (pg && !(cpu->cr0 & CR0_PG) && (cpu->msr.efer & EFER_LME)) {
        return (cpu->cr4 & CR4_PAE) && !(cpu->segment[X86_CS].attributes & SEG_L);
    }
    return pg || !x86_long_mode(cpu) || (!x86_code64(cpu) && !(cpu->cr4 & CR4_PCIDE));
}

static bool write_cr0(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed;

    if (!cr0_is_valid(cpu, value)) {
        return raise_gp(cpu);
    }
    value = (value & CR0_KNOWN) | CR0_ET;
    changed = value ^ cpu->cr0;
    if ((changed & CR0_PDPTR) && uses_pdptrs(value, cpu->cr4, cpu->msr.efer) &&
        !load_pdptrs(cpu, cpu->cr3)) {
        return false;
    }
    cpu->cr0 = value;
    if (changed & CR0_PG) {
        bool active = (value & CR0_PG) && (cpu->msr.efer & EFER_LME);
        cpu->msr.efer = active ? cpu->msr.efer | EFER_LMA : cpu->msr.efer & ~(uint64_t)EFER_LMA;
    }
    if (changed & CR0_FLUSHES) {
        mmu_flush(&cpu->base);
    }
    if (changed & ~(uint64_t)CR0_TS) {
        log_cr(cpu, 0, value);
    }
    x86_context_changed(cpu);
    return true;
}

/* --- CR4, CR8 --------------------------------------------------------------------------------- */

/* Which feature each bit of CR4 belongs to. */
static const struct {
    uint32_t bits;
    X86Feature feature;
} cr4_features[] = {
    { CR4_VME | CR4_PVI, X86_FEATURE_VME },
    { CR4_TSD, X86_FEATURE_TSC },
    { CR4_DE, X86_FEATURE_DE },
    { CR4_PSE, X86_FEATURE_PSE },
    { CR4_PAE, X86_FEATURE_PAE },
    { CR4_MCE, X86_FEATURE_MCE },
    { CR4_PGE, X86_FEATURE_PGE },
    { CR4_PCE, X86_FEATURE_NONE },
    { CR4_OSFXSR, X86_FEATURE_FXSR },
    { CR4_OSXMMEXCPT, X86_FEATURE_SSE },
    { CR4_UMIP, X86_FEATURE_UMIP },
    { CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
    { CR4_PCIDE, X86_FEATURE_PCID },
    { CR4_OSXSAVE, X86_FEATURE_XSAVE },
    { CR4_SMEP, X86_FEATURE_SMEP },
    { CR4_SMAP, X86_FEATURE_SMAP },
};

uint64_t x86_cr4_valid(const X86Cpu *cpu)
{
    uint64_t valid = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(cr4_features); i++) {
        X86Feature feature = cr4_features[i].feature;
        valid |= feature == X86_FEATURE_NONE || cpu->model->has[feature] ? cr4_features[i].bits : 0;
    }
    return valid;
}

static bool cr4_is_valid(const X86Cpu *cpu, uint64_t value)
{
    bool sets_pcide = (value & CR4_PCIDE) && !(cpu->cr4 & CR4_PCIDE);

    if (value & ~x86_cr4_valid(cpu)) {
        return false;
    }
    if (sets_pcide && (!x86_long_mode(cpu) || (cpu->cr3 & 0xfff))) {
        return false;
    }
    return (value & CR4_PAE) || !x86_long_mode(cpu);
}

static bool write_cr4(X86Cpu *cpu, uint64_t value)
{
    uint64_t changed = value ^ cpu->cr4;

    if (!cr4_is_valid(cpu, value)) {
        return raise_gp(cpu);
    }
    if ((changed & CR4_PDPTR) && uses_pdptrs(cpu->cr0, value, cpu->msr.efer) &&
        !load_pdptrs(cpu, cpu->cr3)) {
        return false;
    }
    cpu->cr4 = value;
    if (changed & CR4_FLUSHES) {
        mmu_flush(&cpu->base);
    }
    if (changed & CR4_PCIDE) {
        x86_select_space(cpu, true);
    }
    if (changed & CR4_DE) {
        x86_debug_changed(&cpu->base);
    }
    log_cr(cpu, 4, value);
    x86_context_changed(cpu);
    return true;
}

static bool write_cr8(X86Cpu *cpu, uint64_t value)
{
    if (value > 15) {
        return raise_gp(cpu);
    }
    lapic_set_tpr(cpu->lapic, (uint8_t)(value << 4));
    return true;
}

bool x86_write_cr(X86Cpu *cpu, unsigned index, uint64_t value)
{
    switch (index) {
    case 0:
        return write_cr0(cpu, value);
    case 2:
        cpu->cr2 = value;
        return true;
    case 3:
        return write_cr3(cpu, value);
    case 4:
        return write_cr4(cpu, value);
    case 8:
        return write_cr8(cpu, value);
    default:
        return x86_raise(cpu, EXC_UD);
    }
}

/* Number, value. */
uint64_t x86_helper_write_cr(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_write_cr(x86_cpu(cpu), (unsigned)a, b);
    return 0;
}

/* Number -> value. */
uint64_t x86_helper_read_cr(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    switch (a) {
    case 0:
        return cpu->cr0;
    case 2:
        return cpu->cr2;
    case 3:
        return cpu->cr3;
    case 4:
        return cpu->cr4;
    case 8:
        return lapic_tpr(cpu->lapic) >> 4;
    default:
        x86_raise(cpu, EXC_UD);
        return 0;
    }
}

uint64_t x86_helper_clts(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_cpu(cpu)->cr0 &= ~(uint64_t)CR0_TS;
    x86_context_changed(x86_cpu(cpu));
    return 0;
}

/* Value: LMSW can set PE but not clear it. */
uint64_t x86_helper_lmsw(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    const uint64_t mask = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

    write_cr0(cpu, (cpu->cr0 & ~mask) | (a & mask) | (cpu->cr0 & CR0_PE));
    return 0;
}

/* --- descriptor table registers --------------------------------------------------------------- */

static bool umip_allows(X86Cpu *cpu)
{
    return !(cpu->cr4 & CR4_UMIP) || cpu->cpl == 0 || raise_gp(cpu);
}

static void load_table(X86Cpu *cpu, X86Table *table, uint64_t gva, uint64_t size, unsigned mmu)
{
    unsigned base_size = x86_code64(cpu) ? 8 : 4;
    uint64_t limit, base;

    if (!mmu_load(&cpu->base, gva, 2, mmu, &limit) ||
        !mmu_load(&cpu->base, gva + 2, base_size, mmu, &base)) {
        return;
    }
    if (base_size == 4 && size == 2) {
        base &= 0xffffff;
    }
    if (!x86_canonical(base)) {
        raise_gp(cpu);
        return;
    }
    *table = (X86Table){ .base = base, .limit = (uint16_t)limit };
}

/* The base is written whole whatever the operand size (AMD). */
static void store_table(X86Cpu *cpu, const X86Table *table, uint64_t gva, unsigned mmu)
{
    uint8_t image[10];

    if (!umip_allows(cpu)) {
        return;
    }
    store_le16(image, table->limit);
    store_le64(image + 2, table->base);
    mmu_store_bytes(&cpu->base, gva, image, x86_code64(cpu) ? 10 : 6, mmu);
}

/* Linear, operand size, mmu. */
uint64_t x86_helper_lgdt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    load_table(x86_cpu(cpu), &x86_cpu(cpu)->gdtr, a, b, (unsigned)c);
    return 0;
}

uint64_t x86_helper_lidt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    load_table(x86_cpu(cpu), &x86_cpu(cpu)->idtr, a, b, (unsigned)c);
    return 0;
}

uint64_t x86_helper_sgdt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    store_table(x86_cpu(cpu), &x86_cpu(cpu)->gdtr, a, (unsigned)c);
    return 0;
}

uint64_t x86_helper_sidt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    store_table(x86_cpu(cpu), &x86_cpu(cpu)->idtr, a, (unsigned)c);
    return 0;
}

uint64_t x86_helper_sldt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return umip_allows(x86_cpu(cpu)) ? x86_cpu(cpu)->ldtr.selector : 0;
}

uint64_t x86_helper_str(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return umip_allows(x86_cpu(cpu)) ? x86_cpu(cpu)->tr.selector : 0;
}

uint64_t x86_helper_smsw(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return umip_allows(x86_cpu(cpu)) ? x86_cpu(cpu)->cr0 : 0;
}

/* --- flags ------------------------------------------------------------------------------------ */

/* Who handles IF for code that may not: VIF for virtual-8086 tasks (VME) and ring 3 (PVI). */
static bool has_virtual_if(const X86Cpu *cpu)
{
    return x86_v8086(cpu) ? cpu->cr4 & CR4_VME : cpu->cpl == 3 && (cpu->cr4 & CR4_PVI);
}

static bool may_change_if(const X86Cpu *cpu)
{
    return !(cpu->cr0 & CR0_PE) || cpu->cpl <= x86_iopl(cpu);
}

uint64_t x86_helper_cli(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (may_change_if(cpu)) {
        cpu->eflags &= ~(uint64_t)FLAG_IF;
    } else if (has_virtual_if(cpu)) {
        cpu->eflags &= ~(uint64_t)FLAG_VIF;
    } else {
        raise_gp(cpu);
    }
    return 0;
}

uint64_t x86_helper_sti(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (may_change_if(cpu)) {
        if (!(cpu->eflags & FLAG_IF)) {
            cpu->eflags |= FLAG_IF;
            cpu->shadow_sti = true;
            x86_context_changed(cpu);
        }
    } else if (has_virtual_if(cpu) && !(cpu->eflags & FLAG_VIP)) {
        cpu->eflags |= FLAG_VIF;
    } else {
        raise_gp(cpu);
    }
    return 0;
}

/* Operand size -> image. */
uint64_t x86_helper_pushf(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t flags = x86_get_rflags(cpu) & ~(uint64_t)(FLAG_VM | FLAG_RF);

    if (!x86_v8086(cpu) || x86_iopl(cpu) == 3) {
        return flags;
    }
    if (a != 2 || !(cpu->cr4 & CR4_VME)) {
        raise_gp(cpu);
        return 0;
    }
    flags = (flags & ~(uint64_t)FLAG_IF) | (flags & FLAG_VIF ? FLAG_IF : 0);
    return flags | FLAG_IOPL;
}

static bool popf_virtual_if(X86Cpu *cpu, uint64_t image)
{
    const uint64_t mask = FLAGS_ARITH | FLAG_DF | FLAG_NT | FLAG_TF | FLAG_VIF;

    if ((image & FLAG_TF) || ((image & FLAG_IF) && (cpu->eflags & FLAG_VIP))) {
        return raise_gp(cpu);
    }
    x86_set_rflags(cpu, image | (image & FLAG_IF ? FLAG_VIF : 0), mask);
    return true;
}

/* Image, operand size. */
uint64_t x86_helper_popf(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint64_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;

    if (x86_v8086(cpu) && x86_iopl(cpu) < 3) {
        if (b != 2 || !(cpu->cr4 & CR4_VME)) {
            raise_gp(cpu);
        } else {
            popf_virtual_if(cpu, a & 0xffff & ~(uint64_t)FLAG_VIF);
        }
        return 0;
    }
    mask |= b > 2 ? FLAG_AC | FLAG_ID | FLAG_RF : 0;
    mask |= may_change_if(cpu) ? FLAG_IF : 0;
    mask |= cpu->cpl == 0 ? FLAG_IOPL : 0;
    x86_set_rflags(cpu, a & ~(uint64_t)FLAG_RF, mask);
    x86_context_changed(cpu);
    x86_recheck(cpu);
    return 0;
}

uint64_t x86_helper_clac(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_cpu(cpu)->eflags &= ~(uint64_t)FLAG_AC;
    x86_context_changed(x86_cpu(cpu));
    return 0;
}

uint64_t x86_helper_stac(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    x86_cpu(cpu)->eflags |= FLAG_AC;
    x86_context_changed(x86_cpu(cpu));
    return 0;
}

/* --- TLB and caches --------------------------------------------------------------------------- */

/* Linear. */
uint64_t x86_helper_invlpg(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    mmu_flush_page(cpu, a);
    return 0;
}

/* Type, linear address of the descriptor, mmu. */
uint64_t x86_helper_invpcid(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    enum { ONE_ADDRESS, ONE_CONTEXT, ALL, ALL_NON_GLOBAL };
    X86Cpu *cpu = x86_cpu(base);
    uint64_t pcid, gva;

    if (!mmu_load(base, b, 8, (unsigned)c, &pcid) || !mmu_load(base, b + 8, 8, (unsigned)c, &gva)) {
        return 0;
    }
    bool named = a == ONE_ADDRESS || a == ONE_CONTEXT;
    if (a > ALL_NON_GLOBAL || pcid >> 12 || (a == ONE_ADDRESS && !x86_canonical(gva)) ||
        (named && pcid && !(cpu->cr4 & CR4_PCIDE))) {
        raise_gp(cpu);
    } else if (a == ONE_ADDRESS) {
        mmu_flush_page(base, gva);
    } else if (a == ALL) {
        mmu_flush(base);
    } else if (a == ONE_CONTEXT) {
        mmu_flush_space(base, pcid);
    } else {
        mmu_flush_non_global(base);
    }
    return 0;
}

/* Guest memory is always coherent. */
uint64_t x86_helper_wbinvd(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    return 0;
}

/* --- others ----------------------------------------------------------------------------------- */

/* pc of the next instruction. */
uint64_t x86_helper_hlt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    cpu->pc = a;
    cpu->halted = true;
    x86_recheck(x86_cpu(cpu));
    return 0;
}

uint64_t x86_helper_pause(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    dbt_pause(cpu);
    return 0;
}

/* Operand size -> value. */
uint64_t x86_helper_rdrand(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t value = 0;
    bool good = getrandom(&value, sizeof(value), 0) == sizeof(value);

    x86_set_rflags(x86_cpu(cpu), good ? FLAG_CF : 0, FLAGS_ARITH);
    return good ? value & bits_mask((unsigned)a * 8) : 0;
}

static bool has_xcr(X86Cpu *cpu)
{
    return (cpu->cr4 & CR4_OSXSAVE) || x86_raise(cpu, EXC_UD);
}

/* ECX -> value.  XCR1 would be XINUSE (XGETBV1). */
uint64_t x86_helper_xgetbv(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);

    if (!has_xcr(cpu)) {
        return 0;
    }
    if ((uint32_t)a != 0) {
        raise_gp(cpu);
    }
    return cpu->xcr0;
}

/* ECX, value. */
uint64_t x86_helper_xsetbv(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    const uint64_t x87 = 1, sse = 2, avx = 4;
    uint64_t known = x87 | sse | (cpu->model->has[X86_FEATURE_AVX] ? avx : 0);

    if (!has_xcr(cpu)) {
        return 0;
    }
    if ((uint32_t)a != 0 || (b & ~known) || !(b & x87) || ((b & avx) && !(b & sse))) {
        raise_gp(cpu);
        return 0;
    }
    cpu->xcr0 = b;
    x86_context_changed(cpu);
    return 0;
}
