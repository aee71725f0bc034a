/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes, zeros, discards and reads by many threads at the same time as flushes, on a host whose
 * calls to give room back take long: nobody's data is hurt by room that goes from one to another.
 *
 * The negative control gives room back only after it has said so.  INSULA_SECONDS: how long.
 */
#include <stdio.h>
#include <stdlib.h>

#include "block/bench.h"
#include "model.h"

enum { WORKERS = 4, CLUSTER = 16384, CLUSTERS = 72, SECTORS = CLUSTER / BLK_SECTOR };

typedef struct Race {
    BlkBench bench; /* first: what its calls get is what ours get */
    BlkHost host;   /* the bench's, with slow punches */
    Blk *blk;
    bool late; /* a punch is done after it was answered */
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

static void check_cluster(Worker *worker, unsigned cluster)
{
    Race *race = worker->race;
    uint64_t offset = (uint64_t)cluster * CLUSTER;
    bool right = blk_read(race->blk, offset, worker->bytes, CLUSTER) == 0;

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
        result = blk_write(worker->race->blk, offset, worker->bytes, CLUSTER);
        worker->numbers[cluster] = number;
    } else {
        result = blk_zero(worker->race->blk, offset, CLUSTER, BLK_ZERO_UNMAP);
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
    BlkOptions below = { .path = "base", .read_only = true, .host = &race->host };
    BlkOptions options = { .path = "disk", .format = "qcow2", .host = &race->host };

    blk_bench_init(&race->bench);
    race->host = race->bench.host;
    race->host.range = slow_range;
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
    blk_check(race->blk, BLK_REPAIR_NOTHING, &check, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(check.corruptions, ==, 0);
    g_assert_cmpuint(check.leaks, ==, 0);
}

/* How many reads were wrong. */
static int race_for(double seconds, bool backing, bool late)
{
    Race race = { .late = late };
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
    g_test_message("%" G_GUINT64_FORMAT " requests", race.done);
    blk_close(race.blk);
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
    g_assert_cmpint(race_for(seconds, data != NULL, false), ==, 0);
}

static void test_late_is_seen(void)
{
    g_assert_cmpint(race_for(20, false, true), >, 0);
}

int main(int argc, char **argv)
{
    const char *said = g_getenv("INSULA_SECONDS");

    g_test_init(&argc, &argv, NULL);
    seconds = said ? MAX(atof(said), 0.1) : seconds;
    g_test_add_data_func("/image/race/alone", NULL, test_race);
    g_test_add_data_func("/image/race/overlay", GINT_TO_POINTER(1), test_race);
    g_test_add_func("/image/race/late-punches-are-seen", test_late_is_seen);
    return g_test_run();
}
