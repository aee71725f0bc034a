/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the AHCI controller (AHCI 1.3.1, chapters 4 and 5): from a slot of the list to the
 * drive, and what the drive answers back into the guest's memory.
 *
 *   list    32 headers: flags, length of the table of regions, where the command table is
 *   table   the command FIS (40h bytes), a packet (20h), 20h unused, the regions
 *   FISes   256 bytes, where each kind that is received has its place
 *
 * All of it is copied before it is looked at.  An error halts the port until the guest starts it
 * anew.  What the host can't do is reported, ignored, or stops the machine: the command then stays
 * in its slot, and is begun again when the machine goes on.
 *
 * Threads: the I/O thread, with the device's lock held, except for what FISes are told by
 * registers.  Queued commands run beside each other (ahci_queue.c); others are done one after the
 * other, one of each port in turn.
 */
#include <errno.h>
#include <string.h>

#include "machine/device/ahci_state.h"
#include "machine/limits.h"

enum { HEADER_SIZE = 32, TABLE_REGIONS = 0x80, MOVED = 4 };
enum { FIS_HOST = 0x27, FIS_REGISTERS = 0x34, FIS_PIO_SETUP = 0x5f, FIS_BITS = 0xa1 };
enum { AT_PIO_SETUP = 0x20, AT_REGISTERS = 0x40, AT_BITS = 0x58, FIS_SIZE = 20, BITS_SIZE = 8 };
enum { HOST_IS_COMMAND = 0x80, CONTROL_RESET = 4, INTERRUPT = 0x40, TO_HOST = 0x20 };

/* --- FISes to the guest --- */

static void halt(Ahci *dev, AhciPort *port, uint32_t why)
{
    port->halted = true;
    ahci_raise(dev, port, why);
}

static void send(Ahci *dev, AhciPort *port, unsigned at, const uint8_t *fis, size_t len)
{
    if ((port->cmd & AHCI_RECEIVE) &&
        !gm_write(dev->pci.device.env.memory, port->received + at, fis, len)) {
        guest_error(&dev->pci.device, "no memory for what is received");
        halt(dev, port, AHCI_HOST_FATAL);
    }
}

static void fill_registers(const SataCommand *c, uint8_t fis[FIS_SIZE])
{
    memset(fis, 0, FIS_SIZE);
    fis[0] = FIS_REGISTERS;
    fis[2] = c->status;
    fis[3] = c->error;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(c->lba >> (8 * i));
        fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
    }
    fis[7] = c->device;
    store_le16(fis + 12, c->count);
}

static void send_registers(Ahci *dev, AhciPort *port, const SataCommand *c, bool interrupt)
{
    uint8_t fis[FIS_SIZE];

    fill_registers(c, fis);
    fis[1] = interrupt ? INTERRUPT : 0;
    send(dev, port, AT_REGISTERS, fis, sizeof(fis));
    port->tfd = c->status | (uint32_t)c->error << 8;
    if (interrupt) {
        ahci_raise(dev, port, AHCI_GOT_REGISTERS);
    }
}

/* Data are on their way in or out, after which the status is the command's. */
static void send_pio_setup(Ahci *dev, AhciPort *port, const SataCommand *c)
{
    bool in = c->protocol == SATA_PIO_IN;
    uint8_t fis[FIS_SIZE];

    fill_registers(c, fis);
    fis[0] = FIS_PIO_SETUP;
    fis[1] = in ? INTERRUPT | TO_HOST : 0;
    fis[2] = ATA_GOOD | ATA_REQUEST;
    fis[15] = c->status;
    store_le16(fis + 16, (uint16_t)MIN(c->moved, UINT16_MAX));
    send(dev, port, AT_PIO_SETUP, fis, sizeof(fis));
    port->tfd = c->status | (uint32_t)c->error << 8;
    if (in) {
        ahci_raise(dev, port, AHCI_GOT_PIO_SETUP);
    }
}

/* Which queued commands are done. */
static void send_bits(Ahci *dev, AhciPort *port, const SataCommand *c, uint32_t done)
{
    uint8_t fis[BITS_SIZE] = { FIS_BITS, INTERRUPT, c->status & 0x77, c->error };

    store_le32(fis + 4, done);
    send(dev, port, AT_BITS, fis, sizeof(fis));
    port->tfd = c->status | (uint32_t)c->error << 8;
    port->sact &= ~done;
    ahci_raise(dev, port, AHCI_GOT_BITS);
}

void ahci_send_signature(Ahci *dev, AhciPort *port)
{
    SataCommand c;

    port->signature_due = false;
    sata_signature(&port->drive, &c);
    send_registers(dev, port, &c, false);
}

