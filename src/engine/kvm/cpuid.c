/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID shows a guest of KVM: what the host's CPU and kernel can do, less the features whose
 * state isn't part of X86State (a saved VM must be whole), plus the topology of this VM, the
 * frequency of the TSC, and KVM's own leaves.
 *
 * A table says per register what stays; leaves without a row stay as they are, or go if they are
 * in the list of those dropped.  A CPU model of the translator can be asked for by name: then only
 * features stay that both have, so that a saved VM can go on there.
 *
 * Threads: while a vCPU is made.
 */
#include <errno.h>
#include <linux/kvm_para.h>
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/kvm/internal.h"
#include "engine/x86/registers.h"

enum { EAX, EBX, ECX, EDX };

enum {
    LEAF_MAX = 0,
    LEAF_FEATURES = 1,
    LEAF_CACHES = 4,
    LEAF_TOPOLOGY = 0xb,
    LEAF_XSAVE = 0xd,
    LEAF_TSC = 0x15,
    LEAF_KVM = 0x40000000,
    LEAF_KVM_FEATURES = 0x40000001,
    LEAF_KVM_TSC = 0x40000010,
    LEAF_AMD_FEATURES = (int)0x80000001,
    LEAF_AMD_SIZES = (int)0x80000008,
    LEAF_AMD_CACHES = (int)0x8000001d,
    LEAF_AMD_TOPOLOGY = (int)0x8000001e,
};

#define BIT(n) (1U << (n))

/* Bits of leaf 1. */
#define FEATURE_ECX_X2APIC       BIT(21)
#define FEATURE_ECX_TSC_DEADLINE BIT(24)
#define FEATURE_ECX_OSXSAVE      BIT(27)
#define FEATURE_ECX_HYPERVISOR   BIT(31)
#define FEATURE_EDX_HTT          BIT(28)
#define AMD_ECX_CMP_LEGACY       BIT(1)

/* kvmclock, and that it is stable over vCPUs. */
#define KVM_FEATURES_SHOWN (BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT))

/* Bits that stay.  What is missing and why: monitor/mwait, virtualization, power and performance
 * counters, debug store, transactional memory, SGX, PT, MPX, AVX-512, AMX, protection keys, CET
 * and XSAVES (state outside X86State), 5-level paging, and whatever is too new to be known. */
static const struct {
    uint32_t leaf, index;
    unsigned reg;
    uint32_t keep;
} kept[] = {
    /* SSE3 PCLMUL SSSE3 FMA CX16 PCID SSE4 x2APIC MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
    { LEAF_FEATURES, 0, ECX, 0xf7fa3203 & ~FEATURE_ECX_OSXSAVE },
    { LEAF_FEATURES, 0, EDX, 0x178bfbff }, /* FPU to SSE2, without ACPI, SS, TM, PSN */
    { 6, 0, EAX, BIT(2) },                 /* the APIC timer always runs */
    { 6, 0, EBX, 0 },
    { 6, 0, ECX, 0 },
    { 6, 0, EDX, 0 },
    { 7, 0, EAX, 3 },
    /* FSGSBASE TSC_ADJUST BMI1 AVX2 FDP SMEP BMI2 ERMS INVPCID FCS/FDS RDSEED ADX SMAP CLFLUSHOPT
     * CLWB SHA */
    { 7, 0, EBX, 0x219c27eb },
    { 7, 0, ECX, 0x1a400704 }, /* UMIP GFNI VAES VPCLMUL RDPID CLDEMOTE MOVDIR* */
    { 7, 0, EDX, 0xac004410 }, /* FSRM MD_CLEAR SERIALIZE SPEC_CTRL STIBP ARCH_CAP SSBD */
    { 7, 1, EAX, 0x1c10 },     /* AVX-VNNI, fast short REP */
    { 7, 1, EBX, 0 },
    { 7, 1, ECX, 0 },
    { 7, 1, EDX, 0 },
    { 7, 2, EDX, 0x3f },       /* bits of SPEC_CTRL */
    { LEAF_XSAVE, 0, EAX, 7 }, /* x87, SSE, AVX */
    { LEAF_XSAVE, 0, EDX, 0 },
    { LEAF_XSAVE, 1, EAX, 7 }, /* XSAVEOPT, XSAVEC, XGETBV 1 */
    { LEAF_XSAVE, 1, ECX, 0 },
    { LEAF_XSAVE, 1, EDX, 0 },
    { LEAF_KVM_FEATURES, 0, EAX, KVM_FEATURES_SHOWN },
    { LEAF_KVM_FEATURES, 0, EDX, 0 },
    /* LAHF CMP CR8 LZCNT SSE4A misaligned prefetch XOP FMA4 TCE TBM topology */
    { LEAF_AMD_FEATURES, 0, ECX, 0x006309f3 },
    { 0x80000007, 0, EAX, 0 },
    { 0x80000007, 0, EBX, 0 },
    { 0x80000007, 0, ECX, 0 },
    { 0x80000007, 0, EDX, BIT(8) }, /* the TSC's rate is constant */
    /* CLZERO XSAVEERPTR WBNOINVD IBPB IBRS STIBP SSBD and their "no need" bits */
    { LEAF_AMD_SIZES, 0, EBX, 0x3507d205 },
    { 0x80000021, 0, EAX, 0x145 }, /* LFENCE serializes, null selectors clear, AutoIBRS */
    { 0x80000021, 0, EBX, 0 },
};

