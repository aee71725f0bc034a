/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw disk format: guest byte N is file byte N.  The simplest driver there is; copy it to
 * start a new one.
 *
 * Threads: as driver.h.
 */
#include <errno.h>

#include "block/driver.h"
#include "common/error.h"

static bool raw_open(Blk *blk, const BlkOptions *options, GError **error)
{
    uint64_t size = blk_file_size(&blk->file);

    if (size % BLK_SECTOR) {
        set_error(error,
                  "cannot use disk '%s': its size of %" G_GUINT64_FORMAT " bytes is not a multiple "
                  "of %d: lengthen it with 'truncate -s %%%d'",
                  blk->file.path, size, BLK_SECTOR, BLK_SECTOR);
        return false;
    }
    if (options->snapshot) {
        set_error(error, "cannot use snapshot '%s' of disk '%s': a raw image has none",
                  options->snapshot, blk->file.path);
        return false;
    }
    if (options->backing) {
        set_error(error, "cannot use disk '%s': a raw image is never based on another",
                  blk->file.path);
        return false;
    }
    blk->size = size;
    blk->file.limit = size;
    return true;
}

static int raw_map(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkExtent *ret_extent)
{
    *ret_extent = (BlkExtent){ BLK_HERE, .in_place = true, .offset = offset, .len = len };
    if (flags & BLK_MAP_EXACT && blk_file_is_hole(&blk->file, offset, len, &ret_extent->len)) {
        ret_extent->place = BLK_ZERO;
    }
    return 0;
}

static int raw_zero(Blk *blk, uint64_t offset, uint64_t len, BlkZero how, uint64_t *ret_done)
{
    int result = -EOPNOTSUPP;

    *ret_done = len;
    if (how != BLK_ZERO_KEEP && !blk->keep_discard) {
        result = blk_file_punch(&blk->file, offset, len);
    }
    if (result == -EOPNOTSUPP) {
        result = how == BLK_ZERO_DISCARD ? 0 : blk_file_zero(&blk->file, offset, len);
    }
    return result;
}

const BlkDriver raw_driver = {
    .name = "raw",
    .summary = "a plain file or host disk, no metadata",
    .suffix = ".raw .img .iso",
    .instance_size = sizeof(Blk),
    .open = raw_open,
    .map = raw_map,
    .zero = raw_zero,
    .maintenance = &raw_maintenance,
};