void ahci_show_signature(Ahci *dev, AhciPort *port)
{
    SataCommand c;

    sata_signature(&port->drive, &c);
    port->sig = (uint32_t)(c.lba << 8 | c.count);
    port->tfd = c.status | (uint32_t)c.error << 8;
    port->signature_due = true;
    if (port->cmd & AHCI_RECEIVE) {
        ahci_send_signature(dev, port);
    }
}

/* --- a command's end --- */

static void remember_failure(SataDrive *drive, const SataCommand *c)
{
    drive->failed_tag = c->tag;
    drive->failed_status = c->status;
    drive->failed_error = c->error;
    drive->failed_lba = c->lba;
    drive->failed_count = c->count;
}

static void fail(Ahci *dev, AhciPort *port, const AhciSlot *slot, const SataCommand *c)
{
    bool short_of_memory = c->error == ATA_ABORTED && !c->data.left && !c->data.len && c->moved;

    if (c->protocol == SATA_QUEUED) {
        port->ci &= ~(1U << slot->number); /* the drive has taken it; PxSACT keeps the tag */
        remember_failure(&port->drive, c);
        send_bits(dev, port, c, 0);
    } else {
        send_registers(dev, port, c, true);
    }
    halt(dev, port, AHCI_TASK_FILE_ERROR | (short_of_memory ? AHCI_OVERFLOW : 0));
}

static void finish(Ahci *dev, AhciPort *port, const AhciSlot *slot, const SataCommand *c)
{
    uint8_t moved[4];

    if (c->data.bad) {
        guest_error(&dev->pci.device, "a region of a command is outside of RAM");
        halt(dev, port, AHCI_HOST_FATAL);
        return;
    }
    if (c->protocol != SATA_QUEUED) {
        store_le32(moved, c->moved);
        gm_write(dev->pci.device.env.memory, slot->header_gpa + MOVED, moved, sizeof(moved));
    }
    if (c->status & ATA_FAILED) {
        fail(dev, port, slot, c);
        return;
    }
    port->ci &= ~(1U << slot->number);
    if (c->protocol == SATA_QUEUED) {
        send_bits(dev, port, c, 1U << c->tag);
        return;
    }
    if (c->protocol != SATA_PLAIN) {
        send_pio_setup(dev, port, c);
    }
    if (c->protocol != SATA_PIO_IN) {
        send_registers(dev, port, c, true);
    }
}

/* The host answered with -errno @result; false: the command waits, as all of the port's do. */
static bool act_on_error(AhciPort *port, SataCommand *c, int result)
{
    SataDrive *drive = &port->drive;
    bool is_write = sata_is_write(drive, c);
    DiskError error = {
        .device = drive->name,
        .is_write = is_write,
        .action = is_write ? drive->on_write_error : drive->on_read_error,
        .error = -result,
    };

    if (error.action == DISK_ON_ERROR_STOP_IF_FULL) {
        error.action = result == -ENOSPC ? DISK_ON_ERROR_STOP : DISK_ON_ERROR_REPORT;
    }
    if (drive->events && drive->events->disk_error) {
        port->stopped = error.action == DISK_ON_ERROR_STOP;
        drive->events->disk_error(drive->events->opaque, &error);
    }
    if (error.action != DISK_ON_ERROR_IGNORE && !port->stopped) {
        sata_host_failed(drive, c);
    }
    return !port->stopped;
}

void ahci_land(Ahci *dev, AhciPort *port, const AhciSlot *slot, SataCommand *c, int result)
{
    device_log(&dev->pci.device, "%s: command %x: status %x, error %x, %u bytes, result %d",
               port->drive.name, slot->fis[2], c->status, c->error, c->moved, result);
    if (result == 0 || act_on_error(port, c, result)) {
        finish(dev, port, slot, c);
    }
}

/* --- a command's beginning --- */

static bool fetch(const Ahci *dev, const AhciPort *port, unsigned number, AhciSlot *ret)
{
    const GuestMemory *memory = dev->pci.device.env.memory;
    uint8_t header[HEADER_SIZE];

    ret->number = number;
    ret->header_gpa = port->command_list + number * (uint64_t)HEADER_SIZE;
    if (!gm_read(memory, ret->header_gpa, header, sizeof(header))) {
        return false;
    }
    ret->table_gpa = load_le64(header + 8) & ~UINT64_C(0x7f);
    ret->regions = load_le16(header + 2);
    return gm_read(memory, ret->table_gpa, ret->fis, sizeof(ret->fis));
}

