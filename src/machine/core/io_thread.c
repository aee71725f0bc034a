/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The I/O thread, see io_thread.h: a mutex, a condition and a queue of tasks.
 */
#include "machine/core/io_thread.h"

#include <glib.h>

struct IoTask {
    IoThread *thread; /* fixed after create */
    void (*fn)(void *opaque);
    void *opaque;
    bool queued; /* lock: thread->lock */
};

struct IoThread {
    GThread *thread; /* fixed after create; NULL: manual */
    GMutex lock;
    GCond changed;
    /* lock: lock */
    GQueue waiting;
    IoTask *running;
    unsigned tasks;
    bool stopping;
};

/* Run the task at the queue's head, with the lock open.  Lock: held. */
static void run_one(IoThread *thread)
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

static gpointer run(gpointer opaque)
{
    IoThread *thread = opaque;

    g_mutex_lock(&thread->lock);
    while (!thread->stopping) {
        if (g_queue_is_empty(&thread->waiting)) {
            g_cond_wait(&thread->changed, &thread->lock);
        } else {
            run_one(thread);
        }
    }
    g_mutex_unlock(&thread->lock);
    return NULL;
}

IoThread *io_thread_new_manual(void)
{
    IoThread *thread = g_new0(IoThread, 1);

    g_mutex_init(&thread->lock);
    g_cond_init(&thread->changed);
    g_queue_init(&thread->waiting);
    return thread;
}

IoThread *io_thread_new(const char *name)
{
    IoThread *thread = io_thread_new_manual();

    thread->thread = g_thread_new(name, run, thread);
    return thread;
}

void io_thread_free(IoThread *thread)
{
    if (!thread) {
        return;
    }
    g_assert(thread->tasks == 0);
    if (thread->thread) {
        g_mutex_lock(&thread->lock);
        thread->stopping = true;
        g_cond_broadcast(&thread->changed);
        g_mutex_unlock(&thread->lock);
        g_thread_join(thread->thread);
    }
    g_cond_clear(&thread->changed);
    g_mutex_clear(&thread->lock);
    g_free(thread);
}

void io_thread_run_all(IoThread *thread)
{
    g_assert(!thread->thread);
    g_mutex_lock(&thread->lock);
    while (!g_queue_is_empty(&thread->waiting)) {
        run_one(thread);
    }
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
    while (thread->running == task) {
        g_cond_wait(&thread->changed, &thread->lock);
    }
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
        g_cond_broadcast(&thread->changed);
    }
    g_mutex_unlock(&thread->lock);
}
