/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula-disk: disk images are made, looked at, checked and changed.
 *
 *   words -> DiskArgs (args.h) -> a verb's function (disk.h) -> exit status
 *
 * A program of its own, because it opens images that others have written.
 *
 * Threads: main, and the workers of a copy.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/program.h"
#include "disk/disk.h"

static const DiskVerb verbs[] = {
    { "create", "FILE [SIZE]", 1, 2, "make an image",
      "SIZE may be left out for an image that is based on another: it gets that one's size.",
      disk_create },
    { "info", "FILE", 1, 1, "say what an image says of itself, and who is using it", NULL,
      disk_info },
    { "check", "FILE", 1, 1, "look for damage and lost room, and repair it", NULL, disk_check },
    { "convert", "FILE NEW", 2, 2, "copy a disk into a new image",
      "What is zeros takes no room in the copy.", disk_convert },
    { "resize", "FILE [+|-]SIZE", 2, 2, "make a disk larger or smaller",
      "What the disk gains reads as zeros; partitions in it stay as they are.", disk_resize },
    { "snapshot", "list|create|delete|apply FILE [NAME]", 2, 3,
      "keep what the disk has now, drop it, or go back to it", NULL, disk_snapshot },
    { "rebase", "FILE", 1, 1, "let an image be based on another than it is",
      "The disk keeps its content: what differs is copied into the image first.", disk_rebase },
    { "commit", "FILE", 1, 1, "write what an image has into the one that it is based on",
      "Then the image is emptied.", disk_commit },
    { "compare", "FILE FILE", 2, 2, "say whether two disks have the same content", NULL,
      disk_compare },
    { "map", "FILE", 1, 1, "say what of a disk is where", NULL, disk_map },
    { "measure", "[FILE]", 0, 1, "say how much room a copy would take", NULL, disk_measure },
    { 0 },
};

const DiskVerb *disk_verbs(void)
{
    return verbs;
}

static int report(const GError *error)
{
    disk_complain("%s", error->message);
    return g_error_matches(error, INSULA_ERROR, INSULA_ERROR_USAGE) ? DISK_USAGE : DISK_FAILED;
}

/* Takes ownership of @text. */
static int print(char *text)
{
    g_autoptr(GError) error = NULL;

    fputs(text, stdout);
    g_free(text);
    return disk_flush_output(&error) ? DISK_DONE : report(error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    DiskArgs args;
    DiskAction action;

    if (!program_fill_standard_fds()) {
        return DISK_FAILED;
    }
    if (!disk_args_parse(argv + (argc > 0), &args, &action, &error)) {
        return report(error);
    }
    g_autofree char *program = g_path_get_basename(argc > 0 ? argv[0] : "insula-disk");
    switch (action) {
    case DISK_HELP:
        return print(disk_args_help(program, args.verb));
    case DISK_VERSION:
        return print(g_strdup("insula " INSULA_VERSION "\n"));
    case DISK_DUMP_OPTIONS:
        return print(disk_args_dump_options());
    case DISK_DUMP_VERBS:
        return print(disk_args_dump_verbs());
    case DISK_ACT:
        break;
    }
    int status = args.verb->act(&args, &error);
    return error ? report(error) : status;
}
