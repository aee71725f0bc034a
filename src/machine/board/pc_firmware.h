/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What board pc tells its firmware besides ACPI tables: what the computer is, where to boot from,
 * which kernel to start; and the ROMs of NICs.
 *
 * Threads: building, on one thread.
 */
#pragma once

#include "machine/boot/file.h"
#include "machine/boot/smbios.h"
#include "machine/device/fw_cfg.h"
#include "machine/machine.h"
#include "machine/pci/pci.h"

/* What one can boot from, in the order of preference. */
typedef struct PcBootList PcBootList;

PcBootList *pc_boot_list_new(void);
void pc_boot_list_free(PcBootList *list);
/* @order as the user said it, 0: behind all that is said, in the order of these calls.  @path is
 * how firmware names the device, from the root bus on: "scsi@4/disk@0,0". */
void pc_boot_list_add(PcBootList *list, unsigned order, const char *path);
void pc_boot_list_tell(const PcBootList *list, FwCfg *fw);

/* SMBIOS tables for firmware; and, without firmware, in RAM where systems look for them. */
void pc_tell_smbios(FwCfg *fw, const SmbiosConfig *config);
void pc_place_smbios(GuestMemory *memory, const SmbiosConfig *config);

/* A kernel that firmware shall start.  The files are read when the guest asks. */
typedef struct PcKernel {
    BootFile *kernel, *initrd; /* NULL: none */
} PcKernel;

bool pc_tell_kernel(FwCfg *fw, const MachineConfig *config, PcKernel *ret, GError **error);
void pc_kernel_clear(PcKernel *kernel);

/* The ROM of NIC @pci, which says that it is for @vendor and @device, from firmware package file
 * @name.  Nothing happens where that isn't installed; it is only for booting from the network. */
bool pc_add_nic_rom(PciDevice *pci, const char *name, uint16_t vendor, uint16_t device,
                    GError **error);
/* Make all images of a PCI option ROM be for @vendor and @device; whether it is well-formed. */
bool pc_rom_set_ids(uint8_t *rom, size_t size, uint16_t vendor, uint16_t device);
