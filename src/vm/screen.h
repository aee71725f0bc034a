/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where viewers of the machine's screen come in: the sockets of the VNC server.
 *
 * Threads: main.
 */
#pragma once

#include <glib.h>

#include "config/config.h"

typedef struct Display Display;
typedef struct Input Input;
typedef struct Screen Screen;

/* Show @display to whoever connects as @config says.  @name is for viewers. */
Screen *screen_open(const ScreenConfig *config, const char *name, Display *display, Input *input,
                    GError **error);
/* Begin to serve them. */
void screen_start(Screen *screen);
/* Viewers are gone, and the socket's file.  @screen may be NULL. */
void screen_free(Screen *screen);
