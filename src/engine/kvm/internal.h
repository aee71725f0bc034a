/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the KVM engine share.  Outside this folder only kvm.h counts.
 *
 *   vm.c     /dev/kvm, capabilities, memory slots, interrupt routes    run.c    the run loop, exits
 *   cpuid.c  what CPUID shows            state.c  X86State <-> KVM     msr.c    MSRs, by table
 *   time.c   TSC and kvmclock            debug.c  guest debugging      probe.c  can KVM be used?
 *
 * Threads: as engine.h says; each field says who may touch it.
 * Read first: Documentation/virt/kvm/api.rst of Linux.
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/engine.h"

/* Pins of an I/O APIC whose level-triggered interrupts end with an exit to us. */
enum { KVM_EOI_ROUTES = 24 };

enum { KVM_MAX_MSRS = 512, KVM_MAX_CPUID = 256 };

/* Capabilities that we can do without. */
typedef enum KvmOption {
    KVM_OPTION_SREGS2,
    KVM_OPTION_PAYLOAD,
    KVM_OPTION_X2APIC_API,
    KVM_OPTION_READONLY_MEM,
    KVM_OPTION_TSC_CONTROL,
    KVM_OPTION_TSC_DEADLINE,
    KVM_OPTION_KVMCLOCK,
    KVM_OPTION_ADJUST_CLOCK,
    KVM_OPTION_DEBUG,
    KVM_OPTION_BLOCK_IRQ,
    KVM_OPTIONS
} KvmOption;

/* An interrupt whose end the I/O APIC wants to hear of. */
typedef struct KvmRoute {
    bool used;
    uint64_t address;
    uint32_t data;
    uint64_t last_use;
} KvmRoute;

/* Ranges of RAM and ROM at a time: a pc has some twenty. */
enum { KVM_SLOTS = 64 };

struct EngineVm {
    /* fixed after create */
    EngineConfig config;
    int kvm_fd, fd;
    int vcpu0_fd; /* made with the VM, taken by vCPU 0; then -1 */
    bool option[KVM_OPTIONS];
    size_t run_size; /* of the mapping shared with the kernel per vCPU */
    uint64_t tsc_khz;
    bool tsc_offsets;   /* the kernel lets us read and write TSC offsets */
    uint32_t signature; /* CPUID leaf 1, EAX */
    uint32_t xcr0;      /* bits that the guest may set; 0: no XSAVE */
    uint32_t *msrs;     /* what the kernel saves and restores */
    unsigned n_msrs;
    EngineVcpu *vcpu[ENGINE_MAX_CPUS]; /* atomic: set by vcpu_new, cleared by vcpu_free */
    /* atomic: the 8259s' output */
    int extint;
    /* lock: that of the memory map */
    RamRange slot[KVM_SLOTS]; /* RAM that the kernel maps; size 0: free */
    /* lock: routes_mutex */
    GMutex routes_mutex;
    KvmRoute route[KVM_EOI_ROUTES];
    uint64_t route_uses;
    /* lock: time_mutex */
    GMutex time_mutex;
    uint64_t base_low_ns, base_high_ns; /* host time at which the machine's clock showed 0 */
    uint64_t stood_ns;                  /* how long the clock was paused, as far as we know */
    uint64_t tsc_floor, floor_clock_ns; /* a TSC that was read, and the clock then; 0: none */
    int64_t tsc_offset;                 /* of a vCPU whose TSC_ADJUST is 0 */
    bool tsc_was_set;                   /* by set_state since a vCPU ran */
};

struct EngineVcpu {
    /* fixed after create */
    EngineVm *vm;
    unsigned index;
    int fd;
    struct kvm_run *run; /* shared with the kernel */
    /* atomic: written by whoever wants the vCPU's attention */
    int kicked;
    int nmi;
    pid_t tid; /* the thread inside vcpu_run, 0: none */
    uint64_t exits;
    /* vCPU's thread only */
    pid_t ready_tid;     /* thread whose signal mask is known to be right */
    bool unfinished;     /* the kernel waits to complete an access to registers */
    bool window_unknown; /* run->ready_for_interrupt_injection is stale */
    uint64_t stood_ns;   /* vm->stood_ns that this vCPU's TSC offset is for */
    DebugConfig debug;
};

