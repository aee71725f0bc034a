/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What program insula says: answers on standard output, all else on standard error.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

/* Print @text as it is.  Fails if standard output can't take it. */
bool output_text(const char *text, GError **error);
/* Print @node, which it takes ownership of, and a newline. */
bool output_json(JsonNode *node, GError **error);
/* Answer that something was done: a line, unless the person wants quiet; with --json an object
 * {"done": @verb, "name": @name}. */
bool output_done(const CliArgs *args, const char *verb, const char *name, GError **error);
/* A line "insula: ..." on standard error; control characters in it become visible. */
void output_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same, unless the person wants quiet or JSON. */
void output_note(const CliArgs *args, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The exit status that fits @error. */
CliStatus output_status(const GError *error);
/* Say it, as a line or (@json) as an object on standard error; returns the status. */
CliStatus output_error(const GError *error, bool json);

/* Ask a yes-or-no question on the terminal; without one, or with --json, the answer is no. */
bool output_ask(const CliArgs *args, const char *question);

/* How far long work is.  On a terminal a bar that moves, else nothing; it is gone at the end. */
typedef struct Progress {
    const char *what;
    bool show;
    int last;          /* in thousandths; below 0: nothing is on the screen */
    int64_t last_time; /* of g_get_monotonic_time() */
} Progress;
void progress_begin(Progress *progress, const CliArgs *args, const char *what);
/* @total 0: it isn't known. */
void progress_step(Progress *progress, uint64_t done, uint64_t total);
void progress_end(Progress *progress);
