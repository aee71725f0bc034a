/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8042 keyboard controller (IBM PS/2 technical reference), a keyboard and a mouse plugged into
 * it (ps2.h) or nothing; its two output pins that matter (reset and A20); and port 92h, which does
 * the same two faster.  A20 is always open; guests only want to read back what they set.
 *
 * One byte at a time stands at port 60h, from the controller itself, the keyboard or the mouse; the
 * next one comes when it was read.  A byte sent to an empty socket is never answered.
 *
 * Threads: vCPU threads, and viewers' for keys and movements; under the lock.
 */
#include "machine/device/i8042.h"

#include "machine/device/ps2.h"

enum { STATUS_FULL = 1, STATUS_SYSTEM = 4, STATUS_COMMAND = 8, STATUS_UNLOCKED = 0x10 };
enum { STATUS_MOUSE = 0x20, OUTPUT_NOT_RESET = 1, OUTPUT_A20 = 2 };
enum { OUTPUT_KEYBOARD = 0x10, OUTPUT_MOUSE = 0x20 };
enum { CONFIG_KEYBOARD_IRQ = 1, CONFIG_MOUSE_IRQ = 2, CONFIG_TRANSLATE = 0x40 };
enum { CONFIG_DEFAULT = 0x04 | 0x30, CONFIG_NO_KEYBOARD = 0x10, CONFIG_NO_MOUSE = 0x20 };
enum { RELEASED_SET2 = 0xf0, RELEASED_SET1 = 0x80 };

struct I8042 {
    Device device;
    /* fixed after create */
    MachineEvents events;
    IrqLine keyboard_irq, mouse_irq;
    Input *input;
    InputSink sink;
    /* lock: device.lock */
    uint8_t config;
    uint8_t output;       /* the output port's pins */
    uint8_t data;         /* the byte that waits at port 60h */
    bool full;            /* one waits */
    bool from_mouse;      /* and is the mouse's */
    bool released;        /* translating: the next code is of a key that goes up */
    bool last_is_command; /* the last write went to port 64h */
    uint8_t pending;      /* the command whose byte is expected at port 60h; 0: none */
    uint8_t port92;
    Ps2Keyboard keyboard;
    Ps2Mouse mouse;
};

/* --- what stands at port 60h --- */

static void update_irqs(const I8042 *dev)
{
    irq_set(&dev->keyboard_irq,
            dev->full && !dev->from_mouse && (dev->config & CONFIG_KEYBOARD_IRQ));
    irq_set(&dev->mouse_irq, dev->full && dev->from_mouse && (dev->config & CONFIG_MOUSE_IRQ));
}

static void put(I8042 *dev, uint8_t value, bool from_mouse)
{
    dev->data = value;
    dev->full = true;
    dev->from_mouse = from_mouse;
    update_irqs(dev);
}

/* A byte of the keyboard's on its way through; false: it waits for the one that follows it. */
static bool translate(I8042 *dev, uint8_t *value)
{
    if (!(dev->config & CONFIG_TRANSLATE)) {
        dev->released = false;
        return true;
    }
    if (*value == RELEASED_SET2) {
        dev->released = true;
        return false;
    }
    *value = ps2_translate(*value);
    *value |= dev->released ? RELEASED_SET1 : 0;
    dev->released = false;
    return true;
}

/* Let in what waits in front of the controller.  At most two bytes are taken. */
static void fetch(I8042 *dev)
{
    uint8_t value;

    while (!dev->full && !(dev->config & CONFIG_NO_KEYBOARD) &&
           ps2_take(&dev->keyboard.port, &value)) {
        if (translate(dev, &value)) {
            put(dev, value, false);
        }
    }
    if (!dev->full && !(dev->config & CONFIG_NO_MOUSE)) {
        ps2_mouse_report(&dev->mouse);
        if (ps2_take(&dev->mouse.port, &value)) {
            put(dev, value, true);
        }
    }
}

static void answer(I8042 *dev, uint8_t value)
{
    put(dev, value, false);
}

/* --- keys and movements, on a viewer's thread --- */

