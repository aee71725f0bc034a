/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct boot, see boot.h: plan, check, then write.
 *
 * Read first: plan.h.
 */
#include "machine/boot/boot.h"

#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "machine/boot/plan.h"

enum { PAGE = 4096, HEAD_BYTES = 4096 };

BootImage *boot_image_open(const char *kernel, const char *initrd, const char *cmdline,
                           GError **error)
{
    g_autoptr(BootImage) image = g_new0(BootImage, 1);

    image->cmdline = g_strdup(cmdline ? cmdline : "");
    image->kernel = boot_file_open("kernel", kernel, error);
    if (!image->kernel) {
        return NULL;
    }
    if (initrd) {
        image->initrd = boot_file_open("initrd", initrd, error);
        if (!image->initrd) {
            return NULL;
        }
    }
    return g_steal_pointer(&image);
}

void boot_image_free(BootImage *image)
{
    if (image) {
        boot_file_free(image->kernel);
        boot_file_free(image->initrd);
        g_free(image->cmdline);
        g_free(image);
    }
}

/* Whether a single usable range of the map holds all of [@gpa, @gpa + @size). */
static bool is_usable(const BootMap *map, uint64_t gpa, uint64_t size)
{
    for (unsigned i = 0; i < map->n_ranges; i++) {
        const BootRange *range = &map->ranges[i];
        if (range->type == BOOT_RAM && range_inside(gpa, size, range->base, range->size)) {
            return true;
        }
    }
    return false;
}

/* The planned piece that shares a byte with [@gpa, @gpa + @size), or NULL. */
static const BootPiece *find_overlap(const BootPlan *plan, uint64_t gpa, uint64_t size)
{
    for (unsigned i = 0; i < plan->n_pieces; i++) {
        const BootPiece *other = &plan->pieces[i];
        if (ranges_overlap(gpa, size, other->gpa, other->size)) {
            return other;
        }
    }
    return NULL;
}

bool boot_plan_add(BootPlan *plan, const BootPiece *piece, GError **error)
{
    const BootFile *kernel = plan->image->kernel;

    if (!is_usable(plan->map, piece->gpa, piece->size)) {
        set_error(error,
                  "cannot load kernel '%s': it wants %" G_GUINT64_FORMAT
                  " KiB at address 0x%" G_GINT64_MODIFIER "x, where the machine has no such memory "
                  "(it has %" G_GUINT64_FORMAT " MiB): give it more",
                  kernel->path, (piece->size >> 10) + 1, piece->gpa,
                  gm_ram_size(plan->memory) >> 20);
        return false;
    }
    if (piece->gpa < BOOT_LOW_END || plan->n_pieces == BOOT_MAX_PIECES ||
        find_overlap(plan, piece->gpa, piece->size)) {
        set_error(error,
                  "cannot load kernel '%s': what it wants at address 0x%" G_GINT64_MODIFIER
                  "x overlaps %s",
                  kernel->path, piece->gpa,
                  piece->gpa < BOOT_LOW_END ? "the boot data" : "another part of it");
        return false;
    }
    plan->pieces[plan->n_pieces++] = *piece;
    return true;
}

/* The highest place that is free of other pieces, at most up to @max (the last address), or 0. */
static uint64_t place_high(const BootPlan *plan, uint64_t size, uint64_t max)
{
    uint64_t end = 0;

    for (unsigned i = 0; i < plan->map->n_ranges; i++) {
        const BootRange *range = &plan->map->ranges[i];
        uint64_t range_end = range->base + range->size;
        if (range->type == BOOT_RAM && range->base <= max && range->base < UINT64_C(1) << 32) {
            end = MIN(range_end, max + 1);
        }
    }
    /* each turn goes below one more piece */
    for (unsigned turn = 0; turn <= plan->n_pieces && end >= size; turn++) {
        uint64_t gpa = align_down(end - size, PAGE);
        const BootPiece *other = find_overlap(plan, gpa, size);
        if (!other) {
            return is_usable(plan->map, gpa, size) && gpa >= LIMIT_MIB ? gpa : 0;
        }
        end = other->gpa;
    }
    return 0;
}

static bool plan_initrd(BootPlan *plan, GError **error)
{
    const BootFile *initrd = plan->image->initrd;

    if (!initrd) {
        return true;
    }
    plan->initrd_gpa = place_high(plan, initrd->size, plan->initrd_max);
    if (!plan->initrd_gpa) {
        set_error(error,
                  "cannot load initrd '%s': its %" G_GUINT64_FORMAT " MiB do not fit beside the "
                  "kernel into the machine's %" G_GUINT64_FORMAT " MiB of memory: give it more",
                  initrd->path, (initrd->size >> 20) + 1, gm_ram_size(plan->memory) >> 20);
        return false;
    }
    BootPiece piece = {
        .file = initrd,
        .gpa = plan->initrd_gpa,
        .size = initrd->size,
        .file_size = initrd->size,
    };
    return boot_plan_add(plan, &piece, error);
}

