/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers, by table: a row says where a register's value is kept, which bits can
 * be written, and which functions read and write it if that isn't enough.  What has no row raises
 * #GP(0), as do reserved bits.
 *
 * AMD's registers that operating systems touch at boot read as constants, and writes to them are
 * dropped, as other hypervisors do.
 *
 * Threads: the vCPU's own.
 */
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/lapic.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"

typedef struct Msr Msr;
typedef bool (*MsrRead)(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t *ret_value);
typedef bool (*MsrWrite)(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value);

struct Msr {
    uint32_t index, last; /* .last 0: only .index */
    uint16_t offset;      /* in X86Cpu; 0: .constant */
    uint8_t feature;      /* X86Feature it needs */
    uint64_t constant;
    uint64_t writable; /* 0 and no .write: writing raises #GP */
    MsrRead read;      /* NULL: the value itself */
    MsrWrite write;    /* NULL: store */
};

#define EFER_AUTOMATIC_IBRS (1U << 21)

static uint64_t *place(X86Cpu *cpu, const Msr *msr, uint32_t index)
{
    return (uint64_t *)((char *)cpu + msr->offset) + (index - msr->index);
}

/* --- writers ---------------------------------------------------------------------------------- */

static bool drop(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    return true;
}

static bool write_canonical(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    if (!x86_canonical(value)) {
        return false;
    }
    *place(cpu, msr, index) = value;
    return true;
}

static bool write_efer(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    const bool *has = cpu->model->has;
    uint64_t valid = EFER_LMA | EFER_SCE | EFER_LME;

    valid |= has[X86_FEATURE_NX] ? EFER_NXE : 0;
    valid |= has[X86_FEATURE_AUTOMATIC_IBRS] ? EFER_AUTOMATIC_IBRS : 0;
    if (value & ~valid) {
        return false;
    }
    uint64_t changed = (value ^ cpu->msr.efer) & ~(uint64_t)EFER_LMA;
    if ((changed & EFER_LME) && (cpu->cr0 & CR0_PG)) {
        return false;
    }
    cpu->msr.efer ^= changed;
    if (changed & EFER_NXE) {
        mmu_flush(&cpu->base);
    }
    x86_context_changed(cpu);
    return true;
}

/* The memory types there are: uncached, write-combining, -through, -protected, -back. */
static bool is_memory_type(unsigned type)
{
    return bit_test(0x73, type);
}

static bool all_memory_types(uint64_t value, uint64_t types)
{
    for (unsigned i = 0; i < 64; i += 8) {
        unsigned type = (unsigned)bits_get(value, i, 8);
        if (type > 7 || !bit_test(types, type)) {
            return false;
        }
    }
    return true;
}

static bool write_pat(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    if (!all_memory_types(value, 0xf3)) {
        return false;
    }
    cpu->msr.pat = value;
    return true;
}

static bool write_mtrr_fixed(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    if (!all_memory_types(value, 0x73)) {
        return false;
    }
    *place(cpu, msr, index) = value;
    return true;
}

static bool write_mtrr_default(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    unsigned type = value & 0xff;

    if (type > 7 || !is_memory_type(type)) {
        return false;
    }
    cpu->msr.mtrr_def_type = value;
    return true;
}

/* Pairs of base (even) and mask (odd). */
static uint64_t *mtrr_variable(X86Cpu *cpu, const Msr *msr, uint32_t index)
{
    unsigned n = (index - msr->index) / 2;

    return (index - msr->index) % 2 ? &cpu->msr.mtrr_mask[n] : &cpu->msr.mtrr_base[n];
}

static bool read_mtrr_variable(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t *ret_value)
{
    *ret_value = *mtrr_variable(cpu, msr, index);
    return true;
}

static bool write_mtrr_variable(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    bool mask = (index - msr->index) % 2;
    unsigned type = value & 0xff;

    if (mask ? value & 0x7ff : (value & 0xf00) || type > 7 || !is_memory_type(type)) {
        return false;
    }
    *mtrr_variable(cpu, msr, index) = value;
    return true;
}

static bool write_apic_base(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    return lapic_write_base(cpu->lapic, value);
}

static bool read_x2apic(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t *ret_value)
{
    return lapic_read_msr(cpu->lapic, index, ret_value);
}

static bool write_x2apic(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    return lapic_write_msr(cpu->lapic, index, value);
}

