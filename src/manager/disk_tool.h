/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula-disk, which looks at disk images and makes them: the daemon itself opens none as
 * anything but bytes.
 *
 * What it answers is checked: an image may have been made to take it over.
 *
 * Threads: from any worker; waits for the program.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether long work is to end, since nobody wants it any more. */
typedef struct WorkEnd {
    bool (*wanted)(void *opaque); /* NULL: it goes on to its end */
    void *opaque;
} WorkEnd;

static inline bool work_ends(const WorkEnd *end)
{
    return end && end->wanted && end->wanted(end->opaque);
}

typedef struct DiskTool {
    const char *program; /* its path */
    int folder;          /* the descriptor of the folder that it works in */
    const WorkEnd *end;  /* NULL: never early */
} DiskTool;

/* Run "insula-disk @words..." (NULL behind the last).  @ret_answer, which may be NULL, gets what it
 * wrote to standard output.  On failure the message is its own last words. */
bool disk_tool_run(const DiskTool *tool, const char *const *words, char **ret_answer,
                   GError **error);

/* What an image says of itself. */
typedef struct DiskImage {
    uint64_t capacity;
    uint64_t cluster_size;
    char *compat; /* NULL: raw */
    bool lazy_refcounts, extended_l2;
    char *backing_path; /* absolute; NULL: it is based on nothing */
    char *backing_format;
} DiskImage;

/* Image @name of the folder, which is to be of @format. */
bool disk_tool_look(const DiskTool *tool, const char *name, const char *format,
                    DiskImage *ret_image, GError **error);
/* The same from what the program answers; for tests, too. */
bool disk_image_parse(const char *json, DiskImage *ret_image, GError **error);
void disk_image_clear(DiskImage *image);
void disk_image_copy(DiskImage *to, const DiskImage *from);
