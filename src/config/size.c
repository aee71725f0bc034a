/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and sizes, see size.h.
 */
#include "config/size.h"

#include <inttypes.h>
#include <string.h>

#include "common/error.h"

static const char units[] = "KMGTP";

/* The digits at the start of @text; false if there are none or they overflow. */
static bool take_digits(const char *text, const char **ret_end, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *p = text;

    for (; g_ascii_isdigit(*p); p++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number)) {
            return false;
        }
    }
    if (p == text) {
        return false;
    }
    *ret_end = p;
    *ret_number = number;
    return true;
}

bool number_parse(const char *text, const char *what, uint64_t min, uint64_t max,
                  uint64_t *ret_number, GError **error)
{
    const char *end = NULL;
    uint64_t number = 0;

    if (!take_digits(text, &end, &number) || *end || number < min || number > max) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s '%s' must be a number from %" PRIu64 " to %" PRIu64, what, text, min,
                       max);
        return false;
    }
    *ret_number = number;
    return true;
}

/* The power of two that @unit stands for, or -1. */
static int unit_shift(const char *unit)
{
    if (!*unit) {
        return 0;
    }
    const char *found = strchr(units, g_ascii_toupper(*unit));
    if (!found || (unit[1] && g_ascii_strcasecmp(unit + 1, "iB"))) {
        return -1;
    }
    return (int)(found - units + 1) * 10;
}

bool size_parse(const char *text, const char *what, uint64_t *ret_size, GError **error)
{
    const char *end = NULL;
    uint64_t number = 0;

    if (!take_digits(text, &end, &number)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s '%s' is not a size: write a number and K, M, G or T, such as 512M", what,
                       text);
        return false;
    }
    int shift = unit_shift(end);
    if (shift < 0) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s '%s' has an unknown unit '%s': use K, M, G or T (powers of 1024)", what,
                       text, end);
        return false;
    }
    if (number > UINT64_MAX >> shift) {
        set_error_code(error, INSULA_ERROR_USAGE, "%s '%s' is beyond 64 bits: ask for less", what,
                       text);
        return false;
    }
    *ret_size = number << shift;
    return true;
}

char *size_format(uint64_t size)
{
    unsigned power = 0;

    while (size && power < strlen(units) && !(size & 1023)) {
        size >>= 10;
        power++;
    }
    return power ? g_strdup_printf("%" PRIu64 "%c", size, units[power - 1])
                 : g_strdup_printf("%" PRIu64, size);
}
