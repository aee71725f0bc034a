/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU models and CPUID, see cpuid.h.
 *
 * A leaf's answer is made of the features that belong to it (features.def) and of what a function
 * of its own adds: sizes, topology, frequencies.  Leaves without a row read as zero (AMD).
 *
 * The vendor is AMD: its CPUs don't leak kernel memory to ring 3 as Intel's did, so guests need no
 * page-table isolation; the _NO bits and automatic IBRS spare them retpolines and barriers.
 *
 * Threads: the vCPU's own; models are constants.
 */
#include "engine/dbt/guest/x86/cpuid.h"

#include "common/bits.h"
#include "engine/dbt/guest/x86/system.h"
#include "engine/dbt/guest/x86/translate.h"
#include "engine/dbt/run/exec.h"

/* --- models ----------------------------------------------------------------------------------- */

#define HAS(name) [X86_FEATURE_##name] = true

/* What every x86-64 CPU has had from the first. */
#define BASE_FEATURES                                                                              \
    HAS(FPU), HAS(VME), HAS(DE), HAS(PSE), HAS(TSC), HAS(MSR), HAS(PAE), HAS(MCE), HAS(CX8),       \
        HAS(APIC), HAS(SEP), HAS(MTRR), HAS(PGE), HAS(MCA), HAS(CMOV), HAS(PAT), HAS(PSE36),       \
        HAS(CLFSH), HAS(MMX), HAS(FXSR), HAS(SSE), HAS(SSE2), HAS(SYSCALL), HAS(NX), HAS(LM),      \
        HAS(HTT), HAS(CMP_LEGACY), HAS(TOPOEXT)

/* What makes a virtual CPU pleasant, whatever its level. */
#define VIRTUAL_FEATURES                                                                           \
    HAS(HYPERVISOR), HAS(X2APIC), HAS(TSC_DEADLINE), HAS(TSC_ADJUST), HAS(ARAT),                   \
        HAS(INVARIANT_TSC), HAS(RDTSCP), HAS(KVM_NOP_IO_DELAY), HAS(KVM_CLOCKSOURCE2),             \
        HAS(KVM_CLOCK_STABLE)

/* Leaks that a guest needs no defence against. */
#define SAFE_FEATURES                                                                              \
    HAS(SSB_NO), HAS(BTC_NO), HAS(LFENCE_SERIALIZING), HAS(NULL_SELECTOR_CLEARS_BASE),             \
        HAS(AUTOMATIC_IBRS), HAS(SRSO_NO), HAS(TSA_SQ_NO), HAS(TSA_L1_NO), HAS(XSAVEERPTR)

#define V2_FEATURES                                                                                \
    HAS(SSE3), HAS(SSSE3), HAS(SSE4_1), HAS(SSE4_2), HAS(CX16), HAS(POPCNT), HAS(LAHF)

/* Beyond its level the default model has what the translator does well. */
#define MORE_FEATURES                                                                              \
    HAS(PCLMUL), HAS(AES), HAS(MOVBE), HAS(XSAVE), HAS(RDRAND), HAS(RDSEED), HAS(PCID),            \
        HAS(INVPCID), HAS(FSGSBASE), HAS(SMEP), HAS(SMAP), HAS(UMIP), HAS(ERMS), HAS(FSRM),        \
        HAS(ABM), HAS(PREFETCHW), HAS(PAGE1GB), HAS(MMXEXT)

#define V3_FEATURES                                                                                \
    HAS(AVX), HAS(AVX2), HAS(BMI1), HAS(BMI2), HAS(F16C), HAS(FMA), HAS(XSAVEOPT), HAS(XSAVEC)

#define V3_NAME    "x86-64-v3"
#define V3_SUMMARY "AVX2, FMA, BMI2, F16C, and all that x86-64-v2 has"
#define V2_NAME    "x86-64-v2"
#define V2_SUMMARY "SSE4.2, AES, PCLMUL, XSAVE, PCID, SMEP, SMAP"
#define V1_NAME    "x86-64"
#define V1_SUMMARY "SSE2 and what a virtual machine needs: the first x86-64 CPUs"

