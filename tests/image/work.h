/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random work on images of many kinds, for tests that make it fail, end or crash.
 *
 * Threads: one at a time.
 */
#pragma once

#include "block/aio.h"
#include "block/bench.h"
#include "model.h"

typedef struct WorkKind {
    const char *name;
    BlkCreate create; /* without path, host and backing */
    bool backing;
} WorkKind;

enum { WORK_KINDS = 12 };
extern const WorkKind work_kinds[WORK_KINDS];

/* What the work consists of, in shares of the whole. */
typedef struct WorkMix {
    unsigned write, zero, discard, compress, flush, snapshot, resize;
    bool together; /* requests are submitted, writes several at a time; they end in any order */
} WorkMix;
extern const WorkMix work_usual, work_of_snapshots, work_together;

typedef struct Work {
    const WorkKind *kind;
    const WorkMix *mix;
    BlkOptions backing, options;
    Blk *blk;
    Model *model;
    GRand *random;
    bool lies; /* a flush is said to have been done, and isn't: for negative controls */
    /* called before what was written counts as durable; may be NULL */
    void (*flushed)(struct Work *work);
    void *opaque;
    uint8_t *buf;
    BlkAio *aio;     /* with .mix->together */
    BlkBench *bench; /* the host; NULL: the host itself */
    unsigned flying; /* requests that were submitted */
} Work;

/* Make image "disk", based on "base" if its kind is so, on @host (NULL: the host itself, in the
 * current folder), and open it. */
void work_init(Work *work, const WorkKind *kind, const WorkMix *mix, const BlkHost *host,
               Model *model, guint32 seed);
/* Closes it. */
void work_clear(Work *work);
/* Do one thing: 0, or -errno. */
int work_step(Work *work);
