/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libvirt's clients are told that VMs can be made of: capabilities and domain capabilities.
 *
 * All of it comes from what insula-vm --describe said when Insula was built (decided so that
 * nothing is probed at start); only whether there is KVM is the host's.  What is named makes
 * virt-install and virt-manager choose what Insula is good at:
 *
 *   machine q35          disks on virtio and SATA, cards on PCI Express
 *   graphics vnc alone   no SPICE, and so no qxl, no channels and no USB redirection
 *   video without virtio a VGA, whose picture is there from the firmware on (virtio can be asked
 *                        for, and shows nothing before the guest's driver)
 *   firmware efi         UEFI without a path of a firmware file
 *   no hostdev, tpm, filesystem
 *
 * Threads: constant once made; call from anywhere.
 * Read first: config/domain_machine.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/domain.h"

typedef struct Capabilities Capabilities;

typedef struct CapabilitiesHost {
    const char *emulator; /* path of insula-vm */
    const char *describe; /* what it says to --describe */
    bool kvm;             /* capabilities_host_kvm() */
    uint8_t uuid[16];
    unsigned cpus;
    uint64_t memory_kib;
    uint64_t page_kib;
} CapabilitiesHost;

/* Fails if @host->describe is not what insula-vm says. */
Capabilities *capabilities_new(const CapabilitiesHost *host, GError **error);
void capabilities_free(Capabilities *capabilities);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Capabilities, capabilities_free)

/* Whether this process may use /dev/kvm. */
bool capabilities_host_kvm(void);

/* Procedure 7.  Newly allocated. */
char *capabilities_format(const Capabilities *capabilities);
/* Procedure 342; each argument may be NULL: the usual.  Newly allocated.  Fails with
 * INSULA_ERROR_UNSUPPORTED for what there isn't. */
char *capabilities_format_domain(const Capabilities *capabilities, const char *emulator,
                                 const char *arch, const char *machine, const char *type,
                                 GError **error);
/* Procedure 312: names of CPU models, NULL behind the last.  The capabilities keep them. */
const char *const *capabilities_cpu_models(const Capabilities *capabilities, const char *arch,
                                           GError **error);
/* Procedure 5: for domains of that type; NULL: any. */
bool capabilities_max_vcpus(const Capabilities *capabilities, const char *type, unsigned *ret_max,
                            GError **error);
/* For domain_config_complete().  The capabilities keep them. */
const DomainDefaults *capabilities_defaults(const Capabilities *capabilities);
