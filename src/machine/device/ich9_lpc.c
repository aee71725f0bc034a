/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LPC bridge (device 31, function 0) of the ICH9 (Intel 316972, chapters 10 and 13), as far as
 * firmware and kernels look at it:
 *
 *   PMBASE, ACPI_CNTL    where the ports of power management stand
 *   PIRQA to PIRQH       which interrupt of the 8259s each wire is; I/O APIC pins are 16 to 23
 *   RCBA                 chipset registers in memory: which wire the devices 25 to 31 use, and more
 *   ports B2h, B3h       APM: two bytes that firmware and kernel leave each other
 *
 * Devices 0 to 24 share PIRQE to PIRQH in turns.
 *
 * Threads: see machine/pci/pci.h.  Wires have a lock of their own, below that of the PCI root.
 */
#include "machine/device/ich9_lpc.h"

#include <string.h>

enum { PMBASE = 0x40, ACPI_CNTL = 0x44, PIRQ_FIRST = 0x60, PIRQ_SECOND = 0x68, RCBA = 0xf0 };
enum { PIRQ_OFF = 0x80, ACPI_ENABLE = 0x80, RCBA_ENABLE = 1, RCBA_SIZE = 0x4000, APM_PORT = 0xb2 };
enum { FIRST_FIXED_DEVICE = 25, USUAL_ROUTE = 0x3210 };

/* Registers in memory: offset, what they hold after reset, what can be written. */
typedef struct ChipRegister {
    uint16_t offset;
    uint32_t value, writable;
} ChipRegister;

enum { CHIP_REGISTERS = 9, CHIP_ROUTES = 0x3140 };

static const ChipRegister chip_registers[CHIP_REGISTERS] = {
    { CHIP_ROUTES + 0x0, USUAL_ROUTE | USUAL_ROUTE << 16, 0x77777777 }, /* D31IR, D30IR */
    { CHIP_ROUTES + 0x4, USUAL_ROUTE | USUAL_ROUTE << 16, 0x77777777 }, /* D29IR, D28IR */
    { CHIP_ROUTES + 0x8, USUAL_ROUTE, 0x00007777 },                     /* D27IR */
    { CHIP_ROUTES + 0xc, USUAL_ROUTE, 0x00007777 },                     /* D26IR */
    { CHIP_ROUTES + 0x10, USUAL_ROUTE, 0x00007777 },                    /* D25IR */
    { 0x31fc, 0, 0x03000000 },    /* other interrupt control */
    { 0x3404, 0x80, 0x00000083 }, /* HPET: on, FED00000h */
    { 0x3410, 0, 0x00000c64 },    /* general control */
    { 0x3418, 0, UINT32_MAX },    /* function disable */
};

struct Ich9Lpc {
    PciDevice pci;
    /* fixed after create */
    AcpiPm *pm;
    IrqLine apic[PCI_PIRQS];
    IrqMerge isa[16];
    GmWindow *rcba;
    /* lock: pci.device.lock */
    uint8_t apm[2];
    /* atomic; written with pci.device.lock */
    uint32_t chip[CHIP_REGISTERS];
    /* lock: wires */
    GMutex wires;
    uint8_t levels; /* of the PIRQs */
    uint8_t routes[PCI_PIRQS];
};

/* --- wires --- */

/* The interrupt of the 8259s that @route means, or NULL. */
static IrqMerge *isa_of(Ich9Lpc *lpc, uint8_t route)
{
    enum { POSSIBLE = 0xdef8 }; /* not timer, keyboard, cascade, clock, coprocessor */
    unsigned irq = route & 0xf;

    return !(route & PIRQ_OFF) && bit_test(POSSIBLE, irq) ? &lpc->isa[irq] : NULL;
}

static void set_isa(Ich9Lpc *lpc, unsigned pirq, bool level)
{
    IrqMerge *merge = isa_of(lpc, lpc->routes[pirq]);

    if (merge) {
        IrqLine line = irq_merge_input(merge, pirq);
        irq_set(&line, level);
    }
}

static void set_pirq(void *opaque, unsigned pirq, bool level)
{
    Ich9Lpc *lpc = opaque;

    g_mutex_lock(&lpc->wires);
    lpc->levels = (uint8_t)(level ? lpc->levels | 1U << pirq : lpc->levels & ~(1U << pirq));
    irq_set(&lpc->apic[pirq], level);
    set_isa(lpc, pirq, level);
    g_mutex_unlock(&lpc->wires);
}

