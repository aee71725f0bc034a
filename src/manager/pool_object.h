/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pool.c and volume.c know of a pool and its volumes, and nobody else.
 *
 * Threads: see pool.h.
 */
#pragma once

#include <sys/stat.h>

#include "manager/disk_tool.h"
#include "manager/pool.h"

/* A file, as it was when the folder was last looked at; refers to nothing. */
typedef struct Volume {
    /* fixed after create */
    gatomicrefcount refs;
    char *name;
    VolumeKind kind;
    dev_t device;
    /* lock: its pool's */
    ino_t inode; /* 0: it is being made */
    char *format;
    unsigned users; /* of its content */
    bool alone;     /* one of them, who lets no other in */
    /* what insula-disk said of it, when it was as .looked_at says */
    bool looked;
    struct timespec looked_at;
    off_t looked_size;
    DiskImage image;
} Volume;

struct Pool {
    gatomicrefcount refs;
    Pools *pools; /* fixed after create */
    GMutex lock;
    /* lock: .lock; .config, .persistent and .gone change only with that of the list held, too */
    PoolConfig *config;
    PoolConfig *next; /* what it is defined as; NULL: .config */
    bool persistent, autostart;
    bool gone;           /* no more in the list */
    int folder;          /* -1: it isn't active */
    GHashTable *volumes; /* name -> Volume; empty while it isn't active */
    unsigned jobs;       /* users of its volumes */
};

struct Pools {
    /* fixed after create */
    char *definitions, *live, *disk_program;
    Events *events;
    GMutex lock;
    GPtrArray *pools; /* lock: .lock; references */
};

/* With the pool's lock held: false with an error, if it isn't active. */
bool pool_must_be_active(const Pool *pool, GError **error);
/* With the pool's lock held: look at what is in the folder. */
bool pool_scan(Pool *pool, GError **error);
/* Its lock held or not: what is in it has changed. */
void pool_tell_refresh(const Pool *pool);

Volume *volume_new(const char *name);
Volume *volume_ref(Volume *volume);
void volume_unref(Volume *volume);
/* With the pool's lock held: what @name is now, or NULL: the table is brought up to date. */
Volume *volume_update(Pool *pool, const char *name, const struct stat *st);
