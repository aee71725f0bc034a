/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the AHCI controller (AHCI 1.3.1, chapter 3), see ahci.h.
 *
 * The guest sets bits of PxCI; the I/O thread does what stands in these slots (ahci_command.c).
 * What the guest takes back meanwhile, by stopping the port or a reset, is done to its end and then
 * forgotten: until then PxCMD.CR, GHC.HR or PxSSTS say that it isn't over.
 *
 * Threads: registers on vCPU threads, commands on the I/O thread, trays on any; all under the
 * device's lock, which is open around the host's I/O.
 */
#include "machine/device/ahci_state.h"

#include <string.h>

enum { BAR = 5, BAR_SIZE = 4096, PORT_BASE = 0x100, PORT_SIZE = 0x80 };
enum { CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0c, VS = 0x10 };
enum { GHC_RESET = 1, GHC_INTERRUPTS = 2 };
#define GHC_AHCI 0x80000000U
#define VERSION  0x00010301U
/* CAP: 64-bit addresses, queuing, 3 Gbit/s, nothing but AHCI, BSY can be overridden, 32 slots,
 * 6 ports. */
#define CAPABILITIES (1U << 31 | 1U << 30 | 1U << 24 | 2U << 20 | 1U << 18 | 31U << 8 | 5U)

enum {
    PORT_CLB = 0x00,
    PORT_CLBU = 0x04,
    PORT_FB = 0x08,
    PORT_FBU = 0x0c,
    PORT_IS = 0x10,
    PORT_IE = 0x14,
    PORT_CMD = 0x18,
    PORT_TFD = 0x20,
    PORT_SIG = 0x24,
    PORT_SSTS = 0x28,
    PORT_SCTL = 0x2c,
    PORT_SERR = 0x30,
    PORT_SACT = 0x34,
    PORT_CI = 0x38,
};

enum { INTERRUPT_BITS = (int)0xfdc000ff, NO_DRIVE = 0x7f, LINK_UP = 0x123, DETECTION = 0xf };
enum { DETECT_RESET = 1, DETECT_OFF = 4, SERR_PHY = 1 << 16, SERR_CHANGED = 1 << 26 };
#define PORT_CMD_WRITABLE (AHCI_START | AHCI_RECEIVE | AHCI_IS_ATAPI | 1U << 25 /* LED */)

static bool has_drive(const AhciPort *port)
{
    return port->drive.device != NULL;
}

bool ahci_has_link(const AhciPort *port)
{
    return has_drive(port) && (port->sctl & DETECTION) == 0;
}

/* --- interrupts --- */

static uint32_t port_interrupts(const AhciPort *port)
{
    return port->is | (port->serr & SERR_CHANGED ? (uint32_t)AHCI_PORT_CHANGED : 0) |
           (port->serr & SERR_PHY ? (uint32_t)AHCI_PHY_CHANGED : 0);
}

/* @event: something new is shown, for which a message goes out though others have. */
static void update_irq(Ahci *dev, bool event)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (port_interrupts(&dev->ports[i]) & dev->ports[i].ie) {
            dev->is |= 1U << i;
        }
    }
    bool level = dev->is && (dev->ghc & GHC_INTERRUPTS);
    if (event || !level || !pci_has_msi(&dev->pci)) {
        pci_set_irq(&dev->pci, level);
    }
}

void ahci_raise(Ahci *dev, AhciPort *port, uint32_t bits)
{
    port->is |= bits;
    update_irq(dev, (port->ie & bits) != 0);
}

/* --- resets --- */

bool ahci_is_running(const AhciPort *port)
{
    return port->running || port->flying || port->lost;
}

static bool is_running(const Ahci *dev)
{
    bool running = false;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        running |= ahci_is_running(&dev->ports[i]);
    }
    return running;
}

/* Something runs that nobody waits for any more. */
static bool is_draining(const Ahci *dev)
{
    bool draining = false;

    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        draining |= dev->ports[i].forgotten;
    }
    return draining;
}

