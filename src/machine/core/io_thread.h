/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's I/O thread: runs tasks (a queue that was kicked, a disk request) in the order in
 * which they were scheduled, and watches descriptors (a network, a disk's completions), so that no
 * vCPU waits for the world.
 *
 * A task that is scheduled while it waits runs once; one that is scheduled while it runs, runs
 * again.  A watch calls as long as what it waits for is so: who can't serve it now, asks for
 * nothing until it can.  A manual thread has no thread: tests call io_thread_run_all().
 *
 * Threads: io_task_schedule() and io_watch_set() from anywhere, with any device's lock held.
 * Tasks and watches run without locks.
 */
#pragma once

#include <stdbool.h>

typedef struct IoThread IoThread;
typedef struct IoTask IoTask;
typedef struct IoWatch IoWatch;

/* @name as the host's thread lists show it, up to 15 characters. */
IoThread *io_thread_new(const char *name);
/* The same, but it begins with io_thread_start(). */
IoThread *io_thread_new_held(void);
void io_thread_start(IoThread *thread, const char *name);
IoThread *io_thread_new_manual(void);
/* All tasks and watches must have been freed.  @thread may be NULL. */
void io_thread_free(IoThread *thread);
/* Manual only: run what is scheduled or ready until nothing is. */
void io_thread_run_all(IoThread *thread);

/* On: wait until nothing runs, and run nothing until off; what is scheduled waits. */
void io_thread_pause(IoThread *thread, bool on);

IoTask *io_task_new(IoThread *thread, void (*fn)(void *opaque), void *opaque);
/* After return the function doesn't run any more (waits for it).  @task may be NULL. */
void io_task_free(IoTask *task);
void io_task_schedule(IoTask *task);

enum { IO_READ = 1, IO_WRITE = 2 };

/* Watch @fd, which stays the caller's, for nothing yet.  @fn gets what is so of IO_READ and
 * IO_WRITE; an error or the other end's hanging up is both. */
IoWatch *io_watch_new(IoThread *thread, int fd, void (*fn)(void *opaque, unsigned events),
                      void *opaque);
/* What to wait for from now on; 0: nothing. */
void io_watch_set(IoWatch *watch, unsigned events);
/* As io_task_free().  Before the descriptor is closed. */
void io_watch_free(IoWatch *watch);
