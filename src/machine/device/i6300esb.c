/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog timer of Intel's 6300ESB (Intel 300641, chapter 17), see i6300esb.h.
 *
 * Two stages, each with a preload of 20 bits that counts at 1 kHz or 1 MHz (of PCI's 33 MHz).  The
 * first would interrupt when it ends, which nobody uses and we leave out; the end of the second is
 * a reset, or whatever the machine's owner makes of it.  As a free-running timer there is the
 * second alone.  A guest that is alive reloads it in time.
 *
 * Registers in memory take writes only right behind the words 80h and 86h.
 *
 * Threads: registers on vCPU threads, the timer on the clock's, all under the lock.
 */
#include "machine/device/i6300esb.h"

enum { CONFIG = 0x60, LOCK = 0x68 };
enum { CONFIG_FAST = 4, CONFIG_NO_OUTPUT = 0x20 };
enum { LOCK_LOCKED = 1, LOCK_ENABLE = 2, LOCK_FREE = 4 };
enum { PRELOAD1 = 0, PRELOAD2 = 4, INTERRUPT = 8, RELOAD = 0xc, BAR_SIZE = 4096 };
enum { RELOAD_NOW = 0x100, RELOAD_TIMEOUT = 0x200, UNLOCK_FIRST = 0x80, UNLOCK_SECOND = 0x86 };
enum { PRELOAD_MAX = 0xfffff, PCI_HZ = 33000000, SLOW_SHIFT = 15, FAST_SHIFT = 5 };

struct I6300esb {
    PciDevice pci;
    /* fixed after create */
    MachineEvents events;
    Timer *timer;
    /* lock: pci.device.lock */
    uint32_t preload[2];
    uint64_t deadline; /* of the machine's clock; 0: it doesn't count */
    uint8_t unlock;    /* words that were right so far: 0 to 2 */
    bool locked, enabled, free_running, timed_out;
};

static uint64_t period_ns(const I6300esb *dev)
{
    bool fast = pci_get(&dev->pci, CONFIG, 2) & CONFIG_FAST;
    uint64_t ticks = dev->preload[1] + UINT64_C(1);

    if (!dev->free_running) {
        ticks += dev->preload[0] + UINT64_C(1);
    }
    return mul_div(ticks << (fast ? FAST_SHIFT : SLOW_SHIFT), NS_PER_SECOND, PCI_HZ);
}

/* Count from the beginning, or not at all. */
static void restart(I6300esb *dev)
{
    if (dev->enabled) {
        dev->deadline = clock_now_ns(dev->pci.device.env.clock) + period_ns(dev);
        timer_set(dev->timer, dev->deadline);
    } else {
        dev->deadline = 0;
        timer_cancel(dev->timer);
    }
}

static void on_timer(void *opaque)
{
    I6300esb *dev = opaque;

    g_mutex_lock(&dev->pci.device.lock);
    uint64_t now = clock_now_ns(dev->pci.device.env.clock);
    bool ends = dev->enabled && dev->deadline && now >= dev->deadline;
    if (ends) {
        dev->timed_out = true;
        dev->enabled = false;
        dev->deadline = 0;
    }
    bool tell = ends && !(pci_get(&dev->pci, CONFIG, 2) & CONFIG_NO_OUTPUT);
    g_mutex_unlock(&dev->pci.device.lock);
    if (tell) {
        dev->events.power(dev->events.opaque, MACHINE_POWER_WATCHDOG, 0);
    }
}

/* --- registers in memory --- */

static uint64_t read_memory(void *opaque, uint64_t offset, unsigned size)
{
    const I6300esb *dev = opaque;

    return (offset & ~UINT64_C(3)) == RELOAD && dev->timed_out
               ? RELOAD_TIMEOUT >> (offset % 4 * 8) & bits_mask(size * 8)
               : 0;
}

/* Writes to the reload register that are no words of the lock need it open, too. */
static void write_reload(I6300esb *dev, uint64_t value)
{
    if (value & RELOAD_NOW) {
        restart(dev);
    }
    if (value & RELOAD_TIMEOUT) {
        dev->timed_out = false;
    }
}

static void write_memory(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I6300esb *dev = opaque;

    if (offset == RELOAD && value == UNLOCK_FIRST) {
        dev->unlock = 1;
        return;
    }
    if (offset == RELOAD && value == UNLOCK_SECOND && dev->unlock == 1) {
        dev->unlock = 2;
        return;
    }
    bool open = dev->unlock == 2;
    dev->unlock = 0;
    if (!open) {
        guest_error(&dev->pci.device, "register %x is locked", (unsigned)offset);
        return;
    }
    switch (offset) {
    case PRELOAD1:
    case PRELOAD2:
        dev->preload[offset / 4] = (uint32_t)value & PRELOAD_MAX;
        break;
    case RELOAD:
        write_reload(dev, value);
        break;
    default: /* INTERRUPT: there are none */
        break;
    }
}

static const IoOps ops = { .read = read_memory, .write = write_memory, .sizes = 1 | 2 | 4 };

/* --- registers in configuration space --- */

/* What is written to the lock register counts until it is locked. */
static void config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    I6300esb *dev = container_of(pci, I6300esb, pci);

    if (offset > LOCK || offset + size <= LOCK) {
        return;
    }
    g_mutex_lock(&pci->device.lock);
    uint32_t value = pci_get(pci, LOCK, 1);
    if (!dev->locked) {
        bool starts = (value & LOCK_ENABLE) && !dev->enabled;
        dev->free_running = value & LOCK_FREE;
        dev->enabled = value & LOCK_ENABLE;
        dev->locked = value & LOCK_LOCKED;
        if (starts || !dev->enabled) {
            restart(dev);
        }
    }
    pci_set(pci, LOCK,
            (dev->locked ? LOCK_LOCKED : 0) | (dev->enabled ? LOCK_ENABLE : 0) |
                (dev->free_running ? LOCK_FREE : 0),
            1);
    g_mutex_unlock(&pci->device.lock);
}

