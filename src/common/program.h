/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the other programs of Insula are, seen from this one.
 *
 * Threads: no state.
 */
#pragma once

/* The path of program @name: beside this one, where installed programs are, or in @folder beside
 * this one's folder, where a build tree has it.  Newly allocated; NULL: it is in neither. */
char *program_find(const char *name, const char *folder);