IrqLine ich9_lpc_pirq(Ich9Lpc *lpc, unsigned pirq)
{
    return (IrqLine){ .set = set_pirq, .opaque = lpc, .pin = pirq };
}

/* Wires follow their routing registers. */
static void update_routes(Ich9Lpc *lpc)
{
    g_mutex_lock(&lpc->wires);
    for (unsigned i = 0; i < PCI_PIRQS; i++) {
        unsigned offset = i < 4 ? PIRQ_FIRST + i : PIRQ_SECOND + i - 4;
        set_isa(lpc, i, false);
        lpc->routes[i] = lpc->pci.config[offset];
        set_isa(lpc, i, bit_test(lpc->levels, i));
    }
    g_mutex_unlock(&lpc->wires);
}

unsigned ich9_lpc_route(void *opaque, unsigned device, unsigned pin)
{
    const Ich9Lpc *lpc = opaque;

    if (device < FIRST_FIXED_DEVICE) {
        return 4 + (device + pin) % 4;
    }
    /* D31IR and D30IR share a doubleword, so do D29IR and D28IR; the others have one each */
    static const uint8_t place[][2] = { { 0, 0 }, { 0, 16 }, { 1, 0 }, { 1, 16 },
                                        { 2, 0 }, { 3, 0 },  { 4, 0 } };
    const uint8_t *at = place[31 - device];
    uint32_t routes = __atomic_load_n(&lpc->chip[at[0]], __ATOMIC_RELAXED) >> at[1];
    return routes >> (4 * pin) & 7;
}

/* --- chipset registers in memory --- */

/* The row of the doubleword at @offset, or -1. */
static int find_chip(uint64_t offset)
{
    for (int i = 0; i < CHIP_REGISTERS; i++) {
        if (chip_registers[i].offset == (offset & ~UINT64_C(3))) {
            return i;
        }
    }
    return -1;
}

static uint64_t read_chip(void *opaque, uint64_t offset, unsigned size)
{
    const Ich9Lpc *lpc = opaque;
    int i = find_chip(offset);
    uint32_t value = i < 0 ? 0 : __atomic_load_n(&lpc->chip[i], __ATOMIC_RELAXED);

    return value >> (offset % 4 * 8) & bits_mask(size * 8);
}

static void write_chip(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ich9Lpc *lpc = opaque;
    unsigned shift = offset % 4 * 8;
    int i = find_chip(offset);

    if (i < 0) {
        return;
    }
    uint32_t mask = (uint32_t)(bits_mask(size * 8) << shift) & chip_registers[i].writable;
    uint32_t bits = (uint32_t)(value << shift) & mask;
    __atomic_store_n(&lpc->chip[i], (lpc->chip[i] & ~mask) | bits, __ATOMIC_RELAXED);
    if (chip_registers[i].offset <= CHIP_ROUTES + 0x10) {
        pci_root_rewire(lpc->pci.bus->root);
    }
}

static const IoOps chip_ops = { .read = read_chip, .write = write_chip, .sizes = 1 | 2 | 4 };

/* --- APM --- */

static uint64_t read_apm(void *opaque, uint64_t offset, unsigned size)
{
    const Ich9Lpc *lpc = opaque;

    return lpc->apm[offset];
}

static void write_apm(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ich9Lpc *lpc = opaque;

    lpc->apm[offset] = (uint8_t)value; /* would raise an SMI */
}

static const IoOps apm_ops = { .read = read_apm, .write = write_apm, .sizes = 1 };

/* --- life --- */

/* Put windows and wires where the registers say.  Lock held. */
static void update(Ich9Lpc *lpc)
{
    const PciDevice *pci = &lpc->pci;
    uint32_t pmbase = pci_get(pci, PMBASE, 4), rcba = pci_get(pci, RCBA, 4);

    acpi_pm_place(lpc->pm, pci->config[ACPI_CNTL] & ACPI_ENABLE, (uint16_t)(pmbase & 0xff80));
    if (rcba & RCBA_ENABLE) {
        gm_window_show(pci->device.env.memory, lpc->rcba, rcba & ~(uint32_t)RCBA_ENABLE);
    } else {
        gm_window_hide(pci->device.env.memory, lpc->rcba);
    }
    update_routes(lpc);
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    g_mutex_lock(&pci->device.lock);
    if (offset + size > PMBASE) {
        update(container_of(pci, Ich9Lpc, pci));
    }
    g_mutex_unlock(&pci->device.lock);
}

