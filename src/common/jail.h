/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process locks itself in: from then on it has its descriptors, its memory, and the system calls
 * of a list.
 *
 *   limits       descriptors, memory; no core dump
 *   namespaces   files (an empty read-only root, but for the files of the spec), IPC, host name;
 *                users too, for who isn't root; the network, if the spec says so
 *   identity     root becomes a user that nobody else is; no capabilities, no new privileges;
 *                nobody of the same user may look into it
 *   Landlock     the same of files once more, by another mechanism; no signals or abstract sockets
 *                to outside
 *   seccomp      any other call ends the process, whatever the CPU's mode
 *
 * A wall that the host doesn't have, or doesn't let us have, is left out, and the caller is told
 * to say so aloud; without seccomp the jail is none and entering it fails.
 *
 * Threads: entered on the only thread of a process.
 */
#pragma once

#include <glib.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* A small file that can be read inside. */
typedef struct JailFile {
    const char *path; /* absolute; NULL behind the last */
    const char *text;
} JailFile;

enum { JAIL_CALL_ARGS = 2 };

/* What an argument must be: its bits of @mask those of @value.  The kernel reads 32 bits of a
 * number that isn't long. */
#define JAIL_INT  UINT32_MAX
#define JAIL_LONG UINT64_MAX
typedef struct JailArg {
    uint8_t which;
    uint64_t mask; /* 0: there are no more */
    uint64_t value;
} JailArg;

/* A row: a system call that is allowed, or refused with an errno, if its arguments are so.  The
 * first row that fits counts. */
typedef struct JailCall {
    int number;     /* SCMP_SYS(name); below 0: this CPU's kernels have no such call */
    unsigned kinds; /* of threads, a bit each */
    const char *why;
    JailArg args[JAIL_CALL_ARGS];
    bool own;   /* argument 0 must be this process's number, too */
    int refuse; /* an errno; 0: it is allowed */
} JailCall;

typedef struct JailSpec {
    const JailFile *files;
    const JailCall *calls;
    size_t n_calls;
    unsigned kinds;  /* of the rows that count */
    bool trap;       /* any other call is SIGSYS, for whose handler see confine.h; else the end */
    bool no_network; /* sockets that there are work on, new ones would see no network */
    bool dies_with_parent; /* by SIGKILL, whatever it does */
    unsigned max_descriptors;
    unsigned max_tasks;  /* of a user whom nobody else is; 0: as it is */
    uint64_t max_memory; /* bytes of address space */
} JailSpec;

/* The next child of this process will be the first of a namespace of processes; in one of users,
 * too, if there is no other way.  0, or an errno. */
int jail_split_processes(void);

/* *@ret_missing is NULL, or names the walls that are missing and why; newly allocated. */
bool jail_enter(const JailSpec *spec, char **ret_missing, GError **error);

/* Limit the calling thread, and threads that it makes, to those of the @n_calls rows that are of
 * one of @kinds, besides what limits it already.  False, with errno: it can't be. */
bool jail_narrow(const JailCall *calls, size_t n_calls, unsigned kinds, bool trap);
