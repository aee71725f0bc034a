/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device, see fw_cfg.h.
 *
 *   port 510h, 16 bits   selects an item, and goes to its beginning
 *   port 511h, 8 bits    reads its next byte; zeros behind the end
 *   port 514h, 64 bits   big-endian, the lower half last: the address of a command in RAM, which is
 *                        done at once: select, read to RAM, skip
 *
 * Items can't be written.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/fw_cfg.h"

#include <string.h>
#include <unistd.h>

#include "machine/limits.h"

enum { SELECT_PORT = 0x510, DMA_PORT = 0x514, ITEMS = 0x80 };
/* Bit 14 of a number asks for writing, which there isn't; bit 15 is for one architecture's. */
enum { KEY_MASK = 0xbfff };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { FEATURE_PORTS = 1, FEATURE_DMA = 2, DIRECTORY_ENTRY = 64, CHUNK = 65536 };
#define DMA_SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */

typedef struct Item {
    uint8_t *data; /* owned; NULL: of .fd */
    size_t size;
    int fd;
    uint64_t offset;
    char name[FW_CFG_MAX_NAME];
    FwCfgUpdateFn update;
    void *opaque;
} Item;

struct FwCfg {
    Device device;
    /* fixed after create */
    Item items[ITEMS];
    unsigned n_files;
    /* lock: device.lock */
    uint16_t key;
    uint32_t position;
    uint32_t dma_high; /* of the command's address */
};

/* A command, as it stands in RAM. */
typedef struct DmaCommand {
    uint32_t control, length;
    uint64_t gpa;
} DmaCommand;

static const Item *selected(const FwCfg *fw)
{
    return fw->key < ITEMS ? &fw->items[fw->key] : NULL;
}

static void select_item(FwCfg *fw, uint16_t key)
{
    fw->key = key & KEY_MASK;
    fw->position = 0;
    const Item *item = selected(fw);
    if (item && item->update) {
        item->update(item->opaque, item->data, item->size);
    }
    device_log(&fw->device, "select %x %s", key, item ? item->name : "");
}

/* Copy @len bytes at the position to @to, or zeros. */
static void copy_out(const FwCfg *fw, uint8_t *to, size_t len)
{
    const Item *item = selected(fw);
    size_t there = item && fw->position < item->size ? MIN(len, item->size - fw->position) : 0;

    if (there && item->data) {
        memcpy(to, item->data + fw->position, there);
    } else if (there) {
        ssize_t got = pread(item->fd, to, there, (off_t)(item->offset + fw->position));
        there = got < 0 ? 0 : (size_t)got; /* a file that has shrunk since ends in zeros */
    }
    memset(to + there, 0, len - there);
}

/* The position stays at the end of what 32 bits can count. */
static void go_on(FwCfg *fw, uint64_t len)
{
    fw->position = (uint32_t)MIN(fw->position + len, UINT32_MAX);
}

/* --- by ports --- */

static uint64_t read_port(void *opaque, uint64_t offset, unsigned size)
{
    FwCfg *fw = opaque;
    uint8_t byte;

    if (offset != 1) {
        return bits_mask(size * 8);
    }
    copy_out(fw, &byte, 1);
    go_on(fw, 1);
    return byte;
}

static void write_port(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset == 0 && size == 2) {
        select_item(opaque, (uint16_t)value);
    }
}

/* --- by commands in RAM --- */

/* Copy to RAM; false: not all of that is RAM. */
static bool dma_read(FwCfg *fw, uint64_t gpa, uint32_t length)
{
    GuestMemory *memory = fw->device.env.memory;
    uint8_t *hva = gm_ram(memory, gpa, length);

    if (!hva) {
        return length == 0;
    }
    for (uint32_t done = 0; done < length;) {
        uint32_t part = MIN(length - done, CHUNK);
        copy_out(fw, hva + done, part);
        go_on(fw, part);
        done += part;
    }
    gm_written(memory, gpa, length);
    return true;
}

