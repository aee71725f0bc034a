/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of PCI functions: INTx wires (PCI 3.0, 2.2.6), MSI and MSI-X (6.8).
 *
 * A wire is level-triggered.  From the function's pin it passes each bridge, shifted by the device
 * number, and ends at one of the root's wires, which is up while any function holds it.
 *
 * A message that is masked when it comes stays pending, and is sent when it is unmasked.
 *
 * Threads: see pci.h; here with the function's lock held.
 */
#include <string.h>

#include "machine/pci/pci.h"

/* MSI: offsets in the capability, with 64-bit addresses and masks. */
enum {
    MSI_CONTROL = 0x02,
    MSI_ADDRESS = 0x04,
    MSI_ADDRESS_HIGH = 0x08,
    MSI_DATA = 0x0c,
    MSI_MASK = 0x10,
    MSI_PENDING = 0x14,
    MSI_SIZE = 0x18,
};
enum { MSI_ENABLE = 1, MSI_WIDE = 0x80, MSI_MASKABLE = 0x100 };

enum { MSIX_CONTROL = 0x02, MSIX_TABLE = 0x04, MSIX_PBA = 0x08, MSIX_SIZE = 0x0c };
enum { MSIX_ENABLE = 0x8000, MSIX_MASK_ALL = 0x4000, ENTRY_MASKED = 1, ENTRY_BYTES = 16 };
enum { PBA_OFFSET = 0x800, MSIX_BAR_SIZE = 0x1000 };

static void send(const PciDevice *pci, uint64_t address, uint32_t data)
{
    const MsiTarget *target = &pci->bus->root->config.msi;

    if (pci_is_master(pci) && target->send) {
        target->send(target->opaque, address, data);
    }
}

/* --- INTx --- */

/* The root's wire that the function's pin leads to. */
static unsigned wire_of(const PciDevice *pci)
{
    const PciRootConfig *root = &pci->bus->root->config;
    unsigned pin = (pci->first[PCI_INTERRUPT_PIN] - 1U) % 4;

    while (pci->bus->bridge) {
        pin = (pin + (pci->devfn >> 3)) % 4;
        pci = pci->bus->bridge;
    }
    return root->route(root->opaque, pci->devfn >> 3, pin) % PCI_PIRQS;
}

/* Count the function as holding its wire up, or not.  root.lock held. */
static void count_wire(PciDevice *pci, bool up)
{
    PciRoot *root = pci->bus->root;

    if (up == pci->intx_raised) {
        return;
    }
    pci->intx_raised = up;
    pci->wire = up ? wire_of(pci) : pci->wire;
    unsigned was = root->raised[pci->wire];
    root->raised[pci->wire] = up ? was + 1 : was - 1;
    if (was == 0 || !up) {
        irq_set(&root->config.pirqs[pci->wire], root->raised[pci->wire] != 0);
    }
}

void pci_update_intx(PciDevice *pci)
{
    PciRoot *root = pci->bus->root;
    bool off = pci->config[PCI_COMMAND + 1] & (PCI_COMMAND_NO_INTX >> 8);

    if (!pci->first[PCI_INTERRUPT_PIN]) {
        return;
    }
    pci->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    pci->config[PCI_STATUS] |= pci->intx ? PCI_STATUS_INTX : 0;
    g_mutex_lock(&root->lock);
    count_wire(pci, pci->intx && !off);
    g_mutex_unlock(&root->lock);
}

void pci_set_intx(PciDevice *pci, bool level)
{
    if (level != pci->intx) {
        pci->intx = level;
        pci_update_intx(pci);
    }
}

static void rewire_bus(PciBus *bus)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        PciDevice *pci = bus->functions[i];
        if (!pci) {
            continue;
        }
        if (pci->intx_raised) {
            count_wire(pci, false);
            count_wire(pci, true);
        }
        if (pci->secondary) {
            rewire_bus(pci->secondary);
        }
    }
}

void pci_root_rewire(PciRoot *root)
{
    g_mutex_lock(&root->lock);
    rewire_bus(&root->bus);
    g_mutex_unlock(&root->lock);
}

/* --- MSI --- */

