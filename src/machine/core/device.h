/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device: a struct that begins with a Device, and a const DeviceClass that says what all of its
 * kind have in common.  There is no registry that fills itself: machine/catalog.c lists the
 * classes, a board creates the instances it wants.
 *
 * What is worth saving is declared, not coded: a table of SAVED() rows names each guest-visible
 * field with its range; save, restore and --describe all read the table.
 *
 *   typedef struct Foo { Device device; ...; uint8_t control; } Foo;
 *   static const SavedField saved[] = { SAVED(Foo, control), { 0 } };
 *   const DeviceClass foo_class = { .name = "foo", .instance_size = sizeof(Foo), .saved = saved };
 *   Foo *foo = device_new(&foo_class, env, "foo0");
 *
 * Threads: register handlers run on a vCPU's thread with the device's lock held (the IoRegion
 * carries it); timers and back ends take it themselves.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bits.h"
#include "common/clock.h"
#include "common/log.h"
#include "machine/core/saved.h"
#include "memory/memory.h"

typedef struct Device Device;

typedef struct DeviceClass {
    const char *name;    /* as --describe and saved states have it */
    const char *summary; /* a line for people */
    size_t instance_size;
    unsigned version;              /* of the saved fields; 0 is the first */
    const SavedField *saved;       /* NULL name behind the last; NULL: nothing to save */
    void (*reset)(Device *device); /* to power-on state; lock held; NULL: nothing to do */
    /* After saved fields were loaded: check what ranges can't, set what derives from them; false
     * if it can't be.  Lock held.  NULL: nothing to do. */
    bool (*loaded)(Device *device, GError **error);
    /* On: wait until what is in flight is done, then leave guest memory and saved fields alone
     * until off.  No lock held, no vCPU runs.  NULL: the device does nothing by itself but on the
     * clock and the I/O thread, which stand then. */
    void (*pause)(Device *device, bool on);
    void (*destroy)(Device *device); /* release what the struct owns; NULL: nothing to do */
} DeviceClass;

/* What a board lends each device; outlives it. */
typedef struct DeviceEnv {
    GuestMemory *memory;
    Clock *clock;
    Log *log; /* may be NULL */
} DeviceEnv;

struct Device {
    /* fixed after create */
    const DeviceClass *class;
    DeviceEnv env;
    char *name;
    GMutex lock;
};

/* A zeroed instance of @class, whose struct begins with a Device.  The maker of the device sets
 * it up, adds its regions and calls device_reset(). */
void *device_new(const DeviceClass *class, const DeviceEnv *env, const char *name);
/* The device's regions must not be used any more.  @device may be NULL. */
void device_free(Device *device);
void device_reset(Device *device);

/* Add registers at @base, under the device's lock. */
void device_add_pio(Device *device, const IoOps *ops, uint16_t base, uint16_t size);
void device_add_mmio(Device *device, const IoOps *ops, uint64_t base, uint64_t size);

/* The guest did wrong: counted, and logged at a limited rate. */
void guest_error(Device *device, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A line of category device. */
void device_log(Device *device, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Bytes that the saved fields of @class take. */
size_t device_saved_size(const DeviceClass *class);
/* Copy the saved fields out, in order, little-endian, into @buf of device_saved_size() bytes. */
void device_save(Device *device, uint8_t *buf);
/* Check all of @buf, then copy it in.  On failure the device is as before, except that after a
 * refusal of class->loaded it is at reset. */
bool device_load(Device *device, const uint8_t *buf, size_t len, GError **error);
/* The same for a state of an older @version of the class: fields that came later stay. */
bool device_load_version(Device *device, unsigned version, const uint8_t *buf, size_t len,
                         GError **error);
void device_pause(Device *device, bool on);
