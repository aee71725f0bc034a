/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk with ATA's commands (ATA8-ACS, chapter 7): reading and writing in all of their forms,
 * queued ones too, flushes, TRIM, and what tells systems of it.
 *
 * A command is a row of the table.  One that isn't there is aborted, which says that the drive has
 * none of what it is for (security, SMART, power saving).
 *
 * Threads: see sata.h.
 */
#include <string.h>

#include "machine/device/sata.h"
#include "machine/limits.h"

#define LBA28_MAX UINT64_C(0xfffffff)
#define LBA48_MAX UINT64_C(0xffffffffffff)

/* What a command is. */
enum {
    WIDE = 1,   /* 48-bit: 16 bits of count */
    QUEUED = 2, /* the count is in the features, the tag in the count */
    WRITE = 4,
    DURABLE = 8, /* when answered */
    PIO = 16,
    NO_DATA = 32, /* sectors are named, but not moved */
};

typedef struct AtaCommand {
    uint8_t code;
    uint8_t flags;
    int (*run)(SataDrive *drive, SataCommand *c, unsigned flags);
} AtaCommand;

enum { IDENTIFY_SIZE = SATA_REPLY, TRIM_ENTRY = 8, TRIM_BLOCKS = ATA_TRIM_BLOCKS };
enum { LOG_DIRECTORY = 0, LOG_QUEUED_ERROR = 0x10 };
enum { FEATURE_WRITE_CACHE = 0x02, FEATURE_TRANSFER = 0x03, FEATURE_LOOK_AHEAD = 0xaa };
enum { FEATURE_NO_LOOK_AHEAD = 0x55, FEATURE_NO_WRITE_CACHE = 0x82 };

static uint64_t sectors_of(const SataDrive *drive)
{
    return blk_size(drive->blk) / BLK_SECTOR;
}

/* --- moving data --- */

/* How many sectors: 0 stands for the most that the field can say, and one more. */
static unsigned sectors_asked(const SataCommand *c, unsigned flags)
{
    unsigned count = flags & QUEUED ? c->features : flags & WIDE ? c->count : c->count & 0xffU;

    return count ? count : flags & (WIDE | QUEUED) ? 65536 : 256;
}

static uint64_t lba_asked(const SataCommand *c, unsigned flags)
{
    return flags & (WIDE | QUEUED) ? c->lba
                                   : (c->lba & 0xffffff) | (uint64_t)(c->device & 0xf) << 24;
}

/* What is to be moved; nothing, if that can't be. */
static SataMove plan_move(const SataDrive *drive, SataCommand *c, unsigned flags)
{
    uint64_t lba = lba_asked(c, flags);
    unsigned count = sectors_asked(c, flags);
    bool write = flags & WRITE;
    bool durable = flags & DURABLE || (flags & QUEUED && c->device & 0x80);

    if (!(c->device & 0x40) || (write && blk_read_only(drive->blk))) {
        sata_fail(c, ATA_ABORTED); /* addressed by cylinders, which no system does any more */
        return (SataMove){ 0 };
    }
    if (!range_inside(lba, count, 0, sectors_of(drive))) {
        sata_fail(c, ATA_NO_SUCH_SECTOR);
        return (SataMove){ 0 };
    }
    if (flags & NO_DATA) {
        return (SataMove){ 0 };
    }
    return (SataMove){ lba * BLK_SECTOR, (uint64_t)count * BLK_SECTOR, write,
                       write && (durable || drive->no_write_cache) };
}

static int read_or_write(SataDrive *drive, SataCommand *c, unsigned flags)
{
    SataMove move = plan_move(drive, c, flags);
    int result = move.len ? sata_move(drive, c, move.offset, move.len, move.write) : 0;

    if (result == 0 && c->status == ATA_GOOD && move.durable) {
        result = sata_flush(drive);
    }
    return result;
}

