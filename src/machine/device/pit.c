/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8254 programmable interval timer (Intel 8254 data sheet, order 231164): ports 40h to 43h,
 * and port 61h, which gates channel 2 and shows its output.
 *
 * No counter counts.  A channel keeps the moment at which its count was loaded; count, output and
 * the next rising edge follow from the time since then and the mode:
 *
 *   0  low, high for good when the count is over      4  high, low for one tick then
 *   1  as 0, started by the gate                      5  as 4, started by the gate
 *   2  low for the last tick of each period           3  square wave
 *
 * Channel 0 raises its line at rising edges only: its pins are edge-triggered.  A timer that runs
 * late skips the edges it has missed.  Channels 0 and 1 have their gate high.
 *
 * Threads: registers on vCPU threads; the timer on the clock's; all under the device's lock.
 */
#include "machine/device/pit.h"

#include "machine/limits.h"

enum { CHANNELS = 3 };
enum { ACCESS_LATCH = 0, ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };
enum { REFRESH_NS = 15085 }; /* half a period of port 61h's bit 4 */

typedef struct PitChannel {
    /* as programmed */
    uint8_t mode; /* 0 to 5 */
    uint8_t access;
    bool bcd;
    bool gate;
    /* counting */
    bool counting;       /* a count was loaded (and, in modes 1 and 5, triggered) */
    bool loaded;         /* a count was written since the control word */
    uint32_t count;      /* 1 to 65536 */
    uint64_t start_ns;   /* when it was loaded */
    uint64_t held_ticks; /* in modes 0 and 4: how far it got when the gate went low */
    uint32_t next_count; /* in modes 2 and 3: takes over at @next_ns; 0: none */
    uint64_t next_ns;
    /* bytes at the port */
    bool write_high, read_high; /* of ACCESS_BOTH: which byte is next */
    uint8_t low_byte;
    uint8_t latched_bytes; /* how many of the latched count are still to be read */
    uint16_t latch;
    bool status_latched;
    uint8_t status;
} PitChannel;

struct Pit {
    Device device;
    /* fixed after create */
    IrqLine irq;
    Timer *timer;
    /* lock: device.lock */
    PitChannel channel[CHANNELS];
    bool speaker; /* port 61h bit 1 */
};

static uint64_t to_ticks(uint64_t ns)
{
    return mul_div(ns, PIT_HZ, NS_PER_SECOND);
}

/* The first moment at which @ticks have passed. */
static uint64_t to_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ);
}

