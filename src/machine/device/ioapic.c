/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O APIC (Intel 82093AA data sheet, order 290566; version 20h, which has an EOI register):
 * 24 pins, each with a redirection entry that says as which interrupt it goes to which CPU.
 *
 * An edge is sent when it comes; one that comes while its entry is masked is lost.  A level is
 * sent when the pin is up and Remote IRR is clear; sending sets Remote IRR, the CPU's
 * end-of-interrupt clears it, and if the pin is still up the interrupt is sent again.
 *
 * Threads: registers on vCPU threads; lines and EOI from any thread, under the lock.
 */
#include "machine/device/ioapic.h"

enum {
    REG_SELECT = 0x00,
    REG_WINDOW = 0x10,
    REG_EOI = 0x40,
};

enum { INDEX_ID = 0, INDEX_VERSION = 1, INDEX_ARBITRATION = 2, INDEX_ENTRIES = 0x10 };
enum { VERSION = 0x20 };

/* Bits of a redirection entry. */
#define ENTRY_DELIVERY_STATUS (UINT64_C(1) << 12)
#define ENTRY_REMOTE_IRR      (UINT64_C(1) << 14)
#define ENTRY_LEVEL           (UINT64_C(1) << 15)
#define ENTRY_MASKED          (UINT64_C(1) << 16)
#define ENTRY_WRITABLE        (UINT64_C(0xff0000000001afff) & ~ENTRY_DELIVERY_STATUS)

struct Ioapic {
    Device device;
    MsiTarget target; /* fixed after create */
    /* lock: device.lock */
    uint8_t select;
    uint8_t id;
    uint32_t lines; /* levels of the pins */
    uint64_t entry[IOAPIC_PINS];
};

/* Send the interrupt of @pin.  Lock: held. */
static void deliver(Ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entry[pin];
    uint64_t address =
        0xfee00000 | bits_get(entry, 56, 8) << 12 | (uint64_t)bit_test(entry, 11) << 2;
    uint32_t data = (uint32_t)bits_get(entry, 0, 11); /* vector and delivery mode */

    if (entry & ENTRY_LEVEL) {
        data |= 1U << 15 | 1U << 14;
        ioapic->entry[pin] |= ENTRY_REMOTE_IRR;
    }
    log_line(ioapic->device.env.log, LOG_IRQ, "ioapic pin %u: vector %02x to %02x", pin,
             data & 0xff, (unsigned)bits_get(entry, 56, 8));
    ioapic->target.send(ioapic->target.opaque, address, data);
}

/* Send @pin if it is level-triggered, up, and not already being served.  Lock: held. */
static void service_level(Ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entry[pin];

    if ((entry & ENTRY_LEVEL) && !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) &&
        bit_test(ioapic->lines, pin)) {
        deliver(ioapic, pin);
    }
}

void ioapic_set_line(Ioapic *ioapic, unsigned pin, bool level)
{
    if (pin >= IOAPIC_PINS) {
        return;
    }
    g_mutex_lock(&ioapic->device.lock);
    bool was = bit_test(ioapic->lines, pin);
    ioapic->lines = level ? ioapic->lines | 1U << pin : ioapic->lines & ~(1U << pin);
    if (ioapic->entry[pin] & ENTRY_LEVEL) {
        service_level(ioapic, pin);
    } else if (level && !was && !(ioapic->entry[pin] & ENTRY_MASKED)) {
        deliver(ioapic, pin);
    }
    g_mutex_unlock(&ioapic->device.lock);
}

/* Lock: held. */
static void end_of_interrupt(Ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t entry = ioapic->entry[pin];
        if ((entry & ENTRY_REMOTE_IRR) && (entry & 0xff) == vector) {
            ioapic->entry[pin] &= ~ENTRY_REMOTE_IRR;
            service_level(ioapic, pin);
        }
    }
}

