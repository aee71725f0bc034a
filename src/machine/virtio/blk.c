/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a disk (virtio 1.2, section 5.2).
 *
 * Any number of queues, which are all alike: a guest has one per CPU.  A request is a header that
 * says what and where, then data, then a byte for our status.  A write is only durable once a flush
 * has been answered; for a guest that didn't negotiate flushes each write is flushed before it is
 * answered.
 *
 * A request that was popped flies: it is given to the block layer, and lands when that has done it,
 * in whatever order.  What the host can't do is reported, ignored, or stops the machine: then the
 * request is parked, and flies again when the machine goes on.  A machine may be saved while some
 * are parked.
 *
 * Threads: queues and landings on the I/O thread; the block layer is called with the device's lock
 * open.
 */
#include "machine/virtio/blk.h"

#include <errno.h>
#include <string.h>

enum {
    FEATURE_SEG_MAX = 2,
    FEATURE_RO = 5,
    FEATURE_BLK_SIZE = 6,
    FEATURE_FLUSH = 9,
    FEATURE_MQ = 12,
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

/* A parked request in a saved state. */
typedef struct Parked {
    uint16_t queue;
    uint16_t n_buffers; /* the next ones of BlkDev.buffers are its */
    VirtqTicket ticket;
} Parked;

/* As many as all rings have slots, of which each chain takes one for each of its buffers. */
enum { BUFFERS_MAX = VIRTIO_BLK_MAX_QUEUES * QUEUE_SIZE };

typedef struct Flight Flight;

typedef struct BlkDev {
    VirtioDev virtio;
    /* fixed after create */
    Blk *blk;
    char serial[VIRTIO_BLK_ID_LEN];
    DiskOnError on_read_error, on_write_error;
    const MachineEvents *events; /* NULL: nobody is told */
    /* lock: virtio.device.lock */
    bool stopped;              /* nothing is begun until virtio_blk_retry() */
    bool crowded;              /* a queue waits for a flight to land */
    uint64_t requests, errors; /* since reset */
    unsigned flights;          /* that exist */
    Flight *free, *parked;
    uint32_t n_saved; /* of .saved: what was parked when the state was saved */
    Parked saved[VIRTIO_BLK_FLIGHTS_MAX];
    VirtqBuffer buffers[BUFFERS_MAX]; /* of .saved: those that their rings may have lost */
} BlkDev;

/* A request, cut out of its chain. */
typedef struct Request {
    BlkHeader header;
    struct iovec data[QUEUE_SIZE]; /* of IN, OUT and GET_ID */
    unsigned n_data;
    size_t len; /* of .data */
    BlkRange ranges[VIRTIO_BLK_RANGES_MAX];
    unsigned n_ranges;
} Request;

/* A request on its way. */
struct Flight {
    BlkRequest io;
    BlkDev *dev;
    Virtq *q;
    Flight *next;   /* of the free ones, or the parked ones */
    unsigned range; /* of .request.ranges, that is done now */
    VirtqChain chain;
    Request request;
};

/* --- what a request asks for --- */

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

/* The status that the request gets without being done, or GO. */
enum { GO = 0x100, FLYING };

static int check_ranges(const BlkDev *dev, const Request *request)
{
    bool discard = request->header.type == TYPE_DISCARD;
    uint64_t sectors = blk_size(dev->blk) / BLK_SECTOR;

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
    return GO;
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

/* The same for all kinds; those that need no disk are done here. */
static int check(const BlkDev *dev, const Request *request)
{
    switch (request->header.type) {
    case TYPE_IN:
        return is_on_disk(dev, request) ? GO : STATUS_IOERR;
    case TYPE_OUT:
        return is_on_disk(dev, request) && !blk_read_only(dev->blk) ? GO : STATUS_IOERR;
    case TYPE_FLUSH:
        return GO;
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES:
        return check_ranges(dev, request);
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

/* The host answered @request with -errno @result: its status, or -1: it is to be parked. */
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

/* --- flights --- */

/* NULL: there are too many; when one lands, all queues are looked at again. */
static Flight *take_flight(BlkDev *dev)
{
    Flight *flight = dev->free;

    if (flight) {
        dev->free = flight->next;
    } else if (dev->flights < VIRTIO_BLK_FLIGHTS_MAX) {
        flight = g_new(Flight, 1);
        dev->flights++;
    } else {
        dev->crowded = true;
        return NULL;
    }
    return flight;
}

/* @flight is for a request of @q. */
static void ready_flight(Flight *flight, BlkDev *dev, Virtq *q)
{
    flight->dev = dev;
    flight->q = q;
    flight->range = flight->request.n_ranges = flight->request.n_data = 0;
    flight->io.durable = !virtio_dev_has_feature(&dev->virtio, FEATURE_FLUSH);
}

static void kick_all(BlkDev *dev)
{
    for (unsigned i = 0; i < dev->virtio.n_queues; i++) {
        if (dev->virtio.queues[i].ready) {
            virtq_kick(&dev->virtio.queues[i]);
        }
    }
}

static void give_flight(BlkDev *dev, Flight *flight)
{
    flight->next = dev->free;
    dev->free = flight;
    if (dev->crowded) {
        dev->crowded = false;
        kick_all(dev);
    }
}

static void park(BlkDev *dev, Flight *flight)
{
    Flight **at = &dev->parked;

    while (*at) {
        at = &(*at)->next;
    }
    flight->next = NULL;
    *at = flight;
}

/* Take the first parked flight of @q, or NULL. */
static Flight *unpark(BlkDev *dev, const Virtq *q)
{
    Flight **at = &dev->parked;

    while (*at && (*at)->q != q) {
        at = &(*at)->next;
    }
    Flight *flight = *at;
    if (flight) {
        *at = flight->next;
    }
    return flight;
}

/* @flight has its status, or -errno of the host. */
static void land(Flight *flight, int status)
{
    BlkDev *dev = flight->dev;
    const Request *request = &flight->request;

    status = status < 0 ? act_on_error(dev, request, status) : status;
    if (status < 0) {
        park(dev, flight);
        return;
    }
    size_t written = finish(&flight->chain, request, (uint8_t)status);
    dev->requests++;
    dev->errors += status != STATUS_OK;
    log_line(dev->virtio.device.env.log, LOG_VIRTIO,
             "%s: type %u sector %" G_GUINT64_FORMAT " length %zu: status %u",
             dev->virtio.device.name, request->header.type, request->header.sector, request->len,
             status);
    virtq_push(flight->q, &flight->chain, written);
    give_flight(dev, flight);
}

static void on_done(BlkRequest *io);

/* What the block layer is asked for.  Lock: open, as the request is checked. */
static void set_io(Flight *flight)
{
    const Request *request = &flight->request;
    BlkRequest *io = &flight->io;

    io->blk = flight->dev->blk;
    io->done = on_done;
    io->offset = request->header.sector * BLK_SECTOR;
    io->iov = request->data;
    io->n = request->n_data;
    switch (request->header.type) {
    case TYPE_IN:
        io->op = BLK_READ;
        break;
    case TYPE_OUT:
        io->op = BLK_WRITE;
        break;
    case TYPE_FLUSH:
        io->op = BLK_FLUSH;
        break;
    default: {
        const BlkRange *range = &request->ranges[flight->range];
        io->op = BLK_MAKE_ZERO;
        io->how = request->header.type == TYPE_DISCARD ? BLK_ZERO_DISCARD
                  : range->flags & RANGE_UNMAP         ? BLK_ZERO_UNMAP
                                                       : BLK_ZERO_KEEP;
        io->offset = range->sector * BLK_SECTOR;
        io->len = (uint64_t)range->sectors * BLK_SECTOR;
        break;
    }
    }
}

/* Have it done, or what is left of its ranges: FLYING, its status, or -errno.  Lock: open. */
static int fly(Flight *flight)
{
    do {
        set_io(flight);
        if (!blk_submit(&flight->io)) {
            return FLYING;
        }
        if (flight->io.result) {
            return flight->io.result;
        }
    } while (++flight->range < flight->request.n_ranges);
    return STATUS_OK;
}

static void on_done(BlkRequest *io)
{
    Flight *flight = container_of(io, Flight, io);
    BlkDev *dev = flight->dev;
    int status = io->result;

    if (!status) {
        status = ++flight->range < flight->request.n_ranges ? fly(flight) : STATUS_OK;
    }
    if (status == FLYING) {
        return;
    }
    g_mutex_lock(&dev->virtio.device.lock);
    if (virtq_release(flight->q)) {
        land(flight, status);
    } else {
        give_flight(dev, flight);
    }
    g_mutex_unlock(&dev->virtio.device.lock);
}

/* Begin @flight. */
static void take_off(Flight *flight)
{
    BlkDev *dev = flight->dev;
    Virtq *q = flight->q;
    int status = check(dev, &flight->request);

    if (status != GO) {
        land(flight, status);
        return;
    }
    virtq_hold(q);
    g_mutex_unlock(&dev->virtio.device.lock);
    status = fly(flight);
    g_mutex_lock(&dev->virtio.device.lock);
    if (status == FLYING) {
        return;
    }
    if (virtq_release(q)) {
        land(flight, status);
    } else {
        give_flight(dev, flight);
    }
}

/* Begin those that were parked, and then what is new. */
static void serve(BlkDev *dev, Virtq *q)
{
    Flight *flight;

    while (!dev->stopped && (flight = unpark(dev, q))) {
        take_off(flight);
    }
    while (!dev->stopped && (flight = take_flight(dev))) {
        if (!virtq_pop(q, &flight->chain)) {
            give_flight(dev, flight);
            return;
        }
        ready_flight(flight, dev, q);
        if (!parse(&flight->chain, &flight->request)) {
            virtio_dev_broken(&dev->virtio, "request without header or status");
            give_flight(dev, flight);
            return;
        }
        take_off(flight);
    }
}

static void on_kick(VirtioDev *virtio, Virtq *q)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    blk_batch_begin(dev->blk);
    serve(dev, q);
    virtq_begin_io(q);
    blk_batch_end(dev->blk);
    virtq_end_io(q);
}

static void stopped(VirtioDev *virtio, Virtq *q)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);
    Flight *flight;

    while ((flight = unpark(dev, q))) {
        give_flight(dev, flight);
    }
}

static void reset(VirtioDev *virtio)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    dev->requests = dev->errors = 0;
    dev->stopped = false;
}

