/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of insula-disk, see args.h.
 *
 * A new option is a row of the table, with the verbs that it is for, and a function that parses
 * its value.
 */
#include "disk/args.h"

#include <string.h>

#include "common/error.h"
#include "common/suggest.h"
#include "config/size.h"

enum { HELP_COLUMN = 32, NAMES_MAX = 64 };

typedef struct DiskOption {
    const char *name;  /* without the dashes */
    char letter;       /* the short form; 0: none */
    const char *form;  /* of the value; NULL: there is none */
    const char *words; /* for completion; "<file>" */
    const char *verbs; /* that it is for, with blanks between; NULL: all */
    const char *help;
    const char *detail;
    DiskAction action; /* other than DISK_ACT: nothing is done */
    bool (*parse)(DiskArgs *args, const char *value, GError **error);
} DiskOption;

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

/* --- values --- */

/* One of a list of words; *@ret is its number. */
static bool choose(const char *option, const char *value, const char *const *words, unsigned *ret,
                   GError **error)
{
    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(words[i], value)) {
            *ret = i;
            return true;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)(uintptr_t)words);
    return usage(error, "--%s '%s' must be one of %s", option, value, all);
}

#define TEXT_OPTION(field)                                                                         \
    static bool parse_##field(DiskArgs *args, const char *value, GError **error)                   \
    {                                                                                              \
        args->field = value;                                                                       \
        return *value ? true : usage(error, "an option needs a value that isn't empty");           \
    }
#define FLAG_OPTION(field)                                                                         \
    static bool parse_##field(DiskArgs *args, const char *value, GError **error)                   \
    {                                                                                              \
        args->field = true;                                                                        \
        return true;                                                                               \
    }
TEXT_OPTION(format)
TEXT_OPTION(format_2)
TEXT_OPTION(to)
TEXT_OPTION(backing_format)
TEXT_OPTION(snapshot)
FLAG_OPTION(json)
FLAG_OPTION(progress)
FLAG_OPTION(quiet)
FLAG_OPTION(subclusters)
FLAG_OPTION(lazy_refcounts)
FLAG_OPTION(compress)
FLAG_OPTION(replace)
FLAG_OPTION(chain)
FLAG_OPTION(shrink)
FLAG_OPTION(unsafe)
FLAG_OPTION(keep)
FLAG_OPTION(strict)

static bool parse_backing(DiskArgs *args, const char *value, GError **error)
{
    if (!*value && strcmp(args->verb->name, "rebase") != 0) {
        return usage(error, "--backing needs the name of a file");
    }
    args->backing = value;
    return true;
}

static bool parse_cluster(DiskArgs *args, const char *value, GError **error)
{
    return size_parse(value, "--cluster-size", &args->cluster, error);
}

static bool parse_size(DiskArgs *args, const char *value, GError **error)
{
    args->has_size = true;
    return size_parse(value, "--size", &args->size, error);
}

static bool parse_count_bits(DiskArgs *args, const char *value, GError **error)
{
    uint64_t bits = 0;

    if (!number_parse(value, "--refcount-bits", 1, 64, &bits, error)) {
        return false;
    }
    args->count_bits = (unsigned)bits;
    return true;
}

static bool parse_compat(DiskArgs *args, const char *value, GError **error)
{
    static const char *const words[] = { "v2", "v3", NULL };
    unsigned number = 0;

    if (!choose("compat", value, words, &number, error)) {
        return false;
    }
    args->version = number + 2;
    return true;
}

static bool parse_compression(DiskArgs *args, const char *value, GError **error)
{
    static const char *const words[] = { "zlib", "zstd", NULL };
    unsigned number = 0;

    if (!choose("compression", value, words, &number, error)) {
        return false;
    }
    args->compression = words[number];
    return true;
}

static bool parse_preallocation(DiskArgs *args, const char *value, GError **error)
{
    static const char *const words[] = { "off", "metadata", "falloc", "full", NULL };
    unsigned number = 0;

    if (!choose("preallocation", value, words, &number, error)) {
        return false;
    }
    args->preallocation = (BlkPreallocation)number;
    return true;
}

static bool parse_repair(DiskArgs *args, const char *value, GError **error)
{
    static const char *const words[] = { "leaks", "all", NULL };
    unsigned number = 0;

    if (!choose("repair", value, words, &number, error)) {
        return false;
    }
    args->repair = number ? BLK_REPAIR_ALL : BLK_REPAIR_LEAKS;
    return true;
}

#define MAKES          "create convert"
#define ALL_BUT_CREATE "info check convert resize snapshot rebase commit compare map measure"
#define LONG_WORK      "create check convert resize snapshot rebase commit compare"

