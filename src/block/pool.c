/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool of threads, see pool.h.
 */
#include "block/pool.h"

#include <errno.h>
#include <glib.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/confine.h"

typedef struct JobList {
    BlkJob *first, **last;
} JobList;

struct BlkPool {
    /* fixed after create */
    int event;
    unsigned n_threads;
    GThread **threads;
    GMutex lock;
    GCond changed;
    /* lock: lock */
    JobList moving, waiting; /* to be done: those that never wait for others, and the rest */
    JobList ended;
    unsigned n_waits; /* threads that do work of .waiting */
    bool stopping;
};

static void list_init(JobList *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void append(JobList *list, BlkJob *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

static BlkJob *take_first(JobList *list)
{
    BlkJob *job = list->first;

    if (job) {
        list->first = job->next;
        list->last = list->first ? list->last : &list->first;
    }
    return job;
}

/* The next job for one more thread, or NULL.  Lock: held. */
static BlkJob *take_job(BlkPool *pool)
{
    BlkJob *job = take_first(&pool->moving);

    if (!job && pool->n_waits + 1 < MAX(pool->n_threads, 2)) {
        job = take_first(&pool->waiting);
    }
    return job;
}

/* Do @job with the lock open, and put it among those that have ended.  Lock: held. */
static void do_job(BlkPool *pool, BlkJob *job)
{
    bool waits = job->waits;

    pool->n_waits += waits;
    g_mutex_unlock(&pool->lock);
    job->work(job);
    blk_pool_end(pool, job);
    g_mutex_lock(&pool->lock);
    pool->n_waits -= waits;
}

static gpointer serve(gpointer opaque)
{
    BlkPool *pool = opaque;

    confine_thread(THREAD_WORKER);
    g_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        BlkJob *job = take_job(pool);
        if (job) {
            do_job(pool, job);
        } else {
            g_cond_wait(&pool->changed, &pool->lock);
        }
    }
    g_mutex_unlock(&pool->lock);
    return NULL;
}

BlkPool *blk_pool_new(unsigned threads)
{
    BlkPool *pool = g_new0(BlkPool, 1);

    pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->event < 0) {
        g_error("cannot make the descriptor of a pool of threads: %s", g_strerror(errno));
    }
    list_init(&pool->moving);
    list_init(&pool->waiting);
    list_init(&pool->ended);
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->changed);
    pool->n_threads = threads;
    pool->threads = g_new0(GThread *, threads);
    return pool;
}

void blk_pool_start(BlkPool *pool)
{
    for (unsigned i = 0; i < pool->n_threads && !pool->threads[i]; i++) {
        g_autofree char *name = g_strdup_printf("disk-%u", i);
        pool->threads[i] = g_thread_new(name, serve, pool);
    }
}

void blk_pool_free(BlkPool *pool)
{
    if (!pool) {
        return;
    }
    g_mutex_lock(&pool->lock);
    g_assert(!pool->moving.first && !pool->waiting.first && !pool->ended.first);
    pool->stopping = true;
    g_cond_broadcast(&pool->changed);
    g_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads && pool->threads[i]; i++) {
        g_thread_join(pool->threads[i]);
    }
    g_free(pool->threads);
    g_cond_clear(&pool->changed);
    g_mutex_clear(&pool->lock);
    close(pool->event);
    g_free(pool);
}

int blk_pool_fd(const BlkPool *pool)
{
    return pool->event;
}

void blk_pool_wake(BlkPool *pool)
{
    uint64_t one = 1;
    ssize_t ignored = write(pool->event, &one, sizeof(one));

    (void)ignored; /* full: it is readable */
}

void blk_pool_add(BlkPool *pool, BlkJob *job)
{
    g_mutex_lock(&pool->lock);
    append(job->waits ? &pool->waiting : &pool->moving, job);
    if (pool->n_threads) {
        g_cond_signal(&pool->changed);
    } else {
        blk_pool_wake(pool);
    }
    g_mutex_unlock(&pool->lock);
}

void blk_pool_end(BlkPool *pool, BlkJob *job)
{
    g_mutex_lock(&pool->lock);
    bool first = !pool->ended.first;
    append(&pool->ended, job);
    if (first) {
        blk_pool_wake(pool);
    }
    g_mutex_unlock(&pool->lock);
}

void blk_pool_run(BlkPool *pool)
{
    uint64_t count;
    ssize_t ignored = read(pool->event, &count, sizeof(count));
    BlkJob *job;

    (void)ignored; /* empty: what was signalled was seen already */
    g_mutex_lock(&pool->lock);
    while (!pool->n_threads && (job = take_job(pool))) {
        do_job(pool, job);
    }
    job = pool->ended.first;
    list_init(&pool->ended);
    g_mutex_unlock(&pool->lock);
    while (job) {
        BlkJob *next = job->next;
        job->done(job);
        job = next;
    }
}
