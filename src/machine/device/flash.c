/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flash chip with Intel's command set (JEDEC JESD68 and JEP137, vendor command set 0001h), one
 * byte wide, as firmware for virtual machines knows it.
 *
 * Usually it is read like ROM.  A store is a command; most make reads give a status instead of the
 * bytes, until the command "read array".  Programming clears bits, erasing sets those of a block.
 * What changes is written to the host's file, and made durable when the guest goes back to reading.
 *
 * Threads: vCPU threads, under the lock.
 */
#include "machine/device/flash.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_ARRAY = 0xff,
    READ_ID = 0x90,
    READ_QUERY = 0x98,
    READ_STATUS = 0x70,
    CLEAR_STATUS = 0x50,
    PROGRAM = 0x40,
    PROGRAM_OLD = 0x10,
    BUFFERED = 0xe8,
    ERASE = 0x20,
    LOCKS = 0x60,
    CONFIRM = 0xd0,
};

enum { STATUS_READY = 0x80, STATUS_ERASE_ERROR = 0x20, STATUS_PROGRAM_ERROR = 0x10 };
enum { BUFFER_BYTES = 64, QUERY_BYTES = 0x40 };

struct Flash {
    Device device;
    /* fixed after create */
    const RamBlock *block;
    uint64_t gpa;
    int fd;
    bool read_only;
    GmWindow *array;    /* its bytes; stores come here */
    GmWindow *commands; /* what is read instead */
    /* lock: device.lock */
    uint8_t command;  /* what reads give: READ_ARRAY, READ_STATUS, READ_ID or READ_QUERY */
    uint8_t expected; /* a command whose operand comes next; 0: none */
    uint8_t status;
    uint16_t left; /* bytes that BUFFERED still takes; 0 with .expected BUFFERED: their number */
    uint8_t counted;
    bool dirty; /* written to the file, not yet durable */
};

static void show_mode(Flash *flash)
{
    GuestMemory *memory = flash->device.env.memory;

    gm_change_begin(memory);
    if (flash->command == READ_ARRAY) {
        gm_window_hide(memory, flash->commands);
    } else {
        gm_window_show(memory, flash->commands, flash->gpa);
    }
    gm_change_end(memory);
}

static void save(Flash *flash, uint64_t offset, size_t len)
{
    if (flash->fd < 0) {
        return;
    }
    if (pwrite(flash->fd, flash->block->hva + offset, len, (off_t)offset) != (ssize_t)len) {
        device_log(&flash->device, "cannot write to the file: %s", g_strerror(errno));
        flash->status |= STATUS_PROGRAM_ERROR;
    }
    flash->dirty = true;
}

static void go_to(Flash *flash, uint8_t mode)
{
    flash->command = mode;
    flash->expected = 0;
    if (mode == READ_ARRAY && flash->dirty) {
        flash->dirty = false;
        if (fdatasync(flash->fd) < 0) {
            device_log(&flash->device, "cannot write to the file: %s", g_strerror(errno));
        }
    }
    show_mode(flash);
}

static void erase(Flash *flash, uint64_t offset)
{
    offset = align_down(offset, FLASH_BLOCK);
    memset(flash->block->hva + offset, 0xff, FLASH_BLOCK);
    gm_written(flash->device.env.memory, flash->gpa + offset, FLASH_BLOCK);
    save(flash, offset, FLASH_BLOCK);
}

static void program(Flash *flash, uint64_t offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        flash->block->hva[offset + i] &= (uint8_t)(value >> (8 * i));
    }
    gm_written(flash->device.env.memory, flash->gpa + offset, size);
    save(flash, offset, size);
}

static void begin(Flash *flash, uint8_t command)
{
    switch (command) {
    case READ_ARRAY:
    case READ_STATUS:
    case READ_ID:
    case READ_QUERY:
        go_to(flash, command);
        break;
    case CLEAR_STATUS:
        flash->status = STATUS_READY;
        go_to(flash, READ_ARRAY);
        break;
    case PROGRAM:
    case PROGRAM_OLD:
    case ERASE:
    case LOCKS:
    case BUFFERED:
        go_to(flash, READ_STATUS);
        flash->expected = command;
        flash->counted = false;
        break;
    default:
        guest_error(&flash->device, "unknown command %02x", command);
        go_to(flash, READ_ARRAY);
        break;
    }
}

/* Bytes for BUFFERED: first one less than their number, then they, then a confirmation. */
static void take_buffered(Flash *flash, uint64_t offset, uint64_t value, unsigned size)
{
    if (!flash->counted) {
        flash->counted = true;
        flash->left = (uint16_t)((value & 0xff) + 1);
        if (flash->left > BUFFER_BYTES) {
            guest_error(&flash->device, "%u bytes for a buffer of %u", flash->left, BUFFER_BYTES);
            flash->status |= STATUS_PROGRAM_ERROR;
            flash->expected = 0;
        }
    } else if (flash->left) {
        unsigned take = MIN(size, flash->left);
        program(flash, offset, value, take);
        flash->left = (uint16_t)(flash->left - take);
    } else {
        flash->expected = 0;
    }
}

