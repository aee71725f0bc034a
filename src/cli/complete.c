/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion, see complete.h.
 *
 * What "run" and "disk" take is asked of their programs (--help-options, --help-verbs).
 */
#include "cli/complete.h"

#include <stdint.h>
#include <string.h>

#include "cli/command.h"
#include "client/calls_gen.h"
#include "common/program.h"

/* Columns of --help-options and --help-verbs, see config/options.h and disk/args.h. */
enum { COLUMN_NAME = 0, COLUMN_FORM = 1, COLUMN_WORDS = 3, COLUMN_HELP = 5, OPTION_COLUMNS = 8 };
enum { COLUMN_VERB_HELP = 2, VERB_COLUMNS = 3 };

static void offer(GString *out, const char *prefix, const char *word, const char *help)
{
    if (g_str_has_prefix(word, prefix)) {
        g_string_append_printf(out, "%s\t%s\n", word, help);
    }
}

static void offer_commands(GString *out, const char *prefix)
{
    for (const Command *command = commands_table(); command->name; command++) {
        offer(out, prefix, command->name, command->help);
    }
}

/* Names that the daemon knows, if it runs: Tab starts none. */
static void offer_names(GString *out, const char *kind, const char *prefix)
{
    g_autoptr(InsulaConnection) connection = insula_open(NULL, INSULA_OPEN_NO_START, NULL);
    RemoteConnectListAllDomainsArgs call = { .need_results = 1 };
    g_auto(RemoteConnectListAllDomainsRet) domains = { 0 };
    g_auto(RemoteConnectListAllStoragePoolsRet) pools = { 0 };
    g_auto(RemoteConnectListAllNetworksRet) networks = { 0 };
    RemoteConnectListAllStoragePoolsArgs of_pools = { .need_results = 1 };
    RemoteConnectListAllNetworksArgs of_networks = { .need_results = 1 };

    if (!connection) {
        return;
    }
    if (!strcmp(kind, "<vm>")) {
        insula_connect_list_all_domains(connection, &call, &domains, NULL);
    } else if (!strcmp(kind, "<pool>")) {
        insula_connect_list_all_storage_pools(connection, &of_pools, &pools, NULL);
    } else {
        insula_connect_list_all_networks(connection, &of_networks, &networks, NULL);
    }
    for (unsigned i = 0; i < domains.n_domains; i++) {
        offer(out, prefix, domains.domains[i].name, "");
    }
    for (unsigned i = 0; i < pools.n_pools; i++) {
        offer(out, prefix, pools.pools[i].name, "");
    }
    for (unsigned i = 0; i < networks.n_nets; i++) {
        offer(out, prefix, networks.nets[i].name, "");
    }
}

/* What @kind, a part of a spec (command.h), stands for. */
static void offer_kind(GString *out, const char *kind, const char *prefix)
{
    if (!strcmp(kind, "<file>")) {
        g_string_append(out, ":file\n");
    } else if (!strcmp(kind, "<command>")) {
        offer_commands(out, prefix);
    } else if (!strcmp(kind, "<vm>") || !strcmp(kind, "<pool>") || !strcmp(kind, "<network>")) {
        offer_names(out, kind, prefix);
    } else if (strcmp(kind, "-") != 0) {
        offer(out, prefix, kind, "");
    }
}

/* The one for operand number @place of @spec. */
static void offer_operand(GString *out, const char *spec, unsigned place, const char *prefix)
{
    g_auto(GStrv) places = g_strsplit(spec ? spec : "", " ", 0);
    unsigned n = g_strv_length(places);
    const char *which = place < n ? places[place] : NULL;

    if (n > 1 && !strcmp(places[n - 1], "...") && place >= n - 1) {
        which = places[n - 2];
    }
    if (!which) {
        return;
    }
    g_auto(GStrv) kinds = g_strsplit(which, "|", 0);
    for (unsigned i = 0; kinds[i]; i++) {
        offer_kind(out, kinds[i], prefix);
    }
}

static void offer_options(GString *out, const Command *command, const char *prefix)
{
    for (const CliOption *option = cli_options_table(); option->name; option++) {
        if (cli_option_is_for(option, command)) {
            g_autofree char *word = g_strdup_printf("--%s", option->name);
            offer(out, prefix, word, option->help);
        }
    }
}

