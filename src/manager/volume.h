/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes: what is in a storage pool's folder, and what can be done with it.
 *
 * A volume is named by its pool and its name; its path is its key.  The table of a pool holds what
 * was in the folder when it was last looked at, and is brought up to date wherever one volume is
 * asked for: another may have changed the folder.  Links and special files are no volumes.
 *
 * The format of a file is what it was made with, which is noted down beside it (folder.h); else
 * what its name ends in; else raw.  It is never guessed from the content, which a guest may have
 * written.  Only insula-disk looks into images (disk_tool.h).
 *
 * Long work holds no lock; it marks the volume as used, and keeps machines off the file by the
 * locks that they have on their disks.
 *
 * Threads: from any worker.
 */
#pragma once

#include "manager/disk_tool.h"
#include "manager/pool.h"

/* Bring the table up to date, and see that the volume is there; its path, newly allocated. */
char *volume_path(Pool *pool, const char *name, GError **error);
/* The pool that @path is in, and its name there (newly allocated); NULL with
 * REMOTE_ERR_NO_STORAGE_VOL. */
Pool *volume_by_path(Pools *pools, const char *path, char **ret_name, GError **error);
/* Names of all, sorted; NULL behind the last. */
GStrv volume_names(Pool *pool, GError **error);

typedef struct VolumeRoom {
    VolumeKind kind;
    uint64_t capacity, allocation, physical;
} VolumeRoom;

bool volume_room(Pool *pool, const char *name, VolumeRoom *ret_room, GError **error);
char *volume_xml(Pool *pool, const char *name, GError **error);

enum { VOLUME_CREATE_METADATA = 1, VOLUME_CREATE_REFLINK = 2 };
enum { VOLUME_RESIZE_ALLOCATE = 1, VOLUME_RESIZE_DELTA = 2, VOLUME_RESIZE_SHRINK = 4 };
enum { VOLUME_SPARSE = 1 };

/* What overwrites a volume; libvirt's numbers. */
typedef enum VolumeWipe {
    VOLUME_WIPE_ZERO = 0,
    VOLUME_WIPE_RANDOM = 8,
    VOLUME_WIPE_TRIM = 9,
} VolumeWipe;

/* Make the volume that @config describes.  @end, here and below, may be NULL. */
bool volume_create(Pool *pool, const VolumeConfig *config, uint32_t flags, const WorkEnd *end,
                   GError **error);

/* Where a copy comes from. */
typedef struct VolumeSource {
    Pool *pool;
    const char *name;
} VolumeSource;

/* The same, with the content of another; no smaller than it. */
bool volume_clone(Pool *pool, const VolumeConfig *config, const VolumeSource *source,
                  const WorkEnd *end, GError **error);
bool volume_resize(Pool *pool, const char *name, uint64_t capacity, uint32_t flags, GError **error);
bool volume_wipe(Pool *pool, const char *name, uint32_t how, const WorkEnd *end, GError **error);
bool volume_delete(Pool *pool, const char *name, GError **error);
/* For who deletes a machine with its disks. */
bool volume_delete_by_path(Pools *pools, const char *path, GError **error);

/* The bytes of a volume's file, open for one who moves them. */
typedef struct VolumeUse VolumeUse;

VolumeUse *volume_open(Pool *pool, const char *name, bool writes, GError **error);
/* Regular; stays the VolumeUse's. */
int volume_use_fd(const VolumeUse *use);
/* @use may be NULL. */
void volume_close(VolumeUse *use);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeUse, volume_close)