/* ioctl() that goes on after a signal; 0 or more, or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *argument);

/* vm.c */
EngineVm *kvm_vm_new(const EngineConfig *config, GError **error);
void kvm_vm_free(EngineVm *vm);
const char *kvm_vm_cpu_model(EngineVm *vm);
uint64_t kvm_vm_tsc_khz(EngineVm *vm);
void kvm_vm_msi(EngineVm *vm, uint64_t address, uint32_t data);
void kvm_vm_extint(EngineVm *vm, bool raised);
/* Open /dev/kvm; on failure -1 and why, with the remedy, for people (newly allocated). */
int kvm_open(char **ret_why);

/* run.c */
EngineVcpu *kvm_vcpu_new(EngineVm *vm, unsigned index, GError **error);
void kvm_vcpu_free(EngineVcpu *vcpu);
void kvm_vcpu_run(EngineVcpu *vcpu, VcpuExit *exit);
void kvm_vcpu_kick(EngineVcpu *vcpu);
void kvm_vcpu_nmi(EngineVcpu *vcpu);
void kvm_vcpu_stats(EngineVcpu *vcpu, VcpuStats *ret_stats);
void kvm_vcpu_cpuid(EngineVcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4]);
/* Make @vcpu look at its atomic fields again, without ending vcpu_run. */
void kvm_vcpu_nudge(EngineVcpu *vcpu);
/* Have the signal that nudges handled (by doing nothing) in this process. */
void kvm_nudge_prepare(void);
/* Hand an NMI that vcpu_nmi left to the kernel.  vCPU's thread. */
void kvm_vcpu_take_nmi(EngineVcpu *vcpu);

/* cpuid.c */
bool kvm_cpuid_set(EngineVcpu *vcpu, GError **error);
bool kvm_cpuid_model_known(const char *name);

/* state.c */
bool kvm_vcpu_get_state(EngineVcpu *vcpu, X86State *ret_state, GError **error);
bool kvm_vcpu_set_state(EngineVcpu *vcpu, const X86State *state, GError **error);
bool kvm_vcpu_translate(EngineVcpu *vcpu, uint64_t gva, uint64_t *ret_gpa);
/* The 8259s' @vector, which the vCPU is ready for. */
void kvm_vcpu_take_extint(EngineVcpu *vcpu, uint8_t vector);
/* The state after power-on, given to the kernel. */
bool kvm_vcpu_reset(EngineVcpu *vcpu, GError **error);

/* msr.c */
bool kvm_msrs_get(EngineVcpu *vcpu, X86Msrs *ret_msrs, GError **error);
bool kvm_msrs_set(EngineVcpu *vcpu, const X86Msrs *msrs, GError **error);
/* One MSR; 0, or -EINVAL if the kernel refuses it. */
int kvm_msr_read(EngineVcpu *vcpu, uint32_t index, uint64_t *ret_value);
int kvm_msr_write(EngineVcpu *vcpu, uint32_t index, uint64_t value);
/* What vm->msrs is made from. */
void kvm_msrs_list(EngineVm *vm);

/* time.c */
bool kvm_time_vm_init(EngineVm *vm, GError **error);
void kvm_time_vcpu_init(EngineVcpu *vcpu);
/* Before the guest runs: take out of its TSC what the machine's clock stood still. */
void kvm_time_enter(EngineVcpu *vcpu);
/* What RDTSC would read now if the guest ran. */
uint64_t kvm_time_get_tsc(EngineVcpu *vcpu);
void kvm_time_set_tsc(EngineVcpu *vcpu, uint64_t tsc, uint64_t adjust);

/* debug.c */
bool kvm_vcpu_set_debug(EngineVcpu *vcpu, const DebugConfig *config, GError **error);
/* Turn KVM_EXIT_DEBUG into @exit. */
void kvm_debug_exit(EngineVcpu *vcpu, VcpuExit *exit);

/* probe.c */
bool kvm_probe(char **ret_reason);
bool kvm_probe_asked(char **ret_reason);
