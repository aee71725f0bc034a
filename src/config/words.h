/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values with settings behind them: "FILE,format=raw,readonly=on".
 *
 * The first part has no name; each further one is NAME=VALUE.  A comma inside a part is written
 * twice.  A setting may stand once.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* One setting that a value may have.  @target is the caller's struct. */
typedef struct WordSetting {
    const char *name;
    const char *form; /* for messages: "on|off" */
    bool (*parse)(void *target, const char *value, GError **error);
} WordSetting;

enum { WORD_SETTINGS_MAX = 16 };

/* Parse @text: its first part becomes *@ret_first (newly allocated), each other one goes to the
 * row of @settings (NULL name behind the last) it names.  @what is the option, for messages.  On
 * failure (INSULA_ERROR_USAGE) *@ret_first is unset, but @target may have been written. */
bool words_parse(const char *text, const char *what, const WordSetting *settings, void *target,
                 char **ret_first, GError **error);

/* "on" or "off". */
bool words_switch(const char *value, const char *what, bool *ret_on, GError **error);
