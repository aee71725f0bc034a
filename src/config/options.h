/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of insula-vm (and so of insula run): one table from which come the parser, --help,
 * the manual page and the completion of bash.
 *
 * An option is written "--name VALUE" or "--name=VALUE"; one without a value "--name"; some have
 * a letter, "-p VALUE".  A word without a dash is the value of a --disk.  An option that isn't
 * known is answered with the nearest one.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "config/config.h"

/* What the command line asks for. */
typedef enum OptionAction {
    ACTION_RUN,          /* run the machine of the VmConfig */
    ACTION_HELP,         /* --help */
    ACTION_VERSION,      /* --version */
    ACTION_DESCRIBE,     /* --describe */
    ACTION_HELP_OPTIONS, /* --help-options: options_dump() */
} OptionAction;

typedef struct Option {
    const char *name;     /* without the dashes */
    const char *letter;   /* "p": it may be written -p, too; NULL: it has none */
    const char *form;     /* of the value, such as "SIZE"; "[=N]": may be left out; NULL: there is
                             no value */
    const char *standard; /* the default, for people; NULL: none */
    const char *words;    /* for completion: values that can be, or "<file>"; NULL: any */
    const char *help;     /* one line */
    const char *detail;   /* more of it, for the manual page; NULL: nothing */
    bool repeats;         /* may stand more than once */
    bool hidden;          /* not in --help */
    OptionAction action;  /* other than ACTION_RUN: nothing is run */
    bool (*parse)(VmConfig *config, const char *value, GError **error);
} Option;

/* All options in the order of --help, NULL name behind the last. */
const Option *options_table(void);

/* Parse @words (NULL behind the last; without the program's name) into @config, which holds the
 * defaults.  Fails with INSULA_ERROR_USAGE; then @config is only good for vm_config_free().  An
 * action other than ACTION_RUN ends the parsing: words behind it aren't looked at. */
bool options_parse(const char *const *words, VmConfig *config, OptionAction *ret_action,
                   GError **error);

/* The text of --help; @program is how the program was called.  Newly allocated. */
char *options_help(const char *program);

/* The table for tools: a line per option that isn't hidden, with tabs between name, form, default,
 * words, "repeats" or nothing, help, detail and letter.  Newly allocated. */
char *options_dump(void);
