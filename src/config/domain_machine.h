/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of machines in domain XML, and the boards of insula-vm that they mean.
 *
 * libvirt's clients know "q35" and ask for it; a name with "q35" in it also tells them that disks
 * are on SATA and cards on PCI Express.  The canonical name ends in the version of the board.
 *
 * Threads: constant.
 */
#pragma once

#include <stdbool.h>

typedef struct DomainMachine {
    const char *name;      /* as it may be said */
    const char *canonical; /* what stands in XML that was completed */
    const char *board;     /* insula-vm --machine */
    bool pci;              /* else devices are found by virtio-mmio */
} DomainMachine;

/* NULL name behind the last; the first is the default, and clients see them in this order. */
const DomainMachine *domain_machines(void);
/* NULL: there is no such machine.  Without @name the default. */
const DomainMachine *domain_machine_find(const char *name);
