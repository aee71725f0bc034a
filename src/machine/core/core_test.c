/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what devices stand on: shared lines, the I/O thread, saved fields.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "machine/core/bench.h"
#include "machine/core/device.h"
#include "machine/core/io_thread.h"
#include "machine/core/irq.h"
#include "machine/machine.h"

/* --- lines --- */

static void test_merge(void)
{
    Bench bench;
    IrqMerge merge;

    bench_init(&bench);
    irq_merge_init(&merge, bench_line(&bench, 3));
    IrqLine a = irq_merge_input(&merge, 0), b = irq_merge_input(&merge, 31);
    irq_set(&a, true);
    irq_set(&b, true);
    irq_set(&a, false);
    g_assert_true(bench.level[3]);
    irq_set(&b, false);
    g_assert_false(bench.level[3]);
    g_assert_cmpuint(bench.rises[3], ==, 1);
    irq_pulse(&a);
    g_assert_cmpuint(bench.rises[3], ==, 2);
    irq_set(&(IrqLine){ 0 }, true); /* not connected */
    irq_merge_clear(&merge);
    bench_clear(&bench);
}

/* --- I/O thread --- */

typedef struct Work {
    IoTask *task;
    unsigned started, runs, again; /* atomic */
} Work;

static void work(void *opaque)
{
    Work *w = opaque;

    __atomic_add_fetch(&w->started, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 20; i++) {
        g_usleep(10); /* time for somebody to free us, if they don't wait */
    }
    __atomic_add_fetch(&w->runs, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&w->again, __ATOMIC_RELAXED)) {
        __atomic_sub_fetch(&w->again, 1, __ATOMIC_RELAXED);
        io_task_schedule(w->task);
    }
}

static void test_manual_thread(void)
{
    IoThread *io = io_thread_new_manual();
    Work w = { .again = 3 };

    w.task = io_task_new(io, work, &w);
    io_task_schedule(w.task);
    io_task_schedule(w.task);
    g_assert_cmpuint(w.runs, ==, 0);
    io_thread_run_all(io);
    g_assert_cmpuint(w.runs, ==, 4);
    io_task_schedule(w.task);
    io_task_free(w.task);
    io_thread_run_all(io);
    g_assert_cmpuint(w.runs, ==, 4);
    io_thread_free(io);
}

/* Freeing a task waits for its function, and nothing runs after it. */
static void test_real_thread(void)
{
    IoThread *io = io_thread_new("io-test");

    for (unsigned round = 0; round < 200; round++) {
        Work *w = g_new0(Work, 1);
        w->task = io_task_new(io, work, w);
        for (unsigned i = 0; i < 5; i++) {
            io_task_schedule(w->task);
        }
        if (round % 2) {
            while (!__atomic_load_n(&w->started, __ATOMIC_RELAXED)) {
                g_usleep(10);
            }
        }
        io_task_free(w->task);
        g_free(w); /* ASan and TSan see whoever comes late */
    }
    io_thread_free(io);
}

typedef struct Pipe {
    int fds[2]; /* what is read, and what is written */
    IoWatch *watch;
    unsigned reads;  /* atomic */
    unsigned inside; /* atomic: the function runs */
    bool stops;      /* asks for nothing after each read */
} Pipe;

static void read_pipe(void *opaque, unsigned events)
{
    Pipe *pipe = opaque;
    char byte;

    g_assert_cmpuint(events & IO_READ, !=, 0);
    __atomic_store_n(&pipe->inside, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < 500; i++) {
        g_usleep(10); /* time for somebody to free us, if they don't wait */
    }
    if (read(pipe->fds[0], &byte, 1) != 1 || pipe->stops) {
        io_watch_set(pipe->watch, 0); /* its end, or enough */
    }
    __atomic_store_n(&pipe->inside, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&pipe->reads, 1, __ATOMIC_RELAXED);
}

static void pipe_init(Pipe *p, IoThread *io)
{
    g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->fds) == 0);
    p->watch = io_watch_new(io, p->fds[0], read_pipe, p);
}

static void pipe_clear(Pipe *p)
{
    io_watch_free(p->watch);
    g_assert_cmpuint(__atomic_load_n(&p->inside, __ATOMIC_RELAXED), ==, 0);
    close(p->fds[0]);
    close(p->fds[1]);
}

static void test_watch(void)
{
    IoThread *io = io_thread_new_manual();
    Pipe p = { 0 };

    pipe_init(&p, io);
    g_assert(write(p.fds[1], "abc", 3) == 3);
    io_thread_run_all(io);
    g_assert_cmpuint(p.reads, ==, 0); /* nobody asked */
    io_watch_set(p.watch, IO_READ);
    io_thread_run_all(io);
    g_assert_cmpuint(p.reads, ==, 3);
    p.stops = true;
    g_assert(write(p.fds[1], "abc", 3) == 3);
    io_thread_run_all(io);
    g_assert_cmpuint(p.reads, ==, 4);
    io_watch_set(p.watch, IO_READ);
    io_thread_run_all(io);
    g_assert_cmpuint(p.reads, ==, 5);
    /* the other end hangs up: told once more, though there is a byte */
    p.stops = false;
    shutdown(p.fds[1], SHUT_RDWR);
    io_watch_set(p.watch, IO_READ);
    io_thread_run_all(io);
    g_assert_cmpuint(p.reads, ==, 7);
    pipe_clear(&p);
    io_thread_free(io);
}

