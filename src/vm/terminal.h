/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal of the process in raw mode, so that every key is the guest's; and always back as
 * it was, also when the process dies of a crash.
 *
 * Threads: main thread only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Put the terminal of descriptor @fd into raw mode, or do nothing if it isn't one.  One terminal
 * at a time.  From now on it is restored if a signal such as SIGSEGV kills the process. */
bool terminal_raw(int fd, GError **error);

/* As it was before; does nothing if it isn't raw. */
void terminal_restore(void);

/* Make it raw once more, if it should be: a shell has used it while the process was stopped. */
void terminal_again(void);

/* Somebody else has made it raw, or (not @raw) as it was, and restores it. */
void terminal_told(bool raw);

/* Whether the terminal is raw: a line of ours must then end in "\r\n". */
bool terminal_is_raw(void);
