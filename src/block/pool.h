/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that do what may wait, and a list of what has ended, for the one thread that goes on
 * with it.
 *
 * Work that waits until a disk's gate opens must not keep others from the threads: the gate's
 * closer may be waiting for them.  Such work says .waits, and never has the last thread.
 *
 * Threads: blk_pool_add() and blk_pool_end() from any, blk_pool_run() on one at a time.
 */
#pragma once

#include <stdbool.h>

typedef struct BlkPool BlkPool;

typedef struct BlkJob {
    void (*work)(struct BlkJob *job); /* on a thread of the pool */
    void (*done)(struct BlkJob *job); /* by blk_pool_run(); the pool has forgotten the job */
    bool waits;
    struct BlkJob *next; /* the pool's own */
} BlkJob;

/* No threads: blk_pool_run() does the work, for tests. */
BlkPool *blk_pool_new(unsigned threads);
/* Begin them, once; work that was added before waits. */
void blk_pool_start(BlkPool *pool);
/* Nothing may be in it.  @pool may be NULL. */
void blk_pool_free(BlkPool *pool);
/* Readable while something has ended: then call blk_pool_run(). */
int blk_pool_fd(const BlkPool *pool);
void blk_pool_add(BlkPool *pool, BlkJob *job);
/* The job has ended without a thread's help. */
void blk_pool_end(BlkPool *pool, BlkJob *job);
/* Have blk_pool_run() called, though nothing has ended. */
void blk_pool_wake(BlkPool *pool);
/* Call .done of all that has ended. */
void blk_pool_run(BlkPool *pool);
