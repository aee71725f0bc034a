/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of a load: which pieces of which file go where, checked for room and overlap before
 * any byte is written.  The two loaders (bzimage.c, elf.c) make it, boot.c carries it out.
 *
 * Threads: none of its own.
 */
#pragma once

#include "machine/boot/boot.h"
#include "machine/limits.h"

/* [gpa, gpa + size) of RAM; the first .file_size bytes come from the file, the rest is zeroed as
 * far as .zero says. */
typedef struct BootPiece {
    const BootFile *file; /* NULL: nothing is loaded, the place is only kept free */
    uint64_t gpa, size;
    uint64_t file_offset, file_size;
    bool zero; /* clear what the file doesn't fill */
} BootPiece;

enum { BOOT_MAX_PIECES = ELF_MAX_SEGMENTS + 4 };

typedef struct BootPlan {
    const BootImage *image;
    const BootMap *map;
    const GuestMemory *memory;
    BootPiece pieces[BOOT_MAX_PIECES];
    unsigned n_pieces;
    uint64_t initrd_max;  /* the last address the initrd may occupy */
    uint64_t initrd_gpa;  /* once placed */
    uint64_t max_cmdline; /* bytes without the final 0 */
} BootPlan;

/* Add a piece of the kernel.  Fails unless it lies in RAM that the map calls usable, and apart
 * from all other pieces. */
bool boot_plan_add(BootPlan *plan, const BootPiece *piece, GError **error);

/* A loader: whether it knows the file by its first @len bytes, then what goes where, then, with
 * all of that in RAM, the tables that its kernel wants. */
typedef struct BootLoader {
    const char *name;
    bool (*known)(const uint8_t *head, size_t len);
    bool (*plan)(BootPlan *plan, BootEntry *ret_entry, GError **error);
    void (*finish)(const BootPlan *plan, GuestMemory *memory);
} BootLoader;

extern const BootLoader bzimage_loader;
extern const BootLoader elf_loader;
