/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: kernel files.  The first byte chooses a form: the rest is the file as it is, or is
 * laid over a good bzImage or ELF header, so that most of the checks are reached.
 *
 * Whatever the file holds, it is refused with an error or loaded inside RAM.
 *
 * Threads: one.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bits.h"
#include "machine/boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MIB = 1 << 20, RAM = 20 * MIB, FILE_SIZE = 4096, ELF_NOTES = 0x200 };

static void good_bzimage(uint8_t *image)
{
    image[0x1f1] = 1;
    store_le16(image + 0x1fe, 0xaa55);
    image[0x201] = 0x62;
    memcpy(image + 0x202, "HdrS", 4);
    store_le16(image + 0x206, 0x20f);
    image[0x211] = 1;
    store_le32(image + 0x22c, 0x7fffffff);
    store_le32(image + 0x238, 255);
    store_le64(image + 0x258, MIB);
}

static void good_elf(uint8_t *image)
{
    static const uint64_t headers[2][7] = {
        { 0x500000001, 0x400, 0, 2 * MIB, 0x400, 0x800, 0x1000 },
        { 0x400000004, ELF_NOTES, 0, 0, 0x40, 0x40, 4 },
    };
    static const uint32_t note[] = { 4, 4, 18, 0x006e6558, 2 * MIB };

    memcpy(image, "\177ELF\2\1\1", 7);
    store_le16(image + 18, 62);
    store_le64(image + 32, 0x40);
    store_le16(image + 54, 56);
    store_le16(image + 56, 2);
    memcpy(image + 0x40, headers, sizeof(headers));
    memcpy(image + ELF_NOTES, note, sizeof(note));
}

/* Triples of the input change the image: two bytes of offset, one of value. */
static void change(uint8_t *image, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size; i += 3) {
        image[load_le16(data + i) % FILE_SIZE] = data[i + 2];
    }
}

static void load(int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GuestMemory) memory = gm_new();
    g_autoptr(GError) error = NULL;
    BootMap map = {
        .ranges = { { 0, 0xa0000, BOOT_RAM }, { MIB, RAM - MIB, BOOT_RAM } },
        .n_ranges = 2,
        .rsdp = 0xe0000,
    };
    BootEntry entry;

    g_assert(gm_add_ram(memory, 0, RAM, NULL));
    g_autoptr(BootImage) image = boot_image_open(path, path, "quiet", &error);
    bool loaded = image && boot_load(image, memory, &map, &entry, &error);
    g_assert(loaded == !error);
    g_assert(!loaded || gm_ram(memory, entry.rip, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t image[FILE_SIZE] = { 0 };
    int fd = memfd_create("kernel", MFD_CLOEXEC);

    if (size == 0 || fd < 0) {
        close(fd);
        return 0;
    }
    if (data[0] % 3 == 0) {
        g_assert(write(fd, data + 1, size - 1) == (ssize_t)size - 1);
    } else {
        (data[0] % 3 == 1 ? good_bzimage : good_elf)(image);
        change(image, data + 1, size - 1);
        g_assert(write(fd, image, sizeof(image)) == (ssize_t)sizeof(image));
    }
    load(fd);
    close(fd);
    return 0;
}
