/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What board pc tells its firmware, read back as firmware does; and option ROMs.
 */
#include "machine/board/pc_firmware.h"

#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "machine/core/bench.h"

enum { SELECT = 0x510, DATA = 0x511, ENTRY = 64 };

typedef struct Rig {
    DeviceEnv env;
    FwCfg *fw;
} Rig;

static void rig_init(Rig *rig)
{
    rig->env = (DeviceEnv){ .memory = gm_new(), .clock = clock_new_manual() };
    rig->fw = fw_cfg_new(&rig->env);
}

static void rig_clear(Rig *rig)
{
    device_free((Device *)rig->fw);
    clock_free(rig->env.clock);
    gm_free(rig->env.memory);
}

static void read_item(Rig *rig, uint16_t key, void *to, size_t size)
{
    gm_pio_write(rig->env.memory, SELECT, key, 2);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = (uint8_t)gm_pio_read(rig->env.memory, DATA, 1);
    }
}

/* The bytes of file @name; NULL: there is none. */
static GByteArray *read_file(Rig *rig, const char *name)
{
    uint8_t directory[4 + 8 * ENTRY];

    read_item(rig, FW_CFG_DIRECTORY, directory, sizeof(directory));
    for (unsigned i = 0; i < directory[3] && i < 8; i++) {
        const uint8_t *entry = directory + 4 + (size_t)i * ENTRY;
        if (!strcmp((const char *)entry + 8, name)) {
            GByteArray *file = g_byte_array_new();
            g_byte_array_set_size(file, (guint)(entry[2] << 8 | entry[3]));
            read_item(rig, (uint16_t)(entry[4] << 8 | entry[5]), file->data, file->len);
            return file;
        }
    }
    return NULL;
}

static void test_boot_order(void)
{
    static const char wanted[] = "/pci@i0cf8/a\n/pci@i0cf8/e\n/pci@i0cf8/d\n/pci@i0cf8/b\n"
                                 "/pci@i0cf8/c\n";
    PcBootList *list = pc_boot_list_new();
    Rig rig;

    rig_init(&rig);
    pc_boot_list_tell(list, rig.fw);
    g_assert_null(read_file(&rig, "bootorder"));
    pc_boot_list_add(list, 1, "a");
    pc_boot_list_add(list, 0, "b");
    pc_boot_list_add(list, 0, "c");
    pc_boot_list_add(list, 7, "d");
    pc_boot_list_add(list, 2, "e");
    pc_boot_list_tell(list, rig.fw);
    GByteArray *file = read_file(&rig, "bootorder");
    g_assert_cmpmem(file->data, file->len, wanted, sizeof(wanted));
    g_byte_array_unref(file);
    pc_boot_list_free(list);
    rig_clear(&rig);
}

static void test_smbios(void)
{
    const SmbiosConfig config = {
        .product = "pc-1", .name = "web", .cpus = 1, .low_memory = 1 << 26
    };
    uint8_t uuid[16], wanted[16];
    Rig rig;

    rig_init(&rig);
    pc_tell_smbios(rig.fw, &config);
    smbios_uuid("web", wanted);
    read_item(&rig, FW_CFG_UUID, uuid, sizeof(uuid));
    g_assert_cmpmem(uuid, 16, wanted, 16);
    GByteArray *tables = read_file(&rig, SMBIOS_TABLES_FILE);
    GByteArray *anchor = read_file(&rig, SMBIOS_ANCHOR_FILE);
    g_assert_cmpuint(anchor->len, ==, 0x1f);
    g_assert_cmpuint(tables->len, ==, anchor->data[0x16] | anchor->data[0x17] << 8);
    g_byte_array_unref(tables);
    g_byte_array_unref(anchor);
    rig_clear(&rig);
}

