/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of insula-disk share: opening by name, copying, answers in text and JSON,
 * progress and interruption.
 *
 * Threads: main, and the workers of a copy.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "block/image.h"
#include "disk/args.h"

/* Exit statuses, see docs/man/insula-disk.1.scd. */
typedef enum DiskStatus {
    DISK_DONE = 0,
    DISK_FAILED = 1,
    DISK_USAGE = 2,
    DISK_WRONG = 3, /* the answer is no: damage was found, disks differ */
    DISK_LEAKS = 4, /* check: room is lost, nothing else */
} DiskStatus;

/* --- open.c --- */

/* The format of file @path: @said, or what its name says.  NULL: INSULA_ERROR_USAGE, with what its
 * content looks like. */
const char *disk_format(const char *path, const char *said, GError **error);
/* The same for a file that is to be made: nobody looks into it. */
const char *disk_new_format(const char *path, const char *said, const char *option, GError **error);
/* Open an image with all that it is based on.  @said: its format, or NULL. */
Blk *disk_open(const char *path, const char *said, BlkOptions options, GError **error);

/* --- output.c --- */

/* One line on standard error, behind the program's name. */
void disk_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Add a member to the object that is being built. */
void disk_json_text(JsonBuilder *json, const char *name, const char *value);
void disk_json_number(JsonBuilder *json, const char *name, uint64_t value);
void disk_json_flag(JsonBuilder *json, const char *name, bool value);
/* Print what was built.  Takes ownership. */
bool disk_json_print(JsonBuilder *json, GError **error);
/* The path of what @blk is based on, or NULL. */
const char *disk_base(Blk *blk);
/* Where JSON is asked for, what became of @blk, which is based on @backing (NULL: on none).  The
 * exit status. */
int disk_tell(const DiskArgs *args, const Blk *blk, const char *backing, GError **error);
/* Standard output is complete. */
bool disk_flush_output(GError **error);
/* "1.5 GiB (1610612736 bytes)"; newly allocated. */
char *disk_size_text(uint64_t bytes);

/* Progress on standard error, and the signals that end the program: work stops, and cleans up. */
typedef struct DiskProgress {
    BlkProgress progress; /* first, for image.h */
    bool show, on_terminal;
    int last; /* per mille that was shown */
} DiskProgress;

void disk_progress_init(DiskProgress *progress, const DiskArgs *args);
/* The line ends. */
void disk_progress_end(DiskProgress *progress);
/* Whether somebody wants the program to end. */
bool disk_interrupted(void);
void disk_block_signals(void);

/* --- info.c --- */

/* Add an object for each snapshot to the array that is being built; or print them as a table. */
void disk_json_snapshots(JsonBuilder *json, const BlkInfo *info);
void disk_print_snapshots(const BlkInfo *info);

/* --- copy.c --- */

/* What copying does. */
typedef struct DiskCopy {
    Blk *from, *to;
    bool compress;
    bool to_is_zero; /* what is not written to .to reads as zeros */
    Blk *same;       /* what .to reads as where nothing is written; or NULL */
    unsigned threads;
    DiskProgress *progress;
} DiskCopy;

bool disk_copy(const DiskCopy *copy, GError **error);

/* --- verbs --- */

int disk_create(const DiskArgs *args, GError **error);
int disk_info(const DiskArgs *args, GError **error);
int disk_check(const DiskArgs *args, GError **error);
int disk_convert(const DiskArgs *args, GError **error);
int disk_resize(const DiskArgs *args, GError **error);
int disk_snapshot(const DiskArgs *args, GError **error);
int disk_rebase(const DiskArgs *args, GError **error);
int disk_commit(const DiskArgs *args, GError **error);
int disk_compare(const DiskArgs *args, GError **error);
int disk_map(const DiskArgs *args, GError **error);
int disk_measure(const DiskArgs *args, GError **error);

/* The new image that @args ask for, at @path with @size bytes. */
bool disk_make(const DiskArgs *args, const char *path, const char *format, uint64_t size,
               GError **error);
