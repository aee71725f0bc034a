/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of insulad, see options.h.
 */
#include "manager/options.h"

#include <string.h>

#include "common/error.h"
#include "common/suggest.h"
#include "config/size.h"

typedef struct DaemonOption {
    const char *name;
    const char *form;  /* of the value; NULL: there is none */
    const char *words; /* for completion */
    const char *help;
    const char *detail;
    bool hidden;
    DaemonAction action; /* other than DAEMON_RUN: nothing is run */
    bool (*parse)(DaemonOptions *options, const char *value, GError **error);
} DaemonOption;

static bool parse_socket(DaemonOptions *options, const char *value, GError **error)
{
    options->socket = value;
    return true;
}

static bool parse_root(DaemonOptions *options, const char *value, GError **error)
{
    options->root = value;
    return true;
}

static bool parse_fake(DaemonOptions *options, const char *value, GError **error)
{
    options->fake = true;
    return true;
}

static bool parse_idle(DaemonOptions *options, const char *value, GError **error)
{
    uint64_t seconds;

    if (!number_parse(value, "--idle", 1, 86400, &seconds, error)) {
        return false;
    }
    options->idle_seconds = (unsigned)seconds;
    return true;
}

static const DaemonOption table[] = {
    { .name = "socket",
      .form = "PATH",
      .words = "<file>",
      .help = "listen on this socket, and on PATH-ro for clients that only look",
      .detail = "Clients come to it by qemu:///session?socket=PATH. An end in .sock stays last.",
      .parse = parse_socket },
    { .name = "root",
      .form = "DIR",
      .words = "<file>",
      .help = "keep everything under this folder: sockets, definitions, disks, logs",
      .parse = parse_root },
    { .name = "fake",
      .help = "let machines run in name only",
      .detail = "For tests of clients: they start, stop and answer, and no process stands behind "
                "them.",
      .parse = parse_fake },
    { .name = "idle",
      .form = "SECONDS",
      .help = "end when nobody has been connected, and no machine has run, for so long",
      .parse = parse_idle },
    { .name = "procedures",
      .help = "print which of libvirt's calls are answered",
      .hidden = true,
      .action = DAEMON_DUMP_PROCEDURES },
    { .name = "help", .help = "print this", .action = DAEMON_HELP },
    { .name = "version", .help = "print the version", .action = DAEMON_VERSION },
    { .name = "help-options", .hidden = true, .action = DAEMON_DUMP_OPTIONS },
    { 0 },
};

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

static const DaemonOption *find(const char *name, size_t len)
{
    for (const DaemonOption *option = table; option->name; option++) {
        if (strlen(option->name) == len && strncmp(option->name, name, len) == 0) {
            return option;
        }
    }
    return NULL;
}

static bool unknown(const char *word, GError **error)
{
    const char *names[G_N_ELEMENTS(table)] = { NULL };

    for (unsigned i = 0; table[i].name; i++) {
        names[i] = table[i].name;
    }
    g_autofree char *hint = g_str_has_prefix(word, "--") ? suggest_text(word + 2, names) : NULL;
    return usage(error, "unknown option '%s'%s", word, hint ? hint : "");
}

/* One word, and its value from the next one if it has none itself: then *@ret_used is 2. */
static bool parse_word(char **words, DaemonOptions *options, DaemonAction *ret_action,
                       unsigned *ret_used, GError **error)
{
    const char *word = words[0];
    const size_t len = strcspn(word, "=");
    const char *value = word[len] ? word + len + 1 : NULL;
    const DaemonOption *option =
        g_str_has_prefix(word, "--") && len > 2 ? find(word + 2, len - 2) : NULL;

    *ret_used = 1;
    if (!option) {
        return unknown(word, error);
    }
    if (value && !option->form) {
        return usage(error, "option '--%s' takes no value", option->name);
    }
    if (!value && option->form) {
        value = words[1];
        *ret_used = 2;
    }
    if (option->form && (!value || !value[0])) {
        return usage(error, "option '--%s' needs a value: %s", option->name, option->form);
    }
    *ret_action = option->action;
    return !option->parse || option->parse(options, value, error);
}

bool daemon_options_parse(char **words, DaemonOptions *options, DaemonAction *ret_action,
                          GError **error)
{
    unsigned used;

    *options = (DaemonOptions){ 0 };
    *ret_action = DAEMON_RUN;
    for (; words[0] && *ret_action == DAEMON_RUN; words += used) {
        if (!parse_word(words, options, ret_action, &used, error)) {
            return false;
        }
    }
    return true;
}

char *daemon_options_help(const char *program)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text,
                           "Usage: %s [OPTION]...\nThe daemon that keeps virtual machines, for "
                           "insula, virsh, virt-install and virt-manager.\n\n",
                           program);
    for (const DaemonOption *option = table; option->name; option++) {
        g_autofree char *name =
            g_strdup_printf("--%s %s", option->name, option->form ? option->form : "");
        if (!option->hidden) {
            g_string_append_printf(text, "  %-16s %s\n", name, option->help);
        }
    }
    return g_string_free(text, FALSE);
}

char *daemon_options_dump(void)
{
    GString *text = g_string_new(NULL);

    for (const DaemonOption *option = table; option->name; option++) {
        if (!option->hidden) {
            g_string_append_printf(text, "%s\t%s\t\t%s\t\t%s\t%s\t\n", option->name,
                                   option->form ? option->form : "",
                                   option->words ? option->words : "", option->help,
                                   option->detail ? option->detail : "");
        }
    }
    return g_string_free(text, FALSE);
}
