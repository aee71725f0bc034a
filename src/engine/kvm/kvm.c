/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM engine's face: the table that engine.h asks for.
 */
#include "engine/kvm/kvm.h"

#include "engine/kvm/internal.h"

const Engine kvm_engine = {
    .name = "kvm",
    .summary = "the host's own CPU, through /dev/kvm",
    .probe = kvm_probe,
    .probe_asked = kvm_probe_asked,
    .vm_new = kvm_vm_new,
    .vm_free = kvm_vm_free,
    .vm_cpu_model = kvm_vm_cpu_model,
    .vm_tsc_khz = kvm_vm_tsc_khz,
    .vm_msi = kvm_vm_msi,
    .vm_extint = kvm_vm_extint,
    .vcpu_new = kvm_vcpu_new,
    .vcpu_free = kvm_vcpu_free,
    .vcpu_run = kvm_vcpu_run,
    .vcpu_kick = kvm_vcpu_kick,
    .vcpu_nmi = kvm_vcpu_nmi,
    .vcpu_get_state = kvm_vcpu_get_state,
    .vcpu_set_state = kvm_vcpu_set_state,
    .vcpu_set_debug = kvm_vcpu_set_debug,
    .vcpu_translate = kvm_vcpu_translate,
    .vcpu_cpuid = kvm_vcpu_cpuid,
    .vcpu_stats = kvm_vcpu_stats,
};
