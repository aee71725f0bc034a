/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to disks that don't wait: they begin now and end later.
 *
 *     aio = blk_aio_new(...)                      once, before a process locks itself in
 *     blk_open(... .aio = aio)                    all its disks
 *     blk_aio_start(aio)                          the process is locked in
 *     watch blk_aio_fds(aio); when readable: blk_aio_run(aio)
 *
 *     request->op = BLK_READ; ...; request->done = on_done
 *     if (blk_submit(request)) { it is done already, see request->result }
 *     else { blk_aio_run() will call request->done(request) }
 *
 * What is at hand in the host's memory is read at once.  What has its place in a file goes there by
 * a ring of io_uring (ring.h), or, where the host refuses rings, by threads.  What first needs
 * metadata, a place, unpacking or a sync, is done by one of few threads as blk_readv() and so on
 * do it; so all that block.h says of order and durability holds here too.
 *
 * Requests may end in any order.  A flush is for what was done before it was submitted.
 *
 * System calls, for who makes lists of them.  Who submits: preadv2, io_uring_enter, write, futex.
 * blk_aio_run(): read, io_uring_enter, and preadv or pwritev for what a move left undone.  Threads
 * "disk-N": preadv, pwritev, fdatasync, fallocate, ftruncate, lseek, write, futex.  None of these
 * starts a thread or a ring.
 *
 * Threads: blk_submit() from any; blk_aio_run() from one at a time, and .done is called by it,
 * without locks.  Best is that both are the same thread.  A disk is closed, and an aio freed, when
 * none of their requests runs.
 */
#pragma once

#include "block/block.h"
#include "block/gate.h"
#include "block/host.h"
#include "block/limits.h"

typedef enum BlkAioKind {
    BLK_AIO_USUAL,   /* a ring; where the host refuses them, threads alone */
    BLK_AIO_THREADS, /* threads alone */
    BLK_AIO_MANUAL,  /* for tests: neither; blk_aio_run() does the work */
} BlkAioKind;

BlkAio *blk_aio_new(BlkAioKind kind);
/* Begin its threads, before the first request; once more is nothing. */
void blk_aio_start(BlkAio *aio);
/* @aio may be NULL. */
void blk_aio_free(BlkAio *aio);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkAio, blk_aio_free)
/* Why there is no ring, in words; NULL: there is one, or none was wanted. */
const char *blk_aio_no_ring(const BlkAio *aio);

enum { BLK_AIO_FDS = 2 };
/* The descriptors that are readable while blk_aio_run() has something to do; returns how many. */
unsigned blk_aio_fds(const BlkAio *aio, int fds[BLK_AIO_FDS]);
/* Call .done of all requests that have ended. */
void blk_aio_run(BlkAio *aio);

typedef enum BlkOp { BLK_READ, BLK_WRITE, BLK_MAKE_ZERO, BLK_FLUSH } BlkOp;

typedef struct BlkRequest BlkRequest;
struct BlkRequest {
    /* the caller's; stays as it is until the request is done */
    Blk *blk;
    BlkOp op;
    bool durable; /* WRITE, MAKE_ZERO: flushed too */
    BlkZero how;  /* of MAKE_ZERO */
    uint64_t offset;
    uint64_t len;            /* of MAKE_ZERO */
    const struct iovec *iov; /* of READ and WRITE; what they point to, stays too */
    unsigned n;
    void (*done)(BlkRequest *request);
    /* when it is done: 0 or -errno, as the functions of block.h that wait */
    int result;
    /* our own */
    BlkJob job;
    BlkPass pass;
    uint64_t begun_ns, bytes;
    unsigned n_moves, moves_left;
    BlkMove moves[BLK_REQUEST_MOVES];
    struct iovec parts[BLK_REQUEST_IOV];
};

/* Begin @request.  True: it is done, and .done is not called.  A disk without aio waits here. */
bool blk_submit(BlkRequest *request);

/* Between these, requests for the ring are gathered, and handed over at the end: for who submits
 * several.  May be nested, and from several threads. */
void blk_batch_begin(Blk *blk);
void blk_batch_end(Blk *blk);
