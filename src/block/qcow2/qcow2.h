/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qcow2 disk format, versions 2 and 3: what the driver's files share.
 *
 * The disk's clusters are found by two levels of tables: L1, one per image and in memory, names
 * the L2 tables, whose entries name clusters of the file.  Beside them every cluster of the file
 * has a reference count.  (docs/interop/qcow2.txt of QEMU is the format's specification.)
 *
 * What may reach the disk in which order, so that no crash loses more than room:
 *
 *   a cluster's count rises before an entry refers to it; its data is there before too; an entry
 *   is gone before the count falls; and between each two of these lies a sync (flush.c).
 *
 * What rewrites tables as a whole (snapshots, repair) makes all of them anew in free room, and
 * then changes over by writing one sector, the header (rebuild.c).
 *
 * | file | what |
 * |---|---|
 * | header.c | the header |
 * | open.c | opening, closing; the feature bits |
 * | map.c | where a piece of the disk is |
 * | write.c, zero.c | new places for data; zeros and discards |
 * | refcount.c | reference counts; room is taken and given back |
 * | flush.c | the order in which metadata is written |
 * | compress.c | zlib, zstd |
 * | cache.c | slices of tables in memory |
 * | count.c, check.c, rebuild.c | all references are counted, compared, and written anew |
 * | snapshot.c, resize.c, create.c | the rest of maintenance |
 *
 * Threads and locks: .lock is held by whoever changes metadata, I/O included.  Readers take
 * .l2.lock alone, for a look at L1, L2 slices and .metadata; these are written with both held.
 * Order: .guard_lock -> .lock -> .l2.lock.  (A guard is waited for before .lock is taken.)
 */
#pragma once

#include "block/driver.h"
#include "block/qcow2/cache.h"
#include "block/qcow2/header.h"

#define QCOW2_COPIED     (UINT64_C(1) << 63) /* the cluster's count is exactly one */
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO       UINT64_C(1)
#define QCOW2_OFFSET     UINT64_C(0x00fffffffffffe00)
#define QCOW2_L1_KNOWN   (QCOW2_COPIED | QCOW2_OFFSET)

enum { QCOW2_SUBCLUSTERS_MAX = 32 };

/* An entry of an L2 table.  An image without subclusters is one with one in each cluster. */
typedef struct Qcow2Entry {
    bool compressed, copied;
    uint64_t host;   /* the cluster in the file, 0: none; compressed: the bytes */
    uint32_t packed; /* compressed: how many bytes */
    uint32_t data;   /* a bit for each subcluster whose data is at .host */
    uint32_t zero;   /* a bit for each that reads as zeros */
    uint64_t word;   /* as it stands in the table */
} Qcow2Entry;

/* Room that was given back, in whole clusters of the file. */
typedef struct Qcow2Free {
    uint64_t cluster, n;
    uint64_t number; /* of the gate: requests below it may still use the room */
    bool gone;       /* no table on the disk refers to it any more */
    bool punch;      /* give it back to the host too */
} Qcow2Free;

typedef struct Qcow2Snapshot {
    uint64_t l1_offset;
    uint32_t l1_entries;
    char *id, *name;
    uint32_t seconds, nanoseconds; /* when it was made */
    uint64_t clock_ns;             /* of the guest */
    uint64_t state_size;           /* of the saved machine; 0: there is none */
    uint64_t disk_size;
    uint64_t icount;
    uint32_t extra_len; /* how much of the three above the file has, and more */
    uint8_t *extra;     /* what is behind them */
} Qcow2Snapshot;

typedef struct Qcow2 {
    Blk blk;
    /* fixed after open */
    unsigned cluster_bits;
    uint64_t cluster;         /* bytes */
    unsigned l2_bits;         /* log2 of the entries of an L2 table */
    unsigned entry_bits;      /* log2 of an entry's bytes */
    unsigned subclusters;     /* of a cluster, 1 or 32 */
    uint64_t subcluster;      /* bytes */
    uint32_t all_subclusters; /* a bit for each */
    unsigned packed_shift;    /* where a compressed entry's length begins */
    unsigned count_bits;      /* of a reference count */
    uint64_t count_max;
    uint64_t counts_per_block; /* of a cluster of reference counts */

    GMutex lock;
    /* lock: lock */
    Qcow2Header header;
    uint64_t *reftable;
    uint64_t reftable_entries; /* room of the table on the disk */
    bool reftable_dirty;
    Qcow2Cache counts;
    uint8_t *l1_dirty; /* one for each sector of L1 */
    bool any_l1_dirty;
    GArray *frees;              /* of Qcow2Free, oldest first */
    uint64_t first_free;        /* no cluster below it is free */
    uint64_t never_used;        /* byte of the file; nothing was ever written from it on */
    bool took_fresh;            /* what was taken last was never used before */
    uint64_t packed_at;         /* byte: room for compressed data is left behind it; 0: none */
    GArray *snapshots;          /* of Qcow2Snapshot */
    uint64_t snapshots_len;     /* bytes of their table */
    bool corrupt;               /* nothing is written any more */
    char *reason;               /* what was found */
    uint8_t sector[BLK_SECTOR]; /* the first of the file, as it is there */

    /* lock: both for writing, either for reading */
    Qcow2Cache l2;
    uint64_t *l1; /* as on the disk, in the host's byte order */
    uint32_t l1_entries;
    GHashTable *metadata; /* of clusters that hold tables, and so never data */

    GMutex guard_lock;
    GCond guard_changed;
    BlkPlan *plans; /* lock: guard_lock: writes to new places that run */
} Qcow2;

static inline Qcow2 *qcow2_of(Blk *blk)
{
    return (Qcow2 *)blk;
}

/* --- map.c --- */

void qcow2_entry_load(const Qcow2 *q, const uint8_t *bytes, Qcow2Entry *ret);
/* Returns how many bytes. */
uint32_t qcow2_entry_store(const Qcow2 *q, const Qcow2Entry *entry, uint8_t *bytes);
/* What is impossible about @entry, in words, or NULL. */
const char *qcow2_entry_problem(Qcow2 *q, const Qcow2Entry *entry);
int qcow2_map(Blk *blk, uint64_t offset, uint64_t len, unsigned flags, BlkExtent *ret_extent);
/* Where the entry for the disk's byte @offset is in the file: its slice and the place in it.
 * 0: there is no L2 table.  Lock: lock or l2.lock. */
uint64_t qcow2_slice_of(const Qcow2 *q, uint64_t offset, uint32_t *ret_at);
/* Read the entry for the disk's byte @offset; no table reads as an empty entry.  Lock: lock. */
int qcow2_entry_get(Qcow2 *q, uint64_t offset, Qcow2Entry *ret);
/* Lock: lock. */
int qcow2_slice_get(Qcow2 *q, uint64_t slice, uint8_t **ret_bytes);
/* The image contradicts itself: remember it, mark the image, -EIO.  Lock: lock. */
int qcow2_corrupt(Qcow2 *q, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* --- refcount.c; lock: lock --- */

uint64_t qcow2_count_load(const Qcow2 *q, const uint8_t *block, uint64_t index);
void qcow2_count_store(const Qcow2 *q, uint8_t *block, uint64_t index, uint64_t count);
int qcow2_count_get(Qcow2 *q, uint64_t cluster, uint64_t *ret);
/* Change the counts of @n clusters by @by, all or none. */
int qcow2_count_add(Qcow2 *q, uint64_t cluster, uint64_t n, int by);
/* Take up to @n free clusters that follow each other, *@ret_n of them at cluster *@ret_cluster
 * (all of them if @all); their counts are 1. */
int qcow2_take(Qcow2 *q, uint64_t n, bool all, uint64_t *ret_cluster, uint64_t *ret_n);
/* Room for @len bytes of compressed data, at most a cluster, at byte *@ret_offset. */
int qcow2_take_packed(Qcow2 *q, uint32_t len, uint64_t *ret_offset);
/* Clusters that nothing in the file ever referred to: their counts fall at once. */
void qcow2_untake(Qcow2 *q, uint64_t cluster, uint64_t n);
/* Entries that referred to @n clusters are gone from the tables in memory: their counts fall once
 * that is on the disk, and no request that runs now can be using them. */
void qcow2_give_back(Qcow2 *q, uint64_t cluster, uint64_t n, bool punch);
/* The same for what an entry refers to. */
void qcow2_give_back_entry(Qcow2 *q, const Qcow2Entry *entry, bool punch);
/* Let the counts fall of what may; it is no error if that is nothing. */
int qcow2_reap(Qcow2 *q);

/* --- the set of clusters that hold tables; lock: lock --- */

void qcow2_metadata_add(Qcow2 *q, uint64_t offset, uint64_t len);
void qcow2_metadata_remove(Qcow2 *q, uint64_t offset, uint64_t len);
/* Lock: lock or l2.lock. */
bool qcow2_is_metadata(const Qcow2 *q, uint64_t offset);

/* --- flush.c; lock: lock --- */

/* Write all metadata in its order.  Syncs between, and (@durable) at the end. */
int qcow2_write_out(Qcow2 *q, bool durable);
/* Write the header's first sector from .header, and sync.  What it refers to is durable. */
int qcow2_header_write(Qcow2 *q);
int qcow2_flush(Blk *blk);
/* Entry @index of L1 is @word now. */
void qcow2_l1_set(Qcow2 *q, uint64_t index, uint64_t word);
/* Flush inside of a request if much room waits for it. */
int qcow2_relieve(Qcow2 *q);

/* --- open.c --- */

bool qcow2_open(Blk *blk, const BlkOptions *options, GError **error);
void qcow2_close(Blk *blk);
/* Entries of L1 for a disk of @size bytes. */
uint64_t qcow2_l1_needed(const Qcow2 *q, uint64_t size);
/* Read what the header names into memory, in place of what is there.  Lock: lock, or the disk is
 * not yet open. */
bool qcow2_load_tables(Qcow2 *q, GError **error);
/* Read the table of reference counts, which a read-only image leaves alone.  Lock: the same. */
bool qcow2_load_counts(Qcow2 *q, GError **error);

/* --- snapshot.c --- */

/* Read the table that the header names.  Lock: as qcow2_load_tables(). */
bool qcow2_snapshots_load(Qcow2 *q, GError **error);

/* --- write.c --- */

int qcow2_allocate(Blk *blk, uint64_t offset, uint64_t len, BlkPlan *ret_plan);
int qcow2_link(Blk *blk, BlkPlan *plan, int result);
/* Keep others from planning writes to a range, waiting for those that run. */
void qcow2_guard(Qcow2 *q, uint64_t start, uint64_t end, BlkPlan *plan);
void qcow2_unguard(Qcow2 *q, BlkPlan *plan);
/* Let the L2 table for the disk's byte @offset be there, and ours alone.  Lock: lock. */
int qcow2_table_prepare(Qcow2 *q, uint64_t offset);
/* Write an entry into its table, which is prepared.  Lock: lock. */
int qcow2_entry_put(Qcow2 *q, uint64_t offset, const Qcow2Entry *entry);

/* --- zero.c, compress.c --- */

int qcow2_zero(Blk *blk, uint64_t offset, uint64_t len, BlkZero how, uint64_t *ret_done);
int qcow2_inflate(Blk *blk, const BlkExtent *extent, void *buf);
/* Pack @bytes, one cluster, into @ret, which has room for one: the length, 0 if it does not get
 * smaller, or -errno. */
int64_t qcow2_deflate(const Qcow2 *q, const void *bytes, void *ret);
int qcow2_unpack(const Qcow2 *q, const uint8_t *packed, size_t len, uint8_t *ret);
