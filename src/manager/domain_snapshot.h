/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of domains: disks (inside of their qcow2 images), RAM and UEFI variables together.
 *
 * All or nothing, by a journal: a file that says what is being done, written before the first step
 * and removed behind the last.  What a crash has left half done is undone (a snapshot that was
 * being taken) or done to its end (one that was being deleted, or gone back to) when the daemon
 * starts again.
 *
 *   DATA/snapshots/UUID/   NAME.xml (its being there means the snapshot is whole), NAME.state
 *                          (RAM), NAME.vars (UEFI variables), current, journal
 *
 * Threads: any.
 */
#pragma once

#include "config/snapshot.h"
#include "manager/domain.h"

enum { /* flags, as libvirt numbers them */
       SNAPSHOT_REDEFINE = 1,
       SNAPSHOT_HALT = 8,
       SNAPSHOT_DISK_ONLY = 16,
       SNAPSHOT_ATOMIC = 128,
       SNAPSHOT_LIVE = 256,
       SNAPSHOT_VALIDATE = 512,
       REVERT_RUNNING = 1,
       REVERT_PAUSED = 2,
       REVERT_FORCE = 4,
       REVERT_RESET_NVRAM = 8,
       DELETE_CHILDREN = 1,
       DELETE_METADATA_ONLY = 2,
       DELETE_CHILDREN_ONLY = 4,
};

/* Read what there is, and finish or undo what was begun, before anybody asks; it may run. */
void domain_load_snapshots(Domain *domain);
void domain_free_snapshots(Domain *domain);
/* How many snapshots @domain has. */
unsigned domain_n_snapshots(Domain *domain);
/* Forget them all; what is inside of images stays there.  With the job. */
bool domain_forget_snapshots(Domain *domain, GError **error);

/* Copies of all, by name: an array of SnapshotConfig that owns them. */
GPtrArray *domain_snapshots(Domain *domain);
/* A copy of one, or NULL and REMOTE_ERR_NO_DOMAIN_SNAPSHOT; @name NULL: the current one. */
SnapshotConfig *domain_snapshot_find(Domain *domain, const char *name, GError **error);
bool domain_snapshot_is_current(Domain *domain, const char *name);

/* Below: with the job. */

/* Take one, as @wanted (of which this takes ownership) says; its name, newly allocated. */
char *domain_snapshot_take(Domain *domain, SnapshotConfig *wanted, unsigned flags, GError **error);
bool domain_snapshot_revert(Domain *domain, const char *name, unsigned flags, GError **error);
bool domain_snapshot_delete(Domain *domain, const char *name, unsigned flags, GError **error);