const X86CpuModel x86_cpu_models[] = {
    { .name = V3_NAME,
      .summary = V3_SUMMARY,
      .vendor = "AuthenticAMD",
      .brand = "Insula virtual CPU (x86-64-v3)",
      .family = 0x19,
      .model = 0x01,
      .stepping = 1,
      .has = { BASE_FEATURES, VIRTUAL_FEATURES, SAFE_FEATURES, V2_FEATURES, MORE_FEATURES,
               V3_FEATURES } },
    { .name = V2_NAME,
      .summary = V2_SUMMARY,
      .vendor = "AuthenticAMD",
      .brand = "Insula virtual CPU (x86-64-v2)",
      .family = 0x19,
      .model = 0x01,
      .stepping = 1,
      .has = { BASE_FEATURES, VIRTUAL_FEATURES, SAFE_FEATURES, V2_FEATURES, MORE_FEATURES } },
    { .name = V1_NAME,
      .summary = V1_SUMMARY,
      .vendor = "AuthenticAMD",
      .brand = "Insula virtual CPU (x86-64)",
      .family = 0x19,
      .model = 0x01,
      .stepping = 1,
      .has = { BASE_FEATURES, VIRTUAL_FEATURES, SAFE_FEATURES } },
    { 0 },
};

/* The same list as users of engines see it. */
static const EngineCpuModel engine_models[] = {
    { "max", "the highest level that is quick on this host; with KVM, the host's own CPU" },
    { "host", "the same" },
    { V3_NAME, V3_SUMMARY },
    { V2_NAME, V2_SUMMARY },
    { V1_NAME, V1_SUMMARY },
    { 0 },
};

const EngineCpuModel *engine_cpu_models(void)
{
    return engine_models;
}

const X86CpuModel *x86_cpu_model_find(const char *name, bool wide_vectors)
{
    bool best = !name || !strcmp(name, "max") || !strcmp(name, "host");

    for (const X86CpuModel *model = x86_cpu_models; model->name; model++) {
        bool quick = wide_vectors || !model->has[X86_FEATURE_AVX];
        if (best ? quick : !strcmp(model->name, name)) {
            return model;
        }
    }
    return NULL;
}

uint32_t x86_model_signature(const X86CpuModel *model)
{
    return model->stepping | (model->model & 0xfU) << 4 | 0xf00U | (model->model & 0xf0U) << 12 |
           (model->family - 0xfU) << 20;
}

/* --- features --------------------------------------------------------------------------------- */

typedef struct Place {
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
} Place;

