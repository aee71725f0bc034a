/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CD-ROM drive (MMC-5, SPC-3; ATAPI is in ATA8-ACS, 4.3): reads blocks of 2048 bytes from an
 * image, one session with one track.
 *
 * A packet is a row of the table; one that isn't there fails with what the standard has for that.
 * What went wrong last is the sense, which REQUEST SENSE hands out.  A new medium is told once,
 * by the next packet's failing, and to whoever polls GET EVENT STATUS NOTIFICATION.
 *
 * The tray: the guest opens and closes it, and can lock it; from outside it is opened too, by force
 * if it must be, else the guest is asked.
 *
 * Threads: see sata.h.
 */
#include <string.h>

#include "machine/device/sata.h"

enum { BLOCK = 2048, LEAD_OUT = 0xaa, FRAMES_PER_SECOND = 75, PREGAP = 150 };

/* Sense: key, code, qualifier (MMC-5, annex F). */
enum { NOT_READY = 2, MEDIUM_ERROR = 3, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };
enum { INVALID_OPCODE = 0x20, BLOCK_OUT_OF_RANGE = 0x21, INVALID_FIELD = 0x24 };
enum { MEDIUM_CHANGED = 0x28, NO_MEDIUM = 0x3a, REMOVAL_PREVENTED = 0x53, UNREADABLE = 0x11 };
enum { TRAY_CLOSED = 1, TRAY_OPEN = 2, PREVENTED = 2 };

enum { NEEDS_MEDIUM = 1, IN_SPITE_OF_ATTENTION = 2 };

typedef struct Packet {
    uint8_t code;
    uint8_t flags;
    int (*run)(SataDrive *drive, SataCommand *c);
} Packet;

static uint16_t be16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static uint32_t be32(const uint8_t *from)
{
    return (uint32_t)be16(from) << 16 | be16(from + 2);
}

static void put_be16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put_be32(uint8_t *to, uint32_t value)
{
    put_be16(to, value >> 16);
    put_be16(to + 2, value);
}

static bool is_ready(const SataDrive *drive)
{
    return drive->blk && !drive->tray_open;
}

static uint32_t blocks_of(const SataDrive *drive)
{
    return (uint32_t)MIN(blk_size(drive->blk) / BLOCK, UINT32_MAX);
}

/* --- how a packet ends --- */

/* The packet fails.  0, for the caller to return. */
static int check(SataDrive *drive, SataCommand *c, uint8_t key, uint8_t code, uint8_t qualifier)
{
    drive->sense[0] = key;
    drive->sense[1] = code;
    drive->sense[2] = qualifier;
    sata_fail(c, (uint8_t)(key << 4 | ATA_ABORTED));
    return 0;
}

void ata_cdrom_unreadable(SataDrive *drive, SataCommand *c)
{
    check(drive, c, MEDIUM_ERROR, UNREADABLE, 0);
}

static int invalid_field(SataDrive *drive, SataCommand *c)
{
    return check(drive, c, ILLEGAL_REQUEST, INVALID_FIELD, 0);
}

static int no_medium(SataDrive *drive, SataCommand *c)
{
    return check(drive, c, NOT_READY, NO_MEDIUM, drive->tray_open ? TRAY_OPEN : TRAY_CLOSED);
}

/* Hand out as much of the reply as was asked for and has room. */
static int reply(SataCommand *c, size_t len, size_t asked)
{
    sata_put(c, c->reply, MIN(len, asked));
    return 0;
}

/* --- what it is --- */

static int inquiry(SataDrive *drive, SataCommand *c)
{
    enum { CD_ROM = 5, REMOVABLE = 0x80, ATAPI = 0x21, SIZE = 36 };
    static const char texts[] = "Insula  CD-ROM          1   ";

    if (c->packet[1] & 3) { /* pages of vital data: it has none */
        return invalid_field(drive, c);
    }
    c->reply[0] = CD_ROM;
    c->reply[1] = REMOVABLE;
    c->reply[3] = ATAPI;
    c->reply[4] = SIZE - 5;
    memcpy(c->reply + 8, texts, sizeof(texts) - 1);
    return reply(c, SIZE, be16(c->packet + 3));
}

