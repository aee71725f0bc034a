/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula: the one command of Insula.  Its first word is a verb, a row of the table here.
 *
 * "insula run" becomes the program insula-vm, and "insula disk" insula-disk, with the words behind
 * the verb as they are, so the exit status is that program's.
 *
 * Threads: main only.
 */
#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/program.h"
#include "common/suggest.h"
#include "common/text.h"

/* As of insula-vm, see docs/man. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

typedef struct Verb {
    const char *name;
    const char *usage; /* what follows the verb */
    const char *help;  /* one line */
    /* @words are those behind the verb, NULL behind the last; returns the exit status. */
    int (*act)(char **words);
} Verb;

static int run(char **words);
static int disk(char **words);
static int help(char **words);
static int version(char **words);

static const Verb verbs[] = {
    { "run", "DISK [OPTION]...", "run a virtual machine in the foreground", run },
    { "disk", "VERB [OPTION]... FILE...", "make, check, convert and change disk images", disk },
    { "help", "[VERB]", "say what there is, or how a verb is used", help },
    { "version", "", "print the version", version },
};

G_GNUC_PRINTF(1, 2)
static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *visible = text_visible(text);
    fprintf(stderr, "insula: %s\n", visible);
}

static const Verb *find(const char *name)
{
    const char *known[G_N_ELEMENTS(verbs) + 1] = { NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
        known[i] = verbs[i].name;
    }
    g_autofree char *hint = suggest_text(name, known);
    complain("unknown verb '%s'%s%s", name, hint, *hint ? "" : "; insula help lists them all");
    return NULL;
}

static int flush(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        complain("cannot write to standard output: %s", g_strerror(errno));
        return STATUS_FAILED;
    }
    return STATUS_DONE;
}

/* ---- programs ---- */

/* Become @program, which the build has in folder @folder, called @name in its usage text; returns
 * only if that fails. */
static int become(const char *program, const char *folder, const char *name, char **words)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *path = program_find(program, folder);

    if (!path) {
        complain("cannot find program '%s' beside insula; install it there", program);
        return STATUS_FAILED;
    }
    g_ptr_array_add(argv, (char *)(uintptr_t)name);
    for (char **word = words; *word; word++) {
        g_ptr_array_add(argv, *word);
    }
    g_ptr_array_add(argv, NULL);
    execv(path, (char **)argv->pdata);
    complain("cannot run '%s': %s", path, g_strerror(errno));
    return STATUS_FAILED;
}

/* ---- verbs ---- */

static int run(char **words)
{
    return become("insula-vm", "vm", "insula run", words);
}

static int disk(char **words)
{
    return become("insula-disk", "disk", "insula disk", words);
}

static void list_verbs(void)
{
    printf("Usage: insula VERB [WORD]...\n\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
        printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
    }
    printf("\ninsula help VERB says more of one.\n");
}

static int help(char **words)
{
    char *program_help[] = { (char *)"--help", NULL };

    if (!words[0]) {
        list_verbs();
        return flush();
    }
    const Verb *verb = find(words[0]);
    if (!verb) {
        return STATUS_USAGE;
    }
    if (words[1]) {
        complain("unknown word '%s': help takes one verb", words[1]);
        return STATUS_USAGE;
    }
    if (verb->act == run || verb->act == disk) {
        return verb->act(program_help);
    }
    printf("Usage: insula %s %s\n%s.\n", verb->name, verb->usage, verb->help);
    return flush();
}

static int version(char **words)
{
    if (words[0]) {
        complain("unknown word '%s': version takes none", words[0]);
        return STATUS_USAGE;
    }
    printf("insula " INSULA_VERSION "\n");
    return flush();
}

/* The table for tools: verb, usage and help, with tabs between them. */
static int dump_verbs(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(verbs); i++) {
        printf("%s\t%s\t%s\n", verbs[i].name, verbs[i].usage, verbs[i].help);
    }
    return flush();
}

int main(int argc, char **argv)
{
    char *nothing[] = { NULL };

    if (argc < 2) {
        complain("no verb; try insula run DISK, or insula help");
        return STATUS_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        return help(nothing);
    }
    if (!strcmp(argv[1], "--version")) {
        return version(nothing);
    }
    if (!strcmp(argv[1], "--help-verbs")) {
        return dump_verbs();
    }
    const Verb *verb = find(argv[1]);
    return verb ? verb->act(argv + 2) : STATUS_USAGE;
}
