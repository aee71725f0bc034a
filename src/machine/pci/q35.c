/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host bridge of the Q35 chipset (Intel 316966, "3 Series Express Chipset Family"), as far as
 * firmware and kernels look at it:
 *
 *   ports CF8h, CFCh   address and data of configuration accesses; CF9h: reset (ICH9, 13.7.5)
 *   PCIEXBAR           where all of configuration space stands in memory (ECAM)
 *   PAM0 to PAM6       for 13 pieces of C0000h to FFFFFh: reads and writes go to RAM or to the bus
 *   SMRAM              closed: there is no SMM, and A0000h to BFFFFh are the bus's
 *
 * While a piece's reads go to the bus they find the BIOS from E0000h on, and nothing below.
 *
 * Threads: see pci.h.  Accesses by CF8h and ECAM take no lock here; the address register is the
 * guest's to guard.
 */
#include "machine/pci/q35.h"

#include <string.h>

enum { PCIEXBAR = 0x60, PAM0 = 0x90, PAM_PIECES = 13, SMRAM = 0x9d, TOM = 0xa0, TOUUD = 0xa2 };
enum { TOLUD = 0xb0, PAM_READ = 1, PAM_WRITE = 2 };
enum { ECAM_SIZES = 3, ADDRESS_ENABLE_BIT = 31, RESET_PORT = 1, RESET_CPU = 4, RESET_KINDS = 0xa };
enum {
    BIOS_ALIAS = 0xe0000,
    BIOS_ALIAS_SIZE = 0x20000,
    UPPER_AREA = 0xa0000,
    UPPER_SIZE = 0x20000
};

/* What stands at a piece of the upper memory area while RAM does not, or not alone. */
typedef struct Piece {
    GmWindow *bus;       /* reads and writes go to the bus */
    GmWindow *read_ram;  /* RAM, read-only */
    GmWindow *write_ram; /* reads go to the bus, writes to RAM */
    struct Q35 *q35;
    uint32_t gpa;
} Piece;

struct Q35 {
    PciDevice pci;
    /* fixed after create */
    PciRoot *root;
    const RamBlock *ram;
    MachineEvents events;
    GmWindow *ecam[ECAM_SIZES];
    Piece pieces[PAM_PIECES];
    /* atomic */
    uint32_t address;
    uint8_t reset_control;
};

/* --- configuration accesses --- */

static uint64_t read_ports(void *opaque, uint64_t offset, unsigned size)
{
    Q35 *q35 = opaque;
    uint32_t address = __atomic_load_n(&q35->address, __ATOMIC_RELAXED);

    if (offset < 4) {
        if (offset == RESET_PORT && size == 1) {
            return __atomic_load_n(&q35->reset_control, __ATOMIC_RELAXED);
        }
        return offset == 0 && size == 4 ? address : bits_mask(size * 8);
    }
    if (!bit_test(address, ADDRESS_ENABLE_BIT)) {
        return bits_mask(size * 8);
    }
    return pci_root_read(q35->root, address >> 16 & 0xff, address >> 8 & 0xff,
                         (address & 0xfc) + (unsigned)offset - 4, size);
}

static void write_ports(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Q35 *q35 = opaque;
    uint32_t address = __atomic_load_n(&q35->address, __ATOMIC_RELAXED);

    if (offset == 0 && size == 4) {
        __atomic_store_n(&q35->address, (uint32_t)value & 0x80fffffc, __ATOMIC_RELAXED);
    } else if (offset == RESET_PORT && size == 1) {
        __atomic_store_n(&q35->reset_control, (uint8_t)value & RESET_KINDS, __ATOMIC_RELAXED);
        if (value & RESET_CPU) {
            q35->events.power(q35->events.opaque, MACHINE_POWER_RESET, 0);
        }
    } else if (offset >= 4 && bit_test(address, ADDRESS_ENABLE_BIT)) {
        pci_root_write(q35->root, address >> 16 & 0xff, address >> 8 & 0xff,
                       (address & 0xfc) + (unsigned)offset - 4, (uint32_t)value, size);
    }
}

static uint64_t read_ecam(void *opaque, uint64_t offset, unsigned size)
{
    const Q35 *q35 = opaque;

    return pci_root_read(q35->root, (unsigned)(offset >> 20), offset >> 12 & 0xff, offset & 0xfff,
                         size);
}

static void write_ecam(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const Q35 *q35 = opaque;

    pci_root_write(q35->root, (unsigned)(offset >> 20), offset >> 12 & 0xff, offset & 0xfff,
                   (uint32_t)value, size);
}

