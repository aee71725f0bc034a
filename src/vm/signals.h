/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals to the process as events of its main loop: SIGTERM, SIGINT and SIGHUP end the machine,
 * SIGTSTP stops the job, SIGCONT has it take the terminal again, SIGUSR1 saves the machine.
 *
 * Threads: main thread only.
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>

#include "vm/outside.h"
#include "vm/vm.h"

/* Which they are. */
void signals_fill(sigset_t *set);
/* Before any thread is made: they inherit what is blocked. */
void signals_block(void);
/* Serve them on the main loop from now on, as they come or as the keeper passes them on.
 * *@ret_source is for g_source_remove(). */
bool signals_watch(Vm *vm, const Outside *outside, guint *ret_source, GError **error);
/* Die of signal @number, as if it had never been blocked. */
void signals_die(int number);
