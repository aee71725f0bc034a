/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the I/O APIC.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include "device_fuzz.h"
#include "machine/device/ioapic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send(void *opaque, uint64_t address, uint32_t data)
{
    g_assert(address >> 20 == 0xfee);
}

static void make(FuzzRig *rig)
{
    rig->device = (Device *)ioapic_new(&rig->bench.env, IOAPIC_BASE, (MsiTarget){ send, rig });
}

/* A line moves, or a CPU ends an interrupt. */
static void poke(FuzzRig *rig, uint8_t what)
{
    if (what & 0x80) {
        ioapic_eoi((Ioapic *)rig->device, what & 0x7f);
    } else {
        ioapic_set_line((Ioapic *)rig->device, what & 0x1f, what & 0x40);
    }
}

static const FuzzTarget target = {
    .windows = { { true, IOAPIC_BASE, 0x50 } },
    .make = make,
    .poke = poke,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
