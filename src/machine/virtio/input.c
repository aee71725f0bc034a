/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-input: a keyboard, a tablet or a mouse (virtio 1.2, section 5.8), whose events are
 * Linux's.
 *
 * The guest selects what it wants to know in the configuration space, where the answer then stands.
 * Events go into buffers that it has posted; what finds none waits here, up to a limit.  A group of
 * events that belong together is queued as a whole or not at all, and half of the room is for keys
 * that go up.
 *
 * Threads: queues on the I/O thread, keys and movements on viewers'; all under the device's lock.
 */
#include "machine/virtio/input.h"

#include <linux/input-event-codes.h>
#include <string.h>

#include "display/input.h"
#include "display/keys.h"

enum { EVENTS = 0, STATUS = 1 };
enum { CONFIG_SIZE = 136, CONFIG_UNION = 8, SELECT = 0, SUBSELECT = 1, LENGTH = 2 };
enum { NAME = 1, IDENTITY = 3, PROPERTIES = 0x10, BITS = 0x11, AXIS = 0x12 };
enum { GROUP_MAX = 9, BUTTONS = 5, VENDOR = 0x1af4, BUS_VIRTUAL_DEVICE = 6 };

typedef struct Event {
    uint16_t type, code;
    uint32_t value;
} Event;
_Static_assert(sizeof(Event) == 8, "as the guest has it");

/* Bits of one type of events: which codes there are. */
typedef struct EventBits {
    uint8_t type;
    const uint16_t *codes; /* NULL: every key that has a name */
    unsigned n;
} EventBits;

static const uint16_t leds[] = { LED_NUML, LED_CAPSL, LED_SCROLLL };
static const uint16_t repeats[] = { REP_DELAY, REP_PERIOD };
static const uint16_t buttons[BUTTONS] = { BTN_LEFT, BTN_MIDDLE, BTN_RIGHT, BTN_SIDE, BTN_EXTRA };
static const uint16_t positions[] = { ABS_X, ABS_Y };
static const uint16_t wheel[] = { REL_WHEEL };
static const uint16_t movements[] = { REL_X, REL_Y, REL_WHEEL };

static const struct {
    const char *name;
    uint16_t product;
    EventBits bits[4]; /* .type 0 behind the last */
} kinds[] = {
    [VIRTIO_KEYBOARD] = { "Insula virtio keyboard",
                          1,
                          { { EV_KEY, NULL, 0 },
                            { EV_LED, leds, G_N_ELEMENTS(leds) },
                            { EV_REP, repeats, G_N_ELEMENTS(repeats) } } },
    [VIRTIO_TABLET] = { "Insula virtio tablet",
                        2,
                        { { EV_KEY, buttons, BUTTONS },
                          { EV_ABS, positions, G_N_ELEMENTS(positions) },
                          { EV_REL, wheel, G_N_ELEMENTS(wheel) } } },
    [VIRTIO_MOUSE] = { "Insula virtio mouse",
                       3,
                       { { EV_KEY, buttons, BUTTONS },
                         { EV_REL, movements, G_N_ELEMENTS(movements) } } },
};

typedef struct InputDev {
    VirtioDev virtio;
    /* fixed after create */
    VirtioInputKind kind;
    Input *input;
    InputSink sink;
    /* lock: virtio.device.lock */
    Event waiting[VIRTIO_INPUT_EVENTS]; /* a ring */
    uint16_t first, n_waiting;
    uint8_t buttons; /* INPUT_..., as the guest was told */
    uint8_t select, subselect;
} InputDev;

/* --- what the guest may know --- */

static void set_bit(uint8_t *bits, unsigned bit, unsigned *len)
{
    bits[bit / 8] |= (uint8_t)(1U << bit % 8);
    *len = MAX(*len, bit / 8 + 1);
}

static unsigned fill_bits(const EventBits *bits, uint8_t *to)
{
    unsigned len = 0;

    for (unsigned code = 1; !bits->codes && code < INPUT_KEYS; code++) {
        if (keys_name(code)) {
            set_bit(to, code, &len);
        }
    }
    for (unsigned i = 0; i < bits->n; i++) {
        set_bit(to, bits->codes[i], &len);
    }
    return len;
}