static void parse(const AhciSlot *slot, GuestMemory *memory, SataCommand *ret)
{
    const uint8_t *fis = slot->fis;

    memset(ret, 0, sizeof(*ret));
    ret->command = fis[2];
    ret->features = (uint16_t)(fis[3] | fis[11] << 8);
    ret->device = fis[7];
    ret->count = load_le16(fis + 12);
    for (unsigned i = 0; i < 3; i++) {
        ret->lba |= (uint64_t)fis[4 + i] << (8 * i) | (uint64_t)fis[8 + i] << (24 + 8 * i);
    }
    memcpy(ret->packet, fis + 0x40, sizeof(ret->packet));
    ret->data = (SataData){ .memory = memory,
                            .table = slot->table_gpa + TABLE_REGIONS,
                            .left = slot->regions };
}

/* A FIS for the control register: a reset is asked for by setting a bit and clearing it. */
static void control(Ahci *dev, AhciPort *port, uint8_t value)
{
    bool reset = value & CONTROL_RESET;

    port->ci &= ~(1U << port->slot);
    if (port->soft_reset && !reset) {
        sata_reset(&port->drive);
        ahci_show_signature(dev, port);
    }
    port->soft_reset = reset;
}

/* Whether @slot's command is one that can run beside others. */
static bool is_queued(const AhciPort *port, const AhciSlot *slot)
{
    return !port->drive.cdrom && slot->fis[0] == FIS_HOST && slot->fis[1] & HOST_IS_COMMAND &&
           ata_disk_is_queued(slot->fis[2]);
}

static void run_queued(Ahci *dev, AhciPort *port, const AhciSlot *slot)
{
    AhciFlight *flight = ahci_flight_new(dev, port);

    if (flight) {
        parse(slot, dev->pci.device.env.memory, ahci_flight_command(flight));
        ahci_flight_begin(flight, slot);
    }
}

static void run_slot(Ahci *dev, AhciPort *port, const AhciSlot *slot)
{
    SataCommand *c = &dev->command;

    if (slot->fis[0] != FIS_HOST) {
        guest_error(&dev->pci.device, "a command is a FIS of type %x", slot->fis[0]);
        halt(dev, port, AHCI_INTERFACE_FATAL);
        return;
    }
    if (!(slot->fis[1] & HOST_IS_COMMAND)) {
        control(dev, port, slot->fis[15]);
        return;
    }
    parse(slot, dev->pci.device.env.memory, c);
    port->running = true;
    int result = sata_run(&port->drive, c);
    bool forgotten = port->forgotten;
    port->running = port->forgotten = false;
    g_cond_broadcast(&dev->idle);
    if (!forgotten) {
        ahci_land(dev, port, slot, c, result);
    }
}

bool ahci_has_work(const Ahci *dev, const AhciPort *port)
{
    return port->ci & ~port->flying && (port->cmd & AHCI_START) && ahci_has_link(port) &&
           !port->halted && !port->stopped && !port->running && !port->waits && !port->lost &&
           !dev->paused && !dev->crowded && pci_is_master(&dev->pci);
}

/* The next slot in turn that has a command. */
static unsigned choose(const AhciPort *port)
{
    unsigned next = (port->slot + 1U) % AHCI_SLOTS;

    while (!(port->ci & ~port->flying & 1U << next)) {
        next = (next + 1) % AHCI_SLOTS;
    }
    return next;
}

/* Begin the next command.  One that can't run beside those that do waits in its slot. */
static void begin_next(Ahci *dev, AhciPort *port)
{
    unsigned number = choose(port);
    AhciSlot slot;

    if (!fetch(dev, port, number, &slot)) {
        guest_error(&dev->pci.device, "a command is outside of RAM");
        halt(dev, port, AHCI_HOST_FATAL);
        return;
    }
    bool queued = is_queued(port, &slot);
    port->waits = !queued && port->flying;
    if (port->waits || (queued && !dev->free && dev->n_flights == AHCI_FLIGHTS_MAX)) {
        dev->crowded |= queued;
        return;
    }
    port->slot = (uint8_t)number;
    (queued ? run_queued : run_slot)(dev, port, &slot);
}

/* As many commands as a port has slots; one that is no queued one ends the round. */
static void work_at(Ahci *dev, AhciPort *port)
{
    for (unsigned i = 0; i < AHCI_SLOTS && ahci_has_work(dev, port); i++) {
        uint32_t flying = port->flying;
        begin_next(dev, port);
        if (port->flying == flying) {
            return;
        }
    }
}

void ahci_work(void *opaque)
{
    Ahci *dev = opaque;
    bool more = false;

    g_mutex_lock(&dev->pci.device.lock);
    for (unsigned i = 0; i < AHCI_PORTS; i++) {
        AhciPort *port = &dev->ports[i];
        work_at(dev, port);
        more |= ahci_has_work(dev, port);
    }
    g_mutex_unlock(&dev->pci.device.lock);
    if (more) {
        io_task_schedule(dev->task);
    }
}