/* Freeing a watch waits for its function; tasks and watches both get their turn. */
static void test_real_watch(void)
{
    IoThread *io = io_thread_new("io-test");

    for (unsigned round = 0; round < 40; round++) {
        Work *w = g_new0(Work, 1);
        Pipe *p = g_new0(Pipe, 1);
        pipe_init(p, io);
        w->again = 1U << 30; /* keeps itself busy */
        w->task = io_task_new(io, work, w);
        io_task_schedule(w->task);
        io_watch_set(p->watch, IO_READ);
        g_assert(write(p->fds[1], "abcdef", 6) == 6);
        while (round % 2 && __atomic_load_n(&p->reads, __ATOMIC_RELAXED) < 3) {
            g_usleep(10);
        }
        g_assert_cmpuint(__atomic_load_n(&w->again, __ATOMIC_RELAXED), >, 0);
        pipe_clear(p);
        __atomic_store_n(&w->again, 0, __ATOMIC_RELAXED);
        io_task_free(w->task);
        g_free(p);
        g_free(w);
    }
    io_thread_free(io);
}

/* --- saved fields --- */

typedef struct Toy {
    Device device;
    uint8_t small;
    bool flag;
    uint16_t array[3];
    uint64_t large;
    bool refuse; /* not saved */
    unsigned resets;
} Toy;

static void toy_reset(Device *device)
{
    Toy *toy = container_of(device, Toy, device);

    toy->small = 1;
    toy->resets++;
}

static bool toy_loaded(Device *device, GError **error)
{
    return !container_of(device, Toy, device)->refuse;
}

static const SavedField toy_saved[] = {
    SAVED_RANGE(Toy, small, 1, 9),
    SAVED(Toy, flag),
    SAVED_ARRAY(Toy, array),
    SAVED(Toy, large),
    { 0 },
};

static const DeviceClass toy_class = {
    .name = "toy",
    .summary = "for tests",
    .instance_size = sizeof(Toy),
    .saved = toy_saved,
    .reset = toy_reset,
    .loaded = toy_loaded,
};

static void test_save_and_load(void)
{
    static const uint8_t expected[16] = { 5, 1, 1, 0, 2, 0, 3, 0, 8, 7, 6, 5, 4, 3, 2, 1 };
    g_autoptr(GError) error = NULL;
    uint8_t state[16];
    Bench bench;

    bench_init(&bench);
    Toy *toy = device_new(&toy_class, &bench.env, "toy0");
    g_assert_cmpuint(device_saved_size(&toy_class), ==, sizeof(state));
    toy->small = 5;
    toy->flag = true;
    toy->array[0] = 1;
    toy->array[1] = 2;
    toy->array[2] = 3;
    toy->large = 0x0102030405060708;
    device_save(&toy->device, state);
    g_assert_cmpmem(state, sizeof(state), expected, sizeof(expected));
    toy->array[2] = 0;
    toy->large = 0;
    g_assert(device_load(&toy->device, state, sizeof(state), &error));
    g_assert_cmpuint(toy->array[2], ==, 3);
    g_assert_cmphex(toy->large, ==, 0x0102030405060708);
    device_free(&toy->device);
    bench_clear(&bench);
}

/* A state that can't be leaves the device as it was. */
static void test_hostile_state(void)
{
    static const struct {
        unsigned at;
        uint8_t value;
        size_t len;
    } bad[] = {
        { 0, 0, 16 }, { 0, 10, 16 }, { 1, 2, 16 }, { 1, 255, 16 }, { 2, 0, 15 }, { 2, 0, 0 }
    };
    uint8_t state[16] = { 5 };
    Bench bench;

    bench_init(&bench);
    Toy *toy = device_new(&toy_class, &bench.env, "toy0");
    toy->small = 7;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        uint8_t copy[16];
        memcpy(copy, state, sizeof(copy));
        copy[bad[i].at] = bad[i].value;
        g_assert(!device_load(&toy->device, copy, bad[i].len, &error));
        g_assert_nonnull(strstr(error->message, "cannot load the state of 'toy0'"));
        g_assert_cmpuint(toy->small, ==, 7);
    }
    toy->refuse = true;
    g_assert(!device_load(&toy->device, state, sizeof(state), NULL));
    g_assert_cmpuint(toy->resets, ==, 1);
    g_assert_cmpuint(toy->small, ==, 1);
    device_free(&toy->device);
    bench_clear(&bench);
}

/* Each class in the catalog has what --describe and saved states need. */
static void test_catalog(void)
{
    const char *last = "";

    for (const DeviceClass *const *class = machine_device_classes(); *class; class ++) {
        g_assert_cmpstr((*class)->name, >, last); /* sorted, so each stands once */
        last = (*class)->name;
        g_assert_nonnull((*class)->summary);
        g_assert_cmpuint((*class)->instance_size, >=, sizeof(Device));
        for (const SavedField *f = (*class)->saved; f && f->name; f++) {
            g_assert(f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
            g_assert_cmpuint(f->offset, >=, sizeof(Device));
            g_assert_cmpuint(f->offset + (size_t)f->size * f->count, <=, (*class)->instance_size);
            g_assert_cmpuint(f->min, <=, saved_field_max(f));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/core/irq/merge", test_merge);
    g_test_add_func("/core/io-thread/manual", test_manual_thread);
    g_test_add_func("/core/io-thread/real", test_real_thread);
    g_test_add_func("/core/io-thread/watch", test_watch);
    g_test_add_func("/core/io-thread/real-watch", test_real_watch);
    g_test_add_func("/core/saved/round-trip", test_save_and_load);
    g_test_add_func("/core/saved/hostile", test_hostile_state);
    g_test_add_func("/core/catalog", test_catalog);
    return g_test_run();
}
