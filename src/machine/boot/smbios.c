/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SMBIOS tables of a machine, see smbios.h.
 *
 * A structure is a header, fields, and then its strings, which fields name by number from 1 on.
 */
#include "machine/boot/smbios.h"

#include <string.h>

#include "common/bits.h"

#define PACKED __attribute__((packed))

enum {
    TYPE_BIOS = 0,
    TYPE_SYSTEM = 1,
    TYPE_CHASSIS = 3,
    TYPE_PROCESSOR = 4,
    TYPE_ARRAY = 16,
    TYPE_MEMORY = 17,
    TYPE_MAPPED = 19,
    TYPE_BOOT = 32,
    TYPE_END = 127,
};

enum {
    OTHER = 1,
    UNKNOWN = 2,
    NONE_SAID = 3,
    STATE_SAFE = 3,
    NO_HANDLE = 0xfffe,
    NOT_SAID = 0xffff
};

typedef struct PACKED Header {
    uint8_t type, length;
    uint16_t handle;
} Header;

typedef struct PACKED Bios {
    Header head;
    uint8_t vendor, version;
    uint16_t segment;
    uint8_t date, rom_size;
    uint64_t characteristics;
    uint8_t extension[2];
    uint8_t major, minor, controller_major, controller_minor;
} Bios;

typedef struct PACKED System {
    Header head;
    uint8_t maker, product, version, serial;
    uint8_t uuid[16];
    uint8_t wake_up, sku, family;
} System;

typedef struct PACKED Chassis {
    Header head;
    uint8_t maker, type, version, serial, asset;
    uint8_t boot_state, power_state, thermal_state, security;
    uint32_t oem;
    uint8_t height, cords, contained, contained_length;
} Chassis;

typedef struct PACKED Processor {
    Header head;
    uint8_t socket, type, family, maker;
    uint64_t id;
    uint8_t version, voltage;
    uint16_t clock, max_speed, speed;
    uint8_t status, upgrade;
    uint16_t cache[3];
    uint8_t serial, asset, part;
    uint8_t cores, enabled, threads;
    uint16_t characteristics, family2;
} Processor;

typedef struct PACKED MemoryArray {
    Header head;
    uint8_t location, use, correction;
    uint32_t capacity_kib;
    uint16_t error, devices;
    uint64_t capacity;
} MemoryArray;

typedef struct PACKED MemoryDevice {
    Header head;
    uint16_t array, error, total_width, data_width, size_mib;
    uint8_t form, set, locator, bank, type;
    uint16_t detail, speed;
    uint8_t maker, serial, asset, part, attributes;
    uint32_t extended_size_mib;
    uint16_t configured_speed, min_voltage, max_voltage, voltage;
} MemoryDevice;

typedef struct PACKED Mapped {
    Header head;
    uint32_t first_kib, last_kib;
    uint16_t array;
    uint8_t width;
    uint64_t first, last;
} Mapped;

typedef struct PACKED BootStatus {
    Header head;
    uint8_t reserved[6], status;
} BootStatus;

/* DSP0134, 5.2.1 */
typedef struct PACKED Anchor {
    char signature[4];
    uint8_t checksum, length, major, minor;
    uint16_t largest;
    uint8_t revision, formatted[5];
    char dmi[5];
    uint8_t dmi_checksum;
    uint16_t tables_length;
    uint32_t tables;
    uint16_t n_tables;
    uint8_t bcd;
} Anchor;
_Static_assert(sizeof(Anchor) == 0x1f, "DSP0134, 5.2.1");

typedef struct Tables {
    GByteArray *bytes;
    uint16_t n, largest;
} Tables;

/* Append structure @head of @length bytes and its @strings, NULL behind the last. */
static void add(Tables *tables, Header *head, uint8_t type, size_t length,
                const char *const *strings)
{
    guint begin = tables->bytes->len;

    *head = (Header){ type, (uint8_t)length, (uint16_t)(type << 8 | tables->n) };
    g_byte_array_append(tables->bytes, (const guint8 *)head, (guint)length);
    for (; *strings; strings++) {
        g_byte_array_append(tables->bytes, (const guint8 *)*strings, (guint)strlen(*strings) + 1);
    }
    guint ends = tables->bytes->len == begin + length ? 2 : 1;
    g_byte_array_append(tables->bytes, (const guint8 *)"\0", ends);
    tables->n++;
    tables->largest = MAX(tables->largest, (uint16_t)(tables->bytes->len - begin));
}

