/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage pools: folders whose files are volumes (volume.h).
 *
 * A pool is defined (it has a file, and outlives the daemon), active (its folder is open and was
 * looked through), or both.  One that is only active is transient.  Pool "default" is made at the
 * first start; whoever undefines it has done so for good.
 *
 * Locks: Pools has one for the list, each Pool one for what it is; in this order, and neither is
 * held while a program runs or data moves.  Files of definitions are written under them.
 *
 * Threads: from any.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/storage_xml.h"
#include "manager/daemon.h"
#include "wire/remote.h"

typedef struct Pool Pool;

#define POOL_DEFAULT "default"

typedef struct PoolsSetup {
    const char *definitions; /* folder of the files of defined pools */
    const char *live;        /* folder of those that are active; forgotten when the host restarts */
    const char *images;      /* where the default pool is */
    const char *disk_program; /* path of insula-disk */
    Events *events;           /* who is told; NULL: nobody */
} PoolsSetup;

/* Read what is defined; make the default pool if there never was one; make those active that were,
 * and those with autostart.  What can't be is told of by g_warning(). */
Pools *pools_new(const PoolsSetup *setup, GError **error);
void pools_free(Pools *pools);

/* Each returns a reference, or NULL with REMOTE_ERR_NO_STORAGE_POOL. */
Pool *pools_by_name(Pools *pools, const char *name, GError **error);
/* @name is for the message alone, and may be NULL. */
Pool *pools_by_uuid(Pools *pools, const uint8_t uuid[16], const char *name, GError **error);
Pool *pools_by_path(Pools *pools, const char *path, GError **error);
/* References of those that fit @flags, by name; bits as CONNECT_LIST_ALL_STORAGE_POOLS has them. */
GPtrArray *pools_list(Pools *pools, uint32_t flags);
enum { POOLS_INACTIVE = 1, POOLS_ACTIVE = 2 };

Pool *pool_ref(Pool *pool);
void pool_unref(Pool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_unref)

/* Define, or define again; what is active stays as it is until it is stopped. */
Pool *pools_define(Pools *pools, const PoolConfig *config, GError **error);
/* Make active what has no definition, or whose definition has this name and UUID. */
Pool *pools_create(Pools *pools, const PoolConfig *config, bool build, GError **error);

bool pool_build(Pool *pool, GError **error); /* make its folder */
bool pool_start(Pool *pool, GError **error);
bool pool_stop(Pool *pool, GError **error);
bool pool_delete(Pool *pool, GError **error); /* remove its folder, which must be empty */
bool pool_undefine(Pool *pool, GError **error);
bool pool_refresh(Pool *pool, GError **error);
bool pool_set_autostart(Pool *pool, bool on, GError **error);

/* Fills what xdr_clear() frees. */
void pool_handle(Pool *pool, RemotePool *ret);
/* Newly allocated. */
char *pool_name(Pool *pool);
char *pool_path(Pool *pool);
bool pool_is_active(Pool *pool);
bool pool_is_persistent(Pool *pool);
bool pool_has_autostart(Pool *pool);
/* Zeros for one that isn't active. */
bool pool_room(Pool *pool, PoolRoom *ret_room, GError **error);
/* @inactive: as it was defined. */
char *pool_xml(Pool *pool, bool inactive, GError **error);
