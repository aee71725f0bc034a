/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all devices have in common, see device.h.
 */
#include "machine/core/device.h"

#include <stdarg.h>

#include "common/error.h"

void *device_new(const DeviceClass *class, const DeviceEnv *env, const char *name)
{
    Device *device = g_malloc0(class->instance_size);

    device->class = class;
    device->env = *env;
    device->name = g_strdup(name);
    g_mutex_init(&device->lock);
    return device;
}

void device_free(Device *device)
{
    if (!device) {
        return;
    }
    if (device->class->destroy) {
        device->class->destroy(device);
    }
    g_mutex_clear(&device->lock);
    g_free(device->name);
    g_free(device);
}

void device_reset(Device *device)
{
    g_mutex_lock(&device->lock);
    if (device->class->reset) {
        device->class->reset(device);
    }
    g_mutex_unlock(&device->lock);
}

static IoRegion region_of(Device *device, const IoOps *ops, uint64_t base, uint64_t size)
{
    return (IoRegion){
        .name = device->class->name,
        .base = base,
        .size = size,
        .ops = ops,
        .opaque = device,
        .lock = &device->lock,
    };
}

void device_add_pio(Device *device, const IoOps *ops, uint16_t base, uint16_t size)
{
    IoRegion region = region_of(device, ops, base, size);

    gm_add_pio(device->env.memory, &region);
}

void device_add_mmio(Device *device, const IoOps *ops, uint64_t base, uint64_t size)
{
    IoRegion region = region_of(device, ops, base, size);

    gm_add_mmio(device->env.memory, &region);
}

void guest_error(Device *device, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    log_guest_error(device->env.log, device->name, "%s", text);
}

void device_log(Device *device, const char *format, ...)
{
    va_list args;

    if (!log_on(device->env.log, LOG_DEVICE)) {
        return;
    }
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    log_line(device->env.log, LOG_DEVICE, "%s: %s", device->name, text);
}

size_t device_saved_size(const DeviceClass *class)
{
    return saved_size(class->saved, class->version);
}

void device_save(Device *device, uint8_t *buf)
{
    g_mutex_lock(&device->lock);
    saved_write(device->class->saved, device, buf);
    g_mutex_unlock(&device->lock);
}

bool device_load_version(Device *device, unsigned version, const uint8_t *buf, size_t len,
                         GError **error)
{
    const DeviceClass *class = device->class;

    if (version > class->version) {
        set_error(error,
                  "cannot load the state of '%s': it is of version %u of device '%s', and this "
                  "program knows %u; use the one that saved it, or a later one",
                  device->name, version, class->name, class->version);
        return false;
    }
    if (len != saved_size(class->saved, version)) {
        set_error(error, "cannot load the state of '%s': it has %zu bytes where %zu are expected",
                  device->name, len, saved_size(class->saved, version));
        return false;
    }
    if (!saved_check(class->saved, version, buf, device->name, error)) {
        return false;
    }
    g_mutex_lock(&device->lock);
    saved_read(class->saved, version, buf, device);
    bool good = !class->loaded || class->loaded(device, error);
    if (!good && class->reset) {
        class->reset(device);
    }
    g_mutex_unlock(&device->lock);
    return good;
}

bool device_load(Device *device, const uint8_t *buf, size_t len, GError **error)
{
    return device_load_version(device, device->class->version, buf, len, error);
}

void device_pause(Device *device, bool on)
{
    if (device->class->pause) {
        device->class->pause(device, on);
    }
}