static unsigned fill_identity(const InputDev *dev, uint8_t *to)
{
    store_le16(to, BUS_VIRTUAL_DEVICE);
    store_le16(to + 2, VENDOR);
    store_le16(to + 4, kinds[dev->kind].product);
    store_le16(to + 6, 1);
    return 8;
}

/* The answer to what is selected, in @to; its length, 0: there is none. */
static unsigned answer(const InputDev *dev, uint8_t *to)
{
    const char *name = kinds[dev->kind].name;

    switch (dev->select) {
    case NAME:
        memcpy(to, name, strlen(name));
        return dev->subselect ? 0 : (unsigned)strlen(name);
    case IDENTITY:
        return dev->subselect ? 0 : fill_identity(dev, to);
    case PROPERTIES:
        return 0;
    case BITS:
        for (const EventBits *bits = kinds[dev->kind].bits; bits->type; bits++) {
            if (bits->type == dev->subselect) {
                return fill_bits(bits, to);
            }
        }
        return 0;
    case AXIS:
        if (dev->kind != VIRTIO_TABLET || dev->subselect > ABS_Y) {
            return 0;
        }
        store_le32(to + 4, INPUT_AXIS_MAX); /* from 0, without noise */
        return 20;
    default:
        return 0;
    }
}

static void fill_config(InputDev *dev)
{
    uint8_t *config = dev->virtio.config;

    memset(config, 0, CONFIG_SIZE);
    config[SELECT] = dev->select;
    config[SUBSELECT] = dev->subselect;
    unsigned len = answer(dev, config + CONFIG_UNION);
    config[LENGTH] = (uint8_t)len;
    memset(config + CONFIG_UNION + len, 0, CONFIG_SIZE - CONFIG_UNION - len);
}

static void write_config(VirtioDev *virtio, unsigned offset, uint32_t value, unsigned size)
{
    InputDev *dev = container_of(virtio, InputDev, virtio);

    for (unsigned i = 0; i < size && offset + i <= SUBSELECT; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        if (offset + i == SELECT) {
            dev->select = byte;
        } else {
            dev->subselect = byte;
        }
    }
    fill_config(dev);
}

/* --- events --- */

/* Into the guest's buffers, as far as there are any. */
static void deliver(InputDev *dev)
{
    Virtq *q = &dev->virtio.queues[EVENTS];
    VirtqChain chain;

    virtq_begin_round(q);
    while (dev->n_waiting && virtq_pop(q, &chain)) {
        Event event = dev->waiting[dev->first];
        size_t written = virtq_chain_write(&chain, 0, &event, sizeof(event));
        dev->first = (uint16_t)((dev->first + 1) % VIRTIO_INPUT_EVENTS);
        dev->n_waiting--;
        virtq_push(q, &chain, written);
    }
}

typedef struct Group {
    Event events[GROUP_MAX];
    unsigned n;
} Group;

static void add(Group *group, unsigned type, unsigned code, int value)
{
    group->events[group->n++] = (Event){ (uint16_t)type, (uint16_t)code, (uint32_t)value };
}

/* Queue @group and a mark behind it, if there is room; @last: to the last event. */
static void send(InputDev *dev, Group *group, bool last)
{
    unsigned room = last ? VIRTIO_INPUT_EVENTS : VIRTIO_INPUT_EVENTS / 2;

    add(group, EV_SYN, SYN_REPORT, 0);
    if (dev->n_waiting + group->n > room) {
        return;
    }
    for (unsigned i = 0; i < group->n; i++) {
        dev->waiting[(dev->first + dev->n_waiting++) % VIRTIO_INPUT_EVENTS] = group->events[i];
    }
    deliver(dev);
}

static bool is_ready(void *opaque)
{
    InputDev *dev = opaque;

    g_mutex_lock(&dev->virtio.device.lock);
    bool ready = virtio_dev_runs(&dev->virtio) && dev->virtio.queues[EVENTS].ready;
    g_mutex_unlock(&dev->virtio.device.lock);
    return ready;
}

static void on_key(void *opaque, unsigned code, bool down)
{
    InputDev *dev = opaque;
    Group group = { .n = 0 };

    g_mutex_lock(&dev->virtio.device.lock);
    add(&group, EV_KEY, code, down);
    send(dev, &group, !down);
    g_mutex_unlock(&dev->virtio.device.lock);
}

