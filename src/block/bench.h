/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests: a host whose files are in memory.  It can fail at any call, and keeps a log of what
 * was written and synced, from which the states can be made that a crash may leave.
 *
 * A crash: what was written before the last sync is there; of what was written after it each
 * sector is there or not.  A file's size and holes are as some of these writes have left them.
 *
 * Threads: the host's functions from any; the rest on one.
 */
#pragma once

#include "block/block.h"
#include "block/host.h"

enum { BENCH_FILES = 8 };

typedef enum BenchOp { BENCH_WRITE, BENCH_TRUNCATE, BENCH_PUNCH, BENCH_ZERO, BENCH_SYNC } BenchOp;

typedef struct BenchRecord {
    BenchOp op;
    unsigned file;
    uint64_t offset, len;
    uint8_t *bytes; /* of a write */
} BenchRecord;

typedef struct BenchFile {
    char *path; /* NULL: there is none */
    uint8_t *bytes;
    uint64_t size, room;
} BenchFile;

typedef struct BlkBench {
    BlkHost host; /* first, so that it can be handed out */
    GMutex lock;
    /* lock: lock */
    BenchFile files[BENCH_FILES];
    bool recording;
    GArray *log;      /* of BenchRecord */
    GPtrArray *begun; /* of BlkMove */
    /* set by the test */
    unsigned calls;      /* that could fail */
    unsigned fail_at;    /* from 1; 0: none */
    unsigned fail_again; /* a second one; 0: none */
    bool fail_from_then; /* and all after it */
    int result;          /* of a call that fails; 0: half of what should be moved is */
    bool half_done;      /* a write that fails has moved half of its bytes */
    unsigned lose_at;    /* this call claims to have been done, and isn't; 0: none */
    unsigned drop_syncs; /* bit N: the Nth sync since .syncs was cleared is not recorded */
    unsigned syncs;
    int flags;             /* that the last file was opened with */
    uint64_t limit;        /* bytes that all files may have; 0: any number.  More: -ENOSPC */
    unsigned interrupt_at; /* every so many moves are interrupted first; 0: none */
} BlkBench;

void blk_bench_init(BlkBench *bench);
/* All disks must have been closed. */
void blk_bench_clear(BlkBench *bench);
/* The file of that path, which is there. */
BenchFile *blk_bench_file(BlkBench *bench, const char *path);
/* Replace a file, or make it. */
void blk_bench_put(BlkBench *bench, const char *path, const void *bytes, uint64_t len);
/* Keep the log from here on; what is in the files now is the base of all replays. */
void blk_bench_record(BlkBench *bench);
/* Do the first @n records again, on @target, which has the base; of those after the last sync
 * before @n, and of their sectors, those that @random says.  NULL: all. */
void blk_bench_replay(const BlkBench *bench, BlkBench *target, guint n, GRand *random);
/* Do the records up to the last sync on @base, and forget them: what is left in the log may be
 * lost.  Returns how many are left. */
guint blk_bench_settle(BlkBench *bench, BlkBench *base);
/* Let the moves end that were begun, one after the other as @random says; all or (@some) perhaps
 * only a few. */
void blk_bench_end_moves(BlkBench *bench, GRand *random, bool some);
/* Copy all files. */
void blk_bench_copy(const BlkBench *bench, BlkBench *target);