static bool is_periodic(const PitChannel *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool is_triggered_by_gate(const PitChannel *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* A low gate stops counting in all modes but 1 and 5. */
static bool is_held(const PitChannel *c)
{
    return !c->gate && !is_triggered_by_gate(c);
}

/* Let a count that was written in mode 2 or 3 take over when its time has come. */
static void settle(PitChannel *c, uint64_t now_ns)
{
    if (c->next_count && now_ns >= c->next_ns) {
        c->count = c->next_count;
        c->start_ns = c->next_ns;
        c->next_count = 0;
    }
}

static uint64_t elapsed(const PitChannel *c, uint64_t now_ns)
{
    if (!c->counting) {
        return 0;
    }
    if (is_held(c)) {
        return c->held_ticks;
    }
    return now_ns > c->start_ns ? to_ticks(now_ns - c->start_ns) : 0;
}

static bool output(const PitChannel *c, uint64_t now_ns)
{
    uint64_t ticks = elapsed(c, now_ns);

    if (!c->counting || (is_periodic(c) && is_held(c))) {
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0:
    case 1:
        return ticks >= c->count;
    case 2:
        return ticks % c->count != c->count - 1;
    case 3:
        return ticks % c->count < (c->count + 1) / 2;
    default:
        return ticks != c->count;
    }
}

static uint16_t to_bcd(uint32_t value)
{
    return (uint16_t)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
                      value / 1000 % 10 << 12);
}

/* What the counter shows. */
static uint16_t counter(const PitChannel *c, uint64_t now_ns)
{
    uint64_t ticks = elapsed(c, now_ns);
    uint32_t wrap = c->bcd ? 10000 : 0x10000;
    uint32_t value = c->count;

    if (c->mode == 2) {
        value = c->count - (uint32_t)(ticks % c->count);
    } else if (c->mode == 3) { /* counts by two, twice per period */
        uint32_t half = MAX(c->count / 2, 1);
        value = (c->count & ~1U) - 2 * (uint32_t)(ticks % half);
    } else if (c->counting) {
        value = (c->count + wrap - (uint32_t)(ticks % wrap)) % wrap;
    }
    return c->bcd ? to_bcd(value) : (uint16_t)value;
}

/* When channel 0's output rises next, after @now_ns; TIMER_NEVER: it doesn't. */
static uint64_t next_rise_ns(const PitChannel *c, uint64_t now_ns)
{
    if (!c->counting || is_held(c)) {
        return TIMER_NEVER;
    }
    uint64_t ticks = elapsed(c, now_ns);
    if (is_periodic(c)) {
        uint64_t rise_ns =
            c->next_count ? c->next_ns : c->start_ns + to_ns((ticks / c->count + 1) * c->count);
        return MAX(rise_ns, now_ns + PIT_MIN_PERIOD_NS);
    }
    uint64_t last = c->mode == 4 || c->mode == 5 ? c->count + 1 : c->count;
    return ticks < last ? c->start_ns + to_ns(last) : TIMER_NEVER;
}

static uint64_t now(const Pit *pit)
{
    return clock_now_ns(pit->device.env.clock);
}

static void schedule(Pit *pit)
{
    timer_set(pit->timer, next_rise_ns(&pit->channel[0], now(pit)));
}

static void on_timer(void *opaque)
{
    Pit *pit = opaque;

    g_mutex_lock(&pit->device.lock);
    PitChannel *c = &pit->channel[0];
    /* the guest may have set the channel anew while this call waited for the lock */
    if (timer_deadline_ns(pit->timer) == TIMER_NEVER && c->counting) {
        settle(c, now(pit));
        irq_pulse(&pit->irq);
        schedule(pit);
    }
    g_mutex_unlock(&pit->device.lock);
}

static void start(PitChannel *c, uint64_t now_ns)
{
    c->counting = true;
    c->start_ns = now_ns;
    c->held_ticks = 0;
    c->next_count = 0;
}

/* A whole count was written. */
static void load(Pit *pit, unsigned index, uint16_t value)
{
    PitChannel *c = &pit->channel[index];
    uint64_t now_ns = now(pit);
    uint32_t count = value;

    if (c->bcd) {
        count = (value & 0xf) + (value >> 4 & 0xf) * 10 + (value >> 8 & 0xf) * 100 +
                (value >> 12) * 1000;
    }
    if (!count) {
        count = c->bcd ? 10000 : 0x10000;
    }
    c->loaded = true;
    settle(c, now_ns);
    if (is_periodic(c) && c->counting && !is_held(c)) {
        uint64_t periods = elapsed(c, now_ns) / c->count + 1;
        c->next_ns = c->start_ns + to_ns(periods * c->count);
        c->next_count = count;
    } else {
        c->count = count;
        if (!is_triggered_by_gate(c)) {
            start(c, now_ns);
        }
    }
    if (index == 0) {
        if (c->mode == 0) {
            irq_set(&pit->irq, false);
        }
        schedule(pit);
    }
}

static void latch_count(Pit *pit, PitChannel *c)
{
    if (c->latched_bytes) {
        return; /* the first latch counts until it is read */
    }
    settle(c, now(pit));
    c->latch = counter(c, now(pit));
    c->latched_bytes = c->access == ACCESS_BOTH ? 2 : 1;
    if (c->access == ACCESS_HIGH) {
        c->latch >>= 8;
    }
}

static void latch_status(Pit *pit, PitChannel *c)
{
    if (c->status_latched) {
        return;
    }
    settle(c, now(pit));
    c->status = (uint8_t)((output(c, now(pit)) ? 0x80 : 0) | (c->loaded ? 0 : 0x40) |
                          c->access << 4 | c->mode << 1 | c->bcd);
    c->status_latched = true;
}

static void read_back(Pit *pit, uint8_t value)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (value & 2U << i) {
            if (!(value & 0x20)) {
                latch_count(pit, &pit->channel[i]);
            }
            if (!(value & 0x10)) {
                latch_status(pit, &pit->channel[i]);
            }
        }
    }
}

static void write_control(Pit *pit, uint8_t value)
{
    unsigned index = value >> 6;

    if (index == 3) {
        read_back(pit, value);
        return;
    }
    PitChannel *c = &pit->channel[index];
    uint8_t access = value >> 4 & 3;
    if (access == ACCESS_LATCH) {
        latch_count(pit, c);
        return;
    }
    uint8_t mode = value >> 1 & 7;
    c->mode = mode > 5 ? mode - 4 : mode; /* 6 and 7 are 2 and 3 */
    c->access = access;
    c->bcd = value & 1;
    c->counting = c->loaded = false;
    c->next_count = 0;
    c->write_high = c->read_high = false;
    c->latched_bytes = 0;
    c->status_latched = false;
    if (index == 0) {
        irq_set(&pit->irq, false);
        schedule(pit);
    }
}

static void write_count(Pit *pit, unsigned index, uint8_t value)
{
    PitChannel *c = &pit->channel[index];

    switch (c->access) {
    case ACCESS_LOW:
        load(pit, index, value);
        break;
    case ACCESS_HIGH:
        load(pit, index, (uint16_t)(value << 8));
        break;
    default:
        if (!c->write_high) {
            c->low_byte = value;
            c->write_high = true;
            if (c->mode == 0) {
                c->counting = false; /* the first byte stops it */
                if (index == 0) {
                    schedule(pit);
                }
            }
        } else {
            c->write_high = false;
            load(pit, index, (uint16_t)(c->low_byte | value << 8));
        }
        break;
    }
}

