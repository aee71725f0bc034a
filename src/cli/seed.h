/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small FAT16 file system made in memory: what a new machine reads at its first start.
 *
 * It is labelled CIDATA, as cloud-init's "NoCloud" wants it, and holds a few files in its root
 * folder, with long names (so that "user-data" is one).
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct SeedFile {
    const char *name; /* ASCII, at most 26 characters; NULL behind the last */
    const char *text;
} SeedFile;

/* The image, or NULL if the files don't fit. */
GByteArray *seed_new(const SeedFile *files, GError **error);
