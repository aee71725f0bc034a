/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one interface to whatever runs guest instructions: /dev/kvm, or our own translator with one
 * of its back ends.  Nothing above it can tell them apart; tests/engine/ holds one suite that each
 * must pass.
 *
 * A vCPU runs until something outside the CPU is needed.  Accesses to registers of devices are not
 * such a thing: the engine calls the region in memory/ itself.  Interrupts travel as messages
 * (engine->msi), because the local APICs belong to the engine, as with KVM's split irqchip; the
 * I/O APIC and the 8259s belong to the machine.
 *
 *   create:  EngineVm (memory, clock, hooks) -> EngineVcpu 0..n-1, at reset: 0 runs, others wait
 *            for INIT-SIPI -> set_state of vCPU 0 for a direct boot
 *   run:     each vCPU on a thread of its own: for (;;) vcpu_run(&exit); a kick ends it
 *   state:   get_state and set_state only while the vCPU is not in vcpu_run
 *
 * Threads: vcpu_run, vcpu_get_state, vcpu_set_state, vcpu_set_debug, vcpu_translate, vcpu_cpuid: on
 * the vCPU's thread, or while it stands still.  vcpu_kick, vcpu_nmi, msi, extint: from any thread,
 * also with device locks held; they never wait for a vCPU.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"
#include "engine/x86/state.h"
#include "memory/memory.h"

typedef struct EngineVm EngineVm;
typedef struct EngineVcpu EngineVcpu;
typedef struct Engine Engine;

/* What an engine asks of the machine, from a vCPU's thread.  All may be NULL. */
typedef struct EngineHooks {
    void *opaque;
    int (*extint_ack)(void *opaque);                  /* the 8259s' vector, or -1: spurious */
    void (*ioapic_eoi)(void *opaque, uint8_t vector); /* end of a level-triggered interrupt */
} EngineHooks;

/* For whoever works on the translator.  All zero: as usual.  An engine refuses what it can't. */
typedef struct EngineTuning {
    bool check;           /* run each new block of guest code on two back ends, and compare them */
    uint64_t check_every; /* with .check: and each so many executions; 0: only new ones */
    uint64_t code_limit;  /* bytes of translated code at most; 0: a default */
    unsigned block_insns; /* guest instructions in a block at most; 0: a default */
} EngineTuning;

typedef struct EngineConfig {
    GuestMemory *memory; /* complete: all regions added */
    Clock *clock;
    Log *log; /* may be NULL */
    EngineHooks hooks;
    unsigned cpus;         /* 1 to ENGINE_MAX_CPUS */
    const char *cpu_model; /* a name that engine_cpu_models() lists; NULL: the default */
    uint64_t tsc_khz;      /* of the guest's TSC; 0: the engine chooses */
    EngineTuning tuning;
} EngineConfig;

enum { ENGINE_MAX_CPUS = 64 };

typedef enum VcpuExitReason {
    VCPU_EXIT_KICKED,     /* vcpu_kick, or a signal */
    VCPU_EXIT_SHUTDOWN,   /* triple fault */
    VCPU_EXIT_DEBUG,      /* a breakpoint, watchpoint or step that vcpu_set_debug asked for */
    VCPU_EXIT_ERROR,      /* the engine can't go on: .message says why */
    VCPU_EXIT_DIFFERENCE, /* EngineTuning.check found one: .report */
} VcpuExitReason;

typedef enum DebugReason {
    DEBUG_STEP,
    DEBUG_BREAKPOINT,
    DEBUG_WATCHPOINT,
} DebugReason;

typedef struct VcpuExit {
    VcpuExitReason reason;
    DebugReason debug;  /* of VCPU_EXIT_DEBUG */
    uint64_t address;   /* gva of the break- or watchpoint */
    unsigned point;     /* its place in DebugConfig.points */
    char message[200];  /* of VCPU_EXIT_ERROR */
    const char *report; /* of VCPU_EXIT_DIFFERENCE: lines of text, the vCPU's until vcpu_free */
} VcpuExit;

/* What a debugger wants of a vCPU.  The guest can't see it: #DB and INT3 of its own still work. */
enum { DEBUG_MAX_POINTS = 64 };