static int request_sense(SataDrive *drive, SataCommand *c)
{
    enum { FIXED = 0x70, SIZE = 18 };

    if (drive->changed) {
        check(drive, c, UNIT_ATTENTION, MEDIUM_CHANGED, 0);
        c->status = ATA_GOOD;
        c->error = 0;
        drive->changed = false;
    }
    c->reply[0] = FIXED;
    c->reply[2] = drive->sense[0];
    c->reply[7] = SIZE - 8;
    c->reply[12] = drive->sense[1];
    c->reply[13] = drive->sense[2];
    memset(drive->sense, 0, sizeof(drive->sense));
    return reply(c, SIZE, c->packet[4]);
}

/* MODE SENSE (10): the pages that systems look for, each at its default in all ways of asking. */
static int mode_sense(SataDrive *drive, SataCommand *c)
{
    enum { HEADER = 8, ALL = 0x3f };
    static const uint8_t error_recovery[] = { 0x01, 6, 0, 5, 0, 0, 0, 0 };
    static const uint8_t audio[] = { 0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0 };
    /* 2Ah: no writing; a tray that can be locked and ejects; speed of 32 */
    uint8_t capabilities[] = { 0x2a, 18, 0x3b, 0, 0x71, 0x60, 0x29, 0, 0x15, 0xb0,
                               0,    2,  0x02, 0, 0x15, 0xb0, 0,    0, 0,    0 };
    const struct {
        const uint8_t *bytes;
        size_t size;
    } pages[] = {
        { error_recovery, sizeof(error_recovery) },
        { audio, sizeof(audio) },
        { capabilities, sizeof(capabilities) },
    };
    unsigned asked = c->packet[2] & 0x3f;
    size_t at = HEADER;

    if (c->packet[2] >> 6 == 3) { /* saved values: none are */
        return check(drive, c, ILLEGAL_REQUEST, 0x39, 0);
    }
    capabilities[6] |= drive->locked ? 2 : 0;
    for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
        if (asked == ALL || asked == pages[i].bytes[0]) {
            memcpy(c->reply + at, pages[i].bytes, pages[i].size);
            at += pages[i].size;
        }
    }
    if (at == HEADER) {
        return invalid_field(drive, c);
    }
    put_be16(c->reply, (unsigned)at - 2);
    c->reply[2] = drive->tray_open ? 0x71 : drive->blk ? 0x01 : 0x70;
    return reply(c, at, be16(c->packet + 7));
}

/* GET CONFIGURATION: features, from the one that is asked for on. */
static int get_configuration(SataDrive *drive, SataCommand *c)
{
    enum { HEADER = 8, PROFILE_CD = 8, PROFILE_DVD = 0x10, ONE = 2 };
    const uint64_t cd_max = UINT64_C(900) << 20;
    bool ready = is_ready(drive), dvd = ready && blk_size(drive->blk) > cd_max;
    const uint8_t features[][12] = {
        /* code (16), version and whether it holds now, length, data */
        { 0, 0, 0x03, 8, 0, PROFILE_DVD, dvd, 0, 0, PROFILE_CD, ready && !dvd, 0 },
        { 0, 1, 0x0b, 8, 0, 0, 0, 7, 1, 0, 0, 0 }, /* core: SATA */
        { 0, 2, 0x07, 4, 2, 0, 0, 0 },             /* morphing: events are polled for */
        { 0, 3, 0x03, 4, 0x39, 0, 0, 0 },          /* removable: a tray with a lock */
        { 0, 0x10, (uint8_t)ready, 8, 0, 0, 8, 0, 0, 0x10, 0, 0 }, /* random reading */
        { 0, 0x1e, ready && !dvd, 4, 0, 0, 0, 0 },                 /* CD reading */
        { 0, 0x1f, dvd, 4, 0, 0, 0, 0 },                           /* DVD reading */
    };
    unsigned kind = c->packet[1] & 3, first = be16(c->packet + 2);
    size_t at = HEADER;

    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        unsigned code = features[i][1];
        size_t size = 4U + features[i][3];
        if ((kind == ONE ? code == first : code >= first) && (kind != 1 || features[i][2] & 1)) {
            memcpy(c->reply + at, features[i], size);
            at += size;
        }
    }
    put_be32(c->reply, (uint32_t)at - 4);
    put_be16(c->reply + 6, dvd ? PROFILE_DVD : ready ? PROFILE_CD : 0);
    return reply(c, at, be16(c->packet + 7));
}

