/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O thread, see io_thread.h: a queue of tasks, and an epoll descriptor that is waited on
 * while the queue is empty.  An eventfd among its descriptors ends the wait when a task comes.
 *
 * A watch that asks for nothing is not in the epoll set at all, since hanging up is told of
 * unasked.  Events name their watch by number: it may have been freed since epoll_wait() returned.
 */
#include "machine/core/io_thread.h"

#include <errno.h>
#include <glib.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/confine.h"

struct IoTask {
    IoThread *thread; /* fixed after create */
    void (*fn)(void *opaque);
    void *opaque;
    bool queued; /* lock: thread->lock */
};

struct IoWatch {
    /* fixed after create */
    IoThread *thread;
    int fd;
    uint64_t id; /* not 0 */
    void (*fn)(void *opaque, unsigned events);
    void *opaque;
    unsigned events; /* lock: thread->lock */
};

struct IoThread {
    /* fixed after create */
    GThread *thread; /* NULL: manual */
    int epoll, wake;
    GMutex lock;
    GCond changed;
    /* lock: lock */
    GQueue waiting;
    GPtrArray *watches;
    const void *running; /* a task or a watch */
    uint64_t last_id;
    unsigned tasks;
    bool asleep; /* or about to be: somebody must write to .wake */
    bool paused;
    bool stopping;
};

/* Run the task at the queue's head, with the lock open.  Lock: held. */
static void run_task(IoThread *thread)
{
    IoTask *task = g_queue_pop_head(&thread->waiting);

    task->queued = false;
    thread->running = task;
    g_mutex_unlock(&thread->lock);
    task->fn(task->opaque);
    g_mutex_lock(&thread->lock);
    thread->running = NULL;
    g_cond_broadcast(&thread->changed);
}

static IoWatch *find_watch(const IoThread *thread, uint64_t id)
{
    for (guint i = 0; i < thread->watches->len; i++) {
        IoWatch *watch = g_ptr_array_index(thread->watches, i);
        if (watch->id == id) {
            return watch;
        }
    }
    return NULL;
}

/* Tell the watch of @event, with the lock open.  Lock: held. */
static void run_watch(IoThread *thread, const struct epoll_event *event)
{
    IoWatch *watch = find_watch(thread, event->data.u64);
    bool broken = event->events & (EPOLLERR | EPOLLHUP);
    unsigned events = (event->events & EPOLLIN || broken ? IO_READ : 0) |
                      (event->events & EPOLLOUT || broken ? IO_WRITE : 0);

    if (!watch || !watch->events || thread->paused) {
        return; /* it was freed, or changed its mind; or its turn comes later */
    }
    thread->running = watch;
    g_mutex_unlock(&thread->lock);
    watch->fn(watch->opaque, events);
    g_mutex_lock(&thread->lock);
    thread->running = NULL;
    g_cond_broadcast(&thread->changed);
}

/* Wait for a descriptor, or only look, and serve it; false: none was ready.  Lock: held. */
static bool serve_descriptor(IoThread *thread, bool wait)
{
    struct epoll_event event;
    uint64_t count;

    thread->asleep = wait;
    g_mutex_unlock(&thread->lock);
    int n = epoll_wait(thread->epoll, &event, 1, wait ? -1 : 0);
    g_mutex_lock(&thread->lock);
    thread->asleep = false;
    if (n <= 0) {
        return false;
    }
    if (event.data.u64) {
        run_watch(thread, &event);
    } else {
        ssize_t ignored = read(thread->wake, &count, sizeof(count));
        (void)ignored; /* empty: somebody else's wake-up was read with it */
    }
    return true;
}

static gpointer run(gpointer opaque)
{
    IoThread *thread = opaque;

    confine_thread(THREAD_IO);
    g_mutex_lock(&thread->lock);
    while (!thread->stopping) {
        /* those that come meanwhile wait until descriptors had their turn */
        for (guint n = g_queue_get_length(&thread->waiting); n > 0; n--) {
            if (!g_queue_is_empty(&thread->waiting) && !thread->paused) {
                run_task(thread);
            }
        }
        while (thread->paused && !thread->stopping) {
            g_cond_wait(&thread->changed, &thread->lock);
        }
        bool idle = g_queue_is_empty(&thread->waiting) && !thread->stopping;
        if (idle || thread->watches->len) {
            serve_descriptor(thread, idle);
        }
    }
    g_mutex_unlock(&thread->lock);
    return NULL;
}

/* Lock: held. */
static void wake(IoThread *thread)
{
    uint64_t one = 1;

    if (thread->asleep) {
        thread->asleep = false;
        ssize_t ignored = write(thread->wake, &one, sizeof(one));
        (void)ignored; /* full: it is awake */
    }
}

IoThread *io_thread_new_manual(void)
{
    IoThread *thread = g_new0(IoThread, 1);
    struct epoll_event event = { .events = EPOLLIN };

    g_mutex_init(&thread->lock);
    g_cond_init(&thread->changed);
    g_queue_init(&thread->waiting);
    thread->watches = g_ptr_array_new();
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->epoll < 0 || thread->wake < 0 ||
        epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->wake, &event)) {
        g_error("cannot make the descriptors of an I/O thread: %s", g_strerror(errno));
    }
    return thread;
}