static void on_key(void *opaque, unsigned code, bool down)
{
    I8042 *dev = opaque;

    g_mutex_lock(&dev->device.lock);
    ps2_keyboard_key(&dev->keyboard, code, down);
    fetch(dev);
    g_mutex_unlock(&dev->device.lock);
}

static void on_pointer(void *opaque, const InputPointer *pointer)
{
    I8042 *dev = opaque;

    g_mutex_lock(&dev->device.lock);
    ps2_mouse_move(&dev->mouse, pointer);
    fetch(dev);
    g_mutex_unlock(&dev->device.lock);
}

/* --- commands --- */

static void pulse_reset(I8042 *dev)
{
    dev->events.power(dev->events.opaque, MACHINE_POWER_RESET, 0);
}

static void set_output(I8042 *dev, uint8_t value)
{
    dev->output = value;
    if (!(value & OUTPUT_NOT_RESET)) {
        dev->output |= OUTPUT_NOT_RESET;
        pulse_reset(dev);
    }
}

static void command(I8042 *dev, uint8_t value)
{
    dev->pending = 0;
    switch (value) {
    case 0x20:
        answer(dev, dev->config);
        break;
    case 0x60:
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
        dev->pending = value;
        break;
    case 0xa7:
        dev->config |= CONFIG_NO_MOUSE;
        break;
    case 0xa8:
        dev->config &= ~CONFIG_NO_MOUSE;
        break;
    case 0xa9: /* interface tests: clock and data lines are fine */
    case 0xab:
        answer(dev, 0x00);
        break;
    case 0xaa: /* self-test */
        dev->config = CONFIG_DEFAULT;
        answer(dev, 0x55);
        break;
    case 0xad:
        dev->config |= CONFIG_NO_KEYBOARD;
        break;
    case 0xae:
        dev->config &= ~CONFIG_NO_KEYBOARD;
        break;
    case 0xc0:
        answer(dev, 0x80); /* input port: not locked */
        break;
    case 0xd0:
        answer(dev, dev->output | (dev->full && !dev->from_mouse ? OUTPUT_KEYBOARD : 0) |
                        (dev->full && dev->from_mouse ? OUTPUT_MOUSE : 0));
        break;
    default:
        if (value >= 0xf0 && !(value & 1)) {
            pulse_reset(dev); /* F0h..FEh pull the pins whose bits are 0: bit 0 resets */
        } else if (value < 0xf0) {
            guest_error(&dev->device, "unknown command %02x", value);
        }
        break;
    }
}

/* A byte at port 60h: a command's operand, or for the keyboard. */
static void data_byte(I8042 *dev, uint8_t value)
{
    uint8_t pending = dev->pending;

    dev->pending = 0;
    switch (pending) {
    case 0x60:
        dev->config = value;
        break;
    case 0xd1:
        set_output(dev, value);
        break;
    case 0xd2:
    case 0xd3:
        put(dev, value, pending == 0xd3);
        break;
    case 0xd4:
        if (dev->input) {
            ps2_mouse_write(&dev->mouse, value);
        }
        break;
    default:
        if (dev->input) {
            dev->config &= ~CONFIG_NO_KEYBOARD; /* to send a byte, the controller needs the clock */
            ps2_keyboard_write(&dev->keyboard, value);
        }
        break;
    }
}

/* --- ports --- */

static uint64_t read_data(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *dev = opaque;

    uint8_t value = dev->data;
    dev->full = false;
    update_irqs(dev);
    fetch(dev);
    return value;
}

static void write_data(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *dev = opaque;

    dev->last_is_command = false;
    data_byte(dev, (uint8_t)value);
    update_irqs(dev);
    fetch(dev);
}

static uint64_t read_status(void *opaque, uint64_t offset, unsigned size)
{
    const I8042 *dev = opaque;

    return (dev->full ? STATUS_FULL : 0) | (dev->config & STATUS_SYSTEM) |
           (dev->last_is_command ? STATUS_COMMAND : 0) | STATUS_UNLOCKED |
           (dev->full && dev->from_mouse ? STATUS_MOUSE : 0);
}

static void write_command(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *dev = opaque;

    dev->last_is_command = true;
    command(dev, (uint8_t)value);
    update_irqs(dev);
    fetch(dev);
}