/* Whatever runs at the port, nobody waits for it any more. */
static void forget_commands(Ahci *dev, AhciPort *port)
{
    ahci_flights_forget(dev, port);
    port->ci = port->sact = 0;
    port->slot = AHCI_SLOTS - 1;
    port->halted = port->stopped = port->soft_reset = false;
    port->forgotten = port->running || port->lost;
}

/* The link is down, and then (@up) up again, with a drive that has forgotten its settings. */
static void reset_link(Ahci *dev, AhciPort *port, bool up)
{
    forget_commands(dev, port);
    port->tfd = NO_DRIVE;
    port->sig = UINT32_MAX;
    port->signature_due = false;
    if (up && has_drive(port)) {
        sata_reset(&port->drive);
        ahci_show_signature(dev, port);
    }
}

static void reset_port(Ahci *dev, AhciPort *port)
{
    port->is = port->ie = port->sctl = port->serr = 0;
    port->cmd = 0;
    reset_link(dev, port, true);
    port->serr = has_drive(port) ? SERR_CHANGED : 0;
}

static void reset_hba(Ahci *dev)
{
    dev->resetting = is_running(dev);
    dev->ghc = GHC_AHCI;
    dev->is = 0;
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        reset_port(dev, &dev->ports[i]);
    }
    update_irq(dev, false);
}

/* --- registers of a port --- */

static uint32_t read_cmd(const AhciPort *port)
{
    uint32_t value = port->cmd | AHCI_SPUN_UP | AHCI_POWERED;

    value |= port->cmd & AHCI_RECEIVE ? (uint32_t)AHCI_RECEIVES : 0;
    value |= port->cmd & AHCI_START || ahci_is_running(port) ? (uint32_t)AHCI_RUNS : 0;
    return value | (port->cmd & AHCI_START ? (uint32_t)port->slot << 8 : 0);
}

static uint32_t read_status(const AhciPort *port)
{
    if (ahci_has_link(port)) {
        return port->forgotten ? 0 : LINK_UP;
    }
    return has_drive(port) && (port->sctl & DETECTION) == DETECT_OFF ? DETECT_OFF : 0;
}

static uint32_t read_port(const AhciPort *port, unsigned offset)
{
    switch (offset) {
    case PORT_CLB:
        return (uint32_t)port->command_list;
    case PORT_CLBU:
        return (uint32_t)(port->command_list >> 32);
    case PORT_FB:
        return (uint32_t)port->received;
    case PORT_FBU:
        return (uint32_t)(port->received >> 32);
    case PORT_IS:
        return port_interrupts(port);
    case PORT_IE:
        return port->ie;
    case PORT_CMD:
        return read_cmd(port);
    case PORT_TFD:
        return port->tfd | (port->running ? (uint32_t)ATA_BUSY : 0);
    case PORT_SIG:
        return port->sig;
    case PORT_SSTS:
        return read_status(port);
    case PORT_SCTL:
        return port->sctl;
    case PORT_SERR:
        return port->serr;
    case PORT_SACT:
        return port->sact;
    case PORT_CI:
        return port->ci;
    default:
        return 0;
    }
}

static void write_cmd(Ahci *dev, AhciPort *port, uint32_t value)
{
    uint32_t old = port->cmd;

    port->cmd = value & PORT_CMD_WRITABLE;
    if (old & AHCI_START && !(value & AHCI_START)) {
        forget_commands(dev, port);
    }
    if (!(old & AHCI_START) && value & AHCI_START) {
        port->halted = false;
    }
    if (value & AHCI_OVERRIDE) {
        port->tfd &= ~(uint32_t)(ATA_BUSY | ATA_REQUEST);
    }
    if (value & AHCI_RECEIVE && port->signature_due) {
        ahci_send_signature(dev, port);
    }
}

