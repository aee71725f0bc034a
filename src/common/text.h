/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that is shown to people.
 *
 * Threads: no state.
 */
#pragma once

/* @text with control characters written as "\x0a", so that a file name of several lines, or one
 * with escape sequences, stays one harmless line.  Newly allocated. */
char *text_visible(const char *text);
