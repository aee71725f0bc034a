/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random work, see work.h.
 */
#include "work.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "block/driver.h"
#include "common/bits.h"

const WorkKind work_kinds[WORK_KINDS] = {
    { "usual", { .size = 384 << 10 }, false },
    { "v2", { .size = 384 << 10, .version = 2, .cluster = 4096 }, false },
    { "v2-backing", { .size = 384 << 10, .version = 2, .cluster = 4096 }, true },
    { "backing", { .size = 384 << 10, .cluster = 16384 }, true },
    { "512-bytes", { .size = 120 << 10, .cluster = 512 }, true },
    { "512-bytes-64-bits", { .size = 120 << 10, .cluster = 512, .count_bits = 64 }, false },
    { "2-MiB", { .size = 384 << 10, .cluster = 2 << 20 }, true },
    { "subclusters", { .size = 384 << 10, .subclusters = true }, true },
    { "subclusters-16K", { .size = 384 << 10, .cluster = 16384, .subclusters = true }, false },
    { "zstd", { .size = 384 << 10, .cluster = 4096, .compression = "zstd" }, true },
    { "8-bits", { .size = 384 << 10, .cluster = 4096, .count_bits = 8 }, false },
    { "1-KiB", { .size = 250 << 10, .cluster = 1024, .count_bits = 32 }, false },
};

const WorkMix work_usual = { 48, 12, 8, 8, 16, 4, 4 };
const WorkMix work_of_snapshots = { 30, 5, 5, 5, 10, 40, 5 };
const WorkMix work_together = { 48, 12, 8, 8, 16, 4, 4, .together = true };
enum { TOGETHER = 3 };

static void fill_base(Work *work, const BlkHost *host, const char *path, uint32_t sectors)
{
    g_autoptr(GError) error = NULL;
    BlkCreate create = {
        .path = path, .format = "raw", .host = host, .size = sectors * BLK_SECTOR, .replace = true
    };
    BlkOptions options = { .path = path, .host = host };

    blk_create(&create, &error);
    g_assert_no_error(error);
    g_autoptr(Blk) blk = blk_open(&options, &error);
    g_assert_no_error(error);
    model_fill(work->buf, 0, sectors, MODEL_BASE);
    g_assert_cmpint(blk_write(blk, 0, work->buf, sectors * BLK_SECTOR), ==, 0);
}

void work_init(Work *work, const WorkKind *kind, const WorkMix *mix, const BlkHost *host,
               Model *model, guint32 seed)
{
    const char *const path = "disk", *const base = "base";
    g_autoptr(GError) error = NULL;
    BlkCreate create = kind->create;
    uint32_t sectors = (uint32_t)(create.size / BLK_SECTOR);
    uint32_t below = kind->backing ? sectors * 2 / 3 + 3 : 0;

    *work = (Work){ .kind = kind, .mix = mix, .model = model };
    work->buf = g_malloc(MODEL_SECTORS * BLK_SECTOR);
    work->random = g_rand_new_with_seed(seed);
    work->options =
        (BlkOptions){ .path = path, .format = "qcow2", .host = host, .metadata_cache = 1 };
    create.path = path;
    create.format = "qcow2";
    create.host = host;
    create.replace = true;
    if (mix->together) {
        work->bench = host ? host->opaque : NULL;
        work->aio = blk_aio_new(host ? BLK_AIO_MANUAL : BLK_AIO_USUAL);
        blk_aio_start(work->aio);
        work->options.aio = work->aio;
    }
    if (kind->backing) {
        fill_base(work, host, base, below);
        create.backing = base;
        create.backing_format = "raw";
        work->backing =
            (BlkOptions){ .path = base, .read_only = true, .host = host, .aio = work->aio };
        work->options.backing = &work->backing;
    }
    blk_create(&create, &error);
    g_assert_no_error(error);
    work->blk = blk_open(&work->options, &error);
    g_assert_no_error(error);
    model_init(model, sectors, below);
}

void work_clear(Work *work)
{
    blk_close(work->blk);
    blk_aio_free(work->aio);
    g_rand_free(work->random);
    g_free(work->buf);
}