static const char *const no_strings[] = { NULL };

static void add_bios(Tables *tables, const SmbiosConfig *config)
{
    enum {
        SEGMENT = 0xe800,
        UNSUPPORTED = 8,
        VIRTUAL_MACHINE = 0x10,
        UEFI = 8,
        NO_CONTROLLER = 0xff
    };
    const char *const strings[] = { "Insula", config->product, "01/01/2026", NULL };
    Bios bios = {
        .vendor = 1,
        .version = 2,
        .date = 3,
        .segment = SEGMENT,
        .characteristics = UNSUPPORTED,
        .extension = { 0, (uint8_t)(VIRTUAL_MACHINE | (config->uefi ? UEFI : 0)) },
        .controller_major = NO_CONTROLLER,
        .controller_minor = NO_CONTROLLER,
    };

    add(tables, &bios.head, TYPE_BIOS, sizeof(bios), strings);
}

static void add_system(Tables *tables, const SmbiosConfig *config)
{
    enum { WAKE_UP_SWITCH = 6 };
    const char *const strings[] = { "Insula", "Insula virtual machine", config->product,
                                    config->name, NULL };
    System system = { .maker = 1, .product = 2, .version = 3, .wake_up = WAKE_UP_SWITCH };

    if (config->name) {
        system.serial = 4;
        smbios_uuid(config->name, system.uuid);
    }
    if (config->has_uuid) {
        /* the first three fields are numbers, and those stand the other way round (7.2.1) */
        static const uint8_t place[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (unsigned i = 0; i < sizeof(place); i++) {
            system.uuid[i] = config->uuid[place[i]];
        }
    }
    add(tables, &system.head, TYPE_SYSTEM, sizeof(system), strings);
}

static void add_chassis(Tables *tables)
{
    const char *const strings[] = { "Insula", NULL };
    Chassis chassis = {
        .maker = 1,
        .type = OTHER,
        .boot_state = STATE_SAFE,
        .power_state = STATE_SAFE,
        .thermal_state = STATE_SAFE,
        .security = NONE_SAID,
    };

    add(tables, &chassis.head, TYPE_CHASSIS, sizeof(chassis), strings);
}

/* One socket with all vCPUs as its cores. */
static void add_processor(Tables *tables, const SmbiosConfig *config)
{
    enum { CENTRAL = 3, POPULATED_ENABLED = 0x41, CORES_MAX = 0xff };
    const char *const strings[] = { "CPU 0", "Insula", NULL };
    uint8_t cores = (uint8_t)MIN(config->cpus, CORES_MAX);
    Processor cpu = {
        .socket = 1,
        .type = CENTRAL,
        .family = OTHER,
        .maker = 2,
        .status = POPULATED_ENABLED,
        .upgrade = OTHER,
        .cache = { NOT_SAID, NOT_SAID, NOT_SAID },
        .cores = cores,
        .enabled = cores,
        .threads = cores,
        .characteristics = UNKNOWN,
        .family2 = OTHER,
    };

    add(tables, &cpu.head, TYPE_PROCESSOR, sizeof(cpu), strings);
}

/* An address range that one of the memory arrays' bytes are at. */
static void add_mapped(Tables *tables, uint16_t array, uint64_t first, uint64_t size)
{
    enum { IN_BYTES = UINT32_MAX };
    uint64_t last_kib = (first + size - 1) >> 10;
    bool small = last_kib < UINT32_MAX;
    Mapped mapped = {
        .first_kib = small ? (uint32_t)(first >> 10) : (uint32_t)IN_BYTES,
        .last_kib = small ? (uint32_t)last_kib : (uint32_t)IN_BYTES,
        .array = array,
        .width = 1,
        .first = small ? 0 : first,
        .last = small ? 0 : first + size - 1,
    };

    add(tables, &mapped.head, TYPE_MAPPED, sizeof(mapped), no_strings);
}

static void add_memory(Tables *tables, const SmbiosConfig *config)
{
    enum { SYSTEM_BOARD = 3, SYSTEM_MEMORY = 3, DIMM = 9, TYPE_RAM = 7, IN_EXTENSION = 0x7fff };
    const uint32_t in_bytes = UINT32_C(0x80000000);
    uint64_t size = config->low_memory + config->high_memory;
    bool large = size >> 10 >= in_bytes;
    MemoryArray array = {
        .location = SYSTEM_BOARD,
        .use = SYSTEM_MEMORY,
        .correction = NONE_SAID,
        .capacity_kib = large ? in_bytes : (uint32_t)(size >> 10),
        .error = NO_HANDLE,
        .devices = 1,
        .capacity = large ? size : 0,
    };
    const char *const strings[] = { "DIMM 0", "Insula", NULL };
    bool extended = size >> 20 >= IN_EXTENSION;
    MemoryDevice device = {
        .error = NO_HANDLE,
        .total_width = NOT_SAID,
        .data_width = NOT_SAID,
        .size_mib = extended ? IN_EXTENSION : (uint16_t)(size >> 20),
        .form = DIMM,
        .locator = 1,
        .type = TYPE_RAM,
        .detail = UNKNOWN,
        .maker = 2,
        .extended_size_mib = extended ? (uint32_t)(size >> 20) : 0,
    };

    add(tables, &array.head, TYPE_ARRAY, sizeof(array), no_strings);
    device.array = array.head.handle;
    add(tables, &device.head, TYPE_MEMORY, sizeof(device), strings);
    add_mapped(tables, array.head.handle, 0, config->low_memory);
    if (config->high_memory) {
        add_mapped(tables, array.head.handle, UINT64_C(1) << 32, config->high_memory);
    }
}

static uint8_t checksum(const void *bytes, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    }
    return (uint8_t)-sum;
}