static bool read_tsc(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t *ret_value)
{
    *ret_value = x86_tsc(cpu);
    return true;
}

static bool write_tsc(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    uint64_t before = cpu->tsc_offset;

    x86_set_tsc(cpu, value);
    cpu->msr.tsc_adjust += cpu->tsc_offset - before;
    return true;
}

static bool write_tsc_adjust(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    uint64_t delta = value - cpu->msr.tsc_adjust;

    cpu->msr.tsc_adjust = value;
    x86_move_tsc(cpu, delta);
    return true;
}

static bool read_deadline(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t *ret_value)
{
    *ret_value = lapic_tsc_deadline(cpu->lapic);
    return true;
}

static bool write_deadline(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    lapic_set_tsc_deadline(cpu->lapic, value);
    return true;
}

static bool write_wall_clock(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    cpu->msr.kvm_wall_clock = value;
    x86_write_wall_clock(cpu);
    return true;
}

static bool write_system_time(X86Cpu *cpu, const Msr *msr, uint32_t index, uint64_t value)
{
    cpu->msr.kvm_system_time = value;
    x86_write_system_time(cpu);
    return true;
}

/* --- the table -------------------------------------------------------------------------------- */

#define AT(member)  .offset = X86_OFFSET(member)
#define PHYS_MASK   (((UINT64_C(1) << X86_PHYS_BITS) - 1) & ~UINT64_C(0xfff))
#define ALL         UINT64_MAX
#define NEEDS(name) .feature = X86_FEATURE_##name

/* In order of index. */
static const Msr msrs[] = {
    { 0x10, AT(tsc_offset), .writable = ALL, .read = read_tsc, .write = write_tsc },
    { 0x1b, AT(msr.apic_base), .writable = ALL, .write = write_apic_base },
    { 0x3b, AT(msr.tsc_adjust), NEEDS(TSC_ADJUST), .writable = ALL, .write = write_tsc_adjust },
    { 0x8b, .constant = 0x0a0011d5, .writable = ALL, .write = drop }, /* microcode level */
    { 0xfe, .constant = 0x500 | X86_MTRR_VARIABLE },                  /* MTRRcap: fixed, WC */
    { 0x174, AT(msr.sysenter_cs), .writable = 0xffffffff },
    { 0x175, AT(msr.sysenter_esp), .writable = ALL, .write = write_canonical },
    { 0x176, AT(msr.sysenter_eip), .writable = ALL, .write = write_canonical },
    { 0x179, .constant = 0 }, /* MCG_CAP: no banks */
    { 0x17a, AT(msr.mcg_status), .writable = 7 },
    { 0x1a0, AT(msr.misc_enable), .writable = 1 },
    { 0x200, .last = 0x20f, .writable = PHYS_MASK | 0xfff, .read = read_mtrr_variable,
      .write = write_mtrr_variable },
    { 0x250, AT(msr.mtrr_fixed[0]), .writable = ALL, .write = write_mtrr_fixed },
    { 0x258, .last = 0x259, AT(msr.mtrr_fixed[1]), .writable = ALL, .write = write_mtrr_fixed },
    { 0x268, .last = 0x26f, AT(msr.mtrr_fixed[3]), .writable = ALL, .write = write_mtrr_fixed },
    { 0x277, AT(msr.pat), .writable = ALL, .write = write_pat },
    { 0x2ff, AT(msr.mtrr_def_type), .writable = 0xcff, .write = write_mtrr_default },
    { 0x6e0, AT(msr.tsc_deadline), NEEDS(TSC_DEADLINE), .writable = ALL, .read = read_deadline,
      .write = write_deadline },
    { 0x800, .last = 0x8ff, NEEDS(X2APIC), .writable = ALL, .read = read_x2apic,
      .write = write_x2apic },
    { 0x4b564d00, AT(msr.kvm_wall_clock), NEEDS(KVM_CLOCKSOURCE2), .writable = PHYS_MASK | 0xffc,
      .write = write_wall_clock },
    { 0x4b564d01, AT(msr.kvm_system_time), NEEDS(KVM_CLOCKSOURCE2), .writable = PHYS_MASK | 0xffd,
      .write = write_system_time },
    { 0xc0000080, AT(msr.efer), .writable = ALL, .write = write_efer },
    { 0xc0000081, AT(msr.star), .writable = ALL },
    { 0xc0000082, AT(msr.lstar), .writable = ALL, .write = write_canonical },
    { 0xc0000083, AT(msr.cstar), .writable = ALL, .write = write_canonical },
    { 0xc0000084, AT(msr.fmask), .writable = 0xffffffff },
    { 0xc0000100, AT(segment[X86_FS].base), .writable = ALL, .write = write_canonical },
    { 0xc0000101, AT(segment[X86_GS].base), .writable = ALL, .write = write_canonical },
    { 0xc0000102, AT(msr.kernel_gs_base), .writable = ALL, .write = write_canonical },
    { 0xc0000103, AT(msr.tsc_aux), NEEDS(RDTSCP), .writable = 0xffffffff },
    { 0xc0010010, .constant = 0, .writable = ALL, .write = drop },       /* SYSCFG */
    { 0xc0010015, .constant = 1 << 24, .writable = ALL, .write = drop }, /* HWCR: TscFreqSel */
    { 0xc001001a, .constant = 0, .writable = ALL, .write = drop },       /* TOP_MEM */
    { 0xc001001d, .constant = 0, .writable = ALL, .write = drop },       /* TOP_MEM2 */
    { 0xc001001f, .constant = 0, .writable = ALL, .write = drop },       /* NB_CFG */
    { 0xc0010055, .constant = 0, .writable = ALL, .write = drop },       /* interrupt pending */
    { 0xc0010058, .constant = 0, .writable = ALL, .write = drop },       /* MMIO configuration */
    { 0xc0011020, .last = 0xc0011023, .constant = 0, .writable = ALL, .write = drop },
    { 0xc0011029, .constant = 2, .writable = ALL, .write = drop }, /* DE_CFG: LFENCE serialises */
};