static const IoOps port_ops = { .read = read_ports, .write = write_ports, .sizes = 1 | 2 | 4 };
static const IoOps ecam_ops = { .read = read_ecam, .write = write_ecam, .sizes = 1 | 2 | 4 };

/* --- what guests move --- */

static void update_ecam(Q35 *q35)
{
    uint64_t value = pci_get(&q35->pci, PCIEXBAR, 4) | (uint64_t)pci_get(&q35->pci, PCIEXBAR + 4, 4)
                                                           << 32;
    unsigned chosen = value >> 1 & 3;

    for (unsigned i = 0; i < ECAM_SIZES; i++) {
        uint64_t size = UINT64_C(256) << 20 >> i;
        if ((value & 1) && chosen == i) {
            gm_window_show(q35->pci.device.env.memory, q35->ecam[i],
                           value & UINT64_C(0xffc000000) & ~(size - 1));
        } else {
            gm_window_hide(q35->pci.device.env.memory, q35->ecam[i]);
        }
    }
}

/* The two bits of @piece: 0 is F0000h to FFFFFh, from 1 on they go up from C0000h. */
static unsigned pam_bits(const Q35 *q35, unsigned piece)
{
    unsigned value = q35->pci.config[PAM0 + (piece + 1) / 2];

    return (piece % 2 ? value : value >> 4) & 3;
}

static void show(GuestMemory *memory, GmWindow *window, bool shown, uint64_t gpa)
{
    if (shown) {
        gm_window_show(memory, window, gpa);
    } else {
        gm_window_hide(memory, window);
    }
}

static void update_pam(Q35 *q35)
{
    GuestMemory *memory = q35->pci.device.env.memory;

    gm_change_begin(memory);
    for (unsigned i = 0; i < PAM_PIECES; i++) {
        const Piece *piece = &q35->pieces[i];
        unsigned bits = pam_bits(q35, i);
        show(memory, piece->bus, bits == 0, piece->gpa);
        show(memory, piece->read_ram, bits == PAM_READ, piece->gpa);
        show(memory, piece->write_ram, bits == PAM_WRITE, piece->gpa);
    }
    gm_change_end(memory);
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    Q35 *q35 = container_of(pci, Q35, pci);

    g_mutex_lock(&pci->device.lock);
    if (offset < PCIEXBAR + 8 && offset + size > PCIEXBAR) {
        update_ecam(q35);
    }
    if (offset < PAM0 + 7 && offset + size > PAM0) {
        update_pam(q35);
    }
    g_mutex_unlock(&pci->device.lock);
}

/* --- pieces --- */

static uint64_t read_nothing(void *opaque, uint64_t offset, unsigned size)
{
    return bits_mask(size * 8);
}