static void reset(Device *device)
{
    Ich9Lpc *lpc = container_of(device, Ich9Lpc, pci.device);

    pci_reset(device);
    memset(lpc->apm, 0, sizeof(lpc->apm));
    for (unsigned i = 0; i < CHIP_REGISTERS; i++) {
        __atomic_store_n(&lpc->chip[i], chip_registers[i].value, __ATOMIC_RELAXED);
    }
    update(lpc);
    pci_root_rewire(lpc->pci.bus->root);
}

static bool loaded(Device *device, GError **error)
{
    Ich9Lpc *lpc = container_of(device, Ich9Lpc, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    for (unsigned i = 0; i < CHIP_REGISTERS; i++) {
        lpc->chip[i] = (lpc->chip[i] & chip_registers[i].writable) |
                       (chip_registers[i].value & ~chip_registers[i].writable);
    }
    update(lpc);
    pci_root_rewire(lpc->pci.bus->root);
    return true;
}

static void destroy(Device *device)
{
    Ich9Lpc *lpc = container_of(device, Ich9Lpc, pci.device);

    for (unsigned i = 0; i < G_N_ELEMENTS(lpc->isa); i++) {
        irq_merge_clear(&lpc->isa[i]);
    }
    g_mutex_clear(&lpc->wires);
    pci_destroy(device);
}

static const SavedField saved[] = {
    PCI_SAVED(Ich9Lpc),
    SAVED_ARRAY(Ich9Lpc, apm),
    SAVED_ARRAY(Ich9Lpc, chip),
    { 0 },
};

static const PciRegister registers[] = {
    { PMBASE, 4, 1, 0xff80, 0 },
    { ACPI_CNTL, 1, 0, 0x87, 0 },
    { 0x48, 4, 1, 0xff80, 0 }, /* GPIO: nothing stands there */
    { 0x4c, 1, 0, 0x11, 0 },
    { PIRQ_FIRST, 4, 0x80808080, 0x8f8f8f8f, 0 },
    { 0x64, 1, 0x10, 0xdf, 0 }, /* serial interrupts */
    { PIRQ_SECOND, 4, 0x80808080, 0x8f8f8f8f, 0 },
    { 0x80, 2, 0, 0x1377, 0 }, /* which old ports are decoded: all of them, whatever is said */
    { 0x82, 2, 0, 0x3f0f, 0 },
    { 0x84, 4, 0, 0x00fcfffd, 0 },
    { 0x88, 4, 0, 0x00fcfffd, 0 },
    { 0x8c, 4, 0, 0x00fcfffd, 0 },
    { 0x90, 4, 0, 0x00fcfffd, 0 },
    { 0xa0, 2, 0, 0x1fff, 0 }, /* power management: kept */
    { 0xa4, 2, 0, 0xdf8f, 0 },
    { 0xdc, 1, 0, 0x1d, 0 },
    { RCBA, 4, 0, 0xffffc001, 0 },
    { 0 },
};

const PciClass ich9_lpc_class = {
    .device = {
        .name = "ich9-lpc",
        .summary = "LPC bridge: interrupt routing, power management",
        .instance_size = sizeof(Ich9Lpc),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .destroy = destroy,
    },
    .vendor = 0x8086,
    .id = 0x2918,
    .class_code = 0x060100,
    .revision = 2,
    .registers = registers,
    .config_written = config_written,
};

Ich9Lpc *ich9_lpc_new(const Ich9LpcConfig *config)
{
    Ich9Lpc *lpc = pci_new(&ich9_lpc_class, &config->slot);
    GmWindowConfig rcba = {
        .io = { .name = "rcba",
                .size = RCBA_SIZE,
                .ops = &chip_ops,
                .opaque = lpc,
                .lock = &lpc->pci.device.lock },
        .hidden = true,
        .priority = GM_BAR,
    };

    lpc->pm = config->pm;
    g_mutex_init(&lpc->wires);
    memcpy(lpc->apic, config->apic, sizeof(lpc->apic));
    for (unsigned i = 0; i < G_N_ELEMENTS(lpc->isa); i++) {
        irq_merge_init(&lpc->isa[i], config->isa[i]);
    }
    memset(lpc->routes, PIRQ_OFF, sizeof(lpc->routes));
    lpc->rcba = gm_add_window(config->slot.env.memory, &rcba);
    device_add_pio(&lpc->pci.device, &apm_ops, APM_PORT, 2);
    return lpc;
}