static const Place places[X86_FEATURES] = {
#define X86_FEATURE(name, leaf_, subleaf_, reg_, bit_)                                             \
    [X86_FEATURE_##name] = { leaf_, subleaf_, reg_, bit_ },
#include "engine/dbt/guest/x86/features.def"
#undef X86_FEATURE
};

bool x86_feature_place(X86Feature feature, uint32_t *ret_leaf, uint32_t *ret_subleaf,
                       unsigned *ret_reg, unsigned *ret_bit)
{
    if (feature == X86_FEATURE_NONE || feature >= X86_FEATURES) {
        return false;
    }
    *ret_leaf = places[feature].leaf;
    *ret_subleaf = places[feature].subleaf;
    *ret_reg = places[feature].reg;
    *ret_bit = places[feature].bit;
    return true;
}

static void add_features(const X86CpuModel *model, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    for (unsigned i = X86_FEATURE_NONE + 1; i < X86_FEATURES; i++) {
        const Place *place = &places[i];
        if (model->has[i] && place->leaf == leaf && place->subleaf == subleaf) {
            out[place->reg] |= 1U << place->bit;
        }
    }
}

/* --- leaves ----------------------------------------------------------------------------------- */

enum { EAX, EBX, ECX, EDX };
enum {
    MAX_BASIC = 0x15,
    MAX_HYPERVISOR = 0x40000010,
    MAX_EXTENDED = 0x80000021,
    CACHE_LINE = 64,
};

/* Bits of leaf 1's EDX that AMD repeats in 80000001h. */
#define REPEATED_FEATURES 0x0183f3ffU

typedef struct Leaf {
    uint32_t leaf;
    void (*fill)(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
} Leaf;

static unsigned cpu_count(const X86Cpu *cpu)
{
    return dbt_vm_cpus(cpu->base.vm);
}

/* Bits of an APIC ID that number the cores. */
static unsigned core_bits(const X86Cpu *cpu)
{
    unsigned bits = 0;

    while (1U << bits < cpu_count(cpu)) {
        bits++;
    }
    return bits;
}

static void put_vendor(const X86Cpu *cpu, uint32_t out[4])
{
    out[EBX] = load_le32(cpu->model->vendor);
    out[EDX] = load_le32(cpu->model->vendor + 4);
    out[ECX] = load_le32(cpu->model->vendor + 8);
}

static void fill_vendor(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = leaf ? MAX_EXTENDED : MAX_BASIC;
    put_vendor(cpu, out);
}

static void fill_version(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    const uint32_t osxsave = 1U << 27, apic = 1U << 9, htt = 1U << 28;

    out[EAX] = x86_model_signature(cpu->model);
    out[EBX] = cpu->base.index << 24 | cpu_count(cpu) << 16 | CACHE_LINE / 8 << 8;
    out[ECX] |= cpu->cr4 & CR4_OSXSAVE ? osxsave : 0;
    out[EDX] &= cpu->msr.apic_base & 0x800 ? UINT32_MAX : ~apic;
    out[EDX] &= cpu_count(cpu) > 1 ? UINT32_MAX : ~htt;
}

static void fill_topology(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    enum { LEVEL_SMT = 1, LEVEL_CORE };

    out[ECX] = subleaf & 0xff;
    out[EDX] = cpu->base.index;
    if (subleaf == 0) {
        out[EBX] = 1;
        out[ECX] |= LEVEL_SMT << 8;
    } else if (subleaf == 1) {
        out[EAX] = core_bits(cpu);
        out[EBX] = cpu_count(cpu);
        out[ECX] |= LEVEL_CORE << 8;
    }
}

/* Bytes of an XSAVE area with the components of @xcr0. */
static uint32_t xsave_size(uint64_t xcr0)
{
    return xcr0 & 4 ? 832 : 576;
}

static void fill_xsave(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t known = cpu->model->has[X86_FEATURE_AVX] ? 7 : 3;

    if (!cpu->model->has[X86_FEATURE_XSAVE]) {
        return;
    }
    if (subleaf == 0) {
        out[EAX] = known;
        out[EBX] = xsave_size(cpu->xcr0);
        out[ECX] = xsave_size(known);
    } else if (subleaf == 1 && cpu->model->has[X86_FEATURE_XSAVEC]) {
        out[EBX] = xsave_size(cpu->xcr0);
    } else if (subleaf == 2 && (known & 4)) {
        out[EAX] = 256;
        out[EBX] = 576;
    }
}

/* TSC = crystal * EBX / EAX; the crystal also drives the LAPIC timer. */
static void fill_tsc(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = 1000 * 1000;
    out[EBX] = (uint32_t)dbt_vm_tsc_khz(cpu->base.vm);
    out[ECX] = 1000 * 1000 * 1000;
}

static void fill_hypervisor(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = MAX_HYPERVISOR;
    out[EBX] = load_le32("KVMK");
    out[ECX] = load_le32("VMKV");
    out[EDX] = load_le32("M\0\0");
}

static void fill_frequencies(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = (uint32_t)dbt_vm_tsc_khz(cpu->base.vm);
    out[EBX] = 1000 * 1000; /* of the LAPIC timer, kHz */
}

static void fill_extended(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t basic[4] = { 0 };

    add_features(cpu->model, 1, 0, basic);
    out[EAX] = x86_model_signature(cpu->model);
    out[EDX] |= basic[EDX] & REPEATED_FEATURES;
    if (cpu_count(cpu) == 1) {
        out[ECX] &= ~2U; /* CMP_LEGACY goes with HTT */
    }
}

static void fill_brand(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memcpy(out, cpu->model->brand + (leaf - 0x80000002) * 16, 16);
}

/* Caches and TLBs in AMD's first form: 32 KiB 8-way L1, 512 KiB 8-way L2, 16 MiB 16-way L3. */
static void fill_l1(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = out[EBX] = 0xff40ff40;
    out[ECX] = out[EDX] = 32U << 24 | 8 << 16 | 1 << 8 | CACHE_LINE;
}

static void fill_l2(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EBX] = 0x66006400;
    out[ECX] = 512U << 16 | 6 << 12 | 1 << 8 | CACHE_LINE;
    out[EDX] = 32U << 18 | 9 << 12 | 1 << 8 | CACHE_LINE;
}

static void fill_sizes(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = X86_PHYS_BITS | 48 << 8;
    out[ECX] = (cpu_count(cpu) - 1) | core_bits(cpu) << 12;
}

static void fill_caches(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    enum { DATA = 1, CODE, UNIFIED };
    static const struct {
        uint8_t type, level, ways;
        bool shared;
        uint16_t sets;
    } caches[] = {
        { DATA, 1, 8, false, 64 },
        { CODE, 1, 8, false, 64 },
        { UNIFIED, 2, 8, false, 1024 },
        { UNIFIED, 3, 16, true, 16384 },
    };

    if (subleaf >= G_N_ELEMENTS(caches)) {
        return;
    }
    unsigned sharing = caches[subleaf].shared ? cpu_count(cpu) : 1;
    out[EAX] = caches[subleaf].type | caches[subleaf].level << 5 | 1 << 8 | (sharing - 1) << 14;
    out[EBX] = (CACHE_LINE - 1) | (caches[subleaf].ways - 1U) << 22;
    out[ECX] = caches[subleaf].sets - 1U;
}

static void fill_node(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[EAX] = out[EBX] = cpu->base.index; /* extended APIC ID; core, one thread each */
}

static void fill_nothing(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
}

static const Leaf leaves[] = {
    { 0x0, fill_vendor },         { 0x1, fill_version },
    { 0x6, fill_nothing },        { 0x7, fill_nothing },
    { 0xb, fill_topology },       { 0xd, fill_xsave },
    { 0x15, fill_tsc },           { 0x40000000, fill_hypervisor },
    { 0x40000001, fill_nothing }, { 0x40000010, fill_frequencies },
    { 0x80000000, fill_vendor },  { 0x80000001, fill_extended },
    { 0x80000002, fill_brand },   { 0x80000003, fill_brand },
    { 0x80000004, fill_brand },   { 0x80000005, fill_l1 },
    { 0x80000006, fill_l2 },      { 0x80000007, fill_nothing },
    { 0x80000008, fill_sizes },   { 0x8000001d, fill_caches },
    { 0x8000001e, fill_node },    { 0x80000021, fill_nothing },
};

void x86_cpuid(X86Cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
    memset(ret, 0, 4 * sizeof(ret[0]));
    for (size_t i = 0; i < G_N_ELEMENTS(leaves); i++) {
        if (leaves[i].leaf == leaf) {
            bool has_subleaves = leaf == 0x7 || leaf == 0xd;
            add_features(cpu->model, leaf, has_subleaves ? subleaf : 0, ret);
            leaves[i].fill(cpu, leaf, subleaf, ret);
            return;
        }
    }
}

void x86_vcpu_cpuid(DbtCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
    x86_cpuid(x86_cpu(cpu), leaf, subleaf, ret);
}

uint64_t x86_helper_cpuid(DbtCpu *base, uint64_t a, uint64_t b, uint64_t c)
{
    X86Cpu *cpu = x86_cpu(base);
    uint32_t out[4];

    x86_cpuid(cpu, (uint32_t)cpu->gpr[X86_RAX], (uint32_t)cpu->gpr[X86_RCX], out);
    cpu->gpr[X86_RAX] = out[EAX];
    cpu->gpr[X86_RBX] = out[EBX];
    cpu->gpr[X86_RCX] = out[ECX];
    cpu->gpr[X86_RDX] = out[EDX];
    return 0;
}
