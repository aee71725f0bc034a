/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the 82574L, see e1000e.h; its frames are in e1000e_frames.c.
 *
 * Most registers only keep what is written.  Those that do more, or are not as written, stand in
 * two tables here; beyond 6000h there is nothing.
 *
 * Interrupts: a cause that IMS lets through raises the line, or a message; with MSI-X each cause
 * has the vector that IVAR says, and what EIAC names is cleared as its message goes.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/e1000e.h"

#include <string.h>

#include "common/bits.h"
#include "machine/device/e1000e_regs.h"

enum { BAR_MEMORY = 0, BAR_FLASH = 1, BAR_PORTS = 2, BAR_MSIX = 3, VECTORS = 5 };
enum { MEMORY_SIZE = 128 << 10, PORTS_SIZE = 32 };

/* --- interrupts --- */

/* Causes that have a field in IVAR, in its order. */
static const uint32_t ivar_causes[] = {
    CAUSE_RXQ0, CAUSE_RXQ0 << 1, CAUSE_TXQ0, CAUSE_TXQ0 << 1, CAUSE_OTHER,
};

static void send_messages(E1000e *dev, uint32_t causes)
{
    enum { VECTOR = 7, VALID = 8 };
    uint32_t ivar = *e1000e_reg(dev, IVAR);

    for (unsigned i = 0; i < G_N_ELEMENTS(ivar_causes); i++) {
        unsigned field = ivar >> (i * 4) & 0xf;
        if (!(causes & ivar_causes[i]) || !(field & VALID) || (field & VECTOR) >= VECTORS) {
            continue;
        }
        pci_notify(&dev->pci, field & VECTOR);
        uint32_t automatic = ivar_causes[i] & *e1000e_reg(dev, EIAC);
        *e1000e_reg(dev, ICR) &= ~automatic;
        *e1000e_reg(dev, IMS) &= ~automatic;
    }
}

/* Bring line or messages in line with causes; @fresh have just come, or come through. */
static void update_irq(E1000e *dev, uint32_t fresh)
{
    uint32_t let = *e1000e_reg(dev, ICR) & *e1000e_reg(dev, IMS);

    if (pci_has_msix(&dev->pci)) {
        send_messages(dev, let & fresh);
    } else if (pci_has_msi(&dev->pci)) {
        if (let & fresh) {
            pci_notify(&dev->pci, 0);
        }
    } else {
        pci_set_intx(&dev->pci, let != 0);
    }
}

void e1000e_raise(E1000e *dev, uint32_t causes)
{
    enum { OTHERS = CAUSE_LINK | CAUSE_RX_OVERRUN };

    if (pci_has_msix(&dev->pci) && (causes & OTHERS)) {
        causes |= CAUSE_OTHER;
    }
    *e1000e_reg(dev, ICR) |= causes & CAUSES;
    update_irq(dev, causes);
}

static uint32_t read_icr(E1000e *dev, unsigned at)
{
    enum { ASSERTED = (int)0x80000000 };
    uint32_t icr = *e1000e_reg(dev, ICR);
    uint32_t value = icr | (icr & *e1000e_reg(dev, IMS) ? (uint32_t)ASSERTED : 0);

    *e1000e_reg(dev, ICR) = 0;
    if (*e1000e_reg(dev, CTRL_EXT) & CTRL_EXT_IAME) {
        *e1000e_reg(dev, IMS) &= ~*e1000e_reg(dev, IAM);
    }
    update_irq(dev, 0);
    return value;
}

static void write_icr(E1000e *dev, unsigned at, uint32_t value)
{
    *e1000e_reg(dev, ICR) &= ~value;
    if (*e1000e_reg(dev, CTRL_EXT) & CTRL_EXT_IAME) {
        *e1000e_reg(dev, IMS) &= ~*e1000e_reg(dev, IAM);
    }
    update_irq(dev, 0);
}

static void write_ics(E1000e *dev, unsigned at, uint32_t value)
{
    e1000e_raise(dev, value & CAUSES);
}

static void write_ims(E1000e *dev, unsigned at, uint32_t value)
{
    *e1000e_reg(dev, IMS) |= value & CAUSES;
    update_irq(dev, value);
}

static void write_imc(E1000e *dev, unsigned at, uint32_t value)
{
    *e1000e_reg(dev, IMS) &= ~value;
    update_irq(dev, 0);
}

/* --- link and PHY --- */

