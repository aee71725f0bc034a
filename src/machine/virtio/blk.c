/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a disk (virtio 1.2, section 5.2).
 *
 * One queue.  A request is a header that says what and where, then data, then a byte for our
 * status.  A write is only durable once a flush has been answered; for a guest that didn't
 * negotiate flushes each write is flushed before it is answered.
 *
 * What the host can't do is reported, ignored, or stops the machine: then the request goes back to
 * the queue, and is popped again when the machine goes on.
 *
 * Threads: the queue on the I/O thread, which does the disk's I/O with the device's lock open.
 */
#include "machine/virtio/blk.h"

#include <errno.h>
#include <string.h>

enum {
    FEATURE_SEG_MAX = 2,
    FEATURE_RO = 5,
    FEATURE_BLK_SIZE = 6,
    FEATURE_FLUSH = 9,
    FEATURE_DISCARD = 13,
    FEATURE_WRITE_ZEROES = 14,
};
enum {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
    TYPE_GET_ID = 8,
    TYPE_DISCARD = 11,
    TYPE_WRITE_ZEROES = 13,
};
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPPORTED = 2 };
enum { QUEUE_SIZE = VIRTIO_BLK_QUEUE_SIZE, SEGMENTS = QUEUE_SIZE - 2 }; /* without header, status */
_Static_assert((int)SEGMENTS <= (int)BLK_MAX_IOV, "the block layer must take any request");

typedef struct BlkHeader {
    uint32_t type, reserved;
    uint64_t sector;
} BlkHeader;
_Static_assert(sizeof(BlkHeader) == 16, "virtio 1.2, 5.2.6");

/* What is to be discarded or zeroed. */
typedef struct BlkRange {
    uint64_t sector;
    uint32_t sectors, flags;
} BlkRange;
_Static_assert(sizeof(BlkRange) == 16, "virtio 1.2, 5.2.6");
enum { RANGE_UNMAP = 1 };

/* As far as we fill it. */
typedef struct BlkConfig {
    uint64_t capacity; /* in sectors */
    uint32_t size_max, seg_max;
    uint8_t geometry[4];
    uint32_t blk_size;
    uint8_t topology[8];
    uint8_t writeback, unused;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap;
    uint8_t rest[7];
} BlkConfig;
_Static_assert(sizeof(BlkConfig) == 64, "virtio 1.2, 5.2.4, padded");

typedef struct BlkDev {
    VirtioDev virtio;
    /* fixed after create */
    Blk *blk;
    char serial[VIRTIO_BLK_ID_LEN];
    DiskOnError on_read_error, on_write_error;
    const MachineEvents *events; /* NULL: nobody is told */
    /* lock: virtio.device.lock */
    bool stopped;              /* nothing is done until virtio_blk_retry() */
    uint64_t requests, errors; /* since reset */
} BlkDev;

/* A request, cut out of its chain. */
typedef struct Request {
    BlkHeader header;
    struct iovec data[QUEUE_SIZE]; /* of IN, OUT and GET_ID */
    unsigned n_data;
    size_t len; /* of .data */
    BlkRange ranges[VIRTIO_BLK_RANGES_MAX];
    unsigned n_ranges;
    bool flush_too; /* a write that must be durable when it is answered */
} Request;

/* Cut @chain into header, data and status byte; false: it has no room for these. */
static bool parse(const VirtqChain *chain, Request *request)
{
    if (chain->in_len < 1 ||
        virtq_chain_read(chain, 0, &request->header, sizeof(BlkHeader)) != sizeof(BlkHeader)) {
        return false;
    }
    if (request->header.type == TYPE_DISCARD || request->header.type == TYPE_WRITE_ZEROES) {
        size_t len = chain->out_len - sizeof(BlkHeader);
        if (len % sizeof(BlkRange) == 0 && len <= sizeof(request->ranges)) {
            request->n_ranges = (unsigned)(len / sizeof(BlkRange));
            virtq_chain_read(chain, sizeof(BlkHeader), request->ranges, len);
        }
        request->len = len;
    } else if (request->header.type == TYPE_OUT) {
        request->len = chain->out_len - sizeof(BlkHeader);
        request->n_data =
            virtq_slice(chain->out, chain->n_out, sizeof(BlkHeader), request->len, request->data);
    } else {
        request->len = chain->in_len - 1;
        request->n_data = virtq_slice(chain->in, chain->n_in, 0, request->len, request->data);
    }
    return true;
}

/* Whether the request's sectors are on the disk. */
static bool is_on_disk(const BlkDev *dev, const Request *request)
{
    uint64_t size = blk_size(dev->blk);

    return request->len % BLK_SECTOR == 0 && request->header.sector <= size / BLK_SECTOR &&
           range_inside(request->header.sector * BLK_SECTOR, request->len, 0, size);
}

