/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that steer the machine as a whole: run, stand, reset, end.
 *
 * Threads: main.
 * Read first: vm/qmp.h.
 */
#include "common/error.h"
#include "vm/qmp.h"

static Vm *vm_of(const QmpCall *call)
{
    return ((const Qmp *)call->opaque)->vm;
}

static JsonNode *stop(QmpCall *call, GError **error)
{
    vm_pause_now(vm_of(call), VM_PAUSED);
    return NULL;
}

static JsonNode *cont(QmpCall *call, GError **error)
{
    VmState state = vm_state(vm_of(call));

    if (state == VM_DEBUG) {
        set_error(error, "a debugger holds the machine; let it go on there");
    } else if (state == VM_SAVING) {
        set_error(error, "There's a migration process in progress");
    } else {
        vm_resume(vm_of(call));
    }
    return NULL;
}

static JsonNode *system_reset(QmpCall *call, GError **error)
{
    VmState state = vm_state(vm_of(call));

    if (state == VM_SAVING || state == VM_RESTORING) {
        set_error(error, "There's a migration process in progress");
    } else {
        vm_reset(vm_of(call));
    }
    return NULL;
}

static JsonNode *system_powerdown(QmpCall *call, GError **error)
{
    vm_power_button(vm_of(call));
    return NULL;
}

static JsonNode *quit(QmpCall *call, GError **error)
{
    vm_quit(vm_of(call));
    return NULL;
}

static JsonNode *inject_nmi(QmpCall *call, GError **error)
{
    const Machine *machine = vm_machine(vm_of(call));

    for (unsigned i = 0; i < machine_cpus(machine); i++) {
        machine_engine(machine)->vcpu_nmi(machine_vcpu(machine, i));
    }
    return NULL;
}

const QmpCommand qmp_control_commands[] = {
    { "cont", NULL, NULL, false, cont },
    { "inject-nmi", NULL, NULL, false, inject_nmi },
    { "quit", NULL, NULL, false, quit },
    { "stop", NULL, NULL, false, stop },
    { "system_powerdown", NULL, NULL, false, system_powerdown },
    { "system_reset", NULL, NULL, false, system_reset },
    { 0 },
};
