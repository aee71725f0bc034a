/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A volume while somebody works on it: it can't be deleted, nor its pool stopped, and who is alone
 * with it keeps others off.  For volume.c, which tells of volumes, and volume_work.c, which changes
 * them.
 *
 * Threads: see volume.h; a VolumeUse belongs to one at a time.
 */
#pragma once

#include "manager/pool_object.h"
#include "manager/volume.h"

struct VolumeUse {
    Pool *pool;         /* a reference; NULL: it isn't begun, or has ended */
    Volume *volume;     /* a reference */
    int folder;         /* of its own */
    int fd;             /* -1: not open */
    bool counts, alone; /* others mind it; it minds others */
    VolumeKind kind;
    dev_t device;
    ino_t inode;
    char *name, *format, *path;
};

bool volume_use_begin(VolumeUse *use, Pool *pool, const char *name, bool alone, GError **error);
/* Begin with one that isn't there yet. */
bool volume_use_make(VolumeUse *use, Pool *pool, const char *name, const char *format,
                     GError **error);
/* It was made, or wasn't. */
void volume_use_made(VolumeUse *use, bool done);
void volume_use_end(VolumeUse *use);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VolumeUse, volume_use_end)
/* Whether a file of that name has that format, if nothing says another. */
bool volume_name_tells(const char *name, const char *format);
/* The program that works in its folder. */
DiskTool volume_use_tool(const VolumeUse *use, const WorkEnd *end);