void smbios_build(const SmbiosConfig *config, uint32_t address, SmbiosFiles *ret_files)
{
    enum { DMI = offsetof(Anchor, dmi) };
    Tables tables = { .bytes = g_byte_array_new() };
    BootStatus boot = { 0 }; /* no errors */
    Header end;

    add_bios(&tables, config);
    add_system(&tables, config);
    add_chassis(&tables);
    add_processor(&tables, config);
    add_memory(&tables, config);
    add(&tables, &boot.head, TYPE_BOOT, sizeof(boot), no_strings);
    add(&tables, &end, TYPE_END, sizeof(end), no_strings);
    Anchor anchor = {
        .signature = { '_', 'S', 'M', '_' },
        .length = sizeof(anchor),
        .major = 2,
        .minor = 8,
        .largest = tables.largest,
        .dmi = { '_', 'D', 'M', 'I', '_' },
        .tables_length = (uint16_t)tables.bytes->len,
        .tables = address,
        .n_tables = tables.n,
        .bcd = 0x28,
    };
    anchor.dmi_checksum = checksum(anchor.dmi, sizeof(anchor) - DMI);
    anchor.checksum = checksum(&anchor, sizeof(anchor));
    *ret_files = (SmbiosFiles){ tables.bytes, g_byte_array_new() };
    g_byte_array_append(ret_files->anchor, (const guint8 *)&anchor, sizeof(anchor));
}

void smbios_files_clear(SmbiosFiles *files)
{
    g_clear_pointer(&files->tables, g_byte_array_unref);
    g_clear_pointer(&files->anchor, g_byte_array_unref);
}

/* RFC 4122, a UUID of version 5 in a name space of our own; SMBIOS has its first three fields
 * little-endian, where only the version's byte matters here. */
void smbios_uuid(const char *name, uint8_t ret_uuid[16])
{
    static const char space[] = "insula:";
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    uint8_t digest[20];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)space, sizeof(space) - 1);
    g_checksum_update(sum, (const guchar *)name, (gssize)strlen(name));
    g_checksum_get_digest(sum, digest, &len);
    memcpy(ret_uuid, digest, 16);
    ret_uuid[7] = (uint8_t)((ret_uuid[7] & 0x0f) | 0x50);
    ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3f) | 0x80);
}
