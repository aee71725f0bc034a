/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's I/O thread: runs tasks (a queue that was kicked, a disk request) in the order in
 * which they were scheduled, so that no vCPU waits for a disk.
 *
 * A task that is scheduled while it waits runs once; one that is scheduled while it runs, runs
 * again.  A manual thread has no thread: tests call io_thread_run_all().
 *
 * Threads: io_task_schedule() from anywhere, with any device's lock held.  Tasks run without
 * locks.
 */
#pragma once

#include <stdbool.h>

typedef struct IoThread IoThread;
typedef struct IoTask IoTask;

/* @name as the host's thread lists show it, up to 15 characters. */
IoThread *io_thread_new(const char *name);
IoThread *io_thread_new_manual(void);
/* All tasks must have been freed.  @thread may be NULL. */
void io_thread_free(IoThread *thread);
/* Manual only: run what is scheduled until nothing is. */
void io_thread_run_all(IoThread *thread);

IoTask *io_task_new(IoThread *thread, void (*fn)(void *opaque), void *opaque);
/* After return the function doesn't run any more (waits for it).  @task may be NULL. */
void io_task_free(IoTask *task);
void io_task_schedule(IoTask *task);