/* 0, a status, or -errno of the host. */
static int read_or_write(BlkDev *dev, const Request *request)
{
    uint64_t offset = request->header.sector * BLK_SECTOR;

    if (!is_on_disk(dev, request) ||
        (request->header.type == TYPE_OUT && blk_read_only(dev->blk))) {
        return STATUS_IOERR;
    }
    if (request->header.type == TYPE_IN) {
        return blk_readv(dev->blk, offset, request->data, request->n_data);
    }
    int result = blk_writev(dev->blk, offset, request->data, request->n_data);
    return result == 0 && request->flush_too ? blk_flush(dev->blk) : result;
}

/* The same for a discard, or zeros. */
static int zero_ranges(BlkDev *dev, const Request *request)
{
    bool discard = request->header.type == TYPE_DISCARD;
    uint64_t sectors = blk_size(dev->blk) / BLK_SECTOR;
    int result = 0;

    if (!virtio_dev_has_feature(&dev->virtio, discard ? FEATURE_DISCARD : FEATURE_WRITE_ZEROES)) {
        return STATUS_UNSUPPORTED;
    }
    if (!request->n_ranges) {
        return STATUS_IOERR;
    }
    for (unsigned i = 0; i < request->n_ranges; i++) {
        const BlkRange *range = &request->ranges[i];
        if (range->flags & (discard ? ~0U : ~(unsigned)RANGE_UNMAP)) {
            return STATUS_UNSUPPORTED;
        }
        if (range->sectors > VIRTIO_BLK_RANGE_SECTORS_MAX ||
            !range_inside(range->sector, range->sectors, 0, sectors)) {
            return STATUS_IOERR;
        }
    }
    for (unsigned i = 0; i < request->n_ranges && !result; i++) {
        const BlkRange *range = &request->ranges[i];
        BlkZero how = discard                      ? BLK_ZERO_DISCARD
                      : range->flags & RANGE_UNMAP ? BLK_ZERO_UNMAP
                                                   : BLK_ZERO_KEEP;
        result = blk_zero(dev->blk, range->sector * BLK_SECTOR,
                          (uint64_t)range->sectors * BLK_SECTOR, how);
    }
    return result == 0 && request->flush_too ? blk_flush(dev->blk) : result;
}

static void copy_serial(const BlkDev *dev, const Request *request)
{
    size_t done = 0;

    for (unsigned i = 0; i < request->n_data && done < VIRTIO_BLK_ID_LEN; i++) {
        size_t part = MIN(request->data[i].iov_len, VIRTIO_BLK_ID_LEN - done);
        memcpy(request->data[i].iov_base, dev->serial + done, part);
        done += part;
    }
}

/* Do the request: its status, or -errno of the host.  Lock: open. */
static int execute(BlkDev *dev, const Request *request)
{
    switch (request->header.type) {
    case TYPE_IN:
    case TYPE_OUT:
        return read_or_write(dev, request);
    case TYPE_FLUSH:
        return blk_flush(dev->blk);
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES:
        return zero_ranges(dev, request);
    case TYPE_GET_ID:
        copy_serial(dev, request);
        return STATUS_OK;
    default:
        return STATUS_UNSUPPORTED;
    }
}

/* How many bytes of @chain were filled, status included; clears what would else be left as the
 * guest had it, so that the number is true. */
static size_t finish(const VirtqChain *chain, const Request *request, uint8_t status)
{
    size_t data = chain->in_len - 1;
    bool filled = status == STATUS_OK && request->header.type == TYPE_IN;

    for (unsigned i = 0; i < chain->n_in && data && !filled; i++) {
        size_t part = MIN(data, chain->in[i].iov_len);
        if (request->header.type != TYPE_GET_ID) {
            memset(chain->in[i].iov_base, 0, part);
        }
        data -= part;
    }
    virtq_chain_write(chain, chain->in_len - 1, &status, 1);
    return chain->in_len;
}

/* The host answered @request with -errno @result: its status, or -1: it waits, as all do. */
static int act_on_error(BlkDev *dev, const Request *request, int result)
{
    bool is_write = request->header.type != TYPE_IN;
    DiskError error = {
        .device = dev->virtio.device.name,
        .is_write = is_write,
        .action = is_write ? dev->on_write_error : dev->on_read_error,
        .error = -result,
    };

    if (error.action == DISK_ON_ERROR_STOP_IF_FULL) {
        error.action = result == -ENOSPC ? DISK_ON_ERROR_STOP : DISK_ON_ERROR_REPORT;
    }
    if (!dev->events || !dev->events->disk_error) {
        return error.action == DISK_ON_ERROR_IGNORE ? STATUS_OK : STATUS_IOERR;
    }
    dev->stopped = error.action == DISK_ON_ERROR_STOP;
    dev->events->disk_error(dev->events->opaque, &error);
    if (dev->stopped) {
        return -1;
    }
    return error.action == DISK_ON_ERROR_IGNORE ? STATUS_OK : STATUS_IOERR;
}

