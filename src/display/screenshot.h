/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a machine shows now, as a file.
 *
 * Threads: any; the source draws on the caller's (display_refresh()).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Display Display;

typedef enum ScreenshotFormat {
    SCREENSHOT_PPM,
    SCREENSHOT_PNG,
} ScreenshotFormat;

/* The bytes of such a file; NULL only where there is no memory for it. */
GByteArray *screenshot_take(Display *display, ScreenshotFormat format, GError **error);
/* Write it to @fd, which stays the caller's, or to the file @path, made anew. */
bool screenshot_write_fd(Display *display, ScreenshotFormat format, int fd, GError **error);
bool screenshot_write(Display *display, ScreenshotFormat format, const char *path, GError **error);