static uint8_t read_count(Pit *pit, PitChannel *c)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched_bytes) {
        uint8_t byte = (uint8_t)c->latch;
        c->latch >>= 8;
        c->latched_bytes--;
        return byte;
    }
    settle(c, now(pit));
    uint16_t value = counter(c, now(pit));
    if (c->access == ACCESS_BOTH) {
        c->read_high = !c->read_high;
        return (uint8_t)(c->read_high ? value : value >> 8);
    }
    return (uint8_t)(c->access == ACCESS_HIGH ? value >> 8 : value);
}

static uint64_t read_register(void *opaque, uint64_t offset, unsigned size)
{
    Pit *pit = opaque;

    return offset < CHANNELS ? read_count(pit, &pit->channel[offset]) : 0xff;
}

static void write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pit *pit = opaque;

    if (offset < CHANNELS) {
        write_count(pit, (unsigned)offset, (uint8_t)value);
    } else {
        write_control(pit, (uint8_t)value);
    }
}

/* Drive the gate of @c. */
static void set_gate(PitChannel *c, bool gate, uint64_t now_ns)
{
    if (gate == c->gate) {
        return;
    }
    settle(c, now_ns);
    if (!gate) {
        c->held_ticks = elapsed(c, now_ns);
        c->gate = false;
        return;
    }
    c->gate = true;
    if (!c->loaded) {
        return;
    }
    if (is_periodic(c) || is_triggered_by_gate(c)) {
        uint32_t next = c->next_count;
        start(c, now_ns);
        c->count = next ? next : c->count;
    } else {
        c->start_ns = now_ns - MIN(now_ns, to_ns(c->held_ticks));
    }
}

static uint64_t read_port61(void *opaque, uint64_t offset, unsigned size)
{
    Pit *pit = opaque;
    PitChannel *c = &pit->channel[2];
    uint64_t now_ns = now(pit);

    settle(c, now_ns);
    return (c->gate ? 1 : 0) | (pit->speaker ? 2 : 0) | (now_ns / REFRESH_NS & 1) << 4 |
           (output(c, now_ns) ? 0x20 : 0);
}

static void write_port61(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Pit *pit = opaque;

    set_gate(&pit->channel[2], value & 1, now(pit));
    pit->speaker = value & 2;
}

static const IoOps ops = { .read = read_register, .write = write_register, .sizes = 1 };
static const IoOps port61_ops = { .read = read_port61, .write = write_port61, .sizes = 1 };

static void reset(Device *device)
{
    Pit *pit = container_of(device, Pit, device);

    for (unsigned i = 0; i < CHANNELS; i++) {
        pit->channel[i] = (PitChannel){
            .mode = 3,
            .access = ACCESS_BOTH,
            .count = 0x10000,
            .gate = i != 2,
        };
    }
    pit->speaker = false;
    irq_set(&pit->irq, false);
    schedule(pit);
}

static bool loaded(Device *device, GError **error)
{
    Pit *pit = container_of(device, Pit, device);

    schedule(pit);
    return true;
}

static void destroy(Device *device)
{
    timer_free(container_of(device, Pit, device)->timer);
}

#define SAVED_CHANNEL(n)                                                                           \
    SAVED_RANGE(Pit, channel[n].mode, 0, 5), SAVED_RANGE(Pit, channel[n].access, 1, 3),            \
        SAVED(Pit, channel[n].bcd), SAVED(Pit, channel[n].gate), SAVED(Pit, channel[n].counting),  \
        SAVED(Pit, channel[n].loaded), SAVED_RANGE(Pit, channel[n].count, 1, 0x10000),             \
        SAVED_RANGE(Pit, channel[n].start_ns, 0, INT64_MAX),                                       \
        SAVED_RANGE(Pit, channel[n].held_ticks, 0, INT32_MAX),                                     \
        SAVED_RANGE(Pit, channel[n].next_count, 0, 0x10000),                                       \
        SAVED_RANGE(Pit, channel[n].next_ns, 0, INT64_MAX), SAVED(Pit, channel[n].write_high),     \
        SAVED(Pit, channel[n].read_high), SAVED(Pit, channel[n].low_byte),                         \
        SAVED_RANGE(Pit, channel[n].latched_bytes, 0, 2), SAVED(Pit, channel[n].latch),            \
        SAVED(Pit, channel[n].status_latched), SAVED(Pit, channel[n].status)

static const SavedField saved[] = {
    SAVED_CHANNEL(0), SAVED_CHANNEL(1), SAVED_CHANNEL(2), SAVED(Pit, speaker), { 0 },
};

const DeviceClass pit_class = {
    .name = "pit",
    .summary = "8254 interval timer and port 61h",
    .instance_size = sizeof(Pit),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

Pit *pit_new(const DeviceEnv *env, IrqLine irq)
{
    Pit *pit = device_new(&pit_class, env, "pit");

    pit->irq = irq;
    pit->timer = timer_new(env->clock, on_timer, pit);
    device_add_pio(&pit->device, &ops, 0x40, 4);
    device_add_pio(&pit->device, &port61_ops, 0x61, 1);
    return pit;
}
