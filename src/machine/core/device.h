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
#include "memory/memory.h"

/* A field, or an array of fields, of a device's struct: unsigned, 1, 2, 4 or 8 bytes each. */
typedef struct SavedField {
    const char *name;
    size_t offset;
    unsigned size;     /* of one element */
    unsigned count;    /* 1, or of the array */
    size_t stride;     /* from one element to the next; 0: .size */
    uint64_t min, max; /* what a saved state may hold */
    unsigned since;    /* version of the class that brought the field; 0: the first */
} SavedField;

#define SAVED_MEMBER(Type, field) (((Type *)0)->field)
#define SAVED_MAX(lvalue)         _Generic((lvalue), bool : 1, default : UINT64_MAX)

/* Any value that fits (of a bool: 0 and 1). */
#define SAVED(Type, field)                                                                         \
    {                                                                                              \
        .name = #field, .offset = offsetof(Type, field), .count = 1,                               \
        .size = sizeof(SAVED_MEMBER(Type, field)), .max = SAVED_MAX(SAVED_MEMBER(Type, field))     \
    }
/* Only values from @low to @high. */
#define SAVED_RANGE(Type, field, low, high)                                                        \
    {                                                                                              \
        .name = #field, .offset = offsetof(Type, field), .count = 1,                               \
        .size = sizeof(SAVED_MEMBER(Type, field)), .min = (low), .max = (high)                     \
    }
/* Each element of an array. */
#define SAVED_ARRAY(Type, field)                                                                   \
    {                                                                                              \
        .name = #field, .offset = offsetof(Type, field),                                           \
        .count = sizeof(SAVED_MEMBER(Type, field)) / sizeof(SAVED_MEMBER(Type, field[0])),         \
        .size = sizeof(SAVED_MEMBER(Type, field[0])),                                              \
        .max = SAVED_MAX(SAVED_MEMBER(Type, field[0]))                                             \
    }

/* A member of each struct of an array. */
#define SAVED_EACH(Type, array, field)                                                             \
    SAVED_EACH_RANGE(Type, array, field, 0, SAVED_MAX(SAVED_MEMBER(Type, array[0].field)))
#define SAVED_EACH_RANGE(Type, array, field, low, high)                                            \
    {                                                                                              \
        .name = #array "." #field, .offset = offsetof(Type, array[0].field),                       \
        .count = sizeof(SAVED_MEMBER(Type, array)) / sizeof(SAVED_MEMBER(Type, array[0])),         \
        .stride = sizeof(SAVED_MEMBER(Type, array[0])),                                            \
        .size = sizeof(SAVED_MEMBER(Type, array[0].field)), .min = (low), .max = (high)            \
    }

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

/* Bytes that the saved fields of @class take, and the fields' largest value. */
size_t device_saved_size(const DeviceClass *class);
uint64_t saved_field_max(const SavedField *field);
/* Copy the saved fields out, in order, little-endian, into @buf of device_saved_size() bytes. */
void device_save(Device *device, uint8_t *buf);
/* Check all of @buf, then copy it in.  On failure the device is as before, except that after a
 * refusal of class->loaded it is at reset. */
bool device_load(Device *device, const uint8_t *buf, size_t len, GError **error);