static int read_or_write_multiple(SataDrive *drive, SataCommand *c, unsigned flags)
{
    if (!drive->multiple) {
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
    return read_or_write(drive, c, flags);
}

static int flush(SataDrive *drive, SataCommand *c, unsigned flags)
{
    return blk_read_only(drive->blk) ? 0 : sata_flush(drive);
}

/* DATA SET MANAGEMENT: ranges of sectors that hold nothing of interest any more. */
static int trim(SataDrive *drive, SataCommand *c, unsigned flags)
{
    uint8_t block[BLK_SECTOR];
    int result = 0;

    if (!(c->features & 1) || blk_read_only(drive->blk) || !c->count || c->count > TRIM_BLOCKS) {
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
    for (unsigned i = 0; i < c->count; i++) {
        if (sata_get(c, block, sizeof(block)) != sizeof(block)) {
            sata_fail(c, ATA_ABORTED);
            return 0;
        }
        for (unsigned at = 0; at < sizeof(block) && !result; at += TRIM_ENTRY) {
            uint64_t entry = load_le64(block + at);
            uint64_t lba = entry & LBA48_MAX, sectors = entry >> 48;
            if (!range_inside(lba, sectors, 0, sectors_of(drive))) {
                sata_fail(c, ATA_NO_SUCH_SECTOR);
                return 0;
            }
            result = sectors ? sata_discard(drive, lba * BLK_SECTOR, sectors * BLK_SECTOR) : 0;
        }
    }
    return result;
}

/* --- what it is --- */

/* Words of IDENTIFY DEVICE (7.16.7) that are the same for every disk. */
static const struct {
    uint8_t word;
    uint16_t value;
} identity[] = {
    { 0, 0x0040 },   { 3, 16 },      { 6, 63 },      { 47, 0x8000 | SATA_MULTIPLE_MAX },
    { 49, 0x0f00 }, /* DMA, LBA, IORDY */
    { 50, 0x4000 },  { 53, 0x0006 }, { 63, 0x0007 }, { 64, 0x0003 },
    { 65, 120 },     { 66, 120 },    { 67, 120 },    { 68, 120 },
    { 69, 0x4000 }, /* what was trimmed reads the same each time */
    { 75, 31 },     /* 32 queued commands */
    { 76, 0x0106 }, /* that, at 1.5 and 3 Gbit/s */
    { 80, 0x01f0 }, /* up to ATA8-ACS */
    { 82, 0x4060 }, /* NOP, look-ahead, write cache */
    { 83, 0x7400 }, /* flushes, 48-bit addresses */
    { 84, 0x4060 }, /* logs, FUA */
    { 86, 0x3400 },  { 87, 0x4060 }, { 88, 0x203f }, { 105, TRIM_BLOCKS },
    { 217, 1 }, /* nothing turns */
    { 222, 0x101f },
};

static void put_word(uint8_t *identify, unsigned word, uint64_t value)
{
    store_le16(identify + (size_t)word * 2, (uint16_t)value);
}

/* Numbers of sectors, and as many as old systems can count. */
static void put_sizes(uint8_t *identify, uint64_t sectors)
{
    uint64_t old = MIN(sectors, LBA28_MAX);

    put_word(identify, 1, MIN(sectors / (16 * 63), 16383));
    store_le32(identify + 120, (uint32_t)old);
    store_le64(identify + 200, MIN(sectors, LBA48_MAX));
}

static int hand_out(SataCommand *c)
{
    if (sata_put(c, c->reply, SATA_REPLY) != SATA_REPLY) {
        sata_fail(c, ATA_ABORTED);
    }
    return 0;
}

/* The same, after its last byte has made the sum of all 0. */
static int hand_out_summed(SataCommand *c)
{
    for (unsigned i = 0; i < SATA_REPLY - 1; i++) {
        c->reply[SATA_REPLY - 1] = (uint8_t)(c->reply[SATA_REPLY - 1] - c->reply[i]);
    }
    return hand_out(c);
}

static int identify(SataDrive *drive, SataCommand *c, unsigned flags)
{
    uint8_t *out = c->reply;

    memset(out, 0, IDENTIFY_SIZE);
    for (size_t i = 0; i < G_N_ELEMENTS(identity); i++) {
        put_word(out, identity[i].word, identity[i].value);
    }
    sata_put_text(out, 10, 10, drive->serial);
    sata_put_text(out, 23, 4, "1");
    sata_put_text(out, 27, 20, "Insula disk");
    put_sizes(out, sectors_of(drive));
    put_word(out, 59, drive->multiple ? 0x100U | drive->multiple : 0);
    put_word(out, 85, drive->no_write_cache ? 0x4040 : 0x4060);
    put_word(out, 169, blk_read_only(drive->blk) ? 0 : 1); /* TRIM */
    out[510] = 0xa5;
    return hand_out_summed(c);
}

/* READ LOG EXT: which logs there are, and what went wrong with a queued command (7.25). */
static int read_log(SataDrive *drive, SataCommand *c, unsigned flags)
{
    uint8_t *out = c->reply;
    unsigned log = c->lba & 0xff;

    if ((log != LOG_DIRECTORY && log != LOG_QUEUED_ERROR) || c->count != 1) {
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
    memset(out, 0, BLK_SECTOR);
    if (log == LOG_DIRECTORY) {
        out[0] = 1; /* version */
        out[LOG_QUEUED_ERROR * 2] = 1;
        return hand_out(c);
    }
    out[0] = drive->failed_tag;
    out[2] = drive->failed_status;
    out[3] = drive->failed_error;
    for (unsigned i = 0; i < 3; i++) {
        out[4 + i] = (uint8_t)(drive->failed_lba >> (8 * i));
        out[8 + i] = (uint8_t)(drive->failed_lba >> (24 + 8 * i));
    }
    out[7] = 0x40;
    store_le16(out + 12, drive->failed_count);
    return hand_out_summed(c);
}

/* --- settings --- */

static int set_features(SataDrive *drive, SataCommand *c, unsigned flags)
{
    switch (c->features & 0xff) {
    case FEATURE_WRITE_CACHE:
        drive->no_write_cache = false;
        return 0;
    case FEATURE_NO_WRITE_CACHE:
        drive->no_write_cache = true;
        return blk_read_only(drive->blk) ? 0 : sata_flush(drive);
    case FEATURE_TRANSFER:
    case FEATURE_LOOK_AHEAD:
    case FEATURE_NO_LOOK_AHEAD:
        return 0;
    default:
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
}

static int set_multiple(SataDrive *drive, SataCommand *c, unsigned flags)
{
    unsigned count = c->count & 0xff;

    if (count > SATA_MULTIPLE_MAX || (count && !is_power_of_two(count))) {
        sata_fail(c, ATA_ABORTED);
    } else {
        drive->multiple = (uint8_t)count;
    }
    return 0;
}

/* CHECK POWER MODE: it never sleeps. */
static int check_power(SataDrive *drive, SataCommand *c, unsigned flags)
{
    c->count = 0xff;
    return 0;
}

static int diagnose(SataDrive *drive, SataCommand *c, unsigned flags)
{
    sata_signature(drive, c);
    return 0;
}

static int native_size(SataDrive *drive, SataCommand *c, unsigned flags)
{
    uint64_t last = sectors_of(drive) ? sectors_of(drive) - 1 : 0;

    c->lba = MIN(last, flags & WIDE ? LBA48_MAX : LBA28_MAX);
    if (!(flags & WIDE)) {
        c->device = (uint8_t)((c->device & 0xf0) | c->lba >> 24);
        c->lba &= 0xffffff;
    }
    return 0;
}

static int nothing(SataDrive *drive, SataCommand *c, unsigned flags)
{
    return 0;
}

/* --- */

static const AtaCommand commands[] = {
    { 0x06, WIDE | WRITE, trim },
    { 0x10, 0, nothing }, /* RECALIBRATE */
    { 0x20, PIO, read_or_write },
    { 0x21, PIO, read_or_write },
    { 0x24, PIO | WIDE, read_or_write },
    { 0x25, WIDE, read_or_write },
    { 0x27, WIDE, native_size },
    { 0x29, PIO | WIDE, read_or_write_multiple },
    { 0x2f, PIO | WIDE, read_log },
    { 0x30, PIO | WRITE, read_or_write },
    { 0x31, PIO | WRITE, read_or_write },
    { 0x34, PIO | WIDE | WRITE, read_or_write },
    { 0x35, WIDE | WRITE, read_or_write },
    { 0x39, PIO | WIDE | WRITE, read_or_write_multiple },
    { 0x3d, WIDE | WRITE | DURABLE, read_or_write },
    { 0x40, NO_DATA, read_or_write }, /* READ VERIFY */
    { 0x41, NO_DATA, read_or_write },
    { 0x42, NO_DATA | WIDE, read_or_write },
    { 0x47, WIDE, read_log },
    { 0x60, QUEUED, nothing }, /* ata_disk_begin() */
    { 0x61, QUEUED | WRITE, nothing },
    { 0x70, 0, nothing }, /* SEEK */
    { 0x90, 0, diagnose },
    { 0x91, 0, nothing }, /* INITIALIZE DEVICE PARAMETERS */
    { 0xc4, PIO, read_or_write_multiple },
    { 0xc5, PIO | WRITE, read_or_write_multiple },
    { 0xc6, 0, set_multiple },
    { 0xc8, 0, read_or_write },
    { 0xc9, 0, read_or_write },
    { 0xca, WRITE, read_or_write },
    { 0xcb, WRITE, read_or_write },
    { 0xce, PIO | WIDE | WRITE | DURABLE, read_or_write_multiple },
    { 0xe0, 0, nothing }, /* STANDBY and IDLE, at once and later */
    { 0xe1, 0, nothing },
    { 0xe2, 0, nothing },
    { 0xe3, 0, nothing },
    { 0xe5, 0, check_power },
    { 0xe6, 0, nothing }, /* SLEEP: a reset wakes it, as does anything */
    { 0xe7, WRITE, flush },
    { 0xea, WRITE | WIDE, flush },
    { 0xec, PIO, identify },
    { 0xef, WRITE, set_features },
    { 0xf8, 0, native_size },
};

static const AtaCommand *command_of(uint8_t code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].code == code) {
            return &commands[i];
        }
    }
    return NULL;
}

bool ata_disk_is_write(const SataCommand *c)
{
    const AtaCommand *command = command_of(c->command);

    return command && (command->flags & WRITE);
}

bool ata_disk_is_queued(uint8_t code)
{
    const AtaCommand *command = command_of(code);

    return command && command->flags & QUEUED;
}

void ata_disk_begin(const SataDrive *drive, SataCommand *c, SataMove *ret)
{
    c->status = ATA_GOOD;
    c->protocol = SATA_QUEUED;
    c->tag = (uint8_t)(c->count >> 3 & 31);
    *ret = plan_move(drive, c, command_of(c->command)->flags);
}

int ata_disk_run(SataDrive *drive, SataCommand *c)
{
    const AtaCommand *command = command_of(c->command);

    if (!command) {
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
    if (command->flags & PIO) {
        c->protocol = command->flags & WRITE ? SATA_PIO_OUT : SATA_PIO_IN;
    }
    return command->run(drive, c, command->flags);
}