static bool check_cmdline(const BootPlan *plan, GError **error)
{
    size_t len = strlen(plan->image->cmdline);

    if (len > plan->max_cmdline) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "the kernel's command line has %zu characters, and '%s' takes at most "
                       "%" G_GUINT64_FORMAT ": shorten it",
                       len, plan->image->kernel->path, plan->max_cmdline);
        return false;
    }
    return true;
}

static bool write_piece(const BootPiece *piece, GuestMemory *memory, GError **error)
{
    uint8_t *hva = gm_ram(memory, piece->gpa, piece->size);

    if (!piece->file) {
        return true;
    }
    g_assert(hva && piece->file_size <= piece->size);
    gm_expect_writes(hva, piece->file_size);
    if (!boot_file_read(piece->file, piece->file_offset, hva, piece->file_size, error)) {
        return false;
    }
    if (piece->zero) {
        memset(hva + piece->file_size, 0, piece->size - piece->file_size);
    }
    gm_written(memory, piece->gpa, piece->size);
    return true;
}

/* Flat segments: code at BOOT_CS, 32 or 64 bits wide, and data at BOOT_DS. */
static void write_gdt(GuestMemory *memory, bool long_mode)
{
    uint64_t gdt[4] = { 0, 0, 0, UINT64_C(0x00cf93000000ffff) };

    gdt[2] = long_mode ? UINT64_C(0x00af9b000000ffff) : UINT64_C(0x00cf9b000000ffff);
    gm_write(memory, BOOT_GDT, gdt, sizeof(gdt));
}

/* Identity map of the first 4 GiB in 2 MiB pages: a PML4, a PDPT and four directories. */
static void write_page_tables(GuestMemory *memory)
{
    enum { PRESENT_WRITABLE = 3, LARGE = 0x80, ENTRIES = 512, DIRECTORIES = 4 };
    g_autofree uint64_t *tables = g_new0(uint64_t, (2 + DIRECTORIES) * ENTRIES);

    tables[0] = (BOOT_PAGE_TABLES + PAGE) | PRESENT_WRITABLE;
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        tables[ENTRIES + i] = (uint64_t)(BOOT_PAGE_TABLES + (2 + i) * PAGE) | PRESENT_WRITABLE;
    }
    for (uint64_t i = 0; i < DIRECTORIES * ENTRIES; i++) {
        tables[2 * ENTRIES + i] = i << 21 | LARGE | PRESENT_WRITABLE;
    }
    gm_write(memory, BOOT_PAGE_TABLES, tables, (2 + DIRECTORIES) * PAGE);
}

/* What a file that is no kernel might be. */
static const char *hint(const uint8_t *head, size_t len)
{
    static const struct {
        uint8_t magic[4];
        size_t len;
        const char *text;
    } known[] = {
        { { 0x1f, 0x8b }, 2, " (it is compressed with gzip: unpack it first)" },
        { { 0xfd, '7', 'z', 'X' }, 4, " (it is compressed with xz: unpack it first)" },
        { { 0x28, 0xb5, 0x2f, 0xfd }, 4, " (it is compressed with zstd: unpack it first)" },
        { { 'Q', 'F', 'I', 0xfb }, 4, " (it is a qcow2 disk image)" },
        { { 'M', 'Z' }, 2, " (it is an EFI program)" },
        { { '0', '7', '0', '7' }, 4, " (it is a cpio archive: an initrd?)" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        if (len >= known[i].len && !memcmp(head, known[i].magic, known[i].len)) {
            return known[i].text;
        }
    }
    return "";
}

static const BootLoader *find_loader(const BootFile *kernel, GError **error)
{
    static const BootLoader *const loaders[] = { &elf_loader, &bzimage_loader };
    uint8_t head[HEAD_BYTES];
    size_t len = MIN(kernel->size, sizeof(head));

    if (!boot_file_read(kernel, 0, head, len, error)) {
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(loaders); i++) {
        if (loaders[i]->known(head, len)) {
            return loaders[i];
        }
    }
    set_error(error, "cannot load kernel '%s': it is neither a Linux bzImage nor an ELF file%s",
              kernel->path, hint(head, len));
    return NULL;
}

bool boot_load(const BootImage *image, GuestMemory *memory, const BootMap *map,
               BootEntry *ret_entry, GError **error)
{
    g_autofree BootPlan *plan = g_new0(BootPlan, 1);
    BootEntry entry = { 0 };

    plan->image = image;
    plan->map = map;
    plan->memory = memory;
    const BootLoader *loader = find_loader(image->kernel, error);
    if (!loader || !loader->plan(plan, &entry, error) || !check_cmdline(plan, error) ||
        !plan_initrd(plan, error)) {
        return false;
    }
    for (unsigned i = 0; i < plan->n_pieces; i++) {
        if (!write_piece(&plan->pieces[i], memory, error)) {
            return false;
        }
    }
    gm_write(memory, BOOT_CMDLINE, image->cmdline, strlen(image->cmdline) + 1);
    write_gdt(memory, entry.long_mode);
    if (entry.long_mode) {
        write_page_tables(memory);
        entry.page_tables = BOOT_PAGE_TABLES;
    }
    loader->finish(plan, memory);
    *ret_entry = entry;
    return true;
}