static void write_sctl(Ahci *dev, AhciPort *port, uint32_t value)
{
    unsigned old = port->sctl & DETECTION, new = value &DETECTION;

    port->sctl = value & 0xfff;
    if (new != old &&new) {
        reset_link(dev, port, false);
    } else if (new != old) {
        reset_link(dev, port, true);
        port->serr |= has_drive(port) ? SERR_CHANGED : 0;
        update_irq(dev, true);
    }
}

/* Commands, of which only those of a port that runs count. */
static void write_ci(Ahci *dev, AhciPort *port, uint32_t value)
{
    if (port->cmd & AHCI_START) {
        port->ci |= value;
        if (ahci_has_work(dev, port)) {
            io_task_schedule(dev->task);
        }
    }
}

/* The halves of an address; its lowest bits, as many as @unit says, are 0. */
static void write_half(uint64_t *address, bool high, uint32_t value, uint32_t unit)
{
    *address = high ? (*address & UINT32_MAX) | (uint64_t)value << 32
                    : (*address & ~(uint64_t)UINT32_MAX) | (value & ~(unit - 1));
}

static void write_port(Ahci *dev, AhciPort *port, unsigned offset, uint32_t value)
{
    switch (offset) {
    case PORT_CLB:
    case PORT_CLBU:
        write_half(&port->command_list, offset == PORT_CLBU, value, 1024);
        break;
    case PORT_FB:
    case PORT_FBU:
        write_half(&port->received, offset == PORT_FBU, value, 256);
        break;
    case PORT_IS:
        port->is &= ~value;
        update_irq(dev, false);
        break;
    case PORT_IE:
        port->ie = value & (uint32_t)INTERRUPT_BITS;
        update_irq(dev, true);
        break;
    case PORT_CMD:
        write_cmd(dev, port, value);
        break;
    case PORT_SCTL:
        write_sctl(dev, port, value);
        break;
    case PORT_SERR:
        port->serr &= ~value;
        update_irq(dev, false);
        break;
    case PORT_SACT:
        port->sact |= port->cmd & AHCI_START ? value : 0;
        break;
    case PORT_CI:
        write_ci(dev, port, value);
        break;
    default: /* read-only, or not there */
        break;
    }
}

/* --- registers of all --- */

static uint64_t read_register(void *opaque, uint64_t offset, unsigned size)
{
    const Ahci *dev = opaque;

    if (offset >= PORT_BASE) {
        unsigned port = (unsigned)(offset - PORT_BASE) / PORT_SIZE;
        return port < AHCI_PORTS ? read_port(&dev->ports[port], offset % PORT_SIZE & ~3U) : 0;
    }
    switch (offset & ~UINT64_C(3)) {
    case CAP:
        return CAPABILITIES;
    case GHC:
        return dev->ghc | (dev->resetting && is_draining(dev) ? GHC_RESET : 0);
    case IS:
        return dev->is;
    case PI:
        return (1U << AHCI_PORTS) - 1;
    case VS:
        return VERSION;
    default:
        return 0;
    }
}

static void write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ahci *dev = opaque;

    if (offset >= PORT_BASE) {
        unsigned port = (unsigned)(offset - PORT_BASE) / PORT_SIZE;
        if (port < AHCI_PORTS) {
            write_port(dev, &dev->ports[port], offset % PORT_SIZE & ~3U, (uint32_t)value);
        }
        return;
    }
    if (offset == GHC && value & GHC_RESET) {
        reset_hba(dev);
    } else if (offset == GHC) {
        dev->ghc = GHC_AHCI | (value & GHC_INTERRUPTS);
        update_irq(dev, true);
    } else if (offset == IS) {
        dev->is &= ~(uint32_t)value;
        update_irq(dev, true); /* what is still there is told anew (10.7.2.1) */
    }
}

/* Registers are read and written whole (3.1 of Intel's, which has no bytes of them). */
static const IoOps ops = { .read = read_register, .write = write_register, .sizes = 4 };

/* --- drives --- */

