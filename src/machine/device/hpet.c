/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The high precision event timer (IA-PC HPET specification 1.0a): a counter of 100 MHz and three
 * 64-bit comparators, each with an interrupt that goes to the I/O APIC, or in legacy mode takes the
 * place of the 8254's and the RTC's.
 *
 * Nothing ticks.  The counter is the machine's clock plus an offset; a timer is set for the next
 * match of each comparator that wants an interrupt.  A periodic comparator moves on by its period,
 * past what was missed, and no faster than HPET_MIN_PERIOD_NS.
 *
 * Threads: registers on vCPU threads; timers on the clock's; all under the device's lock.
 */
#include "machine/device/hpet.h"

#include <string.h>

#include "machine/limits.h"

enum { TICK_NS = 10, TICK_FS = 10000000 };
enum { CAPABILITIES = 0x000, CONFIG = 0x010, STATUS = 0x020, COUNTER = 0x0f0, TIMERS = 0x100 };
enum { TIMER_STRIDE = 0x20, TIMER_CONFIG = 0x00, TIMER_COMPARATOR = 0x08, TIMER_BYTES = 0x18 };
enum { CONFIG_ENABLE = 1, CONFIG_LEGACY = 2 };

/* Bits of a timer's configuration. */
enum {
    T_LEVEL = 0x2,
    T_INTERRUPT = 0x4,
    T_PERIODIC = 0x8,
    T_CAN_PERIODIC = 0x10,
    T_CAN_64 = 0x20,
    T_SET_VALUE = 0x40,
    T_32 = 0x100,
    T_ROUTE = 0x3e00,
    T_WRITABLE = T_LEVEL | T_INTERRUPT | T_PERIODIC | T_SET_VALUE | T_32 | T_ROUTE,
};
#define T_ROUTES UINT64_C(0x00ff0104) /* pins 2, 8 and 16 to 23 */

typedef struct HpetTimer {
    uint64_t config;     /* the writable bits */
    uint64_t comparator; /* the next match */
    uint64_t period;     /* what a periodic timer adds */
} HpetTimer;

/* What a timer's function needs to know. */
typedef struct HpetAlarm {
    struct Hpet *hpet;
    unsigned index;
    Timer *timer;
} HpetAlarm;

struct Hpet {
    Device device;
    /* fixed after create */
    HpetConfig lines;
    HpetAlarm alarms[HPET_TIMERS];
    /* lock: device.lock */
    uint64_t config, status;
    uint64_t counter; /* while it stands: what it shows; else what it showed at clock 0 */
    HpetTimer timers[HPET_TIMERS];
};

static bool runs(const Hpet *hpet)
{
    return hpet->config & CONFIG_ENABLE;
}

static uint64_t ticks(const Hpet *hpet)
{
    return clock_now_ns(hpet->device.env.clock) / TICK_NS;
}

static uint64_t counter(const Hpet *hpet)
{
    return runs(hpet) ? hpet->counter + ticks(hpet) : hpet->counter;
}

/* --- interrupts --- */

static bool is_level(const HpetTimer *timer)
{
    return timer->config & T_LEVEL;
}

static void drive(Hpet *hpet, unsigned index, bool level)
{
    const HpetTimer *timer = &hpet->timers[index];
    const IrqLine *line = &hpet->lines.pins[index][bits_get(timer->config, 9, 5) % HPET_PINS];

    if ((hpet->config & CONFIG_LEGACY) && index < 2) {
        line = index ? &hpet->lines.irq8 : &hpet->lines.irq0;
    }
    if (is_level(timer)) {
        irq_set(line, level);
    } else if (level) {
        irq_pulse(line);
        irq_set(line, false);
    }
}

/* A comparator matched. */
static void match(Hpet *hpet, unsigned index)
{
    if (is_level(&hpet->timers[index])) {
        hpet->status |= UINT64_C(1) << index;
    }
    if (hpet->timers[index].config & T_INTERRUPT) {
        drive(hpet, index, true);
    }
}

static void clear_status(Hpet *hpet, uint64_t bits)
{
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        if (bit_test(hpet->status & bits, i)) {
            drive(hpet, i, false);
        }
    }
    hpet->status &= ~bits;
}

/* --- time --- */

/* Ticks until the comparator matches, from @now on; at least 1. */
static uint64_t ticks_left(const HpetTimer *timer, uint64_t now)
{
    uint64_t left = timer->comparator - now;

    if (timer->config & T_32) {
        left = (uint32_t)left;
        return left ? left : UINT64_C(1) << 32;
    }
    return left ? left : UINT64_MAX;
}

