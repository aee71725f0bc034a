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

uint64_t saved_field_max(const SavedField *field)
{
    return MIN(field->max, bits_mask(field->size * 8));
}

size_t device_saved_size(const DeviceClass *class)
{
    size_t size = 0;

    for (const SavedField *field = class->saved; field && field->name; field++) {
        size += (size_t)field->size * field->count;
    }
    return size;
}

/* Where element @i of @field stands in @device. */
static void *element(Device *device, const SavedField *field, unsigned i)
{
    size_t stride = field->stride ? field->stride : field->size;

    return (uint8_t *)device + field->offset + i * stride;
}

void device_save(Device *device, uint8_t *buf)
{
    g_mutex_lock(&device->lock);
    for (const SavedField *field = device->class->saved; field && field->name; field++) {
        for (unsigned i = 0; i < field->count; i++, buf += field->size) {
            memcpy(buf, element(device, field, i), field->size);
        }
    }
    g_mutex_unlock(&device->lock);
}

static bool check_field(const Device *device, const SavedField *field, const uint8_t *buf,
                        GError **error)
{
    for (unsigned i = 0; i < field->count; i++) {
        uint64_t value = 0;
        memcpy(&value, buf + (size_t)i * field->size, field->size);
        if (value < field->min || value > saved_field_max(field)) {
            set_error(error,
                      "cannot load the state of '%s': field '%s' holds %" G_GUINT64_FORMAT
                      ", which this device can't have",
                      device->name, field->name, value);
            return false;
        }
    }
    return true;
}

bool device_load(Device *device, const uint8_t *buf, size_t len, GError **error)
{
    const DeviceClass *class = device->class;
    const uint8_t *at = buf;

    if (len != device_saved_size(class)) {
        set_error(error, "cannot load the state of '%s': it has %zu bytes where %zu are expected",
                  device->name, len, device_saved_size(class));
        return false;
    }
    for (const SavedField *field = class->saved; field && field->name; field++) {
        if (!check_field(device, field, at, error)) {
            return false;
        }
        at += (size_t)field->size * field->count;
    }
    g_mutex_lock(&device->lock);
    at = buf;
    for (const SavedField *field = class->saved; field && field->name; field++) {
        for (unsigned i = 0; i < field->count; i++, at += field->size) {
            memcpy(element(device, field, i), at, field->size);
        }
    }
    bool good = !class->loaded || class->loaded(device, error);
    if (!good && class->reset) {
        class->reset(device);
    }
    g_mutex_unlock(&device->lock);
    return good;
}
