/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of threads, each on a CPU of its own if there are two: independent work, atomic additions,
 * compare and exchange, a mutex.  (Row futex2 is in kernel.c.)
 */
#include <pthread.h>

#include "suite.h"

enum { ADDS = 100000, EXCHANGES = 50000, LOCKS = 20000, WORK = 1000000 };

typedef struct Shared {
    uint64_t counter;
    pthread_mutex_t mutex;
    uint64_t sums[2];
} Shared;

typedef struct Worker {
    Shared *shared;
    int number;
} Worker;

static void *add(void *data)
{
    Worker *worker = data;

    pin_to(worker->number);
    for (int i = 0; i < ADDS; i++) {
        __atomic_fetch_add(&worker->shared->counter, 3, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void *exchange(void *data)
{
    Worker *worker = data;
    uint64_t *counter = &worker->shared->counter;

    pin_to(worker->number);
    for (int i = 0; i < EXCHANGES; i++) {
        uint64_t value = __atomic_load_n(counter, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(counter, &value, value + 1, true, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED)) {
        }
    }
    return NULL;
}

static void *lock(void *data)
{
    Worker *worker = data;
    Shared *shared = worker->shared;

    pin_to(worker->number);
    for (int i = 0; i < LOCKS; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->counter += 5;
        pthread_mutex_unlock(&shared->mutex);
    }
    return NULL;
}

static void *compute(void *data)
{
    Worker *worker = data;
    uint64_t sum = 1;

    pin_to(worker->number);
    for (uint32_t i = 0; i < WORK; i++) {
        sum = mix(sum, i);
    }
    worker->shared->sums[worker->number] = sum;
    return NULL;
}

static void setup_threads(void *data)
{
    pthread_mutex_init(&((Shared *)data)->mutex, NULL);
}

/* Runs @work in @count threads, and returns what they counted. */
static uint64_t run_threads(Shared *shared, void *(*work)(void *), int count)
{
    pthread_t threads[2];
    Worker workers[2];

    shared->counter = 0;
    for (int i = 0; i < count; i++) {
        workers[i] = (Worker){ shared, i };
        if (pthread_create(&threads[i], NULL, work, &workers[i])) {
            die("pthread_create");
        }
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return shared->counter;
}

static uint64_t work1(void *data)
{
    run_threads(data, compute, 1);
    return ((Shared *)data)->sums[0];
}

static uint64_t work2(void *data)
{
    Shared *shared = data;

    run_threads(shared, compute, 2);
    return shared->sums[0] ^ mix(1, shared->sums[1]);
}

static uint64_t atomic1(void *data)
{
    return run_threads(data, add, 1);
}

static uint64_t atomic2(void *data)
{
    return run_threads(data, add, 2);
}

static uint64_t cas2(void *data)
{
    return run_threads(data, exchange, 2);
}

static uint64_t mutex2(void *data)
{
    return run_threads(data, lock, 2);
}

const Row thread_rows[] = {
    { "smp", "work1", "Mop/s", WORK / 1e6, 0xd8595b355753fd56, sizeof(Shared), work1,
      setup_threads },
    { "smp", "work2", "Mop/s", 2 * WORK / 1e6, 0x113836b220e77d7c, sizeof(Shared), work2,
      setup_threads },
    { "smp", "atomic1", "Mop/s", ADDS / 1e6, 3 * ADDS, sizeof(Shared), atomic1, setup_threads },
    { "smp", "atomic2", "Mop/s", 2 * ADDS / 1e6, 6 * ADDS, sizeof(Shared), atomic2, setup_threads },
    { "smp", "cas2", "Mop/s", 2 * EXCHANGES / 1e6, 2 * EXCHANGES, sizeof(Shared), cas2,
      setup_threads },
    { "smp", "mutex2", "Mop/s", 2 * LOCKS / 1e6, 10 * LOCKS, sizeof(Shared), mutex2,
      setup_threads },
    { 0 },
};
