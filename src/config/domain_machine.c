/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of machines, see domain_machine.h.
 *
 * Threads: constant.
 */
#include "config/domain_machine.h"

#include <stddef.h>
#include <string.h>

static const DomainMachine machines[] = {
    { "q35", "pc-q35-1", "pc", true },    { "pc", "pc-q35-1", "pc", true },
    { "pc-1", "pc-q35-1", "pc", true },   { "pc-q35-1", "pc-q35-1", "pc", true },
    { "micro", "micro", "micro", false }, { NULL },
};

const DomainMachine *domain_machines(void)
{
    return machines;
}

const DomainMachine *domain_machine_find(const char *name)
{
    for (const DomainMachine *machine = machines; machine->name; machine++) {
        if (!name || !strcmp(machine->name, name)) {
            return machine;
        }
    }
    return NULL;
}