/* A range of sectors, of clusters or not. */
static void choose(Work *work, uint32_t *first, uint32_t *n)
{
    static const uint32_t units[] = { 1, 1, 8, 128 };
    uint32_t unit = units[g_rand_int(work->random) % G_N_ELEMENTS(units)];
    uint32_t most = g_rand_int(work->random) % 4 ? 24 : 300;

    *first = (uint32_t)align_down(g_rand_int(work->random) % work->model->sectors, unit);
    *n = (uint32_t)align_up(1 + g_rand_int(work->random) % most, unit);
    *n = MIN(*n, work->model->sectors - *first);
}

/* @result is how @op ended; if it did not end well, anything may be there. */
static int end(Work *work, const ModelOp *op, int result)
{
    if (!result) {
        model_done(work->model, op);
    }
    return result;
}

/* --- requests that are submitted --- */

typedef struct Sent {
    BlkRequest request;
    Work *work;
    struct iovec iov;
    ModelOp op;
} Sent;

static void on_done(BlkRequest *request)
{
    ((Sent *)request)->work->flying--;
}

static void wait_for_some(Work *work)
{
    struct pollfd polls[BLK_AIO_FDS];
    int fds[BLK_AIO_FDS];
    unsigned n = blk_aio_fds(work->aio, fds);

    for (unsigned i = 0; i < n; i++) {
        polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    if (work->bench) {
        blk_bench_end_moves(work->bench, work->random, true);
    } else {
        (void)poll(polls, n, -1); /* interrupted: we come again */
    }
    blk_aio_run(work->aio);
}

static void send(Sent *sent)
{
    sent->request.blk = sent->work->blk;
    sent->request.done = on_done;
    sent->work->flying += !blk_submit(&sent->request);
}

static int send_and_wait(Work *work, const BlkRequest *request)
{
    Sent sent = { .request = *request, .work = work };

    send(&sent);
    while (work->flying) {
        wait_for_some(work);
    }
    return sent.request.result;
}

/* Writes to places that don't overlap. */
static int do_writes(Work *work)
{
    Sent sent[TOGETHER] = { 0 };
    unsigned n_sent = 0;
    int result = 0;

    for (unsigned i = 0; i < TOGETHER; i++) {
        uint32_t first, n;
        bool apart = true;
        choose(work, &first, &n);
        for (unsigned k = 0; k < n_sent; k++) {
            apart &= !ranges_overlap(first, n, sent[k].op.first, sent[k].op.n);
        }
        if (!apart) {
            continue;
        }
        Sent *one = &sent[n_sent++];
        *one = (Sent){ .work = work, .op = model_begin_write(work->model, first, n, false) };
        one->iov = (struct iovec){ g_malloc(n * BLK_SECTOR), n * BLK_SECTOR };
        model_fill(one->iov.iov_base, first, n, one->op.number);
        one->request.op = BLK_WRITE;
        one->request.offset = (uint64_t)first * BLK_SECTOR;
        one->request.iov = &one->iov;
        one->request.n = 1;
        send(one);
    }
    while (work->flying) {
        wait_for_some(work);
    }
    for (unsigned i = 0; i < n_sent; i++) {
        int ended = end(work, &sent[i].op, sent[i].request.result);
        result = result ? result : ended;
        g_free(sent[i].iov.iov_base);
    }
    return result;
}

static int zero(Work *work, uint64_t offset, uint64_t len, BlkZero how)
{
    BlkRequest request = { .op = BLK_MAKE_ZERO, .offset = offset, .len = len, .how = how };

    return work->aio ? send_and_wait(work, &request) : blk_zero(work->blk, offset, len, how);
}

static int flush(Work *work)
{
    BlkRequest request = { .op = BLK_FLUSH };

    return work->aio ? send_and_wait(work, &request) : blk_flush(work->blk);
}

/* --- kinds of work --- */

static int do_write(Work *work)
{
    uint32_t first, n;

    if (work->aio) {
        return do_writes(work);
    }
    choose(work, &first, &n);
    ModelOp op = model_begin_write(work->model, first, n, false);
    model_fill(work->buf, first, n, op.number);
    uint64_t offset = (uint64_t)first * BLK_SECTOR;
    return end(work, &op, blk_write(work->blk, offset, work->buf, (size_t)n * BLK_SECTOR));
}

static int do_zero(Work *work, BlkZero how)
{
    uint32_t first, n;

    choose(work, &first, &n);
    ModelOp op = model_begin_write(work->model, first, n, true);
    int result = zero(work, (uint64_t)first * BLK_SECTOR, (uint64_t)n * BLK_SECTOR, how);
    if (how != BLK_ZERO_DISCARD || result) {
        return end(work, &op, result);
    }
    /* what is left there, only the disk knows */
    g_autofree char *wrong = model_adopt(work->model, work->blk);
    return wrong ? -EIO : 0;
}

static int do_compressed(Work *work)
{
    uint32_t cluster = work->blk->unit / BLK_SECTOR, clusters, first, n;

    if (!cluster) {
        return 0;
    }
    clusters = (work->model->sectors + cluster - 1) / cluster;
    first = cluster * (g_rand_int(work->random) % clusters);
    n = MIN(cluster, work->model->sectors - first);
    ModelOp op = model_begin_write(work->model, first, n, false);
    model_fill(work->buf, first, n, op.number);
    return end(work, &op,
               blk_write_compressed(work->blk, (uint64_t)first * BLK_SECTOR, work->buf,
                                    (size_t)n * BLK_SECTOR));
}

static int do_flush(Work *work)
{
    int result = work->lies ? 0 : flush(work);

    if (!result) {
        if (work->flushed) {
            work->flushed(work);
        }
        model_flushed(work->model);
    }
    return result;
}

static int do_snapshot(Work *work)
{
    Model *model = work->model;
    g_autoptr(GError) error = NULL;
    bool good = true;

    if (model->snapshot == MODEL_NONE && !model->saved_in_use) {
        memcpy(model->saved, model->now, sizeof(model->now));
        model->saved_sectors = model->sectors;
        model_set_snapshot(model, MODEL_PERHAPS);
        good = blk_snapshot_create(work->blk, "one", &error);
        model_set_snapshot(model, good ? MODEL_THERE : MODEL_PERHAPS);
    } else if (model->snapshot == MODEL_THERE && g_rand_int(work->random) % 2) {
        model_set_snapshot(model, MODEL_PERHAPS);
        good = blk_snapshot_delete(work->blk, "one", &error);
        model_set_snapshot(model, good ? MODEL_NONE : MODEL_PERHAPS);
    } else if (model->snapshot == MODEL_THERE) {
        ModelOp op = model_begin_restore(model);
        good = blk_snapshot_apply(work->blk, "one", &error);
        end(work, &op, good ? 0 : -EIO);
    }
    return good ? 0 : -EIO;
}

static int do_resize(Work *work)
{
    g_autoptr(GError) error = NULL;
    uint32_t most = MIN((uint32_t)(work->kind->create.size / BLK_SECTOR * 3 / 2), MODEL_SECTORS);
    uint32_t sectors = 1 + g_rand_int(work->random) % most;
    ModelOp op = model_begin_resize(work->model, sectors);
    bool good = blk_resize(work->blk, (uint64_t)sectors * BLK_SECTOR, BLK_PREALLOCATE_OFF, &error);

    return end(work, &op, good ? 0 : -EIO);
}

int work_step(Work *work)
{
    const WorkMix *mix = work->mix;
    uint32_t dice = g_rand_int(work->random) % 100;

    if (work->model->n_ops > MODEL_OPS - 20) {
        return do_flush(work);
    }
    if (dice < mix->write) {
        return do_write(work);
    }
    dice -= mix->write;
    if (dice < mix->zero) {
        return do_zero(work, dice % 2 ? BLK_ZERO_KEEP : BLK_ZERO_UNMAP);
    }
    dice -= mix->zero;
    if (dice < mix->discard) {
        return do_zero(work, BLK_ZERO_DISCARD);
    }
    dice -= mix->discard;
    if (dice < mix->compress) {
        return do_compressed(work);
    }
    dice -= mix->compress;
    if (dice < mix->flush) {
        return do_flush(work);
    }
    dice -= mix->flush;
    return dice < mix->snapshot ? do_snapshot(work) : do_resize(work);
}
