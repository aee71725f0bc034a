/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes, zeros, discards and reads by many threads at the same time as flushes, on a host whose
 * calls to give room back take long: nobody's data is hurt by room that goes from one to another.
 *
 * The negative control gives room back only after it has said so.  INSULA_SECONDS: how long.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "block/aio.h"
#include "block/bench.h"
#include "model.h"

enum { WORKERS = 4, CLUSTER = 16384, CLUSTERS = 72, SECTORS = CLUSTER / BLK_SECTOR };

typedef struct Race {
    BlkBench bench; /* first: what its calls get is what ours get */
    BlkHost host;   /* the bench's, with slow punches */
    Blk *blk;
    BlkAio *aio; /* the workers submit their requests; NULL: they wait for them */
    bool late;   /* a punch is done after it was answered */
    GThreadPool *later;
    int stop;
    int wrong; /* reads that were */
    uint64_t done;
} Race;

typedef struct Worker {
    Race *race;
    unsigned index;
    GRand *random;
    uint32_t numbers[CLUSTERS]; /* what the worker's own have: 0 or a write */
    uint8_t bytes[CLUSTER];
} Worker;

typedef struct Punch {
    int fd;
    int64_t offset, len;
} Punch;

static void punch_later(gpointer data, gpointer opaque)
{
    Race *race = opaque;
    Punch *punch = data;

    g_usleep(500);
    race->bench.host.range(&race->bench, punch->fd, BLK_HOST_PUNCH, punch->offset, punch->len);
    g_free(punch);
}

static int slow_range(void *opaque, int fd, BlkHostRange how, int64_t offset, int64_t len)
{
    Race *race = opaque;

    if (how == BLK_HOST_PUNCH && race->late) {
        Punch punch = { fd, offset, len };
        g_thread_pool_push(race->later, g_memdup2(&punch, sizeof(punch)), NULL);
        return 0;
    }
    if (how == BLK_HOST_PUNCH) {
        g_usleep((gulong)(offset / CLUSTER % 7 * 40));
    }
    return race->bench.host.range(&race->bench, fd, how, offset, len);
}

/* --- requests --- */

typedef struct Sent {
    BlkRequest request;
    GMutex lock;
    GCond changed;
    bool done; /* lock: lock */
} Sent;

static void on_done(BlkRequest *request)
{
    Sent *sent = (Sent *)request;

    g_mutex_lock(&sent->lock);
    sent->done = true;
    g_cond_signal(&sent->changed);
    g_mutex_unlock(&sent->lock);
}

static int send(Race *race, const BlkRequest *request)
{
    Sent sent = { .request = *request };

    sent.request.blk = race->blk;
    sent.request.done = on_done;
    g_mutex_init(&sent.lock);
    g_cond_init(&sent.changed);
    g_mutex_lock(&sent.lock);
    sent.done = blk_submit(&sent.request);
    while (!sent.done) {
        g_cond_wait(&sent.changed, &sent.lock);
    }
    g_mutex_unlock(&sent.lock);
    g_mutex_clear(&sent.lock);
    g_cond_clear(&sent.changed);
    return sent.request.result;
}

/* Goes on with what has ended. */
static gpointer serve(gpointer data)
{
    Race *race = data;
    int fds[BLK_AIO_FDS];

    g_assert_cmpuint(blk_aio_fds(race->aio, fds), ==, 1);
    while (__atomic_load_n(&race->stop, __ATOMIC_SEQ_CST) < 2) {
        struct pollfd wait = { .fd = fds[0], .events = POLLIN };
        (void)poll(&wait, 1, 10); /* interrupted, or nothing: look again */
        blk_aio_run(race->aio);
    }
    return NULL;
}

static int move_cluster(Worker *worker, BlkOp op, uint64_t offset)
{
    Race *race = worker->race;
    struct iovec iov = { worker->bytes, CLUSTER };
    BlkRequest request = { .op = op, .offset = offset, .iov = &iov, .n = 1 };

    if (race->aio) {
        return send(race, &request);
    }
    return op == BLK_READ ? blk_read(race->blk, offset, worker->bytes, CLUSTER)
                          : blk_write(race->blk, offset, worker->bytes, CLUSTER);
}

static int clear_cluster(const Worker *worker, uint64_t offset)
{
    BlkRequest request = {
        .op = BLK_MAKE_ZERO, .offset = offset, .len = CLUSTER, .how = BLK_ZERO_UNMAP
    };
    Race *race = worker->race;

    return race->aio ? send(race, &request) : blk_zero(race->blk, offset, CLUSTER, BLK_ZERO_UNMAP);
}

static void check_cluster(Worker *worker, unsigned cluster)
{
    Race *race = worker->race;
    uint64_t offset = (uint64_t)cluster * CLUSTER;
    bool right = move_cluster(worker, BLK_READ, offset) == 0;

    for (uint32_t i = 0; i < SECTORS && right; i++) {
        right = model_number(worker->bytes + i * BLK_SECTOR, cluster * SECTORS + i) ==
                worker->numbers[cluster];
    }
    if (!right) {
        __atomic_add_fetch(&race->wrong, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&race->stop, 1, __ATOMIC_SEQ_CST);
    }
}