/* @words are those behind the command. */
static void complete_own(GString *out, const Command *command, char **words)
{
    const CliOption *waits = NULL; /* for its value */
    unsigned place = 0;

    for (; words[1]; words++) {
        const char *value = NULL;
        if (waits) {
            waits = NULL;
        } else if (words[0][0] == '-') {
            const CliOption *option = cli_option_find(words[0], &value);
            waits = option && option->form && !value ? option : NULL;
        } else {
            place++;
        }
    }
    if (waits) {
        offer_operand(out, waits->complete, 0, words[0]);
    } else if (words[0][0] == '-') {
        offer_options(out, command, words[0]);
    } else {
        offer_operand(out, command->complete, place, words[0]);
    }
}

/* ---- other programs' words ---- */

/* The lines that the program of @command prints if asked for @what; NULL: it can't be asked. */
static GStrv ask(const Command *command, const char *what)
{
    g_autofree char *path = program_find(command->program, command->program_folder);
    const char *argv[] = { path, what, NULL };
    g_autofree char *text = NULL;

    if (!path || !g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL,
                               NULL, NULL, &text, NULL, NULL, NULL)) {
        return NULL;
    }
    return g_strsplit(text, "\n", 0);
}

/* The columns of the option that @word is, if it is one that has a value of its own word. */
static GStrv find_waiting(char **rows, const char *word)
{
    for (char **row = rows; row && *row; row++) {
        g_auto(GStrv) columns = g_strsplit(*row, "\t", 0);
        if (g_strv_length(columns) < OPTION_COLUMNS - 1 || word[0] != '-') {
            continue;
        }
        const char *letter =
            g_strv_length(columns) >= OPTION_COLUMNS ? columns[OPTION_COLUMNS - 1] : "";
        bool same = word[1] == '-' ? !strcmp(word + 2, columns[COLUMN_NAME])
                                   : *letter && !strcmp(word + 1, letter);
        if (same && *columns[COLUMN_FORM] && !g_str_has_prefix(columns[COLUMN_FORM], "[=")) {
            return g_steal_pointer(&columns);
        }
    }
    return NULL;
}

static void offer_rows(GString *out, char **rows, unsigned n_columns, unsigned help,
                       const char *dashes, const char *prefix)
{
    for (char **row = rows; row && *row; row++) {
        g_auto(GStrv) columns = g_strsplit(*row, "\t", 0);
        if (g_strv_length(columns) >= n_columns) {
            g_autofree char *word = g_strconcat(dashes, columns[0], NULL);
            offer(out, prefix, word, columns[help]);
        }
    }
}

static void complete_program(GString *out, const Command *command, char **words)
{
    unsigned n = g_strv_length(words);
    g_auto(GStrv) options = ask(command, "--help-options");
    g_auto(GStrv) waiting = n > 1 ? find_waiting(options, words[n - 2]) : NULL;
    const char *last = words[n - 1];

    if (waiting) {
        g_auto(GStrv) values = g_strsplit(waiting[COLUMN_WORDS], " ", 0);
        for (unsigned i = 0; values[i]; i++) {
            offer_kind(out, *values[i] ? values[i] : "-", last);
        }
    } else if (last[0] == '-') {
        offer_rows(out, options, OPTION_COLUMNS - 1, COLUMN_HELP, "--", last);
    } else {
        g_auto(GStrv) verbs = n == 1 ? ask(command, "--help-verbs") : NULL;
        offer_rows(out, verbs, VERB_COLUMNS, COLUMN_VERB_HELP, "", last);
        g_string_append(out, ":file\n");
    }
}

char *complete_text(char **words)
{
    GString *out = g_string_new(NULL);

    if (words[0] && words[1]) {
        const Command *command = command_find(words[0], NULL);
        if (command && command->program) {
            complete_program(out, command, words + 1);
        } else if (command) {
            complete_own(out, command, words + 1);
        }
    } else if (words[0]) {
        offer_commands(out, words[0]);
    }
    return g_string_free(out, FALSE);
}