enum {
    PHY_CONTROL = 0,
    PHY_STATUS = 1,
    PHY_ID1 = 2,
    PHY_ID2 = 3,
    PHY_ADVERTISE = 4,
    PHY_PARTNER = 5,
    PHY_EXPANSION = 6,
    PHY_GIGABIT = 9,
    PHY_GIGABIT_STATUS = 10,
    PHY_EXTENDED = 15,
    PHY_SPECIFIC = 17,
    PHY_PAGE = 22,
};
enum { PHY_LINK = 0x4, PHY_NEGOTIATED = 0x20, PHY_SPECIFIC_LINK = 0x0c00 };

/* What the PHY holds after reset, and what of it can be written. */
static const struct {
    uint8_t reg;
    uint16_t value, writable;
} phy_registers[] = {
    { PHY_CONTROL, 0x1140, 0x7d40 },
    { PHY_STATUS, 0x7949, 0 },
    { PHY_ID1, 0x0141, 0 },
    { PHY_ID2, 0x0cb1, 0 },
    { PHY_ADVERTISE, 0x0de1, 0xffff },
    { PHY_PARTNER, 0x45e1, 0 },
    { PHY_EXPANSION, 0x0005, 0 },
    { PHY_GIGABIT, 0x0300, 0xffff },
    { PHY_GIGABIT_STATUS, 0x7c00, 0 },
    { PHY_EXTENDED, 0x3000, 0 },
    { 16, 0x0078, 0xffff },
    { PHY_SPECIFIC, 0xa000, 0 },
    { 18, 0, 0xffff },
    { 20, 0x0d60, 0xffff },
    { PHY_PAGE, 0, 0x00ff },
    { 29, 0, 0xffff },
    { 30, 0, 0xffff },
};

static void show_link(E1000e *dev)
{
    uint32_t *status = e1000e_reg(dev, STATUS);

    *status = dev->link_up ? *status | STATUS_LINK : *status & ~(uint32_t)STATUS_LINK;
    uint16_t phy = dev->phy[PHY_STATUS] & ~(PHY_LINK | PHY_NEGOTIATED);
    dev->phy[PHY_STATUS] = (uint16_t)(phy | (dev->link_up ? PHY_LINK | PHY_NEGOTIATED : 0));
    phy = dev->phy[PHY_SPECIFIC] & ~PHY_SPECIFIC_LINK;
    dev->phy[PHY_SPECIFIC] = (uint16_t)(phy | (dev->link_up ? PHY_SPECIFIC_LINK : 0));
}

static void reset_phy(E1000e *dev)
{
    memset(dev->phy, 0, sizeof(dev->phy));
    for (unsigned i = 0; i < G_N_ELEMENTS(phy_registers); i++) {
        dev->phy[phy_registers[i].reg] = phy_registers[i].value;
    }
    show_link(dev);
}

static void write_phy(E1000e *dev, unsigned reg, uint16_t value)
{
    enum { RESET = 0x8000, RESTART = 0x0200 };

    for (unsigned i = 0; i < G_N_ELEMENTS(phy_registers); i++) {
        if (phy_registers[i].reg == reg) {
            uint16_t writable = phy_registers[i].writable;
            dev->phy[reg] = (uint16_t)((dev->phy[reg] & ~writable) | (value & writable));
        }
    }
    if (reg == PHY_CONTROL && (value & RESET)) {
        reset_phy(dev);
    }
    if (reg == PHY_CONTROL && (value & RESTART) && dev->link_up) {
        e1000e_raise(dev, CAUSE_LINK); /* negotiated at once */
    }
}

static void write_mdic(E1000e *dev, unsigned at, uint32_t value)
{
    enum { WRITE = 1, READ = 2, READY = 1 << 28, WANTED = 1 << 29, ERROR = 1 << 30 };
    enum { CAUSE_MDIO = 1 << 9, PHY_ADDRESS = 1 };
    unsigned reg = value >> 16 & 0x1f, phy = value >> 21 & 0x1f, what = value >> 26 & 3;
    bool here = dev->phy[PHY_PAGE] == 0 || reg == PHY_PAGE;

    value &= ~(uint32_t)ERROR;
    if (phy != PHY_ADDRESS) {
        value |= ERROR;
    } else if (what == READ) {
        value = (value & 0xffff0000) | (here ? dev->phy[reg] : 0);
    } else if (what == WRITE && here) {
        write_phy(dev, reg, (uint16_t)value);
    }
    *e1000e_reg(dev, MDIC) = value | READY;
    if (value & WANTED) {
        e1000e_raise(dev, CAUSE_MDIO);
    }
}

