/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula: the one command of Insula.  Its first word is a command, a row of commands.c.
 *
 *   words -> CliArgs (command.h) -> the row's function -> exit status
 *
 * "insula run" becomes the program insula-vm, and "insula disk" insula-disk, with the words behind
 * it as they are, so the exit status is that program's.
 *
 * Threads: main only.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/help.h"
#include "cli/output.h"
#include "common/program.h"

/* Become the program of @command; returns only if that fails. */
static int become(const Command *command, char **words, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *name = g_strdup_printf("insula %s", command->name);
    g_autofree char *path = program_find(command->program, command->program_folder);

    if (!path) {
        set_error_code(error, INSULA_ERROR_HOST,
                       "cannot find program '%s' beside insula; install it there",
                       command->program);
        return CLI_HOST;
    }
    g_ptr_array_add(argv, name);
    for (char **word = words; *word; word++) {
        g_ptr_array_add(argv, *word);
    }
    g_ptr_array_add(argv, NULL);
    execv(path, (char **)argv->pdata);
    set_error_errno(error, errno, "cannot run '%s'", path);
    return CLI_FAILED;
}

int command_help(const CliArgs *args, GError **error)
{
    char *program_help[] = { (char *)(uintptr_t) "--help", NULL };
    const Command *command = args->operands[0] ? command_find(args->operands[0], error) : NULL;

    if (args->operands[0] && !command) {
        return CLI_USAGE;
    }
    if (command && command->program) {
        return become(command, program_help, error);
    }
    g_autofree char *text = help_text(command);
    return output_text(text, error) ? CLI_DONE : CLI_FAILED;
}

int command_version(const CliArgs *args, GError **error)
{
    return output_text(args->json ? "\"" INSULA_VERSION "\"\n" : "insula " INSULA_VERSION "\n",
                       error)
               ? CLI_DONE
               : CLI_FAILED;
}

/* Does it stand among @words? */
static bool wants_json(char **words)
{
    return g_strv_contains((const char *const *)words, "--json");
}

static int act(char **words, GError **error)
{
    g_auto(CliArgs) args = { 0 };
    const Command *command = command_find(words[0], error);

    if (!command) {
        return CLI_USAGE;
    }
    if (command->program) {
        return become(command, words + 1, error);
    }
    if (!cli_args_parse(words, &args, error)) {
        return CLI_USAGE;
    }
    if (args.help) {
        g_autofree char *text = help_text(command);
        return output_text(text, error) ? CLI_DONE : CLI_FAILED;
    }
    return command->act(&args, error);
}

/* Words that are for tools, and the usual two; returns NULL for any other. */
static char *special(char **words)
{
    static const struct {
        const char *word;
        char *(*text)(void);
    } dumps[] = {
        { "--help-commands", help_manual },
        { "--help-options", help_manual_options },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(dumps); i++) {
        if (!strcmp(words[0], dumps[i].word)) {
            return dumps[i].text();
        }
    }
    if (!strcmp(words[0], "--complete")) {
        return complete_text(words + 1);
    }
    if (!strcmp(words[0], "--help") || !strcmp(words[0], "-h")) {
        return help_text(NULL);
    }
    return strcmp(words[0], "--version") ? NULL : g_strdup("insula " INSULA_VERSION "\n");
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (!program_fill_standard_fds()) {
        return CLI_FAILED;
    }
    if (argc < 2) {
        output_complain("no command; try insula run DISK, or insula help");
        return CLI_USAGE;
    }
    g_autofree char *text = special(argv + 1);
    int status = CLI_DONE;
    if (text) {
        output_text(text, &error);
    } else {
        status = act(argv + 1, &error);
    }
    return error ? (int)output_error(error, wants_json(argv + 1)) : status;
}