static void destroy(VirtioDev *virtio)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);

    while (dev->free) {
        Flight *flight = dev->free;
        dev->free = flight->next;
        g_free(flight);
    }
}

/* --- saving --- */

static void pause_dev(Device *device, bool on)
{
    BlkDev *dev = container_of(device, BlkDev, virtio.device);

    virtio_dev_pause(device, on);
    if (on) {
        unsigned n_buffers = 0;
        dev->n_saved = 0;
        for (const Flight *flight = dev->parked; flight; flight = flight->next) {
            unsigned n = virtq_keep(flight->q, &flight->chain, dev->buffers + n_buffers);
            dev->saved[dev->n_saved++] = (Parked){
                (uint16_t)flight->q->index,
                (uint16_t)n,
                flight->chain.ticket,
            };
            n_buffers += n;
        }
    }
}

/* Park again what is @from a saved state; false: it can't be. */
static bool park_again(BlkDev *dev, const Parked *from, VirtqKept kept)
{
    Flight *flight = take_flight(dev);

    if (!flight) {
        return false;
    }
    ready_flight(flight, dev, &dev->virtio.queues[from->queue]);
    bool good = virtq_pop_again(flight->q, from->ticket, kept, &flight->chain) &&
                parse(&flight->chain, &flight->request);
    if (good) {
        park(dev, flight);
    } else {
        give_flight(dev, flight);
    }
    return good;
}

