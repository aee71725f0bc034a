/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of program insula: a command, options, operands.  From two tables, commands.c and
 * args.c, come the parser, help, the manual page, and the completion of bash, zsh and fish.
 *
 * A new command is a row in commands.c, with a function.  Options and operands may stand in any
 * order; behind "--" only operands do.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "common/error.h"

/* Exit statuses, see insula(1).  "run" and "disk" end with those of the programs they start. */
typedef enum CliStatus {
    CLI_DONE = 0,
    CLI_FAILED = 1,      /* and nothing below says more */
    CLI_USAGE = 2,       /* the words of the command line */
    CLI_NOT_FOUND = 3,   /* there is nothing of that name */
    CLI_HOST = 4,        /* the host lacks something, or the daemon can't be reached */
    CLI_WRONG_STATE = 5, /* what is named is not in a state for that: it runs, or does not */
    CLI_TIMEOUT = 6,     /* what was waited for did not come in time */
} CliStatus;

enum { CLI_OPERANDS_MAX = 8 };

typedef struct Command Command;

/* What the command line says.  Texts are the caller's words; lists end with NULL, and are NULL if
 * the option is not there. */
typedef struct CliArgs {
    const Command *command;
    const char *operands[CLI_OPERANDS_MAX + 1]; /* NULL behind the last */
    unsigned n_operands;
    /* of all commands */
    bool json, quiet, help;
    const char *connect;
    /* of single commands; see the table in args.c */
    bool force, fresh, keep_disks, names, paused, recursive, running, undo, yes;
    const char *cpus, *disk_size, *file, *format, *hostname, *memory, *name, *user;
    unsigned count, interval, timeout;
    bool has_count, has_interval, has_timeout;
    GPtrArray *ports, *ssh_keys;
} CliArgs;

void cli_args_clear(CliArgs *args);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CliArgs, cli_args_clear)

typedef enum CommandGroup {
    GROUP_LIFE,     /* machines begin and end */
    GROUP_INSIDE,   /* on the way into one */
    GROUP_CHANGE,   /* what they consist of */
    GROUP_AROUND,   /* what they stand on */
    GROUP_HERE,     /* without the daemon */
    COMMAND_GROUPS, /* how many there are */
} CommandGroup;

struct Command {
    const char *name;
    CommandGroup group;
    const char *operands; /* for people: "VM [NAME]" */
    /* For completion, a word per operand: "<vm>", "<image>", "<pool>", "<network>", "<file>",
     * "a|b|c", "-" for anything; "..." repeats the one before it. */
    const char *complete;
    unsigned min, max;  /* how many operands */
    const char *help;   /* one line */
    const char *detail; /* more of it, for help and the manual page; NULL: nothing */
    /* Returns the exit status; if it sets @error, that counts (see report.h). */
    int (*act)(const CliArgs *args, GError **error);
    /* Instead of .act: the words behind the command are another program's, as they are. */
    const char *program, *program_folder;
};

/* All commands, NULL name behind the last. */
const Command *commands_table(void);
const char *command_group_title(CommandGroup group);
/* The command called @name; NULL: @error says which are near. */
const Command *command_find(const char *name, GError **error);

typedef enum OptionKind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LIST } OptionKind;

typedef struct CliOption {
    const char *name;     /* without the dashes */
    char letter;          /* the short form; 0: none */
    const char *form;     /* of the value; NULL: there is none */
    const char *complete; /* its values, as in Command */
    const char *commands; /* that it is for, with blanks between; NULL: all */
    const char *help;
    OptionKind kind;
    size_t offset;     /* in CliArgs: bool, const char *, unsigned, GPtrArray * */
    size_t has_offset; /* of a number: the bool that says that it is there */
} CliOption;

/* All options, NULL name behind the last. */
const CliOption *cli_options_table(void);
bool cli_option_is_for(const CliOption *option, const Command *command);
/* The option that @word ("--name", "--name=VALUE", "-n") is; NULL: none.  *@ret_value, if not NULL,
 * gets where its value begins inside of @word, or NULL. */
const CliOption *cli_option_find(const char *word, const char **ret_value);

/* Parse @words (NULL behind the last; they begin with the command's name), which stay the
 * caller's.  Fails with INSULA_ERROR_USAGE. */
bool cli_args_parse(char **words, CliArgs *args, GError **error);
