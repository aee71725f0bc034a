/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of program insula, see command.h.
 *
 * A new option is a row of the table, and a field of CliArgs.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cli/command.h"
#include "common/suggest.h"

enum { NAMES_MAX = 64 };

static const CliOption options[] = {
    { "json", 0, NULL, NULL, NULL, "answer in JSON", OPTION_FLAG, offsetof(CliArgs, json) },
    { "quiet", 'q', NULL, NULL, NULL, "say only what goes wrong", OPTION_FLAG,
      offsetof(CliArgs, quiet) },
    { "connect", 'c', "WHERE", "session|system|<file>", NULL,
      "which daemon: session, system, a socket's path, or ssh://[USER@]HOST[:PORT]", OPTION_TEXT,
      offsetof(CliArgs, connect) },
    { "help", 'h', NULL, NULL, NULL, "say how the command is used", OPTION_FLAG,
      offsetof(CliArgs, help) },
    { "count", 'n', "N", "-", "stats events", "end after that many", OPTION_NUMBER,
      offsetof(CliArgs, count), offsetof(CliArgs, has_count) },
    { "cpus", 0, "N", "-", "launch", "how many CPUs: 1", OPTION_TEXT, offsetof(CliArgs, cpus) },
    { "disk-size", 0, "SIZE", "-", "launch", "how large its disk is: 10G", OPTION_TEXT,
      offsetof(CliArgs, disk_size) },
    { "file", 'f', "FILE", "<file>", "save restore", "the state's file; else the daemon keeps it",
      OPTION_TEXT, offsetof(CliArgs, file) },
    { "force", 0, NULL, NULL, "stop restart delete console",
      "at once, without asking the guest (stop, restart), though it runs (delete), from whoever "
      "has it (console)",
      OPTION_FLAG, offsetof(CliArgs, force) },
    { "format", 0, "FORMAT", "qcow2|raw", "launch", "of an image that is a file", OPTION_TEXT,
      offsetof(CliArgs, format) },
    { "fresh", 0, NULL, NULL, "launch", "fetch the image, though the cache has it", OPTION_FLAG,
      offsetof(CliArgs, fresh) },
    { "hostname", 0, "NAME", "-", "launch", "what the machine calls itself: as --name", OPTION_TEXT,
      offsetof(CliArgs, hostname) },
    { "interval", 'i', "SECONDS", "-", "stats", "tell again and again, so far apart", OPTION_NUMBER,
      offsetof(CliArgs, interval), offsetof(CliArgs, has_interval) },
    { "keep-disks", 0, NULL, NULL, "delete", "leave its disks", OPTION_FLAG,
      offsetof(CliArgs, keep_disks) },
    { "memory", 0, "SIZE", "-", "launch", "its RAM: 1G", OPTION_TEXT, offsetof(CliArgs, memory) },
    { "name", 0, "NAME", "-", "launch", "the machine's name: as the image", OPTION_TEXT,
      offsetof(CliArgs, name) },
    { "names", 0, NULL, NULL, "list", "say only the names", OPTION_FLAG, offsetof(CliArgs, names) },
    { "paused", 0, NULL, NULL, "start restore", "don't let it go yet", OPTION_FLAG,
      offsetof(CliArgs, paused) },
    { "forward", 'p', "PORT:PORT", "-", "launch",
      "a port of this host's leads to one of the machine; as of insula run", OPTION_LIST,
      offsetof(CliArgs, ports) },
    { "recursive", 'r', NULL, NULL, "copy", "folders with all that is in them", OPTION_FLAG,
      offsetof(CliArgs, recursive) },
    { "running", 0, NULL, NULL, "list", "only those that run", OPTION_FLAG,
      offsetof(CliArgs, running) },
    { "ssh-key", 0, "FILE", "<file>", "launch", "a public key that is let in: those of ~/.ssh",
      OPTION_LIST, offsetof(CliArgs, ssh_keys) },
    { "timeout", 't', "SECONDS", "-", "stop events",
      "how long to wait: 90 (stop), without end (events)", OPTION_NUMBER,
      offsetof(CliArgs, timeout), offsetof(CliArgs, has_timeout) },
    { "undo", 0, NULL, NULL, "setup", "take away what setup has put there", OPTION_FLAG,
      offsetof(CliArgs, undo) },
    { "user", 0, "NAME", "-", "launch", "who logs in: debian, or as the catalogue says",
      OPTION_TEXT, offsetof(CliArgs, user) },
    { "yes", 'y', NULL, NULL, "delete", "don't ask", OPTION_FLAG, offsetof(CliArgs, yes) },
    { 0 },
};

const CliOption *cli_options_table(void)
{
    return options;
}

G_GNUC_PRINTF(2, 3)
static bool usage(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    set_error_code(error, INSULA_ERROR_USAGE, "%s", message);
    return false;
}

