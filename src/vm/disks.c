/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks of a machine, see disks.h.
 */
#include "vm/disks.h"

#include "block/block.h"
#include "block/chain.h"
#include "common/error.h"
#include "vm/report.h"

_Static_assert((int)DISK_CACHE_WRITEBACK == (int)BLK_CACHE_WRITEBACK &&
                   (int)DISK_CACHE_NONE == (int)BLK_CACHE_NONE &&
                   (int)DISK_CACHE_WRITETHROUGH == (int)BLK_CACHE_WRITETHROUGH &&
                   (int)DISK_CACHE_DIRECTSYNC == (int)BLK_CACHE_DIRECTSYNC &&
                   (int)DISK_CACHE_UNSAFE == (int)BLK_CACHE_UNSAFE,
               "config/config.h says the same");
_Static_assert((int)DISK_ZEROES_KEEP == (int)BLK_DETECT_KEEP &&
                   (int)DISK_ZEROES_UNMAP == (int)BLK_DETECT_UNMAP,
               "config/config.h says the same");
_Static_assert((int)DISK_FAULT_REPORT == (int)DISK_ON_ERROR_REPORT &&
                   (int)DISK_FAULT_IGNORE == (int)DISK_ON_ERROR_IGNORE &&
                   (int)DISK_FAULT_STOP == (int)DISK_ON_ERROR_STOP &&
                   (int)DISK_FAULT_ENOSPC == (int)DISK_ON_ERROR_STOP_IF_FULL,
               "config/config.h says the same");

/* The format that was said or that the name tells; it is never looked for in the file.  What is no
 * file, such as a host's disk, is raw. */
static const char *format_of(const DiskConfig *disk, GError **error)
{
    const char *format = disk->format ? disk->format : blk_format_of_name(disk->file);

    if (!format && g_file_test(disk->file, G_FILE_TEST_IS_REGULAR)) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "the name of disk '%s' does not tell its format: write --disk "
                       "%s,format=raw, or format=qcow2",
                       disk->file, disk->file);
        return NULL;
    }
    return format ? format : "raw";
}

bool disks_open(const VmConfig *config, BlkAio *aio, GPtrArray *blks, MachineDisk *ret,
                GError **error)
{
    for (unsigned i = 0; i < config->disks->len; i++) {
        const DiskConfig *disk = g_ptr_array_index(config->disks, i);
        if (disk->empty) {
            g_ptr_array_add(blks, NULL);
            ret[i] = (MachineDisk){ .kind = MACHINE_CDROM, .boot = disk->boot };
            continue;
        }
        BlkOptions options = {
            .path = disk->file,
            .format = format_of(disk, error),
            .read_only = disk->read_only,
            .cache = (BlkCache)disk->cache,
            .keep_discard = disk->keep_discard,
            .detect = (BlkDetect)disk->zeroes,
            .aio = aio,
        };
        Blk *blk = options.format ? blk_chain_open(&options, error) : NULL;
        if (!blk) {
            return false;
        }
        g_ptr_array_add(blks, blk);
        ret[i] = (MachineDisk){
            .blk = blk,
            .on_read_error = (DiskOnError)disk->read_fault,
            .on_write_error = (DiskOnError)disk->write_fault,
            .queues = disk->queues,
            .boot = disk->boot,
            .kind = disk->cdrom              ? MACHINE_CDROM
                    : disk->bus == DISK_SATA ? MACHINE_DISK_SATA
                                             : MACHINE_DISK_VIRTIO,
        };
    }
    return true;
}

void disks_report(const DiskError *error)
{
    if (error->action == DISK_ON_ERROR_STOP) {
        report("%s can't be %s: %s; the machine is paused: mend that, and let it go on (QMP: cont)",
               error->device, error->is_write ? "written" : "read", g_strerror(error->error));
    }
}
