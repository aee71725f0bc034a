/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: virtio-blk.  The input is a program of device_fuzz.h.
 *
 * Threads: one.
 */
#include <errno.h>

#include "block/driver.h"
#include "fuzz_device_virtio.h"
#include "machine/virtio/blk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DISK = 4096 };

/* A disk in memory; every few calls it fails. */
typedef struct Disk {
    BlkHost host;
    Blk *blk;
    unsigned calls;
    uint8_t bytes[DISK];
} Disk;

static int disk_open(void *opaque, const char *path, int flags)
{
    return 0;
}

static int disk_stat(void *opaque, int fd, struct stat *st)
{
    *st = (struct stat){ .st_mode = S_IFREG };
    return 0;
}

static int64_t disk_size(void *opaque, int fd)
{
    return DISK;
}

static ssize_t move(Disk *disk, const struct iovec *iov, int n, int64_t offset, bool write)
{
    ssize_t done = 0;

    if (++disk->calls % 13 == 0) {
        return -EIO;
    }
    for (int i = 0; i < n; i++) {
        g_assert(offset >= 0 && iov[i].iov_len <= (size_t)(DISK - offset));
        uint8_t *at = disk->bytes + offset;
        memcpy(write ? at : iov[i].iov_base, write ? iov[i].iov_base : at, iov[i].iov_len);
        offset += (int64_t)iov[i].iov_len;
        done += (ssize_t)iov[i].iov_len;
    }
    return done;
}

static ssize_t disk_preadv(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    return move(opaque, iov, n, offset, false);
}

static ssize_t disk_pwritev(void *opaque, int fd, const struct iovec *iov, int n, int64_t offset)
{
    return move(opaque, iov, n, offset, true);
}

static int disk_fdatasync(void *opaque, int fd)
{
    Disk *disk = opaque;

    return ++disk->calls % 29 ? 0 : -EIO;
}

static void disk_close(void *opaque, int fd)
{
}

static void make(FuzzRig *rig)
{
    VirtioSlot slot = fuzz_virtio_slot(rig);
    Disk *disk = g_new0(Disk, 1);

    disk->host = (BlkHost){ disk,        disk_open,    disk_stat,      disk_size,
                            disk_preadv, disk_pwritev, disk_fdatasync, disk_close };
    disk->blk = blk_open(&(BlkOptions){ .path = "fuzz", .host = &disk->host }, NULL);
    rig->extra = disk;
    rig->device = &virtio_blk_new(&slot, disk->blk, "fuzz", 2)->device;
}

static void done(FuzzRig *rig)
{
    Disk *disk = rig->extra;

    blk_close(disk->blk);
    g_free(disk);
}

static const FuzzTarget target = {
    .windows = { FUZZ_VIRTIO_WINDOW },
    .ram = FUZZ_VIRTIO_RAM,
    .make = make,
    .poke = fuzz_virtio_poke,
    .done = done,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_device(&target, data, size);
}
