/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's bzImage, by the 64-bit boot protocol where the kernel has it, else by the 32-bit one
 * (Linux, Documentation/arch/x86/boot.rst).  Never by the 16-bit setup code.
 *
 * The file is a 16-bit part of setup_sects + 1 sectors, which we only read the header of, and the
 * protected-mode part, which goes to the address that the kernel prefers.  There it unpacks
 * itself, for which it wants init_size bytes.  The zero page carries the header on to it, with
 * what a loader fills in, and the memory map.
 */
#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "machine/boot/plan.h"

/* Offsets in the file's first sectors, which are also those in the zero page. */
enum {
    SETUP_SECTS = 0x1f1,
    SYSSIZE = 0x1f4,
    VID_MODE = 0x1fa,
    BOOT_FLAG = 0x1fe,
    JUMP_LEN = 0x201, /* the header ends at 202h plus this */
    MAGIC = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    CODE32_START = 0x214,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    SETUP_DATA = 0x250,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_MAX_END = 0x290,
};

/* Offsets in the zero page alone. */
enum {
    ACPI_RSDP_ADDR = 0x070,
    E820_ENTRIES = 0x1e8,
    E820_TABLE = 0x2d0,
    ZERO_PAGE_SIZE = 4096,
    E820_ENTRY_SIZE = 20,
};

enum { LOADED_HIGH = 1, XLF_KERNEL_64 = 1, LOADER_UNDEFINED = 0xff, VGA_NORMAL = 0xffff };
enum { SECTOR = 512, DEFAULT_SETUP_SECTS = 4, ENTRY_64 = 0x200, DEFAULT_LOAD = 0x100000 };
enum { HIGHEST_INITRD_OLD = 0x37ffffff, PARAGRAPH = 16 };

static bool known(const uint8_t *head, size_t len)
{
    return len >= MAGIC + 4 && load_le16(head + BOOT_FLAG) == 0xaa55 &&
           !memcmp(head + MAGIC, "HdrS", 4);
}

static bool refuse(const BootFile *kernel, const char *why, GError **error)
{
    set_error(error, "cannot load kernel '%s': %s", kernel->path, why);
    return false;
}

/* Read the header and check what doesn't depend on RAM. */
static bool read_header(const BootFile *kernel, uint8_t header[HEADER_MAX_END], GError **error)
{
    memset(header, 0, HEADER_MAX_END);
    if (!boot_file_read(kernel, 0, header, MIN(kernel->size, HEADER_MAX_END), error)) {
        return false;
    }
    /* what lies behind the header's end is code */
    unsigned end = MAGIC + header[JUMP_LEN];
    if (end < HEADER_MAX_END) {
        memset(header + end, 0, HEADER_MAX_END - end);
    }
    unsigned version = load_le16(header + VERSION);
    if (version < 0x206) {
        return refuse(kernel, "its boot protocol is older than 2.06 (Linux 2.6.22)", error);
    }
    if (!(header[LOADFLAGS] & LOADED_HIGH)) {
        return refuse(kernel, "it is a zImage, which loads below 1 MiB: build a bzImage", error);
    }
    return true;
}

static uint64_t setup_size(const uint8_t *header)
{
    unsigned sectors = header[SETUP_SECTS] ? header[SETUP_SECTS] : DEFAULT_SETUP_SECTS;

    return (uint64_t)(sectors + 1) * SECTOR;
}

/* Where the protected-mode part goes and how much room it wants there. */
static void place(const uint8_t *header, uint64_t payload, BootPiece *piece)
{
    piece->gpa = DEFAULT_LOAD;
    piece->size = payload;
    if (load_le16(header + VERSION) >= 0x20a) {
        uint64_t preferred = load_le64(header + PREF_ADDRESS);
        piece->gpa = preferred ? preferred : piece->gpa;
        piece->size = MAX(payload, load_le32(header + INIT_SIZE));
    }
}

static bool make_plan(BootPlan *plan, BootEntry *ret_entry, GError **error)
{
    const BootFile *kernel = plan->image->kernel;
    uint8_t header[HEADER_MAX_END];

    if (!read_header(kernel, header, error)) {
        return false;
    }
    uint64_t setup = setup_size(header);
    if (kernel->size <= setup ||
        (uint64_t)load_le32(header + SYSSIZE) * PARAGRAPH > kernel->size - setup + PARAGRAPH - 1) {
        return refuse(kernel, "it is truncated", error);
    }
    BootPiece piece = {
        .file = kernel,
        .file_offset = setup,
        .file_size = kernel->size - setup,
    };
    place(header, piece.file_size, &piece);
    if (piece.gpa < LIMIT_MIB || !range_inside(piece.gpa, piece.size, 0, UINT64_C(1) << 32)) {
        return refuse(kernel, "it wants to be loaded below 1 MiB or beyond 4 GiB", error);
    }
    if (!boot_plan_add(plan, &piece, error)) {
        return false;
    }
    unsigned version = load_le16(header + VERSION);
    plan->initrd_max = load_le32(header + INITRD_ADDR_MAX);
    if (!plan->initrd_max) {
        plan->initrd_max = HIGHEST_INITRD_OLD;
    }
    plan->max_cmdline = MIN(load_le32(header + CMDLINE_SIZE), (uint32_t)BOOT_MAX_CMDLINE);
    bool has_64 = version >= 0x20c && (load_le16(header + XLOADFLAGS) & XLF_KERNEL_64);
    *ret_entry = (BootEntry){
        .long_mode = has_64,
        .rip = piece.gpa + (has_64 ? ENTRY_64 : 0),
        .rsi = BOOT_ZERO_PAGE,
    };
    return true;
}

static void write_e820(uint8_t *zero_page, const BootMap *map)
{
    uint8_t *at = zero_page + E820_TABLE;

    for (unsigned i = 0; i < map->n_ranges; i++) {
        store_le64(at, map->ranges[i].base);
        store_le64(at + 8, map->ranges[i].size);
        store_le32(at + 16, map->ranges[i].type);
        at += E820_ENTRY_SIZE;
    }
    zero_page[E820_ENTRIES] = (uint8_t)map->n_ranges;
}

static void finish(const BootPlan *plan, GuestMemory *memory)
{
    const BootImage *image = plan->image;
    g_autofree uint8_t *page = g_malloc0(ZERO_PAGE_SIZE);
    uint8_t header[HEADER_MAX_END];

    if (!read_header(image->kernel, header, NULL)) {
        return; /* it could be read a moment ago: the kernel will not get far without its header */
    }
    memcpy(page + SETUP_SECTS, header + SETUP_SECTS, HEADER_MAX_END - SETUP_SECTS);
    page[TYPE_OF_LOADER] = LOADER_UNDEFINED;
    page[LOADFLAGS] = LOADED_HIGH;
    store_le16(page + VID_MODE, VGA_NORMAL);
    store_le32(page + CODE32_START, (uint32_t)plan->pieces[0].gpa);
    store_le32(page + CMD_LINE_PTR, BOOT_CMDLINE);
    store_le64(page + SETUP_DATA, 0);
    if (image->initrd) {
        store_le32(page + RAMDISK_IMAGE, (uint32_t)plan->initrd_gpa);
        store_le32(page + RAMDISK_SIZE, (uint32_t)image->initrd->size);
    }
    store_le64(page + ACPI_RSDP_ADDR, plan->map->rsdp);
    write_e820(page, plan->map);
    gm_write(memory, BOOT_ZERO_PAGE, page, ZERO_PAGE_SIZE);
}

const BootLoader bzimage_loader = {
    .name = "bzImage",
    .known = known,
    .plan = make_plan,
    .finish = finish,
};
