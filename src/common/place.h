/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a person's files of Insula are, by the rules of the XDG base directories; root has them
 * where the system's are.  The daemon and its clients must agree about these.
 *
 *   kind            a user's                              root's
 *   PLACE_RUN       $XDG_RUNTIME_DIR/insula               /run/insula
 *   PLACE_CONFIG    $XDG_CONFIG_HOME/insula (~/.config)   /etc/insula
 *   PLACE_DATA      $XDG_DATA_HOME/insula (~/.local/share)  /var/lib/insula
 *   PLACE_STATE     $XDG_STATE_HOME/insula (~/.local/state) /var/log/insula
 *   PLACE_CACHE     $XDG_CACHE_HOME/insula (~/.cache)     /var/cache/insula
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum PlaceKind {
    PLACE_RUN,
    PLACE_CONFIG,
    PLACE_DATA,
    PLACE_STATE,
    PLACE_CACHE,
} PlaceKind;

/* The folder, which need not be there.  Without XDG_RUNTIME_DIR, PLACE_RUN is below /run/user/UID
 * if that is there, else below /tmp/insula-UID (or TMPDIR's).  Newly allocated. */
char *place_folder(PlaceKind kind, bool root);

/* The daemon's socket, or its read-only one.  Newly allocated. */
char *place_socket(bool root, bool read_only);

/* Make @folder and what is above it, for its owner alone.  Fails too if it is there and another's,
 * or open to others, where that matters (below /tmp). */
bool place_make(const char *folder, GError **error);
