/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this program can build, as JSON: machines, devices, CPU models, engines, disk formats.
 *
 * It says what was built in, not what this host can do: nothing is opened or tried.
 *
 * Threads: no state.
 */
#pragma once

/* One JSON object, with a newline behind it.  Newly allocated. */
char *describe(void);
