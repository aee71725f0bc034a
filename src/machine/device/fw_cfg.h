/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device: what a board tells its firmware (QEMU's docs/specs/fw_cfg),
 * see fw_cfg.c.
 *
 * Items have numbers, and most a name that the directory lists.
 *
 * Threads: items are added before the machine runs; afterwards only the device looks at them.
 */
#pragma once

#include "machine/core/device.h"

typedef struct FwCfg FwCfg;

/* Numbers that firmware knows. */
enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NO_GRAPHIC = 0x04,
    FW_CFG_CPUS = 0x05,
    FW_CFG_KERNEL_ADDRESS = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDRESS = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDRESS = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDRESS = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_DIRECTORY = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
};

extern const DeviceClass fw_cfg_class;

/* At ports 510h and 514h. */
FwCfg *fw_cfg_new(const DeviceEnv *env);
/* An item by number; @data is copied.  Replaces what is there. */
void fw_cfg_add(FwCfg *fw, uint16_t key, const void *data, size_t size);
void fw_cfg_add_number(FwCfg *fw, uint16_t key, uint64_t value, unsigned size);
/* The same by name; its number is the next that is free. */
void fw_cfg_add_file(FwCfg *fw, const char *name, const void *data, size_t size);
/* An item whose bytes are a piece of an open file of the host's, read when the guest asks. */
void fw_cfg_add_host_file(FwCfg *fw, uint16_t key, int fd, uint64_t offset, size_t size);
/* Called when the guest selects the file, with the device's lock held; it may change the bytes, not
 * their number. */
typedef void (*FwCfgUpdateFn)(void *opaque, uint8_t *data, size_t size);
void fw_cfg_on_select(FwCfg *fw, const char *name, FwCfgUpdateFn fn, void *opaque);
