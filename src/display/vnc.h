/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server: shows a Display to viewers, and leads what they do to an Input (RFB 3.8, RFC
 * 6143, and the extensions that viewers know: QEMU's extended key events and relative pointer,
 * ExtendedDesktopSize).
 *
 *   vnc = vnc_new(&config)
 *   vnc_listen(vnc, fd); vnc_connect(vnc, fd)    any number of each, at any time
 *   vnc_start(vnc)
 *   vnc_free(vnc)
 *
 * Sockets come open: where one may listen is the caller's business.  What is copied in one viewer
 * reaches the others; a guest has no clipboard here without an agent inside it.
 *
 * Threads: all functions from any thread; the server has one of its own, "vnc".
 * Read first: vnc_client.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Display Display;
typedef struct Input Input;
typedef struct Vnc Vnc;

typedef struct VncConfig {
    const char *name;     /* what viewers show on top */
    const char *password; /* up to 8 bytes; NULL: none is asked for */
    Display *display;     /* both outlive the server */
    Input *input;
} VncConfig;

Vnc *vnc_new(const VncConfig *config, GError **error);
/* Begin to serve, on a thread of its own. */
void vnc_start(Vnc *vnc);
/* All viewers are gone.  @vnc may be NULL. */
void vnc_free(Vnc *vnc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vnc, vnc_free)

/* Take viewers that connect to @fd, which listens.  Takes ownership. */
void vnc_listen(Vnc *vnc, int fd);
/* A viewer is at the other end of @fd.  Takes ownership. */
void vnc_connect(Vnc *vnc, int fd);
/* Whoever connects from now on needs this password; NULL: none. */
bool vnc_set_password(Vnc *vnc, const char *password, GError **error);
/* Viewers that have been let in. */
unsigned vnc_viewers(Vnc *vnc);
