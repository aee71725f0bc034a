/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What board pc tells its firmware, see pc_firmware.h.
 */
#include "machine/board/pc_firmware.h"

#include <string.h>

#include "common/error.h"
#include "machine/board/firmware.h"

/* --- boot order --- */

typedef struct BootEntryName {
    unsigned order;
    char *path;
} BootEntryName;

struct PcBootList {
    GArray *entries;
};

enum { UNSAID = 1 << 16 };

static void clear_entry(gpointer data)
{
    g_free(((BootEntryName *)data)->path);
}

PcBootList *pc_boot_list_new(void)
{
    PcBootList *list = g_new0(PcBootList, 1);

    list->entries = g_array_new(FALSE, FALSE, sizeof(BootEntryName));
    g_array_set_clear_func(list->entries, clear_entry);
    return list;
}

void pc_boot_list_free(PcBootList *list)
{
    if (list) {
        g_array_unref(list->entries);
        g_free(list);
    }
}

void pc_boot_list_add(PcBootList *list, unsigned order, const char *path)
{
    BootEntryName entry = {
        .order = order ? order : UNSAID + list->entries->len,
        .path = g_strdup_printf("/pci@i0cf8/%s", path),
    };
    guint at = 0;

    while (at < list->entries->len &&
           g_array_index(list->entries, BootEntryName, at).order <= entry.order) {
        at++;
    }
    g_array_insert_val(list->entries, at, entry);
}

void pc_boot_list_tell(const PcBootList *list, FwCfg *fw)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < list->entries->len; i++) {
        g_string_append_printf(text, "%s\n", g_array_index(list->entries, BootEntryName, i).path);
    }
    if (text->len) {
        fw_cfg_add_file(fw, "bootorder", text->str, text->len + 1);
    }
}

/* --- SMBIOS --- */

void pc_tell_smbios(FwCfg *fw, const SmbiosConfig *config)
{
    SmbiosFiles files;
    uint8_t uuid[16] = { 0 };

    if (config->name) {
        smbios_uuid(config->name, uuid);
    }
    fw_cfg_add(fw, FW_CFG_UUID, uuid, sizeof(uuid));
    smbios_build(config, 0, &files);
    fw_cfg_add_file(fw, SMBIOS_TABLES_FILE, files.tables->data, files.tables->len);
    fw_cfg_add_file(fw, SMBIOS_ANCHOR_FILE, files.anchor->data, files.anchor->len);
    smbios_files_clear(&files);
}

void pc_place_smbios(GuestMemory *memory, const SmbiosConfig *config)
{
    enum { ANCHOR = 0xf0000, TABLES = ANCHOR + 0x20 };
    SmbiosFiles files;

    smbios_build(config, TABLES, &files);
    gm_write(memory, ANCHOR, files.anchor->data, files.anchor->len);
    gm_write(memory, TABLES, files.tables->data, files.tables->len);
    smbios_files_clear(&files);
}

/* --- a kernel --- */

static void tell_file(FwCfg *fw, uint16_t size_key, uint16_t data_key, const BootFile *file,
                      uint64_t offset, uint64_t size)
{
    fw_cfg_add_number(fw, size_key, size, 4);
    fw_cfg_add_host_file(fw, data_key, file->fd, offset, size);
}

static void tell_command_line(FwCfg *fw, const char *text)
{
    size_t size = strlen(text) + 1;

    fw_cfg_add_number(fw, FW_CFG_CMDLINE_SIZE, size, 4);
    fw_cfg_add(fw, FW_CFG_CMDLINE_DATA, text, size);
}

bool pc_tell_kernel(FwCfg *fw, const MachineConfig *config, PcKernel *ret, GError **error)
{
    enum { SETUP_SECTORS = 0x1f1, USUAL_SECTORS = 4, SECTOR = 512 }; /* Linux boot protocol 2.00 */
    uint8_t sectors = 0;

    *ret = (PcKernel){ 0 };
    if (!config->kernel) {
        return true;
    }
    if (strcmp(config->firmware, "uefi")) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "--firmware '%s' can't start a kernel: use --firmware uefi or none",
                       config->firmware);
        return false;
    }
    ret->kernel = boot_file_open("kernel", config->kernel, error);
    if (!ret->kernel || !boot_file_read(ret->kernel, SETUP_SECTORS, &sectors, 1, error)) {
        return false;
    }
    uint64_t setup = (uint64_t)((sectors ? sectors : USUAL_SECTORS) + 1) * SECTOR;
    if (setup >= ret->kernel->size || ret->kernel->size > UINT32_MAX) {
        set_error(error, "cannot use kernel '%s': firmware starts a bzImage, which this isn't",
                  config->kernel);
        return false;
    }
    tell_file(fw, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, ret->kernel, 0, setup);
    tell_file(fw, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, ret->kernel, setup,
              ret->kernel->size - setup);
    if (config->initrd) {
        ret->initrd = boot_file_open("initrd", config->initrd, error);
        if (!ret->initrd) {
            return false;
        }
        tell_file(fw, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, ret->initrd, 0,
                  MIN(ret->initrd->size, UINT32_MAX));
    }
    tell_command_line(fw, config->cmdline ? config->cmdline : "");
    return true;
}

void pc_kernel_clear(PcKernel *kernel)
{
    g_clear_pointer(&kernel->kernel, boot_file_free);
    g_clear_pointer(&kernel->initrd, boot_file_free);
}

/* --- option ROMs --- */

/* PCI Firmware 3.0, 5.1: each image begins with 55h AAh, has at 18h where its data are, and these
 * have the ids at 4, its length in 512 bytes at 10h, and bit 7 of 15h on the last one. */
enum { ROM_UNIT = 512, ROM_DATA = 0x18, DATA_SIZE = 0x18, ROM_BIOS_LENGTH = 2, ROM_CHECKSUM = 6 };

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* A BIOS's image sums to zero. */
static void balance(uint8_t *image, size_t size)
{
    size_t len = MIN((size_t)image[ROM_BIOS_LENGTH] * ROM_UNIT, size);
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + image[i]);
    }
    image[ROM_CHECKSUM] = (uint8_t)(image[ROM_CHECKSUM] - sum);
}

bool pc_rom_set_ids(uint8_t *rom, size_t size, uint16_t vendor, uint16_t device)
{
    for (size_t at = 0; at + ROM_UNIT <= size;) {
        uint8_t *image = rom + at;
        size_t data = get16(image + ROM_DATA);
        if (image[0] != 0x55 || image[1] != 0xaa || data + DATA_SIZE > size - at ||
            memcmp(image + data, "PCIR", 4) != 0) {
            return false;
        }
        size_t length = (size_t)get16(image + data + 0x10) * ROM_UNIT;
        put16(image + data + 4, vendor);
        put16(image + data + 6, device);
        if (image[data + 0x14] == 0) {
            balance(image, size - at);
        }
        if (image[data + 0x15] & 0x80) {
            return true;
        }
        if (!length) {
            return false;
        }
        at += length;
    }
    return false;
}

bool pc_add_nic_rom(PciDevice *pci, const char *name, uint16_t vendor, uint16_t device,
                    GError **error)
{
    size_t size = 0;
    g_autofree uint8_t *rom = firmware_find(name, &size);

    if (!rom) {
        return true;
    }
    if (size > (1 << 20) || !pc_rom_set_ids(rom, size, vendor, device)) {
        set_error(error, "firmware file '%s' is no PCI option ROM", name);
        return false;
    }
    return pci_add_rom(pci, rom, size, error);
}