/* Firmware gets a kernel in two pieces, the first as long as its header says. */
static void test_kernel(void)
{
    enum { SIZE = 4096, SECTORS = 3 };
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "insula-kernel-XXXXXX", NULL);
    uint8_t kernel[SIZE], read[SIZE];
    g_autoptr(GError) error = NULL;
    uint32_t size = 0;
    PcKernel held;
    Rig rig;

    for (unsigned i = 0; i < SIZE; i++) {
        kernel[i] = (uint8_t)(i * 7);
    }
    kernel[0x1f1] = SECTORS;
    int fd = g_mkstemp(path);
    g_assert_cmpint(write(fd, kernel, SIZE), ==, SIZE);
    MachineConfig config = { .kernel = path, .firmware = "uefi", .cmdline = "quiet" };
    rig_init(&rig);
    g_assert_true(pc_tell_kernel(rig.fw, &config, &held, &error));
    read_item(&rig, FW_CFG_SETUP_SIZE, &size, 4);
    g_assert_cmpuint(size, ==, (SECTORS + 1) * 512);
    read_item(&rig, FW_CFG_SETUP_DATA, read, size);
    read_item(&rig, FW_CFG_KERNEL_DATA, read + size, SIZE - size);
    g_assert_cmpmem(read, SIZE, kernel, SIZE);
    read_item(&rig, FW_CFG_CMDLINE_DATA, read, 6);
    g_assert_cmpstr((char *)read, ==, "quiet");
    pc_kernel_clear(&held);

    config.firmware = "bios";
    g_assert_false(pc_tell_kernel(rig.fw, &config, &held, &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_USAGE);
    pc_kernel_clear(&held);
    g_clear_error(&error);
    config.firmware = "uefi";
    g_assert_cmpint(ftruncate(fd, (SECTORS + 1) * 512), ==, 0);
    g_assert_false(pc_tell_kernel(rig.fw, &config, &held, &error));
    g_assert_error(error, INSULA_ERROR, INSULA_ERROR_FAILED);
    pc_kernel_clear(&held);
    close(fd);
    unlink(path);
    rig_clear(&rig);
}

/* An image of @units times 512 bytes; @type 0 is for a BIOS. */
static void make_image(uint8_t *rom, unsigned units, uint8_t type, bool last)
{
    enum { DATA_AT = 0x40 };

    memset(rom, 0x11, (size_t)units * 512);
    memcpy(rom, "\x55\xaa", 2);
    rom[2] = (uint8_t)units;
    rom[0x18] = DATA_AT;
    rom[0x19] = 0;
    memcpy(rom + DATA_AT, "PCIR", 4);
    rom[DATA_AT + 0x10] = (uint8_t)units;
    rom[DATA_AT + 0x11] = 0;
    rom[DATA_AT + 0x14] = type;
    rom[DATA_AT + 0x15] = last ? 0x80 : 0;
}

static void test_rom_ids(void)
{
    uint8_t rom[5 * 512];
    uint8_t sum = 0;

    make_image(rom, 2, 0, false);
    make_image(rom + 1024, 3, 3, true);
    g_assert_true(pc_rom_set_ids(rom, sizeof(rom), 0x1af4, 0x1041));
    for (unsigned i = 0; i < 1024; i++) {
        sum = (uint8_t)(sum + rom[i]);
    }
    g_assert_cmpuint(sum, ==, 0);
    static const uint8_t ids[4] = { 0xf4, 0x1a, 0x41, 0x10 };
    g_assert_cmpmem(rom + 0x44, 4, ids, 4);
    g_assert_cmpmem(rom + 1024 + 0x44, 4, ids, 4);
}

/* Files that are no ROM: none is taken, nothing is read outside of them (as sanitizers see). */
static void test_rom_rubbish(void)
{
    static const struct {
        const char *name;
        unsigned offset;
        uint8_t value;
    } spoils[] = {
        { "signature", 1, 0 },          { "data behind the end", 0x19, 0xff },
        { "data at the end", 0x19, 3 }, { "data without name", 0x40, 'X' },
        { "no length", 0x50, 0 },       { "length beyond the end", 0x51, 0xff },
        { "not the last", 0x50, 2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(spoils); i++) {
        g_autofree uint8_t *rom = g_malloc(1024);
        make_image(rom, 2, 0, false);
        rom[spoils[i].offset] = spoils[i].value;
        g_test_message("%s", spoils[i].name);
        g_assert_false(pc_rom_set_ids(rom, 1024, 1, 2));
        g_assert_false(pc_rom_set_ids(rom, i, 1, 2));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pc-firmware/what was said comes first", test_boot_order);
    g_test_add_func("/pc-firmware/the machine has a name", test_smbios);
    g_test_add_func("/pc-firmware/a kernel comes in two pieces", test_kernel);
    g_test_add_func("/pc-firmware/a ROM is for the NIC it is in", test_rom_ids);
    g_test_add_func("/pc-firmware/what is no ROM is refused", test_rom_rubbish);
    return g_test_run();
}