static const DiskOption options[] = {
    { .name = "format",
      .letter = 'f',
      .form = "FORMAT",
      .words = "raw qcow2",
      .help = "the image's format, where its name doesn't tell it",
      .detail = "Names that end in .qcow2 are of format qcow2; in .raw, .img and .iso of format "
                "raw. A format is never guessed from an image's content, which a guest may have "
                "written. With create it is the new image's.",
      .parse = parse_format },
    { .name = "format-2",
      .letter = 'F',
      .form = "FORMAT",
      .words = "raw qcow2",
      .verbs = "compare",
      .help = "the second image's format",
      .parse = parse_format_2 },
    { .name = "to",
      .letter = 'O',
      .form = "FORMAT",
      .words = "raw qcow2",
      .verbs = "convert measure",
      .help = "the new image's format, where its name doesn't tell it",
      .parse = parse_to },
    { .name = "backing",
      .letter = 'b',
      .form = "FILE",
      .words = "<file>",
      .verbs = MAKES " rebase",
      .help = "the image that this one is based on",
      .detail = "What the image has not itself is read from there. A name that isn't absolute "
                "begins at the folder of the image which says it. With convert only what differs "
                "from it is copied. With rebase an empty FILE ('') makes the image stand alone.",
      .parse = parse_backing },
    { .name = "backing-format",
      .letter = 'B',
      .form = "FORMAT",
      .words = "raw qcow2",
      .verbs = MAKES " rebase",
      .help = "its format, where its name doesn't tell it",
      .parse = parse_backing_format },
    { .name = "size",
      .form = "SIZE",
      .verbs = "measure",
      .help = "measure for an empty disk of this size",
      .parse = parse_size },
    { .name = "cluster-size",
      .form = "SIZE",
      .words = "512 4K 16K 64K 128K 1M 2M",
      .verbs = MAKES " measure",
      .help = "unit in which qcow2 gives room: 512 to 2M (64K)",
      .parse = parse_cluster },
    { .name = "subclusters",
      .verbs = MAKES " measure",
      .help = "each cluster has 32 parts that may come from different images",
      .detail = "So a small write to an image that is based on another copies less. Needs "
                "clusters of 16K at least; QEMU reads such images from version 5.2 on.",
      .parse = parse_subclusters },
    { .name = "compat",
      .form = "v2|v3",
      .words = "v2 v3",
      .verbs = MAKES,
      .help = "version of qcow2 (v3)",
      .parse = parse_compat },
    { .name = "compression",
      .form = "zlib|zstd",
      .words = "zlib zstd",
      .verbs = MAKES,
      .help = "how compressed clusters are packed (zlib)",
      .detail = "QEMU reads zstd from version 5.1 on.",
      .parse = parse_compression },
    { .name = "refcount-bits",
      .form = "N",
      .words = "1 2 4 8 16 32 64",
      .verbs = MAKES " measure",
      .help = "width of reference counts (16)",
      .parse = parse_count_bits },
    { .name = "lazy-refcounts",
      .verbs = MAKES,
      .help = "allow writers to be late with reference counts",
      .detail = "Insula never is; QEMU is, and repairs the image after a crash.",
      .parse = parse_lazy_refcounts },
    { .name = "preallocation",
      .form = "off|metadata|falloc|full",
      .words = "off metadata falloc full",
      .verbs = "create resize",
      .help = "set room aside (off)",
      .detail = "metadata: qcow2's tables, in a sparse file. falloc: room on the host too. full: "
                "zeros are written.",
      .parse = parse_preallocation },
    { .name = "compress",
      .letter = 'c',
      .verbs = "convert",
      .help = "pack the new image's clusters",
      .parse = parse_compress },
    { .name = "snapshot",
      .letter = 's',
      .form = "NAME",
      .verbs = "convert",
      .help = "copy what the disk had at this snapshot",
      .parse = parse_snapshot },
    { .name = "replace",
      .verbs = MAKES,
      .help = "if the file is there already, what is in it is lost",
      .parse = parse_replace },
    { .name = "repair",
      .letter = 'r',
      .form = "leaks|all",
      .words = "leaks all",
      .verbs = "check",
      .help = "put right what is found",
      .detail = "leaks: give lost room back, in an image that has no other fault. all: damage "
                "too; what an impossible entry referred to reads as zeros then.",
      .parse = parse_repair },
    { .name = "chain",
      .verbs = "info",
      .help = "also the images that it is based on",
      .parse = parse_chain },
    { .name = "shrink",
      .verbs = "resize",
      .help = "the disk may lose what is behind its new end",
      .parse = parse_shrink },
    { .name = "unsafe",
      .letter = 'u',
      .verbs = "rebase",
      .help = "change only the name; the content of neither image is looked at",
      .parse = parse_unsafe },
    { .name = "keep",
      .letter = 'd',
      .verbs = "commit",
      .help = "leave the image as it is, once it is written to the one below",
      .parse = parse_keep },
    { .name = "strict",
      .verbs = "compare",
      .help = "disks of different sizes differ, even if the rest is zeros",
      .parse = parse_strict },
    { .name = "progress",
      .letter = 'p',
      .verbs = LONG_WORK,
      .help = "say how far it is, even if standard error is no terminal",
      .parse = parse_progress },
    { .name = "quiet", .letter = 'q', .help = "say only what goes wrong", .parse = parse_quiet },
    { .name = "json",
      .help = "answer in JSON, with the names that qemu-img uses",
      .parse = parse_json },
    { .name = "help", .letter = 'h', .help = "print this", .action = DISK_HELP },
    { .name = "version", .help = "print the version", .action = DISK_VERSION },
    { .name = "help-options", .action = DISK_DUMP_OPTIONS },
    { .name = "help-verbs", .action = DISK_DUMP_VERBS },
    { 0 },
};