static void change_cluster(Worker *worker, unsigned cluster, uint32_t number)
{
    uint64_t offset = (uint64_t)cluster * CLUSTER;
    int result;

    if (g_rand_int(worker->random) % 3) {
        model_fill(worker->bytes, cluster * SECTORS, SECTORS, number);
        result = move_cluster(worker, BLK_WRITE, offset);
        worker->numbers[cluster] = number;
    } else {
        result = clear_cluster(worker, offset);
        worker->numbers[cluster] = 0;
    }
    g_assert_cmpint(result, ==, 0);
}

static gpointer work(gpointer data)
{
    Worker *worker = data;
    Race *race = worker->race;

    for (uint32_t number = 2; !__atomic_load_n(&race->stop, __ATOMIC_SEQ_CST); number++) {
        unsigned cluster = g_rand_int(worker->random) % (CLUSTERS / WORKERS) * WORKERS;
        cluster += worker->index;
        if (g_rand_int(worker->random) % 2) {
            check_cluster(worker, cluster);
        } else {
            change_cluster(worker, cluster, number);
        }
        __atomic_add_fetch(&race->done, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void open_disk(Race *race, bool backing)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *base = g_malloc(CLUSTERS * CLUSTER);
    BlkCreate create = { .path = "disk",
                         .format = "qcow2",
                         .host = &race->bench.host,
                         .size = CLUSTERS * CLUSTER,
                         .cluster = CLUSTER };
    BlkOptions below = { .path = "base", .read_only = true, .host = &race->host, .aio = race->aio };
    BlkOptions options = {
        .path = "disk", .format = "qcow2", .host = &race->host, .aio = race->aio
    };

    blk_bench_init(&race->bench);
    race->host = race->bench.host;
    race->host.range = slow_range;
    race->host.begin = NULL; /* threads do it */
    if (backing) {
        model_fill(base, 0, CLUSTERS * SECTORS, MODEL_BASE);
        blk_bench_put(&race->bench, "base", base, CLUSTERS * CLUSTER);
        create.backing = "base";
        create.backing_format = "raw";
        options.backing = &below;
    }
    blk_create(&create, &error);
    g_assert_no_error(error);
    race->blk = blk_open(&options, &error);
    g_assert_no_error(error);
}

static void check_at_end(Race *race, Worker *workers)
{
    g_autoptr(GError) error = NULL;
    BlkCheck check = { 0 };

    for (unsigned i = 0; i < CLUSTERS; i++) {
        check_cluster(&workers[i % WORKERS], i);
    }
    blk_check(race->blk, BLK_REPAIR_NOTHING, &check, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(check.corruptions, ==, 0);
    g_assert_cmpuint(check.leaks, ==, 0);
}

/* How many reads were wrong. */
static int race_for(double seconds, bool backing, bool late, bool submitted)
{
    Race race = { .late = late, .aio = submitted ? blk_aio_new(BLK_AIO_THREADS) : NULL };
    if (submitted) {
        blk_aio_start(race.aio);
    }
    GThread *server = submitted ? g_thread_new("server", serve, &race) : NULL;
    g_autofree Worker *workers = g_new0(Worker, WORKERS);
    GThread *threads[WORKERS];
    gint64 end_us = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);

    race.later = g_thread_pool_new(punch_later, &race, 2, FALSE, NULL);
    open_disk(&race, backing);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (Worker){ .race = &race, .index = i, .random = g_rand_new() };
        for (unsigned k = 0; k < CLUSTERS; k++) {
            workers[i].numbers[k] = backing ? MODEL_BASE : 0;
        }
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    while (g_get_monotonic_time() < end_us && !__atomic_load_n(&race.stop, __ATOMIC_SEQ_CST)) {
        g_assert_cmpint(blk_flush(race.blk), ==, 0);
        g_usleep(300);
    }
    __atomic_store_n(&race.stop, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < WORKERS; i++) {
        g_thread_join(threads[i]);
    }
    if (!late) {
        check_at_end(&race, workers);
    }
    if (server) {
        __atomic_store_n(&race.stop, 2, __ATOMIC_SEQ_CST);
        g_thread_join(server);
    }
    g_test_message("%" G_GUINT64_FORMAT " requests", race.done);
    blk_close(race.blk);
    blk_aio_free(race.aio);
    g_thread_pool_free(race.later, FALSE, TRUE);
    blk_bench_clear(&race.bench);
    for (unsigned i = 0; i < WORKERS; i++) {
        g_rand_free(workers[i].random);
    }
    return race.wrong;
}

static double seconds = 2;

static void test_race(gconstpointer data)
{
    unsigned how = GPOINTER_TO_UINT(data);

    g_assert_cmpint(race_for(seconds, how & 1, false, how & 2), ==, 0);
}

static void test_late_is_seen(void)
{
    g_assert_cmpint(race_for(20, false, true, false), >, 0);
}

int main(int argc, char **argv)
{
    const char *said = g_getenv("INSULA_SECONDS");

    g_test_init(&argc, &argv, NULL);
    seconds = said ? MAX(atof(said), 0.1) : seconds;
    g_test_add_data_func("/image/race/alone", NULL, test_race);
    g_test_add_data_func("/image/race/overlay", GINT_TO_POINTER(1), test_race);
    g_test_add_data_func("/image/race/submitted", GINT_TO_POINTER(2), test_race);
    g_test_add_data_func("/image/race/submitted-overlay", GINT_TO_POINTER(3), test_race);
    g_test_add_func("/image/race/late-punches-are-seen", test_late_is_seen);
    return g_test_run();
}
