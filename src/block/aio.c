/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring and the threads that serve a process's disks, see aio.h.
 */
#include <errno.h>

#include "block/moves.h"
#include "block/ring.h"
#include "common/bits.h"
#include "common/error.h"

struct BlkAio {
    /* fixed after create */
    BlkRing *ring; /* NULL: none */
    char *no_ring;
    BlkPool *pool;
    GMutex lock; /* of the ring's side that takes moves */
    /* lock: lock */
    unsigned holds; /* who gathers moves */
    bool refused;   /* the kernel did not take what was put up */
};

BlkAio *blk_aio_new(BlkAioKind kind)
{
    BlkAio *aio = g_new0(BlkAio, 1);
    g_autoptr(GError) error = NULL;
    unsigned threads = kind == BLK_AIO_MANUAL ? 0 : BLK_THREADS_ALONE;

    g_mutex_init(&aio->lock);
    if (kind == BLK_AIO_USUAL) {
        aio->ring = blk_ring_new(&error);
        aio->no_ring = error ? g_strdup(error->message) : NULL;
    }
    aio->pool = blk_pool_new(aio->ring ? BLK_THREADS_BESIDE_RING : threads);
    return aio;
}

void blk_aio_start(BlkAio *aio)
{
    blk_pool_start(aio->pool);
}

void blk_aio_free(BlkAio *aio)
{
    if (aio) {
        blk_pool_free(aio->pool);
        blk_ring_free(aio->ring);
        g_mutex_clear(&aio->lock);
        g_free(aio->no_ring);
        g_free(aio);
    }
}

const char *blk_aio_no_ring(const BlkAio *aio)
{
    return aio->no_ring;
}

unsigned blk_aio_fds(const BlkAio *aio, int fds[BLK_AIO_FDS])
{
    fds[0] = blk_pool_fd(aio->pool);
    if (!aio->ring) {
        return 1;
    }
    fds[1] = blk_ring_fd(aio->ring);
    return 2;
}

/* --- moves --- */

/* Hand over what the ring was given, unless more comes at once.  Lock: held. */
static void submit(BlkAio *aio)
{
    if (!aio->holds && !blk_ring_submit(aio->ring)) {
        /* the kernel has no room now: blk_aio_run() tries again */
        aio->refused = true;
        blk_pool_wake(aio->pool);
    }
}

static bool put_into_ring(BlkAio *aio, BlkMove *move)
{
    g_mutex_lock(&aio->lock);
    bool taken = blk_ring_put(aio->ring, move);
    if (!taken && blk_ring_submit(aio->ring)) {
        taken = blk_ring_put(aio->ring, move);
    }
    if (taken) {
        submit(aio);
    }
    g_mutex_unlock(&aio->lock);
    return taken;
}

static void move_on_thread(BlkJob *job)
{
    BlkMove *move = container_of(job, BlkMove, job);
    const BlkHost *host = move->host;

    move->result = move->write
                       ? host->pwritev(host->opaque, move->file, move->iov, move->n, move->offset)
                       : host->preadv(host->opaque, move->file, move->iov, move->n, move->offset);
}

void blk_aio_move(BlkAio *aio, const BlkFile *file, BlkMove *move)
{
    move->file = file->fd;
    if (aio->ring && file->host->has_rings && !file->host->begin && put_into_ring(aio, move)) {
        return;
    }
    move->host = file->host;
    move->pool = aio->pool;
    move->job.work = move_on_thread;
    move->job.waits = false;
    if (file->host->begin) {
        file->host->begin(file->host->opaque, move);
    } else {
        blk_pool_add(aio->pool, &move->job);
    }
}

void blk_aio_work(BlkAio *aio, BlkJob *job)
{
    job->waits = true;
    blk_pool_add(aio->pool, job);
}

void blk_aio_hold(BlkAio *aio, bool on)
{
    if (!aio->ring) {
        return;
    }
    g_mutex_lock(&aio->lock);
    aio->holds += on ? 1 : -1;
    submit(aio);
    g_mutex_unlock(&aio->lock);
}

static void run_ring(BlkAio *aio)
{
    BlkMove *move;

    while ((move = blk_ring_get(aio->ring))) {
        move->job.done(&move->job);
    }
    g_mutex_lock(&aio->lock);
    if (aio->refused) {
        aio->refused = false;
        submit(aio);
    }
    g_mutex_unlock(&aio->lock);
}

void blk_aio_run(BlkAio *aio)
{
    if (aio->ring) {
        run_ring(aio);
    }
    blk_pool_run(aio->pool);
}
