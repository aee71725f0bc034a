/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct boot: puts a kernel, its initrd, command line and tables into guest RAM and says how the
 * first CPU enters it, as a boot loader would.  Two kinds of kernel: Linux's bzImage, and ELF with
 * a PVH entry (docs: Linux's Documentation/arch/x86/boot.rst; Xen's docs/misc/pvh.pandoc).
 *
 * Low memory after loading; the rest is the kernel's:
 *
 *   001000  GDT                       004000  page tables for 64-bit entry (6 pages)
 *   002000  PVH start info            010000  command line
 *   003000  zero page (bzImage)       018000  free
 *
 * A kernel file is hostile: every number in it is checked against the file and against RAM, and
 * nothing is written before all of them hold.
 *
 * Threads: one at a time, while no vCPU runs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "machine/boot/file.h"
#include "memory/memory.h"

enum {
    BOOT_GDT = 0x1000,
    BOOT_START_INFO = 0x2000,
    BOOT_ZERO_PAGE = 0x3000,
    BOOT_PAGE_TABLES = 0x4000,
    BOOT_CMDLINE = 0x10000,
    BOOT_LOW_END = 0x18000,
};

/* Selectors in the GDT. */
enum { BOOT_CS = 0x10, BOOT_DS = 0x18, BOOT_GDT_LIMIT = 0x1f };

/* Address ranges as the guest is told of them; the numbers are E820's and PVH's. */
typedef enum BootRangeType { BOOT_RAM = 1, BOOT_RESERVED = 2, BOOT_ACPI = 3 } BootRangeType;

typedef struct BootRange {
    uint64_t base, size;
    BootRangeType type;
} BootRange;

enum { BOOT_MAX_RANGES = 16 };

/* What the board tells the loader. */
typedef struct BootMap {
    BootRange ranges[BOOT_MAX_RANGES]; /* in order of address */
    unsigned n_ranges;
    uint64_t rsdp; /* gpa of the ACPI tables' root */
} BootMap;

/* How the first CPU starts: flat segments, interrupts off. */
typedef struct BootEntry {
    bool long_mode; /* 64-bit with .page_tables, else 32-bit without paging */
    uint64_t rip;
    uint64_t rbx, rsi;    /* other registers are 0 */
    uint64_t page_tables; /* CR3 */
} BootEntry;

typedef struct BootImage {
    BootFile *kernel;
    BootFile *initrd; /* or NULL */
    char *cmdline;
} BootImage;

/* Open the files; @initrd and @cmdline may be NULL. */
BootImage *boot_image_open(const char *kernel, const char *initrd, const char *cmdline,
                           GError **error);
/* @image may be NULL. */
void boot_image_free(BootImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootImage, boot_image_free)

/* Load everything. */
bool boot_load(const BootImage *image, GuestMemory *memory, const BootMap *map,
               BootEntry *ret_entry, GError **error);