static void reset(Device *device)
{
    I6300esb *dev = container_of(device, I6300esb, pci.device);
    bool timed_out = dev->timed_out;

    pci_reset(device);
    dev->preload[0] = dev->preload[1] = PRELOAD_MAX;
    dev->unlock = 0;
    dev->locked = dev->enabled = dev->free_running = false;
    dev->timed_out = timed_out; /* so that the next system knows why it starts */
    restart(dev);
}

static bool loaded(Device *device, GError **error)
{
    I6300esb *dev = container_of(device, I6300esb, pci.device);

    if (!pci_loaded(device, error)) {
        return false;
    }
    if (dev->enabled && dev->deadline) {
        timer_set(dev->timer, dev->deadline);
    } else {
        timer_cancel(dev->timer);
    }
    return true;
}

static void destroy(Device *device)
{
    timer_free(container_of(device, I6300esb, pci.device)->timer);
    pci_destroy(device);
}

static const SavedField saved[] = {
    PCI_SAVED(I6300esb),
    SAVED_RANGE(I6300esb, preload[0], 0, PRELOAD_MAX),
    SAVED_RANGE(I6300esb, preload[1], 0, PRELOAD_MAX),
    SAVED(I6300esb, deadline),
    SAVED_RANGE(I6300esb, unlock, 0, 2),
    SAVED(I6300esb, locked),
    SAVED(I6300esb, enabled),
    SAVED(I6300esb, free_running),
    SAVED(I6300esb, timed_out),
    { 0 },
};

static const PciRegister registers[] = {
    { CONFIG, 2, 0, 0x27, 0 },
    { LOCK, 1, 0, 0x07, 0 },
    { 0 },
};

const PciClass i6300esb_class = {
    .device = {
        .name = "i6300esb",
        .summary = "watchdog",
        .instance_size = sizeof(I6300esb),
        .saved = saved,
        .reset = reset,
        .loaded = loaded,
        .destroy = destroy,
    },
    .vendor = 0x8086,
    .id = 0x25ab,
    .class_code = 0x088000,
    .registers = registers,
    .config_written = config_written,
};

I6300esb *i6300esb_new(const PciSlot *slot, MachineEvents events)
{
    I6300esb *dev = pci_new(&i6300esb_class, slot);

    dev->events = events;
    dev->timer = timer_new(slot->env.clock, on_timer, dev);
    pci_add_bar(&dev->pci, 0, &(PciBarConfig){ .size = BAR_SIZE, .ops = &ops, .opaque = dev });
    return dev;
}