/* Set the timer for the next match, if one is of interest. */
static void arm(Hpet *hpet, unsigned index)
{
    const HpetTimer *timer = &hpet->timers[index];
    bool wanted = timer->config & T_INTERRUPT;
    uint64_t left = ticks_left(timer, counter(hpet));

    if (!runs(hpet) || !wanted || left > INT64_MAX / TICK_NS) {
        timer_cancel(hpet->alarms[index].timer);
        return;
    }
    timer_set(hpet->alarms[index].timer, (ticks(hpet) + left) * TICK_NS);
}

/* A periodic comparator goes on to its first match behind @now. */
static void advance(HpetTimer *timer, uint64_t now)
{
    uint64_t least = HPET_MIN_PERIOD_NS / TICK_NS;
    uint64_t period = MAX(timer->period, 1);
    uint64_t behind =
        timer->config & T_32 ? (uint32_t)(now - timer->comparator) : now - timer->comparator;

    timer->comparator += (behind / period + 1) * period;
    if (period < least) { /* skips what nobody could serve */
        timer->comparator += (least / period) * period;
    }
    if (timer->config & T_32) {
        timer->comparator = (uint32_t)timer->comparator;
    }
}

static void on_alarm(void *opaque)
{
    const HpetAlarm *alarm = opaque;
    Hpet *hpet = alarm->hpet;
    HpetTimer *timer = &hpet->timers[alarm->index];

    g_mutex_lock(&hpet->device.lock);
    /* it may have been set anew meanwhile */
    uint64_t now = counter(hpet);
    uint64_t mask = timer->config & T_32 ? UINT32_MAX : UINT64_MAX;
    bool due = runs(hpet) && ((now - timer->comparator) & mask) <= mask / 2;
    if (due && (timer->config & T_INTERRUPT)) {
        match(hpet, alarm->index);
        if (timer->config & T_PERIODIC) {
            advance(timer, now);
        } else {
            g_mutex_unlock(&hpet->device.lock);
            return; /* once: the counter comes by again after a full turn */
        }
    }
    arm(hpet, alarm->index);
    g_mutex_unlock(&hpet->device.lock);
}

/* --- registers --- */

static void write_config(Hpet *hpet, uint64_t value)
{
    uint64_t old = hpet->config;

    value &= CONFIG_ENABLE | CONFIG_LEGACY;
    if ((value ^ old) & CONFIG_ENABLE) {
        uint64_t shown = counter(hpet);
        hpet->config = value;
        hpet->counter = runs(hpet) ? shown - ticks(hpet) : shown;
    }
    hpet->config = value;
    if ((value ^ old) & CONFIG_LEGACY) {
        irq_set(&hpet->lines.legacy, value & CONFIG_LEGACY);
    }
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        arm(hpet, i);
    }
}

static void write_counter(Hpet *hpet, uint64_t value)
{
    hpet->counter = runs(hpet) ? value - ticks(hpet) : value;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        arm(hpet, i);
    }
}

static void write_timer_config(Hpet *hpet, unsigned index, uint64_t value)
{
    HpetTimer *timer = &hpet->timers[index];

    if (bit_test(hpet->status, index) && !(value & T_LEVEL)) {
        clear_status(hpet, UINT64_C(1) << index);
    }
    timer->config = value & T_WRITABLE;
    if (!bit_test(T_ROUTES, (unsigned)bits_get(value, 9, 5))) {
        timer->config &= ~(uint64_t)T_ROUTE;
    }
    if (timer->config & T_32) {
        timer->comparator = (uint32_t)timer->comparator;
        timer->period = (uint32_t)timer->period;
    }
    arm(hpet, index);
}

/* A periodic timer's first write after T_SET_VALUE is the next match, others its period; of others
 * there is only the match (2.3.9.2.2). */
static void write_comparator(Hpet *hpet, unsigned index, uint64_t value)
{
    HpetTimer *timer = &hpet->timers[index];

    if (timer->config & T_32) {
        value = (uint32_t)value;
    }
    if (!(timer->config & T_PERIODIC) || (timer->config & T_SET_VALUE)) {
        timer->comparator = value;
    }
    if (timer->config & T_PERIODIC) {
        timer->period = value;
    }
    timer->config &= ~(uint64_t)T_SET_VALUE;
    arm(hpet, index);
}

static uint64_t read_qword(Hpet *hpet, unsigned offset)
{
    unsigned index = (offset - TIMERS) / TIMER_STRIDE;

    switch (offset) {
    case CAPABILITIES:
        return (uint64_t)TICK_FS << 32 | 0x8086a000 | (HPET_TIMERS - 1) << 8 | 1;
    case CONFIG:
        return hpet->config;
    case STATUS:
        return hpet->status;
    case COUNTER:
        return counter(hpet);
    default:
        break;
    }
    if (offset < TIMERS || index >= HPET_TIMERS) {
        return 0;
    }
    switch (offset % TIMER_STRIDE) {
    case TIMER_CONFIG:
        return hpet->timers[index].config | T_CAN_PERIODIC | T_CAN_64 | T_ROUTES << 32;
    case TIMER_COMPARATOR:
        return hpet->timers[index].comparator;
    default:
        return 0;
    }
}

