/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8042 keyboard controller (IBM PS/2 technical reference) with nothing plugged in: what is
 * left are its commands, its two output pins that matter (reset and A20), and port 92h, which
 * does the same two faster.  A20 is always open; guests only want to read back what they set.
 *
 * A byte sent to the keyboard or mouse is never answered, as with an empty socket.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/i8042.h"

enum { STATUS_FULL = 1, STATUS_SYSTEM = 4, STATUS_COMMAND = 8, STATUS_UNLOCKED = 0x10 };
enum { OUTPUT_NOT_RESET = 1, OUTPUT_A20 = 2 };
enum { CONFIG_DEFAULT = 0x04 | 0x30, CONFIG_NO_KEYBOARD = 0x10, CONFIG_NO_MOUSE = 0x20 };

struct I8042 {
    Device device;
    MachineEvents events; /* fixed after create */
    /* lock: device.lock */
    uint8_t config;
    uint8_t output;       /* the output port's pins */
    uint8_t data;         /* the answer that waits at port 60h */
    bool full;            /* one waits */
    bool last_is_command; /* the last write went to port 64h */
    uint8_t pending;      /* the command whose byte is expected at port 60h; 0: none */
    uint8_t port92;
};

static void answer(I8042 *dev, uint8_t value)
{
    dev->data = value;
    dev->full = true;
}

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
        answer(dev, dev->output);
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

/* A byte at port 60h: a command's operand, or for the keyboard that isn't there. */
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
        answer(dev, value);
        break;
    default:
        break;
    }
}

static uint64_t read_data(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *dev = opaque;

    dev->full = false;
    return dev->data;
}

static void write_data(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *dev = opaque;

    dev->last_is_command = false;
    data_byte(dev, (uint8_t)value);
}

static uint64_t read_status(void *opaque, uint64_t offset, unsigned size)
{
    const I8042 *dev = opaque;

    return (dev->full ? STATUS_FULL : 0) | (dev->config & STATUS_SYSTEM) |
           (dev->last_is_command ? STATUS_COMMAND : 0) | STATUS_UNLOCKED;
}

static void write_command(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8042 *dev = opaque;

    dev->last_is_command = true;
    command(dev, (uint8_t)value);
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
    dev->full = dev->last_is_command = false;
}

static const SavedField saved[] = {
    SAVED(I8042, config),
    SAVED(I8042, output),
    SAVED(I8042, data),
    SAVED(I8042, full),
    SAVED(I8042, last_is_command),
    SAVED(I8042, pending),
    SAVED_RANGE(I8042, port92, 0, 3),
    { 0 },
};

const DeviceClass i8042_class = {
    .name = "i8042",
    .summary = "keyboard controller without a keyboard: reset and A20",
    .instance_size = sizeof(I8042),
    .saved = saved,
    .reset = reset,
};

I8042 *i8042_new(const DeviceEnv *env, MachineEvents events)
{
    I8042 *dev = device_new(&i8042_class, env, "i8042");

    dev->events = events;
    device_add_pio(&dev->device, &data_ops, 0x60, 1);
    device_add_pio(&dev->device, &command_ops, 0x64, 1);
    device_add_pio(&dev->device, &port92_ops, 0x92, 1);
    return dev;
}