/* --- the rest of the registers --- */

static void reset_registers(E1000e *dev);

static void write_ctrl(E1000e *dev, unsigned at, uint32_t value)
{
    if (value & CTRL_RESET) {
        reset_registers(dev);
        update_irq(dev, 0);
        return;
    }
    if (value & (uint32_t)CTRL_PHY_RESET) {
        reset_phy(dev);
        e1000e_raise(dev, dev->link_up ? CAUSE_LINK : 0);
    }
    uint32_t kept = value & ~(uint32_t)(CTRL_RESET | CTRL_PHY_RESET);
    uint32_t *status = e1000e_reg(dev, STATUS);
    *e1000e_reg(dev, CTRL) = *e1000e_reg(dev, CTRL_DUP) = kept;
    *status = kept & CTRL_NO_MASTER ? *status & ~(uint32_t)STATUS_MASTER : *status | STATUS_MASTER;
}

static void write_eerd(E1000e *dev, unsigned at, uint32_t value)
{
    enum { START = 1, DONE = 2 };
    unsigned word = value >> 2 & 0x3fff;

    if (value & START) {
        uint32_t data = word < E1000E_NVM ? dev->nvm[word] : 0xffff;
        value = (value & 0xfffc) | DONE | data << 16;
    }
    *e1000e_reg(dev, EERD) = value;
}

static void write_ctrl_ext(E1000e *dev, unsigned at, uint32_t value)
{
    *e1000e_reg(dev, CTRL_EXT) = value & ~(uint32_t)CTRL_EXT_EE_RESET;
}

/* What starts work of the other thread. */
static void write_and_work(E1000e *dev, unsigned at, uint32_t value)
{
    *e1000e_reg(dev, at) = value;
    io_task_schedule(dev->task);
}

static void write_ring(E1000e *dev, unsigned at, uint32_t value)
{
    static const uint32_t masks[] = {
        [RING_BASE / 4] = 0xfffffff0, [RING_BASE_HIGH / 4] = UINT32_MAX,
        [RING_LENGTH / 4] = 0xfff80,  [RING_HEAD / 4] = 0xffff,
        [RING_TAIL / 4] = 0xffff,
    };
    unsigned which = at % RING_SPACE;

    if (which / 4 < G_N_ELEMENTS(masks) && masks[which / 4]) {
        value &= masks[which / 4];
    }
    *e1000e_reg(dev, at) = value;
    if (which == RING_TAIL) {
        io_task_schedule(dev->task);
    }
}

static void write_nothing(E1000e *dev, unsigned at, uint32_t value)
{
}

static uint32_t read_and_clear(E1000e *dev, unsigned at)
{
    uint32_t value = *e1000e_reg(dev, at);

    *e1000e_reg(dev, at) = 0;
    return value;
}

/* The first reader gets the semaphore. */
static uint32_t read_swsm(E1000e *dev, unsigned at)
{
    uint32_t value = *e1000e_reg(dev, SWSM);

    *e1000e_reg(dev, SWSM) |= 1;
    return value;
}

/* Registers that do something; from and to are inclusive. */
static const struct {
    uint16_t first, last;
    uint32_t (*read)(E1000e *dev, unsigned at); /* NULL: as it stands */
    void (*write)(E1000e *dev, unsigned at, uint32_t value);
} actions[] = {
    { CTRL, CTRL_DUP, NULL, write_ctrl },
    { STATUS, STATUS, NULL, write_nothing },
    { EECD, EECD, NULL, write_nothing },
    { EERD, EERD, NULL, write_eerd },
    { CTRL_EXT, CTRL_EXT, NULL, write_ctrl_ext },
    { MDIC, MDIC, NULL, write_mdic },
    { ICR, ICR, read_icr, write_icr },
    { ICS, ICS, NULL, write_ics },
    { IMS, IMS, NULL, write_ims },
    { IMC, IMC, NULL, write_imc },
    { RCTL, RCTL, NULL, write_and_work },
    { TCTL, TCTL, NULL, write_and_work },
    { RX_RING, RX_RING + RINGS *RING_SPACE - 1, NULL, write_ring },
    { TX_RING, TX_RING + RINGS *RING_SPACE - 1, NULL, write_ring },
    { STATISTICS, STATISTICS_END - 1, read_and_clear, write_nothing },
    { SWSM, SWSM, read_swsm, NULL },
};