/* --- parsing --- */

static bool is_hidden(const DiskOption *option)
{
    return option->action == DISK_DUMP_OPTIONS || option->action == DISK_DUMP_VERBS;
}

static bool is_for(const DiskOption *option, const DiskVerb *verb)
{
    if (!option->verbs || !verb) {
        return true;
    }
    g_auto(GStrv) verbs = g_strsplit(option->verbs, " ", 0);
    return g_strv_contains((const char *const *)verbs, verb->name);
}

static const DiskOption *find_option(const char *word, size_t len)
{
    for (const DiskOption *option = options; option->name; option++) {
        if (strlen(option->name) == len && !strncmp(option->name, word, len)) {
            return option;
        }
    }
    return NULL;
}

static const DiskOption *find_letter(char letter)
{
    for (const DiskOption *option = options; option->name; option++) {
        if (option->letter && option->letter == letter) {
            return option;
        }
    }
    return NULL;
}

static bool unknown_option(const char *word, const DiskVerb *verb, GError **error)
{
    const char *known[NAMES_MAX] = { NULL };
    unsigned n = 0;

    for (const DiskOption *option = options; option->name; option++) {
        if (!is_hidden(option) && is_for(option, verb)) {
            known[n++] = option->name;
        }
    }
    const char *near = suggest(word + strspn(word, "-"), known);
    return near ? usage(error, "unknown option '%s'; did you mean '--%s'?", word, near)
                : usage(error, "unknown option '%s'; --help lists them all", word);
}

/* The option that @word is, and where its value begins inside of it, if it does. */
static const DiskOption *split(const char *word, const DiskVerb *verb, const char **ret_value,
                               GError **error)
{
    const DiskOption *option;
    const char *value = NULL;

    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");
        option = find_option(word + 2, len);
        value = word[2 + len] ? word + 3 + len : NULL;
    } else {
        option = find_letter(word[1]);
        value = word[2] ? word + 2 : NULL;
    }
    if (!option) {
        unknown_option(word, verb, error);
        return NULL;
    }
    if (!is_for(option, verb)) {
        usage(error, "option '%s' is not for '%s'; it is for %s", word, verb->name, option->verbs);
        return NULL;
    }
    if (value && !option->form) {
        usage(error, "option '--%s' takes no value; drop '%s'", option->name, value);
        return NULL;
    }
    *ret_value = value;
    return option;
}

static bool add_operand(DiskArgs *args, const char *word, GError **error)
{
    if (args->n_operands >= args->verb->max) {
        return usage(error, "'%s' is one word too many: %s takes %s", word, args->verb->name,
                     args->verb->operands);
    }
    args->operands[args->n_operands++] = word;
    return true;
}

static const DiskVerb *find_verb(const char *name, GError **error)
{
    const char *known[NAMES_MAX] = { NULL };
    unsigned n = 0;

    for (const DiskVerb *verb = disk_verbs(); verb->name; verb++) {
        if (!strcmp(verb->name, name)) {
            return verb;
        }
        known[n++] = verb->name;
    }
    g_autofree char *hint = suggest_text(name, known);
    usage(error, "unknown verb '%s'%s%s", name, hint, *hint ? "" : "; --help lists them all");
    return NULL;
}

