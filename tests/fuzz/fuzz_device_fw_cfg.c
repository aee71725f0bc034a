/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: fw_cfg, its ports and its commands in RAM.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/fw_cfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make(FuzzRig *rig)
{
    FwCfg *fw = fw_cfg_new(&rig->bench.env);

    fw_cfg_add_file(fw, "etc/first", "0123456789", 10);
    fw_cfg_add_file(fw, "etc/second", "", 0);
    rig->device = (Device *)fw;
}

/* A command at address 0, with an address and a length that may be. */
static void poke(FuzzRig *rig, uint8_t what)
{
    GuestMemory *memory = rig->bench.env.memory;
    uint32_t head[2] = { GUINT32_TO_BE(0x200000U | (what & 0x1f)),
                         GUINT32_TO_BE((uint32_t)what << 4) };
    uint64_t gpa = GUINT64_TO_BE((uint64_t)what << 8);

    gm_write(memory, 0, head, sizeof(head));
    gm_write(memory, sizeof(head), &gpa, sizeof(gpa));
    gm_pio_write(memory, 0x518, 0, 4);
}

static const FuzzTarget target = {
    .windows = { { false, 0x510, 2 }, { false, 0x514, 8 } },
    .ram = 0x10000,
    .make = make,
    .poke = poke,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
