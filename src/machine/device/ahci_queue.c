/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queued commands (READ and WRITE FPDMA QUEUED) of the AHCI controller: any number of them runs at
 * the same time, and they end in any order.
 *
 *   begin    the command was read; its pieces of guest memory go to the block layer, one after the
 *            other, and a flush behind them if it wants one
 *   land     the guest is told, or the machine stops (ahci_command.c)
 *
 * A flight that is forgotten (the guest stopped its port, or reset it) ends like any other, but
 * nobody is told; nothing new is begun at the port before all of these have ended.
 *
 * Threads: the I/O thread.  The lock is the device's, and open while a flight is between begin and
 * land: what is its own is touched by one thread alone.
 */
#include "block/aio.h"
#include "machine/device/ahci_state.h"
#include "machine/limits.h"

enum { FLYING = 1 }; /* beside 0 and -errno */

struct AhciFlight {
    Ahci *dev;
    AhciFlight *next, *next_free;
    /* lock: dev->pci.device.lock */
    AhciPort *port; /* NULL: it isn't on its way */
    bool forgotten;
    /* its own */
    BlkRequest io;
    AhciSlot slot;
    SataMove move; /* what is left of it */
    size_t piece;  /* that is on its way; 0: it is the flush */
    SataCommand command;
};

AhciFlight *ahci_flight_new(Ahci *dev, AhciPort *port)
{
    AhciFlight *flight = dev->free;

    if (flight) {
        dev->free = flight->next_free;
    } else if (dev->n_flights < AHCI_FLIGHTS_MAX) {
        flight = g_new(AhciFlight, 1);
        flight->dev = dev;
        flight->next = dev->flights;
        dev->flights = flight;
        dev->n_flights++;
    } else {
        dev->crowded = true;
        return NULL;
    }
    flight->port = port;
    flight->forgotten = false;
    return flight;
}

SataCommand *ahci_flight_command(AhciFlight *flight)
{
    return &flight->command;
}

void ahci_flights_free(Ahci *dev)
{
    while (dev->flights) {
        AhciFlight *flight = dev->flights;
        dev->flights = flight->next;
        g_free(flight);
    }
}

void ahci_flights_forget(Ahci *dev, AhciPort *port)
{
    for (AhciFlight *flight = dev->flights; flight && port->flying; flight = flight->next) {
        if (flight->port == port && !flight->forgotten) {
            flight->forgotten = true;
            port->lost++;
        }
    }
    port->flying = 0;
    port->waits = false;
}

/* --- on its way --- */

static void on_done(BlkRequest *io);

/* What the block layer does next, if anything is left.  Lock: open. */
static bool set_io(AhciFlight *flight)
{
    SataCommand *c = &flight->command;
    SataMove *move = &flight->move;
    BlkRequest *io = &flight->io;

    flight->piece = move->len ? sata_next_piece(c, move->len, !move->write) : 0;
    if (move->len && !flight->piece) {
        sata_fail(c, ATA_ABORTED); /* the guest's memory ends before its data do */
        return false;
    }
    if (!flight->piece && !move->durable) {
        return false;
    }
    io->blk = flight->port->drive.blk;
    io->op = !flight->piece ? BLK_FLUSH : move->write ? BLK_WRITE : BLK_READ;
    io->durable = false;
    io->offset = move->offset;
    io->iov = c->data.iov;
    io->n = c->data.n;
    io->done = on_done;
    return true;
}

/* What was submitted is done. */
static int after(AhciFlight *flight)
{
    SataMove *move = &flight->move;

    if (flight->io.result) {
        return flight->io.result;
    }
    if (flight->piece) {
        sata_end_piece(&flight->command, flight->piece, !move->write);
    }
    move->offset += flight->piece;
    move->len -= flight->piece;
    move->durable &= flight->piece != 0;
    return 0;
}

/* Have it done, as far as it goes without waiting.  Lock: open. */
static int fly(AhciFlight *flight)
{
    int result = 0;

    while (!result && set_io(flight)) {
        result = blk_submit(&flight->io) ? after(flight) : FLYING;
    }
    return result;
}

/* The flight has ended.  Lock: held. */
static void land(AhciFlight *flight, int result)
{
    Ahci *dev = flight->dev;
    AhciPort *port = flight->port;

    if (flight->forgotten) {
        port->lost--;
        port->forgotten &= port->lost != 0;
    } else {
        port->flying &= ~(1U << flight->slot.number);
        port->waits &= port->flying != 0;
        if (!port->halted) { /* what ends behind an error isn't told: the guest asks again */
            ahci_land(dev, port, &flight->slot, &flight->command, result);
        }
    }
    flight->port = NULL;
    flight->next_free = dev->free;
    dev->free = flight;
    g_cond_broadcast(&dev->idle);
    if (dev->crowded || ahci_has_work(dev, port)) {
        dev->crowded = false;
        io_task_schedule(dev->task);
    }
}

static void on_done(BlkRequest *io)
{
    AhciFlight *flight = container_of(io, AhciFlight, io);
    int result = after(flight);

    result = result ? result : fly(flight);
    if (result != FLYING) {
        g_mutex_lock(&flight->dev->pci.device.lock);
        land(flight, result);
        g_mutex_unlock(&flight->dev->pci.device.lock);
    }
}

void ahci_flight_begin(AhciFlight *flight, const AhciSlot *slot)
{
    Ahci *dev = flight->dev;
    AhciPort *port = flight->port;

    flight->slot = *slot;
    ata_disk_begin(&port->drive, &flight->command, &flight->move);
    port->flying |= 1U << slot->number;
    g_mutex_unlock(&dev->pci.device.lock);
    int result = fly(flight);
    g_mutex_lock(&dev->pci.device.lock);
    if (result != FLYING) {
        land(flight, result);
    }
}