/* --- the tray --- */

static void tell_tray(const SataDrive *drive)
{
    const MachineEvents *events = drive->events;

    if (events && events->tray) {
        events->tray(events->opaque, drive->name, drive->tray_open);
    }
}

/* There is another medium than before, or none. */
static void changed(SataDrive *drive)
{
    drive->changed = is_ready(drive);
    drive->event = is_ready(drive) ? SATA_MEDIA_NEW : SATA_MEDIA_REMOVED;
}

static void move_tray(SataDrive *drive, bool open)
{
    if (open != drive->tray_open) {
        drive->tray_open = open;
        changed(drive);
        tell_tray(drive);
    }
}

bool ata_cdrom_open(SataDrive *drive, bool force)
{
    if (drive->locked && !force && !drive->tray_open) {
        drive->event = SATA_MEDIA_EJECT_WANTED;
        return false;
    }
    move_tray(drive, true);
    return true;
}

void ata_cdrom_close(SataDrive *drive)
{
    move_tray(drive, false);
}

void ata_cdrom_set_medium(SataDrive *drive, Blk *blk)
{
    drive->blk = blk;
    if (!drive->tray_open) {
        changed(drive);
    }
}

static int start_stop(SataDrive *drive, SataCommand *c)
{
    enum { START = 1, EJECT_OR_LOAD = 2 };
    uint8_t how = c->packet[4];

    if (!(how & EJECT_OR_LOAD)) {
        return 0;
    }
    if (!(how & START) && drive->locked) {
        return check(drive, c, ILLEGAL_REQUEST, REMOVAL_PREVENTED, PREVENTED);
    }
    move_tray(drive, !(how & START));
    return 0;
}

static int prevent_removal(SataDrive *drive, SataCommand *c)
{
    drive->locked = c->packet[4] & 1;
    return 0;
}

/* GET EVENT STATUS NOTIFICATION: of the class for media, when polled. */
static int get_event(SataDrive *drive, SataCommand *c)
{
    enum { POLLED = 1, MEDIA = 4, NO_EVENT_AVAILABLE = 0x80, HEADER = 4, SIZE = 8 };
    bool media = c->packet[4] & 1 << MEDIA;

    if (!(c->packet[1] & POLLED)) {
        return invalid_field(drive, c);
    }
    put_be16(c->reply, (media ? SIZE : HEADER) - 2);
    c->reply[2] = media ? MEDIA : NO_EVENT_AVAILABLE;
    c->reply[3] = 1 << MEDIA;
    if (media) {
        c->reply[4] = drive->event;
        c->reply[5] = (uint8_t)(drive->tray_open | (is_ready(drive) ? 2 : 0));
        drive->event = SATA_MEDIA_NONE;
    }
    return reply(c, media ? SIZE : HEADER, be16(c->packet + 7));
}

static int mechanism_status(SataDrive *drive, SataCommand *c)
{
    c->reply[1] = drive->tray_open ? 0x10 : 0;
    c->reply[5] = 1; /* one slot */
    return reply(c, 8, be16(c->packet + 8));
}

/* --- the medium --- */

static int ready(SataDrive *drive, SataCommand *c)
{
    return 0;
}

static int read_capacity(SataDrive *drive, SataCommand *c)
{
    uint32_t blocks = blocks_of(drive);

    put_be32(c->reply, blocks ? blocks - 1 : 0);
    put_be32(c->reply + 4, BLOCK);
    return reply(c, 8, 8);
}

static int read_blocks(SataDrive *drive, SataCommand *c, uint32_t first, uint32_t count)
{
    if (!range_inside(first, count, 0, blocks_of(drive))) {
        return check(drive, c, ILLEGAL_REQUEST, BLOCK_OUT_OF_RANGE, 0);
    }
    int result = sata_move(drive, c, (uint64_t)first * BLOCK, (uint64_t)count * BLOCK, false);
    if (result == 0 && c->status != ATA_GOOD) {
        return invalid_field(drive, c); /* the guest's memory was too short */
    }
    return result;
}

static int read_10(SataDrive *drive, SataCommand *c)
{
    return read_blocks(drive, c, be32(c->packet + 2), be16(c->packet + 7));
}

