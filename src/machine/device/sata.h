/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A drive at a port of a SATA controller: a disk (ata_disk.c) or a CD-ROM (ata_cdrom.c), and the
 * commands that it gets (Serial ATA 3.1, chapters 10 and 11; ATA8-ACS).
 *
 * The controller fetches a command, sata_run() does it, and the controller says what became of it.
 * A command is done from its beginning to its end on the I/O thread; around the host's I/O the lock
 * is open, and SataDrive.busy says so.
 *
 * Threads: the lock is the controller's, and held in all functions here.
 */
#pragma once

#include "block/block.h"
#include "machine/core/device.h"
#include "machine/core/power.h"

typedef struct SataCommand SataCommand;
typedef struct SataDrive SataDrive;

enum { SATA_SERIAL = 20, SATA_PACKET = 16, SATA_REPLY = 512, SATA_MULTIPLE_MAX = 16 };

/* Bits of a drive's status, and of its error register. */
enum {
    ATA_BUSY = 0x80,
    ATA_READY = 0x40,
    ATA_SEEK_DONE = 0x10,
    ATA_REQUEST = 0x08,
    ATA_FAILED = 1
};
enum { ATA_ABORTED = 0x04, ATA_NO_SUCH_SECTOR = 0x10, ATA_UNCORRECTABLE = 0x40 };
enum { ATA_GOOD = ATA_READY | ATA_SEEK_DONE };

enum { ATA_PACKET = 0xa0 };

/* How a command's end is told. */
typedef enum SataProtocol {
    SATA_PLAIN,  /* no data, or DMA: by the registers */
    SATA_PIO_IN, /* data come behind a PIO set-up */
    SATA_PIO_OUT,
    SATA_QUEUED, /* by the tag */
} SataProtocol;

/* What CD-ROM drives tell whoever polls them (MMC-5, 6.6.2). */
typedef enum SataMediaEvent {
    SATA_MEDIA_NONE,
    SATA_MEDIA_EJECT_WANTED,
    SATA_MEDIA_NEW,
    SATA_MEDIA_REMOVED,
} SataMediaEvent;

struct SataDrive {
    /* fixed after create */
    Device *device; /* the controller; NULL: there is no drive */
    bool cdrom;
    char *name;
    char serial[SATA_SERIAL + 1];
    DiskOnError on_read_error, on_write_error;
    const MachineEvents *events;
    /* lock: device.lock */
    Blk *blk;  /* NULL: no medium */
    bool busy; /* .blk is in use, with the lock open */
    bool no_write_cache;
    uint8_t multiple; /* sectors in a block of READ MULTIPLE; 0: not set */
    /* what the log of queued commands says of the last one that failed */
    uint8_t failed_tag, failed_status, failed_error;
    uint16_t failed_count;
    uint64_t failed_lba;
    /* CD-ROM */
    bool tray_open, locked;
    bool changed;     /* the guest has not been told yet that it is another medium */
    uint8_t event;    /* SataMediaEvent that nobody has asked for yet */
    uint8_t sense[3]; /* key, code, qualifier of the last packet */
};

/* Guest memory for a command's data: the rest of a table of regions (AHCI 1.3.1, 4.2.3.3). */
typedef struct SataData {
    GuestMemory *memory;
    uint64_t table; /* gpa */
    unsigned left;  /* entries */
    uint64_t gpa;   /* the rest of the present one */
    uint32_t len;
    bool bad; /* the table or a region isn't in RAM */
    /* the piece that sata_data_next() has found */
    struct iovec iov[BLK_MAX_IOV];
    uint64_t places[BLK_MAX_IOV]; /* gpa of each */
    unsigned n;
} SataData;

struct SataCommand {
    /* the registers */
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba;
    uint8_t packet[SATA_PACKET];
    SataData data;
    uint8_t reply[SATA_REPLY];
    /* what became of it */
    SataProtocol protocol;
    uint8_t tag; /* of SATA_QUEUED */
    uint8_t status, error;
    uint32_t moved; /* bytes */
};

/* Do @command: 0, or -errno of the host, of which nothing was told yet. */
int sata_run(SataDrive *drive, SataCommand *command);
int ata_disk_run(SataDrive *drive, SataCommand *command);
int ata_cdrom_run(SataDrive *drive, SataCommand *command);
/* As after power-on, or a reset by the controller. */
void sata_reset(SataDrive *drive);
/* The registers after that. */
void sata_signature(const SataDrive *drive, SataCommand *ret);
/* Whether it writes, or is to make durable what was written. */
bool sata_is_write(const SataDrive *drive, const SataCommand *command);
bool ata_disk_is_write(const SataCommand *command);
/* What a queued command asks of a disk. */
typedef struct SataMove {
    uint64_t offset, len; /* 0: nothing, .status of the command says why */
    bool write, durable;
} SataMove;

/* Whether @code is a queued command of a disk's; such are begun by ata_disk_begin(), and may run
 * beside each other. */
bool ata_disk_is_queued(uint8_t code);
void ata_disk_begin(const SataDrive *drive, SataCommand *command, SataMove *ret);
/* The host could not do it, and the guest is to know. */
void sata_host_failed(SataDrive *drive, SataCommand *command);
void ata_cdrom_unreadable(SataDrive *drive, SataCommand *command);

/* --- for the drives --- */

/* It failed, with this in the error register. */
void sata_fail(SataCommand *command, uint8_t error);
/* Text in words whose bytes are swapped, filled up with spaces. */
void sata_put_text(uint8_t *identify, unsigned word, unsigned words, const char *text);
/* The next up to @max bytes of guest memory that the command's data come from, or go to, as
 * .data.iov; how many, 0: there are no more of them. */
size_t sata_next_piece(SataCommand *command, uint64_t max, bool to_guest);
/* That piece has been moved. */
void sata_end_piece(SataCommand *command, size_t len, bool to_guest);
/* Move between guest memory and the medium: 0, or -errno.  The guest's memory ends first: the
 * command fails.  Lock: open meanwhile. */
int sata_move(SataDrive *drive, SataCommand *command, uint64_t offset, uint64_t len, bool write);
int sata_flush(SataDrive *drive);
int sata_discard(SataDrive *drive, uint64_t offset, uint64_t len);
/* Copy to or from guest memory; how much of it. */
size_t sata_put(SataCommand *command, const void *bytes, size_t len);
size_t sata_get(SataCommand *command, void *bytes, size_t len);

/* --- CD-ROM: what is done from outside --- */

/* Open the tray, or ask the guest to, when it has locked it; whether it is open. */
bool ata_cdrom_open(SataDrive *drive, bool force);
void ata_cdrom_close(SataDrive *drive);
/* Nothing reads from the old one.  @blk stays the caller's. */
void ata_cdrom_set_medium(SataDrive *drive, Blk *blk);
