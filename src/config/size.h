/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and sizes as people write them: 2, 512M, 2G, 1GiB.
 *
 * Units are powers of 1024.  "MB" is refused, because it means 1000 * 1000 to half of its readers.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A whole number in decimal, with nothing around it.  Fails with INSULA_ERROR_USAGE; @what names
 * the number in the message ("--cpus"). */
bool number_parse(const char *text, const char *what, uint64_t min, uint64_t max,
                  uint64_t *ret_number, GError **error);

/* A size in bytes: a whole number, and K, M, G, T or P, or the same with "iB". */
bool size_parse(const char *text, const char *what, uint64_t *ret_size, GError **error);

/* @size with the largest unit that divides it, such as "512M".  Newly allocated. */
char *size_format(uint64_t size);
