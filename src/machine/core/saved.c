/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a struct is saved, see saved.h.
 */
#include "machine/core/saved.h"

#include <string.h>

#include "common/bits.h"
#include "common/error.h"

uint64_t saved_field_max(const SavedField *field)
{
    return MIN(field->max, bits_mask(field->size * 8));
}

size_t saved_size(const SavedField *fields, unsigned version)
{
    size_t size = 0;

    for (const SavedField *field = fields; field && field->name; field++) {
        size += field->since <= version ? (size_t)field->size * field->count : 0;
    }
    return size;
}

/* Where element @i of @field stands in its object. */
static size_t place(const SavedField *field, unsigned i)
{
    return field->offset + i * (field->stride ? field->stride : field->size);
}

void saved_write(const SavedField *fields, const void *object, uint8_t *buf)
{
    for (const SavedField *field = fields; field && field->name; field++) {
        for (unsigned i = 0; i < field->count; i++, buf += field->size) {
            memcpy(buf, (const uint8_t *)object + place(field, i), field->size);
        }
    }
}

static bool check_field(const SavedField *field, const uint8_t *buf, const char *what,
                        GError **error)
{
    for (unsigned i = 0; i < field->count; i++) {
        uint64_t value = 0;
        memcpy(&value, buf + (size_t)i * field->size, field->size);
        if (value < field->min || value > saved_field_max(field)) {
            set_error(error,
                      "cannot load the state of '%s': field '%s' holds %" G_GUINT64_FORMAT
                      ", which it can't have",
                      what, field->name, value);
            return false;
        }
    }
    return true;
}

bool saved_check(const SavedField *fields, unsigned version, const uint8_t *buf, const char *what,
                 GError **error)
{
    for (const SavedField *field = fields; field && field->name; field++) {
        if (field->since > version) {
            continue;
        }
        if (!check_field(field, buf, what, error)) {
            return false;
        }
        buf += (size_t)field->size * field->count;
    }
    return true;
}

void saved_read(const SavedField *fields, unsigned version, const uint8_t *buf, void *object)
{
    for (const SavedField *field = fields; field && field->name; field++) {
        for (unsigned i = 0; i < field->count && field->since <= version; i++) {
            memcpy((uint8_t *)object + place(field, i), buf, field->size);
            buf += field->size;
        }
    }
}
