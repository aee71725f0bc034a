/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator as an Engine, see dbt.h: thin glue between engine.h, the core in run/ and the
 * x86 guest.
 *
 * Threads: as engine.h says.
 */
#include "engine/dbt/dbt.h"

#include <string.h>

#include "common/error.h"
#include "engine/dbt/guest/x86/cpuid.h"
#include "engine/dbt/guest/x86/x86.h"
#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/host/native.h"
#include "engine/dbt/run/exec.h"
#include "engine/dbt/run/mmu.h"

struct EngineVm {
    DbtVm *dbt;
    const X86CpuModel *model;
};

struct EngineVcpu {
    DbtCpu *cpu;
};

static bool probe_interpreter(char **ret_reason)
{
    *ret_reason = g_strdup("portable interpreter, runs on every host");
    return true;
}

static bool probe_translator(char **ret_reason)
{
    *ret_reason =
        g_strdup(native_backend ? "software CPU: makes code for this host's CPU"
                                : "software CPU; no back end for this host's CPU yet, so its IR is "
                                  "interpreted");
    return true;
}

static EngineVm *vm_new(const EngineConfig *config, const Backend *backend, GError **error)
{
    bool wide = backend->has_wide_vectors && backend->has_wide_vectors();
    const X86CpuModel *model = x86_cpu_model_find(config->cpu_model, wide);

    if (!model) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "unknown CPU model '%s': --describe lists the models there are",
                       config->cpu_model);
        return NULL;
    }
    g_assert(config->cpus >= 1 && config->cpus <= ENGINE_MAX_CPUS);
    DbtVm *dbt = dbt_vm_new(&x86_isa, config, error);
    if (!dbt) {
        return NULL;
    }
    if (config->tuning.check ? !dbt_vm_set_check(dbt, backend, config->tuning.check_every, error)
                             : !dbt_vm_set_backend(dbt, backend, error)) {
        dbt_vm_free(dbt);
        return NULL;
    }
    EngineVm *vm = g_new0(EngineVm, 1);
    vm->dbt = dbt;
    vm->model = model;
    return vm;
}

static EngineVm *interpreter_vm_new(const EngineConfig *config, GError **error)
{
    return vm_new(config, &interp_backend, error);
}

static EngineVm *translator_vm_new(const EngineConfig *config, GError **error)
{
    return vm_new(config, native_backend ? native_backend : &interp_backend, error);
}

static void vm_free(EngineVm *vm)
{
    if (vm) {
        dbt_vm_free(vm->dbt);
        g_free(vm);
    }
}

static const char *vm_cpu_model(EngineVm *vm)
{
    return vm->model->name;
}

static uint64_t vm_tsc_khz(EngineVm *vm)
{
    return dbt_vm_tsc_khz(vm->dbt);
}

static void vm_msi(EngineVm *vm, uint64_t address, uint32_t data)
{
    x86_msi(vm->dbt, address, data);
}

static void vm_extint(EngineVm *vm, bool raised)
{
    x86_extint(vm->dbt, raised);
}

static EngineVcpu *vcpu_new(EngineVm *vm, unsigned index, GError **error)
{
    EngineVcpu *vcpu = g_new0(EngineVcpu, 1);

    vcpu->cpu = dbt_cpu_new(vm->dbt, index);
    x86_vcpu_init(vcpu->cpu, vm->model);
    return vcpu;
}

static void vcpu_free(EngineVcpu *vcpu)
{
    if (vcpu) {
        x86_vcpu_free(vcpu->cpu);
        dbt_cpu_free(vcpu->cpu);
        g_free(vcpu);
    }
}

static void vcpu_run(EngineVcpu *vcpu, VcpuExit *exit)
{
    dbt_run(vcpu->cpu, exit);
}

static void vcpu_kick(EngineVcpu *vcpu)
{
    dbt_attention(vcpu->cpu, ATTENTION_KICK);
}

static void vcpu_nmi(EngineVcpu *vcpu)
{
    x86_nmi(vcpu->cpu);
}

static bool vcpu_get_state(EngineVcpu *vcpu, X86State *ret_state, GError **error)
{
    x86_get_state(vcpu->cpu, ret_state);
    return true;
}

static bool vcpu_set_state(EngineVcpu *vcpu, const X86State *state, GError **error)
{
    if (!x86_set_state(vcpu->cpu, state, error)) {
        return false;
    }
    vcpu->cpu->shutdown = false;
    vcpu->cpu->fault = FAULT_NONE;
    mmu_flush(vcpu->cpu);
    dbt_attention(vcpu->cpu, ATTENTION_INTERRUPT);
    return true;
}

static bool vcpu_set_debug(EngineVcpu *vcpu, const DebugConfig *config, GError **error)
{
    if (config && config->n_points > DEBUG_MAX_POINTS) {
        set_error(error, "too many breakpoints: at most %d fit", DEBUG_MAX_POINTS);
        return false;
    }
    dbt_set_debug(vcpu->cpu, config);
    return true;
}

static bool vcpu_translate(EngineVcpu *vcpu, uint64_t gva, uint64_t *ret_gpa)
{
    MmuPage page;

    if (!x86_page_walk(vcpu->cpu, gva, MMU_READ, MMU_KERNEL_AC, true, &page)) {
        return false;
    }
    *ret_gpa = page.gpa | gva % PAGE_SIZE;
    return true;
}

static void vcpu_cpuid(EngineVcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t ret_regs[4])
{
    x86_vcpu_cpuid(vcpu->cpu, leaf, subleaf, ret_regs);
}

static void vcpu_stats(EngineVcpu *vcpu, VcpuStats *ret_stats)
{
    const DbtCpu *cpu = vcpu->cpu;

    *ret_stats = (VcpuStats){ .instructions = __atomic_load_n(&cpu->instructions, __ATOMIC_RELAXED),
                              .exits = __atomic_load_n(&cpu->exits, __ATOMIC_RELAXED),
                              .translated = __atomic_load_n(&cpu->translated, __ATOMIC_RELAXED),
                              .flushes = cache_flushes(cpu->vm->cache) };
}

/* Both engines are the same core; only the back end differs. */
#define DBT_ENGINE                                                                                 \
    .vm_free = vm_free, .vm_cpu_model = vm_cpu_model, .vm_tsc_khz = vm_tsc_khz, .vm_msi = vm_msi,  \
    .vm_extint = vm_extint, .vcpu_new = vcpu_new, .vcpu_free = vcpu_free, .vcpu_run = vcpu_run,    \
    .vcpu_kick = vcpu_kick, .vcpu_nmi = vcpu_nmi, .vcpu_get_state = vcpu_get_state,                \
    .vcpu_set_state = vcpu_set_state, .vcpu_set_debug = vcpu_set_debug,                            \
    .vcpu_translate = vcpu_translate, .vcpu_cpuid = vcpu_cpuid, .vcpu_stats = vcpu_stats

const Engine interpreter_engine = {
    .name = "interpreter",
    .summary = "software CPU: translates to IR and interprets that, on any host",
    .probe = probe_interpreter,
    .vm_new = interpreter_vm_new,
    DBT_ENGINE,
};

const Engine translator_engine = {
    .name = "translator",
    .summary = "software CPU: translates to code for this host's CPU",
    .probe = probe_translator,
    .vm_new = translator_vm_new,
    DBT_ENGINE,
};