void ahci_add_drive(Ahci *dev, unsigned index, const AhciDrive *config)
{
    SataDrive *drive = &dev->ports[index].drive;

    g_assert(index < AHCI_PORTS && !drive->device && (config->blk || config->cdrom));
    *drive = (SataDrive){
        .device = &dev->pci.device,
        .cdrom = config->cdrom,
        .name = g_strdup(config->name),
        .on_read_error = config->on_read_error,
        .on_write_error = config->on_write_error,
        .events = config->events,
        .blk = config->blk,
    };
    g_strlcpy(drive->serial, config->serial, sizeof(drive->serial));
}

void ahci_retry(Ahci *dev)
{
    g_mutex_lock(&dev->pci.device.lock);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        dev->ports[i].stopped = false;
    }
    io_task_schedule(dev->task);
    g_mutex_unlock(&dev->pci.device.lock);
}

const char *ahci_cdrom_name(const Ahci *dev, unsigned index)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        if (dev->ports[i].drive.cdrom && index-- == 0) {
            return dev->ports[i].drive.name;
        }
    }
    return NULL;
}

int ahci_find_drive(const Ahci *dev, const char *name)
{
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        const SataDrive *drive = &dev->ports[i].drive;
        if (drive->device && !strcmp(drive->name, name)) {
            return (int)i;
        }
    }
    return -1;
}

int ahci_find_cdrom(const Ahci *dev, const char *name)
{
    int port = ahci_find_drive(dev, name);

    return port >= 0 && dev->ports[port].drive.cdrom ? port : -1;
}

/* The drive at @port, locked, while no command uses its medium. */
static SataDrive *lock_idle(Ahci *dev, unsigned port)
{
    g_mutex_lock(&dev->pci.device.lock);
    while (ahci_is_running(&dev->ports[port])) {
        g_cond_wait(&dev->idle, &dev->pci.device.lock);
    }
    return &dev->ports[port].drive;
}

void ahci_tray(Ahci *dev, unsigned port, AhciTray *ret)
{
    g_mutex_lock(&dev->pci.device.lock);
    const SataDrive *drive = &dev->ports[port].drive;
    *ret = (AhciTray){ drive->tray_open, drive->locked, drive->blk };
    g_mutex_unlock(&dev->pci.device.lock);
}

bool ahci_open_tray(Ahci *dev, unsigned port, bool force)
{
    bool open = ata_cdrom_open(lock_idle(dev, port), force);

    g_mutex_unlock(&dev->pci.device.lock);
    return open;
}

void ahci_close_tray(Ahci *dev, unsigned port)
{
    ata_cdrom_close(lock_idle(dev, port));
    g_mutex_unlock(&dev->pci.device.lock);
}

void ahci_set_medium(Ahci *dev, unsigned port, Blk *blk)
{
    ata_cdrom_set_medium(lock_idle(dev, port), blk);
    g_mutex_unlock(&dev->pci.device.lock);
}

/* --- the device --- */

static void reset(Device *device)
{
    Ahci *dev = container_of(device, Ahci, pci.device);

    while (is_running(dev)) { /* it writes into RAM that firmware is about to use */
        g_cond_wait(&dev->idle, &device->lock);
    }
    pci_reset(device);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        dev->ports[i].command_list = dev->ports[i].received = 0;
        dev->ports[i].drive.changed = false;
        dev->ports[i].drive.event = SATA_MEDIA_NONE;
    }
    reset_hba(dev);
}

/* A state has no command that is on its way. */
static void pause_dev(Device *device, bool on)
{
    Ahci *dev = container_of(device, Ahci, pci.device);

    g_mutex_lock(&device->lock);
    dev->paused = on;
    while (on && is_running(dev)) {
        g_cond_wait(&dev->idle, &device->lock);
    }
    g_mutex_unlock(&device->lock);
    io_task_schedule(dev->task);
}

static bool loaded(Device *device, GError **error)
{
    Ahci *dev = container_of(device, Ahci, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        dev->ports[i].stopped = false;
    }
    io_task_schedule(dev->task);
    return true;
}

