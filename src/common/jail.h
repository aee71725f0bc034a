/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process locks itself in: from then on it has its descriptors, its memory, and the system calls
 * of a list.
 *
 *   limits       descriptors, memory; no core dump
 *   namespaces   files (an empty read-only root, but for the files of the spec), IPC, host name;
 *                users too, for who isn't root
 *   identity     root becomes a user that nobody else is; no capabilities, no new privileges;
 *                nobody of the same user may look into it
 *   Landlock     the same of files once more, by another mechanism; no signals or abstract sockets
 *                to outside
 *   seccomp      any other call ends the process
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

enum { JAIL_CALL_ARGS = 3 };

/* A system call that is allowed if all of its @n comparisons hold. */
typedef struct JailCall {
    int number; /* SCMP_SYS(name) */
    unsigned n;
    struct scmp_arg_cmp args[JAIL_CALL_ARGS];
} JailCall;

typedef struct JailSpec {
    const JailFile *files;
    const JailCall *calls;
    unsigned n_calls;
    unsigned max_descriptors;
    uint64_t max_memory; /* bytes of address space */
} JailSpec;

/* *@ret_missing is NULL, or names the walls that are missing and why; newly allocated. */
bool jail_enter(const JailSpec *spec, char **ret_missing, GError **error);