/* Leaves that a guest doesn't see, from .. to. */
static const struct {
    uint32_t from, to;
} dropped[] = {
    { 5, 5 },                         /* MONITOR */
    { 9, 0xa },                       /* DCA, performance counters */
    { LEAF_TOPOLOGY, LEAF_TOPOLOGY }, /* made below */
    { 0xe, 0x1f },                    /* resource control, SGX, PT, TSC, ... */
    { 0x20, 0x3fffffff },
    { LEAF_KVM_TSC, LEAF_KVM_TSC }, /* made below */
    { 0x8000000a, 0x8000000a },     /* SVM */
    { 0x8000001b, 0x8000001c },     /* IBS, LWP */
    { 0x8000001e, 0x80000020 },     /* topology is made below; SEV, QoS */
    { 0x80000022, 0x8000ffff },
    { 0xc0000000, 0xc000ffff }, /* Centaur */
};

typedef struct CpuidList {
    struct kvm_cpuid2 *list;
    const EngineVcpu *vcpu;
    unsigned shift; /* bits of an APIC id */
} CpuidList;

bool kvm_cpuid_model_known(const char *name)
{
    const EngineCpuModel *model = engine_cpu_models();

    while (name && model->name && strcmp(name, model->name)) {
        model++;
    }
    return !name || model->name;
}

/* The translator's model that was asked for, or NULL: the host's own. */
static const char *asked_model(const EngineVm *vm)
{
    const char *name = vm->config.cpu_model;

    return name && strcmp(name, "host") && strcmp(name, "max") ? name : NULL;
}

const char *kvm_vm_cpu_model(EngineVm *vm)
{
    const char *name = asked_model(vm);

    return name ? name : "host";
}

static struct kvm_cpuid2 *new_list(void)
{
    struct kvm_cpuid2 *list =
        g_malloc0(sizeof(*list) + KVM_MAX_CPUID * sizeof(struct kvm_cpuid_entry2));

    list->nent = KVM_MAX_CPUID;
    return list;
}

static uint32_t *entry_reg(struct kvm_cpuid_entry2 *entry, unsigned reg)
{
    uint32_t *const regs[] = { &entry->eax, &entry->ebx, &entry->ecx, &entry->edx };

    return regs[reg];
}

static bool is_dropped(const struct kvm_cpuid_entry2 *entry)
{
    for (size_t i = 0; i < G_N_ELEMENTS(dropped); i++) {
        if (entry->function >= dropped[i].from && entry->function <= dropped[i].to) {
            return true;
        }
    }
    return entry->function == LEAF_XSAVE && entry->index > 2;
}

static void filter(struct kvm_cpuid_entry2 *entry)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
        if (entry->function == kept[i].leaf && entry->index == kept[i].index) {
            *entry_reg(entry, kept[i].reg) &= kept[i].keep;
        }
    }
}

static void filter_model(const char *model, struct kvm_cpuid_entry2 *entry)
{
    for (unsigned reg = EAX; reg <= EDX; reg++) {
        *entry_reg(entry, reg) &= engine_cpu_model_mask(model, entry->function, entry->index, reg);
    }
}

/* ---- what depends on this VM ---- */

static void edit_max(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    entry->eax = LEAF_TSC;
}

static void edit_features(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    EngineVm *vm = c->vcpu->vm;

    entry->ebx = (entry->ebx & 0xffff) | (1U << c->shift) << 16 | c->vcpu->index << 24;
    entry->ecx |= FEATURE_ECX_HYPERVISOR | FEATURE_ECX_X2APIC;
    if (vm->option[KVM_OPTION_TSC_DEADLINE]) {
        entry->ecx |= FEATURE_ECX_TSC_DEADLINE;
    }
    if (vm->config.cpus > 1) {
        entry->edx |= FEATURE_EDX_HTT;
    } else {
        entry->edx &= ~FEATURE_EDX_HTT;
    }
    vm->signature = entry->eax;
}

/* One package of single-threaded cores: caches up to level 2 are private, the next is shared. */
static uint32_t cache_sharing(const CpuidList *c, uint32_t eax)
{
    unsigned level = (unsigned)bits_get(eax, 5, 3);

    return (eax & 0x3fff) | (level >= 3 ? ((1U << c->shift) - 1) << 14 : 0);
}

static void edit_caches(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    if (entry->eax & 0x1f) {
        entry->eax = cache_sharing(c, entry->eax) | ((1U << c->shift) - 1) << 26;
    }
}

static void edit_amd_caches(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    if (entry->eax & 0x1f) {
        entry->eax = cache_sharing(c, entry->eax);
    }
}

/* Sizes of the XSAVE area; the kernel keeps EBX up to date with XCR0. */
static void edit_xsave(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    if (entry->index == 0) {
        entry->ecx = entry->eax & 4 ? 832 : 576;
        c->vcpu->vm->xcr0 = entry->eax;
    }
}