static void write_qword(Hpet *hpet, unsigned offset, uint64_t value)
{
    unsigned index = (offset - TIMERS) / TIMER_STRIDE;

    switch (offset) {
    case CONFIG:
        write_config(hpet, value);
        return;
    case STATUS:
        clear_status(hpet, value);
        return;
    case COUNTER:
        if (!runs(hpet)) {
            write_counter(hpet, value);
        }
        return;
    default:
        break;
    }
    if (offset < TIMERS || index >= HPET_TIMERS) {
        return;
    }
    if (offset % TIMER_STRIDE == TIMER_CONFIG) {
        write_timer_config(hpet, index, value);
    } else if (offset % TIMER_STRIDE == TIMER_COMPARATOR) {
        write_comparator(hpet, index, value);
    }
}

static uint64_t read_register(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = read_qword(opaque, (unsigned)offset & ~7U);

    return offset % size ? 0 : value >> (offset % 8 * 8) & bits_mask(size * 8);
}

/* Half a register is written as all of it, with the other half as it was; of the status' ones,
 * which clear, none are added. */
static void write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Hpet *hpet = opaque;
    unsigned qword = (unsigned)offset & ~7U;

    if (offset % size) {
        guest_error(&hpet->device, "write of %u bytes at %x", size, (unsigned)offset);
        return;
    }
    if (size == 4) {
        uint64_t mask = UINT64_C(0xffffffff) << (offset % 8 * 8);
        uint64_t old = qword == STATUS ? 0 : read_qword(hpet, qword);
        if (qword >= TIMERS && qword % TIMER_STRIDE == TIMER_COMPARATOR && offset % 8) {
            return; /* drivers that write halves write the lower one last, or not at all */
        }
        value = (value << (offset % 8 * 8)) | (old & ~mask);
        if (qword >= TIMERS && qword % TIMER_STRIDE == TIMER_COMPARATOR) {
            value &= UINT32_MAX;
        }
    }
    write_qword(hpet, qword, value);
}

static const IoOps ops = { .read = read_register, .write = write_register, .sizes = 4 | 8 };

/* --- life --- */

static void reset(Device *device)
{
    Hpet *hpet = container_of(device, Hpet, device);

    clear_status(hpet, UINT64_MAX);
    irq_set(&hpet->lines.legacy, false);
    hpet->config = 0;
    hpet->counter = 0;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        hpet->timers[i] = (HpetTimer){ .comparator = UINT64_MAX };
        timer_cancel(hpet->alarms[i].timer);
    }
}

static bool loaded(Device *device, GError **error)
{
    Hpet *hpet = container_of(device, Hpet, device);

    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        HpetTimer *timer = &hpet->timers[i];
        timer->config &= T_WRITABLE;
        if (!bit_test(T_ROUTES, (unsigned)bits_get(timer->config, 9, 5))) {
            timer->config &= ~(uint64_t)T_ROUTE;
        }
        arm(hpet, i);
    }
    irq_set(&hpet->lines.legacy, hpet->config & CONFIG_LEGACY);
    return true;
}

static void destroy(Device *device)
{
    Hpet *hpet = container_of(device, Hpet, device);

    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        timer_free(hpet->alarms[i].timer);
    }
}

static const SavedField saved[] = {
    SAVED_RANGE(Hpet, config, 0, CONFIG_ENABLE | CONFIG_LEGACY),
    SAVED_RANGE(Hpet, status, 0, (1 << HPET_TIMERS) - 1),
    SAVED(Hpet, counter),
    SAVED_EACH(Hpet, timers, config),
    SAVED_EACH(Hpet, timers, comparator),
    SAVED_EACH(Hpet, timers, period),
    { 0 },
};

const DeviceClass hpet_class = {
    .name = "hpet",
    .summary = "high precision event timer",
    .instance_size = sizeof(Hpet),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

Hpet *hpet_new(const HpetConfig *config)
{
    Hpet *hpet = device_new(&hpet_class, &config->env, "hpet");

    hpet->lines = *config;
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        hpet->alarms[i].hpet = hpet;
        hpet->alarms[i].index = i;
        hpet->alarms[i].timer = timer_new(config->env.clock, on_alarm, &hpet->alarms[i]);
    }
    device_add_mmio(&hpet->device, &ops, HPET_BASE, HPET_SIZE);
    return hpet;
}