static int read_12(SataDrive *drive, SataCommand *c)
{
    return read_blocks(drive, c, be32(c->packet + 2), be32(c->packet + 6));
}

/* READ CD: the user's data alone, which is what there is. */
static int read_cd(SataDrive *drive, SataCommand *c)
{
    enum { USER_DATA = 0x10, ALL = 0xf8 };
    uint32_t count = be32(c->packet + 5) & 0xffffff;
    uint8_t parts = c->packet[9] & ALL;

    if (parts && parts != USER_DATA) {
        return invalid_field(drive, c);
    }
    return parts && count ? read_blocks(drive, c, be32(c->packet + 2), count) : 0;
}

/* A block's address, as minutes, seconds and frames if that is wanted. */
static void put_address(uint8_t *to, uint32_t block, bool msf)
{
    if (msf) {
        block += PREGAP;
        to[1] = (uint8_t)(block / FRAMES_PER_SECOND / 60);
        to[2] = (uint8_t)(block / FRAMES_PER_SECOND % 60);
        to[3] = (uint8_t)(block % FRAMES_PER_SECOND);
    } else {
        put_be32(to, block);
    }
}

/* READ TOC/PMA/ATIP: track 1 and the lead-out; sessions; or the table as it is on the disc. */
static int read_toc(SataDrive *drive, SataCommand *c)
{
    enum { TRACKS = 0, SESSIONS = 1, FULL = 2, DATA_TRACK = 0x14, SIZE = 12 };
    bool msf = c->packet[1] & 2;
    unsigned format = c->packet[2] & 0xf, track = c->packet[6];
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    uint8_t *out = c->reply;
    size_t at = 4;

    format = format ? format : c->packet[9] >> 6; /* where older standards have it */
    out[2] = out[3] = 1;
    if (format == TRACKS && track > 1 && track != LEAD_OUT) {
        return invalid_field(drive, c);
    }
    if (format == TRACKS || format == SESSIONS) {
        for (unsigned i = track == LEAD_OUT; i < (format == TRACKS ? 2 : 1); i++) {
            out[at + 1] = DATA_TRACK;
            out[at + 2] = i ? LEAD_OUT : 1;
            put_address(out + at + 4, i ? blocks_of(drive) : 0, msf);
            at += 8;
        }
    } else if (format == FULL) {
        for (unsigned i = 0; i < G_N_ELEMENTS(points); i++, at += 11) {
            out[at] = 1;
            out[at + 1] = DATA_TRACK;
            out[at + 3] = points[i];
            out[at + 8] = i < 2;
            if (i >= 2) {
                put_address(out + at + 7, i == 2 ? blocks_of(drive) : 0, true);
            }
        }
    } else {
        return invalid_field(drive, c);
    }
    put_be16(out, (unsigned)at - 2);
    return reply(c, at, be16(c->packet + 7));
}

/* READ DISC INFORMATION: complete, one session, one track. */
static int disc_information(SataDrive *drive, SataCommand *c)
{
    enum { SIZE = 34 };
    static const uint8_t start[] = { 0, SIZE - 2, 0x0e, 1, 1, 1, 1, 0x20 };

    memcpy(c->reply, start, sizeof(start));
    memset(c->reply + 16, 0xff, 8);
    return reply(c, SIZE, be16(c->packet + 7));
}

/* READ SUB-CHANNEL: no audio is played. */
static int sub_channel(SataDrive *drive, SataCommand *c)
{
    c->reply[1] = 0x15;
    return reply(c, 4, be16(c->packet + 7));
}

/* --- */

static const Packet packets[] = {
    { 0x00, NEEDS_MEDIUM, ready }, /* TEST UNIT READY */
    { 0x03, IN_SPITE_OF_ATTENTION, request_sense },
    { 0x12, IN_SPITE_OF_ATTENTION, inquiry },
    { 0x1b, 0, start_stop },
    { 0x1e, 0, prevent_removal },
    { 0x25, NEEDS_MEDIUM, read_capacity },
    { 0x28, NEEDS_MEDIUM, read_10 },
    { 0x2b, NEEDS_MEDIUM, ready }, /* SEEK */
    { 0x42, NEEDS_MEDIUM, sub_channel },
    { 0x43, NEEDS_MEDIUM, read_toc },
    { 0x46, IN_SPITE_OF_ATTENTION, get_configuration },
    { 0x4a, IN_SPITE_OF_ATTENTION, get_event },
    { 0x51, NEEDS_MEDIUM, disc_information },
    { 0x5a, 0, mode_sense },
    { 0xa8, NEEDS_MEDIUM, read_12 },
    { 0xbb, 0, ready }, /* SET CD SPEED */
    { 0xbd, 0, mechanism_status },
    { 0xbe, NEEDS_MEDIUM, read_cd },
};

