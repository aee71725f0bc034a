/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each program of Insula does first, and where the others are, seen from this one.
 *
 * Threads: no state.
 */
#pragma once

#include <stdbool.h>

/* The path of program @name: beside this one, where installed programs are, or in @folder beside
 * this one's folder, where a build tree has it.  Newly allocated; NULL: it is in neither. */
char *program_find(const char *name, const char *folder);
/* Whoever started us may have closed a standard descriptor; the next file that is opened must not
 * take its place.  Before any is.  False: even /dev/null can't be opened. */
bool program_fill_standard_fds(void);
