/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug port of firmware, see debug_port.h.  It reads as E9h where somebody listens, so that
 * firmware need not talk for nobody.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/debug_port.h"

enum { MAX_LINE = 200, PRESENT = 0xe9 };

struct DebugPort {
    Device device;
    /* lock: device.lock */
    char line[MAX_LINE + 1];
    unsigned len;
};

static void end_line(DebugPort *dev)
{
    dev->line[dev->len] = '\0';
    log_line(dev->device.env.log, LOG_FIRMWARE, "%s", dev->line);
    dev->len = 0;
}

static uint64_t read_port(void *opaque, uint64_t offset, unsigned size)
{
    const DebugPort *dev = opaque;

    return log_on(dev->device.env.log, LOG_FIRMWARE) ? PRESENT : 0xff;
}

static void write_port(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    DebugPort *dev = opaque;
    char c = (char)value;

    if (c == '\n' || dev->len == MAX_LINE) {
        end_line(dev);
    }
    if (c != '\n' && c != '\r') { /* what a terminal would take for more than text is not passed */
        dev->line[dev->len++] = g_ascii_isprint(c) || c == '\t' ? c : '?';
    }
}

static const IoOps ops = { .read = read_port, .write = write_port, .sizes = 1 };

static void reset(Device *device)
{
    container_of(device, DebugPort, device)->len = 0;
}

const DeviceClass debug_port_class = {
    .name = "debug-port",
    .summary = "what firmware says, for the log",
    .instance_size = sizeof(DebugPort),
    .reset = reset,
};

DebugPort *debug_port_new(const DeviceEnv *env)
{
    DebugPort *dev = device_new(&debug_port_class, env, "debug-port");

    device_add_pio(&dev->device, &ops, DEBUG_PORT, 1);
    return dev;
}
