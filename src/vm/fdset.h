/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of descriptors that a client of the control channel has passed (add-fd), and files named
 * "/dev/fdset/N", which are opened from them: so that a machine gets a disk whose file it could not
 * open itself.
 *
 * Of a set that one is taken which may do what is asked; what is opened is a duplicate of it.
 *
 * Threads: main only.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/host.h"

typedef struct FdSets FdSets;

FdSets *fd_sets_new(void);
/* Closes what was passed; what was opened stays.  @sets may be NULL. */
void fd_sets_free(FdSets *sets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FdSets, fd_sets_free)

/* Add @fd to set @id (-1: a new one), with @text for people (may be NULL); *@ret_id is the set.
 * Takes ownership. */
bool fd_sets_add(FdSets *sets, int64_t id, int fd, const char *text, int64_t *ret_id,
                 GError **error);
/* Close @fd of set @id, or (-1) all of them. */
bool fd_sets_remove(FdSets *sets, int64_t id, int64_t fd, GError **error);
/* Call @fn for each. */
void fd_sets_foreach(const FdSets *sets,
                     void (*fn)(void *opaque, int64_t id, int fd, const char *text), void *opaque);

/* Whether @path is the name of a set. */
bool fd_sets_has_name(const char *path);
/* The host's files, and /dev/fdset/N.  Belongs to @sets, which outlives what uses it. */
const BlkHost *fd_sets_host(FdSets *sets);
