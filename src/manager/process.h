/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM's process: how it is started, found again, and ended.
 *
 * It is its own session and outlives the daemon.  It holds a lock on a file of ours from before
 * its first instruction to its end: who holds the lock lives, whatever a pid says.  A pid is
 * remembered as a hint alone; the process is believed to be the VM when it has the lock's file
 * open, and is then known by a pidfd.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct ProcessFiles {
    const char *lock;   /* made here if need be */
    const char *socket; /* of its control; made here */
    const char *log;    /* what it says on standard error is put at its end */
} ProcessFiles;

typedef struct Process {
    pid_t pid;
    int fd;        /* a pidfd */
    int control;   /* connected to its control socket */
    off_t log_end; /* where in the log its own words begin */
} Process;

/* Start @program with @words (without its name), to which those of the control socket and the lock
 * are added.  @viewers, unless it is -1, is a socket that listens for VNC viewers; the process has
 * it as descriptor 5. */
bool process_start(const char *program, char *const *words, const ProcessFiles *files, int viewers,
                   Process *ret_process, GError **error);
/* Whether a process holds the lock. */
bool process_lives(const char *lock);
/* The living process of those files, which may have number @hint; false: there is none, or it can't
 * be reached, and @error says why. */
bool process_find(const ProcessFiles *files, pid_t hint, Process *ret_process, GError **error);
/* End it at once; from its parent or not. */
void process_kill(int fd);
/* How process @fd has ended, if it has and we started it: an exit status, or 256 + a signal; -1:
 * nobody knows. */
int process_reap(int fd);
/* The last lines that it wrote to @log behind @from, for an error; NULL: none.  Newly allocated. */
char *process_last_words(const char *log, off_t from);
/* Connect to the socket at @path, which may be a long one; -1 and an error. */
int process_connect(const char *path, GError **error);