static int run_packet(SataDrive *drive, SataCommand *c)
{
    const Packet *packet = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(packets) && !packet; i++) {
        packet = packets[i].code == c->packet[0] ? &packets[i] : NULL;
    }
    memset(c->reply, 0, sizeof(c->reply));
    if (!packet) {
        return check(drive, c, ILLEGAL_REQUEST, INVALID_OPCODE, 0);
    }
    if (drive->changed && !(packet->flags & IN_SPITE_OF_ATTENTION)) {
        drive->changed = false;
        return check(drive, c, UNIT_ATTENTION, MEDIUM_CHANGED, 0);
    }
    if (packet->flags & NEEDS_MEDIUM && !is_ready(drive)) {
        return no_medium(drive, c);
    }
    if (c->packet[0] != 0x03) {
        memset(drive->sense, 0, sizeof(drive->sense));
    }
    return packet->run(drive, c);
}

/* --- ATA's commands --- */

static const struct {
    uint8_t word;
    uint16_t value;
} identity
    [] = {
        { 0, 0x85c0 },  /* ATAPI, CD-ROM, removable, packets of 12 bytes */
        { 49, 0x0f00 }, /* DMA, LBA, IORDY */
        { 50, 0x4000 }, { 53, 0x0006 },  { 63, 0x0007 }, { 64, 0x0003 },
        { 65, 120 },    { 66, 120 },     { 67, 120 },    { 68, 120 },
        { 76, 0x0006 }, { 80, 0x01f0 },  { 82, 0x4210 }, /* NOP, DEVICE RESET, PACKET */
        { 83, 0x4000 }, { 84, 0x4000 },  { 85, 0x4210 }, { 87, 0x4000 },
        { 88, 0x203f }, { 222, 0x101f },
    };

static void identify(SataDrive *drive, SataCommand *c)
{
    uint8_t *out = c->reply;

    memset(out, 0, SATA_REPLY);
    for (size_t i = 0; i < G_N_ELEMENTS(identity); i++) {
        store_le16(out + (size_t)identity[i].word * 2, identity[i].value);
    }
    sata_put_text(out, 10, 10, drive->serial);
    sata_put_text(out, 23, 4, "1");
    sata_put_text(out, 27, 20, "Insula CD-ROM");
    c->protocol = SATA_PIO_IN;
    if (sata_put(c, out, SATA_REPLY) != SATA_REPLY) {
        sata_fail(c, ATA_ABORTED);
    }
}

int ata_cdrom_run(SataDrive *drive, SataCommand *c)
{
    enum { NOP = 0, DEVICE_RESET = 8, DIAGNOSE = 0x90, IDENTIFY_PACKET = 0xa1, CHECK_POWER = 0xe5 };
    enum { STANDBY_NOW = 0xe0, SLEEP = 0xe6, SET_FEATURES = 0xef, COMMAND_AND_INPUT = 3 };

    switch (c->command) {
    case ATA_PACKET:
        c->count = COMMAND_AND_INPUT; /* of the end: a status, for the guest */
        return run_packet(drive, c);
    case IDENTIFY_PACKET:
        identify(drive, c);
        return 0;
    case DEVICE_RESET:
    case DIAGNOSE:
        sata_signature(drive, c);
        return 0;
    case CHECK_POWER:
        c->count = 0xff;
        return 0;
    case SET_FEATURES:
    case STANDBY_NOW:
    case STANDBY_NOW + 1:
    case STANDBY_NOW + 2:
    case STANDBY_NOW + 3:
    case SLEEP:
        return 0;
    case NOP:
    default: /* what is for disks; the signature tells what this is (ATA8-ACS, 7.16.5) */
        sata_signature(drive, c);
        sata_fail(c, ATA_ABORTED);
        return 0;
    }
}