IoThread *io_thread_new_held(void)
{
    return io_thread_new_manual();
}

void io_thread_start(IoThread *thread, const char *name)
{
    g_assert(!thread->thread);
    thread->thread = g_thread_new(name, run, thread);
}

IoThread *io_thread_new(const char *name)
{
    IoThread *thread = io_thread_new_held();

    io_thread_start(thread, name);
    return thread;
}

void io_thread_free(IoThread *thread)
{
    if (!thread) {
        return;
    }
    g_assert(thread->tasks == 0 && thread->watches->len == 0);
    if (thread->thread) {
        g_mutex_lock(&thread->lock);
        thread->stopping = true;
        wake(thread);
        g_cond_broadcast(&thread->changed);
        g_mutex_unlock(&thread->lock);
        g_thread_join(thread->thread);
    }
    close(thread->epoll);
    close(thread->wake);
    g_ptr_array_unref(thread->watches);
    g_cond_clear(&thread->changed);
    g_mutex_clear(&thread->lock);
    g_free(thread);
}

void io_thread_run_all(IoThread *thread)
{
    bool ran = true;

    g_assert(!thread->thread);
    g_mutex_lock(&thread->lock);
    while (ran) {
        ran = !g_queue_is_empty(&thread->waiting);
        if (ran) {
            run_task(thread);
        } else if (thread->watches->len) {
            ran = serve_descriptor(thread, false);
        }
    }
    g_mutex_unlock(&thread->lock);
}

/* Wait until @what, a task or a watch, doesn't run.  Lock: held. */
static void wait_until_idle(IoThread *thread, const void *what)
{
    while (thread->running == what) {
        g_cond_wait(&thread->changed, &thread->lock);
    }
}

void io_thread_pause(IoThread *thread, bool on)
{
    g_mutex_lock(&thread->lock);
    thread->paused = on;
    while (on && thread->running) {
        g_cond_wait(&thread->changed, &thread->lock);
    }
    g_cond_broadcast(&thread->changed);
    g_mutex_unlock(&thread->lock);
}

IoTask *io_task_new(IoThread *thread, void (*fn)(void *opaque), void *opaque)
{
    IoTask *task = g_new0(IoTask, 1);

    *task = (IoTask){ .thread = thread, .fn = fn, .opaque = opaque };
    g_mutex_lock(&thread->lock);
    thread->tasks++;
    g_mutex_unlock(&thread->lock);
    return task;
}

void io_task_free(IoTask *task)
{
    if (!task) {
        return;
    }
    IoThread *thread = task->thread;
    g_mutex_lock(&thread->lock);
    wait_until_idle(thread, task);
    if (task->queued) {
        g_queue_remove(&thread->waiting, task);
    }
    thread->tasks--;
    g_mutex_unlock(&thread->lock);
    g_free(task);
}

void io_task_schedule(IoTask *task)
{
    IoThread *thread = task->thread;

    g_mutex_lock(&thread->lock);
    if (!task->queued) {
        task->queued = true;
        g_queue_push_tail(&thread->waiting, task);
        wake(thread);
    }
    g_mutex_unlock(&thread->lock);
}

IoWatch *io_watch_new(IoThread *thread, int fd, void (*fn)(void *opaque, unsigned events),
                      void *opaque)
{
    IoWatch *watch = g_new0(IoWatch, 1);

    *watch = (IoWatch){ .thread = thread, .fd = fd, .fn = fn, .opaque = opaque };
    g_mutex_lock(&thread->lock);
    watch->id = ++thread->last_id;
    g_ptr_array_add(thread->watches, watch);
    g_mutex_unlock(&thread->lock);
    return watch;
}

/* Lock: held. */
static void set_events(IoWatch *watch, unsigned events)
{
    struct epoll_event event = {
        .events = (events & IO_READ ? (uint32_t)EPOLLIN : 0) |
                  (events & IO_WRITE ? (uint32_t)EPOLLOUT : 0),
        .data.u64 = watch->id,
    };
    int change = !events ? EPOLL_CTL_DEL : watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (events != watch->events) {
        int result = epoll_ctl(watch->thread->epoll, change, watch->fd, &event);
        g_assert(result == 0 || errno == ENOMEM || errno == ENOSPC);
        watch->events = result == 0 ? events : watch->events;
    }
}

void io_watch_set(IoWatch *watch, unsigned events)
{
    g_mutex_lock(&watch->thread->lock);
    set_events(watch, events);
    g_mutex_unlock(&watch->thread->lock);
}

void io_watch_free(IoWatch *watch)
{
    if (!watch) {
        return;
    }
    IoThread *thread = watch->thread;
    g_mutex_lock(&thread->lock);
    set_events(watch, 0);
    wait_until_idle(thread, watch);
    g_ptr_array_remove(thread->watches, watch);
    g_mutex_unlock(&thread->lock);
    g_free(watch);
}