static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset <= PCI_COMMAND + 1) {
        io_task_schedule(container_of(pci, Ahci, pci)->task); /* it may be master of the bus now */
    }
}

static void destroy(Device *device)
{
    Ahci *dev = container_of(device, Ahci, pci.device);

    io_task_free(dev->task);
    ahci_flights_free(dev);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        g_free(dev->ports[i].drive.name);
    }
    g_cond_clear(&dev->idle);
    pci_destroy(device);
}

static const SavedField saved[] = {
    PCI_SAVED(Ahci),
    SAVED(Ahci, ghc),
    SAVED_RANGE(Ahci, is, 0, (1U << AHCI_PORTS) - 1),
    SAVED_EACH(Ahci, ports, command_list),
    SAVED_EACH(Ahci, ports, received),
    SAVED_EACH(Ahci, ports, is),
    SAVED_EACH(Ahci, ports, ie),
    SAVED_EACH(Ahci, ports, cmd),
    SAVED_EACH(Ahci, ports, tfd),
    SAVED_EACH(Ahci, ports, sig),
    SAVED_EACH(Ahci, ports, sctl),
    SAVED_EACH(Ahci, ports, serr),
    SAVED_EACH(Ahci, ports, sact),
    SAVED_EACH(Ahci, ports, ci),
    SAVED_EACH_RANGE(Ahci, ports, slot, 0, AHCI_SLOTS - 1),
    SAVED_EACH(Ahci, ports, halted),
    SAVED_EACH(Ahci, ports, soft_reset),
    SAVED_EACH(Ahci, ports, signature_due),
    SAVED_EACH(Ahci, ports, drive.no_write_cache),
    SAVED_EACH_RANGE(Ahci, ports, drive.multiple, 0, SATA_MULTIPLE_MAX),
    SAVED_EACH_RANGE(Ahci, ports, drive.failed_tag, 0, AHCI_SLOTS - 1),
    SAVED_EACH(Ahci, ports, drive.failed_status),
    SAVED_EACH(Ahci, ports, drive.failed_error),
    SAVED_EACH(Ahci, ports, drive.failed_count),
    SAVED_EACH(Ahci, ports, drive.failed_lba),
    SAVED_EACH(Ahci, ports, drive.tray_open),
    SAVED_EACH(Ahci, ports, drive.locked),
    SAVED_EACH(Ahci, ports, drive.changed),
    SAVED_EACH_RANGE(Ahci, ports, drive.event, 0, SATA_MEDIA_REMOVED),
    SAVED_EACH(Ahci, ports, drive.sense[0]),
    SAVED_EACH(Ahci, ports, drive.sense[1]),
    SAVED_EACH(Ahci, ports, drive.sense[2]),
    { 0 },
};

/* MAP: in AHCI form; PCS: all ports are on. */
static const PciRegister registers[] = {
    { 0x90, 1, 0x40, 0, 0 },
    { 0x92, 2, 0x003f, 0x003f, 0 },
    { 0 },
};

const PciClass ahci_class = {
    .device = {
        .name = "ahci",
        .summary = "SATA controller (Intel ICH9)",
        .instance_size = sizeof(Ahci),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .pause = pause_dev,
        .destroy = destroy,
    },
    .vendor = AHCI_VENDOR,
    .id = AHCI_ID,
    .class_code = 0x010601,
    .revision = 2,
    .interrupt = true,
    .registers = registers,
    .config_written = config_written,
};

Ahci *ahci_new(const PciSlot *slot, IoThread *io)
{
    Ahci *dev = pci_new(&ahci_class, slot);

    g_cond_init(&dev->idle);
    pci_add_bar(&dev->pci, BAR, &(PciBarConfig){ .size = BAR_SIZE, .ops = &ops, .opaque = dev });
    pci_add_msi(&dev->pci, 1);
    dev->task = io_task_new(io, ahci_work, dev);
    return dev;
}
