/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help, see help.h.
 */
#include "cli/help.h"

#include <string.h>

enum { HELP_COLUMN = 28, HELP_WIDTH = 78 };

/* @text, broken between words, with @indent blanks before each line but the first. */
static void add_wrapped(GString *out, const char *text, unsigned indent)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    size_t column = indent;

    for (unsigned i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        if (i && column + 1 + length > HELP_WIDTH) {
            g_string_append_printf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (i) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, words[i]);
        column += length;
    }
    g_string_append_c(out, '\n');
}

static void add_option(GString *text, const CliOption *option)
{
    gsize start = text->len;

    if (option->letter) {
        g_string_append_printf(text, "  -%c, ", option->letter);
    } else {
        g_string_append(text, "      ");
    }
    g_string_append_printf(text, "--%s%s%s", option->name, option->form ? " " : "",
                           option->form ? option->form : "");
    gsize width = text->len - start;
    if (width > HELP_COLUMN - 2) {
        g_string_append_printf(text, "\n%*s", HELP_COLUMN, "");
    } else {
        g_string_append_printf(text, "%*s", (int)(HELP_COLUMN - width), "");
    }
    add_wrapped(text, option->help, HELP_COLUMN);
}

static void add_all(GString *text)
{
    g_string_append(text, "Usage: insula COMMAND [OPTION]... [WORD]...\n");
    for (unsigned group = 0; group < COMMAND_GROUPS; group++) {
        bool any = false;
        for (const Command *command = commands_table(); command->name; command++) {
            if (command->group != group) {
                continue;
            }
            if (!any) {
                g_string_append_printf(text, "\n%s\n", command_group_title(group));
                any = true;
            }
            g_string_append_printf(text, "  %-10s ", command->name);
            add_wrapped(text, command->help, 13);
        }
    }
    g_string_append(text, "\ninsula help COMMAND says more of one.\n");
}

char *help_text(const Command *command)
{
    GString *text = g_string_new(NULL);

    if (!command) {
        add_all(text);
        return g_string_free(text, FALSE);
    }
    g_string_append_printf(text, "Usage: insula %s [OPTION]...%s%s\n", command->name,
                           *command->operands ? " " : "", command->operands);
    g_autofree char *sentence =
        g_strdup_printf("%c%s.%s%s", g_ascii_toupper(command->help[0]), command->help + 1,
                        command->detail ? " " : "", command->detail ? command->detail : "");
    add_wrapped(text, sentence, 0);
    g_string_append_c(text, '\n');
    for (const CliOption *option = cli_options_table(); option->name; option++) {
        if (cli_option_is_for(option, command)) {
            add_option(text, option);
        }
    }
    return g_string_free(text, FALSE);
}

/* ---- the manual page ---- */

/* In scdoc's markup a star, an underline and a backslash mean something. */
static void add_plain(GString *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (strchr("*_\\", *p)) {
            g_string_append_c(out, '\\');
        }
        g_string_append_c(out, *p);
    }
}

static void add_manual_option(GString *out, const CliOption *option)
{
    if (option->letter) {
        g_string_append_printf(out, "*-%c*, ", option->letter);
    }
    g_string_append_printf(out, "*--%s*", option->name);
    if (option->form) {
        g_string_append(out, " _");
        add_plain(out, option->form);
        g_string_append(out, "_");
    }
    g_string_append_printf(out, "\n\t%c", g_ascii_toupper(option->help[0]));
    add_plain(out, option->help + 1);
    g_string_append(out, ".\n\n");
}

static void add_manual_command(GString *out, const Command *command)
{
    const char *comma = "Options: ";

    g_string_append_printf(out, "*%s* ", command->name);
    add_plain(out, command->operands);
    g_string_append_printf(out, "\n\t%c", g_ascii_toupper(command->help[0]));
    add_plain(out, command->help + 1);
    g_string_append(out, ". ");
    if (command->detail) {
        add_plain(out, command->detail);
        g_string_append_c(out, ' ');
    }
    for (const CliOption *option = cli_options_table(); option->name; option++) {
        if (option->commands && cli_option_is_for(option, command)) {
            g_string_append_printf(out, "%s*--%s*", comma, option->name);
            comma = ", ";
        }
    }
    g_string_append(out, *comma == ',' ? ".\n\n" : "\n\n");
}

char *help_manual(void)
{
    GString *out = g_string_new(NULL);

    for (unsigned group = 0; group < COMMAND_GROUPS; group++) {
        bool any = false;
        for (const Command *command = commands_table(); command->name; command++) {
            if (command->group != group) {
                continue;
            }
            if (!any) {
                g_string_append_printf(out, "## %s\n\n", command_group_title(group));
                any = true;
            }
            add_manual_command(out, command);
        }
    }
    return g_string_free(out, FALSE);
}

char *help_manual_options(void)
{
    GString *out = g_string_new(NULL);

    for (const CliOption *option = cli_options_table(); option->name; option++) {
        add_manual_option(out, option);
    }
    return g_string_free(out, FALSE);
}