static uint64_t read_port92(void *opaque, uint64_t offset, unsigned size)
{
    const I8042 *dev = opaque;

    return dev->port92;
}

static void write_port92(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *dev = opaque;
    bool reset_rises = value & ~dev->port92 & 1;

    dev->port92 = (uint8_t)value & 3;
    if (reset_rises) {
        pulse_reset(dev);
    }
}

static const IoOps data_ops = { .read = read_data, .write = write_data, .sizes = 1 };
static const IoOps command_ops = { .read = read_status, .write = write_command, .sizes = 1 };
static const IoOps port92_ops = { .read = read_port92, .write = write_port92, .sizes = 1 };

static void reset(Device *device)
{
    I8042 *dev = container_of(device, I8042, device);

    dev->config = CONFIG_DEFAULT;
    dev->output = OUTPUT_NOT_RESET | OUTPUT_A20;
    dev->port92 = 2;
    dev->data = 0;
    dev->pending = 0;
    dev->full = dev->from_mouse = dev->released = dev->last_is_command = false;
    ps2_keyboard_reset(&dev->keyboard);
    ps2_mouse_reset(&dev->mouse);
    update_irqs(dev);
}

static bool loaded(Device *device, GError **error)
{
    update_irqs(container_of(device, I8042, device));
    return true;
}

static void destroy(Device *device)
{
    I8042 *dev = container_of(device, I8042, device);

    if (dev->input) {
        input_remove(dev->input, &dev->sink);
    }
}

#define SAVED_PORT(port)                                                                           \
    SAVED_ARRAY(I8042, port.answers), SAVED_RANGE(I8042, port.n_answers, 0, PS2_ANSWERS),          \
        SAVED_ARRAY(I8042, port.events), SAVED(I8042, port.first),                                 \
        SAVED_RANGE(I8042, port.n_events, 0, PS2_EVENTS), SAVED(I8042, port.last),                 \
        SAVED(I8042, port.command)

static const SavedField saved[] = {
    SAVED(I8042, config),
    SAVED(I8042, output),
    SAVED(I8042, data),
    SAVED(I8042, full),
    SAVED(I8042, from_mouse),
    SAVED(I8042, released),
    SAVED(I8042, last_is_command),
    SAVED(I8042, pending),
    SAVED_RANGE(I8042, port92, 0, 3),
    SAVED_PORT(keyboard.port),
    SAVED(I8042, keyboard.scanning),
    SAVED_RANGE(I8042, keyboard.set, 1, 2),
    SAVED_RANGE(I8042, keyboard.leds, 0, 7),
    SAVED_PORT(mouse.port),
    SAVED(I8042, mouse.reporting),
    SAVED(I8042, mouse.remote),
    SAVED(I8042, mouse.wrap),
    SAVED(I8042, mouse.scaling),
    SAVED_RANGE(I8042, mouse.resolution, 0, 3),
    SAVED(I8042, mouse.rate),
    SAVED_RANGE(I8042, mouse.id, 0, 4),
    SAVED(I8042, mouse.last_rate),
    SAVED_RANGE(I8042, mouse.buttons, 0, 31),
    SAVED(I8042, mouse.x),
    SAVED(I8042, mouse.y),
    SAVED(I8042, mouse.wheel),
    { 0 },
};

const DeviceClass i8042_class = {
    .name = "i8042",
    .summary = "keyboard controller, PS/2 keyboard and wheel mouse",
    .instance_size = sizeof(I8042),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

I8042 *i8042_new(const I8042Config *config)
{
    I8042 *dev = device_new(&i8042_class, &config->env, "i8042");

    dev->events = config->events;
    dev->keyboard_irq = config->keyboard;
    dev->mouse_irq = config->mouse;
    device_add_pio(&dev->device, &data_ops, 0x60, 1);
    device_add_pio(&dev->device, &command_ops, 0x64, 1);
    device_add_pio(&dev->device, &port92_ops, 0x92, 1);
    dev->input = config->input;
    dev->sink = (InputSink){ .opaque = dev, .key = on_key, .pointer = on_pointer };
    if (dev->input) {
        input_add(dev->input, &dev->sink);
    }
    return dev;
}
