/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VM process locks itself in before the first guest instruction: from then on it has its
 * descriptors, its memory, and the system calls of its threads' kinds (common/confine.h).
 *
 *   sandbox_prepare   at the begin: descriptors that nobody named are closed
 *   ...               all is opened: disks, sockets that are listened on, the engine
 *   sandbox_enter     on the only thread; threads that begin afterwards are behind all walls
 *
 * Threads: main, while it is the only one.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "vm/outside.h"

/* Keep standard input, output and error, what @config names, KEEPER_FD and @signals. */
bool sandbox_prepare(const VmConfig *config, int signals);
typedef struct SandboxSpec {
    uint64_t memory; /* of the machine */
    unsigned cpus;
    void (*on_violation)(int number, siginfo_t *info,
                         void *context); /* of tests; NULL: the usual */
} SandboxSpec;

/* *@ret_missing is NULL, or names the walls that this host doesn't have or let us have; newly
 * allocated. */
bool sandbox_enter(const Outside *outside, const SandboxSpec *spec, char **ret_missing,
                   GError **error);