void ioapic_eoi(Ioapic *ioapic, uint8_t vector)
{
    g_mutex_lock(&ioapic->device.lock);
    end_of_interrupt(ioapic, vector);
    g_mutex_unlock(&ioapic->device.lock);
}

static uint32_t read_window(const Ioapic *ioapic)
{
    unsigned index = ioapic->select;

    switch (index) {
    case INDEX_ID:
    case INDEX_ARBITRATION:
        return (uint32_t)ioapic->id << 24;
    case INDEX_VERSION:
        return VERSION | (IOAPIC_PINS - 1) << 16;
    default:
        break;
    }
    unsigned pin = (index - INDEX_ENTRIES) / 2;
    if (index < INDEX_ENTRIES || pin >= IOAPIC_PINS) {
        return 0;
    }
    return (uint32_t)(ioapic->entry[pin] >> (index & 1 ? 32 : 0));
}

static void write_window(Ioapic *ioapic, uint32_t value)
{
    unsigned index = ioapic->select;
    unsigned pin = (index - INDEX_ENTRIES) / 2;

    if (index == INDEX_ID) {
        ioapic->id = value >> 24 & 0xf;
        return;
    }
    if (index < INDEX_ENTRIES || pin >= IOAPIC_PINS) {
        guest_error(&ioapic->device, "write of %08x to register %02x", value, index);
        return;
    }
    unsigned shift = index & 1 ? 32 : 0;
    uint64_t mask = ENTRY_WRITABLE & (UINT64_C(0xffffffff) << shift);
    uint64_t entry = (ioapic->entry[pin] & ~mask) | ((uint64_t)value << shift & mask);
    if (!(entry & ENTRY_LEVEL)) {
        entry &= ~ENTRY_REMOTE_IRR; /* the way to clear it that Linux knows */
    }
    ioapic->entry[pin] = entry;
    service_level(ioapic, pin);
}

static uint64_t read_register(void *opaque, uint64_t offset, unsigned size)
{
    const Ioapic *ioapic = opaque;

    switch (offset) {
    case REG_SELECT:
        return ioapic->select;
    case REG_WINDOW:
        return read_window(ioapic);
    default:
        return 0;
    }
}

static void write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ioapic *ioapic = opaque;

    switch (offset) {
    case REG_SELECT:
        ioapic->select = (uint8_t)value;
        break;
    case REG_WINDOW:
        write_window(ioapic, (uint32_t)value);
        break;
    case REG_EOI:
        end_of_interrupt(ioapic, (uint8_t)value);
        break;
    default:
        guest_error(&ioapic->device, "write of %x at offset %x", (unsigned)value, (unsigned)offset);
        break;
    }
}

/* Narrow reads are asked for by nobody sane; some firmware selects with a byte. */
static const IoOps ops = { .read = read_register, .write = write_register, .sizes = 1 | 4 };

static void reset(Device *device)
{
    Ioapic *ioapic = container_of(device, Ioapic, device);

    ioapic->select = 0;
    ioapic->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        ioapic->entry[pin] = ENTRY_MASKED;
    }
}

static const SavedField saved[] = {
    SAVED(Ioapic, select),
    SAVED_RANGE(Ioapic, id, 0, 15),
    SAVED_RANGE(Ioapic, lines, 0, (1U << IOAPIC_PINS) - 1),
    SAVED_ARRAY(Ioapic, entry),
    { 0 },
};

const DeviceClass ioapic_class = {
    .name = "ioapic",
    .summary = "I/O APIC with 24 pins",
    .instance_size = sizeof(Ioapic),
    .saved = saved,
    .reset = reset,
};

Ioapic *ioapic_new(const DeviceEnv *env, uint64_t base, MsiTarget target)
{
    Ioapic *ioapic = device_new(&ioapic_class, env, "ioapic");

    ioapic->target = target;
    device_add_mmio(&ioapic->device, &ops, base, 0x1000);
    return ioapic;
}
