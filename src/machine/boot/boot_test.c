/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of direct boot: good kernels of each kind, then the same with one thing wrong.  The
 * kernels are built here, as small as the loaders take them.
 */
#include "machine/boot/boot.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bits.h"
#include "machine/limits.h"

enum { MIB = 1 << 20, RAM = 32 * MIB };

/* --- files --- */

typedef struct Rig {
    char *dir, *kernel, *initrd;
    GuestMemory *memory;
    BootMap map;
} Rig;

static void rig_init(Rig *rig)
{
    *rig = (Rig){ .dir = g_dir_make_tmp("insula-boot-XXXXXX", NULL), .memory = gm_new() };
    rig->kernel = g_build_filename(rig->dir, "kernel", NULL);
    rig->initrd = g_build_filename(rig->dir, "initrd", NULL);
    g_assert(gm_add_ram(rig->memory, 0, RAM, NULL));
    rig->map = (BootMap){
        .ranges = { { 0, 0xa0000, BOOT_RAM },
                    { 0xa0000, 0x60000, BOOT_RESERVED },
                    { MIB, RAM - MIB, BOOT_RAM } },
        .n_ranges = 3,
        .rsdp = 0xe0000,
    };
}

static void rig_clear(Rig *rig)
{
    g_remove(rig->kernel);
    g_remove(rig->initrd);
    g_rmdir(rig->dir);
    gm_free(rig->memory);
    g_free(rig->kernel);
    g_free(rig->initrd);
    g_free(rig->dir);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = g_fopen(path, "w"); /* g_file_set_contents() would sync each time */

    g_assert(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

/* Load what stands in the files. */
static bool load(Rig *rig, bool initrd, const char *cmdline, BootEntry *entry, GError **error)
{
    g_autoptr(BootImage) image =
        boot_image_open(rig->kernel, initrd ? rig->initrd : NULL, cmdline, error);

    return image && boot_load(image, rig->memory, &rig->map, entry, error);
}

static void expect_error(const GError *error, const char *text)
{
    if (!error) {
        g_error("there is no error, expected '%s'", text);
    }
    if (!strstr(error->message, text) || strchr(error->message, '\n')) {
        g_error("got '%s', expected '%s'", error->message, text);
    }
}

/* --- bzImage --- */

enum { BZ_SETUP = 1024, BZ_PAYLOAD = 8192, BZ_SIZE = BZ_SETUP + BZ_PAYLOAD };

static void build_bzimage(uint8_t image[BZ_SIZE])
{
    memset(image, 0x90, BZ_SIZE);
    memset(image, 0, BZ_SETUP);
    image[0x1f1] = 1; /* one sector behind the boot sector */
    store_le32(image + 0x1f4, BZ_PAYLOAD / 16);
    store_le16(image + 0x1fe, 0xaa55);
    image[0x201] = 0x6a; /* the header ends at 26ch */
    memcpy(image + 0x202, "HdrS", 4);
    store_le16(image + 0x206, 0x20f);
    image[0x211] = 1;
    store_le32(image + 0x214, 0x100000);
    store_le32(image + 0x22c, 0x7fffffff);
    image[0x234] = 1;
    store_le16(image + 0x236, 1);
    store_le32(image + 0x238, 2047);
    store_le64(image + 0x250, 0xdead0000); /* setup_data: must not reach the kernel */
    store_le64(image + 0x258, 0x1000000);
    store_le32(image + 0x260, 4 * MIB);
    image[0x26c] = 0xeb; /* code behind the header: must not reach the zero page */
}

static void test_bzimage_64(void)
{
    uint8_t image[BZ_SIZE], page[4096], gdt[32];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    write_file(rig.kernel, image, sizeof(image));
    write_file(rig.initrd, "initrd!", 7);
    load(&rig, true, "console=ttyS0", &entry, &error);
    g_assert_no_error(error);
    g_assert(entry.long_mode);
    g_assert_cmphex(entry.rip, ==, 0x1000200);
    g_assert_cmphex(entry.rsi, ==, BOOT_ZERO_PAGE);
    g_assert_cmphex(entry.page_tables, ==, BOOT_PAGE_TABLES);
    g_assert_cmpmem(gm_ram(rig.memory, 0x1000000, BZ_PAYLOAD), BZ_PAYLOAD, image + BZ_SETUP,
                    BZ_PAYLOAD);
    g_assert(gm_read(rig.memory, BOOT_ZERO_PAGE, page, sizeof(page)));
    g_assert_cmphex(load_le64(page + 0x70), ==, 0xe0000);
    g_assert_cmpuint(page[0x1e8], ==, 3);
    g_assert_cmphex(load_le64(page + 0x2d0 + 40), ==, MIB);
    g_assert_cmphex(load_le64(page + 0x2d0 + 48), ==, RAM - MIB);
    g_assert_cmpuint(load_le32(page + 0x2d0 + 56), ==, 1);
    g_assert_cmphex(page[0x210], ==, 0xff);
    g_assert_cmphex(load_le32(page + 0x214), ==, 0x1000000);
    g_assert_cmphex(load_le32(page + 0x218), ==, RAM - 4096);
    g_assert_cmpuint(load_le32(page + 0x21c), ==, 7);
    g_assert_cmphex(load_le64(page + 0x250), ==, 0);
    g_assert_cmphex(page[0x26c], ==, 0);
    g_assert_cmpstr(gm_ram(rig.memory, load_le32(page + 0x228), 64), ==, "console=ttyS0");
    g_assert_cmpmem(gm_ram(rig.memory, RAM - 4096, 7), 7, "initrd!", 7);
    g_assert(gm_read(rig.memory, BOOT_GDT, gdt, sizeof(gdt)));
    g_assert_cmphex(load_le64(gdt + 16), ==, 0x00af9b000000ffff);
    rig_clear(&rig);
}

/* Each 2 MiB of the first 4 GiB maps to itself. */
static void test_page_tables(void)
{
    uint8_t image[BZ_SIZE];
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    write_file(rig.kernel, image, sizeof(image));
    g_assert(load(&rig, false, NULL, &entry, NULL));
    for (uint64_t gva = 0; gva < UINT64_C(1) << 32; gva += 2 * MIB) {
        uint64_t table = entry.page_tables;
        for (unsigned shift = 39; shift >= 21; shift -= 9) {
            uint64_t item;
            g_assert(gm_read(rig.memory, table + bits_get(gva, shift, 9) * 8, &item, 8));
            g_assert_cmphex(item & 3, ==, 3);
            g_assert_cmphex(item & 0x80, ==, shift == 21 ? 0x80 : 0);
            table = item & ~UINT64_C(0xfff);
        }
        g_assert_cmphex(table, ==, gva);
    }
    rig_clear(&rig);
}

static void test_bzimage_32(void)
{
    uint8_t image[BZ_SIZE];
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    store_le16(image + 0x206, 0x209); /* before pref_address and the 64-bit entry */
    write_file(rig.kernel, image, sizeof(image));
    g_assert(load(&rig, false, NULL, &entry, NULL));
    g_assert(!entry.long_mode);
    g_assert_cmphex(entry.rip, ==, 0x100000);
    g_assert_cmphex(entry.rsi, ==, BOOT_ZERO_PAGE);
    rig_clear(&rig);
}

/* One field of a good file replaced. */
typedef struct Patch {
    const char *name;
    unsigned offset, size;
    uint64_t value;
    const char *error; /* NULL: it still loads */
} Patch;

static void apply(uint8_t *image, const Patch *patch)
{
    memcpy(image + patch->offset, &patch->value, patch->size);
}

static const Patch bz_patches[] = {
    { "/boot/bzimage/untouched", 0, 0, 0, NULL },
    { "/boot/bzimage/no-boot-flag", 0x1fe, 2, 0, "neither a Linux bzImage nor an ELF" },
    { "/boot/bzimage/no-magic", 0x202, 4, 0, "neither a Linux bzImage nor an ELF" },
    { "/boot/bzimage/gzip", 0, 4, 0x8b1f, NULL },
    { "/boot/bzimage/old-protocol", 0x206, 2, 0x205, "older than 2.06" },
    { "/boot/bzimage/protocol-0", 0x206, 2, 0, "older than 2.06" },
    { "/boot/bzimage/zimage", 0x211, 1, 0, "zImage" },
    { "/boot/bzimage/setup-beyond-end", 0x1f1, 1, 255, "truncated" },
    { "/boot/bzimage/setup-0-means-4", 0x1f1, 1, 0, "truncated" },
    { "/boot/bzimage/larger-than-file", 0x1f4, 4, BZ_PAYLOAD / 16 + 1, "truncated" },
    { "/boot/bzimage/syssize-huge", 0x1f4, 4, UINT32_MAX, "truncated" },
    { "/boot/bzimage/load-below-1m", 0x258, 8, 0x1000, "below 1 MiB" },
    { "/boot/bzimage/load-beyond-4g", 0x258, 8, UINT64_C(1) << 33, "beyond 4 GiB" },
    { "/boot/bzimage/load-wraps", 0x258, 8, UINT64_MAX - 4095, "beyond 4 GiB" },
    { "/boot/bzimage/load-outside-ram", 0x258, 8, 0x8000000, "give it more" },
    { "/boot/bzimage/init-size-outside-ram", 0x260, 4, 64 * MIB, "give it more" },
    { "/boot/bzimage/init-size-all-ones", 0x260, 4, UINT32_MAX, "beyond 4 GiB" },
    { "/boot/bzimage/init-size-0", 0x260, 4, 0, NULL },
    { "/boot/bzimage/header-end-0", 0x201, 1, 0, "older than 2.06" },
    { "/boot/bzimage/header-end-ff", 0x201, 1, 0xff, NULL },
    { "/boot/bzimage/initrd-below-kernel", 0x22c, 4, 0xffffff, NULL },
    { "/boot/bzimage/initrd-nowhere", 0x22c, 4, 0xfffff, "cannot load initrd" },
    { "/boot/bzimage/cmdline-size", 0x238, 4, 2, "command line has 5 characters" },
    { "/boot/bzimage/cmdline-size-huge", 0x238, 4, UINT32_MAX, NULL },
};

static void test_bz_patch(gconstpointer data)
{
    const Patch *patch = data;
    uint8_t image[BZ_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    apply(image, patch);
    write_file(rig.kernel, image, sizeof(image));
    write_file(rig.initrd, "initrd!", 7);
    load(&rig, true, "quiet", &entry, &error);
    if (patch->error) {
        expect_error(error, patch->error);
    } else {
        g_assert_no_error(error);
    }
    rig_clear(&rig);
}

/* --- ELF --- */

enum { ELF_SIZE = 0x3000, ELF_NOTES = 0x1000, ELF_CODE = 0x2000, ELF_PHDRS = 0x40 };

/* Two segments to load and a note: text at 16 MiB, data (half of it zeroed) behind it. */
static void build_elf64(uint8_t image[ELF_SIZE])
{
    static const uint64_t headers[3][8] = {
        /* type and flags, offset, virtual, physical, in the file, in memory, alignment */
        { 0x500000001, ELF_CODE, 0, 0x1000000, 0x800, 0x800, 0x1000 },
        { 0x600000001, ELF_CODE + 0x800, 0, 0x1001000, 0x400, 0x800, 0x1000 },
        { 0x400000004, ELF_NOTES, 0, 0, 0x2c, 0x2c, 4 },
    };
    static const uint8_t notes[0x2c] = {
        4, 0, 0, 0, 4, 0, 0, 0, 6,  0, 0, 0, 'X', 'e', 'n', 0, 1,    2, 3, 4, /* another */
        4, 0, 0, 0, 8, 0, 0, 0, 18, 0, 0, 0, 'X', 'e', 'n', 0, 0x20, 0, 0, 1, 0, 0, 0, 0,
    };

    memset(image, 0x90, ELF_SIZE);
    memset(image, 0, ELF_CODE);
    memcpy(image, "\177ELF\2\1\1", 7);
    store_le16(image + 16, 2);
    store_le16(image + 18, 62);
    store_le64(image + 32, ELF_PHDRS);
    store_le16(image + 54, 56);
    store_le16(image + 56, 3);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(image + ELF_PHDRS + i * 56, headers[i], 56);
    }
    memcpy(image + ELF_NOTES, notes, sizeof(notes));
}

/* The same with 32-bit headers and one segment. */
static void build_elf32(uint8_t image[ELF_SIZE])
{
    static const uint32_t headers[2][8] = {
        { 1, ELF_CODE, 0, 0x1000000, 0x800, 0x1000, 5, 0x1000 },
        { 4, ELF_NOTES, 0, 0, 0x14, 0x14, 4, 4 },
    };
    static const uint8_t notes[] = { 4, 0, 0,   0,   4,   0, 0,    0, 18, 0,
                                     0, 0, 'X', 'e', 'n', 0, 0x20, 0, 0,  1 };

    memset(image, 0x90, ELF_SIZE);
    memset(image, 0, ELF_CODE);
    memcpy(image, "\177ELF\1\1\1", 7);
    store_le16(image + 16, 2);
    store_le16(image + 18, 3);
    store_le32(image + 28, ELF_PHDRS);
    store_le16(image + 42, 32);
    store_le16(image + 44, 2);
    memcpy(image + ELF_PHDRS, headers, sizeof(headers));
    memcpy(image + ELF_NOTES, notes, sizeof(notes));
}

static void test_elf64(void)
{
    uint8_t image[ELF_SIZE], info[56];
    static const uint8_t zeros[0x400];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_elf64(image);
    write_file(rig.kernel, image, sizeof(image));
    write_file(rig.initrd, "initrd!", 7);
    memset(gm_ram(rig.memory, 0x1000000, 0x2000), 0xcc, 0x2000);
    load(&rig, true, "console=ttyS0", &entry, &error);
    g_assert_no_error(error);
    g_assert(!entry.long_mode);
    g_assert_cmphex(entry.rip, ==, 0x1000020);
    g_assert_cmphex(entry.rbx, ==, BOOT_START_INFO);
    g_assert_cmpmem(gm_ram(rig.memory, 0x1001000, 0x400), 0x400, image + ELF_CODE + 0x800, 0x400);
    g_assert_cmpmem(gm_ram(rig.memory, 0x1001400, 0x400), 0x400, zeros, 0x400);
    g_assert(gm_read(rig.memory, BOOT_START_INFO, info, sizeof(info)));
    g_assert_cmphex(load_le32(info), ==, 0x336ec578);
    g_assert_cmpuint(load_le32(info + 4), ==, 1);
    g_assert_cmpuint(load_le32(info + 12), ==, 1);
    const uint8_t *module = gm_ram(rig.memory, load_le64(info + 16), 32);
    g_assert_cmphex(load_le64(module), ==, RAM - 4096);
    g_assert_cmpuint(load_le64(module + 8), ==, 7);
    g_assert_cmpstr(gm_ram(rig.memory, load_le64(info + 24), 64), ==, "console=ttyS0");
    g_assert_cmphex(load_le64(info + 32), ==, 0xe0000);
    g_assert_cmpuint(load_le32(info + 48), ==, 3);
    const uint8_t *map = gm_ram(rig.memory, load_le64(info + 40), 72);
    g_assert_cmphex(load_le64(map + 48), ==, MIB);
    g_assert_cmpuint(load_le32(map + 24 + 16), ==, 2);
    rig_clear(&rig);
}

static void test_elf32(void)
{
    uint8_t image[ELF_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_elf32(image);
    write_file(rig.kernel, image, sizeof(image));
    load(&rig, false, NULL, &entry, &error);
    g_assert_no_error(error);
    g_assert_cmphex(entry.rip, ==, 0x1000020);
    rig_clear(&rig);
}

/* Offsets of the fields of program header @n. */
#define PH_TYPE(n)     (ELF_PHDRS + (n)*56)
#define PH_OFFSET(n)   (ELF_PHDRS + (n)*56 + 8)
#define PH_PHYSICAL(n) (ELF_PHDRS + (n)*56 + 24)
#define PH_IN_FILE(n)  (ELF_PHDRS + (n)*56 + 32)
#define PH_IN_MEM(n)   (ELF_PHDRS + (n)*56 + 40)

static const Patch elf_patches[] = {
    { "/boot/elf/untouched", 0, 0, 0, NULL },
    { "/boot/elf/class-0", 4, 1, 0, "malformed" },
    { "/boot/elf/class-32-of-64", 4, 1, 1, "no program headers" },
    { "/boot/elf/big-endian", 5, 1, 2, "big-endian" },
    { "/boot/elf/arm", 18, 2, 183, "another kind of CPU" },
    { "/boot/elf/no-headers", 56, 2, 0, "no program headers, or too many" },
    { "/boot/elf/many-headers", 56, 2, 65, "no program headers, or too many" },
    { "/boot/elf/all-headers", 56, 2, 0xffff, "no program headers, or too many" },
    { "/boot/elf/header-size", 54, 2, 32, "not an executable" },
    { "/boot/elf/headers-beyond-end", 32, 8, ELF_SIZE - 100, "truncated" },
    { "/boot/elf/headers-wrap", 32, 8, UINT64_MAX - 10, "truncated" },
    { "/boot/elf/no-note", PH_TYPE(2), 4, 0, "no PVH entry" },
    { "/boot/elf/note-beyond-end", PH_OFFSET(2), 8, ELF_SIZE - 8, "notes" },
    { "/boot/elf/note-wraps", PH_OFFSET(2), 8, UINT64_MAX - 8, "notes" },
    { "/boot/elf/notes-too-large", PH_IN_FILE(2), 8, 1 << 20, "notes" },
    { "/boot/elf/notes-cut", PH_IN_FILE(2), 8, 0x2b, "no PVH entry" },
    { "/boot/elf/note-name-length", ELF_NOTES, 4, UINT32_MAX, "no PVH entry" },
    { "/boot/elf/note-desc-length", ELF_NOTES + 4, 4, UINT32_MAX - 2, "no PVH entry" },
    { "/boot/elf/note-of-another-name", ELF_NOTES + 32, 4, 0, "no PVH entry" },
    { "/boot/elf/entry-elsewhere", ELF_NOTES + 36, 8, 0x2000000, "outside what it loads" },
    { "/boot/elf/entry-beyond-4g", ELF_NOTES + 36, 8, UINT64_C(0x101000020), "outside what it" },
    { "/boot/elf/segment-outside-ram", PH_PHYSICAL(0), 8, 0x3000000, "give it more" },
    { "/boot/elf/segment-at-ram-end", PH_PHYSICAL(1), 8, RAM - 0x400, "give it more" },
    { "/boot/elf/segment-wraps", PH_PHYSICAL(1), 8, UINT64_MAX - 0x100, "give it more" },
    { "/boot/elf/segment-in-hole", PH_PHYSICAL(1), 8, 0x9fc00, "give it more" },
    { "/boot/elf/segment-over-boot-data", PH_PHYSICAL(1), 8, 0x10000, "overlaps the boot data" },
    { "/boot/elf/segment-at-0", PH_PHYSICAL(1), 8, 0, "overlaps the boot data" },
    { "/boot/elf/segment-huge", PH_IN_MEM(1), 8, UINT64_MAX, "give it more" },
    { "/boot/elf/segments-overlap", PH_PHYSICAL(1), 8, 0x1000400, "overlaps another part" },
    { "/boot/elf/segment-longer-in-file", PH_IN_FILE(1), 8, 0x900, "more bytes in the file" },
    { "/boot/elf/segment-beyond-end", PH_OFFSET(1), 8, ELF_SIZE - 0x100, "truncated" },
    { "/boot/elf/segment-offset-wraps", PH_OFFSET(1), 8, UINT64_MAX - 0x100, "truncated" },
    { "/boot/elf/empty-segment-is-nothing", PH_IN_MEM(1), 8, 0, NULL },
};

static void test_elf_patch(gconstpointer data)
{
    const Patch *patch = data;
    uint8_t image[ELF_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_elf64(image);
    apply(image, patch);
    write_file(rig.kernel, image, sizeof(image));
    load(&rig, false, NULL, &entry, &error);
    if (patch->error) {
        expect_error(error, patch->error);
    } else {
        g_assert_no_error(error);
    }
    rig_clear(&rig);
}

/* Cut the kernel shorter and shorter, by @step at the end and byte by byte in its headers: never a
 * crash, and nothing below @whole bytes loads. */
static void check_truncations(Rig *rig, size_t len, size_t whole, size_t step)
{
    BootEntry entry;

    for (; len > 0; len -= len > 1100 ? step : 1) {
        g_autoptr(GError) error = NULL;
        g_assert(truncate(rig->kernel, (off_t)len) == 0);
        g_assert_cmpint(load(rig, false, NULL, &entry, &error), ==, len >= whole);
        g_assert(!error == (len >= whole));
    }
}

static void test_truncated(void)
{
    uint8_t elf[ELF_SIZE], bz[BZ_SIZE];
    Rig rig;

    rig_init(&rig);
    build_bzimage(bz);
    write_file(rig.kernel, bz, sizeof(bz));
    check_truncations(&rig, BZ_SIZE, BZ_SIZE - 15, 251); /* up to a paragraph may be missing */
    build_elf64(elf);
    write_file(rig.kernel, elf, sizeof(elf));
    check_truncations(&rig, ELF_SIZE, ELF_CODE + 0xc00, 119);
    rig_clear(&rig);
}

/* --- other files --- */

static const struct {
    const char *name;
    const char *content; /* NULL: the path is missing; "/": it is a directory */
    size_t len;
    const char *error;
} files[] = {
    { "/boot/file/missing", NULL, 0, "cannot open kernel '" },
    { "/boot/file/directory", "/", 0, "it is a directory" },
    { "/boot/file/empty", "", 0, "it is empty" },
    { "/boot/file/text", "hello, world\n", 13, "neither a Linux bzImage nor an ELF" },
    { "/boot/file/gzip", "\x1f\x8b\x08", 3, "compressed with gzip" },
    { "/boot/file/qcow2", "QFI\xfb", 4, "qcow2" },
    { "/boot/file/cpio", "070701", 6, "cpio" },
    { "/boot/file/elf-magic-alone", "\177ELF", 4, "truncated" },
};

static void test_file(gconstpointer data)
{
    const typeof(files[0]) *c = data;
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    if (c->content && c->content[0] == '/') {
        g_mkdir(rig.kernel, 0700);
    } else if (c->content) {
        write_file(rig.kernel, c->content, c->len);
    }
    g_assert(!load(&rig, false, NULL, &entry, &error));
    expect_error(error, c->error);
    g_assert(strstr(error->message, rig.kernel));
    rig_clear(&rig);
}

static void test_initrd_too_large(void)
{
    g_autofree uint8_t *large = g_malloc0(RAM);
    uint8_t image[BZ_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    write_file(rig.kernel, image, sizeof(image));
    write_file(rig.initrd, large, RAM);
    g_assert(!load(&rig, true, NULL, &entry, &error));
    expect_error(error, "give it more");
    /* what fits only below the kernel goes there */
    write_file(rig.initrd, large, 12 * MIB + 1);
    g_assert(load(&rig, true, NULL, &entry, NULL));
    g_assert_cmphex(load_le32(gm_ram(rig.memory, BOOT_ZERO_PAGE + 0x218, 4)), ==, 4 * MIB - 4096);
    rig_clear(&rig);
}

static void test_initrd_missing(void)
{
    uint8_t image[BZ_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    write_file(rig.kernel, image, sizeof(image));
    g_assert(!load(&rig, true, NULL, &entry, &error));
    expect_error(error, "cannot open initrd '");
    rig_clear(&rig);
}

/* A kernel that is changed on disk under a running machine is checked again. */
static void test_changed_file(void)
{
    uint8_t image[BZ_SIZE];
    g_autoptr(GError) error = NULL;
    BootEntry entry;
    Rig rig;

    rig_init(&rig);
    build_bzimage(image);
    write_file(rig.kernel, image, sizeof(image));
    g_autoptr(BootImage) boot = boot_image_open(rig.kernel, NULL, NULL, NULL);
    g_assert(boot_load(boot, rig.memory, &rig.map, &entry, NULL));
    FILE *file = g_fopen(rig.kernel, "r+");
    g_assert(file && ftruncate(fileno(file), 3000) == 0);
    fclose(file);
    g_assert(!boot_load(boot, rig.memory, &rig.map, &entry, &error));
    expect_error(error, "truncated");
    rig_clear(&rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/boot/bzimage/64-bit-entry", test_bzimage_64);
    g_test_add_func("/boot/bzimage/32-bit-entry", test_bzimage_32);
    g_test_add_func("/boot/page-tables-are-identity", test_page_tables);
    g_test_add_func("/boot/elf/64", test_elf64);
    g_test_add_func("/boot/elf/32", test_elf32);
    for (size_t i = 0; i < G_N_ELEMENTS(bz_patches); i++) {
        g_test_add_data_func(bz_patches[i].name, &bz_patches[i], test_bz_patch);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(elf_patches); i++) {
        g_test_add_data_func(elf_patches[i].name, &elf_patches[i], test_elf_patch);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_test_add_data_func(files[i].name, &files[i], test_file);
    }
    g_test_add_func("/boot/file/every-truncation", test_truncated);
    g_test_add_func("/boot/file/changed-while-running", test_changed_file);
    g_test_add_func("/boot/initrd/too-large", test_initrd_too_large);
    g_test_add_func("/boot/initrd/missing", test_initrd_missing);
    return g_test_run();
}