void cli_args_clear(CliArgs *args)
{
    g_clear_pointer(&args->ports, g_ptr_array_unref);
    g_clear_pointer(&args->ssh_keys, g_ptr_array_unref);
}

/* Is @word one of the words of @list, which has blanks between them? */
static bool list_has(const char *list, const char *word)
{
    g_auto(GStrv) all = g_strsplit(list, " ", 0);

    return g_strv_contains((const char *const *)all, word);
}

bool cli_option_is_for(const CliOption *option, const Command *command)
{
    return !option->commands || list_has(option->commands, command->name);
}

const CliOption *cli_option_find(const char *word, const char **ret_value)
{
    bool is_long = word[0] == '-' && word[1] == '-';
    size_t length = is_long ? strcspn(word + 2, "=") : 1;
    const char *value = word[0] == '-' && word[1] ? word + (is_long ? 2 : 1) + length : word;

    for (const CliOption *option = options; option->name; option++) {
        bool same = is_long
                        ? strlen(option->name) == length && !strncmp(option->name, word + 2, length)
                        : option->letter && word[0] == '-' && option->letter == word[1];
        if (same) {
            if (ret_value) {
                *ret_value = *value ? value + (is_long ? 1 : 0) : NULL;
            }
            return option;
        }
    }
    return NULL;
}

static bool unknown_option(const char *word, const Command *command, GError **error)
{
    const char *known[NAMES_MAX] = { NULL };
    unsigned n = 0;

    for (const CliOption *option = options; option->name; option++) {
        if (cli_option_is_for(option, command)) {
            known[n++] = option->name;
        }
    }
    const char *near = suggest(word + strspn(word, "-"), known);
    return near ? usage(error, "unknown option '%s'; did you mean '--%s'?", word, near)
                : usage(error, "unknown option '%s'; insula help %s lists them all", word,
                        command->name);
}

static bool store_number(const CliOption *option, const char *value, CliArgs *args, GError **error)
{
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(value, 10, 0, 1000000, &number, NULL)) {
        return usage(error, "--%s '%s' must be a number, at most 1000000", option->name, value);
    }
    *(unsigned *)((char *)args + option->offset) = (unsigned)number;
    *(bool *)((char *)args + option->has_offset) = true;
    return true;
}

static bool store(const CliOption *option, const char *value, CliArgs *args, GError **error)
{
    void *place = (char *)args + option->offset;
    GPtrArray **list = place;

    if (option->form && !*value) {
        return usage(error, "--%s needs a value that isn't empty: %s", option->name, option->form);
    }
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return true;
    case OPTION_TEXT:
        *(const char **)place = value;
        return true;
    case OPTION_NUMBER:
        return store_number(option, value, args, error);
    case OPTION_LIST:
        *list = *list ? *list : g_ptr_array_new_null_terminated(1, NULL, true);
        g_ptr_array_add(*list, (char *)(uintptr_t)value);
        return true;
    }
    return true;
}

/* The option at *@words; moves it on to the option's value, if that is a word of its own. */
static bool parse_option(char ***words, CliArgs *args, GError **error)
{
    const char *word = **words, *value = NULL;
    const CliOption *option = cli_option_find(word, &value);

    if (!option) {
        return unknown_option(word, args->command, error);
    }
    if (!cli_option_is_for(option, args->command)) {
        return usage(error, "option '%s' is not for '%s'; it is for %s", word, args->command->name,
                     option->commands);
    }
    if (value && !option->form) {
        return usage(error, "option '%s' takes no value", word);
    }
    if (option->form && !value) {
        value = (*words)[1];
        if (!value) {
            return usage(error, "option '--%s' needs a value: %s", option->name, option->form);
        }
        ++*words;
    }
    return store(option, value, args, error);
}

bool cli_args_parse(char **words, CliArgs *args, GError **error)
{
    bool only_operands = false;

    *args = (CliArgs){ .command = command_find(words[0], error) };
    if (!args->command) {
        return false;
    }
    for (char **word = words + 1; *word; word++) {
        if (!only_operands && !strcmp(*word, "--")) {
            only_operands = true;
        } else if (!only_operands && (*word)[0] == '-' && (*word)[1]) {
            if (!parse_option(&word, args, error)) {
                return false;
            }
        } else if (args->n_operands == args->command->max) {
            return usage(error, "'%s' is one word too many: %s takes %s", *word,
                         args->command->name,
                         *args->command->operands ? args->command->operands : "none");
        } else {
            args->operands[args->n_operands++] = *word;
        }
    }
    if (!args->help && args->n_operands < args->command->min) {
        return usage(error, "%s needs more words: %s", args->command->name,
                     args->command->operands);
    }
    return true;
}
