/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that is loaded into a guest at boot: opened once, read again at each reset.
 *
 * Threads: one at a time.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct BootFile {
    const char *kind; /* "kernel" or "initrd": for messages; static */
    char *path;
    int fd;
    uint64_t size; /* not 0 */
} BootFile;

/* Fails, with object and cause, unless @path is a readable regular file that is not empty. */
BootFile *boot_file_open(const char *kind, const char *path, GError **error);
/* @file may be NULL. */
void boot_file_free(BootFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BootFile, boot_file_free)

/* Read @len bytes at @offset into @buf: all of them, or false. */
bool boot_file_read(const BootFile *file, uint64_t offset, void *buf, size_t len, GError **error);
