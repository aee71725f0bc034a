/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maintenance of qcow2 images: all references are counted, compared with what the image says, and
 * tables made anew.
 *
 * Threads: while no request runs (the gate is closed, or the disk is not yet open).  Lock: the
 * image's is held but by the functions of BlkMaintenance, which take it.
 */
#pragma once

#include "block/qcow2/qcow2.h"

/* --- count.c --- */

/* Something that refers to the disk's data: the L1 table that is in use, or a snapshot's. */
typedef struct Qcow2Root {
    const uint64_t *l1;
    uint32_t l1_entries;
    uint64_t l1_offset; /* in the file; 0: the table and its L2 tables are not counted */
    const char *name;   /* for reports; NULL: it is in use */
    uint64_t clusters;  /* of the disk; entries behind these are left out */
    uint64_t n_bad;     /* how many entries had to be left out */
} Qcow2Root;

/* How far long work has come; a step for each L1 entry that is looked at. */
typedef struct Qcow2Work {
    const BlkProgress *progress; /* NULL: nobody is told */
    uint64_t done, total;
} Qcow2Work;

/* One step is about to be done; 0, or -EINTR: it shall not. */
int qcow2_work_step(Qcow2Work *work);
/* The steps of qcow2_census_all(). */
uint64_t qcow2_census_steps(const Qcow2 *q);

/* How often each cluster of the file is referred to. */
typedef struct Qcow2Census {
    Qcow2 *q;
    GHashTable *chunks; /* of uint32_t[QCOW2_CHUNK], by cluster / QCOW2_CHUNK */
    uint32_t *last;     /* the chunk looked at last, of number .last_number */
    uint64_t last_number;
    uint64_t end; /* cluster behind the last that is referred to */
    BlkCheck *check;
    Qcow2Work *work; /* that this is part of */
    uint8_t *table;  /* a cluster */
    int read_error;  /* of the host, so that what is missing is not known; or 0 */
} Qcow2Census;

enum { QCOW2_CHUNK = 4096 };

void qcow2_census_init(Qcow2Census *census, Qcow2 *q, Qcow2Work *work, BlkCheck *check);
void qcow2_census_clear(Qcow2Census *census);
uint32_t qcow2_census_get(Qcow2Census *census, uint64_t cluster);
/* Count all clusters that @len bytes at @offset touch.  0 or -ENOMEM. */
int qcow2_census_add(Qcow2Census *census, uint64_t offset, uint64_t len);
/* Count all that @root refers to; what can't be is left out and, with .check, reported. */
int qcow2_census_root(Qcow2Census *census, Qcow2Root *root);
/* Count all that refers to something: the image as it is on the disk. */
int qcow2_census_all(Qcow2Census *census);
/* Count the bitmaps of the image, if it has valid ones. */
int qcow2_census_bitmaps(Qcow2Census *census);
/* Read the L1 table of a snapshot; NULL: it can't be. */
uint64_t *qcow2_census_l1(Qcow2 *q, const Qcow2Snapshot *snapshot);
/* Something is wrong with the image. */
void qcow2_census_report(Qcow2Census *census, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A table of entries, one cluster from byte @offset of the file, in census->table.  False: it
 * can't be there, or (.read_error) can't be read. */
bool qcow2_census_table(Qcow2Census *census, uint64_t offset);

/* --- rewrite.c --- */

/* What an image shall be. */
typedef struct Qcow2Rewrite {
    const uint64_t *l1; /* whose content the disk has; its tables are read, and made anew */
    uint32_t l1_entries;
    uint64_t size;         /* what of the tables is behind this is left out */
    GArray *snapshots;     /* of Qcow2Snapshot */
    bool remake_snapshots; /* their tables too */
    bool leave_out;        /* what is damaged; else that is an error */
    uint64_t incompatible, compatible;
} Qcow2Rewrite;

/* The image as it is. */
Qcow2Rewrite qcow2_rewrite_same(Qcow2 *q);
/* Make all tables anew in free room, with right reference counts and without what is impossible in
 * them, and change over. */
bool qcow2_rewrite(Qcow2 *q, const Qcow2Rewrite *to, GError **error);
/* All that was written is in the tables of the file, durable; nothing waits to be given back. */
bool qcow2_settle(Qcow2 *q, GError **error);
/* Make all counts right again, after a writer that kept them in memory died. */
bool qcow2_repair_counts(Qcow2 *q, GError **error);

/* --- snapshot.c --- */

/* The bytes of the table that lists @snapshots. */
GByteArray *qcow2_snapshots_store(const GArray *snapshots);
Qcow2Snapshot qcow2_snapshot_copy(const Qcow2Snapshot *snapshot);
GArray *qcow2_snapshots_copy(const GArray *snapshots);
/* Let the disk, which is only read, be what it was at snapshot @name. */
bool qcow2_snapshot_use(Qcow2 *q, const char *name, GError **error);

/* --- resize.c --- */

/* Set room aside for a range of the disk that reads as zeros. */
bool qcow2_preallocate(Blk *blk, uint64_t start, uint64_t end, BlkPreallocation how,
                       GError **error);

/* --- functions of BlkMaintenance --- */

bool qcow2_create(const BlkCreate *create, GError **error);
void qcow2_info(Blk *blk, BlkInfo *ret);
bool qcow2_check(Blk *blk, BlkRepair repair, BlkCheck *check, GError **error);
bool qcow2_resize(Blk *blk, uint64_t size, BlkPreallocation preallocation, GError **error);
bool qcow2_snapshot_create(Blk *blk, const char *name, GError **error);
bool qcow2_snapshot_delete(Blk *blk, const char *name, GError **error);
bool qcow2_snapshot_apply(Blk *blk, const char *name, GError **error);
bool qcow2_empty(Blk *blk, GError **error);
bool qcow2_set_backing(Blk *blk, const char *name, const char *format, GError **error);
int qcow2_write_compressed(Blk *blk, uint64_t offset, const void *buf, size_t len);
