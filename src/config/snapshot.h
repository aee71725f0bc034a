/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's snapshot as libvirt's XML says it, in and out.
 *
 * Threads: no state; a SnapshotConfig belongs to one thread at a time.
 * Read first: config/domain.h.
 */
#pragma once

#include "config/domain.h"

/* libvirt's words, in the order of its numbers, behind the unsaid one. */
typedef enum SnapshotState {
    SNAPSHOT_STATE_UNSAID,
    SNAPSHOT_NOSTATE,
    SNAPSHOT_RUNNING,
    SNAPSHOT_BLOCKED,
    SNAPSHOT_PAUSED,
    SNAPSHOT_SHUTDOWN,
    SNAPSHOT_SHUTOFF,
    SNAPSHOT_CRASHED,
    SNAPSHOT_PMSUSPENDED,
    SNAPSHOT_DISK, /* of disks alone, without RAM */
} SnapshotState;

typedef struct SnapshotParent {
    XmlBase base;
    char *name; /* never NULL */
} SnapshotParent;

typedef struct SnapshotMemory {
    XmlBase base;
    DomainDiskSnapshot where;
    char *file; /* of an external one */
} SnapshotMemory;

typedef struct SnapshotDiskDriver {
    XmlBase base;
    char *type;
} SnapshotDiskDriver;

typedef struct SnapshotDiskSource {
    XmlBase base;
    char *file;
} SnapshotDiskSource;

typedef struct SnapshotDisk {
    XmlBase base;
    char *name; /* the disk's target, or the path of its image; never NULL */
    DomainDiskSnapshot where;
    SnapshotDiskDriver *driver;
    SnapshotDiskSource *source; /* the overlay of an external one */
} SnapshotDisk;

typedef struct SnapshotConfig {
    XmlBase base;
    char *name; /* NULL: not said */
    char *description;
    SnapshotState state;
    XmlNumber created; /* seconds since 1970 */
    SnapshotParent *parent;
    SnapshotMemory *memory;
    GPtrArray *disks;       /* of SnapshotDisk */
    DomainConfig *domain;   /* as it was; NULL: not said */
    DomainConfig *inactive; /* its definition, where that differed */
    XmlNumber active;       /* 1: the current one */
} SnapshotConfig;

/* Flags are domain_config_parse()'s and domain_config_format()'s, for the domains inside, too; a
 * snapshot says nothing itself that only runs.  Fails as they do. */
SnapshotConfig *snapshot_config_parse(const char *xml, DomainParseFlags flags, GError **error);
char *snapshot_config_format(const SnapshotConfig *snapshot, unsigned flags);
SnapshotConfig *snapshot_config_new(void);
SnapshotConfig *snapshot_config_copy(const SnapshotConfig *snapshot);
/* @snapshot may be NULL. */
void snapshot_config_free(SnapshotConfig *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SnapshotConfig, snapshot_config_free)