static void write_nothing(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

/* Reads go to the bus, the store comes here: it is RAM's. */
static void write_ram(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    const Piece *piece = opaque;
    uint64_t gpa = piece->gpa + offset;

    memcpy(piece->q35->ram->hva + gpa, &value, size);
    gm_written(piece->q35->pci.device.env.memory, gpa, size);
}

static const IoOps nothing_ops = { read_nothing, write_nothing, 1 | 2 | 4 | 8 };
static const IoOps write_ops = { read_nothing, write_ram, 1 | 2 | 4 | 8 };

static void add_piece(Q35 *q35, Piece *piece, uint32_t gpa, uint32_t size, const RamBlock *bios)
{
    GuestMemory *memory = q35->pci.device.env.memory;
    bool alias = bios && gpa >= BIOS_ALIAS;
    uint64_t offset = alias ? bios->size - BIOS_ALIAS_SIZE + (gpa - BIOS_ALIAS) : 0;
    GmWindowConfig window = {
        .io = { .name = "pam", .base = gpa, .size = size, .ops = &nothing_ops },
        .block = alias ? bios : NULL,
        .offset = offset,
        .read_only = alias,
        .hidden = true,
        .priority = GM_COVER,
    };

    piece->q35 = q35;
    piece->gpa = gpa;
    piece->bus = gm_add_window(memory, &window);
    window.io.ops = &write_ops;
    window.io.opaque = piece;
    piece->write_ram = gm_add_window(memory, &window);
    window.io.ops = NULL;
    window.block = q35->ram;
    window.offset = gpa;
    window.read_only = true;
    piece->read_ram = gm_add_window(memory, &window);
}

static void add_pieces(Q35 *q35, const RamBlock *bios)
{
    GmWindowConfig upper = {
        .io = { .name = "no-smram", .base = UPPER_AREA, .size = UPPER_SIZE, .ops = &nothing_ops },
        .priority = GM_FIXED,
    };

    gm_add_window(q35->pci.device.env.memory, &upper);
    add_piece(q35, &q35->pieces[0], 0xf0000, 0x10000, bios);
    for (unsigned i = 1; i < PAM_PIECES; i++) {
        add_piece(q35, &q35->pieces[i], 0xc0000 + (i - 1) * 0x4000, 0x4000, bios);
    }
}

/* --- life --- */

static void reset(Device *device)
{
    Q35 *q35 = container_of(device, Q35, pci.device);

    pci_reset(device);
    __atomic_store_n(&q35->address, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&q35->reset_control, 0, __ATOMIC_RELAXED);
    update_ecam(q35);
    update_pam(q35);
}

static bool loaded(Device *device, GError **error)
{
    Q35 *q35 = container_of(device, Q35, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    q35->address &= 0x80fffffc;
    update_ecam(q35);
    update_pam(q35);
    return true;
}

static const SavedField saved[] = {
    PCI_SAVED(Q35),
    SAVED(Q35, address),
    SAVED_RANGE(Q35, reset_control, 0, RESET_KINDS),
    { 0 },
};

static const PciRegister registers[] = {
    { 0x40, 4, 0, 0xfffff001, 0 }, /* EPBAR, MCHBAR, DMIBAR: nothing stands there */
    { 0x44, 4, 0, 0xf, 0 },
    { 0x48, 4, 0, 0xffffc001, 0 },
    { 0x4c, 4, 0, 0xf, 0 },
    { 0x68, 4, 0, 0xfffff001, 0 },
    { 0x6c, 4, 0, 0xf, 0 },
    { PCIEXBAR, 4, 0xe0000000, 0xfc000007, 0 },
    { PCIEXBAR + 4, 4, 0, 0xf, 0 },
    { PAM0, 4, 0, 0x33333330, 0 },
    { PAM0 + 4, 4, 0, 0x00333333, 0 },
    { SMRAM, 2, 0x3802, 0x0000, 0 }, /* closed, and locked: D_OPEN can't be set */
    { 0xc8, 2, 0, 0, 0xffff },       /* error status */
    { 0 },
};

const PciClass q35_class = {
    .device = {
        .name = "q35",
        .summary = "host bridge: configuration accesses, memory control",
        .instance_size = sizeof(Q35),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .destroy = pci_destroy,
    },
    .vendor = 0x8086,
    .id = 0x29c0,
    .class_code = 0x060000,
    .revision = 2,
    .registers = registers,
    .config_written = config_written,
};

/* Where RAM ends, in the chipset's units. */
static void add_tops(Q35 *q35, uint64_t high_ram)
{
    uint64_t low = q35->ram->size, total = low + high_ram;
    uint64_t top = high_ram ? (UINT64_C(1) << 32) + high_ram : 0;
    const PciRegister rows[] = {
        { TOM, 2, (uint32_t)(total >> 26) & 0x3ff, 0, 0 },
        { TOUUD, 2, (uint32_t)(top >> 20) & 0xffff, 0, 0 },
        { TOLUD, 2, (uint32_t)(low >> 16) & 0xfff0, 0, 0 },
        { 0 },
    };

    pci_add_registers(&q35->pci, rows);
}

Q35 *q35_new(const Q35Config *config)
{
    Q35 *q35 = pci_new(&q35_class, &config->slot);
    GuestMemory *memory = config->slot.env.memory;
    IoRegion ports = {
        .name = "pci-config", .base = 0xcf8, .size = 8, .ops = &port_ops, .opaque = q35
    };

    q35->root = config->root;
    q35->ram = config->ram;
    q35->events = config->events;
    gm_add_pio(memory, &ports);
    for (unsigned i = 0; i < ECAM_SIZES; i++) {
        q35->ecam[i] = gm_add_window(memory, &(GmWindowConfig){
                                                 .io = { .name = "ecam",
                                                         .size = UINT64_C(256) << 20 >> i,
                                                         .ops = &ecam_ops,
                                                         .opaque = q35 },
                                                 .hidden = true,
                                                 .priority = GM_BAR,
                                             });
    }
    add_pieces(q35, config->bios);
    add_tops(q35, config->high_ram);
    return q35;
}
