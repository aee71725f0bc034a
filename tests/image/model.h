/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk must have, and what it may have after a crash or an error.
 *
 * Each write has a number, and each sector that it writes says the number and its own place, so a
 * sector can be told from any other, an old one from a new one, and half a one from a whole one.
 * Since the last flush that was answered a sector may be what it was then, or what any write after
 * that made of it.
 *
 * A Model has no pointers: it may lie in memory that a process shares with one that is killed.
 *
 * Threads: one at a time.
 */
#pragma once

#include "block/image.h"

enum { MODEL_SECTORS = 1200, MODEL_OPS = 400, MODEL_BASE = 1 };

/* Whether the image has the snapshot "one". */
typedef enum ModelSnapshot { MODEL_NONE, MODEL_PERHAPS, MODEL_THERE } ModelSnapshot;

/* What was begun since the last flush. */
typedef struct ModelOp {
    uint32_t first, n, number; /* sectors; number 0: zeros */
    uint32_t sectors;          /* the disk's new size; 0: as it was */
    bool restore;              /* all is what the snapshot has */
} ModelOp;

typedef struct Model {
    uint32_t sectors, durable_sectors, saved_sectors;
    uint32_t next_number;
    uint32_t n_ops;
    ModelSnapshot snapshot;
    bool saved_in_use; /* since the last flush: .saved must stay what it is */
    bool exact;        /* a crash is now, not at any time since the last flush */
    uint32_t now[MODEL_SECTORS], durable[MODEL_SECTORS], saved[MODEL_SECTORS];
    ModelOp ops[MODEL_OPS];
} Model;

/* A disk of @sectors that reads as zeros, but for the first @base, which read as write MODEL_BASE
 * left them. */
void model_init(Model *model, uint32_t sectors, uint32_t base);
/* What write @number puts into @n sectors from @first on. */
void model_fill(void *bytes, uint32_t first, uint32_t n, uint32_t number);

/* The write that left @bytes in @sector; UINT32_MAX: none did. */
uint32_t model_number(const uint8_t *bytes, uint32_t sector);

/* Work begins: it may be on the disk from now on.  Then it is done, and reads so. */
ModelOp model_begin_write(Model *model, uint32_t first, uint32_t n, bool zeros);
ModelOp model_begin_resize(Model *model, uint32_t sectors);
ModelOp model_begin_restore(Model *model);
void model_done(Model *model, const ModelOp *op);
void model_set_snapshot(Model *model, ModelSnapshot snapshot);
/* A flush was answered: all that was done is durable. */
void model_flushed(Model *model);

/* Work failed, or a discard was done: take what reads now, if it may be.  What is wrong, newly
 * allocated, or NULL. */
char *model_adopt(Model *model, Blk *blk);
/* What is wrong with a disk that has had no crash: it must read as .now. */
char *model_compare(const Model *model, Blk *blk);
/* What is wrong with the disk after a crash, and with its snapshot; and all references are
 * counted, and lost room can be given back.  Adds to *@leaks. */
char *model_check_crashed(const Model *model, const BlkOptions *options, unsigned *leaks);