/* What stands at *@words, an option or an operand. */
static bool parse_word(char ***words, DiskArgs *args, DiskAction *action, bool *only_operands,
                       GError **error)
{
    const char *word = **words, *value = NULL;

    if (!*only_operands && !strcmp(word, "--")) {
        *only_operands = true;
        return true;
    }
    if (*only_operands || word[0] != '-' || !word[1] || g_ascii_isdigit(word[1])) {
        return add_operand(args, word, error);
    }
    const DiskOption *option = split(word, args->verb, &value, error);
    if (!option) {
        return false;
    }
    if (option->action != DISK_ACT) {
        *action = option->action;
        return true;
    }
    if (option->form && !value) {
        value = *++*words;
        if (!value) {
            --*words;
            return usage(error, "option '--%s' needs a value: %s", option->name, option->form);
        }
    }
    if (!option->parse(args, value, error)) {
        return false;
    }
    return true;
}

bool disk_args_parse(char **words, DiskArgs *args, DiskAction *ret_action, GError **error)
{
    bool only_operands = false;

    *args = (DiskArgs){ 0 };
    *ret_action = DISK_ACT;
    if (!words[0]) {
        return usage(error, "no verb; --help lists them all");
    }
    if (words[0][0] != '-') {
        args->verb = find_verb(words[0], error);
        if (!args->verb) {
            return false;
        }
        words++;
    }
    for (; *words && *ret_action == DISK_ACT; words++) {
        if (!args->verb && (*words)[0] != '-') {
            return usage(error, "the verb comes first, before any option");
        }
        if (!parse_word(&words, args, ret_action, &only_operands, error)) {
            return false;
        }
    }
    if (*ret_action != DISK_ACT) {
        return true;
    }
    if (!args->verb) {
        return usage(error, "no verb; --help lists them all");
    }
    if (args->n_operands < args->verb->min) {
        return usage(error, "%s needs more words: %s", args->verb->name, args->verb->operands);
    }
    return true;
}

/* --- for people and tools --- */

static void help_line(GString *text, const DiskOption *option)
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
    g_string_append_printf(text, "%s\n", option->help);
}

char *disk_args_help(const char *program, const DiskVerb *verb)
{
    GString *text = g_string_new(NULL);

    if (verb) {
        g_string_append_printf(text, "Usage: %s %s [OPTION]... %s\n%c%s.\n", program, verb->name,
                               verb->operands, g_ascii_toupper(verb->help[0]), verb->help + 1);
        if (verb->detail) {
            g_string_append_printf(text, "%s\n", verb->detail);
        }
        g_string_append(text, "\n");
        for (const DiskOption *option = options; option->name; option++) {
            if (!is_hidden(option) && is_for(option, verb)) {
                help_line(text, option);
            }
        }
        return g_string_free(text, FALSE);
    }
    g_string_append_printf(text, "Usage: %s VERB [OPTION]... FILE...\nDisk images.\n\n", program);
    for (const DiskVerb *one = disk_verbs(); one->name; one++) {
        g_string_append_printf(text, "  %-10s %s\n", one->name, one->help);
    }
    g_string_append_printf(text, "\n%s VERB --help says more of one.\n", program);
    return g_string_free(text, FALSE);
}

char *disk_args_dump_options(void)
{
    GString *text = g_string_new(NULL);

    for (const DiskOption *option = options; option->name; option++) {
        if (is_hidden(option)) {
            continue;
        }
        g_string_append_printf(text, "%s\t%s\t\t%s\t\t%s\t%s", option->name,
                               option->form ? option->form : "", option->words ? option->words : "",
                               option->help, option->detail ? option->detail : "");
        if (option->letter) {
            g_string_append_printf(text, "%sShort: -%c.", option->detail ? " " : "",
                                   option->letter);
        }
        if (option->verbs) {
            g_auto(GStrv) verbs = g_strsplit(option->verbs, " ", 0);
            g_autofree char *list = g_strjoinv(", ", verbs);
            g_string_append_printf(text, "%sOf %s.", option->detail || option->letter ? " " : "",
                                   list);
        }
        g_string_append_c(text, '\n');
    }
    return g_string_free(text, FALSE);
}

char *disk_args_dump_verbs(void)
{
    GString *text = g_string_new(NULL);

    for (const DiskVerb *verb = disk_verbs(); verb->name; verb++) {
        g_string_append_printf(text, "%s\t%s\t%s%s%s\n", verb->name, verb->operands, verb->help,
                               verb->detail ? ". " : "", verb->detail ? verb->detail : "");
    }
    return g_string_free(text, FALSE);
}
