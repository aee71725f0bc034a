/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of insula-disk: a verb, options, operands.  The tables here make the parser, --help,
 * the manual page and the completion.
 *
 * Options and operands may stand in any order; behind "--" only operands do.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>

#include "block/image.h"

enum { DISK_OPERANDS_MAX = 3 };

typedef struct DiskVerb DiskVerb;

/* What the command line says. */
typedef struct DiskArgs {
    const DiskVerb *verb;
    const char *operands[DISK_OPERANDS_MAX + 1]; /* NULL behind the last */
    unsigned n_operands;
    bool json, progress, quiet;
    const char *format;   /* of the image that is there; NULL: by its name */
    const char *format_2; /* of the second one */
    const char *to;       /* of the image that is made */
    /* of what is made */
    const char *backing, *backing_format;
    uint64_t cluster;
    unsigned count_bits, version;
    const char *compression;
    bool subclusters, lazy_refcounts, compress, replace;
    BlkPreallocation preallocation;
    /* of single verbs */
    BlkRepair repair;
    bool chain, shrink, unsafe, keep, strict, has_size;
    uint64_t size;
    const char *snapshot;
} DiskArgs;

struct DiskVerb {
    const char *name;
    const char *operands; /* for people: "FILE [SIZE]" */
    unsigned min, max;    /* how many of them */
    const char *help;     /* one line */
    const char *detail;   /* more of it, for the manual page; NULL: nothing */
    /* Returns the exit status, or sets @error. */
    int (*act)(const DiskArgs *args, GError **error);
};

typedef enum DiskAction {
    DISK_ACT, /* do what .verb says */
    DISK_HELP,
    DISK_VERSION,
    DISK_DUMP_OPTIONS,
    DISK_DUMP_VERBS,
} DiskAction;

/* All verbs, NULL name behind the last. */
const DiskVerb *disk_verbs(void);

/* Parse @words (NULL behind the last; without the program's name), which stay the caller's.  Fails
 * with INSULA_ERROR_USAGE. */
bool disk_args_parse(char **words, DiskArgs *args, DiskAction *ret_action, GError **error);
/* The text of --help, of @verb or (NULL) of all.  Newly allocated. */
char *disk_args_help(const char *program, const DiskVerb *verb);
/* The tables for tools, as config/options.h and src/cli have them.  Newly allocated. */
char *disk_args_dump_options(void);
char *disk_args_dump_verbs(void);