static const Msr *find(const X86Cpu *cpu, uint32_t index)
{
    size_t low = 0, high = G_N_ELEMENTS(msrs);

    while (low < high) {
        size_t middle = (low + high) / 2;
        const Msr *msr = &msrs[middle];
        if (index < msr->index) {
            high = middle;
        } else if (index > MAX(msr->index, msr->last)) {
            low = middle + 1;
        } else {
            return cpu->model->has[msr->feature] || !msr->feature ? msr : NULL;
        }
    }
    return NULL;
}

bool x86_read_msr(X86Cpu *cpu, uint32_t index, uint64_t *ret_value)
{
    const Msr *msr = find(cpu, index);

    if (!msr) {
        return false;
    }
    if (msr->read) {
        return msr->read(cpu, msr, index, ret_value);
    }
    *ret_value = msr->offset ? *place(cpu, msr, index) : msr->constant;
    return true;
}

bool x86_write_msr(X86Cpu *cpu, uint32_t index, uint64_t value)
{
    const Msr *msr = find(cpu, index);

    if (!msr || !msr->writable || (value & ~msr->writable)) {
        return false;
    }
    if (msr->write) {
        return msr->write(cpu, msr, index, value);
    }
    *place(cpu, msr, index) = value;
    return true;
}

/* --- the instructions ------------------------------------------------------------------------- */

static void log_access(const X86Cpu *cpu, const char *what, uint32_t index, uint64_t value)
{
    if (log_on(cpu->base.log, LOG_CPU)) {
        log_line(cpu->base.log, LOG_CPU, "cpu %u %s %x: %" PRIx64, cpu->base.index, what, index,
                 value);
    }
}

uint64_t x86_helper_rdmsr(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint32_t index = (uint32_t)cpu->gpr[X86_RCX];
    uint64_t value = 0;

    if (!x86_read_msr(cpu, index, &value)) {
        log_access(cpu, "rdmsr refused", index, 0);
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    log_access(cpu, "rdmsr", index, value);
    cpu->gpr[X86_RAX] = (uint32_t)value;
    cpu->gpr[X86_RDX] = value >> 32;
    return 0;
}

uint64_t x86_helper_wrmsr(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint32_t index = (uint32_t)cpu->gpr[X86_RCX];
    uint64_t value = cpu->gpr[X86_RDX] << 32 | (uint32_t)cpu->gpr[X86_RAX];

    if (!x86_write_msr(cpu, index, value)) {
        log_access(cpu, "wrmsr refused", index, value);
        x86_raise_error(cpu, EXC_GP, 0);
        return 0;
    }
    log_access(cpu, "wrmsr", index, value);
    return 0;
}