typedef struct DebugPoint {
    uint64_t gva;
    uint32_t size;             /* of a watchpoint; KVM takes 1, 2, 4 or 8 aligned bytes */
    bool execute, read, write; /* .execute alone is a breakpoint */
} DebugPoint;

typedef struct DebugConfig {
    bool step; /* exit after one instruction */
    unsigned n_points;
    DebugPoint points[DEBUG_MAX_POINTS];
} DebugConfig;

typedef struct VcpuStats {
    uint64_t instructions; /* guest instructions run; 0 where the engine can't know */
    uint64_t exits;        /* times the guest needed the host */
    uint64_t translated;   /* guest instructions translated */
    uint64_t flushes;      /* times that all translations were thrown away, of the VM */
} VcpuStats;

struct Engine {
    const char *name;    /* as --engine takes it */
    const char *summary; /* a line for people */
    /* Whether it can be used here, and the reason either way, for people ("no /dev/kvm").
     * @ret_reason is newly allocated.  May take up to 100 ms. */
    bool (*probe)(char **ret_reason);
    /* The same for a person who asked for this engine by name: slow is good enough, and the
     * reason says so.  NULL: as .probe. */
    bool (*probe_asked)(char **ret_reason);
    EngineVm *(*vm_new)(const EngineConfig *config, GError **error);
    void (*vm_free)(EngineVm *vm); /* after all its vCPUs */
    /* The CPU model that was taken: as engine_cpu_models() names it, but no longer "max". */
    const char *(*vm_cpu_model)(EngineVm *vm);
    /* Frequency of the guest's TSC, fixed at creation. */
    uint64_t (*vm_tsc_khz)(EngineVm *vm);
    /* Memory written as an MSI: @address FEExxxxxh, @data as SDM 11.11 lays it out. */
    void (*vm_msi)(EngineVm *vm, uint64_t address, uint32_t data);
    /* The 8259s' INTR output, wired to LINT0 of vCPU 0. */
    void (*vm_extint)(EngineVm *vm, bool raised);

    EngineVcpu *(*vcpu_new)(EngineVm *vm, unsigned index, GError **error);
    void (*vcpu_free)(EngineVcpu *vcpu);
    void (*vcpu_run)(EngineVcpu *vcpu, VcpuExit *exit);
    /* End the current vcpu_run soon, or the next at once. */
    void (*vcpu_kick)(EngineVcpu *vcpu);
    void (*vcpu_nmi)(EngineVcpu *vcpu);
    bool (*vcpu_get_state)(EngineVcpu *vcpu, X86State *ret_state, GError **error);
    /* Refuses a state that can't be (SDM 27.3.1 lists what can), and changes nothing then. */
    bool (*vcpu_set_state)(EngineVcpu *vcpu, const X86State *state, GError **error);
    /* @config is copied; NULL: no debugging. */
    bool (*vcpu_set_debug)(EngineVcpu *vcpu, const DebugConfig *config, GError **error);
    /* @gva as the vCPU sees it now -> gpa; false: not mapped.  Changes no accessed bit. */
    bool (*vcpu_translate)(EngineVcpu *vcpu, uint64_t gva, uint64_t *ret_gpa);
    /* What CPUID answers to it. */
    void (*vcpu_cpuid)(EngineVcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4]);
    void (*vcpu_stats)(EngineVcpu *vcpu, VcpuStats *ret_stats);
};

/* Engines in order of preference, NULL behind the last. */
const Engine *const *engine_list(void);

/* The engine called @name, or for "auto" (or NULL) the first whose probe says yes.  *@ret_reason
 * (newly allocated; may be passed as NULL) says why it was chosen.  Fails with INSULA_ERROR_USAGE
 * for an unknown name, with INSULA_ERROR_HOST if the one asked for can't be used here. */
const Engine *engine_choose(const char *name, char **ret_reason, GError **error);

/* Names of CPU models with a summary each, NULL name behind the last; the first is the default: it
 * and "host" stand for what the engine does best. */
typedef struct EngineCpuModel {
    const char *name, *summary;
} EngineCpuModel;
const EngineCpuModel *engine_cpu_models(void);

/* Bits that the model called @name may show in register @reg (0 EAX to 3 EDX) of a CPUID leaf; all
 * ones where the model's features don't stand, and for "max" and "host". */
uint32_t engine_cpu_model_mask(const char *name, uint32_t leaf, uint32_t subleaf, unsigned reg);