static void edit_kvm(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    entry->eax = LEAF_KVM_TSC;
}

static void edit_amd_features(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    if (c->vcpu->vm->config.cpus > 1) {
        entry->ecx |= AMD_ECX_CMP_LEGACY;
    } else {
        entry->ecx &= ~AMD_ECX_CMP_LEGACY;
    }
}

static void edit_amd_sizes(CpuidList *c, struct kvm_cpuid_entry2 *entry)
{
    entry->ecx = c->shift << 12 | (c->vcpu->vm->config.cpus - 1);
}

static const struct {
    uint32_t leaf;
    void (*edit)(CpuidList *c, struct kvm_cpuid_entry2 *entry);
} edits[] = {
    { LEAF_MAX, edit_max },
    { LEAF_FEATURES, edit_features },
    { LEAF_CACHES, edit_caches },
    { LEAF_XSAVE, edit_xsave },
    { LEAF_KVM, edit_kvm },
    { (uint32_t)LEAF_AMD_FEATURES, edit_amd_features },
    { (uint32_t)LEAF_AMD_SIZES, edit_amd_sizes },
    { (uint32_t)LEAF_AMD_CACHES, edit_amd_caches },
};

static void append(CpuidList *c, const struct kvm_cpuid_entry2 *entry)
{
    if (c->list->nent < KVM_MAX_CPUID) {
        c->list->entries[c->list->nent++] = *entry;
    }
}

static void append_new(CpuidList *c, bool has_threads)
{
    const EngineVm *vm = c->vcpu->vm;
    const uint32_t id = c->vcpu->index, khz = (uint32_t)vm->tsc_khz;
    const uint32_t lapic_khz = (uint32_t)(X86_LAPIC_TIMER_HZ / 1000);
    const uint32_t indexed = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    const struct kvm_cpuid_entry2 entries[] = {
        /* threads of a core, cores of a package, end (SDM 2, CPUID leaf 0Bh) */
        { LEAF_TOPOLOGY, 0, indexed, 0, 1, 1 << 8, id },
        { LEAF_TOPOLOGY, 1, indexed, c->shift, vm->config.cpus, 2 << 8 | 1, id },
        { LEAF_TOPOLOGY, 2, indexed, 0, 0, 2, id },
        /* TSC = crystal * EBX / EAX; the LAPIC timer counts the crystal */
        { LEAF_TSC, 0, 0, lapic_khz, khz, (uint32_t)X86_LAPIC_TIMER_HZ, 0 },
        { LEAF_KVM_TSC, 0, 0, khz, lapic_khz, 0, 0 },
        { (uint32_t)LEAF_AMD_TOPOLOGY, 0, 0, id, id, 0, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        if (entries[i].function != (uint32_t)LEAF_AMD_TOPOLOGY || has_threads) {
            append(c, &entries[i]);
        }
    }
}

static void build(CpuidList *c, const struct kvm_cpuid2 *supported)
{
    const char *model = asked_model(c->vcpu->vm);
    bool has_threads = false;

    for (unsigned i = 0; i < supported->nent; i++) {
        struct kvm_cpuid_entry2 entry = supported->entries[i];
        has_threads |= entry.function == (uint32_t)LEAF_AMD_TOPOLOGY;
        if (is_dropped(&entry)) {
            continue;
        }
        filter(&entry);
        if (model) {
            filter_model(model, &entry);
        }
        for (size_t j = 0; j < G_N_ELEMENTS(edits); j++) {
            if (entry.function == edits[j].leaf) {
                edits[j].edit(c, &entry);
            }
        }
        append(c, &entry);
    }
    append_new(c, has_threads);
}

bool kvm_cpuid_set(EngineVcpu *vcpu, GError **error)
{
    g_autofree struct kvm_cpuid2 *supported = new_list();
    g_autofree struct kvm_cpuid2 *list = new_list();
    CpuidList c = { .list = list, .vcpu = vcpu };
    int result = kvm_ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, supported);

    while (1U << c.shift < vcpu->vm->config.cpus) {
        c.shift++;
    }
    list->nent = 0;
    if (result >= 0) {
        build(&c, supported);
        result = kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, list);
    }
    if (result < 0) {
        set_error_code(error, INSULA_ERROR_HOST, "KVM refuses the CPU model: %s",
                       g_strerror(-result));
        return false;
    }
    return true;
}

void kvm_vcpu_cpuid(EngineVcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4])
{
    g_autofree struct kvm_cpuid2 *list = new_list();

    memset(ret_regs, 0, 4 * sizeof(ret_regs[0]));
    if (kvm_ioctl(vcpu->fd, KVM_GET_CPUID2, list) < 0) {
        return;
    }
    for (unsigned i = 0; i < list->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &list->entries[i];
        bool indexed = entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        for (unsigned reg = EAX; entry->function == leaf && reg <= EDX; reg++) {
            if (!indexed || entry->index == subleaf) {
                ret_regs[reg] = *entry_reg(entry, reg);
            }
        }
    }
}