static void on_kick(VirtioDev *virtio, Virtq *q)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);
    VirtqChain chain;

    while (!dev->stopped && virtq_pop(q, &chain)) {
        Request request = { .flush_too = !virtio_dev_has_feature(virtio, FEATURE_FLUSH) };
        if (!parse(&chain, &request)) {
            virtio_dev_broken(virtio, "request without header or status");
            return;
        }
        virtq_begin_io(q);
        int status = execute(dev, &request);
        if (!virtq_end_io(q)) {
            return;
        }
        status = status < 0 ? act_on_error(dev, &request, status) : status;
        if (status < 0) {
            virtq_unpop(q, chain.ticket);
            return;
        }
        size_t written = finish(&chain, &request, (uint8_t)status);
        dev->requests++;
        dev->errors += status != STATUS_OK;
        log_line(virtio->device.env.log, LOG_VIRTIO,
                 "%s: type %u sector %" G_GUINT64_FORMAT " length %zu: status %u",
                 virtio->device.name, request.header.type, request.header.sector, request.len,
                 status);
        virtq_push(q, &chain, written);
    }
}

static void reset(VirtioDev *virtio)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    dev->requests = dev->errors = 0;
    dev->stopped = false;
}

static const SavedField saved[] = {
    VIRTIO_SAVED(BlkDev),
    SAVED(BlkDev, requests),
    SAVED(BlkDev, errors),
    { 0 },
};

const VirtioClass virtio_blk_class = {
    .device = {
        .name = "virtio-blk",
        .summary = "disk",
        .instance_size = sizeof(BlkDev),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = virtio_dev_pause,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 2,
    .queues = { { .name = "requests", .size = QUEUE_SIZE, .on_kick = on_kick } },
    .reset = reset,
};

VirtioDev *virtio_blk_new(const VirtioSlot *slot, Blk *blk, const char *serial)
{
    uint64_t features = 1U << FEATURE_SEG_MAX | 1U << FEATURE_BLK_SIZE | 1U << FEATURE_FLUSH;
    uint64_t room = 1U << FEATURE_DISCARD | 1U << FEATURE_WRITE_ZEROES;
    BlkConfig config = {
        .capacity = blk_size(blk) / BLK_SECTOR,
        .seg_max = SEGMENTS,
        .blk_size = BLK_SECTOR,
        .max_discard_sectors = VIRTIO_BLK_RANGE_SECTORS_MAX,
        .max_discard_seg = VIRTIO_BLK_RANGES_MAX,
        .discard_sector_alignment = 1,
        .max_write_zeroes_sectors = VIRTIO_BLK_RANGE_SECTORS_MAX,
        .max_write_zeroes_seg = VIRTIO_BLK_RANGES_MAX,
        .write_zeroes_may_unmap = 1,
    };

    features |= blk_read_only(blk) ? 1U << FEATURE_RO : room;
    BlkDev *dev = virtio_dev_new(&virtio_blk_class, slot, features);
    dev->blk = blk;
    memcpy(dev->serial, serial, MIN(strlen(serial), sizeof(dev->serial)));
    virtio_dev_set_config(&dev->virtio, &config, sizeof(config));
    return &dev->virtio;
}

void virtio_blk_resized(VirtioDev *virtio, const Blk *blk)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    if (dev->blk == blk) {
        g_mutex_lock(&virtio->device.lock);
        store_le64(virtio->config + offsetof(BlkConfig, capacity), blk_size(blk) / BLK_SECTOR);
        virtio_dev_config_changed(virtio);
        g_mutex_unlock(&virtio->device.lock);
    }
}

void virtio_blk_on_errors(VirtioDev *virtio, DiskOnError read, DiskOnError write,
                          const MachineEvents *events)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    dev->on_read_error = read;
    dev->on_write_error = write;
    dev->events = events;
}

void virtio_blk_retry(VirtioDev *virtio)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    g_mutex_lock(&virtio->device.lock);
    if (dev->stopped) {
        dev->stopped = false;
        if (virtio->queues[0].ready) {
            virtq_kick(&virtio->queues[0]);
        }
    }
    g_mutex_unlock(&virtio->device.lock);
}
