/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small FAT file system, see seed.h.
 *
 * By Microsoft's "FAT: General Overview of On-Disk Format" (1.03): a boot sector, two copies of the
 * table, the root folder, and clusters of one sector.  FAT16, as 4085 clusters at least make it.
 */
#include "cli/seed.h"

#include <string.h>

#include "common/bits.h"
#include "common/error.h"

enum {
    SECTOR = 512,
    SECTORS = 8192, /* 4 MiB */
    TABLE_SECTORS = 32,
    ROOT_ENTRIES = 64,
    ROOT_SECTOR = 1 + 2 * TABLE_SECTORS,
    DATA_SECTOR = ROOT_SECTOR + ROOT_ENTRIES * 32 / SECTOR,
    ENTRY = 32,
    LONG_PART = 13, /* characters of a name in an entry */
    ATTRIBUTE_FILE = 0x20,
    ATTRIBUTE_LABEL = 0x08,
    ATTRIBUTE_LONG = 0x0f,
    FAT_END = 0xffff,
};

typedef struct Seed {
    uint8_t *bytes;
    unsigned next_cluster; /* free from here on */
    unsigned entries;      /* of the root folder, used */
} Seed;

static void put_boot_sector(uint8_t *boot)
{
    memcpy(boot,
           "\xeb\x3c\x90"
           "INSULA  ",
           11);
    store_le16(boot + 11, SECTOR);
    boot[13] = 1;             /* sectors per cluster */
    store_le16(boot + 14, 1); /* sectors before the tables */
    boot[16] = 2;             /* tables */
    store_le16(boot + 17, ROOT_ENTRIES);
    store_le16(boot + 19, SECTORS);
    boot[21] = 0xf8; /* a fixed disk */
    store_le16(boot + 22, TABLE_SECTORS);
    store_le16(boot + 24, 32); /* sectors per track, heads: of no use */
    store_le16(boot + 26, 2);
    boot[36] = 0x80;
    boot[38] = 0x29; /* the three that follow are there */
    store_le32(boot + 39, 0x1a51a000);
    memcpy(boot + 43, "CIDATA     FAT16   ", 19);
    store_le16(boot + 510, 0xaa55);
}

static uint8_t *next_entry(Seed *seed)
{
    return seed->bytes + ROOT_SECTOR * SECTOR + ENTRY * seed->entries++;
}

/* The short name "SEED0001" of file number @number; what people see are the long names. */
static void short_name(unsigned number, char out[12])
{
    g_snprintf(out, 12, "SEED%04u   ", number);
}

static uint8_t checksum(const char *name)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 11; i++) {
        sum = (uint8_t)((sum >> 1 | sum << 7) + (uint8_t)name[i]);
    }
    return sum;
}

/* Part @part (from 0) of @name, in UTF-16, behind whose end come 0 and then FFFFh. */
static void put_long_part(uint8_t *entry, const char *name, unsigned part, bool last, uint8_t sum)
{
    static const uint8_t places[LONG_PART] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
    size_t length = strlen(name);

    entry[0] = (uint8_t)((part + 1) | (last ? 0x40 : 0));
    entry[11] = ATTRIBUTE_LONG;
    entry[13] = sum;
    for (unsigned i = 0; i < LONG_PART; i++) {
        size_t at = part * LONG_PART + i;
        store_le16(entry + places[i], at < length ? (uint8_t)name[at] : at == length ? 0 : 0xffff);
    }
}

static bool put_file(Seed *seed, const SeedFile *file, unsigned number, GError **error)
{
    size_t size = strlen(file->text), length = strlen(file->name);
    unsigned parts = (unsigned)(length + LONG_PART - 1) / LONG_PART;
    unsigned clusters = (unsigned)(size + SECTOR - 1) / SECTOR, first = seed->next_cluster;
    uint8_t *table = seed->bytes + SECTOR;
    char name[12];

    if (length > 26 || seed->entries + parts + 1 > ROOT_ENTRIES ||
        DATA_SECTOR + (first - 2) + clusters > SECTORS) {
        set_error(error, "file '%s' does not fit on the seed", file->name);
        return false;
    }
    short_name(number, name);
    for (unsigned part = parts; part-- > 0;) {
        put_long_part(next_entry(seed), file->name, part, part == parts - 1, checksum(name));
    }
    uint8_t *entry = next_entry(seed);
    memcpy(entry, name, 11);
    entry[11] = ATTRIBUTE_FILE;
    store_le16(entry + 24, 0x21); /* 1 January 1980 */
    store_le16(entry + 26, (uint16_t)(clusters ? first : 0));
    store_le32(entry + 28, (uint32_t)size);
    memcpy(seed->bytes + (DATA_SECTOR + first - 2) * SECTOR, file->text, size);
    for (unsigned i = 0; i < clusters; i++) {
        uint16_t next = (uint16_t)(i + 1 < clusters ? first + i + 1 : FAT_END);
        store_le16(table + 2 * (first + i), next);
    }
    seed->next_cluster += clusters;
    return true;
}

GByteArray *seed_new(const SeedFile *files, GError **error)
{
    GByteArray *image = g_byte_array_new();
    Seed seed = { .next_cluster = 2 };

    g_byte_array_set_size(image, SECTORS * SECTOR);
    memset(image->data, 0, image->len);
    seed.bytes = image->data;
    put_boot_sector(seed.bytes);
    store_le16(seed.bytes + SECTOR, 0xfff8);
    store_le16(seed.bytes + SECTOR + 2, FAT_END);
    uint8_t *label = next_entry(&seed);
    memcpy(label, "CIDATA     ", 11);
    label[11] = ATTRIBUTE_LABEL;
    for (unsigned i = 0; files[i].name; i++) {
        if (!put_file(&seed, &files[i], i, error)) {
            g_byte_array_unref(image);
            return NULL;
        }
    }
    memcpy(seed.bytes + (1 + TABLE_SECTORS) * SECTOR, seed.bytes + SECTOR, TABLE_SECTORS * SECTOR);
    return image;
}