/* What isn't 0 after reset. */
static const struct {
    uint16_t at;
    uint32_t value;
} first_values[] = {
    { CTRL, 0x00140240 }, { CTRL_DUP, 0x00140240 }, { STATUS, 0x00080683 & ~STATUS_LINK },
    { EECD, 0x00000300 }, { CTRL_EXT, 0 },          { LEDCTL, 0x07061302 },
    { VET, 0x8100 },      { PBA, 0x00140014 },
};

static void reset_registers(E1000e *dev)
{
    enum { VALID = (int)0x80000000 };

    memset(dev->regs, 0, sizeof(dev->regs));
    for (unsigned i = 0; i < G_N_ELEMENTS(first_values); i++) {
        *e1000e_reg(dev, first_values[i].at) = first_values[i].value;
    }
    *e1000e_reg(dev, RAL) = load_le32(dev->mac);
    *e1000e_reg(dev, RAL + 4) = load_le16(dev->mac + 4) | (uint32_t)VALID;
    memset(dev->context, 0, sizeof(dev->context));
    dev->rx_len = 0;
    dev->port_full = false;
    show_link(dev);
    io_task_schedule(dev->task);
}

static uint32_t read_register(E1000e *dev, unsigned at)
{
    if (at >= REGISTERS_END) {
        return 0;
    }
    dev->link_news &= at != STATUS && at != MDIC;
    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (at >= actions[i].first && at <= actions[i].last && actions[i].read) {
            return actions[i].read(dev, at);
        }
    }
    return *e1000e_reg(dev, at);
}

static void write_register(E1000e *dev, unsigned at, uint32_t value)
{
    if (at >= REGISTERS_END) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (at >= actions[i].first && at <= actions[i].last && actions[i].write) {
            actions[i].write(dev, at, value);
            return;
        }
    }
    *e1000e_reg(dev, at) = value;
}

/* --- how they are reached --- */

static uint64_t read_memory(void *opaque, uint64_t offset, unsigned size)
{
    return read_register(opaque, (unsigned)offset & ~3U) >> (offset % 4 * 8) & bits_mask(size * 8);
}

static void write_memory(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000e *dev = opaque;

    if (size != 4 || offset % 4) {
        guest_error(&dev->pci.device, "a register is written by %u bytes at %x", size,
                    (unsigned)offset);
        return;
    }
    write_register(dev, (unsigned)offset, (uint32_t)value);
}

/* Ports: an address, and what is there. */
static uint64_t read_ports(void *opaque, uint64_t offset, unsigned size)
{
    E1000e *dev = opaque;

    if (size != 4 || offset > 4) {
        return 0;
    }
    return offset == 0 ? dev->io_address : read_register(dev, dev->io_address & ~3U);
}

static void write_ports(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    E1000e *dev = opaque;

    if (size == 4 && offset == 0) {
        dev->io_address = (uint32_t)value;
    } else if (size == 4 && offset == 4) {
        write_register(dev, dev->io_address & ~3U, (uint32_t)value);
    }
}

static uint64_t read_flash(void *opaque, uint64_t offset, unsigned size)
{
    return bits_mask(size * 8);
}

