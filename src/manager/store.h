/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions in files that outlive a crash: an acknowledged one is never lost, and none is torn.
 *
 * A file is written beside its place under a name that begins with a dot, brought to the disk,
 * renamed, and then its folder is brought to the disk, too.  What a crash leaves of the dotted
 * files is removed when the folder is read again.
 *
 * Threads: no state; two writers of one path must be kept apart by the caller (the last one wins,
 * whole), and store_read_all() stands at the start, before anybody writes there.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { STORE_FILE_MAX = 4 << 20 }; /* bytes of a file: four times what an XML may have */

typedef struct StoreFile {
    char *name; /* without the suffix */
    char *text; /* NULL: it can't be read */
    char *why;  /* what then is wrong; NULL: nothing */
} StoreFile;

/* Make @folder, with those above it, each for its owner alone. */
bool store_folder(const char *folder, GError **error);
/* The same for a daemon that begins: if the host has no room, say, that is reported, and the folder
 * is made with the first file that is written there. */
void store_folder_later(const char *folder);
/* Make @text the content of @path, for its owner alone; on return it is on the disk. */
bool store_write(const char *path, const char *text, GError **error);
/* Remove @path; one that isn't there is removed already. */
bool store_remove(const char *path, GError **error);
/* Rename a file inside a folder, or between folders of one file system. */
bool store_rename(const char *from, const char *to, GError **error);
/* The content of @path.  Newly allocated. */
char *store_read(const char *path, GError **error);
/* All files of @folder whose names end with @suffix, by name: an array of StoreFile that owns them,
 * empty if there is no such folder. */
GPtrArray *store_read_all(const char *folder, const char *suffix, GError **error);
