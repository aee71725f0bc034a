/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What disks and CD-ROMs at SATA ports have in common, see sata.h: their data's way between guest
 * memory and the medium.
 *
 * A table of regions is the guest's.  It is read an entry at a time, and only as far as the
 * command has data, so a long one costs no more than a short one.
 */
#include "machine/device/sata.h"

#include <string.h>

enum { ENTRY_SIZE = 16, ENTRY_BYTES_MASK = 0x3fffff };

/* --- guest memory --- */

/* Read entries until there is something left of one. */
static bool fetch(SataData *data)
{
    uint8_t raw[ENTRY_SIZE];

    while (!data->len && data->left && !data->bad) {
        data->bad = !gm_read(data->memory, data->table, raw, sizeof(raw));
        data->gpa = load_le64(raw) & ~UINT64_C(1);
        data->len = data->bad ? 0 : (load_le32(raw + 12) & ENTRY_BYTES_MASK) + 1;
        data->table += ENTRY_SIZE;
        data->left--;
    }
    return data->len != 0;
}

size_t sata_next_piece(SataCommand *command, uint64_t max, bool to_guest)
{
    SataData *data = &command->data;
    size_t all = 0;

    data->n = 0;
    while (data->n < BLK_MAX_IOV && all < max && fetch(data)) {
        size_t len = (size_t)MIN(max - all, data->len);
        void *hva = to_guest ? gm_ram(data->memory, data->gpa, len)
                             : (void *)(uintptr_t)gm_rom(data->memory, data->gpa, len);
        if (!hva) {
            data->bad = true;
            return 0;
        }
        data->iov[data->n] = (struct iovec){ hva, len };
        data->places[data->n++] = data->gpa;
        data->gpa += len;
        data->len -= (uint32_t)len;
        all += len;
    }
    return all;
}

void sata_end_piece(SataCommand *command, size_t len, bool to_guest)
{
    const SataData *data = &command->data;

    for (unsigned i = 0; i < data->n && to_guest; i++) {
        gm_written(data->memory, data->places[i], data->iov[i].iov_len);
    }
    command->moved += (uint32_t)len;
}

size_t sata_put(SataCommand *c, const void *bytes, size_t len)
{
    size_t done = 0, part;

    while (done < len && (part = sata_next_piece(c, len - done, true))) {
        for (unsigned i = 0; i < c->data.n; i++) {
            memcpy(c->data.iov[i].iov_base, (const char *)bytes + done, c->data.iov[i].iov_len);
            done += c->data.iov[i].iov_len;
        }
        sata_end_piece(c, part, true);
    }
    return done;
}

size_t sata_get(SataCommand *c, void *bytes, size_t len)
{
    size_t done = 0, part;

    while (done < len && (part = sata_next_piece(c, len - done, false))) {
        for (unsigned i = 0; i < c->data.n; i++) {
            memcpy((char *)bytes + done, c->data.iov[i].iov_base, c->data.iov[i].iov_len);
            done += c->data.iov[i].iov_len;
        }
        sata_end_piece(c, part, false);
    }
    return done;
}

/* --- the medium --- */

static Blk *begin(SataDrive *drive)
{
    drive->busy = true;
    g_mutex_unlock(&drive->device->lock);
    return drive->blk;
}

static void end(SataDrive *drive)
{
    g_mutex_lock(&drive->device->lock);
    drive->busy = false;
}

int sata_move(SataDrive *drive, SataCommand *c, uint64_t offset, uint64_t len, bool write)
{
    int result = 0;

    while (len && !result) {
        size_t part = sata_next_piece(c, len, !write);
        if (!part) {
            sata_fail(c, ATA_ABORTED);
            return 0;
        }
        Blk *blk = begin(drive);
        result = (write ? blk_writev : blk_readv)(blk, offset, c->data.iov, c->data.n);
        end(drive);
        sata_end_piece(c, part, !write);
        offset += part;
        len -= part;
    }
    return result;
}

int sata_flush(SataDrive *drive)
{
    Blk *blk = begin(drive);
    int result = blk_flush(blk);

    end(drive);
    return result;
}

int sata_discard(SataDrive *drive, uint64_t offset, uint64_t len)
{
    Blk *blk = begin(drive);
    int result = blk_zero(blk, offset, len, BLK_ZERO_DISCARD);

    end(drive);
    return result;
}

/* --- commands --- */

void sata_fail(SataCommand *c, uint8_t error)
{
    c->status = ATA_GOOD | ATA_FAILED;
    c->error = error;
}

void sata_put_text(uint8_t *identify, unsigned word, unsigned words, const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < (size_t)words * 2; i++) {
        identify[word * 2 + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
    }
}

void sata_signature(const SataDrive *drive, SataCommand *ret)
{
    *ret = (SataCommand){
        .status = drive->cdrom ? 0 : ATA_GOOD,
        .error = 1,
        .count = 1,
        .lba = drive->cdrom ? 0xeb1401 : 1,
    };
}

void sata_reset(SataDrive *drive)
{
    drive->no_write_cache = false;
    drive->multiple = 0;
    drive->locked = false;
    memset(drive->sense, 0, sizeof(drive->sense));
}

bool sata_is_write(const SataDrive *drive, const SataCommand *c)
{
    return !drive->cdrom && ata_disk_is_write(c);
}

void sata_host_failed(SataDrive *drive, SataCommand *c)
{
    if (drive->cdrom) {
        ata_cdrom_unreadable(drive, c);
    } else {
        sata_fail(c, sata_is_write(drive, c) ? ATA_ABORTED : ATA_UNCORRECTABLE);
    }
}

int sata_run(SataDrive *drive, SataCommand *c)
{
    c->status = ATA_GOOD;
    return (drive->cdrom ? ata_cdrom_run : ata_disk_run)(drive, c);
}