static void on_pointer(void *opaque, const InputPointer *pointer)
{
    InputDev *dev = opaque;
    bool absolute = dev->kind == VIRTIO_TABLET;
    Group group = { .n = 0 };

    g_mutex_lock(&dev->virtio.device.lock);
    if (absolute || pointer->x) {
        add(&group, absolute ? EV_ABS : EV_REL, absolute ? ABS_X : REL_X, pointer->x);
    }
    if (absolute || pointer->y) {
        add(&group, absolute ? EV_ABS : EV_REL, absolute ? ABS_Y : REL_Y, pointer->y);
    }
    if (pointer->wheel) {
        add(&group, EV_REL, REL_WHEEL, pointer->wheel);
    }
    uint8_t changed = (uint8_t)(dev->buttons ^ pointer->buttons);
    for (unsigned i = 0; i < BUTTONS; i++) {
        if (changed >> i & 1) {
            add(&group, EV_KEY, buttons[i], pointer->buttons >> i & 1);
        }
    }
    dev->buttons = (uint8_t)(pointer->buttons & ((1U << BUTTONS) - 1));
    send(dev, &group, changed != 0);
    g_mutex_unlock(&dev->virtio.device.lock);
}

/* --- queues --- */

static void on_events(VirtioDev *virtio, Virtq *q)
{
    deliver(container_of(virtio, InputDev, virtio));
}

/* What the guest says of its lights; nobody sees them. */
static void on_status(VirtioDev *virtio, Virtq *q)
{
    VirtqChain chain;

    while (virtq_pop(q, &chain)) {
        virtq_push(q, &chain, 0);
    }
}

/* --- life --- */

static void reset(VirtioDev *virtio)
{
    InputDev *dev = container_of(virtio, InputDev, virtio);

    dev->first = dev->n_waiting = 0;
    dev->buttons = dev->select = dev->subselect = 0;
    fill_config(dev);
}

static bool loaded(VirtioDev *virtio, GError **error)
{
    fill_config(container_of(virtio, InputDev, virtio));
    return true;
}

static void destroy(VirtioDev *virtio)
{
    InputDev *dev = container_of(virtio, InputDev, virtio);

    input_remove(dev->input, &dev->sink);
}

static const SavedField saved[] = {
    VIRTIO_SAVED(InputDev),
    SAVED_EACH(InputDev, waiting, type),
    SAVED_EACH(InputDev, waiting, code),
    SAVED_EACH(InputDev, waiting, value),
    SAVED_RANGE(InputDev, first, 0, VIRTIO_INPUT_EVENTS - 1),
    SAVED_RANGE(InputDev, n_waiting, 0, VIRTIO_INPUT_EVENTS),
    SAVED_RANGE(InputDev, buttons, 0, (1 << BUTTONS) - 1),
    SAVED(InputDev, select),
    SAVED(InputDev, subselect),
    { 0 },
};

const VirtioClass virtio_input_class = {
    .device = {
        .name = "virtio-input",
        .summary = "keyboard, tablet or mouse",
        .instance_size = sizeof(InputDev),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 18,
    .in_order = true,
    .queues = {
        [EVENTS] = { .name = "events", .size = 64, .on_kick = on_events },
        [STATUS] = { .name = "status", .size = 64, .on_kick = on_status },
    },
    .reset = reset,
    .loaded = loaded,
    .write_config = write_config,
    .destroy = destroy,
};

VirtioDev *virtio_input_new(const VirtioSlot *slot, VirtioInputKind kind, Input *input)
{
    static const uint8_t config[CONFIG_SIZE];
    InputDev *dev = virtio_dev_new(&virtio_input_class, slot, 0);
    bool keyboard = kind == VIRTIO_KEYBOARD;

    dev->kind = kind;
    dev->input = input;
    virtio_dev_set_config(&dev->virtio, config, CONFIG_SIZE);
    dev->sink = (InputSink){ .opaque = dev,
                             .absolute = kind == VIRTIO_TABLET,
                             .ready = is_ready,
                             .key = keyboard ? on_key : NULL,
                             .pointer = keyboard ? NULL : on_pointer };
    input_add(input, &dev->sink);
    return &dev->virtio;
}