static void run_command(FwCfg *fw, uint64_t gpa)
{
    GuestMemory *memory = fw->device.env.memory;
    DmaCommand command;
    bool good = true;

    if (!gm_read(memory, gpa, &command, sizeof(command))) {
        guest_error(&fw->device, "command outside memory");
        return;
    }
    uint32_t control = GUINT32_FROM_BE(command.control), length = GUINT32_FROM_BE(command.length);
    if (control & DMA_SELECT) {
        select_item(fw, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        good = dma_read(fw, GUINT64_FROM_BE(command.gpa), length);
    } else if (control & DMA_WRITE) {
        good = false;
    } else if (control & DMA_SKIP) {
        go_on(fw, length);
    }
    if (!good) {
        guest_error(&fw->device, "command %x of %u bytes refused", control, length);
    }
    uint32_t answer = good ? 0 : GUINT32_TO_BE((uint32_t)DMA_ERROR);
    gm_write(memory, gpa, &answer, sizeof(answer));
}

static uint64_t read_dma(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t big_endian = GUINT64_TO_BE(DMA_SIGNATURE);

    return big_endian >> (offset * 8) & bits_mask(size * 8);
}

static void write_dma(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    FwCfg *fw = opaque;
    uint32_t half = GUINT32_FROM_BE((uint32_t)value);

    if (offset == 0) {
        fw->dma_high = half;
    } else if (offset == 4) {
        uint64_t gpa = (uint64_t)fw->dma_high << 32 | half;
        fw->dma_high = 0;
        run_command(fw, gpa);
    }
}

static const IoOps port_ops = { .read = read_port, .write = write_port, .sizes = 1 | 2 };
static const IoOps dma_ops = { .read = read_dma, .write = write_dma, .sizes = 4 };

/* --- items --- */

void fw_cfg_add(FwCfg *fw, uint16_t key, const void *data, size_t size)
{
    g_assert(key < ITEMS);
    Item *item = &fw->items[key];
    g_free(item->data);
    item->data = g_memdup2(size ? data : "", MAX(size, 1));
    item->size = size;
}

void fw_cfg_add_number(FwCfg *fw, uint16_t key, uint64_t value, unsigned size)
{
    fw_cfg_add(fw, key, &value, size);
}

void fw_cfg_add_host_file(FwCfg *fw, uint16_t key, int fd, uint64_t offset, size_t size)
{
    g_assert(key < ITEMS);
    fw->items[key] = (Item){ .size = size, .fd = fd, .offset = offset };
}

/* The directory: how many, then size, number and name of each; all big-endian. */
static void write_directory(FwCfg *fw)
{
    uint32_t count = GUINT32_TO_BE(fw->n_files);
    size_t size = sizeof(count) + (size_t)fw->n_files * DIRECTORY_ENTRY;
    g_autofree uint8_t *directory = g_malloc0(size);

    memcpy(directory, &count, sizeof(count));
    for (unsigned i = 0; i < fw->n_files; i++) {
        uint8_t *at = directory + sizeof(count) + (size_t)i * DIRECTORY_ENTRY;
        const Item *item = &fw->items[FW_CFG_FILE_FIRST + i];
        store_le32(at, GUINT32_TO_BE((uint32_t)item->size));
        store_le16(at + 4, GUINT16_TO_BE((uint16_t)(FW_CFG_FILE_FIRST + i)));
        memcpy(at + 8, item->name, FW_CFG_MAX_NAME);
    }
    fw_cfg_add(fw, FW_CFG_DIRECTORY, directory, size);
}

static Item *find_file(FwCfg *fw, const char *name)
{
    for (unsigned i = 0; i < fw->n_files; i++) {
        if (!strcmp(fw->items[FW_CFG_FILE_FIRST + i].name, name)) {
            return &fw->items[FW_CFG_FILE_FIRST + i];
        }
    }
    return NULL;
}

void fw_cfg_add_file(FwCfg *fw, const char *name, const void *data, size_t size)
{
    uint16_t key = (uint16_t)(FW_CFG_FILE_FIRST + fw->n_files);

    g_assert(fw->n_files < FW_CFG_MAX_FILES && strlen(name) < FW_CFG_MAX_NAME);
    g_assert(!find_file(fw, name));
    fw_cfg_add(fw, key, data, size);
    g_strlcpy(fw->items[key].name, name, FW_CFG_MAX_NAME);
    fw->n_files++;
    write_directory(fw);
}

void fw_cfg_on_select(FwCfg *fw, const char *name, FwCfgUpdateFn fn, void *opaque)
{
    Item *item = find_file(fw, name);

    g_assert(item);
    item->update = fn;
    item->opaque = opaque;
}

/* --- life --- */

static void reset(Device *device)
{
    FwCfg *fw = container_of(device, FwCfg, device);

    fw->key = 0;
    fw->position = 0;
    fw->dma_high = 0;
}

static void destroy(Device *device)
{
    FwCfg *fw = container_of(device, FwCfg, device);

    for (unsigned i = 0; i < ITEMS; i++) {
        g_free(fw->items[i].data);
    }
}

static const SavedField saved[] = {
    SAVED_RANGE(FwCfg, key, 0, KEY_MASK),
    SAVED(FwCfg, position),
    SAVED(FwCfg, dma_high),
    { 0 },
};

const DeviceClass fw_cfg_class = {
    .name = "fw-cfg",
    .summary = "what the board tells its firmware",
    .instance_size = sizeof(FwCfg),
    .saved = saved,
    .reset = reset,
    .destroy = destroy,
};

FwCfg *fw_cfg_new(const DeviceEnv *env)
{
    FwCfg *fw = device_new(&fw_cfg_class, env, "fw-cfg");

    _Static_assert((int)ITEMS >= FW_CFG_FILE_FIRST + FW_CFG_MAX_FILES, "room for all files");
    fw_cfg_add(fw, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_number(fw, FW_CFG_ID, FEATURE_PORTS | FEATURE_DMA, 4);
    write_directory(fw);
    device_add_pio(&fw->device, &port_ops, SELECT_PORT, 2);
    device_add_pio(&fw->device, &dma_ops, DMA_PORT, 8);
    return fw;
}