static void write_flash(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static const IoOps memory_ops = { .read = read_memory, .write = write_memory, .sizes = 1 | 2 | 4 };
static const IoOps flash_ops = { .read = read_flash, .write = write_flash, .sizes = 1 | 2 | 4 };
static const IoOps ports_ops = { .read = read_ports, .write = write_ports, .sizes = 1 | 2 | 4 };

/* --- the device --- */

/* The EEPROM: words 0 to 2 are the address; the sum of all is BABAh (Intel 317694, 6.1). */
static void fill_nvm(E1000e *dev)
{
    enum { SUM_WORD = 0x3f, SUM = 0xbaba };
    static const struct {
        uint8_t word;
        uint16_t value;
    } words[] = {
        { 0x03, 0x0420 }, { 0x05, 0x1010 },    { 0x08, 0xffff },        { 0x09, 0xffff },
        { 0x0a, 0x026b }, { 0x0b, E1000E_ID }, { 0x0c, E1000E_VENDOR }, { 0x0d, E1000E_ID },
        { 0x0e, 0x10d3 }, { 0x0f, 0x1480 },
    };
    uint16_t sum = SUM;

    for (unsigned i = 0; i < 3; i++) {
        dev->nvm[i] = load_le16(dev->mac + (size_t)i * 2);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        dev->nvm[words[i].word] = words[i].value;
    }
    for (unsigned i = 0; i < SUM_WORD; i++) {
        sum = (uint16_t)(sum - dev->nvm[i]);
    }
    dev->nvm[SUM_WORD] = sum;
}

void e1000e_set_link(E1000e *dev, bool up)
{
    g_mutex_lock(&dev->pci.device.lock);
    up = up && !dev->port_gone;
    if (up != dev->link_up) {
        dev->link_up = up;
        show_link(dev);
        e1000e_raise(dev, CAUSE_LINK);
        dev->link_news = *e1000e_reg(dev, IMS) & CAUSE_LINK;
    }
    g_mutex_unlock(&dev->pci.device.lock);
}

bool e1000e_link_known(E1000e *dev)
{
    g_mutex_lock(&dev->pci.device.lock);
    bool known = !dev->link_news;
    g_mutex_unlock(&dev->pci.device.lock);
    return known;
}

static void reset(Device *device)
{
    E1000e *dev = container_of(device, E1000e, pci.device);

    pci_reset(device);
    dev->io_address = 0;
    reset_registers(dev);
    reset_phy(dev);
}

static bool loaded(Device *device, GError **error)
{
    E1000e *dev = container_of(device, E1000e, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    dev->rx_len = 0; /* what was on its way is lost, as on any wire */
    dev->port_full = false;
    show_link(dev);
    io_task_schedule(dev->task);
    return true;
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    E1000e *dev = container_of(pci, E1000e, pci);

    if (offset <= PCI_COMMAND + 1) {
        io_task_schedule(dev->task); /* it may be master of the bus now */
    }
}

static void destroy(Device *device)
{
    E1000e *dev = container_of(device, E1000e, pci.device);

    io_task_free(dev->task);
    io_watch_free(dev->watch);
    pci_destroy(device);
}

static const SavedField saved[] = {
    PCI_SAVED(E1000e),
    SAVED_ARRAY(E1000e, regs),
    SAVED(E1000e, io_address),
    SAVED_ARRAY(E1000e, phy),
    SAVED_EACH(E1000e, context, ip_start),
    SAVED_EACH(E1000e, context, ip_sum),
    SAVED_EACH(E1000e, context, ip_end),
    SAVED_EACH(E1000e, context, start),
    SAVED_EACH(E1000e, context, sum),
    SAVED_EACH(E1000e, context, end),
    SAVED_EACH_RANGE(E1000e, context, tcp, 0, 1),
    SAVED_EACH_RANGE(E1000e, context, ipv4, 0, 1),
    SAVED_EACH(E1000e, context, header_len),
    SAVED_EACH(E1000e, context, mss),
    { 0 },
};

const PciClass e1000e_class = {
    .device = {
        .name = "e1000e",
        .summary = "network card (Intel 82574L)",
        .instance_size = sizeof(E1000e),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .destroy = destroy,
    },
    .vendor = E1000E_VENDOR,
    .id = E1000E_ID,
    .class_code = 0x020000,
    .express = true,
    .interrupt = true,
    .config_written = config_written,
};

E1000e *e1000e_new(const PciSlot *slot, const E1000eConfig *config)
{
    E1000e *dev = pci_new(&e1000e_class, slot);
    PciDevice *pci = &dev->pci;

    dev->port = config->port;
    memcpy(dev->mac, config->mac, sizeof(dev->mac));
    dev->link_up = true;
    fill_nvm(dev);
    pci_add_bar(pci, BAR_MEMORY,
                &(PciBarConfig){ .size = MEMORY_SIZE, .ops = &memory_ops, .opaque = dev });
    pci_add_bar(pci, BAR_FLASH,
                &(PciBarConfig){ .size = MEMORY_SIZE, .ops = &flash_ops, .opaque = dev });
    pci_add_bar(
        pci, BAR_PORTS,
        &(PciBarConfig){ .size = PORTS_SIZE, .ops = &ports_ops, .opaque = dev, .ports = true });
    pci_add_msi(pci, 1);
    pci_add_msix(pci, BAR_MSIX, VECTORS);
    pci_add_express(pci, slot->bus->bridge ? PCIE_ENDPOINT : PCIE_INTEGRATED, 0);
    dev->watch = io_watch_new(config->io, net_port_fd(dev->port), e1000e_on_port, dev);
    dev->task = io_task_new(config->io, e1000e_work, dev);
    return dev;
}
