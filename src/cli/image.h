/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that new machines begin with: fetched from a URL whose checksum is known, and kept in the
 * cache; or files of the person's.
 *
 * A person's own catalogue is images.conf in the configuration folder:
 *
 *     [fedora]
 *     url = https://.../image.qcow2
 *     sha512 = ...
 *     user = fedora
 *
 * Threads: main only.
 */
#pragma once

#include "cli/command.h"

typedef struct Image {
    char *name;
    char *path;   /* of the file, which is only read */
    char *format; /* "qcow2" or "raw" */
    char *user;   /* who logs in */
} Image;

/* Find the image that @word names, and fetch it if it isn't in the cache, or if
 * @args->fresh.  Fails with what is near, if there is no such. */
bool image_get(const CliArgs *args, const char *word, Image *ret, GError **error);
void image_clear(Image *image);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

/* The checksum of file @path in hexadecimal, or NULL. */
char *image_checksum(const CliArgs *args, const char *path, GError **error);