static void operand(Flash *flash, uint64_t offset, uint64_t value, unsigned size)
{
    uint8_t command = flash->expected;

    if (command == BUFFERED) {
        take_buffered(flash, offset, value, size);
        return;
    }
    flash->expected = 0;
    if (command == PROGRAM || command == PROGRAM_OLD) {
        program(flash, offset, value, size);
    } else if (command == ERASE && (value & 0xff) == CONFIRM) {
        erase(flash, offset);
    } else if (command == ERASE) {
        flash->status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
    }
}

static void write_chip(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Flash *flash = opaque;

    if (flash->read_only) {
        return;
    }
    if (flash->expected) {
        operand(flash, offset, value, size);
    } else {
        begin(flash, (uint8_t)value);
    }
}

/* The query structure that describes the chip (JESD68.01, 4.3), from offset 10h on. */
static uint8_t query_byte(const Flash *flash, uint64_t offset)
{
    uint64_t blocks = flash->block->size / FLASH_BLOCK - 1;
    const uint8_t table[QUERY_BYTES] = {
        [0x10] = 'Q',
        'R',
        'Y',
        0x01,
        0x00,
        0x31,
        0x00,
        0,
        0,
        0,
        0,
        [0x1b] = 0x45,
        0x55,
        0,
        0,
        7,
        7,
        10,
        0,
        4,
        4,
        4,
        0,
        [0x27] = (uint8_t)(63 - __builtin_clzll(flash->block->size)),
        0,
        0,
        6,
        0,
        1,
        [0x2d] = (uint8_t)blocks,
        (uint8_t)(blocks >> 8),
        FLASH_BLOCK >> 8 & 0xff,
        FLASH_BLOCK >> 16,
        [0x31] = 'P',
        'R',
        'I',
        '1',
        '0',
    };

    return offset < QUERY_BYTES ? table[offset] : 0;
}

static uint8_t read_byte(const Flash *flash, uint64_t offset)
{
    static const uint8_t id[4] = { 0x89, 0x18, 0, 0 };

    switch (flash->command) {
    case READ_STATUS:
        return flash->status;
    case READ_ID:
        return id[offset % FLASH_BLOCK % 4];
    case READ_QUERY:
        return query_byte(flash, offset);
    default:
        return flash->block->hva[offset];
    }
}

static uint64_t read_chip(void *opaque, uint64_t offset, unsigned size)
{
    const Flash *flash = opaque;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_byte(flash, offset + i) << (8 * i);
    }
    return value;
}

static const IoOps ops = { .read = read_chip, .write = write_chip, .sizes = 1 | 2 | 4 | 8 };

static void reset(Device *device)
{
    Flash *flash = container_of(device, Flash, device);

    flash->status = STATUS_READY;
    flash->left = 0;
    flash->counted = false;
    go_to(flash, READ_ARRAY);
}

static bool is_mode(uint8_t command)
{
    return command == READ_ARRAY || command == READ_STATUS || command == READ_ID ||
           command == READ_QUERY;
}

static bool loaded(Device *device, GError **error)
{
    Flash *flash = container_of(device, Flash, device);

    flash->command = is_mode(flash->command) && !flash->read_only ? flash->command : READ_ARRAY;
    show_mode(flash);
    save(flash, 0, flash->block->size); /* the file keeps what the machine sees */
    return true;
}

static void destroy(Device *device)
{
    Flash *flash = container_of(device, Flash, device);

    if (flash->dirty) {
        fdatasync(flash->fd);
    }
}

/* The bytes themselves are a block of memory, saved with RAM. */
static const SavedField saved[] = {
    SAVED(Flash, command),
    SAVED(Flash, expected),
    SAVED(Flash, status),
    SAVED(Flash, left),
    SAVED_RANGE(Flash, counted, 0, 1),
    { 0 },
};

const DeviceClass flash_class = {
    .name = "flash",
    .summary = "flash chip with firmware or its variables",
    .instance_size = sizeof(Flash),
    .saved = saved,
    .reset = reset,
    .loaded = loaded,
    .destroy = destroy,
};

Flash *flash_new(const FlashConfig *config)
{
    Flash *flash = device_new(&flash_class, &config->env, config->name);
    GmWindowConfig window = {
        .io = { .name = flash_class.name,
                .base = config->gpa,
                .size = config->block->size,
                .ops = &ops,
                .opaque = flash,
                .lock = &flash->device.lock },
        .block = config->block,
        .read_only = true,
        .priority = GM_FIXED,
    };

    g_assert(config->block->size % FLASH_BLOCK == 0);
    flash->block = config->block;
    flash->gpa = config->gpa;
    flash->fd = config->fd;
    flash->read_only = config->read_only;
    flash->array = gm_add_window(config->env.memory, &window);
    window.block = NULL;
    window.read_only = false;
    window.hidden = true;
    window.priority = GM_COVER;
    flash->commands = gm_add_window(config->env.memory, &window);
    return flash;
}
