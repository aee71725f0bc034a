/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program says to its user: lines on standard error that start with "insula: ".
 *
 * A line stays one line whatever file names it quotes: control characters are shown escaped.
 * While the terminal is raw, lines end so that they still start at the left.
 *
 * Threads: call from anywhere; a line is written by one write(2).
 */
#pragma once

#include <glib.h>

#include "vm/status.h"

void report(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Each line of @text. */
void report_lines(const char *text);

/* Say what @error says, and give the exit status of its kind. */
Status report_error(const GError *error);
