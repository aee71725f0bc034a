/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML of storage pools and volumes, as libvirt has it, in and out.
 *
 * Of pools there are folders (type 'dir').  What is not supported is refused by name and line
 * (INSULA_ERROR_UNSUPPORTED), what is wrong is INSULA_ERROR_XML; what only tells of the present
 * state, such as <available>, is passed over, so that what was dumped can be defined again.
 *
 * Threads: no state.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct FileRights {
    bool has_mode, has_owner, has_group;
    uint32_t mode;         /* of the low 12 bits */
    uint32_t owner, group; /* numbers of the host's */
} FileRights;

typedef struct PoolConfig {
    char *name;
    bool has_uuid;
    uint8_t uuid[16];
    char *path; /* absolute, without "..", doubled slashes, or one at its end */
    FileRights rights;
} PoolConfig;

/* How full a pool is. */
typedef struct PoolRoom {
    uint64_t capacity, allocation, available;
} PoolRoom;

PoolConfig *pool_config_parse(const char *xml, GError **error);
/* @room and @rights: what there really is; NULL: as configured, and of no size. */
char *pool_config_format(const PoolConfig *config, const PoolRoom *room, const FileRights *rights);
PoolConfig *pool_config_copy(const PoolConfig *config);
void pool_config_free(PoolConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolConfig, pool_config_free)

typedef enum VolumeKind { VOLUME_FILE, VOLUME_BLOCK, VOLUME_FOLDER } VolumeKind;

typedef struct VolumeTime {
    int64_t seconds;
    uint32_t nanoseconds;
} VolumeTime;

/* A volume, asked for or described. */
typedef struct VolumeConfig {
    VolumeKind kind;
    char *name;
    char *path; /* and its key; NULL: not known */
    bool has_capacity, has_allocation, has_physical, has_times;
    uint64_t capacity, allocation, physical;
    char *format; /* NULL: not said */
    FileRights rights;
    VolumeTime accessed, modified, changed;
    /* of qcow2 */
    char *compat;          /* "0.10" or "1.1"; NULL: not said */
    uint64_t cluster_size; /* 0: not said */
    bool has_features, lazy_refcounts, extended_l2;
    char *backing_path; /* NULL: it is based on nothing */
    char *backing_format;
} VolumeConfig;

VolumeConfig *volume_config_parse(const char *xml, GError **error);
char *volume_config_format(const VolumeConfig *config);
void volume_config_free(VolumeConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VolumeConfig, volume_config_free)
