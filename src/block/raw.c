/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw disk format: guest byte N is file byte N.  The simplest driver there is; copy it to
 * start a new one.
 *
 * Threads: as block.h.
 */
#include "block/driver.h"
#include "common/error.h"

static bool raw_open(Blk *blk, GError **error)
{
    if (blk->file_size % BLK_SECTOR) {
        set_error(error,
                  "cannot use disk '%s': its size of %" G_GUINT64_FORMAT " bytes is not a multiple "
                  "of %d: lengthen it with 'truncate -s %%%d'",
                  blk->path, blk->file_size, BLK_SECTOR, BLK_SECTOR);
        return false;
    }
    blk->size = blk->file_size;
    return true;
}

static int raw_map(Blk *blk, uint64_t offset, uint64_t len, bool for_write, BlkExtent *ret_extent)
{
    *ret_extent = (BlkExtent){ .place = BLK_HERE, .offset = offset, .len = len };
    return 0;
}

const BlkDriver raw_driver = {
    .name = "raw",
    .summary = "a plain file or host disk, no metadata",
    .instance_size = sizeof(Blk),
    .open = raw_open,
    .map = raw_map,
};
