/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder with files that anybody may have put there: no symbolic link in it is followed, nothing
 * outside of it is reached, and only regular files are opened.
 *
 * A file is first had as a handle that reads nothing (O_PATH), looked at, and then opened through
 * that handle, so that what was looked at is what is opened; a device or a FIFO is never opened.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "config/storage_xml.h"

/* Open folder @path, which is absolute.  Links on the way to it are followed only if we are not
 * root: root acts for others, who must not lead it astray.  -1: @error. */
int folder_open(const char *path, GError **error);

/* Make folder @path, with those above it, if it isn't there; it gets @rights. */
bool folder_make(const char *path, const FileRights *rights, GError **error);
/* Remove the folder, which must be empty. */
bool folder_remove(const char *path, GError **error);

/* Whether @name can be a file's name in a folder, and be shown to people and in XML: UTF-8, without
 * control characters and slashes, and not "." or "..". */
bool folder_name_good(const char *name);

/* What @name is, without following it.  False: there is none, or its name isn't good. */
bool folder_look(int folder, const char *name, struct stat *ret_st);

/* Open the regular file @name with @flags (O_RDONLY, O_WRONLY, O_RDWR).  -1: @error. */
int folder_open_file(int folder, const char *name, int flags, GError **error);
/* Make the regular file @name, which must not exist, to be read and written.  -1: errno. */
int folder_make_file(int folder, const char *name, mode_t mode);

typedef void (*FolderSeen)(void *opaque, const char *name, const struct stat *st);
/* Tell of each thing in the folder whose name is good, in no order; of FOLDER_ENTRIES_MAX at
 * most. */
bool folder_list(int folder, FolderSeen seen, void *opaque, GError **error);

/* The format that was noted down for a file, or NULL; newly allocated. */
char *folder_note_read(int folder, const char *name);
/* Note it down with the file that is open as @fd.  False: the file system keeps no notes. */
bool folder_note_write(int fd, const char *format);