void pci_add_msi(PciDevice *pci, unsigned vectors)
{
    unsigned cap = pci_add_capability(pci, PCI_CAP_MSI, MSI_SIZE);
    uint32_t log2 = (uint32_t)__builtin_ctz(vectors);
    uint32_t mask = (uint32_t)bits_mask(vectors);
    const PciRegister rows[] = {
        { MSI_CONTROL, 2, log2 << 1 | MSI_WIDE | MSI_MASKABLE, 0x71, 0 },
        { MSI_ADDRESS, 4, 0, 0xfffffffc, 0 },
        { MSI_ADDRESS_HIGH, 4, 0, UINT32_MAX, 0 },
        { MSI_DATA, 2, 0, 0xffff, 0 },
        { MSI_MASK, 4, 0, mask, 0 },
    };

    g_assert(is_power_of_two(vectors) && vectors <= 32);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        PciRegister reg = rows[i];
        reg.offset = (uint16_t)(reg.offset + cap);
        pci_add_register(pci, &reg);
    }
    pci->msi = (PciMsi){ cap, vectors };
}

bool pci_has_msi(const PciDevice *pci)
{
    return pci->msi.cap && (pci->config[pci->msi.cap + MSI_CONTROL] & MSI_ENABLE);
}

static void send_msi(PciDevice *pci, unsigned vector)
{
    unsigned cap = pci->msi.cap;
    unsigned allowed = 1U << ((pci_get(pci, cap + MSI_CONTROL, 2) >> 4) & 7);
    uint64_t address = pci_get(pci, cap + MSI_ADDRESS, 4) |
                       (uint64_t)pci_get(pci, cap + MSI_ADDRESS_HIGH, 4) << 32;
    uint32_t data = pci_get(pci, cap + MSI_DATA, 2);

    allowed = MIN(allowed, pci->msi.vectors);
    send(pci, address, (data & ~(allowed - 1)) | vector % allowed);
}

static void set_pending(PciDevice *pci, uint32_t pending)
{
    pci->msi.pending = pending;
    pci_set(pci, pci->msi.cap + MSI_PENDING, pending, 4);
}

static void notify_msi(PciDevice *pci, unsigned vector)
{
    unsigned cap = pci->msi.cap;

    vector = MIN(vector, pci->msi.vectors - 1);
    if (pci_get(pci, cap + MSI_MASK, 4) & 1U << vector) {
        set_pending(pci, pci->msi.pending | 1U << vector);
    } else {
        send_msi(pci, vector);
    }
}

/* Send what was pending and is masked no more. */
static void flush_msi(PciDevice *pci)
{
    unsigned cap = pci->msi.cap;
    uint32_t ready = pci->msi.pending & ~pci_get(pci, cap + MSI_MASK, 4);

    if (!pci_has_msi(pci) || !ready) {
        return;
    }
    set_pending(pci, pci->msi.pending & ~ready);
    for (unsigned i = 0; i < pci->msi.vectors; i++) {
        if (bit_test(ready, i)) {
            send_msi(pci, i);
        }
    }
}

/* --- MSI-X --- */

static bool is_masked(const PciDevice *pci, unsigned vector)
{
    return (pci_get(pci, pci->msix.cap + MSIX_CONTROL, 2) & MSIX_MASK_ALL) ||
           (pci->msix.table[vector].control & ENTRY_MASKED);
}

static void notify_msix(PciDevice *pci, unsigned vector)
{
    const PciMsixEntry *entry = &pci->msix.table[vector];

    if (is_masked(pci, vector)) {
        pci->msix.pending |= UINT64_C(1) << vector;
    } else {
        send(pci, entry->address, entry->data);
    }
}

static void flush_msix(PciDevice *pci)
{
    for (unsigned i = 0; i < pci->msix.vectors && pci_has_msix(pci); i++) {
        uint64_t bit = UINT64_C(1) << i;
        if ((pci->msix.pending & bit) && !is_masked(pci, i)) {
            pci->msix.pending &= ~bit;
            notify_msix(pci, i);
        }
    }
}

bool pci_has_msix(const PciDevice *pci)
{
    return pci->msix.cap && (pci_get(pci, pci->msix.cap + MSIX_CONTROL, 2) & MSIX_ENABLE);
}

