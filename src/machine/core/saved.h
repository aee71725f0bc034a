/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a struct is saved: a table of its fields, each with the range that a saved state may
 * hold.  Save, restore and --describe all read the table.
 *
 * A saved state is hostile: saved_check() comes before saved_read().
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A field, or an array of fields, of a struct: unsigned, 1, 2, 4 or 8 bytes each. */
typedef struct SavedField {
    const char *name;
    size_t offset;
    unsigned size;     /* of one element */
    unsigned count;    /* 1, or of the array */
    size_t stride;     /* from one element to the next; 0: .size */
    uint64_t min, max; /* what a saved state may hold */
    unsigned since;    /* version of the table that brought the field; 0: the first */
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

/* Any member, as bytes. */
#define SAVED_BYTES(Type, field)                                                                   \
    {                                                                                              \
        .name = #field, .offset = offsetof(Type, field), .size = 1,                                \
        .count = sizeof(SAVED_MEMBER(Type, field)), .max = UINT8_MAX                               \
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

/* All with @fields, NULL name behind the last, or NULL: none; and the version of the table that
 * was, or is to be, saved. */

/* Bytes that the fields take. */
size_t saved_size(const SavedField *fields, unsigned version);
/* Copy the fields of @object out, in order, little-endian. */
void saved_write(const SavedField *fields, const void *object, uint8_t *buf);
/* Whether @buf, of saved_size() bytes, holds values that may be; @what names the object. */
bool saved_check(const SavedField *fields, unsigned version, const uint8_t *buf, const char *what,
                 GError **error);
/* Copy them into @object. */
void saved_read(const SavedField *fields, unsigned version, const uint8_t *buf, void *object);
/* The largest value of @field. */
uint64_t saved_field_max(const SavedField *field);