/* Park again what was parked; it flies when its queue is looked at, which the core has asked for.
 * What can't be found again the guest must give up. */
static bool loaded(VirtioDev *virtio, GError **error)
{
    BlkDev *dev = container_of(virtio, BlkDev, virtio);
    unsigned n_buffers = 0;

    for (unsigned i = 0; i < dev->n_saved; i++) {
        const Parked *from = &dev->saved[i];
        const VirtqKept kept = { dev->buffers + n_buffers, from->n_buffers };
        if (kept.n > BUFFERS_MAX - n_buffers || !park_again(dev, from, kept)) {
            virtio_dev_broken(virtio, "a request that waited is lost");
            return true;
        }
        n_buffers += kept.n;
    }
    return true;
}

static const SavedField saved[] = {
    VIRTIO_SAVED(BlkDev),
    SAVED(BlkDev, requests),
    SAVED(BlkDev, errors),
    SAVED_RANGE(BlkDev, n_saved, 0, VIRTIO_BLK_FLIGHTS_MAX),
    SAVED_EACH_RANGE(BlkDev, saved, queue, 0, VIRTIO_BLK_MAX_QUEUES - 1),
    SAVED_EACH_RANGE(BlkDev, saved, n_buffers, 0, QUEUE_SIZE),
    SAVED_EACH(BlkDev, saved, ticket.id),
    SAVED_EACH(BlkDev, saved, ticket.slots),
    SAVED_EACH(BlkDev, saved, ticket.table_len),
    SAVED_EACH(BlkDev, saved, ticket.table_gpa),
    SAVED_EACH(BlkDev, buffers, gpa),
    SAVED_EACH(BlkDev, buffers, len),
    SAVED_EACH(BlkDev, buffers, writable),
    { 0 },
};

#define REQUESTS                                                                                   \
    {                                                                                              \
        .name = "requests", .size = QUEUE_SIZE, .on_kick = on_kick                                 \
    }

const VirtioClass virtio_blk_class = {
    .device = {
        .name = "virtio-blk",
        .summary = "disk",
        .instance_size = sizeof(BlkDev),
        .saved = saved,
        .reset = virtio_dev_reset,
        .loaded = virtio_dev_loaded,
        .pause = pause_dev,
        .destroy = virtio_dev_destroy,
    },
    .device_id = 2,
    .queues = { REQUESTS, REQUESTS, REQUESTS, REQUESTS, REQUESTS, REQUESTS, REQUESTS, REQUESTS },
    .reset = reset,
    .stopped = stopped,
    .loaded = loaded,
    .destroy = destroy,
};

VirtioDev *virtio_blk_new(const VirtioSlot *slot, Blk *blk, const char *serial, unsigned queues)
{
    uint64_t features =
        1U << FEATURE_SEG_MAX | 1U << FEATURE_BLK_SIZE | 1U << FEATURE_FLUSH | 1U << FEATURE_MQ;
    uint64_t room = 1U << FEATURE_DISCARD | 1U << FEATURE_WRITE_ZEROES;
    BlkConfig config = {
        .capacity = blk_size(blk) / BLK_SECTOR,
        .seg_max = SEGMENTS,
        .blk_size = BLK_SECTOR,
        .num_queues = (uint16_t)CLAMP(queues, 1, VIRTIO_BLK_MAX_QUEUES),
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
    virtio_dev_set_queues(&dev->virtio, config.num_queues);
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
        kick_all(dev);
    }
    g_mutex_unlock(&virtio->device.lock);
}