/* The doubleword at @offset of the table, or NULL: the pending bits, or nothing. */
static void *table_word(PciDevice *pci, uint64_t offset)
{
    PciMsixEntry *entry = &pci->msix.table[offset / ENTRY_BYTES % PCI_MSIX_MAX];

    _Static_assert(sizeof(PciMsixEntry) == ENTRY_BYTES, "PCI 3.0, 6.8.2");
    return offset / ENTRY_BYTES < pci->msix.vectors ? (uint8_t *)entry + offset % ENTRY_BYTES
                                                    : NULL;
}

static uint64_t read_msix(void *opaque, uint64_t offset, unsigned size)
{
    PciDevice *pci = opaque;
    uint64_t value = 0;

    if (offset % size) {
        return 0;
    }
    if (offset >= PBA_OFFSET) {
        return offset < PBA_OFFSET + 8 ? pci->msix.pending >> (offset % 8 * 8) : 0;
    }
    const void *word = table_word(pci, offset);
    if (word) {
        memcpy(&value, word, size);
    }
    return value;
}

static void write_msix(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PciDevice *pci = opaque;
    void *word = offset % size || offset >= PBA_OFFSET ? NULL : table_word(pci, offset);

    if (!word) {
        guest_error(&pci->device, "write of %u bytes at %x of the MSI-X table", size,
                    (unsigned)offset);
        return;
    }
    memcpy(word, &value, size);
    pci->msix.table[offset / ENTRY_BYTES].control &= ENTRY_MASKED;
    flush_msix(pci);
}

static const IoOps msix_ops = { .read = read_msix, .write = write_msix, .sizes = 4 | 8 };

void pci_add_msix(PciDevice *pci, unsigned bar, unsigned vectors)
{
    unsigned cap = pci_add_capability(pci, PCI_CAP_MSIX, MSIX_SIZE);
    const PciRegister rows[] = {
        { MSIX_CONTROL, 2, vectors - 1, MSIX_ENABLE | MSIX_MASK_ALL, 0 },
        { MSIX_TABLE, 4, bar, 0, 0 },
        { MSIX_PBA, 4, PBA_OFFSET | bar, 0, 0 },
    };

    g_assert(vectors && vectors <= PCI_MSIX_MAX);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        PciRegister reg = rows[i];
        reg.offset = (uint16_t)(reg.offset + cap);
        pci_add_register(pci, &reg);
    }
    pci->msix.cap = cap;
    pci->msix.vectors = vectors;
    pci_add_bar(
        pci, bar,
        &(PciBarConfig){
            .size = MSIX_BAR_SIZE, .ops = &msix_ops, .opaque = pci, .lock = &pci->device.lock });
}

/* --- both --- */

void pci_notify(PciDevice *pci, unsigned vector)
{
    if (pci_has_msix(pci)) {
        notify_msix(pci, MIN(vector, pci->msix.vectors - 1));
    } else if (pci_has_msi(pci)) {
        notify_msi(pci, vector);
    }
}

void pci_set_irq(PciDevice *pci, bool level)
{
    bool messages = pci_has_msix(pci) || pci_has_msi(pci);

    if (messages && level) {
        pci_notify(pci, 0);
    }
    pci_set_intx(pci, level && !messages);
}

void pci_msi_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (pci->msi.cap && offset + size > pci->msi.cap && offset < pci->msi.cap + MSI_SIZE) {
        flush_msi(pci);
    }
    if (pci->msix.cap && offset + size > pci->msix.cap && offset < pci->msix.cap + MSIX_SIZE) {
        flush_msix(pci);
    }
    if (pci_has_msi(pci) || pci_has_msix(pci)) {
        pci_set_intx(pci, false);
    }
}

void pci_msi_loaded(PciDevice *pci)
{
    if (pci->msi.cap) {
        set_pending(pci, pci->msi.pending & (uint32_t)bits_mask(pci->msi.vectors));
    }
    pci->msix.pending &= bits_mask(pci->msix.vectors);
}

void pci_msi_reset(PciDevice *pci)
{
    pci->msi.pending = 0;
    for (unsigned i = 0; i < PCI_MSIX_MAX; i++) {
        pci->msix.table[i] = (PciMsixEntry){ .control = ENTRY_MASKED };
    }
    pci->msix.pending = 0;
}
